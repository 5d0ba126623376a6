// mysql2.test.ts: mysql2/promise in greenlets, against MariaDB.
//
// A kill leaves the query: it goes on in the server, and the connection goes back to the pool when it has answered. `connection.destroy()` discards one that was
// taken from the pool; KILL QUERY ends the query in the server.
import { createConnection, createPool, type Pool, type PoolConnection, type RowDataPacket } from 'mysql2/promise';
import { type Op, shield, spawn } from 'tendril';
import { expect, it } from 'vitest';
import { probe } from '../services.ts';
import { inSequence, type Library, libraryTests, noOrphans, type Subject, untilHolding, using } from './subject.ts';

const server = await probe('mariadb');
const options = { ...server, user: 'root', database: 'test' };
const lock = `tendril-${process.pid}`;
// From left to right, so that no session keeps it.
const hold = `select get_lock('${lock}', 600), release_lock('${lock}')`;

type Keeper = Awaited<ReturnType<typeof createConnection>>;

class Mysql implements Subject {
  readonly pool: Pool = createPool({ ...options, connectionLimit: 10 });
  readonly keeper: Keeper;
  constructor(keeper: Keeper) {
    this.keeper = keeper;
  }

  static *open(): Op<Mysql> {
    const keeper = yield* createConnection(options);
    yield* keeper.query('select get_lock(?, 0)', [lock]);
    return new Mysql(keeper);
  }

  *one(n: number): Op<number> {
    const [rows] = yield* this.pool.execute<RowDataPacket[]>('select ? as n', [n]);
    return Number(rows[0]?.n);
  }

  *held(): Op<unknown> {
    return yield* this.pool.query(hold);
  }

  *holding(): Op<number> {
    const [rows] = yield* this.keeper.query<RowDataPacket[]>(
      `select id from information_schema.processlist where state = 'User lock' and info like ?`,
      [`%${lock}%`],
    );
    return rows.length;
  }

  *release(): Op<unknown> {
    return yield* this.keeper.query('select release_lock(?)', [lock]);
  }

  *close(): Op<void> {
    yield* this.keeper.end();
    yield* this.pool.end();
  }
}

/** A connection of the pool for `body`. One that is left in the middle of a query is discarded, and the query ended in the server. */
function* withConnection<T>(pool: Pool, body: (connection: PoolConnection) => Op<T>): Op<T> {
  // A kill during getConnection() would leave a connection that nobody gives back.
  const connection = yield* shield(pool.getConnection());
  let left = true;
  try {
    const value = yield* body(connection);
    left = false;
    return value;
  } finally {
    if (left) {
      connection.destroy();
      yield* shield(pool.query('kill query ?', [connection.threadId]));
    } else connection.release();
  }
}

const library = { open: () => Mysql.open(), inFlight: 'goes on', meanwhile: 'answered' } as const;

libraryTests('mysql2', library satisfies Library, server === undefined, () => {
  it('can end the query of a killed greenlet in the server, and discard its connection', async () => {
    const answers = await using(library, function* (subject) {
      const { pool } = subject as Mysql;
      const asking = spawn(() => withConnection(pool, (connection) => connection.query(hold) as Op<unknown>));
      yield* untilHolding(subject, 1);
      asking.kill();
      yield* asking.join();
      yield* untilHolding(subject, 0);
      yield* noOrphans();
      return yield* inSequence(subject);
    });
    expect(answers).toEqual([1, 2, 3]);
  });
});
