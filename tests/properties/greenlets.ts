// greenlets.ts: properties of what runs: fairness, coroutines, deep calls, supervision, joins in a circle.
import {
  Channel,
  Coroutine,
  call,
  DeadlockError,
  type Greenlet,
  idle,
  isKilled,
  Mutex,
  type Op,
  Semaphore,
  sleep,
  spawn,
  supervise,
  timeout,
  yieldNow,
} from 'tendril/core';
import { joinEach, killSome, must, type Property, pause, same, spawnQuietly } from './property.ts';

export const GREENLETS: readonly Property[] = [
  {
    name: 'a greenlet that never has to wait gives way all the same',
    rules: 'S12',
    preempts: false,
    *body(world) {
      const channel = new Channel<number>(Number.POSITIVE_INFINITY);
      const semaphore = new Semaphore(1);
      const mutex = new Mutex();
      let others = 0;
      let ended = false;
      const busy = function* (): Op<void> {
        const kind = world.choose(4, 'kind');
        let seen = others;
        let since = 0;
        for (let i = 0; i < 700; i += 1) {
          if (kind === 0) yield* channel.send(i);
          else if (kind === 1) yield* semaphore.use(none);
          else if (kind === 2) yield* mutex.use(none);
          else yield* call(none);
          since = seen === others ? since + 1 : 0;
          seen = others;
          must(since <= 600, 'others run in between');
        }
        ended = true;
      };
      const other = function* (): Op<void> {
        while (!ended) {
          others += 1;
          yield* yieldNow();
        }
      };
      yield* joinEach([spawn(busy), spawn(other), spawn(other)]);
    },
  },
  {
    name: 'the runnable run in the order in which they became so',
    rules: 'S12',
    preempts: false,
    *body(world) {
      const log: number[] = [];
      const count = 2 + world.choose(4, 'greenlets');
      const turn = function* (index: number): Op<void> {
        for (let round = 0; round < 4; round += 1) {
          log.push(index);
          yield* yieldNow();
        }
      };
      const greenlets = Array.from({ length: count }, (_, index) => spawn(turn, index));
      const everybody = greenlets.map((_, index) => index);
      const victim = world.choose(count + 1, 'victim');
      yield* yieldNow();
      greenlets[victim]?.kill();
      yield* joinEach(greenlets);
      const rest = everybody.filter((index) => index !== victim);
      same(log, [...everybody, ...rest, ...rest, ...rest], 'everybody has a turn before anybody has another');
    },
  },
  {
    name: 'idle returns when nobody else can run',
    rules: 'S12',
    *body(world) {
      let runnable = 0;
      const spin = function* (): Op<void> {
        runnable += 1;
        for (let i = world.choose(5, 'rounds'); i > 0; i -= 1) yield* yieldNow();
        runnable -= 1;
        yield* sleep(world.choose(2, 'rest'));
      };
      const wait = function* (): Op<void> {
        yield* idle();
        same(runnable, 0, 'nobody was left to run');
      };
      const spinners = [spawn(spin), spawn(spin), spawn(spin)];
      const idlers = [spawn(wait), spawn(wait)];
      if (world.chance(0.4, 'kill')) {
        yield* pause(world, 2);
        world.pick(idlers).kill();
      }
      yield* joinEach([...spinners, ...idlers]);
    },
  },
  {
    name: 'coroutines hand values back and forth in order, and their greenlet can wait, expire and be killed in any of them',
    rules: 'S2 S8',
    *body(world) {
      const generate = function* (parent: Coroutine): Op<void> {
        for (let i = 0; i < 3; i += 1) {
          if (world.chance(0.4, 'wait')) yield* pause(world, 2);
          yield* parent.switch(i);
        }
      };
      const consume = function* (): Op<number[]> {
        const main = Coroutine.current();
        const source = new Coroutine(generate as (first: never) => Op<unknown>);
        const got: number[] = [];
        for (let value = yield* source.switch(main); !source.dead; value = yield* source.switch()) {
          got.push(value as number);
          if (world.chance(0.3, 'wait')) yield* pause(world, 2);
        }
        return got;
      };
      const families = [
        spawn(consume),
        spawn(() => timeout(world.pick([9, 1]), consume(), { else: [] })),
        spawn(consume),
      ];
      yield* killSome(world, families, 2);
      yield* joinEach(families);
      for (const { outcome } of families) {
        if (outcome?.ok !== true) continue;
        must(['0,1,2', ''].includes(outcome.value.join()), 'values come in order');
      }
    },
  },
  {
    name: 'deep calls leave from the inside out, each once, however they end',
    rules: 'S2 S14',
    times: 3,
    *body(world) {
      const left: number[] = [];
      const how = world.pick(['return', 'throw'] as const);
      const descend = function* (depth: number): Op<number> {
        try {
          if (world.chance(0.3, 'wait')) yield* pause(world, 2);
          if (depth === 6) {
            if (how === 'throw') throw new Error('bottom');
            return 0;
          }
          return 1 + (yield* call(descend(depth + 1)));
        } finally {
          left.push(depth);
        }
      };
      const greenlet = spawnQuietly(() => descend(0));
      yield* killSome(world, [greenlet], 2);
      yield* greenlet.join();
      const { outcome } = greenlet;
      const deepest = left[0] ?? -1;
      same(
        left,
        Array.from({ length: deepest + 1 }, (_, i) => deepest - i),
        'from the inside out, each once',
      );
      if (outcome?.ok === true) same([outcome.value, deepest], [6, 6], 'a value comes back through all of them');
      else must(greenlet.killed || deepest === 6, 'so does an error');
    },
  },
  {
    name: 'supervise starts again after an error, so often and no more, and a kill ends it',
    rules: 'S2 S21',
    times: 3,
    *body(world) {
      const failures = world.choose(4, 'failures');
      const maxRestarts = world.pick([9, 1, 2]);
      let runs = 0;
      let alive = 0;
      const body = function* (): Op<string> {
        runs += 1;
        alive += 1;
        same(alive, 1, 'one runs at a time');
        try {
          yield* pause(world, 2);
          if (runs <= failures) throw new Error(`failure ${runs}`);
          return 'done';
        } finally {
          alive -= 1;
        }
      };
      const supervisor = spawnQuietly(() => supervise(body, { maxRestarts, backoff: { firstMs: 1, jitter: 0 } }));
      if (world.chance(0.3, 'kill')) {
        yield* pause(world, 4);
        supervisor.kill();
      }
      yield* supervisor.join();
      const { outcome } = supervisor;
      if (outcome?.ok === true)
        same([outcome.value, runs], ['done', failures + 1], 'it returns the value of the run that succeeds');
      else if (isKilled((outcome?.error as Error | undefined)?.cause))
        must(runs <= failures + 1, 'a kill is no reason to start again');
      else
        same(
          [(outcome?.error as Error | undefined)?.message, runs],
          [`failure ${maxRestarts + 1}`, maxRestarts + 1],
          'it gives up with the last error',
        );
      same(alive, 0, 'and nothing runs on');
    },
  },
  {
    name: 'greenlets that join each other in a circle are told so, and do not stand still',
    rules: 'S11',
    times: 2,
    *body(world) {
      const ring: Greenlet<void>[] = [];
      let refused = 0;
      const join = function* (index: number): Op<void> {
        yield* pause(world, 2);
        try {
          yield* (ring[(index + 1) % 3] as Greenlet<void>).join();
        } catch (error) {
          must(error instanceof DeadlockError, 'only the circle is refused');
          refused += 1;
        }
      };
      for (let i = 0; i < 3; i += 1) ring.push(spawn(join, i));
      yield* joinEach(ring);
      same(refused, 1, 'the one that closes the circle is told, and nobody else');
    },
  },
];

/** An Op that never has to wait. */
const none: Op<void> = {
  *[Symbol.iterator]() {},
};
