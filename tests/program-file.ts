// program-file.ts: a program of a test in a file that `node` runs as it is: TypeScript becomes JavaScript, and 'tendril' the compiled library.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, inject } from 'vitest';
import { entries } from '../vitest.config.ts';

/** The program runs here: what it imports from node_modules is found. */
export const root: string = path.resolve(import.meta.dirname, '..');

const library = inject('library');
mkdirSync(path.join(root, 'tests/.tmp'), { recursive: true });
const folder = mkdtempSync(path.join(root, 'tests/.tmp/program-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a program may import by a short name. */
const modules: Readonly<Record<string, string>> = { ...entries, 'leak-check': 'io/testing/leak-check.ts' };
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  removeComments: false,
};

let files = 0;

/** Write `source` to a file, `<name>-<number>.mjs`, and return its path. In what has no types lines keep their numbers. */
export function programFile(source: string, name = 'program'): string {
  files += 1;
  const file = path.join(folder, `${name}-${files}.mjs`);
  const { outputText } = ts.transpileModule(source, { compilerOptions: options });
  let text = bare(source) === bare(outputText) ? source : outputText;
  for (const [short, target] of Object.entries(modules))
    text = text.replaceAll(`'${short}'`, JSON.stringify(path.join(library, target.replace(/ts$/, 'js'))));
  writeFileSync(file, text);
  return file;
}

/** As `programFile`, for a module that the test has threads and processes import: its URL. */
export function moduleFile(source: string): URL {
  return pathToFileURL(programFile(source, 'module'));
}

/** `text` without what the compiler changes in JavaScript. */
function bare(text: string): string {
  return text.replaceAll(/[\s;,()]/g, '');
}

/** A path beside the programs. */
export function besidePrograms(name: string): string {
  return path.join(folder, name);
}
