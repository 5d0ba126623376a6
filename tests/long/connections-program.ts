// connections-program.ts: one side of a test with very many connections, in a process of its own. Prints JSON, one line for each answer.
//
//   server            echoes lines, a greenlet for each connection; prints {port}, and what it has on SIGUSR2-like lines of stdin: `stats`, `stop`
//   idle PORT COUNT   opens COUNT connections, each with one greenlet that waits; prints {connected}; closes them on `stop`
//   burst PORT COUNT  opens COUNT connections at once, each asks one question; prints how many were served, refused, stuck
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  connect,
  hub,
  type Op,
  openHandles,
  run,
  type Socket,
  StreamServer,
  sleep,
  spawn,
  timeout,
  until,
} from 'tendril';

const host = '127.0.0.1';
const gc = (globalThis as { gc?: () => void }).gc;
const [mode = '', portText = '', countText = ''] = process.argv.slice(2);
const port = Number(portText);
const count = Number(countText);

const commands: string[] = [];
let heard = (): void => {};
createInterface({ input: process.stdin })
  .on('close', () => process.exit(1)) // whoever started us is gone
  .on('line', (line) => {
    commands.push(line);
    heard();
  });

/** The next line of stdin. */
function* command(): Op<string> {
  while (commands.length === 0) {
    yield* until(
      new Promise<void>((resolve) => {
        heard = resolve;
      }),
    );
  }
  return commands.shift() as string;
}

function say(what: object): void {
  console.log(JSON.stringify(what));
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** What this process has, after a collection. */
function* state(): Op<object> {
  for (let i = 0; i < 3; i += 1) {
    gc?.();
    yield* sleep(5);
  }
  const { greenlets, orphans } = hub.stats();
  return {
    rss: process.memoryUsage.rss(),
    descriptors: descriptors(),
    greenlets,
    orphans,
    handles: openHandles().total,
  };
}

function* echo(socket: Socket): Op<void> {
  for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine())
    yield* socket.write(`${line}\n`);
}

function* server(): Op<void> {
  const stream = new StreamServer({ host, port: 0 }, echo, {
    backlog: 65_535,
    maxConnections: 100_000,
    maxPending: 100_000,
  });
  yield* stream.start();
  say({ port: stream.address.port });
  for (;;) {
    const word = yield* command();
    if (word === 'stop') break;
    say({ ...(yield* state()), ...stream.stats });
  }
  yield* stream.stop({ graceMs: 1000 });
  say({ ...(yield* state()), ...stream.stats });
}

function* idle(): Op<void> {
  const sockets: Socket[] = [];
  const openOne = function* (): Op<void> {
    const socket = yield* connect({ host, port });
    sockets.push(socket);
    yield* socket.read(); // for ever: one greenlet waits on each
  };
  const waiting = [];
  say(yield* state());
  // Some hundreds at a time, so that the queue of the system never overflows.
  while (waiting.length < count) {
    for (let i = 0; i < 200 && waiting.length < count; i += 1) waiting.push(spawn(openOne));
    while (sockets.length < waiting.length) yield* sleep(1);
  }
  say({ connected: sockets.length, ...(yield* state()) });
  yield* command();
  for (const greenlet of waiting) greenlet.kill();
  for (const greenlet of waiting) yield* greenlet.join();
  for (const socket of sockets) socket.close();
  yield* sleep(50);
  say(yield* state());
}

function* burst(): Op<void> {
  let served = 0;
  let refused = 0;
  const one = function* (i: number): Op<void> {
    let socket: Socket | undefined;
    try {
      socket = yield* connect({ host, port }, { timeoutMs: 29_000 });
      yield* socket.write(`${i}\n`);
      if ((yield* socket.readLine()) === `${i}`) served += 1;
      else refused += 1;
    } catch (error) {
      if ((error as { code?: string }).code === 'KILLED') throw error;
      refused += 1;
    } finally {
      socket?.close();
    }
  };
  const all = Array.from({ length: count }, (_, i) => spawn(one, i));
  yield* timeout(
    30_000,
    (function* (): Op<void> {
      for (const greenlet of all) yield* greenlet.join();
    })(),
    { else: undefined },
  );
  const stuck = all.filter((greenlet) => greenlet.state !== 'done').length;
  for (const greenlet of all) greenlet.kill();
  for (const greenlet of all) yield* greenlet.join();
  yield* sleep(50);
  say({ served, refused, stuck, ...(yield* state()) });
}

const modes: Readonly<Record<string, () => Op<void>>> = { server, idle, burst };
await run(modes[mode] as () => Op<void>);
process.exit(0);
