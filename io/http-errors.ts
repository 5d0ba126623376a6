// http-errors.ts: what can go wrong with an HTTP request, and how what undici reports becomes an error of ours.
//
// All are the world's fault (ResourceError). `code` is stable: undici's own where there is one (UND_ERR_*), else ERR_<NAME>. Before a connection stands it
// is a ConnectError or a DnsError with Node's code, as everywhere in io/. What Node or undici threw is the `cause`.
//
// A response that was cut is never a short success: it is an IncompleteBodyError, whether the peer was polite about it or not.

import { typeError } from '../core/bad-argument.ts';
import { BusyError, ClosedError, ResourceError, TimeoutError } from '../core/errors.ts';
import { type ConnectAttempt, ConnectError, codeOf, DnsError } from './errors.ts';

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
  constructor(what: string, received: number, cause: unknown) {
    const reason = codeOf(cause) ?? 'closed';
    super(
      `${what}: the connection ended after ${received} bytes of the body (${reason})`,
      'ERR_INCOMPLETE_BODY',
      cause,
    );
    this.received = received;
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

/** What an exchange knows of itself when it fails. */
export interface FailedExchange {
  /** `GET http://host/path`. */
  toString(): string;
  readonly origin: string;
  readonly hostname: string;
  /** How far it had come. */
  readonly connected: boolean;
  readonly answered: boolean;
  readonly received: number;
  /** Did nobody take what had come? Then a silent server is not to blame. */
  readonly unread: boolean;
  readonly idleTimeoutMs: number;
  /** The Op that a TimeoutError names. */
  readonly request: object;
}

const RESOLVER_CODES = /^(ENOTFOUND|ENODATA|EAI_\w+)$/;
const CUT = /Invalid EOF state/;
const NOT_HTTP = new Set(['bad response', 'bad upgrade']);

/** A limit in time that was ours to keep: the error is made when the greenlet gets it. */
export class Expired {
  readonly limitMs: number;
  readonly what: string;
  constructor(limitMs: number, what: string) {
    this.limitMs = limitMs;
    this.what = what;
  }
}

/** Who closed what, as the cause of a failure. */
export class ClosedByUs {
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

/** The error for `exchange`, which ended with `cause`. */
export function httpFailure(exchange: FailedExchange, cause: unknown): Error {
  const what = exchange.toString();
  if (cause instanceof Expired) return new TimeoutError(cause.limitMs, exchange.request, `${what}: ${cause.what}`);
  if (cause instanceof ClosedByUs) return new ClosedError(`${what}: ${cause.what}`);
  if (cause instanceof HttpError || cause instanceof BusyError || cause instanceof ClosedError) return cause;
  const code = codeOf(cause) ?? '';
  switch (code) {
    case 'UND_ERR_HEADERS_TIMEOUT':
      return new TimeoutError(exchange.idleTimeoutMs, exchange.request, `${what}: no response came`);
    case 'UND_ERR_BODY_TIMEOUT': {
      const who = exchange.unread
        ? 'nobody read the body: read it or close() the response'
        : 'no more of the body came';
      return new TimeoutError(exchange.idleTimeoutMs, exchange.request, `${what}: ${who}`);
    }
    case 'UND_ERR_HEADERS_OVERFLOW':
      return new ParseError(what, code, cause);
    case 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH':
      return new HttpError(
        `${what}: the body that was given has not the length that its Content-Length says`,
        code,
        cause,
      );
    case 'UND_ERR_INVALID_ARG':
    case 'UND_ERR_NOT_SUPPORTED':
      return typeError(`${what}: ${(cause as Error).message}`, code, { cause });
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
      // undici says this of every fault that it finds after a Content-Length, also in the head.
      if (!exchange.answered) return new ParseError(what, 'ERR_PARSE', cause);
      break;
  }
  if (!exchange.connected) return connectFailure(exchange, code, cause);
  // Its code is meant to be llhttp's name of the fault, but undici 7 leaves it undefined.
  if ((cause as Error).name === 'HTTPParserError' && !CUT.test((cause as Error).message)) {
    return new ParseError(what, code === '' ? 'ERR_PARSE' : code, cause);
  }
  if (code === 'UND_ERR_SOCKET' && NOT_HTTP.has((cause as Error).message)) return new ParseError(what, code, cause);
  return new IncompleteBodyError(what, exchange.received, cause);
}

function connectFailure(exchange: FailedExchange, code: string, cause: unknown): Error {
  if (cause instanceof DnsError) return cause;
  if (RESOLVER_CODES.test(code)) return new DnsError(exchange.hostname, code, cause);
  const tries: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return new ConnectError(
    exchange.origin,
    tries.map(
      (error): ConnectAttempt => ({ address: addressOf(error, exchange), code: codeOf(error) ?? 'ERR_CONNECT', error }),
    ),
  );
}

function addressOf(error: unknown, exchange: FailedExchange): string {
  const { address, port } = error as { address?: string; port?: number };
  if (address === undefined) return new URL(exchange.origin).host;
  return port === undefined ? address : `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
