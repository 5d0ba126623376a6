// priority-queue.ts: a queue that gives out the smallest item first, and of equal ones the one that was put in first.
//
// Unlike Python's, where equal priorities fall through to comparing the items. Greenlets that wait are served first come, first served, and a putter
// that waits for room has no say before its item is in.
// Source: gevent.queue.PriorityQueue, queue.PriorityQueue.

import { typeError } from './bad-argument.ts';
import { nameOf } from './op.ts';
import { Queue, type QueueOptions } from './queue.ts';
import { StableHeap } from './stable-heap.ts';

export interface PriorityQueueOptions<T> extends QueueOptions<T> {
  /**
   * Negative if `a` comes out before `b`, positive if after, 0 if they are equal. Without it items are numbers, bigints or strings.
   * What it throws goes to whoever put or gets, and then nothing was put in or taken.
   */
  readonly compare?: ((a: T, b: T) => number) | undefined;
}

export class PriorityQueue<T> extends Queue<T> {
  /** As for Queue: capacity and options, or options alone. @throws TypeError if `compare` is no function. */
  constructor(capacity?: number | PriorityQueueOptions<T>, options?: PriorityQueueOptions<T>) {
    const { compare = byNature } = (typeof capacity === 'object' ? capacity : options) ?? {};
    if (typeof compare !== 'function')
      throw typeError(`a priority queue's compare is a function, not ${nameOf(compare)}`);
    super(capacity, options, new StableHeap<T>(compare));
  }
}

function byNature(a: unknown, b: unknown): number {
  if (typeof a !== typeof b || !hasOrder(a) || !hasOrder(b))
    throw typeError(`a priority queue cannot compare ${nameOf(a)} with ${nameOf(b)}: give it {compare}`);
  return a < b ? -1 : a > b ? 1 : 0;
}

function hasOrder(value: unknown): value is number | bigint | string {
  return typeof value === 'number' ? !Number.isNaN(value) : typeof value === 'bigint' || typeof value === 'string';
}
