// http-target.ts: where a request goes: the origin whose connections it uses, and the path that is sent.
//
// The WHATWG parser drops tabs and line ends, and encodes what it does not like, in silence: whoever builds URLs from what users type would never learn
// of it. So control characters and what is beyond latin-1 are refused first; a URL object, in which all that is done, passes.
// Sources: node:http (ERR_UNESCAPED_CHARACTERS), WHATWG URL.

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';

type Primitive = string | number | boolean | bigint;
const FIELDS: ReadonlySet<string> = new Set(['string', 'number', 'boolean', 'bigint']);
/** Fields for the query of a URL: own properties, an array gives one field for each value. */
export type Query = Readonly<Record<string, Primitive | readonly Primitive[] | undefined>>;

export interface Target {
  /** `http://host:port`. */
  readonly origin: string;
  readonly hostname: string;
  /** Path and query. */
  readonly path: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNESCAPED = /[\x00-\x1f\x7f]|[^\x00-\xff]/;

// Parsing costs as much as a third of all else that we do for a request, and programs ask for the same URLs again and again.
const MOST_REMEMBERED = 512;
const LONGEST_REMEMBERED = 1024;
const remembered = new Map<string, Target>();

/**
 * Where `given` leads; relative to `base` if there is one.
 *
 * @throws TypeError (ERR_INVALID_URL, ERR_INVALID_PROTOCOL, ERR_UNESCAPED_CHARACTERS, ERR_INVALID_ARG_TYPE) if no request can go there.
 */
export function parseTarget(given: string | URL, query: Query | undefined, base?: string): Target {
  if (query !== undefined || typeof given !== 'string') return parse(given, query, base);
  // No base has a line end, and nothing that has one is remembered.
  const key = base === undefined ? given : `${base}\n${given}`;
  let target = remembered.get(key);
  if (target === undefined) {
    target = parse(given, undefined, base);
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    if (key.length <= LONGEST_REMEMBERED) remembered.set(key, target);
  }
  return target;
}

/** What a baseUrl stands for: an absolute URL without query and fragment. @throws TypeError as parseTarget. */
export function checkBase(given: string | URL): string {
  const { origin, path } = parse(given, undefined, undefined);
  return origin + path.replace(/\?.*$/, '');
}

function parse(given: string | URL, query: Query | undefined, base: string | undefined): Target {
  const url = toUrl(given, base);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw typeError(`protocol ${url.protocol} is not supported: expected http: or https:`, 'ERR_INVALID_PROTOCOL');
  }
  if (url.username !== '' || url.password !== '') {
    throw typeError('a URL with a user name or password is not sent: set the authorization header', 'ERR_INVALID_URL');
  }
  let { search } = url;
  if (query !== undefined) search = withQuery(search, query);
  return { origin: url.origin, hostname: url.hostname, path: search === '' ? url.pathname : url.pathname + search };
}

function toUrl(given: unknown, base: string | undefined): URL {
  if (given instanceof URL) return given;
  if (typeof given !== 'string')
    throw typeError(`url must be a string or a URL, not ${nameOf(given)}`, 'ERR_INVALID_ARG_TYPE');
  if (UNESCAPED.test(given)) {
    throw typeError(
      'url has a character that must be percent-encoded (a control character, or one beyond latin-1)',
      'ERR_UNESCAPED_CHARACTERS',
    );
  }
  try {
    return new URL(given, base);
  } catch (cause) {
    throw typeError(`invalid url: ${JSON.stringify(given.slice(0, 200))}`, 'ERR_INVALID_URL', { cause });
  }
}

function withQuery(search: string, query: Query): string {
  const added = formText(query, 'query');
  if (added === '') return search;
  return search === '' ? `?${added}` : `${search}&${added}`;
}

/** Fields as `a=1&b=2`, encoded. @throws TypeError, in the words of `what`, for what is no field. */
export function formText(given: Query, what: string): string {
  if (typeof given !== 'object' || given === null) throw typeError(`${what} must be an object`, 'ERR_INVALID_ARG_TYPE');
  const fields = new URLSearchParams();
  for (const name of Object.keys(given)) {
    const value = given[name];
    if (name === '__proto__') throw typeError(`${what} may not have a field __proto__`, 'ERR_INVALID_ARG_VALUE');
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? (value as readonly Primitive[]) : [value as Primitive]) {
      if (!FIELDS.has(typeof one)) {
        throw typeError(
          `${what} field ${name} must be a string, a number or a boolean, not ${nameOf(one)}`,
          'ERR_INVALID_ARG_TYPE',
        );
      }
      fields.append(name, String(one));
    }
  }
  return fields.toString();
}
