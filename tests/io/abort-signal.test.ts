// abort-signal.test.ts: signal() aborts when what runs around it is cancelled, and not otherwise.
import { run, scope, shield, signal, sleep, spawn, timeout } from 'tendril';
import { describe, expect, it } from 'vitest';

const forever = (): ReturnType<typeof sleep> => sleep(Number.POSITIVE_INFINITY);

describe('signal()', () => {
  it('aborts at the kill of its greenlet, with an AbortError whose cause is the reason', async () => {
    const seen = await run(function* () {
      let mine: AbortSignal | undefined;
      const child = spawn(function* () {
        mine = signal();
        yield* forever();
      });
      yield* sleep(0);
      const before = mine?.aborted;
      child.kill('enough');
      const { name, cause } = (mine as AbortSignal).reason as Error;
      return { before, after: mine?.aborted, name, cause };
    });
    expect(seen).toEqual({ before: false, after: true, name: 'AbortError', cause: 'enough' });
  });

  it('has the very error that a kill has as its reason', async () => {
    const why = new Error('why');
    const reason = await run(function* () {
      let mine: AbortSignal | undefined;
      const child = spawn(function* () {
        mine = signal();
        yield* forever();
      });
      yield* sleep(0);
      child.kill(why);
      return mine?.reason as unknown;
    });
    expect(reason).toBe(why);
  });

  it('has an AbortError for a kill without a reason', async () => {
    const reason = await run(function* () {
      let mine: AbortSignal | undefined;
      const child = spawn(function* () {
        mine = signal();
        yield* forever();
      });
      yield* sleep(0);
      child.kill();
      return mine?.reason as unknown;
    });
    expect(reason).toMatchObject({ name: 'AbortError' });
  });

  it('is one and the same in one place, and another one inside a scope', async () => {
    const seen = await run(function* () {
      const outer = signal();
      const inner = yield* scope(function* () {
        yield* sleep(0);
        return signal();
      });
      return { same: outer === signal(), other: inner !== outer };
    });
    expect(seen).toEqual({ same: true, other: true });
  });

  it('aborts when a timeout around it expires, and the one outside does not', async () => {
    const seen = await run(function* () {
      const outer = signal();
      let inner: AbortSignal | undefined;
      yield* timeout(
        1,
        (function* () {
          inner = signal();
          yield* forever();
        })(),
        { else: undefined },
      );
      return { outer: outer.aborted, inner: inner?.aborted, reason: ((inner as AbortSignal).reason as Error).name };
    });
    expect(seen).toEqual({ outer: false, inner: true, reason: 'TimeoutError' });
  });

  it('aborts when a sibling fails', async () => {
    let inner: AbortSignal | undefined;
    const ended = run(() =>
      scope(function* (s) {
        s.spawn(function* () {
          yield* sleep(1);
          throw new Error('sibling');
        });
        inner = signal();
        yield* forever();
      }),
    );
    await expect(ended).rejects.toThrow('sibling');
    expect(inner?.aborted).toBe(true);
  });

  it('does not abort when all ends well, nor later', async () => {
    const seen = await run(function* () {
      let kept: AbortSignal | undefined;
      const child = spawn(function* () {
        kept = yield* timeout(
          1000,
          (function* () {
            yield* sleep(0);
            return signal();
          })(),
        );
        yield* forever();
      });
      yield* sleep(1);
      child.kill();
      yield* child.join();
      return kept?.aborted;
    });
    expect(seen).toBe(false);
  });

  it('waits for the end of a shield, and is fresh inside one', async () => {
    const seen = await run(function* () {
      const states: (boolean | undefined)[] = [];
      const child = spawn(function* () {
        const outer = signal();
        try {
          yield* shield(
            (function* () {
              const inner = signal();
              yield* sleep(5);
              states.push(outer.aborted, inner.aborted);
            })(),
          );
          states.push(outer.aborted);
          yield* forever();
        } finally {
          states.push(signal().aborted);
        }
      });
      yield* sleep(1);
      child.kill();
      yield* child.join();
      return states;
    });
    expect(seen).toEqual([false, false, true, true]);
  });

  it('keeps nothing for timeouts that have ended, a hundred thousand of them', async () => {
    const left = await run(function* () {
      const me = spawn(function* () {
        for (let index = 0; index < 100_000; index += 1) {
          yield* timeout(
            1000,
            (function* () {
              signal();
            })(),
          );
        }
        yield* forever();
      });
      while (me.state !== 'parked') yield* sleep(0);
      const watchers = me.side?.cancelWatchers?.size;
      me.kill();
      return watchers;
    });
    expect(left).toBe(0);
  });

  it('is refused in ordinary code', () => {
    expect(signal).toThrow(expect.objectContaining({ code: 'ERR_NOT_IN_GREENLET' }) as Error);
  });
});
