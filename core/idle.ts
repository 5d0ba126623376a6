// idle.ts: wait until nobody else can run, and park/unpark, the bare wait that other primitives can be built from.
//
// unpark() before park() is not lost: it leaves one permit, and the next park() takes it and goes on.
// Sources: gevent.idle; Stackless' schedule_remove and insert; java.util.concurrent's LockSupport for the permit.

import type { Greenlet } from './greenlet.ts';
import { readyResult } from './kernel.ts';
import type { Waitable, WaitDescription } from './op.ts';
import { DONE, PERMIT } from './status.ts';
import { createdOrShared } from './unstarted.ts';
import { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';

class Idle extends Wait<void> {
  look(): boolean {
    return false;
  }
  enlist(waiter: Waiter): void {
    const { scheduler } = waiter.owner().scope;
    scheduler.idlers.push(waiter);
    scheduler.askTurn();
  }
  retract(waiter: Waiter): void {
    waiter.owner().scope.scheduler.idlers.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'idle' };
  }
}

class Park extends Wait<void> {
  look(greenlet: Greenlet): boolean {
    if ((greenlet.status & PERMIT) === 0) return false;
    greenlet.status &= ~PERMIT;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    waiter.owner().rare().parked = waiter;
  }
  retract(waiter: Waiter): void {
    waiter.owner().rare().parked = undefined;
  }
  describe(): WaitDescription {
    return { op: 'park' };
  }
}

const IDLE: Waitable<void> = new Idle();
const PARK: Waitable<void> = new Park();

/** Wait until a turn comes in which nobody else is runnable. Always switches. @throws Killed if killed while waiting. */
export function idle(): Waitable<void> {
  return createdOrShared(IDLE, () => new Idle());
}

/** Wait until somebody calls `unpark` with this greenlet, or go on at once if that happened before. @throws Killed if killed while waiting. */
export function park(): Waitable<void> {
  return createdOrShared(PARK, () => new Park());
}

/** End the `park()` of `greenlet`, or let its next one go on at once. Never switches; nothing happens to one that has ended. */
export function unpark(greenlet: Greenlet<unknown>): void {
  if ((greenlet.status & DONE) !== 0) return;
  const waiter = greenlet.side?.parked;
  if (waiter === undefined) {
    greenlet.status |= PERMIT;
    return;
  }
  (greenlet as Greenlet).rare().parked = undefined;
  waiter.fire(undefined, 0);
}
