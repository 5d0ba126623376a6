// outbound.ts: the writing side of a byte stream: what is queued, who waits for room, and how much has left.
//
// A write waits for room and only then queues, all or nothing, so one that is killed while it waits has sent nothing. There is room
// while less than the high-water mark is queued here and in the transport together: memory is bounded by the mark and one piece.
// What was queued in a turn goes out at its end, gathered; earlier only if it has grown to the mark, or if somebody flushes.
//
// Invariants, between any two steps:
//   writers wait              implies  state is 'open' and the backlog is at least the high-water mark
//   queue is not empty        implies  this is in the scheduler's list of outlets
//   bytesQueued = bytesFlushed + what the transport has not sent + queue.size, until the connection is lost
//   scheduler.externalWaits counts those who wait here, if the transport is external

import { kernel, readyResult, requireScheduler } from '../core/kernel.ts';
import type { WaitDescription } from '../core/op.ts';
import type { Outlet } from '../core/outlets.ts';
import { LAZY } from '../core/status.ts';
import { Wait } from '../core/wait.ts';
import { type Waiter, WaitList } from '../core/wait-list.ts';
import type { WriteProgress } from './errors.ts';
import type { Transport } from './transport.ts';
import { type Pieces, WriteQueue } from './write-queue.ts';

/** What the writing side needs to know of its stream. */
export interface OutboundOwner {
  readonly transport: Transport;
  toString(): string;
  /** The error of `op` after the connection was lost with `cause`. */
  lost(op: string, cause: unknown): Error;
  /** The stream was closed, or this side of it was ended: the error for `op`. */
  closedError(op: string): Error;
}

/** open: takes writes; suspended: something else has the connection; ended: we ended our side; lost: by an error; closed: by close(). */
type State = 'open' | 'suspended' | 'ended' | 'lost' | 'closed';

export class Outbound implements Outlet, WriteProgress {
  nextOutlet: Outlet | undefined = undefined;
  readonly owner: OutboundOwner;
  bytesQueued = 0;
  readonly #highWaterMark: number;
  readonly #external: boolean;
  readonly #queue: WriteQueue = new WriteQueue();
  readonly #writers: WaitList = new WaitList();
  readonly #flushers: WaitList = new WaitList();
  #state: State = 'open';
  #isOutlet = false;
  #failure: unknown = undefined;
  #flushedAtLoss = 0;
  #flush: FlushWait | undefined = undefined;

  constructor(owner: OutboundOwner, highWaterMark: number, external = true) {
    this.owner = owner;
    this.#external = external;
    this.#highWaterMark = highWaterMark;
  }

  /** Bytes that write() has taken and the operating system has not. */
  get backlog(): number {
    return this.#queue.size + this.owner.transport.unsent;
  }

  get bytesFlushed(): number {
    return this.#state === 'lost' || this.#state === 'closed' ? this.#flushedAtLoss : this.bytesQueued - this.backlog;
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  /** How the connection was lost, if it was. */
  get loss(): { readonly cause: unknown } | undefined {
    return this.#state === 'lost' ? { cause: this.#failure } : undefined;
  }

  write(piece: Pieces, size: number): WriteWait {
    return new WriteWait(this, piece, size);
  }

  flush(): FlushWait {
    this.#flush ??= new FlushWait(this);
    return this.#flush;
  }

  /** Queue `piece` if there is room; false if somebody has to wait. Throws if nothing can be written any more. */
  offer(piece: Pieces, size: number): boolean {
    if (this.#state !== 'open') throw this.#refusal('write');
    if (size === 0) return true;
    if (this.#writers.size > 0) return false;
    if (this.backlog >= this.#highWaterMark && !this.#makeRoom()) return false;
    this.#push(piece, size);
    return true;
  }

  /** Has everything left that was queued so far? Throws if it never will. */
  settled(): boolean {
    this.#handOverNow();
    if (this.#state !== 'open' && this.#state !== 'ended') throw this.#refusal('flush');
    return this.backlog === 0;
  }

  enlistWriter(waiter: Waiter, write: WriteWait): void {
    waiter.value = write;
    this.#writers.push(waiter);
    if (this.#external) waiter.owner().scope.scheduler.externalStarted();
  }

  enlistFlusher(waiter: Waiter): void {
    waiter.value = this.bytesQueued;
    this.#flushers.push(waiter);
    if (this.#external) waiter.owner().scope.scheduler.externalStarted();
  }

  retractWriter(waiter: Waiter): void {
    this.#writers.remove(waiter);
    if (this.#external) waiter.owner().scope.scheduler.externalEnded();
  }

  retractFlusher(waiter: Waiter): void {
    this.#flushers.remove(waiter);
    if (this.#external) waiter.owner().scope.scheduler.externalEnded();
  }

  /** The turn is over: send what it has queued. */
  handOver(): void {
    this.#isOutlet = false;
    this.#handOverNow();
    this.taken();
  }

  /** The transport has sent something: let in who waits for room, release who waits for the end. */
  taken(): void {
    if (this.#writers.size > 0) this.#admit();
    if (this.#flushers.size > 0) this.#releaseFlushers();
  }

  /** End our side after what is queued. Those who wait for room get ClosedError. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#handOverNow();
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#fireWriters(() => this.owner.closedError('write'));
    this.owner.transport.end();
  }

  /** Refuse every write with the owner's closedError, while something else has the connection; with false, take them again. */
  suspend(suspended: boolean): void {
    if (this.#state === (suspended ? 'open' : 'suspended')) this.#state = suspended ? 'suspended' : 'open';
  }

  /** The connection is lost. */
  fail(cause: unknown): void {
    if (this.#state === 'lost' || this.#state === 'closed') return;
    this.#flushedAtLoss = this.bytesFlushed;
    this.#state = 'lost';
    this.#failure = cause;
    this.#queue.clear();
    this.#fireWriters(() => this.owner.lost('write', cause));
    this.#fireFlushers(() => this.owner.lost('flush', cause));
  }

  /** Our own close(): what the operating system takes at once still goes out. */
  close(): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'open') this.#handOverNow();
    this.#flushedAtLoss = this.bytesFlushed;
    this.#state = 'closed';
    this.#queue.clear();
    this.#fireWriters(() => this.owner.closedError('write'));
    this.#fireFlushers(() => this.owner.closedError('flush'));
  }

  #push(piece: Pieces, size: number): void {
    if (typeof piece === 'string' || piece instanceof Uint8Array) this.#queue.push(piece, size);
    else this.#queue.pushAll(piece, size);
    this.bytesQueued += size;
    if (this.#isOutlet) return;
    this.#isOutlet = true;
    (kernel.scheduler ?? requireScheduler()).handOverLater(this);
  }

  /** Send what has gathered before the turn ends, because it has grown large. */
  #makeRoom(): boolean {
    if (this.#queue.size === 0) return false;
    this.#handOverNow();
    if (this.#state !== 'open') throw this.#refusal('write');
    return this.backlog < this.#highWaterMark;
  }

  #handOverNow(): void {
    if (this.#queue.size === 0) return;
    const { transport } = this.owner;
    this.#queue.handTo(transport);
    // A write may fail at once although the transport says so only later: what comes after it must not look as if it had been sent.
    const { failure } = transport;
    if (failure !== undefined) this.fail(failure);
  }

  #admit(): void {
    let admitted = false;
    while (this.#state === 'open' && this.#writers.size > 0 && this.backlog < this.#highWaterMark) {
      const writer = this.#writers.head as Waiter;
      const { piece, size } = writer.value as WriteWait;
      this.retractWriter(writer);
      this.#push(piece, size);
      writer.fire(undefined, 0);
      admitted = true;
    }
    // Whoever was let in goes on in the next turn; its bytes need not wait for that.
    if (admitted) this.#handOverNow();
  }

  #releaseFlushers(): void {
    const { bytesFlushed } = this;
    for (
      let { head } = this.#flushers;
      head !== undefined && (head.value as number) <= bytesFlushed;
      head = this.#flushers.head
    ) {
      this.retractFlusher(head);
      head.fire(undefined, 0);
    }
  }

  #fireWriters(error: () => Error): void {
    for (let { head } = this.#writers; head !== undefined; head = this.#writers.head) {
      this.retractWriter(head);
      head.fire(error, LAZY);
    }
  }

  #fireFlushers(error: () => Error): void {
    for (let { head } = this.#flushers; head !== undefined; head = this.#flushers.head) {
      this.retractFlusher(head);
      head.fire(error, LAZY);
    }
  }

  #refusal(op: string): Error {
    return this.#state === 'lost' ? this.owner.lost(op, this.#failure) : this.owner.closedError(op);
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.#writers.check();
    this.#flushers.check();
    if (this.#writers.size > 0 && (this.#state !== 'open' || this.backlog < this.#highWaterMark)) {
      throw new Error('outbound: a writer waits beside room');
    }
    if (this.#queue.size > 0 && !this.#isOutlet)
      throw new Error('outbound: bytes are queued and nobody will send them');
  }
}

export class WriteWait extends Wait<void> {
  readonly piece: Pieces;
  readonly size: number;
  readonly #outbound: Outbound;

  constructor(outbound: Outbound, piece: Pieces, size: number) {
    super();
    this.#outbound = outbound;
    this.piece = piece;
    this.size = size;
  }

  look(): boolean {
    if (!this.#outbound.offer(this.piece, this.size)) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    this.#outbound.enlistWriter(waiter, this);
  }
  retract(waiter: Waiter): void {
    this.#outbound.retractWriter(waiter);
  }
  describe(): WaitDescription {
    return { op: 'write', object: this.#outbound.owner.toString() };
  }
}

class FlushWait extends Wait<void> {
  readonly #outbound: Outbound;
  constructor(outbound: Outbound) {
    super();
    this.#outbound = outbound;
  }
  look(): boolean {
    if (!this.#outbound.settled()) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    this.#outbound.enlistFlusher(waiter);
  }
  retract(waiter: Waiter): void {
    this.#outbound.retractFlusher(waiter);
  }
  describe(): WaitDescription {
    return { op: 'flush', object: this.#outbound.owner.toString() };
  }
}

export type { FlushWait };
