// clock-driver.ts: the driver of a virtual clock's world: it keeps the time and notes what is asked of it; it does nothing by itself.
//
// Unlike VirtualDriver, which plays a closed world in one go, it leaves each turn to its owner, who takes them one by one as the host's loop goes round.
// A turn has no end but that nobody can run: everything runnable at an instant runs before a timeout of that instant.
//
// Invariant: nowMs never goes back, and is never beyond wakeAtMs but while that turn is asked for.

import type { ContextCarrier, Driver } from '../driver.ts';
import { UsageError } from '../errors.ts';
import type { Greenlet } from '../greenlet.ts';
import { kernel } from '../kernel.ts';
import { Seeded } from './seeded.ts';

/** What a virtual clock needs of its host. */
export interface ClockHost {
  /** Resolves when the host's loop has gone round once: promises, callbacks and input that were due have been dealt with. */
  turn(): Promise<void>;
  /** Call `tick` every `ms` of real time until the function that is returned is called. It must not keep the process alive. */
  every(ms: number, tick: () => void): () => void;
  warn(warning: Error): void;
  /** End the program with an error that nobody can be given. */
  fatal(error: unknown, greenlet: Greenlet | undefined): void;
  readonly context: ContextCarrier | undefined;
}

/** What the owner of the driver is told. */
interface ClockOwner {
  turnAsked(): void;
  fatal(error: unknown, greenlet: Greenlet | undefined): void;
  warn(warning: Error): void;
}

/** The scheduler reads the clock once in 64 steps, at most: so many readings in one turn are about 10,000,000 steps. */
const MOST_READINGS = 156_250;

export class ClockDriver implements Driver {
  readonly sliceMs: number = Number.POSITIVE_INFINITY;
  readonly development = false;
  readonly context: ContextCarrier | undefined;
  nowMs = 0;
  wakeAtMs: number = Number.POSITIVE_INFINITY;
  turnAsked = false;
  #readings = 0;
  #quiescent: (() => void) | undefined;
  readonly #random: Seeded;
  readonly #owner: ClockOwner;

  constructor(seed: number, context: ContextCarrier | undefined, owner: ClockOwner) {
    this.#random = new Seeded(seed);
    this.context = context;
    this.#owner = owner;
  }

  now(): number {
    if (kernel.current !== kernel.nobody) {
      this.#readings += 1;
      if (this.#readings > MOST_READINGS)
        throw new UsageError(`too many steps in one turn: does ${kernel.current.name} spin at ${this.nowMs} ms?`);
    }
    return this.nowMs;
  }

  askTurn(): void {
    this.turnAsked = true;
    this.#owner.turnAsked();
  }

  wakeAt(deadlineMs: number): void {
    this.wakeAtMs = deadlineMs;
  }

  random(): number {
    return this.#random.next();
  }

  hold(): void {}

  onQuiescent(listener: () => void): void {
    this.#quiescent = listener;
  }

  fatal(error: unknown, greenlet: Greenlet | undefined): void {
    this.#owner.fatal(error, greenlet);
  }

  warn(warning: Error): void {
    this.#owner.warn(warning);
  }

  /** Let time pass up to the earliest timer; its turn is asked for. There must be one. */
  jump(): void {
    this.moveTo(this.wakeAtMs);
    this.wakeAtMs = Number.POSITIVE_INFINITY;
    this.turnAsked = true;
  }

  moveTo(atMs: number): void {
    this.nowMs = Math.max(this.nowMs, atMs);
  }

  /** The turn that was asked for begins. */
  turnBegins(): void {
    this.turnAsked = false;
    this.#readings = 0;
  }

  /** Tell the scheduler that nothing can happen any more. */
  quiescent(): void {
    this.#quiescent?.();
  }
}
