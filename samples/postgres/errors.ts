// errors.ts: what the PostgreSQL client throws, besides the errors of sockets (ConnectError while connecting, TimeoutError, Killed).
//
//   PostgresError            the server answered with an error; the connection can be used again, unless it was FATAL
//   PostgresConnectionError  the connection is lost or was given up; `inDoubt`: the query may have been carried out all the same
//   PostgresProtocolError    the server sent what no PostgreSQL sends, or could not prove who it is; the connection is closed

import { ResourceError } from 'tendril';

/** An error, or a notice, of the server. `sqlState` says which: https://www.postgresql.org/docs/current/errcodes-appendix.html */
export class PostgresError extends ResourceError {
  override readonly code: string = 'ERR_POSTGRES';
  readonly severity: string;
  readonly sqlState: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  /** Where in the query, counted in characters from 1. */
  readonly position: number | undefined;
  readonly constraint: string | undefined;

  /** @param fields as the server sends them: a letter for each. */
  constructor(fields: ReadonlyMap<string, string>) {
    super(fields.get('M') ?? 'an error without a message');
    this.severity = fields.get('V') ?? fields.get('S') ?? 'ERROR';
    this.sqlState = fields.get('C') ?? 'XX000';
    this.detail = fields.get('D');
    this.hint = fields.get('H');
    this.position = fields.has('P') ? Number(fields.get('P')) : undefined;
    this.constraint = fields.get('n');
  }

  /** After this the server closes the connection. */
  get isFatal(): boolean {
    return this.severity === 'FATAL' || this.severity === 'PANIC';
  }
}

export class PostgresConnectionError extends ResourceError {
  override readonly code: string;
  /** May the query have been carried out? False: it has certainly not been sent. */
  readonly inDoubt: boolean;
  constructor(message: string, { cause, inDoubt = false }: { cause?: unknown; inDoubt?: boolean } = {}) {
    super(message, { cause });
    const code = (cause as { code?: unknown } | undefined)?.code;
    this.code = typeof code === 'string' ? code : 'ERR_POSTGRES_CONNECTION';
    this.inDoubt = inDoubt;
  }
}

export class PostgresProtocolError extends ResourceError {
  override readonly code: string = 'ERR_POSTGRES_PROTOCOL';
}

/** COMMIT was answered with ROLLBACK: an earlier error in the transaction had been swallowed. */
export class PostgresRolledBackError extends ResourceError {
  override readonly code: string = 'ERR_POSTGRES_ROLLED_BACK';
}
