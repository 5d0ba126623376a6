// abandoned-waits.test.ts: what works for a wait can tell a wait that is given up for good from one that lost in a select.
import { race, scope, select, sleep, spawn, timeout, type WaitDescription, yieldNow } from 'tendril/core';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { isAbandoned } from '../../core/giving-up.ts';
import { Wait } from '../../core/wait.ts';
import type { Waiter } from '../../core/wait-list.ts';

/** A wait that never ends, and notes how each of its waits was given up. */
class Endless extends Wait<never> {
  readonly abandoned: boolean[] = [];
  look(): boolean {
    return false;
  }
  enlist(): void {}
  retract(waiter: Waiter): void {
    this.abandoned.push(isAbandoned(waiter));
  }
  describe(): WaitDescription {
    return { op: 'endless' };
  }
}

describe('S6: a wait that is given up', () => {
  it('is given up for good by a kill, a timeout around it, and a scope that is cancelled', () =>
    simulate(function* () {
      const wait = new Endless();
      const waits = spawn(() => wait);
      yield* yieldNow();
      waits.kill();
      yield* timeout(5, wait, { else: undefined });
      yield* timeout(
        5,
        (function* () {
          yield* wait;
        })(),
        { else: undefined },
      );
      yield* timeout(5, select({ wait, other: new Endless() }), { else: undefined });
      yield* race([wait, sleep(1)]);
      const failed = scope(function* (s) {
        s.spawn(() => wait);
        yield* sleep(1);
        throw new Error('of the body');
      });
      try {
        yield* failed;
      } catch {
        // Its children were killed.
      }
      expect(wait.abandoned).toEqual([true, true, true, true, true, true]);
    }));

  it('is not if another arm of its select was taken', () =>
    simulate(function* () {
      const wait = new Endless();
      yield* select({ wait, other: sleep(1) });
      yield* select({ inner: select({ wait, other: sleep(1) }), late: timeout(9, new Endless(), { else: undefined }) });
      expect(wait.abandoned).toEqual([false, false]);
    }));
});
