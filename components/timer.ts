// timer.ts: a component that fires an event when it is due: after a time, at a time, every so often.
//
// It runs on the clock of the tree's scheduler, so a simulated one serves as well. It counts from when it is in a tree that runs. A periodic one keeps to its
// grid: what a busy process made late is not made up for by a burst, and does not move what comes after.
//
// Events are fired as its parent would fire them, and belong to nobody's effects: a timer that a handler has registered is not what that handler's event waits for to be
// complete.
// Source: circuits' Timer, which drifts by what each round takes.

import { typeError } from '../core/bad-argument.ts';
import { Event } from '../core/event.ts';
import type { Op } from '../core/op.ts';
import { select } from '../core/select.ts';
import { sleepUntil } from '../core/sleep.ts';
import { now } from '../core/spawn.ts';
import { checkOptions, own, ownMs } from '../io/address.ts';
import { Component } from './component.ts';
import { ComponentStateError } from './errors.ts';
import { type AnyEvent, requireEvent } from './event-type.ts';
import { checkFire, type FireOptions } from './fire-options.ts';

/** When a timer is due: after a time, at a time of `now()`, every so often; or first then and from there on every so often. */
export interface TimerOptions extends FireOptions {
  readonly afterMs?: number | undefined;
  readonly atMs?: number | undefined;
  /** Must be above 0. Without it the timer is due once, and then unregisters itself. */
  readonly everyMs?: number | undefined;
  /** Shown in reports. */
  readonly name?: string | undefined;
}

/** Fires an event when it is due. `new Timer(tick(), { everyMs: 1000 }).register(app)`. */
export class Timer extends Component {
  readonly #event: AnyEvent;
  readonly #options: FireOptions;
  readonly #everyMs: number | undefined;
  #afterMs: number;
  #atMs: number | undefined;
  readonly #changed: Event = new Event({ name: 'of a timer that was reset' });
  #stop: (() => void) | undefined = undefined;

  /**
   * @param event What is fired, as often as it is due.
   * @throws TypeError if `event` is none, for a time that is none, or if there is no time, or both `afterMs` and `atMs`.
   */
  constructor(event: AnyEvent, options: TimerOptions) {
    requireEvent(event, 'Timer');
    const given = checkOptions(options, 'Timer');
    super({ name: own<string>(given, 'name') ?? `timer of ${event.kind.name}` });
    this.#event = event;
    this.#everyMs = own(given, 'everyMs') === undefined ? undefined : ownMs(given, 'everyMs', 0, 'Timer');
    if (this.#everyMs === 0) throw typeError('Timer: everyMs must be above 0');
    this.#atMs = own(given, 'atMs') === undefined ? undefined : ownMs(given, 'atMs', 0, 'Timer');
    const after = own<number>(given, 'afterMs');
    if (after !== undefined && this.#atMs !== undefined) throw typeError('Timer: afterMs or atMs, not both');
    if (after === undefined && this.#atMs === undefined && this.#everyMs === undefined)
      throw typeError('Timer: say when: afterMs, atMs or everyMs');
    this.#afterMs = ownMs(given, 'afterMs', this.#everyMs ?? 0, 'Timer');
    checkFire({ channel: own(given, 'channel'), priority: own(given, 'priority') }, 'Timer');
    this.#options = { channel: own(given, 'channel'), priority: own(given, 'priority') };
    this.#stop = this.background(this.#waitAndFire);
  }

  /** Count from now on anew, at first `afterMs` if that is given. Never switches. @throws TypeError if `afterMs` is no number >= 0. @throws ComponentStateError if it was due once and is over. */
  reset(afterMs?: number): void {
    this.#afterMs = ownMs({ afterMs }, 'afterMs', this.#everyMs ?? this.#afterMs, 'reset');
    if (this.#stop === undefined) throw new ComponentStateError(`${this} is over: make a new one`);
    this.#atMs = undefined;
    this.#changed.set();
  }

  *#waitAndFire(): Op<void> {
    let dueMs = this.#atMs ?? now() + this.#afterMs;
    for (;;) {
      yield* select({ due: sleepUntil(dueMs), changed: this.#changed.wait() });
      // Also if it was due first: who resets it before it has fired counts on that it does not.
      if (this.#changed.isSet) {
        this.#changed.clear();
        dueMs = now() + this.#afterMs;
        continue;
      }
      (this.parent ?? this).fire(this.#event, this.#options);
      if (this.#everyMs === undefined) break;
      const lateMs = now() - dueMs;
      dueMs += this.#everyMs * (1 + Math.floor(lateMs / this.#everyMs));
    }
    this.#stop = undefined;
    if (this.parent !== undefined) this.unregister();
  }
}
