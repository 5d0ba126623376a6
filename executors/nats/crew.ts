// crew.ts: pieces of work that are done by a few greenlets, which come when there is work and go when there is none.
//
// The pieces wait in a list, which costs a few bytes each; a greenlet for each of ten thousand would cost more than what they do. They are begun in their order.
//
// Invariant, between any two steps: idle is up  if and only if  no piece waits or is in work.

import { Event } from '../../core/event.ts';
import { Fifo } from '../../core/fifo.ts';
import type { Op } from '../../core/op.ts';
import type { NatsLink } from './link.ts';

export class Crew<T> {
  readonly #link: NatsLink;
  readonly #name: string;
  readonly #size: number;
  readonly #work: (piece: T) => Op<void>;
  readonly #pieces: Fifo<T> = new Fifo();
  #members = 0;
  readonly idle: Event;

  /** `work` must not throw but Killed. */
  constructor(link: NatsLink, name: string, size: number, work: (piece: T) => Op<void>) {
    this.#link = link;
    this.#name = name;
    this.#size = size;
    this.#work = work;
    this.idle = new Event({ name });
    this.idle.set();
  }

  /** Have `piece` done. Never switches. */
  add(piece: T): void {
    this.#pieces.push(piece);
    this.idle.clear();
    if (this.#members >= this.#size) return;
    this.#members += 1;
    const member = this.#link.spawn(this.#name, () => this.#working());
    member.onEnd(() => {
      this.#members -= 1;
      if (this.#members === 0) this.idle.set();
    });
  }

  *#working(): Op<void> {
    while (this.#pieces.size > 0) yield* this.#work(this.#pieces.shift() as T);
  }
}
