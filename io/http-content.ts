// http-content.ts: what a request carries, made of what the caller gave: bytes that are sent as they are, or a plan of how to make them while they are sent.
//
// One of `body`, `json`, `form` and `multipart` is given. All that can be checked is checked at the call. A plan says whether it can be carried out
// again: a redirect or a retry needs that. Streams and readers can be read once; arrays, Blobs and functions serve any number of times.

import { typeError } from '../core/bad-argument.ts';
import { isOp, nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import type { ByteSource } from './byte-streams.ts';
import { type MultipartFields, multipartOf } from './http-multipart.ts';
import { formText, type Query } from './http-target.ts';
import type { BodyWriter, Piece, UploadPlan } from './http-upload.ts';
import { fromReadable } from './node-streams.ts';
import { until } from './until.ts';
import { fromReadableStream, type WebReadable } from './web-streams.ts';

/** A body in pieces: an iterable, or a function that writes them and may wait in between. */
export type BodyPieces = Iterable<Piece> | AsyncIterable<Piece> | ((writer: BodyWriter) => Op<unknown>);

/** What a request may carry: text (UTF-8), bytes, form fields, a Blob, a stream, or pieces that are made while it is sent. */
export type RequestBody =
  | Piece
  | ArrayBuffer
  | ArrayBufferView
  | URLSearchParams
  | FormData
  | Blob
  | BodyPieces
  | ByteSource
  | WebReadable;

/** The ways to say what a request carries: one of them at most. */
export interface ContentOptions {
  /** Sent as it is. */
  readonly body?: RequestBody | undefined;
  /** Sent as JSON, with that content type. */
  readonly json?: unknown;
  /** Fields, sent as a form that is URL-encoded. */
  readonly form?: Query | URLSearchParams | undefined;
  /** Fields and files, sent as a multipart form. */
  readonly multipart?: MultipartFields | undefined;
}

export interface Content {
  readonly bytes: Uint8Array | string | null;
  readonly plan: UploadPlan | undefined;
  /** The content type, if the caller says none. */
  readonly type: string | undefined;
}

const KINDS = ['body', 'json', 'form', 'multipart'] as const;
const FORM = 'application/x-www-form-urlencoded;charset=UTF-8';

/** @throws TypeError if more than one kind is given, or what is given cannot be sent. */
export function contentOf(options: ContentOptions): Content | undefined {
  let given: (typeof KINDS)[number] | undefined;
  for (const kind of KINDS) {
    if (!Object.hasOwn(options, kind) || options[kind] === undefined) continue;
    if (kind === 'body' && options.body === null) continue;
    if (given !== undefined)
      throw typeError(`a request carries ${given} or ${kind}, not both`, 'ERR_INVALID_ARG_VALUE');
    given = kind;
  }
  switch (given) {
    case undefined:
      return undefined;
    case 'body':
      return bodyOf(options.body as RequestBody);
    case 'json':
      return { bytes: jsonText(options.json), plan: undefined, type: 'application/json' };
    case 'form': {
      const { form } = options;
      const text = form instanceof URLSearchParams ? form.toString() : formText(form as Query, 'form');
      return { bytes: text, plan: undefined, type: FORM };
    }
    case 'multipart':
      return multipartOf(options.multipart as MultipartFields, sourcePlan);
  }
}

function bodyOf(body: RequestBody): Content {
  if (typeof body === 'string' || body instanceof Uint8Array) return { bytes: body, plan: undefined, type: undefined };
  if (body instanceof ArrayBuffer) return { bytes: new Uint8Array(body), plan: undefined, type: undefined };
  if (ArrayBuffer.isView(body)) {
    const bytes = new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
    return { bytes, plan: undefined, type: undefined };
  }
  if (body instanceof URLSearchParams) return { bytes: body.toString(), plan: undefined, type: FORM };
  if (body instanceof FormData) return multipartOf(body, sourcePlan);
  const plan = sourcePlan(body);
  if (plan === undefined) {
    throw typeError(
      `body must be a string, bytes, a stream, an iterable of them or a function that writes them, not ${nameOf(body)}`,
    );
  }
  const type = body instanceof Blob && body.type !== '' ? body.type : undefined;
  return { bytes: null, plan, type };
}

function jsonText(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw typeError(`json cannot be made of ${nameOf(value)}: ${String(cause)}`, 'ERR_INVALID_ARG_VALUE', { cause });
  }
  if (text === undefined) throw typeError(`json cannot be made of ${nameOf(value)}`, 'ERR_INVALID_ARG_VALUE');
  return text;
}

/** How to send what `source` gives; undefined if it is no source of pieces. */
export function sourcePlan(source: unknown): UploadPlan | undefined {
  if (typeof source === 'function') {
    const make = source as (writer: BodyWriter) => unknown;
    return { replayable: true, length: undefined, write: (writer) => writtenBy(make, writer) };
  }
  if (typeof source !== 'object' || source === null) return undefined;
  if (source instanceof Blob) {
    return {
      replayable: true,
      length: source.size,
      write: (writer) => writeReader(fromReadableStream(source.stream() as WebReadable), writer),
    };
  }
  const many = source as Partial<ByteSource & WebReadable & Iterable<Piece> & AsyncIterable<Piece>> & {
    next?: unknown;
    pipe?: unknown;
  };
  if (typeof many.getReader === 'function') {
    const web = many as WebReadable;
    return { replayable: false, length: undefined, write: (writer) => writeReader(fromReadableStream(web), writer) };
  }
  if (typeof many.read === 'function') {
    const stream = many as ByteSource;
    const isNodes = typeof many.pipe === 'function';
    const reader = (): ByteSource => (isNodes ? fromReadable(stream as never) : stream);
    return {
      replayable: false,
      length: undefined,
      measure: isNodes ? undefined : measureOf(stream),
      write: (writer) => writeReader(reader(), writer),
    };
  }
  const replayable = typeof many.next !== 'function';
  if (typeof many[Symbol.iterator] === 'function') {
    const pieces = many as Iterable<Piece>;
    return { replayable, length: undefined, write: (writer) => writeEach(pieces, writer) };
  }
  if (typeof many[Symbol.asyncIterator] === 'function') {
    const pieces = many as AsyncIterable<Piece>;
    return { replayable, length: undefined, write: (writer) => writeAsync(pieces, writer) };
  }
  return undefined;
}

interface Measured {
  readonly position: number;
  stat(): Op<{ readonly size: number; isFile(): boolean }>;
}

/** A file of ours knows how much is left of it. */
function measureOf(source: object): (() => Op<number | undefined>) | undefined {
  const file = source as Partial<Measured>;
  if (typeof file.stat !== 'function' || typeof file.position !== 'number') return undefined;
  return function* () {
    const { position, stat } = file as Measured;
    const stats = yield* stat.call(file);
    return stats.isFile() ? Math.max(0, stats.size - position) : undefined;
  };
}

function writtenBy(make: (writer: BodyWriter) => unknown, writer: BodyWriter): Op<unknown> {
  const op = make(writer);
  if (!isOp(op))
    throw typeError(`the function given as body returned ${nameOf(op)}, not an Op; is it a generator function?`);
  return op;
}

function* writeEach(pieces: Iterable<Piece>, writer: BodyWriter): Generator<Trap, void, Resume> {
  for (const piece of pieces) if (!(yield* writer.write(piece))) return;
}

/** What is read is closed when it is not read to its end, or the request fails: nobody else could go on with it. */
function* writeReader(reader: ByteSource, writer: BodyWriter): Generator<Trap, void, Resume> {
  let done = false;
  try {
    for (;;) {
      const piece = yield* reader.read();
      if (piece === null) {
        done = true;
        return;
      }
      if (!(yield* writer.write(piece))) return;
    }
  } finally {
    if (!done) reader.close?.();
  }
}

function* writeAsync(pieces: AsyncIterable<Piece>, writer: BodyWriter): Generator<Trap, void, Resume> {
  const iterator = pieces[Symbol.asyncIterator]();
  let done = false;
  try {
    for (;;) {
      const result = yield* until(iterator.next());
      if (result.done === true) {
        done = true;
        return;
      }
      if (!(yield* writer.write(result.value))) return;
    }
  } finally {
    // Nobody waits for it to clean up, and what it says of that concerns nobody.
    if (!done) iterator.return?.().then(undefined, () => {});
  }
}
