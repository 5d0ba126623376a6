// executor-options.ts: what may be asked of an executor and of one task, and how it is read.
//
// What is said of a task goes before what is said of its executor, and that before what is here. Bad values are refused at the call, by name.

import { rangeError, typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { own, ownFlag, ownMs, ownText } from '../io/address.ts';
import type { JobSettings } from './job.ts';

/** How long a task may take, and how it is stopped: what is said of one task, or of all of an executor. */
interface TaskLimits {
  /** How long a task may run; then it is asked to stop and its future fails with TaskTimeoutError. No limit by default. */
  readonly limitMs?: number | undefined;
  /** How long a task that was asked to stop has before its worker is ended. 5,000 by default. */
  readonly abortGraceMs?: number | undefined;
  /** Cancelling, and a limit, end the worker at once and start another one. False by default: the task is asked. */
  readonly terminate?: boolean | undefined;
}

/** What of an executor is the same for all kinds. */
export interface ExecutorOptions extends TaskLimits {
  /** Shown in errors and reports. */
  readonly name?: string | undefined;
  /** How many tasks may wait for a place when one more is submitted; `submit` throws ExecutorFullError then. No limit by default. */
  readonly maxPending?: number | undefined;
}

/** What is said of one task. */
export interface SubmitOptions extends TaskLimits {
  /** Cancels the task when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Who the task is, for an executor that knows tasks again (`RemoteExecutor`): of two with the same key one runs, and both futures get its outcome. */
  readonly key?: string | undefined;
}

export interface ShutdownOptions {
  /** How long tasks may go on, those that wait included; then what waits is cancelled and the workers are ended. Infinity by default. */
  readonly graceMs?: number | undefined;
  /** Cancel what has not begun. False by default. */
  readonly cancelPending?: boolean | undefined;
}

export interface ExecutorStats {
  readonly pending: number;
  readonly running: number;
  /** With a result. */
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** Of a task of which nothing is said. */
export const noSettings: JobSettings = {
  limitMs: Number.POSITIVE_INFINITY,
  abortGraceMs: 5_000,
  terminate: false,
  signal: undefined,
  key: undefined,
};

/** The options of one task in `given`; what it does not have is as in `defaults`. @throws TypeError, RangeError */
export function settingsFrom(given: object, where: string, defaults: JobSettings): JobSettings {
  const signal = own<unknown>(given, 'signal');
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw typeError(`${where}: signal must be an AbortSignal, not ${nameOf(signal)}`);
  const key = ownText(given, 'key', where);
  if (key === '') throw typeError(`${where}: key must not be empty: all tasks with one key are one`);
  return {
    limitMs: ownMs(given, 'limitMs', defaults.limitMs, where),
    abortGraceMs: ownMs(given, 'abortGraceMs', defaults.abortGraceMs, where),
    terminate: ownFlag(given, 'terminate', defaults.terminate, where),
    signal,
    key,
  };
}

/** `maxPending`. @throws RangeError */
export function ownLimit(given: object, where: string): number {
  const limit = own<unknown>(given, 'maxPending');
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  if (limit === Number.POSITIVE_INFINITY || (Number.isInteger(limit) && (limit as number) >= 1)) return limit as number;
  throw rangeError(`${where}: maxPending is a positive integer or Infinity, not ${String(limit)}`);
}
