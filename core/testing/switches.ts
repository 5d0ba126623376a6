// switches.ts: `assertSwitches(op)` and `assertNoSwitch(op)`: does an Op let others run?
//
// Counted is what the Op does: it waits, it gives way, it hands over by a channel's preference. What the scheduler puts in is not: a greenlet whose
// budget is spent, or one that a simulation preempts, gives way at the start of an Op that would have completed at once, and the next run of the test
// would see something else.
//
// The wrapper is the iterator of the Op, so that at the first wait it can take the stack of it, by the kernel's own probe.
// Source: gevent's greentest (switch_expected), trio.testing.assert_checkpoints.

import { requireOp, startInner } from '../body.ts';
import { probe } from '../call-frames.ts';
import { isKilled, NotInGreenletError, UsageError } from '../errors.ts';
import type { Greenlet } from '../greenlet.ts';
import { kernel, PARK_RESULT, readyResult } from '../kernel.ts';
import { describeOp, READY_LEAF } from '../leaf.ts';
import { nameOf, type Op, type Resume, type Trap } from '../op.ts';
import { DONE } from '../status.ts';
import { created, used } from '../unstarted.ts';

type Runnable = Iterator<Trap, unknown, Resume>;
type Taker = 'assertSwitches' | 'assertNoSwitch';

/** The Op switched, or did not, against what was asserted. */
export class SwitchAssertionError extends UsageError {
  override readonly code: string = 'ERR_ASSERTION';
}

class SwitchCheck<T> implements Op<T> {
  readonly #taker: Taker;
  readonly #op: Op<T>;
  #started = false;
  constructor(taker: Taker, op: Op<T>) {
    this.#taker = taker;
    this.#op = op;
  }

  [Symbol.iterator](): Iterator<Trap, T, Resume> {
    const me = kernel.current;
    if ((me.status & DONE) !== 0) throw new NotInGreenletError(this.#taker);
    const started = this.#started;
    this.#started = true;
    const watch = new SwitchWatch(this.#taker, this.#op, me);
    return watch.begin(started) as Iterator<Trap, T, Resume>;
  }
}

/** The iterator of a watched Op: it forwards next, throw and return. */
class SwitchWatch implements Runnable {
  readonly #taker: Taker;
  readonly #op: Op<unknown>;
  readonly #greenlet: Greenlet;
  readonly #parks: number;
  #inner: Runnable | undefined = undefined;
  /** The first switch: what it was, and the stack from there out to the Op. */
  #seen: string | undefined = undefined;

  constructor(taker: Taker, op: Op<unknown>, greenlet: Greenlet) {
    this.#taker = taker;
    this.#op = op;
    this.#greenlet = greenlet;
    this.#parks = greenlet.parks;
  }

  begin(started: boolean): Runnable {
    let inner: Runnable;
    try {
      inner = startInner(this.#op, started, this.#taker);
    } catch (error) {
      throw this.#judged(error);
    }
    if (inner === READY_LEAF) {
      if (this.#taker === 'assertNoSwitch') return inner;
      readyResult.value = undefined;
      throw this.#failure('returned');
    }
    this.#inner = inner;
    return this;
  }

  next(token?: Resume): IteratorResult<Trap, unknown> {
    return this.#forward((inner) => inner.next(token));
  }

  throw(error: unknown): IteratorResult<Trap, unknown> {
    return this.#forward((inner) => {
      if (inner.throw === undefined) throw error;
      return inner.throw(error);
    });
  }

  // Only the scheduler closes, and nothing is asserted of what it ends by force.
  return(value?: unknown): IteratorResult<Trap, unknown> {
    return (this.#inner as Runnable).return?.(value) ?? { done: true, value };
  }

  #forward(call: (inner: Runnable) => IteratorResult<Trap, unknown>): IteratorResult<Trap, unknown> {
    const inner = this.#inner as Runnable;
    let result: IteratorResult<Trap, unknown>;
    try {
      result = call(inner);
    } catch (error) {
      throw this.#judged(error);
    }
    if (result?.done === true) {
      if (!this.#asAsserted()) throw this.#failure('returned');
    } else if (result === PARK_RESULT && this.#seen === undefined && this.#parks !== this.#greenlet.parks) {
      this.#look(inner);
    }
    return result;
  }

  /** The greenlet has just begun its first wait in the Op. */
  #look(inner: Runnable): void {
    const op = this.#greenlet.waitingOn;
    const what = op === undefined ? 'it gave way' : `it waited: ${describeOp(op.describe())}`;
    this.#seen = [what, ...probe(inner)].join('\n');
  }

  #asAsserted(): boolean {
    return (this.#greenlet.parks !== this.#parks) === (this.#taker === 'assertSwitches');
  }

  /** The error to throw for `error` of the Op: a kill goes on, anything else only if the assertion holds. */
  #judged(error: unknown): unknown {
    return isKilled(error) || this.#asAsserted() ? error : this.#failure('threw', { cause: error });
  }

  #failure(how: 'returned' | 'threw', options?: ErrorOptions): SwitchAssertionError {
    const where = `${this.#taker}: ${nameOf(this.#op)} ${how} in ${this.#greenlet.name}`;
    const message =
      this.#taker === 'assertSwitches'
        ? `${where} and had never let others run`
        : `${where} and had let others run: ${this.#seen ?? 'it waited inside a call()'}`;
    return new SwitchAssertionError(message, options);
  }
}

/**
 * Run `op`, and assert that it lets others run: that it waits, or gives way, at least once.
 *
 * Switches as `op` does. Returns its value. A kill goes on unchanged; another error of an Op that has not switched becomes the cause.
 *
 * @throws SwitchAssertionError (`ERR_ASSERTION`) if it never switched; `op` has happened all the same. @throws TypeError if `op` is no Op.
 * @see https://trio.readthedocs.io/en/stable/reference-testing.html#trio.testing.assert_checkpoints
 */
export function assertSwitches<T>(op: Op<T>): Op<T> {
  return check('assertSwitches', op);
}

/**
 * Run `op`, and assert that it never lets others run: that nothing can come between what is before it and what is after it.
 *
 * As `assertSwitches` otherwise. The error says what it waited for, and where. To forbid the wait instead, use `noBlock(op)`.
 *
 * @throws SwitchAssertionError (`ERR_ASSERTION`) if it switched; `op` has happened all the same. @throws TypeError if `op` is no Op.
 * @see https://trio.readthedocs.io/en/stable/reference-testing.html#trio.testing.assert_no_checkpoints
 */
export function assertNoSwitch<T>(op: Op<T>): Op<T> {
  return check('assertNoSwitch', op);
}

function check<T>(taker: Taker, op: Op<T>): Op<T> {
  requireOp(op, taker);
  used(op);
  return created(new SwitchCheck(taker, op));
}
