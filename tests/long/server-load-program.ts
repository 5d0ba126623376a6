// server-load-program.ts: loads on a server that are about what is left of them and what they do to others. Prints JSON.
//
//   slope          25 times 500 connections that end in all the ways there are; prints how many bytes of heap each of them leaves
//   soak COUNT     COUNT conversations: echoes, kills, resets, timeouts, early ends, handlers that throw; prints what came of them
//   flood          writes 1 GiB to a peer that never reads, in pieces and at once; prints what that took
//   slow PORT      1,000 clients that send one byte a second while told so; prints how many are connected
//   normal PORT    100 clients that ask 20 questions each, whenever told so; prints the time that 99 of 100 answers took at most
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';
import {
  connect,
  hub,
  now,
  type Op,
  openHandles,
  Pool,
  run,
  type Socket,
  StreamServer,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  until,
} from 'tendril';

const host = '127.0.0.1';
const gc = (globalThis as { gc?: () => void }).gc;
const [mode = '', number = ''] = process.argv.slice(2);

class Wrong extends Error {}

function* answer(socket: Socket): Op<void> {
  for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine()) {
    if (line === 'throw') throw new Wrong();
    if (line === 'silence') continue;
    yield* socket.write(`${line}\n`);
  }
}

/** One conversation with the server on `port`, of the kind that `i` says; returns whether it went as it should. */
function* conversation(port: number, i: number): Op<boolean> {
  const kind = i % 7;
  if (kind === 0) {
    // A peer that resets in the middle.
    const peer = net.connect({ host, port }).on('error', () => {});
    yield* until(new Promise((resolve) => peer.once('connect', resolve)));
    peer.write('half a li');
    peer.resetAndDestroy();
    return true;
  }
  const socket = yield* connect({ host, port });
  try {
    if (kind === 1) {
      const victim = spawn(() => socket.read());
      yield* sleep(0);
      victim.kill();
      yield* victim.join();
      return victim.killed;
    }
    if (kind === 2) {
      yield* socket.write('silence\n');
      return (yield* timeout(1, socket.readLine(), { else: 'too late' })) === 'too late';
    }
    if (kind === 3) {
      yield* socket.write('throw\n');
      return (yield* socket.readLine()) === null;
    }
    if (kind === 4) {
      yield* socket.write('an unfinished line'); // and closed
      return true;
    }
    yield* socket.write(`${i}\n`);
    return (yield* socket.readLine()) === `${i}`;
  } finally {
    socket.close();
  }
}

function* collected(): Op<number> {
  yield* sleep(1);
  for (let i = 0; i < 3; i += 1) gc?.();
  return process.memoryUsage().heapUsed;
}

/** Bytes per conversation: least squares over samples of 500 each. */
function* slope(): Op<object> {
  const cycles = 25;
  const perCycle = 500;
  const server = new StreamServer({ host, port: 0 }, answer);
  yield* server.start();
  const { port } = server.address;
  const pool = new Pool(20);
  const samples: number[] = [];
  for (let cycle = -5; cycle < cycles; cycle += 1) {
    for (let i = 0; i < perCycle; i += 1) yield* pool.spawn(conversation, port, i);
    yield* pool.join();
    while (server.stats.active > 0) yield* sleep(1);
    const bytes = yield* collected();
    if (cycle >= 0) samples.push(bytes);
  }
  yield* server.stop();
  const meanX = (cycles - 1) / 2;
  const meanY = samples.reduce((sum, y) => sum + y, 0) / cycles;
  const covariance = samples.reduce((sum, y, x) => sum + (x - meanX) * (y - meanY), 0);
  const variance = samples.reduce((sum, _, x) => sum + (x - meanX) ** 2, 0);
  return { bytesPerCycle: covariance / variance / perCycle };
}

function* soak(count: number): Op<object> {
  const before = readdirSync('/proc/self/fd').length;
  const server = new StreamServer({ host, port: 0 }, answer);
  yield* server.start();
  const { port } = server.address;
  const pool = new Pool(50);
  let wrong = 0;
  const one = function* (i: number): Op<void> {
    if (!(yield* timeout(60_000, conversation(port, i)))) wrong += 1;
  };
  for (let i = 0; i < count; i += 1) yield* pool.spawn(one, i);
  yield* pool.join();
  const limitMs = now() + 60_000;
  while (server.stats.active > 0 && now() < limitMs) yield* sleep(5);
  const { active, dropped, overloads } = server.stats;
  yield* server.stop({ graceMs: 0 });
  while (readdirSync('/proc/self/fd').length > before + 1 && now() < limitMs) yield* sleep(5);
  return {
    wrong,
    stuck: active,
    dropped,
    overloads,
    descriptors: Math.max(0, readdirSync('/proc/self/fd').length - before - 1), // one for the listing's own event loop
    handles: openHandles().names.length,
    orphans: hub.stats().orphans,
    greenlets: hub.stats().greenlets - 1,
  };
}

const MIB = 2 ** 20;

/** Write to a peer that never reads: 1 GiB in pieces of 1 MiB, and 1 GiB at once. Prints how many bytes of memory that took, and how it ended. */
function* flood(): Op<object> {
  const held: net.Socket[] = [];
  const deaf = net.createServer({ pauseOnConnect: true }, (socket) => void held.push(socket));
  yield* until(new Promise<void>((resolve) => deaf.listen(0, host, resolve)));
  const { port } = deaf.address() as net.AddressInfo;
  const piece = Buffer.alloc(MIB, 'x');
  const write = function* (socket: Socket, bytes: Uint8Array, times: number): Op<number> {
    let written = 0;
    try {
      yield* timeout(
        1000,
        (function* (): Op<void> {
          for (let i = 0; i < times; i += 1) {
            yield* socket.write(bytes);
            written += bytes.length;
          }
          yield* socket.flush();
        })(),
      );
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
    }
    return written;
  };
  // Whatever the first one makes Node allocate once and for all is not what it holds.
  const warm = yield* connect({ host, port });
  yield* write(warm, piece, 1024);
  warm.close();
  yield* collected();
  const before = process.memoryUsage.rss();
  const socket = yield* connect({ host, port });
  const written = yield* write(socket, piece, 1024);
  const grown = process.memoryUsage.rss() - before;
  const { unsent } = socket;
  socket.close();
  const whole = yield* connect({ host, port });
  const accepted = yield* write(whole, new Uint8Array(1024 * MIB), 1);
  const wholeUnsent = whole.unsent;
  whole.close();
  for (const each of held) each.destroy();
  deaf.close();
  return { written, unsent, grown, accepted, wholeUnsent, handles: openHandles().total };
}

const words: string[] = [];
let heard = (): void => {};

/** The next line of stdin. */
function* word(): Op<string> {
  while (words.length === 0) {
    yield* until(
      new Promise<void>((resolve) => {
        heard = resolve;
      }),
    );
  }
  return words.shift() as string;
}

function* slow(port: number): Op<object> {
  let going = true;
  let connected = 0;
  const one = function* (i: number): Op<void> {
    const socket = yield* connect({ host, port });
    connected += 1;
    yield* sleep(i); // not all in the same millisecond
    for (;;) {
      if (going) yield* socket.write('x');
      yield* sleep(1000);
    }
  };
  for (let i = 0; i < 1000; i += 1) spawn(one, i);
  while (connected < 1000) yield* sleep(1);
  for (;;) {
    console.log(JSON.stringify({ connected }));
    going = (yield* word()) === 'go';
  }
}

function* normal(port: number): Op<object> {
  for (;;) {
    yield* word();
    const times: number[] = [];
    const one = function* (): Op<void> {
      const socket = yield* connect({ host, port });
      for (let i = 0; i < 20; i += 1) {
        const startMs = now();
        yield* socket.write(`${i}\n`);
        if ((yield* socket.readLine()) !== `${i}`) throw new Error('a wrong answer');
        times.push(now() - startMs);
        yield* sleep(10);
      }
      socket.close();
    };
    const clients = Array.from({ length: 100 }, () => spawn(one));
    for (const client of clients) yield* client.get();
    times.sort((a, b) => a - b);
    console.log(JSON.stringify({ answers: times.length, p99: times[Math.floor(times.length * 0.99)] }));
  }
}

let unhandled = 0;
let thrown = 0;
hub.on('error', (error) => {
  if (error instanceof Wrong) thrown += 1;
  else unhandled += 1;
});
if (mode === 'slow' || mode === 'normal') {
  createInterface({ input: process.stdin })
    .on('close', () => process.exit(1)) // whoever started us is gone
    .on('line', (line) => {
      words.push(line);
      heard();
    });
  await run(() => (mode === 'slow' ? slow : normal)(Number(number)));
} else {
  const seen = await run(() => (mode === 'slope' ? slope() : mode === 'flood' ? flood() : soak(Number(number))));
  console.log(JSON.stringify({ ...seen, unhandled, thrown }));
}
