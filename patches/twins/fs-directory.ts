// fs-directory.ts: the twins of fs.opendir and fs.Dir: an open folder, read entry by entry.
//
// The folder and its reads are those of `files.opendir` (io/files-directory.ts): an entry that comes for a reader that was killed is kept for the next one, and a
// folder that was opened too late is closed.
//
// Unlike Node's Dir it is closed as soon as its end has been read, may be closed again, and is read by one greenlet at a time.

/// <reference lib="esnext.disposable" preserve="true" />

import type { Dirent, OpenDirOptions, PathLike } from 'node:fs';
import type { Waitable } from '../../core/op.ts';
import { blockingPoint } from '../../io/files-call.ts';
import { type Directory, opendir as openDirectory } from '../../io/files-directory.ts';
import type { FilePath } from '../../io/files-path.ts';
import { converted } from './converted.ts';

type Step = IteratorResult<Dirent, undefined>;

/** An open folder. opendir() makes them. It can be given to `forEach`. */
export class Dir {
  readonly #directory: Directory;

  /** @internal: opendir() makes them. */
  constructor(directory: Directory) {
    this.#directory = directory;
  }

  /** As it was given to opendir(). */
  get path(): string {
    return String(this.#directory.path);
  }

  /**
   * Read the next entry; null at the end. They come in no order.
   *
   * Switches. If it throws, none was taken. @throws Error of Node's. @throws BusyError if another greenlet is reading. @throws ClosedError after close().
   */
  read(): Waitable<Dirent | null> {
    return converted(this.#directory.next(), (step) => (step.done === true ? null : step.value));
  }

  /** As read(). */
  readSync(): Waitable<Dirent | null> {
    return this.read();
  }

  /** As read(), as iterators have it. */
  next(): Waitable<Step> {
    return this.#directory.next();
  }

  /** What a loop that is left calls: close it. Never switches. */
  return(): Step {
    return this.#directory.return();
  }

  /**
   * Close it. That is done at the call, so also in the `finally` of a greenlet that is killed; what is returned waits for nothing. Idempotent.
   *
   * @throws Killed, from the Op, if the greenlet has been killed: the folder is closed all the same.
   */
  close(): Waitable<void> {
    this.#directory.close();
    return blockingPoint;
  }

  /** As close(). */
  closeSync(): Waitable<void> {
    return this.close();
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.#directory.close();
  }
}

type OpenDir = (path: PathLike, options?: OpenDirOptions) => Waitable<Dir>;

function opener(path: PathLike, options?: OpenDirOptions): Waitable<Dir> {
  return converted(openDirectory(path as FilePath, options), (directory) => new Dir(directory));
}

/**
 * Open a folder.
 *
 * Switches. If it throws, nothing stays open. @throws Error of Node's (ENOENT, ENOTDIR, ...). @throws TypeError at the call for what is no path.
 * @see https://nodejs.org/api/fs.html#fsopendirpath-options-callback
 */
export const opendir: OpenDir = (path, options) => opener(path, options);
/** As opendir(). */
export const opendirSync: OpenDir = (path, options) => opener(path, options);
