// http-tls.test.ts: https: what is trusted and what is not, who we are, and HTTP/2 where the server speaks it.
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { all, http, type Op, openHandles, run, sleep, spawn } from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { ca, server as good, identity } from './certificates.ts';

const clients: http.Client[] = [];
const closers: (() => void)[] = [];
function clientOf(options: http.ClientOptions): http.Client {
  const client = http.client(options);
  clients.push(client);
  return client;
}
afterEach(() => {
  for (const client of clients.splice(0)) {
    client.close();
    expect(client.stats()).toEqual({ running: 0, origins: {} });
  }
  for (const close of closers.splice(0)) close();
  expect(openHandles().total).toBe(0);
});

function* caught(op: Op<unknown>) {
  try {
    yield* op;
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error('nothing was thrown');
}

function* got(op: Op<http.Response>) {
  return yield* (yield* op).text();
}

interface Listening {
  listen(port: number, host: string, done: () => void): unknown;
  address(): unknown;
  close(): unknown;
  on(event: string, listener: (socket: Duplex) => void): unknown;
}

/** Its port on loopback; closed, with its connections, after the test. */
async function serving(server: Listening): Promise<{ port: number; sockets: Set<Duplex> }> {
  const sockets = new Set<Duplex>();
  server.on('connection', (socket: Duplex) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

const secure = (options: object) =>
  serving(createServer(options, (request, response) => void response.end(`${request.method} ${request.url}`)));

describe('https:', () => {
  it('is verified: F41 self-signed, F42 for another name, F43 expired or by an unknown CA end in TlsError, and nothing is sent', async () => {
    const cases: [string, http.ClientOptions['tls'], RegExp][] = [
      ['selfsigned', undefined, /^DEPTH_ZERO_SELF_SIGNED_CERT$/],
      ['server', undefined, /^UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT_LOCALLY)$/],
      ['elsewhere', { ca }, /^ERR_TLS_CERT_ALTNAME_INVALID$/],
      ['expired', { ca }, /^CERT_HAS_EXPIRED$/],
      ['early', { ca }, /^CERT_NOT_YET_VALID$/],
    ];
    for (const [name, tls, code] of cases) {
      let requests = 0;
      const { port } = await serving(
        createServer(identity(name), (_request, response) => {
          requests += 1;
          response.end();
        }),
      );
      const client = clientOf({ tls });
      await run(function* () {
        const error = yield* caught(client.post(`https://127.0.0.1:${port}/`, { body: 'secret' }));
        expect([name, error]).toMatchObject([name, { name: 'TlsError', code: expect.stringMatching(code) }]);
        expect(error.message).toContain(`https://127.0.0.1:${port}/`);
      });
      expect(requests).toBe(0);
    }
  });

  it('trusts the CA that is given, asks for the name that is given, and says who we are', async () => {
    const { port } = await serving(
      createServer({ ...good, ca, requestCert: true, rejectUnauthorized: false }, (request, response) => {
        const { authorized } = request.socket as unknown as { authorized: boolean };
        response.end(`${authorized} ${(request.socket as unknown as { servername: string }).servername}`);
      }),
    );
    const url = `https://127.0.0.1:${port}/`;
    await run(function* () {
      expect(yield* got(clientOf({ tls: { ca } }).get(url))).toBe('false false');
      expect(yield* got(clientOf({ tls: { ca, ...identity('client') } }).get(url))).toBe('true false');
      expect(yield* got(clientOf({ tls: { ca, servername: 'localhost' } }).get(url))).toBe('false localhost');
    });
  });

  it('is not verified by {insecure: true} of one client, which warns once', async () => {
    const warnings: Error[] = [];
    const listener = (warning: Error & { code?: string }): void => {
      if (warning.code === 'TENDRIL_TLS_INSECURE') warnings.push(warning);
    };
    process.on('warning', listener);
    const { port } = await secure(identity('selfsigned'));
    await run(function* () {
      for (let i = 0; i < 3; i += 1) {
        expect(yield* got(clientOf({ tls: { insecure: true } }).get(`https://127.0.0.1:${port}/x`))).toBe('GET /x');
      }
      yield* sleep(1);
    });
    process.off('warning', listener);
    expect(warnings.length).toBe(1);
  });

  it('refuses bad options at the call', () => {
    expect(() => http.client({ tls: { ca: 'nonsense' } })).toThrow(expect.objectContaining({ name: 'TlsError' }));
    expect(() => http.client({ tls: { cert: good.cert } })).toThrow(TypeError);
    expect(() => http.client({ tls: 5 as never })).toThrow(TypeError);
    expect(() => http.client({ allowH2: 1 as never })).toThrow(TypeError);
  });

  it('F45: to a server that is silent in the handshake ends at connectTimeoutMs, and can be killed before', async () => {
    const { port, sockets } = await serving(createTcpServer((socket) => socket.resume()));
    await run(function* () {
      const error = yield* caught(clientOf({ connectTimeoutMs: 200 }).get(`https://127.0.0.1:${port}/`));
      expect(error).toMatchObject({ name: 'ConnectError', code: 'UND_ERR_CONNECT_TIMEOUT' });
      while (sockets.size > 0) yield* sleep(1);
      const client = clientOf({});
      const victim = spawn(() => client.get(`https://127.0.0.1:${port}/`));
      while (sockets.size === 0) yield* sleep(1);
      victim.kill();
      expect(openHandles().total).toBe(0);
      while (sockets.size > 0) yield* sleep(1);
      yield* victim.join();
    });
  });

  it('F68: that is cut is an IncompleteBodyError, also in the middle of TLS', async () => {
    const { port } = await serving(
      createTlsServer(good, (socket) => {
        socket.on('error', () => {});
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345', () => socket.destroy());
        });
      }),
    );
    await run(function* () {
      const response = yield* clientOf({ tls: { ca } }).get(`https://127.0.0.1:${port}/`);
      expect(yield* caught(response.text())).toMatchObject({ name: 'IncompleteBodyError' });
    });
  });
});

describe('HTTP/2', () => {
  const both = (answer?: (path: string, stream: Duplex & { respond(headers: object): void }) => void) => {
    const server = createSecureServer({ ...good, allowHTTP1: true });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      const path = headers[':path'] as string;
      if (answer !== undefined) return answer(path, stream as never);
      stream.respond({ ':status': 200, 'x-protocol': 'h2', 'set-cookie': ['a=1', 'b=2'] });
      if (headers[':method'] === 'POST') stream.pipe(stream);
      else stream.end(`h2 ${path}`);
    });
    server.on('request', (request, response) => {
      if (request.httpVersionMajor === 1) response.end(`h1 ${request.url}`);
    });
    server.on('session', (session) => session.on('error', () => {}));
    return serving(server as unknown as Listening);
  };

  it('is spoken where both allow it, and HTTP/1.1 otherwise', async () => {
    const [two, one] = [await both(), await secure(good)];
    const client = clientOf({ allowH2: true, tls: { ca } });
    await run(function* () {
      const response = yield* client.get(`https://127.0.0.1:${two.port}/a`);
      expect([response.status, yield* response.text(), response.headers['x-protocol']]).toEqual([200, 'h2 /a', 'h2']);
      expect(response.headers['set-cookie']).toEqual(['a=1', 'b=2']);
      expect(yield* got(client.get(`https://127.0.0.1:${one.port}/b`))).toBe('GET /b');
      expect(yield* got(clientOf({ tls: { ca } }).get(`https://127.0.0.1:${two.port}/c`))).toBe('h1 /c');
    });
  });

  it('keeps its connections, sends bodies of every kind, and serves many at once', async () => {
    const { port, sockets } = await both();
    const client = clientOf({ allowH2: true, tls: { ca }, connections: 3 });
    const url = `https://127.0.0.1:${port}/`;
    await run(function* () {
      for (let i = 0; i < 5; i += 1) expect(yield* got(client.get(url + i))).toBe(`h2 /${i}`);
      expect(sockets.size).toBe(1);
      expect(yield* got(client.post(url, { body: 'text' }))).toBe('text');
      expect(yield* got(client.post(url, { body: ['pie', 'ces'] }))).toBe('pieces');
      const answers = yield* all(Array.from({ length: 30 }, (_, i) => got(client.get(url + i))));
      expect(answers).toEqual(Array.from({ length: 30 }, (_, i) => `h2 /${i}`));
      expect(sockets.size).toBeLessThanOrEqual(3);
    });
  });

  it('feels a slow reader, and loses nothing', async () => {
    const size = 8 * 1024 * 1024;
    const { port } = await both((_path, stream) => {
      stream.respond({ ':status': 200, 'content-length': size });
      stream.end(Buffer.alloc(size, 'x'));
    });
    const client = clientOf({ allowH2: true, tls: { ca } });
    await run(function* () {
      const { body } = yield* client.get(`https://127.0.0.1:${port}/`);
      yield* sleep(50);
      const first = yield* body.read();
      expect(first?.length).toBeLessThan(1024 * 1024);
      expect((first?.length ?? 0) + (yield* body.bytes()).length).toBe(size);
    });
  });

  it('F67: is killed and times out with its connection, and the next request works', async () => {
    const { port, sockets } = await both((path, stream) => {
      if (path === '/quick') {
        stream.respond({ ':status': 200 });
        stream.end('quick');
      } else if (path === '/body') {
        stream.respond({ ':status': 200 });
        (stream as unknown as Socket).write('beginning');
      }
    });
    const client = clientOf({ allowH2: true, tls: { ca } });
    const url = `https://127.0.0.1:${port}`;
    await run(function* () {
      for (const path of ['/never', '/body']) {
        const victim = spawn(() => got(client.get(url + path)));
        while (sockets.size === 0) yield* sleep(1);
        yield* sleep(30);
        victim.kill();
        yield* victim.join();
        expect(openHandles().total).toBe(0);
        expect(yield* caught(got(client.get(url + path, { timeoutMs: 100 })))).toMatchObject({ name: 'TimeoutError' });
        expect(openHandles().total).toBe(0);
        while (sockets.size > 0) yield* sleep(1);
      }
      expect(yield* got(client.get(`${url}/quick`))).toBe('quick');
    });
  });

  it('F68: is cut: the stream is reset, or the connection lost, and no short success comes of it', async () => {
    const { port, sockets } = await both((path, stream) => {
      stream.respond({ ':status': 200, 'content-length': 100 });
      (stream as unknown as Socket).write('half');
      setTimeout(() => {
        if (path === '/reset') (stream as unknown as { close(code: number): void }).close(2);
        else for (const socket of sockets) socket.destroy();
      }, 20);
    });
    const client = clientOf({ allowH2: true, tls: { ca } });
    await run(function* () {
      for (const path of ['/reset', '/lost']) {
        const response = yield* client.get(`https://127.0.0.1:${port}${path}`);
        expect(yield* caught(response.text())).toMatchObject({ name: 'IncompleteBodyError' });
      }
    });
  });

  it('closes an idle connection after keepAliveMs', async () => {
    const { port, sockets } = await both();
    const client = clientOf({ allowH2: true, tls: { ca }, keepAliveMs: 50 });
    await run(function* () {
      yield* got(client.get(`https://127.0.0.1:${port}/`));
      while (sockets.size > 0) yield* sleep(5);
      expect(openHandles().total).toBe(0);
    });
  });
});
