// http-decode.ts: a compressed body, decompressed while it comes. It stands between an exchange and the Body that is read.
//
// Pressure goes through: a slow reader pauses the last stage, that fills the first, and then the connection is held. It is limited: a few kilobytes that
// unfold into gigabytes end in an error as soon as the limit is passed, not when memory is. A body that was cut ends in the error of the connection, after
// what could be decompressed of it; one that is cut inside the compressed data, or is none, is a DecompressionError, never a short success.
//
// The streams are Node's and work on threads; while they do the scheduler counts something outside. A simulation must not see when threads are done: there
// http-decode-whole.ts does it.
//
// Invariants:
//   over         implies  the stages are destroyed and nothing reaches the body any more
//   counted      implies  bytes are being decompressed, and the scheduler has been told
// Sources: RFC 9110 8.4; RFC 9112 7.2 (names); fetch ("handle content codings": at most five).

import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import type { Scheduler } from '../core/scheduler.ts';
import type { BodySource } from './http-body.ts';
import { excessOf, notCompressed, tooMuch, WholeDecoding } from './http-decode-whole.ts';
import { DecompressionError } from './http-errors.ts';
import type { Inbound } from './inbound.ts';

/** What decompression may cost. */
export interface DecompressLimits {
  /** The most bytes that come out. */
  readonly maxBytes: number;
  /** The most bytes that come out for each that goes in. */
  readonly maxRatio: number;
}

/** What stands between an exchange, which feeds it, and a body. */
export interface Decoding extends BodySource {
  /** Say where it goes. */
  attach(inbound: Inbound): void;
  /** Compressed bytes have come. False if no more are wanted for now. */
  received(chunk: Buffer): boolean;
  /** All of it has come. */
  end(): void;
  /** The connection is lost. `dropping`: nobody wants what it has brought. */
  fail(cause: unknown, dropping: boolean): void;
}

const MOST_CODINGS = 5;
/** Absent before Node 22.15. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };
const ignore = (): void => {};

/** What a client says that it takes. */
export const ACCEPTED: string = `gzip, deflate, br${createZstdDecompress === undefined ? '' : ', zstd'}`;

type Stage = () => Transform;
const STAGES: ReadonlyMap<string, Stage> = new Map<string, Stage>([
  ['gzip', () => zlib.createGunzip()],
  ['x-gzip', () => zlib.createGunzip()],
  ['br', () => zlib.createBrotliDecompress()],
  ...(createZstdDecompress === undefined ? [] : ([['zstd', createZstdDecompress]] as [string, Stage][])),
]);

/**
 * What decompresses the body of the response that has the fields `raw`; undefined if it is not compressed, or in a way that is not known here.
 *
 * @throws DecompressionError if it is compressed too many times.
 */
export function decodingOf(
  raw: readonly (Buffer | string)[],
  exchange: BodySource,
  limits: DecompressLimits,
  scheduler: Scheduler,
): Decoding | undefined {
  const codings = codingsOf(raw);
  if (codings === undefined) return undefined;
  if (codings.length > MOST_CODINGS) {
    const what = `${exchange.toString()}: the body is compressed ${codings.length} times`;
    throw new DecompressionError(what, 'ERR_DECOMPRESSION_LIMIT');
  }
  return exchange.external
    ? new StreamDecoding(exchange, codings, limits, scheduler)
    : new WholeDecoding(exchange, codings, limits);
}

/** How a body was made, first coding first. */
function codingsOf(raw: readonly (Buffer | string)[]): string[] | undefined {
  let value: string | undefined;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as Buffer | string;
    if (name.length !== 16 || String(name).toLowerCase() !== 'content-encoding') continue;
    value = value === undefined ? String(raw[at + 1]) : `${value},${String(raw[at + 1])}`;
  }
  if (value === undefined) return undefined;
  const codings: string[] = [];
  for (const part of value.toLowerCase().split(',')) {
    const coding = part.trim();
    if (coding === '' || coding === 'identity') continue;
    if (coding !== 'deflate' && !STAGES.has(coding)) return undefined;
    codings.push(coding);
  }
  return codings.length === 0 ? undefined : codings;
}

class StreamDecoding implements Decoding {
  readonly external: boolean;
  readonly #exchange: BodySource;
  readonly #scheduler: Scheduler;
  readonly #limits: DecompressLimits;
  readonly #codings: string[];
  readonly #stages: Transform[] = [];
  #inbound: Inbound | undefined;
  #bytesIn = 0;
  #bytesOut = 0;
  #working = 0;
  #counted = false;
  #paused = false;
  #over = false;
  #cut: { readonly cause: unknown } | undefined = undefined;

  constructor(exchange: BodySource, codings: string[], limits: DecompressLimits, scheduler: Scheduler) {
    this.external = exchange.external;
    this.#exchange = exchange;
    this.#codings = codings;
    this.#limits = limits;
    this.#scheduler = scheduler;
  }

  /** Where it goes. */
  attach(inbound: Inbound): void {
    this.#inbound = inbound;
  }

  // ---- the exchange's side

  /** Compressed bytes have come. False if no more are wanted for now. */
  received(chunk: Buffer): boolean {
    if (this.#over) return true;
    if (this.#stages.length === 0) this.#begin(chunk);
    this.#bytesIn += chunk.length;
    this.#working += 1;
    this.#count();
    return (this.#stages[0] as Transform).write(chunk, this.#worked);
  }

  /** All of it has come. A body of no bytes is one, whatever its coding. */
  end(): void {
    if (this.#over) return;
    if (this.#stages.length === 0) this.#finish();
    else (this.#stages[0] as Transform).end();
  }

  /** The connection is lost: what it has brought is decompressed, then comes the error; at once, if nobody wants that any more. */
  fail(cause: unknown, dropping: boolean): void {
    if (this.#over) return;
    this.#cut ??= { cause };
    if (dropping) this.#finish();
    else this.end();
  }

  // ---- the body's side

  failure(op: string, cause: unknown): Error {
    return cause instanceof DecompressionError ? cause : this.#exchange.failure(op, cause);
  }

  resume(): void {
    this.#paused = false;
    this.#count();
    this.#stages.at(-1)?.resume();
    // Of a body that has not begun.
    if (this.#stages.length === 0) this.#exchange.resume();
  }

  wholeWanted(): void {
    this.#exchange.wholeWanted?.();
  }

  abandon(): void {
    this.#stop();
    this.#exchange.abandon();
  }

  toString(): string {
    return this.#exchange.toString();
  }

  // ---- the stages

  #begin(first: Buffer): void {
    for (const coding of this.#codings.reverse()) {
      const stage =
        coding === 'deflate'
          ? inflaterFor(this.#stages.length === 0 ? first : undefined)
          : (STAGES.get(coding) as Stage)();
      stage.on('error', (error) => this.#failed(error));
      this.#stages.at(-1)?.pipe(stage);
      this.#stages.push(stage);
    }
    this.#stages[0]?.on('drain', () => this.#exchange.resume());
    const last = this.#stages.at(-1) as Transform;
    last.on('end', () => this.#finish());
    last.on('data', (bytes: Buffer) => this.#made(bytes));
  }

  readonly #worked = (): void => {
    this.#working -= 1;
    this.#count();
  };

  #made(bytes: Buffer): void {
    if (this.#over) return;
    this.#bytesOut += bytes.length;
    const excess = excessOf(this.#bytesIn, this.#bytesOut, this.#limits);
    if (excess !== undefined) this.#failWith(tooMuch(this, excess));
    else if (this.#inbound?.received(bytes, bytes.length, false) === false) {
      this.#paused = true;
      this.#count();
      this.#stages.at(-1)?.pause();
    }
  }

  #failed(error: Error): void {
    this.#failWith(notCompressed(this, error));
  }

  /** A cut in the connection explains a fault in the data. */
  #failWith(error: DecompressionError): void {
    if (this.#over) return;
    this.#stop();
    this.#exchange.abandon();
    this.#inbound?.fail(this.#cut === undefined ? error : this.#cut.cause);
  }

  #finish(): void {
    if (this.#over) return;
    this.#stop();
    if (this.#cut === undefined) this.#inbound?.end();
    else this.#inbound?.fail(this.#cut.cause);
  }

  #stop(): void {
    this.#over = true;
    this.#count();
    for (const stage of this.#stages) {
      stage.on('error', ignore);
      stage.destroy();
    }
  }

  /** Tell the scheduler whether something is going on. */
  #count(): void {
    const counted = this.#working > 0 && !this.#paused && !this.#over;
    if (counted === this.#counted) return;
    this.#counted = counted;
    if (counted) this.#scheduler.externalStarted();
    else this.#scheduler.externalEnded();
  }
}

// Some servers send deflate without the zlib header that belongs to it: its first byte says so.
function inflaterFor(first: Buffer | undefined): Transform {
  return first === undefined || ((first[0] ?? 0) & 0x0f) === 0x08 ? zlib.createInflate() : zlib.createInflateRaw();
}
