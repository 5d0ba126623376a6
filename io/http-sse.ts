// http-sse.ts: server-sent events: a writer for responses, a reader for bodies, a client that connects again.
//
// What is sent cannot be broken by what is in it: line ends in `data` begin a new `data:` line, and there may be none in `event` and `id`, nor NUL in `id`
// (readers would ignore it). Text is UTF-8 by definition.
//
// The reader holds at most one line and one event (http-sse-parser.ts). One that is killed or times out has taken no event.
// Source: HTML, "Server-sent events", 9.2.

import { typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import { sleep } from '../core/sleep.ts';
import { checkOptions, ownCount, ownMs, shownValue } from './address.ts';
import type { ByteSource } from './byte-streams.ts';
import { EventParser, type ServerEvent } from './http-sse-parser.ts';
import { iterate } from './stream-iterator.ts';

const HEARTBEAT_MS = 15_000;
const DEFAULT_LINE_LIMIT = 65_536;
const DEFAULT_EVENT_LIMIT = 1024 * 1024;

export interface EventStreamOptions {
  /** Send a comment so often, so that nobody in between takes the connection for dead: 15,000 ms by default; Infinity for never. */
  readonly heartbeatMs?: number | undefined;
}

/** An event to send: its data at least. */
export interface EventToSend {
  readonly data?: string | undefined;
  readonly event?: string | undefined;
  readonly id?: string | undefined;
  /** How long the client is to wait before it connects again. */
  readonly retry?: number | undefined;
}

/** What an event stream is written to. */
export interface EventSink {
  readonly ended: boolean;
  write(text: string): Op<unknown>;
  end(): Op<unknown>;
}

/** Sends events. `response.eventStream()` makes one. */
export class EventStream {
  readonly #sink: EventSink;
  readonly #heartbeatMs: number;

  /** @internal */
  constructor(sink: EventSink, options?: EventStreamOptions) {
    this.#sink = sink;
    this.#heartbeatMs = ownMs(checkOptions(options, 'eventStream'), 'heartbeatMs', HEARTBEAT_MS, 'eventStream');
    if (this.#heartbeatMs === 0) throw typeError('eventStream: heartbeatMs must be more than 0');
  }

  /**
   * Send an event, or its data alone.
   *
   * Switches if the connection has no room. If it throws, nothing was sent. @throws TypeError, at the call, for what an event cannot hold.
   * @throws ConnectionResetError if the client has left. @throws ClosedError after close().
   */
  send(event: EventToSend | string): Op<void> {
    return composite(writeTo, this.#sink, eventText(event));
  }

  /** Send a comment: clients ignore it. As send. */
  comment(text: string): Op<void> {
    if (typeof text !== 'string') throw typeError(`comment takes text, not ${shownValue(text)}`);
    return composite(
      writeTo,
      this.#sink,
      `${text
        .split(/\r\n|\r|\n/)
        .map((line) => `: ${line}\n`)
        .join('')}\n`,
    );
  }

  /** End the stream: the client will connect again. Switches as send. */
  close(): Op<void> {
    return composite(endOf, this.#sink);
  }

  /** Send comments until somebody kills it. @internal */
  *keepAlive(): Generator<Trap, void, Resume> {
    if (this.#heartbeatMs === Number.POSITIVE_INFINITY) return;
    for (;;) {
      yield* sleep(this.#heartbeatMs);
      if (this.#sink.ended) return;
      yield* this.#sink.write(':\n\n');
    }
  }
}

function* writeTo(sink: EventSink, text: string): Generator<Trap, void, Resume> {
  yield* sink.write(text);
}

function* endOf(sink: EventSink): Generator<Trap, void, Resume> {
  yield* sink.end();
}

/** An event as it is sent. @throws TypeError for what it cannot hold. */
export function eventText(given: EventToSend | string): string {
  const event: EventToSend = typeof given === 'string' ? { data: given } : given;
  if (typeof event !== 'object' || event === null)
    throw typeError(`an event is text or {data, event, id, retry}, not ${shownValue(event)}`);
  const { data, event: name, id, retry } = event;
  let text = '';
  if (name !== undefined) text += `event: ${fieldOf('event', name, /[\r\n]/)}\n`;
  if (id !== undefined) text += `id: ${fieldOf('id', id, /[\r\n\0]/)}\n`;
  if (retry !== undefined) {
    if (!Number.isInteger(retry) || retry < 0)
      throw typeError(`retry must be a whole number of milliseconds, not ${shownValue(retry)}`);
    text += `retry: ${retry}\n`;
  }
  if (data !== undefined) {
    if (typeof data !== 'string') throw typeError(`data must be text, not ${shownValue(data)}: use JSON.stringify`);
    for (const line of data.split(/\r\n|\r|\n/)) text += `data: ${line}\n`;
  }
  if (text === '') throw typeError('an event must have data, an event name, an id or a retry');
  return `${text}\n`;
}

function fieldOf(name: string, value: unknown, bad: RegExp): string {
  if (typeof value !== 'string') throw typeError(`${name} must be text, not ${shownValue(value)}`);
  if (bad.test(value))
    throw typeError(`${name} must hold no line end${name === 'id' ? ' and no NUL' : ''}`, 'ERR_INVALID_CHAR');
  return value;
}

export interface EventReaderOptions {
  /** The most bytes of a line: 64 KiB by default. */
  readonly lineLimit?: number | undefined;
  /** The most characters of the data of an event: 1 Mi by default. */
  readonly eventLimit?: number | undefined;
}

/** Reads the events of a body. `http.eventStream(response.body)` makes one. */
export class EventReader {
  readonly #body: ByteSource;
  readonly #parser: EventParser;
  readonly #events: ServerEvent[] = [];
  #ended = false;

  /** @internal */
  constructor(body: ByteSource, options?: EventReaderOptions) {
    const where = 'eventStream';
    if (typeof (body as Partial<ByteSource> | null | undefined)?.read !== 'function')
      throw typeError(`${where} takes the body of a response, not ${shownValue(body)}`);
    const given = checkOptions(options, where);
    this.#body = body;
    this.#parser = new EventParser(
      ownCount(given, 'lineLimit', DEFAULT_LINE_LIMIT, 1, where),
      ownCount(given, 'eventLimit', DEFAULT_EVENT_LIMIT, 1, where),
    );
  }

  /** The last id that was sent: what to send as `last-event-id` when connecting again; '' if there was none. */
  get lastEventId(): string {
    return this.#parser.lastEventId;
  }

  /** How long the server asks to wait before connecting again; undefined if it does not say. */
  get retryMs(): number | undefined {
    return this.#parser.retryMs;
  }

  /**
   * Receive the next event; null when the body has ended. An event that was cut by the end is dropped, as the standard has it.
   *
   * Switches if none is there. If it throws Killed or TimeoutError, no event was lost. @throws LineTooLongError or FrameTooLargeError beyond the limits:
   * the body is closed. Otherwise as `body.read`.
   */
  receive(): Op<ServerEvent | null> {
    return composite(() => this.#receive());
  }

  *#receive(): Generator<Trap, ServerEvent | null, Resume> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      if (this.#ended) return null;
      const chunk = yield* this.#body.read();
      if (chunk === null) {
        this.#ended = true;
        continue;
      }
      try {
        this.#parser.push(chunk, this.#events);
      } catch (error) {
        this.#ended = true;
        this.#body.close?.();
        throw error;
      }
    }
  }

  /** Read no more: the body is closed. Never switches; idempotent. */
  close(): void {
    this.#ended = true;
    this.#events.length = 0;
    this.#body.close?.();
  }

  /** `for await (const event of reader)` in ordinary code; leaving the loop early closes the body. */
  [Symbol.asyncIterator](): AsyncIterator<ServerEvent, undefined> {
    return iterate<ServerEvent>(this, true);
  }

  /** `event stream of ...`. */
  toString(): string {
    return `event stream of ${this.#body.toString()}`;
  }
}

/** Read server-sent events from a body. Never switches. @throws TypeError for what cannot be read. @throws RangeError for bad limits. */
export function eventStream(body: ByteSource, options?: EventReaderOptions): EventReader {
  return new EventReader(body, options);
}
