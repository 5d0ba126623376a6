// http.ts: the names of the namespace `http`: requests on a client that everybody shares, and the client to make one's own.
//
//   const page = yield* http.get('http://localhost:8080/page', { timeoutMs: 5000 });
//   console.log(page.status, page.headers['content-type'], yield* page.text());
//
// The shared client is made at the first request, with the default limits. It needs no closing: its idle connections do not keep the process alive.

import type { Op } from '../core/op.ts';
import { created } from '../core/unstarted.ts';
import { Client, type MethodOptions } from './http-client.ts';
import { fetching } from './http-fetch.ts';
import { HttpRequest, type RequestOptions } from './http-request.ts';
import type { Response } from './http-response.ts';
import type { ClientOptions } from './http-settings.ts';
import { Events, type EventsOptions } from './http-sse-client.ts';

let sharedClient: Client | undefined;

function shared(): Client {
  sharedClient ??= new Client();
  return sharedClient;
}

/** What the shorthands take. */
export type ShorthandOptions = MethodOptions & { readonly client?: Client | undefined };

/** Make a request. Switches. See Client.request, also for what it throws. */
export function request(url: string | URL, options?: RequestOptions): Op<Response> {
  return created(new HttpRequest(shared(), url, options, undefined));
}

/** As request, with GET. */
export function get(url: string | URL, options?: ShorthandOptions): Op<Response> {
  return created(new HttpRequest(shared(), url, options, 'GET'));
}

/** As request, with HEAD: the body is empty. */
export function head(url: string | URL, options?: ShorthandOptions): Op<Response> {
  return created(new HttpRequest(shared(), url, options, 'HEAD'));
}

/** As request, with POST. */
export function post(url: string | URL, options?: ShorthandOptions): Op<Response> {
  return created(new HttpRequest(shared(), url, options, 'POST'));
}

/** As request, with PUT. */
export function put(url: string | URL, options?: ShorthandOptions): Op<Response> {
  return created(new HttpRequest(shared(), url, options, 'PUT'));
}

/** As request, with PATCH. */
export function patch(url: string | URL, options?: ShorthandOptions): Op<Response> {
  return created(new HttpRequest(shared(), url, options, 'PATCH'));
}

function remove(url: string | URL, options?: ShorthandOptions): Op<Response> {
  return created(new HttpRequest(shared(), url, options, 'DELETE'));
}

/**
 * The web's fetch as an Op: `yield* http.fetch(input, init)` gives a Response of the web.
 *
 * Switches until the head of the response has come. A kill or `init.signal` aborts it; the signal ends the body too. Cancel a body that is not read.
 *
 * @throws TypeError at the call for what fetch refuses. @throws the signal's reason if it aborts. Else as Client.request.
 * @see https://fetch.spec.whatwg.org/
 */
export function fetch(
  input: string | URL | globalThis.Request,
  init?: RequestInit & { readonly client?: Client | undefined },
): Op<globalThis.Response> {
  const given = init !== undefined && Object.hasOwn(init, 'client') ? init.client : undefined;
  return created(fetching(given ?? shared(), input, init));
}

/** Make a client: `http.client({baseUrl, headers})`. Never switches. See the constructor of Client. */
export function client(options?: ClientOptions): Client {
  return new Client(options);
}

/**
 * Receive the server-sent events of a URL, connecting again when the stream ends. Never switches: `receive()` of what it returns does.
 *
 * @throws TypeError or RangeError for bad options.
 */
export function events(url: string | URL, options?: EventsOptions): Events {
  return new Events((target, given) => request(target, given), url, options);
}

/** Close the idle connections of the shared client. Never switches. */
export function closeIdle(): void {
  sharedClient?.closeIdle();
}

export { Body, type BodyLimit, BodyUsedError } from './http-body.ts';
export { Client, type MethodOptions } from './http-client.ts';
export type { BodyPieces, RequestBody } from './http-content.ts';
export type { CookieJar } from './http-cookies.ts';
export {
  type Attempt,
  BodyTooLargeError,
  DecompressionError,
  HttpError,
  IncompleteBodyError,
  ParseError,
  ProxyError,
  RedirectError,
  RetryError,
} from './http-errors.ts';
export type { HeaderValue, RequestHeaders } from './http-headers.ts';
export type { MultipartFields, Part, PartValue } from './http-multipart.ts';
export type { DecompressOptions, PolicyOptions, RedirectOptions, RetryOptions } from './http-policy.ts';
export type { PoolStats } from './http-pool.ts';
export type { Progress } from './http-progress.ts';
export type { ProxyOptions } from './http-proxy.ts';
export type { RequestOptions } from './http-request.ts';
export { Response } from './http-response.ts';
export { type HandlerResult, type HttpHandler, type HttpServer, serve } from './http-server.ts';
export type { Answer, AnswerBody } from './http-server-answer.ts';
export type { HttpServerStats } from './http-server-counts.ts';
export type { ServerRequest, UpgradeOptions } from './http-server-request.ts';
export type { ServerResponse } from './http-server-response.ts';
export type { HttpServeOptions } from './http-server-settings.ts';
export type { ClientOptions } from './http-settings.ts';
export {
  type EventReader,
  type EventReaderOptions,
  type EventStream,
  type EventStreamOptions,
  type EventToSend,
  eventStream,
} from './http-sse.ts';
export type { Events, EventsOptions } from './http-sse-client.ts';
export type { ServerEvent } from './http-sse-parser.ts';
export type { Query } from './http-target.ts';
export type { BodyWriter, Piece } from './http-upload.ts';
export { remove as delete };
