// fetch.ts: patchFetch: requests by fetch and by undici follow the cancellation of the greenlet that makes them.
//
// `fetch` gets a signal, and its caller's own still counts. The body stays abortable until it has come: for that each call has a dispatcher of its own, over the one that
// it would have used, which knows when the last exchange is over. A call is no handle: a greenlet that ends well leaves its requests, and bodies, alone.
//
// undici's own functions (`undici.request`, `undici.fetch`, ...) take the global dispatcher, which Node's fetch and every copy of undici share under a symbol. A dispatcher that
// looks who runs stands over it: undici dispatches in the call itself. It is a value, for undici makes that property one that can be no accessor; whoever calls
// setGlobalDispatcher later takes ours away, until patchFetch is undone and applied again.
//
// Source: undici's lib/global.js, lib/web/fetch/index.js, docs/api/Dispatcher.md.

import { kernel } from '../core/kernel.ts';
import { boundDispatcher, Exchanges, greenletDispatcher, underGreenlets } from './fetch-dispatcher.ts';
import { type Following, following, followPromise } from './ownership-calls.ts';
import { type AnyFunction, applyPatch, type Patch, type PatchSite } from './patch.ts';

// Taken at load: patches never reach us.
const { then } = Promise.prototype;
const ignore = (): void => {};

const globalDispatchers = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')] as const;
/** Which of them Node's fetch takes. */
const ofNode = globalDispatchers[Number.parseInt(process.versions.undici ?? '', 10) >= 8 ? 1 : 0];

const dispatchers = globalThis as Record<symbol, unknown>;

type Init = RequestInit & { readonly dispatcher?: unknown };

/** `init` with a signal and a dispatcher of ours. */
function initWith(init: Init | undefined, mine: Partial<Init>): Init {
  if (init === undefined || Object.getPrototypeOf(init) === Object.prototype) return { ...init, ...mine };
  // A Request, or whatever has its members elsewhere: they want to be asked for on the object itself.
  return new Proxy(init, {
    get: (target, key) => (Object.hasOwn(mine, key) ? mine[key as keyof Init] : Reflect.get(target, key, target)),
    has: (target, key) => Object.hasOwn(mine, key) || Reflect.has(target, key),
  });
}

/**
 * The dispatcher that a call would use: what its options say, or what a Request was made with. Undefined if that cannot be told: newer versions of Node keep it
 * where nobody sees it.
 */
function dispatcherOf(input: unknown, init: Init | undefined): unknown {
  if (init?.dispatcher !== undefined) return init.dispatcher;
  if (!(input instanceof globalThis.Request)) return dispatchers[ofNode];
  const key = Object.getOwnPropertySymbols(input).find(({ description }) => description === 'dispatcher');
  return key === undefined ? undefined : ((input as unknown as Record<symbol, unknown>)[key] ?? dispatchers[ofNode]);
}

function followedFetch(below: AnyFunction, follow: Following, input: unknown, init: Init | undefined): unknown {
  const exchanges = new Exchanges(() => follow.over());
  const under = underGreenlets(dispatcherOf(input, init));
  const dispatcher = boundDispatcher(under, (handler) => exchanges.watch(handler));
  const mine = {
    signal: follow.signal,
    ...(dispatcher === undefined ? {} : { dispatcher }),
    // Any option at all makes fetch forget these of a Request.
    ...(init === undefined && input instanceof globalThis.Request
      ? { referrer: input.referrer, referrerPolicy: input.referrerPolicy }
      : {}),
  } as Partial<Init>;
  return followPromise(
    follow,
    () => {
      const promise: unknown = exchanges.during(() => below(input, initWith(init, mine)));
      if (promise instanceof Promise) then.call(promise, (response) => exchanges.answered(response), ignore);
      return promise;
    },
    'rejected',
  );
}

function patchedFetch(site: PatchSite): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(input: unknown, init: Init | undefined, ...rest: unknown[]): unknown {
      if (kernel.current === kernel.nobody || !site.switch.on) return below(input, init, ...rest);
      const theirs = init?.signal === undefined && input instanceof globalThis.Request ? input.signal : init?.signal;
      const follow =
        init === undefined || typeof init === 'object' ? following(patched, { signal: theirs }) : undefined;
      return follow === undefined
        ? below(input, init, ...rest)
        : followedFetch(below, follow, input, init ?? undefined);
    };
}

/**
 * Let `fetch`, and undici's functions, follow the cancellation of their greenlet: the request, and its body until it has come, are aborted as soon as the greenlet is killed, or a
 * scope or timeout around the call is cancelled. Never switches. Idempotent.
 *
 * Set a global dispatcher of your own before: setGlobalDispatcher works afterwards too, but then undici's functions follow no more.
 *
 * @throws PatchConflictError if another copy of tendril has patched them.
 * @see https://undici.nodejs.org/#/docs/api/Dispatcher
 */
export function patchFetch(): Patch {
  return applyPatch('fetch', (site) => {
    site.replace('globalThis', 'fetch', patchedFetch(site));
    for (const symbol of globalDispatchers) {
      const under = dispatchers[symbol];
      if (under === undefined) continue;
      // No layer of the registry: a dispatcher that is set over ours replaces it and wraps nothing, so there is nothing to warn of.
      const ours = greenletDispatcher(under, site.switch);
      dispatchers[symbol] = ours;
      site.onUndo(() => {
        if (dispatchers[symbol] === ours) dispatchers[symbol] = under;
      });
    }
  });
}
