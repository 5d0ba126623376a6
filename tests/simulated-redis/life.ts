// life.ts: one life of a simulated Redis, from its start to its crash: who is connected, who is blocked, and the journal of what was carried out.
//
// The store may outlive it. The journal does, because it is the test's own: it says what the server has really done, in order.

import type { Journal } from './journal.ts';
import { type Answer, Failure, Fields, NO_ARRAY, type Protocol, Push } from './resp.ts';
import type { Session } from './session.ts';
import type { Store } from './store.ts';

/** A key that is watched, and how often it had changed then. */
export interface Watch {
  readonly db: number;
  readonly key: string;
  readonly changes: number;
}

export class Life {
  readonly store: Store;
  readonly journal: Journal;
  readonly password: string | undefined;
  readonly sessions: Set<Session> = new Set();
  /** Oldest first: who has waited longest is served first. */
  readonly #blocked: Set<Session> = new Set();
  readonly #whenBlocked: (session: Session, forMs: number) => void;
  #sessions = 0;
  #serving = false;

  constructor(
    store: Store,
    journal: Journal,
    password: string | undefined,
    whenBlocked: (session: Session, forMs: number) => void,
  ) {
    this.store = store;
    this.journal = journal;
    this.password = password;
    this.#whenBlocked = whenBlocked;
  }

  /** A number for the next connection. */
  nextNumber(): number {
    this.#sessions += 1;
    return this.#sessions;
  }

  forget(session: Session): void {
    this.sessions.delete(session);
    this.#blocked.delete(session);
  }

  executed(session: Session, name: string, args: readonly string[], answer: Answer): void {
    this.journal.add(session.number, name, args, answer);
  }

  /** What is carried out from now to `commit` belongs together. */
  begin(): void {
    this.journal.begin();
  }

  commit(): void {
    this.journal.commit();
  }

  /** Take an element of the first of `keys` that has one: [key, element]. */
  pop(db: number, name: string, keys: readonly string[]): Answer | undefined {
    for (const key of keys) {
      const element = this.store.pop(db, key, name === 'BLPOP');
      if (element instanceof Failure) return element;
      if (element !== null) return [key, element];
    }
    return undefined;
  }

  block(session: Session): void {
    this.#blocked.add(session);
    this.#whenBlocked(session, session.blocked?.forMs ?? 0);
  }

  /** Its time is up, if it still waits. */
  expire(session: Session, blocked: Session['blocked']): void {
    if (session.blocked !== blocked || session.closed) return;
    this.#blocked.delete(session);
    session.unblock(NO_ARRAY);
  }

  /** Give elements that have come to those who wait for them. */
  serveBlocked(): void {
    if (this.#serving) return; // from inside: whoever was unblocked went on with its own next command
    this.#serving = true;
    for (let served = true; served; ) {
      served = false;
      for (const session of this.#blocked) {
        const { name, keys } = session.blocked as NonNullable<Session['blocked']>;
        const popped = this.pop(session.db, name, keys);
        if (popped === undefined || popped instanceof Failure) continue;
        this.#blocked.delete(session);
        session.unblock(popped);
        served = true;
      }
    }
    this.#serving = false;
  }

  publish(publisher: Session, channel: string, message: string): number {
    const receivers: number[] = [];
    for (const session of this.sessions) {
      if (session.channels.has(channel)) {
        session.say(new Push(['message', channel, message]));
        receivers.push(session.number);
      }
      for (const pattern of session.patterns) {
        if (!matches(pattern, channel)) continue;
        session.say(new Push(['pmessage', pattern, channel, message]));
        receivers.push(session.number);
      }
    }
    this.executed(publisher, 'PUBLISH', [channel, message], receivers.length);
    return receivers.length;
  }

  hello(protocol: Protocol, id: number): Answer {
    const facts: [string, Answer][] = [
      ['server', 'redis'],
      ['version', '7.0.0'],
      ['proto', protocol],
      ['id', id],
      ['mode', 'standalone'],
      ['role', 'master'],
      ['modules', []],
    ];
    return new Fields(new Map(facts));
  }
}

/** Does `channel` match `pattern`, in which * stands for anything and ? for one character? */
function matches(pattern: string, channel: string): boolean {
  const expression = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`, 's').test(channel);
}
