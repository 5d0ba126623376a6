// dns-resolver.ts: the twin of dns.Resolver: questions to name servers, each an Op.
//
// Names, options and records are Node's; so are the limits of time (`timeout`, `tries`), which c-ares keeps. Errors are DnsError, as those of `dns` of 'tendril': Node's
// code, with Node's error as the cause.
//
// Each query has a c-ares channel of its own, so that a kill cancels that one and no other; it has the servers and addresses that are set when it begins.
//
// Invariant: a channel is in `asking`  if and only if  its query has been begun, not answered and not given up

import dns from 'node:dns';
import { typeError } from '../../core/bad-argument.ts';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import type { Waitable, WaitDescription } from '../../core/op.ts';
import { created } from '../../core/unstarted.ts';
import { checkHost, checkOptions, familyOf, shownValue } from '../../io/address.ts';
import { Resolver as CheckingResolver } from '../../io/dns-resolver.ts';
import { codeOf, DnsError } from '../../io/errors.ts';
import { text } from './argument-checks.ts';
import { absent } from './node-call.ts';
import { realMethod, realModule } from './real-module.ts';
import type { Twin } from './signatures.ts';

const { Resolver: Channel } = realModule('dns', dns);

/** The types of records that resolve() takes, and the method for each. */
const METHODS: ReadonlyMap<string, string> = new Map([
  ['A', 'resolve4'],
  ['AAAA', 'resolve6'],
  ['ANY', 'resolveAny'],
  ['CAA', 'resolveCaa'],
  ['CNAME', 'resolveCname'],
  ['MX', 'resolveMx'],
  ['NAPTR', 'resolveNaptr'],
  ['NS', 'resolveNs'],
  ['PTR', 'resolvePtr'],
  ['SOA', 'resolveSoa'],
  ['SRV', 'resolveSrv'],
  ['TLSA', 'resolveTlsa'],
  ['TXT', 'resolveTxt'],
]);

type Ask = (...args: unknown[]) => void;

/** Those that this Node has, by name. */
const ASKS: ReadonlyMap<string, Ask | undefined> = new Map(
  [...METHODS.values(), 'reverse'].map((name) => [
    name,
    realMethod('dns', 'Resolver', Channel.prototype, name) as Ask | undefined,
  ]),
);

/** Opens channels, and knows who asks. */
export interface Asker {
  open(): dns.Resolver;
  readonly asking: Set<dns.Resolver>;
}

class Query<T> extends ExternalWait<T> {
  readonly #asker: Asker;
  readonly #method: string;
  readonly #args: readonly unknown[];

  constructor(asker: Asker, method: string, args: readonly unknown[]) {
    super();
    this.#asker = asker;
    this.#method = method;
    this.#args = args;
  }

  protected begin(ticket: Ticket<T>): void {
    const { open, asking } = this.#asker;
    const channel = open();
    ASKS.get(this.#method)?.call(channel, ...this.#args, (error: unknown, answer: unknown) => {
      asking.delete(channel);
      if (error === null || error === undefined) ticket.resolve(answer as T);
      else ticket.rejectWith(() => this.#failure(error));
    });
    asking.add(channel);
    ticket.onRetract = () => {
      asking.delete(channel);
      ticket.withdraw();
      channel.cancel();
    };
  }

  #failure(error: unknown): DnsError {
    return new DnsError(String(this.#args[0]), codeOf(error) ?? 'EBADRESP', error, { op: this.#method });
  }

  describe(): WaitDescription {
    return { op: `${this.#method} of ${String(this.#args[0])}` };
  }
}

/** One query by `method`. */
export function query<T>(asker: Asker, method: string, name: unknown, options?: unknown): Waitable<T> {
  if (ASKS.get(method) === undefined) throw absent(`dns.${method}`, 'Node 22');
  if (typeof options === 'function' || typeof name === 'function')
    throw typeError(`dns.${method} takes no callback here: \`yield* ${method}(...)\` returns the answer`);
  if (method === 'reverse') {
    if (typeof name !== 'string' || familyOf(name) === 0)
      throw typeError(`reverse: ip must be an IP address, not ${shownValue(name)}`);
    return created(new Query<T>(asker, method, [name]));
  }
  const args: unknown[] = [checkHost(name, method)];
  if (options !== undefined) args.push({ ...checkOptions(options, method) });
  return created(new Query<T>(asker, method, args));
}

/** The method for a type of record, 'A' if none is given. @throws TypeError for one that is none. */
export function methodFor(type: unknown = 'A'): string {
  const method = METHODS.get(text(type, 'dns.resolve') as string);
  if (method === undefined)
    throw typeError(`dns.resolve takes a type of record, such as MX, not ${shownValue(type)}`, 'ERR_INVALID_ARG_VALUE');
  return method;
}

/** Those that plain functions ask: what dns.setServers() has set, else those of the system. */
export const defaultAsker: Asker = {
  asking: new Set(),
  open: () => {
    const channel = new Channel();
    // Not taken at load: dns.setServers() puts another function in its place.
    const servers = dns.getServers();
    if (servers.length > 0) channel.setServers(servers);
    return channel;
  },
};

/** Options of a resolver, as Node has them. */
export interface ResolverOptions {
  /** How long the first try waits, in ms. */
  readonly timeout?: number | undefined;
  readonly tries?: number | undefined;
  /** From Node 24 on. */
  readonly maxTimeout?: number | undefined;
}

/** A record that says which certificate a service has (TLSA). */
export interface TlsaRecord {
  readonly certUsage: number;
  readonly selector: number;
  readonly match: number;
  readonly data: ArrayBuffer;
}

/**
 * Asks name servers of its own. Each method that asks switches, and is cancelled if its greenlet is killed; it throws DnsError with Node's code (ENOTFOUND, ENODATA, ETIMEOUT,
 * ECANCELLED after cancel(), ...), Killed, and TypeError at the call for what is no name.
 */
export class Resolver {
  readonly #asking: Set<dns.Resolver> = new Set();
  readonly #options: ResolverOptions;
  #servers: readonly string[] | undefined = undefined;
  #local: readonly (string | undefined)[] | undefined = undefined;
  readonly #asker: Asker = { asking: this.#asking, open: () => this.#open() };

  /** Asks nobody. @throws TypeError or RangeError of Node's for a bad option. */
  constructor(options: ResolverOptions = {}) {
    this.#options = { ...checkOptions(options, 'dns.Resolver') };
    this.#open();
  }

  #open(): dns.Resolver {
    const channel = new Channel(this.#options as dns.ResolverOptions);
    if (this.#servers !== undefined) channel.setServers(this.#servers);
    if (this.#local !== undefined) channel.setLocalAddress(...(this.#local as [string]));
    return channel;
  }

  /** End every query that is under way with ECANCELLED. Never switches. */
  cancel(): void {
    for (const channel of this.#asking) channel.cancel();
  }

  /** The servers that a query would go to. */
  getServers(): string[] {
    return this.#open().getServers();
  }

  /** Ask other servers from now on. @throws TypeError for what is no IP address, with a port or without. */
  setServers(servers: readonly string[]): void {
    // Some that Node takes would end the process.
    new CheckingResolver({ servers });
    this.#servers = [...servers];
  }

  /** Ask from these addresses of this machine from now on. @throws Error of Node's for what is no address. */
  setLocalAddress(ipv4?: string, ipv6?: string): void {
    const before = this.#local;
    this.#local = ipv6 === undefined ? [ipv4] : [ipv4, ipv6];
    try {
      this.#open();
    } catch (error) {
      this.#local = before;
      throw error;
    }
  }

  readonly resolve: Twin<typeof dns.resolve.__promisify__, 'promise'> = ((name: string, type?: string) =>
    query(this.#asker, methodFor(type), name)) as Twin<typeof dns.resolve.__promisify__, 'promise'>;
  readonly resolve4: Twin<typeof dns.resolve4.__promisify__, 'promise'> = ((name: string, options?: object) =>
    query(this.#asker, 'resolve4', name, options)) as Twin<typeof dns.resolve4.__promisify__, 'promise'>;
  readonly resolve6: Twin<typeof dns.resolve6.__promisify__, 'promise'> = ((name: string, options?: object) =>
    query(this.#asker, 'resolve6', name, options)) as Twin<typeof dns.resolve6.__promisify__, 'promise'>;

  resolveAny(name: string): Waitable<dns.AnyRecord[]> {
    return query(this.#asker, 'resolveAny', name);
  }
  resolveCaa(name: string): Waitable<dns.CaaRecord[]> {
    return query(this.#asker, 'resolveCaa', name);
  }
  resolveCname(name: string): Waitable<string[]> {
    return query(this.#asker, 'resolveCname', name);
  }
  resolveMx(name: string): Waitable<dns.MxRecord[]> {
    return query(this.#asker, 'resolveMx', name);
  }
  resolveNaptr(name: string): Waitable<dns.NaptrRecord[]> {
    return query(this.#asker, 'resolveNaptr', name);
  }
  resolveNs(name: string): Waitable<string[]> {
    return query(this.#asker, 'resolveNs', name);
  }
  resolvePtr(name: string): Waitable<string[]> {
    return query(this.#asker, 'resolvePtr', name);
  }
  resolveSoa(name: string): Waitable<dns.SoaRecord> {
    return query(this.#asker, 'resolveSoa', name);
  }
  resolveSrv(name: string): Waitable<dns.SrvRecord[]> {
    return query(this.#asker, 'resolveSrv', name);
  }
  resolveTlsa(name: string): Waitable<TlsaRecord[]> {
    return query(this.#asker, 'resolveTlsa', name);
  }
  resolveTxt(name: string): Waitable<string[][]> {
    return query(this.#asker, 'resolveTxt', name);
  }
  reverse(ip: string): Waitable<string[]> {
    return query(this.#asker, 'reverse', ip);
  }
}
