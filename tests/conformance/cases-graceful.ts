// cases-graceful.ts: closing with care: what was written is sent, the peer's end is waited for a little, and however it goes the socket is closed.
import { timeout } from 'tendril';
import { clog, MIB, MUCH, pour, Sink } from './bulk.ts';
import { type Case, ending, pairCase, readToEnd, send, start, text, thrown, told, waiting, when } from './case.ts';

export const closingGracefully: readonly Case[] = [
  pairCase(
    'sends everything, however slowly it is read, before it closes',
    { size: 8 * MIB, intact: true, end: null, closed: true },
    function* (near, far, place) {
      const closer = start(function* () {
        yield* pour(near, 8 * MIB);
        yield* near.closeGracefully();
      });
      yield* when(() => far.buffered > 0);
      yield* place.settle();
      const sink = new Sink();
      yield* sink.drain(far);
      far.close();
      yield* closer.get();
      return { size: sink.size, intact: sink.intact, end: null, closed: near.closed };
    },
  ),

  pairCase(
    'waits for the end of the peer, and drops what that still sends',
    { got: 'bye', state: 'parked', write: 'ok', after: true },
    function* (near, far, place) {
      yield* near.write('bye');
      const closer = start(() => near.closeGracefully({ lingerMs: 60_000 }));
      const got = yield* readToEnd(far);
      const write = yield* ending(send(far, 'but I was still talking'));
      yield* place.settle();
      const { state } = closer;
      far.end();
      yield* closer.get();
      return { got, state, write, after: near.closed };
    },
  ),

  pairCase(
    'closes after its patience although the peer does not end',
    { got: 'bye', ended: 'ok', closed: true },
    function* (near, far) {
      yield* near.write('bye');
      const ended = yield* ending(near.closeGracefully({ lingerMs: 5 }));
      return { got: yield* readToEnd(far), ended, closed: near.closed };
    },
  ),

  pairCase(
    'gives up a peer that does not read, and closes',
    { error: 'TimeoutError ERR_TIMEOUT', closed: true, whole: false, intact: true },
    function* (near, far, place) {
      const writer = yield* clog(near, place);
      const error = yield* ending(near.closeGracefully({ drainMs: 20 }));
      yield* ending(writer.get());
      const sink = new Sink();
      yield* sink.drain(far);
      return { error, closed: near.closed, whole: sink.size === MUCH, intact: sink.intact };
    },
  ),

  pairCase(
    'closes when it is killed while it waits',
    { error: 'GreenletKilledError ERR_GREENLET_KILLED', closed: true, got: 'last', end: null },
    function* (near, far) {
      yield* near.write('last');
      const closer = start(() => near.closeGracefully({ lingerMs: 60_000 }));
      yield* when(() => closer.state === 'parked' && near.unsent === 0);
      const got = yield* readToEnd(far);
      closer.kill();
      const error = yield* ending(closer.get());
      return { error, closed: near.closed, got, end: text(yield* far.read()) };
    },
  ),

  pairCase(
    'closes although another greenlet reads, and tells both',
    { closer: 'BusyError ERR_BUSY', reader: 'ClosedError ERR_CLOSED', closed: true },
    function* (near) {
      const reader = yield* waiting(() => near.read());
      const closer = yield* ending(near.closeGracefully());
      return { closer, reader: yield* ending(reader.get()), closed: near.closed };
    },
  ),

  pairCase(
    'tells of a peer that resets before everything has left',
    { name: 'ConnectionResetError', closed: true, again: 'ok' },
    function* (near, far, place) {
      yield* near.write(Buffer.alloc(MUCH));
      const closer = start(() => near.closeGracefully());
      yield* when(() => far.buffered >= 65_536);
      yield* place.settle();
      far.close();
      const { name } = yield* thrown(closer.get());
      return { name, closed: near.closed, again: yield* ending(near.closeGracefully()) };
    },
  ),

  pairCase(
    'does not mind a peer that goes without an end once everything has left',
    'ok',
    function* (near, far, place) {
      yield* send(near, 'all there is');
      yield* when(() => far.buffered === 12);
      const closer = start(() => near.closeGracefully({ lingerMs: 60_000 }));
      yield* when(() => closer.state === 'parked');
      yield* place.settle();
      far.close();
      return yield* ending(closer.get());
    },
  ),

  pairCase('may be closed gracefully by both ends at once', ['ok', 'ok', true, true], function* (near, far) {
    yield* near.write('one');
    yield* far.write('two');
    const one = start(() => near.closeGracefully());
    const two = start(() => far.closeGracefully());
    return [yield* ending(one.get()), yield* ending(two.get()), near.closed, far.closed];
  }),

  pairCase('takes a limit of its own around it', ['TimeoutError ERR_TIMEOUT', true], function* (near) {
    const error = yield* thrown(timeout(10, near.closeGracefully({ lingerMs: 60_000 })));
    return [told(error), near.closed];
  }),
];
