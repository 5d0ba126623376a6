// simulated-host.ts: a machine of the simulated network: its addresses, the code that runs on it, and what may go wrong with it.
//
// Greenlets belong to the host of the greenlet that spawned them; those of the test's body to the network's first host. A crash is that of a
// machine whose power fails: nothing is sent any more, not even a FIN. Its greenlets are killed, their finally blocks run, but whatever
// they do on the network fails.
//
// Invariant: up  if and only if  boot is defined.

import { typeError } from '../../core/bad-argument.ts';
import { UsageError } from '../../core/errors.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import type { Body, Op } from '../../core/op.ts';
import { type Address, familyOf, ownCount, shownValue } from '../address.ts';
import { Boot } from './simulated-boot.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

/** Linux' ephemeral ports. */
const FIRST_PORT = 32_768;
const LAST_PORT = 60_999;

export interface HostOptions {
  /** Its IP addresses; the next free one of 10.0.0.0/8 if none is given. */
  readonly addresses?: readonly string[] | undefined;
  /** What runs on it, from its start on and again after each restart. */
  readonly main?: (() => Op<unknown>) | undefined;
  /** How many sockets and listeners it may have open. */
  readonly descriptors?: number | undefined;
}

type Verdict = 'serve' | 'refuse' | 'blackhole';

export class SimulatedHost {
  readonly name: string;
  readonly addresses: readonly string[];
  /** @internal */ readonly net: SimulatedNetwork;
  /** The present life; undefined while it is down. @internal */ boot: Boot | undefined;
  readonly #main: (() => Op<unknown>) | undefined;
  #port = FIRST_PORT - 1;
  readonly #verdicts: Map<number, Verdict> = new Map();
  readonly #slowness: Map<number, number> = new Map();
  readonly #stalled: Set<number | string> = new Set();
  readonly #mostDescriptors: number;
  #descriptors: number;

  /** @internal: `net.host` makes them. */
  constructor(net: SimulatedNetwork, name: string, addresses: readonly string[], options: HostOptions) {
    this.net = net;
    this.name = name;
    this.addresses = addresses;
    this.#main = options.main;
    this.#mostDescriptors = ownCount(options, 'descriptors', Number.POSITIVE_INFINITY, 0, 'host');
    this.#descriptors = this.#mostDescriptors;
    this.boot = new Boot(this);
  }

  /** False between crash() and restart(). */
  get up(): boolean {
    return this.boot !== undefined;
  }

  /** How many sockets and listeners it may have open; beyond that connect and listen fail with EMFILE, and what is accepted is closed. */
  get descriptors(): number {
    return this.#descriptors;
  }

  set descriptors(most: number) {
    this.#descriptors = ownCount({ most }, 'most', 0, 0, 'host.descriptors');
  }

  /**
   * Run `body(...args)` in a detached greenlet on this host. As `spawn` otherwise.
   *
   * @throws UsageError if the host is down.
   */
  spawn<A extends readonly unknown[], T>(body: Body<A, T>, ...args: A): Greenlet<T> {
    return this.net.residents.spawn(this.#requireBoot('spawn'), undefined, body, args);
  }

  /** @internal */
  runMain(): void {
    if (this.#main !== undefined) this.net.residents.spawn(this.#requireBoot('main'), this.name, this.#main, []);
  }

  #requireBoot(what: string): Boot {
    if (this.boot === undefined)
      throw new UsageError(`${what} on host ${this.name}, which is down: restart() it first`);
    return this.boot;
  }

  /** Does it have a body of its own, so that it can be restarted by itself? @internal */
  get restartable(): boolean {
    return this.#main !== undefined;
  }

  /**
   * Let it fail at once: its sockets vanish without a word and its greenlets are killed. Nothing happens if it is down. Never switches.
   *
   * @throws UsageError for the host that the test's own body runs on.
   */
  crash(): void {
    if (this.net.home === this)
      throw new UsageError(
        `host ${this.name} cannot crash: the body of the simulation runs on it; use a host of its own`,
      );
    const { boot } = this;
    if (boot === undefined) return;
    this.boot = undefined;
    this.net.log?.(`${this.name} crashes`);
    boot.crash();
    this.#pathsChanged();
    this.net.residents.killAll(boot);
  }

  /** Start it again, and its `main`. What peers still send to its old connections is answered with RST. Nothing happens if it is up. */
  restart(): void {
    if (this.boot !== undefined) return;
    this.boot = new Boot(this);
    this.net.log?.(`${this.name} restarts`);
    for (const link of this.net.topology.to(this)) link.changed();
    this.#pathsChanged();
    this.runMain();
  }

  #pathsChanged(): void {
    this.net.all.pathsChanged((link) => link.to === this);
  }

  /** Refuse connections to `port`, whether something listens there or not. */
  refuse(port: number): void {
    this.#verdicts.set(port, 'refuse');
  }

  /** Leave connections to `port` without an answer. */
  blackhole(port: number): void {
    this.#verdicts.set(port, 'blackhole');
  }

  /** Answer connections to `port` so much later. */
  slow(port: number, delayMs: number): void {
    if (typeof delayMs !== 'number' || !(delayMs >= 0))
      throw typeError(`host.slow takes milliseconds, not ${shownValue(delayMs)}`);
    this.#slowness.set(port, delayMs);
  }

  /**
   * Accept nothing on a port, or on the path of a Unix socket, as a process that hangs: connections wait in the backlog, and when that is full
   * SYNs are dropped; connecting to a path fails then with EAGAIN.
   */
  stall(portOrPath: number | string): void {
    this.#stalled.add(portOrPath);
  }

  /** Undo refuse, blackhole, slow and stall of a port, or stall of a path. */
  restore(portOrPath: number | string): void {
    if (typeof portOrPath === 'number') {
      this.#verdicts.delete(portOrPath);
      this.#slowness.delete(portOrPath);
    }
    if (this.#stalled.delete(portOrPath)) this.#acceptAll();
  }

  /** @internal */
  heal(): void {
    this.#verdicts.clear();
    this.#slowness.clear();
    this.#stalled.clear();
    this.#descriptors = this.#mostDescriptors;
    this.#acceptAll();
    this.restart();
  }

  /** What had to wait is accepted: from a timer, as everything that calls a sink. */
  #acceptAll(): void {
    const { boot } = this;
    if (boot === undefined) return;
    this.net.clock.soon(() => {
      for (const listening of [...boot.listeners]) listening.accept();
    });
  }

  /** @internal */
  verdict(port: number): Verdict {
    return this.#verdicts.get(port) ?? this.net.nemesis?.connecting() ?? 'serve';
  }

  /** @internal */
  slownessMs(port: number): number {
    return this.#slowness.get(port) ?? 0;
  }

  /** @internal */
  stalls({ path, port }: Address): boolean {
    return this.#stalled.size > 0 && this.#stalled.has(path ?? port);
  }

  /** @internal */
  nextPort(): number {
    this.#port = this.#port === LAST_PORT ? FIRST_PORT : this.#port + 1;
    return this.#port;
  }

  /** Is `address` one of this host? @internal */
  owns(address: string): boolean {
    return address.startsWith('127.') || address === '::1' || this.addresses.includes(address);
  }

  /** The address from which it sends to `address`; undefined if it has none of that family. @internal */
  sourceFor(address: string, family: number): string | undefined {
    if (this.owns(address)) return address;
    return this.addresses.find((own) => familyOf(own) === family);
  }

  toString(): string {
    return this.name;
  }
}
