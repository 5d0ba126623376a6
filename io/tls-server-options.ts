// tls-server-options.ts: what a server may say about TLS: who it is, by name if it has several, and whom it lets in.
//
// Certificates for names (SNI) are a table, whose contexts are built and checked at the call, or a function, which may be a generator function: it is asked
// in the middle of the handshake, and its contexts are kept for as long as the objects that it returns.
//
// Names are looked up in a Map, never as properties: a client chooses them.

import type tls from 'node:tls';
import { typeError } from '../core/bad-argument.ts';
import { requireScheduler } from '../core/kernel.ts';
import { isOp, nameOf, type Op } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { own, shownValue } from './address.ts';
import { runErrand } from './errand.ts';
import { checkAlpn, checkHandshakeMs, contextOf, type TlsIdentity, type TlsOptions } from './tls-options.ts';

/** Which certificate for which name; undefined: the one in `cert`. */
export type SniFunction = (servername: string) => TlsIdentity | undefined | Op<TlsIdentity | undefined>;

export interface TlsServerOptions extends TlsOptions {
  /** Ask clients for a certificate. True: let nobody in without one that is verified (see {ca}). 'optional': let all in; `socket.tls.authorized` tells. */
  readonly requestCert?: boolean | 'optional' | undefined;
  /** Certificates by the name that a client asks for, as an object, a Map or a function. `*.example.com` is every name with one more label. */
  readonly sni?: Readonly<Record<string, TlsIdentity>> | ReadonlyMap<string, TlsIdentity> | SniFunction | undefined;
}

/** What a server's handshake needs to know. @internal */
export interface TlsServer {
  readonly context: tls.SecureContext;
  readonly alpn: string[] | undefined;
  readonly handshakeTimeoutMs: number;
  readonly requestCert: boolean | 'optional';
  readonly sni: Sni | undefined;
}

/**
 * Check what a server says about TLS.
 *
 * @throws TypeError or RangeError for a bad option. @throws TlsError for PEM that is none, a key of another certificate, an unknown cipher. @internal
 */
export function checkTlsServer(given: object, where: string): TlsServer {
  const requestCert = own<unknown>(given, 'requestCert') ?? false;
  if (typeof requestCert !== 'boolean' && requestCert !== 'optional') {
    throw typeError(`${where}: requestCert must be true, false or 'optional', not ${shownValue(requestCert)}`);
  }
  const table = own<unknown>(given, 'sni');
  if (table === undefined && own(given, 'cert') === undefined) {
    throw typeError(`${where}: a server needs a certificate: give {key, cert}`);
  }
  return {
    context: contextOf(given, where),
    alpn: checkAlpn(given, where),
    handshakeTimeoutMs: checkHandshakeMs(given, where),
    requestCert,
    sni: table === undefined ? undefined : checkSni(table, where),
  };
}

/** @internal */
export type SniDone = (error: Error | null, context?: tls.SecureContext) => void;

/** How the certificate for a name is found. What it returns, if anything, gives up the search. @internal */
export interface Sni {
  choose(servername: string, done: SniDone): (() => void) | undefined;
}

function checkSni(table: unknown, where: string): Sni {
  if (typeof table === 'function') return new AskedNames(table as SniFunction, where, requireScheduler());
  if (typeof table !== 'object' || table === null || Array.isArray(table)) {
    throw typeError(`${where}: sni must be an object, a Map or a function, not ${shownValue(table)}`);
  }
  const entries: Iterable<readonly [unknown, unknown]> = table instanceof Map ? table : Object.entries(table);
  const contexts = new Map<string, tls.SecureContext>();
  for (const [name, identity] of entries) {
    if (typeof name !== 'string' || name === '') throw typeError(`${where}: a name in sni must be a string`);
    contexts.set(name.toLowerCase(), identityContext(identity, `${where}: sni for ${shownValue(name)}`));
  }
  return new KnownNames(contexts);
}

function identityContext(identity: unknown, where: string): tls.SecureContext {
  if (typeof identity !== 'object' || identity === null) {
    throw typeError(`${where}: {key, cert} is needed, not ${shownValue(identity)}`);
  }
  if (own(identity, 'cert') === undefined) throw typeError(`${where}: {key, cert} is needed`);
  return contextOf(identity, where);
}

class KnownNames implements Sni {
  readonly #contexts: ReadonlyMap<string, tls.SecureContext>;

  constructor(contexts: ReadonlyMap<string, tls.SecureContext>) {
    this.#contexts = contexts;
  }

  choose(servername: string, done: SniDone): undefined {
    const name = servername.toLowerCase();
    const dot = name.indexOf('.');
    const wild = dot > 0 ? this.#contexts.get(`*${name.slice(dot)}`) : undefined;
    done(null, this.#contexts.get(name) ?? wild);
  }
}

class AskedNames implements Sni {
  readonly #ask: SniFunction;
  readonly #where: string;
  readonly #scheduler: Scheduler;
  readonly #contexts: WeakMap<object, tls.SecureContext> = new WeakMap();

  constructor(ask: SniFunction, where: string, scheduler: Scheduler) {
    this.#ask = ask;
    this.#where = where;
    this.#scheduler = scheduler;
  }

  // User code: it runs in a greenlet, never in the host's callback. A fault of it is its author's to know of, and the end of that handshake only.
  choose(servername: string, done: SniDone): () => void {
    const ask = this.#ask;
    const body = function* (): Op<unknown> {
      const answer: unknown = ask(servername);
      return isOp(answer) ? yield* answer : answer;
    };
    const greenlet = runErrand(this.#scheduler, `sni for ${shownValue(servername)}`, body, (outcome) => {
      try {
        if (!outcome.ok) throw outcome.error;
        done(null, this.#contextFor(outcome.value, servername));
      } catch (error) {
        if (!(!outcome.ok && outcome.killed)) this.#scheduler.report(error, undefined);
        done(error instanceof Error ? error : typeError(`${this.#where}: sni threw ${nameOf(error)}`));
      }
    });
    return () => void greenlet.kill('its handshake is over');
  }

  #contextFor(identity: unknown, servername: string): tls.SecureContext | undefined {
    if (identity === undefined) return undefined;
    const known = this.#contexts.get(identity as object);
    if (known !== undefined) return known;
    const context = identityContext(identity, `${this.#where}: sni for ${shownValue(servername)}`);
    this.#contexts.set(identity as object, context);
    return context;
  }
}
