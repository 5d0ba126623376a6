// node-stream-transport.ts: a stream of Node's, or two of them for the two directions, as a Transport.
//
// It flows while the Socket above wants more and is paused otherwise; what is written counts as unsent until the stream has done with it. So a slow
// reader slows the stream, and a slow stream the writer. It is destroyed once, unless it is over. An 'error' always has a listener.
//
// Facts about Node that this rests on, found by tests:
//   a stream that is destroyed from outside without an error says nothing but 'close'
//   after an error what 'data' has not delivered can still be taken with read()
//   the callbacks of writes that a failure has overtaken are called before or after 'error', with that failure or with ECANCELED
//   a write that fails is no longer counted in writableLength when its callback is called

import type net from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { Address } from './address.ts';
import { confirmEnd, turnNow } from './confirmed-end.ts';
import type { WriteProgress } from './errors.ts';
import { StreamError } from './framing-errors.ts';
import type { Transport, TransportSink } from './transport.ts';
import { bytesOf, pieceOf } from './writable.ts';

export class NodeStreamTransport implements Transport {
  readonly external = true;
  readonly name: string;
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  /** Bytes that the stream has not said to be done with. It knows sooner itself, but counts chunks if it is one of objects, and a write that fails as done. */
  #unsent = 0;
  #ending = false;
  readonly #readable: Readable | undefined;
  readonly #writable: Writable | undefined;
  #sink: TransportSink | undefined = undefined;
  #started = false;
  #failure: unknown = undefined;
  /** Nothing more will come; everything has gone. */
  #readOver: boolean;
  #writeOver: boolean;
  /** The turn in which bytes came last. */
  #cameIn = -1;
  #stopAsking: (() => void) | undefined = undefined;
  /** Nothing more is to be had from what has failed. */
  #drained = false;

  constructor(readable: Readable | undefined, writable: Writable | undefined) {
    this.#readable = readable;
    this.#writable = writable;
    this.#readOver = readable === undefined;
    this.#writeOver = writable === undefined;
    this.name = nameOfStream(readable ?? writable);
    this.localAddress = new Address('', 0, this.name);
    this.remoteAddress = this.localAddress;
  }

  /** Until the stream has finished, its end counts as a byte: so flush() after end() waits for it, and learns what goes wrong with it. */
  get unsent(): number {
    const writable = this.#writable;
    if (writable === undefined || this.#writeOver) return 0;
    const counts = writable.writableObjectMode || this.#failure !== undefined;
    return (counts ? this.#unsent : writable.writableLength) + (this.#ending ? 1 : 0);
  }

  /** The error of a stream that has failed, or is gone, before anybody was told of it. */
  get failure(): unknown {
    const writable = this.#writable;
    if (this.#failure !== undefined || writable === undefined || this.#writeOver) return this.#failure;
    return writable.errored ?? (writable.destroyed ? prematureClose() : undefined);
  }

  lost(what: string, cause: unknown, progress: WriteProgress): Error {
    return new StreamError(what, cause, progress);
  }

  start(sink: TransportSink): void {
    const started = this.#started;
    this.#started = true;
    this.#sink = sink;
    if (started) return;
    const readable = this.#readable;
    const writable = this.#writable;
    for (const stream of this.#streams()) {
      // For ever: a stream may fail after it was given up.
      stream.on('error', (error) => this.#failed(error));
      stream.on('close', () => this.#closed(stream));
    }
    // A connection of Node's may say so although it was reset.
    readable?.on('end', () => {
      this.#stopAsking = confirmEnd(readable as net.Socket, this.#cameIn, () => this.#ended());
    });
    writable?.on('finish', () => this.#finished());
    // What has happened already will not be told again.
    if (writable?.writableFinished === true) this.#writeOver = true;
    if (readable === undefined || readable.readableEnded) {
      process.nextTick(() => this.#ended());
    } else if (!readable.destroyed) {
      readable.on('data', this.#received);
      readable.resume();
    }
    for (const stream of this.#streams()) {
      if (stream.destroyed)
        process.nextTick(() => (stream.errored ? this.#failed(stream.errored) : this.#closed(stream)));
    }
  }

  resume(): void {
    this.#readable?.resume();
  }

  write(bytes: string | Uint8Array): void {
    const writable = this.#writable;
    if (writable === undefined || this.#sink === undefined) return;
    const piece = bytesOf(bytes);
    this.#unsent += piece.length;
    writable.write(piece, (error) => {
      if (error !== null && error !== undefined) {
        // What it was destroyed with says more than what that does to a write.
        this.#failed(writable.errored ?? error);
      } else if (this.#failure === undefined) {
        this.#unsent -= piece.length;
        this.#sink?.taken();
      }
    });
  }

  cork(): void {
    this.#writable?.cork();
  }

  uncork(): void {
    this.#writable?.uncork();
  }

  end(): void {
    this.#ending = true;
    this.#writable?.end();
  }

  destroy(): void {
    this.#sink = undefined;
    this.#giveUp();
  }

  readonly #received = (chunk: unknown): void => {
    const sink = this.#sink;
    if (sink === undefined) return;
    this.#cameIn = turnNow();
    let bytes: Buffer;
    try {
      const encoding = this.#readable?.readableEncoding ?? 'utf8';
      bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : bytesOf(pieceOf(chunk, 'read'));
    } catch {
      // What follows a chunk that cannot be told is of no use.
      this.#readable?.off('data', this.#received);
      this.#drained = true;
      this.#failed(typeError(`${this.name} gave ${nameOf(chunk)}, which is neither text nor bytes`));
      return;
    }
    if (bytes.length > 0 && !sink.received(bytes, bytes.length, false)) this.#readable?.pause();
  };

  #ended(): void {
    this.#readOver = true;
    this.#sink?.ended();
    this.#closeIfOver();
  }

  #finished(): void {
    this.#writeOver = true;
    this.#sink?.taken();
    this.#closeIfOver();
  }

  /** `stream` is gone. Without a word before its end, somebody has destroyed it. */
  #closed(stream: Readable | Writable): void {
    if (!this.#isOver(stream)) this.#failed(prematureClose());
  }

  /** Have we nothing more to do with `stream`? */
  #isOver(stream: Readable | Writable): boolean {
    return (stream !== this.#readable || this.#readOver) && (stream !== this.#writable || this.#writeOver);
  }

  #failed(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    if (this.#sink !== undefined && !this.#readOver && !this.#drained) this.#drain();
    const sink = this.#sink;
    this.#sink = undefined;
    this.#giveUp();
    sink?.failed(error);
    // Not before: what had not left when it failed is what `unsent` says then.
    this.#writeOver = true;
    sink?.closed();
  }

  /** Deliver what Node still holds of a stream that has failed. */
  #drain(): void {
    this.#drained = true;
    const readable = this.#readable;
    if (readable === undefined) return;
    // read() may tell 'data' too.
    readable.off('data', this.#received);
    for (let chunk: unknown = readable.read(); chunk !== null; chunk = readable.read()) this.#received(chunk);
  }

  #closeIfOver(): void {
    if (!this.#readOver || !this.#writeOver) return;
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.closed();
  }

  #giveUp(): void {
    this.#stopAsking?.();
    // A direction that is over may go on by itself: what was written to a Transform is still to be read by others.
    for (const stream of this.#streams()) if (!stream.destroyed && !this.#isOver(stream)) stream.destroy();
  }

  #streams(): (Readable | Writable)[] {
    const both: readonly (Readable | Writable | undefined)[] = [this.#readable, this.#writable];
    return [...new Set(both)].filter((stream) => stream !== undefined);
  }
}

function prematureClose(): Error {
  return Object.assign(new Error('the stream was closed before its end'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}

function nameOfStream(stream: object | undefined): string {
  const name = (stream?.constructor as { name?: string } | undefined)?.name;
  return name === undefined || name === '' ? 'a stream' : name;
}
