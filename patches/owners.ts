// owners.ts: which copy of this package has patched an object.
//
// Two copies may be loaded: two versions in node_modules, sources beside the compiled package. Each has a kernel of its own, so each believes that no greenlet
// runs while the other's do. So an object (a module, a prototype) has one owner at a time, and the second one is refused.
//
// The list hangs on `process`, which a worker thread has for itself and a vm context shares, exactly as they do the modules of Node.

import { PatchConflictError } from './errors.ts';

interface Ownership {
  readonly owner: string;
  places: number;
}

interface Owners {
  readonly of: WeakMap<object, Ownership>;
  /** Of all copies together. */
  places: number;
}

const key = Symbol.for('tendril.patches.owners');
const me = import.meta.url;
const host = process as typeof process & { [key]?: Owners };

function owners(): Owners {
  if (host[key] === undefined) {
    const none: Owners = { of: new WeakMap(), places: 0 };
    Object.defineProperty(host, key, { value: none, configurable: true });
  }
  return host[key] as Owners;
}

/** Note that one more property of `target` is patched by us. @throws PatchConflictError if another copy has patched one of it. */
export function own(target: object, place: string): void {
  const all = owners();
  const ownership = all.of.get(target);
  if (ownership !== undefined && ownership.owner !== me) throw new PatchConflictError(place, ownership.owner);
  if (ownership === undefined) all.of.set(target, { owner: me, places: 1 });
  else ownership.places += 1;
  all.places += 1;
}

/** One property less. */
export function disown(target: object): void {
  const all = owners();
  const ownership = all.of.get(target) as Ownership;
  ownership.places -= 1;
  all.places -= 1;
  if (ownership.places === 0) all.of.delete(target);
  if (all.places === 0) Reflect.deleteProperty(host, key);
}
