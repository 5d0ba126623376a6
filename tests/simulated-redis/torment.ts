// torment.ts: greenlets that use one Redis client at once, are killed and run out of time, while the network and the server fail.
//
// First a phase with faults. Then everything is healed, and what was promised has to come true: everybody finishes, the connections are there
// again, each reply was the right one, and nothing is left open. What the world decides: who does what, who is killed and when, and the faults.

import { ClosedError, isKilled, now, type Op, sleep, spawn, TimeoutError, timeout, yieldNow } from 'tendril';
import type { SimulatedWorld } from 'tendril/testing';
import type { Subscription } from '../../samples/redis/subscription.ts';
import { connectRedis, type RedisClient, RedisConnectionError, type RedisOptions } from '../../samples/redis.ts';
import { type Ending, Ledger } from './ledger.ts';
import { plague } from './plague.ts';
import { RedisServer } from './server.ts';
import { WORKERS, type Worker } from './workers.ts';

/** How one command ended. */
export type Outcome<T> =
  | { readonly ending: 'done'; readonly value: T }
  | { readonly ending: Exclude<Ending, 'done'>; readonly error: unknown };

export const HOST = 'redis';
const LIMITS: RedisOptions = {
  host: HOST,
  connectMs: 300,
  replyMs: 200,
  outageMs: 800,
  retryMs: 10,
  longestRetryMs: 100,
};

export interface TormentOptions {
  /** How many things at most are done to the network on purpose, one after the other. */
  readonly mischief: number;
  readonly crashes?: boolean | undefined;
  /** Nothing ever breaks: no command may fail, and no message may be lost. */
  readonly lossless?: boolean | undefined;
  /** Who may work: everybody if not given. */
  readonly workers?: readonly string[] | undefined;
}

export class Torment {
  readonly world: SimulatedWorld;
  readonly server: RedisServer;
  readonly ledger: Ledger;
  readonly options: RedisOptions;
  /** The client that all share. */
  redis!: RedisClient;
  /** Subscriptions that are to last. */
  readonly subscriptions: Subscription<string>[] = [];
  /** How many wait for an element for as long as it takes. */
  hungry = 0;
  readonly lossless: boolean;
  #ended = false;

  constructor(world: SimulatedWorld, lossless: boolean) {
    this.world = world;
    this.lossless = lossless;
    const password = world.pick([undefined, 'secret']);
    this.server = new RedisServer({ password, durable: world.pick([true, false]) });
    this.options = { ...LIMITS, password, protocol: world.pick([2, 3] as const) };
    this.ledger = new Ledger(this.server.journal);
    world.always(this.ledger.check);
  }

  /** As `attempt`, for a command over the shared connection: it ends in good time, whatever happens. */
  ask<T>(op: Op<T>): Op<Outcome<T>> {
    return this.attempt(this.#timely(op));
  }

  *#timely<T>(op: Op<T>): Op<T> {
    const startMs = now();
    let given = false;
    try {
      return yield* op;
    } catch (error) {
      given = isKilled(error);
      throw error;
    } finally {
      const tookMs = now() - startMs;
      // An outage, twice the time for a reply, and as much again if the connection came back only to be lost again.
      const mostMs = this.lossless ? 100 : 2 * (800 + 2 * 200);
      this.ledger.must(given || tookMs <= mostMs, `a command ends in good time, not after ${tookMs} ms`);
    }
  }

  /** Run `op` and say how it ended. It may be killed, or given little time. */
  *attempt<T>(op: Op<T>): Op<Outcome<T>> {
    const { world } = this;
    const limitMs = world.chance(0.35, 'hurry') ? world.pick([400, 25, 5, 1]) : Number.POSITIVE_INFINITY;
    if (!world.chance(0.15, 'victim')) return yield* this.outcomeOf(timeout(limitMs, op));
    const victim = spawn(() => this.outcomeOf(timeout(limitMs, op)));
    victim.link(() => {});
    yield* this.#moment();
    victim.kill();
    yield* victim.join();
    const { outcome } = victim;
    if (outcome?.ok) return outcome.value;
    if (outcome?.killed) return { ending: 'doubt', error: outcome.error };
    throw outcome?.error;
  }

  /** Some time, and then some steps of others. */
  *#moment(): Op<void> {
    const { world } = this;
    yield* sleep(world.pick([0, 0, 10, 40, 300]) + world.choose(10, 'moment'));
    for (let steps = world.choose(4, 'steps'); steps > 0; steps -= 1) yield* yieldNow();
  }

  /** Try until it works: only when all is well again. */
  *insist<T>(make: () => Op<T>): Op<T> {
    for (;;) {
      const outcome = yield* this.outcomeOf(make());
      if (outcome.ending === 'done') return outcome.value;
      yield* sleep(10);
    }
  }

  *outcomeOf<T>(op: Op<T>): Op<Outcome<T>> {
    try {
      return { ending: 'done', value: yield* op };
    } catch (error) {
      if (isKilled(error)) throw error;
      const ending = this.#endingOf(error);
      if (ending === undefined) throw error;
      return { ending, error };
    }
  }

  /** What an error of the client says about its command; undefined for one that it must not throw. */
  #endingOf(error: unknown): Exclude<Ending, 'done'> | undefined {
    const { code, name } = error as Error & { code?: string };
    if (this.lossless && name !== 'TimeoutError' && code !== 'ERR_REDIS_SPOILT' && !this.#ended) return undefined;
    if (error instanceof RedisConnectionError) return error.inDoubt ? 'doubt' : 'unsent';
    if (error instanceof TimeoutError) return 'doubt';
    if (error instanceof ClosedError && this.#ended) return 'doubt';
    return name === 'ConnectError' || name === 'DnsError' ? 'unsent' : undefined;
  }

  /** A client, however long it takes. */
  connect(): Op<RedisClient> {
    return this.insist(() => connectRedis(this.options));
  }

  /** End the shared client while everybody uses it, at some moment. */
  *endEarly(): Op<void> {
    yield* this.#moment();
    this.#ended = true;
    this.redis.close();
  }

  /** As long as somebody waits for an element, one comes now and then. */
  *feed(): Op<void> {
    for (;;) {
      yield* sleep(150);
      if (this.hungry === 0) continue;
      const token = this.ledger.token('jobs');
      const start = this.ledger.now;
      const { ending } = yield* this.outcomeOf(this.redis.rpush('jobs', token));
      this.ledger.wrote(token, start, ending);
    }
  }

  /** Everything is well again: what was promised has to come true. */
  *settle(workers: readonly Worker[]): Op<void> {
    const { world, ledger } = this;
    world.heal();
    if (this.#ended) this.redis = yield* this.connect();
    for (const { settle } of new Set(workers)) if (settle !== undefined) yield* settle(this);
    ledger.same(yield* this.insist(() => this.redis.command('ECHO', 'last')), 'last', 'the connection is there again');
    ledger.same(this.redis.unanswered, 0, 'nothing waits for a reply any more');
    if (world.chance(0.5, 'quit')) yield* this.redis.quit();
    else this.redis.close();
    yield* sleep(1);
    const alive = world.scheduler.greenlets().filter(({ name }) => name.startsWith('redis '));
    ledger.same(
      alive.map(({ name }) => name),
      [],
      'no greenlet of the client is left',
    );
    // What a fault has delayed is still on its way, and of a client that gave up during a partition the server learns by its own probes.
    for (let i = 0; i < 150 && this.server.connections > 0; i += 1) yield* sleep(100);
    ledger.same(this.server.connections, 0, 'no connection to the server is left');
  }
}

/** The body of one run. */
export function torment({
  mischief,
  crashes = false,
  lossless = false,
  workers: names,
}: TormentOptions): (world: SimulatedWorld) => Op<void> {
  const candidates = WORKERS.filter(({ name }) => names?.includes(name) ?? true);
  return function* body(world) {
    const t = new Torment(world, lossless);
    const host = world.net.host(HOST, { main: t.server.main });
    t.redis = yield* t.connect();
    // Half of the time they are all of one kind: what they do to each other is then done more often.
    const workers = [0, 1, 2].map(() => world.pick(candidates));
    if (world.chance(0.5, 'alike')) workers.fill(workers[0] as Worker);
    const busy = workers.map(({ work }) => spawn(work, t));
    busy.push(spawn(plague, world, host, world.choose(mischief + 1, 'mischief'), crashes));
    if (world.chance(0.15, 'end early')) busy.push(spawn(() => t.endEarly()));
    const feeding = spawn(() => t.feed());
    for (const greenlet of busy) yield* greenlet.get();
    feeding.kill();
    yield* feeding.join();
    yield* t.settle(workers);
    host.crash();
    yield* sleep(1);
    t.ledger.same(world.net.leftovers(), [], 'nothing is left open');
    t.ledger.close();
  };
}
