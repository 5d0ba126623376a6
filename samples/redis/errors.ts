// errors.ts: what the Redis client throws, besides the errors of sockets (ConnectError while connecting, TimeoutError, Killed).
//
//   RedisError            the server answered with an error: the connection is fine, and so is every other greenlet on it
//   RedisConnectionError  there is no connection, or it was lost. `inDoubt`: this command was on its way, so it may or may not have been carried out;
//                         if not, it was never sent, and can be tried again
//   RedisProtocolError    the server sent what no Redis sends; the connection is dropped

import { ResourceError } from 'tendril';

/** An error reply. `message` is the server's text, `prefix` its first word (`ERR`, `WRONGTYPE`, `NOAUTH`, ...). */
export class RedisError extends ResourceError {
  override readonly code: string = 'ERR_REDIS_REPLY';
  readonly prefix: string;
  /** The command that it answers; empty for one inside the result of a transaction. */
  command = '';
  constructor(message: string) {
    super(message);
    this.prefix = /^[A-Z]+\b/.exec(message)?.[0] ?? 'ERR';
  }
}

export interface RedisConnectionFailure {
  readonly cause?: unknown;
  readonly code?: string | undefined;
  readonly inDoubt?: boolean | undefined;
}

/** The connection was lost. `code` is Node's own (`ECONNRESET`, ...) where there is one. */
export class RedisConnectionError extends ResourceError {
  override readonly code: string;
  /** May the command have been carried out? False: it has certainly not been sent. */
  readonly inDoubt: boolean;
  constructor(message: string, { cause, code = codeOf(cause), inDoubt = false }: RedisConnectionFailure = {}) {
    super(message, { cause });
    this.code = code;
    this.inDoubt = inDoubt;
  }
}

/** The error of the command `name` after its connection was lost because of `reason`. */
export function lossOf(name: string, reason: unknown, inDoubt: boolean): RedisConnectionError {
  const what = inDoubt
    ? 'the connection was lost, so it may or may not have been carried out'
    : 'the connection was lost before it was sent';
  const why = reason instanceof Error ? reason.message : String(reason);
  return new RedisConnectionError(`${name}: ${what}: ${why}`, { cause: reason, inDoubt });
}

function codeOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && !code.startsWith('ERR_CONNECTION') ? code : 'ERR_REDIS_CONNECTION';
}

/** Bytes that are no RESP. */
export class RedisProtocolError extends ResourceError {
  override readonly code: string = 'ERR_REDIS_PROTOCOL';
}
