// handle.ts: what of a shared object travels to another thread: its memory, and what it is called.
//
// It is plain data: it may be copied in workerData, postMessage, the arguments of a task or a value of a channel. Not to another process: memory is shared
// within one.

import { typeError } from '../../core/bad-argument.ts';
import { nameOf } from '../../core/op.ts';
import { checkOptions, ownText } from '../../io/address.ts';

/** A shared object on its way to another thread. */
export interface SharedHandle<K extends string = string> {
  readonly kind: K;
  readonly buffer: SharedArrayBuffer;
  readonly name: string | undefined;
}

export interface SharedOptions {
  /** Shown in reports and errors. */
  readonly name?: string | undefined;
}

/** The `name` of options. @throws TypeError */
export function nameIn(options: SharedOptions | undefined, where: string): string | undefined {
  return ownText(checkOptions(options, where), 'name', where);
}

/** Check what has come from another thread. @throws TypeError if it is no handle of that kind. */
export function checkHandle<K extends string>(given: unknown, kind: K, bytes: number, where: string): SharedHandle<K> {
  const handle = given as Partial<SharedHandle<K>> | null | undefined;
  if (handle?.kind !== kind || !(handle.buffer instanceof SharedArrayBuffer) || handle.buffer.byteLength !== bytes)
    throw typeError(`${where} takes the handle of one, as another thread has sent it, not ${nameOf(given)}`);
  const name = ownText(handle, 'name', where);
  return { kind, buffer: handle.buffer, name };
}
