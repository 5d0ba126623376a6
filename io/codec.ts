// codec.ts: `Codec`: how values become bytes and bytes become values; and the decoder that runs one over bytes that come cut anywhere.
//
// A codec knows nothing of sockets and never waits. It is shown what has come and not been taken, where it lies; it takes a value from the front, or says
// that more has to come. So only a value itself is copied out of the buffer, and the result does not depend on how the bytes were cut.
//
// A decoder asks its codec again only when there is something new, and if the codec has said how much it needs, only when that is there: so a frame
// that comes in many small pieces costs time in proportion to its bytes. What a value may take is limited before anything is allocated for it.
//
// Invariants, between any two calls:
//   failure is defined  implies  it is what every later attempt gives
//   need <= the codec's limit, or failure is defined
// Sources: tokio_util::codec (Decoder, Encoder), Netty's ByteToMessageDecoder.

import { rangeError } from '../core/bad-argument.ts';
import { IncompleteReadError, LineTooLongError, MOST_PARTIAL_BYTES } from './errors.ts';
import { DecodeError, FrameTooLargeError } from './framing-errors.ts';
import { type Attempt, MORE, REFUSED, result, TAKEN } from './inbound.ts';
import type { ReadBuffer } from './read-buffer.ts';
import type { TextEncoding } from './reads.ts';

/** The most bytes of one value, if its codec does not say otherwise. */
export const DEFAULT_FRAME_LIMIT: number = 16 * 1024 * 1024;

/**
 * How values of one kind become bytes, and bytes become values.
 *
 * Both methods are pure: they neither wait nor touch a stream. A codec that keeps something between calls belongs to one connection; one that
 * does not may be shared.
 */
export interface Codec<In, Out = In> {
  /** The most bytes that one value may take, with whatever frames it: 16 MiB if absent. */
  readonly limit?: number | undefined;
  /** The bytes of `value`: one piece, or several, which are sent together or not at all. */
  encode(value: In): string | Uint8Array | readonly (string | Uint8Array)[];
  /**
   * Take one value from the front of `input`; undefined if more has to come. Asked once more when nothing more will (`input.ended`).
   *
   * A value takes at least one byte and is not null, which stands for the end. What it throws becomes the `cause` of a DecodeError.
   */
  decode(input: DecodeBuffer): Out | undefined;
}

/** What has come and has not been taken, as a codec sees it. Good for the length of one `decode`. */
export class DecodeBuffer {
  readonly #what: () => string;
  readonly #limit: number;
  #bytes: ReadBuffer | undefined = undefined;
  #ended = false;
  #needed = 0;

  /** @internal */
  constructor(what: () => string, limit: number) {
    this.#what = what;
    this.#limit = limit;
  }

  /** How many bytes there are. */
  get size(): number {
    return this.#source.size;
  }

  /** Nothing more will come: undefined now means that the stream ended inside a value, or between two. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The most bytes that a value may take. */
  get limit(): number {
    return this.#limit;
  }

  /** The byte at `index`. @throws RangeError if it has not come. */
  at(index: number): number {
    this.#require(index, 'at', this.size - 1);
    return this.#source.at(index);
  }

  /** The bytes from `start` to `end`, all of them if neither is given, where they lie: read them, but keep them only until `decode` returns. */
  view(start = 0, end: number = this.size): Buffer {
    this.#require(end, 'view', this.size);
    this.#require(start, 'view', end);
    return this.#source.view(start, end);
  }

  /**
   * Where a byte, or a mark of several, begins; -1 if it has not come whole. What has been searched is not searched again when more has come, if it is
   * the same byte or the very same array.
   */
  indexOf(mark: number | Uint8Array): number {
    if (typeof mark === 'number') return this.#source.indexOfByte(mark);
    if (mark.length === 0) throw rangeError('indexOf: the mark must not be empty');
    return this.#source.indexOf(mark);
  }

  /** Take `count` bytes, which are yours. @throws RangeError if so many have not come. */
  take(count: number): Buffer {
    this.#require(count, 'take', this.size);
    return this.#source.take(count);
  }

  /** Take `count` bytes as text. @throws RangeError if so many have not come. */
  text(count: number, encoding: TextEncoding = 'utf8'): string {
    this.#require(count, 'text', this.size);
    return count === 0 ? '' : this.#source.takeText(count, encoding);
  }

  /** Take `count` bytes and forget them. @throws RangeError if so many have not come. */
  skip(count: number): void {
    this.#require(count, 'skip', this.size);
    this.#source.skip(count);
  }

  /**
   * Say that a value needs `count` bytes from here on: `decode` is not called before they are there. Returns undefined, for `return input.need(n)`.
   *
   * @throws FrameTooLargeError if that is more than the limit, or no size at all: negative, a fraction, NaN.
   */
  need(count: number): undefined {
    if (!(Number.isInteger(count) && count >= 0 && count <= this.#limit)) throw this.tooLarge(count);
    this.#needed = count;
    return undefined;
  }

  /** The error for a frame of `length` bytes, to be thrown; of one whose end has not come within the limit, if none is given. */
  tooLarge(length?: number, limit: number = this.#limit): FrameTooLargeError {
    return new FrameTooLargeError(this.#what(), length, limit);
  }

  /** Who decodes what, for messages. */
  toString(): string {
    return this.#what();
  }

  /** @internal */
  begin(bytes: ReadBuffer, ended: boolean): void {
    this.#bytes = bytes;
    this.#ended = ended;
    this.#needed = 0;
  }

  /** What need() was told; 0 if it was not called. @internal */
  finish(): number {
    this.#bytes = undefined;
    return this.#needed;
  }

  get #source(): ReadBuffer {
    if (this.#bytes === undefined) throw rangeError('what decode() is given must not be used after it has returned');
    return this.#bytes;
  }

  #require(count: number, method: string, most: number): void {
    if (!(Number.isInteger(count) && count >= 0 && count <= most))
      throw rangeError(`${method}(${String(count)}): ${this.size} bytes have come`);
  }
}

/** One codec over one stream of bytes. */
export class FrameDecoder<Out> {
  /** It cannot go on before this many bytes are there. */
  need = 1;
  readonly #codec: Codec<never, Out>;
  readonly #what: () => string;
  readonly #limit: number;
  readonly #input: DecodeBuffer;
  /** How many bytes the codec has taken. */
  #offset = 0;
  /** Where the next value begins. A codec may take bytes before it has a whole one. */
  #start = 0;
  /** What the last attempt left in the buffer. */
  #left = 0;
  #failure: (() => Error) | undefined = undefined;

  constructor(codec: Codec<never, Out>, what: () => string) {
    this.#codec = codec;
    this.#what = what;
    this.#limit = codec.limit ?? DEFAULT_FRAME_LIMIT;
    this.#input = new DecodeBuffer(what, this.#limit);
  }

  /** Try to take a value from `buffer` into `result`; null if it has ended before another. */
  attempt(buffer: ReadBuffer, ended: boolean): Attempt {
    if (this.#failure !== undefined) return REFUSED;
    const before = buffer.size;
    // Somebody else has read from the stream in between: what the codec needed was for bytes that are gone.
    if (before < this.#left) this.need = 1;
    this.#left = before;
    if (before < this.need && !ended) return MORE;
    let value: Out | undefined;
    let needed = 0;
    this.#input.begin(buffer, ended);
    try {
      value = this.#codec.decode(this.#input);
    } catch (error) {
      return this.#fail(error);
    } finally {
      needed = this.#input.finish();
    }
    const left = buffer.size;
    this.#left = left;
    this.#offset += before - left;
    if (value === undefined) return this.#missing(left, needed, ended);
    if (value === null) return this.#fail(new TypeError('decode() returned null, which stands for the end'));
    if (before === left) return this.#fail(new TypeError('decode() returned a value and took no byte for it'));
    this.#start = this.#offset;
    this.need = 1;
    result.value = value;
    return TAKEN;
  }

  #missing(left: number, needed: number, ended: boolean): Attempt {
    this.need = Math.max(needed, left + 1);
    if (left >= this.#limit) return this.#fail(this.#input.tooLarge());
    if (!ended) return MORE;
    if (left > 0 || this.#offset > this.#start) return REFUSED;
    result.value = null;
    return TAKEN;
  }

  #fail(error: unknown): Attempt {
    this.#failure = this.#maker(error);
    // Nothing will make it succeed, so nothing is waited for.
    this.need = 0;
    return REFUSED;
  }

  /** What makes the error for whoever receives: there and not here, so that its stack says where. */
  #maker(error: unknown): () => Error {
    const what = this.#what;
    if (error instanceof FrameTooLargeError) return () => new FrameTooLargeError(what(), error.length, error.limit);
    if (error instanceof LineTooLongError) return () => new LineTooLongError(what(), error.limit, error.partial);
    const start = this.#start;
    return () => new DecodeError(what(), start, error);
  }

  /** Why an attempt was refused. */
  refusal(buffer: ReadBuffer): () => Error {
    if (this.#failure !== undefined) return this.#failure;
    const { size } = buffer;
    const partial = buffer.peek(Math.min(size, MOST_PARTIAL_BYTES));
    const expected = this.need > size + 1 ? this.need : undefined;
    return () => new IncompleteReadError(this.#what(), partial, size, expected);
  }
}
