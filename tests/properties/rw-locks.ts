// rw-locks.ts: properties of read-write locks: many read or one writes, and the line is kept.
import {
  Barrier,
  BrokenBarrierError,
  DeadlockError,
  isKilled,
  type Op,
  RWLock,
  select,
  sleep,
  spawn,
  timeout,
} from 'tendril/core';
import { endAll, joinEach, killSome, lineUp, must, type Property, pause, same } from './property.ts';

export const RW_LOCKS: readonly Property[] = [
  {
    name: 'of a read-write lock many have the one side or one has the other, and it is free in the end',
    rules: 'S6 S12',
    *body(world) {
      const lock = new RWLock();
      world.always(() => lock.check());
      let readers = 0;
      let writers = 0;
      const read = function* (): Op<void> {
        readers += 1;
        try {
          same(writers, 0, 'nobody writes while somebody reads');
          yield* pause(world, 2);
        } finally {
          readers -= 1;
        }
      };
      const write = function* (): Op<void> {
        writers += 1;
        try {
          same([readers, writers], [0, 1], 'a writer is alone');
          yield* pause(world, 2);
        } finally {
          writers -= 1;
        }
      };
      const workers = [
        spawn(() => lock.read().use(read())),
        spawn(() => lock.write().use(write())),
        spawn(() => lock.read().use(read())),
        spawn(() => timeout(1, lock.write().use(write()), { else: undefined })),
        spawn(() => lock.read().use(read())),
      ];
      yield* killSome(world, workers, 3);
      yield* joinEach(workers);
      same([lock.readers, lock.writer, lock.waiting], [0, undefined, 0], 'the lock is free and nobody waits');
    },
  },
  {
    name: 'a read-write lock serves its line in order: readers together, writers alone',
    rules: 'S12',
    *body(world) {
      const lock = new RWLock();
      yield* lock.write().acquire();
      const sides = [0, 1, 2, 3].map(() => world.pick(['read', 'write'] as const));
      const order: number[] = [];
      const waiting = yield* lineUp(4, (index) =>
        spawn(function* () {
          const side = sides[index] === 'read' ? lock.read() : lock.write();
          yield* side.acquire();
          order.push(index);
          yield* pause(world, 2);
          side.release();
        }),
      );
      const gone = waiting.filter(() => world.chance(0.2, 'kill'));
      for (const greenlet of gone) greenlet.kill();
      lock.write().release();
      yield* joinEach(waiting);
      must(order.length === 4 - gone.length, 'whoever was not killed had its turn');
      const inLine = [0, 1, 2, 3].filter((index) => order.includes(index));
      // Readers that go in together may run in any order; nobody else overtakes.
      order.forEach((index, place) => {
        for (const other of order.slice(place + 1)) {
          const between = inLine.filter((each) => each >= other && each <= index);
          must(!between.some((each) => sides[each] === 'write'), 'nobody overtakes a writer, and no writer overtakes');
        }
      });
    },
  },
  {
    name: 'selects whose losers let others in or break their barrier decide each greenlet once',
    rules: 'S6 S8a S12 S21',
    *body(world) {
      const lock = new RWLock();
      const barriers = [new Barrier(2), new Barrier(3)];
      world.always(() => {
        lock.check();
        for (const barrier of barriers) barrier.check();
      });
      const outcomes: string[] = [];
      const choose = function* (): Op<void> {
        for (let round = 0; round < 2; round += 1) {
          const [first, second] = [world.pick(barriers), world.pick([lock.read(), lock.write()])];
          try {
            const { key } = yield* select({
              meet: first.wait(),
              hold: second.acquire(),
              late: world.chance(0.3, 'limit') ? sleep(world.choose(3, 'limit')) : null,
            });
            outcomes.push(key);
            if (key !== 'hold') continue;
            try {
              yield* pause(world, 2);
            } finally {
              second.release();
            }
          } catch (error) {
            if (isKilled(error)) throw error;
            must(error instanceof BrokenBarrierError || error instanceof DeadlockError, 'a party gave up');
            if (world.chance(0.5, 'reset')) for (const barrier of barriers) barrier.reset();
          }
        }
      };
      const holder = spawn(() => lock.write().use(pause(world)));
      const choosers = [spawn(choose), spawn(choose), spawn(choose), spawn(choose)];
      yield* killSome(world, [...choosers, holder], 4);
      yield* sleep(4);
      yield* endAll([...choosers, holder]);
      same([lock.readers, lock.writer, lock.waiting], [0, undefined, 0], 'the lock is free and nobody waits');
      same(
        barriers.map(({ waiting }) => waiting),
        [0, 0],
        'nobody is left at a barrier',
      );
    },
  },
];
