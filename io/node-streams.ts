// node-streams.ts: streams of Node as streams of ours: `fromReadable`, `fromWritable`, `fromDuplex`. (Ours as Node's: node-bridges.ts.)
//
// Each becomes a Socket, or a half of one, over a Transport (node-stream-transport.ts). From then on the stream is ours: nobody else should read it, and
// close() destroys it, once, unless it is over.

import type { Duplex, Readable, Writable } from 'node:stream';
import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { checkOptions, ownFlag } from './address.ts';
import type { StreamReader, StreamWriter } from './byte-streams.ts';
import { type ForeignOptions, markOf, readerOn } from './foreign-stream.ts';
import { NodeStreamTransport } from './node-stream-transport.ts';
import { Socket, type SocketOptions } from './socket.ts';

/** A stream's two halves: one object if it is a Duplex. */
export interface NodePair {
  readonly readable: Readable;
  readonly writable: Writable;
}

function isReadable(stream: unknown): stream is Readable {
  const candidate = stream as Partial<Readable> | null | undefined;
  return typeof candidate?.read === 'function' && typeof candidate.on === 'function' && 'readableFlowing' in candidate;
}

function isWritable(stream: unknown): stream is Writable {
  const candidate = stream as Partial<Writable> | null | undefined;
  return typeof candidate?.write === 'function' && typeof candidate.on === 'function' && 'writableLength' in candidate;
}

/**
 * Read a Readable of Node's.
 *
 * Never switches. It is read ahead up to `highWaterMark`. Text that it decodes is encoded again. close() destroys it, unless it has ended.
 *
 * Its reads throw StreamError, with the stream's error as `cause`, if the stream fails, is destroyed before its end, or gives what is neither bytes nor
 * text. @throws TypeError if `stream` is no Readable, or for bad options.
 */
export function fromReadable(stream: Readable, options?: ForeignOptions): StreamReader {
  const where = 'fromReadable';
  if (!isReadable(stream)) throw typeError(`${where} takes a Readable, not ${nameOf(stream)}`);
  return readerOn(new NodeStreamTransport(stream, undefined), markOf(options, where));
}

/**
 * Write to a Writable of Node's.
 *
 * Never switches. A write waits while the stream has not done with `highWaterMark` bytes; flush() waits until it has done with all; end() ends it;
 * close() destroys it, unless it has finished. The bytes are not copied: a stream that passes them on, as PassThrough does, hands on your memory.
 *
 * Its writes throw StreamError, with the stream's error as `cause`, if the stream fails or is destroyed. @throws TypeError if `stream` is no Writable, or
 * for bad options.
 */
export function fromWritable(stream: Writable, options?: ForeignOptions): StreamWriter {
  const where = 'fromWritable';
  if (!isWritable(stream)) throw typeError(`${where} takes a Writable, not ${nameOf(stream)}`);
  return new Socket(new NodeStreamTransport(undefined, stream), markOf(options, where), true);
}

/**
 * Use a Duplex of Node's (a Transform too), or a pair of streams, as a socket: what is written goes in, what is read comes out.
 *
 * Never switches. As `fromReadable` and `fromWritable` for its two halves. `halfOpen` is by default what the stream's `allowHalfOpen` is.
 *
 * @throws TypeError if `stream` is neither, or for bad options.
 */
export function fromDuplex(stream: Duplex | NodePair, options?: SocketOptions): Socket {
  const where = 'fromDuplex';
  const pair = isReadable(stream) && isWritable(stream) ? { readable: stream, writable: stream } : stream;
  const { readable, writable } = (pair ?? {}) as Partial<NodePair>;
  if (!isReadable(readable) || !isWritable(writable))
    throw typeError(`${where} takes a Duplex or {readable, writable}, not ${nameOf(stream)}`);
  const mark = markOf(options, where);
  const { allowHalfOpen } = stream as { readonly allowHalfOpen?: unknown };
  const halfOpen = ownFlag(checkOptions(options, where), 'halfOpen', allowHalfOpen !== false, where);
  return new Socket(new NodeStreamTransport(readable, writable), mark, halfOpen);
}
