// child-process.test.ts: children belong to the greenlet that starts them, and outside greenlets nothing is different.
import childProcess, { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Op, process as programs, run, scope, sleep, spawn, until } from 'tendril';
import { adopt, patchChildProcess, release } from 'tendril/patches';
import { afterAll, describe, expect, it } from 'vitest';
import { leaksWith, owned, packageOf } from './owning.ts';

const file = 'child-process.test.ts';
const never = (): Op<void> => sleep(Number.POSITIVE_INFINITY);
const folder = mkdtempSync(join(tmpdir(), 'tendril-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Says that it runs, and runs until it is killed. */
const program = join(folder, 'forever.cjs');
writeFileSync(program, `process.stdout.write('up'); setInterval(() => {}, 1e6); process.on('disconnect', () => {});`);
const deaf = `process.on('SIGTERM', () => process.stdout.write('no')); process.stdout.write('up'); setInterval(() => {}, 1e6);`;

const starters: readonly (readonly [name: string, start: () => ChildProcess])[] = [
  ['spawn', () => childProcess.spawn(process.execPath, [program])],
  ['execFile', () => childProcess.execFile(process.execPath, [program], () => {})],
  ['exec', () => childProcess.exec(`exec "${process.execPath}" "${program}"`, () => {})],
  ['fork', () => childProcess.fork(program, { silent: true })],
];

const up = (child: ChildProcess): Promise<unknown> => once(child.stdout as NodeJS.ReadableStream, 'data');

describe.each(starters)('A child by %s of a greenlet', (_, start) => {
  it.each(['kill', 'failure', 'good end'] as const)('is ended after a %s', async (how) => {
    let child: ChildProcess | undefined;
    let exited: Promise<unknown[]> | undefined;
    const leaks = await leaksWith(patchChildProcess, file, async () => {
      await run(function* () {
        const g = spawn(function* () {
          child = start();
          exited = once(child, 'exit');
          yield* until(up(child));
          expect(owned()).toBe(1);
          if (how === 'failure') throw new Error('failed');
          if (how === 'good end') return;
          g.kill();
          yield* never();
        });
        yield* g.join();
      });
      expect(await exited).toEqual([null, 'SIGTERM']);
    });
    const expected = how === 'good end' ? [{ kind: 'child process', owner: 'greenlet-n', here: true }] : [];
    expect(leaks).toEqual(expected);
  });

  it('lives on when it was released, and dies with whoever adopts it', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchChildProcess, file, async () => {
      await run(function* () {
        const child = yield* scope(function* () {
          const mine = start();
          yield* until(up(mine));
          return release(mine);
        });
        seen.push(child.exitCode, child.signalCode, child.killed);
        const exited = once(child, 'exit');
        const adopter = spawn(function* () {
          adopt(child);
          yield* never();
        });
        while (adopter.state !== 'parked') yield* sleep(0);
        adopter.kill();
        seen.push(yield* until(exited));
      });
    });
    expect({ seen, leaks }).toEqual({ seen: [null, null, false, [null, 'SIGTERM']], leaks: [] });
  });
});

describe('A child of a greenlet', () => {
  it('that has ended is no longer owned', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchChildProcess, file, () =>
      run(function* () {
        const { stdout } = yield* until(promisify(childProcess.execFile)(process.execPath, ['-p', '6 * 7']));
        seen.push(stdout, owned());
      }),
    );
    expect({ seen, leaks }).toEqual({ seen: ['42\n', 0], leaks: [] });
  });

  it('that does not heed SIGTERM is sent SIGKILL after the grace', async () => {
    let exited: Promise<unknown[]> | undefined;
    let heard: Promise<unknown> | undefined;
    const leaks = await leaksWith(patchChildProcess, file, async () => {
      await run(function* () {
        const g = spawn(function* () {
          const child = childProcess.spawn(process.execPath, ['-e', deaf]);
          exited = once(child, 'exit');
          yield* until(up(child));
          heard = up(child);
          g.kill();
          yield* never();
        });
        yield* g.join();
      });
      await heard;
      expect(await exited).toEqual([null, 'SIGKILL']);
    });
    expect(leaks).toEqual([]);
  });

  it('that cannot be started is not owned, and says so by its event', async () => {
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchChildProcess, file, () =>
      run(function* () {
        const child = childProcess.spawn(join(folder, 'nothing'));
        seen.push(owned());
        const [error] = (yield* until(once(child, 'error').catch((e: unknown) => [e]))) as [NodeJS.ErrnoException];
        seen.push(error.code);
      }),
    );
    expect({ seen, leaks }).toEqual({ seen: [0, 'ENOENT'], leaks: [] });
  });

  it('is nobody’s when a package starts it, or tendril', async () => {
    const source = packageOf(
      `exports.start = (file) => require('node:child_process').spawn(process.execPath, [file]);`,
    );
    let child: ChildProcess | undefined;
    const seen: unknown[] = [];
    const leaks = await leaksWith(patchChildProcess, file, () =>
      run(function* () {
        child = source.exports.start?.(program as never) as ChildProcess;
        yield* until(up(child));
        const own = yield* programs.spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
        seen.push(owned(), (yield* own.wait()).exitCode);
      }),
    );
    seen.push(child?.signalCode);
    const exited = once(child as ChildProcess, 'exit');
    child?.kill();
    await exited;
    source.remove();
    expect({ seen, leaks }).toEqual({ seen: [0, 0, null], leaks: [] });
  });
});

describe('Outside greenlets', () => {
  it('children are nobody’s', async () => {
    const patch = patchChildProcess();
    const twice = patchChildProcess() === patch;
    const { stdout } = await promisify(childProcess.exec)(`"${process.execPath}" -p 1`);
    patch.undo();
    expect({ twice, stdout }).toEqual({ twice: true, stdout: '1\n' });
  });
});
