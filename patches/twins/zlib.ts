// zlib.ts: the public names of `tendril/patches/zlib`: those of node:zlib, each call that waits being an Op.
//
//   const packed = yield* gzip(text);
//
// The work is done piece by piece in libuv's thread pool. A kill or a timeout ends the wait at once; the work goes on to its end, and its result is dropped. So of
// data from others say `maxOutputLength`: Node's default is as much as a Buffer can hold.
// A name in ...Sync gives an Op too, which does the asynchronous call. Streams are Node's own, passed through. What a newer Node has is undefined in an older
// one if it is a class or a stream, and a function that says so if it is a call.

import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import type { Waitable } from '../../core/op.ts';
import { bytes, maybe, options } from './argument-checks.ts';
import { type CallSpec, lookingTwin } from './node-call.ts';
import { realModule } from './real-module.ts';
import type { Twin } from './signatures.ts';

export {
  BrotliCompress,
  BrotliDecompress,
  constants,
  crc32,
  createBrotliCompress,
  createBrotliDecompress,
  createDeflate,
  createDeflateRaw,
  createGunzip,
  createGzip,
  createInflate,
  createInflateRaw,
  createUnzip,
  Deflate,
  DeflateRaw,
  Gunzip,
  Gzip,
  Inflate,
  InflateRaw,
  Unzip,
} from 'node:zlib';

const real = realModule('zlib', zlib);

const make = <F>(name: string, call: CallSpec['call'], since?: string): F =>
  lookingTwin<F>(`zlib.${name}`, { checks: [bytes, maybe(options)], call, ...(since === undefined ? {} : { since }) });

export const deflate: Twin<typeof zlib.deflate.__promisify__, 'promise'> = make('deflate', real.deflate);
export const deflateSync: Twin<typeof zlib.deflateSync, 'sync'> = make('deflateSync', real.deflate);
export const deflateRaw: Twin<typeof zlib.deflateRaw.__promisify__, 'promise'> = make('deflateRaw', real.deflateRaw);
export const deflateRawSync: Twin<typeof zlib.deflateRawSync, 'sync'> = make('deflateRawSync', real.deflateRaw);
export const gzip: Twin<typeof zlib.gzip.__promisify__, 'promise'> = make('gzip', real.gzip);
export const gzipSync: Twin<typeof zlib.gzipSync, 'sync'> = make('gzipSync', real.gzip);
export const gunzip: Twin<typeof zlib.gunzip.__promisify__, 'promise'> = make('gunzip', real.gunzip);
export const gunzipSync: Twin<typeof zlib.gunzipSync, 'sync'> = make('gunzipSync', real.gunzip);
export const inflate: Twin<typeof zlib.inflate.__promisify__, 'promise'> = make('inflate', real.inflate);
export const inflateSync: Twin<typeof zlib.inflateSync, 'sync'> = make('inflateSync', real.inflate);
export const inflateRaw: Twin<typeof zlib.inflateRaw.__promisify__, 'promise'> = make('inflateRaw', real.inflateRaw);
export const inflateRawSync: Twin<typeof zlib.inflateRawSync, 'sync'> = make('inflateRawSync', real.inflateRaw);
export const unzip: Twin<typeof zlib.unzip.__promisify__, 'promise'> = make('unzip', real.unzip);
export const unzipSync: Twin<typeof zlib.unzipSync, 'sync'> = make('unzipSync', real.unzip);
export const brotliCompress: Twin<typeof zlib.brotliCompress.__promisify__, 'promise'> = make(
  'brotliCompress',
  real.brotliCompress,
);
export const brotliCompressSync: Twin<typeof zlib.brotliCompressSync, 'sync'> = make(
  'brotliCompressSync',
  real.brotliCompress,
);
export const brotliDecompress: Twin<typeof zlib.brotliDecompress.__promisify__, 'promise'> = make(
  'brotliDecompress',
  real.brotliDecompress,
);
export const brotliDecompressSync: Twin<typeof zlib.brotliDecompressSync, 'sync'> = make(
  'brotliDecompressSync',
  real.brotliDecompress,
);

interface ZstdOptions {
  readonly flush?: number;
  readonly finishFlush?: number;
  readonly chunkSize?: number;
  readonly params?: Readonly<Record<number, number | boolean>>;
  readonly maxOutputLength?: number;
  readonly dictionary?: NodeJS.ArrayBufferView;
  readonly pledgedSrcSize?: number;
}
type Zstd = (data: zlib.InputType, options?: ZstdOptions) => Waitable<Buffer>;
type MakeZstd = (options?: ZstdOptions) => Transform;
// biome-ignore lint/suspicious/noExplicitAny: classes that @types/node of Node 20 does not know
type Unknown = new (...args: any[]) => object;

/** What newer Nodes have. */
interface Newer {
  readonly codes: Readonly<Record<string, string | number>>;
  readonly zstdCompress?: NonNullable<CallSpec['call']>;
  readonly zstdDecompress?: NonNullable<CallSpec['call']>;
  readonly createZstdCompress?: MakeZstd;
  readonly createZstdDecompress?: MakeZstd;
  readonly ZstdCompress?: Unknown;
  readonly ZstdDecompress?: Unknown;
  readonly createZipArchive?: (entries: Iterable<unknown> | AsyncIterable<unknown>, options?: object) => Transform;
  readonly zipFiles?: (files: Iterable<unknown> | AsyncIterable<unknown>, options?: object) => Transform;
  readonly getMaxZipContentSize?: () => number;
  readonly setMaxZipContentSize?: (size: number) => void;
  readonly ZipBuffer?: Unknown;
  readonly ZipEntry?: Unknown;
  readonly ZipFile?: Unknown;
}
const newer: Newer = real as unknown as Newer;

/** The names of zlib's results by number, and the numbers by name. */
export const codes: Readonly<Record<string, string | number>> = newer.codes;

export const zstdCompress: Zstd = make('zstdCompress', newer.zstdCompress, 'Node 22.15');
export const zstdCompressSync: Zstd = make('zstdCompressSync', newer.zstdCompress, 'Node 22.15');
export const zstdDecompress: Zstd = make('zstdDecompress', newer.zstdDecompress, 'Node 22.15');
export const zstdDecompressSync: Zstd = make('zstdDecompressSync', newer.zstdDecompress, 'Node 22.15');
/** Node's own; undefined before Node 22.15. */
export const createZstdCompress: Newer['createZstdCompress'] = newer.createZstdCompress;
/** Node's own; undefined before Node 22.15. */
export const createZstdDecompress: Newer['createZstdDecompress'] = newer.createZstdDecompress;
/** Node's own; undefined before Node 22.15. */
export const ZstdCompress: Newer['ZstdCompress'] = newer.ZstdCompress;
/** Node's own; undefined before Node 22.15. */
export const ZstdDecompress: Newer['ZstdDecompress'] = newer.ZstdDecompress;
/** Node's own; undefined before Node 26. */
export const createZipArchive: Newer['createZipArchive'] = newer.createZipArchive;
/** Node's own; undefined before Node 26. */
export const zipFiles: Newer['zipFiles'] = newer.zipFiles;
/** Node's own; undefined before Node 26. */
export const getMaxZipContentSize: Newer['getMaxZipContentSize'] = newer.getMaxZipContentSize;
/** Node's own; undefined before Node 26. */
export const setMaxZipContentSize: Newer['setMaxZipContentSize'] = newer.setMaxZipContentSize;
/** Node's own; undefined before Node 26. */
export const ZipBuffer: Newer['ZipBuffer'] = newer.ZipBuffer;
/** Node's own; undefined before Node 26. */
export const ZipEntry: Newer['ZipEntry'] = newer.ZipEntry;
/** Node's own; undefined before Node 26. */
export const ZipFile: Newer['ZipFile'] = newer.ZipFile;
