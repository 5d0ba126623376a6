// holding.ts: `holding(lock, op)`: run an Op with a managed lock held.
//
// It is what `lock.use(op)` is for a lock of this thread. To release a managed lock is a call that waits, so it is shielded: a kill does not keep it.

import { isGenerator, requireOp } from '../../core/body.ts';
import { composite } from '../../core/composite.ts';
import { OpReusedError } from '../../core/errors.ts';
import type { Op, Waitable } from '../../core/op.ts';
import { shield } from '../../core/shield.ts';
import { used } from '../../core/unstarted.ts';

/** What is acquired and released by waiting. */
export interface HeldByWaiting {
  acquire(): Waitable<unknown>;
  release(): Waitable<unknown>;
}

/**
 * Run `op` while `lock` is held, and release it however `op` ends.
 *
 * Switches. @throws whatever `acquire`, `op` and `release` throw. @throws TypeError, at the call, if `op` is no Op.
 */
export function holding<T>(lock: HeldByWaiting, op: Op<T>): Op<T> {
  requireOp(op, 'holding');
  used(op);
  let started = false;
  return composite(function* (): Op<T> {
    if (started && isGenerator(op)) throw new OpReusedError('holding');
    started = true;
    yield* lock.acquire();
    try {
      return yield* op;
    } finally {
      yield* shield(lock.release());
    }
  });
}
