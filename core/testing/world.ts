// world.ts: what a simulated body can ask of the world that it runs in.
//
// Everything here is for the test's own code. What it decides comes from the one list of choices, so it is replayed and made simpler with the rest.

import { rangeError, typeError } from '../bad-argument.ts';
import type { Greenlet } from '../greenlet.ts';
import { nameOf } from '../op.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Choices } from './choices.ts';

export class World implements Choices {
  /** @internal */ readonly scheduler: Scheduler;
  readonly #choices: Choices;
  readonly #checks: (() => void)[] = [];
  readonly #healers: (() => void)[] = [];
  /** Writes into the trace, as what the greenlet `who` does, or of nobody if it is empty; undefined if there is no trace. @internal */
  readonly log: ((note: string, who?: string) => void) | undefined;
  #healed = false;

  /** @internal */
  constructor(scheduler: Scheduler, choices: Choices, log?: (note: string, who?: string) => void) {
    this.scheduler = scheduler;
    this.#choices = choices;
    this.log = log;
  }

  /**
   * Decide: a number from 0 to `count` - 1, 0 being the mildest. `what` names the decision in reports; `odds` says how likely something else than 0 should
   * be where numbers are drawn.
   *
   * @throws RangeError if `count` is no positive integer, or `odds` is not from 0 to 1.
   */
  choose(count: number, what = 'pick', odds?: number): number {
    if (!Number.isInteger(count) || count < 1)
      throw rangeError(`world.choose takes a positive whole number of possibilities, not ${String(count)}`);
    if (odds !== undefined && !(odds >= 0 && odds <= 1))
      throw rangeError(`world.choose takes odds from 0 to 1, not ${String(odds)}`);
    return this.#choices.choose(count, what, odds);
  }

  /** One of `items`; the first is the mildest. @throws RangeError if there is none. */
  pick<T>(items: readonly T[]): T {
    if (!Array.isArray(items)) throw typeError(`world.pick takes an array, not ${nameOf(items)}`);
    if (items.length === 0) throw rangeError('world.pick takes at least one item');
    return items[this.choose(items.length)] as T;
  }

  /** True about as often as `odds` says; false is the mildest. */
  chance(odds: number, what = 'chance'): boolean {
    return this.choose(2, what, odds) === 1;
  }

  /** Call `check` after every step of every greenlet from now on; what it throws fails the run there and then. */
  always(check: () => void): void {
    if (typeof check !== 'function') throw typeError(`world.always takes a function, not ${nameOf(check)}`);
    this.#checks.push(check);
  }

  /** Write `note` into the trace of this run. */
  note(note: string): void {
    this.log?.(note);
  }

  /** Has `heal` been called? */
  get healed(): boolean {
    return this.#healed;
  }

  /** End all faults: from now on the world is kind. Idempotent. */
  heal(): void {
    if (this.#healed) return;
    this.#healed = true;
    for (const healer of this.#healers) healer();
  }

  /** Have `healer` called by `heal`. @internal */
  onHeal(healer: () => void): void {
    this.#healers.push(healer);
  }

  /** Is `greenlet`, which is parked for ever when the body has returned, one that somebody forgot to end? @internal */
  countsAsLeak(_greenlet: Greenlet): boolean {
    return true;
  }

  /** The run is over. @internal */
  end(): void {}

  /** Called after each step. @internal */
  check(): void {
    for (const check of this.#checks) check();
  }
}
