// members.ts: what a Group and a Pool have in common: greenlets that are joined, killed or mapped over as one.
//
// Membership does not tie lifetimes as a scope does: members are detached, and leave when they end. What a member's failure means is for
// whoever looks at it; map and its kin look.
//
// Invariant, between any two steps: the members are the greenlets that were spawned here and have not ended.
// Source: gevent.pool.Group. Stricter: the children of map, imap and apply die with the greenlet that asked for them.

import { typeError } from './bad-argument.ts';
import type { AnyBody } from './body.ts';
import { composite } from './composite.ts';
import { killAll } from './crowd.ts';
import { Event } from './event.ts';
import { Greenlet } from './greenlet.ts';
import { type ImapOptions, MapIterator } from './imap.ts';
import { kernel } from './kernel.ts';
import { type Body, nameOf, type Op, type Waitable } from './op.ts';
import { type Scope, scope } from './scope.ts';

export abstract class Members {
  readonly #members: Set<Greenlet> = new Set();
  readonly #empty: Event = new Event({ name: 'of an empty group' });

  constructor() {
    this.#empty.set();
  }

  /** How many items `imap` works ahead if it is not told. @internal */
  abstract readonly usualLookAhead: number;

  /** Make a member, in `scope` or detached, waiting for a place if places are limited. @internal */
  abstract spawnInto<R>(scope: Scope | undefined, body: AnyBody<R>, args: readonly unknown[]): Op<Greenlet<R>>;

  /** Is `greenlet` a living member? */
  has(greenlet: Greenlet<unknown>): boolean {
    return this.#members.has(greenlet as Greenlet);
  }

  /** The living members, oldest first. */
  members(): Greenlet[] {
    return [...this.#members];
  }

  /** Wait until no member is alive. Switches if one is. @throws Killed if killed while waiting: the members go on. */
  join(): Waitable<void> {
    return this.#empty.wait();
  }

  /** Kill all members and wait until they have ended. Switches. @throws Killed if killed while waiting: the kills stay. */
  kill(reason?: unknown): Op<void> {
    return composite(() => killAll(this.#members, reason));
  }

  /**
   * Run `body(item)` for each item, as many at once as there are places, and return the results in the order of the items.
   *
   * Switches. If one fails, or the caller is killed, the others are killed and awaited.
   *
   * @throws the first error in time. @throws TypeError if `body` is no function or `items` is not iterable.
   */
  map<I, R>(body: (item: I) => Op<R>, items: Iterable<I>): Op<R[]> {
    requireMapping(body, items, 'map');
    return scope((s) => mapInto(this, s, body, items));
  }

  /**
   * Run `body(item)` for each item and give the results one by one, in the order of the items. Never switches itself.
   *
   * At most `lookAhead` items are in work, or finished and not yet taken. The children die with the greenlet that called, and with `close()`.
   */
  imap<I, R>(body: (item: I) => Op<R>, items: Iterable<I>, options: ImapOptions = {}): MapIterator<R> {
    requireMapping(body, items, 'imap');
    return new MapIterator<R>(this, body as AnyBody<R>, items, true, options);
  }

  /** As `imap`, in the order in which the results come. */
  imapUnordered<I, R>(body: (item: I) => Op<R>, items: Iterable<I>, options: ImapOptions = {}): MapIterator<R> {
    requireMapping(body, items, 'imapUnordered');
    return new MapIterator<R>(this, body as AnyBody<R>, items, false, options);
  }

  /**
   * Run `body(...args)` in a member and return its value; inside a member it runs in place, so that a full pool does not wait for itself.
   *
   * Switches. @throws what the body throws. @throws Killed if killed while waiting: the member is killed too.
   */
  apply<A extends readonly unknown[], R>(body: Body<A, R>, ...args: A): Op<R> {
    if (this.#members.has(kernel.current)) return composite(body, ...args);
    return scope((s) => applyInto(this, s, body as unknown as AnyBody<R>, args));
  }

  /** Count `greenlet` among the members until it ends. @internal */
  protected admit<R>(greenlet: Greenlet<R>): Greenlet<R> {
    const member = greenlet as Greenlet;
    if (member.state === 'done') {
      this.left(); // born killed, in a scope that is dying
      return greenlet;
    }
    this.#members.add(member);
    this.#empty.clear();
    member.onEnd(() => {
      this.#members.delete(member);
      if (this.#members.size === 0) this.#empty.set();
      this.left();
    });
    return greenlet;
  }

  /** A member has ended. */
  protected left(): void {}
}

/** Make the greenlet of a member. */
export function spawnMember<R>(scope: Scope | undefined, body: AnyBody<R>, args: readonly unknown[]): Greenlet<R> {
  if (scope !== undefined) return scope.spawn(body as (...args: unknown[]) => Op<R>, ...args);
  return new Greenlet<R>(body, ...args).start();
}

function* mapInto<I, R>(members: Members, s: Scope, body: (item: I) => Op<R>, items: Iterable<I>): Op<R[]> {
  const children: Greenlet<R>[] = [];
  for (const item of items) children.push(yield* members.spawnInto<R>(s, body as AnyBody<R>, [item]));
  const results: R[] = [];
  for (const child of children) results.push(yield* child.get());
  return results;
}

function* applyInto<R>(members: Members, s: Scope, body: AnyBody<R>, args: readonly unknown[]): Op<R> {
  const child = yield* members.spawnInto<R>(s, body, args);
  return yield* child.get();
}

function requireMapping(body: unknown, items: unknown, taker: string): void {
  if (typeof body !== 'function') throw typeError(`${taker} takes a generator function first, not ${nameOf(body)}`);
  if (typeof (items as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== 'function') {
    throw typeError(`${taker} takes an iterable of items, not ${nameOf(items)}`);
  }
}
