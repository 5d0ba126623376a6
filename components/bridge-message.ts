// bridge-message.ts: what two bridges say to each other, and the check of what came: it may be anything.
//
// Every message is a plain object of plain values, but for the arguments and results of events, which are as the link carries them: a channel in memory passes
// them on, one between threads clones them, one between machines encodes them.
//
//   fire       an event; its sender waits for `result` or `failure`, and with `complete` for `complete` too
//   result     it was handled; the results of its handlers
//   failure    a handler failed, the event was refused, or its results cannot travel
//   complete   it is complete: what it caused is done; after its `result` or `failure`, whatever that was
//   cancel     nobody waits for it any more
//   unread     something has come that could not be read
//   open       which events of the other side are not answered or not complete here, of those up to a number; with `sent`, the other side is to say the same of ours
//   end        there will be no more from this side
//
// What could not be read may have been an event or an answer, and nobody can tell whose. To fail everything that is pending would fail events that are being handled; so both
// sides say what is open. The link keeps the order: whoever reads `open` has read all that was said before, and what of that is neither answered nor open was lost. `sent` is the
// last event before it, so that what is still on its way is not taken for lost.

import { printable } from '../core/errors.ts';
import type { RemoteFailure } from './errors.ts';

export interface FireMessage {
  readonly kind: 'fire';
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly channels: readonly string[];
  readonly priority: number;
  /** Over how many bridges it has come, this one included. */
  readonly hops: number;
  readonly complete: boolean;
}

/** An event whose sender waits, for `complete` too or not. */
export type SentEvent = Pick<FireMessage, 'id' | 'complete'>;

/** What travels over the link of a bridge. */
export type BridgeMessage =
  | FireMessage
  | { readonly kind: 'result'; readonly id: number; readonly results: readonly unknown[] }
  | { readonly kind: 'failure'; readonly id: number; readonly failure: RemoteFailure }
  | { readonly kind: 'complete'; readonly id: number }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'unread' }
  | {
      readonly kind: 'open';
      readonly upTo: number;
      readonly ids: readonly number[];
      readonly sent?: number | undefined;
    }
  | { readonly kind: 'end' };

/** What is wrong with a message. */
export class Malformed {
  readonly reason: string;
  /** The event that it was to be, if that can be told: its sender waits. */
  readonly sent: SentEvent | undefined;
  constructor(reason: string, sent: SentEvent | undefined) {
    this.reason = reason;
    this.sent = sent;
  }
}

const LONGEST_TEXT = 10_000;
const MOST_CHANNELS = 100;

/** Read what came. It never throws, whatever came. */
export function readMessage(value: unknown): BridgeMessage | Malformed {
  try {
    return read(value);
  } catch (error) {
    // A Proxy, or a getter, may throw at any property.
    return new Malformed(`it cannot be read: ${printable(error)}`, undefined);
  }
}

function read(value: unknown): BridgeMessage | Malformed {
  if (typeof value !== 'object' || value === null) return new Malformed('it is no object', undefined);
  const field = (name: string): unknown =>
    Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  const kind = field('kind');
  if (kind === 'end' || kind === 'unread') return { kind };
  if (kind === 'open') return readOpen(field);
  const id = field('id');
  if (!isCount(id) || id === 0) return new Malformed('it has no id', undefined);
  switch (kind) {
    case 'fire':
      return readFire(id, field);
    case 'result': {
      const results = field('results');
      return Array.isArray(results) ? { kind, id, results } : new Malformed('its results are no list', undefined);
    }
    case 'failure': {
      const failure = field('failure');
      if (typeof failure !== 'object' || failure === null) return new Malformed('its failure is no object', undefined);
      return { kind, id, failure: readFailure(failure as Record<string, unknown>) };
    }
    case 'complete':
    case 'cancel':
      return { kind, id };
    default:
      return new Malformed('it is of no kind that there is', undefined);
  }
}

function readFire(id: number, field: (name: string) => unknown): BridgeMessage | Malformed {
  const [name, args, channels] = [field('name'), field('args'), field('channels')];
  const [priority, hops, complete] = [field('priority'), field('hops'), field('complete') === true];
  const sent = { id, complete };
  if (typeof name !== 'string') return new Malformed('the name of its event is no string', sent);
  if (!Array.isArray(args)) return new Malformed('its arguments are no list', sent);
  if (!isChannels(channels)) return new Malformed('its channels are no list of names', sent);
  if (typeof priority !== 'number' || !Number.isFinite(priority))
    return new Malformed('its priority is no number', sent);
  if (!isCount(hops)) return new Malformed('its hops are no number', sent);
  return { kind: 'fire', id, name, args, channels, priority, hops, complete };
}

function readOpen(field: (name: string) => unknown): BridgeMessage | Malformed {
  const [upTo, ids, sent] = [field('upTo'), field('ids'), field('sent')];
  if (!isCount(upTo) || !Array.isArray(ids) || !ids.every(isCount) || !(sent === undefined || isCount(sent)))
    return new Malformed('what it says to be open is no numbers', undefined);
  return { kind: 'open', upTo, ids, sent };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isChannels(value: unknown): value is string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_CHANNELS) return false;
  return value.every((channel) => typeof channel === 'string' && channel !== '');
}

function readFailure(failure: Record<string, unknown>): RemoteFailure {
  const text = (name: string): string | undefined => {
    const value = Object.hasOwn(failure, name) ? failure[name] : undefined;
    return typeof value === 'string' ? value.slice(0, LONGEST_TEXT) : undefined;
  };
  return { name: text('name') ?? 'Error', message: text('message') ?? '', code: text('code'), stack: text('stack') };
}

/** An error, as it travels. Never throws. */
export function describeFailure(error: unknown): RemoteFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: printable(error) };
  try {
    const { code } = error as { code?: unknown };
    return {
      name: String(error.name).slice(0, LONGEST_TEXT),
      message: String(error.message).slice(0, LONGEST_TEXT),
      ...(typeof code === 'string' ? { code } : {}),
      ...(typeof error.stack === 'string' ? { stack: error.stack.slice(0, LONGEST_TEXT) } : {}),
    };
  } catch {
    return { name: 'Error', message: printable(error) };
  }
}
