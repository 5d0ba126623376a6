// http-fetch.ts: `fetch` as an Op: it takes and gives what the web's does (Request, Response, Headers), over the connections of a client of ours.
//
// It is the web's in what a caller sees: a redirect is followed, shown or refused as `redirect` says; a signal aborts; no status is an error; the body of
// the response is a ReadableStream. It is not a browser's: no CORS, no cache, no cookies but those of a jar, `http:` and `https:` only. Errors are those of a
// request of ours, which say more than the web's bare TypeError.
//
// A kill aborts, until the response is there. From then on its body is the caller's: read it to its end, or cancel it.
// Source: https://fetch.spec.whatwg.org/

import { ClosedError, rethrowKilled } from '../core/errors.ts';
import { Event } from '../core/event.ts';
import { race } from '../core/gather.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import type { Body } from './http-body.ts';
import type { Client } from './http-client.ts';
import type { RequestBody } from './http-content.ts';
import { RedirectError } from './http-errors.ts';
import { leadsOn } from './http-redirect.ts';
import { HttpRequest } from './http-request.ts';
import type { Response } from './http-response.ts';
import { toReadableStream } from './web-streams.ts';

type WebRequest = globalThis.Request;
type WebResponse = globalThis.Response;

// Taken at load: patches never reach us.
const MakeRequest: typeof globalThis.Request = globalThis.Request;
const MakeResponse: typeof globalThis.Response = globalThis.Response;

const MOST_REDIRECTS = 20;
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** The Op of one fetch, whose request has been checked. */
export function fetching(
  client: Client,
  input: string | URL | WebRequest,
  init: RequestInit | undefined,
): Op<WebResponse> {
  const { baseUrl } = client.defaults;
  const where = typeof input === 'string' && baseUrl !== undefined ? new URL(input, baseUrl) : input;
  const request = new MakeRequest(where, init);
  const replayable = replayableOf(init?.body);
  const headers: [string, string][] = [...request.headers];
  if (!request.headers.has('accept')) headers.push(['accept', '*/*']);
  const asked = new HttpRequest(
    client,
    request.url,
    {
      headers,
      body: replayable ?? ((request.body as unknown as RequestBody | null) || undefined),
      redirects: request.redirect === 'follow' ? MOST_REDIRECTS : 0,
    },
    request.method,
  );
  return { [Symbol.iterator]: () => perform(asked, request) };
}

/** What can be sent again after a redirect: the web's stream of it could not. */
function replayableOf(body: unknown): RequestBody | undefined {
  if (typeof body === 'string' || body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return body;
  return body instanceof URLSearchParams || body instanceof Blob ? body : undefined;
}

function* perform(asked: HttpRequest, request: WebRequest): Generator<Trap, WebResponse, Resume> {
  const { signal } = request;
  if (signal.aborted) throw signal.reason;
  const aborted = new Event({ name: 'of an AbortSignal' });
  const abort = (): void => aborted.set();
  signal.addEventListener('abort', abort);
  let response: Response;
  try {
    response = yield* race([asked, whenAborted(aborted, signal)]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
  if (request.redirect === 'error' && leadsOn(response)) {
    response.close();
    throw new RedirectError(`${asked.toString()}: redirected`, 'ERR_HTTP_TOO_MANY_REDIRECTS', [response.url]);
  }
  return webResponse(response, signal, request.method);
}

function* whenAborted(aborted: Event, signal: AbortSignal): Generator<Trap, never, Resume> {
  yield* aborted.wait();
  throw signal.reason;
}

function webResponse(response: Response, signal: AbortSignal, method: string): WebResponse {
  const { status, body, rawHeaders } = response;
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    headers.append(rawHeaders[at] as string, rawHeaders[at + 1] as string);
  const empty = WITHOUT_BODY.has(status) || method === 'HEAD';
  if (empty) response.close();
  else endWith(body, signal);
  const stream = empty ? null : (toReadableStream(new SignalledBody(body, signal)) as unknown as ReadableStream);
  const statusText = /^[\t\x20-\x7e\x80-\xff]*$/.test(response.statusText) ? response.statusText : '';
  const web = new MakeResponse(stream, { status, statusText, headers });
  // A Response that is made by hand knows of neither.
  return Object.defineProperties(web, {
    url: { value: response.url, configurable: true },
    redirected: { value: response.redirects.length > 0, configurable: true },
  });
}

function endWith(body: Body, signal: AbortSignal): void {
  const close = (): void => body.close();
  signal.addEventListener('abort', close, { once: true });
}

/** A body whose reads end in the signal's reason once it has aborted. */
class SignalledBody {
  readonly #body: Body;
  readonly #signal: AbortSignal;
  constructor(body: Body, signal: AbortSignal) {
    this.#body = body;
    this.#signal = signal;
  }

  *read(max?: number): Generator<Trap, Buffer | null, Resume> {
    try {
      return yield* this.#body.read(max);
    } catch (error) {
      rethrowKilled(error);
      throw error instanceof ClosedError && this.#signal.aborted ? this.#signal.reason : error;
    }
  }

  close(): void {
    this.#body.close();
  }

  toString(): string {
    return this.#body.toString();
  }
}
