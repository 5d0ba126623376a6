// pull.ts: messages of a JetStream consumer, as many as are wanted and no more.
//
// The server is asked for exactly what there is room for, so nothing lies here that somebody else could be working on. The client's own `consume` asks for a batch, and again before that is
// used up: whoever takes a message for a minute would hold back a batch of them.
//
// A request lies at the server for a moment and is then told to have expired, with the number that was not delivered. If neither comes in time, the server has forgotten it, which it of 2.9 does
// when a message is to be delivered again just then, and it is asked anew. Requests and messages find each other by their number alone, oldest request first, which is how the server serves them.
//
// The moment is short because nothing takes a request back: one whose asker has gone stays, and a server of 2.9 that meets no other one when a message is to be delivered again counts its deliveries
// from 1 once more, or forgets it for a while. So requests have expired before the messages of a lost worker come again, and what we hand back when we leave waits until the server has told us
// that ours have: our clock cannot know when it has read them.
//
// Invariants, between any two steps:
//   outstanding is the sum of what the requests have left
//   a session is there, and set up  implies  outstanding >= wanted, once `#ask` has run
//   stopped  implies  resting; something is kept  implies  resting, not stopped, and outstanding > 0
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

/** How long a request lies at the server at most, what its expiry may be late, and how often that is looked at. */
const longestMs = 500;
const lateMs = 1_000;
const lookMs = 250;
/** What we hand back when ours have expired waits until others, who have asked at the same time as we, have asked again. */
const othersMs = 100;
/** By how much a request is expired for certain by our clock, if the server does not say so: it reads it later than we have written it. */
const marginMs = 1_000;
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
  #resting = false;
  #stopped = false;
  #broken = false;
  /** What is to be handed back, and when at the earliest. */
  #kept: { readonly reply: string; readonly delayMs: number }[] = [];
  readonly #expired: Event = new Event({ name: 'of requests that have expired' });
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
    if (this.#resting) return;
    this.#wanted = count;
    this.#ask();
  }

  /** Ask for nothing any more. What is handed back from now on goes to others, and so does what is on its way to us. Never switches. */
  rest(): void {
    if (this.#resting) return;
    this.#resting = true;
    this.#wanted = 0;
    this.#greenlet.kill();
    this.#tellExpired();
  }

  /** Rest, and stop when what was handed back is on its way. */
  *leave(): Op<void> {
    this.rest();
    const session = this.#session;
    if (session !== undefined && this.#kept.length > 0) {
      const lastMs = Math.max(...this.#requests.map(({ endsMs }) => endsMs));
      yield* select({
        expired: this.#expired.wait(),
        lost: session.lost.wait(),
        late: sleep(Math.max(lastMs - now(), 0) + marginMs),
      });
    }
    this.stop();
  }

  /** Rest, and be gone. What is handed back then waits for as long as our requests may be there. Never switches. */
  stop(): void {
    this.rest();
    if (this.#stopped) return;
    this.#stopped = true;
    for (const { reply, delayMs } of this.#kept.splice(0)) this.handBack(reply, delayMs);
    // Says that we are not there, and still hears what was sent before that was read.
    if (this.#session?.lost.isSet === false) this.#subscription?.drain().catch(() => {});
    this.#session = undefined;
    this.#subscription = undefined;
  }

  /** Give a message to others, in `delayMs` at the earliest; when we rest, not before our requests have expired. Never switches. */
  handBack(reply: string, delayMs: number): void {
    let delay = delayMs;
    if (this.#resting && this.#requests.length > 0) {
      if (!this.#stopped) {
        this.#kept.push({ reply, delayMs });
        return;
      }
      for (const { endsMs } of this.#requests) delay = Math.max(delay, Math.ceil(endsMs - now()) + marginMs);
    }
    const how = delay === 0 ? '' : ` ${JSON.stringify({ delay: delay * 1e6 })}`;
    this.#settings.link.acknowledge(reply, `-NAK${how}`);
  }

  #tellExpired(): void {
    if (!this.#resting || this.#requests.length > 0) return;
    for (const { reply, delayMs } of this.#kept.splice(0)) this.handBack(reply, Math.max(delayMs, othersMs));
    this.#expired.set();
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
        yield* select({ lost: session.lost.wait(), gone: this.#disturbed.wait(), late: sleep(lookMs) });
        this.#forgetLate();
        this.#ask();
      }
      // The stream or the consumer is gone: set up again.
      if (this.#broken) throw new SessionLost('a consumer is gone');
    } finally {
      // Who rests still hears what becomes of its requests.
      if (!this.#resting) {
        if (!session.lost.isSet) this.#subscription?.unsubscribe();
        this.#session = undefined;
        this.#subscription = undefined;
      }
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
    this.#tellExpired();
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
    if (this.#resting) this.handBack(delivery.reply, 0);
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
    this.#tellExpired();
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
