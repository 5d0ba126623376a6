// process-workers.test.ts: what is the own of the executor over child processes: how its workers start, die and are replaced, and what they share.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { run } from 'tendril';
import { move } from 'tendril/executors';
import { ProcessExecutor } from 'tendril/executors/processes';
import { describe, expect, it } from 'vitest';
import { programFile, root } from '../program-file.ts';
import { untilTrue } from './conformance.ts';
import { localConformance } from './local-conformance.ts';
import { execArgv } from './local-fixtures.ts';
import { localTasks } from './local-tasks.ts';
import { tasks } from './tasks.ts';

localConformance({
  kind: 'ProcessExecutor',
  make: (size, options) => new ProcessExecutor(size, options),
  small: { execArgv: ['--max-old-space-size=48', ...execArgv] },
  entry: 'tendril/executors/processes',
});

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('Between processes', () => {
  it('everything is copied, also what is marked, and shared memory is refused', () =>
    run(function* () {
      const executor = new ProcessExecutor(1, { execArgv });
      const bytes = new Uint8Array(1_000);
      const filled = yield* executor.submit(localTasks.fill, move(bytes));
      expect([bytes.length, filled.length, filled[999]]).toEqual([1_000, 1_000, 7]);
      expect(() => executor.submit(localTasks.set, new SharedArrayBuffer(4))).toThrow(
        /argument 1 is a SharedArrayBuffer, which cannot travel to another process/,
      );
      yield* executor.shutdown();
    }));

  it('a worker that is killed fails its task and no other, and an idle one is not missed', () =>
    run(function* () {
      const executor = new ProcessExecutor(1, { execArgv });
      expect(yield* executor.submit(tasks.killSelf).exception()).toMatchObject({
        code: 'ERR_WORKER_LOST',
        signal: 'SIGKILL',
      });
      const { pid } = yield* executor.submit(tasks.where);
      process.kill(pid, 'SIGKILL');
      yield* untilTrue(() => !alive(pid));
      yield* untilTrue(() => executor.stats.running === 0);
      // Whether its end is known here yet or not: the second task finds a worker.
      yield* executor.submit(tasks.where).exception();
      expect((yield* executor.submit(tasks.where)).pid).not.toBe(pid);
      yield* executor.shutdown();
    }));

  it('a worker in an endless loop ends with its parent', async () => {
    const program = programFile(`
      import { defineTasks } from 'tendril/executors';
      import { ProcessExecutor } from 'tendril/executors/processes';
      const tasks = defineTasks(import.meta.url, { spin() { console.log(process.pid); for (;;); } });
      if (process.send === undefined) new ProcessExecutor(1).submit(tasks.spin);
    `);
    const parent = spawn(process.execPath, [program], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    const [printed] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(printed.toString());
    const before = alive(pid);
    parent.kill('SIGKILL');
    await run(() => untilTrue(() => !alive(pid)));
    expect(before).toBe(true);
  });

  it('watched is a flag', () => {
    expect(() => new ProcessExecutor(1, { watched: 1 as never })).toThrow(/watched must be true or false/);
  });
});
