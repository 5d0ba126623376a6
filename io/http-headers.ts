// http-headers.ts: headers, both ways: what a caller may send, checked before anything is connected, and what came, as a map.
//
// Checks are for injection and for mistakes: CR, LF and NUL, and what latin-1 cannot carry, never reach a connection. Nothing is escaped or
// dropped in silence: a bad name or value is a TypeError at the call. Fields that say where a message ends or a connection goes are the client's
// own business and are refused.
//
// Both maps are safe against `__proto__`: own properties are read, results have no prototype.
// Sources: RFC 9110 5.1 and 5.5 (names, values); node:http (codes of the errors, how repeated fields of a response are joined).

import type { IncomingHttpHeaders } from 'node:http';
import { typeError } from '../core/bad-argument.ts';

export type HeaderValue = string | number | readonly string[];
/** Headers to send: an object of own properties, or name-value pairs (an array, a Map, a Headers). */
export type RequestHeaders =
  | Readonly<Record<string, HeaderValue | undefined>>
  | Iterable<readonly [string, HeaderValue]>;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const OURS = new Set(['keep-alive', 'transfer-encoding', 'upgrade', 'expect', 'proxy-connection', 'te', 'trailer']);
const ONCE = new Set(['host', 'content-length', 'connection']);
const LENGTH = /^\d{1,15}$/;

/** @throws TypeError (ERR_INVALID_HTTP_TOKEN) if `method` is no token, or one that needs a tunnel. */
export function checkMethod(method: unknown): string {
  if (typeof method !== 'string' || !TOKEN.test(method)) {
    throw typeError(`method must be a valid HTTP token, not ${JSON.stringify(method)}`, 'ERR_INVALID_HTTP_TOKEN');
  }
  const upper = method.toUpperCase();
  if (upper === 'CONNECT') throw typeError('method CONNECT makes a tunnel, not a request', 'ERR_INVALID_ARG_VALUE');
  return upper;
}

/**
 * The names and values to send, alternating.
 *
 * @throws TypeError (ERR_INVALID_HTTP_TOKEN, ERR_INVALID_CHAR, ERR_INVALID_ARG_VALUE) for what may not be sent.
 */
export function checkHeaders(headers: RequestHeaders): string[] {
  if (typeof headers !== 'object' || headers === null)
    throw typeError('headers must be an object or pairs', 'ERR_INVALID_ARG_TYPE');
  const flat: string[] = [];
  if (Symbol.iterator in headers) {
    for (const pair of headers as Iterable<readonly [string, HeaderValue]>) {
      if (!Array.isArray(pair) || pair.length !== 2)
        throw typeError('headers that are iterable must give [name, value] pairs', 'ERR_INVALID_ARG_TYPE');
      add(flat, pair[0], pair[1]);
    }
  } else {
    for (const name of Object.keys(headers)) {
      const value = (headers as Readonly<Record<string, HeaderValue | undefined>>)[name];
      if (value !== undefined) add(flat, name, value);
    }
  }
  return flat;
}

function add(flat: string[], name: unknown, value: unknown): void {
  if (typeof name !== 'string' || !TOKEN.test(name) || name === '__proto__') {
    throw typeError(`header name must be a valid HTTP token, not ${JSON.stringify(name)}`, 'ERR_INVALID_HTTP_TOKEN');
  }
  const lower = name.toLowerCase();
  if (OURS.has(lower)) throw typeError(`header ${name} is set by the client itself`, 'ERR_INVALID_ARG_VALUE');
  if (Array.isArray(value)) for (const one of value) addOne(flat, name, lower, checkValue(name, one));
  else addOne(flat, name, lower, checkValue(name, value));
}

function addOne(flat: string[], name: string, lower: string, value: string): void {
  if (ONCE.has(lower)) {
    const wrong =
      (lower === 'connection' && !/^(close|keep-alive)$/i.test(value)) ||
      (lower === 'content-length' && !LENGTH.test(value));
    if (wrong) throw typeError(`header ${name} may not be ${JSON.stringify(value)}`, 'ERR_INVALID_ARG_VALUE');
    if (valueIn(flat, lower) !== undefined) throw typeError(`header ${name} is given twice`, 'ERR_INVALID_ARG_VALUE');
  }
  flat.push(name, value);
}

/** @throws TypeError (ERR_INVALID_CHAR, ERR_INVALID_ARG_TYPE) if `value` may not be sent in a header `name`. */
export function checkValue(name: string, value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string')
    throw typeError(`header ${name} must be a string or a number, not ${typeof value}`, 'ERR_INVALID_ARG_TYPE');
  if (BAD_VALUE.test(value))
    throw typeError(
      `header ${name} has a character that may not be sent (CR, LF, NUL or beyond latin-1)`,
      'ERR_INVALID_CHAR',
    );
  return value;
}

/** What is in `flat` under `name`, which is lower-case; undefined if it is not. */
export function valueIn(flat: readonly string[], name: string): string | undefined {
  for (let at = 0; at < flat.length; at += 2) if ((flat[at] as string).toLowerCase() === name) return flat[at + 1];
  return undefined;
}

/** `flat` without the fields whose lower-case names `unwanted` has. */
export function without(flat: readonly string[], unwanted: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let at = 0; at < flat.length; at += 2) {
    if (!unwanted.has((flat[at] as string).toLowerCase())) kept.push(flat[at] as string, flat[at + 1] as string);
  }
  return kept;
}

/** `defaults`, but of the fields that `given` has too only those of `given`. */
export function mergeHeaders(defaults: readonly string[], given: readonly string[]): string[] {
  const names = new Set<string>();
  for (let at = 0; at < given.length; at += 2) names.add((given[at] as string).toLowerCase());
  return [...without(defaults, names), ...given];
}

// Of these the first one counts, as in node:http; others are joined.
const SINGLE = new Set(
  (
    'age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since last-modified location ' +
    'max-forwards proxy-authorization referer retry-after server user-agent'
  ).split(' '),
);

/** The fields of a response by lower-case name, as node:http gives them: repeated ones joined by `, `, set-cookie always an array. */
export function headerMap(raw: readonly (Buffer | string)[]): IncomingHttpHeaders {
  const map = Object.create(null) as Record<string, string | string[]>;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = text(raw[at] as Buffer | string).toLowerCase();
    // Harmless here, but not where somebody copies this map into an ordinary object.
    if (name === '__proto__') continue;
    const value = text(raw[at + 1] as Buffer | string);
    const before = map[name];
    if (name === 'set-cookie') {
      if (before === undefined) map[name] = [value];
      else (before as string[]).push(value);
    } else if (before === undefined) {
      map[name] = value;
    } else if (!SINGLE.has(name)) {
      map[name] = `${before as string}, ${value}`;
    }
  }
  return map;
}

/** What Content-Length says, if it is there and says a number. */
export function lengthIn(raw: readonly (Buffer | string)[]): number | undefined {
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as Buffer | string;
    if (name.length !== 14 || text(name).toLowerCase() !== 'content-length') continue;
    const value = text(raw[at + 1] as Buffer | string);
    return LENGTH.test(value) ? Number(value) : undefined;
  }
  return undefined;
}

/** Names and values as they came, alternating. */
export function headerPairs(raw: readonly (Buffer | string)[]): string[] {
  return raw.map(text);
}

function text(bytes: Buffer | string): string {
  return typeof bytes === 'string' ? bytes : bytes.toString('latin1');
}
