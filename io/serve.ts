// serve.ts: `serve(listener, handler)`: accept connections and run each handler in a greenlet of its own.
//
// The handlers are children of one scope, so nothing outlives serve(). Whatever a handler does, its connection is closed when it ends, and an error in
// one is reported to the hub and touches no other. An error that says that this very connection was lost is no news for anyone else: it is
// counted and not reported.
//
// How it ends: the listener is closed by somebody (handlers go on, serve returns when the last has ended), or serve is killed (no more
// connections, handlers get their grace, then they are killed).
// Sources: gevent's StreamServer, trio's serve_listeners; S9, S16.

import { ClosedError, isKilled, TendrilError } from '../core/errors.ts';
import { Event } from '../core/event.ts';
import { kernel } from '../core/kernel.ts';
import { isOp, nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import { type Scope, scope } from '../core/scope.ts';
import { shield } from '../core/shield.ts';
import { checkOptions, own, ownCount, ownMs, shownValue } from './address.ts';
import { ConnectionResetError } from './errors.ts';
import { Listener } from './listen.ts';
import type { Socket } from './socket.ts';

const GRACE_MS = 10_000;

export interface ServeOptions {
  /** The most handlers at a time; Infinity by default. */
  readonly maxConnections?: number | undefined;
  /** What becomes of a connection beyond that: it is closed and counted ('drop', the default), or it waits to be accepted ('wait'). */
  readonly overflow?: 'drop' | 'wait' | undefined;
  /** How long handlers may go on when serve is killed: 10,000 ms by default. */
  readonly graceMs?: number | undefined;
}

/**
 * Serve connections of `listener` with `handler` until the listener is closed or this greenlet is killed.
 *
 * Switches. `handler(socket)` runs in a greenlet of its own. When it returns, what it wrote is sent and the connection closed; when it throws or is killed the
 * connection is closed at once. An error that it throws goes to the hub's `error` event; `listener.stats` counts. However serve ends, the listener is
 * closed and no handler is left.
 *
 * @throws TypeError or RangeError, at the call, for bad arguments. @throws Killed if the greenlet is killed, after the handlers' grace.
 */
export function serve(listener: Listener, handler: (socket: Socket) => Op<unknown>, options?: ServeOptions): Op<void> {
  const where = 'serve';
  if (!(listener instanceof Listener)) throw new TypeError(`serve takes a listener, not ${nameOf(listener)}`);
  if (typeof handler !== 'function')
    throw new TypeError(`serve takes a generator function as its handler, not ${nameOf(handler)}`);
  const given = checkOptions(options, where);
  const overflow = own<unknown>(given, 'overflow') ?? 'drop';
  if (overflow !== 'drop' && overflow !== 'wait') {
    throw new TypeError(`serve: overflow must be 'drop' or 'wait', not ${shownValue(overflow)}`);
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
          throw new TypeError(
            `serve: the handler returned ${nameOf(op)}, no Op: is it a generator function (function*)?`,
          );
        yield* op;
        yield* connection.finish();
      } catch (error) {
        if (isKilled(error)) throw error;
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
      if (isKilled(error) && this.#active > 0) yield* shield(this.#graceMs, this.#idle.wait());
      throw error;
    }
  }

  #begin(s: Scope, socket: Socket): void {
    this.#active += 1;
    this.#listener.stats.active += 1;
    this.#idle.clear();
    if (this.#active >= this.#most) this.#room.clear();
    const connection = new Connection(socket, () => this.#ended());
    // A handler that is killed before it has run never enters its own finally.
    s.spawn(this.#handle, connection).link(() => connection.ended());
  }

  #drop(socket: Socket): void {
    const { stats } = this.#listener;
    stats.accepted -= 1;
    stats.dropped += 1;
    socket.close();
  }

  #ended(): void {
    this.#active -= 1;
    this.#listener.stats.active -= 1;
    this.#room.set();
    if (this.#active === 0) this.#idle.set();
  }

  #failed(error: unknown): void {
    this.#listener.stats.handlerErrors += 1;
    if (error instanceof ConnectionResetError) return;
    const me = kernel.current;
    me.scope.scheduler.report(error, me);
  }
}

/** One connection that is being served. */
class Connection {
  readonly socket: Socket;
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

  ended(): void {
    if (this.#over) return;
    this.#over = true;
    this.socket.close();
    this.#whenEnded();
  }
}
