// signatures.ts: the types of twins, made from those of @types/node: each overload of Node's function becomes one that returns an Op.
//
// TypeScript has no loop over overloads. Ten are matched at once, from the last one backwards; of a function that has fewer, those in front are matched with
// `unknown` and left out. A type parameter of an overload comes out as what it extends: functions where that would lose something are typed by hand.
//
// Sources of a type: `promise` (what util.promisify gives: `__promisify__` in @types/node, or node:fs/promises), `sync` (the name in ...Sync),
// `callback` (the last parameter is an error-first callback; an overload without one is left out).
// Results: `wait` is a Waitable; `op` an Op, for what is several waits or finishes first; the other two are for functions that take a path or a descriptor.

import type { Op, Waitable } from '../../core/op.ts';

export type From = 'promise' | 'sync' | 'callback';
export type As = 'wait' | 'op' | 'wait on a path' | 'op on a descriptor';

/** The twin of the function type `F`. */
export type Twin<F, Source extends From, Result extends As = 'wait'> = Overloads<Signatures<F>, Source, Result>;

/** The signatures of an overloaded function, as pairs of parameters and result. */
export type Signatures<F> = F extends {
  (...args: infer A0): infer R0;
  (...args: infer A1): infer R1;
  (...args: infer A2): infer R2;
  (...args: infer A3): infer R3;
  (...args: infer A4): infer R4;
  (...args: infer A5): infer R5;
  (...args: infer A6): infer R6;
  (...args: infer A7): infer R7;
  (...args: infer A8): infer R8;
  (...args: infer A9): infer R9;
}
  ? [[A0, R0], [A1, R1], [A2, R2], [A3, R3], [A4, R4], [A5, R5], [A6, R6], [A7, R7], [A8, R8], [A9, R9]]
  : never;

/** The twins of a list of signatures, in the same order: the order in which overloads are tried. */
export type Overloads<S, Source extends From, Result extends As> = S extends readonly [
  readonly [infer A extends readonly unknown[], infer R],
  ...infer Rest,
]
  ? Overload<A, R, Source, Result> & Overloads<Rest, Source, Result>
  : unknown;

type Overload<A extends readonly unknown[], R, Source extends From, Result extends As> = Source extends 'promise'
  ? R extends Promise<infer T>
    ? Returning<A, T, Result>
    : unknown
  : Source extends 'sync'
    ? unknown extends R
      ? unknown
      : Returning<A, R, Result>
    : A extends readonly [...infer P, (error: infer _E, ...values: infer V) => void]
      ? Returning<P, V extends readonly [] ? void : V[0], Result>
      : unknown;

type Returning<A extends readonly unknown[], T, Result extends As> = Result extends 'wait'
  ? (...args: A) => Waitable<T>
  : Result extends 'op'
    ? (...args: A) => Op<T>
    : A extends readonly [infer First, ...infer Rest]
      ? Result extends 'wait on a path'
        ? (path: Exclude<First, number>, ...rest: Rest) => Waitable<T>
        : (descriptor: Extract<First, number>, ...rest: Rest) => Op<T>
      : never;
