// http-server-exchange.ts: one request and its answer: the greenlet that runs the handler, and what becomes of what it returns or throws.
//
// How it ends: answered; the client left (the handler is killed, nobody is told of what it could not write); the client did something wrong (its status, nobody
// is told); the handler threw (500 without details, told to the hub once) or gave no answer (the same). What has begun cannot become a 500 any more: then
// the connection is cut, so that the client does not take a part for the whole.
//
// Invariants:
//   it is over  if and only if  the handler has ended, and the answer was handed over, or cannot be
//   stopping hooks run at most once each

import type { IncomingMessage, ServerResponse as NodeResponse } from 'node:http';
import { typeError } from '../core/bad-argument.ts';
import { ClosedError, isKilled, UsageError } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { kernel } from '../core/kernel.ts';
import { isOp, nameOf, type Op, type Resume, type Trap } from '../core/op.ts';
import { ConnectionResetError } from './errors.ts';
import { HttpError } from './http-errors.ts';
import { checkHeaders } from './http-headers.ts';
import { dropAnswer, sendAnswer } from './http-server-answer.ts';
import { blameClient, ClientFault, statusOf } from './http-server-body.ts';
import type { HttpConnection } from './http-server-connection.ts';
import { type Ending, type RequestKeeper, ServerRequest } from './http-server-request.ts';
import { type ResponseKeeper, ServerResponse } from './http-server-response.ts';
import type { Socket } from './socket.ts';

export class Exchange implements RequestKeeper, ResponseKeeper {
  readonly message: IncomingMessage;
  readonly request: ServerRequest;
  readonly response: ServerResponse;
  readonly external: boolean;
  /** It asks for another protocol: nothing that follows it is a body. */
  readonly #upgradable: boolean;
  readonly #raw: NodeResponse;
  readonly #connection: HttpConnection;
  #greenlet: Greenlet<unknown> | undefined = undefined;
  /** Most requests have none of these. */
  #beside: Greenlet<unknown>[] | undefined = undefined;
  #hooks: (() => void)[] | undefined = undefined;
  #awaitsContinue: boolean;
  /** Answer this status, and do not ask the handler; 0 to ask it. */
  #refusal = 0;
  #begun = false;
  #sent = false;
  #ended = false;
  #upgraded: Socket | undefined = undefined;
  #ending: Ending | undefined = undefined;

  constructor(
    connection: HttpConnection,
    message: IncomingMessage,
    raw: NodeResponse,
    kind: 'plain' | 'continue' | 'upgrade',
  ) {
    this.#connection = connection;
    this.external = connection.external;
    this.message = message;
    this.#raw = raw;
    this.#awaitsContinue = kind === 'continue';
    this.#upgradable = kind === 'upgrade';
    this.request = new ServerRequest(message, this, this.#upgradable);
    this.response = new ServerResponse(raw, this);
  }

  get socket(): Socket {
    return this.#connection.socket;
  }
  get bodyLimit(): number {
    return this.#connection.server.settings.bodyLimit;
  }
  get left(): boolean {
    return this.#connection.left;
  }

  /** Has the request come whole? */
  get complete(): boolean {
    return this.message.complete || this.#upgradable;
  }

  /** Run the handler; or answer `refusal`, if it is not 0. */
  start(refusal: number): void {
    this.#refusal = refusal;
    this.#greenlet = this.#connection.spawn(Exchange.#run, this);
  }

  /** Run the handler, bring to its end what it was upgraded to, and answer. One function: each level would cost every request a generator. */
  static *#run(exchange: Exchange): Generator<Trap, void, Resume> {
    exchange.#begun = true;
    try {
      if (exchange.#refusal !== 0) {
        exchange.#refuse(exchange.#refusal);
        return;
      }
      const op: unknown = exchange.#connection.server.handle(exchange);
      if (!isOp(op))
        throw typeError(
          `http.serve: the handler returned ${nameOf(op)}, no Op: is it a generator function (function*)?`,
        );
      let how: 'killed' | 'failed' | 'returned' = 'killed';
      let answer: unknown;
      try {
        answer = yield* op;
        how = 'returned';
      } catch (error) {
        if (!isKilled(error)) how = 'failed';
        throw error;
      } finally {
        const ending = exchange.#ending;
        if (ending !== undefined) {
          if (how === 'killed') ending.abort();
          else yield* ending.close(how === 'failed');
        }
      }
      const rest = exchange.#answer(answer);
      if (rest !== undefined) yield* rest;
    } catch (error) {
      exchange.#failed(error);
    } finally {
      exchange.#handlerEnded();
    }
  }

  /** Answer with what the handler has returned; what is left to be done, if that may have to wait. */
  #answer(answer: unknown): Op<void> | undefined {
    const { response } = this;
    if (this.#upgraded !== undefined) {
      dropAnswer(answer);
      return undefined;
    }
    if (response.begun) {
      if (answer !== undefined) {
        dropAnswer(answer);
        const what = `${this.request}: the handler has written its answer and returned another one, which is dropped`;
        process.emitWarning(what, { type: 'AnswerWarning', code: 'ERR_ANSWERED_TWICE' });
      }
      return response.end();
    }
    if (answer === undefined) {
      throw new NoAnswerError(
        `${this.request}: the handler returned without an answer: return one, or write to its second argument`,
      );
    }
    return sendAnswer(response, answer);
  }

  #failed(error: unknown): void {
    const { server, left } = this.#connection;
    // Only its own kill: one that it kept of another greenlet is an error like any other.
    if (isKilled(error) && error.frame === kernel.current.side?.base) {
      if (!this.#raw.writableEnded) this.#cut();
      throw error;
    }
    const status = statusOf(error);
    if (status === undefined && !(left && error instanceof ConnectionResetError)) {
      server.counts.handlerErrors += 1;
      const me = kernel.current;
      me.scope.scheduler.report(error, me);
    }
    if (left || this.#raw.writableEnded) return;
    if (this.#raw.headersSent || this.#upgraded !== undefined) this.#cut();
    else this.#refuse(status ?? 500);
  }

  #refuse(status: number): void {
    if (status !== 500) this.#connection.server.counts.refused += 1;
    this.response.replaceBy(status);
  }

  #cut(): void {
    if (this.#upgraded !== undefined) this.#upgraded.close();
    else this.#connection.cut();
  }

  #handlerEnded(): void {
    this.#ended = true;
    if (this.#beside !== undefined) {
      for (const greenlet of this.#beside) greenlet.kill('the handler has ended');
      this.#beside = undefined;
    }
    this.#hooks = undefined;
    const body = this.request.bodyInUse;
    if (body !== undefined) body.close();
    this.#overIf();
  }

  /** node:http has handed all of the answer over. */
  sent(): void {
    this.#sent = true;
    this.response.roomAgain();
    this.#overIf();
  }

  #overIf(): void {
    if (this.#ended && (this.#sent || this.#connection.left || this.#upgraded !== undefined))
      this.#connection.answered(this);
  }

  /** The client has left. */
  abandon(): void {
    this.response.roomAgain();
    this.request.bodyInUse?.fail(undefined);
    this.#greenlet?.kill('the client has left');
    // One that had not run yet has ended within kill(), and not by its own finally.
    if (!this.#ended && this.#greenlet?.state === 'done') this.#handlerEnded();
  }

  /** The body will not come whole. A handler that has not begun is not asked any more. */
  fail(cause: unknown): void {
    this.#raw.shouldKeepAlive = false;
    if (!this.#begun && cause instanceof ClientFault) this.#refusal = cause.status;
    this.request.bodyFails(cause);
  }

  /** The server is being stopped, or nothing may follow this request. */
  stopping(): void {
    if (!this.#raw.headersSent) this.#raw.shouldKeepAlive = false;
    for (const hook of this.#hooks?.splice(0) ?? []) hook();
    if (this.#upgraded?.awaitsPeer === true) this.#greenlet?.kill('the server stops');
  }

  // ---- for the request

  bodyWanted(): void {
    if (this.#awaitsContinue && !this.#raw.headersSent) {
      this.#awaitsContinue = false;
      this.#raw.writeContinue();
    }
    this.#connection.watchBody(this);
  }

  bodyHeld(held: boolean): void {
    this.#connection.watchBody(held ? undefined : this);
  }

  bodyAbandoned(): void {
    if (!this.#raw.headersSent) this.#raw.shouldKeepAlive = false;
  }

  whenStopping(stop: () => void): void {
    if (this.#connection.server.stopping) stop();
    else {
      this.#hooks ??= [];
      this.#hooks.push(stop);
    }
  }

  upgrade(headers: Readonly<Record<string, string>> | undefined, protocol: string): Socket {
    if (this.left || this.#raw.headersSent || this.#upgraded !== undefined)
      throw new ClosedError(
        `upgrade on ${this.request}: ${this.left ? 'the client has left' : 'it was answered already'}`,
      );
    const head = headers === undefined ? '' : switchingHead(headers, protocol);
    this.#raw.detachSocket(this.#connection.stream as never);
    const socket = this.#connection.release(head);
    if (socket === undefined)
      throw blameClient(
        new HttpError(`upgrade on ${this.request}: it came before earlier answers were read`, 'ERR_NO_UPGRADE'),
        400,
      );
    this.#upgraded = socket;
    return socket;
  }

  atEnd(ending: Ending): void {
    this.#ending = ending;
  }

  // ---- for the response

  responseBegins(whole: boolean): void {
    if (this.#connection.server.stopping || (whole && !this.complete)) this.#raw.shouldKeepAlive = false;
  }

  beside(body: () => Op<unknown>): void {
    const { response, left } = this;
    if (left) return;
    this.#beside ??= [];
    this.#beside.push(
      this.#connection.spawn(function* () {
        try {
          yield* body();
        } catch (error) {
          // That the client has left ends the handler too, which is all that has to be done.
          if (
            isKilled(error) ||
            !(error instanceof ConnectionResetError || (error instanceof ClosedError && response.ended))
          )
            throw error;
        }
      }),
    );
  }

  toString(): string {
    return this.request.toString();
  }
}

/** A handler returned without an answer: the client was answered 500. */
class NoAnswerError extends UsageError {
  override readonly code: string = 'ERR_NO_ANSWER';
}

function switchingHead(headers: Readonly<Record<string, string>>, protocol: string): string {
  const flat = checkHeaders(headers);
  let head = `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${checkHeaders([['x', protocol]])[1]}\r\n`;
  for (let at = 0; at < flat.length; at += 2) head += `${flat[at]}: ${flat[at + 1]}\r\n`;
  return `${head}\r\n`;
}
