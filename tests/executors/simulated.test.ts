// simulated.test.ts: an executor over greenlets is of the simulated world: virtual time, explored schedules, and a deadlock that is found.
import { all, forEach, now, type Op, select, sleep, spawn, timeout, yieldNow } from 'tendril';
import { type Future, GreenletExecutor } from 'tendril/executors';
import { explore, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { tasks } from './tasks.ts';

function* settled(future: Future<unknown>): Op<string> {
  try {
    yield* future;
    return 'done';
  } catch {
    return future.cancelled ? 'cancelled' : 'failed';
  }
}

describe('GreenletExecutor in a simulated world', () => {
  it('runs an hour of tasks in virtual time, two at a time', () =>
    simulate(function* () {
      const executor = new GreenletExecutor(2);
      const start = now();
      const futures = Array.from({ length: 6 }, () => executor.submit(tasks.later, 1_200_000, 'slept'));
      yield* all(futures);
      expect(now() - start).toBe(3_600_000);
      yield* executor.shutdown();
    }));

  it('limits, asks and waits for the grace in virtual time', () =>
    simulate(function* () {
      const executor = new GreenletExecutor(1, { limitMs: 60_000 });
      const start = now();
      const future = executor.submit(tasks.untilKilled);
      expect(yield* future.exception()).toMatchObject({ code: 'ERR_TASK_TIMEOUT', limitMs: 60_000 });
      expect(now() - start).toBe(60_000);
      yield* executor.shutdown();
    }));

  it('fails the world in which a failure was not looked at, also if the executor is older than that world and its future is kept', async () => {
    const executor = new GreenletExecutor(1);
    const kept: unknown[] = [];
    for (const which of ['first', 'second']) {
      const world = simulate(function* () {
        kept.push(executor.submit(tasks.fail, which));
        yield* sleep(10);
      });
      await expect(world).rejects.toThrow(which);
    }
    expect(kept).toHaveLength(2);
  });

  it('reports a deadlock of tasks that wait for each other', async () => {
    await expect(
      simulate(function* () {
        const executor = new GreenletExecutor(1);
        yield* executor.submit(tasks.untilKilled);
      }),
    ).rejects.toMatchObject({ code: 'ERR_DEADLOCK', message: expect.stringContaining("task 'untilKilled'") });
  });

  it('ends each task once, whatever is killed, cancelled or given up, under every schedule', async () => {
    const report = await explore(
      function* () {
        const executor = new GreenletExecutor(2);
        const futures = [1, 2, 3, 4, 5].map((i) =>
          i === 3 ? executor.submit(tasks.fail, 'third') : executor.submit(tasks.twice, i),
        );
        const calls = futures.map(() => 0);
        for (const [i, future] of futures.entries()) {
          if (i % 2 === 0) future.addDoneCallback(() => void (calls[i] = (calls[i] as number) + 1));
        }
        const waiters = futures.map((future) => spawn(() => settled(future)));
        const meddlers = [
          spawn(function* () {
            yield* yieldNow();
            waiters[1]?.kill();
            futures[4]?.cancel();
          }),
          spawn(function* () {
            yield* timeout(1, futures[3] as Future<number>, { else: 0 });
            yield* select({ first: futures[0] as Future<number>, time: sleep(1) });
          }),
        ];
        for (const greenlet of [...waiters, ...meddlers]) yield* greenlet.join();
        yield* executor.shutdown();
        yield* sleep(1);
        const { done, failed, cancelled, pending, running } = executor.stats;
        expect({ pending, running, ended: done + failed + cancelled }).toEqual({ pending: 0, running: 0, ended: 5 });
        expect(futures.every((future) => future.done && !future.running)).toBe(true);
        expect(calls).toEqual([1, 0, 1, 0, 1]);
      },
      { seeds: 400 },
    );
    expect(report.distinct).toBeGreaterThan(50);
  });

  it('maps without losing or doubling a result while takers are killed, under every schedule', async () => {
    await explore(
      function* () {
        const executor = new GreenletExecutor(2);
        const results = executor.map(tasks.twice, [1, 2, 3, 4], { ordered: false, lookAhead: 2 });
        const seen: number[] = [];
        const take = function* (): Op<void> {
          yield* forEach(results, function* (value) {
            seen.push(value);
          });
        };
        const takers = [spawn(take), spawn(take)];
        const victim = spawn(function* () {
          const step = yield* results.next();
          if (step.done !== true) seen.push(step.value);
        });
        yield* yieldNow();
        victim.kill();
        for (const greenlet of [...takers, victim]) yield* greenlet.join();
        expect([...seen].sort((a, b) => a - b)).toEqual([2, 4, 6, 8]);
        yield* executor.shutdown();
      },
      { seeds: 400 },
    );
  });
});
