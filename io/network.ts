// network.ts: the host seam: where lookups, connections and listeners come from.
//
// The process's scheduler uses Node's network (node-network.ts). A simulation gives its own scheduler another one with `provideNetwork`, and code
// on our sockets runs unchanged. One call is one address: trying several, timeouts and limits are above this seam, and the same everywhere.
//
// Callbacks come later, from the host, never from inside the call; each Pending calls back at most once, and not after cancel().

import type { Scheduler } from '../core/scheduler.ts';
import type { Address } from './address.ts';
import type { Transport } from './transport.ts';

/** Something under way. */
export interface Pending {
  /** Forget it. True if nothing will come of it any more; false if the host cannot stop it and it goes on unheard. */
  cancel(): boolean;
}

/** An address that a name stands for. */
export interface Resolved {
  readonly address: string;
  readonly family: number;
}

/** Where to connect: one IP address and port, or one path. */
export type Target =
  | { readonly path: string }
  | { readonly path: undefined; readonly host: string; readonly port: number; readonly family: number };

export interface TransportOptions {
  readonly noDelay: boolean;
  /** Send keepalive probes after so long without traffic; Infinity for none. */
  readonly keepAliveMs: number;
  /** The local address to connect from. */
  readonly localHost: string | undefined;
}

export interface ListenTarget {
  readonly path: string | undefined;
  readonly host: string | undefined;
  readonly port: number;
  /** How many connections the operating system holds for us. */
  readonly backlog: number;
  /** Let other processes listen on the same port; false if absent. */
  readonly reusePort?: boolean | undefined;
}

/** What a listening handle tells its owner. */
export interface ListenSink {
  listening(handle: ListenHandle): void;
  /** Before `listening`: it will not be. After it: one connection could not be accepted. */
  failed(error: unknown): void;
  /** A connection has come. It delivers nothing before start(). */
  connected(transport: Transport): void;
  /** No descriptor is left: the next connection cannot be accepted. May come again and again while that is so. */
  overloaded?(): void;
  /** The handle is gone although nobody has closed it: a simulated host has crashed. */
  closed(): void;
}

export interface ListenHandle {
  readonly address: Address;
  /** How many connections leave enough descriptors for everything else; no limit if absent. */
  readonly mostConnections?: number | undefined;
  /** Is there a descriptor for another connection? Always if absent. */
  hasRoom?(): boolean;
  close(): void;
}

/** Where to send and receive datagrams. */
export interface DatagramTarget {
  /** An IP address; a wildcard means every address of its family. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The only one to send to and receive from. A network that cannot do it leaves that to its caller. */
  readonly remote?: { readonly host: string; readonly port: number } | undefined;
  /** What Node's sockets can be told besides; a network that is no host's ignores it. */
  readonly options?: DatagramOptions | undefined;
}

/** Options of a datagram socket; what is undefined stays as the system has it. */
export interface DatagramOptions {
  readonly broadcast: boolean | undefined;
  readonly reuseAddress: boolean | undefined;
  readonly ttl: number | undefined;
  readonly multicastTtl: number | undefined;
  readonly multicastLoopback: boolean | undefined;
  readonly multicastInterface: string | undefined;
}

/** What a bound handle tells its owner. */
export interface DatagramSink {
  bound(handle: DatagramHandle): void;
  /** Before `bound`: it will not be. After it: something could not be received. */
  failed(error: unknown): void;
  /** One datagram, whole; the memory is ours. */
  received(bytes: Buffer, from: Address): void;
  /** The handle is gone although nobody has closed it. */
  closed(): void;
}

export interface DatagramHandle {
  readonly address: Address;
  /** The peer, if the host has connected it. */
  readonly remote?: Address | undefined;
  /** Send one datagram to an IP address; `done` is called when the operating system has it, or will not take it. */
  send(bytes: Uint8Array, host: string, port: number, done: (error: unknown) => void): void;
  /** Join or leave a multicast group, on one interface or on what the system chooses; throws what the system says. Absent if there are no groups. */
  join?(group: string, onInterface: string | undefined): void;
  leave?(group: string, onInterface: string | undefined): void;
  close(): void;
}

/** How busy the host's resolver is. */
export interface LookupLoad {
  /** Lookups that it works on, and how many there may be at once. */
  readonly running: number;
  readonly most: number;
  /** Lookups that wait for one of those to end. */
  readonly queued: number;
}

export interface Network {
  /**
   * Do events come from outside the scheduler's world? True for Node. False in a simulation, whose events are timers of its own scheduler: there a wait
   * that nothing can end is a deadlock, and must not stop the virtual clock.
   */
  readonly external: boolean;
  /** The network as the greenlet that runs now sees it; this one if absent. A simulation has several hosts, and each greenlet lives on one. */
  here?(): Network;
  /** Resolve a name. `unheard` is called if cancel() could not stop it and its answer has come after all. */
  lookup(
    host: string,
    family: number,
    done: (error: unknown, addresses: readonly Resolved[]) => void,
    unheard: () => void,
  ): Pending;
  /** Have `end` called when this network is used no more: a simulation is over. */
  atEnd?(end: () => void): void;
  /** Of a host whose lookups can get stuck: for the error that says so. */
  lookupLoad?(): LookupLoad;
  connect(
    target: Target,
    options: TransportOptions,
    done: (error: unknown, transport: Transport | undefined) => void,
  ): Pending;
  listen(target: ListenTarget, options: TransportOptions, sink: ListenSink): Pending;
  /** Send and receive datagrams; absent if this network has none. */
  bind?(target: DatagramTarget, sink: DatagramSink): Pending;
}

const networks = new WeakMap<Scheduler, Network | (() => Network)>();
let hostNetwork: Network | undefined;

/** Use `network` for everything that greenlets of `scheduler` open; a function makes it when it is first needed. */
export function provideNetwork(scheduler: Scheduler, network: Network | (() => Network)): void {
  networks.set(scheduler, network);
}

/** Use `network` for every scheduler that has none of its own. */
export function provideHostNetwork(network: Network): void {
  hostNetwork = network;
}

/** The network of whoever runs now in `scheduler`. */
export function networkOf(scheduler: Scheduler): Network {
  let network = networks.get(scheduler) ?? (hostNetwork as Network);
  if (typeof network === 'function') {
    network = network();
    networks.set(scheduler, network);
  }
  return network.here === undefined ? network : network.here();
}
