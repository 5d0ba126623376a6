// testing-switches.test.ts: does an Op let others run?
import {
  Channel,
  ChannelClosedError,
  call,
  isKilled,
  Mutex,
  type Op,
  OpReusedError,
  shield,
  sleep,
  spawn,
  timeout,
  yieldNow,
} from 'tendril/core';
import { explore } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { assertNoSwitch, assertSwitches, SwitchAssertionError } from '../../core/testing/switches.ts';
import { thrownBy } from '../thrown-by.ts';
import { play, spawnQuietly, thrownAtCall } from './world.ts';

function* nothing(): Op<string> {
  return 'nothing';
}

function* fastOps(times: number): Op<number> {
  const channel = new Channel<number>(1);
  for (let i = 0; i < times; i += 1) {
    yield* channel.send(i);
    yield* channel.receive();
  }
  return times;
}

/** Whether `op` switches, by both assertions at once. */
function* verdict(make: () => Op<unknown>): Op<string> {
  const none = yield* outcome(assertNoSwitch(make()));
  const some = yield* outcome(assertSwitches(make()));
  if (none !== 'failed' && some === 'failed') return `stays: ${none}`;
  if (none === 'failed' && some !== 'failed') return `switches: ${some}`;
  return `no switch: ${none}, switches: ${some}`;
}

function* outcome(op: Op<unknown>): Op<string> {
  try {
    return String(yield* op);
  } catch (error) {
    return error instanceof SwitchAssertionError ? 'failed' : String(error);
  }
}

describe('assertSwitches and assertNoSwitch', () => {
  it.each<[string, () => Op<unknown>, string]>([
    ['an Op that completes at once', () => new Channel<number>(1).send(1), 'stays: undefined'],
    ['an empty generator', nothing, 'stays: nothing'],
    ['a timeout around what completes at once', () => timeout(5, nothing()), 'stays: nothing'],
    ['a shield around what completes at once', () => shield(nothing()), 'stays: nothing'],
    ['a call that completes at once', () => call(nothing()), 'stays: nothing'],
    ['sleep', () => sleep(5), 'switches: undefined'],
    ['yieldNow', () => yieldNow(), 'switches: undefined'],
    ['a wait deep inside', () => timeout(50, shield(fastThenSleep())), 'switches: slept'],
    ['a wait inside a call', () => call(fastThenSleep()), 'switches: slept'],
    ['a wait that times out', () => timeout(5, new Channel<number>().receive(), { else: 'late' }), 'switches: late'],
    ['more Ops than a budget', () => fastOps(1000), 'stays: 1000'],
  ])('agree on %s', (_name, make, expected) =>
    play(function* () {
      spawn(() => sleep(1));
      expect(yield* verdict(make)).toBe(expected);
    }),
  );

  function* fastThenSleep(): Op<string> {
    yield* fastOps(3);
    yield* sleep(1);
    return 'slept';
  }

  it('see a hand-over by the preference of a channel', () =>
    play(function* () {
      const channel = new Channel<number>(0, { preference: 'receiver' });
      const handOver = function* (): Op<string> {
        spawn(() => channel.receive());
        yield* yieldNow();
        return yield* outcome(assertNoSwitch(channel.send(1)));
      };
      expect(yield* handOver()).toBe('failed');
      spawn(() => channel.receive());
      yield* yieldNow();
      yield* assertSwitches(channel.send(2));
    }));

  it('do not take a give-way of the scheduler for one of the Op: neither a spent budget nor a preemption', () =>
    play(function* () {
      const ran: string[] = [];
      spawn(function* () {
        ran.push('other');
      });
      yield* assertNoSwitch(fastOps(1000));
      expect(ran).toEqual(['other']); // the budget was spent: others did run
    }));

  it('say the same under every schedule', () =>
    explore(
      function* () {
        spawn(() => fastOps(5));
        spawn(() => sleep(1));
        const said = [
          yield* verdict(() => fastOps(3)),
          yield* verdict(() => new Channel<number>(1).send(1)),
          yield* verdict(() => sleep(1)),
        ];
        if (String(said) !== 'stays: 3,stays: undefined,switches: undefined') throw new Error(String(said));
      },
      { seeds: 300 },
    ));

  it('return the value, and pass errors on if what is asserted holds', () =>
    play(function* () {
      const closed = new Channel<number>();
      closed.close();
      expect(yield* thrownBy(assertNoSwitch(closed.receive()))).toBeInstanceOf(ChannelClosedError);
      const channel = new Channel<string>();
      spawn(() => channel.send('value'));
      expect(yield* assertSwitches(channel.receive())).toBe('value');
    }));

  it('pass a kill on as it is, whatever is asserted', () =>
    play(function* () {
      const errors: unknown[] = [];
      const victim = spawnQuietly(function* () {
        errors.push(yield* thrownBy(assertNoSwitch(sleep(100))));
        errors.push(yield* thrownBy(assertSwitches(sleep(100)))); // thrown at its start: it never switched
      });
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(errors.map(isKilled)).toEqual([true, true]);
    }));

  it('may be nested, and started again if the Op may', () =>
    play(function* () {
      const op = assertSwitches(assertSwitches(sleep(1)));
      yield* op;
      yield* op;
      const once = assertNoSwitch(nothing());
      yield* once;
      expect(yield* thrownBy(once)).toBeInstanceOf(OpReusedError);
    }));

  it('throw a foreign yield back into the Op', () =>
    play(function* () {
      function* foreign(): Op<string> {
        try {
          yield 5 as never;
        } catch (error) {
          yield* sleep(1);
          return String(error);
        }
        return 'nothing';
      }
      expect(yield* assertSwitches(foreign())).toContain('a greenlet yielded the number 5');
    }));

  it('forward to iterators that are no generators: without throw, without return', () =>
    play(function* () {
      const foreign = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 5 }) }) } as unknown as Op<void>;
      expect(String(yield* thrownBy(assertNoSwitch(foreign)))).toContain('a greenlet yielded the number 5');
      const deaf: Op<void> = {
        [Symbol.iterator]() {
          let leaf: Iterator<unknown, unknown, unknown> | undefined;
          return {
            next(token: unknown) {
              for (let given = token; ; given = undefined) {
                try {
                  leaf ??= sleep(1)[Symbol.iterator]();
                  return leaf.next(given) as IteratorResult<never, void>;
                } catch {
                  leaf = undefined;
                }
              }
            },
          };
        },
      };
      const victim = spawnQuietly(() => assertSwitches(deaf));
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(victim.outcome).toMatchObject({ ok: false, error: { code: 'ERR_KILL_IGNORED' } });
    }));

  it('are closed with a greenlet that ignores its kill', () =>
    play(function* () {
      let closed = false;
      const victim = spawnQuietly(() =>
        assertSwitches(
          (function* (): Op<void> {
            try {
              while (!closed) {
                try {
                  yield* sleep(1);
                } catch {}
              }
            } finally {
              closed = true;
            }
          })(),
        ),
      );
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(closed).toBe(true);
    }));
});

describe('The error', () => {
  it('of assertNoSwitch says what it waited for, and where in the Op', () =>
    play(function* () {
      const lock = new Mutex({ name: 'accounts' });
      spawn(() => lock.use(sleep(5)));
      yield* yieldNow();
      function* transfer(): Op<void> {
        yield* lock.use(nothing());
      }
      const error = (yield* thrownBy(assertNoSwitch(transfer()))) as SwitchAssertionError;
      expect(error.code).toBe('ERR_ASSERTION');
      const [first, second] = error.message.split('\n');
      expect(first).toBe(
        'assertNoSwitch: a generator returned in greenlet-1 and had let others run: it waited: acquire on mutex accounts',
      );
      expect(second).toMatch(/at transfer \(.*testing-switches\.test\.ts/);
      expect(error.message).not.toMatch(/core\/(testing\/|leaf|step)/);
      expect(error.stack).toMatch(/testing-switches\.test\.ts/);
    }));

  it('of assertSwitches names the Op', () =>
    play(function* () {
      const error = (yield* thrownBy(assertSwitches(new Channel<number>(1).send(1)))) as SwitchAssertionError;
      expect([error.code, error.message]).toEqual([
        'ERR_ASSERTION',
        'assertSwitches: the Op send returned in greenlet-1 and had never let others run',
      ]);
    }));

  it('has the error of the Op as its cause', () =>
    play(function* () {
      const failure = new Error('in the Op');
      function* failing(): Op<void> {
        yield* yieldNow();
        throw failure;
      }
      const none = (yield* thrownBy(assertNoSwitch(failing()))) as SwitchAssertionError;
      expect([none.cause, none.message.split('\n')[0]]).toEqual([
        failure,
        'assertNoSwitch: a generator threw in greenlet-1 and had let others run: it gave way',
      ]);
      const closed = new Channel<number>();
      closed.close();
      const some = (yield* thrownBy(assertSwitches(closed.receive()))) as SwitchAssertionError;
      expect([some instanceof SwitchAssertionError, some.cause instanceof ChannelClosedError]).toEqual([true, true]);
    }));

  it('of a wait in a call says so', () =>
    play(function* () {
      const error = yield* thrownBy(assertNoSwitch(call(sleep(1))));
      expect(String(error)).toContain('had let others run: it waited inside a call()');
    }));

  it('comes at the call for what is no Op, and at the start outside a greenlet', () => {
    expect(String(thrownAtCall(() => assertSwitches(5 as never)))).toBe(
      'TypeError: assertSwitches takes an Op, not the number 5',
    );
    expect(String(thrownAtCall(() => assertNoSwitch(sleep(1))[Symbol.iterator]()))).toContain(
      'assertNoSwitch was started outside a greenlet',
    );
  });
});
