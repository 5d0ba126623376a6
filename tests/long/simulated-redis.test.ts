// simulated-redis.test.ts: the Redis sample against a simulated Redis under kills, resets, partitions and crashes: 10,000 seeds.
//
// tests/simulated-redis/torment.ts says what happens in a run and what has to hold; closing.ts is about close() at any moment.
import { describe, expect, it } from 'vitest';
import { seedsOf } from '../seeds.ts';
import { explorations } from '../simulated-redis/explorations.ts';
import { PROFILES } from '../simulated-redis/profiles.ts';

const PROCESSES = 2;
/** For each profile in each process. */
const seeds = seedsOf(10_000 / PROFILES.length / PROCESSES);

describe('Greenlets that share a Redis client', () => {
  it('get no wrong reply, and none is stuck, whatever happens to the network and the server', {
    timeout: 280_000,
  }, async () => {
    const explored = await explorations({
      seeds,
      closingSeeds: seedsOf(500),
      processes: PROCESSES,
      timeoutMs: 270_000,
    });
    for (const { name, runs, distinct, choices, ms } of explored)
      console.log(`${name}: ${runs} runs, ${distinct} distinct, ${choices} choices, ${ms} ms`);
    expect(explored.flatMap(({ name, report }) => (report === undefined ? [] : [`${name}: ${report}`]))).toEqual([]);
    const days = explored.slice(0, PROFILES.length);
    expect(days.map(({ runs }) => runs).reduce((a, b) => a + b)).toBe(seeds * PROFILES.length * PROCESSES);
    for (const { name, distinct, runs } of explored) expect(distinct, name).toBeGreaterThan(0.9 * runs);
  });
});
