// properties.test.ts: every property under some schedules, and whether the mutants are still what they were (tests/long explores both at length).
import { type Op, sleep, spawn } from 'tendril';
import type { World } from 'tendril/testing';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { edited } from './mutated-copy.ts';
import { NETWORK_PROPERTIES } from './network-properties.ts';
import { PROPERTIES } from './properties.ts';
import { must, spawnQuietly, strict } from './property.ts';
import { firstBreach } from './runs.ts';

const named = { kernel: PROPERTIES.map(({ name }) => name), network: NETWORK_PROPERTIES.map(({ name }) => name) };

describe('Each property holds under the first schedules', () => {
  it.each(PROPERTIES)('$name', async (property) => {
    expect((await firstBreach(property, 50, 300))?.report).toBeUndefined();
  });

  it.each(NETWORK_PROPERTIES)('$name', async (property) => {
    expect((await firstBreach(property, 20, 300))?.report).toBeUndefined();
  });

  it('and there are at least forty of the kernel, each with a name of its own', () => {
    const names = [...named.kernel, ...named.network];
    expect(new Set(names).size).toBe(names.length);
    expect(named.kernel.length).toBeGreaterThanOrEqual(40);
  });
});

describe('A property that is broken', () => {
  it('is found, also if whoever noticed was not heard', async () => {
    let order: string[] = [];
    const body = function* (): Op<void> {
      order = [];
      const note = function* (name: string): Op<void> {
        yield* sleep(0);
        order.push(name);
      };
      const both = [spawn(note, 'a'), spawn(note, 'b')];
      for (const each of both) yield* each.join();
      const judge = spawnQuietly(function* () {
        must(order.join('') === 'ab', 'a comes before b');
      });
      yield* judge.join();
    };
    const breach = await firstBreach({ name: 'order', rules: 'S12', body: strict<World>(body) }, 1000, 300);
    expect(breach?.report).toContain('broken promise: a comes before b');
    expect(breach?.runs).toBeGreaterThan(1);
  });
});

describe('Each mutant', () => {
  it.each(MUTANTS)('is one change of one file: $name', (mutant) => {
    const { diagnostics } = ts.transpileModule(edited(mutant), { reportDiagnostics: true });
    expect(diagnostics?.map(({ messageText }) => messageText)).toEqual([]);
  });

  it('has properties that should find it', () => {
    const unknown = MUTANTS.flatMap(({ table, properties }) =>
      properties.filter((name) => !named[table].includes(name)),
    );
    expect(unknown).toEqual([]);
    expect(MUTANTS.filter(({ properties }) => properties.length === 0)).toEqual([]);
    expect(MUTANTS.length).toBe(25);
  });
});
