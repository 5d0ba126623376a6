// simulated-network.test.ts: hosts, names, addresses, ports and streams of the simulated network, through the public sockets.
import {
  ConnectError,
  connect,
  DnsError,
  type Endpoint,
  joinAll,
  ListenError,
  type Listener,
  listen,
  now,
  type Op,
  type Socket,
  serve,
  sleep,
  spawn,
  TimeoutError,
  timeout,
} from 'tendril';
import { type SimulatedWorld, type SimulateOptions, simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { networkOf } from '../../io/network.ts';
import type { SimulatedNetwork } from '../../io/testing/simulated-network.ts';
import { failure } from './peers.ts';

/** A host's main that answers each line with itself. */
function* echoLines(): Op<void> {
  const listener = yield* listen({ port: 7 });
  yield* serve(listener, function* (socket) {
    for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine())
      yield* socket.write(`${line}\n`);
  });
}

/** What one end sends and what the other end gets, to its end. */
function* transfer(from: Socket, to: Socket, bytes: Buffer): Op<Buffer> {
  const sender = spawn(function* () {
    for (let at = 0; at < bytes.length; at += 10_000) yield* from.write(bytes.subarray(at, at + 10_000));
    from.end();
  });
  const chunks: Buffer[] = [];
  for (let chunk = yield* to.read(); chunk !== null; chunk = yield* to.read()) chunks.push(chunk);
  yield* sender.join();
  return Buffer.concat(chunks);
}

function numbered(size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 255));
}

const run = async <T>(body: (world: SimulatedWorld) => Op<T>, options?: SimulateOptions): Promise<T> =>
  (await simulate(body, options)).value;

describe('A simulated network', () => {
  it('carries a conversation between two hosts, in virtual time', async () => {
    const lines = await run(function* ({ net }) {
      net.host('server', { main: echoLines });
      yield* sleep(1);
      const socket = yield* connect({ host: 'server', port: 7 });
      const connectedMs = now();
      yield* socket.write('hello\n');
      const line = yield* socket.readLine();
      const answeredMs = now();
      socket.close();
      return { line, connectedMs, answeredMs, socket: String(socket) };
    });
    expect(lines).toEqual({
      line: 'hello',
      connectedMs: 3,
      answeredMs: 5,
      socket: 'socket 10.0.0.1:32768 -> 10.0.0.2:7',
    });
  });

  it('is no outside: a wait that nothing can end is a deadlock', async () => {
    await expect(
      run(function* ({ net }) {
        net.host('server', { main: echoLines });
        yield* sleep(1);
        const socket = yield* connect({ host: 'server', port: 7 });
        yield* socket.read();
      }),
    ).rejects.toMatchObject({ code: 'ERR_DEADLOCK' });
  });

  it('gives each greenlet the host of the one that spawned it', async () => {
    const peers = await run(function* ({ net }) {
      const listener = yield* listen({ port: 80 });
      const names: string[] = [];
      function* visit(): Op<void> {
        const socket = yield* connect({ host: 'client', port: 80 });
        names.push(socket.localAddress.host);
        socket.close();
      }
      net.host('a', {
        *main() {
          yield* spawn(function* () {
            yield* spawn(visit).join();
          }).join();
        },
      });
      net.host('b').spawn(visit);
      yield* visit();
      for (let i = 0; i < 3; i += 1) (yield* listener.accept()).close();
      listener.close();
      return names.sort();
    });
    expect(peers).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  });

  it('keeps each attempt of a connect on the host of who connects', async () => {
    // The second attempt is made from a timer, where no greenlet runs.
    const from = await run(function* ({ net }) {
      const server = net.host('server', { addresses: ['10.0.9.1', '10.0.9.2'] });
      server.spawn(function* () {
        const listener = yield* listen({ host: '10.0.9.2', port: 80 });
        yield* listener.accept();
      });
      server.blackhole(81);
      net.dns.set('both', ['10.0.7.7', '10.0.9.2']);
      return yield* net
        .host('visitor')
        .spawn(function* () {
          const socket = yield* connect({ host: 'both', port: 80 });
          return socket.localAddress.host;
        })
        .get();
    });
    expect(from).toBe('10.0.0.2');
  });

  it('makes the host that it is asked for, once', async () => {
    await run(function* ({ net }) {
      const server = net.host('server', { addresses: ['192.0.2.1', 'fd00::1'] });
      expect(net.host('server')).toBe(server);
      expect(net.host('SERVER')).toBe(server);
      expect(net.hosts.map(({ name, addresses }) => [name, addresses])).toEqual([
        ['client', ['10.0.0.1']],
        ['server', ['192.0.2.1', 'fd00::1']],
      ]);
      expect(() => net.host('server', {})).toThrow('options are for the first call');
      expect(() => net.host('other', { addresses: ['192.0.2.1'] })).toThrow('host server has the address 192.0.2.1');
      expect(() => net.host('other', { addresses: ['nowhere'] })).toThrow(TypeError);
      expect(() => net.host('')).toThrow(TypeError);
      expect(() => net.partition('server', 'nobody')).toThrow("net.host('nobody') makes it");
      yield* sleep(0);
    });
  });

  it.each([
    [{ latency: { minMs: 5, maxMs: 1 } }, 'latency must be {minMs, maxMs}'],
    [{ loopback: { minMs: -1, maxMs: 1 } }, 'latency must be {minMs, maxMs}'],
    [{ sendBuffer: 0 }, 'sendBuffer'],
    [{ receiveBuffer: 1.5 }, 'receiveBuffer'],
    [{ userTimeoutMs: -1 }, 'userTimeoutMs'],
  ])('refuses the option %j', async (net, message) => {
    await expect(run((world) => sleep(world.net.hosts.length), { net })).rejects.toThrow(message);
  });

  it.each([
    [{ drop: 2 }, 'faults.drop must be odds from 0 to 1'],
    [{ crash: -1 }, 'faults.crash must be a rate'],
    [{ crahs: 1 } as object, "there is no fault 'crahs'"],
  ])('refuses the faults %j', async (faults, message) => {
    await expect(run((world) => sleep(world.net.hosts.length), { faults })).rejects.toThrow(message);
  });

  it('is the same in each run with the same seed', async () => {
    const trace = async (seed: number): Promise<string[]> => {
      const lines: string[] = [];
      await run(
        function* ({ net }) {
          net.host('server', { main: echoLines });
          yield* sleep(1);
          const talk = function* (): Op<void> {
            const socket = yield* connect({ host: 'server', port: 7 });
            for (let i = 0; i < 5; i += 1) {
              yield* socket.write(`line ${i}\n`);
              yield* socket.readLine();
            }
            socket.close();
          };
          yield* joinAll([spawn(talk), spawn(talk), spawn(talk)]);
        },
        { seed, net: { log: (line) => lines.push(line) } },
      );
      return lines;
    };
    const [first, again, other] = [await trace(3), await trace(3), await trace(4)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(first[0]).toBe('10.0.0.1:32768 > 10.0.0.2:7 syn');
  });

  it('leaves nothing behind when everything is closed, and says what is open', async () => {
    await run(function* ({ net }) {
      const server = net.host('server');
      let listener: Listener | undefined;
      server.spawn(function* () {
        listener = yield* listen({ port: 80 });
        const socket = yield* (listener as Listener).accept();
        yield* socket.read();
        socket.close();
        (listener as Listener).close();
      });
      yield* sleep(1);
      const socket = yield* connect({ host: 'server', port: 80 });
      yield* sleep(10);
      expect(net.connections()).toEqual([
        { client: '10.0.0.1:32768', server: '10.0.0.2:80', clientOpen: true, serverOpen: true },
      ]);
      expect(net.leftovers()).toEqual([
        'client: socket 10.0.0.1:32768 -> 10.0.0.2:80',
        'server: listener [::]:80',
        'server: socket [::ffff:10.0.0.2]:80 -> [::ffff:10.0.0.1]:32768',
      ]);
      socket.close();
      yield* sleep(100);
      expect([net.connections(), net.leftovers()]).toEqual([[], []]);
    });
  });
});

describe('A simulated stream', () => {
  const bytes = numbered(300_000);

  /** Both ends of a connection between two hosts. */
  function* pair(net: SimulatedNetwork, to = 'server'): Op<{ near: Socket; far: Socket }> {
    let far: Socket | undefined;
    const accepting = net.host(to).spawn(function* () {
      const listener = yield* listen({ port: 80 });
      far = yield* listener.accept();
      listener.close();
    });
    yield* sleep(0.5);
    const near = yield* connect({ host: to, port: 80 });
    yield* accepting.join();
    return { near, far: far as Socket };
  }

  it('arrives whole and in order in both directions at once, with the mildest choices', async () => {
    await run(function* ({ net }) {
      const { near, far } = yield* pair(net);
      const up = spawn(transfer, near, far, bytes);
      const down = spawn(transfer, far, near, bytes.subarray(5));
      expect((yield* up.get()).equals(bytes)).toBe(true);
      expect((yield* down.get()).equals(bytes.subarray(5))).toBe(true);
      near.close();
      far.close();
      yield* sleep(100);
      expect(net.connections()).toEqual([]);
    });
  });

  it('arrives whole and in order with 200 seeds, on tight buffers, cut at every place', async () => {
    const sent = numbered(5_000);
    for (let seed = 1; seed <= 200; seed += 1) {
      const got = await run(
        function* ({ net }) {
          const { near, far } = yield* pair(net);
          const up = spawn(transfer, near, far, sent);
          const down = spawn(transfer, far, near, sent);
          const both = [yield* up.get(), yield* down.get()];
          near.close();
          far.close();
          return both.map((chunk) => chunk.equals(sent));
        },
        {
          seed,
          net: { sendBuffer: 1 + ((seed * 37) % 2000), receiveBuffer: 1 + ((seed * 91) % 2000) },
          faults: { shortRead: 0.5, shortWrite: 0.5, join: 0.5 },
        },
      );
      expect({ seed, got }).toEqual({ seed, got: [true, true] });
    }
  });

  it('holds a writer whose peer does not read, and lets it go on when it does', async () => {
    await run(function* ({ net }) {
      const { near, far } = yield* pair(net);
      let written = 0;
      const writer = spawn(function* () {
        for (; written < 3_000_000; written += 10_000) yield* near.write(Buffer.alloc(10_000));
        near.end();
      });
      yield* sleep(10_000);
      // Our buffer and the peer's, those of the systems, what Node reads ahead, and a piece for each of ours.
      expect(written).toBeGreaterThanOrEqual(3 * 65_536);
      expect(written).toBeLessThanOrEqual(7 * 65_536);
      expect(near.unsent).toBeGreaterThan(0);
      const stopped = written;
      yield* sleep(10_000);
      expect(written).toBe(stopped);
      let got = 0;
      for (let chunk = yield* far.read(); chunk !== null; chunk = yield* far.read()) got += chunk.length;
      yield* writer.join();
      expect({ got, unsent: near.unsent }).toEqual({ got: 3_000_000, unsent: 0 });
      near.close();
      far.close();
    });
  });

  it('takes its latency for each packet from its link, and its direction', async () => {
    await run(function* ({ net }) {
      net.host('server');
      net.latency('client', 'server', { minMs: 30, maxMs: 30 }, { oneWay: true });
      net.latency('server', 'client', { minMs: 5, maxMs: 5 }, { oneWay: true });
      const { near, far } = yield* pair(net);
      expect(now()).toBe(0.5 + 30 + 5 + 30);
      yield* near.write('there');
      yield* far.read();
      expect(now()).toBe(65.5 + 30);
      yield* far.write('back');
      yield* near.read();
      expect(now()).toBe(95.5 + 5);
      near.close();
      far.close();
    });
  });

  it('never arrives out of order, however its packets are delayed', async () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const got = await run(
        function* ({ net }) {
          const { near, far } = yield* pair(net);
          spawn(function* () {
            for (let i = 0; i < 50; i += 1) {
              yield* near.write(`${i};`);
              yield* sleep(0.5);
            }
            near.end();
          });
          let text = '';
          for (let chunk = yield* far.read(); chunk !== null; chunk = yield* far.read()) text += chunk;
          near.close();
          far.close();
          return text;
        },
        { seed, net: { latency: { minMs: 1, maxMs: 500 } } },
      );
      expect({ seed, got }).toEqual({ seed, got: Array.from({ length: 50 }, (_, i) => `${i};`).join('') });
    }
  });

  it('may come in pieces and in one piece: both happen within a few seeds', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 40; seed += 1) {
      const first = await run(
        function* ({ net }) {
          const { near, far } = yield* pair(net);
          yield* near.write('first');
          yield* near.flush();
          yield* near.write('second');
          yield* sleep(100);
          far.unread((yield* far.read(1)) as Buffer);
          const text = String(yield* far.read());
          near.close();
          far.close();
          return text;
        },
        { seed, faults: { shortRead: 0.5, join: 0.5 } },
      );
      expect('firstsecond'.startsWith(first)).toBe(true);
      seen.add(first);
    }
    expect(seen.has('firstsecond')).toBe(true);
  });

  it('splits a message for a reader that waits for it, and not always', async () => {
    const sizes = new Set<number>();
    for (let seed = 1; seed <= 60; seed += 1) {
      sizes.add(
        await run(
          function* ({ net }) {
            const { near, far } = yield* pair(net);
            const reader = spawn(() => far.read());
            yield* near.write('0123456789');
            const size = ((yield* reader.get()) as Buffer).length;
            near.close();
            far.close();
            return size;
          },
          { seed, faults: { shortRead: 0.6 } },
        ),
      );
    }
    expect(sizes.has(10)).toBe(true);
    expect(sizes.size).toBeGreaterThan(4);
  });
});

describe('A simulated listener', () => {
  it.each([
    [{ host: '10.0.0.1', port: 0 }, '10.0.0.1:32768'],
    [{ host: '127.0.0.1', port: 0 }, '127.0.0.1:32768'],
    [{ host: 'localhost', port: 0 }, '127.0.0.1:32768'],
    [{ host: 'client', port: 9 }, '10.0.0.1:9'],
    [{ host: '0.0.0.0', port: 9 }, '0.0.0.0:9'],
    [{ port: 9 }, '[::]:9'],
    [{ path: '/run/x' }, '/run/x'],
  ] as [Endpoint, string][])('on %j has the address %s', async (endpoint, address) => {
    await run(function* () {
      const listener = yield* listen(endpoint);
      expect(String(listener.address)).toBe(address);
      listener.close();
    });
  });

  it.each([
    ['a port that is in use', { port: 80 }, 'EADDRINUSE'],
    ['a port that is in use on every address', { host: '10.0.0.1', port: 80 }, 'EADDRINUSE'],
    ['an address of another host', { host: '10.0.0.2', port: 81 }, 'EADDRNOTAVAIL'],
    ['a name that nobody has', { host: 'nobody', port: 81 }, 'ENOTFOUND'],
    ['a path that is in use', { path: '/run/x' }, 'EADDRINUSE'],
  ] as [string, Endpoint, string][])('cannot listen on %s', async (_what, endpoint, code) => {
    await run(function* ({ net }) {
      net.host('server');
      const held = [yield* listen({ port: 80 }), yield* listen({ path: '/run/x' })];
      const error = yield* failure(listen(endpoint));
      expect(error).toBeInstanceOf(ListenError);
      expect(error.code).toBe(code);
      for (const listener of held) listener.close();
      expect(net.leftovers()).toEqual([]);
    });
  });

  it('shares a port between addresses, and between hosts', async () => {
    await run(function* ({ net }) {
      const held = [yield* listen({ host: '127.0.0.1', port: 80 }), yield* listen({ host: '10.0.0.1', port: 80 })];
      held.push(
        yield* net
          .host('server')
          .spawn(() => listen({ port: 80 }))
          .get(),
      );
      const taken: string[] = [];
      for (const host of ['localhost', 'client', 'server']) {
        const socket = yield* connect({ host, port: 80 });
        taken.push(String(socket.remoteAddress));
        socket.close();
      }
      expect(taken).toEqual(['127.0.0.1:80', '10.0.0.1:80', '10.0.0.2:80']);
      yield* sleep(100);
      expect(held.map(({ pending }) => pending)).toEqual([1, 1, 1]);
      for (const listener of held) listener.close();
    });
  });

  it('can be opened again where one was closed, and has the shape of Node on its connections', async () => {
    await run(function* () {
      const first = yield* listen({ port: 80 });
      const early = yield* connect({ port: 80 });
      const kept = yield* first.accept();
      first.close();
      const second = yield* listen({ port: 80 });
      const late = yield* connect({ host: '::1', port: 80 });
      const accepted = yield* second.accept();
      expect([kept, accepted].map(({ localAddress }) => String(localAddress))).toEqual([
        '[::ffff:127.0.0.1]:80',
        '[::1]:80',
      ]);
      expect([early, late].map(({ remoteAddress }) => String(remoteAddress))).toEqual(['127.0.0.1:80', '[::1]:80']);
      yield* early.write('still');
      expect(String(yield* kept.read())).toBe('still');
      for (const open of [early, kept, late, accepted, second]) open.close();
    });
  });

  it('resets what it has not accepted when it closes', async () => {
    await run(function* ({ net }) {
      net.host('server').spawn(function* () {
        const listener = yield* listen({ port: 80 });
        yield* sleep(2.5);
        listener.close();
      });
      yield* sleep(0.5);
      const socket = yield* connect({ host: 'server', port: 80 });
      expect((yield* failure(socket.readExactly(1))).code).toBe('ECONNRESET');
      socket.close();
      expect(net.leftovers()).toEqual([]);
    });
  });

  it('is on its own host only, if it is a Unix socket', async () => {
    await run(function* ({ net }) {
      net.host('server').spawn(() => listen({ path: '/run/x' }));
      yield* sleep(1);
      const error = (yield* failure(connect({ path: '/run/x' }))) as ConnectError;
      expect(error).toBeInstanceOf(ConnectError);
      expect(error.attempts.map(({ code, address }) => [code, address])).toEqual([['ENOENT', '/run/x']]);
      const line = yield* net
        .host('server')
        .spawn(function* () {
          const socket = yield* connect({ path: '/run/x' });
          return String(socket);
        })
        .get();
      expect(line).toBe('socket unix -> /run/x');
      net.host('server').crash();
    });
  });
});

describe('Connecting on a simulated network', () => {
  it.each([
    ['a port on which nobody listens', { host: 'server', port: 80 }, 'ECONNREFUSED', 2],
    ['an address that nobody has', { host: '10.9.9.9', port: 80 }, 'EHOSTUNREACH', 3000],
    ['an IPv6 address without having one', { host: 'fd00::1', port: 80 }, 'ENETUNREACH', 0],
    ['port 0', { host: 'server', port: 0 }, 'ECONNREFUSED', 0],
    ['a path that is not there', { path: '/run/none' }, 'ENOENT', 0],
  ] as [string, Endpoint, string, number][])('fails at %s', async (_what, endpoint, code, afterMs) => {
    await run(function* ({ net }) {
      net.host('server');
      const error = (yield* failure(connect(endpoint))) as ConnectError;
      expect(error).toBeInstanceOf(ConnectError);
      expect({ code: error.code, now: now(), left: net.leftovers() }).toEqual({ code, now: afterMs, left: [] });
    });
  });

  it('fails with errors that have the shape of those of Node', async () => {
    await run(function* ({ net }) {
      net.host('server');
      const cause = function* (op: Op<unknown>) {
        const { message, ...rest } = (yield* failure(op)).cause as Error;
        return { message, ...rest };
      };
      expect(yield* cause(connect({ host: '10.0.0.2', port: 80 }))).toEqual({
        message: 'connect ECONNREFUSED 10.0.0.2:80',
        errno: -111,
        code: 'ECONNREFUSED',
        syscall: 'connect',
        address: '10.0.0.2',
        port: 80,
      });
      expect(yield* cause(connect({ host: '10.0.0.2', port: 80 }, { localHost: '10.0.0.7' }))).toEqual({
        message: 'bind EADDRNOTAVAIL 10.0.0.7',
        errno: -99,
        code: 'EADDRNOTAVAIL',
        syscall: 'bind',
        address: '10.0.0.7',
      });
      expect(yield* cause(connect({ path: '/none' }))).toEqual({
        message: 'connect ENOENT /none',
        errno: -2,
        code: 'ENOENT',
        syscall: 'connect',
        address: '/none',
      });
      expect(yield* cause(listen({ host: '10.0.0.7', port: 5 }))).toEqual({
        message: 'listen EADDRNOTAVAIL: address not available 10.0.0.7:5',
        errno: -99,
        code: 'EADDRNOTAVAIL',
        syscall: 'listen',
        address: '10.0.0.7',
        port: 5,
      });
      expect(yield* cause(connect({ host: 'nobody', port: 5 }))).toEqual({
        message: 'getaddrinfo ENOTFOUND nobody',
        errno: -3008,
        code: 'ENOTFOUND',
        syscall: 'getaddrinfo',
        hostname: 'nobody',
      });
    });
  });

  it('leaves nothing of an attempt that is given up, at any moment', async () => {
    for (let afterMs = 0; afterMs < 5; afterMs += 0.5) {
      await run(function* ({ net }) {
        const server = net.host('server');
        const listener = yield* server.spawn(() => listen({ port: 80 })).get();
        const connecting = spawn(() => connect({ host: 'server', port: 80 }));
        yield* sleep(afterMs);
        connecting.kill();
        yield* connecting.join();
        yield* sleep(100);
        const { outcome } = connecting;
        if (outcome?.ok === true) outcome.value.close();
        yield* sleep(100);
        while (listener.pending > 0) (yield* listener.accept()).close();
        expect(net.leftovers()).toEqual(['server: listener [::]:80']);
        yield* sleep(100);
        expect(net.connections()).toEqual([]);
        listener.close();
      });
    }
  });

  it('uses the local address that it is told to', async () => {
    await run(function* ({ net }) {
      const visitor = net.host('visitor', { addresses: ['10.1.0.1', '10.1.0.2'] });
      const listener = yield* listen({ port: 80 });
      const from = yield* visitor
        .spawn(function* () {
          const socket = yield* connect({ host: 'client', port: 80 }, { localHost: '10.1.0.2' });
          socket.close();
          return socket.localAddress.host;
        })
        .get();
      const accepted = yield* listener.accept();
      expect([from, accepted.remoteAddress.host]).toEqual(['10.1.0.2', '::ffff:10.1.0.2']);
      accepted.close();
      listener.close();
    });
  });

  it('knows the network of the greenlet that runs', async () => {
    await run(function* ({ net, scheduler }) {
      const other = net.host('other');
      const seen = yield* other
        .spawn(function* () {
          yield* sleep(1);
          return networkOf(scheduler);
        })
        .get();
      expect([seen === other.boot, networkOf(scheduler) === net.home.boot]).toEqual([true, true]);
    });
  });
});

describe('Names on a simulated network', () => {
  it('are those of hosts, of any case, and records that were set', async () => {
    await run(function* ({ net }) {
      net.host('Server', { addresses: ['10.0.0.9', 'fd00::9'] });
      net.dns.set('db.example', ['10.0.0.9']);
      const resolved = function* (host: string, family = 0): Op<unknown> {
        let result: unknown;
        networkOf(net.clock.scheduler).lookup(
          host,
          family,
          (error, addresses) => {
            result = (error as { code?: string } | undefined)?.code ?? addresses.map(({ address }) => address);
          },
          () => {},
        );
        yield* sleep(1);
        return result;
      };
      expect(yield* resolved('server')).toEqual(['10.0.0.9', 'fd00::9']);
      expect(yield* resolved('SERVER.')).toEqual(['10.0.0.9', 'fd00::9']);
      expect(yield* resolved('server', 6)).toEqual(['fd00::9']);
      expect(yield* resolved('db.example')).toEqual(['10.0.0.9']);
      expect(yield* resolved('db.example', 6)).toEqual('ENOTFOUND');
      expect(yield* resolved('localhost')).toEqual(['127.0.0.1', '::1']);
      expect(yield* resolved('nobody')).toBe('ENOTFOUND');
      net.dns.set('db.example', []);
      expect(yield* resolved('db.example')).toBe('ENOTFOUND');
      expect(() => net.dns.set('x', ['server'])).toThrow(TypeError);
    });
  });

  it.each(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL'] as const)('fail with %s, until they are restored', async (code) => {
    await run(function* ({ net }) {
      net.host('server', { main: echoLines });
      net.dns.fail('server', code);
      const error = yield* failure(connect({ host: 'server', port: 7 }));
      expect([error.constructor, error.code]).toEqual([DnsError, code]);
      net.dns.restore('server');
      (yield* connect({ host: 'server', port: 7 })).close();
    });
  });

  it('can be slow, and never come', async () => {
    await run(function* ({ net }) {
      net.host('server', { main: echoLines });
      yield* sleep(1);
      net.dns.slow('server', 100);
      (yield* connect({ host: 'server', port: 7 })).close();
      expect(now()).toBe(1 + 100 + 2);
      net.dns.never('server');
      const error = yield* failure(connect({ host: 'server', port: 7 }));
      expect([error.code, now()]).toEqual(['ETIMEDOUT', 103 + 5000]);
    });
  });

  it('are an orphan of a connect that is given up, until they come', async () => {
    await run(function* ({ net, scheduler }) {
      net.host('server');
      net.dns.slow('server', 100);
      expect(yield* failure(timeout(10, connect({ host: 'server', port: 7 })))).toBeInstanceOf(TimeoutError);
      expect(scheduler.stats.orphans).toBe(1);
      yield* sleep(100);
      expect(scheduler.stats.orphans).toBe(0);
      net.dns.never('server');
      expect(yield* failure(timeout(10, connect({ host: 'server', port: 7 })))).toBeInstanceOf(TimeoutError);
      expect(scheduler.stats.orphans).toBe(0);
    });
  });
});
