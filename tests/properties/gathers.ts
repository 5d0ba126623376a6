// gathers.ts: properties of all, race, any and allSettled: one result, and nothing left alive behind it.
import { all, allSettled, any, type Greenlet, isKilled, now, type Op, race, shield, sleep } from 'tendril/core';
import type { World } from 'tendril/testing';
import { must, type Property, pause, same, spawnQuietly } from './property.ts';

class Failure extends Error {
  readonly index: number;
  constructor(index: number) {
    super(`failure ${index}`);
    this.index = index;
  }
}

/** Ops that know when they would end and how, and count themselves. */
class Runners {
  alive = 0;
  readonly world: World;
  /** Those that failed, in the order in which they ended. */
  readonly failed: number[] = [];
  readonly ends: { readonly ms: number; readonly fails: boolean }[] = [];
  constructor(world: World, count: number, failureOdds: number) {
    this.world = world;
    for (let i = 0; i < count; i += 1)
      this.ends.push({ ms: world.pick([1, 2, 8]), fails: world.chance(failureOdds, 'fails') });
  }

  ops(): Op<number>[] {
    return this.ends.map((_, index) => this.#run(index));
  }

  *#run(index: number): Op<number> {
    const { ms, fails } = this.ends[index] as Runners['ends'][0];
    this.alive += 1;
    let failing = false;
    try {
      yield* sleep(ms);
      failing = fails;
      if (fails) throw new Failure(index);
      return index;
    } finally {
      if (this.world.chance(0.2, 'slow cleanup')) yield* shield(sleep(1));
      this.alive -= 1;
      if (failing) this.failed.push(index);
    }
  }

  /** The earliest end among those that `matter`. */
  earliest(matter: (end: { readonly fails: boolean }) => boolean): number {
    return Math.min(...this.ends.filter(matter).map(({ ms }) => ms));
  }
}

interface Ended<T> {
  readonly greenlet: Greenlet<T>;
  readonly value: T | undefined;
  readonly error: unknown;
}

/** Run `op` in a greenlet that may be killed; nothing of `runners` may be alive when it has ended. */
function* runKillable<T>(world: World, runners: Runners, op: () => Op<T>): Op<Ended<T>> {
  let ended = false;
  world.always(() => must(!ended || runners.alive === 0, 'nothing is left alive behind it'));
  const greenlet = spawnQuietly(function* () {
    try {
      return yield* op();
    } finally {
      ended = true;
    }
  });
  if (world.chance(0.3, 'kill')) {
    yield* pause(world, 4);
    greenlet.kill();
  }
  yield* greenlet.join();
  same(runners.alive, 0, 'nothing is left alive');
  const { outcome } = greenlet;
  if (outcome?.ok === true) return { greenlet, value: outcome.value, error: undefined };
  return { greenlet, value: undefined, error: outcome?.error };
}

function wasKilled({ greenlet, error }: Ended<unknown>): boolean {
  return greenlet.killed && isKilled((error as Error | undefined)?.cause);
}

export const GATHERS: readonly Property[] = [
  {
    name: 'all gives every result in order, or the first failure',
    rules: 'S9',
    times: 2,
    *body(world) {
      const runners = new Runners(world, 3, 0.2);
      const ended = yield* runKillable(world, runners, () => all(runners.ops()));
      if (wasKilled(ended)) return;
      if (ended.error === undefined) same(ended.value, [0, 1, 2], 'results are in the order given');
      else {
        same((ended.error as Failure).index, runners.failed[0], 'the first failure in time');
        must(now() <= runners.earliest(({ fails }) => fails) + 2, 'and the others are not waited for any longer');
      }
      same(
        ended.error !== undefined,
        runners.ends.some(({ fails }) => fails),
        'it fails if one does',
      );
    },
  },
  {
    name: 'race gives what the first of them gives',
    rules: 'S9',
    times: 2,
    *body(world) {
      const runners = new Runners(world, 3, 0.2);
      const ended = yield* runKillable(world, runners, () => race(runners.ops()));
      if (wasKilled(ended)) return;
      const winner = ended.value ?? (ended.error as Failure).index;
      // A cleanup that takes a moment makes one later.
      must((runners.ends[winner]?.ms as number) <= runners.earliest(() => true) + 1, 'one of the first has won');
      must(
        now() <= runners.earliest(() => true) + 2,
        'and the others are not waited for any longer than their cleanup',
      );
      same(ended.error !== undefined, runners.ends[winner]?.fails, 'as it ended');
    },
  },
  {
    name: 'any gives the first success, or all failures',
    rules: 'S9',
    times: 2,
    *body(world) {
      const runners = new Runners(world, 3, 0.5);
      const ended = yield* runKillable(world, runners, () => any(runners.ops()));
      if (wasKilled(ended)) return;
      if (ended.error !== undefined) {
        must(
          runners.ends.every(({ fails }) => fails),
          'it fails only if all do',
        );
        same(
          (ended.error as AggregateError).errors.map(({ index }) => index),
          [0, 1, 2],
          'with all failures, in the order given',
        );
        return;
      }
      const winner = runners.ends[ended.value as number];
      must(winner?.fails === false, 'a success');
      must(winner.ms <= runners.earliest(({ fails }) => !fails) + 1, 'and one of the first');
      must(now() <= winner.ms + 2, 'and the others are not waited for any longer than their cleanup');
    },
  },
  {
    name: 'allSettled tells how each of them ended',
    rules: 'S9',
    times: 2,
    *body(world) {
      const runners = new Runners(world, 3, 0.4);
      const ended = yield* runKillable(world, runners, () => allSettled(runners.ops()));
      if (wasKilled(ended)) return;
      same(
        ended.value?.map((each) => (each.status === 'fulfilled' ? each.value : -(each.reason as Failure).index)),
        runners.ends.map(({ fails }, index) => (fails ? -index : index)),
        'each in its place',
      );
      must(now() >= Math.max(...runners.ends.map(({ ms }) => ms)), 'when all have ended');
    },
  },
];
