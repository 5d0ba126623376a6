// watchdog.ts: notice that something keeps the event loop busy, and say what: which greenlet, and the stack that runs at that moment.
//
// The main thread counts beats in shared memory, by a timer of the loop; a thread of its own watches them. As long as the loop turns it costs four
// beats per threshold. It finds what no check inside the loop can: a greenlet that computes, a microtask that never ends, a regular expression that explodes.
//
// Invariant: the thread, the timer and the name in globalThis exist  if and only if  the watchdog runs.
// Source: S13; gevent's monitoring thread (max_blocking_time).

/// <reference lib="esnext.disposable" preserve="true" />

import { Worker } from 'node:worker_threads';
import { typeError } from '../core/bad-argument.ts';
import { UsageError } from '../core/errors.ts';
import { kernel } from '../core/kernel.ts';
import { checkOptions, own, ownMs } from './address.ts';
import { WHO_RUNS, WORKER_SOURCE } from './watchdog-worker.ts';

const { setInterval, clearInterval } = globalThis;

/** The loop was blocked. */
export interface Stall {
  /** Milliseconds that it had been blocked when it was looked at; it may go on. */
  readonly blockedForMs: number;
  /** The name of the greenlet that ran; undefined if none did. */
  readonly greenlet: string | undefined;
  /** What ran, innermost frame first. */
  readonly stack: string;
}

export interface WatchdogOptions {
  /** How long the loop may be busy in one go: 1,000 ms by default, 20 at least. */
  readonly thresholdMs?: number | undefined;
  /** Called with each stall, when the loop turns again. */
  readonly onStall?: ((stall: Stall) => void) | undefined;
  /** Write each stall to stderr at once, which shows also one that never ends: true by default. */
  readonly print?: boolean | undefined;
}

const LEAST_MS = 20;
let running: Watchdog | undefined;

/** A watchdog that runs until it is stopped. It does not keep the process alive. */
export class Watchdog {
  readonly #worker: Worker;
  readonly #beat: NodeJS.Timeout;
  #stalls = 0;

  /** @internal: hub.watchdog() makes them. */
  constructor(options: WatchdogOptions) {
    const given = checkOptions(options, 'watchdog');
    const thresholdMs = ownMs(given, 'thresholdMs', 1000, 'watchdog');
    if (thresholdMs < LEAST_MS || thresholdMs === Number.POSITIVE_INFINITY)
      throw typeError(`watchdog: thresholdMs is a finite number of at least ${LEAST_MS}, not ${thresholdMs}`);
    const onStall = own(given, 'onStall') as WatchdogOptions['onStall'];
    if (onStall !== undefined && typeof onStall !== 'function') throw typeError('watchdog: onStall is a function');
    const print = own(given, 'print') ?? true;
    if (typeof print !== 'boolean') throw typeError('watchdog: print is true or false');
    if (running !== undefined) throw new UsageError('a watchdog runs already: stop() it before another is started');
    const beats = new Int32Array(new SharedArrayBuffer(4));
    this.#worker = new Worker(WORKER_SOURCE, { eval: true, workerData: { beats, thresholdMs, print } });
    this.#worker.on('message', (stall: Stall) => {
      this.#stalls += 1;
      onStall?.(stall);
    });
    this.#worker.unref(); // after the listener, which holds the process again
    this.#beat = setInterval(() => Atomics.add(beats, 0, 1), thresholdMs / 4).unref();
    Object.defineProperty(globalThis, WHO_RUNS, { value: whoRuns, configurable: true });
    running = this;
  }

  /** How many stalls there have been. */
  get stalls(): number {
    return this.#stalls;
  }

  /** End it, once or again. The thread is gone when the promise resolves. */
  async stop(): Promise<void> {
    clearInterval(this.#beat);
    if (running === this) {
      running = undefined;
      Reflect.deleteProperty(globalThis, WHO_RUNS);
    }
    await this.#worker.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function whoRuns(): string | undefined {
  return kernel.current === kernel.nobody ? undefined : kernel.current.name;
}
