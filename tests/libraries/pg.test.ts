// pg.test.ts: pg (node-postgres) in greenlets.
//
// A kill leaves the query: it goes on in the server, and the client goes back to the pool when it has answered. pg_cancel_backend() ends it there; a client that
// was taken from the pool by hand and is destroyed has no other user any more.
import pg from 'pg';
import { killAll, type Op, shield, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { probe } from '../services.ts';
import { inSequence, type Library, libraryTests, noOrphans, type Subject, untilHolding, using } from './subject.ts';

const server = await probe('postgres');
const options = { ...server, user: 'root', database: 'test' };
const key = process.pid;

// The lock of a transaction ends with its statement, so that no session keeps it.
const hold = `select pg_advisory_xact_lock(${key})`;

class Pg implements Subject {
  readonly pool = new pg.Pool({ ...options, max: 10 });
  /** Holds the lock that held queries wait for. */
  readonly keeper = new pg.Client(options);

  *open(): Op<this> {
    yield* this.keeper.connect();
    yield* this.keeper.query('select pg_advisory_lock($1)', [key]);
    return this;
  }

  *one(n: number): Op<number> {
    const { rows } = yield* this.pool.query<{ n: number }>('select $1::int as n', [n]);
    return rows[0]?.n as number;
  }

  *held(): Op<unknown> {
    return yield* this.pool.query(hold);
  }

  *holding(): Op<number> {
    const { rows } = yield* this.keeper.query<{ n: number }>(
      `select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted and objid = $1`,
      [key],
    );
    return rows[0]?.n as number;
  }

  *release(): Op<unknown> {
    return yield* this.keeper.query('select pg_advisory_unlock($1)', [key]);
  }

  *close(): Op<void> {
    yield* this.keeper.end();
    yield* this.pool.end();
  }
}

/** A transaction, as docs/libraries.md has it. */
function* transaction<T>(pool: pg.Pool, body: (client: pg.PoolClient) => Op<T>): Op<T> {
  const client = yield* shield(pool.connect());
  let pid: number | undefined;
  let whole = false;
  try {
    const backend = yield* client.query<{ pid: number }>('select pg_backend_pid() as pid');
    pid = backend.rows[0]?.pid;
    yield* client.query('begin');
    const value = yield* body(client);
    yield* client.query('commit');
    whole = true;
    return value;
  } finally {
    client.release(!whole);
    if (!whole) yield* shield(pool.query('select pg_cancel_backend($1)', [pid]));
  }
}

const library = { open: () => new Pg().open(), inFlight: 'goes on', meanwhile: 'answered' } as const;

libraryTests('pg', library satisfies Library, server === undefined, () => {
  it('gives the client back to its pool when the query of a killed greenlet is answered', async () => {
    const seen = await using(library, function* (subject) {
      const { pool, keeper } = subject as Pg;
      const asking = spawn(() => subject.held());
      yield* untilHolding(subject, 1);
      asking.kill();
      yield* asking.join();
      const busy = pool.totalCount - pool.idleCount;
      yield* keeper.query('select pg_advisory_unlock($1)', [key]);
      yield* noOrphans();
      return { busy, after: pool.totalCount - pool.idleCount };
    });
    expect(seen).toEqual({ busy: 1, after: 0 });
  });

  it('can end the query of a killed greenlet in the server, discard its client and roll its transaction back', async () => {
    const seen = await using(library, function* (subject) {
      const { pool } = subject as Pg;
      const table = `tendril_pg_${process.pid}`;
      yield* pool.query(`create table ${table} (n int)`);
      try {
        const insert = (n: number, more: (client: pg.PoolClient) => Op<unknown>): Op<unknown> =>
          transaction(pool, function* (client) {
            yield* client.query(`insert into ${table} values ($1)`, [n]);
            yield* more(client);
          });
        yield* insert(1, (client) => client.query('select 1') as Op<unknown>);
        const writing = spawn(() => insert(2, (client) => client.query(hold) as Op<unknown>));
        yield* untilHolding(subject, 1);
        writing.kill();
        yield* writing.join();
        yield* untilHolding(subject, 0);
        yield* noOrphans();
        const { rows } = yield* pool.query<{ n: number }>(`select n from ${table}`);
        return { rows, busy: pool.totalCount - pool.idleCount, answers: yield* inSequence(subject) };
      } finally {
        yield* pool.query(`drop table ${table}`);
      }
    });
    expect(seen).toEqual({ rows: [{ n: 1 }], busy: 0, answers: [1, 2, 3] });
  });

  it('cancels as many transactions at once as the pool has clients', async () => {
    const answers = await using(library, function* (subject) {
      const { pool } = subject as Pg;
      const writing = Array.from({ length: 10 }, () =>
        spawn(() => transaction(pool, (client) => client.query(hold) as Op<unknown>)),
      );
      yield* untilHolding(subject, 10);
      yield* killAll(writing);
      yield* untilHolding(subject, 0);
      yield* noOrphans();
      return yield* inSequence(subject);
    });
    expect(answers).toEqual([1, 2, 3]);
  });
});
