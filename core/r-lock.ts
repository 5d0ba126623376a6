// r-lock.ts: a lock that its owner may take again, and has to release as often as it took it.
//
// Hand-over, ownership and reports are in exclusive-lock.ts.
//
// Invariant, between any two steps: owner is undefined  implies  depth is 0, and otherwise depth is at least 1.
// Sources: threading.RLock, gevent.lock.RLock; S11, S12.

import { ExclusiveLock } from './exclusive-lock.ts';

export class RLock extends ExclusiveLock {
  /** How often the owner took it again. */
  #again = 0;

  /** How many releases it takes until it is free; 0 if it is. */
  get depth(): number {
    return this.owner === undefined ? 0 : this.#again + 1;
  }

  /**
   * Undo one `acquire`; with the last one the oldest waiter has the lock. Never switches.
   *
   * @throws NotOwnerError if the current greenlet does not own it.
   * @see https://docs.python.org/3/library/threading.html#rlock-objects
   */
  override release(): void {
    this.requireOwner('released');
    if (this.#again === 0) super.release();
    else this.#again -= 1;
  }

  /** @internal */
  override surrender(): number {
    const taken = this.#again;
    this.requireOwner('released');
    this.#again = 0;
    super.release();
    return taken;
  }

  /** @internal */
  override regained(taken: number): void {
    this.#again = taken;
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'an RLock' : `RLock ${this.name}`;
  }

  protected override takenAgain(): boolean {
    this.#again += 1;
    return true;
  }

  override check(): void {
    super.check();
    if (this.owner === undefined && this.#again !== 0) throw new Error(`${this.label()}: it is free and has a depth`);
  }
}
