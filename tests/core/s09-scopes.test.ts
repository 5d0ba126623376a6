// s09-scopes.test.ts: rule S9: when a scope ends, whose error comes out, and what is left behind (nothing).
import {
  AsyncResult,
  all,
  Channel,
  current,
  type Greenlet,
  isKilled,
  type Op,
  race,
  type Scope,
  ScopeClosedError,
  scope,
  select,
  shield,
  sleep,
  spawn,
  suppressedErrors,
  timeout,
  yieldNow,
} from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { STEP_BUDGET } from '../../core/kernel.ts';
import { thrownBy } from '../thrown-by.ts';
import { checks, collectErrors, now, play, spawnQuietly, thrownAtCall, world } from './world.ts';

function* failing(error: unknown, ms = 0): Op<never> {
  yield* sleep(ms);
  throw error;
}

/** Fails in its cleanup when it is killed. */
function* failingInCleanup(error: unknown): Op<void> {
  try {
    yield* sleep(100_000);
  } finally {
    // biome-ignore lint/correctness/noUnsafeFinally: that is the point
    throw error;
  }
}

function* throwing(error: unknown): Op<never> {
  throw error;
}

describe('S9 Scopes', () => {
  it('run the body in the caller’s greenlet and return its value', () =>
    play(function* () {
      const me = current();
      expect(
        yield* scope(function* () {
          return current() === me;
        }),
      ).toBe(true);
    }));

  it('end only after all children ended; returning does not kill them', () =>
    play(function* () {
      const order: string[] = [];
      yield* scope(function* (s) {
        s.spawn(function* () {
          yield* sleep(20);
          order.push(`child at ${now()}`);
        });
        order.push('body returns');
      });
      order.push(`scope ends at ${now()}`);
      expect(order).toEqual(['body returns', 'child at 20', 'scope ends at 20']);
    }));

  it('are joined by s.spawn only: plain spawn is detached', () =>
    play(function* () {
      let detached: Greenlet | undefined;
      yield* scope(function* () {
        detached = spawn(() => sleep(1000));
      });
      expect([now(), detached?.state]).toEqual([0, 'new']);
      detached?.kill();
    }));

  it('cancel siblings and the body at a child’s error, which is rethrown unchanged', () =>
    play(function* () {
      const error = new Error('child');
      const seen: string[] = [];
      const watching = function* (name: string): Op<void> {
        try {
          yield* sleep(1000);
        } catch (killed) {
          seen.push(`${name} ${isKilled(killed)}`);
          throw killed;
        }
      };
      const thrown = yield* thrownBy(
        scope(function* (s) {
          s.spawn(watching, 'sibling');
          s.spawn(failing, error, 5);
          yield* watching('body');
        }),
      );
      expect(thrown).toBe(error);
      expect([seen.sort(), now(), suppressedErrors(error)]).toEqual([['body true', 'sibling true'], 5, []]);
    }));

  it('cancel the wait for the children as well', () =>
    play(function* () {
      const error = new Error('child');
      const thrown = yield* thrownBy(
        scope(function* (s) {
          s.spawn(() => sleep(1000));
          s.spawn(failing, error, 5);
        }),
      );
      expect([thrown, now()]).toEqual([error, 5]);
    }));

  it('rethrow the first error in time; later ones are in suppressedErrors, in order', () =>
    play(function* () {
      const errors = ['first', 'second', 'third', 'body'].map((message) => new Error(message));
      const thrown = yield* thrownBy(
        scope(function* (s) {
          s.spawn(failingInCleanup, errors[1]);
          s.spawn(failingInCleanup, errors[2]);
          s.spawn(failing, errors[0], 5);
          try {
            yield* sleep(1000);
          } finally {
            yield* shield(sleep(10));
            // biome-ignore lint/correctness/noUnsafeFinally: that is the point
            throw errors[3];
          }
        }),
      );
      expect(thrown).toBe(errors[0]);
      expect(suppressedErrors(thrown)).toEqual([errors[1], errors[2], errors[3]]);
    }));

  it('put later errors behind the body’s, if that came first', () =>
    play(function* () {
      const [body, child] = [new Error('body'), new Error('child')];
      const thrown = yield* thrownBy(
        scope(function* (s) {
          s.spawn(failingInCleanup, child);
          yield* sleep(1);
          throw body;
        }),
      );
      expect([thrown, suppressedErrors(thrown)]).toEqual([body, [child]]);
    }));

  it('send later errors to the error event, if the first is not an object', () =>
    play(function* () {
      const errors = collectErrors();
      const later = new Error('later');
      const thrown = yield* thrownBy(
        scope(function* (s) {
          s.spawn(failingInCleanup, later);
          s.spawn(failing, 'a string', 1);
        }),
      );
      yield* sleep(1);
      expect([thrown, errors]).toEqual(['a string', [later]]);
    }));

  it('report no error twice when the owner gets it by get() too, be it an object or not', () =>
    play(function* () {
      const errors = collectErrors();
      for (const error of [new Error('x'), 'a string', undefined, Number.NaN]) {
        const thrown = yield* thrownBy(
          scope(function* (s) {
            yield* s.spawn(failing, error).get();
          }),
        );
        expect(Object.is(thrown, error)).toBe(true);
        expect(suppressedErrors(thrown)).toEqual([]);
      }
      yield* sleep(1);
      expect(errors).toEqual([]);
    }));

  it('kill the children at the body’s error and wait for their cleanup', () =>
    play(function* () {
      const error = new Error('body');
      const order: string[] = [];
      const thrown = yield* thrownBy(
        scope(function* (s) {
          s.spawn(function* () {
            try {
              yield* sleep(1000);
            } finally {
              yield* shield(sleep(30));
              order.push(`cleaned at ${now()}`);
            }
          });
          yield* sleep(5);
          throw error;
        }),
      );
      expect([thrown, order, now()]).toEqual([error, ['cleaned at 35'], 35]);
    }));

  it('kill the children at the owner’s kill; that wait is masked without limit', () =>
    play(function* () {
      const order: string[] = [];
      const owner = spawnQuietly(() =>
        scope(function* (s) {
          s.spawn(function* () {
            try {
              yield* sleep(100_000);
            } finally {
              yield* shield(20_000, sleep(15_000));
              order.push('cleaned');
            }
          });
          yield* sleep(100_000);
        }),
      );
      yield* sleep(5);
      owner.kill('why');
      yield* owner.join();
      expect([order, now()]).toEqual([['cleaned'], 15_005]);
      expect(owner.outcome).toMatchObject({ ok: false, killed: true, error: { reason: 'why' } });
    }));

  it('have a blocking point in the wait after a normal body', () =>
    play(function* () {
      const seen: unknown[] = [];
      const owner = spawnQuietly(function* () {
        const child = { killed: false };
        try {
          yield* scope(function* (s) {
            const greenlet = s.spawn(() => sleep(1000));
            greenlet.link(({ killed }) => {
              child.killed = killed;
            });
          });
        } finally {
          seen.push(child.killed, now());
        }
      });
      yield* sleep(5);
      owner.kill();
      yield* owner.join();
      expect(seen[1]).toBe(5);
    }));

  it('return the value of a body that swallowed its kill if no child is alive', () =>
    play(function* () {
      const owner = spawnQuietly(() =>
        scope(function* () {
          yield* thrownBy(sleep(1000));
          return 'value';
        }),
      );
      yield* sleep(1);
      owner.kill();
      expect(yield* owner.get()).toBe('value');
    }));

  it('throw the error of a child that fails in cleanup after the owner’s kill, which comes back at the next blocking point', () =>
    play(function* () {
      const error = new Error('cleanup');
      const seen: unknown[] = [];
      const owner = spawnQuietly(function* () {
        seen.push(
          yield* thrownBy(
            scope(function* (s) {
              s.spawn(failingInCleanup, error);
              yield* sleep(1000);
            }),
          ),
        );
        seen.push(isKilled(yield* thrownBy(sleep(1))));
      });
      yield* sleep(1);
      owner.kill();
      yield* owner.join();
      expect(seen).toEqual([error, true]);
    }));

  it('take children of children while they wait', () =>
    play(function* () {
      const order: string[] = [];
      yield* scope(function* (s) {
        s.spawn(function* () {
          yield* sleep(5);
          s.spawn(function* () {
            yield* sleep(5);
            order.push('grandchild');
          });
        });
      });
      expect([order, now()]).toEqual([['grandchild'], 10]);
    }));

  it('give birth to killed children while they are dying', () =>
    play(function* () {
      const born: Greenlet[] = [];
      let ran = false;
      const owner = spawnQuietly(() =>
        scope(function* (s) {
          try {
            yield* sleep(1000);
          } finally {
            s.spawn(function* () {
              try {
                yield* sleep(1000);
              } finally {
                born.push(
                  s.spawn(function* () {
                    ran = true;
                  }),
                );
              }
            });
            yield* shield(sleep(1));
          }
        }),
      );
      yield* sleep(1);
      owner.kill();
      yield* owner.join();
      expect([born.map(({ state, killed }) => [state, killed]), ran]).toEqual([[['done', true]], false]);
    }));

  it('throw ScopeClosedError at a spawn once they have ended', () =>
    play(function* () {
      let kept: Scope | undefined;
      yield* scope(function* (s) {
        kept = s;
      });
      expect(thrownAtCall(() => kept?.spawn(() => sleep(1)))).toBeInstanceOf(ScopeClosedError);
      expect(thrownAtCall(() => kept?.spawn(() => sleep(1)))).toMatchObject({ code: 'ERR_SCOPE_CLOSED' });
    }));

  it('nest: an error passes through all of them and everything is cleaned up', () =>
    play(function* () {
      const error = new Error('deep');
      const nest = (depth: number): Op<void> =>
        scope(function* (s) {
          s.spawn(() => sleep(1000));
          if (depth === 0) yield* failing(error, 1);
          else yield* nest(depth - 1);
        });
      expect(yield* thrownBy(nest(20))).toBe(error);
      expect([now(), world().greenlets(), current().frame]).toEqual([1, [current()], undefined]);
    }));

  it('are cancelled by a timeout around them, in time, with their children', () =>
    play(function* () {
      const result = yield* timeout(
        10,
        scope(function* (s) {
          s.spawn(() => sleep(1000));
          yield* sleep(1000);
        }),
        { else: 'expired' },
      );
      expect([result, now(), world().greenlets()]).toEqual(['expired', 10, [current()]]);
    }));

  it('wait on when an error is thrown into the owner while they wait', () =>
    play(function* () {
      const error = new Error('thrown in');
      const owner = spawnQuietly(() =>
        scope(function* (s) {
          s.spawn(function* () {
            try {
              yield* sleep(1000);
            } finally {
              yield* shield(sleep(10));
            }
          });
          yield* sleep(1);
          throw new Error('body');
        }),
      );
      yield* sleep(5);
      owner.throw(error);
      const thrown = yield* thrownBy(owner.get());
      expect([(thrown as Error).message, suppressedErrors(thrown), now()]).toEqual(['body', [error], 11]);
    }));

  it('refuse a body that is no function at the call, and end with the error of one that returns no Op', () =>
    play(function* () {
      expect(thrownAtCall(() => scope(sleep(1) as never))).toBeInstanceOf(TypeError);
      expect(yield* thrownBy(scope((() => undefined) as never))).toBeInstanceOf(TypeError);
      expect(yield* thrownBy(scope((async () => 1) as never))).toBeInstanceOf(TypeError);
      expect(current().frame).toBeUndefined();
    }));

  it('end although their children ended while they gave way, their budget spent', () =>
    play(function* () {
      const jobs = new Channel<number>(Number.POSITIVE_INFINITY);
      const ended = yield* scope(function* (s) {
        const child = s.spawn(function* () {});
        for (let i = 0; i < STEP_BUDGET; i += 1) yield* jobs.send(i);
        return child;
      });
      expect(ended.state).toBe('done');
    }));

  it('carry each later error once', async () => {
    const [first, later] = [new Error('first'), new Error('later')];
    await play(function* () {
      const error = yield* thrownBy(
        scope(function* (s) {
          for (let i = 0; i < 3; i += 1)
            s.spawn(function* () {
              try {
                yield* sleep(1000);
              } finally {
                yield* throwing(later);
              }
            });
          yield* sleep(1);
          throw first;
        }),
      );
      expect([error === first, suppressedErrors(error)]).toEqual([true, [later]]);
    });
  });

  it('end without waiting, and their children with them, when they are iterated by hand', () =>
    play(function* () {
      let child: Greenlet<void> | undefined;
      const op = scope(function* (s) {
        child = s.spawn(() => sleep(1000));
      });
      const iterator = op[Symbol.iterator]() as Iterator<unknown, unknown, undefined>;
      iterator.next(undefined);
      expect(yield* thrownBy(sleep(1))).toMatchObject({ code: 'ERR_OP_ITERATED' });
      yield* sleep(1);
      iterator.next(undefined);
      expect(thrownAtCall(() => iterator.next(undefined))).toMatchObject({ code: 'ERR_OP_ITERATED' });
      yield* (child as unknown as Greenlet<void>).join();
      expect([child?.killed, current().frame, world().greenlets()]).toEqual([true, undefined, [current()]]);
    }));

  it('end 10,000 children at one error', () =>
    play(function* () {
      checks.every = 100;
      const error = new Error('one');
      const thrown = yield* thrownBy(
        scope(function* (s) {
          for (let i = 0; i < 10_000; i += 1) s.spawn(i === 5000 ? () => failing(error, 1) : () => sleep(1000));
        }),
      );
      expect([thrown, now(), world().live]).toEqual([error, 1, 1]);
      checks.every = 1;
    }));
});

describe('S9 all and race', () => {
  it('all returns the results in the order given; the empty one is empty', () =>
    play(function* () {
      const slow = function* (ms: number): Op<number> {
        yield* sleep(ms);
        return ms;
      };
      expect(yield* all([slow(20), slow(10), sleep(5)])).toEqual([20, 10, undefined]);
      expect([yield* all([]), now()]).toEqual([[], 20]);
    }));

  it('all kills and awaits the others at the first error, which it throws, be it an object or not', () =>
    play(function* () {
      const errors = collectErrors();
      for (const error of [new Error('x'), 'a string', undefined]) {
        const startMs = now();
        const thrown = yield* thrownBy(all([sleep(1000), failing(error, 5), failing('later', 50)]));
        expect([Object.is(thrown, error), now() - startMs]).toEqual([true, 5]);
      }
      yield* sleep(1);
      expect(errors).toEqual([]);
    }));

  it('race returns the first result, and kills and awaits the losers', () =>
    play(function* () {
      const order: string[] = [];
      const loser = function* (): Op<string> {
        try {
          yield* sleep(1000);
          return 'loser';
        } finally {
          yield* shield(sleep(20));
          order.push(`loser cleaned at ${now()}`);
        }
      };
      const winner = function* (): Op<string> {
        yield* sleep(5);
        return 'winner';
      };
      expect(yield* race([loser(), winner()])).toBe('winner');
      expect(order).toEqual(['loser cleaned at 25']);
    }));

  it('race throws what fails first', () =>
    play(function* () {
      const error = new Error('first');
      expect(yield* thrownBy(race([sleep(1000), failing(error, 5)]))).toBe(error);
      expect(now()).toBe(5);
    }));

  it('race throws GreenletKilledError, and does not hang, if a racer is killed from within or from outside', () =>
    play(function* () {
      const suicide = function* (): Op<void> {
        current().kill('myself');
        yield* sleep(1);
      };
      expect(yield* thrownBy(race([suicide(), sleep(1000)]))).toMatchObject({
        code: 'ERR_GREENLET_KILLED',
        reason: 'myself',
      });
      expect(yield* thrownBy(all([suicide(), sleep(1000)]))).toMatchObject({ code: 'ERR_GREENLET_KILLED' });
      const racing = spawn(() => thrownBy(race([sleep(1000)])));
      yield* sleep(1);
      world().greenlets().at(-1)?.kill('outside');
      expect(yield* racing.get()).toMatchObject({ code: 'ERR_GREENLET_KILLED', reason: 'outside' });
      expect(now()).toBe(1);
    }));

  it('race drops what a loser received in the same moment, where select loses nothing', () =>
    play(function* () {
      const [a, b] = [new Channel<number>(1), new Channel<number>(1)];
      a.trySend(1);
      b.trySend(2);
      expect([yield* race([a.receive(), b.receive()]), a.length + b.length]).toEqual([1, 0]);
      a.trySend(1);
      b.trySend(2);
      yield* select([a.receive(), b.receive()]);
      expect(a.length + b.length).toBe(1);
    }));

  it('refuse what is no array of Ops, an empty race and a generator that was used, with a clear error', () =>
    play(function* () {
      for (const taker of [all, race]) {
        for (const given of [undefined, 5, sleep(1), [5], [undefined], [() => sleep(1)], [Promise.resolve()], ['x']])
          expect(thrownAtCall(() => taker(given as never))).toBeInstanceOf(TypeError);
      }
      expect(thrownAtCall(() => race([]))).toMatchObject({ code: 'ERR_USAGE' });
      const op = all([failing(1)]);
      yield* thrownBy(op);
      expect(yield* thrownBy(op)).toMatchObject({ code: 'ERR_OP_REUSED' });
      const reusable = race([sleep(1), sleep(2)]);
      yield* reusable;
      yield* reusable;
    }));

  it('kill their children when they are killed, timed out or thrown into', () =>
    play(function* () {
      const never = new AsyncResult<number>();
      for (const op of [() => all([never.get(), sleep(1e6)]), () => race([never.get(), sleep(1e6)])]) {
        const victims = [spawnQuietly(op as () => Op<unknown>), spawnQuietly(op as () => Op<unknown>)];
        expect(yield* timeout(5, op() as Op<unknown>, { else: 'expired' })).toBe('expired');
        victims[0]?.kill();
        victims[1]?.throw(new Error('x'));
        for (const victim of victims) yield* victim.join();
        yield* yieldNow();
        expect(world().greenlets()).toEqual([current()]);
      }
    }));
});
