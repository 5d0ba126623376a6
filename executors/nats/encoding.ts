// encoding.ts: values as text and back: JSON, and tags for what JSON has no form of.
//
// A tag is an object with the member `$`: {"$":"date","v":5}. An object of the user's that has such a member is written as a list of pairs, so nothing of the user's can be
// taken for a tag. What structured clone refuses is refused here, and besides it RegExp (one that another machine sends could run for ever) and shared
// memory. Of an instance of a class the own enumerable properties arrive, as with structured clone. One object in two places arrives as two; a cycle is refused.
//
// What is read comes from outside: it is refused unless it is exactly what encodeValue writes. No key of it reaches a prototype, since `__proto__` as a key is refused on both
// sides, and nothing is made but data.
//
// Sources: RFC 8259; the types of structured clone; EJSON and superjson for the idea of tags.

import { isAnyArrayBuffer, isProxy } from 'node:util/types';
import { typeError } from '../../core/bad-argument.ts';
import { describeThrown, revive } from '../thrown.ts';
import { cannotTravel, memberPath, shownKey } from '../travel.ts';
import { decodeTagged, encodeBytes, longestBigint, viewName } from './encoding-tags.ts';
import { MessageMalformedError } from './errors.ts';
import { checkThrown } from './thrown-check.ts';

/** Deeper than this is no data but a mistake, and would overflow somebody's stack. */
export const deepest = 500;

/** A step on the way to a value: a member or index, or what a collection calls it. */
type Step = string | number | { readonly shown: string };

/** A member called `__proto__` would become the prototype somewhere on its way. */
const dangerous = '__proto__';

/**
 * The text of `value`, which the caller knows as `path`.
 *
 * @throws TypeError that names the path of what cannot travel (ERR_CANNOT_TRAVEL), or the size and the limit in bytes (ERR_MESSAGE_TOO_LARGE).
 */
export function encodeValue(value: unknown, path: string, maxBytes: number): string {
  const encoder = new Encoder(path, maxBytes);
  const text = JSON.stringify(encoder.visit(value));
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw tooLarge(path, bytes, maxBytes);
  return text;
}

/** The error for a message that the server would not take. */
export function tooLarge(path: string, bytes: number, maxBytes: number): TypeError {
  return typeError(
    `${path} makes a message of ${bytes} bytes or more, and the server takes ${maxBytes} (its max_payload, less what stands before it): pass a file's name, or parts, or raise max_payload in the server's configuration`,
    'ERR_MESSAGE_TOO_LARGE',
  );
}

class Encoder {
  readonly #root: string;
  readonly #maxBytes: number;
  readonly #steps: Step[] = [];
  /** Objects that enclose the one that is visited. */
  readonly #open: Set<object> = new Set();
  /** A lower bound, so that what is far too large is never written. */
  #bytes = 0;

  constructor(root: string, maxBytes: number) {
    this.#root = root;
    this.#maxBytes = maxBytes;
  }

  visit(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        this.#add(value.length + 2);
        return value;
      case 'number':
        this.#add(1);
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : { $: 'number', v: Object.is(value, -0) ? '-0' : String(value) };
      case 'boolean':
        this.#add(4);
        return value;
      case 'bigint':
        return this.#big(value);
      case 'undefined':
        return { $: 'undefined' };
      case 'object':
        return value === null ? null : this.#object(value);
      default:
        throw cannotTravel(value, this.#path(), 'another machine');
    }
  }

  #object(value: object): unknown {
    if (isProxy(value)) throw cannotTravel(value, this.#path(), 'another machine');
    if (this.#open.has(value))
      throw typeError(`${this.#path()} leads back to a value that encloses it: send a tree`, 'ERR_CANNOT_TRAVEL');
    if (this.#steps.length >= deepest)
      throw typeError(`${this.#path()} lies deeper than ${deepest} levels: send it flat`, 'ERR_CANNOT_TRAVEL');
    this.#open.add(value);
    const tree = this.#composed(value);
    this.#open.delete(value);
    return tree;
  }

  #composed(value: object): unknown {
    if (Array.isArray(value)) return this.#list(value);
    if (value instanceof Date) return { $: 'date', v: Number.isNaN(value.getTime()) ? null : value.getTime() };
    if (value instanceof Map) return { $: 'map', v: this.#pairs(value) };
    if (value instanceof Set) return { $: 'set', v: this.#members(value) };
    if (value instanceof Error) return { $: 'error', v: describeThrown(value) };
    const view = viewName(value);
    if (view !== undefined)
      return this.#tagged(
        view,
        encodeBytes(value, (bytes) => this.#add(bytes)),
      );
    if (isAnyArrayBuffer(value) || Object.prototype.toString.call(value) !== '[object Object]')
      throw cannotTravel(value, this.#path(), 'another machine');
    return this.#record(value);
  }

  #big(value: bigint): unknown {
    const text = value.toString();
    if (text.length > longestBigint)
      throw typeError(`${this.#path()} has more than ${longestBigint} digits: send it as bytes`, 'ERR_CANNOT_TRAVEL');
    return this.#tagged('bigint', text);
  }

  #tagged(tag: string, text: string): unknown {
    this.#add(text.length);
    return { $: tag, v: text };
  }

  #list(list: readonly unknown[]): unknown[] {
    this.#add(list.length);
    const tree = new Array<unknown>(list.length);
    for (let index = 0; index < list.length; index += 1) tree[index] = this.#at(index, list[index]);
    return tree;
  }

  #record(value: object): unknown {
    const keys = Object.keys(value);
    for (const key of keys) {
      this.#add(key.length + 3);
      if (key === dangerous) throw cannotTravel('a prototype', memberPath(this.#path(), key), 'another machine');
    }
    if (Object.hasOwn(value, '$'))
      return { $: 'object', v: keys.map((key) => [key, this.#at(key, (value as Record<string, unknown>)[key])]) };
    const tree: Record<string, unknown> = {};
    for (const key of keys) tree[key] = this.#at(key, (value as Record<string, unknown>)[key]);
    return tree;
  }

  #pairs(map: Map<unknown, unknown>): unknown[] {
    return Array.from(map, ([key, item]) => [
      this.#at({ shown: ' (a key)' }, key),
      this.#at({ shown: `.get(${shownKey(key)})` }, item),
    ]);
  }

  #members(set: Set<unknown>): unknown[] {
    return Array.from(set, (item) => this.#at({ shown: ' (a member)' }, item));
  }

  #at(step: Step, value: unknown): unknown {
    this.#steps.push(step);
    const tree = this.visit(value);
    this.#steps.pop();
    return tree;
  }

  #add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) throw tooLarge(this.#path(), this.#bytes, this.#maxBytes);
  }

  #path(): string {
    let path = this.#root;
    for (const step of this.#steps) {
      if (typeof step === 'object') path += step.shown;
      else path = typeof step === 'number' ? `${path}[${step}]` : memberPath(path, step);
    }
    return path;
  }
}

/** The value of a text. @throws MessageMalformedError if `encodeValue` has not written it. */
export function decodeValue(text: string): unknown {
  return decodeTree(parse(text));
}

/** What JSON.parse gives, of text that came from outside. @throws MessageMalformedError */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MessageMalformedError('the message is no JSON', { cause: error });
  }
}

/** The value of a tree that JSON.parse has given; the tree is used up. @throws MessageMalformedError */
export function decodeTree(tree: unknown, depth = 0): unknown {
  if (typeof tree !== 'object' || tree === null) return tree;
  // A tagged collection takes three levels for one.
  if (depth > 3 * deepest) throw new MessageMalformedError(`the message is nested deeper than ${deepest} levels`);
  if (Array.isArray(tree)) {
    for (let index = 0; index < tree.length; index += 1) tree[index] = decodeTree(tree[index], depth + 1);
    return tree;
  }
  const record = tree as Record<string, unknown>;
  if (Object.hasOwn(record, '$')) return decodeTag(record, depth);
  for (const key of Object.keys(record)) {
    checkKey(key);
    record[key] = decodeTree(record[key], depth + 1);
  }
  return record;
}

function decodeTag({ $: tag, v }: Record<string, unknown>, depth: number): unknown {
  switch (tag) {
    case 'map':
      return new Map(decodePairs(v, depth));
    case 'set':
      return new Set(decodeTree(requireList(v, 'a set'), depth + 1) as unknown[]);
    case 'object': {
      const pairs = decodePairs(v, depth);
      for (const [key] of pairs) checkKey(key);
      return Object.fromEntries(pairs);
    }
    case 'error':
      return revive(checkThrown(v));
    default:
      return decodeTagged(tag, v);
  }
}

function decodePairs(v: unknown, depth: number): [PropertyKey, unknown][] {
  const pairs = decodeTree(requireList(v, 'pairs'), depth + 1) as unknown[];
  for (const pair of pairs)
    if (!Array.isArray(pair) || pair.length !== 2) throw new MessageMalformedError('a pair in the message is none');
  return pairs as [PropertyKey, unknown][];
}

function requireList(v: unknown, what: string): unknown[] {
  if (!Array.isArray(v)) throw new MessageMalformedError(`the message has ${what} without a list`);
  return v;
}

function checkKey(key: unknown): void {
  if (key === dangerous) throw new MessageMalformedError(`the message has a member called ${dangerous}`);
}
