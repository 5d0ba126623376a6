// files-lines.test.ts: the lines of a file, and the watch of a file or a folder: order, ends, kills, limits, and nothing left open.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  files,
  forEach,
  hub,
  type Op,
  openHandles,
  run,
  scope,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  until,
  yieldNow,
} from 'tendril';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { descriptors, descriptorsBackAt } from './descriptors.ts';
import { failure, nothingLeft } from './peers.ts';
import { stuckPool } from './stuck-pool.ts';

let folder: string;
let before: number;
const at = (name: string): string => path.join(folder, name);

// libuv opens one descriptor for all watches, at the first one, and keeps it.
beforeAll(() => files.watch(os.tmpdir()).close());

beforeEach(() => {
  before = descriptors();
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'tendril-lines-')));
  fs.writeFileSync(at('file'), 'one\r\ntwo\n\nfour');
});

afterEach(async () => {
  await run(() => descriptorsBackAt(before));
  nothingLeft();
  fs.rmSync(folder, { recursive: true, force: true });
});

function* linesOf(lines: files.FileLines): Op<string[]> {
  const found: string[] = [];
  yield* forEach(lines, function* (line) {
    found.push(line);
  });
  return found;
}

describe('files.lines', () => {
  it('gives every line, also the last one without a newline, and closes the file', () =>
    run(function* () {
      const lines = files.lines(at('file'));
      expect([openHandles().total, lines.closed]).toEqual([0, false]);
      expect(yield* lines.next()).toEqual({ done: false, value: 'one' });
      expect(openHandles()).toEqual({ total: 1, counts: { file: 1 }, names: [`lines of ${at('file')}`] });
      expect(yield* linesOf(lines)).toEqual(['two', '', 'four']);
      expect([openHandles().total, lines.closed]).toEqual([0, true]);
      expect(yield* lines.next()).toEqual({ done: true, value: undefined });
    }));

  it('gives none of an empty file', () =>
    run(function* () {
      fs.writeFileSync(at('empty'), '');
      expect(yield* linesOf(files.lines(at('empty')))).toEqual([]);
    }));

  it('gives a hundred thousand, in the encoding that was asked for', () =>
    run(function* () {
      const all = Array.from({ length: 100_000 }, (_, index) => `é line ${index}`);
      fs.writeFileSync(at('many'), all.join('\n'), 'latin1');
      expect(yield* linesOf(files.lines(at('many'), { encoding: 'latin1' }))).toEqual(all);
    }));

  it('is closed by a loop that throws, and by one that is killed', () =>
    run(function* () {
      const lines = files.lines(at('file'));
      const error = yield* failure(
        forEach(lines, function* (line) {
          throw new Error(line);
        }),
      );
      expect([error.message, lines.closed, openHandles().total]).toEqual(['one', true, 0]);
      expect(yield* lines.next()).toEqual({ done: true, value: undefined });
      const looping = spawn(() => forEach(files.lines(at('file')), () => sleep(1e6)));
      while (hub.stats().timers === 0) yield* sleep(0);
      expect(openHandles().total).toBe(1);
      looping.kill();
      yield* looping.join();
      expect(openHandles().total).toBe(0);
    }));

  it('loses no line to a reader that is killed or gives up', () =>
    run(function* () {
      const all = Array.from({ length: 20_000 }, (_, index) => `${index} ${'x'.repeat(index % 50)}`);
      fs.writeFileSync(at('many'), all.join('\n'));
      const lines = files.lines(at('many'));
      const found: string[] = [];
      const take = (step: IteratorResult<string, undefined>): void => {
        if (step.done !== true) found.push(step.value);
      };
      for (let round = 0; !lines.closed; round += 1) {
        const victim = spawn(() => lines.next());
        yield* yieldNow();
        victim.kill();
        yield* victim.join();
        if (victim.outcome?.ok === true) take(victim.outcome.value);
        const picked = yield* select({ step: lines.next(), tick: yieldSoon() }, { priority: true });
        if (picked.key === 'step') take(picked.value);
        for (let i = 0; i < round && !lines.closed; i += 1) take(yield* lines.next());
      }
      expect(found).toEqual(all);
    }));

  it("throws Node's error for a file that cannot be read, and can be asked again when it can", () =>
    run(function* () {
      const lines = files.lines(at('later'));
      for (let i = 0; i < 2; i += 1) {
        const error = yield* failure(lines.next());
        expect(error).toMatchObject({ code: 'ENOENT', syscall: 'open', path: at('later') });
        expect(error.stack).toContain('files-lines.test.ts');
      }
      fs.writeFileSync(at('later'), 'now');
      expect(yield* linesOf(lines)).toEqual(['now']);
      const none = files.lines(folder);
      expect(yield* failure(none.next())).toMatchObject({ code: 'EISDIR', syscall: 'read' });
      none.close();
    }));

  it('refuses a line that is too long', () =>
    run(function* () {
      const lines = files.lines(at('file'), { limit: 3 });
      expect(yield* lines.next()).toEqual({ done: false, value: 'one' });
      expect(yield* lines.next()).toEqual({ done: false, value: 'two' });
      expect(yield* lines.next()).toEqual({ done: false, value: '' });
      expect(yield* failure(lines.next())).toMatchObject({ code: 'ERR_LINE_TOO_LONG', limit: 3 });
      lines.close();
      lines[Symbol.dispose]();
      expect(yield* failure(lines.next())).toMatchObject({ code: 'ERR_CLOSED' });
    }));

  it('times out, has one reader at a time, and is closed while it opens', async () => {
    const pool = await stuckPool();
    await run(function* () {
      const lines = files.lines(at('file'));
      expect(yield* failure(timeout(2, lines.next()))).toBeInstanceOf(TimeoutError);
      const reader = spawn(() => failure(lines.next()));
      yield* yieldNow();
      expect(yield* failure(lines.next())).toMatchObject({ code: 'ERR_BUSY' });
      lines.close();
      expect(yield* reader.get()).toMatchObject({ code: 'ERR_CLOSED' });
      yield* until(pool.free());
    });
  });

  it('refuses bad options at the call', () => {
    expect(() => files.lines(at('file'), 5 as never)).toThrow(TypeError);
    expect(() => files.lines(at('file'), { encoding: 'hex' as never })).toThrow(TypeError);
    expect(() => files.lines(at('file'), { flags: {} as never })).toThrow(TypeError);
    expect(() => files.lines(at('file'), { limit: -1 })).toThrow(RangeError);
  });
});

/** Ready when everybody else who can run has run once. */
function yieldSoon() {
  return sleep(0);
}

/** Receive until there is an event for which `matches` holds. */
function* eventLike(watcher: files.Watcher, matches: (event: files.WatchEvent) => boolean): Op<files.WatchEvent> {
  for (;;) {
    const event = yield* timeout(5000, watcher.receive());
    if (matches(event)) return event;
  }
}

describe('files.watch', () => {
  it('tells of what happens in a folder, until it is closed', () =>
    run(function* () {
      const watcher = files.watch(folder);
      expect(openHandles()).toEqual({ total: 1, counts: { watcher: 1 }, names: [`watcher of ${folder}`] });
      fs.writeFileSync(at('new'), 'x');
      yield* eventLike(watcher, ({ eventType, filename }) => eventType === 'rename' && filename === 'new');
      fs.appendFileSync(at('file'), 'x');
      yield* eventLike(watcher, ({ eventType, filename }) => eventType === 'change' && filename === 'file');
      watcher.close();
      watcher.close();
      expect([watcher.closed, openHandles().total, watcher.dropped, watcher.error]).toEqual([true, 0, 0, undefined]);
      while (watcher.length > 0) yield* watcher.receive();
      expect(yield* failure(watcher.receive())).toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
      fs.writeFileSync(at('after'), 'x');
      yield* sleep(5);
      expect(watcher.length).toBe(0);
    }));

  it('tells of folders below', () =>
    run(function* () {
      fs.mkdirSync(at('sub'));
      const watcher = files.watch(folder, { recursive: true });
      yield* sleep(20); // in Node 20 the folders below are found a little later
      fs.writeFileSync(at('sub/inner'), 'x');
      yield* eventLike(watcher, ({ filename }) => filename === path.join('sub', 'inner'));
      watcher.close();
    }));

  it('wakes who waits, and a receiver that is killed takes nothing', () =>
    run(function* () {
      const watcher = files.watch(at('file'));
      const victim = spawn(() => watcher.receive());
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(yield* failure(timeout(2, watcher.receive()))).toBeInstanceOf(TimeoutError);
      const waiting = spawn(() => watcher.receive());
      yield* yieldNow();
      fs.appendFileSync(at('file'), 'x');
      expect(yield* timeout(5000, waiting.get())).toEqual({ eventType: 'change', filename: 'file' });
      watcher.close();
    }));

  it('learns of close() while it waits', () =>
    run(function* () {
      const watcher = files.watch(folder);
      const waiting = spawn(() => failure(watcher.receive()));
      yield* yieldNow();
      watcher[Symbol.dispose]();
      expect(yield* waiting.get()).toMatchObject({ code: 'ERR_CHANNEL_CLOSED' });
    }));

  it('drops what nobody receives, and says where', () =>
    run(function* () {
      const watcher = files.watch(folder, { maxQueue: 3 });
      for (let i = 0; i < 20; i += 1) fs.writeFileSync(at(`burst-${i}`), 'x');
      for (let i = 0; i < 5000 && watcher.dropped < 10; i += 1) yield* sleep(1);
      expect(watcher.length).toBe(4);
      const events = [];
      for (let i = 0; i < 4; i += 1) events.push(yield* watcher.receive());
      expect(events.map(({ eventType }) => eventType === 'overflow')).toEqual([false, false, false, true]);
      expect(events[3]).toEqual({ eventType: 'overflow', filename: null });
      expect(watcher.dropped).toBeGreaterThanOrEqual(10);
      // Then it goes on.
      fs.writeFileSync(at('again'), 'x');
      yield* eventLike(watcher, ({ filename }) => filename === 'again');
      watcher.close();
    }));

  it('ends forEach when it is closed', () =>
    run(function* () {
      const watcher = files.watch(folder);
      const seen: (string | null)[] = [];
      yield* scope(function* (s) {
        s.spawn(() =>
          forEach(watcher, function* ({ filename }) {
            seen.push(filename);
            if (filename === 'stop') watcher.close();
          }),
        );
        fs.writeFileSync(at('go'), 'x');
        fs.writeFileSync(at('stop'), 'x');
      });
      expect([seen.includes('go'), seen.includes('stop')]).toEqual([true, true]);
    }));

  it('throws at the call for what is not there, and for bad options', () => {
    expect(() => files.watch(at('none'))).toThrow(expect.objectContaining({ code: 'ENOENT', path: at('none') }));
    for (const bad of [5, { recursive: 1 }, { persistent: 'no' }] as never[])
      expect(() => files.watch(folder, bad)).toThrow(TypeError);
    for (const maxQueue of [0, -1, 1.5, Number.NaN])
      expect(() => files.watch(folder, { maxQueue })).toThrow(RangeError);
    expect(openHandles().total).toBe(0);
  });
});
