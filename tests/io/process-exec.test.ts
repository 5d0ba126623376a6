// process-exec.test.ts: whole conversations with a child: exec and communicate, their limits, and what becomes of the child.
import {
  BusyError,
  ExecTimeoutError,
  ExitError,
  GreenletKilledError,
  MaxBufferError,
  now,
  type Op,
  process as proc,
  run,
  sleep,
  spawn,
  TimeoutError,
  timeout,
} from 'tendril';
import { afterEach, describe, expect, expectTypeOf, it } from 'vitest';
import { failure, nothingLeft } from './peers.ts';

afterEach(nothingLeft);

const sh = (script: string): readonly ['-c', string] => ['-c', script];

/** Run `op` and return the error that it throws. */
function failureOf<E = Error & { code: string }>(op: () => Op<unknown>): Promise<E> {
  return run(() => failure(op())) as Promise<unknown> as Promise<E>;
}

describe('process.exec', () => {
  it('returns what the program printed and how it ended', async () => {
    expect(await run(() => proc.exec('sh', sh('echo out; echo err >&2; exit 3')))).toEqual({
      stdout: 'out\n',
      stderr: 'err\n',
      exitCode: 3,
      signal: null,
    });
    expect(await run(() => proc.exec('sh', sh('kill -9 $$')))).toEqual({
      stdout: '',
      stderr: '',
      exitCode: null,
      signal: 'SIGKILL',
    });
  });

  it('passes arguments as they are: no shell takes them apart', async () => {
    const args = ['a b', '$HOME', '; exit 1', "'", '"', '', '*', 'ü\n'];
    const program = 'console.log(JSON.stringify(process.argv.slice(1)))';
    const { stdout } = await run(() => proc.exec(process.execPath, ['-e', program, '--', ...args]));
    expect(JSON.parse(stdout)).toEqual(args);
  });

  it('is a description that can be run again', async () => {
    const op = proc.exec('echo', ['again']);
    const twice = await run(function* () {
      return [yield* op, yield* op];
    });
    expect(twice.map(({ stdout }) => stdout)).toEqual(['again\n', 'again\n']);
  });

  it.each([
    ['a string', 'ü\n', Buffer.from('ü\n')],
    ['bytes', new Uint8Array([0, 255, 10]), Buffer.from([0, 255, 10])],
    ['an ArrayBuffer', new Uint8Array([1, 2]).buffer, Buffer.from([1, 2])],
    ['nothing', undefined, Buffer.alloc(0)],
    ['an empty string', '', Buffer.alloc(0)],
  ])('gives the program %s to read, and then the end', async (_, input, expected) => {
    const { stdout } = await run(() => proc.exec('cat', [], { input, encoding: 'buffer' }));
    expect(stdout).toEqual(expected);
  });

  it('decodes text only when all of it is there', async () => {
    const { stdout } = await run(() => proc.exec('sh', sh("printf '\\303'; sleep 0.02; printf '\\274'")));
    expect(stdout).toBe('ü');
    const latin = await run(() => proc.exec('printf', ['\\374'], { encoding: 'latin1' }));
    expect(latin.stdout).toBe('ü');
  });

  it('F86: writes and reads at the same time, more than any pipe holds', async () => {
    const input = Buffer.alloc(8_000_000, 'abcdefg');
    const { stdout, stderr, exitCode } = await run(() =>
      proc.exec(process.execPath, ['-e', 'process.stdin.pipe(process.stdout); process.stdin.pipe(process.stderr)'], {
        input,
        encoding: 'buffer',
      }),
    );
    expect([stdout.equals(input), stderr.equals(input), exitCode]).toEqual([true, true, 0]);
  });

  it('F86: takes no offence if the program does not read its input', async () => {
    const input = Buffer.alloc(4_000_000);
    expect(await run(() => proc.exec('sh', sh('echo done; exit 2'), { input }))).toMatchObject({
      stdout: 'done\n',
      exitCode: 2,
    });
  });

  it('makes an exit code other than 0 an error if that is asked for', async () => {
    const error = await failureOf<ExitError>(() =>
      proc.exec('sh', sh('echo out; echo first >&2; echo "fatal: no such thing" >&2; exit 128'), { check: true }),
    );
    expect(error).toBeInstanceOf(ExitError);
    expect(error.message).toMatch(/^process \d+ \(sh\) ended with exit code 128: fatal: no such thing$/);
    expect([error.code, error.exitCode, error.signal, error.stdout, error.stderr.length]).toEqual([
      'ERR_EXIT',
      128,
      null,
      'out\n',
      'first\nfatal: no such thing\n'.length,
    ]);
    const killed = await failureOf<ExitError>(() => proc.exec('sh', sh('kill -TERM $$'), { check: true }));
    expect(killed.message).toMatch(/was ended by SIGTERM$/);
    expect(await run(() => proc.exec('true', [], { check: true }))).toMatchObject({ exitCode: 0 });
  });

  it('F90: stops a program that prints more than maxBuffer, with what had come', async () => {
    const error = await failureOf<MaxBufferError>(() => proc.exec('yes', [], { maxBuffer: 1001 }));
    expect(error).toBeInstanceOf(MaxBufferError);
    expect([error.code, error.stream, error.maxBuffer, error.stdout, error.stderr]).toEqual([
      'ERR_CHILD_PROCESS_STDIO_MAXBUFFER',
      'stdout',
      1001,
      'y\n'.repeat(501).slice(0, 1001),
      '',
    ]);
    expect(Object.keys(error)).not.toContain('stdout');
    const other = await failureOf<MaxBufferError>(() =>
      proc.exec('sh', sh('printf 12; printf 123456 >&2; sleep 1000'), { maxBuffer: 5, detached: true }),
    );
    expect([other.stream, other.stderr]).toEqual(['stderr', '12345']);
  });

  it('F90: takes exactly maxBuffer bytes', async () => {
    const { stdout } = await run(() => proc.exec('printf', ['12345'], { maxBuffer: 5 }));
    expect(stdout).toBe('12345');
  });

  it('stops a program that takes too long, with what it had printed', async () => {
    const error = await failureOf<ExecTimeoutError>(() =>
      proc.exec('sh', sh('echo begun; exec sleep 1000'), { timeoutMs: 200 }),
    );
    expect(error).toBeInstanceOf(ExecTimeoutError);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error.message).toMatch(/^timed out after 200 ms in exec of process \d+ \(sh\)$/);
    expect([error.code, error.timeoutMs, error.stdout]).toEqual(['ERR_TIMEOUT', 200, 'begun\n']);
  });

  it('waits no longer than the grace for a program that does not want to end', async () => {
    const startMs = now();
    const error = await failureOf(() =>
      proc.exec('sh', sh('trap "" TERM; while :; do sleep 0.02; done'), { timeoutMs: 100, graceMs: 50 }),
    );
    expect([error.code, now() - startMs < 4000]).toEqual(['ERR_TIMEOUT', true]);
  });

  it('lets an outer timeout be that timeout', async () => {
    const error = await failureOf<TimeoutError>(() => timeout(20, proc.exec('sleep', ['1000'], { timeoutMs: 10_000 })));
    expect([error instanceof ExecTimeoutError, error.timeoutMs]).toEqual([false, 20]);
  });

  it('F89: has ended the program, and reaped it, when its greenlet was killed', () =>
    run(function* () {
      const victim = spawn(() => proc.exec('sh', sh('trap "sleep 0.05; exit 0" TERM; while :; do sleep 0.01; done')));
      yield* sleep(50);
      victim.kill('enough');
      expect(yield* failure(victim.get())).toBeInstanceOf(GreenletKilledError);
      nothingLeftButUs();
    }));

  it('does not hang on what a killed program has started', () =>
    run(function* () {
      // The grandchild holds the pipes open.
      const victim = spawn(() => proc.exec('sh', sh('sleep 1 & exec sleep 1000')));
      yield* sleep(50);
      victim.kill();
      yield* victim.join();
      nothingLeftButUs();
    }));

  it('refuses bad arguments at the call', () => {
    const bad = (...args: unknown[]): string => {
      try {
        (proc.exec as (...args: unknown[]) => unknown)(...args);
      } catch (error) {
        return `${(error as Error).name} ${(error as { code: string }).code}: ${(error as Error).message}`;
      }
      return 'nothing';
    };
    expect([
      bad(),
      bad(''),
      bad('a\0b'),
      bad('a', 'b'),
      bad('a', ['ok', 5]),
      bad('a', ['ok', 'b\0c']),
      bad('a', [], 5),
      bad('a', [], { cwd: 5 }),
      bad('a', [], { cwd: '' }),
      bad('a', [], { cwd: 'a\0' }),
      bad('a', [], { env: 'A=1' }),
      bad('a', [], { env: { A: 1 } }),
      bad('a', [], { env: { A: 'b\0' } }),
      bad('a', [], { env: { 'A=B': 'c' } }),
      bad('a', [], { stdio: 'pipes' }),
      bad('a', [], { stdio: ['pipe', 'pipe'] }),
      bad('a', [], { stdio: ['pipe', -1, 'pipe'] }),
      bad('a', [], { input: 'x', stdio: 'ignore' }),
      bad('a', [], { input: 5 }),
      bad('a', [], { timeoutMs: Number.NaN }),
      bad('a', [], { timeoutMs: '5' }),
      bad('a', [], { graceMs: -1 }),
      bad('a', [], { maxBuffer: 1.5 }),
      bad('a', [], { killSignal: 'TERM' }),
      bad('a', [], { encoding: 'utf16' }),
      bad('a', [], { detached: 1 }),
      bad('a', [], { check: 'yes' }),
      bad('a', [], { highWaterMark: 0 }),
    ]).toEqual([
      'TypeError ERR_INVALID_ARG_TYPE: exec: the program must be a string, not undefined',
      'TypeError ERR_INVALID_ARG_VALUE: exec: the program must not be empty',
      'TypeError ERR_INVALID_ARG_VALUE: exec: the program must not hold NUL',
      'TypeError ERR_INVALID_ARG_TYPE: exec: args must be an array of strings, not "b"',
      'TypeError ERR_INVALID_ARG_TYPE: exec: args[1] must be a string, not 5',
      'TypeError ERR_INVALID_ARG_VALUE: exec: args[1] must not hold NUL',
      'TypeError ERR_INVALID_ARG_TYPE: exec: options must be an object, not 5',
      'TypeError ERR_INVALID_ARG_TYPE: exec: cwd must be a string, not 5',
      'TypeError ERR_INVALID_ARG_VALUE: exec: cwd must not be empty',
      'TypeError ERR_INVALID_ARG_VALUE: exec: cwd must not hold NUL',
      'TypeError ERR_INVALID_ARG_TYPE: exec: env must be an object, not "A=1"',
      'TypeError ERR_INVALID_ARG_TYPE: exec: env.A must be a string, not 1',
      'TypeError ERR_INVALID_ARG_VALUE: exec: env.A must not hold NUL',
      'TypeError ERR_INVALID_ARG_VALUE: exec: "A=B" cannot be the name of a variable in env',
      "TypeError ERR_INVALID_ARG_VALUE: exec: stdio must be 'pipe', 'inherit', 'ignore' or a file descriptor, not \"pipes\"",
      'RangeError ERR_OUT_OF_RANGE: exec: stdio takes three entries, not 2',
      "TypeError ERR_INVALID_ARG_VALUE: exec: stdio[1] must be 'pipe', 'inherit', 'ignore' or a file descriptor, not -1",
      "TypeError ERR_INVALID_ARG_VALUE: exec: input needs stdio 'pipe' at its first place",
      'TypeError ERR_INVALID_ARG_TYPE: exec takes a string, a typed array, a DataView or an ArrayBuffer, not 5',
      'TypeError ERR_INVALID_ARG_TYPE: exec: timeoutMs must be a number >= 0, not NaN',
      'TypeError ERR_INVALID_ARG_TYPE: exec: timeoutMs must be a number >= 0, not "5"',
      'TypeError ERR_INVALID_ARG_TYPE: exec: graceMs must be a number >= 0, not -1',
      'RangeError ERR_OUT_OF_RANGE: exec: maxBuffer must be an integer >= 0 or Infinity, not 1.5',
      'TypeError ERR_UNKNOWN_SIGNAL: exec: killSignal must be the name of a signal, such as \'SIGTERM\', not "TERM"',
      "TypeError ERR_INVALID_ARG_TYPE: exec: encoding must be 'utf8', 'latin1' or 'buffer', not \"utf16\"",
      'TypeError ERR_INVALID_ARG_TYPE: exec: detached must be true or false, not 1',
      'TypeError ERR_INVALID_ARG_TYPE: exec: check must be true or false, not "yes"',
      'RangeError ERR_OUT_OF_RANGE: exec: highWaterMark must be an integer >= 1 or Infinity, not 0',
    ]);
  });

  it('says in its type whether it gives text or bytes', () => {
    expectTypeOf(proc.exec('a')).toEqualTypeOf<Op<proc.Output<string>>>();
    expectTypeOf(proc.exec('a', [], { encoding: 'latin1' })).toEqualTypeOf<Op<proc.Output<string>>>();
    expectTypeOf(proc.exec('a', [], { encoding: 'buffer' })).toEqualTypeOf<Op<proc.Output<Buffer>>>();
  });
});

describe('Process.communicate', () => {
  it('F86: reads both outputs while it waits for the exit', () =>
    run(function* () {
      const child = yield* proc.spawn('sh', sh('head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; cat'));
      const { stdout, stderr, exitCode } = yield* child.communicate('the end');
      expect([stdout.length, stdout.slice(-7), stderr.length, exitCode]).toEqual([300_007, 'the end', 300_000, 0]);
      child.close();
    }));

  it('goes on where a reader has stopped', () =>
    run(function* () {
      const child = yield* proc.spawn('cat');
      yield* child.stdin.write('one\ntwo\n');
      expect(yield* child.stdout.readLine()).toBe('one');
      expect((yield* child.communicate('three\n')).stdout).toBe('two\nthree\n');
      child.close();
    }));

  it('gives nothing for what is no pipe', () =>
    run(function* () {
      const child = yield* proc.spawn('sh', sh('exit 1'), { stdio: 'ignore' });
      expect(yield* child.communicate()).toEqual({ stdout: '', stderr: '', exitCode: 1, signal: null });
      child.close();
    }));

  it('does not touch the child if the arguments are bad', () =>
    run(function* () {
      const child = yield* proc.spawn('cat');
      expect(() => child.communicate('', { maxBuffer: -1 })).toThrow(RangeError);
      expect(() => child.communicate(5 as unknown as string)).toThrow(/communicate takes a string/);
      expect((yield* child.communicate('fine')).stdout).toBe('fine');
      child.close();
    }));

  it('stops the child if somebody else is reading', () =>
    run(function* () {
      const child = yield* proc.spawn('sleep', ['1000']);
      const reader = spawn(() => child.stdout.read());
      yield* sleep(1);
      expect(yield* failure(child.communicate('x'))).toBeInstanceOf(BusyError);
      expect(child.status).toEqual({ exitCode: null, signal: 'SIGTERM' });
      expect(yield* reader.get()).toBe(null);
      child.close();
    }));
});

/** As nothingLeft, inside a greenlet. */
function nothingLeftButUs(): void {
  const names = process.getActiveResourcesInfo().filter((name) => /Pipe|Process/.test(name));
  expect(names.filter((name) => name === 'ProcessWrap')).toEqual([]);
}
