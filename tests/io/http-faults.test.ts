// http-faults.test.ts: servers that misbehave and callers that ask for what may not be sent: each a clear error in the right greenlet.
import { createServer } from 'node:net';
import { http, type Op, openHandles, run, sleep, spawn } from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpServer, rawServer } from './http-servers.ts';

let client: http.Client;
beforeEach(() => {
  client = new http.Client();
});
afterEach(async () => {
  // A failed exchange closes its connection in the same moment as it fails, or in the next microtask.
  await Promise.resolve();
  const left = openHandles();
  client.close();
  expect(left.total - openHandles().total, left.names.join()).toBeLessThanOrEqual(1);
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

/** The error of reading the whole of `answer`, sent to a GET. */
async function errorOf(answer: string, then: 'end' | 'reset' | 'stay' = 'end') {
  const server = await rawServer((socket) => {
    socket.write(answer, 'latin1', () => {
      if (then === 'end') socket.end();
      // Later than what was written before it, which a reset would overtake.
      else if (then === 'reset') setTimeout(() => socket.resetAndDestroy(), 20);
    });
  });
  return run(function* () {
    return yield* caught({
      *[Symbol.iterator]() {
        const response = yield* client.get(`${server.url}/page`);
        yield* response.text();
      },
    });
  });
}

describe('a request that cannot be made', () => {
  it('ends in ConnectError when the connection is refused, with code, address and peer', async () => {
    const port = await freePort();
    await run(function* () {
      const error = yield* caught(client.get(`http://127.0.0.1:${port}/`));
      expect(error).toMatchObject({
        name: 'ConnectError',
        code: 'ECONNREFUSED',
        attempts: [{ address: `127.0.0.1:${port}`, code: 'ECONNREFUSED' }],
      });
      expect(error.message).toContain(`http://127.0.0.1:${port}`);
      expect(error.stack).toContain('http-faults.test.ts');
      expect(yield* caught(client.get(`http://localhost:${port}/`))).toMatchObject({
        name: 'ConnectError',
        code: 'ECONNREFUSED',
      });
    });
  });

  it('ends in DnsError for a host that does not exist', async () => {
    await run(function* () {
      expect(yield* caught(client.get('http://no-such-host.invalid/'))).toMatchObject({
        name: 'DnsError',
        code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/),
        host: 'no-such-host.invalid',
      });
    });
  });

  it('fails each of many that wait for the same dead server, and leaves nothing', async () => {
    const port = await freePort();
    await run(function* () {
      const all = Array.from({ length: 100 }, () => spawn(() => caught(client.get(`http://127.0.0.1:${port}/`))));
      for (const greenlet of all) expect(yield* greenlet.get()).toMatchObject({ code: 'ECONNREFUSED' });
    });
    expect(openHandles().total).toBe(0);
  });

  it('ends in an error for TLS spoken to a server without it', async () => {
    const server = await rawServer((socket) => socket.end());
    const reset = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad\r\n\r\n'));
    await new Promise<void>((resolve) => reset.listen(0, '127.0.0.1', resolve));
    const { port } = reset.address() as { port: number };
    await run(function* () {
      expect(yield* caught(client.get(`https://127.0.0.1:${port}/`))).toMatchObject({
        name: 'TlsError',
        code: expect.stringMatching(/^(ERR_SSL_|EPROTO)/),
      });
    });
    reset.close();
    expect(server.sockets).toHaveLength(0);
  });
});

describe('what a caller may not send', () => {
  const url = 'http://127.0.0.1:1/';
  const cases: [string, () => unknown, string][] = [
    ['CR LF in the path', () => http.get(`${url}a\r\nHost: evil`), 'ERR_UNESCAPED_CHARACTERS'],
    ['a tab in the path, which the URL parser would drop', () => http.get(`${url}a\tb`), 'ERR_UNESCAPED_CHARACTERS'],
    ['NUL in the path', () => http.get(`${url}a\0b`), 'ERR_UNESCAPED_CHARACTERS'],
    ['a path beyond latin-1', () => http.get(`${url}€`), 'ERR_UNESCAPED_CHARACTERS'],
    ['CR LF in the host', () => http.get('http://a\r\nb/'), 'ERR_UNESCAPED_CHARACTERS'],
    ['no URL', () => http.get('/path'), 'ERR_INVALID_URL'],
    ['a port of 70000', () => http.get('http://127.0.0.1:70000/'), 'ERR_INVALID_URL'],
    ['another protocol', () => http.get('ftp://127.0.0.1/'), 'ERR_INVALID_PROTOCOL'],
    ['a password in the URL', () => http.get('http://user:pass@127.0.0.1/'), 'ERR_INVALID_URL'],
    ['no string', () => http.get(5 as never), 'ERR_INVALID_ARG_TYPE'],
    ['CR LF in a header', () => http.get(url, { headers: { a: 'x\r\nb: y' } }), 'ERR_INVALID_CHAR'],
    ['LF in a header', () => http.get(url, { headers: { a: 'x\ny' } }), 'ERR_INVALID_CHAR'],
    ['NUL in a header', () => http.get(url, { headers: { a: 'x\0' } }), 'ERR_INVALID_CHAR'],
    ['a header beyond latin-1', () => http.get(url, { headers: { a: '€' } }), 'ERR_INVALID_CHAR'],
    ['CR LF in one of many values', () => http.get(url, { headers: { a: ['x', 'y\r\n'] } }), 'ERR_INVALID_CHAR'],
    ['CR LF in a cookie', () => http.get(url, { headers: { cookie: 'a=1\r\nb: c' } }), 'ERR_INVALID_CHAR'],
    ['CR LF in the host header', () => http.get(url, { headers: { host: 'a\r\nb' } }), 'ERR_INVALID_CHAR'],
    ['CR LF in a header name', () => http.get(url, { headers: { 'a\r\nb': 'x' } }), 'ERR_INVALID_HTTP_TOKEN'],
    ['an empty header name', () => http.get(url, { headers: { '': 'x' } }), 'ERR_INVALID_HTTP_TOKEN'],
    ['a header name with a space', () => http.get(url, { headers: { 'a b': 'x' } }), 'ERR_INVALID_HTTP_TOKEN'],
    ['a header __proto__', () => http.get(url, { headers: JSON.parse('{"__proto__":"x"}') }), 'ERR_INVALID_HTTP_TOKEN'],
    ['an object as a header', () => http.get(url, { headers: { a: {} as never } }), 'ERR_INVALID_ARG_TYPE'],
    ['headers that are no pairs', () => http.get(url, { headers: ['a', 'b'] as never }), 'ERR_INVALID_ARG_TYPE'],
    [
      'transfer-encoding',
      () => http.get(url, { headers: { 'Transfer-Encoding': 'chunked' } }),
      'ERR_INVALID_ARG_VALUE',
    ],
    ['an upgrade', () => http.get(url, { headers: { upgrade: 'websocket' } }), 'ERR_INVALID_ARG_VALUE'],
    [
      'a connection header that names others',
      () => http.get(url, { headers: { connection: 'x-secret' } }),
      'ERR_INVALID_ARG_VALUE',
    ],
    [
      'a content-length that is none',
      () => http.post(url, { headers: { 'content-length': '+5' } }),
      'ERR_INVALID_ARG_VALUE',
    ],
    [
      'two content-lengths',
      () =>
        http.post(url, {
          headers: [
            ['Content-Length', '1'],
            ['content-length', '2'],
          ],
        }),
      'ERR_INVALID_ARG_VALUE',
    ],
    ['two hosts', () => http.get(url, { headers: { host: ['a', 'b'] } }), 'ERR_INVALID_ARG_VALUE'],
    ['CR LF in the method', () => http.request(url, { method: 'GET / HTTP/1.1\r\n' }), 'ERR_INVALID_HTTP_TOKEN'],
    ['an empty method', () => http.request(url, { method: '' }), 'ERR_INVALID_HTTP_TOKEN'],
    ['CONNECT', () => http.request(url, { method: 'connect' }), 'ERR_INVALID_ARG_VALUE'],
    [
      'a query field __proto__',
      () => http.get(url, { query: JSON.parse('{"__proto__":"x"}') }),
      'ERR_INVALID_ARG_VALUE',
    ],
    ['an object in the query', () => http.get(url, { query: { a: {} as never } }), 'ERR_INVALID_ARG_TYPE'],
  ];
  it.each(cases)('F72: is a TypeError at the call: %s', (_name, call, code) => {
    expect(call).toThrow(expect.objectContaining({ name: 'TypeError', code }));
  });

  it('is a TypeError at the call: a body of a wrong kind or length, a timeout that is no number, a client that is none', () => {
    expect(() => http.post(url, { body: 5 as never })).toThrow(TypeError);
    expect(() => http.post(url, { body: { a: 1 } as never })).toThrow(TypeError);
    expect(() => http.post(url, { body: 'four', headers: { 'content-length': 3 } })).toThrow(TypeError);
    expect(() => http.get(url, { timeoutMs: Number.NaN })).toThrow(TypeError);
    expect(() => http.get(url, { timeoutMs: '5' as never })).toThrow(TypeError);
    expect(() => http.get(url, { client: {} as never })).toThrow(TypeError);
    expect(() => http.get(url, 5 as never)).toThrow(TypeError);
    expect(() => new http.Client({ connections: 0 })).toThrow(RangeError);
    expect(() => new http.Client({ idleTimeoutMs: Number.NaN })).toThrow(RangeError);
  });

  it('is an HttpError in the greenlet when the pieces do not add up to the content-length', async () => {
    const server = await httpServer((request, response) => void request.resume().on('end', () => response.end()));
    await run(function* () {
      for (const body of [['ab'], ['ab', 'cd']]) {
        expect(yield* caught(client.post(server.url, { body, headers: { 'content-length': 3 } }))).toMatchObject({
          name: 'HttpError',
          code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
        });
      }
    });
  });
});

describe('a response that is cut', () => {
  const head = 'HTTP/1.1 200 OK\r\n';
  const cases: [string, string, 'end' | 'reset'][] = [
    ['before its head, by an end', '', 'end'],
    ['before its head, by a reset', '', 'reset'],
    ['in its head, by an end', `${head}Content-Le`, 'end'],
    ['in its head, by a reset', `${head}Content-Le`, 'reset'],
    ['before its Content-Length, by an end', `${head}Content-Length: 10\r\n\r\n12345`, 'end'],
    ['before its Content-Length, by a reset', `${head}Content-Length: 10\r\n\r\n12345`, 'reset'],
    [
      'before its Content-Length, by an end that was announced',
      `${head}Connection: close\r\nContent-Length: 10\r\n\r\n12345`,
      'end',
    ],
    [
      'before its Content-Length, by a reset after an announced end',
      `${head}Connection: close\r\nContent-Length: 10\r\n\r\n12345`,
      'reset',
    ],
    ['in a chunk, by an end', `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n123`, 'end'],
    ['in a chunk, by a reset', `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n123`, 'reset'],
    [
      'between chunks, by an announced end',
      `${head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n`,
      'end',
    ],
    ['by a reset, when only the end of the connection says where it ends', `${head}\r\n12345`, 'reset'],
  ];
  it.each(cases)('F68: is an IncompleteBodyError, never a short success: %s', async (_name, answer, then) => {
    const error = await errorOf(answer, then);
    expect(error).toMatchObject({ name: 'IncompleteBodyError', code: 'ERR_INCOMPLETE_BODY' });
    expect(error.message).toContain('/page');
    expect(error.cause).toBeInstanceOf(Error);
  });

  it('is read to where it was cut before the error, and the error comes again', async () => {
    const server = await rawServer((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345'));
    await run(function* () {
      const { body } = yield* client.get(server.url);
      expect(String(yield* body.read())).toBe('12345');
      expect(yield* caught(body.read())).toMatchObject({ code: 'ERR_INCOMPLETE_BODY', received: 5 });
      expect(yield* caught(body.text())).toMatchObject({ code: 'ERR_INCOMPLETE_BODY' });
    });
  });

  it('is complete when the connection ends it, as it is without a length', async () => {
    const server = await rawServer((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it'));
    await run(function* () {
      expect(yield* (yield* client.get(server.url)).text()).toBe('all of it');
    });
  });

  it('is no cut response if all of it had been sent before the end, although nobody read it then', async () => {
    const body = Buffer.alloc(1_000_000, 'x');
    const server = await rawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.end(body);
    });
    await run(function* () {
      const response = yield* client.get(server.url);
      yield* sleep(50);
      expect(yield* response.bytes()).toHaveLength(body.length);
    });
  });

  it.each(['end', 'reset'] as const)(
    'ends in an error, not in a crash, by %s while nobody reads and more than the mark has come',
    async (how) => {
      const server = await rawServer((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9000000\r\n\r\n`);
        socket.write(Buffer.alloc(65_536 * 3), () => {
          if (how === 'end') socket.end();
          else socket.resetAndDestroy();
        });
      });
      await run(function* () {
        const { body } = yield* client.get(server.url);
        yield* sleep(50);
        let received = 0;
        const error = yield* caught({
          *[Symbol.iterator]() {
            for (let chunk = yield* body.read(); chunk !== null; chunk = yield* body.read()) received += chunk.length;
          },
        });
        expect(error).toMatchObject({ code: 'ERR_INCOMPLETE_BODY' });
        expect(received).toBeGreaterThan(0);
      });
    },
  );
});

describe('what is not HTTP', () => {
  const head = 'HTTP/1.1 200 OK\r\n';
  const cases: [string, string][] = [
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a status that is no number', 'HTTP/1.1 OK\r\n\r\n'],
    ['length and chunks at once', `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two lengths', `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345`],
    ['a length with a sign', `${head}Content-Length: +5\r\n\r\n12345`],
    ['a length in hexadecimal', `${head}Content-Length: 0x5\r\n\r\n12345`],
    ['a space before a colon', `${head}Content-Length : 5\r\n\r\n12345`],
    ['a bare LF in the head', `HTTP/1.1 200 OK\nContent-Length: 0\n\n`],
    ['a bare LF between headers', `${head}A: 1\nContent-Length: 5\r\n\r\n12345`],
    ['a bare CR in a header', `${head}A: 1\rX: 2\r\nContent-Length: 0\r\n\r\n`],
    ['a folded header', `${head}A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n`],
    ['NUL in a header', `${head}A: \0\r\nContent-Length: 0\r\n\r\n`],
    ['an LF in a chunk extension', `${head}Transfer-Encoding: chunked\r\n\r\n5;a\n12345\r\n0\r\n\r\n`],
    ['a chunk that is longer than its size', `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n1234567\r\n0\r\n\r\n`],
    ['a length beyond what a number can hold', `${head}Content-Length: 99999999999999999999\r\n\r\n12345`],
    ['two lengths in one field', `${head}Content-Length: 5, 5\r\n\r\n12345`],
    ['more than 2,000 headers', `${head}${'a: 1\r\n'.repeat(2001)}Content-Length: 0\r\n\r\n`],
    ['a chunk size that is none', `${head}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`],
    ['a control character in a header', `${head}A: \x01\r\nContent-Length: 0\r\n\r\n`],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\ngarbage',
    ],
    ['headers of more than 16 KiB', `${head}${`a: ${'x'.repeat(1000)}\r\n`.repeat(20)}Content-Length: 0\r\n\r\n`],
    ['more than 100 headers', `${head}${'a: 1\r\n'.repeat(101)}Content-Length: 0\r\n\r\n`],
    [
      'more than 100 informational responses',
      `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(101)}${head}Content-Length: 0\r\n\r\n`,
    ],
  ];
  it.each(cases)('F70, F71: is a ParseError: %s', async (_name, answer) => {
    const error = await errorOf(answer, 'stay');
    expect(error).toMatchObject({
      name: 'ParseError',
      code: expect.stringMatching(/^(ERR_PARSE$|UND_ERR_|ERR_HTTP_TOO)/),
    });
  });

  it('F71: is a ParseError: chunk extensions without end, which undici does not count', async () => {
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n5;');
      const more = (): void => {
        if (!socket.destroyed) socket.write('x'.repeat(4096), () => setTimeout(more, 1));
      };
      more();
    });
    await run(function* () {
      const response = yield* client.get(server.url);
      expect(yield* caught(response.text())).toMatchObject({ name: 'ParseError', code: 'ERR_HTTP_CHUNK_EXTENSIONS' });
      while (server.connections() > 0) yield* sleep(1);
    });
  });

  it('costs one request and one connection only: the next one works', async () => {
    const server = await rawServer((socket, _head, index) =>
      socket.write(index === 0 ? 'garbage\r\n\r\n' : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    );
    await run(function* () {
      expect(yield* caught(client.get(server.url))).toMatchObject({ name: 'ParseError' });
      expect(yield* (yield* client.get(server.url)).text()).toBe('ok');
      expect(server.sockets).toHaveLength(2);
    });
  });

  it('is not given to the next request: bytes after the end of a response close the connection', async () => {
    const server = await rawServer((socket, _head, index) => {
      const body = index === 0 ? 'okHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil' : 'ok';
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${body}`);
    });
    await run(function* () {
      expect(yield* (yield* client.get(server.url)).text()).toBe('ok');
      expect(yield* (yield* client.get(server.url)).text()).toBe('ok');
      expect(server.sockets).toHaveLength(2);
    });
  });
});

describe('a kept connection that the server has just closed', () => {
  it('costs a GET nothing: it is sent once more on a new one', async () => {
    const server = await rawServer((socket, _head, index) => {
      if (index === 1) socket.destroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    await run(function* () {
      expect(yield* (yield* client.get(server.url)).text()).toBe('ok');
      expect(yield* (yield* client.get(server.url)).text()).toBe('ok');
      expect(server.sockets).toHaveLength(2);
    });
  });

  it('costs a POST an error, because it may have had its effect', async () => {
    const server = await rawServer((socket, _head, index) => {
      if (index === 1) socket.destroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    await run(function* () {
      expect(yield* (yield* client.post(server.url, { body: 'x' })).text()).toBe('ok');
      expect(yield* caught(client.post(server.url, { body: 'x' }))).toMatchObject({ code: 'ERR_INCOMPLETE_BODY' });
      expect(yield* (yield* client.post(server.url, { body: 'x' })).text()).toBe('ok');
    });
  });

  it('is tried once more only: a server that always does it ends in an error', async () => {
    const server = await rawServer((socket, _head, index) => {
      if (index > 0) socket.destroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    await run(function* () {
      yield* (yield* client.get(server.url)).text();
      expect(yield* caught(client.get(server.url))).toMatchObject({ code: 'ERR_INCOMPLETE_BODY' });
      expect(server.sockets).toHaveLength(2);
    });
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
