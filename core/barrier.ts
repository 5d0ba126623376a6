// barrier.ts: a number of greenlets wait for each other, again and again.
//
// All are released at the moment when the last one arrives; the barrier is then ready for the next round. A party that gives up (killed, timed
// out, or its select took another arm) breaks it: the others would wait for somebody who does not come.
//
// Invariants, between any two steps:
//   fewer than `parties` wait, each with its place of arrival, 0 first
//   broken  implies  nobody waits
// Source: threading.Barrier; S21.

import { rangeError, typeError } from './bad-argument.ts';
import { BrokenBarrierError, UsageError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { readyResult } from './kernel.ts';
import { nameOf, type Waitable, type WaitDescription } from './op.ts';
import { isSettling, whileSettling } from './settling.ts';
import { LAZY } from './status.ts';
import { createdOrShared } from './unstarted.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

export interface BarrierOptions {
  /** Shown in reports and errors. */
  readonly name?: string | undefined;
  /** Called once a round, by the last to arrive, before anybody is released. If it throws, the barrier breaks and that `wait` throws the error. */
  readonly action?: (() => void) | undefined;
}

/** A meeting point for a fixed number of greenlets. */
export class Barrier {
  readonly parties: number;
  readonly name: string | undefined;
  readonly #action: (() => void) | undefined;
  #broken = false;
  /** @internal */ readonly waiters: WaitList = new WaitList();
  readonly #wait: Waitable<number> = new BarrierWait(this);

  /** @throws RangeError if `parties` is no integer >= 1. @throws TypeError if the action is no function. */
  constructor(parties: number, options: BarrierOptions = {}) {
    if (!Number.isInteger(parties) || parties < 1)
      throw rangeError(`a barrier has an integer number of parties >= 1, not ${String(parties)}`);
    if (options.action !== undefined && typeof options.action !== 'function')
      throw typeError(`a barrier's action is a function, not ${nameOf(options.action)}`);
    this.parties = parties;
    this.name = options.name;
    this.#action = options.action;
  }

  /** How many wait now. */
  get waiting(): number {
    return this.waiters.size;
  }

  /** Would `wait` throw? */
  get broken(): boolean {
    return this.#broken;
  }

  /**
   * Arrive, and wait until all parties have. Gives the place of arrival: 0 for the first, `parties - 1` for the last.
   *
   * Switches unless this is the last to arrive. One that was released is released, also when it is killed before it runs.
   * Giving up breaks the barrier for all: so it does as an arm of a select that loses.
   *
   * @throws BrokenBarrierError if the barrier is broken, or breaks or is reset while we wait.
   * @throws UsageError if one select has the same barrier twice. @throws Killed if killed while waiting; then the barrier is broken.
   * @see https://docs.python.org/3/library/threading.html#barrier-objects
   */
  wait(): Waitable<number> {
    return createdOrShared(this.#wait, () => new BarrierWait(this));
  }

  /** Break it: all who wait, and who come, get BrokenBarrierError until `reset`. Never switches. */
  abort(): void {
    this.#broken = true;
    this.#refuseAll();
  }

  /** Make it as new. Those who wait get BrokenBarrierError. Never switches. */
  reset(): void {
    this.#refuseAll();
    this.#broken = false;
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a barrier' : `barrier ${this.name}`;
  }

  /** @internal */
  arrive(): boolean {
    this.#requireWhole();
    if (this.waiters.size + 1 < this.parties) return false;
    if (this.#action !== undefined) this.#act(this.#action);
    this.#release();
    readyResult.value = this.parties - 1;
    return true;
  }

  /** @internal */
  enlist(waiter: Waiter): void {
    // A greenlet is one party. Nothing runs between the arms of one select, so its other arm would be the last to have come.
    if (this.waiters.tail?.owner() === waiter.owner())
      throw new UsageError(`a select has ${this.label()} twice, but a greenlet is one party: give it one arm`);
    waiter.value = this.waiters.size;
    this.waiters.push(waiter);
  }

  /** @internal */
  retract(waiter: Waiter): void {
    this.waiters.remove(waiter);
    if (this.#broken) return;
    this.#broken = true;
    whileSettling([waiter.owner()], () => this.#refuseAll());
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.waiters.check();
    if (this.waiters.size >= this.parties) throw new Error(`${this.label()}: as many wait as are needed`);
    if (this.#broken && this.waiters.size > 0) throw new Error(`${this.label()}: somebody waits though it is broken`);
    let place = 0;
    for (let waiter = this.waiters.head; waiter !== undefined; waiter = waiter.next, place += 1)
      if (waiter.value !== place) throw new Error(`${this.label()}: places of arrival are out of order`);
  }

  #requireWhole(): void {
    if (this.#broken) throw new BrokenBarrierError(this.label());
  }

  #act(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.abort();
      throw error;
    }
    // The action may have called abort() or reset().
    this.#requireWhole();
    if (this.waiters.size + 1 < this.parties) throw new BrokenBarrierError(this.label());
  }

  #release(): void {
    const { waiters } = this;
    const owners: Greenlet[] = [];
    for (let waiter = waiters.head; waiter !== undefined; waiter = waiter.next) owners.push(waiter.owner());
    // All of them have arrived: that one is released must not take another away, through what their selects retract.
    whileSettling(owners, () => {
      for (let waiter = waiters.shift(); waiter !== undefined; waiter = waiters.shift()) waiter.fire(waiter.value, 0);
    });
  }

  // One whose wait is being decided is left: it is about to be retracted.
  #refuseAll(): void {
    let waiter = this.waiters.head;
    while (waiter !== undefined) {
      if (isSettling(waiter)) {
        waiter = waiter.next;
        continue;
      }
      this.waiters.remove(waiter);
      waiter.fire(() => new BrokenBarrierError(this.label()), LAZY);
      waiter = this.waiters.head;
    }
  }
}

class BarrierWait extends Wait<number> {
  readonly #barrier: Barrier;
  constructor(barrier: Barrier) {
    super();
    this.#barrier = barrier;
  }
  look(): boolean {
    return this.#barrier.arrive();
  }
  enlist(waiter: Waiter): void {
    this.#barrier.enlist(waiter);
  }
  retract(waiter: Waiter): void {
    this.#barrier.retract(waiter);
  }
  describe(): WaitDescription {
    return { op: 'wait', object: this.#barrier.label() };
  }
}
