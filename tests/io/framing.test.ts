// framing.test.ts: streams of values over streams of bytes: the four framings, codecs of one's own, and framed() at each moment of a connection.
import {
  BusyError,
  type ByteReader,
  type ByteWriter,
  ClosedError,
  type Codec,
  connect,
  DecodeError,
  Decoder,
  delimiterCodec,
  Framed,
  FrameTooLargeError,
  fixedSizeCodec,
  forEach,
  framed,
  GreenletKilledError,
  hub,
  IncompleteReadError,
  type LengthPrefix,
  LineTooLongError,
  lengthPrefixedCodec,
  lineCodec,
  listen,
  memoryPair,
  type Op,
  run,
  type Socket,
  select,
  serve,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril';
import { describe, expect, it } from 'vitest';
import { failure, happened, host, nothingLeft, received, sides, withPair } from './peers.ts';

/** JSON, a length before each. */
const json: Codec<unknown, object> = {
  encode: (value) => lengthPrefixedCodec({ prefix: 2 }).encode(JSON.stringify(value)),
  decode(input) {
    const bytes = lengthPrefixedCodec({ prefix: 2 }).decode(input);
    return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as object);
  },
};

function thrown(call: () => unknown): Error & { code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not throw');
}

const bytesOf = (encoded: string | Uint8Array | readonly (string | Uint8Array)[]): Buffer =>
  Buffer.concat([encoded].flat().map((piece) => Buffer.from(piece as Uint8Array)));

/** All values in `bytes`, and the error that ends them, if one does. */
function decoded<T>(codec: Codec<never, T>, bytes: Uint8Array): unknown[] {
  const decoder = new Decoder(codec);
  decoder.push(Buffer.from(bytes));
  decoder.end();
  const values: unknown[] = [];
  try {
    for (let value = decoder.next(); value !== undefined; value = decoder.next()) values.push(value);
  } catch (error) {
    values.push((error as Error).name);
  }
  return values;
}

describe('lineCodec', () => {
  it('ends what it sends in LF, or in CR LF, and reads lines that end in either', () => {
    expect(bytesOf(lineCodec().encode('a line €')).toString()).toBe('a line €\n');
    expect(bytesOf(lineCodec({ newline: '\r\n', encoding: 'latin1' }).encode('é')).toString('hex')).toBe('e90d0a');
    expect(decoded(lineCodec(), Buffer.from('one\r\ntwo\n\n\r\n€\n'))).toEqual(['one', 'two', '', '', '€']);
    expect(decoded(lineCodec({ encoding: 'latin1' }), Buffer.from([0xe9, 10]))).toEqual(['é']);
  });

  it('refuses to send what would be read as two lines, or is too long', () => {
    for (const line of ['a\nb', 'a\rb', '\n', 'a\r']) {
      expect(thrown(() => lineCodec().encode(line)).code).toBe('ERR_INVALID_ARG_VALUE');
    }
    expect(thrown(() => lineCodec().encode(5 as unknown as string)).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(bytesOf(lineCodec({ limit: 3 }).encode('€')).length).toBe(4);
    expect(thrown(() => lineCodec({ limit: 3 }).encode('€€'))).toBeInstanceOf(LineTooLongError);
  });

  it('reads a line of exactly its limit, and none that is longer', () => {
    const codec = lineCodec({ limit: 4 });
    expect(decoded(codec, Buffer.from('1234\r\n1234\n12345\n1\n'))).toEqual(['1234', '1234', 'LineTooLongError']);
    expect(decoded(codec, Buffer.from('123456789'))).toEqual(['LineTooLongError']);
    expect(decoded(codec, Buffer.from('12345'))).toEqual(['LineTooLongError']);
    expect(decoded(codec, Buffer.from('1234'))).toEqual(['IncompleteReadError']);
  });
});

describe('fixedSizeCodec', () => {
  it('cuts what comes into messages of one size, and sends only such', () => {
    const codec = fixedSizeCodec(3);
    expect(decoded(codec, Buffer.from('abcdef')).map(String)).toEqual(['abc', 'def']);
    expect(decoded(codec, Buffer.from('abcd')).map(String)).toEqual(['abc', 'IncompleteReadError']);
    expect(bytesOf(codec.encode('xyz')).toString()).toBe('xyz');
    expect(thrown(() => codec.encode('four')).code).toBe('ERR_OUT_OF_RANGE');
  });

  it('refuses a size that is none', () => {
    for (const size of [0, -1, 1.5, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY, '3' as unknown as number])
      expect(thrown(() => fixedSizeCodec(size)).code).toBe('ERR_OUT_OF_RANGE');
  });
});

describe('delimiterCodec', () => {
  it('ends each message in the delimiter, which may have several bytes', () => {
    const codec = delimiterCodec('\r\n.\r\n');
    expect(bytesOf(codec.encode('body')).toString()).toBe('body\r\n.\r\n');
    expect(decoded(codec, Buffer.from('one\r\n.\r\n\r\n.\r\ntw\r\n.o\r\n.\r\n')).map(String)).toEqual([
      'one',
      '',
      'tw\r\n.o',
    ]);
    expect(decoded(delimiterCodec(Uint8Array.of(0)), Buffer.from('a\0b')).map(String)).toEqual([
      'a',
      'IncompleteReadError',
    ]);
  });

  it('refuses to send a message in which its delimiter could be found, also across its end', () => {
    const codec = delimiterCodec('aa');
    for (const message of ['aa', 'xaay', 'a', 'xa'])
      expect(thrown(() => codec.encode(message)).code).toBe('ERR_INVALID_ARG_VALUE');
    expect(bytesOf(codec.encode('axa-')).toString()).toBe('axa-aa');
  });

  it('holds the limit on what comes before the delimiter, in both directions', () => {
    const codec = delimiterCodec(';', { limit: 3 });
    expect(decoded(codec, Buffer.from('abc;abcd;')).map(String)).toEqual(['abc', 'FrameTooLargeError']);
    expect(decoded(codec, Buffer.from('abcd'))).toEqual(['FrameTooLargeError']);
    expect(thrown(() => codec.encode('abcd'))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', length: 4, limit: 3 });
    expect(thrown(() => delimiterCodec('')).code).toBe('ERR_OUT_OF_RANGE');
    expect(thrown(() => delimiterCodec(5 as unknown as string)).code).toBe('ERR_INVALID_ARG_TYPE');
  });
});

describe('lengthPrefixedCodec', () => {
  const prefixes: readonly (readonly [LengthPrefix, string])[] = [
    [{ prefix: 1 }, '03'],
    [{ prefix: 2 }, '0003'],
    [{}, '00000003'],
    [{ prefix: 8 }, '0000000000000003'],
    [{ prefix: 2, endian: 'little' }, '0300'],
    [{ prefix: 4, endian: 'little' }, '03000000'],
    [{ prefix: 8, endian: 'little' }, '0300000000000000'],
    [{ prefix: 4, includesPrefix: true }, '00000007'],
    [{ prefix: 'varint' }, '03'],
  ];

  it.each(prefixes)('writes and reads the length as %o', (options, head) => {
    const codec = lengthPrefixedCodec(options);
    expect(bytesOf(codec.encode('abc')).toString('hex')).toBe(`${head}616263`);
    const two = Buffer.concat([bytesOf(codec.encode('abc')), bytesOf(codec.encode('')), bytesOf(codec.encode('€'))]);
    expect(decoded(codec, two).map(String)).toEqual(['abc', '', '€']);
  });

  it.each(prefixes)('carries messages of all sizes around the edges of %o', (options) => {
    const codec = lengthPrefixedCodec(options);
    for (const size of [0, 1, 127, 128, 250, 255, 256, 16_383, 16_384, 65_535, 65_536, 2_097_152]) {
      const most = options.prefix === 1 ? 255 : options.prefix === 2 ? 65_535 : Number.POSITIVE_INFINITY;
      if (size > most) continue;
      const message = Buffer.alloc(size, 'x');
      const [got] = decoded(codec, bytesOf(codec.encode(message)));
      expect(message.equals(got as Buffer)).toBe(true);
    }
  });

  it('refuses to send a message whose length its prefix cannot say', () => {
    const cases: readonly (readonly [LengthPrefix, number])[] = [
      [{ prefix: 1 }, 255],
      [{ prefix: 1, includesPrefix: true }, 254],
      [{ prefix: 2 }, 65_535],
      [{ prefix: 2, includesPrefix: true }, 65_533],
      [{ limit: 10 }, 10],
    ];
    for (const [options, most] of cases) {
      const codec = lengthPrefixedCodec(options);
      expect(decoded(codec, bytesOf(codec.encode(Buffer.alloc(most))))).toEqual([Buffer.alloc(most)]);
      expect(thrown(() => codec.encode(Buffer.alloc(most + 1)))).toMatchObject({
        code: 'ERR_FRAME_TOO_LARGE',
        length: most + 1,
        limit: most,
      });
    }
  });

  const impossible: readonly (readonly [string, LengthPrefix, string, number])[] = [
    ['2^31', {}, '80000000', 2 ** 31],
    ['2^31 that somebody reads as negative', { endian: 'little' }, '00000080', 2 ** 31],
    ['-1', {}, 'ffffffff', 2 ** 32 - 1],
    ['one more than 16 MiB', {}, '01000001', 2 ** 24 + 1],
    ['2^63', { prefix: 8 }, '8000000000000000', 2 ** 63],
    ['2^64 - 1', { prefix: 8, endian: 'little' }, 'ffffffffffffffff', 2 ** 64],
    ['less than its own prefix', { includesPrefix: true }, '00000003', -1],
    ['a varint of 2^35 - 1', { prefix: 'varint' }, 'ffffffff7f', 2 ** 35 - 1],
    ['a varint of 2^70 - 1', { prefix: 'varint' }, 'ffffffffffffffffff7f', 2 ** 70],
    ['one more than its limit', { prefix: 1, limit: 4 }, '05', 5],
  ];
  it.each(impossible)('F62: refuses a length of %s before a byte of it has come', (_name, options, head, length) => {
    const decoder = new Decoder(lengthPrefixedCodec(options));
    decoder.push(Buffer.from(head, 'hex'));
    const error = thrown(() => decoder.next());
    expect(error).toBeInstanceOf(FrameTooLargeError);
    expect(error).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', length });
    decoder.push(Buffer.alloc(100));
    expect(thrown(() => decoder.next())).toBeInstanceOf(FrameTooLargeError);
  });

  it('takes a varint that is written longer than it need be, up to ten bytes', () => {
    const codec = lengthPrefixedCodec({ prefix: 'varint' });
    expect(decoded(codec, Buffer.from('818000ff', 'hex'))).toEqual([Buffer.from([0xff])]);
    expect(decoded(codec, Buffer.from(`${'80'.repeat(9)}0000`, 'hex')).map(String)).toEqual(['', '']);
    const endless = new Decoder(codec);
    endless.push(Buffer.from('80'.repeat(10), 'hex'));
    expect(thrown(() => endless.next())).toMatchObject({ name: 'DecodeError', code: 'ERR_DECODE', offset: 0 });
  });

  it('refuses options that are none', () => {
    const bad: readonly unknown[] = [
      { prefix: 3 },
      { prefix: '4' },
      { endian: 'middle' },
      { limit: -1 },
      { limit: Number.NaN },
      { includesPrefix: 1 },
      5,
    ];
    for (const options of bad) {
      const { code } = thrown(() => lengthPrefixedCodec(options as LengthPrefix));
      expect(code).toMatch(/^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/);
    }
  });
});

describe('A codec of one’s own', () => {
  const asking = (count: number): Codec<never, Buffer> => ({
    limit: 100,
    encode: () => '',
    decode: (input) => (input.size < 1 ? undefined : input.need(count)),
  });

  it.each([Number.NaN, -1, 1.5, 101, 2 ** 31, Number.POSITIVE_INFINITY])('cannot ask for %d bytes', (count) => {
    expect(decoded(asking(count), Buffer.from('x'))).toEqual(['FrameTooLargeError']);
  });

  it('is not asked again before the bytes that it needs are there', () => {
    let calls = 0;
    const codec: Codec<never, Buffer> = {
      encode: () => '',
      decode(input) {
        calls += 1;
        return input.size < 5 ? input.need(5) : input.take(5);
      },
    };
    const decoder = new Decoder(codec);
    for (const byte of Buffer.from('12345')) {
      decoder.push(Buffer.of(byte));
      decoder.next();
    }
    expect({ calls, left: decoder.buffered }).toEqual({ calls: 2, left: 0 });
  });

  it('sees what has come without a copy, and owns what it takes', () => {
    const chunk = Buffer.alloc(8, 'z');
    let seen: Buffer | undefined;
    let taken: Buffer | undefined;
    const decoder = new Decoder<string>({
      encode: () => '',
      decode(input) {
        seen = input.view(1, 3);
        taken = input.take(4);
        return 'ok';
      },
    });
    decoder.push(chunk);
    expect(decoder.next()).toBe('ok');
    expect(seen?.buffer).toBe(chunk.buffer);
    expect(seen?.byteOffset).toBe(chunk.byteOffset + 1);
    chunk.fill('!');
    expect({ seen: String(seen), taken: String(taken) }).toEqual({ seen: '!!', taken: 'zzzz' });
  });

  it('may take the parts of a value one by one, and is held to it at the end', () => {
    // Three bytes make a value; each is taken as it comes.
    const summing = (): Codec<never, string> => {
      let parts = '';
      return {
        encode: () => '',
        decode(input) {
          while (input.size > 0) {
            parts += input.text(1);
            if (parts.length < 3) continue;
            const whole = parts;
            parts = '';
            return whole;
          }
          return undefined;
        },
      };
    };
    expect(decoded(summing(), Buffer.from('abcdef'))).toEqual(['abc', 'def']);
    expect(decoded(summing(), Buffer.from('abcd'))).toEqual(['abc', 'IncompleteReadError']);
  });

  it('is told when nothing more will come, and may make a last value of it', () => {
    const codec: Codec<never, string> = {
      encode: () => '',
      decode: (input) => (input.ended && input.size > 0 ? input.text(input.size) : undefined),
    };
    expect(decoded(codec, Buffer.from('all of it'))).toEqual(['all of it']);
    expect(decoded(codec, Buffer.alloc(0))).toEqual([]);
  });

  const faulty: readonly (readonly [string, Codec<never, unknown>['decode']])[] = [
    ['gives null', (input) => input.skip(1) ?? null],
    ['gives a value and takes nothing', () => 'from nowhere'],
    ['takes more than there is', (input) => input.take(input.size + 1)],
    ['looks at what has not come', (input) => input.at(input.size)],
    ['views backwards', (input) => input.view(2, 1)],
    ['skips NaN', (input) => input.skip(Number.NaN)],
    ['searches for nothing', (input) => input.indexOf(new Uint8Array(0))],
    [
      'throws a string',
      () => {
        throw 'no';
      },
    ],
  ];
  it.each(faulty)('that %s is a DecodeError with what it did as cause, and no hang', (_name, decode) => {
    const decoder = new Decoder({ encode: () => '', decode });
    decoder.push(Buffer.from('abc'));
    const error = thrown(() => decoder.next());
    expect(error).toBeInstanceOf(DecodeError);
    expect(error.cause).toBeDefined();
    expect(thrown(() => decoder.next())).toBeInstanceOf(DecodeError);
  });

  it('cannot keep its input beyond the call', () => {
    let kept: { size: number } | undefined;
    const decoder = new Decoder<string>({
      encode: () => '',
      decode(input) {
        kept = input;
        return input.text(1);
      },
    });
    decoder.push(Buffer.from('ab'));
    decoder.next();
    expect(thrown(() => kept?.size).message).toContain('after it has returned');
  });

  it('says where in the stream the value begins that it could not decode', () => {
    const decoder = new Decoder(json);
    decoder.push(bytesOf([...(json.encode({ a: 1 }) as Buffer[]), ...(json.encode([2]) as Buffer[])]));
    decoder.push(Buffer.from('\0\x03{]}'));
    expect([decoder.next(), decoder.next()]).toEqual([{ a: 1 }, [2]]);
    const error = thrown(() => decoder.next());
    expect(error).toMatchObject({ code: 'ERR_DECODE', offset: 9 + 5 });
    expect(error.cause).toBeInstanceOf(SyntaxError);
    expect(error.message).toContain('byte 14');
  });
});

/** A stream of others: as much of a socket as the interface asks for. */
class Foreign implements ByteReader, ByteWriter {
  readonly #socket: Socket;
  constructor(socket: Socket) {
    this.#socket = socket;
  }
  read() {
    return this.#socket.read();
  }
  write(data: string | Uint8Array) {
    return this.#socket.write(data);
  }
  end(): void {
    this.#socket.end();
  }
  flush() {
    return this.#socket.flush();
  }
  close(): void {
    this.#socket.close();
  }
  toString(): string {
    return 'a foreign stream';
  }
}

type Stream = ByteReader & ByteWriter;
const kinds: readonly (readonly [string, (socket: Socket) => Stream])[] = [
  ['a socket', (socket) => socket],
  ['any other stream', (socket) => new Foreign(socket)],
];

describe.each(kinds)('framed over %s', (_kind, over) => {
  type Values = Framed<unknown, object, Stream>;

  /** Run `body` with both ends: values on one, the bare socket on the other. Afterwards nothing is left. */
  async function withValues(
    body: (values: Values, peer: Socket) => Op<unknown>,
    codec: Codec<unknown, object> = json,
  ): Promise<void> {
    await run(function* () {
      const [near, far] = memoryPair({ highWaterMark: 64, capacity: 64 });
      try {
        yield* body(framed(over(near), codec), far);
      } finally {
        near.close();
        far.close();
      }
    });
    nothingLeft();
  }

  const frame = (value: unknown): Buffer => bytesOf(json.encode(value));

  it('receives a value that has come, and waits for one that has not', () =>
    withValues(function* (values, peer) {
      yield* peer.write(frame({ n: 1 }));
      yield* peer.flush();
      expect(yield* values.receive()).toEqual({ n: 1 });
      const receiver = spawn(() => values.receive());
      yield* yieldNow();
      expect(receiver.state).toBe('parked');
      for (const byte of frame({ n: 2 })) {
        yield* peer.write(Buffer.of(byte));
        yield* yieldNow();
      }
      expect(yield* receiver.get()).toEqual({ n: 2 });
    }));

  it('receives null at the end, then and ever after', () =>
    withValues(function* (values, peer) {
      yield* peer.write(frame([]));
      peer.end();
      expect([yield* values.receive(), yield* values.receive(), yield* values.receive()]).toEqual([[], null, null]);
    }));

  it('F65: loses nothing when a receiver is killed, or times out, in the middle of a value', () =>
    withValues(function* (values, peer) {
      const bytes = frame({ whole: true });
      yield* peer.write(bytes.subarray(0, 5));
      const receiver = spawn(() => values.receive());
      yield* sleep(1);
      receiver.kill();
      expect(yield* failure(receiver.get())).toBeInstanceOf(GreenletKilledError);
      yield* peer.write(bytes.subarray(5, 9));
      expect(yield* failure(timeout(3, values.receive()))).toBeInstanceOf(TimeoutError);
      yield* peer.write(bytes.subarray(9));
      expect(yield* values.receive()).toEqual({ whole: true });
    }));

  it('is an arm of a select that takes nothing if it loses', () =>
    withValues(function* (values, peer) {
      yield* peer.write(frame({ n: 1 }).subarray(0, 3));
      expect((yield* select({ value: values.receive(), tick: sleep(2) })).key).toBe('tick');
      yield* peer.write(frame({ n: 1 }).subarray(3));
      expect(yield* select({ value: values.receive(), tick: sleep(1000) })).toEqual({ key: 'value', value: { n: 1 } });
      expect((yield* select({ value: values.receive() }, { else: 0 })).key).toBe('else');
    }));

  it('gives its values to forEach until the end', () =>
    withValues(function* (values, peer) {
      for (const n of [1, 2, 3]) yield* peer.write(frame({ n }));
      peer.end();
      const got: object[] = [];
      yield* forEach(values, function* (value) {
        got.push(value);
        yield* yieldNow();
      });
      expect(got).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    }));

  it('names both when two receive at once, and the first is none the worse', () =>
    withValues(function* (values, peer) {
      const first = spawn(() => values.receive());
      yield* yieldNow();
      const error = yield* failure(values.receive());
      expect(error).toBeInstanceOf(BusyError);
      expect(error.message).toContain(first.name);
      expect(yield* failure(select([values.receive(), sleep(1)]))).toBeInstanceOf(BusyError);
      yield* peer.write(frame({}));
      expect(yield* first.get()).toEqual({});
    }));

  it('wakes a receiver when its stream is closed', () =>
    withValues(function* (values) {
      const receiver = spawn(() => values.receive());
      yield* yieldNow();
      values.close();
      expect(yield* failure(receiver.get())).toBeInstanceOf(ClosedError);
      expect(yield* failure(values.receive())).toBeInstanceOf(ClosedError);
    }));

  it('F63: throws IncompleteReadError, with what there is, when the peer ends inside a value', () =>
    withValues(function* (values, peer) {
      yield* peer.write(Buffer.from('\0\x09{"a"'));
      peer.end();
      const error = (yield* failure(values.receive())) as IncompleteReadError & Error;
      expect(error).toBeInstanceOf(IncompleteReadError);
      expect({ partial: String(error.partial), received: error.received, expected: error.expected }).toEqual({
        partial: '\0\x09{"a"',
        received: 6,
        expected: 11,
      });
      expect(yield* failure(values.receive())).toBeInstanceOf(IncompleteReadError);
    }));

  it('throws what came before a reset, then the reset', () =>
    withValues(function* (values, peer) {
      yield* values.send('x'.repeat(200)); // which the peer never reads
      yield* peer.write(frame({ last: 1 }));
      yield* sleep(1);
      peer.close();
      expect(yield* values.receive()).toEqual({ last: 1 });
      expect((yield* failure(values.receive())).code).toBe('ECONNRESET');
    }));

  it('F62: throws FrameTooLargeError, now and ever after, and can still send', () =>
    withValues(
      function* (values, peer) {
        yield* peer.write('\0\x05[1,2]'); // 5 bytes are allowed, 6 are not
        yield* peer.write('\0\x06[1,23]');
        expect(yield* values.receive()).toEqual([1, 2]);
        for (let i = 0; i < 2; i += 1) {
          const error = yield* failure(values.receive());
          expect(error).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', length: 6, limit: 5 });
          expect(error.message).toContain(`receive on ${values}`);
        }
        yield* values.send([7]);
        expect(String(yield* peer.readExactly(5))).toBe('\0\x03[7]');
      },
      {
        encode: json.encode,
        decode: (input) => {
          const bytes = lengthPrefixedCodec({ prefix: 2, limit: 5 }).decode(input);
          return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as object);
        },
      },
    ));

  it('throws DecodeError with the offset, now and ever after, also to one who waits', () =>
    withValues(function* (values, peer) {
      yield* peer.write(frame({}));
      const receiver = spawn(function* () {
        yield* values.receive();
        yield* values.receive();
      });
      yield* yieldNow();
      yield* peer.write('\0\x02{{');
      expect(yield* failure(receiver.get())).toMatchObject({ code: 'ERR_DECODE', offset: 4 });
      yield* peer.write(frame({}));
      expect(yield* failure(values.receive())).toMatchObject({ code: 'ERR_DECODE', offset: 4 });
    }));

  it('queues a frame whole or not at all: a sender that is killed while it waits has sent nothing', () =>
    withValues(function* (values, peer) {
      const filler = 'f'.repeat(40);
      let sent = 0;
      const first = spawn(function* () {
        for (;;) {
          yield* values.send([filler]);
          sent += 1;
        }
      });
      yield* sleep(2);
      expect(first.state).toBe('parked');
      first.kill();
      yield* first.join();
      expect(yield* failure(timeout(2, values.send(['never'])))).toBeInstanceOf(TimeoutError);
      const next = spawn(() => values.send(['next']));
      const others = framed(peer, json);
      for (let i = 0; i < sent; i += 1) expect(yield* others.receive()).toEqual([filler]);
      yield* next.get();
      values.end();
      expect([yield* others.receive(), yield* others.receive()]).toEqual([['next'], null]);
    }));

  it('sends frames that are far larger than every buffer on the way', () =>
    withValues(function* (values, peer) {
      const others = framed(peer, json);
      const sender = spawn(function* () {
        yield* values.send(['y'.repeat(60_000)]);
        yield* values.flush();
        values.end();
      });
      expect(yield* others.receive()).toEqual(['y'.repeat(60_000)]);
      yield* sender.get();
      expect(yield* others.receive()).toBe(null);
    }));

  it('throws at the call what cannot be encoded, and has sent nothing', () =>
    withValues(function* (values, peer) {
      const cyclic: unknown[] = [];
      cyclic.push(cyclic);
      expect(thrown(() => values.send(cyclic))).toBeInstanceOf(TypeError);
      yield* values.send({ ok: 1 });
      values.end();
      const others = framed(peer, json);
      expect([yield* others.receive(), yield* others.receive()]).toEqual([{ ok: 1 }, null]);
    }));
});

describe('framed', () => {
  it('leaves what belongs to no value yet in the socket, to be read by other means', () =>
    run(function* () {
      const [near, far] = memoryPair();
      yield* far.write('UPGRADE\n\0\x02{}rest of it\n\0\x02[]');
      expect(yield* near.readLine()).toBe('UPGRADE');
      const values = framed(near, json);
      expect(yield* values.receive()).toEqual({});
      expect(yield* near.readLine()).toBe('rest of it');
      expect(yield* values.receive()).toEqual([]);
      near.close();
      far.close();
    }).then(nothingLeft));

  it('goes on with what is there when others have read what it waited for', () =>
    run(function* () {
      const [near, far] = memoryPair();
      const values = framed(near, json);
      yield* far.write('\0\x64only a part');
      yield* far.flush();
      expect(yield* failure(timeout(2, values.receive()))).toBeInstanceOf(TimeoutError);
      yield* near.readExactly(13);
      yield* far.write('\0\x02[]');
      expect(yield* values.receive()).toEqual([]);
      near.close();
      far.close();
    }).then(nothingLeft));

  it('reads on above the high-water mark while a frame needs it, and pauses when nobody receives', () =>
    run(function* () {
      const [near, far] = memoryPair({ highWaterMark: 10, capacity: 10 });
      const values = framed(near, lengthPrefixedCodec());
      const sender = spawn(function* () {
        const frames = framed(far, lengthPrefixedCodec());
        for (let i = 0; i < 5; i += 1) yield* frames.send(Buffer.alloc(1000, i));
      });
      expect((yield* values.receive())?.length).toBe(1000);
      yield* sleep(1);
      expect(near.buffered).toBeLessThanOrEqual(20);
      for (let i = 1; i < 5; i += 1) expect(yield* values.receive()).toEqual(Buffer.alloc(1000, i));
      yield* sender.get();
      near.close();
      far.close();
    }).then(nothingLeft));

  it('takes a stream that can only be read, whose send is a TypeError', () =>
    run(function* () {
      const [near, far] = memoryPair();
      const values = framed({ read: (max?: number) => near.read(max) }, lineCodec());
      expect(thrown(() => (values as Framed<string, string, never>).send('x')).code).toBe('ERR_INVALID_ARG_TYPE');
      yield* far.write('a line\n');
      expect(yield* values.receive()).toBe('a line');
      near.close();
      far.close();
    }).then(nothingLeft));

  it('refuses at the call what is no stream or no codec, and says so when a read is no single wait', () =>
    run(function* () {
      const [near, far] = memoryPair();
      const bad: readonly (() => unknown)[] = [
        () => framed(undefined as unknown as Socket, json),
        () => framed({} as unknown as Socket, json),
        () => framed(near, undefined as unknown as Codec<string>),
        () => framed(near, { encode: () => '' } as unknown as Codec<string>),
        () => framed(near, { ...json, limit: 0 }),
        () => framed(near, { ...json, limit: Number.NaN }),
      ];
      for (const call of bad) expect(thrown(call).code).toMatch(/^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/);
      const several = {
        *read() {
          return yield* near.read();
        },
      };
      const values = framed(several as unknown as ByteReader, json);
      expect((yield* failure(values.receive())).message).toContain('not one indivisible wait');
      near.close();
      far.close();
    }).then(nothingLeft));

  it('closes its stream at the end of `using`', () =>
    run(function* () {
      const [near, far] = memoryPair();
      framed(near, json)[Symbol.dispose]();
      expect(near.closed).toBe(true);
      expect(framed(far, json)).toBeInstanceOf(Framed);
      far.close();
    }).then(nothingLeft));
});

describe('A server of frames', () => {
  it('is not ended by a peer that sends nonsense: that is counted and not reported', async () => {
    const reported: unknown[] = [];
    const unlink = hub.on('error', (error) => reported.push(error));
    try {
      await run(function* () {
        const listener = yield* listen({ host, port: 0 });
        const server = spawn(serve, listener, function* (socket: Socket) {
          yield* forEach(framed(socket, json), function* () {});
        });
        for (const nonsense of ['\0\x02{{', '\xff\xff\xff', '\0\x05[']) {
          const socket = yield* connect(listener.address);
          yield* socket.write(Buffer.from(nonsense, 'latin1'));
          socket.end();
          yield* socket.read();
          socket.close();
        }
        listener.close();
        yield* server.get();
        expect(listener.stats).toMatchObject({ accepted: 3, handlerErrors: 3, active: 0 });
      });
    } finally {
      unlink();
    }
    expect(reported).toEqual([]);
    nothingLeft();
  });
});

describe.each(sides)('Writing several pieces at once on a %s', (side) => {
  it('sends them in order, as if they were one', () =>
    withPair(side, function* (socket, peer) {
      yield* socket.writev(['a', Buffer.from('b'), '', new Uint8Array(0), 'c€', Uint16Array.of(0x6465), '!']);
      yield* socket.writev([]);
      yield* socket.write('f');
      expect(String(yield* received(peer, 10))).toBe('abc€ed!f');
    }));

  it('sends large pieces without a copy of them, and small ones in between', () =>
    withPair(side, function* (socket, peer) {
      const pieces = [Buffer.alloc(300_000, 'x'), 'in between', Buffer.alloc(300_000, 'y')];
      const reading = spawn(() => received(peer, 600_010));
      yield* socket.writev(pieces);
      yield* socket.flush();
      expect((yield* reading.get()).equals(Buffer.concat(pieces.map((piece) => Buffer.from(piece))))).toBe(true);
    }));

  it('queues all of them or none: one that is killed while it waits has sent nothing', () =>
    withPair(
      side,
      function* (socket, peer) {
        let size = 0;
        const filler = spawn(function* () {
          for (;;) {
            yield* socket.write(Buffer.alloc(100_000));
            size += 100_000;
          }
        });
        while (filler.state !== 'parked' || socket.unsent === 0) yield* sleep(1);
        yield* sleep(3);
        filler.kill();
        yield* filler.join();
        const waiting = spawn(() => socket.writev(['never', 'sent']));
        yield* yieldNow();
        expect(waiting.state).toBe('parked');
        waiting.kill();
        yield* waiting.join();
        const next = spawn(() => socket.writev(['the ', 'end']));
        const all = yield* received(peer, size + 7);
        yield* next.get();
        expect(all.subarray(size).toString()).toBe('the end');
      },
      { highWaterMark: 1000 },
    ));

  it('refuses what cannot be written at the call, and a write after the end', () =>
    withPair(side, function* (socket, peer) {
      yield* yieldNow();
      for (const bad of [undefined, 'text', 5, [5], ['fine', null]])
        expect(thrown(() => socket.writev(bad as string[])).code).toBe('ERR_INVALID_ARG_TYPE');
      const huge = new Uint8Array(2 ** 30);
      expect(thrown(() => socket.writev([huge, huge])).code).toBe('ERR_OUT_OF_RANGE');
      socket.end();
      expect(yield* failure(socket.writev(['too', 'late']))).toBeInstanceOf(ClosedError);
      peer.resume();
      yield* happened(peer, 'end');
    }));
});
