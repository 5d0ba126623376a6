// fs.ts: patchFs: file calls follow the cancellation of their greenlet, and what a greenlet opens is closed when it, or its scope, ends.
//
// Calls that take a signal get one: they give up with Node's AbortError, to the callback or by the promise. The others cannot be stopped in Node: whoever waits for
// one by an Op is told of the kill at once, and the late result is dropped. Streams, watchers and FileHandles are owned. A descriptor is a number, which nothing can be
// hung on: what `fs.open` and `fs.openSync` give is the program's to close.
//
// Source: Node's lib/fs.js and lib/internal/fs/promises.js for the shapes of the arguments.

import fs, { type StatWatcher } from 'node:fs';
import { kernel } from '../core/kernel.ts';
import { reserve, runningGreenlet, take } from './ownership.ts';
import { followIterator, following, followPromise, withSignal } from './ownership-calls.ts';
import { fileHandle, fileListener, type Kind, noteClose, stream, watcher } from './ownership-kinds.ts';
import { openerOf } from './ownership-opener.ts';
import { type AnyFunction, applyPatch, type Patch, type PatchSite } from './patch.ts';

// Taken at load: patches never reach us.
const { then } = Promise.prototype;
const { unwatchFile } = fs;

/** A call with a callback, whose options are its argument number `at`. */
function callbackCall(site: PatchSite, at: number): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      if (kernel.current === kernel.nobody || !site.switch.on) return below.apply(this, args);
      const callback = args.at(-1);
      // Without options the callback stands in their place.
      const options = args.length - 1 - at;
      if (typeof callback !== 'function' || (options !== 0 && options !== 1)) return below.apply(this, args);
      const given = options === 1 ? args[at] : undefined;
      const follow = following(patched, given);
      if (follow === undefined) return below.apply(this, args);
      const merged = withSignal([...args.slice(0, at), given], at, follow);
      merged.push(function done(this: unknown, ...results: unknown[]): unknown {
        follow.over();
        return callback.apply(this, results);
      });
      try {
        return below.apply(this, merged);
      } catch (error) {
        follow.over();
        throw error;
      }
    };
}

/** A call that gives a promise, or an async iterator. */
function promiseCall(site: PatchSite, at: number, iterates = false): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      const follow = site.switch.on ? following(patched, args[at]) : undefined;
      if (follow === undefined) return below.apply(this, args);
      const call = (): unknown => below.apply(this, withSignal(args, at, follow));
      return iterates ? followIterator(follow, call as () => AsyncIterable<unknown>) : followPromise(follow, call);
    };
}

/** A call that gives a handle. */
function opening(site: PatchSite, kind: Kind, opened?: (handle: object) => void): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      const made = below.apply(this, args) as object;
      if (kernel.current === kernel.nobody || !site.switch.on) return made;
      const me = runningGreenlet();
      const opener = me === undefined ? undefined : openerOf(patched);
      if (me === undefined || opener === undefined) return made;
      opened?.(made);
      take(me, kind, made, opener);
      return made;
    };
}

/** A call that gives a promise of a handle: it is owned from the call on, and closed if its owner has ended when it comes. */
function openingLater(site: PatchSite, kind: Kind): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      const promise: unknown = below.apply(this, args);
      if (kernel.current === kernel.nobody || !site.switch.on || !(promise instanceof Promise)) return promise;
      const me = runningGreenlet();
      const opener = me === undefined ? undefined : openerOf(patched);
      if (me === undefined || opener === undefined) return promise;
      const arrived = reserve(me, kind, opener);
      return then.call(
        promise,
        (handle: unknown) => {
          arrived(handle as object);
          return handle;
        },
        (error: unknown) => {
          arrived(undefined);
          throw error;
        },
      );
    };
}

/** fs.watchFile shares one watcher among all listeners of a file: what is owned is the pair of both. */
function watchingFile(site: PatchSite): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      const made = below.apply(this, args) as StatWatcher;
      if (kernel.current === kernel.nobody || !site.switch.on) return made;
      const me = runningGreenlet();
      const opener = me === undefined ? undefined : openerOf(patched);
      const listener = args.at(-1) as () => void;
      if (me === undefined || opener === undefined) return made;
      const pair = { watcher: made, listener, stop: () => unwatchFile(args[0] as string, listener) };
      take(me, fileListener, pair, opener, made);
      return made;
    };
}

/**
 * Let file calls that take an AbortSignal follow the cancellation of their greenlet, and streams, watchers and FileHandles belong to it. Never switches. Idempotent; after
 * `undo()` what is owned stays so.
 *
 * @throws PatchConflictError if another copy of tendril has patched them.
 * @see https://nodejs.org/api/fs.html
 */
export function patchFs(): Patch {
  return applyPatch('fs', (site) => {
    for (const [name, at] of [
      ['readFile', 1],
      ['writeFile', 2],
      ['appendFile', 2],
    ] as const) {
      site.replace('fs', name, callbackCall(site, at));
      site.replace('fs/promises', name, promiseCall(site, at));
    }
    site.replace('fs/promises', 'watch', promiseCall(site, 1, true));
    site.replace('fs/promises', 'open', openingLater(site, fileHandle));
    site.replace('fs', 'createReadStream', opening(site, stream));
    site.replace('fs', 'createWriteStream', opening(site, stream));
    site.replace('fs', 'watch', opening(site, watcher, noteClose));
    site.replace('fs', 'watchFile', watchingFile(site));
  });
}
