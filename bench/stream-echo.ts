// stream-echo.ts: What does an echo cost over TLS, and with messages of 64 KiB, against bare callbacks of node:net and node:tls?
//
// As tcp-echo.ts: both ends are the contestant's, in its one process; 16 connections, each with one message on its way.
//
// How to run: npm run bench -- --only 'stream echo'

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { type Contestant, type Outcome, ours, type Round, type Row } from './contest.ts';

type Socket = import('tendril').Socket;

const host = '127.0.0.1';
const connections = 16;
const certificate = (name: string): string =>
  readFileSync(new URL(`../../tests/io/certificates/${name}.pem`, import.meta.url), 'utf8');
const identity = () => ({ key: certificate('server-key'), cert: certificate('server') });

function tendril(size: number, secure: boolean): Contestant {
  return {
    name: ours,
    async start() {
      const { connect, connectTls, listen, listenTls, run, serve, spawn } = await import('tendril');
      const message = Buffer.alloc(size, 'x');
      function* echo(socket: Socket) {
        for (;;) {
          const chunk = yield* socket.read();
          if (chunk === null) return;
          yield* socket.write(chunk);
        }
      }
      function* open() {
        const listener = yield* secure ? listenTls({ host, port: 0 }, identity()) : listen({ host, port: 0 });
        spawn(serve, listener, echo);
        const { port } = listener.address;
        const sockets: Socket[] = [];
        for (let i = 0; i < connections; i += 1) {
          const socket = secure ? connectTls({ host, port }, { ca: certificate('ca') }) : connect({ host, port });
          sockets.push(yield* socket);
        }
        return sockets;
      }
      function* exchange(socket: Socket, count: number) {
        let bytes = 0;
        for (let i = 0; i < count; i += 1) {
          yield* socket.write(message);
          bytes += (yield* socket.readExactly(size)).length;
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

function raw(size: number, secure: boolean): Contestant {
  return {
    name: secure ? 'node:tls' : 'node:net',
    async start(): Promise<Round> {
      const message = Buffer.alloc(size, 'x');
      const answer = (socket: net.Socket): void => {
        socket.setNoDelay(true);
        socket.on('data', (chunk) => socket.write(chunk));
      };
      const server = secure ? tls.createServer(identity(), answer) : net.createServer({ noDelay: true }, answer);
      server.listen(0, host);
      await once(server, 'listening');
      const { port } = server.address() as net.AddressInfo;
      const sockets = Array.from({ length: connections }, () =>
        secure ? tls.connect({ host, port, ca: certificate('ca') }) : net.connect({ host, port, noDelay: true }),
      );
      await Promise.all(sockets.map((socket) => once(socket, secure ? 'secureConnect' : 'connect')));
      for (const socket of sockets) socket.setNoDelay(true);
      const exchange = (socket: net.Socket, count: number): Promise<number> =>
        new Promise((resolve) => {
          let bytes = 0;
          let replies = 0;
          const arrived = (chunk: Buffer): void => {
            bytes += chunk.length;
            if (bytes < size) return;
            bytes -= size;
            replies += 1;
            if (replies < count) {
              socket.write(message);
              return;
            }
            socket.off('data', arrived);
            resolve(replies);
          };
          socket.on('data', arrived);
          socket.write(message);
        });
      return async (count): Promise<Outcome> => {
        const replies = await Promise.all(sockets.map((socket) => exchange(socket, count / connections)));
        return { answer: replies.reduce((sum, each) => sum + each, 0) };
      };
    },
  };
}

function row(title: string, size: number, secure: boolean): Row {
  return {
    name: `stream echo, ${title}, ${connections} connections`,
    unit: 'k/s',
    measure: 'rate',
    better: 'higher',
    answer: (count) => count,
    contestants: [tendril(size, secure), raw(size, secure)],
    goals: [{ stage: 'target', against: [secure ? 'node:tls' : 'node:net'], factor: 1 }],
  };
}

export const rows: readonly Row[] = [
  row('TCP 64 KiB', 65_536, false),
  row('TLS 64 B', 64, true),
  row('TLS 64 KiB', 65_536, true),
];
