// promise.test.ts: promises as Ops.
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { files, isKilled, run, select, sleep, spawn, TimeoutError, timeout, until } from 'tendril';
import { patchPromise } from 'tendril/patches';
import type {} from 'tendril/patches/promise';
import { afterEach, describe, expect, it } from 'vitest';

const before = Object.getOwnPropertyDescriptor(Promise.prototype, Symbol.iterator);
afterEach(() => patchPromise().undo());

describe('A promise, patched', () => {
  it('is waited for with yield*', async () => {
    patchPromise();
    const value = await run(function* () {
      const first = yield* Promise.resolve('a');
      const later = yield* new Promise<string>((resolve) => setImmediate(resolve, 'b'));
      return first + later;
    });
    expect(value).toBe('ab');
  });

  it('throws what it rejects with', async () => {
    patchPromise();
    const error = new Error('no');
    const caught = await run(function* () {
      try {
        yield* Promise.reject(error);
        return undefined;
      } catch (thrown) {
        return thrown;
      }
    });
    expect(caught).toBe(error);
  });

  it('is left by a kill and by a timeout, which say so', async () => {
    patchPromise();
    const never = new Promise<never>(() => {});
    const seen = await run(function* () {
      const waiting = spawn(function* () {
        try {
          yield* never;
        } catch (error) {
          return isKilled(error);
        }
        return false;
      });
      yield* sleep(1);
      waiting.kill();
      const killed = yield* waiting.get();
      let timedOut: unknown;
      try {
        yield* timeout(1, never);
      } catch (error) {
        timedOut = error;
      }
      return { killed, timedOut: timedOut instanceof TimeoutError };
    });
    expect(seen).toEqual({ killed: true, timedOut: true });
  });

  it('is not iterable for code outside greenlets, and Duplex.from takes it as a promise', async () => {
    patchPromise();
    const promise = Promise.resolve('text');
    expect((promise as Partial<Iterable<unknown>>)[Symbol.iterator]).toBeUndefined();
    const chunks: unknown[] = [];
    for await (const chunk of Duplex.from(promise)) chunks.push(chunk);
    expect(chunks).toEqual(['text']);
    expect(() => [...(promise as unknown as Iterable<unknown>)]).toThrow(TypeError);
  });

  it('refuses in a greenlet to be iterated by anything but yield*', async () => {
    patchPromise();
    const caught = await run(function* () {
      const codes: unknown[] = [];
      const promise = Promise.resolve(1) as unknown as Iterable<unknown>;
      for (const iterate of [() => [...promise], () => new Set(promise), () => Array.from(promise)]) {
        try {
          iterate();
        } catch (error) {
          codes.push((error as { code?: unknown }).code);
        }
      }
      yield* sleep(0);
      return codes;
    });
    expect(caught).toEqual(['ERR_OP_ITERATED', 'ERR_OP_ITERATED', 'ERR_OP_ITERATED']);
  });

  it('that is given as data to write is refused, and the file is as it was', async () => {
    patchPromise();
    const file = join(tmpdir(), `promise-${process.pid}.txt`);
    await fs.promises.writeFile(file, 'precious');
    const text = (): Promise<string> => Promise.resolve('new text');
    const codes = await run(function* () {
      const found: unknown[] = [];
      for (const write of [
        () => until(fs.promises.writeFile(file, text() as never)),
        () => until(fs.promises.appendFile(file, text() as never)),
        () => files.writeFile(file, text() as never),
        () => files.writeFile(file, sleep(1) as never),
      ]) {
        try {
          yield* write();
        } catch (error) {
          found.push((error as { code?: unknown }).code);
        }
      }
      return found;
    });
    const kept = await fs.promises.readFile(file, 'utf8');
    await fs.promises.unlink(file);
    expect({ codes, kept }).toEqual({ codes: Array(4).fill('ERR_INVALID_ARG_TYPE'), kept: 'precious' });
  });

  it('can still be given an iterator of its own', () => {
    patchPromise();
    const own = function* () {
      yield 1;
    };
    const promise = Promise.resolve();
    (promise as unknown as Record<PropertyKey, unknown>)[Symbol.iterator] = own;
    expect((promise as unknown as Record<PropertyKey, unknown>)[Symbol.iterator]).toBe(own);
  });

  it('of a subclass is one too', async () => {
    patchPromise();
    class Query<T> extends Promise<T> {}
    const value = await run(function* () {
      return yield* new Query<number>((resolve) => resolve(3));
    });
    expect(value).toBe(3);
  });

  it('is as before when the patch is undone', () => {
    patchPromise().undo();
    expect(Object.getOwnPropertyDescriptor(Promise.prototype, Symbol.iterator)).toEqual(before);
    expect(Symbol.iterator in Promise.resolve()).toBe(false);
  });

  it('may be one arm of a select through until only, and says so', async () => {
    patchPromise();
    const message = await run(function* () {
      try {
        yield* select({ a: Promise.resolve() as never });
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(message).toMatch(/promise/);
  });
});
