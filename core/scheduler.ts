// scheduler.ts: the loop. What one turn does, and the books that it keeps.
//
// A turn, in this order, and why:
//   1. wake due sleepers      they were due before this turn's clock reading
//   2. run one slice          until the queue is empty or the slice is over: input is polled in between, so a busy greenlet starves nobody
//   3. expire due timeouts    of whoever still waits: what could commit by the deadline has had its chance in 2 (S8)
//   4. links, settlements     user code that is no greenlet runs here and only here (S20)
//   5. report failures        that nobody has looked at (S10)
//   6. hand over output       what was written in this turn goes to the host, gathered (outlets.ts)
//   7. reconcile the driver   one wake-up for the earliest deadline; hold the process or let it go
//
// A driver's wake-up, a socket's callback, a promise: all they do is commit an outcome, queue a greenlet and ask for a turn.
//
// Invariants, between any two turns:
//   runQueue is not empty  implies  a turn has been asked for
//   live + daemons is the number of greenlets in all scopes, which is spawned minus ended
//   the driver's wake-up is due no later than the earliest deadline, and there is none if there is no timer
//   the driver holds the process  if and only if  a non-daemon lives and a timer or an external wait is pending (S11, S15)
// Sources: libuv's phases; curio's kernel loop.

import type { Driver } from './driver.ts';
import { InternalError } from './errors.ts';
import { Events } from './events.ts';
import type { Greenlet } from './greenlet.ts';
import { type Instrument, Instruments } from './instruments.ts';
import { kernel, readyResult, STEP_BUDGET, wakeResult } from './kernel.ts';
import type { Link } from './links.ts';
import { type Outlet, OutletList } from './outlets.ts';
import { reportStuck } from './quiescence.ts';
import { RunQueue } from './run-queue.ts';
import { openScopes, Scope } from './scope.ts';
import { DAEMON, DONE, NEW, READY, SEEN, STALE_ENTRY, UNSEEN } from './status.ts';
import { resume } from './step.ts';
import { TimerQueue } from './timers.ts';
import { WaitList } from './wait-list.ts';

/** The clock is read after 1, 2, 4, ... steps and then after every 64, so that slow steps end a slice at once and fast ones pay little. */
const MOST_STEPS_BETWEEN_READINGS = 64;

export interface SchedulerStats {
  spawned: number;
  ended: number;
  turns: number;
  /** Wakes from outside that came after their wait had ended. */
  staleWakes: number;
  /** Results of what the host could not abort, still to come. */
  orphans: number;
  /** Errors thrown by generators while they were closed by force. */
  closeErrors: number;
}

export class Scheduler {
  readonly driver: Driver;
  readonly runQueue: RunQueue = new RunQueue();
  readonly sleepers: TimerQueue = new TimerQueue();
  readonly timeouts: TimerQueue = new TimerQueue();
  /** Those who wait until nobody else can run. */
  readonly idlers: WaitList = new WaitList();
  readonly root: Scope;
  readonly events: Events;
  readonly stats: SchedulerStats = { spawned: 0, ended: 0, turns: 0, staleWakes: 0, orphans: 0, closeErrors: 0 };
  /** Live greenlets that keep the process alive, and those that do not. */
  live = 0;
  daemons = 0;
  /** Waits for something outside: sockets, promises, callbacks. */
  externalWaits = 0;
  /** What goes on by ticks of the host while nobody waits for something outside: a simulated clock lets them happen before it goes on. */
  hostWork = 0;
  /** Turns after the host has looked at its input; `stats.turns` has those between two looks too. */
  polls = 0;
  /** Bodies of run() that have not ended, with what rejects them. */
  readonly runs: Map<Greenlet, (error: unknown) => void> = new Map();
  /** Undefined as long as there are none, so that nothing is paid for. */
  #instruments: Instruments | undefined = undefined;
  #ids = 0;
  #turnAsked = false;
  /** The turn that was asked for matters to more than daemons. */
  #turnHeld = false;
  /** Failures whose marker is in the run queue (S10). */
  #markers = 0;
  #inTurn = false;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #holding = false;
  #callbacks: (() => void)[] = [];
  #unseen: Greenlet[] = [];
  readonly #outlets: OutletList = new OutletList();
  /** How many Ops a greenlet may complete in one step; none in a simulation that preempts, which is asked at each start instead. */
  readonly stepBudget: number;
  /** A turn between two polls was asked for. */
  #soonAsked = false;
  /** When the first of those since the last poll began. NaN: there was none. */
  #soonSinceMs = Number.NaN;
  readonly #boundTurn = (): void => this.#turn(false);
  readonly #boundSoonTurn = (): void => this.#turn(true);
  readonly #soonTurn = (): void => {
    this.#soonAsked = false;
    // A turn may have come first.
    if (!this.#inTurn && this.runQueue.size > 0) this.#inContext(this.#boundSoonTurn);
  };

  constructor(driver: Driver) {
    this.driver = driver;
    this.stepBudget = driver.preempt === undefined ? STEP_BUDGET : 0;
    this.events = new Events(this);
    this.root = new Scope(this, undefined);
    driver.onQuiescent(() => reportStuck(this));
  }

  nextId(): number {
    this.#ids += 1;
    return this.#ids;
  }

  captureContext(): object | undefined {
    return this.driver.context?.capture();
  }

  /** Queue `greenlet`, whose state is new or ready. */
  enqueue(greenlet: Greenlet): void {
    this.runQueue.push(greenlet);
    if (this.#instruments !== undefined) this.tellWoken(greenlet);
    if (!this.#turnAsked) this.askTurn();
  }

  // Beside `enqueue`, which is part of every spawn and every wake, and is to be small enough to be inlined there.
  private tellWoken(greenlet: Greenlet): void {
    if ((greenlet.status & READY) !== 0) this.#instruments?.tell('woken', greenlet);
  }

  askTurn(): void {
    const holding = this.live > 0 || this.#callbacks.length > 0 || this.#markers > 0;
    if (this.#turnAsked && (this.#turnHeld || !holding)) return;
    this.#turnAsked = true;
    this.#turnHeld = holding;
    this.driver.askTurn(holding);
  }

  /** `greenlet` has failed: queue it once more, behind everyone who is runnable now and may still look (S10). */
  enqueueMarker(greenlet: Greenlet): void {
    greenlet.status |= UNSEEN;
    this.#markers += 1;
    this.runQueue.push(greenlet);
    this.askTurn();
  }

  /** A timer was armed or cancelled: outside a turn the driver has to hear of it. */
  timersChanged(): void {
    if (!this.#inTurn) this.askTurn();
  }

  /** Called where a greenlet starts to wait, so inside a turn: its end tells the driver. */
  externalStarted(): void {
    this.externalWaits += 1;
  }

  externalEnded(): void {
    this.externalWaits -= 1;
    if (!this.#inTurn) this.askTurn();
  }

  /** Call `callback` at the end of this turn, or of the next one. What it throws is reported. */
  atTurnEnd(callback: () => void): void {
    this.#callbacks.push(callback);
    this.askTurn();
  }

  /** Have `outlet` hand over what it has collected, once, when the greenlets of this turn (or of the next one) have run. */
  handOverLater(outlet: Outlet): void {
    this.#outlets.add(outlet);
    if (!this.#inTurn) this.askTurn();
  }

  runLinks(greenlet: Greenlet, links: readonly Link[]): void {
    for (const link of links) this.atTurnEnd(() => link.run(greenlet));
  }

  /** An error that no greenlet can be given. */
  report(error: unknown, greenlet: Greenlet | undefined): void {
    this.atTurnEnd(() => this.events.error(error, greenlet));
  }

  greenletStarted(greenlet: Greenlet): void {
    this.stats.spawned += 1;
    if (this.#instruments !== undefined) this.#instruments.tell('spawned', greenlet);
    if ((greenlet.status & DAEMON) !== 0) {
      this.daemons += 1;
    } else {
      this.live += 1;
      if (this.live === 1) this.firstLives();
    }
  }

  // The turn that was asked for matters to more than daemons from now on.
  private firstLives(): void {
    if (this.#turnAsked) this.askTurn();
  }

  greenletEnded(greenlet: Greenlet): void {
    this.stats.ended += 1;
    if (this.#instruments !== undefined) this.#instruments.tell('ended', greenlet);
    if ((greenlet.status & DAEMON) === 0) this.live -= 1;
    else this.daemons -= 1;
  }

  /** Tell `instrument` of every greenlet's life; the function that is returned ends that. */
  instrument(instrument: Instrument): () => void {
    this.#instruments ??= new Instruments(this);
    this.#instruments.add(instrument);
    return () => {
      this.#instruments?.remove(instrument);
      if (this.#instruments?.size === 0) this.#instruments = undefined;
    };
  }

  readonly #toldResume = (greenlet: Greenlet): void => {
    this.#instruments?.tell('running', greenlet);
    resume(greenlet);
    if ((greenlet.status & DONE) === 0) this.#instruments?.tell('parked', greenlet);
  };

  /** Every live greenlet, in the order of the scopes that hold them. */
  greenlets(): Greenlet[] {
    return [...this.scopes()].flatMap((scope) => scope.children());
  }

  /** Every scope that has not ended: the root, and those that live greenlets have open. */
  *scopes(): Generator<Scope> {
    const found = new Set<Scope>([this.root]);
    for (const scope of found) {
      yield scope;
      for (const child of scope.children()) for (const owned of openScopes(child)) found.add(owned);
    }
  }

  /** One turn: called by the driver only. */
  turn(): void {
    if (this.#inTurn) throw new InternalError('a turn was started inside a turn');
    this.#inContext(this.#boundTurn);
  }

  /** A turn inherits no ambient context of the code that asked for it. */
  #inContext(turn: () => void): void {
    const { context } = this.driver;
    if (context === undefined) turn();
    else context.turn(turn);
  }

  /**
   * A promise has woken a greenlet. Ask for a turn before the host polls, beside the one after: a chain of promises that are settled goes on without a pass of
   * the loop for each. For at most a slice from one poll to the next, so that timers and sockets do not starve.
   */
  turnSoon(): void {
    const { soon } = this.driver;
    if (this.#soonAsked || this.#inTurn || soon === undefined) return;
    this.#soonAsked = true;
    soon(this.#soonTurn);
  }

  /** `soon`: between two polls. Input that has come is not seen yet, so nothing expires. */
  #turn(soon: boolean): void {
    const startMs = this.driver.now();
    if (!soon) {
      this.polls += 1;
      this.#soonSinceMs = Number.NaN;
    } else if (Number.isNaN(this.#soonSinceMs)) this.#soonSinceMs = startMs;
    else if (startMs - this.#soonSinceMs >= this.driver.sliceMs) return;
    const outer = kernel.scheduler;
    kernel.scheduler = this;
    this.#inTurn = true;
    this.#turnAsked = true; // whatever is queued from here on is seen below
    this.#turnHeld = true;
    this.stats.turns += 1;
    try {
      this.sleepers.settle(startMs);
      this.timeouts.settle(startMs);
      if (!soon) this.sleepers.fireDue(startMs);
      this.#slice(startMs);
      if (!soon) {
        if (this.idlers.size > 0 && this.runQueue.size === 0) this.idlers.fireAll(undefined, 0);
        this.timeouts.fireDue(startMs);
      }
      this.#runCallbacks();
      this.#reportUnseen();
      this.#outlets.handOverAll(this.events);
    } finally {
      this.#inTurn = false;
      this.#turnAsked = false;
      this.#turnHeld = false;
      kernel.current = kernel.nobody;
      kernel.scheduler = outer;
      this.#reconcile();
    }
  }

  #slice(startMs: number): void {
    const { runQueue, driver } = this;
    const { context, sliceMs, pick } = driver;
    const step = this.#instruments === undefined ? resume : this.#toldResume;
    let stepsLeft = 1;
    let stride = 1;
    for (;;) {
      const greenlet = pick === undefined || runQueue.size < 2 ? runQueue.shift() : runQueue.takeAt(pick(runQueue));
      if (greenlet === undefined) break;
      if ((greenlet.status & (READY | NEW)) === 0) {
        this.#skipped(greenlet);
        continue;
      }
      if (context === undefined) step(greenlet);
      else context.step(greenlet, step);
      stepsLeft -= 1;
      if (stepsLeft === 0) {
        const nowMs = driver.now();
        this.sleepers.settle(nowMs);
        this.timeouts.settle(nowMs);
        if (nowMs - startMs >= sliceMs) break;
        if (stride < MOST_STEPS_BETWEEN_READINGS) stride *= 2;
        stepsLeft = stride;
      }
    }
    kernel.current = kernel.nobody;
    readyResult.value = undefined;
    wakeResult.value = undefined;
  }

  /** An entry of a greenlet that has ended: killed before it ran, or failed and now behind everyone who could have looked. */
  #skipped(greenlet: Greenlet): void {
    if ((greenlet.status & STALE_ENTRY) !== 0) {
      greenlet.status &= ~STALE_ENTRY;
    } else {
      this.#markers -= 1;
      this.#unseen.push(greenlet);
    }
  }

  #runCallbacks(): void {
    // Callbacks that are added by callbacks run in this turn too; those of a runaway chain in the next.
    for (let round = 0; this.#callbacks.length > 0 && round < 100; round += 1) {
      const batch = this.#callbacks;
      this.#callbacks = [];
      for (const callback of batch) {
        try {
          callback();
        } catch (error) {
          this.events.error(error, undefined);
        }
      }
    }
  }

  #reportUnseen(): void {
    if (this.#unseen.length === 0) return;
    const batch = this.#unseen;
    this.#unseen = [];
    for (const greenlet of batch) {
      greenlet.status &= ~UNSEEN;
      if ((greenlet.status & SEEN) === 0) this.events.error(greenlet.value, greenlet);
    }
  }

  #reconcile(): void {
    const { driver } = this;
    if (this.runQueue.size > 0 || this.#callbacks.length > 0 || this.idlers.size > 0) this.askTurn();
    const nowMs = driver.now();
    this.sleepers.settle(nowMs);
    this.timeouts.settle(nowMs);
    const nextMs = Math.min(this.sleepers.earliestMs(), this.timeouts.earliestMs());
    if (
      nextMs < this.#wakeAtMs ||
      (nextMs === Number.POSITIVE_INFINITY && this.#wakeAtMs !== nextMs) ||
      this.#wakeAtMs <= nowMs
    ) {
      this.#wakeAtMs = nextMs;
      driver.wakeAt(nextMs);
    }
    const holding = this.live > 0 && (this.externalWaits > 0 || nextMs !== Number.POSITIVE_INFINITY);
    if (holding !== this.#holding) {
      this.#holding = holding;
      driver.hold(holding);
    }
  }

  /** Could anything still happen by itself? */
  get idle(): boolean {
    return (
      this.runQueue.size === 0 &&
      this.#callbacks.length === 0 &&
      this.externalWaits === 0 &&
      this.sleepers.size + this.timeouts.size + this.idlers.size === 0
    );
  }
}
