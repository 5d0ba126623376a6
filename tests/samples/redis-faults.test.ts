// redis-faults.test.ts: the Redis sample against servers that misbehave, and greenlets that give up. Needs no Redis.

import {
  current,
  Event,
  type Greenlet,
  hub,
  noBlock,
  type Op,
  openHandles,
  rethrowKilled,
  run,
  sleep,
  spawn,
  timeout,
} from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { connectRedis, type RedisClient, type RedisOptions } from '../../samples/redis.ts';
import { answering, bulk, type FakeConnection, type FakeRedis, withFake } from './fake-redis.ts';
import { runSample } from './run-sample.ts';

const host = '127.0.0.1';

/** Run `body` with a client of a fake server; the client is closed afterwards. */
function withClient<T>(
  handler: (connection: FakeConnection) => Op<void>,
  body: (redis: RedisClient, fake: FakeRedis) => Op<T>,
  options: RedisOptions = {},
): Promise<T> {
  return run(function* test(): Op<T> {
    return yield* withFake(handler, function* beside(fake): Op<T> {
      const redis = yield* connectRedis({ host, port: fake.port, retryMs: 5, longestRetryMs: 20, ...options });
      try {
        return yield* timeout(5_000, body(redis, fake));
      } finally {
        redis.close();
      }
    });
  });
}

/** The port of a server that is gone when this is used. */
function* portOf(fake: FakeRedis): Op<number> {
  return fake.port;
}

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);

/** The value of `op`, or the code of its error. */
function* outcomeOf<T>(op: Op<T>): Op<T | string> {
  try {
    return yield* op;
  } catch (error) {
    rethrowKilled(error);
    return codeOf(error);
  }
}

function* untilLogged(fake: FakeRedis, count: number): Op<void> {
  while (fake.log.length < count) yield* sleep(1);
}

const echo = answering(([name, key]) => (name === 'GET' ? bulk(`value of ${key}`) : '+OK\r\n'));

afterEach(async () => {
  await run(function* settle(): Op<void> {
    for (let i = 0; i < 100 && (hub.stats().greenlets > 1 || openHandles().total > 0); i += 1) yield* sleep(5);
  });
  const { greenlets, externalWaits, timers } = hub.stats();
  expect({ greenlets, externalWaits, timers, open: openHandles().names }).toEqual({
    greenlets: 0,
    externalWaits: 0,
    timers: 0,
    open: [],
  });
});

describe('Greenlets that share a connection', () => {
  it('each get their own reply, and their commands leave together', async () => {
    const reads: number[] = [];
    function* counting({ socket, send }: FakeConnection): Op<void> {
      for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) {
        const keys = [...chunk.toString().matchAll(/key-\d+/g)].map(([key]) => key);
        reads.push(keys.length);
        for (const key of keys) yield* send(bulk(key));
      }
    }
    const values = await withClient(counting, function* body(redis) {
      const asked: Greenlet<string | null>[] = [];
      for (let i = 0; i < 100; i += 1) asked.push(spawn(() => redis.get(`key-${i}`)));
      const got: (string | null)[] = [];
      for (const each of asked) got.push(yield* each.get());
      return got;
    });
    expect(values).toEqual(Array.from({ length: 100 }, (_, i) => `key-${i}`));
    expect(reads).toEqual([100]);
  });

  it('each get their own error', async () => {
    const failing = answering(([, key = '']) => (key.startsWith('bad') ? `-ERR no ${key}\r\n` : bulk(key)));
    const outcomes = await withClient(failing, function* body(redis) {
      const asked = ['a', 'bad1', 'b', 'bad2'].map((key) => spawn(() => redis.get(key)));
      const seen: unknown[] = [];
      for (const each of asked) {
        try {
          seen.push(yield* each.get());
        } catch (error) {
          const { name, code, message, prefix, command } = error as Record<string, unknown>;
          seen.push({ name, code, message, prefix, command });
        }
      }
      return seen;
    });
    const error = { name: 'RedisError', code: 'ERR_REDIS_REPLY', prefix: 'ERR', command: 'GET' };
    expect(outcomes).toEqual(['a', { ...error, message: 'ERR no bad1' }, 'b', { ...error, message: 'ERR no bad2' }]);
  });

  it('are not confused when one of them is killed, or runs out of time, while it waits', async () => {
    const go = new Event();
    function* late({ next, send }: FakeConnection): Op<void> {
      const keys: string[] = [];
      for (let i = 0; i < 4; i += 1) keys.push((yield* next())?.[1] ?? '');
      yield* go.wait();
      for (const key of keys) yield* send(bulk(key));
      yield* next();
    }
    const outcomes = await withClient(late, function* body(redis, fake) {
      const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((key) =>
        spawn(outcomeOf, key === 'c' ? timeout(20, redis.get(key)) : redis.get(key)),
      );
      yield* untilLogged(fake, 4);
      b?.kill();
      yield* c?.join() ?? sleep(0);
      const { unanswered } = redis;
      go.set();
      return [yield* a!.get(), b!.outcome?.killed, yield* c!.get(), yield* d!.get(), unanswered, redis.unanswered];
    });
    expect(outcomes).toEqual(['a', true, 'ERR_TIMEOUT', 'd', 4, 0]);
  });

  it('do not send what they were killed before', async () => {
    const log = await withClient(echo, function* body(redis, fake) {
      const victim = spawn(function* victim(): Op<void> {
        current().kill();
        yield* redis.set('a', 'must not be sent');
      });
      yield* victim.join();
      yield* redis.get('b');
      return fake.log;
    });
    expect(log).toEqual(['0: GET b']);
  });

  it('may start the same command again and again', async () => {
    const log = await withClient(echo, function* body(redis, fake) {
      const get = redis.get('a');
      yield* get;
      yield* get;
      return fake.log;
    });
    expect(log).toEqual(['0: GET a', '0: GET a']);
  });
});

describe('A lost connection', () => {
  /** The first connection breaks in the middle of the first reply; later ones are as they should be. */
  function* breaking(connection: FakeConnection): Op<void> {
    if (connection.number > 0) return yield* echo(connection);
    yield* connection.next();
    yield* connection.next();
    yield* connection.send('$100\r\nonly the beginn');
  }

  it('fails everybody who waits, with a code, and is made again for those who come later', async () => {
    const outcomes = await withClient(breaking, function* body(redis, fake) {
      const waiting = ['a', 'b', 'c'].map((key) => spawn(outcomeOf, redis.get(key)));
      const lost: unknown[] = [];
      for (const each of waiting) lost.push(yield* each.get());
      return [lost, yield* redis.get('d'), fake.connections];
    });
    expect(outcomes).toEqual([
      ['ERR_REDIS_CONNECTION', 'ERR_REDIS_CONNECTION', 'ERR_REDIS_CONNECTION'],
      'value of d',
      2,
    ]);
  });

  it('says which command is in doubt and why', async () => {
    const error = await withClient(breaking, function* body(redis) {
      const other = spawn(outcomeOf, redis.get('b'));
      try {
        yield* redis.set('a', 1);
      } catch (caught) {
        yield* other.join();
        return caught as Error;
      }
      return undefined;
    });
    expect(error?.name).toBe('RedisConnectionError');
    expect(error?.message).toBe(
      'SET: the connection was lost, so it may or may not have been carried out: the server closed the connection',
    );
  });

  it('is greeted as the first was: password, database', async () => {
    const dropping = function* dropping(connection: FakeConnection): Op<void> {
      for (let command = yield* connection.next(); command !== null; command = yield* connection.next()) {
        if (connection.number === 0 && command[0] === 'GET') return;
        yield* connection.send(command[0] === 'GET' ? '$-1\r\n' : '+OK\r\n');
      }
    };
    const log = await withClient(
      dropping,
      function* body(redis, fake) {
        yield* redis.command('select', 7);
        yield* outcomeOf(redis.get('a'));
        yield* redis.get('b');
        return fake.log;
      },
      { username: 'ada', password: 'secret', db: 3 },
    );
    expect(log).toEqual([
      ...['0: AUTH ada secret', '0: SELECT 3', '0: SELECT 7', '0: GET a'],
      ...['1: AUTH ada secret', '1: SELECT 7', '1: GET b'],
    ]);
  });

  it('is asked for RESP3 again', async () => {
    const hello = answering(([name]) => (name === 'HELLO' ? '%1\r\n+proto\r\n:3\r\n' : '_\r\n'));
    const outcome = await withClient(
      hello,
      function* body(redis, fake) {
        return [yield* redis.get('a'), fake.log];
      },
      { protocol: 3, password: 'secret' },
    );
    expect(outcome).toEqual([null, ['0: HELLO 3 AUTH default secret', '0: GET a']]);
  });

  it('that does not come back fails commands after outageMs, and serves them again when it does', async () => {
    const outcomes = await run(function* test(): Op<unknown[]> {
      const { redis, port } = yield* withFake(breaking, function* first(fake) {
        const client = yield* connectRedis({ host, port: fake.port, retryMs: 5, longestRetryMs: 10, outageMs: 50 });
        spawn(outcomeOf, client.get('other'));
        return { redis: client, port: fake.port, lost: yield* outcomeOf(client.get('a')) };
      });
      try {
        // The server is gone now: one that starts at once waits, one that comes later need not.
        const waited = yield* outcomeOf(redis.get('b'));
        const atOnce = yield* noBlock(outcomeOf(redis.get('c')));
        const again = yield* withFake(echo, () => timeout(5_000, untilAnswered(redis)), port);
        return [waited, atOnce, again];
      } finally {
        redis.close();
      }
    });
    expect(outcomes).toEqual(['ECONNREFUSED', 'ECONNREFUSED', 'value of d']);
  });

  function* untilAnswered(redis: RedisClient): Op<string> {
    for (;;) {
      const outcome = yield* outcomeOf(redis.get('d'));
      if (outcome !== null && outcome !== 'ECONNREFUSED') return outcome;
      yield* sleep(5);
    }
  }

  it('is noticed when the server falls silent', async () => {
    const silent = function* silent(connection: FakeConnection): Op<void> {
      if (connection.number > 0) return yield* echo(connection);
      while ((yield* connection.next()) !== null);
    };
    const outcomes = await withClient(
      silent,
      function* body(redis) {
        return [yield* outcomeOf(redis.get('a')), yield* redis.get('b')];
      },
      { replyMs: 30 },
    );
    expect(outcomes).toEqual(['ETIMEDOUT', 'value of b']);
  });

  it('is not suspected while nothing is asked', async () => {
    const connections = await withClient(
      echo,
      function* body(redis, fake) {
        yield* redis.get('a');
        yield* sleep(60);
        yield* redis.get('b');
        return fake.connections;
      },
      { replyMs: 10 },
    );
    expect(connections).toBe(1);
  });

  it.for([
    ['bytes that are no RESP', 'HTTP/1.1 400 Bad Request\r\n', 'ERR_REDIS_PROTOCOL'],
    ['more replies than commands', '+OK\r\n+OK\r\n', 'OK'],
    ['a refusal that nobody asked for', '-ERR max number of clients reached\r\n', 'ERR_REDIS_REPLY'],
  ] as const)('is what becomes of a connection with %s; the next is used', async ([, bytes, first]) => {
    const odd = function* odd(connection: FakeConnection): Op<void> {
      if (connection.number > 0) return yield* echo(connection);
      yield* connection.next();
      yield* connection.send(bytes);
      yield* connection.next();
    };
    const outcomes = await withClient(odd, function* body(redis) {
      const outcome = yield* outcomeOf(redis.get('a'));
      // The unasked reply is seen in the next turn, or with the next command.
      yield* outcomeOf(redis.get('b'));
      return [outcome, yield* redis.get('c')];
    });
    expect(outcomes).toEqual([first, 'value of c']);
  });
});

describe('connectRedis', () => {
  it('throws ConnectError where nobody listens', async () => {
    const port = await run(() => withFake(echo, portOf));
    const outcome = await run(() => outcomeOf(connectRedis({ host, port })));
    expect(outcome).toBe('ECONNREFUSED');
  });

  it('throws the answer to a wrong password and leaves nothing open', async () => {
    const refusing = answering(() => '-WRONGPASS invalid username-password pair\r\n');
    const outcome = await run(() =>
      withFake(refusing, (fake) => outcomeOf(connectRedis({ host, port: fake.port, password: 'x' }))),
    );
    expect(outcome).toBe('ERR_REDIS_REPLY');
  });

  it('gives up after connectMs if the greeting is not answered', async () => {
    const silent = function* silent({ next }: FakeConnection): Op<void> {
      while ((yield* next()) !== null);
    };
    const outcome = await run(() =>
      withFake(silent, (fake) => outcomeOf(connectRedis({ host, port: fake.port, db: 1, connectMs: 30 }))),
    );
    expect(outcome).toBe('ERR_TIMEOUT');
  });
});

describe('samples/redis.ts', () => {
  it('says so where no Redis answers', { timeout: 40_000 }, async () => {
    const port = await run(() => withFake(echo, portOf));
    expect(await runSample('redis', String(port))).toEqual({
      status: 1,
      stdout: '',
      stderr:
        `No Redis answers: connect to 127.0.0.1:${port} failed: ECONNREFUSED 127.0.0.1:${port}. ` +
        `Start one with: redis-server --save '' --appendonly no\n`,
    });
  });
});

describe('The end of a client', () => {
  const silent = function* silent({ next }: FakeConnection): Op<void> {
    while ((yield* next()) !== null);
  };

  it('by close() gives ClosedError to who waits and to who comes', async () => {
    const outcomes = await withClient(silent, function* body(redis, fake) {
      const waiting = [redis.get('a'), redis.blpop('b', 0)].map((op) => spawn(outcomeOf<unknown>, op));
      yield* untilLogged(fake, 2);
      redis.close();
      redis.close();
      const late = [redis.get('c'), redis.subscribe('d'), redis.blpop('e', 0)];
      const codes: unknown[] = [];
      for (const each of waiting) codes.push(yield* each.get());
      for (const each of late) codes.push(yield* outcomeOf<unknown>(each));
      return codes;
    });
    expect(outcomes).toEqual(Array.from({ length: 5 }, () => 'ERR_CLOSED'));
  });

  it('by quit() lets earlier commands finish', async () => {
    const outcomes = await withClient(echo, function* body(redis, fake) {
      const earlier = spawn(outcomeOf, redis.get('a'));
      yield* sleep(0);
      yield* redis.quit();
      return [yield* earlier.get(), yield* outcomeOf(redis.get('b')), fake.log];
    });
    expect(outcomes).toEqual(['value of a', 'ERR_CLOSED', ['0: GET a', '0: QUIT']]);
  });

  it('by quit() while the connection is lost is an end all the same', async () => {
    const hangup = function* hangup({ next }: FakeConnection): Op<void> {
      yield* next();
    };
    const outcome = await withClient(hangup, function* body(redis) {
      yield* redis.quit();
      return yield* outcomeOf(redis.get('a'));
    });
    expect(outcome).toBe('ERR_CLOSED');
  });

  it('while it reconnects leaves nothing behind', async () => {
    const outcome = await run(function* test(): Op<unknown> {
      const hangup = function* hangup({ next }: FakeConnection): Op<void> {
        yield* next();
      };
      const redis = yield* withFake(hangup, function* first(fake) {
        const client = yield* connectRedis({ host, port: fake.port, retryMs: 10_000 });
        yield* outcomeOf(client.get('a'));
        return client;
      });
      const waiting = spawn(outcomeOf, redis.get('b'));
      yield* sleep(5);
      redis.close();
      return yield* waiting.get();
    });
    expect(outcome).toBe('ERR_CLOSED');
  });
});

describe('A subscription', () => {
  it('is made again after a loss', async () => {
    const radio = function* radio({ next, send, number }: FakeConnection): Op<void> {
      const command = yield* next();
      if (command?.[0] !== 'SUBSCRIBE') return;
      yield* send(
        `*3\r\n${bulk('subscribe')}${bulk('news')}:1\r\n*3\r\n${bulk('message')}${bulk('news')}${bulk(`from ${number}`)}`,
      );
      if (number >= 2) yield* next();
    };
    const messages = await withClient(radio, function* body(redis) {
      const news = yield* redis.subscribe('news');
      return [yield* news.receive(), yield* news.receive()];
    });
    expect(messages).toEqual([
      { channel: 'news', message: 'from 1' },
      { channel: 'news', message: 'from 2' },
    ]);
  });

  it('loses no message that comes before all names are confirmed', async () => {
    const radio = function* radio({ next, send, number }: FakeConnection): Op<void> {
      yield* next();
      if (number === 0) return;
      yield* send(`*3\r\n${bulk('subscribe')}${bulk('a')}:1\r\n*3\r\n${bulk('message')}${bulk('a')}${bulk('early')}`);
      yield* send(`*3\r\n${bulk('subscribe')}${bulk('b')}:2\r\n`);
      yield* next();
    };
    const message = await withClient(radio, function* body(redis) {
      return yield* (yield* redis.subscribe('a', 'b')).receive();
    });
    expect(message).toEqual({ channel: 'a', message: 'early' });
  });
});

describe('A connection of its own', () => {
  it('that is idle is closed if who takes it is killed at that moment', async () => {
    const popped = (): string => `*2\r\n${bulk('list')}${bulk('element')}`;
    await withClient(answering(popped), function* body(redis, fake) {
      expect(yield* redis.blpop('list', 0)).toEqual(['list', 'element']);
      const before = openHandles().total;
      const killed = spawn(function* killed() {
        current().kill();
        yield* redis.blpop('list', 0);
      });
      yield* killed.join();
      while (openHandles().total > before - 2) yield* sleep(1); // its client's and its server's end
      expect([fake.connections, fake.log.length]).toEqual([2, 1]);
    });
  });
});

describe('Misuse', () => {
  it('of options is a UsageError, and nothing is connected', async () => {
    const wrong: RedisOptions[] = [
      { db: 1.5 },
      { db: -1 },
      { protocol: 4 as never },
      { replyMs: Number.NaN },
      { retryMs: 0 },
      { retryMs: Number.POSITIVE_INFINITY },
      { connectMs: '5' as never },
    ];
    for (const options of wrong) {
      const error = await run(() => connectRedis({ host, port: 1, ...options })).catch((thrown: unknown) => thrown);
      expect([codeOf(error), (error as Error).message]).toEqual(['ERR_USAGE', expect.stringContaining('must be')]);
    }
  });

  it('is named at the call', async () => {
    const messages = await withClient(echo, function* body(redis) {
      const calls: (() => unknown)[] = [
        () => redis.get(undefined as never),
        () => redis.set('a', { b: 1 } as never),
        () => redis.blpop('a', null as never),
        () => redis.command('MULTI'),
        () => redis.command('subscribe', 'a'),
        () => redis.command('client', 'reply', 'off'),
        () => redis.command('hello', 3),
        () => redis.command('reset'),
        () => redis.multi().command('client', Buffer.from('reply'), 'off'),
        () => redis.multi([['subscribe', 'a']]),
        () => redis.multi().command('select', 1),
      ];
      yield* sleep(0);
      return calls.map((call) => {
        try {
          return call();
        } catch (error) {
          return `${(error as Error).name}: ${(error as Error).message}`;
        }
      });
    });
    expect(messages).toEqual([
      'TypeError: GET: argument 1 must be a string, a number or bytes, not undefined',
      'TypeError: SET: argument 2 must be a string, a number or bytes, not an object (Object)',
      'TypeError: BLPOP: argument 2 must be a string, a number or bytes, not null',
      'UsageError: MULTI on a connection that is shared would change the replies of others: use multi() or isolated()',
      'UsageError: SUBSCRIBE on a connection that is shared would change the replies of others: use subscribe()',
      'UsageError: CLIENT on a connection that is shared would change the replies of others: use isolated()',
      'UsageError: HELLO on a connection that is shared would change the replies of others: use the options of connectRedis()',
      'UsageError: RESET on a connection that is shared would change the replies of others: use isolated()',
      'UsageError: CLIENT on a connection that is shared would change the replies of others: use isolated()',
      'UsageError: SUBSCRIBE on a connection that is shared would change the replies of others: use subscribe()',
      'UsageError: SELECT in a transaction would change the database of others: use select()',
    ]);
  });
});
