// stream-server.test.ts: a server as an object, on real loopback and on the simulated network: started, limited, and stopped in stages.
import {
  ClosedError,
  connect,
  current,
  Event,
  GreenletKilledError,
  hub,
  ListenError,
  type Listener,
  listen,
  type Op,
  openHandles,
  Pool,
  run,
  ServerClosedError,
  type Socket,
  StreamServer,
  type StreamServerOptions,
  shield,
  sleep,
  spawn,
  UsageError,
  yieldNow,
} from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { grounds } from './grounds.ts';
import { failure, nothingLeft } from './peers.ts';

const host = '127.0.0.1';
const anywhere = { host, port: 0 };

function* echo(socket: Socket): Op<void> {
  for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) yield* socket.write(chunk);
}

function* forever(): Op<void> {
  yield* sleep(Number.POSITIVE_INFINITY);
}

/** Wait for `condition`, as long as it takes: the test's own limit ends it. */
function* when(condition: () => boolean): Op<void> {
  while (!condition()) yield* sleep(1);
}

type Body = (server: StreamServer) => Op<unknown>;

/** A started server, stopped without any grace afterwards. */
function* serving(handler: (socket: Socket) => Op<unknown>, options: StreamServerOptions, body: Body): Op<void> {
  const server = new StreamServer(anywhere, handler, options);
  yield* server.start();
  try {
    yield* body(server);
  } finally {
    yield* shield(server.stop({ graceMs: 0 }));
  }
  expect([server.state, server.stats.active]).toEqual(['stopped', 0]);
}

/** Connect, say `text`, and return the answer up to the end. */
function* ask(server: StreamServer, text: string): Op<string> {
  const socket = yield* connect(server.address);
  try {
    yield* socket.write(text);
    socket.end();
    let answer = '';
    for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) answer += chunk;
    return answer;
  } finally {
    socket.close();
  }
}

describe.each(grounds)('StreamServer on %s', (_name, play) => {
  it('serves each connection with a handler of its own, from start() to stop()', () =>
    play(function* () {
      const server = new StreamServer(anywhere, echo);
      expect([server.state, server.closed, String(server)]).toEqual(['new', false, 'server, not listening']);
      expect(() => server.address).toThrow(UsageError);
      expect(openHandles().total).toBe(0);
      yield* server.start();
      yield* server.start(); // once more is nothing
      expect([server.state, String(server)]).toEqual(['serving', `server ${server.address}`]);
      const clients = Array.from({ length: 20 }, (_, i) => spawn(ask, server, `hello ${i}`));
      for (const [i, client] of clients.entries()) expect(yield* client.get()).toBe(`hello ${i}`);
      yield* server.stop();
      yield* server.stop();
      expect([server.state, server.closed]).toEqual(['stopped', true]);
      expect(server.stats).toMatchObject({
        accepted: 20,
        dropped: 0,
        acceptErrors: 0,
        overloads: 0,
        active: 0,
        handlerErrors: 0,
      });
      expect((yield* failure(connect(server.address))).code).toBe('ECONNREFUSED');
    }));

  it('takes a listener that is open already, and owns it from then on', () =>
    play(function* () {
      const listener: Listener = yield* listen(anywhere);
      const server = new StreamServer(listener, echo, { name: 'of echoes' });
      expect([String(server), server.address]).toEqual(['server of echoes', listener.address]);
      yield* server.start();
      expect(yield* ask(server, 'hello')).toBe('hello');
      yield* server.stop();
      expect(listener.closed).toBe(true);
    }));

  it('serveForever starts it, and returns when it is stopped or its listener is closed', () =>
    play(function* () {
      const listener: Listener = yield* listen(anywhere);
      for (const [server, end] of [
        [new StreamServer(anywhere, echo), (server: StreamServer) => server.stop()],
        [
          new StreamServer(listener, echo),
          function* () {
            listener.close();
          },
        ],
      ] as const) {
        const waiting = spawn(() => server.serveForever());
        yield* when(() => server.state === 'serving');
        expect(yield* ask(server, 'hello')).toBe('hello');
        yield* end(server);
        yield* waiting.get();
        expect([server.state, server.closed]).toEqual(['stopped', true]);
      }
    }));

  it('stops when serveForever is killed, after the grace of its handlers', () =>
    play(function* () {
      const working = new Event();
      const server = new StreamServer(
        anywhere,
        function* (socket) {
          working.set();
          yield* sleep(100);
          yield* socket.write('in time');
        },
        { graceMs: 60_000 },
      );
      const waiting = spawn(() => server.serveForever());
      yield* when(() => server.state === 'serving');
      const client = spawn(ask, server, '');
      yield* working.wait();
      waiting.kill();
      expect(yield* failure(waiting.get())).toBeInstanceOf(GreenletKilledError);
      expect([server.state, yield* client.get()]).toEqual(['stopped', 'in time']);
    }));

  it('cannot be started again: ServerClosedError says so', () =>
    play(function* () {
      const listener: Listener = yield* listen(anywhere);
      listener.close();
      const stopped = new StreamServer(anywhere, echo);
      yield* stopped.stop();
      for (const server of [new StreamServer(listener, echo), stopped]) {
        const error = yield* failure(server.start());
        expect(error).toBeInstanceOf(ServerClosedError);
        expect([error.code, (yield* failure(server.serveForever())).code]).toEqual([
          'ERR_SERVER_CLOSED',
          'ERR_SERVER_CLOSED',
        ]);
      }
    }));

  it('tells start() when it is stopped meanwhile, and leaves nothing open', () =>
    play(function* () {
      const server = new StreamServer(anywhere, echo);
      const starting = spawn(failure, server.start());
      const second = spawn(failure, server.start());
      yield* yieldNow();
      expect(server.state).toBe('starting');
      yield* server.stop();
      expect((yield* starting.get()).code).toBe('ERR_SERVER_CLOSED');
      expect((yield* second.get()).code).toBe('ERR_SERVER_CLOSED');
      expect([server.state, openHandles().total]).toEqual(['stopped', 0]);
    }));

  it('F15: can be started again after a start that failed or was killed', () =>
    play(function* () {
      const taken: Listener = yield* listen(anywhere);
      const server = new StreamServer({ host, port: taken.address.port }, echo);
      const error = yield* failure(server.start());
      expect(error).toBeInstanceOf(ListenError);
      expect([error.code, server.state]).toEqual(['EADDRINUSE', 'new']);
      const starting = spawn(() => server.start());
      yield* yieldNow();
      starting.kill();
      yield* starting.join();
      expect(server.state).toBe('new');
      taken.close();
      yield* server.start();
      expect(yield* ask(server, 'at last')).toBe('at last');
      yield* server.stop();
    }));

  it('F33: closes, counts and tells of what comes beyond maxConnections, and has room again however a handler ends', () =>
    play(() =>
      serving(
        function* (socket) {
          const line = yield* socket.readLine();
          if (line === 'kill') current().kill();
          yield* yieldNow();
          yield* socket.write(`${line}`);
        },
        { maxConnections: 1 },
        function* (server) {
          const dropped: string[] = [];
          const unlink = server.on('drop', (peer) => dropped.push(String(peer)));
          const expected: string[] = [];
          for (const how of ['return', 'kill', 'leave', 'return']) {
            const served = yield* connect(server.address);
            yield* when(() => server.stats.active === 1);
            const beyond = yield* connect(server.address);
            expect(yield* beyond.read()).toBe(null);
            expected.push(String(beyond.localAddress));
            beyond.close();
            if (how !== 'leave') {
              yield* served.write(`${how}\n`);
              expect((yield* served.read())?.toString() ?? null).toBe(how === 'return' ? 'return' : null);
            }
            served.close();
            yield* when(() => server.stats.active === 0);
          }
          expect(server.stats).toMatchObject({ accepted: 4, dropped: 4 });
          yield* when(() => dropped.length >= 4);
          unlink();
          expect(dropped).toEqual(expected);
        },
      ),
    ));

  it('accepts nothing while `size` handlers run: further connections wait their turn', () =>
    play(function* () {
      let now = 0;
      let most = 0;
      yield* serving(
        function* (socket) {
          now += 1;
          most = Math.max(most, now);
          yield* sleep(3);
          yield* echo(socket);
          now -= 1;
        },
        { size: 3 },
        function* (server) {
          const clients = Array.from({ length: 20 }, (_, i) => spawn(ask, server, `${i}`));
          for (const [i, client] of clients.entries()) expect(yield* client.get()).toBe(`${i}`);
          expect(most).toBe(3);
          expect(server.stats).toMatchObject({ accepted: 20, dropped: 0 });
        },
      );
    }));

  it('accepts nothing while the pool of its handlers is full, and shares it with another server', () =>
    play(function* () {
      const pool = new Pool(2);
      let most = 0;
      function* handler(socket: Socket): Op<void> {
        most = Math.max(most, pool.size - pool.freeCount);
        yield* sleep(2);
        yield* echo(socket);
      }
      yield* serving(handler, { pool }, (one) =>
        serving(handler, { pool }, function* (two) {
          const clients = Array.from({ length: 12 }, (_, i) => spawn(ask, i % 2 === 0 ? one : two, `${i}`));
          for (const [i, client] of clients.entries()) expect(yield* client.get()).toBe(`${i}`);
          yield* when(() => pool.freeCount === 2);
          expect([most, one.stats.accepted, two.stats.accepted]).toEqual([2, 6, 6]);
        }),
      );
    }));

  it('lets go of a connection that waits for a place in the pool when it is stopped', () =>
    play(function* () {
      const pool = new Pool(1);
      const place = yield* pool.spawn(forever);
      yield* serving(echo, { pool }, function* (server) {
        const waiting = yield* connect(server.address);
        yield* when(() => server.stats.active === 1);
        yield* server.stop({ graceMs: 20 });
        expect(yield* waiting.read()).toBe(null);
        waiting.close();
      });
      place.kill();
      yield* pool.join();
      expect(pool.freeCount).toBe(1);
    }));

  it('F36: stop() accepts nothing more, lets handlers finish, lets idle ones go, kills the others, and closes the rest', () =>
    play(function* () {
      const said: string[] = [];
      const began = new Set<string>();
      yield* serving(
        function* (socket) {
          const name = (yield* socket.readLine()) as string;
          began.add(name);
          try {
            if (name === 'idle') yield* socket.readLine();
            if (name === 'quick') yield* sleep(20);
            if (name === 'slow' || name === 'stubborn') yield* forever();
          } finally {
            if (name === 'slow') yield* shield(1000, sleep(5));
            if (name === 'stubborn') yield* shield(Number.POSITIVE_INFINITY, failure(socket.read()));
            said.push(`${name} has cleaned up`);
          }
          yield* socket.write(`${name} is done`);
        },
        {},
        function* (server) {
          const names = ['idle', 'quick', 'slow', 'stubborn'];
          const sockets: Socket[] = [];
          for (const name of names) {
            const socket = yield* connect(server.address);
            yield* socket.write(`${name}\n`);
            sockets.push(socket);
          }
          yield* when(() => began.size === 4);
          const unaccepted = server.address;
          yield* server.stop({ graceMs: 300, killMs: 50 });
          expect((yield* failure(connect(unaccepted))).code).toBe('ECONNREFUSED');
          yield* when(() => server.state === 'stopped');
          const answers: (string | null)[] = [];
          for (const socket of sockets) {
            answers.push((yield* socket.read())?.toString() ?? null);
            socket.close();
          }
          expect(answers).toEqual([null, 'quick is done', null, null]);
          expect(said.sort()).toEqual([
            'idle has cleaned up',
            'quick has cleaned up',
            'slow has cleaned up',
            'stubborn has cleaned up',
          ]);
          expect(server.stats).toMatchObject({ accepted: 4, active: 0, handlerErrors: 0 });
        },
      );
    }));

  it('F36: stop() gives up a handler that does not end, and still counts it', () =>
    play(function* () {
      const release = new Event();
      const server = new StreamServer(anywhere, () => shield(Number.POSITIVE_INFINITY, release.wait()));
      yield* server.start();
      const client = yield* connect(server.address);
      yield* when(() => server.stats.active === 1);
      yield* server.stop({ graceMs: 5, killMs: 5 });
      expect([server.state, server.stats.active, yield* client.read()]).toEqual(['stopping', 1, null]);
      release.set();
      yield* when(() => server.state === 'stopped');
      expect(server.stats.active).toBe(0);
      client.close();
    }));

  it('ends at once what is left if stop() is killed, and by close()', () =>
    play(function* () {
      for (const end of ['kill', 'close']) {
        let began = false;
        let cleaned = false;
        const server = new StreamServer(anywhere, function* () {
          began = true;
          try {
            yield* forever();
          } finally {
            cleaned = true;
          }
        });
        yield* server.start();
        const client = yield* connect(server.address);
        yield* when(() => began);
        if (end === 'kill') {
          const stopping = spawn(() => server.stop({ graceMs: 60_000 }));
          yield* sleep(1);
          stopping.kill();
          yield* stopping.join();
        } else {
          server.close();
          server.close();
        }
        expect(yield* client.read()).toBe(null);
        client.close();
        yield* when(() => server.state === 'stopped');
        expect([cleaned, server.stats.active]).toEqual([true, 0]);
      }
    }));

  it('kills handlers that read before their connections are closed: none of them fails', () =>
    play(function* () {
      for (const end of ['stop is killed', 'close']) {
        const server = new StreamServer(anywhere, function* (socket) {
          for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine())
            yield* socket.write(`${line}\n`);
        });
        yield* server.start();
        const clients: Socket[] = [];
        for (let index = 0; index < 5; index += 1) {
          const client = yield* connect(server.address);
          clients.push(client);
          yield* client.write('whole\nhalf');
          expect(yield* client.readLine()).toBe('whole');
        }
        const stopping = spawn(() => server.stop({ graceMs: 60_000 }));
        if (end === 'close') server.close();
        else yield* sleep(1);
        stopping.kill();
        yield* stopping.join();
        yield* when(() => server.state === 'stopped');
        for (const client of clients) client.close();
        expect(server.stats).toMatchObject({ accepted: 5, active: 0, handlerErrors: 0 });
      }
    }));
});

describe('StreamServer', () => {
  it('F34: closes only the connection of a handler that throws, reports the error once, and goes on', async () => {
    const wrong = new Error('a wrong request');
    const errors: unknown[] = [];
    const unlink = hub.on('error', (error) => errors.push(error));
    await run(() =>
      serving(
        function* (socket) {
          if ((yield* socket.readLine()) === 'wrong') throw wrong;
          yield* socket.write('right');
        },
        {},
        function* (server) {
          const waiting = yield* connect(server.address);
          expect(yield* ask(server, 'wrong\n')).toBe('');
          expect(yield* ask(server, 'good\n')).toBe('right');
          yield* waiting.write('good\n');
          expect(String(yield* waiting.read())).toBe('right');
          waiting.close();
          yield* when(() => server.stats.active === 0);
          expect(server.stats).toMatchObject({ accepted: 3, handlerErrors: 1 });
        },
      ),
    );
    unlink();
    nothingLeft();
    expect(errors).toEqual([wrong]);
  });

  it('F34: a listener of its events that throws stops nobody', async () => {
    const errors: unknown[] = [];
    const unlink = hub.on('error', (error) => errors.push(error));
    const wrong = new Error('a wrong listener');
    await run(() =>
      serving(echo, { maxConnections: 1 }, function* (server) {
        server.on('drop', () => {
          throw wrong;
        });
        const served = yield* connect(server.address);
        yield* when(() => server.stats.active === 1);
        const beyond = yield* connect(server.address);
        expect(yield* beyond.read()).toBe(null);
        beyond.close();
        yield* served.write('hello');
        expect(String(yield* served.read())).toBe('hello');
        served.close();
      }),
    );
    unlink();
    expect(errors).toEqual([wrong]);
  });

  it('leaves the clients that wait to be accepted a ClosedError of nobody: their connections are closed', () =>
    run(function* () {
      const server = new StreamServer(anywhere, forever, { size: 1 });
      yield* server.start();
      const clients = [yield* connect(server.address), yield* connect(server.address)];
      yield* when(() => server.stats.active === 1);
      yield* server.stop({ graceMs: 0 });
      for (const client of clients) {
        const end = yield* failure(
          (function* () {
            if ((yield* client.read()) === null) throw new ClosedError('the end');
          })(),
        );
        expect(['ERR_CLOSED', 'ECONNRESET']).toContain(end.code);
        client.close();
      }
    }).then(nothingLeft));

  it('shares its port with other servers by reusePort, or says with ENOTSUP that this Node cannot', () =>
    run(function* () {
      const options = { reusePort: true };
      const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
      if (major < 22 || (major === 22 && minor < 12)) {
        expect(() => new StreamServer(anywhere, echo, options)).toThrow(
          /ENOTSUP, Node .* has no reusePort: use Node 22.12 or later, or node:cluster$/,
        );
      } else {
        const one = new StreamServer(anywhere, echo, options);
        yield* one.start();
        const two = new StreamServer(one.address, echo, options);
        yield* two.start();
        expect(two.address).toEqual(one.address);
        for (let i = 0; one.stats.accepted === 0 || two.stats.accepted === 0; i += 1)
          expect(yield* ask(one, `${i}`)).toBe(`${i}`);
        yield* one.stop();
        expect(yield* ask(one, 'to the other')).toBe('to the other');
        yield* two.stop();
      }
      expect(() => listen({ path: '/tmp/x' }, options)).toThrow(/ENOTSUP/);
    }).then(nothingLeft));

  it('has no reusePort on a simulated network', async () => {
    const [major = 0] = process.versions.node.split('.').map(Number);
    if (major < 23) return; // refused by its version before, as above
    await simulate(function* () {
      expect((yield* failure(listen(anywhere, { reusePort: true }))).code).toBe('ENOTSUP');
    });
  });

  it('refuses bad arguments when it is made', () => {
    expect(() => new StreamServer(anywhere, undefined as never)).toThrow(TypeError);
    expect(() => new StreamServer(undefined as never, echo)).toThrow(TypeError);
    expect(() => new StreamServer({ port: 65_536 }, echo)).toThrow(RangeError);
    for (const options of [{ size: 0 }, { maxConnections: 1.5 }, { backlog: 0 }]) {
      expect(() => new StreamServer(anywhere, echo, options)).toThrow(RangeError);
    }
    for (const options of [{ pool: 5 }, { graceMs: -1 }, { name: 5 }, { reusePort: 1 }, 5]) {
      expect(() => new StreamServer(anywhere, echo, options as never)).toThrow(TypeError);
    }
    const server = new StreamServer(anywhere, echo);
    expect(() => server.on('error' as 'drop', () => {})).toThrow(/no such event: "error"; there are drop, overload/);
    expect(() => server.on('drop', undefined as never)).toThrow(TypeError);
    expect(() => server.stop({ graceMs: Number.NaN })).toThrow(TypeError);
    expect(() => server.stop(5 as never)).toThrow(TypeError);
  });
});
