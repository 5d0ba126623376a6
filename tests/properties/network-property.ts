// network-property.ts: a property of code on our sockets, explored over the simulated network; and what such properties have in common.
import { AsyncResult, connect, listen, type Op, type Socket } from 'tendril';
import type { NetworkOptions, SimulatedWorld } from 'tendril/testing';
import type { PropertyOf } from './property.ts';

export interface NetworkProperty extends PropertyOf<SimulatedWorld> {
  /** The network, and its faults. */
  readonly options: NetworkOptions;
}

/** A network that cuts and joins all it can, and is quick: what is read never comes as it was written. */
export const CHOPPY: NetworkOptions = {
  net: { latency: { minMs: 1, maxMs: 3 } },
  faults: { shortRead: 0.5, shortWrite: 0.2, join: 0.3 },
};

/** Both ends of one connection. Close them. */
export function* connection(world: SimulatedWorld): Op<{ near: Socket; far: Socket }> {
  const accepted = new AsyncResult<Socket>();
  world.net.host('server', {
    *main() {
      const listener = yield* listen({ host: '0.0.0.0', port: 7 });
      accepted.set(yield* listener.accept());
      listener.close();
    },
  });
  const near = yield* connect({ host: 'server', port: 7 });
  return { near, far: yield* accepted.get() };
}

/** Write `bytes` in pieces of sizes that the world chooses. */
export function* writeInPieces(world: SimulatedWorld, socket: Socket, bytes: Uint8Array): Op<void> {
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + world.choose(8, 'piece');
    yield* socket.write(bytes.subarray(at, at + size));
    at += size;
    if (world.chance(0.2, 'flush')) yield* socket.flush();
  }
}
