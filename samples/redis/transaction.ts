// transaction.ts: commands that Redis carries out together: MULTI, the commands, EXEC.
//
// They are recorded first and sent in one piece, so no other greenlet's command can come between them although the connection is shared. That
// is also why there is no WATCH here: what is watched belongs to a connection of one's own, see RedisClient.isolated.
// Source: https://redis.io/docs/latest/develop/interact/transactions/

import { type Op, UsageError } from 'tendril';
import { RedisCommands, type Value } from './commands.ts';
import { RedisError } from './errors.ts';
import { refuseOnShared } from './refused.ts';
import { type OpIterator, Request, type Sender, type Shape } from './request.ts';
import { type Argument, encode, joinWires, type Wire } from './resp-encoder.ts';
import type { Reply } from './resp-values.ts';

interface Recorded {
  readonly wire: Wire;
  readonly shape: Shape<unknown> | undefined;
}

/** What EXEC returns: a value for each command, a RedisError for one that failed; null if a watched key has changed. */
export type Results = unknown[] | null;

type Chained<V extends Value> = {
  [K in keyof RedisCommands<V>]: (...args: Parameters<RedisCommands<V>[K]>) => Transaction<V>;
};

class Recorder<V extends Value> extends RedisCommands<V> {
  readonly recorded: Recorded[] = [];
  protected make<T>(name: string, args: readonly Argument[], shape?: Shape<T>): Op<T> {
    this.recorded.push({ wire: encode(name, args), shape });
    return undefined as unknown as Op<T>; // nobody sees it: Transaction returns itself
  }
  record(name: string, args: readonly Argument[]): void {
    const verb = String(name).toUpperCase();
    if (verb === 'SELECT')
      throw new UsageError('SELECT in a transaction would change the database of others: use select()');
    refuseOnShared(verb, args);
    this.recorded.push({ wire: encode(verb, args), shape: undefined });
  }
}

/** The commands of RedisCommands, each recorded and returning the transaction itself; `exec`, or `yield*` of the transaction, sends them. */
export type Transaction<V extends Value> = Chained<V> & TransactionBase<V>;

class TransactionBase<V extends Value> implements Op<Results> {
  readonly #sender: Sender;
  readonly #asBuffers: boolean;
  readonly recorder: Recorder<V> = new Recorder<V>();

  constructor(sender: Sender, asBuffers: boolean) {
    this.#sender = sender;
    this.#asBuffers = asBuffers;
  }

  /** Record any command. @throws UsageError for one that would confuse the replies of others. */
  command(name: string, ...args: Argument[]): this {
    this.recorder.record(name, args);
    return this;
  }

  /**
   * Send all of it; a value for each command, in order.
   *
   * @throws RedisError (EXECABORT) if Redis refused one of the commands, which is the cause: then none was carried out.
   * @throws RedisConnectionError if the connection is lost: then all or nothing was carried out.
   */
  exec(): Op<Results> {
    const { recorded } = this.recorder;
    const wire = joinWires([encode('MULTI', []), ...recorded.map((each) => each.wire), encode('EXEC', [])]);
    const shapes = recorded.map(({ shape }) => shape);
    const shape = (reply: Reply): Results =>
      reply === null ? null : (reply as Reply[]).map((each, i) => shaped(each, shapes[i]));
    return new Request<Results>(this.#sender, 'EXEC', wire, this.#asBuffers, shape, recorded.length + 1);
  }

  [Symbol.iterator](): OpIterator<Results> {
    return this.exec()[Symbol.iterator]();
  }
}

function shaped(reply: Reply, shape: Shape<unknown> | undefined): unknown {
  return reply instanceof RedisError || shape === undefined ? reply : shape(reply);
}

// Each command by its name, recorded in place of being sent.
for (const name of Object.getOwnPropertyNames(RedisCommands.prototype)) {
  if (name === 'constructor') continue;
  Object.defineProperty(TransactionBase.prototype, name, {
    value(this: TransactionBase<Value>, ...args: unknown[]) {
      (this.recorder as unknown as Record<string, (...args: unknown[]) => void>)[name]?.(...args);
      return this;
    },
  });
}

export function transaction<V extends Value>(sender: Sender, asBuffers: boolean): Transaction<V> {
  return new TransactionBase<V>(sender, asBuffers) as Transaction<V>;
}
