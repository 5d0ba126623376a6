// pool.ts: a group of limited size: whoever spawns waits for a place.
//
// A place that becomes free goes to the oldest waiter at once. It is taken again in the same step in which the wait returns, so no place is lost
// to a kill in between.
//
// Invariants, between any two steps:
//   free + members = size, but for places that have been handed to a waiter that has not run yet
//   somebody waits  implies  free <= 0      (below 0 after the pool was made smaller)
// Source: gevent.pool.Pool.

import { rangeError } from './bad-argument.ts';
import type { AnyBody } from './body.ts';
import { composite } from './composite.ts';
import type { Greenlet } from './greenlet.ts';
import { readyResult } from './kernel.ts';
import { Members, spawnMember } from './members.ts';
import type { Body, Op, WaitDescription } from './op.ts';
import type { Scope } from './scope.ts';
import { Wait } from './wait.ts';
import { type Waiter, WaitList } from './wait-list.ts';

/** A group of limited size: spawning waits for a place. */
export class Pool extends Members {
  readonly name: string | undefined;
  #size: number;
  #free: number;
  /** @internal */ readonly waiters: WaitList = new WaitList();
  readonly #place: Place = new Place(this);

  /** @throws RangeError if `size` is no positive integer. */
  constructor(size: number, options: { readonly name?: string | undefined } = {}) {
    super();
    this.#size = requireSize(size);
    this.#free = this.#size;
    this.name = options.name;
  }

  /** How many members there may be at once. */
  get size(): number {
    return this.#size;
  }

  /** How many places are free; 0 while the pool is above its size. */
  get freeCount(): number {
    return Math.max(this.#free, 0);
  }

  /** @internal */
  get usualLookAhead(): number {
    return this.#size * 2;
  }

  /**
   * Spawn a member, waiting for a place.
   *
   * Switches only if there is none. If it throws, nothing was spawned. @throws TypeError if `body` is no function, or what it returns is no Op.
   * @throws Killed if killed while waiting.
   */
  spawn<A extends readonly unknown[], R>(body: Body<A, R>, ...args: A): Op<Greenlet<R>> {
    return composite((spawned: AnyBody<R>) => this.spawnInto(undefined, spawned, args), body as unknown as AnyBody<R>);
  }

  /** Spawn a member if there is a place; undefined otherwise. Never switches. */
  trySpawn<A extends readonly unknown[], R>(body: Body<A, R>, ...args: A): Greenlet<R> | undefined {
    return this.take() ? this.spawnInPlace(undefined, body as unknown as AnyBody<R>, args) : undefined;
  }

  /** Change the size. Never switches. Members above a smaller size go on; no one is admitted until enough have ended. @throws RangeError */
  resize(size: number): void {
    this.#free += requireSize(size) - this.#size;
    this.#size = size;
    this.admitWaiters();
  }

  /** @internal */
  *spawnInto<R>(scope: Scope | undefined, body: AnyBody<R>, args: readonly unknown[]): Op<Greenlet<R>> {
    yield* this.#place;
    return this.spawnInPlace(scope, body, args);
  }

  /** @internal */
  take(): boolean {
    if (this.#free <= 0) return false;
    this.#free -= 1;
    return true;
  }

  protected override left(): void {
    this.#free += 1;
    this.admitWaiters();
  }

  private spawnInPlace<R>(scope: Scope | undefined, body: AnyBody<R>, args: readonly unknown[]): Greenlet<R> {
    let greenlet: Greenlet<R>;
    try {
      greenlet = spawnMember(scope, body, args);
    } catch (error) {
      this.left();
      throw error;
    }
    return this.admit(greenlet);
  }

  private admitWaiters(): void {
    while (this.#free > 0) {
      const waiter = this.waiters.shift();
      if (waiter === undefined) return;
      this.#free -= 1;
      waiter.fire(undefined, 0);
    }
  }
}

class Place extends Wait<void> {
  readonly #pool: Pool;
  constructor(pool: Pool) {
    super();
    this.#pool = pool;
  }
  look(): boolean {
    if (!this.#pool.take()) return false;
    readyResult.value = undefined;
    return true;
  }
  enlist(waiter: Waiter): void {
    this.#pool.waiters.push(waiter);
  }
  retract(waiter: Waiter): void {
    this.#pool.waiters.remove(waiter);
  }
  describe(): WaitDescription {
    const { name, size } = this.#pool;
    return { op: 'spawn', object: `${name === undefined ? 'a pool' : `pool ${name}`} of ${size}` };
  }
}

function requireSize(size: number): number {
  if (!Number.isInteger(size) || size < 1) throw rangeError(`a pool's size is a positive integer, not ${String(size)}`);
  return size;
}
