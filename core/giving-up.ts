// giving-up.ts: telling whoever works for a wait that nobody waits for it any more.
//
// What is told may be code of users: a listener of an AbortSignal that sends to a channel, or kills. It must not find a wait that is half over: of a select
// some arms may still be enlisted, and the greenlet not yet be woken. So while a wait is brought to its end what is to be told is held back, and told as
// soon as that is done, before anything else runs.
//
// What works for a wait may also want to know why nobody waits: a wait whose time is over is given up for good, an arm of a select that lost is not.
//
// Invariant: `held` is empty, and `expired` undefined, when no wait is being ended.

import type { Greenlet } from './greenlet.ts';
import type { Waitable } from './op.ts';
import type { Waiter } from './wait-list.ts';

let ending = 0;
let expired: Greenlet | undefined;
const held: (() => void)[] = [];

/** A wait is being brought to its end: from here to `waitEnded`, which follows in a `finally`, nobody is told. */
export function endingWait(): void {
  ending += 1;
}

export function waitEnded(): void {
  ending -= 1;
  if (ending === 0 && held.length > 0) tellHeld();
}

/** Call `tell` now, or once the waits that are being ended have been. */
export function giveUp(tell: () => void): void {
  if (ending === 0) tell();
  else held.push(tell);
}

function tellHeld(): void {
  const tell = held.shift();
  if (tell === undefined) return;
  try {
    tell();
  } finally {
    tellHeld();
  }
}

/** Take back a wait whose time is over. */
export function retractExpired(wait: Waitable<unknown>, waiter: Waiter): void {
  const outer = expired;
  expired = waiter.owner();
  try {
    wait.retract(waiter);
  } finally {
    expired = outer;
  }
}

/** Asked in `retract`: is the wait given up for good, by a kill, a scope that is cancelled or a timeout, rather than lost in a select? */
export function isAbandoned(waiter: Waiter): boolean {
  const owner = waiter.owner();
  return expired === owner || owner.side?.interrupt !== undefined;
}
