// http-server-clock.ts: one limit in time that moves often and is rarely reached.
//
// A connection's limit changes with each request, some microseconds after the last change. So the timer stays armed where it is and looks again when it is
// due, as long as that is not too late. Moving a limit then costs one reading of the clock.
//
// Invariant: limitMs is finite  implies  the timer is armed, for limitMs or sooner, or has been cancelled.

import type { Scheduler } from '../core/scheduler.ts';
import type { Timer } from '../core/timers.ts';

export class MovingLimit implements Timer {
  order = 0;
  slot = -1;
  readonly #scheduler: Scheduler;
  readonly #reached: () => void;
  #limitMs = Number.POSITIVE_INFINITY;
  /** For when it is armed, or sooner. */
  #armedMs = Number.POSITIVE_INFINITY;
  #cancelled = false;

  constructor(scheduler: Scheduler, reached: () => void) {
    this.#scheduler = scheduler;
    this.#reached = reached;
  }

  /** Is there a limit? */
  get set(): boolean {
    return this.#limitMs !== Number.POSITIVE_INFINITY;
  }

  /** Call `reached` in `ms` from now, and not when it was to be called before. */
  move(ms: number): void {
    if (ms === Number.POSITIVE_INFINITY || this.#cancelled) {
      this.#limitMs = Number.POSITIVE_INFINITY;
      return;
    }
    this.#limitMs = this.#scheduler.driver.now() + ms;
    if (this.slot === -1 || this.#armedMs > this.#limitMs) this.#arm(ms);
  }

  /** Never call again. */
  cancel(): void {
    this.#cancelled = true;
    this.#limitMs = Number.POSITIVE_INFINITY;
    if (this.slot === -1) return;
    this.#scheduler.timeouts.cancel(this);
    this.#scheduler.timersChanged();
  }

  due(): void {
    if (this.#limitMs === Number.POSITIVE_INFINITY) return;
    const leftMs = this.#limitMs - this.#scheduler.driver.now();
    if (leftMs > 0) {
      this.#arm(leftMs);
      return;
    }
    this.#limitMs = Number.POSITIVE_INFINITY;
    this.#reached();
  }

  #arm(ms: number): void {
    this.#armedMs = this.#limitMs;
    this.#scheduler.timeouts.cancel(this);
    this.#scheduler.timeouts.arm(this, ms);
    this.#scheduler.timersChanged();
  }
}
