// driver.ts: the kernel's whole view of the world. A host implements this once; nothing else in core/ knows where it runs.
//
// Two implementations: io/node-driver.ts (a Node process) and core/testing/virtual-driver.ts (a clock that jumps, a closed world).
//
// What a driver must hold:
//   now() never goes back
//   turn() is never called from inside turn(), nor from inside a step
//   after askTurn() there is exactly one turn(), soon, after pending input has had its chance
//   after wakeAt(t) turn() is called at t or later, unless wakeAt is called again first

import type { Greenlet } from './greenlet.ts';
import type { Op } from './op.ts';
import type { RunQueue } from './run-queue.ts';

/** Carries a host's ambient context (AsyncLocalStorage) with a greenlet. */
export interface ContextCarrier {
  /** The ambient context of the code that runs now, for one new greenlet; undefined if it is empty. Called at each spawn: must be cheap. */
  capture(): object | undefined;
  /** `step(greenlet)` in the greenlet's context; what the step leaves there (`enterWith`) stays with that greenlet. */
  step(greenlet: Greenlet, step: (greenlet: Greenlet) => void): void;
  /** One turn, in the empty context: nothing of ours inherits what the code that asked for the turn happened to have. */
  turn(turn: () => void): void;
}

export interface Driver {
  /** Milliseconds on a monotonic clock, with a fraction. */
  now(): number;
  /**
   * Ask for one turn as soon as the host has polled for input. Asked again before that turn, it is still one turn; the process must live to see it
   * if `holding` was true in any of the calls.
   */
  askTurn(holding: boolean): void;
  /**
   * Call `callback` when the host's current work is done and before it polls for input: in a microtask. Absent: only turns after polling. The kernel bounds how long
   * that may go on.
   */
  readonly soon?: ((callback: () => void) => void) | undefined;
  /** Ask for a turn at `deadlineMs` of `now()`; Infinity withdraws. Only the newest request counts. */
  wakeAt(deadlineMs: number): void;
  /** A number in [0, 1). */
  random(): number;
  /** Keep the process alive (true), or let it end when nothing else holds it (false). */
  hold(holding: boolean): void;
  /** Have `listener` called when the host has nothing left to do. A closed world calls it as soon as that is so. */
  onQuiescent(listener: () => void): void;
  /** An error that nobody can handle any more: end the program with it, as the host does for an uncaught exception. */
  fatal(error: unknown, greenlet: Greenlet | undefined): void;
  /** Tell the developer something; only used in development mode. */
  warn(warning: Error): void;
  /** How long a slice may run before the host gets to poll, in milliseconds. Infinity in a closed world. */
  readonly sliceMs: number;
  /** In development mode, spawn sites and lock sites are captured with their stacks. */
  readonly development: boolean;
  /** In a simulation: which entry of the run queue, which has two or more, runs next. Absent: the oldest. */
  readonly pick?: ((queue: RunQueue) => number) | undefined;
  /** In a simulation: does `greenlet`, which starts `op`, give way first? Absent: only when its budget is spent. */
  readonly preempt?: ((greenlet: Greenlet, op: Op<unknown>) => boolean) | undefined;
  /** In a simulation: a number from 0 to `count` - 1 for the decision `what`. Absent: drawn with `random`. */
  readonly choose?: ((count: number, what: string) => number) | undefined;
  /** Absent where the host has no ambient context. */
  readonly context?: ContextCarrier | undefined;
}
