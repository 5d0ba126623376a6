// places.ts: where the permits of a lock are, as words of shared memory: free, or passed to a thread that was notified, or held.
//
// Each step is one atomic change, because a thread may be terminated between any two. So the mutex has one word that says all: who has it, or that it is free, or
// passed. At every moment either somebody can take it or the thread that has it is known, and its lock can be taken over. The counts of a semaphore are two words
// and its permits have no owner: what a thread had, or was about to give back or pass on when it was terminated, nobody knows but the program.
//
// All sleep on the word PLACE, which is no more than the place where the engine finds them.

import { threadId } from 'node:worker_threads';

/** How many permits of a semaphore may be taken by anybody. */
export const FREE = 0;
/** Of a semaphore: how many are on their way to a thread that was notified. Of a mutex: 0 is free, -1 passed, else the id of the thread that has it, plus one. */
export const PLACE = 1;
/** How many threads sleep. Those that ended asleep are still counted, which costs time and nothing else. */
export const SLEEPING = 2;
/** How often a permit was passed. */
export const PASSES = 3;
export const BYTES = 16;

/** The most that can be free: what a word holds. */
export const MOST_FREE: number = 2 ** 31 - 1;

/** Where permits are. */
export interface Places {
  readonly words: Int32Array;
  free(): number;
  passed(): number;
  takeFree(): boolean;
  takePassed(): boolean;
  /** One that this thread has becomes free. False if there is no room for it. */
  giveFree(): boolean;
  /** One that this thread has is passed. */
  givePassed(): void;
  /** One that is passed, if any, becomes free. False if there is no room for it. */
  passedToFree(): boolean;
}

/** The permits of a semaphore. */
export class CountedPlaces implements Places {
  readonly words: Int32Array;
  constructor(words: Int32Array) {
    this.words = words;
  }
  free(): number {
    return Atomics.load(this.words, FREE);
  }
  passed(): number {
    return Atomics.load(this.words, PLACE);
  }
  takeFree(): boolean {
    return this.#take(FREE);
  }
  takePassed(): boolean {
    return this.#take(PLACE);
  }
  #take(word: number): boolean {
    const { words } = this;
    for (let count = Atomics.load(words, word); count > 0; ) {
      const found = Atomics.compareExchange(words, word, count, count - 1);
      if (found === count) return true;
      count = found;
    }
    return false;
  }
  giveFree(): boolean {
    const { words } = this;
    // One more than the most would make the number negative.
    for (let count = Atomics.load(words, FREE); count < MOST_FREE; ) {
      const found = Atomics.compareExchange(words, FREE, count, count + 1);
      if (found === count) return true;
      count = found;
    }
    return false;
  }
  givePassed(): void {
    Atomics.add(this.words, PLACE, 1);
  }
  passedToFree(): boolean {
    return !this.takePassed() || this.giveFree();
  }
}

const NOBODY = 0;
const ON_ITS_WAY = -1;
const ME = threadId + 1;

/** The one permit of a mutex, and the thread that has it. */
export class OwnedPlace implements Places {
  readonly words: Int32Array;
  constructor(words: Int32Array) {
    this.words = words;
  }
  free(): number {
    return Atomics.load(this.words, PLACE) === NOBODY ? 1 : 0;
  }
  passed(): number {
    return Atomics.load(this.words, PLACE) === ON_ITS_WAY ? 1 : 0;
  }
  /** The id of the thread that has it. */
  owner(): number | undefined {
    const owner = Atomics.load(this.words, PLACE);
    return owner > 0 ? owner - 1 : undefined;
  }
  #change(from: number, to: number): boolean {
    return Atomics.compareExchange(this.words, PLACE, from, to) === from;
  }
  takeFree(): boolean {
    return this.#change(NOBODY, ME);
  }
  takePassed(): boolean {
    return this.#change(ON_ITS_WAY, ME);
  }
  /** Take it from a thread that has ended. */
  takeFrom(thread: number): boolean {
    return this.#change(thread + 1, ME);
  }
  giveFree(): boolean {
    this.#change(ME, NOBODY);
    return true;
  }
  givePassed(): void {
    this.#change(ME, ON_ITS_WAY);
  }
  passedToFree(): boolean {
    this.#change(ON_ITS_WAY, NOBODY);
    return true;
  }
}
