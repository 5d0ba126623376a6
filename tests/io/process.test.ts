// process.test.ts: child processes: their pipes as sockets, their end, signals to them and to their groups.
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ClosedError,
  ConnectionResetError,
  GreenletKilledError,
  hub,
  type Op,
  openHandles,
  process as proc,
  run,
  type Socket,
  scope,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  UsageError,
} from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { failure, nothingLeft } from './peers.ts';

afterEach(nothingLeft);

/** Everything up to the end. */
function* textOf(socket: Socket) {
  const chunks: Buffer[] = [];
  for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Run `body` with a child, which is closed at the end. */
function withChild(
  file: string,
  args: readonly string[],
  body: (child: proc.Process) => Op<unknown>,
  options?: proc.SpawnOptions,
): Promise<void> {
  return run(function* () {
    const child = yield* proc.spawn(file, args, options);
    try {
      yield* body(child);
    } finally {
      child.close();
      // The greenlet that sees a killed wait's child to its end may end a turn after those who wait for the same child.
      while (hub.stats().orphans > 0) yield* sleep(1);
    }
  });
}

const sh = (script: string): readonly ['-c', string] => ['-c', script];

/** Is there a process of that number, be it a zombie? */
function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('process.spawn', () => {
  it('gives a child whose pipes are sockets', () =>
    withChild('sh', sh('read line; echo "got $line"; echo oops >&2; exit 3'), function* (child) {
      expect([child.pid > 0, child.file, child.status]).toEqual([true, 'sh', undefined]);
      yield* child.stdin.write('hello\n');
      expect(yield* child.stdout.readLine()).toBe('got hello');
      expect(yield* child.stdout.read()).toBe(null);
      expect(yield* textOf(child.stderr)).toBe('oops\n');
      expect(yield* child.wait()).toEqual({ exitCode: 3, signal: null });
      expect(child.status).toEqual({ exitCode: 3, signal: null });
    }));

  it('ends a direction that a pipe does not have', () =>
    withChild('cat', [], function* (child) {
      expect(yield* child.stdin.read()).toBe(null);
      expect(yield* failure(child.stdout.write('x'))).toBeInstanceOf(ClosedError);
      yield* child.stdin.write('bytes');
      child.stdin.end();
      expect(String(yield* child.stdout.readExactly(5))).toBe('bytes');
      expect([yield* child.stdout.read(), yield* child.stdout.read()]).toEqual([null, null]);
    }));

  it('is listed among the open handles, with its pipes, until it has exited and they were read', async () => {
    await withChild('sh', sh('read line; echo done'), function* (child) {
      const { pid } = child;
      expect(openHandles()).toEqual({
        total: 4,
        counts: { process: 1, socket: 3 },
        names: [
          `stdin of process ${pid} (sh)`,
          `stdout of process ${pid} (sh)`,
          `stderr of process ${pid} (sh)`,
          `process ${pid} (sh)`,
        ],
      });
      child.stdin.end();
      yield* child.wait();
      expect(openHandles().counts.process).toBe(undefined);
      expect(yield* textOf(child.stdout)).toBe('done\n');
      expect(yield* textOf(child.stderr)).toBe('');
    });
  });

  it('F18: holds no more than the high-water mark of what nobody reads, also after the exit, and loses none of it', () =>
    withChild(
      'sh',
      sh('head -c 3000000 /dev/zero & wait'),
      function* (child) {
        yield* child.stdout.peek();
        for (let before = -1; before !== child.stdout.buffered; yield* sleep(20)) before = child.stdout.buffered;
        expect(child.stdout.buffered).toBeLessThanOrEqual(20_000 + 65_536);
        // The shell goes, head still writes: Node would let all of it flow now.
        child.kill('SIGKILL');
        yield* child.wait();
        yield* sleep(20);
        expect(child.stdout.buffered).toBeLessThanOrEqual(20_000 + 65_536);
        expect((yield* textOf(child.stdout)).length).toBe(3_000_000);
      },
      { highWaterMark: 20_000, stdio: ['ignore', 'pipe', 'ignore'] },
    ));

  it('F17: lets a writer wait while the child does not read', () =>
    withChild('sleep', ['1000'], function* (child) {
      const piece = Buffer.alloc(32_768);
      const error = yield* failure(
        timeout(
          100,
          (function* () {
            for (;;) yield* child.stdin.write(piece);
          })(),
        ),
      );
      expect(error).toBeInstanceOf(TimeoutError);
      expect(child.stdin.unsent).toBeLessThanOrEqual(65_536 + piece.length);
    }));

  it('leads its streams where it is told to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
    const file = join(folder, 'out');
    const descriptor = openSync(file, 'w');
    try {
      await withChild(
        'sh',
        sh('cat; echo out; echo error >&2'),
        function* (child) {
          expect(() => child.stdin).toThrow(UsageError);
          expect(() => child.stdout).toThrow(
            /stdout of process \d+ \(sh\) is no pipe: spawn it with stdio 'pipe' there/,
          );
          expect(yield* textOf(child.stderr)).toBe('error\n');
          yield* child.wait();
        },
        { stdio: ['ignore', descriptor, 'pipe'] },
      );
      expect(readFileSync(file, 'utf8')).toBe('out\n');
    } finally {
      closeSync(descriptor);
      rmSync(folder, { recursive: true });
    }
  });

  it('takes the working directory and the environment that it is given, and nothing else', () =>
    withChild(
      '/bin/sh',
      sh('pwd; echo "$A:$B:$HOME"'),
      function* (child) {
        expect(yield* textOf(child.stdout)).toBe('/\n1:two words:\n');
      },
      { cwd: '/', env: { A: '1', B: 'two words', HOME: undefined } },
    ));

  it('reads its options, and the environment, as own properties only', async () => {
    const inherited: Record<string, unknown> = {
      cwd: '/nowhere',
      shell: true,
      stdio: 'ignore',
      detached: true,
      argv0: 'other',
      timeout: 1,
      uid: 12,
      graceMs: 'x',
    };
    const base = Object.prototype as unknown as Record<string, unknown>;
    for (const [name, value] of Object.entries(inherited)) {
      Object.defineProperty(base, name, { value, configurable: true, enumerable: true, writable: true });
    }
    let output: unknown;
    try {
      output = await run(() => proc.exec('/bin/sh', ['-c', 'id -u; echo "$0 $B $cwd"'], { env: { B: '2' } }));
    } finally {
      for (const name of Object.keys(inherited)) delete base[name];
    }
    expect(output).toEqual({ stdout: `${process.getuid?.()}\n/bin/sh 2 \n`, stderr: '', exitCode: 0, signal: null });
  });

  it('does nothing if its greenlet was killed before', () =>
    run(function* () {
      const victim = spawn(function* () {
        try {
          yield* sleep(1000);
        } finally {
          yield* proc.spawn('sleep', ['1000']);
        }
      });
      yield* sleep(1);
      victim.kill();
      expect(yield* failure(victim.get())).toBeInstanceOf(GreenletKilledError);
      expect(openHandles().total).toBe(0);
    }));
});

describe('Process.wait', () => {
  it('completes for all who wait, and at once after the exit', () =>
    withChild('sh', sh('read line; exit 7'), function* (child) {
      const waiters = [1, 2].map(() => spawn(() => child.wait()));
      yield* sleep(1);
      child.stdin.end();
      const expected = { exitCode: 7, signal: null };
      for (const waiter of waiters) expect(yield* waiter.get()).toEqual(expected);
      expect(yield* child.wait()).toEqual(expected);
    }));

  it('leaves the child alone when a select or a timeout gives it up', () =>
    withChild('cat', [], function* (child) {
      expect(yield* timeout(5, child.wait(), { else: 'not yet' })).toBe('not yet');
      expect(yield* select({ exit: child.wait(), time: sleep(5) })).toMatchObject({ key: 'time' });
      const error = yield* failure(
        timeout(
          5,
          (function* () {
            yield* child.wait();
          })(),
        ),
      );
      expect([error.code, child.status]).toEqual(['ERR_TIMEOUT', undefined]);
      yield* child.stdin.write('still there\n');
      expect(yield* child.stdout.readLine()).toBe('still there');
    }));

  it('F89: takes the child with it when its greenlet is killed, reaps it, and leaves no zombie', () =>
    withChild('sleep', ['1000'], function* (child) {
      const waiter = spawn(() => child.wait());
      yield* sleep(1);
      waiter.kill();
      expect(hub.stats().orphans).toBe(1);
      yield* waiter.join();
      expect(yield* child.wait()).toEqual({ exitCode: null, signal: 'SIGTERM' });
      expect(exists(child.pid)).toBe(false);
    }));

  it('F89: kills the child after the grace if it ignores the signal', () =>
    withChild(
      'sh',
      sh('trap "" TERM; echo ready; while :; do sleep 1; done'),
      function* (child) {
        expect(yield* child.stdout.readLine()).toBe('ready');
        const waiter = spawn(() => child.wait());
        yield* sleep(1);
        waiter.kill();
        yield* waiter.join();
        expect(yield* child.wait()).toEqual({ exitCode: null, signal: 'SIGKILL' });
        expect(exists(child.pid)).toBe(false);
      },
      { graceMs: 50, detached: true },
    ));

  it('takes the child with it when a sibling in its scope fails', () =>
    withChild('sleep', ['1000'], function* (child) {
      const error = yield* failure(
        scope(function* (s) {
          s.spawn(function* () {
            yield* sleep(1);
            throw new Error('the sibling failed');
          });
          yield* child.wait();
        }),
      );
      expect(error.message).toBe('the sibling failed');
      expect(yield* child.wait()).toEqual({ exitCode: null, signal: 'SIGTERM' });
    }));

  it("leaves the child alone with whenKilled: 'leave'", () =>
    withChild(
      'cat',
      [],
      function* (child) {
        const waiter = spawn(() => child.wait());
        yield* sleep(1);
        waiter.kill();
        yield* waiter.join();
        yield* child.stdin.write('still there\n');
        expect(yield* child.stdout.readLine()).toBe('still there');
      },
      { whenKilled: 'leave' },
    ));
});

describe('Process.kill and Process.stop', () => {
  it('send a signal, and say whether there was somebody to get it', () =>
    withChild('sleep', ['1000'], function* (child) {
      expect(child.kill('SIGINT')).toBe(true);
      expect(yield* child.wait()).toEqual({ exitCode: null, signal: 'SIGINT' });
      expect([child.kill(), child.kill({ signal: 'SIGKILL' })]).toEqual([false, false]);
      expect(yield* child.stop()).toEqual({ exitCode: null, signal: 'SIGINT' });
    }));

  it('use the killSignal of spawn', () =>
    withChild(
      'sleep',
      ['1000'],
      function* (child) {
        child.kill();
        expect(yield* child.wait()).toEqual({ exitCode: null, signal: 'SIGHUP' });
      },
      { killSignal: 'SIGHUP' },
    ));

  it('refuse signals that do not exist, and the group of a child that has none, at the call', () =>
    withChild('sleep', ['1000'], function* (child) {
      const bad = (call: () => unknown): string => {
        try {
          call();
        } catch (error) {
          return `${(error as Error).name} ${(error as { code: string }).code}`;
        }
        return 'nothing';
      };
      expect([
        bad(() => child.kill('SIGNOTHING' as NodeJS.Signals)),
        bad(() => child.kill({ signal: 9 as unknown as NodeJS.Signals })),
        bad(() => child.kill({ signal: 'toString' as NodeJS.Signals })),
        bad(() => child.kill(9 as unknown as NodeJS.Signals)),
        bad(() => child.kill({ group: true })),
        bad(() => child.stop({ graceMs: -1 })),
        bad(() => child.stop({ signal: 'x' as NodeJS.Signals })),
      ]).toEqual([
        'TypeError ERR_UNKNOWN_SIGNAL',
        'TypeError ERR_UNKNOWN_SIGNAL',
        'TypeError ERR_UNKNOWN_SIGNAL',
        'TypeError ERR_INVALID_ARG_TYPE',
        'UsageError ERR_USAGE',
        'TypeError ERR_INVALID_ARG_TYPE',
        'TypeError ERR_UNKNOWN_SIGNAL',
      ]);
      expect(child.status).toBe(undefined);
      yield* sleep(0);
    }));

  it('F87: kill a child that ignores SIGTERM after the grace', () =>
    withChild('sh', sh('trap "" TERM; echo ready; read line'), function* (child) {
      yield* child.stdout.readLine();
      expect(yield* child.stop({ graceMs: 30 })).toEqual({ exitCode: null, signal: 'SIGKILL' });
      expect(exists(child.pid)).toBe(false);
    }));

  it('ask once, however many ask, and wait for the child to clean up', () =>
    withChild(
      'sh',
      sh('trap "echo asked; read line; exit 5" TERM; echo ready; while :; do sleep 0.01; done'),
      function* (child) {
        yield* child.stdout.readLine();
        child.kill();
        const stops = [1, 2].map(() => spawn(() => child.stop()));
        expect(yield* child.stdout.readLine()).toBe('asked');
        child.stdin.end();
        for (const stop of stops) expect(yield* stop.get()).toEqual({ exitCode: 5, signal: null });
        expect(yield* child.stdout.read()).toBe(null);
      },
    ));

  it('F87: reach grandchildren, in a group of their own, and only there', () =>
    withChild(
      'sh',
      // Whoever lives holds stdout open.
      sh('sh -c "trap \'\' HUP; echo grandchild; sleep 1000" & echo child; wait'),
      function* (child) {
        yield* child.stdout.readLine();
        yield* child.stdout.readLine();
        child.kill('SIGKILL');
        yield* child.wait();
        expect(yield* timeout(30, child.stdout.read(), { else: 'somebody lives' })).toBe('somebody lives');
        expect(child.kill({ group: true })).toBe(true);
        expect(yield* child.stdout.read()).toBe(null);
      },
      { detached: true },
    ));

  it('F87: stop a whole group, those who ignore the signal too', () =>
    withChild(
      'sh',
      sh('sh -c "trap \'\' TERM; echo grandchild; while :; do sleep 1; done" & echo child; wait'),
      function* (child) {
        yield* child.stdout.readLine();
        yield* child.stdout.readLine();
        expect(yield* child.stop({ graceMs: 60 })).toEqual({ exitCode: null, signal: 'SIGTERM' });
        expect(yield* child.stdout.read()).toBe(null);
      },
      { detached: true },
    ));
});

describe('Process.close', () => {
  it('kills the child, closes its pipes, and may be called twice', () =>
    run(function* () {
      const child = yield* proc.spawn('sh', sh('trap "" TERM; echo ready; read line'));
      yield* child.stdout.readLine();
      const reader = spawn(() => child.stdout.readLine());
      const waiter = spawn(() => child.wait());
      yield* sleep(1);
      child.close();
      child.close();
      child[Symbol.dispose]();
      expect(openHandles().total).toBe(0);
      expect(yield* failure(reader.get())).toBeInstanceOf(ClosedError);
      expect(yield* waiter.get()).toEqual({ exitCode: null, signal: 'SIGKILL' });
      expect(exists(child.pid)).toBe(false);
    }));

  it.skipIf(process.platform !== 'linux')('kills the group of a detached child', () =>
    run(function* () {
      const child = yield* proc.spawn('sh', sh('sleep 1000 & echo ready; wait'), { detached: true });
      yield* child.stdout.readLine();
      const { pid } = child;
      child.close();
      yield* child.wait();
      for (let tries = 0; tries < 200 && livesInGroup(pid); tries += 1) yield* sleep(5);
      expect(livesInGroup(pid)).toBe(false);
    }),
  );

  it('leaves what was not read to be read, if it is called after that', () =>
    withChild('echo', ['late'], function* (child) {
      yield* child.wait();
      yield* sleep(10);
      expect(yield* textOf(child.stdout)).toBe('late\n');
    }));
});

/** Does anybody who is no zombie belong to that group? */
function livesInGroup(group: number): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const [state, , ofGroup] = (readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1] as string).split(' ');
      return Number(ofGroup) === group && state !== 'Z';
    } catch {
      return false; // It has gone meanwhile.
    }
  });
}

describe('A write to stdin', () => {
  it('F84: throws EPIPE when the child has exited, and the exit status can still be read', () =>
    withChild('sh', sh('exit 4'), function* (child) {
      const piece = Buffer.alloc(65_536);
      const error = yield* failure(
        (function* () {
          for (;;) yield* child.stdin.write(piece);
        })(),
      );
      expect(error).toBeInstanceOf(ConnectionResetError);
      expect(error.code).toBe('EPIPE');
      expect((yield* failure(child.stdin.write('more'))).code).toBe('EPIPE');
      expect((yield* failure(child.stdin.flush())).code).toBe('EPIPE');
      expect(yield* child.wait()).toEqual({ exitCode: 4, signal: null });
    }));

  it('F84: throws EPIPE also if nothing was under way when the child exited', () =>
    withChild('true', [], function* (child) {
      yield* child.wait();
      yield* sleep(5);
      expect((yield* failure(child.stdin.write('x'))).code).toBe('EPIPE');
    }));

  it('F84: throws EPIPE when the child has closed its stdin and lives on', () =>
    withChild('sh', sh('exec <&-; echo closed; exec sleep 1000'), function* (child) {
      yield* child.stdout.readLine();
      const error = yield* failure(
        (function* () {
          for (;;) {
            yield* child.stdin.write('x');
            yield* child.stdin.flush();
          }
        })(),
      );
      expect([error.code, child.status]).toEqual(['EPIPE', undefined]);
    }));
});
