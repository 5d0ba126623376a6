// queue-store.ts: in which order a queue gives out what is in it: the seam between Queue and its orders.
//
// Fifo is one (Queue, JoinableQueue), Stack another (LifoQueue), StableHeap the third (PriorityQueue).

/** What a queue keeps its items in. */
export interface QueueStore<T> {
  readonly size: number;
  /** Put an item in. If it throws (a comparison does), the item is not in. */
  push(value: T): void;
  /** Take out the next item. Only called when `size` is not 0. If it throws, the item is still in. */
  shift(): T;
  /** The next item, left where it is. Only called when `size` is not 0. */
  peek(): T;
  /** Take out all items, next first. Never throws. Only a store whose `shift` may throw has it. */
  drain?(): T[];
}
