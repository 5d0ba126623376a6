// http-sse-client.ts: `http.events(url)`: the events of a URL, over as many connections as it takes.
//
// When the stream ends or is lost it connects again after the time that the server asks for, longer each time that fails, and says which event was the last. So
// nothing is lost if the server remembers, and nothing comes twice. It gives up when the server says so: 204 is the end, any other answer that is no
// event stream an error.
// Source: HTML, "Server-sent events", 9.2.3 (reconnecting), 9.2.4 (last-event-id).

import { composite } from '../core/composite.ts';
import { isKilled, ResourceError } from '../core/errors.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import { sleep } from '../core/sleep.ts';
import { checkOptions, own, ownMs } from './address.ts';
import { HttpError } from './http-errors.ts';
import { checkHeaders, type RequestHeaders } from './http-headers.ts';
import type { RequestOptions } from './http-request.ts';
import type { Response } from './http-response.ts';
import { EventReader, type EventReaderOptions } from './http-sse.ts';
import type { ServerEvent } from './http-sse-parser.ts';

const RETRY_MS = 3_000;
const MOST_MS = 30_000;

export interface EventsOptions extends EventReaderOptions {
  readonly headers?: RequestHeaders | undefined;
  /** The last event that was seen before. */
  readonly lastEventId?: string | undefined;
  /** How long to wait before connecting again, if the server does not say: 3,000 ms by default. */
  readonly retryMs?: number | undefined;
  /** The longest such wait: 30,000 ms by default. */
  readonly mostRetryMs?: number | undefined;
}

type Get = (url: string | URL, options: RequestOptions) => Op<Response>;

/** Receives events, and connects again when it has to. `http.events(url)` makes one. */
export class Events {
  readonly #get: Get;
  readonly #url: string | URL;
  readonly #options: EventsOptions;
  readonly #retryMs: number;
  readonly #mostRetryMs: number;
  readonly #headers: readonly string[];
  #lastEventId: string;
  #askedMs: number | undefined = undefined;
  #failures = 0;
  #reader: EventReader | undefined = undefined;
  #begun = false;
  #over = false;

  /** @internal */
  constructor(get: Get, url: string | URL, options: EventsOptions | undefined) {
    const where = 'http.events';
    const given = checkOptions(options, where);
    this.#get = get;
    this.#url = url;
    this.#options = given;
    this.#retryMs = ownMs(given, 'retryMs', RETRY_MS, where);
    this.#mostRetryMs = ownMs(given, 'mostRetryMs', MOST_MS, where);
    this.#headers = checkHeaders(own<RequestHeaders>(given, 'headers') ?? {});
    this.#lastEventId = own<string>(given, 'lastEventId') ?? '';
  }

  /** The last id that was received. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /**
   * Receive the next event, connecting as often as it takes; null when the server has answered 204, or after close().
   *
   * Switches if none is there. If it throws Killed or TimeoutError, no event was lost. @throws HttpError (ERR_NO_EVENT_STREAM) if the server answers something
   * else; then it is over. @throws LineTooLongError or FrameTooLargeError beyond the limits.
   */
  receive(): Op<ServerEvent | null> {
    return composite(() => this.#receive());
  }

  *#receive(): Generator<Trap, ServerEvent | null, Resume> {
    while (!this.#over) {
      const event = yield* this.#attempt();
      if (event !== undefined) return event;
    }
    return null;
  }

  /** An event; undefined if the connection is over. */
  *#attempt(): Generator<Trap, ServerEvent | undefined, Resume> {
    try {
      if (this.#reader === undefined) yield* this.#open();
      const reader = this.#reader;
      if (reader === undefined) return undefined;
      const event = yield* reader.receive();
      if (event !== null) {
        this.#failures = 0;
        this.#lastEventId = event.id === '' ? this.#lastEventId : event.id;
        return event;
      }
      this.#lost();
    } catch (error) {
      if (isKilled(error) || !(error instanceof ResourceError) || (error as { code: string }).code === 'ERR_TIMEOUT')
        throw error;
      if (this.#over || FATAL.has((error as { code: string }).code)) {
        this.close();
        throw error;
      }
      this.#lost();
    }
    return undefined;
  }

  #lost(): void {
    this.#askedMs = this.#reader?.retryMs ?? this.#askedMs;
    this.#reader?.close();
    this.#reader = undefined;
    this.#failures += 1;
  }

  *#open(): Generator<Trap, void, Resume> {
    if (this.#begun && this.#failures > 0) {
      const ms = (this.#askedMs ?? this.#retryMs) * 2 ** Math.min(this.#failures - 1, 10);
      yield* sleep(Math.min(ms, Math.max(this.#mostRetryMs, this.#askedMs ?? 0)));
    }
    this.#begun = true;
    const headers: [string, string][] = [['accept', 'text/event-stream']];
    for (let at = 0; at < this.#headers.length; at += 2)
      headers.push([this.#headers[at] as string, this.#headers[at + 1] as string]);
    if (this.#lastEventId !== '') headers.push(['last-event-id', Buffer.from(this.#lastEventId).toString('latin1')]);
    const response = yield* this.#get(this.#url, { headers });
    if (response.status === 204) {
      this.close();
    } else if (
      response.status !== 200 ||
      !/^text\/event-stream\s*(;|$)/i.test(String(response.headers['content-type']))
    ) {
      response.close();
      throw new HttpError(
        `events of ${this.#url}: the answer is ${response.status}, and no event stream`,
        'ERR_NO_EVENT_STREAM',
      );
    } else {
      this.#reader = new EventReader(response.body, this.#options);
    }
  }

  /** Receive no more. Never switches; idempotent. */
  close(): void {
    this.#over = true;
    this.#reader?.close();
    this.#reader = undefined;
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

const FATAL: ReadonlySet<string> = new Set(['ERR_NO_EVENT_STREAM', 'ERR_LINE_TOO_LONG', 'ERR_FRAME_TOO_LARGE']);
