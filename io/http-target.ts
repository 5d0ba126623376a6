// http-target.ts: where a request goes: the origin whose connections it uses, and the path that is sent.
//
// The WHATWG parser drops tabs and line ends, and encodes what it does not like, in silence: whoever builds URLs from what users type would never learn
// of it. So control characters and what is beyond latin-1 are refused first; a URL object, in which all that is done, passes.
// Sources: node:http (ERR_UNESCAPED_CHARACTERS), WHATWG URL.

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';

type Primitive = string | number | boolean;
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

/** @throws TypeError (ERR_INVALID_URL, ERR_INVALID_PROTOCOL, ERR_UNESCAPED_CHARACTERS, ERR_INVALID_ARG_TYPE) if no request can go there. */
export function parseTarget(given: string | URL, query: Query | undefined): Target {
  if (query !== undefined || typeof given !== 'string') return parse(given, query);
  let target = remembered.get(given);
  if (target === undefined) {
    target = parse(given, undefined);
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    if (given.length <= LONGEST_REMEMBERED) remembered.set(given, target);
  }
  return target;
}

function parse(given: string | URL, query: Query | undefined): Target {
  const url = toUrl(given);
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

function toUrl(given: unknown): URL {
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
    return new URL(given);
  } catch (cause) {
    throw typeError(`invalid url: ${JSON.stringify(given.slice(0, 200))}`, 'ERR_INVALID_URL', { cause });
  }
}

function withQuery(search: string, query: Query): string {
  if (typeof query !== 'object' || query === null) throw typeError('query must be an object', 'ERR_INVALID_ARG_TYPE');
  const fields = new URLSearchParams();
  for (const name of Object.keys(query)) {
    const value = query[name];
    if (name === '__proto__') throw typeError('query may not have a field __proto__', 'ERR_INVALID_ARG_VALUE');
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? (value as readonly Primitive[]) : [value as Primitive]) {
      if (typeof one === 'object' || typeof one === 'function' || typeof one === 'symbol') {
        throw typeError(
          `query field ${name} must be a string, a number or a boolean, not ${nameOf(one)}`,
          'ERR_INVALID_ARG_TYPE',
        );
      }
      fields.append(name, String(one));
    }
  }
  const added = fields.toString();
  if (added === '') return search;
  return search === '' ? `?${added}` : `${search}&${added}`;
}
