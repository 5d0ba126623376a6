// store.ts: what a simulated Redis knows: databases of keys with strings, lists and hashes.
//
// It runs one command at a time, in no time, and keeps a count of changes for each key, which is what WATCH looks at. It knows nothing of connections.
// Not here: everything that the client's tests do not ask for.

import { type Answer, Failure, Fields, OK } from './resp.ts';

type Content = string | string[] | Map<string, string>;

interface Entry {
  readonly content: Content;
  expiresAtMs: number;
}

const WRONG_TYPE = new Failure('WRONGTYPE Operation against a key holding the wrong kind of value');
const NO_INTEGER = new Failure('ERR value is not an integer or out of range');
const SYNTAX = new Failure('ERR syntax error');

/** How many arguments a command has: so many, or at least so many. */
const ARITY: Readonly<Record<string, readonly [least: number, most: number]>> = {
  GET: [1, 1],
  SET: [2, 99],
  DEL: [1, 99],
  INCR: [1, 1],
  MGET: [1, 99],
  HSET: [3, 99],
  HGET: [2, 2],
  HGETALL: [1, 1],
  LPUSH: [2, 99],
  RPUSH: [2, 99],
  LPOP: [1, 1],
  RPOP: [1, 1],
  LRANGE: [3, 3],
  EXPIRE: [2, 2],
};

export class Store {
  readonly #now: () => number;
  readonly #databases: Map<number, Map<string, Entry>> = new Map();
  readonly #changes: Map<string, number> = new Map();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Is this a command of the store's? */
  static knows(name: string): boolean {
    return Object.hasOwn(ARITY, name);
  }

  /** What is wrong with the number of arguments. */
  static misuse(name: string, args: readonly string[]): Failure | undefined {
    const [least, most] = ARITY[name] as readonly [number, number];
    const odd = name === 'HSET' && args.length % 2 === 0;
    if (args.length >= least && args.length <= most && !odd) return undefined;
    return new Failure(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
  }

  /** How often `key` has changed. */
  changesOf(db: number, key: string): number {
    this.#entry(db, key); // it may have expired
    return this.#changes.get(`${db}:${key}`) ?? 0;
  }

  /** The content of `key`, for tests. */
  peek(key: string, db = 0): Content | undefined {
    return this.#entry(db, key)?.content;
  }

  /** Carry out one command. */
  run(db: number, name: string, args: readonly string[]): Answer {
    const misuse = Store.misuse(name, args);
    if (misuse !== undefined) return misuse;
    const [key, first, second] = args as readonly [string, string, string];
    switch (name) {
      case 'GET':
        return this.#text(db, key);
      case 'SET':
        return this.#set(db, args);
      case 'DEL':
        return args.filter((each) => this.#delete(db, each)).length;
      case 'INCR':
        return this.#increment(db, key);
      case 'MGET':
        return args.map((each) => {
          const content = this.#entry(db, each)?.content;
          return typeof content === 'string' ? content : null;
        });
      case 'HSET':
        return this.#setFields(db, key, args.slice(1));
      case 'HGET':
        return this.#withHash(db, key, (hash) => hash.get(first) ?? null);
      case 'HGETALL':
        return this.#withHash(db, key, (hash) => new Fields(new Map(hash)));
      case 'LPUSH':
      case 'RPUSH':
        return this.#push(db, key, args.slice(1), name === 'LPUSH');
      case 'LPOP':
      case 'RPOP':
        return this.pop(db, key, name === 'LPOP');
      case 'LRANGE':
        return this.#range(db, key, Number(first), Number(second));
      case 'EXPIRE':
        return this.#expire(db, key, Number(first));
      default:
        return new Failure(`ERR unknown command '${name}'`);
    }
  }

  /** Take an element of a list. */
  pop(db: number, key: string, fromHead: boolean): string | null | Failure {
    const list = this.#list(db, key);
    if (list instanceof Failure) return list;
    const element = (fromHead ? list?.shift() : list?.pop()) ?? null;
    if (element === null) return null;
    this.#changed(db, key);
    if (list?.length === 0) this.#database(db).delete(key);
    return element;
  }

  #set(db: number, [key, value, ...options]: readonly string[]): Answer {
    let expiresAtMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < options.length; i += 1) {
      const option = (options[i] as string).toUpperCase();
      const there = this.#entry(db, key as string) !== undefined;
      if (option === 'NX' && there) return null;
      if (option === 'XX' && !there) return null;
      if (option === 'NX' || option === 'XX') continue;
      if (option !== 'EX' && option !== 'PX') return SYNTAX;
      i += 1;
      const time = Number(options[i]);
      if (!Number.isInteger(time) || time <= 0) return NO_INTEGER;
      expiresAtMs = this.#now() + (option === 'EX' ? 1000 : 1) * time;
    }
    this.#put(db, key as string, value as string, expiresAtMs);
    return OK;
  }

  #increment(db: number, key: string): Answer {
    const content = this.#entry(db, key)?.content ?? '0';
    if (typeof content !== 'string') return WRONG_TYPE;
    if (!/^-?\d{1,15}$/.test(content)) return NO_INTEGER;
    const next = Number(content) + 1;
    this.#put(db, key, String(next));
    return next;
  }

  #setFields(db: number, key: string, pairs: readonly string[]): Answer {
    const content = this.#entry(db, key)?.content ?? new Map<string, string>();
    if (!(content instanceof Map)) return WRONG_TYPE;
    const before = content.size;
    for (let i = 0; i < pairs.length; i += 2) content.set(pairs[i] as string, pairs[i + 1] as string);
    this.#put(db, key, content);
    return content.size - before;
  }

  #push(db: number, key: string, values: readonly string[], toHead: boolean): Answer {
    const list = this.#list(db, key) ?? [];
    if (list instanceof Failure) return list;
    for (const value of values) {
      if (toHead) list.unshift(value);
      else list.push(value);
    }
    this.#put(db, key, list);
    return list.length;
  }

  #range(db: number, key: string, start: number, stop: number): Answer {
    const list = this.#list(db, key) ?? [];
    if (list instanceof Failure) return list;
    const from = start < 0 ? Math.max(0, list.length + start) : start;
    return list.slice(from, (stop < 0 ? list.length + stop : stop) + 1);
  }

  #expire(db: number, key: string, seconds: number): Answer {
    if (!Number.isInteger(seconds)) return NO_INTEGER;
    const entry = this.#entry(db, key);
    if (entry === undefined) return 0;
    entry.expiresAtMs = this.#now() + seconds * 1000;
    this.#changed(db, key);
    return 1;
  }

  #delete(db: number, key: string): boolean {
    if (this.#entry(db, key) === undefined) return false;
    this.#changed(db, key);
    return this.#database(db).delete(key);
  }

  #text(db: number, key: string): Answer {
    const content = this.#entry(db, key)?.content ?? null;
    return content === null || typeof content === 'string' ? content : WRONG_TYPE;
  }

  #list(db: number, key: string): string[] | Failure | undefined {
    const content = this.#entry(db, key)?.content;
    return content === undefined || Array.isArray(content) ? content : WRONG_TYPE;
  }

  #withHash(db: number, key: string, read: (hash: ReadonlyMap<string, string>) => Answer): Answer {
    const content = this.#entry(db, key)?.content ?? new Map<string, string>();
    return content instanceof Map ? read(content) : WRONG_TYPE;
  }

  #put(db: number, key: string, content: Content, expiresAtMs?: number): void {
    const database = this.#database(db);
    const untilMs = expiresAtMs ?? database.get(key)?.expiresAtMs ?? Number.POSITIVE_INFINITY;
    database.set(key, { content, expiresAtMs: untilMs });
    this.#changed(db, key);
  }

  #entry(db: number, key: string): Entry | undefined {
    const database = this.#database(db);
    const entry = database.get(key);
    if (entry === undefined || entry.expiresAtMs > this.#now()) return entry;
    database.delete(key);
    this.#changed(db, key);
    return undefined;
  }

  #changed(db: number, key: string): void {
    const name = `${db}:${key}`;
    this.#changes.set(name, (this.#changes.get(name) ?? 0) + 1);
  }

  #database(db: number): Map<string, Entry> {
    let database = this.#databases.get(db);
    if (database === undefined) this.#databases.set(db, (database = new Map()));
    return database;
  }
}
