// async-context.ts: makes AsyncLocalStorage follow each greenlet. A greenlet gets the context of
// its spawner (`capture`), every step of it runs in its own context (`step`), and what the step
// left there (enterWith) stays with that greenlet and reaches no other one, nor the run loop.
// Three modes, chosen at load by what this Node does, never by its version:
//   frame     Stores live in an immutable frame kept by V8 (Node 24+; 22 with its flag). The frame's
//             class, found through an AsyncResource, reads and sets the current one: 1 ns each.
//   resource  Stores live on executionAsyncResource() (Node 20, 22; 24+ without the frame). All
//             turns run in one AsyncResource whose "public resource" is a getter of ours, so that
//             switching contexts is one assignment, and "no store was ever touched here" is
//             `current === undefined`: the getter makes a greenlet's context at its first use.
//   scope     Neither was found: one AsyncResource per capture. Right, but slow.
// Invariants: `step`, `enter` and `leave` run inside `turn` only; `enter` is always followed by
// `leave`; one `capture` per greenlet (in "resource" a context is mutable, so never shared); the
// loop itself runs in the empty context, so what it makes (timers, sockets) carries no store.
// Loading enables no async hook and leaves no store behind. Detection rests on undocumented
// shapes, tried out at load (only the presence of `_propagate` is trusted); where one is missing,
// the next mode is used.
// Cost (Node 20.20, 22.23 resource; 24.21, 26.10 frame): a step 1 ns over its bare 10-11 ns, with
// or without a store; capture in a turn without store 2-3 ns resource, 1 ns frame; elsewhere
// 16-20 ns resource, 1 ns frame; capture of a store 14-20 ns resource, 1 ns frame; turn 0.5-20 ns.
// Mode "scope": 30-50 ns a step (24+ without the frame: 70-85).
import { AsyncLocalStorage, AsyncResource, executionAsyncId, executionAsyncResource } from 'node:async_hooks';

/** A captured context, opaque to the kernel; `undefined` is the empty one. */
export type Context = object;

/** What owns a context between its steps: a greenlet. */
export interface ContextHolder {
  context: Context | undefined;
}

export interface AsyncContext {
  readonly mode: 'frame' | 'resource' | 'scope';
  /** The context of the running code, for one new greenlet. */
  capture(): Context | undefined;
  /** fn(arg) in the holder's context; what fn leaves there goes back to the holder. */
  step<A, R>(holder: ContextHolder, fn: (arg: A) => R, arg: A): R;
  /** fn(arg) in a context, from anywhere (inside a turn or not); the caller's is back afterwards. */
  run<A, R>(context: Context | undefined, fn: (arg: A) => R, arg: A): R;
  /** One turn of the run loop: fn(arg) in the empty context; the caller's is back afterwards. */
  turn<A, R>(fn: (arg: A) => R, arg: A): R;
  /** The halves of `step`, for a loop with a catch of its own. Absent in mode "scope". */
  readonly enter?: (context: Context | undefined) => void;
  readonly leave?: () => Context | undefined;
}

// ---- mode "frame"

interface FrameClass {
  current(): Context | undefined;
  set(frame: Context | undefined): void;
}

function findFrameClass(): FrameClass | undefined {
  const storage = new AsyncLocalStorage<object>();
  const store = {};
  const probe = (): FrameClass | undefined => {
    storage.enterWith(store);
    const resource = new AsyncResource('GreenletProbe') as unknown as Record<symbol, unknown>;
    for (const key of Object.getOwnPropertySymbols(resource)) {
      const frame = resource[key];
      if (typeof frame !== 'object' || frame === null) continue;
      const found = frame.constructor as unknown as Partial<FrameClass> | undefined;
      if (typeof found?.current !== 'function' || typeof found.set !== 'function') continue;
      if (found.current() !== frame) continue;
      found.set(undefined);
      if (found.current() !== undefined || storage.getStore() !== undefined) continue;
      found.set(frame);
      if (found.current() === frame && storage.getStore() === store) return found as FrameClass;
    }
    return undefined;
  };
  // In a scope of its own, so that the probe's store stays out of the loader's context.
  return new AsyncResource('GreenletProbe').runInAsyncScope(probe);
}

function frameMode(): AsyncContext | undefined {
  const frames = findFrameClass();
  if (frames === undefined) return undefined;
  const current = (): Context | undefined => frames.current();
  const set = (frame: Context | undefined): void => frames.set(frame);
  return {
    mode: 'frame',
    capture: current,
    step(holder, fn, arg) {
      set(holder.context);
      try {
        return fn(arg);
      } finally {
        holder.context = current();
        set(undefined);
      }
    },
    run(context, fn, arg) {
      const outer = current();
      set(context);
      try {
        return fn(arg);
      } finally {
        set(outer);
      }
    },
    turn(fn, arg) {
      const outer = current();
      set(undefined);
      try {
        return fn(arg);
      } finally {
        set(outer);
      }
    },
    enter: set,
    leave() {
      const context = current();
      set(undefined);
      return context;
    },
  };
}

// ---- mode "resource"

/** The context of a greenlet that had none when a store was first touched in it. */
class LateContext {}

/** The symbol under which Node finds the public resource that stands for an internal one. */
function findPublicResourceKey(): symbol | undefined {
  const probe = new AsyncResource('GreenletProbe');
  const asked: symbol[] = [];
  const get = (target: object, key: string | symbol, receiver: unknown): unknown => {
    if (typeof key === 'symbol') asked.push(key);
    return Reflect.get(target, key, receiver);
  };
  Object.setPrototypeOf(probe, new Proxy(AsyncResource.prototype, { get }));
  probe.runInAsyncScope(() => {
    asked.length = 0;
    executionAsyncResource();
  });
  const stand = {};
  for (const key of new Set(asked)) {
    const resource = new AsyncResource('GreenletProbe');
    Object.defineProperty(resource, key, { value: stand });
    if (resource.runInAsyncScope(executionAsyncResource) === stand) return key;
  }
  return undefined;
}

function resourceMode(): AsyncContext | undefined {
  // `_propagate` is what copies the stores to each new resource. (Trying it out with a store would
  // enable promise hooks for a moment, which V8 does not quite forget.)
  if (!('_propagate' in AsyncLocalStorage.prototype)) return undefined;
  const key = findPublicResourceKey();
  if (key === undefined) return undefined;

  let current: Context | undefined;
  let storesSeen = false;
  const hub = new AsyncResource('GreenletHub', { requireManualDestroy: true });
  const hubId = hub.asyncId();
  Object.defineProperty(hub, key, { get: () => (current ??= new LateContext()) });

  const newResource = (): AsyncResource => new AsyncResource('Greenlet', executionAsyncId());
  /** While any AsyncLocalStorage is enabled, a new resource makes Node look at the current one. */
  const storesEnabled = (): boolean => {
    const outer = current;
    current = undefined;
    hub.runInAsyncScope(newResource);
    const looked = current !== undefined;
    current = outer;
    return looked;
  };
  const within = <A, R>(context: Context | undefined, fn: (arg: A) => R, arg: A): R => {
    const outer = current;
    current = context;
    try {
      return executionAsyncId() === hubId ? fn(arg) : hub.runInAsyncScope(fn, undefined, arg);
    } finally {
      current = outer;
    }
  };
  return {
    mode: 'resource',
    capture() {
      if (executionAsyncId() === hubId) {
        if (current === undefined) return undefined;
      } else if (!storesSeen) {
        storesSeen = storesEnabled();
        if (!storesSeen) return undefined;
      }
      return newResource();
    },
    step(holder, fn, arg) {
      current = holder.context;
      try {
        return fn(arg);
      } finally {
        holder.context = current;
        current = undefined;
      }
    },
    run: within,
    turn: (fn, arg) => within(undefined, fn, arg),
    enter(context) {
      current = context;
    },
    leave() {
      const context = current;
      current = undefined;
      return context;
    },
  };
}

// ---- mode "scope"

/** The mode that needs only what Node documents. Exported for the tests. */
export function scopeMode(): AsyncContext {
  const capture = (): AsyncResource => new AsyncResource('Greenlet');
  const loaded = capture();
  const body = <A, R>(holder: ContextHolder, fn: (arg: A) => R, arg: A): R => {
    try {
      return fn(arg);
    } finally {
      holder.context = capture();
    }
  };
  const scopeOf = (context: Context | undefined): AsyncResource =>
    (context as AsyncResource | undefined) ?? loaded.runInAsyncScope(capture);
  return {
    mode: 'scope',
    capture,
    step: <A, R>(holder: ContextHolder, fn: (arg: A) => R, arg: A): R =>
      scopeOf(holder.context).runInAsyncScope(body<A, R>, undefined, holder, fn, arg),
    run: (context, fn, arg) => scopeOf(context).runInAsyncScope(fn, undefined, arg),
    turn: (fn, arg) => scopeOf(undefined).runInAsyncScope(fn, undefined, arg),
  };
}

/** Detection tries out internals, so a surprise in it means "not this mode", not a failed load. */
function tried(mode: () => AsyncContext | undefined): AsyncContext | undefined {
  try {
    return mode();
  } catch {
    return undefined;
  }
}

export const asyncContext: AsyncContext = tried(resourceMode) ?? tried(frameMode) ?? scopeMode();
