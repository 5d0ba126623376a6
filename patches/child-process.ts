// child-process.ts: patchChildProcess: the children that a greenlet starts are ended when it, or its scope, ends.
//
// `spawn`, `fork`, `exec` and `execFile` all lead through one method, which is where this sits. A child is asked to end (SIGTERM) and killed five seconds
// later, as with `process.spawn` of tendril; what it has started itself is not. The *Sync calls block the whole process and own nothing.
//
// Source: Node's lib/child_process.js for what calls what.

import { kernel } from '../core/kernel.ts';
import { runningGreenlet, take } from './ownership.ts';
import { child } from './ownership-kinds.ts';
import { openerOf } from './ownership-opener.ts';
import { type AnyFunction, applyPatch, type Patch } from './patch.ts';

const OPENERS = /^node:(child_process|internal\/child_process)$/;

/**
 * Let child processes belong to the greenlet that starts them: when it ends they are sent SIGTERM, and SIGKILL five seconds later. Never switches. Idempotent; after
 * `undo()` what is owned stays so.
 *
 * @throws PatchConflictError if another copy of tendril has patched them.
 * @see https://nodejs.org/api/child_process.html
 */
export function patchChildProcess(): Patch {
  return applyPatch('childProcess', (site) => {
    site.replace('child_process', 'ChildProcess.prototype.spawn', (below: AnyFunction): AnyFunction => {
      return function patched(this: object, ...args: unknown[]): unknown {
        const result: unknown = below.apply(this, args);
        if (kernel.current === kernel.nobody || !site.switch.on) return result;
        const me = runningGreenlet();
        const opener = me === undefined ? undefined : openerOf(patched, OPENERS);
        // One that could not be started has no pid: what is wrong is told by an event.
        if (me !== undefined && opener !== undefined && !child.gone(this)) take(me, child, this, opener);
        return result;
      };
    });
  });
}
