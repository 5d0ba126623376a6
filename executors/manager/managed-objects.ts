// managed-objects.ts: the objects of a manager, by number, and how long they live.
//
// An object lives as long as a client has a reference: whoever made it or attached to it has one for each time, until it is released or the client is gone.
//
// Invariant, between any two steps: an object is in #objects  if and only if  its `references` is more than 0, which is the sum over all sessions.

import type { ManagedClass } from './definition.ts';
import type { ObjectDescription } from './frames.ts';

/** An object of the manager. */
export interface Entry {
  readonly object: object;
  readonly description: ObjectDescription;
  /** By method: the one that takes back a result that nobody got. */
  readonly undo: Readonly<Record<string, string>>;
  references: number;
}

export class ManagedObjects {
  readonly #classes: ReadonlyMap<string, ManagedClass>;
  readonly #objects: Map<number, Entry> = new Map();
  #ids = 0;

  constructor(classes: ReadonlyMap<string, ManagedClass>) {
    this.#classes = classes;
  }

  /** @throws what the class throws; TypeError if there is none of that name. */
  make(name: string, args: readonly unknown[]): Entry {
    const made = this.#classes.get(name) as (new (...args: readonly unknown[]) => object) | undefined;
    if (made === undefined) {
      const known = [...this.#classes.keys()].filter((other) => !other.startsWith('@')).join(', ');
      throw new TypeError(
        `the manager has no class ${name}: give it to defineManaged; it has ${known === '' ? 'none' : known}`,
      );
    }
    const object = new made(...args);
    this.#ids += 1;
    const undo = (made as { readonly undo?: Readonly<Record<string, string>> }).undo ?? {};
    const entry = {
      object,
      description: { object: this.#ids, name, methods: methodsOf(made), undone: Object.keys(undo) },
      undo,
      references: 0,
    };
    this.#objects.set(this.#ids, entry);
    return entry;
  }

  find(id: number): Entry | undefined {
    return this.#objects.get(id);
  }

  /** References to `entry` have gone: the last takes the object with it. */
  release(entry: Entry, references: number): void {
    entry.references -= references;
    if (entry.references > 0) return;
    this.#objects.delete(entry.description.object);
    try {
      (entry.object as Partial<Disposable>)[Symbol.dispose]?.();
    } catch (error) {
      warnOf(error);
    }
  }
}

/** What may be called of a class: methods of its prototypes, none that is called `_...`, and no accessor. */
function methodsOf(made: ManagedClass): string[] {
  const names = new Set<string>();
  for (let prototype = made.prototype as object; prototype !== Object.prototype && prototype !== null; ) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const { value } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
      if (typeof value === 'function' && name !== 'constructor' && !name.startsWith('_')) names.add(name);
    }
    prototype = Object.getPrototypeOf(prototype) as object;
  }
  return [...names];
}

/** Tell of an error that no caller can be given, and that is no reason to take all the other objects away: what it prints goes where the program's goes. */
export function warnOf(error: unknown): void {
  const what = error instanceof Error ? error.stack : String(error);
  process.emitWarning(`a managed object has thrown where no caller can be told: ${what}`, 'ManagedObjectWarning');
}
