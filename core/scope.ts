// scope.ts: a list of greenlets that belong together, and `scope()`, which ends only after all of them have.
//
// The children are linked through fields of their own records. The root scope of a scheduler has the same list and no body: it holds
// every detached greenlet, so the lists together are the registry of all live greenlets.
//
// What a scope()'s end looks like (S9): the body returns and the children end by themselves; or something fails (a child, the body) and
// the rest is killed and awaited, masked without limit, because level-triggered kill bounds each child. The first error in time is
// rethrown unchanged; later ones hang on it.
//
// Invariants, between any two steps:
//   size is the number of linked children, all started and not done
//   state 'closed'  implies  size is 0
// Source: trio's nurseries.

import { AsyncResult } from './async-result.ts';
import { typeError } from './bad-argument.ts';
import type { AnyBody } from './body.ts';
import { composite } from './composite.ts';
import {
  GreenletKilledError,
  isKilled,
  NotInGreenletError,
  OpIteratedError,
  ScopeClosedError,
  suppress,
  UsageError,
} from './errors.ts';
import { Frame } from './frame.ts';
import { Greenlet } from './greenlet.ts';
import { kernel, readyResult } from './kernel.ts';
import type { Body, Op, Resume, Trap, WaitDescription } from './op.ts';
import type { Scheduler } from './scheduler.ts';
import { shield } from './shield.ts';
import { CLOSING, DONE, FAILED, KILLED, STARTED } from './status.ts';
import { created } from './unstarted.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

/** What `scope(body)` hands to its body: spawn children that the scope will not outlive. */
export class Scope {
  readonly scheduler: Scheduler;
  /** The frame in the owner's greenlet; undefined for a root scope. */
  readonly #frame: ScopeFrame | undefined;
  state: 'open' | 'dying' | 'closed' = 'open';
  size = 0;
  first: Greenlet | undefined = undefined;
  #last: Greenlet | undefined = undefined;
  #errors: unknown[] = [];
  #enders: ((well: boolean) => void)[] | undefined = undefined;
  readonly #drainers: WaitList = new WaitList();
  readonly #drained: Drained = new Drained(this, this.#drainers);

  constructor(scheduler: Scheduler, frame: ScopeFrame | undefined) {
    this.scheduler = scheduler;
    this.#frame = frame;
    if (frame !== undefined) frame.scope = this;
  }

  /**
   * Spawn a child: it runs after the caller next waits, and the scope does not end before it.
   *
   * Never switches. In a scope that is dying the child is born killed.
   *
   * @throws ScopeClosedError if the scope has ended. @throws TypeError if `body` is no function or gives no Op.
   */
  spawn<T>(body: () => Op<T>): Greenlet<T>;
  spawn<A extends readonly unknown[], T>(body: Body<A, T>, ...args: A): Greenlet<T>;
  spawn(body: AnyBody<unknown>, ...args: unknown[]): Greenlet {
    if (this.state === 'closed') throw new ScopeClosedError();
    const child: Greenlet = new Greenlet(body, ...args);
    child.scope = this;
    child.start();
    if (this.state === 'dying') child.kill('its scope is dying');
    return child;
  }

  /**
   * Spawn a child and wait until it calls its first argument, `ready(value)`; returns that value. The child goes on.
   *
   * Switches. An error of the child before that is thrown here and does not end the scope; if this wait is killed, so is the child.
   *
   * @throws what the child throws before it is ready; UsageError if it ends without. Otherwise as `spawn`.
   * @see https://trio.readthedocs.io/en/stable/reference-core.html#trio.Nursery.start
   */
  start<R, A extends readonly unknown[]>(
    body: (ready: (value: R) => void, ...args: A) => Op<unknown>,
    ...args: A
  ): Op<R> {
    return composite(() => startReady(this, body, args));
  }

  /** Kill every child, and those that are spawned from now on. */
  killChildren(reason: unknown): void {
    if (this.state === 'open') this.state = 'dying';
    for (let child = this.first; child !== undefined; ) {
      // A child that has not run yet ends, and is unlinked, within kill().
      const next: Greenlet | undefined = child.scopeNext;
      child.kill(reason);
      child = next;
    }
  }

  /** @internal */
  add(child: Greenlet): void {
    this.link(child);
    this.scheduler.greenletStarted(child);
  }

  private link(child: Greenlet): void {
    child.scopePrev = this.#last;
    if (this.#last === undefined) this.first = child;
    else this.#last.scopeNext = child;
    this.#last = child;
    this.size += 1;
  }

  /** @internal */
  childEnded(child: Greenlet): void {
    if ((child.status & STARTED) === 0) return;
    this.unlink(child);
    this.scheduler.greenletEnded(child);
    if (this.#frame === undefined) return;
    if ((child.status & (FAILED | KILLED)) === FAILED) this.fail(child.value);
    if (this.size === 0) this.#drainers.fireAll(undefined, 0);
  }

  private unlink(child: Greenlet): void {
    const { scopeNext, scopePrev } = child;
    if (scopePrev === undefined) this.first = scopeNext;
    else scopePrev.scopeNext = scopeNext;
    if (scopeNext === undefined) this.#last = scopePrev;
    else scopeNext.scopePrev = scopePrev;
    child.scopeNext = undefined;
    child.scopePrev = undefined;
    this.size -= 1;
  }

  /** Note an error and bring everything in this scope to its end. */
  fail(error: unknown): void {
    this.#errors.push(error);
    this.killChildren('a sibling failed');
    this.#frame?.cancel('a child failed');
  }

  /** Run `body` in the current greenlet; end when it and all children have. */
  *run<T>(body: (scope: Scope) => Op<T>): Generator<Trap, T, Resume> {
    let outcome: { value: T } | undefined;
    let killed: unknown;
    try {
      outcome = { value: yield* body(this) };
      if (this.size > 0) yield* this.#drained;
    } catch (error) {
      if (isKilled(error)) {
        // Ours, or one from outside on its way out: which of the two is decided when all children have ended.
        killed = error;
        this.killChildren(error.reason);
      } else {
        this.fail(error);
      }
    } finally {
      // Reached with children alive only by force (S3's close): they are killed and end by themselves.
      if (((this.#frame as ScopeFrame).greenlet.status & CLOSING) !== 0) this.abandon();
    }
    while (this.size > 0) {
      try {
        yield* shield(Number.POSITIVE_INFINITY, this.#drained);
      } catch (error) {
        this.fail(error); // thrown in with throw(); we still wait
        // Iterated by hand, this would be started, and refused, for ever.
        if (error instanceof OpIteratedError) this.abandon();
      }
    }
    this.close(this.#errors.length === 0 && killed === undefined);
    if (this.#errors.length > 0) throw this.firstError();
    if (killed !== undefined) throw killed;
    return (outcome as { value: T }).value;
  }

  close(well: boolean): void {
    this.state = 'closed';
    for (const ender of this.#enders ?? []) ender(well);
    this.#enders = undefined;
    this.#frame?.leave();
  }

  /** Have the library do `ender` when this scope has ended, all children included, and tell it whether it ended well: nothing failed or was killed. It must not throw. @internal */
  onEnd(ender: (well: boolean) => void): void {
    this.#enders ??= [];
    this.#enders.push(ender);
  }

  private firstError(): unknown {
    const [first, ...later] = this.#errors;
    for (const error of later) {
      if (!suppress(first, error)) this.scheduler.report(error, this.#frame?.greenlet);
    }
    return first;
  }

  /** End without waiting: the children are killed and belong to the root scope from now on. @internal */
  abandon(): void {
    this.killChildren('the scope was closed by force');
    const { root } = this.scheduler;
    for (let child = this.first; child !== undefined; ) {
      const next: Greenlet | undefined = child.scopeNext;
      this.unlink(child);
      child.scope = root;
      root.link(child);
      child = next;
    }
    this.close(false);
  }

  /** The children, oldest first: for reports and checks. */
  children(): Greenlet[] {
    const all: Greenlet[] = [];
    for (let child = this.first; child !== undefined; child = child.scopeNext) all.push(child);
    return all;
  }
}

function* startReady<R, A extends readonly unknown[]>(
  s: Scope,
  body: (ready: (value: R) => void, ...args: A) => Op<unknown>,
  args: A,
): Op<R> {
  const started = new AsyncResult<R>({ name: 's.start' });
  const ready = (value: R): void => started.set(value);
  const child = s.spawn(function* () {
    try {
      yield* body(ready, ...args);
      if (!started.ready) started.setError(new UsageError('the body given to s.start ended without calling ready()'));
    } catch (error) {
      if (started.ready || isKilled(error)) throw error;
      started.setError(error);
    } finally {
      if (!started.ready)
        started.setError(new GreenletKilledError('the greenlet given to s.start', undefined, undefined));
    }
  });
  try {
    return yield* started.get();
  } catch (error) {
    if (isKilled(error)) child.kill(error.reason);
    throw error;
  }
}

class ScopeFrame extends Frame {
  scope!: Scope;

  override ownerEnds(): void {
    this.scope.abandon();
  }
}

/** The scopes that `greenlet` has open, innermost first. */
export function* openScopes(greenlet: Greenlet): Generator<Scope> {
  for (let { frame } = greenlet; frame !== undefined; frame = frame.outer) {
    if (frame instanceof ScopeFrame) yield frame.scope;
  }
}

/** The wait of a scope for its children. */
class Drained extends Wait<void> {
  readonly #scope: Scope;
  readonly #waiters: WaitList;
  constructor(scope: Scope, waiters: WaitList) {
    super();
    this.#scope = scope;
    this.#waiters = waiters;
  }
  look(): boolean {
    if (this.#scope.size > 0) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#waiters.remove(waiter);
  }
  describe(): WaitDescription {
    return { op: 'end of scope', object: `${this.#scope.size} children` };
  }
}

class ScopeOp<T> implements Op<T> {
  readonly #body: (scope: Scope) => Op<T>;
  constructor(body: (scope: Scope) => Op<T>) {
    this.#body = body;
  }

  *[Symbol.iterator](): Generator<Trap, T, Resume> {
    const me = kernel.current;
    if ((me.status & DONE) !== 0) throw new NotInGreenletError('scope');
    const frame = new ScopeFrame('scope', me);
    const scope = new Scope(me.scope.scheduler, frame);
    frame.enter();
    return yield* scope.run(this.#body);
  }
}

/**
 * Run `body(s)` in this greenlet and end when it and every child that it spawned with `s.spawn` have ended.
 *
 * Switches as the body does, and at the end if children are still alive; that wait is a blocking point. If a child or the body fails, all the
 * others are killed and awaited, and the first error in time is rethrown unchanged (`suppressedErrors(error)` has the rest).
 * Returning does not kill children.
 *
 * @throws whatever the body or a child throws. @throws Killed if this greenlet is killed: the children are killed and awaited first.
 * @see https://trio.readthedocs.io/en/stable/reference-core.html#nurseries-and-spawning
 */
export function scope<T>(body: (scope: Scope) => Op<T>): Op<T> {
  if (typeof body !== 'function') throw typeError('scope takes a generator function: scope(function* (s) {...})');
  return created(new ScopeOp(body));
}
