// http-outgoing.ts: the OutgoingMessage of `tendril/patches/http`: what requests of a client and responses of a server have in common.
//
// Node's own message is under it. Fields are set as there; `write` is Node's write() with the wait for 'drain' in it, in front: it waits for room and then hands
// all of the chunk over. What has gone wrong meanwhile is thrown by whatever waits, now and later.
//
// Invariants, between any two steps:
//   a writer waits      implies  Node asks for a drain, and nothing has failed
//   #failure is set     implies  nobody waits
// Source: node:http.

import type {
  ClientRequest as NodeRequest,
  ServerResponse as NodeResponse,
  OutgoingHttpHeader,
  OutgoingHttpHeaders,
} from 'node:http';
import { typeError } from '../../core/bad-argument.ts';
import { ClosedError } from '../../core/errors.ts';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import { readyResult } from '../../core/kernel.ts';
import type { Waitable, WaitDescription } from '../../core/op.ts';
import { created } from '../../core/unstarted.ts';
import type { Waiter } from '../../core/wait-list.ts';
import { shownValue } from '../../io/address.ts';
import { atCaller } from './net-caller.ts';

type NodeOutgoing = NodeRequest | NodeResponse;

/** A piece of a body: text, or bytes. */
export type Chunk = string | Uint8Array;

/** A message that is being sent. */
export abstract class OutgoingMessage {
  readonly #node: NodeOutgoing;
  readonly #writers: Set<{ readonly ticket: Ticket<void>; readonly wait: WriteWait }> = new Set();
  #failure: (() => unknown) | undefined = undefined;

  constructor(node: NodeOutgoing) {
    this.#node = node;
    node.on('drain', () => this.#drained());
    node.on('error', (error) => this.fail(() => atCaller(error)));
    node.on('close', () => this.closed());
  }

  get headersSent(): boolean {
    return this.#node.headersSent;
  }
  get writableEnded(): boolean {
    return this.#node.writableEnded;
  }
  get writableFinished(): boolean {
    return this.#node.writableFinished;
  }
  get writableLength(): number {
    return this.#node.writableLength;
  }
  get destroyed(): boolean {
    return this.#node.destroyed;
  }

  /** Set a field, in place of what it was. Never switches. @throws as Node: TypeError for what cannot be sent, Error if the head has been sent. */
  setHeader(name: string, value: number | string | readonly string[]): this {
    this.#node.setHeader(name, value);
    return this;
  }
  /** Set all fields of a Headers or a Map. Never switches; throws as setHeader. */
  setHeaders(headers: Headers | Map<string, number | string | readonly string[]>): this {
    this.#node.setHeaders(headers);
    return this;
  }
  /** Add a value to a field. Never switches; throws as setHeader. */
  appendHeader(name: string, value: string | readonly string[]): this {
    this.#node.appendHeader(name, value);
    return this;
  }
  getHeader(name: string): OutgoingHttpHeader | undefined {
    return this.#node.getHeader(name);
  }
  getHeaders(): OutgoingHttpHeaders {
    return this.#node.getHeaders();
  }
  getHeaderNames(): string[] {
    return this.#node.getHeaderNames();
  }
  hasHeader(name: string): boolean {
    return this.#node.hasHeader(name);
  }
  removeHeader(name: string): void {
    this.#node.removeHeader(name);
  }
  /** Send the head now. Never switches. */
  flushHeaders(): void {
    this.#node.flushHeaders();
  }
  /** Fields to send after a chunked body. Never switches. */
  addTrailers(headers: OutgoingHttpHeaders | readonly [string, string][]): void {
    this.#node.addTrailers(headers);
  }
  cork(): void {
    this.#node.cork();
  }
  uncork(): void {
    this.#node.uncork();
  }

  /**
   * Write a piece of the body: a string in `encoding` (UTF-8), or bytes.
   *
   * Waits until there is room and only then queues all of it; switches only if there is none. If it throws, nothing of it was queued.
   *
   * @throws TypeError, at the call, for anything else, and for a callback. @throws Node's error (ECONNREFUSED, ECONNRESET, ...) if the connection is lost.
   * @throws ClosedError after end() or destroy(). @throws Killed.
   */
  write(chunk: Chunk, encoding?: BufferEncoding): Waitable<void> {
    checkChunk(chunk, encoding, 'write');
    return created(new WriteWait(this, chunk, encoding));
  }

  /** Give it up, and its connection with it. Never switches; idempotent. */
  destroy(error?: Error): this {
    this.fail(() => error ?? this.closedError('write'));
    this.#node.destroy(error);
    return this;
  }
  /** `using`: destroy at the end of the block, unless it is over. */
  [Symbol.dispose](): void {
    if (!this.#node.writableFinished) this.destroy();
  }

  abstract toString(): string;

  /** Why nothing more can be sent, made where it is thrown; undefined if it can. @internal */
  get failure(): (() => unknown) | undefined {
    return this.#failure;
  }

  /** Nothing more will be sent: everyone who waits, and will wait, is told. @internal */
  fail(failure: () => unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    for (const { ticket } of this.#writers) ticket.rejectWith(failure);
    this.#writers.clear();
  }

  /** Node has done with it. @internal */
  closed(): void {
    if (!this.#node.writableFinished) this.fail(() => this.closedError('write'));
  }

  /** A greenlet was killed while it waited to write. @internal */
  abandoned(): void {}

  /** @internal */
  closedError(op: string): Error {
    return new ClosedError(`${op} on ${this}, which is ${this.#node.writableEnded ? 'ended' : 'closed'}`);
  }

  /** Hand a chunk over if there is room. @internal */
  tryWrite(wait: WriteWait): boolean {
    const node = this.#node;
    if (this.#failure !== undefined) throw this.#failure();
    if (node.writableEnded || node.destroyed) throw this.closedError('write');
    if (node.writableNeedDrain) return false;
    if (wait.encoding === undefined) node.write(wait.chunk);
    else node.write(wait.chunk, wait.encoding);
    return true;
  }

  /** @internal */
  awaitRoom(ticket: Ticket<void>, wait: WriteWait): void {
    const writer = { ticket, wait };
    this.#writers.add(writer);
    ticket.onRetract = () => {
      this.#writers.delete(writer);
      ticket.withdraw();
    };
  }

  #drained(): void {
    for (const writer of this.#writers) {
      try {
        if (!this.tryWrite(writer.wait)) return;
        writer.ticket.resolve();
      } catch (error) {
        writer.ticket.rejectWith(() => atCaller(error));
      }
      this.#writers.delete(writer);
    }
  }
}

class WriteWait extends ExternalWait<void> {
  readonly #message: OutgoingMessage;
  readonly chunk: Chunk;
  readonly encoding: BufferEncoding | undefined;
  constructor(message: OutgoingMessage, chunk: Chunk, encoding: BufferEncoding | undefined) {
    super();
    this.#message = message;
    this.chunk = chunk;
    this.encoding = encoding;
  }
  override look(): boolean {
    if (!this.#message.tryWrite(this)) return false;
    readyResult.value = undefined;
    return true;
  }
  protected begin(ticket: Ticket<void>): void {
    this.#message.awaitRoom(ticket, this);
  }
  override retract(waiter: Waiter): void {
    super.retract(waiter);
    const kind = waiter.owner().side?.interrupt?.kind;
    if (kind === 'greenlet' || kind === 'scope') this.#message.abandoned();
  }
  describe(): WaitDescription {
    return { op: 'write', object: String(this.#message) };
  }
}

/** @throws TypeError @internal */
export function checkChunk(chunk: unknown, encoding: unknown, where: string): void {
  if (typeof chunk === 'function' || typeof encoding === 'function')
    throw typeError(`${where} takes no callback: it is an Op, so yield* it and go on`);
  if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array))
    throw typeError(`${where} takes a string or bytes, not ${shownValue(chunk)}`);
  if (encoding !== undefined && !Buffer.isEncoding(encoding as string))
    throw typeError(`${where}: unknown encoding: ${shownValue(encoding)}`, 'ERR_UNKNOWN_ENCODING');
}
