// dns-lookup.ts: `dns.lookup(host)`: the addresses that the operating system has for a name, as every connect finds them.
//
// getaddrinfo reads /etc/hosts and whatever else the system is set up to ask, and cannot be stopped. If the wait is given up, a lookup that is in the
// thread pool already goes on and counts as an orphan until its answer has come and is dropped; one that waits for its turn is taken back.
// In a simulation the simulated network answers.
//
// Invariants, while a lookup is under way:
//   the timer is armed            implies  timeoutMs is finite
//   the ticket has been settled   implies  the timer is not armed

import { rangeError } from '../core/bad-argument.ts';
import { ExternalWait, type Ticket } from '../core/external.ts';
import { readyResult, requireScheduler } from '../core/kernel.ts';
import type { Waitable, WaitDescription } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import type { Timer } from '../core/timers.ts';
import { created } from '../core/unstarted.ts';
import type { Waiter } from '../core/wait-list.ts';
import { canExist, checkHost, checkOptions, familyOf, own, ownFlag, ownMs, shownValue } from './address.ts';
import { LOOKUP_TIMEOUT_MS, lookupTimedOut } from './dns-lookups.ts';
import { codeOf, DnsError } from './errors.ts';
import { type Network, networkOf, type Pending, type Resolved } from './network.ts';
import './node-network.ts';

/** An address that a name stands for. */
export interface LookupAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

export interface LookupOptions {
  /** Only IPv4 (4) or only IPv6 (6) addresses; 0, the default, for both. */
  readonly family?: 0 | 4 | 6 | undefined;
  /** Give up after so long: 5,000 ms by default. */
  readonly timeoutMs?: number | undefined;
  /** Return every address, in the order of the system, and not only the first. */
  readonly all?: boolean | undefined;
}

interface Question {
  readonly host: string;
  readonly family: number;
  readonly timeoutMs: number;
  readonly all: boolean;
}

/**
 * Find the addresses of `host` with the operating system's resolver, /etc/hosts included.
 *
 * Switches, unless `host` is an IP address already. At most three lookups of this process run at once; the others wait for their turn, and the timeout
 * counts that too. If it throws Killed or TimeoutError, the answer is dropped when it comes.
 *
 * @throws TypeError or RangeError, at the call, for a bad host or option. @throws DnsError with Node's code (ENOTFOUND, EAI_AGAIN, ...), or ETIMEDOUT after
 * `timeoutMs`, which says how many lookups are stuck. @throws Killed if the greenlet is killed while it waits.
 * @see https://nodejs.org/api/dns.html#dnspromiseslookuphostname-options
 */
export function lookup(
  host: string,
  options?: LookupOptions & { readonly all?: false | undefined },
): Waitable<LookupAddress>;
export function lookup(
  host: string,
  options: LookupOptions & { readonly all: true },
): Waitable<readonly LookupAddress[]>;
export function lookup(host: string, options?: LookupOptions): Waitable<LookupAddress | readonly LookupAddress[]>;
export function lookup(host: string, options?: LookupOptions): Waitable<LookupAddress | readonly LookupAddress[]> {
  const where = 'dns.lookup';
  const given = checkOptions(options, where);
  const family = own<unknown>(given, 'family') ?? 0;
  if (family !== 0 && family !== 4 && family !== 6) {
    throw rangeError(`${where}: family must be 0, 4 or 6, not ${shownValue(family)}`);
  }
  return created(
    new LookupWait({
      host: checkHost(host, where),
      family,
      timeoutMs: ownMs(given, 'timeoutMs', LOOKUP_TIMEOUT_MS, where),
      all: ownFlag(given, 'all', false, where),
    }),
  );
}

type Found = LookupAddress | readonly LookupAddress[];

class LookupWait extends ExternalWait<Found> {
  readonly #question: Question;

  constructor(question: Question) {
    super();
    this.#question = question;
  }

  override look(): boolean {
    const { host } = this.#question;
    const family = familyOf(host);
    if (family !== 0) {
      readyResult.value = found(this.#question, [{ address: host, family }]);
      return true;
    }
    // Asking a resolver would only cost time, and some of them hang on such names.
    if (!canExist(host)) throw new DnsError(host, 'ENOTFOUND');
    return false;
  }

  protected override counted(waiter: Waiter): boolean {
    return networkOf(waiter.owner().scope.scheduler).external;
  }

  protected begin(ticket: Ticket<Found>): void {
    new LookingUp(this.#question, ticket, requireScheduler()).begin();
  }

  describe(): WaitDescription {
    return { op: `lookup of ${this.#question.host}` };
  }
}

function found({ all }: Question, addresses: readonly Resolved[]): Found {
  return all ? (addresses as readonly LookupAddress[]) : (addresses[0] as LookupAddress);
}

/** One lookup under way, and its timer. */
class LookingUp implements Timer {
  order = 0;
  slot = -1;
  readonly #question: Question;
  readonly #ticket: Ticket<Found>;
  readonly #scheduler: Scheduler;
  readonly #network: Network;
  #pending: Pending | undefined = undefined;

  constructor(question: Question, ticket: Ticket<Found>, scheduler: Scheduler) {
    this.#question = question;
    this.#ticket = ticket;
    this.#scheduler = scheduler;
    this.#network = networkOf(scheduler);
  }

  begin(): void {
    const { host, family, timeoutMs } = this.#question;
    const ticket = this.#ticket;
    this.#pending = this.#network.lookup(
      host,
      family,
      (error, addresses) => this.#answered(error, addresses),
      () => ticket.withdraw(),
    );
    ticket.onRetract = () => {
      this.#disarm();
      if (this.#pending?.cancel() !== false) ticket.withdraw();
    };
    if (timeoutMs === Number.POSITIVE_INFINITY) return;
    this.#scheduler.sleepers.arm(this, timeoutMs);
    this.#scheduler.timersChanged();
  }

  #answered(error: unknown, addresses: readonly Resolved[]): void {
    this.#disarm();
    const { host } = this.#question;
    if (error !== undefined || addresses.length === 0) {
      this.#ticket.rejectWith(() => new DnsError(host, codeOf(error) ?? 'ENOTFOUND', error));
    } else {
      this.#ticket.resolve(found(this.#question, addresses));
    }
  }

  /** The timer: the resolver is silent. What it may still say is of no interest, and no orphan of a wait. */
  due(): void {
    const error = lookupTimedOut(this.#question.host, this.#question.timeoutMs, this.#network);
    this.#pending?.cancel();
    this.#ticket.rejectWith(error);
  }

  #disarm(): void {
    if (this.slot === -1) return;
    this.#scheduler.sleepers.cancel(this);
    this.#scheduler.timersChanged();
  }
}
