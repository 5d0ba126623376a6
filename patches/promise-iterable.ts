// promise-iterable.ts: the types of `tendril/patches/promise`: promises as Ops, for programs that call patchPromise().
//
// Types only; it does not apply the patch. `import type {} from 'tendril/patches/promise'` is how a program says that it wants them.
// TypeScript has no narrower range for an augmentation than the program: it is of the whole program as soon as one file imports this.

import type { Resume, Trap } from '../core/op.ts';

declare global {
  interface Promise<T> {
    /** Wait for this promise in a greenlet: `const rows = yield* pool.query(sql)`. Undefined unless a greenlet is running. */
    [Symbol.iterator](): Iterator<Trap, T, Resume>;
  }
}
