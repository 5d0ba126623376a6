// queue.ts: items from whoever puts to whoever gets, with a limit on how many may wait.
//
// An item that is put while somebody waits to get goes to them at once, so nobody who comes later can take it from under them, and what was handed
// over is never queued again. A waiting putter keeps its item until there is room, so a killed one takes it back. In what order items come out is the
// store's to say; greenlets that wait are served first come, first served, in every queue.
//
// A Channel is the bare hand-over; a queue can also be looked into, counted down (taskDone, join) and emptied when it is closed.
//
// Invariants, between any two steps:
//   something is stored          implies  no getter waits
//   fewer than capacity stored   implies  no putter waits
//   closed                       implies  neither waits
//   nothing is unfinished        implies  nobody waits in join
// Sources: gevent.queue, Python's queue.Queue (join, shutdown); S7, S12.

/// <reference lib="esnext.disposable" preserve="true" />

import { rangeError } from './bad-argument.ts';
import { QueueClosedError, QueueEmptyError, QueueFullError, UsageError } from './errors.ts';
import { Fifo } from './fifo.ts';
import { kernel, readyResult } from './kernel.ts';
import { MappedWait } from './mapped.ts';
import type { Waitable } from './op.ts';
import type { QueueStore } from './queue-store.ts';
import { PEEK, QueueGet, QueueJoin, QueuePut } from './queue-waits.ts';
import { FAILED, LAZY } from './status.ts';
import { created, createdOrShared } from './unstarted.ts';
import { type Waiter, WaitList } from './wait-list.ts';

export interface QueueOptions<T> {
  /** What is in it from the beginning. */
  readonly items?: Iterable<T> | undefined;
  /** Shown in reports and errors. */
  readonly name?: string | undefined;
}

/** A first-in first-out queue with a capacity, unfinished work and an end. */
export class Queue<T> {
  readonly capacity: number;
  readonly name: string | undefined;
  readonly #store: QueueStore<T>;
  #unfinished = 0;
  #closed = false;
  /** Those who get or peek; the value of one that only peeks is PEEK. @internal */ readonly getters: WaitList =
    new WaitList();
  /** @internal */ readonly putters: WaitList = new WaitList();
  /** @internal */ readonly joiners: WaitList = new WaitList();
  readonly #get: QueueGet<T> = new QueueGet<T>(this, false);
  #next: Waitable<IteratorResult<T, undefined>> | undefined;

  /**
   * @param capacity how many items may wait in it: a positive integer or Infinity, the default. Options may come first.
   * @throws RangeError for any other capacity. @throws QueueFullError if the initial items exceed the capacity.
   */
  constructor(capacity?: number | QueueOptions<T>, options?: QueueOptions<T>, store: QueueStore<T> = new Fifo<T>()) {
    const { items = [], name } = (typeof capacity === 'object' ? capacity : options) ?? {};
    const limit = typeof capacity === 'number' ? capacity : Number.POSITIVE_INFINITY;
    if (limit !== Number.POSITIVE_INFINITY && (!Number.isInteger(limit) || limit < 1)) {
      const hint = limit === 0 ? ': to hand over without a buffer use a Channel' : '';
      throw rangeError(`a queue's capacity is a positive integer or Infinity, not ${String(limit)}${hint}`);
    }
    this.capacity = limit;
    this.name = name;
    this.#store = store;
    for (const item of items) {
      if (store.size >= limit) throw new QueueFullError(this.label(), limit);
      this.insert(item);
    }
  }

  /** How many items wait in it. */
  get length(): number {
    return this.#store.size;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** How many items were put and not yet reported by `taskDone`. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /**
   * Put `value` in, waiting for room.
   *
   * Switches only if it is full. If it throws, the value was not put in.
   *
   * @throws QueueClosedError if the queue is closed now or is closed while we wait. @throws Killed if killed while waiting.
   * @see https://www.gevent.org/api/gevent.queue.html
   */
  put(value: T): Waitable<void> {
    return created(new QueuePut(this, value));
  }

  /**
   * Take the next item, waiting for one.
   *
   * Switches only if it is empty. If it throws, nothing was taken.
   *
   * @throws QueueClosedError if the queue is closed and drained. @throws Killed if killed while waiting.
   */
  get(): Waitable<T> {
    return kernel.watch === undefined ? this.#get : created(new QueueGet<T>(this, false));
  }

  /** See the next item, waiting for one, and leave it there: it may be gone when the caller looks again. Otherwise as `get`. */
  peek(): Waitable<T> {
    return created(new QueueGet<T>(this, true));
  }

  /** Get as an iterator does, for `forEach`: `{done: false, value}`, or `{done: true}` once the queue is closed and drained. As `get` otherwise. */
  next(): Waitable<IteratorResult<T, undefined>> {
    this.#next ??= this.makeNext();
    return createdOrShared(this.#next, () => this.makeNext());
  }

  /** Put `value` in if there is room; false otherwise. Never switches. @throws QueueClosedError if the queue is closed. */
  tryPut(value: T): boolean {
    return this.offer(value, 'tryPut');
  }

  /** Take the next item if there is one; undefined otherwise. Never switches. @throws QueueClosedError if it is closed and drained. */
  tryGet(): { value: T } | undefined {
    return this.holds('tryGet') ? { value: this.take() } : undefined;
  }

  /** See the next item if there is one; undefined otherwise. Never switches. @throws QueueClosedError if it is closed and drained. */
  tryPeek(): { value: T } | undefined {
    return this.holds('tryPeek') ? { value: this.#store.peek() } : undefined;
  }

  /** Put `value` in. Never switches. @throws QueueFullError if there is no room. @throws QueueClosedError if the queue is closed. */
  putNow(value: T): void {
    if (!this.offer(value, 'putNow')) throw new QueueFullError(this.label(), this.capacity);
  }

  /** Take the next item. Never switches. @throws QueueEmptyError if there is none. @throws QueueClosedError if it is closed and drained. */
  getNow(): T {
    if (!this.holds('getNow')) throw new QueueEmptyError(this.label());
    return this.take();
  }

  /**
   * Report that an item that was taken has been dealt with. Never switches. When all that was put has been, `join` returns.
   *
   * @throws UsageError if called more often than items were put.
   * @see https://docs.python.org/3/library/queue.html#queue.Queue.task_done
   */
  taskDone(): void {
    if (this.#unfinished === 0)
      throw new UsageError(`taskDone on ${this.label()} was called more often than items were put into it`);
    this.finished(1);
  }

  /** Wait until `taskDone` was called for all that was put. Switches only if it was not. @throws Killed if killed while waiting. */
  join(): Waitable<void> {
    return created(new QueueJoin(this));
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Let nothing more in: waiting and later putters get QueueClosedError at once, getters do when it is drained. Never switches. Idempotent.
   *
   * With `immediate` what is in it is dropped and returned, in the order in which it would have come out, and counts as done: `join` does not
   * wait for it. A queue that is closed can still be closed so.
   *
   * @see https://docs.python.org/3/library/queue.html#queue.Queue.shutdown
   */
  close(options: { readonly immediate?: boolean | undefined } = {}): T[] {
    const dropped = options.immediate === true ? this.drop() : [];
    if (this.#closed) return dropped;
    this.#closed = true;
    this.putters.fireAll(() => new QueueClosedError(this, this.label(), 'put'), LAZY);
    this.getters.fireAll(() => new QueueClosedError(this, this.label(), 'get'), LAZY);
    return dropped;
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a queue' : `queue ${this.name}`;
  }

  /** Put `value` in, or hand it to who waits for it. @internal */
  offer(value: T, op: string): boolean {
    if (this.#closed) throw new QueueClosedError(this, this.label(), op);
    if (this.#store.size >= this.capacity) return false;
    const { head } = this.getters;
    if (head !== undefined && head.value !== PEEK) {
      this.#unfinished += 1;
      this.getters.remove(head);
      head.fire(value, 0);
      return true;
    }
    this.insert(value);
    if (head !== undefined) this.serve();
    return true;
  }

  /** @internal */
  lookGet(peeks: boolean): boolean {
    if (!this.holds(peeks ? 'peek' : 'get')) return false;
    readyResult.value = peeks ? this.#store.peek() : this.take();
    return true;
  }

  /** @internal */
  lookJoin(): boolean {
    return this.#unfinished === 0;
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    const { getters, putters, joiners, length } = this;
    for (const list of [getters, putters, joiners]) list.check();
    if (length > this.capacity) throw new Error(`${this.label()}: it holds more than its capacity`);
    if (length > 0 && getters.size > 0) throw new Error(`${this.label()}: a getter waits beside an item`);
    if (length < this.capacity && putters.size > 0) throw new Error(`${this.label()}: a putter waits beside room`);
    if (this.#closed && getters.size + putters.size > 0)
      throw new Error(`${this.label()}: somebody waits though it is closed`);
    if (this.#unfinished === 0 && joiners.size > 0) throw new Error(`${this.label()}: a joiner waits for nothing`);
  }

  private makeNext(): Waitable<IteratorResult<T, undefined>> {
    return new MappedWait<T, IteratorResult<T, undefined>>(this.#get, {
      value: (value) => ({ done: false, value }),
      recover: (error) =>
        error instanceof QueueClosedError && error.queue === this
          ? { value: { done: true, value: undefined } }
          : undefined,
    });
  }

  /** Is there something to take? */
  private holds(op: string): boolean {
    if (this.#store.size > 0) return true;
    if (this.#closed) throw new QueueClosedError(this, this.label(), op);
    return false;
  }

  // Everybody who only peeks sees it, as far as the first who takes it.
  private serve(): void {
    const { getters } = this;
    for (let getter = getters.head; getter !== undefined && this.#store.size > 0; getter = getters.head) {
      getters.remove(getter);
      getter.fire(getter.value === PEEK ? this.#store.peek() : this.take(), 0);
    }
  }

  private insert(value: T): void {
    this.#store.push(value);
    this.#unfinished += 1;
  }

  private take(): T {
    const value = this.#store.shift();
    if (this.putters.size > 0) this.refill();
    return value;
  }

  // There is room again: the oldest waiting putter's item moves up.
  private refill(): void {
    while (this.#store.size < this.capacity) {
      const putter: Waiter | undefined = this.putters.shift();
      if (putter === undefined) return;
      try {
        this.insert(putter.value as T);
      } catch (error) {
        // Its item cannot be compared with the others: that is for who put it, not for who gets now.
        putter.fire(error, FAILED);
        continue;
      }
      putter.fire(undefined, 0);
    }
  }

  private drop(): T[] {
    const store = this.#store;
    const dropped = store.drain?.() ?? [];
    while (store.size > 0) dropped.push(store.shift());
    this.finished(Math.min(dropped.length, this.#unfinished));
    return dropped;
  }

  private finished(count: number): void {
    this.#unfinished -= count;
    if (this.#unfinished === 0) this.joiners.fireAll(undefined, 0);
  }
}
