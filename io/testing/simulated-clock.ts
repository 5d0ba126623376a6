// simulated-clock.ts: how the simulated network lets time pass: timers of the scheduler whose world it is, and nothing else.
//
// Every event of the network is a timer, also one that happens at once: callbacks come later, from the scheduler's turn, never from inside a call.
// Alarms take points in time and not delays, because two sums of the same numbers may differ in their last bit, and order is all that matters here.
//
// Invariant: whatever `soon` was given runs at the instant of the call, in the order of the calls.

import type { Scheduler } from '../../core/scheduler.ts';
import type { Timer } from '../../core/timers.ts';

export class NetworkClock {
  readonly scheduler: Scheduler;
  #tasks: (() => void)[] = [];
  readonly #alarm: Alarm;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
    this.#alarm = new Alarm(this, () => this.#runTasks());
  }

  now(): number {
    return this.scheduler.driver.now();
  }

  /** Call `task` at this instant, but later. */
  soon(task: () => void): void {
    this.#tasks.push(task);
    if (!this.#alarm.armed) this.#alarm.set(this.now());
  }

  /** The world is over: do now what was to be done soon. */
  flush(): void {
    while (this.#tasks.length > 0) this.#runTasks();
  }

  #runTasks(): void {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
  }
}

/** One timer that can be set again and again. */
export class Alarm implements Timer {
  order = 0;
  slot = -1;
  readonly #clock: NetworkClock;
  readonly #ring: () => void;

  constructor(clock: NetworkClock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  get armed(): boolean {
    return this.slot !== -1;
  }

  /** Ring at `atMs`, and not when it was to ring before. Infinity is never. */
  set(atMs: number): void {
    const { scheduler } = this.#clock;
    scheduler.sleepers.cancel(this);
    if (atMs !== Number.POSITIVE_INFINITY) scheduler.sleepers.armAt(this, atMs);
    scheduler.timersChanged();
  }

  cancel(): void {
    if (this.slot === -1) return;
    this.#clock.scheduler.sleepers.cancel(this);
    this.#clock.scheduler.timersChanged();
  }

  due(): void {
    this.#ring();
  }
}
