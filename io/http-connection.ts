// http-connection.ts: one connection to one origin: an undici Client, which parses and writes, and the socket under it, which we hold by the hand.
//
// undici 7 pauses its parser when a handler asks for it, and then an end or a reset of the peer can hit an assertion of its own that nobody can
// catch (nodejs/undici#5360). So it is never asked: when a reader is slow, the socket has nothing to read (`hold`). Bytes stay in Node's buffer, Node
// stops reading, and the peer feels it.
//
// A connection carries one exchange at a time, without pipelining. It is given up, never reused, when an exchange on it fails or is aborted.
//
// Invariants:
//   exchange is defined  if and only if  a request is on its way here and has not ended
//   held                 implies  exchange is defined
//   the registry of handles has this connection  if and only if  its socket is not closed or given up

import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type buildConnector, Client, type Dispatcher, errors } from 'undici';
import { InternalError } from '../core/errors.ts';
import type { Scheduler } from '../core/scheduler.ts';
import type { Timer } from '../core/timers.ts';
import { confirmEnd, turnNow } from './confirmed-end.ts';
import { handleClosed, handleOpened } from './handles.ts';
import type { Dialer } from './http-dial.ts';
import type { Exchange } from './http-exchange.ts';
import type { HttpProxy } from './http-proxy.ts';
import type { Network } from './network.ts';

/** What undici is told for every connection of a client. */
export interface ConnectionOptions {
  readonly dialer: Dialer;
  readonly proxy: HttpProxy | undefined;
  readonly allowH2: boolean;
  readonly keepAliveMs: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Set over a simulated network: its own connections, and its clock for the limits that undici keeps elsewhere. */
  readonly simulated?: { readonly network: Network; readonly scheduler: Scheduler } | undefined;
}

/** Who hears that a connection without an exchange was lost. */
export interface ConnectionOwner {
  readonly origin: string;
  disconnected(connection: Connection): void;
}

/** Above this, undici takes no timeout; Infinity is its 0. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

const MOST_FRAMING_BYTES = 16_384;

/** What undici itself takes for the longest that a server may ask for. */
const KEEP_ALIVE_MOST_MS = 600_000;

const ignore = (): void => {};

export class Connection {
  exchange: Exchange | undefined = undefined;
  /** How many exchanges the present socket has carried to their end. */
  served = 0;
  /** The error that ended the present socket, once it has. */
  lostWith: Error | undefined = undefined;
  readonly #client: Client;
  readonly #options: ConnectionOptions;
  /** Over a simulated network, and with HTTP/2, which undici keeps for ever: elsewhere undici keeps the limits. */
  #limit: ConnectionLimit | undefined = undefined;
  readonly #owner: ConnectionOwner;
  #scheduler: Scheduler | undefined = undefined;
  /** The turn in which bytes came last. */
  #cameIn = -1;
  /** How many have come since the last of the head or the body: what undici does not count, the extensions of a chunk. */
  #framing = 0;
  #stopAsking: (() => void) | undefined = undefined;
  #socket: Socket | undefined = undefined;
  #held = false;
  #destroyed = false;

  constructor(owner: ConnectionOwner, options: ConnectionOptions) {
    this.#owner = owner;
    this.#options = options;
    const { simulated } = options;
    const limits = simulated === undefined;
    const keepAliveMs = simulated === undefined ? options.keepAliveMs : LONGEST_TIMEOUT_MS;
    if (simulated !== undefined) this.#limit = new ConnectionLimit(this, simulated.scheduler, options);
    this.#client = new Client(owner.origin, {
      pipelining: 1,
      keepAliveTimeout: Math.max(1, Math.min(keepAliveMs, LONGEST_TIMEOUT_MS)),
      keepAliveMaxTimeout: Math.max(KEEP_ALIVE_MOST_MS, keepAliveMs),
      headersTimeout: limits ? undiciTimeout(options.headersTimeoutMs) : 0,
      bodyTimeout: limits ? undiciTimeout(options.idleTimeoutMs) : 0,
      allowH2: options.allowH2,
      connect: (target, done) => this.#connect(target, done),
    });
    this.#client.on('disconnect', () => {
      this.served = 0;
      if (this.exchange === undefined) this.#owner.disconnected(this);
    });
    // undici emits this if a handler throws; ours do not, and if one does it is our fault.
    (this.#client as EventEmitter).on('error', (error: Error) => {
      throw new InternalError('an HTTP handler threw', { cause: error });
    });
  }

  /** Send `exchange` here. What comes of it goes to its handler methods, possibly before this returns. */
  send(exchange: Exchange, request: Dispatcher.DispatchOptions, scheduler: Scheduler): void {
    this.exchange = exchange;
    this.#scheduler = scheduler;
    this.#limit?.begin();
    if (this.#options.simulated === undefined) this.#client.dispatch(request, exchange);
    // Foreign code, with timers of its own: not inside a step of the simulated world.
    else
      queueMicrotask(() => {
        if (this.exchange === exchange) this.#client.dispatch(request, exchange);
      });
  }

  /** Something has come for the exchange. */
  progressed(): void {
    this.#framing = 0;
    this.#limit?.begin();
  }

  /** The exchange has ended well: the connection is free. */
  finished(): void {
    this.exchange = undefined;
    this.served += 1;
    this.#held = false;
    this.#limit?.rest();
  }

  /** Does it speak HTTP/2, whose streams pause by themselves? */
  get multiplexed(): boolean {
    return (this.#socket as TLSSocket | undefined)?.alpnProtocol === 'h2';
  }

  /** Is reading held back? */
  get held(): boolean {
    return this.#held;
  }

  /** Read no more until release(). */
  hold(): void {
    this.#held = true;
  }

  /** Read on. In a later tick: whoever asks is a greenlet that takes what it has first. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    process.nextTick(readOn, this);
  }

  /** It has rested for long enough. */
  retire(): void {
    this.#owner.disconnected(this);
  }

  /** Give the connection up, whatever it is doing. Its exchange is told nothing. Idempotent. */
  destroy(): void {
    this.exchange = undefined;
    this.#held = false;
    this.#limit?.cancel();
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#client.destroy(null, ignore);
    this.#stopAsking?.();
    // undici forgets a socket that is still connecting.
    if (this.#socket !== undefined && !this.#socket.destroyed) this.#socket.destroy(new Error('given up'));
    handleClosed(this);
  }

  toString(): string {
    return `http connection to ${this.#owner.origin}`;
  }

  /** @internal */
  readOn(): void {
    const socket = this.#socket;
    if (socket !== undefined && !this.#held && !socket.destroyed) socket.emit('readable');
  }

  #connect(target: buildConnector.Options, done: buildConnector.Callback): void {
    const { simulated, dialer, proxy } = this.#options;
    const scheduler = this.#scheduler as Scheduler;
    const connected = (error: Error | null, socket: Socket | null): void => {
      if (socket !== null && this.multiplexed) this.#limit ??= new ConnectionLimit(this, scheduler, this.#options);
      (done as (error: Error | null, socket: Socket | null) => void)(error, socket);
    };
    this.served = 0;
    this.lostWith = undefined;
    handleOpened('http connection', this);
    const what = { target, proxy, scheduler, network: simulated?.network };
    dialer.dial(what, (socket) => this.#adopt(socket), connected);
  }

  /** The connection is made of `socket` now. */
  #adopt(socket: Socket): void {
    this.#socket = socket;
    if (this.#destroyed) {
      socket.destroy();
      return;
    }
    const read = socket.read;
    socket.read = (size?: number) => {
      if (this.#held) return null;
      if (this.#framing > MOST_FRAMING_BYTES && this.exchange?.answered === true) {
        this.exchange.refuse('more than 16 KiB of chunk extensions', 'ERR_HTTP_CHUNK_EXTENSIONS');
        return null;
      }
      const bytes = read.call(socket, size) as Buffer | null;
      if (bytes === null) return null;
      this.#cameIn = turnNow();
      this.#framing += bytes.length;
      return bytes;
    };
    // Ours is called before undici's: when a reset ends a body that has no length, undici takes it for a proper end.
    socket.on('error', (error) => {
      this.lostWith = error;
    });
    socket.on('close', () => {
      if (this.#socket === socket) handleClosed(this);
    });
    if (this.#options.simulated === undefined && !(socket instanceof TLSSocket)) this.#askAtEnd(socket);
  }

  /** Node may report an end where there was a reset: whoever listens from now on, and that is undici, hears of it when that is sure. */
  #askAtEnd(socket: Socket): void {
    const on = socket.on as (event: string | symbol, listener: (...values: never[]) => void) => Socket;
    const ask = (listener: () => void): void => {
      this.#stopAsking = confirmEnd(socket, this.#cameIn, () => listener.call(socket));
    };
    socket.on = (event: string | symbol, listener: (...values: never[]) => void): Socket =>
      on.call(socket, event, event === 'end' ? () => ask(listener as () => void) : listener);
  }
}

/** The limits of a connection that are ours to keep: on a silent peer while there is an exchange, on rest while there is none. */
class ConnectionLimit implements Timer {
  order = 0;
  slot = -1;
  readonly #connection: Connection;
  readonly #scheduler: Scheduler;
  readonly #options: ConnectionOptions;

  constructor(connection: Connection, scheduler: Scheduler, options: ConnectionOptions) {
    this.#connection = connection;
    this.#scheduler = scheduler;
    this.#options = options;
  }

  begin(): void {
    const { idleTimeoutMs, headersTimeoutMs } = this.#options;
    this.#arm(this.#connection.exchange?.answered === true ? idleTimeoutMs : headersTimeoutMs);
  }

  rest(): void {
    this.#arm(this.#options.keepAliveMs);
  }

  cancel(): void {
    if (this.slot === -1) return;
    this.#scheduler.timeouts.cancel(this);
    this.#scheduler.timersChanged();
  }

  due(): void {
    const { exchange } = this.#connection;
    if (exchange === undefined) this.#connection.retire();
    else exchange.fail(exchange.answered ? new errors.BodyTimeoutError() : new errors.HeadersTimeoutError(), true);
  }

  #arm(ms: number): void {
    this.#scheduler.timeouts.cancel(this);
    if (ms !== Number.POSITIVE_INFINITY) this.#scheduler.timeouts.arm(this, ms);
    this.#scheduler.timersChanged();
  }
}

function readOn(connection: Connection): void {
  connection.readOn();
}

function undiciTimeout(ms: number): number {
  return ms === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.min(Math.ceil(ms), LONGEST_TIMEOUT_MS));
}
