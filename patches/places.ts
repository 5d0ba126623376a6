// places.ts: what a patch replaces, by name: a module of Node (or the globals) and a path in it.
//
// `fs` and `readFile`; `net` and `Socket.prototype.connect`; `globalThis` and `Promise.prototype[Symbol.iterator]`. Only our own patches name
// paths: what a user asks for by name is looked up in the list of what is patched, never walked to.

import { InternalError } from '../core/errors.ts';

export type Path = string | readonly PropertyKey[];

export interface Place {
  /** `fs`, `net`, ..., or `globalThis`. */
  readonly module: string;
  /** `readFile`, `Socket.prototype.connect`. */
  readonly name: string;
  readonly target: object;
  readonly key: PropertyKey;
}

/** A module's name as we list it: without `node:`. */
export function moduleName(name: string): string {
  return name.startsWith('node:') ? name.slice('node:'.length) : name;
}

/** The object that a module's name stands for; undefined if this Node has no such module. */
export function moduleObject(name: string): object | undefined {
  return name === 'globalThis' ? globalThis : process.getBuiltinModule(`node:${moduleName(name)}`);
}

/** `Socket.prototype.connect`, `Promise.prototype[Symbol.iterator]`. */
export function pathName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'symbol') return `${text}[${part.description ?? 'symbol'}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** Where `path` leads in `module`. Undefined if this version of Node lacks it. */
export function placeOf(module: string, path: Path): Place | undefined {
  const parts = typeof path === 'string' ? path.split('.') : path;
  const key = parts.at(-1);
  if (key === undefined) throw new InternalError('a place without a path');
  let target: unknown = moduleObject(module);
  for (const part of parts.slice(0, -1)) target = (target as Record<PropertyKey, unknown> | undefined)?.[part];
  if ((typeof target !== 'object' && typeof target !== 'function') || target === null) return undefined;
  return { module: moduleName(module), name: pathName(parts), target, key };
}
