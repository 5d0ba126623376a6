// timers.test.ts: events when they are due: once, at a time, every so often.
//
// The behaviours of circuits' own tests: test_timers (single, persistent until it is unregistered, at a time), here to the millisecond, since the clock is simulated.
import { now, type Op, sleep, spawn } from 'tendril';
import { Component, defineEvent, Timer, unregistered } from 'tendril/components';
import { describe, expect, it } from 'vitest';
import { play, world } from '../core/world.ts';
import { below, onStage } from './stage.ts';

const due = defineEvent<[what?: string]>('due');
const persistent = defineEvent('persistent');

function record(app: Component, log: unknown[]): void {
  const startMs = now();
  app.on(due, (what = 'due') => void log.push(`${what} ${now() - startMs}`));
}

describe('A timer', () => {
  it('fires once after a time, and then has left the tree', () =>
    onStage(function* ({ app, log }) {
      record(app, log);
      const timer = new Timer(due(), { afterMs: 100 }).register(app);
      yield* app.wait(unregistered);
      yield* sleep(500);
      expect([log, timer.parent, app.children]).toEqual([['due 100'], undefined, []]);
    }));

  it('fires every so often until it is unregistered, without drifting', () =>
    onStage(function* ({ app, log }) {
      record(app, log);
      app.on(persistent, function* () {
        const timer = new Timer(due(), { everyMs: 10 }).register(this);
        yield* sleep(45);
        yield* timer.unregister().complete();
      });
      yield* app.call(persistent());
      yield* sleep(100);
      expect(log).toEqual(['due 10', 'due 20', 'due 30', 'due 40']);
    }));

  it('can have a first time of its own', () =>
    onStage(function* ({ app, log }) {
      record(app, log);
      new Timer(due(), { afterMs: 3, everyMs: 10 }).register(app);
      new Timer(due('at once'), { afterMs: 0, everyMs: 20 }).register(app);
      yield* sleep(25);
      expect(log).toEqual(['at once 0', 'due 3', 'due 13', 'at once 20', 'due 23']);
    }));

  it('fires at a time of the clock; if that is over, at once', () =>
    onStage(function* ({ app, log }) {
      yield* sleep(50);
      record(app, log);
      new Timer(due('later'), { atMs: now() + 30 }).register(app);
      new Timer(due('over'), { atMs: now() - 30 }).register(app);
      yield* sleep(100);
      expect(log).toEqual(['over 0', 'later 30']);
    }));

  it('counts from when it is in a tree that runs, and ends with that', () =>
    play(function* () {
      const app = new Component({ name: 'app' });
      const log: unknown[] = [];
      new Timer(due(), { everyMs: 10 }).register(app);
      yield* sleep(100);
      yield* app.run(function* () {
        record(app, log);
        yield* sleep(25);
      });
      yield* sleep(100);
      expect([log, world().sleepers.size]).toEqual([['due 10', 'due 20'], 0]);
    }));

  it('can be reset, to count anew, while it waits', () =>
    onStage(function* ({ app, log }) {
      record(app, log);
      const once = new Timer(due('once'), { afterMs: 20 }).register(app);
      const often = new Timer(due('often'), { everyMs: 30 }).register(app);
      yield* sleep(15);
      once.reset();
      often.reset(5);
      yield* sleep(50);
      expect(log).toEqual(['often 20', 'once 35', 'often 50']);
      expect(() => once.reset()).toThrow('is over: make a new one');
    }));

  it('that is reset at the moment when it is due, and has not fired, counts anew', () =>
    onStage(function* ({ app, log }) {
      record(app, log);
      const [once, often] = [new Timer(due('once'), { afterMs: 10 }), new Timer(due('often'), { everyMs: 10 })];
      spawn(function* () {
        yield* sleep(10);
        once.reset();
        often.reset(15);
      });
      yield* sleep(0);
      once.register(app);
      often.register(app);
      yield* sleep(40);
      expect(log).toEqual(['once 20', 'often 25', 'often 35']);
    }));

  it('that is reset before it begins begins then', () =>
    onStage(function* ({ app, log }) {
      record(app, log);
      const timer = new Timer(due(), { atMs: 1e6 });
      timer.reset(7);
      timer.register(app);
      yield* sleep(20);
      expect(log).toEqual(['due 7']);
    }));

  it('fires as its parent would, or where it is told, and with the priority that it is told', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a', channel: 'a' });
      app.on(due, () => void log.push('all'), { channel: '*' });
      a.on(due, () => void log.push('a'));
      below(app, { name: 'b', channel: 'b' }).on(due, () => void log.push('b'));
      new Timer(due(), { afterMs: 1 }).register(a);
      new Timer(due(), { afterMs: 2, channel: ['b', 'c'], priority: 3 }).register(a);
      const first = yield* app.wait(due);
      const second = yield* app.wait(due);
      yield* sleep(0);
      expect([log, first.channels, second.priority, String(first.source)]).toEqual([
        ['all', 'a', 'all', 'b'],
        ['a'],
        3,
        'component a',
      ]);
    }));

  it('is not waited for by the event whose handler made it', () =>
    onStage(function* ({ app, log }) {
      record(app, log);
      app.on(persistent, () => void new Timer(due(), { afterMs: 10 }).register(app));
      app.on(persistent, function* () {
        yield* sleep(1);
        new Timer(due('from a greenlet'), { afterMs: 10 }).register(app);
      });
      yield* app.fire(persistent()).complete();
      log.push('complete');
      yield* sleep(20);
      expect(log).toEqual(['complete', 'due 10', 'from a greenlet 11']);
    }));

  it('that is late does not fire in a burst', () =>
    onStage(function* ({ app, log }) {
      record(app, log);
      new Timer(due(), { everyMs: 10 }).register(app);
      // As if the process had been busy: the clock goes on and nobody runs.
      const driver = world().driver as unknown as { now(): number };
      const real = driver.now;
      spawn(function* (): Op<void> {
        yield* sleep(15);
        driver.now = () => real.call(driver) + 37;
      });
      yield* sleep(40);
      driver.now = real;
      expect(log[0]).toBe('due 10');
      expect(log.length).toBeLessThanOrEqual(4);
    }));

  it('takes a time and an event, and nothing else', () => {
    const refusals: [string, () => unknown][] = [
      ['Timer takes an event, not a function', () => new Timer(due as never, { afterMs: 1 })],
      ['Timer: say when: afterMs, atMs or everyMs', () => new Timer(due(), {})],
      ['Timer: afterMs or atMs, not both', () => new Timer(due(), { afterMs: 1, atMs: 1 })],
      ['Timer: everyMs must be above 0', () => new Timer(due(), { everyMs: 0 })],
      ['Timer: everyMs must be a number >= 0, not NaN', () => new Timer(due(), { everyMs: Number.NaN })],
      ['Timer: afterMs must be a number >= 0, not -1', () => new Timer(due(), { afterMs: -1 })],
      ['Timer: priority must be a finite number', () => new Timer(due(), { afterMs: 1, priority: Number.NaN })],
      ['Timer: a channel is a string', () => new Timer(due(), { afterMs: 1, channel: '' })],
      ['reset: afterMs must be a number >= 0, not -1', () => new Timer(due(), { afterMs: 1 }).reset(-1)],
    ];
    for (const [message, refused] of refusals) expect(refused).toThrow(message);
  });
});
