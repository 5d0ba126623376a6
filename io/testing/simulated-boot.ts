// simulated-boot.ts: one life of a host, from its start to its crash: what its greenlets open, behind the host seam.
//
// A host that is restarted gets a new one. Greenlets of the old life that still clean up keep the old one, on which every operation fails with
// ENETDOWN: nothing that they do gets out.
//
// Ports are given out in sequence from 32768, as Linux' range begins there; a number is used again only after all the others.
//
// Invariants:
//   ends, attempts, listeners and datagram sockets are what counts against the descriptors
//   no two listeners have the same port and the same address, or the same port and one of them the wildcard

import { Address, familyOf } from '../address.ts';
import type {
  DatagramSink,
  DatagramTarget,
  ListenHandle,
  ListenSink,
  ListenTarget,
  Network,
  Pending,
  Target,
  TransportOptions,
} from '../network.ts';
import { Alarm } from './simulated-clock.ts';
import { SimulatedDatagrams } from './simulated-datagrams.ts';
import type { SystemEnd } from './simulated-end.ts';
import { bindError, connectError, datagramError, listenError, lookupError } from './simulated-errors.ts';
import { Attempt, type Connected, Listening } from './simulated-handshake.ts';
import type { SimulatedHost } from './simulated-host.ts';
import { type LookupDone, SimulatedLookup } from './simulated-lookup.ts';
import type { SimulatedNetwork } from './simulated-network.ts';
import { connectPath } from './simulated-unix.ts';

/** How long a host looks for the neighbour of an address that nobody has (ARP, three tries). */
const UNREACHABLE_MS = 3000;

export class Boot implements Network {
  readonly external = false;
  readonly net: SimulatedNetwork;
  readonly host: SimulatedHost;
  alive = true;
  readonly ends: Set<SystemEnd> = new Set();
  readonly attempts: Set<Attempt> = new Set();
  readonly datagrams: Set<SimulatedDatagrams> = new Set();
  readonly #listeners: Listening[] = [];
  readonly lookups: Set<SimulatedLookup> = new Set();

  constructor(host: SimulatedHost) {
    this.host = host;
    this.net = host.net;
  }

  /** Are all descriptors in use? */
  get exhausted(): boolean {
    const open = this.ends.size + this.attempts.size + this.#listeners.length + this.datagrams.size;
    return open >= this.host.descriptors;
  }

  get listeners(): readonly Listening[] {
    return this.#listeners;
  }

  atEnd(end: () => void): void {
    this.net.atEnd(end);
  }

  lookup(host: string, family: number, done: LookupDone, unheard: () => void): Pending {
    if (!this.alive) return this.failing(() => done(lookupError('EAI_AGAIN', host), []));
    return new SimulatedLookup(this, host, family, done, unheard);
  }

  connect(target: Target, options: TransportOptions, done: Connected): Pending {
    if (target.path !== undefined) return connectPath(this, target.path, options, done);
    const { net } = this;
    const { port } = target;
    const address = plainAddress(target.host);
    const fail = (code: string, afterMs = 0): Pending =>
      this.failing(() => done(connectError(code, target.host, port), undefined), afterMs);
    if (!this.alive) return fail('ENETDOWN');
    if (this.exhausted) return fail('EMFILE');
    const family = familyOf(address);
    const { localHost } = options;
    if (localHost !== undefined && !this.host.owns(localHost))
      return this.failing(() => done(bindError('EADDRNOTAVAIL', localHost), undefined));
    const from = localHost ?? this.host.sourceFor(address, family);
    if (from === undefined) return fail('ENETUNREACH');
    if (port === 0) return fail('ECONNREFUSED');
    const host = this.host.owns(address) ? this.host : net.topology.at(address);
    if (host === undefined) return fail('EHOSTUNREACH', UNREACHABLE_MS);
    const local = new Address(from, this.host.nextPort());
    return new Attempt(this, host, local, new Address(address, port), options, done);
  }

  listen(target: ListenTarget, options: TransportOptions, sink: ListenSink): Pending {
    const { path, port } = target;
    const refuse = (error: Error): Pending => this.failing(() => sink.failed(error));
    if (path !== undefined) {
      if (!this.alive) return refuse(listenError('ENETDOWN', path, -1));
      if (this.exhausted) return refuse(listenError('EMFILE', path, -1));
      if (this.listenerOn(path) !== undefined) return refuse(listenError('EADDRINUSE', path, -1));
      return this.#bind(new Address('', 0, path), target, options, sink);
    }
    const name = target.host ?? '::';
    const host = familyOf(name) === 0 ? this.net.dns.addressOf(name) : name;
    if (!this.alive) return refuse(listenError('ENETDOWN', name, port));
    if (host === undefined) return refuse(lookupError('ENOTFOUND', name));
    if (this.exhausted) return refuse(listenError('EMFILE', host, port));
    if (!isWildcard(host) && !this.host.owns(host)) return refuse(listenError('EADDRNOTAVAIL', host, port));
    if (port !== 0 && this.#listeners.some(({ address }) => collide(address, host, port)))
      return refuse(listenError('EADDRINUSE', host, port));
    return this.#bind(new Address(host, port === 0 ? this.#freePort() : port), target, options, sink);
  }

  #bind(address: Address, target: ListenTarget, options: TransportOptions, sink: ListenSink): Pending {
    const listening = new Listening(this, address, target.backlog, options, sink);
    this.#listeners.push(listening);
    let pending = true;
    this.net.clock.soon(() => {
      if (pending && this.alive) sink.listening(listening as ListenHandle);
      pending = false;
    });
    return {
      cancel() {
        pending = false;
        listening.close();
        return true;
      },
    };
  }

  bind({ host, port }: DatagramTarget, sink: DatagramSink): Pending {
    const refuse = (code: string): Pending => this.failing(() => sink.failed(datagramError('bind', code, host, port)));
    if (!this.alive) return refuse('ENETDOWN');
    if (this.exhausted) return refuse('EMFILE');
    if (!isWildcard(host) && !this.host.owns(host)) return refuse('EADDRNOTAVAIL');
    if (port !== 0 && [...this.datagrams].some(({ address }) => collide(address, host, port)))
      return refuse('EADDRINUSE');
    const socket = new SimulatedDatagrams(this, new Address(host, port === 0 ? this.#freePort() : port), sink);
    this.datagrams.add(socket);
    let pending = true;
    this.net.clock.soon(() => {
      if (pending && this.alive) sink.bound(socket);
      pending = false;
    });
    return {
      cancel() {
        pending = false;
        socket.close();
        return true;
      },
    };
  }

  /** Who gets datagrams for `address`. */
  datagramsAt({ host, port }: Address): SimulatedDatagrams | undefined {
    for (const socket of this.datagrams) {
      const { address } = socket;
      if (address.port === port && familyOf(address.host) === familyOf(host) && serves(address.host, host))
        return socket;
    }
    return undefined;
  }

  #freePort(): number {
    for (;;) {
      const port = this.host.nextPort();
      const taken = [...this.#listeners, ...this.datagrams].some(({ address }) => address.port === port);
      if (!taken) return port;
    }
  }

  /** Who listens on `path`. */
  listenerOn(path: string): Listening | undefined {
    return this.#listeners.find(({ address }) => address.path === path);
  }

  /** Who listens on `address`. */
  listenerAt({ host, port }: Address): Listening | undefined {
    return this.#listeners.find(({ address }) => address.port === port && serves(address.host, host));
  }

  leftovers(): string[] {
    const { name } = this.host;
    return [
      ...this.#listeners.map(({ address }) => `${name}: listener ${address}`),
      ...[...this.attempts].map((attempt) => `${name}: connecting to ${attempt.remote}`),
      ...[...this.datagrams].map(({ address }) => `${name}: datagram socket ${address}`),
      ...[...this.ends].map(({ stream }) => `${name}: socket ${stream.localAddress} -> ${stream.remoteAddress}`),
    ];
  }

  forget(listening: Listening): void {
    const index = this.#listeners.indexOf(listening);
    if (index !== -1) this.#listeners.splice(index, 1);
  }

  /** The end of this life: everything vanishes, and nobody is told but those who wait here. */
  crash(): void {
    this.alive = false;
    for (const end of this.ends) end.vanish();
    this.ends.clear();
    for (const listening of this.#listeners.splice(0)) listening.vanish();
    for (const socket of this.datagrams) socket.vanish();
    this.datagrams.clear();
    for (const attempt of [...this.attempts]) this.net.clock.soon(() => attempt.fail('ENETDOWN'));
    this.attempts.clear();
    for (const lookup of this.lookups) this.net.clock.soon(() => lookup.fail());
  }

  /** Something that has failed already, and says so later. */
  failing(tell: () => void, afterMs = 0): Pending {
    const alarm = new Alarm(this.net.clock, tell);
    alarm.set(this.net.clock.now() + afterMs);
    return {
      cancel() {
        alarm.cancel();
        return true;
      },
    };
  }
}

function isWildcard(host: string): boolean {
  return host === '::' || host === '0.0.0.0';
}

/** Does a listener on `listening` get what is sent to `address`? */
function serves(listening: string, address: string): boolean {
  if (listening === address || listening === '::') return true;
  return listening === '0.0.0.0' && familyOf(address) === 4;
}

function collide(address: Address, host: string, port: number): boolean {
  if (address.port !== port) return false;
  return address.host === host || serves(address.host, host) || serves(host, address.host);
}

/** Where a packet to `host` really goes: the wildcards mean this host, and `::ffff:10.0.0.2` is an IPv4 address. */
function plainAddress(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '::1';
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host;
}
