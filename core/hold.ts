// hold.ts: the fact that one greenlet holds one lock.
//
// It is linked into the greenlet's list of what it holds. If the greenlet ends, the hold stays (what the lock protects may be half done) and
// is reported, with where it was taken and where the greenlet was spawned in development mode.
//
// Invariants, between any two steps:
//   owner is defined  if and only if  this is in the owner's list of locks, or the owner has ended and was reported
// Source: S11; Rust's poisoned mutex, but with a report in place of an error for whoever comes next.

import { NotInGreenletError, NotOwnerError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { kernel } from './kernel.ts';
import type { OwnedLock } from './side.ts';
import { DONE } from './status.ts';

export abstract class Hold implements OwnedLock {
  #owner: Greenlet | undefined = undefined;
  #takenAt: Error | undefined = undefined;
  /** @internal */ nextOwned: OwnedLock | undefined = undefined;
  /** @internal */ prevOwned: OwnedLock | undefined = undefined;

  /** What is held, for reports. @internal */
  abstract label(): string;

  /** The greenlet that holds it. */
  get owner(): Greenlet | undefined {
    return this.#owner;
  }

  /** @internal */
  own(greenlet: Greenlet): void {
    this.#owner = greenlet;
    const side = greenlet.rare();
    this.nextOwned = side.ownedLocks;
    if (side.ownedLocks !== undefined) side.ownedLocks.prevOwned = this;
    side.ownedLocks = this;
    if (greenlet.scope.scheduler.driver.development) this.#takenAt = new Error('here');
  }

  /** @internal */
  disown(): void {
    const owner = this.#owner as Greenlet;
    this.#owner = undefined;
    this.#takenAt = undefined;
    const { nextOwned, prevOwned } = this;
    if (prevOwned !== undefined) prevOwned.nextOwned = nextOwned;
    else owner.rare().ownedLocks = nextOwned;
    if (nextOwned !== undefined) nextOwned.prevOwned = prevOwned;
    this.nextOwned = undefined;
    this.prevOwned = undefined;
  }

  /** @internal */
  abandoned(owner: Greenlet): void {
    const where = this.#takenAt === undefined ? '' : `\ntaken ${stackOf(this.#takenAt)}`;
    const spawned = owner.side?.spawnSite === undefined ? '' : `\nowner spawned ${stackOf(owner.side.spawnSite)}`;
    const message = `${owner.name} ended while it held ${this.label()}, which stays locked: release it in a finally, or use()`;
    owner.scope.scheduler.report(new NotOwnerError(message + where + spawned), owner);
  }

  /** The current greenlet, if it is the owner. @internal */
  requireOwner(verb: string): Greenlet {
    const owner = this.#owner;
    if (owner !== undefined && owner === kernel.current) return owner;
    throw notOwner(this.label(), verb, owner === undefined ? 'nobody holds it' : `${owner.name} holds it`);
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    const owner = this.#owner;
    if (owner === undefined || owner.state === 'done') return;
    let lock = owner.side?.ownedLocks;
    while (lock !== undefined && lock !== this) lock = lock.nextOwned;
    if (lock === undefined) throw new Error(`${this.label()}: it is not in its owner's list`);
  }
}

/** The error of whoever uses a lock that is not theirs; `held` says whose it is. */
export function notOwner(label: string, verb: string, held: string): NotOwnerError {
  return new NotOwnerError(`${label} was ${verb} by a greenlet that does not own it: ${held}`);
}

/** The greenlet that makes this call. @throws NotInGreenletError in ordinary code. */
export function requireCaller(op: string): Greenlet {
  if ((kernel.current.status & DONE) !== 0) throw new NotInGreenletError(op);
  return kernel.current;
}

function stackOf(error: Error): string {
  return String(error.stack).split('\n').slice(1).join('\n').trim();
}
