// locks.test.ts: what every lock does alike: Mutex, RLock, both sides of RWLock, Semaphore, BoundedSemaphore, and a Condition used as one.
import {
  BoundedSemaphore,
  Condition,
  type Greenlet,
  Mutex,
  type Op,
  RLock,
  RWLock,
  Semaphore,
  select,
  sleep,
  spawn,
  spawnWith,
  TimeoutError,
  timeout,
  type Waitable,
  yieldNow,
} from 'tendril/core';
import { afterEach, describe, expect, it } from 'vitest';
import { ExclusiveLock } from '../../core/exclusive-lock.ts';
import { thrownBy } from '../thrown-by.ts';
import { collectErrors, play, spawnQuietly, unwatchAll, watch } from './world.ts';

afterEach(unwatchAll);

interface Lock {
  acquire(): Waitable<void>;
  tryAcquire(): boolean;
  release(): void;
  use<T>(op: Op<T>): Op<T>;
}

/** A lock that one greenlet at a time can have, and how to see how many wait. */
interface Subject {
  readonly lock: Lock;
  waiting(): number;
}

const kinds: Readonly<Record<string, () => Subject>> = {
  Mutex() {
    const lock = watch(new Mutex());
    return { lock, waiting: () => lock.waiters.size };
  },
  RLock() {
    const lock = watch(new RLock());
    return { lock, waiting: () => lock.waiters.size };
  },
  Semaphore() {
    const lock = watch(new Semaphore());
    return { lock, waiting: () => lock.waiters.size };
  },
  BoundedSemaphore() {
    const lock = watch(new BoundedSemaphore());
    return { lock, waiting: () => lock.waiters.size };
  },
  'RWLock to write'() {
    const lock = watch(new RWLock());
    return { lock: lock.write(), waiting: () => lock.waiting };
  },
  Condition() {
    const lock = watch(new Condition());
    return { lock, waiting: () => lock.lock.waiters.size };
  },
};

/** Spawn a greenlet that takes the lock, logs its name, keeps it for a moment and gives it back. */
function taker(lock: Lock, name: string, log: string[]): Greenlet<void> {
  return spawn(function* () {
    yield* lock.acquire();
    log.push(`${name} in`);
    yield* yieldNow();
    log.push(`${name} out`);
    lock.release();
  });
}

describe.each(Object.entries(kinds))('%s', (_, make) => {
  it('is taken at once if it is free, and not by a second', () =>
    play(function* () {
      const { lock } = make();
      yield* lock.acquire();
      const other = spawn(function* () {
        return lock.tryAcquire();
      });
      expect(yield* other.get()).toBe(false);
      lock.release();
      expect(lock.tryAcquire()).toBe(true);
      lock.release();
    }));

  it('S12 goes to the oldest waiter at release, and whoever comes then cannot take it from under it', () =>
    play(function* () {
      const { lock, waiting } = make();
      const log: string[] = [];
      yield* lock.acquire();
      for (const name of ['a', 'b', 'c']) taker(lock, name, log);
      yield* yieldNow();
      expect(waiting()).toBe(3);
      lock.release();
      const barged = spawn(function* () {
        return lock.tryAcquire();
      });
      expect(yield* barged.get()).toBe(false);
      yield* lock.acquire();
      lock.release();
      expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
    }));

  it('S6, F107: is not taken by a waiter that is killed, and the next one is served', () =>
    play(function* () {
      const { lock, waiting } = make();
      const log: string[] = [];
      yield* lock.acquire();
      const victim = taker(lock, 'victim', log);
      taker(lock, 'next', log);
      yield* yieldNow();
      victim.kill();
      expect(waiting()).toBe(1);
      lock.release();
      yield* lock.acquire();
      lock.release();
      expect([victim.killed, log]).toEqual([true, ['next in', 'next out']]);
    }));

  it('S6 is taken by a waiter that is killed after it was handed over: the kill waits for the next Op', () =>
    play(function* () {
      const { lock } = make();
      const log: string[] = [];
      yield* lock.acquire();
      const victim = spawnQuietly(function* () {
        yield* lock.acquire();
        log.push('has it');
        try {
          yield* yieldNow();
        } finally {
          lock.release();
          log.push('released it');
        }
      });
      yield* yieldNow();
      lock.release();
      victim.kill();
      yield* lock.acquire();
      lock.release();
      expect(log).toEqual(['has it', 'released it']);
    }));

  it('S4 is not taken by a waiter into which an error is thrown', () =>
    play(function* () {
      const { lock, waiting } = make();
      yield* lock.acquire();
      const error = new Error('thrown in');
      const victim = spawn(() => thrownBy(lock.acquire()));
      yield* yieldNow();
      victim.throw(error);
      expect(waiting()).toBe(0);
      expect(yield* victim.get()).toBe(error);
      lock.release();
      expect(lock.tryAcquire()).toBe(true);
      lock.release();
    }));

  it('is not taken by a waiter whose timeout expires', () =>
    play(function* () {
      const { lock, waiting } = make();
      yield* lock.acquire();
      const late = spawn(() => thrownBy(timeout(10, lock.acquire())));
      const silent = spawn(() => timeout(10, lock.acquire(), { else: 'late' }));
      expect(yield* late.get()).toBeInstanceOf(TimeoutError);
      expect(yield* silent.get()).toBe('late');
      expect(waiting()).toBe(0);
      lock.release();
      expect(yield* timeout(10, lock.acquire(), { else: 'late' })).toBeUndefined();
      lock.release();
    }));

  it('is an arm of select: taken if it wins, and not if it loses', () =>
    play(function* () {
      const { lock, waiting } = make();
      yield* lock.acquire();
      const loser = spawn(() => select({ lock: lock.acquire(), tick: sleep(5) }));
      expect((yield* loser.get()).key).toBe('tick');
      expect(waiting()).toBe(0);
      const winner = spawn(function* () {
        const { key } = yield* select({ lock: lock.acquire(), tick: sleep(5) });
        lock.release();
        return key;
      });
      yield* yieldNow();
      lock.release();
      expect(yield* winner.get()).toBe('lock');
      expect((yield* select({ lock: lock.acquire() }, { else: 'busy' })).key).toBe('lock');
      const busy = spawn(() => select({ lock: lock.acquire() }, { else: 'busy' }));
      expect(yield* busy.get()).toEqual({ key: 'else', value: 'busy' });
      lock.release();
    }));

  it('is released by use() however its op ends', () =>
    play(function* () {
      const { lock } = make();
      expect(yield* lock.use(giving(7))).toBe(7);
      const error = new Error('in use');
      expect(yield* thrownBy(lock.use(failing(error)))).toBe(error);
      const victim = spawnQuietly(() => lock.use(sleep(1000)));
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(lock.tryAcquire()).toBe(true);
      lock.release();
    }));

  it('keeps order and loses nobody when a thousand waiters are killed in between', () =>
    play(function* () {
      const { lock, waiting } = make();
      yield* lock.acquire();
      const order: number[] = [];
      const all = Array.from({ length: 1000 }, (_, i) =>
        spawnQuietly(function* () {
          yield* lock.acquire();
          order.push(i);
          lock.release();
        }),
      );
      yield* yieldNow();
      for (const [i, greenlet] of all.entries()) if (i % 3 !== 0) greenlet.kill();
      expect(waiting()).toBe(334);
      lock.release();
      for (const greenlet of all) yield* greenlet.join();
      expect(order).toEqual(Array.from({ length: 334 }, (_, i) => 3 * i));
    }));
});

describe('A lock with an owner', () => {
  const exclusive = [
    ['Mutex', (): Lock => new Mutex({ name: 'm' })],
    ['RLock', (): Lock => new RLock({ name: 'm' })],
    ['RWLock to write', (): Lock => new RWLock({ name: 'm' }).write()],
  ] as const;
  const owned = [...exclusive, ['RWLock to read', (): Lock => new RWLock({ name: 'm' }).read()]] as const;

  it.each(owned)('%s S11 is released by its owner only', (_, make) =>
    play(function* () {
      const lock = make();
      expect(() => lock.release()).toThrow(/ m\b.* nobody holds it/);
      yield* lock.acquire();
      const thief = spawn(function* () {
        lock.release();
      });
      expect(yield* thrownBy(thief.get())).toMatchObject({ code: 'ERR_NOT_OWNER' });
      lock.release();
      expect(() => lock.release()).toThrow(expect.objectContaining({ code: 'ERR_NOT_OWNER' }));
    }),
  );

  it.each(owned)('%s cannot be had outside greenlets', (_, make) => {
    expect(() => make().tryAcquire()).toThrow(expect.objectContaining({ code: 'ERR_NOT_IN_GREENLET' }));
    expect(() => make().release()).toThrow(expect.objectContaining({ code: 'ERR_NOT_OWNER' }));
    expect(() => [...(make().acquire() as Iterable<unknown>)]).toThrow(
      expect.objectContaining({ code: 'ERR_NOT_IN_GREENLET' }),
    );
  });

  it.each(owned)('%s may be released in any order with others', (_, make) =>
    play(function* () {
      const locks = [make(), make(), make(), make()];
      for (const order of [
        [0, 1, 2, 3],
        [3, 2, 1, 0],
        [1, 3, 0, 2],
      ]) {
        for (const lock of locks) yield* lock.acquire();
        for (const index of order) {
          locks[index]?.release();
          for (const lock of locks) if (lock instanceof ExclusiveLock) lock.check();
        }
      }
      const errors = collectErrors();
      const careless = spawn(function* () {
        for (const lock of locks) yield* lock.acquire();
        locks[0]?.release();
        locks[2]?.release();
      });
      yield* careless.join();
      yield* sleep(1);
      expect(errors.length).toBe(2); // what it still held, and no more
    }),
  );

  it.each(owned)('%s S11 stays held, and is reported, when its owner ends', (_, make) =>
    play(function* () {
      const lock = make();
      const errors = collectErrors();
      const careless = spawnWith({ name: 'careless' }, () => lock.acquire());
      yield* careless.join();
      yield* sleep(1);
      expect(errors).toEqual([expect.objectContaining({ code: 'ERR_NOT_OWNER' })]);
      expect((errors[0] as Error).message).toMatch(/^careless ended while it held .* m, which stays locked/);
      expect(() => lock.release()).toThrow(expect.objectContaining({ code: 'ERR_NOT_OWNER' }));
    }),
  );

  it.each(exclusive)('%s S11 throws a cycle of two in the greenlet that closes it, and names all', (_, make) =>
    play(function* () {
      const first = make();
      const second = new Mutex({ name: 'second' });
      const a = spawnWith({ name: 'a' }, function* () {
        yield* first.acquire();
        yield* yieldNow();
        yield* second.use(giving(undefined));
        first.release();
      });
      const b = spawnWith({ name: 'b' }, function* () {
        yield* second.acquire();
        yield* sleep(1);
        const error = yield* thrownBy(first.acquire());
        second.release();
        return error;
      });
      const error = (yield* b.get()) as Error;
      expect(error).toMatchObject({ code: 'ERR_DEADLOCK' });
      expect(error.message).toMatch(
        /b would wait for itself\n {2}b waits for acquire on .* m \(held by a\)\n {2}a waits for acquire on mutex second \(held by b\)/,
      );
      yield* a.get();
    }),
  );

  it.each(exclusive)('%s S11 is no cycle while a member has a finite timeout', (_, make) =>
    play(function* () {
      const first = make();
      const second = new Mutex();
      const a = spawn(function* () {
        yield* first.acquire();
        yield* yieldNow();
        const error = yield* thrownBy(timeout(10, second.acquire()));
        first.release();
        return error;
      });
      const b = spawn(function* () {
        yield* second.acquire();
        yield* sleep(1);
        yield* first.acquire();
        first.release();
        second.release();
      });
      expect(yield* a.get()).toBeInstanceOf(TimeoutError);
      yield* b.get();
    }),
  );
});

function* giving<T>(value: T): Op<T> {
  yield* yieldNow();
  return value;
}

function* failing(error: unknown): Op<never> {
  yield* yieldNow();
  throw error;
}

describe('use', () => {
  it('refuses a generator object a second time, before it takes the lock', () =>
    play(function* () {
      const lock = new Mutex();
      const op = lock.use(
        (function* () {
          yield* sleep(1);
        })(),
      );
      yield* op;
      expect(yield* thrownBy(op)).toMatchObject({ code: 'ERR_OP_REUSED' });
      expect(lock.locked).toBe(false);
    }));
});
