// bulk.ts: many bytes whose every position can be told: what is written by one end and checked by the other.
//
// The pattern's period is a prime, so a piece that is lost, doubled or out of place by any power of two is seen.
import type { Greenlet, Op, Socket } from 'tendril';
import { start, when } from './case.ts';
import type { Place } from './ground.ts';

export const MIB = 1_048_576;
/** More than any ground's buffers hold: Linux takes up to 6 MB for a peer that does not read. */
export const MUCH: number = 12 * MIB;

const PERIOD = 1_048_573;
const PIECE = 262_144;
const pattern = Buffer.allocUnsafe(PERIOD + PIECE);
for (let i = 0, state = 1; i < pattern.length; i += 1) {
  if (i === PERIOD) state = 1;
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  pattern[i] = state >>> 24;
}

/** The bytes from `at` on: at most 256 KiB. */
export function patternAt(at: number, size: number): Buffer {
  return pattern.subarray(at % PERIOD, (at % PERIOD) + size);
}

/** Write `size` bytes of the pattern in pieces, and call `wrote` after each. */
export function* pour(socket: Socket, size: number, piece: number = PIECE, wrote: () => void = () => {}): Op<void> {
  for (let at = 0; at < size; at += piece) {
    yield* socket.write(patternAt(at, Math.min(piece, size - at)));
    wrote();
  }
}

/**
 * Have somebody pour much into `socket`, whose peer does not read, and then end it if `ends`; wait until no more is taken.
 *
 * Over TLS it takes some turns of the event loop until a piece has left, and `unsent` is the same after each of them: hence the count.
 */
export function* stuck(socket: Socket, place: Place, ends: boolean): Op<Greenlet<void>> {
  let pieces = 0;
  const writer = start(function* () {
    yield* pour(socket, MUCH, PIECE, () => {
      pieces += 1;
    });
    if (ends) socket.end();
  });
  for (let quiet = 0; quiet < 3; ) {
    yield* when(() => writer.state === 'parked' && socket.unsent > 0);
    const before = [pieces, socket.unsent];
    yield* place.settle();
    quiet = before[0] === pieces && before[1] === socket.unsent ? quiet + 1 : 0;
  }
  return writer;
}

/** Have somebody write to `socket`, whose peer does not read, until no more is taken: that greenlet waits for room now. */
export function clog(socket: Socket, place: Place): Op<Greenlet<void>> {
  return stuck(socket, place, false);
}

/** As `clog`, but nobody waits any more. */
export function* fill(socket: Socket, place: Place): Op<void> {
  const writer = yield* clog(socket, place);
  writer.kill();
  yield* writer.join();
}

/** What has come of the pattern. */
export class Sink {
  size = 0;
  /** Is every byte the one that belongs there? */
  intact = true;

  add(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at += PIECE) {
      const piece = chunk.subarray(at, at + PIECE);
      if (!patternAt(this.size, piece.length).equals(piece)) this.intact = false;
      this.size += piece.length;
    }
  }

  /** Take everything up to the peer's end. */
  *drain(socket: Socket): Op<void> {
    for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) this.add(chunk);
  }
}
