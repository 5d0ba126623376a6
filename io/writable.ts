// writable.ts: what may be written to a byte stream, and the check of what a caller gives for it, before any IO.
//
// A string stays one until it leaves, so that strings that follow each other can be joined as strings. Bytes are not copied: the view that a caller gives
// is what is sent. Only shared memory is, because another thread may write to it at any time.

import { rangeError, typeError } from '../core/bad-argument.ts';
import { shownValue } from './address.ts';
import type { Piece } from './write-queue.ts';

/** What may be written. */
export type Writable = string | ArrayBufferView | ArrayBufferLike;

/** A write larger than this is refused: operating systems take no more at once. */
export const MOST_WRITTEN: number = 2 ** 31 - 1;

/** Check what is to be written, in the words of `op`. @throws TypeError if it is neither text nor bytes. */
export function pieceOf(data: unknown, op: string): Piece {
  if (typeof data === 'string') return data;
  if (data instanceof Uint8Array && !isShared(data.buffer)) return data;
  if (ArrayBuffer.isView(data)) {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    return isShared(data.buffer) ? Buffer.from(bytes) : bytes;
  }
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  if (isShared(data)) return Buffer.from(Buffer.from(data));
  throw typeError(`${op} takes a string, a typed array, a DataView or an ArrayBuffer, not ${shownValue(data)}`);
}

/** How many bytes `piece` has: of UTF-8, if it is a string. */
export function sizeOf(piece: Piece): number {
  return typeof piece === 'string' ? Buffer.byteLength(piece) : piece.length;
}

/** @throws RangeError, in the words of `op`, if `size` is more than can be written at once. */
export function checkSize(size: number, op: string): number {
  if (size > MOST_WRITTEN) throw rangeError(`${op} takes at most ${MOST_WRITTEN} bytes at once, not ${size}`);
  return size;
}

/** `piece` as bytes: a string is encoded, bytes are seen where they are. */
export function bytesOf(piece: Piece): Buffer {
  if (typeof piece === 'string') return Buffer.from(piece);
  return Buffer.isBuffer(piece) ? piece : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

function isShared(memory: unknown): memory is SharedArrayBuffer {
  return typeof SharedArrayBuffer === 'function' && memory instanceof SharedArrayBuffer;
}
