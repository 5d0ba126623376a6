// foreign-stream.ts: what all bridges to streams of Node and of the web have in common.
//
// A stream that has one direction only becomes a Socket whose other direction has ended: reading gives null, writing throws ClosedError. Its type shows
// the half that there is.
//
// A stream of ours that is asked for something by a foreign one answers by greenlets. When the foreign one gives up, they are killed and ours is closed,
// once.

import type { Greenlet, GreenletOutcome } from '../core/greenlet.ts';
import { requireScheduler } from '../core/kernel.ts';
import { isOp, type Op } from '../core/op.ts';
import type { Scheduler } from '../core/scheduler.ts';
import { checkOptions, ownCount } from './address.ts';
import type { ByteSink, StreamReader } from './byte-streams.ts';
import { closeLater, runErrand } from './errand.ts';
import { DEFAULT_HIGH_WATER_MARK, Socket, type SocketOptions } from './socket.ts';
import type { Transport } from './transport.ts';

/** How much is read ahead from a foreign stream, or kept for it: 64 KiB by default. */
export type ForeignOptions = Pick<SocketOptions, 'highWaterMark'>;

export function markOf(options: ForeignOptions | undefined, where: string): number {
  return ownCount(checkOptions(options, where), 'highWaterMark', DEFAULT_HIGH_WATER_MARK, 1, where);
}

/** The reading half of a socket on `transport`, which has no other. */
export function readerOn(transport: Transport, highWaterMark: number): StreamReader {
  const socket = new Socket(transport, highWaterMark, true);
  socket.end();
  return socket;
}

/** End `sink`, and wait until everything has left. */
export function* finish(sink: ByteSink): Op<void> {
  const ending = sink.end?.();
  if (isOp(ending)) yield* ending;
  if (sink.flush !== undefined) yield* sink.flush();
}

/** What a foreign stream asks of one of ours. */
export class Requests {
  readonly scheduler: Scheduler = requireScheduler();
  readonly #stream: { close?(): unknown };
  readonly #running: Set<Greenlet<unknown>> = new Set();

  constructor(stream: { close?(): unknown }) {
    this.#stream = stream;
  }

  /** Run `op` and tell `done` how it ended: also when it was killed by giveUp(). */
  start<T>(op: () => Op<T>, done: (outcome: GreenletOutcome<T>) => void): void {
    const greenlet = runErrand<T>(this.scheduler, `request on ${String(this.#stream)}`, op, (outcome) => {
      this.#running.delete(greenlet);
      done(outcome);
    });
    this.#running.add(greenlet);
  }

  /** The value of `op`, as a promise. */
  run<T>(op: () => Op<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.start(op, (outcome) => {
        if (outcome.ok) resolve(outcome.value);
        else reject(outcome.error);
      });
    });
  }

  /** Nobody wants the answers any more: kill what runs, and close our stream unless it is to stay open. */
  giveUp(close: boolean): void {
    for (const greenlet of this.#running) greenlet.kill('the stream that asked was given up');
    if (close) closeLater(this.scheduler, this.#stream);
  }
}
