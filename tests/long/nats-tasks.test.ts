// nats-tasks.test.ts: a thousand tasks over three worker processes that are killed at random and replaced, and a server that is killed and started again: every task has its result.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { all, type Op, run, sleep, spawn, until } from 'tendril';
import { openRemoteChannel, RemoteExecutor, serveTasks, TaskDeadError } from 'tendril/executors/nats';
import { ThreadExecutor } from 'tendril/executors/threads';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { execArgv } from '../executors/local-fixtures.ts';
import { type NatsServer, program, startNats } from '../executors/nats-server.ts';
import { tasks } from '../executors/nats-tasks.ts';
import { tasks as plain } from '../executors/tasks.ts';
import { startWorker, type WorkerProcess } from '../executors/worker-process.ts';
import { expectNothingLeft } from '../samples/settled.ts';

const count = 1_000;
const everyKeyed = 10;

describe.skipIf(program === undefined)('A queue of tasks', () => {
  let server: NatsServer;
  let folder: string;
  beforeAll(async () => {
    server = await startNats();
    folder = mkdtempSync(path.join(tmpdir(), 'tendril-nats-log-'));
  });
  afterAll(async () => {
    await server.end();
    rmSync(folder, { recursive: true, force: true });
    await expectNothingLeft();
  });

  it('loses none of a thousand tasks when workers and the server are killed', { timeout: 120_000 }, async () => {
    const seed = Number(process.env.TENDRIL_SEED ?? Date.now() % 1_000_000);
    let state = seed;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((state / 2_147_483_648) * below);
    };
    const log = path.join(folder, 'log');
    const options = { servers: server.address, queue: 'chaos' };
    const workers: WorkerProcess[] = [1, 2, 3].map(() => startWorker(options));
    const lines = (): string[] => {
      try {
        return readFileSync(log, 'utf8').split('\n').slice(0, -1);
      } catch {
        return [];
      }
    };
    let killed = 0;
    const seen = await run(function* (): Op<unknown> {
      const executor = yield* RemoteExecutor.connect({ ...options, maxAttempts: 50 });
      const submitted = Array.from({ length: count }, (_, n) =>
        n % everyKeyed === 0
          ? executor.submitWith({ key: `key ${n}` }, tasks.double, n, 30, log)
          : executor.submit(tasks.double, n, 30, log),
      );
      // The same once more: they are the same tasks.
      const again = Array.from({ length: count / everyKeyed }, (_, i) =>
        executor.submitWith({ key: `key ${i * everyKeyed}` }, tasks.double, i * everyKeyed, 30, log),
      );
      const chaos = spawn(function* (): Op<void> {
        // When so many more have ended, however fast the machine is: a worker that never gets to run anything shows nothing.
        for (;;) {
          const next = lines().length + 20 + random(60);
          while (lines().length < next) yield* sleep(10);
          const victim = random(workers.length);
          yield* until((workers[victim] as WorkerProcess).kill());
          killed += 1;
          workers[victim] = startWorker(options);
        }
      });
      const outage = spawn(function* (): Op<void> {
        while (lines().length < count / 4) yield* sleep(20);
        yield* until(server.kill());
        yield* sleep(300);
        yield* until(server.start());
      });
      const results = yield* all([...submitted, ...again]);
      chaos.kill();
      yield* outage.join();
      const { done, failed, cancelled, duplicates, redelivered, reconnects } = executor.stats;
      yield* executor.shutdown();
      const runs = lines().length;
      console.log({ seed, killed, runs, duplicates, redelivered, reconnects });
      return {
        right: results.every((result, i) => result === 2 * (i < count ? i : (i - count) * everyKeyed)),
        done,
        failed,
        cancelled,
        duplicates: duplicates >= count / everyKeyed,
        redelivered: redelivered > 0,
        reconnects,
      };
    });
    await Promise.all(workers.map((worker) => worker.kill()));
    expect(seen).toEqual({
      right: true,
      done: count + count / everyKeyed,
      failed: 0,
      cancelled: 0,
      duplicates: true,
      redelivered: true,
      reconnects: 1,
    });
    expect(killed).toBeGreaterThan(2);
    expect(new Set(lines()).size).toBe(count);
  });

  it('gives up a task that kills each worker that begins it', async () => {
    const log = path.join(folder, 'deadly');
    const options = { servers: server.address, queue: 'deadly' };
    const workers = new Set<WorkerProcess>();
    let ending = false;
    // As a supervisor does: who has gone is replaced.
    const supervise = async (): Promise<void> => {
      while (!ending) {
        const worker = startWorker({ ...options, concurrency: 1 });
        workers.add(worker);
        await worker.gone;
        workers.delete(worker);
      }
    };
    const supervised = [supervise(), supervise()];
    const seen = await run(function* (): Op<unknown> {
      const executor = yield* RemoteExecutor.connect({ ...options, maxAttempts: 3 });
      const deadly = executor.submit(tasks.deadly, log);
      const others = Array.from({ length: 20 }, (_, n) => executor.submit(tasks.double, n, 5, log));
      const error = (yield* deadly.exception()) as TaskDeadError;
      const results = yield* all(others);
      yield* executor.shutdown();
      return { dead: error instanceof TaskDeadError, attempts: error.attempts, results };
    });
    ending = true;
    for (const worker of workers) await worker.kill();
    await Promise.all(supervised);
    expect(seen).toEqual({ dead: true, attempts: 3, results: Array.from({ length: 20 }, (_, n) => 2 * n) });
    expect(
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line === 'deadly'),
    ).toHaveLength(3);
  });

  it('is served by threads, and outlives the loss of one', async () => {
    const options = { servers: server.address, queue: 'threads' };
    const seen = await run(function* (): Op<unknown> {
      const executor = yield* RemoteExecutor.connect({ ...options, maxAttempts: 2 });
      const threads = new ThreadExecutor(2, { execArgv });
      const worker = spawn(() => serveTasks(plain, { ...options, executor: threads }));
      const spinning = executor.submitWith({ limitMs: 300, terminate: true }, plain.spin);
      const exiting = executor.submit(plain.exit, 3);
      const late = (yield* spinning.exception()) as Error & { code: string };
      const dead = (yield* exiting.exception()) as TaskDeadError;
      const unsendable = (yield* executor.submit(plain.unclonable).exception()) as { code: string };
      const sum = yield* executor.submit(plain.add, 2, 2);
      worker.kill();
      yield* worker.join();
      yield* threads.shutdown();
      yield* executor.shutdown();
      return [late.code, late.stack, dead.code, dead.attempts, unsendable.code, sum];
    });
    const spinStack = expect.stringMatching(/spin/);
    expect(seen).toEqual(['ERR_TASK_TIMEOUT', spinStack, 'ERR_TASK_DEAD', 2, 'ERR_TASK_RESULT', 4]);
  });

  it('holds a process while something of it is pending, and no longer', async () => {
    const worker = startWorker({ servers: server.address, queue: 'life' });
    const program = new URL('../executors/nats-client-program.ts', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', program, server.address, 'life'],
      { env: { ...process.env, TSX_TSCONFIG_PATH: `${inject('library')}/tsconfig.json` }, timeout: 30_000 },
    );
    await worker.kill();
    expect(stdout).toBe('result: 42\nexit\n');
  });
});

describe.skipIf(program === undefined)('A channel between machines', () => {
  it('keeps the memory of a producer bounded, however slow the consumer is', async () => {
    const server = await startNats();
    const options = { servers: server.address, capacity: 100 };
    const payload = 'x'.repeat(10_000);
    const seen = await run(function* (): Op<{ sent: number; received: number; grownMb: number }> {
      const near = yield* openRemoteChannel<string>('slow', options);
      const far = yield* openRemoteChannel<string>('slow', options);
      let [sent, received] = [0, 0];
      const producer = spawn(function* (): Op<void> {
        for (;;) {
          yield* near.send(payload);
          sent += 1;
        }
      });
      const consumer = spawn(function* (): Op<void> {
        for (;;) {
          yield* far.receive();
          received += 1;
          yield* sleep(2);
        }
      });
      yield* sleep(1_000);
      const before = process.memoryUsage().rss;
      let most = before;
      for (let i = 0; i < 40; i += 1) {
        yield* sleep(100);
        most = Math.max(most, process.memoryUsage().rss);
      }
      producer.kill();
      consumer.kill();
      yield* near.leave();
      yield* far.leave();
      return { sent, received, grownMb: Math.round((most - before) / 1e6) };
    });
    await server.end();
    console.log(seen);
    expect(seen.sent - seen.received).toBeLessThanOrEqual(103);
    expect(seen.received).toBeGreaterThan(250);
    expect(seen.grownMb).toBeLessThan(60);
  });
});
