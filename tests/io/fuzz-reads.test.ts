// fuzz-reads.test.ts: whatever comes, however it is cut, whoever is killed: each way to read gives what a reader of the whole would get.
//
// The expectation is written down a second time, on the whole array, in a few lines for each. Small messages are cut in every way; larger ones at random.
// A failure prints the seed of fast-check.
import fc from 'fast-check';
import { type Op, openHandles, run, type Socket, spawn, type Waitable, yieldNow } from 'tendril';
import { simulate } from 'tendril/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { allCuts, ChunkedTransport, type Cut, cutAt, readAsCut, shown, socketOn } from './chunked.ts';

afterEach(() => expect(openHandles().names).toEqual([]));

interface Reading {
  readonly name: string;
  readonly read: (socket: Socket) => Waitable<unknown>;
  /** What it gives of `bytes` and their end. */
  readonly model: (bytes: Buffer) => string[];
}

const rest = (bytes: Buffer, at: number): string => `rest ${bytes.subarray(at).toString('hex')}`;

function byLine(limit: number): Reading {
  return {
    name: `readLine({limit: ${limit}})`,
    read: (socket) => socket.readLine({ limit, encoding: 'latin1' }),
    model(bytes) {
      const got: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = bytes.indexOf(10, at);
        if (end < 0)
          return [...got, bytes.length - at > limit ? 'LineTooLongError' : 'IncompleteReadError', rest(bytes, at)];
        const length = end > at && bytes[end - 1] === 13 ? end - 1 - at : end - at;
        if (length > limit) return [...got, 'LineTooLongError', rest(bytes, at)];
        got.push(shown(bytes.toString('latin1', at, at + length)));
        at = end + 1;
      }
      return got;
    },
  };
}

function byMark(mark: string, limit: number): Reading {
  return {
    name: `readUntil('${mark}', {limit: ${limit}})`,
    read: (socket) => socket.readUntil(mark, { limit }),
    model(bytes) {
      const got: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = bytes.indexOf(mark, at);
        const missing = bytes.length - at >= limit + mark.length ? 'LineTooLongError' : 'IncompleteReadError';
        if (end < 0) return [...got, missing, rest(bytes, at)];
        if (end - at > limit) return [...got, 'LineTooLongError', rest(bytes, at)];
        got.push(shown(bytes.subarray(at, end)));
        at = end + mark.length;
      }
      return got;
    },
  };
}

function bySize(count: number): Reading {
  return {
    name: `readExactly(${count})`,
    read: (socket) => socket.readExactly(count),
    model(bytes) {
      const got: string[] = [];
      for (let at = 0; ; at += count) {
        if (bytes.length - at < count) return [...got, 'IncompleteReadError', rest(bytes, at)];
        got.push(shown(bytes.subarray(at, at + count)));
      }
    },
  };
}

/** Read byte by byte, looking at each first: what is looked at stays. */
const byPeeking: Reading = {
  name: 'peek and read(1)',
  read: (() => {
    const peeked = new WeakMap<Socket, boolean>();
    return (socket: Socket) => {
      const looks = peeked.get(socket) !== true;
      peeked.set(socket, looks);
      return looks ? socket.peek(1) : socket.read(1);
    };
  })(),
  model: (bytes) => [...bytes].flatMap((byte) => [shown(Buffer.of(byte)), shown(Buffer.of(byte))]),
};

const readings: readonly Reading[] = [
  byLine(3),
  byLine(0),
  byMark(';', 3),
  byMark('ab', 4),
  byMark('aa', 2),
  byMark('aab', 0),
  bySize(1),
  bySize(3),
  bySize(100),
];

const variants: readonly Pick<Cut, 'lent' | 'kills' | 'highWaterMark'>[] = [
  { lent: 'even', kills: false },
  { lent: 'odd', kills: true },
  { lent: 'none', kills: false, highWaterMark: 1 },
  { lent: 'even', kills: true, highWaterMark: 2 },
];

const messages: readonly string[] = [
  'ab\r\n\r\nc\n',
  'abaab;;a',
  ';a\raab\nx',
  'abcd;ab\n',
  'aaabaaab',
  '\n\n\r\r\n;',
  '',
];

describe.each(readings)('$name', ({ read, model }) => {
  it.each(messages)('gives the same of %j in whatever pieces it comes, with and without kills', async (message) => {
    const bytes = Buffer.from(message);
    const expected = model(bytes);
    const { value } = await simulate(function* () {
      const different: unknown[] = [];
      for (const pieces of allCuts(bytes)) {
        for (const variant of variants) {
          const got = yield* readAsCut({ pieces, ...variant }, (socket) => () => read(socket));
          if (got.join() !== expected.join()) different.push({ pieces: pieces.map(String), variant, got });
        }
      }
      return different;
    });
    expect(value, `expected ${expected.join()}`).toEqual([]);
  });

  it('gives the same of random bytes, cut at random', async () => {
    const byte = fc.oneof(fc.constantFrom(10, 13, 59, 97, 98), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(
        fc.array(byte, { maxLength: 60 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
        fc.constantFrom(...variants),
        async (data, places, variant) => {
          const bytes = Buffer.from(data);
          const cut = { pieces: cutAt(bytes, places), ...variant };
          const { value } = await simulate(() => readAsCut(cut, (socket) => () => read(socket)));
          expect(value).toEqual(model(bytes));
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('read() and peek()', () => {
  it('give every byte once and in order, in whatever pieces', async () => {
    const bytes = Buffer.from('abcdefgh');
    const { value } = await simulate(function* () {
      const wrong: unknown[] = [];
      for (const pieces of allCuts(bytes)) {
        for (const variant of variants) {
          for (const max of [undefined, 1, 3]) {
            const got = yield* readAsCut({ pieces, ...variant }, (socket) => () => socket.read(max));
            const longest = Math.max(...got.map((chunk) => JSON.stringify(chunk).length / 2 - 1));
            if (got.join('') !== bytes.toString('hex') || longest > (max ?? 8)) wrong.push({ pieces, variant, got });
          }
        }
      }
      return wrong;
    });
    expect(value).toEqual([]);
  });

  it('look at a byte and then take it, in whatever pieces', async () => {
    const bytes = Buffer.from('abcdef');
    const { value } = await simulate(function* () {
      const wrong: unknown[] = [];
      for (const pieces of allCuts(bytes)) {
        const cut: Cut = { pieces, lent: 'even', kills: false, highWaterMark: 1 };
        const got = yield* readAsCut(cut, (socket) => () => byPeeking.read(socket));
        if (got.join() !== byPeeking.model(bytes).join()) wrong.push({ pieces, got });
      }
      return wrong;
    });
    expect(value).toEqual([]);
  });
});

/** One step of a program that reads: its result depends on what comes, and not on when. */
type Step =
  | { readonly kind: 'line' | 'until'; readonly limit: number }
  | { readonly kind: 'exactly'; readonly count: number }
  /** Put back so many of the bytes that were read last. */
  | { readonly kind: 'unread'; readonly count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('line' as const, 'until' as const), limit: fc.nat(8) }),
  fc.record({ kind: fc.constant('exactly' as const), count: fc.nat(6) }),
  fc.record({ kind: fc.constant('unread' as const), count: fc.nat(6) }),
);

/** What a program gives of the whole. */
function interpreted(program: readonly Step[], bytes: Buffer): string[] {
  let left = bytes;
  let last: Buffer = Buffer.alloc(0);
  return program.map((each) => {
    switch (each.kind) {
      case 'exactly': {
        if (left.length < each.count) return 'IncompleteReadError';
        last = left.subarray(0, each.count);
        left = left.subarray(each.count);
        return shown(last);
      }
      case 'unread': {
        const back = last.subarray(0, each.count);
        left = Buffer.concat([back, left]);
        last = Buffer.alloc(0);
        return shown(back);
      }
      default: {
        const mark = each.kind === 'line' ? '\n' : ';';
        const [first = 'null'] = (each.kind === 'line' ? byLine(each.limit) : byMark(mark, each.limit)).model(left);
        if (first.endsWith('Error') || first === 'null') return first;
        last = Buffer.alloc(0);
        left = left.subarray(left.indexOf(mark) + 1);
        return first;
      }
    }
  });
}

function* performed(program: readonly Step[], socket: Socket): Op<string[]> {
  const results: string[] = [];
  let last: Buffer = Buffer.alloc(0);
  for (const each of program) {
    try {
      if (each.kind === 'unread') {
        const back = Buffer.from(last.subarray(0, each.count));
        socket.unread(back);
        results.push(shown(back));
        last = Buffer.alloc(0);
      } else if (each.kind === 'exactly') {
        last = yield* socket.readExactly(each.count);
        results.push(shown(last));
      } else {
        const { limit } = each;
        const value: unknown =
          each.kind === 'line'
            ? yield* socket.readLine({ limit, encoding: 'latin1' })
            : yield* socket.readUntil(';', { limit });
        if (value !== null) last = Buffer.alloc(0);
        results.push(shown(value));
      }
    } catch (error) {
      results.push((error as Error).name);
    }
  }
  return results;
}

describe('A program of reads and unreads', () => {
  it('sees one stream of bytes, however it comes', async () => {
    const byte = fc.constantFrom(10, 13, 59, 97, 98, 99);
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 25 }),
        fc.array(byte, { maxLength: 60 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
        fc.constantFrom(1, 4, 65_536),
        async (program, data, places, mark) => {
          const bytes = Buffer.from(data);
          const { value } = await simulate(function* () {
            const transport = new ChunkedTransport();
            const socket = socketOn(transport, mark);
            const reader = spawn(performed, program, socket);
            for (const [index, piece] of cutAt(bytes, places).entries()) {
              for (let turns = 0; transport.paused && reader.state !== 'done' && turns < 100; turns += 1)
                yield* yieldNow();
              transport.deliver(piece, index % 2 === 0);
              yield* yieldNow();
            }
            transport.deliverEnd();
            const results = yield* reader.get();
            socket.close();
            return results;
          });
          expect(value).toEqual(interpreted(program, bytes));
        },
      ),
      { numRuns: 600 },
    );
  });
});

describe('What never ends', () => {
  const flood: readonly (readonly [string, (socket: Socket) => Waitable<unknown>, number])[] = [
    ['a line', (socket) => socket.readLine({ limit: 1000 }), 1002],
    ['a line of the default limit', (socket) => socket.readLine(), 65_538],
    ['a delimiter', (socket) => socket.readUntil('\r\n.\r\n', { limit: 1000 }), 1005],
  ];
  it.each(flood)(
    'F61: %s is refused when its limit has come, and costs no more than that',
    async (_name, read, most) => {
      const { value } = await simulate(function* () {
        const transport = new ChunkedTransport();
        const socket = socketOn(transport, 500);
        const reader = spawn(() => read(socket));
        reader.link(() => {});
        yield* yieldNow();
        let sent = 0;
        while (reader.state === 'parked') {
          transport.deliver(Buffer.alloc(100, 'x'), true);
          sent += 100;
        }
        const { paused } = transport;
        const error = reader.state === 'ready' ? 'refused' : 'lost';
        yield* reader.join();
        const name = reader.outcome?.ok === false ? (reader.outcome.error as Error).name : 'ok';
        const { buffered } = socket;
        socket.close();
        return { error, name, bounded: sent <= most + 100 && buffered === sent, paused };
      });
      expect(value).toEqual({ error: 'refused', name: 'LineTooLongError', bounded: true, paused: true });
    },
  );

  it('costs nothing that has not come: a large readExactly allocates for what is there', async () => {
    const sizes: number[] = [];
    const { allocUnsafe } = Buffer;
    const spy = vi.spyOn(Buffer, 'allocUnsafe').mockImplementation((size) => {
      sizes.push(size);
      return allocUnsafe(size);
    });
    try {
      await run(function* () {
        const transport = new ChunkedTransport();
        const socket = socketOn(transport);
        const reader = spawn(() => socket.readExactly(2 ** 31 - 1));
        yield* yieldNow();
        for (let i = 0; i < 10; i += 1) transport.deliver(Buffer.alloc(100), true);
        reader.kill();
        yield* reader.join();
        socket.close();
      });
    } finally {
      spy.mockRestore();
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4096);
  });
});
