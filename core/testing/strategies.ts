// strategies.ts: how the numbers of a run are found that is not a replay: whoever runs next, who is preempted, and all other decisions.
//
//   mild          always 0: first in, first out, no preemption, no fault
//   random        any runnable greenlet; preemptions as often as this run's luck says, from never to every second start
//   pct           random priorities, the highest always runs; at depth - 1 random moments the one that runs falls behind everybody. Finds a bug that
//                 needs `depth` events in one order with a probability of at least 1 / (greenlets x steps^(depth-1))
//   round-robin   everybody gives way at every start
//
// A strategy decides; recording.ts writes down. A strategy is used for one run. Exhaustive search, which goes from run to run, has a file of its own.
// Sources: PCT (Burckhardt et al., ASPLOS 2010); swarm testing (Groce et al., ISSTA 2012) for the luck of a run.

import type { Greenlet } from '../greenlet.ts';
import type { RunQueue } from '../run-queue.ts';
import { DONE } from '../status.ts';
import { Seeded } from './seeded.ts';

/** Where the numbers of one run come from. Asked only when there is something to decide. */
export interface Strategy {
  /** Which entry of `queue`, which has at least two, runs next. */
  pick(queue: RunQueue): number;
  /** Does `running`, which starts an Op while others are in `queue`, give way first? */
  preempt(running: Greenlet, queue: RunQueue): boolean;
  /** Any other decision, as `Choices.choose`. */
  choose(count: number, what: string, odds: number | undefined): number;
}

/** Always the mildest. */
export class Mild implements Strategy {
  pick(): number {
    return 0;
  }
  preempt(): boolean {
    return false;
  }
  choose(): number {
    return 0;
  }
}

abstract class Drawn implements Strategy {
  protected readonly random: Seeded;
  constructor(seed: number) {
    this.random = new Seeded(seed);
  }
  abstract pick(queue: RunQueue): number;
  abstract preempt(running: Greenlet, queue: RunQueue): boolean;

  choose(count: number, _what: string, odds: number | undefined): number {
    if (odds === undefined) return this.random.below(count);
    return this.random.next() < odds ? 1 + this.random.below(count - 1) : 0;
  }
}

/** How often a random run preempts: one of these, drawn for the run. */
const PREEMPTION_ODDS = [0, 0.02, 0.1, 0.25, 0.5];

/** Any runnable greenlet. */
export class Random extends Drawn {
  readonly #preemptionOdds: number;
  constructor(seed: number) {
    super(seed);
    this.#preemptionOdds = PREEMPTION_ODDS[this.random.below(PREEMPTION_ODDS.length)] as number;
  }
  pick(queue: RunQueue): number {
    return this.random.below(queue.size);
  }
  preempt(): boolean {
    return this.random.next() < this.#preemptionOdds;
  }
}

/** Everybody gives way at every start; what is not scheduling is random. */
export class RoundRobin extends Drawn {
  pick(): number {
    return 0;
  }
  preempt(): boolean {
    return true;
  }
}

/** Probabilistic concurrency testing. */
export class Pct extends Drawn {
  readonly #priorities: Map<Greenlet, number> = new Map();
  /** The starts at which whoever runs falls behind, ascending. */
  readonly #changes: number[];
  #starts = 0;
  #lowest = 0;

  /** `starts` is how many starts a run has, about. */
  constructor(seed: number, depth: number, starts: number) {
    super(seed);
    const changes = Array.from({ length: depth - 1 }, () => this.random.below(Math.max(starts, 1)));
    this.#changes = changes.sort((a, b) => a - b);
  }

  pick(queue: RunQueue): number {
    let best = 0;
    let highest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < queue.size; i += 1) {
      const entry = queue.at(i);
      if ((entry.status & DONE) !== 0) continue;
      const priority = this.#priority(entry);
      if (priority > highest) {
        highest = priority;
        best = i;
      }
    }
    return best;
  }

  preempt(running: Greenlet, queue: RunQueue): boolean {
    this.#starts += 1;
    if (this.#starts > (this.#changes[0] ?? Number.POSITIVE_INFINITY)) {
      this.#changes.shift();
      this.#lowest -= 1;
      this.#priorities.set(running, this.#lowest);
    }
    const own = this.#priority(running);
    for (let i = 0; i < queue.size; i += 1) {
      const entry = queue.at(i);
      if ((entry.status & DONE) === 0 && this.#priority(entry) > own) return true;
    }
    return false;
  }

  #priority(greenlet: Greenlet): number {
    let priority = this.#priorities.get(greenlet);
    if (priority === undefined) {
      priority = this.random.next();
      this.#priorities.set(greenlet, priority);
    }
    return priority;
  }
}
