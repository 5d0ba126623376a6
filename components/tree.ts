// tree.ts: what a tree of components has in common: its events that wait, its handlers, and the books about what is going on.
//
// A tree belongs to its root; a component that is registered elsewhere brings its handlers, its events and whoever waits there. Events wait until the tree runs
// (tree-run.ts); dispatcher.ts hands them to the handlers. Here is decided what an event causes besides: notifications, and what becomes of a failure.
//
// A failure is taken care of by a listener to the event's `failure`, by a handler of `exception`, or by whoever waits for the outcome by the time `exception` is dispatched
// and is told in the end. If there is none, it goes to the hub's error event.
//
// Invariants, between any two steps:
//   active is the number of events of this tree that are queued or being handled
//   settled is up  if and only if  active is 0

import { printable } from '../core/errors.ts';
import { Event } from '../core/event.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { requireScheduler } from '../core/kernel.ts';
import type { Component } from './component.ts';
import { nodeOf } from './component-node.ts';
import type { Dispatcher } from './dispatcher.ts';
import { anyFollowed, type Effects } from './effects.ts';
import { ComponentStoppedError } from './errors.ts';
import { EventQueue } from './event-queue.ts';
import type { AnyEvent, ArgsOf, EventChannel, EventKind, EventOf, ResultsOf } from './event-type.ts';
import { WaitIndex } from './event-wait.ts';
import { Firing, type FiringKeeper } from './firing.ts';
import type { Handler } from './handler.ts';
import { HandlerIndex } from './handler-index.ts';
import { currentFiring } from './handler-run.ts';
import { exception, type FailureOrigin } from './lifecycle.ts';

export class Tree implements FiringKeeper {
  readonly root: Component;
  readonly handlers: HandlerIndex = new HandlerIndex();
  readonly waits: WaitIndex = new WaitIndex();
  readonly settled: Event = new Event({ name: 'of a settled tree' });
  /** Present while the tree runs. */
  dispatcher: Dispatcher | undefined = undefined;
  /** Its body has returned: what there is is brought to its end, and no background work begins. */
  stopping = false;
  /** It is being taken down: nothing is notified any more. */
  ending = false;
  readonly #queue: EventQueue<Firing> = new EventQueue();
  active = 0;

  constructor(root: Component) {
    this.root = root;
    this.settled.set();
  }

  /** Queue an event on somebody's behalf, or on that of whoever is handling one now. */
  fire<E extends AnyEvent>(
    event: E,
    channels: readonly EventChannel[],
    priority: number,
    source: Component,
  ): Firing<ArgsOf<E>, ResultsOf<E>> {
    const firing = new Firing<ArgsOf<E>, ResultsOf<E>>(
      event as unknown as EventOf<ArgsOf<E>, ResultsOf<E>>,
      channels,
      priority,
      source,
      this,
      undefined,
    );
    if (anyFollowed()) this.#follow(firing as unknown as Firing, currentFiring()?.following);
    this.#enqueue(firing as unknown as Firing);
    return firing;
  }

  /** The next event to dispatch. */
  shift(): Firing | undefined {
    for (;;) {
      const firing = this.#queue.shift();
      if (firing === undefined || firing.state === 'queued') return firing;
    }
  }

  /** What was queued in `other`, which has lost its root to this tree, is to be handled here. */
  adopt(other: Tree): void {
    for (let firing = other.shift(); firing !== undefined; firing = other.shift()) {
      firing.keeper = this;
      this.#enqueue(firing);
    }
    other.active = 0;
    other.settled.set();
  }

  /** @internal */
  handled(firing: Firing): void {
    const { kind } = firing;
    if (kind.success !== undefined && firing.errors.length === 0)
      this.#notify(kind.success, firing, [firing, firing.results], firing.following);
    this.#ended();
  }

  /** @internal */
  completed(firing: Firing, cause: Effects | undefined): void {
    const { complete } = firing.kind;
    // What was cancelled has no results to tell of. What the notification causes is an effect of what caused the event, and not of the event itself.
    if (complete !== undefined && firing.state !== 'cancelled')
      this.#notify(complete, firing, [firing, firing.results], cause);
  }

  /** @internal */
  cancelled(firing: Firing): void {
    this.#ended();
    // Nobody will hear of the failure that it tells of.
    if (firing.kind === exception.kind) this.unhandled(firing);
  }

  /** A handler of `firing` has thrown. */
  handlerFailed(
    firing: Firing,
    error: unknown,
    component: Component,
    handler: string,
    greenlet: Greenlet | undefined,
  ): void {
    firing.fail(error);
    const { failure } = firing.kind;
    const known = failure !== undefined && this.#notify(failure, firing, [firing, error], firing.following);
    // Or it would go round for ever.
    if (firing.kind === exception.kind) this.report(error, greenlet);
    else this.failed(error, { component, firing, handler }, greenlet, known);
  }

  /** Something has failed: make it an event. `known`: somebody takes care of it already. */
  failed(error: unknown, origin: FailureOrigin, greenlet: Greenlet | undefined, known = false): void {
    // Left over from a tree that has ended: nobody will handle it.
    if (this.dispatcher === undefined) {
      this.report(error, greenlet);
      return;
    }
    const firing = new Firing(exception(error, origin), ALL_CHANNELS, 0, origin.component, this, origin.firing);
    firing.seen = known;
    this.#follow(firing as unknown as Firing, origin.firing?.following);
    this.#enqueue(firing as unknown as Firing);
  }

  /** An `exception` that nobody handles. */
  unhandled(firing: Firing): void {
    const [error, origin] = firing.event.args as [unknown, FailureOrigin];
    if (firing.seen || origin.firing?.claims(error) === true) return;
    this.report(error, undefined);
  }

  report(error: unknown, greenlet: Greenlet | undefined): void {
    requireScheduler().report(error, greenlet);
  }

  /** The tree has ended: nothing that waits in it will be handled. */
  cancelAll(): void {
    for (let firing = this.shift(); firing !== undefined; firing = this.shift()) {
      const label = String(firing);
      firing.cancelWith(() => new ComponentStoppedError(`${this.root} ended before ${label} was handled`));
    }
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    if (this.settled.isSet !== (this.active === 0)) throw new Error('tree: settled disagrees');
    const handlers = new Set<Handler>();
    for (const { component, tree, parent, leaving, handlers: own } of nodeOf(this.root).subtree()) {
      if (tree !== this) throw new Error(`tree: ${component} believes to be in another one`);
      if (leaving && parent === undefined) throw new Error(`tree: ${component} has nothing to leave`);
      for (const handler of own) handlers.add(handler);
    }
    this.handlers.check(handlers);
    const { dispatcher } = this;
    if (dispatcher?.idle === true && !dispatcher.greenlet.killed && this.#queue.size > 0)
      throw new Error('tree: an event waits for nobody');
  }

  #enqueue(firing: Firing): void {
    if (firing.kind.complete !== undefined && this.#hears(firing.kind.complete, firing.channels)) firing.track();
    this.active += 1;
    if (this.active === 1) this.settled.clear();
    this.#queue.push(firing, firing.priority);
    this.dispatcher?.wake();
  }

  /** Fire the notification `kind` of `of` if anybody listens; says whether. */
  #notify(kind: EventKind, of: Firing, args: readonly unknown[], cause: Effects | undefined): boolean {
    if (this.ending || !this.#hears(kind, of.channels)) return false;
    const make = kind.type as unknown as (...args: readonly unknown[]) => EventOf<readonly unknown[], unknown>;
    const firing = new Firing(make(...args), of.channels, of.priority, of.source, this, of);
    this.#follow(firing, cause);
    this.#enqueue(firing);
    return true;
  }

  #follow(firing: Firing, cause: Effects | undefined): void {
    if (cause !== undefined) firing.causedBy(cause);
  }

  #hears(kind: EventKind, channels: readonly EventChannel[]): boolean {
    return this.handlers.listening(kind, channels) || this.waits.has(kind);
  }

  #ended(): void {
    this.active -= 1;
    if (this.active === 0) this.settled.set();
  }

  toString(): string {
    return printable(this.root.name);
  }
}

const ALL_CHANNELS: readonly EventChannel[] = ['*'];
