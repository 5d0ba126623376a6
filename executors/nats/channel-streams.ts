// channel-streams.ts: what a channel across machines is at the server: one stream, one consumer, and a subject for news.
//
//   TENDRIL_CHANNEL_c            tendril.channel.c.value    the values that no receiver has taken, at most `capacity`; one more is refused
//   (its consumer `receivers`)                              gives each value to one receiver, and again if that one does not acknowledge it
//   (no stream)                  tendril.channel.c.news     between ends: 'full', 'room', 'closed'
//
// That it is closed is written into the stream itself: it takes no message any more, whoever sends it, and its description says why. So nobody can miss it, and news only make it quick.

import { DiscardPolicy, RetentionPolicy, type StreamConfig } from '@nats-io/jetstream';
import { typeError } from '../../core/bad-argument.ts';
import type { Op } from '../../core/op.ts';
import { shownValue } from '../../io/address.ts';
import { milliseconds, setUpConsumer, setUpStream } from './queue-streams.ts';
import type { Session } from './session.ts';
import { isApiError } from './transient.ts';

const nanosecondsPerMs = 1e6;
/** The description of a stream whose channel is closed. Its longest message has this length: shorter than any that we write. */
const closedDescription = 'closed';
const closedMessageBytes = 1;
/** JetStream's codes: the stream is full; the message is longer than it takes. */
export const streamFull = 10077;
export const messageTooLong = 10054;
const noStream = 10059;

export type ChannelNews = 'full' | 'room' | 'closed';

/** The names of a channel. */
export class ChannelNames {
  readonly channel: string;
  readonly stream: string;
  readonly receivers = 'receivers';
  readonly value: string;
  readonly news: string;

  /** @throws TypeError if `channel` is no name. */
  constructor(channel: unknown, where: string) {
    if (typeof channel !== 'string' || !/^[\w-]{1,64}$/.test(channel))
      throw typeError(
        `${where}: the name of a channel consists of letters, digits, _ and -, at most 64, which ${shownValue(channel)} does not`,
        'ERR_INVALID_ARG_VALUE',
      );
    this.channel = channel;
    this.stream = `TENDRIL_CHANNEL_${channel}`;
    this.value = `tendril.channel.${channel}.value`;
    this.news = `tendril.channel.${channel}.news`;
  }
}

/** What may be asked of a channel; undefined: as it is, or our default if it is not there. */
export interface ChannelSettings {
  readonly capacity: number | undefined;
  readonly ackWaitMs: number | undefined;
}

/** What a channel is found to be. */
export interface ChannelState {
  readonly capacity: number;
  readonly ackWaitMs: number;
  readonly closed: boolean;
}

/** Make the stream and the consumer, as far as they are missing. */
export function* setUpChannel(session: Session, names: ChannelNames, asked: ChannelSettings): Op<ChannelState> {
  const manager = yield* session.manager();
  const config = yield* setUpStream(
    session,
    manager,
    {
      name: names.stream,
      subjects: [names.value],
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.New,
      max_msgs: 1,
    },
    { max_msgs: asked.capacity },
  );
  const { ack_wait: ackWait } = yield* setUpConsumer(
    session,
    manager,
    names.stream,
    {
      durable_name: names.receivers,
      ack_wait: 30_000 * nanosecondsPerMs,
      max_ack_pending: config.max_msgs,
      max_waiting: 10_000,
    },
    {
      max_ack_pending: asked.capacity,
      ack_wait: asked.ackWaitMs === undefined ? undefined : asked.ackWaitMs * nanosecondsPerMs,
    },
  );
  return {
    capacity: config.max_msgs,
    ackWaitMs: milliseconds(ackWait),
    closed: isClosed(config),
  };
}

/** Let it take no value any more. */
export function* closeStream(session: Session, names: ChannelNames): Op<void> {
  const manager = yield* session.manager();
  const { config } = yield* session.during(manager.streams.info(names.stream));
  if (isClosed(config)) return;
  const closed = { ...config, description: closedDescription, max_msg_size: closedMessageBytes };
  yield* session.during(manager.streams.update(names.stream, closed));
}

/** Is it closed, and how many values has nobody taken? */
export function* lookAtStream(session: Session, names: ChannelNames): Op<{ closed: boolean; values: number }> {
  const manager = yield* session.manager();
  const { config, state } = yield* session.during(manager.streams.info(names.stream));
  return { closed: isClosed(config), values: state.messages };
}

/** Remove it, if it is there. */
export function* removeStream(session: Session, names: ChannelNames): Op<void> {
  const manager = yield* session.manager();
  try {
    yield* session.during(manager.streams.delete(names.stream));
  } catch (error) {
    if (!isApiError(error, noStream)) throw error;
  }
}

function isClosed({ description }: Partial<StreamConfig>): boolean {
  return description === closedDescription;
}
