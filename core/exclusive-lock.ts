// exclusive-lock.ts: a lock that one greenlet at a time owns, and only its owner releases: what Mutex and RLock share.
//
// Released, it goes to the oldest waiter at once: nobody who comes later can take it from under it. If its owner ends, it stays locked and is
// reported (hold.ts). What happens when its owner asks for it again is the one thing that the two do differently.
//
// Invariant, between any two steps: owner is undefined  implies  nobody waits.
// Sources: threading.Lock, S11 (cycles are thrown), S12 (hand-over).

import type { Greenlet } from './greenlet.ts';
import { Hold, requireCaller } from './hold.ts';
import { kernel } from './kernel.ts';
import { LockRegain, LockWait } from './lock-wait.ts';
import type { Op, Waitable } from './op.ts';
import { created } from './unstarted.ts';
import { use } from './use.ts';
import { type Waiter, WaitList } from './wait-list.ts';

export abstract class ExclusiveLock extends Hold {
  readonly name: string | undefined;
  /** @internal */ readonly waiters: WaitList = new WaitList();
  readonly #acquire: Waitable<void> = new LockWait(this);
  #regain: Waitable<void> | undefined;

  constructor(options: { readonly name?: string | undefined } = {}) {
    super();
    this.name = options.name;
  }

  get locked(): boolean {
    return this.owner !== undefined;
  }

  /**
   * Take the lock, waiting for it.
   *
   * Switches only if another greenlet has it. If it throws, it was not taken.
   *
   * @throws DeadlockError if a cycle of locks and joins would close; of a Mutex also if this greenlet holds it already.
   * @throws Killed if killed while waiting.
   */
  acquire(): Waitable<void> {
    return kernel.watch === undefined ? this.#acquire : created(new LockWait(this));
  }

  /** Take the lock if that needs no waiting. Never switches. @throws NotInGreenletError outside greenlets: a lock has an owner. */
  tryAcquire(): boolean {
    return this.takeFor(requireCaller('tryAcquire'));
  }

  /** Release the lock; the oldest waiter has it from now on. Never switches. @throws NotOwnerError if the current greenlet does not own it. */
  release(): void {
    this.requireOwner('released');
    this.disown();
    const waiter = this.waiters.shift();
    if (waiter === undefined) return;
    this.own(waiter.owner());
    waiter.fire(undefined, 0);
  }

  /** Run `op` with the lock held, and release it however `op` ends. Switches as `acquire` and `op` do. */
  use<T>(op: Op<T>): Op<T> {
    return use(this, op);
  }

  /** @internal */
  takeFor(greenlet: Greenlet): boolean {
    if (this.owner !== undefined) return this.owner === greenlet && this.takenAgain();
    this.own(greenlet);
    return true;
  }

  /** Its owner asks for it: true if it may have it once more. */
  protected takenAgain(): boolean {
    return false;
  }

  /** Release it however often it was taken; `regained` is given what this returns. @internal */
  surrender(): number {
    this.release();
    return 0;
  }

  /** The owner has it again, as it had it before `surrender`. @internal */
  regained(_taken: number): void {}

  /** Take it as `acquire` does, but closing a cycle is no error. @internal */
  regain(): Waitable<void> {
    this.#regain ??= new LockRegain(this);
    return this.#regain;
  }

  /** @internal */
  enlist(waiter: Waiter): void {
    this.waiters.push(waiter);
  }

  /** @internal */
  retract(waiter: Waiter): void {
    this.waiters.remove(waiter);
  }

  /** @internal */
  blocker(): Greenlet | undefined {
    return this.owner;
  }

  /** @internal */
  holder(): Greenlet | undefined {
    return this.owner;
  }

  /** @internal */
  ownObstacle(greenlet: Greenlet): string | undefined {
    return this.owner === greenlet ? 'which it holds itself' : undefined;
  }

  override check(): void {
    super.check();
    this.waiters.check();
    if (this.owner === undefined && this.waiters.size > 0)
      throw new Error(`${this.label()}: somebody waits beside a free lock`);
  }
}
