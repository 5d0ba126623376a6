// redis.ts: a Redis client in sequential style: `connectRedis` gives an object whose commands are Ops.
//
// Any number of greenlets use one client: their commands share one connection and leave together, each reply wakes the greenlet that asked. Error replies
// are thrown there too. A lost connection fails who waits and comes back by itself. Where to read on: redis/resp-link.ts (one connection, one
// greenlet), redis/pipeline.ts (one connection, many greenlets), redis/client.ts (which of the two, and what when it breaks).
//
// How to run: npx tsx samples/redis.ts [port]      (on 127.0.0.1, 6379 by default; it uses keys that begin with tendril:sample:)

import { all, ConnectError, main, type Op, scope, TimeoutError, timeout } from 'tendril';
import { RedisClient } from './redis/client.ts';
import { RedisError } from './redis/errors.ts';
import type { RedisOptions } from './redis/options.ts';

export { RedisClient } from './redis/client.ts';
export { RedisConnectionError, RedisError, RedisProtocolError } from './redis/errors.ts';
export type { RedisOptions } from './redis/options.ts';
export type { Argument } from './redis/resp-encoder.ts';
export type { Reply } from './redis/resp-values.ts';
export type { Message, Subscription } from './redis/subscription.ts';
export type { Transaction } from './redis/transaction.ts';

/**
 * Connect to Redis, by default at 127.0.0.1:6379.
 *
 * Switches. The client holds the process only while a greenlet waits for it; `quit()` or `close()` it when you are done.
 *
 * @throws ConnectError if nobody answers, TimeoutError after `connectMs`, RedisError if the server refuses the password or the database.
 */
export function connectRedis(options: RedisOptions & { readonly buffers: true }): Op<RedisClient<Buffer>>;
export function connectRedis(options?: RedisOptions): Op<RedisClient<string>>;
export function connectRedis(options: RedisOptions = {}): Op<RedisClient<string> | RedisClient<Buffer>> {
  return RedisClient.connect(options) as Op<RedisClient<string>>;
}

const prefix = 'tendril:sample:';

function* visit(redis: RedisClient, times: number): Op<void> {
  for (let i = 0; i < times; i += 1) yield* redis.incr(`${prefix}visits`);
}

function* tour(redis: RedisClient): Op<void> {
  const [visits, user, jobs, list] = ['visits', 'user', 'jobs', 'list'].map((name) => prefix + name) as [
    string,
    string,
    string,
    string,
  ];
  yield* redis.del(visits, user, jobs, list);

  yield* scope(function* crowd(s): Op<void> {
    for (let i = 0; i < 100; i += 1) s.spawn(visit, redis, 10);
  });
  console.log(`100 greenlets, one connection: ${yield* redis.get(visits)} visits`);

  yield* redis.hset(user, { name: 'Ada', city: 'London\r\nSET x y' });
  console.log(`a hash: ${JSON.stringify(yield* redis.hgetall(user))}`);

  // The pop waits on a connection of its own, so the push is not behind it.
  const [popped] = yield* all([redis.blpop(jobs, 5), redis.lpush(jobs, 'bake bread')]);
  console.log(`a job: ${popped?.[1]}`);

  const [, count] = (yield* redis.multi().set(visits, 41).incr(visits).exec()) ?? [];
  console.log(`a transaction: ${count}`);

  const news = yield* redis.subscribe(`${prefix}news`);
  const readers = yield* redis.publish(`${prefix}news`, 'it works');
  console.log(`${readers} subscriber read: ${(yield* news.receive()).message}`);
  yield* news.unsubscribe();

  try {
    yield* redis.lpush(user, 'not a list');
  } catch (error) {
    if (!(error instanceof RedisError)) throw error;
    console.log(`an error, where it belongs: ${error.prefix} (${error.command})`);
  }
  try {
    yield* timeout(20, redis.blpop(list, 0));
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    console.log(`a limit: ${error.message}`);
  }
  yield* redis.del(visits, user, jobs, list);
}

function* program(): Op<void> {
  const port = Number(process.argv[2] ?? 6379);
  let redis: RedisClient;
  try {
    redis = yield* connectRedis({ host: '127.0.0.1', port });
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    console.error(`No Redis answers: ${error.message}. Start one with: redis-server --save '' --appendonly no`);
    process.exitCode = 1;
    return;
  }
  yield* tour(redis);
  yield* redis.quit();
}

if (process.argv[1] === import.meta.filename) main(program);
