// local.test.ts: a value of its own in each greenlet.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Coroutine, call, Local, type Op, sleep, spawn, yieldNow } from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { play, spawnQuietly, thrownAtCall } from './world.ts';

describe('Local', () => {
  it('has a value of its own in each greenlet, made by init when it is first asked for', () =>
    play(function* () {
      let made = 0;
      const local = new Local(() => ++made);
      const log: unknown[] = [];
      const greenlets = ['a', 'b'].map((name) =>
        spawn(function* () {
          yield* sleep(name === 'a' ? 2 : 1);
          log.push([name, local.has(), local.get(), local.get(), local.has()]);
          local.set(local.get() * 10);
          yield* sleep(5);
          log.push([name, local.get()]);
        }),
      );
      for (const greenlet of greenlets) yield* greenlet.get();
      expect(log).toEqual([
        ['b', false, 1, 1, true],
        ['a', false, 2, 2, true],
        ['b', 10],
        ['a', 20],
      ]);
      expect([local.get(), made]).toEqual([3, 3]);
    }));

  it('is not inherited by children', () =>
    play(function* () {
      const local = new Local(() => 'first');
      local.set('parent');
      const child = spawn(function* () {
        return local.get();
      });
      expect([yield* child.get(), local.get()]).toEqual(['first', 'parent']);
    }));

  it('is the same through switches, call() and shield-free cleanup after a kill', () =>
    play(function* () {
      const local = new Local(() => [] as string[]);
      const log: string[][] = [];
      const victim = spawnQuietly(function* () {
        local.get().push('body');
        try {
          yield* call(
            (function* (): Op<void> {
              local.get().push('call');
              yield* sleep(1000);
            })(),
          );
        } finally {
          local.get().push('finally');
          log.push(local.get());
        }
      });
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(log).toEqual([['body', 'call', 'finally']]);
    }));

  it('is shared by the coroutines of one greenlet', () =>
    play(function* () {
      const local = new Local(() => 0);
      local.set(7);
      const coroutine = new Coroutine(function* (): Op<number> {
        return local.get();
      });
      expect(yield* coroutine.switch()).toBe(7);
    }));

  it('keeps undefined as a value, and forgets one with delete', () =>
    play(function* () {
      let made = 0;
      const local = new Local<number | undefined>(() => {
        made += 1;
        return undefined;
      });
      expect([local.get(), local.get(), made, local.has()]).toEqual([undefined, undefined, 1, true]);
      expect([local.delete(), local.delete(), local.has(), local.get(), made]).toEqual([
        true,
        false,
        false,
        undefined,
        2,
      ]);
    }));

  it('has no value if init throws, and asks it again', () =>
    play(function* () {
      const error = new Error('in init');
      let fails = true;
      const local = new Local(() => {
        if (fails) throw error;
        return 1;
      });
      expect(thrownAtCall(() => local.get())).toBe(error);
      expect(local.has()).toBe(false);
      fails = false;
      expect(local.get()).toBe(1);
    }));

  it('outside a greenlet is a NotInGreenletError that names it', () => {
    const local = new Local(() => 1, { name: 'request' });
    for (const act of [() => local.get(), () => local.set(1), () => local.has(), () => local.delete()])
      expect(thrownAtCall(act)).toMatchObject({
        code: 'ERR_NOT_IN_GREENLET',
        message: expect.stringMatching(/of Local request was started outside a greenlet/),
      });
    expect(() => new Local(1 as unknown as () => number)).toThrow(TypeError);
  });

  it('frees a value when its greenlet ends, also if the greenlet itself is kept, and when the Local goes', () =>
    play(function* () {
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc') as () => void;
      const local = new Local<object>(() => ({}));
      const refs: WeakRef<object>[] = [];
      const kept = Array.from({ length: 10 }, () =>
        spawn(function* () {
          refs.push(new WeakRef(local.get()));
          yield* yieldNow();
        }),
      );
      yield* yieldNow();
      yield* valueOfShortLocal(refs);
      for (const greenlet of kept) yield* greenlet.get();
      // A WeakRef keeps its target to the end of the job: let this one end.
      yield* pause();
      gc();
      expect(refs.filter((ref) => ref.deref() !== undefined).length).toBe(0);
      expect(kept.length).toBe(10);
    }));
});

function* valueOfShortLocal(refs: WeakRef<object>[]): Op<void> {
  refs.push(new WeakRef(new Local<object>(() => ({})).get()));
  yield* yieldNow();
}

function* pause(): Op<void> {
  const { until } = yield* loadUntil();
  yield* until(new Promise((resolve) => setImmediate(resolve)));
}

function* loadUntil(): Op<typeof import('tendril')> {
  return loaded;
}
const loaded = await import('tendril');
