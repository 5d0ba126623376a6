// index.ts: the public names of `tendril/executors/threads`: the executor whose workers are threads of this process.
//
// It needs the package piscina, which its users install.

export { ThreadExecutor, type ThreadExecutorOptions } from './thread-executor.ts';
