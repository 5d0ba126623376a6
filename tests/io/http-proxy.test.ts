// http-proxy.test.ts: requests through proxies: forwarded and through tunnels, with passwords, by the environment, and when a proxy misbehaves.
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { http, type Op, openHandles, run, sleep, spawn } from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ca, server as identity } from './certificates.ts';
import { httpServer } from './http-servers.ts';
import { type ProxyBehaviour, testProxy } from './proxies.ts';

const clients: http.Client[] = [];
function clientOf(options: http.ClientOptions): http.Client {
  const client = http.client(options);
  clients.push(client);
  return client;
}

let secureUrl: string;
let closeSecure: () => void;
beforeEach(async () => {
  const server = createServer(identity, (request, response) => void response.end(`secure ${request.url}`));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  secureUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  closeSecure = () => {
    server.closeAllConnections();
    server.close();
  };
});
afterEach(() => {
  for (const client of clients.splice(0)) {
    client.close();
    expect(client.stats()).toEqual({ running: 0, origins: {} });
  }
  expect(openHandles().total).toBe(0);
  closeSecure();
});

function* caught(op: Op<unknown>) {
  try {
    yield* op;
  } catch (error) {
    return error as http.ProxyError;
  }
  throw new Error('nothing was thrown');
}

function* got(op: Op<http.Response>) {
  return yield* (yield* op).text();
}

const plain = () => httpServer((request, response) => void response.end(`${request.headers.host} ${request.url}`));

describe('A client with a proxy', () => {
  it('asks it for what is on http:, by the absolute URL, and keeps the connection', async () => {
    const [server, proxy] = [await plain(), await testProxy()];
    const client = clientOf({ proxy: proxy.url });
    await run(function* () {
      for (const path of ['/a?x=1', '/b'])
        expect(yield* got(client.get(server.url + path))).toBe(`127.0.0.1:${server.port} ${path}`);
      const upload = client.post(server.url, { body: ['pie', 'ces'] });
      expect(yield* got(upload)).toBe(`127.0.0.1:${server.port} /`);
      expect(proxy.seen).toEqual([`GET ${server.url}/a?x=1`, `GET ${server.url}/b`, `POST ${server.url}/`]);
      expect(proxy.connections()).toBe(1);
    });
  });

  it('goes through a tunnel to what is on https:, whose certificate is verified', async () => {
    const proxy = await testProxy();
    const client = clientOf({ proxy: proxy.url, tls: { ca } });
    const wary = clientOf({ proxy: proxy.url });
    await run(function* () {
      expect(yield* got(client.get(`${secureUrl}/a`))).toBe('secure /a');
      expect(yield* got(client.get(`${secureUrl}/b`))).toBe('secure /b');
      expect(proxy.seen).toEqual([`CONNECT ${new URL(secureUrl).host}`]);
      expect(yield* caught(wary.get(secureUrl))).toMatchObject({ name: 'TlsError' });
    });
  });

  it('may speak TLS to the proxy itself', async () => {
    const [server, proxy] = [await plain(), await testProxy({ secure: true })];
    const client = clientOf({ proxy: { url: proxy.url, tls: { ca } }, tls: { ca } });
    const wary = clientOf({ proxy: proxy.url, tls: { ca } });
    await run(function* () {
      for (const url of [server.url, secureUrl]) {
        const error = yield* caught(wary.get(url));
        expect(error).toMatchObject({ name: 'TlsError' });
        expect(error.message).toContain(`proxy ${proxy.url}`);
      }
      expect(yield* got(client.get(`${server.url}/a`))).toBe(`127.0.0.1:${server.port} /a`);
      expect(yield* got(client.get(`${secureUrl}/b`))).toBe('secure /b');
      expect(proxy.seen).toHaveLength(2);
    });
  });

  it('sends the user name and password of its URL, to the proxy only, and shows them to nobody', async () => {
    const headers: unknown[] = [];
    const server = await httpServer((request, response) => {
      headers.push(request.headers['proxy-authorization']);
      response.end('ok');
    });
    const proxy = await testProxy({ credentials: 'ada:se cret/ü' });
    const url = `http://ada:${encodeURIComponent('se cret/ü')}@127.0.0.1:${proxy.port}`;
    const client = clientOf({ proxy: url, tls: { ca } });
    const nobody = clientOf({ proxy: proxy.url, tls: { ca } });
    await run(function* () {
      expect(yield* got(client.get(server.url))).toBe('ok');
      expect(yield* got(client.get(secureUrl))).toBe('secure /');
      expect(headers).toEqual([undefined]);
      expect((yield* nobody.get(server.url)).status).toBe(407);
      const error = yield* caught(nobody.get(secureUrl));
      expect(error).toMatchObject({ name: 'ProxyError', code: 'ERR_HTTP_PROXY_AUTH', status: 407, proxy: proxy.url });
      const wrong = clientOf({ proxy: `http://ada:guess@127.0.0.1:${proxy.port}`, tls: { ca } });
      expect((yield* caught(wrong.get(secureUrl))).message).not.toMatch(/ada|guess/);
    });
  });

  it('is told which proxy failed: refused, closed, answered badly, silent', async () => {
    const gone = await testProxy();
    const port = await new Promise<number>((resolve) => {
      const server = createServer();
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo;
        server.close(() => resolve(port));
      });
    });
    const refused = clientOf({ proxy: `http://127.0.0.1:${port}` });
    const answers: [ProxyBehaviour['answer'], RegExp][] = [
      [(socket) => void socket.end(), /closed the connection/],
      [(socket) => void socket.end('SSH-2.0-x\r\n\r\n'), /not HTTP/],
      [(socket) => void socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'), /502 Bad Gateway/],
      [(socket) => void socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`), /too long a head/],
      [(socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\ngarbage'), /data of its own/],
      [() => {}, /did not answer CONNECT within 200 ms/],
    ];
    await run(function* () {
      const error = yield* caught(refused.get(secureUrl));
      expect(error).toMatchObject({ name: 'ConnectError', code: 'ECONNREFUSED' });
      expect(error.message).toContain(`proxy http://127.0.0.1:${port} for ${secureUrl}`);
      expect((yield* caught(refused.get('http://127.0.0.1:1/'))).message).toContain(`proxy http://127.0.0.1:${port}`);
    });
    for (const [answer, message] of answers) {
      const proxy = await testProxy(answer === undefined ? {} : { answer });
      const isSilent = message.source.includes('200 ms');
      const client = clientOf({ proxy: proxy.url, connectTimeoutMs: isSilent ? 200 : 10_000 });
      await run(function* () {
        const error = yield* caught(client.get(secureUrl));
        // On a machine that is too busy, not even the connection to the proxy stands in 200 ms.
        if (isSilent && error.name === 'ConnectError') return;
        expect(error).toMatchObject({ name: 'ProxyError', code: 'ERR_HTTP_PROXY' });
        expect(error.message).toMatch(message);
        expect(error.message).toContain(proxy.url);
        while (proxy.connections() > 0) yield* sleep(1);
      });
    }
    expect(gone.seen).toEqual([]);
  });

  it('F67: can be killed while the tunnel is asked for: the connection to the proxy closes', async () => {
    const proxy = await testProxy({ answer: () => {} });
    const client = clientOf({ proxy: proxy.url });
    await run(function* () {
      const victim = spawn(() => client.get(secureUrl));
      while (proxy.seen.length === 0) yield* sleep(1);
      expect(openHandles().counts).toEqual({ 'http connection': 1 });
      victim.kill();
      expect(openHandles().total).toBe(0);
      yield* victim.join();
      while (proxy.connections() > 0) yield* sleep(1);
    });
  });

  it('goes directly to what noProxy names', async () => {
    const [server, proxy] = [await plain(), await testProxy()];
    const lists: [string, boolean][] = [
      ['*', true],
      ['127.0.0.1', true],
      [`127.0.0.1:${server.port}`, true],
      ['127.0.0.1:1', false],
      ['127.0.0.0/8', true],
      ['10.0.0.0/8', false],
      ['example.test, 127.0.0.1', true],
      ['0.0.1', false],
      ['', false],
    ];
    await run(function* () {
      for (const [noProxy, direct] of lists) {
        const before = proxy.seen.length;
        yield* got(clientOf({ proxy: { url: proxy.url, noProxy } }).get(server.url));
        expect([noProxy, proxy.seen.length === before]).toEqual([noProxy, direct]);
      }
    });
  });

  it('asks the environment only if it is told to, and not in a CGI program', async () => {
    const [server, proxy] = [await plain(), await testProxy()];
    const names = [
      'HTTP_PROXY',
      'http_proxy',
      'HTTPS_PROXY',
      'https_proxy',
      'ALL_PROXY',
      'all_proxy',
      'NO_PROXY',
      'no_proxy',
      'REQUEST_METHOD',
    ];
    const before = names.map((name) => process.env[name]);
    const through = async (
      environment: Record<string, string>,
      options: http.ClientOptions = { proxy: 'environment' },
    ) => {
      for (const name of names) delete process.env[name];
      Object.assign(process.env, environment);
      const client = clientOf(options);
      const { length } = proxy.seen;
      await run(() => got(client.get(server.url)));
      return proxy.seen.length > length;
    };
    const bare = `127.0.0.1:${proxy.port}`;
    try {
      expect(await through({ HTTP_PROXY: proxy.url }, {})).toBe(false);
      expect(await through({ HTTP_PROXY: proxy.url })).toBe(true);
      expect(await through({ http_proxy: bare })).toBe(true);
      expect(await through({ ALL_PROXY: bare })).toBe(true);
      expect(await through({ HTTPS_PROXY: bare })).toBe(false);
      expect(await through({ HTTP_PROXY: bare, NO_PROXY: 'localhost,127.0.0.1' })).toBe(false);
      expect(await through({ HTTP_PROXY: bare, REQUEST_METHOD: 'GET' })).toBe(false);
      expect(await through({ http_proxy: bare, REQUEST_METHOD: 'GET' })).toBe(true);
      process.env.HTTP_PROXY = 'http://user:secret@[';
      delete process.env.http_proxy;
      delete process.env.REQUEST_METHOD;
      expect(() => http.client({ proxy: 'environment' })).toThrow(/HTTP_PROXY/);
    } finally {
      for (const [index, name] of names.entries()) {
        const value = before[index];
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });

  it('refuses what is no proxy at the call', () => {
    for (const proxy of ['nonsense', 'socks5://127.0.0.1:1', 'ftp://x', 5, {}, { url: 'http://x', noProxy: 5 }])
      expect(() => http.client({ proxy: proxy as string })).toThrow(TypeError);
  });
});
