// resp.ts: RESP as a server speaks it: commands from bytes that are cut anywhere, replies to bytes.
//
// It shares nothing with the client's parser and encoder, so that the two can find each other's mistakes. Every byte is one character (latin1) in here.

/** What a server answers. */
export type Answer =
  | null
  | number
  | string
  | readonly Answer[]
  | Status
  | Failure
  | Fields
  | Push
  /** The null of an aggregate, which RESP2 tells from that of a string. */
  | NoArray;

/** A simple string: `+OK`. */
export class Status {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** An error: `-ERR ...`. */
export class Failure {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Fields and values: a map in RESP3, a list in RESP2. */
export class Fields {
  readonly entries: ReadonlyMap<string, Answer>;
  constructor(entries: ReadonlyMap<string, Answer>) {
    this.entries = entries;
  }
}

/** What nobody asked for: a message, a confirmation. A push in RESP3, a list in RESP2. */
export class Push {
  readonly items: readonly Answer[];
  constructor(items: readonly Answer[]) {
    this.items = items;
  }
}

export class NoArray {}

export const OK: Status = new Status('OK');
export const QUEUED: Status = new Status('QUEUED');
export const NO_ARRAY: NoArray = new NoArray();

export type Protocol = 2 | 3;

/** `answer` as it goes over the wire, in latin1. */
export function wireOf(answer: Answer, protocol: Protocol): string {
  if (answer === null) return protocol === 3 ? '_\r\n' : '$-1\r\n';
  if (typeof answer === 'number') return `:${answer}\r\n`;
  if (typeof answer === 'string') return `$${answer.length}\r\n${answer}\r\n`;
  if (answer instanceof Status) return `+${answer.text}\r\n`;
  if (answer instanceof Failure) return `-${answer.text}\r\n`;
  if (answer instanceof NoArray) return protocol === 3 ? '_\r\n' : '*-1\r\n';
  if (answer instanceof Fields) {
    const { entries } = answer;
    const items = [...entries].flat();
    return listOf(protocol === 3 ? `%${entries.size}` : `*${items.length}`, items, protocol);
  }
  if (answer instanceof Push)
    return listOf(`${protocol === 3 ? '>' : '*'}${answer.items.length}`, answer.items, protocol);
  return listOf(`*${answer.length}`, answer, protocol);
}

function listOf(header: string, items: readonly Answer[], protocol: Protocol): string {
  let text = `${header}\r\n`;
  for (const item of items) text += wireOf(item, protocol);
  return text;
}

/** Commands from bytes: lists of bulk strings, and nothing else. */
export class CommandReader {
  #text = '';

  /** The whole commands that are there now that `bytes` have come. @throws Error for what is no command. */
  read(bytes: Buffer): string[][] {
    this.#text += bytes.toString('latin1');
    const commands: string[][] = [];
    let at = 0;
    for (;;) {
      const found = commandAt(this.#text, at);
      if (found === undefined) break;
      commands.push(found.command);
      at = found.end;
    }
    this.#text = this.#text.slice(at);
    return commands;
  }
}

function commandAt(text: string, start: number): { command: string[]; end: number } | undefined {
  const list = headerAt(text, start, '*');
  if (list === undefined) return undefined;
  const command: string[] = [];
  let at = list.end;
  while (command.length < list.count) {
    const bulk = headerAt(text, at, '$');
    if (bulk === undefined) return undefined;
    const end = bulk.end + bulk.count;
    if (text.length < end + 2) return undefined;
    if (!text.startsWith('\r\n', end))
      throw new Error(`a bulk string is longer than its length says: ${shown(text, at)}`);
    command.push(text.slice(bulk.end, end));
    at = end + 2;
  }
  return { command, end: at };
}

function headerAt(text: string, start: number, kind: string): { count: number; end: number } | undefined {
  if (start >= text.length) return undefined;
  if (text[start] !== kind) throw new Error(`'${kind}' was expected: ${shown(text, start)}`);
  const end = text.indexOf('\r\n', start);
  if (end === -1) return undefined;
  const digits = text.slice(start + 1, end);
  if (!/^\d+$/.test(digits)) throw new Error(`a length was expected: ${shown(text, start)}`);
  return { count: Number(digits), end: end + 2 };
}

function shown(text: string, at: number): string {
  return JSON.stringify(text.slice(at, at + 40));
}
