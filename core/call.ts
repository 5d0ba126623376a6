// call.ts: `call(op)`: run `op` on a stack of its own, within the same greenlet.
//
// `yield*` re-enters every frame between the greenlet and the leaf at each resume, 14 to 30 ns a level, and overflows at some thousand levels.
// A call makes both independent of the depth: the run loop keeps the callers in a list and resumes only the top. It costs 55 to 95 ns more
// than a plain `yield*`, so it pays off for deep chains with many waits each, and for recursion.
//
// Kill goes to the top, probe visits all, close runs from the top down (step.ts).

import { typeError } from './bad-argument.ts';
import { isGenerator, requireOp } from './body.ts';
import { OpReusedError } from './errors.ts';
import { CALL_RESULT, kernel } from './kernel.ts';
import { checkStart, givesWay, LEAF } from './leaf.ts';
import { type Body, nameOf, type Op, type Resume, type Trap } from './op.ts';
import { giveWayFirst } from './sleep.ts';
import { NO_BLOCK, RUNNING, START_MASK } from './status.ts';
import { created, used } from './unstarted.ts';

/** Its first next() hands the callee to the run loop; from then on it is an ordinary leaf. */
class CallLeaf implements Iterator<Trap, unknown, Resume> {
  op: Op<unknown> | undefined = undefined;

  next(token?: Resume): IteratorResult<Trap, unknown> {
    if (token !== undefined || this.op === undefined) return LEAF.next(token);
    kernel.callee = this.op;
    this.op = undefined;
    return CALL_RESULT;
  }
  return(value?: unknown): IteratorResult<Trap, unknown> {
    return (LEAF.return as (value?: unknown) => IteratorResult<Trap, unknown>)(value);
  }
  throw(error: unknown): IteratorResult<Trap, unknown> {
    return (LEAF.throw as (error: unknown) => IteratorResult<Trap, unknown>)(error);
  }
}

const CALL_LEAF = new CallLeaf();

class CallOp<T> implements Op<T> {
  readonly #op: Op<T>;
  readonly #once: boolean;
  #started = false;
  constructor(op: Op<T>) {
    this.#op = op;
    this.#once = isGenerator(op);
  }

  [Symbol.iterator](): Iterator<Trap, T, Resume> {
    const me = kernel.current;
    if ((me.status & START_MASK) !== RUNNING) {
      const urgent = checkStart(me, () => 'call');
      if (urgent !== undefined) return urgent as Iterator<Trap, T, Resume>;
    }
    // A call that never waits must not keep others from running either. It has not been started yet when it gives way.
    if (kernel.budget === 0 && (me.status & NO_BLOCK) === 0 && givesWay(me, this)) return giveWayFirst(this);
    kernel.budget = Math.max(kernel.budget - 1, 0);
    if (this.#once && this.#started) throw new OpReusedError('call');
    this.#started = true;
    CALL_LEAF.op = this.#op;
    return CALL_LEAF as Iterator<Trap, unknown, Resume> as Iterator<Trap, T, Resume>;
  }
}

/**
 * Run `op` with a resume cost, and a depth limit, that do not grow with the number of callers.
 *
 * Switches as `op` does; a blocking point itself. The callers of an error that crosses it are in `callerFrames(error)`.
 *
 * @throws whatever `op` throws. @throws OpReusedError if a generator object is called a second time. @throws TypeError if `op` is no Op.
 */
export function call<T>(op: Op<T>): Op<T> {
  requireOp(op, 'call');
  used(op);
  return created(new CallOp(op));
}

/** A generator function's call, as a description that can be started again: each start calls it anew. */
class FnOp<A extends readonly unknown[], T> implements Op<T> {
  readonly #body: Body<A, T>;
  readonly #args: A;
  constructor(body: Body<A, T>, args: A) {
    this.#body = body;
    this.#args = args;
  }
  [Symbol.iterator](): Iterator<Trap, T, Resume> {
    return new CallOp(this.#body(...this.#args))[Symbol.iterator]();
  }
}

/**
 * Wrap a generator function so that each `yield* wrapped(...)` is a `call`: for recursion and for deep chains with many waits.
 *
 * Never switches itself. @throws TypeError if `body` is no function.
 */
export function fn<A extends readonly unknown[], T>(body: Body<A, T>): (...args: A) => Op<T> {
  if (typeof body !== 'function') throw typeError(`fn takes a generator function, not ${nameOf(body)}`);
  return (...args) => created(new FnOp(body, args));
}
