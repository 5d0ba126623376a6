// wrapper-frame.ts: a frame that is the iterator of the one Op that it wraps: timeout, shield, noBlock.
//
// It forwards next, throw and return, and is left exactly once, however the Op ends: a foreign yield or a close would skip inner finally blocks
// otherwise. An Op that completes at its start never shows itself: the frame is left at once and READY takes its place.

import { startInner } from './body.ts';
import { Frame } from './frame.ts';
import { readyResult } from './kernel.ts';
import { READY_LEAF } from './leaf.ts';
import type { Op, Resume, Trap } from './op.ts';

/** A frame that wraps one Op. It is the iterator of that Op: it forwards next, throw and return, and is left exactly once. */
export abstract class WrapperFrame extends Frame implements Iterator<Trap, unknown, Resume> {
  protected inner!: Iterator<Trap, unknown, Resume>;
  #open = true;

  /** Start `op` in this frame, which is open: returns the iterator for `yield*`. `started` says whether the wrapper has been started before. */
  begin(op: Op<unknown>, started: boolean, wrapper: string): Iterator<Trap, never, Resume> {
    try {
      this.inner = startInner(op, started, wrapper);
    } catch (error) {
      readyResult.value = this.ended(error).value;
      return READY_LEAF as Iterator<Trap, never, Resume>;
    }
    if (this.inner !== READY_LEAF) return this as Iterator<Trap, unknown, Resume> as Iterator<Trap, never, Resume>;
    this.leaveOnce();
    return READY_LEAF as Iterator<Trap, never, Resume>;
  }

  /** The inner Op threw; the frame has been left. Return a value in its place, or throw. */
  protected failed(error: unknown): unknown {
    throw error;
  }

  next(token: Resume): IteratorResult<Trap, unknown> {
    let result: IteratorResult<Trap, unknown>;
    let done: boolean | undefined;
    try {
      result = this.inner.next(token);
      done = result.done; // of a foreign iterator this may throw
    } catch (error) {
      return this.ended(error);
    }
    if (done === true) this.leaveOnce();
    return result;
  }

  throw(error: unknown): IteratorResult<Trap, unknown> {
    let result: IteratorResult<Trap, unknown>;
    try {
      if (this.inner.throw === undefined) throw error;
      result = this.inner.throw(error);
    } catch (thrown) {
      return this.ended(thrown);
    }
    if (result.done === true) this.leaveOnce();
    return result;
  }

  return(value?: unknown): IteratorResult<Trap, unknown> {
    try {
      const result = this.inner.return?.(value) ?? { done: true as const, value };
      if (result.done === true) this.leaveOnce();
      return result;
    } catch (error) {
      this.leaveOnce();
      throw error;
    }
  }

  /** Leave the frame because the inner Op threw `error`. */
  protected ended(error: unknown): IteratorResult<Trap, unknown> {
    this.leaveOnce();
    return { done: true, value: this.failed(error) };
  }

  private leaveOnce(): void {
    if (!this.#open) return;
    this.#open = false;
    this.leave();
  }
}
