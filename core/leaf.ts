// leaf.ts: where a greenlet meets the scheduler. Every wait ends here, and only here is a parked greenlet resumed.
//
// A start asks, in this order: is a greenlet running, is a kill or throw pending, is budget left, can it commit now (look); if not,
// it enlists. It then returns READY, whose first next() is done, or LEAF, whose first next() yields the park token. Nothing runs
// between the two. Both are shared by all greenlets, because only one runs at a time.
//
// V8 keeps what it learns about a call site per function and gives up at the fifth kind of object. `start` is shared by all Ops, so in a program that uses many
// kinds it has to look up `look` and `enlist` anew each time (a third of a switch). The Ops that hot loops are made of have a start of their own, of the
// same lines, and leave all but the plain case to `start`. The lines are written out: as a function they cost a tenth of a switch.
//
// LEAF is resumed by the run loop alone, with a token:
//   wake   return or throw what was committed; or, if the wait was retracted, throw what is pending, so that it carries the victim's stack
//   probe  take a stack and park again: `yield*` re-enters every frame on the way down, so this is the stack of a parked greenlet
// Anything else is misuse (for..of over an Op, a generator driven by two greenlets, return() by hand). It retracts the wait and throws.
//
// `yield*` calls next with one argument, for..of and destructuring with none: that is how a READY tells them apart.
// Never cancel with generator.return(): if a delegated child's finally yields, the frame has left return mode and the parent runs on.
// Sources: curio's traps, trio's level-triggered cancellation (S3).

import { InternalError, Killed, NotInGreenletError, OpIteratedError, UsageError, WouldBlockError } from './errors.ts';
import { attentionChanged } from './frame.ts';
import type { Greenlet } from './greenlet.ts';
import { CLOSE_RESULT, kernel, PARK_RESULT, PROBE, readyResult, WAKE, wakeResult } from './kernel.ts';
import type { Op, Resume, Trap, WaitDescription } from './op.ts';
import {
  ARRIVING,
  ATTENTION,
  CLOSING,
  COUNTED,
  DONE,
  FAILED,
  LAZY,
  moved,
  NO_BLOCK,
  type Outcome,
  PARKED,
  READY,
  RESTART,
  RESUME_MASK,
  RETRACTED,
  RUNNING,
  START_MASK,
  STATE,
  YIELDED,
} from './status.ts';
import type { Wait } from './wait.ts';

/** From this delivery of Killed on, each goes once through the run queue, and `killIgnored` is raised. */
export const SPIN_LIMIT = 100;
/** This delivery does not throw: the greenlet is closed. */
export const CLOSE_LIMIT = 1000;

type LeafIterator = Iterator<Trap, unknown, Resume>;

/** Start `op` in the current greenlet. */
export function start(op: Wait<unknown>): LeafIterator {
  const me = kernel.current;
  if ((me.status & START_MASK) !== RUNNING || kernel.budget === 0) return startSlowly(me, op);
  kernel.budget -= 1;
  if (op.look(me)) return READY_LEAF;
  park(me, op);
  return LEAF;
}

function startSlowly(me: Greenlet, op: Wait<unknown>): LeafIterator {
  const urgent = checkStart(me, () => describeOp(op.describe()));
  if (urgent !== undefined) return urgent;
  // Left: deliveries were counted and a shield masks the kill (an Op that returns a value ends the count), or nothing may wait here.
  const mayWait = (me.status & NO_BLOCK) === 0;
  if (mayWait && kernel.budget === 0) return startWithoutBudget(me, op);
  kernel.budget = Math.max(kernel.budget - 1, 0);
  if (op.look(me)) {
    resetDeliveries(me);
    return READY_LEAF;
  }
  if (!mayWait) throw new WouldBlockError(`${describeOp(op.describe())} would have to wait, inside noBlock()`);
  park(me, op);
  return LEAF;
}

/** The budget is spent: does `me`, which starts `op`, give way first? In a simulation there never is a budget, and it is asked each time. */
export function givesWay(me: Greenlet, op: Op<unknown>): boolean {
  const { preempt } = me.scope.scheduler.driver;
  return preempt === undefined || preempt(me, op);
}

/** The budget is spent: give way and start again, or start all the same. */
function startWithoutBudget(me: Greenlet, op: Wait<unknown>): LeafIterator {
  if (givesWay(me, op)) {
    me.status = moved(me.status, READY) | RESTART | YIELDED | ARRIVING;
    me.waitingOn = op;
    me.scope.scheduler.enqueue(me);
    return LEAF;
  }
  if (op.look(me)) {
    resetDeliveries(me);
    return READY_LEAF;
  }
  park(me, op);
  return LEAF;
}

/**
 * Do what comes before the look at every start that is not on the fast path: refuse it outside a greenlet or out of turn, throw what is
 * pending. Returns the leaf to use instead if the greenlet has to go through the run queue or be closed first.
 */
export function checkStart(me: Greenlet, what: () => string): LeafIterator | undefined {
  const { status } = me;
  if ((status & DONE) !== 0) throw new NotInGreenletError(what());
  if ((status & RUNNING) === 0) {
    const lost = abortStart(me);
    throw new OpIteratedError(
      `${what()} was started while ${me.name} was still waiting: an Op was iterated by hand, one generator is driven by two greenlets, or the ` +
        'stack overflowed; use `yield*` and give each greenlet its own generator',
      lost,
    );
  }
  if ((status & CLOSING) !== 0) return startWhileClosing(me, what);
  if ((status & ATTENTION) === 0) return undefined;
  deliver(me, false);
  // It has to go through the run queue first.
  me.status = moved(me.status, READY) | RETRACTED | YIELDED | ARRIVING;
  me.scope.scheduler.enqueue(me);
  return LEAF;
}

function startWhileClosing(me: Greenlet, what: () => string): LeafIterator {
  const side = me.rare();
  side.deliveries += 1;
  // A generator that catches even this, for ever, can only be left where it is.
  if (side.deliveries > 2 * CLOSE_LIMIT) return CLOSE_LEAF;
  throw new UsageError(`${what()} was started while ${me.name} is being closed because it ignored its kill`);
}

/** Enlist `me` with `op` and mark it parked; if enlisting throws, it never happened. */
function park(me: Greenlet, op: Wait<unknown>): void {
  const before = me.status;
  markParked(me, op);
  try {
    op.enlist(me);
  } catch (error) {
    me.status = before;
    me.waitingOn = undefined;
    throw error;
  }
}

/** `me` is parked from here on. Whoever calls this enlists it next. */
export function markParked(me: Greenlet, op: Wait<unknown>): void {
  me.status = (me.status & ~(STATE | YIELDED)) | PARKED | ARRIVING;
  me.waitingOn = op;
  me.parks += 1;
}

/** `me` gives way from here on: it is queued, and a kill makes it throw at that point. */
export function giveWay(me: Greenlet): LeafIterator {
  me.status = (me.status & ~STATE) | READY | YIELDED | ARRIVING;
  me.parks += 1;
  me.scope.scheduler.enqueue(me);
  return LEAF;
}

/** The Op has committed, to a value or an error, and others are to run before its greenlet goes on. A kill cannot undo it any more. */
export function yieldCommitted(me: Greenlet, value: unknown, outcome: Outcome): LeafIterator {
  me.status = moved(me.status, READY) | ARRIVING | outcome;
  me.value = value;
  me.parks += 1;
  readyResult.value = undefined;
  me.scope.scheduler.enqueue(me);
  return LEAF;
}

/**
 * Throw what is pending for `me`. Returns if that has to wait: at a start (not `queued`), until the greenlet has gone through the run queue; when it
 * has, because it ignored too many and has to be closed.
 */
function deliver(me: Greenlet, queued: boolean): void {
  const side = me.rare();
  const frame = side.interrupt;
  if (frame === undefined) {
    if (side.throws === undefined) throw new InternalError(`${me.name} was interrupted by nothing`);
    const error = side.throws.shift();
    if (side.throws.length === 0) side.throws = undefined;
    attentionChanged(me);
    throw error;
  }
  if (!queued && side.deliveries + 1 >= SPIN_LIMIT) return;
  side.deliveries += 1;
  me.status |= COUNTED;
  if (side.deliveries >= CLOSE_LIMIT) return;
  const killed = new Killed(frame, frame.reason);
  if (side.deliveries === SPIN_LIMIT) me.scope.scheduler.events.killIgnored(me, killed);
  throw killed;
}

/** An Op returned a value although a kill is pending, so a shield masks it: the greenlet is not spinning. */
export function resetDeliveries(me: Greenlet): void {
  if ((me.status & COUNTED) === 0) return;
  me.status &= ~COUNTED;
  me.rare().deliveries = 0;
}

/** Undo a start that did not end in a wait: afterwards `me` is running and nothing will wake it. Returns a value that was lost. */
export function abortStart(me: Greenlet): unknown {
  const { status } = me;
  let lost: unknown;
  if ((status & PARKED) !== 0) {
    me.waitingOn?.retract(me);
  } else {
    lost = me.value;
    me.scope.scheduler.runQueue.remove(me);
  }
  me.waitingOn = undefined;
  me.value = undefined;
  me.status = (status & ~(STATE | ARRIVING | YIELDED | RETRACTED | FAILED | LAZY | RESTART)) | RUNNING;
  return lost;
}

class Leaf implements LeafIterator {
  next(token?: Resume): IteratorResult<Trap, unknown> {
    const me = kernel.current;
    if (token === WAKE) {
      if ((me.status & RESUME_MASK) !== READY) return wakeSlowly(me);
      me.status = (me.status & ~(STATE | YIELDED)) | RUNNING;
      wakeResult.value = me.value;
      me.value = undefined;
      return wakeResult;
    }
    // biome-ignore lint/complexity/noArguments: the number of arguments is what tells `yield*` from for..of
    if (token === undefined && arguments.length === 1 && (me.status & ARRIVING) !== 0) {
      me.status &= ~ARRIVING;
      return PARK_RESULT;
    }
    if (token === PROBE) {
      kernel.probedStack = new Error('parked').stack ?? '';
      return PARK_RESULT;
    }
    throw misuse(me, 'was iterated by something other than `yield*`');
  }

  return(value?: unknown): IteratorResult<Trap, unknown> {
    const me = kernel.current;
    if ((me.status & CLOSING) !== 0) return { done: true, value };
    throw misuse(me, 'was left by return(), which only the scheduler may do: kill the greenlet instead');
  }

  throw(error: unknown): IteratorResult<Trap, unknown> {
    const me = kernel.current;
    if ((me.status & CLOSING) !== 0) throw error;
    throw misuse(me, 'was resumed by throw(), which only the scheduler may do: use greenlet.throw() instead');
  }
}

class ReadyLeaf implements LeafIterator {
  next(_token?: Resume): IteratorResult<Trap, unknown> {
    // biome-ignore lint/complexity/noArguments: the number of arguments is what tells `yield*` from for..of
    if (arguments.length === 0) {
      const committed = readyResult.value;
      readyResult.value = undefined;
      throw new OpIteratedError('an Op was iterated by for..of, spread or destructuring: use `yield*`', committed);
    }
    return readyResult;
  }
}

class CloseLeaf implements LeafIterator {
  next(): IteratorResult<Trap, unknown> {
    return CLOSE_RESULT;
  }
}

/** The Op has committed; its value is in readyResult. */
export const READY_LEAF: LeafIterator = new ReadyLeaf();
/** The greenlet is parked or queued. */
export const LEAF: LeafIterator = new Leaf();
const CLOSE_LEAF: LeafIterator = new CloseLeaf();

function wakeSlowly(me: Greenlet): IteratorResult<Trap, unknown> {
  const { status, value } = me;
  if ((status & READY) === 0) throw misuse(me, 'was woken out of turn: one generator is driven by two greenlets');
  me.status = (status & ~(STATE | YIELDED | RETRACTED | FAILED | LAZY | RESTART)) | RUNNING;
  if ((status & RESTART) !== 0 && (status & RETRACTED) === 0) {
    const op = me.waitingOn as Wait<unknown>;
    me.waitingOn = undefined;
    // It has given way once; with a full budget it is not asked again.
    kernel.budget = Math.max(kernel.budget, 1);
    return op[Symbol.iterator]().next(undefined);
  }
  me.waitingOn = undefined;
  if ((status & RETRACTED) !== 0) {
    deliver(me, true);
    return CLOSE_RESULT;
  }
  me.value = undefined;
  if ((status & LAZY) !== 0) throw (value as () => unknown)();
  if ((status & FAILED) !== 0) throw value;
  resetDeliveries(me);
  wakeResult.value = value;
  return wakeResult;
}

function misuse(me: Greenlet, how: string): Error {
  if ((me.status & DONE) !== 0) return new OpIteratedError(`an Op ${how}`);
  const waiting = me.waitingOn === undefined ? 'an Op' : describeOp(me.waitingOn.describe());
  const lost = (me.status & RUNNING) === 0 ? abortStart(me) : undefined;
  return new OpIteratedError(`${waiting} of ${me.name} ${how}`, lost);
}

/** `receive on channel jobs`. */
export function describeOp({ op, object }: WaitDescription): string {
  return object === undefined ? op : `${op} on ${object}`;
}
