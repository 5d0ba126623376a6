// stable-heap.ts: a binary heap that gives out the smallest value, and of equal ones the oldest.
//
// The comparison is the user's and may throw. So each change first finds its path, comparing only, and then moves things: a throw leaves the heap as it was.
// Values and their order of arrival are in two arrays side by side: a record for each would cost more than the comparisons.
//
// Invariant: no value comes before its parent, by comparison and then by order of arrival.

import { typeError } from './bad-argument.ts';
import type { QueueStore } from './queue-store.ts';

export class StableHeap<T> implements QueueStore<T> {
  readonly #values: T[] = [];
  readonly #arrivals: number[] = [];
  readonly #compare: (a: T, b: T) => number;
  #arrived = 0;
  /** The path of the last shift, kept to be used again. */
  readonly #path: number[] = [];

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#values.length;
  }

  push(value: T): void {
    const values = this.#values;
    const arrivals = this.#arrivals;
    // Alone it is compared with itself: who puts in what cannot be compared is told, and not who comes next.
    if (values.length === 0) this.#difference(value, value);
    let hole = values.length;
    // It has come last: it goes up only past what is greater.
    while (hole > 0 && this.#difference(value, values[(hole - 1) >> 1] as T) < 0) hole = (hole - 1) >> 1;
    for (let index = values.length; index > hole; index = (index - 1) >> 1) this.#move((index - 1) >> 1, index);
    values[hole] = value;
    arrivals[hole] = this.#arrived;
    this.#arrived += 1;
  }

  peek(): T {
    return this.#values[0] as T;
  }

  shift(): T {
    const values = this.#values;
    const arrivals = this.#arrivals;
    const last = values.length - 1;
    const first = values[0] as T;
    const path = this.#path;
    const depth = this.#findPath(last);
    let hole = 0;
    for (let level = 0; level < depth; level += 1) {
      const index = path[level] as number;
      this.#move(index, hole);
      hole = index;
    }
    this.#move(last, hole);
    values.pop();
    arrivals.pop();
    return first;
  }

  drain(): T[] {
    const arrivals = this.#arrivals.splice(0);
    const values = this.#values.splice(0);
    const order = values.map((_, index) => index);
    try {
      order.sort(
        (a, b) => this.#difference(values[a] as T, values[b] as T) || (arrivals[a] as number) - (arrivals[b] as number),
      );
    } catch {
      // Out they go all the same, in whatever order.
    }
    return order.map((index) => values[index] as T);
  }

  /** Throw if the invariant does not hold. */
  check(): void {
    for (let index = 1; index < this.#values.length; index += 1)
      if (this.#before(index, (index - 1) >> 1)) throw new Error('heap: a value comes before its parent');
  }

  /** Find the nodes through which a hole goes down from the top until the last node may fill it. Gives how many there are. */
  #findPath(last: number): number {
    const path = this.#path;
    let depth = 0;
    for (let hole = 0, child = 1; child < last; child = 2 * hole + 1) {
      const least = child + 1 < last && this.#before(child + 1, child) ? child + 1 : child;
      if (!this.#before(least, last)) break;
      path[depth] = least;
      depth += 1;
      hole = least;
    }
    return depth;
  }

  #move(from: number, to: number): void {
    this.#values[to] = this.#values[from] as T;
    this.#arrivals[to] = this.#arrivals[from] as number;
  }

  #before(a: number, b: number): boolean {
    const difference = this.#difference(this.#values[a] as T, this.#values[b] as T);
    return difference === 0 ? (this.#arrivals[a] as number) < (this.#arrivals[b] as number) : difference < 0;
  }

  #difference(a: T, b: T): number {
    const difference = this.#compare(a, b);
    if (typeof difference !== 'number' || Number.isNaN(difference))
      throw typeError(`the compare of a priority queue gave ${String(difference)}, which is no number`);
    return difference;
  }
}
