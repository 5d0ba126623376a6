// fs.ts: the public names of `tendril/patches/fs`: those of node:fs, each call that waits being an Op.
//
//   import { createReadStream, readFile, writeFile } from 'tendril/patches/fs';
//   const text = yield* readFile('notes.txt', 'utf8');
//
// A name in ...Sync gives an Op too, which does the asynchronous call: a call that blocks would hold up every greenlet of the process.
// What does not wait (streams, watchers, constants, `promises`) is Node's own, passed through. `open` gives the number of a descriptor, as in Node; for files that are
// byte streams there is `files` of 'tendril'.
// Left out, and why: tests/patches/coverage-reasons.ts; the table is docs/twins-coverage.md.

import fs from 'node:fs';

export {
  constants,
  createReadStream,
  createWriteStream,
  Dirent,
  promises,
  ReadStream,
  Stats,
  unwatchFile,
  WriteStream,
  watch,
  watchFile,
} from 'node:fs';
export {
  appendFile,
  appendFileSync,
  chmod,
  chmodSync,
  chown,
  chownSync,
  copyFile,
  copyFileSync,
  cp,
  cpSync,
  lchmod,
  lchmodSync,
  lchown,
  lchownSync,
  link,
  linkSync,
  lutimes,
  lutimesSync,
  mkdir,
  mkdirSync,
  mkdtemp,
  mkdtempSync,
  rename,
  renameSync,
  rm,
  rmdir,
  rmdirSync,
  rmSync,
  symlink,
  symlinkSync,
  truncate,
  truncateSync,
  unlink,
  unlinkSync,
  utimes,
  utimesSync,
  writeFile,
  writeFileSync,
} from './fs-changes.ts';
export {
  type BytesRead,
  type BytesWritten,
  close,
  closeSync,
  fchmod,
  fchmodSync,
  fchown,
  fchownSync,
  fdatasync,
  fdatasyncSync,
  fsync,
  fsyncSync,
  ftruncate,
  ftruncateSync,
  futimes,
  futimesSync,
  type ReadPlace,
  read,
  readSync,
  readv,
  readvSync,
  write,
  writeSync,
  writev,
  writevSync,
} from './fs-descriptors.ts';
export { Dir, opendir, opendirSync } from './fs-directory.ts';
export {
  access,
  accessSync,
  exists,
  existsSync,
  fstat,
  fstatSync,
  type GlobOptions,
  glob,
  globSync,
  lstat,
  lstatSync,
  open,
  openAsBlob,
  openAsBlobSync,
  openSync,
  readdir,
  readdirSync,
  readFile,
  readFileSync,
  readlink,
  readlinkSync,
  realpath,
  realpathSync,
  stat,
  statfs,
  statfsSync,
  statSync,
} from './fs-looks.ts';

// Newer Nodes have these in `constants` only.
/** Is it there? For access(). */
export const F_OK: number = fs.constants.F_OK;
/** May we read it? For access(). */
export const R_OK: number = fs.constants.R_OK;
/** May we write it? For access(). */
export const W_OK: number = fs.constants.W_OK;
/** May we run it? For access(). */
export const X_OK: number = fs.constants.X_OK;

const { Utf8Stream: Utf8 } = fs as { readonly Utf8Stream?: new (options: object) => NodeJS.WritableStream };
/** A stream that writes text to a file. Undefined before Node 24. */
export const Utf8Stream: (new (options: object) => NodeJS.WritableStream) | undefined = Utf8;
