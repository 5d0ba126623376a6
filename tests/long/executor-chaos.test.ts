// executor-chaos.test.ts: workers that exit, spin, crash and are ended at random: each future has an outcome that its task can have, and at the end everything works and nothing is left.
//
// The seed is printed if it fails. Which tasks are in work together differs from run to run, since threads and processes have a clock of their own.
import { all, type Op, run, sleep } from 'tendril';
import type { Executor, Future } from 'tendril/executors';
import { ProcessExecutor } from 'tendril/executors/processes';
import { ThreadExecutor } from 'tendril/executors/threads';
import { expect, it } from 'vitest';
import { untilTrue } from '../executors/conformance.ts';
import { execArgv } from '../executors/local-fixtures.ts';
import { tasks } from '../executors/tasks.ts';

const lanes = 6;
const tasksOfLane = 15;

type Attempt = (executor: Executor, random: () => number) => Op<Future<unknown>>;

const stopped = ['ERR_TASK_CANCELLED'];
const late = ['ERR_TASK_TIMEOUT'];
const lost = ['ERR_WORKER_LOST'];

/** What a lane does, and how that may end. Any task may also be hit by what an earlier one has left behind in its worker. */
const attempts: readonly (readonly [Attempt, readonly unknown[]])[] = [
  [plain((executor) => executor.submit(tasks.add, 1, 2)), [3]],
  [plain((executor) => executor.submit(tasks.add, 3, 4)), [7]],
  [plain((executor) => executor.submit(tasks.exit, 3)), lost],
  [plain((executor) => executor.submit(tasks.crashLater)), lost],
  [plain((executor, random) => executor.submitWith({ limitMs: 80 * random(), terminate: true }, tasks.spin)), late],
  [plain((executor, random) => executor.submitWith({ limitMs: 30 * random() }, tasks.untilAborted)), late],
  [
    function* cancelled(executor, random) {
      const future = executor.submit(tasks.later, 20, 'slept');
      yield* sleep(30 * random());
      future.cancel({ terminate: random() < 0.5 });
      return future;
    },
    [...stopped, 'slept'],
  ],
  [
    function* spinning(executor, random) {
      const future = executor.submitWith({ abortGraceMs: 20 * random() }, tasks.spin);
      yield* sleep(50 * random());
      future.cancel();
      return future;
    },
    stopped,
  ],
];

function plain(submit: (executor: Executor, random: () => number) => Future<unknown>): Attempt {
  return function* attempt(executor, random) {
    yield* sleep(0);
    return submit(executor, random);
  };
}

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

const handles = (): number =>
  process.getActiveResourcesInfo().filter((name) => /Process|Pipe|MessagePort/.test(name)).length;

it.each([
  ['threads', (): Executor => new ThreadExecutor(3, { execArgv })],
  ['processes', (): Executor => new ProcessExecutor(3, { execArgv })],
])('%s survive what their tasks do to them', { timeout: 180_000 }, (_kind, make) =>
  run(function* () {
    const seed = Date.now() % 100_000;
    const before = handles();
    const executor = make();
    const wrong: string[] = [];
    yield* all(
      Array.from({ length: lanes }, function* lane(_, number) {
        const random = randomFrom(seed + number);
        for (let i = 0; i < tasksOfLane; i += 1) {
          const [attempt, allowed] = attempts[Math.floor(random() * attempts.length)] as (typeof attempts)[number];
          const future = yield* attempt(executor, random);
          let outcome: unknown;
          try {
            outcome = yield* future;
          } catch (error) {
            outcome = (error as { code?: unknown }).code;
          }
          if (!allowed.includes(outcome)) wrong.push(`${future}: ${outcome}`);
        }
      }),
    );
    expect({ seed, wrong }).toEqual({ seed, wrong: [] });
    const { pending, running, done, failed, cancelled } = executor.stats;
    expect({ seed, pending, running, all: done + failed + cancelled }).toEqual({
      seed,
      pending: 0,
      running: 0,
      all: lanes * tasksOfLane,
    });
    expect(yield* all([1, 2, 3].map((i) => executor.submit(tasks.add, i, i)))).toEqual([2, 4, 6]);
    yield* executor.shutdown();
    yield* untilTrue(() => handles() <= before);
  }),
);
