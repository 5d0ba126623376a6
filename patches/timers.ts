// timers.ts: patchTimers: the timers that a greenlet makes are cleared when it, or its scope, ends.
//
// The functions give Node's own Timeout and Immediate objects, made by Node's own functions. Those of node:timers/promises are calls, not handles: they follow
// the cancellation of their caller and reject with an AbortError. AbortSignal.timeout() and what Node's modules do among themselves are not touched.
//
// Source: Node's lib/timers.js and lib/timers/promises.js for the shapes of the arguments.

import { kernel } from '../core/kernel.ts';
import { runningGreenlet, take } from './ownership.ts';
import { followIterator, following, followPromise, withSignal } from './ownership-calls.ts';
import { immediate, type Kind, timer } from './ownership-kinds.ts';
import { openerOf } from './ownership-opener.ts';
import { type AnyFunction, applyPatch, type Patch, type PatchSite } from './patch.ts';

// How many arguments Node is given matters to it, and to what the callback is given. The common call comes first and does nothing else: what is made
// outside greenlets costs one comparison more.

/** setTimeout and setInterval. */
function timerMaker(site: PatchSite): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(callback: unknown, ms: unknown, ...rest: unknown[]): unknown {
      if (rest.length === 0 && kernel.current === kernel.nobody) return below(callback, ms);
      return owned(site, patched, timer, below(callback, ms, ...rest));
    };
}

function immediateMaker(site: PatchSite): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(callback: unknown, ...rest: unknown[]): unknown {
      if (rest.length === 0 && kernel.current === kernel.nobody) return below(callback);
      return owned(site, patched, immediate, below(callback, ...rest));
    };
}

/** `made`, which is the current greenlet's if its own code has called `wrapper`. */
function owned(site: PatchSite, wrapper: object, kind: Kind, made: unknown): unknown {
  if (!site.switch.on || kernel.current === kernel.nobody) return made;
  const me = runningGreenlet();
  const opener = me === undefined ? undefined : openerOf(wrapper);
  if (me !== undefined && opener !== undefined) take(me, kind, made as object, opener);
  return made;
}

/** A function of node:timers/promises whose options are its argument number `at`. */
function promiseMaker(site: PatchSite, at: number, iterates = false): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      const follow = site.switch.on ? following(patched, args[at]) : undefined;
      if (follow === undefined) return below.apply(this, args);
      const call = (): unknown => below.apply(this, withSignal(args, at, follow));
      return iterates
        ? followIterator(follow, call as () => AsyncIterableIterator<unknown>)
        : followPromise(follow, call);
    };
}

/**
 * Let timers belong to the greenlet that makes them: `setTimeout`, `setInterval` and `setImmediate`, as globals and of `node:timers`, are cleared when it ends;
 * those of `node:timers/promises` reject when it is cancelled. Never switches. Idempotent; after `undo()` what is owned stays so.
 *
 * @throws PatchConflictError if another copy of tendril has patched them.
 * @see https://nodejs.org/api/timers.html
 */
export function patchTimers(): Patch {
  return applyPatch('timers', (site) => {
    for (const module of ['globalThis', 'timers']) {
      site.replace(module, 'setTimeout', timerMaker(site));
      site.replace(module, 'setInterval', timerMaker(site));
      site.replace(module, 'setImmediate', immediateMaker(site));
    }
    site.replace('timers/promises', 'setTimeout', promiseMaker(site, 2));
    site.replace('timers/promises', 'setImmediate', promiseMaker(site, 1));
    site.replace('timers/promises', 'setInterval', promiseMaker(site, 2, true));
    site.replace('timers/promises', 'scheduler.constructor.prototype.wait', promiseMaker(site, 1));
  });
}
