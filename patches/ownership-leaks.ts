// ownership-leaks.ts: what is said of a handle that is still open when its greenlet, or scope, has ended well.
//
// To whoever listens, each one; if nobody listens, one process warning for each place that opens such. After a kill or a failure nothing is said: there the end
// of the handle is what was asked for. It is said at the end of the turn, outside every greenlet.

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';

// Taken at load: patches never reach us.
const { emitWarning } = process;

/** A handle that was open when its owner ended. It has been destroyed. */
export interface Leak {
  /** `timer`, `socket`, `server`, `request`, `child process`, `watcher`, ... */
  readonly kind: string;
  readonly handle: object;
  /** The greenlet that opened it, or whose scope it was: its name. */
  readonly owner: string;
  /** The stack of the place that opened it, or that adopted it. */
  readonly opened: string;
}

const listeners = new Set<(leak: Leak) => void>();
/** The places that were warned of. A program has only so many, but evaluated code can have any number. */
const warned = new Set<string>();
const MOST_PLACES = 1000;

/**
 * Have `listener` told of each handle that a greenlet has left open at its end. Returns a function that unlinks it. Never switches.
 *
 * Without a listener there is one process warning (LeakWarning, TENDRIL_LEAK) for each place. What a listener throws goes to the hub's `error` event.
 *
 * @throws TypeError if `listener` is no function.
 */
export function onLeak(listener: (leak: Leak) => void): () => void {
  if (typeof listener !== 'function') throw typeError(`onLeak takes a function, not ${nameOf(listener)}`);
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Say that `leak`, opened at `place`, was found. */
export function reportLeak(scheduler: Scheduler, place: string, leak: Leak): void {
  scheduler.atTurnEnd(() => {
    if (listeners.size === 0) warnOnce(place, leak);
    for (const listener of [...listeners]) {
      try {
        listener(leak);
      } catch (error) {
        scheduler.report(error, undefined);
      }
    }
  });
}

function warnOnce(place: string, { kind, owner, opened }: Leak): void {
  const key = `${kind} ${place}`;
  if (warned.has(key) || warned.size === MOST_PLACES) return;
  warned.add(key);
  emitWarning(
    `${owner} has ended and left a ${kind} open, which was destroyed: close it, or release() it to hand it on`,
    {
      type: 'LeakWarning',
      code: 'TENDRIL_LEAK',
      detail: opened,
    },
  );
}
