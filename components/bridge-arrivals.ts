// bridge-arrivals.ts: the events that have come over a bridge and are in work here: let in or refused, and answered.
//
// What is not on the list does not pass, nor what is malformed in the eyes of its type's check, too much at once, or has come too far. An event that passes is
// fired as any other; its failure is told to the other side, which looks after it.
//
// A link that delivers at least once may bring an event twice. Events are numbered in the order in which they are sent, which the link keeps: one that has come is known by its number, and
// is not answered again, since the answer to the first is on its way.
//
// Invariants, between any two steps:
//   inWork has each event from there that is not handled, by the number that the other side knows it by
//   following has the number of each that is answered and not complete, if the other side waits for that
//   last is the highest number that has come

import type { BridgeMessage, FireMessage } from './bridge-message.ts';
import { describeFailure } from './bridge-message.ts';
import type { Component } from './component.ts';
import { nodeOf } from './component-node.ts';
import { type EventKind, EventOf } from './event-type.ts';
import type { Firing } from './firing.ts';

/** In a ring of bridges an event would go round for ever. */
const MOST_HOPS = 16;

/** Why an event was not let in. */
export interface Refusal {
  readonly reason: string;
  /** Is whoever sent it to be told? */
  readonly answered: boolean;
}

export class BridgeArrivals {
  readonly #bridge: Component;
  readonly #kinds: ReadonlyMap<string, EventKind>;
  readonly #most: number;
  readonly #post: (message: BridgeMessage) => void;
  readonly #inWork: Map<number, Firing> = new Map();
  readonly #following: Set<number> = new Set();
  #last = 0;

  constructor(
    bridge: Component,
    kinds: ReadonlyMap<string, EventKind>,
    most: number,
    post: (message: BridgeMessage) => void,
  ) {
    this.#bridge = bridge;
    this.#kinds = kinds;
    this.#most = most;
    this.#post = post;
  }

  /** The number of the last event that has come. */
  get last(): number {
    return this.#last;
  }

  /** The events of which the other side is still to hear. */
  open(): number[] {
    return [...this.#inWork.keys(), ...this.#following];
  }

  /** Fire what has come; returns why not, if it is refused. */
  take(message: FireMessage): Refusal | undefined {
    const { id, name, args, channels, priority, hops, complete } = message;
    if (id <= this.#last)
      return { reason: `event ${JSON.stringify(name.slice(0, 100))} a second time`, answered: false };
    this.#last = id;
    const kind = this.#kinds.get(name);
    if (kind === undefined)
      return { reason: `event ${JSON.stringify(name.slice(0, 100))}, which is not on its list`, answered: true };
    const reason = this.#whyNot(kind, message);
    if (reason !== undefined) return { reason, answered: true };
    // Not by calling the type: the list may be longer than a call may have arguments.
    const firing = this.#bridge.fire(new EventOf(kind, args), { channel: channels, priority });
    firing.route = { bridge: this.#bridge, hops, answer: () => this.#answer(id, firing, complete) };
    firing.seen = true;
    this.#inWork.set(id, firing);
    if (complete)
      firing.track().onComplete = () => {
        this.#following.delete(id);
        this.#post({ kind: 'complete', id });
      };
    return undefined;
  }

  /** Nobody over there waits for it any more: if it has not begun it need not. */
  cancel(id: number): void {
    this.#inWork.get(id)?.cancel();
  }

  #answer(id: number, firing: Firing, complete: boolean): void {
    this.#inWork.delete(id);
    if (complete) this.#following.add(id);
    if (firing.cancelledBy !== undefined) {
      this.#post({ kind: 'failure', id, failure: describeFailure(firing.cancelledBy()) });
    } else if (firing.errors.length > 0) {
      this.#post({ kind: 'failure', id, failure: describeFailure(firing.errors[0]) });
    } else {
      this.#post({ kind: 'result', id, results: firing.results });
    }
  }

  #whyNot(kind: EventKind, { name, args, hops }: FireMessage): string | undefined {
    if (hops > MOST_HOPS) return `event ${name}, which has come over ${hops} bridges`;
    if (nodeOf(this.#bridge).tree.stopping) return `event ${name}: the tree is ending`;
    if (this.#inWork.size >= this.#most) return `event ${name}: ${this.#most} are in work already`;
    try {
      return kind.check === undefined || kind.check(args) === true
        ? undefined
        : `event ${name}, whose arguments are not such as it has`;
    } catch {
      return `event ${name}, whose arguments could not be checked`;
    }
  }
}
