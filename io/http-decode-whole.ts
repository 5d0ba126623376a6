// http-decode-whole.ts: a compressed body in a simulation, decompressed in one go when all of it has come; and the limits of every decompression.
//
// Node's streams work on threads, and when those are done is no choice of a simulation: two plays of one seed would differ. A body of a
// simulation is small, so it can wait for its end. Limits and errors are those of http-decode.ts.

import zlib from 'node:zlib';
import type { BodySource } from './http-body.ts';
import type { Decoding, DecompressLimits } from './http-decode.ts';
import { DecompressionError } from './http-errors.ts';
import type { Inbound } from './inbound.ts';

/** Below this much, no ratio is suspicious. */
const RATIO_FROM_BYTES = 65_536;

/** Why `bytesOut` of `bytesIn` are too much; undefined if they are not. */
export function excessOf(bytesIn: number, bytesOut: number, limits: DecompressLimits): string | undefined {
  const { maxBytes, maxRatio } = limits;
  if (bytesOut > maxBytes) return `${maxBytes} bytes; raise decompress.maxBytes`;
  if (bytesOut <= RATIO_FROM_BYTES || bytesOut <= maxRatio * bytesIn) return undefined;
  return `${maxRatio} times of what came; raise decompress.maxRatio`;
}

export function tooMuch(body: object, excess: string): DecompressionError {
  return new DecompressionError(`${String(body)}: the body unfolds to more than ${excess}`, 'ERR_DECOMPRESSION_LIMIT');
}

export function notCompressed(body: object, error: Error): DecompressionError {
  const { code = 'ERR_DECOMPRESSION' } = error as { code?: string };
  return new DecompressionError(`${String(body)}: the body cannot be decompressed`, code, error);
}

type Unfold = (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;
/** Absent before Node 22.15. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: Unfold };

export class WholeDecoding implements Decoding {
  readonly external = false;
  readonly #exchange: BodySource;
  readonly #codings: readonly string[];
  readonly #limits: DecompressLimits;
  readonly #pieces: Buffer[] = [];
  #bytesIn = 0;
  #inbound: Inbound | undefined = undefined;

  constructor(exchange: BodySource, codings: readonly string[], limits: DecompressLimits) {
    this.#exchange = exchange;
    this.#codings = codings;
    this.#limits = limits;
  }

  attach(inbound: Inbound): void {
    this.#inbound = inbound;
  }

  received(chunk: Buffer): boolean {
    this.#pieces.push(chunk);
    this.#bytesIn += chunk.length;
    const excess = excessOf(this.#bytesIn, this.#bytesIn, this.#limits);
    if (excess !== undefined) this.#failWith(tooMuch(this, excess));
    return true;
  }

  end(): void {
    let bytes: Buffer = Buffer.concat(this.#pieces.splice(0));
    try {
      if (bytes.length > 0) for (const coding of [...this.#codings].reverse()) bytes = this.#unfolded(coding, bytes);
    } catch (error) {
      this.#failWith(error instanceof DecompressionError ? error : notCompressed(this, error as Error));
      return;
    }
    if (bytes.length > 0) this.#inbound?.received(bytes, bytes.length, false);
    this.#inbound?.end();
  }

  fail(cause: unknown): void {
    this.#inbound?.fail(cause);
  }

  failure(op: string, cause: unknown): Error {
    return cause instanceof DecompressionError ? cause : this.#exchange.failure(op, cause);
  }

  resume(): void {
    this.#exchange.resume();
  }

  wholeWanted(): void {
    this.#exchange.wholeWanted?.();
  }

  abandon(): void {
    this.#exchange.abandon();
  }

  toString(): string {
    return this.#exchange.toString();
  }

  #failWith(error: DecompressionError): void {
    this.#exchange.abandon();
    this.#inbound?.fail(error);
  }

  #unfolded(coding: string, bytes: Buffer): Buffer {
    const { maxBytes, maxRatio } = this.#limits;
    const most = Math.min(maxBytes, Math.max(RATIO_FROM_BYTES, maxRatio * this.#bytesIn));
    try {
      return unfoldOf(coding, bytes)(bytes, { maxOutputLength: Math.min(most, 2 ** 31) });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_BUFFER_TOO_LARGE') throw error;
      throw tooMuch(this, excessOf(this.#bytesIn, most + 1, this.#limits) ?? `${most} bytes`);
    }
  }
}

function unfoldOf(coding: string, bytes: Buffer): Unfold {
  if (coding === 'br') return zlib.brotliDecompressSync;
  if (coding === 'zstd' && zstdDecompressSync !== undefined) return zstdDecompressSync;
  if (coding !== 'deflate') return zlib.gunzipSync;
  return ((bytes[0] ?? 0) & 0x0f) === 0x08 ? zlib.inflateSync : zlib.inflateRawSync;
}
