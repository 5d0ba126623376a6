// http-pool.ts: the connections to one origin, and who waits for one, oldest first.
//
// An exchange that waits is not a greenlet that will ask again: it is handed a connection and sent in the very callback in which the one before it
// ended, so a busy pool loses no turn between two requests. The connection that was used last is used first; the others get to close.
//
// Invariants, between any two calls:
//   an exchange waits  implies  `open` is the limit, and no connection is idle
//   open is idle connections plus busy ones, and at most the limit
//   a pool without connections and without waiting exchanges is forgotten by its client
// Source: the queue of undici's Pool, turned inside out so that a waiting request can be taken out at no cost.

import { asyncContext } from './async-context.ts';
import { Connection, type ConnectionOptions, type ConnectionOwner } from './http-connection.ts';
import { HttpError } from './http-errors.ts';
import type { Exchange } from './http-exchange.ts';
import type { HttpProxy } from './http-proxy.ts';

export interface PoolOptions extends ConnectionOptions {
  readonly connections: number;
  readonly queueLimit: number;
  readonly acquireTimeoutMs: number;
}

export interface PoolStats {
  /** Connections, and those of them that carry nothing. */
  readonly connections: number;
  readonly idle: number;
  /** Exchanges that wait for a connection. */
  readonly queued: number;
}

/** Exchanges in order of arrival; taking any of them out is O(1). */
class Waiting {
  size = 0;
  #head: Exchange | undefined = undefined;
  #tail: Exchange | undefined = undefined;

  push(exchange: Exchange): void {
    exchange.queuedAfter = this.#tail;
    exchange.queuedBefore = undefined;
    if (this.#tail === undefined) this.#head = exchange;
    else this.#tail.queuedBefore = exchange;
    this.#tail = exchange;
    this.size += 1;
  }

  get first(): Exchange | undefined {
    return this.#head;
  }

  shift(): Exchange | undefined {
    const head = this.#head;
    if (head !== undefined) this.remove(head);
    return head;
  }

  remove(exchange: Exchange): void {
    const { queuedAfter, queuedBefore } = exchange;
    if (queuedAfter === undefined) this.#head = queuedBefore;
    else queuedAfter.queuedBefore = queuedBefore;
    if (queuedBefore === undefined) this.#tail = queuedAfter;
    else queuedBefore.queuedAfter = queuedAfter;
    exchange.queuedAfter = undefined;
    exchange.queuedBefore = undefined;
    this.size -= 1;
  }
}

export class Pool implements ConnectionOwner {
  readonly origin: string;
  readonly options: PoolOptions;
  readonly #forget: (pool: Pool) => void;
  readonly #waiting: Waiting = new Waiting();
  readonly #idle: Connection[] = [];
  readonly #busy: Set<Connection> = new Set();

  readonly #sendFresh = (exchange: Exchange): void => {
    const connection = new Connection(this, this.options);
    this.#busy.add(connection);
    exchange.sendOn(connection);
  };

  constructor(origin: string, options: PoolOptions, forget: (pool: Pool) => void) {
    this.origin = origin;
    this.options = options;
    this.#forget = forget;
  }

  /** As of the network that its connections are of. */
  get external(): boolean {
    return this.options.simulated === undefined;
  }

  /** The proxy that is asked to send on what goes to this origin, if there is one and it is not a tunnel. */
  get forwarder(): HttpProxy | undefined {
    return this.origin.startsWith('http:') ? this.options.proxy : undefined;
  }

  get open(): number {
    return this.#idle.length + this.#busy.size;
  }

  stats(): PoolStats {
    return { connections: this.open, idle: this.#idle.length, queued: this.#waiting.size };
  }

  /** Send `exchange`, or have it wait for a connection. @throws HttpError (ERR_HTTP_QUEUE_FULL) if too many wait. */
  submit(exchange: Exchange): void {
    const connection = this.#idle.pop();
    if (connection !== undefined) {
      this.#busy.add(connection);
      exchange.sendOn(connection);
    } else if (this.open < this.options.connections) {
      this.sendFresh(exchange);
    } else if (this.#waiting.size >= this.options.queueLimit) {
      throw new HttpError(
        `${exchange.toString()}: ${this.#waiting.size} requests wait for a connection already`,
        'ERR_HTTP_QUEUE_FULL',
      );
    } else {
      this.#waiting.push(exchange);
      exchange.queued(this.options.acquireTimeoutMs);
    }
  }

  /** Send `exchange` on a new connection, for which there must be room. */
  sendFresh(exchange: Exchange): void {
    // In the empty context: the socket outlives this request, and would keep its AsyncLocalStorage stores alive.
    asyncContext.run(undefined, this.#sendFresh, exchange);
  }

  /** Take out an exchange that waits. */
  withdraw(exchange: Exchange): void {
    this.#waiting.remove(exchange);
    this.#forgetIfEmpty();
  }

  /** An exchange has ended well on `connection`: the next one gets it. */
  release(connection: Connection): void {
    connection.finished();
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next.sendOn(connection);
      return;
    }
    this.#busy.delete(connection);
    this.#idle.push(connection);
  }

  /** Give `connection` up, and open another if somebody waits. */
  drop(connection: Connection): void {
    this.#busy.delete(connection);
    connection.destroy();
    const next = this.#waiting.shift();
    if (next !== undefined) this.sendFresh(next);
    else this.#forgetIfEmpty();
  }

  /** Give `connection` up, and send `exchange` again on another in its place. */
  replace(connection: Connection, exchange: Exchange): void {
    this.#busy.delete(connection);
    connection.destroy();
    this.sendFresh(exchange);
  }

  /** An idle connection was closed by its peer, or by its keep-alive. */
  disconnected(connection: Connection): void {
    const at = this.#idle.indexOf(connection);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    connection.destroy();
    this.#forgetIfEmpty();
  }

  /** Close the connections that carry nothing. */
  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
    this.#forgetIfEmpty();
  }

  /** End everything: each exchange fails with `cause`. */
  close(cause: unknown): void {
    // It withdraws itself.
    while (this.#waiting.first !== undefined) this.#waiting.first.fail(cause, true);
    for (const { exchange } of [...this.#busy]) exchange?.fail(cause, true);
    this.closeIdle();
  }

  /** What those who wait for a connection should know. */
  describeBusy(): string {
    let unread = 0;
    for (const { exchange } of this.#busy) if (exchange?.unread === true) unread += 1;
    const hint = unread === 0 ? '' : `, ${unread} of them by a response that nobody reads: read it or close() it`;
    return `no connection came free: all ${this.options.connections} are in use${hint}`;
  }

  #forgetIfEmpty(): void {
    if (this.open === 0 && this.#waiting.size === 0) this.#forget(this);
  }
}
