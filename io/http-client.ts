// http-client.ts: a client: connections to any number of origins, kept between requests, each origin with a limit and a queue.
//
// Limits, all finite unless said otherwise: 10 connections an origin, 1,000 requests waiting for one, 30 s to get one, 10 s to connect, 60 s without a byte
// (or without a reader), 16 KiB and 100 headers, 500 bytes a second where somebody waits for a whole body. Idle connections do not keep the process alive and close after 4 s.
//
// Invariants, between any two calls:
//   running is the number of exchanges that have begun and not ended
//   closed  implies  there are no pools

/// <reference lib="esnext.disposable" preserve="true" />

import { ClosedError } from '../core/errors.ts';
import { Event } from '../core/event.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { created } from '../core/unstarted.ts';
import { Dialer } from './http-dial.ts';
import { ClosedByUs } from './http-failure.ts';
import { completed, Outgoing } from './http-outgoing.ts';
import { Pool, type PoolOptions, type PoolStats } from './http-pool.ts';
import type { ProxyChoice } from './http-proxy.ts';
import { HttpRequest, type RequestOptions } from './http-request.ts';
import type { Response } from './http-response.ts';
import { type ClientOptions, checkSettings, type Defaults, type Limits } from './http-settings.ts';
import { parseTarget } from './http-target.ts';
import { type Network, networkOf } from './network.ts';

/** The method's own name says the method. */
export type MethodOptions = Omit<RequestOptions, 'method' | 'client'>;

/** An HTTP client with a pool of kept connections. */
export class Client {
  /** @internal */ readonly limits: Limits;
  /** @internal */ readonly defaults: Defaults;
  readonly #poolOptions: Omit<PoolOptions, 'proxy'>;
  readonly #proxy: ProxyChoice;
  readonly #pools: Map<string, Pool> = new Map();
  readonly #drained: Event = new Event({ name: 'of an http client that drains' });
  readonly #forget = (pool: Pool): void => {
    if (this.#pools.get(pool.origin) === pool) this.#pools.delete(pool.origin);
    if (this.#lastPool === pool) this.#lastPool = undefined;
  };
  /** The same for each simulated network, while its world lasts. */
  readonly #simulated: Map<Network, Map<string, Pool>> = new Map();
  /** Nearly all requests go where the one before went. */
  #lastPool: Pool | undefined = undefined;
  #lastBare: { readonly given: string; readonly message: Outgoing } | undefined = undefined;
  #running = 0;
  #state: 'open' | 'draining' | 'closed' = 'open';

  /**
   * Never switches, connects to nothing.
   *
   * @throws RangeError if a limit is no positive number. @throws TypeError for another option that cannot be. @throws TlsError for a certificate that is none.
   */
  constructor(options: ClientOptions = {}) {
    const { limits, defaults, proxy, dial } = checkSettings(options);
    this.limits = limits;
    this.defaults = defaults;
    this.#proxy = proxy;
    this.#poolOptions = { ...limits, allowH2: dial.allowH2, dialer: new Dialer(dial) };
  }

  /**
   * Make a request; the response is returned as soon as its status and headers have come.
   *
   * Switches. The request is made anew each time this Op is started. If it throws, the connection is closed, and the request may have had its effect.
   *
   * @throws TypeError at the call, for a bad URL, method, header or body. @throws ConnectError, DnsError if there is no connection.
   * @throws IncompleteBodyError if the connection ends first. @throws ParseError if what comes is no HTTP. @throws TimeoutError (timeoutMs, or a limit of the client)
   * @throws HttpError (ERR_HTTP_QUEUE_FULL) if too many wait. @throws ClosedError if the client is closed. @throws Killed
   */
  request(url: string | URL, options?: RequestOptions): Op<Response> {
    return created(new HttpRequest(this, url, options, undefined));
  }

  /** As request, with GET. */
  get(url: string | URL, options?: MethodOptions): Op<Response> {
    return created(new HttpRequest(this, url, options, 'GET'));
  }
  /** As request, with HEAD: the body is empty. */
  head(url: string | URL, options?: MethodOptions): Op<Response> {
    return created(new HttpRequest(this, url, options, 'HEAD'));
  }
  /** As request, with POST. */
  post(url: string | URL, options?: MethodOptions): Op<Response> {
    return created(new HttpRequest(this, url, options, 'POST'));
  }
  /** As request, with PUT. */
  put(url: string | URL, options?: MethodOptions): Op<Response> {
    return created(new HttpRequest(this, url, options, 'PUT'));
  }
  /** As request, with PATCH. */
  patch(url: string | URL, options?: MethodOptions): Op<Response> {
    return created(new HttpRequest(this, url, options, 'PATCH'));
  }
  /** As request, with DELETE. */
  delete(url: string | URL, options?: MethodOptions): Op<Response> {
    return created(new HttpRequest(this, url, options, 'DELETE'));
  }

  /** Was close() or closeGracefully() called? */
  get closed(): boolean {
    return this.#state !== 'open';
  }

  /** What is open now: exchanges under way, and the connections and the queue of each origin. */
  stats(): { readonly running: number; readonly origins: Readonly<Record<string, PoolStats>> } {
    const origins = Object.create(null) as Record<string, PoolStats>;
    for (const pool of this.#pools.values()) origins[pool.origin] = pool.stats();
    return { running: this.#running, origins };
  }

  /** Close the connections that carry nothing. Never switches. */
  closeIdle(): void {
    for (const pool of [...this.#pools.values()]) pool.closeIdle();
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Close everything now: each request under way, and each body that is being read, ends in a ClosedError. Never switches; idempotent. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const cause = new ClosedByUs('the client was closed');
    for (const pool of [...this.#pools.values()]) pool.close(cause);
    for (const pools of this.#simulated.values()) for (const pool of [...pools.values()]) pool.close(cause);
    this.#simulated.clear();
  }

  /**
   * Refuse new requests, wait until those under way have ended and their bodies have come, then close.
   *
   * Switches if there are any. If it throws, everything is closed all the same. @throws Killed
   */
  closeGracefully(): Op<void> {
    return { [Symbol.iterator]: () => this.#drain() };
  }

  *#drain(): Generator<Trap, void, Resume> {
    if (this.#state === 'open') this.#state = 'draining';
    try {
      if (this.#running > 0) yield* this.#drained.wait();
    } finally {
      this.close();
    }
  }

  /** What is sent for a request without options. Many programs ask for one URL again and again. @internal */
  bareMessage(url: string | URL, method: string): Outgoing {
    const last = this.#lastBare;
    if (last !== undefined && last.given === url && last.message.method === method) return last.message;
    const target = parseTarget(url, undefined, this.defaults.baseUrl);
    const headers = completed([], this.defaults, target.origin, this.defaults.policy);
    const message = new Outgoing(this, target, method, headers, null, undefined);
    // A URL object may change.
    if (typeof url === 'string') this.#lastBare = { given: url, message };
    return message;
  }

  /** @internal */
  poolFor(origin: string, scheduler: Scheduler): Pool {
    if (this.#state !== 'open') throw new ClosedError(`request to ${origin}: the http client is closed`);
    const network = networkOf(scheduler);
    if (!network.external) return this.#simulatedPool(origin, network, scheduler);
    if (this.#lastPool?.origin === origin) return this.#lastPool;
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(origin, { ...this.#poolOptions, proxy: this.#proxy(origin) }, this.#forget);
      this.#pools.set(origin, pool);
    }
    this.#lastPool = pool;
    return pool;
  }

  /** Connections of one world are of no use in another, and end with it. */
  #simulatedPool(origin: string, network: Network, scheduler: Scheduler): Pool {
    let pools = this.#simulated.get(network);
    if (pools === undefined) {
      pools = new Map();
      this.#simulated.set(network, pools);
      network.atEnd?.(() => this.#endSimulated(network));
    }
    let pool = pools.get(origin);
    if (pool === undefined) {
      const options = { ...this.#poolOptions, proxy: this.#proxy(origin), simulated: { network, scheduler } };
      pool = new Pool(origin, options, () => pools.delete(origin));
      pools.set(origin, pool);
    }
    return pool;
  }

  #endSimulated(network: Network): void {
    const pools = this.#simulated.get(network);
    this.#simulated.delete(network);
    for (const pool of [...(pools?.values() ?? [])]) pool.close(new ClosedByUs('the simulation is over'));
  }

  /** @internal */
  exchangeBegan(): void {
    this.#running += 1;
  }

  /** @internal */
  exchangeEnded(): void {
    this.#running -= 1;
    if (this.#running === 0 && this.#state !== 'open') this.#drained.set();
  }
}
