// http-incoming.ts: the IncomingMessage of `tendril/patches/http`: a response that a client gets, a request that a server gets.
//
// Node's own message is under it: what is plain there is plain here. Its body, Node's 'data', 'end' and 'aborted', is read by waiting: in pieces by `read`,
// `readLine`, `readExactly` and forEach(), or whole by `bytes`, `text` and `json`. A body that was cut is an error, never a short success.
//
// Nothing of a body is read before somebody asks for it. A response that is not read to its end holds its connection: read it, `resume()` it, or destroy it. What
// takes the whole destroys the message if it throws.
// Source: node:http.

/// <reference lib="esnext.disposable" preserve="true" />

import type { IncomingHttpHeaders, IncomingMessage as NodeIncoming } from 'node:http';
import type { Socket as NodeSocket } from 'node:net';
import { rangeError, typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import { BusyError } from '../../core/errors.ts';
import type { Op, Waitable } from '../../core/op.ts';
import { timeout } from '../../core/timeout.ts';
import { checkOptions, ownCount, shownValue } from '../../io/address.ts';
import type { StreamReader } from '../../io/byte-streams.ts';
import type { BodyLimit } from '../../io/http-body.ts';
import { BodyTooLargeError, ParseError } from '../../io/http-errors.ts';
import { fromReadable } from '../../io/node-streams.ts';
import type { ReadLineOptions, ReadUntilOptions } from '../../io/socket.ts';

const BODY_LIMIT = 64 * 1024 * 1024;
const ignore = (): void => {};

/** What there is to know of the connection that a message came on. */
export type MessageSocket = Pick<
  NodeSocket,
  'remoteAddress' | 'remotePort' | 'remoteFamily' | 'localAddress' | 'localPort' | 'localFamily' | 'destroyed'
>;

/** A message that has come: its head is here, its body is still to be read. */
export class IncomingMessage {
  readonly #node: NodeIncoming;
  #body: StreamReader | undefined = undefined;
  #discarded = false;
  #idleMs: number = Number.POSITIVE_INFINITY;

  /** @internal: request, get and createServer make them. */
  constructor(node: NodeIncoming) {
    this.#node = node;
    // It tells whoever reads.
    node.on('error', ignore);
  }

  /** The status of a response. */
  get statusCode(): number | undefined {
    return this.#node.statusCode;
  }
  get statusMessage(): string | undefined {
    return this.#node.statusMessage;
  }
  /** The method of a request. */
  get method(): string | undefined {
    return this.#node.method;
  }
  /** Of a request, as it was sent: path and query. */
  get url(): string | undefined {
    return this.#node.url;
  }
  /** The fields by lower-case name; repeated ones are joined as Node does. */
  get headers(): IncomingHttpHeaders {
    return this.#node.headers;
  }
  get headersDistinct(): NodeJS.Dict<string[]> {
    return this.#node.headersDistinct;
  }
  /** Names and values as they came, alternating. */
  get rawHeaders(): string[] {
    return this.#node.rawHeaders;
  }
  /** The fields that came after the body; empty before its end. */
  get trailers(): NodeJS.Dict<string> {
    return this.#node.trailers;
  }
  get trailersDistinct(): NodeJS.Dict<string[]> {
    return this.#node.trailersDistinct;
  }
  get rawTrailers(): string[] {
    return this.#node.rawTrailers;
  }
  get httpVersion(): string {
    return this.#node.httpVersion;
  }
  get httpVersionMajor(): number {
    return this.#node.httpVersionMajor;
  }
  get httpVersionMinor(): number {
    return this.#node.httpVersionMinor;
  }
  /** Has it come whole? */
  get complete(): boolean {
    return this.#node.complete;
  }
  get destroyed(): boolean {
    return this.#node.destroyed;
  }
  /** The connection that it came on: what there is to know of it. */
  get socket(): MessageSocket {
    return this.#node.socket;
  }

  #reader(op: string): StreamReader {
    if (this.#discarded) throw new BusyError(`${op} on ${this}, whose body is being discarded: resume() was called`);
    this.#body ??= fromReadable(this.#node);
    return this.#body;
  }

  #limited<T>(wait: Waitable<T>): Waitable<T> {
    return this.#idleMs === Number.POSITIVE_INFINITY ? wait : timeout(this.#idleMs, wait);
  }

  /**
   * Read what has come of the body: at least one byte, at most `max`; null at its end, then and ever after.
   *
   * Switches only if nothing has come. If it throws Killed or TimeoutError, nothing was taken. @throws StreamError with Node's code (ECONNRESET) if the body
   * was cut. @throws ClosedError after destroy(). @throws BusyError if another greenlet is reading. @throws TimeoutError after setTimeout's limit.
   */
  read(max?: number): Waitable<Buffer | null> {
    return this.#limited(this.#reader('read').read(max));
  }
  /** Read exactly `count` bytes of the body. As our own Socket's readExactly; throws as read. */
  readExactly(count: number): Waitable<Buffer> {
    return this.#limited(this.#reader('readExactly').readExactly(count));
  }
  /** Read the body up to `delimiter`. As our own Socket's readUntil; throws as read. */
  readUntil(delimiter: string | Uint8Array, options?: ReadUntilOptions): Waitable<Buffer | null> {
    return this.#limited(this.#reader('readUntil').readUntil(delimiter, options));
  }
  /** Read a line of the body. As our own Socket's readLine; throws as read. */
  readLine(options?: ReadLineOptions): Waitable<string | null> {
    return this.#limited(this.#reader('readLine').readLine(options));
  }

  /**
   * Read all that is left of the body.
   *
   * Switches until it has come. If it throws, the message is destroyed. @throws BodyTooLargeError if it is longer than `limit` (64 MiB). Else as read.
   */
  bytes(options?: BodyLimit): Op<Buffer> {
    const limit = ownCount(checkOptions(options, 'reading a body'), 'limit', BODY_LIMIT, 0, 'reading a body');
    return composite(() => this.#whole(limit));
  }
  /** Read all that is left of the body as UTF-8 text. Switches and throws as bytes. */
  text(options?: BodyLimit): Op<string> {
    const bytes = this.bytes(options);
    return composite(function* () {
      return (yield* bytes).toString();
    });
  }
  /** Read all that is left of the body as JSON. Switches and throws as bytes. @throws ParseError (ERR_JSON) if it is none. */
  json(options?: BodyLimit): Op<unknown> {
    const text = this.text(options);
    return composite(() => this.#parsed(text));
  }

  *#parsed(text: Op<string>): Op<unknown> {
    const whole = yield* text;
    try {
      return JSON.parse(whole) as unknown;
    } catch (error) {
      throw new ParseError(`${this}: the body is no JSON`, 'ERR_JSON', error);
    }
  }

  *#whole(limit: number): Op<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    let whole = false;
    try {
      for (let chunk = yield* this.read(); chunk !== null; chunk = yield* this.read()) {
        size += chunk.length;
        if (size > limit) throw new BodyTooLargeError(`reading the body of ${this}`, limit);
        chunks.push(chunk);
      }
      whole = true;
    } finally {
      // A server's request shares its connection with the answer, which may still say what was wrong.
      if (!whole && this.#node.statusCode !== null) this.destroy();
    }
    return Buffer.concat(chunks, size);
  }

  /** Let the body come and drop it, so that its connection can be used again. Never switches. @throws BusyError if it has been read from. */
  resume(): this {
    if (this.#body !== undefined) throw new BusyError(`resume of ${this}, whose body somebody reads`);
    this.#discarded = true;
    this.#node.resume();
    return this;
  }

  /** The answer has been sent: let what is left of the body come and go, so that the next request can. What nobody has read at all Node lets go itself. @internal */
  drop(): void {
    if (this.#body === undefined) return;
    this.#node.removeAllListeners('data');
    this.#node.resume();
  }

  /** Give up what has not been read, and the connection with it unless all has come. Never switches; idempotent. */
  destroy(error?: Error): this {
    // Who reads later is told the same as who reads now.
    if (this.#body !== undefined || !this.#discarded) this.#reader('destroy').close();
    this.#node.destroy(error);
    return this;
  }
  /** `using`: destroy at the end of the block. */
  [Symbol.dispose](): void {
    this.destroy();
  }

  /** Limit every later wait for the body to `ms`; 0 for no limit. Never switches. @throws TypeError or RangeError for a bad `ms`. */
  setTimeout(ms: number): this {
    if (typeof ms !== 'number') throw typeError(`setTimeout takes milliseconds, not ${shownValue(ms)}`);
    if (!(ms >= 0)) throw rangeError(`setTimeout takes milliseconds >= 0, not ${ms}`);
    this.#idleMs = ms === 0 ? Number.POSITIVE_INFINITY : ms;
    return this;
  }

  /** `response 200` or `request GET /path`. */
  toString(): string {
    const { statusCode, method, url = '' } = this.#node;
    if (statusCode !== null && statusCode !== undefined) return `response ${statusCode}`;
    return `request ${method} ${url.length <= 80 ? url : `${url.slice(0, 77)}...`}`;
  }
}
