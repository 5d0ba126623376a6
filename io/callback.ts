// callback.ts: waiting for a Node-style callback: `done(error, value)`.
//
// The call starts when the wait does. Node offers no way to take it back: after a kill or a timeout a late result is dropped and counted as an
// orphan (S6). A second call of `done` is ignored.

import { typeError } from '../core/bad-argument.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { nameOf, type Waitable, type WaitDescription } from '../core/op.ts';
import { created } from '../core/unstarted.ts';

/** An error-first callback. */
export type Done<T> = (error?: unknown, value?: T) => void;

class CallbackWait<T> extends ExternalWait<T> {
  readonly #start: (done: Done<T>) => unknown;
  constructor(start: (done: Done<T>) => unknown) {
    super();
    this.#start = start;
  }
  protected begin(ticket: Ticket<T>): void {
    this.#start((error, value) => {
      if (error === null || error === undefined) ticket.resolve(value as T);
      else ticket.reject(error);
    });
  }
  describe(): WaitDescription {
    return { op: 'callback', object: this.#start.name === '' ? 'a callback' : `the callback of ${this.#start.name}` };
  }
}

/**
 * Call `start(done)` and wait until `done(error, value)` is called: `yield* callback((done) => fs.stat(path, done))`.
 *
 * Switches. Returns the first value after the error. If it throws Killed or TimeoutError, what was started goes on; its result is dropped.
 *
 * @throws the error that `done` is given, or what `start` throws. @throws TypeError if `start` is no function.
 */
export function callback<T>(start: (done: Done<T>) => unknown): Waitable<T> {
  if (typeof start !== 'function') throw typeError(`callback takes a function of done, not ${nameOf(start)}`);
  return created(new CallbackWait(start));
}
