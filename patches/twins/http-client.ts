// http-client.ts: `request` and `get` of `tendril/patches/http`, and the ClientRequest that the first one gives.
//
// Node's own client is under it, so Agent, lookup, timeout and every other option mean what they mean there. Node's 'response' is what `end()` gives, 'error' what
// it throws, 'timeout' a TimeoutError that ends the request: nobody is left to do that by hand. Redirects are not followed, as in Node.
//
// A request whose answer nobody waits for any more is given up: a kill or a timeout in end() or in get(), and a kill in write(), destroy it and its connection.
// Source: node:http.

import http, {
  type ClientRequestArgs,
  type ClientRequest as NodeRequest,
  type RequestOptions as NodeRequestOptions,
} from 'node:http';
import { typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import { TimeoutError } from '../../core/errors.ts';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import { readyResult } from '../../core/kernel.ts';
import type { Op, WaitDescription } from '../../core/op.ts';
import { own, shownValue } from '../../io/address.ts';
import { HttpError } from '../../io/http-errors.ts';
import { IncomingMessage } from './http-incoming.ts';
import { type Chunk, checkChunk, OutgoingMessage } from './http-outgoing.ts';

// Taken at load: patches never reach us.
const { request: nodeRequest, validateHeaderName, validateHeaderValue } = http;

/** The options of Node's request(). */
export type RequestOptions = NodeRequestOptions;

/** A request that is being made. `request` makes them. */
export class ClientRequest extends OutgoingMessage {
  readonly #node: NodeRequest;
  #response: IncomingMessage | undefined = undefined;
  readonly #waiting: Set<Ticket<IncomingMessage>> = new Set();
  #timeoutMs = 0;

  /** As request(). */
  constructor(url: string | URL | RequestOptions, options?: RequestOptions) {
    const node = begin([url, options], 'request');
    super(node);
    this.#node = node;
    this.#timeoutMs = own<number>(options ?? (typeof url === 'object' ? url : {}), 'timeout') ?? 0;
    node.on('response', (response) => {
      this.#response = new IncomingMessage(response);
      for (const ticket of this.#waiting) ticket.resolve(this.#response);
      this.#waiting.clear();
    });
    node.on('timeout', () => {
      if (this.#response !== undefined) return;
      this.fail(() => new TimeoutError(this.#timeoutMs, this, String(this)));
      node.destroy();
    });
  }

  get method(): string {
    return this.#node.method;
  }
  get path(): string {
    return this.#node.path;
  }
  get host(): string {
    return this.#node.host;
  }
  get protocol(): string {
    return this.#node.protocol;
  }
  /** Was it sent on a connection that had served before? */
  get reusedSocket(): boolean {
    return this.#node.reusedSocket;
  }
  /** The most fields of a response; Node drops those beyond. */
  get maxHeadersCount(): number {
    return this.#node.maxHeadersCount;
  }
  set maxHeadersCount(count: number) {
    this.#node.maxHeadersCount = count;
  }

  /** Give up when the connection is silent for `ms` before the answer has begun. Never switches. Returns this request. */
  setTimeout(ms: number): this {
    this.#node.setTimeout(ms);
    this.#timeoutMs = ms;
    return this;
  }
  setNoDelay(noDelay?: boolean): this {
    this.#node.setNoDelay(noDelay);
    return this;
  }
  setSocketKeepAlive(enable?: boolean, initialDelay?: number): this {
    this.#node.setSocketKeepAlive(enable, initialDelay);
    return this;
  }

  /**
   * Send the last piece of the body, if there is one, end the request, and wait for the answer: its head. Node's 'response'.
   *
   * Switches. If it throws, the request is destroyed. Called again it gives the same answer.
   *
   * @throws TypeError, at the call, for a bad chunk, or a callback. @throws Node's error (ECONNREFUSED, ECONNRESET, HPE_*, ...) if the request fails.
   * @throws TimeoutError after `timeout`. @throws ClosedError after destroy(). @throws Killed.
   */
  end(chunk?: Chunk, encoding?: BufferEncoding): Op<IncomingMessage> {
    if (chunk !== undefined) checkChunk(chunk, encoding, 'end');
    return composite(() => this.#end(chunk, encoding));
  }

  *#end(chunk: Chunk | undefined, encoding: BufferEncoding | undefined): Op<IncomingMessage> {
    try {
      return yield* new ResponseWait(this, chunk, encoding);
    } finally {
      if (this.#response === undefined) this.destroy();
    }
  }

  /** What has come. @internal */
  get response(): IncomingMessage | undefined {
    return this.#response;
  }

  /** @internal */
  finish(chunk: Chunk | undefined, encoding: BufferEncoding | undefined): void {
    if (this.#node.writableEnded) return;
    if (chunk === undefined) this.#node.end();
    else if (encoding === undefined) this.#node.end(chunk);
    else this.#node.end(chunk, encoding);
  }

  /** @internal */
  awaitResponse(ticket: Ticket<IncomingMessage>): void {
    this.#waiting.add(ticket);
    ticket.onRetract = () => {
      this.#waiting.delete(ticket);
      ticket.withdraw();
    };
  }

  /** @internal */
  override fail(failure: () => unknown): void {
    super.fail(failure);
    for (const ticket of this.#waiting) ticket.rejectWith(this.failure as () => unknown);
    this.#waiting.clear();
  }

  /** @internal */
  override abandoned(): void {
    this.destroy();
  }

  /** @internal */
  override closed(): void {
    // Without an error: the server has agreed to an upgrade that nobody here takes.
    if (this.#response === undefined)
      this.fail(() => new HttpError(`${this}: the connection was closed without an answer`, 'ECONNRESET'));
  }

  /** `GET http://host/path`. */
  override toString(): string {
    const node = this.#node;
    const path = node.path.length <= 80 ? node.path : `${node.path.slice(0, 77)}...`;
    return `${node.method} ${node.protocol}//${node.host}${path}`;
  }
}

class ResponseWait extends ExternalWait<IncomingMessage> {
  readonly #request: ClientRequest;
  readonly #chunk: Chunk | undefined;
  readonly #encoding: BufferEncoding | undefined;
  constructor(request: ClientRequest, chunk: Chunk | undefined, encoding: BufferEncoding | undefined) {
    super();
    this.#request = request;
    this.#chunk = chunk;
    this.#encoding = encoding;
  }
  override look(): boolean {
    const { response, failure } = this.#request;
    if (response === undefined) {
      if (failure !== undefined) throw failure();
      return false;
    }
    // It may have come before the request had ended.
    this.#request.finish(this.#chunk, this.#encoding);
    readyResult.value = response;
    return true;
  }
  protected begin(ticket: Ticket<IncomingMessage>): void {
    this.#request.awaitResponse(ticket);
    this.#request.finish(this.#chunk, this.#encoding);
  }
  describe(): WaitDescription {
    return { op: 'the response', object: String(this.#request) };
  }
}

/** Check (url, options?) or (options) before anything is connected. @throws TypeError */
function checkRequest(args: readonly unknown[], where: string): void {
  if (args.some((arg) => typeof arg === 'function'))
    throw typeError(`${where} takes no callback: the response is what the Op gives`);
  const [target, more] = args;
  if (typeof target !== 'string' && (typeof target !== 'object' || target === null))
    throw typeError(`${where} takes a URL or options, not ${shownValue(target)}`);
  const url = typeof target === 'string' ? new URL(target) : target instanceof URL ? target : undefined;
  const options = (url === undefined ? target : (more ?? {})) as ClientRequestArgs;
  if (typeof options !== 'object') throw typeError(`${where}: options must be an object, not ${shownValue(options)}`);
  const protocol = own<string>(options, 'protocol') ?? url?.protocol;
  if (own(options, 'agent') === undefined && protocol !== undefined && protocol !== null && protocol !== 'http:')
    throw typeError(`${where}: the protocol must be http:, not ${shownValue(protocol)}`, 'ERR_INVALID_PROTOCOL');
  const headers = own<unknown>(options, 'headers');
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return;
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name);
    for (const each of Array.isArray(value) ? value : [value]) validateHeaderValue(name, each as string);
  }
}

function begin(args: readonly unknown[], where: string): NodeRequest {
  checkRequest(args, where);
  const [target, options] = args;
  return options === undefined
    ? nodeRequest(target as RequestOptions)
    : nodeRequest(target as string, options as RequestOptions);
}

/**
 * Begin a request: set fields, `yield* request.write(chunk)` its body, and `yield* request.end()` for the response. Never switches.
 *
 * Whoever makes one ends or destroys it.
 *
 * @throws TypeError for a bad URL or option, and for a callback. Else as Node. That it cannot connect is thrown by write() and end().
 * @see https://nodejs.org/api/http.html#httprequesturl-options-callback
 */
export function request(url: string | URL, options?: RequestOptions): ClientRequest;
export function request(options: RequestOptions): ClientRequest;
export function request(url: string | URL | RequestOptions, options?: RequestOptions): ClientRequest {
  checkRequest([url, options], 'request');
  return new ClientRequest(url, options);
}

/**
 * Ask for a URL by GET: Op of the response, whose head has come and whose body is still to be read.
 *
 * Switches. If it throws, nothing is left open. Read the response to its end, or destroy it.
 *
 * @throws TypeError, at the call, for a bad URL or field, and for a callback. @throws Node's error (ECONNREFUSED, ENOTFOUND, ECONNRESET, ...) if it fails.
 * @throws TimeoutError after the option `timeout`. @throws Killed. @see https://nodejs.org/api/http.html#httpgeturl-options-callback
 */
export function get(url: string | URL, options?: RequestOptions): Op<IncomingMessage>;
export function get(options: RequestOptions): Op<IncomingMessage>;
export function get(url: string | URL | RequestOptions, options?: RequestOptions): Op<IncomingMessage> {
  checkRequest([url, options], 'get');
  return composite(function* () {
    return yield* new ClientRequest(url, options).end();
  });
}
