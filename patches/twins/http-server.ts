// http-server.ts: the Server of `tendril/patches/http`: node:http's, with a generator function for each request.
//
// Node's own server is under it, with all its options and limits. Each request runs the handler in a greenlet of the server's own: when the client leaves before it
// has its answer, that greenlet is killed. A handler that throws is answered 500, or cut if its answer has begun, and the error goes to the hub's `error` event.
// One that returns without an answer is one that threw. (An http server with limits and a graceful stop of its own, not Node's: http.serve of `tendril`.)
//
// close() is Node's. When the server's own greenlet is killed (main() ends, say), it accepts nothing more, requests under way get a grace, and what is left is
// killed and cut.
//
// Invariants, between any two steps:
//   state 'listening', 'closing'  implies  the greenlet is alive
//   an exchange is in #exchanges  if and only if  its handler is alive
// Source: node:http; gevent's pywsgi.

/// <reference lib="esnext.disposable" preserve="true" />

import http, {
  type IncomingMessage as NodeIncoming,
  type ServerResponse as NodeResponse,
  type Server as NodeServer,
  type ServerOptions as NodeServerOptions,
} from 'node:http';
import type { AddressInfo, ListenOptions } from 'node:net';
import { typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import { isKilled } from '../../core/errors.ts';
import { Event } from '../../core/event.ts';
import { Greenlet } from '../../core/greenlet.ts';
import { kernel } from '../../core/kernel.ts';
import type { Op } from '../../core/op.ts';
import type { Scheduler } from '../../core/scheduler.ts';
import { type Scope, scope } from '../../core/scope.ts';
import { shield } from '../../core/shield.ts';
import { checkOptions, checkPort, own } from '../../io/address.ts';
import { callback } from '../../io/callback.ts';
import { ServerClosedError } from '../../io/errors.ts';
import { Exchange, type RequestHandler } from './http-exchange.ts';
import { ListenWait } from './http-listen.ts';
import { Happening } from './net-happening.ts';
import { alreadyListens, notRunning, serverArguments } from './net-server.ts';

// Taken at load: patches never reach us.
const { createServer: nodeCreateServer } = http;

/** How long requests under way may go on when the server's greenlet is killed. */
const GRACE_MS = 10_000;

/** The options of Node's createServer(), but for the classes of its messages. */
export type ServerOptions = Omit<NodeServerOptions, 'IncomingMessage' | 'ServerResponse'>;

/** A server. `createServer` makes them. */
export class Server {
  readonly #node: NodeServer;
  readonly #handler: RequestHandler;
  readonly #exchanges: Set<Exchange> = new Set();
  /** Up while no handler is alive. */
  readonly #idle: Event = new Event({ name: 'end of the handlers' });
  /** Up unless Node is still about to listen. */
  readonly #settled: Event = new Event({ name: 'start of an http server' });
  /** Requests that came before the greenlet had begun. */
  #early: [NodeIncoming, NodeResponse][] = [];
  #state: 'new' | 'starting' | 'listening' | 'closing' = 'new';
  #scope: Scope | undefined = undefined;
  #scheduler: Scheduler | undefined = undefined;
  #greenlet: Greenlet<void> | undefined = undefined;
  /** Node's 'close', of this time that it listens. */
  #closed: Happening<void> = new Happening('close', 'an http server');

  /** As createServer. */
  constructor(handler: RequestHandler);
  constructor(options: ServerOptions | undefined, handler: RequestHandler);
  constructor(...args: readonly unknown[]) {
    const { options, handler } = serverArguments<RequestHandler>(args, 'createServer');
    const given = checkOptions(options, 'createServer');
    for (const name of ['IncomingMessage', 'ServerResponse']) {
      if (own(given, name) !== undefined)
        throw typeError(
          `createServer: the option ${name} is not supported: the handler gets classes of this module`,
          'ERR_INVALID_ARG_VALUE',
        );
    }
    this.#handler = handler;
    this.#idle.set();
    this.#settled.set();
    this.#node = nodeCreateServer({ ...given });
    this.#node.on('request', (req, res) => this.#requested(req, res));
    // One that is told while the server starts again is of the time before.
    this.#node.on('close', () => {
      if (this.#state === 'listening' || this.#state === 'closing') this.#closed.set();
    });
  }

  get listening(): boolean {
    return this.#node.listening;
  }
  /** Where it listens: with the real port, or the path of a Unix socket; null if it does not. */
  address(): AddressInfo | string | null {
    return this.#node.address();
  }
  /** How many connections are open. Switches. */
  getConnections(): Op<number> {
    return callback<number>((done) => this.#node.getConnections(done as (error: Error | null, count: number) => void));
  }

  /** The most connections at a time; those beyond it are closed at once. */
  get maxConnections(): number | undefined {
    return this.#node.maxConnections;
  }
  set maxConnections(most: number | undefined) {
    this.#node.maxConnections = most as number;
  }
  /** Node's limits of fields and requests, and of time, in ms; 0 for none. */
  get maxHeadersCount(): number | null {
    return this.#node.maxHeadersCount;
  }
  set maxHeadersCount(most: number | null) {
    this.#node.maxHeadersCount = most;
  }
  get maxRequestsPerSocket(): number | null {
    return this.#node.maxRequestsPerSocket;
  }
  set maxRequestsPerSocket(most: number | null) {
    this.#node.maxRequestsPerSocket = most;
  }
  get timeout(): number {
    return this.#node.timeout;
  }
  set timeout(ms: number) {
    this.#node.timeout = ms;
  }
  get keepAliveTimeout(): number {
    return this.#node.keepAliveTimeout;
  }
  set keepAliveTimeout(ms: number) {
    this.#node.keepAliveTimeout = ms;
  }
  get headersTimeout(): number {
    return this.#node.headersTimeout;
  }
  set headersTimeout(ms: number) {
    this.#node.headersTimeout = ms;
  }
  get requestTimeout(): number {
    return this.#node.requestTimeout;
  }
  set requestTimeout(ms: number) {
    this.#node.requestTimeout = ms;
  }
  /** Close connections that are silent for `ms`; 0 for never. Never switches. Returns this server. */
  setTimeout(ms?: number): this {
    this.#node.setTimeout(ms);
    return this;
  }

  /**
   * Listen, and serve from now on, with the arguments of Node's listen(). Returns this server.
   *
   * Switches. If it throws, nothing is open, and it can be tried again.
   *
   * @throws RangeError or TypeError, at the call, for a bad port, or a callback. @throws Node's error (EADDRINUSE, EACCES, ...) if it cannot.
   * @throws UsageError (ERR_SERVER_ALREADY_LISTEN) if it listens. @throws ServerClosedError if it is closed meanwhile. @throws Killed.
   * @see https://nodejs.org/api/http.html#serverlisten
   */
  listen(options: ListenOptions): Op<this>;
  listen(port?: number | string, host?: string, backlog?: number): Op<this>;
  listen(port: number | string, backlog: number): Op<this>;
  listen(path: string, backlog?: number): Op<this>;
  listen(...args: readonly unknown[]): Op<this> {
    if (args.some((arg) => typeof arg === 'function'))
      throw typeError('listen takes no callback: it is an Op, so yield* it and go on');
    const [first] = args;
    const port = typeof first === 'object' && first !== null ? own<unknown>(first, 'port') : first;
    if (typeof port === 'number') checkPort(port, 'listen');
    return composite(() => this.#listen(args));
  }

  *#listen(args: readonly unknown[]): Op<this> {
    if (this.#state !== 'new') throw alreadyListens();
    this.#state = 'starting';
    try {
      // A listen that was killed is still on its way in Node.
      yield* this.#settled.wait();
      this.#closed = new Happening('close', 'an http server');
      yield* new ListenWait(this.#node, args, this.#settled);
      if ((this.#state as string) !== 'starting')
        throw new ServerClosedError('listen of a server that was closed meanwhile');
      this.#serve();
      return this;
    } finally {
      if (this.#greenlet === undefined) {
        if (this.#settled.isSet && this.#node.listening) this.#node.close();
        this.#state = 'new';
        this.#closed.set();
      }
    }
  }

  #serve(): void {
    this.#state = 'listening';
    this.#scheduler = kernel.current.scope.scheduler;
    const greenlet = new Greenlet(() => this.#run());
    greenlet.rare().name = String(this);
    this.#greenlet = greenlet;
    greenlet.link(() => {
      // Killed before its first step it never came to close it.
      this.#cutAll();
      this.#greenlet = undefined;
      this.#state = 'new';
      this.#closed.set();
    });
    greenlet.start();
  }

  *#run(): Op<void> {
    const server = this;
    try {
      yield* scope(function* (s) {
        yield* server.#serving(s);
      });
    } finally {
      this.#scope = undefined;
      this.#cutAll();
    }
  }

  *#serving(s: Scope): Op<void> {
    this.#scope = s;
    for (const [req, res] of this.#early.splice(0)) this.#requested(req, res);
    try {
      yield* this.#closed.wait();
    } catch (error) {
      if (!isKilled(error)) throw error;
      this.#stopAccepting();
      this.#node.closeIdleConnections();
      if (!this.#idle.isSet) yield* shield(GRACE_MS, this.#idle.wait());
      throw error;
    }
  }

  #requested(req: NodeIncoming, res: NodeResponse): void {
    if (this.#scope === undefined || this.#scheduler === undefined) {
      if (this.#state === 'closing') res.destroy();
      else this.#early.push([req, res]);
      return;
    }
    const exchange = new Exchange(this.#handler, req, res);
    this.#exchanges.add(exchange);
    this.#idle.clear();
    // Node calls us outside any turn: what is spawned belongs to the world of this server.
    const outer = kernel.scheduler;
    kernel.scheduler = this.#scheduler;
    try {
      exchange.start(this.#scope, () => {
        this.#exchanges.delete(exchange);
        if (this.#exchanges.size === 0) this.#idle.set();
      });
    } finally {
      kernel.scheduler = outer;
    }
  }

  #stopAccepting(): void {
    this.#state = 'closing';
    if (this.#node.listening) this.#node.close();
  }

  #cutAll(): void {
    this.#stopAccepting();
    for (const [, res] of this.#early.splice(0)) res.destroy();
    this.#node.closeAllConnections();
  }

  /**
   * Accept nothing more, close idle connections, and wait until the others have ended.
   *
   * Switches while a connection is open. If it is killed while it waits, the server goes on closing. In a handler of its own it would wait for itself.
   *
   * @throws UsageError (ERR_SERVER_NOT_RUNNING) if it does not listen. @throws Killed.
   */
  close(): Op<void> {
    return composite(() => this.#close());
  }

  *#close(): Op<void> {
    if (this.#state === 'new') throw notRunning();
    this.#stopAccepting();
    yield* this.untilClosed();
  }

  /** Wait until it has closed and no handler is alive: Node's 'close'. Switches until then. @throws Killed. */
  untilClosed(): Op<void> {
    const server = this;
    return composite(function* () {
      const greenlet = server.#greenlet;
      if (greenlet !== undefined) yield* greenlet.join();
      else if (server.#state !== 'new') yield* server.#closed.wait();
    });
  }

  /** Cut every connection, those with a request under way too: their handlers are killed. Never switches. */
  closeAllConnections(): void {
    this.#node.closeAllConnections();
  }
  /** Close the connections that wait for a request. Never switches. */
  closeIdleConnections(): void {
    this.#node.closeIdleConnections();
  }

  /** `using`: stop at once: accept nothing more, cut every connection, kill the handlers. Never switches; idempotent. */
  [Symbol.dispose](): void {
    if (this.#state === 'new') return;
    this.#cutAll();
    for (const exchange of [...this.#exchanges]) exchange.kill('the server is stopped');
    this.#greenlet?.kill('the server is stopped');
  }

  /** `http server 127.0.0.1:80`. */
  toString(): string {
    const address = this.#node.address();
    if (address === null) return 'http server, not listening';
    return `http server ${typeof address === 'string' ? address : `${address.address}:${address.port}`}`;
  }
}

/**
 * Make a server that runs `handler(req, res)` in a greenlet of its own for each request. Never switches; nothing is opened before listen().
 *
 * The handler answers by `yield* res.end(...)`. It is killed if the client leaves before. What it throws goes to the hub's `error` event, and the client gets 500.
 *
 * @throws TypeError if there is no handler, and for an option that cannot be honoured. Else as Node.
 * @see https://nodejs.org/api/http.html#httpcreateserveroptions-requestlistener
 */
export function createServer(handler: RequestHandler): Server;
export function createServer(options: ServerOptions | undefined, handler: RequestHandler): Server;
export function createServer(...args: readonly unknown[]): Server {
  const { options, handler } = serverArguments<RequestHandler>(args, 'createServer');
  return new Server(options as ServerOptions | undefined, handler);
}
