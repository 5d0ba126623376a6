// peers.ts: connections whose one end is a tendril Socket and whose other end is a bare socket of node:net, over TCP and Unix sockets, as client and
// as server; and the check that a test has left nothing behind.
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ConnectOptions,
  callback,
  connect,
  hub,
  listen,
  type Op,
  openHandles,
  run,
  type Socket,
  until,
} from 'tendril';
import { expect } from 'vitest';

export const host = '127.0.0.1';

export type Side = 'TCP client' | 'TCP server' | 'Unix client' | 'Unix server';
export const sides: readonly Side[] = ['TCP client', 'TCP server', 'Unix client', 'Unix server'];

type Body = (socket: Socket, peer: net.Socket) => Op<unknown>;

/** The options that both connect and listen take. */
export type PairOptions = Pick<ConnectOptions, 'halfOpen' | 'highWaterMark'>;

/** Run `body` with a connected pair; `socket` is the given side of it. Afterwards everything is closed and nothing may be left. */
export async function withPair(side: Side, body: Body, options: PairOptions = {}): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
  const endpoint = side.startsWith('Unix') ? { path: join(folder, 's') } : { host, port: 0 };
  try {
    await run(side.endsWith('client') ? asClient : asServer, endpoint, body, options);
    nothingLeft();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Endpoint = { readonly path: string } | { readonly host: string; readonly port: number };

function* asClient(endpoint: Endpoint, body: Body, options: PairOptions) {
  const server = net.createServer({ allowHalfOpen: true });
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  yield* callback<void>((done) => void server.listen(endpoint, () => done(null)));
  const address = server.address();
  const target = typeof address === 'string' ? { path: address } : { host, port: (address as net.AddressInfo).port };
  const socket = yield* connect(target, options);
  const peer = yield* callback<net.Socket>((done) => void accepted.then((given) => done(null, given)));
  yield* finishing(socket, peer, body);
  server.close();
}

function* asServer(endpoint: Endpoint, body: Body, options: PairOptions) {
  const listener = yield* listen(endpoint, options);
  const { path, port } = listener.address;
  const peer = net.connect(path === undefined ? { host, port, allowHalfOpen: true } : { path, allowHalfOpen: true });
  const socket = yield* listener.accept();
  listener.close();
  yield* finishing(socket, peer, body);
}

function* finishing(socket: Socket, peer: net.Socket, body: Body) {
  peer.on('error', () => {});
  try {
    yield* body(socket, peer);
  } finally {
    socket.close();
    peer.destroy();
  }
}

/** Wait until `peer` has received `count` bytes more, and return them. */
export function received(peer: net.Socket, count: number): Op<Buffer> {
  return callback<Buffer>((done) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const look = (): void => {
      for (let chunk = peer.read(); chunk !== null; chunk = peer.read()) {
        chunks.push(chunk);
        size += chunk.length;
      }
      if (size < count) return;
      peer.off('readable', look);
      done(null, Buffer.concat(chunks));
    };
    peer.on('readable', look);
    look();
  });
}

/** The next `event` of a bare socket or server, from now on; wait for it with `yield*`. */
export function happened(emitter: net.Socket | net.Server, event: string): Op<unknown> {
  return until(new Promise<unknown>((resolve) => void emitter.once(event, resolve)));
}

/** Start a bare server and return its port. */
export function bareServer(server: net.Server): Op<number> {
  return callback<number>((done) => {
    server.listen(0, host, () => done(null, (server.address() as net.AddressInfo).port));
  });
}

/** A port on which nobody listens. */
export function* closedPort() {
  const server = net.createServer();
  const port = yield* bareServer(server);
  server.close();
  return port;
}

/** The error that `op` throws. */
export function* failure(op: Op<unknown>) {
  try {
    yield* op;
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error('it did not throw');
}

/** Nothing may be left of what a test did: no handle, no greenlet, no wait, no timer. */
export function nothingLeft(): void {
  const { greenlets, daemons, externalWaits, orphans, timers } = hub.stats();
  expect({ handles: openHandles().names, greenlets, daemons, externalWaits, orphans, timers }).toEqual({
    handles: [],
    greenlets: 0,
    daemons: 0,
    externalWaits: 0,
    orphans: 0,
    timers: 0,
  });
}
