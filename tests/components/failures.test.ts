// failures.test.ts: a handler's failure is an event, and never lost.
//
// The behaviours of circuits' own tests: test_errors (the exception event and what it carries), test_value (the error as the outcome of the event), test_feedback (failure).
import { type Op, select, sleep, spawn, suppressedErrors, timeout } from 'tendril';
import { anyEvent, Component, defineEvent, exception } from 'tendril/components';
import { describe, expect, it } from 'vitest';
import { collectErrors, play, spawnQuietly } from '../core/world.ts';
import { below, onStage, outcome } from './stage.ts';

const work = defineEvent<[what: string], string>('work');

function failing(what: string): never {
  throw new Error(`${what} failed`);
}

describe('A handler that throws', () => {
  it('makes an exception event, which says what failed where, on whatever channel', () =>
    onStage(function* ({ app, log, lost }) {
      const room = below(app, { name: 'room', channel: 'room' });
      room.on(work, function cook(what) {
        failing(what);
      });
      app.on(exception, (error, { component, firing, handler }) => {
        log.push((error as Error).message, component === room, firing === fired, handler);
      });
      const fired = room.fire(work('soup'));
      yield* app.settled();
      expect([log, lost]).toEqual([['soup failed', true, true, 'cook'], []]);
    }));

  it('does not keep the event from the other handlers', () =>
    onStage(function* ({ app }) {
      app.on(exception, () => {});
      app.on(work, () => failing('first'));
      app.on(work, () => 'second');
      const firing = app.fire(work('x'));
      yield* app.settled();
      expect([firing.results, firing.errors.map(String)]).toEqual([['second'], ['Error: first failed']]);
    }));

  it('goes to the hub if nobody handles it, the very error, once', () =>
    onStage(function* ({ app, lost }) {
      const error = new Error('lost?');
      app.on(work, () => {
        throw error;
      });
      app.fire(work('x'));
      yield* app.settled();
      yield* sleep(1);
      expect(lost.length === 1 && lost[0] === error).toBe(true);
    }));

  it('goes to the hub also from a greenlet, and if it threw no error at all', () =>
    onStage(function* ({ app, lost }) {
      app.on(work, function* () {
        yield* sleep(1);
        throw undefined;
      });
      app.on(work, function* () {
        throw 'a text';
      });
      app.fire(work('x'));
      yield* app.settled();
      yield* sleep(1);
      expect(lost).toEqual(['a text', undefined]);
    }));

  it('is taken care of by: a handler of exception', () =>
    onStage(function* ({ app, lost }) {
      app.on(work, () => failing('x'));
      below(app, { name: 'elsewhere', channel: 'elsewhere' }).on(exception, () => {});
      app.fire(work('x'));
      yield* app.settled();
      yield* sleep(1);
      expect(lost).toEqual([]);
    }));

  it('is taken care of by: a listener to its failure, on its channel alone', () =>
    onStage(function* ({ app, lost }) {
      app.on(work, () => failing('x'));
      below(app, { name: 'a', channel: 'a' }).on(work.failure, () => {});
      app.fire(work('x'), { channel: 'a' });
      app.fire(work('x'), { channel: 'b' });
      yield* app.settled();
      yield* sleep(1);
      expect(lost.map(String)).toEqual(['Error: x failed']);
    }));

  it('is taken care of by: whoever waits for the outcome by the time', () =>
    onStage(function* ({ app, lost, log }) {
      app.on(work, function* (what) {
        yield* sleep(5);
        failing(what);
      });
      log.push(yield* outcome(app.call(work('a'))));
      log.push(yield* outcome(app.fire(work('b')).complete()));
      const late = app.fire(work('c'));
      yield* sleep(10);
      log.push(yield* outcome(late.result()));
      expect([log, lost.map(String)]).toEqual([
        ['Error: a failed', 'Error: b failed', 'Error: c failed'],
        ['Error: c failed'],
      ]);
    }));

  it('is not taken care of by: a handler of every event', () =>
    onStage(function* ({ app, lost }) {
      app.on(anyEvent, () => undefined);
      app.on(work, () => failing('x'));
      app.fire(work('x'));
      yield* app.settled();
      yield* sleep(1);
      expect(lost.map(String)).toEqual(['Error: x failed']);
    }));

  it('beside others: the first in time is thrown, the later ones hang on it', () =>
    onStage(function* ({ app, log, lost }) {
      app.on(work, function* () {
        yield* sleep(20);
        failing('slow');
      });
      app.on(work, function* () {
        yield* sleep(10);
        failing('fast');
      });
      try {
        yield* app.call(work('x'));
      } catch (error) {
        log.push(String(error), ...suppressedErrors(error).map(String));
      }
      yield* app.settled();
      expect([log, lost]).toEqual([['Error: fast failed', 'Error: slow failed'], []]);
    }));

  it('beside others: later ones that the first cannot carry go to the hub', () =>
    onStage(function* ({ app, log, lost }) {
      app.on(work, () => {
        throw 'a text';
      });
      app.on(work, () => failing('second'));
      log.push(yield* outcome(app.call(work('x'))));
      yield* app.settled();
      yield* sleep(1);
      expect([log, lost.map(String)]).toEqual([['a text'], ['Error: second failed']]);
    }));

  it('before its caller has given up goes to the hub then, since nobody was told', () =>
    onStage(function* ({ app, log, lost }) {
      app.on(work, () => failing('early'));
      app.on(work, () => sleep(100) as Op<undefined>);
      const caller = spawnQuietly(() => app.call(work('x')));
      yield* sleep(10);
      log.push(lost.length);
      caller.kill();
      yield* sleep(1);
      expect([log, lost.map(String)]).toEqual([[0], ['Error: early failed']]);
    }));

  it('while its caller selects does not go to the hub, also if another arm was taken meanwhile', () =>
    onStage(function* ({ app, log, lost }) {
      app.on(work, function* () {
        yield* sleep(15);
        failing('in between');
      });
      app.on(work, () => sleep(30) as Op<undefined>);
      const firing = app.fire(work('x'));
      for (;;) {
        const step = outcome(select({ result: firing.result(), time: sleep(10) }));
        const got = yield* step;
        if (typeof got === 'string') {
          log.push(got);
          break;
        }
        log.push('another 10 ms');
      }
      yield* sleep(1);
      expect([log, lost]).toEqual([
        ['another 10 ms', 'another 10 ms', 'another 10 ms', 'Error: in between failed'],
        [],
      ]);
    }));

  it('after its caller has given up goes to the hub', () =>
    onStage(function* ({ app, log, lost }) {
      app.on(work, function* () {
        yield* sleep(20);
        failing('late');
      });
      log.push(yield* outcome(timeout(10, app.call(work('x')))));
      yield* app.settled();
      yield* sleep(1);
      expect([log, lost.map(String)]).toEqual([['TimeoutError: timed out after 10 ms'], ['Error: late failed']]);
    }));
});

describe('A handler of exception that throws', () => {
  it('is reported to the hub and does not go round for ever', () =>
    onStage(function* ({ app, lost }) {
      app.on(exception, () => failing('the reporter'));
      app.on(work, () => failing('work'));
      app.fire(work('x'));
      yield* app.settled();
      yield* sleep(1);
      expect(lost.map(String)).toEqual(['Error: the reporter failed']);
    }));

  it('of failure, or of success, is an exception like any other', () =>
    onStage(function* ({ app, log }) {
      app.on(work, (what) => (what === 'well' ? 'well' : failing('work')));
      app.on(work.failure, () => failing('failure'));
      app.on(work.success, () => failing('success'));
      app.on(
        exception,
        (error, { firing }) => void log.push(`${(error as Error).message} at ${firing?.event.type.name}`),
      );
      app.fire(work('ill'));
      app.fire(work('well'));
      yield* app.settled();
      expect(log).toEqual(['work failed at work', 'failure failed at work.failure', 'success failed at work.success']);
    }));
});

describe('What a handler returns', () => {
  it('may be no promise: that is a failure that says what to write', () =>
    onStage(function* ({ app, log }) {
      app.on(exception, (error) => void log.push(String(error)));
      app.on(work, () => Promise.resolve('x') as never, { name: 'plain' });
      app.on(
        work,
        function* () {
          yield* sleep(1);
          return Promise.resolve('x') as never;
        },
        { name: 'greenlet' },
      );
      app.fire(work('x'));
      yield* app.settled();
      expect(log).toEqual([
        'TypeError: plain of component app returned a promise: write function*, and `yield* until(promise)` for await',
        'TypeError: greenlet of component app returned a promise: write function*, and `yield* until(promise)` for await',
      ]);
    }));
});

describe('Failures while a tree is taken down', () => {
  it('reach the hub', () =>
    play(function* () {
      const lost = collectErrors();
      const app = new Component({ name: 'app' });
      app.on(work, function* (what) {
        try {
          yield* sleep(1000);
        } finally {
          failing(what);
        }
      });
      const running = spawn(() =>
        app.run(function* () {
          app.fire(work('cleanup'));
          yield* sleep(1000);
        }),
      );
      running.link(() => {});
      yield* sleep(1);
      running.kill();
      yield* running.join();
      yield* sleep(1);
      expect(lost.map(String)).toEqual(['Error: cleanup failed']);
    }));

  it('reach the hub also if the exception was still queued', () =>
    play(function* () {
      const lost = collectErrors();
      const app = new Component({ name: 'app' });
      app.on(exception, () => {});
      app.on(work, function* () {
        yield* sleep(1);
        running.kill();
        failing('queued');
      });
      const running: { kill(): void; join(): Op<void>; link(listener: () => void): void } = spawn(() =>
        app.run(function* () {
          app.fire(work('x'));
          yield* sleep(1000);
        }),
      );
      running.link(() => {});
      yield* running.join();
      yield* sleep(1);
      expect(lost.map(String)).toEqual(['Error: queued failed']);
    }));
});
