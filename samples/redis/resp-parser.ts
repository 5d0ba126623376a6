// resp-parser.ts: from the bytes of a connection, cut anywhere, to replies. RESP2 and RESP3.
//
// Values are read in place: a string is made, or a slice taken, straight from the buffer that was read. Only what crosses two reads is put
// together first, and each byte is copied at most twice however small the pieces are.
//
// It never recurses and never allocates for a length that was announced and has not come, so neither depth nor size of a reply is a danger.
// Not here: streamed strings and aggregates, which the specification has and no Redis sends.
//
// Invariants, between any two calls:
//   partial.length > 0     implies  the chunk is used up, and partial is the beginning of a line
//   bulk is not undefined  implies  the chunk is used up, and bulk is the beginning of a body
//   each entry of `open` lacks at least one element
// Source: https://redis.io/docs/latest/develop/reference/protocol-spec/

import { RedisError, RedisProtocolError } from './errors.ts';
import { Aggregate, count, double, integer, NO_VALUE, type Reply } from './resp-values.ts';

export interface ParserLimits {
  /** The longest bulk string: 512 MiB by default, which is Redis' own limit. */
  readonly bulkBytes?: number | undefined;
  /** The longest line (a simple string, an error, a number): 64 KiB by default. */
  readonly lineBytes?: number | undefined;
}

const CR = 13;
const LF = 10;
const ZERO = 48;
const NINE = 57;
const BULK = 36; // $
const INTEGER = 58; // :
const SIMPLE = 43; // +
const MOST_DEPTH = 128;
const nothing = Buffer.alloc(0);

export class RespParser {
  readonly #bulkBytes: number;
  readonly #lineBytes: number;
  #chunk: Buffer = nothing;
  #at = 0;
  #partial: Buffer[] = [];
  #partialSize = 0;
  #bulk: UnfinishedBulk | undefined;
  readonly #open: Aggregate[] = [];

  constructor({ bulkBytes = 512 * 1024 * 1024, lineBytes = 65_536 }: ParserLimits = {}) {
    this.#bulkBytes = bulkBytes;
    this.#lineBytes = lineBytes;
  }

  /** Give it the next bytes, which it keeps slices of; all replies of those before must have been taken. */
  feed(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next whole reply, with bulk strings as Buffers if asked for; undefined if more bytes have to come. @throws RedisProtocolError. */
  next(asBuffers: boolean): Reply | undefined {
    for (;;) {
      let value = this.#bulk === undefined ? this.#element(asBuffers) : this.#moreOfBulk(asBuffers);
      if (value === undefined) return undefined;
      while (value !== NO_VALUE) {
        const { length } = this.#open;
        // Not by looking at [-1]: V8 would make a string of that, for every reply.
        if (length === 0) return value;
        const inner = this.#open[length - 1] as Aggregate;
        if (!inner.isFullWith(value)) break;
        this.#open.pop();
        value = inner.finished();
      }
    }
  }

  /** Read one value, or open an aggregate. */
  #element(asBuffers: boolean): Reply | undefined | typeof NO_VALUE {
    const chunk = this.#chunk;
    const start = this.#at;
    if (this.#partial.length > 0) return this.#line(asBuffers);
    const type = chunk[start];
    // The common replies without making a line of their header first.
    if (type === BULK || type === INTEGER) {
      let at = start + 1;
      let digit = chunk[at] as number;
      let number = 0;
      while (digit >= ZERO && digit <= NINE) {
        number = number * 10 + (digit - ZERO);
        at += 1;
        digit = chunk[at] as number;
      }
      if (digit === CR && chunk[at + 1] === LF && at > start + 1 && at < start + 16) {
        at += 2;
        if (type === INTEGER) {
          this.#at = at;
          return number;
        }
        const end = at + number;
        if (end + 2 <= chunk.length && number <= this.#bulkBytes) {
          if (chunk[end] !== CR || chunk[end + 1] !== LF)
            throw new RedisProtocolError('a bulk string is longer than its length says');
          this.#at = end + 2;
          return asBuffers ? chunk.subarray(at, end) : chunk.toString('utf8', at, end);
        }
      }
    } else if (
      type === SIMPLE &&
      chunk[start + 1] === 79 &&
      chunk[start + 2] === 75 &&
      chunk[start + 3] === CR &&
      chunk[start + 4] === LF
    ) {
      this.#at = start + 5;
      return 'OK';
    } else if (type === undefined) {
      return undefined;
    }
    return this.#line(asBuffers);
  }

  /** Read one line and what follows from it. */
  #line(asBuffers: boolean): Reply | undefined | typeof NO_VALUE {
    const chunk = this.#chunk;
    const end = chunk.indexOf(LF, this.#at);
    const part = chunk.subarray(this.#at, end < 0 ? chunk.length : end + 1);
    this.#at += part.length;
    this.#partialSize += part.length;
    if (this.#partialSize > this.#lineBytes)
      throw new RedisProtocolError(`a line is longer than ${this.#lineBytes} bytes`);
    if (end < 0) {
      if (part.length > 0) this.#partial.push(part);
      return undefined;
    }
    const line = this.#partial.length === 0 ? part : Buffer.concat([...this.#partial, part]);
    this.#partial = [];
    this.#partialSize = 0;
    if (line[line.length - 2] !== CR) throw new RedisProtocolError('a line ends without CR');
    return this.#header(line[0] as number, line.toString('utf8', 1, line.length - 2), asBuffers);
  }

  #header(type: number, text: string, asBuffers: boolean): Reply | undefined | typeof NO_VALUE {
    const kind = String.fromCharCode(type);
    switch (kind) {
      case '+':
        return text;
      case '-':
        return new RedisError(text);
      case ':':
        return integer(text);
      case '_':
        return null;
      case '#':
        if (text === 't' || text === 'f') return text === 't';
        break;
      case ',':
        return double(text);
      case '(':
        if (/^[+-]?\d+$/.test(text)) return BigInt(text.replace('+', ''));
        break;
      case '$':
      case '=':
      case '!': {
        if (kind === '$' && text === '-1') return null;
        const size = count(text, kind);
        if (size > this.#bulkBytes)
          throw new RedisProtocolError(`a bulk string of ${size} bytes is announced; the limit is ${this.#bulkBytes}`);
        this.#bulk = { type, parts: [], size, missing: size + 2 };
        return this.#moreOfBulk(asBuffers);
      }
      case '*':
      case '~':
      case '>':
      case '%':
      case '|': {
        if (kind === '*' && text === '-1') return null;
        if (this.#open.length === MOST_DEPTH)
          throw new RedisProtocolError(`a reply is nested deeper than ${MOST_DEPTH}`);
        const aggregate = new Aggregate(kind, count(text, kind));
        if (aggregate.missing === 0) return aggregate.finished();
        this.#open.push(aggregate);
        return NO_VALUE;
      }
    }
    throw new RedisProtocolError(`a reply begins with ${JSON.stringify((kind + text).slice(0, 40))}`);
  }

  #moreOfBulk(asBuffers: boolean): Reply | undefined {
    const bulk = this.#bulk as UnfinishedBulk;
    const part = this.#chunk.subarray(this.#at, this.#at + bulk.missing);
    this.#at += part.length;
    bulk.missing -= part.length;
    if (part.length > 0) bulk.parts.push(part);
    if (bulk.missing > 0) return undefined;
    this.#bulk = undefined;
    const bytes = bulk.parts.length === 1 ? (bulk.parts[0] as Buffer) : Buffer.concat(bulk.parts);
    const { size } = bulk;
    if (bytes[size] !== CR || bytes[size + 1] !== LF)
      throw new RedisProtocolError('a bulk string is longer than its length says');
    switch (String.fromCharCode(bulk.type)) {
      case '!':
        return new RedisError(bytes.toString('utf8', 0, size));
      case '=': // three letters that tell the format, and a colon
        return asBuffers ? bytes.subarray(4, size) : bytes.toString('utf8', 4, size);
      default:
        return asBuffers ? bytes.subarray(0, size) : bytes.toString('utf8', 0, size);
    }
  }
}

/** A bulk string that crosses reads; `missing` counts the CR LF behind it too. */
interface UnfinishedBulk {
  readonly type: number;
  readonly parts: Buffer[];
  readonly size: number;
  missing: number;
}
