// options.ts: what connectPostgres can be told.
//
// All times are milliseconds, all limits finite by default.

import type { TlsClientOptions } from 'tendril';

export interface PostgresOptions {
  /** 127.0.0.1 and 5432 by default. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** A Unix socket in place of host and port: `/var/run/postgresql/.s.PGSQL.5432`. */
  readonly path?: string | undefined;
  readonly user: string;
  readonly password?: string | undefined;
  /** The name of the user by default. */
  readonly database?: string | undefined;
  /** Speak TLS, and with nobody who cannot: `{}` trusts the CAs that come with Node. Without it the connection is in plain text. */
  readonly tls?: TlsClientOptions | undefined;
  /** Let a server that asks for it have the password in the clear, over a connection that others may read: false by default. */
  readonly showPassword?: boolean | undefined;
  /** How long connecting and greeting may take: 10,000 ms by default. */
  readonly connectMs?: number | undefined;
  /** How long a query that was given up may take to stop, before its connection is given up too: 5,000 ms by default. */
  readonly cancelMs?: number | undefined;
  /** The largest message of the server, which bounds a row: 16 MiB by default. */
  readonly maxMessageBytes?: number | undefined;
  /** The largest result that is collected: 256 MiB by default. `each` and `copyOut` have no limit, as they keep nothing. */
  readonly maxResultBytes?: number | undefined;
  /** Told of each notice and warning of the server. */
  readonly onNotice?: ((notice: Error) => void) | undefined;
}
