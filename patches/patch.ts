// patch.ts: a patch: a named set of replaced properties that can be undone.
//
// Importing a patch changes nothing; applying it does, once: a second call returns the same Patch. Undoing takes its layers out, newest first. Where
// somebody else has put something over ours, theirs is not clobbered: our function stays below it, passes everything on, and a warning says so.
//
// Node's modules show their properties to `import` through bindings of their own, which are brought in line after each change (F114).
//
// Invariant: the switch of a name is on  if and only if  a patch of that name is in `applied`.
// Source: gevent.monkey (patch_all and its parts, saved originals); the undo is ours.

import { createRequire, syncBuiltinESMExports } from 'node:module';
// All of it is loaded, and has taken what it needs of Node, before anything is patched.
import '../io/index.ts';
import { announceDid, announceWill } from './patch-events.ts';
import { type Path, type Place, placeOf } from './places.ts';
import { type Layer, putLayer, type Switch, takeLayer } from './slot.ts';

// Taken at load: patches never reach us.
const { emitWarning } = process;
const loaded = createRequire(import.meta.url).cache;

// biome-ignore lint/suspicious/noExplicitAny: a replaced function may be any
export type AnyFunction = (this: any, ...args: any[]) => any;

/** The names of the patches. */
export const patchNames = [
  'promise',
  'events',
  'timers',
  'net',
  'dns',
  'fs',
  'childProcess',
  'fetch',
  'blocking',
] as const;
export type PatchName = (typeof patchNames)[number];

/** A patch that was applied, or would have been. */
export class Patch {
  readonly name: PatchName;
  /** Why it was not applied, if a listener of `onWillPatch` has vetoed it. */
  readonly vetoed: string | undefined;
  /** The CommonJS files that were loaded before it: what they had saved in variables of their own stays as it was (F115). */
  readonly loadedBefore: readonly string[];
  readonly #layers: Layer[] = [];
  readonly #undoing: (() => void)[] = [];

  /** @internal */
  constructor(name: PatchName, vetoed: string | undefined) {
    this.name = name;
    this.vetoed = vetoed;
    this.loadedBefore = vetoed === undefined ? Object.keys(loaded ?? {}) : [];
  }

  /** Is it applied? */
  get active(): boolean {
    return applied.get(this.name) === this;
  }

  /** Put in place what `define` names. @internal */
  apply(define: (site: PatchSite) => void): void {
    applied.set(this.name, this);
    switchOf(this.name).on = true;
    try {
      define(new Site(this.name, this.#layers, this.#undoing));
    } catch (error) {
      this.#takeOut();
      throw error;
    } finally {
      syncBuiltinESMExports();
    }
  }

  /**
   * Put back what was there before. Never switches; idempotent.
   *
   * What somebody else has replaced since is left as it is, with a warning: our function below theirs passes on from now on. Call it again when they
   * have undone theirs, and ours goes too.
   */
  undo(): void {
    const wasActive = this.active;
    // Applied anew since: what was stranded then belongs to the new one.
    if (!wasActive && applied.has(this.name)) this.#layers.length = 0;
    if (!wasActive && this.#layers.length === 0) return;
    this.#takeOut();
    syncBuiltinESMExports();
    if (this.#layers.length > 0) {
      const places = this.#layers.map(({ place }) => `${place.module}.${place.name}`).join(', ');
      emitWarning(
        `the patch '${this.name}' cannot be undone wholly: something else has replaced ${places} since. Ours passes on; undo theirs, then ours again`,
        { type: 'PatchWarning', code: 'TENDRIL_PATCH_OVERLAID' },
      );
    }
    if (wasActive) announceDid({ patch: this.name, action: 'undo' });
  }

  /** Leaves in #layers what could not be taken out. */
  #takeOut(): void {
    if (this.active) {
      applied.delete(this.name);
      switchOf(this.name).on = false;
    }
    for (const undo of this.#undoing.splice(0).reverse()) undo();
    const stranded = this.#layers
      .splice(0)
      .reverse()
      .filter((layer) => !takeLayer(layer));
    this.#layers.push(...stranded.reverse());
  }

  [Symbol.dispose](): void {
    this.undo();
  }
}

const applied = new Map<PatchName, Patch>();
const switches = new Map<PatchName, Switch>();

function switchOf(name: PatchName): Switch {
  let found = switches.get(name);
  if (found === undefined) switches.set(name, (found = { on: false }));
  return found;
}

/** The patches that are applied, oldest first. */
export function appliedPatches(): Patch[] {
  return [...applied.values()];
}

/**
 * Apply the patch `name`, whose places `define` names; the one that is applied already if it is.
 *
 * @throws PatchConflictError, or what `define` throws: then nothing has changed.
 */
export function applyPatch(name: PatchName, define: (site: PatchSite) => void): Patch {
  const there = applied.get(name);
  if (there !== undefined) return there;
  const patch = new Patch(name, announceWill(name));
  if (patch.vetoed !== undefined) return patch;
  patch.apply(define);
  announceDid({ patch: name, action: 'apply' });
  return patch;
}

/** Where the definition of a patch says what it replaces with what. Places that this version of Node lacks are passed over. */
export interface PatchSite {
  /** Off once the patch is undone: a function of ours that somebody kept, or wrapped, passes on from then on. */
  readonly switch: Switch;
  /**
   * Replace a function. What `make` returns is given the name, the length and every other property of `below`; it passes on to `below` if the switch is off. The
   * same function at several places (`globalThis.setTimeout`, `timers.setTimeout`) is replaced by one and the same.
   */
  replace<F extends AnyFunction>(module: string, path: Path, make: (below: F) => F): void;
  /** Replace a property, whatever it is. */
  define(module: string, path: Path, make: (below: PropertyDescriptor | undefined) => PropertyDescriptor): void;
  /** Have `undo` called when the patch is undone, before its layers are taken out. */
  onUndo(undo: () => void): void;
}

class Site implements PatchSite {
  readonly switch: Switch;
  readonly #name: PatchName;
  readonly #layers: Layer[];
  readonly #undoing: (() => void)[];
  /** What was made over which function. */
  readonly #made = new Map<AnyFunction, AnyFunction>();

  constructor(name: PatchName, layers: Layer[], undoing: (() => void)[]) {
    this.#name = name;
    this.switch = switchOf(name);
    this.#layers = layers;
    this.#undoing = undoing;
  }

  replace<F extends AnyFunction>(module: string, path: Path, make: (below: F) => F): void {
    const place = placeOf(module, path);
    if (place === undefined || typeof valueAt(place) !== 'function') return;
    this.#put(place, (descriptor) => {
      const below = (descriptor?.get === undefined ? descriptor?.value : descriptor.get.call(place.target)) as F;
      let made = this.#made.get(below) as F | undefined;
      if (made === undefined) this.#made.set(below, (made = lookingLike(below, make(below))));
      // An accessor (a lazy global) becomes what it gives until it is restored.
      return {
        value: made,
        enumerable: descriptor?.enumerable ?? true,
        configurable: true,
        writable: descriptor?.writable ?? true,
      };
    });
  }

  define(module: string, path: Path, make: (below: PropertyDescriptor | undefined) => PropertyDescriptor): void {
    const place = placeOf(module, path);
    if (place !== undefined) this.#put(place, make);
  }

  onUndo(undo: () => void): void {
    this.#undoing.push(undo);
  }

  #put(place: Place, make: (below: PropertyDescriptor | undefined) => PropertyDescriptor): void {
    const layer: Layer = { patch: this.#name, place, switch: this.switch, make };
    putLayer(layer);
    this.#layers.push(layer);
  }
}

function valueAt({ target, key }: Place): unknown {
  return (target as Record<PropertyKey, unknown>)[key];
}

/** Give `replacement` every own property of `original` but its prototype: name, length, `util.promisify.custom`, `native`. */
function lookingLike<F extends AnyFunction>(original: F, replacement: F): F {
  const properties: Record<PropertyKey, PropertyDescriptor> = Object.getOwnPropertyDescriptors(original);
  for (const key of Reflect.ownKeys(properties)) {
    if (key !== 'prototype') Object.defineProperty(replacement, key, properties[key as string] as PropertyDescriptor);
  }
  return replacement;
}
