// fire-options.ts: what may be said beside an event when it is fired, called or waited for, and the check of it.
//
// Own properties only; everything is refused at the call, before anything has happened.

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { checkOptions, own } from '../io/address.ts';
import { checkChannel, type EventChannel, type EventKind } from './event-type.ts';
import type { EventWanted } from './event-wait.ts';
import { ownPriority } from './handler.ts';
import { anyEvent } from './lifecycle.ts';

export interface FireOptions {
  /** Where: one channel or several. If not given, that of the event's type, and if that has none, that of the component that fires. */
  readonly channel?: EventChannel | readonly EventChannel[] | undefined;
  /** Higher ones are handled first; 0 if not given. Those of one priority in the order in which they were fired. */
  readonly priority?: number | undefined;
}

export interface WaitForOptions<A extends readonly unknown[]> {
  /** Where; the channel of the component that waits if not given, and `'*'` everywhere. */
  readonly channel?: EventChannel | undefined;
  /** Only an event whose arguments suit. Must not wait; what it throws is thrown to whoever waits. */
  readonly where?: ((...args: A) => boolean) | undefined;
}

/** Read the options of `fire`; `channels` is undefined if none is named. @throws TypeError */
export function checkFire(
  options: unknown,
  where: string,
): { readonly channels: readonly EventChannel[] | undefined; readonly priority: number } {
  const given = checkOptions(options, where);
  return { channels: channelsOf(own<unknown>(given, 'channel'), where), priority: ownPriority(given, where) };
}

function channelsOf(channel: unknown, where: string): readonly EventChannel[] | undefined {
  if (channel === undefined) return undefined;
  if (!Array.isArray(channel)) {
    checkChannel(channel, where);
    return [channel as EventChannel];
  }
  if (channel.length === 0) throw typeError(`${where}: channel must be a channel, or a list of them that is not empty`);
  for (const each of channel as readonly unknown[]) checkChannel(each, where);
  return [...new Set(channel as readonly EventChannel[])];
}

/** Read the options of `wait`. @throws TypeError */
export function wantedEvent(kind: EventKind, options: unknown, ownChannel: EventChannel): EventWanted {
  const given = checkOptions(options, 'wait');
  const channel = own<EventChannel>(given, 'channel') ?? ownChannel;
  checkChannel(channel, 'wait');
  const where = own<(...args: readonly unknown[]) => boolean>(given, 'where');
  if (where !== undefined && typeof where !== 'function')
    throw typeError(`wait: where must be a function, not ${nameOf(where)}`);
  return { kind, forAll: kind === anyEvent.kind, channel, where };
}
