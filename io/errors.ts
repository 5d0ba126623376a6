// errors.ts: every error that io/ throws. All but the last are the world's fault (ResourceError): they happen in correct programs.
//
// `code` is Node's own where Node has one (ECONNREFUSED, ECONNRESET, EPIPE, ENOTFOUND, EADDRINUSE, ...), else ERR_<NAME>. The message names
// the operation and the peer; what Node threw is the `cause`.
//
// The caller's other mistakes are not here: TypeError and RangeError for arguments, BusyError and ClosedError for use at the wrong time.

import { ResourceError, UsageError } from '../core/errors.ts';

/** The code that Node gave `error`, if it did. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** One address that was tried, and how that ended. */
export interface ConnectAttempt {
  /** `127.0.0.1:80`, `[::1]:80` or a path. */
  readonly address: string;
  readonly code: string;
  readonly error: unknown;
}

/** No address of the peer could be connected to. */
export class ConnectError extends ResourceError {
  override readonly code: string;
  /** Every address that was tried, in order of their failures. */
  readonly attempts: readonly ConnectAttempt[];
  constructor(peer: string, attempts: readonly ConnectAttempt[]) {
    const telling = tellingAttempt(attempts);
    const list = attempts.map(({ address, code }) => `${code} ${address}`).join(', ');
    super(`connect to ${peer} failed: ${list}`, { cause: telling?.error });
    this.code = telling?.code ?? 'ERR_CONNECT';
    this.attempts = attempts;
  }
}

const UNREACHABLE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);

// An answer says more than a missing route: a host without IPv6 fails there first whatever the server does.
function tellingAttempt(attempts: readonly ConnectAttempt[]): ConnectAttempt | undefined {
  return attempts.find(({ code }) => !UNREACHABLE.has(code)) ?? attempts[0];
}

/** The address cannot be listened on: in use (EADDRINUSE), not allowed (EACCES), not ours (EADDRNOTAVAIL), ... */
export class ListenError extends ResourceError {
  override readonly code: string;
  constructor(address: string, cause: unknown, detail?: string) {
    const code = codeOf(cause) ?? 'ERR_LISTEN';
    super(`listen on ${shown(address)} failed: ${code}${detail === undefined ? '' : `, ${detail}`}`, { cause });
    this.code = code;
  }
}

/** A datagram could not be sent, or a datagram socket not be bound: too long (EMSGSIZE), in use (EADDRINUSE), not ours (EADDRNOTAVAIL), ... */
export class DatagramError extends ResourceError {
  override readonly code: string;
  constructor(what: string, code: string, cause?: unknown) {
    super(`${what} failed: ${code}`, { cause });
    this.code = code;
  }
}

/** What a DnsError adds to the name and the code. */
export interface DnsFailure {
  /** What was asked: `lookup` (the default), `resolveMx`, ... */
  readonly op?: string | undefined;
  /** What else there is to know. */
  readonly detail?: string | undefined;
}

/** A name could not be resolved. Nothing is cached: the next attempt asks again. */
export class DnsError extends ResourceError {
  override readonly code: string;
  readonly host: string;
  constructor(host: string, code: string, cause?: unknown, { op = 'lookup', detail }: DnsFailure = {}) {
    super(`${op} of ${shown(host)} failed: ${code}${detail === undefined ? '' : `, ${detail}`}`, { cause });
    this.code = code;
    this.host = host;
  }
}

function shown(host: string): string {
  return host.length <= 80 ? host : `${host.slice(0, 77)}...`;
}

/** How much of what was written had reached the operating system when the connection was lost. */
export interface WriteProgress {
  /** All bytes that write() has ever taken for this connection. */
  readonly bytesQueued: number;
  /** Those that the operating system is known to have taken. The peer may have got fewer. */
  readonly bytesFlushed: number;
}

/** The connection is gone: reset by the peer (ECONNRESET), written to after the peer had closed it (EPIPE), timed out by keepalive, ... */
export class ConnectionResetError extends ResourceError {
  override readonly code: string;
  readonly bytesQueued: number;
  readonly bytesFlushed: number;
  constructor(what: string, cause: unknown, progress: WriteProgress) {
    const code = codeOf(cause) ?? 'ERR_CONNECTION_RESET';
    super(`${what}: the connection is lost (${code})`, { cause });
    this.code = code;
    this.bytesQueued = progress.bytesQueued;
    this.bytesFlushed = progress.bytesFlushed;
  }
}

/** What an IncompleteReadError or a LineTooLongError shows of the data, at most. */
export const MOST_PARTIAL_BYTES = 1024;

/** The peer ended its side in the middle of what was asked for. What had come is still there to be read. */
export class IncompleteReadError extends ResourceError {
  override readonly code: string = 'ERR_INCOMPLETE_READ';
  /** The beginning of what had come: at most 1,024 bytes. */
  readonly partial: Buffer;
  /** How much had come. */
  readonly received: number;
  /** How much was asked for; undefined for a line. */
  readonly expected: number | undefined;
  constructor(what: string, partial: Buffer, received: number, expected: number | undefined) {
    super(
      `${what}: the peer closed after ${received} ${expected === undefined ? 'bytes without its end' : `of ${expected} bytes`}`,
    );
    this.partial = partial;
    this.received = received;
    this.expected = expected;
  }
}

/** No end of line (or delimiter) within the limit. Nothing was taken: the data can still be read by other means. */
export class LineTooLongError extends ResourceError {
  override readonly code: string = 'ERR_LINE_TOO_LONG';
  readonly limit: number;
  /** The beginning of the line: at most 1,024 bytes. */
  readonly partial: Buffer;
  constructor(what: string, limit: number, partial: Buffer) {
    super(`${what}: no end within ${limit} bytes`);
    this.limit = limit;
    this.partial = partial;
  }
}

/** The server has closed, or is stopping: it cannot be started again, and a request to it cannot be made or will not be answered. */
export class ServerClosedError extends ResourceError {
  override readonly code: string = 'ERR_SERVER_CLOSED';
}

/** A program was about to start itself again in a worker that only wanted what its module defines. */
export class NestedProgramError extends UsageError {
  override readonly code: string = 'ERR_NESTED_PROGRAM';
}
