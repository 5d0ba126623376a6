// slot.ts: one property that patches have replaced, and what it was.
//
// Several patches may replace the same property: each is a layer over the one below. A layer is taken out wherever it is, and those above are made anew
// over what is left. What somebody else has put over ours is never touched: a layer below it cannot be taken out. It stays, stranded, and passes
// everything on, because its patch is switched off.
//
// Invariant: layers is empty  implies  the property is what it was before us, to the last attribute
// Source: gevent's monkey/_state.py keeps what was saved; the layers are ours.

import { disown, own } from './owners.ts';
import type { Place } from './places.ts';

/** Is the patch applied? There is one for each name of a patch; what the patch put anywhere asks it at each call. */
export interface Switch {
  on: boolean;
}

/** What a patch has put at a place. */
export interface Layer {
  readonly patch: string;
  readonly place: Place;
  readonly switch: Switch;
  /** Undefined: there was no such property. */
  readonly make: (below: PropertyDescriptor | undefined) => PropertyDescriptor;
}

/**
 * `active`: ours is what a program finds there. `overlaid`: somebody else has replaced it since, perhaps by a wrapper of ours. `stranded`: it was undone under
 * such a one, and passes on.
 */
export type LayerState = 'active' | 'overlaid' | 'stranded';

export class Slot {
  readonly place: Place;
  /** What was there before us. */
  readonly original: PropertyDescriptor | undefined;
  readonly layers: Layer[] = [];
  #installed: PropertyDescriptor | undefined;

  constructor(place: Place) {
    this.place = place;
    this.original = Object.getOwnPropertyDescriptor(place.target, place.key);
  }

  /** Is what we put there still there? */
  get onTop(): boolean {
    const now = Object.getOwnPropertyDescriptor(this.place.target, this.place.key);
    const ours = this.#installed;
    if (now === undefined || ours === undefined) return now === ours;
    return now.value === ours.value && now.get === ours.get && now.set === ours.set;
  }

  add(layer: Layer): void {
    this.layers.push(layer);
    this.#install();
  }

  /** Take `layer` out, if nobody has put something over it. */
  remove(layer: Layer): boolean {
    if (!this.onTop) return false;
    this.layers.splice(this.layers.indexOf(layer), 1);
    this.#install();
    return true;
  }

  #install(): void {
    const { target, key } = this.place;
    const top = this.layers.reduce<PropertyDescriptor | undefined>((below, layer) => layer.make(below), this.original);
    this.#installed = top;
    if (top === undefined) Reflect.deleteProperty(target, key);
    else Object.defineProperty(target, key, top);
  }
}

/** The slots of each property, oldest first. There is more than one only if somebody else replaced it between two patches of ours. */
const slots = new Map<object, Map<PropertyKey, Slot[]>>();

function slotsAt({ target, key }: Pick<Place, 'target' | 'key'>): Slot[] {
  return slots.get(target)?.get(key) ?? [];
}

/** Put `layer` at its place. @throws PatchConflictError if another copy of this package owns it: then nothing has changed. */
export function putLayer(layer: Layer): void {
  const { place } = layer;
  // One that was stranded is still there, below somebody else's: switching its patch on is enough.
  if (slotsAt(place).some((slot) => slot.layers.some((other) => same(other, layer)))) return;
  own(place.target, `${place.module}.${place.name}`);
  const byKey = slots.get(place.target) ?? new Map<PropertyKey, Slot[]>();
  slots.set(place.target, byKey);
  const chain = byKey.get(place.key) ?? [];
  byKey.set(place.key, chain);
  let slot = chain.at(-1);
  if (slot === undefined || !slot.onTop) chain.push((slot = new Slot(place)));
  slot.add(layer);
}

const same = (a: Layer, b: Layer): boolean =>
  a.patch === b.patch && a.place.target === b.place.target && a.place.key === b.place.key;

/** Take `layer`, or the one that stands for it, away. False if something else lies over it. */
export function takeLayer(layer: Layer): boolean {
  const { place } = layer;
  const byKey = slots.get(place.target);
  const chain = slotsAt(place);
  const slot = chain.find((candidate) => candidate.layers.some((other) => same(other, layer)));
  const found = slot?.layers.find((other) => same(other, layer));
  if (slot === undefined || found === undefined) return true;
  if (!slot.remove(found)) return false;
  disown(place.target);
  if (slot.layers.length === 0) chain.splice(chain.indexOf(slot), 1);
  if (chain.length === 0) byKey?.delete(place.key);
  if (byKey?.size === 0) slots.delete(place.target);
  return true;
}

/** Every layer there is, oldest first in each place, and whether a program meets it. */
export function* allLayers(): Generator<{ readonly layer: Layer; readonly slot: Slot; readonly state: LayerState }> {
  for (const byKey of slots.values()) {
    for (const chain of byKey.values()) {
      for (const slot of chain) {
        const { onTop } = slot;
        for (const layer of slot.layers) {
          yield { layer, slot, state: layer.switch.on ? (onTop ? 'active' : 'overlaid') : 'stranded' };
        }
      }
    }
  }
}

/** What the property was before any of our patches; undefined if none has replaced it. */
export function slotBelow(module: string, name: string): Slot | undefined {
  for (const { slot } of allLayers()) if (slot.place.module === module && slot.place.name === name) return slot;
  return undefined;
}
