// executor.ts: what all executors are: a list of tasks that wait, a number of places, and an engine that runs a task in a place.
//
// The engine alone differs: greenlets, threads, processes, another machine. It is told to begin a job, to ask it to stop, to end its worker, and it ends each job
// that it has begun exactly once. Everything that users see, the order, cancelling, limits, shutdown, is here, and the same for all.
//
// Invariants, between any two steps:
//   jobs wait  implies  all places are taken, or pump() is about to run
//   idle is up  if and only if  no job waits or runs
//   each job that was submitted is pending, running or ended, and its future accordingly
// Sources: Python's concurrent.futures (submit, map, shutdown); Java's ExecutorService (orderly and abrupt shutdown).

import type { Transferable } from 'node:worker_threads';
import { composite } from '../core/composite.ts';
import { Event } from '../core/event.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { requireScheduler } from '../core/kernel.ts';
import type { Op } from '../core/op.ts';
import { select } from '../core/select.ts';
import { shield } from '../core/shield.ts';
import { sleepUntil } from '../core/sleep.ts';
import { now, spawnWith } from '../core/spawn.ts';
import { checkOptions, ownFlag, ownMs, ownText } from '../io/address.ts';
import type { Engine } from './engine.ts';
import { CancelledError, ExecutorFullError, ExecutorShutdownError, TaskTimeoutError } from './errors.ts';
import {
  type ExecutorStats,
  noSettings,
  ownLimit,
  type ShutdownOptions,
  type SubmitOptions,
  settingsFrom,
} from './executor-options.ts';
import type { Future } from './future.ts';
import { Job, type JobEnd, type JobKeeper, JobList, type JobSettings } from './job.ts';
import { type MapOptions, TaskResults } from './map.ts';
import { takeMoved } from './move.ts';
import { type AnyTask, checkTask, type Task } from './tasks.ts';
import { UnseenFailures } from './unseen.ts';

/** Runs tasks. `GreenletExecutor`, `ThreadExecutor`, `ProcessExecutor` and `RemoteExecutor` are the ones there are; which is the caller's choice and nobody else's. */
export abstract class Executor {
  readonly name: string;
  readonly #engine: Engine;
  readonly #defaults: JobSettings;
  readonly #maxPending: number;
  readonly #pending: JobList = new JobList();
  readonly #running: Set<Job> = new Set();
  readonly #unseen: UnseenFailures = new UnseenFailures();
  readonly #idle: Event = new Event({ name: 'of an idle executor' });
  readonly #keeper: JobKeeper;
  readonly #counts = { done: 0, failed: 0, cancelled: 0 };
  #open = true;
  #pumping = false;
  #closer: Greenlet<void> | undefined = undefined;
  /** When the grace of the shutdown ends, and the event that tells the closer of an earlier end. */
  #graceEndsMs = Number.POSITIVE_INFINITY;
  readonly #graceChanged: Event = new Event({ name: 'of a shorter grace' });

  /** @internal: each kind has a constructor of its own. */
  constructor(engine: Engine, kind: string, options: unknown) {
    const given = checkOptions(options, kind);
    this.name = ownText(given, 'name', kind) ?? kind;
    this.#engine = engine;
    this.#maxPending = ownLimit(given, kind);
    this.#defaults = settingsFrom(given, kind, noSettings);
    this.#idle.set();
    this.#keeper = {
      external: engine.external,
      cancelJob: (job, terminate, reason) => this.#cancel(job, terminate, reason),
      jobOverdue: (job) => this.#overdue(job),
      jobSeen: (job) => this.#unseen.seen(job.future),
      jobEnded: (job, end) => this.#ended(job, end),
    };
  }

  /** How many tasks it runs at once. @internal */
  get places(): number {
    return this.#engine.places;
  }

  /** What waits, runs and has ended. */
  get stats(): ExecutorStats {
    return { pending: this.#pending.size, running: this.#running.size, ...this.#counts };
  }

  /**
   * Submit a task; it runs as soon as there is a place for it, in the order of submission. Never switches.
   *
   * Local executors run it at most once: if its worker is lost the future fails, and nobody tries again. `RemoteExecutor` runs it at least once. Do not change the arguments until
   * it has ended: they may be read when it begins.
   *
   * @throws TypeError if `task` is none, or an argument cannot travel to the worker (the message names its path). @throws ExecutorShutdownError after `shutdown()`.
   * @throws ExecutorFullError if `maxPending` tasks wait.
   * @see https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Executor.submit
   */
  submit<A extends readonly unknown[], T>(task: Task<A, T>, ...args: A): Future<T> {
    return this.#submit(this.#defaults, this.#maxPending, task, args);
  }

  /** As `submit`, with options for this task alone. */
  submitWith<A extends readonly unknown[], T>(options: SubmitOptions, task: Task<A, T>, ...args: A): Future<T> {
    const settings = settingsFrom(checkOptions(options, 'submitWith'), 'submitWith', this.#defaults);
    return this.#submit(settings, this.#maxPending, task, args);
  }

  /**
   * Run a task for each item and give the results one by one: `next()` is a Waitable, and `forEach` takes it. Never switches.
   *
   * At most `lookAhead` items are taken before their results are; so a source without end is fine. In the order of the items, or with `ordered: false` as they come. A task that fails throws where its
   * result would have been, and the others go on. `maxPending` does not count here: `lookAhead` is the bound. When the greenlet that called ends, or `close()` is called, what was not taken is cancelled.
   *
   * @throws TypeError, ExecutorShutdownError as `submit`; TypeError if `items` is not iterable. @throws RangeError for a `lookAhead` that is no positive integer.
   */
  map<I, T>(task: Task<readonly [I], T> | Task<[I], T>, items: Iterable<I>, options?: MapOptions): TaskResults<T> {
    checkTask(task, 'map');
    this.#checkOpen();
    return new TaskResults<T>(
      (item) => this.#submit(this.#defaults, Number.POSITIVE_INFINITY, task as Task<[I], T>, [item as I]),
      items,
      this.#engine.places,
      options,
    );
  }

  /**
   * Take no more tasks, wait until those that there are have ended, and let the workers go.
   *
   * Switches. Idempotent: of several the shortest grace counts. Failures that nobody has looked at go to the hub's error event. If it throws Killed the shutdown goes on without the caller.
   *
   * @throws TypeError for bad options. @throws Killed if the greenlet is killed while it waits.
   */
  shutdown(options?: ShutdownOptions): Op<void> {
    const given = checkOptions(options, 'shutdown');
    const graceMs = ownMs(given, 'graceMs', Number.POSITIVE_INFINITY, 'shutdown');
    const cancelPending = ownFlag(given, 'cancelPending', false, 'shutdown');
    return composite(() => this.#shuttingDown(graceMs, cancelPending));
  }

  toString(): string {
    return this.name;
  }

  #checkOpen(): void {
    if (!this.#open) throw new ExecutorShutdownError(this.name);
  }

  #submit<A extends readonly unknown[], T>(
    settings: JobSettings,
    maxPending: number,
    task: Task<A, T>,
    args: A,
  ): Future<T> {
    const plain = task as unknown as AnyTask;
    let moved: readonly Transferable[];
    try {
      checkTask(task, 'submit');
      this.#checkOpen();
      if (this.#pending.size >= maxPending) throw new ExecutorFullError(this.name, maxPending);
      this.#engine.check(plain, args);
    } finally {
      // Here, not where the task begins: it may never begin.
      moved = takeMoved(args);
    }
    const job = new Job(this.#keeper, requireScheduler(), plain, args, moved, settings);
    this.#pending.push(job);
    this.#idle.clear();
    const { signal } = settings;
    if (signal !== undefined) followSignal(signal, job);
    this.#pump();
    return job.future as Future<T>;
  }

  // Not recursive: an engine may end a job while it begins it.
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#running.size < this.#engine.places) {
        const job = this.#pending.shift();
        if (job === undefined) break;
        this.#begin(job);
      }
    } finally {
      this.#pumping = false;
    }
  }

  #begin(job: Job): void {
    job.state = 'running';
    this.#running.add(job);
    job.future.begin();
    if (this.#engine.keepsLimits !== true) job.arm(job.settings.limitMs);
    try {
      this.#engine.begin(job);
    } catch (error) {
      job.end({ kind: 'error', error });
    }
  }

  #cancel(job: Job, terminate: boolean | undefined, reason: unknown): void {
    if (job.state === 'ended') return;
    if (job.state === 'pending') {
      this.#pending.remove(job);
      job.asked = { why: 'cancel', reason };
      job.end({ kind: 'killed' });
      return;
    }
    this.#stop(job, 'cancel', terminate ?? job.settings.terminate, reason);
  }

  /** Ask a job that runs to stop, once, and see to it that it does. */
  #stop(job: Job, why: 'cancel' | 'limit', terminate: boolean, reason: unknown): void {
    const first = job.asked === undefined;
    job.asked ??= { why, reason };
    if (terminate) {
      this.#terminate(job);
    } else if (first) {
      job.arm(job.settings.abortGraceMs);
      this.#engine.abort(job, reason);
    }
  }

  #terminate(job: Job): void {
    if (job.terminated || job.state !== 'running') return;
    job.terminated = true;
    job.disarm();
    this.#engine.terminate(job);
  }

  /** Its limit is over, or its grace. */
  #overdue(job: Job): void {
    if (job.asked !== undefined) this.#terminate(job);
    else this.#stop(job, 'limit', job.settings.terminate, new TaskTimeoutError(job.label, job.settings.limitMs));
  }

  #ended(job: Job, end: JobEnd): void {
    this.#running.delete(job);
    this.#settle(job, end);
    this.#pump();
    if (this.#running.size === 0 && this.#pending.size === 0) this.#idle.set();
  }

  #settle(job: Job, end: JobEnd): void {
    const { future, asked } = job;
    if (end.kind === 'value') {
      this.#counts.done += 1;
      future.settle('done', end.value);
      return;
    }
    const gaveUp = end.kind === 'killed' || (asked !== undefined && isAbort(end.error));
    if (gaveUp && asked?.why !== 'limit') {
      this.#counts.cancelled += 1;
      future.settle('cancelled', new CancelledError(job.label, asked?.reason));
      return;
    }
    const error = gaveUp ? overtime(asked?.reason as TaskTimeoutError, end) : (end as { error: unknown }).error;
    this.#counts.failed += 1;
    if (!future.watched) this.#unseen.add(future, error, job.scheduler);
    future.settle('failed', error);
  }

  *#shuttingDown(graceMs: number, cancelPending: boolean): Op<void> {
    this.#open = false;
    if (cancelPending) this.#cancelPending();
    const graceEndsMs = now() + graceMs;
    if (graceEndsMs < this.#graceEndsMs) {
      this.#graceEndsMs = graceEndsMs;
      this.#graceChanged.set();
    }
    this.#closer ??= spawnWith({ name: `shutdown of ${this.name}` }, () => this.#closing());
    yield* this.#closer.get();
  }

  #cancelPending(): void {
    for (let job = this.#pending.shift(); job !== undefined; job = this.#pending.shift()) job.end({ kind: 'killed' });
  }

  *#closing(): Op<void> {
    const scheduler = requireScheduler();
    // The wait below is for workers outside, if they are.
    if (this.#engine.external) scheduler.externalStarted();
    try {
      while (!this.#idle.isSet && now() < this.#graceEndsMs) {
        this.#graceChanged.clear();
        yield* select({
          idle: this.#idle.wait(),
          late: sleepUntil(this.#graceEndsMs),
          sooner: this.#graceChanged.wait(),
        });
      }
    } finally {
      this.#cancelPending();
      for (const job of [...this.#running]) this.#stop(job, 'cancel', true, undefined);
      try {
        yield* shield(Number.POSITIVE_INFINITY, this.#letGo());
      } finally {
        if (this.#engine.external) scheduler.externalEnded();
        this.#unseen.reportAll();
      }
    }
  }

  *#letGo(): Op<void> {
    yield* this.#idle.wait();
    yield* this.#engine.close();
  }
}

function followSignal(signal: AbortSignal, job: Job): void {
  const cancel = (): void => job.cancel(undefined, signal.reason);
  if (signal.aborted) cancel();
  else {
    signal.addEventListener('abort', cancel, { once: true });
    job.onEnded = () => signal.removeEventListener('abort', cancel);
  }
}

/** What a task throws that has heeded its signal. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'Killed');
}

/** The error of a task that ran too long, with the stack that it had, if that is known. */
function overtime(error: TaskTimeoutError, end: JobEnd): TaskTimeoutError {
  if (end.kind === 'killed' && end.where !== undefined) error.stack = `${error.name}: ${error.message}\n${end.where}`;
  return error;
}
