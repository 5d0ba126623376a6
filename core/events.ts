// events.ts: what a scheduler has to say to whoever watches it.
//
//   error        an error that no greenlet could be given; without a listener it ends the program, as an uncaught exception does
//   killIgnored  a greenlet has swallowed Killed a hundred times; without a listener nothing happens until it is closed by force
//   leak         greenlets that are still parked although every run() has ended and nothing can wake them
//
// A listener that throws does not stop the others; what it throws is fatal.

import { typeError } from './bad-argument.ts';
import type { Killed } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import type { Scheduler } from './scheduler.ts';

export interface EventListeners {
  error(error: unknown, greenlet: Greenlet | undefined): void;
  killIgnored(greenlet: Greenlet, killed: Killed): void;
  leak(greenlets: readonly Greenlet[], report: string): void;
}

export class Events {
  readonly #scheduler: Scheduler;
  readonly #listeners: { [K in keyof EventListeners]: Set<EventListeners[K]> } = {
    error: new Set(),
    killIgnored: new Set(),
    leak: new Set(),
  };

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Have `listener` called on `event`; the function that is returned takes it out again. */
  on<K extends keyof EventListeners>(event: K, listener: EventListeners[K]): () => void {
    const listeners: Set<EventListeners[K]> | undefined = Object.hasOwn(this.#listeners, event)
      ? this.#listeners[event]
      : undefined;
    if (listeners === undefined) throw typeError(`no such event: ${String(event)}; there are error, killIgnored, leak`);
    if (typeof listener !== 'function') throw typeError(`the listener of '${event}' must be a function`);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  error(error: unknown, greenlet: Greenlet | undefined): void {
    if (this.#listeners.error.size === 0) this.#scheduler.driver.fatal(error, greenlet);
    else this.#emit(this.#listeners.error, (listener) => listener(error, greenlet));
  }

  killIgnored(greenlet: Greenlet, killed: Killed): void {
    this.#scheduler.atTurnEnd(() => this.#emit(this.#listeners.killIgnored, (listener) => listener(greenlet, killed)));
  }

  leak(greenlets: readonly Greenlet[], report: string): void {
    this.#emit(this.#listeners.leak, (listener) => listener(greenlets, report));
  }

  #emit<L>(listeners: ReadonlySet<L>, call: (listener: L) => void): void {
    for (const listener of [...listeners]) {
      try {
        call(listener);
      } catch (error) {
        this.#scheduler.driver.fatal(error, undefined);
      }
    }
  }
}
