// select.ts: wait for the first of several Waitables; exactly one of them happens.
//
// Look at all (in random order, so that the choice among ready arms is fair; with `priority`, in the order given); if none can commit,
// enlist on all; when one fires, retract the others at once, before anything else runs.
//
// Only Waitables can be arms: whatever takes several waits could be half done when another arm wins. That is what race() is for.
// Sources: Go's select.go; S8a.

import { Arm, type ArmGroup } from './arm.ts';
import { typeError } from './bad-argument.ts';
import type { Driver } from './driver.ts';
import { UsageError } from './errors.ts';
import type { Greenlet } from './greenlet.ts';
import { readyResult } from './kernel.ts';
import { isOp, nameOf, type Waitable, type WaitDescription } from './op.ts';
import type { Outcome } from './status.ts';
import { created, used } from './unstarted.ts';
import { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';

type MaybeArm = Waitable<unknown> | null;
export type SelectArms = Readonly<Record<string, MaybeArm>> | readonly MaybeArm[];

type ValueOf<W> = W extends Waitable<infer T> ? T : never;

/** What select returns: which arm happened, and its value. */
export type Selected<A extends SelectArms> = A extends readonly MaybeArm[]
  ? { [K in keyof A & `${number}`]: { readonly key: ToNumber<K>; readonly value: ValueOf<A[K]> } }[keyof A &
      `${number}`] extends infer R
    ? [R] extends [never]
      ? { readonly key: number; readonly value: ValueOf<A[number]> }
      : R
    : never
  : { [K in keyof A & string]: { readonly key: K; readonly value: ValueOf<A[K]> } }[keyof A & string];

type ToNumber<K extends string> = K extends `${infer N extends number}` ? N : never;

export interface SelectOptions {
  /** Prefer the first of several ready arms in the order given. */
  readonly priority?: boolean;
}

/** Returned by a select with `else` when no arm could happen at once. */
export interface SelectedElse<E> {
  readonly key: 'else';
  readonly value: E;
}

class Select extends Wait<{ key: string | number; value: unknown }> {
  readonly keys: readonly (string | number)[];
  readonly waits: readonly Wait<unknown>[];
  readonly #priority: boolean;
  readonly #otherwise: { readonly value: unknown } | undefined;
  // A permutation of the indices. Any order is a good start for the next shuffle, so it is never reset and is no state of a start.
  readonly #order: number[];

  constructor(
    keys: readonly (string | number)[],
    waits: readonly Wait<unknown>[],
    priority: boolean,
    otherwise: { value: unknown } | undefined,
  ) {
    super();
    this.keys = keys;
    this.waits = waits;
    this.#priority = priority;
    this.#otherwise = otherwise;
    this.#order = keys.map((_, index) => index);
  }

  look(greenlet: Greenlet): boolean {
    const { waits } = this;
    const order = this.#order;
    const { driver } = greenlet.scope.scheduler;
    for (let i = 0; i < order.length; i += 1) {
      let index = i;
      if (!this.#priority) {
        // One step of a shuffle, made only as far as it is needed.
        const j = i + chooseArm(driver, order.length - i);
        index = order[j] as number;
        order[j] = order[i] as number;
        order[i] = index;
      }
      if ((waits[index] as Wait<unknown>).look(greenlet)) {
        readyResult.value = { key: this.keys[index], value: readyResult.value };
        return true;
      }
    }
    if (this.#otherwise === undefined) return false;
    readyResult.value = { key: 'else', value: this.#otherwise.value };
    return true;
  }

  enlist(waiter: Waiter): void {
    const group = new Selecting(this, waiter);
    waiter.value = group;
    group.enlist();
  }

  retract(waiter: Waiter): void {
    (waiter.value as Selecting).retractAllBut(-1);
  }

  describe(): WaitDescription {
    const arms = this.waits.map((wait) => {
      const { op, object } = wait.describe();
      return object === undefined ? op : `${op} on ${object}`;
    });
    return { op: `select(${arms.join(', ')})` };
  }
}

/** Which of `count` arms is looked at next. */
function chooseArm(driver: Driver, count: number): number {
  return driver.choose === undefined ? Math.floor(driver.random() * count) : driver.choose(count, 'arm');
}

/** The arms of one wait of a select. */
class Selecting implements ArmGroup {
  readonly waiter: Waiter;
  readonly #select: Select;
  readonly #arms: Arm[] = [];
  /** An arm has been fired, or the wait was retracted: user code that an arm's enlist calls can do either. */
  #over = false;

  constructor(select: Select, waiter: Waiter) {
    this.#select = select;
    this.waiter = waiter;
  }

  enlist(): void {
    const { waits } = this.#select;
    for (let i = 0; i < waits.length && !this.#over; i += 1) {
      const arm = new Arm(this, i);
      // Entered before it is enlisted: a kill from within has to retract it too.
      this.#arms.push(arm);
      try {
        (waits[i] as Wait<unknown>).enlist(arm);
      } catch (error) {
        // One that throws is not enlisted.
        this.retractAllBut(i);
        throw error;
      }
    }
  }

  armFired(arm: Arm, value: unknown, outcome: Outcome): void {
    this.retractAllBut(arm.index);
    this.waiter.fire(outcome === 0 ? { key: this.#select.keys[arm.index], value } : value, outcome);
  }

  retractAllBut(winner: number): void {
    this.#over = true;
    for (const arm of this.#arms) {
      if (arm.index !== winner) (this.#select.waits[arm.index] as Wait<unknown>).retract(arm);
    }
    this.#arms.length = 0;
  }
}

/**
 * Wait for the first of several Waitables: exactly one of them happens.
 *
 * Switches only if none can happen at once. Arms are named (`{job: jobs.receive(), tick: sleep(5)}`) or positional; `null` arms are skipped. Of
 * several ready arms a fair choice is made, or with `priority` the first. With `else` it never waits: `{key: 'else', value}` if no arm is ready.
 * If it throws, the others did not happen.
 *
 * @throws TypeError that names the arm if one is no Waitable. @throws UsageError if there is no arm and no `else`.
 * @throws whatever the arm that happens throws, and Killed if the greenlet is killed while it waits.
 * @see https://go.dev/ref/spec#Select_statements
 */
export function select<const A extends SelectArms>(arms: A, options?: SelectOptions): Waitable<Selected<A>>;
export function select<const A extends SelectArms, E>(
  arms: A,
  options: SelectOptions & { readonly else: E },
): Waitable<Selected<A> | SelectedElse<E>>;
export function select(arms: SelectArms, options: SelectOptions & { readonly else?: unknown } = {}): Waitable<never> {
  if (typeof arms !== 'object' || arms === null)
    throw typeError(`select takes an object or an array of Waitables, not ${nameOf(arms)}`);
  const keys: (string | number)[] = [];
  const waits: Wait<unknown>[] = [];
  const positional = Array.isArray(arms);
  for (const [name, arm] of Object.entries(arms) as [string, unknown][]) {
    if (arm === null) continue;
    if (!(arm instanceof Wait)) {
      const hint = isOp(arm)
        ? 'select takes single waits only: use race() for generators and other composite Ops, until() for a promise'
        : 'select takes Waitables';
      throw typeError(`select: arm '${name}' is ${nameOf(arm)}: ${hint}`);
    }
    used(arm);
    keys.push(positional ? Number(name) : name);
    waits.push(arm);
  }
  const otherwise = Object.hasOwn(options, 'else') ? { value: options.else } : undefined;
  if (waits.length === 0 && otherwise === undefined)
    throw new UsageError('select without an arm would wait for ever: give it one, or `else`');
  const op = new Select(keys, waits, options.priority === true, otherwise);
  return created(op) as Wait<unknown> as Waitable<unknown> as Waitable<never>;
}
