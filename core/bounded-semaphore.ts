// bounded-semaphore.ts: a semaphore that notices a release too many: permits never exceed what it began with.
//
// It is not owned: one greenlet may acquire and another release, as with any semaphore.
//
// Invariant, between any two steps: permits plus holders is the start value.
// Sources: threading.BoundedSemaphore, gevent.lock.BoundedSemaphore.

import { UsageError } from './errors.ts';
import { Semaphore } from './semaphore.ts';

export class BoundedSemaphore extends Semaphore {
  /** How many permits there are in all. */
  readonly bound: number;

  /** @throws RangeError if `permits` is no integer >= 0. */
  constructor(permits = 1, options: { readonly name?: string | undefined } = {}) {
    super(permits, options);
    this.bound = permits;
  }

  /**
   * Give a permit back, to the oldest waiter if there is one. Never switches.
   *
   * @throws UsageError if all permits are back already; then nothing changes.
   * @see https://docs.python.org/3/library/threading.html#threading.BoundedSemaphore
   */
  override release(): void {
    if (this.permits === this.bound)
      throw new UsageError(`${this.label()} was released more often than acquired: all ${this.bound} permits are back`);
    super.release();
  }

  override check(): void {
    super.check();
    if (this.permits > this.bound) throw new Error(`${this.label()}: more permits than it began with`);
  }
}
