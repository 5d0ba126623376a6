// pool.ts: up to `size` connections to PostgreSQL, lent to one greenlet at a time.
//
// A connection comes back when its borrower is done, and serves the next one, if it is fit for that: open, idle, in no transaction. Otherwise it is closed
// and the next borrower makes a new one.
//
// Invariants, between any two steps:
//   permits + borrowers = size
//   the idle connections are in no transaction

import { ClosedError, type Op, Semaphore, timeout } from 'tendril';
import { PostgresConnection, type Result } from './connection.ts';
import type { Parameter } from './messages.ts';
import type { PostgresOptions } from './options.ts';

export class PostgresPool {
  readonly #options: PostgresOptions;
  readonly #places: Semaphore;
  readonly #idle: PostgresConnection[] = [];
  readonly #lent = new Set<PostgresConnection>();
  readonly #acquireMs: number;
  #closed = false;

  constructor(options: PostgresOptions, size = 10, acquireMs = 30_000) {
    this.#options = options;
    this.#places = new Semaphore(size, { name: 'PostgreSQL connections' });
    this.#acquireMs = acquireMs;
  }

  /** Run `body` with a connection of its own. @throws TimeoutError if none is free for `acquireMs`. @throws as `connect`, and what `body` throws. */
  *use<T>(body: (connection: PostgresConnection) => Op<T>): Op<T> {
    yield* timeout(this.#acquireMs, this.#places.acquire());
    try {
      const connection = yield* this.#borrow();
      this.#lent.add(connection);
      try {
        return yield* body(connection);
      } finally {
        this.#lent.delete(connection);
        if (this.#closed || connection.closed || connection.inTransaction) connection.close();
        else this.#idle.push(connection);
      }
    } finally {
      this.#places.release();
    }
  }

  /** As PostgresConnection.query, on any connection. */
  query(sql: string, parameters: readonly Parameter[] = []): Op<Result> {
    return this.use((connection) => connection.query(sql, parameters));
  }

  /** As PostgresConnection.transaction, with the connection that it is on. */
  transaction<T>(body: (connection: PostgresConnection) => Op<T>): Op<T> {
    return this.use((connection) => connection.transaction(() => body(connection)));
  }

  /** Close every connection at once; queries that run get ClosedError. Never switches; idempotent. */
  close(): void {
    this.#closed = true;
    for (const connection of [...this.#idle.splice(0), ...this.#lent]) connection.close();
  }

  *#borrow(): Op<PostgresConnection> {
    if (this.#closed) throw new ClosedError('a pool of PostgreSQL connections that is closed');
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      // The server may have closed it meanwhile.
      if (yield* idle.isQuiet()) return idle;
      idle.close();
    }
    const connection = yield* PostgresConnection.connect(this.#options);
    if (!this.#closed) return connection;
    connection.close();
    throw new ClosedError('a pool of PostgreSQL connections that was closed');
  }
}
