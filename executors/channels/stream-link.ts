// stream-link.ts: a link over a stream of bytes. A message is four bytes of length, the highest first, and what v8.serialize made of it.
//
// The credits bound what is written: at most the other side's capacity of values, whatever the stream takes at once.
//
// What begins as v8 begins and cannot be read is one value that this side cannot make (v8 writes what is nested deeper than it can read, a newer Node what an
// older one does not know): grants and farewells can be read wherever the header can, and values that go together are numbers, strings and the like.
//
// Invariant: `#size` is the number of bytes in `#pieces`, which are less than one message.

import type { Duplex } from 'node:stream';
import v8 from 'node:v8';
import { nameOf } from '../../core/op.ts';
import { FrameTooLargeError } from '../../io/framing-errors.ts';
import type { Link, LinkMessage, LinkSink } from './link.ts';

// Taken at load: patches never reach us.
const { setTimeout, clearTimeout } = globalThis;

const HEAD = 4;
/** How long the other side may take to end its own direction, before the stream is destroyed. */
const LINGER_MS = 1000;
const ignore = (): void => {};

export class StreamLink implements Link {
  readonly to: string = 'another process';
  readonly transfers: boolean = false;
  readonly #stream: Duplex;
  readonly #limit: number;
  #sink: LinkSink | undefined = undefined;
  #pieces: Buffer[] = [];
  #size = 0;
  /** How many bytes there have to be before it is worth looking. */
  #needed = HEAD;
  #unlisten: (() => void) | undefined = undefined;

  constructor(stream: Duplex, limit: number) {
    this.#stream = stream;
    this.#limit = limit;
  }

  start(sink: LinkSink): void {
    this.#sink = sink;
    const stream = this.#stream;
    let failure: unknown;
    const onData = (bytes: unknown): void => {
      // setEncoding() may be called at any time.
      if (bytes instanceof Uint8Array) this.#read(bytes as Buffer);
      else this.#fail(`the stream gives ${nameOf(bytes)}, not bytes: leave out setEncoding()`);
    };
    const onError = (error: unknown): void => {
      failure = error;
    };
    const onEnd = (): void => this.#fail('the connection has ended');
    const onClose = (): void => this.#fail('the connection is lost', failure);
    stream.on('error', onError);
    stream.on('end', onEnd);
    stream.on('close', onClose);
    stream.on('data', onData);
    const socket = stream as { unref?(): void; setNoDelay?(noDelay: boolean): void };
    socket.unref?.();
    // Small messages back and forth are what a channel is made of.
    socket.setNoDelay?.(true);
    this.#unlisten = () => {
      stream.off('data', onData);
      stream.off('end', onEnd);
      stream.off('close', onClose);
      // An error may still come, of what is being written; it is nobody's any more.
      stream.on('error', ignore);
      stream.off('error', onError);
    };
  }

  post(message: LinkMessage): void {
    const body = v8.serialize(message);
    if (body.length > this.#limit) throw new FrameTooLargeError('send', body.length, this.#limit);
    if (this.#sink === undefined) return;
    const head = Buffer.allocUnsafe(HEAD);
    head.writeUInt32BE(body.length);
    this.#stream.cork();
    this.#stream.write(head);
    this.#stream.write(body);
    process.nextTick(() => this.#stream.uncork());
  }

  #read(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#size += bytes.length;
    if (this.#size < this.#needed) return;
    let input = this.#pieces.length === 1 ? bytes : Buffer.concat(this.#pieces, this.#size);
    this.#needed = HEAD;
    while (this.#sink !== undefined && input.length >= HEAD) {
      const length = input.readUInt32BE();
      if (length > this.#limit) {
        this.#fail(`it announces a message of ${length} bytes, and the limit is ${this.#limit}`);
        return;
      }
      if (input.length < HEAD + length) {
        this.#needed = HEAD + length;
        break;
      }
      this.#deliver(input.subarray(HEAD, HEAD + length));
      input = input.subarray(HEAD + length);
    }
    this.#pieces = input.length === 0 ? [] : [input];
    this.#size = input.length;
  }

  #deliver(body: Buffer): void {
    const reader = new v8.DefaultDeserializer(body);
    try {
      reader.readHeader();
    } catch (error) {
      this.#fail('it has sent bytes that are no message', error);
      return;
    }
    let message: unknown;
    try {
      message = reader.readValue();
    } catch (error) {
      this.#sink?.unreadable(error);
      return;
    }
    this.#sink?.message(message);
  }

  #fail(why: string, cause?: unknown): void {
    this.#sink?.closed(why, cause);
  }

  close(): void {
    this.#sink = undefined;
    this.#unlisten?.();
    this.#unlisten = undefined;
    if (this.#stream.destroyed) return;
    // What was posted still leaves; what the other side sends after its farewell does not matter.
    const stream = this.#stream;
    const lingering = setTimeout(() => stream.destroy(), LINGER_MS).unref();
    stream.once('close', () => clearTimeout(lingering));
    stream.resume();
    stream.end();
  }
}
