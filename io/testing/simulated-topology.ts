// simulated-topology.ts: the hosts of a simulated network, their names and addresses, and the links between them.
//
// Hosts get 10.0.0.1, 10.0.0.2, ... in order of their making unless they bring addresses of their own. Links are made when they are first used.
//
// Invariant: no two hosts have a name or an address in common.

import { typeError } from '../../core/bad-argument.ts';
import { UsageError } from '../../core/errors.ts';
import { checkOptions, familyOf, own, shownValue } from '../address.ts';
import { type HostOptions, SimulatedHost } from './simulated-host.ts';
import { type Latency, Link } from './simulated-link.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

/** One host or several, as such or by name. */
export type Hosts = SimulatedHost | string | readonly (SimulatedHost | string)[];

interface Which {
  readonly oneWay: boolean;
  readonly loopback: boolean;
}

const NO_TIME: Latency = { minMs: 0, maxMs: 0 };

export class Topology {
  readonly #net: SimulatedNetwork;
  readonly #latency: Latency;
  readonly #loopback: Latency;
  readonly #hosts: Map<string, SimulatedHost> = new Map();
  readonly #byAddress: Map<string, SimulatedHost> = new Map();
  readonly #links: Map<SimulatedHost, Map<SimulatedHost, Link>> = new Map();
  readonly #local: Map<SimulatedHost, Link> = new Map();
  #lastAddress = 0;
  #mild = false;

  constructor(net: SimulatedNetwork, latency: Latency, loopback: Latency) {
    this.#net = net;
    this.#latency = latency;
    this.#loopback = loopback;
  }

  get hosts(): SimulatedHost[] {
    return [...this.#hosts.values()];
  }

  named(name: string): SimulatedHost | undefined {
    return this.#hosts.get(name.toLowerCase());
  }

  at(address: string): SimulatedHost | undefined {
    return this.#byAddress.get(address);
  }

  add(name: string, options: HostOptions): SimulatedHost {
    const given = checkOptions(options, 'net.host') as HostOptions;
    const addresses = own<readonly string[]>(given, 'addresses') ?? [this.#nextAddress()];
    for (const address of addresses) {
      if (familyOf(address) === 0) throw typeError(`net.host: addresses are IP addresses, not ${shownValue(address)}`);
      const owner = this.at(address);
      if (owner !== undefined) throw new UsageError(`net.host: host ${owner.name} has the address ${address} already`);
    }
    const host = new SimulatedHost(this.#net, name, [...addresses], given);
    this.#hosts.set(name.toLowerCase(), host);
    for (const address of addresses) this.#byAddress.set(address, host);
    return host;
  }

  /** The hosts that an argument means. @throws UsageError for a name that no host has. */
  select(hosts: Hosts, where: string): SimulatedHost[] {
    const list = Array.isArray(hosts)
      ? (hosts as readonly (SimulatedHost | string)[])
      : [hosts as SimulatedHost | string];
    return list.map((host) => {
      if (host instanceof SimulatedHost) return host;
      if (typeof host !== 'string') throw typeError(`${where} takes hosts or their names, not ${shownValue(host)}`);
      const known = this.named(host);
      if (known === undefined) throw new UsageError(`${where}: there is no host ${host}; net.host('${host}') makes it`);
      return known;
    });
  }

  link(from: SimulatedHost, to: SimulatedHost): Link {
    let links = this.#links.get(from);
    if (links === undefined) {
      links = new Map();
      this.#links.set(from, links);
    }
    let link = links.get(to);
    if (link === undefined) {
      link = new Link(from, to, from === to ? this.#loopback : this.#latency, this.#net.choices);
      link.mild = this.#mild;
      links.set(to, link);
    }
    return link;
  }

  /** What the Unix sockets of `host` go through. */
  localLink(host: SimulatedHost): Link {
    let link = this.#local.get(host);
    if (link === undefined) {
      link = new Link(host, host, NO_TIME, this.#net.choices);
      this.#local.set(host, link);
    }
    return link;
  }

  /** The links between two groups of hosts, in one direction or in both; with `loopback` also that of a host that is in both. */
  between(from: Hosts, to: Hosts, { oneWay, loopback }: Which, where: string): Link[] {
    const links = new Set<Link>();
    for (const near of this.select(from, where)) {
      for (const far of this.select(to, where)) {
        if (near === far && !loopback) continue;
        links.add(this.link(near, far));
        if (!oneWay) links.add(this.link(far, near));
      }
    }
    return [...links];
  }

  /** The links that lead to `host`. */
  to(host: SimulatedHost): Link[] {
    return [...this.#links.values()].flatMap((links) => [...links.values()].filter((link) => link.to === host));
  }

  /** Every link works, with the shortest latency, from now on. */
  heal(): void {
    this.#mild = true;
    for (const links of this.#links.values()) {
      for (const link of links.values()) {
        link.down = false;
        link.clogged = false;
        link.mild = true;
        link.changed();
      }
    }
  }

  #nextAddress(): string {
    for (;;) {
      this.#lastAddress += 1;
      const number = this.#lastAddress;
      const address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
      if (!this.#byAddress.has(address)) return address;
    }
  }
}
