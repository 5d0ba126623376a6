// events-emitter.test.ts: generator functions as listeners of EventEmitters, and of what is built on them.
import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter, getEventListeners, on as iterate, once as promiseOnce } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { Channel, current, hub, type Op, run, sleep, yieldNow } from 'tendril';
import { type Patch, patchEvents } from 'tendril/patches';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nothingLeft } from '../io/peers.ts';

let patch: Patch;
// Not undone after each test: the test runner replaces process.nextTick and timers now and then, and puts back what it found.
beforeEach(() => void (patch = patchEvents()));
afterEach(() => hub.drain());
afterAll(() => patch.undo());

/** A generator function that notes what it was called with, twice. */
function noting(told: unknown[], name = 'heard') {
  return function* (this: unknown, ...args: unknown[]): Op<void> {
    told.push([name, ...args]);
    yield* yieldNow();
    told.push(`${name} on`);
  };
}

describe('A generator function that listens to an emitter', () => {
  it('runs as a greenlet, with the arguments and `this` of a plain listener', async () => {
    const emitter = new EventEmitter();
    const told: unknown[] = [];
    emitter.on('event', function* (this: unknown, ...args: unknown[]) {
      yield* sleep(1);
      told.push(this === emitter, args, current().state);
    });
    const listened = emitter.emit('event', 1, 'two', 3, 4);
    const before = told.length;
    await hub.drain();
    expect({ listened, before, told }).toEqual({
      listened: true,
      before: 0,
      told: [true, [1, 'two', 3, 4], 'running'],
    });
    nothingLeft();
  });

  it('starts in the order of the events, and one does not wait for another', async () => {
    const emitter = new EventEmitter();
    const told: string[] = [];
    emitter.on('event', function* (name: string, delayMs: number) {
      told.push(`${name} starts`);
      yield* sleep(delayMs);
      told.push(`${name} ends`);
    });
    for (const [index, name] of ['a', 'b', 'c'].entries()) emitter.emit('event', name, 60 - 30 * index);
    await hub.drain();
    expect(told).toEqual(['a starts', 'b starts', 'c starts', 'c ends', 'b ends', 'a ends']);
  });

  it.each(['on', 'addListener', 'prependListener', 'once', 'prependOnceListener'] as const)(
    'is added by %s, shown by listeners, and removed by itself',
    async (add) => {
      const emitter = new EventEmitter();
      const told: unknown[] = [];
      const listener = noting(told);
      const other = (): void => {};
      emitter.on('event', other);
      const returned = emitter[add]('event', listener);
      const shown = emitter.listeners('event');
      const counts = [emitter.listenerCount('event'), emitter.listenerCount('event', listener)];
      const found = getEventListeners(emitter, 'event').includes(listener);
      emitter.off('event', listener);
      emitter.emit('event');
      expect({ same: returned === emitter, counts, found, left: emitter.listeners('event'), told }).toEqual({
        same: true,
        counts: [2, 1],
        found: true,
        left: [other],
        told: [],
      });
      expect(shown).toEqual(add.startsWith('prepend') ? [listener, other] : [other, listener]);
    },
  );

  it.each(['once', 'prependOnceListener'] as const)('is called one time only when it was added by %s', async (add) => {
    const emitter = new EventEmitter();
    const told: unknown[] = [];
    emitter[add]('event', noting(told));
    const [raw] = emitter.rawListeners('event');
    emitter.emit('event', 1);
    emitter.emit('event', 2);
    raw?.call(emitter, 3);
    await hub.drain();
    expect({ told, left: emitter.listenerCount('event') }).toEqual({ told: [['heard', 1], 'heard on'], left: 0 });
  });

  it('is removed one registration at a time, the newest first', () => {
    const emitter = new EventEmitter();
    const told: string[] = [];
    const listener = function* (): Op<void> {
      yield* yieldNow();
    };
    const between = (): void => {};
    emitter.on('event', listener).on('event', between).once('event', listener);
    emitter.on('removeListener', (_, removed) => told.push(removed === listener ? 'the listener' : 'another'));
    emitter.removeListener('event', listener);
    const first = emitter.listeners('event');
    emitter.removeListener('event', listener);
    emitter.removeListener('event', listener);
    expect({ first, last: emitter.listeners('event'), told }).toEqual({
      first: [listener, between],
      last: [between],
      told: ['the listener', 'the listener'],
    });
  });

  it('is what newListener and removeListener tell of', () => {
    const emitter = new EventEmitter();
    const told: unknown[] = [];
    const listener = noting([]);
    emitter.on('newListener', (type, added) => told.push('new', type, added === listener));
    emitter.on('removeListener', (type, removed) => told.push('removed', type, removed === listener));
    told.length = 0;
    emitter.on('event', listener);
    emitter.once('event', listener);
    emitter.off('event', listener);
    emitter.off('event', listener);
    expect(told).toEqual([
      'new',
      'event',
      true,
      'new',
      'event',
      true,
      'removed',
      'event',
      true,
      'removed',
      'event',
      true,
    ]);
  });

  it('can be bound, a method, behind a Proxy, or one that was wrapped before', async () => {
    const emitter = new EventEmitter();
    const told: unknown[] = [];
    const object = {
      name: 'object',
      *heard(this: unknown, by: string): Op<void> {
        told.push([by, (this as { name?: string }).name]);
        yield* yieldNow();
      },
    };
    const bound = object.heard.bind(object, 'bound');
    const behind = new Proxy(object.heard, {});
    emitter.on('event', bound).on('event', object.heard).on('event', behind);
    emitter.emit('event', 'emitted');
    emitter.off('event', bound).off('event', behind).off('event', object.heard);
    await hub.drain();
    expect({ told, left: emitter.listenerCount('event') }).toEqual({
      told: [
        ['bound', 'object'],
        ['emitted', undefined],
        ['emitted', undefined],
      ],
      left: 0,
    });
  });

  it('may fail before it runs: a parameter that cannot be taken apart throws out of emit', () => {
    const emitter = new EventEmitter();
    emitter.on('event', function* ({ part }: { part: string }) {
      yield* sleep(part.length);
    });
    expect(() => emitter.emit('event', undefined)).toThrow(TypeError);
  });

  it('can be killed, and a kill is no failure', async () => {
    const emitter = new EventEmitter();
    const told: string[] = [];
    emitter.on('event', function* () {
      const self = current();
      setImmediate(() => self.kill());
      try {
        yield* sleep(60_000);
      } finally {
        told.push('cleaned up');
      }
    });
    emitter.emit('event');
    await hub.drain();
    // What a failure would have led to has had its chance.
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(['cleaned up']);
    nothingLeft();
  });

  it('has the AsyncLocalStorage of the emit', async () => {
    const storage = new AsyncLocalStorage<string>();
    const emitter = new EventEmitter();
    const told: unknown[] = [];
    storage.run('added', () =>
      emitter.on('event', function* () {
        told.push(storage.getStore());
        yield* sleep(1);
        told.push(storage.getStore());
      }),
    );
    storage.run('emitted', () => emitter.emit('event'));
    await hub.drain();
    expect(told).toEqual(['emitted', 'emitted']);
  });

  it('is the child of the greenlet that emits', async () => {
    const emitter = new EventEmitter();
    const parents = await run(function* () {
      const seen = new Channel<unknown>(1);
      emitter.on('event', function* () {
        yield* seen.send(current().parent?.id);
      });
      emitter.emit('event');
      return { seen: yield* seen.receive(), id: current().id };
    });
    expect(parents.seen).toBe(parents.id);
  });
});

describe('With captureRejections, a listener that fails', () => {
  it('is the error event of the emitter', async () => {
    const error = new Error('no');
    const emitter = new EventEmitter({ captureRejections: true });
    const failed = new Promise((resolve) => emitter.on('error', resolve));
    emitter.on('event', function* () {
      yield* sleep(1);
      throw error;
    });
    emitter.emit('event');
    expect(await failed).toBe(error);
  });

  it('goes to the method that the emitter has for it, with the event and its arguments', async () => {
    const told = await new Promise((resolve) => {
      class Own extends EventEmitter {
        [Symbol.for('nodejs.rejection')](...args: unknown[]): void {
          resolve(args);
        }
      }
      const emitter = new Own({ captureRejections: true });
      emitter.once('event', function* () {
        yield* yieldNow();
        throw 'reason';
      });
      emitter.emit('event', 1, 2);
    });
    expect(told).toEqual(['reason', 'event', 1, 2]);
  });

  it('is none if it was killed', async () => {
    const emitter = new EventEmitter({ captureRejections: true });
    const told: unknown[] = [];
    emitter.on('error', (error) => told.push(error));
    emitter.on('event', function* () {
      current().kill();
      yield* sleep(1);
    });
    emitter.emit('event');
    await hub.drain();
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([]);
  });
});

describe('Patched and undone', () => {
  it('a listener that was added before is as it was, and can be removed', async () => {
    patch.undo();
    const emitter = new EventEmitter();
    const told: unknown[] = [];
    const listener = noting(told);
    emitter.on('event', listener).once('event', listener);
    patch = patchEvents();
    emitter.off('event', listener).off('event', listener);
    emitter.on('event', listener);
    emitter.emit('event');
    await hub.drain();
    expect({ told, count: emitter.listenerCount('event') }).toEqual({ told: [['heard'], 'heard on'], count: 1 });
  });

  it('a listener goes on after the undo, and is removed by the generator function', async () => {
    const emitter = new EventEmitter();
    const told: unknown[] = [];
    const listener = noting(told);
    emitter.on('event', listener).once('event', listener);
    patch.undo();
    emitter.emit('event', 1);
    await hub.drain();
    const shown = emitter.listeners('event');
    emitter.off('event', listener);
    emitter.emit('event', 2);
    await hub.drain();
    expect({ told: told.length, shown, left: emitter.listenerCount('event') }).toEqual({
      told: 4,
      shown: [listener],
      left: 0,
    });
  });

  it('a function of ours that somebody kept passes on', async () => {
    const told: unknown[] = [];
    const kept = EventEmitter.prototype.on;
    patch.undo();
    const emitter = new EventEmitter();
    kept.call(emitter, 'event', noting(told));
    emitter.emit('event');
    await hub.drain();
    expect(told).toEqual([]);
  });
});

describe('What is built on emitters', () => {
  it('net: createServer, listen, connect and the events of sockets take generator functions', async () => {
    const told: string[] = [];
    const done = new Promise<void>((resolve) => {
      const server = net.createServer(function* (socket) {
        yield* sleep(1);
        socket.on('data', function* (chunk) {
          yield* sleep(1);
          socket.end(`echo ${String(chunk)}`);
        });
      });
      server.listen(0, '127.0.0.1', function* () {
        yield* sleep(1);
        const { port } = server.address() as net.AddressInfo;
        const client = net.connect(port, '127.0.0.1', function* () {
          yield* sleep(1);
          client.write('hello');
        });
        client.once('data', function* (chunk) {
          told.push(String(chunk));
          yield* sleep(0);
        });
        client.on('close', function* () {
          yield* sleep(0);
          server.close(function* () {
            yield* sleep(0);
            resolve();
          });
        });
      });
    });
    await done;
    await hub.drain();
    expect(told).toEqual(['echo hello']);
    nothingLeft();
  });

  it('http: createServer and get take generator functions, and a hundred requests are handled at once', async () => {
    let atOnce = 0;
    let most = 0;
    const all = new Channel<void>(0);
    const server = http.createServer(function* (request, response) {
      atOnce += 1;
      most = Math.max(most, atOnce);
      if (atOnce === 100) all.close();
      else yield* forClose(all);
      atOnce -= 1;
      response.end(request.url);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const get = (path: string): Promise<string> =>
      new Promise((resolve) => {
        http.get({ port, host: '127.0.0.1', path, agent: false }, function* (response) {
          yield* sleep(0);
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => void (text += chunk));
          response.on('end', function* () {
            yield* sleep(0);
            resolve(text);
          });
        });
      });
    const texts = await Promise.all(Array.from({ length: 100 }, (_, index) => get(`/${index}`)));
    await new Promise((resolve) => server.close(resolve));
    expect({ most, texts: texts.every((text, index) => text === `/${index}`) }).toEqual({ most: 100, texts: true });
  });

  it('a readable stream flows as soon as a generator function listens to data', async () => {
    const told: string[] = [];
    const stream = Readable.from(['a', 'b']);
    stream.on('data', function* (chunk: string) {
      yield* sleep(0);
      told.push(chunk);
    });
    await new Promise((resolve) => stream.on('end', resolve));
    await hub.drain();
    const data = function* (): Op<void> {
      yield* sleep(0);
    };
    const paused = new PassThrough().on('readable', data);
    paused.removeListener('readable', data);
    expect({ told, listeners: paused.listenerCount('readable') }).toEqual({ told: ['a', 'b'], listeners: 0 });
  });

  it('process: a signal that a generator function listens to is caught, and no longer when it is removed', async () => {
    const caught = new Channel<string>(1);
    const listener = function* (signal: string): Op<void> {
      yield* caught.send(signal);
    };
    process.on('SIGUSR2', listener);
    process.kill(process.pid, 'SIGUSR2');
    const signal = await run(() => caught.receive());
    process.off('SIGUSR2', listener);
    expect({ signal, left: process.listenerCount('SIGUSR2') }).toEqual({ signal: 'SIGUSR2', left: 0 });
  });

  it.each(['on', 'once', 'prependListener'] as const)(
    "process: %s('exit') refuses one, since no greenlet runs then",
    (add) => {
      const listen = (): unknown =>
        process[add]('exit', function* () {
          yield* sleep(1);
        });
      expect(listen).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error);
      expect(listen).toThrow(/'beforeExit'/);
    },
  );

  it("events.once, events.on and an emitter's plain and async listeners are as they were", async () => {
    const emitter = new EventEmitter();
    const told: unknown[] = [];
    emitter.on('event', (value) => told.push(value));
    emitter.on('event', async function (this: unknown, value) {
      told.push(this === emitter, value);
    });
    emitter.on('event', async function* (value: unknown) {
      told.push('an async generator ran');
      yield value;
    });
    const once = promiseOnce(emitter, 'event');
    const events = iterate(emitter, 'event');
    emitter.emit('event', 1);
    expect({ told, once: await once, next: await events.next() }).toEqual({
      told: [1, true, 1],
      once: [1],
      next: { value: [1], done: false },
    });
    await events.return?.();
    expect(emitter.listeners('event')).toHaveLength(3);
    for (const wrong of [undefined, null, 'text', {}])
      expect(() => emitter.on('event', wrong as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error,
      );
  });
});

/** Wait until `channel` is closed. */
function* forClose(channel: Channel<void>): Op<void> {
  while (!channel.closed) yield* sleep(1);
}
