// real-module.ts: a module of Node, and a method of a class in it, as it was before any patch of ours.
//
// A twin may be loaded after patches have been applied; what it calls is Node's own all the same, so that a patch and a twin do not do the same work twice.
// What a twin passes through is another matter: that is whatever the module has at the time, patched or not.

import { isPatched, original } from '../table.ts';

/** A copy of `module`, whose name is `name`, with Node's own functions. It has what is there now; what is added later is not in it. */
export function realModule<M extends object>(name: string, module: M): M {
  const copy = { ...module } as Record<string, unknown>;
  for (const key of Object.keys(copy)) if (isPatched(name, key)) copy[key] = original(name, key);
  return copy as M;
}

/** The method `name` of the class `owner` in `module`, as it was before any patch of ours; undefined if this Node has none. */
export function realMethod(module: string, owner: string, prototype: object, name: string): unknown {
  const path = `${owner}.prototype.${name}`;
  return isPatched(module, path) ? original(module, path) : (prototype as Record<string, unknown>)[name];
}
