// kill-table.test.ts: the table at the end of the semantics, as tests: what kill() and throw() do in each state, for every kind of wait.
//
// A cell is one row of waitables.ts in one state under one of the two acts. `it did not happen` means that nothing can be seen of it.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  current,
  type Greenlet,
  isKilled,
  Killed,
  type Op,
  scope,
  select,
  shield,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  type Waitable,
  yieldNow,
} from 'tendril/core';
import { afterAll, describe, expect, it } from 'vitest';
import { kernel } from '../../core/kernel.ts';
import { thrownBy } from '../thrown-by.ts';
import { type Case, type Row, rows, withoutRow } from './waitables.ts';
import { now, play, spawnQuietly } from './world.ts';

let cells = 0;
afterAll(() => {
  const reasons = Object.entries(rows).flatMap(([name, { without = {} }]) =>
    Object.entries(without).map(([state, reason]) => `\n  no cell: ${name}, ${state}: ${reason}`),
  );
  console.log(`kill table: ${cells} cells over ${Object.keys(rows).length} kinds of wait${reasons.join('')}`);
});

const thrown = new Error('thrown in');

/** One of the two columns of the table. */
interface Act {
  readonly name: 'kill' | 'throw';
  on(victim: Greenlet<unknown>): void;
  /** Is `error` what the act throws in the victim? */
  matches(error: unknown): boolean;
}

const acts: readonly Act[] = [
  {
    name: 'kill',
    on: (victim) => void expect(victim.kill('the reason')).toBe(true),
    matches: (error) => error instanceof Killed && error.reason === 'the reason',
  },
  { name: 'throw', on: (victim) => victim.throw(thrown), matches: (error) => error === thrown },
];

type Outcome = { value: unknown } | { error: unknown };

function* outcomeOf(op: Op<unknown>): Op<Outcome> {
  try {
    return { value: yield* op };
  } catch (error) {
    return { error };
  }
}

/** A victim that starts the wait of `made` and writes down what came of it, and what its next blocking Op did. */
class Victim {
  ran = false;
  outcome: Outcome | undefined;
  next: Outcome | undefined;
  readonly greenlet: Greenlet<unknown>;
  constructor(made: Case, around: (wait: Op<unknown>) => Op<unknown> = (wait) => wait, prelude?: () => void) {
    const self = this;
    this.greenlet = spawnQuietly(function* () {
      self.ran = true;
      prelude?.();
      self.outcome = yield* outcomeOf(around(made.wait));
      if ('value' in self.outcome) made.undo?.();
      self.next = yield* outcomeOf(sleep(0));
    });
  }
}

function expectCommitted(made: Case, outcome: Outcome | undefined): void {
  if (made.error !== undefined) expect(outcome).toEqual({ error: made.error });
  else if (made.value !== undefined) expect(outcome).toEqual({ value: made.value });
  else expect(outcome).toHaveProperty('value');
}

function expectThrown(act: Act, outcome: Outcome | undefined): void {
  expect(outcome).toHaveProperty('error');
  expect(act.matches((outcome as { error: unknown }).error)).toBe(true);
}

type Cell = (made: Case, act: Act) => Op<void>;

const GRACE = 'in a shield whose grace is over';
const ARM = 'ready with a committed wake of a select arm';

const states: Readonly<Record<string, Cell>> = {
  *'new: the body never runs, joiners see it'(made, act) {
    const before = made.look();
    const victim = new Victim(made);
    const joiner = spawn(() => outcomeOf(victim.greenlet.get()));
    act.on(victim.greenlet);
    expect([victim.greenlet.state, made.look()]).toEqual(['done', before]);
    const outcome = yield* joiner.get();
    if (act.name === 'kill')
      expect(outcome).toMatchObject({ error: { code: 'ERR_GREENLET_KILLED', reason: 'the reason' } });
    else expect(outcome).toEqual({ error: thrown });
    yield* yieldNow();
    expect(victim.ran).toBe(false);
  },

  *'new, in a scope: its count drops'(made, act) {
    const before = made.look();
    const outcome = yield* outcomeOf(
      scope(function* (s) {
        const child = s.spawn(function* () {
          yield* made.wait;
        });
        act.on(child);
        expect(s.size).toBe(0);
      }),
    );
    expect('error' in outcome).toBe(act.name === 'throw');
    expect(made.look()).toEqual(before);
  },

  *'running: a flag only; the next blocking point throws'(made, act) {
    const before = made.look();
    let wentOn = false;
    const victim = new Victim(made, undefined, () => {
      act.on(current());
      wentOn = true;
    });
    yield* victim.greenlet.join();
    expect(wentOn).toBe(true);
    expectThrown(act, victim.outcome);
    expect(made.look()).toEqual(before);
  },

  *'running, and the wait could complete at once: it throws all the same'(made, act) {
    if (made.neverReady !== true) made.offer(undefined);
    const before = made.look();
    const victim = new Victim(made, undefined, () => act.on(current()));
    yield* victim.greenlet.join();
    expectThrown(act, victim.outcome);
    expect(made.look()).toEqual(before);
  },

  *'parked: retracted and queued at the call, throws when it runs'(made, act) {
    const before = made.look();
    const victim = new Victim(made);
    yield* yieldNow();
    expect(victim.greenlet.state).toBe('parked');
    act.on(victim.greenlet);
    expect([victim.greenlet.state, made.look(), victim.outcome]).toEqual(['ready', before, undefined]);
    made.offer(undefined); // goes to nobody
    yield* victim.greenlet.join();
    expectThrown(act, victim.outcome);
  },

  *'parked as an arm of a select: all arms are retracted'(made, act) {
    const before = made.look();
    const victim = new Victim(made, (wait) => select([sleep(1e9), wait as Waitable<unknown>]));
    yield* yieldNow();
    expect(victim.greenlet.state).toBe('parked');
    act.on(victim.greenlet);
    expect(made.look()).toEqual(before);
    yield* victim.greenlet.join();
    expectThrown(act, victim.outcome);
  },

  *'parked under a timeout and a frame'(made, act) {
    const before = made.look();
    const victim = new Victim(made, (wait) => timeout(1e9, shieldless(timeout(1e8, wait as Waitable<unknown>))));
    yield* yieldNow();
    act.on(victim.greenlet);
    expect(made.look()).toEqual(before);
    yield* victim.greenlet.join();
    expectThrown(act, victim.outcome);
  },

  *'ready with a committed wake: the Op returns its value, the next one throws'(made, act) {
    const victim = new Victim(made);
    yield* yieldNow();
    made.offer(victim.greenlet);
    expect(victim.greenlet.state).toBe('ready');
    act.on(victim.greenlet);
    yield* victim.greenlet.join();
    expectCommitted(made, victim.outcome);
    expectThrown(act, victim.next);
  },

  *[ARM](made, act) {
    const victim = new Victim(made, (wait) =>
      select([sleep(1e9), wait as Waitable<unknown>, sleep(1e9)], { priority: true }),
    );
    yield* yieldNow();
    made.offer(victim.greenlet);
    act.on(victim.greenlet);
    yield* victim.greenlet.join();
    if (made.error !== undefined) expect(victim.outcome).toEqual({ error: made.error });
    else expect(victim.outcome).toMatchObject({ value: { key: 1 } });
    expectThrown(act, victim.next);
  },

  *'ready because the budget was spent: it did not happen'(made, act) {
    if (made.neverReady !== true) made.offer(undefined);
    const before = made.look();
    const victim = new Victim(made, undefined, () => {
      kernel.budget = 0;
    });
    yield* yieldNow();
    expect(victim.greenlet.state).toBe('ready');
    act.on(victim.greenlet);
    yield* victim.greenlet.join();
    expectThrown(act, victim.outcome);
    expect(made.look()).toEqual(before);
  },

  *'in a shield: a kill does nothing until the shield ends, an error is thrown at once'(made, act) {
    const before = made.look();
    const victim = new Victim(made, (wait) => shield(wait));
    yield* yieldNow();
    act.on(victim.greenlet);
    if (act.name === 'throw') {
      expect(made.look()).toEqual(before);
      yield* victim.greenlet.join();
      expectThrown(act, victim.outcome);
      return;
    }
    yield* yieldNow();
    expect(victim.greenlet.state).toBe('parked');
    made.offer(victim.greenlet);
    yield* victim.greenlet.join();
    expectCommitted(made, victim.outcome);
    expectThrown(act, victim.next);
  },

  *[GRACE](made, act) {
    const before = made.look();
    const startMs = now();
    const victim = new Victim(made, (wait) => shield(10, wait));
    yield* yieldNow();
    act.on(victim.greenlet);
    yield* sleep(9);
    expect(victim.greenlet.state).toBe('parked');
    yield* victim.greenlet.join();
    expect(now() - startMs).toBe(10);
    expectThrown(act, victim.outcome);
    expect(made.look()).toEqual(before);
  },

  *'in finally, already killed: throws again, the first reason is kept, the kill wins'(made, act) {
    if (made.neverReady !== true) made.offer(undefined);
    const before = made.look();
    const seen: unknown[] = [];
    const victim = spawnQuietly(function* () {
      try {
        yield* sleep(1e9);
      } finally {
        if (act.name === 'kill') expect(current().kill('another reason')).toBe(false);
        else current().throw(thrown);
        seen.push(yield* thrownBy(made.wait));
      }
    });
    yield* yieldNow();
    victim.kill('first');
    act.name === 'kill' ? expect(victim.kill('second')).toBe(false) : victim.throw(thrown);
    yield* victim.join();
    expect([isKilled(seen[0]), (seen[0] as Killed).reason, made.look()]).toEqual([true, 'first', before]);
    expect(victim.outcome).toMatchObject({ ok: false, killed: true, error: { reason: 'first' } });
  },

  *'done: a no-op'(made, act) {
    const victim = new Victim(made);
    yield* yieldNow();
    made.offer(victim.greenlet);
    yield* victim.greenlet.join();
    const outcome = victim.greenlet.outcome;
    if (act.name === 'kill') expect(victim.greenlet.kill()).toBe(false);
    else victim.greenlet.throw(thrown);
    yield* yieldNow();
    expect([victim.greenlet.outcome, victim.greenlet.killed]).toEqual([outcome, false]);
    expectCommitted(made, victim.outcome);
  },
};

function* shieldless(op: Op<unknown>): Op<unknown> {
  return yield* op;
}

/** The states that `row` has under `act`. */
function cellsOf(row: Row, act: Act): [string, Cell][] {
  return Object.entries(states).filter(([state]) => {
    if (state === GRACE) return act.name === 'kill' && row.without?.grace === undefined;
    return state !== ARM || row.without?.arm === undefined;
  });
}

describe.each(Object.entries(rows))('Kill and throw by state: %s', (_name, row) => {
  describe.each(acts)('$name', (act) => {
    it.each(cellsOf(row, act))('%s', (_state, cell) =>
      play(function* () {
        const made = yield* row.make();
        yield* cell(made, act);
        made.finish?.();
        cells += 1;
      }),
    );
  });

  it('times out: it did not happen', () =>
    play(function* () {
      const made = yield* row.make();
      const before = made.look();
      if (row.without?.timeout === undefined) {
        for (const op of [timeout(5, made.wait as Waitable<unknown>), timeout(5, shieldless(made.wait))]) {
          const waiting = spawn(() => thrownBy(op));
          expect(yield* waiting.get()).toBeInstanceOf(TimeoutError);
        }
      }
      expect(yield* timeout(0, made.wait as Waitable<unknown>, { else: 'expired' })).toBe('expired');
      expect(made.look()).toEqual(before);
      made.finish?.();
      cells += 1;
    }));
});

describe.each([
  ['yieldNow', () => yieldNow()],
  ['sleep(0)', () => sleep(0)],
  ['sleep(-1)', () => sleep(-1)],
])('Kill and throw by state: ready after %s', (_name, wait) => {
  it.each(acts)('$name: throws at that point, it did not happen', (act) =>
    play(function* () {
      const made: Case = { wait: wait(), offer: () => {}, look: () => 0 };
      const victim = new Victim(made);
      yield* yieldNow();
      expect(victim.greenlet.state).toBe('ready');
      act.on(victim.greenlet);
      yield* victim.greenlet.join();
      expectThrown(act, victim.outcome);
      cells += 1;
    }),
  );
});

describe('F95: the registry of waits', () => {
  it('has a row, or a reason to have none, for every class of core/ that extends Wait', () => {
    const folder = fileURLToPath(new URL('../../core/', import.meta.url));
    const bases = new Map<string, string>();
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
      const text = readFileSync(folder + file, 'utf8');
      for (const [, name, base] of text.matchAll(/class (\w+)(?:<[^{]*?>)? extends (\w+)/g))
        bases.set(name as string, base as string);
    }
    const isWait = (name: string | undefined): boolean =>
      name !== undefined && (name === 'Wait' || isWait(bases.get(name)));
    const waits = [...bases.keys()].filter(isWait);
    const covered = new Set(Object.values(rows).flatMap(({ covers }) => covers));
    expect(waits.length).toBeGreaterThan(10);
    expect(waits.filter((name) => !covered.has(name) && withoutRow[name] === undefined)).toEqual([]);
  });
});
