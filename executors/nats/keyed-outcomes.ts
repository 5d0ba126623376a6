// keyed-outcomes.ts: the outcomes of tasks that have a key, which are everybody's: how an executor learns of those that it waits for.
//
// They do not come to the executor alone, so there is no consumer of its own for them. A worker publishes each once, into the stream that keeps the last one of each key; that is
// heard by whoever has subscribed, and found by whoever comes later. So: subscribe, then look, and look again in each session, because what was published between two of
// them was not heard. In a cluster a subscription takes a moment to be known everywhere; so whoever waits looks again now and then.

import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Greenlet } from '../../core/greenlet.ts';
import type { Op } from '../../core/op.ts';
import { select } from '../../core/select.ts';
import { sleep } from '../../core/sleep.ts';
import type { NatsLink } from './link.ts';
import type { QueueNames } from './queue-streams.ts';
import type { Session } from './session.ts';

const lookEveryMs = 5_000;

export class KeyedOutcomes {
  readonly #link: NatsLink;
  readonly #names: QueueNames;
  readonly #came: (hash: string, data: Uint8Array) => void;
  readonly #subscriptions: Map<string, Subscription | undefined> = new Map();
  readonly #greenlet: Greenlet<void>;

  /** `came` is called outside of every greenlet, and may be called twice for one outcome. */
  constructor(link: NatsLink, names: QueueNames, came: (hash: string, data: Uint8Array) => void) {
    this.#link = link;
    this.#names = names;
    this.#came = came;
    this.#greenlet = link.spawnInEachSession(
      'outcomes of tasks with keys',
      (session) => this.#listening(session),
      () => {},
    );
  }

  /** Be told of the outcome of this key. Never switches. */
  watch(hash: string): void {
    if (this.#subscriptions.has(hash)) return;
    const session = this.#link.current;
    this.#subscriptions.set(hash, session === undefined ? undefined : this.#subscribe(session, hash));
  }

  forget(hash: string): void {
    const subscription = this.#subscriptions.get(hash);
    this.#subscriptions.delete(hash);
    if (subscription?.isClosed() === false) subscription.unsubscribe();
  }

  /** Look whether it is there, and tell. */
  *look(session: Session, hash: string): Op<void> {
    const data = yield* lookForOutcome(session, this.#names, hash);
    if (data !== undefined) this.#came(hash, data);
  }

  stop(): void {
    this.#greenlet.kill();
  }

  *#listening(session: Session): Op<void> {
    for (const [hash, subscription] of this.#subscriptions)
      if (subscription?.isClosed() !== false) this.#subscriptions.set(hash, this.#subscribe(session, hash));
    while (!session.lost.isSet) {
      for (const hash of [...this.#subscriptions.keys()]) yield* this.look(session, hash);
      yield* select({ lost: session.lost.wait(), again: sleep(lookEveryMs) });
    }
  }

  #subscribe(session: Session, hash: string): Subscription | undefined {
    try {
      return session.client.subscribe(this.#names.subject('key', hash), {
        callback: (error: Error | null, message: Msg) => {
          if (error === null) this.#came(hash, message.data);
        },
      });
    } catch {
      // The session is about to be lost; the next one subscribes.
      return undefined;
    }
  }
}

/** The stored outcome of a key, if it is still kept. */
export function* lookForOutcome(session: Session, names: QueueNames, hash: string): Op<Uint8Array | undefined> {
  const manager = yield* session.manager();
  const found = yield* session.during(
    manager.direct.getMessage(names.keys, { last_by_subj: names.subject('key', hash) }),
  );
  return found?.data;
}
