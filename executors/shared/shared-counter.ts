// shared-counter.ts: a number in shared memory that any thread changes, and that greenlets wait for to reach a value.
//
// The value is a 64-bit integer, of which those that a JavaScript number has exactly may be used. It is no lock, and wakes are no hand-over: `waitFor` returns once
// the value has been seen to be large enough, whatever it becomes later.
//
// Whoever waits counts itself, reads the turn, looks at the value and then sleeps on the turn; whoever changes the value looks afterwards whether anybody is
// counted, and if so begins the next turn and notifies all. So either the value was seen, or the turn has changed, or the sleeper is notified.
//
// Invariant, between any two steps of this thread: somebody waits here  implies  the thread sleeps.
// Sources: futexes; gevent has none such, Go's WaitGroup is the case of waiting for zero.

import { rangeError } from '../../core/bad-argument.ts';
import { readyResult, requireScheduler } from '../../core/kernel.ts';
import type { Waitable, WaitDescription } from '../../core/op.ts';
import { created } from '../../core/unstarted.ts';
import { Wait } from '../../core/wait.ts';
import { type Waiter, WaitList } from '../../core/wait-list.ts';
import { shownValue } from '../../io/address.ts';
import '../../io/hub.ts';
import { checkHandle, nameIn, type SharedHandle, type SharedOptions } from './handle.ts';
import { sleepOn } from './memory-wait.ts';

const KIND = 'tendril.SharedCounter';
/** The value is in the first eight bytes; then, as words of four: */
const TURN = 2;
const SLEEPING = 3;
const BYTES = 16;
const MOST = BigInt(Number.MAX_SAFE_INTEGER);

/** A number that threads add to, and wait for. */
export class SharedCounter {
  readonly name: string | undefined;
  /** What another thread gives to `SharedCounter.from`. */
  readonly handle: SharedHandle<typeof KIND>;
  readonly #value: BigInt64Array;
  readonly #words: Int32Array;
  readonly #waiters: WaitList = new WaitList();
  #asleep = false;

  /** @param adopted is for `from`. @throws RangeError if `value` is no safe integer. @throws TypeError for a bad option. */
  constructor(value = 0, options?: SharedOptions, adopted?: SharedHandle<typeof KIND>) {
    const first = exact(value, 'SharedCounter');
    this.name = adopted === undefined ? nameIn(options, 'SharedCounter') : adopted.name;
    this.handle = adopted ?? { kind: KIND, buffer: new SharedArrayBuffer(BYTES), name: this.name };
    this.#value = new BigInt64Array(this.handle.buffer, 0, 1);
    this.#words = new Int32Array(this.handle.buffer);
    if (adopted === undefined) this.#value[0] = first;
  }

  /** The same counter in this thread, of the handle that another thread has sent. Never switches. @throws TypeError if it is none. */
  static from(handle: SharedHandle<typeof KIND>): SharedCounter {
    return new SharedCounter(0, undefined, checkHandle(handle, KIND, BYTES, 'SharedCounter.from'));
  }

  /** The value at this moment. Never switches. */
  get(): number {
    return Number(Atomics.load(this.#value, 0));
  }

  /**
   * Add `amount`, which may be negative, and return the sum. Never switches; no addition of another thread is lost.
   *
   * @throws RangeError if it, or the sum, is no safe integer: then the value is what it was.
   */
  add(amount = 1): number {
    const more = exact(amount, 'add');
    for (let before = Atomics.load(this.#value, 0); ; ) {
      const sum = before + more;
      if (sum > MOST || sum < -MOST)
        throw rangeError(`add on ${this.label()}: ${before} and ${more} make no integer that a number has exactly`);
      const found = Atomics.compareExchange(this.#value, 0, before, sum);
      if (found === before) {
        this.#changed();
        return Number(sum);
      }
      before = found;
    }
  }

  /** Set the value, and return the one before. Never switches. @throws RangeError if it is no safe integer. */
  set(value: number): number {
    const before = Atomics.exchange(this.#value, 0, exact(value, 'set'));
    this.#changed();
    return Number(before);
  }

  /** Set the value to `value` if it is `expected`; was it? Never switches. @throws RangeError if one is no safe integer. */
  compareAndSet(expected: number, value: number): boolean {
    const wanted = exact(expected, 'compareAndSet');
    if (Atomics.compareExchange(this.#value, 0, wanted, exact(value, 'compareAndSet')) !== wanted) return false;
    this.#changed();
    return true;
  }

  /**
   * Wait until the value is `least` or more, and return it.
   *
   * Switches only if it is less, and never blocks the event loop. A value that is large enough only for a moment may be missed. @throws RangeError, at the
   * call, if `least` is no safe integer. @throws Killed if killed while waiting.
   */
  waitFor(least: number): Waitable<number> {
    exact(least, 'waitFor');
    return created(new CounterWait(this, least));
  }

  #changed(): void {
    if (Atomics.load(this.#words, SLEEPING) === 0) return;
    Atomics.add(this.#words, TURN, 1);
    Atomics.notify(this.#words, TURN);
  }

  /** @internal */
  enlist(waiter: Waiter): void {
    this.#waiters.push(waiter);
    waiter.owner().scope.scheduler.externalStarted();
    if (!this.#asleep) this.#sleep();
  }

  /** @internal */
  retract(waiter: Waiter): void {
    this.#waiters.remove(waiter);
    waiter.owner().scope.scheduler.externalEnded();
  }

  #sleep(): void {
    const words = this.#words;
    Atomics.add(words, SLEEPING, 1);
    for (;;) {
      const turn = Atomics.load(words, TURN);
      this.#wakeThose(this.get());
      if (this.#waiters.size === 0) break;
      if (sleepOn(words, TURN, turn, this.#woken)) {
        this.#asleep = true;
        return;
      }
    }
    Atomics.sub(words, SLEEPING, 1);
  }

  readonly #woken = (): void => {
    this.#asleep = false;
    Atomics.sub(this.#words, SLEEPING, 1);
    if (this.#waiters.size === 0) return;
    this.#sleep();
    requireScheduler().turnSoon();
  };

  /** Wake who waits for `value` or less, oldest first. */
  #wakeThose(value: number): void {
    for (let waiter = this.#waiters.head; waiter !== undefined; ) {
      const { next } = waiter;
      if (value >= (waiter.value as number)) {
        this.retract(waiter);
        waiter.fire(value, 0);
      }
      waiter = next;
    }
  }

  /** @internal */
  label(): string {
    return this.name === undefined ? 'a shared counter' : `shared counter ${this.name}`;
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.#waiters.check();
    if (this.#waiters.size > 0 && !this.#asleep)
      throw new Error(`${this.label()}: somebody waits and the thread does not sleep`);
  }
}

class CounterWait extends Wait<number> {
  readonly #counter: SharedCounter;
  readonly #least: number;
  constructor(counter: SharedCounter, least: number) {
    super();
    this.#counter = counter;
    this.#least = least;
  }
  look(): boolean {
    const value = this.#counter.get();
    if (value < this.#least) return false;
    readyResult.value = value;
    return true;
  }
  enlist(waiter: Waiter): void {
    waiter.value = this.#least;
    this.#counter.enlist(waiter);
  }
  retract(waiter: Waiter): void {
    this.#counter.retract(waiter);
  }
  describe(): WaitDescription {
    return { op: `waitFor(${this.#least})`, object: this.#counter.label() };
  }
}

function exact(value: unknown, where: string): bigint {
  if (!Number.isSafeInteger(value))
    throw rangeError(`${where} takes an integer that a number has exactly, not ${shownValue(value)}`);
  return BigInt(value as number);
}
