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
//
// `preference` decides who runs first when a hand-over completes, exactly as in Stackless. A select, or a twin that never waits, has no
// side to put off: for them only the woken side's place in the queue changes.
// Sources: Go's chan.go, TinyGo's chan.go (single-threaded), Stackless channels (names); S7.

/// <reference lib="esnext.disposable" preserve="true" />

import { rangeError, typeError } from './bad-argument.ts';
import { Receive, ReceiveThenYield, Send, SendThenYield } from './channel-waits.ts';
import { ChannelClosedError } from './errors.ts';
import { Fifo } from './fifo.ts';
import { kernel, readyResult } from './kernel.ts';
import { MappedWait } from './mapped.ts';
import type { Waitable } from './op.ts';
import { run } from './spawn.ts';
import { FAILED, LAZY } from './status.ts';
import { created } from './unstarted.ts';
import type { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

/** Who runs next when a hand-over completes: nobody in particular, the receiver or the sender. */
export type ChannelPreference = 'none' | 'receiver' | 'sender';

export interface ChannelOptions {
  /** `none` (default): the woken side goes to the end of the run queue, the other goes on. */
  readonly preference?: ChannelPreference | undefined;
  /** Shown in reports and errors. */
  readonly name?: string | undefined;
}

/** A first-in first-out channel between greenlets, with a capacity and an end. */
export class Channel<T> {
  readonly capacity: number;
  readonly name: string | undefined;
  readonly preference: ChannelPreference;
  /** @internal */ readonly buffered: Fifo<T> = new Fifo();
  /** @internal */ readonly senders: WaitList = new WaitList();
  /** @internal */ readonly receivers: WaitList = new WaitList();
  #closed = false;
  /** sendError was never used, no side is preferred and nobody watches for unstarted Ops: a hand-over has nothing to ask. */
  #plain: boolean;
  /** The last look woke the side that is preferred: whoever looked goes to the end of the queue. @internal */
  yieldsTo = false;
  readonly #receive: Wait<T>;
  #next: Waitable<IteratorResult<T, undefined>> | undefined;

  /**
   * @param capacity how many values may wait in the channel: 0, a positive integer or Infinity.
   * @throws RangeError for any other capacity.
   */
  constructor(capacity = 0, options: ChannelOptions = {}) {
    if (capacity !== Number.POSITIVE_INFINITY && (!Number.isInteger(capacity) || capacity < 0)) {
      throw rangeError(`a channel's capacity is 0, a positive integer or Infinity, not ${String(capacity)}`);
    }
    this.capacity = capacity;
    this.name = options.name;
    this.preference = requirePreference(options.preference ?? 'none');
    this.#plain = this.preference === 'none' && kernel.watch === undefined;
    this.#receive = this.makeReceive();
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
    return this.#plain ? new Send(this, value) : this.makeSend(value);
  }

  /**
   * Send an error: the receiver that takes it throws it. As `send` otherwise.
   *
   * @see https://stackless.readthedocs.io/en/latest/library/stackless/channels.html
   */
  sendError(error: unknown): Waitable<void> {
    this.#plain = false;
    return this.send(new SentError(error) as T);
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
    return this.#plain || kernel.watch === undefined ? this.#receive : created(this.makeReceive());
  }

  /** Receive as an iterator does: `{done: false, value}`, or `{done: true}` once the channel is closed and drained. As `receive` otherwise. */
  next(): Waitable<IteratorResult<T, undefined>> {
    this.#next ??= this.makeNext();
    return kernel.watch === undefined ? this.#next : created(this.makeNext());
  }

  /** For ordinary code: `for await (const value of channel)`. Ends when the channel is closed; leaving the loop does not close it. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return { next: () => run(() => this.next()) };
  }

  /** Send `value` if that needs no waiting; false otherwise. Never switches. @throws ChannelClosedError if the channel is closed. */
  trySend(value: T): boolean {
    return this.offer(value, 'trySend');
  }

  /** @internal */
  offer(value: T, op: string): boolean {
    if (this.#closed) throw new ChannelClosedError(this, this.label(), op);
    const receiver = this.receivers.shift();
    if (receiver !== undefined) {
      if (this.#plain) receiver.fire(value, 0);
      else this.handOver(receiver, value);
    } else if (this.buffered.size < this.capacity) {
      this.buffered.push(value);
    } else {
      return false;
    }
    return true;
  }

  /** Receive a value if there is one; undefined otherwise. Never switches. @throws ChannelClosedError if it is closed and drained. */
  tryReceive(): { value: T } | undefined {
    if (!this.lookReceive('tryReceive')) return undefined;
    const value = readyResult.value as T;
    readyResult.value = undefined;
    return { value };
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** No more values: what waits in the channel can still be received, then receivers get ChannelClosedError; senders get it at once. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.senders.fireAll(() => new ChannelClosedError(this, this.label(), 'send'), LAZY);
    this.receivers.fireAll(() => new ChannelClosedError(this, this.label(), 'receive'), LAZY);
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a channel' : `channel ${this.name}`;
  }

  // There is room again, and somebody waits: the oldest sender's value moves up, so that values keep the order in which they were sent.
  private refill(): void {
    const sender = this.senders.shift() as Waiter;
    this.buffered.push(sender.value as T);
    sender.fire(undefined, 0);
  }

  private makeNext(): Waitable<IteratorResult<T, undefined>> {
    return new MappedWait<T, IteratorResult<T, undefined>>(this.#receive, {
      value: (value) => ({ done: false, value }),
      recover: (error) =>
        error instanceof ChannelClosedError && error.channel === this
          ? { value: { done: true, value: undefined } }
          : undefined,
    });
  }

  private makeSend(value: T): Wait<void> {
    return created(this.preference === 'receiver' ? new SendThenYield(this, value) : new Send(this, value));
  }

  private makeReceive(): Wait<T> {
    return this.preference === 'sender' ? new ReceiveThenYield(this) : new Receive(this);
  }

  private handOver(receiver: Waiter, value: T): void {
    if (value instanceof SentError) receiver.fire(value.error, FAILED);
    else receiver.fire(value, 0);
    if (this.preference === 'receiver') this.prefer(receiver);
  }

  private prefer(woken: Waiter): void {
    woken.owner().scope.scheduler.runQueue.promoteNewest();
    this.yieldsTo = true;
  }

  /** @internal */
  lookReceive(op: string): boolean {
    if (this.buffered.size > 0) {
      const value = this.buffered.shift();
      if (this.senders.size > 0) this.refill();
      readyResult.value = value;
      return this.#plain || this.unwrapped();
    }
    const sender = this.senders.shift();
    if (sender !== undefined) {
      readyResult.value = sender.value;
      sender.fire(undefined, 0);
      if (this.#plain) return true;
      if (this.preference === 'sender') this.prefer(sender);
      return this.unwrapped();
    }
    if (this.#closed) throw new ChannelClosedError(this, this.label(), op);
    return false;
  }

  /** An error that was sent is thrown. */
  private unwrapped(): true {
    const { value } = readyResult;
    if (!(value instanceof SentError)) return true;
    readyResult.value = undefined;
    throw value.error;
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

/** An error on its way through a channel. */
class SentError {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

function requirePreference(preference: unknown): ChannelPreference {
  if (preference === 'none' || preference === 'receiver' || preference === 'sender') return preference;
  throw typeError(`a channel's preference is 'none', 'receiver' or 'sender', not ${String(preference)}`);
}
