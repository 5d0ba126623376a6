// http-cancel.test.ts: kills and timeouts at every phase of a request, with every kind of body: the connection is given up, nothing is left over, and the
// next request works.
import {
  all,
  http,
  hub,
  isKilled,
  type Op,
  openHandles,
  race,
  run,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
} from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpServer, rawServer, type TestServer } from './http-servers.ts';
import { type StoppedServer, stoppedServer } from './stopped-server.ts';

let client: http.Client;
let orphans: number;
beforeEach(() => {
  client = new http.Client({ connections: 1 });
  orphans = hub.stats().orphans;
});
afterEach(() => {
  client.close();
  expect(openHandles().total).toBe(0);
  expect(client.stats()).toEqual({ running: 0, origins: {} });
  expect(hub.stats()).toMatchObject({ externalWaits: 0, orphans });
});

function* caught(op: Op<unknown>) {
  try {
    yield* op;
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error('nothing was thrown');
}

const large = 64 * 1024 * 1024;
const pieces = Array.from({ length: 1024 }, () => Buffer.alloc(65_536));
const bodies: Record<string, (big: boolean) => http.RequestBody | undefined> = {
  'no body': () => undefined,
  'a text': (big) => (big ? 'x'.repeat(large) : 'text'),
  bytes: (big) => Buffer.alloc(big ? large : 4),
  'an iterable': (big) => (big ? pieces : ['a', 'b']),
  'a function that writes': (big) =>
    function* (writer: http.BodyWriter) {
      for (const piece of big ? pieces : ['a', 'b']) yield* writer.write(piece);
    },
};

/** How far the server lets a request come. What it does with the second one is to answer. */
const phases: Record<string, () => Promise<TestServer>> = {
  'while it waits for the answer': () => answering(() => {}),
  'when the head has begun': () => answering((socket) => socket.write('HTTP/1.1 200 OK\r\nX-Some')),
  'when the body has begun': () =>
    answering((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345')),
};

function answering(first: Parameters<typeof rawServer>[0]): Promise<TestServer> {
  return rawServer((socket, head, index) => {
    if (index === 0) first(socket, head, index);
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
}

function* whole(url: string, body: http.RequestBody | undefined) {
  const response = yield* client.request(url, { method: body === undefined ? 'GET' : 'POST', body });
  return yield* response.text();
}

for (const [kind, body] of Object.entries(bodies)) {
  describe(`F67: a request with ${kind}`, () => {
    for (const [phase, start] of Object.entries(phases)) {
      it(`F67: can be killed ${phase}: its connection closes and the next one works`, async () => {
        const server = await start();
        await run(function* () {
          const victim = spawn(() => whole(server.url, body(false)));
          while (server.sockets.length === 0 || server.sockets[0]?.bytesRead === 0) yield* sleep(1);
          yield* sleep(5);
          victim.kill();
          yield* victim.join();
          expect(openHandles().total).toBe(0);
          expect(isKilled((yield* caught(victim.get())).cause)).toBe(true);
          while (server.connections() > 0) yield* sleep(1);
          expect(yield* whole(server.url, body(false))).toBe('ok');
          expect(server.sockets).toHaveLength(2);
        });
      });

      it(`F67: can time out ${phase}, by timeout() and by timeoutMs`, async () => {
        const server = await start();
        await run(function* () {
          expect(
            yield* caught(timeout(20, { [Symbol.iterator]: () => whole(server.url, body(false)) })),
          ).toBeInstanceOf(TimeoutError);
          while (server.connections() > 0) yield* sleep(1);
        });
        const other = await start();
        await run(function* () {
          const op = client.request(other.url, { method: 'POST', body: body(false) ?? '', timeoutMs: 20 });
          const error = yield* caught({
            *[Symbol.iterator]() {
              yield* (yield* op).text();
            },
          });
          expect(error).toMatchObject({ name: 'TimeoutError', code: 'ERR_TIMEOUT', timeoutMs: 20 });
          // toMatchObject would iterate the Op.
          expect((error as unknown as TimeoutError).timeout).toBe(op);
          while (other.connections() > 0) yield* sleep(1);
          expect(yield* whole(other.url, body(false))).toBe('ok');
        });
      });
    }

    it('F67: can be killed and time out in the queue, which costs no connection', async () => {
      let answerFirst: () => void = () => {};
      const server = await rawServer((socket, _head, index) => {
        const answer = (): void => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        if (index === 0) answerFirst = answer;
        else answer();
      });
      await run(function* () {
        const first = spawn(() => whole(server.url, undefined));
        yield* sleep(1);
        const victim = spawn(() => whole(server.url, body(false)));
        const behind = spawn(() => whole(server.url, body(false)));
        yield* sleep(1);
        expect(client.stats().origins[server.url]).toEqual({ connections: 1, idle: 0, queued: 2 });
        victim.kill();
        yield* victim.join();
        expect(client.stats().origins[server.url]?.queued).toBe(1);
        expect(yield* caught(timeout(5, { [Symbol.iterator]: () => whole(server.url, body(false)) }))).toBeInstanceOf(
          TimeoutError,
        );
        while (server.sockets[0]?.bytesRead === undefined || server.sockets[0].bytesRead === 0) yield* sleep(1);
        answerFirst();
        expect([yield* first.get(), yield* behind.get()]).toEqual(['ok', 'ok']);
        expect(server.sockets).toHaveLength(1);
      });
    });
  });
}

for (const [kind, body] of Object.entries(bodies).slice(1)) {
  it(`F67: a request can be killed while ${kind} is sent to a server that does not read`, async () => {
    const server = await rawServer((socket) => socket.pause());
    await run(function* () {
      const victim = spawn(() => whole(server.url, body(true)));
      while (server.sockets.length === 0) yield* sleep(1);
      yield* sleep(20);
      victim.kill();
      yield* victim.join();
      expect(openHandles().total).toBe(0);
      for (const socket of server.sockets) socket.resume();
      while (server.connections() > 0) yield* sleep(1);
    });
  });
}

describe('A request to a server that accepts nothing', () => {
  let stopped: StoppedServer;
  beforeEach(async () => {
    stopped = await stoppedServer();
  });
  afterEach(() => stopped.end());

  it('F67: can be killed and time out while it connects, and the socket is closed at once', async () => {
    const url = `http://127.0.0.1:${stopped.port}`;
    await run(function* () {
      const victim = spawn(() => whole(url, undefined));
      yield* sleep(20);
      expect(openHandles().counts).toEqual({ 'http connection': 1 });
      victim.kill();
      expect(openHandles().total).toBe(0);
      yield* victim.join();
      const startedAt = performance.now();
      expect(yield* caught(client.get(url, { timeoutMs: 100 }))).toBeInstanceOf(TimeoutError);
      expect(performance.now() - startedAt).toBeLessThan(10_000);
      expect(openHandles().total).toBe(0);
    });
  });
});

describe('A read of a body', () => {
  it('that is killed or times out loses no byte: the next one gets it', async () => {
    let send: (text: string) => void = () => {};
    const server = await httpServer((_request, response) => {
      response.flushHeaders();
      send = (text) => void (text === '' ? response.end() : response.write(text));
    });
    await run(function* () {
      const { body } = yield* client.get(server.url);
      const victim = spawn(() => body.read());
      yield* sleep(1);
      victim.kill();
      yield* victim.join();
      expect(yield* caught(timeout(5, body.read()))).toBeInstanceOf(TimeoutError);
      send('line one\nline');
      expect(yield* body.readLine()).toBe('line one');
      expect(yield* caught(timeout(5, body.readLine()))).toBeInstanceOf(TimeoutError);
      send(' two\n');
      expect(yield* body.readLine()).toBe('line two');
      const loser = yield* select({ read: body.read(), late: sleep(5) });
      expect(loser.key).toBe('late');
      send('rest');
      send('');
      expect(yield* body.text()).toBe('rest');
    });
  });
});

describe('race() over requests', () => {
  it('returns the first answer and closes the connections of the losers', async () => {
    const wide = new http.Client();
    const server = await httpServer((request, response) => {
      if (request.url === '/fast') response.end('fast');
    });
    await run(function* () {
      const winner = yield* race([
        wide.get(`${server.url}/slow`),
        wide.get(`${server.url}/fast`),
        wide.get(`${server.url}/slow`),
      ]);
      expect(yield* winner.text()).toBe('fast');
      expect(wide.stats()).toEqual({ running: 0, origins: { [server.url]: { connections: 1, idle: 1, queued: 0 } } });
      const [one, two] = yield* all([wide.get(`${server.url}/fast`), wide.get(`${server.url}/fast`)]);
      expect([yield* one.text(), yield* two.text()]).toEqual(['fast', 'fast']);
    });
    wide.close();
  });
});

describe('A server that is silent', () => {
  it('ends the request in a TimeoutError after idleTimeoutMs, before the head and in the body', async () => {
    const patient = new http.Client({ idleTimeoutMs: 100 });
    const server = await rawServer((socket, head) => {
      if (head.startsWith('GET /body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1');
    });
    await run(function* () {
      expect(yield* caught(patient.get(server.url))).toMatchObject({
        name: 'TimeoutError',
        message: expect.stringContaining('no response'),
      });
      const response = yield* patient.get(`${server.url}/body`);
      expect(yield* caught(response.text())).toMatchObject({
        name: 'TimeoutError',
        message: expect.stringContaining('no more of the body'),
      });
    });
    patient.close();
  });

  it('is not blamed when nobody reads: the error says so, and the connection is closed', async () => {
    const patient = new http.Client({ idleTimeoutMs: 100 });
    const server = await httpServer((_request, response) => void response.end(Buffer.alloc(30_000_000)));
    await run(function* () {
      const response = yield* patient.get(server.url);
      while (openHandles().total > 0) yield* sleep(20);
      expect(yield* caught(response.text())).toMatchObject({
        name: 'TimeoutError',
        message: expect.stringContaining('nobody read the body'),
      });
    });
    patient.close();
  });
});

describe('Killing at random', () => {
  it('leaves no connection, no wait and no wrong answer behind', async () => {
    const many = new http.Client({ connections: 5 });
    const server = await httpServer((request, response) => {
      const text = `${request.url} `.repeat(request.url?.endsWith('7') ? 30_000 : 3);
      setTimeout(() => response.end(text), Number(request.url?.slice(1)) % 4);
    });
    let seed = 12_345;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    await run(function* () {
      let right = 0;
      const all = Array.from({ length: 300 }, (_, index) =>
        spawn(function* () {
          yield* sleep(random(30));
          const response = yield* many.request(`${server.url}/${index}`, {
            method: index % 2 === 0 ? 'GET' : 'POST',
            body: index % 2 === 0 ? undefined : ['a', 'b'],
          });
          const text = yield* response.text();
          expect(text.startsWith(`/${index} /${index} `)).toBe(true);
          right += 1;
        }),
      );
      for (const greenlet of all) {
        if (random(3) > 0) continue;
        yield* sleep(random(3));
        greenlet.kill();
      }
      let killed = 0;
      for (const greenlet of all) {
        yield* greenlet.join();
        const { outcome } = greenlet;
        if (outcome?.killed === true && !outcome.ok) killed += 1;
        else expect(outcome).toMatchObject({ ok: true });
      }
      expect(right + killed).toBe(300);
      expect(killed).toBeGreaterThan(10);
      expect(many.stats().running).toBe(0);
      yield* many.closeGracefully();
      while (server.connections() > 0) yield* sleep(1);
    });
  });
});
