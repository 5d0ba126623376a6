// semaphore.ts: a number of permits. Released permits go to the oldest waiter: nobody who comes later can take one from under it.
//
// Invariant, between any two steps: permits > 0  implies  nobody waits.
// Source: gevent.lock.Semaphore; hand-over instead of barging is S12.

import { rangeError } from './bad-argument.ts';
import { readyResult } from './kernel.ts';
import type { Op, Waitable, WaitDescription } from './op.ts';
import { createdOrShared } from './unstarted.ts';
import { use } from './use.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

/** A number of permits that greenlets take and give back; waiters are served in order. */
export class Semaphore {
  readonly name: string | undefined;
  #permits: number;
  /** @internal */ readonly waiters: WaitList = new WaitList();
  readonly #acquire: Waitable<void> = new SemaphoreAcquire(this);

  /** @throws RangeError if `permits` is no integer >= 0. */
  constructor(permits = 1, options: { readonly name?: string | undefined } = {}) {
    if (!Number.isInteger(permits) || permits < 0)
      throw rangeError(`a semaphore has an integer number of permits >= 0, not ${String(permits)}`);
    this.#permits = permits;
    this.name = options.name;
  }

  /** How many permits are free. */
  get permits(): number {
    return this.#permits;
  }

  /** Take a permit, waiting for one. Switches only if none is free. If it throws, none was taken. @throws Killed if killed while waiting. */
  acquire(): Waitable<void> {
    return createdOrShared(this.#acquire, () => new SemaphoreAcquire(this));
  }

  /** Take a permit if one is free. Never switches. */
  tryAcquire(): boolean {
    if (this.#permits === 0) return false;
    this.#permits -= 1;
    return true;
  }

  /** Give a permit back, to the oldest waiter if there is one. Never switches. */
  release(): void {
    const waiter = this.waiters.shift();
    if (waiter === undefined) this.#permits += 1;
    else waiter.fire(undefined, 0);
  }

  /** Run `op` with a permit, and give it back however `op` ends. */
  use<T>(op: Op<T>): Op<T> {
    return use(this, op);
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a semaphore' : `semaphore ${this.name}`;
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.waiters.check();
    if (this.#permits > 0 && this.waiters.size > 0)
      throw new Error(`${this.label()}: somebody waits beside a free permit`);
  }
}

class SemaphoreAcquire extends Wait<void> {
  readonly #semaphore: Semaphore;
  constructor(semaphore: Semaphore) {
    super();
    this.#semaphore = semaphore;
  }
  look(): boolean {
    if (!this.#semaphore.tryAcquire()) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    this.#semaphore.waiters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#semaphore.waiters.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'acquire', object: this.#semaphore.label() };
  }
}
