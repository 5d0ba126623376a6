// call-frames.ts: the callers' frames of an error that crossed a `call`.
//
// A callee runs on a stack of its own, so `error.stack` ends where it was called. `stack` is left as it is; the callers are probed
// when the error passes the first boundary, at most 32 of them, and kept beside the error for whoever prints it.
// Source: S14.

import { kernel, PROBE } from './kernel.ts';
import type { Resume, Trap } from './op.ts';

const MOST_CALLERS = 32;
/** Each level of `yield*` takes two lines of a stack, and V8 cuts stacks at ten lines unless told otherwise. */
const MOST_PROBED_LINES = 400;
const engine = Error as { stackTraceLimit?: number | undefined };
const frames = new WeakMap<object, string[]>();

/** Keep the frames of `callers` (outermost first) for `error`, unless it has some already. */
export function noteCallers(error: unknown, callers: readonly Iterator<Trap, unknown, Resume>[]): void {
  if (typeof error !== 'object' || error === null || frames.has(error)) return;
  const found: string[] = [];
  for (let i = callers.length - 1; i >= 0 && found.length < MOST_CALLERS; i -= 1) {
    try {
      const line = probe(callers[i] as Iterator<Trap, unknown, Resume>)[0];
      if (line !== undefined) found.push(line.trim());
    } catch {
      // A caller that is no generator may do anything when it is resumed.
    }
  }
  frames.set(error, found);
}

/** Where the callers of an error that crossed `call` were, innermost first. */
export function callerFrames(error: unknown): readonly string[] {
  return (typeof error === 'object' && error !== null && frames.get(error)) || [];
}

/** The stack lines of a generator that is suspended in a leaf, innermost first, without the kernel's own. */
export function probe(iterator: Iterator<Trap, unknown, Resume>): string[] {
  kernel.probedStack = '';
  const limit = engine.stackTraceLimit;
  engine.stackTraceLimit = MOST_PROBED_LINES;
  try {
    iterator.next(PROBE);
  } finally {
    engine.stackTraceLimit = limit;
  }
  const lines = kernel.probedStack.split('\n').filter((line) => /^\s+at /.test(line));
  // From this function outwards the stack is that of whoever asked.
  const asker = lines.findIndex((line) => line.includes('call-frames'));
  return lines.slice(0, asker < 0 ? undefined : asker).filter((line) => !KERNEL_FRAME.test(line));
}

// Lines of ours are of no use to the reader of a report: the leaf, and the wrappers that forward to it.
const KERNEL_FRAME =
  /[\\/]core[\\/](leaf|frame|wrapper-frame|composite|call|body|scope|timeout|shield|no-block|gather|use|members|pool|testing[\\/](blocked|switches))\.[jt]s|node:internal|\.next \(<anonymous>\)/;
