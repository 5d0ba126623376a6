// listen.ts: `listen({host, port})`: a listener, whose accept() gives one connection after the other.
//
// Node accepts connections as they come and cannot be told to stop. They wait here, paused and unread, until somebody accepts them; beyond
// `maxPending` they are closed and counted as dropped. The operating system's own queue (`backlog`) is in front of that.
//
// Invariants, between any two steps:
//   an acceptor waits            implies  no connection is pending, or we are paused
//   closed                       implies  nobody waits and nothing is pending
//   the registry has this listener, or a pending connection, if and only if its handle is open

/// <reference lib="esnext.disposable" preserve="true" />

import { ClosedError } from '../core/errors.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { Fifo } from '../core/fifo.ts';
import { requireScheduler } from '../core/kernel.ts';
import type { Waitable, WaitDescription } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { LAZY } from '../core/status.ts';
import { type Waiter, WaitList } from '../core/wait-list.ts';
import { Accept, Unaccepted } from './accept.ts';
import {
  type Address,
  type CheckedEndpoint,
  checkEndpoint,
  checkOptions,
  type Endpoint,
  hostPort,
  ownCount,
  ownFlag,
} from './address.ts';
import { transportOptions } from './connect.ts';
import { ListenError } from './errors.ts';
import { handleClosed, handleOpened } from './handles.ts';
import { type ListenHandle, type ListenSink, type ListenTarget, networkOf, type TransportOptions } from './network.ts';
import { notShared, requireReusePort } from './reuse-port.ts';
import { DEFAULT_HIGH_WATER_MARK, Socket, type SocketOptions } from './socket.ts';
import type { Transport } from './transport.ts';

const DEFAULT_BACKLOG = 511;
const DEFAULT_MAX_PENDING = 4096;

export interface ListenOptions extends SocketOptions {
  /** How many connections the operating system holds until Node takes them: 511 by default. */
  readonly backlog?: number | undefined;
  /** How many connections may wait for accept() before further ones are closed: 4,096 by default. */
  readonly maxPending?: number | undefined;
  /** For accepted connections, as for `connect`. */
  readonly noDelay?: boolean | undefined;
  readonly keepAliveMs?: number | undefined;
  /** Let several processes listen on one port, if each of them asks for it; the system spreads the connections. Node 22.12 or later, Linux and BSD. */
  readonly reusePort?: boolean | undefined;
}

/** What a listener has counted. */
export interface ListenerStats {
  /** Connections handed out by accept(). */
  accepted: number;
  /** Connections closed unserved: too many pending, or beyond serve()'s `maxConnections`. */
  dropped: number;
  /** Connections that could not be accepted. */
  acceptErrors: number;
  /** Handshakes of TLS that failed: those of listenTls. */
  tlsErrors: number;
  /** How often no descriptor was left. */
  overloads: number;
  /** Handlers of serve() that run now, and those that have thrown. */
  active: number;
  handlerErrors: number;
}

/** @internal */
export function nothingCounted(): ListenerStats {
  return { accepted: 0, dropped: 0, acceptErrors: 0, tlsErrors: 0, overloads: 0, active: 0, handlerErrors: 0 };
}

/**
 * Listen for connections on a TCP port (0 takes a free one; without `host` on all addresses), or on the path of a Unix socket.
 *
 * Switches. If it throws, nothing is left open.
 *
 * @throws RangeError or TypeError, at the call, for a bad address or option. @throws ListenError with Node's code: EADDRINUSE, EACCES, EADDRNOTAVAIL,
 * ENOTFOUND, ...; ENOTSUP, at the call, for `reusePort` where this Node, or a simulated network, does not have it. @throws Killed if the greenlet is killed while it waits.
 */
export function listen(endpoint: Endpoint, options?: ListenOptions): Waitable<Listener> {
  return listenThrough(undefined, 'listen', endpoint, options);
}

/** As `listen`, with a gate in front of accept(). @internal */
export function listenThrough(
  gate: MakeGate | undefined,
  where: string,
  endpoint: Endpoint,
  options?: ListenOptions,
): Waitable<Listener> {
  const target = checkEndpoint(endpoint, where);
  const given = checkOptions(options, where);
  const reusePort = ownFlag(given, 'reusePort', false, where);
  if (reusePort) requireReusePort(nameOfTarget(target), target.path !== undefined);
  return new ListenWait(target, {
    gate,
    reusePort,
    transport: transportOptions(given, where),
    backlog: Math.min(ownCount(given, 'backlog', DEFAULT_BACKLOG, 1, where), 2 ** 31 - 1),
    maxPending: ownCount(given, 'maxPending', DEFAULT_MAX_PENDING, 0, where),
    highWaterMark: ownCount(given, 'highWaterMark', DEFAULT_HIGH_WATER_MARK, 1, where),
    halfOpen: ownFlag(given, 'halfOpen', true, where),
  });
}

function nameOfTarget(target: CheckedEndpoint): string {
  return target.path ?? hostPort(target.host ?? '*', target.port);
}

/** What connections have to pass before accept() may give them out: a handshake. @internal */
export interface Gate {
  /** One has come. If it passes, `admit` the listener what has become of it. */
  enter(transport: Transport): void;
  /** The listener is closed: so are those that have not passed. */
  close(): void;
}

/** @internal */
export type MakeGate = (listener: Listener, scheduler: Scheduler) => Gate;

interface Settings {
  readonly gate: MakeGate | undefined;
  readonly reusePort: boolean;
  readonly transport: TransportOptions;
  readonly backlog: number;
  readonly maxPending: number;
  readonly highWaterMark: number;
  readonly halfOpen: boolean;
}

class ListenWait extends ExternalWait<Listener> {
  readonly #target: CheckedEndpoint;
  readonly #settings: Settings;

  constructor(target: CheckedEndpoint, settings: Settings) {
    super();
    this.#target = target;
    this.#settings = settings;
  }

  protected override counted(waiter: Waiter): boolean {
    return networkOf(waiter.owner().scope.scheduler).external;
  }

  protected begin(ticket: Ticket<Listener>): void {
    const { path } = this.#target;
    const target: ListenTarget = {
      path,
      host: this.#target.path === undefined ? this.#target.host : undefined,
      port: this.#target.path === undefined ? this.#target.port : 0,
      backlog: this.#settings.backlog,
      reusePort: this.#settings.reusePort,
    };
    const network = networkOf(requireScheduler());
    if (this.#settings.reusePort && !network.external) throw notShared(this.#name());
    const sink = new Opening(ticket, this.#settings, this.#name(), network.external);
    const pending = network.listen(target, this.#settings.transport, sink);
    ticket.onRetract = () => {
      pending.cancel();
      ticket.withdraw();
    };
  }

  #name(): string {
    return nameOfTarget(this.#target);
  }

  describe(): WaitDescription {
    return { op: 'listen', object: this.#name() };
  }
}

/** Reports to the ticket until the listener is there, then to the listener. */
class Opening implements ListenSink {
  readonly #ticket: Ticket<Listener>;
  readonly #settings: Settings;
  readonly #name: string;
  readonly #external: boolean;
  readonly #scheduler: Scheduler = requireScheduler();
  #listener: Listener | undefined = undefined;

  constructor(ticket: Ticket<Listener>, settings: Settings, name: string, external: boolean) {
    this.#external = external;
    this.#ticket = ticket;
    this.#settings = settings;
    this.#name = name;
  }

  listening(handle: ListenHandle): void {
    this.#listener = new Listener(handle, this.#settings, this.#external, this.#scheduler);
    this.#ticket.resolve(this.#listener);
  }

  failed(error: unknown): void {
    if (this.#listener === undefined) this.#ticket.rejectWith(() => new ListenError(this.#name, error));
    else this.#listener.stats.acceptErrors += 1;
  }

  connected(transport: Transport): void {
    if (this.#listener === undefined) transport.destroy();
    else this.#listener.arrived(transport);
  }

  overloaded(): void {
    this.#listener?.overloaded();
  }

  closed(): void {
    if (this.#listener === undefined) this.failed(undefined);
    else this.#listener.close();
  }
}

/** A listening socket: accept() takes its connections one by one, serve() runs a handler for each. */
export class Listener {
  /** Where it listens; `port` is the real one. */
  readonly address: Address;
  readonly stats: ListenerStats = nothingCounted();
  readonly #handle: ListenHandle;
  readonly #settings: Settings;
  readonly #acceptors: WaitList = new WaitList();
  readonly #pending: Fifo<Unaccepted> = new Fifo();
  readonly #accept: Accept;
  readonly #gate: Gate | undefined;
  #closed = false;
  #paused = false;
  /** What to do when no descriptor is left; serve() sets it. @internal */
  onOverload: (() => void) | undefined = undefined;

  /** Called when it is closed, by whomever. @internal */
  onClose: (() => void) | undefined = undefined;

  /** @internal: listen() makes listeners. */
  constructor(handle: ListenHandle, settings: Settings, external: boolean, scheduler: Scheduler) {
    this.#handle = handle;
    this.#settings = settings;
    this.address = handle.address;
    this.#accept = new Accept(this, this.#acceptors, external);
    this.#gate = settings.gate?.(this, scheduler);
    handleOpened('listener', this);
  }

  /** True after close(). */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many connections wait to be accepted. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Accept the oldest connection that waits.
   *
   * Switches only if there is none. Several acceptors are served in order. If it throws, none was taken.
   *
   * @throws ClosedError after close(), or when it is called while we wait. @throws Killed if the greenlet is killed while it waits.
   */
  accept(): Waitable<Socket> {
    return this.#accept;
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Stop listening, at once: waiting acceptors get ClosedError, connections that nobody has accepted are closed. Never switches; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    handleClosed(this);
    this.#handle.close();
    this.#gate?.close();
    while (this.#pending.size > 0) this.#pending.shift().drop();
    this.onClose?.();
    for (let { head } = this.#acceptors; head !== undefined; head = this.#acceptors.head) {
      this.#accept.retract(head);
      head.fire(() => this.closedError(), LAZY);
    }
  }

  /** How many connections leave enough descriptors for everything else. @internal */
  get mostConnections(): number {
    return this.#handle.mostConnections ?? Number.POSITIVE_INFINITY;
  }

  /** Is there a descriptor for another connection? @internal */
  get hasRoom(): boolean {
    return this.#handle.hasRoom?.() ?? true;
  }

  /** No descriptor is left. @internal */
  overloaded(): void {
    if (this.#closed) return;
    if (this.onOverload !== undefined) this.onOverload();
    else this.stats.overloads += 1;
  }

  /** Give out no connection until resume(): they wait as they do when nobody accepts. @internal */
  pause(): void {
    this.#paused = true;
  }

  /** @internal */
  resume(): void {
    this.#paused = false;
    while (this.#pending.size > 0 && this.#acceptors.head !== undefined) this.#give(this.#pending.shift().take());
  }

  #give(transport: Transport): void {
    const acceptor = this.#acceptors.head as Waiter;
    this.#accept.retract(acceptor);
    acceptor.fire(this.#open(transport), 0);
  }

  /** A connection has come. @internal */
  arrived(transport: Transport): void {
    if (this.#gate === undefined) this.admit(transport);
    else if (this.#closed) transport.destroy();
    else this.#gate.enter(transport);
  }

  /** A connection may be given out. @internal */
  admit(transport: Transport): void {
    if (this.#closed) {
      transport.destroy();
    } else if (this.#acceptors.head !== undefined && !this.#paused) {
      this.#give(transport);
    } else if (this.#pending.size < this.#settings.maxPending) {
      this.#pending.push(new Unaccepted(transport));
    } else {
      this.stats.dropped += 1;
      transport.destroy();
    }
  }

  /** @internal */
  take(): Socket | undefined {
    if (this.#closed) throw this.closedError();
    if (this.#pending.size === 0 || this.#paused) return undefined;
    return this.#open(this.#pending.shift().take());
  }

  #open(transport: Transport): Socket {
    this.stats.accepted += 1;
    const { highWaterMark, halfOpen } = this.#settings;
    return new Socket(transport, highWaterMark, halfOpen);
  }

  /** @internal */
  closedError(): ClosedError {
    return new ClosedError(`accept on ${this.toString()}, which is closed`);
  }

  /** `listener 127.0.0.1:80`. */
  toString(): string {
    return `listener ${this.address}`;
  }
}
