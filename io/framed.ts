// framed.ts: `framed(stream, codec)`: a stream of bytes as a stream of values.
//
// receive() is one indivisible wait, as a read is: it takes a whole value or nothing, so a kill or a timeout in the middle of one loses no byte. On a
// Socket, and on what has its reading side, what has come waits in the stream's own buffer, and what belongs to the next value is still there to be
// read by other means. On any other reader it waits in the Framed.
//
// send() queues a whole frame or nothing: the pieces that a codec gives go through one write.
//
// Sources: tokio_util::codec::Framed; S6.

/// <reference lib="esnext.disposable" preserve="true" />

import { rangeError, typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import { MappedWait, type Mapping } from '../core/mapped.ts';
import { nameOf, type Op, type Waitable } from '../core/op.ts';
import type { Wait } from '../core/wait.ts';
import { shownValue } from './address.ts';
import { type ByteReader, type ByteWriter, requireMethod } from './byte-streams.ts';
import { type Codec, FrameDecoder } from './codec.ts';
import { receiveFrom } from './framing-receive.ts';
import { bytesOf, pieceOf } from './writable.ts';

const STEP: Mapping<unknown, IteratorResult<unknown, undefined>> = {
  value: (value) => (value === null ? { done: true, value: undefined } : { done: false, value }),
  recover: () => undefined,
};

/** A stream of bytes as a stream of values: what `framed` gives. */
export class Framed<In, Out = In, S extends ByteReader = ByteReader & ByteWriter> {
  /** What the bytes come from and go to. Between two values it may be read and written directly. */
  readonly stream: S;
  readonly #codec: Codec<In, Out>;
  readonly #receive: Wait<Out | null>;
  #next: Wait<IteratorResult<Out, undefined>> | undefined = undefined;

  /** @internal: framed() makes them. */
  constructor(stream: S, codec: Codec<In, Out>) {
    this.stream = stream;
    this.#codec = codec;
    this.#receive = receiveFrom(stream, new FrameDecoder(codec, () => `receive on ${String(stream)}`));
  }

  /**
   * Receive the next value; null when the peer has ended its side, then and ever after.
   *
   * Switches only if no whole value has come. If it throws Killed, TimeoutError or BusyError nothing was taken: the next receive gets the value.
   *
   * @throws FrameTooLargeError (or LineTooLongError) if it is longer than the codec allows, before anything is allocated for it. @throws DecodeError if the
   * codec can make nothing of it. Each later receive throws these again. @throws IncompleteReadError if the peer ends its side inside a value.
   * @throws BusyError if another greenlet is reading. Otherwise as the `read` of the stream.
   */
  receive(): Waitable<Out | null> {
    return this.#receive;
  }

  /** As `receive`, in the form that `forEach` takes. */
  next(): Waitable<IteratorResult<Out, undefined>> {
    this.#next ??= new MappedWait(this.#receive as Wait<unknown>, STEP) as Wait<unknown> as Wait<
      IteratorResult<Out, undefined>
    >;
    return this.#next;
  }

  /**
   * Send `value`, waiting until there is room, and only then queue all of its frame.
   *
   * Encodes at the call; switches only if there is no room. If it throws, no byte of it was queued.
   *
   * @throws what the codec throws for a value that cannot be sent. @throws TypeError if the stream cannot be written. Otherwise as `write`.
   */
  send(value: In): Waitable<void> {
    const writer = this.#writer('send');
    const encoded = this.#codec.encode(value);
    if (!Array.isArray(encoded)) return writer.write(encoded as string | Uint8Array);
    const pieces = encoded as readonly (string | Uint8Array)[];
    if (pieces.length === 1) return writer.write(pieces[0] as string | Uint8Array);
    if (typeof writer.writev === 'function') return writer.writev(pieces);
    return writer.write(Buffer.concat(pieces.map((piece) => bytesOf(pieceOf(piece, 'send')))));
  }

  /** Wait until everything that was sent has left. Switches and throws as the stream's own. */
  flush(): Op<void> {
    return composite(flushed, this.#writer('flush'));
  }

  /** End our side after what was sent. Never switches on a socket. */
  end(): void {
    this.#writer('end').end?.();
  }

  /** Close the stream. Never switches, never throws; idempotent. */
  close(): void {
    this.stream.close?.();
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  toString(): string {
    return String(this.stream);
  }

  #writer(op: string): ByteWriter {
    const writer = this.stream as ByteReader & Partial<ByteWriter>;
    if (typeof writer.write !== 'function') throw typeError(`${op} on ${String(writer)}, which cannot be written`);
    return writer as ByteReader & ByteWriter;
  }
}

function* flushed(writer: ByteWriter): Op<void> {
  if (writer.flush !== undefined) yield* writer.flush();
}

/**
 * Read and write `stream` as values, which `codec` makes of bytes and bytes of.
 *
 * Never switches. The stream may be anything with the reading methods of a socket; one that cannot be written gives what can only receive. While values
 * are received, nobody else may read from it.
 *
 * @throws TypeError if `stream` has no `read`, or `codec` is none. @throws RangeError if the codec's limit is no integer of at least 1.
 * @see https://docs.rs/tokio-util/latest/tokio_util/codec/struct.Framed.html
 */
export function framed<In, Out, S extends ByteReader & ByteWriter>(
  stream: S,
  codec: Codec<In, Out>,
): Framed<In, Out, S>;
export function framed<Out, S extends ByteReader>(stream: S, codec: Codec<never, Out>): Framed<never, Out, S>;
export function framed<In, Out, S extends ByteReader>(stream: S, codec: Codec<In, Out>): Framed<In, Out, S> {
  requireMethod(stream, 'read', 'framed');
  const { encode, decode, limit } = (codec ?? {}) as Partial<Codec<In, Out>>;
  if (typeof encode !== 'function' || typeof decode !== 'function')
    throw typeError(`framed takes a codec, with encode() and decode(), not ${nameOf(codec)}`);
  if (limit !== undefined && limit !== Number.POSITIVE_INFINITY && !(Number.isInteger(limit) && limit >= 1))
    throw rangeError(`framed: the codec's limit must be a positive integer or Infinity, not ${shownValue(limit)}`);
  return new Framed(stream, codec);
}
