// http-server.test.ts: http.serve: answers of every kind, bodies, keep-alive, stopping, kills, the same over the simulated network.
import net from 'node:net';
import { Readable } from 'node:stream';
import {
  Channel,
  GreenletKilledError,
  http,
  isKilled,
  listen,
  memoryPair,
  now,
  type Op,
  openHandles,
  run,
  scope,
  sleep,
  spawn,
  timeout,
} from 'tendril';
import { type SimulatedWorld, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { eventually, RawClient, served, statuses } from './http-exchanges.ts';
import { failure, host, nothingLeft } from './peers.ts';

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

function* pieces(): Op<http.Answer> {
  return { body: ['one ', Buffer.from('two '), 'three'] };
}

describe('A handler of http.serve', () => {
  it('answers with text, bytes, JSON, a status, headers, or nothing in the body', () =>
    served(
      function* (request) {
        switch (request.path) {
          case '/text':
            return 'plain ä';
          case '/bytes':
            return Buffer.from([1, 2, 3]);
          case '/view':
            return { body: new Uint16Array([1, 2]) };
          case '/json':
            return { json: { a: [1, null] } };
          case '/form':
            return { body: new URLSearchParams({ a: '1 2' }) };
          case '/created':
            return { status: 201, headers: { location: '/x', 'set-cookie': ['a=1', 'b=2'] } };
          default:
            return { status: 204 };
        }
      },
      function* ({ url }) {
        const seen: unknown[] = [];
        for (const path of ['/text', '/bytes', '/view', '/json', '/form', '/created', '/none']) {
          const { status, headers, body } = yield* http.get(url + path);
          const bytes = yield* body.bytes();
          seen.push([path, status, headers['content-type'], headers['content-length'], bytes.toString('latin1')]);
          if (path === '/created') expect(headers['set-cookie']).toEqual(['a=1', 'b=2']);
        }
        expect(seen).toEqual([
          ['/text', 200, 'text/plain; charset=utf-8', '8', Buffer.from('plain ä').toString('latin1')],
          ['/bytes', 200, 'application/octet-stream', '3', '\x01\x02\x03'],
          ['/view', 200, 'application/octet-stream', '4', '\x01\0\x02\0'],
          ['/json', 200, 'application/json', '14', '{"a":[1,null]}'],
          ['/form', 200, 'application/x-www-form-urlencoded;charset=UTF-8', '5', 'a=1+2'],
          ['/created', 201, undefined, '0', ''],
          ['/none', 204, undefined, undefined, ''],
        ]);
      },
    ));

  const sources: Readonly<Record<string, () => http.AnswerBody>> = {
    'an iterable': () => ['one ', Buffer.from('two '), 'three'],
    'a generator': () =>
      (function* () {
        yield 'one ';
        yield 'two ';
        yield 'three';
      })(),
    'an async iterable': () =>
      (async function* () {
        yield 'one ';
        await null;
        yield 'two three';
      })(),
    'a stream of Node': () => Readable.from(['one ', 'two ', 'three']),
    'a stream of the web': () => new Blob(['one two three']).stream() as unknown as AsyncIterable<Uint8Array>,
    'a function that writes': () =>
      function* (response) {
        yield* response.write('one ');
        yield* sleep(1);
        yield* response.write('two three');
      },
    'a channel': () => {
      const channel = new Channel<string>(3);
      for (const text of ['one ', 'two ', 'three']) channel.trySend(text);
      channel.close();
      return channel;
    },
    'a byte reader': () => {
      const [near, far] = memoryPair();
      spawn(function* () {
        yield* far.write('one two three');
        yield* far.closeGracefully();
      });
      return near;
    },
  };
  for (const [name, source] of Object.entries(sources)) {
    it(`answers with the pieces of ${name}`, () =>
      served(
        function* () {
          const body = source();
          return { headers: { 'x-kind': name }, body };
        },
        function* ({ url }) {
          const response = yield* http.get(url);
          expect([response.headers['transfer-encoding'], yield* response.text()]).toEqual(['chunked', 'one two three']);
        },
      ));
  }

  it('is slowed by a client that reads slowly: what is ahead of it is bounded', () => {
    let made = 0;
    return served(
      function* () {
        return {
          body: (function* () {
            for (; made < 2000; made += 1) yield Buffer.alloc(65_536);
          })(),
        };
      },
      function* ({ port }) {
        const client = new RawClient(port);
        client.socket.pause();
        client.send(GET);
        yield* eventually(() => made > 1);
        let before = -1;
        while (before !== made) {
          before = made;
          yield* sleep(50);
        }
        expect(made).toBeLessThan(500);
        client.close();
      },
    );
  });

  it('closes a source that it does not read to its end, when the client leaves', () => {
    let closed = 0;
    return served(
      function* () {
        return {
          body: {
            *read(): Op<Buffer> {
              yield* sleep(1);
              return Buffer.alloc(10);
            },
            close: () => void (closed += 1),
          },
        };
      },
      function* ({ port }) {
        const client = new RawClient(port).send(GET);
        yield* client.has('HTTP');
        client.socket.resetAndDestroy();
        yield* eventually(() => closed === 1);
      },
    );
  });

  it('writes bit by bit, with a status, fields and trailers, and each piece is there when it is written', () =>
    served(
      function* (request, response) {
        response.status = 202;
        response.setHeader('x-a', 'old').setHeader('X-A', 'new').setTrailers({ 'x-sum': '6' });
        expect([response.begun, response.ended]).toEqual([false, false]);
        yield* response.write('one');
        yield* request.body.read();
        expect([response.begun, response.ended]).toEqual([true, false]);
        expect(() => response.setHeader('late', '1')).toThrow('its head is on its way');
        yield* response.end('two');
        yield* response.end();
        expect((yield* failure(response.write('more'))).code).toBe('ERR_CLOSED');
      },
      function* ({ port }) {
        const client = new RawClient(port).send('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
        const head = yield* client.has('one');
        expect(head).toContain('202 Accepted');
        expect(head.match(/x-a: \w+/gi)).toEqual(['X-A: new']);
        yield* client.send('1\r\nx\r\n').has('x-sum: 6');
        yield* client.has('two');
        client.close();
      },
    ));

  it('reads a request: method, path, query, fields, body, trailers', () =>
    served(
      function* (request) {
        const body = yield* request.text();
        const { method, path, url, search, query, headers, trailers, httpVersion } = request;
        expect(Object.getPrototypeOf(headers)).toBe(null);
        expect(Object.getPrototypeOf(query)).toBe(null);
        return { json: { method, path, url, search, query, many: headers['x-many'], body, trailers, httpVersion } };
      },
      function* ({ port }) {
        const client = new RawClient(port).send(
          'PUT /a%20b/../c?x=1&x=2&y=%C3%A4&__proto__=z HTTP/1.1\r\nhost: a\r\nX-Many: 1\r\nx-many: 2\r\n__proto__: 3\r\ntransfer-encoding: chunked\r\n\r\n' +
            '5\r\nhello\r\n0\r\nx-t: end\r\n\r\n',
        );
        const text = yield* client.has('"1.1"}');
        client.close();
        expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toEqual({
          method: 'PUT',
          path: '/a%20b/../c',
          url: '/a%20b/../c?x=1&x=2&y=%C3%A4&__proto__=z',
          search: 'x=1&x=2&y=%C3%A4&__proto__=z',
          query: { x: '1', y: Buffer.from('ä').toString('latin1') },
          many: '1, 2',
          body: 'hello',
          trailers: { 'x-t': 'end' },
          httpVersion: '1.1',
        });
      },
    ));

  it('reads forms of both kinds, and refuses what is none', () =>
    served(
      function* (request) {
        const form = yield* request.form();
        const file = form.get('file');
        const content = file instanceof Blob ? file.size : null;
        return { json: [form.get('name'), form.getAll('town'), content] };
      },
      function* ({ url }) {
        const fields = new URLSearchParams([
          ['name', 'Ada & Co'],
          ['town', 'a'],
          ['town', 'b'],
        ]);
        expect(yield* (yield* http.post(url, { body: fields })).json()).toEqual(['Ada & Co', ['a', 'b'], null]);
        const part = (name: string, more: string, value: string): string =>
          `--XX\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
        const body = `${part('name', '', 'Ada')}${part('town', '', 'c')}${part('file', '; filename="a.bin"', 'x'.repeat(100_000))}--XX--\r\n`;
        const headers = { 'content-type': 'multipart/form-data; boundary=XX' };
        expect(yield* (yield* http.post(url, { headers, body })).json()).toEqual(['Ada', ['c'], 100_000]);
        expect((yield* http.post(url, { headers, body: 'nothing of the kind' })).status).toBe(400);
        expect((yield* http.post(url, { headers: { 'content-type': 'text/plain' }, body: 'a' })).status).toBe(415);
        expect((yield* http.post(url)).status).toBe(415);
      },
    ));

  it('reads a body piece by piece, and loses nothing when a read times out', () =>
    served(
      function* (request) {
        const lines: string[] = [];
        for (;;) {
          const line = yield* timeout(5, request.body.readLine(), { else: undefined });
          if (line === null) return lines.join('|');
          if (line !== undefined) lines.push(line);
        }
      },
      function* ({ port }) {
        const client = new RawClient(port).send('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\none\ntw');
        yield* sleep(15);
        client.send('o\nth');
        yield* sleep(15);
        yield* client.send('r\n').has('one|two|thr');
        client.close();
      },
    ));

  it('takes an upload of 20 MB with little of it in memory, and answers HEAD without a body', () =>
    served(
      function* (request) {
        let size = 0;
        for (let chunk = yield* request.body.read(); chunk !== null; chunk = yield* request.body.read())
          size += chunk.length;
        return String(size);
      },
      function* ({ url }) {
        const body = (function* () {
          for (let i = 0; i < 320; i += 1) yield Buffer.alloc(65_536);
        })();
        expect(yield* (yield* http.post(url, { body })).text()).toBe(String(320 * 65_536));
        const head = yield* http.head(url);
        expect([head.status, head.headers['content-length'], yield* head.text()]).toEqual([200, '1', '']);
      },
    ));
});

describe('A connection', () => {
  it('serves one request after the other, also such as were sent ahead, in order and one at a time', () => {
    let running = 0;
    return served(
      function* (request) {
        running += 1;
        expect(running).toBe(1);
        yield* sleep(2);
        running -= 1;
        return `<${request.path}>`;
      },
      function* ({ port, server }) {
        const client = new RawClient(port);
        client.send([1, 2, 3, 4, 5].map((i) => GET.replace('/', `/${i}`)).join(''));
        yield* client.has('</5>');
        expect(client.text.match(/<\/\d>/g)).toEqual(['</1>', '</2>', '</3>', '</4>', '</5>']);
        expect(server.stats).toMatchObject({ accepted: 1, requests: 5 });
        client.close();
      },
    );
  });

  it('is closed when the client asks for it, in HTTP/1.0, and after so many requests', () =>
    served(
      pieces,
      function* ({ port }) {
        expect(
          statuses(yield* new RawClient(port).send('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n').rest()),
        ).toEqual([200]);
        expect(yield* new RawClient(port).send('GET / HTTP/1.0\r\n\r\n').rest()).toMatch(/\r\n\r\none two three$/);
        const text = yield* new RawClient(port).send(GET.repeat(3)).rest();
        expect(statuses(text)).toEqual([200, 200, 200]);
      },
      { maxRequests: 3 },
    ));

  it('is closed when a handler leaves most of a body unread', () =>
    served(
      function* () {
        return 'enough';
      },
      function* ({ port }) {
        const client = new RawClient(port);
        client.send(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10000000\r\n\r\n${'x'.repeat(200_000)}`);
        const text = yield* client.rest();
        expect(text).toContain('enough');
        expect(text.toLowerCase()).toContain('connection: close');
      },
    ));

  it('beyond maxConnections is dropped and counted', () =>
    served(
      pieces,
      function* ({ port, server }) {
        const first = new RawClient(port).send(GET);
        yield* first.has('three');
        expect(statuses(yield* new RawClient(port).send(GET).rest())).toEqual([]);
        expect(server.stats).toMatchObject({ connections: 1, dropped: 1 });
        first.close();
        yield* eventually(() => server.stats.connections === 0);
        const next = new RawClient(port).send(GET);
        yield* next.has('three');
        next.close();
      },
      { maxConnections: 1 },
    ));
});

describe('http.serve', () => {
  it('checks its arguments at the call', () => {
    const handler = pieces;
    const bad: [unknown, unknown, unknown, string][] = [
      [5, handler, undefined, 'ERR_INVALID_ARG_TYPE'],
      [{ port: -1 }, handler, undefined, 'ERR_SOCKET_BAD_PORT'],
      [{ port: 0 }, 'x', undefined, 'ERR_INVALID_ARG_TYPE'],
      [{ port: 0 }, handler, 5, 'ERR_INVALID_ARG_TYPE'],
      [{ port: 0 }, handler, { keepAliveMs: -1 }, 'ERR_INVALID_ARG_TYPE'],
      [{ port: 0 }, handler, { maxHeaders: 0 }, 'ERR_OUT_OF_RANGE'],
      [{ port: 0 }, handler, { tls: 5 }, 'ERR_INVALID_ARG_TYPE'],
    ];
    for (const [target, given, options, code] of bad) {
      expect(() => http.serve(target as never, given as never, options as never)).toThrow(
        expect.objectContaining({ code }),
      );
    }
  });

  it('stops: idle connections at once, requests under way with their answer and connection: close, no new ones', () => {
    const gate = new Channel<void>();
    return served(
      function* (request) {
        if (request.path === '/slow') yield* gate.receive();
        return 'done';
      },
      function* ({ port, server, s }) {
        const idle = new RawClient(port).send(GET);
        yield* idle.has('done');
        const busy = new RawClient(port).send(GET.replace('/', '/slow'));
        yield* eventually(() => server.stats.inFlight === 1);
        const stopping = s.spawn(() => server.stop({ graceMs: 60_000 }));
        expect(statuses(yield* idle.rest())).toEqual([200]);
        expect(server.closed).toBe(false);
        expect(yield* failure(http.get(`http://${host}:${port}/`))).toMatchObject({ code: 'ECONNREFUSED' });
        yield* gate.send(undefined);
        const text = yield* busy.rest();
        expect(text).toContain('done');
        expect(text.toLowerCase()).toContain('connection: close');
        yield* stopping.join();
        expect(server.closed).toBe(true);
        yield* server.stop();
      },
    );
  });

  it('kills what is still at work when the grace is over; its finally runs', () => {
    const log: unknown[] = [];
    return served(
      function* () {
        try {
          return yield* sleep(Number.POSITIVE_INFINITY) as Op<never>;
        } catch (error) {
          log.push(isKilled(error));
          throw error;
        }
      },
      function* ({ port, server }) {
        const client = new RawClient(port).send(GET);
        yield* eventually(() => server.stats.inFlight === 1);
        yield* server.stop({ graceMs: 30 });
        expect(statuses(yield* client.rest())).toEqual([]);
        expect(log).toEqual([true]);
      },
    );
  });

  it('is stopped by a kill of its greenlet, with its grace', () => {
    const gate = new Channel<void>();
    return served(
      function* () {
        yield* gate.receive();
        return 'done';
      },
      function* ({ port, server, running }) {
        const client = new RawClient(port).send(GET);
        yield* eventually(() => server.stats.inFlight === 1);
        running.kill();
        yield* gate.send(undefined);
        expect(yield* client.rest()).toContain('done');
        expect(yield* failure(running.get())).toBeInstanceOf(GreenletKilledError);
      },
    );
  });

  it('ends when its listener is closed, after what is under way', async () => {
    await run(function* () {
      const gate = new Channel<void>();
      const listener = yield* listen({ host, port: 0 });
      const server = http.serve(listener, function* () {
        yield* gate.receive();
        return 'done';
      });
      expect(server.address).toBe(listener.address);
      const running = spawn(() => server);
      const client = new RawClient(listener.address.port).send(GET);
      yield* eventually(() => server.stats.inFlight === 1);
      listener.close();
      yield* gate.send(undefined);
      expect(yield* client.rest()).toContain('done');
      yield* running.get();
      expect(server.closed).toBe(true);
    });
    nothingLeft();
  });

  it('that waits for what is under way, because its listener was closed, still heeds a stop', async () => {
    await run(function* () {
      const listener = yield* listen({ host, port: 0 });
      const server = http.serve(listener, function* (): Op<string> {
        yield* sleep(Number.POSITIVE_INFINITY);
        return 'never';
      });
      const running = spawn(() => server);
      const client = new RawClient(listener.address.port).send(GET);
      yield* eventually(() => server.stats.inFlight === 1);
      listener.close();
      yield* sleep(5);
      expect(server.closed).toBe(false);
      yield* server.stop({ graceMs: 10 });
      yield* running.get();
      expect(yield* client.rest()).toBe('');
    });
    nothingLeft();
  });

  it('that cannot listen says so to who runs it and who waits for it; one that is stopped first never runs', async () => {
    await run(function* () {
      const taken = net.createServer();
      yield* scope(function* (s) {
        const first = http.serve({ host, port: 0 }, pieces);
        s.spawn(() => first);
        const { port } = yield* first.ready();
        const second = http.serve({ host, port }, pieces);
        const running = spawn(() => second);
        expect((yield* failure(second.ready())).code).toBe('EADDRINUSE');
        expect((yield* failure(running.get())).code).toBe('EADDRINUSE');
        expect((yield* failure(first)).code).toBe('ERR_OP_REUSED');
        yield* first.stop();
        const third = http.serve({ host, port: 0 }, pieces);
        yield* third.stop();
        expect((yield* failure(third.ready())).code).toBe('ERR_CLOSED');
        yield* third;
      });
      taken.close();
    });
    nothingLeft();
  });
});

describe('http.serve over the simulated network', () => {
  function server(world: SimulatedWorld): void {
    world.net.host('server', {
      *main() {
        yield* http.serve({ port: 80 }, function* (request) {
          if (request.path === '/slow') yield* sleep(30_000);
          return { json: { path: request.path, body: yield* request.text() } };
        });
      },
    });
  }

  it('is served by the same code, in virtual time, with the same limits', async () => {
    const before = openHandles();
    const { value, elapsedMs } = await simulate(
      function* (world) {
        server(world);
        try {
          const texts: unknown[] = [];
          texts.push(yield* (yield* http.get('http://server/a')).json());
          texts.push(yield* (yield* http.post('http://server/b', { body: 'x'.repeat(100_000) })).json());
          texts.push(yield* (yield* http.get('http://server/slow')).json());
          const startedMs = now();
          texts.push(yield* timeout(100, http.get('http://server/slow'), { else: 'gave up' }));
          return [texts.map((text) => JSON.stringify(text).length), now() - startedMs];
        } finally {
          world.net.host('server').crash();
        }
      },
      { maxMs: 10_000_000 },
    );
    expect(value).toEqual([[23, 100_023, 26, 9], 100]);
    expect(elapsedMs).toBeGreaterThan(30_000);
    expect(openHandles()).toEqual(before);
  });
});
