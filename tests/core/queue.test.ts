// queue.test.ts: what every queue does alike, in all four kinds: waiting, order of greenlets, close, kill, select. The orders of items follow at the end.
import { forEach } from 'tendril';
import {
  type Greenlet,
  JoinableQueue,
  LifoQueue,
  type Op,
  PriorityQueue,
  Queue,
  QueueClosedError,
  QueueEmptyError,
  QueueFullError,
  ResourceError,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril/core';
import { afterEach, describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { play, spawnQuietly, thrownAtCall, unwatchAll, watch } from './world.ts';

afterEach(unwatchAll);

type Make = (capacity?: number, items?: readonly number[]) => Queue<number>;

const kinds: Readonly<Record<string, Make>> = {
  Queue: (capacity, items) => watch(new Queue(capacity, { items, name: 'jobs' })),
  LifoQueue: (capacity, items) => watch(new LifoQueue(capacity, { items, name: 'jobs' })),
  PriorityQueue: (capacity, items) => watch(new PriorityQueue(capacity, { items, name: 'jobs' })),
  JoinableQueue: (capacity, items) => watch(new JoinableQueue(capacity, { items, name: 'jobs' })),
};

function* valuesOf<T>(greenlets: readonly Greenlet<T>[]): Op<T[]> {
  const values: T[] = [];
  for (const greenlet of greenlets) values.push(yield* greenlet.get());
  return values;
}

describe.each(Object.entries(kinds))('%s', (_, make) => {
  it('gives an item at once if there is one, and takes one at once if there is room', () =>
    play(function* () {
      const queue = make(2);
      yield* queue.put(1);
      expect([queue.length, yield* queue.peek(), yield* queue.get(), queue.length]).toEqual([1, 1, 1, 0]);
    }));

  it('makes getters wait while it is empty, and serves the oldest first', () =>
    play(function* () {
      const queue = make();
      const getters = [1, 2, 3].map(() => spawn(() => queue.get()));
      yield* yieldNow();
      for (const value of [10, 20, 30]) yield* queue.put(value);
      expect(queue.length).toBe(0); // handed over, never stored
      expect(yield* valuesOf(getters)).toEqual([10, 20, 30]);
    }));

  it('makes putters wait while it is full, and lets the oldest in first', () =>
    play(function* () {
      const queue = make(1);
      const putters = [1, 2, 3].map((value) => spawn(() => queue.put(value)));
      yield* yieldNow();
      expect(putters.map((putter) => putter.state)).toEqual(['done', 'parked', 'parked']);
      const got: number[] = [];
      for (let i = 0; i < 3; i += 1) got.push(yield* queue.get());
      expect(got).toEqual([1, 2, 3]);
      yield* valuesOf(putters);
    }));

  it('S12 lets nobody take what was handed to a waiting getter, nor the room of a waiting putter', () =>
    play(function* () {
      const queue = make(1);
      const getter = spawn(() => queue.get());
      yield* yieldNow();
      queue.tryPut(1);
      expect([queue.tryGet(), queue.length]).toEqual([undefined, 0]);
      expect(yield* getter.get()).toBe(1);
      queue.tryPut(2);
      const putter = spawn(() => queue.put(3));
      yield* yieldNow();
      expect(queue.tryGet()).toEqual({ value: 2 });
      expect([queue.tryPut(4), queue.length]).toEqual([false, 1]);
      yield* putter.get();
      expect(queue.tryGet()).toEqual({ value: 3 });
    }));

  it('S6 gives nothing to a getter that is killed, and the next one is served', () =>
    play(function* () {
      const queue = make();
      const [victim, next] = [spawnQuietly(() => queue.get()), spawn(() => queue.get())];
      yield* yieldNow();
      victim.kill();
      yield* queue.put(1);
      expect(yield* next.get()).toBe(1);
      expect([victim.outcome?.ok, queue.getters.size]).toEqual([false, 0]);
    }));

  it('S6 takes nothing from a putter that is killed: its item goes with it', () =>
    play(function* () {
      const queue = make(1, [1]);
      const [victim, next] = [spawnQuietly(() => queue.put(2)), spawn(() => queue.put(3))];
      yield* yieldNow();
      victim.kill();
      expect([yield* queue.get(), yield* queue.get(), queue.length]).toEqual([1, 3, 0]);
      yield* next.get();
      expect([queue.unfinished, queue.putters.size]).toEqual([2, 0]);
    }));

  it('S7 never queues again what was handed over: a getter killed after that returns it', () =>
    play(function* () {
      const queue = make();
      const victim = spawn(() => queue.get());
      yield* yieldNow();
      yield* queue.put(1);
      victim.kill();
      yield* victim.join();
      expect([victim.outcome, queue.length]).toEqual([{ ok: true, value: 1, killed: true }, 0]);
    }));

  it('times out with nothing taken and nothing put', () =>
    play(function* () {
      const queue = make(1);
      expect(yield* thrownBy(timeout(5, queue.get()))).toBeInstanceOf(TimeoutError);
      expect(yield* timeout(5, queue.peek(), { else: 'late' })).toBe('late');
      yield* queue.put(1);
      expect(yield* timeout(5, queue.put(2), { else: 'late' })).toBe('late');
      expect([queue.length, queue.getters.size, queue.putters.size]).toEqual([1, 0, 0]);
    }));

  it('is an arm of select to get, to peek and to put', () =>
    play(function* () {
      const [queue, full] = [make(1), make(1, [9])];
      expect((yield* select({ get: queue.get(), put: full.put(8), tick: sleep(5) })).key).toBe('tick');
      expect([queue.getters.size, full.putters.size, full.length]).toEqual([0, 0, 1]);
      const waiting = spawn(() => select({ get: queue.get(), put: full.put(8) }));
      const peeking = spawn(() => select({ peek: queue.peek(), tick: sleep(5) }));
      yield* yieldNow();
      expect(yield* full.get()).toBe(9);
      expect(yield* waiting.get()).toEqual({ key: 'put', value: undefined });
      yield* queue.put(7);
      expect(yield* peeking.get()).toEqual({ key: 'peek', value: 7 });
      expect([queue.length, full.length]).toEqual([1, 1]);
      expect((yield* select({ put: queue.put(6) }, { else: 0 })).key).toBe('else');
    }));

  it('shows an item to all who peek, and then gives it to the first who takes it', () =>
    play(function* () {
      const queue = make();
      const ops = [queue.peek(), queue.peek(), queue.get(), queue.peek(), queue.get()];
      const [one, two, taker, late, last] = ops.map((op) => spawn(() => op)) as Greenlet<number>[];
      yield* yieldNow();
      yield* queue.put(1);
      yield* sleep(1);
      expect([one, two, taker, late, last].map((greenlet) => greenlet?.state)).toEqual([
        'done',
        'done',
        'done',
        'parked',
        'parked',
      ]);
      yield* queue.put(2);
      expect(yield* valuesOf([one, two, taker, late, last] as Greenlet<number>[])).toEqual([1, 1, 1, 2, 2]);
      const alone = spawn(() => queue.peek());
      yield* yieldNow();
      yield* queue.put(3);
      expect([yield* alone.get(), queue.length, queue.unfinished]).toEqual([3, 1, 3]);
    }));

  it('loses nothing to a select that both peeks and gets', () =>
    play(function* () {
      const queue = make();
      const both = spawn(() => select({ peek: queue.peek(), get: queue.get() }));
      yield* yieldNow();
      yield* queue.put(1);
      expect([yield* both.get(), queue.length]).toEqual([{ key: 'peek', value: 1 }, 1]);
    }));

  it('has twins that never wait, as get_nowait and put_nowait: undefined and false, or an error', () =>
    play(function* () {
      const queue = make(1);
      expect([queue.tryGet(), queue.tryPeek()]).toEqual([undefined, undefined]);
      expect(thrownAtCall(() => queue.getNow())).toMatchObject({
        code: 'ERR_QUEUE_EMPTY',
        message: 'queue jobs is empty',
      });
      queue.putNow(1);
      expect(thrownAtCall(() => queue.putNow(2))).toMatchObject({
        code: 'ERR_QUEUE_FULL',
        message: 'queue jobs is full: its capacity is 1',
      });
      expect([queue.tryPeek(), queue.getNow(), queue.length]).toEqual([{ value: 1 }, 1, 0]);
      expect([queue.tryPut(3), queue.tryPut(4), queue.tryGet()]).toEqual([true, false, { value: 3 }]);
      for (const error of [new QueueEmptyError(''), new QueueFullError('', 1)])
        expect(error).toBeInstanceOf(ResourceError);
    }));

  it('can be used from ordinary code, except for waiting', () => {
    const queue = make(1);
    queue.putNow(1);
    expect([queue.tryPut(2), queue.getNow(), queue.tryGet()]).toEqual([false, 1, undefined]);
  });

  describe('close', () => {
    it('lets getters drain it before they see the end, and putters at once', () =>
      play(function* () {
        const queue = make(2, [1, 2]);
        const putter = spawn(() => thrownBy(queue.put(3)));
        yield* yieldNow();
        expect(queue.close()).toEqual([]);
        expect([queue.closed, queue.length]).toEqual([true, 2]);
        expect(yield* putter.get()).toMatchObject({
          code: 'ERR_QUEUE_CLOSED',
          message: 'put on queue jobs, which is closed',
        });
        expect(thrownAtCall(() => queue.tryPut(4))).toBeInstanceOf(QueueClosedError);
        expect(thrownAtCall(() => queue.putNow(4))).toBeInstanceOf(QueueClosedError);
        expect([yield* queue.get(), yield* queue.peek(), yield* queue.get()].toSorted()).toEqual(
          _ === 'LifoQueue' ? [1, 1, 2] : [1, 2, 2],
        );
        for (const op of [queue.get(), queue.peek(), queue.put(4)])
          expect(yield* thrownBy(op)).toBeInstanceOf(QueueClosedError);
        for (const act of [() => queue.tryGet(), () => queue.tryPeek(), () => queue.getNow()])
          expect(thrownAtCall(act)).toBeInstanceOf(QueueClosedError);
      }));

    it('wakes those who wait for an item, with QueueClosedError, also as an arm of select', () =>
      play(function* () {
        const queue = make();
        const waiting = [queue.get(), queue.peek(), select([queue.get()])].map((op) => spawn(() => thrownBy(op)));
        yield* yieldNow();
        queue.close();
        queue.close();
        for (const error of yield* valuesOf(waiting)) expect(error).toBeInstanceOf(QueueClosedError);
      }));

    it('immediately drops what is in it, and returns that in the order in which it would have come out', () =>
      play(function* () {
        const queue = make(3, [2, 1, 3]);
        const putter = spawn(() => thrownBy(queue.put(4)));
        yield* yieldNow();
        const expected = { Queue: [2, 1, 3], JoinableQueue: [2, 1, 3], LifoQueue: [3, 1, 2], PriorityQueue: [1, 2, 3] };
        expect(queue.close({ immediate: true })).toEqual(expected[_ as keyof typeof expected]);
        expect([queue.length, queue.unfinished]).toEqual([0, 0]);
        expect(yield* putter.get()).toBeInstanceOf(QueueClosedError);
        expect(yield* thrownBy(queue.get())).toBeInstanceOf(QueueClosedError);
        expect(queue.close({ immediate: true })).toEqual([]);
      }));

    it('immediately can come after a close that drains', () =>
      play(function* () {
        const queue = make(3, [1, 2]);
        queue.close();
        expect((yield* queue.get()) + (queue.close({ immediate: true })[0] ?? 0)).toBe(3);
        expect(thrownAtCall(() => queue.tryGet())).toBeInstanceOf(QueueClosedError);
      }));

    it('S6 leaves those who had their item alone', () =>
      play(function* () {
        const queue = make(1, [1]);
        const putter = spawn(() => queue.put(2));
        yield* yieldNow();
        expect(yield* queue.get()).toBe(1); // its item moved up: the put has happened
        const getter = spawn(() => queue.get());
        yield* yieldNow();
        queue.close({ immediate: true });
        yield* putter.get();
        expect(yield* getter.get()).toBe(2);
      }));
  });

  describe('join', () => {
    it('returns at once if nothing was put, and waits until taskDone was called for all that was', () =>
      play(function* () {
        const queue = make(1);
        yield* queue.join();
        const log: unknown[] = [];
        const worker = spawn(function* () {
          for (let i = 0; i < 3; i += 1) {
            const item = yield* queue.get();
            yield* sleep(1);
            log.push(item);
            queue.taskDone();
          }
        });
        for (const item of [1, 2, 3]) yield* queue.put(item);
        const joiners = [1, 2].map(() =>
          spawn(function* () {
            yield* queue.join();
            log.push('joined');
          }),
        );
        yield* valuesOf([worker, ...joiners]);
        expect([...log, queue.unfinished]).toEqual([1, 2, 3, 'joined', 'joined', 0]);
      }));

    it('counts initial items, and putters that were let in, but none that waits or was killed', () =>
      play(function* () {
        const queue = make(1, [1]);
        const [victim, other] = [spawnQuietly(() => queue.put(2)), spawn(() => queue.put(3))];
        yield* yieldNow();
        expect(queue.unfinished).toBe(1);
        victim.kill();
        yield* queue.get();
        expect(queue.unfinished).toBe(2);
        yield* other.get();
      }));

    it('counts what is handed straight to a waiting getter', () =>
      play(function* () {
        const queue = make();
        const getter = spawn(() => queue.get());
        yield* yieldNow();
        yield* queue.put(1);
        yield* getter.get();
        expect([queue.length, queue.unfinished]).toEqual([0, 1]);
        queue.taskDone();
        yield* queue.join();
      }));

    it('refuses one taskDone too many with a UsageError', () =>
      play(function* () {
        const queue = make(2, [1]);
        queue.taskDone();
        expect(thrownAtCall(() => queue.taskDone())).toMatchObject({
          code: 'ERR_USAGE',
          message: 'taskDone on queue jobs was called more often than items were put into it',
        });
        expect(queue.close({ immediate: true })).toEqual([1]);
        expect(queue.unfinished).toBe(0);
      }));

    it('can be killed, time out, be an arm, and is woken by an immediate close', () =>
      play(function* () {
        const queue = make(2, [1]);
        const victim = spawnQuietly(() => queue.join());
        yield* yieldNow();
        victim.kill();
        expect(queue.joiners.size).toBe(0);
        expect(yield* timeout(5, queue.join(), { else: 'late' })).toBe('late');
        const arm = spawn(() => select({ joined: queue.join(), never: sleep(1000) }));
        yield* yieldNow();
        queue.close();
        yield* yieldNow();
        expect([arm.state, queue.joiners.size]).toEqual(['parked', 1]);
        queue.close({ immediate: true });
        expect((yield* arm.get()).key).toBe('joined');
      }));
  });

  it('ends an iteration when it is closed and drained', () =>
    play(function* () {
      const queue = make(2, [1, 2]);
      queue.close();
      let sum = 0;
      for (let step = yield* queue.next(); step.done !== true; step = yield* queue.next()) sum += step.value;
      expect(sum).toBe(3);
      const looped: number[] = [];
      const looping = make(2, [5, 5]);
      looping.close();
      yield* forEach(looping, function* (value) {
        looped.push(value);
        yield* sleep(1);
      });
      expect(looped).toEqual([5, 5]);
      const empty = make();
      const waiting = spawn(() => empty.next());
      yield* yieldNow();
      empty.close();
      expect(yield* waiting.get()).toEqual({ done: true, value: undefined });
    }));

  it.each([0, -1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY])(
    'refuses a capacity of %s with RangeError',
    (capacity) => {
      expect(() => make(capacity)).toThrow(RangeError);
    },
  );

  it('refuses more initial items than its capacity, with QueueFullError', () => {
    expect(make(2, [1, 2]).length).toBe(2);
    expect(() => make(2, [1, 2, 3])).toThrow(QueueFullError);
  });

  it('has no limit by default, and takes options alone', () => {
    const queue = make();
    for (let i = 0; i < 1000; i += 1) queue.putNow(i);
    expect([queue.length, queue.capacity]).toEqual([1000, Number.POSITIVE_INFINITY]);
    for (const Kind of [Queue, LifoQueue, PriorityQueue, JoinableQueue]) {
      const made = new Kind<number>({ items: [1, 2], name: 'n' });
      expect([made.length, made.capacity, made.name]).toEqual([2, Number.POSITIVE_INFINITY, 'n']);
      expect(made).toBeInstanceOf(Queue);
    }
  });

  it('keeps a backlog and drains it in CPU time that grows with its size only', { timeout: 20_000 }, () => {
    const timeOf = (count: number): number => {
      const queue = make();
      const before = process.cpuUsage();
      for (let i = 0; i < count; i += 1) queue.putNow((i * 7919) % count);
      for (let i = 0; i < count; i += 1) queue.getNow();
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    unwatchAll();
    // The least of some runs, against what other processes take. Linear growth gives about 10, quadratic 100.
    const least = (count: number): number => Math.min(...Array.from({ length: 7 }, () => timeOf(count)));
    least(10_000);
    expect(least(100_000) / least(10_000)).toBeLessThan(50);
  });
});

describe('The order of items', () => {
  it('is first in first out in Queue, with undefined, null, NaN and errors as items', () =>
    play(function* () {
      const items = [undefined, null, Number.NaN, new Error('an item'), 0, ''];
      const queue = watch(new Queue<unknown>());
      for (const item of items) yield* queue.put(item);
      const got: unknown[] = [];
      while (queue.length > 0) got.push(yield* queue.get());
      expect(got).toEqual(items);
      queue.putNow(undefined);
      expect([queue.tryPeek(), queue.tryGet(), queue.tryGet()]).toEqual([
        { value: undefined },
        { value: undefined },
        undefined,
      ]);
    }));

  it('is last in first out in LifoQueue', () => {
    const queue = new LifoQueue<string>(Number.POSITIVE_INFINITY, { items: ['a', 'b'] });
    queue.putNow('c');
    expect([queue.tryPeek()?.value, queue.getNow(), queue.getNow(), queue.getNow()]).toEqual(['c', 'c', 'b', 'a']);
  });
});
