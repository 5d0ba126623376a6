// executors.test.ts: handlers that run in an executor, which is the caller's choice for each, beside others that run here.
import { sleep, spawn } from 'tendril';
import { Component, defineEvent, exception } from 'tendril/components';
import { GreenletExecutor } from 'tendril/executors';
import { describe, expect, it } from 'vitest';
import { spawnQuietly } from '../core/world.ts';
import { onStage, outcome } from './stage.ts';
import { ends, tasks } from './tasks.ts';

const measure = defineEvent<[text: string], number>('measure');

describe('A handler in an executor', () => {
  it('runs a task there with the arguments of the event, and its result has its place among the others', () =>
    onStage(function* ({ app }) {
      const executor = new GreenletExecutor(2);
      app.on(measure, { executor, task: tasks.slowLength });
      app.on(measure, () => -1);
      app.on(measure, { executor, task: tasks.length }, { priority: 1 });
      expect(yield* app.call(measure('hello'))).toEqual([5, 50, -1]);
      yield* executor.shutdown();
    }));

  it('holds up no later event, however busy the executor is', () =>
    onStage(function* ({ app, log }) {
      const executor = new GreenletExecutor(1);
      app.on(measure, { executor, task: tasks.slowLength });
      app.on(measure, (text) => void log.push(text));
      const firings = ['a', 'bb', 'ccc'].map((text) => app.fire(measure(text)));
      yield* sleep(1);
      log.push(executor.stats.running, executor.stats.pending);
      for (const firing of firings) log.push(...(yield* firing.result()));
      expect(log).toEqual(['a', 'bb', 'ccc', 1, 2, 10, 20, 30]);
      yield* executor.shutdown();
    }));

  it('that fails there fails here', () =>
    onStage(function* ({ app, log, lost }) {
      const executor = new GreenletExecutor(1);
      app.on(measure, { executor, task: tasks.fail }, { name: 'failing' });
      app.on(exception, (error, { handler }) => void log.push(`${handler}: ${error}`));
      log.push(yield* outcome(app.call(measure('x'))));
      yield* executor.shutdown();
      log.push(yield* outcome(app.call(measure('x'))));
      yield* app.settled();
      expect([log, lost]).toEqual([
        [
          'failing: Error: cannot measure x',
          'Error: cannot measure x',
          expect.stringMatching('failing: ExecutorShutdownError'),
          expect.stringMatching('ExecutorShutdownError'),
        ],
        [],
      ]);
    }));

  it('that is killed takes its task with it', () =>
    onStage(function* ({ app, log }) {
      const executor = new GreenletExecutor(1);
      const room = new Component({ name: 'room' }).register(app);
      room.on(measure, { executor, task: tasks.untilKilled });
      const call = spawnQuietly(() => app.call(measure('x')));
      yield* sleep(1);
      log.push(executor.stats.running, room.kill());
      yield* sleep(1);
      log.push(executor.stats.running, executor.stats.cancelled, [...ends], call.outcome?.ok);
      expect(log).toEqual([1, 1, 0, 1, ['x was stopped'], false]);
      yield* executor.shutdown();
    }));

  it('goes on when its caller gives up', () =>
    onStage(function* ({ app, log }) {
      const executor = new GreenletExecutor(1);
      app.on(measure, { executor, task: tasks.slowLength });
      app.on(measure.success, (_, results) => void log.push(results));
      const call = spawn(() => app.call(measure('hello')));
      call.link(() => {});
      yield* sleep(1);
      call.kill();
      yield* app.settled();
      expect(log).toEqual([[50]]);
      yield* executor.shutdown();
    }));
});
