// twin-http.test.ts: tendril/patches/http: Node's names, against servers and clients of node:http and bare sockets, and against itself.
import nodeHttp from 'node:http';
import nodeNet, { type AddressInfo } from 'node:net';
import { all, callback, connect, forEach, hub, type Op, run, select, sleep, spawn, timeout, yieldNow } from 'tendril';
import * as http from 'tendril/patches/http';
import { afterEach, describe, expect, it } from 'vitest';
import { descriptors, descriptorsBackAt } from '../io/descriptors.ts';
import { httpServer, rawServer } from '../io/http-servers.ts';
import { bareServer, closedPort, failure, nothingLeft } from '../io/peers.ts';
import { stoppedServer } from '../io/stopped-server.ts';

const host = '127.0.0.1';

afterEach(nothingLeft);

/** Wait for `condition`, as long as it takes: the test's own limit ends it. */
function* when(condition: () => boolean): Op<void> {
  while (!condition()) yield* sleep(1);
}

/** A server on a free port and an agent for its clients, both gone afterwards. */
function* serving(
  handler: http.RequestHandler,
  body: (url: string, agent: http.Agent, server: http.Server) => Op<unknown>,
  options?: http.ServerOptions,
): Op<void> {
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer(options, handler);
  yield* server.listen(0, host);
  try {
    yield* body(`http://${host}:${(server.address() as AddressInfo).port}`, agent, server);
  } finally {
    agent.destroy();
    server[Symbol.dispose]();
  }
  yield* server.untilClosed();
}

/** The errors that the hub is told of while `body` runs. */
async function reported(body: () => Op<unknown>): Promise<unknown[]> {
  const errors: unknown[] = [];
  const off = hub.on('error', (error) => void errors.push((error as Error).message));
  try {
    await run(body);
  } finally {
    off();
  }
  return errors;
}

describe('The twin of http', () => {
  it('passes what does not wait through as it is', () => {
    const { Agent, globalAgent, METHODS, STATUS_CODES, maxHeaderSize, validateHeaderName } = http;
    const theirs = {
      Agent: nodeHttp.Agent,
      globalAgent: nodeHttp.globalAgent,
      METHODS: nodeHttp.METHODS,
      STATUS_CODES: nodeHttp.STATUS_CODES,
      maxHeaderSize: nodeHttp.maxHeaderSize,
      validateHeaderName: nodeHttp.validateHeaderName,
    };
    expect({ Agent, globalAgent, METHODS, STATUS_CODES, maxHeaderSize, validateHeaderName }).toEqual(theirs);
  });
});

describe('http.get', () => {
  it('gives a response of node:http, whose body is read whole, in pieces, or by lines', async () => {
    const server = await httpServer((req, res) => {
      res.setHeader('x-path', req.url as string);
      if (req.url === '/json') res.end('{"a":[1]}');
      else if (req.url === '/lines') res.end('one\ntwo\n');
      else res.writeHead(201, 'Very Created').end('text');
    });
    await run(function* () {
      const agent = new http.Agent();
      const options = { agent };
      const text = yield* http.get(`${server.url}/text`, options);
      expect([text.statusCode, text.statusMessage, text.headers['x-path'], text.httpVersion]).toEqual([
        201,
        'Very Created',
        '/text',
        '1.1',
      ]);
      expect([yield* text.text(), yield* text.read(), text.complete]).toEqual(['text', null, true]);
      const json = yield* http.get(new URL('/json', server.url), options);
      expect(yield* json.json()).toEqual({ a: [1] });
      const lines = yield* http.get({ host, port: server.port, path: '/lines', agent });
      expect([yield* lines.readLine(), yield* lines.readLine(), yield* lines.readLine()]).toEqual(['one', 'two', null]);
      const pieces = yield* http.get(`${server.url}/text`, options);
      let all = '';
      yield* forEach(pieces, function* (chunk) {
        all += chunk;
      });
      expect(all).toBe('text');
    });
  });

  it('keeps connections as its agent says', async () => {
    const server = await httpServer((_req, res) => void res.end('x'));
    await run(function* () {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      for (let i = 0; i < 3; i += 1) yield* (yield* http.get(server.url, { agent })).text();
      (yield* http.get(server.url, { agent })).resume();
      yield* (yield* http.get(server.url, { agent })).text();
      expect(server.sockets.length).toBe(1);
      agent.destroy();
    });
  });

  it("throws Node's code where it is called", async () => {
    await run(function* () {
      const port = yield* closedPort();
      const error = yield* failure(
        (function* callerOfGet() {
          yield* http.get({ port, host });
        })(),
      );
      expect([error.code, error.stack?.includes('callerOfGet')]).toEqual(['ECONNREFUSED', true]);
    });
  });

  it.each<[string, () => unknown, object]>([
    ['a URL that is none', () => http.get('nonsense'), { code: 'ERR_INVALID_URL' }],
    ['another protocol', () => http.get('https://localhost'), { code: 'ERR_INVALID_PROTOCOL' }],
    ['another protocol in options', () => http.request({ protocol: 'ftp:' }), { code: 'ERR_INVALID_PROTOCOL' }],
    ['nothing', () => http.get(undefined as never), { code: 'ERR_INVALID_ARG_TYPE' }],
    ['a callback', () => http.get('http://x', (() => {}) as never), { code: 'ERR_INVALID_ARG_TYPE' }],
    [
      'a field with a line end',
      () => http.get('http://x', { headers: { a: 'b\r\nc: d' } }),
      { code: 'ERR_INVALID_CHAR' },
    ],
    [
      'a name that is no token',
      () => http.get('http://x', { headers: { 'a b': '' } }),
      { code: 'ERR_INVALID_HTTP_TOKEN' },
    ],
    ['a path with a blank', () => http.request({ path: '/a b' }), { code: 'ERR_UNESCAPED_CHARACTERS' }],
    ['no handler', () => http.createServer({} as never, undefined as never), { code: 'ERR_INVALID_ARG_TYPE' }],
    [
      'classes of its own',
      () => http.createServer({ ServerResponse: nodeHttp.ServerResponse } as never, function* () {}),
      { code: 'ERR_INVALID_ARG_VALUE' },
    ],
    ['a bad port', () => http.createServer(function* () {}).listen(65_536), { code: 'ERR_SOCKET_BAD_PORT' }],
    [
      'a listener callback',
      () => http.createServer(function* () {}).listen(0, (() => {}) as never),
      { code: 'ERR_INVALID_ARG_TYPE' },
    ],
  ])('refuses %s at the call', (_what, call, error) => {
    expect(call).toThrow(expect.objectContaining(error));
  });

  it('leaves no connection when it is killed or timed out: while it connects', async () => {
    const hanging = await stoppedServer();
    try {
      const before = descriptors();
      await run(function* () {
        const options = { host, port: hanging.port };
        const greenlet = spawn(() => http.get(options));
        yield* yieldNow();
        greenlet.kill();
        yield* greenlet.join();
        expect((yield* failure(timeout(20, http.get(options)))).code).toBe('ERR_TIMEOUT');
        expect((yield* failure(http.get({ ...options, timeout: 20 }))).message).toMatch(/timed out after 20 ms in GET/);
        yield* descriptorsBackAt(before);
      });
    } finally {
      await hanging.end();
    }
  });

  it('leaves no connection when it is killed or timed out: while it waits for the answer', async () => {
    const server = await httpServer(() => {});
    await run(function* () {
      const greenlet = spawn(() => http.get(server.url));
      yield* when(() => server.connections() === 1);
      greenlet.kill();
      yield* greenlet.join();
      yield* when(() => server.connections() === 0);
      expect((yield* failure(timeout(50, http.get(server.url)))).code).toBe('ERR_TIMEOUT');
      yield* when(() => server.connections() === 0);
      expect((yield* failure(http.get(server.url, { timeout: 20 }))).code).toBe('ERR_TIMEOUT');
      yield* when(() => server.connections() === 0);
    });
  });

  it('tells of a body that was cut, of an answer that is no HTTP, and of none', async () => {
    const server = await rawServer((socket, head) => {
      if (head.startsWith('GET /cut')) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc');
      else if (head.startsWith('GET /junk')) socket.end('this is no http\r\n\r\n');
      else if (head.startsWith('GET /upgrade'))
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
      else socket.destroy();
    });
    await run(function* () {
      const cut = yield* http.get(`${server.url}/cut`);
      const error = yield* failure(
        (function* callerOfText() {
          yield* cut.text();
        })(),
      );
      expect([error.code, error.stack?.includes('callerOfText'), cut.destroyed]).toEqual(['ECONNRESET', true, true]);
      expect((yield* failure(http.get(`${server.url}/junk`))).code).toMatch(/^HPE_/);
      expect((yield* failure(http.get(`${server.url}/none`))).code).toBe('ECONNRESET');
      expect((yield* failure(http.get(`${server.url}/upgrade`))).code).toBe('ECONNRESET');
      yield* when(() => server.connections() === 0);
    });
  });

  it('destroys a response whose body is too long, is no JSON, or whose reader is killed in text()', async () => {
    const server = await httpServer((req, res) => {
      if (req.url === '/endless') res.write('x');
      else res.end('x'.repeat(100));
    });
    await run(function* () {
      const agent = new http.Agent();
      const long = yield* http.get(server.url, { agent });
      expect([(yield* failure(long.text({ limit: 10 }))).code, long.destroyed]).toEqual(['ERR_BODY_TOO_LARGE', true]);
      const bad = yield* http.get(server.url, { agent });
      expect((yield* failure(bad.json())).code).toBe('ERR_JSON');
      const endless = yield* http.get(`${server.url}/endless`, { agent });
      const reader = spawn(() => endless.text());
      yield* yieldNow();
      reader.kill();
      yield* reader.join();
      expect(endless.destroyed).toBe(true);
      yield* when(() => server.connections() === 0);
    });
  });

  it('loses nothing of a body to a read that was killed, timed out, or not chosen by a select', async () => {
    let more = (): void => {};
    const server = await httpServer((_req, res) => {
      res.flushHeaders();
      more = () => void res.end('body');
    });
    await run(function* () {
      const response = yield* http.get(server.url, { agent: new http.Agent() });
      const reader = spawn(() => response.read());
      yield* yieldNow();
      expect((yield* failure(response.read())).code).toBe('ERR_BUSY');
      reader.kill();
      yield* reader.join();
      expect((yield* failure(response.setTimeout(5).read())).code).toBe('ERR_TIMEOUT');
      response.setTimeout(0);
      expect((yield* select({ body: response.read(), later: sleep(5) })).key).toBe('later');
      more();
      expect(yield* response.text()).toBe('body');
    });
  });

  it('tells who reads that the response was destroyed', async () => {
    const server = await httpServer((_req, res) => void res.write('x'));
    await run(function* () {
      const response = yield* http.get(server.url, { agent: new http.Agent() });
      yield* response.readExactly(1);
      const reader = spawn(() => failure(response.read()));
      yield* yieldNow();
      response.destroy();
      expect([(yield* reader.get()).code, (yield* failure(response.read())).code]).toEqual([
        'ERR_CLOSED',
        'ERR_CLOSED',
      ]);
      expect(() => response.resume()).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }));
      yield* when(() => server.connections() === 0);
    });
  });
});

describe('http.request', () => {
  it('sends fields and a body in pieces, and gives the response by end()', async () => {
    await run(() =>
      serving(
        function* (req, res) {
          res.setHeader('x-method', req.method as string);
          yield* res.end(`${req.headers['x-a']} ${req.headers['transfer-encoding']} ${yield* req.text()}`);
        },
        function* (url, agent) {
          const request = http.request(url, { method: 'POST', agent });
          request.setHeader('x-a', 'b').appendHeader('x-a', 'c').setHeader('x-gone', '1').removeHeader('x-gone');
          expect([request.getHeader('x-a'), request.hasHeader('x-gone'), request.headersSent, request.method]).toEqual([
            ['b', 'c'],
            false,
            false,
            'POST',
          ]);
          yield* request.write('one ');
          yield* request.write('64776f20', 'hex');
          const response = yield* request.end(Buffer.from('three'));
          expect([response.headers['x-method'], yield* response.text()]).toEqual([
            'POST',
            'b, c chunked one dwo three',
          ]);
          expect(yield* request.end()).toBe(response);
          expect((yield* failure(request.write('late'))).code).toBe('ERR_CLOSED');
        },
      ),
    );
  });

  it('waits in write() until the server takes more, and is destroyed when that wait is killed', async () => {
    const server = await httpServer(() => {});
    await run(function* () {
      const request = http.request(server.url, { method: 'POST', agent: new http.Agent() });
      let written = 0;
      const writer = spawn(function* () {
        for (;;) {
          yield* request.write(Buffer.alloc(65_536));
          written += 65_536;
        }
      });
      // What the two systems hold is some megabytes.
      for (let before = -1; before !== written; ) {
        before = written;
        yield* sleep(50);
      }
      expect(written).toBeLessThan(64 * 1024 * 1024);
      yield* when(() => writer.state === 'parked');
      writer.kill();
      yield* writer.join();
      expect(request.destroyed).toBe(true);
    });
  });

  it('tells write() and end() why it failed, then and later', async () => {
    await run(function* () {
      const port = yield* closedPort();
      const request = http.request({ port, host, method: 'POST' });
      yield* when(() => request.destroyed);
      expect([(yield* failure(request.write('x'))).code, (yield* failure(request.end())).code]).toEqual([
        'ECONNREFUSED',
        'ECONNREFUSED',
      ]);
      const given = http.request({ port, host });
      given.destroy();
      expect((yield* failure(given.end())).code).toBe('ERR_CLOSED');
    });
  });

  it('refuses chunks and encodings at the call', async () => {
    await run(function* () {
      const port = yield* closedPort();
      const request = http.request({ port, host });
      for (const call of [
        () => request.write(5 as never),
        () => request.end({} as never),
        () => request.write('x', 'nope' as never),
        () => request.end((() => {}) as never),
      ])
        expect(call).toThrow(TypeError);
      request.destroy();
      yield* when(() => request.destroyed);
    });
  });
});

describe('http.createServer', () => {
  it('answers many at once, each in a greenlet of its own', async () => {
    await run(() =>
      serving(
        function* (req, res) {
          yield* sleep(5);
          yield* res.writeHead(200, { 'x-path': req.url as string }).end(`hello ${req.url}`);
        },
        function* (url, agent) {
          const answers = yield* all(
            Array.from({ length: 50 }, (_, i) =>
              (function* () {
                const response = yield* http.get(`${url}/${i}`, { agent });
                return [response.headers['x-path'], yield* response.text()];
              })(),
            ),
          );
          expect(answers).toEqual(Array.from({ length: 50 }, (_, i) => [`/${i}`, `hello /${i}`]));
        },
      ),
    );
  });

  it('tells where a request came from and what it brought', async () => {
    await run(() =>
      serving(
        function* (req, res) {
          const lines: string[] = [];
          for (let line = yield* req.readLine(); line !== null; line = yield* req.readLine()) lines.push(line);
          res.statusCode = 202;
          res.statusMessage = 'Taken';
          yield* res.end(
            JSON.stringify([req.socket.remoteAddress, req.url, req.headersDistinct.a, req.trailers, lines]),
          );
        },
        function* (url, agent) {
          const request = http.request(`${url}/x?y`, {
            method: 'PUT',
            agent,
            headers: { a: ['1', '2'], trailer: 'x-t' },
          });
          yield* request.write('one\n');
          request.addTrailers({ 'x-t': 'end' });
          const response = yield* request.end('two\n');
          expect([response.statusCode, response.statusMessage, yield* response.json()]).toEqual([
            202,
            'Taken',
            [host, '/x?y', ['1', '2'], { 'x-t': 'end' }, ['one', 'two']],
          ]);
        },
      ),
    );
  });

  it('waits in write() and end() for a slow client, and kills the handler when it leaves', async () => {
    let written = 0;
    const ended: string[] = [];
    const errors = await reported(() =>
      serving(
        function* (_req, res) {
          try {
            for (;;) {
              yield* res.write(Buffer.alloc(65_536));
              written += 65_536;
            }
          } finally {
            ended.push('handler');
          }
        },
        function* (url, agent) {
          const response = yield* http.get(url, { agent });
          for (let before = -1; before !== written; ) {
            before = written;
            yield* sleep(50);
          }
          expect(written).toBeLessThan(64 * 1024 * 1024);
          response.destroy();
          yield* when(() => ended.length === 1);
        },
      ),
    );
    expect(errors).toEqual([]);
  });

  it('kills a handler whose client leaves before its answer, which runs its finally', async () => {
    const seen: string[] = [];
    const errors = await reported(() =>
      serving(
        function* (req, res) {
          seen.push('begun');
          try {
            if (req.method === 'POST') yield* req.text();
            yield* sleep(Number.POSITIVE_INFINITY);
            yield* res.end();
          } finally {
            seen.push('ended');
          }
        },
        function* (url) {
          const { port } = new URL(url);
          for (const head of [
            'GET / HTTP/1.1\r\nhost: x\r\n\r\n',
            'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc',
          ]) {
            seen.length = 0;
            const client = yield* connect({ host, port: Number(port) });
            yield* client.write(head);
            yield* client.flush();
            yield* when(() => seen.length === 1);
            client.close();
            yield* when(() => seen.length === 2);
          }
        },
      ),
    );
    expect([seen, errors]).toEqual([['begun', 'ended'], []]);
  });

  it('answers 500 for a handler that throws or gives no answer, and tells the hub once', async () => {
    let headCame = false;
    const errors = await reported(() =>
      serving(
        function* (req, res) {
          if (req.url === '/throws') {
            res.setHeader('x-secret', '1').statusMessage = 'Secret';
            throw new Error('the handler failed');
          }
          if (req.url === '/plain') return;
          yield* res.write('begun');
          if (req.url !== '/cut') return;
          yield* when(() => headCame);
          throw new Error('the handler failed later');
        } as http.RequestHandler,
        function* (url, agent) {
          for (const path of ['/throws', '/plain']) {
            const response = yield* http.get(url + path, { agent });
            const { statusCode, statusMessage, headers } = response;
            expect([statusCode, statusMessage, headers['x-secret'], yield* response.text()]).toEqual([
              500,
              'Internal Server Error',
              undefined,
              'Internal Server Error\n',
            ]);
          }
          const begun = yield* http.get(`${url}/begun`, { agent });
          expect([begun.statusCode, yield* begun.text()]).toEqual([200, 'begun']);
          const cut = yield* http.get(`${url}/cut`, { agent });
          headCame = true;
          expect((yield* failure(cut.text())).code).toBe('ECONNRESET');
        },
      ),
    );
    expect(errors).toEqual([
      'the handler failed',
      'request GET /plain: the handler returned without an answer: yield* res.end()',
      'the handler failed later',
    ]);
  });

  it('answers 413 and 400 for bodies that a handler cannot take, and tells nobody', async () => {
    const errors = await reported(() =>
      serving(
        function* (req, res) {
          yield* req.json({ limit: 10 });
          yield* res.end();
        },
        function* (url, agent) {
          const statuses: unknown[] = [];
          for (const body of ['{}', 'no json', `"${'x'.repeat(100)}"`]) {
            const response = yield* http.request(url, { method: 'POST', agent }).end(body);
            statuses.push(response.statusCode);
            yield* response.text();
          }
          expect(statuses).toEqual([200, 400, 413]);
        },
      ),
    );
    expect(errors).toEqual([]);
  });

  it('answers before it has read the body, or when it has read a part of it, and keeps the connection', async () => {
    await run(() =>
      serving(
        function* (req, res) {
          if (req.url === '/part') yield* req.readExactly(10);
          yield* res.end('enough');
        },
        function* (url) {
          const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
          const ports = new Set<number | undefined>();
          for (const path of ['/none', '/part', '/none']) {
            const request = http.request(url + path, { method: 'POST', agent });
            const response = yield* request.end(Buffer.alloc(1024 * 1024));
            ports.add(response.socket.localPort);
            expect([response.statusCode, yield* response.text()]).toEqual([200, 'enough']);
            yield* when(() => request.writableFinished);
          }
          expect(ports.size).toBe(1);
          agent.destroy();
        },
      ),
    );
  });

  it('is sent the rest of a request that it has answered before its end', async () => {
    await run(() =>
      serving(
        function* (_req, res) {
          yield* res.end('early');
        },
        function* (url) {
          const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
          const request = http.request(url, { method: 'POST', agent });
          yield* request.write('first');
          // Long enough for the answer to come in most cases; it must be the same if it has not.
          yield* sleep(50);
          const response = yield* request.end('last');
          expect([yield* response.text(), request.writableEnded]).toEqual(['early', true]);
          const next = yield* http.get(url, { agent });
          expect(yield* next.text()).toBe('early');
          agent.destroy();
        },
      ),
    );
  });

  it('takes a handler that is no generator function for a mistake', async () => {
    const errors = await reported(() =>
      serving((() => 5) as never, function* (url, agent) {
        const response = yield* http.get(url, { agent });
        expect([response.statusCode, yield* response.text()]).toEqual([500, 'Internal Server Error\n']);
      }),
    );
    expect(errors).toEqual([expect.stringMatching(/is it a generator function/)]);
  });

  it("keeps to Node's options and limits", async () => {
    await run(() =>
      serving(
        function* (_req, res) {
          yield* res.end('x');
        },
        function* (url, agent, server) {
          expect([server.keepAliveTimeout, server.headersTimeout]).toEqual([1234, 4321]);
          server.maxRequestsPerSocket = 1;
          const response = yield* http.get(url, { agent });
          expect([response.headers.connection, yield* response.text()]).toEqual(['close', 'x']);
          const large = yield* http.get(url, { agent, headers: { a: 'x'.repeat(2000) } });
          expect(large.statusCode).toBe(431);
          large.destroy();
        },
        { keepAliveTimeout: 1234, headersTimeout: 4321, maxHeaderSize: 1024 },
      ),
    );
  });

  it('sends what comes before and after an answer: 103, trailers', async () => {
    await run(() =>
      serving(
        function* (_req, res) {
          res.writeEarlyHints({ link: '</a>; rel=preload' });
          res.setHeader('trailer', 'x-t');
          yield* res.write('body');
          res.addTrailers({ 'x-t': 'end' });
          yield* res.end();
          expect([res.headersSent, res.writableEnded, res.writableFinished]).toEqual([true, true, true]);
          yield* res.end();
          expect((yield* failure(res.write('late'))).code).toBe('ERR_CLOSED');
        },
        function* (url, agent) {
          const response = yield* http.get(url, { agent });
          expect([yield* response.text(), response.trailers]).toEqual(['body', { 'x-t': 'end' }]);
        },
      ),
    );
  });

  it('waits in close() for requests under way, and can listen again', async () => {
    await run(function* () {
      let answer = false;
      const server = http.createServer(function* (_req, res) {
        yield* when(() => answer);
        yield* res.end('late');
      });
      expect((yield* failure(server.close())).code).toBe('ERR_SERVER_NOT_RUNNING');
      for (let i = 0; i < 2; i += 1) {
        answer = false;
        yield* server.listen({ port: 0, host });
        expect((yield* failure(server.listen(0))).code).toBe('ERR_SERVER_ALREADY_LISTEN');
        const { port } = server.address() as AddressInfo;
        const asking = spawn(function* () {
          return yield* (yield* http.get({ port, host, agent: new http.Agent() })).text();
        });
        yield* when(() => asking.state === 'parked');
        let open = 0;
        while (open === 0) open = yield* server.getConnections();
        const closing = spawn(() => server.close());
        yield* when(() => !server.listening);
        expect([(yield* failure(http.get({ port, host }))).code, closing.state]).toEqual(['ECONNREFUSED', 'parked']);
        answer = true;
        expect(yield* asking.get()).toBe('late');
        yield* closing.join();
        expect(server.address()).toBe(null);
      }
    });
  });

  it('tells listen() that it was closed meanwhile, and a second listen() that there is one', async () => {
    await run(function* () {
      const server = http.createServer(function* () {});
      const listening = spawn(() => failure(server.listen(0, host)));
      const second = spawn(() => failure(server.listen(0, host)));
      const closing = spawn(() => server.close());
      expect([(yield* listening.get()).code, (yield* second.get()).code]).toEqual([
        'ERR_SERVER_CLOSED',
        'ERR_SERVER_ALREADY_LISTEN',
      ]);
      yield* closing.get();
      expect(server.listening).toBe(false);
      yield* server.listen(0, host);
      yield* server.close();
    });
  });

  it('throws EADDRINUSE where it is called, and can try again', async () => {
    await run(function* () {
      const bare = nodeNet.createServer();
      const port = yield* bareServer(bare);
      const server = http.createServer(function* () {});
      const error = yield* failure(
        (function* callerOfListen() {
          yield* server.listen(port, host);
        })(),
      );
      expect([error.code, error.stack?.includes('callerOfListen'), server.listening]).toEqual([
        'EADDRINUSE',
        true,
        false,
      ]);
      bare.close();
      yield* server.listen(0, host);
      yield* server.close();
    });
  });

  it('leaves nothing when listen() is killed, or close() while it waits', async () => {
    const before = descriptors();
    await run(function* () {
      const server = http.createServer(function* (_req, res) {
        yield* sleep(Number.POSITIVE_INFINITY);
        yield* res.end();
      });
      const greenlet = spawn(() => server.listen(0, host));
      yield* yieldNow();
      greenlet.kill();
      yield* greenlet.join();
      if (!server.listening) yield* server.listen(0, host);
      const { port } = server.address() as AddressInfo;
      const asking = spawn(() => failure(http.get({ port, host })));
      let open = 0;
      while (open === 0) open = yield* server.getConnections();
      expect((yield* failure(timeout(20, server.close()))).code).toBe('ERR_TIMEOUT');
      expect(server.listening).toBe(false);
      server.closeAllConnections();
      yield* server.untilClosed();
      expect((yield* asking.get()).code).toBe('ECONNRESET');
      yield* descriptorsBackAt(before);
    });
  });

  it('kills its handlers and cuts its connections when it is disposed of', async () => {
    const ended: string[] = [];
    const errors = await reported(function* () {
      let asking: { get(): Op<Error & { code: string }> } | undefined;
      yield* serving(
        function* () {
          try {
            ended.push('begun');
            yield* sleep(Number.POSITIVE_INFINITY);
          } finally {
            ended.push('ended');
          }
        },
        function* (url) {
          asking = spawn(() => failure(http.get(url)));
          yield* when(() => ended.length === 1);
        },
      );
      expect((yield* (asking as { get(): Op<Error & { code: string }> }).get()).code).toBe('ECONNRESET');
    });
    expect([ended, errors]).toEqual([['begun', 'ended'], []]);
  });

  it('serves pipelined requests in their order', async () => {
    await run(() =>
      serving(
        function* (req, res) {
          // The first takes longer.
          if (req.url === '/1') yield* sleep(20);
          yield* res.end(req.url as string);
        },
        function* (url) {
          const client = yield* connect({ host, port: Number(new URL(url).port) });
          yield* client.write(
            'GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
          );
          let text = '';
          yield* forEach(client, function* (chunk) {
            text += chunk;
          });
          client.close();
          expect(text.match(/\r\n\r\n\/\d/g)).toEqual(['\r\n\r\n/1', '\r\n\r\n/2']);
        },
      ),
    );
  });

  it('answers a client of node:http', async () => {
    await run(() =>
      serving(
        function* (req, res) {
          yield* res.end(yield* req.bytes());
        },
        function* (url) {
          const answer = yield* callback<string>((done) => {
            nodeHttp
              .request(url, { method: 'POST', agent: false }, (res) => {
                let text = '';
                res.on('data', (chunk) => {
                  text += chunk;
                });
                res.on('end', () => done(null, text));
              })
              .end('echo');
          });
          expect(answer).toBe('echo');
        },
      ),
    );
  });
});
