// settling.ts: whose waits are being decided right now, so that a side effect of that does not decide them a second time.
//
// Most retracts only take a waiter out. Two do more: a writer that gives up lets the readers behind it in (rw-lock.ts), and a party that gives up
// breaks its barrier (barrier.ts). That fires others, whose selects retract their other arms, which may have such effects in turn, and so on
// back to a greenlet whose arms are being retracted further up the stack. It must not be fired: all its arms go anyway.
//
// Not needed by anything that fires only when a greenlet asks for it: nobody's arms are half retracted then.
//
// Invariant: it is empty between any two steps.

import type { Greenlet } from './greenlet.ts';
import type { Waiter } from './wait-list.ts';

const settling: Set<Greenlet> = new Set();

/** Must `waiter` be left alone, because its greenlet's wait is being decided further up the stack? */
export function isSettling(waiter: Waiter): boolean {
  return settling.size > 0 && settling.has(waiter.owner());
}

/** Run `effect`, which is plain code, while the waits of `greenlets` are being decided. */
export function whileSettling(greenlets: readonly Greenlet[], effect: () => void): void {
  const added = greenlets.filter((greenlet) => !settling.has(greenlet));
  for (const greenlet of added) settling.add(greenlet);
  try {
    effect();
  } finally {
    for (const greenlet of added) settling.delete(greenlet);
  }
}
