// bridge.ts: carries events between two trees, in threads, processes or machines of their own, over any two channels.
//
// To the tree a bridge is a component that handles the events on its outgoing list: what the handlers over there return is what it returns, and when one fails there, it
// fails here. So `call`, `complete` and failures mean the same on both sides. Each side has its own lists, and only what is on the list of the sender and on
// that of the receiver passes; whatever else comes is refused, counted and told by a `bridgeRefused` event, and does no harm.
//
// Each side numbers its events from 1, so a link is for one pair of bridges, from its beginning to its end.
//
// An event does not go back over the bridge that it came over, and over so many bridges at most, in case they are built in a ring.
//
// Here: the two greenlets that read and write, in that every message has its place. What is over there: bridge-requests.ts; what is from there: bridge-arrivals.ts.
// Source: circuits' Bridge and node; there anything that can be unpickled passes.

import { rangeError, typeError } from '../core/bad-argument.ts';
import { Channel } from '../core/channel.ts';
import { isKilled, rethrowKilled } from '../core/errors.ts';
import { nameOf, type Op } from '../core/op.ts';
import { Semaphore } from '../core/semaphore.ts';
import { shield } from '../core/shield.ts';
import { checkOptions, own, ownCount, ownText } from '../io/address.ts';
import { BridgeArrivals } from './bridge-arrivals.ts';
import { type BridgeMessage, describeFailure, Malformed, readMessage, type SentEvent } from './bridge-message.ts';
import { BridgeRequests } from './bridge-requests.ts';
import { Component } from './component.ts';
import { nodeOf } from './component-node.ts';
import { BridgeLostError } from './errors.ts';
import {
  type AnyEventType,
  checkChannel,
  defineEvent,
  type EventKind,
  type EventType,
  kindOf,
  type Listenable,
} from './event-type.ts';
import { handling } from './handler-run.ts';
import { anyEvent } from './lifecycle.ts';

export interface BridgeOptions {
  /** Where messages go: a channel, or whatever has its `send`. */
  readonly outbound: { send(message: BridgeMessage): Op<unknown> };
  /** Where they come from: a channel, or whatever has its `receive`. */
  readonly inbound: { receive(): Op<unknown> };
  /** Which events are carried over there; none if not given. */
  readonly outgoing?: readonly AnyEventType[] | undefined;
  /** Which events are taken from there; none if not given. Their `check` is asked about their arguments. */
  readonly incoming?: readonly AnyEventType[] | undefined;
  /** On which channel events are carried over; `'*'`, every one, if not given. */
  readonly channel?: string | undefined;
  /** How many events may be over there and not handled; more wait here. No limit if not given. */
  readonly maxPending?: number | undefined;
  /** How many events from there may be in work here; more are refused. 10,000 if not given. */
  readonly maxIncoming?: number | undefined;
  /** Shown in reports and errors. */
  readonly name?: string | undefined;
}

/** A bridge has lost its link, or the other side has ended: what was over there has failed. The error says why. */
export const bridgeLost: EventType<[bridge: Bridge, error: unknown]> = defineEvent('bridgeLost', { channel: '*' });

/** A bridge has refused what came: not on the list, malformed, too much. */
export const bridgeRefused: EventType<[bridge: Bridge, reason: string]> = defineEvent('bridgeRefused', {
  channel: '*',
});

/** What channels throw in the place of a value that this side cannot read: they go on. By code, as the packages behind some of them may be missing. */
const UNREADABLE: ReadonlySet<unknown> = new Set(['ERR_CHANNEL_MESSAGE', 'ERR_MESSAGE_MALFORMED']);

type Answer = Extract<BridgeMessage, { readonly kind: 'result' | 'failure' | 'complete' }>;

/** So many messages in a row that cannot be read mean that nothing can. */
const MOST_UNREAD = 100;

/** How long the last messages of a bridge that ends may take. */
const FAREWELL_MS = 1000;

/** Carries events to another tree and from it. Register one in each. */
export class Bridge extends Component {
  readonly #outbound: BridgeOptions['outbound'];
  readonly #inbound: BridgeOptions['inbound'];
  readonly #outbox: Channel<BridgeMessage> = new Channel(Number.POSITIVE_INFINITY, { name: 'outbox of a bridge' });
  readonly #requests: BridgeRequests;
  readonly #arrivals: BridgeArrivals;
  readonly #places: Semaphore | undefined = undefined;
  readonly #stopReading: () => void;
  readonly #stopWriting: () => void;
  #gone = false;
  /** Nobody over there hears what is sent. */
  #unheard = false;
  /** `unread` is in the outbox: it asks for whatever else cannot be read until it goes. */
  #asking = false;
  /** So many messages, up to the last, could not be read. */
  #unreadInARow = 0;
  #refused = 0;

  /** @throws TypeError for bad options: ends that are none, lists with two events of one name. @throws RangeError for limits that are no counts. */
  constructor(options: BridgeOptions) {
    const given = checkOptions(options, 'Bridge');
    super({ name: ownText(given, 'name', 'Bridge') ?? 'Bridge' });
    this.#outbound = requireEnd(own(given, 'outbound'), 'outbound', 'send');
    this.#inbound = requireEnd(own(given, 'inbound'), 'inbound', 'receive');
    const post = (message: BridgeMessage): void => this.#post(message);
    this.#requests = new BridgeRequests(post);
    const most = ownCount(given, 'maxIncoming', 10_000, 1, 'Bridge');
    this.#arrivals = new BridgeArrivals(this, byName(own(given, 'incoming') ?? [], 'incoming'), most, post);
    const channel = own<string>(given, 'channel') ?? '*';
    checkChannel(channel, 'Bridge');
    const maxPending = ownCount(given, 'maxPending', Number.POSITIVE_INFINITY, 1, 'Bridge');
    if (maxPending !== Number.POSITIVE_INFINITY) this.#places = new Semaphore(maxPending, { name: 'of a bridge' });
    for (const { type } of byName(own(given, 'outgoing') ?? [], 'outgoing').values()) {
      this.on(type as Listenable<readonly unknown[], unknown>, this.#carry, {
        channel,
        name: `carrying ${type.name}`,
      });
    }
    this.#stopReading = nodeOf(this).addBackground(() => this.#read(), 'reading', true);
    this.#stopWriting = nodeOf(this).addBackground(() => this.#write(), 'writing', true);
  }

  /** How many events are over there and not handled or not complete. */
  get pending(): number {
    return this.#requests.size;
  }

  /** How many messages were refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Why nothing passes any more; undefined while it does. */
  get lost(): BridgeLostError | undefined {
    return this.#requests.lost;
  }

  /** The handler of every outgoing event. */
  *#carry(): Op<unknown> {
    const firing = handling();
    if (firing.route?.bridge === this) return undefined;
    // A component is no name that could travel.
    const channels = firing.channels.filter((channel) => typeof channel === 'string');
    if (channels.length === 0) return undefined;
    const sent = this.#requests.send(firing, channels);
    return yield* this.#places === undefined ? sent : this.#places.use(sent);
  }

  #post(message: BridgeMessage): void {
    if (!this.#gone) this.#outbox.trySend(message);
  }

  *#read(): Op<void> {
    try {
      while (!this.#gone) this.#received(yield* this.#next());
    } catch (error) {
      // One way may be lost and the other not: then the other side can still be told.
      if (!isKilled(error)) this.#hasGone(error, false);
      else this.#lose(error);
      rethrowKilled(error);
    }
  }

  *#next(): Op<BridgeMessage | Malformed> {
    try {
      return readMessage(yield* this.#inbound.receive());
    } catch (error) {
      if (!UNREADABLE.has((error as { code?: unknown } | null)?.code)) throw error;
      return new Malformed('it cannot be read', undefined);
    }
  }

  *#write(): Op<void> {
    try {
      for (;;) yield* this.#deliver(yield* this.#outbox.receive());
    } catch (error) {
      if (!isKilled(error)) this.#hasGone(error, true);
      else if (!this.#unheard) yield* shield(FAREWELL_MS, this.#farewell());
      rethrowKilled(error);
    }
  }

  /** Send what is left, and say that there will be no more. */
  *#farewell(): Op<void> {
    try {
      for (let left = this.#outbox.tryReceive(); left !== undefined; left = this.#outbox.tryReceive())
        yield* this.#deliver(left.value);
      yield* this.#outbound.send({ kind: 'end' });
    } catch (error) {
      // The link is gone, or takes nothing: then the other side will see that by itself.
      if (isKilled(error)) throw error;
    }
  }

  *#deliver(message: BridgeMessage): Op<void> {
    try {
      if (message.kind === 'unread') this.#asking = false;
      yield* this.#outbound.send(message);
    } catch (error) {
      if (isKilled(error)) throw error;
      // Perhaps only what it carries cannot travel: that is the fault of this event alone. Whether the link is gone the next message, which carries nothing, will show.
      if (message.kind === 'fire') {
        if (!isOfValue(error)) yield* this.#outbound.send({ kind: 'cancel', id: message.id });
        this.#requests.unsendable(message.id, error);
      } else if (message.kind === 'result')
        // At once: in the outbox is perhaps what follows the answer already.
        yield* this.#deliver({ kind: 'failure', id: message.id, failure: describeFailure(error) });
      else throw error;
    }
  }

  #received(message: BridgeMessage | Malformed): void {
    if (message instanceof Malformed) {
      this.#refuse(`a malformed message: ${message.reason}`, message.sent);
      if (message.sent === undefined) this.#ask();
      return;
    }
    this.#unreadInARow = 0;
    switch (message.kind) {
      case 'fire': {
        const refusal = this.#arrivals.take(message);
        if (refusal !== undefined) this.#refuse(refusal.reason, refusal.answered ? message : undefined);
        return;
      }
      case 'cancel':
        this.#arrivals.cancel(message.id);
        return;
      case 'unread':
        this.#post({ kind: 'open', upTo: this.#arrivals.last, ids: this.#arrivals.open(), sent: this.#requests.last });
        return;
      case 'open':
        this.#requests.ended(message.upTo, new Set(message.ids));
        if (message.sent !== undefined) this.#post({ kind: 'open', upTo: message.sent, ids: this.#arrivals.open() });
        return;
      case 'end':
        this.#hasGone(new Error('the other side has ended'), true);
        return;
      default:
        this.#answered(message);
    }
  }

  /** Somebody may wait for what could not be read: have both sides find out who. */
  #ask(): void {
    this.#unreadInARow += 1;
    // Otherwise two bridges that cannot read each other at all would ask for ever, and whoever waits would wait for ever.
    if (this.#unreadInARow === MOST_UNREAD)
      this.#hasGone(new Error(`${MOST_UNREAD} messages in a row could not be read`), false);
    if (this.#asking || this.#gone) return;
    this.#asking = true;
    this.#post({ kind: 'unread' });
  }

  #answered(message: Answer): void {
    const { id, kind } = message;
    // One that was given up may still be answered; one that never was is none of ours.
    if (!this.#requests.knows(id)) this.#refuse(`an answer (${kind}) to event ${id}, which was never sent`, undefined);
    else if (message.kind === 'result') this.#requests.succeeded(id, message.results);
    else if (message.kind === 'failure') this.#requests.failed(id, message.failure);
    else this.#requests.completed(id);
  }

  #refuse(reason: string, sent: SentEvent | undefined): void {
    this.#refused += 1;
    if (sent !== undefined) {
      const { id, complete } = sent;
      const failure = { name: 'EventRefused', message: `refused: ${reason}`, code: 'ERR_EVENT_REFUSED' };
      this.#post({ kind: 'failure', id, failure });
      // It has caused nothing.
      if (complete) this.#post({ kind: 'complete', id });
    }
    this.fire(bridgeRefused(this, reason));
  }

  /** The other side, or the way there, is no more. */
  #hasGone(why: unknown, unheard: boolean): void {
    this.#unheard ||= unheard;
    if (this.#gone) return;
    this.#gone = true;
    this.#lose(why);
    this.fire(bridgeLost(this, this.lost));
  }

  #lose(why: unknown): void {
    if (this.lost !== undefined) return;
    this.#requests.loseAll(new BridgeLostError(this.toString(), why));
    // Not to begin anew in another tree.
    this.#stopReading();
    this.#stopWriting();
  }
}

function requireEnd<E>(end: E | undefined, option: string, method: string): E {
  if (typeof (end as Record<string, unknown> | null | undefined)?.[method] === 'function') return end as E;
  throw typeError(`Bridge: ${option} must have a method ${method}, as a channel has, and ${nameOf(end)} has none`);
}

function byName(types: readonly unknown[], option: string): ReadonlyMap<string, EventKind> {
  if (!Array.isArray(types)) throw typeError(`Bridge: ${option} must be a list of event types, not ${nameOf(types)}`);
  const kinds = new Map<string, EventKind>();
  for (const type of types) {
    const kind = kindOf(type, `Bridge: ${option}`);
    if (kind.of !== undefined || kind === anyEvent.kind)
      throw typeError(
        `Bridge: ${option}: ${kind.name} cannot be carried: name the events one by one, without their notifications`,
      );
    if (kinds.has(kind.name))
      throw rangeError(`Bridge: ${option}: there are two events called ${kind.name}`, 'ERR_INVALID_ARG_VALUE');
    kinds.set(kind.name, kind);
  }
  return kinds;
}

/** Does the error say that a value cannot travel, rather than that nothing can? */
function isOfValue(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    (error as { name?: unknown } | null)?.name === 'DataCloneError'
  );
}
