// event.ts: a flag that greenlets wait for.
//
// `set(); clear()` wakes everybody who waited at `set`: being woken is committed there, not when the greenlet runs.
// Invariant: somebody waits  implies  the flag is down.
// Source: threading.Event, gevent.event.Event; S12.

import { readyResult } from './kernel.ts';
import type { Waitable, WaitDescription } from './op.ts';
import { createdOrShared } from './unstarted.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

/** A flag that greenlets wait for. */
export class Event {
  readonly name: string | undefined;
  #isSet = false;
  /** @internal */ readonly waiters: WaitList = new WaitList();
  readonly #wait: Waitable<void> = new EventWait(this);

  constructor(options: { readonly name?: string | undefined } = {}) {
    this.name = options.name;
  }

  get isSet(): boolean {
    return this.#isSet;
  }

  /** Raise the flag and wake all who wait. Never switches. */
  set(): void {
    this.#isSet = true;
    this.waiters.fireAll(undefined, 0);
  }

  /** Lower the flag. Never switches. */
  clear(): void {
    this.#isSet = false;
  }

  /** Wait until the flag is up. Switches only if it is down. @throws Killed if killed while waiting. */
  wait(): Waitable<void> {
    return createdOrShared(this.#wait, () => new EventWait(this));
  }
}

class EventWait extends Wait<void> {
  readonly #event: Event;
  constructor(event: Event) {
    super();
    this.#event = event;
  }
  look(): boolean {
    if (!this.#event.isSet) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    this.#event.waiters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#event.waiters.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'wait', object: this.#event.name === undefined ? 'an event' : `event ${this.#event.name}` };
  }
}
