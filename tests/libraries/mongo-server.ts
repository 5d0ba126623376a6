// mongo-server.ts: as much of a MongoDB server as its driver needs: hello, ping, insert, find, getMore, killCursors, drop, and answers held back on demand.
//
// A stub: one process's memory, equality of fields as the only condition. What it speaks is MongoDB's wire protocol, made of tendril's sockets and framing: a message is
// a length, three numbers and BSON documents.
// Source: the MongoDB wire protocol (OP_MSG; OP_QUERY and OP_REPLY for the first hello of a connection).
import { type Document, deserialize, Long, serialize } from 'bson';
import {
  type Address,
  Event,
  type Framed,
  framed,
  type Greenlet,
  type Listener,
  lengthPrefixedCodec,
  listen,
  type Op,
  type Socket,
  select,
  serve,
  spawn,
} from 'tendril';

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;

/** The length counts itself, and then: the number of the message, the one that it answers, what it is. */
const codec = lengthPrefixedCodec({ prefix: 4, endian: 'little', includesPrefix: true });
type Messages = Framed<string | Uint8Array, Buffer, Socket>;

interface Request {
  readonly id: number;
  readonly kind: number;
  readonly command: Document;
}

/** The document that begins at `offset`, and where it ends. */
function documentAt(bytes: Buffer, offset: number): [document: Document, end: number] {
  const end = offset + bytes.readInt32LE(offset);
  return [deserialize(bytes.subarray(offset, end), { promoteLongs: false }), end];
}

function requestOf(message: Buffer): Request {
  const id = message.readInt32LE(0);
  const kind = message.readInt32LE(8);
  // Flags, the name of a collection that ends in a zero, two numbers, the command.
  if (kind === OP_QUERY) return { id, kind, command: documentAt(message, message.indexOf(0, 16) + 9)[0] };
  if (kind !== OP_MSG) throw new Error(`a message of kind ${kind}`);
  let command: Document = {};
  // Sections: a document, or a field of it that is a list of documents.
  for (let at = 16; at < message.length; ) {
    if (message[at] === 0) {
      const [document, end] = documentAt(message, at + 1);
      command = { ...document, ...command };
      at = end;
      continue;
    }
    const end = at + 1 + message.readInt32LE(at + 1);
    const zero = message.indexOf(0, at + 5);
    const documents: Document[] = [];
    for (let next = zero + 1; next < end; ) {
      const [document, after] = documentAt(message, next);
      documents.push(document);
      next = after;
    }
    command = { ...command, [message.toString('utf8', at + 5, zero)]: documents };
    at = end;
  }
  return { id, kind, command };
}

function answerTo({ id, kind }: Request, answer: Document): Buffer {
  const reply = kind === OP_QUERY;
  const head = Buffer.alloc(reply ? 32 : 17);
  head.writeInt32LE(id, 4);
  head.writeInt32LE(reply ? OP_REPLY : OP_MSG, 8);
  if (reply) head.writeInt32LE(1, 28);
  return Buffer.concat([head, serialize(answer)]);
}

const hello: Document = {
  helloOk: true,
  isWritablePrimary: true,
  ismaster: true,
  maxBsonObjectSize: 16_777_216,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  logicalSessionTimeoutMinutes: 30,
  minWireVersion: 0,
  maxWireVersion: 21,
  readOnly: false,
};

interface Cursor {
  readonly name: string;
  readonly rest: Document[];
}

export class MongoServer {
  readonly #listener: Listener;
  readonly #serving: Greenlet<unknown>;
  readonly #released = new Event();
  readonly #collections = new Map<string, Document[]>();
  readonly #cursors = new Map<number, Cursor>();
  #lastCursor = 0;
  /** How many finds with the comment `hold` wait to be released. */
  holding = 0;
  /** The names of the commands that came, without those by which a driver watches its server. */
  readonly commands: string[] = [];

  constructor(listener: Listener) {
    this.#listener = listener;
    const answer = (socket: Socket): Op<void> => this.#answer(socket);
    this.#serving = spawn(serve, listener, answer, { graceMs: 0 });
  }

  static *open(): Op<MongoServer> {
    return new MongoServer(yield* listen({ host: '127.0.0.1', port: 0 }));
  }

  get address(): Address {
    return this.#listener.address;
  }

  get openCursors(): number {
    return this.#cursors.size;
  }

  release(): void {
    this.#released.set();
  }

  *close(): Op<void> {
    this.#serving.kill();
    yield* this.#serving.join();
  }

  *#answer(socket: Socket): Op<void> {
    const messages = framed(socket, codec);
    for (let message = yield* messages.receive(); message !== null; message = yield* messages.receive()) {
      const request = requestOf(message);
      if (request.command.comment === 'hold' && !(yield* this.#hold(messages))) return;
      const answer = this.#perform(request.command);
      yield* messages.send(answerTo(request, answer));
    }
  }

  /** Wait to be released; false if the client has left. A driver has one request under way on a connection. */
  *#hold(messages: Messages): Op<boolean> {
    this.holding += 1;
    try {
      const { key } = yield* select({ released: this.#released.wait(), left: messages.receive() });
      return key === 'released';
    } finally {
      this.holding -= 1;
    }
  }

  #perform(command: Document): Document {
    const [name = '', target] = Object.entries(command)[0] ?? [];
    if (name === 'hello' || name === 'ismaster' || name === 'isMaster')
      return { ...hello, localTime: new Date(), ok: 1 };
    this.commands.push(name);
    switch (name) {
      case 'ping':
      case 'endSessions':
        return { ok: 1 };
      case 'insert':
        this.#collection(target).push(...command.documents);
        return { n: command.documents.length, ok: 1 };
      case 'drop':
        this.#collections.delete(target);
        return { ok: 1 };
      case 'find':
        return this.#find(command, target);
      case 'getMore':
        return this.#more(Number(target), 'nextBatch', command.batchSize);
      case 'killCursors':
        for (const id of command.cursors) this.#cursors.delete(Number(id));
        return { cursorsKilled: command.cursors, cursorsNotFound: [], cursorsAlive: [], cursorsUnknown: [], ok: 1 };
      default:
        return { ok: 0, code: 59, codeName: 'CommandNotFound', errmsg: `no such command: '${name}'` };
    }
  }

  #collection(name: string): Document[] {
    const found = this.#collections.get(name) ?? [];
    this.#collections.set(name, found);
    return found;
  }

  #find(command: Document, name: string): Document {
    const conditions = Object.entries((command.filter ?? {}) as Document);
    const rest = this.#collection(name)
      .filter((document) => conditions.every(([field, value]) => document[field] === value))
      .slice(0, command.limit ? Number(command.limit) : undefined);
    this.#lastCursor += 1;
    this.#cursors.set(this.#lastCursor, { name: `${command.$db}.${name}`, rest });
    return this.#more(this.#lastCursor, 'firstBatch', command.batchSize ?? 101);
  }

  #more(id: number, batch: 'firstBatch' | 'nextBatch', size: unknown): Document {
    const cursor = this.#cursors.get(id);
    if (cursor === undefined)
      return { ok: 0, code: 43, codeName: 'CursorNotFound', errmsg: `cursor id ${id} not found` };
    const documents = cursor.rest.splice(0, size === undefined ? undefined : Number(size));
    const ended = cursor.rest.length === 0;
    if (ended) this.#cursors.delete(id);
    return { cursor: { [batch]: documents, id: Long.fromNumber(ended ? 0 : id), ns: cursor.name }, ok: 1 };
  }
}
