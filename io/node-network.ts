// node-network.ts: Node's lookups, connections and listeners behind the host seam.
//
// At most three of our lookups are in the thread pool at once: getaddrinfo cannot be stopped, four stuck ones would fill the pool and block every
// file operation of the process. The others wait in a queue, from which they can be taken back.

import dns from 'node:dns';
import net from 'node:net';
import { Address, familyOf } from './address.ts';
import {
  type ListenHandle,
  type ListenSink,
  type ListenTarget,
  type Network,
  type Pending,
  provideHostNetwork,
  type Resolved,
  type Target,
  type TransportOptions,
} from './network.ts';
import { NodeTransport } from './node-transport.ts';
import type { Transport } from './transport.ts';

// Taken at load: patches never reach us.
const { lookup } = dns;
const { createServer } = net;

const MOST_LOOKUPS = 3;
/** How much Node may hold of a connection that we have paused. Ours to say: its default depends on the version. */
const NODE_HIGH_WATER_MARK = 16_384;

type LookupDone = (error: unknown, addresses: readonly Resolved[]) => void;

class Lookup implements Pending {
  readonly host: string;
  readonly family: number;
  readonly #done: LookupDone;
  readonly #unheard: () => void;
  #state: 'queued' | 'running' | 'cancelled' | 'done' = 'queued';

  constructor(host: string, family: number, done: LookupDone, unheard: () => void) {
    this.host = host;
    this.family = family;
    this.#done = done;
    this.#unheard = unheard;
  }

  begin(ended: () => void): void {
    this.#state = 'running';
    lookup(this.host, { all: true, family: this.family }, (error, addresses) => {
      ended();
      const cancelled = this.#state === 'cancelled';
      this.#state = 'done';
      if (cancelled) this.#unheard();
      else this.#done(error ?? undefined, addresses ?? []);
    });
  }

  cancel(): boolean {
    const before = this.#state;
    if (before !== 'done') this.#state = 'cancelled';
    return before !== 'running';
  }

  get cancelled(): boolean {
    return this.#state === 'cancelled';
  }
}

class NodeNetwork implements Network {
  readonly external = true;
  #running = 0;
  readonly #queue = new Set<Lookup>();

  lookup(host: string, family: number, done: LookupDone, unheard: () => void): Pending {
    const asked = new Lookup(host, family, done, unheard);
    this.#queue.add(asked);
    this.#next();
    return {
      cancel: () => {
        this.#queue.delete(asked);
        return asked.cancel();
      },
    };
  }

  #next(): void {
    for (const asked of this.#queue) {
      if (this.#running === MOST_LOOKUPS) return;
      this.#queue.delete(asked);
      this.#running += 1;
      asked.begin(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  connect(
    target: Target,
    options: TransportOptions,
    done: (error: unknown, transport: Transport | undefined) => void,
  ): Pending {
    return NodeTransport.connect(target, options, done);
  }

  listen(target: ListenTarget, options: TransportOptions, sink: ListenSink): Pending {
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: options.noDelay,
      highWaterMark: NODE_HIGH_WATER_MARK,
      ...(options.keepAliveMs === Number.POSITIVE_INFINITY
        ? {}
        : { keepAlive: true, keepAliveInitialDelay: options.keepAliveMs }),
    } as net.ServerOpts);
    let local: Address | undefined;
    let closed = false;
    const close = (): void => {
      closed = true;
      server.close();
    };
    server.on('error', (error) => {
      if (!closed) sink.failed(error);
    });
    server.on('connection', (socket) => {
      const transport = NodeTransport.accepted(socket, local);
      if (closed) transport.destroy();
      else sink.connected(transport);
    });
    server.on('listening', () => {
      server.unref();
      const handle: ListenHandle = { address: addressOf(server), close };
      // All connections have the listener's own address as theirs, unless it listens on every one that there is.
      if (!isWildcard(handle.address)) local = handle.address;
      if (closed) server.close();
      else sink.listening(handle);
    });
    const { path, host, port, backlog } = target;
    if (path !== undefined) server.listen({ path, backlog });
    else server.listen(host === undefined ? { port, backlog } : { host, port, backlog });
    return {
      cancel() {
        close();
        return true;
      },
    };
  }
}

function addressOf(server: net.Server): Address {
  const address = server.address();
  if (typeof address === 'string' || address === null) return new Address('', 0, address ?? '');
  return new Address(address.address, address.port);
}

function isWildcard({ host, path }: Address): boolean {
  return path === undefined && familyOf(host) !== 0 && /^[0.:]+$/.test(host);
}

provideHostNetwork(new NodeNetwork());
