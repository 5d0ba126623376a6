// wire.ts: a connection between a client and a manager, as frames: whoever sends does not wait, a greenlet writes.
//
// What waits to be written is bounded by the calls that run: each has one request and one reply.
//
// Invariant: after `close`, and after a loss, what is sent is dropped: the reading side learns of the end, and tells whoever waits.

import { Channel } from '../../core/channel.ts';
import { ChannelClosedError, ResourceError, UsageError } from '../../core/errors.ts';
import type { Op, Waitable } from '../../core/op.ts';
import { type Framed, framed } from '../../io/framed.ts';
import type { Socket } from '../../io/socket.ts';
import { frames } from './frames.ts';

export class Wire {
  readonly #socket: Socket;
  readonly #framed: Framed<Uint8Array, unknown, Socket>;
  readonly #outbox: Channel<Uint8Array> = new Channel(Number.POSITIVE_INFINITY, { name: 'to a manager' });

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#framed = framed(socket, frames);
  }

  /** Have `frame` written after all before. Never switches. */
  send(frame: Uint8Array): void {
    if (!this.#outbox.closed) this.#outbox.trySend(frame);
  }

  /** The next message of the other side; null at its end. Throws as `receive` of Framed. */
  receive(): Waitable<unknown> {
    return this.#framed.receive();
  }

  /** Write what is sent, until the end. To be run by a greenlet of its own. */
  *write(): Op<void> {
    try {
      for (;;) yield* this.#framed.send(yield* this.#outbox.receive());
    } catch (error) {
      // Closed, or lost, which the reading side learns too.
      if (!(error instanceof ChannelClosedError || error instanceof ResourceError || error instanceof UsageError))
        throw error;
    }
  }

  close(): void {
    this.#outbox.close();
    this.#socket.close();
  }
}
