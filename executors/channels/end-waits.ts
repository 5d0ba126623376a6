// end-waits.ts: the waits at one end of a channel across, whatever is between the ends: to send and to receive.
//
// They hold no state of a wait: who waits is in the two sides of the end. Whoever waits here waits for something outside, so each
// waiter is counted, and keeps the process alive as long as it waits.

import { readyResult } from '../../core/kernel.ts';
import type { WaitDescription } from '../../core/op.ts';
import { Wait } from '../../core/wait.ts';
import type { Waiter, WaitList } from '../../core/wait-list.ts';

/** The side of an end that sends `O`: a value, and what goes with it. */
export interface Sending<O> {
  readonly senders: WaitList;
  label(): string;
  /** Send now, if that needs no waiting. @throws what `send` throws. */
  offer(outgoing: O, op: string): boolean;
}

/** The side that receives. */
export interface Receiving {
  readonly receivers: WaitList;
  label(): string;
  /** Take the oldest value that has come into the ready result. @throws what `receive` throws. */
  take(op: string): boolean;
  /** A receiver has begun to wait, or has given up. */
  asked(): void;
}

function enlisted(list: WaitList, waiter: Waiter): void {
  list.push(waiter);
  waiter.owner().scope.scheduler.externalStarted();
}

function retracted(list: WaitList, waiter: Waiter): void {
  list.remove(waiter);
  waiter.owner().scope.scheduler.externalEnded();
}

/** Take out the oldest of `list`, whose wait is about to end. */
export function oldest(list: WaitList): Waiter | undefined {
  const waiter = list.shift();
  waiter?.owner().scope.scheduler.externalEnded();
  return waiter;
}

export class SendAcross<O> extends Wait<void> {
  readonly #side: Sending<O>;
  readonly #outgoing: O;
  constructor(side: Sending<O>, outgoing: O) {
    super();
    this.#side = side;
    this.#outgoing = outgoing;
  }
  look(): boolean {
    if (!this.#side.offer(this.#outgoing, 'send')) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    waiter.value = this.#outgoing;
    enlisted(this.#side.senders, waiter);
  }
  retract(waiter: Waiter): void {
    retracted(this.#side.senders, waiter);
  }
  describe(): WaitDescription {
    return { op: 'send', object: this.#side.label() };
  }
}

export class ReceiveAcross<T> extends Wait<T> {
  readonly #side: Receiving;
  constructor(side: Receiving) {
    super();
    this.#side = side;
  }
  look(): boolean {
    return this.#side.take('receive');
  }
  enlist(waiter: Waiter): void {
    enlisted(this.#side.receivers, waiter);
    this.#side.asked();
  }
  retract(waiter: Waiter): void {
    retracted(this.#side.receivers, waiter);
    this.#side.asked();
  }
  describe(): WaitDescription {
    return { op: 'receive', object: this.#side.label() };
  }
}
