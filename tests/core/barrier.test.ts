// barrier.test.ts: greenlets that wait for each other, and what breaks that.
import {
  Barrier,
  BrokenBarrierError,
  Channel,
  Event,
  type Greenlet,
  ResourceError,
  RWLock,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  UsageError,
  yieldNow,
} from 'tendril/core';
import { afterEach, describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { play, spawnQuietly, unwatchAll, watch } from './world.ts';

afterEach(unwatchAll);

/** `count` greenlets that wait at `barrier`, and have got there. */
function* arrived(barrier: Barrier, count: number) {
  const parties: Greenlet<unknown>[] = [];
  for (let i = 0; i < count; i += 1) parties.push(spawnQuietly(() => barrier.wait()));
  yield* yieldNow();
  return parties;
}

describe('Barrier.wait', () => {
  it('releases all when the last one arrives, each with its place of arrival', () =>
    play(function* () {
      const barrier = watch(new Barrier(4));
      const parties = yield* arrived(barrier, 3);
      expect([barrier.waiting, barrier.broken, barrier.parties]).toEqual([3, false, 4]);
      expect(yield* barrier.wait()).toBe(3);
      expect(barrier.waiting).toBe(0);
      const places: unknown[] = [];
      for (const party of parties) places.push(yield* party.get());
      expect(places).toEqual([0, 1, 2]);
    }));

  it('returns at once at a barrier of one', () =>
    play(function* () {
      const barrier = watch(new Barrier(1));
      expect([yield* barrier.wait(), yield* barrier.wait()]).toEqual([0, 0]);
    }));

  it('can be used again and again, also by who comes back before the others have run', () =>
    play(function* () {
      const barrier = watch(new Barrier(3));
      const log: string[] = [];
      const parties = ['a', 'b', 'c'].map((name, index) =>
        spawn(function* () {
          for (let round = 0; round < 4; round += 1) {
            yield* sleep((index * 7 + round * 5) % 4);
            yield* barrier.wait();
            log.push(`${round}${name}`);
          }
        }),
      );
      for (const party of parties) yield* party.get();
      const rounds = log.map((entry) => Number(entry[0]));
      expect(rounds).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
    }));

  it('S6 is over for who was released: a kill after that waits for the next Op', () =>
    play(function* () {
      const barrier = watch(new Barrier(2));
      const [party] = yield* arrived(barrier, 1);
      expect(yield* barrier.wait()).toBe(1);
      party?.kill();
      yield* party?.join() ?? yieldNow();
      expect([party?.outcome, barrier.broken]).toEqual([{ ok: true, value: 0, killed: true }, false]);
    }));
});

describe('A barrier breaks', () => {
  it('S21 for all when a waiter is killed', () =>
    play(function* () {
      const barrier = watch(new Barrier(4, { name: 'start' }));
      const [first, victim, third] = yield* arrived(barrier, 3);
      victim?.kill();
      expect([barrier.broken, barrier.waiting]).toEqual([true, 0]);
      const error = yield* thrownBy(first?.get() ?? yieldNow());
      expect(error).toBeInstanceOf(BrokenBarrierError);
      expect(error).toBeInstanceOf(ResourceError);
      expect(error).toMatchObject({ code: 'ERR_BROKEN_BARRIER', message: expect.stringContaining('barrier start') });
      expect(yield* thrownBy(third?.get() ?? yieldNow())).toBeInstanceOf(BrokenBarrierError);
      expect(yield* thrownBy(barrier.wait())).toBeInstanceOf(BrokenBarrierError);
    }));

  it('S21 for all when a waiter times out, which itself gets the TimeoutError', () =>
    play(function* () {
      const barrier = watch(new Barrier(3));
      const patient = spawn(() => thrownBy(barrier.wait()));
      const error = yield* thrownBy(timeout(10, barrier.wait()));
      expect(error).toBeInstanceOf(TimeoutError);
      expect(yield* patient.get()).toBeInstanceOf(BrokenBarrierError);
    }));

  it('for all when a timeout around more than the wait expires, or an error is thrown into a waiter', () =>
    play(function* () {
      const barrier = watch(new Barrier(3));
      const patient = spawn(() => thrownBy(barrier.wait()));
      const slow = timeout(
        10,
        (function* () {
          yield* barrier.wait();
        })(),
      );
      expect(yield* thrownBy(slow)).toBeInstanceOf(TimeoutError);
      expect(yield* patient.get()).toBeInstanceOf(BrokenBarrierError);
      barrier.reset();
      const [thrown, other] = yield* arrived(barrier, 2);
      const error = new Error('thrown in');
      thrown?.throw(error);
      expect(yield* thrownBy(thrown?.get() ?? yieldNow())).toBe(error);
      expect(yield* thrownBy(other?.get() ?? yieldNow())).toBeInstanceOf(BrokenBarrierError);
    }));

  it('for all when the select of a waiter takes another arm', () =>
    play(function* () {
      const barrier = watch(new Barrier(3));
      const other = spawn(() => thrownBy(barrier.wait()));
      expect((yield* select({ all: barrier.wait(), tick: sleep(5) })).key).toBe('tick');
      expect([yield* other.get(), barrier.broken]).toEqual([expect.any(BrokenBarrierError), true]);
    }));

  it('by abort(), until reset()', () =>
    play(function* () {
      const barrier = watch(new Barrier(2));
      const [party] = yield* arrived(barrier, 1);
      barrier.abort();
      barrier.abort();
      expect(yield* thrownBy(party?.get() ?? yieldNow())).toBeInstanceOf(BrokenBarrierError);
      expect(yield* thrownBy(barrier.wait())).toBeInstanceOf(BrokenBarrierError);
      barrier.reset();
      const [again] = yield* arrived(barrier, 1);
      expect([yield* barrier.wait(), yield* again?.get() ?? yieldNow(), barrier.broken]).toEqual([1, 0, false]);
    }));

  it('for those who wait at reset(), and is whole for those who come', () =>
    play(function* () {
      const barrier = watch(new Barrier(2));
      const [party] = yield* arrived(barrier, 1);
      barrier.reset();
      expect([barrier.broken, barrier.waiting]).toEqual([false, 0]);
      expect(yield* thrownBy(party?.get() ?? yieldNow())).toBeInstanceOf(BrokenBarrierError);
    }));
});

describe("A barrier's action", () => {
  it('runs once a round, in the last to arrive, before anybody goes on', () =>
    play(function* () {
      const log: string[] = [];
      const barrier = watch(new Barrier(2, { action: () => log.push('action') }));
      for (let round = 0; round < 2; round += 1) {
        const party = spawn(function* () {
          yield* barrier.wait();
          log.push('party');
        });
        yield* yieldNow();
        yield* barrier.wait();
        log.push('last');
        yield* party.get();
      }
      expect(log).toEqual(['action', 'last', 'party', 'action', 'last', 'party']);
    }));

  it('that throws breaks the barrier; the last to arrive gets the error', () =>
    play(function* () {
      const error = new Error('in action');
      const barrier = watch(
        new Barrier(2, {
          action: () => {
            throw error;
          },
        }),
      );
      const [party] = yield* arrived(barrier, 1);
      expect(yield* thrownBy(barrier.wait())).toBe(error);
      expect(yield* thrownBy(party?.get() ?? yieldNow())).toBeInstanceOf(BrokenBarrierError);
    }));

  it('that aborts, resets or kills a party breaks the round', () =>
    play(function* () {
      let act: () => void = () => {};
      const barrier = watch(new Barrier(2, { action: () => act() }));
      const acts: ((party: Greenlet<unknown>) => void)[] = [
        () => barrier.abort(),
        () => barrier.reset(),
        (party) => party.kill(),
      ];
      for (const [index, chosen] of acts.entries()) {
        const [party] = yield* arrived(barrier, 1);
        act = () => chosen(party as Greenlet);
        expect(yield* thrownBy(barrier.wait())).toBeInstanceOf(BrokenBarrierError);
        yield* party?.join() ?? yieldNow();
        expect([party?.outcome?.ok, barrier.broken]).toEqual([false, index !== 1]);
        barrier.reset();
      }
    }));
});

describe('A barrier in a select', () => {
  it('wins when all have arrived, with the place as value', () =>
    play(function* () {
      const barrier = watch(new Barrier(2));
      const never = new Event();
      const party = spawn(() => select({ all: barrier.wait(), never: never.wait() }));
      yield* yieldNow();
      expect((yield* select([barrier.wait()])).value).toBe(1);
      expect(yield* party.get()).toEqual({ key: 'all', value: 0 });
      expect(never.waiters.size).toBe(0);
    }));

  it('with `else` does not count as an arrival', () =>
    play(function* () {
      const barrier = watch(new Barrier(2));
      const { key } = yield* select([barrier.wait()], { else: undefined });
      expect([key, barrier.waiting, barrier.broken]).toEqual(['else', 0, false]);
    }));

  it('twice in one select is a UsageError: a greenlet is one party', () =>
    play(function* () {
      const barrier = watch(new Barrier(3));
      expect(yield* thrownBy(select([barrier.wait(), barrier.wait()]))).toBeInstanceOf(UsageError);
      expect([barrier.waiting, barrier.broken]).toEqual([0, true]);
    }));

  it('releases everybody who had arrived, also if their other arms break or admit each other', () =>
    play(function* () {
      const [first, second] = [watch(new Barrier(4)), watch(new Barrier(9))];
      const parties = [1, 2, 3].map(() => spawn(() => select({ second: second.wait(), first: first.wait() })));
      const bystander = spawn(() => thrownBy(second.wait()));
      yield* yieldNow();
      expect(yield* first.wait()).toBe(3);
      const keys: unknown[] = [];
      for (const party of parties) keys.push(yield* party.get());
      expect(keys).toEqual([0, 1, 2].map((value) => ({ key: 'first', value })));
      expect([yield* bystander.get(), second.broken]).toEqual([expect.any(BrokenBarrierError), true]);
    }));

  it('does not grant an arm of a wait that is just being killed, when breaking makes way for it', () =>
    play(function* () {
      const barrier = watch(new Barrier(3));
      const lock = watch(new RWLock());
      yield* lock.read().acquire();
      const wantsToWrite = spawn(() => thrownBy(select({ all: barrier.wait(), write: lock.write().acquire() })));
      yield* yieldNow();
      const victim = spawnQuietly(() => select({ all: barrier.wait(), read: lock.read().acquire() }));
      yield* yieldNow();
      expect([barrier.waiting, lock.waiting]).toEqual([2, 2]);
      victim.kill();
      yield* victim.join();
      expect(yield* wantsToWrite.get()).toBeInstanceOf(BrokenBarrierError);
      expect([victim.outcome?.ok, lock.waiting, lock.readers]).toEqual([false, 0, 1]);
      lock.read().release();
    }));

  it('survives kills that run in a circle through barriers and read-write locks', () =>
    play(function* () {
      const barrier = watch(new Barrier(9));
      const lock = watch(new RWLock());
      yield* lock.read().acquire();
      const wants = () =>
        select({ all: barrier.wait(), write: lock.write().acquire(), read: lock.read().acquire() }, { priority: true });
      const writer = spawnQuietly(() => lock.write().acquire());
      yield* yieldNow();
      const greenlets = [1, 2, 3].map(() =>
        spawn(function* () {
          try {
            return (yield* wants()).key;
          } catch (error) {
            return error;
          } finally {
            if (lock.writer !== undefined) lock.write().release();
          }
        }),
      );
      yield* yieldNow();
      greenlets[0]?.kill();
      writer.kill();
      for (const greenlet of greenlets) yield* greenlet.join();
      expect([barrier.broken, lock.waiting, lock.readers, lock.writer]).toEqual([true, 0, 1, undefined]);
      lock.read().release();
    }));
});

describe('Barrier', () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '2'])('refuses %s parties with RangeError', (parties) => {
    expect(() => new Barrier(parties as number)).toThrow(RangeError);
  });

  it('refuses an action that is no function', () => {
    expect(() => new Barrier(1, { action: {} as () => void })).toThrow(TypeError);
  });

  it('as threading.Barrier: workers in phases, with a channel that shows the order', () =>
    play(function* () {
      const done = new Channel<string>(Number.POSITIVE_INFINITY);
      const barrier = watch(new Barrier(2, { name: 'phase', action: () => done.trySend('|') }));
      const worker = (name: string, delayMs: number) =>
        spawn(function* () {
          for (const phase of [1, 2]) {
            yield* sleep(delayMs);
            done.trySend(`${name}${phase}`);
            yield* barrier.wait();
          }
        });
      const workers = [worker('a', 1), worker('b', 5)];
      for (const one of workers) yield* one.get();
      done.close();
      let text = '';
      for (let step = yield* done.next(); step.done !== true; step = yield* done.next()) text += step.value;
      expect(text).toBe('a1b1|a2b2|');
    }));
});
