// thread-executor.ts: the executor whose workers are threads of this process: for tasks that compute.
//
// Arguments and results are cloned; memory that is marked with `move` changes hands, and shared memory is shared. A thread is isolated from this one in all but
// the process: what kills the process (a signal, a crash in native code) ends all of them.
// Sources: Python's ThreadPoolExecutor for the interface; piscina for the threads.

import { availableParallelism } from 'node:os';
import type { ResourceLimits } from 'node:worker_threads';
import { typeError } from '../../core/bad-argument.ts';
import { checkOptions, own, shownValue } from '../../io/address.ts';
import { Executor } from '../executor.ts';
import { threadRules } from '../local/carried.ts';
import { LocalEngine } from '../local/local-engine.ts';
import { type LocalExecutorOptions, localSettings } from '../local/local-settings.ts';
import { ThreadWorker } from './thread-worker.ts';

export interface ThreadExecutorOptions extends LocalExecutorOptions {
  /** Limits of the memory of each thread, as `new Worker` takes them: a task beyond them fails with WorkerLostError, alone. */
  readonly resourceLimits?: ResourceLimits | undefined;
}

/** Runs tasks in threads of this process, one at a time in each of at most `size`; they are started when there is something to do. */
export class ThreadExecutor extends Executor {
  /**
   * @throws RangeError if `size` is no positive integer. @throws TypeError for bad options.
   */
  constructor(size: number = availableParallelism(), options?: ThreadExecutorOptions) {
    const kind = 'ThreadExecutor';
    const settings = localSettings(size, options, kind);
    const limits = own<unknown>(checkOptions(options, kind), 'resourceLimits');
    if (limits !== undefined && (typeof limits !== 'object' || limits === null))
      throw typeError(`${kind}: resourceLimits must be an object, not ${shownValue(limits)}`);
    const resourceLimits = limits === undefined ? undefined : { ...(limits as ResourceLimits) };
    super(
      new LocalEngine(settings, threadRules, (keeper) => new ThreadWorker(keeper, { ...settings, resourceLimits })),
      kind,
      options,
    );
  }
}
