// group.ts: a group of greenlets without a limit. Its `spawn` never waits.
//
// What it can do with its members is in members.ts; a group of limited size is a Pool.
// Source: gevent.pool.Group.

import type { AnyBody } from './body.ts';
import type { Greenlet } from './greenlet.ts';
import { Members, spawnMember } from './members.ts';
import type { Body, Op } from './op.ts';
import type { Scope } from './scope.ts';

/** Greenlets that are joined, killed and mapped over as one. */
export class Group extends Members {
  /** @internal */ readonly usualLookAhead = 16;

  /** Spawn a member. Never switches. @throws TypeError if `body` is no function, or what it returns is no Op. */
  spawn<A extends readonly unknown[], R>(body: Body<A, R>, ...args: A): Greenlet<R> {
    return this.admit(spawnMember(undefined, body as unknown as AnyBody<R>, args));
  }

  /** How many members are alive. */
  get size(): number {
    return this.members().length;
  }

  /** @internal */
  *spawnInto<R>(scope: Scope | undefined, body: AnyBody<R>, args: readonly unknown[]): Op<Greenlet<R>> {
    return this.admit(spawnMember(scope, body, args));
  }
}
