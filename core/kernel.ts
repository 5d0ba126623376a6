// kernel.ts: the module-level state of the kernel, all of it: who runs now, with what budget, and in which scheduler.
//
// There is one kernel per realm. Everything else hangs on a Scheduler, of which there may be several (the process's own, and one
// for each simulation); a scheduler puts itself here for the length of a turn and puts back what was there before.
//
// The shared records live here too. Only one greenlet runs at a time, and nothing runs between the start of an Op and the moment its
// result is taken, so one READY result and one resume result serve everybody.
//
// Invariants:
//   current is NOBODY outside a step
//   readyResult and wakeResult hold no value after a slice

import type { Transfer } from './coroutine.ts';
import { UsageError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import type { Trap } from './op.ts';
import type { Scheduler } from './scheduler.ts';
import type { OpWatch } from './unstarted.ts';

class Token {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** The tokens with which a leaf is resumed. Anything else is misuse. */
export const WAKE: Token = new Token('wake');
export const PROBE: Token = new Token('probe');

/** The results that a step can end with, besides `done`. The run loop tells them apart by identity. */
export const PARK_RESULT: IteratorYieldResult<Trap> = { done: false, value: new Token('park') as unknown as Trap };
export const CALL_RESULT: IteratorYieldResult<Trap> = { done: false, value: new Token('call') as unknown as Trap };
export const SWITCH_RESULT: IteratorYieldResult<Trap> = { done: false, value: new Token('switch') as unknown as Trap };
export const CLOSE_RESULT: IteratorYieldResult<Trap> = { done: false, value: new Token('close') as unknown as Trap };

/** What an Op that completes at its start returns through READY; `look` puts its value here. */
export const readyResult: { done: true; value: unknown } = { done: true, value: undefined };
/** What a leaf returns when its greenlet is woken with a value. */
export const wakeResult: { done: true; value: unknown } = { done: true, value: undefined };

/** How many Ops a greenlet may complete in one step without waiting. */
export const STEP_BUDGET: number = 256;

class Kernel {
  /** The greenlet whose step this is; NOBODY (a greenlet that is done) outside steps. Set once greenlet.ts is loaded. */
  current!: Greenlet;
  /** What `current` is outside steps. */
  nobody!: Greenlet;
  /** How many more Ops the current greenlet may complete before it has to yield. */
  budget: number = STEP_BUDGET;
  /** The scheduler whose turn this is, or the process's own between turns; undefined until a driver is installed. */
  scheduler: Scheduler | undefined = undefined;
  /** The Op of the CALL that is being handed to the run loop. */
  callee: unknown = undefined;
  /** The transfer between coroutines that is being handed to the run loop. */
  transfer: Transfer | undefined = undefined;
  /** In development mode: who is told of the Ops that are made. */
  watch: OpWatch | undefined = undefined;
  /** The stack that the last probe took. */
  probedStack = '';
}

export const kernel: Kernel = new Kernel();

/** The scheduler that a spawn from here would use. @throws UsageError if no driver is installed. */
export function requireScheduler(): Scheduler {
  const { scheduler } = kernel;
  if (scheduler === undefined) throw noScheduler();
  return scheduler;
}

function noScheduler(): UsageError {
  return new UsageError('no scheduler is installed: import tendril (Node), or call install(driver) of tendril/core');
}
