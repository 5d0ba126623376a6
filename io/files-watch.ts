// files-watch.ts: `files.watch(path)`: a channel of what happens to a file or in a folder.
//
// The system tells of changes whether somebody listens or not, so what waits is bounded: when `maxQueue` events wait, those that follow are dropped, and one
// event says so where the gap is. Who sees it looks at everything anew.
//
// What is told differs by system, and one write may be told twice: see Node's caveats.
//
// Invariants, between any two steps:
//   the registry has this watcher  if and only if  it is not closed
//   at most maxQueue events and one overflow wait
// Source: fs.watch; inotify's IN_Q_OVERFLOW.

/// <reference lib="esnext.disposable" preserve="true" />

import fs, { type FSWatcher } from 'node:fs';
import { Channel } from '../core/channel.ts';
import { checkOptions, own, ownCount, ownFlag } from './address.ts';
import { checkPath, type FilePath, shownPath } from './files-path.ts';
import { handleClosed, handleOpened } from './handles.ts';

// Taken at load: patches never reach us.
const { watch: watchPath } = fs;

const DEFAULT_MAX_QUEUE = 2048;

export interface WatchOptions {
  /** Watch the folders below too. */
  readonly recursive?: boolean | undefined;
  /** Keep the process alive: true by default. */
  readonly persistent?: boolean | undefined;
  /** Of file names: 'utf8' by default. */
  readonly encoding?: BufferEncoding | undefined;
  /** How many events may wait before more are dropped: 2,048 by default. */
  readonly maxQueue?: number | undefined;
}

/** Something has happened. */
export interface WatchEvent {
  /** `rename`: a name has come or gone. `change`: the content has. `overflow`: events were dropped here. */
  readonly eventType: 'rename' | 'change' | 'overflow';
  /** The name in the folder, or of the file; null for an overflow, and where the system does not say. */
  readonly filename: string | null;
}

/**
 * Watch a file or a folder from now on. Never switches; receive the events from the channel that is returned, and close it.
 *
 * @throws Error of Node's, at the call: ENOENT, EACCES, ENOSPC or EMFILE if the system has no room for more watchers. @throws TypeError or RangeError for a path
 * or options that are none.
 * @see https://nodejs.org/api/fs.html#fspromiseswatchfilename-options
 */
export function watch(path: FilePath, options?: WatchOptions): Watcher {
  const where = 'watch';
  const file = checkPath(path, where);
  const given = checkOptions(options, where);
  const maxQueue = ownCount(given, 'maxQueue', DEFAULT_MAX_QUEUE, 1, where);
  const watcher = watchPath(file as string, {
    recursive: ownFlag(given, 'recursive', false, where),
    persistent: ownFlag(given, 'persistent', true, where),
    encoding: own<BufferEncoding>(given, 'encoding') ?? 'utf8',
  });
  return new Watcher(watcher, file, maxQueue);
}

/** A channel of what happens to a file or a folder. Closing it ends the watch. */
export class Watcher extends Channel<WatchEvent> {
  readonly path: string | Buffer;
  readonly #watcher: FSWatcher;
  readonly #maxQueue: number;
  #dropped = 0;
  #error: { readonly error: unknown } | undefined = undefined;

  /** @internal: watch() makes them. */
  constructor(watcher: FSWatcher, path: string | Buffer, maxQueue: number) {
    super(maxQueue + 1, { name: `of changes of ${shownPath(path)}` });
    this.path = path;
    this.#watcher = watcher;
    this.#maxQueue = maxQueue;
    watcher.on('change', (eventType, filename) => this.#happened(eventType as 'rename' | 'change', filename));
    watcher.on('error', (error) => {
      this.#error = { error };
      this.close();
    });
    // Node closes it by itself when what it watched is gone, on some systems.
    watcher.on('close', () => this.close());
    handleOpened('watcher', this);
  }

  /** How many events were dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The error that ended it, if one did: receivers have seen ChannelClosedError. */
  get error(): unknown {
    return this.#error?.error;
  }

  /** End the watch. Events that wait can still be received, then receivers get ChannelClosedError. Never switches, never throws; idempotent. */
  override close(): void {
    if (this.closed) return;
    super.close();
    handleClosed(this);
    this.#watcher.close();
  }

  /** `watcher of /tmp`. */
  override toString(): string {
    return `watcher of ${shownPath(this.path)}`;
  }

  #happened(eventType: 'rename' | 'change', filename: string | Buffer | null): void {
    if (this.closed) return;
    if (this.length < this.#maxQueue) {
      this.trySend({ eventType, filename: filename === null ? null : String(filename) });
      return;
    }
    this.#dropped += 1;
    // The last place is kept for it, so it stands where the gap is; if it stands there already there is no room for a second.
    this.trySend({ eventType: 'overflow', filename: null });
  }
}
