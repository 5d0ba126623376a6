// byte-streams.ts: what it takes to be a stream of bytes here: a few methods that wait. Sockets, bodies of responses, files and pipes have them.
//
// The small interfaces are what functions over any two streams ask for; the large ones are the two halves of a Socket, for streams that have only one.
//
// What a stream must hold:
//   a read or write that throws has taken or queued nothing
//   after null every read gives null
//   the bytes that a read gives are the reader's own

import { typeError } from '../core/bad-argument.ts';
import { nameOf, type Op, type Waitable } from '../core/op.ts';
import type { CloseOptions, ReadLineOptions, ReadUntilOptions } from './socket.ts';
import type { Writable } from './writable.ts';

/** What can be read from, by as many waits as it takes. */
export interface ByteSource {
  /** What has come, at least one byte and at most `max`; null at the end. */
  read(max?: number): Op<Uint8Array | null>;
  /** Put bytes back in front. */
  unread?(bytes: Uint8Array): void;
  /** Give it up. */
  close?(): unknown;
  /** What it is called in messages. */
  toString(): string;
}

/** What can be written to, by as many waits as it takes. */
export interface ByteSink {
  /** Take all of `bytes`, waiting for room. */
  write(bytes: Uint8Array): Op<unknown>;
  /** Wait until all that was written has left. */
  flush?(): Op<unknown>;
  /** There is no more. May return an Op that has to be waited for. */
  end?(): unknown;
  /** Give it up. */
  close?(): unknown;
  /** What it is called in messages. */
  toString(): string;
}

/** What can be read from by one indivisible wait. */
export interface ByteReader extends ByteSource {
  read(max?: number): Waitable<Uint8Array | null>;
}

/** What can be written to by one indivisible wait. */
export interface ByteWriter extends ByteSink {
  write(data: string | Uint8Array): Waitable<void>;
  /** Write all pieces, or none. */
  writev?(pieces: readonly (string | Uint8Array)[]): Waitable<void>;
}

/** The reading half of a Socket: what `fromReadable` and its like give. Each method is as on a Socket. */
export interface StreamReader extends ByteReader, AsyncIterable<Buffer> {
  readonly buffered: number;
  readonly closed: boolean;
  read(max?: number): Waitable<Buffer | null>;
  peek(max?: number): Waitable<Buffer | null>;
  readExactly(count: number): Waitable<Buffer>;
  readUntil(delimiter: string | Uint8Array, options?: ReadUntilOptions): Waitable<Buffer | null>;
  readLine(options?: ReadLineOptions): Waitable<string | null>;
  unread(bytes: Uint8Array): void;
  /** Give up what has not been read: the foreign stream is destroyed or cancelled, once. Never switches, never throws; idempotent. */
  close(): void;
  [Symbol.dispose](): void;
}

/** The writing half of a Socket: what `fromWritable` and its like give. Each method is as on a Socket. */
export interface StreamWriter extends ByteWriter {
  readonly unsent: number;
  readonly closed: boolean;
  write(data: Writable): Waitable<void>;
  writev(pieces: readonly Writable[]): Waitable<void>;
  flush(): Waitable<void>;
  end(): void;
  /** Give it up: the foreign stream is destroyed or aborted, once, unless it has ended. Never switches, never throws; idempotent. */
  close(): void;
  closeGracefully(options?: CloseOptions): Op<void>;
  [Symbol.dispose](): void;
}

/** Check that `stream` is one of ours, in the words of `where`. @throws TypeError that says how to make one of a foreign one. */
export function requireMethod(stream: unknown, method: 'read' | 'write', where: string): void {
  const candidate = (stream ?? {}) as Record<string, unknown>;
  const half = method === 'read' ? 'Readable' : 'Writable';
  const foreign =
    typeof candidate.pipe === 'function' && typeof candidate.on === 'function'
      ? `from${half}()`
      : typeof candidate.getReader === 'function' || typeof candidate.getWriter === 'function'
        ? `from${half}Stream()`
        : undefined;
  if (typeof candidate[method] === 'function' && foreign === undefined) return;
  const hint = foreign === undefined ? '' : `: wrap it in ${foreign}`;
  throw typeError(`${where} takes a stream with ${method}(), not ${nameOf(stream)}${hint}`);
}
