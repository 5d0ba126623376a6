// arm.ts: one of several waits of a greenlet: an entry of a wait list that stands for part of a larger wait.
//
// select has one for each of its waitables. (timeout(ms, waitable) has a waiter of its own that is a timer too.) Being fired, it tells its group, which retracts the
// other arms before it fires the waiter that started it all: a second source could otherwise wake the same greenlet twice.

import type { Greenlet } from './greenlet.ts';
import type { Outcome } from './status.ts';
import type { Waiter } from './wait-list.ts';

/** What a fired arm reports to. */
export interface ArmGroup {
  /** The waiter that waits for the group as a whole. */
  readonly waiter: Waiter;
  /** `arm` has been fired and is in no list any more. */
  armFired(arm: Arm, value: unknown, outcome: Outcome): void;
}

export class Arm implements Waiter {
  next: Waiter | undefined = undefined;
  prev: Waiter | undefined = undefined;
  value: unknown = undefined;
  readonly #group: ArmGroup;
  /** Which of the group's arms this is. */
  readonly index: number;

  constructor(group: ArmGroup, index: number) {
    this.#group = group;
    this.index = index;
  }

  owner(): Greenlet {
    return this.#group.waiter.owner();
  }

  fire(value: unknown, outcome: Outcome): void {
    this.#group.armFired(this, value, outcome);
  }
}
