// ownership-calls.ts: calls that follow the cancellation of the greenlet which made them, through the AbortSignal that they take.
//
// A call is no handle: it ends by itself, so a greenlet that ends well leaves it alone. If the greenlet is killed, or a scope or timeout around the call is
// cancelled, before the call is over, its signal aborts, also if the caller has left that scope meanwhile for the one around it. A signal of the caller's own aborts it too.
//
// A promise that is given up in this way counts as handled: who was killed cannot look any more, and a kill must not end the process.

import { onCancel } from '../core/cancellation.ts';
import type { Frame } from '../core/frame.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { kernel } from '../core/kernel.ts';
import { abortError, abortReason } from '../io/abort-signal.ts';
import { guarded, runningGreenlet } from './ownership.ts';
import { openerOf } from './ownership-opener.ts';

// Taken at load: patches never reach us.
const { then } = Promise.prototype;
const { AbortController, AbortSignal } = globalThis;
const ignore = (): void => {};

/** One call under way. */
export class Following {
  readonly #greenlet: Greenlet;
  readonly #controller = new AbortController();
  readonly #theirs: AbortSignal | undefined;
  readonly #unwatch: () => void;
  readonly #onTheirs = (): void => this.#controller.abort(this.#theirs?.reason);
  #cancelledWith: Error | undefined = undefined;
  readonly #told: ((error: Error) => void)[] = [];

  constructor(greenlet: Greenlet, theirs: AbortSignal | undefined) {
    this.#greenlet = greenlet;
    this.#theirs = theirs;
    if (theirs?.aborted === true) this.#onTheirs();
    else theirs?.addEventListener('abort', this.#onTheirs, { once: true });
    this.#unwatch = onCancel(greenlet, (frame) => this.#cancelled(frame), true);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  #cancelled(frame: Frame): void {
    // Always an AbortError, whatever the signal of a greenlet has as its reason: Node's functions say so too.
    const error = abortError(frame.kind === 'timeout' ? abortReason(frame) : frame.reason);
    this.#cancelledWith = error;
    // What gives a call up may call back into the program.
    for (const told of this.#told) guarded(this.#greenlet, () => told(error));
    this.#controller.abort(error);
  }

  /** Have `told` called, once, before the signal aborts because the greenlet is cancelled; at once if it has been. */
  onCancelled(told: (error: Error) => void): void {
    if (this.#cancelledWith === undefined) this.#told.push(told);
    else told(this.#cancelledWith);
  }

  /** Its promise is fulfilled, though the call may go on (a body): nobody has to be told of its rejection, and it is not to be kept with its value. */
  fulfilled(): void {
    this.#told.length = 0;
  }

  /** The call has ended. Idempotent. */
  over(): void {
    this.#unwatch();
    this.#theirs?.removeEventListener('abort', this.#onTheirs);
  }
}

/** What follows the call of `wrapper` whose options are `options`; undefined if it is none of a greenlet's own, or if the options are bad: Node will say so. */
export function following(wrapper: object, options?: unknown): Following | undefined {
  if (kernel.current === kernel.nobody) return undefined;
  const me = runningGreenlet();
  if (me === undefined) return undefined;
  if (typeof options === 'object' ? Array.isArray(options) : options !== undefined && typeof options !== 'string')
    return undefined;
  const theirs = (options as { readonly signal?: unknown } | null | undefined)?.signal ?? undefined;
  if (theirs !== undefined && !(theirs instanceof AbortSignal)) return undefined;
  return openerOf(wrapper) === undefined ? undefined : new Following(me, theirs);
}

/** `args` with the signal of `follow` in the options at `at`. */
export function withSignal(args: readonly unknown[], at: number, follow: Following): unknown[] {
  const given = args[at];
  const options = typeof given === 'string' ? { encoding: given } : ((given ?? {}) as object);
  const merged = { ...options, signal: follow.signal };
  const prototype: unknown = Object.getPrototypeOf(options);
  if (prototype !== Object.prototype) Object.setPrototypeOf(merged, prototype as object | null);
  const copy = [...args];
  copy[at] = merged;
  return copy;
}

/** Make a call that gives a promise: the call is over when that is settled, or only when it is `rejected`. */
export function followPromise(
  follow: Following,
  call: () => unknown,
  over: 'settled' | 'rejected' = 'settled',
): unknown {
  let made: unknown;
  try {
    made = call();
  } catch (error) {
    follow.over();
    throw error;
  }
  if (!(made instanceof Promise)) {
    follow.over();
    return made;
  }
  const promise = then.call(
    made,
    (value) => {
      follow.fulfilled();
      if (over === 'settled') follow.over();
      return value;
    },
    (error) => {
      follow.over();
      throw error;
    },
  );
  handledIfCancelled(follow, promise);
  return promise;
}

/** A rejection of `promise` by the cancellation is no unhandled one. */
export function handledIfCancelled(follow: Following, promise: Promise<unknown>): void {
  follow.onCancelled(() => void then.call(promise, undefined, ignore));
}

/** Make a call that gives an async iterator: it is over when that is. */
export async function* followIterator<T>(
  follow: Following,
  call: () => AsyncIterable<T>,
): AsyncGenerator<T, void, void> {
  try {
    yield* call();
  } finally {
    follow.over();
  }
}
