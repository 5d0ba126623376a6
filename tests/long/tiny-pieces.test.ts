// tiny-pieces.test.ts: a message in hundreds of thousands of tiny pieces costs time in proportion to its bytes, however it is read.
import {
  type ByteReader,
  type Codec,
  delimiterCodec,
  fixedSizeCodec,
  framed,
  lengthPrefixedCodec,
  lineCodec,
  type Op,
  run,
  type Socket,
  spawn,
  yieldNow,
} from 'tendril';
import { describe, expect, it } from 'vitest';
import { ChunkedTransport, socketOn } from '../io/chunked.ts';

type Reading = (socket: Socket) => () => Op<unknown>;

const mark = Buffer.from('\r\n.\r\n');
const limit = 2 ** 30;
const nearly = Buffer.from('\r\n.');
const plain = Buffer.from('xyz');

const values =
  (codec: Codec<never, unknown>, stream: (socket: Socket) => ByteReader): Reading =>
  (socket) => {
    const receiving = framed(stream(socket), codec);
    return () => receiving.receive();
  };
const same = (socket: Socket): ByteReader => socket;
/** As little of a stream as framed() asks for. */
const bare = (socket: Socket): ByteReader => ({ read: (max?: number) => socket.read(max) });

const ways: readonly (readonly [string, Reading, Buffer])[] = [
  ['readExactly', (socket) => () => socket.readExactly(limit), plain],
  ['readLine', (socket) => () => socket.readLine({ limit }), plain],
  ['readLine, one a piece', (socket) => () => socket.readLine(), Buffer.from('ab\n')],
  ['readUntil', (socket) => () => socket.readUntil(mark, { limit }), nearly],
  ['lineCodec', values(lineCodec({ limit }), same), plain],
  ['lineCodec on another stream', values(lineCodec({ limit }), bare), plain],
  ['delimiterCodec', values(delimiterCodec(mark, { limit }), same), nearly],
  ['delimiterCodec on another stream', values(delimiterCodec(mark, { limit }), bare), nearly],
  ['fixedSizeCodec', values(fixedSizeCodec(limit), same), plain],
  ['lengthPrefixedCodec', values(lengthPrefixedCodec({ limit }), same), Buffer.from([0x3f, 1, 1])],
  ['lengthPrefixedCodec, one a piece', values(lengthPrefixedCodec({ prefix: 1 }), same), Buffer.from([2, 1, 1])],
  ['the same on another stream', values(lengthPrefixedCodec({ prefix: 1 }), bare), Buffer.from([2, 1, 1])],
];

/** The processor time, in microseconds, of reading so many pieces: others are busy here too. */
function measure(pieces: number, reading: Reading, piece: Buffer): Promise<number> {
  return run(function* () {
    const transport = new ChunkedTransport();
    const socket = socketOn(transport);
    const next = reading(socket);
    const reader = spawn(function* () {
      for (;;) yield* next();
    });
    yield* yieldNow();
    const begin = process.cpuUsage();
    for (let i = 0; i < pieces; i += 1) {
      transport.deliver(piece, true);
      if (i % 64 === 0) yield* yieldNow();
    }
    yield* yieldNow();
    const { user } = process.cpuUsage(begin);
    reader.kill();
    yield* reader.join();
    socket.close();
    return user;
  });
}

describe('Hundreds of thousands of tiny pieces', () => {
  it.each(ways)('cost %s time in proportion to their number', { timeout: 120_000 }, async (_name, reading, piece) => {
    const best = async (pieces: number): Promise<number> => {
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 3; i += 1) least = Math.min(least, await measure(pieces, reading, piece));
      return least;
    };
    await measure(100_000, reading, piece);
    const few = await best(200_000);
    const many = await best(800_000);
    expect(many / few).toBeLessThan(9);
  });
});
