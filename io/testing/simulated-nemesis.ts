// simulated-nemesis.ts: faults that nobody asked for one by one: each is a decision of the run, taken when the network is used.
//
// Odds are asked for each packet, lookup or connection. Rates, in events a second, are asked when a packet is sent, for the time since the last
// one: a network that nobody uses has no faults, needs no timer, and a deadlock in it is still found. A partition, a clog or a crash ends by itself
// after a chosen time; only that takes a timer.
//
// After heal() nothing is decided any more.

import { rangeError } from '../../core/bad-argument.ts';
import { own, shownValue } from '../address.ts';
import { Alarm } from './simulated-clock.ts';
import type { LookupFailure } from './simulated-dns.ts';
import type { Flow } from './simulated-flow.ts';
import type { Link } from './simulated-link.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

/** Random faults. Everything is 0 if not given, but what TCP may do at any time (shortRead, shortWrite, join), which is 0.1. */
export interface Faults {
  /** Odds that a packet is cut in two. */
  readonly shortRead?: number | undefined;
  /** Odds that the system takes only a part of a write at once. */
  readonly shortWrite?: number | undefined;
  /** Odds that two packets that follow each other arrive as one. */
  readonly join?: number | undefined;
  /** Odds that a packet is lost: TCP sends it again after 200 ms, a datagram is gone. */
  readonly drop?: number | undefined;
  /** Odds that a packet takes up to 5 s longer. */
  readonly delay?: number | undefined;
  /** Odds, for each packet, that its connection is reset. */
  readonly reset?: number | undefined;
  /** Odds, for each packet, that both ends of its connection get an end that the other has not sent. */
  readonly end?: number | undefined;
  /** Odds that a connection is refused, and that it gets no answer. */
  readonly refuse?: number | undefined;
  readonly blackhole?: number | undefined;
  /** Odds that a lookup fails. */
  readonly dns?: number | undefined;
  /** Odds that a datagram comes twice, and that it overtakes others. */
  readonly duplicate?: number | undefined;
  readonly reorder?: number | undefined;
  /** How often a second the link between two hosts that talk is cut, in both directions or in one. */
  readonly partition?: number | undefined;
  /** How often a second it is clogged. */
  readonly clog?: number | undefined;
  /** How often a second a host that has a `main` crashes. */
  readonly crash?: number | undefined;
}

export type FaultName = keyof Faults;

const ALWAYS: Readonly<Partial<Record<FaultName, number>>> = { shortRead: 0.1, shortWrite: 0.1, join: 0.1 };
const RATES: ReadonlySet<FaultName> = new Set(['partition', 'clog', 'crash']);
const NAMES: readonly FaultName[] = [
  'shortRead',
  'shortWrite',
  'join',
  'drop',
  'delay',
  'reset',
  'end',
  'refuse',
  'blackhole',
  'dns',
  'duplicate',
  'reorder',
  'partition',
  'clog',
  'crash',
];

/** How long a cut, a clog or a crash lasts; the first is the mildest. */
const LENGTHS_MS: readonly number[] = [20, 50, 100, 250, 500, 1000, 5000, 15_000];
/** How much later a delayed packet comes. */
const DELAYS_MS: readonly number[] = [1, 5, 20, 100, 250, 500, 1000, 5000];
/** When TCP sends a lost packet again, at the earliest (Linux' TCP_RTO_MIN). */
const AGAIN_MS = 200;

/** Check the odds and rates of `faults`. @throws RangeError */
export function checkFaults(faults: object): Readonly<Record<FaultName, number>> {
  const checked: Partial<Record<FaultName, number>> = {};
  for (const name of NAMES) {
    const given = own<unknown>(faults, name) ?? ALWAYS[name] ?? 0;
    const most = RATES.has(name) ? Number.MAX_VALUE : 1;
    if (typeof given !== 'number' || !(given >= 0 && given <= most)) {
      const what = most === 1 ? 'odds from 0 to 1' : 'a rate (events a second) >= 0';
      throw rangeError(`SimulatedNetwork: faults.${name} must be ${what}, not ${shownValue(given)}`);
    }
    checked[name] = given;
  }
  const unknown = Object.keys(faults).find((key) => !NAMES.includes(key as FaultName));
  if (unknown !== undefined)
    throw rangeError(`SimulatedNetwork: there is no fault '${unknown}'; there are ${NAMES.join(', ')}`);
  return checked as Record<FaultName, number>;
}

export class Nemesis {
  readonly #net: SimulatedNetwork;
  readonly #faults: Readonly<Record<FaultName, number>>;
  readonly #askedAtMs: Map<Link, number> = new Map();
  readonly #endings: Set<Alarm> = new Set();

  constructor(net: SimulatedNetwork, faults: Readonly<Record<FaultName, number>>) {
    this.#net = net;
    this.#faults = faults;
  }

  /** Does anything but what TCP may do at any time ever happen? */
  static idle(faults: Readonly<Record<FaultName, number>>): boolean {
    return NAMES.every((name) => ALWAYS[name] !== undefined || faults[name] === 0);
  }

  /** A packet is about to be sent into `flow`: what happens to it, or first to its link? Gives how much later it comes. */
  sending(flow: Flow): number {
    const { connection, link } = flow;
    if (connection.unix) return 0;
    if (link.from !== link.to) this.onLink(link);
    if (connection.client?.state === 'open' && connection.server?.state === 'open') {
      if (this.happens('reset', 'fault reset')) this.#soon(() => connection.break('reset'));
      else if (this.happens('end', 'fault end')) this.#soon(() => connection.break('end'));
    }
    return (this.happens('drop', 'fault drop') ? AGAIN_MS : 0) + this.delayMs();
  }

  /** How much longer than its link would have it does a packet take? */
  delayMs(): number {
    return this.happens('delay', 'fault delay') ? this.#pick(DELAYS_MS, 'fault delay ms') : 0;
  }

  /** How much longer does a datagram take, so that others overtake it? */
  overtakenMs(): number {
    return this.happens('reorder', 'fault reorder') ? this.#pick(DELAYS_MS, 'fault reorder ms') : 0;
  }

  /** What becomes of a connection that somebody asks for? */
  connecting(): 'refuse' | 'blackhole' | undefined {
    if (this.happens('refuse', 'fault refuse')) return 'refuse';
    return this.happens('blackhole', 'fault blackhole') ? 'blackhole' : undefined;
  }

  lookup(): LookupFailure | undefined {
    if (!this.happens('dns', 'fault dns')) return undefined;
    return this.#net.choices.choose(2, 'fault dns code') === 0 ? 'EAI_AGAIN' : 'ENOTFOUND';
  }

  happens(name: FaultName, what: string): boolean {
    const odds = this.#faults[name];
    return odds > 0 && this.#net.choices.choose(2, what, odds) === 1;
  }

  /** Ask for what happens so often a second, for the time since `link` was last used. */
  onLink(link: Link): void {
    const { partition, clog, crash } = this.#faults;
    if (partition + clog + crash === 0) return;
    const nowMs = this.#net.clock.now();
    const seconds = (nowMs - (this.#askedAtMs.get(link) ?? 0)) / 1000;
    if (seconds === 0) return;
    this.#askedAtMs.set(link, nowMs);
    const { from, to } = link;
    if (partition > 0 && !link.down) {
      const how = this.#net.choices.choose(3, 'fault partition', oddsOf(partition, seconds));
      if (how > 0) {
        this.#net.partition(from, to, { oneWay: how === 2 });
        this.#later('fault partition ms', () => this.#net.restoreLink(from, to));
      }
    }
    if (clog > 0 && !link.clogged && this.#net.choices.choose(2, 'fault clog', oddsOf(clog, seconds)) === 1) {
      this.#net.clog(from, to);
      this.#later('fault clog ms', () => this.#net.unclog(from, to));
    }
    if (crash > 0 && to.up && to.restartable && this.#net.home !== to) {
      if (this.#net.choices.choose(2, 'fault crash', oddsOf(crash, seconds)) === 0) return;
      this.#soon(() => to.crash());
      this.#later('fault crash ms', () => to.restart());
    }
  }

  /** No more faults: those that would end by themselves are for heal() to end. */
  stop(): void {
    for (const alarm of this.#endings) alarm.cancel();
    this.#endings.clear();
  }

  /** Let it happen, unless everything is healed before. */
  #soon(happen: () => void): void {
    this.#net.clock.soon(() => {
      if (this.#net.nemesis === this) happen();
    });
  }

  #later(what: string, undo: () => void): void {
    const { clock } = this.#net;
    const alarm = new Alarm(clock, () => {
      this.#endings.delete(alarm);
      undo();
    });
    this.#endings.add(alarm);
    alarm.set(clock.now() + this.#pick(LENGTHS_MS, what));
  }

  #pick(values: readonly number[], what: string): number {
    return values[this.#net.choices.choose(values.length, what)] as number;
  }
}

/** About the odds that something that happens `rate` times a second happens within `seconds`; without exp(), whose last bit is the host's. */
function oddsOf(rate: number, seconds: number): number {
  const expected = rate * seconds;
  return expected / (1 + expected);
}
