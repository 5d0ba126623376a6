// index.ts: the public names of `tendril/patches`, which makes existing Node code cooperative.
//
// Importing it changes nothing: applying a patch is explicit, and each can be undone.

export { type PatchAllOptions, Patches, patchAll } from './all.ts';
export { patchBlocking } from './blocking.ts';
export { patchChildProcess } from './child-process.ts';
export { patchDns } from './dns.ts';
export { PatchConflictError } from './errors.ts';
export { patchEvents } from './events.ts';
export { patchFetch } from './fetch.ts';
export { patchFs } from './fs.ts';
export { handler } from './handler.ts';
export { patchNet } from './net.ts';
export { adopt, release } from './ownership.ts';
export { type Leak, onLeak } from './ownership-leaks.ts';
export type { Patch, PatchName } from './patch.ts';
export { type DidPatchEvent, onDidPatch, onWillPatch, type WillPatchEvent } from './patch-events.ts';
export { patchPromise } from './promise.ts';
export type { LayerState } from './slot.ts';
export { isPatched, original, type PatchedPlace, type PatchedTable, patched } from './table.ts';
export { patchTimers } from './timers.ts';
