// twin-child-process.test.ts: tendril/patches/child_process: real programs, whose outcomes are compared with what Node's own functions give.
import nodeChildProcess from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { all, forEach, hub, now, type Op, run, select, sleep, spawn, timeout, yieldNow } from 'tendril';
import * as cp from 'tendril/patches/child_process';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { descriptors, descriptorsBackAt } from '../io/descriptors.ts';
import { failure, nothingLeft } from '../io/peers.ts';

afterEach(nothingLeft);

const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Does the process still exist, as anything but a zombie? */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Wait for `condition`, as long as it takes: the test's own limit ends it. */
function* when(condition: () => boolean): Op<void> {
  while (!condition()) yield* sleep(1);
}

/** A program that prints its number and then waits for a minute, and does not end by SIGTERM if it is stubborn. */
const sleeper = (stubborn = false): string =>
  `${stubborn ? "process.on('SIGTERM', () => {});" : ''} console.log(process.pid); setTimeout(() => {}, 60000)`;

/** What an error of Node's says, apart from its stack. */
const told = (error: object): object => ({ ...error, message: (error as Error).message });

/** Start `make`'s program, which writes its number to a file, and end the wait by `end` when it has. Returns the number. */
function* ended(make: (script: string, args: string[]) => Op<unknown>, end: 'kill' | 'timeout'): Op<number> {
  const file = join(folder, `pid-${Math.random()}`);
  const script = `require('fs').writeFileSync(process.argv[1], String(process.pid)); setTimeout(() => {}, 60000)`;
  const pidOf = (): number => {
    try {
      return Number(readFileSync(file, 'utf8'));
    } catch {
      return 0;
    }
  };
  const op = make(script, [file]);
  if (end === 'kill') {
    const greenlet = spawn(() => op);
    yield* when(() => pidOf() > 0);
    greenlet.kill();
    yield* greenlet.join();
    expect(greenlet.killed).toBe(true);
  } else {
    // Whatever it takes to start: what is asked is that nothing is left afterwards.
    expect((yield* failure(timeout(500, op))).code).toBe('ERR_TIMEOUT');
  }
  return pidOf();
}

const node = process.execPath;
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const waits: [name: string, make: (script: string, args: string[]) => Op<unknown>][] = [
  ['exec', (script, [file]) => cp.exec(`exec ${quoted(node)} -e ${quoted(script)} ${quoted(file as string)}`)],
  ['execFile', (script, args) => cp.execFile(node, ['-e', script, ...args])],
  ['spawnSync', (script, args) => cp.spawnSync(node, ['-e', script, ...args])],
  ['execFileSync', (script, args) => cp.execFileSync(node, ['-e', script, ...args])],
  ['execSync', (script, [file]) => cp.execSync(`exec ${quoted(node)} -e ${quoted(script)} ${quoted(file as string)}`)],
];

describe('The twin of child_process', () => {
  it.each(waits)('%s leaves no child and no descriptor when it is killed or timed out', async (_name, make) => {
    const before = descriptors();
    await run(function* () {
      for (const end of ['kill', 'timeout'] as const) {
        const pid = yield* ended(make, end);
        if (end === 'kill') expect(pid).toBeGreaterThan(0);
        if (pid > 0) expect(alive(pid)).toBe(false);
      }
      yield* descriptorsBackAt(before);
    });
  });

  it.each(waits)('%s does not start anything when its greenlet is killed before', async (_name, make) => {
    const file = join(folder, 'never');
    await run(function* () {
      const greenlet = spawn(function* () {
        yield* make(`require('fs').writeFileSync(${JSON.stringify(file)}, 'x')`, [file]);
      });
      greenlet.kill();
      yield* greenlet.join();
      expect(greenlet.killed).toBe(true);
    });
  });

  it('lets others run while it waits: ten programs that each wait for the next one to begin', async () => {
    await run(function* () {
      const fileOf = (i: number): string => quoted(join(folder, `begun-${i}`));
      const programs = Array.from({ length: 10 }, (_, i) => {
        const next = i === 9 ? 'true' : `while [ ! -e ${fileOf(i + 1)} ]; do sleep 0.01; done`;
        return cp.execSync(`touch ${fileOf(i)}; ${next}; echo ${i}`);
      });
      const outputs = yield* all(programs);
      expect(outputs.map(String)).toEqual(Array.from({ length: 10 }, (_, i) => `${i}\n`));
    });
  });

  it.each<[string, () => unknown, string]>([
    ['exec of nothing', () => cp.exec(''), 'ERR_INVALID_ARG_VALUE'],
    ['exec of no string', () => cp.exec(5 as never), 'ERR_INVALID_ARG_TYPE'],
    ['NUL', () => cp.execFile('a\0b'), 'ERR_INVALID_ARG_VALUE'],
    ['args that are no array', () => cp.execFile('ls', 'x' as never), 'ERR_INVALID_ARG_TYPE'],
    ['an arg that is no string', () => cp.spawn('ls', [1] as never), 'ERR_INVALID_ARG_TYPE'],
    ['a callback', () => cp.exec('ls', (() => {}) as never), 'ERR_INVALID_ARG_TYPE'],
    ['a bad timeout', () => cp.exec('ls', { timeout: -1 }), 'ERR_OUT_OF_RANGE'],
    ['a bad maxBuffer', () => cp.spawnSync('ls', { maxBuffer: 'x' as never }), 'ERR_INVALID_ARG_TYPE'],
    ['a signal that does not exist', () => cp.execFile('ls', { killSignal: 'SIGNOPE' as never }), 'ERR_UNKNOWN_SIGNAL'],
    ['an unknown encoding', () => cp.execSync('ls', { encoding: 'nope' as never }), 'ERR_UNKNOWN_ENCODING'],
    ['bad input', () => cp.execFileSync('cat', { input: 5 as never }), 'ERR_INVALID_ARG_TYPE'],
    ['a bad cwd', () => cp.fork('x.js', { cwd: 5 as never }), 'ERR_INVALID_ARG_TYPE'],
    ['a channel to execSync', () => cp.execSync('ls', { stdio: ['pipe', 'pipe', 'pipe', 'ipc'] }), 'ERR_IPC_SYNC_FORK'],
  ])('refuses %s at the call', (_what, call, code) => {
    expect(call).toThrow(expect.objectContaining({ code }));
  });
});

describe('child_process.exec and execFile', () => {
  it('give what the program printed, as text or as bytes', async () => {
    await run(function* () {
      expect(yield* cp.exec('echo out; echo err >&2')).toEqual({ stdout: 'out\n', stderr: 'err\n' });
      expect(yield* cp.execFile('echo', ['a b', '$HOME'])).toEqual({ stdout: 'a b $HOME\n', stderr: '' });
      const { stdout } = yield* cp.exec('printf "\\303\\274"', { encoding: 'buffer' });
      expect([...stdout]).toEqual([0xc3, 0xbc]);
      expect((yield* cp.execFile('pwd', { cwd: '/' })).stdout).toBe('/\n');
      expect((yield* cp.exec('echo $A', { env: { ...process.env, A: 'b' } })).stdout).toBe('b\n');
    });
  });

  it('are descriptions that can be run again, and have an empty stdin', async () => {
    const op = cp.exec('cat; echo again');
    const twice = await run(function* () {
      return [(yield* op).stdout, (yield* op).stdout];
    });
    expect(twice).toEqual(['again\n', 'again\n']);
  });

  it.each<[string, string, object]>([
    ['an exit code', 'echo out; echo err >&2; exit 3', {}],
    ['a signal', 'kill -9 $$', {}],
    ['a timeout', 'exec sleep 60', { timeout: 50 }],
    ['too much output', 'echo 1234567890', { maxBuffer: 5 }],
    ['a program that is not there', 'nosuchprogram-at-all', {}],
  ])('throw what Node throws for %s, with a stack that names the caller', async (_what, command, options) => {
    const theirs = await promisify(nodeChildProcess.exec)(command, options).catch((error: Error) => error);
    const ours = await run(() =>
      failure(
        (function* callerOfExec() {
          yield* cp.exec(command, options);
        })(),
      ),
    );
    expect(told(ours)).toEqual(told(theirs as object));
    expect(ours.stack).toContain('callerOfExec');
  });

  it('throw ENOENT as Node does', async () => {
    const theirs = await promisify(nodeChildProcess.execFile)('nosuch', ['x']).catch((error: Error) => error);
    const ours = await run(() => failure(cp.execFile('nosuch', ['x'])));
    expect(told(ours)).toEqual(told(theirs as object));
  });

  it('stop a child that ignores its signal by SIGKILL after the grace', async () => {
    await run(function* () {
      const file = join(folder, 'stubborn');
      const script = `process.on('SIGTERM', () => {}); require('fs').writeFileSync(${JSON.stringify(file)}, ''); setTimeout(() => {}, 60000)`;
      const greenlet = spawn(() => cp.execFile(node, ['-e', script]));
      yield* when(() => existsSync(file));
      const killedMs = now();
      greenlet.kill();
      yield* greenlet.join();
      expect(now() - killedMs).toBeGreaterThan(4_500);
    });
  });
});

describe('child_process.spawnSync, execFileSync and execSync', () => {
  const cases: [what: string, file: string, args: string[], options: object][] = [
    ['output and input', 'sh', ['-c', 'cat; echo err >&2'], { input: 'in' }],
    ['text', 'sh', ['-c', 'cat; echo err >&2; exit 2'], { input: 'in', encoding: 'utf8' }],
    ['a signal', 'sh', ['-c', 'kill -9 $$'], {}],
    ['no pipes', 'true', [], { stdio: 'ignore' }],
    ['input that nobody can read', 'cat', [], { stdio: ['ignore', 'pipe', 'pipe'], input: 'in' }],
    ['empty input', 'cat', [], { input: '' }],
    ['pipes for some', 'sh', ['-c', 'echo out; echo more >&3'], { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] }],
    ['a shell', 'echo $((1 + 1))', [], { shell: true }],
    ['a timeout', 'sleep', ['60'], { timeout: 50 }],
    ['too much output', 'sh', ['-c', 'echo 1234567890; exec sleep 60'], { maxBuffer: 5 }],
    ['a program that is not there', 'nosuch', ['x'], {}],
    ['a working directory that is not there', 'ls', [], { cwd: '/nosuch' }],
  ];

  it.each(cases)('return what Node returns: %s', async (_what, file, args, options) => {
    const plain = ({ pid, error, stdout, stderr, ...result }: nodeChildProcess.SpawnSyncReturns<unknown>): object => ({
      ...result,
      // Of what was not started: null in Node 20, undefined since Node 22. Here it is null.
      stdout: stdout ?? null,
      stderr: stderr ?? null,
      started: pid > 0,
      error: error === undefined ? undefined : told(error),
    });
    const theirs = nodeChildProcess.spawnSync(file, args, options);
    const ours = await run(() => cp.spawnSync(file, args, options) as Op<nodeChildProcess.SpawnSyncReturns<unknown>>);
    expect(plain(ours)).toEqual(plain(theirs));
  });

  it.each<[string, string, object]>([
    ['an exit code', 'echo out; echo err >&2; exit 3', { stdio: 'pipe' }],
    ['an exit code, with text', 'echo out; echo err >&2; exit 3', { stdio: 'pipe', encoding: 'utf8' }],
    ['a signal', 'kill -9 $$', { stdio: 'pipe' }],
  ])('throw what Node throws for %s, with a stack that names the caller', async (_what, command, options) => {
    const failing = (call: () => unknown): object => {
      try {
        call();
      } catch (error) {
        return error as object;
      }
      throw new Error('it did not throw');
    };
    const theirs = failing(() => nodeChildProcess.execSync(command, options));
    const ours = await run(() =>
      failure(
        (function* callerOfExecSync() {
          yield* cp.execSync(command, options);
        })(),
      ),
    );
    expect({ ...told(ours), pid: 0 }).toEqual({ ...told(theirs), pid: 0 });
    expect(ours.stack).toContain('callerOfExecSync');
  });

  it('give the output, as bytes or as text', async () => {
    await run(function* () {
      expect(yield* cp.execSync('echo hello')).toEqual(Buffer.from('hello\n'));
      expect(yield* cp.execFileSync('cat', { input: 'ü', encoding: 'utf8' })).toBe('ü');
      expect(yield* cp.execFileSync('cat', [], { input: Buffer.from('bytes') })).toEqual(Buffer.from('bytes'));
      expect((yield* failure(cp.execFileSync('nosuch'))).code).toBe('ENOENT');
    });
  });

  it('pass stderr on when the program has ended, as Node does, unless stdio says otherwise', async () => {
    const theirs = `
      import { execSync } from 'node:child_process';
      execSync('echo seen >&2');
      execSync('echo hidden >&2', { stdio: 'pipe' });`;
    expect(nodeChildProcess.spawnSync(node, ['--input-type=module', '-e', theirs]).stderr.toString()).toBe('seen\n');
    const written: string[] = [];
    const { write } = process.stderr;
    process.stderr.write = (text: string | Uint8Array) => {
      written.push(String(text));
      return true;
    };
    try {
      await run(function* () {
        yield* cp.execSync('echo seen >&2');
        yield* cp.execSync('echo hidden >&2', { stdio: 'pipe' });
      });
    } finally {
      process.stderr.write = write;
    }
    expect(written).toEqual(['seen\n']);
  });
});

describe('child_process.spawn', () => {
  it('gives a child at once, whose streams are read and written and whose end is waited for', async () => {
    const before = descriptors();
    await run(function* () {
      const child = cp.spawn('cat');
      expect([typeof child.pid, child.exitCode, child.spawnfile, child.spawnargs]).toEqual([
        'number',
        null,
        'cat',
        ['cat'],
      ]);
      yield* child.once('spawn');
      yield* child.stdin.write('one\n');
      expect(yield* child.stdout.readLine()).toBe('one');
      yield* child.stdin.end('two\n');
      expect([yield* child.stdout.readLine(), yield* child.stdout.read(), yield* child.stderr.read()]).toEqual([
        'two',
        null,
        null,
      ]);
      expect([yield* child.wait(), yield* child.once('exit'), yield* child.once('close'), child.exitCode]).toEqual([
        { exitCode: 0, signal: null },
        [0, null],
        [0, null],
        0,
      ]);
      expect([child.kill(), child.signalCode]).toEqual([false, null]);
      yield* descriptorsBackAt(before);
    });
  });

  it('gives the streams that are pipes, also more than three', async () => {
    await run(function* () {
      const child = cp.spawn('sh', ['-c', 'cat <&3; echo more >&4'], {
        stdio: ['ignore', 'inherit', 'ignore', 'pipe', 'pipe'],
      });
      expect([child.stdin, child.stdout, child.stderr, child.stdio.length]).toEqual([null, null, null, 5]);
      yield* child.stdio[3]?.end() as Op<void>;
      expect(yield* child.stdio[4]?.readLine() as Op<string>).toBe('more');
      yield* child.once('exit');
      for (const stream of child.stdio) stream?.destroy();
    });
  });

  it('tells by what waits for it that it cannot be started', async () => {
    await run(function* () {
      for (const wait of [
        (child: cp.ChildProcess): Op<unknown> => child.wait(),
        (child: cp.ChildProcess): Op<unknown> => child.once('spawn'),
        (child: cp.ChildProcess): Op<unknown> => child.once('exit'),
        (child: cp.ChildProcess): Op<unknown> => child.once('close'),
      ]) {
        const child = cp.spawn('nosuch');
        const error = yield* failure(
          (function* callerOfWait() {
            yield* wait(child);
          })(),
        );
        expect([error.code, child.pid, child.stdin, child.kill()]).toEqual(['ENOENT', undefined, null, false]);
        expect(error.stack).toContain('callerOfWait');
      }
    });
  });

  it('tells the hub of a child that cannot be started if nothing waits for it', async () => {
    const errors: string[] = [];
    const off = hub.on('error', (error) => void errors.push((error as Error).message));
    await run(function* () {
      cp.spawn('nosuch');
      yield* when(() => errors.length > 0);
    });
    off();
    expect(errors).toEqual(['spawn nosuch ENOENT']);
  });

  it.each(['wait', 'exit', 'close'] as const)('takes the child with a greenlet that is killed in %s', async (how) => {
    await run(function* () {
      const child = cp.spawn(node, ['-e', sleeper()]);
      const pid = Number(yield* child.stdout.readLine());
      const greenlet = spawn(function* () {
        yield* (how === 'wait' ? child.wait() : child.once(how)) as Op<unknown>;
      });
      yield* yieldNow();
      greenlet.kill();
      yield* greenlet.join();
      yield* child.wait();
      expect([child.signalCode, alive(pid)]).toEqual(['SIGTERM', false]);
      child[Symbol.dispose]();
      yield* when(() => hub.stats().orphans === 0);
    });
  });

  it('leaves the child alone when a timeout or a select gives the wait up', async () => {
    await run(function* () {
      const child = cp.spawn(node, ['-e', sleeper()]);
      yield* child.stdout.readLine();
      expect((yield* failure(timeout(5, child.wait()))).code).toBe('ERR_TIMEOUT');
      const chosen = yield* select({ exit: child.once('exit'), later: sleep(5) });
      expect([chosen.key, child.exitCode]).toEqual(['later', null]);
      expect([child.kill('SIGKILL'), child.killed, yield* child.once('exit')]).toEqual([true, true, [null, 'SIGKILL']]);
      child[Symbol.dispose]();
    });
  });

  it('is told by several who wait at once', async () => {
    await run(function* () {
      const child = cp.spawn('sh', ['-c', 'read line; exit 7']);
      const waiting = [1, 2, 3].map(() => spawn(() => child.wait()));
      yield* yieldNow();
      yield* child.stdin.end('x\n');
      const ends: unknown[] = [];
      for (const greenlet of waiting) ends.push((yield* greenlet.get()).exitCode);
      expect(ends).toEqual([7, 7, 7]);
      child[Symbol.dispose]();
    });
  });

  it('kills a detached child with its group', async () => {
    await run(function* () {
      const script = `const { pid } = require('child_process').spawn('sleep', ['60']); console.log(process.pid + ' ' + pid); setTimeout(() => {}, 60000)`;
      const child = cp.spawn(node, ['-e', script], { detached: true });
      const [pid, grandchild] = String(yield* child.stdout.readLine())
        .split(' ')
        .map(Number) as [number, number];
      const greenlet = spawn(() => child.wait());
      yield* yieldNow();
      greenlet.kill();
      yield* greenlet.join();
      yield* child.wait();
      yield* when(() => hub.stats().orphans === 0);
      const state = yield* cp.execSync(`ps -o stat= -p ${grandchild} || true`, { encoding: 'utf8' });
      expect([alive(pid), /^\s*$|^Z/.test(state)]).toEqual([false, true]);
      child[Symbol.dispose]();
    });
  });

  it('refuses events that there are none of, and signals', async () => {
    await run(function* () {
      const child = cp.spawn('true');
      expect(() => child.once('data' as never)).toThrow(/no such event: data/);
      expect(() => child.kill('SIGNOPE' as never)).toThrow(expect.objectContaining({ code: 'ERR_UNKNOWN_SIGNAL' }));
      yield* child.wait();
      child[Symbol.dispose]();
    });
  });
});

describe('child_process.fork', () => {
  const module = join(folder, 'child.cjs');
  writeFileSync(
    module,
    `process.on('message', (message) => { process.send({ got: message, args: process.argv.slice(2) }); if (message === 'bye') process.disconnect(); });`,
  );

  it('sends and takes messages in their order, and loses none', async () => {
    await run(function* () {
      const child = cp.fork(pathToFileURL(module), ['a']);
      expect(child.connected).toBe(true);
      for (const message of ['one', { two: 2 }, 'bye']) yield* child.send(message);
      yield* child.once('disconnect');
      const got: unknown[] = [];
      for (let i = 0; i < 3; i += 1) got.push((yield* child.once('message'))[0]);
      expect(got).toEqual(['one', { two: 2 }, 'bye'].map((each) => ({ got: each, args: ['a'] })));
      expect(yield* child.once('exit')).toEqual([0, null]);
      expect((yield* failure(child.once('message'))).code).toBe('ERR_CLOSED');
      expect((yield* failure(child.send('late'))).code).toBe('ERR_IPC_CHANNEL_CLOSED');
      expect(child.connected).toBe(false);
    });
  });

  it('waits for a message in a select, and until the child disconnects', async () => {
    await run(function* () {
      const child = cp.fork(module, { silent: true });
      const chosen = yield* select({ message: child.once('message'), later: sleep(5) });
      expect(chosen.key).toBe('later');
      const waiting = spawn(() => failure(child.once('message')));
      const killed = spawn(() => child.once('message'));
      yield* yieldNow();
      killed.kill();
      yield* killed.join();
      child.disconnect();
      expect((yield* waiting.get()).code).toBe('ERR_CLOSED');
      yield* child.wait();
      child[Symbol.dispose]();
    });
  });

  it('gives what the child prints, if it is silent', async () => {
    await run(function* () {
      const talker = join(folder, 'talker.cjs');
      writeFileSync(talker, `console.log('one'); console.log('two')`);
      const child = cp.fork(talker, [], { silent: true });
      const lines: string[] = [];
      yield* forEach(child.stdout as NonNullable<typeof child.stdout>, function* (chunk) {
        lines.push(String(chunk));
      });
      expect([lines.join(''), yield* child.once('close')]).toEqual(['one\ntwo\n', [0, null]]);
      child[Symbol.dispose]();
    });
  });
});
