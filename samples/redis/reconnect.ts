// reconnect.ts: try until it works, with pauses that grow.
//
// It never gives up by itself: whoever does not want it any more kills the greenlet that runs it, and puts a timeout around what waits for it.

import { type Op, supervise } from 'tendril';

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Run `attempt` until it returns; `failed` is told of each error. The pauses double, and vary, so that many clients do not come back in step. */
export function untilItWorks<T>(attempt: () => Op<T>, backoff: Backoff, failed: (error: unknown) => void): Op<T> {
  return supervise(attempt, {
    backoff: { ...backoff, jitter: 0.5 },
    healthyMs: Number.POSITIVE_INFINITY, // an attempt that took long has failed like any other
    onRestart: failed,
  });
}
