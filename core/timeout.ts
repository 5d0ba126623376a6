// timeout.ts: `timeout(ms, op)` and `deadline(atMs, op)`: give `op` a limit in time.
//
// Around one wait it is a Waitable itself: it looks first, arms a timer only if it has to wait, and on expiry takes the wait back. Around anything
// longer it is a frame: on expiry the Ops inside throw Killed, level-triggered, so that an inner catch cannot swallow it, and the Killed
// becomes TimeoutError at this boundary and nowhere else. A body that returns all the same wins.
//
// Expiry comes after the slice (scheduler.ts): what could commit by the deadline has.
// Sources: S8; trio's move_on_after and fail_after; gevent.Timeout for the identity.

import { requireOp } from './body.ts';
import { isKilled, Killed, NotInGreenletError, TimeoutError } from './errors.ts';
import { endingWait, retractExpired, waitEnded } from './giving-up.ts';
import type { Greenlet } from './greenlet.ts';
import { kernel, readyResult } from './kernel.ts';
import { describeOp } from './leaf.ts';
import type { Op, Resume, Trap, Waitable, WaitDescription } from './op.ts';
import { requireMs } from './sleep.ts';
import { DONE, LAZY, type Outcome } from './status.ts';
import type { Timer } from './timers.ts';
import { createdAround } from './unstarted.ts';
import { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';
import { WrapperFrame } from './wrapper-frame.ts';

export interface TimeoutOptions<E> {
  /** Returned on expiry, in place of the TimeoutError. */
  readonly else?: E;
}

/** A limit in time: so long from the start of the Op, or up to a point in time. What it limits keeps both parts in its own record. */
interface Limited {
  readonly ms: number;
  readonly absolute: boolean;
}

/** Is it over before anything has begun? */
function isOver({ ms, absolute }: Limited, greenlet: Greenlet): boolean {
  return absolute ? ms <= greenlet.scope.scheduler.driver.now() : ms <= 0;
}

function arm({ ms, absolute }: Limited, timer: Timer, greenlet: Greenlet): void {
  if (ms === Number.POSITIVE_INFINITY) return;
  const { timeouts } = greenlet.scope.scheduler;
  if (absolute) timeouts.armAt(timer, ms);
  else timeouts.arm(timer, ms);
}

function describeLimit({ ms, absolute }: Limited, op: string): string {
  return `${absolute ? 'deadline' : 'timeout'}(${ms}, ${op})`;
}

/** One limited wait: what is enlisted with the inner wait, and the timer, in one object. */
class TimedWait implements Waiter, Timer {
  next: Waiter | undefined = undefined;
  prev: Waiter | undefined = undefined;
  value: unknown = undefined;
  order = 0;
  slot = -1;
  readonly #waiter: Waiter;
  readonly #op: TimeoutWait<unknown, unknown>;

  constructor(waiter: Waiter, op: TimeoutWait<unknown, unknown>) {
    this.#waiter = waiter;
    this.#op = op;
  }

  owner(): Greenlet {
    return this.#waiter.owner();
  }

  fire(value: unknown, outcome: Outcome): void {
    this.owner().scope.scheduler.timeouts.cancel(this);
    this.#waiter.fire(value, outcome);
  }

  due(): void {
    endingWait();
    try {
      retractExpired(this.#op.inner, this);
      this.#op.expire(this.#waiter);
    } finally {
      waitEnded();
    }
  }
}

class TimeoutWait<T, E> extends Wait<T | E> {
  readonly inner: Wait<T>;
  readonly ms: number;
  readonly absolute: boolean;
  readonly #options: TimeoutOptions<E> | undefined;
  constructor(ms: number, absolute: boolean, inner: Wait<T>, options: TimeoutOptions<E> | undefined) {
    super();
    this.ms = ms;
    this.absolute = absolute;
    this.inner = inner;
    this.#options = options;
  }

  look(greenlet: Greenlet): boolean {
    // 0 expires at the first blocking point, even if that could complete.
    if (!isOver(this, greenlet)) return this.inner.look(greenlet);
    if (!hasElse(this.#options)) throw this.expiry();
    readyResult.value = this.#options.else;
    return true;
  }

  enlist(waiter: Waiter): void {
    const timed = new TimedWait(waiter, this);
    waiter.value = timed;
    arm(this, timed, waiter.owner());
    try {
      this.inner.enlist(timed);
    } catch (error) {
      waiter.owner().scope.scheduler.timeouts.cancel(timed);
      throw error;
    }
  }

  retract(waiter: Waiter): void {
    const timed = waiter.value as TimedWait;
    waiter.owner().scope.scheduler.timeouts.cancel(timed);
    this.inner.retract(timed);
  }

  expire(waiter: Waiter): void {
    if (hasElse(this.#options)) waiter.fire(this.#options.else, 0);
    else waiter.fire(() => this.expiry(), LAZY);
  }

  describe(): WaitDescription {
    const { op, ...rest } = this.inner.describe();
    return { op: describeLimit(this, op), ...rest };
  }

  private expiry(): TimeoutError {
    return new TimeoutError(this.ms, this, describeOp(this.inner.describe()), this.absolute);
  }
}

class TimeoutFrame extends WrapperFrame {
  readonly #op: TimeoutOp<unknown, unknown>;
  constructor(greenlet: Greenlet, op: TimeoutOp<unknown, unknown>) {
    super('timeout', greenlet);
    this.#op = op;
    this.reason = op;
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
  readonly ms: number;
  readonly absolute: boolean;
  readonly #op: Op<T>;
  readonly #options: TimeoutOptions<E> | undefined;
  #started = false;
  constructor(ms: number, absolute: boolean, op: Op<T>, options: TimeoutOptions<E> | undefined) {
    this.ms = ms;
    this.absolute = absolute;
    this.#op = op;
    this.#options = options;
  }

  [Symbol.iterator](): Iterator<Trap, T | E, Resume> {
    const me = kernel.current;
    if ((me.status & DONE) !== 0) throw new NotInGreenletError('timeout');
    const frame = new TimeoutFrame(me, this);
    frame.enter();
    if (isOver(this, me)) frame.cancel(this);
    else arm(this, frame, me);
    const started = this.#started;
    this.#started = true;
    return frame.begin(this.#op, started, 'timeout');
  }

  expired(): unknown {
    if (hasElse(this.#options)) return this.#options.else;
    throw new TimeoutError(this.ms, this, undefined, this.absolute);
  }

  /** For the message of the Killed whose reason it is. */
  toString(): string {
    return describeLimit(this, '...');
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
  return limited(requireMs(ms, 'timeout'), false, op, options, 'timeout');
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
  return limited(requireMs(atMs, 'deadline'), true, op, options, 'deadline');
}

function limited<T, E>(
  ms: number,
  absolute: boolean,
  op: Op<T>,
  options: TimeoutOptions<E> | undefined,
  taker: string,
): Op<T | E> {
  if (op instanceof Wait) return createdAround(new TimeoutWait<T, E>(ms, absolute, op, options), op);
  requireOp(op, taker);
  return createdAround(new TimeoutOp<T, E>(ms, absolute, op, options), op);
}
