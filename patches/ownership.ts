// ownership.ts: what a greenlet opens dies with it: who owns a handle, and what becomes of it when its owner ends.
//
// The owner is the innermost scope() that the greenlet has open, else the greenlet itself. When it ends, after all `finally` blocks, what is still open is
// destroyed, newest first; if it ended well, that is reported as a leak. Nothing is owned outside greenlets.
//
// Nothing is hung on a handle: whether one is closed is looked up when the next ones are opened, so that a greenlet which makes a million timers one after
// another holds the records of a few. An owner does not know of each close, but never holds more than twice what is open, and a few.
//
// Invariants, between any two steps:
//   a record is in its owner's holdings  if and only if  the owner has not ended and the record was neither released, moved, nor found closed
//   records has the handle of each record in holdings
// Source: the ownership of handles is ours; gevent leaves them to the garbage collector.

import { typeError } from '../core/bad-argument.ts';
import { onCancel } from '../core/cancellation.ts';
import { NotInGreenletError } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { kernel } from '../core/kernel.ts';
import { nameOf } from '../core/op.ts';
import { openScopes, type Scope } from '../core/scope.ts';
import { DONE, FAILED, KILL_REQUESTED } from '../core/status.ts';
import type { CallPlace } from './call-sites.ts';
import { type Kind, kindOf } from './ownership-kinds.ts';
import { reportLeak } from './ownership-leaks.ts';
import { openerOf } from './ownership-opener.ts';

class Owned {
  readonly kind: Kind;
  readonly handle: object;
  readonly opener: CallPlace | undefined;
  /** What the program has in its hands. */
  readonly shown: object;
  owner: Owner | undefined = undefined;
  unwatch: (() => void) | undefined = undefined;

  constructor(kind: Kind, handle: object, opener: CallPlace | undefined, shown: object) {
    this.shown = shown;
    this.kind = kind;
    this.handle = handle;
    this.opener = opener;
  }

  get gone(): boolean {
    return this.kind.gone(this.handle);
  }

  /** Belong to `owner` from now on, or to nobody. */
  moveTo(owner: Owner | undefined): void {
    this.owner?.holdings.delete(this);
    this.unwatch?.();
    this.unwatch = undefined;
    this.owner = owner;
    if (owner === undefined) {
      if (records.get(this.shown) === this) records.delete(this.shown);
      return;
    }
    records.set(this.shown, this);
    owner.add(this);
  }
}

/** The record of each handle that has an owner. */
const records = new WeakMap<object, Owned>();

/** The last record of each handle that was released: what it is, and where it was opened, for whoever adopts it. */
const released = new WeakMap<object, Owned>();

/** So many records may be of handles that are closed. */
const FEW = 16;

class Owner {
  readonly holdings: Set<Owned> = new Set();
  readonly #name: string;
  readonly #greenlet: Greenlet;
  #sweepAt = FEW;

  constructor(greenlet: Greenlet, scope: Scope | undefined) {
    this.#greenlet = greenlet;
    this.#name = scope === undefined ? greenlet.name : `a scope of ${greenlet.name}`;
    if (scope === undefined) greenlet.onEnd(() => this.#end((greenlet.status & (FAILED | KILL_REQUESTED)) === 0));
    else scope.onEnd((well) => this.#end(well));
  }

  add(owned: Owned): void {
    if (this.holdings.size >= this.#sweepAt) this.sweep();
    this.holdings.add(owned);
  }

  /** Let go of what is closed. */
  sweep(): void {
    for (const owned of this.holdings) if (owned.gone) owned.moveTo(undefined);
    this.#sweepAt = Math.max(FEW, 2 * this.holdings.size);
  }

  #end(well: boolean): void {
    for (const owned of [...this.holdings].reverse()) {
      owned.moveTo(undefined);
      guarded(this.#greenlet, () => this.#finish(owned, well));
    }
  }

  #finish({ kind, handle, opener, shown, gone }: Owned, well: boolean): void {
    if (gone || (well && kind.ending?.(handle) === true)) return;
    if (well && kind.quiet?.(handle) !== true) {
      const opened = opener?.stack(`${kind.name} opened`) ?? '';
      const leak = { kind: kind.name, handle: shown, owner: this.#name, opened };
      reportLeak(this.#greenlet.scope.scheduler, opener?.place ?? '', leak);
    }
    kind.destroy(handle);
  }
}

const owners = new WeakMap<Greenlet | Scope, Owner>();

function ownerIn(greenlet: Greenlet): Owner {
  let innermost: Scope | undefined;
  for (const scope of openScopes(greenlet)) {
    // One that is closing has no end any more at which the handle could die.
    if (scope.state === 'closed') continue;
    innermost = scope;
    break;
  }
  const key = innermost ?? greenlet;
  let owner = owners.get(key);
  if (owner === undefined) owners.set(key, (owner = new Owner(greenlet, innermost)));
  return owner;
}

/** The greenlet that runs; undefined outside of greenlets, and in one that is ending. */
export function runningGreenlet(): Greenlet | undefined {
  const me = kernel.current;
  return (me.status & DONE) === 0 ? me : undefined;
}

/** `handle`, which the program has as `shown`, was opened at `opener` by `greenlet`, which runs now: it belongs to it from now on. */
export function take(
  greenlet: Greenlet,
  kind: Kind,
  handle: object,
  opener: CallPlace | undefined,
  shown: object = handle,
): void {
  const known = records.get(shown);
  if (known?.handle === handle) known.moveTo(undefined);
  const owned = new Owned(kind, handle, opener, shown);
  owned.moveTo(ownerIn(greenlet));
  if (kind.atOnce !== true) return;
  owned.unwatch = onCancel(
    greenlet,
    () => {
      owned.moveTo(undefined);
      guarded(greenlet, () => {
        if (!owned.gone) kind.destroy(handle);
      });
    },
    true,
  );
}

/** Do `work` in a place that must not throw, such as a kill: of what a program has adopted, any method may be its own. */
export function guarded(greenlet: Greenlet, work: () => void): void {
  try {
    work();
  } catch (error) {
    greenlet.scope.scheduler.report(error, undefined);
  }
}

/** Keep the place for a handle that is to come. What is returned is to be called with it, or with undefined if it could not be opened. */
export function reserve(greenlet: Greenlet, kind: Kind, opener: CallPlace): (handle: object | undefined) => void {
  const owner = ownerIn(greenlet);
  let ended = false;
  const placeholder = new Owned(pending, {}, opener, {});
  owner.add(placeholder);
  placeholder.owner = owner;
  placeholder.unwatch = () => {
    ended = true;
  };
  return (handle) => {
    if (ended) {
      if (handle !== undefined) kind.destroy(handle);
      return;
    }
    placeholder.unwatch = undefined;
    placeholder.moveTo(undefined);
    if (handle !== undefined) new Owned(kind, handle, opener, handle).moveTo(owner);
  };
}

/** What is being opened: there is nothing to destroy yet, and nothing to report. */
const pending: Kind = { name: 'handle', gone: () => false, quiet: () => true, destroy: () => {} };

/**
 * Take `handle` over into the innermost scope of the current greenlet, or into the greenlet itself: it dies when that ends. Returns it. Never switches.
 *
 * Whoever owned it before does not any more. A handle that nobody owned, because a package or code outside greenlets has opened it, is owned from now on.
 *
 * @throws NotInGreenletError in ordinary code. @throws TypeError for what is no timer, socket, server, stream, request, watcher, file handle or child process.
 */
export function adopt<T extends object>(handle: T): T {
  const me = runningGreenlet();
  if (me === undefined) throw new NotInGreenletError('adopt()');
  const known = records.get(handle) ?? released.get(handle);
  const kind = known?.kind ?? kindOf(handle);
  if (kind === undefined) throw notAHandle('adopt', handle);
  take(me, kind, known?.handle ?? handle, known?.opener ?? openerOf(adopt), handle);
  return handle;
}

/**
 * Make `handle` nobody's: it outlives whoever opened it, and has to be closed by the program. Returns it. Never switches.
 *
 * What nobody owns stays so.
 *
 * @throws TypeError for what is no object.
 */
export function release<T extends object>(handle: T): T {
  if (typeof handle !== 'object' || handle === null) throw notAHandle('release', handle);
  const known = records.get(handle);
  if (known !== undefined) {
    known.moveTo(undefined);
    released.set(handle, known);
  }
  return handle;
}

function notAHandle(where: string, given: unknown): TypeError {
  return typeError(
    `${where} takes a timer, socket, server, stream, request, watcher, file handle or child process, not ${nameOf(given)}`,
  );
}

/** How many handles the current greenlet and its innermost scope own that are open. @internal */
export function ownedNow(greenlet: Greenlet): number {
  const owner = ownerIn(greenlet);
  owner.sweep();
  return owner.holdings.size;
}
