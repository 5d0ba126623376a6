// abort-signal.ts: `signal()`: an AbortSignal for the code that runs now, for what takes one.
//
// It aborts when Ops here begin to throw Killed: the greenlet is killed, or a scope or timeout around the call is cancelled. It is of the innermost of these; when that
// one ends well it will never abort. until() gives a signal of its own, which aborts when that one wait ends early.
// Source: trio's cancel scopes, as Node's and the web's APIs can be told of them.

import { onCancel } from '../core/cancellation.ts';
import { NotInGreenletError } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import { kernel } from '../core/kernel.ts';
import { DONE } from '../core/status.ts';

/**
 * What a signal of the web has as its reason when `frame` is cancelled: a kill's, if that is an error; else an AbortError, whose `cause` it is; of a timeout a
 * TimeoutError, as with AbortSignal.timeout(). Never one of our own objects.
 */
export function abortReason({ kind, reason }: Frame): Error {
  if (kind === 'timeout') return new DOMException('The operation was aborted due to timeout', 'TimeoutError');
  return reason instanceof Error ? reason : abortError(reason);
}

/** An AbortError as AbortController makes it, with a `cause` if there is one. */
export function abortError(cause: unknown): Error {
  const error = new DOMException('This operation was aborted', 'AbortError');
  if (cause !== undefined) Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true });
  return error;
}

/** The signals that were made, by the frame that was innermost, or by the greenlet. One is enough for each. */
const signals = new WeakMap<object, AbortSignal>();

/**
 * Get the AbortSignal of what runs now: it aborts when this greenlet is killed, or a scope or timeout around here is cancelled. Made on first use. Never switches.
 *
 * `signal.reason` is the kill's reason if that is an error, else an AbortError whose `cause` it is; after a timeout a TimeoutError, as with AbortSignal.timeout(). In cleanup
 * after a kill the signal is aborted from the start, except inside a shield.
 *
 * @throws NotInGreenletError in ordinary code.
 */
export function signal(): AbortSignal {
  const me = kernel.current;
  if ((me.status & DONE) !== 0) throw new NotInGreenletError('signal()');
  const key = me.frame ?? me;
  const made = signals.get(key);
  if (made !== undefined) return made;
  const controller = new AbortController();
  signals.set(key, controller.signal);
  onCancel(me, (frame) => controller.abort(abortReason(frame)), false);
  return controller.signal;
}
