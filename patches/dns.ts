// dns.ts: patchDns: lookups in greenlets keep to the limit of ours, and what a killed greenlet has asked ends with ECANCELLED.
//
// getaddrinfo holds a thread of the pool until it ends, and nothing can stop it. So the lookups of greenlets, also those of a socket that connects to a name, run three
// at once at most, together with those of io/; one that waits for its turn is taken back when its greenlet is cancelled. A lookup with an order of its
// own goes to Node straight.
//
// A query to name servers through the module's own functions has a Resolver to itself in a greenlet, which can be cancelled without harm to others; one through a
// Resolver of the program's goes on, and what it brings is dropped. Whoever has asked is told ECANCELLED, as Resolver.cancel() does, by the callback or promise.
//
// Source: Node's lib/dns.js for the shapes of the arguments; F57 for the limit.

import { AsyncResource } from 'node:async_hooks';
import dns from 'node:dns';
import dnsPromises from 'node:dns/promises';
import { isIP } from 'node:net';
import { kernel } from '../core/kernel.ts';
import { lookups } from '../io/dns-lookups.ts';
import type { Resolved } from '../io/network.ts';
import { type Following, following, followPromise, handledIfCancelled } from './ownership-calls.ts';
import { type AnyFunction, applyPatch, type Patch, type PatchSite } from './patch.ts';

// Taken at load: patches never reach us.
const { then } = Promise.prototype;
const { nextTick } = process;
const { getServers, Resolver } = dns;
const { Resolver: PromisesResolver } = dnsPromises;

const queries: readonly string[] = [
  'resolve',
  ...['4', '6', 'Any', 'Caa', 'Cname', 'Mx', 'Naptr', 'Ns', 'Ptr', 'Soa', 'Srv', 'Tlsa', 'Txt'].map(
    (type) => `resolve${type}`,
  ),
  'reverse',
];

type Functions = Readonly<Record<string, AnyFunction | undefined>>;
const unpatched: Functions = { ...(dns as unknown as Functions) };
const unpatchedPromises: Functions = { ...(dnsPromises as unknown as Functions) };
const methods: Functions = Object.fromEntries(queries.map((name) => [name, methodOf(Resolver, name)]));
const promiseMethods: Functions = Object.fromEntries(queries.map((name) => [name, methodOf(PromisesResolver, name)]));

function methodOf({ prototype }: { readonly prototype: object }, name: string): AnyFunction | undefined {
  return (prototype as Functions)[name];
}

/** What is told of a question that was given up. */
function cancelledError(cause: Error, syscall: string, hostname: unknown): Error {
  const message = `${syscall} ECANCELLED ${String(hostname)}`;
  return Object.assign(new Error(message, { cause: cause.cause }), { code: 'ECANCELLED', syscall, hostname });
}

interface Question {
  readonly host: string;
  readonly family: number;
  readonly hints: number;
  readonly all: boolean;
}

const families: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  [undefined, 0],
  [0, 0],
  [4, 4],
  [6, 6],
  ['IPv4', 4],
  ['IPv6', 6],
]);

const { ADDRCONFIG, ALL, V4MAPPED } = dns;
const validHints: ReadonlySet<number> = new Set(
  [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => {
    return (bits & 1 ? ADDRCONFIG : 0) | (bits & 2 ? ALL : 0) | (bits & 4 ? V4MAPPED : 0);
  }),
);

/** The question, if it is one that the limiter can ask. */
function questionOf(host: unknown, given: unknown): Question | undefined {
  if (typeof host !== 'string' || host === '' || isIP(host) !== 0) return undefined;
  if (typeof given === 'number') return questionOf(host, { family: given });
  if (given === undefined) return { host, family: 0, hints: 0, all: false };
  if (typeof given !== 'object' || given === null) return undefined;
  const { family, all, hints = 0, order, verbatim } = given as dns.LookupOptions & { readonly order?: unknown };
  const number = families.get(family);
  if (number === undefined || !validHints.has(hints) || order !== undefined || verbatim !== undefined) return undefined;
  return all === undefined || typeof all === 'boolean' ? { host, family: number, hints, all: all ?? false } : undefined;
}

/** Ask; `done` is called once, not before this returns. It follows the cancellation of `follow`, if that is given. */
function ask(
  { host, family, hints }: Question,
  follow: Following | undefined,
  done: (error: unknown, addresses: readonly Resolved[]) => void,
): void {
  const told = AsyncResource.bind((error: unknown, addresses: readonly Resolved[]) => {
    follow?.over();
    done(error, addresses);
  });
  const pending = lookups.ask(host, family, told, () => {}, hints);
  follow?.onCancelled((cause) => {
    pending.cancel();
    nextTick(told, cancelledError(cause, 'getaddrinfo', host), []);
  });
}

function lookupCallback(site: PatchSite): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      if (kernel.current === kernel.nobody || !site.switch.on) return below.apply(this, args);
      const callback = args.at(-1);
      const question = questionOf(args[0], args.length === 3 ? args[1] : undefined);
      if (question === undefined || typeof callback !== 'function' || args.length < 2 || args.length > 3) {
        return below.apply(this, args);
      }
      ask(question, following(patched), (error, addresses) => {
        if (error !== undefined) callback(error);
        else if (question.all) callback(null, addresses);
        else callback(null, addresses[0]?.address, addresses[0]?.family);
      });
      return {};
    };
}

function lookupPromise(site: PatchSite): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      if (kernel.current === kernel.nobody || !site.switch.on) return below.apply(this, args);
      const question = questionOf(args[0], args[1]);
      if (question === undefined) return below.apply(this, args);
      const follow = following(patched);
      const promise = new Promise((resolve, reject) => {
        ask(question, follow, (error, addresses) => {
          if (error !== undefined) reject(error);
          else resolve(question.all ? addresses : addresses[0]);
        });
      });
      if (follow !== undefined) handledIfCancelled(follow, promise);
      return promise;
    };
}

/** A Resolver for one question, that asks whom the module's own functions ask. */
function ownResolver<R extends { setServers(servers: readonly string[]): void }>(Made: new () => R): R {
  const resolver = new Made();
  resolver.setServers(getServers());
  return resolver;
}

/** A query with a callback: of the module, or of a Resolver of the program's. */
function queryCallback(site: PatchSite, name: string): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      const callback = args.at(-1);
      const follow = site.switch.on && typeof callback === 'function' ? following(patched) : undefined;
      if (follow === undefined) return below.apply(this, args);
      let waiting = true;
      const told = AsyncResource.bind((...results: unknown[]) => {
        if (!waiting) return;
        waiting = false;
        follow.over();
        (callback as AnyFunction)(...results);
      });
      // What somebody else has put below, a mock, is to be called, not gone around.
      const method = below === unpatched[name] ? methods[name] : undefined;
      const resolver = method === undefined ? undefined : ownResolver(Resolver);
      follow.onCancelled((cause) => {
        if (resolver === undefined) nextTick(told, cancelledError(cause, name, args[0]));
        else resolver.cancel();
      });
      const asked = [...args.slice(0, -1), told];
      try {
        return method === undefined ? below.apply(this, asked) : method.apply(resolver, asked);
      } catch (error) {
        follow.over();
        throw error;
      }
    };
}

/** A query that gives a promise. */
function queryPromise(site: PatchSite, name: string): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      const follow = site.switch.on ? following(patched) : undefined;
      if (follow === undefined) return below.apply(this, args);
      const method = below === unpatchedPromises[name] ? promiseMethods[name] : undefined;
      const resolver = method === undefined ? undefined : ownResolver(PromisesResolver);
      const promise = followPromise(follow, () => {
        const asked: unknown = method === undefined ? below.apply(this, args) : method.apply(resolver, args);
        if (resolver !== undefined) follow.onCancelled(() => resolver.cancel());
        if (resolver !== undefined || !(asked instanceof Promise)) return asked;
        return new Promise((resolve, reject) => {
          then.call(asked, resolve, reject);
          follow.onCancelled((cause) => reject(cancelledError(cause, name, args[0])));
        });
      });
      return promise;
    };
}

/**
 * Let lookups in greenlets keep to the limit of `dns.lookup` of tendril, and questions to the system and to name servers end with ECANCELLED when their greenlet is
 * cancelled. Never switches. Idempotent.
 *
 * @throws PatchConflictError if another copy of tendril has patched them.
 * @see https://nodejs.org/api/dns.html
 */
export function patchDns(): Patch {
  return applyPatch('dns', (site) => {
    site.replace('dns', 'lookup', lookupCallback(site));
    site.replace('dns/promises', 'lookup', lookupPromise(site));
    for (const name of queries) {
      site.replace('dns', name, queryCallback(site, name));
      site.replace('dns', `Resolver.prototype.${name}`, queryCallback(site, name));
      site.replace('dns/promises', name, queryPromise(site, name));
      site.replace('dns/promises', `Resolver.prototype.${name}`, queryPromise(site, name));
    }
  });
}
