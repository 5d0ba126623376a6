// process-faults.test.ts: children that cannot be started, or not be signalled, and programs that end while they have some.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { process as proc, run, SpawnError, sleep } from 'tendril';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { probeProgram } from '../services.ts';
import { failure, nothingLeft } from './peers.ts';
import { runProgram } from './process-program.ts';

afterEach(nothingLeft);

const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'plain'), 'text');
writeFileSync(join(folder, 'script'), '#!/no/such/interpreter\n', { mode: 0o755 });

const descriptors = (): number => readdirSync('/dev/fd').length;
const resources = (): string[] => process.getActiveResourcesInfo().filter((name) => /Pipe|Process/.test(name));

type Attempt = readonly [file: string, args: readonly string[], options: proc.SpawnOptions];
const inFolder = (name: string): string => join(folder, name);

const failures: readonly (readonly [what: string, Attempt, code: string, path: string, why: string])[] = [
  [
    'a name that is not on the PATH',
    ['no-such-program', [], {}],
    'ENOENT',
    'no-such-program',
    'there is no such program on the PATH',
  ],
  ['a path that does not exist', ['./no/such', [], {}], 'ENOENT', './no/such', 'there is no such file'],
  [
    'a file that may not be executed',
    [inFolder('plain'), [], {}],
    'EACCES',
    inFolder('plain'),
    'the file may not be executed',
  ],
  ['a directory', [folder, [], {}], 'EACCES', folder, 'the file may not be executed'],
  [
    'a path through a file',
    [inFolder('plain/x'), [], {}],
    'ENOTDIR',
    inFolder('plain/x'),
    'a part of its path is no directory',
  ],
  [
    'a script without its interpreter',
    [inFolder('script'), [], {}],
    'ENOENT',
    inFolder('script'),
    'the file is there, but not the interpreter that it asks for',
  ],
  [
    'the same, seen from its directory',
    ['./script', [], { cwd: folder }],
    'ENOENT',
    './script',
    'the file is there, but not the interpreter that it asks for',
  ],
  [
    'a working directory that does not exist',
    ['true', [], { cwd: '/no/such' }],
    'ENOENT',
    '/no/such',
    'the working directory /no/such does not exist',
  ],
  [
    'a working directory that is a file',
    ['true', [], { cwd: inFolder('plain') }],
    'ENOTDIR',
    inFolder('plain'),
    `the working directory ${inFolder('plain')} is no directory`,
  ],
  [
    'a program that does not exist, in a good directory',
    ['no-such-program', [], { cwd: '/' }],
    'ENOENT',
    'no-such-program',
    'there is no such program on the PATH',
  ],
  [
    'one argument that is too long',
    ['true', ['x'.repeat(200_000)], {}],
    'E2BIG',
    'true',
    'the arguments and the environment are too long together, or one of them alone',
  ],
  [
    'too many arguments',
    ['true', Array(400).fill('x'.repeat(100_000)), {}],
    'E2BIG',
    'true',
    'the arguments and the environment are too long together, or one of them alone',
  ],
  [
    'a descriptor that is not open',
    ['true', [], { stdio: ['pipe', 999, 'pipe'] }],
    'EBADF',
    'true',
    'a file descriptor in stdio is not open',
  ],
];

describe('F82: a spawn that fails', () => {
  it.each(failures)(
    'for %s: says so, names what is to blame and leaves nothing open',
    async (_, attempt, code, path, why) => {
      const before = [resources(), descriptors()];
      const [file] = attempt;
      const { error, left } = await run(function* () {
        const error = (yield* failure(proc.spawn(...attempt))) as unknown as SpawnError;
        yield* sleep(5);
        return { error, left: resources() };
      });
      expect(error).toBeInstanceOf(SpawnError);
      expect({ code: error.code, file: error.file, path: error.path, message: error.message }).toEqual({
        code,
        file,
        path,
        message: `spawn of ${file} failed: ${code}, ${why}`,
      });
      expect(error.stack).toContain('process-faults.test.ts');
      expect([left, descriptors()]).toEqual(before);
    },
  );

  it('refuses NUL at the call', () => {
    expect(() => proc.spawn('a\0')).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
    );
    expect(() => proc.spawn('a', ['b\0'])).toThrow('spawn: args[0] must not hold NUL');
    expect(() => proc.spawn('a', [], { cwd: '\0' })).toThrow('spawn: cwd must not hold NUL');
    expect(() => proc.spawn('a', [], { env: { B: '\0' } })).toThrow('spawn: env.B must not hold NUL');
  });
});

const bash = probeProgram('bash');
// What a program has open, once it has not changed for a while: its loader is still busy when it begins.
const counting = `
  import fs from 'node:fs';
  void [process.stdout, process.stderr]; // opened when they are first used
  const left = () => [fs.readdirSync('/dev/fd').length, ...process.getActiveResourcesInfo().filter((name) => /Pipe|Process/.test(name))].join();
  const settled = async () => {
    for (let seen = '', times = 0; times < 5; times = seen === (seen = left()) ? times + 1 : 0) await new Promise((resolve) => setTimeout(resolve, 20));
    return left();
  };`;
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('skipped: a limit of processes, and a signal that is refused, can be arranged by root only');

describe.skipIf(bash === undefined)('A program', () => {
  it('F83: gets SpawnError for EMFILE, with no pipe left half open, and spawns again when there is room', async () => {
    const { stdout, stderr } = await runProgram(
      `${counting}
      import { process as proc, run } from 'tendril';
      const attempt = async () => {
        try { return (await run(() => proc.exec('echo', ['ran'], { input: '' }))).stdout.trim(); } catch (error) { return error.name + ' ' + error.code; }
      };
      console.log(await attempt());
      const before = await settled();
      const held = [];
      const fill = () => { try { for (;;) held.push(fs.openSync('/dev/null')); } catch {} };
      for (const free of [0, 1, 2, 3, 4, 5, 6, 7, 12]) {
        fill();
        for (let i = 0; i < free; i += 1) fs.closeSync(held.pop());
        console.log(free, await attempt());
      }
      for (const descriptor of held) fs.closeSync(descriptor);
      console.log((await settled()) === before, await attempt());`,
      { script: 'ulimit -n 128; exec "$@"' },
    );
    const refused = [0, 1, 2, 3, 4, 5, 6, 7].map((free) => `${free} SpawnError EMFILE\n`).join('');
    expect(stdout + stderr).toBe(`ran\n${refused}12 ran\ntrue ran\n`);
  });

  it.skipIf(!isRoot)('F83: gets SpawnError for EAGAIN', async () => {
    const { stdout, stderr } = await runProgram(
      `${counting}
      import { process as proc, run } from 'tendril';
      await run(() => proc.exec('true', [])); // Node keeps what the first child needs
      process.setgroups([]);
      process.setgid(65534);
      process.setuid(65534);
      const before = await settled();
      console.log(await run(() => proc.exec('echo', ['ran'])).catch((error) => error.message));
      console.log((await settled()) === before);`,
      { script: 'ulimit -u 1; exec "$@"' },
    );
    expect(stdout + stderr).toBe('spawn of echo failed: EAGAIN, there are too many processes\ntrue\n');
  });

  it.skipIf(!isRoot)('runs as another user and group, if it may', async () => {
    const { stdout, stderr } = await runProgram(`
      import { process as proc, run } from 'tendril';
      const id = (options) => run(() => proc.exec('sh', ['-c', 'id -u; id -g'], options)).then(({ stdout }) => stdout.split('\\n').join(' '), (error) => error.message);
      console.log(await id({ uid: 65534, gid: 65534 }), await id());
      process.setgroups([]);
      process.setgid(65534);
      process.setuid(65534);
      console.log(await id({ uid: 0 }));
      for (const uid of [-1, 1.5, 2 ** 32, 'root']) try { proc.spawn('true', [], { uid }); } catch (error) { console.log(error.code); }`);
    expect(stdout + stderr).toMatch(
      /^65534 65534 {2}0 0 \nspawn of sh failed: EPERM.*\n(ERR_OUT_OF_RANGE\n){3}ERR_INVALID_ARG_TYPE\n$/,
    );
  });

  it.skipIf(!isRoot)(
    'gets SignalError for a child that it may not signal, and does not wait for it for ever',
    async () => {
      const { stdout, stderr, code } = await runProgram(`
      import { openHandles, process as proc, run, sleep, spawn } from 'tendril';
      await run(function* () {
        const child = yield* proc.spawn('cat', [], { detached: true });
        process.setuid(65534);
        try { child.kill(); } catch (error) { console.log(error.name, error.code, error.message.replace(/\\d+/, 'N')); }
        try { child.kill({ group: true }); } catch (error) { console.log(error.message.replace(/\\d+/, 'N')); }
        try { yield* child.stop(); } catch (error) { console.log(error.code); }
        const waiter = spawn(() => child.wait());
        yield* sleep(1);
        waiter.kill();
        yield* waiter.join();
        const talk = spawn(() => child.communicate('', { maxBuffer: 0 }));
        console.log((yield* talk.get()).exitCode);
        child.close();
      });
      console.log(openHandles().total);`);
      expect(stdout + stderr).toBe(
        'SignalError EPERM SIGTERM to process N (cat) failed: EPERM\nSIGTERM to the group of process N (cat) failed: EPERM\nEPERM\n0\n0\n',
      );
      expect(code).toBe(0);
    },
  );

  it('F93: is not kept alive by a child that nobody waits for, and in no deadlock while somebody waits for one', async () => {
    const { stdout, stderr } = await runProgram(`
      import { Channel, process as proc, run, spawn } from 'tendril';
      console.log(await run(function* () {
        const news = new Channel<string>();
        spawn(function* () {
          const child = yield* proc.spawn('sleep', ['0.2'], { stdio: 'ignore' });
          yield* child.wait();
          yield* news.send('the child has ended');
        });
        return yield* news.receive();
      }));
      await run(function* () {
        const child = yield* proc.spawn('sleep', ['1000']);
        process.on('exit', () => { console.log('the program ends'); child.close(); });
      });`);
    expect(stdout + stderr).toBe('the child has ended\nthe program ends\n');
  });

  it('S16: has ended its children when it ends by a signal, however they are waited for', async () => {
    const { stdout, stderr, signal } = await runProgram(`
      import { main, process as proc, spawn, sleep } from 'tendril';
      const stubborn = ['-c', 'trap "" TERM; echo $$; while :; do sleep 0.05; done'];
      main(function* () {
        const child = yield* proc.spawn('sh', stubborn, { graceMs: 200 });
        const pids = [yield* child.stdout.readLine()];
        const other = yield* proc.spawn('sh', stubborn, { graceMs: 200 });
        pids.push(yield* other.stdout.readLine());
        spawn(function* () {
          try { yield* other.communicate(); } finally { console.log('communicate:', other.status?.signal); }
        });
        yield* sleep(1);
        console.log('pids ' + pids.join(' '));
        console.log('kill SIGTERM');
        yield* child.wait();
      });`);
    const pids = /pids (\d+) (\d+)/.exec(stdout)?.slice(1).map(Number) ?? [];
    const alive = pids.filter((pid) => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    });
    expect({ rest: stdout.replace(/pids.*\n/, ''), stderr, signal, count: pids.length, alive }).toEqual({
      rest: 'kill SIGTERM\ncommunicate: SIGKILL\n',
      stderr: '',
      signal: 'SIGTERM',
      count: 2,
      alive: [],
    });
  });
});
