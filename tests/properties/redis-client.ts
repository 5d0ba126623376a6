// redis-client.ts: properties of the Redis sample: each greenlet gets the reply to its own command, whoever else is killed or times out.
import { isKilled, listen, type Op, type Socket, serve, sleep, spawn, TimeoutError, timeout } from 'tendril';
import type { SimulatedWorld } from 'tendril/testing';
import { RedisClient } from '../../samples/redis/client.ts';
import { RedisConnectionError } from '../../samples/redis/errors.ts';
import { RespLink } from '../../samples/redis/resp-link.ts';
import { CHOPPY, type NetworkProperty } from './network-property.ts';
import { endAll, joinEach, killSome, must, pause, same } from './property.ts';

const PORT = 6379;

/** A server that answers each command with its last argument, in bulk, as an error or as a list. */
function startServer(world: SimulatedWorld): void {
  const answer = function* (socket: Socket): Op<void> {
    const link = RespLink.over(socket);
    try {
      for (;;) {
        const command = (yield* link.reply()) as string[];
        const text = command.at(-1) as string;
        const bulk = `$${text.length}\r\n${text}\r\n`;
        if (command[0] === 'LIST') yield* socket.write(`*2\r\n${bulk}:${text.length}\r\n`);
        else yield* socket.write(command[0] === 'FAIL' ? `-ERR ${text}\r\n` : bulk);
      }
    } catch (error) {
      if (isKilled(error)) throw error;
      socket.close(); // the client has gone
    }
  };
  world.net.host('redis', {
    *main() {
      yield* serve(yield* listen({ host: '0.0.0.0', port: PORT }), answer, { graceMs: 0 });
    },
  });
}

/** Ask for things that nobody else asks for, with little patience, and see that the replies are our own. */
function* ask(world: SimulatedWorld, redis: RedisClient, name: string, count: number, lost: () => void): Op<void> {
  for (let i = 0; i < count; i += 1) {
    const text = `${name}${i}`;
    const [verb, expected] = world.pick([
      ['ECHO', text],
      ['LIST', [text, text.length]],
      ['FAIL', `ERR ${text}`],
    ] as const);
    const limitMs = world.pick([Number.POSITIVE_INFINITY, 2, 4]);
    try {
      const reply = yield* timeout(limitMs, redis.command(verb, text));
      same(reply, expected, 'the reply is that to our own command');
    } catch (error) {
      if (isKilled(error)) throw error;
      if (error instanceof TimeoutError) continue;
      if (error instanceof RedisConnectionError) lost();
      else same((error as Error).message, expected, 'the error is that of our own command');
    }
    if (world.chance(0.3, 'pause')) yield* pause(world, 3);
  }
}

function* endServer(world: SimulatedWorld): Op<void> {
  world.net.host('redis').crash();
  yield* sleep(1);
}

export const REDIS: readonly NetworkProperty[] = [
  {
    name: 'each greenlet gets the reply to its own command, whoever is killed or times out',
    rules: 'S6',
    options: CHOPPY,
    *body(world) {
      startServer(world);
      const redis = yield* RedisClient.connect<string>({ host: 'redis', port: PORT });
      const never = (): void => must(false, 'a connection that nobody breaks lasts');
      const askers = ['a', 'b', 'c'].map((name) => spawn(ask, world, redis, name, 3, never));
      yield* killSome(world, askers, 2);
      yield* joinEach(askers);
      // What was given up is answered all the same, and counted off.
      same(yield* redis.command('ECHO', 'last'), 'last', 'the next reply is right, too');
      same(redis.unanswered, 0, 'nothing is waited for any more');
      redis.close();
      yield* endServer(world);
    },
  },
  {
    name: 'a client whose connection is reset comes back, and no reply goes astray',
    rules: 'S6',
    options: CHOPPY,
    *body(world) {
      startServer(world);
      const redis = yield* RedisClient.connect<string>({ host: 'redis', port: PORT, retryMs: 1 });
      let losses = 0;
      const askers = ['a', 'b'].map((name) => spawn(ask, world, redis, name, 4, () => void (losses += 1)));
      yield* pause(world, 4);
      world.net.reset(world.net.home, 'redis', { afterBytes: world.choose(60, 'after') });
      yield* killSome(world, askers, 1);
      yield* joinEach(askers);
      must(losses <= 8, 'each command fails once at most');
      // From here on no connection is reset any more; the one that there is may just have been.
      world.heal();
      let last: unknown;
      while (last === undefined) {
        try {
          last = yield* redis.command('ECHO', 'last');
        } catch (error) {
          must(error instanceof RedisConnectionError, 'a lost connection is told as such');
        }
      }
      same(last, 'last', 'it works again');
      redis.close();
      yield* endServer(world);
      yield* endAll(askers);
    },
  },
];
