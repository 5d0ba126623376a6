// patch-events.ts: who is asked before a patch is applied, and told after it was applied or undone.
//
// Source: gevent's monkey patch events (GeventWillPatch..., DoNotPatch), as two functions.

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import type { PatchName } from './patch.ts';

/** A patch is about to be applied. */
export interface WillPatchEvent {
  readonly patch: PatchName;
  /** Keep it from being applied. The first reason stands. */
  veto(reason: string): void;
}

/** A patch was applied, or undone. */
export interface DidPatchEvent {
  readonly patch: PatchName;
  readonly action: 'apply' | 'undo';
}

// Taken at load: patches never reach us.
const { setImmediate } = globalThis;

const will = new Set<(event: WillPatchEvent) => void>();
const did = new Set<(event: DidPatchEvent) => void>();

/**
 * Have `listener` called before each patch is applied: it may veto it. Returns a function that unlinks it. Never switches.
 *
 * What the listener throws comes out of the call that would have patched, and nothing is patched.
 *
 * @throws TypeError if `listener` is no function. @see https://www.gevent.org/api/gevent.events.html
 */
export function onWillPatch(listener: (event: WillPatchEvent) => void): () => void {
  return add(will, listener, 'onWillPatch');
}

/**
 * Have `listener` called after each patch was applied or undone. Returns a function that unlinks it. Never switches.
 *
 * What it throws is an uncaught exception: the patch is applied, or undone, all the same.
 *
 * @throws TypeError if `listener` is no function. @see https://www.gevent.org/api/gevent.events.html
 */
export function onDidPatch(listener: (event: DidPatchEvent) => void): () => void {
  return add(did, listener, 'onDidPatch');
}

function add<L>(listeners: Set<L>, listener: L, where: string): () => void {
  if (typeof listener !== 'function') throw typeError(`${where} takes a function, not ${nameOf(listener)}`);
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Ask whether `patch` may be applied; the reason if it may not. @internal */
export function announceWill(patch: PatchName): string | undefined {
  let reason: string | undefined;
  for (const listener of [...will]) listener({ patch, veto: (why) => void (reason ??= String(why)) });
  return reason;
}

/** @internal */
export function announceDid(event: DidPatchEvent): void {
  for (const listener of [...did]) {
    try {
      listener(event);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }
}
