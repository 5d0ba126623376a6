// simulated-link.ts: the way from one host to another, in one direction: how long it takes, and whether anything gets through.
//
// A link is down (what is sent is lost; TCP sends it again, so its bytes are late and not gone), or clogged (what is sent is kept and comes later), or
// leads to a host that is down. In each case packets wait in their flows, which the link wakes when the way is free.
//
// Every ordered pair of hosts has a link, and so has a host with itself (loopback), and each host one for its Unix sockets, which takes no time.
//
// Invariant: a flow is in `waiting`  only if  its oldest packet found the link blocked.

import { typeError } from '../../core/bad-argument.ts';
import type { Choices } from '../../core/testing/choices.ts';
import { checkOptions } from '../address.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** How long a packet travels: from `minMs` to `maxMs`, chosen for each. */
export interface Latency {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Check a latency. @throws TypeError */
export function checkLatency(latency: unknown, where: string): Latency {
  const { minMs, maxMs } = checkOptions(latency, `${where}: latency`) as Partial<Latency>;
  if (
    typeof minMs !== 'number' ||
    typeof maxMs !== 'number' ||
    !(minMs >= 0 && minMs <= maxMs && maxMs < Number.POSITIVE_INFINITY)
  )
    throw typeError(`${where}: latency must be {minMs, maxMs} with 0 <= minMs <= maxMs`);
  return { minMs, maxMs };
}

/** So many different latencies are there between the shortest and the longest. */
const LATENCIES = 8;

/** What waits for a link to be free. */
export interface WaitsForLink {
  linkFree(): void;
}

export class Link {
  readonly from: SimulatedHost;
  readonly to: SimulatedHost;
  readonly #choices: Choices;
  latency: Latency;
  /** Everything that is sent is lost. */
  down = false;
  /** Everything that is sent is kept. */
  clogged = false;
  /** After heal(): every packet takes the shortest time. */
  mild = false;
  readonly #waiting: Set<WaitsForLink> = new Set();

  constructor(from: SimulatedHost, to: SimulatedHost, latency: Latency, choices: Choices) {
    this.from = from;
    this.to = to;
    this.latency = latency;
    this.#choices = choices;
  }

  get blocked(): boolean {
    return this.down || this.clogged || !this.to.up;
  }

  /** How long the packet that is sent now travels. */
  delayMs(): number {
    const { minMs, maxMs } = this.latency;
    if (maxMs <= minMs || this.mild) return minMs;
    return minMs + ((maxMs - minMs) * this.#choices.choose(LATENCIES, 'latency')) / (LATENCIES - 1);
  }

  /** Have `flow` woken when the link is free. */
  wait(flow: WaitsForLink): void {
    this.#waiting.add(flow);
  }

  forget(flow: WaitsForLink): void {
    this.#waiting.delete(flow);
  }

  /** Something that blocked may be gone. */
  changed(): void {
    if (this.blocked || this.#waiting.size === 0) return;
    const flows = [...this.#waiting];
    this.#waiting.clear();
    for (const flow of flows) flow.linkFree();
  }
}
