// files-descriptor.ts: an open file of the operating system, and when it may be closed.
//
// A number that is closed can be given to the next file that is opened; a call that is still in the thread pool then would read or write that one. So close()
// only marks it, and it is closed when the last call has come back: at once if there is none. Closing runs in the thread pool too, because it can take
// long: on a network, or if it frees the blocks of a large file.
//
// It may also be opened by its first call: then a file that is never read is never opened.
//
// Invariants, between any two calls:
//   busy      is the number of calls that have not come back
//   closing   implies  no call begins any more; the number is given back as soon as busy is 0
// Source: Node's FileHandle, which counts its references in the same way.

import fs from 'node:fs';
import type { Done } from './callback.ts';

// Taken at load: patches never reach us.
const { open, close } = fs;

const ignore = (): void => {};

/** How to open a file. */
export interface Opening {
  readonly path: string | Buffer;
  readonly flags: string | number;
  readonly mode: string | number;
}

export class Descriptor {
  #number: number | undefined = undefined;
  #opening: Opening;
  #busy = 0;
  #closing = false;
  #closed: Done<void> = ignore;
  /** Told when it is open, and when it is given up. */
  onOpen: () => void = ignore;

  constructor(opening: Opening, number?: number) {
    this.#opening = opening;
    this.#number = number;
  }

  /** Open a file; `done` is given its descriptor. */
  static open(opening: Opening, done: Done<Descriptor>): void {
    open(opening.path, opening.flags, opening.mode, (error, number) => {
      if (error === null) done(null, new Descriptor(opening, number));
      else done(error);
    });
  }

  /** Begin a call on it. `done` is not called for one that failed to open after close(). */
  call<T>(start: (number: number, done: Done<T>) => void, done: Done<T>): void {
    this.#busy += 1;
    const back: Done<T> = (error, value) => {
      this.#busy -= 1;
      done(error, value);
      this.#closeIfIdle();
    };
    const number = this.#number;
    try {
      if (number === undefined) this.#openFirst(start, back);
      else start(number, back);
    } catch (error) {
      this.#busy -= 1;
      throw error;
    }
  }

  #openFirst<T>(start: (number: number, done: Done<T>) => void, done: Done<T>): void {
    const { path, flags, mode } = this.#opening;
    open(path, flags, mode, (error, number) => {
      if (error !== null) return done(error);
      this.#number = number;
      if (this.#closing) return done(null);
      this.onOpen();
      start(number, done);
    });
  }

  /** Give it up when its calls have come back. `done` is told how the closing went. Idempotent, without a second `done`. */
  close(done: Done<void> = ignore): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#closed = done;
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    if (!this.#closing || this.#busy > 0) return;
    const number = this.#number;
    this.#number = undefined;
    if (number === undefined) this.#closed(null);
    else close(number, this.#closed);
  }
}
