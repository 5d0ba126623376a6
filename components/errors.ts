// errors.ts: every error that components/ throws, in the families of the kernel: whose fault it is.
//
// What a handler throws is never wrapped: `call` rethrows the very object. The exception is a failure on the other side of a bridge, which is not the object that was
// thrown there.

import { ResourceError, UsageError } from '../core/errors.ts';

/** A component is not where the call needs it to be: registered already, a part of itself, not the root, running. */
export class ComponentStateError extends UsageError {
  override readonly code: string = 'ERR_COMPONENT_STATE';
}

/** complete() was asked for when the event was being handled already, and nobody had asked before. */
export class NotTrackedError extends UsageError {
  override readonly code: string = 'ERR_EVENT_NOT_TRACKED';
  constructor(event: string) {
    super(
      `what ${event} causes was not followed: call complete() right after fire(), before the event is handled, or listen to its complete event`,
    );
  }
}

/** No handler gave a result, and the caller needs one. */
export class NoResultError extends ResourceError {
  override readonly code: string = 'ERR_EVENT_NO_RESULT';
  constructor(event: string, handlers: number) {
    super(
      handlers === 0
        ? `nobody handles ${event}: register the component that does, or look at the channel that it is fired on`
        : `none of the ${handlers} handlers of ${event} gave a result`,
    );
  }
}

/** The event was cancelled before it was handled. */
export class EventCancelledError extends ResourceError {
  override readonly code: string = 'ERR_EVENT_CANCELLED';
  constructor(event: string) {
    super(`${event} was cancelled before it was handled`);
  }
}

/** The tree of components has ended, or the component has left it. */
export class ComponentStoppedError extends ResourceError {
  override readonly code: string = 'ERR_COMPONENT_STOPPED';
}

/** A handler on the other side of a bridge failed. `remote` says what is known of its error. */
export class RemoteEventError extends ResourceError {
  override readonly code: string = 'ERR_REMOTE_EVENT';
  readonly remote: RemoteFailure;
  constructor(event: string, remote: RemoteFailure) {
    super(`${event} failed on the other side of the bridge: ${remote.name}: ${remote.message}`);
    this.remote = remote;
  }
}

/** An error, as it travels. */
export interface RemoteFailure {
  readonly name: string;
  readonly message: string;
  readonly code?: string | undefined;
  readonly stack?: string | undefined;
}

/** The link of a bridge is lost: what was pending fails, and so does what is fired over it from now on. */
export class BridgeLostError extends ResourceError {
  override readonly code: string = 'ERR_BRIDGE_LOST';
  constructor(bridge: string, cause: unknown) {
    super(`${bridge} has lost its link: unregister it, and register one over a new link`, { cause });
  }
}
