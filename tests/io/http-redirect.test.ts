// http-redirect.test.ts: redirects: which are followed and how, what is not sent along, and where it ends.
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { http, type Op, openHandles, run, sleep, spawn, TimeoutError } from 'tendril';
import { CookieJar } from 'tough-cookie';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ca, server as identity } from './certificates.ts';
import { httpServer, rawServer } from './http-servers.ts';

let client: http.Client;
beforeEach(() => {
  client = new http.Client();
});
afterEach(() => {
  client.close();
  expect(openHandles().total).toBe(0);
  expect(client.stats()).toEqual({ running: 0, origins: {} });
});

function* caught(op: Op<unknown>) {
  try {
    yield* op;
  } catch (error) {
    return error as http.RedirectError;
  }
  throw new Error('nothing was thrown');
}

interface Seen {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** Redirects `/from?status=&to=`; answers everything else with what it saw. */
const site = () =>
  httpServer((request, response) => {
    const { searchParams, pathname } = new URL(request.url as string, 'http://x');
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      if (pathname === '/from') {
        response.writeHead(Number(searchParams.get('status')), {
          location: searchParams.get('to') as string,
          'set-cookie': 'on-the-way=1',
        });
        response.end('elsewhere');
      } else if (pathname.startsWith('/count/')) {
        const left = Number(pathname.slice(7));
        if (left === 0) response.end('there');
        else response.writeHead(302, { location: `/count/${left - 1}` }).end();
      } else {
        const { method, url, headers } = request;
        response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }));
      }
    });
  });

function from(url: string, status: number, to: string): string {
  return `${url}/from?status=${status}&to=${encodeURIComponent(to)}`;
}

function* seen(op: Op<http.Response>) {
  return (yield* (yield* op).json()) as Seen;
}

describe('A redirect', () => {
  it('is followed by the rules of methods and bodies', async () => {
    const { url } = await site();
    const cases: [string, number, string, string][] = [
      ['GET', 301, 'GET', ''],
      ['HEAD', 302, 'HEAD', ''],
      ['POST', 301, 'GET', ''],
      ['POST', 302, 'GET', ''],
      ['PUT', 302, 'PUT', 'text'],
      ['DELETE', 301, 'DELETE', ''],
      ['POST', 303, 'GET', ''],
      ['PUT', 303, 'GET', ''],
      ['HEAD', 303, 'HEAD', ''],
      ['POST', 307, 'POST', 'text'],
      ['PUT', 308, 'PUT', 'text'],
    ];
    await run(function* () {
      for (const [method, status, next, arrives] of cases) {
        const body = method === 'POST' || method === 'PUT' ? 'text' : undefined;
        const headers = body === undefined ? {} : { 'content-type': 'text/x', 'x-mine': '1' };
        const response = yield* client.request(from(url, status, '/to?x=1#part'), { method, body, headers });
        expect([method, status, response.status, response.url]).toEqual([method, status, 200, `${url}/to?x=1`]);
        expect(response.redirects).toEqual([from(url, status, '/to?x=1#part')]);
        if (next === 'HEAD') continue;
        const got = (yield* response.json()) as Seen;
        expect([method, status, got.method, got.body]).toEqual([method, status, next, arrives]);
        expect(got.headers['content-type']).toBe(arrives === '' ? undefined : 'text/x');
        if (body !== undefined) expect(got.headers['x-mine']).toBe('1');
      }
    });
  });

  it('sends a body in pieces again if it can be made again, and is an error if it cannot', async () => {
    const { url } = await site();
    await run(function* () {
      const body = function* (writer: http.BodyWriter) {
        yield* writer.write('pie');
        yield* writer.write('ces');
      };
      expect(yield* seen(client.post(from(url, 307, '/to'), { body }))).toMatchObject({
        method: 'POST',
        body: 'pieces',
      });
      expect(yield* seen(client.post(from(url, 308, '/to'), { multipart: { a: new Blob(['x']) } }))).toMatchObject({
        body: expect.stringContaining('name="a"'),
      });
      const once = yield* caught(client.post(from(url, 307, '/to'), { body: Readable.from(['x']) }));
      expect(once).toMatchObject({ name: 'RedirectError', code: 'ERR_HTTP_BODY_NOT_REPLAYABLE' });
      expect(yield* seen(client.post(from(url, 303, '/to'), { body: Readable.from(['x']) }))).toMatchObject({
        body: '',
      });
    });
  });

  it('keeps its connection', async () => {
    const server = await site();
    await run(function* () {
      expect(yield* (yield* client.get(`${server.url}/count/5`)).text()).toBe('there');
      expect(server.sockets).toHaveLength(1);
    });
  });

  it('does not take credentials to another origin, and does within one', async () => {
    const [one, two] = [await site(), await site()];
    const headers = {
      authorization: 'secret',
      cookie: 'a=1',
      'proxy-authorization': 'p',
      host: 'name.test',
      'x-mine': '1',
    };
    await run(function* () {
      const abroad = yield* seen(client.get(from(one.url, 302, `${two.url}/to`), { headers }));
      expect(abroad.headers).toMatchObject({ 'x-mine': '1', host: `127.0.0.1:${two.port}` });
      for (const name of ['authorization', 'cookie', 'proxy-authorization'])
        expect(abroad.headers).not.toHaveProperty(name);
      const home = yield* seen(client.get(from(one.url, 302, '/to'), { headers }));
      expect(home.headers).toMatchObject({ authorization: 'secret', cookie: 'a=1', host: 'name.test' });
      // Not even when it comes back.
      const back = from(two.url, 302, from(one.url, 302, '/to'));
      const returned = yield* seen(client.get(from(one.url, 302, back), { headers }));
      expect(returned.headers).not.toHaveProperty('authorization');
    });
  });

  it('keeps the cookies that it sets, in a jar', async () => {
    const { url } = await site();
    const cookies = new CookieJar();
    await run(function* () {
      const got = yield* seen(client.get(from(url, 302, '/to'), { cookies }));
      expect(got.headers.cookie).toBe('on-the-way=1');
    });
  });

  it('is returned as it is with {redirects: 0} or false, and without a location', async () => {
    const { url } = await site();
    const bare = await httpServer((_request, response) => void response.writeHead(302).end('nowhere'));
    await run(function* () {
      for (const redirects of [0, false, { limit: 0 }]) {
        const response = yield* client.get(from(url, 302, '/to'), { redirects });
        expect([response.status, response.headers.location, yield* response.text()]).toEqual([302, '/to', 'elsewhere']);
        expect(response.redirects).toEqual([]);
      }
      expect((yield* client.get(bare.url)).status).toBe(302);
      const never = http.client({ redirects: false });
      expect((yield* never.get(from(url, 302, '/to'))).status).toBe(302);
      never.close();
    });
  });

  it('is followed 5 times by default, as often as is said, and then is an error with the chain', async () => {
    const { url } = await site();
    await run(function* () {
      expect(yield* (yield* client.get(`${url}/count/5`)).text()).toBe('there');
      const error = yield* caught(client.get(`${url}/count/6`));
      expect(error).toMatchObject({ name: 'RedirectError', code: 'ERR_HTTP_TOO_MANY_REDIRECTS' });
      expect(error.chain).toEqual([6, 5, 4, 3, 2, 1, 0].map((left) => `${url}/count/${left}`));
      expect(error.message).toContain(`${url}/count/0`);
      expect(yield* (yield* client.get(`${url}/count/12`, { redirects: 12 })).text()).toBe('there');
      expect(yield* caught(client.get(`${url}/count/2`, { redirects: { limit: 1 } }))).toMatchObject({
        code: 'ERR_HTTP_TOO_MANY_REDIRECTS',
      });
    });
  });

  it('in a circle is an error with the chain', async () => {
    const server = await httpServer((request, response) => {
      response.writeHead(302, { location: request.url === '/a' ? '/b' : '/a' }).end();
    });
    await run(function* () {
      const error = yield* caught(client.get(`${server.url}/a`));
      expect(error).toMatchObject({ code: 'ERR_HTTP_REDIRECT_LOOP' });
      expect(error.chain).toEqual(['/a', '/b', '/a'].map((path) => server.url + path));
    });
  });

  it('to where nothing can be sent is an error: no URL, another protocol, a password in it', async () => {
    const { url } = await site();
    await run(function* () {
      for (const to of [
        'http://[',
        'ftp://127.0.0.1/',
        'http://u:p@127.0.0.1/',
        'javascript:alert(1)',
        'http://127.0.0.1:99999/',
      ])
        expect(yield* caught(client.get(from(url, 302, to)))).toMatchObject({ code: 'ERR_HTTP_BAD_REDIRECT' });
    });
  });

  it('F72: with line ends or bytes beyond ASCII in its location begins no header: they are encoded', async () => {
    const heads: string[] = [];
    const server = await rawServer((socket, head, index) => {
      heads.push(head);
      const locations = ['/a b\tx', '/ü€', '//127.0.0.1:PORT/x\u0080y'];
      const location = Buffer.from(locations[index]?.replace('PORT', String(server.port)) ?? '').toString('latin1');
      if (index < locations.length)
        socket.write(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`, 'latin1');
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    await run(function* () {
      expect(yield* (yield* client.get(server.url)).text()).toBe('ok');
    });
    expect(heads.map((head) => head.split('\r\n')[0])).toEqual([
      'GET / HTTP/1.1',
      'GET /a%20bx HTTP/1.1',
      'GET /%C3%BC%E2%82%AC HTTP/1.1',
      'GET /x%C2%80y HTTP/1.1',
    ]);
  });

  it('from https: to http: is refused unless it is allowed', async () => {
    const plain = await site();
    const secure = createServer(identity, (_request, response) => {
      response.writeHead(302, { location: `${plain.url}/to` }).end();
    });
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
    const { port } = secure.address() as AddressInfo;
    const trusting = http.client({ tls: { ca } });
    await run(function* () {
      const error = yield* caught(trusting.get(`https://127.0.0.1:${port}/`));
      expect(error).toMatchObject({ code: 'ERR_HTTP_REDIRECT_DOWNGRADE' });
      expect(plain.sockets).toHaveLength(0);
      const redirects = { allowDowngrade: true };
      expect((yield* trusting.get(`https://127.0.0.1:${port}/`, { redirects })).status).toBe(200);
    });
    trusting.close();
    secure.close();
  });

  it('with an endless body costs its connection only', async () => {
    const server = await httpServer((request, response) => {
      if (request.url === '/to') return void response.end('there');
      response.writeHead(302, { location: '/to' });
      // In turns of the event loop: nothing else would get to run otherwise.
      const timer = setInterval(() => response.write(Buffer.alloc(65_536)), 1);
      response.on('close', () => clearInterval(timer));
    });
    await run(function* () {
      expect(yield* (yield* client.get(server.url)).text()).toBe('there');
      expect(server.sockets).toHaveLength(2);
    });
  });

  it('F67: can be killed and time out on the way: timeoutMs holds for all of it', async () => {
    const server = await httpServer((request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/never' }).end();
    });
    await run(function* () {
      const victim = spawn(() => client.get(server.url));
      while (client.stats().running === 0 || server.sockets.length === 0) yield* sleep(1);
      yield* sleep(20);
      victim.kill();
      yield* victim.join();
      expect(openHandles().total).toBe(0);
      const startedAt = performance.now();
      expect(yield* caught(client.get(server.url, { timeoutMs: 100 }))).toBeInstanceOf(TimeoutError);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      expect(openHandles().total).toBe(0);
      while (server.connections() > 0) yield* sleep(1);
    });
  });

  it('refuses bad options at the call', () => {
    const get = (redirects: unknown) => () => client.get('http://127.0.0.1:1/', { redirects: redirects as number });
    expect(get(-1)).toThrow(RangeError);
    expect(get(1.5)).toThrow(RangeError);
    expect(get('5')).toThrow(TypeError);
    expect(get({ allowDowngrade: 1 })).toThrow(TypeError);
  });
});
