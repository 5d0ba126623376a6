// resp-values.ts: what a reply can be, and how its parts become values.
//
// Integers that a number cannot hold become bigints. A map becomes a Map and not an object, because its keys may be anything.
// An error inside an array is an element like any other: whether it is thrown is for whoever asked to say.

import { type RedisError, RedisProtocolError } from './errors.ts';

export type Reply =
  | null
  | string
  | Buffer
  | number
  | bigint
  | boolean
  | RedisError
  | Reply[]
  | Map<Reply, Reply>
  | Set<Reply>
  | Push;

/** What the server sends without being asked (RESP3). */
export class Push {
  readonly items: Reply[];
  constructor(items: Reply[]) {
    this.items = items;
  }
}

/** An aggregate was opened, or an attribute skipped: there is no value yet. */
export const NO_VALUE: unique symbol = Symbol('no value');

/** An array, set, map, push or attribute whose elements are coming. */
export class Aggregate {
  readonly #kind: string;
  readonly #items: Reply[] = [];
  missing: number;

  constructor(kind: string, size: number) {
    this.#kind = kind;
    this.missing = kind === '%' || kind === '|' ? 2 * size : size;
  }

  isFullWith(value: Reply): boolean {
    this.#items.push(value);
    this.missing -= 1;
    return this.missing === 0;
  }

  finished(): Reply | typeof NO_VALUE {
    const items = this.#items;
    switch (this.#kind) {
      case '~':
        return new Set(items);
      case '>':
        return new Push(items);
      case '%':
        return new Map(items.flatMap((key, i) => (i % 2 === 0 ? [[key, items[i + 1] as Reply] as const] : [])));
      case '|': // remarks on the value that comes next, which are of no use to us
        return NO_VALUE;
      default:
        return items;
    }
  }
}

/** The length of a bulk string or aggregate. */
export function count(text: string, kind: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new RedisProtocolError(`the length of a '${kind}' is ${JSON.stringify(text.slice(0, 40))}`);
  return Number(text);
}

export function integer(text: string): number | bigint {
  if (!/^[+-]?\d{1,20}$/.test(text)) throw new RedisProtocolError(`an integer is ${JSON.stringify(text.slice(0, 40))}`);
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text.replace('+', ''));
}

export function double(text: string): number {
  if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^-?nan$/i.test(text)) return Number.NaN;
  if (!/^[+-]?\d+(\.\d*)?(e[+-]?\d+)?$/i.test(text))
    throw new RedisProtocolError(`a double is ${JSON.stringify(text.slice(0, 40))}`);
  return Number(text);
}
