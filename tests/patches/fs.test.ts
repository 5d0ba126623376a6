// fs.test.ts: file calls follow the cancellation of their greenlet, what it opens belongs to it, and outside greenlets nothing is different.
import { once } from 'node:events';
import fs, { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callback, files, isKilled, type Op, run, scope, sleep, spawn, until } from 'tendril';
import { adopt, patchFs, release } from 'tendril/patches';
import { afterAll, describe, expect, it } from 'vitest';
import { leaksWith, owned, packageOf } from './owning.ts';

const file = 'fs.test.ts';
const never = (): Op<void> => sleep(Number.POSITIVE_INFINITY);
const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
const text = join(folder, 'text');
writeFileSync(text, 'content');
afterAll(() => rmSync(folder, { recursive: true }));

/** More than one read. */
const large = join(folder, 'large');
writeFileSync(large, Buffer.alloc(4 << 20));

type Handle = object & { close(): unknown };

const streams = (made: fs.ReadStream | fs.WriteStream): Handle => made as unknown as Handle;

const openers: readonly (readonly [
  name: string,
  kind: string,
  open: () => Handle | Promise<Handle>,
  closed: (handle: never, signs: { closed: boolean }) => boolean,
])[] = [
  [
    'fs.createReadStream',
    'stream',
    () => streams(fs.createReadStream(large)),
    (stream: fs.ReadStream) => stream.destroyed,
  ],
  [
    'fs.createWriteStream',
    'stream',
    () => streams(fs.createWriteStream(join(folder, 'written'))),
    (stream: fs.WriteStream) => stream.destroyed,
  ],
  ['fs.promises.open', 'file handle', () => promises.open(text), (handle: promises.FileHandle) => handle.fd === -1],
  ['fs.watch of a tree', 'watcher', () => fs.watch(folder, { recursive: true }), (_, signs) => signs.closed],
  ['fs.watch', 'watcher', () => fs.watch(folder), (_, signs) => signs.closed],
  [
    'fs.watchFile',
    'watcher',
    () => {
      const listener = (): void => {};
      return Object.assign(fs.watchFile(text, { interval: 1_000_000 }, listener), {
        close: () => fs.unwatchFile(text, listener),
      });
    },
    (watcher: fs.StatWatcher) => watcher.listenerCount('change') === 0,
  ],
];

describe.each(openers)('What %s opens in a greenlet', (_, kind, open, closed) => {
  /** Opens, and can tell whether it is closed. */
  function* opening(): Op<{ handle: Handle; isClosed: () => boolean; settled: () => Promise<unknown> }> {
    const handle = yield* until(Promise.resolve(open()));
    const signs = { closed: false };
    const emitter = handle as unknown as NodeJS.EventEmitter;
    if (kind !== 'file handle') emitter.on('close', () => (signs.closed = true));
    return {
      handle,
      isClosed: () => closed(handle as never, signs),
      settled: async () => {
        while (!closed(handle as never, signs)) await new Promise((resolve) => setImmediate(resolve));
      },
    };
  }

  it.each(['kill', 'failure', 'good end'] as const)('is closed after a %s', async (how) => {
    const leaks = await leaksWith(patchFs, file, async () => {
      let settled: (() => Promise<unknown>) | undefined;
      await run(function* () {
        const g = spawn(function* () {
          const mine = yield* opening();
          settled = mine.settled;
          expect([owned(), mine.isClosed()]).toEqual([1, false]);
          if (how === 'failure') throw new Error('failed');
          if (how === 'good end') return;
          g.kill();
          yield* never();
        });
        yield* g.join();
      });
      await settled?.();
    });
    expect(leaks).toEqual(how === 'good end' ? [{ kind, owner: 'greenlet-n', here: true }] : []);
  });

  it('stays open when it was released, and dies with whoever adopts it', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchFs, file, () =>
      run(function* () {
        const { handle, isClosed, settled } = yield* scope(function* () {
          const mine = yield* opening();
          release(mine.handle);
          return mine;
        });
        seen.push(isClosed());
        const adopter = spawn(function* () {
          adopt(handle);
          yield* never();
        });
        while (adopter.state !== 'parked') yield* sleep(0);
        adopter.kill();
        yield* until(settled());
        seen.push(isClosed());
      }),
    );
    expect({ seen, leaks }).toEqual({ seen: [false, true], leaks: [] });
  });

  it('is no leak when the program closes it in its last step', async () => {
    const leaks = await leaksWith(patchFs, file, () =>
      run(function* () {
        const { handle } = yield* opening();
        handle.close();
      }),
    );
    expect(leaks).toEqual([]);
  });

  it('leaves nothing when the program closes it', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchFs, file, () =>
      run(function* () {
        const { handle, settled } = yield* opening();
        handle.close();
        yield* until(settled());
        seen.push(owned());
      }),
    );
    expect({ seen, leaks }).toEqual({ seen: [0], leaks: [] });
  });

  it('is nobody’s when a package opens it', async () => {
    const source = packageOf(`exports.open = (open) => { const made = open(); return made; };
      const fs = require('node:fs');
      exports.fs = { createReadStream: (path) => fs.createReadStream(path) };`);
    const seen: unknown[] = [];
    const reading = (source.exports as unknown as { fs: { createReadStream(path: string): fs.ReadStream } }).fs;
    await leaksWith(patchFs, file, () =>
      run(function* () {
        const stream = reading.createReadStream(text);
        seen.push(owned());
        stream.destroy();
      }),
    );
    source.remove();
    expect(seen).toEqual([0]);
  });
});

describe('A file handle', () => {
  it('that comes when its greenlet has been killed is closed', async () => {
    let came: Promise<promises.FileHandle> | undefined;
    await leaksWith(patchFs, file, () =>
      run(function* () {
        const g = spawn(function* () {
          came = promises.open(text);
          g.kill();
          yield* until(came);
        });
        yield* g.join();
      }),
    );
    const handle = await came;
    expect(handle?.fd).toBe(-1);
  });
});

describe('A write stream of a greenlet', () => {
  it('that was ended may write what it has', async () => {
    const path = join(folder, 'ended');
    let finished: Promise<unknown> | undefined;
    const leaks = await leaksWith(patchFs, file, async () => {
      await run(function* () {
        const stream = fs.createWriteStream(path);
        finished = once(stream, 'close');
        stream.end('all of it');
      });
      await finished;
    });
    expect({ text: fs.readFileSync(path, 'utf8'), leaks }).toEqual({ text: 'all of it', leaks: [] });
  });
});

type Call = (done: (error: unknown, value?: unknown) => void) => void;
const calls: readonly (readonly [name: string, call: Call])[] = [
  ['fs.readFile', (done) => fs.readFile(large, done)],
  ['fs.readFile with options', (done) => fs.readFile(large, 'utf8', done)],
  ['fs.writeFile', (done) => fs.writeFile(join(folder, 'w'), Buffer.alloc(4 << 20), done)],
  ['fs.appendFile', (done) => fs.appendFile(join(folder, 'a'), Buffer.alloc(4 << 20), { mode: 0o600 }, done)],
  ['fs.promises.readFile', (done) => void promises.readFile(large).then((value) => done(null, value), done)],
  [
    'fs.promises.writeFile',
    (done) => void promises.writeFile(join(folder, 'pw'), Buffer.alloc(4 << 20)).then(() => done(null), done),
  ],
  [
    'fs.promises.appendFile',
    (done) => void promises.appendFile(join(folder, 'pa'), Buffer.alloc(4 << 20), 'utf8').then(() => done(null), done),
  ],
];

describe.each(calls)('%s in a greenlet', (name, call) => {
  it('F117 gives up with an AbortError when it is killed, and the greenlet with Killed, whose stack shows the caller', async () => {
    const seen: unknown[] = [];
    await leaksWith(patchFs, file, async () => {
      let told: Promise<unknown> | undefined;
      await run(function* () {
        const g = spawn(function* () {
          try {
            yield* callback((done) => {
              told = new Promise((resolve) => {
                call((error) => {
                  resolve((error as Error | null)?.name);
                  done(error);
                });
              });
              g.kill();
            });
          } catch (error) {
            seen.push(isKilled(error), (error as Error).stack?.includes(file));
            throw error;
          }
        });
        yield* g.join();
      });
      seen.push(await told);
    });
    expect(seen).toEqual([true, true, 'AbortError']);
  });

  it('ends as ever when nobody kills it', async () => {
    const ended: unknown[] = [];
    await leaksWith(patchFs, file, () =>
      run(function* () {
        const value = yield* callback(call);
        ended.push(value === undefined ? undefined : (value as Buffer).length, owned());
      }),
    );
    expect(ended).toEqual([name.includes('readFile') ? 4 << 20 : undefined, 0]);
  });
});

describe('A file call in a greenlet', () => {
  it('still heeds a signal of its caller’s own, and refuses what is none', async () => {
    const controller = new AbortController();
    const seen: unknown[] = [];
    await leaksWith(patchFs, file, () =>
      run(function* () {
        const given = callback((done) => fs.readFile(large, { signal: controller.signal }, done));
        controller.abort();
        try {
          yield* given;
        } catch (error) {
          seen.push((error as Error).name);
        }
        for (const options of [{ signal: 5 }, 5, { encoding: 'none' }]) {
          try {
            fs.readFile(large, options as never, () => {});
          } catch (error) {
            seen.push((error as NodeJS.ErrnoException).code);
          }
        }
      }),
    );
    const codes = ['ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE'];
    expect(seen).toEqual(['AbortError', ...codes]);
  });

  it('fs.promises.watch ends when the greenlet is killed', async () => {
    let ended: Promise<unknown> | undefined;
    await leaksWith(patchFs, file, async () => {
      await run(function* () {
        const g = spawn(function* () {
          ended = (async () => {
            for await (const _ of promises.watch(folder)) g.kill();
          })().catch((error: Error) => error.name);
          fs.writeFileSync(join(folder, 'noticed'), '');
          yield* never();
        });
        yield* g.join();
      });
    });
    expect(await ended).toBe('AbortError');
  });
});

describe('With patchFs', () => {
  it('what tendril itself opens is tendril’s', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchFs, file, () =>
      run(function* () {
        const opened = yield* files.open(text);
        seen.push(owned(), (yield* files.readFile(text)).length);
        opened.close();
      }),
    );
    expect({ seen, leaks }).toEqual({ seen: [0, 7], leaks: [] });
  });

  it('calls outside greenlets are Node’s own', async () => {
    const patch = patchFs();
    const handle = await promises.open(text);
    const seen = [await handle.readFile('utf8'), await promises.readFile(text, 'utf8')];
    await handle.close();
    const read = await new Promise((resolve) => fs.readFile(text, 'utf8', (_, value) => resolve(value)));
    patch.undo();
    expect([...seen, read]).toEqual(['content', 'content', 'content']);
  });
});
