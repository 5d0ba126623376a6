// pipeline.ts: one connection that any number of greenlets use at once. Commands leave in the order in which they were started, replies come
// in the same order, and each wakes the greenlet at the head of the queue.
//
// Two daemons do the work. The writer is woken by the first command of a turn and runs when all greenlets that were runnable have had their
// chance to add theirs: so a hundred greenlets share one write without knowing of each other. The reader parses what has come and commits each reply.
//
// A greenlet that is killed or times out while it waits leaves its place in the queue (a tombstone): its reply still comes and must be counted off,
// or every later greenlet would get its neighbour's. For the same reason a kill says nothing about whether the command was carried out.
//
// Invariants, between any two steps:
//   queue[head..] are the requests that were sent, or gathered to be sent, and not answered, oldest first
//   not open  implies  nothing is in the queue and nobody waits for a reply

import {
  AsyncResult,
  ClosedError,
  ConnectionResetError,
  Event,
  type Greenlet,
  isKilled,
  type Op,
  rethrowKilled,
  spawnWith,
  timeout,
  type Waitable,
  yieldNow,
} from 'tendril';
import { lossOf, RedisConnectionError, RedisError, RedisProtocolError } from './errors.ts';
import type { OpIterator, Request } from './request.ts';
import { closedByServer, type RespLink } from './resp-link.ts';
import { Push, type Reply } from './resp-values.ts';

/** More unanswered commands than this are refused: greenlets that give up and try again would otherwise fill the memory behind a dead server. */
const MOST_UNANSWERED = 100_000;
/** A text that has grown beyond this many characters is a piece of its own. */
const MOST_TEXT = 1024 * 1024;

/** After so many replies the reader gives way: what they woke runs while it is still in the caches of the processor. */
const MOST_REPLIES = 24;

/** One start of a request: its place in the queue, and the result that its greenlet waits for. */
class Pending extends AsyncResult<unknown> {
  readonly request: Request<unknown>;
  repliesBefore: number;
  /** The first error among the replies that come before. */
  earlier: RedisError | undefined = undefined;
  constructor(request: Request<unknown>) {
    super();
    this.request = request;
    this.repliesBefore = request.repliesBefore;
  }
}

export class Pipeline {
  readonly link: RespLink;
  /** Set with the reason when the connection is lost or closed. */
  readonly lost: AsyncResult<unknown> = new AsyncResult({ name: 'loss of a Redis connection' });
  open = true;
  #queue: Pending[] = [];
  #head = 0;
  /** What the writer will send next: pieces that are done, and the text that still grows. */
  #pieces: (string | Uint8Array)[] = [];
  #text = '';
  /** How many of the last requests are still in there. */
  #gathered = 0;
  readonly #wanted: Event = new Event({ name: 'commands to send' });
  readonly #writer: Greenlet<void>;

  constructor(link: RespLink, replyMs: number) {
    this.link = link;
    this.#writer = spawnWith({ name: 'redis writer', daemon: true }, () => this.#write());
    spawnWith({ name: 'redis reader', daemon: true }, () => this.#read(replyMs));
  }

  get unanswered(): number {
    return this.#queue.length - this.#head;
  }

  /** Start `request` in the current greenlet: the one wait is for its reply. */
  start(request: Request<unknown>): OpIterator<unknown> {
    if (this.unanswered >= MOST_UNANSWERED) {
      throw new RedisConnectionError(`${request.name}: ${MOST_UNANSWERED} commands wait for a reply`, {
        code: 'ERR_REDIS_BACKLOG',
      });
    }
    const pending = new Pending(request);
    // First the wait, which throws here if a kill is pending: a command that is refused has not been sent.
    const iterator = pending.get()[Symbol.iterator]();
    this.#queue.push(pending);
    this.#gathered += 1;
    const { wire } = request;
    if (typeof wire === 'string') this.#append(wire);
    else this.#gather(wire);
    if (!this.#wanted.isSet) this.#wanted.set();
    return iterator;
  }

  /** Close the connection: every greenlet that waits for a reply gets an error made from `reason`. Never switches. */
  close(reason: unknown): void {
    if (!this.open) return;
    this.open = false;
    this.link.close();
    this.#writer.kill();
    const pending = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    for (const [i, each] of pending.entries())
      each.setError(errorOf(each, reason, i < pending.length - this.#gathered));
    this.lost.set(reason);
  }

  #append(text: string): void {
    // Behind a server that takes nothing it would outgrow what a string can be.
    if (this.#text.length > MOST_TEXT) {
      this.#pieces.push(this.#text);
      this.#text = '';
    }
    this.#text += text;
  }

  #gather(wire: readonly (string | Uint8Array)[]): void {
    for (const piece of wire) {
      if (typeof piece === 'string') {
        this.#append(piece);
      } else {
        this.#pieces.push(this.#text, piece);
        this.#text = '';
      }
    }
  }

  *#write(): Op<void> {
    const { socket } = this.link;
    try {
      for (;;) {
        yield* this.#wanted.wait();
        this.#wanted.clear();
        const pieces = this.#pieces;
        const text = this.#text;
        this.#text = '';
        this.#gathered = 0;
        if (pieces.length > 0) {
          this.#pieces = [];
          for (const piece of pieces) yield* socket.write(piece);
        }
        yield* socket.write(text);
      }
    } catch (error) {
      // Of a lost connection the reader learns too, after it has delivered what came before. Anything else nobody but us knows.
      if (!(error instanceof ConnectionResetError)) this.close(error);
      rethrowKilled(error);
    }
  }

  *#read(replyMs: number): Op<void> {
    const { parser, socket } = this.link;
    const read: Waitable<Buffer | null | undefined> = timeout(replyMs, socket.read(), { else: undefined });
    let stalled = false;
    try {
      for (;;) {
        const chunk = yield* read;
        if (chunk === undefined) {
          // Twice, because a command may have been sent a moment before the first.
          if (stalled && this.unanswered > 0)
            throw new RedisConnectionError(`no reply for ${replyMs} ms`, { code: 'ETIMEDOUT' });
          stalled = this.unanswered > 0;
          continue;
        }
        if (chunk === null) throw closedByServer();
        stalled = false;
        parser.feed(chunk);
        while (!this.#deliver()) yield* yieldNow();
      }
    } catch (error) {
      this.close(error);
      rethrowKilled(error);
    }
  }

  /** Hand out the whole replies that have come, so many at a time: were those all? */
  #deliver(): boolean {
    const { parser } = this.link;
    for (let replies = 0; replies < MOST_REPLIES; replies += 1) {
      const pending = this.#queue[this.#head];
      const reply = parser.next(pending?.request.asBuffers === true);
      if (reply === undefined) return true;
      if (reply instanceof Push) continue;
      if (pending === undefined) throw unasked(reply);
      if (pending.repliesBefore > 0) {
        pending.repliesBefore -= 1;
        if (reply instanceof RedisError) pending.earlier ??= reply;
        continue;
      }
      this.#shift();
      settle(pending, reply);
    }
    return false;
  }

  #shift(): void {
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    } else if (this.#head >= 4096 && this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }
}

function settle(pending: Pending, reply: Reply): void {
  const { name, shape } = pending.request;
  if (reply instanceof RedisError) {
    reply.command = name;
    reply.cause ??= pending.earlier;
    pending.setError(reply);
  } else {
    pending.set(shape === undefined ? reply : shape(reply));
  }
}

function errorOf({ request }: Pending, reason: unknown, sent: boolean): unknown {
  if (reason instanceof ClosedError) return reason;
  // A Killed is for the greenlet that was killed.
  return lossOf(request.name, isKilled(reason) ? 'its greenlets were killed' : reason, sent);
}

function unasked(reply: Reply): Error {
  // A server that is full says so before it closes.
  if (reply instanceof RedisError)
    return new RedisConnectionError(`the server refused the connection: ${reply.message}`, { cause: reply });
  return new RedisProtocolError('a reply came that no command asked for');
}
