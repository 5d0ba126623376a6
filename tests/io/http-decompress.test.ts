// http-decompress.test.ts: compressed bodies: every coding, read in pieces and as a whole, within limits, cut, killed, and left alone.
import zlib from 'node:zlib';
import { http, hub, type Op, openHandles, run, sleep, spawn, TimeoutError, timeout } from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpServer, rawServer } from './http-servers.ts';

let client: http.Client;
let orphans: number;
beforeEach(() => {
  client = new http.Client();
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

/** Text that compresses, but not without end. */
function someText(length: number): string {
  let seed = 7;
  let text = '';
  while (text.length < length) {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    text += `${seed.toString(36)} of the words `;
  }
  return text.slice(0, length);
}

/** A server that answers with `body`, in this coding. */
const coded = (coding: string, body: Buffer, type = 'content-length') =>
  httpServer((_request, response) => {
    response.setHeader('content-encoding', coding);
    if (type === 'content-length') response.setHeader('content-length', body.length);
    response.end(body);
  });

const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Buffer) => Buffer };
const text = someText(200_000);
const plain = Buffer.from(text);
const codings: [string, Buffer][] = [
  ['gzip', zlib.gzipSync(plain)],
  ['x-gzip', zlib.gzipSync(plain)],
  ['GZip', zlib.gzipSync(plain)],
  ['deflate', zlib.deflateSync(plain)],
  ['br', zlib.brotliCompressSync(plain)],
  ['gzip, identity, br', zlib.brotliCompressSync(zlib.gzipSync(plain))],
];
if (zstdCompressSync !== undefined) codings.push(['zstd', zstdCompressSync(plain)]);

describe('A compressed body', () => {
  it.each(codings)('is decompressed while it comes: %s', async (coding, body) => {
    const { url } = await coded(coding, body);
    await run(function* () {
      expect(yield* (yield* client.get(url)).text()).toBe(text);
      const { body: reader } = yield* client.get(url);
      let got = '';
      for (let piece = yield* reader.read(1000); piece !== null; piece = yield* reader.read(1000)) got += piece;
      expect(got).toBe(text);
    });
  });

  it('may be deflate without the header of zlib, which some servers send', async () => {
    const { url } = await coded('deflate', zlib.deflateRawSync(plain));
    await run(function* () {
      expect(yield* (yield* client.get(url)).text()).toBe(text);
    });
  });

  it('keeps its connection, and its headers as they came', async () => {
    const body = zlib.gzipSync('small');
    const server = await coded('gzip', body);
    await run(function* () {
      for (let i = 0; i < 5; i += 1) {
        const response = yield* client.get(server.url);
        expect(response.headers).toMatchObject({ 'content-encoding': 'gzip', 'content-length': String(body.length) });
        expect(yield* response.text()).toBe('small');
      }
      expect(server.sockets).toHaveLength(1);
    });
  });

  it('is asked for, unless a range or an accept-encoding is', async () => {
    const { url } = await httpServer(
      (request, response) => void response.end(request.headers['accept-encoding'] ?? 'none'),
    );
    await run(function* () {
      expect(yield* (yield* client.get(url)).text()).toMatch(/^gzip, deflate, br(, zstd)?$/);
      expect(yield* (yield* client.get(url, { headers: { Range: 'bytes=5-' } })).text()).toBe('none');
      expect(yield* (yield* client.get(url, { headers: { 'Accept-Encoding': 'br' } })).text()).toBe('br');
      expect(yield* (yield* client.get(url, { decompress: false })).text()).toBe('none');
    });
  });

  it('is given as it came if decompression is off, or the coding is not known', async () => {
    const body = zlib.gzipSync(plain);
    const { url } = await coded('gzip', body);
    const other = await coded('x-unknown', body);
    await run(function* () {
      expect(body.equals(yield* (yield* client.get(url, { decompress: false })).bytes())).toBe(true);
      const off = http.client({ decompress: false });
      expect(body.equals(yield* (yield* off.get(url)).bytes())).toBe(true);
      off.close();
      expect(body.equals(yield* (yield* client.get(other.url)).bytes())).toBe(true);
    });
  });

  it('may be empty, and after HEAD there is none', async () => {
    const { url } = await coded('gzip', Buffer.alloc(0));
    await run(function* () {
      expect(yield* (yield* client.get(url)).text()).toBe('');
      expect(yield* (yield* client.head(url)).text()).toBe('');
    });
  });

  it('feels a slow reader: no more is decompressed, nor read from the connection, than has room', async () => {
    const size = 12 * 1024 * 1024;
    const bytes = zlib.gzipSync(Buffer.alloc(size, someText(100_000)), { level: 1 });
    let sent = 0;
    const server = await rawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      const more = (): void => {
        while (sent < bytes.length) {
          sent += 65_536;
          if (!socket.write(bytes.subarray(sent - 65_536, sent))) return;
        }
      };
      socket.on('drain', more);
      more();
    });
    await run(function* () {
      const { body } = yield* client.get(server.url, { decompress: { maxRatio: 1000 } });
      const first = yield* body.read();
      yield* sleep(50);
      // What waits for us here is little; the rest is in the kernel, or not sent.
      const second = yield* body.read();
      expect((first?.length ?? 0) + (second?.length ?? 0)).toBeLessThan(1024 * 1024);
      let got = (first?.length ?? 0) + (second?.length ?? 0);
      for (let piece = yield* body.read(); piece !== null; piece = yield* body.read()) got += piece.length;
      expect(got).toBe(size);
    });
  });
});

describe('F75: what unfolds to too much', () => {
  const bomb = zlib.gzipSync(Buffer.alloc(20 * 1024 * 1024));

  it('F75: 1000:1 gzip is an error after about the first hundredfold, and the connection is closed', async () => {
    const server = await coded('gzip', bomb);
    await run(function* () {
      let got = 0;
      const { body } = yield* client.get(server.url);
      const error = yield* caught({
        *[Symbol.iterator]() {
          for (let piece = yield* body.read(); piece !== null; piece = yield* body.read()) got += piece.length;
        },
      });
      expect(error).toMatchObject({ name: 'DecompressionError', code: 'ERR_DECOMPRESSION_LIMIT' });
      expect(error.message).toContain('maxRatio');
      expect(got).toBeLessThan(101 * bomb.length);
      const error2 = yield* caught((yield* client.get(server.url)).bytes());
      expect(error2).toMatchObject({ code: 'ERR_DECOMPRESSION_LIMIT' });
    });
  });

  it('F75: so is more than maxBytes, whatever the ratio; and both can be raised', async () => {
    const { url } = await coded('gzip', bomb);
    await run(function* () {
      const small = yield* client.get(url, { decompress: { maxRatio: Number.POSITIVE_INFINITY, maxBytes: 1_000_000 } });
      expect(yield* caught(small.bytes())).toMatchObject({
        code: 'ERR_DECOMPRESSION_LIMIT',
        message: expect.stringContaining('1000000 bytes'),
      });
      const large = yield* client.get(url, { decompress: { maxRatio: 2000 } });
      expect(yield* large.bytes()).toHaveLength(20 * 1024 * 1024);
    });
  });

  it('F75: so is a body that says to be compressed many times', async () => {
    const { url } = await coded('gzip,'.repeat(6), bomb);
    await run(function* () {
      expect(yield* caught(client.get(url))).toMatchObject({ code: 'ERR_DECOMPRESSION_LIMIT' });
      yield* sleep(1);
    });
  });

  it('refuses bad limits at the call', () => {
    for (const decompress of [{ maxBytes: -1 }, { maxRatio: Number.NaN }, { maxRatio: 0.5 }])
      expect(() => client.get('http://127.0.0.1:1/', { decompress })).toThrow(RangeError);
  });
});

describe('A compressed body that is broken', () => {
  const whole = zlib.gzipSync(plain);

  it('by bytes that are none of its coding is a DecompressionError', async () => {
    const { url } = await coded('gzip', Buffer.from('this is no gzip'));
    await run(function* () {
      const error = yield* caught((yield* client.get(url)).text());
      expect(error).toMatchObject({ name: 'DecompressionError', code: 'Z_DATA_ERROR' });
    });
  });

  it('by an end inside the compressed data is an error, never a short success, although Content-Length is right', async () => {
    for (const cut of [1, 10, whole.length - 4]) {
      const { url } = await coded('gzip', whole.subarray(0, cut));
      await run(function* () {
        expect(yield* caught((yield* client.get(url)).text())).toMatchObject({ name: 'DecompressionError' });
      });
    }
  });

  it('F68: by a cut of the connection is an IncompleteBodyError, after what could be decompressed', async () => {
    const server = await rawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${whole.length}\r\n\r\n`);
      socket.end(whole.subarray(0, whole.length - 100));
    });
    await run(function* () {
      const { body } = yield* client.get(server.url);
      let got = '';
      const error = yield* caught({
        *[Symbol.iterator]() {
          for (let piece = yield* body.read(); piece !== null; piece = yield* body.read()) got += piece;
        },
      });
      expect(error).toMatchObject({ name: 'IncompleteBodyError', code: 'ERR_INCOMPLETE_BODY' });
      expect(text.startsWith(got)).toBe(true);
      expect(got.length).toBeGreaterThan(1000);
    });
  });
});

describe('A compressed body that is given up', () => {
  it('F67: is killed and times out while it is decompressed: the connection closes, the next request works', async () => {
    const whole = zlib.gzipSync(plain);
    const server = await httpServer((request, response) => {
      response.setHeader('content-encoding', 'gzip');
      if (request.url === '/whole') response.end(whole);
      else response.write(whole.subarray(0, 30_000));
    });
    await run(function* () {
      const read = function* (path = '/half') {
        return yield* (yield* client.get(server.url + path)).text();
      };
      const victim = spawn(() => read());
      while (server.sockets.length === 0) yield* sleep(1);
      yield* sleep(20);
      victim.kill();
      yield* victim.join();
      expect(openHandles().total).toBe(0);
      expect(yield* caught(timeout(30, { [Symbol.iterator]: () => read() }))).toBeInstanceOf(TimeoutError);
      expect(openHandles().total).toBe(0);
      while (server.connections() > 0) yield* sleep(1);
      expect(yield* read('/whole')).toBe(text);
    });
  });

  it('is closed half-way without a trace, and dropped unread', async () => {
    const server = await coded('br', zlib.brotliCompressSync(plain));
    await run(function* () {
      const response = yield* client.get(server.url);
      yield* response.body.read(10);
      response.close();
      expect(yield* caught(response.text())).toMatchObject({ code: 'ERR_CLOSED' });
      yield* client.get(server.url);
      // What has room is decompressed all the same.
      while (client.stats().running > 0 || hub.stats().externalWaits > 0) yield* sleep(1);
    });
  });

  it('ends in TimeoutError by timeoutMs, in the body', async () => {
    const whole = zlib.gzipSync(plain);
    const server = await httpServer((_request, response) => {
      response.setHeader('content-encoding', 'gzip');
      response.write(whole.subarray(0, 30_000));
    });
    await run(function* () {
      const response = yield* client.get(server.url, { timeoutMs: 200 });
      expect(yield* caught(response.text())).toBeInstanceOf(TimeoutError);
      while (server.connections() > 0) yield* sleep(1);
    });
  });
});
