// job-queue.ts: a queue of jobs on three worker processes, which survives kill -9 of any of them.
//
// The jobs are in NATS JetStream, on disk: a worker that takes one gives signs of life for it, and if those stop the server gives the job to another worker. A job that has a key is run once,
// however often it is submitted, and one that kills whoever begins it is given up after some attempts. This program is both: it submits, and it starts itself again as the workers,
// looks after them, and kills some.
//
// How to run: npx tsx samples/job-queue.ts                  with a nats-server of its own, if that program is installed
//             npx tsx samples/job-queue.ts HOST:PORT        with yours, started with -js; it leaves streams called TENDRIL_sample...

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  all,
  connect,
  listen,
  main,
  type Op,
  process as proc,
  rethrowKilled,
  scope,
  shield,
  sleep,
  spawn,
} from 'tendril';
import { defineTasks } from 'tendril/executors';
import { EngineUnreachableError, NatsLink, RemoteExecutor, serveTasks, TaskDeadError } from 'tendril/executors/nats';

const HOST = '127.0.0.1';
const JOBS = 60;
const WORKERS = 3;
/** A worker that is silent for so long is taken for dead: short, to see it happen. */
const ACK_WAIT_MS = 1_000;

export const jobs = defineTasks(import.meta.url, {
  *square(n: number): Op<number> {
    yield* sleep(30);
    return n * n;
  },
  send: (to: string): string => `sent to ${to} by ${process.pid}`,
  poison(): void {
    process.kill(process.pid, 'SIGKILL');
  },
});

/** One worker after the other: who has gone is replaced. */
function* lookAfter(server: string, queue: string, begun: (worker: proc.Process) => void): Op<void> {
  for (;;) {
    const file = import.meta.filename;
    const worker = yield* proc.spawn(process.execPath, [...process.execArgv, file, 'worker', server, queue], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    begun(worker);
    // Killed in here, it stops the worker, which then hands its jobs back.
    yield* worker.wait();
    worker.close();
  }
}

function* submitAll(link: NatsLink, queue: string, workers: ReadonlyMap<number, proc.Process>): Op<void> {
  const executor = yield* RemoteExecutor.connect({ link, queue, maxAttempts: 10 });
  const squares = Array.from({ length: JOBS }, (_, n) => executor.submit(jobs.square, n));

  const killer = spawn(function* (): Op<number> {
    for (let i = 0; i < WORKERS; i += 1) {
      yield* squares[15 * (i + 1)]?.exception() ?? sleep(0);
      workers.get(i)?.kill('SIGKILL');
    }
    return WORKERS;
  });
  const results = yield* all(squares);
  console.log(`${results.length} results, their sum is ${results.reduce((sum, square) => sum + square, 0)}`);
  console.log(`meanwhile ${yield* killer.get()} workers were killed with SIGKILL`);

  const letters = [1, 2, 3].map(() => executor.submitWith({ key: 'letter 17' }, jobs.send, 'Ada'));
  const sent = yield* all(letters);
  console.log(`a job that was submitted ${sent.length} times has ${new Set(sent).size} outcome`);
  yield* executor.shutdown();

  const careful = yield* RemoteExecutor.connect({ link, queue, maxAttempts: 2 });
  const error = yield* careful.submit(jobs.poison).exception();
  if (error instanceof TaskDeadError) console.log(`${error.code}: ${error.message}`);
  yield* careful.shutdown();
}

function* program(server: string): Op<void> {
  const queue = `sample-${process.pid}`;
  const link = yield* NatsLink.connect({ servers: server });
  try {
    yield* scope(function* (s): Op<void> {
      const workers = new Map<number, proc.Process>();
      const places = Array.from({ length: WORKERS }, (_, i) =>
        s.spawn(lookAfter, server, queue, (worker: proc.Process) => workers.set(i, worker)),
      );
      try {
        yield* submitAll(link, queue, workers);
      } finally {
        for (const place of places) place.kill();
      }
    });
  } finally {
    yield* shield(link.close());
  }
}

/** A port that nobody has at this moment. */
function* freePort(): Op<number> {
  const listener = yield* listen({ host: HOST, port: 0 });
  listener.close();
  return listener.address.port;
}

/** Run `body` with a server of our own. False if the program is not installed. */
function* withServer(body: (server: string) => Op<void>): Op<boolean> {
  const folder = mkdtempSync(path.join(tmpdir(), 'job-queue-'));
  const port = yield* freePort();
  let server: proc.Process;
  try {
    server = yield* proc.spawn('nats-server', ['-a', HOST, '-p', String(port), '-js', '-sd', folder], {
      stdio: 'ignore',
    });
  } catch (error) {
    rethrowKilled(error);
    return false;
  }
  try {
    for (let tries = 0; server.status === undefined && tries < 500; tries += 1) {
      try {
        (yield* connect({ host: HOST, port })).close();
        break;
      } catch (error) {
        rethrowKilled(error);
        yield* sleep(10);
      }
    }
    yield* body(`${HOST}:${port}`);
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return true;
}

function* start(server: string | undefined): Op<void> {
  try {
    if (server !== undefined) yield* program(server);
    else if (!(yield* withServer(program))) {
      console.error('There is no nats-server on the PATH: install it, or name one that runs with -js: HOST:PORT');
      process.exitCode = 1;
    }
  } catch (error) {
    if (!(error instanceof EngineUnreachableError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) {
  const [first, server = '', queue = ''] = process.argv.slice(2);
  if (first === 'worker') {
    main(() => serveTasks(jobs, { servers: server, queue, concurrency: 2, ackWaitMs: ACK_WAIT_MS }));
  } else {
    main(() => start(first));
  }
}
