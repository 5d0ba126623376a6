// dns.ts: the names of the namespace `dns`: addresses as the system finds them, and every type of record from name servers.
//
//   const { address } = yield* dns.lookup('localhost');
//   const records = yield* dns.resolveMx('example.org');
//   const own = new dns.Resolver({ servers: ['127.0.0.1:5353'], timeoutMs: 1000 });
//
// The plain functions ask the name servers of the system, with the default limits. There is nothing to close.

import type { AnyRecord, CaaRecord, MxRecord, NaptrRecord, RecordWithTtl, SoaRecord, SrvRecord } from 'node:dns';
import type { Waitable } from '../core/op.ts';
import { type AddressQueryOptions, Resolver } from './dns-resolver.ts';

const system: Resolver = new Resolver();

/** Find IPv4 addresses (A). Switches. See Resolver, also for what it throws. */
export function resolve4(
  name: string,
  options?: AddressQueryOptions & { readonly ttl?: false | undefined },
): Waitable<string[]>;
export function resolve4(
  name: string,
  options: AddressQueryOptions & { readonly ttl: true },
): Waitable<RecordWithTtl[]>;
export function resolve4(name: string, options?: AddressQueryOptions): Waitable<string[] | RecordWithTtl[]>;
export function resolve4(name: string, options?: AddressQueryOptions): Waitable<string[] | RecordWithTtl[]> {
  return system.resolve4(name, options);
}

/** Find IPv6 addresses (AAAA). As resolve4 otherwise. */
export function resolve6(
  name: string,
  options?: AddressQueryOptions & { readonly ttl?: false | undefined },
): Waitable<string[]>;
export function resolve6(
  name: string,
  options: AddressQueryOptions & { readonly ttl: true },
): Waitable<RecordWithTtl[]>;
export function resolve6(name: string, options?: AddressQueryOptions): Waitable<string[] | RecordWithTtl[]>;
export function resolve6(name: string, options?: AddressQueryOptions): Waitable<string[] | RecordWithTtl[]> {
  return system.resolve6(name, options);
}

/** Find mail exchangers (MX). As resolve4 otherwise. */
export function resolveMx(name: string): Waitable<MxRecord[]> {
  return system.resolveMx(name);
}

/** Find texts (TXT): an array of pieces for each record. As resolve4 otherwise. */
export function resolveTxt(name: string): Waitable<string[][]> {
  return system.resolveTxt(name);
}

/** Find where a service runs (SRV). As resolve4 otherwise. */
export function resolveSrv(name: string): Waitable<SrvRecord[]> {
  return system.resolveSrv(name);
}

/** Find the name servers of a zone (NS). As resolve4 otherwise. */
export function resolveNs(name: string): Waitable<string[]> {
  return system.resolveNs(name);
}

/** Find what a name is an alias of (CNAME). As resolve4 otherwise. */
export function resolveCname(name: string): Waitable<string[]> {
  return system.resolveCname(name);
}

/** Find a zone's start of authority (SOA). As resolve4 otherwise. */
export function resolveSoa(name: string): Waitable<SoaRecord> {
  return system.resolveSoa(name);
}

/** Find who may issue certificates (CAA). As resolve4 otherwise. */
export function resolveCaa(name: string): Waitable<CaaRecord[]> {
  return system.resolveCaa(name);
}

/** Find name authority pointers (NAPTR). As resolve4 otherwise. */
export function resolveNaptr(name: string): Waitable<NaptrRecord[]> {
  return system.resolveNaptr(name);
}

/** Find pointers (PTR). As resolve4 otherwise. */
export function resolvePtr(name: string): Waitable<string[]> {
  return system.resolvePtr(name);
}

/** Ask for records of any type; many servers refuse. As resolve4 otherwise. */
export function resolveAny(name: string): Waitable<AnyRecord[]> {
  return system.resolveAny(name);
}

/** Find the names of an IP address. As resolve4 otherwise. @throws TypeError at the call for what is no IP address. */
export function reverse(ip: string): Waitable<string[]> {
  return system.reverse(ip);
}

export { type LookupAddress, type LookupOptions, lookup } from './dns-lookup.ts';
export { type AddressQueryOptions, Resolver, type ResolverOptions } from './dns-resolver.ts';
export { DnsError } from './errors.ts';
