// http-timers.ts: the limits in time of one exchange that have a timer of their own: to get a connection, and on a body that only trickles in.
//
// Made only if one of them is needed, which is not so for most exchanges.

import type { Scheduler } from '../core/scheduler.ts';
import type { Timer } from '../core/timers.ts';

/** Over how long the rate of a body is measured. */
export const RATE_WINDOW_MS = 10_000;

/** What the timers need of their exchange. */
export interface Timed {
  readonly received: number;
  /** It has waited for a connection for long enough. */
  acquireExpired(): void;
  /** So much has come in the last window. Is that enough? */
  rateMeasured(bytes: number): boolean;
}

class OneTimer implements Timer {
  order = 0;
  slot = -1;
  readonly due: () => void;
  constructor(due: () => void) {
    this.due = due;
  }
}

export class ExchangeTimers {
  readonly #exchange: Timed;
  readonly #scheduler: Scheduler;
  #acquire: OneTimer | undefined = undefined;
  #rate: OneTimer | undefined = undefined;
  #before = 0;

  constructor(exchange: Timed, scheduler: Scheduler) {
    this.#exchange = exchange;
    this.#scheduler = scheduler;
  }

  /** It waits for a connection, for so long at most. */
  waitFor(limitMs: number): void {
    this.#acquire = new OneTimer(() => this.#exchange.acquireExpired());
    this.#scheduler.timeouts.arm(this.#acquire, limitMs);
  }

  /** Measure, from now on, how fast the body comes. */
  watchRate(): void {
    if (this.#rate !== undefined) return;
    this.#before = this.#exchange.received;
    this.#rate = new OneTimer(() => this.#measure());
    this.#scheduler.timeouts.arm(this.#rate, RATE_WINDOW_MS);
  }

  cancel(): void {
    this.#stop(this.#acquire);
    this.#stop(this.#rate);
  }

  #measure(): void {
    const { received } = this.#exchange;
    const came = received - this.#before;
    this.#before = received;
    if (this.#rate !== undefined && this.#exchange.rateMeasured(came))
      this.#scheduler.timeouts.arm(this.#rate, RATE_WINDOW_MS);
  }

  #stop(timer: OneTimer | undefined): void {
    if (timer === undefined || timer.slot === -1) return;
    this.#scheduler.timeouts.cancel(timer);
    this.#scheduler.timersChanged();
  }
}
