// play.ts: one run of one body in a world of its own, from its first step to the moment when nothing in it can happen any more.
//
// A closed world is played in one go, without a single promise; only while something outside is awaited does it wait too, and then its clock stands.
//
// What ends a run: the body and all that it spawned have ended; nothing can go on (the kernel's deadlock report); a limit is reached. With
// `strict` also the first failure: what other greenlets would still do is of no interest, and their finally blocks do not run. That is safe
// because a simulated world holds nothing real.
//
// Healing: at `heal.afterMs`, or as soon as nothing moves any more, the world is healed; from then on everything has to end within `heal.withinMs`.

import { GreenletKilledError } from '../errors.ts';
import { Greenlet } from '../greenlet.ts';
import { kernel } from '../kernel.ts';
import type { Op } from '../op.ts';
import { parkedReport } from '../quiescence.ts';
import { Scheduler, type SchedulerStats } from '../scheduler.ts';
import type { Choices } from './choices.ts';
import { LeakedGreenletsError, LivenessError } from './errors.ts';
import type { PlayLimits } from './limits.ts';
import type { Trace } from './trace.ts';
import { type Decisions, type StepWatch, VirtualDriver } from './virtual-driver.ts';
import type { World } from './world.ts';

/** How a world is made: `tendril/testing` gives it a network. */
export type WorldMaker<W extends World> = (...args: ConstructorParameters<typeof World>) => W;

export interface PlayOptions<W extends World> extends PlayLimits {
  readonly makeWorld: WorldMaker<W>;
  readonly decisions?: Decisions | undefined;
  readonly seed?: number | undefined;
  readonly trace?: Trace | undefined;
  /** End with the first failure, and take greenlets that are left parked for one. */
  readonly strict: boolean;
  readonly leaks?: 'fail' | 'ignore' | undefined;
  /** The run has done what it must not: why. Asked before something outside is awaited, which might never come. */
  readonly broken?: (() => Error | undefined) | undefined;
  /** Keep the host's loop going until the function that is returned is called: something outside is awaited. */
  readonly hold?: (() => () => void) | undefined;
  /** Let the host's ticks happen. */
  readonly pause?: (() => Promise<void>) | undefined;
}

export interface Outcome<T> {
  readonly failure: { readonly error: unknown } | undefined;
  readonly value: T | undefined;
  readonly elapsedMs: number;
  readonly stats: SchedulerStats;
  /** The names of greenlets that were parked for ever when the body had returned; they were killed. */
  readonly leaked: readonly string[];
  /** Who waited where at the moment of the failure; only with a trace. */
  readonly stacks: string;
}

/** How a run stands when it cannot go on by itself: over, or something outside has to happen, or ticks of the host. */
type Progress = 'over' | 'outside' | 'host';

/** The host is at rest after so many pauses in which no turn was asked for: foreign code may hop from one tick to the next. */
const QUIET_PAUSES = 3;

/** The choices of a world without any. */
const MILD: Choices = { choose: () => 0 };

/** Play `body`. A promise only if something outside has to be waited for. */
export function play<T, W extends World>(
  body: (world: W) => Op<T>,
  options: PlayOptions<W>,
): Outcome<T> | Promise<Outcome<T>> {
  return new Play(body, options).run();
}

class Play<T, W extends World> implements StepWatch {
  readonly #options: PlayOptions<W>;
  readonly #driver: VirtualDriver;
  readonly #scheduler: Scheduler;
  readonly #world: W;
  readonly #root: Greenlet<T>;
  readonly #leaked: string[] = [];
  #leakReport = '';
  #failure: { readonly error: unknown } | undefined;
  #rejected: { readonly error: unknown } | undefined;
  #stacks = '';

  constructor(body: (world: W) => Op<T>, options: PlayOptions<W>) {
    this.#options = options;
    // Only who takes the world as an argument can ask for checks.
    const watched = options.strict || options.trace !== undefined || body.length > 0;
    const { seed, decisions, maxTurns, maxSteps } = options;
    this.#driver = new VirtualDriver({ seed, decisions, maxTurns, maxSteps, watch: watched ? this : undefined });
    this.#scheduler = new Scheduler(this.#driver);
    this.#scheduler.events.on('leak', (greenlets, report) => {
      this.#leaked.push(...greenlets.filter((each) => this.#world.countsAsLeak(each)).map(({ name }) => name));
      this.#leakReport = report;
    });
    const { trace } = options;
    const note = (text: string, who = kernel.current.name): void => trace?.note(who, text, this.#driver.now());
    this.#world = options.makeWorld(this.#scheduler, decisions ?? MILD, trace === undefined ? undefined : note);
    this.#root = this.#inWorld(() => new Greenlet<T>(body as () => Op<T>, this.#world));
    this.#limits();
  }

  run(): Outcome<T> | Promise<Outcome<T>> {
    this.#inWorld(() => this.#start());
    return this.#advance() === 'over' ? this.#outcome() : this.#runWithHost();
  }

  started(...args: Parameters<StepWatch['started']>): void {
    this.#options.trace?.started(...args);
  }

  stepped(greenlet: Greenlet): void {
    this.#options.trace?.stepped(greenlet, this.#driver.now());
    this.#world.check();
    // What nobody looked at is the cause of much that may come after it.
    if (this.#failed) this.#driver.stop();
    if (this.#options.trace !== undefined && this.#stacks === '' && greenlet === (this.#root as Greenlet)) {
      if (greenlet.outcome?.ok === false) this.#stacks = parkedReport(this.#scheduler.greenlets());
    }
  }

  #start(): void {
    const { runs } = this.#scheduler;
    runs.set(this.#root as Greenlet, (error) => {
      this.#rejected = { error };
    });
    this.#root.link(() => void runs.delete(this.#root as Greenlet));
    this.#root.start();
  }

  #limits(): void {
    const { maxMs, heal } = this.#options;
    if (maxMs !== undefined) this.#driver.alarm(maxMs, () => this.#late(`after ${maxMs} ms`));
    if (heal === undefined) return;
    this.#driver.alarm(heal.afterMs, () => {
      this.#inWorld(() => this.#world.heal());
      const atMs = this.#driver.now() + heal.withinMs;
      this.#driver.alarm(atMs, () => this.#late(`${heal.withinMs} ms after everything was healed`));
    });
  }

  #late(when: string): void {
    const alive = this.#scheduler.greenlets().filter((greenlet) => !greenlet.daemon);
    throw new LivenessError(when, parkedReport(alive), alive);
  }

  /** Go on as far as possible without the host. */
  #advance(): Progress {
    const { stats } = this.#scheduler;
    try {
      for (;;) {
        this.#driver.runUntilIdle(this.#scheduler);
        if (this.#failed) return 'over';
        if (this.#waitsOutside) {
          const error = this.#options.broken?.();
          if (error === undefined) return 'outside';
          throw error;
        }
        if (this.#hostIsBusy) return 'host';
        // Nothing moves: healing might help. Otherwise this is the end, or a deadlock.
        if (this.#options.heal !== undefined && !this.#world.healed && this.#scheduler.live > 0) {
          this.#driver.skipToAlarm();
          continue;
        }
        const { ended } = stats;
        this.#driver.quiescent();
        this.#driver.runUntilIdle(this.#scheduler);
        if (this.#failed) return 'over';
        if (!this.#waitsOutside && !this.#hostIsBusy && stats.ended === ended) return 'over';
      }
    } catch (error) {
      this.#failure = { error };
      return 'over';
    }
  }

  async #runWithHost(): Promise<Outcome<T>> {
    for (let next = this.#advance(); next !== 'over'; next = this.#advance()) {
      if (next === 'outside') await this.#outside();
      else await this.#settleHost();
    }
    return this.#outcome();
  }

  async #outside(): Promise<void> {
    const release = this.#options.hold?.();
    await this.#driver.turnWanted();
    release?.();
  }

  /** Let the host's ticks happen until none of them asks for a turn. */
  async #settleHost(): Promise<void> {
    const { pause } = this.#options;
    for (let quiet = 0; quiet < QUIET_PAUSES; quiet += 1) {
      await pause?.();
      if (this.#driver.turnAsked) return;
    }
    this.#driver.hostSettled = true;
  }

  get #hostIsBusy(): boolean {
    return this.#scheduler.hostWork > 0 && this.#scheduler.live > 0 && !this.#driver.hostSettled;
  }

  get #waitsOutside(): boolean {
    return this.#scheduler.externalWaits > 0 && this.#scheduler.live > 0;
  }

  get #failed(): boolean {
    if (!this.#options.strict) return false;
    return this.#root.outcome?.ok === false || this.#driver.fatalErrors.length > 0;
  }

  #outcome(): Outcome<T> {
    this.#inWorld(() => this.#world.end());
    const leaked = this.#leaked;
    const { outcome } = this.#root;
    return {
      failure: this.#failure ?? this.#rejected ?? this.#worst(),
      value: outcome?.ok === true ? outcome.value : undefined,
      elapsedMs: this.#driver.now(),
      stats: this.#scheduler.stats,
      leaked,
      stacks: this.#stacks,
    };
  }

  #worst(): { readonly error: unknown } | undefined {
    const { outcome } = this.#root;
    if (outcome?.ok === false) return { error: outcome.error };
    if (this.#driver.fatalErrors.length > 0) return { error: this.#driver.fatalErrors[0] };
    /* v8 ignore next -- a body that is parked for ever has been told of the deadlock, which rejects; this is for what we have not thought of */
    if (outcome === undefined) return { error: new GreenletKilledError(this.#root.name, 'the world ended', undefined) };
    if (!this.#options.strict || this.#options.leaks === 'ignore' || this.#leaked.length === 0) return undefined;
    return { error: new LeakedGreenletsError(this.#leaked, this.#leakReport) };
  }

  #inWorld<R>(action: () => R): R {
    const outer = kernel.scheduler;
    kernel.scheduler = this.#scheduler;
    try {
      return action();
    } finally {
      kernel.scheduler = outer;
    }
  }
}
