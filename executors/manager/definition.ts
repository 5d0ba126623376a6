// definition.ts: the classes whose objects a manager may hold, by module and name.
//
// What travels to the manager process is the address of the module and the name of the class, never source text: there the module is imported, which registers
// its classes again. The registry is the process's: copies of this library share it, because they have to find each other's definitions.
//
//   export const bank = defineManaged(import.meta.url, { Account, Ledger });
//
// Sources: multiprocessing.managers.BaseManager.register; tasks.ts.

import { typeError } from '../../core/bad-argument.ts';
import { nameOf, type Op, type Waitable } from '../../core/op.ts';

/** A class as it may be given to `defineManaged`. */
export type ManagedClass = abstract new (...args: never[]) => object;
export type ManagedClasses = Readonly<Record<string, ManagedClass>>;

/** The classes of a module. */
export interface ManagedDefinition<C extends ManagedClasses> {
  readonly kind: 'tendril.managed';
  /** The URL of the module. */
  readonly module: string;
  readonly classes: C;
}

/** What a call gives whose method returns `R`. */
export type CallValue<R> = R extends Op<infer T> ? T : Awaited<R>;

/** A proxy of an object of class `T`: each method is a Waitable, whatever it is over there. Fields are not there. */
export type Managed<T> = {
  readonly [K in keyof T as T[K] extends (...args: never[]) => unknown ? Callable<K> : never]: T[K] extends (
    ...args: infer A
  ) => infer R
    ? (...args: A) => Waitable<CallValue<R>>
    : never;
};

type Callable<K> = K extends `_${string}` ? never : K extends string ? K : never;

type Registry = Map<string, Map<string, ManagedClass>>;
const key = Symbol.for('tendril.managed');
const registry: Registry = ((globalThis as { [key]?: Registry })[key] ??= new Map());

/**
 * Define the classes of a module whose objects may live in a manager. Never switches.
 *
 * Call it at the top level of the module and export what it returns. Methods may be generator functions, which run as greenlets in the manager, async functions or
 * plain ones; those whose names begin with `_` cannot be called from outside. A class may say how a result that nobody got is given back:
 * `static readonly undo = { take: 'putBack' }` has `putBack(result, ...args)` called when whoever called `take` was killed while the answer was on its way.
 *
 * @throws TypeError if `url` is no URL of a module, or what is given is no class.
 */
export function defineManaged<const C extends ManagedClasses>(url: string, classes: C): ManagedDefinition<C> {
  if (typeof url !== 'string' || !URL.canParse(url))
    throw typeError(`defineManaged: the first argument is import.meta.url, not ${nameOf(url)}`);
  if (typeof classes !== 'object' || classes === null)
    throw typeError(`defineManaged: the second argument is an object of classes, not ${nameOf(classes)}`);
  const registered = registry.get(url) ?? new Map<string, ManagedClass>();
  for (const [name, made] of Object.entries(classes)) {
    if (typeof made !== 'function' || typeof made.prototype !== 'object')
      throw typeError(`defineManaged: ${name} is ${nameOf(made)}, not a class`);
    if (!/^[\w$]+$/.test(name))
      throw typeError(`defineManaged: '${name}' is no name for a class: letters, digits, _ and $`);
    registered.set(name, made);
  }
  registry.set(url, registered);
  return Object.freeze({ kind: 'tendril.managed', module: url, classes });
}

/** The classes of a module that has been imported. @internal */
export function classesOf(module: string): ReadonlyMap<string, ManagedClass> | undefined {
  return registry.get(module);
}
