// resp.test.ts: the parser and the encoder of the Redis sample, without a server.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RedisError, RedisProtocolError } from '../../samples/redis/errors.ts';
import { encode, joinWires } from '../../samples/redis/resp-encoder.ts';
import { type ParserLimits, RespParser } from '../../samples/redis/resp-parser.ts';
import { Push, type Reply } from '../../samples/redis/resp-values.ts';

const binary = Buffer.from([0, 13, 10, 255, 36, 0xc3, 0x28]);

/** Each kind of reply: its bytes, its value with strings, and with Buffers where that differs. */
const replies: readonly (readonly [name: string, bytes: string | Buffer, value: Reply, withBuffers?: Reply])[] = [
  ['simple string', '+OK\r\n', 'OK'],
  ['longer simple string', '+Background saving started\r\n', 'Background saving started'],
  ['empty simple string', '+\r\n', ''],
  ['error', '-WRONGTYPE Operation against a key\r\n', new RedisError('WRONGTYPE Operation against a key')],
  ['integer', ':1234567\r\n', 1234567],
  ['negative integer', ':-3\r\n', -3],
  ['integer beyond 2^53', ':9223372036854775807\r\n', 9223372036854775807n],
  ['bulk string', '$5\r\nhello\r\n', 'hello', Buffer.from('hello')],
  ['empty bulk string', '$0\r\n\r\n', '', Buffer.alloc(0)],
  ['bulk string with CR LF', '$6\r\n\r\n$3\r\n\r\n', '\r\n$3\r\n', Buffer.from('\r\n$3\r\n')],
  ['bulk string beyond ASCII', `$4\r\n\u{1F35E}\r\n`, '\u{1F35E}', Buffer.from('\u{1F35E}')],
  [
    'bulk string that is no text',
    Buffer.concat([Buffer.from('$7\r\n'), binary, Buffer.from('\r\n')]),
    binary.toString(),
    binary,
  ],
  ['null bulk string', '$-1\r\n', null],
  ['null array', '*-1\r\n', null],
  ['empty array', '*0\r\n', []],
  ['array', '*3\r\n:1\r\n$1\r\na\r\n$-1\r\n', [1, 'a', null], [1, Buffer.from('a'), null]],
  ['nested array', '*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n-ERR no\r\n', [[1, []], [new RedisError('ERR no')]]],
  ['null', '_\r\n', null],
  ['true', '#t\r\n', true],
  ['false', '#f\r\n', false],
  ['double', ',3.25\r\n', 3.25],
  ['double without a point', ',10\r\n', 10],
  ['double with exponent', ',-1.5e-7\r\n', -1.5e-7],
  ['infinity', ',inf\r\n', Number.POSITIVE_INFINITY],
  ['negative infinity', ',-inf\r\n', Number.NEGATIVE_INFINITY],
  ['no number', ',nan\r\n', Number.NaN],
  ['big number', '(-3492890328409238509324850943850943825024385\r\n', -3492890328409238509324850943850943825024385n],
  ['bulk error', '!21\r\nSYNTAX invalid syntax\r\n', new RedisError('SYNTAX invalid syntax')],
  ['verbatim string', '=15\r\ntxt:Some string\r\n', 'Some string', Buffer.from('Some string')],
  [
    'map',
    '%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n#t\r\n',
    new Map<Reply, Reply>([
      ['a', 1],
      ['b', [true]],
    ]),
  ],
  ['empty map', '%0\r\n', new Map()],
  ['set', '~3\r\n+a\r\n:1\r\n+a\r\n', new Set<Reply>(['a', 1])],
  ['push', '>2\r\n+invalidate\r\n*1\r\n+k\r\n', new Push(['invalidate', ['k']])],
  ['value with an attribute before it', '|1\r\n+ttl\r\n:3600\r\n*2\r\n:1\r\n:2\r\n', [1, 2]],
  ['value with an attribute inside', '*2\r\n:1\r\n|1\r\n+ttl\r\n:3\r\n:2\r\n', [1, 2]],
  ['value with an empty attribute', '|0\r\n:7\r\n', 7],
];

function parseAll(chunks: readonly Buffer[], asBuffers = false, limits?: ParserLimits): Reply[] {
  const parser = new RespParser(limits);
  const parsed: Reply[] = [];
  for (const chunk of chunks) {
    parser.feed(chunk);
    for (let reply = parser.next(asBuffers); reply !== undefined; reply = parser.next(asBuffers)) parsed.push(reply);
  }
  return parsed;
}

const bytesOf = (bytes: string | Buffer): Buffer => (typeof bytes === 'string' ? Buffer.from(bytes) : bytes);

describe('The parser', () => {
  it.for(replies)('reads a %s, cut in two at any place', ([, text, value, withBuffers = value]) => {
    const bytes = bytesOf(text);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const halves = [bytes.subarray(0, cut), bytes.subarray(cut)];
      expect(parseAll(halves), `cut at ${cut}`).toEqual([value]);
      expect(parseAll(halves, true), `cut at ${cut}, as Buffers`).toEqual([withBuffers]);
    }
  });

  it('reads all of them behind each other, one byte at a time and in pieces of any size', () => {
    const bytes = Buffer.concat(replies.map(([, text]) => bytesOf(text)));
    const values = replies.map(([, , value]) => value);
    for (const size of [1, 2, 3, 5, 7, 11, 16, 64, 1000, bytes.length]) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      expect(parseAll(chunks), `pieces of ${size}`).toEqual(values);
    }
  });

  it('takes the prefix of an error from its first word', () => {
    const texts = ['WRONGTYPE no', 'ERR no', 'something else', ''];
    expect(texts.map((text) => new RedisError(text).prefix)).toEqual(['WRONGTYPE', 'ERR', 'ERR', 'ERR']);
  });

  it('reads arrays that are nested 128 deep', () => {
    const depth = 128;
    const bytes = Buffer.from(`${'*1\r\n'.repeat(depth)}:1\r\n`);
    expect(JSON.stringify(parseAll([bytes])[0])).toBe(`${'['.repeat(depth)}1${']'.repeat(depth)}`);
  });

  it('needs time in proportion to the size, also for a large value in tiny pieces', () => {
    const size = 400_000;
    const bytes = Buffer.from(`$${size}\r\n${'x'.repeat(size)}\r\n+${'y'.repeat(60_000)}\r\n`);
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 4) chunks.push(bytes.subarray(at, at + 4));
    const before = process.cpuUsage();
    expect(parseAll(chunks).map((reply) => (reply as string).length)).toEqual([size, 60_000]);
    // Quadratic would be many seconds.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(5_000);
  });

  it.for([
    ['an unknown type', '?5\r\n'],
    ['an HTTP answer', 'HTTP/1.1 400 Bad Request\r\n'],
    ['a length that is no number', '$abc\r\n'],
    ['a negative length', '$-2\r\n'],
    ['a length with a sign', '*+1\r\n'],
    ['a bulk string beyond the limit', '$536870913\r\n'],
    ['a bulk string that is longer than it says', '$3\r\nabcd\r\n'],
    ['a line that ends without CR', '+OK\n'],
    ['a line beyond the limit', `+${'x'.repeat(70_000)}`],
    ['an integer that is none', ':12a\r\n'],
    ['a double that is none', ',1.2.3\r\n'],
    ['a boolean that is none', '#x\r\n'],
    ['a big number that is none', '(12x\r\n'],
    ['arrays that are nested too deep', '*1\r\n'.repeat(129)],
  ] as const)('refuses %s', ([, text]) => {
    const bytes = Buffer.from(text);
    expect(() => parseAll([bytes])).toThrow(RedisProtocolError);
    expect(() => parseAll([bytes.subarray(0, 2), bytes.subarray(2)])).toThrow(RedisProtocolError);
  });

  it('allocates nothing for what was announced and has not come', () => {
    const before = process.memoryUsage().arrayBuffers;
    const parser = new RespParser();
    parser.feed(Buffer.from('*1000000000\r\n$536870912\r\nabc'));
    expect(parser.next(false)).toBe(undefined);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });
});

describe('The encoder', () => {
  it('gives each argument its length in bytes', () => {
    expect(encode('SET', ['k\r\nSET x y', '\u{1F35E}', 12, 12n])).toBe(
      '*5\r\n$3\r\nSET\r\n$10\r\nk\r\nSET x y\r\n$4\r\n\u{1F35E}\r\n$2\r\n12\r\n$2\r\n12\r\n',
    );
    expect(encode('GET', ['é'.repeat(40)])).toBe(`*2\r\n$3\r\nGET\r\n$80\r\n${'é'.repeat(40)}\r\n`);
  });

  it('gives the name its length in bytes too', () => {
    expect(encode('ÄÖ', ['x'])).toBe('*2\r\n$4\r\nÄÖ\r\n$1\r\nx\r\n');
  });

  it('passes bytes on as they are', () => {
    const wire = joinWires([encode('PING', []), encode('SET', [binary, binary])]);
    expect(Buffer.concat([...wire].map((piece) => Buffer.from(piece as string)))).toEqual(
      Buffer.concat([
        ...['*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$7\r\n', binary, '\r\n$7\r\n', binary, '\r\n'].map((part) =>
          bytesOf(part),
        ),
      ]),
    );
  });

  it('makes one command with equal fields of whatever is in them, alone and behind others', () => {
    const seed = Number(process.env.TENDRIL_SEED ?? 23);
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('\r', '\n', '*1', '$', '\0', '\ud800', 'é', 'x'), maxLength: 40 }),
    );
    const argument = fc.oneof(text, fc.uint8Array(), fc.integer(), fc.bigInt());
    const command = fc.tuple(text, fc.array(argument, { maxLength: 6 }));
    for (const commands of fc.sample(fc.array(command, { minLength: 1, maxLength: 4 }), { seed, numRuns: 200 })) {
      const wire = [joinWires(commands.map(([name, args]) => encode(name, args)))].flat();
      const parser = new RespParser();
      parser.feed(Buffer.concat(wire.map((piece) => Buffer.from(piece as string))));
      for (const [name, args] of commands) {
        const fields = [name, ...args].map((field) =>
          field instanceof Uint8Array ? Buffer.from(field) : Buffer.from(String(field)),
        );
        expect(parser.next(true)).toEqual(fields);
      }
      expect(parser.next(true)).toBe(undefined);
    }
  });

  it('says which argument is none', () => {
    const bad = [undefined, null, {}, [], true, () => 1, Symbol('s')];
    const messages = bad.map((value) => {
      try {
        return String(encode('GET', ['k', value as never]));
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message}`;
      }
    });
    const expected = ['undefined', 'null', 'an object (Object)', 'an object (Array)', 'boolean', 'function', 'symbol'];
    expect(messages).toEqual(
      expected.map((kind) => `TypeError: GET: argument 2 must be a string, a number or bytes, not ${kind}`),
    );
  });
});
