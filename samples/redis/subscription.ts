// subscription.ts: messages of Redis channels as a channel of ours.
//
// It has a connection to itself, so a slow reader holds back nobody but its own publisher: when the buffer is full the greenlet that fills it
// waits, the socket fills up, and Redis sees a slow subscriber. A lost connection is made again and the subscription with it; what was
// published in between is gone, as Redis keeps nothing for those who are away.

import { Channel, ChannelClosedError, type Greenlet, type Op, rethrowKilled, spawnWith, timeout } from 'tendril';
import type { Value } from './commands.ts';
import { type Backoff, untilItWorks } from './reconnect.ts';
import { type Argument, encode } from './resp-encoder.ts';
import { type RespLink, unlessError } from './resp-link.ts';
import { Push, type Reply } from './resp-values.ts';

export interface Message<V extends Value> {
  readonly channel: string;
  readonly message: V;
  /** The pattern that matched, for psubscribe. */
  readonly pattern?: string;
}

/** How one subscribes: by name or by pattern, and to what. */
export interface Topics {
  readonly verb: 'SUBSCRIBE' | 'PSUBSCRIBE';
  readonly names: readonly Argument[];
  readonly asBuffers: boolean;
}

/** A link that has subscribed, and how to make the next one. */
export interface Subscribing<V extends Value> {
  readonly link: RespLink;
  readonly early: readonly Reply[];
  readonly topics: Topics;
  readonly open: () => Op<RespLink>;
  readonly backoff: Backoff;
  readonly onEnd: (subscription: Subscription<V>) => void;
}

const ROOM = 1_024;
const FAREWELL_MS = 5_000;

/** A channel of messages. `close()` ends it at once, `unsubscribe()` when the server has confirmed; what had come can still be received. */
export class Subscription<V extends Value> extends Channel<Message<V>> {
  readonly #how: Subscribing<V>;
  readonly #follower: Greenlet<void>;
  #link: RespLink;

  constructor(how: Subscribing<V>) {
    super(ROOM, { name: `of Redis messages (${how.topics.names.map(String).join(', ')})` });
    this.#how = how;
    this.#link = how.link;
    this.#follower = spawnWith({ name: 'redis subscriber', daemon: true }, () => this.#follow());
  }

  override close(): void {
    super.close();
    this.#follower.kill();
    this.#link.close();
    this.#how.onEnd(this);
  }

  /** Unsubscribe and wait until the server has confirmed it: from then on no publisher counts this one. */
  *unsubscribe(): Op<void> {
    super.close();
    try {
      yield* this.#link.write(encode(`${this.#how.topics.verb === 'SUBSCRIBE' ? '' : 'P'}UNSUBSCRIBE`, []));
      yield* timeout(FAREWELL_MS, this.#follower.join(), { else: undefined });
    } catch (error) {
      rethrowKilled(error); // a connection that is lost is unsubscribed too
    } finally {
      this.close();
    }
  }

  *#follow(): Op<void> {
    const { open, topics, backoff } = this.#how;
    try {
      for (let { early } = this.#how; ; ) {
        try {
          yield* this.#forward(early);
          return;
        } catch (error) {
          rethrowKilled(error);
          this.#link.close();
          if (this.closed) return;
        }
        ({ link: this.#link, early } = yield* untilItWorks(
          () => again(open, topics),
          backoff,
          () => {},
        ));
      }
    } finally {
      this.#link.close(); // one that has just been made, when close() has only seen the one before
    }
  }

  /** Pass messages on until the last subscription has ended. */
  *#forward(early: readonly Reply[]): Op<void> {
    for (const reply of early) yield* this.#pass(itemsOf(reply));
    for (;;) {
      const items = itemsOf(yield* this.#link.reply(this.#how.topics.asBuffers));
      if (/^p?unsubscribe$/.test(String(items[0])) && items[2] === 0) return;
      yield* this.#pass(items);
    }
  }

  *#pass([kind, ...rest]: readonly Reply[]): Op<void> {
    const [pattern, channel, message] = String(kind) === 'pmessage' ? rest : [undefined, ...rest];
    if (!/^p?message$/.test(String(kind))) return;
    const common = { channel: String(channel), message: message as V };
    try {
      yield* this.send(pattern === undefined ? common : { ...common, pattern: String(pattern) });
    } catch (error) {
      if (!(error instanceof ChannelClosedError)) throw error; // unsubscribe() is waiting: read on to its confirmation
    }
  }
}

/** Subscribe on `link` until each name is confirmed; returns the messages that came meanwhile. */
export function* confirm(link: RespLink, { verb, names, asBuffers }: Topics): Op<Reply[]> {
  yield* link.write(encode(verb, names));
  const early: Reply[] = [];
  for (let confirmed = 0; confirmed < names.length; ) {
    const reply = unlessError(yield* link.reply(asBuffers), verb);
    if (String(itemsOf(reply)[0]) === verb.toLowerCase()) confirmed += 1;
    else early.push(reply);
  }
  return early;
}

function* again(open: () => Op<RespLink>, topics: Topics): Op<{ link: RespLink; early: Reply[] }> {
  const link = yield* open();
  try {
    return { link, early: yield* confirm(link, topics) };
  } catch (error) {
    link.close();
    throw error;
  }
}

function itemsOf(reply: Reply): Reply[] {
  if (reply instanceof Push) return reply.items;
  return Array.isArray(reply) ? reply : [];
}
