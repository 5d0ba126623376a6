// sleep.ts: giving way and waiting for time.
//
// sleep(0) and yieldNow() are one thing: the greenlet goes to the end of the run queue. It has not happened until it runs again, so a kill
// in between makes it throw. As an arm of a select it is a timer of no delay.

import { typeError } from './bad-argument.ts';
import { kernel } from './kernel.ts';
import { giveWay, start } from './leaf.ts';
import { nameOf, type Op, type Resume, type Trap, type Waitable, type WaitDescription } from './op.ts';
import { READY, RUNNING, START_MASK, STATE, YIELDED } from './status.ts';
import type { Timer } from './timers.ts';
import { created, createdOrShared } from './unstarted.ts';
import { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';

class SleepTimer implements Timer {
  order = 0;
  slot = -1;
  readonly #waiter: Waiter;
  constructor(waiter: Waiter) {
    this.#waiter = waiter;
  }
  due(): void {
    this.#waiter.fire(undefined, 0);
  }
}

class Sleep extends Wait<void> {
  readonly #ms: number;
  /** `#ms` is a point in time, not a delay. */
  readonly #absolute: boolean;
  constructor(ms: number, absolute: boolean) {
    super();
    this.#ms = ms;
    this.#absolute = absolute;
  }

  look(): boolean {
    return false;
  }

  enlist(waiter: Waiter): void {
    const greenlet = waiter.owner();
    const { scheduler } = greenlet.scope;
    const nowMs = this.#absolute ? scheduler.driver.now() : 0;
    if (waiter === greenlet && this.#ms <= nowMs) {
      greenlet.status = (greenlet.status & ~STATE) | READY | YIELDED;
      greenlet.waitingOn = undefined;
      scheduler.enqueue(greenlet);
      return;
    }
    const timer = new SleepTimer(waiter);
    waiter.value = timer;
    if (this.#ms === Number.POSITIVE_INFINITY) return;
    if (this.#absolute) scheduler.sleepers.armAt(timer, this.#ms);
    else scheduler.sleepers.arm(timer, Math.max(this.#ms, 0));
  }

  retract(waiter: Waiter): void {
    waiter.owner().scope.scheduler.sleepers.cancel(waiter.value as SleepTimer);
  }

  describe(): WaitDescription {
    return { op: this.#absolute ? `sleepUntil(${this.#ms})` : `sleep(${this.#ms})` };
  }
}

/** `sleep(0)`, with a start of its own (leaf.ts says why). */
class Yield extends Sleep {
  constructor() {
    super(0, false);
  }
  override [Symbol.iterator](): Iterator<Trap, void, Resume> {
    const me = kernel.current;
    const plain = (me.status & START_MASK) === RUNNING && kernel.budget !== 0;
    return (plain ? giveWay(me) : start(this)) as Iterator<Trap, void, Resume>;
  }
}

const YIELD: Waitable<void> = new Yield();

/**
 * Wait `ms` milliseconds, or a little longer; never less.
 *
 * Always switches. 0 and less give way once; Infinity waits until killed.
 *
 * @throws TypeError if `ms` is no number or NaN. @throws Killed if the greenlet is killed while it sleeps.
 */
export function sleep(ms: number): Waitable<void> {
  if (ms === 0) return yieldNow();
  return created(new Sleep(requireMs(ms, 'sleep'), false));
}

/** Wait until `now()` has reached `deadlineMs`. As `sleep` otherwise. */
export function sleepUntil(deadlineMs: number): Waitable<void> {
  return created(new Sleep(requireMs(deadlineMs, 'sleepUntil'), true));
}

/** Let everybody who is runnable now run once. Always switches. @throws Killed if the greenlet is killed meanwhile. */
export function yieldNow(): Waitable<void> {
  return createdOrShared(YIELD, () => new Yield());
}

/** Check a duration. @throws TypeError if it is no number or NaN. */
export function requireMs(ms: unknown, where: string): number {
  if (typeof ms !== 'number' || Number.isNaN(ms))
    throw typeError(`${where} takes milliseconds as a number, not ${nameOf(ms)}`);
  return ms;
}

/** Start `op` after everybody else has had a turn: for starts that use up budget and are no wait. */
export function* giveWayFirst<T>(op: Op<T>): Generator<Trap, T, Resume> {
  yield* YIELD;
  // It has given way once; with a full budget it is not asked again.
  kernel.budget = Math.max(kernel.budget, 1);
  return yield* op;
}
