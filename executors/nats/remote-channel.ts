// remote-channel.ts: a channel between machines: any number of processes send into it and receive from it, each value reaches one of them.
//
// It lives at the server, under its name, and outlives every process: a value that was sent is kept until a receiver has taken it. Unlike core's Channel a send that has returned may not have
// reached the server yet (remote-sending.ts says why; `flush` waits for it), and a value may come twice if a connection is lost in the moment in which it is taken. The capacity is one for all
// ends: it is the server that refuses what does not fit.
//
// `close` is for all ends, as core's; `leave` is for this one.
//
// Invariants: those of its two sides; and `closed` never becomes false again.
// Sources: Go's chan.go for what a channel is; JetStream's work queues.

import { randomBytes } from 'node:crypto';
import { composite } from '../../core/composite.ts';
import { ChannelClosedError, rethrowKilled } from '../../core/errors.ts';
import { Event } from '../../core/event.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { readyResult } from '../../core/kernel.ts';
import { MappedWait } from '../../core/mapped.ts';
import type { Op, Waitable } from '../../core/op.ts';
import { shield } from '../../core/shield.ts';
import { sleep } from '../../core/sleep.ts';
import { run } from '../../core/spawn.ts';
import { timeout } from '../../core/timeout.ts';
import { created, createdOrShared } from '../../core/unstarted.ts';
import { ReceiveAcross, SendAcross } from '../channels/end-waits.ts';
import {
  type ChannelNames,
  type ChannelNews,
  type ChannelSettings,
  type ChannelState,
  closeStream,
  lookAtStream,
  setUpChannel,
} from './channel-streams.ts';
import { encodeValue } from './encoding.ts';
import { EngineClosedError } from './errors.ts';
import type { NatsLink } from './link.ts';
import { Pull } from './pull.ts';
import { RemoteReceiving } from './remote-receiving.ts';
import { type EndError, RemoteSending } from './remote-sending.ts';
import type { Session } from './session.ts';
import { refusal } from './transient.ts';

/** What the server adds to a message. */
const headroomBytes = 512;
/** Between two looks whether a channel that is closed is drained: at first, and at most. */
const drainMs = 20;
const longestDrainMs = 500;
const farewellMs = 2_000;

/** One end of a channel across machines; each may send and receive. `openRemoteChannel` makes it. */
export class RemoteChannel<T> {
  readonly name: string;
  readonly #link: NatsLink;
  readonly #ownsLink: boolean;
  readonly #names: ChannelNames;
  readonly #asked: ChannelSettings;
  readonly #sending: RemoteSending;
  readonly #receiving: RemoteReceiving;
  readonly #pull: Pull;
  readonly #greenlets: Greenlet<void>[] = [];
  readonly #offClosed: () => void;
  readonly #receive: ReceiveAcross<T>;
  #next: Waitable<IteratorResult<T, undefined>> | undefined = undefined;
  #capacity: number;
  #closed = false;
  #left = false;
  /** Somebody has told that the channel is full, and waits to be told of room. */
  #awaitingRoom = false;
  /** A value was taken here since we last told of room. */
  #hasTaken = false;
  readonly #closing: Event = new Event({ name: 'of a channel that is closing' });
  /** The server knows that it is closed, or will not hear of it. */
  readonly #closeTold: Event = new Event({ name: 'of a channel that is closed for all' });

  /** @internal */
  constructor(
    link: NatsLink,
    ownsLink: boolean,
    names: ChannelNames,
    asked: ChannelSettings & { readonly prefetch: number; readonly ahead: number },
    state: ChannelState,
  ) {
    this.name = names.channel;
    this.#link = link;
    this.#ownsLink = ownsLink;
    this.#names = names;
    this.#asked = asked;
    this.#capacity = state.capacity;
    const label = (): string => this.label();
    this.#sending = new RemoteSending(link, names, asked.ahead, randomBytes(8).toString('hex'), label);
    this.#receiving = new RemoteReceiving(
      link,
      asked.prefetch,
      label,
      { want: (count) => this.#pull.want(count), handBack: (reply) => this.#pull.handBack(reply, 0) },
      () => this.#tellRoom(),
    );
    this.#receiving.ackWaitMs = state.ackWaitMs;
    this.#receive = new ReceiveAcross<T>(this.#receiving);
    this.#pull = new Pull({
      link,
      stream: names.stream,
      consumer: names.receivers,
      setUp: (session) => this.#setUp(session),
      deliver: (delivery) => this.#receiving.came(delivery),
      failed: (error) => this.#fail(error),
    });
    this.#offClosed = link.onClosed(() => this.#fail(link.failure as Error));
    this.#greenlets.push(
      link.spawn(`send to ${label()}`, () => this.#sendingAll()),
      link.spawn(`hand back values of ${label()}`, () => this.#receiving.returning()),
      link.spawn(`end of ${label()}`, () => this.#ending()),
      link.spawnInEachSession(
        `news of ${label()}`,
        (session) => this.#listening(session),
        () => {},
      ),
    );
    if (state.closed) this.#closedByOthers();
  }

  /** How many values may be in the channel, as this end has last seen it. */
  get capacity(): number {
    return this.#capacity;
  }

  /** True when nothing can be sent any more, as far as this end knows. What was sent can still be received. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many values have come to this end and were not taken. */
  get length(): number {
    return this.#receiving.size;
  }

  /**
   * Send `value`, waiting until this end has room for it, which it has when the channel has.
   *
   * Switches only if it has to wait. The value is encoded at the call. If it throws, the value was not sent. That it returns says that this end will send it, after all that it was given before;
   * `flush` waits until the server keeps it.
   *
   * @throws TypeError, at the call, that names the part of the value that cannot travel, or its size if it is over the server's limit. @throws ChannelClosedError if any end closes the channel, also
   * while we wait. @throws EngineUnreachableError, EngineRefusedError, EngineClosedError if the connection has ended for good. @throws Killed if the greenlet is killed while it waits.
   */
  send(value: T): Waitable<void> {
    return created(new SendAcross(this.#sending, { text: this.#encode(value) }));
  }

  /**
   * Receive the oldest value that nobody has taken, waiting for one.
   *
   * Switches unless this end was given one before. If it throws, no value was taken, but for MessageMalformedError.
   *
   * @throws ChannelClosedError if the channel is closed, and all ends have taken what was in it. @throws MessageMalformedError in the place of a value that cannot be read. @throws EngineUnreachableError,
   * EngineRefusedError, EngineClosedError if the connection has ended for good. @throws Killed if the greenlet is killed while it waits.
   */
  receive(): Waitable<T> {
    return createdOrShared(this.#receive, () => new ReceiveAcross<T>(this.#receiving));
  }

  /** Receive as an iterator does, for `forEach`: `{done: true}` once the channel is closed and drained. As `receive` otherwise. */
  next(): Waitable<IteratorResult<T, undefined>> {
    this.#next ??= new MappedWait<T, IteratorResult<T, undefined>>(this.#receive, {
      value: (value) => ({ done: false, value }),
      recover: (error) =>
        error instanceof ChannelClosedError && error.channel === this
          ? { value: { done: true, value: undefined } }
          : undefined,
    });
    return this.#next;
  }

  /** For ordinary code: `for await (const value of channel)`. Ends when the channel is closed and drained; leaving the loop does not close it. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return { next: () => run(() => this.next()) };
  }

  /** Send `value` if this end has room for it; false otherwise. Never switches. @throws as `send`. */
  trySend(value: T): boolean {
    return this.#sending.offer({ text: this.#encode(value) }, 'trySend');
  }

  /** Receive a value if this end was given one; undefined otherwise. Never switches, and asks for none. @throws as `receive`. */
  tryReceive(): { value: T } | undefined {
    if (!this.#receiving.take('tryReceive')) return undefined;
    const value = readyResult.value as T;
    readyResult.value = undefined;
    return { value };
  }

  /**
   * Wait until the server keeps everything that was sent here. Switches unless it does.
   *
   * @throws ChannelClosedError if another end has closed the channel before all of it was sent. @throws EngineUnreachableError and others if the connection has ended for good. @throws Killed
   * if the greenlet is killed while it waits.
   */
  flush(): Op<void> {
    return composite(() => this.#sending.flushed());
  }

  /**
   * Close the channel for all ends: nothing can be sent from now on. Never switches; idempotent.
   *
   * Senders here get ChannelClosedError at once, those elsewhere when they hear of it. What was sent before can still be received, what another end has not handed over
   * yet is dropped there; then receivers everywhere get ChannelClosedError. It stays closed, also for who opens it later, until `removeRemoteChannel`.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sending.end(this.#closedError, false);
    this.#link.hold();
    this.#closing.set();
  }

  /**
   * Leave the channel, which the others go on using: hand over what was sent here, and a `close`, hand back what nobody has taken, and close the connection if it is this end's own. Idempotent. Switches.
   *
   * What a server that does not answer has not taken after two seconds is lost.
   *
   * @throws Killed if the greenlet is killed while it waits; it is left all the same.
   */
  leave(): Op<void> {
    return composite(() => this.#leaving());
  }

  /** `channel jobs`. */
  toString(): string {
    return this.label();
  }

  /** @internal */
  label(): string {
    return `channel ${this.name}`;
  }

  #encode(value: T): string {
    return encodeValue(value, 'the value', this.#link.maxPayload - headroomBytes);
  }

  readonly #closedError: EndError = (op) => new ChannelClosedError(this, this.label(), op);

  *#setUp(session: Session): Op<number> {
    const state = yield* setUpChannel(session, this.#names, this.#closed ? nothingAsked : this.#asked);
    this.#capacity = state.capacity;
    this.#receiving.ackWaitMs = state.ackWaitMs;
    if (state.closed) this.#closedByOthers();
    return state.ackWaitMs;
  }

  *#sendingAll(): Op<void> {
    try {
      yield* this.#sending.sending(() => this.#refused());
    } catch (error) {
      rethrowKilled(error);
      this.#fail(refusal(error));
    }
  }

  /** Once it is closed: see to it that the server and the others know, and end our receivers when it is drained. */
  *#ending(): Op<void> {
    try {
      yield* this.#closing.wait();
      try {
        yield* this.#sending.flushed();
      } catch (error) {
        // Dropped: that is flush()'s to say.
        rethrowKilled(error);
      }
      yield* this.#link.attempt((session) => closeStream(session, this.#names));
      this.#link.publish(this.#names.news, 'closed' satisfies ChannelNews);
    } catch (error) {
      rethrowKilled(error);
      this.#fail(refusal(error));
      return;
    } finally {
      if (this.#closing.isSet) this.#link.unhold();
      this.#closeTold.set();
    }
    yield* this.#draining();
  }

  *#draining(): Op<void> {
    for (let pauseMs = drainMs; ; pauseMs = Math.min(2 * pauseMs, longestDrainMs)) {
      try {
        const { values } = yield* this.#link.attempt((session) => lookAtStream(session, this.#names));
        if (values === 0) break;
      } catch (error) {
        rethrowKilled(error);
        this.#fail(refusal(error));
        return;
      }
      yield* sleep(pauseMs);
    }
    this.#pull.stop();
    this.#receiving.end(this.#closedError, false);
  }

  *#listening(session: Session): Op<void> {
    const subscription = session.client.subscribe(this.#names.news, {
      callback: (error, message) => {
        if (error === null) this.#heard(message.string());
      },
    });
    try {
      const { closed } = yield* lookAtStream(session, this.#names);
      if (closed) this.#closedByOthers();
      yield* session.lost.wait();
    } finally {
      if (!session.lost.isSet) subscription.unsubscribe();
    }
  }

  #heard(news: string): void {
    if (news === 'full') this.#fullElsewhere();
    else if (news === 'room') this.#sending.roomCame();
    else if (news === 'closed') this.#closedByOthers();
  }

  /** Somebody could not send. What we have taken since may have made room for it already. */
  #fullElsewhere(): void {
    this.#awaitingRoom = true;
    if (this.#hasTaken) this.#tellRoom();
  }

  /** We have taken a value: who could not send waits for this. */
  #tellRoom(): void {
    this.#hasTaken = !this.#awaitingRoom;
    if (!this.#awaitingRoom) return;
    this.#awaitingRoom = false;
    this.#link.publish(this.#names.news, 'room' satisfies ChannelNews);
  }

  /** The stream takes nothing any more. */
  #refused(): void {
    this.#sending.end(this.#closedError, true);
    this.#closedByOthers();
  }

  /** Another end has closed it: what is in our outbox would be refused. */
  #closedByOthers(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sending.end(this.#closedError, true);
    this.#link.hold();
    this.#closing.set();
  }

  /** The connection has ended for good, or the server refuses. */
  #fail(error: Error): void {
    this.#closed = true;
    const end: EndError = () => error;
    this.#sending.end(end, true);
    this.#receiving.end(end, true);
  }

  *#leaving(): Op<void> {
    if (this.#left) return;
    this.#left = true;
    try {
      if (!this.#link.closed) yield* shield(timeout(farewellMs, this.#farewell(), { else: undefined }));
    } finally {
      this.#offClosed();
      this.#pull.rest();
      this.#fail(new EngineClosedError(this.label()));
      for (const greenlet of this.#greenlets) greenlet.kill();
      yield* shield(this.#pull.leave());
      if (this.#ownsLink) yield* shield(this.#link.close());
    }
  }

  *#farewell(): Op<void> {
    try {
      yield* this.#sending.flushed();
    } catch (error) {
      rethrowKilled(error);
    }
    if (this.#closing.isSet) yield* this.#closeTold.wait();
  }
}

const nothingAsked: ChannelSettings = { capacity: undefined, ackWaitMs: undefined };
