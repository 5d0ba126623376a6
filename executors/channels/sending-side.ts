// sending-side.ts: what one end of a channel across sends: the credits that it has, and who waits for one.
//
// A value leaves its sender when a credit is used for it, and not before: so a sender that is killed, or loses a select, takes it back, and what it wanted to
// move is still its own. The first value of a turn is posted at once. Further ones without parts (numbers, strings) are gathered and posted when the greenlets
// of the turn have run, which makes a stream of them several times faster; others are posted at once, so that they travel as they were when they were sent.
//
// Invariants, between any two steps:
//   credits > 0        implies  senders is empty
//   it has ended       implies  senders and gathered are empty

import { TendrilError } from '../../core/errors.ts';
import { LAZY } from '../../core/status.ts';
import { WaitList } from '../../core/wait-list.ts';
import { oldest } from './end-waits.ts';
import type { Link, TransferItem } from './link.ts';
import { refusal } from './refusal.ts';

/** More values than this are not gathered into one message, nor strings that are longer. */
const MOST_GATHERED = 256;
const MOST_LETTERS = 1024;

/** A value on its way, and what moves with it. */
export interface Outgoing {
  readonly value: unknown;
  readonly transfer: readonly TransferItem[] | undefined;
}

/** Makes the error of whoever does `op` after the end. */
export type EndError = (op: string) => Error;

export class SendingSide {
  readonly senders: WaitList = new WaitList();
  readonly label: () => string;
  readonly #link: Link;
  readonly #handOverLater: () => void;
  /** So many values may be sent. */
  #credits: number;
  #gathered: unknown[] = [];
  /** A value was posted in this turn: more are gathered. */
  #gathers = false;
  #ended: EndError | undefined = undefined;

  constructor(link: Link, credits: number, label: () => string, handOverLater: () => void) {
    this.#link = link;
    this.#credits = credits;
    this.label = label;
    this.#handOverLater = handOverLater;
  }

  /** Send now, if there is a credit. @throws TypeError if the value cannot travel: then nothing has changed. */
  offer(outgoing: Outgoing, op: string): boolean {
    if (this.#ended !== undefined) throw this.#ended(op);
    if (this.#credits === 0) return false;
    try {
      this.#transmit(outgoing);
    } catch (error) {
      throw this.#refusal(outgoing, op, error);
    }
    return true;
  }

  /** The other side has room for `credits` values more. */
  granted(credits: number): void {
    this.#credits += credits;
    while (this.#credits > 0) {
      const sender = oldest(this.senders);
      if (sender === undefined) return;
      const outgoing = sender.value as Outgoing;
      try {
        this.#transmit(outgoing);
        sender.fire(undefined, 0);
      } catch (error) {
        sender.fire(() => this.#refusal(outgoing, 'send', error), LAZY);
      }
    }
  }

  /** Use a credit. @throws what the link throws: then nothing has changed. */
  #transmit({ value, transfer }: Outgoing): void {
    if (transfer === undefined && this.#gathers && isPlain(value)) {
      this.#gathered.push(value);
      if (this.#gathered.length >= MOST_GATHERED) this.#postGathered();
    } else {
      this.#postGathered();
      this.#link.post([value], transfer);
      this.#gathers = true;
      this.#handOverLater();
    }
    this.#credits -= 1;
  }

  #refusal({ value, transfer }: Outgoing, op: string, cause: unknown): unknown {
    if (cause instanceof TendrilError) return cause;
    const refused = { value, path: 'value', to: this.#link.to, moved: transfer ?? [] };
    return refusal(`${op} on ${this.label()}`, refused, cause);
  }

  /** The greenlets of a turn have run: post what was gathered. */
  flush(): void {
    this.#gathers = false;
    this.#postGathered();
  }

  #postGathered(): void {
    if (this.#gathered.length === 0) return;
    const values = this.#gathered;
    this.#gathered = [];
    this.#link.post(values);
  }

  /** Nothing can be sent from now on. What was gathered has been flushed, or is lost. */
  end(error: EndError): void {
    this.#ended = error;
    this.#gathered = [];
    for (let waiter = oldest(this.senders); waiter !== undefined; waiter = oldest(this.senders))
      waiter.fire(() => error('send'), LAZY);
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.senders.check();
    if (this.#ended === undefined && this.#credits > 0 && this.senders.size > 0)
      throw new Error(`${this.label()}: a sender waits beside a credit`);
    if (this.#ended !== undefined && this.senders.size + this.#gathered.length > 0)
      throw new Error(`${this.label()}: there is something to send after the end`);
  }
}

/** Is it small, and can it be cloned at any time with the same result? */
function isPlain(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= MOST_LETTERS;
  return value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol');
}
