// errors.ts: every error that the kernel throws, in three families that say whose fault it is.
//
//   UsageError     the caller's: fix the program
//   ResourceError  the world's: it can happen in a correct program
//   InternalError  ours: please report it
//
// Each class has a stable `code`. `Killed` belongs to no family: it is how a kill travels, like Python's GreenletExit, and a
// program should let it pass. What hangs on an error besides (suppressed errors, caller frames of `call`) is kept in
// WeakMaps, because the very object that was thrown is rethrown, untouched.
//
// Sources: undici's errors.js (codes), trio's Cancelled (who delivers it), gevent's Timeout (identity).

import type { Greenlet } from './greenlet.ts';

/** The base of all errors of this library but `Killed`. */
export abstract class TendrilError extends Error {
  abstract readonly code: string;
  override get name(): string {
    return this.constructor.name;
  }
}

/** The caller's fault: the program has to be changed. */
export class UsageError extends TendrilError {
  readonly code: string = 'ERR_USAGE';
}

/** The world's fault: it can happen in a correct program. */
export class ResourceError extends TendrilError {
  readonly code: string = 'ERR_RESOURCE';
}

/** Our fault: an invariant of the kernel does not hold. */
export class InternalError extends TendrilError {
  readonly code: string = 'ERR_INTERNAL';
}

/** An Op was started where no greenlet is running. */
export class NotInGreenletError extends UsageError {
  override readonly code: string = 'ERR_NOT_IN_GREENLET';
  constructor(what: string) {
    super(`${what} was started outside a greenlet: put it in a generator function and use run(), spawn() or main()`);
  }
}

/** A generator object was started twice. */
export class OpReusedError extends UsageError {
  override readonly code: string = 'ERR_OP_REUSED';
  constructor(where: string) {
    super(`${where} was started a second time, but a generator object runs once: pass a new one, or build the Op anew`);
  }
}

/** An Op was iterated by something other than `yield*` in the greenlet that started it. */
export class OpIteratedError extends UsageError {
  override readonly code: string = 'ERR_OP_ITERATED';
  /** The value that the Op had already committed, if it had: it would be lost otherwise. */
  readonly committed: unknown;
  constructor(message: string, committed?: unknown) {
    super(message);
    this.committed = committed;
  }
}

/** An Op had to wait where waiting is forbidden. */
export class WouldBlockError extends UsageError {
  override readonly code: string = 'ERR_WOULD_BLOCK';
}

/** The channel is closed (and drained, for a receiver). */
export class ChannelClosedError extends UsageError {
  override readonly code: string = 'ERR_CHANNEL_CLOSED';
  /** The channel that is closed. */
  readonly channel: object;
  constructor(channel: object, label: string, op: string) {
    super(`${op} on ${label}, which is closed`);
    this.channel = channel;
    hide(this, 'channel');
  }
}

/** The scope has ended; nothing can be spawned into it. */
export class ScopeClosedError extends UsageError {
  override readonly code: string = 'ERR_SCOPE_CLOSED';
  constructor() {
    super('spawn into a scope that has ended: spawn while its body or its children still run');
  }
}

/** An AsyncResult was set a second time. */
export class ResultSetError extends UsageError {
  override readonly code: string = 'ERR_RESULT_SET';
  constructor(result: string) {
    super(`${result} was set already: a result is set once`);
  }
}

/** A lock was released by a greenlet that does not own it, or its owner ended without releasing it. */
export class NotOwnerError extends UsageError {
  override readonly code: string = 'ERR_NOT_OWNER';
}

/** The object is in use by another greenlet. */
export class BusyError extends UsageError {
  override readonly code: string = 'ERR_BUSY';
}

/** The object was closed. */
export class ClosedError extends UsageError {
  override readonly code: string = 'ERR_CLOSED';
}

/** A timeout expired before its Op was done. `timeout` is the very Op that `timeout()` made, so that nested ones can be told apart. */
export class TimeoutError extends ResourceError {
  override readonly code: string = 'ERR_TIMEOUT';
  /** The limit: a duration, or the point in time of a deadline(). */
  readonly timeoutMs: number;
  readonly timeout: object;
  constructor(timeoutMs: number, timeout: object, what?: string, absolute = false) {
    const limit = absolute
      ? `at its deadline, ${Math.round(timeoutMs)} ms on the hub's clock,`
      : `after ${Math.round(timeoutMs)} ms`;
    super(`timed out ${limit}${what === undefined ? '' : ` in ${what}`}`.replace(/,$/, ''));
    this.timeoutMs = timeoutMs;
    this.timeout = timeout;
    hide(this, 'timeout');
  }
}

/** The greenlet whose value was asked for had been killed. Its `cause` is the Killed. */
export class GreenletKilledError extends ResourceError {
  override readonly code: string = 'ERR_GREENLET_KILLED';
  readonly reason: unknown;
  constructor(name: string, reason: unknown, cause: unknown) {
    super(`${name} was killed${reason === undefined ? '' : `: ${printable(reason)}`}`, { cause });
    this.reason = reason;
  }
}

/** A greenlet caught every Killed and went on; it was ended by force. */
export class KillIgnoredError extends ResourceError {
  override readonly code: string = 'ERR_KILL_IGNORED';
  constructor(name: string, deliveries: number) {
    super(
      `${name} ignored ${deliveries} deliveries of Killed and was closed: rethrow what isKilled() in its catch blocks, ` +
        'or put what must still wait into shield()',
    );
  }
}

/** Greenlets wait for each other and nothing else can wake them. `report` lists who waits for what, with stacks. */
export class DeadlockError extends ResourceError {
  override readonly code: string = 'ERR_DEADLOCK';
  readonly report: string;
  readonly greenlets: readonly Greenlet[];
  constructor(summary: string, report: string, greenlets: readonly Greenlet[]) {
    super(report === '' ? summary : `${summary}\n${report}`);
    this.report = report;
    this.greenlets = greenlets;
    hide(this, 'report');
    hide(this, 'greenlets');
  }
}

/** A party gave up, or the barrier was aborted or reset: not all will come. */
export class BrokenBarrierError extends ResourceError {
  override readonly code: string = 'ERR_BROKEN_BARRIER';
  constructor(barrier: string) {
    super(
      `${barrier} is broken: a party was killed or timed out, or abort() or reset() was called; reset() makes it whole`,
    );
  }
}

/** There is nothing to take, and the caller does not want to wait. */
export class QueueEmptyError extends ResourceError {
  override readonly code: string = 'ERR_QUEUE_EMPTY';
  constructor(queue: string) {
    super(`${queue} is empty`);
  }
}

/** There is no room, and the caller does not want to wait. */
export class QueueFullError extends ResourceError {
  override readonly code: string = 'ERR_QUEUE_FULL';
  constructor(queue: string, capacity: number) {
    super(`${queue} is full: its capacity is ${capacity}`);
  }
}

/** The queue is closed (and drained, for a getter). */
export class QueueClosedError extends ResourceError {
  override readonly code: string = 'ERR_QUEUE_CLOSED';
  /** The queue that is closed. */
  readonly queue: object;
  constructor(queue: object, label: string, op: string) {
    super(`${op} on ${label}, which is closed`);
    this.queue = queue;
    hide(this, 'queue');
  }
}

const killedBrand: unique symbol = Symbol.for('tendril.Killed');

/**
 * Thrown by every blocking Op of a greenlet while a kill, or the expiry of an enclosing timeout or scope, is pending.
 *
 * Let it pass: a `catch` that may see it should begin with `rethrowKilled(error)`.
 */
export class Killed extends Error {
  readonly code = 'KILLED';
  readonly reason: unknown;
  /** The frame that was cancelled: the greenlet's own, a timeout's or a scope's. */
  readonly frame: object;
  constructor(frame: object, reason: unknown) {
    super(reason === undefined ? 'killed' : `killed: ${printable(reason)}`);
    this.frame = frame;
    this.reason = reason;
    hide(this, 'frame');
  }
  override get name(): string {
    return 'Killed';
  }
}

Object.defineProperty(Killed.prototype, killedBrand, { value: true });

/** Is `error` a kill on its way out? True also for one of another copy of this library. */
export function isKilled(error: unknown): error is Killed {
  try {
    return typeof error === 'object' && error !== null && (error as { [killedBrand]?: unknown })[killedBrand] === true;
  } catch {
    return false; // a Proxy may throw at any property; what user code throws never stops us
  }
}

/** Throw `error` again if it is a kill, else return: the first line of a `catch` that handles everything else. */
export function rethrowKilled(error: unknown): void {
  if (isKilled(error)) throw error;
}

const suppressed = new WeakMap<object, unknown[]>();

/** The errors that came later in time than `error` in the same scope, oldest first. */
export function suppressedErrors(error: unknown): readonly unknown[] {
  return (isObject(error) && suppressed.get(error)) || [];
}

/** Note that `later` was dropped in favour of `first`. False if `first` cannot carry it. @internal */
export function suppress(first: unknown, later: unknown): boolean {
  if (Object.is(first, later)) return true;
  if (!isObject(first)) return false;
  const list = suppressed.get(first);
  if (list === undefined) suppressed.set(first, [later]);
  else if (!list.includes(later)) list.push(later);
  return true;
}

/** A short text of any thrown value; never throws. */
export function printable(value: unknown): string {
  try {
    return String(value instanceof Error ? value.message : value);
  } catch {
    return 'a value that cannot be printed';
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

// What would print half of the kernel when the error is printed.
function hide(error: Error, property: string): void {
  Object.defineProperty(error, property, { enumerable: false });
}
