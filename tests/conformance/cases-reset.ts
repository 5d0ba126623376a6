// cases-reset.ts: connections that are lost: a peer that closes with unread data, that is gone when we write, that loses us.
//
// A reset is made as programs make it: an end closes although the system holds data for it that it has not read. A mark of one byte stops that end after
// the first piece; Node may hold another one of 64 KiB for a connection that was accepted, hence the size of what is sent.
import { type ConnectionResetError, type Op, type Socket, sleep } from 'tendril';
import { clog, MIB, MUCH, pour, Sink } from './bulk.ts';
import { type Case, ending, pairCase, send, start, text, thrown, told, waiting, when } from './case.ts';
import type { Place } from './ground.ts';

const RESET = 'ConnectionResetError ECONNRESET';
const BROKEN = 'ConnectionResetError EPIPE';
const tiny = { highWaterMark: 1 };
const knowsAtOnce = {
  Unix: 'it knows without an answer that the other end is gone: already the first write fails',
  TLS: 'the end is told before the connection is gone, so it is not said which write finds that out',
};
const unknown = { TLS: 'Node 20 and 22 tell an end, which is known to be none of TLS: `truncatable` says so' };

/** Leave data in the system that `far`, whose mark is one byte, will never read. */
function* ignored(near: Socket, far: Socket, place: Place): Op<void> {
  yield* near.write(Buffer.alloc(163_840));
  yield* when(() => far.buffered > 0);
  yield* place.settle();
}

/** Have `far`, whose mark is one byte, reset the connection. */
function* reset(near: Socket, far: Socket, place: Place): Op<void> {
  yield* ignored(near, far, place);
  far.close();
}

export const resetting: readonly Case[] = [
  pairCase(
    'reads a reset, not an end, when the peer closes with unread data',
    [RESET, RESET, RESET, RESET],
    function* (near, far, place) {
      const reader = yield* waiting(() => near.read());
      yield* reset(near, far, place);
      return [
        yield* ending(reader.get()),
        yield* ending(near.read()),
        yield* ending(near.readLine()),
        yield* ending(near.write('x')),
      ];
    },
    { far: tiny },
  ),

  pairCase(
    'delivers what came before the reset, then the reset',
    ['be', 'for', 'e', RESET, RESET],
    function* (near, far, place) {
      yield* send(far, 'before');
      yield* when(() => near.buffered === 6);
      yield* reset(near, far, place);
      yield* place.settle();
      const got = [text(yield* near.read(2)), text(yield* near.readExactly(3)), text(yield* near.peek())];
      const line = yield* ending(near.readLine());
      yield* near.read();
      return [...got, line, yield* ending(near.read())];
    },
    { far: tiny },
  ),

  pairCase(
    'delivers also what the system held back before the reset',
    { got: 'one two three', end: RESET },
    function* (near, far, place) {
      yield* send(far, 'one ');
      yield* when(() => near.buffered > 0);
      yield* send(far, 'two ');
      yield* send(far, 'three');
      yield* place.settle();
      yield* reset(near, far, place);
      yield* place.settle();
      return { got: text(yield* near.readExactly(13)), end: yield* ending(near.read()) };
    },
    { near: tiny, far: tiny },
  ),

  pairCase(
    'takes a reset that comes together with data for what it is, not for an end',
    { got: 'half an ans', end: RESET },
    function* (near, far, place) {
      yield* ignored(near, far, place);
      yield* far.write('half an ans');
      far.close();
      return { got: text(yield* near.readExactly(11)), end: yield* ending(near.read()) };
    },
    { far: tiny },
  ),

  pairCase(
    'takes it so as well when its own side has ended',
    { got: 'half an ans', end: RESET },
    function* (near, far, place) {
      yield* ignored(near, far, place);
      near.end();
      yield* place.settle();
      yield* far.write('half an ans');
      far.close();
      return { got: text(yield* near.readExactly(11)), end: yield* ending(near.read()) };
    },
    { far: tiny, absent: unknown },
  ),

  pairCase(
    'ends the flush of a large write when the peer resets in the middle of it',
    { error: RESET, queued: MUCH, some: true, again: RESET, flush: RESET },
    function* (near, far, place) {
      yield* near.write(Buffer.alloc(MUCH));
      const flusher = start(() => near.flush());
      yield* when(() => far.buffered > 0);
      yield* place.settle();
      far.close();
      const error = (yield* thrown(flusher.get())) as ConnectionResetError;
      const { bytesQueued, bytesFlushed } = error;
      return {
        error: told(error),
        queued: bytesQueued,
        some: bytesFlushed >= 0 && bytesFlushed < MUCH,
        again: yield* ending(near.write('x')),
        flush: yield* ending(near.flush()),
      };
    },
  ),

  pairCase(
    'ends the wait of every writer when the peer resets, and takes nothing of what they had',
    { first: RESET, second: RESET, queued: true, unsent: 0 },
    function* (near, far, place) {
      const first = yield* clog(near, place);
      const second = yield* waiting(() => near.write('no room'));
      far.close();
      const error = (yield* thrown(first.get())) as ConnectionResetError;
      yield* place.settle();
      const queued = error.bytesQueued < MUCH && error.bytesFlushed <= error.bytesQueued;
      return { first: told(error), second: yield* ending(second.get()), queued, unsent: near.unsent };
    },
  ),

  pairCase(
    'takes the first write after the peer has gone, and breaks at a later one',
    { read: null, first: 'ok', second: BROKEN, ever: BROKEN, end: null },
    function* (near, far, place) {
      far.close();
      const read = text(yield* near.read());
      const first = yield* ending(send(near, 'nobody hears this'));
      yield* place.settle();
      const second = yield* ending(send(near, 'nor this'));
      return { read, first, second, ever: yield* ending(near.write('x')), end: text(yield* near.read()) };
    },
    { absent: knowsAtOnce },
  ),

  pairCase(
    'breaks at some write after the peer has gone, for good, and its read goes on saying null',
    { read: null, error: BROKEN, ever: [BROKEN, BROKEN], end: null },
    function* (near, far) {
      far.close();
      const read = text(yield* near.read());
      let error = 'ok';
      while (error === 'ok') {
        error = yield* ending(send(near, 'is anybody there?'));
        yield* sleep(1);
      }
      const ever = [yield* ending(near.write('x')), yield* ending(near.flush())];
      return { read, error, ever, end: text(yield* near.read()) };
    },
  ),

  pairCase(
    'may end and close after the connection is lost, without a word',
    { read: RESET, closed: true, graceful: 'ok' },
    function* (near, far, place) {
      yield* reset(near, far, place);
      const read = yield* ending(near.read());
      near.end();
      near.close();
      near.close();
      return { read, closed: near.closed, graceful: yield* ending(near.closeGracefully()) };
    },
    { far: tiny },
  ),

  pairCase(
    'breaks, and is not reset, when the peer resets after its own end was read',
    { read: null, write: BROKEN, again: null },
    function* (near, far, place) {
      far.end();
      const read = text(yield* near.read());
      yield* reset(near, far, place);
      yield* place.settle();
      return { read, write: yield* ending(send(near, 'x')), again: text(yield* near.read()) };
    },
    { far: tiny },
  ),

  pairCase(
    'is reset while it reads on after its own end',
    RESET,
    function* (near, far, place) {
      yield* ignored(near, far, place);
      near.end();
      const reader = yield* waiting(() => near.read());
      yield* place.settle();
      far.close();
      return yield* ending(reader.get());
    },
    { far: tiny },
  ),

  pairCase(
    'is reset if data comes for it after its own close: that end learns of it when it writes on',
    { sooner: true, error: true },
    function* (near, far, place) {
      const writer = start(() => pour(near, MUCH));
      yield* when(() => far.buffered >= 65_536);
      far.close();
      const error = yield* ending(writer.get());
      yield* place.settle();
      return { sooner: near.unsent === 0, error: error === RESET || error === BROKEN };
    },
  ),

  pairCase(
    'resets in the other direction as well: what the peer had written in vain is lost with it',
    { writer: 'ConnectionResetError', size: true, intact: true },
    function* (near, far, place) {
      // Both write, neither reads more than its mark; one closes. Who does not read learns of it by a write, which a Unix socket calls EPIPE.
      const writer = start(() => pour(near, MUCH));
      const other = start(() => pour(far, MIB));
      yield* when(() => far.buffered >= 65_536 && near.buffered >= 65_536);
      yield* place.settle();
      far.close();
      yield* ending(other.get());
      const { name } = yield* thrown(writer.get());
      const sink = new Sink();
      yield* ending(sink.drain(near));
      return { writer: name, size: sink.size >= 65_536, intact: sink.intact };
    },
  ),
];
