// memory-transport.ts: two Transports that are connected to each other in memory, for memoryPair().
//
// They behave as a Unix socket does: what was sent is kept for the other end up to a capacity, and beyond that the sender waits; a close with unread data
// resets the connection; who writes to an end that is gone gets EPIPE. They need no time and no randomness, so they are the same in every run.
//
// Nothing is delivered inside a call: what an end was sent reaches it at the end of the turn, with what else was written in it (core/outlets.ts). Both
// ends belong to the world in which they were made. They are no wait for something outside: if nobody is left who could write, that is a deadlock.
//
// Bytes are copied once, when the other end's system takes them, as the kernel would; what does not fit waits where its writer has it.
//
// Invariants, between any two steps, of each end:
//   something is leaving   implies  the peer's arrived bytes are at its capacity
//   it has something to tell its sink, and is not paused  implies  it is in the scheduler's list of outlets
// Source: socketpair(2), unix(7).

import { Fifo } from '../core/fifo.ts';
import { requireScheduler } from '../core/kernel.ts';
import type { Outlet } from '../core/outlets.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { Address } from './address.ts';
import type { Transport, TransportSink } from './transport.ts';
import { bytesOf } from './writable.ts';

/** What an end has been given to send, and the peer's system has not taken all of. */
interface Leaving {
  readonly bytes: Buffer;
  /** Nobody else has it: it need not be copied. */
  readonly owned: boolean;
}

/** One end. @internal */
export class MemoryEnd implements Transport, Outlet {
  nextOutlet: Outlet | undefined = undefined;
  readonly external = false;
  readonly name: string;
  readonly localAddress: Address;
  remoteAddress: Address;
  unsent = 0;
  failure: unknown = undefined;
  #peer: MemoryEnd = this;
  #sink: TransportSink | undefined = undefined;
  readonly #scheduler: Scheduler;
  readonly #capacity: number;
  /** What this end's system keeps for its sink. */
  readonly #arrived: Fifo<Buffer> = new Fifo();
  #arrivedBytes = 0;
  /** What the peer's system has not taken, and how much of the first of it it has. */
  readonly #leaving: Fifo<Leaving> = new Fifo();
  #leftOfFirst = 0;
  #paused = false;
  #isOutlet = false;
  /** Our end was asked for; it has arrived at the peer. */
  #ending = false;
  #endSent = false;
  /** The peer's end has arrived; our sink knows of it. */
  #peerEnded = false;
  #endTold = false;
  /** Nobody will read what we write. */
  #peerGone = false;
  #destroyed = false;
  #closedTold = false;

  constructor(scheduler: Scheduler, name: string, capacity: number) {
    this.#scheduler = scheduler;
    this.#capacity = capacity;
    this.name = `socket ${name}`;
    this.localAddress = new Address('', 0, name);
    this.remoteAddress = this.localAddress;
  }

  pairWith(peer: MemoryEnd): void {
    this.#peer = peer;
    this.remoteAddress = peer.localAddress;
  }

  start(sink: TransportSink): void {
    this.#sink = sink;
  }

  resume(): void {
    this.#paused = false;
    this.#tellLater();
  }

  write(bytes: string | Uint8Array): void {
    if (this.#destroyed) return;
    const piece = bytesOf(bytes);
    this.unsent += piece.length;
    if (this.#peerGone) this.#fail('EPIPE', 'write');
    if (this.failure !== undefined) return;
    this.#leaving.push({ bytes: piece, owned: typeof bytes === 'string' });
    this.#leave();
  }

  cork(): void {}

  uncork(): void {}

  end(): void {
    if (this.#destroyed || this.failure !== undefined) return;
    this.#ending = true;
    this.#leave();
  }

  destroy(): void {
    if (this.#destroyed) return;
    const unread = this.#arrivedBytes > 0 || this.#peer.unsent > 0;
    this.#destroyed = true;
    this.#sink = undefined;
    this.#forget();
    this.unsent = 0;
    while (this.#arrived.size > 0) this.#arrived.shift();
    this.#arrivedBytes = 0;
    this.#peer.#bereave(unread);
  }

  /** Tell the sink what there is to tell. Called at the end of a turn. */
  handOver(): void {
    this.#isOutlet = false;
    const sink = this.#sink;
    if (sink === undefined || this.#closedTold) return;
    const before = this.#arrivedBytes;
    while (this.#arrived.size > 0 && this.#delivers) {
      const chunk = this.#arrived.shift();
      this.#arrivedBytes -= chunk.length;
      this.#paused = !sink.received(chunk, chunk.length, false);
    }
    if (this.#arrivedBytes < before) this.#peer.#roomMade();
    if (this.#peerEnded && !this.#endTold && this.#arrived.size === 0 && this.#delivers) {
      this.#endTold = true;
      sink.ended();
    }
    if (this.failure !== undefined) {
      sink.failed(this.failure);
      // Not before: what had not left when it failed is what `unsent` says then.
      this.unsent = 0;
    } else if (!this.#endTold || !this.#endSent) {
      return;
    }
    this.#closedTold = true;
    sink.closed();
  }

  // What came before a failure is delivered also to a sink that has paused: it is the last that it gets.
  get #delivers(): boolean {
    return !this.#paused || this.failure !== undefined;
  }

  #tellLater(): void {
    if (this.#isOutlet || this.#sink === undefined) return;
    this.#isOutlet = true;
    this.#scheduler.handOverLater(this);
  }

  /** Give the peer's system what it has room for, and our end behind it. */
  #leave(): void {
    const peer = this.#peer;
    while (this.#leaving.size > 0 && peer.#arrivedBytes < peer.#capacity) {
      const { bytes, owned } = this.#leaving.peek();
      const start = this.#leftOfFirst;
      const end = Math.min(bytes.length, start + peer.#capacity - peer.#arrivedBytes);
      const part = bytes.subarray(start, end);
      this.#leftOfFirst = end;
      if (end === bytes.length) {
        this.#leaving.shift();
        this.#leftOfFirst = 0;
      }
      this.unsent -= part.length;
      peer.#arrived.push(owned ? part : Buffer.from(part));
      peer.#arrivedBytes += part.length;
      peer.#tellLater();
    }
    if (!this.#ending || this.#endSent || this.#leaving.size > 0) return;
    this.#endSent = true;
    peer.#peerEnded = true;
    peer.#tellLater();
    this.#tellLater();
  }

  /** The peer's system has room again. */
  #roomMade(): void {
    const before = this.unsent;
    this.#leave();
    if (this.unsent < before) this.#sink?.taken();
  }

  /** The peer has been destroyed; `unread`: although it had not read everything. */
  #bereave(unread: boolean): void {
    if (this.#destroyed) return;
    this.#peerGone = true;
    if (unread && !this.#peerEnded) {
      this.#fail('ECONNRESET', 'read');
      return;
    }
    this.#peerEnded = true;
    if (this.unsent > 0) this.#fail('EPIPE', 'write');
    this.#tellLater();
  }

  #fail(code: string, syscall: string): void {
    if (this.failure !== undefined) return;
    this.failure = Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
    this.#forget();
    this.#tellLater();
  }

  /** Nothing more leaves. */
  #forget(): void {
    while (this.#leaving.size > 0) this.#leaving.shift();
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    if (this.#leaving.size > 0 && this.#peer.#arrivedBytes < this.#peer.#capacity)
      throw new Error(`${this.name}: bytes wait to leave beside room`);
    const tells = this.#arrived.size > 0 || (this.#peerEnded && !this.#endTold);
    if (tells && this.#delivers && !this.#isOutlet && this.#sink !== undefined && !this.#closedTold)
      throw new Error(`${this.name}: something has arrived and nobody will tell of it`);
  }
}

/** How many pairs each world has made: names are the same in every run. */
const pairs: WeakMap<Scheduler, number> = new WeakMap();

/** Two connected transports of this world. @internal */
export function memoryTransports(near: number, far: number): readonly [MemoryEnd, MemoryEnd] {
  const scheduler = requireScheduler();
  const number = (pairs.get(scheduler) ?? 0) + 1;
  pairs.set(scheduler, number);
  const one = new MemoryEnd(scheduler, `memory-${number}a`, near);
  const other = new MemoryEnd(scheduler, `memory-${number}b`, far);
  one.pairWith(other);
  other.pairWith(one);
  return [one, other];
}
