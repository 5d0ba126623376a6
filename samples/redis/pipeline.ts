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
  Channel,
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
/** Places in the queue that are kept to be used again. */
const MOST_SPARE = 1_024;

/** An error on its way to the greenlet that will throw it. */
class Failure {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

/**
 * One start of a request: its place in the queue, and the iterator of the wait for its reply. It is used again as soon as a greenlet was handed its reply, so
 * most commands allocate none. Where nobody was waiting the reply stays in it: for a greenlet that has not got as far yet, or for nobody.
 */
class Pending {
  request: Request<unknown>;
  repliesBefore: number;
  /** The first error among the replies that come before. */
  earlier: RedisError | undefined = undefined;
  readonly reply: Channel<unknown>;
  readonly #wait: OpIterator<unknown>;

  /** Begin to wait, in the current greenlet; in the place of `spare`, if there is one. */
  static begin(request: Request<unknown>, spare: Pending | undefined): Pending {
    const reply = spare?.reply ?? new Channel<unknown>(1, { name: 'of the reply to a Redis command' });
    const wait = reply.receive()[Symbol.iterator]();
    // The greenlet that had it before may not have gone on yet, and goes on with what it was given: nearly always that is the same object.
    if (spare === undefined || spare.#wait !== wait) return new Pending(request, reply, wait);
    spare.request = request;
    spare.repliesBefore = request.repliesBefore;
    spare.earlier = undefined;
    return spare;
  }

  private constructor(request: Request<unknown>, reply: Channel<unknown>, wait: OpIterator<unknown>) {
    this.request = request;
    this.repliesBefore = request.repliesBefore;
    this.reply = reply;
    this.#wait = wait;
  }

  /** The reply has come: may this be used again? */
  settle(reply: unknown): boolean {
    this.reply.trySend(reply);
    return this.reply.length === 0;
  }

  // What the kernel's own iterator is asked for, this passes on as it came: it tells misuse from `yield*` by that.
  next(resume?: never): IteratorResult<never, unknown> {
    // biome-ignore lint/complexity/noArguments: as the kernel's own; a rest parameter costs a call with a spread
    const step = (arguments.length === 0 ? this.#wait.next() : this.#wait.next(resume as never)) as IteratorResult<
      never,
      unknown
    >;
    if (step.done === true && step.value instanceof Failure) throw step.value.error;
    return step;
  }

  return(value: unknown): IteratorResult<never, unknown> {
    return this.#wait.return?.(value) as IteratorResult<never, unknown>;
  }

  throw(error: unknown): IteratorResult<never, unknown> {
    return this.#wait.throw?.(error) as IteratorResult<never, unknown>;
  }
}

export class Pipeline {
  readonly link: RespLink;
  /** Set with the reason when the connection is lost or closed. */
  readonly lost: AsyncResult<unknown> = new AsyncResult({ name: 'loss of a Redis connection' });
  open = true;
  #queue: Pending[] = [];
  #head = 0;
  readonly #spare: Pending[] = [];
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
    // First the wait, which throws here if a kill is pending: a command that is refused has not been sent.
    const pending = Pending.begin(request, this.#spare.pop());
    this.#queue.push(pending);
    this.#gathered += 1;
    const { wire } = request;
    if (typeof wire === 'string') this.#append(wire);
    else this.#gather(wire);
    if (!this.#wanted.isSet) this.#wanted.set();
    return pending as OpIterator<unknown>;
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
      each.settle(new Failure(errorOf(each, reason, i < pending.length - this.#gathered)));
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
      if (pending.settle(contentOf(pending, reply)) && this.#spare.length < MOST_SPARE) this.#spare.push(pending);
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

function contentOf({ request, earlier }: Pending, reply: Reply): unknown {
  const { name, shape } = request;
  if (!(reply instanceof RedisError)) return shape === undefined ? reply : shape(reply);
  reply.command = name;
  reply.cause ??= earlier;
  return new Failure(reply);
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
