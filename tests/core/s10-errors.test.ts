// s10-errors.test.ts: rule S10: no error is dropped, none is reported that somebody looks at in time, and time is counted in the queue.
import { current, type Greenlet, isKilled, type Op, scope, sleep, spawn, spawnWith, yieldNow } from 'tendril/core';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { collectErrors, play, world } from './world.ts';

function* fail(error: unknown): Op<never> {
  throw error;
}

describe('S10 No error is dropped', () => {
  it('reports the very error of a detached greenlet that nobody looked at', () =>
    play(function* () {
      const errors = collectErrors();
      for (const error of [new Error('x'), undefined, null, 'text', Symbol('s'), new Proxy({}, { get: () => fail })]) {
        spawn(fail, error);
        yield* sleep(1);
        expect(errors.length).toBe(1);
        expect(Object.is(errors.pop(), error)).toBe(true);
      }
    }));

  it('gives the listener the greenlet, which is done', () =>
    play(function* () {
      const seen: unknown[] = [];
      world().events.on('error', (error, greenlet) => seen.push(error, greenlet?.name, greenlet?.state));
      spawnWith({ name: 'worker' }, fail, 1);
      yield* sleep(1);
      expect(seen).toEqual([1, 'worker', 'done']);
    }));

  it('rejects simulate with it when nobody listens, unless the body failed itself', async () => {
    const error = new Error('unseen');
    await expect(
      play(function* () {
        spawn(fail, error);
        yield* sleep(1);
      }),
    ).rejects.toBe(error);
    await expect(
      play(function* () {
        spawn(fail, undefined);
        yield* sleep(1);
      }),
    ).rejects.toBeUndefined();
    await expect(
      play(function* () {
        spawn(fail, error);
        yield* sleep(1);
        throw new Error('body');
      }),
    ).rejects.toThrow('body');
  });

  it('rejects simulate with whatever the body throws', async () => {
    for (const error of [undefined, null, 0, '', Symbol('s'), new Error('x')]) {
      const settled = await simulate(() => fail(error)).then(
        () => ({ error: 'resolved' }),
        (rejected: unknown) => ({ error: rejected }),
      );
      expect(Object.is(settled.error, error)).toBe(true);
    }
  });

  it('reports one that fails although the world ends at once', async () => {
    const error = new Error('unseen');
    await expect(
      play(function* () {
        spawn(fail, error);
      }),
    ).rejects.toBe(error);
  });

  it.each<[string, (greenlet: Greenlet<never>) => void]>([
    ['a link', (greenlet) => greenlet.link(() => {})],
    ['the promise', (greenlet) => void greenlet.promise().catch(() => {})],
    ['a joiner', (greenlet) => void spawn(() => greenlet.join())],
    ['a getter', (greenlet) => void spawn(() => thrownBy(greenlet.get()))],
  ])('stays silent for %s, asked for before it fails', (_name, look) =>
    play(function* () {
      const errors = collectErrors();
      const greenlet = spawn(fail, new Error('seen'));
      look(greenlet);
      yield* sleep(1);
      expect(errors).toEqual([]);
    }),
  );

  it.each<[string, (greenlet: Greenlet<never>) => Op<unknown>]>([
    ['join', (greenlet) => greenlet.join()],
    ['get', (greenlet) => thrownBy(greenlet.get())],
  ])('stays silent for a %s by somebody who was runnable at the failure', (_name, look) =>
    play(function* () {
      const errors = collectErrors();
      let greenlet: Greenlet<never> | undefined;
      greenlet = spawn(fail, new Error('seen late'));
      const looker = spawn(function* () {
        yield* look(greenlet as Greenlet<never>);
      });
      yield* looker.join();
      yield* sleep(1);
      expect(errors).toEqual([]);
    }),
  );

  it('counts in the queue: who was runnable at the failure gets one more run, and no second one', () =>
    play(function* () {
      const errors = collectErrors();
      const first = new Error('looked at in the first run');
      const second = new Error('looked at in the second run');
      const a = spawn(fail, first);
      const b = spawn(fail, second);
      yield* yieldNow(); // both have failed; we are runnable once more
      yield* a.join();
      yield* sleep(1);
      yield* b.join();
      yield* sleep(1);
      expect(errors).toEqual([second]);
    }));

  it('does not count by the clock: a slow run in between changes nothing', () =>
    play(function* () {
      const errors = collectErrors();
      const greenlet = spawn(fail, new Error('seen'));
      for (let i = 0; i < 100; i += 1) spawn(() => yieldNow());
      yield* yieldNow();
      yield* greenlet.join();
      yield* sleep(1000);
      expect(errors).toEqual([]);
    }));

  it('does not mark a failure as seen by reading `outcome`', () =>
    play(function* () {
      const errors = collectErrors();
      const greenlet = spawn(fail, 1);
      yield* yieldNow();
      expect(greenlet.outcome).toEqual({ ok: false, error: 1, killed: false });
      yield* sleep(1);
      expect(errors).toEqual([1]);
    }));

  it('marks a failure as seen by a join that was killed while it waited', () =>
    play(function* () {
      const errors = collectErrors();
      const greenlet = spawn(function* () {
        yield* sleep(10);
        throw new Error('seen');
      });
      const joiner = spawn(() => greenlet.join());
      yield* sleep(1);
      joiner.kill();
      yield* sleep(20);
      expect(errors).toEqual([]);
    }));

  it('does not take a kill for an error, nor a child’s failure for an unseen one', () =>
    play(function* () {
      const errors = collectErrors();
      spawn(() => sleep(1000)).kill();
      const parked = spawn(() => sleep(1000));
      yield* yieldNow();
      parked.kill();
      const error = yield* thrownBy(
        scope(function* (s) {
          s.spawn(fail, 'child');
        }),
      );
      yield* sleep(1);
      expect([errors, error]).toEqual([[], 'child']);
    }));

  it('reports an unstarted greenlet that ends by throw()', () =>
    play(function* () {
      const errors = collectErrors();
      spawn(() => sleep(1)).throw('thrown in');
      yield* sleep(1);
      expect(errors).toEqual(['thrown in']);
    }));

  it('rethrows the very error object, untouched, to everybody', () =>
    play(function* () {
      const error = Object.freeze(new Error('frozen'));
      const greenlet = spawn(fail, error);
      const caught = [yield* thrownBy(greenlet.get()), yield* thrownBy(greenlet.get())];
      expect([caught[0] === error, caught[1] === error, Object.keys(error)]).toEqual([true, true, []]);
    }));

  it('goes on after a listener that throws, and tells the driver', async () => {
    const seen: unknown[] = [];
    await expect(
      play(function* () {
        world().events.on('error', () => {
          throw new Error('listener');
        });
        world().events.on('error', (error) => seen.push(error));
        spawn(fail, 1);
        yield* sleep(1);
        seen.push(current().state);
      }),
    ).rejects.toThrow('listener');
    expect(seen).toEqual([1, 'running']);
  });

  it('captures no spawn site outside development mode', () =>
    play(function* () {
      const child = spawn(() => sleep(1));
      expect(child.side?.spawnSite).toBeUndefined();
      yield* child.join();
      expect(isKilled(child.outcome)).toBe(false);
    }));
});
