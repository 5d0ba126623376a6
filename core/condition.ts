// condition.ts: wait, with a lock let go, until another greenlet says that what the lock protects has changed.
//
// `wait` releases the lock at the very moment at which it begins to wait, and has it again when it returns or throws: taking it back is masked from
// kills and timeouts. Being notified is committed at `notify`; who is killed after that returns, and who is killed before it has used up nothing.
//
// It is no Waitable: it waits twice, so a select could take it half way.
// Invariant: whoever is in `waiters` does not hold the lock, unless it was handed over to them elsewhere since.
// Sources: threading.Condition (names, notify only with the lock), trio.Condition (masked reacquire); S21.

import { rangeError, typeError } from './bad-argument.ts';
import type { ExclusiveLock } from './exclusive-lock.ts';
import { attentionChanged } from './frame.ts';
import type { Greenlet } from './greenlet.ts';
import { requireCaller } from './hold.ts';
import { readyResult } from './kernel.ts';
import { Mutex } from './mutex.ts';
import { nameOf, type Op, type Resume, type Trap, type Waitable, type WaitDescription } from './op.ts';
import { RLock } from './r-lock.ts';
import { shield } from './shield.ts';
import { created, createdOrShared } from './unstarted.ts';
import { use } from './use.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

/** Wait, with a lock released, until somebody who holds it says that something has changed. */
export class Condition {
  readonly name: string | undefined;
  /** The lock that goes with it. */
  readonly lock: Mutex | RLock;
  /** @internal */ readonly waiters: WaitList = new WaitList();
  readonly #wait: Op<void> = new ConditionWait(this, undefined);

  /** @param lock shared with other conditions if given; a new RLock otherwise. @throws TypeError if it is no Mutex or RLock. */
  constructor(lock?: Mutex | RLock, options: { readonly name?: string | undefined } = {}) {
    if (lock !== undefined && !(lock instanceof Mutex || lock instanceof RLock))
      throw typeError(`a condition takes a Mutex or an RLock, not ${nameOf(lock)}`);
    this.name = options.name;
    this.lock = lock ?? new RLock({ name: options.name });
  }

  /** How many wait to be notified. */
  get waiting(): number {
    return this.waiters.size;
  }

  /** Take the lock: `lock.acquire()`. */
  acquire(): Waitable<void> {
    return this.lock.acquire();
  }

  /** Take the lock if that needs no waiting: `lock.tryAcquire()`. */
  tryAcquire(): boolean {
    return this.lock.tryAcquire();
  }

  /** Release the lock: `lock.release()`. */
  release(): void {
    this.lock.release();
  }

  /** Run `op` with the lock held, and release it however `op` ends. */
  use<T>(op: Op<T>): Op<T> {
    return use(this, op);
  }

  /**
   * Release the lock (an RLock however often it was taken), wait to be notified, and take the lock again.
   *
   * Always switches. The caller has the lock again when it returns or throws; waiting for that cannot be interrupted. What was waited for need
   * not hold any more by then: use it in a loop, or `waitFor`. To limit it: `timeout(ms, condition.wait(), {else})`.
   *
   * @throws NotOwnerError if the caller does not have the lock. @throws Killed if killed before it was notified.
   * @see https://docs.python.org/3/library/threading.html#condition-objects
   */
  wait(): Op<void> {
    return createdOrShared(this.#wait, () => new ConditionWait<void>(this, undefined));
  }

  /**
   * Wait until `predicate()` gives something truthy, and give that. It is asked at once, and after each notification, with the lock held.
   *
   * Switches only if it has to wait. What `predicate` throws is thrown, with the lock held. As `wait` otherwise.
   *
   * @throws TypeError if `predicate` is no function.
   */
  waitFor<T>(predicate: () => T): Op<T> {
    if (typeof predicate !== 'function') throw typeError(`waitFor takes a function, not ${nameOf(predicate)}`);
    return created(new ConditionWait(this, predicate));
  }

  /**
   * Wake the `count` greenlets that have waited longest; they run when they have the lock again. Never switches.
   *
   * @throws NotOwnerError if the caller does not have the lock. @throws RangeError if `count` is no integer >= 0 or Infinity.
   */
  notify(count = 1): void {
    if (count !== Number.POSITIVE_INFINITY && (!Number.isInteger(count) || count < 0))
      throw rangeError(`notify takes an integer >= 0 or Infinity, not ${String(count)}`);
    this.lock.requireOwner('used for notify');
    for (let left = count; left > 0; left -= 1) {
      const waiter = this.waiters.shift();
      if (waiter === undefined) return;
      waiter.fire(undefined, 0);
    }
  }

  /** Wake all who wait. Never switches. @throws NotOwnerError if the caller does not have the lock. */
  notifyAll(): void {
    this.notify(Number.POSITIVE_INFINITY);
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a condition' : `condition ${this.name}`;
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.waiters.check();
    this.lock.check();
    for (let waiter = this.waiters.head; waiter !== undefined; waiter = waiter.next)
      if (waiter.owner() === this.lock.owner) throw new Error(`${this.label()}: one who waits has the lock`);
  }
}

class ConditionWait<T> implements Op<T> {
  readonly #condition: Condition;
  readonly #predicate: (() => T) | undefined;
  constructor(condition: Condition, predicate: (() => T) | undefined) {
    this.#condition = condition;
    this.#predicate = predicate;
  }

  *[Symbol.iterator](): Generator<Trap, T, Resume> {
    const { lock } = this.#condition;
    const me = requireCaller(`wait on ${this.#condition.label()}`);
    lock.requireOwner('used for wait');
    let notified = new Notified(this.#condition, this.#predicate);
    for (;;) {
      try {
        const value = yield* notified;
        if (lock.owner === me) return value as T; // the predicate held at once
      } catch (error) {
        // Not in a finally: a greenlet that is closed by force (S3) must not start to wait again.
        if (lock.owner !== me) yield* regain(lock, me, notified.taken);
        throw error;
      }
      yield* regain(lock, me, notified.taken);
      if (this.#predicate === undefined) return undefined as T;
      const value = this.#predicate();
      if (value) return value;
      notified = new Notified(this.#condition, undefined); // it has just been asked
    }
  }
}

/** To be notified. Releases the lock when it begins to wait, and not before: one that throws at its start has not let go. */
class Notified extends Wait<unknown> {
  readonly #condition: Condition;
  readonly #predicate: (() => unknown) | undefined;
  /** How often the lock was taken. A Notified serves one wait only. */
  taken = 0;

  constructor(condition: Condition, predicate: (() => unknown) | undefined) {
    super();
    this.#condition = condition;
    this.#predicate = predicate;
  }

  look(): boolean {
    if (this.#predicate === undefined) return false;
    const value = this.#predicate();
    if (!value) return false;
    readyResult.value = value;
    return true;
  }

  enlist(waiter: Waiter): void {
    this.taken = this.#condition.lock.surrender();
    this.#condition.waiters.push(waiter);
  }

  retract(waiter: Waiter): void {
    this.#condition.waiters.remove(waiter);
  }

  describe(): WaitDescription {
    return { op: 'wait', object: this.#condition.label() };
  }
}

/**
 * Take the lock again, whatever happens. A shield masks kills and timeouts but not `throw()`: errors thrown meanwhile are put back, for the next
 * blocking point, so that a notification that was received is not lost.
 */
function* regain(lock: ExclusiveLock, me: Greenlet, taken: number): Generator<Trap, void, Resume> {
  const late: unknown[] = [];
  while (lock.owner !== me && !lock.takeFor(me)) {
    const { parks } = me;
    const pending = me.side?.throws !== undefined;
    try {
      yield* shield(Number.POSITIVE_INFINITY, lock.regain());
    } catch (error) {
      // Not a throw() but a failure to start (the stack is full): trying again would fail again, for ever.
      if (!pending && me.parks === parks) throw error;
      late.push(error);
    }
  }
  lock.regained(taken);
  if (late.length === 0) return;
  const side = me.rare();
  side.throws = late.concat(side.throws ?? []);
  attentionChanged(me);
}
