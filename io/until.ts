// until.ts: waiting for a promise.
//
// A promise cannot be taken back: a kill or a timeout ends the wait at once, and what the promise brings later is dropped and counted as an
// orphan (S6). A function is given an AbortSignal instead, which aborts when the wait ends early.

import { typeError } from '../core/bad-argument.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { requireScheduler } from '../core/kernel.ts';
import { nameOf, type Waitable, type WaitDescription } from '../core/op.ts';
import { created } from '../core/unstarted.ts';
import { checkOptions, own } from './address.ts';

// Taken at load: patches never reach us.
const { then } = Promise.prototype;
const ignore = (): void => {};

type Source<T> = PromiseLike<T> | ((signal: AbortSignal) => PromiseLike<T>);

export interface UntilOptions<T> {
  /** Called with the value if it comes when nobody waits any more: close or release what would be lost. Outside every greenlet; what it throws is reported to the hub. */
  readonly late?: ((value: T) => void) | undefined;
}

/** The wait for a promise, whoever makes it. */
abstract class Until<T> extends ExternalWait<T> {
  readonly #late: ((value: T) => void) | undefined;
  constructor(late: ((value: T) => void) | undefined) {
    super();
    this.#late = late;
  }
  protected override orphaned(value: T): void {
    const late = this.#late;
    // The code of users runs at the end of a turn, not inside the host's callback.
    if (late !== undefined) requireScheduler().atTurnEnd(() => late(value));
  }
}

class UntilPromise<T> extends Until<T> {
  readonly #promise: PromiseLike<T>;
  constructor(promise: PromiseLike<T>, late: ((value: T) => void) | undefined) {
    super(late);
    this.#promise = promise;
    // Whoever makes this Op means to wait, but it may start a turn later: until then a rejection is no unhandled one. Not by the promise's own
    // `then`: to some (queries of databases) that is the order to begin, and twice would be two of them.
    if (promise instanceof Promise) then.call(promise, undefined, ignore);
  }
  protected begin(ticket: Ticket<T>): void {
    follow(this.#promise, ticket);
  }
  describe(): WaitDescription {
    return { op: 'until', object: 'a promise' };
  }
}

class UntilCall<T> extends Until<T> {
  readonly #make: (signal: AbortSignal) => PromiseLike<T>;
  constructor(make: (signal: AbortSignal) => PromiseLike<T>, late: ((value: T) => void) | undefined) {
    super(late);
    this.#make = make;
  }
  protected begin(ticket: Ticket<T>): void {
    const controller = new AbortController();
    ticket.onRetract = () => controller.abort();
    const promise: unknown = this.#make(controller.signal);
    if (!isThenable(promise)) throw typeError(`the function given to until returned ${nameOf(promise)}, not a promise`);
    follow(promise as PromiseLike<T>, ticket);
  }
  describe(): WaitDescription {
    return { op: 'until', object: this.#make.name === '' ? 'a promise' : `the promise of ${this.#make.name}` };
  }
}

// Both handlers are attached at once, so that a rejection is never reported as unhandled although nobody waits any more.
function follow<T>(promise: PromiseLike<T>, ticket: Ticket<T>): void {
  promise.then(
    (value) => {
      ticket.resolve(value);
      ticket.soon();
    },
    (error) => {
      ticket.reject(error);
      ticket.soon();
    },
  );
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as PromiseLike<unknown>).then === 'function'
  );
}

/**
 * Wait for a promise, or for the one that a function makes when the wait starts.
 *
 * Always switches. The function is given an AbortSignal that aborts if the wait ends early (a kill, a timeout, another arm of a select). If it throws
 * Killed or TimeoutError, the promise itself goes on; its result is dropped, or given to `late`.
 *
 * @throws what the promise rejects with, or the function throws. @throws TypeError if there is no promise, or for bad options.
 */
export function until<T>(source: Source<T>, options?: UntilOptions<T>): Waitable<T> {
  const late = options === undefined ? undefined : own<UntilOptions<T>['late']>(checkOptions(options, 'until'), 'late');
  if (late !== undefined && typeof late !== 'function')
    throw typeError(`until: late must be a function, not ${nameOf(late)}`);
  if (typeof source === 'function' && !isThenable(source)) return created(new UntilCall(source, late));
  if (isThenable(source)) return created(new UntilPromise(source as PromiseLike<T>, late));
  throw typeError(`until takes a promise or a function that makes one, not ${nameOf(source)}`);
}
