// http-body.ts: the body of a response as a reader of bytes.
//
// Not a Node stream: it is read by waiting. `read` and `readLine` are safe as socket reads are: one that is killed or times out took nothing, and the next
// one goes on where it would have. `bytes`, `text` and `json` take the whole: if one of them throws, the response is closed, because what is left of a
// body that nobody can make sense of any more is of use to no one, and its connection must not be used again.
//
// What has come and nobody has read is at most the high-water mark (64 KiB) and one read of the connection; then the peer has to wait.
//
// Invariant: the exchange is over  implies  the inbound side has ended, failed or closed.

import { rangeError } from '../core/bad-argument.ts';
import { ClosedError, UsageError } from '../core/errors.ts';
import type { Op, Resume, Trap, Waitable } from '../core/op.ts';
import { created, createdOrShared } from '../core/unstarted.ts';
import type { Waiter } from '../core/wait-list.ts';
import { checkOptions, own } from './address.ts';
import { BodyTooLargeError, ParseError } from './http-errors.ts';
import { type Attempt, Inbound, type InboundOwner, MORE, REFUSED, ReadWait, result, TAKEN } from './inbound.ts';
import type { ReadBuffer } from './read-buffer.ts';
import { ReadLine, ReadSome } from './reads.ts';

const HIGH_WATER_MARK = 65_536;
const DEFAULT_LINE_LIMIT = 65_536;
const DEFAULT_BODY_LIMIT = 64 * 1024 * 1024;

/** A second bytes(), text() or json() of one response: its body was taken by the first. */
export class BodyUsedError extends UsageError {
  override readonly code: string = 'ERR_BODY_USED';
}

export interface BodyLimit {
  /** The most bytes that are taken: 64 MiB by default. */
  readonly limit?: number | undefined;
}

/** What a body needs of the exchange that it belongs to. */
export interface BodySource {
  /** Do the bytes come from outside the scheduler's world? */
  readonly external: boolean;
  toString(): string;
  /** The error of `op`, after the exchange failed with `cause`. */
  failure(op: string, cause: unknown): Error;
  /** Let more of the body come. */
  resume(): void;
  /** Somebody waits for all of it: it may not just trickle in. */
  wholeWanted?(): void;
  /** Give up the rest of the body, and the connection with it. Nothing if all has come. */
  abandon(): void;
}

export class Body implements InboundOwner {
  readonly #source: BodySource;
  readonly #inbound: Inbound;
  #read: ReadSome | undefined = undefined;
  #takenBy: string | undefined = undefined;

  /** @internal */
  constructor(source: BodySource) {
    this.#source = source;
    this.#inbound = new Inbound(this, HIGH_WATER_MARK, source.external);
  }

  /**
   * Read what has come, at least one byte and at most `max`; null at the end, and null again from then on.
   *
   * Switches if nothing is there. If it throws Killed or TimeoutError, nothing was taken: the next read gets it.
   *
   * @throws IncompleteBodyError if the connection ended before the body. @throws BusyError if another greenlet is reading.
   * @throws ClosedError after close(). @throws RangeError if `max` is no integer of at least 1.
   */
  read(max?: number): Waitable<Buffer | null> {
    if (max !== undefined) return created(new ReadSome(this.#inbound, checkCount(max, 'max'), false));
    this.#read ??= new ReadSome(this.#inbound, Number.POSITIVE_INFINITY, false);
    return createdOrShared(this.#read, () => new ReadSome(this.#inbound, Number.POSITIVE_INFINITY, false));
  }

  /**
   * Read a line, ended by LF or CR LF, without its end; null at the end of the body.
   *
   * Switches if it has not come whole. If it throws, nothing was taken.
   *
   * @throws LineTooLongError if there is no end within `limit` bytes (64 KiB). @throws IncompleteReadError if the body ends in the line. Else as read.
   */
  readLine(options: BodyLimit = {}): Waitable<string | null> {
    return created(new ReadLine(this.#inbound, limitOf(options, DEFAULT_LINE_LIMIT), 'utf8'));
  }

  /**
   * Read all that is left.
   *
   * Switches until the body has ended. If it throws, the response is closed.
   *
   * @throws BodyTooLargeError if it is longer than `limit` (64 MiB). @throws BodyUsedError if it was taken already. Else as read.
   */
  bytes(options: BodyLimit = {}): Op<Buffer> {
    return created(new WholeBody(this, 'bytes', limitOf(options, DEFAULT_BODY_LIMIT), (bytes) => bytes));
  }

  /** Read all that is left as UTF-8 text, without a byte order mark; bytes that are no UTF-8 become U+FFFD. Switches and throws as bytes. */
  text(options: BodyLimit = {}): Op<string> {
    return created(new WholeBody(this, 'text', limitOf(options, DEFAULT_BODY_LIMIT), textOf));
  }

  /** Read all that is left as JSON. Switches and throws as bytes. @throws ParseError (ERR_JSON) if it is none. */
  json(options: BodyLimit = {}): Op<unknown> {
    return created(
      new WholeBody(this, 'json', limitOf(options, DEFAULT_BODY_LIMIT), (bytes) => {
        try {
          return JSON.parse(textOf(bytes)) as unknown;
        } catch (error) {
          throw new ParseError(`${this.toString()}: the body is no JSON`, 'ERR_JSON', error);
        }
      }),
    );
  }

  /** Drop what has not been read, and the connection if the body has not come whole. Never switches; idempotent. */
  close(): void {
    this.#inbound.close();
    this.#source.abandon();
  }

  toString(): string {
    return this.#source.toString();
  }

  /** @internal */
  get inbound(): Inbound {
    return this.#inbound;
  }
  /** @internal */
  get transport(): { resume(): void } {
    return this.#source;
  }
  /** @internal */
  lost(op: string, cause: unknown): Error {
    return this.#source.failure(op, cause);
  }
  /** @internal */
  closedError(op: string): ClosedError {
    return new ClosedError(`${op} on ${this.toString()}: the response is closed`);
  }
  /** @internal */
  wholeWanted(): void {
    this.#source.wholeWanted?.();
  }
  /** The body goes to `op` as a whole. @internal */
  take(op: string): void {
    if (this.#takenBy !== undefined) {
      throw new BodyUsedError(`${op} on ${this.toString()}: the body was taken by ${this.#takenBy}() already`);
    }
    this.#takenBy = op;
  }
}

/** All that is left, once it has ended. */
class ReadAll extends ReadWait<Buffer> {
  readonly op: string;
  readonly #body: Body;
  readonly #limit: number;

  constructor(body: Body, op: string, limit: number) {
    super(body.inbound);
    this.op = op;
    this.#body = body;
    this.#limit = limit;
  }

  // Reading does not pause for it, up to the limit.
  get need(): number {
    return this.#limit + 1;
  }

  attempt(buffer: ReadBuffer, ended: boolean): Attempt {
    const { size } = buffer;
    if (size > this.#limit) return REFUSED;
    if (!ended) return MORE;
    result.value = buffer.take(size);
    return TAKEN;
  }

  refusal(): () => Error {
    return () => new BodyTooLargeError(`${this.op} on ${this.inbound.owner.toString()}`, this.#limit);
  }

  override enlist(waiter: Waiter): void {
    super.enlist(waiter);
    this.#body.wholeWanted();
  }

  // Killed or timed out: the connection is given up here and now, not when the greenlet gets to run.
  override retract(waiter: Waiter): void {
    super.retract(waiter);
    this.#body.close();
  }
}

class WholeBody<T> implements Op<T> {
  readonly #body: Body;
  readonly #op: string;
  readonly #limit: number;
  readonly #convert: (bytes: Buffer) => T;

  constructor(body: Body, op: string, limit: number, convert: (bytes: Buffer) => T) {
    this.#body = body;
    this.#op = op;
    this.#limit = limit;
    this.#convert = convert;
  }

  *[Symbol.iterator](): Generator<Trap, T, Resume> {
    const body = this.#body;
    body.take(this.#op);
    try {
      return this.#convert(yield* new ReadAll(body, this.#op, this.#limit));
    } catch (error) {
      body.close();
      throw error;
    }
  }
}

function textOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

function limitOf(options: BodyLimit, otherwise: number): number {
  const limit = own<number>(checkOptions(options, 'reading a body'), 'limit');
  if (limit === undefined) return otherwise;
  return limit === Number.POSITIVE_INFINITY ? limit : checkCount(limit, 'limit', 0);
}

function checkCount(count: number, what: string, least = 1): number {
  if (!Number.isInteger(count) || count < least)
    throw rangeError(`${what} must be an integer of at least ${least}, not ${String(count)}`);
  return count;
}
