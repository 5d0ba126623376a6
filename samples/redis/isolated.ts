// isolated.ts: the commands over a connection that one greenlet has to itself, one after the other.
//
// For what belongs to a connection: WATCH and MULTI, commands that block. Nothing is pipelined here. A command that was killed, or ran out of time, before its
// reply came has spoilt the connection: whatever is asked after it is refused (ERR_REDIS_SPOILT) and not sent.

import type { Op } from 'tendril';
import { RedisCommands, type Value } from './commands.ts';
import type { Shape } from './request.ts';
import { type Argument, encode, type Wire } from './resp-encoder.ts';
import type { RespLink } from './resp-link.ts';
import type { Reply } from './resp-values.ts';

export class Isolated<V extends Value> extends RedisCommands<V> {
  readonly #link: RespLink;
  readonly #asBuffers: boolean;

  constructor(link: RespLink, asBuffers: boolean) {
    super();
    this.#link = link;
    this.#asBuffers = asBuffers;
  }

  /** Any command, WATCH, MULTI and EXEC among them. */
  command(name: string, ...args: Argument[]): Op<Reply> {
    return this.make(String(name).toUpperCase(), args);
  }

  protected make<T>(name: string, args: readonly Argument[], shape?: Shape<T>, asBuffers = this.#asBuffers): Op<T> {
    return this.#exchange(name, encode(name, args), shape, asBuffers);
  }

  *#exchange<T>(name: string, wire: Wire, shape: Shape<T> | undefined, asBuffers: boolean): Op<T> {
    const reply = yield* this.#link.request(name, wire, asBuffers);
    return shape === undefined ? (reply as T) : shape(reply);
  }
}
