// inbound.ts: the reading side of a byte stream: what has come, who waits for it, and why nothing more will come.
//
// One greenlet reads at a time; a second one gets BusyError. A reader commits only when all that it asked for is there, so a kill or a timeout in the
// middle loses no byte. Reading pauses while more is buffered than the high-water mark and nobody waits for more than that: so a peer that
// floods us feels it, and a long readExactly still completes.
//
// What comes is offered to the waiting reader in the host's callback, straight from the host's buffer; only the rest is stored.
//
// Invariants, between any two steps:
//   a reader waits         implies  what is buffered is not enough for it, and none of ended, failed, closed holds
//   paused                 implies  the transport delivers nothing until resume()
//   scheduler.externalWaits counts the waiting reader, if the transport is external

import { BusyError } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { readyResult } from '../core/kernel.ts';
import type { WaitDescription } from '../core/op.ts';
import { LAZY } from '../core/status.ts';
import { Wait } from '../core/wait.ts';
import type { Waiter } from '../core/wait-list.ts';
import { ReadBuffer } from './read-buffer.ts';
import type { Transport } from './transport.ts';

/** How an attempt to read went: more has to come; `result` has the value; or it can never succeed and `refusal` says why. */
export const MORE = 0;
export const TAKEN = 1;
export const REFUSED = 2;
export type Attempt = typeof MORE | typeof TAKEN | typeof REFUSED;

/** Where an attempt leaves its value. One for all, because nothing runs between the attempt and whoever takes it. */
export const result: { value: unknown } = { value: undefined };

/** What the reading side needs to know of its stream. */
export interface InboundOwner {
  readonly transport: Pick<Transport, 'resume'>;
  toString(): string;
  /** The error of `op` after the connection was lost with `cause`. */
  lost(op: string, cause: unknown): Error;
  /** Somebody else closed the stream: the error for `op`. */
  closedError(op: string): Error;
}

/** One way to read. Subclasses in reads.ts. */
export abstract class ReadWait<T> extends Wait<T> {
  abstract readonly op: string;
  /** It cannot complete before this many bytes are buffered: until then reading goes on above the high-water mark. */
  abstract readonly need: number;
  readonly inbound: Inbound;

  constructor(inbound: Inbound) {
    super();
    this.inbound = inbound;
  }

  /** Try with what is buffered. `ended`: nothing more will come, and the peer meant it. */
  abstract attempt(buffer: ReadBuffer, ended: boolean): Attempt;
  /** Why an attempt was refused. What the error shows is taken from the buffer now; the error is made later, in the victim. */
  abstract refusal(buffer: ReadBuffer): () => Error;

  look(greenlet: Greenlet): boolean {
    return this.inbound.look(this as ReadWait<unknown>, greenlet);
  }
  enlist(waiter: Waiter): void {
    this.inbound.enlist(this as ReadWait<unknown>, waiter);
  }
  retract(waiter: Waiter): void {
    this.inbound.retract(waiter);
  }
  describe(): WaitDescription {
    return { op: this.op, object: this.inbound.owner.toString() };
  }
}

export class Inbound {
  readonly buffer: ReadBuffer = new ReadBuffer();
  readonly owner: InboundOwner;
  readonly #highWaterMark: number;
  readonly #external: boolean;
  #reader: Waiter | undefined = undefined;
  #read: ReadWait<unknown> | undefined = undefined;
  #paused = false;
  #ended = false;
  #closed = false;
  #failure: { readonly cause: unknown } | undefined = undefined;

  constructor(owner: InboundOwner, highWaterMark: number, external = true) {
    this.owner = owner;
    this.#external = external;
    this.#highWaterMark = highWaterMark;
  }

  /** The peer has ended its side (and what it sent may still be buffered). */
  get ended(): boolean {
    return this.#ended;
  }

  /** Commit `read` if what is buffered, or the end, allows it. */
  look(read: ReadWait<unknown>, greenlet: Greenlet): boolean {
    if (this.#reader !== undefined) throw this.#busy(read, greenlet);
    if (this.#closed) throw this.owner.closedError(read.op);
    const attempt = read.attempt(this.buffer, this.#ended);
    if (attempt === TAKEN) {
      readyResult.value = result.value;
      result.value = undefined;
      // Half of the mark, so that a fast peer is not stopped and started for every read.
      if (this.#paused && 2 * this.buffer.size <= this.#highWaterMark) this.#resume();
      return true;
    }
    if (attempt === REFUSED) throw read.refusal(this.buffer)();
    if (this.#failure !== undefined) throw this.owner.lost(read.op, this.#failure.cause);
    return false;
  }

  /** Is a reader waiting? */
  get waiting(): boolean {
    return this.#reader !== undefined;
  }

  enlist(read: ReadWait<unknown>, waiter: Waiter): void {
    // Two arms of one select, or a select that was started while another greenlet waits.
    if (this.#reader !== undefined) throw this.#busy(read, waiter.owner());
    this.#reader = waiter;
    this.#read = read;
    if (this.#external) waiter.owner().scope.scheduler.externalStarted();
    if (this.#paused) this.#resume();
  }

  retract(waiter: Waiter): void {
    this.#reader = undefined;
    this.#read = undefined;
    if (this.#external) waiter.owner().scope.scheduler.externalEnded();
  }

  /** Bytes have come. False if no more are wanted for now. */
  received(bytes: Buffer, length: number, lent: boolean): boolean {
    const { buffer } = this;
    buffer.add(bytes, length, lent);
    if (this.#reader !== undefined) this.#serve();
    if (lent) buffer.keep();
    const { size } = buffer;
    this.#paused = size >= this.#highWaterMark && (this.#read === undefined || size >= this.#read.need);
    return !this.#paused;
  }

  /** Put bytes back in front. */
  unread(bytes: Uint8Array): void {
    if (this.#reader !== undefined) throw this.#busy(undefined, undefined);
    if (bytes.length > 0) this.buffer.prepend(bytes);
  }

  /** The peer has ended its side. */
  end(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    if (this.#reader !== undefined) this.#serve();
  }

  /** The connection is lost: what is buffered can still be read. */
  fail(cause: unknown): void {
    if (this.#failure !== undefined || this.#ended || this.#closed) return;
    this.#failure = { cause };
    const read = this.#read;
    if (read !== undefined) this.#detach().fire(() => this.owner.lost(read.op, cause), LAZY);
  }

  /** Forget the end, or the failure: the next read finds out anew. For files, whose end moves. */
  reopen(): void {
    this.#ended = false;
    this.#failure = undefined;
  }

  /** Refuse every read with the owner's closedError, while something else has the connection; with false, take them again. */
  suspend(suspended: boolean): void {
    this.#closed = suspended;
  }

  /** Our own close(): a waiting reader learns of it, what is buffered is dropped. */
  close(): void {
    this.#closed = true;
    this.buffer.clear();
    const read = this.#read;
    if (read !== undefined) this.#detach().fire(() => this.owner.closedError(read.op), LAZY);
  }

  #serve(): void {
    const read = this.#read as ReadWait<unknown>;
    const attempt = read.attempt(this.buffer, this.#ended);
    if (attempt === MORE) return;
    const reader = this.#detach();
    if (attempt === TAKEN) {
      const { value } = result;
      result.value = undefined;
      reader.fire(value, 0);
    } else {
      reader.fire(read.refusal(this.buffer), LAZY);
    }
  }

  #detach(): Waiter {
    const reader = this.#reader as Waiter;
    this.retract(reader);
    return reader;
  }

  #resume(): void {
    this.#paused = false;
    this.owner.transport.resume();
  }

  #busy(read: ReadWait<unknown> | undefined, second: Greenlet | undefined): BusyError {
    const first = (this.#reader as Waiter).owner();
    const who = second === undefined ? 'unread' : `${read?.op ?? 'read'} by ${second.name}`;
    return new BusyError(
      `${who} on ${this.owner.toString()}, which ${first === second ? 'it' : first.name} is reading (${this.#read?.op}): one greenlet reads at a time`,
    );
  }
}
