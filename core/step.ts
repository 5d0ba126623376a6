// step.ts: one step of one greenlet: resume it, then see how it came back.
//
// A step ends in four ways: parked or queued (the usual one), done, thrown, or with a CALL, where the callee takes the caller's
// place at once and hands its result back through the caller's leaf as a wake. Anything else is a foreign yield, and is thrown back in.
//
// `resume` is the hot path and must stay small. Errors of the greenlet and of the kernel are told apart by where they are thrown: only
// the iterator's own calls are inside a try.

import { startInner } from './body.ts';
import { noteCallers } from './call-frames.ts';
import { end } from './end.ts';
import { KillIgnoredError, OpIteratedError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { CALL_RESULT, CLOSE_RESULT, kernel, PARK_RESULT, STEP_BUDGET, WAKE } from './kernel.ts';
import { abortStart } from './leaf.ts';
import { isOp, nameOf, type Op, type Resume, type Trap } from './op.ts';
import { ARRIVING, CALLING, CLOSING, DONE, FAILED, NEW, READY, RUNNING, STATE } from './status.ts';

type Step = IteratorResult<Trap, unknown>;

/** Run `greenlet`, which is new or ready, until it parks, yields or ends. */
export function resume(greenlet: Greenlet): void {
  if ((greenlet.status & NEW) !== 0) greenlet.status ^= NEW | RUNNING;
  kernel.current = greenlet;
  kernel.budget = STEP_BUDGET;
  let result: Step;
  try {
    result = (greenlet.iterator as Iterator<Trap, unknown, Resume>).next(WAKE);
  } catch (error) {
    const next = threw(greenlet, error);
    if (next !== undefined) settle(greenlet, next);
    return;
  }
  if (result !== PARK_RESULT || (greenlet.status & (RUNNING | ARRIVING)) !== 0) settle(greenlet, result);
}

/** Deal with `result`, and with what follows from it, until the greenlet waits or has ended. */
function settle(greenlet: Greenlet, result: Step): void {
  let next: Step | undefined = result;
  while (next !== undefined) {
    if (next === PARK_RESULT && (greenlet.status & (RUNNING | ARRIVING)) === 0) return;
    if (next === CALL_RESULT && kernel.callee !== undefined) next = enterCallee(greenlet);
    else if (next === CLOSE_RESULT) next = close(greenlet);
    else if (next.done === true) next = returned(greenlet, next.value);
    else next = refuseForeign(greenlet, next.value);
  }
}

/** The top generator of `greenlet` returned. */
function returned(greenlet: Greenlet, value: unknown): Step | undefined {
  if ((greenlet.status & RUNNING) === 0) {
    abortStart(greenlet);
    return threw(
      greenlet,
      new OpIteratedError(
        `${greenlet.name} returned while it was waiting: an Op was iterated by hand, or one generator is driven by two greenlets`,
      ),
    );
  }
  if ((greenlet.status & CALLING) !== 0) return backToCaller(greenlet, value, 0);
  end(greenlet, value, false);
  return undefined;
}

/** The top generator of `greenlet` threw. */
function threw(greenlet: Greenlet, error: unknown): Step | undefined {
  if ((greenlet.status & RUNNING) === 0) abortStart(greenlet);
  if ((greenlet.status & CALLING) !== 0) return backToCaller(greenlet, error, FAILED);
  end(greenlet, error, true);
  return undefined;
}

function refuseForeign(greenlet: Greenlet, value: unknown): Step | undefined {
  if ((greenlet.status & RUNNING) === 0) abortStart(greenlet);
  let hint = 'only `yield*` of an Op waits';
  if (isOp(value)) hint = 'write `yield*` instead of `yield`';
  else if (nameOf(value) === 'a promise') hint = 'write `yield* until(promise)`';
  return drive(greenlet, (iterator) => {
    const error = new TypeError(`a greenlet yielded ${nameOf(value)}: ${hint}`);
    if (iterator.throw === undefined) throw error;
    return iterator.throw(error);
  });
}

/** Call into the top iterator, with the same care as `resume`. */
function drive(greenlet: Greenlet, call: (iterator: Iterator<Trap, unknown, Resume>) => Step): Step | undefined {
  let result: Step;
  try {
    result = call(greenlet.iterator as Iterator<Trap, unknown, Resume>);
  } catch (error) {
    return threw(greenlet, error);
  }
  return result;
}

/** The caller waits in the side record; the callee runs in its place, with a budget that goes on. */
function enterCallee(greenlet: Greenlet): Step | undefined {
  const callee = kernel.callee as Op<unknown>;
  kernel.callee = undefined;
  const side = greenlet.rare();
  side.callers ??= [];
  side.callers.push(greenlet.iterator as Iterator<Trap, unknown, Resume>);
  greenlet.status |= CALLING;
  greenlet.iterator = NOT_STARTED;
  return drive(greenlet, () => {
    const iterator = startInner(callee, false, 'call');
    greenlet.iterator = iterator;
    return iterator.next(undefined);
  });
}

const NOT_STARTED: Iterator<Trap, unknown, Resume> = {
  next: () => ({ done: true, value: undefined }),
};

/** Commit the callee's result to the caller, as its wake, and run the caller on. */
function backToCaller(greenlet: Greenlet, value: unknown, failed: 0 | typeof FAILED): Step | undefined {
  const side = greenlet.rare();
  const callers = side.callers as Iterator<Trap, unknown, Resume>[];
  if (failed !== 0) noteCallers(value, callers);
  greenlet.iterator = callers.pop() as Iterator<Trap, unknown, Resume>;
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
  const iterators = [...(side.callers ?? []), greenlet.iterator as Iterator<Trap, unknown, Resume>].reverse();
  for (const iterator of iterators) {
    try {
      iterator.return?.();
    } catch (error) {
      greenlet.scope.scheduler.stats.closeErrors += 1;
      void error; // it ends with KillIgnoredError, whatever its finally blocks throw
    }
    if ((greenlet.status & (RUNNING | DONE)) === 0) abortStart(greenlet);
  }
  end(greenlet, new KillIgnoredError(greenlet.name, deliveries), true);
}
