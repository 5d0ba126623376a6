// errors.ts: what the Redis client throws, besides the errors of sockets (ConnectError while connecting, TimeoutError, Killed).
//
//   RedisError            the server answered with an error: the connection is fine, and so is every other greenlet on it
//   RedisConnectionError  the connection was lost with this command on its way: it may or may not have been carried out
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

/** The connection was lost. `code` is Node's own (`ECONNRESET`, ...) where there is one. */
export class RedisConnectionError extends ResourceError {
  override readonly code: string;
  constructor(message: string, cause?: unknown, code: string = codeOf(cause)) {
    super(message, { cause });
    this.code = code;
  }
}

function codeOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && !code.startsWith('ERR_CONNECTION') ? code : 'ERR_REDIS_CONNECTION';
}

/** Bytes that are no RESP. */
export class RedisProtocolError extends ResourceError {
  override readonly code: string = 'ERR_REDIS_PROTOCOL';
}
