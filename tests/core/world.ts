// world.ts: worlds in which the kernel's invariants are asserted after every step, and short words for tests.
//
// Importing it makes every simulation of this process a checked one: the virtual driver gets a context carrier, which the scheduler calls around
// each step and each turn. The invariants are those of ARCHITECTURE.md; `watch(channel)` adds a channel's own.
import { type Channel, now, type Op, type Scheduler, spawn } from 'tendril/core';
import { type SimulateOptions, simulate, VirtualDriver } from 'tendril/testing';
import type { ContextCarrier } from '../../core/driver.ts';
import type { Frame } from '../../core/frame.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import { kernel, readyResult, wakeResult } from '../../core/kernel.ts';
import { ATTENTION, DONE, NEW, PARKED, READY, RUNNING, STARTED, STATE, UNSEEN } from '../../core/status.ts';

/** Above so many live greenlets not every step is checked: a check costs as much as there are. */
const CHECK_ALL_BELOW = 64;

const wakeUps = new WeakMap<object, number>();
const held = new WeakMap<object, boolean>();
const watched = new Set<{ check(): void }>();
let steps = 0;

/** How many steps and turns were checked in this process; of how many steps one is. */
export const checks = { steps: 0, turns: 0, every: 1 };

/** Check `object` after every step of the simulations of this test file. */
export function watch<C extends Channel<never> | { check(): void }>(object: C): C {
  watched.add(object);
  return object;
}

/** Forget what was watched. */
export function unwatchAll(): void {
  watched.clear();
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`invariant broken: ${what}`);
}

/** Assert what holds between any two steps. */
export function checkWorld(scheduler: Scheduler): void {
  const { runQueue, stats } = scheduler;
  const alive = scheduler.greenlets();
  const queued = new Map<Greenlet, number>();
  for (const entry of runQueue.entries()) {
    if ((entry.status & (READY | NEW)) !== 0) queued.set(entry, (queued.get(entry) ?? 0) + 1);
    else must((entry.status & DONE) !== 0, `${entry.name} is queued while it is ${entry.state}`);
  }
  for (const [entry, times] of queued) must(times === 1, `${entry.name} is in the run queue ${times} times`);
  for (const greenlet of alive) {
    const { status } = greenlet;
    const state = status & STATE;
    must((state & (state - 1)) === 0 && state !== 0, `${greenlet.name} is in more than one state`);
    must(state !== RUNNING, `${greenlet.name} is running between two steps`);
    must(state !== DONE, `${greenlet.name} is done and still in the registry`);
    must(state !== READY || queued.has(greenlet), `${greenlet.name} is ready and not queued`);
    must(state !== PARKED || greenlet.waitingOn !== undefined, `${greenlet.name} is parked at nothing`);
    must(state !== PARKED || !queued.has(greenlet), `${greenlet.name} is parked and queued`);
    must((status & STARTED) !== 0, `${greenlet.name} is registered and was not started`);
    const pending = greenlet.side?.interrupt !== undefined || greenlet.side?.throws !== undefined;
    must(((status & ATTENTION) !== 0) === pending, `${greenlet.name}: ATTENTION disagrees with what is pending`);
    must(state !== PARKED || !pending, `${greenlet.name} is parked although something is pending`);
    for (let frame: Frame | undefined = greenlet.frame; frame !== undefined; frame = frame.outer)
      must(frame.greenlet === greenlet, `${greenlet.name} has a frame of ${frame.greenlet.name}`);
  }
  must(alive.length === stats.spawned - stats.ended, 'the registry is not what was spawned and has not ended');
  must(alive.length === scheduler.live + scheduler.daemons, 'live and daemons are not the registry');
  must(new Set(alive).size === alive.length, 'a greenlet is in two scopes');
  for (const scope of scheduler.scopes()) {
    const children = scope.children();
    must(children.length === scope.size, 'a scope has lost count of its children');
    for (const child of children) must(child.scope === scope, `${child.name} is in a scope that is not its own`);
    must(scope.state !== 'closed' || scope.size === 0, 'a closed scope has children');
  }
  must(scheduler.externalWaits >= 0, 'more external waits ended than began');
  scheduler.sleepers.check();
  scheduler.timeouts.check();
  for (const object of watched) object.check();
}

/** Assert what holds between any two turns. */
export function checkBetweenTurns(scheduler: Scheduler): void {
  checkWorld(scheduler);
  must(kernel.current === kernel.nobody, 'somebody is current between turns');
  must(
    readyResult.value === undefined && wakeResult.value === undefined,
    'a shared result holds a value after a slice',
  );
  const earliestMs = Math.min(scheduler.sleepers.earliestMs(), scheduler.timeouts.earliestMs());
  const armedMs = wakeUps.get(scheduler.driver) ?? Number.POSITIVE_INFINITY;
  if (earliestMs === Number.POSITIVE_INFINITY) must(armedMs === earliestMs, 'a wake-up is armed and no timer is');
  else must(armedMs <= earliestMs, `the wake-up is armed for ${armedMs}, the earliest timer for ${earliestMs}`);
  const holds = scheduler.live > 0 && (scheduler.externalWaits > 0 || earliestMs !== Number.POSITIVE_INFINITY);
  must((held.get(scheduler.driver) ?? false) === holds, 'the process is held, or not held, wrongly');
  for (const entry of scheduler.runQueue.entries())
    must((entry.status & (READY | NEW | UNSEEN | DONE)) !== 0, `${entry.name} has no reason to be queued`);
}

class CheckedContext {
  scheduler: Scheduler | undefined = undefined;
  /** What the driver does around a step itself. */
  readonly #own: ContextCarrier | undefined;
  constructor(own: ContextCarrier | undefined) {
    this.#own = own;
  }
  capture(): undefined {
    return undefined;
  }
  step(greenlet: Greenlet, step: (greenlet: Greenlet) => void): void {
    const { scheduler } = greenlet.scope;
    this.scheduler = scheduler;
    if (this.#own === undefined) step(greenlet);
    else this.#own.step(greenlet, step);
    steps += 1;
    const alive = scheduler.live + scheduler.daemons;
    if (steps % checks.every !== 0 || (alive > CHECK_ALL_BELOW && steps % (alive >> 4) !== 0)) return;
    checks.steps += 1;
    this.#check(() => checkWorld(scheduler));
  }
  turn(turn: () => void): void {
    turn();
    if (this.scheduler === undefined) return;
    checks.turns += 1;
    const { scheduler } = this;
    this.#check(() => checkBetweenTurns(scheduler));
  }
  #check(check: () => void): void {
    try {
      check();
    } catch (error) {
      kernel.current = kernel.nobody; // the world ends here; the next one must not suffer
      throw error;
    }
  }
}

const contexts = new WeakMap<object, CheckedContext>();
const ownContext = Object.getOwnPropertyDescriptor(VirtualDriver.prototype, 'context')?.get as () =>
  | ContextCarrier
  | undefined;
Object.defineProperty(VirtualDriver.prototype, 'context', {
  get(this: VirtualDriver): CheckedContext {
    let context = contexts.get(this);
    if (context === undefined) contexts.set(this, (context = new CheckedContext(ownContext.call(this))));
    return context;
  },
});
const { wakeAt } = VirtualDriver.prototype;
VirtualDriver.prototype.wakeAt = function (this: VirtualDriver, deadlineMs: number): void {
  wakeUps.set(this, deadlineMs);
  wakeAt.call(this, deadlineMs);
};
VirtualDriver.prototype.hold = function (this: VirtualDriver, ...[holding]: unknown[]): void {
  held.set(this, holding === true);
} as VirtualDriver['hold'];

/** The value of `body` in a checked world of its own. */
export async function play<T>(body: () => Op<T>, options?: SimulateOptions): Promise<T> {
  return (await simulate(body, options)).value;
}

/** What `action` throws. */
export function thrownAtCall(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

/** The scheduler of the world that this greenlet lives in. */
export function world(): Scheduler {
  if (kernel.scheduler === undefined) throw new Error('no world');
  return kernel.scheduler;
}

/** Collect the errors that nobody could be given. */
export function collectErrors(): unknown[] {
  const errors: unknown[] = [];
  world().events.on('error', (error) => errors.push(error));
  return errors;
}

/** Spawn a body that may fail or be killed without anybody minding. */
export function spawnQuietly<T>(body: () => Op<T>): ReturnType<typeof spawn<T>> {
  const greenlet = spawn(body);
  greenlet.link(() => {});
  return greenlet;
}
export { now };
