// ready-made.ts: classes that every manager has: a dictionary, a list, a queue, a lock, a value and an event.
//
// They run in the manager, so each call is one step that no other client comes between, and whoever waits in one waits there. What a client had when it was
// lost is given back: a lock is released. What was taken for a caller that had been killed is taken back by `undo`.
// Source: multiprocessing.managers.SyncManager.

import { Channel } from '../../core/channel.ts';
import { NotOwnerError } from '../../core/errors.ts';
import { Event } from '../../core/event.ts';
import type { Op, Waitable } from '../../core/op.ts';
import { Semaphore } from '../../core/semaphore.ts';
import { caller } from './caller.ts';
import type { ManagedClass } from './definition.ts';

/** A dictionary: keys are told apart as in a Map, so strings and numbers are what they should be. */
export class ManagedDict<K, V> {
  readonly #map: Map<K, V>;
  constructor(entries: Iterable<readonly [K, V]> = []) {
    this.#map = new Map(entries);
  }
  get(key: K): V | undefined {
    return this.#map.get(key);
  }
  has(key: K): boolean {
    return this.#map.has(key);
  }
  set(key: K, value: V): void {
    this.#map.set(key, value);
  }
  /** Set `value` if the key has none. Returns what it has now. */
  setDefault(key: K, value: V): V {
    if (!this.#map.has(key)) this.#map.set(key, value);
    return this.#map.get(key) as V;
  }
  /** Add to the number that the key has, 0 if none. Returns the sum. */
  add(key: K, amount: V & number): number {
    const sum = ((this.#map.get(key) as number | undefined) ?? 0) + amount;
    this.#map.set(key, sum as unknown as V);
    return sum;
  }
  update(entries: Iterable<readonly [K, V]>): void {
    for (const [key, value] of entries) this.#map.set(key, value);
  }
  delete(key: K): boolean {
    return this.#map.delete(key);
  }
  /** Take the value of a key out. */
  pop(key: K): V | undefined {
    const value = this.#map.get(key);
    this.#map.delete(key);
    return value;
  }
  clear(): void {
    this.#map.clear();
  }
  size(): number {
    return this.#map.size;
  }
  keys(): K[] {
    return [...this.#map.keys()];
  }
  values(): V[] {
    return [...this.#map.values()];
  }
  entries(): [K, V][] {
    return [...this.#map];
  }
}

/** A list. Places are counted from 0, or with a minus from the end. */
export class ManagedList<T> {
  readonly #items: T[];
  constructor(items: Iterable<T> = []) {
    this.#items = [...items];
  }
  get(index: number): T | undefined {
    return this.#items.at(index);
  }
  /** @throws RangeError if there is no such place. */
  set(index: number, value: T): void {
    const place = index < 0 ? index + this.#items.length : index;
    if (!(place in this.#items)) throw new RangeError(`a list of ${this.#items.length} has no place ${index}`);
    this.#items[place] = value;
  }
  /** Returns how long it is now. */
  push(...items: T[]): number {
    return this.#items.push(...items);
  }
  pop(): T | undefined {
    return this.#items.pop();
  }
  shift(): T | undefined {
    return this.#items.shift();
  }
  splice(start: number, deleted: number, ...items: T[]): T[] {
    return this.#items.splice(start, deleted, ...items);
  }
  slice(start?: number, end?: number): T[] {
    return this.#items.slice(start, end);
  }
  size(): number {
    return this.#items.length;
  }
  clear(): void {
    this.#items.length = 0;
  }
}

/** A queue between clients: first in, first out. */
export class ManagedQueue<T> {
  static readonly undo: Readonly<Record<string, string>> = { get: '_putBack', tryGet: '_putBackTried' };
  readonly #channel: Channel<T>;
  /** What was taken for callers that were killed, the next one first. */
  readonly #returned: T[] = [];
  constructor(capacity: number = Number.POSITIVE_INFINITY) {
    this.#channel = new Channel(capacity);
  }
  /** Put a value in, waiting for room. */
  put(value: T): Waitable<void> {
    return this.#channel.send(value);
  }
  tryPut(value: T): boolean {
    return this.#channel.trySend(value);
  }
  /** Take the oldest value out, waiting for one. */
  get(): Op<T> {
    return this.#returned.length > 0 ? ready(this.#returned.shift() as T) : this.#channel.receive();
  }
  tryGet(): { readonly value: T } | undefined {
    return this.#returned.length > 0 ? { value: this.#returned.shift() as T } : this.#channel.tryReceive();
  }
  size(): number {
    return this.#channel.length + this.#returned.length;
  }
  /** No more values: what is in it can still be taken, then `get` throws ChannelClosedError. */
  close(): void {
    this.#channel.close();
  }
  /** @internal */
  _putBackTried(taken: { readonly value: T } | undefined): void {
    if (taken !== undefined) this._putBack(taken.value);
  }
  /** @internal */
  _putBack(value: T): void {
    if (this.#channel.balance < 0) this.#channel.trySend(value);
    else this.#returned.unshift(value);
  }
}

function* ready<T>(value: T): Op<T> {
  return value;
}

/** A lock between clients. A client that is gone has released it. */
export class ManagedLock {
  static readonly undo: Readonly<Record<string, string>> = { acquire: 'release', tryAcquire: '_undoTry' };
  readonly #free: Semaphore = new Semaphore(1);
  #holder: { readonly client: number; readonly forget: () => void } | undefined = undefined;

  /** Take the lock, waiting for it. */
  *acquire(): Op<void> {
    yield* this.#free.acquire();
    this.#held();
  }
  tryAcquire(): boolean {
    if (!this.#free.tryAcquire()) return false;
    this.#held();
    return true;
  }
  /** Release the lock. @throws NotOwnerError if this client does not hold it. */
  release(): void {
    if (this.#holder?.client !== caller().id)
      throw new NotOwnerError(`a managed lock was released by a client that does not hold it: ${this.#who()}`);
    this.#release();
  }
  locked(): boolean {
    return this.#holder !== undefined;
  }
  /** @internal */
  _undoTry(taken: boolean): void {
    if (taken) this.release();
  }
  #held(): void {
    const client = caller();
    this.#holder = { client: client.id, forget: client.onLeave(() => this.#release()) };
  }
  #release(): void {
    this.#holder?.forget();
    this.#holder = undefined;
    this.#free.release();
  }
  #who(): string {
    return this.#holder === undefined ? 'nobody does' : 'another one does';
  }
}

/** One value. */
export class ManagedValue<T> {
  #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  get(): T {
    return this.#value;
  }
  set(value: T): void {
    this.#value = value;
  }
  /** Add to a number. Returns the sum. */
  add(amount: T & number): number {
    const sum = (this.#value as number) + amount;
    this.#value = sum as unknown as T;
    return sum;
  }
  /** Set `value` if it is `expected`, which has to be a string, a number or the like; was it? */
  compareAndSet(expected: T, value: T): boolean {
    if (!Object.is(this.#value, expected)) return false;
    this.#value = value;
    return true;
  }
}

/** A flag that clients wait for. */
export class ManagedEvent {
  readonly #event: Event = new Event();
  set(): void {
    this.#event.set();
  }
  clear(): void {
    this.#event.clear();
  }
  isSet(): boolean {
    return this.#event.isSet;
  }
  /** Wait until it is set. */
  wait(): Waitable<void> {
    return this.#event.wait();
  }
}

/** By the names under which clients make them: none that a program could give to its own. */
export const readyMade: ReadonlyMap<string, ManagedClass> = new Map<string, ManagedClass>([
  ['@dict', ManagedDict],
  ['@list', ManagedList],
  ['@queue', ManagedQueue],
  ['@lock', ManagedLock],
  ['@value', ManagedValue],
  ['@event', ManagedEvent],
]);
