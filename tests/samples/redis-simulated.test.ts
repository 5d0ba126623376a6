// redis-simulated.test.ts: the Redis sample over a simulated network, against a simulated Redis: what the exploration has found, each bug in a small body,
// and a short exploration of everything. tests/long/simulated-redis.test.ts is the long one.

import { now, type Op, rethrowKilled, sleep, spawn, timeout } from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { RedisConnectionError, type RedisOptions } from '../../samples/redis.ts';
import { type Scene, scene } from '../simulated-redis/closing.ts';
import { explorations } from '../simulated-redis/explorations.ts';

/** What `op` returns, or the name, code and doubt of its error. */
function* outcomeOf(op: Op<unknown>): Op<unknown> {
  try {
    return yield* op;
  } catch (error) {
    rethrowKilled(error);
    if (error instanceof RedisConnectionError) return [error.name, error.code, error.inDoubt ? 'in doubt' : 'not sent'];
    return [(error as Error).name, (error as { code?: string }).code];
  }
}

async function played(act: (scene: Scene) => Op<unknown>, options?: RedisOptions): Promise<unknown> {
  return (await simulate(scene(act, options), { net: { latency: { minMs: 1, maxMs: 8 } } })).value;
}

describe('A connection that a greenlet has to itself', () => {
  it('refuses further commands when one was given up before its reply, and shifts none', async () => {
    const outcome = await played(function* ({ redis }) {
      return yield* redis.isolated(function* (own) {
        const given = yield* outcomeOf(timeout(1, own.command('ECHO', 'first')));
        const next = yield* outcomeOf(own.command('ECHO', 'second'));
        return [given, next, yield* redis.command('ECHO', 'shared')];
      });
    });
    expect(outcome).toEqual([
      ['TimeoutError', 'ERR_TIMEOUT'],
      ['RedisConnectionError', 'ERR_REDIS_SPOILT', 'not sent'],
      'shared',
    ]);
  });

  it('refuses a second greenlet while a reply is due', async () => {
    const outcome = await played(function* ({ redis }) {
      return yield* redis.isolated(function* (own) {
        const first = spawn(outcomeOf, own.command('ECHO', 'first'));
        yield* sleep(0);
        return [
          yield* outcomeOf(own.command('ECHO', 'second')),
          yield* first.get(),
          yield* own.command('ECHO', 'third'),
        ];
      });
    });
    expect(outcome).toEqual([['BusyError', 'ERR_BUSY'], 'first', 'third']);
  });

  it('says of a command whether it is in doubt when the connection is lost', async () => {
    const outcome = await played(function* ({ redis, world }) {
      const reset = spawn(function* () {
        yield* sleep(20);
        world.net.reset(world.net.home, 'redis');
      });
      const waiting = [redis.blpop('jobs', 0), redis.command('BRPOP', 'jobs', 1)].map((op) => spawn(outcomeOf, op));
      const own = yield* redis.isolated(function* (isolated) {
        yield* reset.join();
        yield* sleep(5);
        return [yield* outcomeOf(isolated.set('a', 1)), yield* outcomeOf(isolated.get('a'))];
      });
      const [first, second] = waiting;
      return [yield* first!.get(), yield* second!.get(), ...own, yield* outcomeOf(redis.get('a'))];
    });
    const inDoubt = ['RedisConnectionError', 'ECONNRESET', 'in doubt'];
    const unsent = ['RedisConnectionError', 'ECONNRESET', 'not sent'];
    expect(outcome).toEqual([inDoubt, inDoubt, unsent, unsent, null]);
  });

  it('is of the database that was selected last', async () => {
    const outcome = await played(function* ({ redis }) {
      yield* redis.rpush('list', 'in 0');
      const earlier = spawn(() => redis.blpop('other', 0.05));
      yield* sleep(20);
      yield* redis.select(1);
      yield* redis.rpush('list', 'in 1');
      yield* earlier.get();
      return yield* redis.blpop('list', 1);
    });
    expect(outcome).toEqual(['list', 'in 1']);
  });
});

describe('A server that vanishes without a word', () => {
  it('is noticed by one that waits for an element for as long as it takes', async () => {
    const outcome = await played(function* ({ redis, host }) {
      const popping = spawn(outcomeOf, redis.blpop('jobs', 0));
      yield* sleep(20);
      host.crash();
      yield* sleep(100);
      host.restart();
      return [yield* timeout(30_000, popping.get()), yield* redis.rpush('jobs', 'x'), yield* redis.blpop('jobs', 0)];
    });
    expect(outcome).toEqual([['RedisConnectionError', 'ECONNRESET', 'in doubt'], 1, ['jobs', 'x']]);
  });

  it('is noticed by a pop whose time is up at the server', async () => {
    const outcome = await played(function* ({ redis, world }) {
      const popping = spawn(function* () {
        const startMs = now();
        return [yield* outcomeOf(redis.blpop('jobs', 0.5)), now() - startMs < 800];
      });
      yield* sleep(20);
      world.net.partition(world.net.home, 'redis');
      const popped = yield* popping.get();
      world.heal();
      return popped;
    });
    expect(outcome).toEqual([['RedisConnectionError', 'ETIMEDOUT', 'in doubt'], true]);
  });

  it('is noticed by a subscription, which is made again', async () => {
    const outcome = await played(function* ({ redis, host }) {
      const news = yield* redis.subscribe('news');
      host.crash();
      yield* sleep(100);
      host.restart();
      for (;;) {
        const receivers = yield* outcomeOf(redis.publish('news', 'again'));
        if (receivers === 1) return yield* news.receive();
        yield* sleep(100);
      }
    });
    expect(outcome).toEqual({ channel: 'news', message: 'again' });
  });
});

describe('An outage', () => {
  it('fails commands after outageMs, however long an attempt to connect takes', async () => {
    const outcome = await played(
      function* ({ redis, host, world }) {
        host.blackhole(6379);
        world.net.reset(world.net.home, 'redis');
        yield* sleep(10);
        const startMs = now();
        const first = yield* outcomeOf(redis.set('a', 1));
        const firstMs = now() - startMs;
        const second = yield* outcomeOf(redis.set('a', 2));
        return [first, firstMs <= 800, second, now() - startMs - firstMs];
      },
      { connectMs: 60_000 },
    );
    const unsent = ['RedisConnectionError', 'ERR_REDIS_CONNECTION', 'not sent'];
    expect(outcome).toEqual([unsent, true, unsent, 0]);
  });

  it('ends by itself, and the commands that wait for it are carried out', async () => {
    const outcome = await played(function* ({ redis, host, world, server }) {
      host.refuse(6379);
      world.net.reset(world.net.home, 'redis');
      yield* sleep(10);
      const waiting = spawn(outcomeOf, redis.set('a', 1));
      yield* sleep(300);
      host.restore(6379);
      return [yield* waiting.get(), server.store.peek('a')];
    });
    expect(outcome).toEqual(['OK', '1']);
  });
});

describe('A command that cannot be written', () => {
  it('fails all that wait, and the next connection is as good as new', async () => {
    const outcome = await played(function* ({ redis }) {
      const large = spawn(outcomeOf, redis.set('a', Buffer.allocUnsafeSlow(2 ** 31)));
      const small = spawn(outcomeOf, redis.get('a'));
      return [yield* large.get(), yield* small.get(), yield* redis.get('a'), now() < 100];
    });
    const lost = ['RedisConnectionError', expect.any(String), 'in doubt'];
    expect(outcome).toEqual([lost, lost, null, true]);
  });
});

describe('Greenlets that share a client of a server that is cut off, reset and crashed', () => {
  it('get no wrong reply, none is stuck, and close() leaves nothing behind at any moment', {
    timeout: 30_000,
  }, async () => {
    const explored = await explorations({ seeds: 50, closingSeeds: 50, processes: 1, timeoutMs: 25_000 });
    expect(explored.flatMap(({ name, report }) => (report === undefined ? [] : [`${name}: ${report}`]))).toEqual([]);
    expect(explored.map(({ runs }) => runs)).toEqual(Array(11).fill(50));
  });
});
