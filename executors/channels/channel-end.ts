// channel-end.ts: one end of a channel whose other end is in another thread or process. What is sent at one end is received at the other.
//
// The protocol, the same in both directions and over every link, which keeps the order and loses nothing but at its end:
//   [v, v, ...]  values, in the order in which they were sent
//   n            n more values may be sent (credits). A send commits when it uses one; without one it waits
//   'close'      nothing follows but the end. The other side answers with its own; who has sent and received one ends the link
// A receiver grants what it has room for: so at most `capacity` values are on their way or wait at the other end, however slow that is. With capacity 0 a
// send commits when a receiver over there has asked, which is a hand-over except that the receiver may have gone meanwhile: then its value waits for
// the next one. The other way, a send that returns only when the value was taken, could not be taken back: a kill or another arm of a select would
// come while the answer is on its way, and nobody could tell whether the send has happened.
//
// The other side's end without a 'close' is a loss: what had come can still be received, then everybody gets ChannelLostError.
//
// Invariants: those of its two sides; and the link is closed, and the registry of handles without this  if and only if  the other side's 'close' or end has
// come.
// Sources: credit-based flow control (AMQP 1.0's link credit); Go's chan.go for what a channel is; S6, S7.

/// <reference lib="esnext.disposable" preserve="true" />

import { typeError } from '../../core/bad-argument.ts';
import { ChannelClosedError } from '../../core/errors.ts';
import { readyResult, requireScheduler } from '../../core/kernel.ts';
import { MappedWait } from '../../core/mapped.ts';
import type { Waitable } from '../../core/op.ts';
import { created, createdOrShared } from '../../core/unstarted.ts';
import { checkOptions, own, shownValue } from '../../io/address.ts';
import { handleClosed, handleOpened } from '../../io/handles.ts';
import { ReceiveAcross, SendAcross } from './end-waits.ts';
import { ChannelLostError } from './errors.ts';
import { Gathered } from './gathered.ts';
import type { Link, TransferItem } from './link.ts';
import { ReceivingSide, Unreadable } from './receiving-side.ts';
import { type EndError, type Outgoing, SendingSide } from './sending-side.ts';

export interface SendOptions {
  /** Buffers and ports that move to the other thread when the value does. They are unusable here from then on. Between threads only. */
  readonly transfer?: readonly TransferItem[] | undefined;
}

/** How an end came about. @internal */
export interface EndSettings {
  readonly capacity: number;
  readonly name: string | undefined;
  /** Both sides know the capacity, and begin with that many credits. Otherwise each tells the other what it has room for. */
  readonly agreed: boolean;
}

/** One end of a channel across threads or processes: it sends `Sent` to the other end, and receives `Received` from it. */
export class ChannelEnd<Sent, Received = Sent> {
  readonly capacity: number;
  readonly name: string | undefined;
  readonly #link: Link;
  readonly #sending: SendingSide;
  readonly #receiving: ReceivingSide;
  readonly #outlet: Gathered;
  #closed = false;
  /** The other side's 'close' has come, or its end. */
  #ended = false;
  readonly #receive: ReceiveAcross<Received>;
  readonly #next: Waitable<IteratorResult<Received, undefined>>;

  /** @internal: openChannel() and its like make them. */
  constructor(link: Link, { capacity, name, agreed }: EndSettings) {
    this.capacity = capacity;
    this.name = name;
    this.#link = link;
    this.#outlet = new Gathered(requireScheduler(), () => {
      this.#sending.flush();
      this.#receiving.grant();
    });
    const label = (): string => this.label();
    const later = (): void => this.#outlet.queue();
    this.#sending = new SendingSide(link, agreed ? capacity : 0, label, later);
    this.#receiving = new ReceivingSide(link, capacity, label, later);
    this.#receive = new ReceiveAcross<Received>(this.#receiving);
    this.#next = this.#makeNext();
    link.start({
      message: (message) => this.#message(message),
      unreadable: (error) => this.#arrived(new Unreadable(error)),
      closed: (why, cause) => this.#lost(why, cause),
    });
    if (!agreed && capacity > 0) link.post(capacity);
    handleOpened('channel', this);
  }

  /** True when nothing can be sent any more: a side has closed it, or the other one is lost. What has come can still be received. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many values have come and wait to be received at this end. */
  get length(): number {
    return this.#receiving.size;
  }

  /**
   * Send `value` to the other end, waiting until it has room; with capacity 0, until a receiver waits there.
   *
   * Switches only if it has to wait. The value is copied when the send commits. If it throws, the value was not sent, and nothing was moved. That it
   * returns says that the value is on its way in the order of the sends, and not that the other side has lived to receive it.
   *
   * @throws TypeError that names the part of the value that cannot be cloned (ERR_CANNOT_TRAVEL); the channel stays as it is. @throws TypeError, at the call,
   * for a bad option. @throws ChannelClosedError if either side closes the channel, also while we wait. @throws ChannelLostError if the other side is gone.
   * @throws Killed if the greenlet is killed while it waits.
   */
  send(value: Sent, options?: SendOptions): Waitable<void> {
    return created(new SendAcross(this.#sending, this.#outgoing(value, options, 'send')));
  }

  /**
   * Receive the oldest value that the other end has sent, waiting for one.
   *
   * Switches only if it has to wait. If it throws, no value was taken. What came before the end is delivered first, however that end came.
   *
   * @throws ChannelClosedError if the channel is closed and drained; after our own close(), when the other side has answered. @throws ChannelLostError if
   * the other side is gone without a close. @throws ChannelMessageError in the place of a value that cannot be read here. @throws Killed if the
   * greenlet is killed while it waits.
   */
  receive(): Waitable<Received> {
    return createdOrShared(this.#receive, () => new ReceiveAcross<Received>(this.#receiving));
  }

  /** Receive as an iterator does, for `forEach`: `{done: true}` once the channel is closed and drained. A loss is thrown. As `receive` otherwise. */
  next(): Waitable<IteratorResult<Received, undefined>> {
    return createdOrShared(this.#next, () => this.#makeNext());
  }

  /** Send `value` if that needs no waiting; false otherwise. Never switches. @throws as `send`. */
  trySend(value: Sent, options?: SendOptions): boolean {
    return this.#sending.offer(this.#outgoing(value, options, 'trySend'), 'trySend');
  }

  /** Receive a value if one has come; undefined otherwise. Never switches, and with capacity 0 asks for none. @throws as `receive`. */
  tryReceive(): { value: Received } | undefined {
    if (!this.#receiving.take('tryReceive')) return undefined;
    const value = readyResult.value as Received;
    readyResult.value = undefined;
    return { value };
  }

  /**
   * Close the channel, for both ends and both directions: nothing can be sent from now on. Never switches, never throws; idempotent.
   *
   * Senders here get ChannelClosedError at once, those over there when they hear of it. What was sent before, from either side, can still be received; then
   * receivers get ChannelClosedError.
   */
  close(): void {
    if (this.#closed) return;
    this.#bye();
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** `channel jobs`. */
  toString(): string {
    return this.label();
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a channel' : `channel ${this.name}`;
  }

  #makeNext(): Waitable<IteratorResult<Received, undefined>> {
    return new MappedWait<Received, IteratorResult<Received, undefined>>(this.#receive, {
      value: (value) => ({ done: false, value }),
      recover: (error) =>
        error instanceof ChannelClosedError && error.channel === this
          ? { value: { done: true, value: undefined } }
          : undefined,
    });
  }

  #outgoing(value: Sent, options: SendOptions | undefined, op: string): Outgoing {
    if (options === undefined) return { value, transfer: undefined };
    const where = `${op} on ${this.label()}`;
    const transfer = own<unknown>(checkOptions(options, where), 'transfer');
    if (transfer === undefined) return { value, transfer: undefined };
    if (!Array.isArray(transfer)) throw typeError(`${where}: transfer must be an array, not ${shownValue(transfer)}`);
    if (transfer.length === 0) return { value, transfer: undefined };
    if (!this.#link.transfers)
      throw typeError(`${where}: nothing can be moved to another process: leave transfer out`, 'ERR_INVALID_ARG_VALUE');
    return { value, transfer: transfer as readonly TransferItem[] };
  }

  readonly #closedError: EndError = (op) => new ChannelClosedError(this, this.label(), op);

  /** Say our farewell, after what was sent. */
  #bye(): void {
    this.#closed = true;
    this.#sending.flush();
    this.#sending.end(this.#closedError);
    this.#receiving.closing();
    this.#link.post('close');
  }

  #message(message: unknown): void {
    if (this.#ended) return;
    if (Array.isArray(message)) for (const value of message) this.#arrived(value);
    else if (message === 'close') this.#theirBye();
    else if (typeof message !== 'number' || !(message > 0))
      this.#lost(`it has sent ${shownValue(message)}, which is no message of this protocol`, undefined);
    else if (!this.#closed) this.#sending.granted(message);
  }

  #arrived(value: unknown): void {
    if (!this.#ended && !this.#receiving.arrived(value)) this.#lost('it has sent more than it was granted', undefined);
  }

  #theirBye(): void {
    if (!this.#closed) this.#bye();
    this.#endLink();
    this.#receiving.end(this.#closedError);
  }

  /** What the side that has closed it still waited for does not matter to it: to that one it is closed, not lost. */
  #lost(why: string, cause: unknown): void {
    if (this.#ended) return;
    const error: EndError = this.#closed
      ? this.#closedError
      : (op) => new ChannelLostError(op, this.label(), why, cause);
    this.#closed = true;
    this.#endLink();
    this.#sending.end(error);
    this.#receiving.end(error);
  }

  #endLink(): void {
    this.#ended = true;
    this.#link.close();
    handleClosed(this);
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.#sending.check();
    this.#receiving.check();
  }
}
