// events-target.ts: generator functions as listeners of EventTargets: AbortSignal, MessagePort, WebSocket, and objects whose handleEvent is one.
//
// An EventTarget finds a listener by identity alone: to add it once, to remove it. So what Node is given is the user's own listener, and then the function that
// it calls for it is exchanged in Node's record. That record is undocumented: it is tried out when the patch is applied. Where it is not as we know it, Node
// is given a function of ours instead, always the same for one listener, and removeEventListener is replaced too; then what was added cannot be removed by
// the user's function once the patch is undone.
//
// `onabort = function* () {}` and its like are not listeners by this name: Node wraps them, and they stay as they were.
// Source: Node's lib/internal/event_target.js, Listener.

// biome-ignore-all lint/complexity/noArguments: Node asks how many there are; an array of them for each listener costs more than the rest of this
import { isGeneratorFunction, ListenerRun, standIn, throwUncaught } from './events-listener.ts';
import type { AnyFunction, PatchSite } from './patch.ts';

type ListenerCall = (this: EventTarget, type: string, listener: unknown, options?: unknown) => unknown;
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
  if (!isGeneratorFunction((listener as { handleEvent?: unknown }).handleEvent)) return undefined;
  let found = standIns.get(listener);
  if (found === undefined) standIns.set(listener, (found = handleEventOf(listener)));
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

/** Replace what adds listeners to targets. `exchange` is null if Node keeps them in a way that we do not know. */
export function patchTargets(site: PatchSite, exchange: Exchange | null = findExchange()): void {
  site.replace<ListenerCall>('globalThis', 'EventTarget.prototype.addEventListener', (below) => {
    const adding: ListenerCall = function (...args) {
      const instead = site.switch.on ? standInFor(args[1]) : undefined;
      if (instead === undefined) return below.apply(this, args);
      if (exchange === null) return below.call(this, args[0], instead, args[2]);
      below.apply(this, args);
      exchange(this, args[0], args[1] as object, instead);
      return undefined;
    };
    return function (_, listener) {
      if (typeof listener === 'function' && !isGeneratorFunction(listener))
        return below.apply(this, arguments as never);
      return adding.apply(this, arguments as never);
    };
  });
  if (exchange !== null) return;
  site.replace<ListenerCall>(
    'globalThis',
    'EventTarget.prototype.removeEventListener',
    (below) =>
      function (type, listener, options) {
        const instead = standIns.get(listener as object);
        if (instead !== undefined) below.call(this, type, instead, options);
        return below.apply(this, arguments as never);
      },
  );
}

/** Find out whether this Node keeps its listeners as we know it. */
function findExchange(): Exchange | null {
  try {
    return tryExchange();
  } catch {
    return null;
  }
}

function tryExchange(): Exchange | null {
  const target = new EventTarget();
  let called = '';
  const listener = (): void => void (called += 'listener');
  target.addEventListener('probe', listener);
  const key = Object.getOwnPropertySymbols(target).find(
    (symbol) => handlers(target, symbol, 'probe')?.listener === listener,
  );
  if (key === undefined) return null;
  const exchange: Exchange = (where, type, old, instead) => {
    for (let handler = handlers(where, key, String(type)); handler !== undefined; handler = handler.next) {
      if (handler.listener === old) handler.callback = instead;
    }
  };
  exchange(target, 'probe', listener, () => void (called += 'instead'));
  target.dispatchEvent(new Event('probe'));
  target.removeEventListener('probe', listener);
  target.dispatchEvent(new Event('probe'));
  return called === 'instead' ? exchange : null;
}

/** The first record of a listener to `type`, if `key` is where `target` keeps them. */
function handlers(target: EventTarget, key: symbol, type: string): Handler | undefined {
  const byType = (target as unknown as Record<symbol, unknown>)[key] as Partial<Map<string, Handler>> | undefined;
  return typeof byType?.get === 'function' ? byType.get(type)?.next : undefined;
}
