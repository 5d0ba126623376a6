// server-events.ts: what a server has to say to whoever watches it: a few named events, told at the end of the turn.
//
// Not the hub's events, which are about errors that nobody could be given. Nobody has to listen here. What a listener throws goes to the hub's `error`
// event and stops nobody.

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { shownValue } from './address.ts';

// biome-ignore lint/suspicious/noExplicitAny: any listener's arguments; what is public names them.
type Listeners<L> = { [K in keyof L]: (...args: any[]) => void };

export class ServerEvents<L extends Listeners<L>> {
  readonly #listeners: Map<keyof L, Set<L[keyof L]>>;
  readonly #where: string;
  #scheduler: Scheduler | undefined = undefined;

  constructor(names: readonly (keyof L)[], where: string) {
    this.#listeners = new Map(names.map((name) => [name, new Set()]));
    this.#where = where;
  }

  /** The server runs in `scheduler` from now on. */
  begin(scheduler: Scheduler): void {
    this.#scheduler = scheduler;
  }

  /** Have `listener` called on `event`; the function that is returned takes it out again. @throws TypeError for another event, or no function. */
  on<K extends keyof L>(event: K, listener: L[K]): () => void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) {
      const known = [...this.#listeners.keys()].join(', ');
      throw typeError(`${this.#where}.on: no such event: ${shownValue(event)}; there are ${known}`);
    }
    if (typeof listener !== 'function')
      throw typeError(
        `${this.#where}.on: the listener of '${String(event)}' must be a function, not ${nameOf(listener)}`,
      );
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  emit<K extends keyof L>(event: K, ...args: Parameters<L[K]>): void {
    for (const listener of this.#listeners.get(event) ?? []) this.#scheduler?.atTurnEnd(() => listener(...args));
  }
}
