// http-settings.ts: what a client is told when it is made: its limits, what its requests have in common, and how it connects.
//
// All of it is checked at the call, certificates and the environment's proxies included, so that no request fails by it later.

import { rangeError, typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { requireMs } from '../core/sleep.ts';
import { own, ownFlag } from './address.ts';
import type { DialOptions } from './http-dial.ts';
import { checkHeaders, type RequestHeaders } from './http-headers.ts';
import { DEFAULT_POLICY, type Policy, type PolicyOptions, policyOf } from './http-policy.ts';
import { checkProxy, type ProxyChoice, type ProxyOptions } from './http-proxy.ts';
import { checkBase } from './http-target.ts';
import { checkTlsClient, type TlsClientOptions } from './tls-options.ts';

export interface ClientOptions extends PolicyOptions {
  /** What URLs that are relative are relative to. The default headers `authorization` and `cookie` go to its origin only. */
  readonly baseUrl?: string | URL | undefined;
  /** Sent with each request, unless the request has the same header. */
  readonly headers?: RequestHeaders | undefined;
  /** For each request as a whole, unless it says otherwise: Infinity by default. */
  readonly timeoutMs?: number | undefined;
  /** A proxy; or 'environment': the one that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say. None by default. */
  readonly proxy?: string | URL | ProxyOptions | undefined;
  /** Whom to trust with https:, and who we are. */
  readonly tls?: Omit<TlsClientOptions, 'alpn' | 'session'> | undefined;
  /** Speak HTTP/2 where the server does, over https: only. False by default. */
  readonly allowH2?: boolean | undefined;
  /** The most connections to one origin: 10 by default. */
  readonly connections?: number | undefined;
  /** The most requests that wait for a connection to one origin: 1,000 by default. */
  readonly queueLimit?: number | undefined;
  /** How long a request may wait for a connection: 30,000 by default. */
  readonly acquireTimeoutMs?: number | undefined;
  /** How long a connect may take, about, with TLS and each with the proxy: 10,000 by default. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long the head of the response may take, from the last byte that was sent: idleTimeoutMs by default. */
  readonly headersTimeoutMs?: number | undefined;
  /** How long the server may send nothing, or nobody read what it sent, about: 60,000 by default. */
  readonly idleTimeoutMs?: number | undefined;
  /** How fast a body has to come while bytes(), text() or json() wait for all of it, over 10 s: 500 by default; 0: at any rate. */
  readonly minBytesPerSecond?: number | undefined;
  /** How long an idle connection is kept, if the server does not say otherwise: 4,000 by default. */
  readonly keepAliveMs?: number | undefined;
  /** The most headers of a response: 100 by default. */
  readonly maxHeaders?: number | undefined;
}

const LIMITS = {
  connections: 10,
  queueLimit: 1_000,
  acquireTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  minBytesPerSecond: 500,
  keepAliveMs: 4_000,
  maxHeaders: 100,
};
export type Limits = Readonly<typeof LIMITS>;
const COUNTS: ReadonlySet<string> = new Set(['connections', 'queueLimit', 'maxHeaders']);
const MAY_BE_ZERO: ReadonlySet<string> = new Set(['queueLimit', 'minBytesPerSecond']);

/** What the requests of a client have in common. */
export interface Defaults {
  readonly baseUrl: string | undefined;
  readonly headers: readonly string[];
  readonly timeoutMs: number;
  readonly policy: Policy;
}

export interface Settings {
  readonly limits: Limits;
  readonly defaults: Defaults;
  readonly proxy: ProxyChoice;
  readonly dial: DialOptions;
}

/** @throws TypeError or RangeError for an option that cannot be. @throws TlsError for a certificate or key that is none. */
export function checkSettings(options: ClientOptions): Settings {
  if (typeof options !== 'object' || options === null)
    throw typeError(`options must be an object, not ${nameOf(options)}`);
  const where = 'http.Client';
  const limits = limitsOf(options);
  const baseUrl = own<string | URL>(options, 'baseUrl');
  const headers = own<RequestHeaders>(options, 'headers');
  const timeoutMs = own<number>(options, 'timeoutMs');
  const tls = own<object>(options, 'tls');
  if (tls !== undefined && (typeof tls !== 'object' || tls === null))
    throw typeError(`tls must be an object, not ${nameOf(tls)}`);
  return {
    limits,
    defaults: {
      baseUrl: baseUrl === undefined ? undefined : checkBase(baseUrl),
      headers: headers === undefined ? [] : checkHeaders(headers),
      timeoutMs: timeoutMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, requireMs(timeoutMs, 'timeoutMs')),
      policy: policyOf(options, DEFAULT_POLICY),
    },
    proxy: checkProxy(own(options, 'proxy')),
    dial: {
      connectTimeoutMs: limits.connectTimeoutMs,
      allowH2: ownFlag(options, 'allowH2', false, where),
      tls: tls === undefined ? undefined : checkTlsClient(tls, `${where}: tls`),
    },
  };
}

function limitsOf(options: ClientOptions): Limits {
  const limits: Record<string, number> = { ...LIMITS };
  for (const name of Object.keys(LIMITS) as (keyof Limits)[]) {
    const value = own<unknown>(options, name);
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value > 0 || (value === 0 && MAY_BE_ZERO.has(name)))) {
      throw rangeError(`${name} must be a positive number, not ${String(value)}`);
    }
    if (COUNTS.has(name) && value !== Number.POSITIVE_INFINITY && !Number.isInteger(value)) {
      throw rangeError(`${name} must be an integer or Infinity, not ${value}`);
    }
    limits[name] = value;
  }
  if (own(options, 'headersTimeoutMs') === undefined) limits.headersTimeoutMs = limits.idleTimeoutMs as number;
  return limits as Limits;
}
