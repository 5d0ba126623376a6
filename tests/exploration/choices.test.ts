// choices.test.ts: the parts under explore: tokens, shrinking, PCT.
import fc from 'fast-check';
import { Channel, spawn } from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { explore } from '../../core/testing/explore.ts';
import { shrink } from '../../core/testing/shrink.ts';
import { decodeChoices, encodeChoices } from '../../core/testing/token.ts';

const lists = fc.array(fc.oneof(fc.constant(0), fc.nat(3), fc.nat(70_000)), { maxLength: 200 });

function trimmed(list: readonly number[]): number[] {
  return list.slice(0, list.findLastIndex((n) => n !== 0) + 1);
}

describe('tokens', () => {
  it('give back the list without its trailing zeros, whatever it is', () => {
    fc.assert(
      fc.property(lists, (list) => {
        expect(decodeChoices(encodeChoices(list))).toEqual(trimmed(list));
      }),
      { numRuns: 2000 },
    );
  });

  it('are words, and short where the list is mild', () => {
    const list = new Array<number>(10_000).fill(0);
    list[9999] = 1;
    expect(encodeChoices(list)).toMatch(/^t1\.[\w-]{4}$/);
    expect(encodeChoices([])).toBe('t1.');
  });

  it('are refused when they are damaged, not looped over', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'AB_-z9=+ '), maxLength: 30 }), (text) => {
        try {
          const list = decodeChoices(`t1.${text}`);
          expect(list.length).toBeLessThan(10_000_001);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('ERR_INVALID_ARG_TYPE');
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('shrink', () => {
  it('finds the two numbers that matter among a thousand', async () => {
    const failing = Array.from({ length: 1000 }, (_, i) => i % 5);
    const fails = (list: readonly number[]): boolean => (list[500] ?? 0) >= 0 && list.includes(4) && list.includes(3);
    const small = await shrink(failing, async (list) => (fails(list) ? list : undefined), 1000);
    expect(small.sort()).toEqual([3, 4]);
  });

  it('keeps to its attempts', async () => {
    let attempts = 0;
    const failing = Array.from({ length: 500 }, () => 1);
    await shrink(
      failing,
      async () => {
        attempts += 1;
        return undefined;
      },
      37,
    );
    expect(attempts).toBe(37);
  });

  it('stops in its first pass when it has no more attempts', async () => {
    let attempts = 0;
    const failing = Array.from({ length: 500 }, () => 1);
    await shrink(
      failing,
      async (list) => {
        attempts += 1;
        return list.length > 400 ? list : undefined;
      },
      3,
    );
    expect(attempts).toBe(3);
  });

  it('goes on with the choices that were really made, also when they are fewer', async () => {
    const attempt = async (list: readonly number[]) =>
      list.length === 3 && list[0] === 7 && list[1] === 7 && (list[2] as number) > 0 ? [7] : undefined;
    expect(await shrink([7, 7, 7], attempt, 100)).toEqual([7]);
  });

  it('never ends up with something that does not fail', async () => {
    await fc.assert(
      fc.asyncProperty(lists, fc.nat(20), async (list, sum) => {
        const fails = (candidate: readonly number[]): boolean => candidate.reduce((a, b) => a + b, 0) >= sum;
        fc.pre(fails(list));
        const small = await shrink(list, async (candidate) => (fails(candidate) ? candidate : undefined), 500);
        expect(fails(small)).toBe(true);
        expect(small.length).toBeLessThanOrEqual(list.length);
      }),
      { numRuns: 200 },
    );
  });
});

describe('explore without a network', () => {
  it('takes every greenlet that is left for a leak', async () => {
    const error = await explore(function* () {
      spawn(() => new Channel<number>().receive());
    }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_EXPLORATION', cause: { code: 'ERR_LEAKED_GREENLETS' } });
  });
});
