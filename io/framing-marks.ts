// framing-marks.ts: messages that end in a mark: lines, and whatever else has a delimiter.
//
// Each is a codec whose values are the messages without their mark. A codec of your own may call its `encode` and `decode`, and turn text or bytes into
// something better. Neither keeps anything between calls, so one object serves any number of connections.
//
// What could not be read back as one message is refused before it is sent: a line with a line's end in it, a message that holds its delimiter. So data
// cannot become commands.
//
// Sources: Netty's LineBasedFrameDecoder and DelimiterBasedFrameDecoder.

import { rangeError, typeError } from '../core/bad-argument.ts';
import { checkOptions, own, ownCount, shownValue } from './address.ts';
import { type Codec, DEFAULT_FRAME_LIMIT, type DecodeBuffer } from './codec.ts';
import { LineTooLongError, MOST_PARTIAL_BYTES } from './errors.ts';
import { FrameTooLargeError } from './framing-errors.ts';
import type { FrameLimit } from './framing-lengths.ts';
import type { TextEncoding } from './reads.ts';
import { bytesOf, pieceOf, sizeOf } from './writable.ts';

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const DEFAULT_LINE_LIMIT = 65_536;
const INVALID_VALUE = 'ERR_INVALID_ARG_VALUE';
const NOTHING = Buffer.alloc(0);

export interface LineCodecOptions {
  /** The most bytes of a line, without its end: 64 KiB by default. */
  readonly limit?: number | undefined;
  readonly encoding?: TextEncoding | undefined;
  /** What ends the lines that are sent: LF by default. Lines that come may end in either. */
  readonly newline?: '\n' | '\r\n' | undefined;
}

class LineCodec implements Codec<string> {
  readonly limit: number;
  readonly #most: number;
  readonly #encoding: TextEncoding;
  readonly #newline: string;

  constructor(most: number, encoding: TextEncoding, newline: string) {
    this.#most = most;
    this.limit = most + 2;
    this.#encoding = encoding;
    this.#newline = newline;
  }

  encode(line: string): string | Buffer {
    if (typeof line !== 'string') throw typeError(`a line is a string, not ${shownValue(line)}`);
    if (/[\r\n]/.test(line)) throw typeError('a line must hold neither LF nor CR', INVALID_VALUE);
    // No character has more than three bytes for each of its units.
    if (3 * line.length > this.#most && Buffer.byteLength(line, this.#encoding) > this.#most)
      throw new LineTooLongError('send', this.#most, Buffer.from(line.slice(0, MOST_PARTIAL_BYTES), this.#encoding));
    return this.#encoding === 'utf8' ? line + this.#newline : Buffer.from(line + this.#newline, this.#encoding);
  }

  decode(input: DecodeBuffer): string | undefined {
    const end = input.indexOf(NEWLINE);
    if (end < 0) {
      if (input.size >= this.limit || (input.ended && input.size > this.#most)) throw this.#tooLong(input);
      return undefined;
    }
    const length = end > 0 && input.at(end - 1) === CARRIAGE_RETURN ? end - 1 : end;
    if (length > this.#most) throw this.#tooLong(input);
    const line = input.text(length, this.#encoding);
    input.skip(end + 1 - length);
    return line;
  }

  #tooLong(input: DecodeBuffer): LineTooLongError {
    const partial = Buffer.from(input.view(0, Math.min(input.size, MOST_PARTIAL_BYTES)));
    return new LineTooLongError(String(input), this.#most, partial);
  }
}

/**
 * Make the codec of lines: text, ended by LF or CR LF. What comes is read as by `readLine`.
 *
 * Both directions throw LineTooLongError; its `encode` throws TypeError for a line that holds LF or CR. @throws TypeError or RangeError for bad options.
 */
export function lineCodec(options?: LineCodecOptions): Codec<string> {
  const where = 'lineCodec';
  const given = checkOptions(options, where);
  const encoding = own<unknown>(given, 'encoding') ?? 'utf8';
  if (encoding !== 'utf8' && encoding !== 'latin1')
    throw typeError(`${where}: encoding must be 'utf8' or 'latin1', not ${shownValue(encoding)}`);
  const newline = own<unknown>(given, 'newline') ?? '\n';
  if (newline !== '\n' && newline !== '\r\n')
    throw typeError(`${where}: newline must be LF or CR LF, not ${shownValue(newline)}`);
  return new LineCodec(ownCount(given, 'limit', DEFAULT_LINE_LIMIT, 0, where), encoding, newline);
}

class DelimiterCodec implements Codec<string | Uint8Array, Buffer> {
  readonly limit: number;
  readonly #most: number;
  readonly #delimiter: Buffer;

  constructor(delimiter: Buffer, most: number) {
    this.#delimiter = delimiter;
    this.#most = most;
    this.limit = most + delimiter.length;
  }

  encode(message: string | Uint8Array): readonly (string | Uint8Array)[] {
    const piece = pieceOf(message, 'send');
    const size = sizeOf(piece);
    if (size > this.#most) throw new FrameTooLargeError('send', size, this.#most);
    // Together, because a message may hold the beginning of its delimiter at its end.
    const whole = Buffer.concat([bytesOf(piece), this.#delimiter]);
    if (whole.indexOf(this.#delimiter) !== size)
      throw typeError('a message must not hold its delimiter', INVALID_VALUE);
    return [whole];
  }

  decode(input: DecodeBuffer): Buffer | undefined {
    const end = input.indexOf(this.#delimiter);
    if (end < 0) return undefined;
    if (end > this.#most) throw input.tooLarge(undefined, this.#most);
    const message = end === 0 ? NOTHING : input.take(end);
    input.skip(this.#delimiter.length);
    return message;
  }
}

/**
 * Make the codec of messages that end in `delimiter`, which is taken and left out.
 *
 * Its `decode` throws FrameTooLargeError if no delimiter comes within `limit` bytes; its `encode` TypeError for a message that holds it.
 *
 * @throws TypeError or RangeError for a delimiter that is no string or bytes, or empty, and for a bad limit.
 */
export function delimiterCodec(
  delimiter: string | Uint8Array,
  options?: FrameLimit,
): Codec<string | Uint8Array, Buffer> {
  const where = 'delimiterCodec';
  if (typeof delimiter !== 'string' && !(delimiter instanceof Uint8Array))
    throw typeError(`${where} takes a string or bytes, not ${shownValue(delimiter)}`);
  if (delimiter.length === 0) throw rangeError(`${where}: the delimiter must not be empty`);
  const most = ownCount(checkOptions(options, where), 'limit', DEFAULT_FRAME_LIMIT, 0, where);
  return new DelimiterCodec(Buffer.from(delimiter as Uint8Array), most);
}
