// memcached.test.ts: the memcached sample against a memcached of its own, and against peers that are none.
import fc from 'fast-check';
import { connect, listen, type Op, run, type Socket, scope, serve, sleep, spawn, timeout, until } from 'tendril';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Memcached, type MemcachedOptions } from '../../samples/memcached.ts';
import { probeProgram } from '../services.ts';
import { outcomeOf, withClient } from './outcome.ts';
import { type PrivateServer, startServer } from './private-server.ts';
import { runSample } from './run-sample.ts';
import { expectNothingLeft } from './settled.ts';

const host = '127.0.0.1';
const program = probeProgram('memcached');
let server: PrivateServer;

function startMemcached(port?: number): Promise<PrivateServer> {
  const asRoot = process.getuid?.() === 0 ? ['-u', 'root'] : [];
  return startServer(program as string, (at) => ['-l', host, '-p', String(at), '-U', '0', '-t', '1', ...asRoot], port);
}

function withCache<T>(body: (cache: Memcached) => Op<T>, options: MemcachedOptions = {}): Promise<T> {
  return withClient(function* open() {
    return new Memcached({ port: server.port, ...options });
  }, body);
}

/** How many commands of a kind the server has seen. */
function* statistics(): Op<Map<string, number>> {
  const socket = yield* connect({ host, port: server.port });
  try {
    yield* socket.write('stats\r\n');
    const seen = new Map<string, number>();
    for (let line = yield* socket.readLine(); line !== 'END'; line = yield* socket.readLine()) {
      const [, name = '', value] = /^STAT (\S+) (\S+)$/.exec(line ?? '') ?? [];
      seen.set(name, Number(value));
    }
    return seen;
  } finally {
    socket.close();
  }
}

afterEach(expectNothingLeft);

describe.skipIf(program === undefined)('The memcached client', () => {
  beforeAll(async () => {
    server = await startMemcached();
  }, 30_000);
  afterAll(() => server?.end());

  it('stores and gives back any bytes', async () => {
    const values = [
      '',
      '\r\n',
      'END\r\nSTORED\r\n',
      'VALUE a 0 1\r\nx\r\nEND\r\n',
      'žluť 🍞',
      Uint8Array.from({ length: 256 }, (_, i) => i),
      new Uint8Array(900_000).fill(7),
    ];
    const same = await withCache(function* body(cache) {
      const seen: boolean[] = [];
      for (const value of values) {
        yield* cache.set('any', value);
        seen.push(Buffer.from(value).equals((yield* cache.get('any')) as Buffer));
      }
      return seen;
    });
    expect(same).toEqual(values.map(() => true));
  });

  it('does what each command says', async () => {
    const seen = await withCache(function* body(cache) {
      const results: unknown[] = [yield* cache.get('k'), yield* cache.replace('k', '1'), yield* cache.add('k', '1')];
      results.push(yield* cache.add('k', '2'), yield* cache.replace('k', '10', { flags: 7 }));
      const first = yield* cache.gets('k');
      results.push(
        first?.flags,
        yield* cache.cas('k', '11', first?.cas ?? 0n),
        yield* cache.cas('k', '12', first?.cas ?? 0n),
      );
      results.push(
        yield* cache.cas('none', '1', 5n),
        yield* cache.incr('k', 5),
        yield* cache.decr('k', 100n),
        yield* cache.incr('none'),
      );
      results.push(
        yield* cache.touch('k', 60),
        yield* cache.touch('none', 60),
        yield* cache.delete('k'),
        yield* cache.delete('k'),
      );
      yield* cache.set('big', String(2n ** 64n - 1n));
      results.push(yield* cache.incr('big'), (yield* cache.version()).length > 0);
      yield* cache.set('soon', 'x', { ttlSeconds: 1 });
      results.push((yield* cache.get('soon'))?.toString());
      yield* cache.touch('soon', 0);
      return results;
    });
    expect(seen).toEqual([
      ...[undefined, false, true, false, true],
      ...[7, 'stored', 'changed', 'missing', 16n, 0n, undefined],
      ...[true, false, true, false, 0n, true, 'x'],
    ]);
  });

  it('gets many keys at once, those that have a value', async () => {
    const seen = await withCache(function* body(cache) {
      const keys = Array.from({ length: 350 }, (_, i) => `many-${i}-${'x'.repeat(200)}`);
      yield* scope(function* crowd(s): Op<void> {
        for (const key of keys.filter((_, i) => i % 2 === 0)) s.spawn(() => cache.set(key, key.slice(0, 8)));
      });
      const found = yield* cache.getMany(keys);
      return [
        found.size,
        [...found].every(([key, value]) => value.toString() === key.slice(0, 8)),
        (yield* cache.getMany([])).size,
      ];
    });
    expect(seen).toEqual([175, true, 0]);
  });

  it('says what the server does not want, and goes on', async () => {
    const seen = await withCache(function* body(cache) {
      yield* cache.set('text', 'abc');
      const before = (yield* statistics()).get('total_connections') as number;
      const outcomes = [
        yield* outcomeOf(cache.incr('text')),
        yield* outcomeOf(cache.set('huge', new Uint8Array(2_000_000))),
        (yield* cache.get('text'))?.toString(),
      ];
      // One more of our own, to look.
      return [...outcomes, ((yield* statistics()).get('total_connections') as number) - before];
    });
    expect(seen).toEqual(['ERR_MEMCACHED', 'ERR_MEMCACHED', 'abc', 1]);
  });

  it('refuses what is no key, value or number, before anything is sent', async () => {
    const seen = await withCache(function* body(cache) {
      const before = yield* statistics();
      const outcomes: unknown[] = [];
      for (const op of [
        cache.get(''),
        cache.get('a b'),
        cache.get('a\r\nflush_all'),
        cache.get('a\0'),
        cache.get('x'.repeat(251)),
        cache.get('ž'.repeat(126)),
        cache.get('\ud800'),
        cache.get(5 as never),
        cache.getMany(['good', 'not good']),
        cache.set('a 0 0 1\r\nx\r\nset b', 'x'),
        cache.set('a', 5 as never),
        cache.set('a', 'x', { flags: -1 }),
        cache.set('a', 'x', { ttlSeconds: 1e9 }),
        cache.set('a', 'x', { ttlSeconds: '0\r\n' as never }),
        cache.incr('a', -1),
        cache.incr('a', 1.5),
        cache.incr('a', 2n ** 64n),
        cache.cas('a', 'x', -1n),
        cache.touch('a', Number.NaN),
        cache.delete('a noreply'),
      ])
        outcomes.push(yield* outcomeOf<unknown>(op));
      const after = yield* statistics();
      return [
        outcomes,
        ['cmd_get', 'cmd_set', 'cmd_touch', 'cmd_flush'].map((name) => after.get(name) === before.get(name)),
      ];
    });
    expect(seen).toEqual([Array.from({ length: 20 }, () => 'ERR_INVALID_ARG_VALUE'), [true, true, true, true]]);
  });

  it('gives each greenlet its own answer, also when others are killed at any moment', async () => {
    const seen = await withCache(function* body(cache) {
      for (let i = 0; i < 60; i += 1) yield* cache.set(`own-${i}`, `value ${i}`);
      for (let i = 0; i < 60; i += 1) {
        const victim = spawn(function* victim(): Op<void> {
          for (;;) yield* cache.getMany(['own-1', 'own-2']);
        });
        const asking = spawn(() => cache.get(`own-${i}`));
        for (let turns = 0; turns < (i * 7) % 30; turns += 1) yield* sleep(0);
        victim.kill();
        yield* victim.join();
        const value = (yield* asking.get())?.toString();
        if (value !== `value ${i}`) return `round ${i}: ${value}`;
      }
      return 'right';
    });
    expect(seen).toBe('right');
  });

  it('makes a new connection when the server was killed, also while nobody looked', async () => {
    let mortal = await startMemcached();
    const { port } = mortal;
    try {
      const seen = await withCache(
        function* body(cache) {
          yield* cache.set('a', '1');
          yield* until(mortal.end());
          const refused = yield* outcomeOf(cache.get('a'));
          mortal = yield* until(startMemcached(port));
          const empty = yield* cache.get('a');
          yield* cache.set('a', '2');
          yield* until(mortal.end());
          mortal = yield* until(startMemcached(port));
          return [refused, empty, yield* cache.get('a')];
        },
        { port },
      );
      expect(seen).toEqual(['ECONNREFUSED', undefined, undefined]);
    } finally {
      await mortal.end();
    }
  });

  it('puts exactly one command on the wire, or nothing: with the server as the judge', async () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.string({ unit: fc.constantFrom(' ', '\r', '\n', '\0', 'a', 'ž', '\ud800'), maxLength: 6 }),
    );
    let stored = 0;
    await withCache(function* body(cache) {
      yield* until(
        fc.assert(
          fc.asyncProperty(anyText, fc.uint8Array({ maxLength: 60 }), async (key, value) => {
            const outcome = await run(function* one(): Op<unknown> {
              const before = yield* statistics();
              const done = yield* outcomeOf<unknown>(cache.set(key, value));
              const after = yield* statistics();
              const sets = (after.get('cmd_set') as number) - (before.get('cmd_set') as number);
              if (done !== undefined) return [done, sets];
              stored += 1;
              return [Buffer.from(value).equals((yield* cache.get(key)) as Buffer), sets];
            });
            expect([
              [true, 1],
              ['ERR_INVALID_ARG_VALUE', 0],
            ]).toContainEqual(outcome);
          }),
          { numRuns: 40, seed: 4 },
        ),
      );
    });
    expect(stored).toBeGreaterThan(5);
    expect(stored).toBeLessThan(40);
  });

  it('runs as a program, and says what is missing', { timeout: 60_000 }, async () => {
    const [good, bad] = await Promise.all([runSample('memcached', String(server.port)), runSample('memcached', '1')]);
    expect(good).toEqual({
      status: 0,
      stdout: `a number: 42
added again: false
found: rye, 42
three bakers, no loaf lost: oat, rye, spelt, wheat
an error, where it belongs: CLIENT_ERROR cannot increment or decrement non-numeric value
`,
      stderr: '',
    });
    expect(bad).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'No memcached answers: connect to 127.0.0.1:1 failed: ECONNREFUSED 127.0.0.1:1. Start one with: memcached -l 127.0.0.1\n',
    });
  });
});

/** Run `body` with a client of a server that does with a connection what `handler` does. */
function withPeer<T>(
  handler: (socket: Socket) => Op<void>,
  body: (cache: Memcached) => Op<T>,
  options: MemcachedOptions = {},
): Promise<T> {
  return run(function* test(): Op<T> {
    const listener = yield* listen({ host, port: 0 });
    return yield* scope(function* beside(s): Op<T> {
      const peer = s.spawn(serve, listener, handler, { graceMs: 0 });
      const cache = new Memcached({ port: listener.address.port, ...options });
      try {
        return yield* timeout(10_000, body(cache));
      } finally {
        cache.close();
        peer.kill();
        listener.close();
      }
    });
  });
}

describe('A peer that is no memcached', () => {
  it.for([
    ['closes', '', 'ERR_MEMCACHED_PROTOCOL'],
    ['gives another key', 'VALUE b 0 1\r\nx\r\nEND\r\n', 'ERR_MEMCACHED_PROTOCOL'],
    ['gives a value without an end', 'VALUE a 0 1\r\nxyz\r\nEND\r\n', 'ERR_MEMCACHED_PROTOCOL'],
    ['goes in the middle of a value', 'VALUE a 0 10\r\nxyz', 'ERR_INCOMPLETE_READ'],
    ['announces 4 GiB', 'VALUE a 0 4294967296\r\n', 'ERR_MEMCACHED_PROTOCOL'],
    ['announces a negative size', 'VALUE a 0 -1\r\n', 'ERR_MEMCACHED_PROTOCOL'],
    ['never ends its line', 'x'.repeat(5_000), 'ERR_LINE_TOO_LONG'],
    ['answers something else', 'STORED\r\n', 'ERR_MEMCACHED_PROTOCOL'],
  ])('is dropped when it %s, and the next command begins anew', async ([, says, code]) => {
    let connections = 0;
    const seen = await withPeer(
      function* handler(socket): Op<void> {
        connections += 1;
        const mine = connections;
        while ((yield* socket.readLine()) !== null) {
          yield* socket.write(mine === 1 ? (says as string) : 'VALUE a 0 2\r\nok\r\nEND\r\n');
          if (mine === 1) return yield* socket.closeGracefully({ lingerMs: 50 });
        }
      },
      function* body(cache): Op<unknown> {
        return [yield* outcomeOf(cache.get('a')), String(yield* outcomeOf(cache.get('a')))];
      },
    );
    expect([seen, connections]).toEqual([[code, 'ok'], 2]);
  });

  it('whose late answer belongs to a command that was given up does not give it to the next', async () => {
    const seen = await withPeer(
      function* slow(socket): Op<void> {
        for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine()) {
          const key = line.split(' ')[1] as string;
          if (key === 'late') yield* sleep(30);
          yield* socket.write(`VALUE ${key} 0 ${key.length}\r\n${key}\r\nEND\r\n`);
        }
      },
      function* body(cache): Op<unknown> {
        return [
          yield* outcomeOf(timeout(5, cache.get('late'))),
          String(yield* cache.get('next')),
          yield* outcomeOf(timeout(5, cache.get('late'))),
          String(yield* cache.get('again')),
        ];
      },
    );
    expect(seen).toEqual(['ERR_TIMEOUT', 'next', 'ERR_TIMEOUT', 'again']);
  });

  it('that does not answer is given up', async () => {
    const outcome = await withPeer(
      function* silent(socket): Op<void> {
        while ((yield* socket.read()) !== null);
      },
      (cache) => outcomeOf<unknown>(cache.get('a')),
      { replyMs: 10 },
    );
    expect(outcome).toBe('ERR_TIMEOUT');
  });

  it('cannot confuse the client, whatever it sends and however that is cut', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'VALUE a 0 1\r\nx\r\n',
        'VALUE a 0 2 77\r\n\r\n\r\n',
        'END\r\n',
        'ERROR\r\n',
        'SERVER_ERROR x\r\n',
        'STORED\r\n',
        '5\r\n',
        'NOT_FOUND\r\n',
      ),
      fc.string({ unit: 'binary', maxLength: 12 }),
    );
    let said = { bytes: Buffer.alloc(0), cut: 0 };
    const declared = ['ERR_MEMCACHED', 'ERR_MEMCACHED_PROTOCOL', 'ERR_INCOMPLETE_READ', 'ECONNRESET'];
    await withPeer(
      function* handler(socket): Op<void> {
        yield* socket.readLine();
        const { bytes, cut } = said;
        yield* socket.write(bytes.subarray(0, cut));
        yield* socket.flush();
        yield* socket.write(bytes.subarray(cut));
        yield* socket.closeGracefully({ lingerMs: 50 });
      },
      function* body(cache): Op<void> {
        const commands: (() => Op<unknown>)[] = [
          () => cache.get('a'),
          () => cache.gets('a'),
          () => cache.incr('a'),
          () => cache.set('a', 'b'),
        ];
        yield* until(
          fc.assert(
            fc.asyncProperty(fc.array(piece, { maxLength: 4 }), fc.nat(20), fc.nat(3), async (pieces, cut, which) => {
              said = { bytes: Buffer.from(pieces.join('')), cut };
              const outcome = await run(() => outcomeOf(timeout(5_000, (commands[which] as () => Op<unknown>)())));
              if (typeof outcome === 'string') expect(declared).toContain(outcome);
            }),
            { numRuns: 150, seed: 5 },
          ),
        );
      },
    );
  });
});
