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
import { type buildConnector, Client, type Dispatcher } from 'undici';
import { InternalError } from '../core/errors.ts';
import { handleClosed, handleOpened } from './handles.ts';
import type { Exchange } from './http-exchange.ts';

/** What undici is told for every connection of a client. */
export interface ConnectionOptions {
  readonly connector: buildConnector.connector;
  readonly keepAliveMs: number;
  readonly idleTimeoutMs: number;
}

/** Who hears that a connection without an exchange was lost. */
export interface ConnectionOwner {
  readonly origin: string;
  disconnected(connection: Connection): void;
}

/** Above this, undici takes no timeout; Infinity is its 0. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

const ignore = (): void => {};

export class Connection {
  exchange: Exchange | undefined = undefined;
  /** How many exchanges the present socket has carried to their end. */
  served = 0;
  /** The error that ended the present socket, once it has. */
  lostWith: Error | undefined = undefined;
  readonly #client: Client;
  readonly #owner: ConnectionOwner;
  #socket: Socket | undefined = undefined;
  #held = false;
  #destroyed = false;

  constructor(owner: ConnectionOwner, options: ConnectionOptions) {
    this.#owner = owner;
    const idleTimeout = undiciTimeout(options.idleTimeoutMs);
    this.#client = new Client(owner.origin, {
      pipelining: 1,
      keepAliveTimeout: Math.max(1, Math.min(options.keepAliveMs, LONGEST_TIMEOUT_MS)),
      headersTimeout: idleTimeout,
      bodyTimeout: idleTimeout,
      connect: (target, done) => this.#connect(options.connector, target, done),
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
  send(exchange: Exchange, request: Dispatcher.DispatchOptions): void {
    this.exchange = exchange;
    this.#client.dispatch(request, exchange);
  }

  /** The exchange has ended well: the connection is free. */
  finished(): void {
    this.exchange = undefined;
    this.served += 1;
    this.#held = false;
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

  /** Give the connection up, whatever it is doing. Its exchange is told nothing. Idempotent. */
  destroy(): void {
    this.exchange = undefined;
    this.#held = false;
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#client.destroy(null, ignore);
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

  #connect(connector: buildConnector.connector, target: buildConnector.Options, done: buildConnector.Callback): void {
    // It returns its socket, which its type does not say.
    const socket = connector(target, done) as unknown as Socket;
    this.#socket = socket;
    this.served = 0;
    this.lostWith = undefined;
    handleOpened('http connection', this);
    const read = socket.read;
    socket.read = (size?: number) => (this.#held ? null : read.call(socket, size));
    // Ours is called before undici's: when a reset ends a body that has no length, undici takes it for a proper end.
    socket.on('error', (error) => {
      this.lostWith = error;
    });
    socket.on('close', () => {
      if (this.#socket === socket) handleClosed(this);
    });
  }
}

function readOn(connection: Connection): void {
  connection.readOn();
}

function undiciTimeout(ms: number): number {
  return ms === Number.POSITIVE_INFINITY ? 0 : Math.max(1, Math.min(Math.ceil(ms), LONGEST_TIMEOUT_MS));
}
