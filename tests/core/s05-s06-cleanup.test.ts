// s05-s06-cleanup.test.ts: rules S5 (cleanup: finally, shields and their graces) and S6 (an interrupted Waitable did not happen).
import {
  AsyncResult,
  all,
  Channel,
  current,
  Event,
  isKilled,
  Mutex,
  type Op,
  Semaphore,
  select,
  shield,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  type WaitDescription,
  yieldNow,
} from 'tendril/core';
import { describe, expect, it } from 'vitest';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import { thrownBy } from '../thrown-by.ts';
import { now, play, spawnQuietly, thrownAtCall, world } from './world.ts';

describe('S5 Cleanup', () => {
  it('runs any synchronous code in finally', () =>
    play(function* () {
      const order: string[] = [];
      const victim = spawnQuietly(function* () {
        try {
          yield* sleep(1000);
        } finally {
          order.push('one');
          order.push('two');
        }
      });
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(order).toEqual(['one', 'two']);
    }));

  it('throws at a blocking Op in finally after a kill, unless it is in a shield', () =>
    play(function* () {
      const seen: unknown[] = [];
      const victim = spawnQuietly(function* () {
        try {
          yield* sleep(1000);
        } finally {
          seen.push(isKilled(yield* thrownBy(sleep(1))));
          yield* shield(sleep(10));
          seen.push(now());
        }
      });
      yield* sleep(5);
      victim.kill();
      yield* victim.join();
      expect(seen).toEqual([true, 15]);
    }));

  it('gives a shield a grace of five seconds, at whose end it is transparent', () =>
    play(function* () {
      const victim = spawnQuietly(function* () {
        try {
          yield* sleep(1000);
        } finally {
          yield* shield(sleep(100_000));
        }
      });
      yield* sleep(5);
      victim.kill();
      yield* victim.join();
      expect(now()).toBe(5005);
      expect(victim.outcome).toMatchObject({ ok: false, killed: true });
    }));

  it('takes a grace of its own, 0 and Infinity too', () =>
    play(function* () {
      const ends: number[] = [];
      for (const [graceMs, workMs] of [
        [20, 100],
        [0, 100],
        [Number.POSITIVE_INFINITY, 50_000],
      ] as const) {
        const startMs = now();
        const victim = spawnQuietly(function* () {
          try {
            yield* sleep(1000);
          } finally {
            yield* shield(graceMs, sleep(workMs));
          }
        });
        yield* yieldNow();
        victim.kill();
        yield* victim.join();
        ends.push(now() - startMs);
      }
      expect(ends).toEqual([20, 0, 50_000]);
    }));

  it('refuses a grace that is no number or negative, and what is no Op, at the call', () => {
    const calls = [
      () => shield(Number.NaN, sleep(1)),
      () => shield(-1, sleep(1)),
      () => shield('5' as never, sleep(1)),
      () => shield(5, undefined as never),
      () => shield((() => 1) as never),
    ];
    for (const call of calls) expect(thrownAtCall(call)).toBeInstanceOf(TypeError);
  });

  it('starts the grace when an outer cancellation becomes pending, not before', () =>
    play(function* () {
      const victim = spawnQuietly(() => shield(50, sleep(10_000)));
      yield* sleep(1000);
      victim.kill();
      yield* victim.join();
      expect(now()).toBe(1050);
    }));

  it('starts no second grace when the outer cancellation is repeated', () =>
    play(function* () {
      const victim = spawnQuietly(() => timeout(120, (() => shield(50, asOp(sleep(10_000))))()));
      yield* sleep(100);
      victim.kill();
      yield* victim.join();
      expect(now()).toBe(150);
    }));

  it('masks every frame outside it: a kill and an outer timeout', () =>
    play(function* () {
      const seen: unknown[] = [];
      const victim = spawnQuietly(() =>
        timeout(
          10,
          (function* (): Op<void> {
            yield* shield(sleep(30));
            seen.push(now());
            yield* sleep(1);
          })(),
        ),
      );
      expect(yield* thrownBy(victim.get())).toBeInstanceOf(TimeoutError);
      expect([seen, now()]).toEqual([[30], 30]);
    }));

  it('does not mask throw()', () =>
    play(function* () {
      const error = new Error('thrown in');
      const victim = spawnQuietly(() => shield(sleep(1000)));
      yield* sleep(1);
      victim.kill();
      victim.throw(error);
      expect(yield* thrownBy(victim.get())).toBe(error);
      expect(now()).toBe(1);
    }));

  it('is no blocking point itself', () =>
    play(function* () {
      const victim = spawn(function* () {
        current().kill();
        yield* shield((function* (): Op<void> {})());
        return 'passed';
      });
      expect(yield* victim.get()).toBe('passed');
    }));

  it('lets timeouts inside it work', () =>
    play(function* () {
      const seen: unknown[] = [];
      const victim = spawnQuietly(function* () {
        try {
          yield* sleep(1000);
        } finally {
          seen.push(yield* shield(timeout(10, asOp(sleep(100)), { else: 'expired' })));
        }
      });
      yield* sleep(1);
      victim.kill();
      yield* victim.join();
      expect([seen, now()]).toEqual([['expired'], 11]);
    }));

  it('lets an inner shield with a short grace end inside an outer one', () =>
    play(function* () {
      const seen: unknown[] = [];
      const victim = spawnQuietly(() =>
        shield(
          1000,
          (function* (): Op<void> {
            seen.push(yield* shield(10, asOp(sleep(100))));
            seen.push(now());
          })(),
        ),
      );
      yield* sleep(1);
      victim.kill();
      yield* victim.join();
      expect(seen).toEqual([undefined, 100]);
    }));

  it('throws at the first Op after the shield', () =>
    play(function* () {
      const order: string[] = [];
      const victim = spawnQuietly(function* () {
        yield* shield(sleep(10));
        order.push('after the shield');
        yield* sleep(1);
        order.push('not here');
      });
      yield* sleep(1);
      victim.kill();
      yield* victim.join();
      expect(order).toEqual(['after the shield']);
    }));
});

function* asOp<T>(op: Op<T>): Op<T> {
  return yield* op;
}

/** A wait that the test settles. */
class Outside extends ExternalWait<string> {
  ticket: Ticket<string> | undefined;
  disposed: string[] = [];
  protected begin(ticket: Ticket<string>): void {
    this.ticket = ticket;
  }
  protected override orphaned(value: string): void {
    this.disposed.push(value);
  }
  describe(): WaitDescription {
    return { op: 'outside' };
  }
}

describe('S6 Commit rule: Killed or TimeoutError from a Waitable means that it did not happen', () => {
  it('leaves a killed receiver out: the value goes to the next', () =>
    play(function* () {
      const jobs = new Channel<number>();
      const first = spawnQuietly(() => jobs.receive());
      const second = spawn(() => jobs.receive());
      yield* yieldNow();
      first.kill();
      expect(jobs.trySend(7)).toBe(true);
      expect(yield* second.get()).toBe(7);
      yield* first.join();
    }));

  it('lets an Op that has happened return its value; the kill waits for the next', () =>
    play(function* () {
      const jobs = new Channel<number>();
      const seen: unknown[] = [];
      const victim = spawnQuietly(function* () {
        seen.push(yield* jobs.receive());
        seen.push(isKilled(yield* thrownBy(sleep(1))));
      });
      yield* yieldNow();
      jobs.trySend(7);
      victim.kill();
      yield* victim.join();
      expect(seen).toEqual([7, true]);
    }));

  it('lets a sender whose value was taken return normally although it is killed in the same step', () =>
    play(function* () {
      const jobs = new Channel<number>();
      let sent = false;
      const victim = spawnQuietly(function* () {
        yield* jobs.send(7);
        sent = true;
        yield* sleep(1);
      });
      yield* yieldNow();
      expect(jobs.tryReceive()).toEqual({ value: 7 });
      victim.kill();
      yield* victim.join();
      expect(sent).toBe(true);
    }));

  it('holds for a timeout: what was not received in time is still there', () =>
    play(function* () {
      const jobs = new Channel<number>();
      expect(yield* thrownBy(timeout(10, jobs.receive()))).toBeInstanceOf(TimeoutError);
      expect(yield* thrownBy(timeout(10, jobs.send(1)))).toBeInstanceOf(TimeoutError);
      expect([jobs.balance, jobs.trySend(1), jobs.tryReceive()]).toEqual([0, false, undefined]);
    }));

  it('holds for locks, semaphores, joins, events, results and selects', () =>
    play(function* () {
      const mutex = new Mutex();
      const permits = new Semaphore(0);
      const flag = new Event();
      const result = new AsyncResult<number>();
      const jobs = new Channel<number>();
      const sleeper = spawn(() => sleep(1000));
      yield* mutex.acquire();
      const victims = [
        () => mutex.acquire(),
        () => permits.acquire(),
        () => flag.wait(),
        () => result.get(),
        () => sleeper.join(),
        () => select({ a: jobs.receive(), b: permits.acquire(), c: sleeper.get() }),
      ].map((op) => spawnQuietly(op as () => Op<unknown>));
      yield* yieldNow();
      for (const victim of victims) victim.kill();
      mutex.release();
      permits.release();
      flag.set();
      result.set(1);
      expect(jobs.trySend(1)).toBe(false);
      for (const victim of victims) yield* victim.join();
      expect(victims.map(({ outcome }) => outcome?.ok)).toEqual(victims.map(() => false));
      expect([mutex.locked, permits.permits]).toEqual([false, 1]);
      sleeper.kill();
    }));

  it('throws at once where the host cannot abort, and hands the late result to a disposer, counted as an orphan', () =>
    play(function* () {
      const outside = new Outside();
      const victim = spawnQuietly(() => outside);
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      const { stats } = world();
      const before = [stats.orphans, outside.disposed.length];
      (outside.ticket as Ticket<string>).resolve('late');
      (outside.ticket as Ticket<string>).resolve('twice');
      (outside.ticket as Ticket<string>).reject(new Error('thrice'));
      expect([before, stats.orphans, outside.disposed, stats.staleWakes]).toEqual([[1, 0], 0, ['late'], 1]);
    }));

  it('takes the first answer of a host that gives two', () =>
    play(function* () {
      for (const second of ['resolve', 'reject', 'rejectWith'] as const) {
        const outside = new Outside();
        const waiter = spawn(() => outside);
        yield* yieldNow();
        outside.ticket?.resolve('first');
        outside.ticket?.[second]((() => 'second') as never);
        expect(yield* waiter.get()).toBe('first');
        outside.ticket?.withdraw();
        expect([outside.disposed, world().stats.orphans]).toEqual([[], 0]);
      }
    }));

  it('ignores what the host says late, when the same greenlet waits for something else', () =>
    play(function* () {
      const first = new Outside();
      const second = new Outside();
      const greenlet = spawn(function* () {
        return [yield* thrownBy(first), yield* second];
      });
      yield* yieldNow();
      greenlet.throw('given up');
      yield* yieldNow();
      first.ticket?.resolve('late');
      yield* yieldNow();
      expect(greenlet.state).toBe('parked');
      second.ticket?.resolve('in time');
      expect(yield* greenlet.get()).toEqual(['given up', 'in time']);
      expect([first.disposed, world().externalWaits]).toEqual([['late'], 0]);
    }));

  it('copes with a host that settles, or kills, while the wait begins; also as an arm of a select', () =>
    play(function* () {
      class AtOnce extends Outside {
        protected override begin(ticket: Ticket<string>): void {
          ticket.resolve('at once');
        }
      }
      class KillsUs extends Outside {
        protected override begin(ticket: Ticket<string>): void {
          current().kill('from within');
          ticket.resolve('too late');
        }
      }
      class Fails extends Outside {
        protected override begin(): void {
          throw new Error('cannot begin');
        }
      }
      const jobs = new Channel<string>();
      expect(yield* new AtOnce()).toBe('at once');
      expect(yield* timeout(5, new AtOnce())).toBe('at once');
      expect(yield* select({ jobs: jobs.receive(), a: new AtOnce() })).toEqual({ key: 'a', value: 'at once' });
      expect(yield* timeout(5, select([jobs.receive(), timeout(5, new AtOnce()), jobs.receive()]))).toEqual({
        key: 1,
        value: 'at once',
      });
      expect(yield* thrownBy(new Fails())).toMatchObject({ message: 'cannot begin' });
      expect(yield* thrownBy(select([jobs.receive(), new Fails()]))).toMatchObject({ message: 'cannot begin' });
      const killing: KillsUs[] = [];
      const make = (): KillsUs => {
        killing.push(new KillsUs());
        return killing.at(-1) as KillsUs;
      };
      for (const op of [
        () => make(),
        () => timeout(5, make()),
        () => select({ jobs: jobs.receive(), a: make(), b: jobs.receive() }),
        () => timeout(5, select([timeout(5, select([jobs.receive(), make()] as const)), jobs.receive()] as const)),
      ]) {
        const victim = spawnQuietly(op as () => Op<unknown>);
        yield* victim.join();
        expect(victim.outcome).toMatchObject({ ok: false, killed: true });
      }
      expect(killing.map(({ disposed }) => disposed)).toEqual(Array(4).fill(['too late']));
      const { externalWaits, timeouts, stats } = world();
      expect([jobs.balance, externalWaits, timeouts.size, stats.orphans]).toEqual([0, 0, 0, 0]);
    }));

  it('kills and awaits all children of all() and loses no value of a ready one', () =>
    play(function* () {
      const jobs = new Channel<number>(1);
      jobs.trySend(1);
      const victim = spawnQuietly(() => all([sleep(1000), jobs.send(2)]));
      yield* sleep(1);
      victim.kill();
      yield* victim.join();
      expect([jobs.tryReceive(), jobs.tryReceive()]).toEqual([{ value: 1 }, undefined]);
    }));
});
