// events-target.ts: generator functions as listeners of EventTargets: AbortSignal, MessagePort, WebSocket, and objects whose handleEvent is one.
//
// An EventTarget finds a listener by identity alone: to add it once, to remove it. So what Node is given is the user's own listener, and then the function that
// it calls for it is exchanged in Node's record. That record is undocumented: it is tried out when the patch is applied. Where it is not as we know it, Node
// is given a function of ours instead, always the same for one listener, and removeEventListener is replaced too; then what was added cannot be removed by
// the user's function once the patch is undone.
//
// `onabort = function* () {}` and its like are not listeners by this name: Node wraps them, and they stay as they were.
// Source: Node's lib/internal/event_target.js, Listener.

import { isGeneratorFunction, ListenerRun, standIn, throwUncaught } from './events-listener.ts';
import type { AnyFunction, PatchSite } from './patch.ts';

type ListenerCall = (this: EventTarget, type: string, listener: unknown, ...options: unknown[]) => unknown;
type Handler = { next?: Handler; listener?: unknown; callback?: unknown };

/** Have Node call `instead` for `listener`, wherever it is registered for `type`. */
export type Exchange = (target: EventTarget, type: string, listener: object, instead: AnyFunction) => void;

/** One for each listener, so that a target that is given it twice knows it again. */
const standIns = new WeakMap<object, AnyFunction>();

/** The plain function for `listener`; undefined if it is no generator function, and no object with one. */
function standInFor(listener: unknown): AnyFunction | undefined {
  if (isGeneratorFunction(listener)) {
    let found = standIns.get(listener);
    if (found === undefined) standIns.set(listener, (found = standIn(listener)));
    return found;
  }
  if (typeof listener !== 'object' || listener === null) return undefined;
  const object = listener as { handleEvent?: unknown };
  if (!isGeneratorFunction(object.handleEvent)) return undefined;
  let found = standIns.get(object);
  if (found === undefined) standIns.set(object, (found = handleEventOf(object)));
  return found;
}

/** `handleEvent` is looked up at each event, as the standard has it. */
function handleEventOf(object: { handleEvent?: unknown }): AnyFunction {
  return (...args: unknown[]) => {
    const { handleEvent } = object;
    if (isGeneratorFunction(handleEvent)) return new ListenerRun(handleEvent, object, args, throwUncaught);
    return typeof handleEvent === 'function' ? (handleEvent as AnyFunction).apply(object, args) : undefined;
  };
}

/** Replace what adds listeners to targets. */
export function patchTargets(site: PatchSite, exchange: Exchange | undefined = findExchange()): void {
  site.replace<ListenerCall>(
    'globalThis',
    'EventTarget.prototype.addEventListener',
    (below) =>
      function (...args) {
        const [type, listener] = args;
        const instead = isPlain(listener) || !site.switch.on ? undefined : standInFor(listener);
        if (instead === undefined) return below.apply(this, args);
        if (exchange === undefined) return below.call(this, type, instead, ...args.slice(2));
        below.apply(this, args);
        exchange(this, type, listener as object, instead);
        return undefined;
      },
  );
  if (exchange !== undefined) return;
  site.replace<ListenerCall>(
    'globalThis',
    'EventTarget.prototype.removeEventListener',
    (below) =>
      function (...args) {
        const instead = standIns.get(args[1] as object);
        if (instead !== undefined) below.call(this, args[0], instead, ...args.slice(2));
        return below.apply(this, args);
      },
  );
}

const isPlain = (listener: unknown): boolean => typeof listener === 'function' && !isGeneratorFunction(listener);

/** Find out whether this Node keeps its listeners as we know it. */
function findExchange(): Exchange | undefined {
  try {
    return tryExchange();
  } catch {
    return undefined;
  }
}

function tryExchange(): Exchange | undefined {
  const target = new EventTarget();
  let called = '';
  const listener = (): void => void (called += 'listener');
  target.addEventListener('probe', listener);
  const key = Object.getOwnPropertySymbols(target).find(
    (symbol) => handlers(target, symbol, 'probe')?.listener === listener,
  );
  if (key === undefined) return undefined;
  const exchange: Exchange = (where, type, old, instead) => {
    for (let handler = handlers(where, key, String(type)); handler !== undefined; handler = handler.next) {
      if (handler.listener === old) handler.callback = instead;
    }
  };
  exchange(target, 'probe', listener, () => void (called += 'instead'));
  target.dispatchEvent(new Event('probe'));
  target.removeEventListener('probe', listener);
  target.dispatchEvent(new Event('probe'));
  return called === 'instead' ? exchange : undefined;
}

/** The first record of a listener to `type`, if `key` is where `target` keeps them. */
function handlers(target: EventTarget, key: symbol, type: string): Handler | undefined {
  const byType = (target as unknown as Record<symbol, unknown>)[key] as Partial<Map<string, Handler>> | undefined;
  return typeof byType?.get === 'function' ? byType.get(type)?.next : undefined;
}
