// http.ts: the names of the namespace `http`: requests on a client that everybody shares, and the client to make one's own.
//
//   const page = yield* http.get('http://localhost:8080/page', { timeoutMs: 5000 });
//   console.log(page.status, page.headers['content-type'], yield* page.text());
//
// The shared client is made at the first request, with the default limits. It needs no closing: its idle connections do not keep the process alive.

import type { Op } from '../core/op.ts';
import { created } from '../core/unstarted.ts';
import { Client, type MethodOptions } from './http-client.ts';
import { HttpRequest, type RequestOptions } from './http-request.ts';
import type { Response } from './http-response.ts';

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

/** Close the idle connections of the shared client. Never switches. */
export function closeIdle(): void {
  sharedClient?.closeIdle();
}

export { Body, type BodyLimit, BodyUsedError } from './http-body.ts';
export { Client, type ClientOptions, type MethodOptions } from './http-client.ts';
export { BodyTooLargeError, HttpError, IncompleteBodyError, ParseError } from './http-errors.ts';
export type { HeaderValue, RequestHeaders } from './http-headers.ts';
export type { PoolStats } from './http-pool.ts';
export type { RequestBody, RequestOptions } from './http-request.ts';
export { Response } from './http-response.ts';
export type { Query } from './http-target.ts';
export type { BodyPieces, BodyWriter, Piece } from './http-upload.ts';
export { remove as delete };
