// protocol.ts: NATS on the wire: lines of text, each followed by a payload if it says so.
//
// Subjects and queue names stand in lines, between spaces: one with a space or a line break in it would be another command, so it is refused before anything
// is sent. Sizes are checked before anything is kept for them.
// Source: https://docs.nats.io/reference/reference-protocols/nats-protocol

import type { Codec } from 'tendril';
import { NatsProtocolError } from './errors.ts';

/** What the server sends. */
export type Frame =
  | { readonly op: 'INFO'; readonly info: ServerInfo }
  | { readonly op: 'MSG'; readonly sid: number; readonly message: RawMessage }
  | { readonly op: 'PING' | 'PONG' | '+OK' }
  | { readonly op: '-ERR'; readonly text: string };

export interface ServerInfo {
  readonly version: string;
  readonly maxPayload: number;
  readonly headers: boolean;
  readonly tlsRequired: boolean;
}

/** A message as it came. */
export interface RawMessage {
  readonly subject: string;
  readonly reply: string | undefined;
  readonly header: Buffer | undefined;
  readonly data: Buffer;
}

const LONGEST_LINE = 65_536; // INFO grows with the cluster; any other line has at most 4,096
const CRLF = Buffer.from('\r\n');

/** Where in the stream we are. */
interface Expected {
  readonly sid: number;
  readonly subject: string;
  readonly reply: string | undefined;
  readonly headerSize: number;
  readonly size: number;
}

/** Cuts frames out of the stream. It keeps the line of a message whose payload has not come, so each connection has its own. */
export class FrameCodec implements Codec<string | Uint8Array, Frame> {
  readonly limit: number;
  #expected: Expected | undefined;

  constructor(maxPayload: number) {
    this.limit = maxPayload + LONGEST_LINE;
  }

  encode(bytes: string | Uint8Array): string | Uint8Array {
    return bytes;
  }

  decode(input: Parameters<Codec<string, Frame>['decode']>[0]): Frame | undefined {
    if (this.#expected === undefined) {
      const end = input.indexOf(CRLF);
      if (end > LONGEST_LINE || (end === -1 && input.size > LONGEST_LINE))
        throw input.tooLarge(undefined, LONGEST_LINE);
      if (end === -1) return undefined;
      const line = input.text(end);
      input.skip(2);
      const frame = readLine(line);
      if (!('size' in frame)) return frame;
      if (frame.size > this.limit) throw input.tooLarge(frame.size);
      this.#expected = frame;
    }
    const { sid, subject, reply, headerSize, size } = this.#expected;
    if (input.size < size + 2) return input.need(size + 2);
    const header = headerSize === 0 ? undefined : input.take(headerSize);
    const data = input.take(size - headerSize);
    if (input.text(2) !== '\r\n') throw new NatsProtocolError('a payload that is longer than it says');
    this.#expected = undefined;
    return { op: 'MSG', sid, message: { subject, reply, header, data } };
  }
}

function readLine(line: string): Frame | Expected {
  const [, op = '', rest = ''] = /^(\S+)[ \t]*(.*)$/s.exec(line) ?? [];
  switch (op.toUpperCase()) {
    case 'MSG':
      return readMessage(rest, false);
    case 'HMSG':
      return readMessage(rest, true);
    case 'PING':
      return { op: 'PING' };
    case 'PONG':
      return { op: 'PONG' };
    case '+OK':
      return { op: '+OK' };
    case '-ERR':
      return { op: '-ERR', text: rest.replace(/^'(.*)'$/s, '$1') };
    case 'INFO':
      return { op: 'INFO', info: readInfo(rest) };
    default:
      throw new NatsProtocolError(`a line that begins with ${JSON.stringify(line.slice(0, 20))}`);
  }
}

function readMessage(rest: string, withHeader: boolean): Expected {
  const words = rest.split(/[ \t]+/);
  const sizes = words.splice(withHeader ? -2 : -1).map(sizeOf);
  const [subject = '', sid = '', reply] = words;
  const size = sizes.at(-1) as number;
  const headerSize = withHeader ? (sizes[0] as number) : 0;
  if (words.length < 2 || words.length > 3 || headerSize > size)
    throw new NatsProtocolError(`a message with the line ${JSON.stringify(rest.slice(0, 100))}`);
  return { sid: sizeOf(sid), subject, reply, headerSize, size };
}

function sizeOf(word: string): number {
  if (!/^\d{1,10}$/.test(word)) throw new NatsProtocolError(`${JSON.stringify(word.slice(0, 20))} for a size`);
  return Number(word);
}

function readInfo(json: string): ServerInfo {
  let info: Record<string, unknown>;
  try {
    info = JSON.parse(json) as Record<string, unknown>;
  } catch {
    throw new NatsProtocolError('INFO without proper JSON');
  }
  const { version, max_payload: maxPayload, headers, tls_required: tlsRequired } = info ?? {};
  if (typeof version !== 'string' || !Number.isSafeInteger(maxPayload) || (maxPayload as number) < 0)
    throw new NatsProtocolError('INFO without a version and a largest payload');
  return { version, maxPayload: maxPayload as number, headers: headers === true, tlsRequired: tlsRequired === true };
}

/** @throws TypeError unless `subject` is one: words without spaces, with dots between them. A subscription may have `*` for a word, and `>` at the end. */
export function checkSubject(subject: string, mayMatch: boolean): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  const word = typeof subject === 'string' && /^[^\x00-\x20\x7f]+$/.test(subject) && !/\p{Surrogate}/u.test(subject);
  const words = word ? subject.split('.') : [''];
  const wild = words.findIndex((each) => each === '*' || each === '>');
  const bad = words.includes('') || (wild !== -1 && !mayMatch) || words.slice(0, -1).includes('>');
  if (bad || Buffer.byteLength(subject) > 1_000)
    throw invalid(`${JSON.stringify(subject)} is no subject${mayMatch ? '' : ' to publish to'}`);
  return subject;
}

export function invalid(text: string): TypeError {
  return Object.assign(new TypeError(text), { code: 'ERR_INVALID_ARG_VALUE' });
}
