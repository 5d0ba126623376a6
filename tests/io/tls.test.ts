// tls.test.ts: connections in TLS: what is agreed on, names, certificates of clients, STARTTLS, and what is refused at the call.
import {
  BusyError,
  ClosedError,
  ConnectionResetError,
  connect,
  connectTls,
  fromDuplex,
  hub,
  type Listener,
  listen,
  listenTls,
  memoryPair,
  type Op,
  run,
  type Socket,
  serve,
  sleep,
  spawn,
  TlsError,
  type TlsIdentity,
  toDuplex,
} from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { ca, encryptedKey, identity, server } from './certificates.ts';
import { failure, host, nothingLeft } from './peers.ts';
import { clean, refusal, when, withTlsServer } from './tls-peers.ts';

/** Run `body` with a TLS listener. */
function listening(options: object, body: (listener: Listener) => Op<unknown>): Promise<void> {
  return clean(function* () {
    const listener = yield* listenTls({ host, port: 0 }, { ...server, ...options });
    try {
      yield* body(listener);
    } finally {
      listener.close();
    }
  });
}

/** Both ends of a connection to `listener`. */
function* pairAt(listener: Listener, options: object = {}): Op<{ client: Socket; accepted: Socket }> {
  const acceptor = spawn(() => listener.accept());
  const client = yield* connectTls(listener.address, { ca, ...options });
  return { client, accepted: yield* acceptor.get() };
}

function* talk(one: Socket, other: Socket): Op<void> {
  yield* one.write('ping\n');
  expect(yield* other.readLine()).toBe('ping');
  yield* other.write('pong\n');
  expect(yield* one.readLine()).toBe('pong');
}

describe('connectTls and listenTls', () => {
  it('give connections that are verified, and say what was agreed on', () =>
    listening({}, function* (listener) {
      const { client, accepted } = yield* pairAt(listener);
      yield* talk(client, accepted);
      expect(client.tls).toMatchObject({
        protocol: 'TLSv1.3',
        cipher: expect.stringMatching(/^TLS_/),
        alpn: undefined,
        servername: undefined,
        authorized: true,
        authorizationError: undefined,
        sessionReused: false,
      });
      expect(accepted.tls).toMatchObject({ protocol: 'TLSv1.3', authorized: false, authorizationError: undefined });
      expect(client.tls?.peerCertificate?.subject).toBe('CN=server');
      expect(String(client.remoteAddress)).toBe(String(listener.address));
      client.close();
      accepted.close();
      expect(client.tls?.protocol).toBe('TLSv1.3');
      expect(listener.stats).toMatchObject({ accepted: 1, tlsErrors: 0 });
    }));

  it('ask for the name that was connected to, and verify it', () =>
    listening({}, function* (listener) {
      const acceptor = spawn(() => listener.accept());
      const client = yield* connectTls({ host: 'localhost', port: listener.address.port }, { ca, family: 4 });
      const accepted = yield* acceptor.get();
      expect([client.tls?.servername, accepted.tls?.servername]).toEqual(['localhost', 'localhost']);
      client.close();
      accepted.close();
    }));

  it('agree on the first protocol of the server that the client speaks', () =>
    listening({ alpn: ['h2', 'http/1.1'] }, function* (listener) {
      const { client, accepted } = yield* pairAt(listener, { alpn: ['http/1.1', 'smtp'] });
      expect([client.tls?.alpn, accepted.tls?.alpn]).toEqual(['http/1.1', 'http/1.1']);
      client.close();
      accepted.close();
      const refused = yield* refusal(connectTls(listener.address, { ca, alpn: ['smtp'] }));
      expect(refused.code).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
      yield* when(() => listener.stats.tlsErrors === 1);
    }));

  it('shorten the handshake with the session of an earlier connection, and verify the name all the same', () =>
    listening({}, function* (listener) {
      const { client, accepted } = yield* pairAt(listener);
      yield* talk(accepted, client);
      yield* when(() => client.tls?.session !== undefined);
      const session = client.tls?.session;
      client.close();
      accepted.close();
      const again = yield* pairAt(listener, { session });
      expect(again.client.tls).toMatchObject({ sessionReused: true, authorized: true });
      yield* talk(again.client, again.accepted);
      again.client.close();
      again.accepted.close();
      // In a shortened handshake no certificate is shown: a session of another name, or of unknown origin, must not stand in for one.
      const copied = yield* pairAt(listener, { session: Buffer.from(session ?? '') });
      expect(copied.client.tls).toMatchObject({ sessionReused: false, authorized: true });
      copied.client.close();
      copied.accepted.close();
      const elsewhere = yield* refusal(connectTls(listener.address, { ca, session, servername: 'elsewhere.test' }));
      expect(elsewhere.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    }));

  it('do not verify with {insecure: true}, say so, and warn the process once', () =>
    clean(function* () {
      const warnings: (string | undefined)[] = [];
      const listen = (warning: Error & { code?: string }): void => void warnings.push(warning.code);
      process.on('warning', listen);
      yield* withTlsServer(identity('selfsigned'), function* ({ port }) {
        for (let i = 0; i < 2; i += 1) {
          const socket = yield* connectTls({ host, port }, { insecure: true });
          expect(socket.tls).toMatchObject({
            authorized: false,
            authorizationError: 'DEPTH_ZERO_SELF_SIGNED_CERT',
          });
          socket.close();
        }
      });
      yield* when(() => warnings.length > 0);
      process.off('warning', listen);
      expect(warnings).toEqual(['TENDRIL_TLS_INSECURE']);
    }));

  it('verify although the environment says not to', () =>
    clean(function* () {
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
      try {
        yield* withTlsServer(identity('selfsigned'), function* ({ port }) {
          expect((yield* refusal(connectTls({ host, port }))).code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
        });
      } finally {
        delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      }
    }));

  it('take an encrypted key with its passphrase, and a chain', () =>
    listening({ key: encryptedKey, passphrase: 'secret' }, function* (listener) {
      const { client, accepted } = yield* pairAt(listener);
      client.close();
      accepted.close();
      yield* withTlsServer(identity('chained', 'chain'), function* ({ port }) {
        (yield* connectTls({ host, port }, { ca })).close();
      });
    }));

  it('serve connections whose handshake is over', () =>
    listening({}, function* (listener) {
      const serving = spawn(() =>
        serve(listener, function* (socket) {
          for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine())
            yield* socket.write(`${line}!\n`);
        }),
      );
      for (let i = 0; i < 3; i += 1) {
        const socket = yield* connectTls(listener.address, { ca });
        yield* socket.write(`hello ${i}\n`);
        expect(yield* socket.readLine()).toBe(`hello ${i}!`);
        yield* socket.closeGracefully();
        expect(socket.truncatable).toBe(false);
      }
      listener.close();
      yield* serving.join();
    }));
});

describe('serve over TLS', () => {
  it('counts, and does not report, what a peer brings about', () => {
    const told: unknown[] = [];
    const unlink = hub.on('error', (error) => told.push(error));
    return clean(function* () {
      const listener = yield* listen({ host, port: 0 });
      const serving = spawn(() => serve(listener, (socket) => socket.startTls({ server: true, ...server })));
      const client = yield* connect(listener.address);
      yield* client.write('this is no beginning of TLS, and never will be one\n');
      yield* when(() => listener.stats.handlerErrors === 1);
      client.close();
      listener.close();
      yield* serving.join();
      expect([listener.stats.handlerErrors, told]).toEqual([1, []]);
    }).finally(unlink);
  });
});

describe('Certificates by name', () => {
  const alpha = identity('alpha');
  const beta = identity('beta');

  function* askedFor(listener: Listener, servername: string): Op<string | undefined> {
    const acceptor = spawn(() => listener.accept());
    const client = yield* connectTls(listener.address, { ca, servername });
    const accepted = yield* acceptor.get();
    const subject = client.tls?.peerCertificate?.subject;
    client.close();
    accepted.close();
    return subject;
  }

  it('are chosen from a table, with wildcards, and the default for others', () =>
    listening({ sni: { 'Alpha.test': alpha, '*.beta.test': beta } }, function* (listener) {
      expect([
        yield* askedFor(listener, 'alpha.test'),
        yield* askedFor(listener, 'www.beta.test'),
        yield* askedFor(listener, 'localhost'),
      ]).toEqual(['CN=alpha', 'CN=beta', 'CN=server']);
    }));

  it('are chosen by a generator function, which may wait', () => {
    const asked: string[] = [];
    return listening(
      {
        *sni(name: string): Op<TlsIdentity | undefined> {
          asked.push(name);
          yield* sleep(1);
          return name === 'alpha.test' ? alpha : undefined;
        },
      },
      function* (listener) {
        expect([yield* askedFor(listener, 'alpha.test'), yield* askedFor(listener, 'localhost')]).toEqual([
          'CN=alpha',
          'CN=server',
        ]);
        expect(asked).toEqual(['alpha.test', 'localhost']);
      },
    );
  });

  it('end that handshake only if the function throws, which the hub is told', () => {
    const told: unknown[] = [];
    const unlink = hub.on('error', (error) => told.push(error));
    return listening(
      {
        sni(name: string) {
          if (name === 'alpha.test') throw new Error('no database');
          return undefined;
        },
      },
      function* (listener) {
        const refused = yield* refusal(connectTls(listener.address, { ca, servername: 'alpha.test' }));
        expect(refused.code).toBe('ECONNRESET');
        expect(yield* askedFor(listener, 'localhost')).toBe('CN=server');
        yield* when(() => told.length > 0);
        expect(told.map(String)).toEqual(['Error: no database']);
        expect(listener.stats.tlsErrors).toBe(1);
      },
    ).finally(unlink);
  });

  it('are not sought any more when the client has gone', () =>
    listening({ sni: () => sleep(Number.POSITIVE_INFINITY) }, function* (listener) {
      const before = hub.stats().greenlets;
      const dialing = spawn(() => connectTls(listener.address, { ca, servername: 'alpha.test' }));
      yield* when(() => hub.stats().greenlets === before + 2);
      dialing.kill();
      yield* dialing.join();
      yield* when(() => hub.stats().greenlets === before);
      expect(listener.stats.tlsErrors).toBe(1);
    }));
});

/** Does reading fail, or end without the farewell of TLS? */
function* refusedOrCut(socket: Socket): Op<boolean> {
  try {
    return (yield* socket.read()) === null && socket.truncatable;
  } catch (error) {
    return error instanceof TlsError || error instanceof ConnectionResetError;
  }
}

describe('Certificates of clients', () => {
  it('are demanded with {requestCert: true}', () =>
    listening({ requestCert: true, ca }, function* (listener) {
      const { client, accepted } = yield* pairAt(listener, identity('client'));
      yield* talk(client, accepted);
      expect(accepted.tls).toMatchObject({ authorized: true, authorizationError: undefined });
      expect(accepted.tls?.peerCertificate?.subject).toBe('CN=client');
      client.close();
      accepted.close();
      // The client has done its part before the server looks at its certificate: it learns of the refusal when it reads.
      for (const stranger of [{}, identity('stranger')]) {
        const socket = yield* connectTls(listener.address, { ca, ...stranger });
        expect(yield* refusedOrCut(socket)).toBe(true);
        socket.close();
      }
      yield* when(() => listener.stats.tlsErrors === 2);
      expect(listener.stats.accepted).toBe(1);
    }));

  it("are looked at with {requestCert: 'optional'}", () =>
    listening({ requestCert: 'optional', ca }, function* (listener) {
      const seen: unknown[] = [];
      for (const who of [{}, identity('stranger'), identity('client')]) {
        const { client, accepted } = yield* pairAt(listener, who);
        seen.push([accepted.tls?.authorized, accepted.tls?.authorizationError]);
        client.close();
        accepted.close();
      }
      expect(seen).toEqual([
        [false, expect.any(String)],
        [false, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
        [true, undefined],
      ]);
    }));
});

describe('startTls', () => {
  it('goes on in TLS on both ends of an open connection', () =>
    clean(function* () {
      const listener = yield* listen({ host, port: 0 });
      const answering = spawn(function* () {
        const socket = yield* listener.accept();
        expect(yield* socket.readLine()).toBe('STARTTLS');
        yield* socket.write('go ahead\n');
        expect(yield* socket.startTls({ server: true, ...server })).toBe(socket);
        expect(yield* socket.readLine()).toBe('secret');
        yield* socket.write('answer\n');
        yield* socket.closeGracefully();
      });
      const socket = yield* connect(listener.address);
      expect(socket.tls).toBe(undefined);
      yield* socket.write('STARTTLS\n');
      expect(yield* socket.readLine()).toBe('go ahead');
      yield* socket.startTls({ ca });
      expect(socket.tls).toMatchObject({ authorized: true });
      yield* socket.write('secret\n');
      expect(yield* socket.readLine()).toBe('answer');
      expect([yield* socket.read(), socket.truncatable]).toEqual([null, false]);
      socket.close();
      yield* answering.get();
      listener.close();
    }));

  it('takes a first record that has come before it was called', () =>
    clean(function* () {
      const listener = yield* listen({ host, port: 0 });
      const accepting = spawn(() => listener.accept());
      const client = yield* connect(listener.address);
      const socket = yield* accepting.get();
      const starting = spawn(() => client.startTls({ ca }));
      yield* when(() => socket.buffered > 0);
      yield* socket.startTls({ server: true, ...server });
      yield* starting.get();
      yield* talk(client, socket);
      for (const each of [client, socket, listener]) each.close();
    }));

  it('works in memory, without a socket of the system', () =>
    clean(function* () {
      const [one, other] = memoryPair();
      const starting = spawn(() => other.startTls({ server: true, ...server }));
      yield* one.startTls({ ca, servername: 'localhost' });
      yield* starting.get();
      yield* talk(one, other);
      const writing = spawn(function* () {
        for (let i = 0; i < 16; i += 1) yield* one.write(Buffer.alloc(65_536, i));
        one.end();
      });
      let size = 0;
      for (let chunk = yield* other.read(); chunk !== null; chunk = yield* other.read()) size += chunk.length;
      expect([size, other.truncatable]).toEqual([16 * 65_536, false]);
      yield* writing.get();
      one.close();
      other.close();
    }));

  it("works over a stream of Node's, whatever carries it", () =>
    clean(function* () {
      const [near, far] = memoryPair();
      const [one, other] = [fromDuplex(toDuplex(near)), fromDuplex(toDuplex(far))];
      const starting = spawn(() => other.startTls({ server: true, ...server }));
      yield* one.startTls({ ca, servername: 'localhost' });
      yield* starting.get();
      yield* talk(one, other);
      one.end();
      expect([yield* other.read(), other.truncatable]).toEqual([null, false]);
      one.close();
      other.close();
      near.close();
      far.close();
      // The streams in between end in greenlets of their own, a little later.
      yield* when(() => hub.stats().greenlets === 1);
    }));

  it('works in a simulated network, in virtual time', async () => {
    const { value, leaked } = await simulate(function* () {
      const listener = yield* listenTls({ host, port: 0 }, server);
      const serving = spawn(() =>
        serve(listener, function* (socket) {
          yield* socket.write(`${yield* socket.readLine()}!\n`);
        }),
      );
      const answers: (string | null)[] = [];
      for (let i = 0; i < 3; i += 1) {
        const socket = yield* connectTls(listener.address, { ca });
        yield* socket.write(`hello ${i}\n`);
        answers.push(yield* socket.readLine(), String(yield* socket.read()), String(socket.truncatable));
        socket.close();
      }
      listener.close();
      yield* serving.join();
      return answers;
    });
    expect(leaked).toEqual([]);
    expect(value).toEqual([0, 1, 2].flatMap((i) => [`hello ${i}!`, 'null', 'false']));
  });

  it('lets nobody else use the socket meanwhile, and close() ends it', () =>
    clean(function* () {
      const listener = yield* listen({ host, port: 0 });
      const socket = yield* connect(listener.address);
      const silent = yield* listener.accept();
      const starting = spawn(() => socket.startTls({ ca }));
      starting.link(() => {});
      yield* when(() => silent.buffered > 0);
      const errors = [
        yield* failure(socket.read()),
        yield* failure(socket.write('in between')),
        yield* failure(socket.flush()),
        yield* failure(socket.startTls({ ca })),
      ];
      expect(errors.every((error) => error instanceof BusyError)).toBe(true);
      expect(() => socket.end()).toThrow(BusyError);
      socket.close();
      expect(yield* failure(starting.get())).toBeInstanceOf(ClosedError);
      expect(yield* failure(socket.startTls({ ca }))).toBeInstanceOf(ClosedError);
      silent.close();
      listener.close();
    }));

  it('is refused while another greenlet reads, which is not disturbed', () =>
    clean(function* () {
      const listener = yield* listen({ host, port: 0 });
      const socket = yield* connect(listener.address);
      const peer = yield* listener.accept();
      const reading = spawn(() => socket.readLine());
      yield* sleep(0);
      expect(yield* failure(socket.startTls({ ca }))).toBeInstanceOf(BusyError);
      yield* peer.write('plain\n');
      expect(yield* reading.get()).toBe('plain');
      for (const each of [socket, peer, listener]) each.close();
    }));

  it('sends what was written before it in plain text, first', () =>
    clean(function* () {
      const listener = yield* listen({ host, port: 0 });
      const socket = yield* connect(listener.address);
      const peer = yield* listener.accept();
      yield* socket.write(Buffer.alloc(1_000_000, 'p'));
      const starting = spawn(() => socket.startTls({ ca }));
      const plain = yield* peer.readExactly(1_000_000);
      expect(plain.equals(Buffer.alloc(1_000_000, 'p'))).toBe(true);
      yield* peer.startTls({ server: true, ...server });
      yield* starting.get();
      yield* talk(socket, peer);
      for (const each of [socket, peer, listener]) each.close();
    }));
});

describe('At the call', () => {
  it('bad options are refused', () => {
    const to = { host, port: 1 };
    for (const options of [
      { ca: 5 },
      { ca: [] },
      { key: server.key },
      { cert: server.cert },
      { passphrase: 5, ...server },
      { ciphers: 5 },
      { alpn: 'h2' },
      { alpn: [] },
      { alpn: [''] },
      { alpn: ['x'.repeat(256)] },
      { servername: 5 },
      { servername: 'a\0b' },
      { servername: '' },
      { insecure: 'yes' },
      { session: 'x' },
      { handshakeTimeoutMs: -1 },
      { handshakeTimeoutMs: Number.NaN },
    ]) {
      expect(() => connectTls(to, options as never), JSON.stringify(options)).toThrow(TypeError);
    }
    for (const options of [
      { minVersion: 'SSLv3' },
      { maxVersion: 1 },
      { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' },
      { servername: 'x'.repeat(254) },
    ]) {
      expect(() => connectTls(to, options as never), JSON.stringify(options)).toThrow(RangeError);
    }
    for (const options of [
      undefined,
      {},
      { ...server, requestCert: 1 },
      { ...server, sni: 5 },
      { ...server, sni: [] },
      { ...server, sni: { a: 5 } },
      { ...server, sni: { a: {} } },
      { ...server, onTlsError: 5 },
    ]) {
      expect(() => listenTls(to, options as never), JSON.stringify(options)).toThrow(TypeError);
    }
    expect(() => listenTls(to, { ...server, maxHandshakes: 0 })).toThrow(RangeError);
    expect(() => connectTls({ path: '/tmp/x' }, { ca })).toThrow(TypeError);
  });

  it('options are read as own properties only', () => {
    const inherited = Object.create({ insecure: true, ca: 5 }) as object;
    expect(() => connectTls({ host, port: 1 }, inherited)).not.toThrow();
  });

  it('startTls has to know whose certificate to expect', () =>
    run(function* () {
      const [one, other] = memoryPair();
      expect(() => one.startTls({ ca })).toThrow(TypeError);
      expect(() => one.startTls({ server: true } as never)).toThrow(TypeError);
      one.close();
      other.close();
    }).then(nothingLeft));
});
