// http-injection.test.ts: whatever text is put into a field of a request, a strict parser at the other end sees one request with those very fields, or the
// call threw before anything was sent.
import { createServer, METHODS } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fc from 'fast-check';
import { http, type Op, openHandles, run } from 'tendril';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

interface Seen {
  method: string;
  url: string;
  /** Names and values, alternating, in latin-1. */
  raw: string[];
  body: string;
}

let requests: Seen[] = [];
let faults = 0;
const sockets = new Set<Socket>();
const server = createServer({ insecureHTTPParser: false, maxHeaderSize: 65_536 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const { method, url, rawHeaders: raw } = request;
    requests.push({
      method: method as string,
      url: url as string,
      raw,
      body: Buffer.concat(chunks).toString('latin1'),
    });
    response.end();
  });
});
server.on('clientError', (_error, socket) => {
  faults += 1;
  socket.destroy();
});
server.on('connection', (socket) => sockets.add(socket));

let base: string;
let client: http.Client;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new http.Client({ decompress: false });
});
afterEach(() => {
  requests = [];
  faults = 0;
});
afterAll(() => {
  client.close();
  expect(openHandles().total).toBe(0);
  for (const socket of sockets) socket.destroy();
  server.close();
});

/** What an attacker would try, and everything else. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 20 }),
  fc.stringMatching(/^[A-Za-z0-9 :\t]{0,8}[\r\n\0\u0080-\u0100"%&=;,]{1,3}[A-Za-z0-9: ]{0,12}$/),
  fc.constantFrom(
    'a\r\nX-Evil: 1',
    'a\nX-Evil: 1',
    'a\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n',
    'x HTTP/1.1\r\nHost: evil\r\n\r\n',
    '\u010d\u010a',
    '\uff0d\uff0a',
    '\ud800',
    ' ',
    '',
    '__proto__',
    'content-length',
    'Transfer-Encoding',
  ),
);

/** Make the request of `make`, and say what the server saw of it; undefined if the call, or the start, threw a TypeError. */
async function seenOf(make: () => Op<http.Response>): Promise<Seen | undefined> {
  const before = requests.length;
  let op: Op<http.Response>;
  try {
    op = make();
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    expect(typeof (error as { code?: unknown }).code).toBe('string');
    expect(requests.length).toBe(before);
    return undefined;
  }
  const status = await run(function* () {
    const response = yield* op;
    yield* response.bytes();
    return response.status;
  });
  expect([status, requests.length, faults]).toEqual([200, before + 1, 0]);
  return requests.pop();
}

/** The values of `name` in what the server saw. */
function valuesOf({ raw }: Seen, name: string): string[] {
  return raw.filter((_value, at) => at % 2 === 1 && (raw[at - 1] as string).toLowerCase() === name.toLowerCase());
}

function namesOf({ raw }: Seen): string[] {
  return raw.filter((_value, at) => at % 2 === 0).map((name) => name.toLowerCase());
}

/** As UTF-8 carries it: a lone surrogate becomes U+FFFD. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

const USUAL = ['host', 'connection'];
const options = { numRuns: 150, seed: 20_260_101 };

describe('F72: text from anybody, in each field of a request', () => {
  it('F72: the value of a header arrives as it is, or is a TypeError', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const seen = await seenOf(() => client.get(base, { headers: { 'x-mine': value } }));
        if (seen === undefined) return;
        // RFC 9110 5.5: blanks around a value are not part of it.
        expect(valuesOf(seen, 'x-mine')).toEqual([value.replace(/^[ \t]+|[ \t]+$/g, '')]);
        expect(namesOf(seen).sort()).toEqual([...USUAL, 'x-mine'].sort());
      }),
      options,
    );
  });

  it('F72: the name of a header arrives as it is, or is a TypeError', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (name) => {
        const seen = await seenOf(() => client.get(base, { headers: [[name, 'value']] }));
        if (seen === undefined || ['host', 'connection', 'content-length'].includes(name.toLowerCase())) return;
        expect(valuesOf(seen, name)).toEqual(['value']);
        expect(namesOf(seen)).toHaveLength(3);
      }),
      options,
    );
  });

  it('F72: the path and the query arrive encoded, as one line, or are a TypeError', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (path, value) => {
        const seen = await seenOf(() =>
          client.get(`${base}/${path}`, { query: { [value === '__proto__' ? 'p' : value]: value } }),
        );
        if (seen === undefined) return;
        expect(seen.url).toMatch(/^\/[\x21-\x7e]*$/);
        const whole = wellFormed(value);
        expect(new URL(`http://x${seen.url}`).searchParams.getAll(whole === '__proto__' ? 'p' : whole)).toContain(
          whole,
        );
        expect(namesOf(seen).sort()).toEqual([...USUAL].sort());
      }),
      options,
    );
  });

  it('F72: a URL object with any path, too', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (path) => {
        const url = new URL(base);
        url.pathname = path;
        url.search = path;
        const seen = await seenOf(() => client.get(url));
        expect(seen?.url).toBe(url.pathname + url.search);
      }),
      options,
    );
  });

  it('F72: the method arrives as it is, or is a TypeError', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(text, fc.constantFrom('GET', 'get', 'PATCH', 'PURGE')), async (method) => {
        // The parser at the other end knows these only.
        if (!METHODS.includes(method.toUpperCase()) && /^[!#-'*+\-.^-z|~\w]+$/.test(method)) return;
        const seen = await seenOf(() => client.request(base, { method }));
        if (seen !== undefined) expect(seen.method).toBe(method.toUpperCase());
      }),
      { ...options, examples: [['GET /evil HTTP/1.1\r\nX: y\r\n\r\nGET']] },
    );
  });

  it('F72: the host header arrives as it is, or is a TypeError; so does a cookie', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const trimmed = value.replace(/^[ \t]+|[ \t]+$/g, '');
        const host = await seenOf(() => client.get(base, { headers: { host: value === '' ? 'h' : value } }));
        if (host !== undefined) expect(valuesOf(host, 'host')).toEqual([value === '' ? 'h' : trimmed]);
        const cookie = await seenOf(() => client.get(base, { headers: { cookie: value } }));
        if (cookie !== undefined) expect(valuesOf(cookie, 'cookie')).toEqual([trimmed]);
      }),
      options,
    );
  });

  it('F72: the URL as a whole goes to the origin that it names, or is a TypeError', () => {
    fc.assert(
      fc.property(text, (host) => {
        let op: unknown;
        try {
          op = client.get(`http://${host}/`);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        expect(String(op)).toMatch(/^GET http:\/\/[^\s\0]+$/);
      }),
      options,
    );
  });

  it('F72: forms and multipart forms give the fields back, or are a TypeError', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (name, value) => {
        const key = name === '__proto__' ? 'p' : name;
        const form = await seenOf(() => client.post(base, { form: { [key]: value } }));
        expect([...new URLSearchParams(form?.body)]).toEqual([[wellFormed(key), wellFormed(value)]]);
        const multipart = [
          [key, value] as const,
          ['file', { content: value, filename: name }] as const,
          ['end', 'end'] as const,
        ];
        const seen = await seenOf(() => client.post(base, { multipart }));
        if (seen === undefined) {
          expect(name).toContain('\0');
          return;
        }
        const type = valuesOf(seen, 'content-type')[0] as string;
        const boundary = type.replace(/^.*boundary=/, '');
        const parts = seen.body.split(`--${boundary}`).slice(1, -1);
        expect(parts).toHaveLength(3);
        const heads = parts.map((part) => part.slice(2, part.indexOf('\r\n\r\n')).split('\r\n'));
        expect(heads.map((head) => head.length)).toEqual([1, 2, 1]);
        for (const [head] of heads)
          expect(head).toMatch(/^Content-Disposition: form-data; name="[^"\r\n]*"(; filename="[^"\r\n]*")?$/);
      }),
      options,
    );
  });

  it('F72: a body of any text is the body, and nothing behind it is a request', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (body) => {
        const whole = Buffer.from(body).toString('latin1');
        for (const given of [body, [body, ''], new Blob([body])]) {
          const seen = await seenOf(() => client.post(base, { body: given }));
          expect(seen?.body).toBe(whole);
        }
      }),
      { ...options, numRuns: 80 },
    );
  });

  it('F72: default headers of a client are checked as others are, and trailers cannot be announced', () => {
    expect(() => http.client({ headers: { a: 'x\r\ny' } })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_CHAR' }),
    );
    expect(() => http.client({ baseUrl: 'http://a\r\nb' })).toThrow(
      expect.objectContaining({ code: 'ERR_UNESCAPED_CHARACTERS' }),
    );
    expect(() => client.get(base, { headers: { trailer: 'x' } })).toThrow(TypeError);
    expect(() => client.get(base, { headers: { te: 'trailers' } })).toThrow(TypeError);
  });
});
