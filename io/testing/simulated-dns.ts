// simulated-dns.ts: which name stands for which addresses, and which names cannot be resolved just now.
//
// Every host's name resolves to its addresses; `localhost` is whoever asks. More records and failures are for the test to set. Failures end with heal().
//
// A name is looked up when the resolver answers, not when it is asked: what was set meanwhile counts.

import { typeError } from '../../core/bad-argument.ts';
import { familyOf, shownValue } from '../address.ts';
import type { Resolved } from '../network.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

/** How a lookup can fail: no such name, no answer of the resolver for now, or for good. */
export type LookupFailure = 'ENOTFOUND' | 'EAI_AGAIN' | 'EAI_FAIL';

interface Trouble {
  readonly code: LookupFailure | undefined;
  readonly delayMs: number;
}

export class SimulatedDns {
  readonly #net: SimulatedNetwork;
  readonly #records: Map<string, readonly string[]> = new Map();
  readonly #troubles: Map<string, Trouble> = new Map();

  /** @internal: the network makes it. */
  constructor(net: SimulatedNetwork) {
    this.#net = net;
  }

  /** Have `name` stand for `addresses`, in this order; for none of them it does not exist. @throws TypeError for what is no IP address. */
  set(name: string, addresses: readonly string[]): void {
    for (const address of addresses) {
      if (familyOf(address) === 0) throw typeError(`dns.set takes IP addresses, not ${shownValue(address)}`);
    }
    this.#records.set(name.toLowerCase(), [...addresses]);
  }

  /** Have lookups of `name` fail. */
  fail(name: string, code: LookupFailure): void {
    this.#trouble(name, { code });
  }

  /** Have lookups of `name` take so long. */
  slow(name: string, delayMs: number): void {
    this.#trouble(name, { delayMs });
  }

  /** Have lookups of `name` never come back. */
  never(name: string): void {
    this.#trouble(name, { delayMs: Number.POSITIVE_INFINITY });
  }

  /** Undo `fail`, `slow` and `never`. */
  restore(name: string): void {
    this.#troubles.delete(name.toLowerCase());
  }

  #trouble(name: string, what: Partial<Trouble>): void {
    const key = name.toLowerCase();
    this.#troubles.set(key, { code: undefined, delayMs: 0, ...this.#troubles.get(key), ...what });
  }

  /** @internal */
  heal(): void {
    this.#troubles.clear();
  }

  /** What becomes of a lookup that begins now: how long it takes, and what is answered then. @internal */
  ask(
    host: string,
    family: number,
  ): { readonly delayMs: number; readonly answer: () => readonly Resolved[] | LookupFailure } {
    const name = canonical(host);
    const random = this.#net.nemesis?.lookup();
    const delayMs = this.#troubles.get(name)?.delayMs ?? 0;
    return {
      delayMs,
      answer: () => {
        const code = this.#troubles.get(name)?.code ?? random;
        if (code !== undefined) return code;
        const found = this.#addresses(name).filter(({ family: of }) => family === 0 || family === of);
        return found.length === 0 ? 'ENOTFOUND' : found;
      },
    };
  }

  /** The first address of `name`, for who listens on it. @internal */
  addressOf(name: string): string | undefined {
    return this.#addresses(canonical(name))[0]?.address;
  }

  #addresses(name: string): Resolved[] {
    const addresses =
      this.#records.get(name) ??
      (name === 'localhost' ? ['127.0.0.1', '::1'] : this.#net.topology.named(name)?.addresses) ??
      [];
    return addresses.map((address) => ({ address, family: familyOf(address) }));
  }
}

/** Case and a final dot make no difference. */
function canonical(host: string): string {
  const name = host.toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
