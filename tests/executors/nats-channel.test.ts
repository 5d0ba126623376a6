// nats-channel.test.ts: channels between machines: the ends are in this process, and have nothing in common but the server.

import { jetstream } from '@nats-io/jetstream';
import { connect as connectClient, type NatsConnection } from '@nats-io/transport-node';
import {
  all,
  Event,
  forEach,
  type Greenlet,
  joinAll,
  type Op,
  run,
  scope,
  select,
  sleep,
  spawn,
  timeout,
  until,
} from 'tendril';
import {
  openRemoteChannel,
  type RemoteChannel,
  type RemoteChannelOptions,
  removeRemoteChannel,
} from 'tendril/executors/nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { outcomeOf } from '../samples/outcome.ts';
import { expectNothingLeft } from '../samples/settled.ts';
import { socketsLeft } from './client-sockets.ts';
import { untilTrue } from './conformance.ts';
import { leakyLink } from './leaky-link.ts';
import { type NatsServer, program, startNats } from './nats-server.ts';

describe.skipIf(program === undefined)('A channel between machines', () => {
  let server: NatsServer;
  let raw: NatsConnection;
  let channels = 0;

  beforeAll(async () => {
    server = await startNats();
    raw = await connectClient({ servers: server.address, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
  });
  afterAll(async () => {
    await raw.close();
    await server.end();
    expect(await run(() => socketsLeft())).toBe(0);
  });
  afterEach(expectNothingLeft);

  type Open = <T = number>(options?: RemoteChannelOptions) => Op<RemoteChannel<T>>;

  /** Run `body` with a channel of its own, which it opens ends of. */
  function withChannel<T>(body: (open: Open, name: string) => Op<T>): Promise<T> {
    channels += 1;
    const name = `c${channels}`;
    const ends: RemoteChannel<unknown>[] = [];
    return run(function* () {
      try {
        return yield* timeout(
          15_000,
          body(function* <V>(options?: RemoteChannelOptions) {
            const end = yield* openRemoteChannel<V>(name, { servers: server.address, ...options });
            ends.push(end as RemoteChannel<unknown>);
            return end;
          }, name),
        );
      } finally {
        for (const end of ends) yield* end.leave();
      }
    });
  }

  function* received(from: RemoteChannel<number>): Op<number[]> {
    const values: number[] = [];
    yield* forEach(from, function* (value) {
      values.push(value);
    });
    return values;
  }

  it('carries any data, in order, to one of those who receive', () =>
    withChannel(function* (open) {
      const near = yield* open<unknown>({ capacity: 10 });
      const values = [1, 'two', new Map([[3n, new Date(4)]]), undefined, new Uint8Array([5]), { $: 6 }];
      for (const value of values) yield* near.send(value);
      const far = yield* open<unknown>();
      const got: unknown[] = [];
      for (const _ of values) got.push(yield* far.receive());
      expect([got, far.capacity, near.name]).toEqual([values, 10, near.name]);
    }));

  it('is drained by all after it was closed, and then ends everywhere', () =>
    withChannel(function* (open) {
      const sender = yield* open({ capacity: 100, ahead: 100 });
      const receivers = [yield* open(), yield* open()];
      const reading = receivers.map((end) => spawn(() => received(end)));
      for (let n = 0; n < 50; n += 1) yield* sender.send(n);
      sender.close();
      const got = yield* all(reading.map((greenlet) => greenlet.get()));
      expect(got.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n));
      for (const values of got) expect([...values].sort((a, b) => a - b)).toEqual(values);
      yield* untilTrue(() => receivers.every(({ closed }) => closed));
      const late = yield* open();
      expect([
        sender.closed,
        late.closed,
        yield* outcomeOf(late.send(1)),
        yield* outcomeOf(late.receive()),
        yield* late.next(),
      ]).toEqual([true, true, 'ERR_CHANNEL_CLOSED', 'ERR_CHANNEL_CLOSED', { done: true, value: undefined }]);
    }));

  it('holds up senders everywhere at its capacity', () =>
    withChannel(function* (open) {
      const ends = [yield* open({ capacity: 3 }), yield* open()];
      let sent = 0;
      const sending = ends.map((end, i) =>
        spawn(function* (): Op<void> {
          for (let n = 0; n < 10; n += 1) {
            yield* end.send(100 * i + n);
            sent += 1;
          }
        }),
      );
      yield* sleep(150);
      // Three at the server, and one ahead in each end.
      expect(sent).toBe(5);
      const far = yield* open();
      const got: number[] = [];
      for (let n = 0; n < 20; n += 1) got.push(yield* far.receive());
      yield* joinAll(sending);
      for (const i of [0, 1])
        expect(got.filter((v) => Math.floor(v / 100) === i)).toEqual(
          got.filter((v) => Math.floor(v / 100) === i).sort((a, b) => a - b),
        );
      expect(sent).toBe(20);
    }));

  it('tries without waiting', () =>
    withChannel(function* (open) {
      const near = yield* open({ capacity: 1 });
      const far = yield* open({ prefetch: 1 });
      expect(far.tryReceive()).toBe(undefined);
      expect(near.trySend(1)).toBe(true);
      yield* near.flush();
      const waiting = spawn(() => far.receive());
      expect(yield* waiting.get()).toBe(1);
      expect(near.trySend(2)).toBe(true);
      yield* untilTrue(() => far.length === 1);
      expect([far.tryReceive(), far.tryReceive()]).toEqual([{ value: 2 }, undefined]);
      near.close();
      expect(() => near.trySend(3)).toThrow(/which is closed/);
    }));

  it('is an arm of a select, and loses nothing by it', () =>
    withChannel(function* (open) {
      const near = yield* open({ capacity: 2 });
      const far = yield* open();
      const got: number[] = [];
      let timeouts = 0;
      const reading = spawn(function* (): Op<void> {
        while (got.length < 30) {
          const first = yield* select({ value: far.receive(), late: sleep(1) });
          if (first.key === 'value') got.push(first.value);
          else timeouts += 1;
        }
      });
      let next = 0;
      while (next < 30) {
        const first = yield* select({ sent: near.send(next), late: sleep(1) });
        if (first.key === 'sent') next += 1;
        if (next % 10 === 0) yield* sleep(5);
      }
      yield* reading.join();
      expect(got).toEqual(Array.from({ length: 30 }, (_, n) => n));
      expect(timeouts).toBeGreaterThan(0);
    }));

  it('gives a value that a killed receiver was waiting for to another one', () =>
    withChannel(function* (open) {
      const [near, one, two] = [yield* open({ capacity: 5 }), yield* open(), yield* open()];
      const victims = [1, 2].map(() => spawn(() => one.receive()));
      yield* sleep(50);
      for (const victim of victims) victim.kill();
      yield* joinAll(victims as Greenlet<unknown>[]);
      yield* near.send(1);
      yield* near.send(2);
      const got = [yield* two.receive(), yield* two.receive()];
      expect(got.sort()).toEqual([1, 2]);
    }));

  it('gives what an end was given and has not taken to another, when that leaves', () =>
    withChannel(function* (open) {
      const near = yield* open({ capacity: 5, ahead: 5 });
      const hoarder = yield* open({ prefetch: 5 });
      for (let n = 0; n < 5; n += 1) yield* near.send(n);
      // It asks for as many as it may.
      expect(yield* hoarder.receive()).toBe(0);
      yield* untilTrue(() => hoarder.length === 4);
      yield* hoarder.leave();
      const far = yield* open();
      const got: number[] = [];
      for (let n = 0; n < 4; n += 1) got.push(yield* far.receive());
      expect(got).toEqual([1, 2, 3, 4]);
      expect(yield* outcomeOf(hoarder.receive())).toBe('ERR_ENGINE_CLOSED');
    }));

  it('gives what a lost end was given to another, when its time is over', () =>
    withChannel(function* (open, name) {
      const near = yield* open({ capacity: 5, ackWaitMs: 200 });
      // An end that takes a value and is never heard of again.
      const inbox = 'lost.end';
      const taken = new Event();
      const subscription = raw.subscribe(inbox, { callback: () => taken.set() });
      raw.publish(`$JS.API.CONSUMER.MSG.NEXT.TENDRIL_CHANNEL_${name}.receivers`, '{"batch":1,"expires":100000000}', {
        reply: inbox,
      });
      yield* near.send(1);
      yield* taken.wait();
      subscription.unsubscribe();
      const far = yield* open();
      const started = performance.now();
      expect(yield* far.receive()).toBe(1);
      expect(performance.now() - started).toBeGreaterThan(100);
    }));

  it('is closed for all by an end that closes and leaves at once, with what it had sent', () =>
    withChannel(function* (open, name) {
      const [near, far] = [yield* open({ capacity: 5 }), yield* open()];
      const receiving = spawn(() => received(far));
      yield* near.send(1);
      yield* near.send(2);
      near.close();
      yield* near.leave();
      expect(yield* receiving.get()).toEqual([1, 2]);
      const later = yield* open();
      expect([later.closed, yield* outcomeOf(later.receive())]).toEqual([true, 'ERR_CHANNEL_CLOSED']);
      yield* removeRemoteChannel(name, { servers: server.address });
      // An end of a channel that is closed has nothing to wait for when it leaves, nor has one whose channel was removed under it.
      const [closing, removed] = [yield* open({ capacity: 1 }), yield* open()];
      closing.close();
      yield* untilTrue(() => removed.closed);
      yield* removeRemoteChannel(name, { servers: server.address });
      yield* removed.leave();
      yield* closing.leave();
    }));

  it('ends who waits when it is closed elsewhere, and drops what was not handed over', () =>
    withChannel(function* (open) {
      const [near, far] = [yield* open({ capacity: 1 }), yield* open()];
      yield* near.send(1);
      yield* near.flush();
      // One in the outbox, one waiting.
      yield* near.send(2);
      const waiting = spawn(() => outcomeOf(near.send(3)));
      yield* sleep(20);
      far.close();
      expect([yield* waiting.get(), near.closed, yield* outcomeOf(near.flush())]).toEqual([
        'ERR_CHANNEL_CLOSED',
        true,
        'ERR_CHANNEL_CLOSED',
      ]);
      expect([yield* far.receive(), yield* outcomeOf(far.receive())]).toEqual([1, 'ERR_CHANNEL_CLOSED']);
    }));

  it('goes on when the server is killed and started again over its store', () =>
    withChannel(function* (open) {
      // What the server sends in the moment in which it is lost comes again after that time.
      const [near, far] = [yield* open({ capacity: 5, ackWaitMs: 1_000 }), yield* open()];
      const got: number[] = [];
      const reading = spawn(() =>
        forEach(far, function* (value) {
          got.push(value as number);
        }),
      );
      const sending = spawn(function* (): Op<void> {
        for (let n = 0; n < 60; n += 1) yield* near.send(n);
        near.close();
      });
      yield* untilTrue(() => got.length > 20);
      yield* until(server.kill());
      yield* sleep(50);
      yield* until(server.start());
      yield* joinAll([sending, reading]);
      // At least once.
      expect([...new Set(got)].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n));
    }));

  it('brings a value that was on its way when the connection broke, also after it was closed', async () => {
    const link = await leakyLink(server.port);
    await withChannel(function* (open) {
      const near = yield* open({ capacity: 5, ackWaitMs: 500 });
      const far = yield* open({ servers: link.address });
      yield* near.send(1);
      expect(yield* far.receive()).toBe(1);
      link.loseFrom('22');
      const receiving = spawn(() => received(far));
      yield* near.send(22);
      yield* untilTrue(() => link.losing);
      yield* near.send(3);
      near.close();
      link.cut();
      expect((yield* receiving.get()).sort((a, b) => a - b)).toEqual([3, 22]);
    }).finally(() => link.end());
  });

  it('puts an error in the place of what is no value, and refuses what cannot go', () =>
    withChannel(function* (open, name) {
      const [near, far] = [yield* open<unknown>({ capacity: 5 }), yield* open<unknown>()];
      yield* until(jetstream(raw).publish(`tendril.channel.${name}.value`, '{"$":"what"}'));
      yield* near.send('next');
      expect([yield* outcomeOf(far.receive()), yield* far.receive()]).toEqual(['ERR_MESSAGE_MALFORMED', 'next']);
      expect(() => near.send({ list: [() => 1] })).toThrow(/the value.list\[0\] is a function/);
      expect(() => near.trySend('x'.repeat(2_000_000))).toThrow(/max_payload/);
      yield* near.send('last');
      expect(yield* far.receive()).toBe('last');
    }));

  it('survives kills, timeouts and closes at any moment', () =>
    withChannel(function* (open) {
      const [near, far] = [yield* open({ capacity: 4 }), yield* open()];
      const sent: number[] = [];
      const got: number[] = [];
      let next = 0;
      yield* scope(function* (s) {
        for (let i = 0; i < 40; i += 1) {
          const victims = [
            s.spawn(function* (): Op<void> {
              for (;;) {
                const n = next++;
                yield* near.send(n);
                sent.push(n);
              }
            }),
            s.spawn(function* (): Op<void> {
              for (;;) got.push(yield* timeout(1 + (i % 5), far.receive(), { else: -1 }));
            }),
          ];
          s.spawn(function* (): Op<void> {
            yield* sleep((i * 7) % 60);
            for (const victim of victims) victim.kill();
          });
        }
      });
      near.close();
      got.push(...(yield* received(far)));
      expect(got.filter((n) => n !== -1).sort((a, b) => a - b)).toEqual(sent.sort((a, b) => a - b));
    }));

  it('lets go of each wait that is killed, thrown at, timed out or not chosen, and goes on', () =>
    withChannel(function* (open) {
      const near = yield* open({ capacity: 1 });
      const [one, two] = [yield* open(), yield* open()];
      yield* near.send(0);
      yield* near.flush();
      yield* near.send(1);
      // Full: one at the server, one ahead.
      const full: [string, () => Op<unknown>][] = [
        ['send', () => near.send(99)],
        ['flush', () => near.flush()],
      ];
      const thrown = new Error('thrown in');
      function* interrupt([name, op]: [string, () => Op<unknown>]): Op<unknown> {
        const [killed, hit] = [spawn(op), spawn(() => outcomeOf(op()))];
        yield* sleep(20);
        killed.kill();
        hit.throw(thrown);
        yield* killed.join();
        return [name, killed.killed, yield* hit.get(), yield* timeout(20, op(), { else: 'late' })];
      }
      const seen: unknown[] = [];
      for (const wait of full) seen.push(yield* interrupt(wait));
      seen.push((yield* select({ send: near.send(99), late: sleep(20) })).key);
      expect(seen).toEqual([['send', true, String(thrown), 'late'], ['flush', true, String(thrown), 'late'], 'late']);
      expect([yield* two.receive(), yield* two.receive()]).toEqual([0, 1]);
      // Empty.
      seen.length = 0;
      const empty: [string, () => Op<unknown>][] = [
        ['receive', () => two.receive()],
        ['next', () => two.next()],
      ];
      for (const wait of empty) seen.push(yield* interrupt(wait));
      expect(seen).toEqual([
        ['receive', true, String(thrown), 'late'],
        ['next', true, String(thrown), 'late'],
      ]);
      yield* near.send(2);
      expect(yield* one.receive()).toBe(2);
    }));

  it('is removed, and is a new one then', () =>
    withChannel(function* (open, name) {
      const first = yield* open();
      first.close();
      yield* outcomeOf(first.receive());
      yield* first.leave();
      yield* removeRemoteChannel(name, { servers: server.address });
      yield* removeRemoteChannel(name, { servers: server.address });
      const second = yield* open();
      yield* second.send(1);
      expect(yield* second.receive()).toBe(1);
    }));
});
