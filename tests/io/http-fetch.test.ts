// http-fetch.test.ts: http.fetch takes and gives what the web's fetch does, and is an Op: a kill aborts it.
import { Buffer } from 'node:buffer';
import zlib from 'node:zlib';
import { http, isKilled, type Op, openHandles, run, sleep, spawn, TimeoutError, timeout, until } from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpServer } from './http-servers.ts';

let client: http.Client;
beforeEach(() => {
  client = new http.Client();
});
afterEach(() => {
  client.close();
  http.closeIdle();
  expect(openHandles().total).toBe(0);
  expect(client.stats()).toEqual({ running: 0, origins: {} });
});

function* caught(op: Op<unknown>) {
  try {
    yield* op;
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error('nothing was thrown');
}

interface Seen {
  method: string;
  headers: Record<string, string>;
  body: string;
}

const site = () =>
  httpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/moved') return void response.writeHead(307, { location: '/there' }).end();
      if (request.url === '/circle') return void response.writeHead(302, { location: '/circle' }).end();
      if (request.url === '/empty') return void response.writeHead(204).end();
      if (request.url === '/never') return;
      if (request.url === '/half') return void response.write('half');
      if (request.url === '/zip')
        return void response.setHeader('content-encoding', 'gzip').end(zlib.gzipSync('unzipped'));
      response.setHeader('set-cookie', ['a=1', 'b=2']).setHeader('content-type', 'application/json');
      response.statusCode = request.url === '/missing' ? 404 : 200;
      response.end(
        JSON.stringify({ method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString() }),
      );
    });
  });

function* seenBy(op: Op<globalThis.Response>) {
  const response = yield* op;
  return (yield* until(response.json())) as Seen;
}

describe('http.fetch', () => {
  it('gives a Response of the web', async () => {
    const { url } = await site();
    await run(function* () {
      const response = yield* http.fetch(`${url}/page`);
      expect(response).toBeInstanceOf(Response);
      expect(response).toMatchObject({
        status: 200,
        ok: true,
        statusText: 'OK',
        url: `${url}/page`,
        redirected: false,
      });
      expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
      expect(response.headers.get('content-type')).toBe('application/json');
      expect(((yield* until(response.json())) as Seen).headers.accept).toBe('*/*');
      expect(response.bodyUsed).toBe(true);
      const missing = yield* http.fetch(`${url}/missing`);
      expect([missing.status, missing.ok]).toEqual([404, false]);
      yield* until(missing.body?.cancel() ?? Promise.resolve());
      expect(yield* until((yield* http.fetch(`${url}/zip`)).text())).toBe('unzipped');
      expect((yield* http.fetch(`${url}/empty`)).body).toBe(null);
      expect((yield* http.fetch(url, { method: 'HEAD' })).body).toBe(null);
    });
  });

  it('takes a URL, a Request, and every kind of body', async () => {
    const { url } = await site();
    const form = new FormData();
    form.append('field', 'value');
    await run(function* () {
      const request = new Request(url, { method: 'PUT', body: 'text', headers: { 'x-mine': '1' } });
      expect(yield* seenBy(http.fetch(request))).toMatchObject({
        method: 'PUT',
        body: 'text',
        headers: { 'x-mine': '1' },
      });
      expect(yield* seenBy(http.fetch(new URL(url), { client }))).toMatchObject({ method: 'GET' });
      const bodies: [NonNullable<RequestInit['body']>, string | RegExp][] = [
        ['text', 'text'],
        [new URLSearchParams('a=1'), 'a=1'],
        [new Blob(['blob'], { type: 'text/x' }), 'blob'],
        [new TextEncoder().encode('bytes'), 'bytes'],
        [new Blob(['stream']).stream(), 'stream'],
        [form, /name="field"\r\n\r\nvalue/],
      ];
      for (const [body, arrives] of bodies) {
        const seen = yield* seenBy(http.fetch(url, { method: 'POST', body, duplex: 'half' } as RequestInit));
        expect(seen.body).toMatch(arrives);
      }
    });
  });

  it('follows redirects, shows them, or refuses them', async () => {
    const { url } = await site();
    await run(function* () {
      const followed = yield* http.fetch(`${url}/moved`, { method: 'POST', body: 'again' });
      expect(followed).toMatchObject({ status: 200, redirected: true, url: `${url}/there` });
      expect(yield* until(followed.json())).toMatchObject({ method: 'POST', body: 'again' });
      const shown = yield* http.fetch(`${url}/moved`, { redirect: 'manual' });
      expect([shown.status, shown.headers.get('location')]).toEqual([307, '/there']);
      expect(yield* caught(http.fetch(`${url}/moved`, { redirect: 'error' }))).toMatchObject({ name: 'RedirectError' });
      expect(yield* caught(http.fetch(`${url}/circle`))).toMatchObject({ name: 'RedirectError' });
    });
  });

  it('is aborted by its signal: before, while it waits, and in the body', async () => {
    const server = await site();
    await run(function* () {
      const reason = new Error('changed my mind');
      expect(yield* caught(http.fetch(server.url, { signal: AbortSignal.abort(reason) }))).toBe(reason);
      const waiting = new AbortController();
      const asked = spawn(() => caught(http.fetch(`${server.url}/never`, { client, signal: waiting.signal })));
      while (server.sockets.length === 0) yield* sleep(1);
      waiting.abort(reason);
      expect(yield* asked.get()).toBe(reason);
      const reading = new AbortController();
      const response = yield* http.fetch(`${server.url}/half`, { client, signal: reading.signal });
      const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
      expect(Buffer.from((yield* until(reader.read())).value ?? []).toString()).toBe('half');
      const next = reader.read();
      reading.abort(reason);
      expect(yield* caught(until(next))).toBe(reason);
      while (server.connections() > 0) yield* sleep(1);
      expect(openHandles().total).toBe(0);
    });
  });

  it('F67: is aborted by a kill and a timeout: the connection closes', async () => {
    const server = await site();
    await run(function* () {
      const victim = spawn(() => http.fetch(`${server.url}/never`, { client }));
      while (server.sockets.length === 0) yield* sleep(1);
      yield* sleep(5);
      victim.kill();
      yield* victim.join();
      expect(isKilled((yield* caught(victim.get())).cause)).toBe(true);
      expect(openHandles().total).toBe(0);
      expect(yield* caught(timeout(20, http.fetch(`${server.url}/never`, { client })))).toBeInstanceOf(TimeoutError);
      expect(openHandles().total).toBe(0);
      while (server.connections() > 0) yield* sleep(1);
    });
  });

  it('gives up the connection when the body is cancelled', async () => {
    const server = await site();
    await run(function* () {
      const response = yield* http.fetch(`${server.url}/half`, { client });
      yield* until(response.body?.cancel() ?? Promise.resolve());
      while (server.connections() > 0) yield* sleep(1);
    });
  });

  it('refuses at the call what fetch refuses', () => {
    for (const call of [
      () => http.fetch('/relative'),
      () => http.fetch('http://u:p@127.0.0.1/'),
      () => http.fetch('ftp://127.0.0.1/'),
      () => http.fetch('http://127.0.0.1/', { method: 'TRACE' }),
      () => http.fetch('http://127.0.0.1/', { body: 'x' }),
      () => http.fetch('http://127.0.0.1/', { headers: { a: 'x\r\ny' } }),
    ])
      expect(call).toThrow(TypeError);
  });
});
