// blocked.ts: `waitAllBlocked()`: wait until everybody else waits.
//
// `idle()` is nearly that, but it is woken before the timeouts of its instant expire and before the callbacks of its turn: when it runs, others
// may be queued again. This looks whether they are, and if so waits once more, so nobody else is runnable when it returns. Several may wait
// so at once; they do not wait for each other.
//
// Under a virtual clock it returns before time advances. A cushion is for real time: what is on its way from outside (a socket on loopback) counts as
// blocked until it comes.
// Source: trio.testing.wait_all_tasks_blocked.

import { rangeError } from '../bad-argument.ts';
import { composite } from '../composite.ts';
import type { Greenlet } from '../greenlet.ts';
import { requireCaller } from '../hold.ts';
import { idle } from '../idle.ts';
import type { Instrument } from '../instruments.ts';
import type { Op, Resume, Trap } from '../op.ts';
import { requireMs, sleep } from '../sleep.ts';
import { ATTENTION, NEW, READY } from '../status.ts';

export interface WaitAllBlockedOptions {
  /** Nobody else may have run for so long. 0 if not given: not at this moment. */
  readonly cushionMs?: number | undefined;
}

/** Those who wait here, each with its wait: being queued to look around does not count as being able to run. */
const watching: WeakMap<Greenlet, object> = new WeakMap();

function couldRun(greenlet: Greenlet): boolean {
  if ((greenlet.status & (READY | NEW)) === 0) return false;
  return !watching.has(greenlet) || (greenlet.status & ATTENTION) !== 0;
}

function* untilBlocked(cushionMs: number): Generator<Trap, void, Resume> {
  const me = requireCaller('waitAllBlocked');
  watching.set(me, {});
  try {
    for (;;) {
      yield* idle();
      if (me.scope.scheduler.runQueue.entries().some(couldRun)) continue;
      if (cushionMs === 0 || !(yield* somebodyRuns(me, cushionMs))) return;
    }
  } finally {
    watching.delete(me);
  }
}

/** Wait `ms`. True if another greenlet has run meanwhile, or could run now. */
function* somebodyRuns(me: Greenlet, ms: number): Generator<Trap, boolean, Resume> {
  const { scheduler } = me.scope;
  let ran = false;
  let before = watching.get(me); // this step may be told of when it ends
  // To look around again is no step of anybody's: it begins and ends in the same wait.
  const ended = (greenlet: Greenlet): void => {
    const now = watching.get(greenlet);
    if (now === undefined || now !== before) ran = true;
  };
  const running = (greenlet: Greenlet): void => {
    before = watching.get(greenlet);
  };
  const instrument: Instrument = { running, parked: ended, ended };
  const remove = scheduler.instrument(instrument);
  try {
    yield* sleep(ms);
  } finally {
    remove();
  }
  return ran || scheduler.runQueue.entries().some(couldRun);
}

/**
 * Wait until every other greenlet of this world, daemons included, is blocked: none can run before time passes or something comes from outside.
 *
 * Always switches. One that spins (`yieldNow` in a loop) keeps it waiting. If it throws, nothing has changed.
 *
 * @throws TypeError or RangeError if `cushionMs` is no finite number from 0 on. @throws Killed if killed while waiting.
 * @see https://trio.readthedocs.io/en/stable/reference-testing.html#trio.testing.wait_all_tasks_blocked
 */
export function waitAllBlocked(options: WaitAllBlockedOptions = {}): Op<void> {
  const cushionMs = requireMs(options.cushionMs ?? 0, 'waitAllBlocked');
  if (cushionMs < 0 || cushionMs === Number.POSITIVE_INFINITY)
    throw rangeError(`the cushion of waitAllBlocked is a finite number of milliseconds from 0 on, not ${cushionMs}`);
  return composite(untilBlocked, cushionMs);
}
