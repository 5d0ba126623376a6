// http-exchange.ts: one request to a server and its answer: the greenlet that runs the handler, and what becomes of what it throws.
//
// How it ends: answered; the client left (the handler is killed, nobody is told of what it could not write); the client's body was too large or no JSON (413, 400,
// nobody is told); the handler threw or gave no answer (500, told to the hub once). What has begun cannot become a 500 any more: then the connection is cut, so
// that the client does not take a part for the whole.
//
// Invariant: whenEnded is called once, when the handler has ended, or was killed before it began.

import http, { type IncomingMessage as NodeIncoming, type ServerResponse as NodeResponse } from 'node:http';
import { typeError } from '../../core/bad-argument.ts';
import { isKilled, UsageError } from '../../core/errors.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { kernel } from '../../core/kernel.ts';
import { isOp, nameOf, type Op } from '../../core/op.ts';
import type { Scope } from '../../core/scope.ts';
import { ConnectionResetError } from '../../io/errors.ts';
import { StreamError } from '../../io/framing-errors.ts';
import { BodyTooLargeError, ParseError } from '../../io/http-errors.ts';
import { IncomingMessage } from './http-incoming.ts';
import { ServerResponse } from './http-response.ts';

const { STATUS_CODES } = http;

/** Answers one request: a generator function. */
export type RequestHandler = (req: IncomingMessage, res: ServerResponse) => Op<unknown>;

/** A handler returned without an answer: the client was answered 500. */
class NoAnswerError extends UsageError {
  override readonly code: string = 'ERR_NO_ANSWER';
}

export class Exchange {
  readonly #handler: RequestHandler;
  readonly #raw: NodeResponse;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #greenlet: Greenlet<void> | undefined = undefined;

  constructor(handler: RequestHandler, req: NodeIncoming, res: NodeResponse) {
    this.#handler = handler;
    this.#raw = res;
    this.#request = new IncomingMessage(req);
    this.#response = new ServerResponse(res, this.#request);
  }

  /** Has the client gone without its answer? */
  get #left(): boolean {
    return this.#raw.destroyed && !this.#raw.writableFinished;
  }

  /** Run the handler in `s`. */
  start(s: Scope, whenEnded: () => void): void {
    const greenlet = s.spawn(() => this.#run());
    this.#greenlet = greenlet;
    greenlet.rare().name = String(this.#request);
    this.#raw.on('close', () => {
      if (this.#left) this.kill('the client has left');
      else this.#request.drop();
    });
    greenlet.link(() => {
      // Killed before its first step it could not cut it.
      if (!this.#raw.writableEnded) this.#raw.destroy();
      whenEnded();
    });
  }

  kill(reason: unknown): void {
    this.#greenlet?.kill(reason);
  }

  *#run(): Op<void> {
    try {
      const op: unknown = this.#handler(this.#request, this.#response);
      if (!isOp(op))
        throw typeError(
          `createServer: the handler returned ${nameOf(op)}, no Op: is it a generator function (function*)?`,
        );
      yield* op;
      yield* this.#finish();
    } catch (error) {
      // Only its own kill: one that it kept of another greenlet is an error like any other.
      if (isKilled(error) && error.frame === kernel.current.side?.base) {
        if (!this.#raw.writableEnded) this.#raw.destroy();
        throw error;
      }
      this.#failed(error);
    }
  }

  /** The handler has returned: what it has begun is ended. */
  *#finish(): Op<void> {
    if (this.#raw.writableEnded || this.#raw.destroyed) return;
    if (!this.#raw.headersSent)
      throw new NoAnswerError(`${this.#request}: the handler returned without an answer: yield* res.end()`);
    yield* this.#response.end();
  }

  #failed(error: unknown): void {
    const ofClient = error instanceof ConnectionResetError || error instanceof StreamError;
    const status = error instanceof BodyTooLargeError ? 413 : error instanceof ParseError ? 400 : 500;
    if (status === 500 && !(ofClient && (this.#left || !this.#request.complete))) {
      const me = kernel.current;
      me.scope.scheduler.report(error, me);
    }
    const raw = this.#raw;
    if (raw.writableEnded || raw.destroyed) return;
    if (raw.headersSent) {
      raw.destroy();
      return;
    }
    for (const name of raw.getHeaderNames()) raw.removeHeader(name);
    raw.writeHead(status, STATUS_CODES[status], { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
    raw.end(`${STATUS_CODES[status]}\n`);
  }
}
