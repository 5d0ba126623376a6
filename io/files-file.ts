// files-file.ts: an open file: a byte stream with a position.
//
// It is read as a socket is (read, readLine, readExactly, peek, ...), and at its end `read` gives null until it has grown. A write returns when the system has
// all of it. Reads and writes share one position, as they do in POSIX; what is opened with 'a' is written at its end, wherever that is, and that
// leaves the position alone.
//
// Invariant, between any two steps: the registry has this file  if and only if  it is not closed.
// Sources: POSIX read, write, lseek; Python's buffered files (one position under a read buffer); S5, S6, S18.

/// <reference lib="esnext.disposable" preserve="true" />

import fs, { type BigIntStats, type StatOptions, type Stats } from 'node:fs';
import { rangeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import { ClosedError } from '../core/errors.ts';
import type { Op, Resume, Trap, Waitable } from '../core/op.ts';
import { shield } from '../core/shield.ts';
import { checkOptions, ownCount, shownValue } from './address.ts';
import type { Done } from './callback.ts';
import { blockingPoint, FsCall, located, looking } from './files-call.ts';
import type { Descriptor } from './files-descriptor.ts';
import { ownOptions, shownPath } from './files-path.ts';
import { FileReading } from './files-reading.ts';
import { FileWriting, type WritingOwner } from './files-writing.ts';
import { handleClosed, handleOpened } from './handles.ts';
import type { InboundOwner } from './inbound.ts';
import { ReadExactly, ReadSome, ReadUntil } from './reads.ts';
import type { ReadLineOptions, ReadUntilOptions } from './socket.ts';
import { lineOptions, ReadTextLine } from './stdio-lines.ts';
import { bytesOf, checkSize, pieceOf, type Writable } from './writable.ts';

// Taken at load: patches never reach us.
const { fsync, fdatasync, fstat } = fs;

const DEFAULT_LINE_LIMIT = 65_536;

/** An open file. open() makes them. */
export class File {
  /** The path that it was opened by. */
  readonly path: string | Buffer;
  readonly #descriptor: Descriptor;
  readonly #reading: FileReading;
  readonly #writing: FileWriting;
  #closed = false;

  /** @internal: open() makes files. */
  constructor(path: string | Buffer, descriptor: Descriptor, appends: boolean) {
    this.path = path;
    this.#descriptor = descriptor;
    const owner = new Owner(this);
    this.#reading = new FileReading(owner, descriptor);
    this.#writing = new FileWriting(owner, descriptor, this.#reading, appends);
    handleOpened('file', this);
  }

  /** True after close(). */
  get closed(): boolean {
    return this.#closed;
  }

  /** Where the next byte is read or written. Of what has no positions (a pipe, a terminal): how much was read. */
  get position(): number {
    return this.#reading.position;
  }

  /** How many bytes were read from the system and wait to be taken. */
  get buffered(): number {
    return this.#reading.buffer.size;
  }

  /**
   * Go to `position`, counted in bytes from the beginning. It may lie behind the end. Never switches.
   *
   * Who is waiting to read gets what is there. @throws RangeError if `position` is no integer >= 0. @throws ClosedError after close().
   * A file that has no positions throws ESPIPE at the next read or write.
   */
  seek(position: number): void {
    if (!Number.isSafeInteger(position) || position < 0)
      throw rangeError(`seek takes an integer >= 0, not ${shownValue(position)}`);
    if (this.#closed) throw closedError(this, 'seek');
    this.#reading.seek(position);
  }

  /**
   * Read what is there: at least one byte, at most `max`, usually 64 KiB; null at the end of the file.
   *
   * Switches only if nothing is buffered. The buffer is yours. If it throws, nothing was taken. After null more can come, if the file grows.
   *
   * @throws Error of Node's (EISDIR, EIO, EBADF if it was not opened for reading, ...). @throws BusyError if another greenlet is reading.
   * @throws ClosedError after our close(), or when close() is called while we wait. @throws Killed if the greenlet is killed while it waits.
   */
  read(max?: number): Waitable<Buffer | null> {
    return new ReadSome(this.#reading, checkMost(max, 'read'), false);
  }

  /** As `read`, but what is returned stays and will be read again. */
  peek(max?: number): Waitable<Buffer | null> {
    return new ReadSome(this.#reading, checkMost(max, 'peek'), true);
  }

  /** Read exactly `count` bytes. @throws IncompleteReadError if the file ends before; what there is stays. Otherwise as `read`. */
  readExactly(count: number): Waitable<Buffer> {
    if (!Number.isInteger(count) || count < 0 || count >= 2 ** 31)
      throw rangeError(`readExactly takes an integer from 0 to 2147483647, not ${shownValue(count)}`);
    return new ReadExactly(this.#reading, count);
  }

  /** Read a line, without its LF or CR LF; null at the end. The end of the file ends a line too. @throws LineTooLongError. Otherwise as `read`. */
  readLine(options?: ReadLineOptions): Waitable<string | null> {
    const { limit, encoding } = lineOptions(options, 'readLine');
    return new ReadTextLine(this.#reading, limit, encoding);
  }

  /** Read up to `delimiter`, which is taken too; null at the end. @throws IncompleteReadError if it never comes. Otherwise as `readLine`. */
  readUntil(delimiter: string | Uint8Array, options?: ReadUntilOptions): Waitable<Buffer | null> {
    const mark = bytesOf(pieceOf(delimiter, 'readUntil'));
    if (mark.length === 0) throw rangeError('readUntil takes a delimiter of at least one byte');
    const limit = ownCount(checkOptions(options, 'readUntil'), 'limit', DEFAULT_LINE_LIMIT, 0, 'readUntil');
    return new ReadUntil(this.#reading, Buffer.from(mark), limit);
  }

  /** Put bytes back in front, to be read again. Never switches. @throws BusyError if a greenlet is reading. */
  unread(bytes: Uint8Array): void {
    this.#reading.unread(bytes);
  }

  /**
   * Write all of `data` at the position, or at the end of a file that was opened to append.
   *
   * Switches. Returns when the system has it (`sync` waits for the disk). It waits for its turn, and a kill then ends it with nothing written; once it has begun
   * it finishes first.
   *
   * @throws TypeError at the call for what is neither text nor bytes. @throws Error of Node's (ENOSPC, EBADF, EPIPE, ...): a part may have been written, and
   * the position is behind it. @throws ClosedError @throws Killed
   */
  write(data: Writable): Op<void> {
    const piece = bytesOf(pieceOf(data, 'write'));
    checkSize(piece.length, 'write');
    return this.#writing.write(piece);
  }

  /** Make it `length` bytes long: cut it, or add zeros. Takes its turn, as `write`. The position stays. */
  truncate(length = 0): Op<void> {
    if (!Number.isSafeInteger(length) || length < 0)
      throw rangeError(`truncate takes an integer >= 0, not ${shownValue(length)}`);
    return this.#writing.truncate(length);
  }

  /** Wait until the disk has what was written, and what belongs to it. Switches. @throws Error of Node's (EIO, EINVAL, ...). */
  sync(): Waitable<void> {
    return this.#looking<void>('sync', (done) => this.#descriptor.call<void>(fsync, done));
  }

  /** As sync, without times and the like. */
  datasync(): Waitable<void> {
    return this.#looking<void>('datasync', (done) => this.#descriptor.call<void>(fdatasync, done));
  }

  /** Say what the file is: size, times, kind. Switches. */
  stat(options?: StatOptions & { readonly bigint?: false | undefined }): Waitable<Stats>;
  stat(options: StatOptions & { readonly bigint: true }): Waitable<BigIntStats>;
  stat(options?: StatOptions): Waitable<Stats | BigIntStats>;
  stat(options?: StatOptions): Waitable<Stats | BigIntStats> {
    const given = ownOptions(options, 'stat');
    return this.#looking<Stats | BigIntStats>('stat', (done) =>
      this.#descriptor.call<Stats | BigIntStats>((number, back) => fstat(number, given, back), done),
    );
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Close it. Never switches, never throws; idempotent.
   *
   * Who waits to read, or for a turn to write, gets ClosedError; a write that has begun finishes. The system closes it when that is done, which another thread
   * sees to; what it says of that is dropped: to hear of it use closeGracefully.
   */
  close(): void {
    this.#end();
    this.#descriptor.close();
  }

  /**
   * Wait until what was asked for before is written, and close. Some file systems (over a network, with quotas) say only here that a write has failed.
   *
   * Switches. However it ends, the file is closed. @throws Error of Node's (EIO, ENOSPC, EDQUOT, ...). @throws Killed if the greenlet is killed.
   */
  closeGracefully(): Op<void> {
    return composite(() => this.#closing());
  }

  *#closing(): Generator<Trap, void, Resume> {
    if (this.#closed) return;
    try {
      yield* this.#writing.settle();
      yield* blockingPoint;
    } catch (error) {
      this.close();
      throw error;
    }
    if (this.#closed) return;
    this.#end();
    yield* shield(
      new FsCall<void>({ op: 'close', object: String(this), start: (done) => this.#descriptor.close(done) }),
    );
  }

  /** `file /tmp/data`. */
  toString(): string {
    return `file ${shownPath(this.path)}`;
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reading.close();
    this.#writing.close();
    handleClosed(this);
  }

  #looking<T>(op: string, start: (done: Done<T>) => void): Waitable<T> {
    return looking<T>({
      op,
      object: String(this),
      start: (done) => {
        if (this.#closed) throw closedError(this, op);
        start(done);
      },
    });
  }
}

/** What both sides know of their file. */
class Owner implements InboundOwner, WritingOwner {
  readonly transport: InboundOwner['transport'] = { resume: () => {} };
  readonly #file: File;

  constructor(file: File) {
    this.#file = file;
  }

  get closed(): boolean {
    return this.#file.closed;
  }

  toString(): string {
    return this.#file.toString();
  }

  lost(_op: string, cause: unknown): Error {
    return located(cause) as Error;
  }

  closedError(op: string): ClosedError {
    return closedError(this.#file, op);
  }
}

function closedError(file: File, op: string): ClosedError {
  return new ClosedError(`${op} on ${file.toString()}, which is closed`);
}

function checkMost(max: number | undefined, op: string): number {
  if (max === undefined) return Number.POSITIVE_INFINITY;
  if (max !== Number.POSITIVE_INFINITY && (!Number.isInteger(max) || max < 1))
    throw rangeError(`${op} takes a positive integer, not ${shownValue(max)}`);
  return max;
}
