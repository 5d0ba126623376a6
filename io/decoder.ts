// decoder.ts: a codec by itself: bytes in, values out, no stream and no waiting.
//
// For tests of a codec, and for code that gets its bytes in another way. `framed` does the same for a stream.

import { typeError } from '../core/bad-argument.ts';
import { UsageError } from '../core/errors.ts';
import { nameOf } from '../core/op.ts';
import { type Codec, FrameDecoder } from './codec.ts';
import { MORE, REFUSED, result } from './inbound.ts';
import { ReadBuffer } from './read-buffer.ts';
import { bytesOf } from './writable.ts';

export class Decoder<Out> {
  readonly #frames: FrameDecoder<Out>;
  readonly #buffer: ReadBuffer = new ReadBuffer();
  #ended = false;

  /** Decode what `push` gives with `codec`. */
  constructor(codec: Codec<never, Out>) {
    this.#frames = new FrameDecoder(codec, () => 'decode');
  }

  /** How many bytes wait to become a value. */
  get buffered(): number {
    return this.#buffer.size;
  }

  /** Add bytes, which are kept where they are: do not change them. @throws TypeError if they are none. @throws UsageError after end(). */
  push(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) throw typeError(`push takes bytes, not ${nameOf(bytes)}`);
    if (this.#ended) throw new UsageError('push after end(): there was to be nothing more');
    this.#buffer.add(bytesOf(bytes), bytes.length, false);
  }

  /** There is nothing more to come. Idempotent. */
  end(): void {
    this.#ended = true;
  }

  /**
   * Take the next value; undefined if it has not come whole, or after the last.
   *
   * @throws FrameTooLargeError, LineTooLongError, DecodeError, now and ever after. @throws IncompleteReadError if end() was called inside a value.
   */
  next(): Out | undefined {
    const attempt = this.#frames.attempt(this.#buffer, this.#ended);
    if (attempt === MORE) return undefined;
    if (attempt === REFUSED) throw this.#frames.refusal(this.#buffer)();
    const { value } = result;
    result.value = undefined;
    return value === null ? undefined : (value as Out);
  }
}
