// link.ts: one connection to PostgreSQL, one conversation on it at a time: a request, and answers up to "ready for query".
//
// A greenlet that is killed or times out in the middle leaves the server at work and half an answer in the socket. So the link first cancels the query, over
// a second connection, as the protocol wants it, then reads up to "ready", and can be used again. If that does not work in time the link is closed.
//
// Invariants, between any two steps:
//   pending   implies  not ready: the owner of `turn` is in a conversation, or in the cleanup after it
//   closed    implies  every later conversation throws, and nothing is read any more
// Source: https://www.postgresql.org/docs/current/protocol-flow.html

import {
  BusyError,
  ClosedError,
  connect,
  type Endpoint,
  type Framed,
  framed,
  type Op,
  ResourceError,
  RLock,
  rethrowKilled,
  type Socket,
  select,
  shield,
  timeout,
} from 'tendril';
import { authenticate } from './authenticate.ts';
import { PostgresConnectionError, type PostgresError, PostgresProtocolError } from './errors.ts';
import {
  BodyReader,
  cancelRequest,
  type Message,
  MessageCodec,
  message,
  readError,
  sslRequest,
  startup,
  sync,
  terminate,
  text,
} from './messages.ts';
import type { PostgresOptions } from './options.ts';

export interface Notification {
  readonly channel: string;
  readonly payload: string;
}

const MOST_NOTIFICATIONS = 10_000;

export class PostgresLink {
  /** One greenlet at a time; a transaction holds it from BEGIN to its end. */
  readonly turn: RLock = new RLock({ name: 'a PostgreSQL connection' });
  /** Those that came, oldest first, and how many were dropped because nobody took them. */
  readonly notifications: Notification[] = [];
  droppedNotifications = 0;
  /** What the server says of itself: `server_version`, `TimeZone`, ... */
  readonly settings: Map<string, string> = new Map();
  /** I: idle, T: in a transaction, E: in one that has failed. */
  status = 'I';
  /** The server has an answer to finish. */
  #pending = false;
  #extended = false;
  /** We owe the server a Sync before it is ready again. */
  syncDue = false;
  /** The server takes rows from us. */
  takesRows = false;
  #closed = false;
  #processId = 0;
  #secret = 0;
  readonly #socket: Socket;
  readonly #messages: Framed<Uint8Array, Message, Socket>;
  readonly #options: PostgresOptions;
  readonly #cancelMs: number;
  readonly #onNotice: ((notice: Error) => void) | undefined;

  /** @internal: open() makes them. */
  constructor(socket: Socket, options: PostgresOptions) {
    const { cancelMs = 5_000, maxMessageBytes, onNotice } = options;
    this.#socket = socket;
    this.#options = options;
    this.#cancelMs = cancelMs;
    this.#onNotice = onNotice;
    this.#messages = framed(socket, new MessageCodec(maxMessageBytes ?? 16 * 1024 * 1024));
  }

  /** Connect and greet. If it throws, nothing is left open. */
  static *open(options: PostgresOptions): Op<PostgresLink> {
    return yield* timeout(options.connectMs ?? 10_000, openAndGreet(options));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The next message that belongs to the conversation. Notices and the like are seen to. */
  *next(): Op<Message> {
    for (;;) {
      const received = yield* this.#receive();
      if (!this.#isAside(received)) return received;
    }
  }

  /** Wait until something comes without being asked for. */
  *listenOn(): Op<void> {
    const received = yield* this.#receive();
    if (received.type === 'E') throw this.failure(received.body);
    if (!this.#isAside(received)) throw this.lose(new PostgresProtocolError(`a message '${received.type}' unasked`));
  }

  /** What the server says while we are sending, which is an error; undefined if it says nothing. */
  *objection(): Op<Message | undefined> {
    while (this.#socket.buffered > 0) {
      const received = yield* this.#receive();
      if (!this.#isAside(received)) return received;
    }
    return undefined;
  }

  *send(bytes: Uint8Array): Op<void> {
    try {
      yield* this.#messages.send(bytes);
    } catch (error) {
      throw error instanceof ResourceError ? this.lose(error) : error;
    }
  }

  /**
   * Send `request` and let `answers` read up to "ready", which it tells by calling `ready`. However it ends, the server is ready for the next, or the link
   * is closed. `extended`: the request is not a simple query, so after an error the server waits for a Sync.
   */
  *converse<T>(request: Uint8Array, extended: boolean, answers: () => Op<T>): Op<T> {
    yield* this.turn.acquire();
    try {
      if (this.#closed) throw new ClosedError('a query on a PostgreSQL connection that is closed');
      if (this.#pending) throw new BusyError('a query inside another on the same PostgreSQL connection');
      yield* this.send(request);
      this.#pending = true;
      this.#extended = extended;
      try {
        return yield* answers();
      } catch (error) {
        if (error instanceof PostgresProtocolError) this.close();
        throw error;
      } finally {
        if (this.#pending) yield* this.cleanUp(this.#becomeReady());
      }
    } finally {
      this.turn.release();
    }
  }

  /** The server has said that it is ready. */
  ready(body: Buffer): void {
    this.status = String.fromCharCode(new BodyReader(body).int8());
    this.#pending = false;
    this.syncDue = false;
    this.takesRows = false;
  }

  /** The error in a message; after a fatal one the link is closed. */
  failure(body: Buffer): PostgresError {
    const error = readError(body);
    if (error.isFatal) this.close();
    return error;
  }

  /** Close, and make the error for whoever was in a conversation. */
  lose(cause: unknown): Error {
    const inDoubt = this.#pending;
    this.close();
    if (cause instanceof PostgresProtocolError) return cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const what = inDoubt ? 'the connection was lost, so the query may have been carried out' : 'no connection';
    return new PostgresConnectionError(`${what}: ${why}`, { cause, inDoubt });
  }

  /** Open, with nothing to read? Never waits. */
  *isQuiet(): Op<boolean> {
    if (this.#closed || this.#pending) return false;
    try {
      return (yield* select({ something: this.#socket.peek(1) }, { else: undefined })).key === 'else';
    } catch (error) {
      if (error instanceof ResourceError) return false;
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    this.#socket.close();
  }

  *closeGracefully(): Op<void> {
    if (this.#closed) return;
    try {
      if (!this.#pending) yield* this.send(terminate);
      yield* this.#socket.closeGracefully();
    } finally {
      this.close();
    }
  }

  *greet({ user, password, database = user, showPassword, path, tls }: PostgresOptions): Op<void> {
    yield* this.send(startup({ user, database, client_encoding: 'UTF8', application_name: 'tendril' }));
    const talk = { next: () => this.#orThrow(), send: (bytes: Uint8Array) => this.send(bytes) };
    const isPrivate = path !== undefined || (tls !== undefined && tls.insecure !== true);
    const mayShow = showPassword === true || isPrivate;
    yield* authenticate(talk, { user, password, mayShow });
    for (;;) {
      const { type, body } = yield* this.#orThrow();
      if (type === 'Z') return this.ready(body);
      if (type !== 'K') throw new PostgresProtocolError(`a message '${type}' in the greeting`);
      const reader = new BodyReader(body);
      this.#processId = reader.int32();
      this.#secret = reader.int32();
    }
  }

  /** The next message, if it is no error. */
  *#orThrow(): Op<Message> {
    const received = yield* this.next();
    if (received.type === 'E') throw this.failure(received.body);
    return received;
  }

  *#receive(): Op<Message> {
    let received: Message | null;
    try {
      received = yield* this.#messages.receive();
    } catch (error) {
      throw error instanceof ResourceError ? this.lose(error) : error;
    }
    if (received === null) throw this.lose('the server closed the connection');
    return received;
  }

  /** What the server may say at any time, and is no part of the conversation. */
  #isAside({ type, body }: Message): boolean {
    if (type === 'N') {
      this.#onNotice?.(readError(body));
    } else if (type === 'S') {
      const reader = new BodyReader(body);
      this.settings.set(reader.text(), reader.text());
    } else if (type === 'A') {
      const reader = new BodyReader(body);
      reader.int32();
      if (this.notifications.length === MOST_NOTIFICATIONS) {
        this.notifications.shift();
        this.droppedNotifications += 1;
      }
      this.notifications.push({ channel: reader.text(), payload: reader.text() });
    } else {
      return false;
    }
    return true;
  }

  /** Do what has to be done although we may be killed, in the time that a cleanup has; close if that fails: what brought us here is thrown on. */
  *cleanUp(op: Op<unknown>): Op<void> {
    if (this.#closed) return;
    try {
      yield* shield(this.#cancelMs, timeout(this.#cancelMs, op));
    } catch (error) {
      this.close();
      rethrowKilled(error);
    }
  }

  *#becomeReady(): Op<void> {
    if (this.takesRows) yield* this.refuseToCopy();
    else if (this.syncDue) yield* this.send(sync);
    if (!this.takesRows) yield* this.#cancel();
    for (;;) {
      const { type, body } = yield* this.next();
      if (type === 'Z') return this.ready(body);
      if (type === 'G') yield* this.refuseToCopy();
      if (type === 'E') this.failure(body);
    }
  }

  /** The server waits for rows, and gets none. It has dropped the Sync that came while it did. */
  *refuseToCopy(): Op<void> {
    yield* this.send(message('f', text('given up')));
    if (this.#extended) yield* this.send(sync);
  }

  /** Ask the server to stop. It closes the second connection when it has passed the request on: no later query can be hit by it. */
  *#cancel(): Op<void> {
    const socket = yield* openSocket(this.#options);
    try {
      yield* socket.write(cancelRequest(this.#processId, this.#secret));
      while ((yield* socket.read()) !== null);
    } finally {
      socket.close();
    }
  }
}

function* openAndGreet(options: PostgresOptions): Op<PostgresLink> {
  const link = new PostgresLink(yield* openSocket(options), options);
  let greeted = false;
  try {
    yield* link.greet(options);
    greeted = true;
    return link;
  } finally {
    if (!greeted) link.close();
  }
}

function* openSocket({ host = '127.0.0.1', port = 5432, path, tls }: PostgresOptions): Op<Socket> {
  const endpoint: Endpoint = path === undefined ? { host, port } : { path };
  const socket = yield* connect(endpoint, { keepAliveMs: 30_000 });
  if (tls === undefined) return socket;
  let secured = false;
  try {
    yield* socket.write(sslRequest);
    // Going on without, if it has none, would let anybody on the way decide that.
    const answer = yield* socket.readExactly(1);
    if (answer.toString() !== 'S') throw new PostgresProtocolError('the server does not speak TLS');
    yield* socket.startTls(tls);
    secured = true;
    return socket;
  } finally {
    if (!secured) socket.close();
  }
}
