// cases-write.ts: what may be written, in what order it arrives, when a writer has to wait, and that nothing of it is lost.
import { type Greenlet, type Socket, type Writable, yieldNow } from 'tendril';
import { fill, MIB, MUCH, pour, Sink, stuck } from './bulk.ts';
import { atCall, type Case, ending, hear, pairCase, readToEnd, say, send, start, text, waiting } from './case.ts';

function shared(values: readonly number[]): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(values.length);
  new Uint8Array(memory).set(values);
  return memory;
}

const kinds: Readonly<Record<string, Writable>> = {
  'a string': 'h€',
  'an empty string': '',
  'a Buffer': Buffer.from('buffer'),
  'a view into more': new Uint8Array([0, 1, 2, 3, 4]).subarray(1, 3),
  'wider numbers': Uint16Array.of(0x0102, 0x0304),
  'a DataView': new DataView(Uint8Array.of(9, 8, 7).buffer, 1, 2),
  'an ArrayBuffer': Uint8Array.of(4, 5).buffer,
  'shared memory': shared([6, 7]),
  'a view of shared memory': new Uint8Array(shared([1, 2, 3]), 1, 1),
  'half a pair': '\ud83d',
  'the other half': '\ude00',
};

function* drained(socket: Socket) {
  const sink = new Sink();
  yield* sink.drain(socket);
  return { size: sink.size, intact: sink.intact };
}

export const writing: readonly Case[] = [
  pairCase(
    'sends strings as UTF-8 and each kind of bytes as they are',
    'h€'.length === 2 ? `68e282ac${Buffer.from('buffer').toString('hex')}01020201040308070405060702efbfbdefbfbd` : '',
    function* (near, far) {
      for (const data of Object.values(kinds)) yield* near.write(data);
      near.end();
      return Buffer.from(yield* readToEnd(far)).toString('hex');
    },
  ),

  pairCase(
    'refuses at the call what is no bytes, and is none the worse',
    { refused: ['TypeError ERR_INVALID_ARG_TYPE', 5], got: 'goes on' },
    function* (near, far) {
      const bad: unknown[] = [null, undefined, 5, {}, ['x']];
      const refused = bad.map((data) => atCall(() => near.write(data as string)));
      yield* say(near, 'goes on');
      return { refused: [...new Set(refused), refused.length], got: yield* hear(far) };
    },
  ),

  pairCase(
    'sends nothing for an empty write',
    { flush: 'ok', buffered: 0, unsent: 0, got: 'x' },
    function* (near, far, place) {
      yield* near.write('');
      yield* near.write(new Uint8Array(0));
      const flush = yield* ending(near.flush());
      yield* place.settle();
      const { buffered } = far;
      const { unsent } = near;
      yield* near.write('x');
      return { flush, buffered, unsent, got: text(yield* far.read()) };
    },
  ),

  pairCase('sends what is in a buffer when the turn ends, not when it was written', 'later', function* (near, far) {
    const data = Buffer.from('early');
    yield* near.write(data);
    data.write('later');
    return text(yield* far.readExactly(5));
  }),

  pairCase('keeps the order of writes, whatever their kind and size', true, function* (near, far) {
    const pieces = Array.from({ length: 500 }, (_, i) => `${i}:${'x'.repeat((i * 7919) % 3000)};`);
    const reader = start(() => readToEnd(far));
    for (const [i, piece] of pieces.entries()) {
      yield* near.write(i % 3 === 0 ? Buffer.from(piece) : piece);
      if (i % 50 === 49) yield* yieldNow();
    }
    near.end();
    return (yield* reader.get()) === pieces.join('');
  }),

  pairCase('takes twenty thousand small writes', true, function* (near, far) {
    const reader = start(() => readToEnd(far));
    let all = '';
    for (let i = 0; i < 20_000; i += 1) {
      const piece = `${i} `;
      all += piece;
      yield* near.write(piece);
    }
    near.end();
    return (yield* reader.get()) === all;
  }),

  pairCase('serves writers in the order in which they came', 'aaaa-bbbb-cccc', function* (near, far, place) {
    yield* fill(near, place);
    const written = near.unsent;
    const writers: Greenlet<void>[] = [];
    for (const piece of ['aaaa-', 'bbbb-', 'cccc']) writers.push(yield* waiting(() => near.write(piece)));
    const waits = near.unsent === written;
    const reader = start(() => readToEnd(far));
    for (const writer of writers) yield* writer.get();
    near.end();
    return waits ? (yield* reader.get()).slice(-14) : 'they did not wait';
  }),

  pairCase(
    'makes a writer wait for a peer that does not read, and lets it go on when the peer does',
    { waits: true, bounded: true, size: MUCH, intact: true },
    function* (near, far, place) {
      const writer = yield* stuck(near, place, true);
      const waits = writer.state === 'parked';
      // The mark, and the one piece that was queued below it.
      const bounded = near.unsent <= 65_536 + 262_144;
      const { size, intact } = yield* drained(far);
      yield* writer.get();
      return { waits, bounded, size, intact };
    },
  ),

  pairCase(
    'flushes when the system has everything, not before',
    { waits: true, unsent: 0, size: MUCH },
    function* (near, far, place) {
      yield* near.write(Buffer.alloc(MUCH));
      const flusher = yield* waiting(() => near.flush());
      yield* place.settle();
      const waits = flusher.state === 'parked' && near.unsent > 0;
      const reader = start(() => far.readExactly(MUCH));
      yield* flusher.get();
      const { unsent } = near;
      return { waits, unsent, size: (yield* reader.get()).length };
    },
  ),

  pairCase('flushes at once when nothing is queued', ['ok', 'ok'], function* (near, far) {
    const empty = yield* ending(near.flush());
    yield* send(near, 'x');
    yield* far.read();
    return [empty, yield* ending(near.flush())];
  }),

  pairCase(
    'takes a piece that is far larger than its mark',
    { size: 8 * MIB, same: true },
    function* (near, far) {
      const data = Buffer.alloc(8 * MIB, 'a large piece ');
      yield* near.write(data);
      near.end();
      const got = yield* far.readExactly(8 * MIB);
      return { size: got.length, same: got.equals(data) };
    },
    { near: { highWaterMark: 1024 }, far: { highWaterMark: 1024 } },
  ),

  pairCase(
    'carries 24 MiB in both directions at once, every byte in its place',
    { there: { size: 24 * MIB, intact: true }, back: { size: 24 * MIB, intact: true } },
    function* (near, far) {
      const writers = [near, far].map((socket) =>
        start(function* () {
          yield* pour(socket, 24 * MIB, 100_003);
          socket.end();
        }),
      );
      const there = start(() => drained(far));
      const back = yield* drained(near);
      for (const writer of writers) yield* writer.get();
      return { there: yield* there.get(), back };
    },
  ),
];
