// streams.test-d.ts: what streams, codecs and pipes may be given, and what they give.
import { type Duplex, PassThrough, Readable, type Writable } from 'node:stream';
import {
  type ByteReader,
  type ByteSink,
  type ByteSource,
  type ByteWriter,
  type Codec,
  Decoder,
  delimiterCodec,
  type Framed,
  files,
  fixedSizeCodec,
  forEach,
  framed,
  fromAsyncIterable,
  fromDuplex,
  fromReadable,
  fromReadableStream,
  fromTransformStream,
  fromWritable,
  fromWritableStream,
  http,
  lengthPrefixedCodec,
  lineCodec,
  memoryPair,
  type Op,
  type PipedBytes,
  pipe,
  pipeBoth,
  type Socket,
  type StreamReader,
  type StreamWriter,
  select,
  timeout,
  toAsyncIterable,
  toDuplex,
  toReadable,
  toReadableStream,
  toWritable,
  toWritableStream,
  type Waitable,
} from 'tendril';
import { expectTypeOf } from 'vitest';

declare const socket: Socket;
declare const reader: StreamReader;
declare const writer: StreamWriter;
declare const numbers: Codec<number>;
declare const source: ByteSource;

export function* types(): Op<void> {
  // A socket is all of these; so is a half of one, of its kind.
  expectTypeOf(socket).toExtend<ByteReader & ByteWriter & ByteSource & ByteSink>();
  expectTypeOf(socket).toExtend<StreamReader & StreamWriter>();
  expectTypeOf(reader).toExtend<ByteReader>();
  expectTypeOf(writer).toExtend<ByteWriter>();

  // Values in, values out; what is received may be the end.
  const values = framed(socket, numbers);
  expectTypeOf(values).toEqualTypeOf<Framed<number, number, Socket>>();
  expectTypeOf(values.receive()).toEqualTypeOf<Waitable<number | null>>();
  expectTypeOf(values.send(1)).toEqualTypeOf<Waitable<void>>();
  expectTypeOf(values.stream).toEqualTypeOf<Socket>();
  // @ts-expect-error a codec of numbers sends no text
  values.send('1');
  expectTypeOf(yield* framed(socket, lineCodec()).receive()).toEqualTypeOf<string | null>();
  for (const codec of [lengthPrefixedCodec(), fixedSizeCodec(1), delimiterCodec(';')]) {
    expectTypeOf(yield* framed(socket, codec).receive()).toEqualTypeOf<Buffer | null>();
    framed(socket, codec).send('text');
    framed(socket, codec).send(new Uint8Array(1));
  }
  expectTypeOf(yield* select({ value: values.receive() })).toEqualTypeOf<{
    readonly key: 'value';
    readonly value: number | null;
  }>();
  expectTypeOf(timeout(5, values.receive())).toEqualTypeOf<Waitable<number | null>>();
  yield* forEach(values, function* (value) {
    expectTypeOf(value).toEqualTypeOf<number>();
  });

  // What can only be read can only receive.
  const received = framed(reader, numbers);
  expectTypeOf(yield* received.receive()).toEqualTypeOf<number | null>();
  // @ts-expect-error there is nothing to send it to
  received.send(1);
  // @ts-expect-error a read of several waits is none that can be waited for as one
  framed(source, numbers);
  expectTypeOf(new Decoder(numbers).next()).toEqualTypeOf<number | undefined>();
  // @ts-expect-error a prefix has 1, 2, 4 or 8 bytes
  lengthPrefixedCodec({ prefix: 3 });

  // Pipes take whatever has read and write.
  expectTypeOf(pipe(socket, writer)).toEqualTypeOf<Op<number>>();
  expectTypeOf(pipeBoth(socket, socket)).toEqualTypeOf<Op<PipedBytes>>();
  pipe(yield* files.open('from'), yield* files.open('to', 'w'));
  pipe((yield* http.get('http://example.org')).body, socket, { end: false });
  // @ts-expect-error what can only be written is no source
  pipe(writer, writer);
  // @ts-expect-error a proxy needs both directions of both
  pipeBoth(socket, reader);

  // Bridges.
  expectTypeOf(fromReadable(Readable.from([]))).toEqualTypeOf<StreamReader>();
  expectTypeOf(fromWritable(new PassThrough())).toEqualTypeOf<StreamWriter>();
  expectTypeOf(fromDuplex(new PassThrough())).toEqualTypeOf<Socket>();
  expectTypeOf(fromDuplex({ readable: new PassThrough(), writable: new PassThrough() })).toEqualTypeOf<Socket>();
  expectTypeOf(toReadable(socket)).toEqualTypeOf<Readable>();
  expectTypeOf(toWritable(socket)).toEqualTypeOf<Writable>();
  expectTypeOf(toDuplex(socket)).toEqualTypeOf<Duplex>();
  expectTypeOf(fromReadableStream(new Blob([]).stream())).toEqualTypeOf<StreamReader>();
  expectTypeOf(fromReadableStream(toReadableStream(socket))).toEqualTypeOf<StreamReader>();
  expectTypeOf(fromWritableStream(toWritableStream(socket))).toEqualTypeOf<StreamWriter>();
  expectTypeOf(fromTransformStream(new CompressionStream('gzip'))).toEqualTypeOf<Socket>();
  expectTypeOf(fromTransformStream(new TransformStream())).toEqualTypeOf<Socket>();
  new Response(toReadableStream(socket));
  fromAsyncIterable(['text', new Uint8Array(1)]);
  fromAsyncIterable(Readable.from([]));
  // @ts-expect-error numbers are no chunks
  fromAsyncIterable([1, 2]);
  // @ts-expect-error there is nothing to write here
  fromReadable(Readable.from([])).write('x');
  expectTypeOf(toAsyncIterable(values)).toEqualTypeOf<AsyncIterable<number, undefined>>();
  expectTypeOf(toAsyncIterable(reader)).toEqualTypeOf<AsyncIterable<Buffer, undefined>>();
  expectTypeOf(memoryPair({ capacity: 1 }, { halfOpen: false })).toEqualTypeOf<readonly [Socket, Socket]>();
}
