// http-response.ts: the ServerResponse of `tendril/patches/http`: Node's own, with `write` and `end` as Ops.
//
// Source: node:http.

import type { ServerResponse as NodeResponse, OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http';
import { composite } from '../../core/composite.ts';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import { readyResult } from '../../core/kernel.ts';
import type { Op, WaitDescription } from '../../core/op.ts';
import { ConnectionResetError } from '../../io/errors.ts';
import type { IncomingMessage } from './http-incoming.ts';
import { type Chunk, checkChunk, OutgoingMessage } from './http-outgoing.ts';

/** The answer to a request. A handler of createServer gets it. */
export class ServerResponse extends OutgoingMessage {
  readonly #node: NodeResponse;
  /** What it answers. */
  readonly req: IncomingMessage;

  /** @internal: createServer makes them. */
  constructor(node: NodeResponse, req: IncomingMessage) {
    super(node);
    this.#node = node;
    this.req = req;
  }

  get statusCode(): number {
    return this.#node.statusCode;
  }
  set statusCode(status: number) {
    this.#node.statusCode = status;
  }
  get statusMessage(): string {
    return this.#node.statusMessage;
  }
  set statusMessage(message: string) {
    this.#node.statusMessage = message;
  }
  /** Send a Date field? True by default. */
  get sendDate(): boolean {
    return this.#node.sendDate;
  }
  set sendDate(send: boolean) {
    this.#node.sendDate = send;
  }
  /** Is a body that is not as long as Content-Length says an error? */
  get strictContentLength(): boolean {
    return this.#node.strictContentLength;
  }
  set strictContentLength(strict: boolean) {
    this.#node.strictContentLength = strict;
  }

  /** Set the status and fields; they leave with the first piece of the body. Never switches. @throws as Node, if the head has been sent, say. */
  writeHead(statusCode: number, statusMessage?: string, headers?: OutgoingHttpHeaders | OutgoingHttpHeader[]): this;
  writeHead(statusCode: number, headers?: OutgoingHttpHeaders | OutgoingHttpHeader[]): this;
  writeHead(statusCode: number, ...more: readonly unknown[]): this {
    this.#node.writeHead(statusCode, ...(more as []));
    return this;
  }
  /** Answer 100, 102 or 103 before the response proper. Never switches. */
  writeContinue(): void {
    this.#node.writeContinue();
  }
  writeProcessing(): void {
    this.#node.writeProcessing();
  }
  writeEarlyHints(hints: Record<string, string | string[]>): void {
    this.#node.writeEarlyHints(hints);
  }

  /**
   * Send the last piece, if there is one, end the response, and wait until the system has all of it. Node's 'finish'.
   *
   * Switches until it has. If it is killed while it waits, the response still goes out. Once it has ended, only the wait is left to a second call.
   *
   * @throws TypeError, at the call, for a bad chunk, or a callback. @throws ConnectionResetError if the client leaves before. @throws ClosedError after
   * destroy(). @throws Killed.
   */
  end(chunk?: Chunk, encoding?: BufferEncoding): Op<void> {
    if (chunk !== undefined) checkChunk(chunk, encoding, 'end');
    return composite(() => this.#end(chunk, encoding));
  }

  *#end(chunk: Chunk | undefined, encoding: BufferEncoding | undefined): Op<void> {
    yield* new FinishWait(this, this.#node, () => {
      if (this.#node.writableEnded) return;
      if (chunk === undefined) this.#node.end();
      else if (encoding === undefined) this.#node.end(chunk);
      else this.#node.end(chunk, encoding);
    });
  }

  /** @internal */
  override closedError(op: string): Error {
    const node = this.#node;
    if (node.destroyed && !node.writableFinished)
      return new ConnectionResetError(
        `${op} on ${this}, whose client has left`,
        Object.assign(new Error('the client has left'), { code: 'ECONNRESET' }),
        {
          bytesQueued: 0,
          bytesFlushed: 0,
        },
      );
    return super.closedError(op);
  }

  /** `response to request GET /path`. */
  override toString(): string {
    return `response to ${this.req}`;
  }
}

class FinishWait extends ExternalWait<void> {
  readonly #response: ServerResponse;
  readonly #node: NodeResponse;
  readonly #end: () => void;
  constructor(response: ServerResponse, node: NodeResponse, end: () => void) {
    super();
    this.#response = response;
    this.#node = node;
    this.#end = end;
  }
  override look(): boolean {
    if (this.#node.writableFinished) {
      readyResult.value = undefined;
      return true;
    }
    if (this.#response.failure !== undefined) throw this.#response.failure();
    return false;
  }
  protected begin(ticket: Ticket<void>): void {
    const node = this.#node;
    const finished = (): void => ticket.resolve();
    const closed = (): void => {
      if (!node.writableFinished)
        ticket.rejectWith(() => this.#response.failure?.() ?? this.#response.closedError('end'));
    };
    const forget = (): void => {
      node.off('finish', finished);
      node.off('close', closed);
    };
    node.once('finish', finished);
    node.once('close', closed);
    ticket.onRetract = () => {
      forget();
      ticket.withdraw();
    };
    this.#end();
  }
  describe(): WaitDescription {
    return { op: 'end', object: String(this.#response) };
  }
}
