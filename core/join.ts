// join.ts: waiting for a greenlet to end, with or without its result.
//
// Both mark a failure as seen (S10). A second waiter on a greenlet that is done completes at once.
//
// Nearly every greenlet is joined by one other at most, so the first stands in the record itself, and a list is made for the second.

import { refuseCycle } from './cycle.ts';
import { GreenletKilledError, UsageError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { readyResult } from './kernel.ts';
import type { WaitDescription } from './op.ts';
import { DONE, FAILED, KILLED, LAZY, SEEN } from './status.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

abstract class EndWait<T> extends Wait<T> {
  declare protected readonly target: Greenlet;
  constructor(target: Greenlet) {
    super();
    this.target = target;
  }

  /** `wantsResult` marks the waiter for `fireJoiners`. */
  protected enlistFor(waiter: Waiter, wantsResult: boolean): void {
    const { target } = this;
    if (target === waiter.owner()) throw new UsageError(`${target.name} waits for its own end, which never comes`);
    refuseCycle(waiter, this);
    target.status |= SEEN;
    waiter.value = wantsResult;
    if (target.joiners === undefined) target.joiners = waiter;
    else joinersList(target).push(waiter);
  }

  retract(waiter: Waiter): void {
    const { target } = this;
    if (target.joiners === waiter) target.joiners = undefined;
    else (target.joiners as WaitList).remove(waiter);
  }

  override blocker(): Greenlet {
    return this.target;
  }
}

export class JoinWait extends EndWait<void> {
  enlist(waiter: Waiter): void {
    this.enlistFor(waiter, false);
  }

  look(): boolean {
    const { target } = this;
    target.status |= SEEN;
    if ((target.status & DONE) === 0) return false;
    readyResult.value = undefined;
    return true;
  }

  describe(): WaitDescription {
    return { op: 'join', object: this.target.name, holder: this.target };
  }
}

export class GetWait<T> extends EndWait<T> {
  enlist(waiter: Waiter): void {
    this.enlistFor(waiter, true);
  }

  look(): boolean {
    const { target } = this;
    target.status |= SEEN;
    if ((target.status & DONE) === 0) return false;
    if ((target.status & KILLED) !== 0) throw killedError(target);
    if ((target.status & FAILED) !== 0) throw target.value;
    readyResult.value = target.value;
    return true;
  }

  describe(): WaitDescription {
    return { op: 'get', object: this.target.name, holder: this.target };
  }
}

/** Fire everybody who waits for the end of `target`, which is done. */
export function fireJoiners(target: Greenlet): void {
  const { joiners } = target;
  if (joiners === undefined) return;
  if (!(joiners instanceof WaitList)) {
    target.joiners = undefined;
    fireJoiner(target, joiners);
    return;
  }
  for (let waiter = joiners.shift(); waiter !== undefined; waiter = joiners.shift()) fireJoiner(target, waiter);
  // Only now: a select with two arms here retracts the second while the first is fired.
  target.joiners = undefined;
}

function fireJoiner(target: Greenlet, waiter: Waiter): void {
  const { status } = target;
  if (waiter.value !== true) waiter.fire(undefined, 0);
  else if ((status & (FAILED | KILLED)) === 0) waiter.fire(target.value, 0);
  else if ((status & KILLED) !== 0) waiter.fire(() => killedError(target), LAZY);
  else waiter.fire(target.value, FAILED);
}

/** How many wait for the end of `target`: for checks. */
export function countJoiners({ joiners }: Greenlet): number {
  if (joiners === undefined) return 0;
  return joiners instanceof WaitList ? joiners.size : 1;
}

// The list of who waits for the end of `target`, made for the second of them.
function joinersList(target: Greenlet): WaitList {
  const { joiners } = target;
  if (joiners instanceof WaitList) return joiners;
  const list = new WaitList();
  list.push(joiners as Waiter);
  target.joiners = list;
  return list;
}

/** The error of whoever asks for the value of a killed greenlet: a new one each time, with its own stack. */
export function killedError(target: Greenlet): GreenletKilledError {
  const cause = target.value as { reason?: unknown } | undefined;
  return new GreenletKilledError(target.name, cause?.reason, cause);
}
