// signals.ts: properties of barriers, events, results and park: whoever waits at the moment is told, all of them or none.
import {
  AsyncResult,
  Barrier,
  BrokenBarrierError,
  Event,
  isKilled,
  type Op,
  park,
  sleep,
  spawn,
  timeout,
  unpark,
} from 'tendril/core';
import {
  codeOf,
  endAll,
  joinEach,
  killSome,
  lineUp,
  must,
  type Property,
  pause,
  same,
  sameNumbers,
  thrownBy,
} from './property.ts';

export const SIGNALS: readonly Property[] = [
  {
    name: 'a barrier lets all of a round through or breaks for all of them',
    rules: 'S6 S21',
    *body(world) {
      const barrier = new Barrier(3);
      world.always(() => barrier.check());
      const places: number[] = [];
      let broken = 0;
      const meet = function* (): Op<void> {
        try {
          for (let round = 0; round < 2; round += 1) {
            yield* pause(world, 2);
            places.push(yield* barrier.wait());
          }
        } catch (error) {
          if (isKilled(error)) throw error;
          must(error instanceof BrokenBarrierError, 'a party that gives up breaks the barrier');
          broken += 1;
        }
      };
      const parties = [spawn(meet), spawn(meet), spawn(meet)];
      if (world.chance(0.6, 'kill')) {
        yield* pause(world, 3);
        world.pick(parties).kill();
      }
      yield* sleep(3);
      yield* endAll(parties);
      same(places.length % 3, 0, 'all get through, or none does');
      for (let round = 0; round < places.length; round += 3)
        sameNumbers(places.slice(0, 3), [0, 1, 2], 'each has a place of its own in a round');
      must(broken < 3, 'whoever breaks it is not told that it is broken');
      must(broken === 0 || barrier.broken, 'it stays broken until somebody resets it');
      same(barrier.waiting, 0, 'nobody is left at the barrier');
    },
  },
  {
    name: 'whoever waits when an event is set is woken, also if it is cleared at once',
    rules: 'S6 S12',
    *body(world) {
      const event = new Event();
      let woken = 0;
      const wait = function* (): Op<void> {
        yield* event.wait();
        woken += 1;
      };
      const waiting = yield* lineUp(3, () => spawn(wait));
      const gone = waiting.filter(() => world.chance(0.3, 'kill'));
      for (const greenlet of gone) greenlet.kill();
      event.set();
      event.clear();
      const late = spawn(wait);
      for (const greenlet of waiting) if (world.chance(0.2, 'late kill')) greenlet.kill();
      yield* joinEach(waiting);
      same(woken, 3 - gone.length, 'all who waited at set() are woken, a later kill or not');
      yield* sleep(1);
      same(late.outcome, undefined, 'who comes after clear() waits for the next set()');
      event.set();
      yield* late.join();
      same(woken, 4 - gone.length, 'the next set() wakes it');
    },
  },
  {
    name: 'a result is set once and seen by all who wait, early or late',
    rules: 'S6 S18',
    *body(world) {
      const result = new AsyncResult<number>();
      const seen: unknown[] = [];
      const fails = world.chance(0.4, 'fails');
      const look = function* (): Op<void> {
        yield* pause(world, 2);
        try {
          seen.push(yield* world.chance(0.5, 'in time') ? timeout(9, result.get()) : result.get());
        } catch (error) {
          if (isKilled(error)) throw error;
          seen.push((error as Error).message);
        }
      };
      const set = function* (value: number): Op<boolean> {
        yield* pause(world, 2);
        if (result.ready) return false;
        if (fails) result.setError(new Error('set'));
        else result.set(value);
        return true;
      };
      const lookers = [spawn(look), spawn(look), spawn(look)];
      const setters = [spawn(set, 1), spawn(set, 2)];
      yield* killSome(world, lookers, 2);
      yield* joinEach([...lookers, ...setters]);
      same(setters.filter(({ outcome }) => outcome?.ok === true && outcome.value).length, 1, 'one has set it');
      same(codeOf(yield* thrownBy(setAgain(result))), 'ERR_RESULT_SET', 'a second set is an error');
      must(new Set(seen).size <= 1, 'all see the same');
    },
  },
  {
    name: 'unpark before park is not lost: whoever parks when there is no work misses none',
    rules: 'S6 S21',
    *body(world) {
      let work = 0;
      let unparks = 0;
      let passes = 0;
      const worker = spawn(function* () {
        for (;;) {
          while (work > 0) {
            work -= 1;
            if (world.chance(0.3, 'busy')) yield* pause(world, 2);
          }
          const limitMs = world.pick([Number.POSITIVE_INFINITY, 2]);
          if ((yield* timeout(limitMs, parking(), { else: 'late' as const })) !== 'late') passes += 1;
        }
      });
      const give = function* (): Op<void> {
        for (let i = 0; i < 3; i += 1) {
          yield* pause(world, 2);
          work += 1;
          unparks += 1;
          unpark(worker);
        }
      };
      yield* joinEach([spawn(give), spawn(give)]);
      // It may be busy for a moment with each; the unpark of the last must not be what it waits for.
      yield* sleep(8);
      same(work, 0, 'all work is done');
      yield* endAll([worker]);
      unpark(worker);
      must(passes <= unparks, 'park returns for an unpark only');
    },
  },
];

function* parking(): Op<void> {
  yield* park();
}

function* setAgain(result: AsyncResult<number>): Op<void> {
  result.set(3);
}
