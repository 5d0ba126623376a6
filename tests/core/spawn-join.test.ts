// spawn-join.test.ts: what a spawn hands over, who is whose parent, and who waits for an end.
import { current, type Op, spawn, yieldNow } from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { countJoiners } from '../../core/join.ts';
import { thrownBy } from '../thrown-by.ts';
import { play } from './world.ts';

describe('spawn', () => {
  it('hands over as many arguments as it is given', () =>
    play(function* () {
      function* body(...given: number[]): Op<number[]> {
        return given;
      }
      for (let count = 0; count <= 6; count += 1) {
        const args = Array.from({ length: count }, (_, index) => index);
        expect(yield* spawn(body, ...args).get()).toEqual(args);
      }
    }));

  it('makes the spawner the parent, also of one that spawns in turn; the first of all has none', () =>
    play(function* () {
      const first = current();
      const before = first.parent;
      const child = spawn(function* () {
        const me = current();
        const mine = spawn(() => yieldNow());
        const seen = [me.parent === first, mine.parent === me];
        yield* mine.join();
        return [...seen, me.parent === first];
      });
      expect(yield* child.get()).toEqual([true, true, true]);
      expect([before, first.parent, child.parent]).toEqual([undefined, undefined, undefined]);
    }));

  it('fails with what an iterator throws that is looked at a second time', () =>
    play(function* () {
      const error = new Error('looked at twice');
      let looks = 0;
      const result = {
        get done(): boolean {
          looks += 1;
          if (looks > 1) throw error;
          return false;
        },
      };
      const op = { [Symbol.iterator]: () => ({ next: () => result }) } as unknown as Op<never>;
      expect(yield* thrownBy(spawn(() => op).get())).toBe(error);
    }));
});

describe('Those who wait for the end of a greenlet', () => {
  it('are woken in the order in which they came, without those that were killed', () =>
    play(function* () {
      const order: number[] = [];
      const target = spawn(function* () {
        for (let turns = 0; turns < 5; turns += 1) yield* yieldNow();
        return 'value';
      });
      const waiting = [0, 1, 2, 3].map((index) =>
        spawn(function* () {
          expect(yield* target.get()).toBe('value');
          order.push(index);
        }),
      );
      const counts = [countJoiners(target)];
      yield* yieldNow();
      counts.push(countJoiners(target));
      waiting[0]?.kill();
      waiting[2]?.kill();
      counts.push(countJoiners(target));
      for (const each of waiting) yield* each.join();
      counts.push(countJoiners(target));
      const other = spawn(() => yieldNow());
      const only = spawn(() => other.join());
      yield* yieldNow();
      counts.push(countJoiners(other));
      yield* only.join();
      expect({ order, counts }).toEqual({ order: [1, 3], counts: [0, 4, 2, 0, 1] });
    }));
});
