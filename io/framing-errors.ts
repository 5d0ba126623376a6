// framing-errors.ts: what can go wrong between bytes and messages, and where bytes are handed from one stream to another.
//
// All of them are the world's fault (ResourceError): a peer, a file, a foreign stream caused them.

import { printable, ResourceError } from '../core/errors.ts';
import { codeOf, type WriteProgress } from './errors.ts';

/**
 * A frame is longer than its codec allows, or its length is none: negative, a fraction, NaN. Found before anything is allocated for it.
 *
 * A receiver has taken nothing of it, and gets the same error ever after: where the next frame begins, nobody knows.
 */
export class FrameTooLargeError extends ResourceError {
  override readonly code: string = 'ERR_FRAME_TOO_LARGE';
  /** The length that was announced; undefined if none was, and the end of the frame has not come within the limit. */
  readonly length: number | undefined;
  readonly limit: number;
  constructor(what: string, length: number | undefined, limit: number) {
    super(
      length === undefined
        ? `${what}: no end of the frame within ${limit} bytes`
        : `${what}: a frame of ${length} bytes was announced, the limit is ${limit}`,
    );
    this.length = length;
    this.limit = limit;
  }
}

/** A codec could not make a value of what came. `cause` is what it threw. Every later receive gets this error too. */
export class DecodeError extends ResourceError {
  override readonly code: string = 'ERR_DECODE';
  /** Where the value begins, counted in bytes from the first that this codec was given. */
  readonly offset: number;
  constructor(what: string, offset: number, cause: unknown) {
    super(`${what}: the value at byte ${offset} cannot be decoded: ${printable(cause)}`, { cause });
    this.offset = offset;
  }
}

/** A pipe has stopped because one of its sides failed. `code` is that of the `cause`, if it has one. */
export class PipeError extends ResourceError {
  override readonly code: string;
  /** Which side failed: the one that was read, or the one that was written. */
  readonly side: 'source' | 'target';
  /** How many bytes the target had taken. */
  readonly bytes: number;
  constructor(names: string, side: 'source' | 'target', bytes: number, cause: unknown) {
    super(`pipe ${names}: the ${side} failed after ${bytes} bytes: ${printable(cause)}`, { cause });
    this.code = codeOf(cause) ?? 'ERR_PIPE';
    this.side = side;
    this.bytes = bytes;
  }
}

/** A stream of Node's or of the web, or an async iterable, has failed, or was destroyed by others before its end. `cause` is its own error. */
export class StreamError extends ResourceError {
  override readonly code: string;
  readonly bytesQueued: number;
  readonly bytesFlushed: number;
  constructor(what: string, cause: unknown, progress: WriteProgress) {
    const code = codeOf(cause) ?? 'ERR_STREAM';
    super(`${what}: the stream failed (${code})${cause === undefined ? '' : `: ${printable(cause)}`}`, { cause });
    this.code = code;
    this.bytesQueued = progress.bytesQueued;
    this.bytesFlushed = progress.bytesFlushed;
  }
}
