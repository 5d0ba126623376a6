// ownership.test.ts: what a greenlet opens dies with it; how handles are handed on; what is said of leaks; what patches leave behind.
import { AsyncLocalStorage } from 'node:async_hooks';
import childProcess from 'node:child_process';
import dgram from 'node:dgram';
import dns from 'node:dns';
import dnsPromises from 'node:dns/promises';
import { once } from 'node:events';
import fs from 'node:fs';
import promises from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { PassThrough } from 'node:stream';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  http as client,
  connect,
  files,
  hub,
  listen,
  dns as names,
  type Op,
  process as programs,
  run,
  scope,
  shield,
  sleep,
  spawn,
  spawnWith,
  timeout,
  until,
} from 'tendril';
import {
  adopt,
  onLeak,
  type Patch,
  patchChildProcess,
  patchDns,
  patched,
  patchFetch,
  patchFs,
  patchNet,
  patchTimers,
  release,
} from 'tendril/patches';
import { afterEach, describe, expect, it } from 'vitest';
import { growthOf, leaksWith, owned } from './owning.ts';

const file = 'ownership.test.ts';
const never = (): Op<void> => sleep(Number.POSITIVE_INFINITY);
const allPatches: readonly (() => Patch)[] = [patchTimers, patchNet, patchDns, patchFs, patchChildProcess, patchFetch];

afterEach(() => expect(patched().patches).toEqual([]));

describe('What a greenlet opens', () => {
  it('may be used in its cleanup, behind a shield too', async () => {
    const heard: string[] = [];
    const server = net.createServer(
      (peer) => void peer.setEncoding('utf8').on('data', (text: string) => heard.push(text)),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const leaks = await leaksWith(patchNet, file, async () => {
      const closed = once(server, 'connection').then(([peer]) => once(peer as net.Socket, 'close'));
      await run(function* () {
        const g = spawn(function* () {
          const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
          try {
            yield* until(once(socket, 'connect'));
            g.kill();
            yield* never();
          } finally {
            yield* shield(until(new Promise<void>((resolve) => socket.write('goodbye', () => resolve()))));
          }
        });
        yield* g.join();
      });
      await closed;
    });
    server.close();
    expect({ heard, leaks }).toEqual({ heard: ['goodbye'], leaks: [] });
  });

  it('lives as long as its scope, whatever a timeout inside does', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchTimers, file, () =>
      run(function* () {
        yield* scope(function* () {
          let timer: NodeJS.Timeout | undefined;
          const body = function* (): Op<void> {
            timer = setTimeout(() => {}, 1_000_000);
            yield* never();
          };
          yield* timeout(1, body(), { else: undefined });
          seen.push(owned());
          clearTimeout(timer);
        });
        seen.push(owned());
      }),
    );
    expect({ seen, leaks }).toEqual({ seen: [1, 0], leaks: [] });
  });

  it('dies with its scope when a sibling fails, before the error comes out', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchNet, file, () =>
      run(function* () {
        let server: net.Server | undefined;
        try {
          yield* scope(function* (s) {
            server = net.createServer().listen(0, '127.0.0.1');
            yield* until(once(server, 'listening'));
            s.spawn(function* () {
              throw new Error('failed');
            });
            yield* never();
          });
        } catch (error) {
          seen.push((error as Error).message, server?.listening);
        }
      }),
    );
    expect({ seen, leaks }).toEqual({ seen: ['failed', false], leaks: [] });
  });

  it('is destroyed newest first', async () => {
    const order: string[] = [];
    const named = (name: string): PassThrough => {
      const stream = new PassThrough();
      stream._destroy = (error, done) => {
        order.push(name);
        done(error);
      };
      return stream;
    };
    await leaksWith(patchTimers, file, () =>
      run(function* () {
        for (const name of ['first', 'second', 'third']) adopt(named(name));
      }),
    );
    expect(order).toEqual(['third', 'second', 'first']);
  });

  it('that cannot be destroyed is told to the hub, and the others are destroyed all the same', async () => {
    const errors: unknown[] = [];
    const unlink = hub.on('error', (error) => errors.push((error as Error).message));
    const stream = new PassThrough();
    await leaksWith(patchTimers, file, () =>
      run(function* () {
        adopt(stream);
        const bad = adopt(new PassThrough());
        bad.destroy = () => {
          throw new Error('cannot');
        };
      }),
    );
    unlink();
    expect({ errors, destroyed: stream.destroyed }).toEqual({ errors: ['cannot'], destroyed: true });
  });
});

describe('adopt', () => {
  it('takes over what code outside greenlets has opened, of any kind', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const handles = {
      timer: setTimeout(() => {}, 1_000_000),
      socket: net.connect((server.address() as net.AddressInfo).port, '127.0.0.1'),
      server,
      'datagram socket': dgram.createSocket('udp4').bind(0, '127.0.0.1'),
      stream: new PassThrough(),
      request: http.request({ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port }),
      watcher: fs.watch(fileURLToPath(new URL('.', import.meta.url))),
      'file handle': await promises.open(fileURLToPath(import.meta.url)),
      'child process': childProcess.spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']),
    };
    const exited = once(handles['child process'], 'exit');
    const ends = Promise.all(
      [handles.socket, handles.server, handles.watcher, handles['datagram socket']].map((handle) =>
        once(handle, 'close'),
      ),
    );
    const leaks = await leaksWith(patchDns, file, () =>
      run(function* () {
        for (const handle of Object.values(handles)) adopt(handle);
        adopt(setImmediate(() => {}));
        const count = owned();
        if (count !== 10) throw new Error(`${count} are owned`);
      }),
    );
    await ends;
    expect(leaks.map(({ kind }) => kind)).toEqual(['immediate', ...Object.keys(handles).reverse()]);
    expect({
      child: await exited,
      fd: handles['file handle'].fd,
      destroyed: [handles.stream.destroyed, handles.request.destroyed],
    }).toEqual({
      child: [null, 'SIGTERM'],
      fd: -1,
      destroyed: [true, true],
    });
  });

  it('moves what another greenlet owns', async () => {
    const stream = new PassThrough();
    const leaks = await leaksWith(patchTimers, file, () =>
      run(function* () {
        const opener = spawn(function* () {
          adopt(stream);
          yield* never();
        });
        const adopter = spawn(function* () {
          adopt(stream);
          yield* never();
        });
        while (adopter.state !== 'parked') yield* sleep(0);
        opener.kill();
        yield* opener.join();
        const between = stream.destroyed;
        adopter.kill();
        yield* adopter.join();
        if (between || !stream.destroyed) throw new Error(`destroyed: ${between}, ${stream.destroyed}`);
      }),
    );
    expect(leaks).toEqual([]);
  });

  it.each([
    ['a number', 5],
    ['null', null],
    ['a plain object', {}],
    ['a promise', Promise.resolve()],
  ])('refuses %s', async (_, value) => {
    const caught = await run(function* () {
      try {
        adopt(value as object);
      } catch (error) {
        return error;
      }
      return undefined;
    });
    expect(caught).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  });

  it('is refused outside greenlets', () => {
    expect(() => adopt(new PassThrough())).toThrow(expect.objectContaining({ code: 'ERR_NOT_IN_GREENLET' }) as Error);
  });
});

describe('release', () => {
  it('returns what it is given, twice and of a stranger too, and refuses what is no object', () => {
    const stream = new PassThrough();
    expect([release(stream), release(release(stream))]).toEqual([stream, stream]);
    expect(() => release(5 as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error);
  });
});

describe('A leak', () => {
  it('is warned of once for each place, with what, whose and where', async () => {
    const warnings: (Error & { code?: string; detail?: string })[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    const patch = patchTimers();
    await run(function* () {
      for (let n = 0; n < 3; n += 1) {
        const g = spawnWith({ name: 'forgetful' }, function* leaking() {
          setTimeout(() => {}, 1_000_000);
        });
        yield* g.join();
      }
    });
    patch.undo();
    while (warnings.length === 0) await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(warnings.map(({ name, code, message }) => ({ name, code, message }))).toEqual([
      {
        name: 'LeakWarning',
        code: 'TENDRIL_LEAK',
        message:
          'forgetful has ended and left a timer open, which was destroyed: close it, or release() it to hand it on',
      },
    ]);
    expect(warnings[0]?.detail).toMatch(/^timer opened\n +at leaking .*ownership\.test\.ts/);
  });

  it('is told to every listener, also when one of them throws, and the hub is told of that', async () => {
    const errors: unknown[] = [];
    const told: unknown[] = [];
    const handle = new PassThrough();
    const unlinks = [
      hub.on('error', (error) => errors.push((error as Error).message)),
      onLeak(() => {
        throw new Error('bad listener');
      }),
      onLeak((leak) => told.push([leak.kind, leak.handle === handle, leak.opened.includes(file)])),
    ];
    await run(function* () {
      adopt(handle);
    });
    while (errors.length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const unlink of unlinks) unlink();
    expect({ errors, told }).toEqual({ errors: ['bad listener'], told: [['stream', true, true]] });
  });

  it('needs a function to be told to', () => {
    expect(() => onLeak('x' as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error);
  });
});

describe('With all of them applied', () => {
  it('callbacks and promises are in the store of the caller', async () => {
    const storage = new AsyncLocalStorage<string>();
    const here = fileURLToPath(import.meta.url);
    const server = http.createServer((_, response) => void response.end('hi')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const calls: Record<string, (done: () => void) => unknown> = {
      setTimeout: (done) => setTimeout(done, 1),
      setImmediate: (done) => setImmediate(done),
      'timers/promises': (done) => timersPromises.setTimeout(1).then(done),
      'fs.readFile': (done) => fs.readFile(here, done),
      'fs/promises.readFile': (done) => promises.readFile(here).then(done),
      'net.connect': (done) => net.connect(port, '127.0.0.1', done),
      'http.get': (done) => http.get({ port, host: '127.0.0.1' }, (response) => response.resume().on('end', done)),
      fetch: (done) =>
        fetch(`http://127.0.0.1:${port}`)
          .then((response) => response.text())
          .then(done),
      execFile: (done) => childProcess.execFile(process.execPath, ['-e', ''], done),
      'dns.lookup': (done) => dns.lookup('localhost', done),
      'dns/promises.lookup': (done) => dnsPromises.lookup('localhost').then(done),
    };
    const applied = allPatches.map((patch) => patch());
    const unlink = onLeak(() => {});
    const stores: Record<string, unknown> = {};
    await run(function* () {
      storage.enterWith('here');
      for (const [name, call] of Object.entries(calls)) {
        yield* until(
          new Promise<void>((resolve) => {
            call(() => {
              stores[name] = storage.getStore();
              resolve();
            });
          }),
        );
      }
    });
    unlink();
    for (const patch of applied) patch.undo();
    server.closeAllConnections();
    server.close();
    expect(stores).toEqual(Object.fromEntries(Object.keys(calls).map((name) => [name, 'here'])));
  });

  it('what tendril itself opens is owned by nobody, and works', async () => {
    const server = http.createServer((_, response) => void response.end('hi')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const applied = allPatches.map((patch) => patch());
    const seen: unknown[] = [];
    const leaks: unknown[] = [];
    const unlink = onLeak((leak) => leaks.push(leak));
    await run(function* () {
      const listener = yield* listen({ host: '127.0.0.1', port: 0 });
      const socket = yield* connect({ host: 'localhost', port });
      const response = yield* client.get(`http://127.0.0.1:${port}/`);
      const child = yield* programs.spawn(process.execPath, ['-e', '']);
      const opened = yield* files.open(fileURLToPath(import.meta.url));
      seen.push(
        owned(),
        yield* response.text(),
        (yield* child.wait()).exitCode,
        (yield* names.lookup('localhost')).address.length > 0,
      );
      for (const handle of [listener, socket, opened, child]) handle.close();
      yield* sleep(1);
      seen.push(owned());
    });
    unlink();
    for (const patch of applied) patch.undo();
    server.closeAllConnections();
    server.close();
    expect({ seen, leaks }).toEqual({ seen: [0, 'hi', 0, true, 0], leaks: [] });
  });
});

describe('Undone', () => {
  const dispatchers = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')];
  const globals = ['setTimeout', 'setInterval', 'setImmediate', 'fetch', ...dispatchers];
  const targets: readonly object[] = [
    ...[
      timers,
      timersPromises,
      timersPromises.scheduler.constructor.prototype as object,
      net,
      net.Socket.prototype,
      net.Server.prototype,
    ],
    ...[dgram, dgram.Socket.prototype, http, https, fs, promises, dns, dns.Resolver.prototype],
    ...[dnsPromises, dnsPromises.Resolver.prototype, childProcess, childProcess.ChildProcess.prototype],
  ];
  /** Every descriptor, name by name, in its order. */
  const snapshot = (): unknown[] => [
    ...targets.map((target) =>
      Reflect.ownKeys(target).map((key) => [key, Object.getOwnPropertyDescriptor(target, key)]),
    ),
    globals.map((key) => Object.getOwnPropertyDescriptor(globalThis, key)),
  ];
  const same = (a: unknown[], b: unknown[]): boolean => {
    let equal = true;
    const walk = (x: unknown, y: unknown): void => {
      if (Array.isArray(x) && Array.isArray(y) && x.length === y.length)
        for (const [index, value] of x.entries()) walk(value, y[index]);
      else if (isDescriptor(x) && isDescriptor(y)) {
        for (const key of ['value', 'get', 'set', 'enumerable', 'configurable', 'writable'] as const)
          equal &&= x[key] === y[key];
      } else equal &&= x === y;
    };
    walk(a, b);
    return equal;
  };
  const isDescriptor = (value: unknown): value is PropertyDescriptor =>
    typeof value === 'object' && value !== null && 'configurable' in value;
  const before = snapshot();

  it.each(allPatches.map((patch) => [patch.name, patch] as const))(
    '%s leaves every descriptor identical',
    (_, patch) => {
      const applied = patch();
      const changed = same(snapshot(), before);
      const again = patch() === applied;
      applied.undo();
      applied.undo();
      expect({ changed, again, after: same(snapshot(), before) }).toEqual({ changed: false, again: true, after: true });
    },
  );

  const orders = [0, 1, 2, 3, 4, 5].flatMap((from) => {
    const order = [0, 1, 2, 3, 4, 5].map((index) => (index * 5 + from) % 6);
    return [
      order,
      [...order].reverse(),
      order.map((index) => (index * 3 + (index > 2 ? 1 : 0)) % 7).map((index) => index % 6),
    ];
  });
  it.each(orders.filter((order) => new Set(order).size === 6).map((order) => [order.join(' '), order] as const))(
    'in the order %s, all six leave every descriptor identical',
    (_, order) => {
      const applied = allPatches.map((patch) => patch());
      for (const index of order) applied[index]?.undo();
      expect(same(snapshot(), before)).toBe(true);
    },
  );

  it('hundreds of times they leave no growth', () => {
    const growth = growthOf(250, () => {
      for (const patch of allPatches.map((apply) => apply())) patch.undo();
    });
    expect(growth < 200_000 ? 'no growth' : growth).toBe('no growth');
    expect({ after: same(snapshot(), before), table: patched() }).toEqual({
      after: true,
      table: { patches: [], places: [] },
    });
  });
});
