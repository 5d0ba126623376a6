// http-dial.ts: how a connection to an origin is made: directly, or through a proxy, with TLS where the origin wants it.
//
// Over Node's network undici's own connector does the work, several addresses, TLS and ALPN; over a simulated one network-connector.ts does. Every
// socket on the way is shown to `adopt` as soon as it exists, so that giving up closes it.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buildConnector } from 'undici';
import type { Scheduler } from '../core/scheduler.ts';
import { connectWithLookup, nodeLookup } from './dns-node-lookup.ts';
import type { HttpProxy } from './http-proxy.ts';
import { Tunnel } from './http-tunnel.ts';
import type { Network } from './network.ts';
import { connectThrough } from './network-connector.ts';
import { tlsErrorOf } from './tls-errors.ts';
import { nodeTlsOptions, type TlsClient } from './tls-options.ts';

export interface DialOptions {
  readonly connectTimeoutMs: number;
  readonly allowH2: boolean;
  readonly tls: TlsClient | undefined;
}

/** What is dialled. */
export interface Dialled {
  readonly target: buildConnector.Options;
  readonly proxy: HttpProxy | undefined;
  readonly scheduler: Scheduler;
  /** Set over a simulated network. */
  readonly network: Network | undefined;
}

type Done = (error: Error | null, socket: Socket | null) => void;
type Connect = (target: buildConnector.Options & { httpSocket?: Duplex | undefined }, done: Done) => Socket;

export class Dialer {
  readonly #limitMs: number;
  readonly #connect: Connect;
  readonly #toProxies: Map<HttpProxy, Connect> = new Map();
  readonly #servername: string | undefined;

  constructor({ connectTimeoutMs, allowH2, tls }: DialOptions) {
    this.#limitMs = connectTimeoutMs;
    this.#servername = tls?.servername;
    this.#connect = this.#connectorOf(tls, allowH2);
  }

  /** Begin. `done` is told once, with the socket that `adopt` was shown last. */
  dial(what: Dialled, adopt: (socket: Socket) => void, done: Done): void {
    const { target, proxy, scheduler, network } = what;
    const begin = (to: buildConnector.Options, connect: Connect, then: Done): void => {
      if (network === undefined) adopt(connectWithLookup(() => connect(to, then)));
      else adopt(connectThrough(network, scheduler, to, this.#limitMs, then as never) as unknown as Socket);
    };
    const named = this.#servername === undefined ? target : { ...target, servername: this.#servername };
    if (proxy === undefined) {
      begin(named, this.#connect, done);
      return;
    }
    const { protocol, hostname, port, name } = proxy;
    const there = { protocol, hostname, port, host: `${hostname}:${port}` };
    const failed = (error: Error | null): void =>
      done(error === null ? null : (tlsErrorOf(`TLS with proxy ${name}`, there.host, error) ?? error), null);
    begin(there, this.#connectToProxy(proxy), (error, socket) => {
      if (socket === null || socket === undefined) failed(error);
      else if (target.protocol === 'http:') done(null, socket);
      else {
        const authority = `${target.hostname}:${target.port === '' ? '443' : target.port}`;
        const opened = (refused: Error | undefined): void => {
          if (refused === undefined) adopt(this.#connect({ ...named, httpSocket: socket }, done));
          else done(refused, null);
        };
        new Tunnel(socket, proxy, authority, scheduler, this.#limitMs, opened);
      }
    });
  }

  #connectToProxy(proxy: HttpProxy): Connect {
    let connect = this.#toProxies.get(proxy);
    if (connect === undefined) {
      connect = this.#connectorOf(proxy.tls, false);
      this.#toProxies.set(proxy, connect);
    }
    return connect;
  }

  #connectorOf(tls: TlsClient | undefined, allowH2: boolean): Connect {
    const timeout = this.#limitMs === Number.POSITIVE_INFINITY ? 0 : this.#limitMs;
    const secured = tls === undefined ? {} : nodeTlsOptions(tls);
    // It returns its socket, which its type does not say.
    return buildConnector({ lookup: nodeLookup, timeout, ...secured, allowH2 }) as unknown as Connect;
  }
}
