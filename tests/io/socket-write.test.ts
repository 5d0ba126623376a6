// socket-write.test.ts: writing to a socket, flushing, ending and closing it, over TCP and Unix sockets, as client and as server.
import net from 'node:net';
import {
  ClosedError,
  type ConnectionResetError,
  connect,
  current,
  GreenletKilledError,
  hub,
  listen,
  openHandles,
  run,
  type Socket,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  until,
  type Writable,
  yieldNow,
} from 'tendril';
import { describe, expect, it } from 'vitest';
import { bareServer, failure, happened, host, nothingLeft, received, sides, withPair } from './peers.ts';

const MiB = 1024 * 1024;

/** Write to a peer that does not read until a write has to wait; returns the bytes that were queued. */
function* fill(socket: Socket) {
  const chunk = Buffer.alloc(65_536, 'f');
  let queued = 0;
  while (yield* timeout(30, finished(socket.write(chunk)), { else: false })) queued += chunk.length;
  return queued;
}

function* finished(op: ReturnType<Socket['write']>) {
  yield* op;
  return true;
}

/** Read everything from `peer` and count it, to its end. */
function drained(peer: net.Socket) {
  return until(
    new Promise<number>((resolve) => {
      let size = 0;
      peer.on('data', (chunk) => (size += chunk.length));
      peer.on('end', () => resolve(size));
    }),
  );
}

describe.each(sides)('Writing to a %s', (side) => {
  it('completes at once while there is room, and arrives', () =>
    withPair(side, function* (socket, peer) {
      yield* timeout(1000, socket.write('hello'));
      expect(String(yield* received(peer, 5))).toBe('hello');
    }));

  it('waits for room when the peer does not read, and goes on when it does', () =>
    withPair(side, function* (socket, peer) {
      const queued = yield* fill(socket);
      const writer = spawn(function* () {
        yield* socket.write('the last');
        yield* socket.flush();
        socket.end();
      });
      yield* yieldNow();
      expect(writer.state).toBe('parked');
      const size = drained(peer);
      yield* writer.join();
      expect(yield* size).toBe(queued + 8);
    }));

  it('has queued nothing when it is killed or times out while it waits', () =>
    withPair(side, function* (socket, peer) {
      const queued = yield* fill(socket);
      const victim = spawn(function* () {
        yield* socket.write('of a killed greenlet');
      });
      yield* yieldNow();
      victim.kill();
      expect(yield* failure(victim.get())).toBeInstanceOf(GreenletKilledError);
      expect(yield* failure(timeout(5, socket.write('too late')))).toBeInstanceOf(TimeoutError);
      const size = drained(peer);
      yield* socket.flush();
      socket.end();
      expect(yield* size).toBe(queued);
    }));

  it('keeps the order of writers that wait', () =>
    withPair(side, function* (socket, peer) {
      const queued = yield* fill(socket);
      const writers = ['a', 'b', 'c'].map((name) =>
        spawn(function* () {
          yield* socket.write(name.repeat(100_000));
        }),
      );
      yield* yieldNow();
      const all = received(peer, queued + 300_000);
      const text = String(yield* all).slice(queued);
      for (const writer of writers) yield* writer.join();
      expect(text).toBe('a'.repeat(100_000) + 'b'.repeat(100_000) + 'c'.repeat(100_000));
    }));

  it('gets ClosedError when the socket is closed, or this side ended, while it waits', () =>
    withPair(side, function* (socket) {
      yield* fill(socket);
      const endsAt = spawn(() => socket.write('x'));
      yield* yieldNow();
      socket.end();
      expect(yield* failure(endsAt.get())).toBeInstanceOf(ClosedError);
      const flusher = spawn(() => socket.flush());
      yield* yieldNow();
      socket.close();
      expect(yield* failure(flusher.get())).toBeInstanceOf(ClosedError);
    }));

  it('F8: gets ClosedError after end() and after close(), which may be called twice', () =>
    withPair(side, function* (socket, peer) {
      yield* socket.write('all');
      socket.end();
      socket.end();
      const error = yield* failure(socket.write('more'));
      expect(error).toBeInstanceOf(ClosedError);
      expect(error.message).toContain('end()');
      yield* socket.flush();
      expect(yield* drained(peer)).toBe(3);
      socket.close();
      socket.close();
      socket.end();
      expect((yield* failure(socket.write('more'))).message).toContain('is closed');
      expect(yield* failure(socket.flush())).toBeInstanceOf(ClosedError);
    }));

  it('F7: reads on after end() until the peer ends', () =>
    withPair(side, function* (socket, peer) {
      socket.end();
      peer.resume();
      yield* happened(peer, 'end');
      peer.write('one ');
      yield* sleep(2);
      peer.end('two');
      expect(String(yield* socket.readExactly(7))).toBe('one two');
      expect(yield* socket.read()).toBe(null);
    }));

  it('F17: holds at most one high-water mark and one piece for a peer that never reads', () =>
    withPair(side, function* (socket) {
      const queued = yield* fill(socket);
      expect(socket.unsent).toBeLessThanOrEqual(2 * 65_536);
      expect(queued).toBeLessThan(16 * MiB);
    }));

  it('F20: takes one large piece as it is', () =>
    withPair(side, function* (socket, peer) {
      const size = drained(peer);
      yield* socket.write(Buffer.alloc(20 * MiB));
      socket.end();
      expect(yield* size).toBe(20 * MiB);
    }));

  it('sends what was written before close() as far as the system takes it at once', () =>
    withPair(side, function* (socket, peer) {
      yield* socket.write('bye');
      socket.close();
      expect(yield* drained(peer)).toBe(3);
    }));

  it('sends everything before it closes gracefully', () =>
    withPair(side, function* (socket, peer) {
      const size = drained(peer);
      yield* socket.write(Buffer.alloc(10 * MiB));
      const closing = spawn(() => socket.closeGracefully());
      expect(yield* size).toBe(10 * MiB);
      peer.end('an answer that nobody reads');
      yield* closing.join();
      expect([socket.closed, openHandles().counts.socket]).toEqual([true, undefined]);
    }));

  it('closeGracefully needs no time for what has left already', () =>
    withPair('TCP client', function* (socket, peer) {
      yield* socket.write('gone');
      yield* socket.flush();
      yield* socket.closeGracefully({ drainMs: 0, lingerMs: 0 });
      expect(socket.closed).toBe(true);
      expect(String(yield* received(peer, 4))).toBe('gone');
    }));

  it('is closed also when closeGracefully is killed or cannot send', () =>
    withPair(side, function* (socket) {
      yield* fill(socket);
      expect(yield* failure(socket.closeGracefully({ drainMs: 5 }))).toBeInstanceOf(TimeoutError);
      expect(socket.closed).toBe(true);
    }).then(() =>
      withPair(side, function* (socket) {
        yield* fill(socket);
        const closing = spawn(() => socket.closeGracefully());
        yield* yieldNow();
        closing.kill();
        yield* closing.join();
        expect(socket.closed).toBe(true);
      }),
    ));

  it('does not wait long for a peer that never ends', () =>
    withPair(side, function* (socket) {
      yield* socket.write('x');
      yield* timeout(1000, socket.closeGracefully({ lingerMs: 5 }));
      expect(socket.closed).toBe(true);
    }));

  it('F4: sees an error of a write at the next flush and at every later write, and nowhere else', () =>
    withPair(side, function* (socket, peer) {
      peer.resume();
      peer.end();
      expect(yield* socket.read()).toBe(null);
      peer.destroy();
      yield* sleep(5);
      yield* socket.write('nobody reads this');
      // Over TCP the first write is taken and answered with a reset; a Unix socket knows at once.
      if (side.startsWith('TCP')) yield* socket.flush();
      yield* sleep(5);
      const error = (yield* failure(writeAndFlush(socket, 'nor this'))) as ConnectionResetError;
      expect({ name: error.name, code: error.code }).toEqual({ name: 'ConnectionResetError', code: 'EPIPE' });
      expect(error.message).toContain(String(socket));
      expect((yield* failure(socket.write('x'))).name).toBe('ConnectionResetError');
      expect((yield* failure(socket.flush())).name).toBe('ConnectionResetError');
      expect(yield* socket.read()).toBe(null);
      yield* sleep(2);
    }));

  it('F2: says how much had left when the peer resets in the middle of a large write', () =>
    withPair(side, function* (socket, peer) {
      if (side.startsWith('Unix')) return; // a Unix socket has no reset
      yield* socket.write(Buffer.alloc(24 * MiB));
      const flusher = spawn(() => socket.flush());
      yield* sleep(5);
      peer.resetAndDestroy();
      const error = (yield* failure(flusher.get())) as ConnectionResetError;
      expect({ name: error.name, code: error.code, bytesQueued: error.bytesQueued }).toEqual({
        name: 'ConnectionResetError',
        code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/),
        bytesQueued: 24 * MiB,
      });
      expect(error.bytesFlushed).toBeLessThan(24 * MiB);
      expect((yield* failure(socket.read())).name).toBe('ConnectionResetError');
    }));
});

function* writeAndFlush(socket: Socket, data: Writable) {
  yield* socket.write(data);
  yield* socket.flush();
}

describe('write', () => {
  const kinds: readonly (readonly [string, Writable, string])[] = [
    ['a string, as UTF-8', 'grün 🌱', 'grün 🌱'],
    ['a Buffer', Buffer.from('buffer'), 'buffer'],
    ['a part of a typed array', new Uint8Array([97, 98, 99, 100]).subarray(1, 3), 'bc'],
    ['a wider typed array, as its memory', new Uint16Array([0x6261]), 'ab'],
    ['a DataView', new DataView(new Uint8Array([97, 98, 99]).buffer, 1), 'bc'],
    ['an ArrayBuffer', new Uint8Array([97, 98]).buffer, 'ab'],
    ['a SharedArrayBuffer', sharedBytes('shared').buffer, 'shared'],
    ['an array over a SharedArrayBuffer', sharedBytes('shared'), 'shared'],
  ];
  it.each(kinds)('F22: takes %s', (_name, data, text) =>
    withPair('TCP client', function* (socket, peer) {
      yield* socket.write(data);
      expect(String(yield* received(peer, Buffer.byteLength(text)))).toBe(text);
    }),
  );

  it.each([[null], [undefined], [5], [{}], [[1, 2]], [() => 1], [Symbol('s')]])('F22: refuses %s at the call', (data) =>
    withPair('TCP client', function* (socket) {
      yield* yieldNow();
      expect(() => socket.write(data as never)).toThrow(TypeError);
    }),
  );

  it('F21: sends nothing for an empty piece, but throws a kill that is pending', () =>
    withPair('TCP client', function* (socket) {
      yield* socket.write('');
      yield* socket.write(Buffer.alloc(0));
      const victim = spawn(function* () {
        current().kill();
        yield* socket.write('');
        return 'alive';
      });
      yield* victim.join();
      expect(victim.outcome?.ok).toBe(false);
    }));

  it('sends together, in order, what is written in one turn, in as few pieces as can be', () =>
    run(function* () {
      const listener = yield* listen({ host, port: 0 });
      const peer = net.connect({ host, port: listener.address.port });
      const pieces: Buffer[] = [];
      peer.on('data', (chunk) => pieces.push(chunk));
      const socket = yield* listener.accept();
      let text = '';
      for (let i = 0; i < 100; i += 1) {
        const piece: Writable = i % 3 === 0 ? Buffer.from(`buffer ${i};`) : `string ${i} é;`;
        text += piece;
        yield* socket.write(piece);
      }
      expect(socket.unsent).toBe(Buffer.byteLength(text));
      socket.end();
      yield* happened(peer, 'end');
      expect(Buffer.concat(pieces).toString()).toBe(text);
      expect(pieces.length).toBe(1);
      socket.close();
      listener.close();
    }).then(nothingLeft));

  it('sends halves of a surrogate pair in two writes as two broken characters', () =>
    withPair('TCP client', function* (socket, peer) {
      yield* socket.write('\ud83c');
      yield* socket.write('\udf31');
      expect(String(yield* received(peer, 6))).toBe('��');
    }));

  it('F23: does not copy: what is in the buffer when the turn ends is sent', () =>
    withPair('TCP client', function* (socket, peer) {
      const data = Buffer.from('before');
      yield* socket.write(data);
      data.write('after!');
      expect(String(yield* received(peer, 6))).toBe('after!');
    }));

  it('goes out before the greenlet waits for anything else', () =>
    withPair('TCP client', function* (socket, peer) {
      yield* socket.write('question');
      const answer = spawn(function* () {
        expect(String(yield* received(peer, 8))).toBe('question');
        peer.write('answer');
      });
      expect(String(yield* timeout(2000, socket.readExactly(6)))).toBe('answer');
      yield* answer.join();
    }));

  it('counts waiting writers as waits for something outside, so they are no deadlock', () =>
    withPair('TCP client', function* (socket) {
      yield* fill(socket);
      const before = hub.stats().externalWaits;
      const writer = spawn(() => socket.write('x'));
      const flusher = spawn(() => socket.flush());
      yield* yieldNow();
      expect(hub.stats().externalWaits).toBe(before + 2);
      writer.kill();
      flusher.kill();
      yield* writer.join();
      yield* flusher.join();
      expect(hub.stats().externalWaits).toBe(before);
    }));
});

describe('A process', () => {
  it('does not end before what was written has left', () =>
    run(function* () {
      const chunks: Buffer[] = [];
      const server = net.createServer((peer) => {
        peer.on('data', (chunk) => chunks.push(chunk));
      });
      const port = yield* bareServer(server);
      const socket = yield* connect({ host, port });
      yield* socket.write('last words');
      yield* socket.closeGracefully({ lingerMs: 200 });
      expect(Buffer.concat(chunks).toString()).toBe('last words');
      server.close();
    }).then(nothingLeft));
});

function sharedBytes(text: string): Uint8Array<SharedArrayBuffer> {
  const bytes = new Uint8Array(new SharedArrayBuffer(text.length));
  bytes.set(Buffer.from(text));
  return bytes;
}
