// clock-world.ts: the world that lives by a virtual clock: its turns, one by one as the host's loop goes round, and where its errors go.
//
// What moves its time, and why, is for virtual-clock.ts to say. Here is what happens at one instant: turns are taken until nothing is asked for any more
// after a whole turn of the host, so promises and callbacks of the outside have had their say. With `auto` time then jumps, if nothing outside is awaited.
//
// An error that nobody can be given goes to whoever moves time; else to the oldest `run` that is pending; else to the host, which ends the program.
// A world that spins is broken: it takes no more turns, and everybody who waits for it is told.
//
// Invariants, between any two turns of the host:
//   #pumping  if and only if  a turn of the host is awaited
//   a turn is asked for  implies  #pumping, or the world is broken

import { suppress, UsageError } from '../errors.ts';
import type { Greenlet } from '../greenlet.ts';
import { kernel } from '../kernel.ts';
import { Scheduler } from '../scheduler.ts';
import { ClockDriver, type ClockHost } from './clock-driver.ts';

/** So many turns at one instant, while nothing outside is awaited, are a world that spins. */
const MOST_TURNS_AT_ONCE = 100_000;

/** Somebody in ordinary code who waits for a body of this world. */
export interface Run {
  readonly promise: Promise<unknown>;
  reject(error: unknown): void;
}

/** What the owner of a world is told. */
interface WorldOwner {
  warn(warning: Error): void;
  turnEnded(): void;
}

export class ClockWorld {
  readonly driver: ClockDriver;
  readonly scheduler: Scheduler;
  readonly #host: ClockHost;
  readonly #owner: WorldOwner;
  /** Time jumps by itself when nothing can run and nothing outside is awaited. */
  auto = false;
  /** Why this world takes no more turns. */
  broken: unknown = undefined;
  /** Those who wait for a body, oldest first. */
  readonly runs: Set<Run> = new Set();
  /** How many moves of time are under way. */
  moving = 0;
  /** What whoever moves time is given. */
  #failures: unknown[] = [];
  #pumping = false;
  /** Settles when the turns of the host that were awaited last have been taken. */
  #rest: Promise<void> = Promise.resolve();
  #turnsHere = 0;

  constructor(seed: number, host: ClockHost, owner: WorldOwner) {
    this.#host = host;
    this.#owner = owner;
    this.driver = new ClockDriver(seed, host.context, {
      turnAsked: () => this.pump(),
      fatal: (error, greenlet) => this.#failed(error, greenlet),
      warn: (warning) => owner.warn(warning),
    });
    this.scheduler = new Scheduler(this.driver);
  }

  /** How many sleeps and timeouts are armed. */
  get timers(): number {
    return this.scheduler.sleepers.size + this.scheduler.timeouts.size;
  }

  /** Have turns taken until there is nothing to do. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#rest = this.#takeTurns();
  }

  /** Wait until nothing can run at this instant. @throws what nobody else could be given. */
  async settled(): Promise<void> {
    do {
      this.pump();
      await this.#rest;
    } while (this.#pumping);
    this.throwFailure();
  }

  /** Let time pass up to the next timer; there must be one. */
  jump(): void {
    this.#turnsHere = 0;
    this.driver.jump();
  }

  /** Kill everybody, for `reason`, and take all turns that are left, with time passing as cleanup needs it, without the host. */
  killAll(reason: unknown): void {
    const { driver, scheduler } = this;
    for (let turns = 0; this.broken === undefined; turns += 1) {
      // Those too that cleanup has spawned, or they would go on for ever.
      for (const greenlet of scheduler.greenlets()) greenlet.kill(reason);
      if (!driver.turnAsked) {
        if (driver.wakeAtMs === Number.POSITIVE_INFINITY) return;
        this.jump();
      }
      if (turns < MOST_TURNS_AT_ONCE) this.#turn();
      else this.#break(new UsageError(`the cleanup of ${scheduler.greenlets()[0]?.name} does not end`));
    }
  }

  /** Do `action` as ordinary code of this world: what it spawns belongs here. */
  inside<R>(action: () => R): R {
    const { scheduler, current, budget } = kernel;
    kernel.scheduler = this.scheduler;
    // A greenlet of another world may call: nothing here is a step of its.
    kernel.current = kernel.nobody;
    try {
      return action();
    } finally {
      kernel.scheduler = scheduler;
      kernel.current = current;
      kernel.budget = budget;
    }
  }

  throwFailure(): void {
    if (this.#failures.length === 0) return;
    const [first, ...later] = this.#failures;
    this.#failures = [];
    for (const error of later) suppress(first, error);
    throw first;
  }

  async #takeTurns(): Promise<void> {
    do await this.#host.turn();
    while (this.#goOn());
    this.#pumping = false;
  }

  /** Take the turn that was asked for; if there is none, let time jump if it may. False if there is nothing to do. */
  #goOn(): boolean {
    const { driver, scheduler } = this;
    if (this.broken !== undefined) return false;
    if (driver.turnAsked) {
      this.#turn();
      return true;
    }
    if (!this.auto || scheduler.externalWaits > 0 || scheduler.live === 0) return false;
    if (driver.wakeAtMs !== Number.POSITIVE_INFINITY) this.jump();
    else if (scheduler.runs.size > 0) driver.quiescent();
    return driver.turnAsked;
  }

  #turn(): void {
    const { driver, scheduler } = this;
    this.#turnsHere = scheduler.externalWaits > 0 ? 0 : this.#turnsHere + 1;
    try {
      if (this.#turnsHere > MOST_TURNS_AT_ONCE)
        throw new UsageError(`too many turns at ${driver.nowMs} ms: something in the world of this clock never waits`);
      driver.turnBegins();
      scheduler.turn();
    } catch (error) {
      this.#break(error);
    }
    this.#owner.turnEnded();
  }

  /** No more turns are taken, because of `error`. */
  #break(error: unknown): void {
    this.broken = error;
    for (const { reject } of this.runs) reject(error);
    if (this.moving > 0 || this.runs.size === 0) this.#failed(error, undefined);
  }

  /** Here is an error that no greenlet can be given. */
  #failed(error: unknown, greenlet: Greenlet | undefined): void {
    if (this.moving > 0) {
      this.#failures.push(error);
      return;
    }
    const [oldest] = this.runs;
    if (oldest === undefined) {
      this.#host.fatal(error, greenlet);
      return;
    }
    this.runs.delete(oldest);
    oldest.reject(error);
  }
}
