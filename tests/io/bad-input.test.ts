// bad-input.test.ts: what programs get wrong and what the world does to them: each time one clear error with a code, thrown in the greenlet that asked and
// nowhere else, and nothing left open.
import net from 'node:net';
import { callback, connect, http, hub, type Op, openHandles, run, type Socket, sleep, spawn } from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectRedis } from '../../samples/redis.ts';

const host = '127.0.0.1';

interface Seen {
  readonly name: string;
  readonly code: unknown;
  readonly message: string;
}

/**
 * Run `faulty` in a greenlet, beside another one that has nothing to do with it.
 *
 * Returns what `faulty` threw, after making sure that nobody else has got it: neither the greenlet beside it nor the hub.
 */
async function faultOf(faulty: () => Op<unknown>): Promise<Seen> {
  const unseen: unknown[] = [];
  const unlink = hub.on('error', (error) => void unseen.push(error));
  try {
    return await run(function* test(): Op<Seen> {
      const bystander = spawn(function* bystander() {
        for (let i = 0; i < 5; i += 1) yield* sleep(1);
        return 'unharmed';
      });
      const asking = spawn(function* asking(): Op<Seen | undefined> {
        try {
          yield* faulty();
          return undefined;
        } catch (error) {
          const { name, code, message } = error as Seen;
          return { name, code, message };
        }
      });
      const seen = yield* asking.get();
      expect(yield* bystander.get()).toBe('unharmed');
      expect(unseen).toEqual([]);
      if (seen === undefined) throw new Error('it threw nothing');
      return seen;
    });
  } finally {
    unlink();
  }
}

/** Run `body` with the port of a server of node:net that treats each connection with `handler`. */
function* withServer<T>(handler: (socket: net.Socket) => void, body: (port: number) => Op<T>): Op<T> {
  const server = net.createServer(handler);
  yield* callback<void>((done) => void server.listen(0, host, () => done()));
  try {
    return yield* body((server.address() as net.AddressInfo).port);
  } finally {
    server.close();
  }
}

/** A port on which nobody listens. */
function* closedPort(): Op<number> {
  return yield* withServer(
    () => {},
    function* portOf(port) {
      return port;
    },
  );
}

/** Answers what comes first with `text`, and then resets the connection: a little later, because Node 20 makes a proper end of a reset at once. */
function cutAfter(text: string): (socket: net.Socket) => void {
  return (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(text);
      setTimeout(() => socket.resetAndDestroy(), 20);
    });
  };
}

/** What holds descriptors and the like; timers come and go with the test runner. */
const resources = (): string[] =>
  process
    .getActiveResourcesInfo()
    .filter((name) => !/^(Timeout|Immediate)$/.test(name))
    .sort();

let before: string[] = [];
beforeEach(() => {
  before = resources();
});
afterEach(async () => {
  expect(openHandles()).toEqual({ total: 0, counts: {}, names: [] });
  expect(hub.stats()).toMatchObject({ greenlets: 0, runnable: 0, timers: 0, externalWaits: 0, orphans: 0 });
  // Node reports a handle until it has called back that it is closed.
  await expect.poll(resources, { interval: 2 }).toEqual(before);
});

describe('a mistake of the program', () => {
  it('spawn of what is no generator function is a TypeError that says what it was', async () => {
    expect(await faultOf(() => spawn(5 as never).join())).toEqual({
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message: expect.stringMatching(/^spawn takes a generator function, not .*5/),
    });
    const plain = await faultOf(() => spawn((() => undefined) as never).join());
    expect(plain).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(plain.message).toMatch(/returned undefined.*is it a generator function/);
    const asynchronous = await faultOf(() => spawn((async () => 5) as never).join());
    expect(asynchronous).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(asynchronous.message).toMatch(/write function\*, and `yield\* until\(promise\)`/);
  });

  it('yield of a foreign value is a TypeError at that yield, with a hint', async () => {
    const number = await faultOf(function* () {
      yield 5 as never;
    });
    expect(number).toEqual({
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message: expect.stringMatching(/^a greenlet yielded .*5.*: only `yield\*` of an Op waits$/),
    });
    const promise = await faultOf(function* () {
      yield Promise.resolve() as never;
    });
    expect(promise).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(promise.message).toMatch(/write `yield\* until\(promise\)`/);
  });

  it('port 70000 is a RangeError at the call, before any IO', async () => {
    expect(await faultOf(() => connect({ host, port: 70_000 }))).toEqual({
      name: 'RangeError',
      code: 'ERR_SOCKET_BAD_PORT',
      message: 'connect: port must be an integer from 0 to 65535, not 70000',
    });
    expect(await faultOf(() => http.get('http://127.0.0.1:70000/'))).toMatchObject({
      name: 'TypeError',
      code: 'ERR_INVALID_URL',
    });
  });
});

describe('a fault of the world', () => {
  it('an unknown host is a DnsError that names it', async () => {
    const seen = await faultOf(() => connect({ host: 'nobody.invalid', port: 80 }));
    expect(seen).toMatchObject({ name: 'DnsError', code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) });
    expect(seen.message).toContain('nobody.invalid');
    const overHttp = await faultOf(() => http.get('http://nobody.invalid/'));
    expect(overHttp).toMatchObject({ name: 'DnsError', code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) });
    expect(overHttp.message).toContain('nobody.invalid');
  });

  it('a refused connection is a ConnectError that names the address', async () => {
    const port = await run(closedPort);
    for (const attempt of [
      () => connect({ host, port }),
      () => http.get(`http://${host}:${port}/`),
      () => connectRedis({ host, port }),
    ]) {
      const seen = await faultOf(attempt);
      expect(seen).toMatchObject({ name: 'ConnectError', code: 'ECONNREFUSED' });
      expect(seen.message).toContain(`${host}:${port}`);
    }
  });

  it('a line over the limit is a LineTooLongError in its reader, and the connection can be closed as ever', async () => {
    const flood = (socket: net.Socket): void => void socket.on('error', () => {}).end('x'.repeat(200_000));
    const seen = await faultOf(() =>
      withServer(flood, function* (port) {
        const socket = yield* connect({ host, port });
        try {
          yield* socket.readLine();
        } finally {
          socket.close();
        }
      }),
    );
    expect(seen).toMatchObject({ name: 'LineTooLongError', code: 'ERR_LINE_TOO_LONG' });
    expect(seen.message).toMatch(
      /^readLine on socket 127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+: no end within 65536 bytes$/,
    );
  });

  it('a peer that resets in the middle of a reply: what came is delivered, then the reader gets ECONNRESET', async () => {
    function ask(read: (socket: Socket) => Op<unknown>): Op<unknown> {
      return withServer(cutAfter('half a rep'), function* (port) {
        const socket = yield* connect({ host, port });
        try {
          yield* socket.write('ask\n');
          yield* read(socket);
        } finally {
          socket.close();
        }
      });
    }
    const line = await faultOf(() => ask((socket) => socket.readLine()));
    expect(line).toMatchObject({ name: 'ConnectionResetError', code: 'ECONNRESET' });
    expect(line.message).toMatch(/^readLine on socket 127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+: the connection is lost/);

    let text = '';
    const chunks = await faultOf(() =>
      ask(function* (socket) {
        for (;;) text += yield* socket.read();
      }),
    );
    expect(text).toBe('half a rep');
    expect(chunks).toMatchObject({ name: 'ConnectionResetError', code: 'ECONNRESET' });
  });

  it('a peer that resets in the middle of an HTTP response: IncompleteBodyError, not a short success', async () => {
    const seen = await faultOf(() =>
      withServer(cutAfter('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'), function* (port) {
        const response = yield* http.get(`http://${host}:${port}/page`);
        yield* response.text();
      }),
    );
    expect(seen).toMatchObject({ name: 'IncompleteBodyError', code: 'ERR_INCOMPLETE_BODY' });
    expect(seen.message).toMatch(/^GET http:\/\/127\.0\.0\.1:\d+\/page: .*after 4 bytes of the body/);
  });

  it('a server that ends without an answer, as one for TLS does: IncompleteBodyError, which says that nothing came', async () => {
    const seen = await faultOf(() =>
      withServer(cutAfter(''), function* (port) {
        yield* http.get(`http://${host}:${port}/page`);
      }),
    );
    expect(seen).toMatchObject({ name: 'IncompleteBodyError', code: 'ERR_INCOMPLETE_BODY' });
    expect(seen.message).toMatch(/\/page: the connection ended before an answer had come/);
  });

  it('a Redis that resets in the middle of a reply: RedisConnectionError in each greenlet that waits', async () => {
    let others: unknown;
    const seen = await faultOf(() =>
      withServer(cutAfter('$10\r\nhalf'), function* (port) {
        const redis = yield* connectRedis({ host, port });
        const other = spawn(function* (): Op<unknown> {
          try {
            return yield* redis.get('other');
          } catch (error) {
            return (error as Seen).code;
          }
        });
        try {
          yield* redis.get('key');
        } finally {
          others = yield* other.get();
          redis.close();
        }
      }),
    );
    expect(seen).toMatchObject({ name: 'RedisConnectionError', code: 'ECONNRESET' });
    expect(seen.message).toMatch(/^GET: the connection was lost/);
    expect(others).toBe('ECONNRESET');
  });
});
