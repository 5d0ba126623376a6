// job.ts: a task that was submitted, from the executor's side: what runs, whether it was asked to stop, and how it ended.
//
// It is separate from the Future, which users hold: a job can only be ended once, by the engine that runs it, and its timer is of two lives, first the limit of the
// task, then the grace of one that was asked to stop.
//
// Invariants, between any two steps:
//   state is pending  if and only if  it is in the list of its executor
//   state is ended    if and only if  its future has an outcome
//   the timer is armed  implies  state is running

import type { Transferable } from 'node:worker_threads';
import type { Scheduler } from '../core/scheduler.ts';
import type { Timer } from '../core/timers.ts';
import { type Canceller, Future } from './future.ts';
import { type AnyTask, taskLabel } from './tasks.ts';

/** How a task ended. `killed`: because it, or its worker, was told to; `where` is the stack it had, if that is known. */
export type JobEnd =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'killed'; readonly where?: string | undefined };

/** What was said at submit, or of the executor. */
export interface JobSettings {
  readonly limitMs: number;
  readonly abortGraceMs: number;
  readonly terminate: boolean;
  readonly signal: AbortSignal | undefined;
  readonly key: string | undefined;
}

/** The executor of a job. */
export interface JobKeeper {
  readonly external: boolean;
  cancelJob(job: Job, terminate: boolean | undefined, reason: unknown): void;
  jobOverdue(job: Job): void;
  jobSeen(job: Job): void;
  jobEnded(job: Job, end: JobEnd): void;
}

let lastId = 0;

export class Job implements Canceller, Timer {
  /** Of this process. */
  readonly id: number = ++lastId;
  readonly task: AnyTask;
  args: readonly unknown[];
  /** What of the arguments is handed over, not copied. */
  moved: readonly Transferable[];
  readonly settings: JobSettings;
  readonly future: Future<unknown>;
  state: 'pending' | 'running' | 'ended' = 'pending';
  /** Whoever cancelled it, or its limit, has asked it to stop. */
  asked: { readonly why: 'cancel' | 'limit'; readonly reason: unknown } | undefined = undefined;
  terminated = false;
  /** What the engine keeps of it. */
  engineState: unknown = undefined;
  /** Let go of what was waited for on its behalf. */
  onEnded: (() => void) | undefined = undefined;
  readonly #keeper: JobKeeper;
  readonly #scheduler: Scheduler;

  next: Job | undefined = undefined;
  prev: Job | undefined = undefined;
  order = 0;
  slot = -1;

  constructor(
    keeper: JobKeeper,
    scheduler: Scheduler,
    task: AnyTask,
    args: readonly unknown[],
    moved: readonly Transferable[],
    settings: JobSettings,
  ) {
    this.#keeper = keeper;
    this.#scheduler = scheduler;
    this.task = task;
    this.args = args;
    this.moved = moved;
    this.settings = settings;
    this.future = new Future(this);
  }

  get label(): string {
    return taskLabel(this.task);
  }

  get external(): boolean {
    return this.#keeper.external;
  }

  get scheduler(): Scheduler {
    return this.#scheduler;
  }

  cancel(terminate: boolean | undefined, reason: unknown): void {
    this.#keeper.cancelJob(this, terminate, reason);
  }

  seen(): void {
    this.#keeper.jobSeen(this);
  }

  /** The task has ended. Only the first end counts: a worker may be lost in the moment in which its answer arrives. */
  end(end: JobEnd): void {
    if (this.state === 'ended') return;
    this.disarm();
    this.state = 'ended';
    this.forgetArgs();
    // Its future may be kept for long, and is not to keep a worker.
    this.engineState = undefined;
    this.onEnded?.();
    this.#keeper.jobEnded(this, end);
  }

  /** They are the worker's now, or nobody's. */
  forgetArgs(): void {
    this.args = [];
    this.moved = [];
  }

  /** Call the keeper's `jobOverdue` in so many milliseconds. */
  arm(ms: number): void {
    this.disarm();
    if (ms === Number.POSITIVE_INFINITY) return;
    this.#scheduler.timeouts.arm(this, ms);
    this.#scheduler.timersChanged();
  }

  disarm(): void {
    if (this.slot === -1) return;
    this.#scheduler.timeouts.cancel(this);
    this.#scheduler.timersChanged();
  }

  due(): void {
    this.#keeper.jobOverdue(this);
  }
}

/** Jobs that wait for a worker, oldest first; one that is cancelled is taken out in O(1). */
export class JobList {
  #head: Job | undefined = undefined;
  #tail: Job | undefined = undefined;
  size = 0;

  push(job: Job): void {
    job.prev = this.#tail;
    if (this.#tail === undefined) this.#head = job;
    else this.#tail.next = job;
    this.#tail = job;
    this.size += 1;
  }

  shift(): Job | undefined {
    const job = this.#head;
    if (job !== undefined) this.remove(job);
    return job;
  }

  remove(job: Job): void {
    const { next, prev } = job;
    if (prev === undefined) this.#head = next;
    else prev.next = next;
    if (next === undefined) this.#tail = prev;
    else next.prev = prev;
    job.next = undefined;
    job.prev = undefined;
    this.size -= 1;
  }
}
