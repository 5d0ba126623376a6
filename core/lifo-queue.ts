// lifo-queue.ts: a queue that gives out last what was put in first.
//
// Greenlets that wait are still served first come, first served: the order is that of the items.
// Source: gevent.queue.LifoQueue, queue.LifoQueue.

import { Queue, type QueueOptions } from './queue.ts';
import type { QueueStore } from './queue-store.ts';

export class LifoQueue<T> extends Queue<T> {
  /** As for Queue: capacity and options, or options alone. */
  constructor(capacity?: number | QueueOptions<T>, options?: QueueOptions<T>) {
    super(capacity, options, new Stack<T>());
  }
}

class Stack<T> implements QueueStore<T> {
  readonly #values: T[] = [];

  get size(): number {
    return this.#values.length;
  }

  push(value: T): void {
    this.#values.push(value);
  }

  shift(): T {
    return this.#values.pop() as T;
  }

  peek(): T {
    return this.#values[this.#values.length - 1] as T;
  }
}
