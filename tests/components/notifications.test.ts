// notifications.test.ts: success, failure and complete: when they are fired, in which order, where; and what is followed.
//
// The behaviours of circuits' own tests: test_complete (simple and nested: the states at success and at complete), test_feedback (success and failure with what they carry),
// test_event (a notification has none itself). There an event's class says which notifications it wants; here they are fired if somebody listens.
import { type Op, scope, sleep, spawn, timeout } from 'tendril';
import { Component, defineEvent, exception, NotTrackedError } from 'tendril/components';
import { explore } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { below, onStage, outcome } from './stage.ts';

const hello = defineEvent<[name: string], string>('hello');
const state = defineEvent('state');
const chain = defineEvent<[left: number]>('chain');
const ping = defineEvent<[n: number]>('ping');
const pong = defineEvent<[n: number]>('pong');

describe('success', () => {
  it('carries the event and its results, when all handlers have ended', () =>
    onStage(function* ({ app, log }) {
      app.on(hello, function* (name) {
        yield* sleep(10);
        return `slow ${name}`;
      });
      app.on(hello, (name) => `hello ${name}`);
      app.on(hello.success, (firing, results) => void log.push(firing === fired, results));
      const fired = app.fire(hello('Ada'));
      yield* app.settled();
      expect(log).toEqual([true, ['slow Ada', 'hello Ada']]);
    }));

  it('is fired for an event that nobody handles, and for one that was stopped, but not for one that was cancelled', () =>
    onStage(function* ({ app, log }) {
      app.on(state.success, (firing) => void log.push(firing.channels[0]));
      app.fire(state(), { channel: 'nobody' });
      app.fire(state(), { channel: 'cancelled' }).cancel();
      const stopped = app.fire(state(), { channel: 'stopped' });
      stopped.stop();
      yield* app.settled();
      expect(log).toEqual(['nobody', 'stopped']);
    }));

  it('is fired where the event was, with its priority', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a', channel: 'a' });
      a.on(state.success, (firing) => void log.push(`on a, of priority ${firing.priority}`));
      app.on(state, () => {}, { channel: '*' });
      for (const [channel, priority] of [['a', 1] as const, ['b', 2] as const])
        app.fire(state(), { channel, priority });
      yield* app.settled();
      expect(log).toEqual(['on a, of priority 1']);
    }));

  it('has no notifications itself', () => {
    expect(Object.keys(hello.success)).not.toContain('success');
    expect([hello.success.name, hello.complete.name]).toEqual(['hello.success', 'hello.complete']);
    expect(hello.success).toBe(hello.success);
  });
});

describe('failure', () => {
  it('carries the event and the error, for each handler that fails, and there is no success', () =>
    onStage(function* ({ app, log, lost }) {
      app.on(hello, () => {
        throw new Error('plain');
      });
      app.on(hello, function* () {
        yield* sleep(5);
        throw new Error('greenlet');
      });
      app.on(hello, () => 'well');
      app.on(hello.success, () => void log.push('success'));
      app.on(hello.failure, (firing, error) => void log.push([String(firing), (error as Error).message]));
      const firing = app.fire(hello('Ada'));
      yield* app.settled();
      log.push(firing.results, firing.errors.length);
      expect([log, lost]).toEqual([
        [['hello("Ada") on *', 'plain'], ['hello("Ada") on *', 'greenlet'], ['well'], 2],
        [],
      ]);
    }));
});

describe('complete', () => {
  it('of an event without effects comes after its success', () =>
    onStage(function* ({ app, log }) {
      app.on(hello, (name) => `hello ${name}`);
      app.on(hello.complete, (_, results) => void log.push('complete', results));
      app.on(hello.success, () => void log.push('success'));
      app.fire(hello('Ada'));
      yield* app.settled();
      expect(log).toEqual(['success', 'complete', ['hello Ada']]);
    }));

  it('comes when all that the event caused is done, success when its own handlers are', () =>
    onStage(function* ({ app }) {
      const seen = { now: 'old', atSuccess: '', atComplete: '' };
      const nested = [1, 2, 3].map((n) => below(app, { name: `nested ${n}`, channel: `nested ${n}` }));
      nested[0]?.on(state, () => void app.fire(state(), { channel: 'nested 2' }));
      nested[1]?.on(state, function* () {
        yield* sleep(5);
        seen.now = 'new';
        this.fire(state(), { channel: 'nested 3' });
        this.fire(state(), { channel: 'nested 3' });
      });
      nested[2]?.on(state, () => void (seen.now = seen.now === 'almost final' ? 'final' : 'almost final'));
      app.on(state.success, () => void (seen.atSuccess = seen.now), { channel: 'nested 1' });
      app.on(state.complete, () => void (seen.atComplete = seen.now), { channel: 'nested 1' });
      app.fire(state(), { channel: 'nested 1' });
      yield* app.settled();
      expect(seen).toEqual({ now: 'final', atSuccess: 'old', atComplete: 'final' });
    }));

  it('can be waited for by whoever fired, and returns the results', () =>
    onStage(function* ({ app, log }) {
      app.on(hello, function* (name) {
        this.fire(chain(3));
        return name;
      });
      app.on(chain, function* (left) {
        yield* sleep(10);
        log.push(left);
        if (left > 0) this.fire(chain(left - 1));
      });
      const firing = app.fire(hello('Ada'));
      const complete = firing.complete();
      log.push(yield* firing.result());
      log.push(yield* complete, yield* firing.complete());
      expect(log).toEqual([['Ada'], 3, 2, 1, 0, ['Ada'], ['Ada']]);
    }));

  it('waits for what a greenlet that a handler waits for has fired, and not for what others fire', () =>
    onStage(function* ({ app, log }) {
      app.on(hello, function* () {
        yield* scope(function* (s) {
          s.spawn(function* () {
            yield* sleep(1);
            app.fire(chain(10));
          });
        });
        return 'x';
      });
      app.on(chain, function* (ms) {
        yield* sleep(ms);
        log.push(ms);
      });
      spawn(function* () {
        yield* sleep(2);
        app.fire(chain(50));
      });
      yield* app.fire(hello('Ada')).complete();
      log.push('complete');
      yield* app.settled();
      expect(log).toEqual([10, 'complete', 50]);
    }));

  it('waits for the effects of success, of failures and of exception too', () =>
    onStage(function* ({ app, log }) {
      app.on(hello, () => {
        throw new Error('no');
      });
      app.on(hello, () => void app.fire(state()));
      app.on(hello.failure, function* () {
        yield* sleep(10);
        log.push('failure');
      });
      app.on(exception, function* () {
        yield* sleep(20);
        log.push('exception');
      });
      app.on(state.success, function* () {
        yield* sleep(30);
        log.push('success of what it fired');
      });
      app.on(hello.complete, () => void log.push('complete'));
      log.push(yield* outcome(app.fire(hello('x')).complete()));
      yield* app.settled();
      expect(log).toEqual(['failure', 'exception', 'success of what it fired', 'complete', 'Error: no']);
    }));

  it('of one event is among what the event that caused it waits for', () =>
    onStage(function* ({ app, log }) {
      app.on(chain, (left) => {
        if (left > 0) app.fire(chain(left - 1));
      });
      app.on(chain.complete, function* (firing) {
        yield* sleep(5);
        log.push(firing.event.args[0]);
      });
      app.fire(chain(3));
      yield* app.settled();
      expect(log).toEqual([0, 1, 2, 3]);
    }));

  it('does not wait for an effect that was cancelled', () =>
    onStage(function* ({ app, log }) {
      app.on(hello, () => void app.fire(state()).cancel());
      log.push(yield* app.fire(hello('x')).complete());
      expect(log).toEqual([[]]);
    }));

  it('comes for a chain of a hundred thousand effects', () =>
    onStage(function* ({ app }) {
      app.on(chain, (left) => {
        if (left > 0) app.fire(chain(left - 1));
      });
      expect(yield* app.fire(chain(100_000)).complete()).toEqual([]);
    }));

  it('comes for an event with a hundred thousand effects', () =>
    onStage(function* ({ app }) {
      app.on(state, () => {
        for (let i = 0; i < 100_000; i += 1) app.fire(pong(i));
      });
      expect(yield* app.fire(state()).complete()).toEqual([]);
    }));

  it('has to be asked for before the event is handled', () =>
    onStage(function* ({ app, log }) {
      const firing = app.fire(hello('x'));
      yield* firing.result();
      try {
        firing.complete();
      } catch (error) {
        log.push(error instanceof NotTrackedError, (error as NotTrackedError).code);
      }
      expect(log).toEqual([true, 'ERR_EVENT_NOT_TRACKED']);
    }));

  it('is waited for in vain under a timeout, and that leaves nothing behind', () =>
    onStage(function* ({ app, log }) {
      app.on(hello, () => sleep(50) as Op<undefined>);
      const firing = app.fire(hello('x'));
      log.push(yield* outcome(timeout(10, firing.complete())));
      log.push(yield* firing.complete());
      expect(log).toEqual(['TimeoutError: timed out after 10 ms in complete on event hello("x") on *', []]);
    }));
});

describe('Two events that fire each other for ever', () => {
  it('do not keep what they were, if nobody asked what the first one causes', () =>
    onStage(function* ({ app }) {
      const kept: WeakRef<object>[] = [];
      app.on(ping, (n) => {
        const firing = app.fire(pong(n));
        if (n % 1000 === 0) kept.push(new WeakRef(firing));
      });
      app.on(pong, (n) => {
        if (n < 20_000) app.fire(ping(n + 1));
      });
      app.fire(ping(1));
      yield* app.settled();
      // No garbage collection can be asked for here; what counts is that no cause is noted.
      expect(kept.map((ref) => (ref.deref() as { effects?: unknown } | undefined)?.effects)).toEqual(
        kept.map(() => undefined),
      );
    }));
});

describe('Under many schedules', () => {
  /** A random tree of events, as numbers: how many effects each has, and whether it waits before and after. */
  function* randomTree(choose: (count: number, what: string) => number): Op<void> {
    const app = new Component({ name: 'app' });
    const grow = defineEvent<[id: number, depth: number]>('grow');
    const open = new Set<number>();
    let ids = 0;
    let completed = 0;
    const fire = (depth: number): void => {
      ids += 1;
      open.add(ids);
      app.fire(grow(ids, depth), { priority: choose(2, 'priority') });
    };
    function* branch(id: number, depth: number): Op<void> {
      if (choose(2, 'wait first') === 1) yield* sleep(choose(3, 'ms'));
      for (let left = depth === 0 ? 0 : choose(3, 'effects'); left > 0; left -= 1) {
        fire(depth - 1);
        if (choose(2, 'wait between') === 1) yield* sleep(choose(2, 'ms'));
      }
      open.delete(id);
      if (choose(8, 'fail') === 1) throw new Error('a branch broke');
    }
    app.on(grow, branch);
    app.on(exception, () => {});
    app.on(grow.complete, (firing) => {
      const [id] = firing.event.args;
      if (id !== 1) return;
      completed += 1;
      if (open.size > 0) throw new Error(`complete with ${open.size} events open`);
    });
    yield* app.run(function* () {
      fire(3);
      yield* app.settled();
    });
    if (completed !== 1) throw new Error(`complete was fired ${completed} times`);
    if (open.size > 0) throw new Error('something was never handled');
  }

  it('complete is fired exactly once, and after all that the event has caused', async () => {
    const report = await explore((world) => randomTree((count, what) => world.choose(count, what)), { seeds: 400 });
    expect(report.runs).toBe(400);
    expect(report.distinct).toBeGreaterThan(300);
  });
});
