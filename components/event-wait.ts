// event-wait.ts: the wait for the next event of a type, and the lists of those who wait for one.
//
// Each component has lists of its own, so that who waits goes with it from tree to tree, and the tree knows which of its components have one for a type. To wait is
// to listen from then on: an event that was handled before does not count, and is never looked for.
//
// Invariant: a list is not empty  if and only if  it is in its component's map and its component is in the tree's set for that type.

import type { Waitable, WaitDescription } from '../core/op.ts';
import { FAILED } from '../core/status.ts';
import { Wait } from '../core/wait.ts';
import { type Waiter, WaitList } from '../core/wait-list.ts';
import { channelLabel, type EventChannel, type EventKind } from './event-type.ts';
import type { Firing } from './firing.ts';

/** Which components of a tree have somebody waiting, by type. */
export class WaitIndex {
  readonly #byKind: Map<EventKind, Set<EventWaiters>> = new Map();

  add(kind: EventKind, waiters: EventWaiters): void {
    const set = this.#byKind.get(kind);
    if (set === undefined) this.#byKind.set(kind, new Set([waiters]));
    else set.add(waiters);
  }

  delete(kind: EventKind, waiters: EventWaiters): void {
    const set = this.#byKind.get(kind);
    set?.delete(waiters);
    if (set?.size === 0) this.#byKind.delete(kind);
  }

  has(kind: EventKind): boolean {
    return this.#byKind.has(kind);
  }

  get size(): number {
    return this.#byKind.size;
  }

  /** Wake those who wait for `kind` and whom `firing` suits. */
  wake(kind: EventKind, firing: Firing): void {
    const all = this.#byKind.get(kind);
    if (all !== undefined) for (const waiters of [...all]) waiters.wake(kind, firing);
  }
}

/** Those who wait through one component. */
export class EventWaiters {
  readonly #lists: Map<EventKind, WaitList> = new Map();
  #index: WaitIndex;

  constructor(index: WaitIndex) {
    this.#index = index;
  }

  add(kind: EventKind, waiter: Waiter): void {
    let list = this.#lists.get(kind);
    if (list === undefined) {
      this.#lists.set(kind, (list = new WaitList()));
      this.#index.add(kind, this);
    }
    list.push(waiter);
  }

  remove(kind: EventKind, waiter: Waiter): void {
    const list = this.#lists.get(kind) as WaitList;
    list.remove(waiter);
    this.#tidy(kind, list);
  }

  /** For how many types somebody waits. */
  get size(): number {
    return this.#lists.size;
  }

  /** The component is in another tree now. */
  moveTo(index: WaitIndex): void {
    for (const kind of this.#lists.keys()) {
      this.#index.delete(kind, this);
      index.add(kind, this);
    }
    this.#index = index;
  }

  wake(kind: EventKind, firing: Firing): void {
    // Who was woken or killed before, through another component, may have been the last to wait here: the other arm of a select, say.
    const list = this.#lists.get(kind);
    if (list === undefined) return;
    // Once round the list. To fire one arm of a select takes its others out, from anywhere in it, so there is no place to remember but the head; and a
    // condition of the user's may take out anybody, the one that it was asked for included, who therefore stays in the list until then. For the same reason
    // their number says nothing of when the round is over: those who stay are remembered.
    let kept: Set<Waiter> | undefined;
    for (let waiter = list.head; waiter !== undefined && kept?.has(waiter) !== true; waiter = list.head) {
      const { suits, error } = (waiter.value as EventWait).judge(firing);
      if (list.head !== waiter) continue;
      list.shift();
      if (error !== undefined) waiter.fire(error.thrown, FAILED);
      else if (suits) waiter.fire(firing, 0);
      else {
        list.push(waiter);
        kept ??= new Set();
        kept.add(waiter);
      }
    }
    this.#tidy(kind, list);
  }

  /** Nothing will come any more. */
  failAll(error: unknown): void {
    for (const [kind, list] of [...this.#lists]) {
      list.fireAll(error, FAILED);
      this.#tidy(kind, list);
    }
  }

  #tidy(kind: EventKind, list: WaitList): void {
    if (list.size > 0 || this.#lists.get(kind) !== list) return;
    this.#lists.delete(kind);
    this.#index.delete(kind, this);
  }
}

interface Judgement {
  readonly suits: boolean;
  readonly error?: { readonly thrown: unknown };
}

/** What a wait is for. */
export interface EventWanted {
  readonly kind: EventKind;
  readonly forAll: boolean;
  readonly channel: EventChannel;
  readonly where: ((...args: readonly unknown[]) => boolean) | undefined;
}

export class EventWait extends Wait<Firing> implements Waitable<Firing> {
  readonly #waiters: EventWaiters;
  readonly #wanted: EventWanted;

  constructor(waiters: EventWaiters, wanted: EventWanted) {
    super();
    this.#waiters = waiters;
    this.#wanted = wanted;
  }

  look(): boolean {
    return false;
  }

  enlist(waiter: Waiter): void {
    waiter.value = this;
    this.#waiters.add(this.#wanted.kind, waiter);
  }

  retract(waiter: Waiter): void {
    this.#waiters.remove(this.#wanted.kind, waiter);
  }

  describe(): WaitDescription {
    return { op: 'wait', object: `event ${this.#wanted.kind.name} on ${channelLabel(this.#wanted.channel)}` };
  }

  /** Is `firing` what is waited for? The user's own condition may throw. */
  judge(firing: Firing): Judgement {
    const { channel, where, forAll } = this.#wanted;
    if (!meet(channel, firing.channels)) return { suits: false };
    if (where === undefined) return { suits: true };
    try {
      return { suits: where(...(forAll ? [firing] : firing.event.args)) === true };
    } catch (thrown) {
      return { suits: false, error: { thrown } };
    }
  }
}

/** Does who listens on `channel` hear what is fired on `channels`? */
function meet(channel: EventChannel, channels: readonly EventChannel[]): boolean {
  return channel === '*' || channels.includes(channel) || channels.includes('*');
}
