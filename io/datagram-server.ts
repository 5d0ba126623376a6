// datagram-server.ts: a server of datagrams as an object: a handler for each one, so many at a time.
//
// Datagrams that come faster than they are handled wait, up to `maxPending`; beyond that the newest is dropped and counted, as the operating system
// does when we are too slow for it. Stopping keeps the socket open until the handlers have ended, because they may still have to answer.
//
// Invariants, between any two steps:
//   #active is the number of handlers that have begun and not ended; at most `size`
//   state 'stopped'  implies  the socket is closed
// Source: gevent's DatagramServer.

/// <reference lib="esnext.disposable" preserve="true" />

import { typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import { ClosedError, isKilled, UsageError } from '../core/errors.ts';
import { Event } from '../core/event.ts';
import { kernel } from '../core/kernel.ts';
import { isOp, nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import { type Scope, scope } from '../core/scope.ts';
import { shield } from '../core/shield.ts';
import { timeout } from '../core/timeout.ts';
import { type Address, checkOptions, ownCount, ownMs, ownText } from './address.ts';
import { type Datagram, DatagramSocket } from './datagram-socket.ts';
import { DatagramError } from './errors.ts';
import { ServerLife, type ServerState } from './server-life.ts';
import type { StopOptions } from './stream-server.ts';
import { type UdpEndpoint, type UdpOptions, udp } from './udp.ts';

const DEFAULT_SIZE = 100;
const GRACE_MS = 10_000;
/** Longer than the default grace of a shield. */
const KILL_MS = 6_000;

export type DatagramHandler = (datagram: Datagram, socket: DatagramSocket) => Op<unknown>;

export interface DatagramServerOptions extends UdpOptions {
  /** What it is called in messages and reports; by its address if not given. */
  readonly name?: string | undefined;
  /** The most handlers at a time: 100 by default. Further datagrams wait, up to `maxPending` (1,024). */
  readonly size?: number | undefined;
  /** How long handlers may go on when it is stopped: 10,000 ms by default. */
  readonly graceMs?: number | undefined;
}

/** What a datagram server has counted. */
export interface DatagramServerStats {
  /** Datagrams that a handler was begun for, those that came when too many waited, and those that were sent. */
  readonly received: number;
  readonly dropped: number;
  readonly sent: number;
  readonly receiveErrors: number;
  /** Handlers that run now, and those that have thrown. */
  readonly active: number;
  readonly handlerErrors: number;
}

/** A server that runs a handler in a greenlet of its own for each datagram. */
export class DatagramServer {
  readonly #endpoint: UdpEndpoint;
  readonly #options: UdpOptions;
  readonly #handler: DatagramHandler;
  readonly #size: number;
  readonly #graceMs: number;
  readonly #name: string | undefined;
  readonly #life: ServerLife<DatagramSocket>;
  readonly #room: Event = new Event({ name: 'room for a datagram' });
  #active = 0;
  #handlerErrors = 0;

  /**
   * Make a server of `handler(datagram, socket)`, which answers with `socket.send(bytes, datagram.from)`, for an address as of udp(), or for a socket that is open already and belongs to the server from then on.
   * Never switches; nothing is opened before start().
   *
   * What a handler throws is counted and goes to the hub's `error` event, except a DatagramError: any sender can bring about an answer that cannot be sent.
   *
   * @throws TypeError or RangeError for bad arguments, as `udp`.
   */
  constructor(target: UdpEndpoint | DatagramSocket, handler: DatagramHandler, options?: DatagramServerOptions) {
    const where = 'DatagramServer';
    if (typeof handler !== 'function')
      throw typeError(`${where} takes a generator function as its handler, not ${nameOf(handler)}`);
    const given = checkOptions(options, where);
    if (typeof target !== 'object' || target === null)
      throw typeError(`${where} takes {host, port} or a socket of udp(), not ${nameOf(target)}`);
    const opened = target instanceof DatagramSocket ? target : undefined;
    this.#life = new ServerLife(opened);
    this.#endpoint = opened === undefined ? (target as UdpEndpoint) : {};
    this.#options = given;
    udp(this.#endpoint, given); // it checks them, and opens nothing before it is started
    this.#handler = handler;
    this.#size = ownCount(given, 'size', DEFAULT_SIZE, 1, where);
    this.#graceMs = ownMs(given, 'graceMs', GRACE_MS, where);
    this.#name = ownText(given, 'name', where);
    this.#room.set();
  }

  get state(): ServerState {
    return this.#life.state;
  }

  /** True from stop() on, and when its socket was closed by somebody else. */
  get closed(): boolean {
    return this.#life.closed;
  }

  /** Where it receives; `port` is the real one. Valid also after stop(). @throws UsageError before start(). */
  get address(): Address {
    const { handle } = this.#life;
    if (handle === undefined)
      throw new UsageError(`address of ${this.toString()}, which has no address yet: yield* server.start() first`);
    return handle.localAddress;
  }

  /** What it has counted until now; a copy. */
  get stats(): DatagramServerStats {
    const { received, dropped, sent, receiveErrors } = this.#life.handle?.stats ?? NOTHING;
    return { received, dropped, sent, receiveErrors, active: this.#active, handlerErrors: this.#handlerErrors };
  }

  /**
   * Open the socket, and handle what comes in a greenlet of its own from now on. Does nothing if it does already.
   *
   * Switches. If it throws, nothing is open, and it can be tried again.
   *
   * @throws DatagramError or DnsError as `udp`. @throws ServerClosedError if it was stopped, or its socket closed. @throws Killed if the greenlet is killed while it waits.
   */
  start(): Op<void> {
    return composite(() => this.#start());
  }

  #start(): Op<void> {
    return this.#life.start({
      server: this,
      open: () => udp(this.#endpoint, this.#options),
      serve: (socket) => () => scope((s) => this.#receiveAll(s, socket)),
    });
  }

  *#receiveAll(s: Scope, socket: DatagramSocket): Generator<Trap, void, Resume> {
    try {
      for (;;) {
        yield* this.#room.wait();
        let datagram: Datagram;
        try {
          datagram = yield* socket.receive();
        } catch (error) {
          if (error instanceof DatagramError) continue; // counted; a connected peer has refused an answer
          throw error;
        }
        this.#active += 1;
        if (this.#active >= this.#size) this.#room.clear();
        // By link, because a handler that is killed before it has run never enters its own finally.
        s.spawn(this.#handle, this, datagram, socket).link(() => {
          this.#active -= 1;
          this.#room.set();
        });
      }
    } catch (error) {
      if (error instanceof ClosedError) return; // by stop(), or by somebody else: the scope waits for those at work
      // A kill: nothing more is received, those at work get their grace.
      if (isKilled(error) && this.#active > 0 && this.#life.state === 'serving') {
        this.#life.stopping();
        yield* shield(this.#graceMs, this.#drain());
      }
      throw error;
    }
  }

  *#handle(server: DatagramServer, datagram: Datagram, socket: DatagramSocket): Generator<Trap, void, Resume> {
    try {
      const op: unknown = server.#handler(datagram, socket);
      if (!isOp(op))
        throw typeError(
          `DatagramServer: the handler returned ${nameOf(op)}, no Op: is it a generator function (function*)?`,
        );
      yield* op;
    } catch (error) {
      const me = kernel.current;
      // Only its own kill: one that it kept of another greenlet is an error like any other.
      if (isKilled(error) && error.frame === me.side?.base) throw error;
      server.#handlerErrors += 1;
      // Whoever sends us a datagram chooses where the answer goes, and so whether it can be sent.
      if (error instanceof DatagramError) return;
      me.scope.scheduler.report(error, me);
    }
  }

  *#drain(): Generator<Trap, void, Resume> {
    while (this.#active > 0) {
      this.#room.clear();
      yield* this.#room.wait();
    }
  }

  /**
   * Start if it has not, and wait until it is stopped, or its socket closed.
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
    yield* this.#life.untilEnded(() => this.#stop(this.#graceMs, KILL_MS));
  }

  /**
   * Stop: receive nothing more; let handlers finish within `graceMs`; kill what is left; when all have ended, or after `killMs`, close the socket. What was
   * not received by then is dropped. Does nothing if it has stopped.
   *
   * Switches as long as handlers are alive. If it is killed while it waits, what is left is killed and the socket closed, at once.
   *
   * @throws TypeError, at the call, for bad options. @throws Killed if the greenlet is killed while it waits.
   */
  stop(options?: StopOptions): Op<void> {
    const given = checkOptions(options, 'stop');
    const graceMs = ownMs(given, 'graceMs', this.#graceMs, 'stop');
    const killMs = ownMs(given, 'killMs', KILL_MS, 'stop');
    return composite(() => this.#stop(graceMs, killMs));
  }

  *#stop(graceMs: number, killMs: number): Generator<Trap, void, Resume> {
    const { greenlet, handle, ended } = this.#life;
    if (greenlet === undefined || ended.isSet) {
      this.close();
      return;
    }
    this.#life.stopping();
    try {
      handle?.stopReceiving();
      if (graceMs > 0) yield* timeout(graceMs, this.#drain(), { else: undefined });
      greenlet.kill('the server is stopped');
      yield* timeout(killMs, ended.wait(), { else: undefined });
    } finally {
      this.close();
    }
  }

  /** `using`: as close(). */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Stop at once: kill all handlers and close the socket. Never switches; idempotent. */
  close(): void {
    this.#life.stopping();
    this.#life.greenlet?.kill('the server is closed');
    this.#life.handle?.close();
  }

  /** `server NAME` or `server 127.0.0.1:53`. */
  toString(): string {
    if (this.#name !== undefined) return `datagram server ${this.#name}`;
    const { handle } = this.#life;
    return handle === undefined ? 'datagram server, not open' : `datagram server ${handle.localAddress}`;
  }
}

const NOTHING = { received: 0, dropped: 0, sent: 0, receiveErrors: 0 };
