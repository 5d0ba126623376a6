// hub.ts: the process's own scheduler, over the Node driver, and what a program may ask of it.
//
// Importing this installs the driver and does nothing else: no timer, no handle, no listener but one for `beforeExit`, which is how a deadlock is
// noticed without false alarms.
// Source: gevent's hub.

import { typeError } from '../core/bad-argument.ts';
import { UsageError } from '../core/errors.ts';
import type { EventListeners } from '../core/events.ts';
import { install } from '../core/install.ts';
import type { Instrument } from '../core/instruments.ts';
import { kernel } from '../core/kernel.ts';
import { parkedReport } from '../core/quiescence.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { spawn } from '../core/spawn.ts';
import { checkOptions, own, ownMs } from './address.ts';
import { NodeDriver } from './node-driver.ts';
import { ParkedSince } from './parked-since.ts';
import { Watchdog, type WatchdogOptions } from './watchdog.ts';

const driver = new NodeDriver();
/** @internal */
export const scheduler: Scheduler = install(driver);
driver.attach(scheduler);

/** Counters of the hub; each is a number at this moment or a total since the start. */
export interface HubStats {
  /** Live greenlets, without and with daemons. */
  readonly greenlets: number;
  readonly daemons: number;
  readonly spawned: number;
  readonly ended: number;
  /** Queued greenlets. */
  readonly runnable: number;
  /** Armed timeouts and sleeps. */
  readonly timers: number;
  /** Waits for something outside the process or outside the kernel. */
  readonly externalWaits: number;
  /** Results of what Node could not abort, still to come. */
  readonly orphans: number;
  readonly turns: number;
  readonly staleWakes: number;
}

export interface ReportOptions {
  /** Only who has been in one wait for so long, as seen by earlier calls with this option. */
  readonly blockedForMs?: number | undefined;
}

/** The one hub of this process. */
export class Hub {
  readonly #parkedSince = new ParkedSince();

  /**
   * Have `listener` called on `event`: `error` (an error that nobody could be given; without a listener it ends the process), `killIgnored` (a
   * greenlet swallows Killed), `leak` (greenlets are parked for ever although every run() has ended). Returns a function that unlinks it.
   *
   * @throws TypeError for another event, or if `listener` is no function.
   */
  on<K extends keyof EventListeners>(event: K, listener: EventListeners[K]): () => void {
    return scheduler.events.on(event, listener);
  }

  /** The counters at this moment. Never switches. */
  stats(): HubStats {
    const { spawned, ended, turns, staleWakes, orphans } = scheduler.stats;
    return {
      greenlets: scheduler.live + scheduler.daemons,
      daemons: scheduler.daemons,
      spawned,
      ended,
      runnable: scheduler.runQueue.size,
      timers: scheduler.sleepers.size + scheduler.timeouts.size,
      externalWaits: scheduler.externalWaits,
      orphans,
      turns,
      staleWakes,
    };
  }

  /**
   * Tell who waits for what, with the stack of each parked greenlet. Never switches; costs some microseconds a greenlet.
   *
   * With `blockedForMs` only those that earlier calls with that option found in the same wait at least so long ago: ask every few seconds,
   * and what nobody will ever wake comes to light. Empty if there is none.
   *
   * @throws TypeError or RangeError for a bad `blockedForMs`.
   */
  report(options: ReportOptions = {}): string {
    const given = checkOptions(options, 'report');
    const greenlets = scheduler.greenlets();
    if (own(given, 'blockedForMs') === undefined) return parkedReport(greenlets);
    const forMs = ownMs(given, 'blockedForMs', 0, 'report');
    return parkedReport(this.#parkedSince.longer(greenlets, forMs, scheduler.driver.now()));
  }

  /**
   * Start a watchdog: a thread that notices when the event loop is blocked, and tells which greenlet runs and its stack. Costs next to nothing until then.
   *
   * @throws UsageError if one runs already. @throws TypeError or RangeError for bad options.
   * @see https://www.gevent.org/monitoring.html
   */
  watchdog(options: WatchdogOptions = {}): Watchdog {
    return new Watchdog(options);
  }

  /**
   * Give ordinary code a promise that resolves when no greenlet but daemons is alive. Those who come meanwhile are waited for too.
   *
   * It starts nothing and kills nothing, and does not keep the process alive. In a greenlet it would wait for itself.
   *
   * @throws UsageError in a greenlet. @see https://www.gevent.org/api/gevent.hub.html#gevent.hub.Hub.join
   */
  drain(): Promise<void> {
    if (kernel.current !== kernel.nobody)
      throw new UsageError('drain() would wait for the greenlet that calls it: use scope() or joinAll()');
    return new Promise((resolve) => {
      if (scheduler.live === 0) {
        resolve();
        return;
      }
      const remove = scheduler.instrument({
        ended() {
          // The count is right, and nobody new is there, when the turn is over.
          scheduler.atTurnEnd(() => {
            if (scheduler.live > 0) return;
            remove();
            resolve();
          });
        },
      });
    });
  }

  /** Call `callback` at the end of a turn, outside every greenlet. What it throws goes to the `error` event. */
  callSoon(callback: () => void): void {
    if (typeof callback !== 'function') throw typeError('callSoon takes a function');
    scheduler.atTurnEnd(callback);
  }

  /** Instruments: told of every greenlet's life. `add` returns the function that takes it out again. Free when there are none. */
  readonly instruments: { add(instrument: Instrument): () => void } = {
    add: (instrument) => scheduler.instrument(instrument),
  };

  /** `spawn`, for code that has the hub at hand. */
  readonly spawn: typeof spawn = spawn;
}

export const hub: Hub = new Hub();
