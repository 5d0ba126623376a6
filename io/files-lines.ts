// files-lines.ts: `files.lines(path)`: the lines of a text file, one after the other, for `forEach` or by hand.
//
// The file is opened when the first line is asked for, and closed after the last one, by close(), and by a forEach that ends early. Each next() is one wait that
// takes a line or nothing; who is killed meanwhile loses none.
//
// Invariant: the registry has it  if and only if  its file is open.

/// <reference lib="esnext.disposable" preserve="true" />

import type { OpenMode } from 'node:fs';
import { typeError } from '../core/bad-argument.ts';
import { ClosedError } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { readyResult } from '../core/kernel.ts';
import type { Waitable } from '../core/op.ts';
import { created } from '../core/unstarted.ts';
import { checkOptions, own, shownValue } from './address.ts';
import { located } from './files-call.ts';
import { Descriptor } from './files-descriptor.ts';
import { checkPath, type FilePath, shownPath } from './files-path.ts';
import { FileReading } from './files-reading.ts';
import { handleClosed, handleOpened } from './handles.ts';
import { type Attempt, type InboundOwner, ReadWait, result, TAKEN } from './inbound.ts';
import type { ReadBuffer } from './read-buffer.ts';
import type { ReadLineOptions } from './socket.ts';
import { lineOptions, ReadTextLine } from './stdio-lines.ts';

export interface FileLinesOptions extends ReadLineOptions {
  /** How to open the file: 'r' by default. */
  readonly flags?: OpenMode | undefined;
}

/**
 * Give the lines of a file, without their LF or CR LF: `yield* forEach(files.lines(path), function* (line) { ... })`. Never switches: next() does.
 *
 * @throws TypeError or RangeError for a path or options that are none. What is wrong with the file is thrown by next().
 */
export function lines(path: FilePath, options?: FileLinesOptions): FileLines {
  const where = 'lines';
  const file = checkPath(path, where);
  const { limit, encoding } = lineOptions(options, where);
  const flags = own<unknown>(checkOptions(options, where), 'flags') ?? 'r';
  if (typeof flags !== 'string' && typeof flags !== 'number')
    throw typeError(`${where}: flags must be a string or a number, not ${shownValue(flags)}`);
  return new FileLines(file, (reading) => new ReadTextLine(reading, limit, encoding), flags);
}

/** The lines of a file. lines() makes them. */
export class FileLines {
  readonly #path: string | Buffer;
  readonly #descriptor: Descriptor;
  readonly #reading: FileReading;
  readonly #next: NextLine;
  #state: 'open' | 'ended' | 'closed' = 'open';

  /** @internal: lines() makes them. */
  constructor(path: string | Buffer, read: (reading: FileReading) => ReadTextLine, flags: string | number) {
    this.#path = path;
    this.#descriptor = new Descriptor({ path, flags, mode: 0o666 });
    this.#descriptor.onOpen = () => handleOpened('file', this);
    this.#reading = new FileReading(this.#owner(), this.#descriptor);
    this.#reading.onEnd = () => {
      // Only once somebody has been told: a last line without a newline is taken first.
      if (this.#next.done) this.return();
    };
    this.#next = new NextLine(read(this.#reading), this.#reading);
  }

  /** True when its last line was taken, or after close(). */
  get closed(): boolean {
    return this.#state !== 'open';
  }

  /**
   * Wait for the next line: `{done: false, value}`, or `{done: true}` at the end.
   *
   * Switches only if none is buffered. If it throws, no line was taken; after an error of the file it can be asked again.
   *
   * @throws Error of Node's (ENOENT, EACCES, EISDIR, EMFILE, ...). @throws LineTooLongError for a line of more than `limit` bytes (64 KiB by default).
   * @throws BusyError if another greenlet is reading. @throws ClosedError after close(). @throws Killed if the greenlet is killed while it waits.
   */
  next(): Waitable<IteratorResult<string, undefined>> {
    return created(this.#next);
  }

  /** Close the file; who waits gets ClosedError. Never switches, never throws; idempotent. */
  close(): void {
    if (this.#state === 'open') this.#end('closed');
  }

  /** What a loop that is left calls: close it, and have next() say that it is done. */
  return(): IteratorResult<string, undefined> {
    if (this.#state === 'open') {
      this.#next.done = true;
      this.#end('ended');
    }
    return DONE;
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** `lines of /tmp/data`. */
  toString(): string {
    return `lines of ${shownPath(this.#path)}`;
  }

  #end(state: 'ended' | 'closed'): void {
    this.#state = state;
    this.#reading.close();
    handleClosed(this);
    this.#descriptor.close();
  }

  #owner(): InboundOwner {
    return {
      transport: { resume: () => {} },
      toString: () => this.toString(),
      lost: (_op, cause) => located(cause) as Error,
      closedError: (op) => new ClosedError(`${op} on ${this.toString()}, which is closed`),
    };
  }
}

const DONE: IteratorResult<string, undefined> = { done: true, value: undefined };

/** A line as an iterator gives it. */
class NextLine extends ReadWait<IteratorResult<string, undefined>> {
  readonly op = 'next';
  /** From here on it says that it is done. */
  done = false;
  readonly #line: ReadTextLine;

  constructor(line: ReadTextLine, reading: FileReading) {
    super(reading);
    this.#line = line;
  }

  get need(): number {
    return this.#line.need;
  }

  override look(greenlet: Greenlet): boolean {
    if (!this.done) return super.look(greenlet);
    readyResult.value = DONE;
    return true;
  }

  attempt(buffer: ReadBuffer, ended: boolean): Attempt {
    const attempt = this.#line.attempt(buffer, ended);
    if (attempt !== TAKEN) return attempt;
    const line = result.value as string | null;
    this.done = line === null;
    result.value = line === null ? DONE : { done: false, value: line };
    return TAKEN;
  }

  refusal(buffer: ReadBuffer): () => Error {
    return this.#line.refusal(buffer);
  }
}
