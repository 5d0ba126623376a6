// mapped.ts: a Waitable whose outcome is another one's, changed on its way: one arm, and a function of ours.
//
// For the kernel's own use only: the function runs inside `fire`, where no user code may run.

import { Arm, type ArmGroup } from './arm.ts';
import type { Greenlet } from './greenlet.ts';
import { readyResult } from './kernel.ts';
import type { WaitDescription } from './op.ts';
import { LAZY, type Outcome } from './status.ts';
import { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';

/** What an outcome becomes. `recover` returns undefined for an error that is to stay one. */
export interface Mapping<T, U> {
  value(value: T): U;
  recover(error: unknown): { readonly value: U } | undefined;
}

export class MappedWait<T, U> extends Wait<U> {
  readonly #inner: Wait<T>;
  readonly mapping: Mapping<T, U>;
  constructor(inner: Wait<T>, mapping: Mapping<T, U>) {
    super();
    this.#inner = inner;
    this.mapping = mapping;
  }

  look(greenlet: Greenlet): boolean {
    try {
      if (!this.#inner.look(greenlet)) return false;
    } catch (error) {
      const recovered = this.mapping.recover(error);
      if (recovered === undefined) throw error;
      readyResult.value = recovered.value;
      return true;
    }
    readyResult.value = this.mapping.value(readyResult.value as T);
    return true;
  }

  enlist(waiter: Waiter): void {
    const single = new SingleArm(waiter, this as unknown as MappedWait<unknown, unknown>);
    waiter.value = single;
    this.#inner.enlist(single.arm);
  }

  retract(waiter: Waiter): void {
    this.#inner.retract((waiter.value as SingleArm).arm);
  }

  describe(): WaitDescription {
    return this.#inner.describe();
  }

  override blocker(): Greenlet | undefined {
    return this.#inner.blocker();
  }
}

class SingleArm implements ArmGroup {
  readonly waiter: Waiter;
  readonly arm: Arm = new Arm(this, 0);
  readonly #wait: MappedWait<unknown, unknown>;
  constructor(waiter: Waiter, wait: MappedWait<unknown, unknown>) {
    this.waiter = waiter;
    this.#wait = wait;
  }

  armFired(_arm: Arm, value: unknown, outcome: Outcome): void {
    const { mapping } = this.#wait;
    if (outcome === 0) {
      this.waiter.fire(mapping.value(value), 0);
      return;
    }
    const error = outcome === LAZY ? (value as () => unknown)() : value;
    const recovered = mapping.recover(error);
    if (recovered !== undefined) this.waiter.fire(recovered.value, 0);
    // A lazy error is made once more, where it is thrown: its stack is the victim's.
    else this.waiter.fire(value, outcome);
  }
}
