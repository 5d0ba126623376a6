// http-serve.ts: What does it cost to answer a small GET, against a bare handler of node:http, and against fastify?
//
// The client is the same for both and as cheap as can be: raw sockets that send a request that was made before, and count bytes; 50 connections, kept open,
// each with one request on its way. So the figure is the server's work, and a little more. `bytes`, a server of node:net that answers whatever comes with the
// same bytes and parses nothing, is the floor: what connections, system calls and the client take of each figure.
//
// How to run: npm run bench -- --only 'HTTP server'

import { once } from 'node:events';
import { createServer } from 'node:http';
import net from 'node:net';
import { type Contestant, type Outcome, ours, type Round, type Row } from './contest.ts';

const host = '127.0.0.1';
const connections = 50;
/** A connection rests while the others play, and is used for as long as the benchmark lasts: no server may close one meanwhile. */
const keepAliveMs = 600_000;
const text = 'hello, world\n'.repeat(8);
const request = 'GET /page HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n';

/** Answers end in the text; one is on its way at a time. */
async function clients(port: number): Promise<Round> {
  const sockets = Array.from({ length: connections }, () => net.connect({ host, port, noDelay: true }));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const exchange = (socket: net.Socket, count: number): Promise<number> =>
    new Promise((resolve, reject) => {
      let replies = 0;
      let reply = '';
      const arrived = (chunk: Buffer): void => {
        reply += chunk.toString('latin1');
        if (!reply.endsWith(text)) return;
        if (!reply.startsWith('HTTP/1.1 200')) reject(new Error(reply));
        reply = '';
        replies += 1;
        if (replies < count) {
          socket.write(request);
          return;
        }
        socket.off('data', arrived).off('close', lost);
        resolve(replies);
      };
      const lost = (): void => reject(new Error(`the server closed a connection after ${replies} of ${count} replies`));
      socket.on('data', arrived).on('close', lost);
      if (socket.destroyed) lost();
      else socket.write(request);
    });
  return async (count): Promise<Outcome> => {
    const replies = await Promise.all(sockets.map((socket) => exchange(socket, count / connections)));
    return { answer: replies.reduce((sum, each) => sum + each, 0) };
  };
}

const tendril: Contestant = {
  name: ours,
  async start() {
    const { http, run, spawn } = await import('tendril');
    const { port } = await run(function* () {
      const handler = function* () {
        return text;
      };
      const server = http.serve({ host, port: 0 }, handler, { keepAliveMs, maxRequests: Number.MAX_SAFE_INTEGER });
      spawn(() => server);
      return yield* server.ready();
    });
    return clients(port as number);
  },
};

const raw: Contestant = {
  name: 'node:http',
  async start() {
    const server = createServer((_request, response) => {
      response.setHeader('content-type', 'text/plain; charset=utf-8');
      response.setHeader('content-length', text.length);
      response.end(text);
    });
    server.keepAliveTimeout = keepAliveMs;
    server.listen(0, host);
    await once(server, 'listening');
    return clients((server.address() as net.AddressInfo).port);
  },
};

const fastify: Contestant = {
  name: 'fastify',
  async start() {
    const { fastify: create } = await import('fastify');
    const app = create({ keepAliveTimeout: keepAliveMs });
    app.get('/page', async (_request, reply) => {
      reply.type('text/plain; charset=utf-8');
      return text;
    });
    await app.listen({ port: 0, host });
    return clients((app.server.address() as net.AddressInfo).port);
  },
};

const bytes: Contestant = {
  name: 'bytes',
  async start() {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${text.length}\r\n\r\n`;
    const server = net.createServer({ noDelay: true }, (socket) => {
      socket.on('data', () => socket.write(head + text, 'latin1'));
    });
    server.listen(0, host);
    await once(server, 'listening');
    return clients((server.address() as net.AddressInfo).port);
  },
};

export const rows: readonly Row[] = [
  {
    name: `HTTP server, small GET, ${connections} connections`,
    unit: 'k/s',
    measure: 'rate',
    better: 'higher',
    answer: (count) => count,
    contestants: [tendril, raw, fastify, bytes],
    goals: [{ stage: 'target', against: ['node:http'], factor: 1 }],
  },
];
