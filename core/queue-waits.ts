// queue-waits.ts: the waits of a queue: to put, to get or peek, and for all its items to be done.
//
// They hold no state: what is stored and who is served next is in queue.ts.

import { readyResult } from './kernel.ts';
import type { WaitDescription } from './op.ts';
import type { Queue } from './queue.ts';
import { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';

/** What the value of a waiter that only peeks is. */
export const PEEK: unique symbol = Symbol('peek');

export class QueuePut<T> extends Wait<void> {
  readonly #queue: Queue<T>;
  readonly #value: T;
  constructor(queue: Queue<T>, value: T) {
    super();
    this.#queue = queue;
    this.#value = value;
  }
  look(): boolean {
    if (!this.#queue.offer(this.#value, 'put')) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    waiter.value = this.#value;
    this.#queue.putters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#queue.putters.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'put', object: this.#queue.label() };
  }
}

/** To get, or only to peek. */
export class QueueGet<T> extends Wait<T> {
  readonly #queue: Queue<T>;
  readonly #peeks: boolean;
  constructor(queue: Queue<T>, peeks: boolean) {
    super();
    this.#queue = queue;
    this.#peeks = peeks;
  }
  look(): boolean {
    return this.#queue.lookGet(this.#peeks);
  }
  enlist(waiter: Waiter): void {
    waiter.value = this.#peeks ? PEEK : undefined;
    this.#queue.getters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#queue.getters.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: this.#peeks ? 'peek' : 'get', object: this.#queue.label() };
  }
}

/** For every item to be done. */
export class QueueJoin<T> extends Wait<void> {
  readonly #queue: Queue<T>;
  constructor(queue: Queue<T>) {
    super();
    this.#queue = queue;
  }
  look(): boolean {
    if (!this.#queue.lookJoin()) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    this.#queue.joiners.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#queue.joiners.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'join', object: this.#queue.label() };
  }
}
