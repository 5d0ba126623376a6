// all.ts: patchAll: several patches as one, applied in one order and undone in the other.
//
// Source: gevent.monkey.patch_all; what it leaves to options there (`thread=False`) are names here.

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { checkOptions, own } from '../io/address.ts';
import { patchBlocking } from './blocking.ts';
import { patchChildProcess } from './child-process.ts';
import { patchDns } from './dns.ts';
import { patchEvents } from './events.ts';
import { patchFetch } from './fetch.ts';
import { patchFs } from './fs.ts';
import { patchNet } from './net.ts';
import { appliedPatches, type Patch, type PatchName, patchNames } from './patch.ts';
import { patchPromise } from './promise.ts';
import { patchTimers } from './timers.ts';

const apply: Readonly<Record<PatchName, () => Patch>> = {
  promise: patchPromise,
  events: patchEvents,
  timers: patchTimers,
  net: patchNet,
  dns: patchDns,
  fs: patchFs,
  childProcess: patchChildProcess,
  fetch: patchFetch,
  blocking: patchBlocking,
};

const development = process.env.NODE_ENV === 'development' || process.env.TENDRIL_DEBUG === '1';

export interface PatchAllOptions {
  /** These and no others; `promise` and `blocking` may be among them. */
  readonly only?: readonly PatchName[] | undefined;
  /** All but these. */
  readonly except?: readonly PatchName[] | undefined;
}

/** Several patches, undone together. */
export class Patches {
  /** Those that this call has applied, oldest first, or found vetoed: not those that were applied before. */
  readonly patches: readonly Patch[];

  /** @internal */
  constructor(patches: readonly Patch[]) {
    this.patches = patches;
  }

  /** Are all of them applied? */
  get active(): boolean {
    return this.patches.every((patch) => patch.active);
  }

  /** Undo each, newest first. Those that were applied before this call stay. Never switches; idempotent; see Patch.undo for what it leaves. */
  undo(): void {
    for (const patch of [...this.patches].reverse()) patch.undo();
  }

  [Symbol.dispose](): void {
    this.undo();
  }
}

/**
 * Apply every patch but `promise`, which is asked for by name, and `blocking`, which is for development (NODE_ENV=development, TENDRIL_DEBUG=1). Never switches.
 *
 * Idempotent: what is applied already stays, and is not undone by the `undo()` of what this returns. If it throws, nothing has changed.
 *
 * @throws TypeError for a name that is no patch, or `only` and `except` together. @throws PatchConflictError if another copy of tendril has patched the same.
 * @see https://www.gevent.org/api/gevent.monkey.html#gevent.monkey.patch_all
 */
export function patchAll(options: PatchAllOptions = {}): Patches {
  const given = checkOptions(options, 'patchAll');
  const only = names(own(given, 'only'), 'only');
  const except = names(own(given, 'except'), 'except');
  if (only !== undefined && except !== undefined) throw typeError('patchAll takes `only` or `except`, not both');
  const wanted = patchNames.filter((name) => {
    if (only !== undefined) return only.includes(name);
    if (except?.includes(name)) return false;
    return name === 'blocking' ? development : name !== 'promise';
  });
  const done: Patch[] = [];
  try {
    for (const name of wanted) {
      const before = appliedPatches();
      const patch = apply[name]();
      if (!before.includes(patch)) done.push(patch);
    }
  } catch (error) {
    new Patches(done).undo();
    throw error;
  }
  return new Patches(done);
}

function names(value: unknown, option: string): readonly PatchName[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw typeError(`patchAll: ${option} must be an array of names, not ${nameOf(value)}`);
  for (const name of value) {
    if (!patchNames.includes(name))
      throw typeError(`patchAll: ${option}: there is no patch ${nameOf(name)}; there are ${patchNames.join(', ')}`);
  }
  return value as PatchName[];
}
