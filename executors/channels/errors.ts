// errors.ts: the errors of channels across threads and processes.
//
// Both are the world's fault: the other side is another thread or process, which can end at any moment. A channel that was closed on purpose
// throws core's ChannelClosedError, and what cannot be cloned is a TypeError of the send.

import { ResourceError } from '../../core/errors.ts';

/** The other side of a channel is gone without having closed it: its thread or process has ended, or the connection is broken. */
export class ChannelLostError extends ResourceError {
  override readonly code: string = 'ERR_CHANNEL_LOST';
  constructor(op: string, label: string, why: string, cause: unknown) {
    super(
      `${op} on ${label}: the other side is lost: ${why}; what it had not sent will not come, open a new channel`,
      cause === undefined ? undefined : { cause },
    );
  }
}

/** A value has come that cannot be read on this side. It takes the place of that value; the channel goes on. */
export class ChannelMessageError extends ResourceError {
  override readonly code: string = 'ERR_CHANNEL_MESSAGE';
  constructor(op: string, label: string, cause: unknown) {
    super(`${op} on ${label}: a value has come that cannot be read here: send what this side can make again`, {
      cause,
    });
  }
}
