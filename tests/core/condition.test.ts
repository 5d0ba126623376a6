// condition.test.ts: waiting with the lock let go, and having it again whatever happens. That it is a lock too is in locks.test.ts.
import {
  Condition,
  DeadlockError,
  type Greenlet,
  isKilled,
  Mutex,
  NotOwnerError,
  noBlock,
  type Op,
  RLock,
  select,
  sleep,
  spawn,
  spawnWith,
  TimeoutError,
  timeout,
  type Waitable,
  WouldBlockError,
  yieldNow,
} from 'tendril/core';
import { simulate } from 'tendril/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { collectErrors, play, spawnQuietly, thrownAtCall, unwatchAll, watch } from './world.ts';

afterEach(unwatchAll);

/** A greenlet that waits on `condition` and logs what comes of it, and whether it had the lock then. */
function waiter(condition: Condition, log: unknown[], name: string, op: () => Op<unknown> = () => condition.wait()) {
  const greenlet: Greenlet<void> = spawnQuietly(function* () {
    yield* condition.acquire();
    try {
      yield* op();
      log.push([name, 'woken', condition.lock.owner === greenlet]);
    } catch (error) {
      log.push([name, isKilled(error) ? 'killed' : error, condition.lock.owner === greenlet]);
      throw error;
    } finally {
      condition.release();
    }
  });
  return greenlet;
}

function* notify(condition: Condition, count?: number): Op<void> {
  yield* condition.acquire();
  condition.notify(count);
  condition.release();
}

describe('Condition.wait', () => {
  it('lets go of the lock, and has it again when it was notified', () =>
    play(function* () {
      const condition = watch(new Condition());
      const log: unknown[] = [];
      const one = waiter(condition, log, 'one');
      yield* yieldNow();
      expect([condition.waiting, condition.lock.locked]).toEqual([1, false]);
      yield* condition.acquire();
      condition.notify();
      yield* sleep(5);
      expect([log, condition.waiting, one.state]).toEqual([[], 0, 'parked']);
      condition.release();
      yield* one.get();
      expect(log).toEqual([['one', 'woken', true]]);
    }));

  it('without the lock is a NotOwnerError', () =>
    play(function* () {
      const condition = watch(new Condition());
      const error = yield* thrownBy(condition.wait());
      expect(error).toBeInstanceOf(NotOwnerError);
      const holder = spawn(() => condition.use(sleep(5)));
      yield* yieldNow();
      expect(yield* thrownBy(condition.waitFor(() => true))).toBeInstanceOf(NotOwnerError);
      yield* holder.get();
    }));

  it('releases an RLock however often it was taken, and takes it again as often', () =>
    play(function* () {
      const lock = watch(new RLock());
      const condition = watch(new Condition(lock));
      const deep = spawn(function* () {
        yield* lock.acquire();
        yield* lock.acquire();
        yield* lock.acquire();
        yield* condition.wait();
        const { depth } = lock;
        for (let i = 0; i < 3; i += 1) lock.release();
        return depth;
      });
      yield* yieldNow();
      expect(lock.depth).toBe(0);
      yield* notify(condition);
      expect([yield* deep.get(), lock.depth]).toEqual([3, 0]);
    }));

  it.each(['killed', 'thrown into', 'killed before it starts'])(
    'S21 has an RLock again as often as it had it when it is %s',
    (how) =>
      play(function* () {
        const lock = watch(new RLock());
        const condition = watch(new Condition(lock));
        const depths: number[] = [];
        const deep: Greenlet<void> = spawnQuietly(function* () {
          yield* lock.acquire();
          yield* lock.acquire();
          if (how === 'killed before it starts') deep.kill();
          try {
            yield* condition.wait();
          } finally {
            depths.push(lock.depth);
            while (lock.depth > 0) lock.release();
          }
        });
        yield* yieldNow();
        if (how === 'thrown into') deep.throw(new Error('thrown in'));
        else deep.kill();
        yield* deep.join();
        expect([depths, lock.depth]).toEqual([[2], 0]);
      }),
  );

  it('S21 has the lock again when it is killed, also if it has to wait for it', () =>
    play(function* () {
      const condition = watch(new Condition(new Mutex()));
      const log: unknown[] = [];
      const victim = waiter(condition, log, 'victim');
      yield* yieldNow();
      yield* condition.acquire();
      victim.kill();
      yield* sleep(60_000);
      expect([victim.state, log]).toEqual(['parked', []]);
      condition.release();
      yield* victim.join();
      expect(log).toEqual([['victim', 'killed', true]]);
      expect([condition.lock.locked, condition.waiting]).toEqual([false, 0]);
    }));

  it('S21 has the lock again when its timeout expires, as threading.Condition.wait(timeout)', () =>
    play(function* () {
      const condition = watch(new Condition());
      const log: unknown[] = [];
      const late = waiter(condition, log, 'late', function* () {
        const error = yield* thrownBy(timeout(10, condition.wait()));
        log.push([error instanceof TimeoutError, condition.lock.owner === late]);
        log.push([yield* timeout(10, condition.wait(), { else: false }), condition.lock.owner === late]);
      });
      yield* sleep(5);
      yield* condition.use(sleep(100));
      yield* late.get();
      expect(log).toEqual([
        [true, true],
        [false, true],
        ['late', 'woken', true],
      ]);
    }));

  it('S6 returns when it was notified before it was killed; the kill waits for the next Op', () =>
    play(function* () {
      const condition = watch(new Condition());
      const log: unknown[] = [];
      const victim = waiter(condition, log, 'victim', function* () {
        yield* condition.wait();
        log.push('notified');
        yield* yieldNow();
      });
      yield* yieldNow();
      yield* condition.acquire();
      condition.notify();
      victim.kill();
      condition.release();
      yield* victim.join();
      expect(log).toEqual(['notified', ['victim', 'killed', true]]);
    }));

  it('S6 uses up no notification when it is killed first: the next waiter gets it', () =>
    play(function* () {
      const condition = watch(new Condition());
      const log: unknown[] = [];
      const victim = waiter(condition, log, 'victim');
      const next = waiter(condition, log, 'next');
      yield* yieldNow();
      victim.kill();
      yield* notify(condition);
      yield* next.get();
      expect(log).toEqual([
        ['victim', 'killed', true],
        ['next', 'woken', true],
      ]);
    }));

  it('does not let go of the lock when a kill is pending at its start, or where it may not wait', () =>
    play(function* () {
      const condition = watch(new Condition());
      const other = spawn(function* () {
        yield* condition.acquire();
        condition.release();
      });
      const victim: Greenlet<boolean> = spawnQuietly(function* () {
        yield* condition.acquire();
        victim.kill();
        const error = yield* thrownBy(condition.wait());
        const kept = condition.lock.owner === victim && isKilled(error);
        condition.release();
        return kept;
      });
      yield* other.join();
      yield* victim.join();
      expect(victim.outcome).toMatchObject({ ok: true, value: true });
      yield* condition.acquire();
      expect(yield* thrownBy(noBlock(condition.wait()))).toBeInstanceOf(WouldBlockError);
      expect(condition.lock.locked).toBe(true);
      condition.release();
    }));

  it('S4 throws an error that is thrown in, with the lock', () =>
    play(function* () {
      const condition = watch(new Condition());
      const log: unknown[] = [];
      const victim = waiter(condition, log, 'victim');
      yield* yieldNow();
      const error = new Error('thrown in');
      victim.throw(error);
      yield* victim.join();
      expect(log).toEqual([['victim', error, true]]);
    }));

  it.each([3, 4])(
    'S4 keeps errors that are thrown in while it takes the lock back for the next Op, in order: a notification is not lost (%s)',
    (count) =>
      play(function* () {
        const condition = watch(new Condition());
        const log: unknown[] = [];
        const errors = [new Error('one'), new Error('two'), new Error('three'), new Error('four')].slice(0, count);
        const victim = waiter(condition, log, 'victim', function* () {
          yield* condition.wait();
          log.push('notified');
          for (let i = 0; i < count; i += 1) log.push(yield* thrownBy(yieldNow()));
        });
        yield* yieldNow();
        yield* condition.acquire();
        condition.notify();
        victim.throw(errors[0]);
        yield* yieldNow();
        victim.throw(errors[1]);
        yield* sleep(1);
        victim.throw(errors[2]);
        yield* sleep(1);
        condition.release();
        if (count === 4) victim.throw(errors[3]); // it has the lock, and has not run
        yield* victim.get();
        expect(log).toEqual(['notified', ...errors, ['victim', 'woken', true]]);
      }),
  );

  it('does not try for ever to take the lock back when it cannot even start to wait, as with a full stack', () =>
    play(function* () {
      const condition = watch(new Condition());
      const error = new RangeError('Maximum call stack size exceeded');
      const victim = spawn(() => condition.use(condition.wait()));
      yield* yieldNow();
      yield* condition.acquire();
      condition.lock.regain = () => {
        throw error;
      };
      condition.notify();
      expect(yield* thrownBy(victim.get())).toMatchObject({ code: 'ERR_NOT_OWNER' }); // use() could not release it
      condition.release();
    }));

  it('is no arm of select: it waits twice', () => {
    const condition = new Condition();
    expect(thrownAtCall(() => select({ c: condition.wait() as Waitable<void> }))).toMatchObject({
      name: 'TypeError',
      message: expect.stringContaining('race()'),
    });
  });

  it('S3 is ended without the lock when its greenlet is closed by force', () =>
    play(function* () {
      const condition = watch(new Condition());
      const errors = collectErrors();
      const stubborn = spawn(function* () {
        yield* condition.acquire();
        for (;;) {
          try {
            yield* condition.wait();
          } catch {
            // swallowed, for ever
          }
        }
      });
      yield* yieldNow();
      stubborn.kill();
      yield* stubborn.join();
      expect(stubborn.outcome).toMatchObject({ ok: false, error: { code: 'ERR_KILL_IGNORED' } });
      yield* sleep(1);
      expect(errors).toEqual([expect.objectContaining({ code: 'ERR_NOT_OWNER' })]); // the lock that it still held
    }));
});

describe('Condition.notify', () => {
  it('wakes the oldest, or as many as it is told, first come first served', () =>
    play(function* () {
      const condition = watch(new Condition());
      const log: [string, ...unknown[]][] = [];
      const all = ['a', 'b', 'c', 'd', 'e'].map((name) => waiter(condition, log, name));
      yield* yieldNow();
      const after: string[] = [];
      for (const count of [undefined, 0, 2, 9]) {
        yield* notify(condition, count);
        yield* sleep(1);
        after.push(log.map(([name]) => name).join(''));
      }
      for (const one of all) yield* one.get();
      expect(after).toEqual(['a', 'a', 'abc', 'abcde']);
    }));

  it('wakes all with notifyAll, one after the other, and nobody who comes later', () =>
    play(function* () {
      const condition = watch(new Condition());
      const log: [string, ...unknown[]][] = [];
      const early = ['a', 'b', 'c'].map((name) => waiter(condition, log, name));
      yield* yieldNow();
      yield* condition.acquire();
      condition.notifyAll();
      const late = waiter(condition, log, 'late');
      condition.release();
      for (const one of early) yield* one.get();
      yield* sleep(1);
      expect([log.map(([name]) => name), late.state]).toEqual([['a', 'b', 'c'], 'parked']);
      yield* notify(condition);
      yield* late.get();
    }));

  it('without the lock is a NotOwnerError, which is a UsageError, and wakes nobody', () =>
    play(function* () {
      const condition = watch(new Condition(new Mutex({ name: 'jobs' })));
      const log: unknown[] = [];
      const one = waiter(condition, log, 'one');
      yield* yieldNow();
      for (const act of [() => condition.notify(), () => condition.notifyAll(), () => condition.notify(0)])
        expect(thrownAtCall(act)).toMatchObject({ code: 'ERR_NOT_OWNER', message: expect.stringContaining('jobs') });
      expect(condition.waiting).toBe(1);
      yield* notify(condition);
      yield* one.get();
    }));

  it('that nobody waits for is forgotten', () =>
    play(function* () {
      const condition = watch(new Condition());
      yield* notify(condition);
      yield* condition.acquire();
      expect(yield* timeout(5, condition.wait(), { else: 'nobody notified' })).toBe('nobody notified');
      condition.release();
    }));

  it.each([-1, 1.5, Number.NaN, '1'])('refuses a count of %s with RangeError', (count) => {
    expect(() => new Condition().notify(count as number)).toThrow(RangeError);
  });
});

describe('Condition.waitFor', () => {
  it('gives what the predicate gives, at once or after notifications, asking once for each', () =>
    play(function* () {
      const condition = watch(new Condition());
      let asked = 0;
      let value = '';
      const one = spawn(() =>
        condition.use(
          condition.waitFor(() => {
            asked += 1;
            return value;
          }),
        ),
      );
      yield* yieldNow();
      yield* notify(condition);
      yield* sleep(1);
      value = 'ready';
      yield* notify(condition);
      expect([yield* one.get(), asked]).toEqual(['ready', 3]);
      expect(yield* condition.use(condition.waitFor(() => 7))).toBe(7);
    }));

  it('throws what the predicate throws, with the lock, at once or later', () =>
    play(function* () {
      const condition = watch(new Condition());
      const log: unknown[] = [];
      const error = new Error('in the predicate');
      const asked = { times: 0 };
      const failAt = (last: number) => () =>
        condition.waitFor(() => {
          asked.times += 1;
          if (asked.times === last) throw error;
          return false;
        });
      yield* waiter(condition, log, 'at once', failAt(1)).join();
      const later = waiter(condition, log, 'later', failAt(3));
      yield* yieldNow();
      yield* notify(condition);
      yield* later.join();
      expect(log).toEqual([
        ['at once', error, true],
        ['later', error, true],
      ]);
    }));

  it('S1 throws a pending kill also if the predicate holds', () =>
    play(function* () {
      const condition = watch(new Condition());
      const victim: Greenlet<unknown> = spawnQuietly(function* () {
        yield* condition.acquire();
        victim.kill();
        const error = yield* thrownBy(condition.waitFor(() => true));
        condition.release();
        return isKilled(error);
      });
      yield* victim.join();
      expect(victim.outcome).toMatchObject({ value: true });
    }));

  it('refuses what is no function', () => {
    expect(() => new Condition().waitFor(true as unknown as () => boolean)).toThrow(TypeError);
  });
});

describe('Condition', () => {
  it('refuses a lock that is no Mutex or RLock', () => {
    expect(() => new Condition({} as Mutex)).toThrow(/a condition takes a Mutex or an RLock/);
  });

  it('shares one lock with others, as the two conditions of a bounded buffer do', () =>
    play(function* () {
      const lock = watch(new Mutex());
      const notFull = watch(new Condition(lock, { name: 'not full' }));
      const notEmpty = watch(new Condition(lock, { name: 'not empty' }));
      const buffer: number[] = [];
      const produce = (from: number) =>
        spawn(function* () {
          for (let i = from; i < from + 50; i += 1) {
            yield* lock.acquire();
            yield* notFull.waitFor(() => buffer.length < 3);
            buffer.push(i);
            notEmpty.notify();
            lock.release();
          }
        });
      const eaten: number[] = [];
      const consume = () =>
        spawn(function* () {
          for (let i = 0; i < 50; i += 1) {
            yield* lock.acquire();
            yield* notEmpty.waitFor(() => buffer.length > 0);
            eaten.push(buffer.shift() as number);
            expect(buffer.length).toBeLessThan(3);
            notFull.notify();
            lock.release();
          }
        });
      const all = [produce(0), consume(), consume(), produce(50)];
      for (const one of all) yield* one.get();
      expect(eaten.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    }));

  it('S11 shows in a deadlock report by name, and as what waits for the lock again', async () => {
    const condition = new Condition(new Mutex({ name: 'jobs' }), { name: 'work' });
    const failed = simulate(function* () {
      const killed = spawnWith({ name: 'killed' }, () => condition.use(condition.wait()));
      yield* yieldNow();
      yield* condition.acquire();
      killed.kill();
      yield* yieldNow();
      yield* new Condition(undefined, { name: 'other' }).use(
        (function* () {
          const other = new Condition(undefined, { name: 'news' });
          yield* other.acquire();
          yield* other.wait();
        })(),
      );
    });
    const error = await failed.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DeadlockError);
    expect((error as DeadlockError).report).toMatch(/killed .*waits: acquire again on mutex jobs, held by/);
    expect((error as DeadlockError).report).toMatch(/waits: wait on condition news/);
  });
});
