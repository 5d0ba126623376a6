// trees.ts: trees of scopes, timeouts and shields played with real greenlets, against the model of tree-model.ts.
//
// A program is compared by what it told and at what time, and by when it ended.
import {
  current,
  deadline,
  type Greenlet,
  isKilled,
  now,
  type Op,
  type Scope,
  scope,
  shield,
  sleep,
  spawn,
  suppressedErrors,
  TimeoutError,
  timeout,
} from 'tendril/core';
import { expect } from 'vitest';
import { world } from '../../core/world.ts';
import { evaluate } from './tree-model.ts';
import { type Plan, type Program, planOf, type Step } from './tree-programs.ts';

class Failure extends Error {}

/** Plays a program with real greenlets. */
class Real {
  readonly log: string[] = [];
  readonly greenlets = new Map<number, Greenlet<unknown>>();
  readonly #plan: Plan;
  readonly #ids = new WeakMap<object, number>();
  constructor(plan: Plan) {
    this.#plan = plan;
  }

  *named(name: string, steps: readonly Step[], s: Scope | undefined): Op<void> {
    let outcome = 'ok';
    try {
      yield* this.walk(steps, s);
    } catch (error) {
      outcome = this.#name(error);
      throw error;
    } finally {
      this.#tell(`${name}: ${outcome}`);
    }
  }

  *walk(steps: readonly Step[], s: Scope | undefined): Op<void> {
    for (const step of steps) yield* this.#step(step, s);
  }

  *#step(step: Step, s: Scope | undefined): Op<void> {
    const id = this.#plan.get(step)?.id ?? 0;
    switch (step.do) {
      case 'sleep':
        yield* sleep(step.ms);
        return this.#tell(`slept ${id}`);
      case 'fail':
        throw new Failure(`failure ${id}`);
      case 'spawn':
        this.greenlets.set(
          id,
          (s as Scope).spawn(() => this.named(`child ${id}`, step.body, s)),
        );
        return;
      case 'swallow':
        try {
          yield* this.walk(step.body, s);
        } catch (error) {
          this.#tell(`swallowed ${this.#name(error)}`);
        }
        return;
      case 'guard':
        try {
          yield* this.walk(step.body, s);
        } finally {
          yield* shield(Number.POSITIVE_INFINITY, sleep(step.cleanupMs));
          this.#tell(`cleaned ${id}`);
          // biome-ignore lint/correctness/noUnsafeFinally: what is thrown in a cleanup takes the place of what was on its way
          if (step.fails) throw new Failure(`cleanup ${id}`);
        }
        return;
      case 'shield':
        return yield* shield(step.graceMs, this.walk(step.body, s));
      case 'scope':
        return yield* scope((inner) => this.walk(step.body, inner));
      default: {
        const op = step.do === 'limit' ? sleep(step.sleepMs) : this.walk(step.body, s);
        const options = step.otherwise ? { else: 'expired' } : undefined;
        const limited = step.do === 'deadline' ? deadline : timeout;
        const whole = (limited as typeof timeout)(step.ms, op as Op<unknown>, options as { else: string });
        this.#ids.set(whole, id);
        if ((yield* whole) === 'expired') this.#tell(`else ${id}`);
      }
    }
  }

  #tell(text: string): void {
    this.log.push(`${now()} ${text}`);
  }

  #name(error: unknown): string {
    if (isKilled(error)) return 'killed';
    const first = error instanceof TimeoutError ? `timeout ${this.#ids.get(error.timeout)}` : (error as Error).message;
    const later = suppressedErrors(error).map((one) =>
      one instanceof TimeoutError ? `timeout ${this.#ids.get(one.timeout)}` : (one as Error).message,
    );
    return [first, ...later].join(' & ');
  }
}

/** Play `program` both ways, and compare what was told, when, and when it ended. */
export function* playTree(program: Program): Op<void> {
  const { kills } = program;
  const plan = planOf(program);
  const rootMs = kills[0] ?? Number.POSITIVE_INFINITY;
  const model = evaluate(program.body, 0, [{ frame: program, atMs: rootMs }], plan, 'root');

  const real = new Real(plan);
  const root = spawn(() => real.named('root', program.body, undefined));
  root.link(() => {});
  const killers = [...plan.values()].filter(({ killMs }) => killMs !== Number.POSITIVE_INFINITY);
  for (const { id, killMs } of [{ id: 0, killMs: rootMs }, ...killers]) {
    if (killMs === Number.POSITIVE_INFINITY) continue;
    spawn(function* () {
      yield* sleep(killMs);
      (id === 0 ? root : real.greenlets.get(id))?.kill();
    });
  }
  yield* root.join();
  const inTime = (log: readonly string[]): string[] =>
    [...log].sort((a, b) => Number.parseFloat(a) - Number.parseFloat(b) || (a < b ? -1 : 1));
  expect(inTime(real.log)).toEqual(inTime(model.log));
  expect(now()).toBe(model.endMs);
  const { timeouts } = world();
  expect(timeouts.size).toBe(0);
  while (world().greenlets().length > 1) yield* sleep(100);
  expect([world().greenlets(), world().sleepers.size]).toEqual([[current()], 0]);
}
