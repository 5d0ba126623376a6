// http-multipart.ts: a form with files, as multipart/form-data.
//
// Names and file names are written as browsers do: a quote and line ends in them are percent-encoded, so that nothing that a user typed can begin a new
// header or part. NUL is refused. Line ends in the text of a field become CR LF. The boundary is random: no content can hold it on purpose.
//
// Nothing is collected: the parts are written one after the other while the request is sent. If the length of each is known, so is that of the whole.
// Sources: RFC 7578; HTML, "multipart/form-data encoding algorithm".

import { randomUUID } from 'node:crypto';
import { typeError } from '../core/bad-argument.ts';
import { nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import { own } from './address.ts';
import type { ByteSource } from './byte-streams.ts';
import type { BodyPieces, Content } from './http-content.ts';
import { checkValue } from './http-headers.ts';
import type { BodyWriter, Piece, UploadPlan } from './http-upload.ts';
import type { WebReadable } from './web-streams.ts';

/** A file of a form, or a field that is more than text. */
export interface Part {
  /** Text, bytes, a Blob, a stream, a file of `files.open`, an iterable of pieces, or a function that writes them. */
  readonly content: string | Uint8Array | ArrayBuffer | Blob | BodyPieces | ByteSource | WebReadable;
  readonly filename?: string | undefined;
  /** Its content type: `application/octet-stream` by default if it has a file name. */
  readonly type?: string | undefined;
  /** How many bytes it has, where the content does not tell. */
  readonly length?: number | undefined;
}

export type PartValue = string | number | boolean | Uint8Array | Blob | Part;
/** Fields and files: an object of own properties, name-value pairs, or a FormData. An array gives one part for each value. */
export type MultipartFields =
  | FormData
  | Readonly<Record<string, PartValue | readonly PartValue[] | undefined>>
  | Iterable<readonly [string, PartValue]>;

interface Encoded {
  readonly head: Buffer;
  readonly bytes: Buffer | undefined;
  readonly plan: UploadPlan | undefined;
  readonly length: number | undefined;
}

type Planner = (source: unknown) => UploadPlan | undefined;

const LINE_END = '\r\n';
const QUOTED: Readonly<Record<string, string>> = { '\n': '%0A', '\r': '%0D', '"': '%22' };

/** @throws TypeError for a name, a value or a content type that may not be sent. */
export function multipartOf(fields: MultipartFields, planner: Planner): Content {
  const boundary = `----tendril-${randomUUID()}`;
  const parts: Encoded[] = [];
  for (const [name, value] of pairsOf(fields)) parts.push(encoded(name, value, boundary, planner));
  const tail = Buffer.from(`--${boundary}--${LINE_END}`);
  const plan: UploadPlan = {
    replayable: parts.every((part) => part.plan?.replayable !== false),
    length: totalOf(parts, tail),
    measure: () => measure(parts, tail),
    write: (writer) => write(parts, tail, writer),
  };
  const type = `multipart/form-data; boundary=${boundary}`;
  if (parts.some((part) => part.bytes === undefined)) return { bytes: null, plan, type };
  const whole = parts.flatMap(({ head, bytes }) => [head, bytes as Buffer, Buffer.from(LINE_END)]);
  return { bytes: Buffer.concat([...whole, tail]), plan: undefined, type };
}

function* pairsOf(fields: MultipartFields): Generator<[unknown, unknown], void, undefined> {
  if (typeof fields !== 'object' || fields === null)
    throw typeError('multipart must be an object, pairs or a FormData', 'ERR_INVALID_ARG_TYPE');
  if (Symbol.iterator in fields) {
    for (const pair of fields as Iterable<unknown>) {
      if (!Array.isArray(pair) || pair.length !== 2)
        throw typeError('multipart that is iterable must give [name, value] pairs', 'ERR_INVALID_ARG_TYPE');
      yield pair as [unknown, unknown];
    }
    return;
  }
  for (const name of Object.keys(fields)) {
    const value: unknown = (fields as Readonly<Record<string, unknown>>)[name];
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const one of value) yield [name, one];
    else yield [name, value];
  }
}

function encoded(name: unknown, value: unknown, boundary: string, planner: Planner): Encoded {
  if (typeof name !== 'string') throw typeError(`a multipart name must be a string, not ${nameOf(name)}`);
  const where = `multipart field ${JSON.stringify(name.slice(0, 40))}`;
  const { content, filename, type, length } = partOf(value, where);
  const plan = bytesOf(content) === undefined ? planner(content) : undefined;
  const bytes = bytesOf(content);
  if (plan === undefined && bytes === undefined) {
    throw typeError(`${where} must be text, a number, bytes, a Blob or {content, filename}, not ${nameOf(content)}`);
  }
  let head = `--${boundary}${LINE_END}Content-Disposition: form-data; name="${quoted(lineEnds(name), where)}"`;
  if (filename !== undefined) head += `; filename="${quoted(filename, where)}"`;
  const said = type ?? (filename === undefined ? undefined : 'application/octet-stream');
  if (said !== undefined) head += `${LINE_END}Content-Type: ${checkValue('content-type', said)}`;
  return {
    head: Buffer.from(`${head}${LINE_END}${LINE_END}`),
    bytes,
    plan,
    length: bytes?.length ?? length ?? plan?.length,
  };
}

/** A value in full: what it is, and what it is called. */
function partOf(value: unknown, where: string): Part {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return { content: lineEnds(String(value)) };
  if (value instanceof Blob) {
    const filename = value instanceof File ? value.name : 'blob';
    return { content: value, filename, type: value.type === '' ? undefined : value.type };
  }
  if (value instanceof Uint8Array) return { content: value };
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'content'))
    throw typeError(`${where} must be text, a number, bytes, a Blob or {content, filename}, not ${nameOf(value)}`);
  const content = own<Part['content']>(value, 'content') as Part['content'];
  const filename = own<unknown>(value, 'filename');
  const type = own<unknown>(value, 'type');
  const length = own<unknown>(value, 'length');
  if (filename !== undefined && typeof filename !== 'string') throw typeError(`${where}: filename must be a string`);
  if (type !== undefined && typeof type !== 'string') throw typeError(`${where}: type must be a string`);
  if (length !== undefined && !(Number.isSafeInteger(length) && (length as number) >= 0))
    throw typeError(`${where}: length must be an integer >= 0`, 'ERR_INVALID_ARG_VALUE');
  return { content, filename, type, length: length as number | undefined };
}

function bytesOf(content: unknown): Buffer | undefined {
  if (typeof content === 'string') return Buffer.from(content);
  if (content instanceof Uint8Array) return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return content instanceof ArrayBuffer ? Buffer.from(content) : undefined;
}

function lineEnds(text: string): string {
  return text.replace(/\r\n|\r|\n/g, LINE_END);
}

function quoted(text: string, where: string): string {
  if (text.includes('\0')) throw typeError(`${where}: a name may not hold NUL`, 'ERR_INVALID_CHAR');
  return text.replace(/[\n\r"]/g, (found) => QUOTED[found] as string);
}

function totalOf(parts: readonly Encoded[], tail: Buffer): number | undefined {
  let total = tail.length;
  for (const { head, length } of parts) {
    if (length === undefined) return undefined;
    total += head.length + length + LINE_END.length;
  }
  return total;
}

/** The length of the whole, once the files have been asked for theirs. */
function* measure(parts: readonly Encoded[], tail: Buffer): Generator<Trap, number | undefined, Resume> {
  let total = tail.length;
  for (const { head, length, plan } of parts) {
    const size: number | undefined = length ?? (plan?.measure === undefined ? undefined : yield* plan.measure());
    if (size === undefined) return undefined;
    total += head.length + size + LINE_END.length;
  }
  return total;
}

function* write(parts: readonly Encoded[], tail: Buffer, writer: BodyWriter): Generator<Trap, void, Resume> {
  for (const { head, bytes, plan } of parts) {
    const begin: Piece = bytes === undefined ? head : Buffer.concat([head, bytes]);
    if (!(yield* writer.write(begin))) return;
    if (plan !== undefined) yield* plan.write(writer) as Op<unknown>;
    if (!(yield* writer.write(LINE_END))) return;
  }
  yield* writer.write(tail);
}
