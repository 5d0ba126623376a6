// external.ts: the base of every wait for something outside the kernel: a promise, a callback, an event of the host.
//
// A ticket stands between the host's callback and the waiter. The callback may come late, twice or never: a ticket settles once, and only
// while its wait lasts; what comes later is counted as stale and handed to `orphaned`, so that nothing is lost unseen.
//
// Invariant: scheduler.externalWaits is the number of counted tickets that wait, and of waits like them that need no ticket (sockets).

import { giveUp } from './giving-up.ts';
import type { Scheduler } from './scheduler.ts';
import { FAILED, LAZY, type Outcome } from './status.ts';
import { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';

/** What the host's callback is given. */
export class Ticket<T> {
  #waiter: Waiter | undefined;
  readonly #scheduler: Scheduler;
  readonly #orphaned: ((value: T) => void) | undefined;
  #settled = false;
  /** Called when the wait is given up: abort what can be aborted. */
  onRetract: (() => void) | undefined = undefined;

  /** Does the wait count as one for something outside? A simulated host's does not: what ends it is in this world. */
  readonly #counted: boolean;

  constructor(waiter: Waiter, orphaned?: (value: T) => void, counted = true) {
    this.#counted = counted;
    this.#waiter = waiter;
    this.#scheduler = waiter.owner().scope.scheduler;
    this.#orphaned = orphaned;
    if (counted) this.#scheduler.externalStarted();
  }

  resolve(value: T): void {
    if (this.#settled) return;
    this.#settled = true;
    if (this.#waiter === undefined) {
      this.#scheduler.stats.staleWakes += 1;
      this.#scheduler.stats.orphans -= 1;
      this.#orphaned?.(value);
    } else {
      this.fire(value, 0);
    }
  }

  reject(error: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    if (this.#waiter === undefined) {
      this.#scheduler.stats.staleWakes += 1;
      this.#scheduler.stats.orphans -= 1;
    } else {
      this.fire(error, FAILED);
    }
  }

  /** What settled it was a promise: whom it woke may run before the host polls again. */
  soon(): void {
    this.#scheduler.turnSoon();
  }

  /** As `reject`, with an error that is made where the greenlet waits, so that its stack names the caller. */
  rejectWith(make: () => unknown): void {
    if (this.#settled || this.#waiter === undefined) {
      this.reject(undefined);
      return;
    }
    this.#settled = true;
    this.fire(make, LAZY);
  }

  retract(): void {
    this.#waiter = undefined;
    this.#scheduler.stats.orphans += 1;
    if (this.#counted) this.#scheduler.externalEnded();
    if (this.onRetract !== undefined) giveUp(this.onRetract);
  }

  /** The wait is over and nothing will come any more: whoever retracted has undone it. */
  withdraw(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#scheduler.stats.orphans -= 1;
  }

  private fire(value: unknown, outcome: Outcome): void {
    const waiter = this.#waiter as Waiter;
    this.#waiter = undefined;
    if (this.#counted) this.#scheduler.externalEnded();
    waiter.fire(value, outcome);
  }
}

/** A wait that the host ends. A subclass says how to begin; `begin` may settle the ticket at once. */
export abstract class ExternalWait<T> extends Wait<T> {
  protected abstract begin(ticket: Ticket<T>): void;
  /** Is it for something outside this world? Not if a simulated host ends it. */
  protected counted(_waiter: Waiter): boolean {
    return true;
  }
  /** Dispose of a value that came when nobody waited any more. */
  protected orphaned?(value: T): void;

  look(): boolean {
    return false;
  }

  enlist(waiter: Waiter): void {
    const ticket = new Ticket<T>(waiter, (value) => this.orphaned?.(value), this.counted(waiter));
    waiter.value = ticket;
    try {
      this.begin(ticket);
    } catch (error) {
      // It never began: the error is the Op's own.
      ticket.reject(error);
    }
  }

  retract(waiter: Waiter): void {
    (waiter.value as Ticket<T>).retract();
  }
}
