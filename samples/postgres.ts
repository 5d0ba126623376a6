// postgres.ts: a PostgreSQL client in sequential style: `yield* db.query('select $1::int + 1', [41])`.
//
// Where to read on: postgres/messages.ts (the protocol's messages), postgres/link.ts (a conversation, and what happens when it is given up),
// postgres/connection.ts (queries, transactions, COPY), postgres/pool.ts (several connections).
//
// How to run: npx tsx samples/postgres.ts [postgres://user:password@127.0.0.1:5432/database]      (it makes temporary tables only)

import { all, ConnectError, main, type Op, rethrowKilled, TimeoutError, timeout } from 'tendril';
import { PostgresConnection } from './postgres/connection.ts';
import { PostgresConnectionError, PostgresError, PostgresProtocolError } from './postgres/errors.ts';
import type { PostgresOptions } from './postgres/options.ts';
import { PostgresPool } from './postgres/pool.ts';

export { PostgresConnection, PostgresResultTooLargeError, quotedName, type Result } from './postgres/connection.ts';
export {
  PostgresConnectionError,
  PostgresError,
  PostgresProtocolError,
  PostgresRolledBackError,
} from './postgres/errors.ts';
export type { Notification } from './postgres/link.ts';
export type { Field, Parameter, Row } from './postgres/messages.ts';
export type { PostgresOptions } from './postgres/options.ts';
export { PostgresPool } from './postgres/pool.ts';

/** Options from a URL such as `postgres://user:password@host:port/database`. */
export function optionsOf(url: string): PostgresOptions {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 5432 : Number(port),
    user: decodeURIComponent(username),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 ? { database: decodeURIComponent(pathname.slice(1)) } : {}),
  };
}

function* tour(db: PostgresConnection): Op<void> {
  console.log(`connected to PostgreSQL ${db.settings.get('server_version')?.replace(/ .*/, '')}`);
  yield* db.script('CREATE TEMPORARY TABLE bread (name text PRIMARY KEY, loaves int)');

  const name = "Robert'); DROP TABLE bread;--";
  yield* db.query('INSERT INTO bread VALUES ($1, $2), ($3, $4)', ['rye', 3, name, null]);
  const { rows } = yield* db.query('SELECT * FROM bread WHERE loaves IS NULL');
  console.log(`a row: ${JSON.stringify(rows[0])}`);

  try {
    yield* db.transaction(function* bake(): Op<void> {
      yield* db.query("UPDATE bread SET loaves = loaves + 1 WHERE name = 'rye'");
      yield* db.query("INSERT INTO bread VALUES ('rye', 1)");
    });
  } catch (error) {
    if (!(error instanceof PostgresError)) throw error;
    console.log(`undone: ${error.message} (${error.sqlState}, ${error.constraint})`);
  }
  const { rows: after } = yield* db.query("SELECT loaves FROM bread WHERE name = 'rye'");
  console.log(`loaves of rye: ${after[0]?.loaves}`);

  const visited = yield* db.each('SELECT generate_series(1, 250) AS n', [], function* visit(): Op<void> {});
  console.log(`rows, a hundred at a time: ${visited}`);

  try {
    yield* timeout(50, db.query('SELECT pg_sleep(60)'));
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    console.log(`a limit, and the server has stopped too: ${error.message}`);
  }
}

function* program(): Op<void> {
  const options = optionsOf(
    process.argv[2] ?? process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres',
  );
  let db: PostgresConnection;
  try {
    db = yield* PostgresConnection.connect(options);
  } catch (error) {
    rethrowKilled(error);
    const expected = [ConnectError, PostgresError, PostgresConnectionError, PostgresProtocolError, TimeoutError];
    if (!expected.some((type) => error instanceof type)) throw error;
    console.error(
      `No PostgreSQL for ${options.user}: ${(error as Error).message}. Give a URL: postgres://user:password@host/database`,
    );
    process.exitCode = 1;
    return;
  }
  try {
    yield* tour(db);
  } finally {
    db.close();
  }
  const pool = new PostgresPool(options, 2);
  try {
    const sums = yield* all([1, 2, 3, 4].map((n) => pool.query('SELECT $1::int * 10 AS n', [n])));
    console.log(`four queries, two connections: ${sums.map(({ rows }) => rows[0]?.n).join(', ')}`);
  } finally {
    pool.close();
  }
}

if (process.argv[1] === import.meta.filename) main(program);
