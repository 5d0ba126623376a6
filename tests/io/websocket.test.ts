// websocket.test.ts: WebSockets on real connections: both sides of ours, ours against ws, and peers that break the protocol.
import { createHash } from 'node:crypto';
import net from 'node:net';
import {
  BusyError,
  Channel,
  callback,
  forEach,
  GreenletKilledError,
  http,
  hub,
  type Op,
  run,
  type Scope,
  scope,
  sleep,
  spawn,
  TimeoutError,
  timeout,
} from 'tendril';
import { simulate } from 'tendril/testing';
import * as websocket from 'tendril/websocket';
import { describe, expect, it } from 'vitest';
import { WebSocketServer, WebSocket as WsClient } from 'ws';
import { descriptors, descriptorsBackAt } from './descriptors.ts';
import { eventually, RawClient, statuses } from './http-exchanges.ts';
import { failure, host, nothingLeft } from './peers.ts';

type Options = Parameters<typeof websocket.serve>[2];
interface Ground {
  readonly server: http.HttpServer;
  readonly s: Scope;
  readonly port: number;
  readonly url: string;
}

function* echo(socket: websocket.WebSocket): Op<void> {
  for (let message = yield* socket.receive(); message !== null; message = yield* socket.receive())
    yield* socket.send(message);
}

/** Serve `handler` while `body` runs; afterwards nothing may be left. Returns what the hub was told. */
async function served(
  handler: websocket.WebSocketHandler,
  body: (ground: Ground) => Op<unknown>,
  options?: Options,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  const unlink = hub.on('error', (error) => errors.push(error));
  const before = descriptors();
  await run(function* () {
    yield* scope(function* (s) {
      const server = websocket.serve({ host, port: 0 }, handler, { graceMs: 2000, ...options });
      const running = s.spawn(() => server);
      const { port } = yield* server.ready();
      try {
        yield* body({ server, s, port, url: `ws://${host}:${port}/` });
      } finally {
        running.kill();
      }
    });
    http.closeIdle();
    yield* descriptorsBackAt(before);
  });
  unlink();
  nothingLeft();
  return errors;
}

const HANDSHAKE =
  'GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** A client's frame: masked by zeros, which is a mask as any other. */
function frame(opcode: number, payload: Uint8Array | string = '', first = 0x80): Buffer {
  const bytes = Buffer.from(payload as string);
  const length = bytes.length < 126 ? [0x80 | bytes.length] : [0x80 | 126, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([first | opcode, ...length, 0, 0, 0, 0]), bytes]);
}

/** A bare client after its handshake. */
function* raw(port: number, fields = ''): Op<RawClient> {
  const client = new RawClient(port).send(`${HANDSHAKE}${fields}\r\n`);
  yield* client.has('\r\n\r\n');
  client.text = client.text.slice(client.text.indexOf('\r\n\r\n') + 4);
  return client;
}

/** The code of the close frame in what a server has sent. */
function closeCodeIn(text: string): number {
  const at = text.lastIndexOf('\x88');
  return text.charCodeAt(at + 2) * 256 + text.charCodeAt(at + 3);
}

describe('A WebSocket', () => {
  it('sends and receives text and bytes, small and large, in order, and closes with a code and a reason', async () => {
    let seen: unknown;
    await served(
      function* (socket) {
        yield* echo(socket);
        seen = [socket.closeCode, socket.closeReason, socket.closed];
      },
      function* ({ url }) {
        const socket = yield* websocket.connect(url);
        const messages = [
          '',
          'ä',
          'x'.repeat(70_000),
          Buffer.alloc(0),
          Buffer.from([0, 255]),
          Buffer.alloc(3_000_000, 7),
        ];
        const sending = spawn(function* () {
          for (const message of messages) yield* socket.send(message);
        });
        const got: unknown[] = [];
        for (const _ of messages) got.push(yield* socket.receive());
        yield* sending.join();
        expect(got.map((message) => typeof message)).toEqual(messages.map((message) => typeof message));
        expect(
          Buffer.concat(got.map((m) => Buffer.from(m as string))).equals(
            Buffer.concat(messages.map((m) => Buffer.from(m as string))),
          ),
        ).toBe(true);
        yield* socket.close(3001, 'enough');
        expect([socket.closeCode, socket.closeReason, socket.closed]).toEqual([3001, 'enough', true]);
        expect(yield* socket.receive()).toBe(null);
        yield* socket.close();
        expect((yield* failure(socket.send('late'))).code).toBe('ERR_CLOSED');
      },
    );
    expect(seen).toEqual([3001, 'enough', true]);
  });

  it('speaks with a client and a server of ws', () =>
    served(echo, function* ({ url }) {
      const client = new WsClient(url);
      const answer = yield* callback<string>((done) => {
        client.on('open', () => client.send('hello'));
        client.on('message', (data) => done(null, String(data)));
      });
      expect(answer).toBe('hello');
      client.close();
      yield* callback<void>((done) => void client.on('close', () => done(null)));

      const server = new WebSocketServer({ host, port: 0 });
      server.on('connection', (socket) => socket.on('message', (data) => socket.send(`<${data}>`)));
      yield* callback<void>((done) => void server.on('listening', () => done(null)));
      const socket = yield* websocket.connect(`ws://${host}:${(server.address() as net.AddressInfo).port}`);
      yield* socket.send('hello');
      expect(yield* socket.receive()).toBe('<hello>');
      yield* socket.close();
      server.close();
    }));

  it('agrees on a subprotocol, and compresses if both want to', () =>
    served(
      function* (socket) {
        yield* socket.send(socket.protocol);
        yield* echo(socket);
      },
      function* ({ url }) {
        const socket = yield* websocket.connect(url, { protocols: ['c', 'b', 'a'], perMessageDeflate: true });
        expect([socket.protocol, yield* socket.receive()]).toEqual(['a', 'a']);
        yield* socket.send('x'.repeat(1_000_000));
        expect(((yield* socket.receive()) as string).length).toBe(1_000_000);
        yield* socket.close();
        const none = yield* failure(websocket.connect(url, { protocols: ['z'] }));
        expect(none.code).toBe('ERR_WEBSOCKET_HANDSHAKE');
      },
      { protocols: ['a', 'b'], perMessageDeflate: true },
    ));

  it('gives its messages to forEach and to for await', () =>
    served(
      function* (socket) {
        for (const text of ['a', 'b', 'c']) yield* socket.send(text);
      },
      function* ({ url }) {
        const seen: unknown[] = [];
        const socket = yield* websocket.connect(url);
        yield* forEach(socket, function* (message: string | Buffer) {
          seen.push(message);
        });
        expect([seen, socket.closeCode]).toEqual([['a', 'b', 'c'], 1000]);
        const other = yield* websocket.connect(url);
        const first = yield* callback<unknown>((done) => {
          void (async () => {
            for await (const message of other) {
              done(null, message);
              break;
            }
          })();
        });
        expect(first).toBe('a');
        yield* eventually(() => other.closed);
      },
    ));

  it('refuses bad arguments at the call', () => {
    const codes = (make: () => unknown): string => {
      try {
        make();
      } catch (error) {
        return (error as { code: string }).code;
      }
      return 'none';
    };
    expect(
      [
        () => websocket.connect('nowhere'),
        () => websocket.connect('ftp://a'),
        () => websocket.connect('ws://a#b'),
        () => websocket.connect('ws://u:p@a'),
        () => websocket.connect('ws://a', { protocols: ['a b'] }),
        () => websocket.connect('ws://a', { protocols: ['a', 'a'] }),
        () => websocket.connect('ws://a', { maxMessageBytes: 0 }),
        () => websocket.connect('ws://a', { headers: { a: 'b\r\nc' } }),
        () => websocket.serve({ port: 0 }, 5 as never),
        () => websocket.serve({ port: 0 }, echo, { pingMs: -1 }),
      ].map(codes),
    ).toEqual([
      'ERR_INVALID_URL',
      'ERR_INVALID_PROTOCOL',
      'ERR_INVALID_URL',
      'ERR_INVALID_URL',
      'ERR_INVALID_ARG_TYPE',
      'ERR_INVALID_ARG_TYPE',
      'ERR_OUT_OF_RANGE',
      'ERR_INVALID_CHAR',
      'ERR_INVALID_ARG_TYPE',
      'ERR_INVALID_ARG_TYPE',
    ]);
  });

  it('refuses codes and reasons that may not be sent, and what is no message', () =>
    served(echo, function* ({ url }) {
      const socket = yield* websocket.connect(url);
      for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, Number.NaN])
        expect(() => socket.close(code)).toThrow(RangeError);
      expect(() => socket.close(1000, 'x'.repeat(124))).toThrow(RangeError);
      expect(() => socket.send(5 as never)).toThrow(TypeError);
      yield* socket.send('still');
      expect(yield* socket.receive()).toBe('still');
      yield* socket.close();
    }));
});

describe('A handshake', () => {
  it('is refused to what is no WebSocket, to a wrong version, key or subprotocol, and to a page of another host', () =>
    served(echo, function* ({ port, url }) {
      const cases: [string, number][] = [
        ['GET / HTTP/1.1\r\nhost: a\r\n', 426],
        [HANDSHAKE.replace('websocket\r\n', 'other\r\n'), 426],
        [HANDSHAKE.replace('GET', 'POST'), 405],
        [HANDSHAKE.replace('version: 13', 'version: 12'), 426],
        [HANDSHAKE.replace(/key: .*?\r/, 'key: short\r'), 400],
        [HANDSHAKE.replace(/sec-websocket-key: .*?\r\n/, ''), 400],
        [`${HANDSHAKE}sec-websocket-protocol: a,,b\r\n`, 400],
        [`${HANDSHAKE}origin: http://evil.example\r\n`, 403],
        [`${HANDSHAKE}origin: null\r\n`, 403],
        [`${HANDSHAKE}origin: http://a\r\n`, 101],
      ];
      const seen: [string, number | undefined][] = [];
      for (const [text] of cases) {
        const client = new RawClient(port).send(`${text}\r\n`);
        yield* client.has('\r\n\r\n');
        seen.push([text, statuses(client.text)[0]]);
        client.close();
      }
      expect(seen).toEqual(cases);
      const refused = yield* failure(websocket.connect(url, { headers: { origin: 'http://evil.example' } }));
      expect(refused).toMatchObject({ code: 'ERR_WEBSOCKET_HANDSHAKE', status: 403 });
    }));

  it('lets in the origins that it is told to', () =>
    served(
      echo,
      function* ({ url }) {
        const good = yield* websocket.connect(url, { headers: { origin: 'http://good.example' } });
        yield* good.close();
        expect((yield* failure(websocket.connect(url, { headers: { origin: 'http://bad.example' } }))).code).toBe(
          'ERR_WEBSOCKET_HANDSHAKE',
        );
      },
      { origins: (origin) => origin === 'http://good.example' },
    ));

  it('that a server breaks, cuts or never answers ends in an error and leaves nothing', async () => {
    const answers: [string | undefined, string][] = [
      ['HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', 'ERR_WEBSOCKET_HANDSHAKE'],
      [
        'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: wrong\r\n\r\n',
        'ERR_WEBSOCKET_HANDSHAKE',
      ],
      ['garbage\r\n\r\n', 'ERR_WEBSOCKET_HANDSHAKE'],
      ['', 'ERR_WEBSOCKET_HANDSHAKE'],
      [undefined, 'ERR_TIMEOUT'],
    ];
    const before = descriptors();
    await run(function* () {
      for (const [answer, code] of answers) {
        const sockets: net.Socket[] = [];
        const server = net.createServer((socket) => {
          sockets.push(socket.on('error', () => {}));
          socket.once('data', () => {
            if (answer === '') socket.destroy();
            else if (answer !== undefined) socket.write(answer);
          });
        });
        yield* callback<void>((done) => void server.listen(0, host, () => done(null)));
        const url = `ws://${host}:${(server.address() as net.AddressInfo).port}`;
        expect([
          answer,
          (yield* failure(websocket.connect(url, { timeoutMs: answer === undefined ? 300 : 10_000 }))).code,
        ]).toEqual([answer, code]);
        for (const socket of sockets) socket.destroy();
        server.close();
      }
      yield* descriptorsBackAt(before);
    });
    nothingLeft();
  });

  it('that is killed while it connects or shakes hands leaves nothing', async () => {
    await run(function* () {
      const server = net.createServer((socket) => void socket.on('error', () => {}));
      yield* callback<void>((done) => void server.listen(0, host, () => done(null)));
      const url = `ws://${host}:${(server.address() as net.AddressInfo).port}`;
      for (const waitMs of [0, 1, 20]) {
        const connecting = spawn(() => websocket.connect(url));
        yield* sleep(waitMs);
        connecting.kill();
        yield* connecting.join();
        expect(yield* failure(connecting.get())).toBeInstanceOf(GreenletKilledError);
      }
      server.close();
    });
    nothingLeft();
  });
});

describe('A peer of a WebSocket', () => {
  const faults: Readonly<Record<string, [Buffer, number, string]>> = {
    garbage: [Buffer.from('ffffffff', 'hex'), 1002, 'WS_ERR_UNEXPECTED_RSV_2_3'],
    'a frame that is not masked': [Buffer.from([0x81, 1, 0x61]), 1002, 'WS_ERR_EXPECTED_MASK'],
    'an unknown opcode': [frame(3), 1002, 'WS_ERR_INVALID_OPCODE'],
    'a continuation of nothing': [frame(0, 'x'), 1002, 'WS_ERR_INVALID_OPCODE'],
    'a ping in pieces': [frame(9, 'x', 0), 1002, 'WS_ERR_EXPECTED_FIN'],
    'a ping that is too long': [frame(9, 'x'.repeat(126)), 1002, 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH'],
    'a close with half a code': [frame(8, 'x'), 1002, 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH'],
    'a close with a code that may not be sent': [
      frame(8, Buffer.from([0x03, 0xed])),
      1002,
      'WS_ERR_INVALID_CLOSE_CODE',
    ],
    'text that is no UTF-8': [frame(1, Buffer.from([0xc3, 0x28])), 1007, 'WS_ERR_INVALID_UTF8'],
    'a reason that is no UTF-8': [frame(8, Buffer.from([0x03, 0xe8, 0xff])), 1007, 'WS_ERR_INVALID_UTF8'],
    'a message that is too large': [frame(2, Buffer.alloc(1001)), 1009, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'],
    'pieces of a message that is too large': [
      Buffer.concat([frame(2, Buffer.alloc(600), 0), frame(0, Buffer.alloc(600))]),
      1009,
      'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
    ],
  };
  for (const [what, [bytes, closeCode, code]] of Object.entries(faults)) {
    it(`that sends ${what} is told ${closeCode}; what came before is received, then the error, every time`, async () => {
      const seen: unknown[] = [];
      const errors = await served(
        function* (socket) {
          seen.push(yield* socket.receive());
          const error = yield* failure(socket.receive());
          seen.push(
            (yield* failure(socket.receive())) === error,
            error.code,
            (error as websocket.WebSocketError).closeCode,
          );
          throw error;
        },
        function* ({ port }) {
          const client = yield* raw(port);
          client.send(Buffer.concat([frame(1, 'good'), bytes]));
          expect(closeCodeIn(yield* client.rest())).toBe(closeCode);
        },
        { maxMessageBytes: 1000, closeTimeoutMs: 50 },
      );
      expect(seen).toEqual(['good', true, code, closeCode]);
      expect(errors).toEqual([]);
    });
  }

  it('that vanishes: by a reset or an end without a close: an error, not an end', async () => {
    const seen: unknown[] = [];
    const errors = await served(
      function* (socket) {
        try {
          yield* echo(socket);
        } catch (error) {
          seen.push((error as { code: string }).code, socket.closeCode);
          throw error;
        }
      },
      function* ({ port, server }) {
        (yield* raw(port)).socket.resetAndDestroy();
        yield* eventually(() => seen.length === 2 && server.stats.connections === 0);
        (yield* raw(port)).socket.destroy();
        yield* eventually(() => seen.length === 4 && server.stats.connections === 0);
      },
    );
    expect({ seen, errors }).toEqual({ seen: ['ERR_WEBSOCKET_LOST', 1006, 'ERR_WEBSOCKET_LOST', 1006], errors: [] });
  });

  it('that is silent is pinged, and lost when it does not answer; one that answers stays', async () => {
    const seen: unknown[] = [];
    await served(
      function* (socket, request) {
        const error = yield* failure(socket.receive());
        if (request.search === '') seen.push(error.code);
      },
      function* ({ port, url, s }) {
        const silent = yield* raw(port);
        const alive = s.spawn(function* () {
          const socket = yield* websocket.connect(`${url}?alive`);
          yield* failure(timeout(400, socket.receive()));
          const open = !socket.closed;
          socket.terminate();
          return open;
        });
        yield* eventually(() => seen.length > 0);
        expect(seen[0]).toBe('ERR_WEBSOCKET_PING_TIMEOUT');
        expect((yield* silent.rest()).startsWith('\x89')).toBe(true);
        expect(yield* alive.get()).toBe(true);
      },
      { pingMs: 60, pongTimeoutMs: 1000 },
    );
  });

  it('that does not answer a close is waited for no longer than the limit', () =>
    served(
      function* (socket) {
        yield* socket.receive();
        yield* socket.close(1000, 'bye');
        expect([socket.closed, socket.closeCode]).toEqual([true, 1006]);
      },
      function* ({ port, server }) {
        const client = yield* raw(port);
        client.send(frame(1, 'x'));
        expect(closeCodeIn(yield* client.rest())).toBe(1000);
        yield* eventually(() => server.stats.connections === 0);
      },
      { closeTimeoutMs: 60 },
    ));

  it('that floods is slowed when nobody receives, and loses nothing', () =>
    served(
      function* (socket) {
        yield* gate.receive();
        let count = 0;
        for (let message = yield* socket.receive(); message !== null; message = yield* socket.receive()) {
          expect((message as Buffer).readUInt32BE()).toBe(count);
          count += 1;
        }
        yield* gate.send(count);
      },
      function* ({ url, s }) {
        const socket = yield* websocket.connect(url);
        let sent = 0;
        const sending = s.spawn(function* () {
          for (; sent < 3000; sent += 1) {
            const message = Buffer.alloc(16_384);
            message.writeUInt32BE(sent);
            yield* socket.send(message);
          }
        });
        let before = -1;
        while (before !== sent) {
          before = sent;
          yield* sleep(50);
        }
        expect(sent).toBeLessThan(2000);
        expect(socket.bufferedAmount).toBeLessThan(600_000);
        yield* gate.send(0);
        yield* sending.join();
        const closing = s.spawn(() => socket.close());
        expect(yield* gate.receive()).toBe(3000);
        yield* closing.join();
      },
    ));
  const gate = new Channel<number>();
});

describe('A kill, a timeout, a second greenlet', () => {
  it('finds receive waiting: nothing is lost', () =>
    served(echo, function* ({ url, s }) {
      const socket = yield* websocket.connect(url);
      expect(yield* failure(timeout(10, socket.receive()))).toBeInstanceOf(TimeoutError);
      const killed = s.spawn(() => socket.receive());
      yield* sleep(1);
      killed.kill();
      yield* socket.send('one');
      expect(yield* socket.receive()).toBe('one');
      yield* socket.close();
    }));

  it('finds receive taken: BusyError, and the first is not disturbed', () =>
    served(echo, function* ({ url, s }) {
      const socket = yield* websocket.connect(url);
      const first = s.spawn(() => socket.receive());
      yield* sleep(1);
      expect(yield* failure(socket.receive())).toBeInstanceOf(BusyError);
      yield* socket.send('for the first');
      expect(yield* first.get()).toBe('for the first');
      yield* socket.close();
    }));

  it('finds send waiting for room: it was not sent; the connection can be closed at once', () =>
    served(
      function* () {
        yield* sleep(Number.POSITIVE_INFINITY);
      },
      function* ({ url, s, server }) {
        const socket = yield* websocket.connect(url);
        let sent = 0;
        const sending = s.spawn(function* () {
          for (;;) {
            yield* socket.send(Buffer.alloc(65_536));
            sent += 1;
          }
        });
        // Full for good: everything between the two is.
        for (let before = -1, steady = 0; steady < 5; before = sent) {
          yield* sleep(20);
          steady = before === sent && socket.bufferedAmount >= 262_144 ? steady + 1 : 0;
        }
        sending.kill();
        yield* sending.join();
        const waiting = s.spawn(function* () {
          return yield* failure(socket.send('x'));
        });
        yield* sleep(1);
        socket.terminate();
        expect((yield* waiting.get()).code).toBe('ERR_CLOSED');
        expect(socket.closed).toBe(true);
        yield* server.stop({ graceMs: 0 });
      },
    ));

  it('finds close waiting for the peer: the connection is closed all the same', () =>
    served(
      function* () {
        yield* sleep(Number.POSITIVE_INFINITY);
      },
      function* ({ s, server }) {
        const silent = net.createServer((socket) => {
          socket.on('error', () => {});
          socket.once('data', (bytes) => {
            const key = /sec-websocket-key: (\S+)/i.exec(String(bytes))?.[1];
            const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
            socket.write(
              `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
            );
          });
        });
        yield* callback<void>((done) => void silent.listen(0, host, () => done(null)));
        const socket = yield* websocket.connect(`ws://${host}:${(silent.address() as net.AddressInfo).port}`);
        const receiving = s.spawn(function* () {
          return yield* failure(socket.receive());
        });
        const closing = s.spawn(() => socket.close());
        yield* sleep(5);
        closing.kill();
        yield* closing.join();
        expect(socket.closed).toBe(true);
        expect((yield* receiving.get()).code).toBe('ERR_CLOSED');
        yield* server.stop({ graceMs: 0 });
        silent.close();
      },
    ));

  it('finds both sides closing at once: both end well', () =>
    served(
      function* (socket) {
        yield* socket.receive();
        yield* socket.close(3000, 'server');
      },
      function* ({ url }) {
        for (let i = 0; i < 20; i += 1) {
          const socket = yield* websocket.connect(url);
          yield* socket.send('go');
          yield* socket.close(3001, 'client');
          expect([1000, 3000, 3001]).toContain(socket.closeCode);
        }
      },
    ));
});

describe('A server of WebSockets', () => {
  it('closes with 1000 when the handler returns, 1011 when it throws, 1001 when the server stops', async () => {
    const wrong = new Error('wrong');
    const errors = await served(
      function* (socket) {
        const what = yield* socket.receive();
        if (what === 'throw') throw wrong;
        if (what === 'stay') yield* echo(socket);
      },
      function* ({ url, server, s }) {
        const codes: unknown[] = [];
        for (const what of ['return', 'throw']) {
          const socket = yield* websocket.connect(url);
          yield* socket.send(what);
          codes.push(yield* socket.receive(), socket.closeCode);
        }
        const stays = yield* websocket.connect(url);
        yield* stays.send('stay');
        yield* stays.send('echo');
        yield* stays.receive();
        const stopping = s.spawn(() => server.stop({ graceMs: 60_000 }));
        codes.push(yield* stays.receive(), stays.closeCode);
        yield* stopping.join();
        expect(codes).toEqual([null, 1000, null, 1011, null, 1001]);
      },
    );
    expect(errors).toEqual([wrong]);
  });

  it('is one handler among others of http.serve', async () => {
    await run(function* () {
      yield* scope(function* (s) {
        const server = http.serve({ host, port: 0 }, function* (request) {
          if (request.path !== '/ws') return 'a page';
          const socket = websocket.accept(request);
          yield* echo(socket);
          return undefined;
        });
        s.spawn(() => server);
        const { port } = yield* server.ready();
        expect(yield* (yield* http.get(`http://${host}:${port}/`)).text()).toBe('a page');
        const socket = yield* websocket.connect(`ws://${host}:${port}/ws`);
        yield* socket.send('hello');
        expect(yield* socket.receive()).toBe('hello');
        yield* socket.close();
        yield* server.stop();
      });
      http.closeIdle();
    });
    nothingLeft();
  });

  it('works over the simulated network', async () => {
    const { value } = await simulate(
      function* (world) {
        world.net.host('server', {
          *main() {
            yield* websocket.serve({ port: 80 }, echo);
          },
        });
        try {
          const socket = yield* websocket.connect('ws://server/');
          const seen: unknown[] = [];
          for (const text of ['a', 'x'.repeat(100_000)]) {
            yield* socket.send(text);
            seen.push(((yield* socket.receive()) as string).length);
          }
          yield* sleep(100_000);
          yield* socket.close();
          return [...seen, socket.closeCode];
        } finally {
          world.net.host('server').crash();
        }
      },
      { maxMs: 10_000_000 },
    );
    expect(value).toEqual([1, 100_000, 1000]);
  });
});
