// frames.ts: what a client and a manager say to each other: arrays, as v8 writes them, behind their lengths.
//
// The last part of a message, which is what programs give, is written apart: v8 writes what is nested deeper than it can read, and then the rest says whose it is.
//
// A request has a number, which its reply carries; replies come in any order. Each request with a number but 'cancel' has exactly one reply, also if it was
// cancelled: so a client that has given up still learns what came of it.
//
// Both ends are programs of one user on one machine, over a path that nobody else can open: v8's format is not made for what strangers send.

import v8 from 'node:v8';
import type { Codec, DecodeBuffer } from '../../io/codec.ts';
import { lengthPrefixedCodec } from '../../io/framing-lengths.ts';
import { Unreadable } from '../channels/receiving-side.ts';
import type { Thrown } from '../thrown.ts';

export type Request =
  | readonly ['make', id: number, name: string, args: readonly unknown[] | Unreadable]
  | readonly ['attach', id: number, object: number]
  | readonly ['call', id: number, object: number, method: string, args: readonly unknown[] | Unreadable]
  | readonly [
      'undo',
      object: number,
      method: string,
      given: readonly [value: unknown, args: readonly unknown[]] | Unreadable,
    ]
  | readonly ['release', object: number]
  | readonly ['cancel', id: number];

export type Reply =
  | readonly ['value', id: number, value: unknown]
  | readonly ['thrown', id: number, thrown: Thrown | Unreadable]
  | readonly ['killed', id: number]
  | readonly ['gone', id: number];

/** What a client has to know of an object: the value of 'make' and 'attach'. */
export interface ObjectDescription {
  readonly object: number;
  readonly name: string;
  readonly methods: readonly string[];
  /** The methods whose results have to be taken back if nobody gets them. */
  readonly undone: readonly string[];
}

/** The most bytes of one message. */
const LIMIT = 256 * 1024 * 1024;
const lengths = lengthPrefixedCodec({ limit: LIMIT });

/** Frames that were made before: making one can fail, sending it cannot. */
export const frames: Codec<Uint8Array, unknown> = {
  limit: lengths.limit ?? LIMIT,
  encode: (bytes) => lengths.encode(bytes),
  decode(input: DecodeBuffer): unknown {
    const bytes = lengths.decode(input);
    return bytes === undefined ? undefined : messageIn(bytes as Buffer);
  },
};

/** The message in `bytes`: its last part is Unreadable if that cannot be read. @throws if that is not all. */
function messageIn(bytes: Buffer): unknown[] {
  const reader = new v8.DefaultDeserializer(bytes);
  reader.readHeader();
  const message: unknown = reader.readValue();
  if (!Array.isArray(message)) throw new TypeError('a message is a list');
  try {
    message.push(reader.readValue());
  } catch (error) {
    message.push(new Unreadable(error));
  }
  return message;
}

/** Make a frame. @throws what v8 throws for a value that cannot be cloned; RangeError if it is too large. */
export function frameOf(message: Request | Reply): Uint8Array {
  const writer = new v8.DefaultSerializer();
  writer.writeHeader();
  writer.writeValue(message.slice(0, -1));
  writer.writeValue(message.at(-1));
  const bytes = writer.releaseBuffer();
  if (bytes.length > LIMIT) throw new RangeError(`a message of ${bytes.length} bytes is over the limit of ${LIMIT}`);
  return bytes;
}
