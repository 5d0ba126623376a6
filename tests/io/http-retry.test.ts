// http-retry.test.ts: requests that are made again: which, how often, how soon, and what the error tells. Waits are in virtual time where they matter.
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { http, listen, now, type Op, openHandles, run, type Socket, serve, sleep, spawn } from 'tendril';
import { simulate } from 'tendril/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rawServer } from './http-servers.ts';

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
    return error as http.RetryError;
  }
  throw new Error('nothing was thrown');
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const quick = { delayMs: 1, attempts: 3 };

describe('F73: a kept connection that the server closes as we send', () => {
  const closing = () =>
    rawServer((socket, _head, index) => {
      if (index === 1) socket.destroy();
      else socket.write(ok);
    });

  it('F73: is nothing to a GET, HEAD or OPTIONS: it is sent once more, on a fresh connection', async () => {
    for (const method of ['GET', 'OPTIONS']) {
      const server = await closing();
      await run(function* () {
        yield* (yield* client.get(server.url)).text();
        expect((yield* client.request(server.url, { method })).status).toBe(200);
        expect(server.sockets).toHaveLength(2);
      });
    }
  });

  it('F73: is an error to a POST, a PUT and a body in pieces, which says that it was sent once', async () => {
    for (const options of [{ method: 'POST' }, { method: 'PUT' }, { method: 'POST', body: ['x'] }]) {
      const server = await closing();
      await run(function* () {
        yield* (yield* client.get(server.url)).text();
        const error = yield* caught(client.request(server.url, options));
        expect(error).toMatchObject({ name: 'IncompleteBodyError' });
        expect(error.message).toMatch(new RegExp(`sent once, on a kept connection, and not again: ${options.method}`));
        expect(server.sockets).toHaveLength(1);
      });
    }
  });

  it('F73: is an error to a GET that meets it twice, which says so', async () => {
    const server = await rawServer((socket, _head, index) => {
      if (index > 0) socket.destroy();
      else socket.write(ok);
    });
    await run(function* () {
      yield* (yield* client.get(server.url)).text();
      expect((yield* caught(client.get(server.url))).message).toContain('sent twice');
      expect(server.sockets).toHaveLength(2);
    });
  });
});

describe('retry', () => {
  it('is off by default: a refused connection and a 503 are what they are', async () => {
    const server = await rawServer((socket) => socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'));
    await run(function* () {
      const response = yield* client.get(server.url);
      expect([response.status, response.attempts]).toEqual([503, 1]);
    });
  });

  it('makes a request again until there is an answer', async () => {
    let requests = 0;
    const server = await rawServer((socket, _head, index) => {
      requests = index + 1;
      if (index < 2) socket.destroy();
      else socket.write(ok);
    });
    await run(function* () {
      const response = yield* client.get(server.url, { retry: quick });
      expect([yield* response.text(), response.attempts, requests]).toEqual(['ok', 3, 3]);
      expect((yield* client.put(server.url, { body: 'x', retry: true })).attempts).toBe(1);
    });
  });

  it('tells in its error which attempts were made', async () => {
    const port = await freePort();
    const flaky = await rawServer((socket, _head, index) => {
      if (index === 0) socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
      else socket.destroy();
    });
    await run(function* () {
      const refused = yield* caught(client.get(`http://127.0.0.1:${port}/`, { retry: quick }));
      expect(refused).toMatchObject({ name: 'RetryError', code: 'ECONNREFUSED', cause: { name: 'ConnectError' } });
      expect(refused.attempts).toHaveLength(3);
      expect(refused.message).toContain('3 attempts failed: ECONNREFUSED, ECONNREFUSED, ECONNREFUSED');
      const mixed = yield* caught(client.get(flaky.url, { retry: { delayMs: 1, attempts: 2 } }));
      expect(mixed.attempts).toMatchObject([{ status: 503 }, { error: { name: 'IncompleteBodyError' } }]);
      expect(mixed.code).toBe('ERR_INCOMPLETE_BODY');
      // One attempt is no list.
      expect(yield* caught(client.get(`http://127.0.0.1:${port}/`, { retry: 1 }))).toMatchObject({
        name: 'ConnectError',
      });
    });
  });

  it('never makes a POST again, nor a body that can be read once only, unless methods say so', async () => {
    let requests = 0;
    const server = await rawServer((socket) => {
      requests += 1;
      if (requests % 2 === 1) socket.destroy();
      else socket.write(ok);
    });
    await run(function* () {
      expect(yield* caught(client.post(server.url, { body: 'x', retry: quick }))).toMatchObject({
        name: 'IncompleteBodyError',
      });
      expect(requests).toBe(1);
      requests = 0;
      const body = Readable.from(['x']);
      expect(yield* caught(client.put(server.url, { body, retry: quick }))).toMatchObject({
        name: 'IncompleteBodyError',
      });
      requests = 0;
      const retry = { ...quick, methods: ['post'] };
      expect((yield* client.post(server.url, { body: 'x', retry })).attempts).toBe(2);
    });
  });

  it('is not for what is no passing fault: a limit, what is no HTTP, a cut in the body', async () => {
    let requests = 0;
    const server = await rawServer((socket, head) => {
      requests += 1;
      if (head.startsWith('GET /parse')) socket.write('nonsense\r\n\r\n');
      else if (head.startsWith('GET /cut')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut');
    });
    await run(function* () {
      expect(yield* caught(client.get(`${server.url}/parse`, { retry: quick }))).toMatchObject({ name: 'ParseError' });
      const cut = yield* client.get(`${server.url}/cut`, { retry: quick });
      expect(yield* caught(cut.text())).toMatchObject({ name: 'IncompleteBodyError' });
      expect(yield* caught(client.get(server.url, { retry: quick, timeoutMs: 50 }))).toMatchObject({
        name: 'TimeoutError',
      });
      // The last one may not have arrived at all in that time.
      expect(requests).toBeLessThanOrEqual(3);
    });
  });

  it('can be killed while it waits for the next attempt', async () => {
    const port = await freePort();
    await run(function* () {
      const victim = spawn(() =>
        client.get(`http://127.0.0.1:${port}/`, { retry: { delayMs: 100_000, maxDelayMs: 100_000, totalMs: 1e6 } }),
      );
      while (client.stats().running > 0 || victim.outcome !== undefined) yield* sleep(1);
      yield* sleep(10);
      victim.kill();
      yield* victim.join();
      expect(openHandles().total).toBe(0);
    });
  });

  it('refuses bad options at the call', () => {
    const get = (retry: unknown) => () => client.get('http://127.0.0.1:1/', { retry: retry as number });
    for (const bad of [0, 1.5, Number.NaN, { attempts: 0 }]) expect(get(bad)).toThrow(RangeError);
    for (const bad of ['3', { delayMs: -1 }, { methods: 'GET' }, { statuses: [1.5] }])
      expect(get(bad)).toThrow(TypeError);
  });
});

describe('retry in virtual time', () => {
  /** Play `body` against a server that answers the n-th request with `answer(n)`; '' cuts. */
  async function played<T>(answer: (index: number) => string, body: () => Op<T>) {
    const arrivals: number[] = [];
    const report = await simulate(
      function* (world) {
        world.net.host('server', {
          *main() {
            const listener = yield* listen({ port: 80 });
            yield* serve(listener, function* (socket: Socket) {
              for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine()) {
                if (line !== '') continue;
                arrivals.push(now());
                const text = answer(arrivals.length - 1);
                if (text === '') return;
                yield* socket.write(text);
              }
            });
          },
        });
        try {
          return yield* body();
        } finally {
          world.net.host('server').crash();
        }
      },
      { maxMs: 10_000_000 },
    );
    return { ...report, arrivals, gaps: arrivals.slice(1).map((at, index) => at - (arrivals[index] as number)) };
  }

  it('waits longer and longer, with a random part', async () => {
    const { value, gaps } = await played(
      () => '',
      () => caught(http.get('http://server/', { retry: { attempts: 5, delayMs: 1000, maxDelayMs: 4000 } })),
    );
    expect(value.attempts).toHaveLength(5);
    for (const [index, most] of [1000, 2000, 4000, 4000].entries()) {
      expect(gaps[index]).toBeGreaterThanOrEqual(most / 2);
      expect(gaps[index]).toBeLessThan(most + 200);
    }
  });

  it('obeys Retry-After, in seconds or as a date, if the budget allows it', async () => {
    const busy = (after: string) => `HTTP/1.1 429 Slow\r\n${after}\r\nContent-Length: 0\r\n\r\n`;
    const date = 'Date: Thu, 29 Feb 2024 23:59:58 GMT\r\nRetry-After: Fri, 01 Mar 2024 00:00:05 GMT';
    const answers = [busy('Retry-After: 3'), busy(date), ok];
    const { value, gaps } = await played(
      (index) => answers[index] as string,
      function* () {
        return (yield* http.get('http://server/', { retry: 3 })).attempts;
      },
    );
    expect(value).toBe(3);
    expect(Math.floor((gaps[0] as number) / 1000)).toBe(3);
    expect(Math.floor((gaps[1] as number) / 1000)).toBe(7);
    const late = await played(
      () => busy('Retry-After: 31'),
      function* () {
        const response = yield* http.get('http://server/', { retry: 3 });
        return [response.status, response.attempts];
      },
    );
    expect(late.value).toEqual([429, 1]);
    expect(late.arrivals).toHaveLength(1);
  });

  it('keeps to its total time, and to timeoutMs', async () => {
    const retry = { attempts: 100, delayMs: 4000, maxDelayMs: 4000, totalMs: 10_000 };
    const { elapsedMs, value } = await played(
      () => '',
      () => caught(http.get('http://server/', { retry })),
    );
    expect(elapsedMs).toBeLessThan(10_200);
    expect(value.name).toBe('RetryError');
    const limited = await played(
      () => '',
      () => caught(http.get('http://server/', { retry, timeoutMs: 5000 })),
    );
    expect(limited.elapsedMs).toBeLessThan(5_200);
  });

  it('returns the last answer if that is still 503', async () => {
    const { value } = await played(
      () => 'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy',
      function* () {
        const response = yield* http.get('http://server/', { retry: 3 });
        return [response.status, response.attempts, yield* response.text()];
      },
    );
    expect(value).toEqual([503, 3, 'busy']);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
