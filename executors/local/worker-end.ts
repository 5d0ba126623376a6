// worker-end.ts: how a task ends that a worker of this machine ran: with its answer, with its worker, or because neither came in time.
//
// Messages say what has happened to which task's worker; the error that was thrown over there is the `cause`, with the stack that it has there.

import { TaskLoadError, TaskResultError, WorkerLostError, WorkerStartError } from '../errors.ts';
import type { Job, JobEnd } from '../job.ts';
import { revive } from '../thrown.ts';
import type { LocalAnswer } from './worker-tasks.ts';

/** How a worker ended. */
export interface WorkerEnd {
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly cause?: unknown;
  /** What its task fails with, if that is not that the worker was lost. */
  readonly error?: Error | undefined;
}

/** What a worker is ended for that does not start, or a module that does not load. */
export function lateError(job: Job, starting: boolean, ms: number, where: string | undefined): Error {
  if (starting)
    return new WorkerStartError(
      `the worker for ${job.label} had not started after ${ms} ms (startTimeoutMs): look at what it is preloaded with (execArgv, NODE_OPTIONS)`,
    );
  const cause = where === undefined ? undefined : placeOf(where);
  return new TaskLoadError(
    `${job.task.module}, the module of ${job.label}, had not been imported after ${ms} ms (startTimeoutMs): look at what it waits for at its top level`,
    cause === undefined ? undefined : { cause },
  );
}

function placeOf(where: string): Error {
  const place = new Error('this is where it was');
  place.stack = `Error: ${place.message}\n${where}`;
  return place;
}

/** The task has been answered. */
export function endOf(answer: LocalAnswer, label: string): JobEnd {
  switch (answer.kind) {
    case 'value':
      return { kind: 'value', value: answer.value };
    case 'killed':
      return { kind: 'killed' };
    case 'error':
      return { kind: 'error', error: revive(answer.thrown) };
    case 'load': {
      const cause = revive(answer.thrown);
      return {
        kind: 'error',
        error: new TaskLoadError(`the module of ${label} cannot be used: ${told(cause)}`, { cause }),
      };
    }
    case 'result': {
      const cause = revive(answer.thrown);
      return { kind: 'error', error: new TaskResultError(`${label} ended well, but ${told(cause)}`, { cause }) };
    }
  }
}

/** A worker that was not told to end has ended; `starting`: before it was ready. */
export function lossOf(job: Job, starting: boolean, end: WorkerEnd): JobEnd {
  const { exitCode, signal, cause } = end;
  if (end.error !== undefined) return { kind: 'error', error: end.error };
  const how = cause === undefined ? exitOf(end) : `was brought down: ${told(cause)}`;
  const error = starting
    ? new WorkerStartError(
        `the worker for ${job.label} ${how}, before it had started: look at what it has printed, and at what it is preloaded with (execArgv, NODE_OPTIONS)`,
        cause === undefined ? undefined : { cause },
      )
    : new WorkerLostError(`the worker of ${job.label} ${how}`, { exitCode, signal, cause });
  return { kind: 'error', error };
}

function exitOf({ exitCode, signal }: WorkerEnd): string {
  if (signal === 'SIGABRT') return 'was ended by SIGABRT: it ran out of memory, or called abort()';
  if (signal !== undefined) return `was ended by ${signal}`;
  return exitCode === undefined ? 'could not be started' : `exited with code ${exitCode}`;
}

function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
