// framing-lengths.ts: messages whose length is known before they come: all of one size, or with their length in front.
//
// Each is a codec whose values are the messages without what frames them. A codec of your own may call its `encode` and `decode`, and turn bytes into
// something better. Neither keeps anything between calls, so one object serves any number of connections.
//
// A length is checked before anything is allocated for it: what a peer announces costs nothing.
//
// Sources: Netty's FixedLengthFrameDecoder and LengthFieldBasedFrameDecoder; protobuf's varint.

import { rangeError, typeError } from '../core/bad-argument.ts';
import { checkOptions, own, ownCount, ownFlag, shownValue } from './address.ts';
import { type Codec, DEFAULT_FRAME_LIMIT, type DecodeBuffer } from './codec.ts';
import { FrameTooLargeError } from './framing-errors.ts';
import { MOST_WRITTEN, pieceOf, sizeOf } from './writable.ts';

export interface FrameLimit {
  /** The most bytes of a message, without what frames it: 16 MiB by default. */
  readonly limit?: number | undefined;
}

class FixedSizeCodec implements Codec<string | Uint8Array, Buffer> {
  readonly limit: number;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
    this.limit = size;
  }

  encode(message: string | Uint8Array): string | Uint8Array {
    const piece = pieceOf(message, 'send');
    const size = sizeOf(piece);
    if (size !== this.#size) throw rangeError(`a message has ${this.#size} bytes, not ${size}`);
    return piece;
  }

  decode(input: DecodeBuffer): Buffer | undefined {
    return input.size < this.#size ? input.need(this.#size) : input.take(this.#size);
  }
}

/**
 * Make the codec of messages that all have `size` bytes.
 *
 * Its `encode` throws RangeError for a message of another size. @throws RangeError if `size` is no integer from 1 to 2^31-1.
 */
export function fixedSizeCodec(size: number): Codec<string | Uint8Array, Buffer> {
  if (!Number.isInteger(size) || size < 1 || size > MOST_WRITTEN)
    throw rangeError(`fixedSizeCodec takes an integer from 1 to ${MOST_WRITTEN}, not ${shownValue(size)}`);
  return new FixedSizeCodec(size);
}

export interface LengthPrefix extends FrameLimit {
  /** How the length is written: in 1, 2, 4 (the default) or 8 bytes, unsigned, or as a varint: 7 bits a byte, the lowest first. */
  readonly prefix?: 1 | 2 | 4 | 8 | 'varint' | undefined;
  /** Which byte of the prefix comes first: that of the highest value ('big', the default) or of the lowest. */
  readonly endian?: 'big' | 'little' | undefined;
  /** True: the length counts the prefix too. False by default; never for a varint. */
  readonly includesPrefix?: boolean | undefined;
}

const MOST_VARINT_BYTES = 10;

class LengthPrefixedCodec implements Codec<string | Uint8Array, Buffer> {
  readonly limit: number;
  readonly #most: number;
  readonly #prefix: number | 'varint';
  readonly #little: boolean;
  /** What the length counts besides the message. */
  readonly #counted: number;

  constructor(most: number, prefix: number | 'varint', little: boolean, includesPrefix: boolean) {
    this.#most = most;
    this.#prefix = prefix;
    this.#little = little;
    this.#counted = includesPrefix && prefix !== 'varint' ? prefix : 0;
    this.limit = most + (prefix === 'varint' ? MOST_VARINT_BYTES : prefix);
  }

  encode(message: string | Uint8Array): readonly (string | Uint8Array)[] {
    const piece = pieceOf(message, 'send');
    const size = sizeOf(piece);
    if (size > this.#most) throw new FrameTooLargeError('send', size, this.#most);
    const head = this.#prefix === 'varint' ? varint(size) : this.#head(size + this.#counted, this.#prefix);
    return size === 0 ? [head] : [head, piece];
  }

  decode(input: DecodeBuffer): Buffer | undefined {
    const head = this.#prefix === 'varint' ? varintSize(input) : this.#prefix;
    if (input.size < head) return input.need(head);
    const length = this.#length(input, head) - this.#counted;
    if (!(length >= 0 && length <= this.#most)) throw input.tooLarge(length, this.#most);
    if (input.size < head + length) return input.need(head + length);
    input.skip(head);
    return input.take(length);
  }

  // Beyond 2^53 digits are lost, but not that it is too much.
  #length(input: DecodeBuffer, head: number): number {
    let length = 0;
    if (this.#prefix === 'varint') {
      for (let i = head - 1; i >= 0; i -= 1) length = length * 128 + (input.at(i) & 127);
    } else if (this.#little) {
      for (let i = head - 1; i >= 0; i -= 1) length = length * 256 + input.at(i);
    } else {
      for (let i = 0; i < head; i += 1) length = length * 256 + input.at(i);
    }
    return length;
  }

  #head(length: number, bytes: number): Buffer {
    const head = Buffer.alloc(bytes);
    // Numbers above 2^48 are refused by writeUIntBE; a length has at most 31 bits.
    const low = Math.min(bytes, 6);
    if (this.#little) head.writeUIntLE(length, 0, low);
    else head.writeUIntBE(length, bytes - low, low);
    return head;
  }
}

/** How many bytes the varint in front has; one more than have come if its end is not there. @throws Error if it has more than ten. */
function varintSize(input: DecodeBuffer): number {
  const { size } = input;
  for (let i = 0; i < MOST_VARINT_BYTES; i += 1) {
    if (i === size) return size + 1;
    if (input.at(i) < 128) return i + 1;
  }
  throw new Error(`the length is a varint of more than ${MOST_VARINT_BYTES} bytes`);
}

function varint(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/**
 * Make the codec of messages with their length in front.
 *
 * Its `decode` throws FrameTooLargeError for a length above `limit` or below 0, before anything is allocated; its `encode` does for a message that the
 * other end would refuse. @throws TypeError or RangeError for bad options.
 */
export function lengthPrefixedCodec(options?: LengthPrefix): Codec<string | Uint8Array, Buffer> {
  const where = 'lengthPrefixedCodec';
  const given = checkOptions(options, where);
  const prefix = own<unknown>(given, 'prefix') ?? 4;
  if (prefix !== 1 && prefix !== 2 && prefix !== 4 && prefix !== 8 && prefix !== 'varint')
    throw rangeError(`${where}: prefix must be 1, 2, 4, 8 or 'varint', not ${shownValue(prefix)}`);
  const endian = own<unknown>(given, 'endian') ?? 'big';
  if (endian !== 'big' && endian !== 'little')
    throw typeError(`${where}: endian must be 'big' or 'little', not ${shownValue(endian)}`);
  const includesPrefix = ownFlag(given, 'includesPrefix', false, where);
  // What the prefix cannot express is no message either.
  const expressible =
    prefix === 'varint' ? MOST_WRITTEN : Math.min(MOST_WRITTEN, 256 ** prefix - 1 - (includesPrefix ? prefix : 0));
  const most = Math.min(ownCount(given, 'limit', DEFAULT_FRAME_LIMIT, 0, where), expressible);
  return new LengthPrefixedCodec(most, prefix, endian === 'little', includesPrefix);
}
