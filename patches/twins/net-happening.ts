// net-happening.ts: something that Node tells once by an event, and that can be waited for before and after: the end of a child, of a server.
//
// Not an Event of the kernel: each wait counts as one for something outside, so it keeps the process alive and is no deadlock.
//
// Invariant, between any two steps:
//   it has been set  implies  nobody waits for it

import { ExternalWait, type Ticket } from '../../core/external.ts';
import { readyResult } from '../../core/kernel.ts';
import type { WaitDescription } from '../../core/op.ts';
import type { Waiter } from '../../core/wait-list.ts';

/** Something that happens once, with a value. */
export class Happening<T> {
  readonly what: string;
  readonly of: string;
  /** A greenlet was killed while it waited. */
  readonly whenKilled: () => void;
  readonly #waiting: Set<Ticket<T>> = new Set();
  #outcome: { readonly value: T } | undefined = undefined;

  constructor(what: string, of: string, whenKilled: () => void = () => {}) {
    this.what = what;
    this.of = of;
    this.whenKilled = whenKilled;
  }

  get outcome(): { readonly value: T } | undefined {
    return this.#outcome;
  }

  set(value: T): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = { value };
    for (const ticket of this.#waiting) ticket.resolve(value);
    this.#waiting.clear();
  }

  wait(): ExternalWait<T> {
    return new HappeningWait(this);
  }

  /** @internal */
  add(ticket: Ticket<T>): void {
    this.#waiting.add(ticket);
    ticket.onRetract = () => {
      this.#waiting.delete(ticket);
      ticket.withdraw();
    };
  }
}

class HappeningWait<T> extends ExternalWait<T> {
  readonly #happening: Happening<T>;
  constructor(happening: Happening<T>) {
    super();
    this.#happening = happening;
  }
  override look(): boolean {
    const { outcome } = this.#happening;
    if (outcome === undefined) return false;
    readyResult.value = outcome.value;
    return true;
  }
  protected begin(ticket: Ticket<T>): void {
    this.#happening.add(ticket);
  }
  override retract(waiter: Waiter): void {
    super.retract(waiter);
    // As ExitWait: a select or a timeout that gives it up means nothing to the child.
    const kind = waiter.owner().side?.interrupt?.kind;
    if (kind === 'greenlet' || kind === 'scope') this.#happening.whenKilled();
  }
  describe(): WaitDescription {
    return { op: `once '${this.#happening.what}'`, object: this.#happening.of };
  }
}
