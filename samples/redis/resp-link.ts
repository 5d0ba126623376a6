// resp-link.ts: one connection to Redis, used by one greenlet at a time: write a command, read its reply.
//
// It is what everything else here stands on. The pipeline shares one among many greenlets; a blocking command, a subscription and an isolated
// conversation each have one to themselves. A command that is given up between its sending and its reply has spoilt the link: whoever used it next would
// read the reply of another, so every later command on it is refused.

import {
  BusyError,
  ConnectionResetError,
  connect,
  type Op,
  rethrowKilled,
  type Socket,
  select,
  timeout,
} from 'tendril';
import { lossOf, RedisConnectionError, RedisError, RedisProtocolError } from './errors.ts';
import { type Argument, encode, joinWires, type Wire } from './resp-encoder.ts';
import { RespParser } from './resp-parser.ts';
import { Push, type Reply } from './resp-values.ts';

export interface RedisAddress {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** A Unix socket, in place of host and port. */
  readonly path?: string | undefined;
}

/** What every new connection begins with, so that a reconnected one is like the one that was lost. */
export interface Greeting {
  protocol: 2 | 3;
  username: string | undefined;
  password: string | undefined;
  db: number;
}

export class RespLink {
  readonly socket: Socket;
  readonly parser: RespParser = new RespParser();
  /** The command whose reply is due. */
  #asked: string | undefined;
  /** Whoever asked has gone. */
  #spoilt = false;

  private constructor(socket: Socket) {
    this.socket = socket;
  }

  /**
   * Connect and greet, within `connectMs`. If it throws, nothing is left open. A server that has vanished while nothing is sent is noticed by keepalive
   * probes, after `idleMs` of silence.
   *
   * @throws ConnectError or DnsError if nobody answers, TimeoutError, RedisConnectionError if the connection is lost at once, RedisError if the server
   * refuses the greeting.
   */
  static *open(address: RedisAddress, greeting: Greeting, connectMs: number, idleMs: number): Op<RespLink> {
    return yield* timeout(connectMs, openAndGreet(address, greeting, idleMs));
  }

  /** @internal */
  static over(socket: Socket): RespLink {
    return new RespLink(socket);
  }

  /** Write all of `wire` or, if it throws, nothing. @throws RedisConnectionError if the connection is lost. */
  *write(wire: Wire): Op<void> {
    try {
      yield* typeof wire === 'string' ? this.socket.write(wire) : this.socket.writev(wire);
    } catch (error) {
      rethrowKilled(error);
      throw lost(error);
    }
  }

  /** The next reply, errors included. @throws RedisConnectionError if the server has closed the connection. */
  *reply(asBuffers = false): Op<Reply> {
    for (;;) {
      const reply = this.parser.next(asBuffers);
      if (reply !== undefined) return reply;
      this.parser.feed(yield* this.read());
    }
  }

  /** The next bytes. */
  *read(): Op<Buffer> {
    try {
      const chunk = yield* this.socket.read();
      if (chunk !== null) return chunk;
    } catch (error) {
      rethrowKilled(error);
      throw lost(error);
    }
    throw closedByServer();
  }

  /**
   * Write the command `name` and read its reply, which has to come within `patienceMs`.
   *
   * @throws RedisError if that is an error. @throws RedisConnectionError if the connection is lost, or an earlier command was given up before its reply came.
   * @throws BusyError if another greenlet waits for a reply. @throws ClosedError if the link is closed.
   */
  *request(name: string, wire: Wire, asBuffers: boolean, patienceMs = Number.POSITIVE_INFINITY): Op<Reply> {
    if (this.#spoilt)
      throw new RedisConnectionError(
        `${name} was not sent: the reply to ${this.#asked}, which was given up, would be taken for its own`,
        { code: 'ERR_REDIS_SPOILT' },
      );
    if (this.#asked !== undefined)
      throw new BusyError(`${name} on a connection on which the reply to ${this.#asked} is due: one command at a time`);
    this.#asked = name;
    let sent = false;
    let answered = false;
    try {
      yield* this.write(wire);
      sent = true;
      const reply = yield* timeout(patienceMs, this.#answer(asBuffers), { else: undefined });
      if (reply === undefined) throw new RedisConnectionError(`no reply for ${patienceMs} ms`, { code: 'ETIMEDOUT' });
      answered = true;
      return unlessError(reply, name);
    } catch (error) {
      if (error instanceof RedisConnectionError || error instanceof RedisProtocolError) throw lossOf(name, error, sent);
      throw error;
    } finally {
      // A write that was given up while it waited for room has sent nothing.
      if (answered || !sent) this.#asked = undefined;
      else this.#spoilt = true;
    }
  }

  /** The next reply that was asked for. */
  *#answer(asBuffers: boolean): Op<Reply> {
    for (;;) {
      const reply = yield* this.reply(asBuffers);
      if (!(reply instanceof Push)) return reply;
    }
  }

  /** Is the connection open, with nothing to read? Never waits. */
  *isQuiet(): Op<boolean> {
    try {
      const { key } = yield* select({ something: this.socket.peek(1) }, { else: undefined });
      return key === 'else';
    } catch (error) {
      rethrowKilled(error);
      return false;
    }
  }

  close(): void {
    this.socket.close();
  }
}

function lost(error: unknown): unknown {
  return error instanceof ConnectionResetError ? new RedisConnectionError(error.message, { cause: error }) : error;
}

export function closedByServer(): RedisConnectionError {
  return new RedisConnectionError('the server closed the connection');
}

/** Throw `reply` if it is an error, named after its command. */
export function unlessError(reply: Reply, command: string): Reply {
  if (!(reply instanceof RedisError)) return reply;
  reply.command = command;
  throw reply;
}

function* openAndGreet(address: RedisAddress, greeting: Greeting, idleMs: number): Op<RespLink> {
  const { host = '127.0.0.1', port = 6379, path } = address;
  // Systems count in whole seconds, and take less than one for hours.
  const keepAliveMs = Math.max(idleMs, 1_000);
  const socket = yield* connect(path === undefined ? { host, port } : { path }, { keepAliveMs });
  const link = RespLink.over(socket);
  let greeted = false;
  try {
    // All in one packet: a connection costs one round trip more, or none.
    const commands = greetingCommands(greeting);
    if (commands.length > 0) yield* link.write(joinWires(commands.map(([name, ...args]) => encode(name, args))));
    for (const [name] of commands) unlessError(yield* link.reply(), name);
    greeted = true;
    return link;
  } finally {
    if (!greeted) link.close();
  }
}

function greetingCommands({ protocol, username, password, db }: Greeting): [string, ...Argument[]][] {
  const commands: [string, ...Argument[]][] = [];
  const credentials = password === undefined ? [] : [username ?? 'default', password];
  if (protocol === 3) commands.push(['HELLO', 3, ...(password === undefined ? [] : ['AUTH', ...credentials])]);
  else if (password !== undefined)
    commands.push(username === undefined ? ['AUTH', password] : ['AUTH', username, password]);
  if (db !== 0) commands.push(['SELECT', db]);
  return commands;
}
