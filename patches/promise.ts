// promise.ts: patchPromise: any promise becomes an Op: `const rows = yield* pool.query(sql)`.
//
// `Promise.prototype[Symbol.iterator]` is an accessor that is undefined unless a greenlet is running. Code outside greenlets that asks whether a promise is
// iterable (Duplex.from, React, deep equality) sees no change; `Symbol.iterator in promise` is true for everybody, which nothing known to us asks.
//
// The wait is until(): a kill ends it at once, the promise itself goes on, and its late result is dropped (S6). What resumes the iterator and is not the scheduler
// (spread, for..of, a second `next()`) is refused as with any other Op.

import { typeError } from '../core/bad-argument.ts';
import { kernel } from '../core/kernel.ts';
import type { Resume, Trap } from '../core/op.ts';
import { DONE } from '../core/status.ts';
import { until } from '../io/until.ts';
import { type AnyFunction, applyPatch, type Patch, type PatchSite } from './patch.ts';

function iterator<T>(this: Promise<T>): Iterator<Trap, T, Resume> {
  return until(this)[Symbol.iterator]();
}

/**
 * Make promises Ops: `yield* promise` waits for it as `yield* until(promise)` does. Never switches. Idempotent; `undo()` restores the prototype.
 *
 * It is not part of patchAll(). For the types, once in a program: `import type {} from 'tendril/patches/promise'`.
 *
 * @throws PatchConflictError if another copy of tendril has patched Promise.prototype.
 * @see https://tc39.es/ecma262/#sec-getiterator
 */
export function patchPromise(): Patch {
  return applyPatch('promise', (site) => {
    site.define('globalThis', ['Promise', 'prototype', Symbol.iterator], () => ({
      get: () => (site.switch.on && (kernel.current.status & DONE) === 0 ? iterator : undefined),
      // Who gives a promise, or a class of promises, an iterator of its own may go on doing so: a property without a setter would refuse.
      set(value: unknown) {
        Object.defineProperty(this, Symbol.iterator, { value, enumerable: true, configurable: true, writable: true });
      },
      enumerable: false,
      configurable: true,
    }));
    for (const name of ['writeFile', 'appendFile'])
      site.replace('fs/promises', name, (below) => refusingPromises(below, site, name));
  });
}

/**
 * Node asks whether the data is iterable in the call, where a greenlet runs, and again when the file is open and empty, where none does: a promise would leave an empty
 * file, and no error.
 */
function refusingPromises(below: AnyFunction, site: PatchSite, name: string): AnyFunction {
  return function (this: unknown, ...args: unknown[]): unknown {
    if (!(args[1] instanceof Promise) || !site.switch.on) return below.apply(this, args);
    return Promise.reject(
      typeError(`fs.promises.${name}: the data is a promise: wait for it first, with yield* or await`),
    );
  };
}
