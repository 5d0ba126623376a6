// gevent-echo.ts: What do the same echo server and client cost in tendril and in gevent: replies per second, the slowest in a hundred, memory?
//
// The same program, line by line, in tendril (here) and in Python (python/echo.py): a server that starts a greenlet for each connection, and clients that are
// a greenlet each, send 64 bytes, and read the reply within a limit of time. Both ends are in one process. Memory is the growth of the resident
// set, which is the one measure that both can be asked for, from when a thousand connections have had a reply to when four thousand more have.
//
// How to run: npm run bench -- --only gevent

import { readFile } from 'node:fs/promises';
import { type Contestant, type Outcome, ours, type Round, type Row } from './contest.ts';

type Socket = import('tendril').Socket;

const size = 64;
const message = Buffer.alloc(size, 'x');
const host = '127.0.0.1';
const limitMs = 5000;
const warmConnections = 1000;

async function residentBytes(): Promise<number> {
  for (let i = 0; i < 3; i += 1) globalThis.gc?.();
  const [, pages] = (await readFile('/proc/self/statm', 'latin1')).split(' ');
  return Number(pages) * 4096;
}

/** Replies go round; `latencies`, in ns, are kept if there is an array for them. */
async function program() {
  const { connect, listen, run, serve, spawn, timeout } = await import('tendril');
  function* echo(socket: Socket) {
    for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) yield* socket.write(chunk);
  }
  function* open(connections: number) {
    const listener = yield* listen({ host, port: 0 });
    spawn(serve, listener, echo);
    const sockets: Socket[] = [];
    for (let i = 0; i < connections; i += 1) sockets.push(yield* connect({ host, port: listener.address.port }));
    return sockets;
  }
  function* client(socket: Socket, count: number, latencies: number[] | undefined) {
    let replies = 0;
    for (let i = 0; i < count; i += 1) {
      const start = latencies === undefined ? 0n : process.hrtime.bigint();
      yield* socket.write(message);
      const reply = yield* timeout(limitMs, socket.readExactly(size));
      if (latencies !== undefined) latencies.push(Number(process.hrtime.bigint() - start));
      replies += reply.length / size;
    }
    return replies;
  }
  function* exchange(sockets: readonly Socket[], count: number, latencies?: number[]) {
    const clients = sockets.map((socket) => spawn(client, socket, count / sockets.length, latencies));
    let replies = 0;
    for (const each of clients) replies += yield* each.get();
    return replies;
  }
  return {
    open: (connections: number) => run(open, connections),
    exchange: (sockets: readonly Socket[], count: number, latencies?: number[]) =>
      run(exchange, sockets, count, latencies),
  };
}

async function replies(connections: number): Promise<Round> {
  const { open, exchange } = await program();
  const sockets = await open(connections);
  return async (count): Promise<Outcome> => ({ answer: await exchange(sockets, count) });
}

async function slowest(connections: number): Promise<Round> {
  const { open, exchange } = await program();
  const sockets = await open(connections);
  return async (count): Promise<Outcome> => {
    const latencies: number[] = [];
    const answer = await exchange(sockets, count, latencies);
    latencies.sort((a, b) => a - b);
    return { answer, total: (latencies[Math.floor(latencies.length * 0.99)] as number) / 1000 };
  };
}

async function memory(connections: number): Promise<Round> {
  const { open, exchange } = await program();
  return async (count): Promise<Outcome> => {
    const first = await open(warmConnections);
    await exchange(first, warmConnections);
    const before = await residentBytes();
    const sockets = await open(connections);
    const answer = await exchange(sockets, count);
    return { answer, total: (await residentBytes()) - before };
  };
}

function contestants(
  python: string,
  start: (connections: number) => Promise<Round>,
  connections: number,
): Contestant[] {
  return [
    { name: ours, start: () => start(connections) },
    { name: 'gevent', python, argument: connections },
  ];
}

const answer = (count: number): number => count;

export const rows: readonly Row[] = [
  ...[64, 1000].map(
    (connections): Row => ({
      name: `beside gevent: echo, ${connections.toLocaleString('en')} connections`,
      unit: 'k/s',
      measure: 'rate',
      better: 'higher',
      portion: connections * 25,
      answer,
      contestants: contestants('echo', replies, connections),
      goals: [{ stage: 'target', against: ['gevent'], factor: 1 }],
    }),
  ),
  ...[64, 1000].map(
    (connections): Row => ({
      name: `beside gevent: p99 of a reply, ${connections.toLocaleString('en')} connections`,
      unit: 'us',
      measure: 'whole',
      better: 'lower',
      portion: connections * 25,
      answer,
      contestants: contestants('echo-p99', slowest, connections),
      goals: [{ stage: 'target', against: ['gevent'], factor: 1 }],
    }),
  ),
  {
    name: 'beside gevent: memory of a connection, both ends',
    unit: 'B',
    measure: 'each',
    better: 'lower',
    count: 4000,
    fresh: true,
    answer,
    contestants: contestants('echo-bytes', memory, 4000),
    goals: [{ stage: 'target', against: ['gevent'], factor: 1 }],
  },
];
