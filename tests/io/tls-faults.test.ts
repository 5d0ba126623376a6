// tls-faults.test.ts: what must go wrong safely in TLS: peers that cannot be trusted, are silent, talk nonsense, or cut the connection.
import type net from 'node:net';
import type tls from 'node:tls';
import {
  connect,
  connectTls,
  type Framed,
  framed,
  hub,
  IncompleteReadError,
  isKilled,
  type Listener,
  lengthPrefixedCodec,
  lineCodec,
  listen,
  listenTls,
  type Op,
  type Socket,
  sleep,
  spawn,
  TimeoutError,
  type TlsError,
  timeout,
} from 'tendril';
import { describe, expect, it } from 'vitest';
import { checkTlsClient } from '../../io/tls-options.ts';
import { checkTlsServer } from '../../io/tls-server-options.ts';
import { ca, encryptedKey, type Identity, identity, server } from './certificates.ts';
import { failure, host } from './peers.ts';
import {
  bareClient,
  bareSocket,
  bareUpgrade,
  clean,
  cut,
  refusal,
  refusalAtCall,
  when,
  withTcpServer,
  withTlsServer,
} from './tls-peers.ts';

/** What a client that trusts `ca` makes of a server that is `who`; the server must have heard nothing. */
function refusedServer(who: Identity, options: object = { ca }, to: object = { host }): Promise<void> {
  return clean(function* () {
    yield* withTlsServer(who, function* ({ port, heard, raw }) {
      const error = yield* refusal(
        (function* () {
          const socket = yield* connectTls({ ...to, port }, options);
          yield* socket.write('secret');
        })(),
      );
      seen = error;
      yield* when(() => raw.every((socket) => socket.destroyed));
      expect(Buffer.concat(heard).length).toBe(0);
    });
  });
}
let seen: TlsError | undefined;

/** Run `body` with a TLS listener and what it tells. */
function listening(
  options: object,
  body: (listener: Listener, told: [code: string, peer: number][]) => Op<unknown>,
): Promise<void> {
  return clean(function* () {
    const told: [string, number][] = [];
    const onTlsError = (error: TlsError, peer: { port: number }): void => void told.push([error.code, peer.port]);
    const listener = yield* listenTls({ host, port: 0 }, { ...server, onTlsError, ...options });
    try {
      yield* body(listener, told);
    } finally {
      listener.close();
    }
  });
}

/** Does `listener` still serve an honest client? */
function* serves(listener: Listener): Op<void> {
  const acceptor = spawn(() => listener.accept());
  const client = yield* connectTls(listener.address, { ca });
  const socket = yield* acceptor.get();
  yield* client.write('hello\n');
  expect(yield* socket.readLine()).toBe('hello');
  client.close();
  socket.close();
}

function closed(socket: net.Socket): Op<void> {
  socket.resume();
  return when(() => socket.destroyed);
}

describe('A server that is not to be trusted', () => {
  it('F41: a certificate that has signed itself is refused before anything is sent', async () => {
    await refusedServer(identity('selfsigned'));
    expect(seen).toMatchObject({ name: 'TlsError', code: 'DEPTH_ZERO_SELF_SIGNED_CERT', peer: expect.any(String) });
    expect(seen?.message).toMatch(/^connectTls on socket .* failed: DEPTH_ZERO_SELF_SIGNED_CERT .*give it as \{ca\}$/);
    expect(seen?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('F42: a certificate for another name is refused before anything is sent', async () => {
    await refusedServer(identity('elsewhere'));
    expect(seen).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    await refusedServer(server, { ca, servername: 'elsewhere.test' });
    expect(seen).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    await refusedServer(identity('elsewhere'), { ca, family: 4 }, { host: 'localhost' });
    expect(seen).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it('F43: one that has expired, is not valid yet, or is of an unknown CA is refused before anything is sent', async () => {
    const codes: (string | undefined)[] = [];
    for (const [who, options] of [
      [identity('expired'), { ca }],
      [identity('early'), { ca }],
      [server, {}],
      [server, { ca: identity('selfsigned').cert }],
      // Without the certificate between it and the CA.
      [identity('chained'), { ca }],
    ] as const) {
      await refusedServer(who, options);
      codes.push(seen?.code);
    }
    expect(codes).toEqual([
      'CERT_HAS_EXPIRED',
      'CERT_NOT_YET_VALID',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ]);
  });
});

describe('A peer that is silent', () => {
  it('F45: a server that says nothing in the handshake ends in a TimeoutError, and the connection is closed', () =>
    clean(function* () {
      yield* withTcpServer(
        () => {},
        function* (port, sockets) {
          const before = performance.now();
          const error = yield* failure(connectTls({ host, port }, { ca, handshakeTimeoutMs: 60 }));
          expect(error).toBeInstanceOf(TimeoutError);
          expect(error.message).toContain('the handshake is not over');
          expect(performance.now() - before).toBeGreaterThanOrEqual(59);
          yield* closed(sockets[0] as net.Socket);
        },
      );
      expect(checkTlsClient({}, '').handshakeTimeoutMs).toBe(10_000);
      expect(checkTlsServer(server, '').handshakeTimeoutMs).toBe(10_000);
    }));

  it('F46: clients that are silent, or slow, are closed at the limit, and good ones are served meanwhile', () =>
    listening({ handshakeTimeoutMs: 300 }, function* (listener, told) {
      const { port } = listener.address;
      const silent: net.Socket[] = [];
      for (let i = 0; i < 20; i += 1) silent.push(yield* bareSocket(port));
      const slow = yield* bareSocket(port);
      const hello = Buffer.from('16030100c8010000c40303', 'hex');
      let sent = 0;
      const trickle = setInterval(() => {
        slow.write(hello.subarray(sent % hello.length, (sent % hello.length) + 1));
        sent += 1;
      }, 20);
      yield* serves(listener);
      for (const socket of [...silent, slow]) yield* closed(socket);
      clearInterval(trickle);
      yield* when(() => told.length === 21);
      expect(new Set(told.map(([code]) => code))).toEqual(new Set(['ERR_TLS_HANDSHAKE_TIMEOUT']));
      expect(new Set(told.map(([, peer]) => peer)).size).toBe(21);
      expect(listener.stats.tlsErrors).toBe(21);
      yield* serves(listener);
    }));

  it('F46: beyond maxHandshakes the oldest is given up', () =>
    listening({ maxHandshakes: 3 }, function* (listener, told) {
      const { port } = listener.address;
      const silent: net.Socket[] = [];
      for (let i = 0; i < 5; i += 1) {
        silent.push(yield* bareSocket(port));
        yield* when(() => listener.stats.tlsErrors === Math.max(0, i - 2));
      }
      yield* serves(listener);
      yield* when(() => told.length === 3);
      expect(told.map(([code]) => code)).toEqual(Array(3).fill('ERR_TLS_TOO_MANY_HANDSHAKES'));
      for (const socket of silent.slice(0, 3)) yield* closed(socket);
      expect(silent.slice(3).some((socket) => socket.destroyed)).toBe(false);
      for (const socket of silent) socket.destroy();
      yield* when(() => listener.stats.tlsErrors === 5);
    }));

  it('F46: closing the listener closes the connections whose handshake goes on', () =>
    listening({}, function* (listener) {
      const silent = yield* bareSocket(listener.address.port);
      yield* sleep(5);
      listener.close();
      yield* closed(silent);
    }));
});

describe('A peer that speaks something else', () => {
  it('F48: junk, a plain HTTP request, or an end are one error each, and the server lives', () =>
    listening({}, function* (listener, told) {
      for (const [words, code] of [
        ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', /^ERR_SSL_HTTP_REQUEST$/],
        [Buffer.alloc(4096, 0xff), /^ERR_SSL_/],
        ['\x16\x03\x01\x02\x00 no hello at all'.padEnd(600, '!'), /^ERR_SSL_/],
      ] as const) {
        const before = told.length;
        const client = yield* bareSocket(listener.address.port);
        client.write(words);
        yield* closed(client);
        yield* when(() => told.length > before);
        expect(told.at(-1)?.[0]).toMatch(code);
        yield* serves(listener);
        expect(told.length).toBe(before + 1);
      }
      const leaving = yield* bareSocket(listener.address.port);
      leaving.end();
      yield* closed(leaving);
      yield* when(() => told.length === 4);
      expect(told[3]?.[0]).toBe('ECONNRESET');
      expect(listener.stats.tlsErrors).toBe(4);
      yield* serves(listener);
    }));

  it('F48: what throws in onTlsError goes to the hub', () => {
    const errors: unknown[] = [];
    const unlink = hub.on('error', (error) => errors.push(error));
    const onTlsError = (): void => {
      throw new Error('in onTlsError');
    };
    return listening({ onTlsError }, function* (listener) {
      const client = yield* bareSocket(listener.address.port);
      client.write('junk that is long enough to be looked at\n');
      yield* closed(client);
      yield* when(() => errors.length > 0);
      expect(errors.map(String)).toEqual(['Error: in onTlsError']);
      yield* serves(listener);
    }).finally(unlink);
  });

  it('F48: a server that does not speak TLS is told from one that cannot be trusted', () =>
    clean(function* () {
      yield* withTcpServer(
        (socket) => void socket.end('220 ready\r\n'),
        function* (port) {
          const { code } = yield* refusal(connectTls({ host, port }, { ca }));
          expect(code).toMatch(/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/);
        },
      );
      yield* withTcpServer(
        (socket) => void socket.end(),
        function* (port) {
          expect((yield* refusal(connectTls({ host, port }, { ca }))).code).toBe('ECONNRESET');
        },
      );
    }));

  it('F49: versions without one in common are an error on both ends, and an unknown cipher is one at the call', () =>
    listening({ maxVersion: 'TLSv1.2' }, function* (listener, told) {
      const error = yield* refusal(connectTls(listener.address, { ca, minVersion: 'TLSv1.3' }));
      expect(error.code).toMatch(/^ERR_SSL_(TLSV1_ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL)$/);
      expect(error.message).toContain('see {minVersion, maxVersion}');
      yield* when(() => told.length === 1);
      expect(told[0]?.[0]).toMatch(/^ERR_SSL_/);
      const to = { host, port: 1 };
      expect(refusalAtCall(() => connectTls(to, { ciphers: 'NO-SUCH-CIPHER' })).code).toBe('ERR_SSL_NO_CIPHER_MATCH');
      expect(refusalAtCall(() => listenTls(to, { ...server, ciphers: 'NONE' })).code).toBe('ERR_SSL_NO_CIPHER_MATCH');
      const older = yield* connectTls(listener.address, { ca });
      expect(older.tls?.protocol).toBe('TLSv1.2');
      older.close();
    }));
});

describe('A connection that is cut', () => {
  /** Our client's socket, whose server has sent `words` and then closed TCP without a word of TLS. */
  function cutServer(words: string | Buffer, body: (socket: Socket) => Op<unknown>): Promise<void> {
    return clean(function* () {
      yield* withTlsServer({}, function* ({ port, sockets }) {
        const socket = yield* connectTls({ host, port }, { ca });
        yield* when(() => sockets.length === 1);
        const peer = sockets[0] as tls.TLSSocket;
        // Only the end of TCP, below TLS.
        peer.write(words, () => cut(peer));
        yield* body(socket);
        socket.close();
      });
    });
  }

  it('F50: an end without the farewell of TLS is an end that says so', () =>
    cutServer('all there is', function* (socket) {
      expect(String(yield* socket.readExactly(12))).toBe('all there is');
      expect([yield* socket.read(), socket.truncatable, yield* socket.read()]).toEqual([null, true, null]);
    }));

  it('F50: an end with it does not', () =>
    clean(function* () {
      yield* withTlsServer({}, function* ({ port, sockets }) {
        const socket = yield* connectTls({ host, port }, { ca });
        yield* when(() => sockets.length === 1);
        sockets[0]?.end('all there is');
        expect(String(yield* socket.readExactly(12))).toBe('all there is');
        expect([yield* socket.read(), socket.truncatable]).toEqual([null, false]);
        socket.close();
      });
    }));

  it('F50: whoever reads whole messages gets IncompleteReadError inside of one', async () => {
    const readings: ((socket: Socket) => Op<unknown>)[] = [
      (socket) => socket.readExactly(100),
      (socket) => socket.readLine(),
      (socket) => socket.readUntil(';'),
      (socket) => framed(socket, lineCodec()).receive(),
    ];
    for (const read of readings) {
      await cutServer('half a mess', function* (socket) {
        expect(yield* failure(read(socket))).toBeInstanceOf(IncompleteReadError);
        expect(socket.truncatable).toBe(true);
      });
    }
    await cutServer(Buffer.from([0, 0, 0, 9, 1, 2]), function* (socket) {
      const messages: Framed<Buffer> = framed(socket, lengthPrefixedCodec());
      expect(yield* failure(messages.receive())).toBeInstanceOf(IncompleteReadError);
    });
  });

  it('F50: a server is told of it as well', () =>
    listening({}, function* (listener) {
      for (const farewell of [true, false]) {
        const client = yield* bareClient(listener.address.port);
        const socket = yield* listener.accept();
        if (farewell) client.end('done\n');
        else client.write('done\n', () => cut(client));
        expect(yield* socket.readLine()).toBe('done');
        expect([yield* socket.read(), socket.truncatable]).toEqual([null, !farewell]);
        socket.close();
        client.destroy();
      }
    }));

  it('F50: our own close says farewell', () =>
    listening({}, function* (listener) {
      for (const closing of [
        (socket: Socket) => socket.close(),
        (socket: Socket) => socket.end(),
        (socket: Socket) => spawn(() => socket.closeGracefully()).link(() => {}),
      ]) {
        const acceptor = spawn(() => listener.accept());
        const client = yield* connectTls(listener.address, { ca });
        const socket = yield* acceptor.get();
        yield* client.write('bye\n');
        closing(client);
        expect(yield* socket.readLine()).toBe('bye');
        expect([yield* socket.read(), socket.truncatable]).toEqual([null, false]);
        socket.close();
        client.close();
      }
    }));

  it('F50: bytes that were changed on their way break the connection, and are not delivered', () =>
    clean(function* () {
      const listener = yield* listenTls({ host, port: 0 }, server);
      const between = yield* listen({ host, port: 0 });
      let meddle = false;
      const relay = spawn(function* () {
        const near = yield* between.accept();
        const far = yield* connect(listener.address);
        const back = spawn(function* () {
          for (let chunk = yield* far.read(); chunk !== null; chunk = yield* far.read()) yield* near.write(chunk);
          near.end();
        });
        back.link(() => {});
        try {
          for (let chunk = yield* near.read(); chunk !== null; chunk = yield* near.read()) {
            if (meddle) chunk.writeUInt8(chunk.readUInt8(chunk.length - 1) ^ 1, chunk.length - 1);
            yield* far.write(chunk);
          }
        } finally {
          near.close();
          far.close();
        }
      });
      relay.link(() => {});
      const acceptor = spawn(() => listener.accept());
      const client = yield* connectTls(between.address, { ca });
      const socket = yield* acceptor.get();
      yield* client.write('as it is\n');
      expect(yield* socket.readLine()).toBe('as it is');
      meddle = true;
      yield* client.write('pay 10\n');
      const error = yield* failure(socket.readLine());
      expect(error).toMatchObject({ name: 'TlsError', code: expect.stringMatching(/^ERR_SSL_.*MAC/) });
      socket.close();
      client.close();
      relay.kill();
      yield* relay.join();
      between.close();
      listener.close();
    }));
});

describe('Giving up', () => {
  /** Start `body`, wait until it waits and `ready` holds, kill it, and say how it ended. */
  function* killed(body: () => Op<unknown>, ready: () => boolean): Op<unknown> {
    let thrown: unknown;
    const victim = spawn(function* () {
      try {
        yield* body();
      } catch (error) {
        thrown = error;
        throw error;
      }
    });
    yield* when(() => victim.state === 'parked' && ready());
    victim.kill();
    yield* victim.join();
    return thrown;
  }

  it('F52: a kill in the handshake closes the TCP connection, on either end', () =>
    clean(function* () {
      yield* withTcpServer(
        (socket) => void socket.resume(),
        function* (port, sockets) {
          const thrown = yield* killed(
            () => connectTls({ host, port }, { ca }),
            () => sockets.length === 1 && (sockets[0]?.bytesRead ?? 0) > 0,
          );
          expect(isKilled(thrown)).toBe(true);
          yield* closed(sockets[0] as net.Socket);
        },
      );
      const listener = yield* listen({ host, port: 0 });
      const silent = yield* bareSocket(listener.address.port);
      const socket = yield* listener.accept();
      const thrown = yield* killed(
        () => socket.startTls({ server: true, ...server }),
        () => true,
      );
      expect([isKilled(thrown), socket.closed]).toEqual([true, true]);
      yield* closed(silent);
      listener.close();
    }));

  it('F52: a timeout around the handshake does so too', () =>
    clean(function* () {
      yield* withTcpServer(
        (socket) => void socket.resume(),
        function* (port, sockets) {
          expect(yield* failure(timeout(30, connectTls({ host, port }, { ca })))).toBeInstanceOf(TimeoutError);
          yield* when(() => sockets.length === 1);
          yield* closed(sockets[0] as net.Socket);
        },
      );
    }));

  it('F52: a kill while a connection closes with care closes it at once', () =>
    listening({}, function* (listener) {
      const client = yield* bareUpgrade(yield* bareSocket(listener.address.port, true));
      const socket = yield* listener.accept();
      const thrown = yield* killed(
        () => socket.closeGracefully({ lingerMs: 100_000 }),
        () => true,
      );
      expect([isKilled(thrown), socket.closed]).toEqual([true, true]);
      client.destroy();
    }));

  it('F52: a kill as soon as the handshake is over leaves the connection to nobody', () =>
    listening({}, function* (listener) {
      for (let turns = 0; turns < 12; turns += 1) {
        const victim = spawn(() => connectTls(listener.address, { ca }));
        victim.link(() => {});
        for (let i = 0; i < turns; i += 1) yield* sleep(0);
        victim.kill();
        yield* victim.join();
        if (victim.outcome?.ok) victim.outcome.value.close();
      }
    }));
});

describe('A server whose own papers are not in order', () => {
  it('F54: a key of another certificate, text that is no PEM, or a wrong passphrase are errors of listenTls', () => {
    const codes = [
      { key: identity('alpha').key, cert: server.cert },
      { key: server.key, cert: 'no certificate' },
      { key: 'no key', cert: server.cert },
      { ...server, ca: 'no certificate' },
      { ...server, key: encryptedKey },
      { ...server, key: encryptedKey, passphrase: 'wrong' },
      { ...server, sni: { a: { key: server.key, cert: identity('alpha').cert } } },
    ].map((options) => refusalAtCall(() => listenTls({ host, port: 0 }, options)).code);
    expect(codes).toEqual([
      'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
      'ERR_OSSL_PEM_NO_START_LINE',
      expect.stringMatching(/^ERR_OSSL_(UNSUPPORTED|PEM_NO_START_LINE)$/),
      'ERR_OSSL_PEM_NO_START_LINE',
      expect.stringMatching(/^ERR_(MISSING_PASSPHRASE|OSSL_.*)$/),
      expect.stringMatching(/^ERR_OSSL_/),
      'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
    ]);
    expect(refusalAtCall(() => connectTls({ host, port: 1 }, { ca: 'no certificate' })).message).toMatch(
      /^connectTls: reading its options failed: ERR_OSSL_PEM_NO_START_LINE .*-----BEGIN$/,
    );
  });
});

describe('A peer that does not read', () => {
  it('F55: holds the writer, whose buffers stay small, and gets every byte when it reads', () =>
    listening({}, function* (listener) {
      const client = yield* bareClient(listener.address.port);
      client.pause();
      const socket = yield* listener.accept();
      const PIECE = 65_536;
      const PIECES = 160;
      let written = 0;
      let most = 0;
      const writer = spawn(function* () {
        for (; written < PIECES; written += 1) {
          yield* socket.write(Buffer.alloc(PIECE, written));
          most = Math.max(most, socket.unsent);
        }
        socket.end();
      });
      // Until for some turns nothing has left.
      for (let quiet = 0, before = -1; quiet < 20; before = written) {
        yield* sleep(1);
        quiet = writer.state === 'parked' && before === written ? quiet + 1 : 0;
      }
      expect(written).toBeLessThan(PIECES);
      let size = 0;
      client.on('data', (chunk: Buffer) => {
        for (const byte of [chunk[0], chunk.at(-1)]) expect(byte).toBeDefined();
        size += chunk.length;
      });
      client.resume();
      yield* when(() => client.readableEnded);
      yield* writer.get();
      expect(size).toBe(PIECES * PIECE);
      expect(most).toBeLessThanOrEqual(2 * PIECE);
      socket.close();
    }));
});

describe('STARTTLS', () => {
  it('plain text that was slipped in behind the command is never read as if it had come through TLS', () =>
    clean(function* () {
      const listener = yield* listen({ host, port: 0 });
      for (const words of ['STARTTLS\r\nMAIL FROM:<mallory>\r\n', 'STARTTLS\r\nx']) {
        const client = yield* bareSocket(listener.address.port);
        const socket = yield* listener.accept();
        client.write(words);
        expect(yield* socket.readLine()).toBe('STARTTLS');
        yield* when(() => socket.buffered > 0);
        yield* socket.write('220 go ahead\r\n');
        const upgrading = spawn(() => socket.startTls({ server: true, ...server, handshakeTimeoutMs: 5_000 }));
        upgrading.link(() => {});
        // The honest part of the client goes on.
        yield* when(() => client.bytesRead > 0);
        const honest = spawn(() => bareUpgrade(client));
        honest.link(() => {});
        const error = yield* refusal(upgrading.get());
        expect(error.code).toMatch(/^ERR_SSL_/);
        expect(socket.closed).toBe(true);
        expect(yield* failure(honest.get())).toBeInstanceOf(Error);
        client.destroy();
      }
      listener.close();
    }));

  it('plain text that a server has added behind its consent breaks the handshake of the client', () =>
    clean(function* () {
      yield* withTcpServer(
        (socket) => void socket.write('220 go ahead\r\n250 you are mallory\r\n'),
        function* (port) {
          const socket = yield* connect({ host, port });
          expect(yield* socket.readLine()).toBe('220 go ahead');
          expect((yield* refusal(socket.startTls({ ca }))).code).toMatch(/^ERR_SSL_/);
          expect(socket.closed).toBe(true);
        },
      );
    }));
});
