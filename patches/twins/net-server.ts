// net-server.ts: the Server of `tendril/patches/net`: node:net's, with a generator function for each connection.
//
// Each connection runs the handler in a greenlet of the server's own; when that ends, what it wrote is sent and the connection is closed. Whatever it does touches
// no other connection: io/serving.ts does all that. A server may listen again after it was closed, as in Node.
//
// close() is Node's: nothing more is accepted, and it waits until the last handler has ended. When the server's greenlet is killed (main() ends, say) the handlers
// get a grace, and their connections are closed after it.
//
// Invariants, between any two steps:
//   state 'listening', 'closing'  implies  the greenlet is alive
//   state 'listening'             implies  the listener is open, unless somebody has killed the greenlet
// Source: node:net.

/// <reference lib="esnext.disposable" preserve="true" />

import type { AddressInfo } from 'node:net';
import { typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import { UsageError } from '../../core/errors.ts';
import { Event } from '../../core/event.ts';
import { Greenlet } from '../../core/greenlet.ts';
import { isOp, nameOf, type Op, type Waitable } from '../../core/op.ts';
import { ServerClosedError } from '../../io/errors.ts';
import { type Listener, type ListenOptions, listen } from '../../io/listen.ts';
import { Serving } from '../../io/serving.ts';
import type { Socket as OurSocket } from '../../io/socket.ts';
import { listenArguments, type NetListenOptions, type ServerOptions, serverOptions } from './net-arguments.ts';
import { infoOf, Socket } from './net-socket.ts';

/** How long handlers that are at work may go on when the server's greenlet is killed. */
const GRACE_MS = 10_000;

/** Serves one connection: a generator function. */
export type ConnectionHandler = (socket: Socket) => Op<unknown>;

/** What Node says of a server that is used in the wrong state: ERR_SERVER_NOT_RUNNING, ERR_SERVER_ALREADY_LISTEN. */
class ServerStateError extends UsageError {
  override readonly code: string;
  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** The error of a close() on a server that does not listen. @internal */
export function notRunning(): UsageError {
  return new ServerStateError('close of a server that is not running', 'ERR_SERVER_NOT_RUNNING');
}

/** The error of a second listen(). @internal */
export function alreadyListens(): UsageError {
  return new ServerStateError('listen of a server that listens already', 'ERR_SERVER_ALREADY_LISTEN');
}

/** The options and the handler of createServer, whichever of them is given first. @internal */
export function serverArguments<H>(args: readonly unknown[], where: string): { options: unknown; handler: H } {
  const [options, handler] = typeof args[0] === 'function' ? [undefined, args[0]] : [args[0], args[1]];
  if (typeof handler !== 'function')
    throw typeError(`${where} takes a generator function as its handler, not ${nameOf(handler)}`);
  return { options, handler: handler as H };
}

/** A server for TCP or a Unix socket. `createServer` makes them. */
export class Server {
  readonly #handler: ConnectionHandler;
  readonly #options: { readonly listener: ListenOptions; readonly allowHalfOpen: boolean };
  #state: 'new' | 'starting' | 'listening' | 'closing' = 'new';
  #listener: Listener | undefined = undefined;
  #greenlet: Greenlet<void> | undefined = undefined;
  #serving: Serving | undefined = undefined;
  #connections = 0;
  /** Up while nothing serves. */
  readonly #closed: Event = new Event({ name: 'end of a server' });
  /** The most connections at a time; those beyond it are closed at once. No limit of its own by default. */
  maxConnections: number | undefined = undefined;

  /** As createServer. */
  constructor(handler: ConnectionHandler);
  constructor(options: ServerOptions | undefined, handler: ConnectionHandler);
  constructor(...args: readonly unknown[]) {
    const { options, handler } = serverArguments<ConnectionHandler>(args, 'createServer');
    this.#handler = handler;
    this.#options = serverOptions(options, 'createServer');
  }

  /** Does it accept connections? */
  get listening(): boolean {
    return this.#state === 'listening' && this.#listener?.closed === false;
  }

  /** Where it listens: with the real port, or the path of a Unix socket; null if it does not. Never switches. */
  address(): AddressInfo | string | null {
    return this.listening ? infoOf(this.#listener?.address) : null;
  }

  /** How many connections are served now. An Op as it takes a callback in Node; it never switches. */
  getConnections(): Op<number> {
    const server = this;
    return composite(function* () {
      return server.#connections;
    });
  }

  /**
   * Listen, and serve from now on, with the arguments of Node's listen(): (port?, host?, backlog?), (path, backlog?) or (options). Returns this server.
   *
   * Switches. If it throws, nothing is open, and it can be tried again.
   *
   * @throws TypeError or RangeError, at the call, for bad arguments, an option that cannot be honoured, or a callback. @throws ListenError with Node's code
   * (EADDRINUSE, ...). @throws UsageError (ERR_SERVER_ALREADY_LISTEN) if it listens. @throws ServerClosedError if it is closed meanwhile. @throws Killed.
   * @see https://nodejs.org/api/net.html#serverlisten
   */
  listen(options: NetListenOptions): Op<this>;
  listen(port?: number | string, host?: string, backlog?: number): Op<this>;
  listen(port: number | string, backlog: number): Op<this>;
  listen(path: string, backlog?: number): Op<this>;
  listen(...args: readonly unknown[]): Op<this> {
    const { endpoint, options } = listenArguments(args, 'listen');
    const opening = listen(endpoint, { ...this.#options.listener, ...options });
    return composite(() => this.#listen(opening));
  }

  *#listen(opening: Waitable<Listener>): Op<this> {
    if (this.#state !== 'new') throw alreadyListens();
    this.#state = 'starting';
    this.#closed.clear();
    try {
      const listener = yield* opening;
      if ((this.#state as string) !== 'starting') {
        listener.close();
        throw new ServerClosedError('listen of a server that was closed meanwhile');
      }
      this.#serve(listener);
      return this;
    } finally {
      if (this.#greenlet === undefined) {
        this.#state = 'new';
        this.#closed.set();
      }
    }
  }

  #serve(listener: Listener): void {
    this.#state = 'listening';
    this.#listener = listener;
    const serving = new Serving(listener, (socket) => this.#handle(socket), {
      where: 'createServer',
      size: Number.POSITIVE_INFINITY,
      most: undefined,
      graceMs: GRACE_MS,
    });
    this.#serving = serving;
    const greenlet = new Greenlet(() => serving.run());
    greenlet.rare().name = `server ${listener.address}`;
    this.#greenlet = greenlet;
    greenlet.link(() => {
      // Killed before its first step it never came to close it.
      listener.close();
      this.#greenlet = undefined;
      this.#listener = undefined;
      this.#serving = undefined;
      this.#state = 'new';
      this.#closed.set();
    });
    greenlet.start();
  }

  *#handle(socket: OurSocket): Op<void> {
    if (this.#connections >= (this.maxConnections ?? Number.POSITIVE_INFINITY)) {
      socket.close();
      return;
    }
    this.#connections += 1;
    try {
      const op: unknown = this.#handler(Socket.of(socket, this.#options));
      if (!isOp(op))
        throw typeError(
          `createServer: the handler returned ${nameOf(op)}, no Op: is it a generator function (function*)?`,
        );
      yield* op;
    } finally {
      this.#connections -= 1;
    }
  }

  /**
   * Accept nothing more, and wait until the last handler has ended. Those that wait for their peer go on waiting, as in Node.
   *
   * Switches while a handler is alive. If it is killed while it waits, the server goes on closing. In a handler of its own it would wait for itself.
   *
   * @throws UsageError (ERR_SERVER_NOT_RUNNING) if it does not listen. @throws Killed.
   */
  close(): Op<void> {
    return composite(() => this.#close());
  }

  *#close(): Op<void> {
    if (this.#state === 'new') throw notRunning();
    this.#state = 'closing';
    this.#listener?.close();
    yield* this.#closed.wait();
  }

  /** Wait until nothing serves any more: Node's 'close'. Switches while it listens or a handler is alive. @throws Killed. */
  untilClosed(): Op<void> {
    const server = this;
    return composite(function* () {
      if (server.#state !== 'new') yield* server.#closed.wait();
    });
  }

  /** `using`: stop at once: accept nothing more, kill the handlers, which closes their connections. Never switches; idempotent. */
  [Symbol.dispose](): void {
    if (this.#state !== 'new') this.#state = 'closing';
    this.#listener?.close();
    this.#serving?.noGrace();
    // Their connections are closed by their own ends: closed here they would fail before they are killed.
    this.#greenlet?.kill('the server is stopped');
  }

  /** `server 127.0.0.1:80`. */
  toString(): string {
    return this.#listener === undefined ? 'server, not listening' : `server ${this.#listener.address}`;
  }
}

/**
 * Make a server that runs `handler(socket)` in a greenlet of its own for each connection. Never switches; nothing is opened before listen().
 *
 * When the handler returns, what it wrote is sent and the connection closed; when it throws, the connection is closed at once and the error goes to the hub's
 * `error` event, unless its peer has brought it about.
 *
 * @throws TypeError if there is no handler, for an option that cannot be honoured. @see https://nodejs.org/api/net.html#netcreateserver
 */
export function createServer(handler: ConnectionHandler): Server;
export function createServer(options: ServerOptions | undefined, handler: ConnectionHandler): Server;
export function createServer(...args: readonly unknown[]): Server {
  const { options, handler } = serverArguments<ConnectionHandler>(args, 'createServer');
  return new Server(options as ServerOptions | undefined, handler);
}
