// client.ts: what one does with NATS: publish, subscribe, request. Any number of greenlets use one client.
//
// A daemon reads the connection and hands out what comes. When the connection is lost it makes a new one and subscribes again; what was published in between
// has not come, and who waits for an answer gets an error. Who publishes meanwhile waits for the new one.
//
// All replies come to one inbox, told apart by the last word of their subject: a request that is killed or times out leaves no subscription behind, and its
// late reply is dropped.
//
// Invariants, between any two steps:
//   link is defined  implies  `up` is set and the server knows every subscription in the map
//   closed           implies  no request, no flush and no subscription is left

import { randomBytes } from 'node:crypto';
import {
  AsyncResult,
  ClosedError,
  Event,
  type Greenlet,
  isKilled,
  now,
  type Op,
  ResourceError,
  sleep,
  spawnWith,
  timeout,
} from 'tendril';
import { NatsConnectionError, NatsError } from './errors.ts';
import { encodeHeaders, type HeadersToSend, readHeaders } from './headers.ts';
import { NatsLink, type NatsOptions } from './link.ts';
import { checkSubject, type Frame, invalid, type RawMessage } from './protocol.ts';
import { type Message, Subscription } from './subscription.ts';

export interface PublishOptions {
  /** Where an answer is expected. */
  readonly reply?: string | undefined;
  readonly headers?: HeadersToSend | undefined;
}

export interface RequestOptions {
  /** 5,000 ms by default. */
  readonly timeoutMs?: number | undefined;
  readonly headers?: HeadersToSend | undefined;
}

export interface SubscribeOptions {
  /** Of those that subscribe with the same queue each message reaches one. */
  readonly queue?: string | undefined;
  /** How many messages may wait before more are dropped: 1,024 by default. */
  readonly capacity?: number | undefined;
}

const INBOX_SID = 1;

export class NatsClient {
  readonly #options: NatsOptions;
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #requests = new Map<string, AsyncResult<{ message: Message; status: number | undefined }>>();
  #pongs: AsyncResult<void>[] = [];
  readonly #inbox = `_INBOX.${randomBytes(12).toString('hex')}`;
  readonly #up = new Event({ name: 'a NATS connection' });
  #link: NatsLink | undefined;
  #reader: Greenlet<void> | undefined;
  #closed: Error | undefined;
  #lastSid = INBOX_SID;
  #lastToken = 0;
  /** How often the connection was made again. */
  reconnects = 0;

  private constructor(options: NatsOptions) {
    this.#options = options;
  }

  /** Connect. If it throws, nothing is left open. @throws ConnectError, TimeoutError; NatsError if the server refuses. */
  static *connect(options: NatsOptions = {}): Op<NatsClient> {
    const client = new NatsClient(options);
    const link = yield* NatsLink.open(options, client.#wanted());
    client.#reader = spawnWith({ name: 'nats reader', daemon: true }, () => client.#keep(link));
    client.#link = link;
    client.#up.set();
    return client;
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /**
   * Publish. Waits for room in the socket, and while the connection is being made again. Returns before anybody has it: for that, `flush` or `request`.
   *
   * @throws TypeError for a subject or headers that are none, RangeError for more than the server takes: then nothing was sent.
   * @throws NatsConnectionError if the connection does not come back. @throws ClosedError after close().
   */
  *publish(subject: string, data: string | Uint8Array = '', { reply, headers }: PublishOptions = {}): Op<void> {
    checkSubject(subject, false);
    if (reply !== undefined) checkSubject(reply, false);
    const header = headers === undefined ? undefined : encodeHeaders(headers);
    const body = bytesOf(data);
    const link = yield* this.#linked();
    const size = body.length + (header?.length ?? 0);
    if (size > link.info.maxPayload)
      throw Object.assign(new RangeError(`a message of ${size} bytes; the server takes ${link.info.maxPayload}`), {
        code: 'ERR_OUT_OF_RANGE',
      });
    const to = reply === undefined ? subject : `${subject} ${reply}`;
    if (header === undefined) yield* link.send(`PUB ${to} ${size}\r\n`, body, '\r\n');
    else yield* link.send(`HPUB ${to} ${header.length} ${size}\r\n`, header, body, '\r\n');
  }

  /** Subscribe: a channel of messages. @throws as publish. */
  *subscribe(subject: string, { queue, capacity = 1_024 }: SubscribeOptions = {}): Op<Subscription> {
    checkSubject(subject, true);
    if (queue !== undefined) checkSubject(queue, false);
    if (!(capacity >= 1)) throw invalid(`a capacity of ${capacity}: at least one message must have room`);
    const link = yield* this.#linked();
    this.#lastSid += 1;
    const subscription = new Subscription(this, this.#lastSid, subject, queue, capacity);
    this.#subscriptions.set(subscription.sid, subscription);
    try {
      yield* link.send(subscribing(subscription));
    } catch (error) {
      // Lost in between: it is subscribed with the others when the connection is back.
      if (!(error instanceof NatsConnectionError)) subscription.close();
      if (!(error instanceof NatsConnectionError) || this.closed) throw error;
    }
    return subscription;
  }

  /**
   * Publish and wait for an answer.
   *
   * @throws NatsError with the code ERR_NATS_NO_RESPONDERS if nobody listens. @throws TimeoutError after `timeoutMs`.
   * @throws NatsConnectionError if the connection is lost meanwhile: the request may have been served. @throws as publish.
   */
  *request(subject: string, data: string | Uint8Array = '', options: RequestOptions = {}): Op<Message> {
    const { timeoutMs = 5_000, headers } = options;
    return yield* timeout(timeoutMs, this.#request(subject, data, headers));
  }

  /** Wait until the server has seen all that was sent, and we have seen all that it had sent. */
  *flush(): Op<void> {
    const link = yield* this.#linked();
    const pong = new AsyncResult<void>({ name: 'a NATS flush' });
    yield* link.send('PING\r\n');
    if (this.#link !== link) throw new NatsConnectionError('flush: the connection was lost');
    // Nothing may wait between the two: answers come in the order of the questions. Whoever is killed from here on leaves its place in the queue.
    this.#pongs.push(pong);
    yield* pong.get();
  }

  /** End all subscriptions without losing a message that is on its way, send what was published, and close. */
  *drain(): Op<void> {
    try {
      const subscriptions = [...this.#subscriptions.values()];
      for (const each of subscriptions) yield* this.unsubscribe(each);
      yield* this.flush();
    } finally {
      this.close();
    }
  }

  /** Close at once: who waits gets ClosedError; what has come can still be received. Never switches; idempotent. */
  close(): void {
    this.#end(new ClosedError('a NATS client that is closed'));
  }

  /** @internal */
  *unsubscribe({ sid }: Subscription): Op<void> {
    // A server that we have no connection to does not know the subscription any more.
    if (this.#link !== undefined) yield* this.#link.send(`UNSUB ${sid}\r\n`);
  }

  /** @internal */
  forget({ sid }: Subscription): void {
    this.#subscriptions.delete(sid);
  }

  *#request(subject: string, data: string | Uint8Array, headers: HeadersToSend | undefined): Op<Message> {
    this.#lastToken += 1;
    const token = this.#lastToken.toString(36);
    const answer = new AsyncResult<{ message: Message; status: number | undefined }>({
      name: `an answer to ${subject}`,
    });
    this.#requests.set(token, answer);
    try {
      yield* this.publish(subject, data, { reply: `${this.#inbox}.${token}`, headers });
      const { message, status } = yield* answer.get();
      if (status === 503) throw new NatsError(`nobody answers requests to ${subject}`, 'ERR_NATS_NO_RESPONDERS');
      return message;
    } finally {
      this.#requests.delete(token);
    }
  }

  /** The connection, as soon as there is one. */
  *#linked(): Op<NatsLink> {
    for (;;) {
      if (this.#closed !== undefined) throw this.#closed;
      if (this.#link !== undefined) return this.#link;
      yield* this.#up.wait();
    }
  }

  /** The commands that tell a new server what we want. */
  #wanted(): string {
    const all = [...this.#subscriptions.values()].map(subscribing);
    return `SUB ${this.#inbox}.* ${INBOX_SID}\r\n${all.join('')}`;
  }

  /** The reader: serve one connection after the other. */
  *#keep(first: NatsLink): Op<void> {
    try {
      for (let link = first; ; ) {
        const reason = yield* this.#serve(link);
        this.#lost(reason);
        if (this.closed) return;
        link = yield* this.#reconnect(reason);
        this.reconnects += 1;
        this.#link = link;
        this.#up.set();
      }
    } catch (error) {
      this.#end(isKilled(error) ? new ClosedError('a NATS client whose reader was killed') : (error as Error));
      if (isKilled(error)) throw error;
    }
  }

  /** Hand out what comes until the connection ends; returns why. */
  *#serve(link: NatsLink): Op<unknown> {
    const pingMs = this.#options.pingMs ?? 30_000;
    let silent = false;
    try {
      for (;;) {
        const frame = yield* timeout(pingMs, link.receive(), { else: undefined });
        if (frame !== undefined) {
          silent = false;
          yield* timeout(pingMs, this.#handle(link, frame));
        } else {
          if (silent) throw new NatsConnectionError(`no sign of life for ${2 * pingMs} ms`);
          silent = true;
          // As a flush that nobody waits for: its answer is counted off.
          this.#pongs.push(new AsyncResult<void>());
          yield* timeout(pingMs, link.send('PING\r\n'));
        }
      }
    } catch (error) {
      if (error instanceof ResourceError || error instanceof ClosedError) return error;
      throw error;
    } finally {
      link.close();
    }
  }

  *#handle(link: NatsLink, frame: Frame): Op<void> {
    switch (frame.op) {
      case 'MSG':
        if (frame.sid === INBOX_SID) return this.#answered(frame.message);
        this.#subscriptions.get(frame.sid)?.deliver(messageOf(frame.message).message);
        // Closed without a word to the server: this is the word.
        if (!this.#subscriptions.has(frame.sid)) yield* link.send(`UNSUB ${frame.sid}\r\n`);
        return;
      case 'PING':
        return yield* link.send('PONG\r\n');
      case 'PONG':
        this.#pongs.shift()?.set();
        return;
      case '-ERR':
        this.#options.onError?.(new NatsError(frame.text));
        return;
      default:
    }
  }

  #answered(raw: RawMessage): void {
    const token = raw.subject.slice(this.#inbox.length + 1);
    const request = this.#requests.get(token);
    // The first answer counts.
    this.#requests.delete(token);
    request?.set(messageOf(raw));
  }

  *#reconnect(reason: unknown): Op<NatsLink> {
    const { outageMs = 60_000, retryMs = 250 } = this.#options;
    const deadlineMs = now() + outageMs;
    for (let last: unknown = reason; ; ) {
      if (now() >= deadlineMs) throw new NatsConnectionError(`no connection for ${outageMs} ms`, last);
      try {
        return yield* NatsLink.open(this.#options, this.#wanted());
      } catch (error) {
        if (!(error instanceof ResourceError)) throw error;
        last = error;
      }
      yield* sleep(retryMs);
    }
  }

  /** The connection has gone. */
  #lost(reason: unknown): void {
    this.#link = undefined;
    this.#up.clear();
    this.#fail(new NatsConnectionError(`the connection was lost: ${(reason as Error).message}`, reason));
  }

  #fail(error: Error): void {
    const waiting = [...this.#requests.values(), ...this.#pongs];
    this.#pongs = [];
    for (const each of waiting) if (!each.ready) each.setError(error);
  }

  #end(reason: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#link?.close();
    this.#link = undefined;
    this.#reader?.kill();
    this.#fail(reason);
    for (const each of [...this.#subscriptions.values()]) each.close();
    // Whoever waits for a connection finds out that there will be none.
    this.#up.set();
  }
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (typeof data !== 'string' || /\p{Surrogate}/u.test(data)) throw invalid('a message is text or bytes');
  return Buffer.from(data);
}

function subscribing({ subject, queue, sid }: Subscription): string {
  return `SUB ${subject}${queue === undefined ? '' : ` ${queue}`} ${sid}\r\n`;
}

const NO_HEADERS = { headers: new Map<string, readonly string[]>(), status: undefined };

function messageOf({ subject, reply, header, data }: RawMessage): { message: Message; status: number | undefined } {
  const { headers, status } = header === undefined ? NO_HEADERS : readHeaders(header);
  return { message: { subject, reply, data, headers }, status };
}
