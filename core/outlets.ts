// outlets.ts: what collects output during a turn and hands it to the host once, when the greenlets have run.
//
// A socket that is written to fifty times in one slice enters this list once and makes one system call. An outlet carries its own link, so
// that entering allocates nothing. No user code runs in `handOver`, and what it throws is our bug, not the program's.
//
// Invariants, between any two turns:
//   the list is empty, or a turn has been asked for
//   an outlet is in the list at most once (it keeps that flag itself)

import type { Events } from './events.ts';

export interface Outlet {
  /** The next one in the list. */
  nextOutlet: Outlet | undefined;
  /** Give the host what was collected. Called once for each time that it was added. */
  handOver(): void;
}

export class OutletList {
  #head: Outlet | undefined = undefined;
  #tail: Outlet | undefined = undefined;

  add(outlet: Outlet): void {
    outlet.nextOutlet = undefined;
    if (this.#tail === undefined) this.#head = outlet;
    else this.#tail.nextOutlet = outlet;
    this.#tail = outlet;
  }

  handOverAll(events: Events): void {
    for (let outlet = this.#head; outlet !== undefined; outlet = this.#head) {
      this.#head = outlet.nextOutlet;
      if (this.#head === undefined) this.#tail = undefined;
      outlet.nextOutlet = undefined;
      try {
        outlet.handOver();
      } catch (error) {
        events.error(error, undefined);
      }
    }
  }
}
