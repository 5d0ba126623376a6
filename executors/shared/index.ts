// index.ts: the public names of `tendril/executors/shared`: state that several threads share, waited for without blocking the event loop.
//
// The rules are in docs/shared-state.md.

export type { SharedHandle, SharedOptions } from './handle.ts';
export { SharedCounter } from './shared-counter.ts';
export { SharedMutex } from './shared-mutex.ts';
export { SharedSemaphore } from './shared-semaphore.ts';
