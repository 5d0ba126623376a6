// subscription.ts: messages of MQTT topics as a channel of ours.
//
// A message with a QoS of 1 or 2 is acknowledged when every subscription here that it is for has taken it. So a slow reader holds back the server, which sends
// only so many that are not acknowledged, and nothing is lost. One with a QoS of 0 is dropped, and counted, when there is no room.

import { Channel, ChannelClosedError, type Op, spawnWith } from 'tendril';
import type { Publish, Qos } from './packets.ts';

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  /** It was kept by the server from before. */
  readonly retain: boolean;
  /** With a QoS of 1 it may have come before. */
  readonly dup: boolean;
}

/** A message on its way to those whom it is for. */
export class Delivery {
  readonly message: Publish;
  readonly #acknowledge: () => Op<void>;
  #left: number;

  constructor(message: Publish, readers: number, acknowledge: () => Op<void>) {
    this.message = message;
    this.#left = readers;
    this.#acknowledge = acknowledge;
  }

  /** One of them has taken it. */
  *taken(): Op<void> {
    this.#left -= 1;
    if (this.#left <= 0) yield* this.#acknowledge();
  }
}

/** What a subscription asks of its client. */
export interface Subscriber {
  unsubscribe(subscription: Subscription): Op<void>;
  forget(subscription: Subscription): void;
}

export class Subscription extends Channel<Message> {
  readonly filter: string;
  readonly qos: Qos;
  /** How many messages with a QoS of 0 came when there was no room. */
  dropped = 0;
  readonly #client: Subscriber;
  /** Those that wait for room, oldest first, and are not acknowledged. */
  readonly #waiting: Delivery[] = [];

  constructor(client: Subscriber, filter: string, qos: Qos, capacity: number) {
    super(capacity, { name: `of MQTT messages (${filter})` });
    this.#client = client;
    this.filter = filter;
    this.qos = qos;
  }

  /** @internal */
  *deliver(delivery: Delivery): Op<void> {
    const { message } = delivery;
    if (this.closed || (this.#waiting.length === 0 && this.trySend(message))) return yield* delivery.taken();
    if (message.qos === 0) {
      this.dropped += 1;
      return;
    }
    this.#waiting.push(delivery);
    if (this.#waiting.length === 1)
      spawnWith({ name: `mqtt feeder of ${this.filter}`, daemon: true }, () => this.#feed());
  }

  /** End it at once. What has come can still be received. The server is not told: see `unsubscribe`. Never switches; idempotent. */
  override close(): void {
    super.close();
    this.#client.forget(this);
  }

  /** Tell the server, wait until it has confirmed, and end: what it had sent before can still be received. */
  *unsubscribe(): Op<void> {
    try {
      yield* this.#client.unsubscribe(this);
    } finally {
      this.close();
    }
  }

  *#feed(): Op<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      try {
        yield* this.send(next.message);
      } catch (error) {
        if (!(error instanceof ChannelClosedError)) throw error;
      }
      this.#waiting.shift();
      yield* next.taken();
    }
  }
}
