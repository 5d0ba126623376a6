// shared-mutex.ts: a lock that one greenlet of one thread owns at a time.
//
// Who may have it, and in which order, is in permits.ts; here is who owns it: in this thread a greenlet, as with core's Mutex, and for other threads the id
// of ours. If the greenlet ends, the lock stays locked and that is reported (hold.ts). If the thread ends, nothing is told to anybody: whoever hears of it, by
// the `exit` of the worker, takes the lock over, because what it protects may be half done.
//
// Invariant, between any two steps: owner is defined  if and only if  the place (places.ts) says this thread, but for a take-over that was not justified.
// Sources: core's Mutex; POSIX robust mutexes (EOWNERDEAD gives the lock to whoever repairs).

import { threadId } from 'node:worker_threads';
import { typeError } from '../../core/bad-argument.ts';
import { UsageError } from '../../core/errors.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { Hold, requireCaller } from '../../core/hold.ts';
import { LockWait } from '../../core/lock-wait.ts';
import type { Op, Waitable } from '../../core/op.ts';
import { createdOrShared } from '../../core/unstarted.ts';
import { use } from '../../core/use.ts';
import type { Waiter } from '../../core/wait-list.ts';
import { shownValue } from '../../io/address.ts';
import { checkHandle, nameIn, type SharedHandle, type SharedOptions } from './handle.ts';
import { Permits } from './permits.ts';
import { BYTES, OwnedPlace } from './places.ts';

const KIND = 'tendril.SharedMutex';

/** A lock between threads: one greenlet has it, and only that one releases it. */
export class SharedMutex extends Hold {
  readonly name: string | undefined;
  /** What another thread gives to `SharedMutex.from`. */
  readonly handle: SharedHandle<typeof KIND>;
  readonly #permits: Permits;
  readonly #place: OwnedPlace;
  readonly #acquire: Waitable<void> = new LockWait(this);

  /** @param adopted is for `from`. @throws TypeError for a bad option. */
  constructor(options?: SharedOptions, adopted?: SharedHandle<typeof KIND>) {
    super();
    this.name = adopted === undefined ? nameIn(options, 'SharedMutex') : adopted.name;
    this.handle = adopted ?? { kind: KIND, buffer: new SharedArrayBuffer(BYTES), name: this.name };
    this.#place = new OwnedPlace(new Int32Array(this.handle.buffer));
    this.#permits = new Permits(this.#place, { granted: (waiter) => this.own(waiter.owner()) });
  }

  /** The same lock in this thread, of the handle that another thread has sent. Never switches. @throws TypeError if it is none. */
  static from(handle: SharedHandle<typeof KIND>): SharedMutex {
    return new SharedMutex(undefined, checkHandle(handle, KIND, BYTES, 'SharedMutex.from'));
  }

  /** Does somebody have it, in whatever thread? It may be otherwise at once. */
  get locked(): boolean {
    return this.#permits.unheld === 0;
  }

  /** The id of the thread that has it; undefined if none has. */
  get ownerThread(): number | undefined {
    return this.#place.owner();
  }

  /**
   * Take the lock, waiting for it.
   *
   * Switches only if somebody has it, and never blocks the event loop. If it throws, it was not taken. Greenlets of one thread are served in order; no
   * thread is passed over for ever.
   *
   * @throws DeadlockError if a cycle of locks and joins of this thread would close; also if this greenlet holds it already. @throws Killed if killed while
   * waiting.
   */
  acquire(): Waitable<void> {
    return createdOrShared(this.#acquire, () => new LockWait(this));
  }

  /** Take the lock if that needs no waiting. Never switches. @throws NotInGreenletError outside greenlets: a lock has an owner. */
  tryAcquire(): boolean {
    return this.takeFor(requireCaller('tryAcquire'));
  }

  /** Release the lock. Never switches. @throws NotOwnerError if the current greenlet does not own it. */
  release(): void {
    this.requireOwner('released');
    this.disown();
    this.#permits.release();
  }

  /** Run `op` with the lock held, and release it however `op` ends. Switches as `acquire` and `op` do. */
  use<T>(op: Op<T>): Op<T> {
    return use(this, op);
  }

  /**
   * Take the lock over from a thread that has ended while it had it. False if that thread does not have it. Never switches.
   *
   * From then on the current greenlet owns it: repair what the lock protects, then release. Of several who try, one gets it. The thread must have
   * ended: one that lives goes on believing that the lock is its own.
   *
   * @param endedThread its id: `worker.threadId`, which has to be kept, because it is -1 after the end.
   * @throws TypeError if that is no thread's id. @throws UsageError if it is this thread's own. @throws NotInGreenletError outside greenlets.
   */
  takeOver(endedThread: number): boolean {
    if (!Number.isInteger(endedThread) || endedThread < 0)
      throw typeError(
        `takeOver takes the id of a thread, a number >= 0 that was read before it ended, not ${shownValue(endedThread)}`,
      );
    if (endedThread === threadId)
      throw new UsageError('takeOver: this thread has not ended: let the greenlet that owns the lock release it');
    const caller = requireCaller('takeOver');
    if (!this.#place.takeFrom(endedThread)) return false;
    this.own(caller);
    return true;
  }

  /** See Permits. @internal */
  get found(): number {
    return this.#permits.found;
  }

  /** @internal */
  takeFor(greenlet: Greenlet): boolean {
    if (this.owner !== undefined || !this.#permits.tryTake()) return false;
    this.own(greenlet);
    return true;
  }

  /** @internal */
  enlist(waiter: Waiter): void {
    this.#permits.enlist(waiter);
  }

  /** @internal */
  retract(waiter: Waiter): void {
    this.#permits.retract(waiter);
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

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a shared mutex' : `shared mutex ${this.name}`;
  }

  override check(): void {
    super.check();
    this.#permits.check();
  }
}
