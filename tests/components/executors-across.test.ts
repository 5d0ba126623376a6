// executors-across.test.ts: handlers of one event in a thread, in a process and here, each where its component has said.
import { run } from 'tendril';
import { Component, defineEvent, exception } from 'tendril/components';
import { GreenletExecutor, type TaskSet } from 'tendril/executors';
import { ProcessExecutor } from 'tendril/executors/processes';
import { ThreadExecutor } from 'tendril/executors/threads';
import { describe, expect, it } from 'vitest';
import { moduleFile } from '../program-file.ts';
import { outcome } from './stage.ts';

const where = defineEvent<[text: string], string>('where');

type Tasks = TaskSet<{ where(text: string): string; exit(text: string): string }>;

const module = moduleFile(`
  import { isMainThread } from 'node:worker_threads';
  import { defineTasks } from 'tendril/executors';
  export const tasks = defineTasks(import.meta.url, {
    where: (text) => text + (process.env.TEST_MAIN === String(process.pid) ? (isMainThread ? ' here' : ' in a thread') : ' in a process'),
    exit: () => process.exit(7),
  });
`);

describe('Handlers of one event', () => {
  it('run in a thread, in a process and here, and the loss of a worker is the failure of its handler alone', async () => {
    process.env.TEST_MAIN = String(process.pid);
    const { tasks } = (await import(/* @vite-ignore */ module.href)) as { tasks: Tasks };
    const executors = [new ThreadExecutor(1), new ProcessExecutor(1), new GreenletExecutor(1)] as const;
    await run(function* () {
      const app = new Component({ name: 'app' });
      const failures: string[] = [];
      app.on(exception, (error, { handler }) => void failures.push(`${handler}: ${(error as Error).name}`));
      for (const executor of executors) app.on(where, { executor, task: tasks.where });
      app.on(where, (text) => `${text}, plainly`);
      yield* app.run(function* () {
        expect(yield* app.call(where('it is'))).toEqual([
          'it is in a thread',
          'it is in a process',
          'it is here',
          'it is, plainly',
        ]);
        const off = app.on(where, { executor: executors[0], task: tasks.exit }, { priority: 1 });
        expect(yield* outcome(app.call(where('x')))).toMatch(/^WorkerLostError/);
        off();
        expect((yield* app.call(where('again')))[0]).toBe('again in a thread');
      });
      expect(failures).toEqual(['exit: WorkerLostError']);
      for (const executor of executors) yield* executor.shutdown();
    });
  });
});
