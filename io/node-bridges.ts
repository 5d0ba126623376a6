// node-bridges.ts: streams of ours as streams of Node's: `toReadable`, `toWritable`, `toDuplex`. (Node's as ours: node-streams.ts.)
//
// Each request of Node's, for a chunk or to take one, is an Op in a greenlet of its own, so Node's consumer and producer set the pace. Destroying the
// stream kills what runs and closes ours; the end and errors go through in both directions.
//
// An error of ours is an 'error' of the stream. If nobody listens for that it is reported to the hub, as an error that nobody can be given.

import { Duplex, Readable, Writable } from 'node:stream';
import type { GreenletOutcome } from '../core/greenlet.ts';
import type { Op } from '../core/op.ts';
import { type ByteSink, type ByteSource, requireMethod } from './byte-streams.ts';
import { type ForeignOptions, finish, markOf, Requests } from './foreign-stream.ts';

type Callback = (error?: Error | null) => void;
type Chunks = readonly { readonly chunk: Uint8Array }[];

const ignore = (): void => {};

/** What a stream of Node's needs to be one of ours underneath. */
class Bridge {
  readonly #requests: Requests;
  readonly #stream: () => Readable | Writable;
  #reading = false;
  #ended = false;
  #finished = false;

  constructor(ours: { close?(): unknown }, stream: () => Readable | Writable) {
    this.#requests = new Requests(ours);
    this.#stream = stream;
  }

  read(source: ByteSource): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#requests.start(
      () => source.read(),
      (outcome) => {
        this.#reading = false;
        const stream = this.#stream() as Readable;
        if (stream.destroyed) return;
        if (!outcome.ok) {
          stream.destroy(this.#error(outcome));
          return;
        }
        this.#ended = outcome.value === null;
        stream.push(outcome.value);
      },
    );
  }

  write(op: () => Op<unknown>, done: Callback): void {
    this.#requests.start(op, (outcome) => {
      if (outcome.ok) {
        done();
        return;
      }
      const error = this.#error(outcome);
      // Killed from outside, which is nobody's 'error'.
      if (error === undefined) this.#stream().destroy();
      done(error ?? abandoned());
    });
  }

  final(sink: ByteSink, done: Callback): void {
    this.write(
      () => finish(sink),
      (error) => {
        this.#finished = error === undefined;
        done(error);
      },
    );
  }

  /** The stream is destroyed: by itself at its end, or by somebody before it. */
  destroy(readable: boolean, writable: boolean): void {
    const over = (!readable || this.#ended) && (!writable || this.#finished);
    // Both directions over: nothing is left of ours. One that had but one of them may go on with the other.
    this.#requests.giveUp(!over || (readable && writable));
  }

  /** The error to destroy the stream with; undefined for a greenlet that was killed from outside, which is no error of anybody's. */
  #error(outcome: GreenletOutcome<unknown> & { readonly ok: false }): Error | undefined {
    if (outcome.killed) return undefined;
    const { error } = outcome;
    const stream = this.#stream();
    if (stream.listenerCount('error') === 0) {
      stream.on('error', ignore);
      this.#requests.scheduler.report(error, undefined);
    }
    return error instanceof Error ? error : new Error(String(error), { cause: error });
  }
}

function abandoned(): Error {
  return Object.assign(new Error('the write was given up'), { code: 'ABORT_ERR', name: 'AbortError' });
}

function writeAll(sink: ByteSink, chunks: Chunks): () => Op<unknown> {
  return function* () {
    for (const { chunk } of chunks) yield* sink.write(chunk);
  };
}

/**
 * Make a Readable of Node's that gives what `source` gives.
 *
 * Never switches. Nothing is read before it is asked for. Destroying it before the end closes `source`; an error of `source` becomes its 'error'. At the
 * end `source` stays open.
 *
 * @throws TypeError if `source` has no `read`, or for bad options.
 */
export function toReadable(source: ByteSource, options?: ForeignOptions): Readable {
  requireMethod(source, 'read', 'toReadable');
  const bridge = new Bridge(source, () => stream);
  const stream = new Readable({
    highWaterMark: markOf(options, 'toReadable'),
    read: () => bridge.read(source),
    destroy(error, done) {
      bridge.destroy(true, false);
      done(error);
    },
  });
  return stream;
}

/**
 * Make a Writable of Node's whose chunks are written to `sink`.
 *
 * Never switches. A chunk is done with when `sink` has taken it; 'finish' comes when `sink` was ended and everything has left. Destroying it before closes
 * `sink`; an error of `sink` becomes its 'error'.
 *
 * @throws TypeError if `sink` has no `write`, or for bad options.
 */
export function toWritable(sink: ByteSink, options?: ForeignOptions): Writable {
  requireMethod(sink, 'write', 'toWritable');
  const bridge = new Bridge(sink, () => stream);
  const stream = new Writable({
    highWaterMark: markOf(options, 'toWritable'),
    write: (chunk: Uint8Array, _encoding, done) => bridge.write(() => sink.write(chunk), done),
    writev: (chunks, done) => bridge.write(writeAll(sink, chunks as Chunks), done),
    final: (done) => bridge.final(sink, done),
    destroy(error, done) {
      bridge.destroy(false, true);
      done(error);
    },
  });
  return stream;
}

/**
 * Make a Duplex of Node's over a socket, or anything with both halves of one.
 *
 * Never switches. Both directions end separately; when both have ended, or it is destroyed, the socket is closed. Otherwise as `toReadable` and
 * `toWritable`.
 *
 * @throws TypeError if `socket` cannot be read and written, or for bad options.
 */
export function toDuplex(socket: ByteSource & ByteSink, options?: ForeignOptions): Duplex {
  requireMethod(socket, 'read', 'toDuplex');
  requireMethod(socket, 'write', 'toDuplex');
  const bridge = new Bridge(socket, () => stream);
  const highWaterMark = markOf(options, 'toDuplex');
  const stream = new Duplex({
    readableHighWaterMark: highWaterMark,
    writableHighWaterMark: highWaterMark,
    allowHalfOpen: true,
    read: () => bridge.read(socket),
    write: (chunk: Uint8Array, _encoding, done) => bridge.write(() => socket.write(chunk), done),
    writev: (chunks, done) => bridge.write(writeAll(socket, chunks as Chunks), done),
    final: (done) => bridge.final(socket, done),
    destroy(error, done) {
      bridge.destroy(true, true);
      done(error);
    },
  });
  return stream;
}
