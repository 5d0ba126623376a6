// blocking.test.ts: a call in a greenlet that stops all others is warned of, with the Op to use.
import { execSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import zlib from 'node:zlib';
import { run, sleep } from 'tendril';
import { patchBlocking } from 'tendril/patches';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

interface Warned {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly detail: string;
}
let warnings: Warned[] = [];
const listener = (warning: Error): void => void warnings.push(warning as unknown as Warned);

beforeEach(() => {
  warnings = [];
  process.on('warning', listener);
  patchBlocking();
});
afterEach(() => {
  patchBlocking().undo();
  process.removeListener('warning', listener);
});

/** Let the process tell its warnings, which it does on the next tick. */
const told = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('patchBlocking', () => {
  it('warns once for a place, with the stack and the Op to use, and makes the call', async () => {
    const lengths = await run(function* readerOfConfiguration() {
      const found: number[] = [];
      for (let index = 0; index < 3; index += 1) found.push(fs.readFileSync(import.meta.filename).length);
      yield* sleep(0);
      return found;
    });
    await told();
    expect(lengths.every((length) => length > 0)).toBe(true);
    expect(warnings).toMatchObject([
      {
        name: 'BlockingCallWarning',
        code: 'TENDRIL_BLOCKING_CALL',
        message: expect.stringMatching(
          /^fs\.readFileSync in greenlet-\d+ .*`yield\* readFile\(\.\.\.\)` of 'tendril\/patches\/fs'/,
        ) as string,
        detail: expect.stringMatching(/readerOfConfiguration.*blocking\.test\.ts/) as string,
      },
    ]);
  });

  it.each<[string, () => unknown]>([
    ['child_process.execSync', () => execSync('true')],
    ['crypto.scryptSync', () => crypto.scryptSync('a', 'b', 8, { N: 16 })],
    ['zlib.gzipSync', () => zlib.gzipSync('a')],
    ['fs.statSync', () => fs.statSync('.')],
    ['Atomics.wait', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)],
  ])('warns of %s', async (call, make) => {
    await run(function* () {
      make();
      yield* sleep(0);
    });
    await told();
    expect(warnings.map(({ message }) => message.split(' ')[0])).toEqual([call]);
  });

  it('is silent outside greenlets, for what Node calls itself, and for what is quick', async () => {
    fs.readFileSync(import.meta.filename);
    await run(function* () {
      createRequire(import.meta.url)('tough-cookie');
      crypto.randomFillSync(new Uint8Array(8));
      yield* sleep(0);
    });
    await told();
    expect(warnings).toEqual([]);
  });

  it('finds the place although a program has changed how stacks are written', async () => {
    const { prepareStackTrace, stackTraceLimit } = Error;
    Error.prepareStackTrace = () => 'hidden';
    Error.stackTraceLimit = 0;
    try {
      await run(function* () {
        fs.existsSync('.');
        yield* sleep(0);
      });
      expect([Error.stackTraceLimit, (Error.prepareStackTrace as () => string)()]).toEqual([0, 'hidden']);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
      if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
      else Error.prepareStackTrace = prepareStackTrace;
    }
    await told();
    expect(warnings[0]?.detail).toMatch(/blocking\.test\.ts/);
  });

  it('is silent when it is undone', async () => {
    const kept = fs.readdirSync;
    patchBlocking().undo();
    await run(function* () {
      kept('.');
      fs.readdirSync('.');
      yield* sleep(0);
    });
    await told();
    expect(warnings).toEqual([]);
  });
});
