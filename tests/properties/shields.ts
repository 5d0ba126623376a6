// shields.ts: properties of shields, and of kills that meet timeouts: what is masked, for how long, and who wins.
import { isKilled, now, shield, sleep, spawn, TimeoutError, timeout } from 'tendril/core';
import { codeOf, endAll, joinEach, must, type Property, pause, same, spawnQuietly, thrownBy } from './property.ts';
import { work } from './timeouts.ts';

export const SHIELDS: readonly Property[] = [
  {
    name: 'a shield masks what is outside it and nothing inside it',
    rules: 'S5 S8',
    times: 2,
    *body(world) {
      let begun = false;
      let protectedMs = 0;
      const victim = spawnQuietly(function* () {
        begun = true;
        try {
          yield* sleep(world.pick([1, 3]));
        } finally {
          const startedMs = now();
          yield* shield(
            20,
            (function* () {
              const innerMs = world.pick([1, 2, 4]);
              const late = yield* timeout(innerMs, work(world, 3), { else: 'late' as const });
              same(late === 'late', innerMs < 3, 'a timeout inside a shield expires');
              yield* sleep(1);
              protectedMs = now() - startedMs;
              same(protectedMs, Math.min(innerMs, 3) + 1, 'and what is outside does not interrupt');
            })(),
          );
        }
        yield* sleep(9);
      });
      const outer = world.chance(0.5, 'by timeout');
      const limitedVictim = outer
        ? spawn(() => timeout(world.pick([2, 4]), victim.join(), { else: undefined }))
        : undefined;
      yield* pause(world, 4);
      victim.kill();
      yield* pause(world, 2);
      victim.kill();
      yield* victim.join();
      yield* joinEach(limitedVictim === undefined ? [] : [limitedVictim]);
      same(protectedMs > 0, begun, 'a cleanup that is shielded runs to its end');
    },
  },
  {
    name: 'the grace of a shield begins with the kill, and its end lets the kill through',
    rules: 'S5',
    times: 3,
    *body(world) {
      const [graceMs, workMs, killMs] = [world.pick([3, 1, 5]), world.pick([2, 4, 6]), world.pick([1, 0, 2])];
      let ended: number | undefined;
      let cut: number | undefined;
      const victim = spawn(function* () {
        try {
          yield* shield(graceMs, work(world, workMs));
          ended = now();
        } catch (error) {
          must(isKilled(error), 'only the kill comes through');
          cut = now();
          throw error;
        }
        yield* sleep(Number.POSITIVE_INFINITY);
      });
      yield* sleep(killMs);
      // At 0 the victim may not have run at all: then it never does.
      const started = victim.state !== 'new';
      victim.kill();
      yield* victim.join();
      if (!started) same([ended, cut], [undefined, undefined], 'a body that was killed before never runs');
      else if (workMs <= killMs + graceMs)
        same([ended, cut], [workMs, undefined], 'work that is done within the grace is done');
      else same([ended, cut], [undefined, killMs + graceMs], 'the kill comes through when the grace is over');
    },
  },
  {
    name: 'a kill wins over a timeout that expires with it, and nobody goes on',
    rules: 'S4 S8',
    times: 3,
    *body(world) {
      let after = 0;
      const victim = spawn(function* () {
        for (;;) {
          const error = yield* thrownBy(timeout(world.pick([1, 2]), work(world, 2)));
          if (isKilled(error)) throw error;
          must(error === undefined || error instanceof TimeoutError, 'a timeout is a TimeoutError at its boundary');
          after += 1;
          must(after < 20, 'a kill ends it');
        }
      });
      yield* pause(world, 4);
      if (world.chance(0.5, 'tie')) yield* sleep(1);
      must(victim.kill(), 'it lives until it is killed');
      yield* endAll([victim]);
      same(codeOf(victim.outcome?.ok === false && victim.outcome.error), 'ERR_GREENLET_KILLED', 'it ends by the kill');
    },
  },
];
