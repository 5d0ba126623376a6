// fetch-dispatcher.ts: dispatchers of undici over others: one that knows when its exchanges are over, and one that aborts them with their greenlet.
//
// They are proxies: whoever asks the dispatcher for anything else has the real one. The handler of an exchange is either of undici's old kind (onConnect, onComplete, onError)
// or of its new one (onRequestStart, onResponseEnd, onResponseError), by the version of who made it; each keeps the members it has, and no others, for undici tells
// the kinds apart by them.
//
// Source: undici's docs/api/Dispatcher.md; lib/handler/wrap-handler.js for how it tells the kinds apart.

import { kernel } from '../core/kernel.ts';
import { runningGreenlet } from './ownership.ts';
import { Following } from './ownership-calls.ts';
import { openerOf } from './ownership-opener.ts';
import type { Switch } from './slot.ts';

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Handler = Readonly<Record<PropertyKey, unknown>>;

interface DispatcherLike {
  dispatch(options: unknown, handler: Handler): boolean;
}

/** What of a handler is overheard. */
interface Watch {
  /** It begins; `abort(error)` ends it. */
  began?(abort: (error: Error) => void): void;
  answered?(status: number): void;
  ended(): void;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** A handler that does as `handler`, and tells `watch`. */
function overheard(handler: Handler, watch: Watch): Handler {
  const told = (name: PropertyKey, args: readonly unknown[]): void => {
    if (name === 'onConnect') watch.began?.(args[0] as (error: Error) => void);
    else if (name === 'onRequestStart') {
      const controller = args[0] as { abort(error: Error): void };
      watch.began?.((error) => controller.abort(error));
    } else if (name === 'onHeaders') watch.answered?.(args[0] as number);
    else if (name === 'onResponseStart') watch.answered?.(args[1] as number);
    else if (ends.has(name)) watch.ended();
  };
  return new Proxy(handler, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        told(name, args);
        return (value as Method).apply(target, args);
      };
    },
  });
}

/** After an upgrade the connection is its receiver's. */
const ends: ReadonlySet<PropertyKey> = new Set([
  'onComplete',
  'onError',
  'onUpgrade',
  'onResponseEnd',
  'onResponseError',
  'onRequestUpgrade',
]);

/** What dispatches through `this.dispatch`, and so through ours. */
const dispatching: ReadonlySet<PropertyKey> = new Set([
  'request',
  'stream',
  'pipeline',
  'connect',
  'upgrade',
  'compose',
]);

/** `under`, with another dispatch. Undefined if `under` is no dispatcher. */
function dispatcherOver<D>(
  under: D,
  dispatch: (below: DispatcherLike, options: unknown, handler: Handler) => boolean,
): D | undefined {
  if (!isObject(under) || typeof (under as Partial<DispatcherLike>).dispatch !== 'function') return undefined;
  const ours = (options: unknown, handler: Handler): boolean =>
    dispatch(under as unknown as DispatcherLike, options, handler);
  return new Proxy(under, {
    get(target, name) {
      if (name === 'dispatch') return ours;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' && name !== 'constructor' && !dispatching.has(name)
        ? value.bind(target)
        : value;
    },
  });
}

/** The ends of calls whose response is gone. */
const unread = new FinalizationRegistry((over: () => void) => over());

/** Those of the call of fetch that is being made. */
let dispatched: Exchanges | undefined;

/** The exchanges of one call of fetch: one, and one more for each redirect. */
export class Exchanges {
  #running = 0;
  #answered = false;
  /** An exchange has begun, or may begin, of which nothing is heard. */
  #unheard = false;
  readonly #over: () => void;

  constructor(over: () => void) {
    this.#over = over;
  }

  watch(handler: Handler): Handler {
    this.#running += 1;
    let running = true;
    const ended = (): void => {
      if (running) this.#running -= 1;
      running = false;
      this.#settle();
    };
    return overheard(handler, { ended });
  }

  /** As `watch`, for a dispatcher that has only the first of them. */
  watchFirst(handler: Handler): Handler {
    const answered = (status: number): void => {
      this.#unheard ||= status >= 300 && status < 400;
    };
    return overheard(this.watch(handler), { ended() {}, answered });
  }

  /** Do `call`, which dispatches the first of them to the global dispatcher, if to any. */
  during<T>(call: () => T): T {
    const outer = dispatched;
    dispatched = this;
    try {
      return call();
    } finally {
      dispatched = outer;
    }
  }

  /** There is a response: no further redirect comes. Of a body that is not heard of it is known only when nobody can read it any more. */
  answered(response: unknown): void {
    this.#answered = true;
    if (this.#unheard && isObject(response)) unread.register(response, this.#over);
    this.#settle();
  }

  #settle(): void {
    if (this.#answered && this.#running === 0 && !this.#unheard) this.#over();
  }
}

/** A dispatcher over `under` whose handlers go through `watch`; undefined if `under` is no dispatcher. */
export function boundDispatcher<D>(under: D, watch: (handler: Handler) => Handler): D | undefined {
  return dispatcherOver(under, (below, options, handler) => below.dispatch(options, watch(handler)));
}

const UNDICI = /^node:internal\/deps\/undici\//;
const UNDICI_PACKAGE = /[\\/]node_modules[\\/]undici[\\/]/;

/** A dispatcher over `under` that aborts what a greenlet's own code dispatches, when that is cancelled. */
export function greenletDispatcher<D>(under: D, patch: Switch): D {
  const dispatch = (below: DispatcherLike, options: unknown, handler: Handler): boolean => {
    if (kernel.current === kernel.nobody || !patch.on) return below.dispatch(options, handler);
    if (dispatched !== undefined) return below.dispatch(options, dispatched.watchFirst(handler));
    const me = runningGreenlet();
    if (me === undefined || openerOf(dispatch, UNDICI, UNDICI_PACKAGE) === undefined)
      return below.dispatch(options, handler);
    const follow = new Following(me, undefined);
    const watched = overheard(handler, {
      began: (abort) => follow.onCancelled(abort),
      ended: () => follow.over(),
    });
    return below.dispatch(options, watched);
  };
  const made = dispatcherOver(under, dispatch);
  if (made === undefined) return under;
  overGreenlets.set(made as object, under);
  return made;
}

const overGreenlets = new WeakMap<object, unknown>();

/** What `dispatcher` stands over, if it is one of greenletDispatcher: fetch follows by its signal. */
export function underGreenlets(dispatcher: unknown): unknown {
  return isObject(dispatcher) ? (overGreenlets.get(dispatcher) ?? dispatcher) : undefined;
}
