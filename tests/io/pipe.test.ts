// pipe.test.ts: bytes from one stream to another: how many, how fast, how it ends, what is left when it does not, and proxies.
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  BusyError,
  type ByteSink,
  type ByteSource,
  ClosedError,
  connect,
  files,
  forEach,
  framed,
  fromReadable,
  fromWritable,
  GreenletKilledError,
  joinAll,
  lineCodec,
  listen,
  memoryPair,
  type Op,
  type PipeError,
  pipe,
  pipeBoth,
  run,
  type Socket,
  serve,
  sleep,
  spawn,
  TimeoutError,
  timeout,
} from 'tendril';
import { explore } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { MIB, patternAt, pour, Sink } from '../conformance/bulk.ts';
import { failure, host, nothingLeft } from './peers.ts';

/** Two pairs, `a -> b` and `c -> d`, with little room: what is piped from b to c goes from a to d. */
function* withChain(body: (a: Socket, b: Socket, c: Socket, d: Socket) => Op<unknown>, room = 64): Op<void> {
  const [a, b] = memoryPair({ highWaterMark: room, capacity: room });
  const [c, d] = memoryPair({ highWaterMark: room, capacity: room });
  try {
    yield* body(a, b, c, d);
  } finally {
    for (const socket of [a, b, c, d]) socket.close();
  }
}

const chained = (body: Parameters<typeof withChain>[0], room?: number): Promise<void> =>
  run(withChain, body, room).then(nothingLeft);

function* readAll(socket: Socket): Op<string> {
  let all = '';
  for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) all += chunk.toString('latin1');
  return all;
}

/** A source of others, by generators. */
function sourceOf(...chunks: (string | Error)[]): ByteSource {
  return {
    *read() {
      yield* sleep(0);
      const chunk = chunks.shift();
      if (chunk instanceof Error) throw chunk;
      return chunk === undefined ? null : Buffer.from(chunk);
    },
    toString: () => 'my source',
  };
}

/** A sink of others, by generators. It keeps the very chunks that it is given. */
function sinkOf(log: unknown[], failing?: { at: string; error: Error }): ByteSink {
  const fail = (at: string): void => {
    if (failing?.at === at) throw failing.error;
  };
  return {
    *write(bytes) {
      yield* sleep(0);
      fail('write');
      log.push(bytes);
    },
    *end() {
      yield* sleep(0);
      fail('end');
      log.push('end');
    },
    *flush() {
      yield* sleep(0);
      fail('flush');
      log.push('flush');
    },
    toString: () => 'my sink',
  };
}

/** What a lost connection is called depends on whether the peer's word or our next write came first. */
const lost = /^(ECONNRESET|EPIPE)$/;

describe('pipe', () => {
  it('copies everything, hands on the end, and says how much it was', () =>
    chained(function* (a, b, c, d) {
      const piping = spawn(pipe, b, c);
      const reader = spawn(() => readAll(d));
      for (let i = 0; i < 100; i += 1) yield* a.write(`${i} `);
      a.end();
      expect(yield* reader.get()).toBe(Array.from({ length: 100 }, (_, i) => `${i} `).join(''));
      expect(yield* piping.get()).toBe(290);
      // The other direction is as open as before.
      yield* d.write('answer');
      expect(String(yield* c.read())).toBe('answer');
    }));

  it('leaves the target open if asked to', () =>
    chained(function* (a, b, c, d) {
      a.end();
      yield* a.flush();
      expect(yield* pipe(b, c, { end: false })).toBe(0);
      yield* c.write('more');
      expect(String(yield* d.read())).toBe('more');
    }));

  it('returns when everything has left the target, not before', () =>
    chained(function* (a, b, c, d) {
      const piping = spawn(pipe, b, c);
      for (let i = 0; i < 5; i += 1) {
        yield* a.write('x'.repeat(50));
        yield* sleep(1);
      }
      a.end();
      yield* sleep(2);
      expect({ state: piping.state, unsent: c.unsent > 0 }).toEqual({ state: 'parked', unsent: true });
      const reader = spawn(() => readAll(d));
      expect(yield* piping.get()).toBe(250);
      expect(c.unsent).toBe(0);
      expect((yield* reader.get()).length).toBe(250);
    }));

  it('slows the source when the target is slow, and keeps little in between', () =>
    chained(function* (a, b, c, d) {
      const piping = spawn(pipe, b, c);
      let written = 0;
      const writer = spawn(function* () {
        for (; written < 100_000; written += 50) yield* a.write(Buffer.alloc(50));
        a.end();
      });
      yield* sleep(5);
      expect(writer.state).toBe('parked');
      expect(written).toBeLessThan(1500);
      expect((yield* readAll(d)).length).toBe(100_000);
      expect(yield* piping.get()).toBe(100_000);
    }));

  it('hands chunks on as they were read, without a copy', () =>
    run(function* () {
      const chunks = [Buffer.alloc(100_000), Buffer.from('small')];
      const given = [...chunks];
      const log: unknown[] = [];
      const source: ByteSource = {
        *read() {
          yield* sleep(0);
          return given.shift() ?? null;
        },
      };
      expect(yield* pipe(source, sinkOf(log))).toBe(100_005);
      expect(log.length).toBe(4);
      expect(log[0]).toBe(chunks[0]);
      expect(log[1]).toBe(chunks[1]);
      expect(log.slice(2)).toEqual(['end', 'flush']);
    }).then(nothingLeft));

  it('may be started again: it is a description', () =>
    run(function* () {
      const log: unknown[] = [];
      const again = pipe(sourceOf('once'), sinkOf(log), { end: false });
      expect([yield* again, yield* again]).toEqual([4, 0]);
      expect(log.map(String)).toEqual(['once', 'flush', 'flush']);
    }).then(nothingLeft));

  it('names the source when that fails, and does not end the target', () =>
    chained(function* (a, b, c, d) {
      const piping = spawn(pipe, b, c);
      const reader = spawn(() => readAll(d));
      yield* a.write('part of it');
      yield* b.write('x'.repeat(500)); // never read, so a's close resets
      yield* sleep(2);
      a.close();
      const error = (yield* failure(piping.get())) as unknown as PipeError;
      expect(error).toMatchObject({ name: 'PipeError', code: 'ECONNRESET', side: 'source', bytes: 10 });
      expect(error.cause).toMatchObject({ name: 'ConnectionResetError' });
      expect(error.message).toContain(`from ${b} to ${c}`);
      yield* sleep(1);
      expect(reader.state).toBe('parked');
      c.close();
      expect(yield* reader.get()).toBe('part of it');
    }));

  it('names the target when that fails, and gives back what could not be written', () =>
    chained(function* (a, b, c, d) {
      const text = Array.from({ length: 200 }, (_, i) => `${i};`).join('');
      const writer = spawn(function* () {
        for (let at = 0; at < text.length; at += 30) yield* a.write(text.slice(at, at + 30));
        a.end();
      });
      const piping = spawn(pipe, b, c);
      yield* d.peek(1);
      d.close(); // with unread data
      const error = (yield* failure(piping.get())) as unknown as PipeError;
      expect(error).toMatchObject({ name: 'PipeError', side: 'target', code: expect.stringMatching(lost) });
      expect(error.bytes).toBeGreaterThan(0);
      expect(yield* readAll(b)).toBe(text.slice(error.bytes));
      yield* writer.get();
    }));

  it('names the target when that is lost after everything was written', () =>
    chained(function* (a, b, c, d) {
      d.close();
      yield* a.write('nobody reads this');
      a.end();
      const error = yield* failure(pipe(b, c));
      expect(error).toMatchObject({ name: 'PipeError', side: 'target', code: expect.stringMatching(lost), bytes: 17 });
    }));

  it.each(['write', 'end', 'flush'])('names the target when its %s fails', (at) =>
    run(function* () {
      const error = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
      const log: unknown[] = [];
      const thrown = (yield* failure(pipe(sourceOf('abc'), sinkOf(log, { at, error })))) as unknown as PipeError;
      expect(thrown).toMatchObject({
        code: 'ENOSPC',
        side: 'target',
        bytes: at === 'write' ? 0 : 3,
        cause: error,
        message: `pipe from my source to my sink: the target failed after ${at === 'write' ? 0 : 3} bytes: disk full`,
      });
      expect(log.includes('end')).toBe(at === 'flush');
    }).then(nothingLeft),
  );

  it('names the source by its own error, which may have no code', () =>
    run(function* () {
      const error = new Error('no idea');
      const log: unknown[] = [];
      expect(yield* failure(pipe(sourceOf('ab', error), sinkOf(log)))).toMatchObject({
        code: 'ERR_PIPE',
        side: 'source',
        bytes: 2,
        cause: error,
      });
      expect(log.map(String)).toEqual(['ab']);
    }).then(nothingLeft));

  it('passes on the program’s own faults as they are', () =>
    chained(function* (_a, b, c) {
      const reader = spawn(() => b.read());
      yield* sleep(0);
      expect(yield* failure(pipe(b, c))).toBeInstanceOf(BusyError);
      const piping = spawn(pipe, c, b);
      yield* sleep(0);
      c.close();
      expect(yield* failure(piping.get())).toBeInstanceOf(ClosedError);
      reader.kill();
      yield* reader.join();
    }));

  it('refuses at the call what cannot be read or written', () =>
    run(function* () {
      const [a, b] = memoryPair();
      const bad: readonly (() => unknown)[] = [
        () => pipe(undefined as unknown as Socket, a),
        () => pipe(a, {} as unknown as Socket),
        () => pipe(a, b, { end: 1 as unknown as boolean }),
        () => pipe(a, b, 5 as unknown as object),
        () => pipeBoth(a, { read: () => a.read() } as unknown as Socket),
      ];
      for (const call of bad) expect(call).toThrow(TypeError);
      expect(() => pipe(new PassThrough(), a)).toThrow('wrap it in fromReadable()');
      expect(() => pipe(a, new PassThrough() as unknown as Socket)).toThrow('wrap it in fromWritable()');
      expect(() => pipe(new Blob([]).stream() as unknown as Socket, a)).toThrow('wrap it in fromReadableStream()');
      a.close();
      b.close();
    }).then(nothingLeft));

  it('stops at once when it is killed or times out, and every byte is on one side or the other', () =>
    chained(function* (a, b, c, d) {
      const text = Array.from({ length: 400 }, (_, i) => `${i};`).join('');
      const writer = spawn(function* () {
        for (let at = 0; at < text.length; at += 30) yield* a.write(text.slice(at, at + 30));
        a.end();
      });
      const piping = spawn(pipe, b, c);
      yield* sleep(3);
      piping.kill();
      expect(yield* failure(piping.get())).toBeInstanceOf(GreenletKilledError);
      expect(yield* failure(timeout(2, pipe(b, c)))).toBeInstanceOf(TimeoutError);
      const rest = spawn(pipe, b, c);
      expect(yield* readAll(d)).toBe(text);
      yield* rest.get();
      yield* writer.get();
    }));

  it('loses and doubles nothing, whenever it is killed', async () => {
    const text = 'abcdefghijklmnopqrstuvwxyz';
    const { runs } = await explore(
      (world) =>
        withChain(function* (a, b, c, d) {
          const writer = spawn(function* () {
            for (let at = 0; at < text.length; at += 3) yield* a.write(text.slice(at, at + 3));
            a.end();
          });
          const reader = spawn(() => readAll(d));
          for (let kills = world.choose(4); kills > 0; kills -= 1) {
            const piping = spawn(pipe, b, c);
            yield* sleep(world.choose(2));
            piping.kill();
            yield* piping.join();
          }
          if (!c.closed) yield* pipe(b, c);
          const got = yield* reader.get();
          yield* writer.get();
          if (got !== text) throw new Error(`got ${got}`);
        }, 4),
      { seeds: 400 },
    );
    expect(runs).toBe(400);
  });
});

describe('pipe between files and streams', () => {
  it('copies a file, and returns when the copy is complete', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
    try {
      const [from, to] = [join(folder, 'from'), join(folder, 'to')];
      const content = patternAt(0, 200_000);
      writeFileSync(from, content);
      await run(function* () {
        const source = fromReadable(createReadStream(from));
        const target = fromWritable(createWriteStream(to));
        expect(yield* pipe(source, target)).toBe(200_000);
        expect(readFileSync(to).equals(content)).toBe(true);
        source.close();
        target.close();
      });
      nothingLeft();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('takes open files on either side, and frames of what is in one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
    try {
      const path = join(folder, 'file');
      const content = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('');
      await run(function* () {
        const [near, far] = memoryPair({ highWaterMark: 1000, capacity: 1000 });
        const saved = yield* files.open(path, 'w');
        const saving = spawn(pipe, far, saved);
        yield* near.write(content);
        near.end();
        expect(yield* saving.get()).toBe(content.length);
        saved.close();

        const read = yield* files.open(path);
        const sending = spawn(pipe, read, far);
        expect((yield* readAll(near)) === content).toBe(true);
        expect(yield* sending.get()).toBe(content.length);
        read.seek(0);
        const lines = framed(read, lineCodec());
        let count = 0;
        yield* forEach(lines, function* (line) {
          if (line === `line ${count}`) count += 1;
        });
        expect(count).toBe(20_000);
        for (const each of [read, near, far]) each.close();
      });
      nothingLeft();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('names a file that cannot be read, and one that cannot be written', () =>
    run(function* () {
      const missing = fromReadable(createReadStream('/no/such/file'));
      expect(yield* failure(pipe(missing, sinkOf([])))).toMatchObject({ code: 'ENOENT', side: 'source', bytes: 0 });
      const nowhere = fromWritable(createWriteStream('/no/such/folder/file'));
      expect(yield* failure(pipe(sourceOf('x'), nowhere))).toMatchObject({ code: 'ENOENT', side: 'target' });
      missing.close();
      nowhere.close();
    }).then(nothingLeft));
});

describe('pipeBoth', () => {
  it('carries both directions, each to its own end', () =>
    chained(function* (a, b, c, d) {
      const proxy = spawn(pipeBoth, b, c);
      yield* a.write('question');
      a.end();
      expect(yield* readAll(d)).toBe('question');
      yield* sleep(1);
      expect(proxy.state).toBe('parked');
      yield* d.write('a longer answer');
      d.end();
      expect(yield* readAll(a)).toBe('a longer answer');
      expect(yield* proxy.get()).toEqual({ aToB: 8, bToA: 15 });
      expect([b.closed, c.closed]).toEqual([false, false]);
    }));

  it('stops both directions when one fails, and names what failed', () =>
    chained(function* (a, b, c, d) {
      const proxy = spawn(pipeBoth, b, c);
      yield* a.write('x'.repeat(500)); // d does not read it all, so its close resets
      yield* sleep(2);
      d.close();
      const error = yield* failure(proxy.get());
      expect(error).toMatchObject({ name: 'PipeError' });
      expect(error.code).toMatch(lost);
      // Nobody reads or writes them any more.
      expect((yield* b.read())?.length).toBeGreaterThan(0);
    }));

  it('leaves nothing running when it is killed', () =>
    chained(function* (a, b, c, d) {
      const proxy = spawn(pipeBoth, b, c);
      yield* sleep(0);
      proxy.kill();
      expect(yield* failure(proxy.get())).toBeInstanceOf(GreenletKilledError);
      yield* a.write('still');
      yield* d.write('open');
      expect([String(yield* b.read()), String(yield* c.read())]).toEqual(['still', 'open']);
    }));

  it('is a TCP proxy in three lines: 8 MiB each way at once, every byte in its place', () =>
    run(function* () {
      const size = 8 * MIB;
      const origin = yield* listen({ host, port: 0 });
      const far = spawn(serve, origin, function* (socket: Socket) {
        const sink = new Sink();
        const reader = spawn(() => sink.drain(socket));
        yield* pour(socket, size);
        socket.end();
        yield* reader.get();
        if (!sink.intact || sink.size !== size) throw new Error('damaged on the way there');
      });
      const entrance = yield* listen({ host, port: 0 });
      const carried: unknown[] = [];
      const near = spawn(serve, entrance, function* (client: Socket) {
        const upstream = yield* connect(origin.address);
        try {
          carried.push(yield* pipeBoth(client, upstream));
        } finally {
          upstream.close();
        }
      });
      const client = yield* connect(entrance.address);
      const writer = spawn(function* () {
        yield* pour(client, size);
        client.end();
      });
      const sink = new Sink();
      yield* sink.drain(client);
      yield* writer.get();
      expect({ size: sink.size, intact: sink.intact }).toEqual({ size, intact: true });
      client.close();
      while (carried.length === 0) yield* sleep(1);
      expect(carried).toEqual([{ aToB: size, bToA: size }]);
      entrance.close();
      origin.close();
      yield* joinAll([near, far]);
      expect(origin.stats.handlerErrors).toBe(0);
    }).then(nothingLeft));
});
