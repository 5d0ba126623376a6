// properties.test.ts: every property of the kernel under 10,000 schedules, in two processes at once, in at most 90 seconds.
//
// What is held is the time of the processor that the slower of both needs: with two cores to themselves they take no longer than that, and what else
// a machine does at that moment is no fault of theirs.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Explored } from '../properties/explore-program.ts';
import { exploreIn, twoAtATime } from '../properties/exploring.ts';
import { Copy } from '../properties/mutated-copy.ts';
import { NETWORK_PROPERTIES } from '../properties/network-properties.ts';
import { PROPERTIES } from '../properties/properties.ts';
import { seedsOf } from '../seeds.ts';

const SEEDS = seedsOf(10_000);
const MOST_MS = 90_000;
/** Those over the simulated network cost ten times as much a run. */
const NETWORK_SEEDS = seedsOf(2_000);

const seconds = (ms: number): string => (ms / 1000).toFixed(1);

const found = new Map<string, Explored>();
let cpuMs = 0;
let copy: Copy;

beforeAll(async () => {
  copy = new Copy();
  const names = PROPERTIES.map(({ name }) => name);
  const startedMs = performance.now();
  // Dealt out in turns, so that both have as much to do.
  const halves = [0, 1].map((half) => names.filter((_, index) => index % 2 === half));
  for (const explored of await twoAtATime(halves, (half) => exploreIn(copy, 'kernel', SEEDS, 'all', half))) {
    for (const each of explored) found.set(each.name, each);
    cpuMs = Math.max(
      cpuMs,
      explored.reduce((sum, each) => sum + each.cpuMs, 0),
    );
  }
  const tookMs = performance.now() - startedMs;
  const network = NETWORK_PROPERTIES.map(({ name }) => [name]);
  for (const explored of await twoAtATime(network, (some) => exploreIn(copy, 'network', NETWORK_SEEDS, 'all', some)))
    for (const each of explored) found.set(each.name, each);
  const runs = [...found.values()].reduce((sum, each) => sum + each.runs, 0);
  console.log(
    `${names.length} properties of the kernel x ${SEEDS}: ${seconds(cpuMs)} s of the processor in the slower process, ${seconds(tookMs)} s on the clock; ${runs} runs in all`,
  );
}, 600_000);

afterAll(() => copy.remove());

describe('Each property', () => {
  it.each(PROPERTIES)(`holds under ${SEEDS} schedules: $name`, ({ name }) => {
    expect(found.get(name)?.report).toBeUndefined();
    expect(found.get(name)?.runs).toBe(SEEDS);
  });

  it.each(NETWORK_PROPERTIES)(`holds under ${NETWORK_SEEDS} schedules and faults: $name`, ({ name }) => {
    expect(found.get(name)?.report).toBeUndefined();
    expect(found.get(name)?.runs).toBe(NETWORK_SEEDS);
  });

  it(`of the kernel has been explored in ${MOST_MS / 1000} seconds`, () => {
    expect(cpuMs).toBeLessThan(MOST_MS);
  });
});
