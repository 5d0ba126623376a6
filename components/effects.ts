// effects.ts: what an event has caused and what of it is not done yet: when it is complete.
//
// Made for events only that somebody is interested in, and for what these cause. So an event that nobody asks about is kept by nothing that it caused.
//
// Invariants, between any two steps:
//   pending is the number of effects of this that are not complete, plus those that hold it open, plus 1 until its own event is handled or cancelled
//   completed  if and only if  pending is 0
//   somebody waits  implies  it is not completed
// Source: circuits' Event.cause and Event.effects.

import { WaitList } from '../core/wait-list.ts';
import type { Firing } from './firing.ts';

let open = 0;

/** Is anybody interested in what events cause? */
export function anyFollowed(): boolean {
  return open > 0;
}

export class Effects {
  readonly firing: Firing;
  /** Whose effect this is. It is not complete before this is. */
  readonly cause: Effects | undefined;
  readonly waiters: WaitList = new WaitList();
  /** Called when it is complete, also by being cancelled. Never user code. */
  onComplete: (() => void) | undefined = undefined;
  #pending = 1;

  constructor(firing: Firing, cause: Effects | undefined) {
    this.firing = firing;
    this.cause = cause;
    if (cause !== undefined) cause.#pending += 1;
    open += 1;
  }

  get completed(): boolean {
    return this.#pending === 0;
  }

  /** Not to be complete before the function that is returned is called. */
  hold(): () => void {
    this.#pending += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.oneEnded();
    };
  }

  /** One thing less is to be done. A loop: a chain of causes may be a hundred thousand long. */
  oneEnded(): void {
    for (let effects: Effects | undefined = this; effects !== undefined; effects = effects.cause) {
      effects.#pending -= 1;
      if (effects.#pending > 0) return;
      open -= 1;
      effects.firing.isComplete(effects);
      effects.onComplete?.();
    }
  }
}
