// table.ts: what is patched, as a table; and what was there before.
//
// Names are looked up in the list of what is patched, or as own properties of a module: never walked to, so `__proto__` and its like lead nowhere.

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { appliedPatches, type Patch, type PatchName } from './patch.ts';
import { moduleName, moduleObject } from './places.ts';
import { allLayers, type LayerState, slotBelow } from './slot.ts';

/** One property that a patch has replaced. */
export interface PatchedPlace {
  readonly patch: PatchName;
  /** `fs`, `net`, ..., or `globalThis`. */
  readonly module: string;
  /** `readFile`, `Socket.prototype.connect`. */
  readonly name: string;
  readonly state: LayerState;
}

/** What `patched()` tells. */
export interface PatchedTable {
  /** The patches that are applied, oldest first. Each names the CommonJS files that were loaded before it (`loadedBefore`). */
  readonly patches: readonly Patch[];
  /** What they have replaced, and what was left behind by those that were undone under somebody else's. */
  readonly places: readonly PatchedPlace[];
}

/** Tell what is patched at this moment. Never switches. @see https://www.gevent.org/api/gevent.monkey.html */
export function patched(): PatchedTable {
  const places = Array.from(
    allLayers(),
    ({ layer: { patch, place }, state }): PatchedPlace => ({
      patch: patch as PatchName,
      module: place.module,
      name: place.name,
      state,
    }),
  );
  return { patches: appliedPatches(), places };
}

/**
 * Is anything of `module` patched, or `name` in it? Never switches.
 *
 * @param module `fs`, `node:fs`, `globalThis`. @param name as `patched()` lists it: `readFile`, `Socket.prototype.connect`.
 * @throws TypeError if there is no such module.
 */
export function isPatched(module: string, name?: string): boolean {
  requireModule(module, 'isPatched');
  if (name !== undefined) requireName(name, 'isPatched');
  const wanted = moduleName(module);
  for (const { layer, state } of allLayers()) {
    if (state !== 'stranded' && layer.place.module === wanted && (name === undefined || layer.place.name === name))
      return true;
  }
  return false;
}

/**
 * Get what `name` in `module` was before any patch of ours, patched or not. Never switches.
 *
 * @throws TypeError if there is no such module, or it has no such name.
 * @see https://www.gevent.org/api/gevent.monkey.html#gevent.monkey.get_original
 */
export function original(module: string, name: string): unknown {
  const object = requireModule(module, 'original');
  requireName(name, 'original');
  const slot = slotBelow(moduleName(module), name);
  if (slot !== undefined) {
    const { original: before } = slot;
    return before?.get === undefined ? before?.value : before.get.call(slot.place.target);
  }
  if (!Object.hasOwn(object, name))
    throw typeError(`original: ${module} has no '${name}', and no patch has replaced one`);
  return (object as Record<string, unknown>)[name];
}

function requireModule(module: unknown, where: string): object {
  const object = typeof module === 'string' ? moduleObject(module) : undefined;
  if (object === undefined)
    throw typeError(`${where} takes the name of a module of Node, or 'globalThis', not ${nameOf(module)}`);
  return object;
}

function requireName(name: unknown, where: string): void {
  if (typeof name !== 'string')
    throw typeError(`${where} takes the name of a function as a string, not ${nameOf(name)}`);
}
