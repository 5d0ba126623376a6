// s03-s04-kill.test.ts: rules S3 (a kill is level-triggered, and what happens to one who ignores it) and S4 (throw, catch, and what counts as killed).
import {
  Channel,
  call,
  current,
  type Greenlet,
  GreenletKilledError,
  isKilled,
  Killed,
  KillIgnoredError,
  type Op,
  rethrowKilled,
  run,
  scope,
  shield,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { collectErrors, play, spawnQuietly, thrownAtCall, world } from './world.ts';

const hostile: ProxyHandler<object> = {
  get() {
    throw new Error('trap');
  },
  has() {
    throw new Error('trap');
  },
};

/** A body that catches everything at `op`, and counts. */
function* ignoring(op: () => Op<unknown>, count: { deliveries: number }): Op<void> {
  for (;;) {
    try {
      yield* op();
    } catch {
      count.deliveries += 1;
    }
  }
}

describe('S3 Kill is level-triggered', () => {
  it('throws again at every blocking Op, so that a catch around one cannot swallow it', () =>
    play(function* () {
      const jobs = new Channel<number>(1);
      const seen: unknown[] = [];
      const victim = spawnQuietly(function* () {
        for (const op of [sleep(1000), jobs.receive(), jobs.send(1), yieldNow()]) seen.push(yield* thrownBy(op));
        yield* sleep(1);
      });
      yield* yieldNow();
      victim.kill('why');
      yield* victim.join();
      expect(seen.map((error) => [isKilled(error), (error as Killed).reason])).toEqual(Array(4).fill([true, 'why']));
      expect(victim.outcome).toMatchObject({ ok: false, killed: true });
    }));

  it('F96: ends, after the 1000th delivery, a greenlet that ignores its kill: failed, KillIgnoredError', () =>
    play(function* () {
      const count = { deliveries: 0 };
      const victim = spawnQuietly(() => ignoring(() => sleep(1000), count));
      yield* yieldNow();
      victim.kill();
      const error = yield* thrownBy(victim.get());
      expect(error).toBeInstanceOf(KillIgnoredError);
      expect([count.deliveries, (error as KillIgnoredError).code]).toEqual([999, 'ERR_KILL_IGNORED']);
      expect(victim.outcome).toMatchObject({ ok: false, error, killed: true });
    }));

  it('F96: raises killIgnored once, with a stack, at the 100th delivery', () =>
    play(function* () {
      const events: [Greenlet, Killed][] = [];
      world().events.on('killIgnored', (greenlet, killed) => events.push([greenlet, killed]));
      const count = { deliveries: 0 };
      const victim = spawnQuietly(() => ignoring(() => yieldNow(), count));
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      yield* sleep(1);
      expect(events).toHaveLength(1);
      expect(events[0]?.[0]).toBe(victim);
      expect(events[0]?.[1].stack).toContain('ignoring');
    }));

  it('lets others run from the 100th delivery on', () =>
    play(function* () {
      const count = { deliveries: 0 };
      const victim = spawnQuietly(() => ignoring(() => sleep(1000), count));
      yield* yieldNow();
      victim.kill();
      const seen: number[] = [];
      while (victim.outcome === undefined) {
        yield* yieldNow();
        seen.push(count.deliveries);
      }
      expect(seen.length).toBeGreaterThan(850);
      expect(seen[0]).toBe(99);
    }));

  it('ends one that ignores only a timeout as well', () =>
    play(function* () {
      const count = { deliveries: 0 };
      const victim = spawnQuietly(() =>
        timeout(
          5,
          ignoring(() => sleep(1000), count),
        ),
      );
      const error = yield* thrownBy(victim.get());
      expect(error).toBeInstanceOf(KillIgnoredError);
      expect(victim.outcome).toMatchObject({ ok: false, killed: false });
    }));

  it('counts anew after an Op that returned a value in a shield', () =>
    play(function* () {
      let rounds = 0;
      const victim = spawnQuietly(function* () {
        for (; rounds < 3000; rounds += 1) {
          try {
            yield* sleep(1000);
          } catch {
            // counted
          }
          if (rounds % 50 === 0) yield* shield(yieldNow());
        }
        return 'ended by itself';
      });
      yield* yieldNow();
      victim.kill();
      expect(yield* victim.get()).toBe('ended by itself');
      expect(victim.outcome).toMatchObject({ ok: true, killed: true });
    }));

  it('calls return() on each frame from the innermost out, and its finally blocks run', () =>
    play(function* () {
      const order: string[] = [];
      const count = { deliveries: 0 };
      const inner = function* (): Op<void> {
        try {
          yield* ignoring(() => sleep(1000), count);
        } finally {
          order.push('inner');
        }
      };
      const middle = function* (): Op<void> {
        try {
          yield* call(inner());
        } finally {
          order.push('middle');
        }
      };
      const victim = spawnQuietly(function* () {
        try {
          yield* timeout(100_000, shield(middle()));
        } finally {
          order.push('outer');
        }
      });
      yield* sleep(1);
      victim.kill();
      yield* victim.join();
      expect(order).toEqual(['inner', 'middle', 'outer']);
      expect(world().timeouts.size).toBe(0);
    }));

  it('throws at an Op that is started during the close, and abandons a generator that yields all the same', () =>
    play(function* () {
      const errors: unknown[] = [];
      const jobs = new Channel<number>();
      const victim = spawnQuietly(function* () {
        try {
          yield* ignoring(() => sleep(1000), { deliveries: 0 });
        } finally {
          try {
            yield* jobs.receive();
          } catch (error) {
            errors.push(error);
          }
          yield 5 as never;
        }
      });
      yield* yieldNow();
      victim.kill();
      expect(yield* thrownBy(victim.get())).toBeInstanceOf(KillIgnoredError);
      expect(errors).toMatchObject([{ code: 'ERR_USAGE' }]);
      expect(jobs.balance).toBe(0);
    }));

  it('ends one that ignores even the close', () =>
    play(function* () {
      const victim = spawnQuietly(function* () {
        for (;;) {
          try {
            yield* ignoring(() => sleep(1000), { deliveries: 0 });
          } finally {
            for (;;) {
              try {
                yield* sleep(1);
              } catch {
                // for ever
              }
            }
          }
        }
      });
      yield* yieldNow();
      victim.kill();
      expect(yield* thrownBy(victim.get())).toBeInstanceOf(KillIgnoredError);
    }));

  it('kills the children of a scope whose owner is closed by force', () =>
    play(function* () {
      const order: string[] = [];
      let child: Greenlet | undefined;
      const victim = spawnQuietly(() =>
        scope(function* (s) {
          child = s.spawn(function* () {
            try {
              yield* sleep(10_000);
            } finally {
              order.push('child');
            }
          });
          yield* ignoring(() => sleep(1000), { deliveries: 0 });
        }),
      );
      yield* sleep(1);
      victim.kill();
      expect(yield* thrownBy(victim.get())).toBeInstanceOf(KillIgnoredError);
      yield* (child as Greenlet).join();
      expect(order).toEqual(['child']);
      expect(world().greenlets()).toEqual([current()]);
    }));

  it('lets one that kills itself run on to its next blocking Op, and again in finally', () =>
    play(function* () {
      const order: unknown[] = [];
      const victim = spawnQuietly(function* () {
        try {
          current().kill('myself');
          order.push('still here');
          yield* sleep(1);
          order.push('not here');
        } finally {
          order.push(isKilled(yield* thrownBy(sleep(1))));
          yield* shield(sleep(3));
          order.push('cleaned up');
        }
      });
      yield* victim.join();
      expect(order).toEqual(['still here', true, 'cleaned up']);
    }));
});

describe('S4 Throw and catch', () => {
  it('throws an error once, at the next blocking point, and the greenlet may go on', () =>
    play(function* () {
      const error = new Error('thrown in');
      const greenlet = spawn(function* () {
        const caught = yield* thrownBy(sleep(1000));
        yield* sleep(1);
        return caught;
      });
      yield* yieldNow();
      greenlet.throw(error);
      expect(yield* greenlet.get()).toBe(error);
    }));

  it('queues several up, in order', () =>
    play(function* () {
      const greenlet = spawn(function* () {
        const caught: unknown[] = [];
        for (let i = 0; i < 3; i += 1) caught.push(yield* thrownBy(sleep(1000)));
        yield* sleep(1);
        return caught;
      });
      yield* yieldNow();
      for (const error of [1, undefined, 'three']) greenlet.throw(error);
      expect(yield* greenlet.get()).toEqual([1, undefined, 'three']);
    }));

  it('lets a kill go before thrown errors, which are dropped with the greenlet', () =>
    play(function* () {
      const seen: unknown[] = [];
      const greenlet = spawnQuietly(function* () {
        seen.push(isKilled(yield* thrownBy(sleep(1000))));
        yield* sleep(1);
      });
      yield* yieldNow();
      greenlet.throw(new Error('thrown in'));
      greenlet.kill();
      yield* greenlet.join();
      expect(seen).toEqual([true]);
      expect(greenlet.outcome).toMatchObject({ error: { code: 'ERR_GREENLET_KILLED' } });
    }));

  it('fails a greenlet that does not catch, with the very error', () =>
    play(function* () {
      for (const error of [new Error('x'), undefined, null, Symbol('s'), new Proxy({}, { get: () => 1 })]) {
        const greenlet = spawnQuietly(() => sleep(1000));
        yield* yieldNow();
        greenlet.throw(error);
        yield* greenlet.join();
        expect(greenlet.outcome?.ok).toBe(false);
        expect(Object.is((greenlet.outcome as unknown as { error: unknown }).error, error)).toBe(true);
      }
    }));

  it('tells a Killed by isKilled and lets it pass with rethrowKilled', () =>
    play(function* () {
      const seen: unknown[] = [];
      const victim = spawnQuietly(function* () {
        try {
          yield* sleep(1000);
        } catch (error) {
          seen.push(isKilled(error), error instanceof Killed, (error as Killed).code, (error as Killed).reason);
          seen.push(typeof (error as Killed).frame, thrownAtCall(() => rethrowKilled(error)) === error);
          rethrowKilled(error);
          seen.push('not here');
        }
      });
      yield* yieldNow();
      victim.kill('reason');
      yield* victim.join();
      rethrowKilled(new Error('no kill'));
      expect(seen).toEqual([true, true, 'KILLED', 'reason', 'object', true]);
      expect([isKilled(undefined), isKilled(new Error('killed')), isKilled({ code: 'KILLED' })]).toEqual([
        false,
        false,
        false,
      ]);
    }));

  it('knows the Killed of another copy of this library by its brand', () => {
    expect(isKilled({ [Symbol.for('tendril.Killed')]: true })).toBe(true);
    expect(isKilled(new Proxy({}, hostile))).toBe(false);
  });

  it('counts as killed only who ends with a Killed of its own; a stale one is an ordinary failure', () =>
    play(function* () {
      let stolen: unknown;
      const victim = spawnQuietly(function* () {
        stolen = yield* thrownBy(sleep(1000));
        throw stolen;
      });
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      const thief = spawnQuietly(function* () {
        throw stolen;
      });
      yield* thief.join();
      expect(thief.outcome).toEqual({ ok: false, error: stolen, killed: false });
      expect(yield* thrownBy(thief.get())).toBe(stolen);
      expect(victim.outcome).toMatchObject({ ok: false, killed: true, error: { cause: stolen } });
    }));

  it('counts the kept Killed of a timeout, thrown later, as an ordinary failure', () =>
    play(function* () {
      const errors = collectErrors();
      const greenlet = spawn(function* () {
        let kept: unknown;
        yield* timeout(
          1,
          (function* (): Op<void> {
            kept = yield* thrownBy(sleep(1000));
          })(),
        );
        throw kept;
      });
      yield* sleep(10);
      expect(greenlet.outcome).toMatchObject({ ok: false, killed: false });
      expect(errors.map(isKilled)).toEqual([true]);
    }));

  it('is done, ok, with killed true, if it returns normally after a kill', () =>
    play(function* () {
      const victim = spawnQuietly(function* () {
        yield* thrownBy(sleep(1000));
        return 'result';
      });
      yield* yieldNow();
      victim.kill();
      expect(yield* victim.get()).toBe('result');
      expect(victim.outcome).toEqual({ ok: true, value: 'result', killed: true });
    }));

  it('is an ordinary failure if another error comes out after a kill', () =>
    play(function* () {
      const error = new Error('cleanup failed');
      const victim = spawnQuietly(function* () {
        try {
          yield* sleep(1000);
        } catch {
          throw error;
        }
      });
      yield* yieldNow();
      victim.kill();
      expect(yield* thrownBy(victim.get())).toBe(error);
      expect(victim.outcome).toEqual({ ok: false, error, killed: true });
    }));

  it('gives get, promise and run a GreenletKilledError whose cause is the Killed and that is no kill; join returns', () =>
    play(function* () {
      let killed: unknown;
      const body = function* (): Op<void> {
        killed = yield* thrownBy(sleep(1000));
        throw killed;
      };
      const victim = spawn(body);
      const promised = victim.promise().catch((error: unknown) => error);
      yield* yieldNow();
      victim.kill('why');
      yield* victim.join();
      const error = (yield* thrownBy(victim.get())) as GreenletKilledError;
      expect(error).toBeInstanceOf(GreenletKilledError);
      expect([error.cause, isKilled(error), error.reason, error.code]).toEqual([
        killed,
        false,
        'why',
        'ERR_GREENLET_KILLED',
      ]);
      void promised.then((rejected) => expect(rejected).toBeInstanceOf(GreenletKilledError));
      // Several who ask each get an error with a stack of their own.
      expect(yield* thrownBy(victim.get())).not.toBe(error);
    }));

  it('rejects run() of a killed body with GreenletKilledError', async () => {
    await expect(
      play(function* () {
        current().kill('why');
        yield* sleep(1);
      }),
    ).rejects.toMatchObject({ code: 'ERR_GREENLET_KILLED', reason: 'why' });
    let rejected: unknown;
    await play(function* () {
      void run(function* () {
        current().kill();
        yield* sleep(1);
      }).catch((error: unknown) => {
        rejected = error;
      });
      yield* sleep(5);
    });
    expect(rejected).toBeInstanceOf(GreenletKilledError);
  });

  it('turns no error into a TimeoutError but the timeout of its own', () =>
    play(function* () {
      const victim = spawnQuietly(() =>
        timeout(
          1000,
          (function* (): Op<void> {
            yield* sleep(5000);
          })(),
        ),
      );
      yield* yieldNow();
      victim.kill();
      const error = yield* thrownBy(victim.get());
      expect(error).not.toBeInstanceOf(TimeoutError);
      expect(error).toBeInstanceOf(GreenletKilledError);
    }));
});
