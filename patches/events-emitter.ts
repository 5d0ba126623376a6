// events-emitter.ts: generator functions as listeners of EventEmitters.
//
// Only what adds a listener is replaced: on, addListener, prependListener, once, prependOnceListener. Classes that have an `on` of their own (Readable,
// process) call through to these, and so do the constructors and methods that take a listener (http.createServer, server.listen). Everything
// else is Node's: it keeps a wrapper of ours as it keeps one of its own for `once`, and by its property `listener` removeListener, listeners,
// listenerCount and the events newListener and removeListener find the user's function, also when the patch is undone.
//
// emit is not touched: it costs what it did.
// Source: Node's lib/events.js, _onceWrap and removeListener.

import type { EventEmitter } from 'node:events';
import { typeError } from '../core/bad-argument.ts';
import {
  type FailureRoute,
  isGeneratorFunction,
  ListenerRun,
  type StandIn,
  standIn,
  throwUncaught,
} from './events-listener.ts';
import type { AnyFunction, PatchSite } from './patch.ts';

type EventName = string | symbol;
type Add = (this: EventEmitter, type: EventName, listener: unknown) => EventEmitter;

/** Replace what adds listeners to emitters. */
export function patchEmitters(site: PatchSite): void {
  for (const name of ['on', 'addListener', 'prependListener']) {
    site.replace<Add>(
      'events',
      `EventEmitter.prototype.${name}`,
      (below) =>
        function (type, listener) {
          if (!isGeneratorFunction(listener) || !site.switch.on) return below.call(this, type, listener);
          return below.call(this, type, standIn(listener, routeOf(this, type)));
        },
    );
  }
  // Node's own wrapper of `once` would call the generator function, and have it as its `listener`: not one of the two can be ours.
  for (const [name, add] of [
    ['once', 'on'],
    ['prependOnceListener', 'prependListener'],
  ] as const) {
    site.replace<Add>(
      'events',
      `EventEmitter.prototype.${name}`,
      (below) =>
        function (type, listener) {
          if (!isGeneratorFunction(listener) || !site.switch.on) return below.call(this, type, listener);
          return this[add](type, onceOnly(this, type, listener, routeOf(this, type)));
        },
    );
  }
}

function onceOnly(emitter: EventEmitter, type: EventName, body: AnyFunction, route: FailureRoute): StandIn {
  let fired = false;
  const listener: StandIn = ((...args: unknown[]) => {
    if (fired) return undefined;
    emitter.removeListener(type, listener);
    fired = true;
    return new ListenerRun(body, emitter, args, route);
  }) as StandIn;
  listener.listener = body;
  return listener;
}

/** Where an exception of a listener to this event goes. @throws TypeError if no greenlet could run in it. */
function routeOf(emitter: EventEmitter, type: EventName): FailureRoute {
  if (emitter !== process) return throwUncaught;
  if (type === 'exit')
    throw typeError(
      "a generator function cannot listen to 'exit' of the process: no greenlet runs any more then. Use a plain function, or 'beforeExit'",
    );
  return type === 'uncaughtException' ? throwInHandler : throwUncaught;
}

/**
 * The failure of a handler of 'uncaughtException' is not one more uncaught exception for that handler, without end: Node ends the process with status 7 when
 * such a handler throws, so one is made to throw.
 */
function throwInHandler(error: unknown): void {
  process.prependOnceListener('uncaughtException', () => {
    throw error;
  });
  throwUncaught(error);
}
