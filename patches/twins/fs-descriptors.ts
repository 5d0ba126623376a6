// fs-descriptors.ts: the twins of fs that work on the number of an open file.
//
// Each finishes first when its greenlet is killed or its time is over, reads too: a read moves the position and writes into the caller's buffer, and a
// number that is closed while a call on it is under way can be given to the next file. So after Killed the number may be closed.
// A name in ...Sync has the arguments and the result of Node's, and does the asynchronous call. fstat is in fs-looks.ts.

import fs from 'node:fs';
import type { Op } from '../../core/op.ts';
import {
  anything,
  content,
  count,
  descriptor,
  maybe,
  numberOrText,
  options,
  owner,
  time,
  view,
  viewOrOptions,
  views,
} from './argument-checks.ts';
import { type CallSpec, changingTwin, plain } from './node-call.ts';
import { realModule } from './real-module.ts';
import type { Twin } from './signatures.ts';

const real = realModule('fs', fs);

type View = NodeJS.ArrayBufferView;
type Callback = (error: unknown, count?: number, bytes?: unknown) => void;

/** Where in a file, and in the buffer. */
export interface ReadPlace {
  readonly offset?: number | undefined;
  readonly length?: number | undefined;
  readonly position?: fs.ReadPosition | null | undefined;
}
export interface BytesRead<B> {
  readonly bytesRead: number;
  readonly buffer: B;
}
interface Read {
  <B extends View>(
    fd: number,
    buffer: B,
    offset: number,
    length?: number,
    position?: fs.ReadPosition | null,
  ): Op<BytesRead<B>>;
  <B extends View>(fd: number, buffer: B, place?: ReadPlace): Op<BytesRead<B>>;
  <B extends View = Buffer>(fd: number, place?: ReadPlace & { readonly buffer?: B }): Op<BytesRead<B>>;
}
interface ReadSync {
  (fd: number, buffer: View, offset: number, length?: number, position?: fs.ReadPosition | null): Op<number>;
  (fd: number, buffer: View, place?: ReadPlace): Op<number>;
}

// With three arguments Node takes a number for options without a word.
function startRead(args: readonly unknown[], done: Callback): void {
  const [fd, buffer, offset, length, position] = args;
  const given =
    typeof offset === 'number'
      ? [fd, buffer, offset, length ?? (buffer as View).byteLength - offset, position ?? null]
      : args;
  (real.read as (...all: unknown[]) => void)(...given, done);
}
const reading: CallSpec = {
  checks: [descriptor, maybe(viewOrOptions), maybe(options), maybe(count), maybe(anything)],
  call: real.read,
  start: startRead,
};
export const read: Read = changingTwin('fs.read', { ...reading, names: ['bytesRead', 'buffer'] });
export const readSync: ReadSync = changingTwin('fs.readSync', {
  ...reading,
  checks: [descriptor, view, ...reading.checks.slice(2)],
});

type Readv = <B extends readonly View[]>(
  fd: number,
  buffers: B,
  position?: number | null,
) => Op<{ bytesRead: number; buffers: B }>;
type ReadvSync = (fd: number, buffers: readonly View[], position?: number | null) => Op<number>;
const readingMany = plain(real.readv, descriptor, views, maybe(count));
export const readv: Readv = changingTwin('fs.readv', { ...readingMany, names: ['bytesRead', 'buffers'] });
export const readvSync: ReadvSync = changingTwin('fs.readvSync', readingMany);

export interface BytesWritten<B> {
  readonly bytesWritten: number;
  readonly buffer: B;
}
interface Write {
  <B extends View>(
    fd: number,
    buffer: B,
    offset?: number | null,
    length?: number | null,
    position?: number | null,
  ): Op<BytesWritten<B>>;
  <B extends View>(
    fd: number,
    buffer: B,
    place: { readonly offset?: number; readonly length?: number; readonly position?: number | null },
  ): Op<BytesWritten<B>>;
  (fd: number, text: string, position?: number | null, encoding?: BufferEncoding | null): Op<BytesWritten<string>>;
}
const writing = plain(real.write, descriptor, content, maybe(options), maybe(options), maybe(count));
export const write: Write = changingTwin('fs.write', { ...writing, names: ['bytesWritten', 'buffer'] });
export const writeSync: Twin<typeof fs.writeSync, 'sync', 'op'> = changingTwin('fs.writeSync', writing);

type Writev = <B extends readonly View[]>(
  fd: number,
  buffers: B,
  position?: number | null,
) => Op<{ bytesWritten: number; buffers: B }>;
const writingMany = plain(real.writev, descriptor, views, maybe(count));
export const writev: Writev = changingTwin('fs.writev', { ...writingMany, names: ['bytesWritten', 'buffers'] });
export const writevSync: Twin<typeof fs.writevSync, 'sync', 'op'> = changingTwin('fs.writevSync', writingMany);

const closing = plain(real.close, descriptor);
export const close: Twin<typeof fs.close.__promisify__, 'promise', 'op'> = changingTwin('fs.close', closing);
export const closeSync: Twin<typeof fs.closeSync, 'sync', 'op'> = changingTwin('fs.closeSync', closing);
const flushing = plain(real.fsync, descriptor);
export const fsync: Twin<typeof fs.fsync.__promisify__, 'promise', 'op'> = changingTwin('fs.fsync', flushing);
export const fsyncSync: Twin<typeof fs.fsyncSync, 'sync', 'op'> = changingTwin('fs.fsyncSync', flushing);
const flushingData = plain(real.fdatasync, descriptor);
export const fdatasync: Twin<typeof fs.fdatasync.__promisify__, 'promise', 'op'> = changingTwin(
  'fs.fdatasync',
  flushingData,
);
export const fdatasyncSync: Twin<typeof fs.fdatasyncSync, 'sync', 'op'> = changingTwin(
  'fs.fdatasyncSync',
  flushingData,
);
const chmoding = plain(real.fchmod, descriptor, numberOrText);
export const fchmod: Twin<typeof fs.fchmod.__promisify__, 'promise', 'op'> = changingTwin('fs.fchmod', chmoding);
export const fchmodSync: Twin<typeof fs.fchmodSync, 'sync', 'op'> = changingTwin('fs.fchmodSync', chmoding);
const chowning = plain(real.fchown, descriptor, owner, owner);
export const fchown: Twin<typeof fs.fchown.__promisify__, 'promise', 'op'> = changingTwin('fs.fchown', chowning);
export const fchownSync: Twin<typeof fs.fchownSync, 'sync', 'op'> = changingTwin('fs.fchownSync', chowning);
const timing = plain(real.futimes, descriptor, time, time);
export const futimes: Twin<typeof fs.futimes.__promisify__, 'promise', 'op'> = changingTwin('fs.futimes', timing);
export const futimesSync: Twin<typeof fs.futimesSync, 'sync', 'op'> = changingTwin('fs.futimesSync', timing);
const cutting = plain(real.ftruncate, descriptor, maybe(count));
export const ftruncate: Twin<typeof fs.ftruncate.__promisify__, 'promise', 'op'> = changingTwin(
  'fs.ftruncate',
  cutting,
);
export const ftruncateSync: Twin<typeof fs.ftruncateSync, 'sync', 'op'> = changingTwin('fs.ftruncateSync', cutting);
