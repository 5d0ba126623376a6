// stall-watch.ts: notices that timers of a virtual clock are pending and nobody moves it: nearly always a forgotten `advance`, and a test that hangs.
//
// It looks once in a while, in real time, and complains if nothing at all has happened since it looked last: no turn, no move. Once per clock: the
// second time says nothing new. It runs only as long as a greenlet lives that somebody waits for, so a clock that is done leaves nothing behind.
// Source: the warning that trio's MockClock lacks.

import type { ClockHost } from './clock-driver.ts';

export class StallWatch {
  readonly #host: ClockHost;
  readonly #afterMs: number;
  readonly #activity: () => number;
  readonly #complain: () => boolean;
  #end: (() => void) | undefined = undefined;
  #done = false;

  /** `activity` counts what happens; `complain` is called when it stands still, and says whether there was a reason to. */
  constructor(host: ClockHost, afterMs: number, activity: () => number, complain: () => boolean) {
    this.#host = host;
    this.#afterMs = afterMs;
    this.#activity = activity;
    this.#complain = complain;
  }

  start(): void {
    if (this.#done || this.#end !== undefined || this.#afterMs === Number.POSITIVE_INFINITY) return;
    let before = -1;
    this.#end = this.#host.every(this.#afterMs, () => {
      const activity = this.#activity();
      if (activity === before && this.#complain()) {
        this.#done = true;
        this.stop();
      }
      before = activity;
    });
  }

  stop(): void {
    this.#end?.();
    this.#end = undefined;
  }
}
