// simulated-lookup.ts: one lookup of a name, from the question to the answer.
//
// As with Node's resolver, a lookup that has been asked cannot be stopped: given up, it is answered all the same, and nobody hears it. One that
// would never be answered is as good as stopped.
//
// Invariant: it calls back at most once, either `done` or, after cancel(), `unheard`.

import type { Pending, Resolved } from '../network.ts';
import type { Boot } from './simulated-boot.ts';
import { Alarm } from './simulated-clock.ts';
import type { LookupFailure } from './simulated-dns.ts';
import { lookupError } from './simulated-errors.ts';

export type LookupDone = (error: unknown, addresses: readonly Resolved[]) => void;

export class SimulatedLookup implements Pending {
  readonly #boot: Boot;
  readonly #host: string;
  readonly #done: LookupDone;
  readonly #unheard: () => void;
  readonly #alarm: Alarm;
  #state: 'asked' | 'cancelled' | 'over' = 'asked';

  constructor(boot: Boot, host: string, family: number, done: LookupDone, unheard: () => void) {
    this.#boot = boot;
    this.#host = host;
    this.#done = done;
    this.#unheard = unheard;
    const { clock, dns } = boot.net;
    const { delayMs, answer } = dns.ask(host, family);
    this.#alarm = new Alarm(clock, () => this.#finish(answer()));
    this.#alarm.set(clock.now() + delayMs);
    boot.lookups.add(this);
  }

  /** The host has crashed. */
  fail(): void {
    this.#finish('EAI_AGAIN');
  }

  #finish(found: readonly Resolved[] | LookupFailure): void {
    const before = this.#state;
    this.#end();
    if (before === 'cancelled') this.#unheard();
    if (before !== 'asked') return;
    if (typeof found === 'string') this.#done(lookupError(found, this.#host), []);
    else this.#done(undefined, found);
  }

  cancel(): boolean {
    if (this.#state === 'asked') this.#state = 'cancelled';
    if (!this.#alarm.armed) this.#end();
    return this.#state === 'over';
  }

  #end(): void {
    this.#state = 'over';
    this.#alarm.cancel();
    this.#boot.lookups.delete(this);
  }
}
