// interleavings.ts: run a small program under every schedule with at most so many preemptions, and check the kernel after every step (world.ts).
import { explore } from 'tendril/testing';
import type { Op } from '../../core/op.ts';
import './world.ts';

/** Run `program()` under every schedule with at most `preemptions` preemptions; `verify` sees each result. Returns the number of schedules. */
export async function exploreAll<T>(
  program: () => Op<T>,
  verify: (value: T) => void,
  preemptions = 2,
): Promise<number> {
  const { runs, complete } = await explore(
    function* () {
      verify(yield* program());
    },
    { schedulers: [{ exhaustive: preemptions }], seeds: 10_000_000 },
  );
  if (!complete) throw new Error('the search did not come to its end');
  return runs;
}
