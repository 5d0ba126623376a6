// messages.ts: queries and answers of the DNS, as bytes.
//
// A name in an answer may end with a pointer to an earlier one. Such pointers may be made into a circle, so each has to lead further back than the last, and a
// name has at most 255 bytes. Whatever the lengths in a message say is held against its size before anything is read.
// Sources: RFC 1035 (4.1, 4.1.4), RFC 3596

import { ResourceError } from 'tendril';

export const types = { A: 1, CNAME: 5, MX: 15, TXT: 16, AAAA: 28 } as const;
export type RecordType = keyof typeof types;

interface Owned<T extends string> {
  readonly type: T;
  readonly name: string;
  readonly ttl: number;
}

interface Plain<T extends string> extends Owned<T> {
  readonly data: string;
}

export type Answer =
  | Plain<'A'>
  | Plain<'AAAA'>
  | Plain<'CNAME'>
  | (Owned<'MX'> & { readonly priority: number; readonly exchange: string })
  | (Owned<'TXT'> & { readonly texts: readonly Buffer[] })
  | (Owned<'other'> & { readonly data: Buffer });

export interface Message {
  readonly id: number;
  readonly isAnswer: boolean;
  /** 0: all is well, 2: server failure, 3: no such name, 5: refused. */
  readonly status: number;
  readonly questions: readonly { readonly name: string; readonly type: number }[];
  readonly answers: readonly Answer[];
}

/** What came is no message of the DNS. */
export class DnsMessageError extends ResourceError {
  override readonly code: string = 'ERR_DNS_MESSAGE';
}

/** The bytes of a question for the records of `type` that `name` has. @throws TypeError for a name that no host has. */
export function encodeQuery(id: number, name: string, type: RecordType): Buffer {
  const labels = typeof name === 'string' ? name.replace(/\.$/, '').split('.') : [];
  if (!labels.every((label) => /^[A-Za-z0-9_-]{1,63}$/.test(label)) || labels.length === 0 || name.length > 254)
    throw Object.assign(new TypeError(`${JSON.stringify(name)?.slice(0, 300)} is no name of a host`), {
      code: 'ERR_INVALID_ARG_VALUE',
    });
  const words = (...values: number[]): Buffer => {
    const bytes = Buffer.alloc(2 * values.length);
    values.forEach((value, i) => void bytes.writeUInt16BE(value, 2 * i));
    return bytes;
  };
  const question = labels.flatMap((label) => [Uint8Array.of(label.length), Buffer.from(label)]);
  // One question, and whoever is asked may ask others.
  return Buffer.concat([words(id, 0x0100, 1, 0, 0, 0), ...question, Uint8Array.of(0), words(types[type], 1)]);
}

/** @throws DnsMessageError if `bytes` are no message. */
export function readMessage(bytes: Buffer): Message {
  const reader = new Reader(bytes);
  const [id, flags, questionCount, answerCount] = [reader.int16(), reader.int16(), reader.int16(), reader.int16()];
  reader.bytes(4); // how many records follow that we do not read
  const questions: { name: string; type: number }[] = [];
  for (let i = 0; i < questionCount; i += 1) {
    questions.push({ name: reader.name(), type: reader.int16() });
    reader.int16();
  }
  const answers: Answer[] = [];
  for (let i = 0; i < answerCount; i += 1) answers.push(readAnswer(reader));
  return { id, isAnswer: flags >= 0x8000, status: flags & 15, questions, answers };
}

function readAnswer(reader: Reader): Answer {
  const name = reader.name();
  const number = reader.int16();
  const group = reader.int16();
  const ttl = reader.int32();
  const size = reader.int16();
  const start = reader.at;
  const type = group === 1 ? Object.entries(types).find(([, each]) => each === number)?.[0] : undefined;
  const answer = readData(reader, type as RecordType | undefined, { name, ttl }, size);
  if (reader.at !== start + size) throw new DnsMessageError(`a record of ${size} bytes that has ${reader.at - start}`);
  return answer;
}

function readData(
  reader: Reader,
  type: RecordType | undefined,
  about: { name: string; ttl: number },
  size: number,
): Answer {
  switch (type) {
    case 'A':
      return { type, ...about, data: reader.bytes(4).join('.') };
    case 'AAAA':
      return { type, ...about, data: ipv6(reader.bytes(16)) };
    case 'CNAME':
      return { type, ...about, data: reader.name() };
    case 'MX':
      return { type, ...about, priority: reader.int16(), exchange: reader.name() };
    case 'TXT': {
      const texts: Buffer[] = [];
      const end = reader.at + size;
      while (reader.at < end) texts.push(reader.bytes(reader.int8()));
      return { type, ...about, texts };
    }
    default:
      return { type: 'other', ...about, data: reader.bytes(size) };
  }
}

/** As RFC 5952 writes it: the longest run of zeros left out. */
function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  const text = groups.join(':');
  const runs = text.match(/\b0(?::0\b)+/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return text;
  const at = text.search(new RegExp(`\\b${longest}\\b`));
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest.length).replace(/^:/, '')}`;
}

class Reader {
  readonly #bytes: Buffer;
  at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  bytes(count: number): Buffer {
    if (count > this.#bytes.length - this.at) throw new DnsMessageError('a message that ends too soon');
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  int8(): number {
    return this.bytes(1).readUInt8();
  }

  int16(): number {
    return this.bytes(2).readUInt16BE();
  }

  int32(): number {
    return this.bytes(4).readUInt32BE();
  }

  /** A name, without the dot at its end. What is in a label and is no letter, digit, - or _ stands as \ and three digits. */
  name(): string {
    const labels: string[] = [];
    let after: number | undefined;
    let size = 1;
    for (let earliest = this.at; ; ) {
      const length = this.int8();
      if (length === 0) break;
      if (length >= 0xc0) {
        const target = ((length & 0x3f) << 8) | this.int8();
        after ??= this.at;
        if (target >= earliest) throw new DnsMessageError('a name that points forwards, or at itself');
        earliest = target;
        this.at = target;
        continue;
      }
      size += 1 + length;
      if (length > 63 || size > 255) throw new DnsMessageError('a name that is too long');
      labels.push(
        this.bytes(length)
          .toString('latin1')
          .replace(/[^A-Za-z0-9_-]/g, (other) => `\\${String(other.charCodeAt(0)).padStart(3, '0')}`),
      );
    }
    this.at = after ?? this.at;
    return labels.join('.');
  }
}
