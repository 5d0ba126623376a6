// virtual-driver.ts: a closed world in which time passes only when nothing can run.
//
// Nothing in it happens by itself: whoever owns it calls `runUntilIdle`, which takes turns until no turn is asked for, then lets the clock jump to
// the next wake-up. Everything that is runnable at an instant runs before a timeout of that instant, because a slice has no end here.
//
// Random numbers come from a seed (mulberry32, public domain), so that a run can be repeated.

import type { Driver } from '../driver.ts';
import { UsageError } from '../errors.ts';
import type { Greenlet } from '../greenlet.ts';
import { kernel } from '../kernel.ts';
import type { Scheduler } from '../scheduler.ts';

export interface VirtualDriverOptions {
  readonly seed?: number | undefined;
  /** Make every choice: a number from 0 to count - 1. Absent: the oldest greenlet runs, and none is preempted. */
  readonly choose?: ((count: number, what: 'greenlet' | 'preempt') => number) | undefined;
  /** Give up after so many turns: a world that ticks for ever at one instant. */
  readonly maxTurns?: number | undefined;
  /** Give up after about so many steps at one instant: a greenlet that spins; 10,000,000 if not given. */
  readonly maxSteps?: number | undefined;
}

/** The scheduler reads the clock once in so many steps, at most. */
const STEPS_PER_READING = 64;

export class VirtualDriver implements Driver {
  readonly sliceMs: number = Number.POSITIVE_INFINITY;
  readonly development = false;
  readonly pick: ((count: number) => number) | undefined;
  readonly preempt: (() => boolean) | undefined;
  /** Errors that nobody could be given, in order. */
  readonly fatalErrors: unknown[] = [];
  #nowMs = 0;
  #turnAsked = false;
  #turnHeld = false;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #random: number;
  #turnsLeft: number;
  readonly #maxReadings: number;
  /** Readings of the clock by steps, since it last moved. */
  #readings = 0;
  #lastToRun = 'a greenlet';
  #quiescent: (() => void) | undefined;
  #turnWanted: (() => void) | undefined;

  constructor(options: VirtualDriverOptions = {}) {
    this.#random = (options.seed ?? 1) | 0;
    const { choose } = options;
    this.pick = choose === undefined ? undefined : (count) => choose(count, 'greenlet');
    this.preempt = choose === undefined ? undefined : () => choose(2, 'preempt') === 1;
    this.#turnsLeft = options.maxTurns ?? 1_000_000;
    this.#maxReadings = Math.ceil((options.maxSteps ?? 10_000_000) / STEPS_PER_READING);
  }

  now(): number {
    if (kernel.current !== kernel.nobody) {
      this.#lastToRun = kernel.current.name;
      this.#readings += 1;
      if (this.#readings > this.#maxReadings) throw this.#spinning('steps');
    }
    return this.#nowMs;
  }

  askTurn(holding: boolean): void {
    this.#turnAsked = true;
    this.#turnHeld ||= holding;
    this.#turnWanted?.();
  }

  wakeAt(deadlineMs: number): void {
    this.#wakeAtMs = deadlineMs;
  }

  random(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  hold(): void {}

  onQuiescent(listener: () => void): void {
    this.#quiescent = listener;
  }

  fatal(error: unknown, _greenlet: Greenlet | undefined): void {
    this.fatalErrors.push(error);
  }

  warn(_warning: Error): void {}

  /** Take turns, and let time pass, until nothing in `scheduler` can go on by itself. */
  runUntilIdle(scheduler: Scheduler): void {
    for (;;) {
      while (this.#turnAsked) {
        if (scheduler.live === 0 && !this.#turnHeld) return; // only daemons are left
        if (this.#turnsLeft === 0) throw this.#spinning('turns');
        this.#turnsLeft -= 1;
        this.#turnAsked = false;
        this.#turnHeld = false;
        scheduler.turn();
      }
      // While something outside is awaited, time must not run ahead of it.
      if (scheduler.externalWaits > 0 || scheduler.live === 0 || this.#wakeAtMs === Number.POSITIVE_INFINITY) return;
      if (this.#wakeAtMs > this.#nowMs) this.#readings = 0;
      this.#nowMs = Math.max(this.#nowMs, this.#wakeAtMs);
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.#turnAsked = true;
    }
  }

  #spinning(what: string): UsageError {
    return new UsageError(`the simulation took too many ${what}: does ${this.#lastToRun} spin at ${this.#nowMs} ms?`);
  }

  /** Tell the scheduler that nothing can happen any more. */
  quiescent(): void {
    this.#quiescent?.();
  }

  /** A promise of the next time that somebody outside asks for a turn. */
  turnWanted(): Promise<void> {
    if (this.#turnAsked) return Promise.resolve();
    return new Promise((resolve) => {
      this.#turnWanted = () => {
        this.#turnWanted = undefined;
        resolve();
      };
    });
  }
}
