// s07-channels.test.ts: rule S7: order, linearity, close, kill and the try twins of channels.
import {
  Channel,
  ChannelClosedError,
  type Greenlet,
  type Op,
  select,
  sleep,
  spawn,
  timeout,
  yieldNow,
} from 'tendril/core';
import { afterEach, describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { play, spawnQuietly, thrownAtCall, unwatchAll, watch } from './world.ts';

afterEach(unwatchAll);

function channel<T>(capacity = 0): Channel<T> {
  const made = new Channel<T>(capacity);
  watch(made);
  return made;
}

describe('S7 Channels: capacity 0 to n or Infinity', () => {
  it.each([Number.NaN, -1, 1.5, Number.NEGATIVE_INFINITY, '1', null])(
    'refuses a capacity of %s with RangeError',
    (capacity) => {
      expect(thrownAtCall(() => new Channel(capacity as number))).toBeInstanceOf(RangeError);
    },
  );

  it.each([0, 1, 3, Number.POSITIVE_INFINITY])('keeps values in order with capacity %s', (capacity) =>
    play(function* () {
      const jobs = channel<number>(capacity);
      const sender = spawn(function* () {
        for (let i = 0; i < 20; i += 1) yield* jobs.send(i);
        jobs.close();
      });
      const received: number[] = [];
      for (;;) {
        try {
          received.push(yield* jobs.receive());
        } catch (error) {
          expect(error).toBeInstanceOf(ChannelClosedError);
          break;
        }
      }
      yield* sender.join();
      expect(received).toEqual(Array.from({ length: 20 }, (_, i) => i));
    }),
  );

  it('lets exactly `capacity` values wait before a sender parks', () =>
    play(function* () {
      const jobs = channel<number>(2);
      expect([jobs.trySend(1), jobs.trySend(2), jobs.trySend(3), jobs.length]).toEqual([true, true, false, 2]);
      const sender = spawn(() => jobs.send(3));
      yield* yieldNow();
      expect([sender.state, jobs.length, jobs.balance]).toEqual(['parked', 2, 1]);
      expect([yield* jobs.receive(), jobs.length, jobs.balance]).toEqual([1, 2, 0]);
      yield* sender.join();
    }));

  it('carries undefined, null, NaN and errors as values', () =>
    play(function* () {
      const jobs = channel<unknown>(1);
      const error = new Error('a value');
      for (const value of [undefined, null, Number.NaN, error]) {
        yield* jobs.send(value);
        expect(yield* jobs.receive()).toBe(value);
        spawn(() => jobs.send(value));
        yield* yieldNow();
        expect(jobs.tryReceive()).toEqual({ value });
      }
    }));
});

describe('S7 Channels: FIFO on both sides', () => {
  it('serves receivers in the order in which they came', () =>
    play(function* () {
      const jobs = channel<number>();
      const order: string[] = [];
      const receivers = ['a', 'b', 'c'].map((name) =>
        spawn(function* () {
          order.push(`${name}${yield* jobs.receive()}`);
        }),
      );
      yield* yieldNow();
      expect(jobs.balance).toBe(-3);
      for (let i = 0; i < 3; i += 1) yield* jobs.send(i);
      for (const receiver of receivers) yield* receiver.join();
      expect(order).toEqual(['a0', 'b1', 'c2']);
    }));

  it('serves senders in the order in which they came, and a killed one takes its value back', () =>
    play(function* () {
      const jobs = channel<number>(1);
      jobs.trySend(-1);
      const senders = [0, 1, 2, 3].map((i) => spawnQuietly(() => jobs.send(i)));
      yield* yieldNow();
      expect(jobs.balance).toBe(4);
      (senders[1] as Greenlet<void>).kill();
      expect(jobs.balance).toBe(3);
      const received: number[] = [];
      while (received.length < 4) received.push(yield* jobs.receive());
      expect([received, jobs.tryReceive()]).toEqual([[-1, 0, 2, 3], undefined]);
      for (const sender of senders) yield* sender.join();
    }));

  it('hands over before anybody who comes later can take: linearizable', () =>
    play(function* () {
      const jobs = channel<number>();
      const receiver = spawn(() => jobs.receive());
      yield* yieldNow();
      expect(jobs.trySend(1)).toBe(true);
      expect([jobs.tryReceive(), jobs.trySend(2)]).toEqual([undefined, false]);
      expect(yield* receiver.get()).toBe(1);
    }));

  it('returns normally from a send whose value was taken, and never queues again what was handed over', () =>
    play(function* () {
      const jobs = channel<number>(1);
      const receiver = spawnQuietly(function* () {
        yield* jobs.receive();
        yield* sleep(1);
      });
      yield* yieldNow();
      yield* jobs.send(1);
      receiver.kill();
      yield* receiver.join();
      expect([jobs.length, jobs.tryReceive()]).toEqual([0, undefined]);
    }));
});

describe('S7 Channels: close', () => {
  it('is idempotent and lets receivers drain the buffer before they see the end', () =>
    play(function* () {
      const jobs = channel<number>(3);
      jobs.trySend(1);
      jobs.trySend(2);
      jobs.close();
      jobs.close();
      expect([jobs.closed, yield* jobs.receive(), jobs.tryReceive()]).toEqual([true, 1, { value: 2 }]);
      expect(yield* thrownBy(jobs.receive())).toBeInstanceOf(ChannelClosedError);
      expect(thrownAtCall(() => jobs.tryReceive())).toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
    }));

  it('throws at once in waiting senders, whose values were not sent, and in later ones', () =>
    play(function* () {
      const jobs = channel<number>(1);
      jobs.trySend(0);
      const errors: unknown[] = [];
      const sender = spawn(function* () {
        errors.push(yield* thrownBy(jobs.send(1)));
      });
      yield* yieldNow();
      jobs.close();
      yield* sender.join();
      errors.push(
        yield* thrownBy(jobs.send(2)),
        thrownAtCall(() => jobs.trySend(3)),
      );
      expect(errors.map((error) => (error as { code: string }).code)).toEqual(Array(3).fill('ERR_CHANNEL_CLOSED'));
      expect([jobs.tryReceive(), thrownAtCall(() => jobs.tryReceive())]).toMatchObject([{ value: 0 }, {}]);
    }));

  it('wakes every waiting receiver, each with an error of its own and its own stack', () =>
    play(function* () {
      const jobs = channel<number>();
      const errors: Error[] = [];
      const waiting = function* theWaiter(): Op<void> {
        errors.push((yield* thrownBy(jobs.receive())) as Error);
      };
      const receivers = [spawn(waiting), spawn(waiting)];
      yield* yieldNow();
      jobs.close();
      for (const receiver of receivers) yield* receiver.join();
      expect(errors).toHaveLength(2);
      expect(errors[0]).not.toBe(errors[1]);
      expect(errors[0]?.stack).toContain('theWaiter');
    }));

  it('wakes a select that waits on it, with the error, and retracts its other arms', () =>
    play(function* () {
      const jobs = channel<number>();
      const other = channel<number>();
      const selecting = spawn(() =>
        thrownBy(select({ jobs: jobs.receive(), send: jobs.send(1), other: other.receive() })),
      );
      yield* yieldNow();
      jobs.close();
      expect(yield* selecting.get()).toBeInstanceOf(ChannelClosedError);
      expect([jobs.balance, other.balance]).toEqual([0, 0]);
    }));

  it('names the channel and the operation', () =>
    play(function* () {
      const jobs = new Channel<number>(0, { name: 'jobs' });
      jobs.close();
      expect(yield* thrownBy(jobs.send(1))).toMatchObject({ message: 'send on channel jobs, which is closed' });
    }));
});

describe('S7 Channels: balance, try twins and time', () => {
  it('has as balance waiting senders minus waiting receivers', () =>
    play(function* () {
      const jobs = channel<number>();
      const greenlets: Greenlet<unknown>[] = [spawnQuietly(() => jobs.receive()), spawnQuietly(() => jobs.receive())];
      yield* yieldNow();
      expect(jobs.balance).toBe(-2);
      for (const greenlet of greenlets) greenlet.kill();
      greenlets.push(spawnQuietly(() => jobs.send(1)));
      yield* yieldNow();
      expect(jobs.balance).toBe(1);
      greenlets.at(-1)?.kill();
      expect(jobs.balance).toBe(0);
    }));

  it('never waits with the try twins, which work in ordinary code too', () => {
    const jobs = new Channel<number>(1);
    expect([jobs.tryReceive(), jobs.trySend(1), jobs.trySend(2), jobs.tryReceive()]).toEqual([
      undefined,
      true,
      false,
      { value: 1 },
    ]);
  });

  it('takes from a waiting sender and moves the next one up, with tryReceive', () =>
    play(function* () {
      const jobs = channel<number>(1);
      jobs.trySend(0);
      const senders = [1, 2].map((i) => spawn(() => jobs.send(i)));
      yield* yieldNow();
      expect([jobs.tryReceive(), jobs.length, jobs.balance]).toEqual([{ value: 0 }, 1, 1]);
      expect([jobs.tryReceive(), jobs.tryReceive(), jobs.tryReceive()]).toEqual([
        { value: 1 },
        { value: 2 },
        undefined,
      ]);
      for (const sender of senders) yield* sender.join();
    }));

  it('times out on either side and leaves nothing behind', () =>
    play(function* () {
      const jobs = channel<number>();
      expect(yield* timeout(5, jobs.receive(), { else: 'none' })).toBe('none');
      expect(yield* timeout(5, jobs.send(1), { else: 'none' })).toBe('none');
      expect([jobs.balance, jobs.trySend(1)]).toEqual([0, false]);
    }));

  it('is used by one select on both ends without meeting itself', () =>
    play(function* () {
      const jobs = channel<number>();
      const both = spawn(() => select({ in: jobs.receive(), out: jobs.send(1) }));
      yield* yieldNow();
      expect([both.state, jobs.senders.size, jobs.receivers.size]).toEqual(['parked', 1, 1]);
      const other = yield* select({ in: jobs.receive(), out: jobs.send(2) });
      const mine = yield* both.get();
      expect([other.key, mine.key].sort()).toEqual(['in', 'out']);
      expect(jobs.balance).toBe(0);
    }));
});
