// pull.ts: messages of a JetStream consumer, as many as are wanted and no more.
//
// The server is asked for exactly what there is room for, so nothing lies here that somebody else could be working on. The client's own `consume` asks for a batch, and again before that is
// used up: whoever takes a message for a minute would hold back a batch of them.
//
// A request lies at the server for a moment and is then told to have expired, with the number that was not delivered. If neither comes in time, the server has forgotten it, and it is
// asked anew. Requests and messages find each other by their number alone, oldest request first, which is how the server serves them.
//
// The moment is short because nothing takes a request back: one whose asker has gone stays, and a server of 2.9 that meets no other one when a message is to be delivered again counts its deliveries
// from 1 once more, or forgets it for a while. So requests have expired before the messages of a lost worker come again, and what is handed back by us waits until ours have.
//
// Invariants, between any two steps:
//   outstanding is the sum of what the requests have left
//   a session is there, and set up  implies  outstanding >= wanted, once `#ask` has run
// Source: JetStream's wire protocol, $JS.API.CONSUMER.MSG.NEXT.

import type { Msg, Subscription } from '@nats-io/transport-node';
import { createInbox } from '@nats-io/transport-node';
import { Event } from '../../core/event.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import type { Op } from '../../core/op.ts';
import { select } from '../../core/select.ts';
import { sleep } from '../../core/sleep.ts';
import { now } from '../../core/spawn.ts';
import type { NatsLink } from './link.ts';
import { type Session, SessionLost } from './session.ts';

/** A message that a consumer has delivered. It is ours until it is acknowledged, or until `ack_wait` is over. */
export interface Delivery {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Where it is acknowledged: good in every session. */
  readonly reply: string;
  /** 1 for the first delivery. */
  readonly attempt: number;
  /** Its number in the stream. */
  readonly sequence: number;
}

export interface PullSettings {
  readonly link: NatsLink;
  readonly stream: string;
  readonly consumer: string;
  /** Make the stream and the consumer, if they are not there; returns the `ack_wait` in ms. Called in each session, and when the server says that they are gone. */
  setUp(session: Session): Op<number>;
  /** Called outside of every greenlet. */
  deliver(delivery: Delivery): void;
  /** The set-up was refused: nothing will come. */
  failed(error: Error): void;
}

interface Request {
  left: number;
  readonly endsMs: number;
}

/** How long a request lies at the server at most, and what its expiry may be late. */
const longestMs = 500;
const lateMs = 5_000;
/** By how much a request is expired for certain: the server reads it later than we have written it. */
const marginMs = 200;
const shortestMs = 50;

export class Pull {
  readonly #settings: PullSettings;
  readonly #greenlet: Greenlet<void>;
  #wanted = 0;
  #expiresMs = longestMs;
  #requests: Request[] = [];
  /** Set while the current session is set up. */
  #session: Session | undefined = undefined;
  #subscription: Subscription | undefined = undefined;
  #inbox = '';
  #stopped = false;
  #broken = false;
  readonly #disturbed: Event = new Event({ name: 'of a consumer that is gone' });

  constructor(settings: PullSettings) {
    this.#settings = settings;
    this.#greenlet = settings.link.spawnInEachSession(
      `pull from ${settings.stream}`,
      (session) => this.#pulling(session),
      (error) => settings.failed(error),
    );
  }

  /** So many more messages could be taken now. Never switches. */
  want(count: number): void {
    this.#wanted = count;
    this.#ask();
  }

  /** Take nothing any more: what is handed back from now on goes to others, and so does what is on its way to us. Never switches. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#wanted = 0;
    // Says at once that we are not there, and still hears what was sent before that was read.
    this.#subscription?.drain().catch(() => {});
    this.#greenlet.kill();
  }

  /** Give a message to others, in `delayMs` at the earliest; when we have stopped, not before our requests have expired. Never switches. */
  handBack(reply: string, delayMs: number): void {
    let delay = delayMs;
    if (this.#stopped)
      for (const { endsMs } of this.#requests) delay = Math.max(delay, Math.ceil(endsMs - now()) + marginMs);
    const how = delay === 0 ? '' : ` ${JSON.stringify({ delay: delay * 1e6 })}`;
    this.#settings.link.acknowledge(reply, `-NAK${how}`);
  }

  *#pulling(session: Session): Op<void> {
    const ackWaitMs = yield* this.#settings.setUp(session);
    this.#expiresMs = Math.max(Math.min(longestMs, ackWaitMs / 2), shortestMs);
    this.#inbox = createInbox();
    this.#requests = [];
    this.#broken = false;
    this.#disturbed.clear();
    try {
      this.#subscription = session.client.subscribe(this.#inbox, {
        callback: (error, message) => this.#came(error, message),
      });
      this.#session = session;
      this.#ask();
      while (!this.#broken && !session.lost.isSet) {
        yield* select({ lost: session.lost.wait(), gone: this.#disturbed.wait(), late: sleep(lateMs) });
        this.#forgetLate();
        this.#ask();
      }
      // The stream or the consumer is gone: set up again.
      if (this.#broken) throw new SessionLost('a consumer is gone');
    } finally {
      this.#session = undefined;
      if (!this.#stopped && !session.lost.isSet) this.#subscription?.unsubscribe();
      this.#subscription = undefined;
    }
  }

  get #outstanding(): number {
    let sum = 0;
    for (const request of this.#requests) sum += request.left;
    return sum;
  }

  #ask(): void {
    const session = this.#session;
    if (session === undefined || this.#broken) return;
    const batch = this.#wanted - this.#outstanding;
    if (batch <= 0) return;
    const { stream, consumer } = this.#settings;
    try {
      session.client.publish(
        `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
        JSON.stringify({ batch, expires: this.#expiresMs * 1e6 }),
        { reply: this.#inbox },
      );
      this.#requests.push({ left: batch, endsMs: now() + this.#expiresMs });
    } catch {
      // The session is about to be lost.
    }
  }

  #took(count: number): void {
    let left = count;
    while (left > 0 && this.#requests.length > 0) {
      const oldest = this.#requests[0] as Request;
      const taken = Math.min(left, oldest.left);
      oldest.left -= taken;
      left -= taken;
      if (oldest.left === 0) this.#requests.shift();
    }
  }

  #forgetLate(): void {
    const at = now();
    this.#requests = this.#requests.filter(({ endsMs }) => endsMs + lateMs > at);
  }

  #came(error: Error | null, message: Msg): void {
    if (error !== null) return;
    // What the server says itself comes to the inbox; a message has the subject that it was published on.
    if (message.subject === this.#inbox) {
      this.#status(message);
      return;
    }
    this.#took(1);
    if (this.#wanted > 0) this.#wanted -= 1;
    const delivery = deliveryOf(message);
    if (delivery === undefined) return;
    if (this.#stopped) this.handBack(delivery.reply, 0);
    else this.#settings.deliver(delivery);
  }

  #status(message: Msg): void {
    const code = message.headers?.code ?? 0;
    if (code === 100) return;
    const left = Number(message.headers?.get('Nats-Pending-Messages'));
    if (left > 0) {
      // It has expired, or was cut short: what it has left is asked for again.
      this.#took(left);
      this.#ask();
      return;
    }
    // No such consumer (503: nobody there; 409: deleted), or a request that it does not take: look again what there is.
    this.#broken = true;
    this.#requests = [];
    this.#disturbed.set();
  }
}

/** Read where a message came from; undefined if no consumer has delivered it. */
function deliveryOf(message: Msg): Delivery | undefined {
  const reply = message.reply ?? '';
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined;
  // $JS.ACK.stream.consumer.delivered.sequence.consumerSequence.time.pending, or with domain and account before the stream.
  const at = tokens.length === 9 ? 4 : 6;
  const [attempt, sequence] = [Number(tokens[at]), Number(tokens[at + 1])];
  if (!Number.isSafeInteger(attempt) || !Number.isSafeInteger(sequence)) return undefined;
  return { subject: message.subject, data: message.data, reply, attempt, sequence };
}
