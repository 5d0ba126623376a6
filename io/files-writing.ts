// files-writing.ts: the writing side of an open file: writes, and what else changes it, one after the other.
//
// They take turns in the order in which they were asked for. One that waits for its turn can be killed, and has done nothing; one that has begun finishes
// first (files-call.ts). A turn ends with its call, also if nobody waits for that any more, so that no write overtakes another.
//
// Invariants, between any two steps:
//   turns has no permit  implies  a change is under way or about to begin
//   closed               implies  nobody waits for a turn

import fs from 'node:fs';
import { composite } from '../core/composite.ts';
import type { ClosedError } from '../core/errors.ts';
import type { Op, Resume, Trap } from '../core/op.ts';
import { Semaphore } from '../core/semaphore.ts';
import { LAZY } from '../core/status.ts';
import type { Done } from './callback.ts';
import { ChangeCall, finishing } from './files-call.ts';
import type { Descriptor } from './files-descriptor.ts';
import type { FileReading } from './files-reading.ts';

// Taken at load: patches never reach us.
const { write, ftruncate } = fs;

/** What the writing side needs to know of its file. */
export interface WritingOwner {
  readonly closed: boolean;
  toString(): string;
  closedError(op: string): ClosedError;
}

export class FileWriting {
  readonly #owner: WritingOwner;
  readonly #descriptor: Descriptor;
  /** It knows the position, which both sides share. */
  readonly #reading: FileReading;
  readonly #appends: boolean;
  /** One permit: whose turn it is. */
  readonly #turns: Semaphore = new Semaphore(1);

  constructor(owner: WritingOwner, descriptor: Descriptor, reading: FileReading, appends: boolean) {
    this.#owner = owner;
    this.#descriptor = descriptor;
    this.#reading = reading;
    this.#appends = appends;
  }

  write(bytes: Buffer): Op<void> {
    return composite(() => this.#takeTurn('write', (done) => this.#writeAll(bytes, 0, done)));
  }

  truncate(length: number): Op<void> {
    const change = (done: Done<void>): void => {
      // What was read before may be gone.
      this.#reading.moveTo(this.#reading.position);
      this.#descriptor.call<void>((number, back) => ftruncate(number, length, back), done);
    };
    return composite(() => this.#takeTurn('truncate', change));
  }

  /** Wait until everything that was asked for before is done. */
  *settle(): Generator<Trap, void, Resume> {
    yield* this.#turns.acquire();
    this.#turns.release();
  }

  /** Who waits for a turn learns that the file is closed. */
  close(): void {
    this.#turns.waiters.fireAll(() => this.#owner.closedError('write'), LAZY);
  }

  *#takeTurn(op: string, start: (done: Done<void>) => void): Generator<Trap, void, Resume> {
    if (this.#owner.closed) throw this.#owner.closedError(op);
    yield* this.#turns.acquire();
    const change = new ChangeCall<void>({ op, object: this.#owner.toString(), start });
    change.onEnd = () => this.#turns.release();
    try {
      if (this.#owner.closed) throw this.#owner.closedError(op);
      yield* finishing(change);
    } finally {
      if (!change.begun) this.#turns.release();
    }
  }

  #writeAll(bytes: Buffer, from: number, done: Done<void>): void {
    if (from === bytes.length) {
      done(null);
      return;
    }
    const reading = this.#reading;
    const positioned = reading.positioned && !this.#appends;
    const at = reading.position;
    this.#descriptor.call<number>(
      (number, back) => write(number, bytes, from, bytes.length - from, positioned ? at : null, back),
      (error, count = 0) => {
        if (error === null || error === undefined) {
          if (positioned) reading.moveTo(at + count);
          this.#writeAll(bytes, from + count, done);
        } else if (positioned && reading.lacksPositions(error)) {
          this.#writeAll(bytes, from, done);
        } else {
          done(error);
        }
      },
    );
  }
}
