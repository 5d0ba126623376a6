// no-block.ts: `noBlock(op)`: run `op`, but throw WouldBlockError where it would have to wait.
//
// While the frame is open a flag sends every start down the slow path, which looks and refuses to enlist. So it covers calls too, and costs
// nothing to anybody else.
// Source: Stackless' block_trap.

import { requireOp } from './body.ts';
import { NotInGreenletError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { kernel } from './kernel.ts';
import type { Op, Resume, Trap } from './op.ts';
import { DONE, NO_BLOCK } from './status.ts';
import { created, used } from './unstarted.ts';
import { WrapperFrame } from './wrapper-frame.ts';

class NoBlockFrame extends WrapperFrame {
  readonly #before: number;
  constructor(greenlet: Greenlet) {
    super('noBlock', greenlet);
    this.#before = greenlet.status & NO_BLOCK;
    greenlet.status |= NO_BLOCK;
  }
  override leave(): void {
    this.greenlet.status = (this.greenlet.status & ~NO_BLOCK) | this.#before;
    super.leave();
  }
}

class NoBlockOp<T> implements Op<T> {
  readonly #op: Op<T>;
  #started = false;
  constructor(op: Op<T>) {
    this.#op = op;
  }

  [Symbol.iterator](): Iterator<Trap, T, Resume> {
    const me = kernel.current;
    if ((me.status & DONE) !== 0) throw new NotInGreenletError('noBlock');
    const frame = new NoBlockFrame(me);
    frame.enter();
    const started = this.#started;
    this.#started = true;
    return frame.begin(this.#op, started, 'noBlock');
  }
}

/**
 * Run `op` without ever switching: an Op in it that would have to wait throws WouldBlockError instead, and has not happened.
 *
 * Never switches.
 *
 * @throws WouldBlockError inside `op`, which may catch it; whatever else `op` throws. @throws TypeError if `op` is no Op.
 * @see https://stackless.readthedocs.io/en/latest/library/stackless/tasklets.html#tasklet.block_trap
 */
export function noBlock<T>(op: Op<T>): Op<T> {
  requireOp(op, 'noBlock');
  used(op);
  return created(new NoBlockOp(op));
}
