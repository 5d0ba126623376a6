// blocking.ts: patchBlocking: a warning for what stops every greenlet: `*Sync` of fs, child_process, zlib and crypto, and Atomics.wait, called in a greenlet.
//
// The call is made all the same. There is one warning for each place that calls, with the stack, the greenlet and the Op to use instead. What Node itself calls
// (require() reads files) is not meant, nor are calls that touch neither disk nor process and end in a moment (randomFillSync).
//
// Source: gevent's monitoring thread reports what has blocked; this tells which call will, without waiting for it to be slow.

import { kernel } from '../core/kernel.ts';
import { CallPlace, sitesBelow, whose } from './call-sites.ts';
import { type AnyFunction, applyPatch, type Patch } from './patch.ts';
import { moduleObject } from './places.ts';

// Taken at load: patches never reach us.
const { emitWarning } = process;

const MODULES = ['fs', 'child_process', 'zlib', 'crypto'] as const;
const QUICK: ReadonlySet<string> = new Set(['crypto.randomFillSync', 'crypto.hkdfSync', 'fs.closeSync']);

function blockingNames(module: string): string[] {
  const object = (moduleObject(module) ?? {}) as Record<string, unknown>;
  return Object.keys(object).filter(
    (name) => name.endsWith('Sync') && typeof object[name] === 'function' && !QUICK.has(`${module}.${name}`),
  );
}

/** The calls at their places that were warned of. */
const warned = new Set<string>();

function warn(call: string, advice: string, wrapper: AnyFunction): void {
  const sites = sitesBelow(wrapper, 10);
  const callers = sites.map(whose);
  const index = callers.findIndex((caller) => caller !== 'passage');
  if (index < 0 || callers[index] === 'node') return;
  const caller = new CallPlace(sites, index);
  const key = `${call} at ${caller.place}`;
  if (warned.has(key)) return;
  warned.add(key);
  emitWarning(`${call} in ${kernel.current.name} stops every greenlet until it has ended: ${advice}`, {
    type: 'BlockingCallWarning',
    code: 'TENDRIL_BLOCKING_CALL',
    detail: caller.stack(call),
  });
}

/**
 * Warn, once for each place, of calls in greenlets that block the whole process. Never switches. Idempotent; `undo()` restores.
 *
 * Part of patchAll() in development only (NODE_ENV=development, or TENDRIL_DEBUG=1). The warning is a process warning of type BlockingCallWarning, code
 * TENDRIL_BLOCKING_CALL, with the stack as its detail. hub.watchdog() finds what blocks without calling any of these: loops.
 *
 * @throws PatchConflictError if another copy of tendril has patched these modules.
 */
export function patchBlocking(): Patch {
  return applyPatch('blocking', (site) => {
    const watch = (module: string, path: string, call: string, advice: string): void =>
      site.replace(module, path, (below: AnyFunction) => {
        const watched = function (this: unknown, ...args: unknown[]): unknown {
          if (site.switch.on && kernel.current !== kernel.nobody) warn(call, advice, watched);
          return below.apply(this, args);
        };
        return watched;
      });
    for (const module of MODULES) {
      for (const name of blockingNames(module)) {
        const op = name.slice(0, -'Sync'.length);
        watch(module, name, `${module}.${name}`, `use \`yield* ${op}(...)\` of 'tendril/patches/${module}'`);
      }
    }
    watch(
      'globalThis',
      'Atomics.wait',
      'Atomics.wait',
      'use `yield* until(Atomics.waitAsync(...).value)`, or an Event',
    );
  });
}
