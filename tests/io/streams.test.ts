// streams.test.ts: streams of Node's as ours and ours as Node's: values, back-pressure both ways, errors, early ends, kills; each is destroyed once.
import { createServer, connect as netConnect } from 'node:net';
import { type Duplex, finished, PassThrough, pipeline, Readable, Transform, Writable } from 'node:stream';
import { createGunzip, createGzip, gzipSync } from 'node:zlib';
import {
  BusyError,
  ClosedError,
  callback,
  fromDuplex,
  fromReadable,
  fromWritable,
  GreenletKilledError,
  hub,
  type IncompleteReadError,
  memoryPair,
  type Op,
  pipe,
  run,
  type Socket,
  type StreamError,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  toDuplex,
  toReadable,
  toWritable,
  until,
} from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { requireScheduler } from '../../core/kernel.ts';
import { bareServer, failure, host, nothingLeft } from './peers.ts';

afterEach(nothingLeft);

/** How often `stream` was destroyed from now on, and with what. */
function destructions(stream: Destroyable): unknown[] {
  const calls: unknown[] = [];
  const { destroy } = stream;
  stream.destroy = (error?: Error): unknown => {
    calls.push(error);
    return destroy.call(stream, error);
  };
  return calls;
}

interface Destroyable {
  destroy(error?: Error): unknown;
}

function* readAll(reader: Pick<Socket, 'read'>): Op<string> {
  let all = '';
  for (let chunk = yield* reader.read(); chunk !== null; chunk = yield* reader.read()) all += chunk.toString('latin1');
  return all;
}

/** A Readable that is fed by hand. */
function fed(options: { highWaterMark?: number; objectMode?: boolean } = {}): Readable & { asked: number } {
  const stream = Object.assign(
    new Readable({
      ...options,
      read() {
        stream.asked += 1;
      },
    }),
    { asked: 0 },
  );
  return stream;
}

/** A Writable that takes a chunk only when it is let. */
function slow(): Writable & { taken: string[]; let(error?: Error): void } {
  let waiting: ((error?: Error | null) => void) | undefined;
  const stream = Object.assign(
    new Writable({
      highWaterMark: 10,
      write(chunk: Buffer, _encoding, done) {
        stream.taken.push(String(chunk));
        waiting = done;
      },
    }),
    {
      taken: [] as string[],
      let(error?: Error) {
        const done = waiting;
        waiting = undefined;
        done?.(error ?? null);
      },
    },
  );
  return stream;
}

describe('fromReadable', () => {
  it('has every way to read of a socket', () =>
    run(function* () {
      const reader = fromReadable(Readable.from(['a line\r\nfour', 'rest;', Buffer.from('tail')]));
      expect(yield* reader.readLine()).toBe('a line');
      expect(String(yield* reader.peek(2))).toBe('fo');
      expect(String(yield* reader.readExactly(4))).toBe('four');
      expect(String(yield* reader.readUntil(';'))).toBe('rest');
      reader.unread(Buffer.from('<'));
      expect(yield* readAll(reader)).toBe('<tail');
      expect([yield* reader.read(), yield* reader.readLine()]).toEqual([null, null]);
    }));

  it('waits for what has not come, loses nothing to a kill or a timeout, and is an arm of a select', () =>
    run(function* () {
      const stream = fed();
      const reader = fromReadable(stream);
      const first = spawn(() => reader.readExactly(6));
      stream.push('abc');
      yield* sleep(1);
      first.kill();
      expect(yield* failure(first.get())).toBeInstanceOf(GreenletKilledError);
      expect(yield* failure(timeout(2, reader.readExactly(6)))).toBeInstanceOf(TimeoutError);
      expect((yield* select({ six: reader.readExactly(6), tick: sleep(1) })).key).toBe('tick');
      const second = spawn(() => reader.readExactly(6));
      yield* sleep(0);
      expect(yield* failure(reader.read())).toBeInstanceOf(BusyError);
      stream.push('def');
      expect(String(yield* second.get())).toBe('abcdef');
      reader.close();
    }));

  it('reads ahead up to its mark and no further, and goes on when it is read', () =>
    run(function* () {
      let given = 0;
      const stream = new Readable({
        highWaterMark: 100,
        read() {
          given += 100;
          this.push(given > 100_000 ? null : Buffer.alloc(100));
        },
      });
      const reader = fromReadable(stream, { highWaterMark: 1000 });
      yield* sleep(2);
      expect(reader.buffered).toBeGreaterThanOrEqual(1000);
      expect(given).toBeLessThanOrEqual(1500);
      expect((yield* readAll(reader)).length).toBe(100_000);
    }));

  it('encodes text again as the stream decodes it', () =>
    run(function* () {
      const utf8 = new PassThrough().setEncoding('utf8');
      utf8.end('€uro');
      expect(Buffer.from(yield* readAll(fromReadable(utf8)), 'latin1').toString()).toBe('€uro');
      const hex = new PassThrough().setEncoding('hex');
      hex.end('xyz');
      expect(yield* readAll(fromReadable(hex))).toBe('xyz');
    }));

  it('takes chunks of objects if they are bytes or text, and says what else came', () =>
    run(function* () {
      expect(yield* readAll(fromReadable(Readable.from(['a', Buffer.from('b'), new Uint8Array([99])])))).toBe('abc');
      const stream = Readable.from([Buffer.from('fine'), { no: 'bytes' }, Buffer.from('unheard')]);
      const destroyed = destructions(stream);
      const reader = fromReadable(stream);
      expect(String(yield* reader.readExactly(4))).toBe('fine');
      const error = (yield* failure(reader.read())) as unknown as StreamError;
      expect(error).toMatchObject({ name: 'StreamError', code: 'ERR_INVALID_ARG_TYPE' });
      expect(error.message).toContain('an object');
      expect(destroyed.length).toBe(1);
    }));

  it('delivers what had come and then the stream’s own error, to one who waits and ever after', () =>
    run(function* () {
      const stream = fed();
      const reader = fromReadable(stream);
      stream.push('before');
      yield* sleep(1);
      const cause = Object.assign(new Error('broken pipe dream'), { code: 'EDREAM' });
      const waiting = spawn(() => reader.readExactly(10));
      yield* sleep(0);
      stream.destroy(cause);
      for (const op of [waiting.get(), reader.readExactly(10)]) {
        const error = yield* failure(op);
        expect(error).toMatchObject({ name: 'StreamError', code: 'EDREAM', cause });
        expect(error.message).toContain('broken pipe dream');
      }
      expect(String(yield* reader.read())).toBe('before');
      expect(yield* failure(reader.read())).toMatchObject({ code: 'EDREAM' });
    }));

  it('delivers what the stream still held when it failed', () =>
    run(function* () {
      const stream = fed({ highWaterMark: 1000 });
      const reader = fromReadable(stream, { highWaterMark: 4 });
      stream.push('first');
      yield* sleep(1);
      stream.push(' held back');
      yield* sleep(1);
      stream.destroy(new Error('gone'));
      yield* sleep(1);
      expect(String(yield* reader.readExactly(15))).toBe('first held back');
      expect(yield* failure(reader.read())).toMatchObject({ code: 'ERR_STREAM' });
    }));

  it('takes a stream that somebody destroys without a word for what it is, not for an end', () =>
    run(function* () {
      const stream = fed();
      const reader = fromReadable(stream);
      stream.push('part');
      yield* sleep(1);
      stream.destroy();
      yield* sleep(1);
      expect(String(yield* reader.read())).toBe('part');
      expect(yield* failure(reader.read())).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    }));

  it('knows what has happened to a stream before it got it', () =>
    run(function* () {
      const ended = Readable.from(['x']);
      ended.resume();
      yield* until(new Promise((resolve) => finished(ended, resolve)));
      expect(yield* fromReadable(ended).read()).toBe(null);

      const failed = fed();
      failed.on('error', () => {});
      failed.destroy(Object.assign(new Error('early'), { code: 'EARLY' }));
      yield* sleep(1);
      expect(yield* failure(fromReadable(failed).read())).toMatchObject({ code: 'EARLY' });

      const destroyed = fed();
      destroyed.destroy();
      yield* sleep(1);
      expect(yield* failure(fromReadable(destroyed).read())).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    }));

  it('destroys the stream when it is closed, once, and not if it has ended', () =>
    run(function* () {
      const stream = fed();
      const calls = destructions(stream);
      const reader = fromReadable(stream);
      const waiting = spawn(() => reader.read());
      yield* sleep(0);
      reader.close();
      reader.close();
      expect(yield* failure(waiting.get())).toBeInstanceOf(ClosedError);
      expect({ calls, destroyed: stream.destroyed }).toEqual({ calls: [undefined], destroyed: true });

      const whole = Readable.from(['x']);
      const done = fromReadable(whole);
      yield* readAll(done);
      yield* sleep(1);
      const later = destructions(whole);
      done.close();
      expect(later).toEqual([]);
    }));

  it('gives the stream up when its greenlet is killed, if that closes it as it should', () =>
    run(function* () {
      const stream = fed();
      const calls = destructions(stream);
      const greenlet = spawn(function* () {
        const reader = fromReadable(stream);
        try {
          yield* reader.readLine();
        } finally {
          reader.close();
        }
      });
      yield* sleep(1);
      greenlet.kill();
      yield* greenlet.join();
      expect(calls).toEqual([undefined]);
    }));

  it('listens for errors also after it was closed', () =>
    run(function* () {
      const stream = new Readable({
        read() {},
        destroy(_error, done) {
          setImmediate(() => done(new Error('and another thing')));
        },
      });
      fromReadable(stream).close();
      yield* sleep(2);
      expect(stream.errored?.message).toBe('and another thing');
    }));

  it('cannot be written, and refuses what is no Readable', () =>
    run(function* () {
      const reader = fromReadable(Readable.from(['x']));
      expect(yield* failure((reader as Socket).write('no'))).toBeInstanceOf(ClosedError);
      reader.close();
      for (const bad of [undefined, null, 5, {}, 'text', new Writable(), [1]])
        expect(() => fromReadable(bad as unknown as Readable)).toThrow(TypeError);
      expect(() => fromReadable(fed(), { highWaterMark: 0 })).toThrow(RangeError);
    }));
});

describe('fromWritable', () => {
  it('writes, waits for room, and flushes when the stream has done with it', () =>
    run(function* () {
      const stream = slow();
      const writer = fromWritable(stream, { highWaterMark: 10 });
      yield* writer.write('1234567890');
      yield* sleep(0);
      const second = spawn(() => writer.write('more'));
      const flusher = spawn(() => writer.flush());
      yield* sleep(1);
      expect({ second: second.state, flusher: flusher.state, unsent: writer.unsent }).toEqual({
        second: 'parked',
        flusher: 'parked',
        unsent: 10,
      });
      stream.let();
      yield* second.get();
      yield* flusher.get();
      yield* sleep(1);
      stream.let();
      yield* writer.flush();
      expect(stream.taken).toEqual(['1234567890', 'more']);
      writer.close();
    }));

  it('sends nothing of a write that is killed while it waits for room', () =>
    run(function* () {
      const stream = slow();
      const writer = fromWritable(stream, { highWaterMark: 4 });
      yield* writer.write('full');
      const waiting = spawn(() => writer.write('never'));
      yield* sleep(1);
      waiting.kill();
      yield* waiting.join();
      const next = spawn(() => writer.writev(['ne', Buffer.from('xt'), '']));
      stream.let();
      yield* next.get();
      yield* sleep(1);
      stream.let();
      yield* sleep(1);
      stream.let();
      yield* writer.flush();
      expect(stream.taken.join('')).toBe('fullnext');
      writer.close();
    }));

  it('ends the stream, and a flush after that waits until it has finished', () =>
    run(function* () {
      const order: string[] = [];
      const stream = new Writable({
        write(chunk, _encoding, done) {
          order.push(String(chunk));
          setImmediate(done);
        },
        final(done) {
          setTimeout(() => {
            order.push('final');
            done();
          }, 5);
        },
      });
      const calls = destructions(stream);
      const writer = fromWritable(stream);
      yield* writer.write('last');
      writer.end();
      expect(yield* failure(writer.write('too late'))).toBeInstanceOf(ClosedError);
      yield* writer.flush();
      expect(order).toEqual(['last', 'final']);
      yield* sleep(1);
      writer.close();
      // Node destroys it by itself when it has finished.
      expect(calls.length).toBeLessThanOrEqual(1);
    }));

  it('closes gracefully: everything, then its end, and only then it is given up', () =>
    run(function* () {
      const stream = createGzip();
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
      const writer = fromWritable(stream);
      yield* writer.write('squeezed '.repeat(1000));
      yield* writer.closeGracefully();
      // Its other side is not ours, and goes on to its end.
      yield* until(
        new Promise<void>((resolve, reject) => finished(stream, (error) => (error ? reject(error) : resolve()))),
      );
      const whole = fromReadable(Readable.from([Buffer.concat(chunks)]).pipe(createGunzip()));
      expect(yield* readAll(whole)).toBe('squeezed '.repeat(1000));
    }));

  it('throws the stream’s own error to all who wait, and ever after', () =>
    run(function* () {
      const stream = slow();
      const calls = destructions(stream);
      const writer = fromWritable(stream, { highWaterMark: 4 });
      yield* writer.write('full');
      const waiting = [spawn(() => writer.write('x')), spawn(() => writer.flush())];
      yield* sleep(1);
      const cause = Object.assign(new Error('no space'), { code: 'ENOSPC' });
      stream.let(cause);
      for (const greenlet of waiting)
        expect(yield* failure(greenlet.get())).toMatchObject({
          name: 'StreamError',
          code: 'ENOSPC',
          cause,
          bytesQueued: 4,
          bytesFlushed: 0,
        });
      expect(yield* failure(writer.write('y'))).toMatchObject({ code: 'ENOSPC' });
      writer.close();
      expect(calls.length).toBeLessThanOrEqual(1);
    }));

  it('throws at the flush after the end what goes wrong with the end', () =>
    run(function* () {
      const stream = new Writable({
        write: (_chunk, _encoding, done) => done(),
        final: (done) => done(Object.assign(new Error('unfinished'), { code: 'EUNFINISHED' })),
      });
      const writer = fromWritable(stream);
      yield* writer.write('x');
      writer.end();
      expect(yield* failure(writer.flush())).toMatchObject({ code: 'EUNFINISHED' });
    }));

  it('knows a stream that is gone, or that others have ended', () =>
    run(function* () {
      const destroyed = slow();
      destroyed.destroy();
      const late = fromWritable(destroyed);
      yield* sleep(1);
      expect(yield* failure(late.write('x'))).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });

      const ended = new PassThrough();
      const writer = fromWritable(ended);
      ended.end();
      yield* writer.write('x');
      expect(yield* failure(writer.flush())).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' });
    }));

  it('destroys the stream when it is closed, once', () =>
    run(function* () {
      const stream = slow();
      const calls = destructions(stream);
      const writer = fromWritable(stream);
      yield* writer.write('x');
      const flusher = spawn(() => writer.flush());
      yield* sleep(0);
      writer.close();
      writer.close();
      expect(yield* failure(flusher.get())).toBeInstanceOf(ClosedError);
      expect(calls).toEqual([undefined]);
      expect(yield* failure(writer.write('y'))).toBeInstanceOf(ClosedError);
    }));

  it('reads as ended, and refuses what is no Writable', () =>
    run(function* () {
      const writer = fromWritable(new PassThrough());
      expect(yield* (writer as Socket).read()).toBe(null);
      writer.close();
      for (const bad of [undefined, null, 5, {}, 'text', fed()])
        expect(() => fromWritable(bad as unknown as Writable)).toThrow(TypeError);
    }));
});

describe('fromDuplex', () => {
  it('is a socket through which a transform can be driven, with back-pressure', () =>
    run(function* () {
      const text = 'to be squeezed '.repeat(20_000);
      const zip = fromDuplex(createGzip());
      const writer = spawn(function* () {
        for (let at = 0; at < text.length; at += 1000) yield* zip.write(text.slice(at, at + 1000));
        zip.end();
      });
      const unzip = fromDuplex(createGunzip(), { highWaterMark: 100 });
      const piping = spawn(pipe, zip, unzip);
      expect(yield* readAll(unzip)).toBe(text);
      yield* writer.get();
      expect(yield* piping.get()).toBeGreaterThan(100);
    }));

  it('stops the writer of a transform that nobody reads', () =>
    run(function* () {
      const through = fromDuplex(new PassThrough(), { highWaterMark: 1000 });
      let written = 0;
      const writer = spawn(function* () {
        for (; ; written += 100) yield* through.write(Buffer.alloc(100));
      });
      yield* sleep(5);
      expect(writer.state).toBe('parked');
      // Our marks and the two of the stream itself.
      expect(written).toBeLessThan(200_000);
      writer.kill();
      yield* writer.join();
      through.close();
    }));

  it('says what is wrong with the data, with what came before it', () =>
    run(function* () {
      const unzip = fromDuplex(createGunzip());
      yield* unzip.write(gzipSync('whole'));
      expect(String(yield* unzip.readExactly(5))).toBe('whole');
      yield* unzip.write(Buffer.from('1f8b63000000000000000000', 'hex'));
      unzip.end();
      const error = yield* failure(unzip.read());
      expect(error).toMatchObject({ name: 'StreamError', code: 'Z_DATA_ERROR' });
    }));

  it('is any net.Socket, half-open or not', () =>
    run(function* () {
      const server = createServer({ allowHalfOpen: true }, (peer) => {
        let got = '';
        peer.on('data', (chunk) => (got += chunk));
        peer.on('end', () => peer.end(`you said ${got}`));
      });
      const port = yield* bareServer(server);
      const socket = fromDuplex(netConnect({ port, host, allowHalfOpen: true }));
      yield* socket.write('hello');
      socket.end();
      expect(yield* readAll(socket)).toBe('you said hello');
      socket.close();

      const closing = createServer((peer) => peer.end('bye'));
      const other = fromDuplex(netConnect({ port: yield* bareServer(closing), host }));
      expect(yield* readAll(other)).toBe('bye');
      expect(yield* failure(other.write('x'))).toBeInstanceOf(ClosedError);
      other.close();
      server.close();
      closing.close();
    }));

  it('takes two streams for the two directions', () =>
    run(function* () {
      const [readable, writable] = [fed(), slow()];
      const socket = fromDuplex({ readable, writable });
      readable.push('in');
      readable.push(null);
      expect(yield* readAll(socket)).toBe('in');
      yield* socket.write('out');
      yield* sleep(1);
      writable.let();
      socket.end();
      yield* socket.flush();
      expect(writable.taken).toEqual(['out']);
    }));

  it('destroys each stream once when it is closed, and refuses what is none', () =>
    run(function* () {
      const [readable, writable, duplex] = [fed(), slow(), new PassThrough()];
      const calls = [readable, writable, duplex].map(destructions);
      const sockets = [fromDuplex({ readable, writable }), fromDuplex(duplex)];
      for (const socket of sockets) socket.close();
      for (const socket of sockets) socket.close();
      expect(calls).toEqual([[undefined], [undefined], [undefined]]);
      for (const bad of [undefined, {}, fed(), slow(), { readable: fed() }, 5])
        expect(() => fromDuplex(bad as unknown as Duplex)).toThrow(TypeError);
    }));

  it('fails in both directions at once', () =>
    run(function* () {
      const duplex = new Transform({ transform: (_chunk, _encoding, done) => done(new Error('cannot')) });
      const socket = fromDuplex(duplex);
      const reader = spawn(() => socket.read());
      yield* sleep(0);
      yield* socket.write('x');
      expect((yield* failure(reader.get())).message).toContain('cannot');
      expect((yield* failure(socket.write('y'))).message).toContain('cannot');
    }));
});

/** What a Node stream gives to ordinary code. */
async function collect(readable: Readable): Promise<string> {
  let all = '';
  for await (const chunk of readable) all += String(chunk);
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

describe('toReadable', () => {
  it('gives what the socket reads to ordinary code, to the end, and leaves the socket open', () =>
    withPair(function* (near, far) {
      const seen = counted(near);
      const all = collect(toReadable(near));
      for (let i = 0; i < 50; i += 1) yield* far.write(`${i},`);
      far.end();
      expect(yield* until(all)).toBe(Array.from({ length: 50 }, (_, i) => `${i},`).join(''));
      yield* near.write('still open');
      expect(String(yield* far.read())).toBe('still open');
      expect(seen.closes).toBe(0);
    }));

  it('reads nothing that is not asked for: a slow consumer slows the peer', () =>
    withPair(function* (near, far) {
      const readable = toReadable(near, { highWaterMark: 100 });
      yield* sleep(1);
      expect(hub.stats().greenlets).toBe(1);
      let written = 0;
      const writer = spawn(function* () {
        for (; written < 10_000; written += 50) yield* far.write('x'.repeat(50));
        far.end();
      });
      readable.on('readable', () => {});
      yield* sleep(3);
      expect(writer.state).toBe('parked');
      expect(written).toBeLessThan(1000);
      readable.removeAllListeners('readable');
      expect((yield* until(collect(readable))).length).toBe(10_000);
      yield* writer.get();
    }));

  it('closes the socket when it is destroyed early, once, and kills the read that waits', () =>
    withPair(function* (near, far) {
      const seen = counted(near);
      const readable = toReadable(near);
      readable.read(0);
      yield* sleep(1);
      expect(hub.stats().greenlets).toBe(2);
      readable.destroy();
      readable.destroy();
      expect(yield* far.read()).toBe(null);
      yield* sleep(1);
      expect({ closes: seen.closes, greenlets: hub.stats().greenlets }).toEqual({ closes: 1, greenlets: 1 });
    }));

  it('hands on an error of the socket to whoever listens', () =>
    withPair(function* (near, far) {
      yield* near.write('x'.repeat(500));
      const all = collect(toReadable(near));
      all.catch(() => {});
      yield* sleep(1);
      far.close();
      expect(yield* failure(until(all))).toMatchObject({ name: 'ConnectionResetError', code: 'ECONNRESET' });
    }).then(nothingLeft));

  it('reports an error for which nobody listens to the hub, and to it alone', async () => {
    const reported: unknown[] = [];
    const unlink = hub.on('error', (error) => reported.push((error as { code?: string }).code));
    try {
      await withPair(function* (near, far) {
        yield* near.write('x'.repeat(500));
        toReadable(near).resume();
        yield* sleep(1);
        far.close();
        yield* sleep(2);
      });
    } finally {
      unlink();
    }
    expect(reported).toEqual(['ECONNRESET']);
  });

  it('ends without an error event when its greenlet is killed from outside', () =>
    withPair(function* (near) {
      const readable = toReadable(near);
      const events: string[] = [];
      for (const name of ['error', 'end', 'close']) readable.on(name, () => events.push(name));
      readable.resume();
      yield* sleep(1);
      expect(running().length).toBe(1);
      for (const greenlet of running()) greenlet.kill();
      yield* sleep(2);
      expect(events).toEqual(['close']);
    }));

  it('passes through pipeline, which destroys it when the other side fails', () =>
    withPair(function* (near, far) {
      const seen = counted(near);
      const failing = new Writable({ write: (_chunk, _encoding, done) => done(new Error('full')) });
      yield* far.write('x');
      const error = yield* until(
        new Promise<Error | null | undefined>((resolve) => pipeline(toReadable(near), failing, resolve)),
      );
      expect(error?.message).toBe('full');
      yield* sleep(1);
      expect(seen.closes).toBe(1);
    }));

  it('refuses what cannot be read', () => {
    for (const bad of [undefined, {}, 5]) expect(() => toReadable(bad as unknown as Socket)).toThrow(TypeError);
  });
});

/** The greenlets that serve Node's streams. */
function running() {
  return requireScheduler()
    .greenlets()
    .filter(({ name }) => name.startsWith('request on'));
}

describe('toWritable', () => {
  const write = (stream: Writable, data: string): Op<unknown> =>
    callback<void>((done) => void stream.write(data, (error) => done(error)));

  it('writes to the socket at its pace, and finishes when all has left', () =>
    withPair(function* (near, far) {
      const writable = toWritable(near, { highWaterMark: 100 });
      let finishedAt = -1;
      let got = 0;
      writable.on('finish', () => (finishedAt = got));
      const room: boolean[] = [];
      for (let i = 0; i < 100; i += 1) room.push(writable.write('x'.repeat(50)));
      writable.end();
      expect([room[0], room.at(-1)]).toEqual([true, false]);
      yield* sleep(3);
      expect(finishedAt).toBe(-1);
      for (let chunk = yield* far.read(); chunk !== null; chunk = yield* far.read()) got += chunk.length;
      yield* sleep(1);
      expect(got).toBe(5000);
      expect(finishedAt).toBeGreaterThan(4500);
    }));

  it('ends the socket’s side and leaves its other side open', () =>
    withPair(function* (near, far) {
      const seen = counted(near);
      const writable = toWritable(near);
      yield* write(writable, 'all');
      yield* callback<void>((done) => void writable.end(() => done()));
      expect(yield* readAll(far)).toBe('all');
      yield* far.write('and back');
      expect(String(yield* near.read())).toBe('and back');
      expect(seen.closes).toBe(0);
    }));

  it('closes the socket when it is destroyed before it has finished, once', () =>
    withPair(function* (near, far) {
      const seen = counted(near);
      const writable = toWritable(near);
      writable.on('error', () => {});
      for (let i = 0; i < 20; i += 1) writable.write('x'.repeat(50));
      yield* sleep(1);
      writable.destroy();
      writable.destroy();
      yield* sleep(1);
      expect({ closes: seen.closes, greenlets: hub.stats().greenlets }).toEqual({ closes: 1, greenlets: 1 });
      expect((yield* readAll(far)).length).toBeLessThan(1000);
    }));

  it('hands on an error of the socket', () =>
    withPair(function* (near, far) {
      const writable = toWritable(near);
      const errors: unknown[] = [];
      writable.on('error', (error) => errors.push(error));
      far.close();
      yield* sleep(1);
      const told = yield* failure(
        (function* () {
          for (;;) yield* write(writable, 'anybody?');
        })(),
      );
      expect(told).toMatchObject({ name: 'ConnectionResetError', code: 'EPIPE' });
      yield* sleep(1);
      expect(errors).toEqual([told]);
    }));

  it('refuses what cannot be written', () => {
    for (const bad of [undefined, {}, 5]) expect(() => toWritable(bad as unknown as Socket)).toThrow(TypeError);
  });
});

describe('toDuplex', () => {
  it('is a stream for code that takes nothing else: both directions, each to its own end', () =>
    withPair(function* (near, far) {
      const seen = counted(near);
      const duplex = toDuplex(near);
      const all = collect(duplex);
      duplex.end('question');
      expect(yield* readAll(far)).toBe('question');
      yield* far.write('answer');
      far.end();
      expect(yield* until(all)).toBe('answer');
      yield* sleep(2);
      expect({ closes: seen.closes, closed: near.closed }).toEqual({ closes: 1, closed: true });
    }));

  it('comes back as it was, through both bridges', () =>
    withPair(function* (near, far) {
      const socket = fromDuplex(toDuplex(near));
      yield* socket.write('there\n');
      expect(yield* far.readLine()).toBe('there');
      yield* far.write('and back\n');
      expect(yield* socket.readLine()).toBe('and back');
      socket.end();
      expect(yield* far.read()).toBe(null);
      far.end();
      expect(yield* socket.read()).toBe(null);
      const error = (yield* failure(socket.readExactly(1))) as unknown as IncompleteReadError;
      expect(error.code).toBe('ERR_INCOMPLETE_READ');
      socket.close();
    }));

  it('closes the socket when it is destroyed, once', () =>
    withPair(function* (near, far) {
      const seen = counted(near);
      const duplex = toDuplex(near);
      duplex.resume();
      yield* sleep(1);
      duplex.destroy();
      expect(yield* far.read()).toBe(null);
      yield* sleep(1);
      expect({ closes: seen.closes, greenlets: hub.stats().greenlets }).toEqual({ closes: 1, greenlets: 1 });
    }));
});
