// locks.ts: properties of locks: mutual exclusion, hand-over in order, and permits that are exact however their holders end.
import {
  BoundedSemaphore,
  current,
  DeadlockError,
  Mutex,
  type Op,
  RLock,
  RWLock,
  Semaphore,
  select,
  sleep,
  spawn,
  timeout,
  yieldNow,
} from 'tendril/core';
import { codeOf, endAll, joinEach, killSome, lineUp, must, type Property, pause, same, thrownBy } from './property.ts';

export const LOCKS: readonly Property[] = [
  {
    name: 'a mutex is held by one at a time and free when all have ended, however they did',
    rules: 'S2 S12',
    *body(world) {
      const mutex = new Mutex();
      world.always(() => mutex.check());
      let inside = 0;
      const work = function* (): Op<void> {
        for (let i = 0; i < 2; i += 1) {
          yield* mutex.acquire();
          try {
            inside += 1;
            same([inside, mutex.owner === current()], [1, true], 'one is inside, and owns the lock');
            yield* pause(world, 2);
          } finally {
            inside -= 1;
            mutex.release();
          }
        }
      };
      const workers = [spawn(work), spawn(work), spawn(work)];
      yield* killSome(world, workers, 3);
      yield* joinEach(workers);
      same([mutex.locked, mutex.waiters.size], [false, 0], 'the lock is free and nobody waits');
    },
  },
  {
    name: 'a mutex goes to the oldest waiter: nobody who comes later takes it from under them',
    rules: 'S12',
    *body(world) {
      const mutex = new Mutex();
      yield* mutex.acquire();
      const order: number[] = [];
      const waiting = yield* lineUp(3, (index) =>
        spawn(function* () {
          yield* mutex.acquire();
          order.push(index);
          yield* pause(world, 2);
          mutex.release();
        }),
      );
      const gone = waiting.filter(() => world.chance(0.2, 'kill'));
      const late = function* (): Op<void> {
        for (let i = 0; i < 3; i += 1) {
          if (mutex.tryAcquire()) {
            must(order.length + gone.length === 3, 'who comes late does not overtake who waits');
            mutex.release();
          }
          yield* yieldNow();
        }
      };
      const latecomers = [spawn(late), spawn(late)];
      for (const greenlet of gone) greenlet.kill();
      mutex.release();
      yield* joinEach([...waiting, ...latecomers]);
      same(
        order,
        [0, 1, 2].filter((index) => !gone.includes(waiting[index] as (typeof waiting)[0])),
        'waiters have it in the order in which they came',
      );
    },
  },
  {
    name: 'an RLock is free when its owner has left as often as it entered, at whatever depth it was killed',
    rules: 'S2 S12',
    *body(world) {
      const lock = new RLock();
      world.always(() => lock.check());
      let owner: unknown;
      const enter = function* (depth: number): Op<void> {
        yield* lock.acquire();
        try {
          must(owner === undefined || owner === current(), 'only its owner enters again');
          owner = current();
          yield* pause(world, 2);
          if (depth > 1) yield* enter(depth - 1);
        } finally {
          if (lock.depth === 1) owner = undefined;
          lock.release();
        }
      };
      const workers = [spawn(enter, 3), spawn(enter, 2), spawn(enter, 1)];
      yield* killSome(world, workers, 3);
      yield* joinEach(workers);
      same([lock.depth, lock.locked], [0, false], 'the lock is free');
    },
  },
  {
    name: 'permits plus holders is the number of permits, whoever is killed or times out',
    rules: 'S6 S8 S12',
    *body(world) {
      const most = world.pick([1, 2]);
      const semaphore = new BoundedSemaphore(most);
      let holders = 0;
      world.always(() => semaphore.check());
      const work = function* (limitMs: number): Op<void> {
        for (let i = 0; i < 2; i += 1) {
          const taken = yield* timeout(limitMs, semaphore.acquire(), { else: 'late' as const });
          if (taken === 'late') continue;
          holders += 1;
          try {
            must(holders <= most, 'no more hold a permit than there are');
            yield* pause(world);
          } finally {
            holders -= 1;
            semaphore.release();
          }
        }
      };
      const workers = [spawn(work, 1), spawn(work, 2), spawn(work, Number.POSITIVE_INFINITY), spawn(work, 9)];
      yield* killSome(world, workers, 3);
      yield* joinEach(workers);
      same([semaphore.permits, holders, semaphore.waiters.size], [most, 0, 0], 'all permits are back');
    },
  },
  {
    name: 'a permit that is released goes to the oldest waiter, and a kill of that waiter gives it on',
    rules: 'S6 S12',
    *body(world) {
      const semaphore = new Semaphore(0);
      world.always(() => semaphore.check());
      const order: number[] = [];
      const waiting = yield* lineUp(4, (index) =>
        spawn(function* () {
          yield* semaphore.use(
            (function* () {
              order.push(index);
              yield* yieldNow();
            })(),
          );
        }),
      );
      semaphore.release();
      yield* killSome(world, waiting, 3);
      yield* joinEach(waiting);
      same(order, [...order].sort(), 'the permit is handed out in order');
      same(semaphore.permits, 1, 'it is back, and none was made up');
    },
  },
  {
    name: 'two locks that are taken in opposite orders end in one DeadlockError, never in a standstill',
    rules: 'S11',
    times: 2,
    *body(world) {
      const [a, b] = [new Mutex({ name: 'a' }), new Mutex({ name: 'b' })];
      const refused: unknown[] = [];
      const both = function* (first: Mutex, second: Mutex): Op<void> {
        try {
          yield* first.use(
            (function* () {
              yield* pause(world, 2);
              yield* second.use(yieldNow());
            })(),
          );
        } catch (error) {
          must(error instanceof DeadlockError, 'only the cycle is refused');
          refused.push(error);
        }
      };
      yield* joinEach([spawn(both, a, b), spawn(both, b, a)]);
      must(refused.length <= 1, 'whoever closes the cycle is told, and nobody else');
      same([a.locked, b.locked], [false, false], 'both locks are free');
    },
  },
  {
    name: 'use() gives back what it took, however its Op ends',
    rules: 'S2 S8',
    times: 2,
    *body(world) {
      const holdables = [new Mutex(), new RLock(), new Semaphore(1), new RWLock().write()];
      const lock = world.pick(holdables);
      const ways = ['return', 'throw', 'time out', 'wait'] as const;
      const work = function* (): Op<void> {
        const way = world.pick(ways);
        const inner = function* (): Op<void> {
          yield* pause(world, 2);
          if (way === 'throw') throw new Error('thrown');
          if (way === 'time out') yield* sleep(10);
        };
        const error = yield* thrownBy(lock.use(timeout(3, inner())));
        const code = codeOf(error);
        if (code === 'KILLED') throw error;
        same(code, way === 'time out' ? 'ERR_TIMEOUT' : undefined, 'what the Op throws goes on');
      };
      const workers = [spawn(work), spawn(work), spawn(work)];
      yield* killSome(world, workers, 2);
      yield* joinEach(workers);
      must(lock.tryAcquire() !== false, 'it can be taken again');
      lock.release();
    },
  },
  {
    name: 'a lock that a killed select gave up is free for the next',
    rules: 'S6 S8a S12',
    *body(world) {
      const mutex = new Mutex();
      const rival = new Mutex();
      const either = function* (): Op<void> {
        const { key } = yield* select({ mutex: mutex.acquire(), rival: rival.acquire() });
        const taken = key === 'mutex' ? mutex : rival;
        try {
          yield* pause(world, 2);
        } finally {
          taken.release();
        }
      };
      const holders = [spawn(() => mutex.use(pause(world))), spawn(() => rival.use(pause(world)))];
      const choosers = [spawn(either), spawn(either), spawn(either)];
      yield* killSome(world, [...choosers, ...holders], 4);
      yield* joinEach(holders);
      yield* endAll(choosers);
      same([mutex.locked, rival.locked], [false, false], 'both are free');
    },
  },
];
