// testing-blocked.test.ts: waiting until everybody else waits.
import { Channel, Event, isKilled, now, type Op, sleep, spawn, spawnWith, timeout, yieldNow } from 'tendril/core';
import { explore } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { waitAllBlocked } from '../../core/testing/blocked.ts';
import { thrownBy } from '../thrown-by.ts';
import { play, spawnQuietly, thrownAtCall, world } from './world.ts';

/** Is any greenlet but the one that asks queued? */
function runnable(): string[] {
  return world()
    .runQueue.entries()
    .filter(({ state }) => state === 'ready' || state === 'new')
    .map(({ name }) => name);
}

describe('waitAllBlocked', () => {
  it('returns when everybody waits, before time passes', () =>
    play(function* () {
      const steps: string[] = [];
      const channel = new Channel<number>();
      spawn(function* () {
        for (let i = 0; i < 5; i += 1) yield* yieldNow();
        yield* channel.send(1);
        steps.push('sent');
        yield* sleep(10);
        steps.push('slept');
      });
      spawn(function* () {
        yield* channel.receive();
        for (let i = 0; i < 300; i += 1) yield* yieldNow();
        steps.push('received');
        yield* new Event().wait();
      }).link(() => {});
      yield* waitAllBlocked();
      expect({ steps, at: now(), runnable: runnable() }).toEqual({ steps: ['sent', 'received'], at: 0, runnable: [] });
    }));

  it('sees whom a timeout of this instant wakes, where idle() does not', () =>
    play(function* () {
      const woken: string[] = [];
      spawn(function* () {
        yield* timeout(10, new Event().wait(), { else: undefined });
        woken.push('timed out');
        yield* sleep(5);
      });
      yield* sleep(10);
      yield* waitAllBlocked();
      expect({ woken, at: now() }).toEqual({ woken: ['timed out'], at: 10 });
    }));

  it('sees whom a callback at the end of the turn wakes', () =>
    play(function* () {
      const woken: string[] = [];
      const flag = new Event();
      spawn(function* () {
        yield* flag.wait();
        woken.push('woken by a link');
      });
      spawn(function* () {
        yield* yieldNow();
      }).link(() => flag.set());
      yield* waitAllBlocked();
      expect(woken).toEqual(['woken by a link']);
    }));

  it('does not take one that was killed before it ran for one that can run', () =>
    play(function* () {
      spawn(() => yieldNow()).link(() => spawnQuietly(() => sleep(5)).kill());
      yield* waitAllBlocked();
      expect(now()).toBe(0);
    }));

  it('waits for daemons too', () =>
    play(function* () {
      let steps = 0;
      spawnWith({ daemon: true }, function* () {
        while ((steps += 1) < 50) yield* yieldNow();
      });
      yield* waitAllBlocked();
      expect(steps).toBe(50);
    }));

  it('lets several wait at once: none waits for another, and who comes last sees what the first has started', () =>
    play(function* () {
      const order: string[] = [];
      const waiters = ['a', 'b'].map((name) =>
        spawn(function* () {
          yield* waitAllBlocked();
          order.push(name);
          if (name === 'a')
            spawn(function* () {
              for (let i = 0; i < 3; i += 1) yield* yieldNow();
              order.push('started by a');
            });
          yield* waitAllBlocked();
          order.push(`${name} again`);
        }),
      );
      for (const waiter of waiters) yield* waiter.join();
      expect(order).toEqual(['a', 'started by a', 'a again', 'b', 'b again']);
    }));

  it.each([0, 1])('counts a killed waiter as one who can run (after %i ms)', (ms) =>
    play(function* () {
      const seen: string[] = [];
      const victim = spawnQuietly(function* () {
        try {
          yield* waitAllBlocked({ cushionMs: 100 });
        } finally {
          seen.push('cleaned up');
        }
      });
      yield* sleep(ms);
      // At the end of the turn in which this greenlet is woken: it runs before the victim.
      spawn(() => yieldNow()).link(() => victim.kill());
      yield* waitAllBlocked();
      expect(seen).toEqual(['cleaned up']);
    }),
  );

  it('with a cushion, waits until nobody has run for so long', () =>
    play(function* () {
      const steps: number[] = [];
      spawn(function* () {
        for (const ms of [3, 3, 4, 6]) {
          yield* sleep(ms);
          steps.push(now());
        }
      });
      yield* waitAllBlocked({ cushionMs: 5 });
      // Steps at 3, 6 and 10; then nothing up to 15, and the last one at 16.
      expect({ at: now(), steps }).toEqual({ at: 15, steps: [3, 6, 10] });
    }));

  it('with a cushion, sees what a fellow waiter does after its return', () =>
    play(function* () {
      const ends: [string, number][] = [];
      const flag = new Event();
      const short = spawn(function* () {
        yield* waitAllBlocked({ cushionMs: 2 });
        ends.push(['short', now()]);
        flag.set();
      });
      const long = spawn(function* () {
        yield* waitAllBlocked({ cushionMs: 3 });
        ends.push(['long', now()]);
      });
      spawn(() => flag.wait());
      yield* short.join();
      yield* long.join();
      expect(ends).toEqual([
        ['short', 2],
        ['long', 6],
      ]);
    }));

  it('with a cushion, does not count that a fellow waiter looks around, but counts what it did before it waited', () =>
    play(function* () {
      const flag = new Event();
      const ends: [string, number][] = [];
      function* waiter(name: string, cushionMs: number, startMs: number): Op<void> {
        yield* sleep(startMs);
        yield* waitAllBlocked({ cushionMs });
        ends.push([name, now()]);
        yield* flag.wait();
      }
      for (const [name, cushionMs, startMs] of [
        ['long', 10, 0],
        ['late', 10, 4],
        ['twice', 1, 4],
      ] as const)
        spawn(waiter, name, cushionMs, startMs);
      yield* sleep(40);
      flag.set();
      // `late` and `twice` run at 4, `twice` again at 5, when its wait is over, and `long` at 20: not when it looks around at 10.
      expect(ends).toEqual([
        ['twice', 5],
        ['long', 20],
        ['late', 34],
      ]);
    }));

  it('takes its instrument out again, however it ends', () =>
    play(function* () {
      const told: string[] = [];
      const { instrument } = world();
      const removed: string[] = [];
      world().instrument = (given) => {
        told.push('in');
        const remove = instrument.call(world(), given);
        return () => {
          removed.push('out');
          remove();
        };
      };
      const victim = spawnQuietly(() => waitAllBlocked({ cushionMs: 50 }));
      yield* sleep(10);
      expect([told, removed]).toEqual([['in'], []]);
      victim.kill();
      yield* victim.join();
      expect([told, removed]).toEqual([['in'], ['out']]);
      const error = yield* thrownBy(timeout(10, waitAllBlocked({ cushionMs: 50 })));
      expect((error as { code?: string }).code).toBe('ERR_TIMEOUT');
      expect(removed).toEqual(['out', 'out']);
    }));

  it('throws Killed if killed while it waits', () =>
    play(function* () {
      const errors: unknown[] = [];
      const victim = spawnQuietly(function* () {
        errors.push(yield* thrownBy(waitAllBlocked()));
      });
      const spinner = spawn(function* (): Op<void> {
        for (let i = 0; i < 10; i += 1) yield* yieldNow();
        victim.kill();
      });
      yield* spinner.join();
      yield* victim.join();
      expect(errors.map(isKilled)).toEqual([true]);
    }));

  it('holds under every schedule: nobody else can run when it returns, and time has not moved', () =>
    explore(
      function* () {
        const channel = new Channel<number>();
        const greenlets = [1, 2, 3].map((n) =>
          spawn(function* () {
            for (let i = 0; i < n; i += 1) yield* yieldNow();
            if (n === 2) yield* channel.receive();
            else if (n === 3) yield* channel.send(n);
            yield* timeout(10 * n, new Event().wait(), { else: undefined });
          }),
        );
        for (const atMs of [0, 10, 20, 30]) {
          yield* sleep(atMs - now());
          yield* waitAllBlocked();
          if (runnable().length > 0) throw new Error(`${runnable()} can run`);
          if (now() !== atMs) throw new Error(`it is ${now()}, not ${atMs}`);
        }
        if (greenlets.some(({ state }) => state !== 'done')) throw new Error('a timeout was not waited for');
      },
      { seeds: 300 },
    ));

  it('can be started again, and refuses what is no cushion', () =>
    play(function* () {
      const op = waitAllBlocked();
      yield* op;
      yield* op;
      const wrong = [-1, Number.POSITIVE_INFINITY, Number.NaN, '5' as unknown as number];
      expect(wrong.map((cushionMs) => String(thrownAtCall(() => waitAllBlocked({ cushionMs }))))).toEqual([
        'RangeError: the cushion of waitAllBlocked is a finite number of milliseconds from 0 on, not -1',
        'RangeError: the cushion of waitAllBlocked is a finite number of milliseconds from 0 on, not Infinity',
        'TypeError: waitAllBlocked takes milliseconds as a number, not the number NaN',
        'TypeError: waitAllBlocked takes milliseconds as a number, not the string "5"',
      ]);
    }));

  it('is refused outside a greenlet', () => {
    expect(String(thrownAtCall(() => waitAllBlocked()[Symbol.iterator]().next()))).toContain(
      'waitAllBlocked was started outside a greenlet',
    );
  });
});
