// executors.mjs: a user without TypeScript whose tasks run in greenlets, threads and processes: this file is the module of the tasks, too.
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { all, run } from 'tendril';
import { defineTasks, GreenletExecutor } from 'tendril/executors';

export const tasks = defineTasks(import.meta.url, { square: (x) => x * x });

if (isMainThread && process.argv[1] === fileURLToPath(import.meta.url)) {
  const { ProcessExecutor } = await import('tendril/executors/processes');
  const { ThreadExecutor } = await import('tendril/executors/threads');
  await run(function* () {
    for (const executor of [new GreenletExecutor(2), new ThreadExecutor(2), new ProcessExecutor(2)]) {
      const squares = yield* all([1, 2, 3].map((x) => executor.submit(tasks.square, x)));
      console.log(executor.name, squares.join(' '));
      yield* executor.shutdown();
    }
  });
}
