// event-queue.ts: events that were fired and not yet handled: those of higher priority first, and of one priority the oldest first.
//
// A first-in first-out buffer for each priority that is in use, which are few; that of priority 0, nearly always the only one, is never given up. It knows nothing
// of events that were cancelled meanwhile: whoever takes one out looks.
// Source: circuits' _EventQueue. There a lower number goes first, for events but not for handlers, and one that is fired while others are dispatched waits for all of those.

import { Fifo } from '../core/fifo.ts';

interface Level<T> {
  readonly priority: number;
  readonly events: Fifo<T>;
}

export class EventQueue<T> {
  readonly #plain: Level<T> = { priority: 0, events: new Fifo() };
  /** The highest priority first. */
  readonly #levels: Level<T>[] = [this.#plain];
  size = 0;

  push(event: T, priority: number): void {
    this.size += 1;
    (priority === 0 ? this.#plain : this.#level(priority)).events.push(event);
  }

  /** Take out the one that is next, if there is one. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    this.size -= 1;
    const { events } = this.#levels.length === 1 ? this.#plain : this.#highest();
    return events.shift();
  }

  #level(priority: number): Level<T> {
    const at = this.#levels.findIndex((level) => level.priority <= priority);
    const found = this.#levels[at];
    if (found?.priority === priority) return found;
    const level = { priority, events: new Fifo<T>() };
    this.#levels.splice(at < 0 ? this.#levels.length : at, 0, level);
    return level;
  }

  /** The highest level that has an event; empty ones above it are given up. */
  #highest(): Level<T> {
    let at = 0;
    while ((this.#levels[at] as Level<T>).events.size === 0) {
      if (this.#levels[at] === this.#plain) at += 1;
      else this.#levels.splice(at, 1);
    }
    return this.#levels[at] as Level<T>;
  }
}
