// web-server.ts: the HTTP server that clients are tried against: it repeats a number, and holds /held back until it is released.
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { callback, type Op, once } from 'tendril';

export class WebServer {
  readonly #server: Server;
  readonly #held = new Set<ServerResponse>();
  /** Connections that it has accepted. */
  accepted = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      if (request.url !== '/held') {
        response
          .setHeader('content-type', 'application/json')
          .end(JSON.stringify({ n: Number(request.url?.slice(1)) }));
        return;
      }
      this.#held.add(response);
      response.on('close', () => this.#held.delete(response));
    }).on('connection', () => (this.accepted += 1));
  }

  static *open(): Op<WebServer> {
    const server = new WebServer();
    server.#server.listen(0, '127.0.0.1');
    yield* once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get holding(): number {
    return this.#held.size;
  }

  release(body = '{}'): void {
    for (const response of this.#held) response.end(body);
  }

  *close(): Op<void> {
    this.#server.closeAllConnections();
    yield* callback((done) => this.#server.close(done));
  }
}
