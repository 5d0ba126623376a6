// http-pool.test.ts: connections that are kept, shared, limited and closed.
import type { ServerResponse } from 'node:http';
import { http, type Op, openHandles, run, sleep, spawn, timeout } from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { httpServer, rawServer } from './http-servers.ts';

afterEach(() => {
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

function* text(op: Op<http.Response>) {
  return yield* (yield* op).text();
}

const held = async () => {
  const waiting: ServerResponse[] = [];
  const server = await httpServer((_request, response) => void waiting.push(response));
  return { ...server, waiting, answer: () => waiting.shift()?.end('ok') };
};

describe('A client', () => {
  it('keeps a connection for the next request, and closes it after keepAliveMs', async () => {
    const client = new http.Client({ keepAliveMs: 500 });
    const server = await rawServer((socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    await run(function* () {
      for (let turn = 0; turn < 5; turn += 1) expect(yield* text(client.get(server.url))).toBe('ok');
      expect(server.sockets).toHaveLength(1);
      expect(openHandles()).toMatchObject({
        counts: { 'http connection': 1 },
        names: [`http connection to ${server.url}`],
      });
      while (server.connections() > 0) yield* sleep(5);
      while (openHandles().total > 0) yield* sleep(1);
      expect(client.stats()).toEqual({ running: 0, origins: {} });
    });
    client.close();
  });

  it('opens at most `connections` to an origin and serves the others in order', async () => {
    const client = new http.Client({ connections: 2 });
    const server = await held();
    const order: number[] = [];
    await run(function* () {
      const all = Array.from({ length: 6 }, (_, index) =>
        spawn(function* () {
          yield* text(client.get(server.url));
          order.push(index);
        }),
      );
      for (let answered = 0; answered < 6; ) {
        yield* sleep(1);
        expect(server.waiting.length).toBeLessThanOrEqual(2);
        if (server.waiting.length === 0) continue;
        server.answer();
        answered += 1;
      }
      for (const greenlet of all) yield* greenlet.join();
    });
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(server.sockets).toHaveLength(2);
    client.close();
  });

  it('refuses a request when too many wait already', async () => {
    const client = new http.Client({ connections: 1, queueLimit: 1 });
    const server = await held();
    await run(function* () {
      const all = [spawn(() => text(client.get(server.url))), spawn(() => text(client.get(server.url)))];
      yield* sleep(5);
      expect(yield* caught(client.get(server.url))).toMatchObject({ name: 'HttpError', code: 'ERR_HTTP_QUEUE_FULL' });
      for (const greenlet of all) {
        while (server.waiting.length === 0) yield* sleep(1);
        server.answer();
        expect(yield* greenlet.get()).toBe('ok');
      }
    });
    client.close();
  });

  it('lets a request wait for a connection no longer than acquireTimeoutMs, and says who holds them', async () => {
    const client = new http.Client({ connections: 1, acquireTimeoutMs: 100 });
    const server = await httpServer((_request, response) => void response.end(Buffer.alloc(20_000_000)));
    await run(function* () {
      const unread = yield* client.get(server.url);
      yield* sleep(20);
      expect(yield* caught(client.get(server.url))).toMatchObject({
        name: 'TimeoutError',
        code: 'ERR_TIMEOUT',
        timeoutMs: 100,
        message: expect.stringContaining('all 1 are in use, 1 of them by a response that nobody reads'),
      });
      unread.close();
      expect(yield* (yield* client.get(server.url)).bytes()).toHaveLength(20_000_000);
    });
    client.close();
  });

  it('frees the connection of a response that nobody reads once all of it has come', async () => {
    const client = new http.Client({ connections: 1 });
    const server = await httpServer((_request, response) => void response.end('x'.repeat(50_000)));
    await run(function* () {
      const unread = [];
      for (let turn = 0; turn < 3; turn += 1) unread.push(yield* timeout(2_000, client.get(server.url)));
      expect(server.sockets).toHaveLength(1);
      for (const response of unread) expect(yield* response.text()).toHaveLength(50_000);
    });
    client.close();
  });

  it('connects anew after a server has closed its connection with the response', async () => {
    const client = new http.Client({ connections: 1 });
    const server = await rawServer((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'),
    );
    await run(function* () {
      const all = Array.from({ length: 5 }, () => spawn(() => text(client.get(server.url))));
      for (const greenlet of all) expect(yield* greenlet.get()).toBe('ok');
      for (let turn = 0; turn < 3; turn += 1) expect(yield* text(client.get(server.url))).toBe('ok');
      expect(server.sockets).toHaveLength(8);
    });
    client.close();
  });

  it('honours connection: close', async () => {
    const client = new http.Client();
    const server = await httpServer((_request, response) => void response.end('ok'));
    await run(function* () {
      expect(yield* text(client.get(server.url, { headers: { connection: 'close' } }))).toBe('ok');
      while (server.connections() > 0) yield* sleep(1);
      expect(yield* text(client.get(server.url))).toBe('ok');
      expect(server.sockets).toHaveLength(2);
    });
    client.close();
  });

  it('fails everything with ClosedError when it is closed, and every later request', async () => {
    const client = new http.Client({ connections: 1 });
    const server = await rawServer((socket, head) => {
      if (head.startsWith('GET /body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1');
    });
    await run(function* () {
      const { body } = yield* client.get(`${server.url}/body`);
      yield* body.read();
      const reader = spawn(() => caught(body.read()));
      const queued = spawn(() => caught(client.get(server.url)));
      const writer = spawn(() => caught(client.post(server.url, { body: ['x'] })));
      yield* sleep(5);
      client.close();
      client.close();
      expect(openHandles().total).toBe(0);
      for (const greenlet of [reader, queued, writer])
        expect(yield* greenlet.get()).toMatchObject({ code: 'ERR_CLOSED' });
      expect(yield* caught(client.get(server.url))).toMatchObject({ code: 'ERR_CLOSED' });
      expect(client.closed).toBe(true);
      while (server.connections() > 0) yield* sleep(1);
    });
  });

  it('finishes what is under way when it is closed gracefully, and refuses what comes', async () => {
    const client = new http.Client({ connections: 1 });
    const server = await held();
    await run(function* () {
      const all = [spawn(() => text(client.get(server.url))), spawn(() => text(client.get(server.url)))];
      yield* sleep(5);
      const closing = spawn(() => client.closeGracefully());
      yield* sleep(1);
      expect(yield* caught(client.get(server.url))).toMatchObject({ code: 'ERR_CLOSED' });
      for (const greenlet of all) {
        while (server.waiting.length === 0) yield* sleep(1);
        expect(closing.outcome).toBe(undefined);
        server.answer();
        expect(yield* greenlet.get()).toBe('ok');
      }
      yield* closing.get();
      expect(openHandles().total).toBe(0);
      yield* client.closeGracefully();
    });
  });

  it('is closed all the same when closeGracefully is killed', async () => {
    const client = new http.Client();
    const server = await held();
    await run(function* () {
      const request = spawn(() => caught(client.get(server.url)));
      yield* sleep(5);
      const closing = spawn(() => client.closeGracefully());
      yield* sleep(1);
      closing.kill();
      expect(yield* request.get()).toMatchObject({ code: 'ERR_CLOSED' });
      yield* closing.join();
      expect(openHandles().total).toBe(0);
    });
  });

  it('keeps the connections of different origins apart', async () => {
    const client = new http.Client({ connections: 1 });
    const one = await httpServer((_request, response) => void response.end('one'));
    const two = await httpServer((_request, response) => void response.end('two'));
    await run(function* () {
      for (let turn = 0; turn < 3; turn += 1) {
        expect(yield* text(client.get(one.url))).toBe('one');
        expect(yield* text(client.get(two.url))).toBe('two');
      }
      expect([one.sockets.length, two.sockets.length]).toEqual([1, 1]);
      expect(Object.keys(client.stats().origins)).toEqual([one.url, two.url]);
      client.closeIdle();
      expect(client.stats()).toEqual({ running: 0, origins: {} });
    });
    client.close();
  });
});
