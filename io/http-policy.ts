// http-policy.ts: how a request is carried out beyond a single sending: redirects, retries, cookies, decompression.
//
// A client has a policy, and a request one that differs in what it says itself. Neither ever changes, so that most requests share that of their client.

import { rangeError, typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { checkOptions, own, ownCount, ownFlag, ownMs } from './address.ts';
import { type CookieJar, checkJar } from './http-cookies.ts';
import type { DecompressLimits } from './http-decode.ts';

/** How redirects are followed. */
export interface RedirectOptions {
  /** How many: 5 by default; 0: none, the response is returned as it is. */
  readonly limit?: number | undefined;
  /** Also from https: to http:. False by default. */
  readonly allowDowngrade?: boolean | undefined;
}

/** Which requests are made again, how often, and how soon. */
export interface RetryOptions {
  /** How many times the request is made at most, the first included: 3 by default. */
  readonly attempts?: number | undefined;
  /** In how much time all of them have to begin: 30,000 by default. */
  readonly totalMs?: number | undefined;
  /** How long about is waited before the second attempt: 200 by default. Each wait is twice as long as the one before it. */
  readonly delayMs?: number | undefined;
  /** The longest wait, unless the server says another: 10,000 by default. */
  readonly maxDelayMs?: number | undefined;
  /** The methods that may be repeated: GET, HEAD, OPTIONS, TRACE, PUT and DELETE by default. */
  readonly methods?: readonly string[] | undefined;
  /** The statuses after which it is tried again: 429 and 503 by default. */
  readonly statuses?: readonly number[] | undefined;
}

/** How compressed bodies are read. */
export interface DecompressOptions {
  /** The most bytes that a body may unfold to: 64 MiB by default. */
  readonly maxBytes?: number | undefined;
  /** The most bytes that it may unfold to for each that came: 100 by default. */
  readonly maxRatio?: number | undefined;
}

/** What a client and a request can both say. */
export interface PolicyOptions {
  /** Follow redirects: 5 by default; a number is a limit, 0 or false: none. */
  readonly redirects?: number | boolean | RedirectOptions | undefined;
  /** Try again what has failed and may be repeated; a number is a limit of attempts. Not by default. */
  readonly retry?: number | boolean | RetryOptions | undefined;
  /** Where cookies are kept; by default none are. */
  readonly cookies?: CookieJar | false | undefined;
  /** Read what is compressed (gzip, deflate, br, zstd): by default, within limits; false: give it as it comes. */
  readonly decompress?: boolean | DecompressOptions | undefined;
}

export interface RetryPolicy {
  readonly attempts: number;
  readonly totalMs: number;
  readonly delayMs: number;
  readonly maxDelayMs: number;
  readonly methods: ReadonlySet<string>;
  readonly statuses: ReadonlySet<number>;
}

export interface Policy {
  readonly redirects: number;
  readonly allowDowngrade: boolean;
  readonly retry: RetryPolicy | undefined;
  readonly cookies: CookieJar | undefined;
  readonly decompress: DecompressLimits | undefined;
}

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
const BUSY: ReadonlySet<number> = new Set([429, 503]);
const KEYS = ['redirects', 'retry', 'cookies', 'decompress'] as const;

export const DEFAULT_POLICY: Policy = {
  redirects: 5,
  allowDowngrade: false,
  retry: undefined,
  cookies: undefined,
  decompress: { maxBytes: 64 * 1024 * 1024, maxRatio: 100 },
};

/** `base`, but for what `options` says. @throws TypeError or RangeError for what it may not say. */
export function policyOf(options: PolicyOptions, base: Policy): Policy {
  if (!KEYS.some((key) => Object.hasOwn(options, key) && options[key] !== undefined)) return base;
  const cookies = own<unknown>(options, 'cookies');
  return {
    ...base,
    ...redirectsOf(own(options, 'redirects'), base),
    retry: retryOf(own(options, 'retry'), base),
    cookies: cookies === undefined ? base.cookies : cookies === false ? undefined : checkJar(cookies),
    decompress: decompressOf(own(options, 'decompress'), base),
  };
}

function redirectsOf(
  given: number | boolean | RedirectOptions | undefined,
  base: Policy,
): Pick<Policy, 'redirects' | 'allowDowngrade'> {
  const { redirects, allowDowngrade } = base;
  if (given === undefined) return { redirects, allowDowngrade };
  if (typeof given === 'boolean') return { redirects: given ? DEFAULT_POLICY.redirects : 0, allowDowngrade };
  if (typeof given === 'number') return { redirects: count(given, 'redirects', 0), allowDowngrade };
  const where = 'redirects';
  const options = checkOptions(given, where);
  return {
    redirects: ownCount(options, 'limit', redirects, 0, where),
    allowDowngrade: ownFlag(options, 'allowDowngrade', allowDowngrade, where),
  };
}

function retryOf(given: number | boolean | RetryOptions | undefined, base: Policy): RetryPolicy | undefined {
  if (given === undefined) return base.retry;
  if (given === false) return undefined;
  const where = 'retry';
  const options = typeof given === 'object' ? checkOptions(given, where) : {};
  if (typeof given !== 'object' && typeof given !== 'number' && given !== true)
    throw typeError(`retry must be a number, true, false or an object, not ${nameOf(given)}`);
  const methods = own<unknown>(options, 'methods');
  const statuses = own<unknown>(options, 'statuses');
  if (methods !== undefined && !(Array.isArray(methods) && methods.every((name) => typeof name === 'string')))
    throw typeError('retry: methods must be an array of strings');
  if (statuses !== undefined && !(Array.isArray(statuses) && statuses.every(Number.isInteger)))
    throw typeError('retry: statuses must be an array of integers');
  return {
    attempts: typeof given === 'number' ? count(given, 'retry', 1) : ownCount(options, 'attempts', 3, 1, where),
    totalMs: ownMs(options, 'totalMs', 30_000, where),
    delayMs: ownMs(options, 'delayMs', 200, where),
    maxDelayMs: ownMs(options, 'maxDelayMs', 10_000, where),
    methods: methods === undefined ? IDEMPOTENT : new Set((methods as string[]).map((method) => method.toUpperCase())),
    statuses: statuses === undefined ? BUSY : new Set(statuses as number[]),
  };
}

function decompressOf(given: boolean | DecompressOptions | undefined, base: Policy): DecompressLimits | undefined {
  if (given === undefined) return base.decompress;
  if (given === false) return undefined;
  const { maxBytes, maxRatio } = base.decompress ?? (DEFAULT_POLICY.decompress as DecompressLimits);
  if (given === true) return { maxBytes, maxRatio };
  const where = 'decompress';
  const options = checkOptions(given, where);
  return {
    maxBytes: ownCount(options, 'maxBytes', maxBytes, 0, where),
    maxRatio: ownCount(options, 'maxRatio', maxRatio, 1, where),
  };
}

function count(given: number, what: string, least: number): number {
  if (given === Number.POSITIVE_INFINITY || (Number.isInteger(given) && given >= least)) return given;
  throw rangeError(`${what} must be an integer of at least ${least} or Infinity, not ${given}`);
}
