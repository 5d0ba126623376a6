// http-server-tls.test.ts: the HTTP server and WebSockets over TLS: the same code, over listenTls.
import { connectTls, http, run, scope } from 'tendril';
import * as websocket from 'tendril/websocket';
import { describe, expect, it } from 'vitest';
import { ca, server as tls } from './certificates.ts';
import { eventually } from './http-exchanges.ts';
import { failure, host, nothingLeft } from './peers.ts';

const trust = { ca, servername: 'localhost' };

describe('Over TLS', () => {
  it('http.serve answers, counts and stops; a client that leaves in the middle kills its handler', async () => {
    await run(function* () {
      yield* scope(function* (s) {
        const server = http.serve(
          { host, port: 0 },
          function* (request, response) {
            if (request.path === '/wait') {
              yield* response.write('begun');
              yield* request.body.read();
              for (;;) yield* response.write(Buffer.alloc(65_536));
            }
            return `${request.method} ${yield* request.text()}`;
          },
          { tls },
        );
        s.spawn(() => server);
        const address = yield* server.ready();
        const socket = yield* connectTls(address, trust);
        yield* socket.write('POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhello');
        expect(String(yield* socket.readUntil('hello'))).toContain('200 OK');
        yield* socket.write('GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n');
        yield* socket.readUntil('begun');
        socket.close();
        yield* eventually(() => server.stats.connections === 0);
        expect(server.stats).toMatchObject({ requests: 2, abandoned: 1, handlerErrors: 0, inFlight: 0 });
        yield* server.stop();
      });
    });
    nothingLeft();
  });

  it('wss: connects to a server that it trusts, and to no other', async () => {
    await run(function* () {
      yield* scope(function* (s) {
        const server = websocket.serve(
          { host, port: 0 },
          function* (socket) {
            yield* socket.send(`you said ${yield* socket.receive()}`);
          },
          { tls },
        );
        s.spawn(() => server);
        const { port } = yield* server.ready();
        const socket = yield* websocket.connect(`wss://${host}:${port}/`, { tls: trust });
        yield* socket.send('x'.repeat(100_000));
        expect(((yield* socket.receive()) as string).length).toBe(100_009);
        expect([yield* socket.receive(), socket.closeCode]).toEqual([null, 1000]);
        expect((yield* failure(websocket.connect(`wss://${host}:${port}/`))).name).toBe('TlsError');
        yield* server.stop();
      });
    });
    nothingLeft();
  });
});
