// gather.ts: several Ops at once, each in a child greenlet of one scope: all of them, or the first, or the first that succeeds.
//
// Being scopes, they leave nothing behind: whoever is not needed any more is killed and awaited before the result is returned.
// `race` drops the result of a loser that had already happened; to lose nothing, use select.
// Sources: Promise.all and its siblings (names), trio's nurseries (what happens to the rest).

import { AsyncResult } from './async-result.ts';
import { typeError } from './bad-argument.ts';
import { isGenerator, requireOp } from './body.ts';
import { failureOf } from './end.ts';
import { OpReusedError, rethrowKilled, UsageError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import type { Op, Resume, Trap } from './op.ts';
import { type Scope, scope } from './scope.ts';
import { current } from './spawn.ts';
import { created, used } from './unstarted.ts';

type Results<O extends readonly Op<unknown>[]> = { -readonly [K in keyof O]: O[K] extends Op<infer T> ? T : never };

class Gather<T> implements Op<T> {
  readonly #ops: readonly Op<unknown>[];
  readonly #body: (s: Scope, ops: readonly Op<unknown>[]) => Op<T>;
  readonly #name: string;
  #started = false;
  constructor(name: string, ops: readonly Op<unknown>[], body: (s: Scope, ops: readonly Op<unknown>[]) => Op<T>) {
    this.#ops = ops;
    this.#body = body;
    this.#name = name;
  }

  [Symbol.iterator](): Iterator<Trap, T, Resume> {
    if (this.#started && this.#ops.some(isGenerator)) throw new OpReusedError(this.#name);
    this.#started = true;
    return scope((s) => this.#body(s, this.#ops))[Symbol.iterator]();
  }
}

function* runAll(s: Scope, ops: readonly Op<unknown>[]): Op<unknown[]> {
  const children: Greenlet[] = ops.map((op) => s.spawn(() => op));
  const results: unknown[] = [];
  for (const child of children) results.push(yield* child.get());
  return results;
}

function* runRace(s: Scope, ops: readonly Op<unknown>[]): Op<unknown> {
  const first = new AsyncResult<unknown>({ name: 'race' });
  for (const op of ops) {
    const child = s.spawn(raceOne, op, first);
    // A child can be killed from outside: that is an end like any other, or the race would wait for ever.
    child.onEnd(() => {
      if (child.killed && !first.ready) first.setError(failureOf(child));
    });
  }
  const winner = yield* first.get();
  s.killChildren('another one won the race');
  return winner;
}

function* raceOne(op: Op<unknown>, first: AsyncResult<unknown>): Op<void> {
  try {
    const value = yield* op;
    if (!first.ready) first.set(value);
  } catch (error) {
    // A loser that failed before it was killed had happened, and is dropped like one that returned. One that fails while it cleans up is an error.
    if (!first.ready || current().killed) throw error;
  }
}

function* runAny(s: Scope, ops: readonly Op<unknown>[]): Op<unknown> {
  const first = new AsyncResult<{ value: unknown } | undefined>({ name: 'any' });
  const errors: unknown[] = [];
  let left = ops.length;
  const attempt = function* (op: Op<unknown>, index: number): Op<void> {
    const outcome = yield* settle(op);
    left -= 1;
    if (outcome.status === 'rejected') errors[index] = outcome.reason;
    if (first.ready) return;
    if (outcome.status === 'fulfilled') first.set({ value: outcome.value });
    else if (left === 0) first.set(undefined);
  };
  ops.forEach((op, index) => {
    const child: Greenlet = s.spawn(attempt, op, index);
    child.onEnd(() => {
      if (child.outcome?.ok !== false || first.ready) return;
      errors[index] = failureOf(child); // killed from outside
      left -= 1;
      if (left === 0) first.set(undefined);
    });
  });
  const winner = yield* first.get();
  s.killChildren('another one succeeded');
  if (winner === undefined) throw new AggregateError(errors, `all ${ops.length} Ops given to any() failed`);
  return winner.value;
}

function* runAllSettled(s: Scope, ops: readonly Op<unknown>[]): Op<PromiseSettledResult<unknown>[]> {
  const children = ops.map((op) => s.spawn(settle, op));
  const results: PromiseSettledResult<unknown>[] = [];
  for (const child of children) {
    yield* child.join();
    const { outcome } = child;
    if (outcome?.ok === true) results.push(outcome.value);
    else results.push({ status: 'rejected', reason: outcome?.error }); // killed from outside
  }
  return results;
}

/** How `op` ends, as a value. A kill is no outcome: it goes on. */
function* settle(op: Op<unknown>): Op<PromiseSettledResult<unknown>> {
  try {
    return { status: 'fulfilled', value: yield* op };
  } catch (reason) {
    rethrowKilled(reason);
    return { status: 'rejected', reason };
  }
}

function requireOps(ops: unknown, taker: string): readonly Op<unknown>[] {
  if (!Array.isArray(ops)) throw typeError(`${taker} takes an array of Ops`);
  ops.forEach((op, index) => {
    requireOp(op, `${taker}: element ${index}: ${taker}`);
    used(op);
  });
  return [...ops];
}

/**
 * Run all `ops` at once and return their results in the order given.
 *
 * Switches. If one fails, the others are killed and awaited, and its error is thrown.
 *
 * @throws the first error in time. @throws TypeError if an element is no Op. @throws Killed if the greenlet is killed: so are all children.
 */
export function all<const O extends readonly Op<unknown>[]>(ops: O): Op<Results<O>> {
  return created(new Gather('all', requireOps(ops, 'all'), runAll)) as unknown as Op<Results<O>>;
}

/**
 * Run all `ops` at once and return, or throw, what the first of them does; the others are killed and awaited.
 *
 * Switches. A loser that happened in the same moment is dropped: if its effect matters, use select.
 *
 * @throws UsageError if there are no ops. Otherwise as `all`.
 */
export function race<const O extends readonly Op<unknown>[]>(ops: O): Op<Results<O>[number]> {
  const list = requireOps(ops, 'race');
  if (list.length === 0) throw new UsageError('race of no Ops would wait for ever');
  return created(new Gather('race', list, runRace)) as unknown as Op<Results<O>[number]>;
}

/**
 * Run all `ops` at once and return the result of the first that succeeds; the others are killed and awaited.
 *
 * Switches. @throws AggregateError with the errors in the order of `ops` if all fail. @throws UsageError if there are no ops.
 */
export function any<const O extends readonly Op<unknown>[]>(ops: O): Op<Results<O>[number]> {
  const list = requireOps(ops, 'any');
  if (list.length === 0) throw new UsageError('any of no Ops would wait for ever');
  return created(new Gather('any', list, runAny)) as unknown as Op<Results<O>[number]>;
}

/** What `allSettled` returns for each of its Ops. */
export type Settled<O extends readonly Op<unknown>[]> = {
  -readonly [K in keyof O]: O[K] extends Op<infer T> ? PromiseSettledResult<T> : never;
};

/**
 * Run all `ops` at once and return how each of them ended, in the order given.
 *
 * Switches. @throws TypeError if an element is no Op. @throws Killed if the greenlet is killed: so are all children.
 */
export function allSettled<const O extends readonly Op<unknown>[]>(ops: O): Op<Settled<O>> {
  return created(new Gather('allSettled', requireOps(ops, 'allSettled'), runAllSettled)) as unknown as Op<Settled<O>>;
}
