// s01-s02-blocking-points.test.ts: rules S1 (where a greenlet may switch) and S2 (what kill promises).
import {
  AsyncResult,
  all,
  Channel,
  call,
  current,
  Event,
  isKilled,
  Mutex,
  NotInGreenletError,
  type Op,
  race,
  Semaphore,
  scope,
  select,
  shield,
  sleep,
  spawn,
  timeout,
  yieldNow,
} from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { play, spawnQuietly, thrownAtCall } from './world.ts';

describe('S1 Blocking points: only yield* of an Op can switch', () => {
  it('does nothing when an Op is made and not started', () =>
    play(function* () {
      const jobs = new Channel<number>(1);
      jobs.send(1);
      expect(jobs.length).toBe(0);
      yield* jobs.send(2);
      expect(jobs.length).toBe(1);
    }));

  it('does not switch at an Op that can complete at once', () =>
    play(function* () {
      const order: string[] = [];
      const other = spawn(function* () {
        order.push('other');
      });
      const jobs = new Channel<number>(1);
      yield* jobs.send(1);
      yield* jobs.receive();
      yield* select({ never: jobs.receive() }, { else: 0 });
      order.push('me');
      yield* other.join();
      expect(order).toEqual(['me', 'other']);
    }));

  it('does not switch at spawn, kill, throw, trySend, tryReceive, close, set, release', () =>
    play(function* () {
      const order: string[] = [];
      const note = function* (what: string): Op<void> {
        order.push(what);
      };
      const jobs = new Channel<number>(1);
      const permits = new Semaphore(0);
      const flag = new Event();
      const result = new AsyncResult<number>();
      const victim = spawnQuietly(() => sleep(1000));
      spawn(note, 'other');
      jobs.trySend(1);
      jobs.tryReceive();
      jobs.close();
      permits.release();
      flag.set();
      result.set(1);
      victim.throw(new Error('x'));
      victim.kill();
      order.push('me');
      yield* yieldNow();
      expect(order).toEqual(['me', 'other']);
    }));

  it('checks for a pending kill at the start of every blocking Op, also of one that could complete at once', () =>
    play(function* () {
      const full = new Channel<number>(2);
      full.trySend(7);
      const flag = new Event();
      flag.set();
      const result = new AsyncResult<number>();
      result.set(1);
      const mutex = new Mutex();
      const permits = new Semaphore(1);
      const ended = spawn(function* () {});
      yield* ended.join();
      const ops: Record<string, () => Op<unknown>> = {
        receive: () => full.receive(),
        send: () => full.send(1),
        sleep: () => sleep(1),
        sleepZero: () => sleep(0),
        yieldNow: () => yieldNow(),
        join: () => ended.join(),
        get: () => ended.get(),
        event: () => flag.wait(),
        resultGet: () => result.get(),
        resultWait: () => result.wait(),
        mutex: () => mutex.acquire(),
        semaphore: () => permits.acquire(),
        select: () => select({ a: full.receive() }),
        selectElse: () => select({ a: full.receive() }, { else: 1 }),
        timeout: () => timeout(5, full.receive()),
        timeoutZero: () => timeout(0, full.receive(), { else: 1 }),
        call: () => call(full.receive()),
        all: () => all([full.receive()]),
        race: () => race([full.receive()]),
      };
      const outcomes: Record<string, string> = {};
      const victim = spawnQuietly(function* () {
        current().kill('now');
        for (const [name, op] of Object.entries(ops)) {
          const error = yield* thrownBy(op());
          outcomes[name] = isKilled(error) ? 'killed' : String(error);
        }
      });
      yield* victim.join();
      expect(outcomes).toEqual(Object.fromEntries(Object.keys(ops).map((name) => [name, 'killed'])));
      expect([full.length, mutex.locked, permits.permits]).toEqual([1, false, 1]);
    }));

  it('checks for a pending throw at the start of an Op that could complete at once', () =>
    play(function* () {
      const full = new Channel<number>(1);
      full.trySend(7);
      const error = new Error('thrown in');
      current().throw(error);
      expect(yield* thrownBy(full.receive())).toBe(error);
      expect(yield* full.receive()).toBe(7);
    }));

  it('switches when a greenlet completes many Ops and its budget is spent', () =>
    play(function* () {
      const jobs = new Channel<number>(Number.POSITIVE_INFINITY);
      for (let i = 0; i < 2000; i += 1) jobs.trySend(i);
      let received = 0;
      let seen = -1;
      spawn(function* () {
        seen = received;
      });
      for (; received < 2000; received += 1) expect(yield* jobs.receive()).toBe(received);
      expect(seen).toBeGreaterThan(0);
      expect(seen).toBeLessThan(1000);
    }));

  it.each([
    ['a number', 5, /yield\*/],
    ['nothing', undefined, /yield\*/],
    ['a promise', Promise.resolve(1), /until\(promise\)/],
    ['an Op', sleep(1), /`yield\*` instead of `yield`/],
    ['a function', () => 1, /yield\*/],
    ['a symbol', Symbol('s'), /yield\*/],
    [
      'a Proxy that throws',
      new Proxy(
        {},
        {
          get() {
            throw new Error('evil');
          },
        },
      ),
      /yield\*/,
    ],
    [
      'an object whose then throws',
      {
        // biome-ignore lint/suspicious/noThenProperty: that is the point
        get then() {
          throw new Error('evil');
        },
      },
      /yield\*/,
    ],
  ])('throws TypeError with a hint into a greenlet that yields %s, which may go on', (_name, value, hint) =>
    play(function* () {
      const greenlet = spawn(function* (): Op<string> {
        try {
          yield value as never;
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          expect((error as Error).message).toMatch(hint);
        }
        yield* sleep(1);
        return 'went on';
      });
      expect(yield* greenlet.get()).toBe('went on');
    }),
  );

  it('refuses a foreign yield deep in wrappers and leaves their frames', () =>
    play(function* () {
      const inner = function* (): Op<void> {
        yield 5 as never;
      };
      const error = yield* thrownBy(timeout(5, shield(call(timeout(5, inner())))));
      expect(error).toBeInstanceOf(TypeError);
      expect(current().frame).toBeUndefined();
      yield* sleep(20);
    }));

  it('throws NotInGreenletError when an Op is started outside a greenlet', () => {
    const jobs = new Channel<number>(1);
    const ops: Op<unknown>[] = [
      jobs.receive(),
      jobs.send(1),
      sleep(0),
      yieldNow(),
      new Mutex().acquire(),
      new Semaphore().acquire(),
      new Event().wait(),
      new AsyncResult().get(),
      select({ a: jobs.receive() }),
      timeout(1, jobs.receive()),
      timeout(1, shield(jobs.receive())),
      shield(jobs.receive()),
      call(jobs.receive()),
      scope(function* () {}),
      all([jobs.receive()]),
      race([jobs.receive()]),
      new Mutex().use(sleep(1)),
    ];
    const codes = ops.map((op) => (thrownAtCall(() => op[Symbol.iterator]().next()) as { code?: string }).code);
    expect(codes).toEqual(ops.map(() => 'ERR_NOT_IN_GREENLET'));
    expect(thrownAtCall(() => current())).toBeInstanceOf(NotInGreenletError);
    expect(thrownAtCall(() => new Mutex().tryAcquire())).toBeInstanceOf(NotInGreenletError);
    expect(jobs.length).toBe(0);
  });

  it('throws NotInGreenletError when an Op is started in a link callback', () =>
    play(function* () {
      let error: unknown;
      const child = spawn(function* () {});
      child.link(() => {
        error = thrownAtCall(() => sleep(1)[Symbol.iterator]());
      });
      yield* sleep(1);
      expect(error).toBeInstanceOf(NotInGreenletError);
    }));
});

describe('S2 Kill is synchronous, idempotent, never throws; the first reason wins', () => {
  it('returns true for the first call and false for later ones, whose reasons are ignored', () =>
    play(function* () {
      const victim = spawnQuietly(() => sleep(1000));
      yield* yieldNow();
      expect([victim.kill('first'), victim.kill('second'), victim.killed, victim.state]).toEqual([
        true,
        false,
        true,
        'ready',
      ]);
      yield* victim.join();
      expect(victim.kill('third')).toBe(false);
      expect(victim.outcome).toMatchObject({ ok: false, killed: true, error: { reason: 'first' } });
    }));

  it('never throws, whatever the reason is', () =>
    play(function* () {
      const evil = new Proxy(
        {},
        {
          get() {
            throw new Error('evil');
          },
          getPrototypeOf() {
            throw new Error('evil');
          },
        },
      );
      const odd = Object.assign(new Error('x'), { message: Symbol('odd') });
      for (const reason of [undefined, null, Symbol('s'), evil, odd, { toString: () => 5 }, Object.create(null)]) {
        const unstarted = spawnQuietly(() => sleep(1));
        expect(unstarted.kill(reason)).toBe(true);
        const parked = spawnQuietly(() => sleep(1000));
        yield* yieldNow();
        expect(parked.kill(reason)).toBe(true);
        yield* parked.join();
        expect(parked.outcome).toMatchObject({ ok: false, killed: true, error: { code: 'ERR_GREENLET_KILLED' } });
        expect((parked.outcome as unknown as { error: { reason: unknown } }).error.reason).toBe(reason);
      }
    }));

  it('wakes nobody before the next switch: the victim runs its finally later', () =>
    play(function* () {
      const order: string[] = [];
      const victim = spawnQuietly(function* () {
        try {
          yield* sleep(1000);
        } finally {
          order.push('finally');
        }
      });
      yield* yieldNow();
      victim.kill();
      order.push('after kill');
      yield* victim.join();
      expect(order).toEqual(['after kill', 'finally']);
    }));
});
