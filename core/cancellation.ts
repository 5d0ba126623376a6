// cancellation.ts: being told when what runs now is cancelled: its greenlet is killed, or a scope or a timeout around it is.
//
// For what is begun in one place and has to be aborted from another: a request, an AbortSignal. A watcher belongs to the innermost frame that is open when
// it is made, and fires when its greenlet's Ops begin to throw Killed for that frame or one around it: not before a shield ends. When its frame ends well it is
// dropped, or goes over to the frame around it. A greenlet that is never cancelled pays nothing for it but one look at the end of a frame.
//
// Invariant: a watcher is in its greenlet's list  if and only if  it has neither fired nor been dropped; then its frame, if it has one, is open.
// Source: trio's cancel scopes.

import type { Frame } from './frame.ts';
import type { Greenlet } from './greenlet.ts';

export class CancelWatcher {
  /** Undefined: the greenlet itself. */
  frame: Frame | undefined;
  readonly follows: boolean;
  readonly told: (pending: Frame) => void;

  constructor(frame: Frame | undefined, follows: boolean, told: (pending: Frame) => void) {
    this.frame = frame;
    this.follows = follows;
    this.told = told;
  }

  concernedBy(pending: Frame): boolean {
    if (pending.kind === 'greenlet') return true;
    for (let { frame } = this; frame !== undefined; frame = frame.outer) if (frame === pending) return true;
    return false;
  }
}

/**
 * Have `told` called with the frame that is cancelled, once and synchronously, when what runs now in `greenlet`, which lives, is cancelled; at once if it is already. The
 * function that is returned takes it out again.
 *
 * @param follows When the innermost frame ends well: watch the one around it (to be taken out when all is done), or nothing any more.
 */
export function onCancel(greenlet: Greenlet, told: (pending: Frame) => void, follows: boolean): () => void {
  const side = greenlet.rare();
  const watcher = new CancelWatcher(greenlet.frame, follows, told);
  const pending = side.interrupt;
  if (pending !== undefined && watcher.concernedBy(pending)) {
    told(pending);
    return () => {};
  }
  const watchers = (side.cancelWatchers ??= new Set());
  watchers.add(watcher);
  return () => void watchers.delete(watcher);
}

/** `pending` is what the greenlet is interrupted by from now on: tell those whom it concerns. */
export function cancelled(watchers: Set<CancelWatcher>, pending: Frame): void {
  for (const watcher of [...watchers]) {
    if (watcher.concernedBy(pending) && watchers.delete(watcher)) watcher.told(pending);
  }
}

/** `frame` ends. */
export function frameLeft(watchers: Set<CancelWatcher>, frame: Frame): void {
  for (const watcher of watchers) {
    if (watcher.frame !== frame) continue;
    if (watcher.follows) watcher.frame = frame.outer;
    else watchers.delete(watcher);
  }
}
