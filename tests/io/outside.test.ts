// outside.test.ts: waiting for promises, callbacks and events of ordinary Node code.
import { EventEmitter } from 'node:events';
import { stat } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  callback,
  hub,
  isKilled,
  iwait,
  on,
  once,
  run,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  until,
  wait,
} from 'tendril';
import { describe, expect, it } from 'vitest';

function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

describe('until', () => {
  it('returns what the promise brings', async () => {
    expect(await run(() => until(Promise.resolve('value')))).toBe('value');
  });

  it('gives a value that comes too late to whoever can release it', async () => {
    const late: string[] = [];
    const { promise, resolve } = deferred<string>();
    await run(function* () {
      const waiting = spawn(() => until(promise, { late: (value) => void late.push(value) }));
      const inTime = until(Promise.resolve('in time'), { late: (value) => void late.push(value) });
      yield* inTime;
      waiting.kill();
      yield* waiting.join();
      resolve('a connection');
      while (late.length === 0) yield* sleep(1);
    });
    expect(late).toEqual(['a connection']);
  });

  it('tells the hub what is thrown for a late value', async () => {
    const error = new Error('cannot be released');
    const told = new Promise((resolve) => {
      const unlink = hub.on('error', (reported) => {
        unlink();
        resolve(reported);
      });
    });
    const { promise, resolve } = deferred<string>();
    await run(function* () {
      const late = (): never => {
        throw error;
      };
      yield* timeout(
        1,
        until(() => promise, { late }),
        { else: '' },
      );
    });
    resolve('late');
    expect(await told).toBe(error);
  });

  it('refuses options that are none', () => {
    expect(() => until(Promise.resolve(), { late: 5 as never })).toThrow(/late must be a function/);
    expect(() => until(Promise.resolve(), 5 as never)).toThrow(TypeError);
  });

  it('throws what the promise rejects with, the very object', async () => {
    const error = new Error('rejected');
    await expect(run(() => until(Promise.reject(error)))).rejects.toBe(error);
  });

  it('lets others run while it waits', async () => {
    const order: string[] = [];
    await run(function* () {
      const other = spawn(function* () {
        order.push('other');
        yield* sleep(0);
      });
      yield* until(delay(5));
      order.push('promise');
      yield* other.join();
    });
    expect(order).toEqual(['other', 'promise']);
  });

  it('aborts the signal of a function when the wait times out, and leaves no orphan once the promise has settled', async () => {
    let aborted = false;
    const before = hub.stats().orphans;
    await run(function* () {
      const wait = until((signal) => delay(60_000, undefined, { signal }).finally(() => (aborted = signal.aborted)));
      expect(yield* timeout(5, wait, { else: 'gave up' })).toBe('gave up');
      yield* sleep(5);
    });
    expect(aborted).toBe(true);
    expect(hub.stats().orphans).toBe(before);
  });

  it('S6: a killed wait throws Killed at once and drops the late result', async () => {
    let resolve: (value: string) => void = () => {};
    const seen: unknown[] = [];
    const before = hub.stats().orphans;
    await run(function* () {
      const waiter = spawn(function* () {
        try {
          yield* until(new Promise<string>((done) => (resolve = done)));
        } catch (error) {
          seen.push(isKilled(error));
          throw error;
        }
      });
      yield* sleep(0);
      waiter.kill();
      yield* waiter.join();
      expect(hub.stats().orphans).toBe(before + 1);
      resolve('too late');
      yield* sleep(1);
    });
    expect(seen).toEqual([true]);
    expect(hub.stats().orphans).toBe(before);
  });

  it('throws what its function throws, without waiting', async () => {
    await expect(
      run(() =>
        until(() => {
          throw new RangeError('at once');
        }),
      ),
    ).rejects.toThrow(RangeError);
  });

  it('refuses what is no promise, at the call', () => {
    expect(() => until(5 as never)).toThrow(/until takes a promise/);
  });

  it('is one of several things that wait() and iwait() wait for: its value is not lost', async () => {
    const ready = await run(() =>
      wait([until(delay(5, 'promise')), sleep(1), callback<string>((done) => done(null, 'now'))]),
    );
    expect(ready.map(({ key, ...rest }) => `${key} ${'value' in rest && rest.value}`).sort()).toEqual([
      '0 promise',
      '1 undefined',
      '2 now',
    ]);
    const next = await run(function* () {
      const things = iwait([until(delay(5, 'promise'))]);
      return yield* timeout(1000, things.next());
    });
    expect(next).toMatchObject({ done: false, value: { ok: true, value: 'promise' } });
  });

  it('can be waited for by several greenlets at once', async () => {
    const promise = delay(2, 'shared');
    const wait = until(promise);
    const values = await run(function* () {
      const both = [spawn(() => wait), spawn(() => wait)];
      const results: string[] = [];
      for (const greenlet of both) results.push(yield* greenlet.get());
      return results;
    });
    expect(values).toEqual(['shared', 'shared']);
  });
});

describe('callback', () => {
  it('returns the value that the callback is given', async () => {
    const stats = await run(() => callback<{ isDirectory(): boolean }>((done) => stat('/', done)));
    expect(stats.isDirectory()).toBe(true);
  });

  it('throws the error that the callback is given, with the code of Node', async () => {
    await expect(run(() => callback((done) => stat('/no/such/file', done)))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes a callback that is called before the start returns', async () => {
    expect(await run(() => callback((done) => done(null, 'at once')))).toBe('at once');
  });

  it('ignores a second call', async () => {
    const value = await run(() =>
      callback((done) => {
        done(null, 'first');
        done(new Error('second'));
      }),
    );
    expect(value).toBe('first');
  });
});

describe('once', () => {
  it('returns the arguments of the next event and takes its listeners away', async () => {
    const emitter = new EventEmitter();
    const args = await run(function* () {
      spawn(function* () {
        yield* sleep(1);
        emitter.emit('data', 1, 'two');
      });
      return yield* once(emitter, 'data');
    });
    expect(args).toEqual([1, 'two']);
    expect(emitter.eventNames()).toEqual([]);
  });

  it('throws what the emitter emits as error', async () => {
    const emitter = new EventEmitter();
    const error = new Error('broken');
    const outcome = run(() => once(emitter, 'data'));
    await delay(2);
    emitter.emit('error', error);
    await expect(outcome).rejects.toBe(error);
    expect(emitter.eventNames()).toEqual([]);
  });

  it('leaves no listener behind when it times out or loses a select', async () => {
    const emitter = new EventEmitter();
    await run(function* () {
      try {
        yield* timeout(2, once(emitter, 'data'));
      } catch (error) {
        expect(error).toBeInstanceOf(TimeoutError);
      }
      expect(emitter.eventNames()).toEqual([]);
      const { key } = yield* select({ event: once(emitter, 'data'), time: sleep(2) });
      expect(key).toBe('time');
    });
    expect(emitter.eventNames()).toEqual([]);
  });

  it('waits for an EventTarget', async () => {
    const target = new EventTarget();
    const type = await run(function* () {
      spawn(function* () {
        yield* sleep(1);
        target.dispatchEvent(new Event('ping'));
      });
      const [event] = yield* once<[Event]>(target, 'ping');
      return event.type;
    });
    expect(type).toBe('ping');
  });

  it('takes what is an emitter and an EventTarget (a WebSocket of ws) for an emitter, and throws its error', async () => {
    const both = Object.assign(new EventEmitter(), { addEventListener: () => {}, removeEventListener: () => {} });
    const failure = new Error('refused');
    const seen = await run(function* () {
      const waiting = spawn(function* () {
        const opened = yield* once<[string]>(both, 'open');
        try {
          yield* once(both, 'message');
        } catch (error) {
          return [opened, error];
        }
        return [];
      });
      yield* sleep(1);
      both.emit('open', 'now');
      yield* sleep(1);
      both.emit('error', failure);
      return yield* waiting.get();
    });
    expect(seen).toEqual([['now'], failure]);
    expect(both.eventNames()).toEqual([]);
  });
});

describe('on', () => {
  it('misses nothing between two receives, and takes its listener away when it is closed', async () => {
    const emitter = new EventEmitter();
    const seen = await run(function* () {
      const events = on<[number]>(emitter, 'tick');
      for (let i = 0; i < 3; i += 1) emitter.emit('tick', i);
      const values: number[] = [];
      for (let i = 0; i < 3; i += 1) values.push((yield* events.receive())[0]);
      events.close();
      return values;
    });
    expect(seen).toEqual([0, 1, 2]);
    expect(emitter.eventNames()).toEqual([]);
  });

  it('is closed by an error of the emitter', async () => {
    const emitter = new EventEmitter();
    const error = new Error('broken');
    await run(function* () {
      const events = on(emitter, 'tick');
      emitter.emit('error', error);
      expect(events.closed).toBe(true);
      expect(events.error).toBe(error);
      yield* sleep(0);
    });
    expect(emitter.eventNames()).toEqual([]);
  });
});
