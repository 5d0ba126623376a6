// session.ts: one connection to a NATS server, from its greeting to its loss.
//
// A session never comes back: the client could connect again by itself, but it then keeps what was to be sent without a bound, holds the process by timers of its own, and tells nobody which
// request was lost. Here whoever needs the server asks again in the next session (link.ts), under the same id, so that the server knows it again.
//
// A server is first asked for its greeting over a socket of ours: the client leaves a socket open for ever that is accepted and never answered, and a kill could not end it.
//
// Nothing of the client holds the process: its socket and its timer are unref'd; that a greenlet waits does.

import { type JetStreamClient, type JetStreamManager, jetstream } from '@nats-io/jetstream';
import { connect as connectClient, type NatsConnection, type NatsConnectionImpl } from '@nats-io/transport-node';
import { Event } from '../../core/event.ts';
import type { Op } from '../../core/op.ts';
import { select } from '../../core/select.ts';
import { connect } from '../../io/connect.ts';
import { until } from '../../io/until.ts';
import { EngineRefusedError } from './errors.ts';
import type { NatsSettings, ServerAddress } from './nats-options.ts';

/** The client's own sign of life, which we do not use: as long as a timer of Node can take. */
const neverMs = 2_147_483_647;
/** How long the server has for an answer of its administrative interface. */
const apiTimeoutMs = 5_000;

/** Thrown in what was going on when the connection went. Never leaves this folder. */
export class SessionLost extends Error {}

export class Session {
  readonly client: NatsConnection;
  readonly js: JetStreamClient;
  #manager: JetStreamManager | undefined = undefined;
  /** Set when the connection is gone. */
  readonly lost: Event = new Event({ name: 'of a lost NATS connection' });

  /** @internal: `openSession` makes them. */
  constructor(client: NatsConnection) {
    this.client = client;
    this.js = jetstream(client, { timeout: apiTimeoutMs });
    // Whichever way it ends.
    const gone = (): void => this.lost.set();
    client.closed().then(gone, gone);
    release(client);
  }

  /** The most bytes of one message. */
  get maxPayload(): number {
    return this.client.info?.max_payload ?? 1_048_576;
  }

  get server(): string {
    return this.client.getServer();
  }

  /** The administrative interface. */
  *manager(): Op<JetStreamManager> {
    this.#manager ??= yield* this.during(this.js.jetstreamManager(false));
    return this.#manager;
  }

  /** Wait for `promise`, but no longer than the session lives: the client never settles some of its promises when it closes. @throws SessionLost */
  *during<T>(promise: Promise<T>): Op<T> {
    const first = yield* select({ value: until(promise), lost: this.lost.wait() }, { priority: true });
    if (first.key === 'lost') throw new SessionLost('the connection to NATS was lost');
    return first.value as T;
  }

  /** End it. Never switches. */
  close(): void {
    this.client.close().catch(() => {});
  }
}

/** Open a session with one server. Leaves nothing behind if it throws. */
export function* openSession(server: ServerAddress, settings: NatsSettings): Op<Session> {
  const { client, clientName, connectTimeoutMs } = settings;
  if (client.tls?.handshakeFirst !== true) yield* greeting(server);
  const made = connectClient({
    ...client,
    servers: [server.text],
    name: clientName,
    timeout: Math.min(Math.max(connectTimeoutMs, 1), neverMs),
    reconnect: false,
    pingInterval: neverMs,
    ignoreClusterUpdates: true,
    // The stacks of its promises show nothing of the program's.
    noAsyncTraces: true,
  });
  let connection: NatsConnection;
  try {
    connection = yield* until(made, { late: (late) => void late.close() });
  } catch (error) {
    if (error instanceof Error && /Authorization|Authentication/.test(`${error.name} ${error.message}`))
      throw new EngineRefusedError(`the NATS server at ${server.text} refused the connection: ${error.message}`, {
        cause: error,
      });
    throw error;
  }
  return new Session(connection);
}

/** The line with which a NATS server opens a connection. */
function* greeting({ host, port, text }: ServerAddress): Op<void> {
  const socket = yield* connect({ host, port });
  try {
    const line = yield* socket.readLine({ limit: 65_536 });
    if (line?.startsWith('INFO {') !== true) throw new EngineRefusedError(`what answers at ${text} is no NATS server`);
  } finally {
    socket.close();
  }
}

/** Let the connection not hold the process. If a later version of the client hides these, an idle executor holds it until it is shut down. */
function release(client: NatsConnection): void {
  const { protocol } = client as NatsConnectionImpl;
  protocol?.heartbeats?.cancel?.();
  (protocol?.transport as { socket?: { unref?(): void } } | undefined)?.socket?.unref?.();
}
