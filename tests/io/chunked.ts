// chunked.ts: a connection whose bytes come as the test cuts them, and greenlets that read it, also such as are killed after every piece.
//
// Half of the pieces are lent: they lie in one buffer that is overwritten as soon as the call is over, as Node's is. What keeps a view of it reads poison.
import { isKilled, type Op, Socket, spawn, type Waitable, yieldNow } from 'tendril';
import { Address } from '../../io/address.ts';
import type { Transport, TransportSink } from '../../io/transport.ts';

const POISON = 0xee;
const lendable = Buffer.alloc(65_536, POISON);
const here = new Address('', 0, 'chunks');

export class ChunkedTransport implements Transport {
  readonly external = false;
  readonly name = 'chunks';
  readonly localAddress: Address = here;
  readonly remoteAddress: Address = here;
  readonly unsent = 0;
  readonly failure = undefined;
  readonly written: (string | Uint8Array)[] = [];
  paused = false;
  #sink: TransportSink | undefined;

  start(sink: TransportSink): void {
    this.#sink = sink;
  }
  resume(): void {
    this.paused = false;
  }
  write(bytes: string | Uint8Array): void {
    this.written.push(bytes);
  }
  cork(): void {}
  uncork(): void {}
  end(): void {}
  destroy(): void {
    this.#sink = undefined;
  }

  /** Have `bytes` arrive. */
  deliver(bytes: Uint8Array, lent: boolean): void {
    const chunk = lent ? lendable : Buffer.from(bytes);
    if (lent) lendable.set(bytes);
    this.paused = this.#sink?.received(chunk, bytes.length, lent) === false;
    if (lent) lendable.fill(POISON, 0, bytes.length);
  }

  /** Have the peer's end arrive. */
  deliverEnd(): void {
    this.#sink?.ended();
  }
}

/** A socket whose bytes come from `transport`. */
export function socketOn(transport: Transport, highWaterMark = 65_536): Socket {
  return new Socket(transport, highWaterMark, true);
}

/** Values as text that can be compared: bytes in hexadecimal. */
export function shown(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : JSON.stringify(value);
}

export interface Cut {
  readonly pieces: readonly Uint8Array[];
  /** Every second piece is lent, beginning with the first or the second; or none is. */
  readonly lent: 'even' | 'odd' | 'none';
  /** Kill the reader after every piece, and begin another. */
  readonly kills: boolean;
  readonly highWaterMark?: number;
}

/**
 * All that `next` gives of a socket to which the pieces come one by one, then the end; then the name of the error that ended it, if one did, and what is
 * left to be read after that.
 */
export function* readAsCut(
  cut: Cut,
  reading: (socket: Socket) => () => Waitable<unknown>,
  leavesRest = true,
): Op<string[]> {
  const transport = new ChunkedTransport();
  const socket = socketOn(transport, cut.highWaterMark);
  const next = reading(socket);
  const results: string[] = [];
  let over = false;
  let failed = false;
  const loop = function* (): Op<void> {
    try {
      for (;;) {
        const value = yield* next();
        if (value === null) break;
        results.push(shown(value));
      }
    } catch (error) {
      if (isKilled(error)) throw error;
      failed = true;
      results.push((error as Error).name);
    }
    over = true;
  };
  const arrive = (index: number): void => {
    const lent = cut.lent === 'none' ? false : (index % 2 === 0) === (cut.lent === 'even');
    transport.deliver(cut.pieces[index] as Uint8Array, lent);
  };
  let reader = spawn(loop);
  yield* yieldNow();
  let index = 0;
  for (; index < cut.pieces.length && !failed; index += 1) {
    // What waits for a paused peer to go on would wait for ever: whoever reads has to have resumed it.
    for (let turns = 0; transport.paused; turns += 1) {
      if (turns > 100) throw new Error('paused for good');
      yield* yieldNow();
    }
    arrive(index);
    if (!cut.kills) {
      yield* yieldNow();
      continue;
    }
    reader.kill();
    yield* reader.join();
    if (!over) reader = spawn(loop);
    yield* yieldNow();
  }
  if (!failed) transport.deliverEnd();
  yield* reader.join();
  if (!over) throw new Error('the reader has not come to an end');
  if (failed && leavesRest) {
    const rest: Uint8Array[] = [];
    for (;;) {
      while (socket.buffered > 0) rest.push((yield* socket.read()) as Buffer);
      if (index === cut.pieces.length) break;
      arrive(index);
      index += 1;
    }
    results.push(`rest ${Buffer.concat(rest).toString('hex')}`);
  }
  socket.close();
  return results;
}

/** Every way to cut `bytes` into pieces: 2^(length - 1). */
export function* allCuts(bytes: Uint8Array): Generator<Uint8Array[]> {
  const places = Math.max(bytes.length - 1, 0);
  for (let mask = 0; mask < 1 << places; mask += 1) {
    const pieces: Uint8Array[] = [];
    let from = 0;
    for (let i = 0; i < places; i += 1) {
      if ((mask & (1 << i)) === 0) continue;
      pieces.push(bytes.subarray(from, i + 1));
      from = i + 1;
    }
    pieces.push(bytes.subarray(from));
    yield pieces;
  }
}

/** `bytes` cut at `places`, each from 0 to 1 of its length. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => Math.floor(place * bytes.length)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length)).filter(({ length }) => length > 0);
}
