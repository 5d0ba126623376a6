// groups.ts: properties of groups and pools: places are exact however members end, and results come once and in order.
import { type Greenlet, Group, isKilled, iwait, joinAll, type Op, Pool, sleep, spawn, wait } from 'tendril/core';
import {
  joinEach,
  killSome,
  lineUp,
  must,
  type Property,
  pause,
  same,
  sameNumbers,
  spawnQuietly,
  thrownBy,
} from './property.ts';

export const GROUPS: readonly Property[] = [
  {
    name: 'a pool has no more members than places, and all places are free when they have ended',
    rules: 'S6 S21',
    *body(world) {
      const pool = new Pool(2);
      let inside = 0;
      const members: Greenlet<void>[] = [];
      world.always(() => must(pool.members().length + pool.freeCount <= 2, 'a place is free or taken, not both'));
      const work = function* (): Op<void> {
        inside += 1;
        must(inside <= 2, 'no more run than there are places');
        try {
          yield* pause(world, 2);
        } finally {
          inside -= 1;
        }
      };
      const spawner = function* (): Op<void> {
        for (let i = 0; i < 2; i += 1) members.push(yield* pool.spawn(work));
      };
      const spawners = [spawn(spawner), spawn(spawner), spawn(spawner)];
      for (let i = 0; i < 3; i += 1) {
        yield* pause(world, 2);
        if (world.chance(0.5, 'kill')) world.pick([...spawners, ...members]).kill();
      }
      yield* joinEach(spawners);
      yield* pool.join();
      same([pool.freeCount, inside, pool.members().length], [2, 0, 0], 'every place is free again');
    },
  },
  {
    name: 'a place of a pool goes to whoever has waited longest',
    rules: 'S12 S21',
    *body(world) {
      const pool = new Pool(1);
      const order: number[] = [];
      const first = pool.trySpawn(() => sleep(10));
      const spawners = yield* lineUp(3, (index) =>
        spawn(function* () {
          yield* pool.spawn(function* () {
            order.push(index);
            yield* pause(world, 2);
          });
        }),
      );
      const gone = spawners.filter(() => world.chance(0.2, 'kill'));
      for (const greenlet of gone) greenlet.kill();
      if (world.chance(0.5, 'kill member')) first?.kill();
      const late = spawn(function* () {
        yield* pause(world);
        while (order.length + gone.length < 3) {
          same(
            pool.trySpawn(() => sleep(0)),
            undefined,
            'nobody overtakes who waits',
          );
          yield* sleep(1);
        }
      });
      yield* joinEach([...spawners, late]);
      yield* pool.join();
      same(
        order,
        [0, 1, 2].filter((index) => !gone.includes(spawners[index] as (typeof spawners)[0])),
        'places are given in order',
      );
      same(pool.freeCount, 1, 'the place is free again');
    },
  },
  {
    name: 'map gives results in order, or one error and no children, and all places back',
    rules: 'S6 S9 S21',
    *body(world) {
      const pool = new Pool(world.pick([1, 2]));
      const failing = world.pick([9, 0, 1, 3]);
      let alive = 0;
      const square = function* (n: number): Op<number> {
        alive += 1;
        try {
          yield* pause(world, 2);
          if (n === failing) throw new Error('failed');
          return n * n;
        } finally {
          alive -= 1;
        }
      };
      const mapping = spawnQuietly(() => pool.map(square, [0, 1, 2, 3]));
      const bystander = spawn(function* () {
        yield* pause(world, 2);
        yield* pool.spawn(() => pause(world, 2));
      });
      if (world.chance(0.4, 'kill')) {
        yield* pause(world, 3);
        world.pick([mapping, bystander]).kill();
      }
      yield* bystander.join();
      const error = yield* thrownBy(mapping.get());
      same(alive, 0, 'its children have ended when it has');
      if (mapping.outcome?.ok === true)
        same(mapping.outcome.value, [0, 1, 4, 9], 'results are in the order of the items');
      else must(mapping.killed || (error as Error).message === 'failed', 'it fails with the error of its child');
      yield* pool.join();
      same(pool.freeCount, pool.size, 'every place is free again');
    },
  },
  {
    name: 'a pool keeps its count when a dying map gives its place back unused',
    rules: 'S6 S9 S21',
    times: 2,
    *body(world) {
      const pool = new Pool(1);
      const other = spawn(() => pool.spawn(() => pause(world, 2)));
      const mapping = spawnQuietly(() =>
        pool.map(
          function* (n: number): Op<void> {
            yield* pause(world, 2);
            if (n === 0) throw new Error('failed');
          },
          [0, 1, 2],
        ),
      );
      yield* thrownBy(mapping.get());
      yield* other.join();
      yield* pool.join();
      same([pool.freeCount, pool.waiters.size], [1, 0], 'the place is free and nobody waits');
    },
  },
  {
    name: 'a pool that changes its size keeps count of its places',
    rules: 'S6 S21',
    *body(world) {
      const pool = new Pool(2);
      const spawners = [0, 1, 2, 3].map(() => spawn(() => pool.spawn(() => pause(world))));
      const resizer = spawn(function* () {
        for (let i = 0; i < 3; i += 1) {
          yield* pause(world, 2);
          pool.resize(world.pick([2, 1, 3]));
          must(pool.freeCount <= pool.size, 'no more places are free than there are');
          must(pool.waiters.size === 0 || pool.freeCount === 0, 'nobody waits beside a free place');
        }
      });
      yield* killSome(world, spawners, 3);
      yield* joinEach([...spawners, resizer]);
      yield* pool.join();
      same([pool.freeCount, pool.waiters.size], [pool.size, 0], 'every place is free again');
    },
  },
  {
    name: 'imap gives each result once, in order or as they come, and close ends the rest',
    rules: 'S6 S21',
    *body(world) {
      const pool = new Pool(2);
      const ordered = world.chance(0.5, 'ordered');
      const stopAfter = world.pick([9, 0, 2]);
      let over = false;
      const double = function* (n: number): Op<number> {
        must(!over, 'no item is begun after close()');
        yield* pause(world, 2);
        return 2 * n;
      };
      const got: number[] = [];
      const items = [0, 1, 2, 3, 4];
      const reader = spawn(function* () {
        const results = ordered ? pool.imap(double, items) : pool.imapUnordered(double, items);
        try {
          for (let next = yield* results.next(); next.done !== true; next = yield* results.next()) {
            got.push(next.value);
            if (got.length > stopAfter) return;
          }
        } finally {
          over = true;
          results.close();
        }
      });
      if (world.chance(0.3, 'kill')) {
        yield* pause(world, 3);
        reader.kill();
      }
      yield* reader.join();
      yield* sleep(1);
      yield* pool.join();
      if (ordered)
        same(
          got,
          items.slice(0, got.length).map((n) => 2 * n),
          'results are in the order of the items',
        );
      same(new Set(got).size, got.length, 'each result comes once');
      if (!reader.killed && stopAfter === 9) same(got.length, 5, 'all of them come');
      same(pool.freeCount, 2, 'every place is free again');
    },
  },
  {
    name: 'when the kill of a group returns all of its members have ended',
    rules: 'S2 S3 S21',
    *body(world) {
      const group = new Group();
      let alive = 0;
      const member = function* (): Op<void> {
        alive += 1;
        try {
          yield* sleep(world.pick([1, 5, Number.POSITIVE_INFINITY]));
        } finally {
          alive -= 1;
        }
      };
      for (let i = 0; i < 4; i += 1) group.spawn(member);
      const waiting = spawn(function* () {
        yield* group.join();
        same(alive, 0, 'join returns when nobody is alive');
      });
      yield* pause(world);
      if (group.size > 0) yield* killSome(world, group.members(), 1);
      yield* group.kill();
      same([alive, group.size], [0, 0], 'all have ended');
      yield* waiting.join();
    },
  },
  {
    name: 'joinAll, wait and iwait tell of each end once, in the order of the ends',
    rules: 'S10 S21',
    *body(world) {
      const ended: number[] = [];
      const work = function* (index: number): Op<void> {
        try {
          yield* sleep(world.pick([1, 2, 3]));
          if (world.chance(0.3, 'fails')) throw new Error('failed');
        } finally {
          ended.push(index);
        }
      };
      const greenlets = [0, 1, 2, 3].map((index) => spawn(work, index));
      const seen: number[] = [];
      const watch = function* (): Op<void> {
        const ends = iwait(greenlets);
        try {
          for (let next = yield* ends.next(); next.done !== true; next = yield* ends.next()) seen.push(next.value.key);
        } finally {
          ends.close();
        }
      };
      const count = world.pick([4, 2]);
      const watching = spawn(watch);
      const joining = spawn(() => joinAll(greenlets, { count }));
      const waiting = spawn(() => wait(greenlets, { count, timeoutMs: 2 }));
      if (world.chance(0.4, 'kill')) {
        yield* pause(world);
        world.pick([...greenlets, joining]).kill();
      }
      for (const greenlet of greenlets) yield* greenlet.join();
      yield* joinEach([watching, joining, waiting]);
      // A greenlet that is killed before it runs has no finally.
      const inOrder = seen.filter((index) => ended.includes(index));
      same(inOrder, ended, 'ends are told in their order');
      sameNumbers(seen, [0, 1, 2, 3], 'each end is told once');
      if (joining.outcome?.ok === true) {
        const joined = joining.outcome.value.map((greenlet) => greenlets.indexOf(greenlet as Greenlet<void>));
        same(joined, seen.slice(0, count), 'joinAll tells the same');
      } else must(isKilled((joining.outcome?.error as Error)?.cause), 'only a kill stops joinAll');
      const late = (waiting.outcome?.ok === true ? waiting.outcome.value : []).map(({ key }) => key);
      same(late, seen.slice(0, late.length), 'wait tells the same, up to its limit');
    },
  },
];
