// s08-timeouts.test.ts: rule S8: where a timeout throws, who wins, ties, and odd durations.
import {
  Channel,
  current,
  isKilled,
  type Op,
  shield,
  sleep,
  sleepUntil,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { now, play, spawnQuietly, thrownAtCall, world } from './world.ts';

/** The same Op as a composite, so that timeout() needs a frame. */
function* composite<T>(op: Op<T>): Op<T> {
  return yield* op;
}

const shapes = {
  'a single wait': <T>(op: Op<T>): Op<T> => op,
  'a composite': composite,
} as const;

describe.each(Object.entries(shapes))('S8 Timeouts around %s', (_shape, shaped) => {
  it('throw TimeoutError with a code, the duration and the very Op', () =>
    play(function* () {
      const op = timeout(20, shaped(sleep(1000)));
      const error = yield* thrownBy(op);
      expect(error).toBeInstanceOf(TimeoutError);
      expect(error).toMatchObject({ code: 'ERR_TIMEOUT', timeoutMs: 20 });
      expect((error as TimeoutError).timeout).toBe(op);
      expect(now()).toBe(20);
      expect(world().timeouts.size + world().sleepers.size).toBe(0);
    }));

  it('return `else` instead, whatever it is', () =>
    play(function* () {
      for (const value of [undefined, null, 0, 'expired'])
        expect(yield* timeout(1, shaped(sleep(1000)), { else: value })).toBe(value);
    }));

  it('let an Op that commits return its value, and cancel the timer', () =>
    play(function* () {
      const jobs = new Channel<number>(1);
      jobs.trySend(1);
      expect(yield* timeout(10, shaped(jobs.receive()))).toBe(1);
      spawn(function* () {
        yield* sleep(5);
        yield* jobs.send(2);
      });
      expect(yield* timeout(10, shaped(jobs.receive()))).toBe(2);
      expect([now(), world().timeouts.size]).toEqual([5, 0]);
    }));

  it('let everything runnable at t finish before a timeout at t', () =>
    play(function* () {
      const jobs = new Channel<number>();
      spawn(function* () {
        yield* sleep(10);
        for (let i = 0; i < 10; i += 1) yield* yieldNow();
        yield* jobs.send(1);
      });
      expect(yield* timeout(10, shaped(jobs.receive()))).toBe(1);
      expect(yield* timeout(10, shaped(sleep(10)))).toBeUndefined();
    }));

  it('expire with 0 and less at the first blocking point, even if that could complete', () =>
    play(function* () {
      const jobs = new Channel<number>(1);
      jobs.trySend(1);
      for (const ms of [0, -1, Number.NEGATIVE_INFINITY, -0]) {
        expect(yield* thrownBy(timeout(ms, shaped(jobs.receive())))).toBeInstanceOf(TimeoutError);
        expect(yield* timeout(ms, shaped(jobs.receive()), { else: 'expired' })).toBe('expired');
      }
      expect([jobs.length, now()]).toEqual([1, 0]);
    }));

  it('are none with Infinity, and last longer than 2^31 ms', () =>
    play(function* () {
      expect(yield* timeout(Number.POSITIVE_INFINITY, shaped(sleep(3)))).toBeUndefined();
      expect(world().timeouts.size).toBe(0);
      expect(yield* thrownBy(timeout(2 ** 31 + 5, shaped(sleep(2 ** 40))))).toBeInstanceOf(TimeoutError);
      expect(now()).toBe(2 ** 31 + 8);
    }));

  it('take fractions and are never early', () =>
    play(function* () {
      yield* thrownBy(timeout(0.25, shaped(sleep(1000))));
      expect(now()).toBe(0.25);
    }));

  it.each([Number.NaN, '5', null, undefined, 5n, {}])('refuse %s as a duration with TypeError at the call', (ms) => {
    expect(thrownAtCall(() => timeout(ms as number, shaped(sleep(1))))).toBeInstanceOf(TypeError);
  });

  it('give way to an outer timeout that expires first or at the same time: the outermost wins', () =>
    play(function* () {
      for (const [outerMs, innerMs] of [
        [10, 20],
        [10, 10],
        [0, 0],
      ] as const) {
        const inner = timeout(innerMs, shaped(sleep(1000)));
        const outer = timeout(outerMs, composite(inner));
        expect(((yield* thrownBy(outer)) as TimeoutError).timeout).toBe(outer);
      }
    }));

  it('expire alone inside a longer outer one, which goes on', () =>
    play(function* () {
      const result = yield* timeout(
        100,
        (function* (): Op<unknown> {
          const inner = timeout(10, shaped(sleep(1000)));
          const error = (yield* thrownBy(inner)) as TimeoutError;
          yield* sleep(20);
          return error.timeout === inner;
        })(),
      );
      expect([result, now()]).toEqual([true, 30]);
    }));

  it('give way to a kill at the same time', () =>
    play(function* () {
      const victim = spawnQuietly(() => timeout(10, shaped(sleep(1000)), { else: 'expired' }));
      yield* sleep(10);
      victim.kill();
      yield* victim.join();
      expect(victim.outcome).toMatchObject({ ok: false, killed: true });
    }));

  it('pass any other error unchanged', () =>
    play(function* () {
      const error = new Error('mine');
      const victim = spawnQuietly(() => timeout(10, shaped(sleep(1000))));
      yield* sleep(1);
      victim.throw(error);
      expect(yield* thrownBy(victim.get())).toBe(error);
      expect(world().timeouts.size).toBe(0);
    }));
});

describe('S8 Timeouts: inside, Killed; at the boundary, TimeoutError', () => {
  it('throw a level-triggered Killed inside, so that an inner catch cannot steal an outer timeout', () =>
    play(function* () {
      const seen: unknown[] = [];
      const op = timeout(
        10,
        (function* (): Op<void> {
          for (let i = 0; i < 3; i += 1) seen.push(isKilled(yield* thrownBy(sleep(1000))));
          yield* sleep(1);
        })(),
      );
      expect(((yield* thrownBy(op)) as TimeoutError).timeout).toBe(op);
      expect([seen, now()]).toEqual([[true, true, true], 10]);
      yield* sleep(1);
    }));

  it('say in the Killed whose it is', () =>
    play(function* () {
      let message = '';
      yield* timeout(
        10,
        (function* (): Op<void> {
          message = ((yield* thrownBy(sleep(1000))) as Error).message;
        })(),
      );
      expect(message).toBe('killed: timeout(10, ...)');
    }));

  it('give the Killed the frame of that timeout: nested ones are told apart', () =>
    play(function* () {
      const frames: object[] = [];
      const body = function* (): Op<void> {
        for (;;) {
          const error = yield* thrownBy(sleep(1000));
          frames.push((error as { frame: object }).frame);
          if (frames.length % 2 === 0) throw error;
        }
      };
      yield* timeout(10, timeout(20, composite(body()), { else: 0 }), { else: 0 });
      yield* timeout(20, timeout(10, composite(body()), { else: 0 }), { else: 0 });
      expect(frames[0]).toBe(frames[1]);
      expect(frames[2]).toBe(frames[3]);
      expect(frames[0]).not.toBe(frames[2]);
    }));

  it('let a body that returns all the same win', () =>
    play(function* () {
      const op = timeout(
        10,
        (function* (): Op<string> {
          yield* thrownBy(sleep(1000));
          return 'won';
        })(),
      );
      expect([yield* op, current().frame]).toEqual(['won', undefined]);
      yield* sleep(1);
    }));

  it('turn its own Killed into the outer frame’s Killed if that is cancelled too', () =>
    play(function* () {
      const inner = timeout(10, composite(shield(sleep(30))));
      const outer = timeout(
        20,
        (function* (): Op<void> {
          yield* inner;
          yield* sleep(1);
        })(),
      );
      expect(((yield* thrownBy(outer)) as TimeoutError).timeout).toBe(outer);
      expect(now()).toBe(30);
    }));

  it('pass an error that the body throws instead of the Killed', () =>
    play(function* () {
      const error = new Error('mine');
      const op = timeout(
        10,
        (function* (): Op<void> {
          yield* thrownBy(sleep(1000));
          throw error;
        })(),
      );
      expect(yield* thrownBy(op)).toBe(error);
    }));

  it('pass the kept Killed of another timeout unchanged', () =>
    play(function* () {
      let kept: unknown;
      yield* timeout(
        1,
        (function* (): Op<void> {
          kept = yield* thrownBy(sleep(1000));
        })(),
      );
      const error = yield* thrownBy(
        timeout(
          10,
          (function* (): Op<void> {
            throw kept;
          })(),
        ),
      );
      expect(error).toBe(kept);
    }));

  it('break ties by deadline, then by arming order', () =>
    play(function* () {
      const order: string[] = [];
      const waiting = function* (name: string, ms: number): Op<void> {
        yield* thrownBy(timeout(ms, sleep(1000)));
        order.push(name);
      };
      const greenlets = [
        spawn(waiting, 'a', 20),
        spawn(waiting, 'b', 10),
        spawn(waiting, 'c', 20),
        spawn(waiting, 'd', 10),
      ];
      for (const greenlet of greenlets) yield* greenlet.join();
      expect(order).toEqual(['b', 'd', 'a', 'c']);
    }));

  it('are measured from the start, not from when they were made', () =>
    play(function* () {
      const op = timeout(10, sleep(1000));
      yield* sleep(50);
      yield* thrownBy(op);
      expect(now()).toBe(60);
      yield* thrownBy(op);
      expect(now()).toBe(70);
    }));

  it('refuse a generator object the second time, with ERR_OP_REUSED', () =>
    play(function* () {
      const op = timeout(10, composite(sleep(1)));
      yield* op;
      expect(yield* thrownBy(op)).toMatchObject({ code: 'ERR_OP_REUSED' });
      expect(current().frame).toBeUndefined();
    }));

  it('nest a thousand deep and all come out at the outermost deadline', () =>
    play(function* () {
      let op: Op<unknown> = sleep(100_000);
      for (let i = 0; i < 1000; i += 1) op = timeout(2000 - i, op as ReturnType<typeof sleep>);
      expect(yield* thrownBy(op)).toBeInstanceOf(TimeoutError);
      expect([now(), world().timeouts.size, world().sleepers.size]).toEqual([1001, 0, 0]);
    }));
});

describe('S8 Sleeping', () => {
  it('sleeps for its time or until its point in time, and gives way at least once', () =>
    play(function* () {
      const order: string[] = [];
      for (const op of [sleep(0), sleep(-5), yieldNow(), sleepUntil(-1), sleepUntil(0)]) {
        spawn(function* () {
          order.push('other');
        });
        yield* op;
        order.push('me');
      }
      expect([order, now()]).toEqual([Array(5).fill(['other', 'me']).flat(), 0]);
      yield* sleep(1.5);
      yield* sleepUntil(7);
      expect(now()).toBe(7);
    }));

  it.each([Number.NaN, '5', null, undefined, 5n])('refuses %s with TypeError at the call', (ms) => {
    expect(thrownAtCall(() => sleep(ms as number))).toBeInstanceOf(TypeError);
    expect(thrownAtCall(() => sleepUntil(ms as number))).toBeInstanceOf(TypeError);
  });

  it('wakes in the order of deadlines, then of arming', () =>
    play(function* () {
      const order: number[] = [];
      const sleeping = function* (ms: number, id: number): Op<void> {
        yield* sleep(ms);
        order.push(id);
      };
      const greenlets = [30, 10, 20, 10, 30].map((ms, id) => spawn(sleeping, ms, id));
      for (const greenlet of greenlets) yield* greenlet.join();
      expect(order).toEqual([1, 3, 2, 0, 4]);
    }));
});

describe('S8 around what ends, or fails, at its start', () => {
  it('leaves no frame and no timer behind, and passes on the value or the error', () =>
    play(function* () {
      const jobs = new Channel<number>(4);
      for (const value of [1, 2, 3]) jobs.trySend(value);
      expect(yield* timeout(5, shield(jobs.receive()))).toBe(1);
      expect(yield* shield(jobs.receive())).toBe(2);
      expect(yield* thrownBy(timeout(5, current().join()))).toMatchObject({ code: 'ERR_USAGE' });
      expect([current().frame, world().timeouts.size]).toEqual([undefined, 0]);
    }));
});
