// serving.ts: the accept loop of a server, its handlers, and the stages of stopping them. What serve() and StreamServer have in common.
//
// The handlers are children of one scope in the greenlet of run(), so nothing outlives it. There are two limits: at `size` handlers no more connections
// are accepted (they wait), beyond `most` they are closed and counted as dropped. At most ACCEPTS_PER_TURN are accepted in one turn, so
// that a burst does not keep those that are served from going on. When no descriptor is left, nothing is accepted for a while that doubles up to a second.
// What had a descriptor by then waits no longer than that.
//
// Invariants, between any two steps:
//   #active = #connections.size = listener.stats.active, if the listener has one server
//   a connection's socket is open  implies  it is in #connections, unless its handler has closed it
//   the listener is paused         implies  #recovery is alive

import { typeError } from '../core/bad-argument.ts';
import { ClosedError, isKilled, TendrilError } from '../core/errors.ts';
import { Event } from '../core/event.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { kernel } from '../core/kernel.ts';
import { isOp, nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import type { Pool } from '../core/pool.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { type Scope, scope } from '../core/scope.ts';
import { shield } from '../core/shield.ts';
import { sleep } from '../core/sleep.ts';
import { timeout } from '../core/timeout.ts';
import type { Address } from './address.ts';
import { ConnectionResetError, IncompleteReadError, LineTooLongError } from './errors.ts';
import { DecodeError, FrameTooLargeError, PipeError } from './framing-errors.ts';
import type { Listener } from './listen.ts';
import type { Socket } from './socket.ts';
import { TlsError } from './tls-errors.ts';

/** How often a server that is being stopped looks for idle connections. */
const IDLE_CHECK_MS = 50;
const ACCEPTS_PER_TURN = 100;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1000;

export type Handler = (socket: Socket) => Op<unknown>;

export interface ServingSettings {
  readonly where: string;
  /** At so many handlers connections wait. */
  readonly size: number;
  /** Beyond so many handlers connections are closed; what the listener says if undefined. */
  readonly most: number | undefined;
  /** Where handlers get a place besides. */
  readonly pool?: Pool | undefined;
  readonly graceMs: number;
  /** Told at the end of the turn. */
  readonly onDrop?: ((peer: Address) => void) | undefined;
  readonly onOverload?: ((pauseMs: number) => void) | undefined;
}

export class Serving {
  readonly #listener: Listener;
  readonly #handler: Handler;
  readonly #settings: ServingSettings;
  readonly #most: number;
  #graceMs: number;
  #active = 0;
  /** Set while another connection may be taken, and while none is open. */
  readonly #room: Event = new Event({ name: 'room for a connection' });
  readonly #idle: Event = new Event({ name: 'end of the handlers' });
  readonly #connections: Set<Connection> = new Set();
  readonly #handle: (connection: Connection) => Op<void>;
  #recovery: Greenlet<void> | undefined = undefined;

  constructor(listener: Listener, handler: Handler, settings: ServingSettings) {
    this.#listener = listener;
    this.#handler = handler;
    this.#settings = settings;
    this.#most = settings.most ?? listener.mostConnections;
    this.#graceMs = settings.graceMs;
    this.#room.set();
    this.#idle.set();
    const serving = this;
    // Made once: a generator function costs more than a generator.
    this.#handle = function* handle(connection: Connection): Generator<Trap, void, Resume> {
      const { socket } = connection;
      try {
        const op: unknown = serving.#handler(socket);
        if (!isOp(op)) {
          const what = `${settings.where}: the handler returned ${nameOf(op)}, no Op`;
          throw typeError(`${what}: is it a generator function (function*)?`);
        }
        yield* op;
        yield* connection.finish();
      } catch (error) {
        // Only its own kill: one that it kept of another greenlet is an error like any other, and must not end the server.
        if (isKilled(error) && error.frame === kernel.current.side?.base) throw error;
        serving.#failed(error);
      } finally {
        connection.ended();
      }
    };
  }

  /** Accept and serve until the listener is closed and the last handler has ended, or this greenlet is killed. */
  *run(): Generator<Trap, void, Resume> {
    const serving = this;
    try {
      yield* scope(function* (s: Scope) {
        yield* serving.#acceptAll(s);
      });
    } finally {
      this.#listener.close();
    }
  }

  *#acceptAll(s: Scope): Generator<Trap, void, Resume> {
    const { scheduler } = kernel.current.scope;
    const onOverload = (): void => this.#overloaded(s);
    this.#listener.onOverload = onOverload;
    const { pool } = this.#settings;
    let turn = -1;
    let accepted = 0;
    try {
      for (;;) {
        if (this.#active >= this.#settings.size) yield* this.#room.wait();
        const socket = yield* this.#listener.accept();
        if (this.#active >= this.#most) this.#drop(socket);
        else if (pool === undefined) this.#begin(s, socket);
        else yield* this.#beginInPool(s, socket, pool);
        if (turn !== scheduler.stats.turns) {
          turn = scheduler.stats.turns;
          accepted = 0;
        }
        accepted += 1;
        if (accepted >= ACCEPTS_PER_TURN) yield* endOfTurn(scheduler);
      }
    } catch (error) {
      // Closed under us: that is how a server is stopped without a kill.
      if (error instanceof ClosedError && this.#listener.closed) return;
      this.#listener.close();
      if (isKilled(error) && this.#active > 0) {
        yield* shield(this.#graceMs, this.drain(error.reason));
      }
      throw error;
    } finally {
      if (this.#listener.onOverload === onOverload) this.#listener.onOverload = undefined;
      this.#recovery?.kill();
    }
  }

  /** Wait for the handlers. Now and then those that only wait for their peer are killed, when what it has already sent has had time to come. */
  *drain(reason: unknown): Generator<Trap, void, Resume> {
    while (this.#active > 0) {
      yield* timeout(IDLE_CHECK_MS, this.#idle.wait(), { else: undefined });
      for (const connection of this.#connections) connection.killIfIdle(reason);
    }
  }

  /** From now on a kill gives no grace any more. */
  noGrace(): void {
    this.#graceMs = 0;
  }

  /** End every handler that is still there, and close its connection. */
  destroy(reason: unknown): void {
    for (const connection of this.#connections) connection.destroy(reason);
  }

  #begin(s: Scope, socket: Socket): void {
    const connection = this.#admit(socket);
    connection.runsIn(s.spawn(this.#handle, connection));
  }

  *#beginInPool(s: Scope, socket: Socket, pool: Pool): Generator<Trap, void, Resume> {
    const connection = this.#admit(socket);
    try {
      connection.runsIn(yield* pool.spawnInto<void>(s, this.#handle as () => Op<void>, [connection]));
    } catch (error) {
      connection.ended(); // killed while it waited for a place
      throw error;
    }
  }

  #admit(socket: Socket): Connection {
    this.#active += 1;
    this.#listener.stats.active += 1;
    this.#idle.clear();
    if (this.#active >= this.#settings.size) this.#room.clear();
    const connection = new Connection(socket, () => this.#ended(connection));
    this.#connections.add(connection);
    return connection;
  }

  #drop(socket: Socket): void {
    const { stats } = this.#listener;
    stats.accepted -= 1;
    stats.dropped += 1;
    const { remoteAddress } = socket;
    socket.close();
    this.#settings.onDrop?.(remoteAddress);
  }

  /** No descriptor is left: those that we have go on, nobody else is let in until one is free. */
  #overloaded(s: Scope): void {
    if (this.#recovery !== undefined) return;
    this.#listener.pause();
    this.#recovery = s.spawn(recover, this.#listener, this.#settings.onOverload);
    this.#recovery.link(() => {
      this.#recovery = undefined;
      this.#listener.resume();
    });
  }

  #ended(connection: Connection): void {
    this.#connections.delete(connection);
    this.#active -= 1;
    this.#listener.stats.active -= 1;
    this.#room.set();
    if (this.#active === 0) this.#idle.set();
  }

  #failed(error: unknown): void {
    this.#listener.stats.handlerErrors += 1;
    if (isOfPeer(error instanceof PipeError ? error.cause : error)) return;
    const me = kernel.current;
    me.scope.scheduler.report(error, me);
  }
}

/** Wait until this turn is over: input is polled before the next. */
function endOfTurn(scheduler: Scheduler): Op<void> {
  const over = new Event({ name: 'end of the turn' });
  scheduler.atTurnEnd(() => over.set());
  return over.wait();
}

/** Wait until a descriptor is free, for longer each time. */
function* recover(
  listener: Listener,
  onOverload: ((pauseMs: number) => void) | undefined,
): Generator<Trap, void, Resume> {
  const { scheduler } = kernel.current.scope;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    listener.stats.overloads += 1;
    onOverload?.(pauseMs);
    yield* sleep(pauseMs);
    if (listener.closed || listener.hasRoom) return;
    // Those that came meanwhile have their descriptor already, and have waited long enough.
    listener.resume();
    yield* endOfTurn(scheduler);
    listener.pause();
  }
}

/** Can any peer bring this about, at any time? */
function isOfPeer(error: unknown): boolean {
  return (
    error instanceof ConnectionResetError ||
    error instanceof IncompleteReadError ||
    error instanceof LineTooLongError ||
    error instanceof FrameTooLargeError ||
    error instanceof DecodeError ||
    error instanceof TlsError
  );
}

/** One connection that is being served. */
class Connection {
  readonly socket: Socket;
  #greenlet: Greenlet<void> | undefined = undefined;
  readonly #whenEnded: () => void;
  #over = false;

  constructor(socket: Socket, whenEnded: () => void) {
    this.socket = socket;
    this.#whenEnded = whenEnded;
  }

  runsIn(greenlet: Greenlet<void>): void {
    this.#greenlet = greenlet;
    // A handler that is killed before it has run never enters its own finally.
    greenlet.link(() => this.ended());
  }

  /** The handler has returned: send what it wrote. That the peer does not take it is no fault of the handler's. */
  *finish(): Generator<Trap, void, Resume> {
    try {
      yield* this.socket.closeGracefully();
    } catch (error) {
      if (!(error instanceof TendrilError)) throw error;
    }
  }

  /** Kill a handler that waits for its peer to say something, and has nothing half read: nobody waits for its answer. */
  killIfIdle(reason: unknown): void {
    if (this.socket.awaitsPeer) this.#greenlet?.kill(reason);
  }

  /** The kill goes first: a handler that only learns of a closed connection fails, and nobody has done anything wrong. */
  destroy(reason: unknown): void {
    this.#greenlet?.kill(reason);
    this.socket.close();
  }

  ended(): void {
    if (this.#over) return;
    this.#over = true;
    this.socket.close();
    this.#whenEnded();
  }
}
