// udp-echo.ts: What does one round trip of a datagram of 64 bytes cost, against bare callbacks of node:dgram?
//
// A client and a server in one process, 16 datagrams on their way at a time: fewer than any buffer holds, so none is lost on loopback.
//
// How to run: npm run bench -- --only UDP

import dgram from 'node:dgram';
import { once } from 'node:events';
import { type Contestant, ours, type Row } from './contest.ts';

const host = '127.0.0.1';
const window = 16;
const message = Buffer.alloc(64, 'x');

const tendril: Contestant = {
  name: ours,
  async start() {
    const { run, spawn, udp } = await import('tendril');
    function* open() {
      const [server, client] = [yield* udp({ host, port: 0 }), yield* udp({ host, port: 0 })];
      spawn(function* () {
        for (;;) {
          const { bytes, from } = yield* server.receive();
          yield* server.send(bytes, from);
        }
      });
      return { client, to: server.localAddress };
    }
    function* body({ client, to }: Awaited<ReturnType<typeof opened>>, count: number) {
      for (let i = 0; i < window; i += 1) yield* client.send(message, to);
      let replies = 0;
      for (let sent = window; replies < count; replies += 1) {
        yield* client.receive();
        if (sent < count) {
          yield* client.send(message, to);
          sent += 1;
        }
      }
      return replies;
    }
    const opened = () => run(open);
    const sockets = await opened();
    return async (count) => ({ answer: await run(body, sockets, count) });
  },
};

const raw: Contestant = {
  name: 'node:dgram',
  async start() {
    const server = dgram.createSocket('udp4');
    server.on('message', (data, { port, address }) => server.send(data, port, address));
    const client = dgram.createSocket('udp4');
    for (const socket of [server, client]) {
      socket.bind(0, host);
      await once(socket, 'listening');
    }
    const { port } = server.address();
    return (count) =>
      new Promise((resolve) => {
        let replies = 0;
        let sent = window;
        client.removeAllListeners('message').on('message', () => {
          replies += 1;
          if (sent < count) {
            client.send(message, port, host);
            sent += 1;
          } else if (replies === count) {
            resolve({ answer: replies });
          }
        });
        for (let i = 0; i < window; i += 1) client.send(message, port, host);
      });
  },
};

export const rows: readonly Row[] = [
  {
    name: `UDP echo, 64 B, ${window} at once`,
    unit: 'k/s',
    measure: 'rate',
    better: 'higher',
    answer: (count) => count,
    contestants: [tendril, raw],
    goals: [{ stage: 'target', against: ['node:dgram'], factor: 1 }],
  },
];
