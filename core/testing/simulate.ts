// simulate.ts: run a body in a world of its own: virtual clock, seeded randomness, deadlocks found at once.
//
// The simulated world lives beside the process's scheduler and shares nothing with it. It is closed: when nothing in it can run and no timer or
// external wait is pending, whoever is parked is deadlocked. While an external wait (a foreign promise) is pending, its clock stands still.

import { kernel } from '../kernel.ts';
import type { Body, Op } from '../op.ts';
import { Scheduler, type SchedulerStats } from '../scheduler.ts';
import { run } from '../spawn.ts';
import { VirtualDriver } from './virtual-driver.ts';

export interface SimulateOptions {
  /** The seed of every random choice; 1 if not given. */
  readonly seed?: number | undefined;
  /** Give up after so many turns. */
  readonly maxTurns?: number | undefined;
  /** Give up after about so many steps at one instant: a greenlet that spins; 10,000,000 if not given. */
  readonly maxSteps?: number | undefined;
}

/** What a simulation has to tell. */
export interface SimulationReport<T> {
  readonly value: T;
  /** Virtual time from the start of the body to the end of the last greenlet. */
  readonly elapsedMs: number;
  readonly stats: SchedulerStats;
  /** The names of greenlets that were parked for ever when the body had returned; they were killed. */
  readonly leaked: readonly string[];
}

/**
 * Run `body` under a virtual clock until every greenlet that it made has ended.
 *
 * Rejects with the body's error, with DeadlockError if nothing can go on, or with the first error that nobody looked at.
 */
export async function simulate<T>(body: () => Op<T>, options: SimulateOptions = {}): Promise<SimulationReport<T>> {
  const driver = new VirtualDriver(options);
  const scheduler = new Scheduler(driver);
  const leaked: string[] = [];
  scheduler.events.on('leak', (greenlets) => void leaked.push(...greenlets.map(({ name }) => name)));
  await null; // never inside a step of another scheduler
  const promise = inWorld(scheduler, () => run(body as Body<[], T>));
  let settled = false;
  let failure: { readonly error: unknown } | undefined;
  let value: T | undefined;
  promise.then(
    (result) => {
      settled = true;
      value = result;
    },
    (error: unknown) => {
      settled = true;
      failure = { error };
    },
  );
  for (;;) {
    driver.runUntilIdle(scheduler);
    if (scheduler.externalWaits > 0 && scheduler.live > 0) {
      await driver.turnWanted();
      continue;
    }
    const { ended } = scheduler.stats;
    driver.quiescent();
    driver.runUntilIdle(scheduler);
    if ((scheduler.externalWaits === 0 || scheduler.live === 0) && scheduler.stats.ended === ended) break;
  }
  await null;
  if (!settled) await promise;
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
  if (driver.fatalErrors.length > 0) throw driver.fatalErrors[0];
  return { value: value as T, elapsedMs: driver.now(), stats: scheduler.stats, leaked };
}

function inWorld<R>(scheduler: Scheduler, action: () => R): R {
  const outer = kernel.scheduler;
  kernel.scheduler = scheduler;
  try {
    return action();
  } finally {
    kernel.scheduler = outer;
  }
}
