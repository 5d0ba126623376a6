// http-response.ts: what a server answered: status and headers at once, the body as it is read.
//
// Its life: as soon as all of the body has come, and up to 64 KiB come by themselves, the connection is free for the next request, whether the body was read
// or not. A longer one holds its connection until it is read to the end or the response is closed; if nobody reads for the idle time of the client
// (60 s), it is closed for them. So drop small responses without a thought, and close() what you do not want to the end.
//
// Any greenlet may read it; it does not belong to the one that asked.

/// <reference lib="esnext.disposable" preserve="true" />

import type { IncomingHttpHeaders } from 'node:http';
import { rethrowKilled } from '../core/errors.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import { timeout } from '../core/timeout.ts';
import { Body, type BodyLimit, type BodySource } from './http-body.ts';
import { headerMap, headerPairs } from './http-headers.ts';

export type RawFields = readonly (Buffer | string)[];

/** An HTTP response: its head is here, its body is still to be read, or closed. */
export class Response {
  readonly status: number;
  readonly statusText: string;
  /** The URL that has answered, without a fragment: the last one, if there were redirects. */
  readonly url: string;
  /** The URLs that led to it by redirects, first the one that was asked for; empty if there were none. */
  redirects: readonly string[] = [];
  /** How often the request was made, where `retry` allows more than one attempt. */
  attempts = 1;
  readonly body: Body;
  readonly #raw: RawFields;
  #headers: IncomingHttpHeaders | undefined = undefined;
  #rawTrailers: RawFields | undefined = undefined;

  /** @internal */
  constructor(source: BodySource, url: string, status: number, statusText: string, raw: RawFields) {
    this.status = status;
    this.statusText = statusText;
    this.url = url;
    this.#raw = raw;
    this.body = new Body(source);
  }

  /** Is the status one of success (200 to 299)? */
  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  /** The fields by lower-case name, without a prototype; repeated ones are joined as node:http does, `set-cookie` is an array. */
  get headers(): IncomingHttpHeaders {
    this.#headers ??= headerMap(this.#raw);
    return this.#headers;
  }

  /** Names and values as they came, alternating. */
  get rawHeaders(): string[] {
    return headerPairs(this.#raw);
  }

  /** The fields that came after a chunked body, once it has ended; empty before. */
  get trailers(): IncomingHttpHeaders {
    return headerMap(this.#rawTrailers ?? []);
  }

  /** See Body.bytes. */
  bytes(options?: BodyLimit): Op<Buffer> {
    return this.body.bytes(options);
  }

  /** See Body.text. */
  text(options?: BodyLimit): Op<string> {
    return this.body.text(options);
  }

  /** See Body.json. */
  json(options?: BodyLimit): Op<unknown> {
    return this.body.json(options);
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Drop what has not been read, and the connection if the body has not come whole. Never switches; idempotent. */
  close(): void {
    this.body.close();
  }

  /** @internal */
  ended(trailers: RawFields | null | undefined): void {
    if (trailers !== null && trailers !== undefined && trailers.length > 0) this.#rawTrailers = trailers;
  }
}

const MOST_DROPPED_BYTES = 65_536;
const MOST_DROPPING_MS = 1_000;

/** Be done with a response that is not wanted: if it is small and comes soon, its connection can be used again. */
export function* dropResponse(response: Response): Generator<Trap, void, Resume> {
  try {
    yield* timeout(MOST_DROPPING_MS, response.bytes({ limit: MOST_DROPPED_BYTES }));
  } catch (error) {
    rethrowKilled(error);
  } finally {
    response.close();
  }
}
