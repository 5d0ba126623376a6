// shared-semaphore.ts: a number of permits that greenlets of any thread take and give back.
//
// Who gets one, and in which order, is in permits.ts. A permit has no owner: who gives it back need not have taken it, so those of a thread that has
// ended can be given back by whoever hears of it.
// Source: core's Semaphore.

import { rangeError } from '../../core/bad-argument.ts';
import { readyResult } from '../../core/kernel.ts';
import type { Op, Waitable, WaitDescription } from '../../core/op.ts';
import { createdOrShared } from '../../core/unstarted.ts';
import { use } from '../../core/use.ts';
import { Wait } from '../../core/wait.ts';
import type { Waiter } from '../../core/wait-list.ts';
import { shownValue } from '../../io/address.ts';
import { checkHandle, nameIn, type SharedHandle, type SharedOptions } from './handle.ts';
import { Permits } from './permits.ts';
import { BYTES, CountedPlaces, FREE, MOST_FREE } from './places.ts';

const KIND = 'tendril.SharedSemaphore';

/** A number of permits between threads. */
export class SharedSemaphore {
  readonly name: string | undefined;
  /** What another thread gives to `SharedSemaphore.from`. */
  readonly handle: SharedHandle<typeof KIND>;
  readonly #shared: Permits;
  readonly #acquire: Waitable<void>;

  /** @param adopted is for `from`. @throws RangeError if `permits` is no integer from 0 to 2^31-1. @throws TypeError for a bad option. */
  constructor(permits = 1, options?: SharedOptions, adopted?: SharedHandle<typeof KIND>) {
    if (!Number.isInteger(permits) || permits < 0 || permits > MOST_FREE)
      throw rangeError(
        `a shared semaphore has an integer number of permits from 0 to ${MOST_FREE}, not ${shownValue(permits)}`,
      );
    this.name = adopted === undefined ? nameIn(options, 'SharedSemaphore') : adopted.name;
    this.handle = adopted ?? { kind: KIND, buffer: new SharedArrayBuffer(BYTES), name: this.name };
    const words = new Int32Array(this.handle.buffer);
    if (adopted === undefined) words[FREE] = permits;
    this.#shared = new Permits(new CountedPlaces(words), { granted() {} });
    this.#acquire = this.#makeAcquire();
  }

  /** The same semaphore in this thread, of the handle that another thread has sent. Never switches. @throws TypeError if it is none. */
  static from(handle: SharedHandle<typeof KIND>): SharedSemaphore {
    return new SharedSemaphore(0, undefined, checkHandle(handle, KIND, BYTES, 'SharedSemaphore.from'));
  }

  #makeAcquire(): SharedAcquire {
    return new SharedAcquire(this.#shared, this.#label());
  }

  #label(): string {
    return this.name === undefined ? 'a shared semaphore' : `shared semaphore ${this.name}`;
  }

  /** How many permits nobody has. It may be otherwise at once. */
  get permits(): number {
    return this.#shared.unheld;
  }

  /**
   * Take a permit, waiting for one.
   *
   * Switches only if none is free, and never blocks the event loop. If it throws, none was taken. Greenlets of one thread are served in order; no thread is
   * passed over for ever. @throws Killed if killed while waiting.
   */
  acquire(): Waitable<void> {
    return createdOrShared(this.#acquire, () => this.#makeAcquire());
  }

  /** Take a permit if one is free and no greenlet of this thread waits. Never switches. */
  tryAcquire(): boolean {
    return this.#shared.tryTake();
  }

  /** Give a permit back. Never switches. @throws RangeError if 2^31-1 are free, the most there can be: then nothing has changed. */
  release(): void {
    if (!this.#shared.release())
      throw rangeError(
        `release on ${this.#label()}: ${MOST_FREE} permits are free, the most there can be: release what was acquired, once`,
      );
  }

  /** Run `op` with a permit, and give it back however `op` ends. Switches as `acquire` and `op` do. */
  use<T>(op: Op<T>): Op<T> {
    return use(this, op);
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.#shared.check();
  }
}

class SharedAcquire extends Wait<void> {
  readonly #shared: Permits;
  readonly #label: string;
  constructor(shared: Permits, label: string) {
    super();
    this.#shared = shared;
    this.#label = label;
  }
  look(): boolean {
    if (!this.#shared.tryTake()) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    this.#shared.enlist(waiter);
  }
  retract(waiter: Waiter): void {
    this.#shared.retract(waiter);
  }
  describe(): WaitDescription {
    return { op: 'acquire', object: this.#label };
  }
}
