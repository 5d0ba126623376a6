// errand.ts: an Op that ordinary code has done for it, in a greenlet of its own, and is told of by a callback.
//
// Where streams of Node and of the web ask for something, no greenlet is running. The world in which the errand runs is the one in which its stream was
// made, not whichever is current when Node calls.
//
// The callback comes at the end of a turn, outside every greenlet, as a link does: it may run code of users.

import { Greenlet, type GreenletOutcome } from '../core/greenlet.ts';
import { kernel } from '../core/kernel.ts';
import { isOp, type Op } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';

/** Run what `op` makes in a new greenlet of `scheduler`, and tell `done` how it ended. */
export function runErrand<T>(
  scheduler: Scheduler,
  name: string,
  op: () => Op<T>,
  done: (outcome: GreenletOutcome<T>) => void,
): Greenlet<T> {
  const outer = kernel.scheduler;
  kernel.scheduler = scheduler;
  try {
    const greenlet = new Greenlet<T>(errand<T>, op);
    greenlet.rare().name = name;
    greenlet.link(() => {
      if (greenlet.outcome !== undefined) done(greenlet.outcome);
    });
    return greenlet.start();
  } finally {
    kernel.scheduler = outer;
  }
}

// `op` is called here and not outside: what it throws is how the errand ends.
function* errand<T>(op: () => Op<T>): Op<T> {
  return yield* op();
}

/** Close `stream`, if that can be done; if it has to be waited for, in an errand. What goes wrong then is reported, because nobody else would learn of it. */
export function closeLater(scheduler: Scheduler, stream: { close?(): unknown }): void {
  const closing = stream.close?.();
  if (!isOp(closing)) return;
  runErrand(
    scheduler,
    `close of ${String(stream)}`,
    () => closing,
    (outcome) => {
      if (!outcome.ok && !outcome.killed) scheduler.report(outcome.error, undefined);
    },
  );
}
