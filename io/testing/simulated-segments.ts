// simulated-segments.ts: the freedom that TCP always has: where a stream is cut into packets, and how much of a write the system takes at once.
//
// No fault and nothing that heal() would have to mend, but after it everything goes in one piece: 0 is always "as it was written".
// Cuts near both ends are as likely as all others together, because that is where parsers break.

import type { Choices } from '../../core/testing/choices.ts';

/** So many places near each end of a packet, and between them, can be chosen for a cut. */
const PLACES = 8;

export class Segments {
  /** Nothing is cut any more. */
  mild = false;
  readonly #choices: Choices;
  readonly #shortRead: number;
  readonly #shortWrite: number;
  readonly #join: number;

  constructor(
    choices: Choices,
    odds: { readonly shortRead: number; readonly shortWrite: number; readonly join: number },
  ) {
    this.#choices = choices;
    this.#shortRead = odds.shortRead;
    this.#shortWrite = odds.shortWrite;
    this.#join = odds.join;
  }

  /** How much of `size` bytes goes into the next packet. */
  shortRead(size: number): number {
    return this.#mild(this.#shortRead) ? size : this.#part(size, 'short read', this.#shortRead);
  }

  /** How much of the `size` bytes that it has room for does the system take at once. */
  shortWrite(size: number): number {
    return this.#mild(this.#shortWrite) ? size : this.#part(size, 'short write', this.#shortWrite);
  }

  /** Do two packets that follow each other arrive as one? */
  joins(): boolean {
    return !this.#mild(this.#join) && this.#choices.choose(2, 'join', this.#join) === 1;
  }

  #mild(odds: number): boolean {
    return this.mild || odds === 0;
  }

  #part(size: number, what: string, odds: number): number {
    if (size < 2) return size;
    const places = Math.min(size - 1, 3 * PLACES);
    const place = this.#choices.choose(places + 1, what, odds);
    if (place === 0) return size;
    if (size - 1 <= 3 * PLACES || place <= PLACES) return place;
    if (place <= 2 * PLACES) return size - (place - PLACES);
    return Math.floor((size * (place - 2 * PLACES)) / (PLACES + 1));
  }
}
