// serve.ts: `serve(listener, handler)`: accept connections and run each handler in a greenlet of its own.
//
// The handlers are children of one scope, so nothing outlives serve(). Whatever a handler does, its connection is closed when it ends, and an error in
// one is reported to the hub and touches no other. An error that the peer brings about on its own connection (a reset, an end inside a line, a
// line without end, a message that cannot be decoded) is no news for anyone else, and must not end the server: it is counted and not reported.
//
// How it ends: the listener is closed by somebody (handlers go on, serve returns when the last has ended), or serve is killed (no more
// connections; handlers that only wait for their peer are killed at once, the others get their grace and are killed then).
// Sources: gevent's StreamServer, trio's serve_listeners; S9, S16.

import { typeError } from '../core/bad-argument.ts';
import { ClosedError, isKilled, TendrilError } from '../core/errors.ts';
import { Event } from '../core/event.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { kernel } from '../core/kernel.ts';
import { isOp, nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import { type Scope, scope } from '../core/scope.ts';
import { shield } from '../core/shield.ts';
import { timeout } from '../core/timeout.ts';
import { checkOptions, own, ownCount, ownMs, shownValue } from './address.ts';
import { ConnectionResetError, IncompleteReadError, LineTooLongError } from './errors.ts';
import { DecodeError, FrameTooLargeError, PipeError } from './framing-errors.ts';
import { Listener } from './listen.ts';
import type { Socket } from './socket.ts';

const GRACE_MS = 10_000;
/** How often a server that is being killed looks for idle connections. */
const IDLE_CHECK_MS = 50;

export interface ServeOptions {
  /** The most handlers at a time; Infinity by default. */
  readonly maxConnections?: number | undefined;
  /** What becomes of a connection beyond that: it is closed and counted ('drop', the default), or it waits to be accepted ('wait'). */
  readonly overflow?: 'drop' | 'wait' | undefined;
  /** How long handlers that are at work may go on when serve is killed: 10,000 ms by default. Idle ones are killed at once. */
  readonly graceMs?: number | undefined;
}

/**
 * Serve connections of `listener` with `handler` until the listener is closed or this greenlet is killed.
 *
 * Switches. `handler(socket)` runs in a greenlet of its own. When it returns, what it wrote is sent and the connection closed; when it throws or is killed the
 * connection is closed at once. An error that it throws goes to the hub's `error` event, except one that its peer brings about (a reset, an end inside
 * a line, a line without end, a message that cannot be decoded): `listener.stats` counts them all. However serve ends, the listener is closed and no
 * handler is left. A serve that is killed before its first step never
 * runs, and leaves the listener to whoever opened it.
 *
 * @throws TypeError or RangeError, at the call, for bad arguments. @throws Killed if the greenlet is killed, after the handlers' grace.
 */
export function serve(listener: Listener, handler: (socket: Socket) => Op<unknown>, options?: ServeOptions): Op<void> {
  const where = 'serve';
  if (!(listener instanceof Listener)) throw typeError(`serve takes a listener, not ${nameOf(listener)}`);
  if (typeof handler !== 'function')
    throw typeError(`serve takes a generator function as its handler, not ${nameOf(handler)}`);
  const given = checkOptions(options, where);
  const overflow = own<unknown>(given, 'overflow') ?? 'drop';
  if (overflow !== 'drop' && overflow !== 'wait') {
    throw typeError(`serve: overflow must be 'drop' or 'wait', not ${shownValue(overflow)}`);
  }
  const most = ownCount(given, 'maxConnections', Number.POSITIVE_INFINITY, 1, where);
  return new Serving(listener, handler, most, overflow === 'drop', ownMs(given, 'graceMs', GRACE_MS, where)).run();
}

class Serving {
  readonly #listener: Listener;
  readonly #handler: (socket: Socket) => Op<unknown>;
  readonly #most: number;
  readonly #drops: boolean;
  readonly #graceMs: number;
  #active = 0;
  /** Set while another connection may be taken, and while none is open. */
  readonly #room: Event = new Event({ name: 'room for a connection' });
  readonly #idle: Event = new Event({ name: 'end of the handlers' });
  readonly #connections: Set<Connection> = new Set();
  readonly #handle: (connection: Connection) => Op<void>;

  constructor(
    listener: Listener,
    handler: (socket: Socket) => Op<unknown>,
    most: number,
    drops: boolean,
    graceMs: number,
  ) {
    this.#listener = listener;
    this.#handler = handler;
    this.#most = most;
    this.#drops = drops;
    this.#graceMs = graceMs;
    this.#room.set();
    this.#idle.set();
    const serving = this;
    // Made once: a generator function costs more than a generator.
    this.#handle = function* handle(connection: Connection): Generator<Trap, void, Resume> {
      const { socket } = connection;
      try {
        const op: unknown = serving.#handler(socket);
        if (!isOp(op))
          throw typeError(`serve: the handler returned ${nameOf(op)}, no Op: is it a generator function (function*)?`);
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
    try {
      for (;;) {
        if (!this.#drops) yield* this.#room.wait();
        const socket = yield* this.#listener.accept();
        if (this.#active >= this.#most) this.#drop(socket);
        else this.#begin(s, socket);
      }
    } catch (error) {
      // Closed under us: that is how a server is stopped without a kill.
      if (error instanceof ClosedError && this.#listener.closed) return;
      this.#listener.close();
      if (isKilled(error) && this.#active > 0) {
        yield* shield(this.#graceMs, this.#drain(error.reason));
      }
      throw error;
    }
  }

  /** Wait for the handlers. Now and then those that only wait for their peer are killed, when what it has already sent has had time to come. */
  *#drain(reason: unknown): Generator<Trap, void, Resume> {
    while (this.#active > 0) {
      yield* timeout(IDLE_CHECK_MS, this.#idle.wait(), { else: undefined });
      for (const connection of this.#connections) connection.killIfIdle(reason);
    }
  }

  #begin(s: Scope, socket: Socket): void {
    this.#active += 1;
    this.#listener.stats.active += 1;
    this.#idle.clear();
    if (this.#active >= this.#most) this.#room.clear();
    const connection = new Connection(socket, () => this.#ended(connection));
    this.#connections.add(connection);
    connection.greenlet = s.spawn(this.#handle, connection);
    // A handler that is killed before it has run never enters its own finally.
    connection.greenlet.link(() => connection.ended());
  }

  #drop(socket: Socket): void {
    const { stats } = this.#listener;
    stats.accepted -= 1;
    stats.dropped += 1;
    socket.close();
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

/** Can any peer bring this about, at any time? */
function isOfPeer(error: unknown): boolean {
  return (
    error instanceof ConnectionResetError ||
    error instanceof IncompleteReadError ||
    error instanceof LineTooLongError ||
    error instanceof FrameTooLargeError ||
    error instanceof DecodeError
  );
}

/** One connection that is being served. */
class Connection {
  readonly socket: Socket;
  greenlet: Greenlet<void> | undefined = undefined;
  readonly #whenEnded: () => void;
  #over = false;

  constructor(socket: Socket, whenEnded: () => void) {
    this.socket = socket;
    this.#whenEnded = whenEnded;
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
    if (this.socket.awaitsPeer) this.greenlet?.kill(reason);
  }

  ended(): void {
    if (this.#over) return;
    this.#over = true;
    this.socket.close();
    this.#whenEnded();
  }
}
