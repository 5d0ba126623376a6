// lock-wait.ts: waiting for a lock, the same for every lock that knows its owner.
//
// The start throws what would never end: waiting for oneself, and closing a cycle of locks and joins (S11).
// It is not the lock: who holds it, and whose turn it is, is the lock's to say.

import { refuseCycle } from './cycle.ts';
import { DeadlockError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { readyResult } from './kernel.ts';
import type { WaitDescription } from './op.ts';
import { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';

/** What a LockWait asks of its lock. */
export interface Lockable {
  label(): string;
  /** Take it for `greenlet` if it is free and nobody waits. */
  takeFor(greenlet: Greenlet): boolean;
  enlist(waiter: Waiter): void;
  retract(waiter: Waiter): void;
  /** The one greenlet that has to act first, if there is just one. */
  blocker(): Greenlet | undefined;
  /** The one greenlet that holds it, for reports. */
  holder(): Greenlet | undefined;
  /** Why `greenlet` would wait for itself; undefined if it would not. */
  ownObstacle(greenlet: Greenlet): string | undefined;
}

export class LockWait extends Wait<void> {
  readonly #lock: Lockable;
  constructor(lock: Lockable) {
    super();
    this.#lock = lock;
  }

  look(greenlet: Greenlet): boolean {
    if (!this.#lock.takeFor(greenlet)) return false;
    readyResult.value = undefined;
    return true;
  }

  enlist(waiter: Waiter): void {
    const owner = waiter.owner();
    const obstacle = this.#lock.ownObstacle(owner);
    if (obstacle !== undefined)
      throw new DeadlockError(`${owner.name} waits for ${this.#lock.label()}, ${obstacle}`, '', [owner]);
    refuseCycle(waiter, this);
    this.#lock.enlist(waiter);
  }

  retract(waiter: Waiter): void {
    this.#lock.retract(waiter);
  }

  describe(): WaitDescription {
    return { op: 'acquire', object: this.#lock.label(), holder: this.#lock.holder() };
  }

  override blocker(): Greenlet | undefined {
    return this.#lock.blocker();
  }
}

/**
 * Waiting for a lock that one must have back, whatever happens (Condition).
 *
 * It throws no DeadlockError: the caller could do nothing but try again. A cycle that it closes is left to the deadlock report; one that
 * another greenlet closes later is thrown there.
 */
export class LockRegain extends LockWait {
  readonly #lock: Lockable;
  constructor(lock: Lockable) {
    super(lock);
    this.#lock = lock;
  }

  override enlist(waiter: Waiter): void {
    this.#lock.enlist(waiter);
  }

  override describe(): WaitDescription {
    return { ...super.describe(), op: 'acquire again' };
  }
}
