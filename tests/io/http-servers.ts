// http-servers.ts: servers for the HTTP tests: well-behaved ones on node:http, and raw ones that say exactly what a test wants.
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach } from 'vitest';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

export interface TestServer {
  readonly url: string;
  readonly port: number;
  /** Every connection so far. */
  readonly sockets: Socket[];
  /** Connections that are still open. */
  connections(): number;
}

async function listening(server: Server): Promise<TestServer> {
  const sockets: Socket[] = [];
  const alive = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.push(socket);
    alive.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => alive.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of alive) socket.destroy();
      }),
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, sockets, connections: () => alive.size };
}

/** A node:http server, closed after the test. */
export function httpServer(listener: RequestListener): Promise<TestServer> {
  const server = createHttpServer(listener);
  server.keepAliveTimeout = 60_000;
  return listening(server);
}

/** A TCP server: `answer` is called with the head of each request (which must come in one piece), the socket, and how many came before it. */
export function rawServer(answer: (socket: Socket, head: string, index: number) => void): Promise<TestServer> {
  let index = 0;
  return listening(
    createServer((socket) => {
      socket.on('data', (bytes) => {
        const head = bytes.toString('latin1');
        if (/^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(head)) answer(socket, head, index++);
      });
    }),
  );
}
