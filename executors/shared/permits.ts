// permits.ts: a number of permits in shared memory, taken by greenlets of any number of threads. A mutex has one.
//
// A thread's greenlets wait in a list of their own, and the thread sleeps once for all of them (memory-wait.ts). A permit that is given back goes
//   to the oldest greenlet that waits in the same thread, at most MOST_IN_A_ROW times while another thread sleeps;
//   else to the thread that has slept longest: it is `passed`, which newcomers cannot take, and one sleeper is notified;
//   else, nobody sleeps, it is `free`.
// So within a thread the order is that of coming, no thread is passed over for ever, and a lock does not have to go to another thread at each release, which
// costs a hundred times as much as to stay.
//
// No wake-up is lost, although a thread that is woken may need nothing, or never run again:
//   woken, and nobody waits here any more        it passes on: notifies the next, or makes the permit free
//   nobody was there to be notified              the permit becomes free and all are notified; a sleeper looks at `free` again after it has fallen asleep
//   woken, and terminated before it could run    the permit stays passed; a thread that finds it so at two looks, LOOK_MS apart, takes it
//   terminated between giving and notifying      the permit is passed, as above, or free; a thread that waits finds it at its next look
//
// Invariants, between any two steps of this thread:
//   somebody waits here  implies  asleep, and this is in `looking`
//   free + passed + permits that are held  is  what it began with, plus releases, minus acquires; where they are is in places.ts
// Sources: futexes (Drepper, "Futexes Are Tricky"); lock cohorting (Dice, Marathe, Shavit); hand-over instead of barging is S12.

import { requireScheduler } from '../../core/kernel.ts';
import { type Waiter, WaitList } from '../../core/wait-list.ts';
import '../../io/hub.ts';
import { sleepOn } from './memory-wait.ts';
import { PASSES, PLACE, type Places, SLEEPING } from './places.ts';

// Taken at load: patches never reach us.
const { setInterval, clearInterval } = globalThis;

const MOST_IN_A_ROW = 32;
const LOOK_MS = 250;
/** In so many looks without a break there was something passed: one of them is nobody's, or they would be more than a busy lock has by chance. */
const MOST_LOOKS = 20;

/** What a lock is told. */
export interface Grantor {
  /** `waiter` has a permit, and is woken next. */
  granted(waiter: Waiter): void;
}

export class Permits {
  readonly waiters: WaitList = new WaitList();
  readonly #places: Places;
  readonly #words: Int32Array;
  readonly #grantor: Grantor;
  /** This thread is in the engine's list. */
  #asleep = false;
  #inARow = 0;
  /** How many looks in a row have found a permit passed, and how often one had been passed by then. */
  #looks = 0;
  #passes = 0;
  /** How many permits were found that a thread had taken with it when it ended, before it held them. */
  found = 0;

  constructor(places: Places, grantor: Grantor) {
    this.#places = places;
    this.#words = places.words;
    this.#grantor = grantor;
  }

  /** How many nobody holds: free, or on their way to a thread that was notified. */
  get unheld(): number {
    return this.#places.free() + this.#places.passed();
  }

  /** Take one if one is free and nobody waits here. */
  tryTake(): boolean {
    return this.waiters.size === 0 && this.#places.takeFree();
  }

  /** Wait for one. `waiter` may be woken at once. */
  enlist(waiter: Waiter): void {
    this.waiters.push(waiter);
    waiter.owner().scope.scheduler.externalStarted();
    if (this.waiters.size === 1) startLooking(this);
    if (!this.#asleep) this.#sleep();
  }

  retract(waiter: Waiter): void {
    this.waiters.remove(waiter);
    this.#left(waiter);
  }

  /** Give one back. False if as many are free as there can be: then nothing has changed. */
  release(): boolean {
    const others = this.#othersSleep();
    if (this.waiters.size > 0 && (!others || this.#inARow < MOST_IN_A_ROW)) {
      if (others) this.#inARow += 1;
      this.#grantOldest();
      return true;
    }
    this.#inARow = 0;
    let given: boolean;
    if (others) {
      Atomics.add(this.#words, PASSES, 1);
      this.#places.givePassed();
      given = this.#passOn();
    } else {
      given = this.#setFree();
    }
    // After the others were notified: we are behind them.
    if (this.waiters.size > 0 && !this.#asleep) this.#sleep();
    return given;
  }

  #othersSleep(): boolean {
    return Atomics.load(this.#words, SLEEPING) > (this.#asleep ? 1 : 0);
  }

  #setFree(): boolean {
    if (!this.#places.giveFree()) return false;
    // Whoever fell asleep meanwhile has either seen it or is counted by now.
    if (this.#othersSleep()) Atomics.notify(this.#words, PLACE);
    return true;
  }

  /** A permit is passed: see that somebody has it. */
  #passOn(): boolean {
    if (Atomics.notify(this.#words, PLACE, 1) > 0) return true;
    const given = this.#places.passedToFree();
    Atomics.notify(this.#words, PLACE);
    return given;
  }

  #sleep(): void {
    const words = this.#words;
    Atomics.add(words, SLEEPING, 1);
    while (!sleepOn(words, PLACE, Atomics.load(words, PLACE), this.#woken)) {
      // It has changed in between.
    }
    this.#asleep = true;
    // What became free before we could be notified.
    while (this.waiters.size > 0 && this.#places.takeFree()) this.#grantOldest();
  }

  readonly #woken = (): void => {
    this.#asleep = false;
    Atomics.sub(this.#words, SLEEPING, 1);
    if (this.waiters.size === 0) {
      if (this.#places.passed() > 0) this.#passOn();
      return;
    }
    // The one that was passed to us first, or it would be passed for ever.
    if (this.#places.takePassed()) this.#grantOldest();
    while (this.waiters.size > 0 && this.#places.takeFree()) this.#grantOldest();
    if (this.waiters.size > 0) this.#sleep();
    requireScheduler().turnSoon();
  };

  #grantOldest(): void {
    const waiter = this.waiters.shift() as Waiter;
    this.#left(waiter);
    this.#grantor.granted(waiter);
    waiter.fire(undefined, 0);
  }

  #left(waiter: Waiter): void {
    waiter.owner().scope.scheduler.externalEnded();
    if (this.waiters.size === 0) {
      this.#looks = 0;
      stopLooking(this);
    }
  }

  /** Look whether a permit is there that nobody has told us of, or has been on its way for too long: whoever was to tell, or was notified, has ended. */
  look(): void {
    if (this.#places.passed() === 0) {
      this.#looks = 0;
      // Whoever made it free was terminated before it could notify.
      if (this.#places.takeFree()) this.#grantOldest();
      return;
    }
    const passes = Atomics.load(this.#words, PASSES);
    const same = this.#looks > 0 && passes === this.#passes;
    this.#looks += 1;
    this.#passes = passes;
    if (!(same || this.#looks > MOST_LOOKS) || !this.#places.takePassed()) return;
    this.#looks = 0;
    this.found += 1;
    this.#grantOldest();
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.waiters.check();
    if (this.waiters.size > 0 && !this.#asleep)
      throw new Error('permits: somebody waits and the thread does not sleep');
    if (this.waiters.size > 0 && !looking.has(this)) throw new Error('permits: somebody waits and nobody looks');
  }
}

/** Those with somebody who waits here. One timer is enough for all. */
const looking = new Set<Permits>();
let timer: NodeJS.Timeout | undefined;

function startLooking(permits: Permits): void {
  looking.add(permits);
  timer ??= setInterval(() => {
    for (const one of looking) one.look();
  }, LOOK_MS).unref();
}

function stopLooking(permits: Permits): void {
  looking.delete(permits);
  if (looking.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
