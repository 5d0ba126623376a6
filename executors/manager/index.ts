// index.ts: the public names of `tendril/executors/manager`: objects that live in a process of their own and are used from many.
//
// The rules are in docs/manager.md.

export { type Caller, caller } from './caller.ts';
export { connectManager, ManagerClient } from './client.ts';
export {
  type CallValue,
  defineManaged,
  type Managed,
  type ManagedClass,
  type ManagedClasses,
  type ManagedDefinition,
} from './definition.ts';
export { ManagedCallKilledError, ManagedReleasedError, ManagerLostError, ManagerStartError } from './errors.ts';
export { type HeldByWaiting, holding } from './holding.ts';
export { Manager, type ManagerOptions, type ManagerStopOptions } from './manager.ts';
export { type ManagedRef, refOf } from './proxies.ts';
export type { ManagedDict, ManagedEvent, ManagedList, ManagedLock, ManagedQueue, ManagedValue } from './ready-made.ts';
