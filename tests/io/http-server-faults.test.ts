// http-server-faults.test.ts: what clients do wrong, on real sockets: the server answers what the standard says, and serves the others.
import { current, http, type Op, sleep } from 'tendril';
import { describe, expect, it } from 'vitest';
import { eventually, RawClient, served, statuses } from './http-exchanges.ts';

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
const post = (fields: string, rest = ''): string => `POST / HTTP/1.1\r\nhost: a\r\n${fields}\r\n\r\n${rest}`;

function* readsAll(request: http.ServerRequest): Op<string> {
  return `got ${yield* request.text()}`;
}
function* ok(): Op<string> {
  return 'ok';
}

describe('F70: a request that two servers could understand differently', () => {
  const chunked = 'transfer-encoding: chunked';
  const bad: Readonly<Record<string, string>> = {
    'both content-length and transfer-encoding': post(`content-length: 5\r\n${chunked}`, '0\r\n\r\n'),
    'transfer-encoding and content-length': post(`${chunked}\r\ncontent-length: 5`, '0\r\n\r\n'),
    'two content-lengths that differ': post('content-length: 5\r\ncontent-length: 6', 'hello!'),
    'two content-lengths that agree': post('content-length: 5\r\ncontent-length: 5', 'hello'),
    'a list of content-lengths': post('content-length: 5, 5', 'hello'),
    'content-length +5': post('content-length: +5', 'hello'),
    'content-length 0x5': post('content-length: 0x5', 'hello'),
    'content-length -5': post('content-length: -5', 'hello'),
    'an empty content-length': post('content-length:', 'hello'),
    'a content-length beyond 64 bits': post('content-length: 99999999999999999999999', 'hello'),
    'chunk size +5': post(chunked, '+5\r\nhello\r\n0\r\n\r\n'),
    'chunk size 0x5': post(chunked, '0x5\r\nhello\r\n0\r\n\r\n'),
    'a chunk size beyond 64 bits': post(chunked, 'ffffffffffffffffffff\r\nhello\r\n0\r\n\r\n'),
    'LF in a chunk extension': post(chunked, '5;a\nb\r\nhello\r\n0\r\n\r\n'),
    'CR in a chunk extension': post(chunked, '5;a\rb\r\nhello\r\n0\r\n\r\n'),
    'a chunk size that ends in a bare LF': post(chunked, '5\nhello\r\n0\r\n\r\n'),
    'a chunk that ends in a bare LF': post(chunked, '5\r\nhello\n0\r\n\r\n'),
    'a last chunk with bare LFs': post(chunked, '5\r\nhello\r\n0\n\n'),
    'bare LFs throughout': 'GET / HTTP/1.1\nhost: a\n\n',
    'a bare LF after a field': 'GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n',
    'a bare LF after the request line': 'GET / HTTP/1.1\nhost: a\r\n\r\n',
    'a bare CR in a value': 'GET / HTTP/1.1\r\nhost: a\r\nx: y\rz: 1\r\n\r\n',
    'a folded line': 'GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n',
    'a folded line by a tab': 'GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n\tz\r\n\r\n',
    'a folded transfer-encoding': post('transfer-encoding:\r\n chunked', '0\r\n\r\n'),
    'a blank before the first field': 'GET / HTTP/1.1\r\n host: a\r\n\r\n',
    'a blank before the colon': 'GET / HTTP/1.1\r\nhost : a\r\n\r\n',
    'a blank before the colon of content-length': post('content-length : 5', 'hello'),
    'transfer-encoding twice': post(`${chunked}\r\n${chunked}`, '0\r\n\r\n'),
    'transfer-encoding: chunked, identity': post('transfer-encoding: chunked, identity', '0\r\n\r\n'),
    'transfer-encoding: xchunked': post('transfer-encoding: xchunked', '0\r\n\r\n'),
    'transfer-encoding in HTTP/1.0': `POST / HTTP/1.0\r\nhost: a\r\n${chunked}\r\n\r\n0\r\n\r\n`,
    'no host': 'GET / HTTP/1.1\r\n\r\n',
    'two hosts': 'GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n',
    'NUL in a value': 'GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n',
    'a name of a field that is no token': 'GET / HTTP/1.1\r\nhost: a\r\nx(): b\r\n\r\n',
    'no name of a field': 'GET / HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n',
    'a blank in the path': 'GET / x HTTP/1.1\r\nhost: a\r\n\r\n',
    'a method that does not exist': 'FROB / HTTP/1.1\r\nhost: a\r\n\r\n',
    'what is no HTTP': '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03',
  };

  it(`F70: is refused with 400, and what follows it is no request (${Object.keys(bad).length} kinds)`, async () => {
    const seen: Record<string, number[]> = {};
    const errors = await served(readsAll, function* ({ port, server }) {
      for (const [name, text] of Object.entries(bad)) {
        seen[name] = statuses(
          yield* new RawClient(port).send(`${text}GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n`).rest(),
        );
      }
      expect(server.stats.connections).toBeLessThanOrEqual(1);
      const good = new RawClient(port).send(GET);
      yield* good.has('got ');
      good.close();
    });
    expect(seen).toEqual(Object.fromEntries(Object.keys(bad).map((name) => [name, [400]])));
    expect(errors).toEqual([]);
  });

  it('F70: is refused also when the handler asks for nothing of the body', () =>
    served(ok, function* ({ port }) {
      const text = post(chunked, '+5\r\nhello\r\n0\r\n\r\n');
      expect(statuses(yield* new RawClient(port).send(text + GET).rest())).toEqual([400]);
    }));

  it('F70: is an error in the handler that reads when its body breaks on the way', () => {
    const seen: unknown[] = [];
    return served(
      function* (request) {
        seen.push('begun');
        try {
          return yield* request.text();
        } catch (error) {
          seen.push((error as { code: string }).code, error instanceof http.ParseError);
          throw error;
        }
      },
      function* ({ port }) {
        const client = new RawClient(port).send(post(chunked, '5\r\nhello\r\n'));
        yield* eventually(() => seen.length === 1);
        expect(statuses(yield* client.send('0x5\r\n').rest())).toEqual([400]);
        expect(seen).toEqual(['begun', 'ERR_PARSE', true]);
      },
    );
  });

  it('answers codings and versions that it does not have with 501 and 505', () =>
    served(ok, function* ({ port }) {
      const coded = post('transfer-encoding: gzip, chunked', '0\r\n\r\n');
      expect(statuses(yield* new RawClient(port).send(coded + GET).rest())).toEqual([501]);
      expect(statuses(yield* new RawClient(port).send('GET / HTTP/2.0\r\nhost: a\r\n\r\n').rest())).toEqual([505]);
      expect(statuses(yield* new RawClient(port).send('CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n').rest())).toEqual([
        405,
      ]);
      expect(
        statuses(yield* new RawClient(port).send(`GET / HTTP/1.1\r\nhost: a\r\nexpect: x\r\n\r\n`).rest()),
      ).toEqual([417]);
    }));

  it('refuses what comes after a good request only when that has been answered', () =>
    served(
      function* () {
        yield* sleep(20);
        return 'first';
      },
      function* ({ port }) {
        const text = yield* new RawClient(port).send(`${GET}GARBAGE\r\n\r\n`).rest();
        expect(statuses(text)).toEqual([200, 400]);
        expect(text).toContain('first');
      },
    ));
});

describe('F71: too much', () => {
  it('F71: a head of more than 16 KiB is refused with 431', () =>
    served(ok, function* ({ port }) {
      const head = `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(17_000)}\r\n\r\n`;
      expect(statuses(yield* new RawClient(port).send(head + GET).rest())).toEqual([431]);
      const endless = `GET /${'y'.repeat(17_000)}`;
      expect(statuses(yield* new RawClient(port).send(endless).rest())).toEqual([431]);
    }));

  it('F71: more than 2000 fields, and more than 100, are refused with 431; 100 are served', () =>
    served(ok, function* ({ port }) {
      const withFields = (count: number): string => `GET / HTTP/1.1\r\nhost: a\r\n${'x:y\r\n'.repeat(count - 1)}\r\n`;
      expect(statuses(yield* new RawClient(port).send(withFields(2500)).rest())).toEqual([431]);
      expect(statuses(yield* new RawClient(port).send(withFields(101)).rest())).toEqual([431]);
      const client = new RawClient(port).send(withFields(100));
      yield* client.has('ok');
      client.close();
    }));

  it('F71: chunk extensions of more than 16 KiB are refused with 413', () =>
    served(readsAll, function* ({ port }) {
      const text = post('transfer-encoding: chunked', `5;${'x'.repeat(17_000)}\r\nhello\r\n0\r\n\r\n`);
      expect(statuses(yield* new RawClient(port).send(text).rest())).toEqual([413]);
    }));

  it('F71: a body above the limit is refused with 413, before it is sent if its length is told', async () => {
    const errors = await served(
      readsAll,
      function* ({ port }) {
        const told = new RawClient(port).send(post('content-length: 11\r\nexpect: 100-continue'));
        expect(statuses(yield* told.rest())).toEqual([413]);
        const untold = new RawClient(port).send(post('transfer-encoding: chunked', 'b\r\nhello world\r\n'));
        expect(statuses(yield* untold.rest())).toEqual([413]);
        const fits = new RawClient(port).send(post('content-length: 10', 'hello worl'));
        yield* fits.has('got hello worl');
        fits.close();
      },
      { bodyLimit: 10 },
    );
    expect(errors).toEqual([]);
  });
});

describe('F75: 100-continue', () => {
  it('F75: is sent when the handler asks for the body, and not before', () =>
    served(readsAll, function* ({ port }) {
      const client = new RawClient(port).send(post('content-length: 5\r\nexpect: 100-continue'));
      yield* client.has('100 Continue\r\n\r\n');
      yield* client.send('hello').has('got hello');
      expect(statuses(client.text)).toEqual([100, 200]);
      client.close();
    }));

  it('F75: is not sent when the handler answers without the body; the connection is closed', () =>
    served(
      function* () {
        return { status: 403, body: 'no' };
      },
      function* ({ port }) {
        const text = yield* new RawClient(port).send(post('content-length: 5\r\nexpect: 100-continue')).rest();
        expect(statuses(text)).toEqual([403]);
        expect(text.toLowerCase()).toContain('connection: close');
      },
    ));
});

describe('F76: clients that take their time', () => {
  it('F76: a head byte by byte is answered 408 when its time is over, and good clients are served meanwhile', () =>
    served(
      ok,
      function* ({ port, server, s }) {
        const slow = new RawClient(port);
        const dripping = s.spawn(function* () {
          for (const letter of GET.repeat(10)) {
            slow.send(letter);
            yield* sleep(20);
          }
        });
        // On a machine that stands still for so long a good client may be late too; it tries again.
        for (let served = false; !served; ) {
          const good = new RawClient(port).send(GET);
          yield* good.until(({ text, closed, ended }) => text.includes('ok') || closed || ended);
          served = good.text.includes('ok');
          good.close();
        }
        const silent = new RawClient(port);
        expect(statuses(yield* slow.rest())).toEqual([408]);
        expect(statuses(yield* silent.rest())).toEqual([408]);
        expect(server.stats.timedOut).toBeGreaterThanOrEqual(2);
        dripping.kill();
      },
      { headTimeoutMs: 300 },
    ));

  it('F76: a body below 500 bytes a second is answered 408 when its window is over', async () => {
    const errors = await served(
      readsAll,
      function* ({ port, server, s }) {
        const slow = new RawClient(port).send(post('content-length: 1000'));
        const dripping = s.spawn(function* () {
          for (;;) {
            yield* sleep(20);
            slow.send('x');
          }
        });
        expect(statuses(yield* slow.rest())).toEqual([408]);
        expect(server.stats).toMatchObject({ timedOut: 1, refused: 1 });
        dripping.kill();
      },
      { bodyWindowMs: 150 },
    );
    expect(errors).toEqual([]);
  });

  it('F76: a body that comes in time is taken, however long it is, and one that we hold back is not blamed', () =>
    served(
      function* (request) {
        yield* request.body.read(1);
        yield* sleep(900);
        let size = 1;
        for (let chunk = yield* request.body.read(); chunk !== null; chunk = yield* request.body.read())
          size += chunk.length;
        return String(size);
      },
      function* ({ port }) {
        const client = new RawClient(port).send(post('content-length: 3000000', 'x'.repeat(3_000_000)));
        yield* client.has('3000000');
        client.close();
      },
      { bodyWindowMs: 400 },
    ));

  it('F76: an idle connection is closed when its time is over, and says so before', () =>
    served(
      ok,
      function* ({ port }) {
        const client = new RawClient(port).send(GET);
        expect((yield* client.has('ok')).toLowerCase()).toContain('connection: keep-alive');
        expect(statuses(yield* client.rest())).toEqual([200]);
      },
      { keepAliveMs: 120 },
    ));

  it('a client that does not read its answer is cut when it has taken nothing for the write stall', () =>
    served(
      function* (_request, response) {
        for (;;) yield* response.write(Buffer.alloc(65_536));
      },
      function* ({ port, server }) {
        const client = new RawClient(port);
        client.socket.pause();
        client.send(GET);
        yield* eventually(() => server.stats.timedOut === 1 && server.stats.connections === 0);
        client.close();
      },
      { writeStallMs: 100 },
    ));
});

describe('F78: the client leaves', () => {
  for (const [how, leave] of [
    ['by a close', (client: RawClient) => client.socket.destroy()],
    ['by a reset', (client: RawClient) => client.socket.resetAndDestroy()],
    ['by ending its side', (client: RawClient) => client.socket.end()],
  ] as const) {
    it(`F78: ${how} while the handler works: it is killed, its finally runs, nobody is told of what it cannot write`, async () => {
      const log: string[] = [];
      const errors = await served(
        function* (_request, response) {
          try {
            yield* response.write('begun');
            yield* sleep(Number.POSITIVE_INFINITY);
          } finally {
            log.push('cleaned up');
          }
        },
        function* ({ port, server }) {
          const client = new RawClient(port).send(GET);
          yield* client.has('begun');
          leave(client);
          yield* eventually(() => log.length > 0 && server.stats.connections === 0);
          expect(server.stats).toMatchObject({ abandoned: 1, handlerErrors: 0, inFlight: 0 });
          client.close();
        },
      );
      expect({ log, errors }).toEqual({ log: ['cleaned up'], errors: [] });
    });
  }

  it('F78: in the middle of its body: the handler that reads it is killed', () => {
    let ended = '';
    return served(
      function* (request) {
        try {
          return yield* request.text();
        } finally {
          ended = current().state;
        }
      },
      function* ({ port, server }) {
        const client = new RawClient(port).send(post('content-length: 100', 'half'));
        yield* eventually(() => server.stats.inFlight === 1);
        client.close();
        yield* eventually(() => server.stats.connections === 0);
        expect(ended).toBe('running');
      },
    );
  });

  it('F78: before the handler has run, and while it writes more than the client takes', () =>
    served(
      function* (_request, response) {
        for (;;) yield* response.write(Buffer.alloc(65_536));
      },
      function* ({ port, server }) {
        for (let i = 0; i < 10; i += 1) {
          const client = new RawClient(port).send(GET);
          if (i % 2 === 0) yield* client.has('HTTP');
          client.socket.resetAndDestroy();
        }
        yield* eventually(() => server.stats.connections === 0 && server.stats.inFlight === 0);
      },
    ));

  it('answers a client that ends its side right after its request', () =>
    served(ok, function* ({ port }) {
      const client = new RawClient(port);
      client.socket.end(GET);
      expect(yield* client.rest()).toContain('ok');
    }));
});

describe('F79: what handlers do wrong', () => {
  it('F79: one that returns without an answer is answered 500, and the hub is told once', async () => {
    const errors = await served(
      function* () {},
      function* ({ port }) {
        const client = new RawClient(port).send(GET);
        expect(yield* client.has('Internal Server Error\n')).not.toContain('handler');
        client.close();
      },
    );
    expect(errors.map((error) => (error as { code: string }).code)).toEqual(['ERR_NO_ANSWER']);
  });

  it('F79: one that answers twice: the second answer is dropped, with a warning', async () => {
    const warnings: string[] = [];
    const listen = (warning: Error & { code?: string }): void => void warnings.push(warning.code ?? '');
    process.on('warning', listen);
    await served(
      function* (_request, response) {
        yield* response.end('first');
        return 'second';
      },
      function* ({ port }) {
        const client = new RawClient(port).send(GET);
        yield* client.has('first');
        yield* client.send(GET).until(({ text }) => statuses(text).length === 2);
        expect(client.text).not.toContain('second');
        yield* eventually(() => warnings.length === 2);
        client.close();
      },
    );
    process.off('warning', listen);
    expect(warnings).toEqual(['ERR_ANSWERED_TWICE', 'ERR_ANSWERED_TWICE']);
  });

  it('F79: one that throws is answered 500 without details; after the head the connection is cut, not ended', async () => {
    const wrong = new Error('a secret');
    const errors = await served(
      function* (request, response) {
        if (request.path === '/late') yield* response.write('part');
        throw wrong;
      },
      function* ({ port, server }) {
        const early = new RawClient(port).send(GET);
        const text = yield* early.has('Internal Server Error\n');
        expect(statuses(text)).toEqual([500]);
        expect(text).not.toContain('secret');
        early.close();
        const late = yield* new RawClient(port).send('GET /late HTTP/1.1\r\nhost: a\r\n\r\n').rest();
        expect(late).not.toContain('0\r\n\r\n');
        expect(server.stats.handlerErrors).toBe(2);
      },
    );
    expect(errors).toEqual([wrong, wrong]);
  });

  it('F79: one that returns what is no answer, or may not be sent, is answered 500', async () => {
    const answers: unknown[] = [
      5,
      true,
      null,
      [],
      {},
      { hello: 1 },
      { status: 99 },
      { status: 'x' },
      { headers: { 'a b': 'c' } },
      { headers: { a: 'b\r\nc' } },
      { body: 5 },
      { json: undefined, body: {} },
      { json: 1n },
      { json: 1, body: '' },
      { trailers: { a: 'ä\u0100' } },
      { headers: { 'content-length': 3 }, body: ['ab'] },
    ];
    const errors = await served(
      function* (request) {
        return answers[Number(request.path.slice(1))] as string;
      },
      function* ({ port }) {
        for (let i = 0; i < answers.length - 1; i += 1) {
          const client = new RawClient(port).send(`GET /${i} HTTP/1.1\r\nhost: a\r\n\r\n`);
          expect([i, ...statuses(yield* client.has('Internal Server Error\n'))]).toEqual([i, 500]);
          client.close();
        }
        // Its head is on its way when the length turns out wrong: no client may take it for whole.
        const short = yield* new RawClient(port).send(`GET /${answers.length - 1} HTTP/1.1\r\nhost: a\r\n\r\n`).rest();
        expect(short.endsWith('\r\n\r\nabc')).toBe(false);
      },
    );
    expect(errors.length).toBe(answers.length);
  });

  it('F79: one that is no generator function is answered 500', async () => {
    const errors = await served((() => 'text') as unknown as http.HttpHandler, function* ({ port }) {
      const client = new RawClient(port).send(GET);
      yield* client.has('Internal Server Error\n');
      client.close();
    });
    expect(String(errors[0])).toContain('is it a generator function');
  });
});

describe('F80: upgrades', () => {
  const ask = (rest = '', fields = ''): string =>
    `GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: echo\r\n${fields}\r\n${rest}`;

  it('F80: gives the socket with what came after the request, in order', () =>
    served(
      function* (request) {
        expect(request.upgradesTo).toBe('echo');
        const socket = request.upgrade({ headers: { 'x-more': 'yes' } });
        for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine())
          yield* socket.write(`<${line}>`);
      },
      function* ({ port }) {
        const client = new RawClient(port).send(ask('one\ntw'));
        yield* client.has('<one>');
        yield* client.send('o\nthree\n').has('<two><three>');
        client.socket.end();
        const text = yield* client.rest();
        expect(text.toLowerCase()).toMatch(
          /^http\/1\.1 101 switching protocols\r\nconnection: upgrade\r\nupgrade: echo\r\nx-more: yes\r\n\r\n<one>/,
        );
      },
    ));

  it("F80: garbage after it is the handler's to refuse, on that connection only", async () => {
    const wrong = new Error('no protocol of ours');
    const errors = await served(
      function* (request) {
        if (request.upgradesTo === undefined) return 'ok';
        const line = yield* request.upgrade().readLine();
        if (line !== 'hello') throw wrong;
        return undefined;
      },
      function* ({ port }) {
        const other = new RawClient(port).send(GET);
        yield* other.has('ok');
        const text = yield* new RawClient(port).send(ask('\0\xff\0\xff\n')).rest();
        expect(statuses(text)).toEqual([101]);
        yield* other.send(GET).until(({ text }) => statuses(text).length === 2);
        other.close();
      },
    );
    expect(errors).toEqual([wrong]);
  });

  it('F80: refused with a body: the client gets it and the connection is closed', () =>
    served(
      function* () {
        return { status: 403, body: 'not here' };
      },
      function* ({ port }) {
        const text = yield* new RawClient(port).send(ask('garbage')).rest();
        expect(statuses(text)).toEqual([403]);
        expect(text).toContain('not here');
        expect(text.toLowerCase()).toContain('connection: close');
      },
    ));

  it('F80: that come with a body, or for HTTP/2, are ordinary requests', () =>
    served(
      function* (request) {
        return `${request.upgradesTo} ${yield* request.text()}`;
      },
      function* ({ port }) {
        const withBody = new RawClient(port).send(ask('hello', 'content-length: 5\r\n'));
        yield* withBody.has('undefined hello');
        yield* withBody.send(GET.replace('/', '/again')).until(({ text }) => statuses(text).length === 2);
        withBody.close();
        const h2c = new RawClient(port).send(
          ask().replace('echo', 'h2c').replace('Upgrade', 'Upgrade, HTTP2-Settings'),
        );
        yield* h2c.has('undefined ');
        h2c.close();
      },
    ));

  it('F80: sent ahead, behind a request that is being answered, are refused with 400', () =>
    served(
      function* () {
        yield* sleep(10);
        return 'first';
      },
      function* ({ port }) {
        expect(statuses(yield* new RawClient(port).send(GET + ask('x')).rest())).toEqual([200, 400]);
      },
    ));

  it('F80: that nobody asked for are refused with 426, and after an answer with an error', async () => {
    const errors = await served(
      function* (request, response) {
        if (request.path === '/late') yield* response.end('done');
        request.upgrade();
        return undefined;
      },
      function* ({ port }) {
        const client = new RawClient(port).send(GET);
        yield* client.has('426');
        client.close();
        const late = new RawClient(port).send(ask().replace('/', '/late'));
        expect(yield* late.rest()).toContain('done');
      },
    );
    expect(errors.map((error) => (error as { code: string }).code)).toEqual(['ERR_CLOSED']);
  });
});
