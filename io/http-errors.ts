// http-errors.ts: what can go wrong with an HTTP request. How what undici reports becomes one of these: http-failure.ts.
//
// All are the world's fault (ResourceError). `code` is stable: undici's own where there is one (UND_ERR_*), else ERR_<NAME>. Before a connection stands it
// is a ConnectError or a DnsError with Node's code, as everywhere in io/. What Node or undici threw is the `cause`.
//
// A response that was cut is never a short success: it is an IncompleteBodyError, whether the peer was polite about it or not.

import { ResourceError } from '../core/errors.ts';
import { codeOf } from './errors.ts';

/** The request could not be made or its answer not be taken, for a reason that HTTP has: a full queue, a body of the wrong length, ... */
export class HttpError extends ResourceError {
  override readonly code: string;
  constructor(message: string, code = 'ERR_HTTP', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/**
 * The connection ended before the response did: in its head, or before the end that Content-Length or the chunks announce.
 *
 * The request may have reached the server and may have had its effect. (One that was never sent ends in a ConnectError.)
 */
export class IncompleteBodyError extends HttpError {
  /** How many bytes of the body had come. */
  readonly received: number;
  /** @internal: `received` is undefined if not even the head had come. */
  constructor(what: string, received: number | undefined, cause: unknown, note = '') {
    const reason = codeOf(cause) ?? 'closed';
    const when = received === undefined ? 'before an answer had come' : `after ${received} bytes of the body`;
    super(`${what}: the connection ended ${when} (${reason})${note}`, 'ERR_INCOMPLETE_BODY', cause);
    this.received = received ?? 0;
  }
}

/** What came is not HTTP/1.1, or not the JSON that was asked for. The connection is not used again. */
export class ParseError extends HttpError {
  constructor(what: string, code: string, cause?: unknown) {
    super(`${what}${cause instanceof Error ? `: ${cause.message}` : ''}`, code, cause);
  }
}

/** The body is longer than the caller allowed. The connection is closed. */
export class BodyTooLargeError extends HttpError {
  readonly limit: number;
  constructor(what: string, limit: number) {
    super(`${what}: the body is longer than ${limit} bytes; raise {limit}, or read it in pieces`, 'ERR_BODY_TOO_LARGE');
    this.limit = limit;
  }
}

/** The body is said to be compressed, and is not, is cut, or unfolds to more than is allowed. The connection is closed. */
export class DecompressionError extends HttpError {}

/** A redirect that is not followed: too many, a loop, to where nothing may be sent, or of a body that cannot be sent again. */
export class RedirectError extends HttpError {
  /** Every URL that was asked for, and last the one that was not, if it is one. */
  readonly chain: readonly string[];
  constructor(what: string, code: string, chain: readonly string[], cause?: unknown) {
    super(`${what} (${chain.join(' -> ')})`, code, cause);
    this.chain = chain;
  }
}

/** One attempt at a request, and how it ended. */
export interface Attempt {
  /** The status of its answer, if there was one. */
  readonly status: number | undefined;
  readonly error: Error | undefined;
  /** How long it was waited before the next one. */
  readonly waitedMs: number;
}

/** A request was made several times, and the last attempt failed too: its error is the `cause`, and its code the `code`. */
export class RetryError extends HttpError {
  readonly attempts: readonly Attempt[];
  constructor(what: string, attempts: readonly Attempt[], last: Error) {
    const list = attempts.map(({ status, error }) => status ?? codeOf(error) ?? 'failed').join(', ');
    super(`${what}: ${attempts.length} attempts failed: ${list}: ${last.message}`, codeOf(last) ?? 'ERR_HTTP', last);
    this.attempts = attempts;
  }
}

/** The proxy would not connect us. */
export class ProxyError extends HttpError {
  /** `http://host:port`, without a password. */
  readonly proxy: string;
  /** What it answered, if it did. */
  readonly status: number | undefined;
  constructor(proxy: string, what: string, status: number | undefined, code = 'ERR_HTTP_PROXY') {
    super(`proxy ${proxy}: ${what}`, code);
    this.proxy = proxy;
    this.status = status;
  }
}
