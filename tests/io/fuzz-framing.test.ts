// fuzz-framing.test.ts: whatever comes, however it is cut, whoever is killed: each codec gives what it gives of the whole, or an error that is declared.
//
// The expectation is written down a second time, on the whole array. Small messages are cut in every way; larger ones at random. A failure prints the
// seed of fast-check.
import fc from 'fast-check';
import {
  type ByteReader,
  type Codec,
  Decoder,
  delimiterCodec,
  fixedSizeCodec,
  framed,
  type LengthPrefix,
  lengthPrefixedCodec,
  lineCodec,
  memoryPair,
  type Op,
  openHandles,
  run,
  type Socket,
  sleep,
  spawn,
  type Waitable,
  yieldNow,
} from 'tendril';
import { simulate } from 'tendril/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { allCuts, ChunkedTransport, type Cut, cutAt, readAsCut, shown, socketOn } from './chunked.ts';

afterEach(() => expect(openHandles().names).toEqual([]));

interface Framing {
  readonly name: string;
  readonly codec: Codec<never, unknown>;
  /** What it gives of `bytes` and their end. */
  readonly model: (bytes: Buffer) => string[];
}

const rest = (bytes: Buffer, at: number): string => `rest ${bytes.subarray(at).toString('hex')}`;

function lines(limit: number): Framing {
  return {
    name: `lines of ${limit}`,
    codec: lineCodec({ limit, encoding: 'latin1' }),
    model(bytes) {
      const got: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = bytes.indexOf(10, at);
        if (end < 0)
          return [...got, bytes.length - at > limit ? 'LineTooLongError' : 'IncompleteReadError', rest(bytes, at)];
        const stop = end > at && bytes[end - 1] === 13 ? end - 1 : end;
        if (stop - at > limit) return [...got, 'LineTooLongError', rest(bytes, at)];
        got.push(shown(bytes.toString('latin1', at, stop)));
        at = end + 1;
      }
      return got;
    },
  };
}

function delimited(mark: string, limit: number): Framing {
  return {
    name: `messages of ${limit} that end in ${mark}`,
    codec: delimiterCodec(mark, { limit }),
    model(bytes) {
      const got: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = bytes.indexOf(mark, at);
        const missing = bytes.length - at >= limit + mark.length ? 'FrameTooLargeError' : 'IncompleteReadError';
        if (end < 0 || end - at > limit) return [...got, end < 0 ? missing : 'FrameTooLargeError', rest(bytes, at)];
        got.push(shown(bytes.subarray(at, end)));
        at = end + mark.length;
      }
      return got;
    },
  };
}

function fixed(size: number): Framing {
  return {
    name: `messages of exactly ${size}`,
    codec: fixedSizeCodec(size),
    model(bytes) {
      const got: string[] = [];
      let at = 0;
      for (; at + size <= bytes.length; at += size) got.push(shown(bytes.subarray(at, at + size)));
      return at === bytes.length ? got : [...got, 'IncompleteReadError', rest(bytes, at)];
    },
  };
}

/** The length at `at`, and how many bytes say it; undefined if they are not all there. */
function lengthAt(bytes: Buffer, at: number, prefix: number | 'varint', little: boolean): [bigint, number] | undefined {
  if (prefix === 'varint') {
    let length = 0n;
    for (let i = 0; i < 10; i += 1) {
      const byte = bytes[at + i];
      if (byte === undefined) return undefined;
      length |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) return [length, i + 1];
    }
    return [-1n, 0];
  }
  if (at + prefix > bytes.length) return undefined;
  const digits = [...bytes.subarray(at, at + prefix)];
  if (little) digits.reverse();
  return [digits.reduce((sum, digit) => sum * 256n + BigInt(digit), 0n), prefix];
}

function prefixed(options: LengthPrefix): Framing {
  const { prefix = 4, limit = 0, endian, includesPrefix = false } = options;
  return {
    name: `messages of ${limit} behind ${JSON.stringify(prefix)} ${endian ?? ''} ${includesPrefix}`,
    codec: lengthPrefixedCodec(options),
    model(bytes) {
      const got: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const found = lengthAt(bytes, at, prefix, endian === 'little');
        if (found === undefined) return [...got, 'IncompleteReadError', rest(bytes, at)];
        const [said, head] = found;
        if (head === 0) return [...got, 'DecodeError', rest(bytes, at)];
        const length = said - (includesPrefix ? BigInt(head) : 0n);
        if (length < 0n || length > BigInt(limit)) return [...got, 'FrameTooLargeError', rest(bytes, at)];
        const end = at + head + Number(length);
        if (end > bytes.length) return [...got, 'IncompleteReadError', rest(bytes, at)];
        got.push(shown(bytes.subarray(at + head, end)));
        at = end;
      }
      return got;
    },
  };
}

/** A length, then JSON of it: what a codec of one's own does. */
const json: Framing = {
  name: 'JSON behind its length',
  codec: {
    encode: () => '',
    decode(input) {
      const bytes = lengthPrefixedCodec({ prefix: 1, limit: 9 }).decode(input);
      return bytes === undefined ? undefined : ([JSON.parse(bytes.toString('latin1'))] as unknown);
    },
  },
  model(bytes) {
    const got: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = bytes[at] as number;
      if (length > 9) return [...got, 'FrameTooLargeError', rest(bytes, at)];
      if (at + 1 + length > bytes.length) return [...got, 'IncompleteReadError', rest(bytes, at)];
      const text = bytes.toString('latin1', at + 1, at + 1 + length);
      at += 1 + length;
      try {
        got.push(shown([JSON.parse(text)]));
      } catch {
        return [...got, 'DecodeError', rest(bytes, at)];
      }
    }
    return got;
  },
};

/** A codec that keeps something: each byte says how many parts follow, each of which ends in `;`. It takes them as they come. */
function parts(): Codec<never, string> {
  let missing = 0;
  let whole: string[] = [];
  return {
    encode: () => '',
    decode(input) {
      if (missing === 0) {
        if (input.size === 0) return undefined;
        missing = (input.at(0) % 3) + 1;
        whole = [];
        input.skip(1);
      }
      for (; missing > 0; missing -= 1) {
        const end = input.indexOf(59);
        if (end < 0) return undefined;
        whole.push(input.text(end, 'latin1'));
        input.skip(1);
      }
      return whole.join('|');
    },
  };
}

const framings: readonly Framing[] = [
  lines(3),
  delimited(';', 3),
  delimited('ab', 4),
  delimited('aa', 1),
  fixed(1),
  fixed(3),
  prefixed({ prefix: 1, limit: 5 }),
  prefixed({ prefix: 2, limit: 5 }),
  prefixed({ prefix: 2, limit: 300, endian: 'little' }),
  prefixed({ prefix: 4, limit: 5 }),
  prefixed({ prefix: 4, limit: 5, endian: 'little', includesPrefix: true }),
  prefixed({ prefix: 8, limit: 5 }),
  prefixed({ prefix: 8, limit: 5, endian: 'little' }),
  prefixed({ prefix: 'varint', limit: 300 }),
  json,
];

const variants: readonly Pick<Cut, 'lent' | 'kills' | 'highWaterMark'>[] = [
  { lent: 'even', kills: false },
  { lent: 'odd', kills: true },
  { lent: 'none', kills: false, highWaterMark: 1 },
  { lent: 'even', kills: true, highWaterMark: 2 },
];

/** As little of a stream as framed() asks for. */
const bare = (socket: Socket): ByteReader => ({ read: (max?: number) => socket.read(max) });
const over: Readonly<Record<string, (socket: Socket) => ByteReader>> = { socket: (socket) => socket, bare };

function receiver(codec: Codec<never, unknown>, stream: (socket: Socket) => ByteReader) {
  return (socket: Socket): (() => Waitable<unknown>) => {
    const values = framed(stream(socket), codec);
    return () => values.receive();
  };
}

/** What a test compares: a stream of others keeps what is left to itself. */
const without = (results: readonly string[], kind: string): string =>
  results.filter((each) => kind === 'socket' || !each.startsWith('rest')).join();

const messages: readonly number[][] = [
  [...Buffer.from('ab;aab\r\n')],
  [...Buffer.from('aaabaaa;')],
  [2, 65, 66, 0, 1, 67, 3, 97],
  [0, 2, 65, 66, 0, 0, 1, 67],
  [0, 0, 0, 1, 65, 0, 0, 0],
  [5, 0, 0, 0, 65, 4, 0, 0, 0],
  [0x82, 0x80, 0, 1, 2, 0xff, 0xff, 3],
  [1, 50, 2, 91, 93, 3, 123, 93, 1],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
  [0, 0, 0, 0, 0, 0, 0, 1, 65, 0],
  [1, 0, 0, 0, 0, 0, 0, 0, 65, 255],
];

/** Those of which most can be told apart, in hexadecimal; and nothing at all. */
function telling(model: Framing['model']): string[] {
  const results = messages.map((message) => ({ message, count: model(Buffer.from(message)).length }));
  results.sort((a, b) => b.count - a.count);
  return [...results.slice(0, 4).map(({ message }) => message), []].map((message) =>
    Buffer.from(message).toString('hex'),
  );
}

describe.each(framings)('$name', ({ codec, model }) => {
  it.each(telling(model))('are the same in whatever pieces %s come, with and without kills', async (message) => {
    const bytes = Buffer.from(message, 'hex');
    const expected = model(bytes);
    const { value } = await simulate(function* () {
      const different: unknown[] = [];
      for (const pieces of allCuts(bytes)) {
        for (const [kind, stream] of Object.entries(over)) {
          for (const variant of variants.slice(0, 2)) {
            const got = yield* readAsCut({ pieces, ...variant }, receiver(codec, stream), kind === 'socket');
            if (got.join() !== without(expected, kind)) different.push({ pieces, variant, kind, got });
          }
        }
      }
      return different;
    });
    expect(value, `expected ${expected.join()}`).toEqual([]);
  });

  it('are the same of random bytes, cut at random', async () => {
    const byte = fc.oneof(fc.constantFrom(0, 1, 2, 3, 5, 10, 13, 59, 97, 98, 128), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(
        fc.array(byte, { maxLength: 80 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
        fc.constantFrom(...variants),
        fc.constantFrom('socket', 'bare'),
        async (data, places, variant, kind) => {
          const bytes = Buffer.from(data);
          const cut = { pieces: cutAt(bytes, places), ...variant };
          const stream = over[kind] as (socket: Socket) => ByteReader;
          const { value } = await simulate(() => readAsCut(cut, receiver(codec, stream), kind === 'socket'));
          expect(value.join()).toBe(without(model(bytes), kind));
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('A codec that keeps what it has taken', () => {
  it('gives the same in whatever pieces, with and without kills', async () => {
    const bytes = Buffer.from('\x01a;bc;\x00;\x02');
    const { value } = await simulate(function* () {
      const seen = new Set<string>();
      for (const pieces of allCuts(bytes)) {
        for (const variant of variants) {
          for (const stream of Object.values(over)) {
            seen.add((yield* readAsCut({ pieces, ...variant }, receiver(parts(), stream), false)).join());
          }
        }
      }
      return [...seen];
    });
    expect(value).toEqual(['"a|bc","",IncompleteReadError']);
  });
});

describe('What is sent', () => {
  const sendable: readonly (readonly [string, Codec<Buffer, Buffer>, fc.Arbitrary<Buffer>])[] = [
    ['behind a byte', lengthPrefixedCodec({ prefix: 1 }), bytesUpTo(255)],
    ['behind two', lengthPrefixedCodec({ prefix: 2, endian: 'little' }), bytesUpTo(700)],
    ['behind four that count themselves', lengthPrefixedCodec({ includesPrefix: true }), bytesUpTo(700)],
    ['behind eight', lengthPrefixedCodec({ prefix: 8 }), bytesUpTo(300)],
    ['behind a varint', lengthPrefixedCodec({ prefix: 'varint' }), bytesUpTo(700)],
    ['of one size', fixedSizeCodec(7), bytesUpTo(7, 7)],
    [
      'before a delimiter',
      delimiterCodec('\0\x01'),
      bytesUpTo(50).map((bytes) => Buffer.from(bytes.map((b) => b | 2))),
    ],
  ];
  function bytesUpTo(maxLength: number, minLength = 0): fc.Arbitrary<Buffer> {
    return fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes));
  }

  it.each(sendable)(
    '%s comes out as it went in, whatever it is and however little room there is',
    async (_name, codec, message) => {
      await fc.assert(
        fc.asyncProperty(fc.array(message, { maxLength: 8 }), fc.integer({ min: 1, max: 40 }), async (all, room) => {
          const { value } = await simulate(function* () {
            const [near, far] = memoryPair({ highWaterMark: room, capacity: room });
            const sender = spawn(function* () {
              const out = framed(near, codec);
              for (const each of all) yield* out.send(each);
              out.end();
            });
            const values = framed(far, codec);
            const got: Buffer[] = [];
            for (let each = yield* values.receive(); each !== null; each = yield* values.receive()) got.push(each);
            yield* sender.get();
            near.close();
            far.close();
            return got;
          });
          expect(value.map(String)).toEqual(all.map(String));
        }),
        { numRuns: 60 },
      );
    },
  );

  it('is either refused or read back as one line, whatever text it is', () => {
    const codec = lineCodec({ limit: 20 });
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '\r', '\n', ' ', '€', '\u2028', '\0', ';'), maxLength: 30 }),
        (text) => {
          let encoded: string | Uint8Array;
          try {
            encoded = codec.encode(text) as string;
          } catch (error) {
            expect(['TypeError', 'LineTooLongError']).toContain((error as Error).name);
            expect(/[\r\n]/.test(text) || Buffer.byteLength(text) > 20).toBe(true);
            return;
          }
          const decoder = new Decoder(codec);
          decoder.push(Buffer.from(encoded));
          decoder.end();
          expect([decoder.next(), decoder.next()]).toEqual([text, undefined]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is either refused or read back as one message, whatever its delimiter', () => {
    const short = fc.uint8Array({ minLength: 1, maxLength: 3, max: 1 });
    fc.assert(
      fc.property(short, fc.uint8Array({ maxLength: 6, max: 1 }), (mark, message) => {
        const codec = delimiterCodec(mark);
        let encoded: Uint8Array;
        try {
          [encoded] = codec.encode(message) as [Uint8Array];
        } catch (error) {
          expect((error as { code?: string }).code).toBe('ERR_INVALID_ARG_VALUE');
          return;
        }
        const decoder = new Decoder(codec);
        decoder.push(encoded);
        decoder.end();
        expect([decoder.next(), decoder.next()]).toEqual([Buffer.from(message), undefined]);
      }),
      { numRuns: 1000 },
    );
  });

  it('reaches the peer in whole frames, whichever senders are killed while they wait', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(60), { minLength: 1, maxLength: 12 }),
        fc.array(fc.boolean()),
        async (sizes, kills) => {
          const { value } = await simulate(function* () {
            const [near, far] = memoryPair({ highWaterMark: 16, capacity: 16 });
            const out = framed(near, lengthPrefixedCodec({ prefix: 1 }));
            const senders = sizes.map((size, i) => spawn(() => out.send(Buffer.alloc(size, i))));
            yield* sleep(1);
            for (const [i, sender] of senders.entries()) if (kills[i] === true) sender.kill();
            const values = framed(far, lengthPrefixedCodec({ prefix: 1 }));
            const ending = spawn(function* () {
              for (const sender of senders) yield* sender.join();
              out.end();
            });
            const got: Buffer[] = [];
            for (let each = yield* values.receive(); each !== null; each = yield* values.receive()) got.push(each);
            yield* ending.get();
            near.close();
            far.close();
            return { got, sent: senders.map(({ outcome }) => outcome?.ok === true) };
          });
          const expected = sizes.flatMap((size, i) => (value.sent[i] === true ? [Buffer.alloc(size, i)] : []));
          expect(value.got).toEqual(expected);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('What is announced', () => {
  const sizesDuring = async (body: () => Op<unknown>): Promise<number> => {
    const sizes: number[] = [0];
    const spies = (['allocUnsafe', 'alloc'] as const).map((name) => {
      const original = Buffer[name];
      return vi.spyOn(Buffer, name).mockImplementation((size: number, ...more: []) => {
        sizes.push(size);
        return original(size, ...more);
      });
    });
    try {
      await run(body);
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    return Math.max(...sizes);
  };

  it.each([2 ** 31, 2 ** 32 - 1, 16 * 1024 * 1024 + 1, 16 * 1024 * 1024, 1_000_000])(
    'costs nothing before it has come: a length of %d',
    async (length) => {
      const most = await sizesDuring(function* () {
        const transport = new ChunkedTransport();
        const socket = socketOn(transport);
        const values = framed(socket, lengthPrefixedCodec());
        const reader = spawn(() => values.receive());
        reader.link(() => {});
        yield* yieldNow();
        const head = Buffer.from([length >>> 24, length >>> 16, length >>> 8, length]);
        transport.deliver(head, true);
        transport.deliver(Buffer.from('and the first of it'), true);
        yield* yieldNow();
        const tooLarge = length > 16 * 1024 * 1024;
        expect(reader.outcome?.ok).toBe(tooLarge ? false : undefined);
        if (tooLarge) expect(socket.buffered).toBe(23);
        reader.kill();
        yield* reader.join();
        socket.close();
      });
      expect(most).toBeLessThanOrEqual(4096);
    },
  );

  it('is refused at its limit if no end comes, and keeps no more than that', async () => {
    await run(function* () {
      for (const codec of [lineCodec({ limit: 1000 }), delimiterCodec('\r\n.\r\n', { limit: 1000 })] as const) {
        const transport = new ChunkedTransport();
        const socket = socketOn(transport, 100);
        const values = framed(socket, codec as Codec<never, unknown>);
        const reader = spawn(() => values.receive());
        reader.link(() => {});
        yield* yieldNow();
        let sent = 0;
        for (; reader.state === 'parked'; sent += 50) transport.deliver(Buffer.alloc(50, 'x'), true);
        expect({ enough: sent >= 1000, bounded: sent <= 1055, paused: transport.paused }).toEqual({
          enough: true,
          bounded: true,
          paused: true,
        });
        yield* reader.join();
        socket.close();
      }
    });
  });
});
