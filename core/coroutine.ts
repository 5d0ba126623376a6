// coroutine.ts: the raw greenlet: symmetric transfer of control between generators that share one green thread.
//
// `switch` suspends the coroutine that runs and resumes another one, in the same greenlet and at once: the scheduler is not asked. It is the same trap as
// `call`: the run loop exchanges the stack that it drives. When a coroutine returns or throws, its parent goes on with the value or the error.
//
// A kill, a timeout, a wait concern the greenlet as a whole, that is, whichever coroutine runs. Coroutines that are suspended when their greenlet
// ends, and are no parent of the one that ran, are left where they are: their finally blocks do not run.
//
// Invariants, between any two steps:
//   the coroutine in side.coroutine is the one that runs; its own iterator and callers are in the greenlet's record
//   a coroutine that is dead has no iterator; one that has not started has none either
// Source: greenlet (switch, throw, parent, dead).

import { typeError } from './bad-argument.ts';
import { callBody } from './body.ts';
import { BusyError, NotInGreenletError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { kernel, SWITCH_RESULT, WAKE } from './kernel.ts';
import { checkStart, givesWay, LEAF } from './leaf.ts';
import type { Op, Resume, Trap } from './op.ts';
import { giveWayFirst } from './sleep.ts';
import { CALLING, DONE, FAILED, NO_BLOCK, READY, RUNNING, START_MASK, STATE } from './status.ts';
import { created } from './unstarted.ts';

type Runnable = Iterator<Trap, unknown, Resume>;

/** A change of coroutine that the run loop has to make. */
export interface Transfer {
  readonly target: Coroutine;
  readonly value: unknown;
  readonly failed: boolean;
}

/** The raw greenlet: one of several stacks that take turns in one green thread. */
export class Coroutine {
  readonly #body: (first: never) => Op<unknown>;
  #parent: Coroutine | undefined;
  protected state: 'new' | 'started' | 'dead' = 'new';
  /** The greenlet whose coroutine this is, from its first switch on. @internal */
  greenlet: Greenlet | undefined = undefined;
  /** @internal */ iterator: Runnable | undefined = undefined;
  /** @internal */ callers: Runnable[] | undefined = undefined;

  /**
   * Make a coroutine that has not started. The first `switch(value)` calls `body(value)`.
   *
   * Never switches. Its parent is the coroutine that makes it, unless another one is given.
   *
   * @throws TypeError if `body` is no function.
   */
  constructor(body: (first: never) => Op<unknown>, parent?: Coroutine | null) {
    if (typeof body !== 'function') throw typeError('a coroutine takes a generator function');
    this.#body = body;
    if (parent !== undefined) this.#parent = parent ?? undefined;
    else if ((kernel.current.status & DONE) === 0) this.#parent = Coroutine.current();
  }

  /** The coroutine that runs. @throws NotInGreenletError outside greenlets. */
  static current(): Coroutine {
    const me = kernel.current;
    if ((me.status & DONE) !== 0) throw new NotInGreenletError('Coroutine.current()');
    return runningCoroutine(me);
  }

  /** Has it ended? */
  get dead(): boolean {
    return this.state === 'dead';
  }

  /** Where its value or its error goes. */
  get parent(): Coroutine | undefined {
    return this.#parent;
  }

  /**
   * Suspend the coroutine that runs and resume this one with `value`; returns what is switched back.
   *
   * Switches between coroutines, not between greenlets. A dead one hands `value` on to its parent.
   *
   * @throws the error that is thrown, or left uncaught by a child, while we are suspended. @throws BusyError if it belongs to another greenlet.
   * @see https://greenlet.readthedocs.io/en/latest/switching.html
   */
  switch(value?: unknown): Op<unknown> {
    return created(new SwitchOp({ target: this, value, failed: false }));
  }

  /** As `switch`, but this coroutine throws `error` where it is suspended. One that has not started is dead then, and its parent gets the error. */
  throw(error: unknown): Op<unknown> {
    return created(new SwitchOp({ target: this, value: error, failed: true }));
  }

  /** @internal */
  bind(greenlet: Greenlet): void {
    if (this.greenlet === greenlet) return;
    if (this.greenlet !== undefined) {
      throw new BusyError(
        `a coroutine of ${this.greenlet.name} was switched to from ${greenlet.name}: all coroutines of a family share one greenlet`,
      );
    }
    const parent = this.#parent ?? runningCoroutine(greenlet);
    parent.bind(greenlet);
    this.#parent = parent;
    this.greenlet = greenlet;
  }

  /** Start, or go on, with a value; returns how to resume the iterator that is in place then. @internal */
  enter(greenlet: Greenlet, value: unknown, failed: boolean): (iterator: Runnable) => IteratorResult<Trap, unknown> {
    if (this.state === 'new') {
      if (failed) {
        this.state = 'dead';
        throw value;
      }
      this.state = 'started';
      greenlet.iterator = callBody(this.#body, [value], 'Coroutine');
      return (iterator) => iterator.next(undefined);
    }
    greenlet.iterator = this.iterator;
    greenlet.status = (greenlet.status & ~STATE) | READY | (failed ? FAILED : 0);
    greenlet.value = value;
    this.iterator = undefined;
    return (iterator) => iterator.next(WAKE);
  }

  /** @internal */
  end(): void {
    this.state = 'dead';
    this.iterator = undefined;
    this.callers = undefined;
  }
}

/** The coroutine that a greenlet began with: it is running already, and has no parent. */
class MainCoroutine extends Coroutine {
  constructor(greenlet: Greenlet) {
    super(notCalled, null);
    this.state = 'started';
    this.greenlet = greenlet;
  }
}

/* v8 ignore next -- a main coroutine runs already: nobody calls its body */
function* notCalled(): Generator<never, void> {}

function runningCoroutine(greenlet: Greenlet): Coroutine {
  const side = greenlet.rare();
  side.coroutine ??= new MainCoroutine(greenlet);
  return side.coroutine;
}

/** Put `target`, or the nearest ancestor of it that is not dead, in the place of the coroutine that runs. */
export function enterCoroutine(
  greenlet: Greenlet,
  { target, value, failed }: Transfer,
): (iterator: Runnable) => IteratorResult<Trap, unknown> {
  const from = runningCoroutine(greenlet);
  const side = greenlet.rare();
  let to = target;
  // The main coroutine, at the end of every chain, is not dead while its greenlet lives.
  while (to.dead) to = to.parent as Coroutine;
  if (!from.dead) {
    from.iterator = greenlet.iterator;
    from.callers = side.callers;
  }
  side.coroutine = to;
  side.callers = to.callers;
  to.callers = undefined;
  greenlet.status =
    (greenlet.status & ~(STATE | CALLING)) |
    RUNNING |
    (side.callers === undefined || side.callers.length === 0 ? 0 : CALLING);
  return to.enter(greenlet, value, failed);
}

/** The coroutine that runs has ended: the parent that goes on, or undefined if it was the greenlet's own. */
export function leaveCoroutine(greenlet: Greenlet): Coroutine | undefined {
  const ended = greenlet.side?.coroutine;
  if (ended === undefined || ended instanceof MainCoroutine) return undefined;
  ended.end();
  return ended.parent;
}

/** The iterators of the ancestors of the coroutine that runs, outermost first: what has to be closed with it. */
export function suspendedParents(greenlet: Greenlet): Runnable[] {
  const found: Runnable[] = [];
  for (let parent = greenlet.side?.coroutine?.parent; parent !== undefined; parent = parent.parent) {
    found.unshift(...(parent.callers ?? []), ...(parent.iterator === undefined ? [] : [parent.iterator]));
  }
  return found;
}

/** Its first next() hands the transfer to the run loop; from then on it is an ordinary leaf. */
class SwitchLeaf implements Iterator<Trap, unknown, Resume> {
  transfer: Transfer | undefined = undefined;

  next(token?: Resume): IteratorResult<Trap, unknown> {
    if (token !== undefined || this.transfer === undefined) return LEAF.next(token);
    kernel.transfer = this.transfer;
    this.transfer = undefined;
    return SWITCH_RESULT;
  }
  return(value?: unknown): IteratorResult<Trap, unknown> {
    return (LEAF.return as (value?: unknown) => IteratorResult<Trap, unknown>)(value);
  }
  throw(error: unknown): IteratorResult<Trap, unknown> {
    return (LEAF.throw as (error: unknown) => IteratorResult<Trap, unknown>)(error);
  }
}

const SWITCH_LEAF = new SwitchLeaf();

class SwitchOp implements Op<unknown> {
  readonly #transfer: Transfer;
  constructor(transfer: Transfer) {
    this.#transfer = transfer;
  }

  [Symbol.iterator](): Iterator<Trap, unknown, Resume> {
    const me = kernel.current;
    if ((me.status & START_MASK) !== RUNNING) {
      const urgent = checkStart(me, () => 'switch');
      if (urgent !== undefined) return urgent;
    }
    // As in call(): a switch that never waits must not keep other greenlets from running.
    if (kernel.budget === 0 && (me.status & NO_BLOCK) === 0 && givesWay(me, this)) return giveWayFirst(this);
    kernel.budget = Math.max(kernel.budget - 1, 0);
    this.#transfer.target.bind(me);
    SWITCH_LEAF.transfer = this.#transfer;
    return SWITCH_LEAF;
  }
}
