// cases-end.ts: ends that were meant: the end of one side, of both, and close, with and without regard for what is under way.
import { yieldNow } from 'tendril';
import { clog, MIB, MUCH, pour, Sink } from './bulk.ts';
import { atCall, type Case, ending, hear, pairCase, readToEnd, say, send, start, text, waiting, when } from './case.ts';

const CLOSED = 'ClosedError ERR_CLOSED';

export const endingCases: readonly Case[] = [
  pairCase(
    'reads null after the peer has ended, now and ever after, in every way that may',
    { got: 'the last', ends: [null, null, null, null, null, null], exactly: '' },
    function* (near, far) {
      yield* far.write('the last');
      far.end();
      const got = text(yield* near.readExactly(8));
      const ends = [text(yield* near.read()), text(yield* near.read()), text(yield* near.read(1))];
      const others = [text(yield* near.peek()), yield* near.readLine(), text(yield* near.readUntil(';'))];
      return { got, ends: [...ends, ...others], exactly: text(yield* near.readExactly(0)) };
    },
  ),

  pairCase('wakes a reader that waits when the end comes', [null, null], function* (near, far) {
    const reader = yield* waiting(() => near.read());
    far.end();
    return [text(yield* reader.get()), yield* near.readLine()];
  }),

  pairCase(
    'goes on writing after the peer has ended, and reading after it has ended itself',
    { before: null, answer: 'an answer', end: null, write: CLOSED },
    function* (near, far) {
      far.end();
      const before = text(yield* near.read());
      yield* near.write('an answer');
      near.end();
      const answer = yield* readToEnd(far);
      return { before, answer, end: text(yield* near.read()), write: yield* ending(far.write('more')) };
    },
  ),

  pairCase(
    "reads on to the peer's end after its own end, however long that takes",
    { heard: 'question', answer: MIB, intact: true },
    function* (near, far) {
      yield* near.write('question');
      near.end();
      const heard = yield* readToEnd(far);
      const writer = start(function* () {
        yield* pour(far, MIB);
        far.end();
      });
      const sink = new Sink();
      yield* sink.drain(near);
      yield* writer.join();
      return { heard, answer: sink.size, intact: sink.intact };
    },
  ),

  pairCase('may be ended by both ends at once', ['from far', 'from near', null, null], function* (near, far) {
    yield* near.write('from near');
    near.end();
    yield* far.write('from far');
    far.end();
    const got = [yield* readToEnd(near), yield* readToEnd(far)];
    return [...got, text(yield* near.read()), text(yield* far.read())];
  }),

  pairCase('sends what was written before the end, all of it', { size: 4 * MIB, intact: true }, function* (near, far) {
    const writer = start(function* () {
      yield* pour(near, 4 * MIB);
      near.end();
    });
    const sink = new Sink();
    yield* sink.drain(far);
    yield* writer.join();
    return { size: sink.size, intact: sink.intact };
  }),

  pairCase(
    'refuses to write after its own end, sends nothing of it, and may be ended twice',
    { write: CLOSED, empty: CLOSED, flush: 'ok', got: 'all' },
    function* (near, far) {
      yield* near.write('all');
      near.end();
      near.end();
      const write = yield* ending(near.write('too late'));
      const empty = yield* ending(near.write(''));
      return { write, empty, flush: yield* ending(near.flush()), got: yield* readToEnd(far) };
    },
  ),

  pairCase(
    'refuses everything after its own close, and may be closed twice',
    {
      refused: [CLOSED, CLOSED, CLOSED, CLOSED, CLOSED, CLOSED, CLOSED],
      unread: CLOSED,
      graceful: 'ok',
      closed: true,
      peer: null,
    },
    function* (near, far) {
      yield* send(far, 'unheard');
      yield* when(() => near.buffered === 7);
      near.close();
      near.close();
      near.end();
      const refused: string[] = [];
      for (const op of [near.read(), near.peek(), near.readExactly(1), near.readLine(), near.readUntil(';')])
        refused.push(yield* ending(op));
      refused.push(yield* ending(near.write('x')), yield* ending(near.flush()));
      const unread = atCall(() => near.unread(Buffer.from('x')));
      const graceful = yield* ending(near.closeGracefully());
      return { refused, unread, graceful, closed: near.closed, peer: text(yield* far.read()) };
    },
  ),

  pairCase('sends what was written in the turn of its close', ['small but whole', null], function* (near, far) {
    yield* near.write('small ');
    yield* near.write('but whole');
    near.close();
    return [yield* readToEnd(far), text(yield* far.read())];
  }),

  pairCase(
    'delivers what the peer wrote before it closed, however late it is read',
    ['kept', ' for later', null],
    function* (near, far, place) {
      yield* send(far, 'kept for later');
      far.close();
      yield* place.settle();
      return [text(yield* near.readExactly(4)), yield* readToEnd(near), text(yield* near.read())];
    },
  ),

  pairCase(
    'drops at close what had no room, and delivers an intact beginning and the end',
    { some: true, whole: false, intact: true, end: null },
    function* (near, far, place) {
      const writer = yield* clog(near, place);
      near.close();
      yield* ending(writer.get());
      const sink = new Sink();
      yield* sink.drain(far);
      return { some: sink.size > 0, whole: sink.size === MUCH, intact: sink.intact, end: text(yield* far.read()) };
    },
  ),

  pairCase(
    'wakes who waits on it when it is closed: reader, writers and flusher',
    { reader: CLOSED, writers: [CLOSED, CLOSED], flusher: CLOSED, turns: true },
    function* (near, _far, place) {
      const reader = yield* waiting(() => near.readLine());
      const writer = yield* clog(near, place);
      const second = yield* waiting(() => near.write('no room'));
      const flusher = yield* waiting(() => near.flush());
      near.close();
      const ready = [reader, writer, second, flusher].every(({ state }) => state === 'ready');
      return {
        reader: yield* ending(reader.get()),
        writers: [yield* ending(writer.get()), yield* ending(second.get())],
        flusher: yield* ending(flusher.get()),
        turns: ready,
      };
    },
  ),

  pairCase(
    'wakes who waits for room when its side is ended, sends what had room, and reads on',
    { writer: CLOSED, flusher: 'ok', intact: true, some: true, answer: 'got it' },
    function* (near, far, place) {
      const writer = yield* clog(near, place);
      const flusher = yield* waiting(() => near.flush());
      near.end();
      const told = yield* ending(writer.get());
      const sink = new Sink();
      yield* sink.drain(far);
      yield* say(far, 'got it');
      const answer = yield* hear(near);
      return { writer: told, flusher: yield* ending(flusher.get()), intact: sink.intact, some: sink.size > 0, answer };
    },
  ),

  pairCase(
    'ends its side with the peer if halfOpen is false',
    { got: 'bye', read: null, write: CLOSED, peer: null },
    function* (near, far) {
      yield* far.write('bye');
      far.end();
      const got = text(yield* near.readExactly(3));
      const read = text(yield* near.read());
      return { got, read, write: yield* ending(near.write('too late')), peer: text(yield* far.read()) };
    },
    { near: { halfOpen: false } },
  ),

  pairCase('may be closed on both ends at once', { near: CLOSED, far: CLOSED }, function* (near, far) {
    const reader = yield* waiting(() => near.read());
    const other = yield* waiting(() => far.read());
    near.close();
    far.close();
    return { near: yield* ending(reader.get()), far: yield* ending(other.get()) };
  }),

  pairCase('tells the peer of a close although nobody waits there', [null, 'ok'], function* (near, far, place) {
    far.close();
    yield* place.settle();
    yield* yieldNow();
    return [text(yield* near.read()), yield* ending(near.write(''))];
  }),
];
