// shared-state.test.ts: mutex, semaphore and counter on shared memory, within a thread and between two views of one memory, which know of each other what
// threads do: nothing but the memory.
import {
  all,
  current,
  hub,
  NotOwnerError,
  type Op,
  run,
  scope,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril';
import { SharedCounter, SharedMutex, SharedSemaphore } from 'tendril/executors/shared';
import { leakCheck } from 'tendril/testing';
import { describe, expect, it, vi } from 'vitest';
import { thrownBy } from '../thrown-by.ts';

interface Lock {
  acquire(): ReturnType<SharedMutex['acquire']>;
  tryAcquire(): boolean;
  release(): void;
  use<T>(op: Op<T>): Op<T>;
  check(): void;
}

const locks: readonly (readonly [string, () => readonly [Lock, Lock]])[] = [
  [
    'SharedMutex',
    () => {
      const lock = new SharedMutex({ name: 'ledger' });
      return [lock, SharedMutex.from(structuredClone(lock.handle))];
    },
  ],
  [
    'SharedSemaphore(1)',
    () => {
      const lock = new SharedSemaphore(1, { name: 'ledger' });
      return [lock, SharedSemaphore.from(structuredClone(lock.handle))];
    },
  ],
];

describe.each(locks)('%s', (_kind, make) => {
  it('is had by one greenlet at a time, in order within a thread', () =>
    leakCheck(function* () {
      const [lock] = make();
      const order: number[] = [];
      let inside = 0;
      yield* scope(function* (s) {
        for (let i = 0; i < 5; i += 1) {
          s.spawn(() =>
            lock.use(
              (function* () {
                inside += 1;
                expect(inside).toBe(1);
                yield* sleep(0);
                order.push(i);
                inside -= 1;
              })(),
            ),
          );
        }
      });
      expect(order).toEqual([0, 1, 2, 3, 4]);
      lock.check();
    }));

  it('goes to another thread that waits, and back', () =>
    leakCheck(function* () {
      const [here, there] = make();
      const trace: string[] = [];
      const turns = (name: string, lock: Lock) =>
        spawn(function* () {
          for (let i = 0; i < 3; i += 1) {
            yield* lock.acquire();
            trace.push(name);
            yield* sleep(0);
            lock.release();
          }
        });
      for (const greenlet of [turns('here', here), turns('there', there)]) yield* greenlet.get();
      expect(trace).toEqual(['here', 'there', 'here', 'there', 'here', 'there']);
      here.check();
      there.check();
    }));

  it('goes to the others at last, however many wait in this thread', () =>
    leakCheck(function* () {
      const [here, there] = make();
      let passedOver = 0;
      let had = false;
      yield* here.acquire();
      const other = spawn(() =>
        there.use(
          (function* () {
            had = true;
          })(),
        ),
      );
      yield* yieldNow();
      yield* scope(function* (s) {
        for (let i = 0; i < 100; i += 1) {
          s.spawn(() =>
            here.use(
              (function* () {
                if (!had) passedOver += 1;
                yield* sleep(0);
              })(),
            ),
          );
        }
        yield* yieldNow();
        here.release();
      });
      yield* other.get();
      expect(passedOver).toBe(32);
    }));

  it('a killed, timed out or unselected waiter takes nothing, and the next one has it', () =>
    leakCheck(function* () {
      const [here, there] = make();
      yield* here.acquire();
      const victim = spawn(() => there.acquire());
      const next = spawn(function* () {
        yield* there.acquire();
        const others = [here.tryAcquire(), there.tryAcquire()];
        there.release();
        return others;
      });
      expect(yield* thrownBy(timeout(2, there.acquire()))).toBeInstanceOf(TimeoutError);
      expect(yield* select({ lock: there.acquire(), time: sleep(2) })).toMatchObject({ key: 'time' });
      victim.kill();
      here.release();
      yield* victim.join();
      expect(yield* next.get()).toEqual([false, false]);
      here.check();
      there.check();
    }));

  it('a notification that nobody needs any more is passed on', () =>
    leakCheck(function* () {
      const [here, there] = make();
      const third =
        here instanceof SharedMutex
          ? SharedMutex.from(here.handle)
          : SharedSemaphore.from((here as SharedSemaphore).handle);
      yield* here.acquire();
      const gone = spawn(() => there.acquire());
      yield* yieldNow();
      const waits = spawn(() => third.use((function* () {})()));
      yield* yieldNow();
      // `there` sleeps first, so it is the one that is notified; its only waiter leaves before it could take the lock.
      here.release();
      gone.kill();
      yield* waits.get();
      yield* here.acquire();
      here.release();
    }));

  it('is free again when nobody is left who wants it', () =>
    leakCheck(function* () {
      const [here, there] = make();
      yield* here.acquire();
      const gone = spawn(() => there.acquire());
      yield* yieldNow();
      here.release();
      gone.kill();
      yield* gone.join();
      yield* timeout(5000, there.acquire());
      there.release();
      yield* sleep(1);
      expect(here.tryAcquire()).toBe(true);
      here.release();
    }));

  it('tells in a report who waits for it', () =>
    run(function* () {
      const [here, there] = make();
      yield* here.acquire();
      const waiter = spawn(() => there.acquire());
      yield* yieldNow();
      expect(hub.report()).toMatch(/waits: acquire on shared (mutex|semaphore) ledger/);
      expect(hub.stats().externalWaits).toBe(1);
      waiter.kill();
      here.release();
      expect(hub.stats().externalWaits).toBe(0);
    }));
});

describe('SharedMutex', () => {
  it('is released by its owner only, and does not wait for itself', () =>
    run(function* () {
      const lock = new SharedMutex({ name: 'ledger' });
      expect(() => lock.release()).toThrow(
        'shared mutex ledger was released by a greenlet that does not own it: nobody holds it',
      );
      yield* lock.acquire();
      expect([lock.locked, lock.ownerThread, lock.owner]).toEqual([true, 0, current()]);
      expect(yield* thrownBy(lock.acquire())).toMatchObject({ code: 'ERR_DEADLOCK' });
      const other = spawn(function* () {
        lock.release();
      });
      expect(yield* thrownBy(other.get())).toBeInstanceOf(NotOwnerError);
      lock.release();
      expect([lock.locked, lock.ownerThread]).toEqual([false, undefined]);
      expect(() => lock.tryAcquire()).not.toThrow();
      lock.release();
    }));

  it('is reported if its owner ends with it', async () => {
    const errors: unknown[] = [];
    const unlink = hub.on('error', (error) => errors.push(error));
    await run(function* () {
      const lock = new SharedMutex({ name: 'ledger' });
      yield* spawn(() => lock.acquire()).join();
      yield* sleep(0);
    });
    unlink();
    expect(errors).toEqual([expect.any(NotOwnerError)]);
  });

  it('is after each change of its memory to be had, or had by a thread that is known', () =>
    run(function* () {
      const here = new SharedMutex();
      const there = SharedMutex.from(structuredClone(here.handle));
      const states = new Set<string>();
      // A thread can be terminated after any of them.
      const spies = (['add', 'sub', 'store', 'compareExchange'] as const).map((name) => {
        const change = Atomics[name] as (...args: unknown[]) => never;
        return vi.spyOn(Atomics, name).mockImplementation((...args: unknown[]) => {
          const result = change(...args);
          states.add(`locked: ${here.locked}, owner known: ${there.ownerThread !== undefined}`);
          return result;
        });
      });
      try {
        yield* all(
          [here, there, here, there].map(function* (lock) {
            for (let i = 0; i < 40; i += 1) {
              yield* lock.use(i % 3 === 0 ? yieldNow() : sleep(0));
              if (i % 4 === 0) yield* sleep(1);
            }
          }),
        );
      } finally {
        for (const spy of spies) spy.mockRestore();
      }
      expect([...states].sort()).toEqual(['locked: false, owner known: false', 'locked: true, owner known: true']);
    }));

  it('is found by whoever waits, if the thread that made it free has ended before it could tell', () =>
    run(function* () {
      const lock = new SharedMutex();
      // What a thread does, whose id is 76, that has it and is terminated between the two steps of a release.
      const words = new Int32Array(lock.handle.buffer);
      words[1] = 77;
      const waiting = spawn(() => lock.use(yieldNow()));
      yield* yieldNow();
      expect([lock.ownerThread, waiting.state]).toEqual([76, 'parked']);
      words[1] = 0;
      yield* timeout(5000, waiting.get());
      lock.check();
    }));

  it('refuses take-overs that cannot be meant', () =>
    run(function* () {
      const lock = new SharedMutex();
      expect(() => lock.takeOver(-1)).toThrow('takeOver takes the id of a thread');
      expect(() => lock.takeOver(0)).toThrow('this thread has not ended');
      expect(lock.takeOver(5)).toBe(false);
    }));
});

describe('SharedSemaphore', () => {
  it('lets as many in as it has permits, from all threads together', () =>
    leakCheck(function* () {
      const here = new SharedSemaphore(3);
      const there = SharedSemaphore.from(here.handle);
      let inside = 0;
      let most = 0;
      const visit = (gate: SharedSemaphore) =>
        gate.use(
          (function* () {
            inside += 1;
            most = Math.max(most, inside);
            yield* sleep(0);
            inside -= 1;
          })(),
        );
      yield* all(Array.from({ length: 40 }, (_, i) => visit(i % 2 === 0 ? here : there)));
      expect([most, here.permits, there.permits]).toEqual([3, 3, 3]);
    }));

  it('loses no permit to kills, timeouts and selects at random', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      let state = seed;
      const random = (): number => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
      };
      await run(function* () {
        const first = new SharedSemaphore(2);
        const views = [first, SharedSemaphore.from(first.handle), SharedSemaphore.from(first.handle)];
        let inside = 0;
        let visits = 0;
        function* visit(view: SharedSemaphore): Op<void> {
          yield* view.acquire();
          inside += 1;
          try {
            expect(inside).toBeLessThanOrEqual(2);
            visits += 1;
            if (random() < 0.5) yield* sleep(random() < 0.5 ? 0 : random());
          } finally {
            inside -= 1;
            view.release();
          }
        }
        function* visits50(view: SharedSemaphore): Op<void> {
          for (let i = 0; i < 50; i += 1) {
            const how = random();
            if (how < 0.3) yield* timeout(random() * 2, visit(view), { else: undefined });
            else if (how < 0.5) {
              const victim = spawn(() => visit(view));
              if (random() < 0.7) yield* sleep(random());
              victim.kill();
              yield* victim.join();
            } else if (how < 0.6) {
              const won = yield* select({ permit: view.acquire(), time: sleep(random()) });
              if (won.key === 'permit') view.release();
            } else yield* visit(view);
          }
        }
        yield* all(Array.from({ length: 9 }, (_, i) => visits50(views[i % 3] as SharedSemaphore)));
        for (const view of views) view.check();
        expect({ seed, inside, permits: first.permits }).toEqual({ seed, inside: 0, permits: 2 });
        expect(visits).toBeGreaterThan(200);
      });
    }
  });

  it('takes permits back from anybody', () =>
    run(function* () {
      const gate = new SharedSemaphore(0);
      const waiter = spawn(() => gate.acquire());
      yield* yieldNow();
      gate.release();
      yield* waiter.get();
      expect(gate.tryAcquire()).toBe(false);
    }));
});

describe('SharedSemaphore and its bounds', () => {
  it.each([false, true])('has no more permits than a word holds, while another thread slept: %s', (sleeper) =>
    run(function* () {
      const here = new SharedSemaphore(2 ** 31 - 1, { name: 'doors' });
      const there = SharedSemaphore.from(structuredClone(here.handle));
      expect(() => here.release()).toThrow(
        'release on shared semaphore doors: 2147483647 permits are free, the most there can be: release what was acquired, once',
      );
      if (sleeper) {
        // As a thread that has ended asleep: it is still counted.
        new Int32Array(here.handle.buffer)[2] = 1;
        expect(() => there.release()).toThrow(RangeError);
      }
      expect([here.permits, there.tryAcquire(), there.permits]).toEqual([2 ** 31 - 1, true, 2 ** 31 - 2]);
      here.release();
      yield* here.acquire();
      expect(there.permits).toBe(2 ** 31 - 2);
    }),
  );
});

describe('SharedCounter', () => {
  it('adds, sets and compares, and whoever waits for a value sees one that is large enough', () =>
    leakCheck(function* () {
      const here = new SharedCounter(5, { name: 'done' });
      const there = SharedCounter.from(structuredClone(here.handle));
      expect([
        here.add(2),
        there.get(),
        there.add(-1),
        here.set(10),
        there.compareAndSet(9, 1),
        here.compareAndSet(10, 3),
      ]).toEqual([7, 7, 6, 6, false, true]);
      const waiters = [5, 4, 8].map((least) => spawn(() => there.waitFor(least)));
      yield* yieldNow();
      here.add();
      expect(yield* (waiters[1] as (typeof waiters)[0]).get()).toBe(4);
      here.add(-4);
      here.add(8);
      expect([
        yield* (waiters[0] as (typeof waiters)[0]).get(),
        yield* (waiters[2] as (typeof waiters)[0]).get(),
      ]).toEqual([8, 8]);
      expect(yield* there.waitFor(-1)).toBe(8);
      there.check();
    }));

  it('a waiter that is killed or timed out leaves nothing behind', () =>
    leakCheck(function* () {
      const counter = new SharedCounter(0, { name: 'done' });
      const victim = spawn(() => counter.waitFor(1));
      expect(yield* thrownBy(timeout(2, counter.waitFor(1)))).toBeInstanceOf(TimeoutError);
      expect(hub.report()).toMatch(/waits: waitFor\(1\) on shared counter done/);
      victim.kill();
      yield* victim.join();
      counter.add();
      expect(yield* counter.waitFor(1)).toBe(1);
    }));

  it('has every integer that a number has exactly', () => {
    const counter = new SharedCounter(Number.MIN_SAFE_INTEGER);
    expect([counter.get(), counter.set(Number.MAX_SAFE_INTEGER), counter.add(-1)]).toEqual([
      Number.MIN_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      Number.MAX_SAFE_INTEGER - 1,
    ]);
  });

  it('refuses a sum that a number has not exactly, and stays as it is', () => {
    const counter = new SharedCounter(Number.MAX_SAFE_INTEGER, { name: 'done' });
    expect(() => counter.add(1)).toThrow(
      'add on shared counter done: 9007199254740991 and 1 make no integer that a number has exactly',
    );
    expect([counter.get(), counter.add(0), counter.set(Number.MIN_SAFE_INTEGER)]).toEqual(
      Array(3).fill(Number.MAX_SAFE_INTEGER),
    );
    expect(() => counter.add(-1)).toThrow(RangeError);
    expect(counter.get()).toBe(Number.MIN_SAFE_INTEGER);
  });
});

describe('Arguments', () => {
  it.each([
    [() => new SharedSemaphore(-1), 'a shared semaphore has an integer number of permits from 0 to 2147483647, not -1'],
    [() => new SharedSemaphore(1.5), 'not 1.5'],
    [() => new SharedMutex(5 as never), 'SharedMutex: options must be an object, not 5'],
    [() => new SharedMutex({ name: 5 as never }), 'SharedMutex: name must be a string, not 5'],
    [
      () => SharedMutex.from({} as never),
      'SharedMutex.from takes the handle of one, as another thread has sent it, not an object',
    ],
    [() => SharedMutex.from(new SharedSemaphore().handle as never), 'SharedMutex.from takes the handle of one'],
    [() => SharedCounter.from(null as never), 'SharedCounter.from takes the handle of one'],
    [() => new SharedCounter(0.5), 'SharedCounter takes an integer that a number has exactly, not 0.5'],
    [() => new SharedCounter().add(2 ** 53), 'add takes an integer that a number has exactly, not 9007199254740992'],
    [() => new SharedCounter().waitFor('1' as never), 'waitFor takes an integer'],
  ])('that cannot be are refused: %s', (call, message) => {
    expect(call).toThrow(message);
  });
});
