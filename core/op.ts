// op.ts: what `yield*` accepts, and the seam between an operation and the scheduler.
//
// An Op is inert until `yield*` starts it. A Waitable is one indivisible wait: it either commits or did not happen,
// which is why it, and only it, can be an arm of `select`. A generator object is an Op too, but runs once.
//
// This file is types, plus what one can ask of a value at run time. What a start does is in leaf.ts.
// Sources: Effection's Operation (the typing of `yield*`), curio's traps (one seam), Go's select (look, enlist, retract).

import type { Greenlet } from './greenlet.ts';
import type { Waiter } from './wait-list.ts';

declare const trapBrand: unique symbol;

/** What a greenlet hands to the scheduler when it parks. Opaque: only our own Ops make one. */
export interface Trap {
  readonly [trapBrand]: true;
}

/** What the scheduler hands back. It is `any` because one leaf serves Ops of every result type. */
// biome-ignore lint/suspicious/noExplicitAny: the resume type of an iterator is the one place where `any` is sound here
export type Resume = any;

/**
 * An operation that a greenlet can wait for with `yield*`.
 *
 * It has not started when you get it. Ops of this library are reusable descriptions; a generator object runs once.
 */
export interface Op<T> {
  [Symbol.iterator](): Iterator<Trap, T, Resume>;
}

/** What a wait is for, for reports: `{op: 'receive', object: 'channel jobs', holder: greenlet}`. */
export interface WaitDescription {
  readonly op: string;
  readonly object?: string;
  readonly holder?: Greenlet | undefined;
}

/**
 * One indivisible wait. `select`, `wait` and `iwait` take these and nothing else.
 *
 * The primitives of this library make them; the four methods are the protocol between a primitive and whoever waits for it.
 */
export interface Waitable<T> extends Op<T> {
  /** Try to commit now for `greenlet`. On true the value is in the shared ready result. May throw: then nothing happened. */
  look(greenlet: Greenlet): boolean;
  /** Queue `waiter`. Exactly one `waiter.fire` or one `retract` follows. */
  enlist(waiter: Waiter): void;
  /** Take `waiter` out again, in O(1). It will not be fired. */
  retract(waiter: Waiter): void;
  /** Say what is waited for. */
  describe(): WaitDescription;
  /** Phantom: carries `T`, so that a union of Waitables can be told apart. @internal */
  readonly resultType?: T;
}

/** A greenlet's body: called once at spawn, and what it returns is run. Usually a generator function. */
export type Body<A extends readonly unknown[], T> = (...args: A) => Op<T>;

/** The result type of an Op. */
export type ResultOf<O> = O extends Op<infer T> ? T : never;

/** Can `value` be given to `yield*`? Built-in collections and strings are iterable but are no Ops. */
export function isOp(value: unknown): value is Op<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  if (typeof (value as Partial<Op<unknown>>)[Symbol.iterator] !== 'function') return false;
  return !(Array.isArray(value) || value instanceof Map || value instanceof Set || ArrayBuffer.isView(value));
}

/** Say what `value` is, for an error message. */
export function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (typeof value === 'function')
    return `${FUNCTION_KINDS.get(kind) ?? 'a function'}${value.name === '' ? '' : ` '${value.name}'`}`;
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value !== 'object') return `the ${typeof value} ${String(value)}`;
  const wait = value as Partial<Waitable<unknown>>;
  if (typeof wait.look === 'function' && typeof wait.describe === 'function') return `the Op ${wait.describe().op}`;
  if (typeof (value as { then?: unknown }).then === 'function') return 'a promise';
  if (Array.isArray(value)) return 'an array';
  if (kind === 'Generator') return 'a generator';
  const maker: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof maker === 'string' && maker !== '' && maker !== 'Object' ? `a ${maker}` : `an object (${kind})`;
}

const FUNCTION_KINDS: ReadonlyMap<string, string> = new Map([
  ['AsyncFunction', 'an async function'],
  ['GeneratorFunction', 'a generator function'],
  ['AsyncGeneratorFunction', 'an async generator function'],
]);
