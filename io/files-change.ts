// files-change.ts: the functions of `files` that change something: contents, names, folders, rights, times.
//
// Each finishes first when its greenlet is killed or its time is over while it runs, and returns its value; so none of them can be an arm of a select. One that
// is stuck for 5 s longer is given up all the same, and may still have its effect. Names, options and results are those of node:fs/promises.
// Each switches, and throws Node's own error (`code`, `syscall`, `path`), TypeError at the call for a path or options that are none, and
// Killed if the greenlet was killed before it began.

import fs, {
  type CopyOptions,
  type MakeDirectoryOptions,
  type Mode,
  type ObjectEncodingOptions,
  type OpenMode,
  type PathLike,
  type RmDirOptions,
  type RmOptions,
  type symlink as symlinkType,
  type TimeLike,
} from 'node:fs';
import fsPromises from 'node:fs/promises';
import { typeError } from '../core/bad-argument.ts';
import type { Op } from '../core/op.ts';
import { shownValue } from './address.ts';
import type { Done } from './callback.ts';
import { changing, type FsCallOptions, looking, settle } from './files-call.ts';
import { eitherSignal } from './files-look.ts';
import { checkContent, checkPath, type FilePath, namedOptions, ownOptions, shownPath } from './files-path.ts';

// Taken at load: patches never reach us.
const real = { ...fs };
const { writeFile: writeWhole, cp: copyTree } = fsPromises;

/** What can be written to a file whole. */
export type FileContent =
  | string
  | NodeJS.ArrayBufferView
  | Iterable<string | NodeJS.ArrayBufferView>
  | AsyncIterable<string | NodeJS.ArrayBufferView>;

export interface WriteFileOptions {
  /** Of text: 'utf8' by default. */
  readonly encoding?: BufferEncoding | null | undefined;
  readonly mode?: Mode | undefined;
  /** 'w' by default. */
  readonly flag?: OpenMode | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Write `data` to a file, which is made or emptied first. From an iterable or a stream each piece is written as it comes.
 *
 * Switches. If it is killed: text and bytes are written to their end, as of any change; a source that brings pieces is left at once, which leaves a part.
 *
 * @throws Error of Node's (EACCES, ENOSPC, EISDIR, ...): a part may have been written.
 * @see https://nodejs.org/api/fs.html#fspromiseswritefilefile-data-options
 */
export function writeFile(
  path: FilePath,
  data: FileContent,
  options?: WriteFileOptions | BufferEncoding | null,
): Op<void> {
  return writing('writeFile', path, data, options, 'w');
}

/** Write `data` at the end of a file, which is made if it is not there. As writeFile otherwise. */
export function appendFile(
  path: FilePath,
  data: FileContent,
  options?: WriteFileOptions | BufferEncoding | null,
): Op<void> {
  return writing('appendFile', path, data, options, 'a');
}

function writing(
  op: string,
  path: FilePath,
  data: FileContent,
  options: WriteFileOptions | BufferEncoding | null | undefined,
  flag: string,
): Op<void> {
  const file = checkPath(path, op);
  const own = namedOptions<WriteFileOptions>(options, op);
  checkContent(data, op);
  const call: FsCallOptions<void> = {
    op,
    object: shownPath(file),
    abortable: true,
    start: (done, signal) =>
      settle(writeWhole(file, data, { flag, ...own, signal: eitherSignal(own.signal, signal) } as object), done),
  };
  const whole = typeof data === 'string' || ArrayBuffer.isView(data);
  return whole ? changing(call) : looking(call);
}

/** A change of one path. */
function change<T>(
  op: string,
  path: FilePath,
  start: (file: string | Buffer, done: Done<T>) => void,
  late?: (value: T) => void,
): Op<T> {
  const file = checkPath(path, op);
  return changing<T>({ op, object: shownPath(file), start: (done) => start(file, done), late });
}

/** A change from one path to another. */
function changeBoth(
  op: string,
  from: FilePath,
  to: FilePath,
  start: (from: string | Buffer, to: string | Buffer, done: Done<void>) => void,
): Op<void> {
  const source = checkPath(from, op);
  const target = checkPath(to, op);
  const object = `${shownPath(source)} -> ${shownPath(target)}`;
  return changing<void>({ op, object, start: (done) => start(source, target, done) });
}

/** Make a folder; with `recursive` those above it too, and then the first that was made is returned. */
export function mkdir(
  path: FilePath,
  options?: Mode | (MakeDirectoryOptions & { readonly recursive?: false | undefined }) | null,
): Op<undefined>;
export function mkdir(
  path: FilePath,
  options: MakeDirectoryOptions & { readonly recursive: true },
): Op<string | undefined>;
export function mkdir(path: FilePath, options?: Mode | MakeDirectoryOptions | null): Op<string | undefined> {
  const own = ownOptions(options, 'mkdir');
  return change<string | undefined>('mkdir', path, (file, done) => real.mkdir(file, own, done));
}

/** Make a folder with a name of its own that begins with `prefix`, and return its path. One that nobody waits for any more is removed again. */
export function mkdtemp(prefix: string, options?: ObjectEncodingOptions | BufferEncoding | null): Op<string> {
  const op = 'mkdtemp';
  if (typeof prefix !== 'string') throw typeError(`${op} takes the beginning of a path, not ${shownValue(prefix)}`);
  const own = namedOptions<ObjectEncodingOptions>(options, op);
  return change<string>(
    op,
    prefix,
    (file, done) => real.mkdtemp(file as string, own, done),
    (made) => real.rmdir(made, () => {}),
  );
}

/** Remove a file, or with `recursive` a folder with all that is in it. */
export function rm(path: FilePath, options?: RmOptions): Op<void> {
  const own = ownOptions(options, 'rm') ?? {};
  return change<void>('rm', path, (file, done) => real.rm(file, own, done));
}

/** Remove a folder that is empty. */
export function rmdir(path: FilePath, options?: RmDirOptions): Op<void> {
  const own = ownOptions(options, 'rmdir') ?? {};
  return change<void>('rmdir', path, (file, done) => real.rmdir(file, own, done));
}

/** Remove a name; the file goes with its last one. */
export function unlink(path: FilePath): Op<void> {
  return change<void>('unlink', path, (file, done) => real.unlink(file, done));
}

/** Give a file or folder another name, in place of what has that name. */
export function rename(from: FilePath, to: FilePath): Op<void> {
  return changeBoth('rename', from, to, (source, target, done) => real.rename(source, target, done));
}

/** Copy a file; `mode` can be `files.constants.COPYFILE_EXCL` and the like. */
export function copyFile(from: FilePath, to: FilePath, mode = 0): Op<void> {
  return changeBoth('copyFile', from, to, (source, target, done) => real.copyFile(source, target, mode, done));
}

/** Copy a file, or with `recursive` a folder with all that is in it. One that is given up stops after the entry that it is at. */
export function cp(from: FilePath | URL, to: FilePath | URL, options?: CopyOptions): Op<void> {
  const op = 'cp';
  const source = textPath(from, op);
  const target = textPath(to, op);
  const own = ownOptions(options, op) ?? {};
  return changing<void>({
    op,
    object: `${shownPath(source)} -> ${shownPath(target)}`,
    abortable: true,
    start: (done, signal) => {
      const filter = (entry: string, copy: string): boolean | Promise<boolean> => {
        signal?.throwIfAborted();
        return own.filter?.(entry, copy) ?? true;
      };
      settle(copyTree(source, target, { ...own, filter }), done);
    },
  });
}

/** cp of Node takes no bytes. */
function textPath(path: FilePath, op: string): string {
  const checked = checkPath(path, op);
  if (typeof checked !== 'string') throw typeError(`${op} takes a path as a string or a file: URL, not bytes`);
  return checked;
}

/** Make `path` another name of the file `existing`. */
export function link(existing: FilePath, path: FilePath): Op<void> {
  return changeBoth('link', existing, path, (source, target, done) => real.link(source, target, done));
}

/** Make a symbolic link at `path` that leads to `target`. */
export function symlink(target: FilePath, path: FilePath, type?: symlinkType.Type | null): Op<void> {
  return changeBoth('symlink', target, path, (to, at, done) => real.symlink(to as PathLike, at, type, done));
}

/** Set the rights of a file. */
export function chmod(path: FilePath, mode: Mode): Op<void> {
  return change<void>('chmod', path, (file, done) => real.chmod(file, mode, done));
}

/** Set the owner of a file. */
export function chown(path: FilePath, uid: number, gid: number): Op<void> {
  return change<void>('chown', path, (file, done) => real.chown(file, uid, gid, done));
}

/** Set the owner of a symbolic link itself. */
export function lchown(path: FilePath, uid: number, gid: number): Op<void> {
  return change<void>('lchown', path, (file, done) => real.lchown(file, uid, gid, done));
}

/** Set when a file was last read and written: a Date, or seconds since 1970. */
export function utimes(path: FilePath, atime: TimeLike, mtime: TimeLike): Op<void> {
  return change<void>('utimes', path, (file, done) => real.utimes(file, atime, mtime, done));
}

/** As utimes, of a symbolic link itself. */
export function lutimes(path: FilePath, atime: TimeLike, mtime: TimeLike): Op<void> {
  return change<void>('lutimes', path, (file, done) => real.lutimes(file, atime, mtime, done));
}

/** Make a file `length` bytes long: cut it, or add zeros. */
export function truncate(path: FilePath, length = 0): Op<void> {
  return change<void>('truncate', path, (file, done) => real.truncate(file, length, done));
}
