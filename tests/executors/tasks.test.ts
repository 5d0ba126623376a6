// tasks.test.ts: definitions of tasks, and what of futures and executors is not for the conformance suite.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { hub, run, sleep } from 'tendril';
import { defineTasks, type Executor, GreenletExecutor, move } from 'tendril/executors';
import { describe, expect, it } from 'vitest';
import { takeMoved } from '../../executors/move.ts';
import { runTask, stopTask } from '../../executors/task-run.ts';
import { tasks } from './tasks.ts';

describe('defineTasks', () => {
  it('gives references by the module and the name, which are frozen', () => {
    expect(tasks.add).toMatchObject({ module: new URL('./tasks.ts', import.meta.url).href, set: 'tasks', name: 'add' });
    expect([Object.isFrozen(tasks), Object.isFrozen(tasks.add)]).toEqual([true, true]);
    const named = defineTasks('file:///srv/imaging.worker.ts', { blur: () => 1 }, { name: 'imaging' });
    expect([named.blur.set, defineTasks('file:///srv/imaging.worker.ts', { sharpen: () => 1 }).sharpen.set]).toEqual([
      'imaging',
      'imaging-worker',
    ]);
  });

  it('refuses what cannot be one', () => {
    const bad = defineTasks as unknown as (...args: unknown[]) => unknown;
    expect(() => bad('tasks.ts', {})).toThrow(/import\.meta\.url/);
    expect(() => bad(import.meta.url, null)).toThrow(/an object of functions, not null/);
    expect(() => bad(import.meta.url, { a: 1 })).toThrow(/a is the number 1, not a function/);
    expect(() => bad(import.meta.url, { 'a-b': () => 1 })).toThrow(/'a-b' is no name for a task/);
    expect(() => bad(import.meta.url, {}, { name: 'with space' })).toThrow(/the name of a set/);
    const a = (): void => {};
    expect(() => bad(import.meta.url, { a }, { validate: a })).toThrow(/validate is an object .*, not a function .a./);
    expect(() => bad(import.meta.url, { a }, { validate: { b: a } })).toThrow(
      /validate\.b checks no task: there are a/,
    );
    expect(() => bad(import.meta.url, { a }, { validate: { a: 1 } })).toThrow(/validate\.a is the number 1/);
  });
});

describe('A task in a worker', () => {
  const url = import.meta.url.replace('tasks.test.ts', 'tasks.ts');
  const call = (name: string, ...args: unknown[]): Parameters<typeof runTask>[0] => ({
    id: 1,
    module: url,
    name,
    args,
  });

  it('runs in a greenlet of the copy of the library that defined it, and may be stopped', async () => {
    const running = runTask(call('untilAborted'));
    setImmediate(() => stopTask(1, 'reason'));
    expect(await running).toEqual({ kind: 'killed' });
    expect(await runTask(call('add', 2, 3))).toEqual({ kind: 'value', value: 5 });
    stopTask(1, 'nothing runs');
  });

  it('may be stopped before its module is there', async () => {
    const running = runTask({ ...call('add', 2, 3), module: 'data:text/javascript,await null' });
    stopTask(1, 'at once');
    expect(await running).toEqual({ kind: 'killed' });
  });

  it('describes what it threw, and that it is not there', async () => {
    expect(await runTask(call('fail', 'bad luck'))).toMatchObject({
      kind: 'error',
      thrown: { error: { name: 'RangeError', message: 'bad luck', own: { code: 'ERR_OF_MINE' } } },
    });
    expect(await runTask(call('nothing'))).toMatchObject({ kind: 'load' });
    expect(await runTask({ ...call('add'), module: 'file:///nowhere/at/all.js' })).toMatchObject({ kind: 'load' });
  });

  it('is given what its validator returns, or fails with what that throws', async () => {
    const module = 'data:text/javascript,1';
    defineTasks(
      module,
      { double: (x: number) => 2 * x },
      {
        validate: {
          double: ([x]) => {
            if (typeof x !== 'string') throw new TypeError('a string of digits was expected');
            return [Number(x)];
          },
        },
      },
    );
    expect(await runTask({ id: 2, module, name: 'double', args: ['21'] })).toEqual({ kind: 'value', value: 42 });
    expect(await runTask({ id: 3, module, name: 'double', args: [21] })).toMatchObject({
      kind: 'error',
      thrown: { error: { message: 'a string of digits was expected' } },
    });
  });
});

describe('move', () => {
  it('marks a buffer, or what it is a view of, once', () => {
    const bytes = new Uint8Array(8);
    const buffer = new ArrayBuffer(2);
    expect(move(bytes)).toBe(bytes);
    expect(takeMoved([1, move(buffer), bytes, bytes, 'x', {}])).toEqual([buffer, bytes.buffer]);
    expect(takeMoved([bytes, buffer])).toEqual([]);
  });

  it('refuses what has no memory of its own', () => {
    expect(() => move(5 as unknown as object)).toThrow(/not the number 5/);
    expect(() => move(new Uint8Array(new SharedArrayBuffer(1)))).toThrow(/shared, not moved/);
    expect(() => move({ bytes: new Uint8Array(1) })).toThrow(/move that part/);
  });
});

describe('A failure that nobody can look at any more', () => {
  it('is reported when its future is collected', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const errors: string[] = [];
    const stop = hub.on('error', (error) => void errors.push((error as Error).message));
    try {
      await run(function* () {
        const executor: Executor = new GreenletExecutor(1);
        const kept = executor.submit(tasks.fail, 'kept');
        submitAndForget(executor);
        while (executor.stats.failed < 2) yield* sleep(1);
        for (let i = 0; i < 200 && errors.length === 0; i += 1) {
          gc();
          yield* sleep(5);
        }
        expect(errors).toEqual(['forgotten']);
        expect(yield* kept.exception()).toMatchObject({ message: 'kept' });
        yield* executor.shutdown();
      });
      expect(errors).toEqual(['forgotten']);
    } finally {
      stop();
    }
  });
});

function submitAndForget(executor: Executor): void {
  executor.submit(tasks.fail, 'forgotten');
}
