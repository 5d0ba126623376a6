// http-server-connection.ts: one connection of an HTTP server: node:http parses and formats, this decides.
//
// One request at a time: what is sent ahead waits its turn. Each runs the handler in a greenlet of its own, which is killed when the client leaves. That is
// when the connection is lost, or the client has ended its side and does not get its answer within 100 ms: a client that closes cannot be told from
// one that has just said all that it had to say.
//
// Limits in time are kept by one timer, which is moved lazily: when it is due too early it is armed again.
//
// Invariants, between any two steps:
//   #current is defined  if and only if  a handler runs, or its answer has not been handed over
//   #waiting is not empty  implies  #current is defined, or nothing is answered any more
//   over is set  implies  no request begins any more

import { type IncomingMessage, ServerResponse as NodeResponse } from 'node:http';
import { Event } from '../core/event.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { kernel } from '../core/kernel.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { type Scope, scope } from '../core/scope.ts';
import { ClientFault } from './http-server-body.ts';
import { MovingLimit } from './http-server-clock.ts';
import type { ServerCounts } from './http-server-counts.ts';
import { Exchange } from './http-server-exchange.ts';
import { headWithoutUpgrade, mayUpgrade, refusalOf, refusalText } from './http-server-refusal.ts';
import type { ServerSettings } from './http-server-settings.ts';
import { SocketStream, type StreamOwner } from './http-server-stream.ts';
import type { Socket } from './socket.ts';

/** What a client that has ended its side is given to get its answer. */
const LEAVE_MS = 100;
/** What a refusal is given to leave. */
const CLOSING_MS = 10_000;

/** idle: between requests; head: one has begun; body: its body is on its way; busy: we answer; leaving: so, and the client has ended its side. */
type Phase = 'idle' | 'head' | 'body' | 'busy' | 'leaving' | 'closing';

/** What a connection needs of its server. */
export interface ConnectionServer {
  readonly settings: ServerSettings;
  readonly counts: ServerCounts;
  readonly stopping: boolean;
  handle(exchange: Exchange): Op<unknown>;
  parse(stream: SocketStream): void;
  opened(connection: HttpConnection): void;
  ended(connection: HttpConnection): void;
}

export class HttpConnection implements StreamOwner {
  readonly socket: Socket;
  readonly server: ConnectionServer;
  readonly scheduler: Scheduler;
  readonly external: boolean;
  stream: SocketStream;
  readonly #over: Event = new Event({ name: 'end of an HTTP connection' });
  #scope: Scope | undefined = undefined;
  #phase: Phase = 'idle';
  readonly #clock: MovingLimit;
  #current: Exchange | undefined = undefined;
  #waiting: Exchange[] = [];
  #refusal = 0;
  #served = 0;
  #lost = false;
  #upgraded = false;
  /** Our side has ended, and all has left. */
  #sentAll = false;
  /** In this window of a body's time: how much has come, and have we held it back? Or how much was left to send. */
  #windowBytes = 0;
  #unsentBefore = 0;

  constructor(server: ConnectionServer, socket: Socket) {
    this.server = server;
    this.socket = socket;
    this.scheduler = kernel.current.scope.scheduler;
    this.#clock = new MovingLimit(this.scheduler, () => this.#due());
    this.stream = new SocketStream(socket, this.scheduler, this);
    this.external = this.stream.external;
  }

  /** The client has left: nothing can be sent. */
  get left(): boolean {
    return this.#lost;
  }

  /** Serve until the connection is over. */
  *run(): Generator<Trap, void, Resume> {
    const connection = this;
    this.server.opened(this);
    try {
      yield* scope(function* (s): Op<void> {
        connection.#scope = s;
        connection.#enter('head', connection.server.settings.headTimeoutMs);
        connection.server.parse(connection.stream);
        connection.stream.begin();
        yield* connection.#over.wait();
      });
    } finally {
      this.#lost = true;
      this.#finish();
      this.server.ended(this);
      if (!this.#upgraded) this.#letGo();
    }
  }

  /** No more requests: idle ones close now, the others when they have answered. */
  drain(): void {
    if (this.#current === undefined) {
      if (this.#phase !== 'closing') this.#close();
    } else {
      this.#current.stopping();
    }
  }

  // ---- from node:http

  requested(message: IncomingMessage, raw: NodeResponse, kind: 'plain' | 'continue' | 'upgrade'): void {
    if (this.#lost) return;
    this.server.counts.requests += 1;
    const exchange = new Exchange(this, message, raw, kind);
    raw.on('finish', () => exchange.sent());
    if (this.#current === undefined) this.#start(exchange);
    else this.#waiting.push(exchange);
  }

  /** A request that wants to leave HTTP. The parser has let go of the stream. */
  upgradeAsked(message: IncomingMessage, head: Buffer): void {
    if (this.#current !== undefined) {
      this.#refuse(400, new ClientFault(400, 'ERR_PARSE', 'an upgrade may not be sent ahead'));
      return;
    }
    if (!mayUpgrade(message)) {
      this.#parseAgain(message, head);
      return;
    }
    const raw = new NodeResponse(message);
    raw.assignSocket(this.stream as never);
    raw.shouldKeepAlive = false;
    if (head.length > 0) this.stream.unshift(head);
    raw.once('finish', () => {
      raw.detachSocket(this.stream as never);
      this.stream.end();
    });
    this.requested(message, raw, 'upgrade');
  }

  /** What came is no HTTP, or too much of it. */
  broken(error: Error & { code?: string }): void {
    if (this.#lost || this.#refusal !== 0) return;
    const status =
      error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW' ? 413 : 400;
    this.#refuse(status, new ClientFault(status, 'ERR_PARSE', error.message));
  }

  // ---- from the stream

  arrived(count: number): void {
    this.#windowBytes += count;
    if (this.#phase === 'idle') this.#enter('head', this.server.settings.headTimeoutMs);
  }

  peerEnded(): void {
    const current = this.#current;
    if (this.#upgraded) return;
    if (current === undefined) {
      this.stream.push(null);
      return;
    }
    if (!current.complete) current.fail(undefined);
    this.#enter('leaving', LEAVE_MS);
  }

  /** All was sent, and our side has ended. */
  sent(): void {
    this.#sentAll = true;
    this.#lost = true;
    this.#over.set();
  }

  gone(): void {
    if (!this.#lost) this.#leave();
    this.#over.set();
  }

  // ---- from exchanges

  /** `exchange` is over: the handler has ended, and its answer was handed over or cut. */
  answered(exchange: Exchange): void {
    if (this.#current !== exchange) return;
    this.#current = undefined;
    this.server.counts.inFlight -= 1;
    if (this.#upgraded) {
      this.#over.set();
      return;
    }
    if (this.#lost) return;
    const closes =
      this.server.stopping ||
      this.#served >= this.server.settings.maxRequests ||
      this.#phase === 'leaving' ||
      !exchange.complete;
    if (this.stream.writableEnded) {
      this.#enter('closing', CLOSING_MS);
    } else if (closes) {
      this.#waiting = [];
      this.#endStream();
    } else {
      const next = this.#waiting.shift();
      if (next !== undefined) this.#start(next);
      else if (this.#refusal !== 0) this.#sendRefusal();
      else this.#enter('idle', this.server.settings.keepAliveMs);
    }
  }

  /** Somebody waits for the body of this request; or, if undefined, nobody does any more. */
  watchBody(exchange: Exchange | undefined): void {
    if (this.#phase !== 'busy' && this.#phase !== 'body') return;
    if (exchange === undefined || exchange.complete || this.#refusal !== 0)
      this.#enter('busy', Number.POSITIVE_INFINITY);
    else if (this.#phase === 'busy') this.#enter('body', this.server.settings.bodyWindowMs);
  }

  /** Not all that was written has left. */
  backlogged(): void {
    if (!this.#clock.set) this.#clock.move(this.server.settings.writeStallMs);
  }

  /** The answer cannot be made whole any more: the client must not take it for one. */
  cut(): void {
    this.#lost = true;
    this.stream.destroy();
  }

  /** The current request leaves HTTP, by `head`. Undefined if that would have to wait. */
  release(head: string): Socket | undefined {
    if (this.stream.writableLength > 0) return undefined;
    if (head !== '') this.stream.write(head, 'latin1');
    const parts: Buffer[] = [];
    for (let chunk: Buffer | null = this.stream.read(); chunk !== null; chunk = this.stream.read()) parts.push(chunk);
    this.#upgraded = true;
    const socket = this.stream.release();
    socket.unread(Buffer.concat(parts));
    this.#clock.cancel();
    return socket;
  }

  spawn<A extends readonly unknown[]>(body: (...args: A) => Op<unknown>, ...args: A): Greenlet<unknown> {
    // Node calls us outside any turn: what is spawned belongs to the world of this connection.
    const outer = kernel.scheduler;
    kernel.scheduler = this.scheduler;
    try {
      return (this.#scope as Scope).spawn(body, ...args);
    } finally {
      kernel.scheduler = outer;
    }
  }

  toString(): string {
    return `http connection of ${this.socket.remoteAddress}`;
  }

  // ---- time

  #due(): void {
    const { settings, counts } = this.server;
    const { unsent } = this.stream;
    if (unsent > 0 && (this.#phase === 'idle' || this.#phase === 'busy' || this.#phase === 'closing')) {
      // Somebody who reads slowly is no idle client. Somebody who does not read at all is not served any longer.
      if (this.#unsentBefore !== 0 && unsent >= this.#unsentBefore) {
        counts.timedOut += 1;
        this.#leave();
        this.stream.destroy();
        return;
      }
      this.#unsentBefore = unsent;
      this.#clock.move(settings.writeStallMs);
      return;
    }
    this.#unsentBefore = 0;
    switch (this.#phase) {
      case 'idle':
        this.#close();
        return;
      case 'leaving':
        this.#leave();
        this.stream.destroy();
        return;
      case 'closing':
        this.stream.destroy();
        return;
      case 'head':
        counts.timedOut += 1;
        this.#refuse(408, new ClientFault(408, 'ERR_HEAD_TIMEOUT', 'the head did not come in time'));
        return;
      case 'body': {
        const current = this.#current;
        if (current === undefined || current.complete) {
          this.#enter('busy', Number.POSITIVE_INFINITY);
          return;
        }
        const slow = this.#windowBytes < (settings.minBytesPerSecond * settings.bodyWindowMs) / 1000;
        this.#windowBytes = 0;
        if (slow) {
          counts.timedOut += 1;
          const what = `it comes slower than ${settings.minBytesPerSecond} bytes a second`;
          this.#refuse(408, new ClientFault(408, 'ERR_BODY_TOO_SLOW', what));
        } else {
          this.#clock.move(settings.bodyWindowMs);
        }
        return;
      }
      case 'busy':
        return;
      default:
        this.#phase satisfies never;
    }
  }

  #enter(phase: Phase, limitMs: number): void {
    this.#phase = phase;
    this.#windowBytes = 0;
    this.#unsentBefore = 0;
    this.#clock.move(limitMs);
  }

  // ---- states

  #start(exchange: Exchange): void {
    this.#current = exchange;
    this.server.counts.inFlight += 1;
    const { settings } = this.server;
    // The time of a body runs while somebody waits for it.
    this.#enter('busy', Number.POSITIVE_INFINITY);
    const status = refusalOf(exchange.message, settings);
    this.#served += 1;
    if (this.server.stopping || status !== 0 || this.#served >= settings.maxRequests) exchange.stopping();
    exchange.start(status);
  }

  #refuse(status: number, fault: ClientFault): void {
    this.#refusal = status;
    this.stream.goDeaf();
    const current = this.#current;
    if (current === undefined) {
      this.#sendRefusal();
    } else if (!current.complete) {
      current.fail(fault);
      this.#enter('busy', Number.POSITIVE_INFINITY);
    }
  }

  #sendRefusal(): void {
    this.server.counts.refused += 1;
    this.#enter('closing', CLOSING_MS);
    this.stream.end(refusalText(this.#refusal));
  }

  #endStream(): void {
    this.#enter('closing', CLOSING_MS);
    this.stream.goDeaf();
    this.stream.end();
  }

  /** Close at once. */
  #close(): void {
    this.#lost = true;
    this.stream.destroy();
    this.#over.set();
  }

  /** The client is gone: whoever works for it need not go on. */
  #leave(): void {
    this.#lost = true;
    this.#waiting = [];
    if (this.#current !== undefined) {
      this.server.counts.abandoned += 1;
      this.#current.abandon();
    }
    this.#over.set();
  }

  #finish(): void {
    this.#clock.cancel();
    this.#current?.abandon();
  }

  /** Give the socket back, to be closed with care. */
  #letGo(): void {
    this.stream.release();
    if (!this.#sentAll) this.socket.close();
  }

  #parseAgain(message: IncomingMessage, rest: Buffer): void {
    this.stream.unshift(Buffer.concat([headWithoutUpgrade(message), rest]));
    this.server.parse(this.stream);
  }
}
