// conditions.ts: properties of conditions, barriers, events and results: who is woken, by what, and with what in hand.
import { Condition, current, Mutex, type Op, RLock, sleep, spawn, timeout } from 'tendril/core';
import { endAll, joinEach, killSome, lineUp, must, type Property, pause, same, sameNumbers } from './property.ts';

export const CONDITIONS: readonly Property[] = [
  {
    name: 'a notification wakes one waiter, and none is lost to a kill',
    rules: 'S2 S12 S21',
    *body(world) {
      const condition = new Condition(world.pick([new Mutex(), new RLock()]));
      world.always(() => condition.check());
      let woken = 0;
      let given = 0;
      const wait = function* (): Op<void> {
        yield* condition.acquire();
        try {
          yield* condition.wait();
          woken += 1;
        } finally {
          must(condition.lock.owner === current(), 'whoever waited has the lock again, also when it throws');
          condition.release();
        }
      };
      const waiting = [spawn(wait), spawn(wait), spawn(wait), spawn(wait)];
      const notifier = spawn(function* () {
        for (let i = 0; i < 3; i += 1) {
          yield* pause(world, 2);
          yield* condition.acquire();
          const count = world.pick([1, 2]);
          given += Math.min(count, condition.waiting);
          condition.notify(count);
          condition.release();
        }
      });
      yield* killSome(world, waiting, 3);
      yield* notifier.join();
      // Whoever was notified runs before the clock moves on.
      yield* sleep(1);
      same(woken, given, 'each notification wakes one who waits');
      yield* endAll(waiting);
      same([woken, condition.lock.locked], [given, false], 'a kill wakes nobody else');
    },
  },
  {
    name: 'waiters are notified in the order in which they came',
    rules: 'S12',
    *body(world) {
      const condition = new Condition();
      const order: number[] = [];
      const waiting = yield* lineUp(4, (index) =>
        spawn(function* () {
          yield* condition.acquire();
          try {
            yield* condition.wait();
            order.push(index);
          } finally {
            condition.release();
          }
        }),
      );
      const gone = waiting.filter(() => world.chance(0.2, 'kill'));
      for (const greenlet of gone) greenlet.kill();
      const live = [0, 1, 2, 3].filter((index) => !gone.includes(waiting[index] as (typeof waiting)[0]));
      for (let i = 1; i <= live.length; i += 1) {
        yield* condition.acquire();
        condition.notify();
        condition.release();
        yield* sleep(1);
        same(order, live.slice(0, i), 'one more has run: the one that waited longest');
      }
      yield* joinEach(waiting);
    },
  },
  {
    name: 'a bounded buffer of a lock and two conditions loses and doubles nothing',
    rules: 'S6 S21',
    *body(world) {
      const lock = new Mutex();
      const [notEmpty, notFull] = [new Condition(lock), new Condition(lock)];
      const buffer: number[] = [];
      const taken: number[] = [];
      world.always(() => must(buffer.length <= 2, 'the buffer has its size'));
      const put = function* (first: number): Op<void> {
        for (let value = first; value < first + 3; value += 1) {
          yield* lock.acquire();
          try {
            yield* notFull.waitFor(() => buffer.length < 2);
            buffer.push(value);
            notEmpty.notify();
          } finally {
            lock.release();
          }
        }
      };
      const take = function* (): Op<void> {
        for (let i = 0; i < 3; i += 1) {
          yield* lock.acquire();
          try {
            yield* timeout(
              world.pick([Number.POSITIVE_INFINITY, 9]),
              notEmpty.waitFor(() => buffer.length > 0),
            );
            taken.push(buffer.shift() as number);
            notFull.notify();
          } finally {
            lock.release();
          }
        }
      };
      yield* joinEach([spawn(put, 0), spawn(take), spawn(put, 10), spawn(take)]);
      sameNumbers(taken, [0, 1, 2, 10, 11, 12], 'what was put in is taken out');
      must(!lock.locked, 'the lock is free');
    },
  },
  {
    name: 'a wait on a condition that times out or is killed has the lock again and eats no notification',
    rules: 'S6 S8 S21',
    *body(world) {
      const condition = new Condition();
      const outcomes: string[] = [];
      let notified = 0;
      const wait = function* (limitMs: number): Op<void> {
        yield* condition.acquire();
        try {
          outcomes.push(yield* timeout(limitMs, notification(condition), { else: 'late' }));
        } finally {
          same(condition.lock.owner === current(), true, 'the lock is its own');
          condition.release();
        }
      };
      const waiting = [spawn(wait, 1), spawn(wait, 2), spawn(wait, 3), spawn(wait, 50)];
      for (let i = 0; i < 2; i += 1) {
        yield* pause(world);
        yield* condition.acquire();
        notified += Math.min(1, condition.waiting);
        condition.notify();
        condition.release();
        if (world.chance(0.4, 'kill')) world.pick(waiting).kill();
      }
      yield* joinEach(waiting);
      same(
        outcomes.filter((outcome) => outcome === 'woken').length,
        notified,
        'a notification that was given is received',
      );
      same(condition.lock.locked, false, 'the lock is free');
    },
  },
];

function* notification(condition: Condition): Op<string> {
  yield* condition.wait();
  return 'woken';
}
