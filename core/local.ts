// local.ts: a variable with a value of its own in each greenlet.
//
// A value lives as long as both its greenlet and its Local do: it is freed when the greenlet ends, also if the greenlet's record is kept. Children
// do not inherit: each greenlet begins with `init()`. What should follow a request through its children is AsyncLocalStorage's job.
// Coroutines of one greenlet share its values; kills, timeouts and switches do not touch them.
// Sources: threading.local, gevent.local.

import { typeError } from './bad-argument.ts';
import { requireCaller } from './hold.ts';
import { nameOf } from './op.ts';

export interface LocalOptions {
  /** Shown in errors. */
  readonly name?: string | undefined;
}

export class Local<T> {
  readonly name: string | undefined;
  readonly #init: () => T;
  readonly #values: WeakMap<object, T> = new WeakMap();

  /** @param init gives a greenlet its value when it first asks. @throws TypeError if it is no function. */
  constructor(init: () => T, options: LocalOptions = {}) {
    if (typeof init !== 'function')
      throw typeError(`Local takes a function that makes the first value, not ${nameOf(init)}`);
    this.#init = init;
    this.name = options.name;
  }

  /**
   * The current greenlet's value; `init()` if it has none yet. Never switches.
   *
   * @throws NotInGreenletError in ordinary code. @throws what `init` throws; then there is no value, and the next `get` calls it again.
   */
  get(): T {
    const key = this.#key('get');
    const value = this.#values.get(key);
    if (value !== undefined || this.#values.has(key)) return value as T;
    const first = this.#init();
    this.#values.set(key, first);
    return first;
  }

  /** Set the current greenlet's value. Never switches. @throws NotInGreenletError in ordinary code. */
  set(value: T): void {
    this.#values.set(this.#key('set'), value);
  }

  /** Has the current greenlet a value, from `set` or an earlier `get`? Never switches. @throws NotInGreenletError in ordinary code. */
  has(): boolean {
    return this.#values.has(this.#key('has'));
  }

  /** Drop the current greenlet's value: the next `get` calls `init` again. True if there was one. @throws NotInGreenletError in ordinary code. */
  delete(): boolean {
    return this.#values.delete(this.#key('delete'));
  }

  #key(op: string): object {
    const side = requireCaller(this.name === undefined ? `${op} of a Local` : `${op} of Local ${this.name}`).rare();
    side.localsKey ??= {};
    return side.localsKey;
  }
}
