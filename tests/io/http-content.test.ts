// http-content.test.ts: what a request can carry, and how it arrives: JSON, forms, files, streams of every kind; and how far it has come.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { files, fromReadable, http, isKilled, memoryPair, type Op, openHandles, run, sleep, spawn } from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpServer, rawServer } from './http-servers.ts';

let client: http.Client;
let folder: string;
beforeEach(async () => {
  client = new http.Client();
  folder = await mkdtemp(path.join(tmpdir(), 'tendril-http-'));
});
afterEach(async () => {
  client.close();
  await rm(folder, { recursive: true });
  expect(openHandles().total).toBe(0);
  expect(client.stats()).toEqual({ running: 0, origins: {} });
});

interface Echo {
  headers: Record<string, string>;
  /** Latin-1, so that each byte is seen. */
  body: string;
}

const echo = () =>
  httpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('latin1');
      response.end(JSON.stringify({ headers: request.headers, body }));
    });
  });

function* echoed(op: Op<http.Response>) {
  return (yield* (yield* op).json()) as Echo;
}

function* caught(op: Op<unknown>) {
  try {
    yield* op;
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error('nothing was thrown');
}

/** The parts of a multipart form as a browser's parser sees them. */
async function formOf({ headers, body }: Echo): Promise<Record<string, unknown>[]> {
  const type = headers['content-type'] as string;
  const form = await new Response(Buffer.from(body, 'latin1'), { headers: { 'content-type': type } }).formData();
  const parts: Record<string, unknown>[] = [];
  for (const [name, value] of form as unknown as Iterable<[string, string | File]>) {
    if (typeof value === 'string') parts.push({ name, value });
    else parts.push({ name, filename: value.name, type: value.type, value: await value.text() });
  }
  return parts;
}

describe('json', () => {
  it('is sent as JSON, with its type unless another is given', async () => {
    const { url } = await echo();
    await run(function* () {
      const seen = yield* echoed(client.post(url, { json: { name: 'Ada', born: [1815] } }));
      expect(seen.body).toBe('{"name":"Ada","born":[1815]}');
      expect(seen.headers).toMatchObject({ 'content-type': 'application/json', 'content-length': '28' });
      const headers = { 'Content-Type': 'application/problem+json' };
      expect((yield* echoed(client.post(url, { json: null, headers }))).headers['content-type']).toBe(
        'application/problem+json',
      );
    });
  });

  it('that cannot be made is a TypeError at the call', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const json of [circle, 5n, () => {}, Symbol('x')])
      expect(() => client.post('http://127.0.0.1:1/', { json })).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
      );
  });
});

describe('form', () => {
  it('is sent URL-encoded, from an object or URLSearchParams', async () => {
    const { url } = await echo();
    await run(function* () {
      const form = { name: 'Ada & Co', many: ['ü', 2, true], none: undefined, line: 'a\r\nb' };
      const seen = yield* echoed(client.post(url, { form }));
      expect(seen.body).toBe('name=Ada+%26+Co&many=%C3%BC&many=2&many=true&line=a%0D%0Ab');
      expect(seen.headers['content-type']).toBe('application/x-www-form-urlencoded;charset=UTF-8');
      expect((yield* echoed(client.post(url, { form: new URLSearchParams('x=1') }))).body).toBe('x=1');
    });
  });

  it('with what is no field, or beside another body, is a TypeError at the call', () => {
    const url = 'http://127.0.0.1:1/';
    expect(() => client.post(url, { form: { a: {} as never } })).toThrow(TypeError);
    expect(() => client.post(url, { form: JSON.parse('{"__proto__":"x"}') })).toThrow(TypeError);
    expect(() => client.post(url, { form: { a: 1 }, json: 1 })).toThrow(/form|json/);
    expect(() => client.post(url, { body: 'x', multipart: {} })).toThrow(TypeError);
  });
});

describe('multipart', () => {
  it('sends fields, bytes, Blobs and files, with the length of the whole if it is known', async () => {
    const { url } = await echo();
    await writeFile(path.join(folder, 'note.txt'), 'from a file');
    const seen = await run(function* () {
      const file = yield* files.open(path.join(folder, 'note.txt'));
      const multipart = {
        name: 'Ada',
        age: 36,
        many: ['one', 'two'],
        raw: { content: Uint8Array.from([0, 255]), filename: 'raw.bin' },
        blob: new Blob(['in a blob'], { type: 'text/x-blob' }),
        named: new File(['in a file'], 'named.txt', { type: 'text/plain' }),
        file: { content: file, filename: 'note.txt', type: 'text/plain' },
      };
      const answer = yield* echoed(client.post(url, { multipart }));
      file.close();
      return answer;
    });
    expect(Number(seen.headers['content-length'])).toBe(seen.body.length);
    expect(await formOf(seen)).toEqual([
      { name: 'name', value: 'Ada' },
      { name: 'age', value: '36' },
      { name: 'many', value: 'one' },
      { name: 'many', value: 'two' },
      { name: 'raw', filename: 'raw.bin', type: 'application/octet-stream', value: '\0\ufffd' },
      { name: 'blob', filename: 'blob', type: 'text/x-blob', value: 'in a blob' },
      { name: 'named', filename: 'named.txt', type: 'text/plain', value: 'in a file' },
      { name: 'file', filename: 'note.txt', type: 'text/plain', value: 'from a file' },
    ]);
  });

  it('sends a stream of unknown length in chunks, and pairs and a FormData too', async () => {
    const { url } = await echo();
    const stream = Readable.from([Buffer.from('pie'), Buffer.from('ces')]);
    const streamed = await run(function* () {
      return yield* echoed(client.post(url, { multipart: [['s', { content: stream, filename: 's' }]] }));
    });
    expect(streamed.headers['transfer-encoding']).toBe('chunked');
    expect(await formOf(streamed)).toMatchObject([{ name: 's', filename: 's', value: 'pieces' }]);
    const form = new FormData();
    form.append('a', '1');
    form.append('f', new Blob(['blob']), 'b.txt');
    for (const options of [{ multipart: form }, { body: form }]) {
      const seen = await run(function* () {
        return yield* echoed(client.post(url, options));
      });
      expect(await formOf(seen)).toMatchObject([
        { name: 'a', value: '1' },
        { name: 'f', filename: 'b.txt', value: 'blob' },
      ]);
    }
  });

  it('F72: encodes quotes and line ends in names as browsers do, refuses NUL and a type with CR LF: nobody begins a header', async () => {
    const { url } = await echo();
    const evil = 'a"\r\nContent-Type: text/evil\r\n\r\nx';
    const seen = await run(function* () {
      const multipart = { [evil]: 'v\nw', file: { content: 'text', filename: evil } };
      return yield* echoed(client.post(url, { multipart }));
    });
    expect(seen.body).not.toMatch(/^Content-Type: text\/evil/m);
    expect(seen.body.match(/name="a%22%0D%0AContent-Type: text\/evil%0D%0A%0D%0Ax"/g)).toHaveLength(2);
    const parts = await formOf(seen);
    expect(parts).toHaveLength(2);
    expect(parts[0]?.value).toBe('v\r\nw');
    const call = (multipart: http.MultipartFields) => () => client.post(url, { multipart });
    expect(call({ 'a\0b': 'x' })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_CHAR' }));
    expect(call({ a: { content: 'x', filename: 'a\0' } })).toThrow(TypeError);
    expect(call({ a: { content: 'x', type: 'text/plain\r\nx: y' } })).toThrow(TypeError);
    expect(call({ a: {} as never })).toThrow(TypeError);
    expect(call({ a: { content: 5 as never } })).toThrow(TypeError);
    expect(call({ a: { content: 'x', length: -1 } })).toThrow(TypeError);
    expect(call([['a']] as never)).toThrow(TypeError);
  });

  it('has a boundary of its own for each request', async () => {
    const { url } = await echo();
    await run(function* () {
      const types = new Set<string>();
      for (let i = 0; i < 20; i += 1) {
        const seen = yield* echoed(client.post(url, { multipart: { a: 'x' } }));
        types.add(seen.headers['content-type'] as string);
      }
      expect(types.size).toBe(20);
    });
  });
});

describe('a stream as a body', () => {
  it('may be one of ours, of the web or of Node, a Blob or a file', async () => {
    const { url } = await echo();
    await writeFile(path.join(folder, 'body'), 'pieces');
    const made: Record<string, () => http.RequestBody> = {
      ours: () => fromReadable(Readable.from([Buffer.from('pie'), Buffer.from('ces')])),
      web: () => new Blob(['pie', 'ces']).stream() as unknown as http.RequestBody,
      node: () => Readable.from(['pie', 'ces']),
      blob: () => new Blob(['pie', 'ces'], { type: 'text/x' }),
      view: () => new DataView(new TextEncoder().encode('pieces').buffer),
    };
    await run(function* () {
      for (const [name, make] of Object.entries(made)) {
        const seen = yield* echoed(client.post(url, { body: make() }));
        expect([name, seen.body]).toEqual([name, 'pieces']);
        if (name === 'blob') expect(seen.headers).toMatchObject({ 'content-type': 'text/x', 'content-length': '6' });
      }
      const said = yield* echoed(client.post(url, { body: new Blob(['four']), headers: { 'Content-Length': 4 } }));
      expect(said).toMatchObject({ body: 'four', headers: { 'content-length': '4' } });
      expect(() => client.post(url, { body: new Blob(['four']), headers: { 'Content-Length': 5 } })).toThrow(TypeError);
      const file = yield* files.open(path.join(folder, 'body'));
      const seen = yield* echoed(client.put(url, { body: file }));
      expect(seen).toMatchObject({ body: 'pieces', headers: { 'content-length': '6' } });
      file.close();
    });
  });

  it('is closed when the request is killed, or the server wants no more', async () => {
    const server = await rawServer((socket, head) => {
      if (head.startsWith('PUT /refuse')) socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
      else socket.pause();
    });
    await run(function* () {
      const endless = () =>
        new Readable({
          highWaterMark: 65_536,
          read() {
            this.push(Buffer.alloc(65_536));
          },
        });
      const one = endless();
      const victim = spawn(() => client.put(server.url, { body: one }));
      while (server.sockets.length === 0) yield* sleep(1);
      victim.kill();
      yield* victim.join();
      expect(isKilled((yield* caught(victim.get())).cause)).toBe(true);
      expect(one.destroyed).toBe(true);
      for (const socket of server.sockets) socket.destroy();
      const two = endless();
      expect((yield* client.put(`${server.url}/refuse`, { body: two })).status).toBe(413);
      expect(two.destroyed).toBe(true);
      // One of ours that is waited for when the kill comes.
      const [near, far] = memoryPair();
      const reading = spawn(() => client.put(server.url, { body: near }));
      yield* sleep(5);
      reading.kill();
      yield* reading.join();
      expect(near.closed).toBe(true);
      far.close();
    });
  });

  it('throws its own error in the greenlet, and gives up the connection', async () => {
    const server = await echo();
    await run(function* () {
      const failure = new Error('broken');
      const body = new Readable({
        read() {
          this.destroy(failure);
        },
      });
      expect(yield* caught(client.post(server.url, { body }))).toMatchObject({ name: 'StreamError', cause: failure });
      while (server.connections() > 0) yield* sleep(1);
    });
  });

  it('that can be read once only cannot be sent by the same Op again', async () => {
    const { url } = await echo();
    await run(function* () {
      const once = client.post(url, { body: Readable.from(['x']) });
      expect((yield* echoed(once)).body).toBe('x');
      expect(yield* caught(once)).toMatchObject({ code: 'ERR_OP_REUSED' });
      const often = client.post(url, { body: ['x', 'y'] });
      expect((yield* echoed(often)).body).toBe('xy');
      expect((yield* echoed(often)).body).toBe('xy');
    });
  });
});

describe('onProgress', () => {
  it('tells what was sent and what has come, up to all of it', async () => {
    const size = 3_000_000;
    const { url } = await httpServer((request, response) => {
      request.resume().on('end', () => {
        response.setHeader('content-length', size);
        response.end(Buffer.alloc(size));
      });
    });
    const told: http.Progress[] = [];
    await run(function* () {
      const body = Array.from({ length: 30 }, () => Buffer.alloc(100_000));
      const onProgress = (progress: http.Progress) => void told.push(progress);
      yield* (yield* client.post(url, { body, headers: { 'content-length': size }, onProgress })).bytes();
      yield* sleep(1);
    });
    expect(told.length).toBeGreaterThan(2);
    expect(told.at(-1)).toMatchObject({ sent: size, received: size, toReceive: size });
    for (const [index, { sent, received }] of told.entries()) {
      expect(sent).toBeGreaterThanOrEqual(told[index - 1]?.sent ?? 0);
      expect(received).toBeGreaterThanOrEqual(told[index - 1]?.received ?? 0);
    }
  });

  it('tells how much there will be, if that is known', async () => {
    const { url } = await echo();
    const told: http.Progress[] = [];
    await run(function* () {
      const onProgress = (progress: http.Progress) => void told.push(progress);
      yield* (yield* client.post(url, { body: 'four', onProgress })).bytes();
      yield* sleep(1);
      expect(told.at(-1)).toMatchObject({ sent: 4, toSend: 4 });
    });
  });
});
