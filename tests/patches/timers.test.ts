// timers.test.ts: timers belong to the greenlet that makes them, and outside greenlets nothing is different.
import { AsyncLocalStorage } from 'node:async_hooks';
import timers from 'node:timers';
import timersPromises, { setTimeout as namedSleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isKilled, type Op, run, scope, sleep, spawn, until } from 'tendril';
import { adopt, patchTimers, release } from 'tendril/patches';
import { describe, expect, it } from 'vitest';
import { growthOf, leaksWith, owned, packageOf } from './owning.ts';

const file = 'timers.test.ts';
const unpatched = { setTimeout, setInterval, setImmediate };
const never = (): Op<void> => sleep(Number.POSITIVE_INFINITY);

/** Resolves when a timer of `ms` that is made now fires: one that was made before, and is as long, has fired by then. */
const pass = (ms: number): Promise<void> => new Promise((resolve) => unpatched.setTimeout(resolve, ms));

type Make = (fired: () => void) => object;
const makers: readonly (readonly [name: string, kind: string, make: Make])[] = [
  ['setTimeout', 'timer', (fired) => setTimeout(fired, 3)],
  ['setInterval', 'timer', (fired) => setInterval(fired, 3)],
  ['setImmediate', 'immediate', (fired) => setImmediate(fired)],
  ['timers.setTimeout', 'timer', (fired) => timers.setTimeout(fired, 3)],
];

describe.each(makers)('%s in a greenlet', (_, kind, make) => {
  it('does not fire when the greenlet was killed', async () => {
    let fired = 0;
    const leaks = await leaksWith(patchTimers, file, async () => {
      await run(function* () {
        let timer: object | undefined;
        const g = spawn(function* () {
          timer = make(() => (fired += 1));
          g.kill();
          yield* never();
        });
        yield* g.join();
        expect(timer).toBeDefined();
      });
      await pass(3);
    });
    expect({ fired, leaks }).toEqual({ fired: 0, leaks: [] });
  });

  it('does not fire when the greenlet has failed', async () => {
    let fired = 0;
    const leaks = await leaksWith(patchTimers, file, async () => {
      await run(function* () {
        const g = spawn(function* () {
          make(() => (fired += 1));
          throw new Error('failed');
        });
        yield* g.join();
      });
      await pass(3);
    });
    expect({ fired, leaks }).toEqual({ fired: 0, leaks: [] });
  });

  it('is cleared and told of as a leak when the greenlet ends well', async () => {
    let fired = 0;
    const leaks = await leaksWith(patchTimers, file, async () => {
      await run(function* () {
        make(() => (fired += 1));
      });
      await pass(3);
    });
    expect({ fired, leaks }).toEqual({ fired: 0, leaks: [{ kind, owner: 'greenlet-n', here: true }] });
  });

  it('goes on when it was released', async () => {
    let timer: object | undefined;
    const leaks = await leaksWith(patchTimers, file, async () => {
      await new Promise<void>((resolve) => {
        void run(function* () {
          timer = release(make(resolve));
        });
      });
    });
    clearInterval(timer as NodeJS.Timeout);
    expect(leaks).toEqual([]);
  });

  it('belongs to the greenlet that adopts it', async () => {
    let fired = 0;
    const leaks = await leaksWith(patchTimers, file, async () => {
      await run(function* () {
        let timer: object | undefined;
        const adopter = spawn(function* () {
          yield* sleep(0);
          adopt(timer as object);
          yield* never();
        });
        const opener = spawn(function* () {
          timer = make(() => (fired += 1));
          release(timer);
        });
        yield* opener.join();
        while (adopter.state !== 'parked') yield* sleep(0);
        adopter.kill();
        yield* adopter.join();
        fired = 0;
      });
      await pass(3);
    });
    expect({ fired, leaks }).toEqual({ fired: 0, leaks: [] });
  });

  it('belongs to the innermost scope', async () => {
    const seen: number[] = [];
    const leaks = await leaksWith(patchTimers, file, async () => {
      await run(function* () {
        yield* scope(function* () {
          make(() => seen.push(1));
          seen.push(owned());
        });
        seen.push(owned());
      });
      await pass(3);
    });
    expect({ seen, leaks }).toEqual({ seen: [1, 0], leaks: [{ kind, owner: 'a scope of greenlet-n', here: true }] });
  });

  it('is nobody’s when a package makes it', async () => {
    const source = packageOf(`exports.make = (make, fired) => { const timer = setTimeout(fired, 3); return timer; };`);
    let timer: NodeJS.Timeout | undefined;
    const leaks = await leaksWith(patchTimers, file, async () => {
      await new Promise<void>((resolve) => {
        void run(function* () {
          timer = source.exports.make?.(make as never, resolve as never) as NodeJS.Timeout;
          expect(owned()).toBe(0);
        });
      });
    });
    source.remove();
    expect({ leaks, type: timer?.constructor.name }).toEqual({ leaks: [], type: 'Timeout' });
  });
});

describe('A timer of a greenlet', () => {
  it('that has fired, or was cleared, is no longer owned', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchTimers, file, () =>
      run(function* () {
        const pending = [setTimeout(() => {}, 1_000_000), setInterval(() => {}, 1_000_000), setImmediate(() => {})];
        seen.push(owned());
        for (const timer of pending) clearTimeout(timer as NodeJS.Timeout);
        clearImmediate(pending[2] as NodeJS.Immediate);
        seen.push(owned());
        yield* until(new Promise<void>((resolve) => setTimeout(resolve, 1)));
        seen.push(owned());
      }),
    );
    expect({ seen, leaks }).toEqual({ seen: [3, 0, 0], leaks: [] });
  });

  it('is Node’s own object, and keeps callback, arguments and async context', async () => {
    const storage = new AsyncLocalStorage<string>();
    const leaks = await leaksWith(patchTimers, file, () =>
      run(function* () {
        storage.enterWith('here');
        const seen = yield* until(
          new Promise<unknown[]>((resolve) => {
            const timer = setTimeout(
              (...args) => resolve([...args, storage.getStore(), timer.constructor.name]),
              1,
              1,
              2,
            );
          }),
        );
        expect(seen).toEqual([1, 2, 'here', 'Timeout']);
      }),
    );
    expect(leaks).toEqual([]);
  });

  it('leaves nothing behind, tens of thousands one after another', async () => {
    const seen: unknown[] = [];
    await leaksWith(patchTimers, file, () =>
      run(function* () {
        const growth = growthOf(25_000, () => clearTimeout(setTimeout(() => {}, 1000)));
        seen.push(growth < 200_000 ? 'no growth' : growth, owned());
      }),
    );
    expect(seen).toEqual(['no growth', 0]);
  });

  it('stays owned when the patch is undone', async () => {
    let fired = 0;
    await run(function* () {
      const g = spawn(function* () {
        const patch = patchTimers();
        setTimeout(() => (fired += 1), 3);
        patch.undo();
        g.kill();
        yield* never();
      });
      yield* g.join();
    });
    await pass(3);
    expect(fired).toBe(0);
  });

  it('works through promisify, whose promise follows a kill', async () => {
    await leaksWith(patchTimers, file, () =>
      run(function* () {
        expect(yield* until(promisify(setTimeout)(1, 'value'))).toBe('value');
      }),
    );
  });
});

describe('A sleep of node:timers/promises in a greenlet', () => {
  it('F117 rejects with an AbortError when the greenlet is killed, which is no unhandled rejection', async () => {
    const seen: unknown[] = [];
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const leaks = await leaksWith(patchTimers, file, async () => {
      let forgotten: Promise<void> | undefined;
      await run(function* () {
        const g = spawn(function* () {
          const waited = namedSleep(1_000_000);
          waited.catch((error: Error) => seen.push([error.name, error.cause]));
          forgotten = timersPromises.setTimeout(1_000_000);
          g.kill('enough');
          try {
            yield* until(waited);
          } catch (error) {
            seen.push(isKilled(error));
            seen.push((error as Error).stack?.includes(file));
            throw error;
          }
        });
        yield* g.join();
      });
      await expect(forgotten).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
      await pass(1);
    });
    process.off('unhandledRejection', note);
    expect({ seen, unhandled, leaks }).toEqual({
      seen: [true, true, ['AbortError', expect.anything()]],
      unhandled: [],
      leaks: [],
    });
  });

  it.each([
    ['setImmediate', () => timersPromises.setImmediate('v')],
    ['scheduler.wait', () => timersPromises.scheduler.wait(1)],
    ['setTimeout', () => timersPromises.setTimeout(1, 'v')],
  ])('%s ends as ever when nobody kills', async (_, make) => {
    const values: unknown[] = [];
    await leaksWith(patchTimers, file, () =>
      run(function* () {
        values.push(yield* until(make() as Promise<unknown>));
      }),
    );
    expect(values).toEqual([await make()]);
  });

  it('still heeds a signal of its caller’s own', async () => {
    const controller = new AbortController();
    await leaksWith(patchTimers, file, () =>
      run(function* () {
        const waited = timersPromises.setTimeout(1_000_000, undefined, { signal: controller.signal });
        controller.abort();
        yield* until(expect(waited).rejects.toMatchObject({ name: 'AbortError' }));
      }),
    );
  });

  it('setInterval yields until the greenlet is killed', async () => {
    let ticks = 0;
    let ended: unknown;
    await leaksWith(patchTimers, file, async () => {
      let done: Promise<unknown> | undefined;
      await run(function* () {
        const g = spawn(function* () {
          done = (async () => {
            const interval = timersPromises.setInterval(1);
            for await (const _ of interval) {
              ticks += 1;
              if (ticks === 2) g.kill();
            }
          })().catch((error: Error) => error.name);
          yield* never();
        });
        yield* g.join();
      });
      ended = await done;
    });
    expect({ enough: ticks >= 2, ended }).toEqual({ enough: true, ended: 'AbortError' });
  });
});

describe('Outside greenlets', () => {
  it('callbacks are given as many arguments as without the patch', async () => {
    const counts = (): Promise<number[]> => {
      const count = (make: (callback: (...args: unknown[]) => void) => unknown): Promise<number> =>
        new Promise((resolve) => make((...args) => resolve(args.length)));
      return Promise.all([
        count((callback) => setTimeout(callback)),
        count((callback) => setTimeout(callback, 1, undefined)),
        count((callback) => setImmediate(callback)),
        count((callback) => setImmediate(callback, undefined)),
      ]);
    };
    const before = await counts();
    const patch = patchTimers();
    const during = await counts();
    patch.undo();
    expect({ before, during }).toEqual({ before: [0, 1, 0, 1], during: [0, 1, 0, 1] });
  });

  it('timers fire, have one identity, and are nobody’s', async () => {
    const patch = patchTimers();
    const identity = [setTimeout === timers.setTimeout, setImmediate === timers.setImmediate, patchTimers() === patch];
    const values = await Promise.all([
      new Promise((resolve) => setTimeout(resolve, 1, 'timeout')),
      new Promise((resolve) => setImmediate(resolve, 'immediate')),
      timersPromises.setTimeout(1, 'promise'),
      promisify(setImmediate)('promisified'),
    ]);
    patch.undo();
    expect({ identity, values }).toEqual({
      identity: [true, true, true],
      values: ['timeout', 'immediate', 'promise', 'promisified'],
    });
    expect({ setTimeout, setInterval, setImmediate }).toEqual(unpatched);
  });
});
