// http-exchange.ts: one request and its response, from the queue for a connection to the last byte. What undici calls, and what the greenlet waits on.
//
// It is the dispatch handler itself (undici's older interface, which hands over headers as they came and costs no wrapper), and its
// methods run in Node's callbacks: they commit, queue and buffer, and never run user code. What comes after the end is ignored.
//
//   new -> queued -> sent -> body -> ended        forward only, and stations may be left out; every way to fail leads to ended
//
// A request is unsafe (S6): a kill or a timeout gives up its connection, whatever the server makes of what it got. Only from the queue does it leave
// without a trace. A GET, HEAD or OPTIONS that meets a kept connection which the server has just closed is sent once more, on a new one.
//
// Invariants, between any two calls:
//   waiter is defined      implies  phase is queued or sent, and the scheduler counts one external wait for it
//   phase is queued        if and only if  it is in the pool's list
//   phase is sent or body  if and only if  connection is defined
//   response is defined    if and only if  the head has come
//   decoding is defined    implies  response is, and its body reads from there

import { InternalError } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { readyResult } from '../core/kernel.ts';
import type { WaitDescription } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { LAZY } from '../core/status.ts';
import type { Timer } from '../core/timers.ts';
import { Wait } from '../core/wait.ts';
import type { Waiter } from '../core/wait-list.ts';
import { codeOf } from './errors.ts';
import type { BodySource } from './http-body.ts';
import type { Connection } from './http-connection.ts';
import { type Decoding, decodingOf } from './http-decode.ts';
import { ParseError } from './http-errors.ts';
import { Expired, type FailedExchange, httpFailure } from './http-failure.ts';
import { lengthIn } from './http-headers.ts';
import type { ExchangeContext, Outgoing } from './http-outgoing.ts';
import type { Pool } from './http-pool.ts';
import { ProgressReport } from './http-progress.ts';
import { type RawFields, Response } from './http-response.ts';
import { ExchangeTimers, RATE_WINDOW_MS } from './http-timers.ts';
import type { UploadPipe } from './http-upload.ts';

type Phase = 'new' | 'queued' | 'sent' | 'body' | 'ended';

/** A peer that sends more informational responses than this wants no answer to be found. */
const MOST_INFORMATIONAL = 100;
const RETRIED = new Set(['GET', 'HEAD', 'OPTIONS']);

export class Exchange extends Wait<Response> implements Timer, BodySource, FailedExchange {
  // The timer of the whole exchange.
  order = 0;
  slot = -1;
  /** Neighbours in the pool's list. */
  queuedBefore: Exchange | undefined = undefined;
  queuedAfter: Exchange | undefined = undefined;
  /** False over a simulated network: then nothing outside is awaited. */
  external = true;
  readonly message: Outgoing;
  readonly pipe: UploadPipe | undefined;
  /** The Op that errors name. */
  readonly request: ExchangeContext;
  /** What is left of its timeoutMs. */
  readonly #limitMs: number;
  #phase: Phase = 'new';
  #pool: Pool | undefined = undefined;
  #connection: Connection | undefined = undefined;
  #scheduler: Scheduler | undefined = undefined;
  #waiter: Waiter | undefined = undefined;
  #response: Response | undefined = undefined;
  #decoding: Decoding | undefined = undefined;
  #progress: ProgressReport | undefined = undefined;
  #failure: { readonly cause: unknown } | undefined = undefined;
  #timers: ExchangeTimers | undefined = undefined;
  /** Of HTTP/2: lets more of the body come. */
  #resumeStream: (() => void) | undefined = undefined;
  #unread = false;
  #informational = 0;
  // What a failure tells: was it sent twice; now on a connection that had served before; is the connection there; has an answer begun; bytes of its body.
  retried = false;
  kept = false;
  connected = false;
  begun = false;
  received = 0;

  constructor(message: Outgoing, pipe: UploadPipe | undefined, request: ExchangeContext, limitMs: number) {
    super();
    this.message = message;
    this.pipe = pipe;
    this.request = request;
    this.#limitMs = limitMs;
  }

  // ---- the greenlet's side: waiting for the head of the response

  look(greenlet: Greenlet): boolean {
    if (this.#phase === 'new') this.begin(greenlet.scope.scheduler);
    if (this.#response !== undefined) {
      readyResult.value = this.#response;
      return true;
    }
    if (this.#failure !== undefined) throw httpFailure(this, this.#failure.cause);
    return false;
  }

  enlist(waiter: Waiter): void {
    this.#waiter = waiter;
    if (this.external) waiter.owner().scope.scheduler.externalStarted();
  }

  retract(): void {
    this.#detach();
    this.abandon();
  }

  describe(): WaitDescription {
    return { op: 'http request', object: this.toString() };
  }

  /** Enter the pool. Called once, in the greenlet. @throws HttpError if its queue is full. @throws ClosedError if the client is closed. */
  begin(scheduler: Scheduler): void {
    const { message, request } = this;
    this.#scheduler = scheduler;
    this.#pool = message.client.poolFor(message.origin, scheduler);
    this.external = this.#pool.external;
    if (!this.external) scheduler.hostWork += 1;
    message.client.exchangeBegan();
    if (request.onProgress !== undefined) {
      this.#progress = new ProgressReport(request.onProgress, scheduler, message.body ?? this.pipe);
    }
    if (this.#limitMs !== Number.POSITIVE_INFINITY) scheduler.timeouts.arm(this, this.#limitMs);
    try {
      this.#pool.submit(this);
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** Give up: nobody wants the rest. The connection goes with it, unless it is free already. */
  abandon(): void {
    if (this.#phase === 'new') this.#phase = 'ended';
    else if (this.#phase !== 'ended') this.#giveUp();
  }

  /** End with `cause`. Whoever waits gets the error; so do later waits. `dropping`: the connection is given up at once, not in a later tick. */
  fail(cause: unknown, dropping: boolean): void {
    if (this.#phase === 'ended') return;
    this.#failure = { cause };
    this.#unread = this.#connection?.held === true;
    this.pipe?.wantNoMore();
    if (dropping) this.#giveUp();
    else this.#failedByUndici();
    if (this.#decoding !== undefined) this.#decoding.fail(cause, dropping);
    else if (this.#response !== undefined) this.#response.body.inbound.fail(cause);
    else if (this.#waiter !== undefined) this.#detach().fire(() => httpFailure(this, cause), LAZY);
  }

  /** The error, if it has failed. */
  error(): Error | undefined {
    return this.#failure && httpFailure(this, this.#failure.cause);
  }

  /** Has the response come, all or some of it? */
  get answered(): boolean {
    return this.#response !== undefined;
  }

  /** Has it not begun? */
  get fresh(): boolean {
    return this.#phase === 'new';
  }

  // ---- the body's side

  failure(_op: string, cause: unknown): Error {
    return httpFailure(this, cause);
  }

  resume(): void {
    this.#connection?.release();
    this.#resumeStream?.();
  }

  wholeWanted(): void {
    if (this.#phase === 'body' && this.message.client.limits.minBytesPerSecond > 0) this.#timersOf().watchRate();
  }

  rateMeasured(bytes: number): boolean {
    const rate = this.message.client.limits.minBytesPerSecond;
    if ((bytes * 1000) / RATE_WINDOW_MS >= rate) return true;
    this.fail(new Expired(RATE_WINDOW_MS, `less than ${rate} bytes a second of the body came`), true);
    return false;
  }

  // ---- the pool's side

  /** It waits for a connection, for no longer than this. */
  queued(limitMs: number): void {
    this.#phase = 'queued';
    if (limitMs !== Number.POSITIVE_INFINITY) this.#timersOf().waitFor(limitMs);
  }

  sendOn(connection: Connection): void {
    this.#timers?.cancel();
    this.#phase = 'sent';
    this.#connection = connection;
    this.kept = connection.served > 0;
    this.connected = false;
    const options = this.message.dispatchOptions(this.pipe, this.#pool?.forwarder);
    connection.send(this, options, this.#scheduler as Scheduler);
  }

  acquireExpired(): void {
    if (this.#phase !== 'queued' || this.#pool === undefined) return;
    this.fail(new Expired(this.#pool.options.acquireTimeoutMs, this.#pool.describeBusy()), true);
  }

  /** The exchange as a whole took too long. */
  due(): void {
    this.fail(new Expired(this.request.timeoutMs, 'the response did not come in time'), true);
  }

  // ---- undici's side

  onConnect(abort: (error?: Error) => void): void {
    if (this.#phase === 'ended') abort();
    else this.connected = true;
  }

  // Its type says something else.
  onBodySent(chunk: unknown): void {
    this.#progress?.taken(Buffer.byteLength(chunk as Uint8Array | string));
  }

  onResponseStarted(): void {
    this.begun = true;
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, statusText: string): boolean {
    if (this.#phase !== 'sent') return true;
    if (status < 200) {
      this.#informational += 1;
      if (this.#informational > MOST_INFORMATIONAL) this.refuse('more than 100 informational responses');
      return true;
    }
    const { maxHeaders } = this.message.client.limits;
    if (raw.length > 2 * maxHeaders) {
      this.refuse(`more than ${maxHeaders} headers`);
      return true;
    }
    const { decompress } = this.request;
    if (decompress !== undefined && status !== 304 && this.message.method !== 'HEAD') {
      try {
        this.#decoding = decodingOf(raw, this, decompress, this.#scheduler as Scheduler);
      } catch (error) {
        this.fail(error, true);
        return true;
      }
    }
    this.#phase = 'body';
    this.#connection?.progressed();
    if (this.#connection?.multiplexed === true) this.#resumeStream = resume;
    if (this.#progress !== undefined) this.#progress.toReceive = lengthIn(raw);
    this.#response = new Response(this.#decoding ?? this, this.message.url, status, statusText, raw);
    this.#decoding?.attach(this.#response.body.inbound);
    if (this.#waiter !== undefined) this.#detach().fire(this.#response, 0);
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.#phase !== 'body') return true;
    this.received += chunk.length;
    this.#progress?.came(this.received);
    const connection = this.#connection as Connection;
    connection.progressed();
    const more =
      this.#decoding === undefined
        ? (this.#response as Response).body.inbound.received(chunk, chunk.length, false)
        : this.#decoding.received(chunk);
    if (more) return true;
    // Streams of HTTP/2 pause by themselves; a parser of HTTP/1 must not be asked to (http-connection.ts).
    if (this.#resumeStream !== undefined) return false;
    connection.hold();
    return true;
  }

  /** What has come is no answer that can be taken. */
  refuse(why: string, code = 'ERR_HTTP_TOO_MANY_HEADERS'): void {
    this.fail(new ParseError(`${this.toString()}: ${why}`, code), true);
  }

  onComplete(trailers: RawFields | null): void {
    if (this.#phase !== 'body') return;
    const connection = this.#connection as Connection;
    if (connection.lostWith !== undefined) {
      this.fail(connection.lostWith, false);
      return;
    }
    this.pipe?.wantNoMore();
    this.#end();
    const response = this.#response as Response;
    response.ended(trailers);
    if (this.#decoding === undefined) response.body.inbound.end();
    else this.#decoding.end();
    (this.#pool as Pool).release(connection);
  }

  onError(error: Error): void {
    if (this.#phase === 'ended') return;
    if (this.#mayRetry()) {
      this.retried = true;
      const connection = this.#connection as Connection;
      connection.exchange = undefined;
      // Not inside undici's own clean-up of that connection.
      queueMicrotask(() => {
        if (this.#phase === 'sent') (this.#pool as Pool).replace(connection, this);
      });
      return;
    }
    // A length that a 204 or a 304 says is that of another answer; undici misses the bytes.
    const bodiless = this.#response?.status === 204 || this.#response?.status === 304;
    if (bodiless && codeOf(error) === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
      this.#failedByUndici();
      this.#response?.body.inbound.end();
    } else this.fail(error, false);
  }

  // ---- what a failure tells

  get unread(): boolean {
    return this.#unread || this.#connection?.held === true;
  }
  get proxy(): string | undefined {
    return this.#pool?.options.proxy?.name;
  }
  override toString(): string {
    return `${this.message.method} ${this.message.url}`;
  }

  // ---- the end

  // A kept connection that ends before a single byte of the answer: the server closed it while our request was on its way.
  #mayRetry(): boolean {
    const served = this.#connection?.served ?? 0;
    return (
      this.connected &&
      !this.begun &&
      !this.retried &&
      served > 0 &&
      this.pipe === undefined &&
      RETRIED.has(this.message.method)
    );
  }

  #timersOf(): ExchangeTimers {
    this.#timers ??= new ExchangeTimers(this, this.#scheduler as Scheduler);
    return this.#timers;
  }

  #detach(): Waiter {
    const waiter = this.#waiter;
    if (waiter === undefined) throw new InternalError(`${this.toString()}: nobody waits`);
    this.#waiter = undefined;
    if (this.external) waiter.owner().scope.scheduler.externalEnded();
    return waiter;
  }

  /** Leave wherever it is, at once. */
  #giveUp(): void {
    const phase = this.#phase;
    const connection = this.#connection;
    this.#end();
    this.pipe?.wantNoMore();
    if (phase === 'queued') this.#pool?.withdraw(this);
    else if (connection !== undefined) this.#pool?.drop(connection);
  }

  /** undici is cleaning up the connection: it is dropped when that is done. */
  #failedByUndici(): void {
    const connection = this.#connection;
    const pool = this.#pool;
    this.#end();
    if (connection === undefined || pool === undefined) return;
    connection.exchange = undefined;
    queueMicrotask(() => pool.drop(connection));
  }

  #end(): void {
    this.#phase = 'ended';
    this.#connection = undefined;
    this.#resumeStream = undefined;
    if (!this.external && this.#scheduler !== undefined) this.#scheduler.hostWork -= 1;
    this.#timers?.cancel();
    if (this.slot !== -1) {
      this.#scheduler?.timeouts.cancel(this);
      this.#scheduler?.timersChanged();
    }
    this.message.client.exchangeEnded();
  }
}
