// index.ts: the public names of the kernel (`tendril/core`). It runs on any JavaScript engine that gives it a Driver.
//
// Nothing is installed by importing this: on Node import `tendril`, which brings a driver; elsewhere call `install(driver)`.

export { AsyncResult } from './async-result.ts';
export { Barrier, type BarrierOptions } from './barrier.ts';
export { BoundedSemaphore } from './bounded-semaphore.ts';
export { call, fn } from './call.ts';
export { callerFrames } from './call-frames.ts';
export { Channel, type ChannelOptions, type ChannelPreference } from './channel.ts';
export { Condition } from './condition.ts';
export { Coroutine } from './coroutine.ts';
export { type JoinAllOptions, joinAll, killAll } from './crowd.ts';
export type { ContextCarrier, Driver } from './driver.ts';
export {
  BrokenBarrierError,
  BusyError,
  ChannelClosedError,
  ClosedError,
  DeadlockError,
  GreenletKilledError,
  InternalError,
  isKilled,
  Killed,
  KillIgnoredError,
  NotInGreenletError,
  NotOwnerError,
  OpIteratedError,
  OpReusedError,
  QueueClosedError,
  QueueEmptyError,
  QueueFullError,
  ResourceError,
  ResultSetError,
  rethrowKilled,
  ScopeClosedError,
  suppressedErrors,
  TendrilError,
  TimeoutError,
  UsageError,
  WouldBlockError,
} from './errors.ts';
export { Event } from './event.ts';
export type { EventListeners } from './events.ts';
export { all, allSettled, any, race, type Settled } from './gather.ts';
export { Greenlet, type GreenletOutcome, type SpawnOptions } from './greenlet.ts';
export { Group } from './group.ts';
export { idle, park, unpark } from './idle.ts';
export type { ImapOptions, MapIterator } from './imap.ts';
export { install } from './install.ts';
export type { Instrument } from './instruments.ts';
export { JoinableQueue } from './joinable-queue.ts';
export { LifoQueue } from './lifo-queue.ts';
export type { LinkTarget } from './links.ts';
export { Local, type LocalOptions } from './local.ts';
export type { LockSide } from './lock-sides.ts';
export { Mutex } from './mutex.ts';
export { noBlock } from './no-block.ts';
export type { Body, Op, ResultOf, Resume, Trap, Waitable, WaitDescription } from './op.ts';
export { Pool } from './pool.ts';
export { PriorityQueue, type PriorityQueueOptions } from './priority-queue.ts';
export { Queue, type QueueOptions } from './queue.ts';
export { RLock } from './r-lock.ts';
export {
  type Awaitable,
  iwait,
  type Readiness,
  type Ready,
  type ReadyValue,
  type WaitOptions,
  wait,
} from './readiness.ts';
export { RWLock } from './rw-lock.ts';
export type { Scheduler, SchedulerStats } from './scheduler.ts';
export { type Scope, scope } from './scope.ts';
export { type SelectArms, type Selected, type SelectedElse, type SelectOptions, select } from './select.ts';
export { Semaphore } from './semaphore.ts';
export { shield } from './shield.ts';
export { sleep, sleepUntil, yieldNow } from './sleep.ts';
export { current, now, run, spawn, spawnLater, spawnWith } from './spawn.ts';
export { type Backoff, type SuperviseOptions, supervise } from './supervise.ts';
export { deadline, type TimeoutOptions, timeout } from './timeout.ts';
