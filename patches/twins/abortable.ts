// abortable.ts: a Waitable that an AbortSignal ends too: for the `signal` option of Node's functions.
//
// Not the way to end a wait in a program of greenlets, where a kill or a timeout does that: it is here because code that is moved to a twin may have a signal.
//
// Invariant: the signal has a listener of ours  if and only if  the wait is enlisted

import { Arm, type ArmGroup } from '../../core/arm.ts';
import { typeError } from '../../core/bad-argument.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import type { Waitable, WaitDescription } from '../../core/op.ts';
import { LAZY, type Outcome } from '../../core/status.ts';
import { created, used } from '../../core/unstarted.ts';
import { Wait } from '../../core/wait.ts';
import type { Waiter } from '../../core/wait-list.ts';
import { shownValue } from '../../io/address.ts';

/** What Node throws for an aborted call: AbortError with code ABORT_ERR. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

class AbortableWait<T> extends Wait<T> {
  readonly #inner: Waitable<T>;
  readonly #signal: AbortSignal;
  constructor(inner: Waitable<T>, signal: AbortSignal) {
    super();
    this.#inner = inner;
    this.#signal = signal;
  }

  look(greenlet: Greenlet): boolean {
    if (this.#signal.aborted) throw abortError(this.#signal);
    return this.#inner.look(greenlet);
  }

  enlist(waiter: Waiter): void {
    waiter.value = new Enlisted(waiter, this.#inner, this.#signal);
  }

  retract(waiter: Waiter): void {
    (waiter.value as Enlisted).retract();
  }

  describe(): WaitDescription {
    return this.#inner.describe();
  }
}

class Enlisted implements ArmGroup {
  readonly waiter: Waiter;
  readonly #arm: Arm = new Arm(this, 0);
  readonly #inner: Waitable<unknown>;
  readonly #signal: AbortSignal;
  readonly #onAbort = (): void => {
    this.retract();
    this.waiter.fire(() => abortError(this.#signal), LAZY);
    // Whoever aborts may be outside any turn, and a timer may be gone.
    this.waiter.owner().scope.scheduler.timersChanged();
  };

  constructor(waiter: Waiter, inner: Waitable<unknown>, signal: AbortSignal) {
    this.waiter = waiter;
    this.#inner = inner;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
    inner.enlist(this.#arm);
  }

  retract(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#inner.retract(this.#arm);
  }

  armFired(_arm: Arm, value: unknown, outcome: Outcome): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.waiter.fire(value, outcome);
  }
}

/** `wait`, which `signal` ends with AbortError, if there is one. @throws TypeError for a signal that is none. */
export function abortable<T>(wait: Waitable<T>, signal: unknown, where: string): Waitable<T> {
  if (signal === undefined) return wait;
  if (!(signal instanceof AbortSignal))
    throw typeError(`${where}: signal must be an AbortSignal, not ${shownValue(signal)}`);
  used(wait);
  return created(new AbortableWait(wait, signal));
}
