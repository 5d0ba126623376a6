// firing-wait.ts: the wait for a firing's end: until it is handled, or until it is complete.
//
// It holds no state of a wait: who waits is in firing.ts. To look is to care for the outcome: a failure is for whoever waits to know, and is not
// reported elsewhere, unless they give up for good. A select that took another arm has not: the loop around it will come back.

import { isAbandoned } from '../core/giving-up.ts';
import { readyResult } from '../core/kernel.ts';
import type { WaitDescription } from '../core/op.ts';
import { Wait } from '../core/wait.ts';
import type { Waiter } from '../core/wait-list.ts';
import type { Firing } from './firing.ts';

export class FiringWait<R> extends Wait<R[]> {
  readonly #firing: Firing;
  readonly #sense: 'handled' | 'complete';
  constructor(firing: Firing, sense: 'handled' | 'complete') {
    super();
    this.#firing = firing;
    this.#sense = sense;
  }

  look(): boolean {
    const firing = this.#firing;
    firing.seen = true;
    if (firing.cancelledBy !== undefined) throw firing.cancelledBy();
    if (!firing.endedAs(this.#sense)) return false;
    if (firing.errors.length > 0) {
      firing.told();
      throw firing.errors[0];
    }
    readyResult.value = firing.results;
    return true;
  }

  enlist(waiter: Waiter): void {
    this.#firing.waitersFor(this.#sense).push(waiter);
  }

  retract(waiter: Waiter): void {
    this.#firing.waitersFor(this.#sense).remove(waiter);
    if (isAbandoned(waiter)) this.#firing.abandoned();
  }

  describe(): WaitDescription {
    return { op: this.#sense === 'handled' ? 'result' : 'complete', object: `event ${this.#firing}` };
  }
}
