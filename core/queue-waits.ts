// queue-waits.ts: the waits of a queue: to put, to get or peek, and for all its items to be done.
//
// They hold no state: what is stored and who is served next is in queue.ts. To put and to get have a start of their own (leaf.ts says why); their
// `enlist` cannot throw.

import { kernel, readyResult } from './kernel.ts';
import { LEAF, markParked, READY_LEAF, start } from './leaf.ts';
import type { Resume, Trap, WaitDescription } from './op.ts';
import type { Queue } from './queue.ts';
import { RUNNING, START_MASK } from './status.ts';
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
  override [Symbol.iterator](): Iterator<Trap, void, Resume> {
    const me = kernel.current;
    if ((me.status & START_MASK) !== RUNNING || kernel.budget === 0) return start(this) as Iterator<Trap, void, Resume>;
    kernel.budget -= 1;
    if (this.look()) return READY_LEAF as Iterator<Trap, void, Resume>;
    markParked(me, this);
    this.enlist(me);
    return LEAF as Iterator<Trap, void, Resume>;
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
  override [Symbol.iterator](): Iterator<Trap, T, Resume> {
    const me = kernel.current;
    if ((me.status & START_MASK) !== RUNNING || kernel.budget === 0) return start(this) as Iterator<Trap, T, Resume>;
    kernel.budget -= 1;
    if (this.look()) return READY_LEAF as Iterator<Trap, T, Resume>;
    markParked(me, this);
    this.enlist(me);
    return LEAF as Iterator<Trap, T, Resume>;
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
