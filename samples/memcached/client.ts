// client.ts: what one does with memcached: get, set, add, replace, cas, incr, decr, delete, touch.
//
// Any number of greenlets use one client; they take turns on its connection. A command that is killed, times out or fails in the middle leaves half an answer
// behind, so its connection is dropped, and the next command makes a new one. Whether such a command was carried out is not known.
//
// Keys stand in lines, between spaces: a bad one is refused before anything is sent. Values are bytes, whatever is in them.
//
// Invariant, between any two steps: nobody has the turn  implies  there is no connection, or nothing is due on it.
// Source: https://github.com/memcached/memcached/blob/master/doc/protocol.txt

import { ClosedError, connect, Mutex, type Op, ResourceError, type Socket, select, timeout } from 'tendril';
import { checkCount, checkKey, checkSeconds, checkValue, MemcachedError, MemcachedProtocolError } from './checks.ts';

export interface MemcachedOptions {
  /** 127.0.0.1 and 11211 by default. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** A Unix socket in place of host and port. */
  readonly path?: string | undefined;
  /** How long connecting may take: 5,000 ms by default. */
  readonly connectMs?: number | undefined;
  /** How long an answer may take: 10,000 ms by default. */
  readonly replyMs?: number | undefined;
  /** The largest value that is taken from the server: 16 MiB by default. */
  readonly maxValueBytes?: number | undefined;
}

export interface StoreOptions {
  /** The value is gone after so many seconds, at most thirty days: 0, the default, for never. */
  readonly ttlSeconds?: number | undefined;
  /** A number that is kept with the value: 0 by default. */
  readonly flags?: number | undefined;
}

export interface Item {
  readonly value: Buffer;
  readonly flags: number;
  /** Which version of the value it is, for `cas`; undefined from `get`. */
  readonly cas: bigint | undefined;
}

const KEYS_AT_ONCE = 100;

export class Memcached {
  readonly #options: MemcachedOptions;
  readonly #turn = new Mutex({ name: 'a memcached connection' });
  #socket: Socket | undefined;
  #closed = false;

  constructor(options: MemcachedOptions = {}) {
    this.#options = options;
  }

  /** The value of `key`; undefined if there is none. @throws MemcachedError, and what sockets throw; TypeError for a key that is none, and nothing was sent. */
  *get(key: string): Op<Buffer | undefined> {
    return (yield* this.#fetch('get', [key])).get(key)?.value;
  }

  /** The values of those keys that have one. */
  *getMany(keys: readonly string[]): Op<Map<string, Buffer>> {
    const items = yield* this.#fetch('get', keys);
    return new Map([...items].map(([key, { value }]) => [key, value]));
  }

  /** The value of `key` with its flags and version. */
  *gets(key: string): Op<Item | undefined> {
    return (yield* this.#fetch('gets', [key])).get(key);
  }

  /** Store, whatever was there. */
  *set(key: string, value: string | Uint8Array, options?: StoreOptions): Op<void> {
    yield* this.#store('set', key, value, options);
  }

  /** Store if there is no value; says whether it did. */
  *add(key: string, value: string | Uint8Array, options?: StoreOptions): Op<boolean> {
    return (yield* this.#store('add', key, value, options)) === 'STORED';
  }

  /** Store if there is a value; says whether it did. */
  *replace(key: string, value: string | Uint8Array, options?: StoreOptions): Op<boolean> {
    return (yield* this.#store('replace', key, value, options)) === 'STORED';
  }

  /** Store if nobody has since `gets`, which gave `version`. */
  *cas(
    key: string,
    value: string | Uint8Array,
    version: bigint,
    options?: StoreOptions,
  ): Op<'stored' | 'changed' | 'missing'> {
    const answer = yield* this.#store('cas', key, value, options, checkCount(version));
    return answer === 'STORED' ? 'stored' : answer === 'EXISTS' ? 'changed' : 'missing';
  }

  /** Add to a number that is stored as text; it wraps at 2^64. Returns the new one; undefined if there is none. @throws MemcachedError if it is no number. */
  *incr(key: string, by: number | bigint = 1): Op<bigint | undefined> {
    return yield* this.#count('incr', key, by);
  }

  /** As incr; it stops at 0. */
  *decr(key: string, by: number | bigint = 1): Op<bigint | undefined> {
    return yield* this.#count('decr', key, by);
  }

  /** Delete; says whether there was a value. */
  *delete(key: string): Op<boolean> {
    return (yield* this.#ask(`delete ${checkKey(key)}\r\n`, ['DELETED', 'NOT_FOUND'])) === 'DELETED';
  }

  /** Give a value a new time to live; says whether there was one. */
  *touch(key: string, ttlSeconds: number): Op<boolean> {
    const command = `touch ${checkKey(key)} ${checkSeconds(ttlSeconds)}\r\n`;
    return (yield* this.#ask(command, ['TOUCHED', 'NOT_FOUND'])) === 'TOUCHED';
  }

  /** What the server says of its version. */
  *version(): Op<string> {
    return (yield* this.#ask('version\r\n', [/^VERSION /])).slice('VERSION '.length);
  }

  /** Close at once. Who waits gets ClosedError. Never switches; idempotent. */
  close(): void {
    this.#closed = true;
    this.#drop();
  }

  *#fetch(verb: 'get' | 'gets', keys: readonly string[]): Op<Map<string, Item>> {
    for (const key of keys) checkKey(key);
    const items = new Map<string, Item>();
    for (let i = 0; i < keys.length; i += KEYS_AT_ONCE) {
      const some = keys.slice(i, i + KEYS_AT_ONCE);
      const command = `${verb} ${some.join(' ')}\r\n`;
      yield* this.#converse(command, (socket) => this.#readItems(socket, new Set(some), items));
    }
    return items;
  }

  *#readItems(socket: Socket, asked: ReadonlySet<string>, items: Map<string, Item>): Op<void> {
    const { maxValueBytes = 16 * 1024 * 1024 } = this.#options;
    for (;;) {
      const line = yield* replyLine(socket);
      if (line === 'END') return;
      const [, key = '', flags, size, cas] = /^VALUE (\S+) (\d{1,10}) (\d{1,10})(?: (\d{1,20}))?$/.exec(line) ?? [];
      if (!asked.has(key)) throw unexpected(line);
      if (Number(size) > maxValueBytes) throw new MemcachedProtocolError(`a value of ${size} bytes is too large`);
      const value = yield* socket.readExactly(Number(size));
      if ((yield* socket.readExactly(2)).toString() !== '\r\n')
        throw new MemcachedProtocolError('a value that is longer than it says');
      items.set(key, { value, flags: Number(flags), cas: cas === undefined ? undefined : BigInt(cas) });
    }
  }

  *#store(
    verb: string,
    key: string,
    value: string | Uint8Array,
    { ttlSeconds = 0, flags = 0 }: StoreOptions = {},
    cas?: bigint,
  ): Op<string> {
    const bytes = checkValue(value);
    const numbers = [
      checkCount(flags, 32),
      checkSeconds(ttlSeconds),
      bytes.length,
      ...(cas === undefined ? [] : [cas]),
    ];
    const command = [`${verb} ${checkKey(key)} ${numbers.join(' ')}\r\n`, bytes, '\r\n'];
    const refusals = { set: [], cas: ['EXISTS', 'NOT_FOUND'] }[verb] ?? ['NOT_STORED'];
    return yield* this.#ask(command, ['STORED', ...refusals]);
  }

  *#count(verb: string, key: string, by: number | bigint): Op<bigint | undefined> {
    const answer = yield* this.#ask(`${verb} ${checkKey(key)} ${checkCount(by)}\r\n`, ['NOT_FOUND', /^\d{1,20} *$/]);
    return answer === 'NOT_FOUND' ? undefined : BigInt(answer.trim());
  }

  /** Send a command and read its answer, which is one of `expected`. */
  *#ask(command: string | (string | Uint8Array)[], expected: readonly (string | RegExp)[]): Op<string> {
    return yield* this.#converse(command, function* answer(socket): Op<string> {
      const line = yield* replyLine(socket);
      if (expected.some((each) => (typeof each === 'string' ? each === line : each.test(line)))) return line;
      throw unexpected(line);
    });
  }

  /** Have the turn, send `command` and let `answer` read all that comes of it. */
  *#converse<T>(command: string | (string | Uint8Array)[], answer: (socket: Socket) => Op<T>): Op<T> {
    yield* this.#turn.acquire();
    let whole = false;
    try {
      const socket = yield* this.#connection();
      yield* socket.writev(typeof command === 'string' ? [command] : command);
      const value = yield* timeout(this.#options.replyMs ?? 10_000, answer(socket));
      whole = true;
      return value;
    } catch (error) {
      // An answer like any other: nothing else follows.
      if (error instanceof MemcachedError) whole = true;
      throw error;
    } finally {
      if (!whole) this.#drop();
      this.#turn.release();
    }
  }

  /** The connection, if it is still good; otherwise a new one. */
  *#connection(): Op<Socket> {
    if (this.#closed) throw new ClosedError('a memcached client that is closed');
    if (this.#socket !== undefined) {
      if (yield* isQuiet(this.#socket)) return this.#socket;
      this.#drop();
    }
    const { host = '127.0.0.1', port = 11_211, path, connectMs = 5_000 } = this.#options;
    const socket = yield* connect(path === undefined ? { host, port } : { path }, { timeoutMs: connectMs });
    if (this.#closed) {
      socket.close();
      throw new ClosedError('a memcached client that was closed');
    }
    this.#socket = socket;
    return socket;
  }

  #drop(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** Open, with nothing to read? The server may have closed it while nobody looked. */
function* isQuiet(socket: Socket): Op<boolean> {
  try {
    return (yield* select({ something: socket.peek(1) }, { else: undefined })).key === 'else';
  } catch (error) {
    if (error instanceof ResourceError) return false;
    throw error;
  }
}

function* replyLine(socket: Socket): Op<string> {
  const line = yield* socket.readLine({ limit: 2_048 });
  if (line === null) throw new MemcachedProtocolError('the server closed the connection before it answered');
  return line;
}

/** The error for a line that was not expected. */
function unexpected(line: string): Error {
  if (line === 'ERROR' || /^(CLIENT|SERVER)_ERROR /.test(line)) return new MemcachedError(line);
  return new MemcachedProtocolError(`an answer of ${JSON.stringify(line.slice(0, 100))}`);
}
