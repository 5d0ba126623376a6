// channel-waits.ts: the waits of a channel: to receive, to send, and both as they are where one side is preferred.
//
// They hold no state of a wait: who waits, and what is in the channel, is in channel.ts. Both have a start of their own (leaf.ts says why); their
// `enlist` cannot throw.

import type { Channel } from './channel.ts';
import { kernel, readyResult } from './kernel.ts';
import { LEAF, markParked, READY_LEAF, start, yieldCommitted } from './leaf.ts';
import type { Resume, Trap, WaitDescription } from './op.ts';
import { FAILED, RUNNING, START_MASK } from './status.ts';
import { Wait } from './wait.ts';
import type { Waiter } from './wait-list.ts';

export class Receive<T> extends Wait<T> {
  protected readonly channel: Channel<T>;
  constructor(channel: Channel<T>) {
    super();
    this.channel = channel;
  }
  override [Symbol.iterator](): Iterator<Trap, T, Resume> {
    const me = kernel.current;
    if ((me.status & START_MASK) !== RUNNING || kernel.budget === 0) return start(this) as Iterator<Trap, T, Resume>;
    kernel.budget -= 1;
    if (this.channel.lookReceive('receive')) return READY_LEAF as Iterator<Trap, T, Resume>;
    markParked(me, this);
    this.channel.receivers.push(me);
    return LEAF as Iterator<Trap, T, Resume>;
  }
  look(): boolean {
    return this.channel.lookReceive('receive');
  }
  enlist(waiter: Waiter): void {
    this.channel.receivers.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.channel.receivers.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'receive', object: this.channel.label() };
  }
}

export class Send<T> extends Wait<void> {
  protected readonly channel: Channel<T>;
  readonly #value: T;
  constructor(channel: Channel<T>, value: T) {
    super();
    this.channel = channel;
    this.#value = value;
  }
  override [Symbol.iterator](): Iterator<Trap, void, Resume> {
    const me = kernel.current;
    if ((me.status & START_MASK) !== RUNNING || kernel.budget === 0) return start(this) as Iterator<Trap, void, Resume>;
    kernel.budget -= 1;
    if (this.look()) return READY_LEAF as Iterator<Trap, void, Resume>;
    markParked(me, this);
    this.enlist(me);
    return LEAF as Iterator<Trap, void, Resume>;
  }
  look(): boolean {
    if (!this.channel.offer(this.#value, 'send')) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    waiter.value = this.#value;
    this.channel.senders.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.channel.senders.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'send', object: this.channel.label() };
  }
}

/** Of a channel that prefers receivers: a completed send lets the receiver run first. */
export class SendThenYield<T> extends Send<T> {
  override [Symbol.iterator](): Iterator<Trap, void, Resume> {
    this.channel.yieldsTo = false;
    return yieldIfWoken(super[Symbol.iterator](), this.channel);
  }
}

/** Of a channel that prefers senders: a completed receive, also of an error, lets the sender run first. */
export class ReceiveThenYield<T> extends Receive<T> {
  override [Symbol.iterator](): Iterator<Trap, T, Resume> {
    this.channel.yieldsTo = false;
    try {
      return yieldIfWoken(super[Symbol.iterator](), this.channel);
    } catch (error) {
      if (!this.channel.yieldsTo) throw error;
      return yieldCommitted(kernel.current, error, FAILED) as Iterator<Trap, T, Resume>;
    }
  }
}

function yieldIfWoken<T>(
  started: Iterator<Trap, T, Resume>,
  channel: { yieldsTo: boolean },
): Iterator<Trap, T, Resume> {
  return channel.yieldsTo && (started as unknown) === READY_LEAF
    ? (yieldCommitted(kernel.current, readyResult.value, 0) as Iterator<Trap, T, Resume>)
    : started;
}
