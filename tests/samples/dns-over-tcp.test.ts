// dns-over-tcp.test.ts: the DNS sample against a dnsmasq of its own, and against name servers that mean harm.
import fc from 'fast-check';
import {
  framed,
  lengthPrefixedCodec,
  listen,
  type Op,
  run,
  type Socket,
  scope,
  serve,
  sleep,
  spawn,
  timeout,
} from 'tendril';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeQuery, readMessage } from '../../samples/dns-over-tcp/messages.ts';
import { type RecordType, type ResolverOptions, TcpResolver } from '../../samples/dns-over-tcp.ts';
import { type NameServer, startDnsmasq } from '../io/dns-servers.ts';
import { probeProgram } from '../services.ts';
import { codeOf, outcomeOf, withClient } from './outcome.ts';
import { runSample } from './run-sample.ts';
import { expectNothingLeft } from './settled.ts';

const host = '127.0.0.1';
const program = probeProgram('dnsmasq');
let server: NameServer;
const portOf = ({ address }: NameServer): number => Number(address.split(':')[1]);

function withResolver<T>(body: (resolver: TcpResolver) => Op<T>, options: ResolverOptions): Promise<T> {
  return withClient(function* open() {
    return new TcpResolver({ host, ...options });
  }, body);
}

afterEach(expectNothingLeft);

describe.skipIf(program === undefined)('The resolver', () => {
  beforeAll(async () => {
    server = await startDnsmasq(program as string);
  }, 30_000);
  afterAll(() => server?.end());

  it('gives records of each type, follows aliases, and says what there is not', async () => {
    const seen = await withResolver(
      function* body(resolver) {
        const asked: [string, RecordType][] = [
          ['a.test', 'A'],
          ['A.TEST.', 'AAAA'],
          ['test', 'MX'],
          ['text.test', 'TXT'],
          ['alias.test', 'CNAME'],
          ['alias.test', 'A'],
          ['nothing.test', 'A'],
          ['text.test', 'A'],
          ['outside.example', 'A'],
        ];
        const outcomes: unknown[] = [];
        for (const [name, type] of asked) {
          const outcome = yield* outcomeOf(resolver.resolve<RecordType>(name, type));
          outcomes.push(typeof outcome === 'string' ? outcome : outcome.map(({ name: _, ttl: __, ...rest }) => rest));
        }
        return outcomes;
      },
      { port: portOf(server) },
    );
    const a = ['192.0.2.1', '192.0.2.2'].map((data) => ({ type: 'A', data }));
    expect(seen).toEqual([
      expect.arrayContaining(a),
      [{ type: 'AAAA', data: '2001:db8::1' }],
      expect.arrayContaining([
        { type: 'MX', priority: 10, exchange: 'mail.test' },
        { type: 'MX', priority: 20, exchange: 'backup.test' },
      ]),
      [{ type: 'TXT', texts: [Buffer.from('hello world'), Buffer.from('second piece')] }],
      [{ type: 'CNAME', data: 'a.test' }],
      expect.arrayContaining(a),
      'ENOTFOUND',
      'ENODATA',
      'EREFUSED',
    ]);
  });

  it('has many questions on their way, more than the server takes on one connection, while others are killed', async () => {
    const seen = await withResolver(
      function* body(resolver) {
        const asking = Array.from({ length: 300 }, (_, i) =>
          spawn(() => outcomeOf(resolver.resolve(i % 2 === 0 ? 'a.test' : `none-${i}.test`, 'AAAA'))),
        );
        yield* sleep(0);
        for (let i = 0; i < 300; i += 10) asking[i]?.kill();
        const wrong: unknown[] = [];
        for (const [i, each] of asking.entries()) {
          if (i % 10 === 0) continue;
          const outcome = yield* each.get();
          const right =
            i % 2 === 0 ? Array.isArray(outcome) && outcome[0]?.data === '2001:db8::1' : outcome === 'ENOTFOUND';
          if (!right) wrong.push([i, outcome]);
        }
        return wrong;
      },
      { port: portOf(server) },
    );
    expect(seen).toEqual([]);
  });

  it('runs as a program, and says what is missing', { timeout: 60_000 }, async () => {
    const [good, bad] = await Promise.all([
      runSample('dns-over-tcp', 'a.test', server.address),
      runSample('dns-over-tcp', 'a.test', '127.0.0.1:1'),
    ]);
    expect(good).toEqual({
      status: 0,
      stdout: 'A 192.0.2.1\nA 192.0.2.2\nAAAA 2001:db8::1\nMX ENODATA\nTXT ENODATA\n',
      stderr: '',
    });
    expect(bad).toEqual({
      status: 1,
      stdout: 'A ECONNREFUSED\nAAAA ECONNREFUSED\nMX ECONNREFUSED\nTXT ECONNREFUSED\n',
      stderr: 'No answer from 127.0.0.1:1: connect to 127.0.0.1:1 failed: ECONNREFUSED 127.0.0.1:1\n',
    });
  });
});

/** An answer to `query` with the records that follow. */
function answer(query: Buffer, records: readonly Buffer[], flags = 0x8180): Buffer {
  const bytes = Buffer.concat([query, ...records]);
  bytes.writeUInt16BE(flags, 2);
  bytes.writeUInt16BE(records.length, 6);
  return bytes;
}

/** A record of the name at `pointer`. */
function record(type: number, data: Buffer, name: Buffer = Buffer.from([0xc0, 12])): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([name, head, data]);
}

/** Run `body` beside a name server that does with a connection what `handler` does. */
function withPeer<T>(handler: (socket: Socket) => Op<void>, body: (port: number) => Op<T>): Promise<T> {
  return run(function* test(): Op<T> {
    const listener = yield* listen({ host, port: 0 });
    return yield* scope(function* beside(s): Op<T> {
      const peer = s.spawn(serve, listener, handler, { graceMs: 0 });
      try {
        return yield* timeout(15_000, body(listener.address.port));
      } finally {
        peer.kill();
        listener.close();
      }
    });
  });
}

describe('A name server that means harm', () => {
  const address = record(1, Buffer.from([1, 2, 3, 4]));
  it.for([
    ['closes', () => [], 'ECONNRESET'],
    [
      'answers another question',
      (query: Buffer) => [answer(encodeQuery(query.readUInt16BE(), 'b.test', 'A'), [address])],
      'ERR_TIMEOUT',
    ],
    [
      'answers with another number',
      (query: Buffer) => [
        answer(Buffer.concat([Buffer.from([~(query[0] as number) & 255]), query.subarray(1)]), [address]),
      ],
      'ERR_TIMEOUT',
    ],
    ['gives the question back', (query: Buffer) => [query], 'ERR_TIMEOUT'],
    [
      'points a name at itself',
      (query: Buffer) => [answer(query, [record(1, Buffer.alloc(4), Buffer.from([0xc0, query.length]))])],
      'EBADRESP',
    ],
    [
      'points a name forwards',
      (query: Buffer) => [answer(query, [record(1, Buffer.alloc(4), Buffer.from([0xff, 0xff]))])],
      'EBADRESP',
    ],
    [
      'announces records that do not come',
      (query: Buffer) => [
        Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 255, 255]), query.subarray(8)]),
      ],
      'EBADRESP',
    ],
    ['cuts a record', (query: Buffer) => [answer(query, [address.subarray(0, 14)])], 'EBADRESP'],
    ['gives an address of five bytes', (query: Buffer) => [answer(query, [record(1, Buffer.alloc(5))])], 'EBADRESP'],
    ['sends a message of one byte', () => [Buffer.alloc(1)], 'EBADRESP'],
    ['refuses', (query: Buffer) => [answer(query, [], 0x8185)], 'EREFUSED'],
    ['leads an alias in a circle', (query: Buffer) => [answer(query, [record(5, Buffer.from([0xc0, 12]))])], 'ENODATA'],
  ] as const)('is refused when it %s', async ([, answers, code]) => {
    const outcome = await withPeer(
      function* handler(socket): Op<void> {
        const frames = framed(socket, lengthPrefixedCodec({ prefix: 2 }));
        const query = yield* frames.receive();
        if (query === null) return;
        for (const bytes of answers(query)) yield* frames.send(bytes);
        if (code !== 'ERR_TIMEOUT') yield* socket.closeGracefully({ lingerMs: 50 });
        else yield* socket.read();
      },
      (port) =>
        (function* body(): Op<unknown> {
          const resolver = new TcpResolver({ host, port, timeoutMs: code === 'ERR_TIMEOUT' ? 30 : 10_000 });
          try {
            return yield* outcomeOf(resolver.resolve('a.test', 'A'));
          } finally {
            resolver.close();
          }
        })(),
    );
    expect(outcome).toBe(code);
  });

  it('is asked again when it ends a connection that it has answered on', async () => {
    let connections = 0;
    const seen = await withPeer(
      function* handler(socket): Op<void> {
        connections += 1;
        const frames = framed(socket, lengthPrefixedCodec({ prefix: 2 }));
        // One answer a connection.
        const query = yield* frames.receive();
        if (query !== null) yield* frames.send(answer(query, [record(1, Buffer.from([9, 9, 9, 9]))]));
        yield* socket.closeGracefully({ lingerMs: 50 });
      },
      function* body(port): Op<unknown> {
        const resolver = new TcpResolver({ host, port });
        try {
          const asking = Array.from({ length: 5 }, () => spawn(() => resolver.resolve('a.test', 'A')));
          const got: unknown[] = [];
          for (const each of asking) got.push((yield* each.get())[0]?.data);
          return got;
        } finally {
          resolver.close();
        }
      },
    );
    expect([seen, connections]).toEqual([Array.from({ length: 5 }, () => '9.9.9.9'), 5]);
  });
});

describe('A message', () => {
  it('has the name that was asked for, or was refused', () => {
    const anyName = fc.oneof(
      fc
        .array(fc.constantFrom('a', 'b-c', 'test', '_sip', 'X1', ''), { maxLength: 5 })
        .map((labels) => labels.join('.')),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.string({ unit: fc.constantFrom('.', 'a', '-', '\0', '\n', 'ž', '\\'), maxLength: 10 }),
      fc.nat(300).map((size) => 'a'.repeat(size)),
    );
    fc.assert(
      fc.property(anyName, fc.nat(65_535), (name, id) => {
        let query: Buffer;
        try {
          query = encodeQuery(id, name, 'MX');
        } catch (error) {
          expect(codeOf(error)).toBe('ERR_INVALID_ARG_VALUE');
          return;
        }
        const expected = {
          id,
          isAnswer: false,
          status: 0,
          questions: [{ name: name.replace(/\.$/, ''), type: 15 }],
          answers: [],
        };
        expect(readMessage(query)).toEqual(expected);
      }),
      { numRuns: 400, seed: 6 },
    );
  });

  it('is read or refused, in bounded time and memory, whatever is in it', () => {
    const query = encodeQuery(7, 'a.bc.test', 'A');
    const good = answer(query, [
      record(1, Buffer.from([1, 2, 3, 4])),
      record(28, Buffer.alloc(16)),
      record(15, Buffer.from([0, 5, 0xc0, 14])),
      record(16, Buffer.from([2, 65, 66, 0])),
    ]);
    const mangled = fc
      .tuple(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }), fc.nat(good.length))
      .map(([changes, size]) => {
        const bytes = Buffer.from(good);
        for (const [at, byte] of changes) bytes[at] = byte;
        return bytes.subarray(0, changes.length === 0 ? size : undefined);
      });
    let read = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          mangled,
          fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
        ),
        (bytes) => {
          try {
            const { answers } = readMessage(bytes);
            read += 1;
            for (const { name } of answers) expect(name.length).toBeLessThanOrEqual(4 * 255);
          } catch (error) {
            expect(codeOf(error)).toBe('ERR_DNS_MESSAGE');
          }
        },
      ),
      { numRuns: 1_500, seed: 6 },
    );
    expect(read).toBeGreaterThan(100);
    // As many pointers as fit, each to the one before: refused or read, but not for long.
    const chain = Buffer.alloc(16_000);
    chain.writeUInt16BE(1, 4);
    for (let at = 14; at < chain.length; at += 2) chain.writeUInt16BE(0xc000 | (at - 2), at);
    chain.copy(chain, 12, chain.length - 2);
    expect(() => readMessage(chain)).toThrow();
  });

  it('shows addresses of six as they are written', () => {
    const shown = (hex: string): string => {
      const message = readMessage(answer(encodeQuery(1, 'a', 'AAAA'), [record(28, Buffer.from(hex, 'hex'))]));
      return (message.answers[0] as { data: string }).data;
    };
    expect([
      shown('0'.repeat(32)),
      shown(`${'0'.repeat(31)}1`),
      shown('20010db8000000000000000000000001'),
      shown('20010db8000000010000000000000000'),
      shown('00010002000300040005000600070008'),
      shown('fe80000000000000000000a000000001'),
      shown('20010db8000a00000001000000000001'),
    ]).toEqual(['::', '::1', '2001:db8::1', '2001:db8:0:1::', '1:2:3:4:5:6:7:8', 'fe80::a0:0:1', '2001:db8:a:0:1::1']);
  });
});

it('A resolver that is closed wakes who waits, and takes no more questions', async () => {
  const seen = await withPeer(
    function* silent(socket): Op<void> {
      while ((yield* socket.read()) !== null);
    },
    function* body(port): Op<unknown> {
      const resolver = new TcpResolver({ host, port });
      const asking = spawn(() => outcomeOf(resolver.resolve('a.test', 'A')));
      yield* sleep(5);
      resolver.close();
      return [yield* asking.get(), yield* outcomeOf(resolver.resolve('a.test', 'A'))];
    },
  );
  expect(seen).toEqual(['ERR_CLOSED', 'ERR_CLOSED']);
});
