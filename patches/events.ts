// events.ts: patchEvents: a generator function that is given to Node as a listener or a callback runs as a greenlet.
//
// `server.on('connection', function* (socket) {...})`: each event spawns one. What it is for emitters, for targets and for callbacks is in the files
// events-*.ts; here is what a program calls.

import { patchCallbacks } from './events-callbacks.ts';
import { patchEmitters } from './events-emitter.ts';
import { patchTargets } from './events-target.ts';
import { applyPatch, type Patch } from './patch.ts';

/**
 * Run generator functions that are given to Node as listeners or callbacks as greenlets, one for each call. Never switches. Idempotent.
 *
 * Arguments, `this` and AsyncLocalStorage are those of the call; greenlets start in the order of the calls. A failure goes where an exception of a
 * plain listener would: it is an uncaught exception, or the `error` event of an emitter with `captureRejections`. Listeners that were
 * added before are as they were; those that are there when the patch is undone go on, and can be removed by the generator function.
 *
 * @throws PatchConflictError if another copy of tendril has patched the same objects.
 * @see https://nodejs.org/api/events.html
 */
export function patchEvents(): Patch {
  return applyPatch('events', (site) => {
    patchEmitters(site);
    patchTargets(site);
    patchCallbacks(site);
  });
}
