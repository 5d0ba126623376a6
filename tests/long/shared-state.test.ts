// shared-state.test.ts: a hundred thousand increments under a mutex of shared memory, by two to four threads of several greenlets, in the quiet and with kills.
import { run } from 'tendril';
import { SharedMutex } from 'tendril/executors/shared';
import { describe, expect, it } from 'vitest';
import { fight } from '../executors/shared-workers.ts';

describe('A mutex between threads', () => {
  it.each([
    { threads: 2, greenlets: 8, rough: false },
    { threads: 4, greenlets: 4, rough: false },
    { threads: 2, greenlets: 8, rough: true },
    { threads: 4, greenlets: 4, rough: true },
    { threads: 4, greenlets: 1, rough: true },
  ])('loses none: %j', async ({ threads, greenlets, rough }) => {
    for (let seed = 1; seed <= 2; seed += 1) {
      await run(function* () {
        const lock = new SharedMutex({ name: 'ledger' });
        const startMs = performance.now();
        const { value, done, found } = yield* fight(lock, { threads, greenlets, increments: 100_000, seed, rough });
        const tookMs = Math.round(performance.now() - startMs);
        console.log(
          `${threads} threads of ${greenlets}, ${rough ? 'rough' : 'quiet'}, seed ${seed}: ${done} in ${tookMs} ms`,
        );
        expect({ value, found, locked: lock.locked }).toEqual({ value: done, found: 0, locked: false });
        if (!rough) expect(done).toBe(100_000);
      });
    }
  });
});
