// future.ts: the outcome of a task that was submitted: a Waitable, so that it can be waited for, timed out and selected over like everything else.
//
// It does not run the task: a Job does that, behind `Canceller`. Python's Future can be waited for only; this one also knows when nobody waits any more. A
// wait that is given up for good (the greenlet is killed, a scope is cancelled, a timeout expires) takes the task with it if it was the last one who cared; an arm
// of a select that lost is not given up, since the loop around it will come back.
//
// Invariants, between any two steps:
//   somebody waits         implies  state is pending or running
//   state is failed and the failure was not looked at  implies  its executor keeps it, to report it at the end
// Source: Python's concurrent.futures.Future.

import { typeError } from '../core/bad-argument.ts';
import { giveUp, isAbandoned } from '../core/giving-up.ts';
import { readyResult, requireScheduler } from '../core/kernel.ts';
import { nameOf, type Waitable, type WaitDescription } from '../core/op.ts';
import { FAILED } from '../core/status.ts';
import { created } from '../core/unstarted.ts';
import { Wait } from '../core/wait.ts';
import { type Waiter, WaitList } from '../core/wait-list.ts';
import { checkOptions, ownFlag } from '../io/address.ts';

export interface CancelOptions {
  /** End the worker that runs the task, and start another one, in place of asking the task. What the executor or the submit said by default. */
  readonly terminate?: boolean | undefined;
  /** The `cause` of the CancelledError, and what the task's signal has as its reason. */
  readonly reason?: unknown;
}

/** Who runs the task. */
export interface Canceller {
  /** 'task hash', for messages. */
  readonly label: string;
  /** Is the task run outside this world? Then whoever waits holds the process. */
  readonly external: boolean;
  cancel(terminate: boolean | undefined, reason: unknown): void;
  /** Somebody has looked at the failure. */
  seen(): void;
}

export type FutureState = 'pending' | 'running' | 'done' | 'failed' | 'cancelled';

type WaitsFor = 'result' | 'exception';

/** The outcome of a task. `yield* future` waits for its result. Executors make them. */
export class Future<T> extends Wait<T> {
  readonly #job: Canceller;
  #state: FutureState = 'pending';
  #content: unknown = undefined;
  readonly #waiters: WaitList = new WaitList();
  // Without `T`, so that a Future<never> is a Future<unknown> like every other Waitable.
  #promise: Promise<unknown> | undefined = undefined;
  #settlePromise: (() => void) | undefined = undefined;
  #callbacks: (() => void)[] | undefined = undefined;
  /** Told at once, inside the settling, and cares for the outcome: for what the library builds on futures. @internal */
  onSettled: (() => void) | undefined = undefined;

  /** @internal: executors make them. */
  constructor(job: Canceller) {
    super();
    this.#job = job;
  }

  /** Has the task begun, and not ended? */
  get running(): boolean {
    return this.#state === 'running';
  }

  /** Is there an outcome: a result, an error or a cancellation? */
  get done(): boolean {
    return this.#state !== 'pending' && this.#state !== 'running';
  }

  /** Was the task cancelled before it had an outcome of its own? */
  get cancelled(): boolean {
    return this.#state === 'cancelled';
  }

  /**
   * Wait for the result, as `yield* future` does. Switches unless there is an outcome.
   *
   * If the wait is given up for good, by a kill, a cancelled scope or an expired timeout, and nobody else waits, has asked for the promise or added a callback, the task
   * is cancelled. A select that took another arm leaves it alone.
   *
   * @throws what the task threw. @throws CancelledError if it was cancelled. @throws TaskTimeoutError, WorkerLostError, WorkerStartError, TaskLoadError,
   * TaskResultError if it could not end well. @throws Killed if the greenlet is killed while it waits.
   */
  result(): Waitable<T> {
    return this;
  }

  /**
   * Wait until there is an outcome, and return the error, or undefined if there is a result. Switches unless there is an outcome.
   *
   * @throws CancelledError if the task was cancelled. @throws Killed if the greenlet is killed while it waits: as with `result()`.
   * @see https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Future.exception
   */
  exception(): Waitable<unknown> {
    return created(new ExceptionWait(this as Future<unknown>));
  }

  /**
   * Cancel the task. True if it had no outcome yet. Never switches.
   *
   * A task that has not begun is taken out and never runs. One that runs is asked: its signal aborts and its Ops throw Killed; the future has its outcome
   * when it has ended, which is the task's own if it ends well all the same. With `terminate` its worker is ended instead, at once; a greenlet has none and is asked.
   *
   * @throws TypeError for bad options.
   */
  cancel(options?: CancelOptions): boolean {
    const given = checkOptions(options, 'cancel') as CancelOptions;
    const terminate = given.terminate === undefined ? undefined : ownFlag(given, 'terminate', false, 'cancel');
    if (this.done) return false;
    this.#job.cancel(terminate, given.reason);
    return true;
  }

  /**
   * Call `callback(future)` when there is an outcome: at the end of that turn, or of this one if there is one already. Never switches.
   *
   * What it throws goes to the hub's error event and stops nobody else.
   *
   * @throws TypeError if it is no function.
   */
  addDoneCallback(callback: (future: Future<T>) => void): void {
    if (typeof callback !== 'function') throw typeError(`addDoneCallback takes a function, not ${nameOf(callback)}`);
    this.#seen();
    const call = (): void => callback(this);
    if (this.done) requireScheduler().atTurnEnd(call);
    else (this.#callbacks ??= []).push(call);
  }

  /** The outcome as a promise, for ordinary code. It rejects with what `yield*` would throw. */
  promise(): Promise<T> {
    this.#seen();
    return (this.#promise ??= new Promise<unknown>((resolve, reject) => {
      this.#settlePromise = () => {
        if (this.#state === 'done') resolve(this.#content);
        else reject(this.#content);
      };
      if (this.done) this.#settlePromise();
    })) as Promise<T>;
  }

  /** A failure is somebody's business from here on. */
  #seen(): void {
    if (this.#state === 'failed') this.#job.seen();
  }

  /** Does anybody care? @internal */
  get watched(): boolean {
    return (
      this.#waiters.size > 0 ||
      this.#promise !== undefined ||
      this.#callbacks !== undefined ||
      this.onSettled !== undefined
    );
  }

  /** @internal */
  begin(): void {
    this.#state = 'running';
  }

  /** There is an outcome. @internal */
  settle(state: 'done' | 'failed' | 'cancelled', content: unknown): void {
    this.#state = state;
    this.#content = content;
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      this.#retired(waiter);
      if (state === 'done') waiter.fire(waiter.value === 'exception' ? undefined : content, 0);
      else if (state === 'failed' && waiter.value === 'exception') waiter.fire(content, 0);
      else waiter.fire(content, FAILED);
    }
    this.#settlePromise?.();
    this.onSettled?.();
    const callbacks = this.#callbacks;
    if (callbacks === undefined) return;
    this.#callbacks = undefined;
    const scheduler = requireScheduler();
    for (const callback of callbacks) scheduler.atTurnEnd(callback);
  }

  look(): boolean {
    return this.lookFor('result');
  }

  enlist(waiter: Waiter): void {
    this.enlistFor(waiter, 'result');
  }

  /** @internal */
  lookFor(what: WaitsFor): boolean {
    if (!this.done) return false;
    this.#seen();
    if (this.#state === 'cancelled' || (this.#state === 'failed' && what === 'result')) throw this.#content;
    readyResult.value = (this.#state === 'failed') === (what === 'exception') ? this.#content : undefined;
    return true;
  }

  /** @internal */
  enlistFor(waiter: Waiter, what: WaitsFor): void {
    waiter.value = what;
    this.#waiters.push(waiter);
    if (this.#job.external) waiter.owner().scope.scheduler.externalStarted();
  }

  retract(waiter: Waiter): void {
    this.#waiters.remove(waiter);
    this.#retired(waiter);
    if (!this.watched && isAbandoned(waiter)) giveUp(() => this.#abandon());
  }

  #retired(waiter: Waiter): void {
    if (this.#job.external) waiter.owner().scope.scheduler.externalEnded();
  }

  #abandon(): void {
    if (!this.done && !this.watched) this.#job.cancel(undefined, undefined);
  }

  describe(): WaitDescription {
    return { op: 'result', object: this.#job.label };
  }

  override toString(): string {
    return `${this.#job.label}, ${this.#state}`;
  }
}

/** As the future, but an error is what it returns. */
class ExceptionWait extends Wait<unknown> {
  readonly #future: Future<unknown>;
  constructor(future: Future<unknown>) {
    super();
    this.#future = future;
  }
  look(): boolean {
    return this.#future.lookFor('exception');
  }
  enlist(waiter: Waiter): void {
    this.#future.enlistFor(waiter, 'exception');
  }
  retract(waiter: Waiter): void {
    this.#future.retract(waiter);
  }
  describe(): WaitDescription {
    return { ...this.#future.describe(), op: 'exception' };
  }
}
