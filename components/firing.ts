// firing.ts: one time that an event was fired: its handle for whoever fired it, and what a handler sees of it.
//
// A firing ends twice. It is handled when the handlers that were started for it have ended; it is complete when so is everything that they fired while they ran, and
// what that caused, its own notifications included. Who is interested in the latter has to say so before it is handled: from then on what it causes is
// counted (effects.ts).
//
// Invariants, between any two steps:
//   open is the number of its handlers that have begun and not ended, plus 1 while handlers are still to be begun or it is queued
//   handled or cancelled  if and only if  open is 0
//   somebody waits        implies  it has not ended in the sense that they wait for
// Source: circuits' Value.

import { suppress } from '../core/errors.ts';
import type { Waitable } from '../core/op.ts';
import { FAILED, LAZY } from '../core/status.ts';
import { created } from '../core/unstarted.ts';
import { WaitList } from '../core/wait-list.ts';
import type { Component } from './component.ts';
import { Effects } from './effects.ts';
import { EventCancelledError, NotTrackedError } from './errors.ts';
import { channelLabel, type EventChannel, type EventKind, type EventOf } from './event-type.ts';
import { FiringWait } from './firing-wait.ts';

/** `queued`, then `handling`, then `handled`; or `cancelled` before any of it. */
export type FiringState = 'queued' | 'handling' | 'handled' | 'cancelled';

/** What looks after a firing: the tree that it was fired in. @internal */
export interface FiringKeeper {
  handled(firing: Firing): void;
  completed(firing: Firing, cause: Effects | undefined): void;
  cancelled(firing: Firing): void;
  report(error: unknown, greenlet: undefined): void;
}

/** How an event came that was fired elsewhere. @internal */
export interface Route {
  readonly bridge: Component;
  /** Over how many bridges it has come. */
  readonly hops: number;
  /** Called when it is handled or cancelled. Never user code. */
  answer(): void;
}

/** Several results of one handler. @internal */
export class ManyResults {
  readonly results: readonly unknown[];
  constructor(results: readonly unknown[]) {
    this.results = results;
  }
}

/** One time that an event was fired. `fire` gives it to whoever fired, `handling()` to a handler. */
export class Firing<A extends readonly unknown[] = readonly unknown[], R = unknown> {
  /** What was fired. */
  readonly event: EventOf<A, R>;
  /** Where. */
  readonly channels: readonly EventChannel[];
  readonly priority: number;
  /** The component that fired it. */
  readonly source: Component;
  /** The firing that this is a notification of. */
  readonly of: Firing | undefined;
  /** @internal */ keeper: FiringKeeper;
  #state: FiringState = 'queued';
  #stopped = false;
  /** @internal */ open = 1;
  /** How many handlers were begun. @internal */ begun = 0;
  #values: unknown[] | undefined = undefined;
  #errors: unknown[] | undefined = undefined;
  /** Somebody waits, or will again, for the outcome: a failure is for them to know. @internal */ seen = false;
  /** Failures that nobody has taken care of but who waits, who has not been told yet. */
  #unclaimed: unknown[] | undefined = undefined;
  /** What it has caused, if anybody is interested. @internal */ effects: Effects | undefined = undefined;
  #told = false;
  /** What whoever waits is thrown, once it is cancelled. @internal */ cancelledBy: (() => unknown) | undefined =
    undefined;
  #waiters: WaitList | undefined = undefined;
  /** How it came here, if it was not fired here first. @internal */ route: Route | undefined = undefined;

  /** @internal: `fire` makes one. */
  constructor(
    event: EventOf<A, R>,
    channels: readonly EventChannel[],
    priority: number,
    source: Component,
    keeper: FiringKeeper,
    of: Firing | undefined,
  ) {
    this.event = event;
    this.channels = channels;
    this.priority = priority;
    this.source = source;
    this.keeper = keeper;
    this.of = of;
  }

  /** @internal */
  get kind(): EventKind {
    return this.event.kind;
  }

  get state(): FiringState {
    return this.#state;
  }

  /** Was `stop()` called? */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** The results that handlers have given so far, in the order of the handlers. `undefined` is none. */
  get results(): R[] {
    const results: unknown[] = [];
    for (const value of this.#values ?? []) {
      // One by one: what came over a bridge may be longer than a call may have arguments.
      if (value instanceof ManyResults) for (const result of value.results) results.push(result);
      else if (value !== undefined) results.push(value);
    }
    return results as R[];
  }

  /** What handlers have thrown so far, the first in time first. To read it marks no failure as seen. */
  get errors(): readonly unknown[] {
    return this.#errors ?? [];
  }

  /**
   * Wait until the event is handled: all handlers that were begun for it have ended. Returns their results in the order of the handlers.
   *
   * Switches if it is not.
   *
   * @throws the first error in time of a handler, the very object; `suppressedErrors(error)` has the later ones. @throws GreenletKilledError if a handler was killed.
   * @throws EventCancelledError if the event was cancelled; ComponentStoppedError if the tree ended before the event was handled.
   * @throws Killed if the greenlet is killed while it waits.
   */
  result(): Waitable<R[]> {
    return created(new FiringWait<R>(this as unknown as Firing, 'handled'));
  }

  /**
   * Wait until the event is complete: handled, and so is everything that its handlers fired, and what that caused. Returns its results.
   *
   * Switches if it is not. Ask before the event is handled, right after `fire`: only then is what it causes followed.
   *
   * @throws NotTrackedError at the call, if the event was handled already or is being handled. Otherwise as `result`; failures of other events are theirs.
   */
  complete(): Waitable<R[]> {
    this.track();
    return created(new FiringWait<R>(this as unknown as Firing, 'complete'));
  }

  /** No further handler is begun for this event; those that have begun go on. Never switches. For handlers: the filter of events. */
  stop(): void {
    this.#stopped = true;
  }

  /** Have it never handled. True if it was still queued. Never switches; nothing is notified, whoever waits gets EventCancelledError. */
  cancel(): boolean {
    return this.cancelWith(() => new EventCancelledError(String(this)));
  }

  toString(): string {
    return `${this.event} on ${this.channels.map(channelLabel).join(', ')}`;
  }

  /** Follow what it causes from now on. @internal */
  track(): Effects {
    if (this.effects === undefined) {
      if (this.#state === 'handling' || this.#state === 'handled') throw new NotTrackedError(String(this));
      this.effects = new Effects(this as unknown as Firing, undefined);
      if (this.#state === 'cancelled') this.effects.oneEnded();
    }
    return this.effects;
  }

  /** `cause` is not complete before this is. @internal */
  causedBy(cause: Effects): void {
    this.effects = new Effects(this as unknown as Firing, cause);
  }

  /** What is fired now on its behalf is to be an effect of this. @internal */
  get following(): Effects | undefined {
    return this.effects?.completed === false ? this.effects : undefined;
  }

  /** @internal */
  begin(): void {
    this.#state = 'handling';
  }

  /** The handler at `index` has given `value`. @internal */
  give(index: number, value: unknown): void {
    this.#values ??= [];
    this.#values[index] = value;
  }

  /** A handler has thrown. @internal */
  fail(error: unknown): void {
    if (this.#errors === undefined) {
      this.#errors = [error];
      return;
    }
    this.#errors.push(error);
    suppress(this.#errors[0], error);
  }

  /** A handler has ended, or the last one was begun. @internal */
  ended(): void {
    this.open -= 1;
    if (this.open > 0) return;
    this.#state = 'handled';
    this.keeper.handled(this as unknown as Firing);
    if (this.#waiters !== undefined) this.#wake(this.#waiters);
    this.route?.answer();
    this.effects?.oneEnded();
  }

  /** @internal */
  cancelWith(error: () => unknown): boolean {
    if (this.#state !== 'queued') return false;
    this.#state = 'cancelled';
    this.open = 0;
    this.cancelledBy = error;
    this.keeper.cancelled(this as unknown as Firing);
    this.#waiters?.fireAll(error, LAZY);
    this.route?.answer();
    this.effects?.oneEnded();
    return true;
  }

  /** Has it ended in this sense? @internal */
  endedAs(sense: 'handled' | 'complete'): boolean {
    return sense === 'handled' ? this.open === 0 : this.effects?.completed === true;
  }

  /** @internal */
  waitersFor(sense: 'handled' | 'complete'): WaitList {
    return sense === 'handled' ? (this.#waiters ??= new WaitList()) : this.track().waiters;
  }

  /** `error` is one of this event's. Is there, or was there, somebody who is told of it by waiting? @internal */
  claims(error: unknown): boolean {
    if (!this.seen) return false;
    // Later errors hang on the first, if that can carry them.
    const [first] = this.errors;
    if (!Object.is(first, error) && (typeof first !== 'object' || first === null) && typeof first !== 'function')
      return false;
    if (!this.#told) (this.#unclaimed ??= []).push(error);
    return true;
  }

  /** Somebody is thrown the errors now. @internal */
  told(): void {
    this.#told = true;
    this.#unclaimed = undefined;
  }

  /** Somebody has given up waiting for good. @internal */
  abandoned(): void {
    if (this.#told || (this.#waiters?.size ?? 0) + (this.effects?.waiters.size ?? 0) > 0) return;
    this.seen = false;
    for (const error of this.#unclaimed ?? []) this.keeper.report(error, undefined);
    this.#unclaimed = undefined;
  }

  #wake(waiters: WaitList): void {
    if (this.#errors !== undefined && waiters.size > 0) this.told();
    if (this.cancelledBy !== undefined) {
      waiters.fireAll(this.cancelledBy, LAZY);
    } else if (this.#errors !== undefined) {
      waiters.fireAll(this.#errors[0], FAILED);
    } else {
      for (let waiter = waiters.shift(); waiter !== undefined; waiter = waiters.shift()) waiter.fire(this.results, 0);
    }
  }

  /** Everything that it caused is done. @internal */
  isComplete({ waiters, cause }: Effects): void {
    this.keeper.completed(this as unknown as Firing, cause);
    this.#wake(waiters);
  }
}

// What console.log shows, where the host knows this symbol: not the whole tree behind it.
Object.defineProperty(Firing.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: Firing): string {
    return `<${this}, ${this.state}>`;
  },
});
