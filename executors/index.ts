// index.ts: the public names of `tendril/executors`: tasks, futures, and the executor whose workers are greenlets.
//
// Executors over threads, processes and machines have entry points of their own, because two of them need a package that their users install.

export {
  CancelledError,
  ExecutorFullError,
  ExecutorShutdownError,
  TaskLoadError,
  TaskResultError,
  TaskTimeoutError,
  WorkerLostError,
  WorkerStartError,
} from './errors.ts';
export type { Executor } from './executor.ts';
export type { ExecutorOptions, ExecutorStats, ShutdownOptions, SubmitOptions } from './executor-options.ts';
export type { CancelOptions, Future } from './future.ts';
export { GreenletExecutor } from './greenlet-executor.ts';
export type { MapOptions, TaskResults } from './map.ts';
export { move } from './move.ts';
export { defineTasks, type Task, type TaskBody, type TaskSet, type TaskSetOptions, type TaskValue } from './tasks.ts';
