// side.ts: what most greenlets never need. Made on first use, because the field count of the greenlet's own record is what decides
// the memory of a parked greenlet and the speed of a spawn.
//
// Invariant: whoever reads it copes with its absence; only `greenlet.rare()` makes it.

import type { CancelWatcher } from './cancellation.ts';
import type { Coroutine } from './coroutine.ts';
import type { Frame } from './frame.ts';
import type { Greenlet } from './greenlet.ts';
import type { Link } from './links.ts';
import type { Resume, Trap } from './op.ts';
import type { Timer } from './timers.ts';
import type { Waiter } from './wait-list.ts';

/**
 * Where children find their parent; emptied when the parent ends, so that a chain of spawns keeps nothing alive. It holds the parent's own, so that a
 * greenlet that spawns needs no field more, and no side record.
 */
export interface ParentLink {
  greenlet: Greenlet | undefined;
  outer: ParentLink | undefined;
}

/** A lock that knows its owner, linked to the next one that the same greenlet owns. */
export interface OwnedLock {
  nextOwned: OwnedLock | undefined;
  prevOwned: OwnedLock | undefined;
  /** The owner has ended: report it. The lock stays locked. */
  abandoned(owner: Greenlet): void;
}

export class Side {
  name: string | undefined = undefined;
  /** What is pending: the outermost cancelled frame that is not masked. */
  interrupt: Frame | undefined = undefined;
  /** The greenlet's own frame, once it is killed. */
  base: Frame | undefined = undefined;
  /** Deliveries of Killed since an Op last returned a value. */
  deliveries = 0;
  /** Errors from throw() that are still to be thrown, oldest first. */
  throws: unknown[] | undefined = undefined;
  /** Iterators that wait for a callee (`call`), outermost first. */
  callers: Iterator<Trap, unknown, Resume>[] | undefined = undefined;
  /** Which of its coroutines runs; undefined as long as there is only the one that it began with. */
  coroutine: Coroutine | undefined = undefined;
  links: Link[] | undefined = undefined;
  /** What the kernel itself does when it ends, at once. Never user code. */
  enders: (() => void)[] | undefined = undefined;
  /** Who is told when what runs in it is cancelled. */
  cancelWatchers: Set<CancelWatcher> | undefined = undefined;
  /** The waiter of its park(). */
  parked: Waiter | undefined = undefined;
  /** The timer of its delayed start. */
  delay: Timer | undefined = undefined;
  ownedLocks: OwnedLock | undefined = undefined;
  /** Stands for its lifetime as the key of its Local values: dropped when it ends, and they with it. */
  localsKey: object | undefined = undefined;
  /** Where it was spawned; in development mode only. */
  spawnSite: Error | undefined = undefined;
  /** When it was made; in development mode only. */
  createdAtMs: number = Number.NaN;
}
