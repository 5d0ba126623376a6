// caller.ts: who calls a method of a managed object: for objects that have to take something back when a client is gone.
//
// A client is a connection: a process or a thread that has started the manager or connected to it. A lock that a client had when it was killed is a case.

import { UsageError } from '../../core/errors.ts';
import { Local } from '../../core/local.ts';

/** The client whose call runs. */
export interface Caller {
  /** Numbered from 1 in order of connection. */
  readonly id: number;
  /** Have `left` called when the client's connection has ended, however that was. The function that is returned takes that back. */
  onLeave(left: () => void): () => void;
}

/** @internal */
export const callers: Local<Caller | undefined> = new Local<Caller | undefined>(() => undefined, { name: 'callers' });

/**
 * The client that has called the method that runs now. Never switches.
 *
 * For generator methods at any time, for plain ones and async ones before their first `await`. @throws UsageError outside calls of managed objects.
 */
export function caller(): Caller {
  const found = callers.get();
  if (found === undefined)
    throw new UsageError('caller() is for methods of managed objects, while a client calls them');
  return found;
}
