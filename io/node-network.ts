// node-network.ts: Node's lookups, connections and listeners behind the host seam.
//
// Not the limit of lookups: that is dns-lookups.ts, which they all go through.

import net from 'node:net';
import { Address, familyOf } from './address.ts';
import { type LookupDone, lookups } from './dns-lookups.ts';
import {
  type DatagramSink,
  type DatagramTarget,
  type ListenHandle,
  type ListenSink,
  type ListenTarget,
  type LookupLoad,
  type Network,
  type Pending,
  provideHostNetwork,
  type Target,
  type TransportOptions,
} from './network.ts';
import { bindDatagrams } from './node-datagrams.ts';
import { descriptorLimit, hasDescriptor, isExhaustion, mostConnections, watchDescriptors } from './node-descriptors.ts';
import { NodeTransport } from './node-transport.ts';
import type { Transport } from './transport.ts';

// Taken at load: patches never reach us.
const { createServer } = net;

/** How much Node may hold of a connection that we have paused. Ours to say: its default depends on the version. */
const NODE_HIGH_WATER_MARK = 16_384;

interface WithDescriptor {
  readonly _handle?: { readonly fd?: number } | null;
}

class NodeNetwork implements Network {
  readonly external = true;

  lookup(host: string, family: number, done: LookupDone, unheard: () => void): Pending {
    return lookups.ask(host, family, done, unheard);
  }

  bind(target: DatagramTarget, sink: DatagramSink): Pending {
    return bindDatagrams(target, sink);
  }

  lookupLoad(): LookupLoad {
    return lookups.load();
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
    let unwatch = (): void => {};
    const close = (): void => {
      closed = true;
      unwatch();
      server.close();
    };
    const limit = descriptorLimit();
    const overloaded = (): void => {
      if (!closed) sink.overloaded?.();
    };
    server.on('error', (error) => {
      if (closed) return;
      sink.failed(error);
      if (isExhaustion(error)) overloaded();
    });
    server.on('connection', (socket) => {
      const descriptor = (socket as WithDescriptor)._handle?.fd ?? -1;
      const transport = NodeTransport.accepted(socket, local);
      if (closed) transport.destroy();
      else sink.connected(transport);
      // The system gives out the lowest one that is free: this was the last.
      if (descriptor >= limit - 1) overloaded();
    });
    server.on('listening', () => {
      server.unref();
      if (!closed) unwatch = watchDescriptors(overloaded);
      const handle: ListenHandle = {
        address: addressOf(server),
        mostConnections: mostConnections(limit),
        hasRoom: hasDescriptor,
        close,
      };
      // All connections have the listener's own address as theirs, unless it listens on every one that there is.
      if (!isWildcard(handle.address)) local = handle.address;
      if (closed) server.close();
      else sink.listening(handle);
    });
    const { path, host, port, backlog, reusePort = false } = target;
    const shared = reusePort ? { reusePort } : {};
    if (path !== undefined) server.listen({ path, backlog });
    else server.listen(host === undefined ? { port, backlog, ...shared } : { host, port, backlog, ...shared });
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
