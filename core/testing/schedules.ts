// schedules.ts: which strategies an exploration uses, in turns, and how one is made for run number n.
//
// The first run is the mildest there is: if that one fails, nothing has to be explored. Half of the others are random, the rest PCT with depths 3 and 4:
// random finds what is common, PCT what needs a few events in one order.

import { typeError } from '../bad-argument.ts';
import { Exhaustive } from './exhaustive.ts';
import { seedOf } from './seeded.ts';
import { Mild, Pct, Random, RoundRobin, type Strategy } from './strategies.ts';

/**
 * A way to choose schedules: `random`; `round-robin`, everybody gives way at every start; `{pct: depth}`, for a bug that needs `depth` events in one
 * order; `{exhaustive: n}`, every run with at most n preemptions.
 */
export type Schedule = 'random' | 'round-robin' | { readonly pct: number } | { readonly exhaustive: number };

export const PORTFOLIO: readonly Schedule[] = ['random', { pct: 3 }, 'random', { pct: 4 }];

const FIRST_GUESS_OF_STARTS = 64;

/** Makes the strategy of each run. */
export class Schedules {
  readonly #seed: number;
  readonly #schedules: readonly Schedule[];
  readonly #searches: Map<Schedule, Exhaustive> = new Map();
  #runs = 0;
  #starts = FIRST_GUESS_OF_STARTS;

  /** @throws TypeError if one of `schedules` is none, or there are none. */
  constructor(schedules: readonly Schedule[], seed: number) {
    if (!Array.isArray(schedules) || schedules.length === 0)
      throw typeError("explore: schedules takes a list such as ['random', {pct: 3}]");
    for (const schedule of schedules) requireSchedule(schedule);
    this.#schedules = schedules;
    this.#seed = seed;
  }

  /** The strategy of the next run; undefined when a search was complete and there is nothing else. */
  next(): Strategy | undefined {
    const run = this.#runs;
    this.#runs += 1;
    const schedule = this.#schedules[run % this.#schedules.length] as Schedule;
    if (typeof schedule === 'object' && 'exhaustive' in schedule) return this.#search(schedule);
    if (run === 0) return new Mild();
    const seed = seedOf(this.#seed, run);
    if (schedule === 'random') return new Random(seed);
    if (schedule === 'round-robin') return new RoundRobin(seed);
    return new Pct(seed, schedule.pct, this.#starts);
  }

  /** A run had so many starts at which somebody else could have run. */
  learn(starts: number): void {
    this.#starts = Math.max(starts, Math.round(this.#starts * 0.9));
  }

  #search(schedule: { readonly exhaustive: number }): Exhaustive | undefined {
    const search = this.#searches.get(schedule);
    if (search !== undefined) return search.advance() ? search : undefined;
    const first = new Exhaustive(schedule.exhaustive);
    this.#searches.set(schedule, first);
    return first;
  }
}

function requireSchedule(schedule: unknown): void {
  if (schedule === 'random' || schedule === 'round-robin') return;
  const { pct, exhaustive } = (schedule ?? {}) as { pct?: unknown; exhaustive?: unknown };
  if (Number.isInteger(pct) && (pct as number) >= 1) return;
  if (Number.isInteger(exhaustive) && (exhaustive as number) >= 0) return;
  throw typeError(
    "a schedule is 'random', 'round-robin', {pct: depth from 1} or {exhaustive: preemptions from 0}, not " +
      String(typeof schedule === 'object' ? JSON.stringify(schedule) : schedule),
  );
}
