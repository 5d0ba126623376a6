// stream-server.ts: a server as an object: started, asked, and stopped in stages by whoever holds it.
//
// It is serve() (serving.ts) in a greenlet of its own, with the listener that belongs to it. Stopping goes through stages, each of which can be the
// last: nothing more is accepted; handlers that only wait for their peer are killed, the others finish within their grace; what is left is killed; the
// connections of those that do not even end then are closed. A server runs once: what was stopped is not started again.
//
// Invariants, between any two steps:
//   state 'serving'              implies  the listener is open and the greenlet alive
//   state 'stopping', 'stopped'  implies  the listener is closed
//   state 'stopped'              implies  no handler is left, but for one that stop() has given up and that `stats.active` still counts
// Sources: gevent's StreamServer and BaseServer (names, stages, the delay after EMFILE), Go's http.Server.Shutdown (what is idle goes at once).

/// <reference lib="esnext.disposable" preserve="true" />

import { typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import { UsageError } from '../core/errors.ts';
import { kernel } from '../core/kernel.ts';
import { nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import { Pool } from '../core/pool.ts';
import { timeout } from '../core/timeout.ts';
import { type Address, checkEndpoint, checkOptions, type Endpoint, own, ownCount, ownMs, ownText } from './address.ts';
import { Listener, type ListenerStats, type ListenOptions, listen, nothingCounted } from './listen.ts';
import { ServerEvents } from './server-events.ts';
import { ServerLife, type ServerState } from './server-life.ts';
import { type Handler, Serving, type ServingSettings } from './serving.ts';

const GRACE_MS = 10_000;
/** Longer than the default grace of a shield: a cleanup in one has its time. */
const KILL_MS = 6_000;

export interface StreamServerOptions extends ListenOptions {
  /** What it is called in messages and reports; by its address if not given. */
  readonly name?: string | undefined;
  /** The most handlers at a time before nothing more is accepted, so that clients wait: Infinity by default. */
  readonly size?: number | undefined;
  /** Where handlers take a place as well, shared with others: while it is full, nothing more is accepted. */
  readonly pool?: Pool | undefined;
  /** The most handlers at a time before connections are closed and counted as dropped. By default as many as leave 256 descriptors for the rest. */
  readonly maxConnections?: number | undefined;
  /** How long handlers that are at work may go on when it is stopped: 10,000 ms by default. */
  readonly graceMs?: number | undefined;
}

export interface StopOptions {
  /** How long handlers that are at work may go on: the server's own `graceMs` by default. */
  readonly graceMs?: number | undefined;
  /** How long they may take to end when they are killed: 6,000 ms by default. Then their connections are closed and stop returns. */
  readonly killMs?: number | undefined;
}

/** What can be listened for with `on`. */
export interface StreamServerListeners {
  /** A connection was closed unserved, because of `maxConnections`. */
  drop(peer: Address): void;
  /** No descriptor is left; nothing is accepted for so long. */
  overload(pauseMs: number): void;
}

export type StreamServerState = ServerState;

/** A server for TCP or a Unix socket that runs a handler in a greenlet of its own for each connection. */
export class StreamServer {
  readonly #target: Endpoint | Listener;
  readonly #handler: Handler;
  readonly #options: StreamServerOptions;
  readonly #settings: ServingSettings;
  readonly #name: string | undefined;
  readonly #events: ServerEvents<StreamServerListeners>;
  readonly #life: ServerLife<Listener>;
  #serving: Serving | undefined = undefined;

  /**
   * Make a server of `handler` for an address, or for a listener that is open already and belongs to the server from then on. Never switches; nothing is
   * opened before start().
   *
   * @throws TypeError or RangeError for bad arguments, as `listen` and `serve`.
   */
  constructor(target: Endpoint | Listener, handler: Handler, options?: StreamServerOptions) {
    const where = 'StreamServer';
    if (typeof handler !== 'function')
      throw typeError(`${where} takes a generator function as its handler, not ${nameOf(handler)}`);
    const given = checkOptions(options, where);
    this.#target = target;
    this.#life = new ServerLife(target instanceof Listener ? target : undefined);
    if (!(target instanceof Listener)) {
      checkEndpoint(target, where);
      listen(target, options); // it checks the options, and opens nothing before it is started
    }
    this.#handler = handler;
    this.#options = given;
    this.#name = ownText(given, 'name', where);
    this.#events = new ServerEvents(['drop', 'overload'], where);
    const pool = own<unknown>(given, 'pool');
    if (pool !== undefined && !(pool instanceof Pool))
      throw typeError(`${where}: pool must be a Pool, not ${nameOf(pool)}`);
    const most = ownCount(given, 'maxConnections', Number.NaN, 1, where);
    this.#settings = {
      where,
      size: ownCount(given, 'size', Number.POSITIVE_INFINITY, 1, where),
      most: Number.isNaN(most) ? undefined : most,
      pool,
      graceMs: ownMs(given, 'graceMs', GRACE_MS, where),
      onDrop: (peer) => this.#events.emit('drop', peer),
      onOverload: (pauseMs) => this.#events.emit('overload', pauseMs),
    };
  }

  get state(): StreamServerState {
    return this.#life.state;
  }

  /** True from stop() on, and when its listener was closed by somebody else. */
  get closed(): boolean {
    return this.#life.closed;
  }

  /** Where it listens; `port` is the real one. Valid also after stop(). @throws UsageError before start(). */
  get address(): Address {
    const { handle } = this.#life;
    if (handle === undefined)
      throw new UsageError(`address of ${this.toString()}, which is not listening yet: yield* server.start() first`);
    return handle.address;
  }

  /** What it has counted until now; a copy. */
  get stats(): Readonly<ListenerStats> {
    const { handle } = this.#life;
    return handle === undefined ? nothingCounted() : { ...handle.stats };
  }

  /** Have `listener` called on `drop` or `overload`, at the end of the turn. Returns a function that unlinks it. @throws TypeError for anything else. */
  on<K extends keyof StreamServerListeners>(event: K, listener: StreamServerListeners[K]): () => void {
    return this.#events.on(event, listener);
  }

  /**
   * Listen, and serve in a greenlet of its own from now on. Does nothing if it serves already.
   *
   * Switches. If it throws, nothing is open, and it can be tried again.
   *
   * @throws ListenError as `listen`. @throws ServerClosedError if it was stopped, or its listener closed. @throws Killed if the greenlet is killed while it waits.
   */
  start(): Op<void> {
    return composite(() => this.#start());
  }

  #start(): Op<void> {
    return this.#life.start({
      server: this,
      open: () => listen(this.#target as Endpoint, this.#options),
      serve: (listener) => {
        const serving = new Serving(listener, this.#handler, this.#settings);
        this.#serving = serving;
        this.#events.begin(kernel.current.scope.scheduler);
        return () => serving.run();
      },
    });
  }

  /**
   * Start if it has not, and wait until it is stopped: by stop(), or because its listener was closed and the last handler has ended.
   *
   * Switches. Killed while it waits it stops the server first, with its own grace.
   *
   * @throws as `start`. @throws Killed if the greenlet is killed: the server has stopped then.
   */
  serveForever(): Op<void> {
    return composite(() => this.#serveForever());
  }

  *#serveForever(): Generator<Trap, void, Resume> {
    yield* this.#start();
    yield* this.#life.untilEnded((reason) => this.#stop(this.#settings.graceMs, KILL_MS, reason));
  }

  /**
   * Stop: accept nothing more; kill handlers that only wait for their peer, and let the others finish within `graceMs`; kill what is left; after `killMs`
   * close the connections of those that have not ended. Does nothing if it has stopped.
   *
   * Switches as long as handlers are alive. If it is killed while it waits, what is left is killed and every connection closed, at once.
   *
   * @throws TypeError, at the call, for bad options. @throws Killed if the greenlet is killed while it waits.
   */
  stop(options?: StopOptions): Op<void> {
    const where = 'stop';
    const given = checkOptions(options, where);
    const graceMs = ownMs(given, 'graceMs', this.#settings.graceMs, where);
    const killMs = ownMs(given, 'killMs', KILL_MS, where);
    return composite(() => this.#stop(graceMs, killMs, 'the server is stopped'));
  }

  /** `using`: stop without any grace, at the end of the block, and wait for nobody. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Stop at once: accept nothing more, kill all handlers and close their connections. Never switches; idempotent. */
  close(): void {
    this.#stopAccepting();
    this.#killAll('the server is closed');
    this.#serving?.destroy('the server is closed');
  }

  *#stop(graceMs: number, killMs: number, reason: unknown): Generator<Trap, void, Resume> {
    this.#stopAccepting();
    if (this.#serving === undefined || this.#life.ended.isSet) return;
    try {
      if (graceMs > 0) yield* timeout(graceMs, this.#drain(reason), { else: undefined });
      this.#killAll(reason);
      yield* timeout(killMs, this.#life.ended.wait(), { else: undefined });
    } catch (error) {
      this.#killAll(reason);
      throw error;
    } finally {
      this.#serving.destroy(reason);
    }
  }

  /** Wait for the handlers, and then for the greenlet that they are in. */
  *#drain(reason: unknown): Generator<Trap, void, Resume> {
    yield* (this.#serving as Serving).drain(reason);
    yield* this.#life.ended.wait();
  }

  #stopAccepting(): void {
    this.#life.handle?.close();
    this.#life.stopping();
  }

  #killAll(reason: unknown): void {
    this.#serving?.noGrace();
    this.#life.greenlet?.kill(reason);
  }

  /** `server NAME` or `server 127.0.0.1:80`. */
  toString(): string {
    if (this.#name !== undefined) return `server ${this.#name}`;
    const { handle } = this.#life;
    return handle === undefined ? 'server, not listening' : `server ${handle.address}`;
  }
}
