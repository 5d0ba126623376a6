// twins-fs.test.ts: the twin of fs: what each function does, Node's own errors with the stack of who waited, and what a kill and a timeout find and leave, also when no
// thread is free.
import node from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  forEach,
  hub,
  isKilled,
  type Op,
  run,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  until,
  type Waitable,
  yieldNow,
} from 'tendril';
import * as fs from 'tendril/patches/fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { descriptors, descriptorsBackAt } from '../io/descriptors.ts';
import { failure, nothingLeft } from '../io/peers.ts';
import { stuckPool } from '../io/stuck-pool.ts';

let folder: string;
let before: number;
let fd: number;
const at = (name: string): string => path.join(folder, name);
const text = (name: string): string => node.readFileSync(at(name), 'utf8');

beforeEach(() => {
  before = descriptors();
  folder = node.realpathSync(node.mkdtempSync(path.join(os.tmpdir(), 'tendril-twin-')));
  node.writeFileSync(at('file'), 'hello\nworld\n', { mode: 0o644 });
  node.mkdirSync(at('sub'));
  node.writeFileSync(at('sub/inner'), 'inner');
  node.mkdirSync(at('empty'));
  node.symlinkSync('file', at('link'));
  fd = node.openSync(at('file'), 'r+');
});

afterEach(async () => {
  node.closeSync(fd);
  await run(() => descriptorsBackAt(before));
  nothingLeft();
  node.rmSync(folder, { recursive: true, force: true });
});

interface Case {
  readonly op: () => Op<unknown>;
  readonly gives?: unknown;
  /** What is there afterwards. */
  readonly leaves?: () => void;
  readonly cleans?: (value: never) => void;
}
const closes = (opened: number): void => node.closeSync(opened);

interface Look extends Case {
  readonly op: () => Waitable<unknown>;
}

const looks: Record<string, Look> = {
  access: { op: () => fs.access(at('file'), fs.constants.R_OK) },
  accessSync: { op: () => fs.accessSync(at('file')) },
  exists: { op: () => fs.exists(at('file')), gives: true },
  existsSync: { op: () => fs.existsSync(at('none')), gives: false },
  stat: { op: () => fs.stat(at('link')), gives: expect.objectContaining({ size: 12 }) },
  'stat with bigint': {
    op: () => fs.stat(at('file'), { bigint: true }),
    gives: expect.objectContaining({ size: 12n }),
  },
  statSync: { op: () => fs.statSync(at('file')), gives: expect.objectContaining({ size: 12 }) },
  'statSync of nothing': { op: () => fs.statSync(at('none'), { throwIfNoEntry: false }), gives: undefined },
  lstat: { op: () => fs.lstat(at('link')), gives: expect.objectContaining({ size: 4 }) },
  lstatSync: { op: () => fs.lstatSync(at('link')), gives: expect.objectContaining({ size: 4 }) },
  fstat: { op: () => fs.fstat(fd), gives: expect.objectContaining({ size: 12 }) },
  fstatSync: { op: () => fs.fstatSync(fd, { bigint: true }), gives: expect.objectContaining({ size: 12n }) },
  statfs: { op: () => fs.statfs(folder), gives: expect.objectContaining({ bsize: expect.any(Number) }) },
  statfsSync: { op: () => fs.statfsSync(folder), gives: expect.objectContaining({ bsize: expect.any(Number) }) },
  readdir: { op: () => fs.readdir(at('sub')), gives: ['inner'] },
  'readdir of everything below': {
    op: () => fs.readdir(folder, { recursive: true }),
    gives: expect.arrayContaining(['sub/inner']),
  },
  readdirSync: {
    op: () => fs.readdirSync(at('sub'), { withFileTypes: true }),
    gives: [expect.objectContaining({ name: 'inner' })],
  },
  readlink: { op: () => fs.readlink(at('link')), gives: 'file' },
  readlinkSync: { op: () => fs.readlinkSync(at('link'), 'buffer'), gives: Buffer.from('file') },
  realpath: { op: () => fs.realpath(at('sub/../link')), gives: expect.stringMatching(/\/file$/) },
  'realpath.native': { op: () => fs.realpath.native(at('link')), gives: expect.stringMatching(/\/file$/) },
  realpathSync: { op: () => fs.realpathSync(at('link')), gives: expect.stringMatching(/\/file$/) },
  'realpathSync.native': { op: () => fs.realpathSync.native(at('link')), gives: expect.stringMatching(/\/file$/) },
  readFile: { op: () => fs.readFile(at('file')), gives: Buffer.from('hello\nworld\n') },
  'readFile of text': { op: () => fs.readFile(at('file'), 'utf8'), gives: 'hello\nworld\n' },
  readFileSync: { op: () => fs.readFileSync(at('file'), { encoding: 'utf8' }), gives: 'hello\nworld\n' },
  open: { op: () => fs.open(at('file')), gives: expect.any(Number), cleans: closes },
  openSync: { op: () => fs.openSync(at('fresh'), 'w', 0o600), gives: expect.any(Number), cleans: closes },
  opendir: { op: () => fs.opendir(folder), gives: expect.any(fs.Dir), cleans: (dir: fs.Dir) => void dir.close() },
  opendirSync: {
    op: () => fs.opendirSync(folder),
    gives: expect.any(fs.Dir),
    cleans: (dir: fs.Dir) => void dir.closeSync(),
  },
  openAsBlob: { op: () => fs.openAsBlob(at('file')), gives: expect.objectContaining({ size: 12 }) },
  openAsBlobSync: { op: () => fs.openAsBlobSync(at('file')), gives: expect.objectContaining({ size: 12 }) },
};
if ('glob' in node) {
  looks.glob = { op: () => fs.glob('**/inner', { cwd: folder }), gives: ['sub/inner'] };
  looks.globSync = { op: () => fs.globSync('*/inner', { cwd: folder }), gives: ['sub/inner'] };
}

const has = (name: string, content: string) => () => expect(text(name)).toBe(content);
const mode = (name: string, expected: number) => () => expect(node.statSync(at(name)).mode & 0o777).toBe(expected);
const gone = (name: string) => () => expect(node.existsSync(at(name))).toBe(false);
const there = (name: string) => () => expect(node.existsSync(at(name))).toBe(true);
const touched = (name: string) => () => expect(node.lstatSync(at(name)).mtimeMs).toBe(2000);

const changes: Record<string, Case> = {
  writeFile: { op: () => fs.writeFile(at('file'), 'new'), leaves: has('file', 'new') },
  writeFileSync: { op: () => fs.writeFileSync(at('a'), new Uint8Array([65]), { mode: 0o600 }), leaves: has('a', 'A') },
  appendFile: { op: () => fs.appendFile(at('file'), 'more'), leaves: has('file', 'hello\nworld\nmore') },
  appendFileSync: { op: () => fs.appendFileSync(at('file'), 'more'), leaves: has('file', 'hello\nworld\nmore') },
  copyFile: { op: () => fs.copyFile(at('file'), at('copy')), leaves: has('copy', 'hello\nworld\n') },
  copyFileSync: { op: () => fs.copyFileSync(at('file'), at('copy')), leaves: has('copy', 'hello\nworld\n') },
  cp: { op: () => fs.cp(at('sub'), at('tree'), { recursive: true }), leaves: has('tree/inner', 'inner') },
  cpSync: { op: () => fs.cpSync(at('sub'), at('tree'), { recursive: true }), leaves: has('tree/inner', 'inner') },
  mkdir: { op: () => fs.mkdir(at('made')), leaves: there('made') },
  mkdirSync: {
    op: () => fs.mkdirSync(at('a/b'), { recursive: true }),
    gives: expect.stringMatching(/\/a$/),
    leaves: there('a/b'),
  },
  mkdtemp: { op: () => fs.mkdtemp(at('temp-')), gives: expect.stringContaining('/temp-') },
  mkdtempSync: { op: () => fs.mkdtempSync(at('temp-')), gives: expect.stringContaining('/temp-') },
  rm: { op: () => fs.rm(at('sub'), { recursive: true }), leaves: gone('sub') },
  rmSync: { op: () => fs.rmSync(at('file')), leaves: gone('file') },
  rmdir: { op: () => fs.rmdir(at('empty')), leaves: gone('empty') },
  rmdirSync: { op: () => fs.rmdirSync(at('empty')), leaves: gone('empty') },
  unlink: { op: () => fs.unlink(at('file')), leaves: gone('file') },
  unlinkSync: { op: () => fs.unlinkSync(at('file')), leaves: gone('file') },
  rename: { op: () => fs.rename(at('file'), at('other')), leaves: there('other') },
  renameSync: { op: () => fs.renameSync(at('file'), at('other')), leaves: there('other') },
  link: { op: () => fs.link(at('file'), at('second')), leaves: there('second') },
  linkSync: { op: () => fs.linkSync(at('file'), at('second')), leaves: there('second') },
  symlink: { op: () => fs.symlink('file', at('second')), leaves: there('second') },
  symlinkSync: { op: () => fs.symlinkSync('file', at('second')), leaves: there('second') },
  chmod: { op: () => fs.chmod(at('file'), 0o600), leaves: mode('file', 0o600) },
  chmodSync: { op: () => fs.chmodSync(at('file'), '600'), leaves: mode('file', 0o600) },
  fchmod: { op: () => fs.fchmod(fd, 0o600), leaves: mode('file', 0o600) },
  fchmodSync: { op: () => fs.fchmodSync(fd, 0o600), leaves: mode('file', 0o600) },
  chown: { op: () => fs.chown(at('file'), -1, -1) },
  chownSync: { op: () => fs.chownSync(at('file'), -1, -1) },
  fchown: { op: () => fs.fchown(fd, -1, -1) },
  fchownSync: { op: () => fs.fchownSync(fd, -1, -1) },
  lchown: { op: () => fs.lchown(at('link'), -1, -1) },
  lchownSync: { op: () => fs.lchownSync(at('link'), -1, -1) },
  utimes: { op: () => fs.utimes(at('file'), 2, 2), leaves: touched('file') },
  utimesSync: { op: () => fs.utimesSync(at('file'), new Date(2000), new Date(2000)), leaves: touched('file') },
  futimes: { op: () => fs.futimes(fd, 2, 2), leaves: touched('file') },
  futimesSync: { op: () => fs.futimesSync(fd, 2, 2), leaves: touched('file') },
  lutimes: { op: () => fs.lutimes(at('link'), 2, 2), leaves: touched('link') },
  lutimesSync: { op: () => fs.lutimesSync(at('link'), 2, 2), leaves: touched('link') },
  truncate: { op: () => fs.truncate(at('file'), 5), leaves: has('file', 'hello') },
  truncateSync: { op: () => fs.truncateSync(at('file')), leaves: has('file', '') },
  ftruncate: { op: () => fs.ftruncate(fd, 5), leaves: has('file', 'hello') },
  ftruncateSync: { op: () => fs.ftruncateSync(fd, 5), leaves: has('file', 'hello') },
  fsync: { op: () => fs.fsync(fd) },
  fsyncSync: { op: () => fs.fsyncSync(fd) },
  fdatasync: { op: () => fs.fdatasync(fd) },
  fdatasyncSync: { op: () => fs.fdatasyncSync(fd) },
  write: {
    op: () => fs.write(fd, 'HE'),
    gives: { bytesWritten: 2, buffer: 'HE' },
    leaves: has('file', 'HEllo\nworld\n'),
  },
  'write of bytes': {
    op: () => fs.write(fd, Buffer.from('.WORLD.'), 1, 5, 6),
    gives: { bytesWritten: 5, buffer: Buffer.from('.WORLD.') },
    leaves: has('file', 'hello\nWORLD\n'),
  },
  writeSync: { op: () => fs.writeSync(fd, 'WO', 6), gives: 2, leaves: has('file', 'hello\nWOrld\n') },
  writev: {
    op: () => fs.writev(fd, [Buffer.from('H'), Buffer.from('E')], 0),
    gives: { bytesWritten: 2, buffers: [Buffer.from('H'), Buffer.from('E')] },
    leaves: has('file', 'HEllo\nworld\n'),
  },
  writevSync: { op: () => fs.writevSync(fd, [Buffer.from('HE')]), gives: 2, leaves: has('file', 'HEllo\nworld\n') },
  read: {
    op: () => fs.read(fd, Buffer.alloc(5), 0, 5, 6),
    gives: { bytesRead: 5, buffer: Buffer.from('world') },
  },
  'read with an offset only': {
    op: () => fs.read(fd, Buffer.alloc(4), 2),
    gives: { bytesRead: 2, buffer: Buffer.from('\0\0he') },
  },
  'read with options': {
    op: () => fs.read(fd, { buffer: Buffer.alloc(2), position: 6 }),
    gives: { bytesRead: 2, buffer: Buffer.from('wo') },
  },
  readSync: { op: () => fs.readSync(fd, Buffer.alloc(5), { position: 6 }), gives: 5 },
  readv: {
    op: () => fs.readv(fd, [Buffer.alloc(2), Buffer.alloc(3)], 0),
    gives: { bytesRead: 5, buffers: [Buffer.from('he'), Buffer.from('llo')] },
  },
  readvSync: { op: () => fs.readvSync(fd, [Buffer.alloc(2)]), gives: 2 },
  'readFile of a descriptor': { op: () => fs.readFile(fd, 'utf8'), gives: 'hello\nworld\n' },
  'readFileSync of a descriptor': { op: () => fs.readFileSync(fd, 'utf8'), gives: 'hello\nworld\n' },
};

const everything = Object.entries({ ...looks, ...changes });

/** Run `body` while every thread of the pool hangs; `free` lets them go. */
async function withStuckPool(body: (free: () => Op<void>) => Op<void>): Promise<void> {
  const pool = await stuckPool();
  let freed: Promise<void> | undefined;
  try {
    await run(() =>
      body(function* () {
        freed = pool.free();
        yield* until(freed);
        while (hub.stats().externalWaits + hub.stats().orphans > 0) yield* sleep(1);
      }),
    );
  } finally {
    await (freed ?? pool.free());
  }
}

describe('A function of the twin of fs', () => {
  it.each(everything)('%s does what Node does, each time that it is started', (_name, { op, gives, leaves, cleans }) =>
    run(function* () {
      const value = yield* op();
      expect(value).toEqual(gives);
      leaves?.();
      cleans?.(value as never);
    }),
  );

  it.each(Object.entries(looks))(
    '%s can be an arm of a select, and two may run at once',
    (_name, { op, gives, cleans }) =>
      run(function* () {
        const other = spawn(op);
        const { key, value } = yield* select({ op: op(), never: sleep(Number.POSITIVE_INFINITY) });
        const second = yield* other.get();
        expect([key, value, second]).toEqual(['op', gives, gives]);
        for (const given of [value, second]) cleans?.(given as never);
      }),
  );

  // Node finds out what openAsBlob has to know without the pool.
  const waiting = Object.entries(looks).filter(([name]) => !name.startsWith('openAsBlob'));
  it.each(waiting)('%s is given up at once by a kill, and what comes late is disposed of', (_name, { op }) =>
    withStuckPool(function* (free) {
      const open = descriptors();
      const victim = spawn(op);
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect([victim.outcome?.ok, hub.stats().orphans]).toEqual([false, 1]);
      expect(yield* failure(timeout(2, op()))).toBeInstanceOf(TimeoutError);
      yield* free();
      while (hub.stats().orphans > 0) yield* sleep(1);
      // The four that stuck the pool are closed by then too.
      yield* descriptorsBackAt(open);
    }),
  );

  it.each(Object.entries(changes))('%s finishes first when it is killed', (_name, { op, gives, leaves }) =>
    withStuckPool(function* (free) {
      let value: unknown = 'none';
      const victim = spawn(function* () {
        value = yield* op();
        yield* sleep(0);
      });
      yield* yieldNow();
      victim.kill();
      yield* sleep(2);
      expect([victim.state, value]).toEqual(['parked', 'none']);
      yield* free();
      yield* victim.join();
      expect([value, victim.killed, hub.stats().orphans]).toEqual([gives, true, 0]);
      leaves?.();
    }),
  );

  it.each(Object.entries(changes))('%s does not begin in a greenlet that has been killed', (_name, { op }) =>
    run(function* () {
      const tree = node.readdirSync(folder, { recursive: true });
      const content = text('file');
      const victim = spawn(op);
      victim.kill();
      yield* victim.join();
      expect([node.readdirSync(folder, { recursive: true }), text('file')]).toEqual([tree, content]);
    }),
  );

  it('lets others run meanwhile, also under a name in ...Sync', () =>
    withStuckPool(function* (free) {
      const reader = spawn(() => fs.readFileSync(at('file'), 'utf8'));
      let ticks = 0;
      const ticking = setInterval(() => {
        ticks += 1;
      }, 1);
      while (ticks < 5) yield* sleep(1);
      clearInterval(ticking);
      expect(reader.state).toBe('parked');
      yield* free();
      expect(yield* reader.get()).toBe('hello\nworld\n');
    }));
});

describe('An error of the twin of fs', () => {
  it("is Node's own, with code and syscall, and its stack names who waited", () =>
    run(function* () {
      const attempts: [Op<unknown>, object][] = [
        [fs.readFile(at('none')), { code: 'ENOENT', syscall: 'open', path: at('none') }],
        [fs.readFileSync(at('none'), 'utf8'), { code: 'ENOENT', syscall: 'open', path: at('none') }],
        [fs.fstat(9999), { code: 'EBADF', syscall: 'fstat' }],
        [fs.stat(at('none')), { code: 'ENOENT', syscall: 'stat' }],
        [fs.statSync(at('none')), { code: 'ENOENT', syscall: 'stat' }],
        [fs.statSync(at('file/x')), { code: 'ENOTDIR', syscall: 'stat' }],
        [fs.access(at('none')), { code: 'ENOENT', syscall: 'access' }],
        [fs.readdir(at('file'), { recursive: true }), { code: 'ENOTDIR' }],
        [fs.realpath.native(at('none')), { code: 'ENOENT' }],
        [fs.open(at('file'), 'wx'), { code: 'EEXIST', syscall: 'open' }],
        [fs.opendir(at('none')), { code: 'ENOENT', syscall: 'opendir' }],
        [fs.writeFile(at('none/x'), ''), { code: 'ENOENT', syscall: 'open' }],
        [fs.cp(at('none'), at('x')), { code: 'ENOENT' }],
        [fs.rm(at('none')), { code: 'ENOENT' }],
        [fs.rename(at('none'), at('x')), { code: 'ENOENT', syscall: 'rename', dest: at('x') }],
        [fs.close(9999), { code: 'EBADF', syscall: 'close' }],
        [fs.read(9999, Buffer.alloc(1)), { code: 'EBADF', syscall: 'read' }],
        // What only Node can judge is refused where the wait begins.
        [fs.open(at('file'), 'nonsense'), { code: 'ERR_INVALID_ARG_VALUE' }],
        [fs.readFile(at('file'), { encoding: 'nonsense' as 'utf8' }), { code: 'ERR_INVALID_ARG_VALUE' }],
        [fs.mkdir(at('x'), { mode: 'nonsense' }), { code: 'ERR_INVALID_ARG_VALUE' }],
      ];
      for (const [op, expected] of attempts) {
        const error = yield* failure(op);
        expect(error).toMatchObject(expected);
        expect(error.stack).toMatch(/^.*\n(?:.*\n)*?.*twins-fs\.test\.ts/);
      }
    }));

  it('for a bad argument is thrown at the call', () => {
    const bad: [unknown, () => unknown][] = [
      ['ERR_INVALID_ARG_TYPE', () => fs.readFile(true as never)],
      ['ERR_INVALID_ARG_TYPE', () => fs.readFileSync({} as never)],
      ['ERR_INVALID_ARG_VALUE', () => fs.stat('a\0b')],
      ['ERR_INVALID_URL_SCHEME', () => fs.stat(new URL('http://a/'))],
      ['ERR_OUT_OF_RANGE', () => fs.readFile(-1)],
      ['ERR_INVALID_ARG_TYPE', () => fs.rename('a', undefined as never)],
      ['ERR_INVALID_ARG_TYPE', () => fs.writeFile('a', 5 as never)],
      ['ERR_INVALID_ARG_TYPE', () => fs.readFile('a', 5n as never)],
      ['ERR_INVALID_ARG_TYPE', () => fs.existsSync(5 as never)],
      ['ERR_INVALID_ARG_TYPE', () => fs.close('5' as never)],
      ['ERR_OUT_OF_RANGE', () => fs.close(1.5)],
      ['ERR_INVALID_ARG_TYPE', () => fs.chmod('a', undefined as never)],
      ['ERR_INVALID_ARG_TYPE', () => fs.utimes('a', Number.NaN, 1)],
      ['ERR_INVALID_ARG_TYPE', () => fs.readSync(5, 'a' as never)],
      ['ERR_INVALID_ARG_TYPE', () => fs.writev(5, ['a'] as never)],
      ['ERR_INVALID_ARG_TYPE', () => fs.opendir(5 as never)],
    ];
    expect(bad.map(([, call]) => codeOf(call))).toEqual(bad.map(([code]) => code));
  });

  it('for a callback says that the Op gives the value', () => {
    expect(() => fs.readFile('a', (() => {}) as never)).toThrow(
      /fs\.readFile takes no callback here.*yield\* readFile/,
    );
    expect(() => fs.stat('a', (() => {}) as never)).toThrow(TypeError);
    expect(() => fs.mkdir('a', (() => {}) as never)).toThrow(TypeError);
  });
});

function codeOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

describe('The arguments of the twin of fs', () => {
  it('are taken as they are at the call', () =>
    run(function* () {
      const bytes = Buffer.from(at('file'));
      const options = { encoding: 'utf8' as BufferEncoding };
      const op = fs.readFile(bytes, options);
      bytes.fill(0x41);
      options.encoding = 'hex';
      expect([yield* op, yield* op]).toEqual(['hello\nworld\n', 'hello\nworld\n']);
      expect(yield* fs.readFile(pathToFileURL(at('file')), 'utf8')).toBe('hello\nworld\n');
      expect(yield* fs.readFile(at('file'), Object.create({ encoding: 'utf8' }) as { flag: 'r' })).toBeInstanceOf(
        Buffer,
      );
    }));

  it('may have a signal, which ends the call', () =>
    run(function* () {
      const signal = AbortSignal.abort();
      expect((yield* failure(fs.readFile(at('file'), { signal }))).code).toBe('ABORT_ERR');
      expect((yield* failure(fs.writeFile(at('file'), 'new', { signal }))).code).toBe('ABORT_ERR');
      expect(text('file')).toBe('hello\nworld\n');
    }));
});

describe('Dir of the twin of fs', () => {
  it('gives its entries one by one, then null', () =>
    run(function* () {
      const dir = yield* fs.opendir(folder);
      const names: string[] = [];
      for (let entry = yield* dir.read(); entry !== null; entry = yield* dir.readSync()) names.push(entry.name);
      expect([names.sort(), dir.path, yield* dir.read()]).toEqual([['empty', 'file', 'link', 'sub'], folder, null]);
      yield* dir.close();
      yield* dir.close();
    }));

  it('can be given to forEach', () =>
    run(function* () {
      const names: string[] = [];
      const dir = yield* fs.opendir(at('sub'));
      yield* forEach(dir, function* (entry) {
        names.push(entry.name);
      });
      expect(names).toEqual(['inner']);
    }));

  it('keeps an entry that comes for a greenlet that was killed', () =>
    withStuckPool(function* (free) {
      // It is opened and read from outside the pool's reach: with what is stuck, only the read waits.
      const opening = spawn(() => fs.opendir(at('sub')));
      yield* free();
      const dir = yield* opening.get();
      const victim = spawn(() => dir.read());
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      // It may have come before the kill: then it is the victim's.
      const taken = victim.outcome?.ok === true ? (victim.outcome.value as { name: string }) : yield* dir.read();
      expect(taken?.name).toBe('inner');
      dir.close();
    }));

  it('is closed in the `finally` of a greenlet that is killed', () =>
    run(function* () {
      const open = descriptors();
      const victim = spawn(function* () {
        const dir = yield* fs.opendir(folder);
        try {
          yield* sleep(Number.POSITIVE_INFINITY);
        } finally {
          yield* dir.close();
        }
      });
      while (descriptors() === open) yield* sleep(1);
      victim.kill();
      yield* victim.join();
      yield* descriptorsBackAt(open);
    }));

  it('is closed by `using` too', () =>
    run(function* () {
      const open = descriptors();
      const dir = yield* fs.opendir(folder);
      dir[Symbol.dispose]();
      yield* descriptorsBackAt(open);
    }));

  it('refuses a second reader, and reads after close', () =>
    run(function* () {
      const dir = yield* fs.opendir(folder);
      const reader = spawn(() => dir.read());
      yield* yieldNow();
      const second = yield* failure(dir.read());
      if (reader.state === 'parked') expect(second.code).toBe('ERR_BUSY');
      yield* reader.join();
      dir.close();
      expect((yield* failure(dir.read())).code).toBe('ERR_CLOSED');
    }));
});

describe('A descriptor of the twin of fs', () => {
  it('that is opened too late for its greenlet is closed', () =>
    withStuckPool(function* (free) {
      const open = descriptors();
      const victim = spawn(function* () {
        try {
          yield* fs.open(at('file'));
        } catch (error) {
          expect(isKilled(error)).toBe(true);
          throw error;
        }
      });
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      yield* free();
      yield* descriptorsBackAt(open);
    }));
});
