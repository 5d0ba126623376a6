// readiness.ts: wait for several things in the order in which they become ready: `wait` and `iwait`.
//
// Where select takes one and leaves the others undone, this takes them all, one after the other. Each is looked at, or enlisted with an arm that
// stays until it fires or `close()` retracts it, so a thing that becomes ready between two `next()` is not missed.
//
// Invariants, between any two steps:
//   somebody waits in next()  implies  nothing is ready and something is pending
//   an arm is in #arms        if and only if  it is enlisted
// Source: gevent.iwait, gevent.wait.

/// <reference lib="esnext.disposable" preserve="true" />

import { Arm, type ArmGroup } from './arm.ts';
import { AsyncResult } from './async-result.ts';
import { typeError } from './bad-argument.ts';
import { composite } from './composite.ts';
import { ClosedError } from './errors.ts';
import { Event } from './event.ts';
import { Fifo } from './fifo.ts';
import { endingWait, waitEnded } from './giving-up.ts';
import { Greenlet } from './greenlet.ts';
import { kernel, readyResult } from './kernel.ts';
import { isOp, nameOf, type Op, type Waitable, type WaitDescription } from './op.ts';
import { select } from './select.ts';
import { requireMs, sleepUntil } from './sleep.ts';
import { now } from './spawn.ts';
import { LAZY, type Outcome } from './status.ts';
import { createdOrShared, used } from './unstarted.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

/** What can be waited for: a single wait, or an object that has an obvious one. */
export type Awaitable<T = unknown> = Waitable<T> | Greenlet<T> | Event | AsyncResult<T>;

/** What a thing gives when it is ready: a Waitable its value; a greenlet, an event or a result only the news. */
export type ReadyValue<O> = O extends Waitable<infer T> ? T : undefined;

/** One thing that has become ready. `object` is what was given, at position `key`. */
export type Ready<O extends Awaitable = Awaitable> = { readonly key: number; readonly object: O } & (
  | { readonly ok: true; readonly value: ReadyValue<O> }
  | { readonly ok: false; readonly error: unknown }
);

function waitOf(object: unknown, key: number, taker: string): Wait<unknown> {
  if (object instanceof Wait) {
    used(object);
    return object;
  }
  if (object instanceof Greenlet) return object.join() as unknown as Wait<unknown>;
  if (object instanceof Event || object instanceof AsyncResult) return object.wait() as unknown as Wait<unknown>;
  const hint = isOp(object)
    ? ': it takes single waits; use race() or all() for generators and other composite Ops, until() for a promise'
    : '';
  throw typeError(`${taker}: element ${key} is ${nameOf(object)}${hint}`);
}

/** The things that are waited for, as an iterator whose `next()` is a Waitable. */
export class Readiness<O extends Awaitable = Awaitable> implements ArmGroup {
  readonly #objects: readonly O[];
  readonly #waits: readonly Wait<unknown>[];
  readonly #ready: Fifo<Ready<O>> = new Fifo();
  readonly #arms: Set<Arm> = new Set();
  /** @internal */ readonly waiters: WaitList = new WaitList();
  readonly #next: Waitable<IteratorResult<Ready<O>, undefined>> = new ReadinessNext(this);
  #state: 'new' | 'started' | 'closed' = 'new';
  /** Whoever started it: an arm that takes something (a lock) takes it for this greenlet. @internal */
  waiter!: Waiter;

  constructor(objects: Iterable<O>, taker: string) {
    this.#objects = [...objects];
    this.#waits = this.#objects.map((object, key) => waitOf(object, key, taker));
  }

  /** Wait for the next thing that is ready; `done` when there is none left. @throws Killed if killed while waiting; ClosedError after close(). */
  next(): Waitable<IteratorResult<Ready<O>, undefined>> {
    return createdOrShared(this.#next, () => new ReadinessNext(this));
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Give up what is not ready yet. Idempotent. What was ready and not taken is dropped. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    endingWait();
    try {
      for (const arm of this.#arms) (this.#waits[arm.index] as Wait<unknown>).retract(arm);
      this.#arms.clear();
      this.waiters.fireAll(() => new ClosedError('iwait was closed while next() waited'), LAZY);
    } finally {
      waitEnded();
    }
  }

  /** @internal */
  armFired(arm: Arm, value: unknown, outcome: Outcome): void {
    this.#arms.delete(arm);
    const error = outcome === LAZY ? (value as () => unknown)() : value;
    const ready = this.entry(arm.index, outcome === 0 ? { ok: true, value } : { ok: false, error });
    const waiter = this.waiters.shift();
    if (waiter === undefined) this.#ready.push(ready);
    else waiter.fire({ done: false, value: ready }, 0);
    // The last one is taken: whoever else waits in next() has nothing to wait for.
    if (this.#arms.size === 0 && this.#state === 'started') this.waiters.fireAll({ done: true, value: undefined }, 0);
  }

  /** @internal */
  look(): boolean {
    if (this.#state === 'closed') throw new ClosedError('iwait is closed');
    if (this.#state === 'new') this.start();
    if (this.#ready.size > 0) readyResult.value = { done: false, value: this.#ready.shift() };
    else if (this.#arms.size === 0) readyResult.value = { done: true, value: undefined };
    else return false;
    return true;
  }

  /** @internal */
  describe(): WaitDescription {
    const first = [...this.#arms].slice(0, 3).map(({ index }) => (this.#waits[index] as Wait<unknown>).describe().op);
    return {
      op: 'iwait',
      object: `${this.#arms.size} things (${first.join(', ')}${this.#arms.size > 3 ? ', ...' : ''})`,
    };
  }

  private start(): void {
    const me = kernel.current;
    this.waiter = me;
    this.#state = 'started';
    this.#waits.forEach((wait, key) => {
      const committed = this.lookAt(wait, key, me);
      if (committed !== undefined) {
        this.#ready.push(committed);
        return;
      }
      const arm = new Arm(this, key);
      this.#arms.add(arm);
      wait.enlist(arm);
    });
  }

  private lookAt(wait: Wait<unknown>, key: number, me: Greenlet): Ready<O> | undefined {
    try {
      if (!wait.look(me)) return undefined;
      const { value } = readyResult;
      readyResult.value = undefined;
      return this.entry(key, { ok: true, value });
    } catch (error) {
      return this.entry(key, { ok: false, error });
    }
  }

  private entry(key: number, outcome: { ok: true; value: unknown } | { ok: false; error: unknown }): Ready<O> {
    return { key, object: this.#objects[key], ...outcome } as Ready<O>;
  }
}

class ReadinessNext<O extends Awaitable> extends Wait<IteratorResult<Ready<O>, undefined>> {
  readonly #readiness: Readiness<O>;
  constructor(readiness: Readiness<O>) {
    super();
    this.#readiness = readiness;
  }
  look(): boolean {
    return this.#readiness.look();
  }
  enlist(waiter: Waiter): void {
    this.#readiness.waiters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#readiness.waiters.remove(waiter);
  }
  describe(): WaitDescription {
    return this.#readiness.describe();
  }
}

/**
 * Wait for things one by one, in the order in which they become ready. Never switches itself.
 *
 * Takes Waitables, and greenlets, events and results for their ends. The object's `next()` is a Waitable; call `close()` when you stop early, in
 * a `finally`: what is enlisted stays so until then.
 *
 * @throws TypeError that names the element if one is no single wait.
 * @see https://www.gevent.org/api/gevent.html#gevent.iwait
 */
export function iwait<O extends Awaitable>(objects: Iterable<O>): Readiness<O> {
  return new Readiness<O>(objects, 'iwait');
}

export interface WaitOptions {
  /** How many to wait for; all of them if not given. */
  readonly count?: number | undefined;
  /** Return what is ready after so long. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Wait for several things and return those that are ready, in the order in which they became so.
 *
 * Switches if it has to wait. Ends when all, or `count` of them, are ready, or after `timeoutMs`; that is no error. A thing that fails is ready, with
 * `ok` false. If it throws Killed, what was ready by then is dropped: use iwait to lose nothing.
 *
 * @throws TypeError that names the element if one is no single wait. @throws Killed if killed while waiting.
 * @see https://www.gevent.org/api/gevent.html#gevent.wait
 */
export function wait<O extends Awaitable>(objects: Iterable<O>, options: WaitOptions = {}): Op<Ready<O>[]> {
  const list = [...objects];
  list.forEach((object, key) => void waitOf(object, key, 'wait'));
  const timeoutMs = requireMs(options.timeoutMs ?? Number.POSITIVE_INFINITY, 'wait');
  return composite(collect<O>, list, options.count ?? Number.POSITIVE_INFINITY, timeoutMs);
}

function* collect<O extends Awaitable>(objects: O[], count: number, timeoutMs: number): Op<Ready<O>[]> {
  const readiness = new Readiness<O>(objects, 'wait');
  const time = sleepUntil(now() + timeoutMs);
  const found: Ready<O>[] = [];
  try {
    while (found.length < count) {
      const first = yield* select({ next: readiness.next(), time }, { priority: true });
      if (first.key === 'time' || first.value.done === true) break;
      found.push(first.value.value);
    }
  } finally {
    readiness.close();
  }
  return found;
}
