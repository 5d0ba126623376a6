// http-server.ts: `http.serve(target, handler)`: HTTP/1.1 in sequential style: one generator function per request.
//
// node:http parses and formats, and is given our own connections: so limits, drops, TLS and a simulated network are those of our listeners. serve() accepts and
// counts; http-server-connection.ts has the life of a connection, http-server-exchange.ts that of a request.
//
// An HttpServer is an Op: `yield*` runs it until it is stopped. How it stops: by stop(), by a kill of the greenlet that runs it, or because somebody closes its
// listener. Each time idle connections are closed at once, requests under way get a grace and `connection: close`, and then they are killed.
//
// Invariants:
//   it is closed     implies  no connection is open, no handler runs
//   it runs once
// Sources: Go's http.Server.Shutdown, gevent's pywsgi; F70 to F80 of the list of faults.

import {
  createServer,
  type ServerResponse as NodeResponse,
  type Server as NodeServer,
  type ServerOptions,
} from 'node:http';
import { AsyncResult } from '../core/async-result.ts';
import { typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import { ClosedError, isKilled, OpReusedError } from '../core/errors.ts';
import { Event } from '../core/event.ts';
import { nameOf, type Op, type Resume, type Trap, type Waitable } from '../core/op.ts';
import { type Scope, scope } from '../core/scope.ts';
import { shield } from '../core/shield.ts';
import { timeout } from '../core/timeout.ts';
import { created } from '../core/unstarted.ts';
import { type Address, type CheckedEndpoint, checkEndpoint, checkOptions, type Endpoint, ownMs } from './address.ts';
import type { Answer } from './http-server-answer.ts';
import { type ConnectionServer, HttpConnection } from './http-server-connection.ts';
import { type HttpServerStats, nothingCounted, type ServerCounts } from './http-server-counts.ts';
import type { Exchange } from './http-server-exchange.ts';
import { mayUpgrade, refusalText } from './http-server-refusal.ts';
import type { ServerRequest } from './http-server-request.ts';
import type { ServerResponse } from './http-server-response.ts';
import { type HttpServeOptions, type ServerSettings, serverSettings } from './http-server-settings.ts';
import type { SocketStream } from './http-server-stream.ts';
import { Listener, listen } from './listen.ts';
import { serve as serveConnections } from './serve.ts';
import type { Socket } from './socket.ts';
import { listenTls } from './tls-listen.ts';

/** What a handler of http.serve returns: an answer, its text or bytes, or nothing if it has written to the response. */
export type HandlerResult = Answer | string | Uint8Array | undefined;
/** Answers one request. */
export type HttpHandler = (request: ServerRequest, response: ServerResponse) => Op<HandlerResult> | Op<void>;

export class HttpServer implements Op<void>, ConnectionServer {
  readonly settings: ServerSettings;
  /** @internal */
  readonly counts: ServerCounts = nothingCounted();
  readonly #target: Listener | CheckedEndpoint;
  readonly #handler: HttpHandler;
  readonly #connections: Set<HttpConnection> = new Set();
  readonly #node: NodeServer;
  readonly #ready: AsyncResult<Address> = new AsyncResult({ name: 'http server' });
  readonly #ended: Event = new Event({ name: 'end of an http server' });
  /** Up while there is no connection. */
  readonly #empty: Event = new Event({ name: 'end of the connections' });
  readonly #stop: Event = new Event({ name: 'stop of an http server' });
  #listener: Listener | undefined = undefined;
  #state: 'new' | 'running' | 'stopping' | 'closed' = 'new';
  #graceMs: number;

  /** @internal: serve() makes servers. */
  constructor(target: Listener | CheckedEndpoint, handler: HttpHandler, settings: ServerSettings) {
    this.#target = target;
    this.#handler = handler;
    this.settings = settings;
    this.#graceMs = settings.graceMs;
    this.#empty.set();
    this.#node = parserFor(settings);
    if (target instanceof Listener) this.#opened(target);
  }

  /** Where it listens; undefined before `ready()`. */
  get address(): Address | undefined {
    return this.#listener?.address;
  }

  /** Has it ended? */
  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** The counters at this moment. */
  get stats(): HttpServerStats {
    const { accepted = 0, dropped = 0 } = this.#listener?.stats ?? {};
    return { connections: this.#connections.size, accepted, dropped, ...this.counts };
  }

  /** @internal */
  get stopping(): boolean {
    return this.#state === 'stopping' || this.#state === 'closed';
  }

  /**
   * Wait until it listens, and return where. Somebody has to run it: `spawn(() => server)`.
   *
   * Switches. @throws ListenError if it cannot. @throws ClosedError if it was stopped before. @throws Killed if the greenlet is killed while it waits.
   */
  ready(): Waitable<Address> {
    return this.#ready.get();
  }

  /**
   * Stop: listen no more, close idle connections at once, let requests under way finish for `graceMs` (10,000 ms if the server was not told otherwise), then
   * kill their handlers and close.
   *
   * Switches until all of that is done. In a handler of this server it would wait for itself. If it is killed the server goes on stopping. Idempotent.
   *
   * @throws TypeError for a bad `graceMs`.
   */
  stop(options?: { readonly graceMs?: number | undefined }): Op<void> {
    const graceMs = ownMs(checkOptions(options, 'stop'), 'graceMs', this.settings.graceMs, 'stop');
    return composite(() => this.#stopping(graceMs));
  }

  *#stopping(graceMs: number): Generator<Trap, void, Resume> {
    if (this.#state === 'new') {
      this.#listener?.close();
      this.#end(undefined);
    }
    this.#graceMs = graceMs;
    this.#stop.set();
    yield* timeout(graceMs, this.#ended.wait(), { else: undefined });
    // It was stopping already, and would have waited for longer.
    this.#empty.set();
    yield* this.#ended.wait();
  }

  /** Run: listen if need be, and serve until it is stopped. */
  *[Symbol.iterator](): Generator<Trap, void, Resume> {
    if (this.#state === 'closed') return;
    if (this.#state !== 'new') throw new OpReusedError('an http server');
    this.#state = 'running';
    let failure: unknown;
    try {
      if (this.#listener === undefined) this.#opened(yield* this.#listen(this.#target as CheckedEndpoint));
      const server = this;
      const listener = this.#listener as Listener;
      yield* scope(function* (s): Op<void> {
        yield* server.#serve(s, listener);
      });
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      this.#listener?.close();
      this.#end(failure);
    }
  }

  *#listen(endpoint: CheckedEndpoint): Generator<Trap, Listener, Resume> {
    if (this.settings.tls !== undefined) return yield* listenTls(endpoint as Endpoint, this.settings.tls);
    return yield* listen(endpoint as Endpoint);
  }

  *#serve(s: Scope, listener: Listener): Generator<Trap, void, Resume> {
    const accepting = s.spawn(
      serveConnections,
      listener,
      (socket: Socket) => new HttpConnection(this, socket).run(),
      this.settings.serve,
    );
    accepting.link(() => this.#stop.set());
    listener.onClose = () => this.#stop.set();
    let grace = Number.POSITIVE_INFINITY;
    try {
      yield* this.#stop.wait();
      // Somebody has closed the listener: what is under way may take its time. By stop() it is told how long.
      grace = listener.closed ? grace : this.#graceMs;
    } catch (error) {
      if (!isKilled(error)) throw error;
      this.#drain(listener);
      if (!this.#empty.isSet) yield* shield(this.#graceMs, this.#empty.wait());
      throw error;
    }
    this.#drain(listener);
    yield* timeout(grace, this.#empty.wait(), { else: undefined });
    s.killChildren('the server stops');
  }

  #drain(listener: Listener): void {
    this.#state = 'stopping';
    listener.close();
    for (const connection of [...this.#connections]) connection.drain();
  }

  #opened(listener: Listener): void {
    this.#listener = listener;
    if (!this.#ready.ready) this.#ready.set(listener.address);
  }

  #end(failure: unknown): void {
    this.#state = 'closed';
    if (!this.#ready.ready)
      this.#ready.setError(
        isKilled(failure) || failure === undefined
          ? new ClosedError('the http server has ended before it was ready')
          : failure,
      );
    this.#ended.set();
  }

  // ---- for connections

  /** @internal */
  handle(exchange: Exchange): Op<unknown> {
    return this.#handler(exchange.request, exchange.response);
  }

  /** @internal */
  parse(stream: SocketStream): void {
    this.#node.emit('connection', stream);
  }

  /** @internal */
  opened(connection: HttpConnection): void {
    this.#connections.add(connection);
    this.#empty.clear();
    if (this.stopping) connection.drain();
  }

  /** @internal */
  ended(connection: HttpConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#empty.set();
  }

  toString(): string {
    return `http server ${this.address ?? 'that does not listen yet'}`;
  }
}

const connectionOf = (stream: unknown): HttpConnection => (stream as SocketStream).owner as HttpConnection;

/** A server of Node's that listens nowhere, and keeps no time. */
function parserFor(settings: ServerSettings): NodeServer {
  const node = createServer({
    maxHeaderSize: settings.maxHeaderBytes,
    keepAliveTimeout: Number.isFinite(settings.keepAliveMs) ? settings.keepAliveMs : 0,
    headersTimeout: 0,
    requestTimeout: 0,
    insecureHTTPParser: false,
    // Older versions of Node do not ask: see HttpConnection.upgradeAsked.
    shouldUpgradeCallback: mayUpgrade,
  } as ServerOptions);
  node.timeout = 0;
  // Beyond its own limit Node drops fields in silence: ours are counted.
  node.maxHeadersCount = 0;
  const refuse = (status: number, raw: NodeResponse): void => {
    raw.writeHead(status, { connection: 'close', 'content-length': 0 }).end();
  };
  node.on('request', (message, raw) => connectionOf(message.socket).requested(message, raw, 'plain'));
  node.on('checkContinue', (message, raw) => connectionOf(message.socket).requested(message, raw, 'continue'));
  node.on('checkExpectation', (_message, raw) => refuse(417, raw));
  node.on('upgrade', (message, stream, head) => connectionOf(stream).upgradeAsked(message, head));
  node.on('connect', (_message, stream) => {
    stream.end(refusalText(405));
  });
  node.on('clientError', (error, stream) => connectionOf(stream).broken(error));
  return node;
}

/**
 * Serve HTTP on an address, or on a listener: `handler(request, response)` runs in a greenlet of its own for each request, and returns its answer.
 *
 * Returns a server that has not started: `yield*` it, or spawn it; it runs until it is stopped. Its greenlet's kill stops it with its grace. An error of a
 * handler is answered 500 and goes to the hub's `error` event.
 *
 * Its Op @throws ListenError if it cannot listen. @throws Killed if the greenlet is killed, after the grace. This call
 * @throws TypeError or RangeError for bad arguments.
 */
export function serve(target: Listener | Endpoint, handler: HttpHandler, options?: HttpServeOptions): HttpServer {
  const where = 'http.serve';
  const checked = target instanceof Listener ? target : checkEndpoint(target, where);
  if (typeof handler !== 'function')
    throw typeError(`${where} takes a generator function as its handler, not ${nameOf(handler)}`);
  const settings = serverSettings(options);
  if (settings.tls !== undefined && checked instanceof Listener)
    throw typeError(`${where}: tls is for an address; a listener of listenTls speaks TLS already`);
  return created(new HttpServer(checked, handler, settings));
}
