// s11-deadlock.test.ts: rule S11 in a closed world: who is reported, what is thrown at once, and how a world of daemons ends.

import { until } from 'tendril';
import {
  Channel,
  call,
  current,
  DeadlockError,
  Event,
  type Greenlet,
  idle,
  Mutex,
  type Op,
  run,
  Semaphore,
  select,
  shield,
  sleep,
  spawn,
  spawnWith,
  timeout,
  yieldNow,
} from 'tendril/core';
import { simulate, VirtualDriver } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { now, play, spawnQuietly, thrownAtCall, world } from './world.ts';

describe('S11 Deadlock in a closed world', () => {
  it('F92: rejects run() at once with who waits for what, and where', async () => {
    const jobs = new Channel<number>(0, { name: 'jobs' });
    const permits = new Semaphore(0, { name: 'permits' });
    const error = (await play(function* () {
      spawnWith({ name: 'taker' }, function* waitingForAPermit() {
        yield* permits.acquire();
      });
      yield* jobs.receive();
    }).catch((thrown: unknown) => thrown)) as DeadlockError;
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.code).toBe('ERR_DEADLOCK');
    expect(error.message).toMatch(/2 greenlets are parked/);
    expect(error.message).toMatch(/receive on channel jobs/);
    expect(error.message).toMatch(/taker.*acquire on semaphore permits/s);
    expect(error.message).toMatch(/at .*waitingForAPermit/);
    expect(error.greenlets).toHaveLength(2);
  });

  it('kills the listed greenlets, so that their finally blocks run', async () => {
    const order: string[] = [];
    await expect(
      play(function* () {
        spawnQuietly(function* () {
          try {
            yield* new Event().wait();
          } finally {
            yield* shield(sleep(5));
            order.push('child');
          }
        });
        try {
          yield* new Channel().receive();
        } finally {
          order.push('body');
        }
      }),
    ).rejects.toBeInstanceOf(DeadlockError);
    expect(order).toEqual(['body', 'child']);
  });

  it('rejects every pending run() with the same error', async () => {
    const errors: unknown[] = [];
    await play(function* () {
      for (let i = 0; i < 2; i += 1)
        void run(() => new Channel().receive()).catch((error: unknown) => {
          errors.push(error);
        });
      yield* new Channel().receive();
    }).catch((error: unknown) => errors.push(error));
    expect(errors).toHaveLength(3);
    expect(new Set(errors).size).toBe(1);
  });

  it('gives no alarm while a timer is pending', () =>
    play(function* () {
      const jobs = new Channel<number>();
      spawn(function* () {
        yield* sleep(100_000);
        yield* jobs.send(1);
      });
      expect(yield* jobs.receive()).toBe(1);
    }));

  it('takes one that sleeps for ever, or waits with an infinite timeout, for parked', async () => {
    for (const op of [sleep(Number.POSITIVE_INFINITY), timeout(Number.POSITIVE_INFINITY, new Channel().receive())])
      await expect(play(() => op as Op<unknown>)).rejects.toBeInstanceOf(DeadlockError);
  });

  it('groups equal stacks and shows at most 50 in full', async () => {
    const error = (await play(function* () {
      const never = new Event();
      const waiting = function* theSamePlace(): Op<void> {
        yield* never.wait();
      };
      for (let i = 0; i < 200; i += 1) spawn(waiting);
      yield* never.wait();
    }).catch((thrown: unknown) => thrown)) as DeadlockError;
    expect(error.message).toMatch(/201 greenlets/);
    expect(error.message.match(/theSamePlace/g)).toHaveLength(1);
    expect(error.message).toMatch(/and 150 more like it/);
  });

  it('ends a world in which only daemons are left: they are killed, also those that tick for ever', async () => {
    const order: string[] = [];
    const { elapsedMs } = await simulate(function* () {
      for (const op of [sleep(1000), new Event().wait()])
        spawnWith({ daemon: true }, function* () {
          try {
            for (;;) yield* op;
          } finally {
            order.push('daemon');
          }
        });
      yield* sleep(2500);
    });
    expect([order, elapsedMs]).toEqual([['daemon', 'daemon'], 2500]);
  });

  it('ends a world in which a daemon is idle for ever, or waits in a shield for something outside', async () => {
    const idling = function* (): Op<void> {
      for (;;) yield* idle();
    };
    const daemons = [idling, () => shield(Number.POSITIVE_INFINITY, until(new Promise<void>(() => {})))];
    for (const daemon of daemons) {
      const { elapsedMs } = await simulate(function* () {
        spawnWith({ daemon: true }, daemon as () => Op<void>);
        yield* yieldNow();
      });
      expect(elapsedMs).toBe(0);
    }
  });

  it('stops a world that takes turns for ever at one instant, and names who spins', async () => {
    const spinning = simulate(
      function* () {
        for (;;) yield* idle();
      },
      { maxTurns: 100 },
    );
    await expect(spinning).rejects.toThrow(/too many turns: does .* spin at 0 ms/);
  });

  it('waits for a promise that the body returns', async () => {
    const later = new Promise<string>((resolve) => setImmediate(() => setImmediate(resolve, 'value')));
    await simulate(function* () {
      return later;
    });
  });

  it('has a driver that tells at once that a turn is wanted if one was asked for already', async () => {
    const driver = new VirtualDriver();
    driver.warn(new Error('nobody reads this'));
    driver.askTurn(true);
    await driver.turnWanted();
  });

  it('does not list daemons as parties to a deadlock', async () => {
    const error = (await play(function* () {
      spawnWith({ daemon: true, name: 'demon' }, () => new Event().wait());
      yield* new Event().wait();
    }).catch((thrown: unknown) => thrown)) as DeadlockError;
    expect(error.greenlets.map(({ id }) => id)).toEqual([1]);
  });

  it('reports greenlets left parked after the body as a leak, not a deadlock', async () => {
    const leaks: (readonly Greenlet[])[] = [];
    const reports: string[] = [];
    const { value } = await simulate(function* () {
      world().events.on('leak', (greenlets, report) => {
        leaks.push(greenlets);
        reports.push(report);
      });
      spawnQuietly(() => new Channel<number>(0, { name: 'jobs' }).receive());
      yield* yieldNow();
      return 'ended';
    });
    expect([value, leaks.map(({ length }) => length)]).toEqual(['ended', [1]]);
    expect(reports[0]).toMatch(/receive on channel jobs/);
    expect(leaks[0]?.[0]?.state).toBe('done');
  });
});

describe('S11 A cycle of owned locks and joins is thrown at once', () => {
  it('F91: in the greenlet that closes it, naming both holders', () =>
    play(function* () {
      const [a, b] = [new Mutex({ name: 'A' }), new Mutex({ name: 'B' })];
      const first = spawnWith({ name: 'first' }, function* () {
        yield* a.acquire();
        yield* sleep(1);
        yield* b.acquire();
        b.release();
        a.release();
      });
      const second = spawnWith({ name: 'second' }, function* () {
        yield* b.acquire();
        yield* sleep(2);
        const error = yield* thrownBy(a.acquire());
        b.release();
        return error;
      });
      const error = yield* second.get();
      expect(error).toBeInstanceOf(DeadlockError);
      expect((error as Error).message).toMatch(/second.*mutex A.*held by first/s);
      expect((error as Error).message).toMatch(/first.*mutex B.*held by second/s);
      yield* first.get();
      expect(now()).toBe(2);
    }));

  it('for joins, for locks and joins mixed, and for one’s own lock and end', () =>
    play(function* () {
      const mutex = new Mutex();
      const joining: Greenlet<unknown> = spawn(function* () {
        yield* sleep(1);
        return yield* thrownBy(other.join());
      });
      const other: Greenlet<unknown> = spawn(() => joining.join());
      expect(yield* joining.get()).toBeInstanceOf(DeadlockError);
      yield* mutex.acquire();
      const me = current();
      const locking = spawn(() => mutex.acquire());
      yield* yieldNow();
      expect(yield* thrownBy(mutex.acquire())).toBeInstanceOf(DeadlockError);
      expect(yield* thrownBy(locking.join())).toBeInstanceOf(DeadlockError);
      expect(yield* thrownBy(me.join())).toMatchObject({ code: expect.stringMatching(/ERR_USAGE|ERR_DEADLOCK/) });
      locking.kill();
      mutex.release();
      yield* locking.join();
      expect(mutex.locked).toBe(false);
    }));

  it('but not if a member has a finite timeout or waits in a select', () =>
    play(function* () {
      for (const patient of [
        (op: Op<void>) =>
          timeout(
            50,
            (function* (): Op<void> {
              yield* op;
            })(),
            { else: undefined },
          ),
        (op: Op<void>) => timeout(50, op as ReturnType<Mutex['acquire']>, { else: undefined }),
        (op: Op<void>) => select({ op: op as ReturnType<Mutex['acquire']>, time: sleep(50) }),
      ]) {
        const [a, b] = [new Mutex(), new Mutex()];
        const first = spawn(function* () {
          yield* a.acquire();
          yield* sleep(1);
          yield* patient(b.acquire());
          a.release();
        });
        const second = spawn(function* () {
          yield* b.acquire();
          yield* sleep(2);
          yield* a.acquire();
          a.release();
          b.release();
          return 'fine';
        });
        expect(yield* second.get()).toBe('fine');
        yield* first.join();
      }
    }));

  it('and not if a member is already being killed: it will release what it holds', () =>
    play(function* () {
      const [a, b] = [new Mutex(), new Mutex()];
      const victim = spawnQuietly(function* () {
        yield* a.acquire();
        try {
          yield* sleep(1);
          yield* b.acquire();
        } finally {
          a.release();
        }
      });
      yield* b.acquire();
      yield* sleep(10);
      victim.kill();
      yield* a.acquire();
      a.release();
      b.release();
      yield* victim.join();
    }));

  it('walks a ring of 60 locks', () =>
    play(function* () {
      const locks = Array.from({ length: 60 }, () => new Mutex());
      const greenlets = locks.map((lock, i) =>
        spawn(function* () {
          yield* lock.acquire();
          yield* sleep(i + 1);
          const next = locks[(i + 1) % locks.length] as Mutex;
          try {
            yield* next.acquire();
            next.release();
            return undefined;
          } catch (error) {
            return error;
          } finally {
            lock.release();
          }
        }),
      );
      const errors: unknown[] = [];
      for (const greenlet of greenlets) errors.push(yield* greenlet.get());
      expect(errors.filter((error) => error !== undefined)).toHaveLength(1);
      expect(errors.at(-1)).toBeInstanceOf(DeadlockError);
    }));

  it('walks no more than 64 links: a longer ring is left to the deadlock report', async () => {
    const error = await play(function* () {
      const locks = Array.from({ length: 70 }, () => new Mutex());
      const greenlets = locks.map((lock, i) =>
        spawnQuietly(function* () {
          yield* lock.acquire();
          yield* sleep(i + 1);
          try {
            yield* (locks[(i + 1) % locks.length] as Mutex).acquire();
          } finally {
            lock.release();
          }
        }),
      );
      yield* (greenlets.at(-1) as Greenlet<void>).join();
    }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_DEADLOCK', message: expect.stringMatching(/71 greenlets are parked/) });
  });

  it('also if a member is in a timeout that has no end', () =>
    play(function* () {
      const [a, b] = [new Mutex(), new Mutex()];
      yield* a.acquire();
      const other = spawnQuietly(() => b.use(timeout(Number.POSITIVE_INFINITY, call(a.acquire()))));
      yield* sleep(1);
      expect(yield* thrownBy(b.acquire())).toMatchObject({ code: 'ERR_DEADLOCK' });
      other.kill();
      yield* other.join();
      a.release();
    }));

  it('lets only the owner release a mutex, and reports one whose owner ended', () =>
    play(function* () {
      const errors: unknown[] = [];
      world().events.on('error', (error) => errors.push(error));
      const mutex = new Mutex({ name: 'm' });
      expect(thrownAtCall(() => mutex.release())).toMatchObject({ code: 'ERR_NOT_OWNER' });
      const owner = spawnWith({ name: 'owner' }, () => mutex.acquire());
      yield* owner.join();
      expect(thrownAtCall(() => mutex.release())).toMatchObject({ code: 'ERR_NOT_OWNER' });
      yield* sleep(1);
      expect([mutex.locked, mutex.owner]).toEqual([true, owner]);
      expect(errors).toMatchObject([{ code: 'ERR_NOT_OWNER', message: expect.stringMatching(/owner ended.*mutex m/) }]);
    }));
});
