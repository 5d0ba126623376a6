// imap.ts: the results of a body over many items, one by one, with a bounded look-ahead.
//
// A feeder greenlet takes items, makes members for them and stops when `lookAhead` of them are in work or waiting to be taken. `next()` is a
// Waitable. An item that fails throws where its result would have been; the others go on.
//
// Invariants, between any two steps:
//   started - taken <= lookAhead
//   somebody waits in next()  implies  no result is there for it, and the feeder or a child is alive
// Source: gevent's imap and imap_unordered (maxsize).

/// <reference lib="esnext.disposable" preserve="true" />

import { rangeError } from './bad-argument.ts';
import type { AnyBody } from './body.ts';
import { failureOf } from './end.ts';
import { ClosedError, isKilled } from './errors.ts';
import { Greenlet } from './greenlet.ts';
import { kernel, readyResult } from './kernel.ts';
import type { Members } from './members.ts';
import type { Op, Waitable, WaitDescription } from './op.ts';
import { Semaphore } from './semaphore.ts';
import { DONE, FAILED, LAZY } from './status.ts';
import { createdOrShared } from './unstarted.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

export interface ImapOptions {
  /** How many items may be in work, or finished and not yet taken. Twice the size of a pool, 16 in a group, if not given. */
  readonly lookAhead?: number | undefined;
}

type Result<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: unknown };

export class MapIterator<R> {
  readonly #members: Members;
  readonly #body: AnyBody<R>;
  readonly #ordered: boolean;
  readonly #window: Semaphore;
  /** Results by position; in arrival order, the position is that of the arrival. */
  readonly #results: Map<number, Result<R>> = new Map();
  readonly #children: Set<Greenlet> = new Set();
  readonly #waiters: WaitList = new WaitList();
  readonly #next: Waitable<IteratorResult<R, undefined>>;
  readonly #feeder: Greenlet;
  /** Who called: this is closed when that ends. */
  readonly #owner: Greenlet;
  readonly #ownerEnded = (): void => this.close();
  #started = 0;
  #arrived = 0;
  #taken = 0;
  #fed = false;
  #closed = false;

  constructor(members: Members, body: AnyBody<R>, items: Iterable<unknown>, ordered: boolean, options: ImapOptions) {
    this.#members = members;
    this.#body = body;
    this.#ordered = ordered;
    const lookAhead = options.lookAhead ?? members.usualLookAhead;
    if (!Number.isInteger(lookAhead) || lookAhead < 1) {
      throw rangeError(`imap: lookAhead is a positive integer, not ${String(lookAhead)}`);
    }
    this.#window = new Semaphore(lookAhead, { name: 'look-ahead of imap' });
    this.#next = new ImapNext<R>(this, this.#waiters);
    this.#feeder = new Greenlet(() => this.#feed(items)) as Greenlet;
    this.#feeder.start();
    this.#owner = kernel.current;
    if ((this.#owner.status & DONE) === 0) this.#owner.onEnd(this.#ownerEnded);
  }

  /**
   * Wait for the next result; `done` when there is none left.
   *
   * Switches if it is not there yet. @throws the error of the item whose turn it is; the next call goes on behind it. @throws ClosedError after
   * close(). @throws Killed if killed while waiting: no result is lost.
   */
  next(): Waitable<IteratorResult<R, undefined>> {
    return createdOrShared(this.#next, () => new ImapNext<R>(this, this.#waiters));
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Kill what is in work and drop what was not taken. Idempotent. Never switches. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.offEnd(this.#ownerEnded);
    this.#feeder.kill('imap was closed');
    for (const child of this.#children) child.kill('imap was closed');
    this.#waiters.fireAll(() => new ClosedError('imap was closed while next() waited'), LAZY);
  }

  *#feed(items: Iterable<unknown>): Op<void> {
    try {
      for (const item of items) {
        yield* this.#window.acquire();
        const position = this.#started;
        this.#started += 1;
        this.#watch(position, yield* this.#members.spawnInto<R>(undefined, this.#body, [item]));
      }
    } catch (error) {
      if (isKilled(error)) throw error;
      // The items themselves, or the body's call, failed: that is the last result.
      this.#settle(this.#started, { ok: false, error });
      this.#started += 1;
    } finally {
      this.#fed = true;
      this.#serve();
    }
  }

  #watch(position: number, greenlet: Greenlet<R>): void {
    const child = greenlet as Greenlet;
    if (this.#closed) {
      // The feeder had its place when close() came, so this member was made all the same. It has not run yet.
      child.kill('imap was closed');
      return;
    }
    this.#children.add(child);
    child.markSeen();
    child.onEnd(() => {
      this.#children.delete(child);
      if ((child.status & FAILED) === 0) this.#settle(position, { ok: true, value: child.value as R });
      else this.#settle(position, { ok: false, error: failureOf(child) });
    });
  }

  #settle(position: number, result: Result<R>): void {
    this.#results.set(this.#ordered ? position : this.#arrived, result);
    this.#arrived += 1;
    this.#serve();
  }

  #serve(): void {
    while (this.#waiters.size > 0) {
      const result = this.#take();
      if (result === undefined) return;
      const waiter = this.#waiters.shift() as Waiter;
      if (result === 'end') waiter.fire({ done: true, value: undefined }, 0);
      else if (result.ok) waiter.fire({ done: false, value: result.value }, 0);
      else waiter.fire(result.error, FAILED);
    }
  }

  #take(): Result<R> | 'end' | undefined {
    const result = this.#results.get(this.#taken);
    if (result !== undefined) {
      this.#results.delete(this.#taken);
      this.#taken += 1;
      this.#window.release();
      return result;
    }
    if (!this.#fed || this.#taken < this.#started) return undefined;
    this.#owner.offEnd(this.#ownerEnded);
    return 'end';
  }

  /** @internal */
  look(): boolean {
    if (this.#closed) throw new ClosedError('imap is closed');
    const result = this.#take();
    if (result === undefined) return false;
    if (result === 'end') readyResult.value = { done: true, value: undefined };
    else if (result.ok) readyResult.value = { done: false, value: result.value };
    else throw result.error;
    return true;
  }
}

class ImapNext<R> extends Wait<IteratorResult<R, undefined>> {
  readonly #iterator: MapIterator<R>;
  readonly #waiters: WaitList;
  constructor(iterator: MapIterator<R>, waiters: WaitList) {
    super();
    this.#iterator = iterator;
    this.#waiters = waiters;
  }
  look(): boolean {
    return this.#iterator.look();
  }
  enlist(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#waiters.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'next', object: 'imap' };
  }
}
