// client.ts: a resolver that asks one server over one TCP connection, with any number of questions on their way at once.
//
// Questions carry a number, and answers come in any order. A daemon reads them and wakes whoever asked. One that was killed or timed out has taken its number
// off the list, so that its late answer is nobody's. An answer has to repeat the question. A connection that the server has closed, as servers do
// with an idle one, is made again for the next question.
//
// Invariant, between any two steps: there is no connection  implies  no question is on its way.
// Source: RFC 7766

import { randomInt } from 'node:crypto';
import {
  AsyncResult,
  ClosedError,
  connect,
  DnsError,
  type Framed,
  framed,
  lengthPrefixedCodec,
  Mutex,
  type Op,
  ResourceError,
  rethrowKilled,
  type Socket,
  spawnWith,
  timeout,
} from 'tendril';
import {
  type Answer,
  DnsMessageError,
  encodeQuery,
  type Message,
  type RecordType,
  readMessage,
  types,
} from './messages.ts';

export interface ResolverOptions {
  readonly host?: string | undefined;
  /** 53 by default. */
  readonly port?: number | undefined;
  /** How long an answer may take, connecting included: 5,000 ms by default. */
  readonly timeoutMs?: number | undefined;
}

interface Asked {
  readonly name: string;
  readonly type: number;
  readonly answer: AsyncResult<Message>;
}

type Frames = Framed<Uint8Array, Buffer, Socket>;

const MOST_ASKED = 10_000;
const CODES = ['ENODATA', 'EFORMERR', 'ESERVFAIL', 'ENOTFOUND', 'ENOTIMP', 'EREFUSED'];

export class TcpResolver {
  readonly #options: ResolverOptions;
  readonly #asked = new Map<number, Asked>();
  readonly #connecting = new Mutex({ name: 'a connection to a name server' });
  #frames: Frames | undefined;
  #lastId = randomInt(65_536);
  /** Has the server answered on this connection? */
  #heard = false;
  /** Errors of connections that the server ended, and whether it had answered on them. */
  readonly #ended = new WeakMap<object, boolean>();
  #closed = false;

  constructor(options: ResolverOptions = {}) {
    this.#options = options;
  }

  /**
   * The records of `type` that `name` has, aliases followed.
   *
   * @throws DnsError with Node's codes: ENOTFOUND, ENODATA, ESERVFAIL, ... @throws TimeoutError, ConnectError. @throws TypeError for a name that is none.
   */
  *resolve<T extends RecordType>(name: string, type: T): Op<Extract<Answer, { type: T }>[]> {
    const wanted = name.toLowerCase().replace(/\.$/, '');
    encodeQuery(0, wanted, type);
    const { status, answers } = yield* timeout(this.#options.timeoutMs ?? 5_000, this.#askUntilHeard(wanted, type));
    const found = status === 0 ? recordsOf(wanted, type, answers) : [];
    if (found.length === 0) throw new DnsError(name, CODES[status] ?? 'EBADRESP', undefined, { op: `resolve ${type}` });
    return found;
  }

  /** Close at once. Who waits for an answer gets ClosedError. Never switches; idempotent. */
  close(): void {
    this.#closed = true;
    this.#lost(this.#frames, new ClosedError('a resolver that is closed'));
  }

  /**
   * Ask again when the server has ended the connection: it may have been about to when we asked, and servers answer only so many questions on one. Three
   * connections without an answer to anybody are enough.
   */
  *#askUntilHeard(name: string, type: RecordType): Op<Message> {
    for (let silent = 0; ; ) {
      try {
        return yield* this.#ask(name, type);
      } catch (error) {
        rethrowKilled(error);
        const heard = this.#ended.get(error as object);
        if (heard === false) silent += 1;
        if (heard === undefined || silent === 3) throw error;
      }
    }
  }

  *#ask(name: string, type: RecordType): Op<Message> {
    const frames = yield* this.#connecting.use(this.#connection());
    if (this.#asked.size >= MOST_ASKED)
      throw new DnsError(name, 'EBUSY', undefined, { detail: `${MOST_ASKED} questions wait` });
    do this.#lastId = (this.#lastId + 1) % 65_536;
    while (this.#asked.has(this.#lastId));
    const id = this.#lastId;
    const answer = new AsyncResult<Message>({ name: `the ${type} records of ${name}` });
    this.#asked.set(id, { name, type: types[type], answer });
    try {
      try {
        yield* frames.send(encodeQuery(id, name, type));
      } catch (error) {
        if (!(error instanceof ResourceError || error instanceof ClosedError)) throw error;
        this.#lost(frames, error); // which gives everybody, us too, the error
      }
      return yield* answer.get();
    } finally {
      this.#asked.delete(id);
    }
  }

  *#connection(): Op<Frames> {
    if (this.#closed) throw new ClosedError('a resolver that is closed');
    if (this.#frames !== undefined) return this.#frames;
    const { host = '127.0.0.1', port = 53 } = this.#options;
    const socket = yield* connect({ host, port });
    if (this.#closed) {
      socket.close();
      throw new ClosedError('a resolver that was closed');
    }
    const frames = framed(socket, lengthPrefixedCodec({ prefix: 2 }));
    this.#frames = frames;
    this.#heard = false;
    spawnWith({ name: 'dns reader', daemon: true }, () => this.#read(frames));
    return frames;
  }

  *#read(frames: Frames): Op<void> {
    let reason: unknown;
    try {
      for (;;) {
        const bytes = yield* frames.receive();
        if (bytes === null) break;
        this.#answered(readMessage(bytes));
      }
    } catch (error) {
      reason = error;
      if (!(error instanceof ResourceError || error instanceof ClosedError)) throw error;
    } finally {
      this.#lost(frames, reason);
    }
  }

  #answered(message: Message): void {
    const asked = this.#asked.get(message.id);
    if (asked === undefined) return;
    const [question] = message.questions;
    const same = question?.type === asked.type && question.name.toLowerCase() === asked.name;
    // The answer to another question with the same number, whose asker has gone.
    if (!message.isAnswer || !same) return;
    this.#asked.delete(message.id);
    this.#heard = true;
    asked.answer.set(message);
  }

  #lost(frames: Frames | undefined, reason: unknown): void {
    frames?.close();
    if (this.#frames !== frames) return;
    this.#frames = undefined;
    const waiting = [...this.#asked.values()];
    this.#asked.clear();
    const code = reason instanceof DnsMessageError ? 'EBADRESP' : 'ECONNRESET';
    const detail = reason instanceof Error ? reason.message : 'the name server closed the connection';
    for (const { name, answer } of waiting) {
      const error = reason instanceof ClosedError ? reason : new DnsError(name, code, reason, { detail });
      if (code === 'ECONNRESET' && error !== reason) this.#ended.set(error, this.#heard);
      answer.setError(error);
    }
  }
}

/** Those of `answers` that belong to `name`, or to what it is an alias of. */
function recordsOf<T extends RecordType>(
  name: string,
  type: T,
  answers: readonly Answer[],
): Extract<Answer, { type: T }>[] {
  let owner = name;
  for (let hops = 0; hops < 16; hops += 1) {
    const found = answers.filter((each) => each.type === type && each.name.toLowerCase() === owner);
    if (found.length > 0) return found as Extract<Answer, { type: T }>[];
    const alias = answers.find((each) => each.type === 'CNAME' && each.name.toLowerCase() === owner);
    if (alias?.type !== 'CNAME') return [];
    owner = alias.data.toLowerCase();
  }
  return [];
}
