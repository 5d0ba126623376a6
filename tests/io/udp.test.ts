// udp.test.ts: datagram sockets, on real loopback and on the simulated network: what a program sees is the same.
import {
  ClosedError,
  DatagramError,
  type DatagramSocket,
  DnsError,
  GreenletKilledError,
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
  udp,
  yieldNow,
} from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { failure, nothingLeft } from './peers.ts';

const host = '127.0.0.1';

const grounds: readonly (readonly [name: string, play: (body: () => Op<void>) => Promise<void>])[] = [
  [
    'real loopback',
    async (body) => {
      await run(body);
      nothingLeft();
    },
  ],
  [
    'the simulated network',
    async (body) => {
      await simulate(function* ({ net }) {
        yield* body();
        expect(net.leftovers()).toEqual([]);
      });
      expect(openHandles().names).toEqual([]);
    },
  ],
];

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
      yield* sleep(5);
      expect(openHandles().names).toEqual([]);
    }));
});

describe('udp', () => {
  it.each([
    [() => udp(5 as never), TypeError],
    [() => udp({ host: 5 } as never), TypeError],
    [() => udp({ host: '' }), TypeError],
    [() => udp({ port: 65_536 }), RangeError],
    [() => udp({}, { family: 5 as never }), RangeError],
    [() => udp({ host: '::1' }, { family: 4 }), RangeError],
    [() => udp({}, { maxPending: 0 }), RangeError],
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
