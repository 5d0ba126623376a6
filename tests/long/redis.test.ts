// redis.test.ts: a million GETs and SETs from a hundred greenlets over one connection, while greenlets are killed and the server is restarted.
//
// The server is a private redis-server on a free port that writes each change to a file before it answers, so what it has confirmed must be there after
// it was killed with SIGKILL. Each greenlet has a key of its own and knows which values it may find there: the last one that was
// confirmed, and those of SETs after it whose fate nobody knows. Anything else is a wrong reply.
import { type ChildProcess, spawn as spawnProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Greenlet,
  hub,
  listen,
  now,
  type Op,
  once,
  openHandles,
  rethrowKilled,
  run,
  sleep,
  spawn,
  timeout,
  yieldNow,
} from 'tendril';
import { describe, expect, it } from 'vitest';
import { connectRedis, type RedisClient, RedisConnectionError, RedisError } from '../../samples/redis.ts';
import { probeProgram } from '../services.ts';

const program = probeProgram('redis-server');
const host = '127.0.0.1';
const WORKERS = 100;
const OPERATIONS = 10_000;
const VICTIMS = 5;
/** Each so many operations a greenlet asks, is killed at once, and so leaves a reply that nobody waits for. */
const TOMBSTONE_EVERY = 500;

interface Figures {
  done: number;
  doubtful: number;
  loading: number;
  tombstones: number;
  wrong: string[];
}

/** A generator of numbers below `limit` that a seed repeats. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

/** One key and what may be found there. */
class Cell {
  readonly key: string;
  #possible: (Buffer | null)[] = [null];
  constructor(key: string) {
    this.key = key;
  }
  trying(value: Buffer): void {
    this.#possible.push(value);
  }
  confirmed(value: Buffer): void {
    this.#possible = [value];
  }
  allows(found: Buffer | null): boolean {
    return this.#possible.some((each) => (each === null || found === null ? each === found : each.equals(found)));
  }
}

class Worker {
  readonly cell: Cell;
  readonly #redis: RedisClient<Buffer>;
  readonly #random: (limit: number) => number;
  readonly #pool: Buffer;
  readonly #figures: Figures;

  constructor(
    number: number,
    redis: RedisClient<Buffer>,
    random: (limit: number) => number,
    pool: Buffer,
    figures: Figures,
  ) {
    this.cell = new Cell(`worker:${number}\r\n`);
    this.#redis = redis;
    this.#random = random;
    this.#pool = pool;
    this.#figures = figures;
  }

  *run(): Op<void> {
    for (let i = 0; i < OPERATIONS; i += 1) {
      if (i % TOMBSTONE_EVERY === 0) yield* this.#leaveTombstone();
      try {
        if (this.#random(2) === 0) yield* this.#set();
        else yield* this.check();
      } catch (error) {
        rethrowKilled(error);
        if (error instanceof RedisConnectionError) this.#figures.doubtful += 1;
        else if (error instanceof RedisError && error.prefix === 'LOADING') this.#figures.loading += 1;
        else throw error;
        yield* sleep(1);
      }
      this.#figures.done += 1;
    }
  }

  *#set(): Op<void> {
    // Mostly small; now and then one that crosses reads and packets.
    const size = this.#random(200) === 0 ? 20_000 + this.#random(60_000) : 16 + this.#random(200);
    const start = this.#random(this.#pool.length - size);
    const value = this.#pool.subarray(start, start + size);
    this.cell.trying(value);
    const reply = yield* this.#redis.set(this.cell.key, value);
    if (reply !== 'OK') this.#figures.wrong.push(`SET ${this.cell.key}: ${String(reply)}`);
    this.cell.confirmed(value);
  }

  *check(): Op<void> {
    const found = yield* this.#redis.get(this.cell.key);
    if (!this.cell.allows(found)) this.#figures.wrong.push(`GET ${this.cell.key}: ${found?.length ?? 'null'} bytes`);
  }

  *#leaveTombstone(): Op<void> {
    const asking = spawn(() => this.#redis.get(this.cell.key));
    yield* yieldNow();
    asking.kill('leaves a tombstone');
    this.#figures.tombstones += 1;
  }
}

function* freePort(): Op<number> {
  const listener = yield* listen({ host, port: 0 });
  listener.close();
  return listener.address.port;
}

function* startServer(port: number, directory: string): Op<ChildProcess> {
  const options = ['--bind', host, '--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'];
  const child = spawnProcess(program as string, ['--port', String(port), '--dir', directory, ...options], {
    stdio: 'ignore',
  });
  yield* timeout(20_000, untilAnswers(port));
  return child;
}

function* untilAnswers(port: number): Op<void> {
  for (;;) {
    try {
      const redis = yield* connectRedis({ host, port });
      try {
        yield* redis.ping(); // an error while it still reads its file
        return;
      } finally {
        redis.close();
      }
    } catch (error) {
      rethrowKilled(error);
      yield* sleep(20);
    }
  }
}

function* stopServer(server: ChildProcess): Op<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill('SIGKILL');
  yield* once(server, 'exit');
}

function* until(condition: () => boolean): Op<void> {
  while (!condition()) yield* sleep(1);
}

function* torment(
  port: number,
  directory: string,
  random: (limit: number) => number,
): Op<Figures & Record<string, unknown>> {
  let server = yield* startServer(port, directory);
  const redis = yield* connectRedis({ host, port, buffers: true, outageMs: 60_000, retryMs: 10 });
  const figures: Figures = { done: 0, doubtful: 0, loading: 0, tombstones: 0, wrong: [] };
  try {
    const pool = randomBytes(1 << 20);
    const startedMs = now();
    const workers = Array.from({ length: WORKERS }, (_, number) => new Worker(number, redis, random, pool, figures));
    const greenlets: Greenlet<void>[] = workers.map((worker) => spawn(() => worker.run()));
    const total = WORKERS * OPERATIONS;
    // At random moments, half of the victims before the restart and half after it.
    for (let victim = 0; victim < VICTIMS; victim += 1) {
      if (victim === Math.floor(VICTIMS / 2)) {
        yield* until(() => figures.done >= total / 2);
        yield* stopServer(server);
        server = yield* startServer(port, directory);
      }
      const moment = (total * (victim + random(100) / 100)) / (VICTIMS + 1);
      yield* until(() => figures.done >= moment);
      greenlets[(victim * WORKERS) / VICTIMS + random(WORKERS / VICTIMS)]?.kill('at random');
    }
    for (const greenlet of greenlets) yield* greenlet.join();
    const seconds = (now() - startedMs) / 1000;
    for (const worker of workers) yield* worker.check();
    const outcomes = greenlets.map(({ outcome }) =>
      outcome?.ok ? 'ok' : outcome?.killed ? 'killed' : String(outcome?.error),
    );
    const counts = Object.fromEntries(
      [...new Set(outcomes)].map((each) => [each, outcomes.filter((one) => one === each).length]),
    );
    return { ...figures, counts, unanswered: redis.unanswered, seconds, perSecond: Math.round(figures.done / seconds) };
  } finally {
    redis.close();
    server.kill('SIGKILL');
  }
}

describe.skipIf(program === undefined)('A hundred greenlets on one connection to Redis', () => {
  it('get no wrong reply, and none is stuck, while some are killed and the server is restarted', {
    timeout: 240_000,
  }, async () => {
    const seed = Number(process.env.TENDRIL_SEED ?? Date.now() % 1_000_000);
    const directory = mkdtempSync(join(tmpdir(), 'tendril-redis-'));
    try {
      const port = await run(freePort);
      const result = await run(() => timeout(200_000, torment(port, directory, randomFrom(seed))));
      const { wrong, counts, unanswered, ...figures } = result;
      console.log(`seed ${seed}: ${JSON.stringify({ ...figures, counts })}`);
      expect({ wrong, counts, unanswered }, `seed ${seed}`).toEqual({
        wrong: [],
        counts: { ok: WORKERS - VICTIMS, killed: VICTIMS },
        unanswered: 0,
      });
      // The restart was felt, by all who had something on its way.
      expect(result.doubtful).toBeGreaterThan(0);
      const isClean = (): boolean => hub.stats().greenlets === 1 && openHandles().total === 0;
      await run(() => timeout(5_000, until(isClean), { else: undefined }));
      expect({ report: hub.report(), open: openHandles().names }).toEqual({ report: '', open: [] });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
