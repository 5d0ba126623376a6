// gather.test.ts: several Ops at once: any, allSettled; and s.start, supervise, forEach.
import {
  allSettled,
  any,
  Channel,
  current,
  Event,
  forEach,
  type Greenlet,
  iwait,
  joinAll,
  type Op,
  Pool,
  run,
  scope,
  sleep,
  spawn,
  supervise,
  timeout,
  UsageError,
  wait,
  yieldNow,
} from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

function* later(ms: number, value: string) {
  yield* sleep(ms);
  return value;
}
function* failAfter(ms: number, message: string): Op<never> {
  yield* sleep(ms);
  throw new Error(message);
}

/** The codes of the errors of an `any` that fails. */
function* failures(op: Op<unknown>): Op<unknown[]> {
  try {
    yield* op;
  } catch (error) {
    return (error as AggregateError).errors.map(({ code }) => code);
  }
  throw new Error('it did not fail');
}

describe('any', () => {
  it('returns the first success, although another failed before, and kills the rest', async () => {
    const log: string[] = [];
    const { value, elapsedMs } = await simulate(function* () {
      return yield* any([
        failAfter(1, 'early'),
        later(5, 'winner'),
        (function* () {
          try {
            yield* sleep(1000);
          } finally {
            log.push('loser cleaned up');
          }
        })(),
      ]);
    });
    expect([value, elapsedMs, log]).toEqual(['winner', 5, ['loser cleaned up']]);
  });

  it('throws all errors, in the order given, when all fail', async () => {
    const { value } = await simulate(function* () {
      try {
        yield* any([failAfter(2, 'a'), failAfter(1, 'b')]);
        return 'no error';
      } catch (error) {
        return (error as AggregateError).errors.map((one: Error) => one.message);
      }
    });
    expect(value).toEqual(['a', 'b']);
  });

  it('counts an Op that is killed from within or from outside as one that failed', async () => {
    const { value } = await simulate(function* () {
      let outside: Greenlet | undefined;
      const suicide = function* (): Op<never> {
        current().kill('enough');
        yield* sleep(1);
        throw new Error('not reached');
      };
      const victim = function* (): Op<never> {
        outside = current();
        yield* sleep(1000);
        throw new Error('not reached');
      };
      spawn(function* () {
        yield* sleep(5);
        outside?.kill('from outside');
      });
      const errors = yield* failures(any([suicide(), victim()]));
      const first = yield* any([suicide(), later(2, 'second')]);
      const settled = yield* allSettled([suicide(), sleep(1)]);
      return [errors, first, settled.map(({ status }) => status), (settled[0] as PromiseRejectedResult).reason?.code];
    });
    expect(value).toEqual([
      ['ERR_GREENLET_KILLED', 'ERR_GREENLET_KILLED'],
      'second',
      ['rejected', 'fulfilled'],
      'ERR_GREENLET_KILLED',
    ]);
  });

  it('drops the success of one that succeeds in the same moment, and of one that was killed and returned all the same', async () => {
    const { value } = await simulate(function* () {
      const kept = new Event();
      spawn(function* () {
        yield* sleep(1);
        kept.set();
      });
      const first = yield* any([kept.wait(), kept.wait()]);
      const stubborn = function* (): Op<string> {
        try {
          yield* sleep(1000);
        } catch {
          // it returns although it was killed
        }
        return 'late';
      };
      return [first, yield* any([stubborn(), later(2, 'second')])];
    });
    expect(value).toEqual([undefined, 'second']);
  });

  it('names the element that is no Op, with or without a name', () => {
    expect(() => any([(() => {}) as never])).toThrow(/element 0.*a function/);
    expect(() => any([failAfter as never])).toThrow(/element 0.*'failAfter'/);
  });

  it('refuses to wait for nothing', () => {
    expect(() => any([])).toThrow(/wait for ever/);
  });
});

describe('allSettled', () => {
  it('tells how each ended, and lets none stop the others', async () => {
    const { value } = await simulate(() => allSettled([later(2, 'ok'), failAfter(1, 'bad'), sleep(3)]));
    expect(value).toEqual([
      { status: 'fulfilled', value: 'ok' },
      { status: 'rejected', reason: new Error('bad') },
      { status: 'fulfilled', value: undefined },
    ]);
  });

  it('kills its children when it is killed', async () => {
    const log: string[] = [];
    await simulate(function* () {
      const greenlet = spawn(() =>
        allSettled([
          (function* () {
            try {
              yield* sleep(1000);
            } finally {
              log.push('cleaned up');
            }
          })(),
        ]),
      );
      yield* sleep(1);
      greenlet.kill();
      yield* greenlet.join();
    });
    expect(log).toEqual(['cleaned up']);
  });
});

describe('s.start', () => {
  it('waits until the child is ready, and the child goes on', async () => {
    const { value } = await simulate(function* () {
      const log: string[] = [];
      yield* scope(function* (s) {
        const port = yield* s.start(function* (ready: (port: number) => void) {
          yield* sleep(5);
          ready(8080);
          yield* sleep(5);
          log.push('child ends');
        });
        log.push(`ready on ${port}`);
      });
      return log;
    });
    expect(value).toEqual(['ready on 8080', 'child ends']);
  });

  it('throws the child’s error before it is ready, and the scope goes on', async () => {
    const { value } = await simulate(() =>
      scope(function* (s) {
        try {
          yield* s.start(() => failAfter(1, 'could not start'));
        } catch (error) {
          yield* sleep(1);
          return (error as Error).message;
        }
        return 'no error';
      }),
    );
    expect(value).toBe('could not start');
  });

  it('is a UsageError if the child ends without being ready, and kills the child with the starter', async () => {
    const { value } = await simulate(function* () {
      const early = spawn(() => scope((s) => s.start(() => later(1, 'x'))));
      const outcome: unknown[] = [];
      yield* early.join();
      outcome.push((early.outcome as { error: { code: string } }).error.code);
      const killed = spawn(() => scope((s) => s.start(() => later(1000, 'x'))));
      yield* sleep(1);
      killed.kill();
      yield* killed.join();
      outcome.push(killed.outcome?.killed);
      return outcome;
    });
    expect(value).toEqual(['ERR_USAGE', true]);
  });
});

describe('supervise', () => {
  it('restarts after an error, with growing delays, until the body returns', async () => {
    const delays: number[] = [];
    const { value } = await simulate(function* () {
      let attempts = 0;
      return yield* supervise(
        function* () {
          attempts += 1;
          yield* sleep(1);
          if (attempts < 4) throw new Error(`attempt ${attempts}`);
          return `done after ${attempts}`;
        },
        { backoff: { firstMs: 10, factor: 3, jitter: 0 }, onRestart: (_error, delayMs) => void delays.push(delayMs) },
      );
    });
    expect([value, delays]).toEqual(['done after 4', [10, 30, 90]]);
  });

  it('starts over with the delays once the body was healthy for long enough', async () => {
    const delays: number[] = [];
    await simulate(function* () {
      let attempts = 0;
      yield* supervise(
        function* () {
          attempts += 1;
          yield* sleep(attempts === 3 ? 5000 : 1);
          if (attempts < 5) throw new Error('again');
        },
        {
          backoff: { firstMs: 10, jitter: 0 },
          healthyMs: 1000,
          onRestart: (_error, delayMs) => void delays.push(delayMs),
        },
      );
    });
    expect(delays).toEqual([10, 20, 10, 20]);
  });

  it('gives up with the last error after maxRestarts', async () => {
    await expect(
      simulate(() => supervise(() => failAfter(1, 'broken'), { maxRestarts: 2, backoff: () => 1 })),
    ).rejects.toThrow('broken');
  });

  it('gives up with a UsageError if the last run returned, and with the very thing that was thrown', async () => {
    const outcome = function* (op: Op<unknown>): Op<unknown> {
      try {
        return yield* op;
      } catch (error) {
        return [error];
      }
    };
    const { value } = await simulate(function* () {
      const returning = supervise(() => yieldNow(), { restart: 'always', maxRestarts: 2 });
      const throwing = supervise(
        function* () {
          throw undefined;
        },
        { maxRestarts: 1 },
      );
      return [yield* outcome(returning), yield* outcome(throwing)];
    });
    expect(value).toEqual([[new UsageError('supervise gave up after 2 restarts')], [undefined]]);
  });

  it('always restarts with `always`, until it is killed', async () => {
    let runs = 0;
    const { value } = await simulate(() =>
      timeout(
        95,
        supervise(
          function* () {
            runs += 1;
            yield* sleep(1);
          },
          { restart: 'always', backoff: () => 9 },
        ),
        { else: 'stopped' },
      ),
    );
    expect([value, runs]).toEqual(['stopped', 10]);
  });

  it('checks its arguments at the call', () => {
    expect(() => supervise(5 as never)).toThrow(TypeError);
    expect(() => supervise(() => sleep(1), { restart: 'never' as never })).toThrow(/on-error/);
    expect(() => supervise(() => sleep(1), { backoff: { firstMs: 'soon' as never } })).toThrow(/firstMs/);
  });
});

describe('forEach', () => {
  it('runs over channels, waits, async iterables and iterables', async () => {
    const seen: unknown[] = [];
    const see = function* (value: unknown) {
      yield* sleep(0);
      seen.push(value);
    };
    await run(function* () {
      const channel = new Channel<string>(1);
      yield* channel.send('from a channel');
      channel.close();
      yield* forEach(channel, see);
      yield* forEach(iwait([sleep(1)]), (entry) => see(entry.key));
      yield* forEach(
        (async function* () {
          yield 'from an async generator';
        })(),
        see,
      );
      yield* forEach(new Set(['from a set']), see);
    });
    expect(seen).toEqual(['from a channel', 0, 'from an async generator', 'from a set']);
  });

  it('tells an async iterator when the body throws', async () => {
    let returned = false;
    const source = (async function* () {
      try {
        yield 1;
        yield 2;
      } finally {
        returned = true;
      }
    })();
    await expect(run(() => forEach(source, () => failAfter(0, 'stop')))).rejects.toThrow('stop');
    expect(returned).toBe(true);
  });

  it('takes nothing else', () => {
    expect(() => forEach(5 as never, () => sleep(1))).toThrow(TypeError);
    expect(() => forEach([], 5 as never)).toThrow(TypeError);
  });
});

describe('Ops made of several waits', () => {
  it('are descriptions: started a second time they run a second time', async () => {
    const { value } = await simulate(function* () {
      const greenlets = [spawn(later, 1, 'a'), spawn(later, 2, 'b')];
      const joined = joinAll(greenlets);
      const waited = wait([sleep(1)]);
      const supervised = supervise(() => later(1, 'again'));
      const pool = new Pool(1);
      const spawned = pool.spawn(later, 1, 'c');
      const results: unknown[] = [];
      for (let i = 0; i < 2; i += 1) {
        results.push((yield* joined).length, (yield* waited).length, yield* supervised, yield* (yield* spawned).get());
      }
      return results;
    });
    expect(value).toEqual([2, 1, 'again', 'c', 2, 1, 'again', 'c']);
  });
});
