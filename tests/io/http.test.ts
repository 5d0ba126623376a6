// http.test.ts: making requests and taking responses, with servers that behave.
import { Readable } from 'node:stream';
import { http, type Op, openHandles, run, select, sleep, spawn, timeout } from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpServer, rawServer } from './http-servers.ts';

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

const echo = () =>
  httpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          method: request.method,
          url: request.url,
          headers: request.headers,
          body: Buffer.concat(chunks).toString('latin1'),
        }),
      );
    });
  });

interface Echo {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

function* echoed(op: Op<http.Response>) {
  return (yield* (yield* op).json()) as Echo;
}

describe('http.get', () => {
  it('returns status, headers and body', async () => {
    const { url } = await httpServer((_request, response) => {
      response.writeHead(203, 'Fine', { 'X-One': '1', 'set-cookie': ['a=1', 'b=2'] });
      response.end('grüße');
    });
    await run(function* () {
      const response = yield* http.get(`${url}/page?x=1#part`);
      expect(response.status).toBe(203);
      expect(response.statusText).toBe('Fine');
      expect(response.ok).toBe(true);
      expect(response.url).toBe(`${url}/page?x=1`);
      expect(response.headers['x-one']).toBe('1');
      expect(response.headers['set-cookie']).toEqual(['a=1', 'b=2']);
      expect(Object.getPrototypeOf(response.headers)).toBe(null);
      expect(response.rawHeaders.slice(0, 2)).toEqual(['X-One', '1']);
      expect(yield* response.text()).toBe('grüße');
    });
  });

  it('adds query fields, encoded, to those of the URL', async () => {
    const { url } = await echo();
    await run(function* () {
      const query = { b: 'ü &', c: [1, true], d: undefined, e: 'x\r\ny' };
      const seen = yield* echoed(client.get(`${url}/p?a=1`, { query }));
      expect(seen.url).toBe('/p?a=1&b=%C3%BC+%26&c=1&c=true&e=x%0D%0Ay');
      expect((yield* echoed(client.get(new URL(`${url}/p`), { query: {} }))).url).toBe('/p');
    });
  });

  it('sends headers from an object, pairs, a Map or a Headers', async () => {
    const { url } = await echo();
    await run(function* () {
      for (const headers of [
        { 'X-Test': 'välue', 'x-many': ['1', '2'], 'x-none': undefined, 'x-number': 5 },
        [['X-Test', 'välue'] as const, ['x-many', ['1', '2']] as const, ['x-number', '5'] as const],
        new Map<string, string>([
          ['x-test', 'välue'],
          ['x-many', '1, 2'],
          ['x-number', '5'],
        ]),
        new Headers({ 'x-test': 'välue', 'x-many': '1, 2', 'x-number': '5' }),
      ]) {
        const seen = yield* echoed(client.get(url, { headers }));
        expect(seen.headers).toMatchObject({ 'x-test': 'välue', 'x-many': '1, 2', 'x-number': '5' });
        expect(seen.headers).not.toHaveProperty('x-none');
      }
    });
  });

  it('is inert until it is started, and can be started again', async () => {
    const { url, sockets } = await echo();
    await run(function* () {
      const op = client.get(url);
      yield* sleep(5);
      expect(sockets).toHaveLength(0);
      expect((yield* echoed(op)).method).toBe('GET');
      expect((yield* echoed(op)).method).toBe('GET');
      expect(sockets).toHaveLength(1);
    });
  });

  it('is no Waitable, because a request that was killed may have happened', async () => {
    await run(function* () {
      expect(() => select([client.get('http://127.0.0.1/') as never])).toThrow(/race\(\)/);
    });
  });

  it('ignores inherited options', async () => {
    const { url } = await echo();
    await run(function* () {
      const options = Object.create({ headers: { 'x-inherited': '1' }, body: 'inherited' }) as object;
      const seen = yield* echoed(client.get(url, options));
      expect(seen.headers).not.toHaveProperty('x-inherited');
      expect(seen.body).toBe('');
    });
  });
});

describe('http.request', () => {
  it('has a shorthand for each usual method', async () => {
    const { url } = await echo();
    await run(function* () {
      expect((yield* echoed(http.post(url, { body: 'x' }))).method).toBe('POST');
      expect((yield* echoed(http.put(url))).method).toBe('PUT');
      expect((yield* echoed(http.patch(url))).method).toBe('PATCH');
      expect((yield* echoed(http.delete(url))).method).toBe('DELETE');
      expect((yield* echoed(http.request(url, { method: 'options', client }))).method).toBe('OPTIONS');
      const head = yield* http.head(url);
      expect([head.status, yield* head.text()]).toEqual([200, '']);
    });
  });

  it('sends every kind of body', async () => {
    const { url } = await echo();
    const bytes = Uint8Array.from([0, 1, 254, 255]);
    const latin = Buffer.from(bytes).toString('latin1');
    async function* later() {
      yield 'pie';
      yield Buffer.from('ces');
    }
    const kinds: [http.RequestBody, string][] = [
      ['text', 'text'],
      ['', ''],
      [bytes, latin],
      [bytes.buffer, latin],
      [['pie', Buffer.from('ces'), ''], 'pieces'],
      [new Set(['pie', 'ces']), 'pieces'],
      [[], ''],
      [later(), 'pieces'],
      [Readable.from([Buffer.from('pie'), Buffer.from('ces')]), 'pieces'],
      [
        function* (writer: http.BodyWriter) {
          expect(yield* writer.write('pie')).toBe(true);
          yield* sleep(2);
          yield* writer.write('ces');
        },
        'pieces',
      ],
    ];
    await run(function* () {
      for (const [body, seen] of kinds) expect((yield* echoed(client.post(url, { body }))).body).toBe(seen);
      const form = yield* echoed(client.post(url, { body: new URLSearchParams({ a: 'ü' }) }));
      expect(form).toMatchObject({
        body: 'a=%C3%BC',
        headers: { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' },
      });
      const sized = yield* echoed(client.post(url, { body: ['ab', 'c'], headers: { 'content-length': 3 } }));
      expect(sized).toMatchObject({ body: 'abc', headers: { 'content-length': '3' } });
    });
  });

  it('advances an iterable body in the greenlet, as the connection takes it', async () => {
    let seen = 0;
    let draining = false;
    const { url } = await httpServer((request, response) => {
      const drain = (): void => {
        draining = true;
        request.on('data', (chunk: Buffer) => (seen += chunk.length));
        request.on('end', () => response.end('done'));
      };
      setTimeout(drain, 60);
    });
    let made = 0;
    function* pieces() {
      for (; made < 400; made += 1) {
        // More than the kernel takes on its own means that somebody reads.
        if (made * 65_536 > 16 * 1024 * 1024) expect(draining).toBe(true);
        yield Buffer.alloc(65_536);
      }
    }
    await run(function* () {
      const response = yield* client.post(url, { body: pieces() });
      expect(yield* response.text()).toBe('done');
    });
    expect(seen).toBe(400 * 65_536);
  });

  it('throws what the iterable throws, and gives up the connection', async () => {
    const server = await httpServer((request, response) => void request.resume().on('end', () => response.end()));
    const failure = new Error('no more');
    function* pieces() {
      yield 'one';
      throw failure;
    }
    await run(function* () {
      const error = yield* caught(client.post(server.url, { body: pieces() }));
      expect(error).toBe(failure);
      while (server.connections() > 0) yield* sleep(1);
    });
  });

  it('throws TypeError in the greenlet for a piece that is neither text nor bytes', async () => {
    const { url } = await echo();
    await run(function* () {
      expect(yield* caught(client.post(url, { body: [5] as never }))).toBeInstanceOf(TypeError);
      expect(yield* caught(client.post(url, { body: (() => 5) as never }))).toBeInstanceOf(TypeError);
    });
  });

  it('returns an answer that comes before the body was sent, and stops sending', async () => {
    const { url } = await rawServer((socket) => socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno'));
    let made = 0;
    function* pieces() {
      for (; made < 10_000; made += 1) yield Buffer.alloc(65_536);
    }
    await run(function* () {
      const response = yield* client.post(url, { body: pieces() });
      expect(response.status).toBe(413);
      expect(yield* response.text()).toBe('no');
      expect(made).toBeLessThan(10_000);
    });
  });

  it('limits the whole exchange by timeoutMs, also when it is generous', async () => {
    const { url } = await echo();
    await run(function* () {
      expect((yield* echoed(client.get(url, { timeoutMs: 60_000 }))).method).toBe('GET');
      expect((yield* echoed(client.get(url, { timeoutMs: Number.POSITIVE_INFINITY }))).method).toBe('GET');
    });
  });
});

describe('a response', () => {
  it('is read in pieces to its end, which is null again and again', async () => {
    const { url } = await httpServer((_request, response) => void response.end('0123456789'));
    await run(function* () {
      const { body } = yield* client.get(url);
      expect(String(yield* body.read(4))).toBe('0123');
      expect(String(yield* body.read())).toBe('456789');
      expect(yield* body.read()).toBe(null);
      expect(yield* body.read(1)).toBe(null);
    });
  });

  it('is read by lines while it comes', async () => {
    const { url } = await httpServer((_request, response) => {
      response.write('one\ntw');
      setTimeout(() => response.end('o\r\nthree\n'), 5);
    });
    await run(function* () {
      const { body } = yield* client.get(url);
      const lines: string[] = [];
      for (let line = yield* body.readLine(); line !== null; line = yield* body.readLine()) lines.push(line);
      expect(lines).toEqual(['one', 'two', 'three']);
    });
  });

  it('gives what is left as bytes, text without a byte order mark, or JSON', async () => {
    const { url } = await httpServer((_request, response) => void response.end('\ufeff{"a":[1,"ü"]}'));
    await run(function* () {
      expect(yield* (yield* client.get(url)).json()).toEqual({ a: [1, 'ü'] });
      expect(yield* (yield* client.get(url)).text()).toBe('{"a":[1,"ü"]}');
      expect((yield* (yield* client.get(url)).bytes()).subarray(0, 3)).toEqual(Buffer.from('\ufeff'));
      const { body } = yield* client.get(url);
      yield* body.read(5);
      expect(yield* body.text()).toBe('a":[1,"ü"]}');
    });
  });

  it('can be taken as a whole once only', async () => {
    const { url } = await httpServer((_request, response) => void response.end('{}'));
    await run(function* () {
      const response = yield* client.get(url);
      yield* response.text();
      const error = yield* caught(response.json());
      expect(error).toMatchObject({ code: 'ERR_BODY_USED', message: expect.stringContaining('text()') });
    });
  });

  it('throws ParseError for JSON that is none, and BodyTooLargeError for a body over the limit', async () => {
    const server = await httpServer((_request, response) => void response.end('x'.repeat(200_000)));
    await run(function* () {
      expect(yield* caught((yield* client.get(server.url)).json())).toMatchObject({
        name: 'ParseError',
        code: 'ERR_JSON',
      });
      const error = yield* caught((yield* client.get(server.url)).text({ limit: 199_999 }));
      expect(error).toMatchObject({ name: 'BodyTooLargeError', code: 'ERR_BODY_TOO_LARGE', limit: 199_999 });
      expect(yield* (yield* client.get(server.url)).bytes({ limit: 200_000 })).toHaveLength(200_000);
      expect(yield* (yield* client.get(server.url)).bytes({ limit: Number.POSITIVE_INFINITY })).toHaveLength(200_000);
    });
  });

  it('refuses a bad limit or count at the call', async () => {
    const { url } = await httpServer((_request, response) => void response.end());
    await run(function* () {
      const response = yield* client.get(url);
      for (const limit of [-1, 1.5, Number.NaN, '5' as never])
        expect(() => response.text({ limit })).toThrow(RangeError);
      for (const max of [0, -1, 1.5, Number.NaN]) expect(() => response.body.read(max)).toThrow(RangeError);
      expect(yield* response.text()).toBe('');
    });
  });

  it('may be read by another greenlet, also after the one that asked has ended', async () => {
    const { url } = await httpServer((_request, response) => void response.end('x'.repeat(300_000)));
    await run(function* () {
      const response = yield* spawn(() => client.get(url)).get();
      yield* sleep(5);
      expect(yield* response.text()).toHaveLength(300_000);
    });
  });

  it('refuses a second reader with BusyError, and the first one goes on', async () => {
    let finish: () => void = () => {};
    const { url } = await httpServer((_request, response) => {
      response.flushHeaders();
      finish = () => response.end('data');
    });
    await run(function* () {
      const { body } = yield* client.get(url);
      const reader = spawn(() => body.read());
      yield* sleep(1);
      expect(yield* caught(body.read())).toMatchObject({ code: 'ERR_BUSY' });
      finish();
      expect(String(yield* reader.get())).toBe('data');
    });
  });

  it('buffers no more than the mark and a read while nobody reads, and loses nothing', async () => {
    const size = 32 * 1024 * 1024;
    let sent = 0;
    const server = await rawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      const more = (): void => {
        while (sent < size) {
          sent += 65_536;
          if (!socket.write(Buffer.alloc(65_536, (sent / 65_536) % 251))) return;
        }
      };
      socket.on('drain', more);
      more();
    });
    await run(function* () {
      const { body } = yield* client.get(server.url);
      let before = -1;
      while (before !== sent) {
        before = sent;
        yield* sleep(100);
      }
      // What the kernel holds on both sides of a loopback connection is some MiB.
      expect(sent).toBeLessThan(16 * 1024 * 1024);
      const most = (yield* body.read())?.length ?? 0;
      expect(most).toBeGreaterThanOrEqual(65_536);
      expect(most).toBeLessThanOrEqual(256 * 1024);
      let got = most;
      for (let chunk = yield* body.read(); chunk !== null; chunk = yield* body.read()) got += chunk.length;
      expect(got).toBe(size);
    });
  });

  it('closes its connection when it is closed half-way, and keeps it when all has come', async () => {
    const server = await httpServer(
      (request, response) => void response.end('x'.repeat(request.url === '/big' ? 3e7 : 10)),
    );
    await run(function* () {
      const small = yield* client.get(server.url);
      yield* small.text();
      small.close();
      const unread = yield* client.get(server.url);
      while (client.stats().running > 0) yield* sleep(1);
      unread.close();
      expect(yield* caught(unread.text())).toMatchObject({ code: 'ERR_CLOSED' });
      expect(server.sockets).toHaveLength(1);
      const big = yield* client.get(`${server.url}/big`);
      big.close();
      big.close();
      expect(openHandles().total).toBe(0);
      expect(yield* caught(big.body.read())).toMatchObject({ code: 'ERR_CLOSED' });
      yield* (yield* client.get(server.url)).text();
      expect(server.sockets).toHaveLength(2);
    });
  });

  it('has trailers once its body has ended', async () => {
    const { url } = await httpServer((_request, response) => {
      response.writeHead(200, { Trailer: 'x-sum' });
      response.write('data');
      response.addTrailers({ 'X-Sum': '42' });
      response.end();
    });
    await run(function* () {
      const response = yield* client.get(url);
      yield* response.text();
      expect({ ...response.trailers }).toEqual({ 'x-sum': '42' });
    });
  });

  it('has no body after HEAD, 204 and 304, whatever the headers say', async () => {
    const { url } = await httpServer((request, response) => {
      const status = Number(request.url?.slice(1));
      response.writeHead(status, status === 200 ? { 'content-length': 5 } : {});
      response.end();
    });
    await run(function* () {
      expect(yield* (yield* client.head(`${url}/200`)).text()).toBe('');
      expect(yield* (yield* client.get(`${url}/204`)).text()).toBe('');
      expect(yield* (yield* client.get(`${url}/304`)).text()).toBe('');
    });
  });

  it('ignores informational responses before it', async () => {
    const { url } = await rawServer((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(3));
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    await run(function* () {
      const response = yield* client.get(url);
      expect([response.status, yield* response.text()]).toEqual([200, 'ok']);
    });
  });

  it('has a map of headers that a header named __proto__ cannot touch', async () => {
    const { url } = await rawServer((socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\n__proto__: x\r\nconstructor: y\r\nA: 1\r\na: 2\r\nETag: e1\r\nETag: e2\r\nContent-Length: 0\r\n\r\n',
      ),
    );
    await run(function* () {
      const { headers } = yield* client.get(url);
      expect({ ...headers }).toEqual({ constructor: 'y', a: '1, 2', etag: 'e1', 'content-length': '0' });
    });
  });
});

describe('http under load', () => {
  it('serves a thousand greenlets over ten connections, each its own answer', async () => {
    const server = await httpServer((request, response) => void response.end(`page ${request.url}`));
    await run(function* () {
      const all = Array.from({ length: 1000 }, (_, index) =>
        spawn(function* () {
          const response = yield* client.get(`${server.url}/${index}`);
          return yield* response.text();
        }),
      );
      for (const [index, greenlet] of all.entries()) expect(yield* greenlet.get()).toBe(`page /${index}`);
    });
    expect(server.sockets.length).toBeLessThanOrEqual(10);
  });

  it('lets timers and others run meanwhile', async () => {
    const { url } = await httpServer((_request, response) => void setTimeout(() => response.end('late'), 20));
    await run(function* () {
      const response = yield* timeout(5_000, client.get(url));
      expect(yield* response.text()).toBe('late');
    });
  });
});

function* caught(op: Op<unknown>) {
  try {
    yield* op;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
