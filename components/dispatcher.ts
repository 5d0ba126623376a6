// dispatcher.ts: hands the events of a tree that runs to their handlers, one event after the other, in one greenlet.
//
// An event's handlers are begun in their order, and the next event comes when all are begun. A plain handler has ended by then. One that is a greenlet has come to
// its first wait: the dispatcher waits for that, so that it can stop the event before the next one is begun. From there on it goes by itself.
//
// After so many events the dispatcher gives way, so that a burst of them holds up nobody.
//
// Invariants, between any two steps:
//   runs has each handler that was made a greenlet and has not ended
//   the dispatcher is parked  implies  no event is queued, or the handler that was made last has not begun
// Source: circuits' Manager._dispatcher and processTask; there a generator handler is only begun when all events that are queued have been dispatched.

import { typeError } from '../core/bad-argument.ts';
import { GreenletKilledError, isKilled } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { park, unpark } from '../core/idle.ts';
import { isOp, nameOf, type Op } from '../core/op.ts';
import type { Scope } from '../core/scope.ts';
import { yieldNow } from '../core/sleep.ts';
import { nodeOf } from './component-node.ts';
import { ComponentStoppedError } from './errors.ts';
import type { EventKind } from './event-type.ts';
import type { Firing } from './firing.ts';
import type { Handler } from './handler.ts';
import { callPlain, HandlerRun, worksFor } from './handler-run.ts';
import { anyEvent, exception, unregistering } from './lifecycle.ts';
import type { Tree } from './tree.ts';

/** So many events are dispatched before everybody else has a turn. */
const EVENTS_PER_STEP = 32;

export class Dispatcher {
  readonly runs: Set<HandlerRun> = new Set();
  readonly scope: Scope;
  readonly tree: Tree;
  readonly greenlet: Greenlet<void>;
  /** There was no event. */
  idle = false;
  /** The event whose handlers are being begun. */
  #firing: Firing | undefined = undefined;
  /** The handler that was made a greenlet and has not begun. */
  beginning: HandlerRun | undefined = undefined;

  constructor(tree: Tree, scope: Scope) {
    this.tree = tree;
    this.scope = scope;
    this.greenlet = scope.spawn(dispatching, this);
    this.greenlet.rare().name = `events of ${tree}`;
    worksFor(this.greenlet, null);
  }

  /** An event was queued. */
  wake(): void {
    if (!this.idle) return;
    this.idle = false;
    unpark(this.greenlet);
  }

  /** Dispatch no more. */
  stop(): void {
    this.greenlet.kill('the tree has ended');
  }

  /** Whoever is still at it has been killed, or abandoned: close the books. */
  abandon(): void {
    for (const run of [...this.runs]) this.killed(run);
    if (this.#firing === undefined) return;
    this.#firing.fail(
      new ComponentStoppedError(`${this.tree.root} ended before all handlers of ${this.#firing} were begun`),
    );
    this.close();
  }

  /** Kill a handler. True for the call that asked first. */
  kill(run: HandlerRun, reason: unknown): boolean {
    if (!run.greenlet.kill(reason)) return false;
    // Killed before it began it never does, and nothing of it is left to tell.
    if (!run.begun) this.killed(run);
    return true;
  }

  /** Begin with `firing`. @internal */
  open(firing: Firing): readonly Handler[] {
    const { handlers, waits } = this.tree;
    this.#firing = firing;
    firing.begin();
    if (waits.size > 0) {
      waits.wake(firing.kind, firing);
      waits.wake(anyEvent.kind, firing);
    }
    const found = handlers.find(firing.kind, firing.channels);
    if (
      firing.kind === exception.kind &&
      found.every((handler) => handler.forAll || isOut(handler, firing.kind, this.tree))
    )
      this.tree.unhandled(firing);
    return found;
  }

  /** Begin the handlers from `from` on. Where to go on once the one that was made a greenlet has begun; -1 when all are. */
  begin(handlers: readonly Handler[], from: number): number {
    const firing = this.#firing as Firing;
    for (let at = from; at < handlers.length && !firing.stopped; at += 1) {
      const handler = handlers[at] as Handler;
      if (isOut(handler, firing.kind, this.tree)) continue;
      const index = firing.begun;
      firing.begun += 1;
      if (handler.mode === 'greenlet') {
        this.#spawn(firing, handler, index, undefined);
        return at + 1;
      }
      let value: unknown;
      try {
        value = callPlain(firing, handler, argsFor(handler, firing));
        if (typeof value === 'object' && value !== null) {
          if (isOp(value)) {
            this.#spawn(firing, handler, index, value);
            return at + 1;
          }
          refusePromise(value, handler);
        }
      } catch (error) {
        this.tree.handlerFailed(firing, error, handler.component, handler.name, undefined);
        continue;
      }
      if (value !== undefined) firing.give(index, value);
    }
    return -1;
  }

  /** All its handlers are begun. @internal */
  close(): void {
    const firing = this.#firing as Firing;
    this.#firing = undefined;
    firing.ended();
  }

  #spawn(firing: Firing, handler: Handler, index: number, op: Op<unknown> | undefined): void {
    const run = new HandlerRun(this, firing, handler, index);
    firing.open += 1;
    this.runs.add(run);
    nodeOf(handler.component).runs.add(run);
    this.beginning = run;
    run.greenlet = this.scope.spawn(running, this, run, op);
    worksFor(run.greenlet, firing);
  }

  /** @internal */
  hasBegun(run: HandlerRun): void {
    run.begun = true;
    if (this.beginning !== run) return;
    this.beginning = undefined;
    unpark(this.greenlet);
  }

  /** A handler has thrown what is not its kill. @internal */
  failed({ firing, handler, greenlet, ended }: HandlerRun, error: unknown): void {
    // The books are closed: only whoever watches the hub is left.
    if (ended) this.tree.report(error, greenlet as Greenlet);
    else this.tree.handlerFailed(firing, error, handler.component, handler.name, greenlet as Greenlet);
  }

  /** @internal */
  killed(run: HandlerRun): void {
    if (run.ended) return;
    this.hasBegun(run);
    const { greenlet, handler } = run;
    const { outcome } = greenlet;
    const cause = outcome?.ok === false ? outcome.error : undefined;
    run.firing.fail(new GreenletKilledError(labelOf(handler), greenlet.side?.base?.reason, cause));
    this.ended(run);
  }

  /** @internal */
  ended(run: HandlerRun): void {
    if (run.ended) return;
    run.ended = true;
    this.runs.delete(run);
    nodeOf(run.handler.component).runs.delete(run);
    run.firing.ended();
  }
}

// These two are hoisted, as every body in a hot path: to make a generator function costs more than to spawn it.

function* dispatching(dispatcher: Dispatcher): Op<void> {
  const { tree, greenlet } = dispatcher;
  for (let count = 1; ; count += 1) {
    // A kill that came with the last wake is to find no further event begun.
    const firing = greenlet.killed ? undefined : tree.shift();
    if (firing === undefined) {
      dispatcher.idle = true;
      yield* park();
      continue;
    }
    const handlers = dispatcher.open(firing);
    for (let at = dispatcher.begin(handlers, 0); at >= 0; at = dispatcher.begin(handlers, at)) {
      while (dispatcher.beginning !== undefined) yield* park();
    }
    dispatcher.close();
    if (count % EVENTS_PER_STEP === 0) yield* yieldNow();
  }
}

function* running(dispatcher: Dispatcher, run: HandlerRun, op: Op<unknown> | undefined): Op<void> {
  const { firing, handler } = run;
  dispatcher.hasBegun(run);
  try {
    const value = yield* op ??
      (handler.body.apply(handler.component, argsFor(handler, firing) as unknown[]) as Op<unknown>);
    if (typeof value === 'object' && value !== null) refusePromise(value, handler);
    if (value !== undefined) firing.give(run.index, value);
    dispatcher.ended(run);
  } catch (error) {
    if (isKilled(error) && run.greenlet.killed) throw error;
    dispatcher.failed(run, error);
    dispatcher.ended(run);
  } finally {
    // Still open: it was killed, or has ignored its kill and was closed by force.
    dispatcher.killed(run);
  }
}

/** Has it gone since the event was found to be for it, or is it about to? */
function isOut(handler: Handler, kind: EventKind, tree: Tree): boolean {
  if (handler.removed) return true;
  const node = nodeOf(handler.component);
  return node.tree !== tree || (node.leaving && kind !== unregistering.kind);
}

function argsFor(handler: Handler, firing: Firing): readonly unknown[] {
  return handler.forAll ? [firing] : firing.event.args;
}

function refusePromise(value: object, handler: Handler): void {
  if (typeof (value as { then?: unknown }).then !== 'function') return;
  throw typeError(
    `${labelOf(handler)} returned ${nameOf(value)}: write function*, and \`yield* until(promise)\` for await`,
  );
}

function labelOf({ name, component }: Handler): string {
  return `${name} of ${component}`;
}
