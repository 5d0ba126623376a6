// tcp-echo.ts: What does one round trip of 64 bytes over a TCP connection cost, against bare callbacks of node:net?
//
// Both ends are the contestant's and live in its one process, so the figure is the work of a client and a server together. Connections are
// opened once; each has one message on its way at a time, sent again when it came back whole. `net` is what callbacks can do: `data`
// on both sides; `net, onread` has the client read into one reused buffer; `net, for await` is what most people write. tendril
// reads with readExactly inside a timeout that is armed for each reply; without one it stands beside.
//
// How to run: npm run bench -- --only echo

import { once } from 'node:events';
import net from 'node:net';
import { type Contestant, goPrograms, type Outcome, ours, type Round, type Row } from './contest.ts';

type Socket = import('tendril').Socket;

const size = 64;
const message = Buffer.alloc(size, 'x');
const host = '127.0.0.1';

export function tendril(name: string, connections: number, timeoutMs: number | undefined): Contestant {
  return {
    name,
    async start() {
      const { connect, listen, run, serve, spawn, timeout } = await import('tendril');
      function* echo(socket: Socket) {
        for (;;) {
          const chunk = yield* socket.read();
          if (chunk === null) return;
          yield* socket.write(chunk);
        }
      }
      function* open() {
        const listener = yield* listen({ host, port: 0 });
        spawn(serve, listener, echo);
        const { port } = listener.address;
        const sockets: Socket[] = [];
        for (let i = 0; i < connections; i += 1) sockets.push(yield* connect({ host, port }));
        return sockets;
      }
      function* exchange(socket: Socket, count: number) {
        let bytes = 0;
        for (let i = 0; i < count; i += 1) {
          yield* socket.write(message);
          const reply = yield* timeoutMs === undefined
            ? socket.readExactly(size)
            : timeout(timeoutMs, socket.readExactly(size));
          bytes += reply.length;
        }
        return bytes;
      }
      function* body(sockets: readonly Socket[], count: number) {
        const exchanges = sockets.map((socket) => spawn(exchange, socket, count / connections));
        let bytes = 0;
        for (const each of exchanges) bytes += yield* each.get();
        return bytes / size;
      }
      const sockets = await run(open);
      return async (count) => ({ answer: await run(body, sockets, count) });
    },
  };
}

/** One connection's side of the exchange: counts replies and sends again. */
class Exchange {
  readonly socket: net.Socket;
  #bytes = 0;
  #left = 0;
  #replies = 0;
  #ended: ((replies: number) => void) | undefined;

  constructor(port: number, onread: boolean) {
    const options: net.NetConnectOpts = { host, port, noDelay: true };
    if (onread) {
      this.socket = net.connect({
        ...options,
        onread: {
          buffer: Buffer.allocUnsafe(65_536),
          callback: (bytes) => {
            this.#arrived(bytes);
            return true;
          },
        },
      });
    } else {
      this.socket = net.connect(options);
      this.socket.on('data', (chunk) => this.#arrived(chunk.length));
    }
  }

  run(count: number): Promise<number> {
    this.#left = count;
    this.#replies = 0;
    this.socket.write(message);
    return new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  #arrived(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < size) return;
    this.#bytes -= size;
    this.#replies += 1;
    this.#left -= 1;
    if (this.#left > 0) this.socket.write(message);
    else this.#ended?.(this.#replies);
  }
}

async function listenOn(server: net.Server): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

/** No more at once than a listener lets wait. */
function connectSome<T>(left: number, connect: () => T): T[] {
  return Array.from({ length: Math.min(100, left) }, connect);
}

export function rawNet(name: string, connections: number, onread: boolean): Contestant {
  return {
    name,
    async start(): Promise<Round> {
      const server = net.createServer({ noDelay: true }, (socket) => {
        socket.on('data', (chunk) => socket.write(chunk));
      });
      const port = await listenOn(server);
      const exchanges: Exchange[] = [];
      while (exchanges.length < connections) {
        const some = connectSome(connections - exchanges.length, () => new Exchange(port, onread));
        await Promise.all(some.map((each) => once(each.socket, 'connect')));
        exchanges.push(...some);
      }
      return async (count): Promise<Outcome> => {
        const replies = await Promise.all(exchanges.map((each) => each.run(count / connections)));
        return { answer: replies.reduce((sum, each) => sum + each, 0) };
      };
    },
  };
}

function netForAwait(connections: number): Contestant {
  return {
    name: 'net, for await',
    async start(): Promise<Round> {
      const server = net.createServer({ noDelay: true }, async (socket) => {
        for await (const chunk of socket) socket.write(chunk);
      });
      const port = await listenOn(server);
      const sockets: net.Socket[] = [];
      while (sockets.length < connections) {
        const some = connectSome(connections - sockets.length, () => net.connect({ host, port, noDelay: true }));
        await Promise.all(some.map((socket) => once(socket, 'connect')));
        sockets.push(...some);
      }
      const clients = sockets.map((socket) => ({
        socket,
        chunks: socket[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>,
      }));
      async function exchange({ socket, chunks }: (typeof clients)[number], count: number): Promise<number> {
        let bytes = 0;
        for (let i = 0; i < count; i += 1) {
          socket.write(message);
          const wanted = bytes + size;
          while (bytes < wanted) bytes += (await chunks.next()).value?.length ?? Number.NaN;
        }
        return bytes / size;
      }
      return async (count): Promise<Outcome> => {
        const replies = await Promise.all(clients.map((client) => exchange(client, count / connections)));
        return { answer: replies.reduce((sum, each) => sum + each, 0) };
      };
    },
  };
}

function row(connections: number): Row {
  return {
    name: `TCP echo, 64 B, ${connections.toLocaleString('en')} connection${connections === 1 ? '' : 's'}`,
    unit: 'k/s',
    measure: 'rate',
    better: 'higher',
    ...(connections > 64 ? { portion: 8 * connections } : {}),
    answer: (count) => count,
    contestants: [
      tendril(ours, connections, 5000),
      tendril('tendril, no timeout', connections, undefined),
      rawNet('net', connections, false),
      rawNet('net, onread', connections, true),
      netForAwait(connections),
      { name: 'Effection', absent: 'no sockets of its own' },
      { name: 'Effect', absent: 'its sockets are a package of their own' },
      ...goPrograms('tcp-echo', { argument: connections }),
      { name: 'gevent', python: 'tcp-echo', argument: connections },
    ],
    goals: [{ stage: 'target', against: ['net', 'net, onread'], factor: 1 }],
  };
}

export const rows: readonly Row[] = [row(1), row(64), row(1000)];
