// nesting.test.ts: a program that is its own module of tasks, and forgets the condition, is told so, and does not start itself without end.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeOptions } from '../../executors/local/node-options.ts';
import { besidePrograms, moduleFile, programFile, root } from '../program-file.ts';

const imports = `
  import { writeSync } from 'node:fs';
  import { main, run, sleep } from 'tendril';
  import { defineTasks } from 'tendril/executors';
  import { defineManaged, Manager } from 'tendril/executors/manager';
  import { ProcessExecutor } from 'tendril/executors/processes';
  import { ThreadExecutor } from 'tendril/executors/threads';
  writeSync(1, 'evaluated;');
  function* use(executor) {
    const told = (error) => (error.cause === undefined ? error : told(error.cause));
    const error = yield* executor.submit(tasks.add, 1, 2).exception();
    writeSync(1, error === undefined ? 'added;' : error.code + ' ' + told(error).code + ';');
    yield* executor.shutdown({ graceMs: 0 });
  }
`;

/** Run a program, for at most 20 seconds; what it printed, and whether it ended by itself. */
function outcome(source: string): Promise<{ readonly printed: string; readonly ended: boolean }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [programFile(imports + source)], {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    child.on('close', (_status, signal) => resolve({ printed, ended: signal === null }));
  });
}

const add = `export const tasks = defineTasks(import.meta.url, { add: (a, b) => a + b });`;

describe.each(['ThreadExecutor', 'ProcessExecutor'])('A program whose tasks %s runs', (kind) => {
  it('fails if it waits at its top level', async () => {
    const source = `${add}
      try {
        await run(() => new ${kind}(1).submit(tasks.add, 1, 2));
      } catch (error) {
        writeSync(1, error.code + ';');
        throw error;
      }`;
    expect(await outcome(source)).toEqual({
      printed: 'evaluated;evaluated;ERR_NESTED_PROGRAM;ERR_TASK_LOAD;',
      ended: true,
    });
  });

  it('fails if it is a main()', async () => {
    expect(await outcome(`${add} main(() => use(new ${kind}(1)));`)).toEqual({
      printed: 'evaluated;evaluated;ERR_TASK_LOAD ERR_NESTED_PROGRAM;',
      ended: true,
    });
  });

  it('comes to an end however it begins', async () => {
    const slow = `export const tasks = defineTasks(import.meta.url, { *add(a, b) { yield* sleep(60_000); return a + b; } });`;
    const { printed, ended } = await outcome(`${slow} run(function* () {
      const executor = new ${kind}(1);
      yield* executor.submit(tasks.add, 1, 2);
    });`);
    expect([printed, ended]).toEqual(['evaluated;'.repeat(4), true]);
  });

  it('comes to an end if its workers are preloaded with it', async () => {
    const slow = `export const tasks = defineTasks(import.meta.url, { *add(a, b) { yield* sleep(60_000); return a + b; } });`;
    const { printed, ended } = await outcome(`${slow} run(function* () {
      const executor = new ${kind}(1, { execArgv: ['--import', import.meta.url] });
      yield* executor.submit(tasks.add, 1, 2);
    });`);
    expect([printed, ended]).toEqual(['evaluated;'.repeat(4), true]);
  });

  it('may use an executor in a task', async () => {
    const nested = `export const tasks = defineTasks(import.meta.url, {
      add: (a, b) => a + b,
      *nested() {
        const executor = new ${kind}(1);
        try {
          return yield* executor.submit(tasks.add, 1, 2);
        } finally {
          yield* executor.shutdown();
        }
      },
    });
    if (process.argv[1] === import.meta.filename) await run(function* () {
      const executor = new ${kind}(1);
      writeSync(1, 'sum ' + (yield* executor.submit(tasks.nested)) + ';');
      yield* executor.shutdown();
    });`;
    expect(await outcome(nested)).toEqual({ printed: 'evaluated;evaluated;evaluated;sum 3;', ended: true });
  });
});

describe('A program with a manager', () => {
  it('fails if it starts it where its classes are defined', async () => {
    const source = `
      const classes = defineManaged(import.meta.url, { Thing: class Thing {} });
      try {
        await run(() => Manager.start(classes));
      } catch (error) {
        writeSync(1, error.code + ' ' + error.cause?.code + ';');
        throw error;
      }`;
    const { printed, ended } = await outcome(source);
    expect([printed.split(';').filter((word) => word === 'evaluated').length, ended]).toEqual([2, true]);
    expect(printed).toMatch(/ERR_MANAGER_START ERR_NESTED_PROGRAM;$/);
  });
});

describe('A program that is no file', () => {
  const module = moduleFile(`import { defineTasks } from 'tendril/executors'; ${add}`);
  /** Each process that evaluates it leaves a mark; with the fourth they end. */
  const source = (use: string): string => {
    const marks = besidePrograms(`marks-${Math.random()}`);
    const text = `
      import { appendFileSync, readFileSync } from 'node:fs';
      import { run } from 'tendril';
      import { Manager } from 'tendril/executors/manager';
      import { ProcessExecutor } from 'tendril/executors/processes';
      import { tasks } from '${module.href}';
      const marks = ${JSON.stringify(marks)};
      appendFileSync(marks, 'x');
      if (readFileSync(marks, 'utf8').length > 3) process.exit(3);
      setTimeout(() => process.exit(4), 15_000).unref();
      await run(function* () { ${use} });
      console.log('evaluated', readFileSync(marks, 'utf8').length);
    `;
    return readFileSync(programFile(text), 'utf8');
  };
  const usesTask = `
    const executor = new ProcessExecutor(1);
    console.log('sum', yield* executor.submit(tasks.add, 1, 2));
    yield* executor.shutdown();`;
  const usesManager = `
    const manager = yield* Manager.start();
    console.log('size', yield* (yield* manager.list([1, 2])).size());
    yield* manager.stop();`;

  const printed = (options: string[], input: string): Promise<string> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, options, { cwd: root, stdio: 'pipe', timeout: 20_000 });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk));
      child.stderr.on('data', (chunk: Buffer) => (text += chunk));
      child.on('close', () => resolve(text));
      child.stdin.on('error', () => {});
      child.stdin.end(input);
    });

  it.each([
    ['runs tasks in child processes', usesTask, 'sum 3\nevaluated 1\n'],
    ['starts a manager', usesManager, 'size 2\nevaluated 1\n'],
  ])('%s, given as text or on stdin, and no child runs it again', async (_what, use, expected) => {
    expect(await printed(['--input-type=module', '-e', source(use)], '')).toBe(expected);
    expect(await printed(['--input-type', 'module', `--eval=${source(use)}`], '')).toBe(expected);
    expect(await printed(['--input-type=module'], source(use))).toBe(expected);
  });

  it('leaves its children the options that do not say what to run', () => {
    for (const what of [['-e', 'text'], ['--eval=text'], ['-p', '-e', 'text'], ['-pe', 'text'], ['--print', 'text']])
      expect(nodeOptions(['-r', 'x', '--input-type', 'module', ...what, '--inspect', '-i', '--no-warnings'])).toEqual([
        '-r',
        'x',
        '--inspect',
        '--no-warnings',
      ]);
    expect(nodeOptions(undefined).filter((option) => option.startsWith('--inspect'))).toEqual([]);
  });
});
