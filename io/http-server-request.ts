// http-server-request.ts: a request that a server was sent: its head is here, its body is still to be read.
//
// Maps have no prototype, and repeated fields are joined as node:http does. Nothing of the path is decoded or resolved: `%2e%2e` stays what it is, so what a
// handler compares is what was sent.
//
// The methods that take the whole body have a limit. Their errors that are the client's fault (too large, no JSON, cut, too slow) become the status that
// says so if the handler lets them pass; nobody is told of them.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { composite } from '../core/composite.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import { type Address, checkOptions, ownCount } from './address.ts';
import type { Body, BodyLimit } from './http-body.ts';
import { BodyTooLargeError, HttpError, ParseError } from './http-errors.ts';
import { headerMap, headerPairs } from './http-headers.ts';
import { type BodyKeeper, blameClient, RequestBody } from './http-server-body.ts';
import type { Socket } from './socket.ts';
import { until } from './until.ts';

/** What a request needs of its connection. */
export interface RequestKeeper extends BodyKeeper {
  readonly socket: Socket;
  readonly bodyLimit: number;
  /** Have `stop` called when the server is being stopped, as long as this request lasts. */
  whenStopping(stop: () => void): void;
  /** Without headers nothing is sent. */
  upgrade(headers: Readonly<Record<string, string>> | undefined, protocol: string): Socket;
  atEnd(ending: Ending): void;
}

/** What is to be done with an upgraded connection when its handler has ended. */
export interface Ending {
  /** The handler has returned, or failed. */
  close(failed: boolean): Op<void>;
  /** It was killed. */
  abort(): void;
}

export interface UpgradeOptions {
  /** The protocol to change to: the one that the client asked for by default. */
  readonly protocol?: string | undefined;
  /** Further fields of the answer. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A request. A handler of http.serve gets it. */
export class ServerRequest {
  readonly method: string;
  /** As it was sent: path and query. */
  readonly url: string;
  /** The path as it was sent, neither decoded nor resolved. */
  readonly path: string;
  /** What follows the `?`, or ''. */
  readonly search: string;
  readonly #message: IncomingMessage;
  readonly #keeper: RequestKeeper;
  readonly #upgradable: boolean;
  #headers: IncomingHttpHeaders | undefined = undefined;
  #query: Readonly<Record<string, string>> | undefined = undefined;
  #body: RequestBody | undefined = undefined;
  #fault: { readonly cause: unknown } | undefined = undefined;

  /** @internal */
  constructor(message: IncomingMessage, keeper: RequestKeeper, upgradable: boolean) {
    this.#upgradable = upgradable;
    this.#message = message;
    this.#keeper = keeper;
    this.method = message.method as string;
    const url = message.url as string;
    this.url = url;
    const mark = url.indexOf('?');
    this.search = mark < 0 ? '' : url.slice(mark + 1);
    const path = mark < 0 ? url : url.slice(0, mark);
    // A proxy is sent the whole URL; its path counts.
    this.path = path.charCodeAt(0) === 0x2f ? path : path.replace(/^[a-z][a-z\d+.-]*:\/\/[^/]*/i, '') || '/';
  }

  /** The fields by lower-case name, without a prototype; repeated ones are joined as node:http does. */
  get headers(): IncomingHttpHeaders {
    this.#headers ??= headerMap(this.#message.rawHeaders);
    return this.#headers;
  }

  /** Names and values as they came, alternating. */
  get rawHeaders(): string[] {
    return headerPairs(this.#message.rawHeaders);
  }

  /** The fields of the query by name, without a prototype; of repeated ones the first. All of them: `new URLSearchParams(request.search)`. */
  get query(): Readonly<Record<string, string>> {
    if (this.#query === undefined) {
      const query = Object.create(null) as Record<string, string>;
      for (const [name, value] of new URLSearchParams(this.search)) {
        if (name !== '__proto__' && !(name in query)) query[name] = value;
      }
      this.#query = query;
    }
    return this.#query;
  }

  /** `1.1` or `1.0`. */
  get httpVersion(): string {
    return this.#message.httpVersion;
  }

  get remoteAddress(): Address {
    return this.#keeper.socket.remoteAddress;
  }

  get localAddress(): Address {
    return this.#keeper.socket.localAddress;
  }

  /** The protocol that the client would like to change to, by `upgrade()`; undefined if it did not ask. */
  get upgradesTo(): string | undefined {
    return this.#upgradable ? this.headers.upgrade : undefined;
  }

  /** The body, to be read piece by piece; empty if there is none. */
  get body(): Body {
    return this.requestBody;
  }

  /** The fields that came after a chunked body, once it has been read; empty before. */
  get trailers(): IncomingHttpHeaders {
    return headerMap(this.#message.complete ? this.#message.rawTrailers : []);
  }

  /**
   * Read the body. Switches until it has come.
   *
   * @throws BodyTooLargeError (413) above `limit` bytes, 64 MiB if the server does not say otherwise. @throws IncompleteBodyError, ParseError or HttpError
   * (400, 408) if the client cuts it, breaks the protocol or is too slow. @throws BodyUsedError if it was taken already. @throws RangeError for a bad limit.
   */
  bytes(options?: BodyLimit): Op<Buffer> {
    return this.#whole(options, (body, limit) => body.bytes(limit));
  }

  /** Read the body as UTF-8 text. Switches and throws as bytes. */
  text(options?: BodyLimit): Op<string> {
    return this.#whole(options, (body, limit) => body.text(limit));
  }

  /** Read the body as JSON. Switches and throws as bytes. @throws ParseError (400, ERR_JSON) if it is none. */
  json(options?: BodyLimit): Op<unknown> {
    return this.#whole(options, (body, limit) => body.json(limit));
  }

  /**
   * Read the body as a form: `application/x-www-form-urlencoded`, or `multipart/form-data` with its files in memory. Switches and throws as bytes.
   *
   * @throws HttpError (415, ERR_FORM_TYPE) if it is of another type. @throws ParseError (400, ERR_FORM) if it is none.
   */
  form(options?: BodyLimit): Op<FormData> {
    return composite(() => this.#form(options));
  }

  *#form(options: BodyLimit | undefined): Generator<Trap, FormData, Resume> {
    const type = String(this.headers['content-type'] ?? '');
    if (!/^(application\/x-www-form-urlencoded|multipart\/form-data)\s*(;|$)/i.test(type)) {
      throw blameClient(
        new HttpError(`form on ${this}: the body is no form but ${type || 'untyped'}`, 'ERR_FORM_TYPE'),
        415,
      );
    }
    const bytes = yield* this.bytes(options);
    if (type.charCodeAt(0) === 0x61 || type.charCodeAt(0) === 0x41) {
      const form = new FormData();
      for (const [name, value] of new URLSearchParams(bytes.toString())) form.append(name, value);
      return form;
    }
    const response = new globalThis.Response(new Uint8Array(bytes), { headers: { 'content-type': type } });
    try {
      return yield* until(response.formData());
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw blameClient(new ParseError(`form on ${this}: the body is no form`, 'ERR_FORM', error), 400);
    }
  }

  /**
   * Leave HTTP: answer `101 Switching Protocols` and give the connection, with what the client has sent after its request unread.
   *
   * Never switches. The connection is closed when the handler ends. While the server is being stopped a handler that waits for its peer is killed at once.
   *
   * @throws HttpError (426, ERR_NO_UPGRADE) if the client did not ask for it. @throws ClosedError if the client has left, or an answer has begun.
   * @throws TypeError for headers that may not be sent.
   */
  upgrade(options?: UpgradeOptions): Socket {
    const asked = this.upgradesTo;
    if (asked === undefined) {
      throw blameClient(
        new HttpError(`upgrade on ${this}: the client did not ask for another protocol`, 'ERR_NO_UPGRADE'),
        426,
      );
    }
    return this.#keeper.upgrade(options?.headers ?? {}, options?.protocol ?? asked);
  }

  /** `request POST /form of 127.0.0.1:4000`. */
  toString(): string {
    const url = this.url.length <= 80 ? this.url : `${this.url.slice(0, 77)}...`;
    return `request ${this.method} ${url} of ${this.remoteAddress}`;
  }

  /** @internal */
  get requestBody(): RequestBody {
    if (this.#body === undefined) {
      this.#body = new RequestBody(this.#message, this.#keeper);
      if (this.#fault !== undefined) this.#body.fail(this.#fault.cause);
    }
    return this.#body;
  }

  /** The body will not come whole. @internal */
  bodyFails(cause: unknown): void {
    this.#fault = { cause };
    this.#body?.fail(cause);
  }

  /** The body, if anybody has asked for it. @internal */
  get bodyInUse(): RequestBody | undefined {
    return this.#body;
  }

  /** Give the connection as it is, and the request, to somebody who answers it himself. @internal */
  detach(): { readonly message: IncomingMessage; readonly socket: Socket } {
    return { message: this.#message, socket: this.#keeper.upgrade(undefined, '') };
  }

  /** @internal */
  atEnd(ending: Ending): void {
    this.#keeper.atEnd(ending);
  }

  /** @internal */
  whenStopping(stop: () => void): void {
    this.#keeper.whenStopping(stop);
  }

  #whole<T>(options: BodyLimit | undefined, read: (body: Body, limit: BodyLimit) => Op<T>): Op<T> {
    const limit = ownCount(
      checkOptions(options, 'reading a body'),
      'limit',
      this.#keeper.bodyLimit,
      0,
      'reading a body',
    );
    return composite(() => this.#read(limit, read));
  }

  *#read<T>(limit: number, read: (body: Body, limit: BodyLimit) => Op<T>): Generator<Trap, T, Resume> {
    // A length that is too large need not be sent at all.
    if (Number(this.headers['content-length'] ?? 0) > limit) {
      throw blameClient(new BodyTooLargeError(`reading the body of ${this}`, limit), 413);
    }
    try {
      return yield* read(this.body, { limit });
    } catch (error) {
      if (error instanceof BodyTooLargeError) blameClient(error, 413);
      else if (error instanceof ParseError) blameClient(error, 400);
      throw error;
    }
  }
}
