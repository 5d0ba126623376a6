// outcome-end.ts: what an outcome that came from a worker means for whoever waits: a value, or which error.
//
// Errors of the library itself come back as their own classes, so that `instanceof` is true for every executor; those of the program come back as thrown.ts makes them.

import { TaskLoadError, TaskResultError, TaskTimeoutError } from '../errors.ts';
import type { JobEnd } from '../job.ts';
import { type AnyTask, taskLabel } from '../tasks.ts';
import { revive, type Thrown } from '../thrown.ts';
import type { ResultMessage } from './envelope.ts';
import { TaskDeadError } from './errors.ts';

/** How the job ends whose outcome this is; `limitMs` is what its submit said. */
export function endOf(result: ResultMessage, task: AnyTask, limitMs: number = Number.POSITIVE_INFINITY): JobEnd {
  const label = taskLabel(task);
  switch (result.kind) {
    case 'value':
      return { kind: 'value', value: result.value };
    case 'killed':
      return { kind: 'killed' };
    case 'error':
      return { kind: 'error', error: overtime(result.thrown, label, limitMs) ?? revive(result.thrown) };
    case 'unknown':
      return { kind: 'error', error: new TaskLoadError(result.message) };
    case 'unsendable':
      return { kind: 'error', error: new TaskResultError(result.message) };
    case 'dead':
      return { kind: 'error', error: new TaskDeadError(label, result.attempts, result.reason) };
  }
}

/** The worker has kept the limit of this submit. */
function overtime(thrown: Thrown, label: string, limitMs: number): TaskTimeoutError | undefined {
  if (!('error' in thrown)) return undefined;
  const { own, stack } = thrown.error;
  if (own.code !== 'ERR_TASK_TIMEOUT' || own.limitMs !== limitMs) return undefined;
  const error = new TaskTimeoutError(label, limitMs);
  Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true });
  return error;
}
