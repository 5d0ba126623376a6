// files-call.ts: one call of node:fs as a wait, and the rule for calls that change something.
//
// Calls run in libuv's thread pool (4 threads for the process), which takes none back. So:
//   a call that only looks    is given up at once by a kill or a timeout. What it brings later is dropped, closed if it is a handle, and counted as an
//                             orphan until then.
//   a call that changes       finishes first, and its Op returns its value: who is told Killed may take it that nothing happens any more. It is a shield with
//                             the usual grace: a call that is stuck for longer is given up too, and may still have its effect. throw() is masked by no
//                             shield: its error is held back until the call is over.
//
// Errors are Node's own objects. Node gives those of fs no stack but their message; ours is that of the greenlet that waited.
// Source: S6.

import { composite } from '../core/composite.ts';
import { isKilled, suppress } from '../core/errors.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { readyResult } from '../core/kernel.ts';
import type { Op, Waitable, WaitDescription } from '../core/op.ts';
import { shield } from '../core/shield.ts';
import { created } from '../core/unstarted.ts';
import { Wait } from '../core/wait.ts';
import type { Done } from './callback.ts';

const OWN_FRAMES = 10;

export interface FsCallOptions<T> {
  /** The name of the call, and what it is about: for reports. */
  readonly op: string;
  readonly object: string;
  /** Begin. `signal` aborts when the wait is given up; it is made only if `abortable`. */
  readonly start: (done: Done<T>, signal: AbortSignal | undefined) => unknown;
  readonly abortable?: boolean;
  /** Dispose of a value that came when nobody waited any more. */
  readonly late?: ((value: T) => void) | undefined;
}

/** One call of node:fs. */
export class FsCall<T> extends ExternalWait<T> {
  readonly #options: FsCallOptions<T>;

  constructor(options: FsCallOptions<T>) {
    super();
    this.#options = options;
  }

  protected begin(ticket: Ticket<T>): void {
    const { start, abortable } = this.#options;
    let signal: AbortSignal | undefined;
    if (abortable === true) {
      const controller = new AbortController();
      ticket.onRetract = () => this.leave(controller);
      signal = controller.signal;
    }
    start((error, value) => {
      this.came();
      if (error === null || error === undefined) ticket.resolve(value as T);
      else ticket.rejectWith(() => located(error));
    }, signal);
  }

  /** Node has called back. */
  protected came(): void {}

  /** The wait was taken back. */
  protected leave(controller: AbortController): void {
    controller.abort();
  }

  protected override orphaned(value: T): void {
    this.#options.late?.(value);
  }

  describe(): WaitDescription {
    return { op: this.#options.op, object: this.#options.object };
  }
}

/** `error` with a stack: that of whoever calls this, unless it has one already. */
export function located(error: unknown): unknown {
  if (error instanceof Error && error.stack?.includes('\n    at ') === false) {
    const limit = Error.stackTraceLimit;
    // The first frames are ours.
    Error.stackTraceLimit = limit + OWN_FRAMES;
    Error.captureStackTrace(error, located);
    Error.stackTraceLimit = limit;
  }
  return error;
}

/** Tell `done` what becomes of a promise. */
export function settle<T>(promise: Promise<T>, done: Done<T>): void {
  promise.then(
    (value) => done(null, value),
    (error: unknown) => done(error),
  );
}

/** An Op that only looks. */
export function looking<T>(options: FsCallOptions<T>): Waitable<T> {
  return created(new FsCall(options));
}

/** An Op that changes something: it finishes first. */
export function changing<T>(options: FsCallOptions<T>): Op<T> {
  return composite(() => finishing(new ChangeCall(options)));
}

/** Wait for `call`: a kill that has come already prevents it, and what comes later lets it finish. */
export function* finishing<T>(call: ChangeCall<T>): Op<T> {
  yield* blockingPoint;
  try {
    return yield* shield(call);
  } catch (error) {
    while (call.underWay && !isKilled(error)) {
      try {
        yield* shield(call.ending());
      } catch (later) {
        if (isKilled(later)) break;
        suppress(error, later);
      }
    }
    if (call.underWay) call.giveUp();
    throw error;
  }
}

/** One call that changes something, for one start. */
export class ChangeCall<T> extends FsCall<T> {
  begun = false;
  #ended = false;
  #controller: AbortController | undefined = undefined;
  /** Called when Node has called back, also if nobody waits any more. */
  onEnd: () => void = () => {};

  get underWay(): boolean {
    return this.begun && !this.#ended;
  }

  /** Wait for the end of a call whose own wait was taken back. */
  ending(): Wait<void> {
    return new Ending(this.describe(), (ended) => {
      const { onEnd } = this;
      this.onEnd = () => {
        onEnd();
        ended();
      };
    });
  }

  protected override begin(ticket: Ticket<T>): void {
    super.begin(ticket);
    this.begun = true;
  }

  protected override came(): void {
    this.#ended = true;
    this.onEnd();
  }

  // throw() takes the wait back too, and the call is to go on.
  protected override leave(controller: AbortController): void {
    this.#controller = controller;
  }

  /** The grace is over: stop as soon as Node can. */
  giveUp(): void {
    this.#controller?.abort();
  }
}

class Ending extends ExternalWait<void> {
  readonly #description: WaitDescription;
  readonly #listen: (ended: () => void) => void;
  constructor(description: WaitDescription, listen: (ended: () => void) => void) {
    super();
    this.#description = description;
    this.#listen = listen;
  }
  protected begin(ticket: Ticket<void>): void {
    ticket.onRetract = () => ticket.withdraw();
    this.#listen(() => ticket.resolve());
  }
  describe(): WaitDescription {
    return this.#description;
  }
}

/** Waits for nothing: throws what is pending. A shield is no blocking point itself. */
class BlockingPoint extends Wait<void> {
  look(): boolean {
    readyResult.value = undefined;
    return true;
  }
  enlist(): void {}
  retract(): void {}
  describe(): WaitDescription {
    return { op: 'a file operation begins' };
  }
}

export const blockingPoint: Wait<void> = new BlockingPoint();
