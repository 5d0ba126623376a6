// wait.ts: the base of every Waitable. A primitive says how to look, enlist, retract and describe; the start is the same for all.
//
// It holds no state of a wait: one Wait may be started by many greenlets at once. What one wait needs to keep goes into the
// waiter's `value`.
//
// Contract of a subclass:
//   look      either commits for the greenlet, sets readyResult.value and returns true, or changes nothing and returns false
//   enlist    after it exactly one fire or one retract follows; it may fire at once
//   retract   is O(1) and gives up what the waiter offered
//   blocker   the one greenlet that has to act before this wait can end, if there is just one: for cycles of locks and joins
// Source: Go's select.go (look, enlist, retract on three sides of one structure).

import type { Greenlet } from './greenlet.ts';
import { start } from './leaf.ts';
import type { Resume, Trap, Waitable, WaitDescription } from './op.ts';
import type { Waiter } from './wait-list.ts';

export abstract class Wait<T> implements Waitable<T> {
  declare readonly resultType?: T;

  // biome-ignore lint/complexity/noUselessConstructor: through the default one V8 makes a subclass more slowly: 5 to 8 % of spawn and join
  constructor() {}

  abstract look(greenlet: Greenlet): boolean;
  abstract enlist(waiter: Waiter): void;
  abstract retract(waiter: Waiter): void;
  abstract describe(): WaitDescription;

  blocker(): Greenlet | undefined {
    return undefined;
  }

  [Symbol.iterator](): Iterator<Trap, T, Resume> {
    return start(this) as Iterator<Trap, T, Resume>;
  }
}
