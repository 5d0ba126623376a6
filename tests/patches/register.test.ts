// register.test.ts: programs that are patched from the command line, and the threads and contexts of a program that are not each other's.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { besidePrograms, programFile, root } from '../program-file.ts';

const register = path.join(inject('library'), 'patches/register.js');

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run `source` with or without the patches of the command line. */
function runRegistered(
  source: string,
  patches: string | undefined,
  options: string[] = ['--import', register],
): Promise<Ended> {
  const { TENDRIL_PATCHES: _, ...env } = process.env;
  if (patches !== undefined) env.TENDRIL_PATCHES = patches;
  return new Promise((resolve) =>
    execFile(
      process.execPath,
      [...options, programFile(source, 'registered')],
      { cwd: root, env, timeout: 25_000, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    ),
  );
}

describe('node --import tendril/patches/register', () => {
  it('patches before the program loads, all but promises', async () => {
    const ended = await runRegistered(
      `
      import { patched } from 'tendril/patches';
      console.log(patched().patches.map(({ name }) => name).join(' '));
      `,
      undefined,
    );
    expect(ended).toEqual({ code: 0, stdout: 'events timers net dns fs childProcess fetch\n', stderr: '' });
  });

  it('patches what TENDRIL_PATCHES names, promises too', async () => {
    const ended = await runRegistered(
      `
      import { run } from 'tendril';
      import { patched } from 'tendril/patches';
      const value = await run(function* () {
        return yield* Promise.resolve(7);
      });
      console.log(value, patched().patches.map(({ name }) => name).join(' '));
      `,
      'timers, promise',
    );
    expect(ended).toEqual({ code: 0, stdout: '7 promise timers\n', stderr: '' });
  });

  it('ends the program at once for a name that is none', async () => {
    const ended = await runRegistered(`console.log('never');`, 'timer');
    expect({ ...ended, stderr: '' }).toEqual({ code: 1, stdout: '', stderr: '' });
    expect(ended.stderr).toMatch(/there is no patch the string "timer"; there are promise, events, timers/);
  });

  it('leaves workers, their timers and a manager to the program, whichever greenlet has needed them first', async () => {
    const source = `
      import { run, sleep, spawn } from 'tendril';
      import { defineTasks } from 'tendril/executors';
      import { Manager } from 'tendril/executors/manager';
      import { ProcessExecutor } from 'tendril/executors/processes';
      import { ThreadExecutor } from 'tendril/executors/threads';
      import { threadId } from 'node:worker_threads';
      export const tasks = defineTasks(import.meta.url, {
        where: () => process.pid + '/' + threadId,
        *later(ms) { yield* sleep(ms); },
        spin() { for (;;); },
      });
      /** Run in a greenlet that ends then. */
      const within = (body) => spawn(body).get();
      if (process.argv[1] === import.meta.filename) await run(function* () {
        for (const Kind of [ThreadExecutor, ProcessExecutor]) {
          const executor = new Kind(1);
          const first = yield* within(() => executor.submit(tasks.where));
          const later = yield* within(function* () { return { future: executor.submit(tasks.later, 100) }; });
          yield* later.future;
          console.log(Kind.name, first === (yield* executor.submit(tasks.where)));
          const spins = yield* within(function* () { return { future: executor.submit(tasks.spin) }; });
          yield* sleep(20);
          yield* within(function* () { spins.future.cancel({ terminate: true }); });
          try { yield* spins.future; } catch (error) { console.log(error.code); }
          yield* executor.shutdown();
        }
        const { manager } = yield* within(function* () { return { manager: yield* Manager.start() }; });
        console.log(yield* (yield* manager.list([1])).size());
        yield* manager.stop();
        console.log('stopped');
      });
    `;
    const lines = ['ThreadExecutor true', 'ProcessExecutor true'].flatMap((line) => [line, 'ERR_TASK_CANCELLED']);
    expect(await runRegistered(source, undefined)).toEqual({
      code: 0,
      stdout: [...lines, '1', 'stopped', ''].join('\n'),
      stderr: '',
    });
  });

  it('leaves an ordinary program as it was', async () => {
    const source = `
      import { setTimeout as named } from 'node:timers';
      import { EventEmitter } from 'node:events';
      import fs from 'node:fs';
      const emitter = new EventEmitter();
      emitter.once('a', (value) => console.log('event', value));
      emitter.emit('a', 1);
      await new Promise((resolve) => named(() => resolve(console.log('timer')), 1));
      await new Promise((resolve) => fs.stat('.', (error, stats) => resolve(console.log('stat', stats.isDirectory()))));
      console.log(await fetch('data:text/plain,fetched').then((answer) => answer.text()));
    `;
    const [plain, patchedRun] = await Promise.all([
      runRegistered(source, undefined, []),
      runRegistered(source, 'all,promise'),
    ]);
    expect(patchedRun).toEqual(plain);
    expect(plain.stdout).toBe('event 1\ntimer\nstat true\nfetched\n');
  });
});

describe('F119 a patch', () => {
  it('in a worker is not one of the main thread, nor the other way round', async () => {
    const worker = besidePrograms('worker.mjs');
    writeFileSync(
      worker,
      `
      import { parentPort } from 'node:worker_threads';
      import { run } from ${JSON.stringify(path.join(inject('library'), 'io/index.js'))};
      import { isPatched, patchPromise } from ${JSON.stringify(path.join(inject('library'), 'patches/index.js'))};
      const before = isPatched('globalThis', 'Promise.prototype[Symbol.iterator]');
      const patch = patchPromise();
      const value = await run(function* () {
        return yield* Promise.resolve('worker');
      });
      patch.undo();
      parentPort.postMessage({ before, value, after: Symbol.iterator in Promise.prototype });
      `,
    );
    const ended = await runRegistered(
      `
      import { once } from 'node:events';
      import { Worker } from 'node:worker_threads';
      import { run } from 'tendril';
      import { patchPromise } from 'tendril/patches';
      const patch = patchPromise();
      const worker = new Worker(${JSON.stringify(worker)}, { execArgv: [] });
      const [told] = await once(worker, 'message');
      const value = await run(function* () {
        return yield* Promise.resolve('main');
      });
      patch.undo();
      console.log(JSON.stringify({ told, value, after: Symbol.iterator in Promise.prototype }));
      `,
      undefined,
      [],
    );
    expect({ ...ended, stdout: JSON.parse(ended.stdout || 'null') }).toEqual({
      code: 0,
      stdout: { told: { before: false, value: 'worker', after: false }, value: 'main', after: false },
      stderr: '',
    });
  });

  it('from the command line is applied in a worker by itself', async () => {
    const worker = besidePrograms('worker-registered.mjs');
    writeFileSync(
      worker,
      `
      import { parentPort } from 'node:worker_threads';
      import { patched } from ${JSON.stringify(path.join(inject('library'), 'patches/index.js'))};
      const names = patched().patches.map(({ name }) => name);
      for (const patch of patched().patches) patch.undo();
      parentPort.postMessage({ names, left: patched().places.length });
      `,
    );
    const ended = await runRegistered(
      `
      import { once } from 'node:events';
      import { Worker } from 'node:worker_threads';
      import { patched } from 'tendril/patches';
      const [told] = await once(new Worker(${JSON.stringify(worker)}), 'message');
      console.log(JSON.stringify({ told, mine: patched().patches.map(({ name }) => name) }));
      `,
      'timers,net',
    );
    expect({ ...ended, stdout: JSON.parse(ended.stdout || 'null') }).toEqual({
      code: 0,
      stdout: { told: { names: ['timers', 'net'], left: 0 }, mine: ['timers', 'net'] },
      stderr: '',
    });
  });

  it('of promises does not reach those of a vm context', async () => {
    const ended = await runRegistered(
      `
      import vm from 'node:vm';
      import { run } from 'tendril';
      import { patchPromise } from 'tendril/patches';
      patchPromise();
      const foreign = vm.runInNewContext('Promise.resolve(1)');
      const seen = await run(function* () {
        return [typeof foreign[Symbol.iterator], typeof Promise.resolve()[Symbol.iterator]];
      });
      console.log(seen.join(' '), typeof vm.runInNewContext('Promise.resolve(1)[Symbol.iterator]'));
      `,
      undefined,
      [],
    );
    expect(ended).toEqual({ code: 0, stdout: 'undefined function undefined\n', stderr: '' });
  });
});
