// run-queue.ts: greenlets that could run now, oldest first.
//
// A ring that doubles when it is full. Not a priority queue: fairness comes from slices, so what wakes during a slice waits its turn
// and input is polled in between. It holds no duplicates of a live greenlet, because only a move to `ready` enters one; an entry
// whose greenlet has ended meanwhile (killed before it ran) is skipped by whoever pops it.

import type { Greenlet } from './greenlet.ts';
import { DONE } from './status.ts';

const FIRST_CAPACITY = 64;

export class RunQueue {
  #ring: (Greenlet | undefined)[] = new Array<Greenlet | undefined>(FIRST_CAPACITY).fill(undefined);
  #mask = FIRST_CAPACITY - 1;
  #head = 0;
  size = 0;

  push(greenlet: Greenlet): void {
    if (this.size > this.#mask) this.grow();
    this.#ring[(this.#head + this.size) & this.#mask] = greenlet;
    this.size += 1;
  }

  /** Let the entry that was pushed last run before all others: for a hand-over that prefers the woken side. */
  promoteNewest(): void {
    const from = (this.#head + this.size - 1) & this.#mask;
    const greenlet = this.#ring[from];
    this.#ring[from] = undefined;
    this.#head = (this.#head - 1) & this.#mask;
    this.#ring[this.#head] = greenlet;
  }

  shift(): Greenlet | undefined {
    if (this.size === 0) return undefined;
    const head = this.#head;
    const greenlet = this.#ring[head];
    this.#ring[head] = undefined;
    this.#head = (head + 1) & this.#mask;
    this.size -= 1;
    return greenlet;
  }

  /**
   * Take out the entry at `index`, oldest first, in O(n): only a simulation picks. Entries of greenlets that have ended keep their place among the
   * others, so one is taken only when it is the oldest.
   */
  takeAt(index: number): Greenlet | undefined {
    const entry = this.#ring[(this.#head + index) & this.#mask];
    if (index === 0 || entry === undefined || (entry.status & DONE) !== 0) return this.shift();
    for (let i = index; i > 0; i -= 1) {
      this.#ring[(this.#head + i) & this.#mask] = this.#ring[(this.#head + i - 1) & this.#mask];
    }
    this.#ring[this.#head & this.#mask] = entry;
    return this.shift();
  }

  /** The entry at `index`, oldest first, which must be there: only a simulation looks. */
  at(index: number): Greenlet {
    return this.#ring[(this.#head + index) & this.#mask] as Greenlet;
  }

  /** Take `greenlet` out, in O(n): only misuse needs it. */
  remove(greenlet: Greenlet): void {
    const entries = this.entries().filter((entry) => entry !== greenlet);
    this.#ring.fill(undefined);
    this.#head = 0;
    this.size = 0;
    for (const entry of entries) this.push(entry);
  }

  /** The entries, oldest first: for reports and checks. */
  entries(): Greenlet[] {
    const all: Greenlet[] = [];
    for (let i = 0; i < this.size; i += 1) all.push(this.#ring[(this.#head + i) & this.#mask] as Greenlet);
    return all;
  }

  private grow(): void {
    const entries = this.entries();
    const capacity = (this.#mask + 1) * 2;
    this.#ring = entries.concat(
      new Array<Greenlet | undefined>(capacity - entries.length).fill(undefined) as Greenlet[],
    );
    this.#mask = capacity - 1;
    this.#head = 0;
  }
}
