// process-executor.ts: the executor whose workers are child processes: for tasks that compute, and that may crash.
//
// Arguments and results are copied through a pipe. A process is isolated from this one in everything: a crash in native code, a lack of memory and a SIGKILL end the
// one worker. It starts more slowly than a thread, and takes more memory.
// Sources: Python's ProcessPoolExecutor for the interface; node:child_process.

import { availableParallelism } from 'node:os';
import { checkOptions, ownFlag } from '../../io/address.ts';
import { Executor } from '../executor.ts';
import { processRules } from '../local/carried.ts';
import { LocalEngine } from '../local/local-engine.ts';
import { type LocalExecutorOptions, localSettings } from '../local/local-settings.ts';
import { ProcessWorker } from './process-worker.ts';

export interface ProcessExecutorOptions extends LocalExecutorOptions {
  /**
   * Have a thread in each worker that can look at what it executes and that ends it when this process has gone, also in an endless loop. It costs each worker some 10 MB, and
   * 30 ms of computing at its start. True by default.
   */
  readonly watched?: boolean | undefined;
}

/** Runs tasks in child processes, one at a time in each of at most `size`; they are started when there is something to do. */
export class ProcessExecutor extends Executor {
  /**
   * @throws RangeError if `size` is no positive integer. @throws TypeError for bad options.
   */
  constructor(size: number = availableParallelism(), options?: ProcessExecutorOptions) {
    const kind = 'ProcessExecutor';
    const settings = localSettings(size, options, kind);
    const watched = ownFlag(checkOptions(options, kind), 'watched', true, kind);
    super(
      new LocalEngine(settings, processRules, (keeper) => new ProcessWorker(keeper, { ...settings, watched })),
      kind,
      options,
    );
  }
}
