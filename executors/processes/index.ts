// index.ts: the public names of `tendril/executors/processes`: the executor whose workers are child processes.
//
// It needs no package.

export { ProcessExecutor, type ProcessExecutorOptions } from './process-executor.ts';
