// r-lock.test.ts: what RLock adds to a Mutex: its owner may take it again. What all locks do is in locks.test.ts.
import { Mutex, RLock, sleep, spawn, yieldNow } from 'tendril/core';
import { afterEach, describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { play, spawnQuietly, unwatchAll, watch } from './world.ts';

afterEach(unwatchAll);

describe('RLock.acquire', () => {
  it('is taken again by its owner at once, and free after as many releases', () =>
    play(function* () {
      const lock = watch(new RLock());
      const depths = [lock.depth];
      for (let i = 0; i < 3; i += 1) {
        yield* lock.acquire();
        depths.push(lock.depth);
      }
      expect(lock.tryAcquire()).toBe(true);
      for (let i = 0; i < 4; i += 1) {
        depths.push(lock.depth);
        lock.release();
      }
      expect([...depths, lock.depth, lock.locked]).toEqual([0, 1, 2, 3, 4, 3, 2, 1, 0, false]);
    }));

  it('is not handed over before the last release, and then with a depth of 1', () =>
    play(function* () {
      const lock = watch(new RLock());
      yield* lock.acquire();
      yield* lock.acquire();
      const next = spawn(function* () {
        yield* lock.acquire();
        const { depth } = lock;
        lock.release();
        return depth;
      });
      yield* yieldNow();
      lock.release();
      yield* yieldNow();
      expect([next.state, lock.owner === next]).toEqual(['parked', false]);
      lock.release();
      expect(lock.owner).toBe(next);
      expect(yield* next.get()).toBe(1);
    }));

  it('lets a function that locks call another that locks, where a Mutex throws', () =>
    play(function* () {
      const nested = (lock: Mutex | RLock) => lock.use(lock.use(sleep(1)));
      yield* nested(watch(new RLock()));
      const mutex = watch(new Mutex({ name: 'accounts' }));
      const error = yield* thrownBy(nested(mutex));
      expect(error).toMatchObject({ code: 'ERR_DEADLOCK' });
      expect(String(error)).toMatch(/waits for mutex accounts, which it holds itself/);
      expect(mutex.locked).toBe(false);
    }));

  it('is released as often as it was taken when its owner is killed in nested uses', () =>
    play(function* () {
      const lock = watch(new RLock());
      const victim = spawnQuietly(() => lock.use(lock.use(sleep(1000))));
      yield* yieldNow();
      expect(lock.depth).toBe(2);
      victim.kill();
      yield* victim.join();
      expect([lock.depth, lock.owner]).toEqual([0, undefined]);
    }));

  it('is not taken again by another greenlet, also a child of its owner', () =>
    play(function* () {
      const lock = watch(new RLock());
      yield* lock.acquire();
      const child = spawn(function* () {
        return lock.tryAcquire();
      });
      expect(yield* child.get()).toBe(false);
      lock.release();
    }));
});
