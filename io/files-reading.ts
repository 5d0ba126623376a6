// files-reading.ts: the reading side of an open file: the same buffer and the same reads as a socket's, filled by fs.read.
//
// Nothing is read ahead: a piece is read when a greenlet waits for more than there is. A reader that is killed leaves that call under way, and what it brings is
// kept for the next reader, so no byte is lost. The end of a file may move, so it is not remembered: who reads at the end again asks again.
//
// Positions are ours, and given with each call, so that reads and writes never disturb each other. What has none (a pipe, a terminal) says so (ESPIPE) at the
// first call, and is read as it comes from then on.
//
// Invariants, between any two steps:
//   reading            implies  one call of fs.read is under way, for `epoch`
//   a reader waits     implies  reading, or the call for an epoch that is over is
//   offset             is where the next byte behind the buffer is; the next byte to be read is at offset - buffer.size

import fs from 'node:fs';
import type { Waiter } from '../core/wait-list.ts';
import { codeOf } from './errors.ts';
import type { Descriptor } from './files-descriptor.ts';
import { Inbound, type InboundOwner, type ReadWait } from './inbound.ts';
import { ReadExactly } from './reads.ts';

// Taken at load: patches never reach us.
const { read } = fs;

const READ_SIZE = 65_536;
const MOST_READ_SIZE = 4 * 1024 * 1024;
/** Nothing pauses a file: it is read on demand. */
const NEVER_PAUSED = Number.POSITIVE_INFINITY;

export class FileReading extends Inbound {
  /** Called when a read has come to the end, after who waited has been told. */
  onEnd: () => void = () => {};
  /** False once the file has turned out to have no positions. */
  positioned = true;
  readonly #descriptor: Descriptor;
  #offset = 0;
  #sought = false;
  #reading = false;
  #epoch = 0;
  #wanted = READ_SIZE;

  constructor(owner: InboundOwner, descriptor: Descriptor) {
    super(owner, NEVER_PAUSED);
    this.#descriptor = descriptor;
  }

  /** Where the next byte to be read is. */
  get position(): number {
    return this.#offset - this.buffer.size;
  }

  /** Go on at `position`; what is buffered, or on its way, is dropped. */
  moveTo(position: number): void {
    this.#epoch += 1;
    this.buffer.clear();
    this.#offset = position;
  }

  /** As moveTo, by the wish of a user: then a file without positions is an error. */
  seek(position: number): void {
    this.#sought = true;
    this.moveTo(position);
  }

  /** Was `error` only that this file has no positions? Then try again without. */
  lacksPositions(error: unknown): boolean {
    if (codeOf(error) !== 'ESPIPE' || this.#sought || !this.positioned) return false;
    this.positioned = false;
    return true;
  }

  override enlist(wait: ReadWait<unknown>, waiter: Waiter): void {
    super.enlist(wait, waiter);
    // A long readExactly is read in larger pieces.
    const missing = wait instanceof ReadExactly ? wait.need - this.buffer.size : 0;
    this.#wanted = Math.min(Math.max(READ_SIZE, missing), MOST_READ_SIZE);
    this.#readMore();
  }

  override close(): void {
    super.close();
    // What is on its way is for nobody.
    this.#epoch += 1;
  }

  #readMore(): void {
    if (this.#reading || !this.waiting) return;
    this.#reading = true;
    const epoch = this.#epoch;
    const size = this.#wanted;
    const bytes = Buffer.allocUnsafeSlow(size);
    this.#descriptor.call<number>(
      (number, done) => read(number, bytes, 0, size, this.positioned ? this.#offset : null, done),
      (error, count = 0) => {
        this.#reading = false;
        if (epoch === this.#epoch) this.#came(error, bytes, count);
        this.#readMore();
      },
    );
  }

  #came(error: unknown, bytes: Buffer, count: number): void {
    if (error !== null && error !== undefined) {
      if (this.lacksPositions(error)) return;
      this.fail(error);
      this.reopen();
    } else if (count === 0) {
      this.end();
      this.reopen();
      this.onEnd();
    } else {
      this.#offset += count;
      // A full piece is handed on as it is; of a smaller one only what is in it is kept.
      this.received(bytes, count, count < bytes.length);
    }
  }
}
