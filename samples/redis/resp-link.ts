// resp-link.ts: one connection to Redis, used by one greenlet at a time: write a command, read its reply.
//
// It is what everything else here stands on. The pipeline shares one among many greenlets; a blocking command, a subscription and an isolated
// conversation each have one to themselves. A link whose greenlet is killed between a command and its reply must be closed: whoever used it next would
// read the reply of another.

import { connect, type Op, rethrowKilled, type Socket, select, timeout } from 'tendril';
import { RedisConnectionError, RedisError } from './errors.ts';
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

  private constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Connect and greet, within `connectMs`. If it throws, nothing is left open. */
  static *open(address: RedisAddress, greeting: Greeting, connectMs: number): Op<RespLink> {
    return yield* timeout(connectMs, openAndGreet(address, greeting));
  }

  /** @internal */
  static over(socket: Socket): RespLink {
    return new RespLink(socket);
  }

  *write(wire: Wire): Op<void> {
    if (typeof wire === 'string') yield* this.socket.write(wire);
    else for (const piece of wire) yield* this.socket.write(piece);
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
    const chunk = yield* this.socket.read();
    if (chunk === null) throw closedByServer();
    return chunk;
  }

  /** Write the command `name` and read its reply. @throws RedisError if that is an error. */
  *request(name: string, wire: Wire, asBuffers: boolean): Op<Reply> {
    yield* this.write(wire);
    for (;;) {
      const reply = yield* this.reply(asBuffers);
      if (!(reply instanceof Push)) return unlessError(reply, name);
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

export function closedByServer(): RedisConnectionError {
  return new RedisConnectionError('the server closed the connection');
}

/** Throw `reply` if it is an error, named after its command. */
export function unlessError(reply: Reply, command: string): Reply {
  if (!(reply instanceof RedisError)) return reply;
  reply.command = command;
  throw reply;
}

function* openAndGreet({ host = '127.0.0.1', port = 6379, path }: RedisAddress, greeting: Greeting): Op<RespLink> {
  const socket = yield* connect(path === undefined ? { host, port } : { path });
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
