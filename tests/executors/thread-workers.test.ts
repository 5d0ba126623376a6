// thread-workers.test.ts: what is the own of the executor over threads: how its workers start, die and are replaced, and what they share.
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { run } from 'tendril';
import { move } from 'tendril/executors';
import { ThreadExecutor } from 'tendril/executors/threads';
import { describe, expect, it } from 'vitest';
import { besidePrograms } from '../program-file.ts';
import { localConformance } from './local-conformance.ts';
import { execArgv } from './local-fixtures.ts';
import { localTasks } from './local-tasks.ts';

localConformance({
  kind: 'ThreadExecutor',
  make: (size, options) => new ThreadExecutor(size, options),
  small: { resourceLimits: { maxOldGenerationSizeMb: 48 } },
  entry: 'tendril/executors/threads',
});

describe('Between threads', () => {
  it('memory that is marked is moved, there and back, and shared memory is shared', () =>
    run(function* () {
      const executor = new ThreadExecutor(1, { execArgv });
      const [bytes, shared] = [new Uint8Array(1_000), new SharedArrayBuffer(4)];
      const filled = yield* executor.submit(localTasks.fill, move(bytes));
      yield* executor.submit(localTasks.set, shared);
      expect([bytes.length, filled.length, filled[999], new Int32Array(shared)[0]]).toEqual([0, 1_000, 7, 42]);
      yield* executor.shutdown();
    }));

  it('a module of tasks in TypeScript that throws is told with what it threw, whatever had to load it', () =>
    run(function* () {
      const file = besidePrograms('top.ts');
      writeFileSync(file, "const where: string = 'at the top';\nthrow new Error(`broken ${where}`);\n");
      const executor = new ThreadExecutor(1, { execArgv: ['--import', 'tsx'] });
      const task = { ...localTasks.where, module: pathToFileURL(file).href };
      expect(yield* executor.submit(task).exception()).toMatchObject({
        code: 'ERR_TASK_LOAD',
        cause: { message: 'broken at the top' },
      });
      yield* executor.shutdown();
    }));

  it('resourceLimits are an object', () => {
    expect(() => new ThreadExecutor(1, { resourceLimits: 5 as never })).toThrow(/resourceLimits must be an object/);
  });
});
