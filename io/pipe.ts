// pipe.ts: `pipe(source, target)`: all bytes of one stream into another; `pipeBoth(a, b)`: both directions of two, which is a proxy.
//
// What was read is written before more is read, and a write waits for room: so a slow target slows the source, and memory holds one read's worth. The
// bytes are handed on as they were read, not copied. The end is handed on too, and the other direction goes on.
//
// A kill finds every byte on one side or the other: what was read and could not be written is put back where the source can take it back.
//
// A pipe closes nothing: who has opened a stream closes it. A target whose source failed is not ended: an end would make a part look like the whole.
//
// Sources: Go's io.Copy; Node's stream.pipeline; S6.

import { composite } from '../core/composite.ts';
import { InternalError, isKilled, UsageError } from '../core/errors.ts';
import { all } from '../core/gather.ts';
import { isOp, nameOf, type Op } from '../core/op.ts';
import { checkOptions, ownFlag } from './address.ts';
import { type ByteSink, type ByteSource, requireMethod } from './byte-streams.ts';
import { PipeError } from './framing-errors.ts';

export interface PipeOptions {
  /** End the target when the source has ended: true by default. */
  readonly end?: boolean | undefined;
}

/** How many bytes a proxy has carried each way. */
export interface PipedBytes {
  readonly aToB: number;
  readonly bToA: number;
}

function* carry(source: ByteSource, target: ByteSink, end: boolean): Op<number> {
  let bytes = 0;
  for (;;) {
    let chunk: Uint8Array | null;
    try {
      chunk = yield* source.read();
    } catch (error) {
      throw sided(error, source, target, 'source', bytes);
    }
    if (chunk === null) break;
    try {
      yield* target.write(chunk);
    } catch (error) {
      putBack(source, chunk);
      throw sided(error, source, target, 'target', bytes);
    }
    bytes += chunk.length;
  }
  try {
    if (end) {
      const ending = target.end?.();
      if (isOp(ending)) yield* ending;
    }
    if (target.flush !== undefined) yield* target.flush();
  } catch (error) {
    throw sided(error, source, target, 'target', bytes);
  }
  return bytes;
}

/** A write that throws has queued nothing, so its bytes are still the source's. */
function putBack(source: ByteSource, chunk: Uint8Array): void {
  try {
    source.unread?.(chunk);
  } catch (error) {
    // Closed meanwhile, or read by somebody else: then nobody is left to give them to. The error that brought us here says what happened.
    if (!(error instanceof UsageError)) throw error;
  }
}

/** What to throw for `error` of one side. The program's own faults, and a kill, are nobody's side. */
function sided(
  error: unknown,
  source: ByteSource,
  target: ByteSink,
  side: 'source' | 'target',
  bytes: number,
): unknown {
  if (isKilled(error) || error instanceof UsageError || error instanceof InternalError) return error;
  return new PipeError(`from ${nameIn(source)} to ${nameIn(target)}`, side, bytes, error);
}

function nameIn(stream: object): string {
  const name = String(stream);
  return name === '[object Object]' ? nameOf(stream) : name;
}

/**
 * Copy all bytes of `source` to `target`, then its end, and return how many they were.
 *
 * Switches as the two do. Returns when everything has left `target`. If it throws, `target` is not ended; after Killed or TimeoutError every byte is
 * either written to `target` or can still be read from `source`, if that has `unread`.
 *
 * @throws PipeError for the first error of either side, which it names; the error itself is its `cause`. @throws BusyError, ClosedError unchanged.
 * @throws TypeError, at the call, for what cannot be read or written, and for bad options. @throws Killed if the greenlet is killed while it waits.
 * @see https://pkg.go.dev/io#Copy
 */
export function pipe(source: ByteSource, target: ByteSink, options?: PipeOptions): Op<number> {
  const where = 'pipe';
  requireMethod(source, 'read', where);
  requireMethod(target, 'write', where);
  return composite(carry, source, target, ownFlag(checkOptions(options, where), 'end', true, where));
}

function* carryBoth(a: ByteSource & ByteSink, b: ByteSource & ByteSink): Op<PipedBytes> {
  const [aToB, bToA] = yield* all([pipe(a, b), pipe(b, a)]);
  return { aToB, bToA };
}

/**
 * Copy `a` to `b` and `b` to `a` until both have ended: a proxy.
 *
 * Switches. Each direction ends by itself and hands on its end. When one fails the other is killed. However it ends, nothing is left running, and both
 * streams are still open: close them.
 *
 * @throws as `pipe`, for the first error in time. @throws Killed if the greenlet is killed while it waits.
 */
export function pipeBoth(a: ByteSource & ByteSink, b: ByteSource & ByteSink): Op<PipedBytes> {
  for (const stream of [a, b]) {
    requireMethod(stream, 'read', 'pipeBoth');
    requireMethod(stream, 'write', 'pipeBoth');
  }
  return composite(carryBoth, a, b);
}
