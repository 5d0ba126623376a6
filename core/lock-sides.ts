// lock-sides.ts: the two sides of a read-write lock, each used like any lock.
//
// Whose turn it is, is decided in rw-lock.ts; a side knows who holds it and takes for one greenlet.
// Many hold the read side, so each has a hold of its own; the write side is a hold itself.

import type { Greenlet } from './greenlet.ts';
import { Hold, notOwner, requireCaller } from './hold.ts';
import { kernel } from './kernel.ts';
import { type Lockable, LockWait } from './lock-wait.ts';
import type { Op, Waitable } from './op.ts';
import type { RWLock } from './rw-lock.ts';
import { createdOrShared } from './unstarted.ts';
import { use } from './use.ts';
import type { Waiter } from './wait-list.ts';

/** One side of an RWLock, used like any lock. */
export interface LockSide {
  /**
   * Take this side, waiting for it.
   *
   * Switches only if it has to wait. If it throws, it was not taken.
   *
   * @throws DeadlockError if this greenlet holds the lock in a way that it would wait for itself (to write while it reads or writes, to read while
   * it writes), or a cycle of locks and joins would close. @throws Killed if killed while waiting.
   */
  acquire(): Waitable<void>;
  /** Take this side if that needs no waiting. Never switches. @throws NotInGreenletError outside greenlets: a hold has an owner. */
  tryAcquire(): boolean;
  /** Release it; who is next in line has it from now on. Never switches. @throws NotOwnerError if the current greenlet does not hold it. */
  release(): void;
  /** Run `op` with this side held, and release it however `op` ends. */
  use<T>(op: Op<T>): Op<T>;
}

/** What a waiter's value is in the line. */
export const READ = 'read';
export const WRITE = 'write';

/** One greenlet reads. */
export class ReadHold extends Hold {
  readonly #lock: RWLock;
  /** How often it took the read side. */
  depth = 1;
  constructor(lock: RWLock) {
    super();
    this.#lock = lock;
  }
  label(): string {
    return `the read side of ${this.#lock.label()}`;
  }
}

export class ReadSide implements LockSide, Lockable {
  readonly #lock: RWLock;
  readonly #acquire: Waitable<void> = new LockWait(this);

  constructor(lock: RWLock) {
    this.#lock = lock;
  }

  acquire(): Waitable<void> {
    return createdOrShared(this.#acquire, () => new LockWait(this));
  }

  tryAcquire(): boolean {
    return this.takeFor(requireCaller('tryAcquire'));
  }

  release(): void {
    const { readHolds, writer } = this.#lock;
    const hold = readHolds.get(kernel.current);
    if (hold === undefined) {
      const others = readHolds.size === 0 ? 'nobody holds it' : `${readHolds.size} others read`;
      throw notOwner(this.label(), 'released', writer === undefined ? others : `${writer.name} writes`);
    }
    hold.depth -= 1;
    if (hold.depth > 0) return;
    hold.disown();
    readHolds.delete(kernel.current);
    this.#lock.admit();
  }

  use<T>(op: Op<T>): Op<T> {
    return use(this, op);
  }

  get open(): boolean {
    return this.#lock.writer === undefined;
  }

  grant(greenlet: Greenlet): void {
    const hold = new ReadHold(this.#lock);
    hold.own(greenlet);
    this.#lock.readHolds.set(greenlet, hold);
  }

  takeFor(greenlet: Greenlet): boolean {
    const hold = this.#lock.readHolds.get(greenlet);
    if (hold !== undefined) {
      hold.depth += 1;
      return true;
    }
    if (!this.open || this.#lock.line.size > 0) return false;
    this.grant(greenlet);
    return true;
  }

  enlist(waiter: Waiter): void {
    waiter.value = READ;
    this.#lock.line.push(waiter);
  }

  retract(waiter: Waiter): void {
    this.#lock.retract(waiter);
  }

  /** The writer; while others read, whoever is first in line to write. */
  blocker(): Greenlet | undefined {
    return this.#lock.writer ?? this.#lock.line.head?.owner();
  }

  holder(): Greenlet | undefined {
    return this.#lock.holder();
  }

  ownObstacle(greenlet: Greenlet): string | undefined {
    return this.#lock.writer === greenlet ? 'but holds its write side itself: release that first' : undefined;
  }

  label(): string {
    return `the read side of ${this.#lock.label()}`;
  }
}

export class WriteSide extends Hold implements LockSide, Lockable {
  readonly #lock: RWLock;
  readonly #acquire: Waitable<void> = new LockWait(this);

  constructor(lock: RWLock) {
    super();
    this.#lock = lock;
  }

  acquire(): Waitable<void> {
    return createdOrShared(this.#acquire, () => new LockWait(this));
  }

  tryAcquire(): boolean {
    return this.takeFor(requireCaller('tryAcquire'));
  }

  release(): void {
    this.requireOwner('released');
    this.disown();
    this.#lock.admit();
  }

  use<T>(op: Op<T>): Op<T> {
    return use(this, op);
  }

  get open(): boolean {
    return this.owner === undefined && this.#lock.readers === 0;
  }

  grant(greenlet: Greenlet): void {
    this.own(greenlet);
  }

  takeFor(greenlet: Greenlet): boolean {
    if (!this.open) return false; // if it is open, nobody waits
    this.own(greenlet);
    return true;
  }

  enlist(waiter: Waiter): void {
    waiter.value = WRITE;
    this.#lock.line.push(waiter);
  }

  retract(waiter: Waiter): void {
    this.#lock.retract(waiter);
  }

  blocker(): Greenlet | undefined {
    return this.#lock.holder();
  }

  holder(): Greenlet | undefined {
    return this.#lock.holder();
  }

  ownObstacle(greenlet: Greenlet): string | undefined {
    if (this.owner === greenlet) return 'which it holds itself';
    if (this.#lock.readHolds.has(greenlet))
      return 'but holds its read side itself: release that first, there is no upgrade';
    return undefined;
  }

  label(): string {
    return `the write side of ${this.#lock.label()}`;
  }
}
