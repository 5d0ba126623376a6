// map.ts: the results of a task over many items, one by one, with a bounded look-ahead.
//
// Items are taken where results are: in `next()`, by whoever asks, so the source runs in no callback and never ahead of the window. Unlike `imap` of a pool it
// needs no greenlet of its own, because a place in the executor is not waited for.
//
// Invariants, between any two steps:
//   futures that are in work, or whose result was not taken  <=  lookAhead
//   somebody waits  implies  the next result is not there yet
// Source: gevent's imap and imap_unordered; Python's Executor.map with a buffer.

import { rangeError, typeError } from '../core/bad-argument.ts';
import { ClosedError } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { kernel, readyResult, requireScheduler } from '../core/kernel.ts';
import { nameOf, type Waitable, type WaitDescription } from '../core/op.ts';
import { DONE, FAILED, LAZY } from '../core/status.ts';
import { createdOrShared } from '../core/unstarted.ts';
import { Wait } from '../core/wait.ts';
import { type Waiter, WaitList } from '../core/wait-list.ts';
import { checkOptions, own, ownFlag } from '../io/address.ts';
import type { Future } from './future.ts';

export interface MapOptions {
  /** Results in the order of their items, true by default; false: as they come. */
  readonly ordered?: boolean | undefined;
  /** How many items may be in work, or finished and not yet taken. Twice the places of the executor by default, 1,000 at most. */
  readonly lookAhead?: number | undefined;
}

type Taken<T> =
  | { readonly ok: true; readonly step: IteratorResult<T, undefined> }
  | { readonly ok: false; readonly error: unknown };

/** The results of `map`, in the order that was asked for. */
export class TaskResults<T> {
  readonly #submit: (item: unknown) => Future<T>;
  readonly #items: Iterator<unknown>;
  readonly #lookAhead: number;
  readonly #next: Waitable<IteratorResult<T, undefined>>;
  readonly #ordered: boolean;
  /** In order: all that were not taken, oldest first. As they come: those that have ended and were not taken. */
  readonly #queue: Set<Future<T>> = new Set();
  readonly #working: Set<Future<T>> = new Set();
  readonly #waiters: WaitList = new WaitList();
  #exhausted = false;
  #failure: { readonly error: unknown } | undefined = undefined;
  #closed = false;
  /** Who called: this is closed when that ends. */
  readonly #owner: Greenlet;
  readonly #ownerEnded = (): void => this.#closeQuietly();

  /** @internal */
  constructor(
    submit: (item: unknown) => Future<T>,
    items: Iterable<unknown>,
    places: number,
    options: MapOptions | undefined,
  ) {
    const given = checkOptions(options, 'map');
    if (typeof (items as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] !== 'function')
      throw typeError(`map takes an iterable of items, not ${nameOf(items)}`);
    const lookAhead = own<unknown>(given, 'lookAhead') ?? Math.min(2 * places, 1_000);
    if (!Number.isInteger(lookAhead) || (lookAhead as number) < 1)
      throw rangeError(`map: lookAhead is a positive integer, not ${String(lookAhead)}`);
    this.#ordered = ownFlag(given, 'ordered', true, 'map');
    this.#lookAhead = lookAhead as number;
    this.#submit = submit;
    this.#items = items[Symbol.iterator]();
    this.#next = new NextResult<T>(this, this.#waiters);
    this.#owner = kernel.current;
    this.#fill();
    if ((this.#owner.status & DONE) === 0) this.#owner.onEnd(this.#ownerEnded);
  }

  /**
   * Wait for the next result; `done` when there is none left.
   *
   * Switches if it is not there yet. @throws what the task threw whose turn it is; the next call goes on behind it. @throws ClosedError after close(). @throws Killed
   * if killed while waiting: no result is lost.
   */
  next(): Waitable<IteratorResult<T, undefined>> {
    return createdOrShared(this.#next, () => new NextResult<T>(this, this.#waiters));
  }

  /** Told by a loop that ends early. Never switches. */
  return(): IteratorResult<T, undefined> {
    this.close();
    return { done: true, value: undefined };
  }

  /** Cancel what is in work, drop what was not taken, and close the source. Idempotent. Never switches. @throws what `return()` of the source throws: it is closed all the same. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.offEnd(this.#ownerEnded);
    this.#queue.clear();
    for (const future of [...this.#working]) future.cancel();
    this.#waiters.fireAll(() => new ClosedError('the results of map() were closed while next() waited'), LAZY);
    if (this.#exhausted) return;
    this.#exhausted = true;
    this.#items.return?.();
  }

  /** The greenlet that called has ended: there is nobody left to throw at. */
  #closeQuietly(): void {
    try {
      this.close();
    } catch (error) {
      requireScheduler().report(error, undefined);
    }
  }

  #fill(): void {
    while (!this.#exhausted && this.#queue.size + (this.#ordered ? 0 : this.#working.size) < this.#lookAhead) {
      try {
        const step = this.#items.next();
        if (step.done === true) {
          this.#exhausted = true;
          return;
        }
        this.#submitItem(step.value);
      } catch (error) {
        // The source failed: that is the last result.
        this.#exhausted = true;
        this.#failure = { error };
      }
    }
  }

  #submitItem(item: unknown): void {
    let future: Future<T>;
    try {
      future = this.#submit(item);
    } catch (error) {
      // That is the last result; the source is told, as by a loop that is left by an error, which counts for more than what the source has to say.
      this.#exhausted = true;
      this.#failure = { error };
      try {
        this.#items.return?.();
      } catch {}
      return;
    }
    this.#started(future);
  }

  #started(future: Future<T>): void {
    this.#working.add(future);
    if (this.#ordered) this.#queue.add(future);
    if (future.done) this.#ended(future);
    else future.onSettled = () => this.#ended(future);
  }

  #ended(future: Future<T>): void {
    this.#working.delete(future);
    if (this.#closed) return;
    if (!this.#ordered) this.#queue.add(future);
    this.#serve();
    // Several wait: the source is asked for them outside this settling, since its code is the user's.
    if (this.#waiters.size > 0) requireScheduler().atTurnEnd(() => this.#refill());
  }

  #refill(): void {
    if (this.#closed || this.#waiters.size === 0) return;
    this.#fill();
    this.#serve();
  }

  #serve(): void {
    while (this.#waiters.size > 0) {
      const taken = this.#take();
      if (taken === undefined) return;
      const waiter = this.#waiters.shift() as Waiter;
      if (taken.ok) waiter.fire(taken.step, 0);
      else waiter.fire(taken.error, FAILED);
    }
  }

  /** The next result, the failure of the source, or the end; undefined if it has to be waited for. */
  #take(): Taken<T> | undefined {
    for (const future of this.#queue) {
      if (!future.done) return undefined;
      this.#queue.delete(future);
      try {
        future.look();
        return { ok: true, step: { done: false, value: readyResult.value as T } };
      } catch (error) {
        return { ok: false, error };
      }
    }
    if (this.#working.size > 0 || !this.#exhausted) return undefined;
    const failure = this.#failure;
    this.#failure = undefined;
    this.#owner.offEnd(this.#ownerEnded);
    return failure === undefined ? { ok: true, step: { done: true, value: undefined } } : { ok: false, ...failure };
  }

  /** @internal */
  look(): boolean {
    if (this.#closed) throw new ClosedError('the results of map() are closed');
    this.#fill();
    const taken = this.#take();
    if (taken === undefined) return false;
    this.#fill();
    if (!taken.ok) throw taken.error;
    readyResult.value = taken.step;
    return true;
  }
}

class NextResult<T> extends Wait<IteratorResult<T, undefined>> {
  readonly #results: TaskResults<T>;
  readonly #waiters: WaitList;
  constructor(results: TaskResults<T>, waiters: WaitList) {
    super();
    this.#results = results;
    this.#waiters = waiters;
  }
  look(): boolean {
    return this.#results.look();
  }
  enlist(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#waiters.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'next', object: 'map' };
  }
}
