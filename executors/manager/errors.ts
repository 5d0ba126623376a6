// errors.ts: what can go wrong with objects that live in a manager process, besides what their methods throw.
//
// An error of a method comes back as it was, with the stack of the manager (executors/thrown.ts).

import { typeError } from '../../core/bad-argument.ts';
import { ResourceError, UsageError } from '../../core/errors.ts';
import type { Unreadable } from '../channels/receiving-side.ts';

/** The manager process could not be started: its module does not load, or it does not answer. `cause` is what the load threw. */
export class ManagerStartError extends ResourceError {
  override readonly code: string = 'ERR_MANAGER_START';
}

/** The manager is gone, and with it every object. Whether a call that was running had its effect is not known. */
export class ManagerLostError extends ResourceError {
  override readonly code: string = 'ERR_MANAGER_LOST';
  constructor(what: string, why: string, cause?: unknown) {
    super(
      `${what}: the manager is lost: ${why}; its objects are gone, start another one`,
      cause === undefined ? undefined : { cause },
    );
  }
}

/** The greenlet of a call was killed in the manager, and not by us: the manager is stopping. */
export class ManagedCallKilledError extends ResourceError {
  override readonly code: string = 'ERR_MANAGED_CALL_KILLED';
  constructor(what: string) {
    super(`${what} was killed in the manager, which is stopping`);
  }
}

/** There is no such object in the manager: everybody who had it has released it, or it never was. */
export class ManagedReleasedError extends UsageError {
  override readonly code: string = 'ERR_MANAGED_RELEASED';
  constructor(what: string) {
    super(
      `${what}: the object is released: keep a proxy of it as long as somebody needs it, and attach before the last one goes`,
    );
  }
}

/** The error of a call whose arguments or result could be written, and not read on the other side. @internal */
export function unreadable(what: string, { cause }: Unreadable): TypeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return typeError(`${what} (${why}): pass data of fewer levels`, 'ERR_CANNOT_TRAVEL', { cause });
}
