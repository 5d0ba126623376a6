// scope-owners.ts: properties of scopes as their owners see them: what start returns, when a scope takes children, what a kill does first.
import {
  GreenletKilledError,
  now,
  type Op,
  type Scope,
  ScopeClosedError,
  scope,
  shield,
  sleep,
  spawn,
  TimeoutError,
  timeout,
} from 'tendril/core';
import { codeOf, killSome, must, type Property, pause, same, spawnQuietly, thrownBy } from './property.ts';

export const SCOPE_OWNERS: readonly Property[] = [
  {
    name: 'start returns what the child reports, or throws what ended it, and leaves none behind',
    rules: 'S9 S21',
    times: 2,
    *body(world) {
      let serving = 0;
      const serve = function* (ready: (value: number) => void): Op<void> {
        yield* pause(world, 2);
        if (world.chance(0.3, 'fails early')) throw new Error('early');
        ready(7);
        serving += 1;
        try {
          yield* sleep(world.pick([1, 9]));
        } finally {
          serving -= 1;
        }
      };
      const owner = spawnQuietly(() =>
        scope(function* (s) {
          const error = yield* thrownBy(
            timeout(
              world.pick([9, 1]),
              (function* () {
                same(yield* s.start(serve), 7, 'start returns what was reported');
              })(),
            ),
          );
          if (codeOf(error) === 'KILLED') throw error;
          if (error !== undefined && codeOf(error) !== 'ERR_TIMEOUT')
            same((error as Error).message, 'early', 'its error');
          // A failure before it is ready does not end the scope.
          yield* pause(world, 2);
          return 'ended';
        }),
      );
      yield* killSome(world, [owner], 2);
      yield* owner.join();
      same(serving, 0, 'nothing serves when the scope has ended');
      must(owner.killed || owner.outcome?.ok === true, 'an early failure does not end the scope');
    },
  },
  {
    name: 'a scope that has ended takes no more children; one that waits for its last does',
    rules: 'S9',
    times: 2,
    *body(world) {
      let kept: Scope | undefined;
      let ran = 0;
      const late = function* (): Op<void> {
        yield* pause(world, 2);
        ran += 1;
      };
      const helper = spawn(function* () {
        yield* pause(world);
        if (kept === undefined) return 'early';
        const { state } = kept;
        try {
          kept.spawn(late);
          must(state === 'open', 'what was spawned came in time');
          return 'in time';
        } catch (error) {
          must(error instanceof ScopeClosedError && state === 'closed', 'it is told that the scope has ended');
          return 'late';
        }
      });
      const owner = spawnQuietly(() =>
        scope(function* (s) {
          kept = s;
          s.spawn(late);
          yield* pause(world, 2);
        }),
      );
      yield* owner.join();
      same(ran >= 1 && kept?.size, 0, 'all children have ended with the scope');
      yield* helper.join();
      const told = helper.outcome?.ok === true ? helper.outcome.value : 'failed';
      same(ran, told === 'in time' ? 2 : 1, 'what was taken in has run to its end');
    },
  },
  {
    name: 'the kill of an owner kills its children first, and is what its joiners see',
    rules: 'S2 S4 S9',
    times: 2,
    *body(world) {
      let alive = 0;
      const child = function* (): Op<void> {
        alive += 1;
        try {
          yield* sleep(world.pick([2, Number.POSITIVE_INFINITY]));
        } finally {
          alive -= 1;
        }
      };
      const owner = spawnQuietly(() =>
        scope(function* (s) {
          s.spawn(child);
          s.spawn(child);
          yield* sleep(9);
          yield* sleep(Number.POSITIVE_INFINITY);
        }),
      );
      const joiner = spawn(function* () {
        const error = yield* thrownBy(owner.get());
        must(error instanceof GreenletKilledError, 'joiners see the kill');
        same(alive, 0, 'and the children have ended by then');
      });
      yield* pause(world, 4);
      must(owner.kill('enough'), 'the first kill is the one that counts');
      must(!owner.kill('again'), 'the second one is not');
      yield* joiner.get();
      const { outcome } = owner;
      same(
        outcome?.ok === false && (outcome.error as GreenletKilledError).reason,
        'enough',
        'the first reason is kept',
      );
    },
  },
  {
    name: 'a timeout around a scope ends its children before it is thrown, and a child that fails first wins',
    rules: 'S8 S9',
    times: 2,
    *body(world) {
      let alive = 0;
      const failing = new Error('failed');
      const child = function* (): Op<void> {
        alive += 1;
        try {
          yield* sleep(world.pick([1, 2, 3, 5]));
          if (world.chance(0.2, 'fails')) throw failing;
        } finally {
          if (world.chance(0.3, 'slow cleanup')) yield* shield(sleep(1));
          alive -= 1;
        }
      };
      const startedMs = now();
      const limited = timeout(
        world.pick([3, 2, 9]),
        scope(function* (s) {
          s.spawn(child);
          s.spawn(child);
          yield* pause(world);
        }),
      );
      const error = yield* thrownBy(limited);
      same(alive, 0, 'its children have ended');
      if (error instanceof TimeoutError) {
        must(error.timeout === limited, 'the timeout is that of the boundary');
        must(now() - startedMs >= error.timeoutMs, 'it is never early');
      } else must(error === undefined || error === failing, 'or it is the error of the child');
    },
  },
];
