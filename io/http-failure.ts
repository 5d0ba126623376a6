// http-failure.ts: how what undici and Node report of a failed exchange becomes an error of ours.
//
// Where undici names a fault, that is its code; before a connection stands it is a ConnectError, a DnsError or a TlsError with Node's own code. A cut is an
// IncompleteBodyError, and anything that is no HTTP a ParseError. Which of them happened is told by how far the exchange had come.

import { typeError } from '../core/bad-argument.ts';
import { BusyError, ClosedError, TimeoutError } from '../core/errors.ts';
import { type ConnectAttempt, ConnectError, codeOf, DnsError } from './errors.ts';
import { HttpError, IncompleteBodyError, ParseError } from './http-errors.ts';
import type { Outgoing } from './http-outgoing.ts';
import { tlsErrorOf } from './tls-errors.ts';

/** What an exchange knows of itself when it fails. */
export interface FailedExchange {
  /** `GET http://host/path`. */
  toString(): string;
  readonly message: Outgoing;
  /** How far it had come. */
  readonly connected: boolean;
  readonly answered: boolean;
  readonly received: number;
  /** Did nobody take what had come? Then a silent server is not to blame. */
  readonly unread: boolean;
  /** The Op that a TimeoutError names. */
  readonly request: object;
  /** The proxy that it goes through, if it does. */
  readonly proxy: string | undefined;
  /** Was it sent twice? Now on a connection that had served before? Has an answer begun? */
  readonly retried: boolean;
  readonly kept: boolean;
  readonly begun: boolean;
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
  const { limits } = exchange.message.client;
  switch (code) {
    case 'UND_ERR_HEADERS_TIMEOUT':
      return new TimeoutError(limits.headersTimeoutMs, exchange.request, `${what}: no response came`);
    case 'UND_ERR_BODY_TIMEOUT': {
      const who = exchange.unread
        ? 'nobody read the body: read it or close() the response'
        : 'no more of the body came';
      return new TimeoutError(limits.idleTimeoutMs, exchange.request, `${what}: ${who}`);
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
  const received = exchange.answered ? exchange.received : undefined;
  return new IncompleteBodyError(what, received, cause, sendingsOf(exchange));
}

/** How often it was sent, if that is not once on a new connection. */
function sendingsOf({ retried, kept, begun, message }: FailedExchange): string {
  if (retried) return '; it was sent twice, because the server had closed the first connection, a kept one';
  if (!kept || begun) return '';
  return `; it was sent once, on a kept connection, and not again: ${message.method} may have had its effect`;
}

function connectFailure(exchange: FailedExchange, code: string, cause: unknown): Error {
  if (cause instanceof DnsError) return cause;
  const secured = tlsErrorOf(`TLS for ${exchange.toString()}`, new URL(exchange.message.origin).host, cause);
  if (secured !== undefined) return secured;
  const { proxy } = exchange;
  if (RESOLVER_CODES.test(code))
    return new DnsError(proxy === undefined ? exchange.message.hostname : new URL(proxy).hostname, code, cause);
  const tries: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return new ConnectError(
    proxy === undefined ? exchange.message.origin : `proxy ${proxy} for ${exchange.message.origin}`,
    tries.map(
      (error): ConnectAttempt => ({ address: addressOf(error, exchange), code: codeOf(error) ?? 'ERR_CONNECT', error }),
    ),
  );
}

function addressOf(error: unknown, exchange: FailedExchange): string {
  const { address, port } = error as { address?: string; port?: number };
  if (address === undefined) return new URL(exchange.proxy ?? exchange.message.origin).host;
  return port === undefined ? address : `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
