// http-server-response.ts: the answer to a request: written bit by bit, or returned by the handler as a whole.
//
// A write waits until the connection has room and only then takes what it was given (S6). When the client has left, writing throws; the handler is being
// killed then, so only its cleanup can see that.
//
// One answer per request: the first counts. Whoever has begun to write and returns an answer too is warned, and that one is dropped.
//
// Invariants, between any two steps:
//   begun  implies  status and fields are on their way and cannot be changed
//   ended  implies  begun

import { type ServerResponse as NodeResponse, STATUS_CODES } from 'node:http';
import { rangeError, typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import { ClosedError } from '../core/errors.ts';
import { Event } from '../core/event.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import { shownValue } from './address.ts';
import { ConnectionResetError } from './errors.ts';
import { checkHeaders, type HeaderValue, type RequestHeaders, valueIn } from './http-headers.ts';
import { EventStream, type EventStreamOptions } from './http-sse.ts';
import { pieceOf, type Writable } from './writable.ts';

/** What a response needs of its connection. */
export interface ResponseKeeper {
  /** Has the client left? */
  readonly left: boolean;
  toString(): string;
  /** The first byte is about to be sent; `whole`: together with the last. */
  responseBegins(whole: boolean): void;
  /** Run `body` beside the handler; it is killed when the handler ends. */
  beside(body: () => Op<unknown>): void;
}

/** How a handler answers bit by bit. */
export class ServerResponse {
  /** 200 by default. */
  status = 200;
  readonly #raw: NodeResponse;
  readonly #keeper: ResponseKeeper;
  /** Up while the connection takes more. Made when somebody waits for that, or would have to. */
  #room: Event | undefined = undefined;
  #fields: string[] = [];
  #trailers: string[] | undefined = undefined;

  /** @internal */
  constructor(raw: NodeResponse, keeper: ResponseKeeper) {
    this.#raw = raw;
    this.#keeper = keeper;
  }

  /** Has something been sent? */
  get begun(): boolean {
    return this.#raw.headersSent;
  }

  /** Has all been sent, or handed over to be? */
  get ended(): boolean {
    return this.#raw.writableEnded;
  }

  /**
   * Set a field of the head, in place of one of that name. Never switches.
   *
   * @throws TypeError for a name or value that may not be sent. @throws ClosedError if the head is on its way.
   */
  setHeader(name: string, value: HeaderValue): this {
    if (this.begun) throw this.#late(`setHeader ${shownValue(name)}`);
    const added = checkHeaders([[name, value]]);
    const lower = name.toLowerCase();
    const kept: string[] = [];
    for (let at = 0; at < this.#fields.length; at += 2) {
      if ((this.#fields[at] as string).toLowerCase() !== lower)
        kept.push(this.#fields[at] as string, this.#fields[at + 1] as string);
    }
    this.#fields = [...kept, ...added];
    return this;
  }

  /** Set the fields that are sent after the body. Never switches. @throws TypeError for what may not be sent. @throws ClosedError if the head is on its way. */
  setTrailers(trailers: RequestHeaders): this {
    if (this.begun) throw this.#late('setTrailers');
    this.#trailers = checkHeaders(trailers);
    return this;
  }

  /**
   * Send a piece of the body, after the head if that has not been sent.
   *
   * Switches if the connection has no room. If it throws, the piece was not sent. @throws ConnectionResetError if the client has left.
   * @throws ClosedError after end(). @throws TypeError if it is neither text nor bytes.
   */
  write(piece: Writable): Op<void> {
    return composite(writePiece, this, bytesOf(pieceOf(piece, 'write')));
  }

  /** Send the last piece of the body, if one is given, and the end. Switches and throws as write; a second end is a no-op. */
  end(piece?: Writable): Op<void> {
    return composite(endWith, this, piece === undefined ? undefined : bytesOf(pieceOf(piece, 'end')));
  }

  /**
   * Answer with a stream of server-sent events. Never switches.
   *
   * @throws ClosedError if the head is on its way. @throws TypeError or RangeError for bad options.
   */
  eventStream(options?: EventStreamOptions): EventStream {
    if (this.begun) throw this.#late('eventStream');
    const stream = new EventStream(this, options);
    this.setHeader('content-type', 'text/event-stream; charset=utf-8').setHeader('cache-control', 'no-store');
    this.setHeader('x-accel-buffering', 'no');
    this.begin(false);
    this.#raw.flushHeaders();
    this.#keeper.beside(() => stream.keepAlive());
    return stream;
  }

  toString(): string {
    return `response to ${this.#keeper.toString()}`;
  }

  // ---- for the server

  /** No body may follow: HEAD, 204, 304. @internal */
  get bodiless(): boolean {
    return this.#raw.req.method === 'HEAD' || this.status === 204 || this.status === 304;
  }

  /** The value of a field that will be sent. @internal */
  field(name: string): string | undefined {
    return valueIn(this.#fields, name);
  }

  /** @internal */
  get room(): Event {
    if (this.#room === undefined) {
      this.#room = new Event({ name: 'room for a response' });
      this.#room.set();
    }
    return this.#room;
  }

  /** Nobody need wait any more. @internal */
  roomAgain(): void {
    this.#room?.set();
  }

  /** Add a field of our own making that is not there. @internal */
  addField(name: string, value: string): void {
    this.#fields.push(name, value);
  }

  /** Send the head. @internal */
  begin(whole: boolean): void {
    const raw = this.#raw;
    const { status } = this;
    if (!Number.isInteger(status) || status < 200 || status > 999) {
      throw rangeError(`${this.toString()}: status must be an integer from 200 to 999, not ${shownValue(status)}`);
    }
    this.#keeper.responseBegins(whole);
    if (this.#trailers !== undefined)
      this.#fields.push('trailer', this.#trailers.filter((_, at) => at % 2 === 0).join(', '));
    if (!whole && valueIn(this.#fields, 'content-length') !== undefined) raw.strictContentLength = true;
    raw.writeHead(status, this.#fields);
  }

  /** @internal */
  push(bytes: string | Uint8Array): void {
    if (this.ended) throw this.#late('write');
    if (!this.begun) this.begin(false);
    if (bytes.length === 0 || this.bodiless || this.#raw.write(bytes)) return;
    this.room.clear();
    this.#raw.once('drain', () => this.roomAgain());
  }

  /** @internal */
  finish(bytes: string | Uint8Array | undefined): void {
    if (this.ended) return;
    const raw = this.#raw;
    if (!this.begun) {
      const { status } = this;
      const hasLength = status !== 204 && status !== 304 && this.#trailers === undefined;
      if (hasLength && this.field('content-length') === undefined) {
        this.#fields.push('content-length', String(bytes === undefined ? 0 : Buffer.byteLength(bytes)));
      }
      this.begin(true);
    }
    if (this.#trailers !== undefined) raw.addTrailers(pairsOf(this.#trailers));
    if (bytes === undefined || this.bodiless) raw.end();
    else raw.end(bytes);
  }

  /** Answer `status` with nothing but its name, in place of all that was set. @internal */
  replaceBy(status: number): void {
    this.status = status;
    this.#fields = ['content-type', 'text/plain; charset=utf-8'];
    this.#trailers = undefined;
    this.finish(`${STATUS_CODES[status] ?? status}\n`);
  }

  /** @internal */
  checkThere(op: string): void {
    if (this.#keeper.left)
      throw new ConnectionResetError(`${op} on ${this.toString()}`, undefined, { bytesQueued: 0, bytesFlushed: 0 });
  }

  #late(op: string): ClosedError {
    return new ClosedError(`${op} on ${this.toString()}: ${this.ended ? 'it has ended' : 'its head is on its way'}`);
  }
}

function* writePiece(response: ServerResponse, bytes: string | Uint8Array): Generator<Trap, void, Resume> {
  yield* response.room.wait();
  response.checkThere('write');
  response.push(bytes);
}

function* endWith(response: ServerResponse, bytes: string | Uint8Array | undefined): Generator<Trap, void, Resume> {
  yield* response.room.wait();
  response.checkThere('end');
  response.finish(bytes);
}

function bytesOf(piece: string | Uint8Array): string | Uint8Array {
  if (typeof piece !== 'string' && !(piece instanceof Uint8Array))
    throw typeError('a piece of a body is text or bytes');
  return piece;
}

function pairsOf(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at < flat.length; at += 2) pairs.push([flat[at] as string, flat[at + 1] as string]);
  return pairs;
}
