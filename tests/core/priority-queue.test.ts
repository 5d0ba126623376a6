// priority-queue.test.ts: the order of PriorityQueue, and comparisons that throw. What all queues do is in queue.test.ts.
import { PriorityQueue, sleep, spawn, yieldNow } from 'tendril/core';
import { afterEach, describe, expect, it } from 'vitest';
import { StableHeap } from '../../core/stable-heap.ts';
import { thrownBy } from '../thrown-by.ts';
import { play, thrownAtCall, unwatchAll, watch } from './world.ts';

afterEach(unwatchAll);

interface Job {
  readonly priority: number;
  readonly name: string;
}
const byPriority = (a: Job, b: Job): number => a.priority - b.priority;

function drained<T>(queue: PriorityQueue<T>): T[] {
  const values: T[] = [];
  while (queue.length > 0) values.push(queue.getNow());
  return values;
}

function* numbers(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state;
  }
}

describe('PriorityQueue', () => {
  it.each([
    ['numbers', [5, 1, 4, Number.POSITIVE_INFINITY, -2, 4], [-2, 1, 4, 4, 5, Number.POSITIVE_INFINITY]],
    ['bigints', [3n, 1n, 2n], [1n, 2n, 3n]],
    ['strings', ['b', 'a', 'c'], ['a', 'b', 'c']],
  ])('gives the smallest of %s first', (_, items, sorted) => {
    expect(drained(new PriorityQueue<unknown>({ items }))).toEqual(sorted);
  });

  it('gives equal ones in the order in which they were put, whatever comes and goes in between', () => {
    const queue = new PriorityQueue<Job>({ compare: byPriority });
    const random = numbers(7);
    let count = 0;
    const model: Job[] = [];
    for (let i = 0; i < 5000; i += 1) {
      if ((random.next().value as number) % 5 < 3) {
        const job = { priority: (random.next().value as number) % 4, name: `job ${count++}` };
        queue.putNow(job);
        model.push(job);
        model.sort(byPriority); // stable
      } else if (model.length > 0) {
        expect(queue.getNow()).toBe(model.shift());
      }
    }
    expect(drained(queue)).toEqual(model);
  });

  it('sorts what is put out of what is waiting: a putter that waits for room has no say yet', () =>
    play(function* () {
      const queue = watch(new PriorityQueue<number>(2, { items: [5, 6] }));
      const putter = spawn(() => queue.put(1));
      yield* yieldNow();
      expect([yield* queue.get(), yield* queue.get(), yield* queue.get()]).toEqual([5, 1, 6]);
      yield* putter.get();
    }));

  it('serves workers with the most urgent job first, as gevent does', () =>
    play(function* () {
      const queue = watch(new PriorityQueue<Job>({ compare: byPriority }));
      const done: string[] = [];
      for (const [priority, name] of [
        [3, 'c'],
        [1, 'a'],
        [2, 'b'],
        [1, 'a2'],
      ] as const)
        queue.putNow({ priority, name });
      queue.close();
      const worker = spawn(function* () {
        for (let step = yield* queue.next(); step.done !== true; step = yield* queue.next()) {
          yield* sleep(1);
          done.push(step.value.name);
        }
      });
      yield* worker.get();
      expect(done).toEqual(['a', 'a2', 'b', 'c']);
    }));

  it.each([
    ['objects', {}, {}],
    ['NaN', Number.NaN, 1],
    ['NaN beside numbers', 1, Number.NaN],
    ['numbers beside strings', 1, '2'],
    ['arrays, which JavaScript would compare as text', [10, 'x'], [9, 'y']],
  ])('refuses %s without compare, at the put that brings them', (_, first, second) => {
    const queue = new PriorityQueue<unknown>();
    const error = thrownAtCall(() => {
      queue.putNow(first);
      queue.putNow(second);
    });
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(/give it \{compare\}/);
    expect(queue.length).toBeLessThan(2);
    queue.check();
  });

  it('refuses a compare that is no function, or gives no number', () => {
    expect(() => new PriorityQueue({ compare: 1 as unknown as () => number })).toThrow(TypeError);
    const queue = new PriorityQueue<number>({ compare: () => undefined as unknown as number });
    expect(thrownAtCall(() => queue.putNow(1))).toMatchObject({ message: expect.stringContaining('gave undefined') });
  });
});

describe('A comparison that throws', () => {
  const error = new Error('cannot compare');
  let broken = false;
  const compare = (a: number, b: number): number => {
    if (broken || a === 13 || b === 13) throw error;
    return a - b;
  };
  afterEach(() => {
    broken = false;
  });

  it('is thrown where something is put or taken, and then nothing was', () =>
    play(function* () {
      const queue = watch(new PriorityQueue<number>(9, { compare, items: [4, 2, 5, 1, 3] }));
      broken = true;
      expect(yield* thrownBy(queue.put(0))).toBe(error);
      expect(yield* thrownBy(queue.get())).toBe(error);
      expect(yield* thrownBy(queue.next())).toBe(error);
      for (const act of [() => queue.tryPut(0), () => queue.tryGet(), () => queue.getNow()])
        expect(thrownAtCall(act)).toBe(error);
      expect([queue.length, queue.unfinished]).toEqual([5, 5]);
      broken = false;
      expect(drained(queue)).toEqual([1, 2, 3, 4, 5]);
    }));

  it('over the item of a waiting putter is thrown in the putter, and the next one is let in', () =>
    play(function* () {
      const queue = watch(new PriorityQueue<number>(2, { compare, items: [1, 2] }));
      const bad = spawn(() => thrownBy(queue.put(13)));
      const good = spawn(() => queue.put(0));
      yield* yieldNow();
      expect(yield* queue.get()).toBe(1);
      expect(yield* bad.get()).toBe(error);
      yield* good.get();
      expect(drained(queue)).toEqual([0, 2]);
    }));

  it('over the item of the only waiting putter leaves the room that there is', () =>
    play(function* () {
      const queue = watch(new PriorityQueue<number>(2, { compare, items: [1, 2] }));
      const bad = spawn(() => thrownBy(queue.put(13)));
      yield* yieldNow();
      expect([yield* queue.get(), queue.tryPut(3), queue.length]).toEqual([1, true, 2]);
      expect(yield* bad.get()).toBe(error);
    }));

  it('does not stop an immediate close: all items come out, in whatever order', () => {
    const queue = new PriorityQueue<number>({ compare, items: [3, 1, 2] });
    broken = true;
    expect(queue.close({ immediate: true }).toSorted()).toEqual([1, 2, 3]);
    expect(queue.length).toBe(0);
  });
});

describe('StableHeap', () => {
  it('drains in order, equal ones as they came', () => {
    const heap = new StableHeap<readonly [number, string]>((a, b) => a[0] - b[0]);
    for (const value of [
      [2, 'a'],
      [1, 'a'],
      [2, 'b'],
      [1, 'b'],
    ] as const)
      heap.push(value);
    expect([heap.drain().map(([n, s]) => s + n), heap.size]).toEqual([['a1', 'b1', 'a2', 'b2'], 0]);
  });

  it('is a heap after every change', () => {
    const heap = new StableHeap<number>((a, b) => a - b);
    const random = numbers(3);
    for (let i = 0; i < 2000; i += 1) {
      if (heap.size === 0 || (random.next().value as number) % 5 < 3) heap.push((random.next().value as number) % 50);
      else heap.shift();
      heap.check();
    }
  });

  it('compares O(log n) times for each change', () => {
    let comparisons = 0;
    const heap = new StableHeap<number>((a, b) => {
      comparisons += 1;
      return a - b;
    });
    const count = 1 << 14;
    for (let i = 0; i < count; i += 1) heap.push((i * 7919) % count);
    for (let i = 0; i < count; i += 1) heap.shift();
    expect(comparisons / count).toBeLessThan(3 * 14);
  });
});
