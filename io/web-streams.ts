// web-streams.ts: streams of the web (ReadableStream, WritableStream, TransformStream) as streams of ours, and ours as theirs.
//
// Theirs become readers, writers and sockets over promises (promise-transport.ts). A stream that is read or written here is locked: nobody else can.
//
// Ours become theirs by a greenlet for each chunk that is asked for or given, so the consumer of the one and the writer to the other set the pace. What
// the web calls cancel and abort closes our stream; an error of ours becomes one of theirs.
//
// Source: https://streams.spec.whatwg.org/

import { type ReadableByteStreamController, ReadableStream, WritableStream } from 'node:stream/web';
import { typeError } from '../core/bad-argument.ts';
import { ClosedError } from '../core/errors.ts';
import { nameOf } from '../core/op.ts';
import { checkOptions, ownFlag } from './address.ts';
import { type ByteSink, type ByteSource, requireMethod, type StreamReader, type StreamWriter } from './byte-streams.ts';
import { type ForeignOptions, finish, markOf, Requests, readerOn } from './foreign-stream.ts';
import { type PromiseSource, type PromiseTarget, PromiseTransport } from './promise-transport.ts';
import { Socket, type SocketOptions } from './socket.ts';
import { bytesOf, pieceOf } from './writable.ts';

const ignore = (): void => {};

/** What is needed of a ReadableStream. */
export interface WebReadable {
  getReader(): {
    read(): PromiseLike<{ readonly done?: boolean | undefined; readonly value?: unknown }>;
    cancel(reason?: unknown): PromiseLike<unknown>;
    releaseLock(): void;
    readonly closed: PromiseLike<unknown>;
  };
}

/** What is needed of a WritableStream. */
export interface WebWritable {
  getWriter(): {
    // biome-ignore lint/suspicious/noExplicitAny: a stream of any kind of chunk is taken; one that is not for bytes will say so
    write(chunk: any): PromiseLike<unknown>;
    close(): PromiseLike<unknown>;
    abort(reason?: unknown): PromiseLike<unknown>;
    readonly closed: PromiseLike<unknown>;
    readonly ready: PromiseLike<unknown>;
  };
}

/** Both ends of a TransformStream, a CompressionStream, a WebSocketStream, ... */
export interface WebPair {
  readonly readable: WebReadable;
  readonly writable: WebWritable;
}

function sourceOf(stream: WebReadable): PromiseSource {
  const reader = stream.getReader();
  reader.closed.then(undefined, ignore);
  return {
    next: () =>
      reader.read().then((step) => {
        if (step.done === true) reader.releaseLock();
        return step;
      }),
    cancel: () => reader.cancel(new ClosedError('whoever read this stream has closed it')),
  };
}

function targetOf(stream: WebWritable): PromiseTarget {
  const writer = stream.getWriter();
  writer.closed.then(undefined, ignore);
  writer.ready.then(undefined, ignore);
  return {
    write: (bytes) => writer.write(bytes),
    close: () => writer.close(),
    abort: () => writer.abort(new ClosedError('whoever wrote to this stream has closed it')),
  };
}

/**
 * Read a ReadableStream, of bytes or of default chunks that are bytes or text.
 *
 * Never switches. The stream is locked, and read ahead up to `highWaterMark`. close() cancels it, unless it has ended.
 *
 * Its reads throw StreamError if the stream fails, or gives a chunk that is neither bytes nor text. @throws TypeError if `stream` is none, or is locked.
 */
export function fromReadableStream(stream: WebReadable, options?: ForeignOptions): StreamReader {
  const where = 'fromReadableStream';
  if (typeof (stream as Partial<WebReadable> | null | undefined)?.getReader !== 'function')
    throw typeError(`${where} takes a ReadableStream, not ${nameOf(stream)}`);
  const mark = markOf(options, where);
  return readerOn(new PromiseTransport('ReadableStream', sourceOf(stream), undefined), mark);
}

/**
 * Write to a WritableStream of bytes.
 *
 * Never switches. The stream is locked. A write waits while more than `highWaterMark` has not been taken by it; end() closes it, close() aborts it
 * unless it has closed. The bytes are not copied: do not change them before flush() has returned.
 *
 * Its writes throw StreamError if the stream fails. @throws TypeError if `stream` is none, or is locked.
 */
export function fromWritableStream(stream: WebWritable, options?: ForeignOptions): StreamWriter {
  const where = 'fromWritableStream';
  if (typeof (stream as Partial<WebWritable> | null | undefined)?.getWriter !== 'function')
    throw typeError(`${where} takes a WritableStream, not ${nameOf(stream)}`);
  const mark = markOf(options, where);
  return new Socket(new PromiseTransport('WritableStream', undefined, targetOf(stream)), mark, true);
}

/**
 * Use a `{readable, writable}` pair, such as a CompressionStream, as a socket: what is written goes in, what is read comes out.
 *
 * Never switches. As `fromReadableStream` and `fromWritableStream` for its two halves; close() cancels and aborts them.
 *
 * @throws TypeError if `pair` is none, or one of the two is locked.
 */
export function fromTransformStream(pair: WebPair, options?: SocketOptions): Socket {
  const where = 'fromTransformStream';
  const { readable, writable } = (pair ?? {}) as Partial<WebPair>;
  if (typeof readable?.getReader !== 'function' || typeof writable?.getWriter !== 'function')
    throw typeError(`${where} takes {readable, writable}, not ${nameOf(pair)}`);
  const given = checkOptions(options, where);
  const mark = markOf(options, where);
  const halfOpen = ownFlag(given, 'halfOpen', true, where);
  const target = targetOf(writable);
  const name = (pair.constructor as { name?: string } | undefined)?.name;
  const called = name === undefined || name === 'Object' ? 'a pair of streams' : name;
  return new Socket(new PromiseTransport(called, sourceOf(readable), target), mark, halfOpen);
}

/**
 * Make a ReadableStream of bytes that gives what `source` gives.
 *
 * Never switches. Nothing is read before it is asked for. Cancelling it closes `source`; an error of `source` becomes its error; its own buffer is empty.
 *
 * @throws TypeError if `source` has no `read`.
 */
export function toReadableStream(source: ByteSource): ReadableStream<Uint8Array> {
  requireMethod(source, 'read', 'toReadableStream');
  const requests = new Requests(source);
  return new ReadableStream({
    type: 'bytes',
    async pull(controller: ReadableByteStreamController) {
      const view = controller.byobRequest?.view;
      const chunk = await requests.run(() => source.read(view?.byteLength));
      const { byobRequest } = controller;
      if (chunk === null) {
        controller.close();
        byobRequest?.respond(0);
      } else if (byobRequest?.view) {
        const { buffer, byteOffset } = byobRequest.view;
        new Uint8Array(buffer, byteOffset, chunk.length).set(chunk);
        byobRequest.respond(chunk.length);
      } else {
        controller.enqueue(ownMemory(chunk));
      }
    },
    cancel() {
      requests.giveUp(true);
    },
  });
}

/** A stream of bytes takes the memory of its chunks away from everybody else, so a chunk must not share its memory. */
function ownMemory(chunk: Uint8Array): Uint8Array {
  return chunk.byteLength === chunk.buffer.byteLength ? chunk : Uint8Array.prototype.slice.call(chunk);
}

/**
 * Make a WritableStream whose chunks, bytes or text, are written to `sink`.
 *
 * Never switches. A chunk counts as written when `sink` has taken it; closing it ends `sink` and waits until all has left; aborting it closes `sink`.
 *
 * @throws TypeError if `sink` has no `write`.
 */
export function toWritableStream(sink: ByteSink): WritableStream<string | Uint8Array> {
  requireMethod(sink, 'write', 'toWritableStream');
  const requests = new Requests(sink);
  return new WritableStream<string | Uint8Array>({
    start(controller) {
      // abort() below is called only when the write that is under way has come to its end, for which it may have to wait for ever.
      const { signal } = controller as { readonly signal?: AbortSignal };
      signal?.addEventListener('abort', () => requests.giveUp(true));
    },
    async write(chunk) {
      await requests.run(() => sink.write(bytesOf(pieceOf(chunk, 'write'))));
    },
    close: () => requests.run(() => finish(sink)),
  });
}
