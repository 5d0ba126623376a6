// encoding-tags.ts: the tags whose content is a text: numbers that JSON has no form of, big integers, dates, bytes.
//
// Those that hold other values (maps, sets, errors) are in encoding.ts, which walks. Bytes are base64 of what the view shows, not of its whole buffer, in the order of the machine,
// which is little-endian wherever Node runs but on s390x.

import { isArrayBuffer } from 'node:util/types';
import { MessageMalformedError } from './errors.ts';

type ViewConstructor = new (buffer: ArrayBuffer) => ArrayBufferView;

const views: ReadonlyMap<string, { readonly made: ViewConstructor; readonly elementBytes: number }> = new Map(
  [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ].map((made) => [made.name, { made: made as unknown as ViewConstructor, elementBytes: made.BYTES_PER_ELEMENT }]),
);

/** The most digits of a big integer: reading takes time that grows with the square of its length. */
export const longestBigint = 50_000;

/** The tag of bytes; undefined if `value` is none, or is shared memory. A Buffer is a Uint8Array, as it is to structured clone. */
export function viewName(value: object): string | undefined {
  if (isArrayBuffer(value)) return 'ArrayBuffer';
  if (!ArrayBuffer.isView(value) || !isArrayBuffer(value.buffer)) return undefined;
  if (value instanceof DataView) return 'DataView';
  // Not the constructor's name, which a subclass changes.
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** The base64 of bytes. `adding` is told of their number first, and may throw. */
export function encodeBytes(value: object, adding: (bytes: number) => void): string {
  const bytes = ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
    : Buffer.from(value as ArrayBuffer);
  adding(bytes.length);
  return bytes.toString('base64');
}

/** The value of a tag. @throws MessageMalformedError if there is no such tag, or its content is not what it should be. */
export function decodeTagged(tag: unknown, v: unknown): unknown {
  switch (tag) {
    case 'undefined':
      return undefined;
    case 'number':
      if (v === 'NaN' || v === 'Infinity' || v === '-Infinity' || v === '-0') return Number(v);
      break;
    case 'bigint':
      if (typeof v === 'string' && v.length <= longestBigint && /^-?\d+$/.test(v)) return BigInt(v);
      break;
    case 'date':
      if (v === null || typeof v === 'number') return new Date(v ?? Number.NaN);
      break;
    default:
      if (typeof tag === 'string' && typeof v === 'string') return decodeBytes(tag, v);
  }
  throw new MessageMalformedError(`the message has a value of the kind ${shown(tag)} that cannot be read`);
}

function decodeBytes(tag: string, text: string): unknown {
  const view = views.get(tag);
  if (view === undefined && tag !== 'ArrayBuffer' && tag !== 'DataView')
    throw new MessageMalformedError(`the message has a value of an unknown kind: ${shown(tag)}`);
  const decoded = Buffer.from(text, 'base64');
  if (Math.ceil(decoded.length / 3) * 4 !== text.length || decoded.length % (view?.elementBytes ?? 1) !== 0)
    throw new MessageMalformedError(`the message has bytes (${tag}) that are damaged`);
  // A copy of its own: small Buffers share one memory.
  const { buffer } = new Uint8Array(decoded);
  if (view !== undefined) return new view.made(buffer);
  return tag === 'DataView' ? new DataView(buffer) : buffer;
}

function shown(tag: unknown): string {
  return JSON.stringify(String(tag).slice(0, 40));
}
