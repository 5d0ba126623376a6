// closing.ts: a client that is closed at any moment while something is going on: everything ends, and nothing is left.
import { type Op, sleep, spawn, timeout, yieldNow } from 'tendril';
import type { SimulatedWorld } from 'tendril/testing';
import type { SimulatedHost } from '../../io/testing/simulated-host.ts';
import { connectRedis, type RedisClient, RedisConnectionError, type RedisOptions } from '../../samples/redis.ts';
import { RedisServer } from './server.ts';

export interface Scene {
  readonly world: SimulatedWorld;
  readonly server: RedisServer;
  readonly host: SimulatedHost;
  readonly redis: RedisClient;
}

const OPTIONS: RedisOptions = {
  host: 'redis',
  connectMs: 300,
  replyMs: 200,
  outageMs: 800,
  retryMs: 10,
  longestRetryMs: 100,
};

/** A body with a server and a client, at whose end nothing may be left. */
export function scene<T>(act: (scene: Scene) => Op<T>, options: RedisOptions = {}): (world: SimulatedWorld) => Op<T> {
  return function* body(world) {
    const server = new RedisServer();
    const host = world.net.host('redis', { main: server.main });
    const redis = yield* connectRedis({ ...OPTIONS, ...options });
    const value = yield* act({ world, server, host, redis });
    redis.close();
    yield* sleep(1);
    const left = world.scheduler.greenlets().filter(({ name }) => name.startsWith('redis '));
    for (let i = 0; i < 100 && server.connections > 0; i += 1) yield* sleep(10);
    const { connections } = server;
    host.crash();
    yield* sleep(1);
    const open = world.net.leftovers();
    if (left.length + connections + open.length > 0)
      throw new Error(`left: ${[...left.map(({ name }) => name), ...open].join(', ')}; ${connections} connections`);
    return value;
  };
}

/** Close the client at some moment while `act` runs. */
export function closing(act: (scene: Scene) => Op<unknown>): (world: SimulatedWorld) => Op<void> {
  return scene(function* closed(at) {
    const { world, redis } = at;
    const acting = spawn(function* () {
      try {
        yield* act(at);
      } catch (error) {
        const { code } = error as { code?: string };
        if (code !== 'ERR_CLOSED' && !(error instanceof RedisConnectionError)) throw error;
      }
    });
    yield* sleep(world.choose(20, 'moment'));
    for (let steps = world.choose(3, 'steps'); steps > 0; steps -= 1) yield* yieldNow();
    redis.close();
    yield* timeout(1_000, acting.get());
  });
}

/** What may be going on. */
export const ACTS: Readonly<Record<string, (scene: Scene) => Op<unknown>>> = {
  'a command is carried out': ({ redis }) => redis.set('a', 1),
  'a subscription is made': ({ redis }) => redis.subscribe('news'),
  *'a subscription is made again'({ redis, world }) {
    yield* redis.subscribe('news');
    world.net.reset(world.net.home, 'redis');
    yield* sleep(30);
  },
  *'an idle connection is taken'({ redis }) {
    yield* redis.blpop('jobs', 0.001);
    yield* redis.blpop('jobs', 0);
  },
  'an element is waited for': ({ redis }) => redis.blpop('jobs', 0),
  'a conversation is held': ({ redis }) => redis.isolated((own) => own.get('a')),
  *'it connects again'({ redis, world }) {
    world.net.reset(world.net.home, 'redis');
    yield* redis.get('a');
  },
};

/** Every packet takes as long, in whole milliseconds as all pauses: much happens at the same moment, and in any order. */
export const CLOSING_NET = { latency: { minMs: 1, maxMs: 1 } };
