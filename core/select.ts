// select.ts: wait for the first of several Waitables; exactly one of them happens.
//
// Look at all (in random order, so that the choice among ready arms is fair; with `priority`, in the order given); if none can commit,
// enlist on all; when one fires, retract the others at once, before anything else runs.
//
// Only Waitables can be arms: whatever takes several waits could be half done when another arm wins. That is what race() is for.
// Sources: Go's select.go; S8a.

import { Arm, type ArmGroup } from './arm.ts';
import { typeError } from './bad-argument.ts';
import { UsageError } from './errors.ts';
import { endingWait, waitEnded } from './giving-up.ts';
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

/** Numbers of the shuffle are below this: those of a linear congruential generator (Numerical Recipes, ranqd1). */
const BITS = 2 ** 32;

class Select extends Wait<{ key: string | number; value: unknown }> {
  readonly keys: readonly (string | number)[];
  readonly waits: readonly Wait<unknown>[];
  readonly #priority: boolean;
  readonly #otherwise: { readonly value: unknown } | undefined;
  /** Arms that wait for nobody: a select that is made once and waited for again and again makes them once. */
  idle: Selecting | undefined = undefined;
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
    let bits = this.#priority || driver.choose !== undefined ? 0 : Math.floor(driver.random() * BITS);
    for (let i = 0; i < order.length; i += 1) {
      let index = i;
      if (!this.#priority) {
        // One step of a shuffle, made only as far as it is needed. The host is asked for one number; the next ones come from it.
        const left = order.length - i;
        const j = i + (driver.choose === undefined ? Math.floor((bits / BITS) * left) : driver.choose(left, 'arm'));
        bits = (Math.imul(bits, 1664525) + 1013904223) >>> 0;
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
    const group = this.idle ?? new Selecting(this);
    this.idle = undefined;
    waiter.value = group;
    group.enlist(waiter);
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

/** The arms of one wait of a select, and after that of another. */
class Selecting implements ArmGroup {
  readonly #select: Select;
  readonly #arms: readonly Arm[];
  #waiter: Waiter | undefined = undefined;
  /** So many arms, from the first on, are enlisted. None: an arm has been fired, or the wait was retracted; user code that an arm's enlist calls can do either. */
  #enlisted = 0;

  constructor(select: Select) {
    this.#select = select;
    this.#arms = select.waits.map((_, index) => new Arm(this, index));
  }

  get waiter(): Waiter {
    return this.#waiter as Waiter;
  }

  enlist(waiter: Waiter): void {
    this.#waiter = waiter;
    const { waits } = this.#select;
    const arms = this.#arms;
    for (let i = 0; i < waits.length && this.#enlisted === i; i += 1) {
      // Entered before it is enlisted: a kill from within has to retract it too.
      this.#enlisted = i + 1;
      try {
        (waits[i] as Wait<unknown>).enlist(arms[i] as Arm);
      } catch (error) {
        // One that throws is not enlisted.
        this.retractAllBut(i);
        throw error;
      }
    }
  }

  armFired(arm: Arm, value: unknown, outcome: Outcome): void {
    const { waiter } = this;
    endingWait();
    try {
      this.retractAllBut(arm.index);
      waiter.fire(outcome === 0 ? { key: this.#select.keys[arm.index], value } : value, outcome);
    } finally {
      waitEnded();
    }
  }

  /** The wait is over: from here on the arms are nobody's, and hold nothing. */
  retractAllBut(winner: number): void {
    const { waits } = this.#select;
    const enlisted = this.#enlisted;
    this.#enlisted = 0;
    for (let i = 0; i < enlisted; i += 1) {
      const arm = this.#arms[i] as Arm;
      if (i !== winner) (waits[i] as Wait<unknown>).retract(arm);
      arm.value = undefined;
    }
    this.#waiter = undefined;
    this.#select.idle = this;
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
