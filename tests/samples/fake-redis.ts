// fake-redis.ts: a server that speaks RESP and does with a connection what no real Redis would do when asked.
import { listen, type Op, type Socket, scope, serve } from 'tendril';
import { RespLink } from '../../samples/redis/resp-link.ts';

export interface FakeConnection {
  readonly socket: Socket;
  /** How many connections were made before this one. */
  readonly number: number;
  /** The next command, as text; null when the client has gone. */
  next(): Op<string[] | null>;
  send(bytes: string | Uint8Array): Op<void>;
}

export interface FakeRedis {
  readonly port: number;
  /** Every command of every connection, in the order in which they were read: `0: GET a`. */
  readonly log: string[];
  connections: number;
}

/** Run `body` beside a server on a free port whose connections are each served by `handler`. Both have ended when it returns. */
export function* withFake<T>(
  handler: (connection: FakeConnection) => Op<void>,
  body: (fake: FakeRedis) => Op<T>,
  port = 0,
): Op<T> {
  const listener = yield* listen({ host: '127.0.0.1', port });
  const fake: FakeRedis = { port: listener.address.port, log: [], connections: 0 };
  function* handle(socket: Socket): Op<void> {
    const link = RespLink.over(socket);
    const number = fake.connections;
    fake.connections += 1;
    function* next(): Op<string[] | null> {
      try {
        const command = (yield* link.reply()) as string[];
        fake.log.push(`${number}: ${command.join(' ')}`);
        return command;
      } catch (error) {
        if ((error as { code?: string }).code === 'KILLED') throw error;
        return null;
      }
    }
    yield* handler({ socket, number, next, send: (bytes) => socket.write(bytes) });
  }
  return yield* scope(function* beside(s): Op<T> {
    const server = s.spawn(serve, listener, handle, { graceMs: 0 });
    try {
      return yield* body(fake);
    } finally {
      server.kill();
      listener.close(); // a server that was killed before its first step has not done it
    }
  });
}

/** Answer every command by `answer`, until the client goes. */
export function answering(
  answer: (command: string[], number: number) => string,
): (connection: FakeConnection) => Op<void> {
  return function* handler({ next, send, number }): Op<void> {
    for (let command = yield* next(); command !== null; command = yield* next()) yield* send(answer(command, number));
  };
}

export const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
