// s18-misuse.test.ts: rule S18: misuse is named: at the call where that is possible, else in the right greenlet, and nothing is lost.

import { runInNewContext } from 'node:vm';
import * as core from 'tendril/core';
import {
  AsyncResult,
  all,
  Channel,
  Channel as ChannelClass,
  call,
  current,
  Event,
  Greenlet,
  InternalError,
  isKilled,
  Killed,
  Mutex,
  type Op,
  OpIteratedError,
  ResourceError,
  type Resume,
  run,
  scope,
  select,
  shield,
  sleep,
  spawn,
  spawnWith,
  TendrilError,
  type Trap,
  timeout,
  UsageError,
  yieldNow,
} from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { ATTENTION, DONE, moved, READY } from '../../core/status.ts';
import { thrownBy } from '../thrown-by.ts';
import { collectErrors, play, spawnQuietly, thrownAtCall, world } from './world.ts';

const notBodies: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a number', 5],
  ['a string', 'text'],
  ['an Op', sleep(1)],
  ['a generator object', (function* () {})()],
  ['a promise', Promise.resolve(1)],
  ['an async function', async () => 1],
  ['an async generator function', async function* () {}],
  ['a function that returns undefined', () => undefined],
  ['a function that returns a promise', () => Promise.resolve(1)],
  ['a function that returns a number', () => 5],
  ['a function that returns a string', () => 'text'],
  ['a function that returns an array', () => [1]],
  ['a function that returns a Set', () => new Set()],
  ['a function that returns a Map', () => new Map()],
  ['a function that returns bytes', () => new Uint8Array(2)],
];

describe('S18 Misuse is named: spawn (F100)', () => {
  it.each(notBodies)('refuses %s with TypeError at the call, in every spawning call', (_name, body) =>
    play(function* () {
      const { spawned } = world().stats;
      const given = body as () => Op<void>;
      for (const spawning of [() => spawn(given), () => spawnWith({ name: 'x' }, given), () => new Greenlet(given)])
        expect(thrownAtCall(spawning)).toBeInstanceOf(TypeError);
      yield* scope(function* (s) {
        expect(thrownAtCall(() => s.spawn(given))).toBeInstanceOf(TypeError);
      });
      expect(world().stats.spawned).toBe(spawned);
    }),
  );

  it('says what to write instead', () => {
    const message = (action: () => unknown): string => (thrownAtCall(action) as Error).message;
    return play(function* () {
      expect(message(() => spawn((async () => 1) as never))).toMatch(/function\*.*until\(promise\)/);
      expect(message(() => spawn((function* () {})() as never))).toMatch(/spawn\(body, \.\.\.args\)/);
      expect(message(() => spawn((() => 1) as never))).toMatch(/function\*/);
    });
  });

  it('refuses a generator that was run already, but takes a plain function that returns an Op', () =>
    play(function* () {
      const generator = (function* (): Op<number> {
        return 7;
      })();
      expect(yield* spawn(() => generator).get()).toBe(7);
      expect(thrownAtCall(() => spawn(() => generator))).toBeInstanceOf(TypeError);
      expect(yield* spawn(() => timeout(5, sleep(1), { else: 1 })).get()).toBeUndefined();
    }));

  it('takes generators that have a `next` of their own: of another realm, of a compiler', () =>
    play(function* () {
      const elsewhere = runInNewContext('op => (function* () { return yield* op; })()') as (
        op: Op<number>,
      ) => Op<number>;
      const channel = new Channel<number>(1);
      yield* channel.send(3);
      expect(yield* spawn(() => elsewhere(channel.receive())).get()).toBe(3);
      const waits = spawn(() => elsewhere(channel.receive()));
      yield* yieldNow();
      yield* channel.send(4);
      expect(yield* waits.get()).toBe(4);
      // As regenerator makes them: an object that says that it is a generator.
      const native = (function* (): Generator<Trap, string, Resume> {
        yield* sleep(1);
        return 'slept';
      })();
      const compiled = {
        next: (...token: []) => native.next(...token),
        [Symbol.toStringTag]: 'Generator',
        [Symbol.iterator]() {
          return this;
        },
      };
      expect(yield* spawn(() => compiled as unknown as Op<string>).get()).toBe('slept');
    }));

  it('calls the body at spawn: what that throws is thrown at the call', () =>
    play(function* () {
      const error = new Error('body');
      expect(
        thrownAtCall(() =>
          spawn(() => {
            throw error;
          }),
        ),
      ).toBe(error);
      yield* yieldNow();
    }));

  it('starts a greenlet once', () =>
    play(function* () {
      const greenlet = new Greenlet(() => sleep(1));
      expect(greenlet.state).toBe('new');
      greenlet.start();
      expect(thrownAtCall(() => greenlet.start())).toMatchObject({ code: 'ERR_USAGE' });
      yield* greenlet.join();
      expect(thrownAtCall(() => greenlet.start())).toMatchObject({ code: 'ERR_USAGE' });
    }));

  it('rejects run() with what spawn would throw', async () => {
    await expect(play(() => undefined as never)).rejects.toBeInstanceOf(TypeError);
    await expect(play(5 as never)).rejects.toBeInstanceOf(TypeError);
    await play(function* () {
      const rejected = run(undefined as never).catch((error: unknown) => error);
      void rejected.then((error) => expect(error).toBeInstanceOf(TypeError));
      yield* yieldNow();
    });
  });

  it('refuses a link that is no function, and what is no Op where an Op is due', () =>
    play(function* () {
      expect(thrownAtCall(() => current().link(5 as never))).toBeInstanceOf(TypeError);
      const takers = [call, shield, (op: never) => timeout(5, op), (op: never) => new Mutex().use(op)] as ((
        op: never,
      ) => unknown)[];
      for (const taker of takers)
        for (const given of [undefined, 5, 'text', [], () => sleep(1), Promise.resolve(), new Map()])
          expect(thrownAtCall(() => taker(given as never))).toBeInstanceOf(TypeError);
      yield* yieldNow();
    }));
});

/** Iterate `op` in some wrong way inside a greenlet; that throws OpIteratedError, now or at the next Op, and the world goes on. */
function* misuse(act: () => unknown): Op<unknown> {
  const greenlet = spawnQuietly(function* () {
    act();
    yield* sleep(1);
  });
  yield* greenlet.join();
  return (greenlet.outcome as unknown as { error?: unknown }).error;
}

const wrongWays: [string, (op: Op<unknown>) => unknown][] = [
  [
    'for..of',
    (op) => {
      for (const value of op as unknown as Iterable<unknown>) void value;
    },
  ], // prettier-ignore
  ['spread', (op) => [...(op as unknown as Iterable<unknown>)]],
  [
    'destructuring',
    (op) => {
      const [value] = op as unknown as Iterable<unknown>;
      return value;
    },
  ], // prettier-ignore
  ['next() by hand', (op) => op[Symbol.iterator]().next()],
  ['next(value) by hand', (op) => op[Symbol.iterator]().next(5 as never)],
  ['starting it and leaving it', (op) => op[Symbol.iterator]()],
  ['Array.from', (op) => Array.from(op as unknown as Iterable<unknown>)],
];

describe('S18 Misuse is named: an Op that is iterated by something other than yield*', () => {
  describe.each(wrongWays)('by %s', (_way, iterate) => {
    it.each<[string, (jobs: Channel<number>) => Op<unknown>]>([
      ['receive', (jobs) => jobs.receive()],
      ['sleep', () => sleep(10)],
      ['yieldNow', () => yieldNow()],
      ['select', (jobs) => select({ jobs: jobs.receive(), time: sleep(1000) })],
      ['timeout', (jobs) => timeout(1000, jobs.receive())],
      ['a composite timeout', (jobs) => timeout(1000, shield(jobs.receive()))],
      ['shield', (jobs) => shield(jobs.receive())],
      ['call', (jobs) => call(jobs.receive())],
      ['all', (jobs) => all([jobs.receive(), sleep(1000)])],
      [
        'scope',
        (jobs) =>
          scope(function* (s) {
            s.spawn(() => jobs.receive());
          }),
      ], // prettier-ignore
      [
        'a generator',
        (jobs) =>
          (function* () {
            yield* jobs.receive();
          })(),
      ], // prettier-ignore
    ])('%s that has to wait: OpIteratedError, and nothing stays enlisted', (_name, make) =>
      play(function* () {
        const jobs = new Channel<number>();
        const error = yield* misuse(() => iterate(make(jobs)));
        if (error !== undefined) expect(error).toMatchObject({ code: 'ERR_OP_ITERATED' });
        yield* sleep(5);
        expect([jobs.balance, world().greenlets()]).toEqual([0, [current()]]);
      }),
    );

    it('one that could complete at once: nothing is lost', () =>
      play(function* () {
        const jobs = new Channel<number>(1);
        jobs.trySend(7);
        const error = yield* misuse(() => iterate(jobs.receive()));
        const committed = error instanceof OpIteratedError ? error.committed : undefined;
        expect([jobs.length === 1 || committed === 7 || error === undefined, jobs.balance]).toEqual([true, 0]);
      }));
  });

  it('carries in `committed` what destructuring would have lost', () =>
    play(function* () {
      const jobs = new Channel<number>(1);
      jobs.trySend(7);
      const error = thrownAtCall(() => {
        const [value] = jobs.receive() as unknown as Iterable<unknown>;
        return value;
      });
      expect(error).toMatchObject({ code: 'ERR_OP_ITERATED', committed: 7 });
      yield* yieldNow();
    }));

  it('names one generator that is driven by two greenlets, in the second, and serves the first an error', () =>
    play(function* () {
      const jobs = new Channel<number>();
      const shared = (function* (): Op<number> {
        return yield* jobs.receive();
      })();
      const driving = function* (): Op<unknown> {
        return yield* shared;
      };
      const [first, second] = [spawnQuietly(driving), spawnQuietly(driving)];
      yield* yieldNow();
      yield* second.join();
      expect(second.outcome).toMatchObject({ ok: false, error: { code: 'ERR_OP_ITERATED' } });
      expect(first.state).toBe('parked');
      jobs.trySend(7);
      yield* first.join();
      expect(first.outcome).toMatchObject({ ok: false, error: { code: 'ERR_OP_ITERATED', committed: 7 } });
    }));

  it('names a return() and a throw() by hand, and ends the greenlet whose generator it was', () =>
    play(function* () {
      for (const act of [
        (generator: Generator<unknown, void>) => generator.return(),
        (generator: Generator<unknown, void>) => generator.throw(new Error('by hand')),
        (generator: Generator<unknown, void>) => generator.next(),
      ]) {
        const jobs = new Channel<number>();
        const order: string[] = [];
        const generator = (function* (): Op<void> {
          try {
            yield* jobs.receive();
          } finally {
            order.push('finally');
          }
        })();
        const greenlet = spawnQuietly(() => generator);
        yield* yieldNow();
        expect(thrownAtCall(() => act(generator as never))).toMatchObject({ code: 'ERR_OP_ITERATED' });
        jobs.trySend(1);
        yield* greenlet.join();
        expect([order, jobs.balance]).toEqual([['finally'], 0]);
        expect(greenlet.outcome).toMatchObject({ ok: false, error: { code: 'ERR_OP_ITERATED' } });
      }
    }));

  it('names a greenlet that goes on although it is parked, at its next Op', () =>
    play(function* () {
      const jobs = new Channel<number>();
      const greenlet = spawn(function* () {
        (jobs.receive()[Symbol.iterator]() as Iterator<unknown>).next(undefined);
        return yield* thrownBy(sleep(1));
      });
      expect(yield* greenlet.get()).toMatchObject({ code: 'ERR_OP_ITERATED' });
      expect(jobs.balance).toBe(0);
    }));
});

describe('S18 Errors have a stable code and a family', () => {
  const codes: Record<string, [string, typeof UsageError | typeof ResourceError]> = {
    NotInGreenletError: ['ERR_NOT_IN_GREENLET', UsageError],
    OpReusedError: ['ERR_OP_REUSED', UsageError],
    OpIteratedError: ['ERR_OP_ITERATED', UsageError],
    WouldBlockError: ['ERR_WOULD_BLOCK', UsageError],
    ChannelClosedError: ['ERR_CHANNEL_CLOSED', UsageError],
    ScopeClosedError: ['ERR_SCOPE_CLOSED', UsageError],
    ResultSetError: ['ERR_RESULT_SET', UsageError],
    NotOwnerError: ['ERR_NOT_OWNER', UsageError],
    BusyError: ['ERR_BUSY', UsageError],
    ClosedError: ['ERR_CLOSED', UsageError],
    TimeoutError: ['ERR_TIMEOUT', ResourceError],
    GreenletKilledError: ['ERR_GREENLET_KILLED', ResourceError],
    KillIgnoredError: ['ERR_KILL_IGNORED', ResourceError],
    DeadlockError: ['ERR_DEADLOCK', ResourceError],
  };

  it.each(Object.entries(codes))('%s', (name, [code, family]) => {
    const make = (core as unknown as Record<string, new (...args: unknown[]) => TendrilError>)[name];
    const error = new (make as new (...args: unknown[]) => TendrilError)('a', 'b', []);
    expect([error.code, error.name]).toEqual([code, name]);
    expect(error).toBeInstanceOf(family);
    expect(error).toBeInstanceOf(TendrilError);
    expect(error).toBeInstanceOf(Error);
  });

  it('Killed belongs to no family', () => {
    const killed = new Killed({}, 'why');
    expect([killed instanceof TendrilError, isKilled(killed), killed.code, new InternalError('x').code]).toEqual([
      false,
      true,
      'KILLED',
      'ERR_INTERNAL',
    ]);
  });
});

describe('S21 Small decisions', () => {
  it('a second AsyncResult.set is a UsageError and changes nothing', () =>
    play(function* () {
      const result = new AsyncResult<number>({ name: 'answer' });
      result.set(1);
      for (const again of [() => result.set(2), () => result.setError(new Error('x'))])
        expect(thrownAtCall(again)).toMatchObject({ code: 'ERR_RESULT_SET' });
      expect(thrownAtCall(() => result.set(3))).toBeInstanceOf(UsageError);
      expect([result.ready, yield* result.get()]).toEqual([true, 1]);
    }));

  it('a second waiter on anything finished completes at once', () =>
    play(function* () {
      const child = spawn(function* () {
        return 7;
      });
      const failed = new AsyncResult<number>();
      const flag = new Event();
      yield* child.join();
      flag.set();
      failed.setError('error');
      let switched = false;
      spawn(function* () {
        switched = true;
      });
      for (let i = 0; i < 2; i += 1) {
        expect([yield* child.join(), yield* child.get(), yield* flag.wait(), yield* failed.wait()]).toEqual([
          undefined,
          7,
          undefined,
          undefined,
        ]);
        expect(yield* thrownBy(failed.get())).toBe('error');
      }
      expect(switched).toBe(false);
    }));

  it('wakes every waiter of a result, with the value, the error or neither', () =>
    play(function* () {
      const [good, bad] = [new AsyncResult<number>(), new AsyncResult<number>()];
      const error = new Error('x');
      const waiting = [
        spawn(() => good.get()),
        spawn(() => good.get()),
        spawn(() => good.wait()),
        spawn(() => thrownBy(bad.get())),
        spawn(() => bad.wait()),
      ];
      yield* yieldNow();
      good.set(7);
      bad.setError(error);
      const values: unknown[] = [];
      for (const greenlet of waiting) values.push(yield* greenlet.get());
      expect(values).toEqual([7, 7, undefined, error, undefined]);
    }));

  it('what user code throws never stops the hub', () =>
    play(function* () {
      const errors = collectErrors();
      const evil = new Proxy(
        {},
        {
          get() {
            throw new Error('trap');
          },
          getPrototypeOf() {
            throw new Error('trap');
          },
          has() {
            throw new Error('trap');
          },
        },
      );
      const throwing = {
        get message(): string {
          throw new Error('message');
        },
        get stack(): string {
          throw new Error('stack');
        },
      };
      const { proxy: revoked, revoke } = Proxy.revocable({}, {});
      revoke();
      for (const error of [undefined, null, 0, Symbol('s'), evil, throwing, revoked, () => 1]) {
        const fail = function* (): Op<void> {
          yield* sleep(1);
          throw error;
        };
        const bodies: (() => Op<unknown>)[] = [
          fail,
          () => call(fail()),
          () => timeout(5, fail()),
          () => shield(fail()),
          () => all([fail(), sleep(10)]),
          () =>
            scope(function* (s) {
              s.spawn(fail);
              yield* sleep(10);
            }), // prettier-ignore
        ];
        for (const body of bodies) {
          const greenlet = spawnQuietly(body);
          yield* greenlet.join();
          expect(Object.is((greenlet.outcome as unknown as { error: unknown }).error, error)).toBe(true);
          expect(thrownByIs(yield* thrownBy(greenlet.get()), error)).toBe(true);
        }
        spawn(fail);
      }
      yield* sleep(5);
      expect(errors).toHaveLength(8);
      expect(ChannelClass).toBe(Channel);
    }));
});

function thrownByIs(actual: unknown, expected: unknown): boolean {
  return Object.is(actual, expected);
}

function* thrownAtClose(): Op<never> {
  throw new Error('at the close');
}

function* asGenerator<T>(op: Op<T>): Generator<never, T> {
  return yield* op as unknown as Iterable<never, T>;
}

describe('S18 Misuse is named: what only an iterator of one’s own can do', () => {
  /** An Op over `op` whose iterator is `make`'s. */
  const wrapped = (op: Op<unknown>, make: (inner: Iterator<never, unknown, unknown>) => object): Op<unknown> => ({
    [Symbol.iterator]: () =>
      make(op[Symbol.iterator]() as Iterator<never, unknown, unknown>) as Iterator<never, unknown>,
  });

  it('to resume its Op twice with what the run loop sends', () =>
    play(function* () {
      const twice = wrapped(sleep(1), (inner) => ({
        next(token: unknown) {
          const result = inner.next(token);
          if (result.done === true) inner.next(token);
          return result;
        },
      }));
      expect(yield* thrownBy(twice)).toMatchObject({
        code: 'ERR_OP_ITERATED',
        message: expect.stringMatching(/woken out of turn/),
      });
    }));

  it('to touch an Op that has started from outside every greenlet', async () => {
    let leaf: Iterator<unknown> | undefined;
    await play(function* () {
      yield* wrapped(sleep(1), (inner) => {
        leaf = inner;
        return { next: (token: unknown) => inner.next(token) };
      });
    });
    expect(thrownAtCall(() => leaf?.next(1 as never))).toMatchObject({
      code: 'ERR_OP_ITERATED',
      message: expect.stringMatching(/^an Op was/),
    });
  });

  it('to return, or to throw, at a call and at a switch', () =>
    play(function* () {
      const switched = function* (): Op<unknown> {
        return yield* new core.Coroutine(() => sleep(1000)).switch();
      };
      for (const make of [() => call(sleep(1000)), switched])
        for (const act of ['return', 'throw'] as const) {
          let generator: Generator<unknown, unknown> | undefined;
          const greenlet = spawnQuietly(() => (generator = asGenerator(make())) as never);
          yield* yieldNow();
          const error = thrownAtCall(() => generator?.[act](new Error('by hand')));
          expect(error).toMatchObject({ code: 'ERR_OP_ITERATED' });
          greenlet.kill();
          yield* greenlet.join();
        }
    }));

  it('to throw, or to yield something of its own, although its greenlet waits', () =>
    play(function* () {
      const jobs = new Channel<number>();
      const starting = function* (then: () => Op<unknown>): Op<unknown> {
        (jobs.receive()[Symbol.iterator]() as Iterator<unknown>).next(undefined);
        return yield* then();
      };
      const thrower = spawnQuietly(() =>
        starting(() => {
          throw new Error('thrown');
        }),
      );
      const yielder = spawnQuietly(() =>
        starting(function* () {
          yield 5 as never;
        }),
      );
      yield* thrower.join();
      yield* yielder.join();
      expect(thrower.outcome).toMatchObject({ ok: false, error: { message: 'thrown' } });
      expect(yielder.outcome).toMatchObject({
        ok: false,
        error: { message: expect.stringMatching(/yielded the number 5/) },
      });
      expect(jobs.balance).toBe(0);
    }));

  it('to start, and not to run, another wait while somebody else is in the run queue: the others keep their turn', () =>
    play(function* () {
      const order: string[] = [];
      const careless = spawnQuietly(function* () {
        yieldNow()[Symbol.iterator]();
        throw new Error('thrown');
      });
      for (const name of ['a', 'b'])
        spawn(function* () {
          order.push(name);
        });
      yield* careless.join();
      yield* yieldNow();
      expect(order).toEqual(['a', 'b']);
    }));

  it('to answer a close by a throw, or to start a wait on its way there', () =>
    play(function* () {
      const ignoring = function* (op: () => Op<unknown>): Op<void> {
        for (;;) {
          try {
            yield* op();
          } catch {
            // for ever
          }
        }
      };
      const closeErrors = world().stats.closeErrors;
      const thrower = spawnQuietly(() =>
        ignoring(() =>
          wrapped(sleep(1000), (inner) => ({
            next: (token: unknown) => inner.next(token),
            return: () => inner.throw?.(new Error('at the close')),
          })),
        ),
      );
      const failing = spawnQuietly(function* () {
        try {
          yield* ignoring(() => sleep(1000));
        } finally {
          yield* thrownAtClose();
        }
      });
      const starter = spawnQuietly(() =>
        ignoring(() =>
          wrapped(sleep(1000), (inner) => ({
            next(token: unknown) {
              const result = inner.next(token) as { value: { name?: string } };
              if (result.value.name === 'close') sleep(1)[Symbol.iterator]();
              return result;
            },
          })),
        ),
      );
      const bare = spawnQuietly(() =>
        ignoring(() =>
          timeout(
            100_000,
            wrapped(sleep(1000), (inner) => ({ next: (token: unknown) => inner.next(token) })),
          ),
        ),
      );
      yield* sleep(1);
      for (const greenlet of [thrower, failing, starter, bare]) {
        greenlet.kill();
        yield* greenlet.join();
        expect(greenlet.outcome).toMatchObject({ error: { code: 'ERR_KILL_IGNORED' } });
      }
      expect(world().stats.closeErrors - closeErrors).toBe(1);
      expect([world().timeouts.size, world().greenlets()]).toEqual([0, [current()]]);
    }));

  it('F101: to wake a greenlet twice: an InternalError at the second wake, and it is resumed once', () =>
    play(function* () {
      let resumed = 0;
      const victim = spawnQuietly(function* () {
        yield* sleep(1000);
        resumed += 1;
        yield* sleep(1);
      });
      yield* yieldNow();
      victim.waitingOn?.retract(victim);
      victim.fire(undefined, 0);
      expect(() => victim.fire(undefined, 0)).toThrow(InternalError);
      yield* yieldNow();
      expect([resumed, victim.state]).toEqual([1, 'parked']);
      yield* victim.join();
      expect(victim.outcome).toMatchObject({ ok: true });
      expect(() => victim.fire(undefined, 0)).toThrow(/was woken while it was done/);
    }));

  it('to answer nothing when it is resumed', () =>
    play(function* () {
      const silent = wrapped(sleep(1), (inner) => {
        let resumed = false;
        return {
          next(token: unknown) {
            if (resumed) return undefined;
            resumed = true;
            return inner.next(token);
          },
        };
      });
      expect(yield* thrownBy(call(silent))).toMatchObject({
        name: 'TypeError',
        message: expect.stringMatching(/returned nothing/),
      });
    }));

  it('to leave wrappers in another order than they were entered, or twice', () =>
    play(function* () {
      const [outer, inner] = [shield(asGenerator(sleep(1))), shield(asGenerator(sleep(1)))].map((op) =>
        op[Symbol.iterator](),
      );
      outer?.return?.(undefined);
      outer?.return?.(undefined);
      expect(current().frame).toBe(inner);
      inner?.return?.(undefined);
      expect(current().frame).toBeUndefined();
      const frame = timeout(5, asGenerator(sleep(1)))[Symbol.iterator]();
      const [middle, innermost] = [shield(asGenerator(sleep(1))), shield(asGenerator(sleep(1)))].map((op) =>
        op[Symbol.iterator](),
      );
      frame.return?.(undefined);
      frame.return?.(undefined);
      middle?.return?.(undefined);
      innermost?.return?.(undefined);
      expect(current().frame).toBeUndefined();
      yield* yieldNow();
    }));

  it('to catch a foreign yield inside wrappers, which go on', () =>
    play(function* () {
      const catching = function* (again: boolean): Op<string> {
        try {
          yield 5 as never;
        } catch {
          if (again) yield* sleep(1);
        }
        return 'caught';
      };
      for (const again of [true, false]) expect(yield* timeout(50, shield(catching(again)))).toBe('caught');
      expect(current().frame).toBeUndefined();
    }));
});

describe('S18 InternalError: a broken rule of the kernel is ours, and named', () => {
  it('a wake of one that does not wait, a turn in a turn, an interruption by nothing, a state that is none', () =>
    play(function* () {
      const me = current();
      expect(thrownAtCall(() => me.fire(1, 0))).toMatchObject({
        code: 'ERR_INTERNAL',
        message: expect.stringMatching(/woken while it was running/),
      });
      expect(thrownAtCall(() => world().turn())).toMatchObject({
        code: 'ERR_INTERNAL',
        message: expect.stringMatching(/inside a turn/),
      });
      me.status |= ATTENTION;
      expect(yield* thrownBy(sleep(1))).toMatchObject({
        code: 'ERR_INTERNAL',
        message: expect.stringMatching(/interrupted by nothing/),
      });
      me.status &= ~ATTENTION;
      expect(thrownAtCall(() => moved(DONE, READY))).toMatchObject({
        message: expect.stringMatching(/move of a greenlet from done to ready/),
      });
      expect(thrownAtCall(() => moved(0, READY))).toMatchObject({ message: expect.stringMatching(/no such state: 0/) });
    }));

  it('shows a greenlet as JSON without the kernel behind it', async () => {
    const shown = await play(function* () {
      const greenlet = spawnQuietly(() => sleep(1));
      const text = JSON.stringify(greenlet);
      yield* greenlet.join();
      return text;
    });
    expect(JSON.parse(shown)).toEqual({ id: 2, name: 'greenlet-2', state: 'new' });
  });
});
