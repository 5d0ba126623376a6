// blocks.ts: the code blocks of a page, and the tests that they compile and print what the page says.
//
// A ```ts block that a ```text block follows is a whole program: it runs, and must print exactly that text. Every
// other ```ts block must compile, except one that opens with ```ts fragment.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { entries } from '../../vitest.config.ts';

export interface Block {
  readonly place: string; // file:line of the opening fence
  readonly file: string; // where its code is written, in the workspace
  readonly code: string;
  readonly fragment: boolean;
  readonly printed: string | undefined;
}

interface Ending {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** The ```ts blocks of a page, each with the ```text block that comes next, if nothing but prose stands between. */
export function blocksOf(page: string, text: string): Block[] {
  const blocks: Block[] = [];
  let line = 1;
  let end = 0;
  let program: Block | undefined;
  for (const match of text.matchAll(/^```([^\n`]*)\n(.*?)^```[ \t]*$/gms)) {
    line += text.slice(end, match.index).split('\n').length - 1;
    end = match.index;
    const [language, ...words] = (match[1] as string).trim().split(/\s+/);
    if (language === 'text' && program !== undefined) {
      blocks[blocks.length - 1] = { ...program, printed: match[2] as string };
    }
    program = undefined;
    if (language !== 'ts') continue;
    const fragment = words.includes('fragment');
    const place = `${page}:${line}`;
    const block = {
      place,
      file: `${place.replace(/\W/g, '-')}.ts`,
      code: match[2] as string,
      fragment,
      printed: undefined,
    };
    blocks.push(block);
    if (!fragment) program = block;
  }
  return blocks;
}

function finish(command: readonly string[], timeoutMs: number): Promise<Ending> {
  const [program, ...args] = command as [string, ...string[]];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, TSX_TSCONFIG_PATH: `${inject('library')}/tsconfig.json` },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** `code` as node runs it, with the compiled library in place of its public names: to start tsx takes longer than most programs do. */
function javaScript(code: string, file: string): string {
  const { outputText } = ts.transpileModule(code, { compilerOptions: toJavaScript, fileName: file });
  return outputText.replaceAll(
    /(from |import |import\()'(tendril(?:\/\w+)*)'/g,
    (whole, before: string, name: string) =>
      name in entries ? `${before}'${inject('library')}/${entries[name]?.replace(/ts$/, 'js')}'` : whole,
  );
}

const toJavaScript: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  inlineSourceMap: true,
  inlineSources: true,
};

/** Define the tests of `pages`, which are named from the project's root. To be called inside a describe. */
export function testPages(pages: readonly string[], limitMs: number): void {
  const blocks = pages.flatMap((page) => blocksOf(page, readFileSync(`${root}${page}`, 'utf8')));
  const programs = blocks.filter((block) => block.printed !== undefined);
  // Inside the project, because that is where 'tendril' leads to the sources and packages to node_modules.
  mkdirSync(`${root}tests/.tmp`, { recursive: true });
  const workspace = mkdtempSync(`${root}tests/.tmp/readme-`);

  beforeAll(() => {
    for (const block of blocks) if (!block.fragment) writeFileSync(`${workspace}/${block.file}`, block.code);
    const tsconfig = {
      extends: '../../../tsconfig.json',
      // What a reader may leave out: a block need not use all that it names.
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false, moduleDetection: 'force' },
      include: ['.'],
      exclude: [],
    };
    writeFileSync(`${workspace}/tsconfig.json`, JSON.stringify(tsconfig));
  });

  afterAll(() => rmSync(workspace, { recursive: true, force: true }));

  it('show code that compiles', { timeout: 60_000 }, async () => {
    if (blocks.every((block) => block.fragment)) return;
    const tsc = `${root}node_modules/.bin/tsc`;
    const ending = await finish([process.execPath, tsc, '-p', workspace, '--pretty', 'false'], 60_000);
    const places = blocks.map(({ file, place }) => `${file} is ${place}`).join('\n');
    expect(ending.status, `${ending.stdout}${ending.stderr}\n${places}`).toBe(0);
  });

  it('show programs that print what they say', { timeout: limitMs }, async () => {
    // A program that stands on several pages runs once.
    const waiting = [...new Map(programs.map((block) => [block.code, block])).values()];
    const results: { place: string; status: number | null; printed: string; stderr: string }[] = [];
    const worker = async (): Promise<void> => {
      for (let block = waiting.shift(); block !== undefined; block = waiting.shift()) {
        const { code, file } = block;
        const program = `${workspace}/${file.replace(/ts$/, 'mjs')}`;
        writeFileSync(program, javaScript(code, file));
        const { status, stdout, stderr } = await finish([process.execPath, '--enable-source-maps', program], 30_000);
        for (const { place } of programs.filter((other) => other.code === code))
          results.push({ place, status, printed: stdout, stderr });
      }
    };
    await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker));
    results.sort((a, b) => a.place.localeCompare(b.place));
    const expected = programs
      // What else it writes is shown if it fails; warnings of a newer Node are no failure.
      .map(({ place, printed }) => ({ place, status: 0, printed, stderr: expect.any(String) as string }))
      .sort((a, b) => a.place.localeCompare(b.place));
    expect(results).toEqual(expected);
  });

  it('have at least one program and its output', () => {
    const advice =
      'no runnable block: a ```ts block that is a whole program, followed by a ```text block with what it prints';
    expect(programs.length, advice).toBeGreaterThan(0);
  });
}
