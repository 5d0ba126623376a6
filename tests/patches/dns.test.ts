// dns.test.ts: lookups in greenlets keep to the limit, what a killed greenlet has asked is cancelled, and outside greenlets nothing is different.
import { AsyncLocalStorage } from 'node:async_hooks';
import dns from 'node:dns';
import dnsPromises from 'node:dns/promises';
import { once } from 'node:events';
import net from 'node:net';
import { promisify } from 'node:util';
import { callback, isKilled, type Op, run, scope, sleep, spawn, until } from 'tendril';
import { patchDns, patchNet } from 'tendril/patches';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { lookups } from '../../io/dns-lookups.ts';
import { answerTo, type Rude, startRudeServer } from '../io/dns-servers.ts';
import { type StuckPool, stuckPool } from '../io/stuck-pool.ts';
import { leaksWith } from './owning.ts';

const file = 'dns.test.ts';

type Call = (name: string, done: (error: unknown, value?: unknown) => void) => void;
const settle = (promise: Promise<unknown>, done: (error: unknown, value?: unknown) => void): void =>
  void promise.then((value) => done(null, value), done);

describe('A lookup in a greenlet', () => {
  let pool: StuckPool | undefined;
  afterEach(async () => {
    await pool?.free();
    // Those that were in the pool come back, unheard.
    while (lookups.load().running > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  const ways: readonly (readonly [name: string, call: Call])[] = [
    ['dns.lookup', (name, done) => dns.lookup(name, done)],
    ['dns.promises.lookup', (name, done) => settle(dnsPromises.lookup(name), done)],
  ];

  it.each(ways)(
    'F117 by %s ends with ECANCELLED when it is killed, and waits for its turn no more',
    async (_, call) => {
      const seen: unknown[] = [];
      pool = await stuckPool();
      const leaks = await leaksWith(patchDns, file, async () => {
        const told: Promise<unknown>[] = [];
        await run(function* () {
          const g = spawn(function* () {
            yield* scope(function* (s) {
              for (let n = 0; n < 5; n += 1) {
                s.spawn(function* () {
                  try {
                    yield* callback((done) => {
                      told.push(
                        new Promise((resolve) => {
                          call('localhost', (error) => {
                            resolve((error as NodeJS.ErrnoException).code);
                            done(error);
                          });
                        }),
                      );
                    });
                  } catch (error) {
                    seen.push([isKilled(error), (error as Error).stack?.includes(file)]);
                    throw error;
                  }
                });
              }
              while (told.length < 5) yield* sleep(0);
              seen.push(lookups.load());
              g.kill();
              yield* sleep(0);
            });
          });
          yield* g.join();
        });
        seen.push(await Promise.all(told), lookups.load());
      });
      expect({ seen, leaks }).toEqual({
        seen: [
          { running: 3, most: 3, queued: 2 },
          ...Array.from({ length: 5 }, () => [true, true]),
          Array.from({ length: 5 }, () => 'ECANCELLED'),
          { running: 3, most: 3, queued: 0 },
        ],
        leaks: [],
      });
    },
  );

  it('gives what it gives outside, with every shape of arguments, in the store of the caller', async () => {
    const shapes: (() => Promise<unknown>)[] = [
      () => new Promise((resolve) => dns.lookup('localhost', (...args) => resolve(args))),
      () => new Promise((resolve) => dns.lookup('localhost', 4, (...args) => resolve(args))),
      () => new Promise((resolve) => dns.lookup('localhost', { all: true }, (...args) => resolve(args))),
      () =>
        new Promise((resolve) =>
          dns.lookup('localhost', { family: 4, hints: dns.ADDRCONFIG }, (...args) => resolve(args)),
        ),
      () => new Promise((resolve) => dns.lookup('127.0.0.1', (...args) => resolve(args))),
      () =>
        new Promise((resolve) => dns.lookup('no-such-name.invalid', (error) => resolve([error?.code, error?.syscall]))),
      () => promisify(dns.lookup)('localhost', { family: 4 }),
      () => dnsPromises.lookup('localhost', { family: 4 }),
      () => dnsPromises.lookup('localhost', { all: true, verbatim: true }),
      () =>
        dnsPromises.lookup('no-such-name.invalid').catch((error: NodeJS.ErrnoException) => [error.code, error.syscall]),
    ];
    const outside: unknown[] = [];
    for (const shape of shapes) outside.push(await shape());
    const storage = new AsyncLocalStorage<string>();
    const inside: unknown[] = [];
    const stores: unknown[] = [];
    await leaksWith(patchDns, file, () =>
      run(function* () {
        storage.enterWith('here');
        for (const shape of shapes) inside.push(yield* until(shape()));
        yield* callback((done) =>
          dns.lookup('localhost', () => {
            stores.push(storage.getStore());
            done();
          }),
        );
      }),
    );
    expect({ inside, stores }).toEqual({ inside: outside, stores: ['here'] });
  });

  it('refuses what Node refuses', async () => {
    const codes: unknown[] = [];
    await leaksWith(patchDns, file, () =>
      run(function* () {
        for (const call of [
          () => dns.lookup('x', { family: 5 } as never, () => {}),
          () => dns.lookup('x', 'y' as never, () => {}),
          () => dns.lookup('x', undefined as never),
        ]) {
          try {
            call();
          } catch (error) {
            codes.push((error as NodeJS.ErrnoException).code);
          }
        }
      }),
    );
    expect(codes).toEqual(['ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE']);
  });

  it('of a socket that connects to a name keeps to the limit too', async () => {
    pool = await stuckPool();
    const seen: unknown[] = [];
    const patch = patchNet();
    await leaksWith(patchDns, file, () =>
      run(function* () {
        const g = spawn(function* () {
          for (let n = 0; n < 5; n += 1) net.connect({ port: 1, host: 'localhost' });
          seen.push(lookups.load());
          g.kill();
          yield* sleep(0);
        });
        yield* g.join();
      }),
    );
    patch.undo();
    expect(seen).toEqual([{ running: 3, most: 3, queued: 2 }]);
  });
});

describe('A query in a greenlet', () => {
  let silent: Rude;
  let server: Rude;
  const servers = dns.getServers();
  const asked = { count: 0, told: (): void => {} };
  beforeAll(async () => {
    silent = await startRudeServer(() => {
      asked.count += 1;
      asked.told();
    });
    server = await startRudeServer((query, send) => send(answerTo(query, { records: [Buffer.from([192, 0, 2, 1])] })));
  });
  afterAll(async () => {
    dns.setServers(servers);
    dnsPromises.setServers(servers);
    await Promise.all([silent.end(), server.end()]);
  });
  const use = ({ address }: Rude): void => {
    dns.setServers([address]);
    dnsPromises.setServers([address]);
  };

  const own = (): dns.Resolver => {
    const resolver = new dns.Resolver();
    resolver.setServers([...dns.getServers()]);
    return resolver;
  };
  const ownPromises = (): dnsPromises.Resolver => {
    const resolver = new dnsPromises.Resolver();
    resolver.setServers([...dns.getServers()]);
    return resolver;
  };
  const ways: readonly (readonly [name: string, call: Call])[] = [
    ['dns.resolve4', (name, done) => dns.resolve4(name, done)],
    ['dns.resolve', (name, done) => dns.resolve(name, 'A', done)],
    ['dns.promises.resolve4', (name, done) => settle(dnsPromises.resolve4(name), done)],
    ['Resolver.resolve4', (name, done) => own().resolve4(name, done)],
    ['promises.Resolver.resolve4', (name, done) => settle(ownPromises().resolve4(name), done)],
  ];

  it.each(ways)('F117 by %s ends with ECANCELLED when it is killed', async (_, call) => {
    use(silent);
    const arrived = new Promise<void>((resolve) => (asked.told = resolve));
    const seen: unknown[] = [];
    await leaksWith(patchDns, file, async () => {
      let told: Promise<unknown> | undefined;
      await run(function* () {
        const g = spawn(function* (): Op<void> {
          told = new Promise((resolve) => call('a.test', (error) => resolve((error as NodeJS.ErrnoException).code)));
          yield* until(arrived);
          g.kill();
          yield* until(told);
        });
        yield* g.join();
      });
      seen.push(await told);
    });
    expect(seen).toEqual(['ECANCELLED']);
  });

  it.each(ways)('by %s is answered as ever', async (_, call) => {
    use(server);
    const seen: unknown[] = [];
    await leaksWith(patchDns, file, () =>
      run(function* () {
        seen.push(yield* callback((done) => call('a.test', done)));
      }),
    );
    expect(seen).toEqual([['192.0.2.1']]);
  });
});

describe('With patchDns', () => {
  it('outside greenlets everything is Node’s own', async () => {
    const before = await dnsPromises.lookup('localhost');
    const patch = patchDns();
    const after = await dnsPromises.lookup('localhost');
    const server = net.createServer((peer) => peer.end()).listen(0, 'localhost');
    await once(server, 'listening');
    server.close();
    patch.undo();
    expect(after).toEqual(before);
  });
});
