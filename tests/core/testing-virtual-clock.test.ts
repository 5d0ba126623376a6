// testing-virtual-clock.test.ts: a clock that moves only when the test says so.
import { AsyncLocalStorage } from 'node:async_hooks';
import { readFile } from 'node:fs/promises';
import {
  Channel,
  DeadlockError,
  Event,
  GreenletKilledError,
  now,
  type Op,
  run,
  shield,
  sleep,
  spawn,
  spawnWith,
  suppressedErrors,
  TimeoutError,
  timeout,
  until,
  yieldNow,
} from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { kernel } from '../../core/kernel.ts';
import type { ClockHost } from '../../core/testing/clock-driver.ts';
import { VirtualClock, type VirtualClockOptions } from '../../core/testing/virtual-clock.ts';
import { scheduler as hubScheduler } from '../../io/hub.ts';
import { virtualClock } from '../../io/testing/virtual-clock.ts';
import { checkWorld, thrownAtCall } from './world.ts';

const clocks: VirtualClock[] = [];

/** A clock in whose world the kernel's invariants are asserted after every step; closed after the test. */
function checkedClock(options?: VirtualClockOptions): VirtualClock {
  const clock = virtualClock(options);
  const { scheduler } = clock.world;
  scheduler.instrument({ parked: () => checkWorld(scheduler) });
  clocks.push(clock);
  return clock;
}

afterEach(() => {
  for (const clock of clocks.splice(0)) clock.close();
  expect(kernel.current).toBe(kernel.nobody);
  expect(kernel.scheduler).toBe(hubScheduler);
});

/** The error that `promise` rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not reject');
}

function* ticking(ticks: number[], everyMs: number): Op<never> {
  for (;;) {
    yield* sleep(everyMs);
    ticks.push(now());
  }
}

describe('virtualClock', () => {
  it('lets no time pass by itself: a sleep of an hour ends when the hour has been advanced, and not a millisecond before', async () => {
    const clock = checkedClock();
    let woke = false;
    const slept = clock.run(function* () {
      yield* sleep(3_600_000);
      woke = true;
      return now();
    });
    await clock.advance(3_599_999);
    expect({ woke, at: clock.now(), timers: clock.timers }).toEqual({ woke: false, at: 3_599_999, timers: 1 });
    await clock.advance(1);
    expect({ woke, at: clock.now(), timers: clock.timers }).toEqual({ woke: true, at: 3_600_000, timers: 0 });
    expect(await slept).toBe(3_600_000);
  });

  it('runs what needs no time without being told to', async () => {
    const clock = checkedClock();
    const value = await clock.run(function* () {
      const channel = new Channel<number>();
      spawn(() => channel.send(7));
      return (yield* channel.receive()) + now();
    });
    expect(value).toBe(7);
  });

  it('hands its arguments to the body', async () => {
    const clock = checkedClock();
    function* add(a: number, b: number): Op<number> {
      yield* yieldNow();
      return a + b;
    }
    expect(await clock.run(add, 2, 3)).toBe(5);
    const greenlet = clock.spawn(add, 3, 4);
    await clock.advance(0);
    expect(greenlet.outcome).toEqual({ ok: true, value: 7, killed: false });
  });

  it('fires on the way, in order, at the very moment: by time, then in the order of arming', async () => {
    const clock = checkedClock();
    const fired: [string, number][] = [];
    const at = (name: string, ms: number) =>
      clock.spawn(function* () {
        yield* sleep(ms);
        fired.push([name, now()]);
        if (name === 'b') at('from b', 5); // due at 15: before c, which was armed long ago
      });
    at('c', 20);
    at('first at 10', 10);
    at('b', 10);
    at('beyond', 101);
    await clock.advance(100);
    expect(fired).toEqual([
      ['first at 10', 10],
      ['b', 10],
      ['from b', 15],
      ['c', 20],
    ]);
    expect(clock.now()).toBe(100);
  });

  it('measures what is spawned between two moves from where the clock stands', async () => {
    const clock = checkedClock();
    const ticks: number[] = [];
    await clock.advance(7);
    clock.spawn(ticking, ticks, 10);
    await clock.advance(25);
    expect(ticks).toEqual([17, 27]);
  });

  it('lets promises settle between two timers, however long their chain', async () => {
    const clock = checkedClock();
    const seen: string[] = [];
    async function outside(): Promise<string> {
      for (let i = 0; i < 200; i += 1) await null;
      await new Promise<void>((resolve) => process.nextTick(resolve));
      return 'outside';
    }
    clock.spawn(function* () {
      yield* sleep(10);
      seen.push(`${yield* until(outside())} at ${now()}`);
      yield* sleep(5);
      seen.push(`inside at ${now()}`);
    });
    clock.spawn(function* () {
      yield* sleep(11);
      seen.push(`other at ${now()}`);
    });
    await clock.advance(20);
    expect(seen).toEqual(['outside at 10', 'other at 11', 'inside at 15']);
  });

  it('passes what is awaited outside: a timeout around a promise expires when it is due', async () => {
    const clock = checkedClock();
    const answer = clock.run(function* () {
      return yield* timeout(1000, until(new Promise<string>(() => {})));
    });
    await clock.advance(999);
    expect(clock.timers).toBe(1);
    await clock.advance(1);
    expect(await rejection(answer)).toBeInstanceOf(TimeoutError);
  });

  it('keeps a rejection until the move is over, so that it is not unhandled before the test can look', async () => {
    const clock = checkedClock();
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      const failing = clock.run(function* (): Op<void> {
        yield* sleep(1);
        throw new Error('at 1 ms');
      });
      while (clock.now() < 40) {
        clock.spawn(() => sleep(10));
        await clock.next();
      }
      expect(await rejection(failing)).toEqual(new Error('at 1 ms'));
    } finally {
      process.removeListener('unhandledRejection', note);
    }
    expect(unhandled).toEqual([]);
  });

  it('queues moves that are not awaited', async () => {
    const clock = checkedClock();
    const ticks: number[] = [];
    clock.spawn(ticking, ticks, 10);
    const moves = [clock.advance(10), clock.next(), clock.advance(15)];
    expect(await Promise.all(moves)).toEqual([undefined, true, undefined]);
    expect({ ticks, at: clock.now() }).toEqual({ ticks: [10, 20, 30], at: 35 });
  });

  it('can be moved by ordinary code that one of its greenlets waits for', async () => {
    const clock = checkedClock();
    const ticks: number[] = [];
    clock.spawn(ticking, ticks, 10);
    const value = await clock.run(function* () {
      yield* until(() => clock.advance(25));
      return now();
    });
    expect({ value, ticks }).toEqual({ value: 25, ticks: [10, 20] });
  });

  it('shares nothing with another clock or with the process', async () => {
    const [one, two] = [checkedClock(), checkedClock()];
    const ticks: [number[], number[]] = [[], []];
    one.spawn(ticking, ticks[0], 10);
    two.spawn(ticking, ticks[1], 10);
    const real = await run(function* () {
      const before = hubScheduler.stats.spawned;
      expect(one.spawn(ticking, ticks[0], 15).parent).toBeUndefined();
      yield* until(Promise.all([one.advance(30), two.advance(10)]));
      yield* sleep(1);
      return { spawned: hubScheduler.stats.spawned - before };
    });
    expect(real).toEqual({ spawned: 0 });
    expect(ticks).toEqual([[10, 15, 20, 30, 30], [10]]);
    expect([one.now(), two.now()]).toEqual([30, 10]);
  });

  it('carries AsyncLocalStorage as the process does', async () => {
    const clock = checkedClock();
    const store = new AsyncLocalStorage<string>();
    const seen = store.run('mine', () =>
      clock.run(function* () {
        yield* sleep(5);
        return store.getStore();
      }),
    );
    await store.run('of whoever advances', () => clock.advance(5));
    expect(await seen).toBe('mine');
  });

  it('chooses the same with the same seed', async () => {
    const draw = async (seed: number): Promise<number[]> => {
      const clock = checkedClock({ seed });
      const { driver } = clock.world;
      return await clock.run(function* () {
        yield* yieldNow();
        return Array.from({ length: 4 }, () => driver.random());
      });
    };
    const [a, again, b] = [await draw(3), await draw(3), await draw(4)];
    expect(again).toEqual(a);
    expect(b).not.toEqual(a);
  });
});

describe('VirtualClock.next', () => {
  it('jumps to the next timer, and says that there is none without letting time pass', async () => {
    const clock = checkedClock();
    const fired: number[] = [];
    for (const ms of [30, 10, 10])
      clock.spawn(function* () {
        yield* sleep(ms);
        fired.push(now());
      });
    const seen: unknown[] = [];
    for (let i = 0; i < 3; i += 1) seen.push([await clock.next(), clock.now(), fired.length]);
    expect(seen).toEqual([
      [true, 10, 2],
      [true, 30, 3],
      [false, 30, 3],
    ]);
  });
});

describe('VirtualClock.auto', () => {
  it('jumps by itself when nothing can run', async () => {
    const clock = checkedClock({ auto: true });
    const value = await clock.run(function* () {
      const before = now();
      yield* sleep(86_400_000);
      return now() - before;
    });
    expect(value).toBe(86_400_000);
  });

  it('stands still while something outside is awaited', async () => {
    const clock = checkedClock({ auto: true });
    const ticks: number[] = [];
    clock.spawn(ticking, ticks, 10);
    const file = await clock.run(function* () {
      yield* sleep(25);
      const text = yield* until(readFile(import.meta.filename, 'utf8'));
      return [text.length > 100, now()];
    });
    expect(file).toEqual([true, 25]);
    expect(ticks.slice(0, 2)).toEqual([10, 20]);
    clock.auto = false;
  });

  it('does not go on without end for daemons alone', async () => {
    const clock = checkedClock({ auto: true });
    const ticks: number[] = [];
    await clock.run(function* () {
      spawnWith({ daemon: true }, ticking, ticks, 10);
      yield* sleep(35);
    });
    for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(ticks).toEqual([10, 20, 30]);
    await clock.run(() => sleep(10));
    expect(ticks).toEqual([10, 20, 30, 40]);
  });

  it('finds a deadlock at once, and runs its finally', async () => {
    const clock = checkedClock({ auto: true });
    let cleaned = false;
    const stuck = clock.run(function* () {
      try {
        yield* new Channel<number>(0, { name: 'jobs' }).receive();
      } finally {
        cleaned = true;
      }
    });
    const error = await rejection(stuck);
    expect(error).toBeInstanceOf(DeadlockError);
    expect(String(error)).toContain('waits: receive on channel jobs');
    expect(cleaned).toBe(true);
  });

  it('takes nobody for deadlocked while no run is pending: ordinary code may still wake them', async () => {
    const clock = checkedClock({ auto: true });
    const jobs = new Channel<number>();
    const server = clock.spawn(() => jobs.receive());
    for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(server.state).toBe('parked');
    jobs.trySend(7);
    expect(await server.promise()).toBe(7);
  });

  it('can be switched on and off; a move by hand is refused while it is on', async () => {
    const clock = checkedClock();
    const slept = clock.run(function* () {
      yield* sleep(10);
      clock.auto = false;
      yield* sleep(10);
      return now();
    });
    await clock.advance(3);
    clock.auto = true;
    expect(String(thrownAtCall(() => clock.advance(1)))).toBe(
      'UsageError: advance() on a virtual clock that moves by itself: set its auto to false first',
    );
    expect(String(thrownAtCall(() => clock.next()))).toContain('next() on a virtual clock that moves by itself');
    for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
    expect([clock.auto, clock.now()]).toEqual([false, 10]);
    await clock.advance(10);
    expect(await slept).toBe(20);
  });
});

describe('An error in the world of a clock that nobody can be given', () => {
  function* failsAt(ms: number): Op<void> {
    yield* sleep(ms);
    throw new Error(`failed at ${now()}`);
  }

  it('rejects the move, and time stands where it happened', async () => {
    const clock = checkedClock();
    clock.spawn(failsAt, 10);
    clock.spawn(failsAt, 50);
    expect(await rejection(clock.advance(100))).toEqual(new Error('failed at 10'));
    expect(clock.now()).toBe(10);
    expect(await rejection(clock.next())).toEqual(new Error('failed at 50'));
  });

  it('rejects the oldest run if nobody moves time', async () => {
    const clock = checkedClock({ auto: true });
    const running = clock.run(function* () {
      spawn(failsAt, 10);
      yield* sleep(100);
      return 'done';
    });
    expect(await rejection(running)).toEqual(new Error('failed at 10'));
  });

  it('ends the program if nobody is there at all', async () => {
    const clock = checkedClock();
    const uncaught = new Promise<unknown>((resolve) => {
      const others = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const listener of others) process.on('uncaughtException', listener);
        resolve(error);
      });
    });
    clock.spawn(failsAt, 0);
    expect(await uncaught).toEqual(new Error('failed at 0'));
  });
});

describe('A world that spins', () => {
  /** As if ten million steps had been made: to make them takes a second. */
  function hurry({ world: { driver } }: VirtualClock): void {
    const { now: real } = driver;
    let readings = 0;
    driver.now = () => {
      if ((readings += 1) < 10) return real.call(driver);
      for (let i = 0; i < 200_000; i += 1) real.call(driver);
      return 0;
    };
  }

  function* spin(): Op<never> {
    for (;;) yield* yieldNow();
  }

  it('is stopped within a turn, and everybody who waits is told', async () => {
    const clock = checkedClock();
    const running = clock.run(spin);
    hurry(clock);
    const moved = clock.advance(10);
    const error = await rejection(moved);
    expect(String(error)).toBe('UsageError: too many steps in one turn: does greenlet-1 spin at 0 ms?');
    expect(await rejection(running)).toBe(error);
    expect(thrownAtCall(() => clock.advance(1))).toBe(error);
    expect(thrownAtCall(() => clock.run(() => sleep(1)))).toBe(error);
  });

  it('rejects every run if nobody moves time', async () => {
    const clock = checkedClock();
    const runs = [clock.run(spin), clock.run(() => sleep(5))];
    hurry(clock);
    const errors = await Promise.all(runs.map(rejection));
    expect(String(errors[0])).toContain('too many steps in one turn: does greenlet-1 spin at 0 ms?');
    expect(errors[1]).toBe(errors[0]);
  });

  it('is stopped after many turns at one instant', { timeout: 30_000 }, async () => {
    const clock = checkedClock();
    clock.spawn(function* () {
      const again = (): void => clock.world.scheduler.atTurnEnd(again);
      again();
      yield* sleep(1);
    });
    expect(String(await rejection(clock.advance(10)))).toContain('too many turns at 0 ms');
  });
});

describe('VirtualClock.close', () => {
  it('kills what is left, lets its cleanup run in virtual time, and says what it was', async () => {
    const clock = checkedClock();
    const seen: string[] = [];
    const running = clock.run(function* () {
      spawnWith({ name: 'server', daemon: true }, function* () {
        yield* new Event({ name: 'stop' }).wait();
      });
      try {
        yield* sleep(1000);
      } finally {
        yield* shield(sleep(3000));
        seen.push(`cleaned up at ${now()}`);
      }
    });
    await clock.advance(500);
    const { killed, report } = clock.close();
    expect(killed).toEqual(['greenlet-1', 'server']);
    expect(report).toContain('greenlet-1 waits: sleep(1000)');
    expect(report).toContain('server (greenlet-2) waits: wait on event stop');
    expect(seen).toEqual(['cleaned up at 3500']);
    expect(clock.world.scheduler.greenlets()).toEqual([]);
    expect(await rejection(running)).toBeInstanceOf(GreenletKilledError);
    expect(clock.close()).toEqual({ killed: [], report: '' });
  });

  it('leaves no unhandled rejection behind for a run that nobody awaits', async () => {
    const clock = checkedClock();
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      void clock.run(() => sleep(10));
      await clock.advance(1);
      clock.close();
      for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.removeListener('unhandledRejection', note);
    }
    expect(unhandled).toEqual([]);
  });

  it('lets cleanup that waits for the outside go on by itself', async () => {
    const clock = checkedClock();
    let open: (() => void) | undefined;
    let cleanedAt = -1;
    clock.spawn(function* () {
      try {
        yield* sleep(10);
      } finally {
        yield* shield(Number.POSITIVE_INFINITY, until(new Promise<void>((resolve) => (open = resolve))));
        yield* shield(sleep(100));
        cleanedAt = now();
      }
    });
    await clock.advance(1);
    expect(clock.close().killed).toEqual(['greenlet-1']);
    expect(clock.world.scheduler.greenlets().length).toBe(1);
    open?.();
    for (let i = 0; i < 10; i += 1) await new Promise((resolve) => setImmediate(resolve));
    expect([clock.world.scheduler.greenlets().length, cleanedAt]).toEqual([0, 101]);
  });

  it('kills what cleanup spawns, and gives up on a cleanup that does not end', async () => {
    const clock = checkedClock();
    const ticks: number[] = [];
    clock.spawn(function* () {
      try {
        yield* sleep(10);
      } finally {
        spawn(ticking, ticks, 1);
        yield* shield(sleep(3));
      }
    });
    await clock.advance(1);
    expect(clock.close().killed).toEqual(['greenlet-1']);
    expect([clock.world.scheduler.greenlets(), ticks]).toEqual([[], []]);
    const endless = checkedClock();
    endless.spawn(function* () {
      try {
        yield* sleep(10);
      } finally {
        yield* shield(Number.POSITIVE_INFINITY, ticking(ticks, 1));
      }
    });
    await endless.advance(1);
    expect(String(thrownAtCall(() => endless.close()))).toBe('UsageError: the cleanup of greenlet-1 does not end');
  });

  it('throws the error of a cleanup that nobody else is given; more of them are suppressed in it', async () => {
    const clock = checkedClock();
    function* failsInCleanup(more: string): Op<void> {
      try {
        yield* sleep(10);
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: what is tested
        throw new Error(`in cleanup${more}`);
      }
    }
    clock.spawn(failsInCleanup, '');
    clock.spawn(failsInCleanup, ' too');
    await clock.advance(1);
    const error = thrownAtCall(() => clock.close());
    expect(error).toEqual(new Error('in cleanup'));
    expect(suppressedErrors(error)).toEqual([new Error('in cleanup too')]);
  });

  it('refuses whatever comes after it', async () => {
    const clock = checkedClock();
    clock.close();
    const calls = [() => clock.run(() => sleep(1)), () => clock.spawn(() => sleep(1)), () => clock.advance(1)];
    expect(calls.map((call) => String(thrownAtCall(call)))).toEqual(
      ['run', 'spawn', 'advance'].map(
        (what) => `ClosedError: ${what}() on a virtual clock that is closed: make a new one`,
      ),
    );
  });

  it('may be called by a greenlet of the process, but not by one of its own', async () => {
    const clock = checkedClock();
    const inside = await clock.run(function* () {
      yield* yieldNow();
      return String(thrownAtCall(() => clock.close()));
    });
    expect(inside).toBe('UsageError: close() was called inside the world of the clock: call it from the test');
    clock.spawn(() => sleep(10));
    const seen = await run(function* () {
      yield* yieldNow();
      const { killed } = clock.close();
      yield* sleep(1);
      return killed;
    });
    expect(seen).toEqual(['greenlet-2']);
  });

  it('comes with `using`', () => {
    const clock = checkedClock();
    clock.spawn(() => sleep(10));
    clock[Symbol.dispose]();
    expect(clock.world.scheduler.greenlets()).toEqual([]);
  });
});

describe('The warning of a clock that nobody moves', () => {
  it('is asked for like every warning of its world', () => {
    const warnings: Error[] = [];
    const clock = checkedClock({ warn: (warning) => void warnings.push(warning) });
    const warning = new Error('of the kernel');
    clock.world.driver.warn(warning);
    expect(warnings).toEqual([warning]);
  });

  it('is watched for only as long as somebody lives who is waited for', async () => {
    let watches = 0;
    const host: ClockHost = {
      turn: () => new Promise((resolve) => setImmediate(resolve)),
      every: () => {
        watches += 1;
        return () => void (watches -= 1);
      },
      warn: () => {},
      fatal: () => {},
      context: undefined,
    };
    const clock = new VirtualClock({}, host);
    const seen: number[] = [];
    const look = (): void => void seen.push(watches);
    clock.spawn(() => sleep(5));
    const slept = clock.run(() => sleep(10));
    look();
    await clock.advance(5);
    look();
    await clock.advance(5);
    look();
    await slept;
    clock.spawn(() => sleep(5));
    look();
    clock.close();
    look();
    expect(seen).toEqual([1, 1, 0, 1, 0]);
  });
});

describe('Bad arguments', () => {
  it('are refused at the call', () => {
    const clock = checkedClock();
    const advance = clock.advance.bind(clock) as (ms: unknown) => unknown;
    const calls = [
      () => advance(Number.NaN),
      () => advance('5'),
      () => advance(-1),
      () => advance(Number.POSITIVE_INFINITY),
      () => virtualClock(5 as never),
      () => virtualClock({ warnAfterMs: Number.NaN }),
    ];
    expect(calls.map((call) => String(thrownAtCall(call)))).toEqual([
      'TypeError: advance takes milliseconds as a number, not the number NaN',
      'TypeError: advance takes milliseconds as a number, not the string "5"',
      'RangeError: advance takes a finite number of milliseconds from 0 on, not -1',
      'RangeError: advance takes a finite number of milliseconds from 0 on, not Infinity',
      'TypeError: virtualClock: options must be an object, not the number 5',
      'TypeError: virtualClock takes milliseconds as a number, not the number NaN',
    ]);
  });

  it('reject the promise of run, as they do in tendril', async () => {
    const clock = checkedClock();
    const run = clock.run.bind(clock) as (body: unknown) => Promise<unknown>;
    expect(String(await rejection(run(5)))).toContain('TypeError: run takes a generator function, not the number 5');
  });
});
