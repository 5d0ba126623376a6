// host-traps.ts: while a simulated world runs, asking the host for the time or for a random number throws.
//
// Both give another answer in each run, so a seed would repeat nothing. Only calls from inside the world are trapped; what the console does to print, and
// everybody else, gets the real answer. A `Date` of a given time is no question to the host and stays allowed.
//
// Invariant: after the function that `trapHost` returns was called, the host is as it was before.

type Traps = (called: string) => Error;

const host = globalThis;

/** Trap the host's clock and random numbers where `inWorld` says so; `trapped` makes the error. Returns what undoes it. */
export function trapHost(inWorld: () => boolean, trapped: Traps): () => void {
  const check = (called: string): void => {
    if (inWorld() && !isPrinting()) throw trapped(called);
  };
  const undo = [
    trapMethod(host.Math, 'random', 'Math.random()', check),
    trapMethod(host.performance, 'now', 'performance.now()', check),
    trapMethod(host.Date, 'now', 'Date.now()', check),
    replace(host, 'Date', trappedDate(host.Date, check)),
  ];
  return () => {
    for (const one of undo.splice(0).reverse()) one();
  };
}

/** Do these frames lead through the console? It may ask for the time. */
function isPrinting(): boolean {
  return /node:internal\/console\//.test(new Error('where').stack ?? '');
}

function trapMethod<K extends string>(
  owner: Record<K, (...args: never[]) => unknown>,
  name: K,
  called: string,
  check: (called: string) => void,
): () => void {
  const real = owner[name];
  return replace(owner, name, function (this: unknown, ...args: never[]): unknown {
    check(called);
    return Reflect.apply(real, this, args);
  });
}

/** `Date`, but `new Date()` and `Date()`, which read the time, are checked first. */
function trappedDate(real: DateConstructor, check: (called: string) => void): DateConstructor {
  const proxy: DateConstructor = new Proxy(real, {
    construct(target, args: unknown[], newTarget): object {
      if (args.length === 0) check('new Date()');
      return Reflect.construct(target, args, newTarget === proxy ? target : newTarget);
    },
    apply(target, self: unknown, args: unknown[]): string {
      check('Date()');
      return Reflect.apply(target as () => string, self, args as []);
    },
  });
  return proxy;
}

/** Put `value` in the place of `owner[name]`; returns what puts back exactly what was there. */
function replace(owner: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  Object.defineProperty(owner, name, {
    configurable: true,
    enumerable: before?.enumerable ?? false,
    writable: true,
    value,
  });
  return () => {
    if (before === undefined) Reflect.deleteProperty(owner, name);
    else Object.defineProperty(owner, name, before);
  };
}
