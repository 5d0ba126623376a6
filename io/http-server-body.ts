// http-server-body.ts: the body of a request that a server was sent, as a reader of bytes.
//
// It is the Body of a response, over node:http's message instead of undici's. Nothing is taken from the message before somebody asks for the body; what
// has come by then is taken at once, the rest as it is read. A client that waits for `100 Continue` gets it at that moment, and not before.
//
// What the client does wrong is an error here, with the status that says so to the client if the handler lets it pass.
//
// Invariant: the message is over, failed or given up  implies  the inbound side has ended, failed or closed.

import type { IncomingMessage } from 'node:http';
import { ClosedError } from '../core/errors.ts';
import { Body, type BodySource } from './http-body.ts';
import { HttpError, IncompleteBodyError, ParseError } from './http-errors.ts';

/** What a client did wrong: why the rest of its body will not be read. */
export class ClientFault {
  readonly status: number;
  readonly code: string;
  readonly what: string;
  constructor(status: number, code: string, what: string) {
    this.status = status;
    this.code = code;
    this.what = what;
  }
}

/** The status that an error of ours is answered with: it says what the client did wrong, and is no news for the server's owner. */
const statuses: WeakMap<object, number> = new WeakMap();

/** Note that `error` is the client's fault. */
export function blameClient<E extends object>(error: E, status: number): E {
  statuses.set(error, status);
  return error;
}

/** The status to answer `error` with, if it is the client's fault. */
export function statusOf(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null ? statuses.get(error) : undefined;
}

/** What a body needs of its connection. */
export interface BodyKeeper {
  readonly external: boolean;
  toString(): string;
  /** The body is wanted: let a client that waits for that go on. */
  bodyWanted(): void;
  /** What has come is not being read; or it is again. */
  bodyHeld(held: boolean): void;
  /** Nobody will read the rest: the connection cannot be used again. */
  bodyAbandoned(): void;
}

export class RequestBody extends Body {
  readonly #source: MessageSource;

  constructor(message: IncomingMessage, keeper: BodyKeeper) {
    const source = new MessageSource(message, keeper);
    super(source);
    this.#source = source;
    source.begin(this);
  }

  /** No more will come. */
  fail(cause: unknown): void {
    this.#source.over = true;
    this.inbound.fail(cause);
  }

  override closedError(op: string): ClosedError {
    return new ClosedError(`${op} on ${this.toString()}: its body was closed, or its answer has been sent`);
  }
}

class MessageSource implements BodySource {
  readonly external: boolean;
  over = false;
  readonly #message: IncomingMessage;
  readonly #keeper: BodyKeeper;
  #received = 0;
  #body: Body | undefined = undefined;

  constructor(message: IncomingMessage, keeper: BodyKeeper) {
    this.#message = message;
    this.#keeper = keeper;
    this.external = keeper.external;
  }

  begin(body: Body): void {
    this.#body = body;
    const message = this.#message;
    this.#keeper.bodyWanted();
    if (message.complete) {
      for (let chunk: Buffer | null = message.read(); chunk !== null; chunk = message.read()) this.#take(chunk);
      this.#end();
      return;
    }
    message.on('data', this.#take);
    message.on('end', this.#end);
  }

  readonly #take = (chunk: Buffer): void => {
    if (this.over) return;
    this.#received += chunk.length;
    if ((this.#body as Body).inbound.received(chunk, chunk.length, false)) return;
    this.#message.pause();
    this.#keeper.bodyHeld(true);
  };

  readonly #end = (): void => {
    if (this.over) return;
    this.over = true;
    (this.#body as Body).inbound.end();
  };

  resume(): void {
    if (this.over) return;
    this.#message.resume();
    this.#keeper.bodyHeld(false);
  }

  abandon(): void {
    if (this.over) return;
    this.over = true;
    this.#message.off('data', this.#take);
    this.#message.off('end', this.#end);
    if (!this.#message.complete) this.#keeper.bodyAbandoned();
  }

  failure(op: string, cause: unknown): Error {
    const where = `${op} on ${this.toString()}`;
    if (!(cause instanceof ClientFault)) return blameClient(new IncompleteBodyError(where, this.#received, cause), 400);
    const { status, code, what } = cause;
    const message = `${where}: ${what}`;
    return blameClient(status === 400 ? new ParseError(message, code) : new HttpError(message, code), status);
  }

  toString(): string {
    return this.#keeper.toString();
  }
}
