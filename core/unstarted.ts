// unstarted.ts: in development mode, find Ops that were created and never started: nearly always a forgotten `yield*`.
//
// Every function that makes an Op passes it through `created`. Unless a watch is installed that is one comparison. The watch takes the stack
// of the creation and reports it when the Op is collected, or the program ends, without having been started or handed to a wrapper.
//
// An Op that is shared (a channel's receive) is made anew for each call while a watch is installed, so that each call is told apart.

import { kernel } from './kernel.ts';

/** Told of each Op's creation and first use. */
export interface OpWatch {
  created(op: object): void;
  used(op: object): void;
}

/** Pass on `op`, which has just been made for a user. */
export function created<O extends object>(op: O): O {
  if (kernel.watch !== undefined) kernel.watch.created(op);
  return op;
}

/** An Op that is the same for every call, unless calls have to be told apart. */
export function createdOrShared<O extends object>(shared: O, make: () => O): O {
  if (kernel.watch === undefined) return shared;
  const op = make();
  kernel.watch.created(op);
  return op;
}

/** Pass on `op`, which has just been made for a user around `inner`. */
export function createdAround<T extends object>(op: T, inner: object): T {
  if (kernel.watch !== undefined) {
    kernel.watch.used(inner);
    kernel.watch.created(op);
  }
  return op;
}

/** `op` has become part of another Op. */
export function used(op: object): void {
  if (kernel.watch !== undefined) kernel.watch.used(op);
}

interface Creation {
  readonly site: Error;
  started: boolean;
}

/** A watch that reports through `warn`. */
export class UnstartedWatch implements OpWatch {
  readonly #warn: (warning: Error) => void;
  readonly #creations: WeakMap<object, Creation> = new WeakMap();
  readonly #pending: Set<Creation> = new Set();
  readonly #collected: FinalizationRegistry<Creation> = new FinalizationRegistry((creation) => this.#report(creation));

  constructor(warn: (warning: Error) => void) {
    this.#warn = warn;
  }

  created(op: object): void {
    if (this.#creations.has(op)) return;
    const creation: Creation = {
      site: new Error('an Op was created here and never started: is a `yield*` missing?'),
      started: false,
    };
    creation.site.name = 'UnstartedOpWarning';
    this.#creations.set(op, creation);
    this.#pending.add(creation);
    this.#collected.register(op, creation, op);
    const start = (op as Iterable<unknown>)[Symbol.iterator];
    Object.defineProperty(op, Symbol.iterator, {
      configurable: true,
      value: (): Iterator<unknown> => {
        this.used(op);
        return start.call(op);
      },
    });
  }

  used(op: object): void {
    const creation = this.#creations.get(op);
    if (creation === undefined || creation.started) return;
    creation.started = true;
    this.#pending.delete(creation);
    this.#collected.unregister(op);
  }

  /** Report everything that has not been started by now: the program ends. */
  flush(): void {
    for (const creation of [...this.#pending]) this.#report(creation);
  }

  #report(creation: Creation): void {
    if (!this.#pending.delete(creation)) return;
    this.#warn(creation.site);
  }
}
