// node-datagrams.ts: Node's UDP sockets behind the host seam.
//
// Handles are unref'd: whether the process lives is for the scheduler's hold() to say, which counts the greenlets that wait. A port is never
// shared (`exclusive`), also not between the workers of a cluster.

import dgram from 'node:dgram';
import { Address, familyOf } from './address.ts';
import type { DatagramHandle, DatagramSink, DatagramTarget, Pending } from './network.ts';

// Taken at load: patches never reach us.
const { createSocket } = dgram;

class NodeDatagrams implements DatagramHandle {
  readonly address: Address;
  readonly #socket: dgram.Socket;

  constructor(socket: dgram.Socket) {
    this.#socket = socket;
    const { address, port } = socket.address();
    this.address = new Address(address, port);
  }

  send(bytes: Uint8Array, host: string, port: number, done: (error: unknown) => void): void {
    this.#socket.send(bytes, port, host, (error) => done(error ?? undefined));
  }

  close(): void {
    this.#socket.close();
  }
}

/** Bind a socket; Network.bind for Node. */
export function bindDatagrams({ host, port }: DatagramTarget, sink: DatagramSink): Pending {
  const socket = createSocket(familyOf(host) === 6 ? 'udp6' : 'udp4');
  let cancelled = false;
  socket.on('error', (error) => {
    if (!cancelled) sink.failed(error);
  });
  socket.on('message', (bytes, from) => sink.received(bytes, new Address(from.address, from.port)));
  socket.bind({ address: host, port, exclusive: true }, () => {
    if (cancelled) return;
    socket.unref();
    sink.bound(new NodeDatagrams(socket));
  });
  return {
    cancel() {
      cancelled = true;
      socket.close();
      return true;
    },
  };
}
