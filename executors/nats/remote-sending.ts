// remote-sending.ts: what one end of a channel across machines has still to send: an outbox, and the greenlets that wait for room in it.
//
// A send commits when the outbox takes its value. Waiting for the server to confirm would be no choice for a wait that can be killed or lose a select: the value would be on its way then,
// and nobody could say whether it was sent. The outbox is short (`ahead`), and values leave it one at a time, each when the server has confirmed that it keeps the one before: so they
// arrive in their order, and a server that is full holds up this end, and this end its senders.
//
// Invariants, between any two steps:
//   somebody waits  implies  the outbox is full
//   the link is held  if and only if  the outbox is not empty
//   ended  implies  the outbox is empty and nobody waits

import { rethrowKilled } from '../../core/errors.ts';
import { Event } from '../../core/event.ts';
import { Fifo } from '../../core/fifo.ts';
import type { Op } from '../../core/op.ts';
import { select } from '../../core/select.ts';
import { sleep } from '../../core/sleep.ts';
import { LAZY } from '../../core/status.ts';
import { WaitList } from '../../core/wait-list.ts';
import { oldest } from '../channels/end-waits.ts';
import { type ChannelNames, messageTooLong, streamFull } from './channel-streams.ts';
import type { NatsLink } from './link.ts';
import { isApiError } from './transient.ts';

/** A value on its way. */
export interface Outgoing {
  readonly text: string;
}

/** Makes the error of an end, for the op that meets with it. */
export type EndError = (op: string) => Error;

/** Between two attempts at a stream that is full, unless somebody says that there is room. */
const firstPauseMs = 2;
const longestPauseMs = 100;

export class RemoteSending {
  readonly senders: WaitList = new WaitList();
  readonly label: () => string;
  /** There is something to publish. */
  readonly #work: Event = new Event({ name: 'of values to be sent' });
  /** There is nothing left to publish. */
  readonly #empty: Event = new Event({ name: 'of an empty outbox' });
  readonly #room: Event = new Event({ name: 'of room in a channel' });
  readonly #outbox: Fifo<Outgoing> = new Fifo();
  readonly #link: NatsLink;
  readonly #names: ChannelNames;
  readonly #ahead: number;
  /** Who sends: ids of values begin with it. */
  readonly #sender: string;
  #number = 0;
  #end: EndError | undefined = undefined;
  /** Values whose send had committed, and that were not sent. */
  #dropped = 0;

  constructor(link: NatsLink, names: ChannelNames, ahead: number, sender: string, label: () => string) {
    this.#link = link;
    this.#names = names;
    this.#ahead = ahead;
    this.#sender = sender;
    this.label = label;
    this.#empty.set();
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Take a value into the outbox; false if there is no room. @throws the error of the end. */
  offer(outgoing: Outgoing, op: string): boolean {
    if (this.#end !== undefined) throw this.#end(op);
    if (this.#outbox.size >= this.#ahead) return false;
    this.#put(outgoing);
    return true;
  }

  /** Somebody has taken a value: a stream that was full may not be. */
  roomCame(): void {
    this.#room.set();
  }

  /** Nothing can be sent any more. What is in the outbox still goes, unless it is `lost`. */
  end(error: EndError, lost: boolean): void {
    this.#end ??= error;
    for (let waiter = oldest(this.senders); waiter !== undefined; waiter = oldest(this.senders))
      waiter.fire(() => error('send'), LAZY);
    if (!lost) return;
    this.#dropped += this.#outbox.size;
    while (this.#outbox.size > 0) this.#shift();
  }

  /** Wait until what was sent is kept by the server. @throws the error of the end if something was dropped. */
  *flushed(): Op<void> {
    yield* this.#empty.wait();
    if (this.#dropped > 0) throw (this.#end as EndError)('flush');
  }

  /** Publish what comes, for ever. @throws what the server answers for good. */
  *sending(refused: () => void): Op<void> {
    for (;;) {
      yield* this.#work.wait();
      this.#work.clear();
      while (this.#outbox.size > 0) {
        this.#number += 1;
        if (yield* this.#publish(this.#outbox.peek(), `${this.#sender}.${this.#number}`)) this.#sent();
        else refused();
      }
    }
  }

  /** True when the server keeps it; false if the channel takes nothing any more. */
  *#publish({ text }: Outgoing, msgID: string): Op<boolean> {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      this.#room.clear();
      try {
        yield* this.#link.attempt((session) => session.during(session.js.publish(this.#names.value, text, { msgID })));
        return true;
      } catch (error) {
        rethrowKilled(error);
        if (isApiError(error, messageTooLong)) return false;
        if (!isApiError(error, streamFull)) throw error;
      }
      // Dropped meanwhile.
      if (this.#outbox.size === 0) return false;
      this.#link.publish(this.#names.news, 'full');
      const woken = yield* select({ room: this.#room.wait(), again: sleep(pauseMs) });
      if (woken.key === 'room') pauseMs = firstPauseMs;
    }
  }

  #put(outgoing: Outgoing): void {
    if (this.#outbox.size === 0) this.#link.hold();
    this.#outbox.push(outgoing);
    this.#empty.clear();
    this.#work.set();
  }

  #shift(): void {
    this.#outbox.shift();
    if (this.#outbox.size > 0) return;
    this.#link.unhold();
    this.#empty.set();
  }

  /** The oldest value has gone: the oldest who waits has room. */
  #sent(): void {
    if (this.#outbox.size === 0) return;
    const waiter = oldest(this.senders);
    if (waiter !== undefined) this.#outbox.push(waiter.value as Outgoing);
    this.#shift();
    waiter?.fire(undefined, 0);
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.senders.check();
    if (this.senders.size > 0 && this.#outbox.size < this.#ahead) throw new Error('a sender waits beside room');
    if (this.ended && this.senders.size > 0) throw new Error('a sender waits at the end');
  }
}
