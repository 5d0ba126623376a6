// end.ts: how a greenlet ends: its outcome is fixed, whoever waits for it is woken, and an error that nobody looks at is kept in sight.
//
// The order matters: frames are left before joiners are woken (a timer must not fire for a greenlet that is done), the registry is left
// before the scope is told, and reports come last, because they need to know who has looked.

import { isKilled } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { fireJoiners, killedError } from './join.ts';
import { CALLING, DELAYED, DONE, FAILED, KILLED, moved, NEW, SEEN, STALE_ENTRY, STARTED } from './status.ts';

/** End `greenlet` with a value, or with the error that it threw. */
export function end(greenlet: Greenlet, value: unknown, failed: boolean): void {
  const { side, scope, parentLink } = greenlet;
  const { scheduler } = scope;
  let flags = (greenlet.status & (NEW | STARTED | DELAYED)) === (NEW | STARTED) ? STALE_ENTRY : 0;
  if (failed) flags |= endedByItsOwnKill(greenlet, value) ? FAILED | KILLED : FAILED;
  for (let { frame } = greenlet; frame !== undefined; frame = frame.outer) {
    if (frame.slot !== -1) scheduler.timeouts.cancel(frame);
    frame.ownerEnds();
  }
  greenlet.status = (moved(greenlet.status, DONE) & ~CALLING) | flags;
  greenlet.iterator = undefined;
  greenlet.frame = undefined;
  greenlet.waitingOn = undefined;
  greenlet.context = undefined;
  greenlet.parentLink = undefined;
  if (parentLink !== undefined && parentLink.greenlet === greenlet) {
    parentLink.greenlet = undefined;
    parentLink.outer = undefined;
  }
  greenlet.value = value;
  if (side !== undefined) {
    if (side.delay !== undefined) scheduler.sleepers.cancel(side.delay);
    for (let lock = side.ownedLocks; lock !== undefined; lock = lock.nextOwned) lock.abandoned(greenlet);
    side.ownedLocks = undefined;
    side.localsKey = undefined;
    side.callers = undefined;
    side.throws = undefined;
    side.cancelWatchers = undefined;
    if (side.links !== undefined) scheduler.runLinks(greenlet, side.links);
    side.links = undefined;
    const { enders } = side;
    side.enders = undefined;
    if (enders !== undefined) for (const ender of enders) ender();
  }
  fireJoiners(greenlet);
  scope.childEnded(greenlet);
  // Only a detached greenlet can fail unseen: a scope has taken note of its child's error. It is queued once more, behind everyone who is
  // runnable now; when it is popped, each of them has had the chance to look (S10).
  if ((greenlet.status & (FAILED | KILLED | SEEN)) === FAILED && scope === scheduler.root) {
    scheduler.enqueueMarker(greenlet);
  }
}

/** The error of `greenlet`, which failed, as others see it. */
export function failureOf(greenlet: Greenlet): unknown {
  return (greenlet.status & KILLED) === 0 ? greenlet.value : killedError(greenlet);
}

// A Killed counts only if it was made for this greenlet's own frame: one of a timeout that was kept and thrown later, or of another
// greenlet, is an ordinary failure.
function endedByItsOwnKill(greenlet: Greenlet, error: unknown): boolean {
  return isKilled(error) && greenlet.side?.base !== undefined && error.frame === greenlet.side.base;
}
