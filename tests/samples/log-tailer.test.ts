// log-tailer.test.ts: the log tailer on real files, which are appended to, truncated and rotated while it reads.
import { spawn as spawnProcess } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Channel, type Op, run, scope, sleep, timeout } from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FollowOptions, follow } from '../../samples/log-tailer.ts';
import { runSample } from './run-sample.ts';
import { expectNothingLeft } from './settled.ts';

let folder: string;
let log: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'tendril-log-'));
  log = join(folder, 'app.log');
});
afterEach(async () => {
  await expectNothingLeft();
  fs.rmSync(folder, { recursive: true, force: true });
});

interface Following {
  /** The next line. */
  next(): Op<string>;
  /** Is there none? */
  quiet(): Op<boolean>;
}

/** Run `body` while the log is followed. */
function following<T>(body: (lines: Following) => Op<T>, options: FollowOptions = {}, capacity = 16): Promise<T> {
  return run(function* test(): Op<T> {
    const lines = new Channel<string>(capacity);
    return yield* scope(function* both(s): Op<T> {
      const follower = s.spawn(follow, log, lines, { from: 'start', pollMs: 20, ...options });
      const next = (): Op<string> => timeout(20_000, lines.receive());
      function* quiet(): Op<boolean> {
        yield* sleep(60);
        return lines.length === 0;
      }
      try {
        return yield* body({ next, quiet });
      } finally {
        follower.kill();
      }
    });
  });
}

function* take(count: number, { next }: Following): Op<string[]> {
  const lines: string[] = [];
  while (lines.length < count) lines.push(yield* next());
  return lines;
}

describe('The log tailer', () => {
  it('gives what is there, what is appended, and a line only when it is whole', async () => {
    fs.writeFileSync(log, 'one\ntw');
    const seen = await following(function* body(lines) {
      const first = yield* lines.next();
      const before = yield* lines.quiet();
      fs.appendFileSync(log, 'o\n');
      const second = yield* lines.next();
      fs.appendFileSync(log, '\nžl');
      fs.appendFileSync(log, Buffer.from('uť 🍞').subarray(0, 6));
      fs.appendFileSync(log, Buffer.concat([Buffer.from('uť 🍞').subarray(6), Buffer.from('\n')]));
      return [first, before, second, ...(yield* take(2, lines)), yield* lines.quiet()];
    });
    expect(seen).toEqual(['one', true, 'two', '', 'žluť 🍞', true]);
  });

  it('begins at the end if asked to', async () => {
    fs.writeFileSync(log, 'old\n'.repeat(1_000));
    const seen = await following(
      function* body({ next, quiet }) {
        // Nobody says when it has begun.
        for (let i = 0; ; i += 1) {
          fs.appendFileSync(log, `new ${i}\n`);
          if (!(yield* quiet())) return [yield* next()];
        }
      },
      { from: 'end' },
    );
    expect(seen).toEqual([expect.stringMatching(/^new \d+$/)]);
  });

  it('waits for a file that is not there yet', async () => {
    const seen = await following(function* body(lines) {
      const before = yield* lines.quiet();
      fs.writeFileSync(log, 'here\n');
      return [before, yield* lines.next()];
    });
    expect(seen).toEqual([true, 'here']);
  });

  it('starts again at the beginning of a file that was truncated', async () => {
    fs.writeFileSync(log, 'one\ntwo\nthree\n');
    const seen = await following(function* body(lines) {
      const before = yield* take(3, lines);
      fs.truncateSync(log);
      fs.appendFileSync(log, 'four\n');
      const after = yield* lines.next();
      fs.writeFileSync(log, '5\n');
      return [...before, after, yield* lines.next(), yield* lines.quiet()];
    });
    expect(seen).toEqual(['one', 'two', 'three', 'four', '5', true]);
  });

  it('loses and doubles no line when the file is rotated while it is written to', async () => {
    const count = 400;
    const seen = await following(
      function* body(lines) {
        const got: string[] = [];
        let old = fs.openSync(log, 'a');
        try {
          for (let i = 0; i < count; i += 1) {
            if (i % 50 === 25) {
              fs.renameSync(log, `${log}.${i}`);
              // Whoever writes does not know yet; somebody may make the new file before it does.
              if (i % 100 === 25) fs.closeSync(fs.openSync(log, 'a'));
              for (let late = 0; late < 5; late += 1) fs.writeSync(old, `${i} late ${late}\n`);
              fs.closeSync(old);
              old = fs.openSync(log, 'a');
            }
            // A line in two pieces, now and then with time between them.
            fs.writeSync(old, `${i} `);
            if (i % 7 === 0) yield* sleep(1);
            fs.writeSync(old, 'line\n');
            // One rotation at a time: a file that comes and goes before anybody looks is seen by nobody.
            if (i % 50 === 49) while (got.at(-1) !== `${i} line`) got.push(yield* lines.next());
          }
          return [got, yield* lines.quiet()];
        } finally {
          fs.closeSync(old);
        }
      },
      {},
      4,
    );
    const expected = Array.from({ length: count }, (_, i) => [
      ...(i % 50 === 25 ? [0, 1, 2, 3, 4].map((late) => `${i} late ${late}`) : []),
      `${i} line`,
    ]).flat();
    expect(seen).toEqual([expected, true]);
  });

  it('reads on in a file that was renamed while somebody still writes to it', async () => {
    const seen = await following(
      function* body(lines) {
        const old = fs.openSync(log, 'a');
        fs.writeSync(old, 'one\n');
        const got = [yield* lines.next()];
        fs.renameSync(log, `${log}.1`);
        fs.writeFileSync(log, 'new\n');
        got.push(yield* lines.next());
        fs.writeSync(old, 'still here\n');
        fs.closeSync(old);
        got.push(yield* lines.next());
        fs.appendFileSync(log, 'newer\n');
        got.push(yield* lines.next());
        return got;
      },
      { lingerMs: 60_000 },
    );
    expect(seen).toEqual(['one', 'new', 'still here', 'newer']);
  });

  it('gives the last line of a renamed file, which has no end, when it gives the file up', async () => {
    fs.writeFileSync(log, 'one\nunfinished');
    const seen = await following(
      function* body(lines) {
        const got = [yield* lines.next()];
        fs.renameSync(log, `${log}.1`);
        got.push(yield* lines.next());
        fs.appendFileSync(`${log}.1`, ' and too late\n');
        fs.writeFileSync(log, 'new\n');
        got.push(yield* lines.next());
        return got;
      },
      { lingerMs: 20 },
    );
    expect(seen).toEqual(['one', 'unfinished', 'new']);
  });

  it('does not read a file again that was renamed and got its name back', async () => {
    fs.writeFileSync(log, 'one\n');
    const seen = await following(function* body(lines) {
      const got = [yield* lines.next()];
      fs.renameSync(log, `${log}.1`);
      const quiet = [yield* lines.quiet()];
      fs.renameSync(`${log}.1`, log);
      quiet.push(yield* lines.quiet());
      fs.appendFileSync(log, 'two\n');
      got.push(yield* lines.next());
      fs.unlinkSync(log);
      quiet.push(yield* lines.quiet());
      fs.writeFileSync(log, 'three\n');
      got.push(yield* lines.next());
      return [got, quiet];
    });
    expect(seen).toEqual([
      ['one', 'two', 'three'],
      [true, true, true],
    ]);
  });

  it('gives a line that is too long in pieces', async () => {
    fs.writeFileSync(log, `${'x'.repeat(25)}\n${'y'.repeat(10)}\n`);
    const seen = await following((lines) => take(4, lines), { maxLineBytes: 10 });
    expect(seen).toEqual(['x'.repeat(10), 'x'.repeat(10), 'x'.repeat(5), 'y'.repeat(10)]);
  });

  it('waits when nobody takes its lines, ends when the channel is closed, and fails for a folder', async () => {
    fs.writeFileSync(log, 'line\n'.repeat(1_000));
    const seen = await run(function* test(): Op<unknown[]> {
      const lines = new Channel<string>(2);
      return yield* scope(function* both(s): Op<unknown[]> {
        const follower = s.spawn(follow, log, lines, { from: 'start' });
        while (lines.balance === 0) yield* sleep(1);
        const waiting = [lines.length, follower.outcome];
        lines.close();
        yield* follower.join();
        const outcomes: unknown[] = [...waiting, follower.outcome?.ok];
        for (const path of [folder, join(folder, 'no', 'such')]) {
          try {
            yield* follow(path, new Channel<string>(), { from: 'start' });
          } catch (error) {
            outcomes.push((error as { code: string }).code);
          }
        }
        return outcomes;
      });
    });
    expect(seen).toEqual([2, undefined, true, 'EISDIR', 'ENOENT']);
  });

  it('runs as a program: prints lines, a count on SIGUSR1, and ends on SIGTERM', { timeout: 60_000 }, async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const child = spawnProcess(process.execPath, ['--import', 'tsx', 'samples/log-tailer.ts', log], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const gone = new Promise((resolve) => child.once('close', (code, signal) => resolve([code, signal])));
    const until = async (done: () => boolean): Promise<void> => {
      while (!done() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    try {
      await until(() => stderr.includes('following'));
      // Nobody says when it has begun, and what was there before it does is not printed.
      await until(() => {
        fs.appendFileSync(log, 'ready\n');
        return stdout.includes('ready');
      });
      fs.appendFileSync(log, 'a\nb\n');
      await until(() => stdout.endsWith('a\nb\n'));
      child.kill('SIGUSR1');
      await until(() => stderr.includes('lines so far'));
      child.kill('SIGTERM');
      expect([await gone, stdout]).toEqual([[null, 'SIGTERM'], expect.stringMatching(/^(ready\n)+a\nb\n$/)]);
      expect(stderr).toBe(`following ${log}\n${stdout.split('\n').length - 1} lines so far\n`);
    } finally {
      child.kill('SIGKILL');
    }
    const bad = await runSample('log-tailer', join(folder, 'no', 'such', 'file'));
    expect([bad.status, bad.stdout, bad.stderr]).toEqual([1, '', expect.stringContaining('Cannot follow')]);
  });
});
