// files-path.ts: the check of what a caller gives for a path, for options and for data, at the call and before any IO.
//
// A path is a string, bytes (names need not be text) or a file: URL, as in node:fs. Options are copied: as own properties only, and as they are now.

import { fileURLToPath } from 'node:url';
import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { Wait } from '../core/wait.ts';
import { shownValue } from './address.ts';

/** What names a file. */
export type FilePath = string | Uint8Array | URL;

/**
 * Check a path, in the words of `where`, and make it one that nobody else can change.
 *
 * @throws TypeError for what is none (ERR_INVALID_ARG_TYPE), holds NUL (ERR_INVALID_ARG_VALUE), or is a URL of no file (ERR_INVALID_URL_SCHEME, ...).
 */
export function checkPath(path: unknown, where: string): string | Buffer {
  const checked = path instanceof URL ? fileURLToPath(path) : path;
  if (typeof checked !== 'string' && !(checked instanceof Uint8Array))
    throw typeError(`${where} takes a path (a string, bytes or a file: URL), not ${shownValue(path)}`);
  if (typeof checked === 'string' ? checked.includes('\0') : checked.includes(0))
    throw typeError(`${where}: a path must not hold NUL`, 'ERR_INVALID_ARG_VALUE');
  return typeof checked === 'string' ? checked : Buffer.from(checked);
}

/** A path for reports. */
export function shownPath(path: string | Buffer): string {
  const text = String(path);
  return text.length <= 200 ? text : `${text.slice(0, 197)}...`;
}

/** A copy of an options argument: own properties only. An encoding or a mode in its place stays as it is. @throws TypeError for anything else. */
export function ownOptions<T>(options: T, where: string): T {
  if (options === undefined || options === null) return undefined as T;
  if (typeof options === 'string' || typeof options === 'number') return options;
  if (typeof options === 'object') return { ...options };
  throw typeError(`${where}: options must be an object, not ${shownValue(options)}`);
}

/** As `ownOptions`, with `{encoding}` for a string. */
export function namedOptions<T extends object>(options: T | string | null | undefined, where: string): T {
  const own = ownOptions<unknown>(options, where);
  if (typeof own === 'number') throw typeError(`${where}: options must be an object or an encoding, not ${own}`);
  return (typeof own === 'string' ? { encoding: own } : (own ?? {})) as T;
}

/** Check what is to be written to a file whole. @throws TypeError for what is neither text, bytes nor a source of them. */
export function checkContent(data: unknown, where: string): void {
  // A forgotten `yield*`. Both may be iterable here, in a greenlet, and are not where Node iterates them.
  if (data instanceof Wait || typeof (data as { then?: unknown } | null | undefined)?.then === 'function')
    throw typeError(`${where}: the data is ${nameOf(data)}: wait for it first, with yield*`);
  const isSource =
    typeof data === 'object' &&
    data !== null &&
    (ArrayBuffer.isView(data) ||
      typeof (data as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function' ||
      typeof (data as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function');
  if (typeof data !== 'string' && !isSource)
    throw typeError(`${where} takes a string, bytes, an iterable or a stream, not ${shownValue(data)}`);
}
