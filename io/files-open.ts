// files-open.ts: `files.open(path)`: open a file, to read and write it piece by piece.
//
// Opening may have its effect (make or empty a file) although it was given up: what is opened too late is closed.
// Opening a FIFO holds a thread of the pool until somebody opens its other end.

import fs, { type OpenMode } from 'node:fs';
import { typeError } from '../core/bad-argument.ts';
import type { Waitable } from '../core/op.ts';
import { shownValue } from './address.ts';
import { looking } from './files-call.ts';
import { Descriptor } from './files-descriptor.ts';
import { File } from './files-file.ts';
import { checkPath, type FilePath, shownPath } from './files-path.ts';

const { O_APPEND } = fs.constants;

/**
 * Open a file. Flags are those of node:fs: 'r' (the default), 'r+', 'w', 'wx', 'a', 'a+', or numbers of `files.constants`.
 *
 * Switches. If it throws, nothing stays open: a file that is opened too late is closed.
 *
 * @throws Error of Node's (ENOENT, EACCES, EEXIST, EMFILE, ...). @throws TypeError for a path or flags that are none. @throws Killed
 * @see https://nodejs.org/api/fs.html#fspromisesopenpath-flags-mode
 */
export function open(path: FilePath, flags: OpenMode = 'r', mode: string | number = 0o666): Waitable<File> {
  const op = 'open';
  const opening = { path: checkPath(path, op), flags, mode };
  if (typeof flags !== 'string' && typeof flags !== 'number')
    throw typeError(`${op}: flags must be a string or a number, not ${shownValue(flags)}`);
  const appends = typeof flags === 'number' ? (flags & O_APPEND) !== 0 : flags.includes('a');
  return looking<File>({
    op,
    object: shownPath(opening.path),
    start: (done) =>
      Descriptor.open(opening, (error, descriptor) => {
        if (descriptor === undefined) done(error);
        else done(null, new File(opening.path, descriptor, appends));
      }),
    late: (file) => file.close(),
  });
}
