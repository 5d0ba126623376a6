// listen.test.ts: listeners: where they listen, how connections are accepted, what is left when they close.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ClosedError,
  connect,
  Event,
  GreenletKilledError,
  hub,
  type Listener,
  listen,
  type Op,
  openHandles,
  run,
  type Socket,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril';
import { describe, expect, it } from 'vitest';
import { failure, happened, host, nothingLeft } from './peers.ts';

/** Run `body` with a listener, which is closed afterwards; nothing may be left. */
async function listening(body: (listener: Listener) => Op<void>, options = {}): Promise<void> {
  await run(function* () {
    const listener = yield* listen({ host, port: 0 }, options);
    try {
      yield* body(listener);
    } finally {
      listener.close();
    }
  });
  nothingLeft();
}

function dial(listener: Listener): net.Socket {
  return net.connect({ host, port: listener.address.port }).on('error', () => {});
}

describe('listen', () => {
  it('takes a free port for 0 and says which', () =>
    run(function* () {
      const listener = yield* listen({ host, port: 0 });
      expect(listener.address.host).toBe(host);
      expect(listener.address.port).toBeGreaterThan(0);
      expect(String(listener)).toBe(`listener ${host}:${listener.address.port}`);
      expect(openHandles()).toEqual({ total: 1, counts: { listener: 1 }, names: [String(listener)] });
      listener.close();
      listener.close();
      expect(listener.closed).toBe(true);
    }).then(nothingLeft));

  it('listens on all addresses without a host, and tells a connection its own address', () =>
    run(function* () {
      const listener = yield* listen({ port: 0 });
      const client = yield* connect({ host, port: listener.address.port });
      const socket = yield* listener.accept();
      expect(socket.localAddress.port).toBe(listener.address.port);
      expect(socket.localAddress.host).toMatch(/^(::ffff:)?127\.0\.0\.1$/);
      for (const each of [client, socket, listener]) each.close();
    }).then(nothingLeft));

  it('listens on the path of a Unix socket and removes it when it closes', () =>
    run(function* () {
      const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
      const path = join(folder, 's');
      const listener = yield* listen({ path });
      const client = yield* connect(listener.address);
      const socket = yield* listener.accept();
      expect([String(listener), String(client)]).toEqual([`listener ${path}`, `socket unix -> ${path}`]);
      expect(listener.address).toEqual({ host: '', port: 0, path });
      yield* client.write('x\n');
      expect(yield* socket.readLine()).toBe('x');
      for (const each of [client, socket, listener]) each.close();
      expect(existsSync(path)).toBe(false);
      rmSync(folder, { recursive: true });
    }).then(nothingLeft));

  it('F15: throws ListenError with its code when it cannot', () =>
    run(function* () {
      const listener = yield* listen({ host, port: 0 });
      const taken = yield* failure(listen({ host, port: listener.address.port }));
      expect(taken).toMatchObject({ name: 'ListenError', code: 'EADDRINUSE' });
      expect(taken.message).toContain(`${host}:${listener.address.port}`);
      const foreign = yield* failure(listen({ host: '192.0.2.1', port: 0 }));
      expect(foreign).toMatchObject({ name: 'ListenError', code: 'EADDRNOTAVAIL' });
      const nowhere = yield* failure(listen({ path: '/nowhere/at/all' }));
      expect(nowhere).toMatchObject({ name: 'ListenError', code: expect.stringMatching(/^(ENOENT|EACCES)$/) });
      expect(openHandles().total).toBe(1);
      listener.close();
    }).then(nothingLeft));

  it('throws RangeError or TypeError at the call for bad arguments', () => {
    // An operating system has room for no more: Node 20 cuts it off and listens somewhere else.
    if (process.platform !== 'win32') expect(() => listen({ path: `/tmp/${'x'.repeat(120)}` })).toThrow(RangeError);
    for (const port of [-1, 65_536, 1.5, Number.NaN, '80', undefined]) {
      expect(() => listen({ host, port: port as number })).toThrow(RangeError);
    }
    for (const endpoint of [undefined, 5, { host: '', port: 0 }, { host: 'a\0b', port: 0 }]) {
      expect(() => listen(endpoint as never)).toThrow(TypeError);
    }
    for (const options of [{ backlog: 0 }, { maxPending: -1 }]) {
      expect(() => listen({ port: 0 }, options)).toThrow(RangeError);
    }
  });

  it('leaves nothing behind when it is killed while it waits', () =>
    run(function* () {
      // A slow machine may listen before the kill comes: then it has happened, and is no answer to the question.
      for (let killed = false; !killed; ) {
        const victim = spawn(() => listen({ host, port: 0 }));
        yield* yieldNow();
        victim.kill();
        yield* victim.join();
        const { outcome } = victim;
        if (outcome?.ok) outcome.value.close();
        else killed = true;
      }
      expect(openHandles().total + hub.stats().orphans).toBe(0);
    }).then(nothingLeft));
});

describe('accept', () => {
  it('gives a connection that waits already, at once', () =>
    listening(function* (listener) {
      const peer = dial(listener);
      yield* happened(peer, 'connect');
      while (listener.pending === 0) yield* sleep(1);
      expect(openHandles().counts).toEqual({ listener: 1, socket: 1 });
      const socket = yield* timeout(1000, listener.accept());
      expect(listener.stats).toMatchObject({ accepted: 1, dropped: 0 });
      socket.close();
      peer.destroy();
    }));

  it('waits for one, and serves acceptors in order', () =>
    listening(function* (listener) {
      const order: string[] = [];
      const sockets: Socket[] = [];
      const acceptors = ['first', 'second', 'third'].map((name) =>
        spawn(function* () {
          sockets.push(yield* listener.accept());
          order.push(name);
        }),
      );
      yield* yieldNow();
      expect(hub.stats().externalWaits).toBe(3);
      const peers = acceptors.map(() => dial(listener));
      for (const acceptor of acceptors) yield* acceptor.join();
      expect(order).toEqual(['first', 'second', 'third']);
      for (const socket of sockets) socket.close();
      for (const peer of peers) peer.destroy();
    }));

  it('takes no connection when it is killed, times out or loses a select', () =>
    listening(function* (listener) {
      const victim = spawn(() => listener.accept());
      yield* yieldNow();
      victim.kill();
      expect(yield* failure(victim.get())).toBeInstanceOf(GreenletKilledError);
      expect(yield* failure(timeout(2, listener.accept()))).toBeInstanceOf(TimeoutError);
      const event = new Event();
      event.set();
      expect(yield* select([listener.accept(), event.wait()])).toMatchObject({ key: 1 });
      const peer = dial(listener);
      const socket = yield* listener.accept();
      expect(listener.stats.accepted).toBe(1);
      socket.close();
      peer.destroy();
    }));

  it('gets ClosedError when the listener is closed, now or while it waits', () =>
    listening(function* (listener) {
      const acceptors = [1, 2].map(() => spawn(() => listener.accept()));
      yield* yieldNow();
      listener.close();
      for (const acceptor of acceptors) expect(yield* failure(acceptor.get())).toBeInstanceOf(ClosedError);
      const error = yield* failure(listener.accept());
      expect(error).toBeInstanceOf(ClosedError);
      expect(error.message).toContain(String(listener));
    }));

  it('closes connections that nobody has accepted when the listener closes', () =>
    listening(function* (listener) {
      const peer = dial(listener).resume();
      const ended = happened(peer, 'close');
      while (listener.pending === 0) yield* sleep(1);
      listener.close();
      yield* ended;
      expect(openHandles().total).toBe(0);
    }));

  it('closes and counts connections beyond maxPending', () =>
    listening(
      function* (listener) {
        const peers = Array.from({ length: 5 }, () => dial(listener).resume());
        while (listener.stats.dropped < 3) yield* sleep(1);
        expect([listener.pending, listener.stats]).toMatchObject([2, { accepted: 0, dropped: 3 }]);
        for (const peer of peers) peer.destroy();
      },
      { maxPending: 2 },
    ));

  it('delivers what a peer sent and ended before it was accepted', () =>
    listening(function* (listener) {
      const peer = dial(listener);
      peer.end('early\n');
      while (listener.pending === 0) yield* sleep(1);
      yield* sleep(5);
      const socket = yield* listener.accept();
      expect([yield* socket.readLine(), yield* socket.readLine()]).toEqual(['early', null]);
      socket.close();
    }));

  it('F38: survives connections that are reset before they are accepted', () =>
    listening(function* (listener) {
      const peer = dial(listener);
      yield* happened(peer, 'connect');
      while (listener.pending === 0) yield* sleep(1);
      peer.resetAndDestroy();
      yield* sleep(5);
      const socket = yield* listener.accept();
      expect(yield* failure(socket.read())).toMatchObject({ name: 'ConnectionResetError', code: 'ECONNRESET' });
      socket.close();
      const next = dial(listener);
      (yield* listener.accept()).close();
      next.destroy();
    }));
});
