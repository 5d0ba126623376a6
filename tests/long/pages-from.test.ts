// pages-from.test.ts: docs/from-*.md show the same ten programs, and those in the reader's own language print what ours print.
//
// Ours are run by docs.test.ts, as every program of docs/. Here stands what is in another language: blocks of ```python, ```go and ```js.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { root } from '../pages/blocks.ts';
import { probeProgram, probePython } from '../services.ts';

interface Program {
  readonly heading: string;
  readonly theirs: string;
  readonly ours: string;
  readonly printed: string;
}

interface Ending {
  readonly status: number | string | null | undefined;
  readonly printed: string;
  readonly stderr: string;
}

const pages = ['from-gevent', 'from-asyncio', 'from-go', 'from-async-await'] as const;
type Page = (typeof pages)[number];
const languages: Record<Page, string> = {
  'from-gevent': 'python',
  'from-asyncio': 'python',
  'from-go': 'go',
  'from-async-await': 'js',
};

/** The numbered sections of a page: a block of the reader's language, one of ours, and what both print. */
function programsOf(page: Page): Program[] {
  const [, ...sections] = readFileSync(`${root}docs/${page}.md`, 'utf8').split(/^## /m);
  return sections
    .filter((section) => /^\d+\. /.test(section))
    .map((section) => {
      const blocks = [...section.matchAll(/^```(\S*)\n(.*?)^```$/gms)].map(([, language, code]) => [language, code]);
      expect(blocks.map(([language]) => language)).toEqual([languages[page], 'ts', 'text']);
      const [theirs, ours, printed] = blocks.map(([, code]) => code) as [string, string, string];
      return { heading: section.split('\n', 1)[0] as string, theirs, ours, printed };
    });
}

const folder = mkdtempSync(join(tmpdir(), 'pages-from-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Run `command` to its end. */
function finish([file, ...args]: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  return new Promise<Ending>((resolve) => {
    const limits = { timeout: 60_000, killSignal: 'SIGKILL', maxBuffer: 1_000_000 } as const;
    const child = execFile(file as string, args, { ...limits, ...options }, (error, printed, stderr) =>
      resolve({ status: error === null ? 0 : (error.code ?? error.signal), printed, stderr }),
    );
    child.stdin?.end();
  });
}

/** What each of `commands` prints, compared with the page; as many at once as there are cores. */
async function expectPrinted(page: Page, commands: readonly (readonly string[])[]): Promise<void> {
  const endings: Ending[] = [];
  const todo = commands.entries();
  const worker = async (): Promise<void> => {
    for (const [i, command] of todo) endings[i] = await finish(command);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  const programs = programsOf(page);
  const got = programs.map(({ heading }, i) => ({ heading, ...endings[i] }));
  // What else they write is shown if one fails: gevent prints the traceback of a greenlet that failed.
  const stderr = expect.any(String) as string;
  expect(got).toEqual(programs.map(({ heading, printed }) => ({ heading, status: 0, printed, stderr })));
}

/** The programs of `page` in files, each the last word of its command. */
function commandsOf(page: Page, extension: string, ...command: string[]): string[][] {
  return programsOf(page).map(({ theirs }, i) => {
    const file = join(folder, `${page}-${i + 1}.${extension}`);
    writeFileSync(file, theirs);
    return [...command, file];
  });
}

describe('The pages from other worlds', () => {
  it('show the same ten programs, in the same order, that print the same', () => {
    const [first, ...others] = pages.map((page) =>
      programsOf(page).map(({ heading, ours, printed }) => ({ heading, ours, printed })),
    );
    expect(first?.map(({ heading }) => Number.parseInt(heading, 10))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const other of others) expect(other).toEqual(first);
  });

  it('show programs with promises that print what they say', () =>
    expectPrinted('from-async-await', commandsOf('from-async-await', 'mjs', process.execPath)));
});

const gevent = probePython('import gevent', 'gevent');
describe.skipIf(gevent === undefined)('The page from gevent', () => {
  it('shows programs in gevent that print what it says', () =>
    expectPrinted('from-gevent', commandsOf('from-gevent', 'py', gevent as string)));
});

const asyncio = probePython('from asyncio import TaskGroup', 'the asyncio of 3.11 or later');
describe.skipIf(asyncio === undefined)('The page from asyncio', () => {
  it('shows programs in asyncio that print what it says', () =>
    expectPrinted('from-asyncio', commandsOf('from-asyncio', 'py', asyncio as string)));
});

const go = probeProgram('go');
describe.skipIf(go === undefined)('The page from Go', () => {
  it('shows programs in Go that print what it says', async () => {
    const names = programsOf('from-go').map(({ theirs }, i) => {
      const name = `program-${i + 1}`;
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'main.go'), theirs);
      return name;
    });
    writeFileSync(join(folder, 'go.mod'), 'module pages\n\ngo 1.19\n');
    mkdirSync(join(folder, 'bin'));
    // One build for all, with neither a C compiler nor a network.
    const env = { ...process.env, CGO_ENABLED: '0', GOPROXY: 'off', GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local' };
    const built = await finish([go as string, 'build', '-o', 'bin/', './...'], { cwd: folder, env });
    expect(built).toEqual({ status: 0, printed: '', stderr: '' });
    await expectPrinted(
      'from-go',
      names.map((name) => [join(folder, 'bin', name)]),
    );
  });
});
