// udp.test.ts: datagram sockets, on real loopback and on the simulated network: what a program sees is the same.
import {
  ClosedError,
  DatagramError,
  type DatagramSocket,
  DnsError,
  GreenletKilledError,
  hub,
  type Op,
  openHandles,
  run,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  type UdpEndpoint,
  type UdpOptions,
  UsageError,
  udp,
  yieldNow,
} from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { descriptors, descriptorsBackAt } from './descriptors.ts';
import { grounds } from './grounds.ts';
import { failure, nothingLeft } from './peers.ts';

const host = '127.0.0.1';

/** Two sockets on loopback, closed afterwards. */
function* pair(body: (a: DatagramSocket, b: DatagramSocket) => Op<unknown>, options?: UdpOptions): Op<void> {
  const [a, b] = [yield* udp({ host }), yield* udp({ host }, options)];
  try {
    yield* body(a, b);
  } finally {
    a.close();
    b.close();
  }
}

describe.each(grounds)('A datagram socket on %s', (_name, play) => {
  it('sends and receives whole datagrams, and tells where they are from', () =>
    play(() =>
      pair(function* (a, b) {
        yield* a.send('one', b.localAddress);
        yield* a.send(Buffer.from('two'), { host, port: b.localAddress.port });
        yield* a.send(new Uint8Array(0), b.localAddress);
        const got = [yield* b.receive(), yield* b.receive(), yield* b.receive()];
        expect(got.map(({ bytes }) => String(bytes))).toEqual(['one', 'two', '']);
        for (const { from } of got) expect(String(from)).toBe(String(a.localAddress));
        yield* b.send('answer', (got[0] as (typeof got)[0]).from);
        expect(String((yield* a.receive()).bytes)).toBe('answer');
        expect([a.stats, b.stats]).toEqual([
          { sent: 3, received: 1, dropped: 0, receiveErrors: 0 },
          { sent: 1, received: 3, dropped: 0, receiveErrors: 0 },
        ]);
      }),
    ));

  it('sends to a name, and one that does not exist is a DnsError', () =>
    play(() =>
      pair(function* (a, b) {
        yield* a.send('named', { host: 'localhost', port: b.localAddress.port });
        expect(String((yield* b.receive()).bytes)).toBe('named');
        const error = yield* failure(a.send('x', { host: `${'x'.repeat(70)}.invalid`, port: 9 }));
        expect([error.constructor, error.code]).toEqual([DnsError, 'ENOTFOUND']);
      }),
    ));

  it('waits until a datagram comes, and serves receivers in order', () =>
    play(() =>
      pair(function* (a, b) {
        const receivers = [spawn(() => b.receive()), spawn(() => b.receive())];
        yield* sleep(1);
        yield* a.send('first', b.localAddress);
        yield* a.send('second', b.localAddress);
        const got: string[] = [];
        for (const receiver of receivers) got.push(String((yield* receiver.get()).bytes));
        expect(got).toEqual(['first', 'second']);
      }),
    ));

  it('loses nothing to a receiver that is killed or times out, nor to an arm that loses', () =>
    play(() =>
      pair(function* (a, b) {
        const receiver = spawn(() => b.receive());
        yield* yieldNow();
        receiver.kill();
        expect(yield* failure(receiver.get())).toBeInstanceOf(GreenletKilledError);
        expect(yield* failure(timeout(2, b.receive()))).toBeInstanceOf(TimeoutError);
        expect((yield* select({ datagram: b.receive(), tick: sleep(2) })).key).toBe('tick');
        yield* a.send('kept', b.localAddress);
        expect(String((yield* b.receive()).bytes)).toBe('kept');
      }),
    ));

  it('keeps maxPending datagrams and drops what comes then', () =>
    play(() =>
      pair(
        function* (a, b) {
          for (let i = 0; i < 5; i += 1) yield* a.send(String(i), b.localAddress);
          while (b.pending + b.stats.dropped < 5) yield* sleep(1);
          const got = [yield* b.receive(), yield* b.receive()].map(({ bytes }) => String(bytes));
          expect([got, b.pending, b.stats.dropped]).toEqual([['0', '1'], 0, 3]);
        },
        { maxPending: 2 },
      ),
    ));

  it('tells who waits when it is closed, and refuses afterwards', () =>
    play(() =>
      pair(function* (a, b) {
        const receiver = spawn(() => b.receive());
        yield* yieldNow();
        b.close();
        b.close();
        const error = yield* failure(receiver.get());
        expect(error).toBeInstanceOf(ClosedError);
        expect(error.message).toBe(`receive on datagram socket ${b.localAddress}, which is closed`);
        expect(yield* failure(b.receive())).toBeInstanceOf(ClosedError);
        expect(yield* failure(b.send('x', a.localAddress))).toBeInstanceOf(ClosedError);
        a.close();
        expect([a.closed, b.closed]).toEqual([true, true]);
      }),
    ));

  it('refuses what is too long, and an address of the other family', () =>
    play(() =>
      pair(function* (a, b) {
        const tooLong = yield* failure(a.send(Buffer.alloc(70_000), b.localAddress));
        expect(tooLong).toBeInstanceOf(DatagramError);
        expect([tooLong.code, (tooLong.cause as Error).message]).toEqual([
          'EMSGSIZE',
          `send EMSGSIZE ${b.localAddress}`,
        ]);
        expect((yield* failure(a.send('x', { host: '::1', port: 9 }))).code).toBe('EAFNOSUPPORT');
      }),
    ));

  it('can be killed while it sends', () =>
    play(() =>
      pair(function* (a, b) {
        const sender = spawn(() => a.send('perhaps', b.localAddress));
        yield* yieldNow();
        sender.kill();
        yield* sender.join();
        yield* a.send('after it', b.localAddress);
        for (let text = ''; text !== 'after it'; ) text = String((yield* b.receive()).bytes);
        yield* sleep(1);
      }),
    ));

  it('receives on every address if it is told none', () =>
    play(function* () {
      const [any, one] = [yield* udp(), yield* udp({ host })];
      expect([any.localAddress.host, any.localAddress.port > 0]).toEqual(['0.0.0.0', true]);
      yield* one.send('here', { host, port: any.localAddress.port });
      expect(String((yield* any.receive()).from)).toBe(String(one.localAddress));
      any.close();
      one.close();
    }));

  it.each([
    ['an address that is in use', 'EADDRINUSE', (port: number): UdpEndpoint => ({ host, port })],
    ['an address of nobody', 'EADDRNOTAVAIL', () => ({ host: '192.0.2.77', port: 9 })],
  ])('cannot be bound to %s', (_what, code, endpoint) =>
    play(() =>
      pair(function* (a) {
        const error = yield* failure(udp(endpoint(a.localAddress.port)));
        expect(error).toBeInstanceOf(DatagramError);
        expect([error.code, (error.cause as Error).message.startsWith(`bind ${code}`)]).toEqual([code, true]);
      }),
    ),
  );

  it('leaves nothing when it is given up while it is bound', () =>
    play(function* () {
      const opening = spawn(() => udp({ host: 'localhost' }));
      yield* yieldNow();
      opening.kill();
      yield* opening.join();
      // The lookup cannot be taken back: its answer comes, and nobody hears it.
      do yield* sleep(1);
      while (hub.stats().orphans > 0);
      expect(openHandles().names).toEqual([]);
    }));
});

describe.each(grounds)('A connected datagram socket on %s', (_name, play) => {
  it('sends without an address, hears only its peer, and says whom it talks to', () =>
    play(() =>
      pair(function* (peer, stranger) {
        const socket = yield* udp({ host, remote: peer.localAddress });
        expect([String(socket.remoteAddress), String(socket)]).toEqual([
          String(peer.localAddress),
          `datagram socket ${socket.localAddress} -> ${peer.localAddress}`,
        ]);
        yield* socket.send('hello');
        const { bytes, from } = yield* peer.receive();
        expect([String(bytes), String(from)]).toEqual(['hello', String(socket.localAddress)]);
        yield* stranger.send('from a stranger', socket.localAddress);
        yield* peer.send('from the peer', socket.localAddress);
        expect(String((yield* socket.receive()).bytes)).toBe('from the peer');
        expect(socket.pending).toBe(0);
        expect(() => socket.send('x', peer.localAddress)).toThrow(UsageError);
        socket.close();
      }),
    ));

  it('looks up the name of its peer', () =>
    play(function* () {
      const peer = yield* udp({ host });
      const { port } = peer.localAddress;
      const socket = yield* udp({ remote: { host: 'localhost', port } }, { family: 4 });
      yield* socket.send('hello');
      expect(String((yield* peer.receive()).bytes)).toBe('hello');
      expect(String(socket.remoteAddress)).toBe(`${host}:${port}`);
      for (const each of [peer, socket]) each.close();
      const error = yield* failure(udp({ remote: { host: `${'x'.repeat(64)}.test`, port } }));
      expect(error).toBeInstanceOf(DnsError);
    }));
});

describe('A connected datagram socket', () => {
  it('is told that its peer refuses: by the next receive, or the next send, once', () =>
    run(function* () {
      // No test gets that port from the system.
      const socket = yield* udp({ remote: { host, port: 1 } });
      const waiting = spawn(failure, socket.receive());
      yield* socket.send('is anybody there?');
      const error = yield* waiting.get();
      expect(error).toBeInstanceOf(DatagramError);
      expect([error.code, error.message]).toEqual([
        'ECONNREFUSED',
        `receive on ${String(socket)} failed: ECONNREFUSED`,
      ]);
      yield* socket.send('hello?');
      while (socket.stats.receiveErrors < 2) yield* sleep(1);
      expect((yield* failure(socket.send('hello?'))).code).toBe('ECONNREFUSED');
      // Told once: the next one leaves, and is refused again.
      yield* socket.send('hello?');
      expect((yield* failure(socket.receive())).code).toBe('ECONNREFUSED');
      socket.close();
    }).then(nothingLeft));
});

describe('Multicast on loopback', () => {
  const group = '239.255.77.7';
  const options = { reuseAddress: true, multicastInterface: host, multicastTtl: 0, multicastLoopback: true };

  it('comes to every socket that has joined, until it leaves', () =>
    run(function* () {
      const one = yield* udp({}, options);
      const { port } = one.localAddress;
      const two = yield* udp({ port }, options);
      const sender = yield* udp({}, options);
      for (const each of [one, two]) each.joinGroup(group, host);
      yield* sender.send('to all', { host: group, port });
      for (const each of [one, two]) expect(String((yield* each.receive()).bytes)).toBe('to all');
      two.leaveGroup(group, host);
      yield* sender.send('to one', { host: group, port });
      expect(String((yield* one.receive()).bytes)).toBe('to one');
      for (const each of [one, two, sender]) each.close();
    }).then(nothingLeft));

  it('says with a code what cannot be joined or left', () =>
    run(function* () {
      const socket = yield* udp({}, options);
      const thrown = (call: () => void): { name: string; code: string } => {
        try {
          call();
        } catch (error) {
          const { name, code } = error as Error & { code: string };
          return { name, code };
        }
        throw new Error('it did not throw');
      };
      const name = 'DatagramError';
      expect(thrown(() => socket.joinGroup(host))).toEqual({ name, code: 'EINVAL' });
      expect(thrown(() => socket.leaveGroup(group, host))).toEqual({ name, code: 'EADDRNOTAVAIL' });
      socket.joinGroup(group, host);
      expect(thrown(() => socket.joinGroup(group, host))).toEqual({ name, code: 'EADDRINUSE' });
      expect(() => socket.joinGroup('a name')).toThrow(TypeError);
      expect(() => socket.joinGroup(group, 'eth0')).toThrow(TypeError);
      socket.close();
      expect(() => socket.joinGroup(group)).toThrow(ClosedError);
      expect(socket.remoteAddress).toBeUndefined();
    }).then(nothingLeft));

  it('is a UsageError on a simulated network, which has no groups and no options', async () => {
    await simulate(function* () {
      const socket = yield* udp({ host });
      expect(() => socket.joinGroup(group)).toThrow(UsageError);
      expect(yield* failure(udp({}, { multicastTtl: 1 }))).toBeInstanceOf(UsageError);
      socket.close();
    });
  });
});

describe('udp', () => {
  it('may send to a broadcast address only if it is told so', () =>
    run(function* () {
      const to = { host: '127.255.255.255', port: 9 };
      const plain = yield* udp();
      expect((yield* failure(plain.send('x', to))).code).toBe('EACCES');
      const telling = yield* udp({}, { broadcast: true, ttl: 1 });
      yield* telling.send('x', to);
      for (const each of [plain, telling]) each.close();
    }).then(nothingLeft));

  it('leaves no descriptor behind when it cannot be bound, again and again', () =>
    run(function* () {
      const taken = yield* udp({ host });
      const before = descriptors();
      for (let i = 0; i < 50; i += 1)
        expect((yield* failure(udp({ host, port: taken.localAddress.port }))).code).toBe('EADDRINUSE');
      yield* descriptorsBackAt(before);
      taken.close();
    }).then(nothingLeft));

  it.each([
    [() => udp(5 as never), TypeError],
    [() => udp({ host: 5 } as never), TypeError],
    [() => udp({ host: '' }), TypeError],
    [() => udp({ port: 65_536 }), RangeError],
    [() => udp({}, { family: 5 as never }), RangeError],
    [() => udp({ host: '::1' }, { family: 4 }), RangeError],
    [() => udp({}, { maxPending: 0 }), RangeError],
    [() => udp({ remote: 5 as never }), TypeError],
    [() => udp({ remote: { host, port: 0 } }), RangeError],
    [() => udp({ host: '::1', remote: { host, port: 9 } }), RangeError],
    [() => udp({ remote: { host, port: 9 } }, { family: 6 }), RangeError],
    [() => udp({}, { ttl: 0 }), RangeError],
    [() => udp({}, { multicastTtl: 256 }), RangeError],
    [() => udp({}, { broadcast: 1 as never }), TypeError],
    [() => udp({}, { multicastInterface: 'eth0' }), TypeError],
    [() => udp({}, 5 as never), TypeError],
  ])('refuses a bad argument at the call (%#)', (call, kind) => {
    expect(call).toThrow(kind);
  });

  it('refuses at the call what cannot be sent', () =>
    run(function* () {
      const socket = yield* udp({ host });
      expect(() => socket.send(5 as never, { host, port: 9 })).toThrow(TypeError);
      expect(() => socket.send('x', undefined as never)).toThrow(TypeError);
      expect(() => socket.send('x', { host } as never)).toThrow(RangeError);
      expect(() => socket.send('x', { host: '', port: 9 })).toThrow(TypeError);
      socket.close();
    }));
});
