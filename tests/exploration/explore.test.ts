// explore.test.ts: what explore, replay and simulate promise: repeatable runs, strategies that reach what they should, and clear refusals.
import {
  Channel,
  call,
  DeadlockError,
  Event,
  now,
  type Op,
  scope,
  select,
  sleep,
  spawn,
  spawnWith,
  timeout,
  until,
  yieldNow,
} from 'tendril';
import {
  ExplorationError,
  explore,
  LeakedGreenletsError,
  LivenessError,
  NondeterminismError,
  replay,
  simulate,
  type World,
} from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { BUGS } from './bugs.ts';

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'it resolved',
    (error: unknown) => error,
  );
}

/** The order in which three greenlets get through three steps each. */
function* threeByThree(): Op<string> {
  let order = '';
  yield* scope(function* (s) {
    for (const name of 'abc') {
      s.spawn(function* () {
        for (let i = 0; i < 3; i += 1) {
          order += name;
          yield* yieldNow();
        }
      });
    }
  });
  return order;
}

function* twoByTwo(): Op<void> {
  const channel = new Channel<number>(4);
  const send = function* () {
    for (let i = 0; i < 2; i += 1) yield* channel.send(i);
  };
  yield* scope(function* (s) {
    s.spawn(send);
    s.spawn(send);
  });
}

describe('one source of choices', () => {
  it('makes the same seed the same run, and other seeds other runs', async () => {
    const orders = new Set<string>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const { value } = await simulate(threeByThree, { seed });
      expect((await simulate(threeByThree, { seed })).value).toBe(value);
      orders.add(value);
    }
    expect(orders.size).toBeGreaterThan(5);
  });

  it('runs the oldest first without a seed', async () => {
    expect((await simulate(threeByThree)).value).toBe('abcabcabc');
  });

  it('gives the same runs on every version of Node', async () => {
    const digests: number[] = [];
    for (const { body } of BUGS.slice(0, 3)) {
      for (let seed = 1; seed <= 3; seed += 1) {
        const failed = await rejection(explore(body, { seed, seeds: 500 }));
        expect(failed).toBeInstanceOf(ExplorationError);
        digests.push((failed as ExplorationError).runs);
      }
    }
    const orders: string[] = [];
    for (let seed = 1; seed <= 5; seed += 1) orders.push((await simulate(threeByThree, { seed })).value);
    expect({ digests, orders }).toMatchInlineSnapshot(`
      {
        "digests": [
          9,
          18,
          21,
          9,
          5,
          14,
          11,
          11,
          6,
        ],
        "orders": [
          "cccababab",
          "aaccbbabc",
          "bcacaabbc",
          "abcbbccaa",
          "abbbaccca",
        ],
      }
    `);
  });

  it('draws what the world is asked from the list, mildest first', async () => {
    const seen = new Set<string>();
    await explore(function* (world) {
      seen.add(`${world.pick(['a', 'b', 'c'])}${world.chance(0.5)}`);
      yield* yieldNow();
    });
    expect([...seen].sort()).toEqual(['afalse', 'atrue', 'bfalse', 'btrue', 'cfalse', 'ctrue']);
    const mildest = await replay('t1.', function* (world) {
      yield* yieldNow();
      return [world.pick(['a', 'b', 'c']), world.chance(0.99), world.choose(9)];
    });
    expect(mildest).toEqual(['a', false, 0]);
  });

  it('decides nothing where there is one possibility', async () => {
    const { choices } = await explore(
      function* (world) {
        world.pick(['only']);
        world.choose(1);
        yield* sleep(5);
        yield* yieldNow();
      },
      { seeds: 10 },
    );
    expect(choices).toBe(0);
  });

  it('respects odds', async () => {
    let faults = 0;
    await explore(
      function* (world) {
        for (let i = 0; i < 100; i += 1) if (world.chance(0.01, 'fault')) faults += 1;
        yield* yieldNow();
      },
      { seeds: 500 },
    );
    expect(faults).toBeGreaterThan(300);
    expect(faults).toBeLessThan(700);
  });

  it('asks the list for the arms of a select', async () => {
    const first = new Set<string>();
    await explore(function* () {
      const a = new Channel<number>(1);
      const b = new Channel<number>(1);
      yield* a.send(1);
      yield* b.send(1);
      first.add((yield* select({ a: a.receive(), b: b.receive() })).key);
    });
    expect([...first].sort()).toEqual(['a', 'b']);
  });
});

describe('strategies', () => {
  it('exhaustive plays every run once, and says so', async () => {
    const seen = new Set<string>();
    const report = await explore(
      function* (world) {
        seen.add(`${world.choose(3)}${world.choose(2)}`);
        yield* yieldNow();
      },
      { schedulers: [{ exhaustive: 0 }] },
    );
    expect(report).toEqual({ runs: 6, distinct: 6, choices: 12, complete: true });
    expect(seen.size).toBe(6);
  });

  it('exhaustive with more preemptions plays more', async () => {
    const runs: number[] = [];
    for (const exhaustive of [0, 1, 2]) {
      const { complete, ...report } = await explore(twoByTwo, { schedulers: [{ exhaustive }], seeds: 100_000 });
      expect(complete).toBe(true);
      runs.push(report.runs);
    }
    expect(runs).toEqual([...runs].sort((a, b) => a - b));
    expect(new Set(runs).size).toBe(3);
  });

  it.each(['random', 'round-robin', { pct: 2 }, { pct: 3 }, { exhaustive: 2 }] as const)(
    '%o finds a lost update',
    async (schedule) => {
      const found = await rejection(explore(BUGS[1]?.body as never, { schedulers: [schedule], seeds: 2000 }));
      expect(found).toBeInstanceOf(ExplorationError);
    },
  );
});

describe('a failure', () => {
  it('has the cause, the line that replays, the lanes and who waits where', async () => {
    const found = (await rejection(
      explore(function* () {
        const door = new Event({ name: 'door' });
        spawnWith({ name: 'guest', daemon: true }, function* () {
          yield* door.wait();
        });
        yield* sleep(1);
        throw new RangeError('the host has left');
      }),
    )) as ExplorationError;
    expect(found.cause).toBeInstanceOf(RangeError);
    expect(found.code).toBe('ERR_EXPLORATION');
    expect(found.runs).toBe(1);
    expect(found.message).toContain("replay('t1.', body)");
    expect(found.message).toMatch(/step +ms +greenlet-1 +guest/);
    expect(found.message).toContain('waits: wait on event door');
    expect(found.message).toMatch(/guest \(greenlet-2\) waits: wait on event door[\s\S]*explore\.test\.ts/);
  });

  it('is a deadlock, an error that nobody looked at, or a greenlet that was left behind', async () => {
    const causes: unknown[] = [];
    const bodies: (() => Op<void>)[] = [
      function* () {
        yield* new Channel<number>().receive();
      },
      function* () {
        spawn(function* () {
          throw new TypeError('nobody looks');
        });
        yield* sleep(1);
      },
      function* () {
        spawn(() => new Channel<number>().receive());
        yield* sleep(1);
      },
    ];
    for (const body of bodies) causes.push(((await rejection(explore(body))) as ExplorationError).cause);
    expect(causes[0]).toBeInstanceOf(DeadlockError);
    expect(causes[1]).toBeInstanceOf(TypeError);
    expect(causes[2]).toBeInstanceOf(LeakedGreenletsError);
    await explore(bodies[2] as () => Op<void>, { leaks: 'ignore', seeds: 10 });
  });

  it('is what always() throws, at that very step', async () => {
    const found = (await rejection(
      explore(function* (world) {
        let balance = 10;
        world.always(() => {
          if (balance < 0) throw new Error(`balance is ${balance}`);
        });
        const take = function* () {
          if (balance < 10) return;
          yield* yieldNow();
          balance -= 10;
        };
        yield* scope(function* (s) {
          s.spawn(take);
          s.spawn(take);
        });
        balance = 0;
      }),
    )) as ExplorationError;
    expect((found.cause as Error).message).toBe('balance is -10');
  });

  it('ends a world that ticks, spins or takes too long', async () => {
    const ticking = function* () {
      for (;;) yield* sleep(1000);
    };
    const late = (await rejection(explore(ticking, { maxMs: 60_000 }))) as ExplorationError;
    expect(late.cause).toBeInstanceOf(LivenessError);
    expect((late.cause as Error).message).toMatch(
      /after 60000 ms 1 greenlets have not finished\n +greenlet-1 waits: sleep/,
    );
    const spinning = function* () {
      for (;;) yield* yieldNow();
    };
    const spun = (await rejection(explore(spinning, { maxSteps: 5000 }))) as ExplorationError;
    expect((spun.cause as Error).message).toMatch(/too many steps: does greenlet-1 spin/);
  });

  it('is liveness that healing did not bring back', async () => {
    const waitForHealth = function* (world: World) {
      while (!world.healed) yield* sleep(100);
    };
    await explore(waitForHealth, { heal: { afterMs: 5000, withinMs: 1000 }, maxMs: 60_000, seeds: 10 });
    const stuck = function* () {
      for (;;) yield* sleep(100);
    };
    const found = (await rejection(explore(stuck, { heal: { afterMs: 5000, withinMs: 1000 } }))) as ExplorationError;
    expect(found.cause).toBeInstanceOf(LivenessError);
    expect((found.cause as Error).message).toMatch(/^1000 ms after everything was healed/);
  });

  it('heals at once where nothing moves any more', async () => {
    const report = await explore(
      function* (world) {
        const healed = new Event();
        world.onHeal(() => healed.set());
        yield* healed.wait();
        if (now() !== 5000) throw new Error(`healed at ${now()} ms`);
      },
      { heal: { afterMs: 5000, withinMs: 1000 }, seeds: 3 },
    );
    expect(report.runs).toBe(3);
  });
});

describe('trust', () => {
  it('notices state that is kept from run to run, and says where it shows', async () => {
    let runs = 0;
    const found = await rejection(
      explore(function* (world) {
        runs += 1;
        for (let i = 0; i < runs % 7; i += 1) world.choose(2);
        yield* yieldNow();
      }),
    );
    expect(found).toBeInstanceOf(NondeterminismError);
    expect((found as NondeterminismError).message).toMatch(/choice \d+ was .* and then /);
  });

  it('notices a clock of its own', async () => {
    let ticks = 0;
    const found = await rejection(
      explore(function* () {
        ticks += 1;
        yield* sleep(ticks);
      }),
    );
    expect(found).toBeInstanceOf(NondeterminismError);
  });

  it('notices a failure that does not come again', async () => {
    let runs = 0;
    const found = await rejection(
      explore(function* () {
        runs += 1;
        yield* yieldNow();
        if (runs === 1) throw new Error('only once');
      }),
    );
    expect(found).toBeInstanceOf(NondeterminismError);
    expect((found as Error).message).toMatch(
      /all choices were the same, but the end was not: Error {2}only once and then no failure/,
    );
  });

  it('lets a body wait for a promise', async () => {
    const { runs } = await explore(
      function* () {
        const value = yield* until(Promise.resolve(7));
        if (value !== 7) throw new Error('lost');
      },
      { seeds: 60 },
    );
    expect(runs).toBe(60);
  });

  it('leaves nothing of a failed world behind', async () => {
    await rejection(
      explore(function* () {
        yield* sleep(1);
        throw new Error('on purpose');
      }),
    );
    expect((await simulate(threeByThree)).value).toBe('abcabcabc');
  });
});

describe('bad input', () => {
  it.each([
    ['no body', () => explore(5 as never), /explore takes a generator function/],
    ['a token that is none', () => replay('nonsense', threeByThree), /not a replay token: nonsense/],
    ['a token that is cut', () => replay('t1.gICA', threeByThree), /damaged/],
    ['seeds', () => explore(threeByThree, { seeds: 0 }), /seeds is a positive whole number/],
    ['a seed', () => explore(threeByThree, { seed: 1.5 }), /seed is a whole number/],
    [
      'no scheduler',
      () => explore(threeByThree, { schedulers: [] }),
      /schedulers? takes a list|schedules takes a list/,
    ],
    ['null as a scheduler', () => explore(threeByThree, { schedulers: [null as never] }), /a schedule is 'random'/],
    ['a depth', () => explore(threeByThree, { schedulers: [{ pct: 0 }] }), /not \{"pct":0\}/],
    ['a scheduler', () => explore(threeByThree, { schedulers: ['fast' as never] }), /a schedule is 'random'/],
    ['null as options', () => explore(threeByThree, null as never), /options must be an object, not null/],
    ['null as options of simulate', () => simulate(threeByThree, null as never), /options must be an object, not null/],
    ['null as options of replay', () => replay('t1.', threeByThree, null as never), /options must be an object/],
    ['an unknown fault', () => explore(threeByThree, { faults: { rest: 1 } as never }), /rest/],
    ['a latency', () => simulate(threeByThree, { net: { latency: 'low' as never } }), /latency/],
    ['half a heal', () => explore(threeByThree, { heal: { afterMs: 1 } as never }), /withinMs is missing/],
    ['a heal that is none', () => simulate(threeByThree, { heal: 5 as never }), /heal is \{afterMs, withinMs\}/],
    ['a limit in steps', () => simulate(threeByThree, { maxSteps: 0 }), /maxSteps is a number >= 1/],
    ['a limit in ms', () => simulate(threeByThree, { maxMs: '5' as never }), /maxMs is a number/],
    ['a limit in turns', () => explore(threeByThree, { maxTurns: Number.NaN }), /maxTurns is a number >= 1/],
    ['shrinks', () => explore(threeByThree, { maxShrinks: -1 }), /maxShrinks is a number >= 0/],
    ['leaks', () => explore(threeByThree, { leaks: 'maybe' as never }), /leaks is 'fail' or 'ignore'/],
    ['a seed of simulate', () => simulate(threeByThree, { seed: 'x' as never }), /seed is a number/],
    ['no body for simulate', () => simulate(undefined as never), /simulate takes a generator function/],
  ])('refuses %s', async (_, act, message) => {
    const error = await rejection(act());
    expect((error as Error).message).toMatch(message);
    expect((error as { code?: string }).code).toMatch(/^ERR_/);
  });

  it('refuses bad questions to the world, at the call', async () => {
    const refused: string[] = [];
    await simulate(function* (world) {
      const asks: (() => unknown)[] = [
        () => world.choose(0),
        () => world.choose(2.5),
        () => world.choose(2, 'x', 2),
        () => world.pick([]),
        () => world.pick('abc' as never),
        () => world.always(undefined as never),
      ];
      for (const ask of asks) {
        try {
          ask();
        } catch (error) {
          refused.push((error as { code: string }).code);
        }
      }
      yield* timeout(1, sleep(0));
    });
    expect(refused).toEqual([
      'ERR_OUT_OF_RANGE',
      'ERR_OUT_OF_RANGE',
      'ERR_OUT_OF_RANGE',
      'ERR_OUT_OF_RANGE',
      'ERR_INVALID_ARG_TYPE',
      'ERR_INVALID_ARG_TYPE',
    ]);
  });
});

describe('the guard', () => {
  it('fails a run that opens a real timer, closes it, and is gone afterwards', async () => {
    let fired = false;
    const found = (await rejection(
      explore(function* () {
        setTimeout(() => {
          fired = true;
        }, 1);
        yield* sleep(1);
      }),
    )) as ExplorationError;
    expect(found.cause).toMatchObject({ code: 'ERR_REAL_HANDLE', type: 'Timeout', greenlet: 'greenlet-1' });
    expect((found.cause as Error).stack).toContain('explore.test.ts');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(fired).toBe(false);
  });

  it('can be told what is allowed, or to stay away', async () => {
    const body = function* () {
      clearTimeout(setTimeout(() => {}, 1));
      yield* sleep(1);
    };
    await explore(body, { seeds: 5, guard: { allow: ['Timeout'] } });
    await explore(body, { seeds: 5, guard: false });
  });
});

describe('the trace', () => {
  it('of a simulation has every step, and what the body notes', async () => {
    const { trace } = await simulate(
      function* (world) {
        world.note('here we go');
        yield* sleep(5);
      },
      { trace: true },
    );
    expect(trace.steps).toEqual([
      { atMs: 0, greenlet: 'greenlet-1', events: ['here we go'] },
      { atMs: 0, greenlet: 'greenlet-1', events: ['waits: sleep(5)'] },
      { atMs: 5, greenlet: 'greenlet-1', events: ['ends'] },
    ]);
    expect((await simulate(() => sleep(1))).trace.steps).toEqual([]);
  });

  it('of a failure shows the last steps, so many lanes, and whatever was thrown', async () => {
    const found = (await rejection(
      explore(function* (world) {
        world.heal();
        world.heal();
        world.note('all is well');
        yield* scope(function* (s) {
          for (let i = 0; i < 8; i += 1) {
            s.spawn(function* () {
              for (let step = 0; step < 10; step += 1) yield* yieldNow();
            });
          }
          yield* call(sleep(1));
        });
        throw 'a word';
      }),
    )) as ExplorationError;
    expect(found.name).toBe('ExplorationError');
    expect(found.cause).toBe('a word');
    expect(found.message).toMatch(/\.\.\. \d+ steps before/);
    expect(found.message).toMatch(/greenlets without a lane: greenlet-\d/);
    expect(found.message).toMatch(/greenlet-\d: /);
    expect(found.message).toContain('fails: a word');
  });
});

describe('explore with a token', () => {
  it('plays that one run, and fails as it did', async () => {
    const lost = BUGS[1] as (typeof BUGS)[number];
    const found = (await rejection(explore(lost.body))) as ExplorationError;
    const again = (await rejection(explore(lost.body, { replay: found.token }))) as ExplorationError;
    expect(again.token).toBe(found.token);
    expect(again.runs).toBe(1);
    expect(await explore(lost.body, { replay: 't1.' })).toMatchObject({ runs: 1, complete: false });
  });
});
