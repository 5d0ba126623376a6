// s08a-select.test.ts: rule S8a: select: a fair choice, null arms, else, misuse, and nothing that happens beside the winner.
import {
  AsyncResult,
  all,
  Channel,
  current,
  Event,
  Mutex,
  type Op,
  race,
  Semaphore,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { now, play, spawnQuietly, thrownAtCall, world } from './world.ts';

function full(value: number): Channel<number> {
  const channel = new Channel<number>(Number.POSITIVE_INFINITY);
  for (let i = 0; i < 3000; i += 1) channel.trySend(value);
  return channel;
}

describe('S8a Select', () => {
  it('makes a fair choice among several ready arms', () =>
    play(function* () {
      const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
      const op = select({ a: full(1).receive(), b: full(2).receive(), c: full(3).receive() });
      for (let i = 0; i < 3000; i += 1) counts[(yield* op).key] = (counts[(yield* op).key] ?? 0) + 1;
      for (const count of Object.values(counts)) expect(count).toBeGreaterThan(850);
    }));

  it('repeats its choices with the seed', async () => {
    const keys = function* (): Op<string> {
      const op = select({ a: full(1).receive(), b: full(2).receive() });
      let text = '';
      for (let i = 0; i < 64; i += 1) text += (yield* op).key;
      return text;
    };
    expect(await play(keys, { seed: 5 })).toBe(await play(keys, { seed: 5 }));
    expect(await play(keys, { seed: 5 })).not.toBe(await play(keys, { seed: 6 }));
  });

  it('takes the first ready arm in the order given with `priority`', () =>
    play(function* () {
      const [a, b] = [full(1), full(2)];
      for (let i = 0; i < 50; i += 1)
        expect(yield* select([new Channel<number>().receive(), a.receive(), b.receive()], { priority: true })).toEqual({
          key: 1,
          value: 1,
        });
      expect([a.length, b.length]).toEqual([2950, 3000]);
    }));

  it('throws UsageError without an arm and without `else`, at the call', () => {
    for (const arms of [{}, [], { a: null }, [null, null]])
      expect(thrownAtCall(() => select(arms as never))).toMatchObject({ code: 'ERR_USAGE' });
  });

  it('skips null arms and keeps the keys of the others', () =>
    play(function* () {
      expect(yield* select([null, full(7).receive(), null])).toEqual({ key: 1, value: 7 });
      expect(yield* select({ off: null, on: full(8).receive() })).toEqual({ key: 'on', value: 8 });
      expect(yield* select({ off: null }, { else: 'none' })).toEqual({ key: 'else', value: 'none' });
    }));

  it('never waits with `else`, whose value may be undefined', () =>
    play(function* () {
      const jobs = new Channel<number>();
      expect(yield* select({ jobs: jobs.receive() }, { else: undefined })).toEqual({ key: 'else', value: undefined });
      expect(yield* select({ jobs: full(1).receive() }, { else: 0 })).toEqual({ key: 'jobs', value: 1 });
      expect(jobs.balance).toBe(0);
    }));

  it('names the arm that is no Waitable, and says race(), at the call', () => {
    const composite = (function* (): Op<void> {})();
    for (const arm of [composite, all([]), race([sleep(1)]), timeout(1, composite)])
      expect(thrownAtCall(() => select({ good: sleep(1), bad: arm as never }))).toMatchObject({
        message: expect.stringMatching(/'bad'.*race\(\)/s),
      });
    for (const arm of [undefined, 5, 'x', Promise.resolve(), () => 1, [], {}, [sleep(1)]])
      expect(thrownAtCall(() => select({ bad: arm as never }))).toBeInstanceOf(TypeError);
    for (const arms of [undefined, null, 5, 'x'])
      expect(thrownAtCall(() => select(arms as never))).toBeInstanceOf(TypeError);
  });

  it('has one arm happen and retracts the others before the winner runs', () =>
    play(function* () {
      const channels = Array.from({ length: 10 }, () => new Channel<number>());
      const selecting = spawn(() => select(channels.map((channel) => channel.receive())));
      yield* yieldNow();
      expect(channels[7]?.trySend(1)).toBe(true);
      expect(channels.map(({ balance }) => balance)).toEqual(Array(10).fill(0));
      expect(channels[3]?.trySend(2)).toBe(false);
      expect(yield* selecting.get()).toEqual({ key: 7, value: 1 });
    }));

  it('has several arms on one thing, of which one happens', () =>
    play(function* () {
      const jobs = new Channel<number>();
      const permits = new Semaphore(0);
      const mutex = new Mutex();
      const flag = new Event();
      const result = new AsyncResult<number>();
      const child = spawn(() => sleep(20));
      const selecting = [
        spawn(() => select([jobs.receive(), jobs.receive()])),
        spawn(() => select([permits.acquire(), permits.acquire()])),
        spawn(() => select([flag.wait(), flag.wait()])),
        spawn(() => select([result.get(), result.wait(), result.get()])),
        spawn(() => select([child.join(), child.get(), child.join()])),
        spawn(() => select([sleep(5), sleep(5)])),
      ];
      yield* mutex.acquire();
      const locking = spawnQuietly(function* () {
        yield* select([mutex.acquire(), mutex.acquire()]);
        mutex.release();
      });
      yield* yieldNow();
      jobs.trySend(1);
      permits.release();
      permits.release();
      flag.set();
      result.set(1);
      mutex.release();
      for (const greenlet of [...selecting, locking]) yield* greenlet.join();
      expect(selecting.map(({ outcome }) => (outcome as { value: { key: number } }).value.key)).toEqual([
        0, 0, 0, 0, 0, 0,
      ]);
      expect([jobs.balance, permits.permits, mutex.locked, world().sleepers.size]).toEqual([0, 1, false, 0]);
    }));

  it('throws what the arm that happens throws, and only then', () =>
    play(function* () {
      const result = new AsyncResult<number>();
      const selecting = spawn(() => thrownBy(select({ a: result.get(), b: sleep(1000) })));
      yield* yieldNow();
      const error = new Error('set');
      result.setError(error);
      expect(yield* selecting.get()).toBe(error);
      expect(yield* thrownBy(select({ a: result.get() }))).toBe(error);
      expect(world().sleepers.size).toBe(0);
    }));

  it('nests: select and timeout are Waitables, in any depth', () =>
    play(function* () {
      const jobs = new Channel<number>();
      const nested = (): Op<unknown> =>
        select({ in: timeout(50, select({ deep: timeout(20, jobs.receive()), late: sleep(30) })), never: sleep(1000) });
      expect(yield* thrownBy(nested())).toBeInstanceOf(TimeoutError);
      expect(now()).toBe(20);
      spawn(function* () {
        yield* sleep(5);
        yield* jobs.send(7);
      });
      expect(yield* nested()).toEqual({ key: 'in', value: { key: 'deep', value: 7 } });
      expect([now(), world().sleepers.size, world().timeouts.size, jobs.balance]).toEqual([25, 0, 0, 0]);
    }));

  it('is a description that can be started again, also by many greenlets at once', () =>
    play(function* () {
      const jobs = new Channel<number>();
      const op = select({ jobs: jobs.receive(), tick: timeout(10, sleep(1000), { else: 'tick' }) });
      const selecting = [1, 2, 3].map(() => spawn(() => op));
      yield* sleep(1);
      yield* jobs.send(7);
      const values: unknown[] = [];
      for (const greenlet of selecting) values.push((yield* greenlet.get()).value);
      expect(values).toEqual([7, 'tick', 'tick']);
    }));

  it('times out, is killed and is thrown into, and leaves nothing behind', () =>
    play(function* () {
      const [a, b] = [new Channel<number>(), new Channel<number>()];
      const op = (): Op<unknown> => select({ a: a.receive(), b: b.send(1), c: sleep(1000) });
      expect(yield* thrownBy(timeout(5, select({ a: a.receive(), b: b.send(1) })))).toBeInstanceOf(TimeoutError);
      const victims = [spawnQuietly(op), spawnQuietly(op)];
      yield* yieldNow();
      expect([a.balance, b.balance, world().sleepers.size]).toEqual([-2, 2, 2]);
      victims[0]?.kill();
      victims[1]?.throw(new Error('x'));
      expect([a.balance, b.balance, world().sleepers.size]).toEqual([0, 0, 0]);
      for (const victim of victims) yield* victim.join();
      expect(current().state).toBe('running');
    }));
});
