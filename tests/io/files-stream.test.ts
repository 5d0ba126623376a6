// files-stream.test.ts: open files: reads, writes and the position that they share; kills, timeouts, two users, the end that moves, what has no positions,
// and that every descriptor is given back.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import {
  files,
  forEach,
  hub,
  IncompleteReadError,
  isKilled,
  LineTooLongError,
  type Op,
  openHandles,
  pipe,
  run,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  until,
  yieldNow,
} from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { descriptors, descriptorsBackAt } from './descriptors.ts';
import { failure, nothingLeft } from './peers.ts';
import { stuckPool } from './stuck-pool.ts';

let folder: string;
let before: number;
const at = (name: string): string => path.join(folder, name);

beforeEach(() => {
  before = descriptors();
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'tendril-stream-')));
  fs.writeFileSync(at('file'), 'hello\nworld\r\nlast');
});

afterEach(async () => {
  await run(() => descriptorsBackAt(before));
  nothingLeft();
  fs.rmSync(folder, { recursive: true, force: true });
});

const text = (name: string): string => fs.readFileSync(at(name), 'utf8');

/** Run `body` with an open file, which is closed afterwards. */
function withFile(flags: string, body: (file: files.File) => Op<unknown>, name = 'file'): Promise<void> {
  return run(function* () {
    const file = yield* files.open(at(name), flags);
    try {
      yield* body(file);
    } finally {
      file.close();
    }
  });
}

describe('An open file that is read', () => {
  it('gives what there is, and null at its end', () =>
    withFile('r', function* (file) {
      expect(String(yield* file.read())).toBe('hello\nworld\r\nlast');
      expect([yield* file.read(), yield* file.read()]).toEqual([null, null]);
      expect(file.position).toBe(17);
    }));

  it('gives no more than asked for, and peek leaves it', () =>
    withFile('r', function* (file) {
      expect([String(yield* file.read(3)), file.position]).toEqual(['hel', 3]);
      expect([String(yield* file.peek(2)), file.position]).toEqual(['lo', 3]);
      expect([String(yield* file.read(2)), file.position, file.buffered]).toEqual(['lo', 5, 12]);
      file.unread(Buffer.from('lo'));
      expect([file.position, String(yield* file.read(4))]).toEqual([3, 'lo\nw']);
    }));

  it('gives lines, and the last one without a newline too', () =>
    withFile('r', function* (file) {
      const lines = [];
      for (let line = yield* file.readLine(); line !== null; line = yield* file.readLine()) lines.push(line);
      expect(lines).toEqual(['hello', 'world', 'last']);
      expect(yield* file.readLine()).toBe(null);
    }));

  it('gives exact numbers of bytes, or says how many there are and leaves them', () =>
    withFile('r', function* (file) {
      expect(String(yield* file.readExactly(8))).toBe('hello\nwo');
      const error = (yield* failure(file.readExactly(10))) as unknown as IncompleteReadError;
      expect(error).toBeInstanceOf(IncompleteReadError);
      expect([error.received, error.expected, String(error.partial)]).toEqual([9, 10, 'rld\r\nlast']);
      expect(error.message).toContain(`file ${at('file')}`);
      expect(String(yield* file.readExactly(9))).toBe('rld\r\nlast');
      expect((yield* file.readExactly(0)).length).toBe(0);
    }));

  it('gives what comes before a mark', () =>
    withFile('r', function* (file) {
      expect(String(yield* file.readUntil('wor'))).toBe('hello\n');
      expect(yield* failure(file.readUntil('nowhere'))).toBeInstanceOf(IncompleteReadError);
      expect(String(yield* file.readUntil('\r\n'))).toBe('ld');
    }));

  it('refuses a line that is too long, and leaves it', () =>
    withFile('r', function* (file) {
      expect(yield* failure(file.readLine({ limit: 4 }))).toBeInstanceOf(LineTooLongError);
      expect(yield* file.readLine({ limit: 5 })).toBe('hello');
      expect(yield* file.readLine({ encoding: 'latin1' })).toBe('world');
      expect(yield* failure(file.readLine({ limit: 3 }))).toBeInstanceOf(LineTooLongError);
      expect(yield* file.readLine({ limit: 4 })).toBe('last');
    }));

  it('carries a large file, in pieces and at once', () =>
    run(function* () {
      const large = Buffer.alloc(10_000_001);
      for (let i = 0; i < large.length; i += 1) large[i] = i % 251;
      fs.writeFileSync(at('large'), large);
      const file = yield* files.open(at('large'));
      const pieces: Buffer[] = [];
      yield* forEach(file, function* (piece) {
        pieces.push(piece);
      });
      expect(Buffer.concat(pieces).equals(large)).toBe(true);
      file.seek(1);
      expect((yield* file.readExactly(10_000_000)).equals(large.subarray(1))).toBe(true);
      file.close();
    }));

  it('goes on when the file has grown', () =>
    withFile('r', function* (file) {
      yield* file.read();
      expect(yield* file.read()).toBe(null);
      fs.appendFileSync(at('file'), ' more\nand');
      expect(yield* file.readLine()).toBe(' more');
      fs.appendFileSync(at('file'), ' more');
      expect(yield* file.readLine()).toBe('and more');
      expect(yield* file.readLine()).toBe(null);
    }));

  it('goes to any position', () =>
    withFile('r', function* (file) {
      yield* file.readLine();
      file.seek(13);
      expect(String(yield* file.read())).toBe('last');
      file.seek(0);
      expect(yield* file.readLine()).toBe('hello');
      file.seek(1000);
      expect([yield* file.read(), file.position]).toEqual([null, 1000]);
    }));

  it("throws Node's errors, each time anew, with a stack", () =>
    run(function* () {
      const directory = yield* files.open(folder);
      for (let i = 0; i < 2; i += 1) {
        const error = yield* failure(directory.read());
        expect(error).toMatchObject({ code: 'EISDIR', syscall: 'read' });
        expect(error.stack).toContain('files-stream.test.ts');
      }
      directory.close();
      const writeOnly = yield* files.open(at('file'), 'a');
      expect(yield* failure(writeOnly.read())).toMatchObject({ code: 'EBADF' });
      writeOnly.close();
    }));

  it('loses nothing when a reader is killed, and nothing is left over', () =>
    run(function* () {
      const content = Array.from({ length: 3000 }, (_, index) => `line ${index}\n`)
        .join('')
        .repeat(20);
      fs.writeFileSync(at('lines'), content);
      const file = yield* files.open(at('lines'));
      const pieces: string[] = [];
      let kills = 0;
      for (;;) {
        const victim = spawn(() => file.readExactly(5000));
        yield* yieldNow();
        victim.kill();
        yield* victim.join();
        kills += 1;
        if (victim.outcome?.ok === true) pieces.push(String(victim.outcome.value));
        const piece = yield* file.read(30_000);
        if (piece === null) break;
        pieces.push(String(piece));
      }
      expect([kills > 10, pieces.join('') === content, hub.stats().orphans]).toEqual([true, true, 0]);
      file.close();
    }));

  it('times out while no thread is free, and keeps what comes then', async () => {
    const file = await run(() => files.open(at('file')));
    const pool = await stuckPool();
    await run(function* () {
      expect(yield* failure(timeout(2, file.readLine()))).toBeInstanceOf(TimeoutError);
      expect((yield* select({ line: file.readLine(), tick: sleep(2) })).key).toBe('tick');
      expect([hub.stats().externalWaits, hub.stats().orphans]).toEqual([0, 0]);
      yield* until(pool.free());
      while (file.buffered === 0) yield* sleep(1);
      expect(yield* file.readLine()).toBe('hello');
      file.close();
    });
  });

  it('gives nothing from where it was before a jump, a write or a cut', async () => {
    for (const move of ['seek', 'write', 'truncate'] as const) {
      fs.writeFileSync(at('file'), 'hello\nworld\n');
      const file = await run(() => files.open(at('file'), 'r+'));
      const pool = await stuckPool();
      await run(function* () {
        const victim = spawn(() => file.readLine());
        yield* yieldNow();
        victim.kill();
        yield* victim.join();
        // The read that it began is still under way.
        if (move === 'seek') file.seek(6);
        const change = spawn(function* () {
          if (move === 'write') yield* file.write('HE');
          if (move === 'truncate') yield* file.truncate(3);
        });
        yield* yieldNow();
        yield* until(pool.free());
        yield* change.get();
        const line = yield* file.readLine();
        expect([move, line]).toEqual([move, { seek: 'world', write: 'llo', truncate: 'hel' }[move]]);
        file.close();
      });
    }
  });

  it('has one reader at a time, who learns of close() at once', async () => {
    const file = await run(() => files.open(at('file')));
    const pool = await stuckPool();
    await run(function* () {
      const reader = spawn(() => failure(file.read()));
      yield* yieldNow();
      const busy = yield* failure(file.readLine());
      expect(busy).toMatchObject({ code: 'ERR_BUSY' });
      expect(busy.message).toContain(`file ${at('file')}, which ${reader.name} is reading`);
      file.close();
      expect(yield* reader.get()).toMatchObject({ code: 'ERR_CLOSED' });
      expect(openHandles().total).toBe(0);
      yield* until(pool.free());
    });
  });
});

function* failureEvenIfKilled(op: Op<unknown>): Op<unknown> {
  try {
    yield* op;
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

describe('An open file that is written', () => {
  it('has what was written when write returns, and is shared by reads', () =>
    withFile('r+', function* (file) {
      yield* file.write('HE');
      expect([file.position, text('file')]).toEqual([2, 'HEllo\nworld\r\nlast']);
      expect(yield* file.readLine()).toBe('llo');
      yield* file.write('W');
      expect([text('file'), file.position]).toEqual(['HEllo\nWorld\r\nlast', 7]);
      expect(yield* file.readLine()).toBe('orld');
      file.seek(15);
      yield* file.write('t is longer');
      expect([text('file'), yield* file.read()]).toEqual(['HEllo\nWorld\r\nlat is longer', null]);
    }));

  it('takes text and every kind of bytes', () =>
    withFile('w', function* (file) {
      yield* file.write('ä');
      yield* file.write(new Uint8Array([65]));
      yield* file.write(new Uint16Array([0x4242]));
      yield* file.write(new DataView(new Uint8Array([67]).buffer));
      yield* file.write(new Uint8Array([68]).buffer);
      yield* file.write('');
      expect(text('file')).toBe('äABBCD');
      for (const bad of [5, null, undefined, {}, [1]]) expect(() => file.write(bad as never)).toThrow(TypeError);
    }));

  it('appends at the end, wherever that is, and the position stays', () =>
    withFile('a+', function* (file) {
      expect(yield* file.readLine()).toBe('hello');
      fs.appendFileSync(at('file'), '!');
      yield* file.write(' appended');
      expect([text('file'), file.position]).toEqual(['hello\nworld\r\nlast! appended', 6]);
      expect(yield* file.readLine()).toBe('world');
      expect(yield* file.readLine()).toBe('last! appended');
    }));

  it('appends also if opened by numbers', () =>
    run(function* () {
      const { O_WRONLY, O_APPEND, O_CREAT } = files.constants;
      const file = yield* files.open(at('numbers'), O_WRONLY | O_APPEND | O_CREAT, 0o600);
      yield* file.write('a');
      fs.appendFileSync(at('numbers'), 'b');
      yield* file.write('c');
      expect([text('numbers'), (yield* file.stat()).mode & 0o777]).toEqual(['abc', 0o600]);
      file.close();
    }));

  it('writes in the order in which it was asked, whoever asks', () =>
    run(function* () {
      const file = yield* files.open(at('order'), 'w');
      const writers = Array.from({ length: 200 }, (_, index) =>
        spawn(() => file.write(`${index}:${'x'.repeat(index * 50)}\n`)),
      );
      for (const writer of writers) yield* writer.get();
      const numbers = text('order')
        .split('\n')
        .map((line) => line.split(':')[0]);
      expect(numbers).toEqual([...writers.map((_, index) => String(index)), '']);
      file.close();
    }));

  it('lets a write that has begun finish when killed; one that waits for its turn does nothing', async () => {
    const file = await run(() => files.open(at('turns'), 'w'));
    const pool = await stuckPool();
    await run(function* () {
      const writers = ['one ', 'two ', 'three'].map((word) =>
        spawn(function* () {
          yield* file.write(word);
          const { position } = file;
          yield* sleep(0);
          return position;
        }),
      );
      yield* yieldNow();
      const [one, two, three] = writers as [(typeof writers)[0], (typeof writers)[0], (typeof writers)[0]];
      one.kill();
      two.kill();
      yield* two.join();
      expect([one.state, two.outcome?.ok, three.state]).toEqual(['parked', false, 'parked']);
      yield* until(pool.free());
      yield* one.join();
      expect(yield* three.get()).toBe(9);
      expect([one.killed, text('turns'), hub.stats().orphans]).toEqual([true, 'one three', 0]);
      file.close();
    });
  });

  it('does nothing when its greenlet is being killed, or was killed as its turn came', () =>
    run(function* () {
      const file = yield* files.open(at('killed'), 'w');
      const caught: unknown[] = [];
      const victim = spawn(function* () {
        try {
          yield* sleep(1e6);
        } finally {
          for (const op of [file.write('x'), file.truncate(5)]) caught.push(yield* failureEvenIfKilled(op));
        }
      });
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(caught.map(isKilled)).toEqual([true, true]);
      // `second` gets its turn in the callback of the first write, and is killed before it runs.
      const pool = yield* until(stuckPool());
      const first = spawn(() => file.write('first'));
      const second = spawn(() => file.write('second'));
      while (second.state !== 'parked') yield* yieldNow();
      const freed = pool.free();
      while (second.state === 'parked') yield* yieldNow();
      expect(second.state).toBe('ready');
      second.kill();
      yield* first.get();
      yield* second.join();
      yield* until(freed);
      expect([text('killed'), second.killed]).toEqual(['first', true]);
      yield* file.write(' third');
      expect(text('killed')).toBe('first third');
      file.close();
    }));

  it('says that there is no room, and who may not write', () =>
    run(function* () {
      const full = yield* files.open('/dev/full', 'w');
      expect(yield* failure(full.write('x'))).toMatchObject({ code: 'ENOSPC', syscall: 'write' });
      full.close();
      const readOnly = yield* files.open(at('file'));
      const error = yield* failure(readOnly.write('x'));
      expect(error).toMatchObject({ code: 'EBADF', syscall: 'write' });
      expect(error.stack).toContain('files-stream.test.ts');
      expect(yield* readOnly.readLine()).toBe('hello');
      readOnly.close();
    }));

  it('can be cut, made longer, synced and asked for its size', () =>
    withFile('r+', function* (file) {
      yield* file.readLine();
      yield* file.truncate(8);
      expect([text('file'), yield* file.readLine(), yield* file.read()]).toEqual(['hello\nwo', 'wo', null]);
      yield* file.truncate(10);
      yield* file.sync();
      yield* file.datasync();
      expect([(yield* file.stat()).size, (yield* file.stat({ bigint: true })).size]).toEqual([10, 10n]);
      yield* file.truncate();
      expect(text('file')).toBe('');
    }));

  it('refuses bad arguments at the call', () =>
    withFile('r+', function* (file) {
      for (const bad of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '5', null] as never[]) {
        expect(() => file.seek(bad)).toThrow(RangeError);
        expect(() => file.truncate(bad)).toThrow(RangeError);
      }
      for (const bad of [0, -1, 1.5, Number.NaN, '5'] as never[]) {
        expect(() => file.read(bad)).toThrow(RangeError);
        expect(() => file.peek(bad)).toThrow(RangeError);
      }
      for (const bad of [-1, 1.5, 2 ** 31, Number.POSITIVE_INFINITY, '5'] as never[])
        expect(() => file.readExactly(bad)).toThrow(RangeError);
      expect(() => file.readLine({ limit: -1 })).toThrow(RangeError);
      expect(() => file.readLine({ encoding: 'hex' as never })).toThrow(TypeError);
      expect(() => file.readUntil('')).toThrow(RangeError);
      expect(() => file.readUntil(5 as never)).toThrow(TypeError);
    }));

  it('is the same as a model of bytes and a position, under random reads, writes, kills and jumps', () =>
    run(function* () {
      const step = fc.oneof(
        fc.record({ do: fc.constant('read' as const), count: fc.integer({ min: 1, max: 90_000 }) }),
        fc.record({ do: fc.constant('exactly' as const), count: fc.integer({ min: 0, max: 90_000 }) }),
        fc.record({ do: fc.constant('killed read' as const), count: fc.integer({ min: 1, max: 90_000 }) }),
        fc.record({ do: fc.constant('write' as const), count: fc.integer({ min: 0, max: 90_000 }) }),
        fc.record({ do: fc.constant('seek' as const), count: fc.integer({ min: 0, max: 200_000 }) }),
        fc.record({ do: fc.constant('truncate' as const), count: fc.integer({ min: 0, max: 200_000 }) }),
      );
      const seed = Number(process.env.TENDRIL_SEED ?? 20_240_601);
      const programs = fc.sample(fc.array(step, { maxLength: 25 }), { seed, numRuns: 60 });
      for (const program of programs) {
        let model = Buffer.from('hello\nworld\r\nlast');
        let position = 0;
        fs.writeFileSync(at('file'), model);
        const file = yield* files.open(at('file'), 'r+');
        let fill = 0;
        for (const { do: what, count } of program) {
          const context = `${what} ${count}, seed ${seed}, in ${JSON.stringify(program)}`;
          if (what === 'read') {
            const piece = yield* file.read(count);
            const rest = model.subarray(position);
            expect(piece === null, context).toBe(rest.length === 0);
            if (piece !== null) {
              expect(piece.length > 0 && piece.length <= count, context).toBe(true);
              expect(rest.subarray(0, piece.length).equals(piece), context).toBe(true);
            }
            position += piece?.length ?? 0;
          } else if (what === 'exactly') {
            const rest = model.subarray(position);
            if (rest.length < count) {
              expect(yield* failure(file.readExactly(count)), context).toBeInstanceOf(IncompleteReadError);
            } else {
              expect((yield* file.readExactly(count)).equals(rest.subarray(0, count)), context).toBe(true);
              position += count;
            }
          } else if (what === 'killed read') {
            const victim = spawn(() => file.readExactly(count));
            yield* yieldNow();
            victim.kill();
            yield* victim.join();
            if (victim.outcome?.ok === true) position += count;
          } else if (what === 'write') {
            fill += 1;
            const bytes = Buffer.alloc(count, fill);
            yield* file.write(bytes);
            if (count > 0) {
              const longer = Buffer.alloc(Math.max(model.length, position + count));
              model.copy(longer);
              bytes.copy(longer, position);
              model = longer;
            }
            position += count;
          } else if (what === 'seek') {
            file.seek(count);
            position = count;
          } else {
            yield* file.truncate(count);
            const cut = Buffer.alloc(count);
            model.copy(cut, 0, 0, Math.min(count, model.length));
            model = cut;
          }
          expect(file.position, context).toBe(position);
        }
        file.close();
        expect(fs.readFileSync(at('file')).equals(model)).toBe(true);
      }
    }));
});

describe('What has no positions', () => {
  it('is read as it comes, and written: a FIFO', () =>
    run(function* () {
      execFileSync('mkfifo', [at('fifo')]);
      const opening = spawn(() => files.open(at('fifo')));
      const writer = yield* files.open(at('fifo'), 'w');
      const reader = yield* opening.get();
      yield* writer.write('one\n');
      expect(yield* reader.readLine()).toBe('one');
      const waiting = spawn(() => reader.readLine());
      yield* sleep(2);
      expect(waiting.state).toBe('parked');
      waiting.kill();
      yield* waiting.join();
      yield* writer.write('two\nthree');
      expect(yield* reader.readLine()).toBe('two');
      expect(reader.position).toBe(8);
      writer.close();
      expect([yield* reader.readLine(), yield* reader.readLine()]).toEqual(['three', null]);
      reader.close();
    }));

  it('stays open for a read that is under way when it is closed', () =>
    run(function* () {
      execFileSync('mkfifo', [at('fifo')]);
      const file = yield* files.open(at('fifo'), 'r+');
      const count = descriptors();
      const reader = spawn(() => failure(file.read()));
      yield* sleep(5);
      file.close();
      expect(yield* reader.get()).toMatchObject({ code: 'ERR_CLOSED' });
      yield* sleep(5);
      expect(descriptors()).toBe(count);
      fs.writeFileSync(at('fifo'), 'x');
      yield* descriptorsBackAt(count - 1);
    }));

  it('refuses to be at a position that it was sent to', () =>
    run(function* () {
      execFileSync('mkfifo', [at('fifo')]);
      const file = yield* files.open(at('fifo'), 'r+');
      file.seek(5);
      expect(yield* failure(file.write('x'))).toMatchObject({ code: 'ESPIPE' });
      expect(yield* failure(file.read())).toMatchObject({ code: 'ESPIPE' });
      file.close();
    }));

  it('is no end of a device', () =>
    run(function* () {
      const zero = yield* files.open('/dev/zero');
      expect((yield* zero.readExactly(200_000)).every((byte) => byte === 0)).toBe(true);
      zero.close();
      const none = yield* files.open('/dev/null', 'r+');
      yield* none.write('gone');
      expect(yield* none.read()).toBe(null);
      none.close();
    }));
});

describe('A file that is closed', () => {
  it('is out of the registry at once, and refuses everything', () =>
    run(function* () {
      const file = yield* files.open(at('file'), 'r+');
      expect(openHandles()).toEqual({ total: 1, counts: { file: 1 }, names: [`file ${at('file')}`] });
      yield* file.read(3);
      file.close();
      file[Symbol.dispose]();
      expect([file.closed, openHandles().total, file.buffered]).toEqual([true, 0, 0]);
      for (const op of [
        file.read(),
        file.peek(),
        file.readLine(),
        file.readExactly(1),
        file.readUntil('x'),
        file.write('x'),
        file.truncate(1),
        file.sync(),
        file.datasync(),
        file.stat(),
      ]) {
        const error = yield* failure(op);
        expect(error).toMatchObject({ name: 'ClosedError', code: 'ERR_CLOSED' });
        expect(error.message).toContain(`file ${at('file')}, which is closed`);
      }
      expect(() => file.seek(0)).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
      yield* file.closeGracefully();
    }));

  it('finishes the write that has begun; those that wait learn of it at once', async () => {
    const file = await run(() => files.open(at('last'), 'w'));
    const pool = await stuckPool();
    await run(function* () {
      const first = spawn(() => file.write('first'));
      const second = spawn(() => failure(file.write('second')));
      yield* yieldNow();
      file.close();
      expect(yield* second.get()).toMatchObject({ code: 'ERR_CLOSED' });
      expect(first.state).toBe('parked');
      yield* until(pool.free());
      yield* first.get();
      expect(text('last')).toBe('first');
    });
  });

  it('gracefully has written all that was asked for before', () =>
    run(function* () {
      const file = yield* files.open(at('graceful'), 'w');
      const writers = ['one ', 'two ', 'three'].map((word) => spawn(() => file.write(word)));
      yield* yieldNow();
      const count = descriptors();
      yield* file.closeGracefully();
      expect([text('graceful'), openHandles().total, descriptors()]).toEqual(['one two three', 0, count - 1]);
      for (const writer of writers) yield* writer.get();
    }));

  it('gracefully is closed also if that is killed', async () => {
    const file = await run(() => files.open(at('graceful'), 'w'));
    const pool = await stuckPool();
    await run(function* () {
      const writer = spawn(() => file.write('x'));
      yield* yieldNow();
      const closer = spawn(() => file.closeGracefully());
      yield* yieldNow();
      closer.kill();
      yield* closer.join();
      expect([closer.outcome?.ok, file.closed, openHandles().total]).toEqual([false, true, 0]);
      yield* until(pool.free());
      yield* writer.get();
    });
  });

  it('is what a file becomes that is opened too late', async () => {
    const pool = await stuckPool();
    await run(function* () {
      const victim = spawn(() => files.open(at('late'), 'w'));
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect([victim.killed, victim.outcome?.ok, hub.stats().orphans]).toEqual([true, false, 1]);
      yield* until(pool.free());
      while (hub.stats().orphans > 0) yield* sleep(1);
      expect([fs.existsSync(at('late')), openHandles().total]).toEqual([true, 0]);
      yield* descriptorsBackAt(before);
    });
  });

  it('leaves no descriptor after a thousand files, reads and kills', () =>
    run(function* () {
      for (let round = 0; round < 20; round += 1) {
        const victims = Array.from({ length: 50 }, (_, index) =>
          spawn(function* () {
            const file = yield* files.open(at('file'), 'r+');
            try {
              for (let i = 0; i < index % 4; i += 1) yield* index % 2 === 0 ? file.readLine() : file.write('x');
              yield* sleep(index % 3);
            } finally {
              file.close();
            }
          }),
        );
        if (round % 2 === 0) yield* yieldNow();
        else yield* sleep(1);
        for (const victim of victims) victim.kill();
        for (const victim of victims) yield* victim.join();
      }
      while (hub.stats().orphans > 0) yield* sleep(1);
      yield* descriptorsBackAt(before);
    }));
});

describe('A file among other streams', () => {
  it('can be piped from and to', () =>
    run(function* () {
      const content = 'some text\n'.repeat(30_000);
      fs.writeFileSync(at('from'), content);
      const source = yield* files.open(at('from'));
      const target = yield* files.open(at('to'), 'w');
      expect(yield* pipe(source, target)).toBe(300_000);
      source.close();
      yield* target.closeGracefully();
      expect(text('to')).toBe(content);
    }));
});
