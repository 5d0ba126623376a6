// http-limits.test.ts: what a client does not wait for, or take, without end: slow servers in virtual time, floods, ends that are resets.
import { createServer } from 'node:net';
import { http, listen, now, type Op, openHandles, run, type Socket, serve, sleep, spawn } from 'tendril';
import { simulate } from 'tendril/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
    return error as Error & { code: string };
  }
  throw new Error('nothing was thrown');
}

/** Play `body` against a server that answers a request head by `answer`; in virtual time. */
async function played<T>(
  answer: (socket: Socket) => Op<void>,
  body: (mine: http.Client) => Op<T>,
  options: http.ClientOptions = {},
) {
  const report = await simulate(
    function* (world) {
      world.net.host('server', {
        *main() {
          const listener = yield* listen({ port: 80 });
          yield* serve(listener, function* (socket: Socket) {
            for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine()) {
              if (line === '') yield* answer(socket);
            }
          });
        },
      });
      const mine = new http.Client(options);
      try {
        const value = yield* body(mine);
        return { value, atMs: now() };
      } finally {
        mine.close();
        world.net.host('server').crash();
      }
    },
    { maxMs: 100_000_000 },
  );
  return report.value;
}

function* trickle(socket: Socket, text: string, everyMs: number): Op<void> {
  for (const character of text) {
    yield* socket.write(character);
    yield* sleep(everyMs);
  }
}

const head = 'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n';

describe('F76: a server at 1 byte a second', () => {
  it('F76: in a body that somebody waits for as a whole is cut after 10 s below 500 B/s', async () => {
    const { value, atMs } = await played(
      function* (socket) {
        yield* socket.write(head);
        yield* trickle(socket, 'x'.repeat(1_000_000), 1000);
      },
      function* (mine) {
        const response = yield* mine.get('http://server/');
        return yield* caught(response.bytes());
      },
    );
    expect(value).toMatchObject({ name: 'TimeoutError', message: expect.stringContaining('500 bytes a second') });
    expect(atMs).toBeGreaterThanOrEqual(10_000);
    expect(atMs).toBeLessThan(11_000);
  });

  it('F76: is waited for at any rate by read(), which takes what comes, or with {minBytesPerSecond: 0}', async () => {
    const slowly = function* (socket: Socket): Op<void> {
      yield* socket.write('HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n');
      yield* trickle(socket, 'x'.repeat(40), 1000);
    };
    const streamed = await played(slowly, function* (mine) {
      const { body } = yield* mine.get('http://server/');
      let got = 0;
      for (let piece = yield* body.read(); piece !== null; piece = yield* body.read()) got += piece.length;
      return got;
    });
    expect(streamed.value).toBe(40);
    const patient = await played(
      slowly,
      function* (mine) {
        return yield* (yield* mine.get('http://server/')).text();
      },
      { minBytesPerSecond: 0 },
    );
    expect(patient.value).toHaveLength(40);
    expect(patient.atMs).toBeGreaterThanOrEqual(39_000);
  });

  it('F76: a body at 600 B/s is no slow one', async () => {
    const { value } = await played(
      function* (socket) {
        yield* socket.write('HTTP/1.1 200 OK\r\nContent-Length: 18000\r\n\r\n');
        for (let i = 0; i < 30; i += 1) {
          yield* socket.write('x'.repeat(600));
          yield* sleep(1000);
        }
      },
      function* (mine) {
        return (yield* (yield* mine.get('http://server/')).text()).length;
      },
    );
    expect(value).toBe(18_000);
  });

  it('F76: in the head is cut at headersTimeoutMs, 60 s by default, although bytes come', async () => {
    const slow = (socket: Socket) => trickle(socket, head, 10_000);
    const asked = (mine: http.Client) => caught(mine.get('http://server/'));
    const usual = await played(slow, asked);
    expect(usual.value).toMatchObject({ name: 'TimeoutError', message: expect.stringContaining('no response came') });
    expect(usual.atMs).toBeLessThan(61_000);
    const quick = await played(slow, asked, { headersTimeoutMs: 5_000 });
    expect(quick.value).toMatchObject({ name: 'TimeoutError', timeoutMs: 5_000 });
    expect(quick.atMs).toBeLessThan(6_000);
  });

  it('F76: an idle connection is closed after keepAliveMs', async () => {
    let closedAfterMs = 0;
    await played(
      function* (socket) {
        yield* socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        const before = now();
        while ((yield* socket.read()) !== null);
        closedAfterMs = now() - before;
      },
      function* (mine) {
        yield* (yield* mine.get('http://server/')).text();
        yield* sleep(20_000);
      },
    );
    expect(closedAfterMs).toBeGreaterThanOrEqual(4_000);
    expect(closedAfterMs).toBeLessThan(5_000);
  });

  it('F76: on real sockets too, the head is cut at headersTimeoutMs', async () => {
    const quick = http.client({ headersTimeoutMs: 200 });
    const server = await rawServer((socket) => {
      const timer = setInterval(() => socket.write('X'), 20);
      socket.on('close', () => clearInterval(timer));
      socket.write('HTTP/1.1 200 OK\r\nA: ');
    });
    await run(function* () {
      expect(yield* caught(quick.get(server.url))).toMatchObject({ name: 'TimeoutError', timeoutMs: 200 });
      while (server.connections() > 0) yield* sleep(1);
    });
    quick.close();
  });
});

describe('F75: what comes that should not', () => {
  it('F75: 100 informational responses are taken, the 101st is an error', async () => {
    const one = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    for (const [count, passes] of [
      [100, true],
      [101, false],
    ] as const) {
      const server = await rawServer((socket) =>
        socket.write(`${one.repeat(count)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`),
      );
      await run(function* () {
        if (passes) expect(yield* (yield* client.get(server.url)).text()).toBe('ok');
        else expect(yield* caught(client.get(server.url))).toMatchObject({ name: 'ParseError' });
      });
    }
  });

  it('F75: a body behind the answer to HEAD, a 204 or a 304 is no body, and no answer to the next request', async () => {
    for (const [method, status] of [
      ['HEAD', '200 OK'],
      ['GET', '204 No Content'],
      ['GET', '304 Not Modified'],
    ] as const) {
      const server = await rawServer((socket, _head, index) => {
        if (index > 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        else
          socket.write(
            `HTTP/1.1 ${status}\r\nContent-Length: 38\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`,
          );
      });
      await run(function* () {
        const response = yield* client.request(server.url, { method });
        expect(yield* response.text()).toBe('');
        expect(yield* (yield* client.get(server.url)).text()).toBe('ok');
        expect(server.sockets).toHaveLength(2);
      });
    }
  });

  it('F75: 100-continue cannot be asked for, so nobody waits for one that is never sent', () => {
    expect(() => client.post('http://127.0.0.1:1/', { body: 'x', headers: { Expect: '100-continue' } })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});

describe('F68: a reset that comes together with the last data', () => {
  // Node 20 and 22 report it as an end; only a body without a length could then pass for whole.
  it.each(['without a length', 'with a length', 'in chunks'])(
    'F68: is an IncompleteBodyError, never the end of the body: %s',
    async (how) => {
      const heads: Record<string, string> = {
        'without a length': 'Connection: close\r\n\r\nhalf',
        'with a length': 'Content-Length: 8\r\n\r\nhalf',
        'in chunks': 'Transfer-Encoding: chunked\r\n\r\n8\r\nhalf',
      };
      const server = createServer((socket) => {
        socket.on('error', () => {});
        // The system has given the data to the other end when it calls back: the reset follows it at once.
        socket.once('data', () => {
          socket.write(`HTTP/1.1 200 OK\r\n${heads[how]}`, () => socket.resetAndDestroy());
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      await run(function* () {
        for (let round = 0; round < 10; round += 1) {
          const error = yield* caught({
            *[Symbol.iterator]() {
              const response = yield* client.get(`http://127.0.0.1:${port}/`, { retry: false });
              yield* response.text();
            },
          });
          expect(error).toMatchObject({ name: 'IncompleteBodyError' });
        }
      });
      server.close();
    },
  );

  it('is not seen in an end that is one: a body without a length is whole', async () => {
    const server = await rawServer((socket) => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it'));
    await run(function* () {
      for (let round = 0; round < 20; round += 1)
        expect(yield* (yield* client.get(server.url)).text()).toBe('all of it');
    });
  });
});

describe('http.client', () => {
  it('has a base for URLs, headers and a limit in time for all its requests', async () => {
    const server = await httpServer((request, response) => {
      if (request.url === '/api/never') return;
      response.end(JSON.stringify({ url: request.url, headers: request.headers }));
    });
    const other = await httpServer(
      (request, response) => void response.end(JSON.stringify({ headers: request.headers })),
    );
    const headers = { authorization: 'secret', 'X-Mine': '1', cookie: 'a=1', accept: 'text/x' };
    const api = http.client({ baseUrl: `${server.url}/api/?ignored=1#part`, headers, timeoutMs: 30_000 });
    interface Seen {
      url: string;
      headers: Record<string, string>;
    }
    await run(function* () {
      const seen = function* (op: Op<http.Response>) {
        return (yield* (yield* op).json()) as Seen;
      };
      const users = yield* seen(api.get('users', { headers: { ACCEPT: 'application/json' }, query: { page: 2 } }));
      expect(users).toMatchObject({
        url: '/api/users?page=2',
        headers: { authorization: 'secret', 'x-mine': '1', cookie: 'a=1', accept: 'application/json' },
      });
      expect((yield* seen(api.get('/root'))).url).toBe('/root');
      expect((yield* seen(api.get('../up?x'))).url).toBe('/up?x');
      // Not to where a URL from elsewhere leads.
      for (const url of [`${other.url}/`, `//127.0.0.1:${other.port}/`]) {
        const abroad = yield* seen(api.get(url));
        expect(abroad.headers).toMatchObject({ 'x-mine': '1' });
        expect(abroad.headers).not.toHaveProperty('authorization');
        expect(abroad.headers).not.toHaveProperty('cookie');
      }
      expect((yield* seen(http.get('users', { client: api }))).url).toBe('/api/users');
      expect(yield* caught(api.get('never', { timeoutMs: 50 }))).toMatchObject({ name: 'TimeoutError', timeoutMs: 50 });
    });
    const brief = http.client({ timeoutMs: 50 });
    await run(function* () {
      expect(yield* caught(brief.get(`${server.url}/api/never`))).toMatchObject({
        name: 'TimeoutError',
        timeoutMs: 50,
      });
    });
    brief.close();
    api.close();
  });

  it('refuses what cannot be at the call', () => {
    expect(() => http.client({ baseUrl: '/relative' })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_URL' }));
    expect(() => http.client({ baseUrl: 'ftp://x/' })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_PROTOCOL' }),
    );
    expect(() => http.client({ timeoutMs: Number.NaN })).toThrow(TypeError);
    expect(() => http.client({ minBytesPerSecond: -1 })).toThrow(RangeError);
    expect(() => http.client(5 as never)).toThrow(TypeError);
    const inherited = Object.create({ connections: 0, baseUrl: 'nonsense' }) as http.ClientOptions;
    expect(() => http.client(inherited)).not.toThrow();
  });

  it('runs many requests that are killed at random through redirects, retries and decompression, and nothing is left', async () => {
    const server = await httpServer((request, response) => {
      const index = Number(request.url?.slice(1));
      if (index > 0 && index % 3 === 0) response.writeHead(302, { location: `/${index - 1}` }).end();
      else if (index % 7 === 0) response.destroy();
      else setTimeout(() => response.end('ok'), index % 4);
    });
    const many = http.client({ connections: 4, retry: { attempts: 3, delayMs: 2 } });
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    await run(function* () {
      const all = Array.from({ length: 120 }, (_, index) =>
        spawn(function* () {
          yield* sleep(random(20));
          try {
            return yield* (yield* many.get(`${server.url}/${index}`)).text();
          } catch (error) {
            if (error instanceof http.HttpError) return 'failed';
            throw error;
          }
        }),
      );
      for (const greenlet of all) {
        if (random(3) > 0) continue;
        yield* sleep(random(3));
        greenlet.kill();
      }
      for (const greenlet of all) {
        yield* greenlet.join();
        const { outcome } = greenlet;
        if (outcome?.killed !== true) expect(outcome).toMatchObject({ ok: true });
      }
      expect(many.stats().running).toBe(0);
      yield* many.closeGracefully();
      while (server.connections() > 0) yield* sleep(1);
    });
  });
});
