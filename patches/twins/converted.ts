// converted.ts: a Waitable whose value is another one's, made into something else on its way.
//
// Not core's MappedWait, which also looks at errors: those that get their stack where they are thrown would get it from the callback that brought them.
//
// The function runs where the value is committed, inside a callback of Node: it must not throw, and it runs no code of users.

import { Arm, type ArmGroup } from '../../core/arm.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { readyResult } from '../../core/kernel.ts';
import type { Waitable, WaitDescription } from '../../core/op.ts';
import type { Outcome } from '../../core/status.ts';
import { created, used } from '../../core/unstarted.ts';
import { Wait } from '../../core/wait.ts';
import type { Waiter } from '../../core/wait-list.ts';

type Convert = (value: unknown) => unknown;

class ConvertedWait<T> extends Wait<T> {
  readonly #inner: Waitable<unknown>;
  readonly #convert: Convert;
  constructor(inner: Waitable<unknown>, convert: Convert) {
    super();
    this.#inner = inner;
    this.#convert = convert;
  }

  look(greenlet: Greenlet): boolean {
    if (!this.#inner.look(greenlet)) return false;
    readyResult.value = this.#convert(readyResult.value);
    return true;
  }

  enlist(waiter: Waiter): void {
    const enlisted = new Enlisted(waiter, this.#convert);
    waiter.value = enlisted;
    this.#inner.enlist(enlisted.arm);
  }

  retract(waiter: Waiter): void {
    this.#inner.retract((waiter.value as Enlisted).arm);
  }

  describe(): WaitDescription {
    return this.#inner.describe();
  }
}

class Enlisted implements ArmGroup {
  readonly waiter: Waiter;
  readonly arm: Arm = new Arm(this, 0);
  readonly #convert: Convert;
  constructor(waiter: Waiter, convert: Convert) {
    this.waiter = waiter;
    this.#convert = convert;
  }

  armFired(_arm: Arm, value: unknown, outcome: Outcome): void {
    this.waiter.fire(outcome === 0 ? this.#convert(value) : value, outcome);
  }
}

/** Wait as `inner` does, and return what `convert` makes of its value. */
export function converted<T, U>(inner: Waitable<T>, convert: (value: T) => U): Waitable<U> {
  used(inner);
  return created(new ConvertedWait<U>(inner, convert as Convert));
}
