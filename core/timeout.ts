// timeout.ts: `timeout(ms, op)` and `deadline(atMs, op)`: give `op` a limit in time.
//
// Around one wait it is a Waitable itself: it looks first, arms a timer only if it has to wait, and on expiry takes the wait back. Around anything
// longer it is a frame: on expiry the Ops inside throw Killed, level-triggered, so that an inner catch cannot swallow it, and the Killed
// becomes TimeoutError at this boundary and nowhere else. A body that returns all the same wins.
//
// Expiry comes after the slice (scheduler.ts): what could commit by the deadline has.
// Sources: S8; trio's move_on_after and fail_after; gevent.Timeout for the identity.

import { Arm, type ArmGroup } from './arm.ts';
import { requireOp } from './body.ts';
import { isKilled, Killed, NotInGreenletError, TimeoutError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { kernel, readyResult } from './kernel.ts';
import { describeOp } from './leaf.ts';
import type { Op, Resume, Trap, Waitable, WaitDescription } from './op.ts';
import { requireMs } from './sleep.ts';
import { DONE, LAZY, type Outcome } from './status.ts';
import type { Timer } from './timers.ts';
import { created, used } from './unstarted.ts';
import { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';
import { WrapperFrame } from './wrapper-frame.ts';

export interface TimeoutOptions<E> {
  /** Returned on expiry, in place of the TimeoutError. */
  readonly else?: E;
}

/** How long, from a start or to a point in time. */
class Limit {
  readonly #ms: number;
  readonly #absolute: boolean;
  constructor(ms: number, absolute: boolean) {
    this.#ms = ms;
    this.#absolute = absolute;
  }

  /** Is it over before anything has begun? */
  isOver(greenlet: Greenlet): boolean {
    return this.#absolute ? this.#ms <= greenlet.scope.scheduler.driver.now() : this.#ms <= 0;
  }

  arm(timer: Timer, greenlet: Greenlet): void {
    const { timeouts } = greenlet.scope.scheduler;
    if (this.#ms === Number.POSITIVE_INFINITY) return;
    if (this.#absolute) timeouts.armAt(timer, this.#ms);
    else timeouts.arm(timer, this.#ms);
  }

  error(timeout: object, what?: string): TimeoutError {
    return new TimeoutError(this.#ms, timeout, what, this.#absolute);
  }

  describe(op: string): string {
    return `${this.#absolute ? 'deadline' : 'timeout'}(${this.#ms}, ${op})`;
  }
}

/** One limited wait: the arm's group and the timer in one. */
class TimedWait implements ArmGroup, Timer {
  deadlineMs = 0;
  order = 0;
  slot = -1;
  readonly waiter: Waiter;
  readonly arm: Arm;
  readonly #op: TimeoutWait<unknown, unknown>;

  constructor(waiter: Waiter, op: TimeoutWait<unknown, unknown>) {
    this.waiter = waiter;
    this.arm = new Arm(this, 0);
    this.#op = op;
  }

  armFired(_arm: Arm, value: unknown, outcome: Outcome): void {
    this.waiter.owner().scope.scheduler.timeouts.cancel(this);
    this.waiter.fire(value, outcome);
  }

  due(): void {
    this.#op.inner.retract(this.arm);
    this.#op.expire(this.waiter);
  }
}

class TimeoutWait<T, E> extends Wait<T | E> {
  readonly inner: Wait<T>;
  readonly #limit: Limit;
  readonly #options: TimeoutOptions<E> | undefined;
  constructor(limit: Limit, inner: Wait<T>, options: TimeoutOptions<E> | undefined) {
    super();
    this.#limit = limit;
    this.inner = inner;
    this.#options = options;
  }

  look(greenlet: Greenlet): boolean {
    // 0 expires at the first blocking point, even if that could complete.
    if (!this.#limit.isOver(greenlet)) return this.inner.look(greenlet);
    if (!hasElse(this.#options)) throw this.#error();
    readyResult.value = this.#options.else;
    return true;
  }

  enlist(waiter: Waiter): void {
    const timed = new TimedWait(waiter, this);
    waiter.value = timed;
    this.#limit.arm(timed, waiter.owner());
    try {
      this.inner.enlist(timed.arm);
    } catch (error) {
      waiter.owner().scope.scheduler.timeouts.cancel(timed);
      throw error;
    }
  }

  retract(waiter: Waiter): void {
    const timed = waiter.value as TimedWait;
    waiter.owner().scope.scheduler.timeouts.cancel(timed);
    this.inner.retract(timed.arm);
  }

  expire(waiter: Waiter): void {
    if (hasElse(this.#options)) waiter.fire(this.#options.else, 0);
    else waiter.fire(() => this.#error(), LAZY);
  }

  describe(): WaitDescription {
    const { op, ...rest } = this.inner.describe();
    return { op: this.#limit.describe(op), ...rest };
  }

  #error(): TimeoutError {
    return this.#limit.error(this, describeOp(this.inner.describe()));
  }
}

class TimeoutFrame extends WrapperFrame {
  readonly #op: TimeoutOp<unknown, unknown>;
  constructor(greenlet: Greenlet, op: TimeoutOp<unknown, unknown>) {
    super('timeout', greenlet);
    this.#op = op;
    this.reason = op;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  protected override failed(error: unknown): unknown {
    if (!isKilled(error) || error.frame !== this) throw error;
    const outer = this.greenlet.side?.interrupt;
    // The outermost cancellation wins: ours is of no interest to a greenlet that is being killed.
    if (outer !== undefined) throw new Killed(outer, outer.reason);
    return this.#op.expired();
  }
}

class TimeoutOp<T, E> implements Op<T | E> {
  readonly #limit: Limit;
  readonly #op: Op<T>;
  readonly #options: TimeoutOptions<E> | undefined;
  #started = false;
  constructor(limit: Limit, op: Op<T>, options: TimeoutOptions<E> | undefined) {
    this.#limit = limit;
    this.#op = op;
    this.#options = options;
  }

  [Symbol.iterator](): Iterator<Trap, T | E, Resume> {
    const me = kernel.current;
    if ((me.status & DONE) !== 0) throw new NotInGreenletError('timeout');
    const frame = new TimeoutFrame(me, this);
    frame.enter();
    if (this.#limit.isOver(me)) frame.cancel(this);
    else this.#limit.arm(frame, me);
    const started = this.#started;
    this.#started = true;
    return frame.begin(this.#op, started, 'timeout');
  }

  expired(): unknown {
    if (hasElse(this.#options)) return this.#options.else;
    throw this.#limit.error(this);
  }

  /** For the message of the Killed whose reason it is. */
  toString(): string {
    return this.#limit.describe('...');
  }
}

function hasElse<E>(options: TimeoutOptions<E> | undefined): options is { readonly else: E } {
  return options !== undefined && Object.hasOwn(options, 'else');
}

/**
 * Run `op`, but for no longer than `ms` milliseconds from its start.
 *
 * Switches as `op` does. On expiry it throws TimeoutError, or returns `options.else` if there is one. If `op` is a Waitable so is the result, and a
 * TimeoutError says that it did not happen. 0 and less expire at the first blocking point; Infinity is no limit.
 *
 * @throws TimeoutError whose `timeout` is the very Op that this call returns. @throws TypeError if `ms` is no number or `op` no Op.
 * @throws Killed if the greenlet is killed, or an outer timeout expired.
 * @see https://trio.readthedocs.io/en/stable/reference-core.html#trio.fail_after
 */
export function timeout<T>(ms: number, op: Waitable<T>): Waitable<T>;
export function timeout<T, E>(ms: number, op: Waitable<T>, options: { readonly else: E }): Waitable<T | E>;
export function timeout<T>(ms: number, op: Op<T>): Op<T>;
export function timeout<T, E>(ms: number, op: Op<T>, options: { readonly else: E }): Op<T | E>;
export function timeout<T, E>(ms: number, op: Op<T>, options?: TimeoutOptions<E>): Op<T | E> {
  return limited(new Limit(requireMs(ms, 'timeout'), false), op, options, 'timeout');
}

/**
 * Run `op`, but not beyond `atMs` of `now()`. As `timeout` otherwise: a deadline that has passed expires at the first blocking point.
 *
 * @see https://trio.readthedocs.io/en/stable/reference-core.html#trio.fail_at
 */
export function deadline<T>(atMs: number, op: Waitable<T>): Waitable<T>;
export function deadline<T, E>(atMs: number, op: Waitable<T>, options: { readonly else: E }): Waitable<T | E>;
export function deadline<T>(atMs: number, op: Op<T>): Op<T>;
export function deadline<T, E>(atMs: number, op: Op<T>, options: { readonly else: E }): Op<T | E>;
export function deadline<T, E>(atMs: number, op: Op<T>, options?: TimeoutOptions<E>): Op<T | E> {
  return limited(new Limit(requireMs(atMs, 'deadline'), true), op, options, 'deadline');
}

function limited<T, E>(limit: Limit, op: Op<T>, options: TimeoutOptions<E> | undefined, taker: string): Op<T | E> {
  requireOp(op, taker);
  used(op);
  return created(
    op instanceof Wait ? new TimeoutWait<T, E>(limit, op, options) : new TimeoutOp<T, E>(limit, op, options),
  );
}
