// files-directory.ts: `files.opendir(path)`: an open folder, whose entries are read one by one: for folders that are too large for readdir.
//
// An entry that comes for a reader that was killed is kept for the next one, so none is lost.
//
// Invariants, between any two steps:
//   a reader waits   implies  a read is under way, and nothing is kept
//   the registry has this folder  if and only if  it is not closed
// Source: Node's fs.Dir.

/// <reference lib="esnext.disposable" preserve="true" />

import fs, { type Dir, type Dirent, type OpenDirOptions } from 'node:fs';
import { BusyError, ClosedError } from '../core/errors.ts';
import { readyResult } from '../core/kernel.ts';
import type { Waitable, WaitDescription } from '../core/op.ts';
import { LAZY } from '../core/status.ts';
import { created } from '../core/unstarted.ts';
import { Wait } from '../core/wait.ts';
import type { Waiter } from '../core/wait-list.ts';
import { located, looking } from './files-call.ts';
import { checkPath, type FilePath, ownOptions, shownPath } from './files-path.ts';
import { handleClosed, handleOpened } from './handles.ts';

// Taken at load: patches never reach us.
const { opendir: openDir } = fs;

const ignore = (): void => {};

/**
 * Open a folder, to read its entries one by one.
 *
 * Switches. If it throws, nothing stays open. @throws Error of Node's (ENOENT, ENOTDIR, EACCES, EMFILE, ...). @throws TypeError @throws Killed
 * @see https://nodejs.org/api/fs.html#fspromisesopendirpath-options
 */
export function opendir(path: FilePath, options?: OpenDirOptions): Waitable<Directory> {
  const op = 'opendir';
  const folder = checkPath(path, op);
  const own = ownOptions(options, op) ?? {};
  return looking<Directory>({
    op,
    object: shownPath(folder),
    start: (done) =>
      openDir(folder as string, own, (error, dir) => {
        if (error === null) done(null, new Directory(dir, folder));
        else done(error);
      }),
    late: (directory) => directory.close(),
  });
}

/** An open folder. opendir() makes them. */
export class Directory {
  readonly path: string | Buffer;
  readonly #entry: NextEntry;

  /** @internal: opendir() makes them. */
  constructor(dir: Dir, path: string | Buffer) {
    this.path = path;
    this.#entry = new NextEntry(this, dir);
    handleOpened('directory', this);
  }

  /** True after close(), and when next() has said that it is done. */
  get closed(): boolean {
    return this.#entry.closed;
  }

  /**
   * Read the next entry: `{done: false, value}`; at the end `{done: true}`, and the folder is closed then. They come in no order.
   *
   * Switches unless one was kept. If it throws, none was taken. @throws Error of Node's. @throws BusyError if another greenlet is reading.
   * @throws ClosedError after close(), or when it is called while we wait. @throws Killed if the greenlet is killed while it waits.
   */
  next(): Waitable<IteratorResult<Dirent, undefined>> {
    return created(this.#entry);
  }

  /** Close it; who waits gets ClosedError. Never switches, never throws; idempotent. */
  close(): void {
    this.#entry.close();
  }

  /** What a loop that is left calls: close it, and have next() say that it is done. */
  return(): IteratorResult<Dirent, undefined> {
    this.#entry.ended = true;
    this.close();
    return DONE;
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** `directory /tmp`. */
  toString(): string {
    return `directory ${shownPath(this.path)}`;
  }
}

type Step = IteratorResult<Dirent, undefined>;
const DONE: Step = { done: true, value: undefined };

/** What a read brought. */
type Brought = { readonly entry: Dirent | null } | { readonly error: unknown };

class NextEntry extends Wait<Step> {
  closed = false;
  /** An iterator has come to the end, or was left. */
  ended = false;
  readonly #directory: Directory;
  readonly #dir: Dir;
  #reader: Waiter | undefined = undefined;
  #reading = false;
  #kept: Brought | undefined = undefined;

  constructor(directory: Directory, dir: Dir) {
    super();
    this.#directory = directory;
    this.#dir = dir;
  }

  look(): boolean {
    if (this.#reader !== undefined) throw this.#busy();
    if (this.closed && !this.ended) throw this.#closedError();
    const kept = this.#kept;
    if (kept === undefined && !this.ended) return false;
    this.#kept = undefined;
    if (kept !== undefined && 'error' in kept) throw located(kept.error);
    readyResult.value = kept === undefined ? DONE : this.#step(kept.entry);
    return true;
  }

  enlist(waiter: Waiter): void {
    if (this.#reader !== undefined) throw this.#busy();
    this.#reader = waiter;
    waiter.owner().scope.scheduler.externalStarted();
    if (this.#reading) return;
    this.#reading = true;
    this.#dir.read((error, entry) => this.#came(error === null ? { entry } : { error }));
  }

  retract(waiter: Waiter): void {
    this.#reader = undefined;
    waiter.owner().scope.scheduler.externalEnded();
  }

  describe(): WaitDescription {
    return { op: 'next', object: this.#directory.toString() };
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#kept = undefined;
    this.#detach()?.fire(() => this.#closedError(), LAZY);
    handleClosed(this.#directory);
    // Node does it when a read that is under way has come back.
    this.#dir.close(ignore);
  }

  #came(brought: Brought): void {
    this.#reading = false;
    const reader = this.#detach();
    if (reader === undefined) {
      if (!this.closed) this.#kept = brought;
    } else if ('error' in brought) {
      reader.fire(() => located(brought.error), LAZY);
    } else {
      reader.fire(this.#step(brought.entry), 0);
    }
  }

  /** At the end there is nothing more to be had of it. */
  #step(entry: Dirent | null): Step {
    if (entry !== null) return { done: false, value: entry };
    return this.#directory.return();
  }

  #detach(): Waiter | undefined {
    const reader = this.#reader;
    if (reader !== undefined) this.retract(reader);
    return reader;
  }

  #busy(): BusyError {
    return new BusyError(
      `next on ${this.#directory.toString()}, which ${this.#reader?.owner().name} is reading: one greenlet reads at a time`,
    );
  }

  #closedError(): ClosedError {
    return new ClosedError(`next on ${this.#directory.toString()}, which is closed`);
  }
}
