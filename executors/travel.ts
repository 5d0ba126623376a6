// travel.ts: whether a value can go to a worker, asked where it is submitted: what cannot is refused there, by the path on which it lies.
//
// The engines' own answer comes too late, when a worker takes the task, and says "#<Object> could not be cloned". The rules are those of the structured clone
// algorithm; what is encoded for another machine (executors/nats) has fewer. It also adds up the bytes, roughly, because what is too large fails late and dearly.
//
// Sources: https://developer.mozilla.org/docs/Web/API/Web_Workers_API/Structured_clone_algorithm; Node's postMessage.

import { isAnyArrayBuffer, isExternal, isModuleNamespaceObject, isPromise, isProxy } from 'node:util/types';
import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';

/** What a kind of executor can carry besides data. */
export interface TravelRules {
  /** 'a thread', 'a process', for messages. */
  readonly where: string;
  /** Objects of the host that go through: those marked to be moved, shared memory. `inside`: it is no argument itself, but in one. */
  passes(value: object, inside: boolean): boolean;
  /** Objects that do not, though they look like data: what is to be said of them after "which ", undefined if it is no such object. */
  refuses?(value: object): string | undefined;
  /** Is of a view all its buffer copied? */
  readonly wholeBuffers?: boolean | undefined;
  readonly maxBytes: number;
}

/** What an object costs besides its content, roughly. */
const objectBytes = 16;
/** How deep one may be in others. The host writes deeper ones than it can read again, by the stack that it happens to have: from 1,500 on it fails on some version of Node. */
const deepest = 1_000;

/**
 * Check that `value`, which the caller knows as `path`, can travel in a message that has `before` bytes already. Returns the size of both, roughly.
 *
 * @throws TypeError that names the path of what cannot, or says that it is too large.
 */
export function checkTravels(value: unknown, path: string, rules: TravelRules, before = 0): number {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol'))
    return primitiveBytes(value, path, rules, before);
  const walk = new Walk(rules, before);
  try {
    walk.visit(value, path);
  } catch (error) {
    throw own.has((error as { code?: unknown } | null)?.code) ? error : uncopied(path, error, rules);
  }
  return walk.bytes;
}

const own = new Set<unknown>(['ERR_CANNOT_TRAVEL', 'ERR_MESSAGE_TOO_LARGE']);

class TooDeep extends Error {}

/** A getter that throws, a list of a thousand links. */
function uncopied(path: string, cause: unknown, { where }: TravelRules): TypeError {
  if (cause instanceof TooDeep)
    return typeError(
      `${path} has more than ${deepest} objects one in another, too many for ${where} to read: pass a list of them, or text`,
      'ERR_CANNOT_TRAVEL',
    );
  const why = cause instanceof Error ? cause.message : 'a getter threw';
  return typeError(`${path} cannot be copied to ${where}: ${why}`, 'ERR_CANNOT_TRAVEL', { cause });
}

function primitiveBytes(value: unknown, path: string, rules: TravelRules, before: number): number {
  const bytes = before + (typeof value === 'string' ? 2 * value.length : 8);
  if (bytes > rules.maxBytes) throw tooLarge(path, bytes, rules);
  return bytes;
}

function sizeOf(bytes: number): string {
  if (bytes < 1e4) return `${Math.round(bytes)} bytes`;
  return bytes < 1e7 ? `${Math.round(bytes / 1e3)} kB` : `${Math.round(bytes / 1e6)} MB`;
}

function tooLarge(path: string, bytes: number, rules: TravelRules): TypeError {
  return typeError(
    `${path} brings the message to ${sizeOf(bytes)}, over the limit of ${sizeOf(rules.maxBytes)} (maxBytes): pass a file's name, or parts`,
    'ERR_MESSAGE_TOO_LARGE',
  );
}

class Walk {
  bytes: number;
  readonly #rules: TravelRules;
  readonly #seen: Set<object> = new Set();
  /** How many objects are around the one that is visited. */
  #depth = 0;

  constructor(rules: TravelRules, before: number) {
    this.bytes = before;
    this.#rules = rules;
  }

  visit(value: unknown, path: string): void {
    if (typeof value === 'function' || typeof value === 'symbol') throw this.#refused(value, path);
    if (value === null || typeof value !== 'object') {
      this.bytes = primitiveBytes(value, path, this.#rules, this.bytes);
      return;
    }
    if (this.#seen.has(value)) return;
    if (this.#depth >= deepest) throw new TooDeep();
    this.#seen.add(value);
    this.#add(objectBytes, path);
    if (this.#rules.passes(value, this.#depth > 0)) return;
    if (isProxy(value) || isPromise(value) || isExternal(value) || isModuleNamespaceObject(value))
      throw this.#refused(value, path);
    const why = this.#rules.refuses?.(value);
    if (why !== undefined) throw typeError(`${path} is ${nameOf(value)}, which ${why}`, 'ERR_CANNOT_TRAVEL');
    this.#depth += 1;
    this.#visitContent(value, path);
    this.#depth -= 1;
  }

  #visitContent(value: object, path: string): void {
    if (ArrayBuffer.isView(value)) {
      if (this.#rules.wholeBuffers === true) this.#addBuffer(value.buffer, path);
      else this.#add(value.byteLength, path);
    } else if (isAnyArrayBuffer(value)) this.#add(value.byteLength, path);
    else if (value instanceof Map) this.#visitMap(value, path);
    else if (value instanceof Set) this.#visitSet(value, path);
    else if (opaque(value)) throw this.#refused(value, path);
    else if (!plainly(value)) this.#visitProperties(value, path);
  }

  #add(bytes: number, path: string): void {
    this.bytes += bytes;
    if (this.bytes > this.#rules.maxBytes) throw tooLarge(path, this.bytes, this.#rules);
  }

  #addBuffer(buffer: ArrayBufferLike, path: string): void {
    if (this.#seen.has(buffer)) return;
    this.#seen.add(buffer);
    this.#add(buffer.byteLength, path);
  }

  #visitMap(map: Map<unknown, unknown>, path: string): void {
    for (const [key, item] of map) {
      this.visit(key, `a key of ${path}`);
      this.visit(item, `${path}.get(${shownKey(key)})`);
    }
  }

  #visitSet(set: Set<unknown>, path: string): void {
    for (const item of set) this.visit(item, `a member of ${path}`);
  }

  #visitProperties(value: object, path: string): void {
    if (value instanceof Error) {
      this.visit(value.cause, `${path}.cause`);
      return;
    }
    const list = Array.isArray(value);
    for (const key of Object.keys(value)) {
      const item = (value as Record<string, unknown>)[key];
      if (typeof item === 'number' || typeof item === 'boolean') this.bytes += 8;
      else this.visit(item, list ? `${path}[${key}]` : memberPath(path, key));
    }
  }

  #refused(value: unknown, path: string): TypeError {
    return cannotTravel(value, path, this.#rules.where);
  }
}

/** The error for a value that no executor of this kind can carry. */
export function cannotTravel(value: unknown, path: string, where: string): TypeError {
  return typeError(
    `${path} is ${nameOf(value)}, which cannot travel to ${where}: pass ${insteadOf(value)}`,
    'ERR_CANNOT_TRAVEL',
  );
}

/** Under this an object that cannot travel says, in words, what to pass in its place. */
export const travelsAs: symbol = Symbol.for('tendril.travelsAs');

function insteadOf(value: unknown): string {
  const said =
    typeof value === 'object' ? (value as { readonly [travelsAs]?: unknown } | null)?.[travelsAs] : undefined;
  return typeof said === 'string' ? said : 'data';
}

/** Objects that the algorithm refuses though they look like data. */
function opaque(value: object): boolean {
  if (value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef) return true;
  const kind = Object.prototype.toString.call(value);
  return kind === '[object Generator]' || kind === '[object AsyncGenerator]' || kind.endsWith(' Iterator]');
}

/** Objects that are copied by what they hold, not by their properties. */
function plainly(value: object): boolean {
  return (
    value instanceof Date ||
    value instanceof RegExp ||
    value instanceof Boolean ||
    value instanceof Number ||
    value instanceof String
  );
}

/** Where the member `key` of what lies at `path` lies. */
export function memberPath(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

/** A key of a Map, in a path. */
export function shownKey(key: unknown): string {
  return typeof key === 'string' ? JSON.stringify(key.slice(0, 40)) : typeof key === 'object' ? '...' : String(key);
}
