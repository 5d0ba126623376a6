// events-callbacks.ts: generator functions as callbacks: of timers and ticks, and of what takes an error-first callback last.
//
// A callback that Node keeps as the listener of an emitter (of http.get, server.listen, socket.connect) is seen to there. Here are those that it calls itself. The
// functions are found when the patch is applied, by rules, so that what a newer Node adds is among them; methods are listed.
//
// Left alone is what takes generator functions as such: Readable.from, Duplex.from, compose and the transforms of a pipeline, map and its like of
// streams, AsyncLocalStorage.run. The last argument of stream.pipeline is its callback and nothing else; that of stream/promises is a destination.

// biome-ignore-all lint/complexity/noArguments: an array of them, made at each call of a timer, costs a tenth of the timer
import { isGeneratorFunction, standIn } from './events-listener.ts';
import type { AnyFunction, PatchSite } from './patch.ts';
import { moduleObject } from './places.ts';

/** Functions whose first argument is called later. */
const firstArgument: readonly (readonly [module: string, name: string])[] = [
  ['globalThis', 'setTimeout'],
  ['timers', 'setTimeout'],
  ['globalThis', 'setInterval'],
  ['timers', 'setInterval'],
  ['process', 'nextTick'],
];
/** Those that are mostly called with nothing else. */
const onlyArgument: readonly (readonly [module: string, name: string])[] = [
  ['globalThis', 'setImmediate'],
  ['timers', 'setImmediate'],
  ['globalThis', 'queueMicrotask'],
];

/** Modules whose asynchronous functions have a twin that ends in Sync. */
const twinned = ['fs', 'zlib', 'crypto', 'child_process'];
/** A twin, but no callback: they give a handle or a promise. */
const withoutCallback = new Set(['spawn', 'fork', 'openAsBlob', 'createZipArchive']);

/** What takes a callback last, beside the twins and what `dns` has. */
const lastArgument: Readonly<Record<string, readonly string[]>> = {
  crypto: ['randomBytes', 'randomInt', 'sign', 'verify', 'diffieHellman', 'encapsulate', 'decapsulate'],
  dgram: ['Socket.prototype.bind', 'Socket.prototype.connect', 'Socket.prototype.send'],
  events: ['addAbortListener'],
  fs: ['Dir.prototype.close', 'Dir.prototype.read', 'ReadStream.prototype.close', 'WriteStream.prototype.close'],
  net: ['Server.prototype.close', 'Server.prototype.getConnections'],
  readline: ['clearLine', 'clearScreenDown', 'cursorTo', 'moveCursor', 'Interface.prototype.question'],
  stream: ['finished', 'pipeline'],
  tls: ['TLSSocket.prototype.renegotiate'],
};

/** Methods of streams: `(chunk, encoding, callback)`, and only `end` may be called with less before the callback. */
const writes: readonly (readonly [module: string, name: string])[] = [
  ['stream', 'Writable.prototype.write'],
  ['stream', 'Writable.prototype.end'],
  ['stream', 'Duplex.prototype.write'],
  ['stream', 'Duplex.prototype.end'],
  ['http', 'OutgoingMessage.prototype.write'],
  ['http', 'OutgoingMessage.prototype.end'],
];

/** Replace what takes callbacks. */
export function patchCallbacks(site: PatchSite): void {
  for (const [module, name] of firstArgument) site.replace(module, name, (below) => takingFirst(below, site));
  for (const [module, name] of onlyArgument) site.replace(module, name, (below) => takingOne(below, site));
  for (const [module, name] of writes) site.replace(module, name, (below) => write(below, site, name.endsWith('end')));
  for (const [module, names] of Object.entries(lastArgument)) {
    for (const name of names) site.replace(module, name, (below) => takingLast(below, site));
  }
  for (const module of twinned) {
    for (const name of twins(module)) site.replace(module, name, (below) => takingLast(below, site));
  }
  for (const path of lookups()) site.replace('dns', path, (below) => takingLast(below, site));
}

// In the next three nothing is made on the way to Node, neither an array of arguments nor a bound call where it can be helped: half of these
// functions take less than 100 ns. `arguments` that are only passed on to `apply` are never made, so the rare path begins in the same way.

function takingFirst(below: AnyFunction, site: PatchSite): AnyFunction {
  const spawning = atPlace(below, 0);
  return function (callback: unknown) {
    if (isGeneratorFunction(callback) && site.switch.on) return spawning.apply(this, arguments as never);
    return below.apply(this, arguments as never);
  };
}

/** These read no `this`. */
function takingOne(below: AnyFunction, site: PatchSite): AnyFunction {
  const spawning = atPlace(below, 0);
  return function (callback: unknown) {
    if (isGeneratorFunction(callback) && site.switch.on) return spawning.apply(this, arguments as never);
    return arguments.length === 1 ? below(callback) : below.apply(this, arguments as never);
  };
}

/** A chunk of a stream of objects may be a function, so the first argument is a callback only of `end`. */
function write(below: AnyFunction, site: PatchSite, isEnd: boolean): AnyFunction {
  const [first, second, third] = [atPlace(below, 0), atPlace(below, 1), atPlace(below, 2)];
  return function (chunk: unknown, encoding: unknown, callback: unknown) {
    if (isGeneratorFunction(callback) && site.switch.on) return third.apply(this, arguments as never);
    if (isGeneratorFunction(encoding) && site.switch.on) return second.apply(this, arguments as never);
    if (isEnd && isGeneratorFunction(chunk) && site.switch.on) return first.apply(this, arguments as never);
    return below.apply(this, arguments as never);
  };
}

function takingLast(below: AnyFunction, site: PatchSite): AnyFunction {
  return function (...args: unknown[]) {
    if (!isGeneratorFunction(args.at(-1)) || !site.switch.on) return below.apply(this, args);
    return atPlace(below, args.length - 1).apply(this, args);
  };
}

/** `below`, given a plain function instead of the generator function at `place`. */
function atPlace(below: AnyFunction, place: number): AnyFunction {
  return function (...args: unknown[]) {
    args[place] = standIn(args[place] as AnyFunction);
    return below.apply(this, args);
  };
}

/** The names in `module` beside which there is one that ends in Sync. */
function twins(module: string): string[] {
  const object = moduleObject(module) ?? {};
  return Object.keys(object).filter((name) => `${name}Sync` in object && !withoutCallback.has(name));
}

function lookups(): string[] {
  const dns = moduleObject('dns') as { Resolver: { prototype: object } };
  const isLookup = (name: string): boolean => /^(lookup|resolve|reverse)/.test(name);
  return [
    ...Object.keys(dns).filter(isLookup),
    ...Object.getOwnPropertyNames(dns.Resolver.prototype)
      .filter(isLookup)
      .map((name) => `Resolver.prototype.${name}`),
  ];
}
