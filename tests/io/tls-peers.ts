// tls-peers.ts: bare TLS servers and clients of Node's for the other end of a connection, and servers that are none.
import net from 'node:net';
import tls from 'node:tls';
import { type Op, run, sleep, TlsError, timeout, until } from 'tendril';
import { expect } from 'vitest';
import { server as identity } from './certificates.ts';
import { descriptors, descriptorsBackAt } from './descriptors.ts';
import { bareServer, host, nothingLeft } from './peers.ts';

/** How long to wait for what must happen. */
const PATIENCE_MS = 20_000;

/** Run `body`; afterwards nothing may be left, no descriptor either. */
export async function clean(body: () => Op<unknown>): Promise<void> {
  const before = descriptors();
  await run(function* () {
    yield* body();
    yield* descriptorsBackAt(before);
  });
  nothingLeft();
}

/** A bare TLS server: its port, and what its clients have sent after their handshakes. */
export interface BareTls {
  readonly port: number;
  readonly heard: Buffer[];
  /** Connections whose handshake is over, in their order. */
  readonly sockets: tls.TLSSocket[];
  /** Its TCP connections. */
  readonly raw: net.Socket[];
}

/** Run `body` with a bare TLS server. */
export function* withTlsServer(options: tls.TlsOptions, body: (server: BareTls) => Op<unknown>): Op<void> {
  const heard: Buffer[] = [];
  const sockets: tls.TLSSocket[] = [];
  const raw: net.Socket[] = [];
  const server = tls.createServer({ ...identity, ...options }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => heard.push(chunk));
  });
  server.on('tlsClientError', () => {});
  server.on('connection', (socket: net.Socket) => raw.push(socket));
  const port = yield* bareServer(server);
  try {
    yield* body({ port, heard, sockets, raw });
  } finally {
    server.close();
    for (const socket of raw) socket.destroy();
  }
}

/** Run `body` with a TCP server that accepts and then does as `connected` says. */
export function* withTcpServer(
  connected: (socket: net.Socket) => void,
  body: (port: number, sockets: readonly net.Socket[]) => Op<unknown>,
): Op<void> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    connected(socket);
  });
  const port = yield* bareServer(server);
  try {
    yield* body(port, sockets);
  } finally {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
}

/** A bare TLS client of `port`, after its handshake. */
export function* bareClient(port: number): Op<tls.TLSSocket> {
  return yield* bareUpgrade(yield* bareSocket(port));
}

/** TLS on a bare connection. */
export function bareUpgrade(socket: net.Socket): Op<tls.TLSSocket> {
  return until(
    new Promise<tls.TLSSocket>((resolve, reject) => {
      const secure = tls.connect({ socket, rejectUnauthorized: false }, () => resolve(secure));
      secure.on('error', reject);
    }),
  );
}

/** End the TCP connection under `socket`, and say nothing in TLS. */
export function cut(socket: tls.TLSSocket): void {
  (socket as unknown as { _parent: net.Socket })._parent.end();
}

/** A bare TCP connection to `port`. */
export function bareSocket(port: number, allowHalfOpen = false): Op<net.Socket> {
  return until(
    new Promise<net.Socket>((resolve) => {
      const socket = net.connect({ host, port, allowHalfOpen }, () => resolve(socket));
      socket.on('error', () => {});
    }),
  );
}

/** Wait for something that can only be seen. */
export function* when(condition: () => boolean): Op<void> {
  yield* timeout(PATIENCE_MS, looking(condition));
}

function* looking(condition: () => boolean): Op<void> {
  while (!condition()) yield* sleep(1);
}

/** The TlsError that `op` throws. */
export function* refusal(op: Op<unknown>): Op<TlsError> {
  try {
    yield* op;
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    return error;
  }
  throw new Error('it did not throw');
}

/** The TlsError that a plain call throws. */
export function refusalAtCall(call: () => unknown): TlsError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(TlsError);
    return error as TlsError;
  }
  throw new Error('it did not throw');
}
