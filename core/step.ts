// step.ts: one step of one greenlet: resume it, then see how it came back.
//
// A step ends in five ways: parked or queued (the usual one), done, thrown, or with a CALL, where the callee takes the caller's
// place at once and hands its result back through the caller's leaf as a wake, or with a SWITCH to another coroutine. Anything else is a foreign yield, and is thrown back in.
//
// `resume` is the hot path and must stay small. Errors of the greenlet and of the kernel are told apart by where they are thrown: only
// the iterator's own calls are inside a try.

import { typeError } from './bad-argument.ts';
import { generatorNext, startInner } from './body.ts';
import { noteCallers } from './call-frames.ts';
import { enterCoroutine, leaveCoroutine, suspendedParents, type Transfer } from './coroutine.ts';
import { end } from './end.ts';
import { KillIgnoredError, OpIteratedError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { CALL_RESULT, CLOSE_RESULT, kernel, PARK_RESULT, SWITCH_RESULT, WAKE } from './kernel.ts';
import { abortStart } from './leaf.ts';
import { isOp, nameOf, type Op, type Resume, type Trap } from './op.ts';
import { ARRIVING, CALLING, CLOSING, FAILED, NEW, READY, RUNNING, STATE } from './status.ts';

/** How the top iterator came back by a throw. */
class Thrown {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

type Step = IteratorResult<Trap, unknown> | Thrown;
type Runnable = Iterator<Trap, unknown, Resume>;

/** Run `greenlet`, which is new or ready, until it parks, yields or ends. */
export function resume(greenlet: Greenlet): void {
  if ((greenlet.status & NEW) !== 0) greenlet.status ^= NEW | RUNNING;
  kernel.current = greenlet;
  kernel.budget = greenlet.scope.scheduler.stepBudget;
  let result: Step;
  try {
    const iterator = greenlet.iterator as Runnable;
    // Only a callee may be anything but a generator. Looked up in the object, `next` would be another load for each generator function there is.
    result = (greenlet.status & CALLING) === 0 ? generatorNext.call(iterator, WAKE) : iterator.next(WAKE);
  } catch (error) {
    settle(greenlet, new Thrown(error));
    return;
  }
  if (result !== PARK_RESULT || (greenlet.status & (RUNNING | ARRIVING)) !== 0) settle(greenlet, result);
}

/**
 * Deal with `result`, and with what follows from it, until the greenlet waits or has ended. A loop, because a result may pass through a
 * million callers.
 */
function settle(greenlet: Greenlet, result: Step): void {
  if (endedPlainly(greenlet, result)) return;
  let next: Step | undefined = result ?? nothing();
  while (next !== undefined) {
    if (next === PARK_RESULT && (greenlet.status & (RUNNING | ARRIVING)) === 0) return;
    if (next === CALL_RESULT && kernel.callee !== undefined) next = enterCallee(greenlet);
    else if (next === SWITCH_RESULT && kernel.transfer !== undefined) next = transferTo(greenlet, kernel.transfer);
    else if (next === CLOSE_RESULT) next = close(greenlet);
    else if (next instanceof Thrown) next = threw(greenlet, next.error);
    else next = answered(greenlet, next);
  }
}

/**
 * End `greenlet` if it is nothing but a generator, and that has returned: what nearly every end is, and a tenth of spawn and join faster than the way round
 * by `answered`. Anything odd is left to that.
 */
function endedPlainly(greenlet: Greenlet, result: Step): boolean {
  if (greenlet.side !== undefined || (greenlet.status & (RUNNING | CALLING)) !== RUNNING) return false;
  if (result instanceof Thrown) return false;
  let value: unknown;
  try {
    if (result.done !== true) return false;
    value = result.value;
  } catch {
    return false;
  }
  end(greenlet, value, false);
  return true;
}

/** The top iterator came back with a result that is none of ours. One that is no generator may hand back anything. */
function answered(greenlet: Greenlet, result: IteratorResult<Trap, unknown>): Step | undefined {
  let done: boolean;
  let value: unknown;
  try {
    done = result.done === true;
    value = result.value;
  } catch (error) {
    return new Thrown(error);
  }
  return done ? returned(greenlet, value) : refuseForeign(greenlet, value);
}

function nothing(): Thrown {
  return new Thrown(typeError('an iterator returned nothing: next() must return {done, value}'));
}

/** The top generator of `greenlet` returned. */
function returned(greenlet: Greenlet, value: unknown): Step | undefined {
  if ((greenlet.status & RUNNING) === 0) {
    const lost = abortStart(greenlet);
    return new Thrown(
      new OpIteratedError(
        `${greenlet.name} returned while it was waiting: an Op was iterated by hand, or one generator is driven by two greenlets`,
        lost,
      ),
    );
  }
  if ((greenlet.status & CALLING) !== 0) return backToCaller(greenlet, value, 0);
  const parent = leaveCoroutine(greenlet);
  if (parent !== undefined) return transferTo(greenlet, { target: parent, value, failed: false });
  end(greenlet, value, false);
  return undefined;
}

/** The top generator of `greenlet` threw. */
function threw(greenlet: Greenlet, error: unknown): Step | undefined {
  if ((greenlet.status & RUNNING) === 0) abortStart(greenlet);
  if ((greenlet.status & CALLING) !== 0) return backToCaller(greenlet, error, FAILED);
  const parent = leaveCoroutine(greenlet);
  if (parent !== undefined) return transferTo(greenlet, { target: parent, value: error, failed: true });
  end(greenlet, error, true);
  return undefined;
}

/** Run another coroutine of this greenlet in the place of the one that switched, or ended. */
function transferTo(greenlet: Greenlet, transfer: Transfer): Step | undefined {
  kernel.transfer = undefined;
  // Whatever throws before the target runs (it never started, its body is no generator function) is its own error, and goes to its parent.
  return drive(greenlet, () => enterCoroutine(greenlet, transfer)(greenlet.iterator as Runnable));
}

function refuseForeign(greenlet: Greenlet, value: unknown): Step | undefined {
  if ((greenlet.status & RUNNING) === 0) abortStart(greenlet);
  const error = typeError(foreignMessage(value));
  return drive(greenlet, (iterator) => {
    if (iterator.throw === undefined) throw error;
    return iterator.throw(error);
  });
}

function foreignMessage(value: unknown): string {
  try {
    let hint = 'only `yield*` of an Op waits';
    if (isOp(value)) hint = 'write `yield*` instead of `yield`';
    else if (nameOf(value) === 'a promise') hint = 'write `yield* until(promise)`';
    return `a greenlet yielded ${nameOf(value)}: ${hint}`;
  } catch {
    // A Proxy, or a getter, may throw at any property.
    return 'a greenlet yielded an object that cannot be looked at: only `yield*` of an Op waits';
  }
}

/** Call into the top iterator, with the same care as `resume`. */
function drive(greenlet: Greenlet, call: (iterator: Runnable) => Step): Step {
  try {
    return call(greenlet.iterator as Runnable) ?? nothing();
  } catch (error) {
    return new Thrown(error);
  }
}

/** The caller waits in the side record; the callee runs in its place, with a budget that goes on. */
function enterCallee(greenlet: Greenlet): Step | undefined {
  const callee = kernel.callee as Op<unknown>;
  kernel.callee = undefined;
  const side = greenlet.rare();
  side.callers ??= [];
  side.callers.push(greenlet.iterator as Runnable);
  greenlet.status |= CALLING;
  // Until the callee has started, its caller stays in place: if the start throws, that is whom it is thrown to.
  return drive(greenlet, () => {
    const iterator = startInner(callee, false, 'call');
    greenlet.iterator = iterator;
    return iterator.next(undefined);
  });
}

/** Commit the callee's result to the caller, as its wake, and run the caller on. */
function backToCaller(greenlet: Greenlet, value: unknown, failed: 0 | typeof FAILED): Step | undefined {
  const side = greenlet.rare();
  const callers = side.callers as Runnable[];
  if (failed !== 0) noteCallers(value, callers);
  greenlet.iterator = callers.pop() as Runnable;
  if (callers.length === 0) greenlet.status &= ~CALLING;
  greenlet.status = (greenlet.status & ~STATE) | READY | failed;
  greenlet.value = value;
  return drive(greenlet, (iterator) => iterator.next(WAKE));
}

/** S3's last resort: close every generator of `greenlet`, innermost first, and end it. */
function close(greenlet: Greenlet): undefined {
  if ((greenlet.status & RUNNING) === 0) abortStart(greenlet);
  const side = greenlet.rare();
  const { deliveries } = side;
  greenlet.status |= CLOSING;
  const iterators = [...suspendedParents(greenlet), ...(side.callers ?? []), greenlet.iterator as Runnable].reverse();
  for (const iterator of iterators) {
    try {
      iterator.return?.();
    } catch (error) {
      greenlet.scope.scheduler.stats.closeErrors += 1;
      void error; // it ends with KillIgnoredError, whatever its finally blocks throw
    }
  }
  end(greenlet, new KillIgnoredError(greenlet.name, deliveries), true);
}
