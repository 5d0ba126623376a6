// exhaustive.ts: every run there is, one after the other, with at most so many preemptions.
//
// A depth-first search over the list of choices: each run repeats the list of the run before up to the last choice that has an alternative left, takes
// that one, and the mildest from there on. Most bugs need two preemptions or fewer, and with that bound small programs can be searched completely.
// Source: CHESS (Musuvathi and Qadeer, PLDI 2007), preemption bounding.

import type { RunQueue } from '../run-queue.ts';
import type { Strategy } from './strategies.ts';

interface Branch {
  readonly count: number;
  taken: number;
}

export class Exhaustive implements Strategy {
  readonly #preemptions: number;
  #branches: Branch[] = [];
  #position = 0;
  #preemptionsLeft: number;

  constructor(preemptions: number) {
    this.#preemptions = preemptions;
    this.#preemptionsLeft = preemptions;
  }

  /** Go on to the next run. False if there is none. */
  advance(): boolean {
    const branches = this.#branches;
    branches.length = this.#position;
    this.#position = 0;
    this.#preemptionsLeft = this.#preemptions;
    for (let last = branches.at(-1); last !== undefined; last = branches.at(-1)) {
      if (last.taken + 1 < last.count) {
        last.taken += 1;
        return true;
      }
      branches.pop();
    }
    return false;
  }

  pick(queue: RunQueue): number {
    return this.#take(queue.size);
  }

  preempt(): boolean {
    if (this.#preemptionsLeft === 0) return false;
    const preempts = this.#take(2) === 1;
    if (preempts) this.#preemptionsLeft -= 1;
    return preempts;
  }

  choose(count: number): number {
    return this.#take(count);
  }

  #take(count: number): number {
    const planned = this.#branches[this.#position];
    this.#position += 1;
    if (planned !== undefined) return Math.min(planned.taken, count - 1);
    this.#branches.push({ count, taken: 0 });
    return 0;
  }
}
