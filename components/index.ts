// index.ts: the public names of `tendril/components`: events between the components of a tree, handled by greenlets.
//
// See docs/components.md.

export { Bridge, type BridgeOptions, bridgeLost, bridgeRefused } from './bridge.ts';
export type { BridgeMessage } from './bridge-message.ts';
export { Component, type ComponentOptions } from './component.ts';
export { Debugger, type DebuggerOptions } from './debugger.ts';
export {
  BridgeLostError,
  ComponentStateError,
  ComponentStoppedError,
  EventCancelledError,
  NoResultError,
  NotTrackedError,
  RemoteEventError,
  type RemoteFailure,
} from './errors.ts';
export {
  type AnyEvent,
  type AnyEventType,
  type ArgsOf,
  defineEvent,
  type EventChannel,
  type EventOf,
  type EventType,
  type EventTypeOptions,
  type Listenable,
  type ResultsOf,
} from './event-type.ts';
export type { FireOptions, WaitForOptions } from './fire-options.ts';
export type { Firing, FiringState } from './firing.ts';
export type {
  HandlerFunction,
  HandlerOptions,
  HandlerResult,
  TaskHandler,
} from './handler.ts';
export { handling } from './handler-run.ts';
export {
  anyEvent,
  exception,
  type FailureOrigin,
  registered,
  started,
  stopped,
  unregistered,
  unregistering,
} from './lifecycle.ts';
export { Timer, type TimerOptions } from './timer.ts';
