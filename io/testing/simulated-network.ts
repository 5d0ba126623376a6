// simulated-network.ts: a network in memory, behind the host seam: code on our sockets runs on it unchanged.
//
// It has hosts, names, links between hosts, and connections that behave as Node's do on Linux; which of the possible behaviours it is, the run's
// choices decide, where 0 is always the mildest: shortest latency, whole packets, no fault. Faults are calls that a test makes, or come at random
// (`faults`). heal() undoes them all. Everything that happens is a timer of one scheduler; nothing depends on the host, its clock or its sockets.
//
// Every decision is asked of `choices`, by these names: latency, short read, short write, join, and `fault ...` for each random fault.
// Sources: FoundationDB's simulation (clogging), Jepsen (partitions, the nemesis), madsim (the host seam).

import { typeError } from '../../core/bad-argument.ts';
import { UsageError } from '../../core/errors.ts';
import type { Scheduler } from '../../core/scheduler.ts';
import type { Choices } from '../../core/testing/choices.ts';
import { checkOptions, ownCount, ownFlag, shownValue } from '../address.ts';
import type {
  DatagramSink,
  DatagramTarget,
  ListenSink,
  ListenTarget,
  Network,
  Pending,
  Resolved,
  Target,
  TransportOptions,
} from '../network.ts';
import type { Boot } from './simulated-boot.ts';
import { NetworkClock } from './simulated-clock.ts';
import type { Breakage } from './simulated-connection.ts';
import { type ConnectionState, Connections } from './simulated-connections.ts';
import { SimulatedDns } from './simulated-dns.ts';
import type { Connected } from './simulated-handshake.ts';
import type { HostOptions, SimulatedHost } from './simulated-host.ts';
import { checkLatency, type Latency } from './simulated-link.ts';
import { Nemesis } from './simulated-nemesis.ts';
import { Residents } from './simulated-residents.ts';
import { Segments } from './simulated-segments.ts';
import { checkSettings, type Settings, type SimulatedNetworkOptions } from './simulated-settings.ts';
import { type Hosts, Topology } from './simulated-topology.ts';

export type { SimulatedNetworkOptions } from './simulated-settings.ts';

export interface OneWay {
  /** Only from the first to the second; false if not given. */
  readonly oneWay?: boolean | undefined;
}

export interface AfterBytes {
  /** Not now, but when so many bytes more have arrived, in both directions together. */
  readonly afterBytes?: number | undefined;
}

const HOME = 'client';

export class SimulatedNetwork implements Network {
  readonly external = false;
  readonly dns: SimulatedDns = new SimulatedDns(this);
  /** The host that the simulation's body runs on: `client`, 10.0.0.1. */
  readonly home: SimulatedHost;
  /** @internal */ readonly choices: Choices;
  /** @internal */ readonly clock: NetworkClock;
  /** @internal */ readonly log: ((line: string) => void) | undefined;
  /** @internal */ readonly segments: Segments;
  /** @internal */ readonly residents: Residents;
  /** @internal */ readonly topology: Topology;
  /** @internal */ readonly all: Connections = new Connections();
  /** Random faults, until heal(). @internal */ nemesis: Nemesis | undefined;
  /** @internal */ readonly settings: Settings;
  readonly #enders: (() => void)[] = [];

  /** @throws TypeError or RangeError for a bad option. */
  constructor(scheduler: Scheduler, choices: Choices, options: SimulatedNetworkOptions = {}) {
    const settings = checkSettings(options);
    this.settings = settings;
    this.choices = choices;
    this.clock = new NetworkClock(scheduler);
    this.residents = new Residents(scheduler);
    this.log = settings.log;
    this.topology = new Topology(this, settings.latency, settings.loopback);
    this.segments = new Segments(choices, settings.faults);
    this.nemesis = Nemesis.idle(settings.faults) ? undefined : new Nemesis(this, settings.faults);
    this.home = this.host(HOME);
  }

  /**
   * The host called `name`. It is made, and its `main` begins to run, when it is first asked for. Never switches.
   *
   * @throws UsageError for options of a host that is there already, or an address that another one has. @throws TypeError for bad arguments.
   */
  host(name: string, options?: HostOptions): SimulatedHost {
    if (typeof name !== 'string' || name === '') throw typeError(`net.host takes a name, not ${shownValue(name)}`);
    const known = this.topology.named(name);
    if (known !== undefined && options === undefined) return known;
    if (known !== undefined)
      throw new UsageError(`net.host: host ${name} is there already; options are for the first call`);
    const host = this.topology.add(name, options ?? {});
    if (this.topology.hosts.length > 1) this.residents.watch();
    host.runMain();
    return host;
  }

  /** Every host, in order of their making. */
  get hosts(): readonly SimulatedHost[] {
    return this.topology.hosts;
  }

  /** The network as the greenlet that runs now sees it. @internal */
  here(): Boot {
    return this.residents.current() ?? (this.home.boot as Boot);
  }

  lookup(
    host: string,
    family: number,
    done: (error: unknown, addresses: readonly Resolved[]) => void,
    unheard: () => void,
  ): Pending {
    return this.here().lookup(host, family, done, unheard);
  }

  connect(target: Target, options: TransportOptions, done: Connected): Pending {
    return this.here().connect(target, options, done);
  }

  listen(target: ListenTarget, options: TransportOptions, sink: ListenSink): Pending {
    return this.here().listen(target, options, sink);
  }

  bind(target: DatagramTarget, sink: DatagramSink): Pending {
    return this.here().bind(target, sink);
  }

  /**
   * Let nothing get from `a` to `b` and back: what TCP sends comes after the repair, what is sent only once is lost. Idempotent, as all of these.
   *
   * @throws UsageError for a host that is not there.
   */
  partition(a: Hosts, b: Hosts, options?: OneWay): void {
    this.#set(a, b, options, 'net.partition', 'down', true);
  }

  /** Cut the link between two hosts: a partition of two. */
  drop(a: Hosts, b: Hosts, options?: OneWay): void {
    this.#set(a, b, options, 'net.drop', 'down', true);
  }

  /** Undo `partition` and `drop` between these. */
  restoreLink(a: Hosts, b: Hosts, options?: OneWay): void {
    this.#set(a, b, options, 'net.restoreLink', 'down', false);
  }

  /** Let what is sent between `a` and `b` wait, in order, until unclog(). */
  clog(a: Hosts, b: Hosts, options?: OneWay): void {
    this.#set(a, b, options, 'net.clog', 'clogged', true);
  }

  unclog(a: Hosts, b: Hosts, options?: OneWay): void {
    this.#set(a, b, options, 'net.unclog', 'clogged', false);
  }

  /** Let packets between `a` and `b` travel so long. A host and itself is its loopback. @throws TypeError for a bad latency. */
  latency(a: Hosts, b: Hosts, latency: Latency, options?: OneWay): void {
    const where = 'net.latency';
    const checked = checkLatency(latency, where);
    const oneWay = oneWayOf(options, where);
    for (const link of this.topology.between(a, b, { oneWay, loopback: true }, where)) link.latency = checked;
  }

  /**
   * Reset every connection between `a` and `b`: both ends get a RST, and what is under way is lost. With `afterBytes`, each one that is there or is made
   * before heal() when so many bytes more have arrived.
   */
  reset(a: Hosts, b: Hosts, options?: AfterBytes): void {
    this.#break(a, b, options, 'net.reset', 'reset');
  }

  /** End every connection between `a` and `b` early: each end reads the other's end, although it has not sent one, and what is under way is lost. */
  endEarly(a: Hosts, b: Hosts, options?: AfterBytes): void {
    this.#break(a, b, options, 'net.endEarly', 'end');
  }

  /**
   * Undo every fault and let none happen any more: links work with their shortest latency, hosts that are down start again, names resolve. Connections
   * that are lost stay so. Never switches.
   */
  heal(): void {
    this.log?.('heal');
    this.nemesis?.stop();
    this.nemesis = undefined;
    this.segments.mild = true;
    this.dns.heal();
    this.topology.heal();
    for (const host of this.topology.hosts) host.heal();
    this.all.heal();
  }

  /** The connections that a system still carries, oldest first. */
  connections(): ConnectionState[] {
    return this.all.states();
  }

  /** Have `end` called when the world is over. @internal */
  atEnd(end: () => void): void {
    this.#enders.push(end);
  }

  /** The world is over: what holds something of the process for it lets go, and what was left open is in no registry of handles any more. @internal */
  end(): void {
    for (const end of this.#enders.splice(0)) end();
    this.clock.flush();
    for (const host of this.topology.hosts) host.boot?.crash();
    this.clock.flush();
  }

  /** What programs have left open, in words: for a test to find empty. */
  leftovers(): string[] {
    return this.topology.hosts.flatMap((host) => host.boot?.leftovers() ?? []);
  }

  #set(a: Hosts, b: Hosts, options: OneWay | undefined, where: string, what: 'down' | 'clogged', value: boolean): void {
    const all = this.topology.between(a, b, { oneWay: oneWayOf(options, where), loopback: false }, where);
    const links = all.filter((link) => link[what] !== value);
    if (links.length === 0) return;
    for (const link of links) {
      this.log?.(`${where.slice(4)} ${link.from} > ${link.to}`);
      link[what] = value;
      link.changed();
    }
    this.all.pathsChanged((link) => links.includes(link));
  }

  #break(a: Hosts, b: Hosts, options: AfterBytes | undefined, where: string, how: Breakage): void {
    const bytes = ownCount(checkOptions(options, where), 'afterBytes', 0, 0, where);
    const links = new Set(this.topology.between(a, b, { oneWay: false, loopback: true }, where));
    this.all.break(links, how, bytes);
  }
}

function oneWayOf(options: OneWay | undefined, where: string): boolean {
  return ownFlag(checkOptions(options, where), 'oneWay', false, where);
}
