// rw-lock.ts: a lock that many may hold to read, or one to write.
//
// First come, first served: whoever asks while somebody waits gets in line, so that neither writers nor readers starve; readers that stand next to each
// other at the head of the line go in together. A greenlet that reads may read again at once: behind a waiting writer it would wait for itself. To
// read first and then write is to release in between: two greenlets that both wanted to upgrade would wait for each other.
//
// Invariants, between any two steps:
//   somebody writes                     implies  nobody reads
//   nobody writes and nobody reads      implies  nobody waits
//   somebody reads and somebody waits   implies  the first in line wants to write
// Sources: java.util.concurrent ReentrantReadWriteLock (fair mode), tokio::sync::RwLock (one line for both); S11, S12.

import type { Greenlet } from './greenlet.ts';
import { type LockSide, type ReadHold, ReadSide, WRITE, WriteSide } from './lock-sides.ts';
import { isSettling, whileSettling } from './settling.ts';
import { type Waiter, WaitList } from './wait-list.ts';

export class RWLock {
  readonly name: string | undefined;
  /** Both sides' waiters, in one line; the value of one that wants to write is WRITE. @internal */
  readonly line: WaitList = new WaitList();
  /** @internal */ readonly readHolds: Map<Greenlet, ReadHold> = new Map();
  readonly #read: ReadSide = new ReadSide(this);
  readonly #write: WriteSide = new WriteSide(this);

  constructor(options: { readonly name?: string | undefined } = {}) {
    this.name = options.name;
  }

  /** The side that many greenlets may hold at a time, each as often as it likes. */
  read(): LockSide {
    return this.#read;
  }

  /** The side that one greenlet may hold, once, and with it nobody else holds anything. */
  write(): LockSide {
    return this.#write;
  }

  /** How many greenlets read now. */
  get readers(): number {
    return this.readHolds.size;
  }

  /** The greenlet that writes now. */
  get writer(): Greenlet | undefined {
    return this.#write.owner;
  }

  /** How many wait, on either side. */
  get waiting(): number {
    return this.line.size;
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a read-write lock' : `read-write lock ${this.name}`;
  }

  /** Let in who may go now, from the head of the line. @internal */
  admit(): void {
    const { line } = this;
    for (let waiter = line.head; waiter !== undefined; waiter = line.head) {
      const side = waiter.value === WRITE ? this.#write : this.#read;
      // One whose wait is being decided is about to be retracted, and then this runs again.
      if (!side.open || isSettling(waiter)) return;
      line.remove(waiter);
      side.grant(waiter.owner());
      waiter.fire(undefined, 0);
    }
  }

  /** The writer, or the only reader. @internal */
  holder(): Greenlet | undefined {
    return this.writer ?? (this.readHolds.size === 1 ? this.readHolds.keys().next().value : undefined);
  }

  /** @internal */
  retract(waiter: Waiter): void {
    this.line.remove(waiter);
    // It may have stood in the way of those behind it.
    if (this.line.head !== undefined) whileSettling([waiter.owner()], () => this.admit());
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    const { line, readers, writer } = this;
    line.check();
    this.#write.check();
    for (const hold of this.readHolds.values()) hold.check();
    if (writer !== undefined && readers > 0) throw new Error(`${this.label()}: somebody reads beside a writer`);
    if (writer === undefined && readers === 0 && line.size > 0)
      throw new Error(`${this.label()}: it is free and somebody waits`);
    if (readers > 0 && line.head !== undefined && line.head.value !== WRITE)
      throw new Error(`${this.label()}: a reader waits though it could go in`);
  }
}
