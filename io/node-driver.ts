// node-driver.ts: the kernel's driver for a Node process. With the context carrier beside it, the only file that touches Node's clock,
// timers and exit.
//
// Turns run in the check phase (setImmediate): input is polled between two turns, so neither timers nor sockets starve, however busy the
// greenlets are. A loop driven by microtasks or nextTick starves both for ever.
//
// What is captured here at load is what we use from then on: patches never reach us.
//
// Invariants:
//   one immediate is pending  if and only if  a turn was asked for and has not begun
//   one timer is armed        if and only if  wakeAt was called last with a finite time that is still to come
//   the keep-alive is ref'd   if and only if  hold(true) was called last

import type { Driver } from '../core/driver.ts';
import type { Greenlet } from '../core/greenlet.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { asyncContext } from './async-context.ts';

const { setImmediate, setTimeout, clearTimeout, setInterval } = globalThis;
const clock = globalThis.performance;
const { random } = Math;
const { then } = Promise.prototype;
/** What a microtask is made with: queueMicrotask makes a resource for each. */
const settled = Promise.resolve();

/** The longest delay that setTimeout takes; beyond it Node fires after 1 ms. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export class NodeDriver implements Driver {
  readonly sliceMs = 1;
  readonly development: boolean = process.env.NODE_ENV === 'development' || process.env.TENDRIL_DEBUG === '1';
  readonly context: Driver['context'] = {
    capture: asyncContext.capture,
    step: (greenlet, step) => asyncContext.step(greenlet, step, greenlet),
    turn: (turn) => asyncContext.turn(turn, undefined),
  };
  #scheduler: Scheduler | undefined;
  #immediate: NodeJS.Immediate | undefined;
  readonly #runTurn = (): void => {
    this.#immediate = undefined;
    this.#scheduler?.turn();
  };
  readonly #onTimer = (): void => {
    this.#timer = undefined;
    // Node's timers count whole milliseconds of the loop's own clock, so they may fire a fraction too early; and a delay may have been cut to
    // the longest. A turn at that moment would find nothing due and see no reason to arm again.
    if (clock.now() < this.#deadlineMs) this.wakeAt(this.#deadlineMs);
    else this.#scheduler?.askTurn();
  };
  #timer: NodeJS.Timeout | undefined;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #keepAlive: NodeJS.Timeout | undefined;

  now(): number {
    return clock.now();
  }

  /** Say whose turns these are; once, before anything is asked for. */
  attach(scheduler: Scheduler): void {
    this.#scheduler = scheduler;
  }

  askTurn(holding: boolean): void {
    if (this.#immediate === undefined) {
      this.#immediate = setImmediate(this.#runTurn);
      if (!holding) this.#immediate.unref();
    } else if (holding) {
      this.#immediate.ref();
    }
  }

  soon(callback: () => void): void {
    then.call(settled, callback);
  }

  wakeAt(deadlineMs: number): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#deadlineMs = deadlineMs;
    if (deadlineMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(Math.ceil(deadlineMs - clock.now()), 1), LONGEST_DELAY_MS);
    this.#timer = setTimeout(this.#onTimer, delayMs);
    // Whether the process lives is for hold() to say.
    this.#timer.unref();
  }

  random(): number {
    return random();
  }

  hold(holding: boolean): void {
    this.#keepAlive ??= setInterval(() => {}, LONGEST_DELAY_MS);
    if (holding) this.#keepAlive.ref();
    else this.#keepAlive.unref();
  }

  onQuiescent(listener: () => void): void {
    process.on('beforeExit', listener);
  }

  warn(warning: Error): void {
    process.emitWarning((warning.stack ?? warning.message).replace(`${warning.name}: `, ''), warning.name);
  }

  fatal(error: unknown, greenlet: Greenlet | undefined): void {
    if (greenlet !== undefined) {
      process.stderr.write(
        greenlet.state === 'done'
          ? `${greenlet.name} failed and nobody has looked: join it, link it or spawn it in a scope before it can fail\n`
          : `an error in ${greenlet.name} that nobody handles: catch it there, or listen to the hub's 'error' event\n`,
      );
      const site = greenlet.side?.spawnSite?.stack;
      if (site !== undefined) process.stderr.write(`${site}\n`);
    }
    // Outside every turn, so that it is an uncaught exception like any other.
    setImmediate(() => {
      throw error;
    });
  }
}
