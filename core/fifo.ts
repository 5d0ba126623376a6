// fifo.ts: a first-in first-out buffer of values: a ring that doubles, with O(1) push and shift.
//
// It knows nothing of who waits: Channel and Queue do. It never shrinks: what was needed once is needed again.

const FIRST_CAPACITY = 8;

/** The ring of all that have held nothing yet: most channels never do. */
const NO_RING: readonly unknown[] = [];

export class Fifo<T> {
  #ring: (T | undefined)[] = NO_RING as (T | undefined)[];
  #mask = -1;
  #head = 0;
  size = 0;

  push(value: T): void {
    if (this.size > this.#mask) this.grow();
    this.#ring[(this.#head + this.size) & this.#mask] = value;
    this.size += 1;
  }

  /** Take out the oldest. Only call this when `size` is not 0: `undefined` may be a value. */
  shift(): T {
    const value = this.#ring[this.#head] as T;
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.size -= 1;
    return value;
  }

  /** The oldest, left where it is. Only call this when `size` is not 0. */
  peek(): T {
    return this.#ring[this.#head] as T;
  }

  private grow(): void {
    const old = this.#ring;
    const wide = new Array<T | undefined>(Math.max(old.length * 2, FIRST_CAPACITY)).fill(undefined);
    for (let i = 0; i < this.size; i += 1) wide[i] = old[(this.#head + i) & this.#mask];
    this.#ring = wide;
    this.#mask = wide.length - 1;
    this.#head = 0;
  }
}
