// frame.ts: the ranges of a greenlet's code that can be cancelled, or protected, as a whole; and what is pending now.
//
// A frame is open from the start to the end of one Op: a timeout, a scope, a shield. The greenlet's own, outermost frame is made only when
// it is killed. Frames are a list from the innermost outwards.
//
// What is pending is one field, `side.interrupt`: the outermost cancelled frame that no shield inside it masks. It is computed again
// when it can change: on kill, on expiry, when a cancelled frame is left, at the edges of a shield. Nothing is asked in between, so a
// greenlet that nobody kills pays for a frame with two pointer writes.
//
// Invariants, between any two steps:
//   ATTENTION is set  if and only if  side.interrupt or side.throws is defined
//   every frame in greenlet.frame's list is open, and its `greenlet` is that greenlet
// Source: trio's cancel scopes; S3, S5, S8 of the semantics.

import { cancelled, frameLeft } from './cancellation.ts';
import { endingWait, waitEnded } from './giving-up.ts';
import type { Greenlet } from './greenlet.ts';
import { ATTENTION, moved, PARKED, READY, RETRACTED, YIELDED } from './status.ts';
import type { Timer } from './timers.ts';

export type FrameKind = 'greenlet' | 'timeout' | 'scope' | 'shield' | 'noBlock';

export class Frame implements Timer {
  readonly kind: FrameKind;
  readonly greenlet: Greenlet;
  outer: Frame | undefined;
  cancelled = false;
  reason: unknown = undefined;
  // The timer of a timeout, or of a shield's grace.
  order = 0;
  slot = -1;

  constructor(kind: FrameKind, greenlet: Greenlet) {
    this.kind = kind;
    this.greenlet = greenlet;
    this.outer = undefined;
  }

  /** Open this frame as the innermost one. */
  enter(): void {
    const { greenlet } = this;
    this.outer = greenlet.frame;
    greenlet.frame = this;
  }

  /** Close this frame; one that is left out of order is unlinked. */
  leave(): void {
    const { greenlet } = this;
    if (this.slot !== -1) greenlet.scope.scheduler.timeouts.cancel(this);
    if (greenlet.frame === this) {
      greenlet.frame = this.outer;
    } else {
      let inner = greenlet.frame;
      while (inner !== undefined && inner.outer !== this) inner = inner.outer;
      if (inner !== undefined) inner.outer = this.outer;
    }
    const watchers = greenlet.side?.cancelWatchers;
    if (watchers !== undefined) frameLeft(watchers, this);
    if (this.cancelled || this.kind === 'shield') interruptionChanged(greenlet);
  }

  /** Cancel what runs in this frame: from now on every blocking Op in it throws Killed. */
  cancel(reason: unknown): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.reason = reason;
    interruptionChanged(this.greenlet);
  }

  due(): void {
    this.cancel(this.reason);
  }

  /** Of a shield: does it (still) mask what is outside it? */
  masks(): boolean {
    return false;
  }

  /** The greenlet ends with this frame open: its Op was iterated by hand, and left. */
  ownerEnds(): void {}

  /** Of a shield: something outside it has become pending. */
  /* v8 ignore next -- only a frame that masks is told, that is a shield, which overrides this */
  outerCancelled(): void {}
}

/** Compute what is pending for `greenlet` anew, and deliver it if it waits at a place that can be interrupted. */
export function interruptionChanged(greenlet: Greenlet): void {
  const side = greenlet.rare();
  let pending: Frame | undefined;
  let masked = false;
  for (let frame = greenlet.frame; frame !== undefined; frame = frame.outer) {
    if (frame.cancelled && !masked) pending = frame;
    if (frame.masks()) masked = true;
  }
  if (side.base !== undefined && !masked) pending = side.base;
  if (masked) startGraces(greenlet);
  side.interrupt = pending;
  attentionChanged(greenlet);
  if (pending !== undefined && side.cancelWatchers !== undefined) cancelled(side.cancelWatchers, pending);
}

// A shield's grace starts when something outside it becomes pending, not before.
function startGraces(greenlet: Greenlet): void {
  let cancelled = greenlet.side?.base !== undefined;
  const shields: Frame[] = [];
  for (let frame = greenlet.frame; frame !== undefined; frame = frame.outer) {
    if (frame.cancelled) {
      cancelled = true;
      for (const shield of shields) shield.outerCancelled();
      shields.length = 0;
    }
    if (frame.masks()) shields.push(frame);
  }
  if (greenlet.side?.base !== undefined && cancelled) for (const shield of shields) shield.outerCancelled();
}

/** Set or clear ATTENTION after `side.interrupt` or `side.throws` changed, and interrupt a wait that can be. */
export function attentionChanged(greenlet: Greenlet): void {
  const side = greenlet.rare();
  if (side.interrupt === undefined && side.throws === undefined) {
    greenlet.status &= ~ATTENTION;
    return;
  }
  greenlet.status |= ATTENTION;
  if ((greenlet.status & PARKED) !== 0) {
    // Retract at once: what the waiter offered must not be taken any more. The error is made when it runs, with its own stack.
    endingWait();
    try {
      greenlet.waitingOn?.retract(greenlet);
      greenlet.value = undefined;
      greenlet.status = moved(greenlet.status, READY) | RETRACTED;
      greenlet.scope.scheduler.enqueue(greenlet);
    } finally {
      waitEnded();
    }
  } else if ((greenlet.status & (READY | YIELDED)) === (READY | YIELDED)) {
    greenlet.status |= RETRACTED;
  }
}
