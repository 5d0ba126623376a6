// queues.ts: properties of queues: what is put in comes out once, in the store's order, and join waits for all of it.
import { LifoQueue, type Op, PriorityQueue, Queue, QueueClosedError, rethrowKilled, sleep, spawn } from 'tendril/core';
import type { World } from 'tendril/testing';
import { endAll, joinEach, killSome, lineUp, must, type Property, pause, same, sameNumbers } from './property.ts';

const CAPACITIES = [1, 2, Number.POSITIVE_INFINITY];

function checked<Q extends Queue<number>>(world: World, queue: Q): Q {
  world.always(() => queue.check());
  return queue;
}

function* putAll(queue: Queue<number>, values: readonly number[], put: number[]): Op<void> {
  for (const value of values) {
    yield* queue.put(value);
    put.push(value);
  }
}

function* getAll(queue: Queue<number>, got: number[]): Op<void> {
  for (;;) got.push(yield* queue.get());
}

export const QUEUES: readonly Property[] = [
  {
    name: 'a queue loses and doubles nothing, whoever is killed',
    rules: 'S6 S7',
    *body(world) {
      const make = world.pick([Queue, LifoQueue, PriorityQueue]);
      const queue = checked(world, new make<number>(world.pick(CAPACITIES)));
      const put: number[] = [];
      const got: number[] = [];
      const everybody = [
        spawn(putAll, queue, [3, 1, 2], put),
        spawn(getAll, queue, got),
        spawn(putAll, queue, [12, 11, 10], put),
        spawn(getAll, queue, got),
      ];
      yield* killSome(world, everybody, 4);
      yield* endAll(everybody);
      sameNumbers(
        [...got, ...queue.close({ immediate: true })],
        put,
        'what was put in was taken, or is still there, once',
      );
    },
  },
  {
    name: 'a queue that is closed gives out what is in it, and refuses the rest',
    rules: 'S6 S7',
    times: 2,
    *body(world) {
      const queue = checked(world, new Queue<number>(world.pick(CAPACITIES)));
      const put: number[] = [];
      const got: number[] = [];
      const untilClosed = function* (op: Op<void>): Op<void> {
        try {
          yield* op;
        } catch (error) {
          rethrowKilled(error);
          must(error instanceof QueueClosedError, 'whoever waits at a queue that is closed is told so');
        }
      };
      const everybody = [
        spawn(untilClosed, putAll(queue, [0, 1, 2], put)),
        spawn(untilClosed, getAll(queue, got)),
        spawn(untilClosed, putAll(queue, [10, 11, 12], put)),
      ];
      yield* pause(world);
      const dropped = queue.close({ immediate: world.chance(0.5, 'immediate') });
      yield* joinEach(everybody);
      sameNumbers([...got, ...dropped], put, 'each item was taken or dropped');
      same([queue.length, queue.closed], [0, true], 'it is empty and closed');
    },
  },
  {
    name: 'join returns when all that was put in is done, and not before',
    rules: 'S6 S21',
    *body(world) {
      const queue = checked(world, new Queue<number>(world.pick(CAPACITIES)));
      const put: number[] = [];
      let done = 0;
      const work = function* (): Op<void> {
        for (;;) {
          yield* queue.get();
          try {
            yield* pause(world, 2);
          } finally {
            done += 1;
            queue.taskDone();
          }
        }
      };
      const workers = [spawn(work), spawn(work)];
      const putters = [spawn(putAll, queue, [0, 1], put), spawn(putAll, queue, [2, 3], put)];
      const wait = function* (): Op<void> {
        yield* joinEach(putters);
        yield* queue.join();
        same([done, queue.unfinished], [4, 0], 'join returns when the last is done');
      };
      const waiters = [spawn(wait), spawn(wait)];
      yield* pause(world);
      if (world.chance(0.4, 'kill')) workers[0]?.kill();
      yield* joinEach(waiters);
      yield* endAll(workers);
      same(put.length, 4, 'all was put in');
    },
  },
  {
    name: 'a priority queue gives the smallest first and equals in the order in which they came',
    rules: 'S7',
    *body(world) {
      const queue = new PriorityQueue<{ rank: number; turn: number }>({ compare: (a, b) => a.rank - b.rank });
      world.always(() => queue.check());
      let turn = 0;
      const put = function* (): Op<void> {
        for (let i = 0; i < 4; i += 1) {
          const entry = { rank: world.choose(3, 'rank'), turn: 0 };
          yield* pause(world, 2);
          entry.turn = turn++;
          queue.putNow(entry);
        }
      };
      yield* joinEach([spawn(put), spawn(put)]);
      let before = yield* queue.get();
      while (queue.length > 0) {
        const next = yield* queue.get();
        must(
          before.rank < next.rank || (before.rank === next.rank && before.turn < next.turn),
          'what comes out is in order',
        );
        before = next;
      }
      same(turn, 8, 'all went in');
    },
  },
  {
    name: 'whoever peeks sees the next item and leaves it for whoever gets',
    rules: 'S6 S7 S12',
    *body(world) {
      const queue = checked(world, new Queue<number>(world.pick([1, 2])));
      const put: number[] = [];
      const got: number[] = [];
      const peek = function* (): Op<void> {
        for (let i = 0; i < 2; i += 1) {
          const gone = got.length;
          const value = yield* queue.peek();
          must(!got.slice(0, gone).includes(value), 'what was taken before is not seen any more');
          yield* pause(world, 2);
        }
      };
      const everybody = [spawn(peek), spawn(getAll, queue, got), spawn(peek), spawn(putAll, queue, [0, 1, 2, 3], put)];
      yield* killSome(world, everybody, 3);
      yield* endAll(everybody);
      same([...got, ...queue.close({ immediate: true })], put, 'peeking takes nothing and changes no order');
    },
  },
  {
    name: 'getters and putters of a queue are served in the order in which they came',
    rules: 'S12',
    *body(world) {
      const queue = checked(world, new Queue<number>(1));
      const got: number[][] = [];
      const getters = yield* lineUp(3, (index) =>
        spawn(function* () {
          got.push([index, yield* queue.get()]);
        }),
      );
      const gone = getters.filter(() => world.chance(0.3, 'kill'));
      for (const greenlet of gone) greenlet.kill();
      const live = [0, 1, 2].filter((index) => !gone.includes(getters[index] as (typeof getters)[0]));
      const putters = yield* lineUp(5, (value) => spawn(() => queue.put(value)));
      yield* joinEach(getters);
      same(
        [...got].sort(),
        live.map((index, value) => [index, value]),
        'the oldest getter has the oldest item',
      );
      const rest = [0, 1, 2, 3, 4].slice(live.length);
      const lost = rest.slice(1).filter(() => world.chance(0.3, 'kill'));
      for (const value of lost) putters[value]?.kill();
      const left: number[] = [];
      for (let taken = queue.tryGet(); taken !== undefined; taken = queue.tryGet()) left.push(taken.value);
      same(
        left,
        rest.filter((value) => !lost.includes(value)),
        'items move up in the order in which they came',
      );
      yield* sleep(1);
      yield* joinEach(putters);
    },
  },
];
