// local-conformance.ts: what the executors over threads and processes do alike, as tests, beside what all executors do: how workers start, die and are replaced.
import { readFileSync } from 'node:fs';
import { all, type Op, run, sleep } from 'tendril';
import type { Executor } from 'tendril/executors';
import { describe, expect, it } from 'vitest';
import { runProgram } from '../io/process-program.ts';
import { besidePrograms } from '../program-file.ts';
import { outcomeOf, untilTrue } from './conformance.ts';
import { brokenModule, execArgv } from './local-fixtures.ts';
import { localTasks } from './local-tasks.ts';
import { tasks } from './tasks.ts';

export interface LocalOptions {
  readonly execArgv?: readonly string[];
  readonly startTimeoutMs?: number;
  readonly maxBytes?: number;
}

export interface LocalFixture {
  /** 'ThreadExecutor'. */
  readonly kind: string;
  make(size?: number, options?: object): Executor;
  /** Options of workers with little memory. */
  readonly small: object;
  /** What a program imports. */
  readonly entry: string;
}

export function localConformance({ kind, make, small, entry }: LocalFixture): void {
  const using = (body: (executor: Executor) => Op<void>, size = 2, options: LocalOptions = {}): Promise<void> =>
    run(function* () {
      const executor = make(size, { execArgv, ...options });
      try {
        yield* body(executor);
      } finally {
        yield* executor.shutdown({ graceMs: 0 });
      }
    });

  describe(`${kind}, on this machine`, () => {
    it('uses the worker that was idle last, and others only when there is more to do', () =>
      using(function* (executor) {
        const alone: string[] = [];
        for (let i = 0; i < 5; i += 1) alone.push(yield* executor.submit(localTasks.where));
        const together = yield* all([1, 2, 3, 4].map(() => executor.submit(localTasks.where)));
        expect([new Set(alone).size, new Set(together).size <= 2, together.includes(alone[0] as string)]).toEqual([
          1,
          true,
          true,
        ]);
      }));

    it('fails a task that exhausts the memory of its worker, alone', () =>
      using(
        function* (executor) {
          const [exhausts, other] = [
            executor.submit(localTasks.exhaust),
            executor.submit(tasks.later, 50, 'untouched'),
          ];
          expect(yield* exhausts.exception()).toMatchObject({
            code: 'ERR_WORKER_LOST',
            message: expect.stringMatching(/memory/),
          });
          expect([yield* other, yield* executor.submit(tasks.add, 1, 2)]).toEqual(['untouched', 3]);
        },
        2,
        small,
      ));

    it('fails a task whose worker is brought down by a rejection that nobody handles, with that error', () =>
      using(function* (executor) {
        const error = (yield* executor.submit(localTasks.reject).exception()) as Error;
        expect(error).toMatchObject({ code: 'ERR_WORKER_LOST', cause: { message: 'nobody awaits this' } });
        expect((error.cause as Error).stack).toMatch(/local-tasks\.ts/);
        expect(yield* executor.submit(tasks.add, 1, 2)).toBe(3);
      }, 1));

    it('runs a task once, also if its worker is lost', () =>
      using(function* (executor) {
        const file = besidePrograms(`marks-${kind}`);
        yield* executor.submit(localTasks.mark, file).exception();
        yield* executor.submit(tasks.add, 1, 2);
        expect(readFileSync(file, 'utf8')).toBe('ran\n');
      }, 1));

    it('ends the worker at once if a cancel says so', () =>
      using(function* (executor) {
        const future = executor.submit(localTasks.spinSlowly);
        yield* executor.submit(tasks.add, 1, 2);
        expect(future.cancel({ terminate: true, reason: 'enough' })).toBe(true);
        expect(yield* outcomeOf(future)).toMatchObject({ error: { code: 'ERR_TASK_CANCELLED', reason: 'enough' } });
        expect(yield* executor.submit(tasks.add, 1, 2)).toBe(3);
      }));

    it('shows the frames of a task, down to its greenlet, in the error of its limit', () =>
      using(function* (executor) {
        yield* executor.submit(tasks.add, 1, 2);
        const error = (yield* executor
          .submitWith({ limitMs: 100, terminate: true }, localTasks.spinSlowly)
          .exception()) as Error;
        expect(error.stack).toMatch(/^TaskTimeoutError: .*\n +at spinBelow .*local-tasks.*\n +at spinSlowly /);
      }, 1));

    it('ends a task that is cancelled before its worker has started', () =>
      using(function* (executor) {
        const [asked, ended] = [executor.submit(tasks.untilAborted), executor.submit(tasks.untilAborted)];
        yield* sleep(1);
        asked.cancel();
        ended.cancel({ terminate: true });
        expect([yield* outcomeOf(asked), yield* outcomeOf(ended)]).toMatchObject([
          { error: { code: 'ERR_TASK_CANCELLED' } },
          { error: { code: 'ERR_TASK_CANCELLED' } },
        ]);
        expect(yield* executor.submit(tasks.add, 1, 2)).toBe(3);
      }));

    it('refuses arguments beyond maxBytes at the call, one by one and together, and a result when it is there', () =>
      using(
        function* (executor) {
          const part = new Uint8Array(700_000);
          expect(() => executor.submit(tasks.echo, new Uint8Array(1_000_001))).toThrow(/argument 1 .*maxBytes/);
          expect(() => executor.submit(localTasks.size, part, part)).toThrow(/argument 2 .*maxBytes/);
          expect(yield* executor.submit(localTasks.strings, 10_000).exception()).toMatchObject({
            code: 'ERR_TASK_RESULT',
            message: expect.stringMatching(/task 'strings' ended well, but the result.*over the limit.*maxBytes/),
          });
          expect(yield* executor.submit(localTasks.size, part, new Uint8Array(1))).toBe(700_001);
        },
        1,
        { maxBytes: 1_000_000 },
      ));

    it('takes no message of a task for one of its own', () =>
      using(function* (executor) {
        const message = {
          answer: null,
          crash: null,
          loaded: 1,
          heard: 1,
          port: 1,
          'tendril.port': 1,
          'tendril.worker': 1,
        };
        const parts = Object.entries(message).map(([key, value]) => ({ [key]: value }));
        const answers = [1, 2, 3].map((id) => ({ answer: { id, kind: 'error' } }));
        const said = executor.submit(localTasks.says, ['progress', 7, true, [], {}, message, ...parts, ...answers]);
        expect([yield* said, yield* executor.submit(tasks.add, 1, 2)]).toEqual(['said', 3]);
      }, 1));

    it('fails the one task whose argument or result is nested too deep for the other side', () =>
      using(function* (executor) {
        for (const depth of [1_001, 2_500, 4_000, 60_000]) {
          expect(yield* executor.submit(localTasks.nested, depth).exception()).toMatchObject({
            code: 'ERR_TASK_RESULT',
            message: expect.stringMatching(/the result has more than 1000 objects one in another/),
          });
        }
        const fits = yield* executor.submit(localTasks.nested, 1_000);
        expect(yield* executor.submit(tasks.echo, fits)).toEqual(fits);
        for (let depth = 1_001, value: unknown = { fits }; depth < 60_000; depth *= 2) {
          expect(() => executor.submit(tasks.echo, value)).toThrow(/argument 1 has more than 1000 objects/);
          for (let i = 0; i < depth; i += 1) value = { value };
        }
        expect(yield* executor.submit(tasks.add, 1, 2)).toBe(3);
      }, 1));

    it('names a result that cannot be read', () =>
      using(function* (executor) {
        expect(yield* executor.submit(localTasks.readOnce).exception()).toMatchObject({
          code: 'ERR_TASK_RESULT',
          message: expect.stringMatching(/the result cannot be copied to another \w+: cannot be read/),
        });
      }, 1));

    it('refuses a port, which is no data', () =>
      using(function* (executor) {
        const { port1, port2 } = new MessageChannel();
        expect(() => executor.submit(tasks.echo, { port: port1 })).toThrow(
          /argument 1\.port is a MessagePort, .* cannot travel/,
        );
        if (kind === 'ThreadExecutor')
          expect(() => executor.submit(tasks.echo, { port: port1 })).toThrow(
            /hand it, or the end .* with move\(\.\.\.\)/,
          );
        port1.close();
        port2.close();
      }, 1));

    it.each([
      ['is preloaded with what is not there', { execArgv: ['--import', './missing.mjs'] }, /before it had started/],
      ['is given options that Node does not have', { execArgv: ['--no-such-option'] }, /before it had started/],
      ['exits while it is preloaded', { execArgv: ['--import', brokenModule('exits')] }, /exited with code 7, before/],
      [
        'is never done with what it is preloaded with',
        { execArgv: ['--import', brokenModule('waits')], startTimeoutMs: 400 },
        /had not started after 400 ms/,
      ],
    ])('fails each task, and does not try for ever, if a worker %s', (_what, options, message) =>
      using(
        function* (executor) {
          const futures = [1, 2, 3].map((i) => executor.submit(tasks.add, i, i));
          for (const future of futures)
            expect(yield* future.exception()).toMatchObject({
              name: 'WorkerStartError',
              code: 'ERR_WORKER_START',
              message: expect.stringMatching(message),
            });
          yield* executor.shutdown();
        },
        2,
        options,
      ),
    );

    it('fails a task whose module is never imported, with the place where that hangs if it computes', () =>
      using(
        function* (executor) {
          yield* executor.submit(tasks.add, 1, 2);
          const long = executor.submit(tasks.later, 6_500, 'is there, and takes longer');
          const [waits, spins] = (['never', 'spins'] as const).map((broken) =>
            executor.submit({ ...tasks.add, module: brokenModule(broken) }, 1, 2),
          );
          expect(yield* waits?.exception() as Op<unknown>).toMatchObject({
            code: 'ERR_TASK_LOAD',
            message: expect.stringMatching(/had not been imported after 6000 ms/),
          });
          const error = (yield* spins?.exception() as Op<unknown>) as Error;
          expect(error).toMatchObject({ code: 'ERR_TASK_LOAD' });
          expect((error.cause as Error).stack).toMatch(/at spinAtTheTop .*spins/);
          expect([yield* long, yield* executor.submit(tasks.add, 1, 2)]).toEqual(['is there, and takes longer', 3]);
        },
        3,
        { startTimeoutMs: 6_000 },
      ));

    it('refuses bad options where it is made', () => {
      const bad: readonly [unknown, unknown, RegExp][] = [
        [0, {}, /size is a positive integer, not 0/],
        [1.5, {}, /size is a positive integer/],
        [Number.POSITIVE_INFINITY, {}, /size is a positive integer/],
        [1, null, /options must be an object/],
        [1, { maxBytes: 0 }, /maxBytes must be an integer/],
        [1, { execArgv: '--import' }, /execArgv must be an array of strings/],
        [1, { execArgv: [1] }, /execArgv must be an array of strings/],
        [1, { env: 'PATH' }, /env must be an object/],
        [1, { startTimeoutMs: -1 }, /startTimeoutMs must be a number/],
      ];
      for (const [size, options, message] of bad)
        expect(() => make(size as number, options as object), String(message)).toThrow(message);
    });

    it('holds the process while a task runs, also for a promise alone, and not by idle workers', async () => {
      const { code, stdout } = await runProgram(`
        import { isMainThread } from 'node:worker_threads';
        import { sleep } from 'tendril';
        import { defineTasks } from 'tendril/executors';
        import { ${kind} } from '${entry}';
        const tasks = defineTasks(import.meta.url, {
          *later(text) { yield* sleep(100); console.log('in the worker:', text); return text; },
        });
        if (isMainThread && process.send === undefined) {
          const executor = new ${kind}(1);
          for (const text of ['one', 'two']) executor.submit(tasks.later, text).promise().then((value) => console.log(value));
          process.on('exit', () => console.log('end'));
        }
      `);
      expect([
        code,
        stdout
          .split('\n')
          .filter((line) => line !== '')
          .sort(),
      ]).toEqual([0, ['end', 'in the worker: one', 'in the worker: two', 'one', 'two']]);
    });

    it('ends the process with a failure that nobody has looked at, also without a shutdown', async () => {
      const { code, stdout, stderr } = await runProgram(`
        import { isMainThread } from 'node:worker_threads';
        import { run } from 'tendril';
        import { defineTasks } from 'tendril/executors';
        import { ${kind} } from '${entry}';
        const tasks = defineTasks(import.meta.url, { fail(text) { throw new Error(text); } });
        if (isMainThread && process.send === undefined) {
          const executor = new ${kind}(1);
          // They are not collected.
          globalThis.kept = [executor.submit(tasks.fail, 'looked at'), executor.submit(tasks.fail, 'nobody looks')];
          await run(() => globalThis.kept[0].exception());
          console.log('end');
        }
      `);
      expect([code, stdout, stderr.includes('Error: nobody looks'), stderr.includes('looked at')]).toEqual([
        1,
        'end\n',
        true,
        false,
      ]);
    });

    it('leaves nothing behind when it is shut down', () =>
      run(function* () {
        const kinds = (): string[] =>
          process.getActiveResourcesInfo().filter((name) => /Process|MessagePort|Worker/.test(name));
        const before = kinds();
        const executor = make(2, { execArgv });
        yield* all([executor.submit(tasks.later, 1, ''), executor.submit(tasks.later, 1, '')]);
        yield* executor.shutdown();
        yield* untilTrue(() => kinds().length <= before.length);
      }));
  });
}
