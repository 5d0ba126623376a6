// events-callbacks.test.ts: generator functions as callbacks, and where they mean something else to Node.
import { execFile } from 'node:child_process';
import { pbkdf2, randomBytes, randomFill, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import dns from 'node:dns';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { createInterface } from 'node:readline';
import stream, { Duplex, PassThrough, Readable, Writable } from 'node:stream';
import { pipeline as promisePipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { gzip } from 'node:zlib';
import { current, hub, type Op, sleep } from 'tendril';
import { type Patch, patchEvents } from 'tendril/patches';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { nothingLeft } from '../io/peers.ts';
import { runProgram } from '../io/process-program.ts';

let patch: Patch;
// Not undone after each test: the test runner replaces process.nextTick and timers now and then, and puts back what it found.
beforeAll(() => void (patch = patchEvents()));
afterEach(() => hub.drain());
afterAll(() => patch.undo());

/** A callback that is a generator function, and what it was called with, once it has waited. */
function called(start: (callback: (...args: unknown[]) => Op<void>) => unknown): Promise<unknown[]> {
  return new Promise((resolve) => {
    start(function* (...args: unknown[]) {
      yield* sleep(0);
      resolve([current().state, ...args]);
    });
  });
}

describe('A generator function given to', () => {
  const buffer = expect.any(Uint8Array) as unknown;
  const object = expect.any(Object) as unknown;
  const number = expect.any(Number) as unknown;
  const file = import.meta.filename;
  it.each([
    { name: 'fs.readFile', start: (done) => fs.readFile(file, done), args: [null, buffer] },
    {
      name: 'fs.readFile with options',
      start: (done) => fs.readFile(file, 'utf8', done),
      args: [null, expect.any(String)],
    },
    { name: 'fs.stat', start: (done) => fs.stat(file, done), args: [null, object] },
    {
      name: 'fs.stat of nothing',
      start: (done) => fs.stat('/nothing/here', done),
      args: [expect.objectContaining({ code: 'ENOENT' })],
    },
    { name: 'fs.exists', start: (done) => fs.exists(file, done), args: [true] },
    { name: 'fs.opendir', start: (done) => fs.opendir('.', (_, dir) => dir.close(done)), args: [] },
    {
      name: 'close of a stream of a file',
      start: (done) => fs.createReadStream(file).close(done),
      args: [expect.objectContaining({ code: 'ERR_STREAM_PREMATURE_CLOSE' })],
    },
    { name: 'dns.lookup', start: (done) => dns.lookup('127.0.0.1', done), args: [null, '127.0.0.1', 4] },
    {
      name: 'dns.resolve4 of no name',
      start: (done) => new dns.Resolver({ timeout: 1, tries: 1 }).resolve4('a'.repeat(300), done),
      args: [expect.objectContaining({ code: 'EBADNAME' })],
    },
    { name: 'zlib.gzip', start: (done) => gzip('text', done), args: [null, buffer] },
    { name: 'crypto.randomBytes', start: (done) => randomBytes(4, done), args: [null, buffer] },
    { name: 'crypto.randomFill', start: (done) => randomFill(Buffer.alloc(4), done), args: [null, buffer] },
    { name: 'crypto.randomInt', start: (done) => randomInt(4, done), args: [null, number] },
    { name: 'crypto.pbkdf2', start: (done) => pbkdf2('a', 'b', 1, 8, 'sha256', done), args: [null, buffer] },
    {
      name: 'child_process.execFile',
      start: (done) => execFile(process.execPath, ['-p', '1'], done),
      args: [null, '1\n', ''],
    },
    { name: 'stream.finished', start: (done) => stream.finished(Readable.from([]).resume(), done), args: [] },
    {
      name: 'stream.pipeline',
      start: (done) => stream.pipeline(Readable.from(['a']), new PassThrough().resume(), done),
      args: [],
    },
    { name: 'write of a stream', start: (done) => new PassThrough().write('a', done), args: [] },
    { name: 'write with an encoding', start: (done) => new PassThrough().write('a', 'utf8', done), args: [] },
    { name: 'end of a stream', start: (done) => new PassThrough().resume().end(done), args: [] },
    { name: 'end with a chunk', start: (done) => new PassThrough().resume().end('a', done), args: [] },
    { name: 'question of readline', start: (done) => ask(done), args: ['answer'] },
    { name: 'bind of a datagram socket', start: (done) => bound(done), args: [] },
    {
      name: 'close of a server that does not listen',
      start: (done) => net.createServer().close(done),
      args: [expect.objectContaining({ code: 'ERR_SERVER_NOT_RUNNING' })],
    },
  ] as { name: string; start: (done: () => Op<void>) => unknown; args: unknown[] }[])(
    '$name is the callback, and runs as a greenlet',
    async ({ start, args }) => {
      const [state, ...given] = await called(start);
      // No error, and no value, are null, undefined or left out, as the version of Node has it.
      const told = given.map((value) => value ?? null);
      while (told.at(-1) === null) told.pop();
      expect({ state, told }).toEqual({ state: 'running', told: args });
      await hub.drain();
      nothingLeft();
    },
  );

  function ask(done: () => void): void {
    const input = new PassThrough();
    createInterface({ input }).question('', done);
    input.write('answer\n');
  }

  function bound(done: () => void): void {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1', done);
    socket.on('listening', () => socket.close());
  }

  it('the write and end of a response is the callback', async () => {
    const told: unknown[] = [];
    const server = http.createServer((_, response) => {
      response.write('a', function* () {
        yield* sleep(0);
        told.push('written');
        response.end('b', 'utf8', function* () {
          yield* sleep(0);
          told.push('ended');
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const text = await new Promise((resolve) =>
      http.get({ port, host: '127.0.0.1', agent: false }, (response) => {
        let all = '';
        response.on('data', (chunk) => void (all += String(chunk)));
        response.on('end', () => resolve(all));
      }),
    );
    await new Promise((resolve) => server.close(resolve));
    await hub.drain();
    expect({ text, told }).toEqual({ text: 'ab', told: ['written', 'ended'] });
  });

  it('another realm made it', async () => {
    const told: unknown[] = [];
    const foreign = runInNewContext('(function* (error, stats) { yield* wait(); told.push(error, typeof stats) })', {
      wait: () => sleep(1),
      told,
    }) as (error: unknown, stats: unknown) => void;
    fs.stat('.', foreign);
    await new Promise((resolve) => fs.stat('.', resolve));
    await hub.drain();
    while (told.length === 0) await new Promise((resolve) => fs.stat('.', resolve)).then(() => hub.drain());
    expect(told).toEqual([null, 'object']);
  });
});

describe('Timers and ticks', () => {
  /** Timers are replaced by the test runner too, now and then: these are programs of their own. */
  async function prints(source: string): Promise<string[]> {
    const { code, stdout, stderr } = await runProgram(`
      import { AsyncLocalStorage } from 'node:async_hooks';
      import timers from 'node:timers';
      import { setTimeout as named } from 'node:timers';
      import { promisify } from 'node:util';
      import { current, hub, sleep, yieldNow } from 'tendril';
      import { original, patchEvents, patched } from 'tendril/patches';
      const patch = patchEvents();
      ${source}`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout.trim().split('\n');
  }

  it('take generator functions, with their arguments and `this`', async () => {
    const lines = await prints(`
      const tell = (name) => function* (...args) {
        const self = this;
        yield* sleep(1);
        console.log(name, args.join(), self === undefined ? 'no this' : self === expected[name]);
      };
      const expected = {};
      expected.setTimeout = setTimeout(tell('setTimeout'), 1, 'a', 'b');
      expected.named = named(tell('named'), 1);
      expected.setImmediate = setImmediate(tell('setImmediate'), 'c');
      expected.nextTick = process;
      process.nextTick(tell('nextTick'), 'd', 'e');
      queueMicrotask(tell('queueMicrotask'));
      let ticks = 0;
      const interval = setInterval(function* (...args) {
        ticks += 1;
        if (ticks > 1) return;
        yield* sleep(1);
        clearInterval(interval);
        console.log('setInterval', args.join(), this === interval);
      }, 1, 'f');
    `);
    expect(lines.map((line) => line.replace(/^(nextTick \S+) .*/, '$1')).sort()).toEqual(
      [
        'nextTick d,e',
        'queueMicrotask  no this',
        'setImmediate c true',
        'setInterval f true',
        'setTimeout a,b true',
        'named  true',
      ].sort(),
    );
  });

  it('start greenlets in the order in which plain callbacks would be called, in the context of the call', async () => {
    const lines = await prints(`
      const storage = new AsyncLocalStorage();
      const order = [];
      const tell = function* (name) {
        order.push(name + ' ' + storage.getStore());
        yield* yieldNow();
      };
      // In a module ticks come after microtasks, everywhere else before.
      setImmediate(() => {
        storage.run('A', () => setImmediate(tell, 'immediate'));
        storage.run('B', () => process.nextTick(tell, 'tick'));
        storage.run('C', () => queueMicrotask(function* () { yield* tell('microtask'); }));
        storage.run('D', () => process.nextTick(tell, 'second tick'));
      });
      process.on('beforeExit', () => console.log(order.join()));
    `);
    expect(lines).toEqual(['tick B,second tick D,microtask C,immediate A']);
  });

  it('can be cleared and refreshed; an interval does not wait for the greenlet of the tick before', async () => {
    const lines = await prints(`
      clearTimeout(setTimeout(function* () { yield* sleep(0); console.log('cleared'); }, 1));
      clearImmediate(setImmediate(function* () { yield* sleep(0); console.log('cleared'); }));
      let count = 0;
      const timer = setTimeout(function* () {
        count += 1;
        yield* sleep(0);
        console.log('timer', count);
        if (count < 3) timer.refresh();
      }, 1);
      let running = 0;
      const interval = setInterval(function* () {
        running += 1;
        if (running === 2) { clearInterval(interval); console.log('two at once'); }
        yield* sleep(100);
      }, 1);
    `);
    expect(lines.sort()).toEqual(['timer 1', 'timer 2', 'timer 3', 'two at once']);
  });

  it('are the same function everywhere, keep what belongs to them, and are what they were when it is undone', async () => {
    const lines = await prints(`
      console.log(timers.setTimeout === setTimeout, named === setTimeout, setTimeout.name, setTimeout.length === original('timers', 'setTimeout').length);
      console.log(await promisify(setTimeout)(1, 'promised'), await promisify(setImmediate)('too'));
      setTimeout((...args) => console.log('plain', args.join()), 1, 1, 2, 3, 4);
      await new Promise((resolve) => process.nextTick(resolve));
      for (const wrong of [() => setTimeout(), () => setTimeout('text'), () => process.nextTick(null), () => queueMicrotask(5)])
        try { wrong(); } catch (error) { console.log(error.code); }
      setTimeout(async function* () { console.log('an async generator ran'); yield 1; }, 1);
      const pending = setTimeout(function* () { yield* sleep(1); console.log('pending'); }, 20);
      patch.undo();
      setTimeout(function* () { console.log('a generator ran'); }, 1);
      process.on('exit', () => console.log(timers.setTimeout === setTimeout, patched().places.length));
    `);
    expect(lines.sort()).toEqual(
      [
        'true true setTimeout true',
        'promised too',
        'plain 1,2,3,4',
        ...Array.from({ length: 4 }, () => 'ERR_INVALID_ARG_TYPE'),
        'pending',
        'true 0',
      ].sort(),
    );
  });

  it('1,000 times patched and undone they leave nothing behind', async () => {
    const lines = await prints(
      `
      patch.undo();
      const used = () => { gc(); return process.memoryUsage().heapUsed; };
      const descriptors = () => [globalThis, timers, process].flatMap((object) =>
        ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'nextTick'].map((name) => Object.getOwnPropertyDescriptor(object, name)));
      const before = descriptors();
      for (let cycle = 0; cycle < 100; cycle += 1) patchEvents().undo();
      const usedBefore = used();
      for (let cycle = 0; cycle < 1000; cycle += 1) patchEvents().undo();
      const bytes = (used() - usedBefore) / 1000;
      const after = descriptors();
      const same = before.every((was, at) => Object.keys(was ?? {}).every((key) => was[key] === after[at][key]));
      console.log(bytes < 500 || bytes, same, patched().places.length);
    `.replace(
        'patch.undo();',
        'const { setFlagsFromString } = await import("node:v8"); setFlagsFromString("--expose-gc"); const gc = (await import("node:vm")).runInNewContext("gc"); patch.undo();',
      ),
    );
    expect(lines).toEqual(['true true 0']);
  }, 60_000);
});

describe('What takes generator functions as such is left to Node', () => {
  const collected = async (source: AsyncIterable<unknown>): Promise<unknown[]> => {
    const chunks: unknown[] = [];
    for await (const chunk of source) chunks.push(chunk);
    return chunks;
  };
  const upper = async function* (source: AsyncIterable<unknown>) {
    for await (const chunk of source) yield String(chunk).toUpperCase();
  };

  it('Readable.from, Duplex.from, compose, and what maps a stream', async () => {
    const numbers = function* () {
      yield 1;
      yield 2;
    };
    expect(await collected(Readable.from(numbers()))).toEqual([1, 2]);
    expect(await collected(Readable.from(['a', 'b']).compose(upper as never))).toEqual(['A', 'B']);
    const duplex = Duplex.from(upper as never);
    duplex.end('x');
    expect(String(await collected(duplex))).toBe('X');
    expect(await collected(Readable.from([1]).flatMap(numbers as never))).toEqual([1, 2]);
  });

  it('the source and the transforms of a pipeline; its last argument is the callback', async () => {
    const chunks: string[] = [];
    const sink = new Writable({ objectMode: true, write: (chunk, _, done) => done(void chunks.push(String(chunk))) });
    const ended = await called((done) =>
      stream.pipeline(
        function* () {
          yield 'a';
          yield 'b';
        },
        upper,
        sink,
        done,
      ),
    );
    expect({ chunks, ended: ended[0] }).toEqual({ chunks: ['A', 'B'], ended: 'running' });
  });

  it('the destination of a pipeline of stream/promises', async () => {
    const chunks: unknown[] = [];
    await promisePipeline(
      function* () {
        yield 'a';
      },
      upper,
      async (source: AsyncIterable<unknown>) => {
        chunks.push(...(await collected(source)));
      },
    );
    expect(chunks).toEqual(['A']);
  });

  it('a chunk that is a generator function', async () => {
    const chunks: unknown[] = [];
    const sink = new Writable({ objectMode: true, write: (chunk, _, done) => done(void chunks.push(chunk)) });
    const chunk = function* (): Op<void> {
      yield* sleep(0);
    };
    sink.write(chunk);
    await new Promise<void>((resolve) => sink.end(resolve));
    expect(chunks).toEqual([chunk]);
  });

  it('async generator functions, as callbacks of any kind', async () => {
    let ran = false;
    fs.stat('.', async function* () {
      ran = true;
      yield 1;
    });
    await new Promise((resolve) => fs.stat('.', resolve));
    expect(ran).toBe(false);
  });

  it('promises of Node, and promisify', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['-p', '2']);
    const { address } = await promisify(dns.lookup)('127.0.0.1');
    const stats = await promisify(fs.stat)('.');
    expect({ stdout, address, folder: stats.isDirectory() }).toEqual({
      stdout: '2\n',
      address: '127.0.0.1',
      folder: true,
    });
  });
});
