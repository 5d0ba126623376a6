// cases-read.ts: reading what has come and exact numbers of bytes, over pieces that are split and joined, one reader at a time.
import { forEach, type Socket, yieldNow } from 'tendril';
import { MIB, pour, Sink } from './bulk.ts';
import { atCall, type Case, pairCase, readToEnd, send, start, text, thrown, told, waiting, when } from './case.ts';

/** Send `pieces` as segments of their own: each has been seen by the other end before the next one leaves. */
function* sendApart(from: Socket, to: Socket, pieces: readonly string[]) {
  let size = to.buffered;
  for (const piece of pieces) {
    size += Buffer.byteLength(piece);
    yield* send(from, piece);
    yield* when(() => to.buffered === size);
  }
}

export const reading: readonly Case[] = [
  pairCase('reads what has come, at most as much as asked for', ['abc', 'd', 'ef', 0], function* (near, far) {
    yield* send(far, 'abcdef');
    yield* when(() => near.buffered === 6);
    const got = [text(yield* near.read(3)), text(yield* near.read(1)), text(yield* near.read(100))];
    return [...got, near.buffered];
  }),

  pairCase('reads in one piece what came in several', ['one two three', 0], function* (near, far) {
    yield* sendApart(far, near, ['one ', 'two ', 'three']);
    return [text(yield* near.read()), near.buffered];
  }),

  pairCase(
    'peeks without taking, and puts back in front',
    ['ab', 'abcdef', 'abcdef', 'XYabcdef', 0],
    function* (near, far) {
      yield* send(far, 'abcdef');
      yield* when(() => near.buffered === 6);
      const peeked = [text(yield* near.peek(2)), text(yield* near.peek())];
      const all = text(yield* near.read());
      near.unread(Buffer.from('abcdef'));
      near.unread(Buffer.from('XY'));
      return [...peeked, all, text(yield* near.read()), near.buffered];
    },
  ),

  pairCase('waits in peek and in read until something comes', ['1', '1', '2'], function* (near, far) {
    const peek = yield* waiting(() => near.peek());
    yield* send(far, '1');
    const peeked = text(yield* peek.get());
    const read = text(yield* near.read());
    const next = yield* waiting(() => near.read());
    yield* send(far, '2');
    return [peeked, read, text(yield* next.get())];
  }),

  pairCase(
    'reads exactly as many bytes as asked for, however they are split',
    ['', 'abcd', 'ef', 'ghi'],
    function* (near, far) {
      const reader = start(function* () {
        const got: unknown[] = [];
        for (const count of [0, 4, 2, 3]) got.push(text(yield* near.readExactly(count)));
        return got;
      });
      for (const piece of ['a', 'bc', 'defg', 'h', 'i']) {
        yield* send(far, piece);
        yield* yieldNow();
      }
      return yield* reader.get();
    },
  ),

  pairCase(
    'reads exactly more than its buffer is meant to hold',
    { size: MIB, intact: true },
    function* (near, far) {
      const writer = start(() => pour(far, MIB));
      const sink = new Sink();
      sink.add(yield* near.readExactly(MIB));
      yield* writer.join();
      return { size: sink.size, intact: sink.intact };
    },
    { near: { highWaterMark: 4096 } },
  ),

  pairCase(
    'lets one greenlet read at a time, and does not disturb it',
    {
      second: 'BusyError ERR_BUSY',
      unread: 'BusyError ERR_BUSY',
      names: true,
      first: 'for the first',
      rest: 'for all',
    },
    function* (near, far) {
      const first = yield* waiting(() => near.readLine());
      const second = yield* thrown(near.read());
      const unread = atCall(() => near.unread(Buffer.from('x')));
      yield* send(far, 'for the first\nfor all');
      return {
        second: told(second),
        unread,
        names: second.message.includes(first.name),
        first: yield* first.get(),
        rest: text(yield* near.readExactly(7)),
      };
    },
  ),

  pairCase(
    'buffers no more than its mark and one piece of a flood that nobody reads, and holds the peer',
    { bounded: true, held: true, size: 16 * MIB, intact: true },
    function* (near, far, place) {
      const writer = start(function* () {
        yield* pour(far, 16 * MIB);
        far.end();
      });
      yield* when(() => near.buffered >= 65_536);
      yield* place.settle();
      const bounded = near.buffered <= 2 * 65_536;
      const held = writer.state !== 'done';
      const sink = new Sink();
      yield* sink.drain(near);
      yield* writer.join();
      return { bounded, held, size: sink.size, intact: sink.intact };
    },
  ),

  pairCase('gives every chunk to forEach, up to the end', ['onetwothree', null], function* (near, far) {
    let all = '';
    const reader = start(() =>
      forEach(near, function* (chunk) {
        all += chunk;
      }),
    );
    for (const piece of ['one', 'two', 'three']) yield* send(far, piece);
    far.end();
    yield* reader.get();
    return [all, text(yield* near.read())];
  }),

  pairCase('reads and writes at once', { got: 'from the far end', heard: 'from the near end' }, function* (near, far) {
    const reader = yield* waiting(() => readToEnd(near));
    yield* send(near, 'from the near end');
    const heard = text(yield* far.readExactly(17));
    yield* send(far, 'from the far end');
    far.end();
    return { got: yield* reader.get(), heard };
  }),
];
