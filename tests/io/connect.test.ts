// connect.test.ts: making connections: addresses, refusals, names, timeouts, kills; on loopback, and over a network of the test's own under the virtual
// clock where the order of events matters.
import net from 'node:net';
import {
  ConnectError,
  callback,
  connect,
  DnsError,
  Event,
  GreenletKilledError,
  hub,
  now,
  openHandles,
  run,
  type Socket,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  yieldNow,
} from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { requireScheduler } from '../../core/kernel.ts';
import { type Network, networkOf, type Pending, provideNetwork, type Resolved, type Target } from '../../io/network.ts';
import type { Transport } from '../../io/transport.ts';
import { bareServer, closedPort, failure, happened, host, nothingLeft } from './peers.ts';
import { stoppedServer } from './stopped-server.ts';

/** How many TCP handles Node has open. */
function tcpHandles(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP')).length;
}

function* server() {
  const bare = net.createServer((socket) => socket.on('error', () => {}).resume());
  return { bare, port: yield* bareServer(bare) };
}

describe('connect', () => {
  it('gives a socket with both addresses', () =>
    run(function* () {
      const { bare, port } = yield* server();
      const peer = happened(bare, 'connection');
      const socket = yield* connect({ host, port });
      const { remotePort, localPort } = (yield* peer) as net.Socket;
      expect(socket.remoteAddress).toEqual({ host, port: localPort, path: undefined });
      expect(socket.localAddress).toEqual({ host, port: remotePort, path: undefined });
      expect(String(socket)).toBe(`socket 127.0.0.1:${remotePort} -> 127.0.0.1:${port}`);
      expect(openHandles()).toEqual({ total: 1, counts: { socket: 1 }, names: [String(socket)] });
      socket.close();
      socket.close();
      expect(socket.remoteAddress.port).toBe(port);
      bare.close();
    }).then(nothingLeft));

  it('resolves a name and tries every address that it has', () =>
    run(function* () {
      const { bare, port } = yield* server();
      const socket = yield* connect({ host: 'localhost', port });
      expect(socket.remoteAddress.host).toBe(host);
      socket.close();
      bare.close();
    }).then(nothingLeft));

  it('goes to localhost if there is no host, and honours own properties only', () =>
    run(function* () {
      const { bare, port } = yield* server();
      const endpoint = Object.assign(Object.create({ host: 'inherited.invalid', path: '/inherited' }), { port });
      const socket = yield* connect(endpoint as { port: number }, Object.create({ timeoutMs: 0 }) as object);
      expect(socket.remoteAddress.host).toBe(host);
      socket.close();
      bare.close();
      expect(() => connect(Object.create({ port }) as { port: number })).toThrow(RangeError);
    }).then(nothingLeft));

  it.each([-1, 65_536, 70_000, Number.NaN, 1.5, Number.POSITIVE_INFINITY, 'abc', '80', null, undefined, {}])(
    'F13: throws RangeError at the call for port %s',
    (port) => {
      expect(() => connect({ host, port: port as number })).toThrow(RangeError);
    },
  );

  it.each(['', 'with\0nul', 'with\r\nline', 'with blank', 5, {}, null])(
    'F14: throws TypeError at the call for host %j',
    (name) => {
      expect(() => connect({ host: name as string, port: 80 })).toThrow(TypeError);
    },
  );

  it.each(['*'.repeat(64), 'a.'.repeat(200), 'x'.repeat(1_000_000), '..', 'a..b'])(
    'F14: throws DnsError at once for a host that cannot exist',
    (name) =>
      run(function* () {
        const error = yield* failure(timeout(50, connect({ host: name, port: 80 })));
        expect(error).toBeInstanceOf(DnsError);
        expect(error).toMatchObject({ code: 'ENOTFOUND', host: name });
        expect(error.message.length).toBeLessThan(200);
      }).then(nothingLeft),
  );

  it('throws TypeError or RangeError at the call for other bad arguments', () => {
    for (const endpoint of [undefined, null, 5, 'localhost:80', { path: 5 }, { path: '' }, { path: 'a\0b' }]) {
      expect(() => connect(endpoint as never)).toThrow(TypeError);
    }
    const bad = [5, { timeoutMs: -1 }, { timeoutMs: '5' }, { halfOpen: 1 }, { noDelay: 'no' }, { localHost: 'name' }];
    for (const options of bad) expect(() => connect({ host, port: 80 }, options as never)).toThrow(TypeError);
    for (const options of [{ family: 5 }, { highWaterMark: 0 }, { highWaterMark: 1.5 }]) {
      expect(() => connect({ host, port: 80 }, options as never)).toThrow(RangeError);
    }
  });

  it('F9: throws ConnectError with the address when nobody listens', () =>
    run(function* () {
      const port = yield* closedPort();
      const error = (yield* failure(connect({ host, port }))) as ConnectError;
      expect(error).toBeInstanceOf(ConnectError);
      expect(error.code).toBe('ECONNREFUSED');
      expect(error.message).toBe(`connect to ${host}:${port} failed: ECONNREFUSED ${host}:${port}`);
      expect(error.attempts.map(({ address, code }) => [address, code])).toEqual([[`${host}:${port}`, 'ECONNREFUSED']]);
      expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
    }).then(nothingLeft));

  it('lists an attempt for each address of a name', () =>
    run(function* () {
      const port = yield* closedPort();
      const error = (yield* failure(connect({ host: 'localhost', port }))) as ConnectError;
      expect(error.code).toBe('ECONNREFUSED');
      for (const { address } of error.attempts)
        expect(address).toMatch(new RegExp(`^(127\\.0\\.0\\.1|\\[::1\\]):${port}$`));
      expect(error.attempts.some(({ address }) => address === `${host}:${port}`)).toBe(true);
    }).then(nothingLeft));

  it('throws ConnectError for a path where there is no socket', () =>
    run(function* () {
      expect(yield* failure(connect({ path: '/nowhere/s' }))).toMatchObject({ name: 'ConnectError', code: 'ENOENT' });
    }).then(nothingLeft));

  it('F56: throws DnsError for a name that does not resolve', () =>
    run(function* () {
      const error = yield* failure(connect({ host: 'nothing.invalid', port: 80 }));
      // Without a network the resolver cannot say more than that it does not know.
      expect(error).toMatchObject({
        name: 'DnsError',
        code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN|EAI_FAIL)$/),
      });
      expect(error.message).toContain('nothing.invalid');
    }).then(nothingLeft));

  it('F12: is killed at once during the lookup, whose late answer is dropped', () =>
    run(function* () {
      const { bare, port } = yield* server();
      // On a busy machine the answer may be faster than the kill: then once more.
      for (let killed = false; !killed; ) {
        const victim = spawn(() => connect({ host: 'localhost', port }));
        yield* yieldNow();
        const waits = hub.stats().externalWaits;
        victim.kill();
        const { orphans } = hub.stats();
        yield* victim.join();
        if (victim.outcome?.ok === true) victim.outcome.value.close();
        killed = orphans === 1;
        if (killed) expect([waits, victim.outcome?.ok]).toEqual([1, false]);
      }
      while (hub.stats().orphans > 0) yield* sleep(1);
      expect(openHandles().total).toBe(0);
      bare.close();
    }).then(nothingLeft));

  it('F57: keeps at most three lookups in the thread pool, and takes back those that wait', () =>
    run(function* () {
      const network = networkOf(requireScheduler());
      let unheard = 0;
      const heard: string[] = [];
      const lookups = Array.from({ length: 10 }, () =>
        network.lookup(
          'localhost',
          0,
          () => heard.push('cancelled, but heard'),
          () => (unheard += 1),
        ),
      );
      // What waits in the queue is taken back; what runs cannot be stopped, and says so.
      const stopped = lookups.reverse().map((lookup) => lookup.cancel());
      expect(stopped).toEqual([...Array.from({ length: 7 }, () => true), false, false, false]);
      const after = yield* callback<string>((done) => {
        network.lookup(
          'localhost',
          0,
          () => done(null, 'answered'),
          () => {},
        );
      });
      while (unheard < 3) yield* sleep(1);
      expect([after, heard]).toEqual(['answered', []]);
    }).then(nothingLeft));

  it('lets the loser of a select leave nothing behind', () =>
    run(function* () {
      const { bare, port } = yield* server();
      const before = tcpHandles();
      // On a busy machine the connection may be faster than the other arm: then once more.
      for (let lost = false; !lost; ) {
        const event = new Event();
        spawn(function* () {
          event.set();
          yield* yieldNow();
        });
        const { key, value } = yield* select({ socket: connect({ host, port }), event: event.wait() });
        lost = key === 'event';
        if (key === 'socket') value.close();
      }
      const { key, value } = yield* select({ socket: connect({ host, port }), tick: sleep(5000) });
      expect(key).toBe('socket');
      (value as Socket).close();
      while (tcpHandles() > before) yield* sleep(1);
      bare.close();
    }).then(nothingLeft));

  it('F11, F12: times out, is killed, and gives up by its own option while a connection hangs', async () => {
    const hanging = await stoppedServer();
    try {
      await run(function* () {
        const endpoint = { host, port: hanging.port };
        const before = tcpHandles();
        const begin = now();
        expect(yield* failure(timeout(100, connect(endpoint)))).toBeInstanceOf(TimeoutError);
        const error = yield* failure(connect(endpoint, { timeoutMs: 100 }));
        expect(error).toBeInstanceOf(TimeoutError);
        expect(error.message).toContain(`connect to ${host}:${hanging.port}`);
        expect(now() - begin).toBeGreaterThanOrEqual(200);
        expect(now() - begin).toBeLessThan(15_000);
        const victim = spawn(() => connect(endpoint));
        yield* sleep(5);
        victim.kill();
        expect(yield* failure(victim.get())).toBeInstanceOf(GreenletKilledError);
        while (tcpHandles() > before) yield* sleep(1);
        expect([hub.stats().orphans, openHandles().total]).toEqual([0, 0]);
      });
    } finally {
      await hanging.end();
    }
    nothingLeft();
  });
});

/** How a test's network treats an address: refuses or connects after so many ms, or is silent. */
type Fate = { readonly refusedAfterMs: number } | { readonly connectedAfterMs: number } | 'silent';

/** A network in a simulation's own time, that notes what is asked of it. */
class ScriptedNetwork implements Network {
  readonly external = false;
  readonly log: string[] = [];
  readonly #names: Readonly<Record<string, readonly Resolved[] | 'silent'>>;
  readonly #fates: Readonly<Record<string, Fate>>;

  constructor(names: Readonly<Record<string, readonly Resolved[] | 'silent'>>, fates: Readonly<Record<string, Fate>>) {
    this.#names = names;
    this.#fates = fates;
  }

  lookup(name: string, _family: number, done: (error: unknown, addresses: readonly Resolved[]) => void): Pending {
    const answer = this.#names[name];
    this.log.push(`${now()} lookup ${name}`);
    if (answer === 'silent') return this.#after(Number.POSITIVE_INFINITY, () => {});
    if (answer === undefined) return this.#after(1, () => done({ code: 'ENOTFOUND' }, []));
    return this.#after(1, () => done(undefined, answer));
  }

  connect(
    target: Target,
    _options: unknown,
    done: (error: unknown, transport: Transport | undefined) => void,
  ): Pending {
    const address = target.path ?? target.host;
    const fate = this.#fates[address] as Fate;
    this.log.push(`${now()} try ${address}`);
    if (fate === 'silent') return this.#after(Number.POSITIVE_INFINITY, () => {}, address);
    if ('refusedAfterMs' in fate) {
      return this.#after(fate.refusedAfterMs, () => done({ code: 'ECONNREFUSED' }, undefined), address);
    }
    return this.#after(fate.connectedAfterMs, () => done(undefined, idleTransport(address)), address);
  }

  listen(): Pending {
    throw new Error('nobody listens here');
  }

  #after(delayMs: number, action: () => void, address = 'the lookup'): Pending {
    const greenlet = spawn(function* () {
      yield* sleep(delayMs);
      action();
    });
    return {
      cancel: () => {
        if (greenlet.kill()) this.log.push(`${now()} cancel ${address}`);
        return true;
      },
    };
  }
}

function idleTransport(address: string): Transport {
  const end = { host: address, port: 1, path: undefined, toString: () => address };
  const nothing = (): void => {};
  return {
    external: false,
    localAddress: end,
    remoteAddress: end,
    unsent: 0,
    failure: undefined,
    start: nothing,
    resume: nothing,
    write: nothing,
    cork: nothing,
    uncork: nothing,
    end: nothing,
    destroy: nothing,
  };
}

const six = (address: string): Resolved => ({ address, family: 6 });
const four = (address: string): Resolved => ({ address, family: 4 });

/** Connect to `name` in a world with that network; returns what came of it, when, and the network's log. */
async function connecting(network: ScriptedNetwork, name: string) {
  const { value, elapsedMs } = await simulate(function* () {
    provideNetwork(requireScheduler(), network);
    try {
      const socket = yield* connect({ host: name, port: 1 });
      const result = `${now()} ${socket.remoteAddress}`;
      socket.close();
      return result;
    } catch (error) {
      if (error instanceof ConnectError)
        return `${now()} ${error.code} ${error.attempts.map(({ address }) => address)}`;
      return `${now()} ${(error as Error).name} ${(error as { code: string }).code}`;
    }
  });
  return { value, elapsedMs, log: network.log };
}

describe('connect to a host with several addresses', () => {
  it('F59: begins the next one after 250 ms while the first is silent, families taking turns, and drops the losers', async () => {
    const network = new ScriptedNetwork(
      { both: [six('6a'), six('6b'), four('4a')] },
      { '6a': 'silent', '4a': { connectedAfterMs: 5 }, '6b': 'silent' },
    );
    expect(await connecting(network, 'both')).toEqual({
      value: '256 4a',
      elapsedMs: 256,
      log: ['0 lookup both', '1 try 6a', '251 try 4a', '256 cancel 6a'],
    });
  });

  it('goes on with the next one at once when one refuses', async () => {
    const network = new ScriptedNetwork(
      { both: [six('6a'), four('4a')] },
      { '6a': { refusedAfterMs: 2 }, '4a': { connectedAfterMs: 3 } },
    );
    expect((await connecting(network, 'both')).value).toBe('6 4a');
  });

  it('lets a slow address that was begun first still win', async () => {
    const network = new ScriptedNetwork(
      { slow: [four('4a'), four('4b')] },
      { '4a': { connectedAfterMs: 300 }, '4b': { connectedAfterMs: 100 } },
    );
    expect(await connecting(network, 'slow')).toMatchObject({
      value: '301 4a',
      log: ['0 lookup slow', '1 try 4a', '251 try 4b', '301 cancel 4b'],
    });
  });

  it('fails only when all have failed, with every attempt', async () => {
    const network = new ScriptedNetwork(
      { none: [six('6a'), four('4a')] },
      { '6a': { refusedAfterMs: 400 }, '4a': { refusedAfterMs: 1 } },
    );
    expect((await connecting(network, 'none')).value).toBe('401 ECONNREFUSED 4a:1,6a:1');
  });

  it('gives a silent resolver 5 s and a silent address 30 s', async () => {
    const network = new ScriptedNetwork({ mute: 'silent', deaf: [four('4a')] }, { '4a': 'silent' });
    expect((await connecting(network, 'mute')).value).toBe('5000 DnsError ETIMEDOUT');
    expect((await connecting(network, 'deaf')).value).toBe('30000 TimeoutError ERR_TIMEOUT');
    expect(network.log.slice(-1)).toEqual(['30000 cancel 4a']);
  });

  it('says in a closed world that a read which nothing can end is a deadlock', async () => {
    const network = new ScriptedNetwork({ one: [four('4a')] }, { '4a': { connectedAfterMs: 1 } });
    const world = simulate(function* () {
      provideNetwork(requireScheduler(), network);
      const socket = yield* connect({ host: 'one', port: 1 });
      try {
        yield* socket.read();
      } finally {
        socket.close();
      }
    });
    await expect(world).rejects.toMatchObject({
      code: 'ERR_DEADLOCK',
      message: expect.stringContaining('read on socket'),
    });
    nothingLeft();
  });
});
