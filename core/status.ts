// status.ts: the state of a greenlet and the flags beside it, packed into one small integer.
//
// The states are one-hot, so that "running, and nothing asks for attention" is a single comparison at the start of every Op, and
// "woken with a plain value" is a single comparison at every resume. The hot moves (park, wake, resume) test the state they
// need right where they happen; `moved` is the table for all others, and throws at an illegal one.
//
//   new      unstarted, possibly queued          ready   queued, will be resumed
//   running  the one whose step this is          parked  enlisted with what it waits for       done  ended

import { InternalError } from './errors.ts';

export type GreenletState = 'new' | 'ready' | 'running' | 'parked' | 'done';

export const NEW: number = 1;
export const READY: number = 2;
export const RUNNING: number = 4;
export const PARKED: number = 8;
export const DONE: number = 16;
export const STATE: number = 31;

/** An Op was started and `yield*` has not yet come for the park token. */
export const ARRIVING: number = 1 << 5;
/** A kill, an expired frame or a throw is pending and not masked. */
export const ATTENTION: number = 1 << 6;
/** Deliveries of Killed have been counted since an Op last returned a value. */
export const COUNTED: number = 1 << 7;
/** The generators are being closed (S3's last resort). */
export const CLOSING: number = 1 << 8;
/** Queued without a commit: the leaf throws what is pending. */
export const RETRACTED: number = 1 << 9;
/** `value` is an error to throw; of a done greenlet: its outcome. */
export const FAILED: number = 1 << 10;
/** `value` is a function that makes the error, so that it carries the victim's stack. */
export const LAZY: number = 1 << 11;
/** Queued by its own wish: a kill makes it throw at that point. */
export const YIELDED: number = 1 << 12;
/** Queued because the budget is spent: the leaf starts `waitingOn` again. */
export const RESTART: number = 1 << 13;
export const DAEMON: number = 1 << 14;
/** Somebody joined, linked or asked for the promise. */
export const SEEN: number = 1 << 15;
export const KILL_REQUESTED: number = 1 << 16;
/** Done, failed, not seen yet: queued once more to find out whether anybody will look (S10). */
export const UNSEEN: number = 1 << 17;
/** Ended with a Killed of its own. */
export const KILLED: number = 1 << 18;
/** Nothing happens to it through `call`: set while callers wait in the side record. */
export const CALLING: number = 1 << 19;
/** `start()` was called: it is in the registry. */
export const STARTED: number = 1 << 20;
/** Ended before its first step: its first entry in the run queue is stale. */
export const STALE_ENTRY: number = 1 << 21;

/** unpark() came before park(). */
export const PERMIT: number = 1 << 22;
/** Inside noBlock(): a start that would enlist throws. */
export const NO_BLOCK: number = 1 << 23;
/** Started, but not queued yet: spawnLater. */
export const DELAYED: number = 1 << 24;

/** An Op may take the fast path when `status & START_MASK` is exactly RUNNING. */
export const START_MASK: number = STATE | ATTENTION | COUNTED | CLOSING | NO_BLOCK;
/** A resume delivers a plain value when `status & RESUME_MASK` is exactly READY. */
export const RESUME_MASK: number = STATE | COUNTED | CLOSING | RETRACTED | FAILED | LAZY | RESTART;

/** How a waiter is fired: 0 with a value, FAILED with an error, LAZY with a function that makes the error. */
export type Outcome = number;

const NAMES: ReadonlyMap<number, GreenletState> = new Map([
  [NEW, 'new'],
  [READY, 'ready'],
  [RUNNING, 'running'],
  [PARKED, 'parked'],
  [DONE, 'done'],
]);

// From each state, where a greenlet may go: looked up by the state itself, because a Map costs more than the move.
const MOVES: readonly number[] = Array.from({ length: STATE + 1 }, (_, state) => movesFrom(state));

function movesFrom(state: number): number {
  if (state === NEW) return READY | RUNNING | DONE;
  if (state === READY) return RUNNING | DONE;
  if (state === RUNNING) return PARKED | READY | DONE;
  return state === PARKED ? READY | RUNNING : 0;
}

/** The name of the state in `status`. */
export function stateName(status: number): GreenletState {
  const name = NAMES.get(status & STATE);
  if (name === undefined) throw new InternalError(`no such state: ${status & STATE}`);
  return name;
}

/** `status` with its state replaced; throws InternalError if the table does not allow that move. */
export function moved(status: number, to: number): number {
  if (((MOVES[status & STATE] as number) & to) === 0) throw illegalMove(status, to);
  return (status & ~STATE) | to;
}

function illegalMove(status: number, to: number): InternalError {
  return new InternalError(`illegal move of a greenlet from ${stateName(status)} to ${stateName(to)}`);
}
