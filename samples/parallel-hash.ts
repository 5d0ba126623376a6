// parallel-hash.ts: keys derived from passwords, each some ten milliseconds of computing, by the executor of one's choice, and how much faster that is than one worker.
//
// The file is its own module of tasks: each worker imports it, so what only the program does stands behind the last `if`.
//
// How to run: npx tsx samples/parallel-hash.ts [--on threads|processes|greenlets] [--workers N] [--count N]      (threads need: npm install piscina)

import { pbkdf2Sync } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { forEach, main, now, type Op, stdio, until } from 'tendril';
import { defineTasks, type Executor, GreenletExecutor } from 'tendril/executors';
import { ProcessExecutor } from 'tendril/executors/processes';
import { progressBar } from './progress-bar.ts';

const rounds = 20_000;

export const tasks = defineTasks(import.meta.url, {
  // A call that computes, and so blocks its thread: in a greenlet of the main thread it would block everything.
  derive: (password: string): string => pbkdf2Sync(password, 'salt', rounds, 32, 'sha256').toString('hex'),
});

/** The executor that `kind` says. That of threads is imported by those who want it: it needs a package. */
export function* executorOn(kind: string, workers: number): Op<Executor> {
  if (kind === 'greenlets') return new GreenletExecutor(workers);
  if (kind === 'processes') return new ProcessExecutor(workers);
  if (kind !== 'threads') throw new Error(`--on takes threads, processes or greenlets, not ${kind}`);
  const { ThreadExecutor } = yield* until(import('tendril/executors/threads'));
  return new ThreadExecutor(workers);
}

export interface Derived {
  /** In the order of the passwords. */
  readonly keys: readonly string[];
  readonly elapsedMs: number;
}

/** Derive a key from each password on `executor`, whose workers have been started before the clock runs. */
export function* derived(
  executor: Executor,
  passwords: readonly string[],
  onProgress?: (done: number, total: number) => void,
): Op<Derived> {
  yield* forEach(executor.map(tasks.derive, passwords.slice(0, 4)), function* warm() {});
  const startMs = now();
  const keys: string[] = [];
  yield* forEach(executor.map(tasks.derive, passwords), function* collect(key) {
    keys.push(key);
    onProgress?.(keys.length, passwords.length);
  });
  return { keys, elapsedMs: now() - startMs };
}

function* program(): Op<void> {
  const { values } = parseArgs({
    options: {
      on: { type: 'string', default: 'processes' },
      workers: { type: 'string', default: String(availableParallelism()) },
      count: { type: 'string', default: '200' },
    },
  });
  const passwords = Array.from({ length: Number(values.count) }, (_, i) => `password ${i}`);
  const times: number[] = [];
  const out = stdio.stdout();
  for (const workers of [1, Number(values.workers)]) {
    const executor = yield* executorOn(values.on, workers);
    const bar = progressBar('keys');
    try {
      const { keys, elapsedMs } = yield* derived(executor, passwords, bar.draw);
      bar.end();
      times.push(elapsedMs);
      const rate = Math.round((keys.length / elapsedMs) * 1_000);
      yield* out.write(
        `${workers} of ${values.on}: ${keys.length} keys, ${rate} a second, the last ${keys.at(-1)?.slice(0, 16)}\n`,
      );
    } finally {
      bar.end();
      yield* executor.shutdown({ graceMs: 0 });
    }
  }
  const [one, many] = times as [number, number];
  yield* out.write(`speed-up: ${(one / many).toFixed(2)}\n`);
}

// Not in a worker, which imports this file too.
if (process.argv[1] === import.meta.filename) main(program);
