// open-remote-channel.ts: opening and removing a channel between machines: the options, checked, and what is done about them.
//
// What an open end does is in remote-channel.ts.

import { rangeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import type { Op } from '../../core/op.ts';
import { shield } from '../../core/shield.ts';
import { checkOptions, own, ownCount } from '../../io/address.ts';
import { ChannelNames, removeStream, setUpChannel } from './channel-streams.ts';
import type { NatsLink } from './link.ts';
import type { NatsOptions } from './nats-options.ts';
import { RemoteChannel } from './remote-channel.ts';
import { askedMs, linkOf } from './remote-executor.ts';

export interface RemoteChannelOptions extends NatsOptions {
  /** A connection that is shared; it stays open. Without one the end opens its own, by the options for that. */
  readonly link?: NatsLink | undefined;
  /** How many values may be in the channel, those that a receiver has been given and not taken included. Of the channel: it is changed there if it is given. 1 at first. */
  readonly capacity?: number | undefined;
  /** How many values this end may be given before they are asked for. More is faster, and keeps them from others. 0 by default. */
  readonly prefetch?: number | undefined;
  /** How many values this end may have taken from its senders and not yet handed to the server. 1 by default. */
  readonly ahead?: number | undefined;
  /** How long a receiver that was given a value may take to take it, before another one gets it. Of the channel: it is changed there if it is given. 30,000 at first. */
  readonly ackWaitMs?: number | undefined;
}

/**
 * Open an end of the channel `name`, and make the channel if there is none yet. Switches.
 *
 * @throws TypeError, RangeError for a bad name or option, at the call. @throws EngineUnreachableError if no server answers within `connectTimeoutMs`. @throws EngineRefusedError if the
 * server does not let us in, or has no JetStream. @throws Killed if the greenlet is killed while it waits; nothing is left open.
 */
export function openRemoteChannel<T>(name: string, options?: RemoteChannelOptions): Op<RemoteChannel<T>> {
  const where = 'openRemoteChannel';
  const given = checkOptions(options, where);
  const names = new ChannelNames(name, where);
  const asked = {
    capacity: askedCapacity(given, where),
    ackWaitMs: askedMs(given, 'ackWaitMs', where),
    prefetch: ownCount(given, 'prefetch', 0, 0, where),
    ahead: ownCount(given, 'ahead', 1, 1, where),
  };
  const connecting = linkOf(given, where);
  return composite(function* () {
    const { link, ownsLink } = yield* connecting();
    let done = false;
    try {
      const state = yield* link.require((session) => setUpChannel(session, names, asked));
      const channel = new RemoteChannel<T>(link, ownsLink, names, asked, state);
      done = true;
      return channel;
    } finally {
      if (!done && ownsLink) yield* link.close();
    }
  });
}

/** Remove the channel `name` from the server, with all that is in it. Ends that are open make it anew. Switches. Nothing happens if there is none. @throws as `openRemoteChannel`. */
export function removeRemoteChannel(
  name: string,
  options?: NatsOptions & { readonly link?: NatsLink | undefined },
): Op<void> {
  const where = 'removeRemoteChannel';
  const given = checkOptions(options, where);
  const names = new ChannelNames(name, where);
  const connecting = linkOf(given, where);
  return composite(function* () {
    const { link, ownsLink } = yield* connecting();
    try {
      yield* link.require((session) => removeStream(session, names));
    } finally {
      if (ownsLink) yield* shield(link.close());
    }
  });
}

function askedCapacity(given: object, where: string): number | undefined {
  if (own<unknown>(given, 'capacity') === undefined) return undefined;
  const capacity = ownCount(given, 'capacity', 1, 1, where);
  if (capacity === Number.POSITIVE_INFINITY)
    throw rangeError(`${where}: capacity must be finite: it is what keeps the server's disk bounded`);
  return capacity;
}
