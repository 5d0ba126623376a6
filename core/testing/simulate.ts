// simulate.ts: run a body once in a world of its own: virtual clock, seeded decisions, deadlocks found at once.
//
// The simulated world lives beside the process's scheduler and shares nothing with it. It is closed: when nothing in it can run and no timer or
// external wait is pending, whoever is parked is deadlocked. While an external wait (a foreign promise) is pending, its clock stands still.
//
// Without a seed it runs as in production: the oldest greenlet runs, and none gives way before its budget is spent; what the world is asked has the
// mildest answer. With one, every decision is drawn from it, preemptions too: the same seed is the same run.

import type { Op } from '../op.ts';
import type { SchedulerStats } from '../scheduler.ts';
import { checkLimit, checkPlay, type PlayLimits } from './limits.ts';
import { type PlayOptions, play } from './play.ts';
import { Recording } from './recording.ts';
import { Random } from './strategies.ts';
import { Trace } from './trace.ts';
import type { World } from './world.ts';

export interface SimulateOptions extends PlayLimits {
  /** Draw every decision from this seed: who runs next, who is preempted, and what `world` is asked. */
  readonly seed?: number | undefined;
  /** Keep a trace of every step for the report. */
  readonly trace?: boolean | undefined;
}

/** What a simulation has to tell. */
export interface SimulationReport<T> {
  readonly value: T;
  /** Virtual time from the start of the body to the end of the last greenlet. */
  readonly elapsedMs: number;
  readonly stats: SchedulerStats;
  /** The names of greenlets that were parked for ever when the body had returned; they were killed. */
  readonly leaked: readonly string[];
  /** Every step, with `{trace: true}`; empty otherwise. */
  readonly trace: Trace;
}

/** Play `body` once, on `host`; see io/testing/simulate.ts. @internal */
export async function simulateIn<T, W extends World>(
  body: (world: W) => Op<T>,
  options: SimulateOptions,
  host: Pick<PlayOptions<W>, 'makeWorld' | 'pause' | 'hold'>,
): Promise<SimulationReport<T>> {
  checkPlay(body, options, 'simulate');
  const { seed } = options;
  checkLimit(seed, 'simulate: seed', Number.MIN_SAFE_INTEGER);
  const trace = new Trace();
  await null; // never inside a step of another scheduler
  const { failure, value, elapsedMs, stats, leaked } = await play(body, {
    ...options,
    ...host,
    decisions: seed === undefined ? undefined : new Recording(new Random(seed)),
    trace: options.trace === true ? trace : undefined,
    strict: false,
  });
  if (failure !== undefined) throw failure.error;
  return { value: value as T, elapsedMs, stats, leaked, trace };
}
