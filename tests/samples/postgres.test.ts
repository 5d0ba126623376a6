// postgres.test.ts: the PostgreSQL sample against a PostgreSQL of its own.
import { memoryPair, type Op, run, scope, sleep, spawn, TimeoutError, timeout, until } from 'tendril';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  PostgresConnection,
  type PostgresError,
  type PostgresOptions,
  PostgresPool,
  quotedName,
  type Row,
} from '../../samples/postgres.ts';
import { ca } from '../io/certificates.ts';
import { host, type PostgresServer, password, probePostgres, startPostgres } from './postgres-server.ts';
import { runSample } from './run-sample.ts';
import { expectNothingLeft } from './settled.ts';

const bin = probePostgres();
let server: PostgresServer;
const keeper = (): PostgresOptions => ({ host, port: server.port, user: 'keeper', database: 'postgres' });

/** Run `body` with a connection, and close it. */
function withDb<T>(body: (db: PostgresConnection) => Op<T>, options: Partial<PostgresOptions> = {}): Promise<T> {
  return run(function* test(): Op<T> {
    const db = yield* PostgresConnection.connect({ ...keeper(), ...options });
    try {
      return yield* body(db);
    } finally {
      db.close();
    }
  });
}

function* errorOf(op: Op<unknown>): Op<unknown> {
  try {
    yield* op;
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Wait until another connection sees `count` queries that contain `mark` at work. */
function* untilRunning(db: PostgresConnection, mark: string, count: number): Op<void> {
  const sql = `SELECT count(*) AS n FROM pg_stat_activity
    WHERE state = 'active' AND pid <> pg_backend_pid() AND position($1 in query) > 0`;
  for (;;) {
    const { rows } = yield* db.query(sql, [mark]);
    if (Number(rows[0]?.n) === count) return;
    yield* sleep(2);
  }
}

/** Bytes to read, in pieces; an error where there is one. */
function source(pieces: readonly (string | Error)[]): { read(): Op<Buffer | null> } {
  const left = [...pieces];
  return {
    *read(): Op<Buffer | null> {
      const next = left.shift();
      if (next instanceof Error) throw next;
      return next === undefined ? null : Buffer.from(next);
    },
  };
}

describe.skipIf(bin === undefined)('The PostgreSQL client', () => {
  beforeAll(async () => {
    server = await startPostgres(bin as string);
  }, 60_000);
  afterAll(() => server?.end());
  afterEach(expectNothingLeft);

  it('logs in as each way wants it: not at all, in the clear, by MD5, by SCRAM, over a Unix socket', async () => {
    const names: unknown[] = [];
    for (const options of [
      { user: 'keeper' },
      { user: 'shown', password, showPassword: true },
      { user: 'hashed', password },
      { user: 'proven', password },
      { user: 'proven', path: server.path },
    ]) {
      const { rows } = await withDb((db) => db.query('SELECT current_user AS name'), options);
      names.push(rows[0]?.name);
    }
    expect(names).toEqual(['keeper', 'shown', 'hashed', 'proven', 'proven']);
  });

  it('speaks TLS, also to cancel, and only with a server that it trusts', async () => {
    const seen = await withDb(
      function* body(db) {
        const late = yield* errorOf(timeout(50, db.query('SELECT pg_sleep(600)')));
        const sql = 'SELECT ssl, current_user AS name FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
        const untrusted = yield* errorOf(PostgresConnection.connect({ ...keeper(), tls: {} }));
        return [late instanceof TimeoutError, (yield* db.query(sql)).rows[0], (untrusted as { name: string }).name];
      },
      // Over TLS the password may be seen: by nobody else.
      { user: 'shown', password, tls: { ca } },
    );
    expect(seen).toEqual([true, { ssl: 't', name: 'shown' }, 'TlsError']);
  });

  it('says why it was not let in', async () => {
    const outcomes = await run(function* test(): Op<unknown[]> {
      const seen: unknown[] = [];
      for (const options of [
        { user: 'proven', password: 'wrong' },
        { user: 'hashed', password: 'wrong' },
        { user: 'shown', password: 'wrong', showPassword: true },
        { user: 'shown', password },
        { user: 'proven' },
        { user: 'nobody' },
        { database: 'nowhere' },
      ]) {
        const error = yield* errorOf(PostgresConnection.connect({ ...keeper(), ...options }));
        seen.push((error as PostgresError).sqlState ?? (error as Error).message);
      }
      return seen;
    });
    expect(outcomes).toEqual([
      '28P01',
      '28P01',
      '28P01',
      'the server asks for the password in the clear: use TLS, or allow it with showPassword',
      'the server asks for a password: give one',
      '28000',
      '3D000',
    ]);
  });

  it('sends parameters as they are, whatever is in them', async () => {
    const values = ["'; DROP TABLE x; --", '\\', '"', '$1', '\r\n\t', 'žluťoučký 🍞', '', null];
    const row = await withDb(function* body(db) {
      const columns = values.map((_, i) => `$${i + 1}::text AS c${i}`);
      const { rows } = yield* db.query(`SELECT ${columns.join(', ')}`, values);
      return Object.values(rows[0] as Row);
    });
    expect(row).toEqual(values);
  });

  it('turns numbers, truth, times and bytes into text that the server reads', async () => {
    const { rows, fields, command, count } = await withDb((db) =>
      db.query(
        `SELECT $1::int AS i, $2::int8 AS l, $3::float8 AS f, $4::bool AS b, $5::timestamptz AT TIME ZONE 'UTC' AS t, $6::bytea AS y`,
        [41, 2n ** 62n, -0.5, true, new Date(0), Uint8Array.of(0, 255)],
      ),
    );
    expect(rows).toEqual([
      { i: '41', l: '4611686018427387904', f: '-0.5', b: 't', t: '1970-01-01 00:00:00', y: '\\x00ff' },
    ]);
    expect(fields.map(({ typeId }) => typeId)).toEqual([23, 20, 701, 16, 1114, 17]);
    expect({ command, count }).toEqual({ command: 'SELECT', count: 1 });
  });

  it('refuses what cannot be sent, before anything is', async () => {
    const codes = await withDb(function* body(db) {
      const seen: unknown[] = [];
      for (const op of [
        db.query('SELECT $1', ['a\0b']),
        db.query('SELECT 1\0'),
        db.query('SELECT $1', ['\ud800']),
        db.query('SELECT $1', [undefined as never]),
        db.query('SELECT $1', [{} as never]),
        db.script('SELECT 1; \0'),
        db.listen('a\0b'),
      ])
        seen.push(((yield* errorOf(op)) as { code?: string }).code);
      return [...seen, (yield* db.query('SELECT 1 AS n')).rows[0]?.n];
    });
    const [value, type] = ['ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_TYPE'];
    expect(codes).toEqual([value, value, value, type, type, value, value, '1']);
  });

  it('gives every result of a script, and tells of notices', async () => {
    const notices: string[] = [];
    const results = await withDb(
      (db) =>
        db.script("SELECT 1 AS a, 2 AS b; ; DO $$ BEGIN RAISE NOTICE 'psst'; END $$; SELECT NULL AS c WHERE false"),
      { onNotice: (notice) => notices.push(notice.message) },
    );
    expect(results.map(({ command, rows }) => ({ command, rows }))).toEqual([
      { command: 'SELECT', rows: [{ a: '1', b: '2' }] },
      { command: 'DO', rows: [] },
      { command: 'SELECT', rows: [] },
    ]);
    expect(notices).toEqual(['psst']);
  });

  it('can be used after an error', async () => {
    const seen = await withDb(function* body(db) {
      const states: unknown[] = [];
      for (const op of [
        db.query('SELEC 1'),
        db.query('SELECT 1/$1::int', [0]),
        db.query('SELECT $1::int', ['x']),
        db.query('SELECT 1; SELECT 2'),
        db.script('SELECT 1; SELECT 1/0; SELECT 2'),
        db.query('COPY pg_class TO STDOUT'),
        db.script('CREATE TEMP TABLE t (a int); COPY t FROM STDIN'),
        db.query('COPY t FROM STDIN'),
      ]) {
        const error = (yield* errorOf(op)) as PostgresError;
        states.push(error.sqlState ?? error.code);
        states.push((yield* db.query('SELECT 7 AS n')).rows[0]?.n);
      }
      return states;
    });
    const expected = ['42601', '22012', '22P02', '42601', '22012', 'ERR_USAGE', 'ERR_USAGE', '42P01'];
    expect(seen).toEqual(expected.flatMap((state) => [state, '7']));
  });

  it('keeps a transaction, or undoes it: after an error, after one that was swallowed, after a kill', async () => {
    const seen = await withDb(function* body(db) {
      yield* db.script('CREATE TEMP TABLE t (a int)');
      const add = (n: number): Op<unknown> => db.query('INSERT INTO t VALUES ($1)', [n]);
      const outcomes: unknown[] = [];
      yield* db.transaction(() => add(1));
      outcomes.push(
        yield* errorOf(
          db.transaction(function* failing(): Op<void> {
            yield* add(2);
            throw new Error('no');
          }),
        ),
      );
      outcomes.push(
        yield* errorOf(
          db.transaction(function* swallowing(): Op<void> {
            yield* add(3);
            yield* errorOf(db.query('SELECT 1/0'));
          }),
        ),
      );
      outcomes.push(
        yield* errorOf(
          timeout(
            20,
            db.transaction(function* slow(): Op<void> {
              yield* add(4);
              yield* sleep(60_000);
            }),
          ),
        ),
      );
      outcomes.push(yield* errorOf(db.transaction(() => db.transaction(() => add(5)))));
      const { rows } = yield* db.query('SELECT a FROM t');
      return [
        outcomes.map((error) => (error as { code?: string }).code ?? (error as Error).message),
        rows,
        db.inTransaction,
      ];
    });
    expect(seen).toEqual([['no', 'ERR_POSTGRES_ROLLED_BACK', 'ERR_TIMEOUT', 'ERR_USAGE'], [{ a: '1' }], false]);
  });

  it('lets nobody into the transaction of another greenlet', async () => {
    const seen = await withDb(function* body(db) {
      const order: string[] = [];
      yield* scope(function* both(s): Op<void> {
        s.spawn(function* first(): Op<void> {
          yield* db.transaction(function* slow(): Op<void> {
            order.push('in');
            yield* sleep(20);
            yield* db.query('SELECT 1');
            order.push('out');
          });
        });
        s.spawn(function* second(): Op<void> {
          yield* db.query('SELECT 2');
          order.push('other');
        });
      });
      return order;
    });
    expect(seen).toEqual(['in', 'out', 'other']);
  });

  it('stops a query on the server when its greenlet is killed, and can be used at once', async () => {
    const seen = await withDb(function* body(db) {
      const other = yield* PostgresConnection.connect(keeper());
      try {
        const outcomes: unknown[] = [];
        for (const op of [
          () => db.query('SELECT pg_sleep(600), $1::text AS mark_a', ['x']),
          () => db.script('SELECT pg_sleep(600) AS mark_a'),
          () => db.each('SELECT pg_sleep(600) AS mark_a', [], function* visit(): Op<void> {}),
          () => db.copyOut('COPY (SELECT pg_sleep(600) AS mark_a) TO STDOUT', { *write(): Op<void> {} }),
          () => db.transaction(() => db.query('SELECT pg_sleep(600) AS mark_a')),
        ]) {
          const victim = spawn(op as () => Op<unknown>);
          yield* untilRunning(other, 'mark_a', 1);
          victim.kill();
          yield* victim.join();
          yield* untilRunning(other, 'mark_a', 0);
          outcomes.push(victim.outcome?.killed, (yield* db.query('SELECT 1 AS n')).rows[0]?.n, db.inTransaction);
        }
        return outcomes;
      } finally {
        other.close();
      }
    });
    expect(seen).toEqual(Array.from({ length: 5 }, () => [true, '1', false]).flat());
  });

  it('survives kills at any moment of many short queries', async () => {
    const seen = await withDb(function* body(db) {
      for (let i = 0; i < 40; i += 1) {
        const victim = spawn(function* victim(): Op<void> {
          for (;;) yield* db.query('SELECT generate_series(1, 50), $1::int', [i]);
        });
        for (let turns = 0; turns < (i * 7) % 40; turns += 1) yield* sleep(0);
        victim.kill();
        yield* victim.join();
        const { rows } = yield* db.query('SELECT $1::int AS n', [i]);
        if (rows[0]?.n !== String(i)) return `round ${i}: ${JSON.stringify(rows)}`;
      }
      return db.closed;
    });
    expect(seen).toBe(false);
  });

  it('a query that runs out of time is stopped too', async () => {
    const seen = await withDb(function* body(db) {
      const error = yield* errorOf(timeout(20, db.query('SELECT pg_sleep(600)')));
      return [error instanceof TimeoutError, (yield* db.query('SELECT 2 AS n')).rows];
    });
    expect(seen).toEqual([true, [{ n: '2' }]]);
  });

  it('visits rows in batches, and stops when the visitor does', async () => {
    const seen = await withDb(function* body(db) {
      let sum = 0;
      const count = yield* db.each(
        'SELECT generate_series(1, $1::int) AS n',
        [1000],
        function* visit({ n }): Op<void> {
          sum += Number(n);
          if (Number(n) % 100 === 0) yield* sleep(0);
        },
        7,
      );
      let visited = 0;
      const error = yield* errorOf(
        db.each(
          'SELECT generate_series(1, 100000) AS n',
          [],
          function* visit(): Op<void> {
            visited += 1;
            if (visited === 3) throw new Error('enough');
          },
          5,
        ),
      );
      const inside = yield* errorOf(
        db.each('SELECT 1', [], function* visit(): Op<void> {
          yield* db.query('SELECT 2');
        }),
      );
      const copying = yield* errorOf(db.each('COPY pg_class TO STDOUT', [], function* visit(): Op<void> {}));
      const failing = yield* errorOf(
        db.each('SELECT 1/(3 - generate_series(1, 5))', [], function* visit(): Op<void> {}, 1),
      );
      const after = (yield* db.query('SELECT 1 AS n')).rows;
      return [
        count,
        sum,
        visited,
        (error as Error).message,
        (inside as { code: string }).code,
        (copying as { code: string }).code,
        (failing as PostgresError).sqlState,
        after,
        db.closed,
      ];
    });
    expect(seen).toEqual([1000, 500500, 3, 'enough', 'ERR_BUSY', 'ERR_USAGE', '22012', [{ n: '1' }], false]);
  });

  it('refuses a result that is too large, and a row that is', async () => {
    const big = await withDb(
      function* body(db) {
        const error = yield* errorOf(db.query('SELECT repeat($1, 1000) FROM generate_series(1, 10000)', ['x']));
        return [(error as { code: string }).code, (yield* db.query('SELECT 1 AS n')).rows];
      },
      { maxResultBytes: 100_000 },
    );
    expect(big).toEqual(['ERR_POSTGRES_RESULT_TOO_LARGE', [{ n: '1' }]]);
    const row = await withDb(
      function* body(db) {
        const error = yield* errorOf(db.query("SELECT repeat('x', 100000)"));
        return [(error as { code: string }).code, db.closed];
      },
      { maxMessageBytes: 50_000 },
    );
    expect(row).toEqual(['ERR_FRAME_TOO_LARGE', true]);
  });

  it('copies in and out, in pieces cut anywhere', async () => {
    const seen = await withDb(function* body(db) {
      yield* db.script('CREATE TEMP TABLE t (a int, b text)');
      const lines = Array.from({ length: 500 }, (_, i) => `${i}\tloaf ${i}\n`).join('');
      const pieces = Array.from({ length: Math.ceil(lines.length / 13) }, (_, i) => lines.slice(i * 13, i * 13 + 13));
      const copied = yield* db.copyIn('COPY t FROM STDIN', source(pieces));
      const out: Buffer[] = [];
      const rows = yield* db.copyOut('COPY t TO STDOUT', {
        *write(bytes): Op<void> {
          out.push(Buffer.from(bytes));
        },
      });
      return [copied, rows, Buffer.concat(out).toString() === lines];
    });
    expect(seen).toEqual([500, 500, true]);
  });

  it('copies nothing if the source, the server or the sink fails, and can be used again', async () => {
    const seen = await withDb(function* body(db) {
      yield* db.script('CREATE TEMP TABLE t (a int)');
      const outcomes: unknown[] = [];
      const [stuck, far] = memoryPair();
      for (const op of [
        db.copyIn('COPY t FROM STDIN', source(['1\n2\n', new Error('no more')])),
        db.copyIn('COPY t FROM STDIN', source(['1\n', 'two\n', ...Array.from({ length: 2000 }, () => '3\n')])),
        db.copyIn('COPY nowhere FROM STDIN', source(['1\n'])),
        db.copyIn('SELECT 1', source(['1\n'])),
        db.copyIn('COPY t TO STDOUT', source(['1\n'])),
        db.copyOut('COPY t FROM STDIN', { *write(): Op<void> {} }),
        db.copyOut('SELECT 1', { *write(): Op<void> {} }),
        db.copyOut('COPY pg_class TO STDOUT', {
          *write(): Op<void> {
            throw new Error('full');
          },
        }),
        timeout(20, db.copyIn('COPY t FROM STDIN', stuck)),
        timeout(20, db.copyOut('COPY (SELECT repeat($$x$$, 1000) FROM generate_series(1, 1000)) TO STDOUT', far)),
      ]) {
        const error = (yield* errorOf(op)) as { sqlState?: string; code?: string; message: string };
        outcomes.push(error.sqlState ?? error.code ?? error.message);
        outcomes.push((yield* db.query('SELECT count(*) AS n FROM t')).rows[0]?.n);
      }
      stuck.close();
      far.close();
      return [...outcomes, db.closed];
    });
    const usage = 'ERR_USAGE';
    const expected = ['no more', '22P02', '42P01', usage, usage, usage, usage, 'full', 'ERR_TIMEOUT', 'ERR_TIMEOUT'];
    expect(seen).toEqual([...expected.flatMap((outcome) => [outcome, '0']), false]);
  });

  it('receives notifications, also those that come during a query', async () => {
    const seen = await withDb(function* body(db) {
      const other = yield* PostgresConnection.connect(keeper());
      try {
        yield* db.listen('odd "name"');
        const waiting = spawn(() => db.notification());
        yield* sleep(0);
        yield* other.query('SELECT pg_notify($1, $2)', ['odd "name"', 'one']);
        const first = yield* waiting.get();
        yield* other.query(`NOTIFY ${quotedName('odd "name"')}, 'two'`);
        // The second one comes with the answer to a query, or after it.
        yield* db.query('SELECT 1');
        const second = yield* db.notification();
        const none = yield* errorOf(timeout(20, db.notification()));
        return [first, second, (none as { code?: string }).code, (yield* db.query('SELECT 1 AS n')).rows];
      } finally {
        other.close();
      }
    });
    const channel = 'odd "name"';
    expect(seen).toEqual([{ channel, payload: 'one' }, { channel, payload: 'two' }, 'ERR_TIMEOUT', [{ n: '1' }]]);
  });

  it('says so when the server ends the connection: in a query, and when nobody looks', async () => {
    const seen = await withDb(function* body(db) {
      const other = yield* PostgresConnection.connect(keeper());
      const end =
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE position($1 in query) > 0 AND pid <> pg_backend_pid()';
      try {
        const victim = spawn(errorOf, other.query('SELECT pg_sleep(600) AS mark_b'));
        yield* untilRunning(db, 'mark_b', 1);
        yield* db.query(end, ['mark_b']);
        const inQuery = (yield* victim.get()) as PostgresError;
        const afterwards = (yield* errorOf(other.query('SELECT 1'))) as Error & { code: string };
        return [inQuery.sqlState, inQuery.isFatal, other.closed, afterwards.code];
      } finally {
        other.close();
      }
    });
    expect(seen).toEqual(['57P01', true, true, 'ERR_CLOSED']);
  });

  it('lends connections of a pool: as many as it has, to whoever waits, and never a broken one', async () => {
    const seen = await run(function* test(): Op<unknown[]> {
      const pool = new PostgresPool(keeper(), 3, 5_000);
      try {
        const pids = new Set<unknown>();
        yield* scope(function* crowd(s): Op<void> {
          for (let i = 0; i < 30; i += 1)
            s.spawn(function* member(): Op<void> {
              pids.add((yield* pool.query('SELECT pg_backend_pid() AS pid')).rows[0]?.pid);
            });
        });
        const undone = yield* errorOf(
          pool.transaction(function* body(db): Op<void> {
            yield* db.query('CREATE TABLE must_not_stay (a int)');
            throw new Error('undo');
          }),
        );
        // Left in a transaction, closed, killed: none of them comes back.
        yield* pool.use((db) => db.script('BEGIN'));
        yield* pool.use(function* closing(db): Op<void> {
          db.close();
        });
        const victim = spawn(() => pool.query('SELECT pg_sleep(600) AS mark_c'));
        yield* sleep(20);
        victim.kill();
        yield* victim.join();
        // One that the server has ended while it was idle.
        yield* pool.use((db) =>
          db.query(
            'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = $1 AND pid <> pg_backend_pid()',
            ['client backend'],
          ),
        );
        const open = 'SELECT count(*) AS n FROM pg_stat_activity WHERE backend_type = $1';
        while (Number((yield* pool.query(open, ['client backend'])).rows[0]?.n) > 1) yield* sleep(5);
        const after: unknown[] = [];
        for (let i = 0; i < 6; i += 1)
          after.push((yield* pool.query("SELECT to_regclass('must_not_stay') AS t")).rows[0]?.t);
        return [pids.size <= 3, (undone as Error).message, after];
      } finally {
        pool.close();
      }
    });
    expect(seen).toEqual([true, 'undo', [null, null, null, null, null, null]]);
  });

  it('does not wait for a place in the pool for ever, nor work in one that is closed', async () => {
    const seen = await run(function* test(): Op<unknown[]> {
      const pool = new PostgresPool(keeper(), 1, 20);
      const holder = spawn(errorOf, pool.query('SELECT pg_sleep(600)'));
      yield* sleep(0);
      const waited = yield* errorOf(pool.query('SELECT 1'));
      pool.close();
      const held = yield* holder.get();
      const late = yield* errorOf(pool.query('SELECT 1'));
      return [waited, held, late].map((error) => (error as { code: string }).code);
    });
    expect(seen).toEqual(['ERR_TIMEOUT', 'ERR_CLOSED', 'ERR_CLOSED']);
  });

  it('runs as a program', { timeout: 40_000 }, async () => {
    const { status, stdout, stderr } = await runSample(
      'postgres',
      `postgres://proven:open%20sesame@${host}:${server.port}/postgres`,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n').slice(1)).toEqual([
      `a row: {"name":"Robert'); DROP TABLE bread;--","loaves":null}`,
      'undone: duplicate key value violates unique constraint "bread_pkey" (23505, bread_pkey)',
      'loaves of rye: 3',
      'rows, a hundred at a time: 250',
      'a limit, and the server has stopped too: timed out after 50 ms',
      'four queries, two connections: 10, 20, 30, 40',
      '',
    ]);
  });

  it('fails a query whose server is killed, in a way that says that it is in doubt', async () => {
    const seen = await withDb(function* body(db) {
      const other = yield* PostgresConnection.connect(keeper());
      const victim = spawn(errorOf, other.query('SELECT pg_sleep(600) AS mark_d'));
      yield* untilRunning(db, 'mark_d', 1);
      yield* until(server.end());
      const error = (yield* victim.get()) as { code: string; inDoubt?: boolean; sqlState?: string };
      // The server's processes notice that their parent has gone, and may say so.
      return [error.inDoubt ?? error.sqlState === '57P01', other.closed];
    });
    expect(seen).toEqual([true, true]);
    const ending = await runSample('postgres', `postgres://keeper@${host}:${server.port}/postgres`);
    expect({ ...ending, stderr: ending.stderr.replace(/\d{4,5}/g, 'PORT') }).toEqual({
      status: 1,
      stdout: '',
      stderr: `No PostgreSQL for keeper: connect to ${host}:PORT failed: ECONNREFUSED ${host}:PORT. Give a URL: postgres://user:password@host/database\n`,
    });
  });
});
