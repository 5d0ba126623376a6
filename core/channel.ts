// channel.ts: values from greenlet to greenlet, first in first out.
//
// Capacity 0 hands a value over; n lets n values wait; Infinity lets any number wait. A waiting sender's value stays with the sender until a
// receiver takes it, so a killed sender takes it back. A value that was handed to a receiver is never queued again.
//
// Invariants, between any two steps:
//   buffered.size > 0         implies  receivers is empty
//   buffered.size < capacity  implies  senders is empty
//   senders and receivers both wait  implies  all of them belong to one select()
//   closed                    implies  senders and receivers are empty
// Sources: Go's chan.go, TinyGo's chan.go (single-threaded), Stackless channels (names); S7.

import { ChannelClosedError } from './errors.ts';
import { Fifo } from './fifo.ts';
import { readyResult } from './kernel.ts';
import type { Waitable, WaitDescription } from './op.ts';
import { LAZY } from './status.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

export interface ChannelOptions {
  /** Shown in reports and errors. */
  readonly name?: string | undefined;
}

export class Channel<T> {
  readonly capacity: number;
  readonly name: string | undefined;
  /** @internal */ readonly buffered: Fifo<T> = new Fifo();
  /** @internal */ readonly senders: WaitList = new WaitList();
  /** @internal */ readonly receivers: WaitList = new WaitList();
  #closed = false;
  readonly #receive: Receive<T> = new Receive(this);

  /**
   * @param capacity how many values may wait in the channel: 0, a positive integer or Infinity.
   * @throws RangeError for any other capacity.
   */
  constructor(capacity = 0, options: ChannelOptions = {}) {
    if (capacity !== Number.POSITIVE_INFINITY && (!Number.isInteger(capacity) || capacity < 0)) {
      throw new RangeError(`a channel's capacity is 0, a positive integer or Infinity, not ${String(capacity)}`);
    }
    this.capacity = capacity;
    this.name = options.name;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** How many values wait in the channel. */
  get length(): number {
    return this.buffered.size;
  }

  /** Waiting senders minus waiting receivers. */
  get balance(): number {
    return this.senders.size - this.receivers.size;
  }

  /**
   * Send `value`, waiting for a receiver or for room.
   *
   * Switches only if it has to wait. If it throws, the value was not sent.
   *
   * @throws ChannelClosedError if the channel is closed now or is closed while we wait.
   * @throws Killed if the greenlet is killed while it waits.
   * @see https://go.dev/ref/spec#Send_statements
   */
  send(value: T): Waitable<void> {
    return new Send(this, value);
  }

  /**
   * Receive the oldest value, waiting for one.
   *
   * Switches only if it has to wait. If it throws, no value was taken.
   *
   * @throws ChannelClosedError if the channel is closed and drained. @throws Killed if the greenlet is killed while it waits.
   * @see https://go.dev/ref/spec#Receive_operator
   */
  receive(): Waitable<T> {
    return this.#receive;
  }

  /** Send `value` if that needs no waiting; false otherwise. Never switches. @throws ChannelClosedError if the channel is closed. */
  trySend(value: T): boolean {
    return this.offer(value, 'trySend');
  }

  /** @internal */
  offer(value: T, op: string): boolean {
    if (this.#closed) throw new ChannelClosedError(this.label(), op);
    const receiver = this.receivers.shift();
    if (receiver !== undefined) receiver.fire(value, 0);
    else if (this.buffered.size < this.capacity) this.buffered.push(value);
    else return false;
    return true;
  }

  /** Receive a value if there is one; undefined otherwise. Never switches. @throws ChannelClosedError if it is closed and drained. */
  tryReceive(): { value: T } | undefined {
    if (this.buffered.size > 0) {
      const value = this.buffered.shift();
      this.#refill();
      return { value };
    }
    const sender = this.senders.shift();
    if (sender !== undefined) {
      const value = sender.value as T;
      sender.fire(undefined, 0);
      return { value };
    }
    if (this.#closed) throw new ChannelClosedError(this.label(), 'tryReceive');
    return undefined;
  }

  /** No more values: what waits in the channel can still be received, then receivers get ChannelClosedError; senders get it at once. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const label = this.label();
    this.senders.fireAll(() => new ChannelClosedError(label, 'send'), LAZY);
    this.receivers.fireAll(() => new ChannelClosedError(label, 'receive'), LAZY);
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a channel' : `channel ${this.name}`;
  }

  // There is room again: the oldest waiting sender's value moves up, so that values keep the order in which they were sent.
  #refill(): void {
    const sender = this.senders.shift();
    if (sender === undefined) return;
    this.buffered.push(sender.value as T);
    sender.fire(undefined, 0);
  }

  /** @internal */
  lookReceive(): boolean {
    if (this.buffered.size > 0) {
      readyResult.value = this.buffered.shift();
      if (this.senders.size > 0) this.#refill();
      return true;
    }
    const sender = this.senders.shift();
    if (sender !== undefined) {
      readyResult.value = sender.value;
      sender.fire(undefined, 0);
      return true;
    }
    if (this.#closed) throw new ChannelClosedError(this.label(), 'receive');
    return false;
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    const { buffered, senders, receivers, capacity } = this;
    senders.check();
    receivers.check();
    if (buffered.size > 0 && receivers.size > 0) throw new Error('channel: a receiver waits beside a value');
    if (buffered.size < capacity && senders.size > 0) throw new Error('channel: a sender waits beside room');
    if (this.#closed && senders.size + receivers.size > 0)
      throw new Error('channel: somebody waits at a closed channel');
    if (senders.size > 0 && receivers.size > 0) {
      const owners = new Set<unknown>();
      for (const { head } of [senders, receivers])
        for (let w = head; w !== undefined; w = w.next) owners.add(w.owner());
      if (owners.size > 1) throw new Error('channel: a sender waits beside a receiver');
    }
  }
}

class Receive<T> extends Wait<T> {
  readonly #channel: Channel<T>;
  constructor(channel: Channel<T>) {
    super();
    this.#channel = channel;
  }
  look(): boolean {
    return this.#channel.lookReceive();
  }
  enlist(waiter: Waiter): void {
    this.#channel.receivers.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#channel.receivers.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'receive', object: this.#channel.label() };
  }
}

class Send<T> extends Wait<void> {
  readonly #channel: Channel<T>;
  readonly #value: T;
  constructor(channel: Channel<T>, value: T) {
    super();
    this.#channel = channel;
    this.#value = value;
  }
  look(): boolean {
    if (!this.#channel.offer(this.#value, 'send')) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    waiter.value = this.#value;
    this.#channel.senders.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#channel.senders.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'send', object: this.#channel.label() };
  }
}
