// http-request.ts: a request as it was asked for: checked at the call, inert until a greenlet starts it, and as often as one does.
//
// It is also the very object that undici reads its options from, so that a start allocates one exchange and nothing else.
//
// Not a Waitable: a request that was killed may have happened, so it can be no arm of a select. Use race(), or timeout() around it.

import type { Dispatcher } from 'undici';
import { typeError } from '../core/bad-argument.ts';
import { isGenerator } from '../core/body.ts';
import { OpReusedError } from '../core/errors.ts';
import { nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import { requireMs } from '../core/sleep.ts';
import type { Client } from './http-client.ts';
import { Exchange } from './http-exchange.ts';
import { checkHeaders, checkMethod, type RequestHeaders, valueIn } from './http-headers.ts';
import type { Response } from './http-response.ts';
import { parseTarget, type Query } from './http-target.ts';
import { type BodyPieces, type Piece, type UploadPipe, upload } from './http-upload.ts';

/** What a request may carry: text (UTF-8), bytes, form fields, or pieces that are made while it is sent. */
export type RequestBody = Piece | ArrayBuffer | URLSearchParams | BodyPieces;

export interface RequestOptions {
  /** GET by default. */
  readonly method?: string | undefined;
  readonly headers?: RequestHeaders | undefined;
  /** Added to the query of the URL. */
  readonly query?: Query | undefined;
  readonly body?: RequestBody | undefined;
  /** For everything, from the start of the request to the last byte of the response: Infinity by default. */
  readonly timeoutMs?: number | undefined;
  /** The client whose connections are used; one that all share by default. */
  readonly client?: Client | undefined;
}

export class HttpRequest implements Op<Response> {
  // What undici reads.
  readonly path: string;
  readonly method: string;
  readonly headers: string[] | null = null;
  readonly body: Uint8Array | string | null = null;
  /** Asking for it would cost one more look at the connection per response; without pipelining it changes nothing. */
  readonly blocking: boolean = false;
  // Ours.
  readonly client: Client;
  readonly origin: string;
  readonly hostname: string;
  readonly timeoutMs: number = Number.POSITIVE_INFINITY;
  readonly #pieces: BodyPieces | undefined = undefined;
  #started = false;

  constructor(client: Client, url: string | URL, options: RequestOptions | undefined, method: string | undefined) {
    if (options !== undefined && (typeof options !== 'object' || options === null)) {
      throw typeError(`options must be an object, not ${nameOf(options)}`);
    }
    const target = parseTarget(url, own(options, 'query'));
    this.path = target.path;
    this.origin = target.origin;
    this.hostname = target.hostname;
    this.client = own(options, 'client') ?? client;
    if (typeof this.client?.poolFor !== 'function')
      throw typeError(`client must be an http.Client, not ${nameOf(this.client)}`);
    const givenMethod = own(options, 'method');
    this.method = method ?? (givenMethod === undefined ? 'GET' : checkMethod(givenMethod));
    const headers = own(options, 'headers');
    if (headers !== undefined) this.headers = checkHeaders(headers);
    const timeoutMs = own(options, 'timeoutMs');
    if (timeoutMs !== undefined) this.timeoutMs = Math.max(0, requireMs(timeoutMs, 'timeoutMs'));
    const body = own(options, 'body');
    if (body === undefined || body === null) return;
    if (typeof body === 'string' || body instanceof Uint8Array) this.body = body;
    else if (body instanceof ArrayBuffer) this.body = new Uint8Array(body);
    else if (body instanceof URLSearchParams) {
      this.body = body.toString();
      this.headers ??= [];
      if (valueIn(this.headers, 'content-type') === undefined) {
        this.headers.push('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
      }
    } else if (arePieces(body)) this.#pieces = body;
    else
      throw typeError(
        `body must be a string, bytes, an iterable of them or a function that writes them, not ${nameOf(body)}`,
      );
    this.#checkLength();
  }

  get url(): string {
    return this.origin + this.path;
  }

  [Symbol.iterator](): Iterator<Trap, Response, Resume> {
    const pieces = this.#pieces;
    if (pieces === undefined) return new Exchange(this, undefined)[Symbol.iterator]();
    if (this.#started && isGenerator(pieces))
      throw new OpReusedError('an http request whose body is a generator object');
    this.#started = true;
    return upload(this, pieces);
  }

  /** What undici is given for one start. @internal */
  dispatchOptions(pipe: UploadPipe | undefined): Dispatcher.DispatchOptions {
    if (pipe === undefined) return this as unknown as Dispatcher.DispatchOptions;
    const { path, method, headers, blocking } = this;
    // undici takes any async iterable; its types name streams only.
    return { path, method, headers, blocking, body: pipe as unknown as Buffer };
  }

  // A length that does not fit would be found out only when the request is on its way.
  #checkLength(): void {
    const said = this.headers === null ? undefined : valueIn(this.headers, 'content-length');
    if (said === undefined || this.body === null) return;
    const length = Buffer.byteLength(this.body);
    if (Number(said) !== length) throw typeError(`content-length is ${said}, but the body has ${length} bytes`);
  }
}

// Own properties only: what somebody has put on Object.prototype is no option of ours.
function own<K extends keyof RequestOptions>(options: RequestOptions | undefined, name: K): RequestOptions[K] {
  return options !== undefined && Object.hasOwn(options, name) ? options[name] : undefined;
}

function arePieces(body: unknown): body is BodyPieces {
  if (typeof body === 'function') return true;
  return typeof body === 'object' && body !== null && (Symbol.iterator in body || Symbol.asyncIterator in body);
}
