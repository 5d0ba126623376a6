// group-pool.test.ts: groups and pools: spawn, join, kill, map, imap, apply, resize.
import { current, type Greenlet, Group, noBlock, now, type Op, Pool, run, sleep, spawn, timeout } from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

let running = 0;
let most = 0;
function* work(ms: number) {
  running += 1;
  most = Math.max(most, running);
  try {
    yield* sleep(ms);
    return ms;
  } finally {
    running -= 1;
  }
}
function reset() {
  running = 0;
  most = 0;
}

/** What `op` says it would wait for. */
function* noBlockError(op: Op<unknown>): Op<string> {
  try {
    yield* noBlock(op);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it did not have to wait');
}

describe('Group', () => {
  it('joins and kills its members as one', async () => {
    const { value } = await simulate(function* () {
      const group = new Group();
      const members = [group.spawn(work, 5), group.spawn(work, 10), group.spawn(work, 1000)];
      yield* sleep(7);
      const alive = group.size;
      yield* group.kill('enough');
      yield* group.join();
      return [alive, group.size, members.map(({ killed }) => killed)];
    });
    expect(value).toEqual([2, 0, [false, true, true]]);
  });

  it('maps in the order of the items, and kills the rest when one fails', async () => {
    const { value } = await simulate(function* () {
      const group = new Group();
      const results = yield* group.map(work, [3, 1, 2]);
      try {
        yield* group.map(
          function* (ms) {
            yield* work(ms);
            if (ms === 2) throw new Error('the second');
          },
          [1, 2, 1000],
        );
        return 'no error';
      } catch (error) {
        return [results, (error as Error).message, group.size, running];
      }
    });
    expect(value).toEqual([[3, 1, 2], 'the second', 0, 0]);
  });
});

describe('Pool', () => {
  it('gets the place back of a member that a dying map was still given', async () => {
    const { value } = await simulate(function* () {
      const pool = new Pool(1);
      const fails = function* (): Op<void> {
        yield* sleep(1);
        throw new Error('first');
      };
      const seen: string[] = [];
      try {
        yield* pool.map(fails, [1, 2]); // the first fails as its place goes to the second
      } catch (error) {
        seen.push((error as Error).message);
      }
      yield* pool.join();
      return [seen, pool.freeCount, pool.members()];
    });
    expect(value).toEqual([['first'], 1, []]);
  });

  it('runs no more than its size at once, and lets spawners wait in order', async () => {
    reset();
    const { value, elapsedMs } = await simulate(function* () {
      const pool = new Pool(2);
      for (let i = 0; i < 6; i += 1) yield* pool.spawn(work, 10);
      yield* pool.join();
      return [most, pool.freeCount];
    });
    expect([value, elapsedMs]).toEqual([[2, 2], 30]);
  });

  it('has a twin that never waits', async () => {
    const { value } = await simulate(function* () {
      const pool = new Pool(1);
      const first = pool.trySpawn(work, 1);
      const second = pool.trySpawn(work, 1);
      yield* pool.join();
      return [first?.state, second];
    });
    expect(value).toEqual(['done', undefined]);
  });

  it('loses no place to a spawner that is killed or times out', async () => {
    const { value } = await simulate(function* () {
      const pool = new Pool(1);
      yield* pool.spawn(work, 10);
      const killed = spawn(() => pool.spawn(work, 10));
      yield* sleep(1);
      killed.kill();
      const late = yield* timeout(2, pool.spawn(work, 10), { else: 'no place' });
      yield* pool.join();
      return [late, pool.freeCount];
    });
    expect(value).toEqual(['no place', 1]);
  });

  it('knows its size and its members, and is named in a report', async () => {
    const { value } = await simulate(function* () {
      const [pool, plain] = [new Pool(1, { name: 'workers' }), new Pool(1)];
      const member = yield* pool.spawn(() => sleep(5));
      yield* plain.spawn(() => sleep(5));
      const before = [pool.size, pool.has(member), plain.has(member)];
      const reports = [
        yield* noBlockError(pool.spawn(() => sleep(5))),
        yield* noBlockError(plain.spawn(() => sleep(5))),
      ];
      pool.resize(3);
      yield* member.join();
      return [before, pool.size, pool.has(member), reports.map((text) => text.replace(/ would.*/, ''))];
    });
    expect(value).toEqual([[1, true, false], 3, false, ['spawn on pool workers of 1', 'spawn on a pool of 1']]);
  });

  it('loses no place to a body that is no body', async () => {
    const { value } = await simulate(function* () {
      const pool = new Pool(1);
      try {
        yield* pool.spawn((() => 5) as never);
        return 'no error';
      } catch (error) {
        return [error instanceof TypeError, pool.freeCount];
      }
    });
    expect(value).toEqual([true, 1]);
  });

  it('grows and shrinks while it works', async () => {
    reset();
    const { value } = await simulate(function* () {
      const pool = new Pool(3);
      for (let i = 0; i < 3; i += 1) yield* pool.spawn(work, 10);
      pool.resize(1);
      const free = pool.freeCount;
      const later = spawn(function* () {
        for (let i = 0; i < 3; i += 1) yield* pool.spawn(work, 10);
      });
      yield* sleep(15);
      const narrow = running;
      pool.resize(2);
      yield* sleep(1);
      const wide = running;
      yield* later.join();
      yield* pool.join();
      return [free, narrow, wide, pool.freeCount];
    });
    expect(value).toEqual([0, 1, 2, 2]);
  });

  it('runs apply in place inside itself, so that a full pool does not wait for itself', async () => {
    const { value } = await simulate(function* () {
      const pool = new Pool(1);
      return yield* pool.apply(function* () {
        return yield* pool.apply(work, 1);
      });
    });
    expect(value).toBe(1);
  });

  it('kills what apply and map have in work when the caller is killed', async () => {
    reset();
    await simulate(function* () {
      const pool = new Pool(4);
      const callers = [spawn(() => pool.apply(work, 1000)), spawn(() => pool.map(work, [1000, 1000]))];
      yield* sleep(1);
      expect(running).toBe(3);
      for (const caller of callers) caller.kill();
      for (const caller of callers) yield* caller.join();
      expect(running).toBe(0);
    });
  });

  it('refuses a size that is none', () => {
    for (const size of [0, -1, 1.5, Number.NaN, '2']) expect(() => new Pool(size as number)).toThrow(RangeError);
    expect(() => new Pool(1).resize(0)).toThrow(RangeError);
  });
});

describe.each(['imap', 'imapUnordered'] as const)('%s', (method) => {
  it('gives every result, in its order', async () => {
    const { value } = await simulate(function* () {
      const results = new Pool(3)[method](work, [3, 1, 2]);
      const seen: number[] = [];
      for (let step = yield* results.next(); !step.done; step = yield* results.next()) seen.push(step.value);
      return seen;
    });
    expect(value).toEqual(method === 'imap' ? [3, 1, 2] : [1, 2, 3]);
  });

  it('works ahead no further than it is told', async () => {
    reset();
    let made = 0;
    const { value } = await simulate(function* () {
      const items = (function* () {
        for (; made < 100; made += 1) yield 1;
      })();
      const results = new Group()[method](work, items, { lookAhead: 4 });
      yield* results.next();
      yield* sleep(50);
      const ahead = made;
      results.close();
      return [ahead, most];
    });
    // One is taken, four are finished and wait, and the next item has been asked for.
    expect(value).toEqual([5, 4]);
  });

  it('throws the error of an item in its place, and goes on behind it', async () => {
    const { value } = await simulate(function* () {
      const results = new Pool(1)[method](
        function* (ms: number) {
          yield* sleep(1);
          if (ms === 2) throw new Error('the second');
          return ms;
        },
        [1, 2, 3],
      );
      const seen: unknown[] = [];
      for (;;) {
        try {
          const step = yield* results.next();
          if (step.done) return seen;
          seen.push(step.value);
        } catch (error) {
          seen.push((error as Error).message);
        }
      }
    });
    expect(value).toEqual([1, 'the second', 3]);
  });

  it('stops its children when it is closed, and when the greenlet that asked for it ends', async () => {
    reset();
    await simulate(function* () {
      const pool = new Pool(2);
      const closed = pool[method](work, [1000, 1000]);
      yield* sleep(1);
      expect(running).toBe(2);
      closed.close();
      yield* sleep(1);
      expect(running).toBe(0);
      const owner = spawn(function* () {
        yield* pool[method](work, [1000]).next();
      });
      yield* sleep(1);
      expect(running).toBe(1);
      owner.kill();
      yield* owner.join();
      yield* sleep(1);
      expect(running).toBe(0);
      expect(pool.freeCount).toBe(2);
    });
  });

  it('loses no result to a killed waiter', async () => {
    const { value } = await simulate(function* () {
      const results = new Pool(1)[method](work, [5]);
      const waiter = spawn(() => results.next());
      yield* sleep(1);
      waiter.kill();
      yield* waiter.join();
      return yield* results.next();
    });
    expect(value).toEqual({ done: false, value: 5 });
  });

  it('throws what the items throw, as the last result', async () => {
    await expect(
      run(function* () {
        const results = new Group()[method](
          work,
          (function* () {
            yield 1;
            throw new Error('no more items');
          })(),
        );
        expect(yield* results.next()).toEqual({ done: false, value: 1 });
        yield* results.next();
      }),
    ).rejects.toThrow('no more items');
  });

  it('gives a waiter the end when the items run out while it waits', async () => {
    const { value } = await simulate(function* () {
      const slow = function* (): Generator<number> {};
      const results = new Group()[method](work, slow());
      return yield* results.next();
    });
    expect(value).toEqual({ done: true, value: undefined });
  });

  it('throws ClosedError to who waits when it is closed, and to who asks later', async () => {
    const { value } = await simulate(function* () {
      const results = new Pool(1)[method](work, [1000]);
      const waiter = spawn(() => results.next());
      yield* sleep(1);
      results.close();
      results.close();
      const codes: unknown[] = [];
      for (const op of [waiter.get(), results.next()]) {
        try {
          yield* op;
        } catch (error) {
          codes.push((error as { code: string }).code, (error as Error).message);
        }
      }
      return codes;
    });
    expect(value).toEqual(['ERR_CLOSED', 'imap was closed while next() waited', 'ERR_CLOSED', 'imap is closed']);
  });

  it('begins nothing once it is closed, also if a place was given to it just before', async () => {
    const begun: number[] = [];
    const { value } = await simulate(function* () {
      const pool = new Pool(1);
      pool.trySpawn(() => sleep(5));
      const results = pool[method](
        function* (item: number) {
          begun.push(item);
          yield* sleep(1000);
        },
        [1, 2],
      );
      yield* sleep(1);
      pool.resize(2);
      results.close();
      yield* sleep(1);
      yield* pool.join();
      return [begun, pool.freeCount, now()];
    });
    expect(value).toEqual([[], 2, 5]);
  });

  it('throws the very thing that an item threw, also if that is undefined', async () => {
    const { value } = await simulate(function* () {
      const results = new Group()[method](
        function* () {
          throw undefined;
        },
        [1],
      );
      try {
        yield* results.next();
        return 'no error';
      } catch (error) {
        return [error];
      }
    });
    expect(value).toEqual([undefined]);
  });

  it('can be asked for in ordinary code, and is named in a report', async () => {
    const results = new Group()[method](work, [1]);
    expect(await run(() => results.next())).toMatchObject({ done: false });
    expect(await run(() => results.next())).toMatchObject({ done: true });
    const { value } = await simulate(function* () {
      const stuck = new Pool(1)[method](work, [1000]);
      return yield* noBlockError(stuck.next());
    });
    expect(value).toMatch(/^next on imap would have to wait/);
  });

  it('leaves nothing on the greenlet that called, when it was drained or closed', async () => {
    const { value } = await simulate(function* () {
      const me = current() as Greenlet;
      const drained = new Group()[method](work, [1, 2]);
      const closed = new Group()[method](work, [1, 2]);
      const before = me.side?.enders?.length;
      while ((yield* drained.next()).done !== true);
      const between = me.side?.enders?.length;
      closed.close();
      return [before, between, me.side?.enders?.length];
    });
    expect(value).toEqual([2, 1, 0]);
  });

  it('checks its arguments at the call', () => {
    for (const lookAhead of [0, 1.5, Number.NaN])
      expect(() => new Group()[method](work, [], { lookAhead })).toThrow(RangeError);
    expect(() => new Group()[method](5 as never, [])).toThrow(TypeError);
    expect(() => new Group()[method](work, 5 as never)).toThrow(/iterable/);
  });
});
