// instruments.ts: watch every greenlet's life, for tracing, metrics and tests. Free when there is none.
//
// An instrument is told of five things, each after it has happened, synchronously: it must be quick, and it must not start an Op. One that throws
// is taken out and reported once (S19).
// Source: trio's instruments.

import type { Greenlet } from './greenlet.ts';
import type { Scheduler } from './scheduler.ts';

export interface Instrument {
  spawned?(greenlet: Greenlet): void;
  /** A step begins. */
  running?(greenlet: Greenlet): void;
  /** The step has ended, and the greenlet waits or gave way. */
  parked?(greenlet: Greenlet): void;
  /** What it waited for has happened, or was taken back; it is queued. */
  woken?(greenlet: Greenlet): void;
  ended?(greenlet: Greenlet): void;
}

export class Instruments {
  readonly #scheduler: Scheduler;
  readonly #all: Set<Instrument> = new Set();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get size(): number {
    return this.#all.size;
  }

  add(instrument: Instrument): void {
    this.#all.add(instrument);
  }

  remove(instrument: Instrument): void {
    this.#all.delete(instrument);
  }

  tell(what: keyof Instrument, greenlet: Greenlet): void {
    for (const instrument of [...this.#all]) {
      try {
        instrument[what]?.(greenlet);
      } catch (error) {
        this.remove(instrument);
        this.#scheduler.report(error, undefined);
      }
    }
  }
}
