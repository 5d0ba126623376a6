// link.ts: a connection to NATS that lasts: sessions, one after the other, for as long as anybody needs it.
//
// When a session is lost the next one is opened, for ever by default. What is to outlive sessions is asked for by `attempt`, which asks again until there is an answer, and by
// `spawnInEachSession`, which is done anew in each. Acknowledgements are sent without waiting and kept until the server has confirmed that it has read them; those that
// it may not have are sent again in the next session, where they mean the same.
//
// The keeper is a daemon: it never holds the process by itself. `hold` does, for what waits without a greenlet (a future's promise).
//
// Invariants, between any two steps:
//   ready is set  if and only if  there is a session, or the link is closed
//   unconfirmed holds every acknowledgement that a session was given and did not confirm

import { composite } from '../../core/composite.ts';
import { isKilled, rethrowKilled } from '../../core/errors.ts';
import { Event } from '../../core/event.ts';
import type { Greenlet } from '../../core/greenlet.ts';
import type { Op } from '../../core/op.ts';
import { select } from '../../core/select.ts';
import { shield } from '../../core/shield.ts';
import { sleep } from '../../core/sleep.ts';
import { now, spawnWith } from '../../core/spawn.ts';
import { timeout } from '../../core/timeout.ts';
import { EngineClosedError, EngineRefusedError, EngineUnreachableError } from './errors.ts';
import { type NatsOptions, type NatsSettings, natsSettings } from './nats-options.ts';
import { openSession, type Session } from './session.ts';
import { isTransient, refusal } from './transient.ts';

/** Between two attempts to connect again: at first, and at most. */
const firstPauseMs = 20;
const longestPauseMs = 1_000;
/** How long a farewell may take. */
const farewellMs = 1_000;
/** Acknowledgements between two questions whether they have arrived. */
const confirmEvery = 100;

/** A lasting connection to NATS, to be shared by executors, workers and channels: `NatsLink.connect`. */
export class NatsLink {
  readonly #settings: NatsSettings;
  readonly #ready: Event = new Event({ name: 'of a NATS connection' });
  #session: Session | undefined;
  #failure: Error | undefined = undefined;
  readonly #greenlets: Set<Greenlet<void>> = new Set();
  readonly #closing: Set<() => void> = new Set();
  #unconfirmed: [subject: string, payload: string][] = [];
  #sinceConfirmed = 0;
  #reconnects = 0;
  #maxPayload = 0;
  #holders = 0;
  #holding: NodeJS.Timeout | undefined = undefined;
  #next = 0;

  private constructor(settings: NatsSettings, session: Session) {
    this.#settings = settings;
    this.#begin(session);
    this.spawn('keeper of a NATS connection', () => this.#keeping(session));
  }

  /**
   * Connect to NATS. Switches.
   *
   * One server after the other is tried. If it throws, nothing is left open.
   *
   * @throws EngineUnreachableError if none answers within `connectTimeoutMs`. @throws EngineRefusedError if one answers and does not let us in, or has no JetStream. @throws
   * TypeError for bad options. @throws Killed if the greenlet is killed while it waits.
   */
  static connect(options?: NatsOptions): Op<NatsLink> {
    const settings = natsSettings(options, 'NatsLink.connect');
    return composite(function* connecting() {
      const session = yield* firstSession(settings);
      return new NatsLink(settings, session);
    });
  }

  /** Is there a connection now? */
  get connected(): boolean {
    return this.#session !== undefined;
  }

  get closed(): boolean {
    return this.#failure !== undefined;
  }

  /** How often it was connected again. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** The most bytes that the server takes in one message. */
  get maxPayload(): number {
    return this.#maxPayload;
  }

  /**
   * Close it: whatever still needs it fails. Idempotent. Switches.
   *
   * @throws Killed if the greenlet is killed while it waits; it is closed all the same.
   */
  close(): Op<void> {
    return composite(() => this.#leaving());
  }

  /** Wait for a session. @throws EngineClosedError, EngineUnreachableError if there will be none. @internal */
  *session(): Op<Session> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#session !== undefined) return this.#session;
      yield* this.#ready.wait();
    }
  }

  /** The session that there is now, if there is one. @internal */
  get current(): Session | undefined {
    return this.#session;
  }

  /**
   * Have `request` answered: in this session, or in one of the next.
   *
   * @throws what the server answers, unless it says only that it cannot answer now. @internal
   */
  *attempt<T>(request: (session: Session) => Op<T>): Op<T> {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const session = yield* this.session();
      try {
        return yield* request(session);
      } catch (error) {
        rethrowKilled(error);
        if (!isTransient(error)) throw error;
      }
      if (!session.lost.isSet) yield* sleep(pauseMs);
    }
  }

  /** As `attempt`; what the server answers for good is an EngineRefusedError. @internal */
  *require<T>(request: (session: Session) => Op<T>): Op<T> {
    try {
      return yield* this.attempt(request);
    } catch (error) {
      rethrowKilled(error);
      throw refusal(error);
    }
  }

  /** Do `body` in each session, until the greenlet is killed or the link closed. What it throws is tried again, or ends it and is handed to `failed`. @internal */
  spawnInEachSession(
    name: string,
    body: (session: Session) => Op<void>,
    failed: (error: Error) => void,
  ): Greenlet<void> {
    return this.spawn(name, () => this.#everySession(body, failed));
  }

  /** A daemon of this link: killed when it closes. @internal */
  spawn(name: string, body: () => Op<void>): Greenlet<void> {
    const greenlet = spawnWith({ name, daemon: true }, body);
    this.#greenlets.add(greenlet);
    greenlet.onEnd(() => this.#greenlets.delete(greenlet));
    return greenlet;
  }

  /** Publish an acknowledgement; never switches, and sends it again if the session is lost too early. @internal */
  acknowledge(subject: string, payload: string): void {
    this.#unconfirmed.push([subject, payload]);
    const session = this.#session;
    if (session === undefined) return;
    publishQuietly(session, subject, payload);
    this.#sinceConfirmed += 1;
    if (this.#sinceConfirmed >= confirmEvery) this.#confirm(session);
  }

  /** Publish what nobody will miss if there is no session. @internal */
  publish(subject: string, payload: string): void {
    if (this.#session !== undefined) publishQuietly(this.#session, subject, payload);
  }

  /** Called when the link ends for good; returns what takes `listener` out. @internal */
  onClosed(listener: () => void): () => void {
    this.#closing.add(listener);
    return () => this.#closing.delete(listener);
  }

  /** Hold the process until `unhold` is called as often. @internal */
  hold(): void {
    this.#holders += 1;
    this.#holding ??= setInterval(() => {}, 2_147_483_647);
  }

  /** @internal */
  unhold(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    clearInterval(this.#holding);
    this.#holding = undefined;
  }

  /** Why it is closed, if it is. @internal */
  get failure(): Error | undefined {
    return this.#failure;
  }

  #begin(session: Session): void {
    this.#session = session;
    this.#maxPayload = session.maxPayload;
    for (const [subject, payload] of this.#unconfirmed) publishQuietly(session, subject, payload);
    if (this.#unconfirmed.length > 0) this.#confirm(session);
    this.#ready.set();
  }

  /** The server answers a ping after it has read what was sent before. */
  #confirm(session: Session): void {
    this.#sinceConfirmed = 0;
    const asked = this.#unconfirmed;
    if (asked.length === 0) return;
    const last = asked[asked.length - 1];
    session.client.flush().then(
      () => {
        const index = this.#unconfirmed.indexOf(last as [string, string]);
        if (index >= 0) this.#unconfirmed = this.#unconfirmed.slice(index + 1);
      },
      () => {},
    );
  }

  *#keeping(first: Session): Op<void> {
    let session = first;
    try {
      for (;;) {
        yield* this.#tending(session);
        this.#session = undefined;
        this.#ready.clear();
        session.close();
        session = yield* this.#again();
        this.#reconnects += 1;
        this.#begin(session);
      }
    } catch (error) {
      rethrowKilled(error);
      this.#end(error as Error);
    } finally {
      session.close();
      // Killed by somebody else: there is nobody left to connect again.
      this.#end(new EngineClosedError('NATS'));
    }
  }

  /** Return when the session is lost, or the server gives no sign of life. */
  *#tending(session: Session): Op<void> {
    const { pingMs } = this.#settings;
    for (;;) {
      yield* timeout(pingMs, session.lost.wait(), { else: undefined });
      if (session.lost.isSet) return;
      try {
        if ((yield* timeout(pingMs, session.during(session.client.flush()), { else: 'silent' })) === 'silent') return;
      } catch (error) {
        rethrowKilled(error);
        return;
      }
      this.#confirm(session);
    }
  }

  *#again(): Op<Session> {
    const { giveUpAfterMs, servers } = this.#settings;
    const sinceMs = now();
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const server = servers[this.#next++ % servers.length] as (typeof servers)[number];
      try {
        return yield* timeout(this.#settings.connectTimeoutMs, openSession(server, this.#settings));
      } catch (error) {
        rethrowKilled(error);
        if (now() - sinceMs >= giveUpAfterMs) throw unreachable(this.#settings, now() - sinceMs, error);
      }
      yield* sleep(Math.min(pauseMs, Math.max(sinceMs + giveUpAfterMs - now(), 0)));
    }
  }

  *#everySession(body: (session: Session) => Op<void>, failed: (error: Error) => void): Op<void> {
    try {
      for (;;) {
        const session = yield* this.attempt(function* once(current) {
          yield* body(current);
          return current;
        });
        yield* session.lost.wait();
      }
    } catch (error) {
      if (isKilled(error)) throw error;
      if (this.#failure === undefined) failed(refusal(error));
    }
  }

  *#leaving(): Op<void> {
    if (this.#failure !== undefined) return;
    const session = this.#session;
    this.#end(new EngineClosedError('NATS'));
    try {
      if (session !== undefined)
        yield* shield(timeout(farewellMs, session.during(session.client.flush()), { else: undefined }));
    } catch (error) {
      rethrowKilled(error);
    } finally {
      session?.close();
      const left = [...this.#greenlets];
      for (const greenlet of left) greenlet.kill();
      yield* shield(joined(left));
      if (session !== undefined) yield* shield(select({ gone: session.lost.wait(), late: sleep(farewellMs) }));
    }
  }

  /** It is over: whoever waits for a session is told, and those who want to know. */
  #end(failure: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#session = undefined;
    this.#ready.set();
    for (const listener of [...this.#closing]) listener();
  }
}

function* joined(greenlets: readonly Greenlet<void>[]): Op<void> {
  for (const greenlet of greenlets) yield* greenlet.join();
}

/** The first session: each server once, all within the limit. */
function* firstSession(settings: NatsSettings): Op<Session> {
  const sinceMs = now();
  let last: unknown;
  let session: Session | undefined;
  const trying = function* (): Op<Session> {
    for (const server of settings.servers) {
      try {
        session = yield* openSession(server, settings);
        yield* requireJetStream(session);
        return session;
      } catch (error) {
        rethrowKilled(error);
        session?.close();
        session = undefined;
        last = last instanceof EngineRefusedError ? last : error;
      }
    }
    throw last instanceof EngineRefusedError ? last : unreachable(settings, now() - sinceMs, last);
  };
  let done = false;
  try {
    const found = yield* timeout(settings.connectTimeoutMs, trying(), { else: undefined });
    if (found === undefined) throw unreachable(settings, settings.connectTimeoutMs, last);
    done = true;
    return found;
  } finally {
    if (!done) (session as Session | undefined)?.close();
  }
}

function* requireJetStream(session: Session): Op<void> {
  try {
    const manager = yield* session.manager();
    yield* session.during(manager.getAccountInfo());
  } catch (error) {
    rethrowKilled(error);
    throw new EngineRefusedError(
      `the NATS server at ${session.server} has no JetStream for us: ${(error as Error).message}; start it with nats-server -js`,
      { cause: error },
    );
  }
}

function unreachable(settings: NatsSettings, forMs: number, cause: unknown): EngineUnreachableError {
  return new EngineUnreachableError(
    settings.servers.map(({ text }) => text),
    forMs,
    cause,
  );
}

/** The client throws if the connection has just gone: then the session is lost, which is noticed elsewhere. */
function publishQuietly(session: Session, subject: string, payload: string): void {
  try {
    session.client.publish(subject, payload);
  } catch {
    // Lost, and sent again if it has to be.
  }
}
