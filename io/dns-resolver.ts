// dns-resolver.ts: questions to name servers, of our choice or the system's, for every type of record. c-ares asks them; no thread is held.
//
// Not the way that connect() finds an address (dns-lookup.ts): /etc/hosts and the like are not asked, except by `reverse`.
//
// Each query is a wait of its own (dns-query.ts); nothing is open between them, and nothing is cached.
// Source: node:dns, whose names, options and records these are.

import type dns from 'node:dns';
import { rangeError, typeError } from '../core/bad-argument.ts';
import type { Waitable } from '../core/op.ts';
import { created } from '../core/unstarted.ts';
import { checkHost, checkOptions, checkPort, familyOf, own, ownCount, ownFlag, ownMs, shownValue } from './address.ts';
import { openChannel, Query, type QueryMethod, type QuerySettings } from './dns-query.ts';

const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_TRIES = 3;
const MOST_TRIES = 20;

export interface ResolverOptions {
  /** IP addresses of name servers, with a port if it is not 53: `127.0.0.1:5353`, `[::1]:5353`. Those of the system by default. */
  readonly servers?: readonly string[] | undefined;
  /** Give a query up after so long, all tries included: 5,000 ms by default. */
  readonly timeoutMs?: number | undefined;
  /** How often each server is asked before the query fails: 3 by default, at most 20. */
  readonly tries?: number | undefined;
}

export interface AddressQueryOptions {
  /** Return `{address, ttl}` in place of the address. */
  readonly ttl?: boolean | undefined;
}

/**
 * Asks name servers. Each method switches, and is cancelled if its greenlet is killed; each throws DnsError with Node's code (ENOTFOUND, ENODATA, ESERVFAIL,
 * EREFUSED, ETIMEOUT, ...), Killed if the greenlet is killed, and TypeError at the call for what is no name.
 */
export class Resolver {
  readonly #settings: QuerySettings;

  /** Never switches; asks nobody. @throws TypeError or RangeError for a bad option; ERR_INVALID_IP_ADDRESS for a server that is none. */
  constructor(options?: ResolverOptions) {
    const where = 'dns.Resolver';
    const given = checkOptions(options, where);
    const tries = ownCount(given, 'tries', DEFAULT_TRIES, 1, where);
    if (tries > MOST_TRIES) throw rangeError(`${where}: tries must be at most ${MOST_TRIES}, not ${tries}`);
    this.#settings = {
      servers: checkServers(own<unknown>(given, 'servers'), where),
      timeoutMs: ownMs(given, 'timeoutMs', DEFAULT_TIMEOUT_MS, where),
      tries,
    };
  }

  /** The servers that a query would go to now. */
  get servers(): readonly string[] {
    return openChannel(this.#settings).getServers();
  }

  /** Find IPv4 addresses (A). */
  resolve4(name: string, options?: AddressQueryOptions & { readonly ttl?: false | undefined }): Waitable<string[]>;
  resolve4(name: string, options: AddressQueryOptions & { readonly ttl: true }): Waitable<dns.RecordWithTtl[]>;
  resolve4(name: string, options?: AddressQueryOptions): Waitable<string[] | dns.RecordWithTtl[]>;
  resolve4(name: string, options?: AddressQueryOptions): Waitable<string[] | dns.RecordWithTtl[]> {
    return this.#ask('resolve4', name, ttlOf(options, 'resolve4'));
  }

  /** Find IPv6 addresses (AAAA). */
  resolve6(name: string, options?: AddressQueryOptions & { readonly ttl?: false | undefined }): Waitable<string[]>;
  resolve6(name: string, options: AddressQueryOptions & { readonly ttl: true }): Waitable<dns.RecordWithTtl[]>;
  resolve6(name: string, options?: AddressQueryOptions): Waitable<string[] | dns.RecordWithTtl[]>;
  resolve6(name: string, options?: AddressQueryOptions): Waitable<string[] | dns.RecordWithTtl[]> {
    return this.#ask('resolve6', name, ttlOf(options, 'resolve6'));
  }

  /** Find mail exchangers (MX), in the order of the answer: sort by `priority`. */
  resolveMx(name: string): Waitable<dns.MxRecord[]> {
    return this.#ask('resolveMx', name);
  }

  /** Find texts (TXT): an array of pieces for each record. */
  resolveTxt(name: string): Waitable<string[][]> {
    return this.#ask('resolveTxt', name);
  }

  /** Find where a service runs (SRV). */
  resolveSrv(name: string): Waitable<dns.SrvRecord[]> {
    return this.#ask('resolveSrv', name);
  }

  /** Find the name servers of a zone (NS). */
  resolveNs(name: string): Waitable<string[]> {
    return this.#ask('resolveNs', name);
  }

  /** Find what a name is an alias of (CNAME). */
  resolveCname(name: string): Waitable<string[]> {
    return this.#ask('resolveCname', name);
  }

  /** Find a zone's start of authority (SOA). */
  resolveSoa(name: string): Waitable<dns.SoaRecord> {
    return this.#ask('resolveSoa', name);
  }

  /** Find who may issue certificates (CAA). */
  resolveCaa(name: string): Waitable<dns.CaaRecord[]> {
    return this.#ask('resolveCaa', name);
  }

  /** Find name authority pointers (NAPTR). */
  resolveNaptr(name: string): Waitable<dns.NaptrRecord[]> {
    return this.#ask('resolveNaptr', name);
  }

  /** Find pointers (PTR). */
  resolvePtr(name: string): Waitable<string[]> {
    return this.#ask('resolvePtr', name);
  }

  /** Ask for records of any type. Many servers refuse (RFC 8482) and answer ENOTIMP or with a part. */
  resolveAny(name: string): Waitable<dns.AnyRecord[]> {
    return this.#ask('resolveAny', name);
  }

  /** Find the names of an IP address, in /etc/hosts too. @throws TypeError at the call for what is no IP address. */
  reverse(ip: string): Waitable<string[]> {
    if (typeof ip !== 'string' || familyOf(ip) === 0)
      throw typeError(`reverse: ip must be an IP address, not ${shownValue(ip)}`);
    return this.#ask('reverse', ip);
  }

  #ask<T>(method: QueryMethod, name: string, ttl = false): Waitable<T> {
    return created(new Query<T>(this.#settings, { method, name: checkHost(name, method), ttl }));
  }
}

function ttlOf(options: AddressQueryOptions | undefined, where: string): boolean {
  return ownFlag(checkOptions(options, where), 'ttl', false, where);
}

function checkServers(servers: unknown, where: string): readonly string[] | undefined {
  if (servers === undefined) return undefined;
  if (!Array.isArray(servers) || servers.length === 0 || servers.some((server) => typeof server !== 'string'))
    throw typeError(`${where}: servers must be an array of IP addresses, not ${shownValue(servers)}`);
  for (const server of servers as string[]) checkServer(server, where);
  return [...servers];
}

/** Before Node sees it: Node 20 ends the process at port 0, and takes 99999 for 34463. */
function checkServer(server: string, where: string): void {
  if (familyOf(server) !== 0) return;
  const [, six, four, port] = /^(?:\[(.+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(server) ?? [];
  if (familyOf(six ?? '') !== 6 && familyOf(four ?? '') !== 4) {
    const hint = 'an IP address, with a port as in 127.0.0.1:5353 or [::1]:5353';
    throw typeError(`${where}: a server is ${hint}, not ${shownValue(server)}`, 'ERR_INVALID_IP_ADDRESS');
  }
  if (port !== undefined && checkPort(Number(port), where) === 0)
    throw rangeError(`${where}: port 0 of ${shownValue(server)} is no port of a server`, 'ERR_SOCKET_BAD_PORT');
}
