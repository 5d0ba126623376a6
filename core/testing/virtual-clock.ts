// virtual-clock.ts: a world whose time moves only when a test says so: for code with timeouts, without a simulated network.
//
// It is a scheduler of its own, so several may exist and the process's is not touched. Its greenlets run by themselves, in turns of the host as in
// production: promises and callbacks of the outside settle between two turns. Only time waits: for `advance` and `next`, or, with `auto`, for the
// moment when nothing can run and nothing outside is awaited.
//
// Time moves from timer to timer, and at each it stands still until everything has settled. So timers fire in order, by time and then by arming, none
// is early, and what one of them starts runs before the next.
// Sources: trio.testing.MockClock (autojump), sinon's fake timers (advance, next).

/// <reference lib="esnext.disposable" preserve="true" />

import { rangeError, typeError } from '../bad-argument.ts';
import { ClosedError, UsageError } from '../errors.ts';
import type { Greenlet } from '../greenlet.ts';
import { kernel } from '../kernel.ts';
import { type Body, nameOf } from '../op.ts';
import { parkedReport } from '../quiescence.ts';
import { requireMs } from '../sleep.ts';
import { run, spawn } from '../spawn.ts';
import type { ClockHost } from './clock-driver.ts';
import { ClockWorld, type Run } from './clock-world.ts';
import { StallWatch } from './stall-watch.ts';

export interface VirtualClockOptions {
  /** Let time jump to the next timer by itself when nothing can run and nothing outside is awaited. */
  readonly auto?: boolean | undefined;
  /** The seed of random choices; 1 if not given. */
  readonly seed?: number | undefined;
  /** Warn when timers are pending and nobody has moved time for so long, in real milliseconds; Infinity: never. 2,000 if not given. */
  readonly warnAfterMs?: number | undefined;
  /** What to do with that warning. In place of the host's way. */
  readonly warn?: ((warning: Error) => void) | undefined;
}

/** What was still alive when a clock was closed. */
export interface ClockLeftovers {
  /** The names of the greenlets that were killed. */
  readonly killed: readonly string[];
  /** What each of them waited for, and where. */
  readonly report: string;
}

const ignore = (): void => {};

/** A virtual clock, and the world that lives by it. */
export class VirtualClock {
  /** @internal */ readonly world: ClockWorld;
  readonly #warnAfterMs: number;
  readonly #warn: (warning: Error) => void;
  readonly #stalls: StallWatch;
  #closed = false;
  /** Moves of time, one after the other, and how many there have been. */
  #moves: Promise<unknown> = Promise.resolve();
  #moved = 0;

  /** @internal */
  constructor(options: VirtualClockOptions, host: ClockHost) {
    if (typeof options !== 'object' || options === null)
      throw typeError(`virtualClock: options must be an object, not ${nameOf(options)}`);
    this.#warnAfterMs = requireMs(options.warnAfterMs ?? 2000, 'virtualClock');
    this.#warn = options.warn ?? ((warning) => host.warn(warning));
    this.world = new ClockWorld(options.seed ?? 1, host, {
      warn: this.#warn,
      turnEnded: () => {
        if (this.world.scheduler.live === 0) this.#stalls.stop();
      },
    });
    this.world.auto = options.auto ?? false;
    this.#stalls = new StallWatch(
      host,
      this.#warnAfterMs,
      () => this.world.scheduler.stats.turns + this.#moved,
      () => this.#complain(),
    );
  }

  /** The virtual time: milliseconds from 0, which is when the clock was made. */
  now(): number {
    return this.world.driver.nowMs;
  }

  /** How many sleeps and timeouts are armed now. */
  get timers(): number {
    return this.world.timers;
  }

  /** Does time move by itself? Can be changed at any moment. */
  get auto(): boolean {
    return this.world.auto;
  }

  set auto(auto: boolean) {
    this.world.auto = auto === true;
    if (auto) this.world.pump();
  }

  /**
   * Run `body` in a new greenlet of this world, and promise its value.
   *
   * It begins with the next turn of the host, or before the next move of time, whichever comes first. Rejects as `run` of tendril does; with
   * DeadlockError only if `auto` is on, because otherwise the test may still wake somebody.
   *
   * @throws ClosedError if the clock is closed. Rejects with TypeError if `body` is no function, or what it returns is no Op.
   */
  run<A extends readonly unknown[], T>(body: Body<A, T>, ...args: A): Promise<T> {
    this.#requireOpen('run');
    const { runs } = this.world;
    const ended = this.world.inside(() => run(body, ...args));
    let reject: Run['reject'] = ignore;
    const promise = new Promise<T>((resolve, rejectPromise) => {
      reject = (error) => void this.#rejectLater(rejectPromise, error);
      ended.then(resolve, reject);
    });
    const pending: Run = { promise, reject };
    runs.add(pending);
    const forget = (): void => void runs.delete(pending);
    ended.then(forget, forget);
    this.#stalls.start();
    return promise;
  }

  /** Spawn `body` in this world. As `spawn` of tendril. @throws ClosedError if the clock is closed. */
  spawn<A extends readonly unknown[], T>(body: Body<A, T>, ...args: A): Greenlet<T> {
    this.#requireOpen('spawn');
    const greenlet = this.world.inside(() => spawn(body, ...args));
    this.#stalls.start();
    return greenlet;
  }

  /**
   * Let `ms` milliseconds pass: everything that is due on the way happens, in order; what can run has run when it resolves. 0 lets time stand still.
   *
   * Calls that are not awaited follow each other. Time passes too while something outside is awaited: a timeout around a promise expires. Rejects with
   * the first error that nobody else could be given; time then stands where that happened.
   *
   * @throws TypeError or RangeError if `ms` is no finite number from 0 on. @throws UsageError if `auto` is on. @throws ClosedError if it is closed.
   */
  advance(ms: number): Promise<void> {
    requireMs(ms, 'advance');
    if (ms < 0 || ms === Number.POSITIVE_INFINITY)
      throw rangeError(`advance takes a finite number of milliseconds from 0 on, not ${ms}`);
    return this.#move('advance', async () => {
      const { driver } = this.world;
      const targetMs = driver.nowMs + ms;
      await this.world.settled();
      while (driver.wakeAtMs <= targetMs) {
        this.world.jump();
        await this.world.settled();
      }
      driver.moveTo(targetMs);
    });
  }

  /** Let time pass until the next timer is due, and what it starts has run. False, with no time passed, if there is none. As `advance` otherwise. */
  next(): Promise<boolean> {
    return this.#move('next', async () => {
      await this.world.settled();
      if (this.world.driver.wakeAtMs === Number.POSITIVE_INFINITY) return false;
      this.world.jump();
      await this.world.settled();
      return true;
    });
  }

  /** Who waits for what in this world, with stacks. Never switches. */
  report(): string {
    return parkedReport(this.world.scheduler.greenlets());
  }

  /**
   * End this world: kill what is left, let its cleanup run, with time passing as it needs, and say what was left. Idempotent.
   *
   * Cleanup that waits for something outside goes on by itself. The promises of `run` that end so are no unhandled rejections.
   *
   * @throws UsageError if called by one of its own greenlets. @throws the first error that nobody else could be given.
   */
  close(): ClockLeftovers {
    const { world } = this;
    if (kernel.scheduler === world.scheduler)
      throw new UsageError('close() was called inside the world of the clock: call it from the test');
    if (this.#closed) return { killed: [], report: '' };
    this.#closed = true;
    this.#stalls.stop();
    for (const { promise } of world.runs) promise.catch(ignore);
    const left = world.scheduler.greenlets();
    const leftovers = { killed: left.map(({ name }) => name), report: parkedReport(left) };
    world.moving += 1;
    world.inside(() => world.killAll('the virtual clock was closed'));
    world.moving -= 1;
    world.auto = true; // for what still waits outside
    world.throwFailure();
    return leftovers;
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  // A test moves time first and looks at the promise then: it must not be an unhandled rejection in between.
  async #rejectLater(reject: (error: unknown) => void, error: unknown): Promise<void> {
    while (this.world.moving > 0) await this.#moves;
    reject(error);
  }

  #move<T>(what: string, move: () => Promise<T>): Promise<T> {
    this.#requireOpen(what);
    if (this.world.auto)
      throw new UsageError(`${what}() on a virtual clock that moves by itself: set its auto to false first`);
    this.world.moving += 1;
    this.#moved += 1;
    const moved = this.#moves.then(() => {
      this.#requireOpen(what);
      return move();
    });
    const done = (): void => void (this.world.moving -= 1);
    this.#moves = moved.then(done, done);
    return moved;
  }

  #requireOpen(what: string): void {
    if (this.#closed) throw new ClosedError(`${what}() on a virtual clock that is closed: make a new one`);
    if (this.world.broken !== undefined) throw this.world.broken;
  }

  /** Nothing has happened for a while. True if somebody should have moved time. */
  #complain(): boolean {
    const { world } = this;
    if (world.auto || world.moving > 0 || world.timers === 0 || world.scheduler.live === 0) return false;
    const warning = new Error(
      `a virtual clock stands at ${this.now()} ms and nobody has moved it for ${this.#warnAfterMs} ms of real time, while its next timer is due at ` +
        `${world.driver.wakeAtMs} ms: await clock.advance(ms) or clock.next(), or make it with {auto: true}\n${this.report()}`,
    );
    warning.name = 'VirtualClockWarning';
    warning.stack = `${warning.name}: ${warning.message}`; // where a timer of ours has ticked is of no interest
    this.#warn(warning);
    return true;
  }
}
