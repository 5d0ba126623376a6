// http-cookies.ts: cookies, kept by a jar that the caller brings. Ours is only to ask it before each request and to tell it of each answer.
//
// The rules of cookies are the jar's: domains, paths, public suffixes, ages. Any object with these two methods will do; the CookieJar of tough-cookie
// has them. They may answer with a promise. A cookie that the jar refuses is the server's fault and is dropped.

import { typeError } from '../core/bad-argument.ts';
import { rethrowKilled } from '../core/errors.ts';
import { nameOf, type Resume, type Trap } from '../core/op.ts';
import { checkValue, valueIn, without } from './http-headers.ts';
import type { Outgoing } from './http-outgoing.ts';
import type { Response } from './http-response.ts';
import { until } from './until.ts';

/** Keeps cookies: the CookieJar of tough-cookie is one. */
export interface CookieJar {
  /** The value of the header `cookie` for a request to `url`; '' for none. */
  getCookieString(url: string): string | PromiseLike<string>;
  /** Note one header `set-cookie` of an answer from `url`. */
  setCookie(cookie: string, url: string): unknown;
}

const COOKIE: ReadonlySet<string> = new Set(['cookie']);

/** @throws TypeError if `jar` is none. */
export function checkJar(jar: unknown): CookieJar {
  const candidate = jar as Partial<CookieJar> | null | undefined;
  if (typeof candidate?.getCookieString === 'function' && typeof candidate.setCookie === 'function')
    return candidate as CookieJar;
  throw typeError(`cookies must be a jar with getCookieString and setCookie, not ${nameOf(jar)}`);
}

/** `message` with the cookies that belong to it, behind those that the caller has set. */
export function* withCookies(message: Outgoing, jar: CookieJar): Generator<Trap, Outgoing, Resume> {
  const stored = yield* settled(jar.getCookieString(message.url));
  if (stored === undefined || stored === null || stored === '') return message;
  const headers = message.headers ?? [];
  const given = valueIn(headers, 'cookie');
  const value = checkValue('cookie', given === undefined ? stored : `${given}; ${String(stored)}`);
  return message.withHeaders([...without(headers, COOKIE), 'cookie', value]);
}

/** Tell `jar` of the cookies that `response` sets. */
export function* keepCookies(response: Response, jar: CookieJar): Generator<Trap, void, Resume> {
  for (const cookie of response.headers['set-cookie'] ?? []) {
    try {
      yield* settled(jar.setCookie(cookie, response.url));
    } catch (error) {
      rethrowKilled(error);
    }
  }
}

function* settled(value: unknown): Generator<Trap, unknown, Resume> {
  const isPromise = typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
  return isPromise ? yield* until(value as PromiseLike<unknown>) : value;
}
