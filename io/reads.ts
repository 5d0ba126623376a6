// reads.ts: the ways to read from a byte stream: some bytes, an exact number, up to a delimiter, a line.
//
// Each is an immutable description, so one object may serve many waits. Each takes nothing unless it takes all that it was asked for.
// Limits are checked on what has come, so a line without an end costs at most the limit and one high-water mark of memory.

import { InternalError } from '../core/errors.ts';
import { IncompleteReadError, LineTooLongError, MOST_PARTIAL_BYTES } from './errors.ts';
import { type Attempt, type Inbound, MORE, REFUSED, ReadWait, result, TAKEN } from './inbound.ts';
import type { ReadBuffer } from './read-buffer.ts';

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

export type TextEncoding = 'utf8' | 'latin1';

/** `read(max)` and `peek(max)`: whatever is there, at least one byte; null at the end. */
export class ReadSome extends ReadWait<Buffer | null> {
  readonly op: string;
  readonly need = 1;
  readonly #most: number;
  readonly #stays: boolean;

  constructor(inbound: Inbound, most: number, stays: boolean) {
    super(inbound);
    this.op = stays ? 'peek' : 'read';
    this.#most = most;
    this.#stays = stays;
  }

  attempt(buffer: ReadBuffer, ended: boolean): Attempt {
    const { size } = buffer;
    if (size === 0) {
      if (!ended) return MORE;
      result.value = null;
      return TAKEN;
    }
    const count = size < this.#most ? size : this.#most;
    result.value = this.#stays ? buffer.peek(count) : buffer.take(count);
    return TAKEN;
  }

  refusal(): () => Error {
    throw new InternalError(`${this.op} was refused, but it takes whatever there is`);
  }
}

/** `readExactly(count)`. */
export class ReadExactly extends ReadWait<Buffer> {
  readonly op: string = 'readExactly';
  readonly need: number;

  constructor(inbound: Inbound, count: number) {
    super(inbound);
    this.need = count;
  }

  attempt(buffer: ReadBuffer, ended: boolean): Attempt {
    if (buffer.size < this.need) return ended ? REFUSED : MORE;
    result.value = buffer.take(this.need);
    return TAKEN;
  }

  refusal(buffer: ReadBuffer): () => Error {
    return incomplete(this, buffer, this.need);
  }
}

/** What is read up to a mark, which is taken and left out of the result; null at the end. */
abstract class ReadDelimited<T> extends ReadWait<T | null> {
  /** Whether it is complete is seen by searching, not by counting; one more than the limit shows that it is too long. */
  readonly need: number;
  readonly limit: number;

  constructor(inbound: Inbound, limit: number, markLength: number) {
    super(inbound);
    this.limit = limit;
    this.need = limit + markLength;
  }

  refusal(buffer: ReadBuffer): () => Error {
    if (this.tooLong(buffer)) {
      const partial = partialOf(buffer);
      return () => new LineTooLongError(this.what(), this.limit, partial);
    }
    return incomplete(this as ReadWait<unknown>, buffer, undefined);
  }

  what(): string {
    return `${this.op} on ${this.inbound.owner.toString()}`;
  }

  protected abstract tooLong(buffer: ReadBuffer): boolean;

  /** The mark is not there. */
  protected missing(buffer: ReadBuffer, ended: boolean): Attempt {
    if (buffer.size >= this.need) return REFUSED;
    if (!ended) return MORE;
    if (buffer.size > 0) return REFUSED;
    result.value = null;
    return TAKEN;
  }
}

/** `readUntil(delimiter, {limit})`. */
export class ReadUntil extends ReadDelimited<Buffer> {
  readonly op: string = 'readUntil';
  readonly #delimiter: Uint8Array;

  constructor(inbound: Inbound, delimiter: Uint8Array, limit: number) {
    super(inbound, limit, delimiter.length);
    this.#delimiter = delimiter;
  }

  attempt(buffer: ReadBuffer, ended: boolean): Attempt {
    const at = buffer.indexOf(this.#delimiter);
    if (at < 0) return this.missing(buffer, ended);
    if (at > this.limit) return REFUSED;
    result.value = buffer.take(at);
    buffer.skip(this.#delimiter.length);
    return TAKEN;
  }

  protected tooLong(buffer: ReadBuffer): boolean {
    return buffer.size >= this.need;
  }
}

/** `readLine({limit, encoding})`: ended by LF or CR LF. */
export class ReadLine extends ReadDelimited<string> {
  readonly op: string = 'readLine';
  readonly #encoding: TextEncoding;

  constructor(inbound: Inbound, limit: number, encoding: TextEncoding) {
    super(inbound, limit, 2);
    this.#encoding = encoding;
  }

  attempt(buffer: ReadBuffer, ended: boolean): Attempt {
    const at = buffer.indexOfByte(NEWLINE);
    if (at < 0) return this.missing(buffer, ended);
    const length = at > 0 && buffer.at(at - 1) === CARRIAGE_RETURN ? at - 1 : at;
    if (length > this.limit) return REFUSED;
    result.value = length === 0 ? '' : buffer.takeText(length, this.#encoding);
    buffer.skip(at + 1 - length);
    return TAKEN;
  }

  protected tooLong(buffer: ReadBuffer): boolean {
    // Refused with all that a line may hold there: its end is missing or too far away.
    return buffer.size > this.limit;
  }
}

function incomplete(read: ReadWait<unknown>, buffer: ReadBuffer, expected: number | undefined): () => Error {
  const partial = partialOf(buffer);
  const { size } = buffer;
  return () => new IncompleteReadError(`${read.op} on ${read.inbound.owner.toString()}`, partial, size, expected);
}

function partialOf(buffer: ReadBuffer): Buffer {
  return buffer.peek(Math.min(buffer.size, MOST_PARTIAL_BYTES));
}
