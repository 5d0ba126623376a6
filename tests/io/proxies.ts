// proxies.ts: HTTP proxies for tests, on node:http: they forward absolute URLs, open tunnels, and ask for a password.
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach } from 'vitest';
import { server as identity } from './certificates.ts';

const open: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

export interface TestProxy {
  readonly url: string;
  readonly port: number;
  /** `GET http://...` or `CONNECT host:port`, each request that came. */
  readonly seen: string[];
  /** Connections that are still open. */
  connections(): number;
}

export interface ProxyBehaviour {
  /** `user:password` that it wants. */
  readonly credentials?: string;
  /** Speak TLS to the client. */
  readonly secure?: boolean;
  /** Answer CONNECT by this, in place of opening a tunnel. */
  readonly answer?: (socket: Duplex) => void;
}

/** A proxy on loopback, closed after the test. */
export async function testProxy({ credentials, secure, answer }: ProxyBehaviour = {}): Promise<TestProxy> {
  const seen: string[] = [];
  const alive = new Set<Duplex>();
  const server = (secure === true ? createSecureServer(identity) : createServer()) as Server;
  const knows = ({ headers }: IncomingMessage): boolean =>
    credentials === undefined ||
    headers['proxy-authorization'] === `Basic ${Buffer.from(credentials).toString('base64')}`;
  server.on('request', (incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    if (!knows(incoming)) return void outgoing.writeHead(407).end('who are you?');
    const headers = { ...incoming.headers };
    delete headers['proxy-authorization'];
    const forwarded = request(incoming.url as string, { method: incoming.method as string, headers }, (response) => {
      outgoing.writeHead(response.statusCode as number, response.headers);
      response.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.writeHead(502).end());
    incoming.pipe(forwarded);
  });
  server.on('connect', (incoming: IncomingMessage, socket: Duplex) => {
    seen.push(`CONNECT ${incoming.url}`);
    socket.on('error', () => {});
    if (answer !== undefined) {
      answer(socket.resume().on('end', () => socket.end()));
      return;
    }
    if (!knows(incoming))
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nwho?');
    const { hostname, port } = new URL(`http://${incoming.url}`);
    const there = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(there).pipe(socket);
    });
    there.on('error', () => socket.destroy());
    socket.on('close', () => there.destroy());
    there.on('close', () => socket.destroy());
  });
  server.on(secure === true ? 'secureConnection' : 'connection', (socket: Socket) => {
    alive.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => alive.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of alive) socket.destroy();
        server.closeAllConnections();
      }),
  );
  const { port } = server.address() as AddressInfo;
  return { url: `http${secure === true ? 's' : ''}://127.0.0.1:${port}`, port, seen, connections: () => alive.size };
}
