// dns-lookups.ts: every lookup that goes through getaddrinfo: of sockets, of HTTP and of `dns.lookup`.
//
// At most three are in the thread pool at once: getaddrinfo cannot be stopped, four stuck ones would fill the pool and block every file operation of
// the process. The others wait in a queue, oldest first, from which they can be taken back.
//
// Invariants, between any two calls:
//   a lookup is queued  implies  running is MOST_LOOKUPS
//   running             is the number of calls of getaddrinfo that have not come back, heard or unheard
// Source: F57; a stuck resolver takes 5 s and more for each name server, times its attempts.

import dns from 'node:dns';
import { DnsError } from './errors.ts';
import type { LookupLoad, Network, Pending, Resolved } from './network.ts';

// Taken at load: patches never reach us.
const { lookup } = dns;

/** One less than the threads of the pool. */
const MOST_LOOKUPS = 3;
/** A resolver that has not answered by then will not. */
export const LOOKUP_TIMEOUT_MS = 5_000;

export type LookupDone = (error: unknown, addresses: readonly Resolved[]) => void;

class Lookup {
  readonly host: string;
  readonly family: number;
  readonly #hints: number;
  readonly #done: LookupDone;
  readonly #unheard: () => void;
  #state: 'queued' | 'running' | 'cancelled' | 'done' = 'queued';

  constructor(host: string, family: number, hints: number, done: LookupDone, unheard: () => void) {
    this.#hints = hints;
    this.host = host;
    this.family = family;
    this.#done = done;
    this.#unheard = unheard;
  }

  begin(ended: () => void): void {
    this.#state = 'running';
    lookup(this.host, { all: true, family: this.family, hints: this.#hints }, (error, addresses) => {
      ended();
      const cancelled = this.#state === 'cancelled';
      this.#state = 'done';
      if (cancelled) this.#unheard();
      else this.#done(error ?? undefined, addresses ?? []);
    });
  }

  cancel(): boolean {
    const before = this.#state;
    if (before !== 'done') this.#state = 'cancelled';
    return before !== 'running';
  }
}

/** The lookups that run, and those that wait for their turn. */
class Lookups {
  #running = 0;
  readonly #queue = new Set<Lookup>();

  /** Resolve a name, with the `hints` of getaddrinfo. As Network.lookup otherwise. */
  ask(host: string, family: number, done: LookupDone, unheard: () => void, hints = 0): Pending {
    const asked = new Lookup(host, family, hints, done, unheard);
    this.#queue.add(asked);
    this.#next();
    return {
      cancel: () => {
        this.#queue.delete(asked);
        return asked.cancel();
      },
    };
  }

  load(): LookupLoad {
    return { running: this.#running, most: MOST_LOOKUPS, queued: this.#queue.size };
  }

  #next(): void {
    for (const asked of this.#queue) {
      if (this.#running === MOST_LOOKUPS) return;
      this.#queue.delete(asked);
      this.#running += 1;
      asked.begin(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }
}

/** Those of this process. */
export const lookups: Lookups = new Lookups();

/** What to throw for a lookup of `host` that has not ended within `afterMs`. To be asked for while it still counts. */
export function lookupTimedOut(host: string, afterMs: number, network: Network): () => DnsError {
  const load = network.lookupLoad?.();
  const after = `no answer after ${afterMs} ms`;
  const detail = load === undefined ? after : `${after}: ${loadText(load)}`;
  return () => new DnsError(host, 'ETIMEDOUT', undefined, { detail });
}

function loadText({ running, most, queued }: LookupLoad): string {
  const stuck = `${running} of at most ${most} lookups are stuck in the system's resolver`;
  return queued === 0 ? stuck : `${stuck}, ${queued} wait behind them`;
}
