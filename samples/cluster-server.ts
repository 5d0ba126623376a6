// cluster-server.ts: one server in several processes, so that it uses several cores and lives on when one of them dies.
//
// The first process only looks after the others: each worker gets a greenlet that starts it, waits for its end, and starts another one if that was a
// crash. The workers listen on the same port, each with a StreamServer of its own; Node spreads the connections among them. Ctrl-C or SIGTERM
// stops the first process, whose `finally` passes it on, so that all workers accept no more, answer what they were asked, and end.
//
// How to run: npx tsx samples/cluster-server.ts           tries it out: asks, kills a worker, asks again
//             npx tsx samples/cluster-server.ts 7000 4    four workers on port 7000: try `nc 127.0.0.1 7000`

import cluster, { type Worker } from 'node:cluster';
import { availableParallelism } from 'node:os';
import {
  all,
  Channel,
  connect,
  main,
  type Op,
  once,
  type Socket,
  StreamServer,
  scope,
  shield,
  sleep,
  spawn,
  supervise,
} from 'tendril';

const HOST = '127.0.0.1';
const DRAIN_MS = 10_000;

/** Answer each line with who we are; `slowly` takes half a second. */
function* answer(socket: Socket): Op<void> {
  for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine()) {
    if (line === 'slowly') yield* sleep(500);
    yield* socket.write(`${process.pid} ${line}\n`);
  }
}

function* work(port: number): Op<void> {
  const server = new StreamServer({ host: HOST, port }, answer, { graceMs: DRAIN_MS / 2 });
  yield* server.serveForever(); // until SIGTERM: main kills us, and we drain
}

/** Start a worker and wait for its end; if we are killed, it is told to end and has its time for that. */
function* oneLife(port: number, ready: (worker: Worker, port: number) => void): Op<void> {
  const worker = cluster.fork({ WORKER_PORT: String(port) });
  worker.once('listening', (address) => ready(worker, address.port));
  const ended = once(worker, 'exit');
  try {
    yield* ended;
  } finally {
    if (!worker.isDead()) {
      worker.process.kill('SIGTERM');
      yield* shield(DRAIN_MS, ended);
    }
  }
}

/** Keep `count` workers alive: a crash is followed by another start, after a pause that grows while they do not live long. */
function* manage(port: number, count: number, ready: (worker: Worker, port: number) => void): Op<void> {
  yield* scope(function* (s) {
    for (let i = 0; i < count; i += 1) {
      s.spawn(() => supervise(oneLife, { restart: 'always', backoff: { firstMs: 100 }, args: [port, ready] }));
    }
  });
}

/** Open a connection, say `words` one by one, and return the answers. */
function* ask(port: number, ...words: string[]): Op<string[]> {
  const socket = yield* connect({ host: HOST, port });
  const answers: string[] = [];
  for (const word of words) {
    yield* socket.write(`${word}\n`);
    answers.push((yield* socket.readLine()) ?? 'nothing');
  }
  socket.close();
  return answers;
}

function* tryOut(): Op<void> {
  const up = new Channel<{ worker: Worker; port: number }>(10);
  const manager = spawn(manage, 0, 2, (worker, port) => up.trySend({ worker, port }));
  const { worker: first, port } = yield* up.receive();
  const { worker: second } = yield* up.receive();

  const all = yield* all4(() => ask(port, 'hello'));
  const pids = new Set(all.flat().map((line) => Number(line.split(' ')[0])));
  console.log('answered by both:', pids.has(first.process.pid as number) && pids.has(second.process.pid as number));

  first.process.kill('SIGKILL');
  const { worker: third } = yield* up.receive();
  console.log('another one is there:', third.process.pid !== first.process.pid);
  console.log(
    'all are answered:',
    (yield* all4(() => ask(port, 'again'))).flat().every((line) => /^\d+ again$/.test(line)),
  );

  const slow = spawn(ask, port, 'first', 'slowly');
  yield* sleep(200);
  manager.kill();
  console.log('what was begun is answered:', /^\d+ slowly$/.test((yield* slow.get())[1] ?? ''));
  yield* manager.join();
  console.log(
    'workers left:',
    Object.values(cluster.workers ?? {}).filter((worker) => worker?.isDead() === false).length,
  );
}

function all4<T>(body: () => Op<T>): Op<T[]> {
  return all([1, 2, 3, 4].map(body));
}

main(function* program(): Op<void> {
  const { WORKER_PORT } = process.env;
  if (cluster.isWorker) {
    yield* work(Number(WORKER_PORT));
  } else if (process.argv[2] === undefined) {
    yield* tryOut();
  } else {
    const [port = 0, workers = availableParallelism()] = process.argv.slice(2).map(Number);
    yield* manage(port, workers, (worker, at) => console.log(`worker ${worker.process.pid} listens on ${HOST}:${at}`));
  }
});
