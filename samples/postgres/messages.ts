// messages.ts: the messages of PostgreSQL's protocol 3.0: how those to the server are built, and how those from it are cut out of the stream and read.
//
// A message is a letter, a length that counts itself, and a body. The length is checked before anything is kept for it. A text of ours ends with a NUL, so
// one that has a NUL inside would become two fields: it is refused before anything is sent.
// Source: https://www.postgresql.org/docs/current/protocol-message-formats.html

import type { Codec } from 'tendril';
import { PostgresError, PostgresProtocolError } from './errors.ts';

/** A message from the server. */
export interface Message {
  /** Its letter: `T` for the description of rows, `D` for a row, ... */
  readonly type: string;
  readonly body: Buffer;
}

/** Cuts messages out of the stream; what is sent has been built already. */
export class MessageCodec implements Codec<Uint8Array, Message> {
  readonly limit: number;
  constructor(limit: number) {
    this.limit = limit;
  }

  encode(bytes: Uint8Array): Uint8Array {
    return bytes;
  }

  decode(input: Parameters<Codec<Uint8Array, Message>['decode']>[0]): Message | undefined {
    if (input.size < 5) return input.need(5);
    const length = input.view(1, 5).readUInt32BE();
    if (length < 4) throw new PostgresProtocolError(`a message of length ${length}`);
    if (1 + length > this.limit) throw input.tooLarge(1 + length);
    if (input.size < 1 + length) return input.need(1 + length);
    const type = String.fromCharCode(input.at(0));
    input.skip(5);
    return { type, body: input.take(length - 4) };
  }
}

/** Reads the body of a message from front to end. Whatever it lacks is the server's fault. */
export class BodyReader {
  readonly #body: Buffer;
  #at = 0;
  constructor(body: Buffer) {
    this.#body = body;
  }

  get left(): number {
    return this.#body.length - this.#at;
  }

  bytes(count: number): Buffer {
    if (count < 0 || count > this.left) throw new PostgresProtocolError(`a message lacks ${count - this.left} bytes`);
    this.#at += count;
    return this.#body.subarray(this.#at - count, this.#at);
  }

  int8(): number {
    return this.bytes(1).readUInt8();
  }

  int16(): number {
    return this.bytes(2).readUInt16BE();
  }

  int32(): number {
    return this.bytes(4).readInt32BE();
  }

  text(): string {
    const end = this.#body.indexOf(0, this.#at);
    if (end === -1) throw new PostgresProtocolError('a text in a message has no end');
    const text = this.#body.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** A text with the NUL that ends it. @throws TypeError if it has one inside, or is no proper Unicode: it would arrive as another text. */
export function text(value: string): Buffer {
  return Buffer.from(`${checkedText(value)}\0`);
}

export function checkedText(value: string): string {
  if (typeof value !== 'string' || /[\0\p{Surrogate}]/u.test(value))
    throw invalid(`PostgreSQL takes a text without NUL and half characters, not ${JSON.stringify(value)}`);
  return value;
}

export function invalid(text: string): TypeError {
  return Object.assign(new TypeError(text), { code: 'ERR_INVALID_ARG_VALUE' });
}

/** A message with its letter; the very first of a connection has none. */
export function message(type: string, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 4);
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(length), ...parts]);
}

/** What a parameter of a query may be. */
export type Parameter = string | number | bigint | boolean | Date | Uint8Array | null;

/** A parameter as the server reads it: its length and its text, or -1 for null. */
function parameter(value: Parameter): Buffer {
  if (value === null) return int32(-1);
  const bytes = Buffer.from(textOf(value));
  return Buffer.concat([int32(bytes.length), bytes]);
}

function textOf(value: Exclude<Parameter, null>): string {
  if (typeof value === 'string') return checkedText(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  throw Object.assign(new TypeError(`a parameter cannot be ${String(value)}: use null, a text, a number or bytes`), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
}

export const sync: Buffer = message('S');
export const flush: Buffer = message('H');
export const terminate: Buffer = message('X');

export function query(sql: string): Buffer {
  return message('Q', text(sql));
}

/** Parse, bind and describe `sql` with its parameters, all as text, in both directions. */
export function prepare(sql: string, parameters: readonly Parameter[]): Buffer {
  if (parameters.length > 65_535)
    throw new RangeError(`a query has at most 65535 parameters, not ${parameters.length}`);
  return Buffer.concat([
    message('P', text(''), text(sql), int16(0)),
    message('B', text(''), text(''), int16(0), int16(parameters.length), ...parameters.map(parameter), int16(0)),
    message('D', Buffer.from('P'), text('')),
  ]);
}

/** Run what was prepared for at most `rows` rows; 0 for all. */
export function execute(rows: number): Buffer {
  return message('E', text(''), int32(rows));
}

/** The first message. */
export function startup(settings: Readonly<Record<string, string>>): Buffer {
  const fields = Object.entries(settings).flatMap(([name, value]) => [text(name), text(value)]);
  return message('', int32(196_608), ...fields, Buffer.alloc(1));
}

/** Before the first message: may we go on in TLS? */
export const sslRequest: Buffer = message('', int32(80_877_103));

/** On a connection of its own: stop what the server process `processId` is doing. */
export function cancelRequest(processId: number, secret: number): Buffer {
  return message('', int32(80_877_102), int32(processId), int32(secret));
}

/** A column of a result. */
export interface Field {
  readonly name: string;
  /** The number of its type: 25 is text, 23 is int4, ... */
  readonly typeId: number;
}

export type Row = Readonly<Record<string, string | null>>;

export function readFields(body: Buffer): Field[] {
  const reader = new BodyReader(body);
  return Array.from({ length: reader.int16() }, () => {
    const name = reader.text();
    reader.bytes(6); // which column of which table
    const typeId = reader.int32();
    reader.bytes(8); // size, modifier, format: we ask for text only
    return { name, typeId };
  });
}

/** A row, as an object: of two columns with the same name it has the last. */
export function readRow(body: Buffer, fields: readonly Field[]): Row {
  const reader = new BodyReader(body);
  const count = reader.int16();
  if (count !== fields.length) throw new PostgresProtocolError(`a row of ${count} columns, not ${fields.length}`);
  return Object.fromEntries(
    fields.map(({ name }) => {
      const length = reader.int32();
      return [name, length === -1 ? null : reader.bytes(length).toString()];
    }),
  );
}

export function readError(body: Buffer): PostgresError {
  const reader = new BodyReader(body);
  const fields = new Map<string, string>();
  for (let letter = reader.int8(); letter !== 0; letter = reader.int8())
    fields.set(String.fromCharCode(letter), reader.text());
  return new PostgresError(fields);
}
