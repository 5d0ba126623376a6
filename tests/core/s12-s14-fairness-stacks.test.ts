// s12-s14-fairness-stacks.test.ts: rules S12 (FIFO, hand-over, no barging) and S14 (stacks, depth, call).
import {
  Channel,
  call,
  callerFrames,
  current,
  Event,
  type Greenlet,
  Mutex,
  type Op,
  Semaphore,
  select,
  shield,
  sleep,
  sleepUntil,
  spawn,
  spawnWith,
  timeout,
  yieldNow,
} from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { now, play, spawnQuietly, thrownAtCall, world } from './world.ts';

describe('S12 Fairness', () => {
  it('runs the runnable first in, first out', () =>
    play(function* () {
      const order: string[] = [];
      const turns = function* (name: string): Op<void> {
        for (let i = 0; i < 3; i += 1) {
          order.push(name + i);
          yield* yieldNow();
        }
      };
      const greenlets = ['a', 'b', 'c'].map((name) => spawn(turns, name));
      for (const greenlet of greenlets) yield* greenlet.join();
      expect(order.join(' ')).toBe('a0 b0 c0 a1 b1 c1 a2 b2 c2');
    }));

  it.each([
    ['a mutex', () => new Mutex()],
    ['a semaphore', () => new Semaphore(1)],
  ])('hands %s to the oldest waiter at release: no barging', (_name, make) =>
    play(function* () {
      const lock = make();
      const order: string[] = [];
      const taking = function* (name: string): Op<void> {
        yield* lock.acquire();
        order.push(name);
        yield* yieldNow();
        lock.release();
      };
      yield* lock.acquire();
      const greenlets = ['a', 'b', 'c'].map((name) => spawn(taking, name));
      yield* yieldNow();
      lock.release();
      expect(lock.tryAcquire()).toBe(false);
      yield* lock.acquire();
      order.push('me, who asked last');
      lock.release();
      for (const greenlet of greenlets) yield* greenlet.join();
      expect(order).toEqual(['a', 'b', 'c', 'me, who asked last']);
    }),
  );

  it('F107: keeps permits exact and serves the next when a waiter is killed, before and after the hand-over', () =>
    play(function* () {
      const permits = new Semaphore(1);
      const order: number[] = [];
      yield* permits.acquire();
      const greenlets = [0, 1, 2, 3].map((i) =>
        spawnQuietly(() =>
          permits.use(
            (function* (): Op<void> {
              order.push(i);
              yield* yieldNow();
            })(),
          ),
        ),
      );
      yield* yieldNow();
      greenlets[1]?.kill();
      permits.release();
      greenlets[0]?.kill();
      for (const greenlet of greenlets) yield* greenlet.join();
      expect([order, permits.permits]).toEqual([[0, 2, 3], 1]);
    }));

  it('refuses a number of permits that is none with RangeError', () => {
    for (const permits of [-1, 1.5, Number.NaN, '1'])
      expect(() => new Semaphore(permits as number)).toThrow(RangeError);
  });

  it('wakes all who waited at `set`, also if `clear` follows at once', () =>
    play(function* () {
      const flag = new Event();
      const woken = [1, 2, 3].map(() => spawn(() => flag.wait()));
      yield* yieldNow();
      flag.set();
      flag.clear();
      const late = spawnQuietly(() => flag.wait());
      for (const greenlet of woken) yield* greenlet.join();
      yield* sleep(1);
      expect([late.state, flag.isSet]).toEqual(['parked', false]);
      late.kill();
    }));

  it.each<[string, () => Op<unknown>]>([
    ['gives way for ever', () => yieldNow()],
    ['sleeps for no time in a select', () => select({ a: sleep(0) })],
    ['completes Ops for ever', () => timeout(0, sleep(1), { else: undefined })],
    ['sleeps until a time that has passed', () => sleepUntil(0)],
  ])('stops a simulation that ticks without end at one instant, and names the spinner, who %s', async (_what, op) => {
    const body = function* (): Op<void> {
      const spinner = spawnWith({ name: 'spinner' }, function* () {
        for (;;) yield* op();
      });
      yield* sleep(5);
      spinner.kill();
    };
    await expect(play(body, { maxTurns: 1000, maxSteps: 1000 })).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringContaining('spinner spin at 0 ms'),
    });
    expect(thrownAtCall(() => current())).toMatchObject({ code: 'ERR_NOT_IN_GREENLET' });
  });

  it('does not take many steps for spinning while time passes', () =>
    play(
      function* () {
        for (let i = 0; i < 500; i += 1) {
          for (let j = 0; j < 100; j += 1) yield* yieldNow();
          yield* sleep(1);
        }
      },
      { maxSteps: 10_000 },
    ));
});

describe('S14 Stacks', () => {
  function* recurse(depth: number, op: () => Op<unknown>): Op<number> {
    if (depth === 0) yield* op();
    else yield* recurse(depth - 1, op);
    return depth;
  }

  it('shows every frame of an error that is thrown in a yield* chain', () =>
    play(function* () {
      const innermost = function* innermost(): Op<void> {
        yield* sleep(1);
        throw new Error('x');
      };
      const middle = function* middle(): Op<void> {
        yield* innermost();
      };
      const outermost = function* outermost(): Op<void> {
        yield* timeout(100, shield(middle()));
      };
      const error = (yield* thrownBy(outermost())) as Error;
      for (const name of ['innermost', 'middle', 'outermost']) expect(error.stack).toContain(name);
    }));

  it('shows the victim’s own stack in Killed, TimeoutError, ChannelClosedError', () =>
    play(function* () {
      const stacks: string[] = [];
      const jobs = new Channel<number>();
      const theVictim = function* theVictim(op: Op<unknown>): Op<void> {
        stacks.push(((yield* thrownBy(op)) as Error).stack ?? '');
      };
      const killed = spawnQuietly(() => theVictim(sleep(1000)));
      const closed = spawnQuietly(() => theVictim(jobs.receive()));
      const expired = spawnQuietly(() => theVictim(timeout(5, sleep(1000))));
      yield* sleep(1);
      killed.kill();
      jobs.close();
      for (const greenlet of [killed, closed, expired]) yield* greenlet.join();
      expect(stacks).toHaveLength(3);
      for (const stack of stacks) expect(stack).toContain('theVictim');
    }));

  it('gives the full stack of a parked greenlet, also through wrappers and calls, and changes nothing', () =>
    play(function* () {
      const jobs = new Channel<number>();
      const levels = Array.from({ length: 40 }, (_, i) => `level${i}`);
      let op: Op<unknown> = jobs.receive();
      for (const name of levels) {
        const inner = op;
        const body = {
          *[name](): Op<unknown> {
            return yield* inner;
          },
        }[name] as () => Op<unknown>; // prettier-ignore
        op = name.endsWith('5') ? call(body()) : name.endsWith('7') ? timeout(1e6, shield(body())) : body();
      }
      const parked = spawn(() => op);
      yield* yieldNow();
      const stack = parked.stack();
      expect(levels.filter((name) => !stack.includes(name))).toEqual([]);
      expect(stack).not.toMatch(/core\/(leaf|frame)|world\.ts/);
      expect(parked.stack()).toBe(stack);
      yield* jobs.send(7);
      expect([yield* parked.get(), parked.stack()]).toEqual([7, '']);
    }));

  it('gives the innermost frames of one that is parked deeper than a stack can show, and none where the host takes none', () =>
    play(function* () {
      const deep = function* theLevel(levels: number): Op<void> {
        if (levels > 0) yield* theLevel(levels - 1);
        else yield* new Channel().receive();
      };
      const greenlet = spawnQuietly(() => deep(1000));
      yield* yieldNow();
      const shown = greenlet.stack().match(/theLevel/g)?.length ?? 0;
      expect(shown).toBeGreaterThan(100);
      expect(shown).toBeLessThan(1000);
      const { prepareStackTrace } = Error;
      Error.prepareStackTrace = () => undefined;
      try {
        expect(greenlet.stack()).toBe('');
      } finally {
        Error.prepareStackTrace = prepareStackTrace as never;
      }
      greenlet.kill();
      yield* greenlet.join();
    }));

  it('shows the innermost hundred of many callers', () =>
    play(function* () {
      const down = function* (depth: number): Op<void> {
        if (depth === 0) yield* sleep(1);
        else yield* call(down(depth - 1));
      };
      const parked = spawn(() => down(1000));
      // A thousand calls are more than a step's budget.
      for (let i = 0; i < 10; i += 1) yield* yieldNow();
      const stack = parked.stack();
      expect(stack).toMatch(/and 900 callers more$/);
      expect(stack.match(/down/g)).toHaveLength(101);
      yield* parked.join();
    }));

  it.each([
    ['parks', () => sleep(1)],
    ['completes at once', () => new Channel<number>(1).send(1)],
    ['selects', () => timeout(5, new Channel<number>().receive(), { else: 0 })],
  ])(
    'F109: ends recursion by yield* over 20,000 levels in RangeError, in that greenlet only, where the innermost %s',
    (_what, op) =>
      play(function* () {
        const order: string[] = [];
        const other = spawn(function* () {
          for (let i = 0; i < 3; i += 1) {
            yield* sleep(1);
            order.push('other');
          }
        });
        for (let depth = 1000; depth <= 20_000; depth += 1900) {
          const deep = spawnQuietly(() => recurse(depth, op as () => Op<unknown>));
          yield* deep.join();
          if (depth === 20_000)
            expect((deep.outcome as unknown as { error: unknown }).error).toBeInstanceOf(RangeError);
        }
        yield* other.join();
        expect(order).toHaveLength(3);
      }),
  );

  it('survives every depth around the overflow: no greenlet stuck, no wait left enlisted', () =>
    play(function* () {
      const jobs = new Channel<number>();
      let overflowed = 0;
      for (let depth = 2000; depth < 9000; depth += 71) {
        const deep = spawnQuietly(() => recurse(depth, () => jobs.receive()));
        yield* yieldNow();
        if (deep.state === 'parked') expect(jobs.trySend(depth)).toBe(true);
        yield* deep.join();
        if (deep.outcome?.ok !== true) overflowed += 1;
        expect(jobs.balance).toBe(0);
      }
      expect(overflowed).toBeGreaterThan(0);
    }));

  it('runs 1,000,000 levels of call', () =>
    play(function* () {
      const down = function* (depth: number): Op<number> {
        if (depth === 0) {
          yield* yieldNow();
          return 0;
        }
        return 1 + (yield* call(down(depth - 1)));
      };
      expect(yield* call(down(1_000_000))).toBe(1_000_000);
    }));

  it('throws through 100,000 levels of call, and kills at that depth', () =>
    play(function* () {
      let cleaned = 0;
      const down = function* (depth: number, op: Op<unknown>): Op<void> {
        try {
          if (depth === 0) yield* op;
          else yield* call(down(depth - 1, op));
        } finally {
          cleaned += 1;
        }
      };
      const error = new Error('bottom');
      const failing = function* (): Op<void> {
        throw error;
      };
      expect(yield* thrownBy(call(down(100_000, failing())))).toBe(error);
      const victim = spawnQuietly(() => call(down(100_000, sleep(1e6))));
      yield* sleep(1);
      victim.kill();
      yield* victim.join();
      expect([victim.outcome?.ok, cleaned]).toEqual([false, 200_002]);
    }));

  it('collects the caller frames of call, at most 32, and leaves `stack` untouched', () =>
    play(function* () {
      const error = new Error('x');
      const { stack } = error;
      const callee = function* callee(): Op<void> {
        throw error;
      };
      const theCaller = function* theCaller(): Op<void> {
        yield* call(callee());
      };
      yield* thrownBy(call(theCaller()));
      expect(error.stack).toBe(stack);
      expect(callerFrames(error)[0]).toContain('theCaller');
      const deep = function* (depth: number): Op<void> {
        if (depth === 0) throw new Error('deep');
        yield* call(deep(depth - 1));
      };
      expect(callerFrames(yield* thrownBy(deep(100)))).toHaveLength(32);
      expect([callerFrames(new Error('other')), callerFrames(undefined)]).toEqual([[], []]);
    }));

  it('returns, throws, waits, is killed and times out through call like plain yield*', () =>
    play(function* () {
      const value = function* (ms: number): Op<number> {
        yield* sleep(ms);
        return ms;
      };
      expect(yield* call(value(5))).toBe(5);
      expect(yield* call(call(timeout(50, call(value(5)))))).toBe(5);
      expect(yield* timeout(5, call(value(50)), { else: 'expired' })).toBe('expired');
      expect(yield* call(sleep(1))).toBeUndefined();
      const op = call(value(1));
      yield* op;
      expect(yield* thrownBy(op)).toMatchObject({ code: 'ERR_OP_REUSED' });
      const reusable = call(sleep(1));
      yield* reusable;
      yield* reusable;
      expect(() => call(5 as never)).toThrow(TypeError);
    }));

  it('copes with iterators that are no generators, in call, timeout and shield', () =>
    play(function* () {
      const of = (next: () => unknown): Op<unknown> => ({
        [Symbol.iterator]: () => ({ next }) as Iterator<never, unknown>,
      });
      const evil = {
        get done(): boolean {
          throw new Error('evil');
        },
      };
      for (const next of [() => undefined, () => 5, () => evil, () => ({ done: false, value: 5 })])
        for (const wrap of [call, shield, (op: Op<unknown>) => timeout(5, op), (op: Op<unknown>) => op]) {
          const greenlet: Greenlet<unknown> = spawnQuietly(() => wrap(of(next)));
          yield* greenlet.join();
          expect(greenlet.outcome?.ok).toBe(false);
        }
      expect(yield* call(of(() => ({ done: true, value: 7 })))).toBe(7);
      yield* sleep(10);
      expect([world().timeouts.size, now()]).toEqual([0, 10]);
    }));
});
