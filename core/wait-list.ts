// wait-list.ts: who waits for one thing, oldest first. All waiting in the kernel goes through these lists.
//
// Intrusive and doubly linked: a waiter carries its own links, so that taking it out is O(1) and a wait allocates nothing.
//
// A waiter is a greenlet that waits for one thing, or an arm: one of several waits of a greenlet (select), or one with a timer
// (timeout). Both are fired the same way, and firing only commits an outcome and queues the greenlet; it never runs it.
//
// Invariants, between any two steps:
//   head is undefined  if and only if  tail is undefined  if and only if  size is 0
//   a waiter is in at most one list
// Source: trio's _parking_lot.py (all waiting in one place).

import type { Greenlet } from './greenlet.ts';
import type { Outcome } from './status.ts';

/** One entry of a wait list. */
export interface Waiter {
  next: Waiter | undefined;
  prev: Waiter | undefined;
  /** What the wait carries: the value that a sender offers, the timer of a sleep, the arms of a select. */
  value: unknown;
  /** The greenlet that waits, directly or through an arm. */
  owner(): Greenlet;
  /** Commit an outcome and queue the greenlet. The caller has taken the waiter out of its list. */
  fire(value: unknown, outcome: Outcome): void;
}

export class WaitList {
  head: Waiter | undefined = undefined;
  tail: Waiter | undefined = undefined;
  size = 0;

  push(waiter: Waiter): void {
    const tail = this.tail;
    waiter.prev = tail;
    waiter.next = undefined;
    if (tail === undefined) this.head = waiter;
    else tail.next = waiter;
    this.tail = waiter;
    this.size += 1;
  }

  /** Take out the oldest. Written out, because every hand-over comes through here. */
  shift(): Waiter | undefined {
    const head = this.head;
    if (head === undefined) return undefined;
    const next = head.next;
    this.head = next;
    if (next === undefined) {
      this.tail = undefined;
    } else {
      next.prev = undefined;
      head.next = undefined;
    }
    this.size -= 1;
    return head;
  }

  /** Take out `waiter`, which must be in this list. */
  remove(waiter: Waiter): void {
    const { next, prev } = waiter;
    if (prev === undefined) this.head = next;
    else prev.next = next;
    if (next === undefined) this.tail = prev;
    else next.prev = prev;
    waiter.next = undefined;
    waiter.prev = undefined;
    this.size -= 1;
  }

  /** Fire all who wait now, oldest first. Whoever comes meanwhile is not among them: nothing runs here. */
  fireAll(value: unknown, outcome: Outcome): void {
    for (let waiter = this.shift(); waiter !== undefined; waiter = this.shift()) waiter.fire(value, outcome);
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    let count = 0;
    for (let waiter = this.head; waiter !== undefined; waiter = waiter.next) {
      count += 1;
      if (waiter.next === undefined ? this.tail !== waiter : waiter.next.prev !== waiter)
        throw new Error('wait list: links disagree');
    }
    if (count !== this.size || (count === 0) !== (this.tail === undefined))
      throw new Error('wait list: size disagrees');
  }
}
