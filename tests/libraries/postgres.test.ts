// postgres.test.ts: postgres (postgres.js) in greenlets.
//
// Its queries are lazy: they begin when `yield*` waits for them. A kill leaves one that has begun; `query.cancel()` ends it in the server.
import postgres from 'postgres';
import { type Op, shield, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { probe } from '../services.ts';
import { inSequence, type Library, libraryTests, noOrphans, type Subject, untilHolding, using } from './subject.ts';

const server = await probe('postgres');
const key = process.pid;

class Postgres implements Subject {
  readonly sql = postgres({ ...server, user: 'root', database: 'test', max: 10 });
  readonly keeper = postgres({ ...server, user: 'root', database: 'test', max: 1 });

  *open(): Op<this> {
    yield* this.keeper`select pg_advisory_lock(${key}::bigint)`;
    return this;
  }

  *one(n: number): Op<number> {
    const [row] = yield* this.sql<{ n: number }[]>`select ${n}::int as n`;
    return row?.n as number;
  }

  // The lock of a transaction ends with its statement, so that no session keeps it.
  *held(): Op<unknown> {
    return yield* this.sql`select pg_advisory_xact_lock(${key}::bigint)`;
  }

  *heldOrCancelled(sql: postgres.Sql = this.sql): Op<unknown> {
    const query = sql`select pg_advisory_xact_lock(${key}::bigint)`;
    try {
      return yield* query;
    } finally {
      // Does nothing if it has been answered.
      query.cancel();
    }
  }

  *holding(): Op<number> {
    const [row] = yield* this.keeper<{ n: number }[]>`
      select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted and objid = ${key}::bigint`;
    return row?.n as number;
  }

  *release(): Op<unknown> {
    return yield* this.keeper`select pg_advisory_unlock(${key}::bigint)`;
  }

  *close(): Op<void> {
    yield* this.keeper.end();
    yield* this.sql.end();
  }
}

/** A transaction as a greenlet has it: `sql.begin(async ...)` would go on to its commit after a kill. */
function* inTransaction(sql: postgres.Sql, body: (transaction: postgres.Sql) => Op<unknown>): Op<void> {
  // A kill during reserve() would leave a connection that nobody gives back.
  const reserved = yield* shield(sql.reserve());
  let whole = false;
  try {
    yield* reserved`begin`;
    yield* body(reserved);
    yield* reserved`commit`;
    whole = true;
  } finally {
    if (!whole) yield* shield(reserved`rollback`);
    reserved.release();
  }
}

const library = { open: () => new Postgres().open(), inFlight: 'goes on', meanwhile: 'answered' } as const;

libraryTests('postgres', library satisfies Library, server === undefined, () => {
  it('can end the query of a killed greenlet in the server', async () => {
    const answers = await using(library, function* (subject) {
      const asking = spawn(() => (subject as Postgres).heldOrCancelled());
      yield* untilHolding(subject, 1);
      asking.kill();
      yield* asking.join();
      yield* untilHolding(subject, 0);
      yield* noOrphans();
      return yield* inSequence(subject);
    });
    expect(answers).toEqual([1, 2, 3]);
  });

  it('rolls the transaction of a killed greenlet back', async () => {
    const seen = await using(library, function* (subject) {
      const { sql } = subject as Postgres;
      const table = sql(`tendril_postgres_${process.pid}`);
      yield* sql`create table ${table} (n int)`;
      try {
        const writing = spawn(() =>
          inTransaction(sql, function* (transaction) {
            yield* transaction`insert into ${table} values (1)`;
            yield* (subject as Postgres).heldOrCancelled(transaction);
          }),
        );
        yield* untilHolding(subject, 1);
        writing.kill();
        yield* writing.join();
        yield* noOrphans();
        const [row] = yield* sql`select count(*)::int as n from ${table}`;
        return { rows: row?.n, answers: yield* inSequence(subject) };
      } finally {
        yield* sql`drop table ${table}`;
      }
    });
    expect(seen).toEqual({ rows: 0, answers: [1, 2, 3] });
  });
});
