// redis-get.ts: How many GETs a second go over one connection to Redis, from one greenlet and from a hundred that know nothing of each other?
//
// The server is a private redis-server on a free port. Ours is the client of samples/redis.ts: each greenlet sends and waits for its reply, the
// connection pipelines by itself. Peers run a hundred async functions over one client. redis-benchmark, written in C, with as many requests in
// flight, is the ceiling. The value has 64 bytes; the answer is the number of bytes got. The goals compare with ioredis and node-redis as they come;
// ioredis with its autopipelining switched on stands beside them. One at a time, node:net with nothing around it is the floor.
//
// How to run: npm run bench -- --only redis

import { once } from 'node:events';
import net from 'node:net';
import { type Contestant, type Outcome, ours, type Round, type Row, runProgram } from './contest.ts';

type Op<T> = import('tendril').Op<T>;

const key = 'tendril:bench';
const value = 'v'.repeat(64);

/** As much as we need of samples/redis.ts, which is compiled beside the benchmarks and not part of their program. */
interface SampleClient {
  get(key: string): Op<{ readonly length: number } | null>;
  set(key: string, value: string): Op<unknown>;
}
interface Sample {
  connectRedis(address: { host: string; port: number }): Op<SampleClient>;
}

function tendril(greenlets: number): Contestant {
  return {
    name: ours,
    async start({ redisPort }): Promise<Round> {
      const { run, spawn } = await import('tendril');
      const { connectRedis } = (await import('./samples/redis.js' as string)) as Sample;
      function* open(): Op<SampleClient> {
        const client = yield* connectRedis({ host: '127.0.0.1', port: redisPort });
        yield* client.set(key, value);
        return client;
      }
      function* reader(client: SampleClient, count: number): Op<number> {
        let bytes = 0;
        for (let i = 0; i < count; i += 1) bytes += (yield* client.get(key))?.length ?? 0;
        return bytes;
      }
      function* body(client: SampleClient, count: number) {
        const readers = [];
        for (let i = 0; i < greenlets; i += 1) readers.push(spawn(reader, client, count / greenlets));
        let bytes = 0;
        for (const each of readers) bytes += yield* each.get();
        return bytes;
      }
      const client = await run(open);
      return async (count) => ({ answer: await run(body, client, count) });
    },
  };
}

/** `greenlets` async functions, each with one GET on its way at a time. */
function asyncReaders(greenlets: number, get: (key: string) => Promise<string | null>): Round {
  async function reader(count: number): Promise<number> {
    let bytes = 0;
    for (let i = 0; i < count; i += 1) bytes += (await get(key))?.length ?? 0;
    return bytes;
  }
  return async (count): Promise<Outcome> => {
    const bytes = await Promise.all(Array.from({ length: greenlets }, () => reader(count / greenlets)));
    return { answer: bytes.reduce((sum, each) => sum + each, 0) };
  };
}

function ioredis(greenlets: number, enableAutoPipelining: boolean): Contestant {
  return {
    name: enableAutoPipelining ? 'ioredis, autopipelining' : 'ioredis',
    async start({ redisPort }) {
      const { Redis } = await import('ioredis');
      const client = new Redis({ host: '127.0.0.1', port: redisPort, enableAutoPipelining });
      await client.set(key, value);
      return asyncReaders(greenlets, (each) => client.get(each));
    },
  };
}

function nodeRedis(greenlets: number): Contestant {
  return {
    name: 'node-redis',
    async start({ redisPort }) {
      const { createClient } = await import('redis');
      const client = await createClient({ socket: { host: '127.0.0.1', port: redisPort } }).connect();
      await client.set(key, value);
      return asyncReaders(greenlets, (each) => client.get(each));
    },
  };
}

/** One command after the other over node:net, written and read as bytes that are known beforehand: what the system calls and Node take of each figure. */
const rawNet: Contestant = {
  name: 'node:net',
  async start({ redisPort }): Promise<Round> {
    const { Redis } = await import('ioredis');
    const client = new Redis({ host: '127.0.0.1', port: redisPort });
    await client.set(key, value);
    client.disconnect();
    const command = `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`;
    const replyBytes = `$${value.length}\r\n${value}\r\n`.length;
    let received = (_length: number): void => {};
    const socket = net.connect({
      ...{ host: '127.0.0.1', port: redisPort, noDelay: true },
      onread: {
        buffer: Buffer.alloc(65_536),
        callback(length) {
          received(length);
          return true;
        },
      },
    });
    await once(socket, 'connect');
    return (count) =>
      new Promise((resolve) => {
        let [bytes, replies] = [0, 0];
        received = (length) => {
          bytes += length;
          if (bytes < replyBytes) return;
          bytes -= replyBytes;
          replies += 1;
          if (replies === count) resolve({ answer: count * value.length });
          else socket.write(command);
        };
        socket.write(command);
      });
  },
};

function redisBenchmark(inFlight: number): Contestant {
  return {
    name: `redis-benchmark -c 1 -P ${inFlight}`,
    // It counts milliseconds: with fewer it would report an infinite rate.
    count: 3200 * inFlight,
    async start({ redisPort }): Promise<Round> {
      const { Redis } = await import('ioredis');
      const client = new Redis({ host: '127.0.0.1', port: redisPort });
      await client.set(key, value);
      client.disconnect();
      await runProgram('redis-benchmark', ['--version']);
      return async (count): Promise<Outcome> => {
        const printed = await runProgram('redis-benchmark', [
          ...['-p', String(redisPort), '-c', '1', '-P', String(inFlight), '-n', String(count), '--csv', 'GET', key],
        ]);
        const perSecond = Number(/^"GET[^"]*","([\d.]+)"/m.exec(printed)?.[1]);
        if (!(perSecond > 0)) throw new Error(`redis-benchmark printed ${printed}`);
        return { total: (count / perSecond) * 1e9, answer: count * value.length };
      };
    },
  };
}

function row(greenlets: number): Row {
  const single = greenlets === 1;
  const clients = ['ioredis', 'node-redis'];
  return {
    name: `Redis GET, ${single ? 'one at a time' : `${greenlets} greenlets on one connection`}`,
    unit: 'k/s',
    measure: 'rate',
    better: 'higher',
    needs: 'redis',
    answer: (count) => count * value.length,
    contestants: [
      tendril(greenlets),
      ioredis(greenlets, false),
      ioredis(greenlets, true),
      nodeRedis(greenlets),
      ...(single ? [rawNet] : []),
      redisBenchmark(greenlets),
    ],
    goals: single
      ? [{ stage: 'target', against: clients, factor: 1.2 }]
      : [
          { stage: 'first', against: clients, factor: 3 },
          { stage: 'target', against: clients, factor: 4 },
          { stage: 'target', against: [`redis-benchmark -c 1 -P ${greenlets}`], factor: 0.8 },
        ],
  };
}

export const rows: readonly Row[] = [row(1), row(100)];
