// mutex.ts: a lock that one greenlet owns, and only its owner releases.
//
// Released, it goes to the oldest waiter at once: nobody who comes later can take it from under it. If its owner ends, it stays locked (what
// it protects may be half done) and is reported, with where it was taken and where the owner was spawned in development mode.
//
// Invariants, between any two steps:
//   owner is undefined  implies  nobody waits
//   owner is defined    implies  this is in the owner's list of locks, and the owner is not done, or abandoned is true
// Sources: threading.Lock, S11 (cycles are thrown), S12 (hand-over).

import { refuseCycle } from './cycle.ts';
import { DeadlockError, NotOwnerError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { kernel, readyResult } from './kernel.ts';
import type { Op, Waitable, WaitDescription } from './op.ts';
import type { OwnedLock } from './side.ts';
import type { Outcome } from './status.ts';
import { use } from './use.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

export class Mutex implements OwnedLock {
  readonly name: string | undefined;
  #owner: Greenlet | undefined = undefined;
  #takenAt: Error | undefined = undefined;
  /** @internal */ readonly waiters: WaitList = new WaitList();
  /** @internal */ nextOwned: OwnedLock | undefined = undefined;
  /** @internal */ prevOwned: OwnedLock | undefined = undefined;
  readonly #acquire: Waitable<void> = new MutexAcquire(this);

  constructor(options: { readonly name?: string | undefined } = {}) {
    this.name = options.name;
  }

  get locked(): boolean {
    return this.#owner !== undefined;
  }

  /** The greenlet that holds it. */
  get owner(): Greenlet | undefined {
    return this.#owner;
  }

  /**
   * Take the lock, waiting for it.
   *
   * Switches only if it is taken. If it throws, it was not taken.
   *
   * @throws DeadlockError if this greenlet holds it, or a cycle of locks and joins would close. @throws Killed if killed while waiting.
   */
  acquire(): Waitable<void> {
    return this.#acquire;
  }

  /** Take the lock if it is free. Never switches. @throws NotInGreenletError outside greenlets: a lock has an owner. */
  tryAcquire(): boolean {
    return this.takeFor(kernel.current);
  }

  /** Release the lock; the oldest waiter has it from now on. Never switches. @throws NotOwnerError if the current greenlet does not own it. */
  release(): void {
    const owner = this.#owner;
    if (owner === undefined || owner !== kernel.current) {
      const held = owner === undefined ? 'nobody holds it' : `${owner.name} holds it`;
      throw new NotOwnerError(`${this.label()} was released by a greenlet that does not own it: ${held}`);
    }
    this.#disown(owner);
    const waiter = this.waiters.shift();
    if (waiter === undefined) return;
    this.#own(waiter.owner());
    waiter.fire(undefined, 0 satisfies Outcome);
  }

  /** Run `op` with the lock held, and release it however `op` ends. */
  use<T>(op: Op<T>): Op<T> {
    return use(this, op);
  }

  /** @internal */
  takeFor(greenlet: Greenlet): boolean {
    if (this.#owner !== undefined) return false;
    this.#own(greenlet);
    return true;
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a mutex' : `mutex ${this.name}`;
  }

  /** @internal */
  abandoned(owner: Greenlet): void {
    const where = this.#takenAt === undefined ? '' : `\ntaken ${stackOf(this.#takenAt)}`;
    const spawned = owner.side?.spawnSite === undefined ? '' : `\nowner spawned ${stackOf(owner.side.spawnSite)}`;
    const message = `${owner.name} ended while it held ${this.label()}, which stays locked: release it in a finally, or use()`;
    owner.scope.scheduler.report(new NotOwnerError(message + where + spawned), owner);
  }

  #own(greenlet: Greenlet): void {
    this.#owner = greenlet;
    const side = greenlet.rare();
    this.nextOwned = side.ownedLocks;
    if (side.ownedLocks !== undefined) side.ownedLocks.prevOwned = this;
    side.ownedLocks = this;
    if (greenlet.scope.scheduler.driver.development) this.#takenAt = new Error('here');
  }

  #disown(owner: Greenlet): void {
    this.#owner = undefined;
    this.#takenAt = undefined;
    const { nextOwned, prevOwned } = this;
    if (prevOwned !== undefined) prevOwned.nextOwned = nextOwned;
    else owner.rare().ownedLocks = nextOwned;
    if (nextOwned !== undefined) nextOwned.prevOwned = prevOwned;
    this.nextOwned = undefined;
    this.prevOwned = undefined;
  }
}

class MutexAcquire extends Wait<void> {
  readonly #mutex: Mutex;
  constructor(mutex: Mutex) {
    super();
    this.#mutex = mutex;
  }
  look(greenlet: Greenlet): boolean {
    if (!this.#mutex.takeFor(greenlet)) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    if (this.#mutex.owner === waiter.owner()) {
      throw new DeadlockError(`${waiter.owner().name} waits for ${this.#mutex.label()}, which it holds itself`, '', [
        waiter.owner(),
      ]);
    }
    refuseCycle(waiter, this);
    this.#mutex.waiters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#mutex.waiters.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'acquire', object: this.#mutex.label(), holder: this.#mutex.owner };
  }
  override blocker(): Greenlet | undefined {
    return this.#mutex.owner;
  }
}

function stackOf(error: Error): string {
  return (error.stack ?? '').split('\n').slice(1).join('\n').trim();
}
