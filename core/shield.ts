// shield.ts: `shield(op)`: let `op` finish although this greenlet is being killed.
//
// Inside, whatever was cancelled outside is masked, for a grace that starts when something outside becomes pending. At its end the
// shield is transparent. It masks neither throw() nor timeouts inside it, and is no blocking point itself.
// Source: trio's shielded cancel scopes; the grace is ours, because a cleanup that hangs is the commonest kill that never ends (S5).

import { typeError } from './bad-argument.ts';
import { requireOp } from './body.ts';
import { NotInGreenletError } from './errors.ts';
import { interruptionChanged } from './frame.ts';
import type { Greenlet } from './greenlet.ts';
import { kernel } from './kernel.ts';
import type { Op, Resume, Trap } from './op.ts';
import { ATTENTION, COUNTED, DONE } from './status.ts';
import { created, used } from './unstarted.ts';
import { WrapperFrame } from './wrapper-frame.ts';

export const DEFAULT_GRACE_MS = 5000;

class ShieldFrame extends WrapperFrame {
  readonly #graceMs: number;
  #transparent = false;

  constructor(greenlet: Greenlet, graceMs: number) {
    super('shield', greenlet);
    this.#graceMs = graceMs;
  }

  override masks(): boolean {
    return !this.#transparent;
  }

  override outerCancelled(): void {
    if (this.slot !== -1 || this.#graceMs === Number.POSITIVE_INFINITY) return;
    this.greenlet.scope.scheduler.timeouts.arm(this, this.#graceMs);
    this.greenlet.scope.scheduler.timersChanged();
  }

  override due(): void {
    this.#transparent = true;
    interruptionChanged(this.greenlet);
  }
}

class ShieldOp<T> implements Op<T> {
  readonly #op: Op<T>;
  readonly #graceMs: number;
  #started = false;
  constructor(op: Op<T>, graceMs: number) {
    this.#op = op;
    this.#graceMs = graceMs;
  }

  [Symbol.iterator](): Iterator<Trap, T, Resume> {
    const me = kernel.current;
    if ((me.status & DONE) !== 0) throw new NotInGreenletError('shield');
    const frame = new ShieldFrame(me, this.#graceMs);
    frame.enter();
    if ((me.status & (ATTENTION | COUNTED)) !== 0) interruptionChanged(me);
    const started = this.#started;
    this.#started = true;
    return frame.begin(this.#op, started, 'shield');
  }
}

/**
 * Run `op` to its end although a kill, or the expiry of a timeout outside, is pending, for at most `graceMs` from then (5,000 by default).
 *
 * Switches as `op` does. After the grace, Ops in it throw Killed like any other. `Infinity` must be written out.
 *
 * @throws whatever `op` throws. @throws TypeError if `graceMs` is no number or negative, or `op` no Op.
 * @see https://trio.readthedocs.io/en/stable/reference-core.html#trio.CancelScope.shield
 */
export function shield<T>(op: Op<T>): Op<T>;
export function shield<T>(graceMs: number, op: Op<T>): Op<T>;
export function shield<T>(first: number | Op<T>, second?: Op<T>): Op<T> {
  const graceMs = second === undefined ? DEFAULT_GRACE_MS : (first as number);
  const op = second ?? (first as Op<T>);
  requireOp(op, 'shield');
  if (typeof graceMs !== 'number' || !(graceMs >= 0))
    throw typeError(`shield: graceMs must be a number >= 0, not ${String(graceMs)}`);
  used(op);
  return created(new ShieldOp(op, graceMs));
}
