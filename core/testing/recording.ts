// recording.ts: the decisions of one run: made by a strategy, or read from a list, and written down.
//
// Only decisions are written down: where there is one possibility, or nobody to give way to, the list stays as it is. A list that is too short goes
// on with zeros, and a number that is too large becomes the largest that is possible, so every list is a run.
//
// `hash` sums up what was asked, what was answered and when. Two runs of the same list that differ in it have a decision outside the list: a real clock,
// a random number, something left over from the run before.

import type { Greenlet } from '../greenlet.ts';
import type { RunQueue } from '../run-queue.ts';
import type { Choices } from './choices.ts';
import type { Strategy } from './strategies.ts';

/** The decisions of a run that is written down already. */
export class Replay implements Strategy {
  readonly #list: readonly number[];
  #position = 0;
  constructor(list: readonly number[]) {
    this.#list = list;
  }
  pick(): number {
    return this.choose();
  }
  preempt(): boolean {
    return this.choose() !== 0;
  }
  choose(): number {
    const taken = this.#list[this.#position] ?? 0;
    this.#position += 1;
    return taken;
  }
}

export class Recording implements Choices {
  readonly #strategy: Strategy;
  /** What was decided, in order. */
  readonly taken: number[] = [];
  /** Out of how many, and of which kind: for finding where two runs part. */
  readonly counts: number[] = [];
  readonly kinds: string[] = [];
  /** How many Ops were started while others could have run. */
  starts = 0;
  hash: number = 0x811c9dc5 | 0;

  constructor(strategy: Strategy) {
    this.#strategy = strategy;
  }

  choose(count: number, what: string, odds?: number): number {
    if (count <= 1) return 0;
    return this.#record(Math.min(this.#strategy.choose(count, what, odds), count - 1), count, what);
  }

  pick(queue: RunQueue): number {
    const { size } = queue;
    return this.#record(Math.min(this.#strategy.pick(queue), size - 1), size, 'greenlet');
  }

  preempt(running: Greenlet, queue: RunQueue): boolean {
    if (queue.size === 0) return false;
    this.starts += 1;
    return this.#record(this.#strategy.preempt(running, queue) ? 1 : 0, 2, 'preempt') === 1;
  }

  /** Note something that has to be the same whenever this run is repeated. */
  note(value: number): void {
    this.hash = Math.imul(this.hash ^ value, 0x01000193);
  }

  #record(taken: number, count: number, what: string): number {
    this.taken.push(taken);
    this.counts.push(count);
    this.kinds.push(what);
    this.note(taken + count * 31 + what.length * 4099);
    return taken;
  }
}
