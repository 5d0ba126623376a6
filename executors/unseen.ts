// unseen.ts: failures that nobody has looked at: kept until somebody does, and reported if nobody can any more.
//
// A future may be looked at long after its task failed, so a failure is not reported at once, as a greenlet's is. It is when the future is collected as garbage, when the executor
// shuts down, or when the process has nothing left to do, whichever comes first.
//
// What is kept here must not lead to the future, which could then never be collected.
//
// Invariant, between any two steps:
//   a failure is kept by its UnseenFailures  if and only if  it is in the set of its world

import type { Scheduler } from '../core/scheduler.ts';
import type { Future } from './future.ts';

interface Failure {
  readonly error: unknown;
  /** Where its task was submitted: an executor may be used in several worlds. */
  readonly scheduler: Scheduler;
  readonly keeper: UnseenFailures;
}

/** The failures of each world, to be reported at its end. */
const ofWorld: WeakMap<Scheduler, Set<Failure>> = new WeakMap();

function failuresOf(scheduler: Scheduler): Set<Failure> {
  const known = ofWorld.get(scheduler);
  if (known !== undefined) return known;
  const made = new Set<Failure>();
  ofWorld.set(scheduler, made);
  scheduler.driver.onQuiescent(() => {
    // Somebody may still look.
    if (scheduler.live > 0 || scheduler.runs.size > 0) return;
    for (const failure of made) failure.keeper.report(failure);
  });
  return made;
}

export class UnseenFailures {
  readonly #failures: Set<Failure> = new Set();
  readonly #byFuture: WeakMap<Future<unknown>, Failure> = new WeakMap();
  readonly #collected: FinalizationRegistry<Failure> = new FinalizationRegistry((failure) => this.report(failure));

  add(future: Future<unknown>, error: unknown, scheduler: Scheduler): void {
    const failure = { error, scheduler, keeper: this };
    this.#failures.add(failure);
    failuresOf(scheduler).add(failure);
    this.#byFuture.set(future, failure);
    this.#collected.register(future, failure, future);
  }

  /** Somebody has looked. */
  seen(future: Future<unknown>): void {
    const failure = this.#byFuture.get(future);
    if (failure === undefined || !this.#forget(failure)) return;
    this.#collected.unregister(future);
  }

  /** Nobody will look any more. */
  reportAll(): void {
    for (const failure of this.#failures) this.report(failure);
  }

  report(failure: Failure): void {
    if (this.#forget(failure)) failure.scheduler.report(failure.error, undefined);
  }

  #forget(failure: Failure): boolean {
    failuresOf(failure.scheduler).delete(failure);
    return this.#failures.delete(failure);
  }
}
