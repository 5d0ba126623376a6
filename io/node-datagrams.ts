// node-datagrams.ts: Node's UDP sockets behind the host seam.
//
// Handles are unref'd: whether the process lives is for the scheduler's hold() to say, which counts the greenlets that wait. A port is never
// shared (`exclusive`), also not between the workers of a cluster.
//
// A connected socket is bound first and connected then, so that it has the address that was asked for. The system gives it the datagrams of its peer only.
// What came between the two may be from anyone: the caller looks at the sender.

import dgram from 'node:dgram';
import { Address, familyOf } from './address.ts';
import type { DatagramHandle, DatagramOptions, DatagramSink, DatagramTarget, Pending } from './network.ts';

// Taken at load: patches never reach us.
const { createSocket } = dgram;

class NodeDatagrams implements DatagramHandle {
  readonly address: Address;
  readonly remote: Address | undefined;
  readonly #socket: dgram.Socket;

  constructor(socket: dgram.Socket, connected: boolean) {
    this.#socket = socket;
    this.address = addressOf(socket.address());
    this.remote = connected ? addressOf(socket.remoteAddress()) : undefined;
  }

  send(bytes: Uint8Array, host: string, port: number, done: (error: unknown) => void): void {
    const told = (error: Error | null): void => done(error ?? undefined);
    if (this.remote !== undefined) this.#socket.send(bytes, told);
    else this.#socket.send(bytes, port, host, told);
  }

  join(group: string, onInterface: string | undefined): void {
    this.#socket.addMembership(group, onInterface);
  }

  leave(group: string, onInterface: string | undefined): void {
    this.#socket.dropMembership(group, onInterface);
  }

  close(): void {
    this.#socket.close();
  }
}

/** Bind a socket, and connect it if it has a peer; Network.bind for Node. */
export function bindDatagrams({ host, port, remote, options }: DatagramTarget, sink: DatagramSink): Pending {
  const socket = createSocket({
    type: familyOf(host) === 6 ? 'udp6' : 'udp4',
    reuseAddr: options?.reuseAddress === true,
  });
  let cancelled = false;
  let bound = false;
  const refuse = (error: unknown): void => {
    if (cancelled) return;
    cancelled = true;
    sink.failed(error);
    socket.close();
  };
  const ready = (): void => {
    if (cancelled) return;
    try {
      apply(socket, options);
    } catch (error) {
      refuse(error);
      return;
    }
    bound = true;
    socket.unref();
    sink.bound(new NodeDatagrams(socket, remote !== undefined));
  };
  socket.on('error', (error) => {
    if (bound) sink.failed(error);
    else refuse(error);
  });
  socket.on('message', (bytes, from) => sink.received(bytes, addressOf(from)));
  socket.bind({ address: host, port, exclusive: true }, () => {
    if (cancelled) return;
    if (remote === undefined) ready();
    else
      socket.connect(remote.port, remote.host, (error?: unknown) => {
        if (error === undefined || error === null) ready();
        else refuse(error);
      });
  });
  return {
    cancel() {
      cancelled = true;
      socket.close();
      return true;
    },
  };
}

function addressOf({ address, port }: { readonly address: string; readonly port: number }): Address {
  return new Address(address, port);
}

function apply(socket: dgram.Socket, options: DatagramOptions | undefined): void {
  if (options === undefined) return;
  const { broadcast, ttl, multicastTtl, multicastLoopback, multicastInterface } = options;
  if (broadcast !== undefined) socket.setBroadcast(broadcast);
  if (ttl !== undefined) socket.setTTL(ttl);
  if (multicastTtl !== undefined) socket.setMulticastTTL(multicastTtl);
  if (multicastLoopback !== undefined) socket.setMulticastLoopback(multicastLoopback);
  if (multicastInterface !== undefined) socket.setMulticastInterface(multicastInterface);
}
