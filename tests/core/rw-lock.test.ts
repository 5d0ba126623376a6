// rw-lock.test.ts: many readers or one writer, first come first served. What all locks do is in locks.test.ts.
import {
  current,
  DeadlockError,
  type Greenlet,
  type Op,
  RWLock,
  select,
  sleep,
  spawn,
  spawnWith,
  timeout,
  yieldNow,
} from 'tendril/core';
import { afterEach, describe, expect, it } from 'vitest';
import { thrownBy } from '../thrown-by.ts';
import { play, spawnQuietly, unwatchAll, watch } from './world.ts';

afterEach(unwatchAll);

type Kind = 'read' | 'write';

/** Spawn a greenlet that takes a side, logs it, keeps it for `ms` and gives it back. */
function taker(lock: RWLock, kind: Kind, name: string, log: string[], ms = 1): Greenlet<void> {
  return spawnQuietly(() =>
    lock[kind]().use(
      (function* () {
        log.push(`+${name}`);
        yield* sleep(ms);
        log.push(`-${name}`);
      })(),
    ),
  );
}

function* joinEach(all: readonly Greenlet<unknown>[]): Op<void> {
  for (const one of all) yield* one.join();
}

describe('RWLock', () => {
  it('lets readers in together, and a writer alone', () =>
    play(function* () {
      const lock = watch(new RWLock());
      const log: string[] = [];
      const all = [
        taker(lock, 'read', 'r1', log),
        taker(lock, 'read', 'r2', log),
        taker(lock, 'write', 'w1', log),
        taker(lock, 'write', 'w2', log),
      ];
      yield* yieldNow();
      expect([lock.readers, lock.writer, lock.waiting]).toEqual([2, undefined, 2]);
      yield* joinEach(all);
      expect(log.join(' ')).toBe('+r1 +r2 -r1 -r2 +w1 -w1 +w2 -w2');
      expect([lock.readers, lock.writer, lock.waiting]).toEqual([0, undefined, 0]);
    }));

  it('S12 serves first come first served: readers that stand together go in together, and none overtakes a writer', () =>
    play(function* () {
      const lock = watch(new RWLock());
      const log: string[] = [];
      const kinds: Kind[] = ['read', 'write', 'read', 'read', 'write', 'read'];
      const all = kinds.map((kind, index) => taker(lock, kind, `${kind[0]}${index}`, log));
      yield* joinEach(all);
      expect(log.join(' ')).toBe('+r0 -r0 +w1 -w1 +r2 +r3 -r2 -r3 +w4 -w4 +r5 -r5');
    }));

  it('starves no writer under readers that never cease', () =>
    play(function* () {
      const lock = watch(new RWLock());
      let ended = false;
      const readers = [0, 1, 2].map((offset) =>
        spawn(function* () {
          yield* sleep(offset);
          while (!ended) yield* lock.read().use(sleep(3));
        }),
      );
      yield* sleep(10);
      yield* timeout(4, lock.write().acquire());
      ended = true;
      lock.write().release();
      yield* joinEach(readers);
    }));

  it('S6 lets readers in when the writer that they stood behind gives up', () =>
    play(function* () {
      const lock = watch(new RWLock());
      const log: string[] = [];
      yield* lock.read().acquire();
      const killed = taker(lock, 'write', 'killed', log);
      const [first, second] = [taker(lock, 'read', 'r1', log), taker(lock, 'read', 'r2', log)];
      yield* yieldNow();
      expect(lock.waiting).toBe(3);
      killed.kill();
      expect([lock.waiting, lock.readers]).toEqual([0, 3]);
      const late = spawn(() => timeout(2, lock.write().acquire(), { else: 'late' }));
      yield* yieldNow();
      const third = taker(lock, 'read', 'r3', log, 10);
      yield* joinEach([late, first, second]);
      expect([yield* late.get(), lock.readers]).toEqual(['late', 2]);
      lock.read().release();
      yield* third.get();
      expect(log.join(' ')).toBe('+r1 +r2 -r1 -r2 +r3 -r3');
    }));

  it('lets a reader read again at once, also behind a waiting writer, and counts its releases', () =>
    play(function* () {
      const lock = watch(new RWLock());
      const log: string[] = [];
      yield* lock.read().acquire();
      const writer = taker(lock, 'write', 'w', log);
      yield* yieldNow();
      yield* lock.read().acquire();
      expect([lock.read().tryAcquire(), lock.readers]).toEqual([true, 1]);
      for (let i = 0; i < 3; i += 1) {
        expect(lock.writer).toBeUndefined();
        lock.read().release();
      }
      expect(lock.writer).toBe(writer);
      yield* writer.get();
    }));

  it('S12 does not let tryAcquire to read overtake a writer that waits', () =>
    play(function* () {
      const lock = watch(new RWLock());
      yield* lock.read().acquire();
      const writer = spawn(() => lock.write().use(yieldNow()));
      yield* yieldNow();
      const other = spawn(function* () {
        return [lock.read().tryAcquire(), lock.write().tryAcquire()];
      });
      expect(yield* other.get()).toEqual([false, false]);
      lock.read().release();
      yield* writer.get();
    }));
});

describe('RWLock and its own holder', () => {
  it('S11 refuses an upgrade: writing while one reads is a DeadlockError at once, and try is false', () =>
    play(function* () {
      const lock = watch(new RWLock({ name: 'config' }));
      yield* lock.read().acquire();
      const error = yield* thrownBy(lock.write().acquire());
      expect(error).toBeInstanceOf(DeadlockError);
      expect((error as Error).message).toMatch(
        /the write side of read-write lock config, but holds its read side itself/,
      );
      expect(lock.write().tryAcquire()).toBe(false);
      expect((yield* select([lock.write().acquire()], { else: 0 })).key).toBe('else');
      expect([lock.waiting, lock.readers]).toEqual([0, 1]);
      lock.read().release();
    }));

  it('S11 refuses to read or write again while one writes', () =>
    play(function* () {
      const lock = watch(new RWLock());
      yield* lock.write().acquire();
      expect(yield* thrownBy(lock.read().acquire())).toMatchObject({ code: 'ERR_DEADLOCK' });
      expect(yield* thrownBy(lock.write().acquire())).toMatchObject({ code: 'ERR_DEADLOCK' });
      expect([lock.read().tryAcquire(), lock.write().tryAcquire(), lock.waiting]).toEqual([false, false, 0]);
      lock.write().release();
    }));

  it('S11 throws a cycle through a writer that waits for the only reader', () =>
    play(function* () {
      const lock = watch(new RWLock({ name: 'config' }));
      yield* lock.read().acquire();
      const writer = spawnWith({ name: 'writer' }, () => lock.write().use(yieldNow()));
      yield* yieldNow();
      const reader = spawnWith({ name: 'reader' }, () => lock.read().use(yieldNow()));
      yield* yieldNow();
      const error = yield* thrownBy(reader.join());
      expect(error).toBeInstanceOf(DeadlockError);
      expect((error as Error).message).toMatch(
        /join on reader.*\n.*reader waits for acquire on the read side .*\n.*writer waits for acquire on the write side .*held by/,
      );
      lock.read().release();
      yield* joinEach([writer, reader]);
    }));

  it('says who holds it to whoever releases what they do not have', () =>
    play(function* () {
      const lock = watch(new RWLock());
      const writer = spawnWith({ name: 'writer' }, () => lock.write().use(sleep(1)));
      yield* yieldNow();
      expect(() => lock.read().release()).toThrow(/writer writes/);
      expect(() => lock.write().release()).toThrow(/writer holds it/);
      yield* writer.get();
      const readers = [1, 2].map(() => spawn(() => lock.read().use(sleep(1))));
      yield* yieldNow();
      expect(() => lock.read().release()).toThrow(/2 others read/);
      yield* joinEach(readers);
    }));
});

describe('RWLock in a select', () => {
  it('takes either side of one lock, and leaves the line when it is killed, whatever was behind', () =>
    play(function* () {
      const lock = watch(new RWLock());
      const log: string[] = [];
      yield* lock.read().acquire();
      const ahead = spawnQuietly(() => lock.write().acquire());
      yield* yieldNow();
      const either = spawnQuietly(() =>
        select({ write: lock.write().acquire(), read: lock.read().acquire() }, { priority: true }),
      );
      yield* yieldNow();
      const behind = taker(lock, 'read', 'behind', log);
      yield* yieldNow();
      ahead.kill(); // the line is now write, read (both of the select), read
      expect([lock.waiting, either.state]).toEqual([3, 'parked']);
      either.kill();
      expect([lock.waiting, lock.readers]).toEqual([0, 2]);
      yield* joinEach([either, behind]);
      lock.read().release();
      expect([log.join(' '), lock.readers]).toEqual(['+behind -behind', 0]);
    }));

  it('does not grant an arm of a wait that is just timing out', () =>
    play(function* () {
      const lock = watch(new RWLock());
      yield* lock.read().acquire();
      const ahead = spawnQuietly(() => lock.write().acquire());
      yield* yieldNow();
      const either = spawn(() =>
        select(
          { write: timeout(5, lock.write().acquire(), { else: 'late' }), read: lock.read().acquire() },
          { priority: true },
        ),
      );
      yield* yieldNow();
      ahead.kill();
      expect(yield* either.get()).toEqual({ key: 'write', value: 'late' });
      expect([lock.waiting, lock.readers]).toEqual([0, 1]);
      lock.read().release();
    }));

  it('stays in order when kills run in a circle through two locks', () =>
    play(function* () {
      const [first, second] = [watch(new RWLock({ name: 'first' })), watch(new RWLock({ name: 'second' }))];
      yield* first.read().acquire();
      yield* second.read().acquire();
      const writers = [first, second].map((lock) => spawnQuietly(() => lock.write().acquire()));
      yield* yieldNow();
      const both = (a: RWLock, b: RWLock) =>
        spawnQuietly(function* () {
          const { key } = yield* select({ a: a.write().acquire(), b: b.read().acquire() }, { priority: true });
          const side = key === 'a' ? a.write() : b.read();
          try {
            yield* sleep(1);
          } finally {
            side.release();
          }
        });
      const all = [both(first, second), both(second, first), both(first, second), both(second, first)];
      yield* yieldNow();
      for (const writer of writers) writer.kill();
      all[0]?.kill();
      yield* sleep(5);
      first.read().release();
      second.read().release();
      yield* joinEach([...writers, ...all]);
      expect([first, second].map((lock) => [lock.waiting, lock.readers, lock.writer])).toEqual([
        [0, 0, undefined],
        [0, 0, undefined],
      ]);
    }));
});

describe('RWLock under load', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('keeps its rules whatever is killed, times out or is selected (seed %s)', (seed) =>
    play(
      function* () {
        const lock = watch(new RWLock());
        let reading = 0;
        let writing = 0;
        const { random } = current().scope.scheduler.driver;
        const pick = (below: number): number => Math.floor(random.call(current().scope.scheduler.driver) * below);
        function* hold(kind: Kind): Op<void> {
          try {
            if (kind === 'read') reading += 1;
            else writing += 1;
            expect([writing, writing === 1 && reading > 0]).toEqual([kind === 'read' ? 0 : 1, false]);
            yield* sleep(pick(3));
          } finally {
            if (kind === 'read') reading -= 1;
            else writing -= 1;
            lock[kind]().release();
          }
        }
        const all = Array.from({ length: 40 }, () =>
          spawnQuietly(function* () {
            for (let i = 0; i < 5; i += 1) {
              const kind = pick(3) === 0 ? 'write' : 'read';
              const how = pick(4);
              if (how === 0) {
                const got = yield* timeout(pick(4), lock[kind]().acquire(), { else: 'late' });
                if (got !== 'late') yield* hold(kind);
              } else if (how === 1) {
                const arms = { read: lock.read().acquire(), write: lock.write().acquire(), tick: sleep(pick(4)) };
                const { key } = yield* select(arms);
                if (key !== 'tick') yield* hold(key);
              } else {
                yield* lock[kind]().acquire();
                yield* hold(kind);
              }
            }
          }),
        );
        for (let i = 0; i < 20; i += 1) {
          yield* sleep(pick(3));
          all[pick(40)]?.kill();
        }
        yield* joinEach(all);
        expect([lock.waiting, lock.readers, lock.writer, reading, writing]).toEqual([0, 0, undefined, 0, 0]);
        for (const one of all) expect(one.outcome?.ok === true || one.killed).toBe(true);
      },
      { seed },
    ),
  );
});
