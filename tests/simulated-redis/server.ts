// server.ts: a Redis server as a program over our own sockets, for a host of the simulated network: it can be cut off, reset, crashed and restarted.
//
//   const server = new RedisServer({ durable: true });
//   world.net.host('redis', { main: server.main });
//
// It serves commands one at a time, as Redis does, and never waits for a slow client: what it has to say is kept until it is taken. With `durable`
// it has written each change down before it answers, so a crash loses nothing; without, a crash loses everything.

import { Event, isKilled, listen, now, type Op, type Socket, scope, serve, sleep } from 'tendril';
import { Journal } from './journal.ts';
import { Life } from './life.ts';
import { Session } from './session.ts';
import { Store } from './store.ts';

export interface RedisServerOptions {
  readonly port?: number | undefined;
  readonly password?: string | undefined;
  /** Does it still know everything after a crash? True if not given. */
  readonly durable?: boolean | undefined;
}

export class RedisServer {
  readonly journal: Journal = new Journal();
  readonly port: number;
  readonly #password: string | undefined;
  readonly #durable: boolean;
  #store: Store = new Store(now);
  #life: Life | undefined;

  constructor({ port = 6379, password, durable = true }: RedisServerOptions = {}) {
    this.port = port;
    this.#password = password;
    this.#durable = durable;
  }

  get store(): Store {
    return this.#store;
  }

  /** How many connections it has. */
  get connections(): number {
    return this.#life?.sessions.size ?? 0;
  }

  /** What runs on its host, from each start on. */
  readonly main = (): Op<void> => this.#run();

  *#run(): Op<void> {
    this.journal.started(!this.#durable);
    if (!this.#durable) this.#store = new Store(now);
    // As Redis' own tcp-keepalive, which is 300 s: a client that has vanished is noticed.
    const listener = yield* listen({ host: '0.0.0.0', port: this.port }, { keepAliveMs: 3_000 });
    const { journal } = this;
    yield* scope((s) => {
      const life = new Life(this.#store, journal, this.#password, (session, forMs) => {
        if (forMs !== Number.POSITIVE_INFINITY) s.spawn(expire, life, session, session.blocked, forMs);
      });
      this.#life = life;
      return serve(listener, (socket) => converse(life, socket), { graceMs: 0 });
    });
  }
}

function* expire(life: Life, session: Session, blocked: Session['blocked'], forMs: number): Op<void> {
  yield* sleep(forMs);
  life.expire(session, blocked);
}

/** Serve one connection. */
function* converse(life: Life, socket: Socket): Op<void> {
  const wanted = new Event({ name: 'something to say' });
  const session = new Session(life, life.nextNumber(), () => wanted.set());
  life.sessions.add(session);
  try {
    yield* scope(function* both(s): Op<void> {
      const speaking = s.spawn(speak, session, socket, wanted);
      for (;;) {
        const bytes = yield* socket.read();
        if (bytes === null) break;
        session.feed(bytes);
        if (session.quitting) break;
      }
      // Only after QUIT is there anything that the client still wants to hear.
      if (session.quitting) yield* speaking.join();
      else speaking.kill();
    });
  } finally {
    session.close();
  }
}

function* speak(session: Session, socket: Socket, wanted: Event): Op<void> {
  try {
    for (;;) {
      yield* wanted.wait();
      wanted.clear();
      const { out } = session;
      session.out = '';
      yield* socket.write(Buffer.from(out, 'latin1'));
      if (session.quitting) return;
    }
  } catch (error) {
    if (isKilled(error)) throw error; // otherwise the client has gone: whoever reads learns of it too
  }
}
