// streams-memory.test.ts: memoryPair() behaves as a Unix socket does, in the process and in a simulated world; what is its own.
import { DeadlockError, hub, memoryPair, type Op, openHandles, run, Socket, spawn, yieldNow } from 'tendril';
import { explore, simulate, type World } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { memoryTransports } from '../../io/memory-transport.ts';
import type { PairOptions, Role } from '../conformance/ground.ts';
import { onPairs, pairCases } from '../conformance/pairs.ts';
import { failure, nothingLeft } from './peers.ts';

/** Everything up to the end, as text. */
function* readAll(socket: Socket): Op<string> {
  let all = '';
  for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) all += chunk;
  return all;
}

function* makePair(_role: Role, { near, far }: PairOptions) {
  const [a, b] = memoryPair(near ?? {}, far ?? {});
  return { near: a, far: b };
}

const visit = onPairs(makePair, 'Unix', 2);

describe.each(pairCases)('%s in memory', (_subject, cases) => {
  for (const { title, expected, body, absent } of cases) {
    if (absent.Unix !== undefined) continue;
    it(title, async () => {
      expect(await run(visit, body)).toEqual(expected);
      expect(openHandles().names).toEqual([]);
    });
    it(`${title}, in a simulated world`, async () => {
      const { value } = await simulate(() => visit(body));
      expect(value).toEqual(expected);
      expect(openHandles().names).toEqual([]);
    });
  }
});

describe('The behaviours of a pair in memory', () => {
  it('are at least sixty', () => {
    const run = pairCases.flatMap(([, cases]) => cases).filter(({ absent }) => absent.Unix === undefined);
    expect(run.length).toBeGreaterThanOrEqual(60);
  });
});

describe('memoryPair', () => {
  it('gives two sockets with names of their own, the same in each run of a simulation', async () => {
    const names = (): Promise<string[]> =>
      simulate(function* () {
        const [a, b] = memoryPair();
        const [c, d] = memoryPair();
        const all = [a, b, c, d].map(String);
        for (const socket of [a, b, c, d]) socket.close();
        return [...all, String(a.localAddress), String(a.remoteAddress)];
      }).then(({ value }) => value);
    const first = await names();
    expect(first).toEqual([
      'socket memory-1a',
      'socket memory-1b',
      'socket memory-2a',
      'socket memory-2b',
      'memory-1a',
      'memory-1b',
    ]);
    expect(await names()).toEqual(first);
  });

  it('delivers what was written in a turn by its end, with no time passing', async () => {
    const { value, elapsedMs } = await simulate(function* () {
      const [a, b] = memoryPair();
      const reader = spawn(() => readAll(b));
      for (let i = 0; i < 1000; i += 1) yield* a.write(`${i} `);
      a.close();
      const got = yield* reader.get();
      b.close();
      return got.split(' ').length;
    });
    expect({ value, elapsedMs }).toEqual({ value: 1001, elapsedMs: 0 });
  });

  it('keeps at most the capacity and both marks in memory for a peer that does not read', () =>
    run(function* () {
      const [a, b] = memoryPair({ highWaterMark: 1000 }, { highWaterMark: 500, capacity: 2000 });
      let written = 0;
      const writer = spawn(function* () {
        for (;;) {
          yield* a.write(Buffer.alloc(100));
          written += 100;
        }
      });
      while (writer.state !== 'parked') yield* yieldNow();
      for (let i = 0; i < 20; i += 1) yield* yieldNow();
      // The peer's mark and one delivery over it, the capacity, our own mark.
      expect(written).toBeLessThanOrEqual(500 + 2000 + 2000 + 1000);
      expect(a.unsent).toBeLessThanOrEqual(1000 + 100);
      writer.kill();
      yield* writer.join();
      let read = 0;
      a.end();
      for (let chunk = yield* b.read(); chunk !== null; chunk = yield* b.read()) read += chunk.length;
      expect(read).toBe(written);
      a.close();
      b.close();
    }).then(nothingLeft));

  it('has what it took when a flush returns: the writer’s memory is its own again', () =>
    run(function* () {
      const [a, b] = memoryPair();
      const data = Buffer.from('as it was');
      yield* a.write(data);
      yield* a.flush();
      data.fill('!');
      a.end();
      expect(yield* readAll(b)).toBe('as it was');
      a.close();
      b.close();
    }).then(nothingLeft));

  it('is no wait for something outside: with nobody left to write it is a deadlock', async () => {
    const report = await simulate(function* () {
      const [a, b] = memoryPair();
      try {
        yield* a.read();
      } finally {
        a.close();
        b.close();
      }
    }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(report).toBeInstanceOf(DeadlockError);
    expect(String(report)).toContain('read on socket memory-1a');
    await run(function* () {
      const [a, b] = memoryPair();
      const reader = spawn(() => a.read());
      yield* yieldNow();
      expect(hub.stats().externalWaits).toBe(0);
      b.close();
      expect(yield* reader.get()).toBe(null);
      a.close();
    });
  });

  it('refuses bad options and leaves nothing open', () =>
    run(function* () {
      const bad: readonly (readonly [() => unknown, string])[] = [
        [() => memoryPair({ capacity: 0 }), 'ERR_OUT_OF_RANGE'],
        [() => memoryPair({}, { highWaterMark: 1.5 }), 'ERR_OUT_OF_RANGE'],
        [() => memoryPair({}, { halfOpen: 'yes' as unknown as boolean }), 'ERR_INVALID_ARG_TYPE'],
        [() => memoryPair(5 as unknown as object), 'ERR_INVALID_ARG_TYPE'],
      ];
      for (const [call, code] of bad) {
        const { code: got } = yield* failure(
          (function* () {
            call();
          })(),
        );
        expect(got).toBe(code);
      }
    }).then(nothingLeft));

  it('may be closed from ordinary code, and tells the other end', async () => {
    const [a, b] = memoryPair();
    const got = run(() => readAll(b));
    await run(() => a.write('from afar'));
    a.close();
    expect(await got).toBe('from afar');
    b.close();
    nothingLeft();
  });

  it('holds its invariants after every step, whoever runs next and whoever is killed', async () => {
    function* body(world: World): Op<void> {
      const [one, other] = memoryTransports(5, 7);
      const a = new Socket(one, 4, true);
      const b = new Socket(other, 6, true);
      world.always(() => {
        one.check();
        other.check();
      });
      const sent = 'abcdefghijklmnopqrstuvwxyz0123456789';
      const writer = spawn(function* () {
        for (let at = 0; at < sent.length; at += 3) yield* a.write(sent.slice(at, at + 3));
        a.end();
      });
      const got: string[] = [];
      const reading = function* (): Op<void> {
        for (let chunk = yield* b.read(4); chunk !== null; chunk = yield* b.read(4)) got.push(String(chunk));
      };
      const first = spawn(reading);
      const answerer = spawn(function* () {
        yield* b.write('answer');
        b.end();
      });
      if (world.chance(0.5)) {
        for (let i = world.choose(6); i > 0; i -= 1) yield* yieldNow();
        first.kill();
        yield* first.join();
        yield* reading();
      } else {
        yield* first.join();
      }
      yield* writer.join();
      yield* answerer.join();
      const answer = yield* readAll(a);
      a.close();
      b.close();
      if (got.join('') !== sent || answer !== 'answer') throw new Error(`${got.join('')}, ${answer}`);
    }
    const { runs } = await explore(body, { seeds: 300 });
    expect({ runs, open: openHandles().names }).toEqual({ runs: 300, open: [] });
  });
});
