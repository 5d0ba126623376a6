// errors.ts: what can go wrong with a task besides the task itself, in the families of core/errors.ts.
//
// An error that the task threw is none of these: it comes back as it was, with the worker's own stack (thrown.ts).

import { ResourceError, UsageError } from '../core/errors.ts';

/** The task was cancelled: by `cancel()`, by a signal, or because everyone who waited for it was killed or timed out. */
export class CancelledError extends ResourceError {
  override readonly code: string = 'ERR_TASK_CANCELLED';
  readonly reason: unknown;
  constructor(task: string, reason?: unknown) {
    super(`${task} was cancelled`, reason === undefined ? undefined : { cause: reason });
    this.reason = reason;
  }
}

/** The executor takes no tasks any more. */
export class ExecutorShutdownError extends UsageError {
  override readonly code: string = 'ERR_EXECUTOR_SHUTDOWN';
  constructor(executor: string) {
    super(`${executor} was shut down and takes no more tasks: submit before shutdown(), or make another executor`);
  }
}

/** As many tasks are waiting as the executor was allowed to keep (`maxPending`). */
export class ExecutorFullError extends ResourceError {
  override readonly code: string = 'ERR_EXECUTOR_FULL';
  constructor(executor: string, maxPending: number) {
    super(
      `${executor} has ${maxPending} tasks waiting, its maxPending: wait for some of them, or use map(), which does`,
    );
  }
}

/** The task ran longer than its `limitMs`. The stack is where it was, if that could be found out. */
export class TaskTimeoutError extends ResourceError {
  override readonly code: string = 'ERR_TASK_TIMEOUT';
  readonly limitMs: number;
  constructor(task: string, limitMs: number) {
    super(`${task} ran longer than its limit of ${limitMs} ms`);
    this.limitMs = limitMs;
  }
}

/** The module of the task could not be loaded where the task was to run, or has no such task. `cause` is what the load threw. */
export class TaskLoadError extends ResourceError {
  override readonly code: string = 'ERR_TASK_LOAD';
}

/** The task ended, but its result cannot come back: it cannot be cloned or encoded, or is larger than `maxBytes`. */
export class TaskResultError extends ResourceError {
  override readonly code: string = 'ERR_TASK_RESULT';
}

/** The worker that ran the task ended before the task did. Whether the task had any effect is not known. */
export class WorkerLostError extends ResourceError {
  override readonly code: string = 'ERR_WORKER_LOST';
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  constructor(
    message: string,
    end: { exitCode?: number | undefined; signal?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, end.cause === undefined ? undefined : { cause: end.cause });
    this.exitCode = end.exitCode;
    this.signal = end.signal;
  }
}

/** A worker could not be started. The task did not run. */
export class WorkerStartError extends ResourceError {
  override readonly code: string = 'ERR_WORKER_START';
}
