// mutated-copy.ts: the library and its properties as JavaScript in a folder of their own, with a bug in one file if asked for.
//
// The library has no switch for a bug: what is changed is the text of a copy. It is run in a process of its own, because there is one kernel per realm,
// and in plain JavaScript, which is what a user runs; a test runner's own way of loading modules would be half as fast.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import type { Mutant } from './mutants.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const FOLDERS = ['core', 'io', 'samples/redis', 'tests/properties'];

export type Edit = Pick<Mutant, 'file' | 'find' | 'replace'>;

/** The text of `file` with `edit` made. @throws Error if what it looks for is not there exactly once. */
export function edited({ file, find, replace }: Edit): string {
  const text = readFileSync(path.join(root, file), 'utf8');
  const times = text.split(find).length - 1;
  if (times !== 1) throw new Error(`${file} has ${times} times what a mutant replaces: ${JSON.stringify(find)}`);
  return text.replace(find, () => replace);
}

const translated = new Map<string, string>();

function translate(text: string): string {
  return ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  }).outputText;
}

function sources(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => path.join(folder, name)),
  );
}

/** A copy of the library and its properties. */
export class Copy {
  readonly #folder: string;

  constructor(edit?: Edit) {
    this.#folder = mkdtempSync(path.join(tmpdir(), 'tendril-copy-'));
    const made = new Set<string>();
    for (const file of sources()) {
      let code = translated.get(file);
      if (code === undefined) translated.set(file, (code = translate(readFileSync(path.join(root, file), 'utf8'))));
      if (file === edit?.file) code = translate(edited(edit));
      const target = path.join(this.#folder, file.replace(/\.ts$/, '.js'));
      if (!made.has(path.dirname(target))) mkdirSync(path.dirname(target), { recursive: true });
      made.add(path.dirname(target));
      writeFileSync(target, code);
    }
    // What imports `tendril` finds the copy: a package may refer to itself by its name.
    const entries = { '.': './io/index.js', './core': './core/index.js', './testing': './io/testing/index.js' };
    writeFileSync(
      path.join(this.#folder, 'package.json'),
      JSON.stringify({ name: 'tendril', type: 'module', exports: entries }),
    );
    symlinkSync(path.join(root, 'node_modules'), path.join(this.#folder, 'node_modules'));
  }

  /** Run `program`, one of our files, in a process of its own; what it printed. */
  run(program: string, args: readonly string[], timeoutMs: number): Promise<string> {
    const script = path.join(this.#folder, program.replace(/\.ts$/, '.js'));
    return new Promise((resolve, reject) => {
      execFile(
        process.execPath,
        [script, ...args],
        { timeout: timeoutMs, maxBuffer: 1 << 26 },
        (error, stdout, stderr) => {
          if (error === null) resolve(stdout);
          else reject(new Error(`${program} in a copy failed: ${error.message}\n${stderr}`, { cause: error }));
        },
      );
    });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
