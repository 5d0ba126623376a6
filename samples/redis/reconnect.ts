// reconnect.ts: try until it works, with pauses that grow.
//
// It never gives up by itself: whoever does not want it any more kills the greenlet that runs it, and puts a timeout around what waits for it.

import { type Op, rethrowKilled, sleep } from 'tendril';

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Run `attempt` until it returns; `failed` is told of each error. The pauses double, and vary, so that many clients do not come back in step. */
export function* untilItWorks<T>(
  attempt: () => Op<T>,
  { firstMs, mostMs }: Backoff,
  failed: (error: unknown) => void,
): Op<T> {
  for (let pauseMs = firstMs; ; pauseMs = Math.min(pauseMs * 2, mostMs)) {
    try {
      return yield* attempt();
    } catch (error) {
      rethrowKilled(error);
      failed(error);
    }
    yield* sleep(pauseMs * (0.5 + Math.random() / 2));
  }
}
