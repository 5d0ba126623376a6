// files.test.ts: the functions of `files`: what each does, Node's own errors, and what a kill and a timeout find and leave, also when no thread is free.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import {
  files,
  forEach,
  hub,
  isKilled,
  type Op,
  openHandles,
  run,
  select,
  sleep,
  spawn,
  suppressedErrors,
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
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'tendril-files-')));
  fs.writeFileSync(at('file'), 'hello\nworld\n', { mode: 0o644 });
  fs.mkdirSync(at('sub/deep'), { recursive: true });
  fs.writeFileSync(at('sub/inner'), 'inner');
  fs.mkdirSync(at('empty'));
  fs.symlinkSync('file', at('link'));
});

afterEach(async () => {
  await run(() => descriptorsBackAt(before));
  nothingLeft();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** All that is in the folder: kind, rights and content. */
function tree(): string[] {
  return (fs.readdirSync(folder, { recursive: true }) as string[]).sort().map((name) => {
    const stats = fs.lstatSync(at(name));
    const mode = (stats.mode & 0o777).toString(8);
    if (stats.isSymbolicLink()) return `${name} -> ${fs.readlinkSync(at(name))} ${stats.mtimeMs}`;
    return stats.isFile() ? `${name} ${mode} ${stats.nlink} ${fs.readFileSync(at(name))}` : `${name}/ ${mode}`;
  });
}

const text = (name: string): string => fs.readFileSync(at(name), 'utf8');

interface Case {
  readonly op: () => Op<unknown>;
  /** What it returns, or the check of it. */
  readonly gives?: unknown;
  /** What is there afterwards. */
  readonly leaves?: () => void;
  readonly cleans?: (value: unknown) => void;
}

const looks: Record<string, Case> = {
  'readFile of bytes': { op: () => files.readFile(at('file')), gives: Buffer.from('hello\nworld\n') },
  'readFile of text': { op: () => files.readFile(at('file'), 'utf8'), gives: 'hello\nworld\n' },
  stat: { op: () => files.stat(at('link')), gives: expect.objectContaining({ size: 12 }) },
  'stat with bigint': {
    op: () => files.stat(at('file'), { bigint: true }),
    gives: expect.objectContaining({ size: 12n }),
  },
  lstat: { op: () => files.lstat(at('link')), gives: expect.objectContaining({ size: 4 }) },
  statfs: { op: () => files.statfs(folder), gives: expect.objectContaining({ bsize: expect.any(Number) }) },
  access: { op: () => files.access(at('file'), files.constants.R_OK), gives: undefined },
  readdir: {
    op: () => files.readdir(folder),
    gives: expect.arrayContaining(['empty', 'file', 'link', 'sub']),
  },
  'readdir with types': {
    op: () => files.readdir(at('sub'), { withFileTypes: true }),
    gives: expect.arrayContaining([expect.objectContaining({ name: 'deep' })]),
  },
  'readdir of everything below': {
    op: () => files.readdir(folder, { recursive: true }),
    gives: expect.arrayContaining(['sub/inner']),
  },
  'readdir of bytes': {
    op: () => files.readdir(at('sub'), 'buffer'),
    gives: expect.arrayContaining([Buffer.from('inner')]),
  },
  readlink: { op: () => files.readlink(at('link')), gives: 'file' },
  realpath: { op: () => files.realpath(at('sub/../link')), gives: expect.stringMatching(/\/file$/) },
  open: {
    op: () => files.open(at('file')),
    gives: expect.any(files.File),
    cleans: (file) => (file as files.File).close(),
  },
  opendir: {
    op: () => files.opendir(folder),
    gives: expect.any(files.Directory),
    cleans: (directory) => (directory as files.Directory).close(),
  },
};

const changes: Record<string, Case> = {
  writeFile: {
    op: () => files.writeFile(at('file'), 'new'),
    leaves: () => expect(text('file')).toBe('new'),
  },
  'writeFile of bytes': {
    op: () => files.writeFile(at('fresh'), new Uint16Array([0x4241, 0x4443]), { mode: 0o600 }),
    leaves: () => expect([text('fresh'), fs.statSync(at('fresh')).mode & 0o777]).toEqual(['ABCD', 0o600]),
  },
  appendFile: {
    op: () => files.appendFile(at('file'), 'more'),
    leaves: () => expect(text('file')).toBe('hello\nworld\nmore'),
  },
  mkdir: { op: () => files.mkdir(at('made')), leaves: () => expect(fs.statSync(at('made')).isDirectory()).toBe(true) },
  'mkdir of several': {
    op: () => files.mkdir(at('a/b/c'), { recursive: true }),
    gives: expect.stringMatching(/\/a$/),
    leaves: () => expect(fs.existsSync(at('a/b/c'))).toBe(true),
  },
  mkdtemp: {
    op: () => files.mkdtemp(at('temp-')),
    gives: expect.stringContaining('/temp-'),
    leaves: () => expect(fs.readdirSync(folder).filter((name) => name.startsWith('temp-'))).toHaveLength(1),
  },
  rm: { op: () => files.rm(at('file')), leaves: () => expect(fs.existsSync(at('file'))).toBe(false) },
  'rm of a folder': {
    op: () => files.rm(at('sub'), { recursive: true }),
    leaves: () => expect(fs.existsSync(at('sub'))).toBe(false),
  },
  rmdir: { op: () => files.rmdir(at('empty')), leaves: () => expect(fs.existsSync(at('empty'))).toBe(false) },
  unlink: { op: () => files.unlink(at('link')), leaves: () => expect(tree().join()).not.toContain('link') },
  rename: {
    op: () => files.rename(at('file'), at('other')),
    leaves: () => expect(text('other')).toBe('hello\nworld\n'),
  },
  copyFile: {
    op: () => files.copyFile(at('file'), at('copy')),
    leaves: () => expect(text('copy')).toBe('hello\nworld\n'),
  },
  cp: {
    op: () => files.cp(at('sub'), at('copied'), { recursive: true }),
    leaves: () => expect(text('copied/inner')).toBe('inner'),
  },
  link: {
    op: () => files.link(at('file'), at('second')),
    leaves: () => expect(fs.statSync(at('second')).nlink).toBe(2),
  },
  symlink: { op: () => files.symlink('sub', at('way')), leaves: () => expect(fs.readlinkSync(at('way'))).toBe('sub') },
  chmod: {
    op: () => files.chmod(at('file'), 0o600),
    leaves: () => expect(fs.statSync(at('file')).mode & 0o777).toBe(0o600),
  },
  chown: {
    op: () => files.chown(at('file'), process.getuid?.() ?? 0, process.getgid?.() ?? 0),
    leaves: () => expect(fs.statSync(at('file')).uid).toBe(process.getuid?.()),
  },
  lchown: {
    op: () => files.lchown(at('link'), process.getuid?.() ?? 0, process.getgid?.() ?? 0),
    leaves: () => expect(fs.lstatSync(at('link')).uid).toBe(process.getuid?.()),
  },
  utimes: {
    op: () => files.utimes(at('file'), 1000, 2000),
    leaves: () => expect(fs.statSync(at('file')).mtimeMs).toBe(2_000_000),
  },
  lutimes: {
    op: () => files.lutimes(at('link'), 1000, new Date(3_000_000)),
    leaves: () => expect(fs.lstatSync(at('link')).mtimeMs).toBe(3_000_000),
  },
  truncate: { op: () => files.truncate(at('file'), 5), leaves: () => expect(text('file')).toBe('hello') },
};

const all = { ...looks, ...changes };

/** Run `body` while no thread of the pool is free; `free` frees them. */
async function withStuckPool(body: (free: () => Op<void>) => Op<void>): Promise<void> {
  const pool = await stuckPool();
  try {
    await run(body, () => until(pool.free()));
  } finally {
    await pool.free();
  }
  await run(function* () {
    while (hub.stats().orphans > 0) yield* sleep(1);
  });
}

describe('The functions of files', () => {
  it('are those of node:fs/promises, but for what only some systems or versions have', () => {
    const missing = Object.keys(fs.promises).filter((name) => !(name in files));
    expect(missing.filter((name) => !['glob', 'lchmod', 'mkdtempDisposable'].includes(name))).toEqual([]);
    const named = [...Object.keys(all).map((name) => name.split(' ')[0]), 'lines', 'watch'];
    const functions = Object.entries(files).filter(
      ([name, value]) => typeof value === 'function' && /^[a-z]/.test(name),
    );
    expect(functions.map(([name]) => name).filter((name) => !named.includes(name))).toEqual([]);
  });

  it.each(Object.entries(all))('%s succeeds', (_name, { op, gives, leaves, cleans }) =>
    run(function* () {
      const value = yield* op();
      expect(value).toEqual(gives);
      leaves?.();
      cleans?.(value);
    }),
  );

  it.each(Object.entries(all))('%s does nothing when its greenlet is being killed', (_name, { op }) =>
    run(function* () {
      const tidy = tree();
      let caught: unknown;
      const victim = spawn(function* () {
        try {
          yield* sleep(1e6);
        } finally {
          try {
            yield* op();
          } catch (error) {
            caught = error;
          }
        }
      });
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect(isKilled(caught)).toBe(true);
      expect(yield* failure(timeout(0, op()))).toBeInstanceOf(TimeoutError);
      yield* sleep(1);
      expect(tree()).toEqual(tidy);
    }),
  );

  it.each(Object.entries(looks))('%s is killed at once, and a late result is dropped', (_name, { op }) =>
    withStuckPool(function* (free) {
      const victim = spawn(op);
      yield* yieldNow();
      expect([victim.state, hub.stats().externalWaits]).toEqual(['parked', 1]);
      victim.kill();
      yield* victim.join();
      expect([victim.killed, victim.outcome?.ok, hub.stats().orphans]).toEqual([true, false, 1]);
      yield* free();
      while (hub.stats().orphans > 0) yield* sleep(1);
      expect(openHandles().total).toBe(0);
    }),
  );

  it.each(Object.entries(looks))('%s times out although no thread is free', (_name, { op }) =>
    withStuckPool(function* () {
      expect(yield* failure(timeout(2, op()))).toBeInstanceOf(TimeoutError);
      expect((yield* select({ op: op() as ReturnType<typeof files.stat>, tick: sleep(2) })).key).toBe('tick');
      expect(hub.stats().orphans).toBe(2);
    }),
  );

  it.each(Object.entries(changes))('%s finishes first when it is killed', (_name, { op, gives, leaves }) =>
    withStuckPool(function* (free) {
      const tidy = tree();
      const victim = spawn(function* () {
        const value = yield* op();
        expect(value).toEqual(gives);
        leaves?.();
        yield* sleep(0);
        return 'went on';
      });
      yield* yieldNow();
      victim.kill();
      yield* sleep(2);
      expect([victim.state, tree()]).toEqual(['parked', tidy]);
      yield* free();
      yield* victim.join();
      // The change happened, and the kill came out at the next wait.
      leaves?.();
      expect([victim.killed, victim.outcome?.ok, hub.stats().orphans]).toEqual([true, false, 0]);
    }),
  );

  it.each(Object.entries(changes))(
    '%s finishes first when an error is thrown into its greenlet',
    (name, { op, leaves }) =>
      withStuckPool(function* (free) {
        const caught: unknown[] = [];
        const victim = spawn(function* () {
          for (let i = 0; i < 2; i += 1) {
            try {
              yield* i === 0 ? op() : yieldNow();
            } catch (error) {
              caught.push(error);
              // Nobody has learned the name of the folder, so it is removed again.
              if (name !== 'mkdtemp') leaves?.();
            }
          }
        });
        yield* yieldNow();
        const errors = [new Error('first'), new Error('second')];
        for (const error of errors) victim.throw(error);
        yield* sleep(2);
        expect([victim.state, caught]).toEqual(['parked', []]);
        yield* free();
        yield* victim.get();
        expect(caught).toEqual([errors[0]]);
        expect(suppressedErrors(caught[0])).toEqual([errors[1]]);
        expect(hub.stats().orphans).toBe(0);
      }),
  );

  it.each(Object.entries(changes))('%s finishes first when its time is over', (_name, { op, gives, leaves }) =>
    withStuckPool(function* (free) {
      const patient = spawn(() => timeout(1, op()));
      yield* sleep(4);
      expect(patient.state).toBe('parked');
      yield* free();
      expect(yield* patient.get()).toEqual(gives);
      leaves?.();
    }),
  );
});

describe('An error of files', () => {
  it("is Node's own, with code, syscall and path, and the stack of who waited", () =>
    run(function* () {
      const attempts: [Op<unknown>, object][] = [
        [files.readFile(at('none')), { code: 'ENOENT', syscall: 'open', path: at('none') }],
        [files.stat(at('none')), { code: 'ENOENT', syscall: 'stat', path: at('none') }],
        [files.lstat(at('none')), { code: 'ENOENT', syscall: 'lstat' }],
        [files.statfs(at('none')), { code: 'ENOENT', syscall: 'statfs' }],
        [files.access(at('none')), { code: 'ENOENT', syscall: 'access', path: at('none') }],
        [files.readdir(at('file')), { code: 'ENOTDIR', syscall: 'scandir', path: at('file') }],
        [files.readlink(at('file')), { code: 'EINVAL', syscall: 'readlink' }],
        [files.realpath(at('none')), { code: 'ENOENT', syscall: 'realpath' }],
        [files.open(at('file'), 'wx'), { code: 'EEXIST', syscall: 'open', path: at('file') }],
        [files.opendir(at('none')), { code: 'ENOENT', syscall: 'opendir', path: at('none') }],
        [files.writeFile(at('none/x'), ''), { code: 'ENOENT', syscall: 'open', path: at('none/x') }],
        [files.appendFile(folder, ''), { code: 'EISDIR', syscall: 'open', path: folder }],
        [files.mkdir(at('sub')), { code: 'EEXIST', syscall: 'mkdir', path: at('sub') }],
        [files.mkdtemp(at('none/x')), { code: 'ENOENT', syscall: 'mkdtemp' }],
        [files.rm(at('none')), { code: 'ENOENT', path: at('none') }],
        [files.rmdir(at('sub')), { code: 'ENOTEMPTY', syscall: 'rmdir', path: at('sub') }],
        [files.unlink(at('none')), { code: 'ENOENT', syscall: 'unlink', path: at('none') }],
        [files.rename(at('none'), at('x')), { code: 'ENOENT', syscall: 'rename', path: at('none'), dest: at('x') }],
        [files.copyFile(at('file'), at('sub/inner'), files.constants.COPYFILE_EXCL), { code: 'EEXIST' }],
        [files.cp(at('sub'), at('x')), { code: 'ERR_FS_EISDIR' }],
        [files.link(at('none'), at('x')), { code: 'ENOENT', syscall: 'link', path: at('none'), dest: at('x') }],
        [files.symlink('x', at('file')), { code: 'EEXIST', syscall: 'symlink', path: 'x', dest: at('file') }],
        [files.chmod(at('none'), 0o600), { code: 'ENOENT', syscall: 'chmod', path: at('none') }],
        [files.chown(at('none'), 0, 0), { code: 'ENOENT', syscall: 'chown' }],
        [files.lchown(at('none'), 0, 0), { code: 'ENOENT', syscall: 'lchown' }],
        [files.utimes(at('none'), 1, 1), { code: 'ENOENT', syscall: 'utime' }],
        [files.lutimes(at('none'), 1, 1), { code: 'ENOENT', syscall: 'lutime' }],
        [files.truncate(at('none')), { code: 'ENOENT', syscall: 'open' }],
        [files.lines(at('none')).next(), { code: 'ENOENT', syscall: 'open', path: at('none') }],
      ];
      for (const [op, expected] of attempts) {
        const error = yield* failure(op);
        expect(error).toMatchObject(expected);
        expect(error).toBeInstanceOf(Error);
        expect(error.stack).toMatch(/\n {4}at /);
      }
      const stack = (yield* failure(files.stat(at('none')))).stack ?? '';
      expect(stack).toMatch(/^Error: ENOENT: no such file or directory, stat '[^']*none'\n/);
      expect(stack).toContain('files.test.ts');
    }));

  it('is a TypeError at the call for what is no path', () => {
    const calls: ((bad: never) => unknown)[] = [
      files.readFile,
      files.stat,
      files.lstat,
      files.statfs,
      files.access,
      files.readdir,
      files.readlink,
      files.realpath,
      files.open,
      files.opendir,
      files.lines,
      files.watch,
      (bad) => files.writeFile(bad, ''),
      (bad) => files.appendFile(bad, ''),
      files.mkdir,
      files.mkdtemp,
      files.rm,
      files.rmdir,
      files.unlink,
      (bad) => files.rename(bad, 'x'),
      (bad) => files.rename('x', bad),
      (bad) => files.copyFile('x', bad),
      (bad) => files.cp(bad, 'x'),
      (bad) => files.link('x', bad),
      (bad) => files.symlink(bad, 'x'),
      (bad) => files.chmod(bad, 0),
      (bad) => files.chown(bad, 0, 0),
      (bad) => files.lchown(bad, 0, 0),
      (bad) => files.utimes(bad, 0, 0),
      (bad) => files.lutimes(bad, 0, 0),
      (bad) => files.truncate(bad),
    ];
    for (const call of calls) {
      for (const bad of [undefined, null, 5, {}, [], true, Symbol('x'), 'nul\0', '\0'])
        expect(() => call(bad as never)).toThrow(TypeError);
    }
    expect(() => files.stat(new URL('http://localhost/x'))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_URL_SCHEME' }),
    );
    expect(() => files.stat(Buffer.from('a\0b'))).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });

  it('is a TypeError at the call for bad options and contents', () => {
    for (const bad of [5, true, Symbol('x')] as never[]) {
      expect(() => files.readFile('x', bad)).toThrow(TypeError);
      expect(() => files.readdir('x', bad)).toThrow(TypeError);
      expect(() => files.writeFile('x', '', bad)).toThrow(TypeError);
    }
    for (const bad of [5, null, undefined, {}, true, new ArrayBuffer(1)] as never[]) {
      expect(() => files.writeFile('x', bad)).toThrow(TypeError);
      expect(() => files.appendFile('x', bad)).toThrow(TypeError);
    }
    expect(() => files.open('x', {} as never)).toThrow(TypeError);
    expect(() => files.cp(Buffer.from('x'), 'y')).toThrow(TypeError);
  });

  it('for options that only Node can judge is thrown where the Op is started', () =>
    run(function* () {
      const attempts = [
        files.open(at('file'), 'nonsense'),
        files.readFile(at('file'), { encoding: 'nonsense' as BufferEncoding }),
        files.chmod(at('file'), -1),
        files.mkdir(at('x'), { mode: 'nonsense' }),
        files.truncate(at('file'), 1.5),
        files.utimes(at('file'), 'nonsense', 0),
      ];
      for (const op of attempts) {
        const error = yield* failure(op);
        expect(error.code).toMatch(/^ERR_(INVALID_ARG_VALUE|OUT_OF_RANGE|INVALID_ARG_TYPE)$/);
      }
      expect(text('file')).toBe('hello\nworld\n');
    }));

  it('comes for a path that is too long', () =>
    run(function* () {
      expect((yield* failure(files.stat('x'.repeat(1_000_000)))).code).toBe('ENAMETOOLONG');
      expect((yield* failure(files.stat(''))).code).toBe('ENOENT');
    }));
});

describe('A path', () => {
  it('may be bytes or a URL, which are taken as they are at the call', () =>
    run(function* () {
      const bytes = Buffer.from(at('file'));
      const op = files.readFile(bytes, 'utf8');
      bytes.fill(0x41);
      expect(yield* op).toBe('hello\nworld\n');
      expect(yield* files.readFile(pathToFileURL(at('file')), 'utf8')).toBe('hello\nworld\n');
      yield* files.rename(pathToFileURL(at('file')), Buffer.from(at('b')));
      expect(text('b')).toBe('hello\nworld\n');
    }));

  it('and options are those of the call, own ones only, and an Op may be started again', () =>
    run(function* () {
      const options = { encoding: 'utf8' as BufferEncoding };
      const op = files.readFile(at('file'), options);
      options.encoding = 'hex';
      expect([yield* op, yield* op]).toEqual(['hello\nworld\n', 'hello\nworld\n']);
      expect(yield* files.readFile(at('file'), Object.create({ encoding: 'utf8' }) as object)).toBeInstanceOf(Buffer);
      const append = files.appendFile(at('file'), '!');
      yield* append;
      yield* append;
      expect(text('file')).toBe('hello\nworld\n!!');
    }));
});

describe('readFile and writeFile', () => {
  it('carry a large file', () =>
    run(function* () {
      const large = Buffer.alloc(20_000_000, 'tendril');
      yield* files.writeFile(at('large'), large);
      expect((yield* files.readFile(at('large'))).equals(large)).toBe(true);
    }));

  it('stop reading when killed in the middle', () =>
    run(function* () {
      fs.writeFileSync(at('large'), Buffer.alloc(50_000_000));
      const victim = spawn(() => files.readFile(at('large')));
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect([victim.outcome?.ok, hub.stats().orphans]).toEqual([false, 1]);
      while (hub.stats().orphans > 0) yield* sleep(1);
    }));

  it('write all of a large file when killed in the middle', () =>
    run(function* () {
      const large = Buffer.alloc(30_000_000, 'tendril');
      let after = false;
      const victim = spawn(function* () {
        yield* files.writeFile(at('large'), large);
        after = true;
        yield* sleep(0);
      });
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect([after, victim.killed]).toEqual([true, true]);
      expect(fs.readFileSync(at('large')).equals(large)).toBe(true);
    }));

  it('take the pieces of iterables and streams, and leave them when killed', () =>
    run(function* () {
      yield* files.writeFile(at('pieces'), ['one ', 'two ', Buffer.from('three')]);
      yield* files.appendFile(at('pieces'), Readable.from([' four', ' five']));
      expect(text('pieces')).toBe('one two three four five');
      let left = false;
      async function* endless() {
        try {
          for (;;) {
            yield 'x';
            await new Promise((resolve) => setImmediate(resolve));
          }
        } finally {
          left = true;
        }
      }
      const victim = spawn(() => files.writeFile(at('endless'), endless()));
      while (!fs.existsSync(at('endless')) || text('endless') === '') yield* sleep(1);
      victim.kill();
      yield* victim.join();
      while (hub.stats().orphans > 0) yield* sleep(1);
      expect([victim.outcome?.ok, left]).toEqual([false, true]);
    }));

  it('end with the error of a signal of the user, and of a source', () =>
    run(function* () {
      const controller = new AbortController();
      controller.abort();
      const { signal } = controller;
      expect((yield* failure(files.readFile(at('file'), { signal }))).name).toBe('AbortError');
      expect((yield* failure(files.writeFile(at('file'), 'x', { signal }))).name).toBe('AbortError');
      function* broken() {
        yield 'part';
        throw new Error('no more');
      }
      expect((yield* failure(files.writeFile(at('part'), broken()))).message).toBe('no more');
      expect([text('file'), text('part')]).toEqual(['hello\nworld\n', 'part']);
    }));
});

describe('cp', () => {
  it('asks a filter, also one that waits', () =>
    run(function* () {
      const filter = async (source: string): Promise<boolean> => !source.endsWith('deep');
      yield* files.cp(at('sub'), at('copied'), { recursive: true, filter });
      expect(fs.readdirSync(at('copied'))).toEqual(['inner']);
    }));
});

describe('opendir', () => {
  const names = (entries: readonly fs.Dirent[]): string[] => entries.map(({ name }) => name).sort();

  it('gives the entries one by one, and is closed after the last', () =>
    run(function* () {
      const directory = yield* files.opendir(folder);
      expect(openHandles()).toEqual({ total: 1, counts: { directory: 1 }, names: [`directory ${folder}`] });
      const entries: fs.Dirent[] = [];
      yield* forEach(directory, function* (entry) {
        entries.push(entry);
      });
      expect(names(entries)).toEqual(['empty', 'file', 'link', 'sub']);
      expect([directory.closed, openHandles().total]).toEqual([true, 0]);
      expect(yield* directory.next()).toEqual({ done: true, value: undefined });
    }));

  it('is closed by a loop that ends early', () =>
    run(function* () {
      const directory = yield* files.opendir(folder);
      const error = yield* failure(
        forEach(directory, function* () {
          throw new Error('enough');
        }),
      );
      expect([error.message, directory.closed, openHandles().total]).toEqual(['enough', true, 0]);
      expect(yield* directory.next()).toEqual({ done: true, value: undefined });
    }));

  it('loses no entry to a reader that is killed', () =>
    run(function* () {
      for (let i = 0; i < 50; i += 1) fs.writeFileSync(at(`empty/${i}`), '');
      const directory = yield* files.opendir(at('empty'), { bufferSize: 1 });
      const entries: fs.Dirent[] = [];
      for (;;) {
        const victim = spawn(() => directory.next());
        yield* yieldNow();
        victim.kill();
        yield* victim.join();
        expect(hub.stats().externalWaits).toBe(0);
        const step = yield* directory.next();
        if (step.done === true) break;
        entries.push(step.value);
      }
      expect(names(entries)).toEqual(Array.from({ length: 50 }, (_, index) => String(index)).sort());
    }));

  it('has one reader at a time, who learns of close()', () =>
    withStuckPool(function* (free) {
      const opening = spawn(() => files.opendir(folder));
      yield* yieldNow();
      yield* free();
      const directory = yield* opening.get();
      const pool = yield* until(stuckPool());
      const reader = spawn(() => failure(directory.next()));
      yield* yieldNow();
      expect((yield* failure(directory.next())).message).toBe(
        `next on directory ${folder}, which ${reader.name} is reading: one greenlet reads at a time`,
      );
      directory.close();
      directory[Symbol.dispose]();
      expect(yield* reader.get()).toMatchObject({ code: 'ERR_CLOSED' });
      expect(yield* failure(directory.next())).toMatchObject({ code: 'ERR_CLOSED' });
      yield* until(pool.free());
    }));
});
