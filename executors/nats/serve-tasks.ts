// serve-tasks.ts: the other side of RemoteExecutor: run the tasks of a queue, here or in an executor of this process.
//
// What one delivery goes through is in task-worker.ts. Here is what a worker is called with, and how it goes: when its greenlet is killed it takes no more, what runs is asked to
// stop, and what has no outcome then is handed back at once.

import { rangeError, typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import { nameOf, type Op } from '../../core/op.ts';
import { shield } from '../../core/shield.ts';
import { checkOptions, own, ownCount, ownMs, ownText } from '../../io/address.ts';
import { Executor } from '../executor.ts';
import { GreenletExecutor } from '../greenlet-executor.ts';
import { type AnyTask, checkTask, type Task } from '../tasks.ts';
import type { NatsLink } from './link.ts';
import type { NatsOptions } from './nats-options.ts';
import { QueueNames } from './queue-streams.ts';
import { linkOf, queueSettings } from './remote-executor.ts';
import { TaskWorker } from './task-worker.ts';

export interface ServeTasksOptions extends NatsOptions {
  /** The name of the queue: letters, digits, _ and -. 'tasks' by default. */
  readonly queue?: string | undefined;
  /** A connection that is shared; it stays open. Without one the worker opens its own, by the options for that. */
  readonly link?: NatsLink | undefined;
  /** How many tasks this worker takes at once. As many as `executor` runs at once by default, 100 at most; 10 without one. */
  readonly concurrency?: number | undefined;
  /** Who runs them. A GreenletExecutor by default, which suits tasks that wait: one that computes for longer than `ackWaitMs` needs threads or processes. */
  readonly executor?: Executor | undefined;
  /** How long what runs may go on when this greenlet is killed. 0 by default. */
  readonly graceMs?: number | undefined;
  /** How long the server waits for a sign of life of the worker of a task before it gives the task to another one. Of the queue: it is changed there if it is given. 30,000 at first. */
  readonly ackWaitMs?: number | undefined;
}

/** Tasks of any signature, as `defineTasks` returns them. */
export type AnyTaskSet = Readonly<Record<string, Task<never, unknown>>>;

/**
 * Serve the tasks of a queue: run what executors submit, until this greenlet is killed.
 *
 * Switches. It goes on over losses of the connection. A message that cannot be read goes to the dead letters; a task that nobody here knows, or whose arguments its `validate`
 * refuses, fails at its submitter. When killed, or if it throws, what has no outcome is handed back at once, and another worker takes it.
 *
 * @throws TypeError, RangeError for bad options, at the call. @throws EngineUnreachableError if no server answers, at first within `connectTimeoutMs`, later for `giveUpAfterMs`. @throws
 * EngineRefusedError if the server does not let us in or has no JetStream. @throws Killed if the greenlet is killed.
 */
export function serveTasks(tasks: AnyTaskSet | readonly AnyTaskSet[], options?: ServeTasksOptions): Op<never> {
  const where = 'serveTasks';
  const given = checkOptions(options, where);
  const known = tasksOf(tasks, where);
  const names = new QueueNames(ownText(given, 'queue', where) ?? 'tasks', where);
  const executor = own<unknown>(given, 'executor');
  if (executor !== undefined && !(executor instanceof Executor))
    throw typeError(`${where}: executor must be an executor, not ${nameOf(executor)}`);
  const places = executor === undefined ? 10 : Math.min(executor.places, 100);
  const concurrency = ownCount(given, 'concurrency', places, 1, where);
  if (concurrency > 10_000) throw rangeError(`${where}: concurrency is at most 10,000, not ${concurrency}`);
  const graceMs = ownMs(given, 'graceMs', 0, where);
  const queue = queueSettings(given, where);
  const connecting = linkOf(given, where);
  return composite(function* serving(): Op<never> {
    const { link, ownsLink } = yield* connecting();
    const runner = executor ?? new GreenletExecutor(concurrency);
    try {
      const worker = new TaskWorker({ link, names, queue, tasks: known, executor: runner, concurrency });
      try {
        return yield* worker.serve();
      } finally {
        yield* shield(Number.POSITIVE_INFINITY, worker.leave(graceMs));
      }
    } finally {
      if (executor === undefined) yield* shield(Number.POSITIVE_INFINITY, runner.shutdown({ graceMs: 0 }));
      if (ownsLink) yield* shield(Number.POSITIVE_INFINITY, link.close());
    }
  });
}

function tasksOf(tasks: unknown, where: string): Map<string, AnyTask> {
  const known = new Map<string, AnyTask>();
  for (const set of Array.isArray(tasks) ? tasks : [tasks]) {
    if (typeof set !== 'object' || set === null)
      throw typeError(`${where}: the tasks are what defineTasks returns, or a list of that, not ${nameOf(set)}`);
    for (const task of Object.values(set as Record<string, unknown>)) {
      checkTask(task, where);
      const { set: name, name: own } = task as AnyTask;
      const id = `${name}.${own}`;
      if (known.has(id) && known.get(id) !== task)
        throw typeError(
          `${where}: two tasks are called ${id}: give one of their sets another name, in the options of defineTasks`,
          'ERR_INVALID_ARG_VALUE',
        );
      known.set(id, task as AnyTask);
    }
  }
  if (known.size === 0) throw typeError(`${where}: there is no task to serve`, 'ERR_INVALID_ARG_VALUE');
  return known;
}
