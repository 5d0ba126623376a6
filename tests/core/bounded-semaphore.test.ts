// bounded-semaphore.test.ts: what BoundedSemaphore adds to a Semaphore: it notices a release too many. What all locks do is in locks.test.ts.
import { BoundedSemaphore, Semaphore, sleep, spawn, UsageError, yieldNow } from 'tendril/core';
import { afterEach, describe, expect, it } from 'vitest';
import { play, unwatchAll, watch } from './world.ts';

afterEach(unwatchAll);

describe('BoundedSemaphore.release', () => {
  it('above the start value is a UsageError that names it, and changes nothing', () =>
    play(function* () {
      const slots = watch(new BoundedSemaphore(2, { name: 'slots' }));
      expect(() => slots.release()).toThrow(UsageError);
      expect(() => slots.release()).toThrow('semaphore slots was released more often than acquired');
      yield* slots.acquire();
      slots.release();
      expect(() => slots.release()).toThrow(UsageError);
      expect([slots.permits, slots.bound]).toEqual([2, 2]);
      const loose = new Semaphore(2);
      loose.release();
      expect(loose.permits).toBe(3);
    }));

  it('by another greenlet than the one that acquired is fine', () =>
    play(function* () {
      const slots = watch(new BoundedSemaphore(1));
      yield* slots.acquire();
      yield* spawn(function* () {
        slots.release();
      }).get();
      expect(slots.permits).toBe(1);
    }));

  it('hands the permit to the oldest waiter, so that it is never counted as free', () =>
    play(function* () {
      const slots = watch(new BoundedSemaphore(1));
      yield* slots.acquire();
      const waiter = spawn(function* () {
        yield* slots.acquire();
        yield* sleep(1);
        slots.release();
      });
      yield* yieldNow();
      slots.release();
      expect(slots.permits).toBe(0);
      expect(() => slots.release()).not.toThrow(); // it cannot know whose permit this is
      yield* sleep(0.5);
      expect(slots.permits).toBe(1);
      slots.tryAcquire();
      yield* waiter.get();
    }));
});

describe('BoundedSemaphore', () => {
  it('never lets more than its bound in at a time', () =>
    play(function* () {
      const slots = watch(new BoundedSemaphore(3));
      let inside = 0;
      let most = 0;
      const all = Array.from({ length: 20 }, (_, i) =>
        spawn(() =>
          slots.use(
            (function* () {
              inside += 1;
              most = Math.max(most, inside);
              yield* sleep(i % 4);
              inside -= 1;
            })(),
          ),
        ),
      );
      for (const greenlet of all) yield* greenlet.get();
      expect([most, inside, slots.permits]).toEqual([3, 0, 3]);
    }));

  it('may begin with no permit, and refuses what is no number of permits', () => {
    expect(() => new BoundedSemaphore(0).release()).toThrow(UsageError);
    for (const permits of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => new BoundedSemaphore(permits)).toThrow(RangeError);
  });
});
