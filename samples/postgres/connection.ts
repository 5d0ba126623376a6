// connection.ts: what one does with a connection to PostgreSQL: queries, transactions, COPY, LISTEN.
//
// Values go and come as text: what a type looks like is described with that type. NULL is null. Any number of greenlets may use one connection; they take
// turns, and a transaction keeps the turn. For queries at the same time use a pool (pool.ts).
//
// A query that is killed or times out is cancelled on the server. It may have been carried out: only a transaction that is not committed is certainly not.

import { type ByteSink, type ByteSource, type Op, ResourceError, UsageError } from 'tendril';
import { PostgresProtocolError, PostgresRolledBackError } from './errors.ts';
import { type Notification, PostgresLink } from './link.ts';
import * as messages from './messages.ts';
import type { PostgresOptions } from './options.ts';

export interface Result {
  /** What was done: `SELECT`, `INSERT`, ...; empty for an empty query. */
  readonly command: string;
  /** How many rows that affected. */
  readonly count: number;
  readonly fields: readonly messages.Field[];
  readonly rows: readonly messages.Row[];
}

/** A result larger than `maxResultBytes`. */
export class PostgresResultTooLargeError extends ResourceError {
  override readonly code: string = 'ERR_POSTGRES_RESULT_TOO_LARGE';
}

export class PostgresConnection {
  readonly #link: PostgresLink;
  readonly #maxResultBytes: number;

  private constructor(link: PostgresLink, maxResultBytes = 256 * 1024 * 1024) {
    this.#link = link;
    this.#maxResultBytes = maxResultBytes;
  }

  /**
   * Connect and log in. If it throws, nothing is left open.
   *
   * @throws ConnectError if nobody answers, TimeoutError after `connectMs`, PostgresError if the server refuses, PostgresProtocolError if it does not prove
   * itself, or asks for what we do not give.
   */
  static *connect(options: PostgresOptions): Op<PostgresConnection> {
    return new PostgresConnection(yield* PostgresLink.open(options), options.maxResultBytes);
  }

  /** @internal */
  static over(link: PostgresLink, maxResultBytes?: number): PostgresConnection {
    return new PostgresConnection(link, maxResultBytes);
  }

  get closed(): boolean {
    return this.#link.closed;
  }

  get inTransaction(): boolean {
    return this.#link.status !== 'I';
  }

  /** What the server says of itself: `server_version`, `TimeZone`, ... */
  get settings(): ReadonlyMap<string, string> {
    return this.#link.settings;
  }

  /**
   * Run one statement, with `$1`, `$2`, ... in it standing for `parameters`, which never become part of its text.
   *
   * @throws PostgresError if the server refuses it; the connection can be used again. @throws PostgresConnectionError if the connection is lost: see `inDoubt`.
   * @throws TypeError for a parameter that cannot be sent.
   */
  *query(sql: string, parameters: readonly messages.Parameter[] = []): Op<Result> {
    const request = Buffer.concat([messages.prepare(sql, parameters), messages.execute(0), messages.sync]);
    const [result] = yield* this.#link.converse(request, true, () => this.#results());
    if (result === undefined) throw this.#link.lose(new PostgresProtocolError('no result'));
    return result;
  }

  /** Run a script: any number of statements without parameters, in one transaction unless it has its own. Returns the result of each. As `query` otherwise. */
  *script(sql: string): Op<Result[]> {
    return yield* this.#link.converse(messages.query(sql), false, () => this.#results());
  }

  /** Run a statement and give each of its rows to `visit`; no more than `batch` of them are asked for at a time. Returns how many there were. */
  *each(
    sql: string,
    parameters: readonly messages.Parameter[],
    visit: (row: messages.Row) => Op<void>,
    batch = 100,
  ): Op<number> {
    if (!Number.isInteger(batch) || batch < 1)
      throw messages.invalid(`a batch is a positive number of rows, not ${String(batch)}`);
    const more = Buffer.concat([messages.execute(batch), messages.flush]);
    const request = Buffer.concat([messages.prepare(sql, parameters), more]);
    return yield* this.#link.converse(request, true, () => this.#visitRows(visit, more));
  }

  /**
   * Run `body` in a transaction: what it does is kept if it returns, and undone if it throws or is killed. Nobody else's query gets in between.
   *
   * @throws PostgresRolledBackError if the server undid it because of an error that `body` has swallowed. @throws what `body` throws.
   */
  *transaction<T>(body: () => Op<T>): Op<T> {
    const link = this.#link;
    yield* link.turn.acquire();
    try {
      if (this.inTransaction) throw new UsageError('a transaction inside a transaction: use a savepoint');
      yield* this.query('BEGIN');
      const value = yield* body();
      const { command } = yield* this.query('COMMIT');
      if (command !== 'COMMIT') throw new PostgresRolledBackError('rolled back, because a query in it had failed');
      return value;
    } finally {
      try {
        if (this.inTransaction) yield* link.cleanUp(this.query('ROLLBACK'));
      } finally {
        link.turn.release();
      }
    }
  }

  /** `COPY ... FROM STDIN` with the bytes of `source`, up to its end. Returns how many rows that were. If `source` throws, none is kept. */
  *copyIn(sql: string, source: ByteSource): Op<number> {
    return yield* this.#link.converse(messages.query(sql), false, () => this.#sendRows(source));
  }

  /** `COPY ... TO STDOUT` into `sink`, which is not ended. A sink that is slow slows the server. Returns how many rows that were. */
  *copyOut(sql: string, sink: ByteSink): Op<number> {
    return yield* this.#link.converse(messages.query(sql), false, () => this.#receiveRows(sink));
  }

  /** Have the notifications of `channel` sent to this connection. */
  *listen(channel: string): Op<void> {
    yield* this.query(`LISTEN ${quotedName(channel)}`);
  }

  /** Wait for a notification. Nobody can run a query meanwhile, so give the listening a connection of its own. If it throws, none was taken. */
  *notification(): Op<Notification> {
    for (;;) {
      const oldest = this.#link.notifications.shift();
      if (oldest !== undefined) return oldest;
      yield* this.#link.turn.use(this.#untilNotified());
    }
  }

  /** Is it open, and has the server said nothing? One that it has closed meanwhile is not. */
  isQuiet(): Op<boolean> {
    return this.#link.isQuiet();
  }

  /** Close at once. A query that runs gets ClosedError. Never switches; idempotent. */
  close(): void {
    this.#link.close();
  }

  /** Say goodbye, and close. */
  closeGracefully(): Op<void> {
    return this.#link.closeGracefully();
  }

  *#untilNotified(): Op<void> {
    const { notifications } = this.#link;
    while (notifications.length === 0) yield* this.#link.listenOn();
  }

  *#results(): Op<Result[]> {
    const link = this.#link;
    const results: Result[] = [];
    let fields: messages.Field[] = [];
    let rows: messages.Row[] = [];
    let size = 0;
    let failure: Error | undefined;
    for (;;) {
      const { type, body } = yield* link.next();
      if (type === 'D') {
        size += body.length;
        if (size > this.#maxResultBytes)
          throw new PostgresResultTooLargeError(`a result of more than ${this.#maxResultBytes} bytes: use each()`);
        rows.push(messages.readRow(body, fields));
      } else if (type === 'T') {
        fields = messages.readFields(body);
      } else if (type === 'C' || type === 'I') {
        results.push({ ...tagOf(type === 'I' ? '' : new messages.BodyReader(body).text()), fields, rows });
        fields = [];
        rows = [];
      } else if (type === 'E') {
        failure ??= link.failure(body);
        if (link.closed) throw failure;
      } else if (type === 'G' || type === 'H') {
        failure ??= new UsageError(`COPY by query(): use ${type === 'G' ? 'copyIn' : 'copyOut'}()`);
        if (type === 'G') yield* link.refuseToCopy();
      } else if (type === 'Z') {
        link.ready(body);
        if (failure !== undefined) throw failure;
        return results;
      } else if (!'12ndc'.includes(type)) {
        throw new PostgresProtocolError(`a message '${type}' in a result`);
      }
    }
  }

  *#visitRows(visit: (row: messages.Row) => Op<void>, more: Uint8Array): Op<number> {
    const link = this.#link;
    link.syncDue = true;
    let fields: messages.Field[] = [];
    let failure: Error | undefined;
    for (let count = 0; ; ) {
      const { type, body } = yield* link.next();
      if (type === 'T') {
        fields = messages.readFields(body);
      } else if (type === 'D') {
        yield* visit(messages.readRow(body, fields));
        count += 1;
      } else if (type === 's') {
        yield* link.send(more);
      } else if ('CIE'.includes(type)) {
        if (type === 'E') failure = link.failure(body);
        if (link.closed) throw failure;
        yield* link.send(messages.sync);
        link.syncDue = false;
      } else if (type === 'Z') {
        link.ready(body);
        if (failure !== undefined) throw failure;
        return count;
      } else if ('GH'.includes(type)) {
        link.takesRows = type === 'G';
        throw new UsageError(`COPY by each(): use ${link.takesRows ? 'copyIn' : 'copyOut'}()`);
      } else if (!'12n'.includes(type)) {
        throw new PostgresProtocolError(`a message '${type}' among rows`);
      }
    }
  }

  *#sendRows(source: ByteSource): Op<number> {
    const link = this.#link;
    yield* this.#expect('G', 'copyIn takes COPY ... FROM STDIN');
    link.takesRows = true;
    for (let bytes = yield* source.read(); bytes !== null; bytes = yield* source.read()) {
      // The server refuses a row as soon as it sees it: then the others need not be sent.
      const objection = yield* link.objection();
      if (objection !== undefined) yield* this.#refused(objection.body);
      yield* link.send(messages.message('d', bytes));
    }
    yield* link.send(messages.message('c'));
    link.takesRows = false;
    return (yield* this.#results())[0]?.count ?? 0;
  }

  *#receiveRows(sink: ByteSink): Op<number> {
    const link = this.#link;
    yield* this.#expect('H', 'copyOut takes COPY ... TO STDOUT');
    for (;;) {
      const { type, body } = yield* link.next();
      if (type === 'd') yield* sink.write(body);
      else if (type === 'c') return (yield* this.#results())[0]?.count ?? 0;
      else if (type === 'E') yield* this.#refused(body);
      else throw new PostgresProtocolError(`a message '${type}' among copied rows`);
    }
  }

  *#expect(wanted: string, otherwise: string): Op<void> {
    const { type, body } = yield* this.#link.next();
    if (type === wanted) return;
    if (type === 'E') yield* this.#refused(body);
    this.#link.takesRows = type === 'G';
    throw new UsageError(otherwise);
  }

  /** An error has come: read up to "ready", and throw it. */
  *#refused(body: Buffer): Op<never> {
    const failure = this.#link.failure(body);
    if (!this.#link.closed) yield* this.#results();
    throw failure;
  }
}

/** A name as part of a statement, where a parameter cannot stand. */
export function quotedName(name: string): string {
  return `"${messages.checkedText(name).replaceAll('"', '""')}"`;
}

/** `INSERT 0 3`, `SELECT 5`, `BEGIN`. */
function tagOf(tag: string): { command: string; count: number } {
  const match = /^(.*?)(?: \d+)?(?: (\d+))$/.exec(tag);
  return match === null ? { command: tag, count: 0 } : { command: match[1] as string, count: Number(match[2]) };
}
