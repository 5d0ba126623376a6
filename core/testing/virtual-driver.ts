// virtual-driver.ts: a closed world in which time passes only when nothing can run.
//
// Nothing in it happens by itself: whoever owns it calls `runUntilIdle`, which takes turns until no turn is asked for, then lets the clock jump to
// the next wake-up. Everything that is runnable at an instant runs before a timeout of that instant, because a slice has no end here.
//
// An alarm is a moment that the owner waits for: it rings when the clock gets there, before anything that is due then or later, and holds
// nothing up: it is no timer of the world.
//
// Who runs next, who is preempted and what is random comes from `decisions`. Without them the oldest greenlet runs, nobody is preempted and random
// numbers come from a seed.

import type { ContextCarrier, Driver } from '../driver.ts';
import { UsageError } from '../errors.ts';
import type { Greenlet } from '../greenlet.ts';
import { kernel } from '../kernel.ts';
import type { Op } from '../op.ts';
import type { RunQueue } from '../run-queue.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Choices } from './choices.ts';
import { Seeded } from './seeded.ts';

/** Every decision of a world, scheduling included. */
export interface Decisions extends Choices {
  pick(queue: RunQueue): number;
  preempt(running: Greenlet, queue: RunQueue): boolean;
}

/** What a world's owner is told as it runs. */
export interface StepWatch {
  /** `greenlet` starts `op`; `gaveWay` if somebody else runs first. */
  started(greenlet: Greenlet, op: Op<unknown>, gaveWay: boolean): void;
  /** A step of `greenlet` is over: it waits, gave way or has ended. */
  stepped(greenlet: Greenlet): void;
}

export interface VirtualDriverOptions {
  /** For random numbers, if there are no decisions; 1 if not given. */
  readonly seed?: number | undefined;
  readonly decisions?: Decisions | undefined;
  readonly watch?: StepWatch | undefined;
  /** Give up after so many turns: a world that ticks for ever at one instant. */
  readonly maxTurns?: number | undefined;
  /** Give up after about so many steps at one instant: a greenlet that spins; 10,000,000 if not given. */
  readonly maxSteps?: number | undefined;
}

/** The scheduler reads the clock once in so many steps, at most. */
const STEPS_PER_READING = 64;
/** `random()` as a decision: fine enough for a jitter, coarse enough to be made simpler. */
const RANDOM_STEPS = 65_536;

interface Alarm {
  readonly atMs: number;
  readonly ring: () => void;
}

export class VirtualDriver implements Driver {
  readonly sliceMs: number = Number.POSITIVE_INFINITY;
  readonly development = false;
  readonly pick: ((queue: RunQueue) => number) | undefined;
  readonly preempt: ((greenlet: Greenlet, op: Op<unknown>) => boolean) | undefined;
  readonly choose: ((count: number, what: string) => number) | undefined;
  /** Errors that nobody could be given, in order. */
  readonly fatalErrors: unknown[] = [];
  #nowMs = 0;
  #turnAsked = false;
  #turnHeld = false;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  readonly #random: Seeded;
  readonly #context: ContextCarrier | undefined;
  readonly #alarms: Alarm[] = [];
  #turnsLeft: number;
  readonly #maxReadings: number;
  /** Readings of the clock by steps, since it last moved. */
  #readings = 0;
  #lastToRun = 'a greenlet';
  #stopped = false;
  /** The host's ticks have come to rest since the last turn; only of interest while there is `hostWork`. */
  hostSettled = false;
  #quiescent: (() => void) | undefined;
  #turnWanted: (() => void) | undefined;

  constructor(options: VirtualDriverOptions = {}) {
    this.#random = new Seeded(options.seed ?? 1);
    this.#turnsLeft = options.maxTurns ?? 1_000_000;
    this.#maxReadings = Math.ceil((options.maxSteps ?? 10_000_000) / STEPS_PER_READING);
    const { decisions, watch } = options;
    if (decisions !== undefined) {
      this.pick = (queue) => decisions.pick(queue);
      this.choose = (count, what) => decisions.choose(count, what);
      this.preempt = (greenlet, op) => {
        const gaveWay = decisions.preempt(greenlet, greenlet.scope.scheduler.runQueue);
        watch?.started(greenlet, op, gaveWay);
        return gaveWay;
      };
    }
    if (watch !== undefined) {
      this.#context = {
        capture: () => undefined,
        turn: (turn) => turn(),
        step(greenlet, step) {
          step(greenlet);
          watch.stepped(greenlet);
        },
      };
    }
  }

  get context(): ContextCarrier | undefined {
    return this.#context;
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
    return this.choose === undefined ? this.#random.next() : this.choose(RANDOM_STEPS, 'random') / RANDOM_STEPS;
  }

  hold(): void {}

  onQuiescent(listener: () => void): void {
    this.#quiescent = listener;
  }

  fatal(error: unknown, _greenlet: Greenlet | undefined): void {
    this.fatalErrors.push(error);
  }

  warn(_warning: Error): void {}

  /** Have `ring` called when the clock reaches `atMs`. */
  alarm(atMs: number, ring: () => void): void {
    this.#alarms.push({ atMs, ring });
    this.#alarms.sort((a, b) => a.atMs - b.atMs);
  }

  get turnAsked(): boolean {
    return this.#turnAsked;
  }

  /** Take no more turns. */
  stop(): void {
    this.#stopped = true;
  }

  /** Jump to the next alarm, which there must be, and ring it. */
  skipToAlarm(): void {
    const alarm = this.#alarms.shift() as Alarm;
    this.#jump(alarm.atMs);
    alarm.ring();
  }

  /** Take turns, and let time pass up to `untilMs`, until nothing in `scheduler` can go on by itself. */
  runUntilIdle(scheduler: Scheduler, untilMs: number = Number.POSITIVE_INFINITY): void {
    for (;;) {
      while (this.#turnAsked && !this.#stopped) {
        if (scheduler.live === 0 && !this.#turnHeld) return; // only daemons are left
        if (this.#turnsLeft === 0) throw this.#spinning('turns');
        this.#turnsLeft -= 1;
        this.#turnAsked = false;
        this.#turnHeld = false;
        this.hostSettled = false;
        scheduler.turn();
      }
      // While something outside is awaited, time must not run ahead of it.
      if (this.#stopped || scheduler.externalWaits > 0 || scheduler.live === 0) return;
      const nextMs = this.#wakeAtMs;
      if (nextMs === Number.POSITIVE_INFINITY || nextMs > untilMs) return;
      if (scheduler.hostWork > 0 && !this.hostSettled) return;
      if ((this.#alarms[0]?.atMs ?? Number.POSITIVE_INFINITY) <= nextMs) {
        this.skipToAlarm();
        continue;
      }
      this.#jump(nextMs);
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.#turnAsked = true;
    }
  }

  #jump(toMs: number): void {
    if (toMs <= this.#nowMs) return;
    this.#readings = 0;
    this.#nowMs = toMs;
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
