// travel.test.ts: what can travel is what structuredClone can clone, and what cannot is named by its path.
import { createSecretKey, webcrypto } from 'node:crypto';
import { open } from 'node:fs/promises';
import { BlockList, SocketAddress } from 'node:net';
import { createHistogram } from 'node:perf_hooks';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { move } from 'tendril/executors';
import { describe, expect, it } from 'vitest';
import { processRules, threadRules } from '../../executors/local/carried.ts';
import { Prototypes } from '../../executors/manager/proxies.ts';
import { isMoved } from '../../executors/move.ts';
import { checkTravels, type TravelRules } from '../../executors/travel.ts';

const rules = { where: 'a thread', maxBytes: 1e6, passes: () => false };

function refusal(value: unknown, of: Partial<TravelRules> = {}): string | undefined {
  try {
    checkTravels(value, 'argument 1', { ...rules, ...of });
    return undefined;
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
}

function clones(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

describe('checkTravels', () => {
  it('names the path', () => {
    const deep = { list: [{ a: 1 }, { 'not a name': { run() {} } }], map: new Map([['k', new Set([Symbol('s')])]]) };
    expect(refusal(deep)).toBe(
      'ERR_CANNOT_TRAVEL: argument 1.list[1]["not a name"].run is a function \'run\', which cannot travel to a thread: pass data',
    );
    expect(refusal({ map: deep.map })).toMatch(/a member of argument 1\.map\.get\("k"\) is/);
    expect(refusal(new Error('x', { cause: () => 1 }))).toMatch(/argument 1\.cause is a function/);
  });

  it('adds up what a value weighs and refuses what is too heavy', () => {
    expect(refusal(new Uint8Array(2e6))).toMatch(
      /^ERR_MESSAGE_TOO_LARGE: argument 1 brings the message to 2000 kB, over the limit of 1000 kB \(maxBytes\)/,
    );
    expect(refusal('x'.repeat(600_000))).toMatch(/^ERR_MESSAGE_TOO_LARGE/);
    expect(refusal(Array.from({ length: 1e5 }, () => ({})))).toMatch(/^ERR_MESSAGE_TOO_LARGE/);
    expect(checkTravels([new ArrayBuffer(1000), 'abc'], 'x', rules)).toBeGreaterThan(1000);
  });

  it('refuses what is nested deeper than the other side can surely read', () => {
    const nested = (wrap: (inner: unknown) => unknown, depth: number): unknown =>
      depth === 0 ? 'inner' : wrap(nested(wrap, depth - 1));
    const wraps: ((inner: unknown) => unknown)[] = [
      (x) => ({ x }),
      (x) => [x],
      (x) => new Map([[1, x]]),
      (x) => new Map([[x, 1]]),
      (x) => new Set([x]),
      (x) => new Error('', { cause: x }),
    ];
    for (const wrap of wraps) {
      expect([refusal(nested(wrap, 1_000)), refusal([nested(wrap, 999), nested(wrap, 999)])]).toEqual([
        undefined,
        undefined,
      ]);
      expect(refusal(nested(wrap, 1_001))).toBe(
        'ERR_CANNOT_TRAVEL: argument 1 has more than 1000 objects one in another, too many for a thread to read: pass a list of them, or text',
      );
    }
  });

  it('ends for cycles, and counts what is shared once', () => {
    const ring: { next?: unknown; data: Uint8Array } = { data: new Uint8Array(400_000) };
    ring.next = { ring, data: ring.data };
    expect(refusal([ring, ring, ring])).toBe(undefined);
  });

  it('agrees with structuredClone about odd objects', () => {
    class Mine {
      readonly x = 1;
    }
    const odd: unknown[] = [
      new Mine(),
      new Date(),
      /x/g,
      new WeakMap(),
      new WeakRef({}),
      Promise.resolve(1),
      new Proxy({}, {}),
      (function* () {})(),
      [1][Symbol.iterator](),
      new Map([[{}, 1]]),
      Object(1n),
      Object('text'),
      new DataView(new ArrayBuffer(3)),
      Buffer.from('x'),
      () => 1,
      Symbol('s'),
      new Error('x'),
      Object.create(null),
      // biome-ignore lint/suspicious/noSparseArray: a hole is no value
      [1, , 2],
    ];
    for (const value of odd)
      expect(`${inspect(value)} ${refusal(value) === undefined}`).toBe(`${inspect(value)} ${clones(value)}`);
  });

  it('agrees with structuredClone about any data, with a function somewhere or without', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withNullPrototype: true,
        }),
        fc.boolean(),
        (value, spoil) => {
          const given = spoil ? { value, last: [() => 1] } : { value };
          expect(refusal(given) === undefined).toBe(clones(given));
        },
      ),
    );
  });
});

describe('What threads and processes carry', () => {
  it('is no object that would arrive empty in a process', async () => {
    const file = await open(import.meta.filename);
    const key = await webcrypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, true, ['sign']);
    const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
    const { WebAssembly } = globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } };
    const cloned = [
      createSecretKey(Buffer.from('key')),
      key,
      new BlockList(),
      new SocketAddress({ port: 1 }),
      new Blob(['text']),
      new WebAssembly.Module(bytes),
    ];
    try {
      for (const value of [...cloned, createHistogram(), file])
        expect(refusal({ value }, processRules), inspect(value)).toMatch(
          /argument 1\.value is a \w+, which cannot travel to another process: pass data/,
        );
      expect(cloned.map((value) => refusal({ value }, threadRules))).toEqual(cloned.map(() => undefined));
      expect(refusal({ file }, threadRules)).toMatch(
        /argument 1\.file is a FileHandle, .* hand it over with move\(\.\.\.\)/,
      );
      class MyKey {
        readonly id = 1;
      }
      expect(refusal([new MyKey(), new Date(), Buffer.from('x'), new Error('x')], processRules)).toBe(undefined);
    } finally {
      await file.close();
    }
  });

  it('is no proxy of an object in a manager', () => {
    const home = { address: '', call: () => assertNever() };
    const { proxy } = new Prototypes(home).proxy({ object: 1, name: '@list', methods: ['size'], undone: [] });
    for (const of of [threadRules, processRules])
      expect(refusal({ proxy }, of)).toMatch(/argument 1\.proxy is .*: pass refOf\(\) of it, and attach\(\) there/);
    class Managed {
      get [Symbol.toStringTag](): string {
        return 'Managed by hand';
      }
    }
    expect(refusal(new Managed(), threadRules)).toBe(undefined);
  });

  it('is a mark of move by itself alone, and one inside of an argument is used up', () => {
    const [outer, inner] = [move(new Uint8Array(4)), move(new Uint8Array(4))];
    expect([refusal(outer, threadRules), isMoved(outer)]).toEqual([undefined, true]);
    expect(refusal({ list: [inner] }, threadRules)).toMatch(
      /argument 1\.list\[0\] is a Uint8Array, .* moved only by itself/,
    );
    expect([isMoved(inner), refusal({ list: [inner] }, threadRules)]).toEqual([false, undefined]);
  });

  it('counts what is copied: by threads all the buffer of a view, once', () => {
    const view = new Uint8Array(new ArrayBuffer(700_000), 0, 10);
    const both = [view, new Uint8Array(view.buffer, 5, 10)];
    expect([refusal(both, threadRules), refusal(both, processRules)]).toEqual([undefined, undefined]);
    const large = new Uint8Array(new ArrayBuffer(2_000_000), 0, 10);
    expect([refusal(large, threadRules), refusal(large, processRules)]).toEqual([
      expect.stringMatching(/^ERR_MESSAGE_TOO_LARGE: argument 1 brings the message to 2000 kB/),
      undefined,
    ]);
    expect(refusal(move(large), threadRules)).toBe(undefined);
    expect(refusal(new Uint8Array(move(view.buffer)), threadRules)).toBe(undefined);
  });
});

function assertNever(): never {
  throw new Error('not called');
}
