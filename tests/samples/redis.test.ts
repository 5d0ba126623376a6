// redis.test.ts: the Redis sample against a real Redis. What needs none is in resp.test.ts and redis-faults.test.ts.
import { randomBytes } from 'node:crypto';
import { all, hub, type Op, openHandles, rethrowKilled, run, sleep, spawn, timeout } from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { connectRedis, type RedisClient, RedisError } from '../../samples/redis.ts';
import { probe } from '../services.ts';
import { runSample } from './run-sample.ts';

const redisAddress = await probe('redis');
// Every run has keys of its own, and takes them away.
const prefix = `tendril:test:${process.pid}:`;
const key = (name: string): string => prefix + name;

function withRedis<T>(protocol: 2 | 3, body: (redis: RedisClient) => Op<T>): Promise<T> {
  return run(function* test(): Op<T> {
    const redis = yield* connectRedis({ ...redisAddress, protocol });
    try {
      return yield* timeout(8_000, body(redis));
    } finally {
      yield* cleanUp(redis);
      redis.close();
    }
  });
}

function* cleanUp(redis: RedisClient): Op<void> {
  const keys = (yield* redis.command('KEYS', `${prefix}*`)) as string[];
  if (keys.length > 0) yield* redis.del(keys);
}

function* errorOf(op: Op<unknown>): Op<RedisError> {
  try {
    yield* op;
  } catch (error) {
    rethrowKilled(error);
    if (error instanceof RedisError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

afterEach(async () => {
  await run(function* settle(): Op<void> {
    for (let i = 0; i < 100 && (hub.stats().greenlets > 1 || openHandles().total > 0); i += 1) yield* sleep(5);
  });
  expect({ greenlets: hub.stats().greenlets, open: openHandles().names }).toEqual({ greenlets: 0, open: [] });
});

describe.skipIf(redisAddress === undefined).each([2, 3] as const)('The Redis client with RESP%i', (protocol) => {
  it('has the commands by name', async () => {
    const results = await withRedis(protocol, function* body(redis) {
      return [
        yield* redis.ping(),
        yield* redis.ping('are you there?'),
        yield* redis.set(key('a'), 1),
        yield* redis.set(key('a'), 2, 'NX'),
        yield* redis.get(key('a')),
        yield* redis.get(key('none')),
        yield* redis.incr(key('a')),
        yield* redis.mget(key('a'), key('none')),
        yield* redis.mget([key('a')]),
        yield* redis.hset(key('h'), { x: 1, y: 'two', __proto__x: 3 }),
        yield* redis.hset(key('h'), 'x', 4, '__proto__', 5),
        yield* redis.hset(key('h'), new Map([['z', 6n]])),
        yield* redis.hget(key('h'), 'y'),
        Object.entries(yield* redis.hgetall(key('h'))),
        yield* redis.hgetall(key('none')),
        yield* redis.lpush(key('l'), 'a', 'b'),
        yield* redis.lpush(key('l'), ['c']),
        yield* redis.rpush(key('l'), 'z'),
        yield* redis.lrange(key('l'), 0, -1),
        yield* redis.blpop(key('none'), key('l'), 1),
        yield* redis.blpop([key('none')], 0.01),
        yield* redis.expire(key('l'), 100),
        yield* redis.expire(key('none'), 100),
        yield* redis.publish(key('nobody listens'), 'x'),
        yield* redis.del(key('a'), [key('l')], key('none')),
        yield* redis.command('strlen', key('h').slice(0, -1)),
        yield* redis.select(0),
      ];
    });
    expect(results).toEqual([
      ...['PONG', 'are you there?', 'OK', null, '1', null, 2, ['2', null], ['2'], 3, 1, 1, 'two'],
      Object.entries({ x: '4', y: 'two', __proto__x: '3', ['__proto__']: '5', z: '6' }),
      ...[{}, 2, 3, 4, ['c', 'b', 'a', 'z'], [key('l'), 'c'], null, 1, 0, 0, 2, 0, 'OK'],
    ]);
  });

  it('keeps every byte, and takes CR, LF and commands in an argument for what they are', async () => {
    const nasty = ['\r\n', '\r\n$3\r\nfoo\r\n', '', ' ', '\0', 'x\r\nFLUSHALL\r\n', '\u{1F35E} ñ', 'é'.repeat(70_000)];
    const bytes = [Buffer.from([0, 255, 13, 10, 0xc3, 0x28]), randomBytes(200_000), Buffer.alloc(0)];
    const outcome = await withRedis(protocol, function* body(redis) {
      const texts: (string | null)[] = [];
      for (const text of nasty) {
        yield* redis.set(key(text), text);
        texts.push(yield* redis.get(key(text)));
      }
      const same: boolean[] = [];
      for (const each of bytes) {
        yield* redis.set(key('bytes'), each);
        same.push(each.equals((yield* redis.getBuffer(key('bytes'))) ?? Buffer.from('missing')));
      }
      return { texts, same };
    });
    expect(outcome).toEqual({ texts: nasty, same: [true, true, true] });
  });

  it('gives Buffers everywhere if it is asked to', async () => {
    const outcome = await run(function* test(): Op<unknown> {
      const redis = yield* connectRedis({ ...redisAddress, protocol, buffers: true });
      try {
        const value = Buffer.from([1, 255]);
        yield* redis.set(key('b'), value);
        yield* redis.hset(key('bh'), 'f', value);
        yield* redis.lpush(key('bl'), value);
        const popped = yield* redis.blpop(key('bl'), 1);
        const got = [yield* redis.get(key('b')), yield* redis.mget(key('b')), yield* redis.hgetall(key('bh')), popped];
        yield* redis.del(key('b'), key('bh'), key('bl'));
        return got;
      } finally {
        redis.close();
      }
    });
    const value = Buffer.from([1, 255]);
    expect(outcome).toEqual([value, [value], { f: value }, [key('bl'), value]]);
  });

  it('throws an error reply where the command was, and goes on', async () => {
    const outcome = await withRedis(protocol, function* body(redis) {
      yield* redis.set(key('s'), 'text');
      const { name, code, prefix, command } = yield* errorOf(redis.lpush(key('s'), 'x'));
      const unknown = yield* errorOf(redis.command('NOSUCHCOMMAND'));
      return [{ name, code, prefix, command }, unknown.prefix, yield* redis.get(key('s'))];
    });
    const error = { name: 'RedisError', code: 'ERR_REDIS_REPLY', prefix: 'WRONGTYPE', command: 'LPUSH' };
    expect(outcome).toEqual([error, 'ERR', 'text']);
  });

  it('does not hold up anybody with a command that blocks', async () => {
    const outcome = await withRedis(protocol, function* body(redis) {
      const popping = spawn(() => redis.blpop(key('jobs'), 5));
      const byName = spawn(() => redis.command('BRPOP', key('more'), 5));
      yield* sleep(10);
      yield* redis.set(key('x'), 'not held up');
      yield* all([redis.lpush(key('jobs'), 'job'), redis.lpush(key('more'), 'job')]);
      return [yield* popping.get(), yield* byName.get(), yield* redis.get(key('x'))];
    });
    expect(outcome).toEqual([[key('jobs'), 'job'], [key('more'), 'job'], 'not held up']);
  });

  it('carries out a transaction as one', async () => {
    const outcome = await withRedis(protocol, function* body(redis) {
      const others = spawn(function* others(): Op<void> {
        for (let i = 0; i < 50; i += 1) yield* redis.incr(key('n'));
      });
      yield* sleep(0);
      const results = yield* redis
        .multi()
        .set(key('n'), 1_000)
        .incr(key('n'))
        .hset(key('h'), { a: 1 })
        .hgetall(key('h'))
        .lpush(key('n'), 'x')
        .command('get', key('n'))
        .exec();
      yield* others.join();
      const listed = yield* redis.multi([
        ['SET', key('m'), '1'],
        ['incr', key('m')],
      ]);
      const aborted = yield* errorOf(redis.multi().command('NOSUCHCOMMAND').set(key('m'), 5).exec());
      return {
        results,
        listed,
        aborted: aborted.prefix,
        cause: String(aborted.cause),
        m: yield* redis.get(key('m')),
        empty: yield* redis.multi(),
      };
    });
    expect(outcome).toEqual({
      results: ['OK', 1001, 1, { a: '1' }, expect.any(RedisError), '1001'],
      listed: ['OK', 2],
      aborted: 'EXECABORT',
      cause: expect.stringContaining('NOSUCHCOMMAND'),
      m: '2',
      empty: [],
    });
  });

  it('watches keys on an isolated connection', async () => {
    const outcome = await withRedis(protocol, function* body(redis) {
      return yield* redis.isolated(function* watch(own): Op<unknown[]> {
        const seen: unknown[] = [];
        for (const disturbed of [true, false]) {
          yield* own.command('WATCH', key('w'));
          if (disturbed) yield* redis.set(key('w'), 'changed');
          yield* own.command('MULTI');
          yield* own.set(key('w'), 'mine');
          seen.push(yield* own.command('EXEC'));
        }
        return seen;
      });
    });
    expect(outcome).toEqual([null, ['OK']]);
  });

  it('receives what is published, by name and by pattern, until it unsubscribes', async () => {
    const outcome = await withRedis(protocol, function* body(redis) {
      const news = yield* redis.subscribe(key('news'), key('weather'));
      const everything = yield* redis.psubscribe(key('*'));
      const counts = [yield* redis.publish(key('news'), 'one'), yield* redis.publish(key('weather'), 'two')];
      const messages = [yield* news.receive(), yield* news.receive(), yield* everything.receive()];
      yield* news.unsubscribe();
      counts.push(yield* redis.publish(key('news'), 'three'));
      const ended = yield* timeout(1_000, news.next());
      everything.close();
      return { counts, messages, ended: ended.done };
    });
    expect(outcome).toEqual({
      counts: [2, 2, 1],
      messages: [
        { channel: key('news'), message: 'one' },
        { channel: key('weather'), message: 'two' },
        { channel: key('news'), message: 'one', pattern: key('*') },
      ],
      ended: true,
    });
  });

  it('loses no element when a greenlet that pops is killed before there is one', async () => {
    const outcome = await withRedis(protocol, function* body(redis) {
      const popping = spawn(() => redis.blpop(key('jobs'), 0));
      yield* sleep(20);
      popping.kill();
      yield* popping.join();
      // Redis has to notice that the connection is gone.
      yield* sleep(20);
      yield* redis.lpush(key('jobs'), 'kept');
      return yield* redis.lrange(key('jobs'), 0, -1);
    });
    expect(outcome).toEqual(['kept']);
  });
});

describe.skipIf(redisAddress === undefined)('samples/redis.ts', () => {
  it('prints what it is meant to print', { timeout: 40_000 }, async () => {
    expect(await runSample('redis', String(redisAddress?.port))).toEqual({
      status: 0,
      stdout: `100 greenlets, one connection: 1000 visits
a hash: {"name":"Ada","city":"London\\r\\nSET x y"}
a job: bake bread
a transaction: 42
1 subscriber read: it works
an error, where it belongs: WRONGTYPE (LPUSH)
a limit: timed out after 20 ms
`,
      stderr: '',
    });
  });
});
