// files-look.ts: the functions of `files` that only look: what a file or a folder is, and what is in it.
//
// Each is one indivisible wait that a kill or a timeout ends at once. Names, options and results are those of node:fs/promises.
// Each throws Node's own error (`code`, `syscall`, `path`), TypeError at the call for a path or options that are none, and Killed if the greenlet is
// killed while it waits.

import fs, {
  type BigIntStats,
  type BigIntStatsFs,
  type Dirent,
  type ObjectEncodingOptions,
  type OpenMode,
  type StatFsOptions,
  type StatOptions,
  type Stats,
  type StatsFs,
} from 'node:fs';
import fsPromises from 'node:fs/promises';
import type { Waitable } from '../core/op.ts';
import type { Done } from './callback.ts';
import { looking, settle } from './files-call.ts';
import { checkPath, type FilePath, namedOptions, ownOptions, shownPath } from './files-path.ts';

// Taken at load: patches never reach us.
const real = { ...fs };
const { readdir: listBelow } = fsPromises;

/** Numbers of access modes, flags and the like, as in node:fs. */
export const constants: typeof fs.constants = fs.constants;

type Encoding = BufferEncoding;
type EncodingOption = ObjectEncodingOptions | Encoding | null;
type BufferOption = { readonly encoding: 'buffer' } | 'buffer';

export interface ReadFileOptions {
  readonly encoding?: Encoding | null | undefined;
  /** 'r' by default. */
  readonly flag?: OpenMode | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Read a whole file: bytes, or text if there is an encoding.
 *
 * Switches. If it throws, reading has stopped. @throws Error of Node's (ENOENT, EISDIR, ENOMEM, ...). @throws Killed
 * @see https://nodejs.org/api/fs.html#fspromisesreadfilepath-options
 */
export function readFile(
  path: FilePath,
  options?: (ReadFileOptions & { readonly encoding?: null | undefined }) | null,
): Waitable<Buffer>;
export function readFile(
  path: FilePath,
  options: (ReadFileOptions & { readonly encoding: Encoding }) | Encoding,
): Waitable<string>;
export function readFile(path: FilePath, options?: ReadFileOptions | Encoding | null): Waitable<string | Buffer>;
export function readFile(path: FilePath, options?: ReadFileOptions | Encoding | null): Waitable<string | Buffer> {
  const op = 'readFile';
  const file = checkPath(path, op);
  const own = namedOptions<ReadFileOptions>(options, op);
  return looking<string | Buffer>({
    op,
    object: shownPath(file),
    abortable: true,
    start: (done, signal) => real.readFile(file, { ...own, signal: eitherSignal(own.signal, signal) } as object, done),
  });
}

/** A signal that aborts when one of the two does. */
export function eitherSignal(theirs: AbortSignal | undefined, ours: AbortSignal | undefined): AbortSignal | undefined {
  return theirs === undefined || ours === undefined ? (ours ?? theirs) : AbortSignal.any([theirs, ours]);
}

/** Say what `path` leads to: size, times, kind. Switches. See readFile for what it throws. */
export function stat(path: FilePath, options?: StatOptions & { readonly bigint?: false | undefined }): Waitable<Stats>;
export function stat(path: FilePath, options: StatOptions & { readonly bigint: true }): Waitable<BigIntStats>;
export function stat(path: FilePath, options?: StatOptions): Waitable<Stats | BigIntStats>;
export function stat(path: FilePath, options?: StatOptions): Waitable<Stats | BigIntStats> {
  return statWith('stat', path, options);
}

/** As stat, but of a symbolic link it says what the link itself is. */
export function lstat(path: FilePath, options?: StatOptions & { readonly bigint?: false | undefined }): Waitable<Stats>;
export function lstat(path: FilePath, options: StatOptions & { readonly bigint: true }): Waitable<BigIntStats>;
export function lstat(path: FilePath, options?: StatOptions): Waitable<Stats | BigIntStats>;
export function lstat(path: FilePath, options?: StatOptions): Waitable<Stats | BigIntStats> {
  return statWith('lstat', path, options);
}

function statWith(op: 'stat' | 'lstat', path: FilePath, options?: StatOptions): Waitable<Stats | BigIntStats> {
  const file = checkPath(path, op);
  const own = ownOptions(options, op);
  return looking({ op, object: shownPath(file), start: (done) => real[op](file, own, done) });
}

/** Say what the file system that holds `path` is, and how much room it has. Switches. See readFile for what it throws. */
export function statfs(
  path: FilePath,
  options?: StatFsOptions & { readonly bigint?: false | undefined },
): Waitable<StatsFs>;
export function statfs(path: FilePath, options: StatFsOptions & { readonly bigint: true }): Waitable<BigIntStatsFs>;
export function statfs(path: FilePath, options?: StatFsOptions): Waitable<StatsFs | BigIntStatsFs>;
export function statfs(path: FilePath, options?: StatFsOptions): Waitable<StatsFs | BigIntStatsFs> {
  const op = 'statfs';
  const file = checkPath(path, op);
  const own = ownOptions(options, op);
  return looking({ op, object: shownPath(file), start: (done) => real.statfs(file, own, done) });
}

/** Check that we may read, write or run `path` (`files.constants.R_OK`, ...), or that it is there. Switches. @throws Error of Node's (EACCES, ENOENT, ...) if not. */
export function access(path: FilePath, mode?: number): Waitable<void> {
  const op = 'access';
  const file = checkPath(path, op);
  return looking<void>({ op, object: shownPath(file), start: (done) => real.access(file, mode, done) });
}

export interface ReaddirOptions {
  readonly encoding?: Encoding | null | undefined;
  readonly withFileTypes?: boolean | undefined;
  /** Go down into folders. */
  readonly recursive?: boolean | undefined;
}

/** List a folder: names, or with `withFileTypes` entries. Switches. See readFile for what it throws. */
export function readdir(
  path: FilePath,
  options?: (ReaddirOptions & { readonly withFileTypes?: false | undefined }) | Encoding | null,
): Waitable<string[]>;
export function readdir(path: FilePath, options: ReaddirOptions & { readonly withFileTypes: true }): Waitable<Dirent[]>;
export function readdir(
  path: FilePath,
  options: { readonly encoding: 'buffer'; readonly withFileTypes?: false; readonly recursive?: boolean } | 'buffer',
): Waitable<Buffer[]>;
export function readdir(path: FilePath, options?: object | string | null): Waitable<string[] | Dirent[] | Buffer[]> {
  const op = 'readdir';
  const file = checkPath(path, op);
  const own = namedOptions<ReaddirOptions>(options as ReaddirOptions, op);
  return looking<Listed>({
    op,
    object: shownPath(file),
    start: (done) => list(file, own, done),
  });
}

type Listed = string[] | Dirent[] | Buffer[];

/** The form with a callback goes down into folders without giving way, in Node 20: for seconds if there are many. */
function list(folder: string | Buffer, options: ReaddirOptions, done: Done<Listed>): void {
  if (options.recursive === true) settle(listBelow(folder, options as object), done);
  else real.readdir(folder, options as object, done);
}

/** Say where a symbolic link leads. Switches. See readFile for what it throws. */
export function readlink(path: FilePath, options?: EncodingOption): Waitable<string>;
export function readlink(path: FilePath, options: BufferOption): Waitable<Buffer>;
export function readlink(path: FilePath, options?: EncodingOption | BufferOption): Waitable<string | Buffer> {
  const op = 'readlink';
  const file = checkPath(path, op);
  const own = namedOptions<object>(options, op);
  return looking<string | Buffer>({ op, object: shownPath(file), start: (done) => real.readlink(file, own, done) });
}

/** Find the path without symbolic links, `.` and `..`. Switches. See readFile for what it throws. */
export function realpath(path: FilePath, options?: EncodingOption): Waitable<string>;
export function realpath(path: FilePath, options: BufferOption): Waitable<Buffer>;
export function realpath(path: FilePath, options?: EncodingOption | BufferOption): Waitable<string | Buffer> {
  const op = 'realpath';
  const file = checkPath(path, op);
  const own = namedOptions<object>(options, op);
  const { native } = real.realpath;
  return looking<string | Buffer>({ op, object: shownPath(file), start: (done) => native(file, own, done) });
}
