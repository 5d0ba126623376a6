// echo-server.ts: a TCP server that sends back what it gets, a greenlet for each connection.
//
// `serve` accepts connections and runs the handler for each; when the handler returns, what it wrote is sent and the connection closed. A kill of the
// server (Ctrl-C, or the end of `program`) stops accepting and gives the handlers a moment to finish. A peer that reads slowly makes `write`
// wait, so nothing piles up in memory.
//
// How to run: npx tsx samples/echo-server.ts         three clients try it out, then it ends
//             npx tsx samples/echo-server.ts 7000    it stays: try `nc 127.0.0.1 7000`

import { all, connect, listen, main, type Op, type Socket, serve, spawn, timeout } from 'tendril';

const IDLE_MS = 60_000;

function* echo(socket: Socket): Op<void> {
  for (;;) {
    const bytes = yield* timeout(IDLE_MS, socket.read(), { else: null });
    if (bytes === null) return; // the peer has ended its side, or has fallen asleep
    yield* socket.write(bytes);
  }
}

function* tryOut(port: number, name: string): Op<string> {
  const socket = yield* connect({ host: '127.0.0.1', port });
  try {
    yield* socket.write(`I am ${name},\n`);
    yield* socket.write('and this is binary: \u{1F35E}\n');
    const first = yield* socket.readLine();
    const second = yield* socket.readLine();
    socket.end();
    // Our end makes the server end too: null, and not a lost connection.
    return `${first} ${second} ${(yield* socket.read()) === null ? 'The end.' : 'More?'}`;
  } finally {
    socket.close();
  }
}

main(function* program(): Op<void> {
  const port = Number(process.argv[2] ?? 0); // 0 takes a free one
  const listener = yield* listen({ host: '127.0.0.1', port });
  const server = spawn(serve, listener, echo);
  if (port !== 0) {
    console.log(`listening on ${listener.address}`);
    yield* server.get(); // until Ctrl-C
  }
  for (const line of yield* all(['Ada', 'Ben', 'Cleo'].map((name) => tryOut(listener.address.port, name)))) {
    console.log(line);
  }
  listener.close();
  yield* server.get();
  console.log(`served ${listener.stats.accepted} connections`);
});
