// interval.ts: the twin of setInterval: an object whose next() waits for the next tick.
//
// Not a callback that is called again and again: who waits is never overtaken by a second tick.
//
// Ticks are a fixed distance apart, counted from the first next(). One that came while nobody waited is not lost: the next next() returns at once, as in
// node:timers/promises.
//
// Invariants, between any two steps:
//   a greenlet waits       implies  not closed, and its timer is armed for nextAtMs
//   nextAtMs is undefined  if and only if  next() has never been started

import { BusyError } from '../../core/errors.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { readyResult } from '../../core/kernel.ts';
import type { Waitable, WaitDescription } from '../../core/op.ts';
import type { Timer } from '../../core/timers.ts';
import { created } from '../../core/unstarted.ts';
import { Wait } from '../../core/wait.ts';
import type { Waiter } from '../../core/wait-list.ts';
import { abortable } from './abortable.ts';

type Step<T> = IteratorResult<T, undefined>;
const DONE = { done: true, value: undefined } as const;

class Ticks<T> extends Wait<Step<T>> implements Timer {
  deadlineMs = 0;
  order = 0;
  slot = -1;
  readonly #delayMs: number;
  readonly #value: T;
  #nextAtMs: number | undefined = undefined;
  #waiter: Waiter | undefined = undefined;
  #closed = false;

  constructor(delayMs: number, value: T) {
    super();
    this.#delayMs = delayMs;
    this.#value = value;
  }

  look(greenlet: Greenlet): boolean {
    if (this.#waiter !== undefined)
      throw new BusyError(
        `next on an interval, for which ${this.#waiter.owner().name} is waiting: one greenlet at a time`,
      );
    if (this.#closed) {
      readyResult.value = DONE;
      return true;
    }
    const nowMs = greenlet.scope.scheduler.driver.now();
    this.#nextAtMs ??= nowMs + this.#delayMs;
    if (this.#nextAtMs > nowMs) return false;
    readyResult.value = this.#tick();
    return true;
  }

  enlist(waiter: Waiter): void {
    this.#waiter = waiter;
    waiter.owner().scope.scheduler.sleepers.armAt(this, this.#nextAtMs as number);
  }

  retract(waiter: Waiter): void {
    this.#waiter = undefined;
    waiter.owner().scope.scheduler.sleepers.cancel(this);
  }

  /** The timer. */
  due(): void {
    const waiter = this.#waiter as Waiter;
    this.#waiter = undefined;
    waiter.fire(this.#tick(), 0);
  }

  #tick(): Step<T> {
    (this.#nextAtMs as number) += this.#delayMs;
    return { done: false, value: this.#value };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const waiter = this.#waiter;
    if (waiter === undefined) return;
    this.retract(waiter);
    waiter.fire(DONE, 0);
    waiter.owner().scope.scheduler.timersChanged();
  }

  describe(): WaitDescription {
    return { op: 'next', object: `interval of ${this.#delayMs} ms` };
  }
}

/** Ticks at fixed distances; for forEach. setInterval() makes them. */
export class Interval<T> {
  readonly #ticks: Ticks<T>;
  readonly #signal: AbortSignal | undefined;

  /** @internal: setInterval() makes them. */
  constructor(delayMs: number, value: T, signal: AbortSignal | undefined) {
    this.#ticks = new Ticks(delayMs, value);
    this.#signal = signal;
  }

  /**
   * Wait for the next tick: `{done: false, value}`; after close() `{done: true}`.
   *
   * Switches unless a tick has been missed. If it throws, no tick was taken. @throws BusyError if another greenlet waits for it. @throws AbortError
   */
  next(): Waitable<Step<T>> {
    return abortable(created(this.#ticks), this.#signal, 'setInterval');
  }

  /** End it; who waits is told that it is done. Never switches; idempotent. There is nothing to close but that: it holds no timer between two waits. */
  close(): void {
    this.#ticks.close();
  }

  /** What a loop that is left calls. */
  return(): Step<T> {
    this.close();
    return DONE;
  }
}
