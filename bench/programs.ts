// programs.ts: what has to be built or found before contestants can start: our package, samples/redis.ts, the Go program, a Python with gevent.
//
// Each is done when it is first needed, once, and says why it cannot be done. Two things are unusual. `import 'tendril'` from bench/out
// would find the peers' package.json and not ours, so a link bench/out/node_modules/tendril leads to the root of the project, where the
// package's own `exports` decide. And samples/redis.ts is compiled by tsc into bench/out/samples, because running it through tsx
// wraps every function and distorts what is measured.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { NoFigure } from './player.ts';

const execute = promisify(execFile);
const out = fileURLToPath(new URL('.', import.meta.url));
const bench = fileURLToPath(new URL('..', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

export class Programs {
  readonly contestant: string = `${out}contestant.js`;
  /** The compiled Go program. @throws NoFigure if Go is not installed or does not compile it. */
  readonly go: () => Promise<string> = once(buildGo);
  /** A Python that imports gevent, and the script. @throws NoFigure if there is none. */
  readonly python: () => Promise<{ python: string; script: string }> = once(findPython);
  /** Compile samples/redis.ts, if it is there; the contestant says so if it is not. */
  readonly sample: () => Promise<void> = once(compileSample);
}

/** Make `import 'tendril'` work from bench/out. */
export async function linkPackage(): Promise<void> {
  await mkdir(`${out}node_modules`, { recursive: true });
  const link = `${out}node_modules/tendril`;
  if (!existsSync(link)) await symlink('../../..', link, 'dir');
}

async function buildGo(): Promise<string> {
  const program = `${out}go-contestant`;
  try {
    await execute('go', ['build', '-o', program, '.'], { cwd: `${bench}go` });
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') throw new NoFigure('skipped', 'Go is not installed');
    throw new NoFigure('failed', `go build: ${stderr ?? String(error)}`);
  }
  return program;
}

async function findPython(): Promise<{ python: string; script: string }> {
  const candidates = [process.env.PYTHON, 'python3', '/usr/bin/python3'];
  for (const python of candidates) {
    if (python === undefined) continue;
    try {
      await execute(python, ['-c', 'import gevent']);
      return { python, script: `${bench}python/contestant.py` };
    } catch {
      // This one is not installed or has no gevent: try the next.
    }
  }
  throw new NoFigure('skipped', 'gevent is not installed');
}

async function compileSample(): Promise<void> {
  await rm(`${out}samples`, { recursive: true, force: true });
  if (!existsSync(`${root}samples/redis.ts`)) return;
  const tsc = `${root}node_modules/.bin/tsc`;
  try {
    await execute(process.execPath, [tsc, '-p', `${bench}tsconfig.samples.json`]);
  } catch (error) {
    console.error(`samples/redis.ts does not compile: ${(error as { stdout?: string }).stdout ?? String(error)}`);
  }
}

/** Versions of what the figures depend on, as far as it is installed. */
export async function versions(): Promise<Record<string, string>> {
  const asked: [name: string, command: string, parameters: string[], pattern: RegExp][] = [
    ['Go', 'go', ['version'], /go([\d.]+)/],
    ['redis-server', 'redis-server', ['--version'], /v=([\d.]+)/],
    ['nginx', 'nginx', ['-v'], /nginx\/([\d.]+)/],
    ['wrk', 'wrk', ['-v'], /wrk ([^\s]+)/],
  ];
  const found: Record<string, string> = {};
  for (const [name, command, parameters, pattern] of asked) {
    const printed = await execute(command, parameters).catch((error: { stdout?: string; stderr?: string }) => error);
    const version = pattern.exec(`${printed.stdout ?? ''}${printed.stderr ?? ''}`)?.[1];
    if (version !== undefined) found[name] = version;
  }
  const gevent = await findPython()
    .then(({ python }) => execute(python, ['-c', 'import gevent; print(gevent.__version__)']))
    .catch(() => undefined);
  if (gevent !== undefined) found.gevent = gevent.stdout.trim();
  return found;
}
