// twins-timers.test.ts: the twin of timers: delays and ticks as Ops, in the process's time and in a simulation's.
import { forEach, hub, now, type Op, run, select, sleep, spawn, TimeoutError, timeout, yieldNow } from 'tendril';
import * as timers from 'tendril/patches/timers';
import { simulate } from 'tendril/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { failure, nothingLeft } from '../io/peers.ts';

afterEach(nothingLeft);

const simulated = async (body: () => Op<void>): Promise<void> => {
  await simulate(body, { seed: 1 });
};

describe('setTimeout of the twin of timers', () => {
  it('waits for so many milliseconds, and gives its value', () =>
    simulated(function* () {
      const begun = now();
      expect(yield* timers.setTimeout(10_000, 'done')).toBe('done');
      expect(now() - begun).toBe(10_000);
      expect(yield* timers.setTimeout()).toBe(undefined);
      expect(now() - begun).toBe(10_001);
    }));

  it('waits in the time of the process too', () =>
    run(function* () {
      expect(yield* timers.setTimeout(2, 'done')).toBe('done');
    }));

  it('is ended by a kill and by a timeout, and can be an arm of a select', () =>
    run(function* () {
      const victim = spawn(() => timers.setTimeout(100_000));
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect([victim.killed, hub.stats().timers]).toEqual([true, 0]);
      expect(yield* failure(timeout(2, timers.setTimeout(100_000)))).toBeInstanceOf(TimeoutError);
      const selected = yield* select({ late: timers.setTimeout(100_000), soon: timers.setTimeout(1, 'soon') });
      expect(selected).toEqual({ key: 'soon', value: 'soon' });
    }));

  it('is ended by its signal, before and while it waits, with a stack that names who waited', () =>
    run(function* () {
      const controller = new AbortController();
      const aborting = setTimeout(() => controller.abort('enough'), 1);
      const errors = [yield* failure(timers.setTimeout(100_000, 1, { signal: controller.signal }))];
      errors.push(yield* failure(timers.setTimeout(100_000, 1, { signal: controller.signal })));
      clearTimeout(aborting);
      for (const error of errors) {
        expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' });
        expect(error.stack).toContain('twins-timers.test.ts');
      }
    }));

  it('leaves no listener at its signal', () =>
    run(function* () {
      const { signal } = new AbortController();
      let listeners = 0;
      signal.addEventListener = () => void (listeners += 1);
      signal.removeEventListener = () => void (listeners -= 1);
      yield* timers.setTimeout(1, undefined, { signal });
      yield* failure(timeout(1, timers.setTimeout(100_000, undefined, { signal })));
      expect(listeners).toBe(0);
    }));

  it('refuses at the call a function, what is no delay, and options that cannot be', () => {
    const bad: (() => unknown)[] = [
      () => timers.setTimeout((() => {}) as never, 5 as never),
      () => timers.setTimeout(Number.NaN),
      () => timers.setTimeout('5' as never),
      () => timers.setTimeout(5, undefined, { ref: false as never }),
      () => timers.setTimeout(5, undefined, { signal: {} as never }),
      () => timers.setInterval((() => {}) as never),
      () => timers.setImmediate(() => {}),
      () => timers.scheduler.wait('5' as never),
    ];
    for (const call of bad) expect(call).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    expect(() => timers.setInterval(0)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => timers.setTimeout((() => {}) as never)).toThrow(/spawnLater/);
  });
});

describe('setImmediate and scheduler of the twin of timers', () => {
  it('let others run first', () =>
    run(function* () {
      const order: string[] = [];
      const other = spawn(function* () {
        order.push('other');
      });
      order.push(yield* timers.setImmediate('value'));
      yield* timers.scheduler.yield();
      yield* timers.scheduler.wait(1);
      yield* other.join();
      expect(order).toEqual(['other', 'value']);
    }));
});

describe('setInterval of the twin of timers', () => {
  it('ticks at fixed distances, counted from the first wait', () =>
    simulated(function* () {
      const interval = timers.setInterval(100, 'tick');
      yield* sleep(1000);
      const begun = now();
      const ticks: unknown[] = [];
      for (let i = 0; i < 3; i += 1) {
        ticks.push(yield* interval.next(), now() - begun);
        yield* sleep(30);
      }
      const tick = { done: false, value: 'tick' };
      expect(ticks).toEqual([tick, 100, tick, 200, tick, 300]);
    }));

  it('gives at once the ticks that were missed', () =>
    simulated(function* () {
      const interval = timers.setInterval(100);
      yield* interval.next();
      const begun = now();
      yield* sleep(250);
      for (let i = 0; i < 2; i += 1) yield* interval.next();
      expect(now() - begun).toBe(250);
      yield* interval.next();
      expect(now() - begun).toBe(300);
    }));

  it('can be given to forEach, and ends when it is closed', () =>
    run(function* () {
      const interval = timers.setInterval(1, 'tick');
      const got: string[] = [];
      yield* forEach(interval, function* (value) {
        got.push(value);
        if (got.length === 3) interval.close();
      });
      expect([got, yield* interval.next()]).toEqual([['tick', 'tick', 'tick'], { done: true, value: undefined }]);
    }));

  it('loses no tick to a kill, a timeout or another arm', () =>
    simulated(function* () {
      const interval = timers.setInterval(100);
      const begun = now();
      const victim = spawn(() => interval.next());
      yield* sleep(50);
      victim.kill();
      yield* victim.join();
      expect(yield* failure(timeout(10, interval.next()))).toBeInstanceOf(TimeoutError);
      expect((yield* select({ tick: interval.next(), soon: sleep(10) })).key).toBe('soon');
      yield* interval.next();
      expect(now() - begun).toBe(100);
    }));

  it('tells who waits that it was closed, and refuses a second who waits', () =>
    run(function* () {
      const interval = timers.setInterval(100_000);
      const waiting = spawn(() => interval.next());
      yield* yieldNow();
      expect((yield* failure(interval.next())).code).toBe('ERR_BUSY');
      interval.close();
      interval.close();
      expect(yield* waiting.get()).toEqual({ done: true, value: undefined });
    }));

  it('is ended by its signal', () =>
    run(function* () {
      const controller = new AbortController();
      const interval = timers.setInterval(100_000, 1, { signal: controller.signal });
      const waiting = spawn(() => interval.next());
      yield* yieldNow();
      controller.abort();
      expect((yield* failure(waiting.get())).code).toBe('ABORT_ERR');
    }));

  it('that is closed from outside the loop wakes who waits', () =>
    run(function* () {
      const interval = timers.setInterval(100_000);
      const closing = setTimeout(() => interval.close(), 1);
      expect(yield* interval.next()).toEqual({ done: true, value: undefined });
      clearTimeout(closing);
    }));
});
