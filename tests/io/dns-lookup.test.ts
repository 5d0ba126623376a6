// dns-lookup.test.ts: lookups by the system: addresses, bad names, kills and timeouts while the thread pool is stuck, and the limit that HTTP shares.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  connect,
  DnsError,
  dns,
  hub,
  noBlock,
  now,
  type Op,
  http as ourHttp,
  run,
  select,
  sleep,
  spawn,
  timeout,
  until,
  yieldNow,
} from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { requireScheduler } from '../../core/kernel.ts';
import { type LookupLoad, type Network, networkOf, type Pending, provideNetwork } from '../../io/network.ts';
import { failure, nothingLeft } from './peers.ts';
import { stuckPool } from './stuck-pool.ts';

/** Run `body` while nothing in the thread pool moves; `free` lets it go. Afterwards nothing may be left. */
async function withStuckPool(body: (free: () => Op<void>) => Op<void>): Promise<void> {
  const pool = await stuckPool();
  try {
    await run(body, () => until(pool.free()));
  } finally {
    await pool.free();
  }
  await run(function* () {
    while (hub.stats().orphans > 0 || load().running > 0) yield* sleep(1);
  });
  nothingLeft();
}

function load(): LookupLoad {
  return networkOf(requireScheduler()).lookupLoad?.() as LookupLoad;
}

describe('dns.lookup', () => {
  it('gives the first address of a name', () =>
    run(function* () {
      expect(yield* dns.lookup('localhost', { family: 4 })).toEqual({ address: '127.0.0.1', family: 4 });
    }).then(nothingLeft));

  it('gives every address with `all`', () =>
    run(function* () {
      const all = yield* dns.lookup('localhost', { all: true });
      expect(all).toContainEqual({ address: '127.0.0.1', family: 4 });
      expect(yield* dns.lookup('localhost')).toEqual(all[0]);
    }).then(nothingLeft));

  it('does not wait for an IP address', () =>
    run(function* () {
      expect(yield* noBlock(dns.lookup('127.0.0.1'))).toEqual({ address: '127.0.0.1', family: 4 });
      expect(yield* noBlock(dns.lookup('::1', { all: true }))).toEqual([{ address: '::1', family: 6 }]);
    }).then(nothingLeft));

  it.each(['', 'with\0nul', 'with\r\nline', 'with blank', 5, {}, null, undefined])(
    'throws TypeError at the call for host %j',
    (name) => {
      expect(() => dns.lookup(name as string)).toThrow(TypeError);
    },
  );

  it.each(['*'.repeat(64), `${'a.'.repeat(130)}a`, 'x'.repeat(1_000_000), '..', '.'])(
    'throws DnsError at once for a host that cannot exist',
    (name) =>
      run(function* () {
        const error = yield* failure(noBlock(dns.lookup(name)));
        expect(error).toMatchObject({ name: 'DnsError', code: 'ENOTFOUND', host: name });
        expect(error.message.length).toBeLessThan(200);
      }).then(nothingLeft),
  );

  it('throws at the call for bad options, and honours own ones only', () => {
    const call = (options: unknown) => () => dns.lookup('localhost', options as object);
    for (const options of [5, null, 'all', { timeoutMs: -1 }, { timeoutMs: Number.NaN }, { all: 1 }])
      expect(call(options)).toThrow(TypeError);
    expect(call({ family: 5 })).toThrow(RangeError);
    expect(call(Object.create({ family: 5 }))).not.toThrow();
  });

  it('F56: throws DnsError with the code of the system, and asks again the next time', () =>
    run(function* () {
      for (let i = 0; i < 2; i += 1) {
        const error = yield* failure(dns.lookup('nothing.invalid'));
        expect(error).toBeInstanceOf(DnsError);
        expect(error.message).toBe(`lookup of nothing.invalid failed: ${error.code}`);
        expect(error).toMatchObject({
          code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN|EAI_FAIL)$/),
          host: 'nothing.invalid',
          cause: { syscall: 'getaddrinfo', hostname: 'nothing.invalid' },
        });
      }
    }).then(nothingLeft));

  it('F57: gives up after its time and says how many are stuck', () =>
    withStuckPool(function* (free) {
      const startMs = now();
      const victims = Array.from({ length: 5 }, () => spawn(() => failure(dns.lookup('localhost', { timeoutMs: 50 }))));
      const messages = [];
      for (const victim of victims) messages.push((yield* victim.get()).message);
      expect(now() - startMs).toBeGreaterThanOrEqual(50);
      expect(messages[0]).toBe(
        "lookup of localhost failed: ETIMEDOUT, no answer after 50 ms: 3 of at most 3 lookups are stuck in the system's resolver, 2 wait behind them",
      );
      // Those that were never begun have left the queue.
      expect([load(), hub.stats().orphans]).toEqual([{ running: 3, most: 3, queued: 0 }, 0]);
      const late = yield* failure(dns.lookup('localhost', { timeoutMs: 20 }));
      expect(late).toMatchObject({ code: 'ETIMEDOUT', host: 'localhost' });
      expect(late.message).toContain('3 of at most 3 lookups are stuck');
      yield* free();
      while (load().running > 0) yield* sleep(1);
      expect(yield* dns.lookup('localhost', { family: 4 })).toEqual({ address: '127.0.0.1', family: 4 });
    }));

  it('is killed at once, drops the late answer of what runs and takes back what waits', () =>
    withStuckPool(function* (free) {
      const victims = Array.from({ length: 5 }, () => spawn(() => dns.lookup('localhost')));
      yield* yieldNow();
      expect([hub.stats().externalWaits, load().queued]).toEqual([5, 2]);
      for (const victim of victims) victim.kill();
      for (const victim of victims) yield* victim.join();
      expect(victims.every(({ killed, outcome }) => killed && outcome?.ok === false)).toBe(true);
      expect([hub.stats().orphans, load()]).toEqual([3, { running: 3, most: 3, queued: 0 }]);
      yield* free();
      while (hub.stats().orphans > 0) yield* sleep(1);
      expect(load().running).toBe(0);
    }));

  it('times out as an arm of a select, and inside timeout()', () =>
    withStuckPool(function* () {
      expect((yield* select({ found: dns.lookup('localhost'), tick: sleep(5) })).key).toBe('tick');
      expect(yield* timeout(5, dns.lookup('localhost'), { else: 'late' })).toBe('late');
      expect(hub.stats().orphans).toBe(2);
    }));

  it('begins what waits when one ends', () =>
    withStuckPool(function* (free) {
      const asked = Array.from({ length: 10 }, () => spawn(() => dns.lookup('localhost', { family: 4 })));
      yield* yieldNow();
      expect(load()).toEqual({ running: 3, most: 3, queued: 7 });
      yield* free();
      for (const one of asked) expect((yield* one.get()).address).toBe('127.0.0.1');
      expect(load()).toEqual({ running: 0, most: 3, queued: 0 });
    }));
});

describe('The limit of lookups', () => {
  it('F57: holds for HTTP too, and a request that is killed leaves the queue', () =>
    withStuckPool(function* (free) {
      const server = http.createServer((_request, response) => response.end('hello'));
      const port = yield* until(
        new Promise<number>((resolve) =>
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
        ),
      );
      const client = new ourHttp.Client();
      const asking = Array.from({ length: 5 }, () =>
        spawn(function* () {
          return yield* (yield* client.get(`http://localhost:${port}/`)).text();
        }),
      );
      const looking = spawn(() => dns.lookup('localhost'));
      yield* yieldNow();
      while (load().queued < 3) yield* sleep(1);
      expect(load()).toEqual({ running: 3, most: 3, queued: 3 });
      // The last two of HTTP are in the queue.
      for (const killed of asking.splice(3)) {
        killed.kill();
        yield* killed.join();
      }
      while (load().queued > 1) yield* sleep(1);
      yield* free();
      for (const one of asking) expect(yield* one.get()).toBe('hello');
      expect((yield* looking.get()).address).toMatch(/^(127\.0\.0\.1|::1)$/);
      client.close();
      server.close();
    }));

  it('lets a request over HTTP fail with DnsError when its name does not resolve', () =>
    run(function* () {
      const error = yield* failure(ourHttp.get('http://nothing.invalid/'));
      expect(error).toMatchObject({
        name: 'DnsError',
        code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN|EAI_FAIL)$/),
      });
    }).then(nothingLeft));
});

/** A network in a simulation's own time, which knows one name. */
class OneName implements Network {
  readonly external = false;
  cancelled = 0;
  lookup(
    name: string,
    family: number,
    done: (error: unknown, addresses: readonly { address: string; family: number }[]) => void,
  ): Pending {
    const answering = spawn(function* () {
      yield* sleep(name === 'slow' ? 10_000 : 7);
      if (name === 'unknown') done({ code: 'ENOTFOUND' }, []);
      else done(undefined, [{ address: family === 6 ? 'fd00::1' : '10.0.0.1', family: family === 6 ? 6 : 4 }]);
    });
    return {
      cancel: () => {
        if (answering.kill()) this.cancelled += 1;
        return true;
      },
    };
  }
  connect(): Pending {
    throw new Error('nobody connects here');
  }
  listen(): Pending {
    throw new Error('nobody listens here');
  }
}

describe('dns.lookup in a simulation', () => {
  it('asks the simulated network, in its time', async () => {
    const network = new OneName();
    const { value, elapsedMs } = await simulate(function* () {
      provideNetwork(requireScheduler(), network);
      const first = yield* dns.lookup('somewhere');
      const all = yield* dns.lookup('somewhere', { all: true, family: 6 });
      const unknown = yield* failure(dns.lookup('unknown'));
      const slow = yield* failure(dns.lookup('slow'));
      return [first, all, unknown.code, slow.message, now(), hub.stats().orphans];
    });
    expect(value).toEqual([
      { address: '10.0.0.1', family: 4 },
      [{ address: 'fd00::1', family: 6 }],
      'ENOTFOUND',
      'lookup of slow failed: ETIMEDOUT, no answer after 5000 ms',
      5021,
      0,
    ]);
    expect([elapsedMs, network.cancelled]).toEqual([5021, 1]);
    nothingLeft();
  });

  it('says what the network says of its load, in connect too', async () => {
    const network = Object.assign(new OneName(), { lookupLoad: () => ({ running: 3, most: 3, queued: 0 }) });
    const { value } = await simulate(function* () {
      provideNetwork(requireScheduler(), network);
      const errors = [yield* failure(dns.lookup('slow')), yield* failure(connect({ host: 'slow', port: 1 }))];
      return errors.map(({ name, message }) => `${name} ${message}`);
    });
    const said =
      "DnsError lookup of slow failed: ETIMEDOUT, no answer after 5000 ms: 3 of at most 3 lookups are stuck in the system's resolver";
    expect(value).toEqual([said, said]);
  });

  it('finds the hosts of the simulated network, its failures and its silence', async () => {
    const { value, elapsedMs } = await simulate(
      function* ({ net }) {
        net.host('server', { addresses: ['10.0.0.9', 'fd00::9'] });
        net.dns.fail('broken', 'EAI_AGAIN');
        net.dns.never('silent');
        const all = yield* dns.lookup('server', { all: true });
        const six = yield* dns.lookup('server', { family: 6 });
        const errors = [];
        for (const name of ['nobody', 'broken', 'silent']) errors.push((yield* failure(dns.lookup(name))).code);
        const victim = spawn(() => dns.lookup('silent'));
        yield* sleep(10);
        victim.kill();
        yield* victim.join();
        return [all, six, errors];
      },
      { seed: 1 },
    );
    expect(value).toEqual([
      [
        { address: '10.0.0.9', family: 4 },
        { address: 'fd00::9', family: 6 },
      ],
      { address: 'fd00::9', family: 6 },
      ['ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT'],
    ]);
    expect(elapsedMs).toBeGreaterThanOrEqual(5010);
    nothingLeft();
  });
});
