// streams-web.test.ts: streams of the web and async iterables as ours, and ours as theirs: values, back-pressure both ways, errors, early ends, kills.
import { ReadableStream, TransformStream, WritableStream } from 'node:stream/web';
import {
  BusyError,
  ClosedError,
  forEach,
  framed,
  fromAsyncIterable,
  fromReadableStream,
  fromTransformStream,
  fromWritableStream,
  GreenletKilledError,
  hub,
  lineCodec,
  memoryPair,
  type Op,
  pipe,
  run,
  type Socket,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  toAsyncIterable,
  toReadableStream,
  toWritableStream,
  until,
  type WebReadable,
  type WebWritable,
} from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { failure, nothingLeft } from './peers.ts';

afterEach(nothingLeft);

function* readAll(reader: Pick<Socket, 'read'>): Op<string> {
  let all = '';
  for (let chunk = yield* reader.read(); chunk !== null; chunk = yield* reader.read()) all += chunk.toString('latin1');
  return all;
}

/** Run `body` with a pair in memory; close both afterwards. */
async function withPair(body: (near: Socket, far: Socket) => Op<unknown>, room = 64): Promise<void> {
  const pair = memoryPair({ highWaterMark: room, capacity: room });
  try {
    await run(body, ...pair);
  } finally {
    for (const socket of pair) socket.close();
  }
}

/** A socket whose closes are counted. */
function counted(socket: Socket): { readonly closes: number } {
  const seen = { closes: 0 };
  const { close } = socket;
  socket.close = () => {
    seen.closes += 1;
    close.call(socket);
  };
  return seen;
}

interface Log {
  pulls: number;
  readonly cancels: unknown[];
}

/** A source of `total` bytes in chunks of ten, default or of bytes. */
function counting(kind: 'default' | 'bytes', total: number): { stream: ReadableStream; log: Log } {
  const log: Log = { pulls: 0, cancels: [] };
  let left = total;
  const pull = (controller: { enqueue(chunk: Uint8Array): void; close(): void }): void => {
    log.pulls += 1;
    if (left === 0) {
      controller.close();
      return;
    }
    left -= 10;
    controller.enqueue(new Uint8Array(10).fill(120));
  };
  const cancel = (reason: unknown): void => void log.cancels.push(reason);
  const stream =
    kind === 'bytes'
      ? new ReadableStream({ type: 'bytes', pull, cancel }, { highWaterMark: 0 })
      : new ReadableStream({ pull, cancel }, { highWaterMark: 0 });
  return { stream, log };
}

describe.each(['default', 'bytes'] as const)('fromReadableStream with %s chunks', (kind) => {
  it('reads to the end and lets the stream go', () =>
    run(function* () {
      const { stream, log } = counting(kind, 1000);
      const reader = fromReadableStream(stream);
      expect(stream.locked).toBe(true);
      expect((yield* readAll(reader)).length).toBe(1000);
      expect(yield* reader.read()).toBe(null);
      expect({ locked: stream.locked, cancels: log.cancels }).toEqual({ locked: false, cancels: [] });
      reader.close();
      yield* sleep(1);
      expect(log.cancels).toEqual([]);
    }));

  it('reads ahead up to its mark and no further', () =>
    run(function* () {
      const { stream, log } = counting(kind, 100_000);
      const reader = fromReadableStream(stream, { highWaterMark: 100 });
      yield* sleep(2);
      expect(log.pulls).toBeLessThanOrEqual(11);
      expect((yield* readAll(reader)).length).toBe(100_000);
    }));

  it('cancels the stream when it is closed, once, also while a chunk is awaited', () =>
    run(function* () {
      const cancels: unknown[] = [];
      const stream = new ReadableStream({
        ...(kind === 'bytes' ? { type: 'bytes' } : {}),
        cancel: (reason: unknown) => void cancels.push(reason),
      } as object);
      const reader = fromReadableStream(stream as WebReadable);
      const waiting = spawn(() => reader.read());
      yield* sleep(1);
      reader.close();
      reader.close();
      expect(yield* failure(waiting.get())).toBeInstanceOf(ClosedError);
      yield* sleep(1);
      expect(cancels.length).toBe(1);
      expect(cancels[0]).toBeInstanceOf(ClosedError);
    }));
});

describe('fromReadableStream', () => {
  it('loses nothing to a kill or a timeout', () =>
    run(function* () {
      let controller: { enqueue(chunk: string): void } | undefined;
      const stream = new ReadableStream<string>({
        start: (given) => {
          controller = given;
        },
      });
      const reader = fromReadableStream(stream);
      const first = spawn(() => reader.readLine());
      controller?.enqueue('half ');
      yield* sleep(1);
      first.kill();
      expect(yield* failure(first.get())).toBeInstanceOf(GreenletKilledError);
      expect(yield* failure(timeout(1, reader.readLine()))).toBeInstanceOf(TimeoutError);
      const second = spawn(() => reader.readLine());
      yield* sleep(0);
      expect(yield* failure(reader.read())).toBeInstanceOf(BusyError);
      controller?.enqueue('a line\nrest');
      expect(yield* second.get()).toBe('half a line');
      expect(String(yield* reader.read())).toBe('rest');
      reader.close();
    }));

  it('delivers what had come, then the error of the stream', () =>
    run(function* () {
      let pulls = 0;
      const cause = Object.assign(new Error('the source ran dry'), { code: 'EDRY' });
      const reader = fromReadableStream(
        new ReadableStream<Uint8Array>({
          pull(controller) {
            pulls += 1;
            if (pulls === 1) controller.enqueue(Buffer.from('before'));
            else throw cause;
          },
        }),
      );
      expect(String(yield* reader.readExactly(6))).toBe('before');
      for (let i = 0; i < 2; i += 1)
        expect(yield* failure(reader.read())).toMatchObject({ name: 'StreamError', code: 'EDRY', cause });
    }));

  it('takes any kind of bytes and text, nothing for an empty chunk, and cancels a stream of something else', () =>
    run(function* () {
      const cancels: unknown[] = [];
      const chunks: unknown[] = ['a', '', new ArrayBuffer(1), new DataView(new ArrayBuffer(1)), { no: 'bytes' }, 'b'];
      const reader = fromReadableStream(
        new ReadableStream<unknown>(
          {
            pull: (controller) => controller.enqueue(chunks.shift()),
            cancel: (reason) => void cancels.push(reason),
          },
          { highWaterMark: 0 },
        ),
      );
      expect(String(yield* reader.readExactly(3))).toBe('a\0\0');
      const error = yield* failure(reader.read());
      expect(error).toMatchObject({ name: 'StreamError', code: 'ERR_INVALID_ARG_TYPE' });
      expect(error.message).toContain('an object');
      expect(cancels.length).toBe(1);
    }));

  it('is not stopped by a stream whose cancel fails, and leaves no rejection behind', () =>
    run(function* () {
      const stream = new ReadableStream({ cancel: () => Promise.reject(new Error('will not be cancelled')) });
      fromReadableStream(stream).close();
      yield* sleep(2);
    }));

  it('refuses what is no stream, or is locked', () => {
    for (const bad of [undefined, {}, 5, new WritableStream()])
      expect(() => fromReadableStream(bad as unknown as WebReadable)).toThrow(TypeError);
    const { stream } = counting('default', 10);
    stream.getReader();
    expect(() => fromReadableStream(stream)).toThrow(TypeError);
  });
});

/** A WritableStream that takes a chunk only when it is let. */
function slow(): { stream: WritableStream<Uint8Array>; log: string[]; let(error?: Error): void } {
  const log: string[] = [];
  let waiting: { resolve(): void; reject(error: Error): void } | undefined;
  return {
    log,
    let(error) {
      if (error === undefined) waiting?.resolve();
      else waiting?.reject(error);
    },
    stream: new WritableStream<Uint8Array>({
      write: (chunk) => {
        log.push(String(Buffer.from(chunk)));
        return new Promise<void>((resolve, reject) => {
          waiting = { resolve, reject };
        });
      },
      close: () => void log.push('close'),
      abort: (reason) => void log.push(`abort: ${(reason as Error).name}`),
    }),
  };
}

describe('fromWritableStream', () => {
  it('writes, waits for room, and flushes when the stream has taken it', () =>
    run(function* () {
      const target = slow();
      const writer = fromWritableStream(target.stream, { highWaterMark: 4 });
      yield* writer.write('full');
      yield* sleep(0);
      const second = spawn(() => writer.write('more'));
      const flusher = spawn(() => writer.flush());
      yield* sleep(1);
      expect([second.state, flusher.state, writer.unsent]).toEqual(['parked', 'parked', 4]);
      target.let();
      yield* second.get();
      yield* flusher.get();
      yield* sleep(1);
      target.let();
      writer.end();
      yield* writer.flush();
      expect(target.log).toEqual(['full', 'more', 'close']);
    }));

  it('aborts the stream when it is closed before its end, once', () =>
    run(function* () {
      const target = slow();
      const writer = fromWritableStream(target.stream);
      yield* writer.write('x');
      const flusher = spawn(() => writer.flush());
      yield* sleep(1);
      writer.close();
      writer.close();
      expect(yield* failure(flusher.get())).toBeInstanceOf(ClosedError);
      target.let();
      yield* sleep(1);
      expect(target.log).toEqual(['x', 'abort: ClosedError']);
    }));

  it('closes gracefully, and aborts nothing then', () =>
    run(function* () {
      const log: string[] = [];
      const stream = new WritableStream<Uint8Array>({
        write: (chunk) => void log.push(String(Buffer.from(chunk))),
        close: () => new Promise((resolve) => setTimeout(() => resolve(void log.push('closed')), 3)),
        abort: () => void log.push('abort'),
      });
      const writer = fromWritableStream(stream);
      yield* writer.write('last words');
      yield* writer.closeGracefully();
      expect(log).toEqual(['last words', 'closed']);
    }));

  it('throws the stream’s own error to all who wait, and at the flush after the end', () =>
    run(function* () {
      const target = slow();
      const writer = fromWritableStream(target.stream, { highWaterMark: 4 });
      yield* writer.write('full');
      const waiting = [spawn(() => writer.write('x')), spawn(() => writer.flush())];
      yield* sleep(1);
      const cause = Object.assign(new Error('no space'), { code: 'ENOSPC' });
      target.let(cause);
      for (const greenlet of waiting)
        expect(yield* failure(greenlet.get())).toMatchObject({ name: 'StreamError', code: 'ENOSPC', cause });
      expect(yield* failure(writer.write('y'))).toMatchObject({ code: 'ENOSPC' });
      writer.close();

      const unfinished = fromWritableStream(
        new WritableStream({
          close: () => {
            throw new Error('unfinished');
          },
        }),
      );
      unfinished.end();
      expect((yield* failure(unfinished.flush())).message).toContain('unfinished');
    }));

  it('refuses what is no stream, or is locked', () => {
    for (const bad of [undefined, {}, 5, new ReadableStream()])
      expect(() => fromWritableStream(bad as unknown as WebWritable)).toThrow(TypeError);
    const { stream } = slow();
    stream.getWriter();
    expect(() => fromWritableStream(stream)).toThrow(TypeError);
  });
});

describe('fromTransformStream', () => {
  it('is a socket over a CompressionStream, with back-pressure', () =>
    run(function* () {
      const text = Array.from({ length: 20_000 }, (_, i) => `${i * 7919} `).join('');
      const zip = fromTransformStream(new CompressionStream('gzip'));
      const unzip = fromTransformStream(new DecompressionStream('gzip'));
      const writer = spawn(function* () {
        for (let at = 0; at < text.length; at += 1000) yield* zip.write(text.slice(at, at + 1000));
        zip.end();
      });
      const piping = spawn(pipe, zip, unzip);
      expect(yield* readAll(unzip)).toBe(text);
      yield* writer.get();
      expect(yield* piping.get()).toBeGreaterThan(1000);
    }));

  it('stops the writer when nobody reads', () =>
    run(function* () {
      const through = fromTransformStream(new TransformStream(), { highWaterMark: 100 });
      let written = 0;
      const writer = spawn(function* () {
        for (; ; written += 10) yield* through.write(Buffer.alloc(10));
      });
      yield* sleep(3);
      expect(writer.state).toBe('parked');
      expect(written).toBeLessThan(1000);
      writer.kill();
      yield* writer.join();
      through.close();
    }));

  it('fails in both directions when the transform does, and says why', () =>
    run(function* () {
      const unzip = fromTransformStream(new DecompressionStream('gzip'));
      yield* unzip.write('this is no gzip');
      unzip.end();
      expect(yield* failure(readAll(unzip))).toMatchObject({ name: 'StreamError' });
      const failing = fromTransformStream(
        new TransformStream({
          transform: () => {
            throw Object.assign(new Error('cannot'), { code: 'ECANNOT' });
          },
        }),
      );
      const reader = spawn(() => failing.read());
      yield* sleep(0);
      yield* failing.write('x');
      expect((yield* failure(reader.get())).code).toBe('ECANNOT');
      expect((yield* failure(failing.write('y'))).code).toBe('ECANNOT');
    }));

  it('cancels and aborts once when it is closed, and refuses what is no pair', () =>
    run(function* () {
      const { stream, log } = counting('default', 1000);
      const target = slow();
      const socket = fromTransformStream({ readable: stream, writable: target.stream }, { highWaterMark: 10 });
      yield* sleep(1);
      socket.close();
      socket.close();
      yield* sleep(1);
      expect({ cancels: log.cancels.length, target: target.log }).toEqual({
        cancels: 1,
        target: ['abort: ClosedError'],
      });
      for (const bad of [undefined, {}, { readable: counting('bytes', 1).stream }, 5])
        expect(() => fromTransformStream(bad as unknown as CompressionStream)).toThrow(TypeError);
    }));
});

async function collect(stream: ReadableStream<Uint8Array>): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += Buffer.from(chunk).toString('latin1');
  return all;
}

describe('toReadableStream', () => {
  it('gives what the socket reads to ordinary code, to the end, and leaves the socket open', () =>
    withPair(function* (near, far) {
      const seen = counted(near);
      const all = collect(toReadableStream(near));
      const text = Array.from({ length: 300 }, (_, i) => `${i},`).join('');
      for (let at = 0; at < text.length; at += 7) yield* far.write(text.slice(at, at + 7));
      far.end();
      expect(yield* until(all)).toBe(text);
      yield* near.write('open');
      expect(String(yield* far.read())).toBe('open');
      expect(seen.closes).toBe(0);
    }));

  it('fills the buffers that its reader brings', () =>
    withPair(function* (near, far) {
      const reader = toReadableStream(near).getReader({ mode: 'byob' });
      yield* far.write('abcdefgh');
      far.end();
      const first = yield* until(reader.read(new Uint8Array(5)));
      const second = yield* until(reader.read(new Uint8Array(5)));
      const third = yield* until(reader.read(new Uint8Array(5)));
      expect([first, second].map(({ value }) => String(Buffer.from(value ?? [])))).toEqual(['abcde', 'fgh']);
      expect({ done: third.done, length: third.value?.length }).toEqual({ done: true, length: 0 });
    }));

  it('takes nobody else’s memory away', () =>
    withPair(function* (near, far) {
      const mine = Buffer.from('shared pool memory');
      const reader = toReadableStream(near).getReader();
      yield* far.write('small');
      const { value } = yield* until(reader.read());
      expect(String(Buffer.from(value ?? []))).toBe('small');
      expect(String(mine)).toBe('shared pool memory');
      expect(Buffer.from('and the pool is still there').length).toBe(27);
    }));

  it('reads nothing before it is asked for', () =>
    withPair(function* (near, far) {
      const stream = toReadableStream(near);
      yield* far.write('x');
      yield* sleep(1);
      expect(near.buffered).toBe(1);
      expect((yield* until(stream.getReader().read())).done).toBe(false);
    }));

  it('closes the socket when it is cancelled, once, and kills the read that waits', () =>
    withPair(function* (near, far) {
      const seen = counted(near);
      const reader = toReadableStream(near).getReader();
      const pending = reader.read();
      yield* sleep(1);
      expect(hub.stats().greenlets).toBe(2);
      yield* until(reader.cancel('enough'));
      expect((yield* until(pending)).done).toBe(true);
      expect(yield* far.read()).toBe(null);
      yield* sleep(1);
      expect({ closes: seen.closes, greenlets: hub.stats().greenlets }).toEqual({ closes: 1, greenlets: 1 });
    }));

  it('hands on an error of the socket', () =>
    withPair(function* (near, far) {
      yield* near.write('x'.repeat(500));
      const all = collect(toReadableStream(near));
      all.catch(() => {});
      yield* sleep(1);
      far.close();
      expect(yield* failure(until(all))).toMatchObject({ name: 'ConnectionResetError', code: 'ECONNRESET' });
    }));

  it('is the body of a web Response', () =>
    withPair(function* (near, far) {
      const text = new Response(toReadableStream(near)).text();
      yield* far.write('a body');
      far.end();
      expect(yield* until(text)).toBe('a body');
    }));

  it('refuses what cannot be read', () => {
    for (const bad of [undefined, {}, 5]) expect(() => toReadableStream(bad as unknown as Socket)).toThrow(TypeError);
  });
});

describe('toWritableStream', () => {
  it('writes to the socket at its pace, and closes when all has left', () =>
    withPair(function* (near, far) {
      const writer = toWritableStream(near).getWriter();
      let written = 0;
      const writing = (async () => {
        for (let i = 0; i < 100; i += 1) {
          await writer.ready;
          await writer.write('x'.repeat(50));
          written += 50;
        }
        await writer.close();
        return 'closed';
      })();
      yield* sleep(5);
      expect(written).toBeLessThan(1000);
      expect((yield* readAll(far)).length).toBe(5000);
      expect(yield* until(writing)).toBe('closed');
      yield* far.write('back');
      expect(String(yield* near.read())).toBe('back');
    }));

  it('closes the socket when it is aborted, once, also while a write waits', () =>
    withPair(function* (near, far) {
      const seen = counted(near);
      const writer = toWritableStream(near).getWriter();
      const writes = Array.from({ length: 20 }, () => writer.write(Buffer.alloc(50)).catch(() => 'rejected'));
      writer.closed.catch(() => {});
      yield* sleep(2);
      yield* until(writer.abort(new Error('enough')));
      expect(yield* until(writes.at(-1) as Promise<unknown>)).toBe('rejected');
      expect((yield* readAll(far)).length).toBeLessThan(1000);
      yield* sleep(1);
      expect({ closes: seen.closes, greenlets: hub.stats().greenlets }).toEqual({ closes: 1, greenlets: 1 });
    }));

  it('hands on an error of the socket, and refuses chunks that are no bytes', () =>
    withPair(function* (near, far) {
      const bad = toWritableStream(near).getWriter();
      bad.closed.catch(() => {});
      expect(yield* failure(until(bad.write(5 as unknown as string)))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
      far.close();
      yield* sleep(1);
      const writer = toWritableStream(near).getWriter();
      writer.closed.catch(() => {});
      const error = yield* failure(
        (function* () {
          for (;;) yield* until(writer.write('anybody?'));
        })(),
      );
      expect(error).toMatchObject({ name: 'ConnectionResetError', code: 'EPIPE' });
    }));

  it('takes a pipe of the web to its end', () =>
    withPair(function* (near, far) {
      const done = counting('bytes', 500).stream.pipeTo(toWritableStream(near));
      expect((yield* readAll(far)).length).toBe(500);
      yield* until(done);
    }));

  it('refuses what cannot be written', () => {
    for (const bad of [undefined, {}, 5]) expect(() => toWritableStream(bad as unknown as Socket)).toThrow(TypeError);
  });
});

describe('fromAsyncIterable', () => {
  it('reads what a generator gives, synchronous or not, and strings and promises in between', () =>
    run(function* () {
      async function* chunks(): AsyncGenerator<string | Buffer> {
        yield 'a';
        await null;
        yield Buffer.from('b');
      }
      expect(yield* readAll(fromAsyncIterable(chunks()))).toBe('ab');
      expect(yield* readAll(fromAsyncIterable(['x', Promise.resolve('y'), Uint8Array.of(122)]))).toBe('xyz');
      expect(yield* fromAsyncIterable([]).read()).toBe(null);
    }));

  it('asks ahead up to its mark and no further, and not more than once at a time', () =>
    run(function* () {
      let asked = 0;
      let atOnce = 0;
      let most = 0;
      const iterable: AsyncIterable<string> = {
        [Symbol.asyncIterator]: () => ({
          async next() {
            asked += 1;
            atOnce += 1;
            most = Math.max(most, atOnce);
            await null;
            atOnce -= 1;
            return asked > 5000 ? { done: true, value: undefined } : { done: false, value: '0123456789' };
          },
        }),
      };
      const reader = fromAsyncIterable(iterable, { highWaterMark: 100 });
      yield* sleep(2);
      expect({ asked, most }).toEqual({ asked: 10, most: 1 });
      expect((yield* readAll(reader)).length).toBe(50_000);
      expect({ asked, most }).toEqual({ asked: 5001, most: 1 });
    }));

  it('lets timers and others run although the iterable has everything at hand', () =>
    run(function* () {
      async function* endless(): AsyncGenerator<string> {
        for (;;) yield '';
      }
      const reader = fromAsyncIterable(endless());
      let ticks = 0;
      const ticker = spawn(function* () {
        for (; ticks < 3; ticks += 1) yield* sleep(1);
      });
      yield* ticker.get();
      expect(ticks).toBe(3);
      reader.close();
    }));

  it('calls return() once when it is closed early, also while a chunk is awaited, and not after the end', () =>
    run(function* () {
      const log: string[] = [];
      const make = (pending: boolean): AsyncIterable<string> => ({
        [Symbol.asyncIterator]: () => ({
          next: () => (pending ? new Promise<never>(() => {}) : Promise.resolve({ done: true, value: undefined })),
          return: () => {
            log.push('return');
            return Promise.reject(new Error('what it says to that concerns nobody'));
          },
        }),
      });
      const reader = fromAsyncIterable(make(true));
      const waiting = spawn(() => reader.read());
      yield* sleep(1);
      reader.close();
      reader.close();
      expect(yield* failure(waiting.get())).toBeInstanceOf(ClosedError);
      yield* sleep(1);
      expect(log).toEqual(['return']);
      const ended = fromAsyncIterable(make(false));
      expect(yield* ended.read()).toBe(null);
      ended.close();
      yield* sleep(1);
      expect(log).toEqual(['return']);
    }));

  it('runs the finally of a generator that is given up', () =>
    run(function* () {
      const log: string[] = [];
      async function* lines(): AsyncGenerator<string> {
        try {
          for (let i = 0; ; i += 1) yield `${i}\n`;
        } finally {
          log.push('cleaned up');
        }
      }
      const greenlet = spawn(function* () {
        const reader = fromAsyncIterable(lines(), { highWaterMark: 10 });
        try {
          for (;;) {
            log.push(String(yield* reader.readLine()));
            if (log.length === 3) yield* sleep(10_000);
          }
        } finally {
          reader.close();
        }
      });
      yield* sleep(3);
      greenlet.kill();
      yield* greenlet.join();
      yield* sleep(1);
      expect(log).toEqual(['0', '1', '2', 'cleaned up']);
    }));

  it('throws what the iterable throws, as cause, after what came before; whatever it is', () =>
    run(function* () {
      for (const cause of [Object.assign(new Error('no more'), { code: 'ENOMORE' }), 'a string', undefined, null]) {
        async function* chunks(): AsyncGenerator<string> {
          yield 'before';
          throw cause;
        }
        const reader = fromAsyncIterable(chunks());
        expect(String(yield* reader.readExactly(6))).toBe('before');
        const error = yield* failure(reader.read());
        expect({ name: error.name, cause: error.cause }).toEqual({ name: 'StreamError', cause });
      }
    }));

  it('says what came that is no chunk, and what is no step', () =>
    run(function* () {
      async function* chunks(): AsyncGenerator<unknown> {
        yield 5;
      }
      expect((yield* failure(fromAsyncIterable(chunks() as AsyncIterable<string>).read())).message).toContain(
        'number 5',
      );
      const broken = { [Symbol.asyncIterator]: () => ({ next: () => 7 }) } as unknown as AsyncIterable<string>;
      expect((yield* failure(fromAsyncIterable(broken).read())).name).toBe('StreamError');
    }));

  it('refuses what is none; bytes and text are none', () => {
    for (const bad of [undefined, null, 5, 'text', Buffer.from('x'), {}, () => {}])
      expect(() => fromAsyncIterable(bad as unknown as string[])).toThrow(TypeError);
  });
});

describe('A socket in `for await`', () => {
  it('gives its chunks to ordinary code until the end', async () => {
    const [near, far] = memoryPair();
    const writing = run(function* () {
      for (const piece of ['one ', 'two ', 'three']) {
        yield* far.write(piece);
        yield* sleep(1);
      }
      far.end();
    });
    let all = '';
    for await (const chunk of near) all += chunk;
    expect(all).toBe('one two three');
    await writing;
    expect(near.closed).toBe(false);
    near.close();
    far.close();
  });

  it('is closed when the loop is left early, once; not if that is not wanted', async () => {
    const [near, far] = memoryPair();
    const seen = counted(near);
    await run(() => far.write('abc'));
    for await (const chunk of toAsyncIterable(near, { close: false })) {
      expect(String(chunk)).toBe('abc');
      break;
    }
    expect(seen.closes).toBe(0);
    await run(() => far.write('def'));
    for await (const chunk of near) {
      expect(String(chunk)).toBe('def');
      break;
    }
    expect(seen.closes).toBe(1);
    far.close();
  });

  it('throws the errors of its reads', async () => {
    const [near, far] = memoryPair({ highWaterMark: 4, capacity: 4 });
    await run(() => near.write('never read'));
    const reading = (async () => {
      for await (const chunk of near) void chunk;
    })();
    reading.catch(() => {});
    far.close();
    await expect(reading).rejects.toMatchObject({ code: 'ECONNRESET' });
    near.close();
  });

  it('keeps the order of steps that are asked for at once, and ends those that return() overtakes', async () => {
    const [near, far] = memoryPair();
    const iterator = toAsyncIterable<Buffer>(near)[Symbol.asyncIterator]();
    const steps = [iterator.next(), iterator.next(), iterator.next()];
    await run(function* () {
      yield* far.write('first');
      yield* sleep(2);
      yield* far.write('second');
      yield* sleep(2);
    });
    await iterator.return?.();
    const got = await Promise.all(steps);
    expect(got.map(({ value }) => (value === undefined ? 'done' : String(value)))).toEqual(['first', 'second', 'done']);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(near.closed).toBe(true);
    far.close();
  });

  it('works for framed streams as well, and refuses what is neither', async () => {
    const [near, far] = memoryPair();
    await run(function* () {
      const lines = framed(far, lineCodec());
      for (const line of ['a', 'b']) yield* lines.send(line);
      lines.end();
    });
    const got: string[] = [];
    for await (const line of toAsyncIterable(framed(near, lineCodec()))) got.push(line);
    expect(got).toEqual(['a', 'b']);
    for (const bad of [undefined, {}, 5]) expect(() => toAsyncIterable(bad as unknown as Socket)).toThrow(TypeError);
    near.close();
    far.close();
  });

  it('is read by its own waits in forEach', () =>
    withPair(function* (near, far) {
      yield* far.write('chunk');
      far.end();
      const got: string[] = [];
      yield* forEach(near, function* (chunk) {
        got.push(String(chunk));
        expect(hub.stats().greenlets).toBe(1);
      });
      expect(got).toEqual(['chunk']);
    }));
});
