// async-result.ts: a value, or an error, that is set once and that any number of greenlets wait for.
//
// Invariant: somebody waits  implies  it is not set.
// Source: gevent.event.AsyncResult.

import { ResultSetError } from './errors.ts';
import { readyResult } from './kernel.ts';
import type { Waitable, WaitDescription } from './op.ts';
import { FAILED } from './status.ts';
import { created } from './unstarted.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

/** A value or an error that is set once and waited for by any number of greenlets. */
export class AsyncResult<T> {
  readonly name: string | undefined;
  #state: 'pending' | 'value' | 'error' = 'pending';
  #content: unknown = undefined;
  readonly #waiters: WaitList = new WaitList();

  constructor(options: { readonly name?: string | undefined } = {}) {
    this.name = options.name;
  }

  /** Has it been set? */
  get ready(): boolean {
    return this.#state !== 'pending';
  }

  /** Set the value and wake all who wait. Never switches. @throws ResultSetError if it was set before. */
  set(value: T): void {
    this.settle('value', value);
  }

  /** Set an error, which every `get` throws. Never switches. @throws ResultSetError if it was set before. */
  setError(error: unknown): void {
    this.settle('error', error);
  }

  /** Wait for the value. Switches only if it is not set. @throws the error that was set; Killed if killed while waiting. */
  get(): Waitable<T> {
    return created(new ResultWait<T>(this, true));
  }

  /** Wait until it is set, to a value or an error. @throws Killed if killed while waiting. */
  wait(): Waitable<void> {
    return created(new ResultWait<void>(this, false));
  }

  private settle(state: 'value' | 'error', content: unknown): void {
    if (this.#state !== 'pending') throw new ResultSetError(this.label());
    this.#state = state;
    this.#content = content;
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      if (waiter.value === true) waiter.fire(content, state === 'value' ? 0 : FAILED);
      else waiter.fire(undefined, 0);
    }
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a result' : `result ${this.name}`;
  }

  /** @internal */
  look(wantsContent: boolean): boolean {
    if (this.#state === 'pending') return false;
    if (wantsContent && this.#state === 'error') throw this.#content;
    readyResult.value = wantsContent ? this.#content : undefined;
    return true;
  }

  /** @internal */
  get waiters(): WaitList {
    return this.#waiters;
  }
}

class ResultWait<T> extends Wait<T> {
  readonly #result: Pick<AsyncResult<never>, 'look' | 'waiters' | 'label'>;
  readonly #wantsContent: boolean;
  constructor(result: Pick<AsyncResult<never>, 'look' | 'waiters' | 'label'>, wantsContent: boolean) {
    super();
    this.#result = result;
    this.#wantsContent = wantsContent;
  }
  look(): boolean {
    return this.#result.look(this.#wantsContent);
  }
  enlist(waiter: Waiter): void {
    waiter.value = this.#wantsContent;
    this.#result.waiters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#result.waiters.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: this.#wantsContent ? 'get' : 'wait', object: this.#result.label() };
  }
}
