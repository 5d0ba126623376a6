// stdio.test.ts: our own standard streams as sockets, and lines: pipes and files to read, readers that are slow and readers that go.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  forEach,
  LineTooLongError,
  type Op,
  process as proc,
  run,
  type Socket,
  select,
  sleep,
  stdio,
  timeout,
} from 'tendril';
import { afterAll, describe, expect, it } from 'vitest';
import { probeProgram } from '../services.ts';
import { failure, nothingLeft } from './peers.ts';
import { runProgram } from './process-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
afterAll(() => rmSync(folder, { recursive: true }));

const bash = probeProgram('bash');

describe('stdio.lines', () => {
  /** Run `body` with the stdout of a child that prints `text` and ends when its stdin does. */
  async function withText(text: string, body: (source: Socket, child: proc.Process) => Op<unknown>): Promise<void> {
    await run(function* () {
      const child = yield* proc.spawn('sh', ['-c', `printf '${text}'; read line`], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      try {
        yield* body(child.stdout, child);
      } finally {
        child.close();
      }
    });
    nothingLeft();
  }

  it('gives each line without its end, also the last one if it has none', () =>
    withText('one\\ntwo\\r\\n\\nlast', function* (source, child) {
      child.stdin.end();
      const seen: string[] = [];
      const lines = stdio.lines(source);
      yield* forEach(lines, function* (line) {
        seen.push(line);
      });
      expect(seen).toEqual(['one', 'two', '', 'last']);
      expect(yield* lines.next()).toEqual({ done: true, value: undefined });
    }));

  it('takes a line or nothing: a timeout and a select lose none', () =>
    withText('whole\\nhalf a ', function* (source, child) {
      const lines = stdio.lines(source);
      expect(yield* lines.next()).toEqual({ done: false, value: 'whole' });
      expect(yield* timeout(10, lines.next(), { else: 'none' })).toBe('none');
      expect((yield* select({ line: lines.next(), time: sleep(5) })).key).toBe('time');
      child.stdin.end();
      expect(yield* lines.next()).toEqual({ done: false, value: 'half a ' });
      expect((yield* lines.next()).done).toBe(true);
    }));

  it('has a limit, for the last line too', () =>
    withText('123456\\n12345', function* (source, child) {
      child.stdin.end();
      expect(yield* failure(stdio.lines(source, { limit: 5 }).next())).toBeInstanceOf(LineTooLongError);
      expect(yield* stdio.lines(source, { limit: 6 }).next()).toEqual({ done: false, value: '123456' });
      yield* child.wait();
      expect(yield* failure(stdio.lines(source, { limit: 4 }).next())).toBeInstanceOf(LineTooLongError);
      expect(yield* stdio.lines(source, { limit: 5 }).next()).toEqual({ done: false, value: '12345' });
    }));

  it('decodes latin1 if it is asked to', () =>
    withText('\\374\\n', function* (source) {
      expect((yield* stdio.lines(source, { encoding: 'latin1' }).next()).value).toBe('ü');
    }));

  it('refuses bad arguments at the call', () => {
    expect(() => stdio.lines({} as Socket)).toThrow('lines takes a Socket, not an object');
    expect(() => stdio.question(5 as unknown as string)).toThrow('question takes a string, not 5');
    expect(() => stdio.question('x', { hidden: 1 as unknown as boolean })).toThrow('hidden must be true or false');
    expect(() => stdio.question('x', { limit: -1 })).toThrow(RangeError);
    expect(() => stdio.readKey({ escapeMs: -1 })).toThrow('escapeMs must be a number >= 0');
    expect(() => stdio.rawMode(5 as unknown as Op<void>)).toThrow(TypeError);
  });
});

describe('stdin', () => {
  it('is a socket over a pipe: lines, bytes, questions, keys; null at the end', async () => {
    const { stdout, stderr, code } = await runProgram(
      `
      import { main, stdio, timeout } from 'tendril';
      main(function* () {
        const lines = stdio.lines();
        console.log((yield* lines.next()).value, String(stdio.stdin()), stdio.stdin() === stdio.stdin());
        console.log(yield* timeout(20, lines.next(), { else: 'nothing yet' }));
        console.log((yield* lines.next()).value);
        console.log(yield* stdio.question('Name? '), yield* stdio.question('Secret? ', { hidden: true }));
        const keys = [];
        for (let key = yield* stdio.readKey(); key.name !== 'return'; key = yield* stdio.readKey()) keys.push((key.ctrl ? '^' : '') + key.name);
        console.log(keys.join());
        console.log(String(yield* stdio.stdin().readExactly(3)));
        console.log((yield* lines.next()).value, yield* lines.next(), yield* stdio.readKey(), yield* stdio.question(''), yield* stdio.stdin().read());
      });`,
      {
        input: [
          ['', 'first\nhalf '],
          ['nothing yet', 'a line\n'],
          ['half a line', 'Jo\nsesame\nx\x1b[Aé\x03\rabclast'],
        ],
      },
    );
    expect(stdout).toBe(
      [
        'first stdin true',
        'nothing yet',
        'half a line',
        'Jo sesame',
        'x,up,é,^c',
        'abc',
        'last { done: true, value: undefined } null null null',
        '',
      ].join('\n'),
    );
    expect([stderr, code]).toEqual(['Name? Secret? ', 0]);
  });

  it.skipIf(bash === undefined)('is a socket over a file', async () => {
    const file = join(folder, 'lines');
    writeFileSync(file, `${'a line of the file\n'.repeat(100_000)}the last`);
    const { stdout, stderr, code } = await runProgram(
      `
      import { forEach, main, stdio } from 'tendril';
      main(function* () {
        let count = 0;
        let last;
        yield* forEach(stdio.lines(), function* (line) { count += 1; last = line; });
        console.log(count, last);
      });`,
      { script: `exec "$@" < ${file}` },
    );
    expect([stdout, stderr, code]).toEqual(['100001 the last\n', '', 0]);
  });

  it('does not keep the program alive by being open, and is let go of by close()', async () => {
    const { stdout, stderr, code } = await runProgram(
      `
      import { createInterface } from 'node:readline';
      import { openHandles, run, stdio } from 'tendril';
      await run(function* () {
        console.log((yield* stdio.lines().next()).value);
        stdio.stdin().close();
        console.log(openHandles().total, process.stdin.listenerCount('readable'));
      });
      const reader = createInterface({ input: process.stdin });
      console.log('send more');
      const line = await new Promise((resolve) => reader.once('line', resolve));
      reader.close();
      console.log(line);
      await run(function* () { stdio.stdin(); console.log('it ends'); });`,
      {
        input: [
          ['', 'one\n'],
          ['send more', 'two\n'],
          ['never printed', 'x'],
        ],
      },
    );
    expect([stdout, stderr, code]).toEqual(['one\n0 0\nsend more\ntwo\nit ends\n', '', 0]);
  });
});

describe.skipIf(bash === undefined)('stdout', () => {
  it('lets a writer wait for a slow reader, and has everything written at the end', async () => {
    const { stdout, stderr, code } = await runProgram(
      `
      import { main, stdio } from 'tendril';
      main(function* () {
        let most = 0;
        for (let i = 0; i < 80; i += 1) {
          yield* stdio.stdout().write(Buffer.alloc(50_000));
          most = Math.max(most, stdio.stdout().unsent);
        }
        yield* stdio.stderr().write(String(most <= 65_536 + 50_000) + '\\n');
      });`,
      { script: '"$@" | (sleep 1; wc -c | tr -d " ")' },
    );
    expect([stdout, stderr, code]).toEqual(['4000000\n', 'true\n', 0]);
  });

  it.each([
    ['console.log', "console.log('line', i); yield* sleep(0);"],
    ['process.stdout.write', "process.stdout.write('line ' + i + '\\n'); yield* sleep(0);"],
    ['stdio.stdout', "yield* stdio.stdout().write('line ' + i + '\\n');"],
    [
      'stdio.stdout in a scope',
      "yield* scope(function* (s) { s.spawn(() => stdio.stdout().write('line ' + i + '\\n')); });",
    ],
    ['stdio.stdout in a detached greenlet', "yield* spawn(() => stdio.stdout().write('line ' + i + '\\n')).get();"],
  ])('F40: ends a program in main quietly when its reader has gone: %s', async (_, print) => {
    const { stdout, stderr } = await runProgram(
      `
      import fs from 'node:fs';
      import { main, scope, shield, sleep, spawn, stdio } from 'tendril';
      function* worker() {
        try { for (let i = 0; ; i += 1) { ${print} } } finally { yield* shield(sleep(5)); fs.writeSync(2, 'cleaned up\\n'); }
      }
      main(function* () {
        spawn(worker);
        yield* worker();
      });
      process.on('exit', (code) => fs.writeSync(2, 'exit ' + code + '\\n'));`,
      { script: '"$@" | head -1; echo "status ${PIPESTATUS[0]}"' },
    );
    expect([stdout, stderr]).toEqual(['line 0\nstatus 0\n', 'cleaned up\ncleaned up\nexit 0\n']);
  });

  it('F40: throws EPIPE without main, where it is written', async () => {
    const { stdout, stderr } = await runProgram(
      `
      import { run, stdio } from 'tendril';
      await run(function* () {
        try {
          for (;;) { yield* stdio.stdout().write('line\\n'); yield* stdio.stdout().flush(); }
        } catch (error) {
          yield* stdio.stderr().write(error.name + ' ' + error.code + ' ' + error.message + '\\n');
        }
      });`,
      { script: '"$@" | head -1; echo "status ${PIPESTATUS[0]}"' },
    );
    expect(stdout).toBe('line\nstatus 0\n');
    expect(stderr).toMatch(/^ConnectionResetError EPIPE (write|flush) on stdout: the connection is lost \(EPIPE\)\n$/);
  });

  it('F40: goes on when only the reader of stderr has gone', async () => {
    const { stdout } = await runProgram(
      `
      import { main, sleep } from 'tendril';
      main(function* () {
        for (let i = 0; i < 20; i += 1) { process.stderr.write('line\\n'); yield* sleep(5); }
        console.log('done');
      });`,
      { script: '{ "$@" 2>&1 1>&3 | true; } 3>&1; echo "status ${PIPESTATUS[0]}"' },
    );
    expect(stdout).toBe('done\nstatus 0\n');
  });

  it.skipIf(process.platform !== 'linux')('warns once of any other error, and the program goes on', async () => {
    const { stdout, stderr } = await runProgram(
      `
      import { main, sleep } from 'tendril';
      main(function* () {
        for (let i = 0; i < 3; i += 1) { console.log('line'); process.stdout.write('line\\n'); yield* sleep(1); }
        console.error('done');
      });`,
      { script: '"$@" > /dev/full; echo "status $?"' },
    );
    expect(stdout).toBe('status 0\n');
    expect(stderr.match(/OutputWarning: stdout: ENOSPC[^;]*; later errors are not reported/g)).toHaveLength(1);
    expect(stderr).toContain('done\n');
  });
});
