// composite.ts: an Op that is several waits in a row, as a description that can be started again and again.
//
// A generator object runs once, and a second `yield*` of it gives undefined without a word. So whatever the library returns is made of a generator
// function and its arguments: each start calls the function anew.

import type { Op, Resume, Trap } from './op.ts';
import { created } from './unstarted.ts';

class Composite<A extends readonly unknown[], T> implements Op<T> {
  readonly #body: (...args: A) => Op<T>;
  readonly #args: A;
  constructor(body: (...args: A) => Op<T>, args: A) {
    this.#body = body;
    this.#args = args;
  }

  [Symbol.iterator](): Iterator<Trap, T, Resume> {
    return this.#body(...this.#args)[Symbol.iterator]();
  }
}

/** The Op that runs `body(...args)` at each start. */
export function composite<A extends readonly unknown[], T>(body: (...args: A) => Op<T>, ...args: A): Op<T> {
  return created(new Composite(body, args));
}
