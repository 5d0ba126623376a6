// subscription.ts: messages of a NATS subject as a channel of ours.
//
// All subscriptions share a connection, so nobody can be made to wait for a slow one: when `capacity` messages wait, those that follow are dropped and
// counted in `dropped`. NATS promises no more: at most once.

import { Channel, type Op } from 'tendril';
import type { Headers } from './headers.ts';

export interface Message {
  readonly subject: string;
  /** Where an answer is expected, if one is. */
  readonly reply: string | undefined;
  readonly data: Buffer;
  readonly headers: Headers;
}

/** What a subscription asks of its client. */
export interface Subscriber {
  /** Tell the server that no more is wanted. */
  unsubscribe(subscription: Subscription): Op<void>;
  /** Wait until everything that the server had sent has come. */
  flush(): Op<void>;
  forget(subscription: Subscription): void;
}

export class Subscription extends Channel<Message> {
  readonly sid: number;
  readonly subject: string;
  readonly queue: string | undefined;
  /** How many messages came when there was no room. */
  dropped = 0;
  readonly #client: Subscriber;

  constructor(client: Subscriber, sid: number, subject: string, queue: string | undefined, capacity: number) {
    super(capacity, { name: `of NATS messages (${subject})` });
    this.#client = client;
    this.sid = sid;
    this.subject = subject;
    this.queue = queue;
  }

  /** @internal */
  deliver(message: Message): void {
    if (this.closed || !this.trySend(message)) this.dropped += 1;
  }

  /** End it at once. What has come can still be received. Never switches; idempotent. */
  override close(): void {
    super.close();
    this.#client.forget(this);
  }

  /** End it and tell the server. */
  *unsubscribe(): Op<void> {
    this.close();
    yield* this.#client.unsubscribe(this);
  }

  /** Tell the server, wait for what is on its way, and end: nothing that was sent to this one is lost. */
  *drain(): Op<void> {
    try {
      yield* this.#client.unsubscribe(this);
      yield* this.#client.flush();
    } finally {
      this.close();
    }
  }
}
