// commands.ts: the commands by name, each one line: its arguments and how its reply becomes a value.
//
// The names, the order of the arguments and the units are Redis' own (`expire` takes seconds). `V` is what a stored value comes back as: string, or
// Buffer for a client that was made with {buffers: true}. Where Redis takes several keys or values, an array of them will do as well.
// Who sends the commands is for the subclasses to say: a client, a link that a greenlet has for itself, a transaction that records them.

import type { Op } from 'tendril';
import type { Shape } from './request.ts';
import type { Argument } from './resp-encoder.ts';
import type { Reply } from './resp-values.ts';

export type Value = string | Buffer;
type Several = readonly (Argument | readonly Argument[])[];
/** Fields and values of a hash: an object, a Map, or the two in turn. */
type Fields = readonly [Readonly<Record<string, Argument>> | ReadonlyMap<string, Argument>] | readonly Argument[];

export abstract class RedisCommands<V extends Value> {
  /** Make the Op of a command. `asBuffers` overrides what the client does with bulk strings. */
  protected abstract make<T>(name: string, args: readonly Argument[], shape?: Shape<T>, asBuffers?: boolean): Op<T>;

  /** The value of `key`; null if there is none. */
  get(key: Argument): Op<V | null> {
    return this.make('GET', [key]);
  }
  /** As `get`, with every byte as it was stored. */
  getBuffer(key: Argument): Op<Buffer | null> {
    return this.make('GET', [key], undefined, true);
  }
  /** Store `value`. `options` as in Redis: `'EX', 10`, `'NX'`; null if one of them prevented it. */
  set(key: Argument, value: Argument, ...options: Argument[]): Op<'OK' | null> {
    return this.make('SET', [key, value, ...options]);
  }
  /** Remove keys; how many there were. */
  del(...keys: Several): Op<number> {
    return this.make('DEL', keys.flat() as Argument[]);
  }
  incr(key: Argument): Op<number> {
    return this.make('INCR', [key]);
  }
  mget(...keys: Several): Op<(V | null)[]> {
    return this.make('MGET', keys.flat() as Argument[]);
  }
  /** Set fields of a hash, given as an object, a Map, or field and value in turn; how many are new. */
  hset(key: Argument, ...fields: Fields): Op<number> {
    return this.make('HSET', [key, ...flatFields(fields)]);
  }
  hget(key: Argument, field: Argument): Op<V | null> {
    return this.make('HGET', [key, field]);
  }
  /** All fields of a hash; an empty object if there is none. */
  hgetall(key: Argument): Op<Record<string, V>> {
    return this.make('HGETALL', [key], toRecord<V>);
  }
  /** Put values in front of a list; its new length. */
  lpush(key: Argument, ...values: Several): Op<number> {
    return this.make('LPUSH', [key, ...(values.flat() as Argument[])]);
  }
  /** Put values at the end of a list; its new length. */
  rpush(key: Argument, ...values: Several): Op<number> {
    return this.make('RPUSH', [key, ...(values.flat() as Argument[])]);
  }
  lrange(key: Argument, start: number, stop: number): Op<V[]> {
    return this.make('LRANGE', [key, start, stop]);
  }
  /** Let `key` expire after `seconds`; 1, or 0 if there is no such key. */
  expire(key: Argument, seconds: number): Op<number> {
    return this.make('EXPIRE', [key, seconds]);
  }
  /** Publish a message; how many subscribers got it. */
  publish(channel: Argument, message: Argument): Op<number> {
    return this.make('PUBLISH', [channel, message]);
  }
  ping(message?: Argument): Op<string> {
    return this.make('PING', message === undefined ? [] : [message], undefined, false);
  }
}

function flatFields(fields: Fields): readonly Argument[] {
  const [first] = fields;
  if (fields.length !== 1 || typeof first !== 'object' || first instanceof Uint8Array)
    return fields as readonly Argument[];
  return first instanceof Map ? [...first].flat() : Object.entries(first).flat();
}

/** RESP2 gives fields and values in turn, RESP3 a map. fromEntries makes a field called __proto__ an ordinary property. */
function toRecord<V>(reply: Reply): Record<string, V> {
  const entries: [string, V][] = [];
  if (reply instanceof Map) for (const [field, value] of reply) entries.push([String(field), value as V]);
  if (Array.isArray(reply))
    for (let i = 0; i < reply.length; i += 2) entries.push([String(reply[i]), reply[i + 1] as V]);
  return Object.fromEntries(entries);
}
