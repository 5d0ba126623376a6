// dns.ts: the public names of `tendril/patches/dns`: those of node:dns, each call that waits being an Op.
//
//   const { address } = yield* lookup('localhost');
//   const records = yield* resolveMx('example.org');
//
// lookup is `dns.lookup` of 'tendril': at most three at once in the thread pool, 5 s each (`timeoutMs` says otherwise). Where `hints` are asked for, or the order of the
// system although setDefaultResultOrder() has set another, Node is asked directly, without limit.
// The resolve functions ask those that setServers() has set, in the limits of c-ares. Errors are DnsError with Node's code.

import dns from 'node:dns';
import { rangeError, typeError } from '../../core/bad-argument.ts';
import type { Waitable } from '../../core/op.ts';
import { checkHost, checkOptions, checkPort, familyOf, own, shownValue } from '../../io/address.ts';
import { type LookupAddress, lookup as limitedLookup } from '../../io/dns-lookup.ts';
import { codeOf, DnsError } from '../../io/errors.ts';
import { looking } from '../../io/files-call.ts';
import { converted } from './converted.ts';
import { defaultAsker, methodFor, query, type TlsaRecord } from './dns-resolver.ts';
import { lookingTwin, withoutStack } from './node-call.ts';
import { realModule } from './real-module.ts';
import type { Twin } from './signatures.ts';

export {
  ADDRCONFIG,
  ADDRGETNETWORKPARAMS,
  ALL,
  BADFAMILY,
  BADFLAGS,
  BADHINTS,
  BADNAME,
  BADQUERY,
  BADRESP,
  BADSTR,
  CANCELLED,
  CONNREFUSED,
  DESTRUCTION,
  EOF,
  FILE,
  FORMERR,
  getDefaultResultOrder,
  LOADIPHLPAPI,
  NODATA,
  NOMEM,
  NONAME,
  NOTFOUND,
  NOTIMP,
  NOTINITIALIZED,
  promises,
  REFUSED,
  SERVFAIL,
  setDefaultResultOrder,
  setServers,
  TIMEOUT,
  V4MAPPED,
} from 'node:dns';
export type { LookupAddress } from '../../io/dns-lookup.ts';
export { Resolver, type ResolverOptions, type TlsaRecord } from './dns-resolver.ts';

const {
  lookup: nodeLookup,
  lookupService: nodeLookupService,
  getDefaultResultOrder: defaultOrder,
} = realModule('dns', dns);

/** The servers that resolve functions ask. Not passed through: Node puts another function in its place at setServers(). */
export const getServers: typeof dns.getServers = () => dns.getServers();

/** Node's options, and how long to wait. */
export interface LookupOptions extends dns.LookupOptions {
  /** Give up after so long: 5,000 ms by default. */
  readonly timeoutMs?: number | undefined;
}

interface Lookup {
  (host: string, options?: (LookupOptions & { readonly all?: false | undefined }) | 0 | 4 | 6): Waitable<LookupAddress>;
  (host: string, options: LookupOptions & { readonly all: true }): Waitable<readonly LookupAddress[]>;
  (host: string, options: LookupOptions): Waitable<LookupAddress | readonly LookupAddress[]>;
}
type Addresses = readonly LookupAddress[];
const FAMILIES: ReadonlyMap<unknown, 0 | 4 | 6> = new Map<unknown, 0 | 4 | 6>([
  [undefined, 0],
  [0, 0],
  [4, 4],
  [6, 6],
  ['IPv4', 4],
  ['IPv6', 6],
]);
const ORDERS = new Set(['verbatim', 'ipv4first', 'ipv6first']);

/**
 * Find the addresses of `host` with the operating system's resolver: `{address, family}`, or all of them.
 *
 * Switches, unless `host` is an IP address already. If it throws Killed or TimeoutError, the answer is dropped when it comes.
 *
 * @throws TypeError or RangeError at the call for a bad host or option. @throws DnsError with Node's code, or ETIMEDOUT. @throws Killed
 * @see https://nodejs.org/api/dns.html#dnslookuphostname-options-callback
 */
export const lookup: Lookup = ((host: string, options?: LookupOptions | number) => {
  const where = 'dns.lookup';
  const given = checkOptions(typeof options === 'number' ? { family: options } : options, where);
  const family = FAMILIES.get(own(given, 'family'));
  if (family === undefined)
    throw rangeError(`${where}: family must be 0, 4 or 6, not ${shownValue(own(given, 'family'))}`);
  const all = own(given, 'all') === true;
  const order = orderOf(given, where);
  if (asksNode(given, order)) return directLookup(checkHost(host, where), { ...given, family, all: true }, all);
  const timeoutMs = own<number>(given, 'timeoutMs');
  const limit = timeoutMs === undefined ? {} : { timeoutMs };
  return picked(limitedLookup(host, { family, all: true, ...limit }), all, order);
}) as Lookup;

function orderOf(given: LookupOptions, where: string): string | undefined {
  const order = own<string>(given, 'order');
  if (order !== undefined && !ORDERS.has(order))
    throw typeError(`${where}: order must be verbatim, ipv4first or ipv6first, not ${shownValue(order)}`);
  const verbatim = own<boolean>(given, 'verbatim');
  return order ?? (verbatim === undefined ? undefined : verbatim ? 'verbatim' : 'ipv4first');
}

function asksNode(given: LookupOptions, order: string | undefined): boolean {
  const hints = own<number>(given, 'hints') ?? 0;
  if ((hints & ~(dns.ADDRCONFIG | dns.ALL | dns.V4MAPPED)) !== 0 || typeof hints !== 'number')
    throw typeError(`dns.lookup: hints must be made of ADDRCONFIG, ALL and V4MAPPED, not ${shownValue(hints)}`);
  return hints !== 0 || (order === 'verbatim' && defaultOrder() !== 'verbatim');
}

function directLookup(host: string, options: object, all: boolean): Waitable<unknown> {
  const asked = looking<Addresses>({
    op: `lookup of ${host}`,
    object: 'node:dns',
    start: (done) =>
      nodeLookup(host, options, (error, found) => {
        if (error === null) done(null, found as unknown as Addresses);
        else done(withoutStack(new DnsError(host, codeOf(error) ?? 'ENOTFOUND', error)));
      }),
  });
  return picked(asked, all, undefined);
}

function picked(found: Waitable<Addresses>, all: boolean, order: string | undefined): Waitable<unknown> {
  const first = order === 'ipv4first' ? 4 : order === 'ipv6first' ? 6 : 0;
  const value = (addresses: Addresses): unknown => {
    const sorted =
      first === 0 ? addresses : [...addresses].sort((a, b) => Number(b.family === first) - Number(a.family === first));
    return all ? sorted : sorted[0];
  };
  return converted(found, value);
}

/** Find the name of an address and of a port: `{hostname, service}`. Switches. @throws Error of Node's (ENOTFOUND, ...). @throws TypeError at the call. */
export const lookupService: Twin<typeof dns.lookupService.__promisify__, 'promise'> = lookingTwin('dns.lookupService', {
  checks: [
    (value, where) => {
      if (typeof value === 'string' && familyOf(value) !== 0) return value;
      throw typeError(`${where} takes an IP address, not ${shownValue(value)}`, 'ERR_INVALID_ARG_VALUE');
    },
    (value, where) => checkPort(value as number, where),
  ],
  call: nodeLookupService,
  names: ['hostname', 'service'],
});

const asking = <F>(method: string): F =>
  // Its type is Node's, turned; the name is checked by `query`.
  ((name: string, options?: object) => query(defaultAsker, method, name, options)) as F;

/** Ask for records of a type. See Resolver for what these throw. */
export const resolve: Twin<typeof dns.resolve.__promisify__, 'promise'> = ((name: string, type?: string) =>
  query(defaultAsker, methodFor(type), name)) as Twin<typeof dns.resolve.__promisify__, 'promise'>;
export const resolve4: Twin<typeof dns.resolve4.__promisify__, 'promise'> = asking('resolve4');
export const resolve6: Twin<typeof dns.resolve6.__promisify__, 'promise'> = asking('resolve6');
export const resolveAny: Twin<typeof dns.resolveAny.__promisify__, 'promise'> = asking('resolveAny');
export const resolveCaa: Twin<typeof dns.resolveCaa.__promisify__, 'promise'> = asking('resolveCaa');
export const resolveCname: Twin<typeof dns.resolveCname.__promisify__, 'promise'> = asking('resolveCname');
export const resolveMx: Twin<typeof dns.resolveMx.__promisify__, 'promise'> = asking('resolveMx');
export const resolveNaptr: Twin<typeof dns.resolveNaptr.__promisify__, 'promise'> = asking('resolveNaptr');
export const resolveNs: Twin<typeof dns.resolveNs.__promisify__, 'promise'> = asking('resolveNs');
export const resolvePtr: Twin<typeof dns.resolvePtr.__promisify__, 'promise'> = asking('resolvePtr');
export const resolveSoa: Twin<typeof dns.resolveSoa.__promisify__, 'promise'> = asking('resolveSoa');
export const resolveSrv: Twin<typeof dns.resolveSrv.__promisify__, 'promise'> = asking('resolveSrv');
export const resolveTxt: Twin<typeof dns.resolveTxt.__promisify__, 'promise'> = asking('resolveTxt');
export const resolveTlsa: (name: string) => Waitable<TlsaRecord[]> = asking('resolveTlsa');
export const reverse: (ip: string) => Waitable<string[]> = asking('reverse');
