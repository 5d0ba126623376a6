// twin-net.test.ts: tendril/patches/net: Node's names and arguments, connections and servers of loopback and of Unix sockets.
import { mkdtempSync, rmSync } from 'node:fs';
import nodeNet from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { all, forEach, hub, type Op, pipe, run, select, sleep, spawn, timeout, yieldNow } from 'tendril';
import * as net from 'tendril/patches/net';
import { simulate } from 'tendril/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { descriptors, descriptorsBackAt } from '../io/descriptors.ts';
import { bareServer, closedPort, failure, happened, nothingLeft } from '../io/peers.ts';
import { stoppedServer } from '../io/stopped-server.ts';

const host = '127.0.0.1';

afterEach(nothingLeft);

function* echo(socket: net.Socket): Op<void> {
  yield* forEach(socket, (chunk) => socket.write(chunk));
}

/** Wait for `condition`, as long as it takes: the test's own limit ends it. */
function* when(condition: () => boolean): Op<void> {
  while (!condition()) yield* sleep(1);
}

const portOf = (server: { address(): net.AddressInfo | string | null }): number =>
  (server.address() as net.AddressInfo).port;

/** A server that listens on a free port, stopped at once afterwards. */
function* serving(
  handler: net.ConnectionHandler,
  body: (port: number, server: net.Server) => Op<unknown>,
  options?: net.ServerOptions,
): Op<void> {
  const server = net.createServer(options, handler);
  yield* server.listen(0, host);
  try {
    yield* body(portOf(server), server);
  } finally {
    server[Symbol.dispose]();
  }
  yield* server.untilClosed();
}

/** What is read from `socket` until its end; then it is destroyed. */
function* rest(socket: net.Socket): Op<string> {
  let text = '';
  yield* forEach(socket, function* (chunk) {
    text += chunk;
  });
  socket.destroy();
  return text;
}

describe('The twin of net', () => {
  it('echoes on real loopback and in a simulation', async () => {
    function* program(): Op<string> {
      let answer = '';
      yield* serving(echo, function* (port) {
        const socket = yield* net.connect(port, host);
        yield* socket.end('hello');
        answer = yield* rest(socket);
      });
      return answer;
    }
    const report = await simulate(program);
    expect([await run(program), report.value]).toEqual(['hello', 'hello']);
  });

  it('passes what does not wait through as it is', () => {
    const { BlockList, isIP, isIPv4, isIPv6, SocketAddress, getDefaultAutoSelectFamily } = net;
    expect({ BlockList, isIP, isIPv4, isIPv6, SocketAddress, getDefaultAutoSelectFamily }).toEqual({
      BlockList: nodeNet.BlockList,
      isIP: nodeNet.isIP,
      isIPv4: nodeNet.isIPv4,
      isIPv6: nodeNet.isIPv6,
      SocketAddress: nodeNet.SocketAddress,
      getDefaultAutoSelectFamily: nodeNet.getDefaultAutoSelectFamily,
    });
    expect([net.createConnection === net.connect, net.Stream === net.Socket]).toEqual([true, true]);
  });
});

describe('net.connect', () => {
  it('takes a port and a host, options, a port as text, and a path', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
    const path = join(folder, 's');
    try {
      const answers = await run(function* () {
        const found: unknown[] = [];
        yield* serving(echo, function* (port) {
          const ways = [
            net.connect(port, host),
            net.connect({ port, host }),
            net.connect(String(port), host),
            net.connect({ port, host, family: 4, keepAlive: true, keepAliveInitialDelay: 1000, noDelay: false }),
            new net.Socket({ allowHalfOpen: true }).connect(port, host),
          ];
          for (const way of ways) {
            const socket = yield* way;
            yield* socket.end('x');
            found.push([yield* rest(socket), socket.remoteAddress, socket.remotePort === port, socket.remoteFamily]);
            socket.destroy();
          }
        });
        const server = yield* net.createServer(echo).listen(path);
        const socket = yield* net.connect(path);
        yield* socket.end('unix');
        found.push([yield* rest(socket), socket.remoteAddress, server.address(), socket.address()]);
        yield* server.close();
        return found;
      });
      const tcp = ['x', host, true, 'IPv4'];
      expect(answers).toEqual([tcp, tcp, tcp, tcp, tcp, ['unix', undefined, path, {}]]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("throws Node's code where it is called, and leaves no descriptor", async () => {
    const before = descriptors();
    const error = await run(function* () {
      const port = yield* closedPort();
      const refused = yield* failure(
        (function* callerOfConnect() {
          yield* net.connect(port, host);
        })(),
      );
      yield* descriptorsBackAt(before);
      return refused;
    });
    expect([error.code, error.stack?.includes('callerOfConnect')]).toEqual(['ECONNREFUSED', true]);
  });

  it.each<[string, () => unknown, string]>([
    ['a bad port', () => net.connect(65_536), 'ERR_SOCKET_BAD_PORT'],
    ['no port', () => net.connect({} as never), 'ERR_SOCKET_BAD_PORT'],
    ['a callback', () => net.connect(1, (() => {}) as never), 'ERR_INVALID_ARG_TYPE'],
    ['an option that it cannot honour', () => net.connect({ port: 1, lookup() {} } as never), 'ERR_INVALID_ARG_VALUE'],
    [
      'a signal',
      () => net.connect({ port: 1, signal: new AbortController().signal } as never),
      'ERR_INVALID_ARG_VALUE',
    ],
    ['a flag that is none', () => net.connect({ port: 1, noDelay: 1 } as never), 'ERR_INVALID_ARG_TYPE'],
    ['options of a socket', () => new net.Socket({ fd: 3 } as never), 'ERR_INVALID_ARG_VALUE'],
    ['no handler', () => net.createServer({} as never, undefined as never), 'ERR_INVALID_ARG_TYPE'],
    ['a listener callback', () => net.createServer(echo).listen(0, (() => {}) as never), 'ERR_INVALID_ARG_TYPE'],
    ['a port to listen on', () => net.createServer(echo).listen(-1), 'ERR_SOCKET_BAD_PORT'],
    ['an option of listen', () => net.createServer(echo).listen({ fd: 3 } as never), 'ERR_INVALID_ARG_VALUE'],
    [
      'an encoding',
      () => (net.Socket.prototype.setTimeout as (ms: unknown) => unknown).call(new net.Socket(), 'x'),
      'ERR_INVALID_ARG_TYPE',
    ],
  ])('refuses %s at the call', (_what, call, code) => {
    expect(call).toThrow(expect.objectContaining({ code }));
  });

  it('names the option that it refuses', () => {
    expect(() => net.connect({ port: 1, localPort: 5 } as never)).toThrow(
      /^connect: the option localPort is not supported/,
    );
  });

  it('ignores options that are not own properties', () => {
    const base = { lookup() {} };
    expect(() => net.connect(Object.create(base, { port: { value: 1, enumerable: true } }))).not.toThrow();
  });

  it('leaves nothing when it is killed or timed out while it waits', async () => {
    const hanging = await stoppedServer();
    try {
      const before = descriptors();
      await run(function* () {
        const greenlet = spawn(() => net.connect(hanging.port, host));
        yield* yieldNow();
        greenlet.kill();
        yield* greenlet.join();
        expect([greenlet.killed, (yield* failure(timeout(20, net.connect(hanging.port, host)))).code]).toEqual([
          true,
          'ERR_TIMEOUT',
        ]);
        expect((yield* failure(net.connect({ port: hanging.port, host, timeout: 20 }))).code).toBe('ERR_TIMEOUT');
        yield* descriptorsBackAt(before);
      });
    } finally {
      await hanging.end();
    }
  });

  it('can be an arm of a select', async () => {
    await run(() =>
      serving(echo, function* (port) {
        const chosen = yield* select({ socket: net.connect(port, host), never: sleep(Number.POSITIVE_INFINITY) });
        expect(chosen.key).toBe('socket');
        (chosen.value as net.Socket).destroy();
      }),
    );
  });
});

describe('net.Socket', () => {
  it('reads lines, counts and pieces, and says when the peer has ended', async () => {
    await run(() =>
      serving(
        function* (socket) {
          yield* socket.end('one\r\ntwo\n\x00\x01\x02rest;tail');
        },
        function* (port) {
          const socket = yield* net.connect({ port, host, allowHalfOpen: true });
          const seen = [
            yield* socket.readLine(),
            yield* socket.readLine(),
            [...(yield* socket.readExactly(3))],
            String(yield* socket.readUntil(';')),
            String(yield* socket.read()),
            yield* socket.read(),
            yield* socket.read(),
            socket.readyState,
          ];
          expect(seen).toEqual(['one', 'two', [0, 1, 2], 'rest', 'tail', null, null, 'writeOnly']);
          yield* socket.end();
          yield* when(() => socket.destroyed);
          expect(socket.readyState).toBe('closed');
          socket.destroy();
        },
      ),
    );
  });

  it('ends its side when the peer has ended, as Node does by default', async () => {
    await run(() =>
      serving(
        function* (socket) {
          yield* socket.end('bye');
          expect(yield* socket.read()).toBe(null);
        },
        function* (port) {
          const socket = yield* net.connect(port, host);
          expect([String(yield* socket.readExactly(3)), yield* socket.read()]).toEqual(['bye', null]);
          yield* when(() => socket.destroyed);
          expect((yield* failure(socket.write('late'))).code).toBe('ERR_CLOSED');
          socket.destroy();
        },
      ),
    );
  });

  it('writes text in an encoding, and refuses one that does not exist', async () => {
    await run(() =>
      serving(echo, function* (port) {
        const socket = yield* net.connect(port, host);
        yield* socket.write('c3bc', 'hex');
        yield* socket.end('ü', 'latin1');
        expect([...(yield* socket.readExactly(3))]).toEqual([0xc3, 0xbc, 0xfc]);
        expect(() => socket.write('x', 'nonsense' as never)).toThrow(
          expect.objectContaining({ code: 'ERR_UNKNOWN_ENCODING' }),
        );
        socket.destroy();
      }),
    );
  });

  it('limits each wait by setTimeout, and stays open', async () => {
    await run(() =>
      serving(echo, function* (port) {
        const socket = yield* net.connect({ port, host, timeout: 60_000 });
        expect(socket.timeout).toBe(60_000);
        expect((yield* failure(socket.setTimeout(5).read())).code).toBe('ERR_TIMEOUT');
        yield* socket.setTimeout(0).write('still');
        expect(String(yield* socket.readExactly(5))).toBe('still');
        socket.destroy();
      }),
    );
  });

  it('tells a reader and a writer that it was destroyed, and a second reader that there is one', async () => {
    await run(() =>
      serving(echo, function* (port) {
        const socket = yield* net.connect(port, host);
        const reader = spawn(() => failure(socket.read()));
        yield* yieldNow();
        const second = yield* failure(socket.read());
        socket.destroy();
        expect([second.code, (yield* reader.get()).code, (yield* failure(socket.write('x'))).code]).toEqual([
          'ERR_BUSY',
          'ERR_CLOSED',
          'ERR_CLOSED',
        ]);
        expect([socket.destroyed, socket.destroy().destroyed, socket.readyState]).toEqual([true, true, 'closed']);
      }),
    );
  });

  it('loses no byte to a read that was killed', async () => {
    await run(() =>
      serving(
        function* (socket) {
          yield* socket.write('half');
          yield* socket.readExactly(1);
          yield* socket.end(' whole\n');
        },
        function* (port) {
          const socket = yield* net.connect(port, host);
          const reader = spawn(() => socket.readLine());
          yield* when(() => socket.readableLength === 4);
          reader.kill();
          yield* reader.join();
          yield* socket.write('!');
          expect(yield* socket.readLine()).toBe('half whole');
          socket.destroy();
        },
      ),
    );
  });

  it('changes noDelay and keepalive of an open connection, and resets it', async () => {
    await run(function* () {
      const bare = nodeNet.createServer();
      const accepted = happened(bare, 'connection');
      const port = yield* bareServer(bare);
      const socket = yield* net.connect(port, host);
      const peer = (yield* accepted) as nodeNet.Socket;
      const reset = happened(peer, 'error');
      socket.setNoDelay().setNoDelay(false).setKeepAlive(true, 1000).setKeepAlive(false);
      socket.resetAndDestroy();
      expect([((yield* reset) as { code: string }).code, socket.destroyed]).toEqual(['ECONNRESET', true]);
      bare.close();
    });
  });

  it('is a byte stream to pipe', async () => {
    await run(() =>
      serving(
        function* (socket) {
          yield* pipe(socket, socket);
        },
        function* (port) {
          const socket = yield* net.connect(port, host);
          yield* socket.end('piped');
          expect(yield* rest(socket)).toBe('piped');
        },
      ),
    );
  });

  it('says so if it is not connected, and is connected once', async () => {
    const socket = new net.Socket();
    expect([socket.pending, socket.readyState, socket.destroyed, socket.address()]).toEqual([
      true,
      'closed',
      false,
      {},
    ]);
    expect(() => socket.read()).toThrow(/not connected: yield\* socket.connect/);
    await run(() =>
      serving(echo, function* (port) {
        expect(yield* socket.connect(port, host)).toBe(socket);
        expect(() => socket.connect(port, host)).toThrow(/was connected before/);
        socket.destroy();
      }),
    );
  });
});

describe('net.Server', () => {
  it('serves many at once, each in a greenlet of its own', async () => {
    await run(() =>
      serving(
        function* (socket) {
          const name = yield* socket.readLine();
          yield* socket.end(`hello ${name}`);
        },
        function* (port) {
          const answers = yield* all(
            Array.from({ length: 50 }, (_, i) =>
              (function* () {
                const socket = yield* net.connect(port, host);
                yield* socket.write(`${i}\n`);
                return yield* rest(socket);
              })(),
            ),
          );
          expect(answers).toEqual(Array.from({ length: 50 }, (_, i) => `hello ${i}`));
        },
      ),
    );
  });

  it('says where it listens, and can listen again when it was closed', async () => {
    await run(function* () {
      const server = net.createServer(echo);
      expect([server.listening, server.address(), (yield* failure(server.close())).code]).toEqual([
        false,
        null,
        'ERR_SERVER_NOT_RUNNING',
      ]);
      for (let i = 0; i < 2; i += 1) {
        expect(yield* server.listen({ port: 0, host, backlog: 5, exclusive: true })).toBe(server);
        expect([server.listening, server.address()]).toEqual([
          true,
          { address: host, family: 'IPv4', port: portOf(server) },
        ]);
        expect((yield* failure(server.listen(0))).code).toBe('ERR_SERVER_ALREADY_LISTEN');
        yield* server.close();
        expect([server.listening, server.address()]).toEqual([false, null]);
      }
    });
  });

  it('tells listen() that it was closed meanwhile, and a second listen() that there is one', async () => {
    await run(function* () {
      const server = net.createServer(echo);
      const listening = spawn(() => failure(server.listen(0, host)));
      const second = spawn(() => failure(server.listen(0, host)));
      const closing = spawn(() => server.close());
      expect([(yield* listening.get()).code, (yield* second.get()).code]).toEqual([
        'ERR_SERVER_CLOSED',
        'ERR_SERVER_ALREADY_LISTEN',
      ]);
      yield* closing.get();
      expect(server.listening).toBe(false);
      yield* server.listen(0, host);
      yield* server.close();
    });
  });

  it('throws EADDRINUSE where it is called, and can try again', async () => {
    await run(() =>
      serving(echo, function* (port) {
        const server = net.createServer(echo);
        const error = yield* failure(
          (function* callerOfListen() {
            yield* server.listen(port, host);
          })(),
        );
        expect([error.code, error.stack?.includes('callerOfListen'), server.listening]).toEqual([
          'EADDRINUSE',
          true,
          false,
        ]);
        yield* server.listen(0, host);
        yield* server.close();
      }),
    );
  });

  it('waits in close() for its handlers, and accepts nobody meanwhile', async () => {
    await run(function* () {
      const server = yield* net.createServer(echo).listen(0, host);
      const port = portOf(server);
      const socket = yield* net.connect(port, host);
      yield* socket.write('x');
      yield* socket.readExactly(1);
      const closing = spawn(() => server.close());
      yield* when(() => !server.listening);
      expect([(yield* failure(net.connect(port, host))).code, closing.state]).toEqual(['ECONNREFUSED', 'parked']);
      expect(yield* server.getConnections()).toBe(1);
      yield* socket.end('last');
      expect(yield* rest(socket)).toBe('last');
      socket.destroy();
      yield* closing.join();
      expect(yield* server.getConnections()).toBe(0);
    });
  });

  it('goes on closing when close() is killed', async () => {
    await run(function* () {
      const server = yield* net.createServer(echo).listen(0, host);
      const socket = yield* net.connect(portOf(server), host);
      yield* socket.write('x');
      yield* socket.readExactly(1);
      expect((yield* failure(timeout(5, server.close()))).code).toBe('ERR_TIMEOUT');
      expect(server.listening).toBe(false);
      yield* socket.end();
      socket.destroy();
      yield* server.untilClosed();
    });
  });

  it('closes those beyond maxConnections', async () => {
    await run(() =>
      serving(echo, function* (port, server) {
        server.maxConnections = 1;
        const first = yield* net.connect(port, host);
        yield* first.write('a');
        yield* first.readExactly(1);
        const second = yield* net.connect(port, host);
        expect(yield* failureOrEnd(second)).toBe(true);
        yield* first.end('still');
        expect(yield* rest(first)).toBe('still');
      }),
    );
  });

  it('closes the connection of a handler that throws, tells the hub once, and serves the others', async () => {
    const errors: unknown[] = [];
    const off = hub.on('error', (error) => void errors.push((error as Error).message));
    await run(() =>
      serving(
        function* (socket) {
          const line = yield* socket.readLine();
          if (line === 'bad') throw new Error('the handler failed');
          yield* socket.end(`fine ${line}`);
        },
        function* (port) {
          const bad = yield* net.connect(port, host);
          yield* bad.write('bad\n');
          yield* failureOrEnd(bad);
          const good = yield* net.connect(port, host);
          yield* good.write('good\n');
          expect(yield* rest(good)).toBe('fine good');
          yield* when(() => errors.length > 0);
        },
      ),
    );
    off();
    expect(errors).toEqual(['the handler failed']);
  });

  it('kills its handlers when it is disposed of, which run their finally', async () => {
    const ended: string[] = [];
    const before = descriptors();
    await run(function* () {
      yield* serving(
        function* (socket) {
          try {
            yield* socket.write('up');
            yield* socket.read();
          } finally {
            ended.push('handler');
          }
        },
        function* (port) {
          const socket = yield* net.connect(port, host);
          yield* socket.readExactly(2);
          spawn(function* () {
            yield* failureOrEnd(socket);
            ended.push('client');
          });
        },
      );
      yield* when(() => ended.length === 2);
      yield* descriptorsBackAt(before);
    });
    expect(ended.sort()).toEqual(['client', 'handler']);
  });

  it('leaves nothing when listen() is killed or timed out', async () => {
    const before = descriptors();
    await run(function* () {
      const server = net.createServer(echo);
      const greenlet = spawn(() => server.listen(0, host));
      greenlet.kill();
      yield* greenlet.join();
      const late = spawn(() => server.listen(0, host));
      yield* yieldNow();
      late.kill();
      yield* late.join();
      if (server.listening) yield* server.close();
      expect(server.listening).toBe(false);
      yield* server.listen(0, host);
      yield* server.close();
      yield* descriptorsBackAt(before);
    });
  });
});

/** True when the peer has closed: by an end or by a reset. */
function* failureOrEnd(socket: net.Socket): Op<boolean> {
  try {
    return (yield* socket.read()) === null;
  } catch (error) {
    return (error as { code: string }).code === 'ECONNRESET';
  } finally {
    socket.destroy();
  }
}
