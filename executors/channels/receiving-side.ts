// receiving-side.ts: what one end of a channel across receives: the values that have come, who waits for one, and the room that the other side knows of.
//
// With a capacity the other side is granted what is taken here: half the capacity at once, less when the greenlets of this turn have run. With capacity 0 a
// receiver that begins to wait grants one value; if it has gone when the value comes, that waits here for the next receiver.
//
// Invariants, between any two steps:
//   received.size > 0                implies  receivers is empty
//   allowed + received.size + owed   is       capacity, if that is finite and not 0, until a side closes
//   capacity is 0, and it is open    implies  receivers.size <= allowed
//   it has ended                     implies  receivers is empty

import { Fifo } from '../../core/fifo.ts';
import { readyResult } from '../../core/kernel.ts';
import { LAZY } from '../../core/status.ts';
import { WaitList } from '../../core/wait-list.ts';
import { oldest } from './end-waits.ts';
import { ChannelMessageError } from './errors.ts';
import type { Link } from './link.ts';
import type { EndError } from './sending-side.ts';

/** A value that has come and cannot be made here. */
export class Unreadable {
  readonly cause: unknown;
  constructor(cause: unknown) {
    this.cause = cause;
  }
}

export class ReceivingSide {
  readonly receivers: WaitList = new WaitList();
  readonly label: () => string;
  readonly #received: Fifo<unknown> = new Fifo();
  readonly #link: Link;
  readonly #capacity: number;
  readonly #handOverLater: () => void;
  /** So many values may still come. */
  #allowed: number;
  /** So many were taken, and the other side does not know it. */
  #owed = 0;
  /** A side has closed: there is nothing to grant. */
  #closing = false;
  #ended: EndError | undefined = undefined;

  constructor(link: Link, capacity: number, label: () => string, handOverLater: () => void) {
    this.#link = link;
    this.#capacity = capacity;
    this.#allowed = capacity;
    this.label = label;
    this.#handOverLater = handOverLater;
  }

  get size(): number {
    return this.#received.size;
  }

  /** Take the oldest value that has come. */
  take(op: string): boolean {
    if (this.#received.size > 0) {
      const value = this.#received.shift();
      this.#taken();
      if (value instanceof Unreadable) throw new ChannelMessageError(op, this.label(), value.cause);
      readyResult.value = value;
      return true;
    }
    if (this.#ended !== undefined) throw this.#ended(op);
    return false;
  }

  /** A receiver has begun to wait. */
  asked(): void {
    if (this.#capacity > 0 || this.#closing || this.receivers.size <= this.#allowed) return;
    this.#allowed += 1;
    this.#link.post(1);
  }

  /** A value has come. False if it was not asked for. */
  arrived(value: unknown): boolean {
    if (this.#allowed === 0) return false;
    this.#allowed -= 1;
    const receiver = oldest(this.receivers);
    if (receiver === undefined) {
      this.#received.push(value);
      return true;
    }
    this.#taken();
    if (value instanceof Unreadable)
      receiver.fire(() => new ChannelMessageError('receive', this.label(), value.cause), LAZY);
    else receiver.fire(value, 0);
    return true;
  }

  #taken(): void {
    if (this.#closing || this.#capacity === 0 || this.#capacity === Number.POSITIVE_INFINITY) return;
    this.#owed += 1;
    if (this.#owed * 2 >= this.#capacity) this.grant();
    else this.#handOverLater();
  }

  /** Tell the other side of the room that there is. */
  grant(): void {
    if (this.#owed === 0 || this.#closing) return;
    const credits = this.#owed;
    this.#owed = 0;
    this.#allowed += credits;
    this.#link.post(credits);
  }

  /** A side has closed: what is on its way may still come. */
  closing(): void {
    this.#closing = true;
  }

  /** Nothing will come any more. */
  end(error: EndError): void {
    this.#closing = true;
    this.#ended = error;
    for (let waiter = oldest(this.receivers); waiter !== undefined; waiter = oldest(this.receivers))
      waiter.fire(() => error('receive'), LAZY);
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    const { receivers } = this;
    receivers.check();
    const places = this.#allowed + this.#received.size + this.#owed;
    const bounded = this.#capacity > 0 && this.#capacity !== Number.POSITIVE_INFINITY;
    if (this.#received.size > 0 && receivers.size > 0)
      throw new Error(`${this.label()}: a receiver waits beside a value`);
    if (bounded && !this.#closing && places !== this.#capacity) throw new Error(`${this.label()}: ${places} places`);
    if (this.#capacity === 0 && !this.#closing && receivers.size > this.#allowed)
      throw new Error(`${this.label()}: a receiver waits and the other side does not know`);
    if (this.#ended !== undefined && receivers.size > 0)
      throw new Error(`${this.label()}: a receiver waits after the end`);
  }
}
