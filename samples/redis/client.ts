// client.ts: what connectRedis returns: all commands as Ops, over one shared connection that comes back when it is lost.
//
// Commands that would hold up everybody else (BLPOP), or that change what the replies look like (SUBSCRIBE), get a connection of their own, as does
// `isolated`. Idle ones are kept for the next.
//
// When the connection is lost, each greenlet that waits for a reply gets RedisConnectionError, because nobody knows what the server has done. Commands
// that start after that wait for the new connection; if there is none after `outageMs` they fail with the reason, until there is one.
//
// Invariants, between any two steps:
//   #pipeline is defined and open  implies  #connected holds it
//   closed                         implies  there is no pipeline, no idle link, no subscription, no supervisor

import { AsyncResult, ClosedError, type Greenlet, type Op, rethrowKilled, spawnWith, timeout } from 'tendril';
import { blockingMs, blocks } from './blocking.ts';
import { RedisCommands, type Value } from './commands.ts';
import { RedisConnectionError } from './errors.ts';
import { IdleLinks } from './idle-links.ts';
import { Isolated } from './isolated.ts';
import { checkRedisOptions, type RedisOptions } from './options.ts';
import { Pipeline } from './pipeline.ts';
import { type Backoff, untilItWorks } from './reconnect.ts';
import { refuseOnShared } from './refused.ts';
import { type OpIterator, Request, type Sender, type Shape } from './request.ts';
import { type Argument, encode } from './resp-encoder.ts';
import { type Greeting, RespLink } from './resp-link.ts';
import type { Reply } from './resp-values.ts';
import { confirm, Subscription, type Topics } from './subscription.ts';
import { type Transaction, transaction } from './transaction.ts';

export class RedisClient<V extends Value = string> extends RedisCommands<V> implements Sender {
  readonly #options: RedisOptions;
  readonly #greeting: Greeting;
  /** How often it has changed. */
  #greetings = 0;
  readonly #backoff: Backoff;
  readonly #asBuffers: boolean;
  readonly #replyMs: number;
  #pipeline: Pipeline | undefined;
  /** The connection, or the wait for it, or why there is none. */
  #connected: AsyncResult<Pipeline> = new AsyncResult({ name: 'Redis connection' });
  #supervisor: Greenlet<void> | undefined;
  #closed = false;
  readonly #idle: IdleLinks = new IdleLinks();
  /** Links that one greenlet has to itself at this moment. */
  readonly #lent: Set<RespLink> = new Set();
  readonly #subscriptions: Set<Subscription<V>> = new Set();

  private constructor(options: RedisOptions) {
    super();
    checkRedisOptions(options);
    const { protocol = 2, username, password, db = 0, retryMs = 50, longestRetryMs = 2_000, buffers = false } = options;
    this.#replyMs = options.replyMs ?? 30_000;
    this.#options = options;
    this.#greeting = { protocol, username, password, db };
    this.#backoff = { firstMs: retryMs, mostMs: longestRetryMs };
    this.#asBuffers = buffers;
  }

  /** @internal: connectRedis() makes clients. */
  static *connect<V extends Value>(options: RedisOptions): Op<RedisClient<V>> {
    const client = new RedisClient<V>(options);
    const pipeline = client.#adopt(yield* client.#openLink());
    client.#supervisor = spawnWith({ name: 'redis supervisor', daemon: true }, () => client.#supervise(pipeline));
    return client;
  }

  /** Is there a connection at this moment? */
  get connected(): boolean {
    return this.#pipeline?.open === true;
  }

  /** How many commands wait for a reply, with those whose greenlets have gone. */
  get unanswered(): number {
    return this.#pipeline?.unanswered ?? 0;
  }

  /** Any command. One that blocks has a connection of its own. @throws UsageError for one that would confuse the replies of others. */
  command(name: string, ...args: Argument[]): Op<Reply> {
    const verb = String(name).toUpperCase();
    if (blocks(verb)) return this.#blocking(verb, args);
    // Those that have a method are to be remembered for the connections to come.
    if (verb === 'SELECT' && args.length === 1) return this.select(Number(args[0]));
    if (verb === 'AUTH' && args.length > 0) return this.auth(...(args.map(String) as [string]));
    refuseOnShared(verb, args);
    return this.make(verb, args);
  }

  /**
   * Take the first element of the first list that has one, waiting for it: [key, value], or null after so many seconds as the last argument says
   * (0: never). A kill before there is an element takes none; at the moment when there is one, it may be lost.
   */
  blpop(...keysAndSeconds: readonly (Argument | readonly Argument[])[]): Op<[string, V] | null> {
    const args = keysAndSeconds.flat() as Argument[];
    return this.#blocking('BLPOP', args, (reply) => {
      const popped = reply as [Value, V] | null;
      return popped === null ? null : [String(popped[0]), popped[1]];
    });
  }

  /** Start a transaction: record commands on it, or give them here as arrays, and `exec()` it. */
  multi(commands: readonly (readonly [string, ...Argument[]])[] = []): Transaction<V> {
    const begun = transaction<V>(this, this.#asBuffers);
    for (const [name, ...args] of commands) begun.command(name, ...args);
    return begun;
  }

  /** Log in; the connections to come do too. */
  auth(...credentials: [password: string] | [username: string, password: string]): Op<'OK'> {
    return this.make('AUTH', credentials, (reply) => {
      this.#greeting.password = credentials.at(-1);
      this.#greeting.username = credentials.length === 2 ? credentials[0] : undefined;
      this.#greetingChanged();
      return reply as 'OK';
    });
  }

  /** Change to another database, for every greenlet that uses this client and the connections to come. */
  select(db: number): Op<'OK'> {
    return this.make('SELECT', [db], (reply) => {
      this.#greeting.db = db;
      this.#greetingChanged();
      return reply as 'OK';
    });
  }

  /** A channel of the messages that are published on `channels`, from now on. */
  subscribe(...channels: Argument[]): Op<Subscription<V>> {
    return this.#subscribe({ verb: 'SUBSCRIBE', names: channels.flat() as Argument[], asBuffers: this.#asBuffers });
  }

  /** As `subscribe`, for every channel whose name matches one of `patterns`. */
  psubscribe(...patterns: Argument[]): Op<Subscription<V>> {
    return this.#subscribe({ verb: 'PSUBSCRIBE', names: patterns.flat() as Argument[], asBuffers: this.#asBuffers });
  }

  /** Run `body` with a connection that it has to itself, for what belongs to a connection: WATCH and MULTI, say. It is closed at the end. */
  *isolated<T>(body: (redis: Isolated<V>) => Op<T>): Op<T> {
    const link = yield* this.#openLink();
    this.#lent.add(link);
    try {
      return yield* body(new Isolated<V>(link, this.#asBuffers));
    } finally {
      this.#lent.delete(link);
      link.close();
    }
  }

  /** Let the commands that were started before finish, then close. */
  *quit(): Op<void> {
    try {
      if (this.connected) yield* this.make('QUIT', []);
    } catch (error) {
      rethrowKilled(error);
      if (!(error instanceof RedisConnectionError)) throw error; // gone already: that is what we wanted
    } finally {
      this.close();
    }
  }

  /** Close everything, at once. Whoever waits for a reply gets ClosedError. Never switches; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#supervisor?.kill();
    const pipeline = this.#pipeline;
    this.#disconnected().setError(this.#closedError());
    pipeline?.close(this.#closedError());
    this.#idle.close();
    for (const each of [...this.#lent, ...this.#subscriptions]) each.close();
  }

  /** @internal */
  start(request: Request<unknown>): OpIterator<unknown> {
    const pipeline = this.#pipeline;
    if (pipeline?.open === true) return pipeline.start(request);
    return this.#startLater(request)[Symbol.iterator]();
  }

  protected make<T>(name: string, args: readonly Argument[], shape?: Shape<T>, asBuffers = this.#asBuffers): Op<T> {
    return new Request<T>(this, name, encode(name, args), asBuffers, shape);
  }

  *#startLater(request: Request<unknown>): Op<unknown> {
    for (;;) {
      const pipeline = yield* this.#connected.get();
      if (pipeline.open) return yield* request;
      // Lost, and the supervisor has not run since.
      if (this.#pipeline === pipeline) this.#disconnected();
    }
  }

  #blocking<T>(name: string, args: readonly Argument[], shape?: Shape<T>): Op<T> {
    const request = new Request<T>(this, name, encode(name, args), this.#asBuffers, shape);
    return this.#overItsOwnLink(request, blockingMs(name, args) + this.#replyMs);
  }

  /** Over a connection of its own, which is kept for the next unless the command was killed or failed. */
  *#overItsOwnLink<T>({ name, wire, asBuffers, shape }: Request<T>, patienceMs: number): Op<T> {
    const greetings = this.#greetings;
    const link = (yield* this.#idle.take()) ?? (yield* this.#openLink());
    this.#lent.add(link);
    let usable = false;
    try {
      if (this.#closed) throw this.#closedError(); // while we looked at an idle one
      const reply = yield* link.request(name, wire, asBuffers, patienceMs);
      usable = true;
      return shape === undefined ? (reply as T) : shape(reply);
    } finally {
      this.#lent.delete(link);
      if (usable && !this.#closed && greetings === this.#greetings) this.#idle.put(link);
      else link.close();
    }
  }

  /** Links that were greeted otherwise are no good any more, neither the idle ones nor those that come back. */
  #greetingChanged(): void {
    this.#greetings += 1;
    this.#idle.close();
  }

  *#subscribe(topics: Topics): Op<Subscription<V>> {
    if (topics.names.length === 0) throw new TypeError(`${topics.verb} takes at least one name`);
    const open = () => this.#openLink();
    const link = yield* open();
    this.#lent.add(link);
    let early: Reply[];
    try {
      early = yield* confirm(link, topics);
      if (this.#closed) throw this.#closedError(); // when the last confirmation was there, and we had not run yet
    } catch (error) {
      link.close();
      throw error;
    } finally {
      this.#lent.delete(link);
    }
    const onEnd = (ended: Subscription<V>) => this.#subscriptions.delete(ended);
    const subscription = new Subscription<V>({ link, early, topics, open, backoff: this.#backoff, onEnd });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  *#openLink(): Op<RespLink> {
    if (this.#closed) throw this.#closedError();
    const link = yield* RespLink.open(this.#options, this.#greeting, this.#options.connectMs ?? 10_000, this.#replyMs);
    if (!this.#closed) return link;
    link.close();
    throw this.#closedError();
  }

  #adopt(link: RespLink): Pipeline {
    const pipeline = new Pipeline(link, this.#replyMs);
    this.#pipeline = pipeline;
    if (this.#connected.ready) this.#connected = new AsyncResult({ name: 'Redis connection' });
    this.#connected.set(pipeline);
    return pipeline;
  }

  /** There is no connection now: the result that the next one, or the reason why there is none, will be set in. */
  #disconnected(): AsyncResult<Pipeline> {
    this.#pipeline = undefined;
    if (this.#connected.ready) this.#connected = new AsyncResult({ name: 'Redis connection' });
    return this.#connected;
  }

  *#supervise(first: Pipeline): Op<void> {
    const { outageMs = 10_000 } = this.#options;
    for (let pipeline = first; ; ) {
      yield* pipeline.lost.wait();
      if (this.#pipeline === pipeline) this.#disconnected();
      let reason: unknown = 'the last attempt to connect has not ended';
      const again = (): Op<RespLink> =>
        untilItWorks(
          () => this.#openLink(),
          this.#backoff,
          (error) => {
            reason = error;
            if (this.#connected.ready) this.#outage(outageMs, reason);
          },
        );
      let link = yield* timeout(outageMs, again(), { else: undefined });
      if (link === undefined) {
        this.#outage(outageMs, reason);
        link = yield* again();
      }
      pipeline = this.#adopt(link);
    }
  }

  /** Until there is a connection again, commands fail with `reason`. */
  #outage(outageMs: number, reason: unknown): void {
    const why = reason instanceof Error ? reason.message : String(reason);
    const error = new RedisConnectionError(`no connection for ${outageMs} ms: ${why}`, { cause: reason });
    this.#disconnected().setError(error);
  }

  #closedError(): ClosedError {
    return new ClosedError('this Redis client is closed');
  }
}
