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

const key = Symbol.for('tendril.patches.owners');
const me = import.meta.url;

type Host = typeof process & { [key]?: WeakMap<object, Ownership> };

function ownerships(): WeakMap<object, Ownership> {
  const host = process as Host;
  if (host[key] === undefined) Object.defineProperty(host, key, { value: new WeakMap(), configurable: true });
  return host[key] as WeakMap<object, Ownership>;
}

/** Note that one more property of `target` is patched by us. @throws PatchConflictError if another copy has patched one of it. */
export function own(target: object, place: string): void {
  const all = ownerships();
  const ownership = all.get(target);
  if (ownership === undefined) all.set(target, { owner: me, places: 1 });
  else if (ownership.owner === me) ownership.places += 1;
  else throw new PatchConflictError(place, ownership.owner);
}

/** One property less. */
export function disown(target: object): void {
  const all = ownerships();
  const ownership = all.get(target);
  if (ownership === undefined) return;
  ownership.places -= 1;
  if (ownership.places === 0) all.delete(target);
}
