// greenlet.ts: one green thread: its record, and what one may do to it from outside.
//
// The record has 16 fields and no more (the rest is in side.ts): the field count decides memory and spawn speed. A private method would be a hidden
// 17th, by which V8 knows the class, in every record. It is a waiter itself, so that a wait for one thing allocates nothing.
//
// Invariants, between any two steps:
//   state parked          implies  waitingOn is defined, and this (or an arm of it) is enlisted there exactly once
//   state new or ready    implies  at most one live entry of the run queue is this
//   state done            implies  iterator, frame and waitingOn are undefined, and `value` is the outcome
//   a started live greenlet is in exactly one scope's list of children
// Sources: greenlet and gevent (names), trio (level-triggered kill); S2 to S6 and S10 of the semantics.

import { type AnyBody, callBody } from './body.ts';
import { probe } from './call-frames.ts';
import { end, failureOf } from './end.ts';
import { InternalError, Killed, UsageError } from './errors.ts';
import { attentionChanged, Frame, interruptionChanged } from './frame.ts';
import { GetWait, JoinWait } from './join.ts';
import { kernel, requireScheduler } from './kernel.ts';
import { Link, type LinkTarget, type LinkWhen } from './links.ts';
import type { Resume, Trap, Waitable } from './op.ts';
import type { Scheduler } from './scheduler.ts';
import type { Scope } from './scope.ts';
import { type ParentLink, Side } from './side.ts';
import {
  DAEMON,
  DELAYED,
  DONE,
  FAILED,
  type GreenletState,
  KILL_REQUESTED,
  NEW,
  type Outcome,
  PARKED,
  READY,
  SEEN,
  STARTED,
  STATE,
  stateName,
} from './status.ts';
import type { Timer } from './timers.ts';
import { created } from './unstarted.ts';
import type { Wait } from './wait.ts';
import type { Waiter, WaitList } from './wait-list.ts';

/** How a greenlet ended. `killed` tells whether a kill had been asked for; the error of a killed one is a GreenletKilledError. */
export type GreenletOutcome<T> =
  | { readonly ok: true; readonly value: T; readonly killed: boolean }
  | { readonly ok: false; readonly error: unknown; readonly killed: boolean };

export interface SpawnOptions {
  /** Shown in reports; `greenlet-<id>` otherwise. */
  readonly name?: string | undefined;
  /** A daemon does not keep the process alive and is no party to a deadlock. */
  readonly daemon?: boolean | undefined;
}

/** Of a million callers (`call`), the innermost are of interest; to probe them all would take minutes. */
const MOST_CALLERS_SHOWN = 100;

/** One green thread. `spawn` makes and starts one; join, kill and link it from any other. */
export class Greenlet<T = unknown> implements Waiter {
  // What the constructor sets is declared only: to define it as undefined first is a second write of each in every spawn.
  /** @internal */ declare iterator: Iterator<Trap, unknown, Resume> | undefined;
  /** State and flags, see status.ts. @internal */ status: number = NEW;
  /** Numbered from 1 in order of creation. */
  declare readonly id: number;
  /** @internal */ waitingOn: Wait<unknown> | undefined = undefined;
  /** @internal */ next: Waiter | undefined = undefined;
  /** @internal */ prev: Waiter | undefined = undefined;
  /** While waiting: what the wait carries; when woken: what was committed; at the end: the outcome. @internal */
  value: unknown = undefined;
  /** The innermost open frame. @internal */ frame: Frame | undefined = undefined;
  /** @internal */ declare scope: Scope;
  /** @internal */ scopeNext: Greenlet | undefined = undefined;
  /** @internal */ scopePrev: Greenlet | undefined = undefined;
  /** The ambient context of the host (AsyncLocalStorage). @internal */ declare context: object | undefined;
  /** How often it has let others run: waits, and hand-overs that put it behind the other side. @internal */ parks = 0;
  /** @internal */ side: Side | undefined = undefined;
  /** Its own from its first child on, its parent's until then. @internal */ declare parentLink: ParentLink | undefined;
  /** Who waits for its end: one, or a list of them. @internal */ joiners: Waiter | WaitList | undefined = undefined;

  /**
   * Make a greenlet that has not started: `body(...args)` is called now, what it returns runs after `start()`. Never switches.
   *
   * @throws TypeError if `body` is no function, or what it returns is no Op.
   * @see https://greenlet.readthedocs.io/en/latest/api.html
   */
  constructor(body: AnyBody<T>, ...args: unknown[]) {
    const scheduler = requireScheduler();
    this.iterator = callBody(body, args, 'spawn');
    this.id = scheduler.nextId();
    this.scope = scheduler.root;
    this.context = scheduler.captureContext();
    this.parentLink = kernel.current?.linkForChild();
    if (scheduler.driver.development) this.noteSpawn(new Error(`${this.name} was spawned`));
  }

  private noteSpawn(site: Error): void {
    const side = this.rare();
    side.spawnSite = site;
    side.createdAtMs = this.scope.scheduler.driver.now();
  }

  /** Queue this greenlet to run. Never switches. @throws UsageError if it was started already. */
  start(): this {
    if ((this.status & (NEW | STARTED)) !== NEW) throw startedBefore(this as Greenlet);
    this.status |= STARTED;
    this.scope.add(this);
    this.scope.scheduler.enqueue(this);
    return this;
  }

  /** Be alive from now on, but run only after `delayMs`. @internal */
  startLater(delayMs: number): this {
    this.status |= STARTED | DELAYED;
    this.scope.add(this as Greenlet);
    const { scheduler } = this.scope;
    if (delayMs === Number.POSITIVE_INFINITY) return this;
    const timer: Timer = {
      order: 0,
      slot: -1,
      due: () => {
        this.status &= ~DELAYED;
        scheduler.enqueue(this as Greenlet);
      },
    };
    this.rare().delay = timer;
    scheduler.sleepers.arm(timer, delayMs);
    scheduler.timersChanged();
    return this;
  }

  get name(): string {
    return this.side?.name ?? `greenlet-${this.id}`;
  }

  get state(): GreenletState {
    return stateName(this.status);
  }

  /** The greenlet that spawned this one; undefined if there is none or it has ended. */
  get parent(): Greenlet | undefined {
    const link = this.parentLink;
    return (link?.greenlet === this ? link.outer : link)?.greenlet;
  }

  /** Has a kill been asked for? */
  get killed(): boolean {
    return (this.status & KILL_REQUESTED) !== 0;
  }

  get daemon(): boolean {
    return (this.status & DAEMON) !== 0;
  }

  /** How it ended, or undefined while it lives. Reading it does not mark a failure as seen. */
  get outcome(): GreenletOutcome<T> | undefined {
    if ((this.status & DONE) === 0) return undefined;
    const { killed } = this;
    if ((this.status & FAILED) === 0) return { ok: true, value: this.value as T, killed };
    return { ok: false, error: failureOf(this), killed };
  }

  /**
   * Wait until this greenlet has ended, however it did.
   *
   * Switches if it has not. A join that throws has no effect.
   *
   * @throws UsageError in the greenlet itself. @throws DeadlockError if a cycle of joins and locks would close.
   * @throws Killed if the caller is killed while it waits.
   */
  join(): Waitable<void> {
    return created(new JoinWait(this as Greenlet));
  }

  /**
   * Wait for this greenlet's value, or throw its error: the very object that it threw.
   *
   * Switches if it has not ended.
   *
   * @throws GreenletKilledError if it was killed; otherwise as `join`.
   */
  get(): Waitable<T> {
    return created(new GetWait<T>(this as Greenlet));
  }

  /** A promise of this greenlet's value, for ordinary code. It settles at the end of a turn. */
  promise(): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.link(() => {
        if ((this.status & FAILED) === 0) resolve(this.value as T);
        else reject(failureOf(this));
      });
    });
  }

  /**
   * Have `target` told at the end of the turn in which this greenlet ends: a function is called with the greenlet, an AsyncResult is set, a queue or a
   * channel with room gets the greenlet. Never switches. Marks a failure as seen.
   *
   * @throws TypeError if `target` is none of these. @see https://www.gevent.org/api/gevent.greenlet.html
   */
  link(target: LinkTarget<T>): void {
    linkWhen(this as Greenlet, target as LinkTarget<unknown>, 'any');
  }

  /** As `link`, only if it ends with a value. */
  linkValue(target: LinkTarget<T>): void {
    linkWhen(this as Greenlet, target as LinkTarget<unknown>, 'value');
  }

  /** As `link`, only if it fails or is killed. */
  linkError(target: LinkTarget<T>): void {
    linkWhen(this as Greenlet, target as LinkTarget<unknown>, 'error');
  }

  /** Take the links to `target` out again. True if there was one. */
  unlink(target: LinkTarget<T>): boolean {
    const side = this.side;
    if (side?.links === undefined) return false;
    const before = side.links.length;
    side.links = side.links.filter((link) => link.target !== target);
    return side.links.length < before;
  }

  /**
   * Ask this greenlet to end: each of its blocking Ops throws Killed from now on, until it has ended.
   *
   * Never switches, never throws. True for the call that asked first; later reasons are ignored. An Op that has already happened returns its
   * value and the next one throws. A greenlet that has not run yet never does.
   *
   * @see https://trio.readthedocs.io/en/stable/reference-core.html#cancellation-semantics
   */
  kill(reason?: unknown): boolean {
    if ((this.status & (DONE | KILL_REQUESTED)) !== 0) return false;
    this.status |= KILL_REQUESTED;
    const base = new Frame('greenlet', this as Greenlet);
    base.cancelled = true;
    base.reason = reason;
    this.rare().base = base;
    if ((this.status & NEW) !== 0) end(this as Greenlet, new Killed(base, reason), true);
    else interruptionChanged(this as Greenlet);
    return true;
  }

  /**
   * Throw `error` once in this greenlet, at its next blocking point; it may catch it and go on.
   *
   * Never switches. Several queue up; a kill goes before them. Nothing happens to a greenlet that has ended.
   *
   * @see https://greenlet.readthedocs.io/en/latest/api.html#greenlet.greenlet.throw
   */
  throw(error: unknown): void {
    if ((this.status & DONE) !== 0) return;
    if ((this.status & NEW) !== 0) {
      end(this as Greenlet, error, true);
      return;
    }
    const side = this.rare();
    side.throws ??= [];
    side.throws.push(error);
    attentionChanged(this as Greenlet);
  }

  /** The stack of a parked greenlet, innermost frame first; empty in any other state. Costs nothing until someone asks. */
  stack(): string {
    if ((this.status & PARKED) === 0 || this.iterator === undefined) return '';
    const inner = probe(this.iterator);
    const callers = this.side?.callers ?? [];
    const outer = callers.slice(-MOST_CALLERS_SHOWN).map(probe).reverse();
    const hidden = callers.length - outer.length;
    return [...inner, ...outer.flat(), ...(hidden > 0 ? [`    and ${hidden} callers more`] : [])].join('\n');
  }

  /** What a report shows of it as JSON: not the whole kernel behind the record. */
  toJSON(): { readonly id: number; readonly name: string; readonly state: GreenletState } {
    return { id: this.id, name: this.name, state: this.state };
  }

  /** Have the kernel do `ender` as soon as this greenlet has ended. @internal */
  onEnd(ender: () => void): void {
    const side = this.rare();
    side.enders ??= [];
    side.enders.push(ender);
  }

  /** What was given to `onEnd` is not needed any more: a greenlet that lives long would keep it. @internal */
  offEnd(ender: () => void): void {
    const enders = this.side?.enders;
    // The youngest first: whoever needs this comes and goes.
    const index = enders?.lastIndexOf(ender) ?? -1;
    if (index >= 0) enders?.splice(index, 1);
  }

  /** Somebody looks after its failure: it is not reported as unseen. @internal */
  markSeen(): void {
    this.status |= SEEN;
  }

  /** @internal */
  owner(): Greenlet {
    return this as Greenlet;
  }

  /** Commit an outcome and queue this greenlet. The only way from parked to ready. @internal */
  fire(value: unknown, outcome: Outcome): void {
    if ((this.status & PARKED) === 0) throw new InternalError(`${this.name} was woken while it was ${this.state}`);
    this.status = (this.status & ~STATE) | READY | outcome;
    this.value = value;
    this.waitingOn = undefined;
    this.scope.scheduler.enqueue(this as Greenlet);
  }

  /** The side record, made on first use. @internal */
  rare(): Side {
    this.side ??= new Side();
    return this.side;
  }

  /** What a child keeps to find its parent. Undefined outside greenlets. @internal */
  linkForChild(): ParentLink | undefined {
    if ((this.status & DONE) !== 0) return undefined;
    const link = this.parentLink;
    if (link !== undefined && link.greenlet === this) return link;
    this.parentLink = { greenlet: this as Greenlet, outer: link };
    return this.parentLink;
  }
}

function startedBefore({ name }: Greenlet): UsageError {
  return new UsageError(`${name} was started already`);
}

function linkWhen(greenlet: Greenlet, target: LinkTarget<unknown>, when: LinkWhen): void {
  const link = new Link(target, when);
  greenlet.markSeen();
  if ((greenlet.status & DONE) !== 0) {
    greenlet.scope.scheduler.runLinks(greenlet, [link]);
    return;
  }
  const side = greenlet.rare();
  side.links ??= [];
  side.links.push(link);
}

// What console.log shows, where the host knows this symbol: not the whole kernel behind the record.
Object.defineProperty(Greenlet.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: Greenlet): string {
    return `Greenlet ${this.id} { name: '${this.name}', state: '${this.state}' }`;
  },
});

// `kernel.current` outside steps: a greenlet that is done, so that a start needs no check for "nobody". It is made by the same constructor as
// all others, with nothing behind it, because a second hidden class would slow down every access to `current`.
function makeNobody(): Greenlet {
  const nothing = { nextId: () => 0, root: undefined, captureContext: () => undefined, driver: { development: false } };
  kernel.scheduler = nothing as unknown as Scheduler;
  const nobody = new Greenlet(function* nobody() {});
  nobody.status = DONE;
  nobody.iterator = undefined;
  kernel.scheduler = undefined;
  return nobody as Greenlet;
}
kernel.nobody = makeNobody();
kernel.current = kernel.nobody;
