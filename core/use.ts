// use.ts: `lock.use(op)`: acquire, run `op`, release, however it ends.
//
// One implementation for everything that is acquired and released. It is a generator, because a lock that is held over an Op is no hot path, and
// `finally` is what a reader looks for.

import { isGenerator, requireOp } from './body.ts';
import { OpReusedError } from './errors.ts';
import type { Op, Resume, Trap, Waitable } from './op.ts';
import { created, used } from './unstarted.ts';

/** What can be held while an Op runs. */
export interface Holdable {
  acquire(): Waitable<unknown>;
  release(): void;
}

class Use<T> implements Op<T> {
  readonly #held: Holdable;
  readonly #op: Op<T>;
  #started = false;
  constructor(held: Holdable, op: Op<T>) {
    this.#held = held;
    this.#op = op;
  }

  *[Symbol.iterator](): Generator<Trap, T, Resume> {
    if (this.#started && isGenerator(this.#op)) throw new OpReusedError('use');
    this.#started = true;
    yield* this.#held.acquire();
    try {
      return yield* this.#op;
    } finally {
      this.#held.release();
    }
  }
}

/** Run `op` while holding `held`. Switches as `acquire` and `op` do. @throws whatever they throw; `held` is released in any case. */
export function use<T>(held: Holdable, op: Op<T>): Op<T> {
  requireOp(op, 'use');
  used(op);
  return created(new Use(held, op));
}
