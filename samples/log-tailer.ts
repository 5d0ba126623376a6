// log-tailer.ts: follow a log as `tail -F` does: what is appended, through truncation and rotation.
//
// A file that is renamed, or removed, is read to its end, and for a while longer, because whoever writes to it may not know yet; then comes the file that has
// its name now. The system tells of changes in the folder; where it does not, a look now and then finds them too. A line is given when it is whole.
//
// What no reader can see is lost: what was written and truncated between two looks, and a file that came and went between two.
//
// How to run: npx tsx samples/log-tailer.ts file      (SIGUSR1 prints a count; SIGINT or SIGTERM ends it)

import { dirname } from 'node:path';
import {
  Channel,
  ChannelClosedError,
  files,
  main,
  now,
  type Op,
  rethrowKilled,
  scope,
  select,
  signals,
  timeout,
  type Waitable,
} from 'tendril';

export interface FollowOptions {
  /** Where to begin in the file that is there: at its end (default) or at its start. A file that comes later is read from its start. */
  readonly from?: 'end' | 'start' | undefined;
  /** Look at least so often: every 1,000 ms by default. */
  readonly pollMs?: number | undefined;
  /** How long a file that has lost its name is still read: 5,000 ms by default. */
  readonly lingerMs?: number | undefined;
  /** A longer line is given in pieces: 1 MiB by default. */
  readonly maxLineBytes?: number | undefined;
}

/** A file that is read. */
interface Source {
  readonly file: files.File;
  /** The bytes of a line that has not ended. */
  partial: Buffer[];
  partialBytes: number;
  /** When it is given up; Infinity while it has its name. */
  untilMs: number;
}

/**
 * Send each line of the file at `path` to `lines`, from now on, until killed, or `lines` is closed. The channel bounds what is read ahead.
 *
 * @throws what Node throws for a folder that cannot be watched, or a file that is there and cannot be read.
 */
export function* follow(path: string, lines: Channel<string>, options: FollowOptions = {}): Op<void> {
  const { pollMs = 1_000 } = options;
  const watcher = files.watch(dirname(path));
  const follower = new Follower(path, lines, options);
  try {
    yield* follower.begin();
    for (;;) {
      // The events that wait are of the past: one look finds all of it.
      while (watcher.tryReceive() !== undefined);
      yield* follower.look();
      yield* timeout(Math.min(pollMs, follower.patienceMs()), watcher.receive() as Waitable<unknown>, {
        else: undefined,
      });
    }
  } catch (error) {
    if (!(error instanceof ChannelClosedError && lines.closed)) throw error;
  } finally {
    watcher.close();
    follower.close();
  }
}

class Follower {
  readonly #path: string;
  readonly #lines: Channel<string>;
  readonly #from: 'end' | 'start';
  readonly #lingerMs: number;
  readonly #maxLineBytes: number;
  /** Oldest first; the last one may have the name. */
  readonly #sources: Source[] = [];

  constructor(
    path: string,
    lines: Channel<string>,
    { from = 'end', lingerMs = 5_000, maxLineBytes = 1_048_576 }: FollowOptions,
  ) {
    this.#path = path;
    this.#lines = lines;
    this.#from = from;
    this.#lingerMs = lingerMs;
    this.#maxLineBytes = maxLineBytes;
  }

  *begin(): Op<void> {
    const source = yield* this.#open();
    if (source !== undefined && this.#from === 'end') source.file.seek((yield* source.file.stat()).size);
  }

  /** Read what there is, and find out whether the name leads somewhere else now. */
  *look(): Op<void> {
    for (;;) {
      const current = this.#sources.at(-1);
      const moved =
        current === undefined || current.untilMs !== Number.POSITIVE_INFINITY || !(yield* this.#hasName(current));
      for (const source of [...this.#sources]) {
        yield* this.#readToEnd(source);
        if (now() >= source.untilMs) yield* this.#giveUp(source);
      }
      if (!moved) return;
      if (current !== undefined && current.untilMs === Number.POSITIVE_INFINITY)
        current.untilMs = now() + this.#lingerMs;
      if ((yield* this.#open()) === undefined) return;
    }
  }

  /** How long until a file is given up. */
  patienceMs(): number {
    return Math.max(0, Math.min(...this.#sources.map(({ untilMs }) => untilMs)) - now());
  }

  close(): void {
    for (const { file } of this.#sources) file.close();
  }

  *#open(): Op<Source | undefined> {
    let file: files.File;
    try {
      file = yield* files.open(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    for (const known of this.#sources) {
      if (!(yield* isSame(known.file, file))) continue;
      // It has its name back.
      file.close();
      known.untilMs = Number.POSITIVE_INFINITY;
      this.#sources.push(...this.#sources.splice(this.#sources.indexOf(known), 1));
      return known;
    }
    const source = { file, partial: [], partialBytes: 0, untilMs: Number.POSITIVE_INFINITY };
    this.#sources.push(source);
    return source;
  }

  *#hasName({ file }: Source): Op<boolean> {
    try {
      return yield* isSame(file, { stat: (how) => files.stat(this.#path, how) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  *#readToEnd(source: Source): Op<void> {
    const { file } = source;
    for (;;) {
      const bytes = yield* file.read();
      if (bytes !== null) {
        yield* this.#split(source, bytes);
      } else {
        if ((yield* file.stat()).size >= file.position) return;
        // Truncated: what follows is the beginning of something else.
        yield* this.#endLine(source);
        file.seek(0);
      }
    }
  }

  *#split(source: Source, bytes: Buffer): Op<void> {
    let start = 0;
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
      yield* this.#append(source, bytes.subarray(start, end));
      yield* this.#send(source);
      start = end + 1;
    }
    yield* this.#append(source, bytes.subarray(start));
  }

  /** Add to a line; what it has no room for begins the next piece. */
  *#append(source: Source, bytes: Buffer): Op<void> {
    let rest = bytes;
    for (let room = this.#maxLineBytes - source.partialBytes; rest.length > room; room = this.#maxLineBytes) {
      source.partial.push(rest.subarray(0, room));
      rest = rest.subarray(room);
      yield* this.#send(source);
    }
    source.partial.push(rest);
    source.partialBytes += rest.length;
  }

  *#endLine(source: Source): Op<void> {
    if (source.partialBytes > 0) yield* this.#send(source);
  }

  *#send(source: Source): Op<void> {
    const line = Buffer.concat(source.partial).toString();
    source.partial = [];
    source.partialBytes = 0;
    yield* this.#lines.send(line);
  }

  *#giveUp(source: Source): Op<void> {
    yield* this.#endLine(source);
    source.file.close();
    this.#sources.splice(this.#sources.indexOf(source), 1);
  }
}

interface Looked {
  stat(how: { bigint: true }): Op<{ readonly ino: bigint; readonly dev: bigint }>;
}

function* isSame(one: Looked, other: Looked): Op<boolean> {
  const first = yield* one.stat({ bigint: true });
  const second = yield* other.stat({ bigint: true });
  return first.ino === second.ino && first.dev === second.dev;
}

function* program(): Op<void> {
  const path = process.argv[2];
  if (path === undefined) {
    console.error('Which file? How to run: npx tsx samples/log-tailer.ts file');
    process.exitCode = 2;
    return;
  }
  const counting = signals.onSignal('SIGUSR1');
  const lines = new Channel<string>(1_024, { name: 'lines' });
  let count = 0;
  try {
    yield* scope(function* tail(s): Op<void> {
      s.spawn(follow, path, lines);
      console.error(`following ${path}`);
      for (;;) {
        const { key, value } = yield* select({ line: lines.receive(), signal: counting.receive() });
        if (key === 'signal') {
          console.error(`${count} lines so far`);
        } else {
          count += 1;
          console.log(value);
        }
      }
    });
  } catch (error) {
    rethrowKilled(error);
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    console.error(`Cannot follow ${path}: ${message}`);
    process.exitCode = 1;
  } finally {
    counting.close();
  }
}

if (process.argv[1] === import.meta.filename) main(program);
