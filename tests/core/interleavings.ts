// interleavings.ts: run a small program under every schedule, with at most so many preemptions.
//
// A depth-first search over the choices of a virtual driver: which runnable greenlet runs next (free), and whether a greenlet that starts an Op gives
// way first (a preemption, of which there is a budget). Each run replays a prefix of choices and then takes the mildest.
// Source: CHESS (preemption bounding).
import { kernel } from '../../core/kernel.ts';
import type { Op } from '../../core/op.ts';
import { Scheduler } from '../../core/scheduler.ts';
import { run } from '../../core/spawn.ts';
import { VirtualDriver } from '../../core/testing/virtual-driver.ts';
import { checkWorld } from './world.ts';

interface Choice {
  readonly count: number;
  readonly what: 'greenlet' | 'preempt';
  taken: number;
}

/** Run `program()` under every schedule with at most `preemptions` preemptions; `verify` sees each result. Returns the number of schedules. */
export async function exploreAll<T>(
  program: () => Op<T>,
  verify: (value: T) => void,
  preemptions = 2,
): Promise<number> {
  let prefix: Choice[] = [];
  for (let runs = 1; ; runs += 1) {
    const made: Choice[] = [];
    let left = preemptions;
    const driver = new VirtualDriver({
      choose(count, what) {
        const planned = prefix[made.length];
        let taken = planned?.taken ?? 0;
        if (what === 'preempt') {
          if (left === 0) return 0;
          if (taken === 1) left -= 1;
        }
        taken = Math.min(taken, count - 1);
        made.push({ count, what, taken });
        return taken;
      },
    });
    const scheduler = new Scheduler(driver);
    const value = await runIn(scheduler, driver, program);
    try {
      verify(value);
    } catch (error) {
      const schedule = made.map(({ what, taken }) => `${what[0]}${taken}`).join(' ');
      throw new Error(`after ${runs} schedules, under ${schedule}`, { cause: error });
    }
    // The last choice that has an alternative left is taken differently next time.
    while (made.length > 0 && (made.at(-1) as Choice).taken + 1 >= (made.at(-1) as Choice).count) made.pop();
    const last = made.at(-1);
    if (last === undefined) return runs;
    last.taken += 1;
    prefix = made;
  }
}

async function runIn<T>(scheduler: Scheduler, driver: VirtualDriver, program: () => Op<T>): Promise<T> {
  const outer = kernel.scheduler;
  kernel.scheduler = scheduler;
  let promise: Promise<T>;
  try {
    promise = run(program);
  } finally {
    kernel.scheduler = outer;
  }
  promise.catch(() => {});
  driver.runUntilIdle(scheduler);
  driver.quiescent();
  driver.runUntilIdle(scheduler);
  checkWorld(scheduler);
  if (driver.fatalErrors.length > 0) throw driver.fatalErrors[0];
  if (scheduler.live > 0) throw new Error(`${scheduler.live} greenlets are stuck`);
  return await promise;
}
