// serve.test.ts: serving connections: handlers that end, throw, hang and are killed; limits; stopping.
import net from 'node:net';
import {
  connect,
  current,
  type Greenlet,
  GreenletKilledError,
  hub,
  type Listener,
  listen,
  type Op,
  openHandles,
  run,
  type ServeOptions,
  type Socket,
  serve,
  shield,
  sleep,
  spawn,
  timeout,
  yieldNow,
} from 'tendril';
import { describe, expect, it } from 'vitest';
import { failure, happened, host, nothingLeft } from './peers.ts';

type Handler = (socket: Socket) => Op<unknown>;

function* echo(socket: Socket) {
  for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) yield* socket.write(chunk);
}

function* forever() {
  yield* sleep(Number.POSITIVE_INFINITY);
}

/** Serve `handler` while `body` runs, then stop and check that nothing is left; the errors that went to the hub are returned. */
async function serving(
  handler: Handler,
  body: (listener: Listener, server: Greenlet<void>) => Op<void>,
  options?: ServeOptions,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  const unlink = hub.on('error', (error) => errors.push(error));
  await run(function* () {
    const listener = yield* listen({ host, port: 0 });
    const server = spawn(() => serve(listener, handler, options));
    try {
      yield* body(listener, server);
    } finally {
      listener.close();
      server.kill();
      yield* server.join();
    }
    expect(listener.stats.active).toBe(0);
  });
  unlink();
  nothingLeft();
  return errors;
}

function dial(listener: Listener): net.Socket {
  return net.connect({ host, port: listener.address.port }).on('error', () => {});
}

/** Connect, ask, and return the answer up to the end. */
function* ask(listener: Listener, text: string) {
  const socket = yield* connect(listener.address);
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

describe('serve', () => {
  it('runs the handler for each connection, many at a time', () =>
    serving(echo, function* (listener) {
      const clients = Array.from({ length: 50 }, (_, i) => spawn(ask, listener, `hello ${i}`));
      const answers: string[] = [];
      for (const client of clients) answers.push(yield* client.get());
      expect(answers).toEqual(clients.map((_, i) => `hello ${i}`));
      expect(listener.stats).toMatchObject({ accepted: 50, dropped: 0, handlerErrors: 0 });
    }));

  it('sends what a handler wrote before it returned, however much, and closes', () =>
    serving(
      function* (socket) {
        yield* socket.write(Buffer.alloc(5_000_000, 'x'));
        yield* socket.write('the end');
      },
      function* (listener) {
        expect((yield* ask(listener, '')).length).toBe(5_000_007);
      },
    ));

  it('F34: closes only the connection of a handler that throws, reports the error once and goes on', async () => {
    const wrong = new Error('a wrong request');
    const errors = await serving(
      function* (socket) {
        if ((yield* socket.readLine()) === 'wrong') throw wrong;
        yield* socket.write('right');
      },
      function* (listener) {
        const waiting = yield* connect(listener.address);
        expect(yield* ask(listener, 'wrong\n')).toBe('');
        expect(yield* ask(listener, 'good\n')).toBe('right');
        yield* waiting.write('good\n');
        expect(String(yield* waiting.read())).toBe('right');
        waiting.close();
        expect(listener.stats).toMatchObject({ accepted: 3, handlerErrors: 1 });
      },
    );
    expect(errors).toEqual([wrong]);
  });

  it('goes on after a handler that throws a Killed of another greenlet', async () => {
    let stale: unknown;
    const errors = await serving(
      function* (socket) {
        if ((yield* socket.readLine()) === 'stale') throw stale;
        yield* socket.write('right');
      },
      function* (listener, server) {
        const other = spawn(function* () {
          stale = yield* failure(forever());
        });
        yield* sleep(0);
        other.kill();
        yield* other.join();
        expect(yield* ask(listener, 'stale\n')).toBe('');
        expect(yield* ask(listener, 'good\n')).toBe('right');
        expect(server.outcome).toBeUndefined();
      },
    );
    expect(errors).toEqual([stale]);
  });

  it('names a handler that is no generator function', async () => {
    const errors = await serving((() => {}) as never, function* (listener) {
      expect(yield* ask(listener, '')).toBe('');
    });
    expect(errors).toHaveLength(1);
    expect(String(errors[0])).toMatch(/TypeError.*no Op/);
  });

  it('counts a connection that its peer reset, and does not report it', async () => {
    const errors = await serving(echo, function* (listener) {
      const peer = dial(listener);
      yield* happened(peer, 'connect');
      while (listener.stats.active === 0) yield* sleep(1);
      peer.resetAndDestroy();
      while (listener.stats.active > 0) yield* sleep(1);
      expect(listener.stats.handlerErrors).toBe(1);
    });
    expect(errors).toEqual([]);
  });

  it('F33: closes and counts what comes beyond maxConnections, and frees the slot however a handler ends', () =>
    serving(
      function* (socket) {
        const line = yield* socket.readLine();
        if (line === 'kill') current().kill();
        if (line === 'hang') yield* forever();
        yield* yieldNow();
        yield* socket.write(`${line}`);
      },
      function* (listener) {
        for (const how of ['return', 'kill', 'reset', 'return']) {
          const served = yield* connect(listener.address);
          while (listener.stats.active === 0) yield* sleep(1);
          const dropped = yield* connect(listener.address);
          expect(yield* timeout(1000, dropped.read())).toBe(null);
          dropped.close();
          if (how === 'reset') served.close();
          else {
            yield* served.write(`${how}\n`);
            expect((yield* served.read())?.toString() ?? null).toBe(how === 'return' ? 'return' : null);
            served.close();
          }
          while (listener.stats.active > 0) yield* sleep(1);
        }
        expect(listener.stats).toMatchObject({ accepted: 4, dropped: 4 });
      },
      { maxConnections: 1 },
    ).then((errors) => expect(errors).toEqual([])));

  it("lets what comes beyond maxConnections wait with overflow: 'wait'", () => {
    let most = 0;
    let now = 0;
    return serving(
      function* (socket) {
        now += 1;
        most = Math.max(most, now);
        yield* sleep(3);
        yield* echo(socket);
        now -= 1;
      },
      function* (listener) {
        const clients = Array.from({ length: 20 }, (_, i) => spawn(ask, listener, `${i}`));
        for (const [i, client] of clients.entries()) expect(yield* client.get()).toBe(`${i}`);
        expect(most).toBe(3);
        expect(listener.stats).toMatchObject({ accepted: 20, dropped: 0 });
      },
      { maxConnections: 3, overflow: 'wait' },
    );
  });

  it('returns when the listener is closed and the last handler has ended', () =>
    serving(echo, function* (listener, server) {
      const client = yield* connect(listener.address);
      yield* client.write('x');
      expect(String(yield* client.read())).toBe('x');
      listener.close();
      yield* sleep(2);
      expect(server.state).toBe('parked');
      yield* client.write('y');
      expect(String(yield* client.read())).toBe('y');
      client.close();
      yield* server.get();
    }));

  it('F36: stops accepting when it is killed, lets handlers finish within their grace, and ends', () =>
    serving(
      function* (socket) {
        yield* socket.readLine();
        yield* sleep(20);
        yield* socket.write('done in time');
      },
      function* (listener, server) {
        const client = yield* connect(listener.address);
        yield* client.write('go\n');
        while (listener.stats.active === 0) yield* sleep(1);
        server.kill();
        yield* yieldNow();
        expect(listener.closed).toBe(true);
        expect((yield* failure(connect(listener.address))).name).toBe('ConnectError');
        expect(String(yield* client.readExactly(12))).toBe('done in time');
        client.close();
        expect(yield* failure(server.get())).toBeInstanceOf(GreenletKilledError);
      },
      { graceMs: 2000 },
    ));

  it('F36: kills handlers at the end of their grace; their finally blocks run and their connections close', () => {
    const ends: string[] = [];
    return serving(
      function* () {
        try {
          yield* forever();
        } finally {
          yield* shield(100, sleep(1));
          ends.push('cleaned up');
        }
      },
      function* (listener, server) {
        const client = yield* connect(listener.address);
        while (listener.stats.active === 0) yield* sleep(1);
        server.kill();
        expect(yield* timeout(2000, client.read())).toBe(null);
        client.close();
        yield* server.join();
        expect(ends).toEqual(['cleaned up']);
      },
      { graceMs: 10 },
    );
  });

  it('closes the connection of a handler that is killed before it has run', () =>
    serving(
      echo,
      function* (listener, server) {
        const peer = dial(listener);
        yield* happened(peer, 'connect');
        while (listener.stats.accepted === 0) yield* sleep(0);
        server.kill();
        yield* server.join();
        peer.destroy();
      },
      { graceMs: 0 },
    ));

  it('throws TypeError or RangeError at the call for bad arguments', () =>
    run(function* () {
      const listener = yield* listen({ host, port: 0 });
      expect(() => serve({} as never, echo)).toThrow(TypeError);
      expect(() => serve(listener, undefined as never)).toThrow(TypeError);
      for (const options of [{ maxConnections: 0 }, { maxConnections: 1.5 }]) {
        expect(() => serve(listener, echo, options)).toThrow(RangeError);
      }
      for (const options of [{ graceMs: -1 }, { overflow: 'queue' }, 5]) {
        expect(() => serve(listener, echo, options as never)).toThrow(TypeError);
      }
      listener.close();
    }).then(nothingLeft));

  it(
    'serves a burst of connections with none stuck',
    () =>
      serving(echo, function* (listener) {
        const clients = Array.from({ length: 600 }, (_, i) => spawn(ask, listener, `burst ${i}`));
        let answered = 0;
        for (const client of clients) if ((yield* client.get()).startsWith('burst')) answered += 1;
        expect(answered).toBe(600);
        expect(openHandles().counts.listener).toBe(1);
      }),
    20_000,
  );
});
