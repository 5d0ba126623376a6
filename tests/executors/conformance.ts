// conformance.ts: what every executor does alike, as tests: greenlets, threads, processes and machines pass the same ones.
//
// A fixture says how to make an executor, and what is true of its kind. What needs workers of its own kind (crashes, endless loops) is in `isolatedConformance`, which
// greenlets, who share our thread, cannot pass.
import { all, Event, forEach, hub, type Op, run, select, sleep, spawn, timeout, until, yieldNow } from 'tendril';
import {
  CancelledError,
  type Executor,
  ExecutorFullError,
  type ExecutorOptions,
  ExecutorShutdownError,
  type Future,
  move,
  TaskTimeoutError,
} from 'tendril/executors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isMoved } from '../../executors/move.ts';
import { tasks } from './tasks.ts';

export interface Fixture {
  /** 'ThreadExecutor'. */
  readonly kind: string;
  /** Make one; the workers of a remote one are the fixture's. */
  make(size: number, options?: ExecutorOptions): Op<Executor>;
  /** Are arguments and results copies? */
  readonly copies: boolean;
  /** Runs at most one task in each of `size` places. A remote executor's window is not that. */
  readonly places: boolean;
  /** Called after the last test. */
  end?(): Promise<void>;
}

/** Wait until `condition` holds: for what another thread, process or machine does. */
export function* untilTrue(condition: () => boolean): Op<void> {
  while (!condition()) yield* sleep(2);
}

export function* outcomeOf(future: Future<unknown>): Op<unknown> {
  try {
    return { value: yield* future };
  } catch (error) {
    return { error };
  }
}

export function conformance(fixture: Fixture): void {
  /** One for the tests that leave it as it was. */
  let shared: Executor;

  /** A fresh one for a test that changes it, shut down whatever happens. */
  const withFresh = (
    size: number,
    options: ExecutorOptions | undefined,
    body: (executor: Executor) => Op<void>,
  ): Promise<void> =>
    run(function* () {
      const executor = yield* fixture.make(size, options);
      try {
        yield* body(executor);
      } finally {
        yield* executor.shutdown({ graceMs: 0 });
      }
    });

  /** Keep every place busy with tasks that end when they are asked to; returns when they run. */
  function* occupy(executor: Executor, size: number): Op<Future<string>[]> {
    const busy = Array.from({ length: size }, () => executor.submit(tasks.untilAborted));
    yield* untilTrue(() => busy.every((future) => future.running));
    return busy;
  }

  describe(`${fixture.kind}, as every executor`, () => {
    beforeAll(async () => {
      shared = await run(() => fixture.make(2));
    });
    afterAll(async () => {
      await run(() => shared.shutdown({ graceMs: 0 }));
      await fixture.end?.();
    });

    it('uses up a mark of move at the call, whatever becomes of the task', () =>
      withFresh(1, { maxPending: 1 }, function* (executor) {
        const buffers = Array.from({ length: 5 }, () => new Uint8Array(8));
        const [used, cancelled, full, closed, returned] = buffers as [
          Uint8Array,
          Uint8Array,
          Uint8Array,
          Uint8Array,
          Uint8Array,
        ];
        yield* executor.submit(tasks.echo, move(used));
        const back = yield* executor.submit(tasks.moved, returned);
        if (fixture.places) {
          yield* occupy(executor, 1);
          const waits = executor.submit(tasks.add, 1, 2);
          expect(() => executor.submit(tasks.echo, move(full))).toThrow(ExecutorFullError);
          waits.cancel();
        } else executor.submit(tasks.echo, move(full)).cancel();
        executor.submit(tasks.echo, move(cancelled)).cancel();
        yield* executor.shutdown({ graceMs: 0 });
        expect(() => executor.submit(tasks.echo, move(closed))).toThrow(ExecutorShutdownError);
        expect([...buffers, back].map(isMoved)).toEqual([false, false, false, false, false, false]);
      }));

    it('gives the value of a function, of a generator function and of an async function', () =>
      run(function* () {
        const futures = [
          shared.submit(tasks.add, 2, 3),
          shared.submit(tasks.later, 1, 'slept'),
          shared.submit(tasks.promised, 'promised'),
        ] as const;
        expect(yield* all(futures as readonly Op<unknown>[])).toEqual([5, 'slept', 'promised']);
        expect(futures.map(({ done, running, cancelled }) => [done, running, cancelled])).toEqual(
          futures.map(() => [true, false, false]),
        );
      }));

    it('carries data in arguments and results', () =>
      run(function* () {
        const value = {
          text: 'ä\u0000',
          list: [1, -0, Number.NaN, Number.POSITIVE_INFINITY, null, undefined, true],
          big: 2n ** 70n,
          when: new Date(5),
          map: new Map<unknown, unknown>([['a', new Set([1])]]),
          bytes: new Uint8Array([1, 2, 255]),
          nested: { __proto__: { inherited: 1 }, own: 1 },
        };
        const result = (yield* shared.submit(tasks.echo, value)) as typeof value;
        expect(result).toEqual({ ...value, nested: { own: 1 } });
        expect(result === value).toBe(!fixture.copies);
      }));

    it('throws what the task threw, with its name, code, cause and stack', () =>
      run(function* () {
        const error = (yield* shared.submit(tasks.fail, 'out of luck').exception()) as RangeError & {
          code: string;
          attempt: number;
        };
        expect([error instanceof RangeError, error.name, error.message, error.code, error.attempt]).toEqual([
          true,
          'RangeError',
          'out of luck',
          'ERR_OF_MINE',
          3,
        ]);
        expect((error.cause as Error).message).toBe('the cause');
        expect(error.stack).toMatch(/tasks\.ts/);
      }));

    it('throws what is no error', () =>
      run(function* () {
        const thrown: unknown[] = [];
        for (const value of ['text', 0, null, undefined, false])
          thrown.push(yield* outcomeOf(shared.submit(tasks.throwValue, value)));
        expect(thrown).toEqual(['text', 0, null, undefined, false].map((error) => ({ error })));
        expect(yield* shared.submit(tasks.throwOdd).exception()).toBeDefined();
        expect(yield* shared.submit(tasks.add, 1, 1).exception()).toBe(undefined);
      }));

    it('gives the same outcome to all who wait, before and after', () =>
      run(function* () {
        const future = shared.submit(tasks.later, 5, 'for all');
        const waiters = [1, 2, 3].map(() => spawn(() => future.result()));
        const asked = future.promise();
        expect([yield* all(waiters.map((greenlet) => greenlet.get())), yield* until(asked), yield* future]).toEqual([
          ['for all', 'for all', 'for all'],
          'for all',
          'for all',
        ]);
        const failed = shared.submit(tasks.fail, 'for all');
        const errors = yield* all([failed.exception(), failed.exception()]);
        expect(errors[0]).toBe(errors[1]);
        expect(yield* outcomeOf(failed)).toEqual({ error: errors[0] });
      }));

    it('is an arm of a select, and one that loses goes on', () =>
      run(function* () {
        const slow = shared.submit(tasks.later, 60, 'slow');
        const first = yield* select({ slow, quick: sleep(1) });
        expect(first.key).toBe('quick');
        expect(yield* select({ slow, never: new Event().wait() })).toEqual({ key: 'slow', value: 'slow' });
      }));

    it('cancels a task whose only waiter timed out', () =>
      withFresh(1, undefined, function* (executor) {
        const future = executor.submit(tasks.untilAborted);
        yield* untilTrue(() => future.running);
        expect(yield* timeout(1, future, { else: 'late' })).toBe('late');
        expect(yield* outcomeOf(future)).toMatchObject({ error: { code: 'ERR_TASK_CANCELLED' } });
        expect(future.cancelled).toBe(true);
      }));

    it('takes out what is pending when the waiter is killed', () =>
      withFresh(1, undefined, function* (executor) {
        if (!fixture.places) return;
        const [busy] = yield* occupy(executor, 1);
        const future = executor.submit(tasks.add, 1, 2);
        const waiter = spawn(() => future.result());
        yield* yieldNow();
        expect(executor.stats.pending).toBe(1);
        waiter.kill();
        expect([executor.stats.pending, future.cancelled, future.done]).toEqual([0, true, true]);
        busy?.cancel();
      }));

    it('leaves a task alone while somebody else cares', () =>
      run(function* () {
        const future = shared.submit(tasks.later, 30, 'kept');
        const [first, second] = [spawn(() => future.result()), spawn(() => future.result())];
        yield* yieldNow();
        first.kill();
        expect(yield* second.get()).toBe('kept');

        const promised = shared.submit(tasks.later, 30, 'promised');
        const promise = promised.promise();
        expect(yield* timeout(1, promised, { else: 'gone' })).toBe('gone');
        expect(yield* until(promise)).toBe('promised');

        const called = shared.submit(tasks.later, 30, 'called');
        const seen = new Event();
        called.addDoneCallback(() => seen.set());
        expect(yield* timeout(1, called, { else: 'gone' })).toBe('gone');
        yield* seen.wait();
        expect(yield* called).toBe('called');
      }));

    it('asks a task that runs to stop, and has its own outcome if it does not heed', () =>
      run(function* () {
        const [heeds, ignores] = [shared.submit(tasks.untilAborted), shared.submit(tasks.stubborn, 5)];
        yield* untilTrue(() => heeds.running && ignores.running);
        // Remote workers are asked once they have begun.
        yield* sleep(20);
        expect([heeds.cancel({ reason: 'enough' }), ignores.cancel()]).toEqual([true, true]);
        const error = (yield* outcomeOf(heeds)) as { error: CancelledError };
        expect(error.error).toBeInstanceOf(CancelledError);
        expect(error.error.reason).toBe('enough');
        expect(yield* ignores).toBe('finished all the same');
        expect([heeds.cancelled, ignores.cancelled, heeds.cancel(), ignores.cancel()]).toEqual([
          true,
          false,
          false,
          false,
        ]);
      }));

    it('cancels by a signal', () =>
      run(function* () {
        const controller = new AbortController();
        const future = shared.submitWith({ signal: controller.signal }, tasks.untilAborted);
        yield* untilTrue(() => future.running);
        controller.abort('by signal');
        expect(yield* outcomeOf(future)).toMatchObject({ error: { code: 'ERR_TASK_CANCELLED', reason: 'by signal' } });
        expect(() => shared.submitWith({ key: '' }, tasks.untilAborted)).toThrow(/key must not be empty/);
        const never = shared.submitWith({ signal: AbortSignal.abort('before') }, tasks.untilAborted);
        expect([never.cancelled, yield* outcomeOf(never)]).toMatchObject([true, { error: { reason: 'before' } }]);
      }));

    it('calls back once, in order, also when it is done, and a failing callback is reported', () =>
      run(function* () {
        const calls: string[] = [];
        const errors: unknown[] = [];
        const stop = hub.on('error', (error) => void errors.push(error));
        try {
          const future = shared.submit(tasks.later, 1, 'called');
          future.addDoneCallback((given) => calls.push(`first ${given === future}`));
          future.addDoneCallback(() => {
            throw new Error('of a callback');
          });
          future.addDoneCallback(() => calls.push('third'));
          yield* future;
          yield* sleep(1);
          future.addDoneCallback(() => calls.push('after'));
          yield* sleep(1);
        } finally {
          stop();
        }
        expect(calls).toEqual(['first true', 'third', 'after']);
        expect(errors).toEqual([new Error('of a callback')]);
      }));

    it('ends a task that runs beyond its limit', () =>
      run(function* () {
        const future = shared.submitWith({ limitMs: 15 }, tasks.untilAborted);
        const error = yield* future.exception();
        expect(error).toBeInstanceOf(TaskTimeoutError);
        expect([(error as TaskTimeoutError).code, (error as TaskTimeoutError).limitMs]).toEqual([
          'ERR_TASK_TIMEOUT',
          15,
        ]);
        expect(future.cancelled).toBe(false);
      }));

    it('maps in order, and as results come', () =>
      run(function* () {
        const delays = [40, 1, 20, 1, 1];
        const results = shared.map(tasks.twice, delays);
        const ordered: number[] = [];
        yield* forEach(results, function* (value) {
          ordered.push(value);
        });
        expect(ordered).toEqual(delays.map((ms) => ms * 2));
        const unordered: number[] = [];
        const coming = shared.map(tasks.twice, [60_000, 1, 20, 1, 1], { ordered: false });
        while (unordered.length < 4) unordered.push((yield* coming.next()).value as number);
        expect(unordered.sort((x, y) => x - y)).toEqual([2, 2, 2, 40]);
        coming.close();
      }));

    it('maps a source without end, no further ahead than it may', () =>
      run(function* () {
        let taken = 0;
        let returned = false;
        function* numbers(): Generator<number> {
          try {
            for (;;) yield taken++;
          } finally {
            returned = true;
          }
        }
        const results = shared.map(tasks.twice, numbers(), { lookAhead: 3 });
        const seen: unknown[] = [];
        for (let i = 0; i < 5; i += 1) seen.push((yield* results.next()).value);
        expect([seen, taken <= 8]).toEqual([[0, 2, 4, 6, 8], true]);
        results.close();
        expect(returned).toBe(true);
        expect(yield* outcomeOf(results.next() as unknown as Future<unknown>)).toMatchObject({
          error: { code: 'ERR_CLOSED' },
        });
      }));

    it('throws where an item fails, goes on behind it, and ends with the failure of the source', () =>
      run(function* () {
        function* items(): Generator<number> {
          yield 1;
          yield -1;
          yield 2;
          throw new Error('of the source');
        }
        const results = shared.map(tasks.twice, items());
        const seen: unknown[] = [];
        for (let i = 0; i < 5; i += 1) {
          try {
            seen.push((yield* results.next()).value);
          } catch (error) {
            seen.push((error as Error).message);
          }
        }
        expect(seen).toEqual([2, 'negative', 4, 'of the source', undefined]);
      }));

    it('closes its source once when it is closed, when a submit fails, and when its greenlet ends, and throws what that throws', () =>
      run(function* () {
        let returned = 0;
        const source = (item: unknown): IterableIterator<number> => ({
          [Symbol.iterator]() {
            return this;
          },
          next: () => ({ value: item as number, done: false }),
          return() {
            returned += 1;
            throw new Error('of return');
          },
        });
        const results = shared.map(tasks.twice, source(60_000), { lookAhead: 1 });
        const waiting = spawn(() => outcomeOf(results.next() as unknown as Future<unknown>));
        yield* yieldNow();
        expect(() => results.close()).toThrow('of return');
        results.close();
        expect([yield* waiting.get(), returned]).toMatchObject([{ error: { code: 'ERR_CLOSED' } }, 1]);
        if (fixture.copies) {
          const refused = shared.map(tasks.twice, source(Symbol('cannot travel')));
          expect(returned).toBe(2);
          expect(yield* outcomeOf(refused.next() as unknown as Future<unknown>)).toMatchObject({
            error: { code: 'ERR_CANNOT_TRAVEL' },
          });
          refused.close();
        }
        const reported: unknown[] = [];
        const off = hub.on('error', (error) => reported.push((error as Error).message));
        yield* spawn(function* () {
          shared.map(tasks.twice, source(60_000));
        }).join();
        yield* untilTrue(() => reported.length === 1);
        off();
        expect(reported).toEqual(['of return']);
        yield* untilTrue(() => shared.stats.running === 0);
      }));

    it('gives several who wait for the next result one each, and all of them the end', () =>
      run(function* () {
        const results = shared.map(tasks.twice, [3, 4], { lookAhead: 1 });
        const waiters = [1, 2, 3, 4].map(() => spawn(() => results.next()));
        const steps = yield* all(waiters.map((waiter) => waiter.get()));
        expect(steps.map(({ value }) => value)).toEqual([6, 8, undefined, undefined]);
      }));

    it('waits for what was submitted when it shuts down, and takes no more', () =>
      withFresh(2, { name: 'closing' }, function* (executor) {
        const futures = Array.from({ length: 6 }, (_, i) => executor.submit(tasks.later, 5, `${i}`));
        yield* executor.shutdown();
        expect(futures.map(({ done }) => done)).toEqual(futures.map(() => true));
        expect(yield* all(futures)).toEqual(['0', '1', '2', '3', '4', '5']);
        expect(() => executor.submit(tasks.add, 1, 2)).toThrow(ExecutorShutdownError);
        expect(() => executor.map(tasks.twice, [1])).toThrow(/closing was shut down/);
        yield* executor.shutdown();
      }));

    it('cancels what has not begun if a shutdown says so, and all when its grace is over', () =>
      withFresh(1, undefined, function* (executor) {
        if (!fixture.places) return;
        const running = executor.submit(tasks.later, 30, 'ran');
        const pending = executor.submit(tasks.add, 1, 2);
        yield* untilTrue(() => running.running);
        yield* executor.shutdown({ cancelPending: true });
        expect([yield* running, pending.cancelled]).toEqual(['ran', true]);

        const second = yield* fixture.make(1);
        const futures = [second.submit(tasks.untilAborted), second.submit(tasks.add, 1, 2)];
        const waiting = spawn(() => second.shutdown());
        yield* untilTrue(() => (futures[0] as Future<unknown>).running);
        yield* second.shutdown({ graceMs: 1 });
        yield* waiting.get();
        expect(futures.map((future) => future.cancelled)).toEqual([true, true]);
      }));

    it('goes on shutting down when the greenlet that asked is killed', () =>
      withFresh(1, undefined, function* (executor) {
        const future = executor.submit(tasks.later, 20, 'kept');
        const closing = spawn(() => executor.shutdown());
        yield* yieldNow();
        closing.kill();
        yield* closing.join();
        expect(yield* future).toBe('kept');
        yield* executor.shutdown();
      }));

    it('reports a failure that nobody has looked at when it shuts down', () =>
      withFresh(1, undefined, function* (executor) {
        const errors: unknown[] = [];
        const stop = hub.on('error', (error) => void errors.push(error));
        try {
          executor.submit(tasks.fail, 'unseen');
          const seen = executor.submit(tasks.fail, 'seen');
          yield* executor.shutdown();
          yield* seen.exception();
          yield* sleep(1);
        } finally {
          stop();
        }
        expect(errors.map((error) => (error as Error).message).filter((message) => message === 'unseen')).toEqual([
          'unseen',
        ]);
      }));

    it('refuses more than may wait', () =>
      withFresh(1, { maxPending: 2 }, function* (executor) {
        if (!fixture.places) return;
        yield* occupy(executor, 1);
        const pending = [executor.submit(tasks.add, 1, 1), executor.submit(tasks.add, 1, 2)];
        expect(() => executor.submit(tasks.add, 1, 3)).toThrow(ExecutorFullError);
        pending[0]?.cancel();
        executor.submit(tasks.add, 1, 4);
        expect(() => executor.submit(tasks.add, 1, 5)).toThrow(/use map\(\)/);
        yield* executor.shutdown({ graceMs: 0 });
        expect(executor.stats).toEqual({ pending: 0, running: 0, done: 0, failed: 0, cancelled: 4 });
      }));

    it('maps more than may wait', () =>
      withFresh(1, { maxPending: 1 }, function* (executor) {
        const seen: number[] = [];
        yield* forEach(executor.map(tasks.twice, [1, 2, 3, 4, 5, 6], { lookAhead: 4 }), function* (value) {
          seen.push(value);
        });
        expect(seen).toEqual([2, 4, 6, 8, 10, 12]);
      }));

    it('keeps thousands that wait, in order', () =>
      run(function* () {
        const count = 2_000;
        const futures = Array.from({ length: count }, (_, i) => shared.submit(tasks.add, i, 1));
        const results = yield* all(futures);
        expect(results).toEqual(Array.from({ length: count }, (_, i) => i + 1));
        const { pending, running } = shared.stats;
        expect({ pending, running }).toEqual({ pending: 0, running: 0 });
      }));

    it('refuses what is no task, and bad options, at the call', () =>
      run(function* () {
        const bad = shared as unknown as Record<string, (...args: unknown[]) => unknown>;
        const calls: readonly [() => unknown, RegExp][] = [
          [() => bad.submit?.(() => 1), /defineTasks/],
          [() => bad.submit?.(undefined), /submit: undefined is no task/],
          [() => bad.submitWith?.(null, tasks.add), /options must be an object/],
          [() => bad.submitWith?.({ limitMs: 'soon' }, tasks.add), /limitMs/],
          [() => bad.submitWith?.({ signal: {} }, tasks.add), /signal must be an AbortSignal/],
          [() => bad.submitWith?.({ terminate: 1 }, tasks.add), /terminate/],
          [() => bad.map?.(tasks.add, [1], { lookAhead: 0 }), /lookAhead is a positive integer/],
          [() => bad.map?.(tasks.twice, 5), /map takes an iterable of items, not the number 5/],
          [() => bad.map?.(tasks.twice), /map takes an iterable of items, not undefined/],
          [() => bad.shutdown?.({ graceMs: Number.NaN }), /graceMs/],
        ];
        for (const [call, message] of calls) expect(call).toThrow(message);
      }));
  });
}

/** What those can whose workers are not this thread: they survive what the task does to its worker. */
export function isolatedConformance(
  fixture: Fixture & { readonly brokenModule: (kind: 'throws' | 'never') => string },
): void {
  let shared: Executor;
  const healthy = function* (): Op<void> {
    expect(yield* all([1, 2, 3, 4].map((i) => shared.submit(tasks.add, i, i)))).toEqual([2, 4, 6, 8]);
  };

  describe(`${fixture.kind}, whose workers are isolated`, () => {
    beforeAll(async () => {
      shared = await run(() => fixture.make(2));
    });
    afterAll(async () => {
      await run(() => shared.shutdown({ graceMs: 0 }));
    });

    it('names the path of an argument that cannot travel, at the call', () =>
      run(function* () {
        const value: unknown = { list: [1, { callback: () => 1 }] };
        expect(() => shared.submit(tasks.echo, value)).toThrow(
          expect.objectContaining({
            name: 'TypeError',
            code: 'ERR_CANNOT_TRAVEL',
            message: expect.stringContaining('argument 1.list[1].callback is a function'),
          }),
        );
        const odd: unknown[] = [Symbol('s'), new WeakMap(), Promise.resolve(), new Map([['key', () => 1]])];
        for (const item of odd) expect(() => shared.submit(tasks.echo, item)).toThrow(/argument 1.* cannot travel/);
        yield* healthy();
      }));

    it('names the path of a result that cannot travel', () =>
      run(function* () {
        expect(yield* shared.submit(tasks.unclonable).exception()).toMatchObject({
          name: 'TaskResultError',
          code: 'ERR_TASK_RESULT',
          message: expect.stringContaining('list[1].callback'),
        });
        yield* healthy();
      }));

    it('refuses a result of 2 GiB', () =>
      run(function* () {
        expect(yield* shared.submit(tasks.huge, 2 ** 31).exception()).toMatchObject({
          code: 'ERR_TASK_RESULT',
          message: expect.stringMatching(/maxBytes/),
        });
        yield* healthy();
      }));

    it('ends an endless loop, with the stack that it had', () =>
      run(function* () {
        const [spins, other] = [
          shared.submitWith({ limitMs: 200, terminate: true }, tasks.spin),
          shared.submit(tasks.later, 300, 'not touched'),
        ];
        const error = (yield* spins.exception()) as Error;
        expect(error).toMatchObject({ code: 'ERR_TASK_TIMEOUT' });
        expect(error.stack).toMatch(/spin.*tasks\.ts/);
        expect(yield* other).toBe('not touched');
        yield* healthy();
      }));

    it('fails only the task whose worker exits', () =>
      run(function* () {
        const [exits, other] = [shared.submit(tasks.exit, 3), shared.submit(tasks.later, 100, 'not touched')];
        expect(yield* exits.exception()).toMatchObject({ code: 'ERR_WORKER_LOST', exitCode: 3 });
        expect(yield* other).toBe('not touched');
        yield* healthy();
      }));

    it('fails a task whose worker is brought down by an error outside of it, with that error', () =>
      run(function* () {
        const future = shared.submit(tasks.crashLater);
        const error = (yield* future.exception()) as Error;
        expect(error).toMatchObject({ code: 'ERR_WORKER_LOST' });
        expect((error.cause as Error).message).toBe('thrown outside of the task');
        expect((error.cause as Error).stack).toMatch(/tasks\.ts/);
        yield* healthy();
      }));

    it('ends the worker of a task that does not heed, when its grace is over', () =>
      run(function* () {
        const future = shared.submitWith({ abortGraceMs: 50 }, tasks.spin);
        yield* untilTrue(() => future.running);
        future.cancel();
        expect(yield* outcomeOf(future)).toMatchObject({ error: { code: 'ERR_TASK_CANCELLED' } });
        yield* healthy();
      }));

    it('says that a module cannot be loaded, or has no such task', () =>
      run(function* () {
        const missing = { ...tasks.add, module: fixture.brokenModule('throws') };
        expect(yield* shared.submit(missing, 1, 2).exception()).toMatchObject({
          code: 'ERR_TASK_LOAD',
          cause: { message: 'this module throws' },
        });
        const unnamed = { ...tasks.add, name: 'nothing' };
        expect(yield* shared.submit(unnamed, 1, 2).exception()).toMatchObject({ code: 'ERR_TASK_LOAD' });
        const never = { ...tasks.add, module: fixture.brokenModule('never') };
        const future = shared.submitWith({ limitMs: 300, terminate: true }, never, 1, 2);
        expect(yield* future.exception()).toMatchObject({ code: 'ERR_TASK_TIMEOUT' });
        yield* healthy();
      }));
  });
}
